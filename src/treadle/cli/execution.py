"""Executing a job from a command: the options that say how, progress while it runs, and the exit code."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from functools import wraps
from typing import Any, TextIO

import click

from treadle.author.jobs import JobDefinition
from treadle.cli import failure, output, report
from treadle.cli.given import PARTITION_OPTIONS, config_of, range_of, read_tags, with_options
from treadle.cli.home import open_home
from treadle.cli.progress import Lines
from treadle.core.subsets import PartitionKeyRange
from treadle.errors import ExecutionInterruptedError

_OPTIONS = (
    *PARTITION_OPTIONS,
    click.option(
        "-c", "--config", multiple=True, metavar="CONFIG",
        help="Run config: a YAML or JSON file, a glob of files, or the config itself. Repeatable; earlier ones win.",
    ),
    click.option("--config-json", metavar="JSON", help="Run config as JSON. Not together with --config."),
    click.option("--tags", multiple=True, metavar="TAGS",
        help="Tags of the run: a JSON object or key=value. Repeatable."),
    click.option("-v", "--verbose", is_flag=True, help="Show every event."),
)  # fmt: skip


def execution_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that executes; it hands them to `execute` as they are."""

    @wraps(command)
    def prepared(*args: Any, **kwargs: Any) -> Any:
        # before any user code, for `spare_imports`; lists need none of it
        from treadle.host import execution, executors, ownership  # noqa: F401, PLC0415

        return command(*args, **kwargs)

    return output.json_option(with_options(_OPTIONS, prepared))


def execute(
    job: JobDefinition,
    *,
    partition: str | None,
    partition_range: str | None,
    config: Sequence[str],
    config_json: str | None,
    tags: Sequence[str],
    verbose: bool,
    as_json: bool,
    op_selection: Sequence[str] | None = None,
) -> int:
    """Run `job` in this process, recorded in the home. Returns the exit code: 0, 1 if it failed, 130 or 143 if
    interrupted.

    Raises:
        click.UsageError: an option cannot be right.
        TreadleError: the run could not be started.
    """
    from treadle.host.execution import run_job  # noqa: PLC0415  `asset list` and `job list` need no runtime
    from treadle.host.executors import drive_of  # noqa: PLC0415

    ends = range_of(partition, partition_range)
    key_range = _checked_range(job, *ends) if ends is not None else None
    run_config = config_of(config, config_json)
    run_tags = read_tags(tags)
    _check_partition_given(job, partition is not None or ends is not None)
    account = report.Account()
    with open_home() as instance, _shown(job, verbose, as_json) as (listener, out):

        def listen(entry: Any) -> None:
            account.add(entry)
            listener(entry)

        try:
            with _terminable():
                result = run_job(
                    job, instance=instance, run_config=run_config, tags=run_tags, partition_key=partition,
                    partition_range=key_range, op_selection=op_selection, raise_on_error=False, listener=listen,
                    drives=drive_of,
                )  # fmt: skip
        except KeyboardInterrupt:
            return 130
        except ExecutionInterruptedError:
            return 143
        if as_json:
            out.write(output.json_text(report.document(result.run, result.entries)) + "\n")
    if not as_json and result.success:
        click.echo(report.summary(result.run, account))
    if not result.success:
        failure.say(report.failure_text(result.run, account))
    return 0 if result.success else 1


def _check_partition_given(job: JobDefinition, given: bool) -> None:
    """A run of partitioned assets needs a partition, and others can have none."""
    if not job.assets:
        return
    chosen = job.selected_assets
    specs = [
        spec for one in dict.fromkeys(job.assets.values()) for spec in one.specs if chosen is None or spec.key in chosen
    ]
    partitioned = [spec for spec in specs if spec.partitions_def is not None]
    if given and not partitioned and job.partitions_def is None:
        raise click.UsageError("Nothing that is selected has partitions. Leave --partition out.")
    kinds = {spec.partitions_def: spec.key.to_user_string() for spec in partitioned}
    if len(kinds) > 1:
        each = "; ".join(f"{key} has {one}" for one, key in kinds.items())
        raise click.UsageError(
            f"What is selected has different partitions: {each}. Make those of one kind at a time: give --select."
        )
    if not given and partitioned and job.partitioned_config is None:
        names = ", ".join(sorted(spec.key.to_user_string() for spec in partitioned)[:5])
        with open_home() as instance:
            last = partitioned[0].partitions_def.get_last_partition_key(dynamic_partitions_store=instance)
        example = f", for example --partition {shlex.quote(last)}" if last is not None else ". It has none yet"
        raise click.UsageError(
            f"What is selected has partitions ({names}), and none is given. Say which one to make{example}."
        )


def _checked_range(job: JobDefinition, first: str, last: str) -> PartitionKeyRange:
    each = [one for one in job.assets.values() if one.partitions_def is not None and one.specs]
    for definition in each:
        policy = definition.backfill_policy
        if policy is None or policy.max_partitions_per_run is not None:
            raise click.UsageError(
                f"--partition-range makes all partitions in one run, and {definition.specs[0].key.to_user_string()!r} "
                "makes one partition a run. Give it backfill_policy=BackfillPolicy.single_run(), or make one "
                f"partition at a time with --partition.{definition.node_def.where}"
            )
    return PartitionKeyRange(first, last)


# --- what is shown ----------------------------------------------------------------------------------------------------


@contextmanager
def _shown(job: JobDefinition, verbose: bool, as_json: bool) -> Iterator[tuple[Callable[[Any], None], TextIO]]:
    """A listener that shows progress, and the stream that is stdout for this command while user code may be printing.

    With --json everything that user code prints goes to stderr, as progress does: stdout has the document alone.
    """
    with _own_stdout(turn_to_stderr=as_json) as out:
        if not as_json and out.isatty() and os.environ.get("TERM") != "dumb":
            from treadle.cli.live import LiveProgress  # noqa: PLC0415  only where people watch

            progress: Any = LiveProgress(len(job.nodes), verbose)
        else:
            progress = Lines(sys.stderr if as_json else out, verbose)
        try:
            yield progress, out
        finally:
            progress.close()


@contextmanager
def _own_stdout(turn_to_stderr: bool) -> Iterator[TextIO]:
    """Where stdout led before: while a run captures its output, descriptor 1 is the capture's."""
    sys.stdout.flush()
    if not _is_descriptor(sys.stdout, 1):  # replaced, as in tests
        own = sys.stdout
        with redirect_stdout(sys.stderr if turn_to_stderr else own):
            yield own
        return
    own = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors="replace")
    if turn_to_stderr:
        os.dup2(2, 1)
    try:
        yield own
    finally:
        if turn_to_stderr:
            sys.stdout.flush()
            os.dup2(own.fileno(), 1)
        with suppress(BrokenPipeError):  # nobody reads any longer
            own.close()


def _is_descriptor(stream: TextIO, number: int) -> bool:
    try:
        return stream.fileno() == number
    except (OSError, ValueError, AttributeError):
        return False


@contextmanager
def _terminable() -> Iterator[None]:
    """While inside, SIGTERM ends the run as Ctrl-C does: it is recorded as canceled."""

    def stop(number: int, frame: object) -> None:
        raise ExecutionInterruptedError("SIGTERM")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
