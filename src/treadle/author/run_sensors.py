"""Sensors that are called for each run that reached a status."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from treadle.author.requests import SensorExecutionData, SensorResult, SkipReason, outcome_of
from treadle.author.sensors import DefaultSensorStatus, SensorDefinition, SensorType
from treadle.author.signature import decorator
from treadle.author.tick_contexts import SensorEvaluationContext, TickContext
from treadle.core import tags as tag_names
from treadle.core.told import told
from treadle.errors import DefinitionError, InvocationError
from treadle.state.error_info import error_info
from treadle.state.event_types import Event, EventType
from treadle.state.records import RunStatusChangeRecordsFilter
from treadle.state.runs import Run, RunStatus

_EVENT_OF = {
    RunStatus.QUEUED: EventType.RUN_ENQUEUED,
    RunStatus.STARTING: EventType.RUN_STARTING,
    RunStatus.STARTED: EventType.RUN_START,
    RunStatus.SUCCESS: EventType.RUN_SUCCESS,
    RunStatus.FAILURE: EventType.RUN_FAILURE,
    RunStatus.CANCELING: EventType.RUN_CANCELING,
    RunStatus.CANCELED: EventType.RUN_CANCELED,
}
_MOST_RUNS = 5
"""Runs that one evaluation calls the function for, at most."""
_PAGE = 25
"""Changes of status that one evaluation looks at, at most."""
_ONLY_REPOSITORY = "__repository__"


@dataclass(frozen=True, slots=True)
class CodeLocationSelector:
    """All jobs of a code location, for `monitored_jobs`."""

    location_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySelector:
    """All jobs of a repository, for `monitored_jobs`. A code location has one, which is called `__repository__`."""

    location_name: str
    repository_name: str


@dataclass(frozen=True, slots=True)
class JobSelector:
    """A job of another code location, for `monitored_jobs`.

    Raises:
        InvocationError: no `job_name` is given.
    """

    location_name: str
    repository_name: str | None = None
    job_name: str | None = None

    def __post_init__(self) -> None:
        if self.job_name is None:
            raise InvocationError("JobSelector got no job_name. Write JobSelector(location_name=..., job_name=...).")
        object.__setattr__(self, "repository_name", self.repository_name or _ONLY_REPOSITORY)


_Selector = CodeLocationSelector | RepositorySelector | JobSelector


def _is_of(run: Run, monitored: Any, here: str | None) -> bool:
    """Whether it is a run of what is monitored: a selector, a job, or None for all jobs of the location `here`.

    A run that came from no location is taken for one of the sensor's own, and so is any where `here` is not known.
    """
    repository, _, location = run.tags.get(tag_names.REPOSITORY, _ONLY_REPOSITORY).partition("@")
    location = location or run.location_name
    if isinstance(monitored, _Selector):
        return (
            location == monitored.location_name
            and getattr(monitored, "repository_name", repository) == repository
            and getattr(monitored, "job_name", run.job_name) == run.job_name
        )
    return (monitored is None or monitored.name == run.job_name) and (None in (location, here) or location == here)


class RunStatusSensorContext(TickContext):
    """What the function of a run status sensor is told: which run, and what happened to it."""

    def __init__(
        self,
        sensor_name: str,
        run: Run,
        event: Event,
        instance: Any,
        context: SensorEvaluationContext | None = None,
        resource_defs: Mapping[str, Any] | None = None,
        logger: Any = None,
        partition_key: str | None = None,
        repository_def: Any = None,
    ) -> None:
        given = context._given_resources if resource_defs is None and context is not None else resource_defs
        super().__init__(instance, given, repository_def)
        self.sensor_name = sensor_name
        self.run = run
        self.event = event
        self.partition_key = partition_key
        self.context = context
        if logger is not None:
            self.log = logger

    def for_run_failure(self) -> RunFailureSensorContext:
        """The same, for a run failure sensor."""
        return RunFailureSensorContext(
            self.sensor_name, self.run, self.event, self._instance, self.context, self._given_resources, self.log,
            self.partition_key, self.repository_def,
        )  # fmt: skip


class RunFailureSensorContext(RunStatusSensorContext):
    """What the function of a run failure sensor is told: which run failed, and how."""

    failure_event: Event = told("event", "The event of the run's failure.")

    def get_step_failure_events(self) -> Sequence[Event]:
        """The failures of steps of the run, oldest first."""
        records = self.instance.get_records_for_run(self.run.run_id, of_type=EventType.STEP_FAILURE).records
        return [record.event_log_entry.event for record in records]

    def for_run_failure(self) -> Self:
        """Itself."""
        return self


def build_run_status_sensor_context(
    sensor_name: str,
    event: Event,
    instance: Any,
    run: Run,
    context: SensorEvaluationContext | None = None,
    resources: Mapping[str, object] | None = None,
    partition_key: str | None = None,
    *,
    repository_def: Any = None,
) -> RunStatusSensorContext:
    """A context to call a run status sensor with in a test; `for_run_failure()` makes it one for a failure sensor."""
    return RunStatusSensorContext(
        sensor_name, run, event, instance, context, resources, None, partition_key, repository_def
    )


class RunStatusSensorDefinition(SensorDefinition):
    """A sensor that is called for each run that reaches a status. `run_status_sensor` makes one of a function.

    Args:
        run_status: the status.
        run_status_sensor_fn: called with a `RunStatusSensorContext`.
        monitored_jobs: the jobs whose runs it looks at, as objects or selectors; by default all of its code location.
        monitor_all_code_locations: whether it looks at the runs of every code location.
        request_job, request_jobs: what its run requests start.

    Other arguments as for `SensorDefinition`.

    Raises:
        DefinitionError: no event tells of this status, or both kinds of monitored jobs are given.
    """

    sensor_type = SensorType.RUN_STATUS
    _context_type = RunStatusSensorContext

    def __init__(
        self,
        name: str | None,
        run_status: RunStatus,
        run_status_sensor_fn: Callable[..., Any],
        minimum_interval_seconds: int | None = None,
        description: str | None = None,
        monitored_jobs: Sequence[Any] | None = None,
        monitor_all_code_locations: bool | None = None,
        default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
        request_job: Any = None,
        request_jobs: Sequence[Any] | None = None,
        tags: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        required_resource_keys: set[str] | None = None,
    ) -> None:
        super().__init__(
            name, evaluation_fn=run_status_sensor_fn, minimum_interval_seconds=minimum_interval_seconds,
            description=description, job=request_job, jobs=request_jobs, default_status=default_status,
            required_resource_keys=required_resource_keys, tags=tags, metadata=metadata,
        )  # fmt: skip
        if run_status not in _EVENT_OF:
            known = ", ".join(one.name for one in _EVENT_OF)
            raise DefinitionError(f"{self._what}: no event tells of {run_status!r}. Use one of {known}.")
        if monitored_jobs is not None and monitor_all_code_locations:
            raise DefinitionError(f"{self._what} got monitored_jobs and monitor_all_code_locations. Give one of them.")
        self.run_status = run_status
        self.monitored_jobs = list(monitored_jobs or ())
        for one in self.monitored_jobs:
            if not hasattr(one, "name") and not isinstance(one, _Selector):
                raise DefinitionError(f"{self._what} got {one!r} in monitored_jobs. Give it a job or a selector.")
        self.monitor_all_code_locations = bool(monitor_all_code_locations)

    def evaluate_tick(self, context: SensorEvaluationContext) -> SensorExecutionData:
        """Call the function for runs that reached the status since the cursor; the first evaluation only sets it.

        What it raises for a run, or may not give, is kept in `run_errors`, and the others go on.

        Raises:
            InvariantError: it asks for a run of another job, or moves the cursor.
        """
        event_type, instance = _EVENT_OF[self.run_status], context.instance
        if context.cursor is None:
            last = instance.fetch_run_status_changes(event_type, limit=1).records
            context.update_cursor(json.dumps({"record_id": last[0].storage_id if last else 0}))
            return self._read(context, SkipReason("From now on it looks at runs."))
        position = json.loads(context.cursor)["record_id"]
        names: list[Any] = [getattr(one, "name", None) or getattr(one, "job_name", None) for one in self.monitored_jobs]
        page = instance.fetch_run_status_changes(
            RunStatusChangeRecordsFilter(
                event_type, after_storage_id=position, job_names=names if names and all(names) else None
            ),
            limit=_PAGE, ascending=True,
        )  # fmt: skip
        given, errors, called = [], {}, 0
        for record in page.records:
            if called == _MOST_RUNS:
                break
            position = record.storage_id
            run = instance.get_run_by_id(record.run_id)
            if run is None or not (
                self.monitor_all_code_locations
                or any(_is_of(run, one, context.location_name) for one in self.monitored_jobs or [None])
            ):
                continue
            called += 1
            told = self._context_type(
                self.name, run, record.event_log_entry.event, instance, context, None, context.log,
                run.tags.get(tag_names.PARTITION), context.repository_def,
            )  # fmt: skip
            try:
                given.append(outcome_of(self._what, self._function(told)))
            except Exception as error:  # of one run; the others are still looked at
                errors[run.run_id] = error_info(error)
        context.update_cursor(json.dumps({"record_id": position}))
        return self._read(context, _together(given))._replace(run_errors=errors)


def _together(outcomes: Sequence[SensorResult]) -> SensorResult:
    """What several calls came to, as one. A reason to skip counts where nothing runs."""
    requests = [request for one in outcomes for request in one.run_requests]
    reasons = [one.skip_reason for one in outcomes if one.skip_reason is not None]
    return SensorResult(
        requests,
        reasons[-1] if reasons and not requests else None,
        next((one.cursor for one in outcomes if one.cursor is not None), None),
        [request for one in outcomes for request in one.dynamic_partitions_requests],
        [event for one in outcomes for event in one.asset_events],
    )


class _RunFailureSensor(RunStatusSensorDefinition):
    _context_type = RunFailureSensorContext

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, as tests do; any run status context will do."""
        changed = [one.for_run_failure() if isinstance(one, RunStatusSensorContext) else one for one in args]
        return super().__call__(*changed, **kwargs)


def run_status_sensor(
    run_status: RunStatus,
    name: str | None = None,
    minimum_interval_seconds: int | None = None,
    description: str | None = None,
    monitored_jobs: Sequence[Any] | None = None,
    monitor_all_code_locations: bool | None = None,
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
    request_job: Any = None,
    request_jobs: Sequence[Any] | None = None,
    tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], RunStatusSensorDefinition]:
    """Make a function a sensor that is called for each run that reaches a status, with a `RunStatusSensorContext`.

    Arguments as for `RunStatusSensorDefinition`.
    """
    given = locals()
    return lambda fn: RunStatusSensorDefinition(run_status_sensor_fn=fn, **given)


@decorator("name")
def run_failure_sensor(
    name: str | None = None,
    minimum_interval_seconds: int | None = None,
    description: str | None = None,
    monitored_jobs: Sequence[Any] | None = None,
    monitor_all_code_locations: bool | None = None,
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
    request_job: Any = None,
    request_jobs: Sequence[Any] | None = None,
    tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], RunStatusSensorDefinition]:
    """Make a function a sensor that is called for each run that failed, with a `RunFailureSensorContext`.

    Arguments as for `run_status_sensor`.
    """
    given = locals()
    return lambda fn: _RunFailureSensor(run_status_sensor_fn=fn, run_status=RunStatus.FAILURE, **given)
