"""`treadle queue`: which runs wait, in which order and why, and whether any may go."""

from __future__ import annotations

import click

from treadle.cli import output
from treadle.cli.home import open_home
from treadle.daemon import runs


@click.group("queue")
def group() -> None:
    """Show the runs that wait, and pause the queue."""


@group.command("list")
@output.json_option
def list_queue(as_json: bool) -> None:
    """Show the runs that wait, those that are next first, and why each does."""
    with open_home(makes=False) as instance:
        waiting = runs.waiting_runs(instance)
        is_paused = runs.is_paused(instance)
    if as_json:
        found = [{"run_id": one.run.run_id, "job_name": one.run.job_name, "reason": why} for one, why in waiting]
        output.print_json({"paused": is_paused, "runs": found})
        return
    if is_paused:
        click.echo("The queue is paused. `treadle queue resume` lets it go on.", err=True)
    rows = [(one.run.run_id, one.run.job_name, output.when(one.create_timestamp), why) for one, why in waiting]
    click.echo(output.table(rows, ("run", "job", "created", "why it waits")) if rows else "No run waits.")


@group.command("pause")
def pause() -> None:
    """Let no run leave the queue, until `treadle queue resume`. Runs under way go on."""
    with open_home() as instance:
        runs.pause(instance, True)
    click.echo("The queue is paused.")


@group.command("resume")
def resume() -> None:
    """Let runs leave the queue again."""
    with open_home() as instance:
        runs.pause(instance, False)
    click.echo("The queue goes on.")
