"""`treadle run launch`, `retry`, `cancel` and `wait`: runs that `treadle dev` or the daemon executes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from treadle.cli.given import config_of, read_tags
from treadle.cli.home import find_run, open_home
from treadle.core import tags as tag_names

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS = (
    click.option("-c", "--config", multiple=True, metavar="CONFIG", help="As for `job execute`. Repeatable."),
    click.option("--config-json", metavar="JSON", help="Run config as JSON. Not together with --config."),
    click.option("--tags", multiple=True, metavar="TAGS", help="A JSON object or key=value. Repeatable."),
    click.option("-o", "--op-selection", metavar="OPS", help="Only these ops, as for `job execute`."),
    click.option("--run-id", metavar="ID", help="The id of the run: a new one."),
)  # fmt: skip
_wait_option = click.option("--wait", "waits", is_flag=True, help="Wait until it has ended. Exit code 1 if it failed.")


def launch_options(command: F) -> F:
    """The options of a command that hands a run to `launch`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("launch")
@click.option("-j", "--job", required=True, metavar="NAME", help="The job.")
@click.option("-l", "--location", metavar="NAME", help="Its code location, where there are several.")
@launch_options
@click.option("--partition", metavar="KEY", help="Partition to run for.")
@_wait_option
def launch_command(job: str, location: str | None, waits: bool, **options: Any) -> int:
    """Put a run of a job into the queue, for `treadle dev` or the daemon to execute; print its id."""
    return launch(job, location, waits=waits, **options)


def launch(
    job: str,
    location: str | None,
    *,
    config: Sequence[str] = (),
    config_json: str | None = None,
    tags: Sequence[str] = (),
    op_selection: str | None = None,
    run_id: str | None = None,
    partition: str | None = None,
    waits: bool = False,
) -> int:
    """Put a run into the queue and print its id; the exit code.

    Raises:
        click.UsageError: an option cannot be right.
        InvocationError, UnknownPartitionError: there is no such job, location or partition.
    """
    from treadle.host.launching import submit_run  # noqa: PLC0415  --help needs none of it
    from treadle.spec.manifest import location_of_job  # noqa: PLC0415

    run_tags = read_tags(tags)
    if partition is not None:
        run_tags[tag_names.PARTITION] = partition
    run_config = config_of(config, config_json) or {}
    clauses = [part.strip() for part in (op_selection or "").split(",") if part.strip()]
    with open_home() as instance:
        jobs = instance.store.locations.jobs()
        unknown = {record.name for record in instance.store.locations.all()} - jobs.keys()
        location = location_of_job(job, jobs, location, unknown)
        if location in jobs and tag_names.PARTITION_RANGE_START not in run_tags:
            partition = run_tags.get(tag_names.PARTITION)
            jobs[location].check_partition(job, partition, datetime.now(UTC), instance)
        if location in jobs:
            run_tags = {**jobs[location].run_tags(job, partition), **run_tags}
        run = instance.create_run(
            job_name=job, run_id=run_id, run_config=run_config, tags=run_tags, location_name=location,
            op_selection=clauses or None,
        )  # fmt: skip
        return _begun(instance, submit_run(instance, run.run_id).run_id, waits)


@click.command("retry")
@click.argument("run_id")
@click.option(
    "--from-failure", "what", flag_value="failure", help="The steps that failed or were not reached: the default."
)
@click.option("--all-steps", "what", flag_value="all", help="All steps.")
@click.option("--steps", metavar="STEPS", help="These steps: clauses such as `load+`, separated by commas.")
@_wait_option
def retry_command(run_id: str, what: str | None, steps: str | None, waits: bool) -> int:
    """Put a run into the queue that runs RUN_ID (the beginning of the id is enough) again; print its id."""
    from treadle.daemon.runs import run_again  # noqa: PLC0415  --help needs none of it

    clauses = [part.strip() for part in (steps or "").split(",") if part.strip()]
    if what is not None and clauses:
        raise click.UsageError("--steps says what to run again, and so does the other option. Give one of them.")
    with open_home() as instance:
        run = find_run(instance, run_id)
        again = run_again(instance, run, whole=what == "all", steps=clauses)
        return _begun(instance, again.run_id, waits)


@click.command("cancel")
@click.argument("run_id")
def cancel_command(run_id: str) -> None:
    """Tell the run RUN_ID (the beginning of the id is enough) to end. One that waits in the queue ends at once."""
    from treadle.host.launching import cancel_run  # noqa: PLC0415  --help needs none of it

    with open_home() as instance:
        run = find_run(instance, run_id)
        if not cancel_run(instance, run.run_id):
            raise click.ClickException(f"Run {run.run_id} has ended already: {run.status.value}.")
        click.echo(f"{run.run_id} is told to end.")


@click.command("wait")
@click.argument("run_id")
def wait_command(run_id: str) -> int:
    """Wait until the run RUN_ID (the beginning of the id is enough) has ended. Exit code 1 if it did not succeed."""

    with open_home() as instance:
        return _wait(instance, find_run(instance, run_id).run_id)


def _begun(instance: Any, run_id: str, waits: bool) -> int:
    """Tell about a run that is in the queue, and wait for it if that was asked."""
    from treadle.host.launching import has_daemon  # noqa: PLC0415  --help needs none of it

    click.echo(run_id)
    if not has_daemon(instance):
        click.echo("Nobody executes runs in this home: it waits until `treadle dev` or a daemon does.", err=True)
    return _wait(instance, run_id) if waits else 0


def _wait(instance: Any, run_id: str) -> int:
    from treadle.cli import failure, output, report  # noqa: PLC0415  whoever does not wait needs none of it
    from treadle.host.launching import await_run  # noqa: PLC0415

    try:
        run = await_run(instance, run_id)
    except KeyboardInterrupt:
        run = instance.get_run_by_id(run_id)
        where = "waits in the queue still" if run is not None and run.status.value == "QUEUED" else "goes on"
        click.echo(f"Run {run_id} {where}. `treadle run cancel {run_id[:8]}` ends it.", err=True)
        raise
    if run.is_success:
        click.echo(f"{run_id} {output.status(run.status.value)}")
        return 0
    failure.say(report.failure_text(run, report.Account.of(instance.all_logs(run_id))))
    return 1
