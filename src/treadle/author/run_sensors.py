"""Sensors that are called for each run that reached a status."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, overload

from treadle.author.requests import RunRequest, SensorResult, SkipReason
from treadle.author.sensors import DefaultSensorStatus, SensorDefinition, SensorType
from treadle.author.signature import docstring
from treadle.author.tick_contexts import SensorEvaluationContext, TickContext
from treadle.core import tags as tag_names
from treadle.errors import DefinitionError, InvariantError, InvocationError
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
"""Runs that one evaluation looks at, at most."""


class RunStatusSensorContext(TickContext):
    """What the function of a run status sensor is told: which run, and what happened to it."""

    def __init__(
        self,
        sensor_name: str,
        dagster_run: Run,
        dagster_event: Event,
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
        self.run = dagster_run
        self.event = dagster_event
        self.partition_key = partition_key
        self.context = context
        if logger is not None:
            self.log = logger

    dagster_run = property(lambda self: self.run)
    dagster_event = property(lambda self: self.event)

    def for_run_failure(self) -> RunFailureSensorContext:
        """The same, for a run failure sensor."""
        return RunFailureSensorContext(
            self.sensor_name, self.run, self.event, self._instance, self.context, self._given_resources, self.log,
            self.partition_key, self._definitions,
        )  # fmt: skip


class RunFailureSensorContext(RunStatusSensorContext):
    """What the function of a run failure sensor is told: which run failed, and how."""

    @property
    def failure_event(self) -> Event:
        """The event of the run's failure."""
        return self.event

    def get_step_failure_events(self) -> Sequence[Event]:
        """The failures of steps of the run, oldest first."""
        records = self.instance.get_records_for_run(self.run.run_id, of_type=EventType.STEP_FAILURE).records
        return [record.event_log_entry.event for record in records]

    def for_run_failure(self) -> Self:
        """Itself."""
        return self


def build_run_status_sensor_context(
    sensor_name: str,
    dagster_event: Event,
    dagster_instance: Any,
    dagster_run: Run,
    context: SensorEvaluationContext | None = None,
    resources: Mapping[str, object] | None = None,
    partition_key: str | None = None,
    *,
    repository_def: Any = None,
) -> RunStatusSensorContext:
    """A context to call a run status sensor with in a test; `for_run_failure()` makes it one for a failure sensor."""
    return RunStatusSensorContext(
        sensor_name, dagster_run, dagster_event, dagster_instance, context, resources, None, partition_key,
        repository_def,
    )  # fmt: skip


class RunStatusSensorDefinition(SensorDefinition):
    """A sensor that is called for each run that reaches a status. `run_status_sensor` makes one of a function.

    Args:
        run_status: the status.
        run_status_sensor_fn: called with a `RunStatusSensorContext`.
        monitored_jobs: the jobs whose runs it looks at; by default all of the code location.
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
        name: str,
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
        self.monitor_all_code_locations = bool(monitor_all_code_locations)

    def _evaluate(self, context: SensorEvaluationContext) -> Any:
        """Call the function for runs that reached the status since the cursor; the first evaluation only sets it."""
        event_type, instance = _EVENT_OF[self.run_status], context.instance
        if context.cursor is None:
            last = instance.fetch_run_status_changes(event_type, limit=1).records
            context.update_cursor(json.dumps({"record_id": last[0].storage_id if last else 0}))
            return SkipReason("From now on it looks at runs.")
        position = json.loads(context.cursor)["record_id"]
        names = [one.name for one in self.monitored_jobs if getattr(one, "name", None)]
        page = instance.fetch_run_status_changes(
            RunStatusChangeRecordsFilter(event_type, after_storage_id=position, job_names=names or None),
            limit=_MOST_RUNS, ascending=True,
        )  # fmt: skip
        requests: list[RunRequest] = []
        skips: list[SkipReason] = []
        for record in page.records:
            position = record.storage_id
            run = instance.get_run_by_id(record.run_id)
            if run is not None and run.tags.get(tag_names.SENSOR_NAME) != self.name:
                made = self._for_run(context, run, record.event_log_entry.event)
                requests += made[0]
                skips += made[1]
        context.update_cursor(json.dumps({"record_id": position}))
        return requests or skips[-1:]

    def _for_run(
        self, context: SensorEvaluationContext, run: Run, event: Event
    ) -> tuple[list[RunRequest], list[SkipReason]]:
        made = self._context_type(
            self.name, run, event, context.instance, context, None, context.log, run.tags.get(tag_names.PARTITION),
            context.repository_def,
        )  # fmt: skip
        given = self._function(made)
        if given is None:
            return [], []
        items = list(given) if not isinstance(given, RunRequest | SkipReason | SensorResult) else [given]
        if items and isinstance(items[0], SensorResult):
            whole = items[0]
            if whole.cursor is not None:
                raise InvariantError(f"{self._what} keeps the cursor itself. Leave cursor out of the SensorResult.")
            items = [*(whole.run_requests or ()), *([whole.skip_reason] if whole.skip_reason else [])]
        runs = [one for one in items if isinstance(one, RunRequest)]
        skips = [one for one in items if isinstance(one, SkipReason)]
        if len(runs) + len(skips) != len(items):
            raise InvariantError(f"{self._what} gave {items!r:.200}. It may give run requests or a SkipReason.")
        return runs, skips


class _RunFailureSensor(RunStatusSensorDefinition):
    _context_type = RunFailureSensorContext

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, as tests do; any run status context will do."""
        changed = [one.for_run_failure() if isinstance(one, RunStatusSensorContext) else one for one in args]
        return super().__call__(*changed, **kwargs)


def _jobs_wanted(
    monitored_jobs: Sequence[Any] | None, job_selection: Sequence[Any] | None, everywhere: bool | None, old: bool | None
) -> dict[str, Any]:
    """The two pairs of arguments that have an old name each."""
    if monitored_jobs is not None and job_selection is not None:
        raise InvocationError("job_selection is the old name of monitored_jobs. Give only the latter.")
    return {
        "monitored_jobs": monitored_jobs if monitored_jobs is not None else job_selection,
        "monitor_all_code_locations": everywhere if everywhere is not None else old,
    }


def run_status_sensor(
    run_status: RunStatus,
    name: str | None = None,
    minimum_interval_seconds: int | None = None,
    description: str | None = None,
    monitored_jobs: Sequence[Any] | None = None,
    job_selection: Sequence[Any] | None = None,
    monitor_all_code_locations: bool | None = None,
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
    request_job: Any = None,
    request_jobs: Sequence[Any] | None = None,
    monitor_all_repositories: bool | None = None,
    tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], RunStatusSensorDefinition]:
    """Make a function a sensor that is called for each run that reaches a status, with a `RunStatusSensorContext`.

    `job_selection` and `monitor_all_repositories` are old names of `monitored_jobs` and `monitor_all_code_locations`.
    Other arguments as for `RunStatusSensorDefinition`.
    """
    wanted = _jobs_wanted(monitored_jobs, job_selection, monitor_all_code_locations, monitor_all_repositories)

    def make(fn: Callable[..., Any]) -> RunStatusSensorDefinition:
        return RunStatusSensorDefinition(
            name or fn.__name__, run_status, fn, minimum_interval_seconds, description or docstring(fn),
            default_status=default_status, request_job=request_job, request_jobs=request_jobs, tags=tags,
            metadata=metadata, **wanted,
        )  # fmt: skip

    return make


@overload
def run_failure_sensor(name: Callable[..., Any]) -> SensorDefinition: ...
@overload
def run_failure_sensor(
    name: str | None = None, minimum_interval_seconds: int | None = None, description: str | None = None,
    monitored_jobs: Sequence[Any] | None = None, job_selection: Sequence[Any] | None = None,
    monitor_all_code_locations: bool | None = None,
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED, request_job: Any = None,
    request_jobs: Sequence[Any] | None = None, monitor_all_repositories: bool | None = None,
    tags: Mapping[str, str] | None = None, metadata: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], SensorDefinition]: ...  # fmt: skip
def run_failure_sensor(
    name: Callable[..., Any] | str | None = None,
    minimum_interval_seconds: int | None = None,
    description: str | None = None,
    monitored_jobs: Sequence[Any] | None = None,
    job_selection: Sequence[Any] | None = None,
    monitor_all_code_locations: bool | None = None,
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
    request_job: Any = None,
    request_jobs: Sequence[Any] | None = None,
    monitor_all_repositories: bool | None = None,
    tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Any:
    """Make a function a sensor that is called for each run that failed, with a `RunFailureSensorContext`.

    Arguments as for `run_status_sensor`.
    """
    wanted = _jobs_wanted(monitored_jobs, job_selection, monitor_all_code_locations, monitor_all_repositories)

    def make(fn: Callable[..., Any]) -> SensorDefinition:
        return _RunFailureSensor(
            fn.__name__ if callable(name) or name is None else name, RunStatus.FAILURE, fn, minimum_interval_seconds,
            description or docstring(fn), default_status=default_status, request_job=request_job,
            request_jobs=request_jobs, tags=tags, metadata=metadata, **wanted,
        )  # fmt: skip

    return make(name) if callable(name) else make
