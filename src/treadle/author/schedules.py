"""Schedules: what starts runs at times that cron expressions name."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from treadle.author.asset_jobs import UnresolvedAssetJobDefinition
from treadle.author.jobs import JobDefinition
from treadle.author.requests import RunRequest, ScheduleExecutionData, SkipReason, outcome_of
from treadle.author.run_config import RunConfig
from treadle.author.tick_contexts import ScheduleEvaluationContext
from treadle.author.triggers import Job, TickFunction, Trigger, resolved, targets_of
from treadle.core import tags as tag_rules
from treadle.core.keys import check_name
from treadle.core.multi_partitions import MultiPartitionsDefinition
from treadle.core.partitions import PartitionsDefinition
from treadle.core.time import parse_cron, zone_of
from treadle.core.time_partitions import TimeWindowPartitionsDefinition
from treadle.errors import DefinitionError, InvariantError, TreadleError, UserCodeError


class DefaultScheduleStatus(enum.Enum):
    """Whether a schedule runs before anyone turned it on or off."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"


def _checked_cron(cron_schedule: Any, what: str) -> str | Sequence[str]:
    if not cron_schedule:
        raise DefinitionError(f"{what} has no cron_schedule. Give it one, such as '0 6 * * *', or a list of them.")
    for one in [cron_schedule] if isinstance(cron_schedule, str) else cron_schedule:
        if not isinstance(one, str):
            raise DefinitionError(f"{what} has {one!r} for a cron expression. Write a string, such as '0 6 * * *'.")
        try:
            parse_cron(one)
        except DefinitionError as error:
            raise DefinitionError(f"{what}: {error}") from None
    return cron_schedule if isinstance(cron_schedule, str) else list(cron_schedule)


class ScheduleDefinition(Trigger):
    """A schedule. `schedule` makes one of a function; without a function each tick is one run.

    Args:
        name: its name; `<job>_schedule` by default. It must be given with assets as `target`.
        cron_schedule: when it ticks: a cron expression of five fields, or a list, which is their union.
        job_name, job, target: what it starts: one of a job's name, a job or graph, and either of them or assets.
        run_config, run_config_fn: the config of a run, or what gives it for a context.
        tags, tags_fn: tags of a run, or what gives them for a context.
        metadata: facts about it.
        should_execute: says, for a context, whether anything is to run at all.
        execution_timezone: the zone of the cron expressions; UTC by default.
        execution_fn: gives a `RunRequest`, several, a `SkipReason`, config for one run, or None.
        default_status: whether it runs before anyone turned it on.
        required_resource_keys: what its functions use of `context.resources`.
        owners: e-mail addresses, or `team:<name>`.

    Raises:
        DefinitionError: a cron expression or the zone cannot be read, what it starts is not given in exactly one way,
            or arguments exclude each other.
    """

    _statuses = DefaultScheduleStatus
    _context_type = ScheduleEvaluationContext

    def __init__(
        self,
        name: str | None = None,
        *,
        cron_schedule: str | Sequence[str] | None = None,
        job_name: str | None = None,
        run_config: Mapping[str, Any] | RunConfig | None = None,
        run_config_fn: Callable[..., Any] | None = None,
        tags: Mapping[str, str] | None = None,
        tags_fn: Callable[..., Mapping[str, str] | None] | None = None,
        metadata: Mapping[str, Any] | None = None,
        should_execute: Callable[..., bool] | None = None,
        execution_timezone: str | None = None,
        execution_fn: Callable[..., Any] | None = None,
        description: str | None = None,
        job: Any = None,
        default_status: DefaultScheduleStatus = DefaultScheduleStatus.STOPPED,
        required_resource_keys: set[str] | None = None,
        target: Any = None,
        owners: Sequence[str] | None = None,
    ) -> None:
        what = f"Schedule {name!r}" if name else "The schedule"
        self.targets = targets_of(what, name, job, None, job_name, target)
        if not self.targets:
            raise DefinitionError(f"{what} starts nothing. Give it a job, a job_name or a target.")
        self.name = check_name(name or f"{self.job_name}_schedule", "a schedule")
        self._what = what = f"Schedule {self.name!r}"
        self.cron_schedule = _checked_cron(cron_schedule, what)
        if execution_timezone is not None:
            zone_of(execution_timezone)
        for value, fn, word in ((run_config, run_config_fn, "run_config"), (tags, tags_fn, "tags")):
            if value is not None and fn is not None:
                raise DefinitionError(f"{what} got {word} and {word}_fn. Give one of them.")
        self.execution_timezone = execution_timezone
        self.run_config = run_config
        self.tags: Mapping[str, str] = tag_rules.run_tags(tags, what)
        self._describe(execution_fn, description, default_status, metadata, owners)
        functions = [
            TickFunction.of(fn, what, required_resource_keys) if fn is not None else None
            for fn in (execution_fn, run_config_fn, tags_fn, should_execute)
        ]
        self._function, self._run_config_fn, self._tags_fn, self._should_execute = functions
        self.required_resource_keys: set[str] = set(required_resource_keys or ()).union(
            *(one.required for one in functions if one)
        )

    @property
    def has_loadable_target(self) -> bool:
        """Whether it was given what it starts, and not only its name."""
        return not isinstance(self.targets[0], str)

    def evaluate_tick(self, context: ScheduleEvaluationContext) -> ScheduleExecutionData:
        """What a tick comes to.

        Raises:
            InvariantError: the function gave something else than it may, or several requests without run keys.
            UserCodeError: a function of the user raised.
        """
        try:
            if self._should_execute is not None and not self._should_execute(context):
                return ScheduleExecutionData((), f"should_execute of schedule {self.name!r} said no.")
            if self._function is not None:
                given = self._function(context)
            else:
                given = self._one_run(context, self._run_config_fn(context) if self._run_config_fn else self.run_config)
            if isinstance(given, Iterator):
                given = list(given)
        except TreadleError:
            raise
        except Exception as error:
            message = f"A function of schedule {self.name!r} raised {type(error).__name__}: {error}"
            raise UserCodeError(message, user_exception=error) from error
        requests, skipped = self._read(context, given)
        instance = context._instance
        own = {tag_rules.SCHEDULE_NAME: self.name}
        return ScheduleExecutionData(
            [resolved(one, self.targets, context.repository_def, context.due, instance, own) for one in requests],
            skipped,
        )

    def _one_run(self, context: ScheduleEvaluationContext, config: Any) -> RunRequest:
        return RunRequest(None, config, self.tags if self._tags_fn is None else self._tags_fn(context))

    def _read(self, context: ScheduleEvaluationContext, given: Any) -> tuple[Sequence[RunRequest], str | None]:
        """The run requests of what a function gave, or the message of a skip."""
        if isinstance(given, Mapping | RunConfig):
            given = self._one_run(context, given)
        outcome = outcome_of(self._what, given, whole=False)
        if outcome.skip_reason is not None:
            return (), outcome.skip_reason.skip_message
        requests = outcome.run_requests
        if len(requests) > 1 and any(one.run_key is None for one in requests):
            raise InvariantError(
                f"{self._what} asks for {len(requests)} runs, and not each has a run_key. They tell the runs of one "
                "tick apart: write RunRequest(run_key=...)."
            )
        return requests, None if requests else "The function of the schedule asked for no runs."


def schedule(
    cron_schedule: str | Sequence[str],
    *,
    job_name: str | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    tags_fn: Callable[..., Mapping[str, str] | None] | None = None,
    metadata: Mapping[str, Any] | None = None,
    should_execute: Callable[..., bool] | None = None,
    execution_timezone: str | None = None,
    description: str | None = None,
    job: Any = None,
    default_status: DefaultScheduleStatus = DefaultScheduleStatus.STOPPED,
    required_resource_keys: set[str] | None = None,
    target: Any = None,
    owners: Sequence[str] | None = None,
) -> Callable[[Callable[..., Any]], ScheduleDefinition]:
    """Make a function a schedule. It is called at each tick and says what runs.

    It returns or yields `RunRequest`s (each with a `run_key` if there are several), a `SkipReason`, the config of one
    run (a dict or `RunConfig`, with `tags` or `tags_fn` for its tags), or None. It may take a context and resources.
    Other arguments as for `ScheduleDefinition`.
    """
    given = locals()
    return lambda fn: ScheduleDefinition(execution_fn=fn, **{**given, "name": name or fn.__name__})


# --- of partitioned jobs ---------------------------------------------------------------------------------------------


class UnresolvedPartitionedAssetScheduleDefinition:
    """A schedule of a partitioned job whose partitions are known once the assets are put together."""

    def __init__(self, name: str, job: UnresolvedAssetJobDefinition, options: Mapping[str, Any]) -> None:
        self.name = name
        self.job = job
        self.targets: tuple[Job | str, ...] = (job,)
        self._options = options

    def __repr__(self) -> str:
        return f"<schedule {self.name!r}>"

    def resolve(self, job: JobDefinition) -> ScheduleDefinition:
        """The schedule of this job.

        Raises:
            DefinitionError: the job has no partitions.
        """
        made = build_schedule_from_partitioned_job(**{**self._options, "job": job})
        assert isinstance(made, ScheduleDefinition)  # as it is of every job that is not one over assets to come
        return made


def build_schedule_from_partitioned_job(
    job: Job,
    description: str | None = None,
    name: str | None = None,
    minute_of_hour: int | None = None,
    hour_of_day: int | None = None,
    day_of_week: int | None = None,
    day_of_month: int | None = None,
    default_status: DefaultScheduleStatus = DefaultScheduleStatus.STOPPED,
    tags: Mapping[str, str] | None = None,
    cron_schedule: str | None = None,
    execution_timezone: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    owners: Sequence[str] | None = None,
) -> UnresolvedPartitionedAssetScheduleDefinition | ScheduleDefinition:
    """A schedule that runs a job for each of its partitions, once it has ended.

    With partitions in time it ticks when a partition ends and runs the last one that has; with a second dimension, for
    each of its keys. With other partitions it runs all of them at each tick.

    Args:
        name: `<job>_schedule` by default.
        minute_of_hour, hour_of_day, day_of_week, day_of_month: when it ticks, in place of the end of the partition.
        tags: more tags for its runs.
        cron_schedule, execution_timezone: when it ticks, where the partitions do not say it.

    Raises:
        DefinitionError: the job has no partitions, or what is given does not fit them.
    """
    given = locals()
    name, definition = name or f"{job.name}_schedule", job.partitions_def
    if isinstance(job, UnresolvedAssetJobDefinition) and definition is None:
        return UnresolvedPartitionedAssetScheduleDefinition(name, job, given)
    what = f"Schedule {name!r}"
    times = {
        "minute_of_hour": minute_of_hour, "hour_of_day": hour_of_day, "day_of_week": day_of_week,
        "day_of_month": day_of_month,
    }  # fmt: skip
    if definition is None:
        raise DefinitionError(f"{what}: job {job.name!r} has no partitions. Use ScheduleDefinition(job=...).")
    windows = _windows_of(definition)
    if windows is not None:
        if cron_schedule is not None or execution_timezone is not None:
            raise DefinitionError(
                f"{what}: when it ticks, and in which zone, is said by the partitions of {job.name!r}. Leave "
                "cron_schedule and execution_timezone out; hour_of_day and its like move the ticks."
            )
        cron_schedule = windows.get_cron_schedule(**times)
        execution_timezone = windows.timezone
    elif any(value is not None for value in times.values()):
        raise DefinitionError(
            f"{what}: its partitions are not in time. Give a cron_schedule in place of hours and days."
        )
    elif cron_schedule is None:
        raise DefinitionError(f"{what}: its partitions do not say when to tick. Give it a cron_schedule.")

    def tick(context: ScheduleEvaluationContext) -> list[RunRequest] | SkipReason:
        keys = _keys_due(definition, context.due, context._instance)
        if not keys:
            return SkipReason(f"Job {job.name!r} has no partition that has ended.")
        return [RunRequest(key, None, tags, job.name, partition_key=key) for key in keys]

    return ScheduleDefinition(
        name, cron_schedule=cron_schedule, job=job, execution_timezone=execution_timezone, execution_fn=tick, tags=tags,
        description=description, default_status=default_status, metadata=metadata, owners=owners,
    )  # fmt: skip


def _windows_of(definition: PartitionsDefinition) -> TimeWindowPartitionsDefinition | None:
    if isinstance(definition, MultiPartitionsDefinition) and definition.has_time_window_dimension:
        return definition.time_window_partitions_def
    return definition if isinstance(definition, TimeWindowPartitionsDefinition) else None


def _keys_due(definition: PartitionsDefinition, due: datetime | None, store: Any) -> Sequence[str]:
    """The partitions that a tick runs: the last that has ended, with each key of other dimensions; else all."""
    windows = _windows_of(definition)
    if windows is None:
        return definition.get_partition_keys(due, store)
    last = windows.get_last_partition_key(due)
    if last is None:
        return ()
    if isinstance(definition, MultiPartitionsDefinition):
        dimension = definition.time_window_dimension.name
        return definition.get_multipartition_keys_with_dimension_value(
            dimension, last, dynamic_partitions_store=store, current_time=due
        )
    return (last,)
