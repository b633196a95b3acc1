"""`treadle run launch`, `retry`, `cancel` and `wait`: runs that `treadle dev` or the daemon executes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
from msgspec import structs

from treadle.cli.given import PARTITION_OPTIONS, clauses_of, config_of, range_of, read_tags, with_options
from treadle.cli.home import find_run, open_home
from treadle.core import tags as tag_names
from treadle.core.keys import IMPLICIT_JOB, AssetKey
from treadle.errors import InvocationError, SelectionError
from treadle.spec.manifest import Jobs, Manifest, location_of_job

F = TypeVar("F", bound=Callable[..., Any])
_RANGE = (tag_names.PARTITION_RANGE_START, tag_names.PARTITION_RANGE_END)
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
    return with_options(_OPTIONS, command)


@click.command("launch")
@click.option("-j", "--job", metavar="NAME", help="The job; with --select, by default the one that makes all assets.")
@click.option(
    "--select", multiple=True, metavar="SELECTION",
    help="Only these assets of it: selections, separated by commas. Repeatable.",
)  # fmt: skip
@click.option("-l", "--location", metavar="NAME", help="Its code location, where there are several.")
@launch_options
@PARTITION_OPTIONS[0]
@PARTITION_OPTIONS[1]
@_wait_option
def launch_command(job: str | None, location: str | None, waits: bool, **options: Any) -> int:
    """Put a run of a job or of assets into the queue, for `treadle dev` or the daemon to execute; print its id."""
    if job is None and not options["select"]:
        raise click.UsageError(
            'Nothing says what to run. Name a job with --job, or assets with --select ("*" for all of them).'
        )
    job = job if job is not None else IMPLICIT_JOB
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
    partition_range: str | None = None,
    select: Sequence[str] = (),
    waits: bool = False,
) -> int:
    """Put a run into the queue and print its id; the exit code.

    Raises:
        click.UsageError: an option cannot be right.
        InvocationError, UnknownPartitionError: there is no such job, location, asset or partition.
    """
    from treadle.host.launching import submit_run  # noqa: PLC0415  --help needs none of it

    run_tags, now, keys = read_tags(tags), datetime.now(UTC), None
    ends = range_of(partition, partition_range)
    if partition is not None:
        run_tags[tag_names.PARTITION] = partition
    if ends is not None:
        run_tags |= dict(zip(_RANGE, ends, strict=True))
    run_config = config_of(config, config_json) or {}
    with open_home() as instance:
        jobs = instance.store.locations.jobs()
        unknown = {record.name for record in instance.store.locations.all()} - jobs.keys()
        if select:
            location, keys = _selected(instance.store.locations.manifests(), unknown, job, location, select)
        location = location_of_job(job, jobs, location, unknown)
        if location is not None and location in jobs:
            there = jobs[location] if keys is None else _narrowed(instance, location, job, keys)
            partition = run_tags.get(tag_names.PARTITION)
            for key in [run_tags.get(end) for end in _RANGE if end in run_tags] or [partition]:
                there.check_partition(job, key, now, instance)
            run_tags = {**there.run_tags(job, partition), **run_tags}
        run = instance.create_run(
            job_name=job, run_id=run_id, run_config=run_config, tags=run_tags, location_name=location,
            op_selection=clauses_of(op_selection) or None, asset_selection=keys,
        )  # fmt: skip
        return _begun(instance, submit_run(instance, run.run_id).run_id, waits)


def _selected(
    manifests: Mapping[str, Manifest], unknown: Collection[str], job: str, location: str | None, select: Sequence[str]
) -> tuple[str | None, frozenset[AssetKey]]:
    """What a selection means among the assets of a job, by what is known of the locations; and in which one that is.

    Raises:
        InvocationError: nothing is known of them, or the selection means nothing there.
    """
    from treadle.spec.selection import parse_many  # noqa: PLC0415  whoever selects nothing needs none of it

    known = {name: one for name, one in manifests.items() if location in (None, name) and job in one.job_names}
    if not manifests or location in unknown:
        raise InvocationError(
            f"{f'Code location {location!r}' if location else 'No code location'} has "
            f"{'not ' if location else ''}been loaded in this home yet, so nobody knows what --select means. Start "
            "`treadle dev` or `treadle daemon run` first, or launch a job without --select."
        )
    found, fault = dict[str, frozenset[AssetKey]](), None
    for name, manifest in known.items():
        try:
            found[name] = frozenset(parse_many(select).resolve(manifest.graph) & manifest.made_by(job))
        except SelectionError as error:  # another location may have what this one has not
            fault = error
    found = {name: keys for name, keys in found.items() if keys}
    if known and not found:
        why = fault or f"{','.join(select)!r} selects nothing that {job!r} makes."
        raise InvocationError(f"--select: {why}")
    if len(found) > 1:
        raise InvocationError(
            f"--select means assets in several code locations: {', '.join(found)}. Choose one with -l."
        )
    return next(iter(found.items()), (location, frozenset[AssetKey]()))


def _narrowed(instance: Any, location: str, job: str, keys: frozenset[AssetKey]) -> Jobs:
    """What is known of a location, as if a job made these assets only."""
    manifest = instance.store.locations.manifests()[location]
    found = {manifest.specs[key].partitions_def for key in keys} - {None}
    partitions = {job: found.pop() if len(found) == 1 else None} if found else {}
    return structs.replace(manifest, partitions=partitions)


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

    clauses = clauses_of(steps)
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
