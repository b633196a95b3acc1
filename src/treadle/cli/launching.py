"""`treadle run launch`, `cancel` and `wait`: runs that `treadle dev` or the daemon executes."""

from __future__ import annotations

import select
from collections.abc import Sequence

import click

from treadle.cli import failure, output, report
from treadle.cli.execution import config_of, read_tags
from treadle.cli.home import open_home
from treadle.core import tags as tag_names
from treadle.daemon.service import LEASE
from treadle.host.instance import Instance
from treadle.host.launching import cancel_run, submit_run
from treadle.host.nudge import Listener
from treadle.runtime import kin
from treadle.state.runs import Run

_SWEEP_S = 1.0


def launch(
    instance: Instance,
    job: str,
    location: str | None,
    config: Sequence[str],
    config_json: str | None,
    tags: Sequence[str],
    partition: str | None,
) -> Run:
    """Store a run and put it into the queue.

    Raises:
        click.UsageError: an option cannot be right.
    """
    run_tags = read_tags(tags)
    if partition is not None:
        run_tags[tag_names.PARTITION] = partition
    run = instance.create_run(
        job_name=job, run_config=config_of(config, config_json) or {}, tags=run_tags, location_name=location
    )
    return submit_run(instance, run.run_id)


def has_daemon(instance: Instance) -> bool:
    """Whether somebody executes what is launched."""
    lease = instance.store.leases.get(LEASE)
    return lease is not None and lease.until > 0 and kin.lives(lease.owner) is not False


def wait(instance: Instance, run_id: str) -> int:
    """Wait until a run has ended. The exit code: 0 if it succeeded."""
    assert instance.home is not None
    listener = Listener(instance.home, "daemon")
    try:
        while True:
            run = instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                break
            select.select([listener], [], [], _SWEEP_S)
            listener.clear()
    finally:
        listener.close()
    if run is None:
        raise click.ClickException(f"Run {run_id} was deleted while it was waited for.")
    if run.is_success:
        click.echo(f"{run_id} {output.status(run.status.value)}")
        return 0
    failure.say(report.failure_text(run, report.Account.of(instance.all_logs(run_id))))
    return 1


@click.command("launch")
@click.option("-j", "--job", required=True, metavar="NAME", help="The job.")
@click.option("-l", "--location", metavar="NAME", help="Its code location, where there are several.")
@click.option("-c", "--config", multiple=True, metavar="CONFIG", help="Run config, as for `job execute`. Repeatable.")
@click.option("--config-json", metavar="JSON", help="Run config as JSON. Not together with --config.")
@click.option("--tags", multiple=True, metavar="TAGS", help="A JSON object or key=value. Repeatable.")
@click.option("--partition", metavar="KEY", help="Partition to run for.")
@click.option("--wait", "waits", is_flag=True, help="Wait until it has ended. Exit code 1 if it failed.")
def launch_command(
    job: str,
    location: str | None,
    config: tuple[str, ...],
    config_json: str | None,
    tags: tuple[str, ...],
    partition: str | None,
    waits: bool,
) -> int:
    """Have a job executed by `treadle dev` or the daemon; print the run's id."""
    with open_home() as instance:
        run = launch(instance, job, location, config, config_json, tags, partition)
        click.echo(run.run_id)
        if not has_daemon(instance):
            click.echo("Nobody executes runs in this home: it waits until `treadle dev` or a daemon runs.", err=True)
        return wait(instance, run.run_id) if waits else 0


@click.command("cancel")
@click.argument("run_id")
def cancel_command(run_id: str) -> None:
    """Tell the run RUN_ID to end. One that waits in the queue is canceled at once."""
    from treadle.cli.run import find  # noqa: PLC0415  that module has this command

    with open_home() as instance:
        run = find(instance, run_id)
        if not cancel_run(instance, run.run_id):
            raise click.ClickException(f"Run {run.run_id} has ended: {run.status.value}.")
        click.echo(f"{run.run_id} is told to end.")


@click.command("wait")
@click.argument("run_id")
def wait_command(run_id: str) -> int:
    """Wait until the run RUN_ID has ended. Exit code 1 if it did not succeed."""
    from treadle.cli.run import find  # noqa: PLC0415  that module has this command

    with open_home() as instance:
        return wait(instance, find(instance, run_id).run_id)
