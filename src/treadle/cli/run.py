"""`treadle run`: list, show and delete runs, and read what they printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from treadle.cli import launching, logs, output
from treadle.cli.home import find_run, open_home
from treadle.cli.output import about
from treadle.core.keys import did_you_mean
from treadle.state.runs import RunRecord, RunsFilter, RunStatus


class _StatusType(click.Choice):
    """A status that runs can have, in any case; a wrong one is answered with the one that was meant."""

    def __init__(self) -> None:
        statuses = [one.value for one in RunStatus if one not in (RunStatus.MANAGED, RunStatus.SUSPENDED)]
        super().__init__(statuses, case_sensitive=False)

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """What to say about `value`."""
        near = did_you_mean(str(value).upper(), list(self.choices))
        return f"{value!r} is no status.{near} There are {', '.join(self.choices)}."


@click.group("run")
def group() -> None:
    """List, show and delete runs, and read their logs."""


for command in (launching.launch_command, launching.cancel_command, launching.wait_command, launching.retry_command):
    group.add_command(command)
group.add_command(logs.command)


@group.command("list")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many; 20 on a terminal, all elsewhere.")
@click.option("-j", "--job", metavar="NAME", help="Only runs of this job.")
@click.option(
    "--status", multiple=True, type=_StatusType(),
    help="Only runs with this status. Repeatable.",
)  # fmt: skip
@click.option("--tag", multiple=True, metavar="KEY=VALUE", help="Only runs with this tag. Repeatable.")
@output.json_option
def list_runs(limit: int | None, job: str | None, status: tuple[str, ...], tag: tuple[str, ...], as_json: bool) -> None:
    """List runs, newest first: id, status, job, when, how long, what."""
    wanted = RunsFilter(
        job_name=job, statuses=[RunStatus(one.upper()) for one in status], tags=dict(_tag(one) for one in tag)
    )
    if limit is None and not as_json and output.on_terminal():
        limit = 20
    with open_home(makes=False) as instance:
        records = instance.get_run_records(wanted, limit=limit)
        held = _held(instance, records)
    if as_json:
        output.print_json([{**_described(record), "held": held.get(record.run.run_id)} for record in records])
    elif records:
        rows = [
            (
                one.run.run_id, one.run.status.value, one.run.job_name, output.when(one.create_timestamp), _took(one),
                " ".join(filter(None, (about(one.run), held.get(one.run.run_id)))),
            )
            for one in records
        ]  # fmt: skip
        click.echo(output.table(rows, ("run", "status", "job", "created", "took", "about")))
    else:
        click.echo("There are no such runs." if job or status or tag else "There are no runs.", err=True)


def _held(instance: Any, records: Sequence[RunRecord]) -> dict[str, str]:
    """Why those of these runs wait that are in the queue, by id."""
    if not any(record.run.status is RunStatus.QUEUED for record in records):
        return {}
    from treadle.daemon.runs import waiting_runs  # noqa: PLC0415  what has ended needs no runtime

    return {record.run.run_id: why for record, why in waiting_runs(instance)}


def _tag(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign:
        raise click.UsageError(f"--tag is {text!r}. Write KEY=VALUE.")
    return key, value


def _took(record: RunRecord) -> str:
    start, end = record.start_time, record.end_time
    return "" if start is None or end is None else output.duration(end - start)


def _described(record: RunRecord) -> dict[str, Any]:
    run = record.run
    return {
        "run_id": run.run_id,
        "status": run.status.value,
        "job_name": run.job_name,
        "created": output.iso(record.create_timestamp),
        "start": output.iso(record.start_time),
        "end": output.iso(record.end_time),
        "assets": sorted(key.to_user_string() for key in run.asset_selection or ()),
        "tags": run.tags,
    }


@group.command("show")
@click.argument("run_id")
@output.json_option
def show(run_id: str, as_json: bool) -> None:
    """Show the run RUN_ID (the beginning of the id is enough): its steps, failures, and what it made."""
    from treadle.cli.show import print_run  # noqa: PLC0415  the other commands need nothing of it

    with open_home() as instance:
        run = find_run(instance, run_id)
        entries = instance.all_logs(run.run_id)
    print_run(run, entries, as_json)


@group.command("delete")
@click.argument("run_id")
@click.option("-f", "--force", is_flag=True, help="Do not ask for confirmation.")
def delete(run_id: str, force: bool) -> int:
    """Delete the run RUN_ID, its events and its captured output. What it made stays, and stays known."""
    with open_home() as instance:
        run = find_run(instance, run_id)
        if not force and not output.confirmed(f"Delete run {run.run_id} of {run.job_name} ({run.status.value})?"):
            return 1
        instance.delete_run(run.run_id)
    click.echo(f"Deleted run {run.run_id}.")
    return 0


@group.command("wipe")
@click.option("-f", "--force", is_flag=True, help="Do not ask for confirmation.")
def wipe(force: bool) -> int:
    """Delete all runs and their events."""
    with open_home(makes=False) as instance:
        run_ids = instance.get_run_ids()
        what = output.count(len(run_ids), "run")
        if not run_ids:
            click.echo("There are no runs.")
            return 0
        if not force and not output.confirmed(f"Delete {what} in {instance.root_directory}?"):
            return 1
        for run_id in run_ids:
            instance.delete_run(run_id)
    click.echo(f"Deleted {what}.")
    return 0
