"""Attributes that users know under an older name, attached to Treadle's classes before anything runs.

Treadle's events carry their data themselves; users know it in an `event_specific_data`. Here the event stands in for
its own data, so that `event.step_materialization_data.materialization` is `event.materialization`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import dagster._old_members  # noqa: F401  what it attaches is in place wherever something runs
from treadle.author import port
from treadle.author.contexts import AssetExecutionContext, OpExecutionContext
from treadle.author.results import ExecutionResult
from treadle.state import events
from treadle.state.event_types import Event, EventType
from treadle.state.events import EventLogEntry, LogMessage
from treadle.state.records import AssetEntry, EventLogRecord, EventRecordsFilter
from treadle.state.runs import Run, RunRecord


def _attach(owner: type, name: str, get: Callable[[Any], Any], doc: str) -> None:
    if name not in owner.__dict__:
        setattr(owner, name, property(get, doc=doc))


def _data(kind: type[Event]) -> Callable[[Any], Any]:
    """A getter of the data of events of one kind. Asking it of another event is a mistake, as it is in Dagster."""

    def get(event: Any) -> Any:
        if not isinstance(event, kind):
            raise AttributeError(f"A {event.event_type.name} event has no data of a {kind.event_type.name} event.")
        return event

    return get


_DATA_OF: dict[str, type[Event]] = {
    "asset_check_planned_data": events.AssetCheckEvaluationPlanned,
    "asset_materialization_planned_data": events.AssetMaterializationPlanned,
    "asset_observation_data": events.AssetObserved,
    "engine_event_data": events.EngineEvent,
    "handled_output_data": events.HandledOutput,
    "hook_completed_data": events.HookCompleted,
    "hook_errored_data": events.HookErrored,
    "hook_skipped_data": events.HookSkipped,
    "job_failure_data": events.RunFailed,
    "loaded_input_data": events.LoadedInput,
    "logs_captured_data": events.LogsCaptured,
    "step_failure_data": events.StepFailed,
    "step_expectation_result_data": events.ExpectationReported,
    "step_input_data": events.StepInput,
    "step_materialization_data": events.AssetMaterialized,
    "step_output_data": events.StepOutput,
    "step_retry_data": events.StepUpForRetry,
    "step_skipped_data": events.StepSkipped,
    "step_success_data": events.StepSucceeded,
}


def _own(name: str) -> Callable[[Any], Any]:
    return lambda owner: getattr(owner, name)


def _dagster_event(entry: EventLogEntry) -> Event | None:
    return None if type(entry.event) is LogMessage else entry.event


def _get_dagster_event(entry: EventLogEntry) -> Event:
    """The event of this line. A line that user code logged has none."""
    event = _dagster_event(entry)
    if event is None:
        raise AttributeError("This line was logged by user code: it has no event.")
    return event


def _node_name(event: Event) -> str | None:
    return event.step_key.split("[", 1)[0].rsplit(".", 1)[-1] if event.step_key else None


class NodeHandle(NamedTuple):
    """The place of an op in its job: its name, and the place of the graph around it."""

    name: str
    parent: NodeHandle | None = None

    @property
    def path(self) -> Sequence[str]:
        """The names from the outermost graph to the op."""
        return [*(self.parent.path if self.parent else ()), self.name]

    def __str__(self) -> str:
        return ".".join(self.path)


class StepHandle(NamedTuple):
    """The place of a step: that of its op, and its key."""

    node_handle: NodeHandle
    key: str

    def to_key(self) -> str:
        """Its key."""
        return self.key


class RemoteJobOrigin(NamedTuple):
    """The code location that a job comes from. It stands for its repository and the location, too."""

    job_name: str
    location_name: str
    repository_name: str = "__repository__"

    @property
    def repository_origin(self) -> RemoteJobOrigin:
        """Its repository."""
        return self

    @property
    def code_location_origin(self) -> RemoteJobOrigin:
        """Its code location."""
        return self


def _node_handle(event: Event) -> NodeHandle | None:
    handle = None
    for name in event.step_key.split("[", 1)[0].split(".") if event.step_key else ():
        handle = NodeHandle(name, handle)
    return handle


def _step_handle(event: Event) -> StepHandle | None:
    handle = _node_handle(event)
    return StepHandle(handle, event.step_key) if handle is not None and event.step_key else None


def _origin(run: Run) -> RemoteJobOrigin | None:
    return RemoteJobOrigin(run.job_name, run.location_name) if run.location_name else None


def _debugger(context: OpExecutionContext) -> Any:
    """A debugger on the terminal, though the run captures what is printed."""
    pdb = import_module("pdb")
    try:
        return pdb.Pdb(stdin=open("/dev/tty"), stdout=open("/dev/tty", "w"))
    except OSError:
        return pdb.Pdb()


for _name, _kind in _DATA_OF.items():
    _attach(Event, _name, _data(_kind), f"The data of a {_kind.event_type.name} event.")
_attach(Event, "event_specific_data", lambda event: event, "What is particular to the kind of this event.")
_attach(
    Event,
    "asset_check_evaluation_data",
    lambda event: _data(events.AssetCheckEvaluated)(event).evaluation,
    "The outcome.",
)
_attach(
    Event, "is_job_event", lambda event: event.event_type.value.startswith("PIPELINE_"), "Whether it is about the run."
)
_attach(Event, "node_name", _node_name, "The name of the op whose step it belongs to.")
_attach(Event, "job_name", lambda event: "", "The job, where the event names it.")
_attach(Event, "pid", lambda event: None, "The process that wrote it, where the event names it.")
_attach(Event, "node_handle", _node_handle, "The place of the op whose step it belongs to.")
_attach(Event, "step_handle", _step_handle, "The place of the step that it belongs to.")
_attach(Event, "step_kind_value", lambda event: "COMPUTE" if event.step_key else None, "What its step does.")
_attach(events.LogsCaptured, "file_key", lambda event: event.log_key[-1], "The name of the files.")
_attach(events.AssetObserved, "asset_observation", _own("observation"), "What was observed.")
_attach(
    events.StepFailed, "user_failure_data", lambda e: e if e.description or e.metadata else None, "What `Failure` said."
)
_attach(
    events.StepFailed,
    "label",
    lambda event: "intentional-failure",
    "The word for a failure that was raised on purpose.",
)
_attach(events.RunFailed, "first_step_failure_event", lambda event: None, "Not kept: see the STEP_FAILURE events.")

_attach(EventLogEntry, "dagster_event", _dagster_event, "The event; None for a line that user code logged.")
_attach(
    EventLogEntry, "is_dagster_event", lambda entry: _dagster_event(entry) is not None, "Whether it holds an event."
)
_attach(
    EventLogEntry,
    "dagster_event_type",
    lambda entry: e.event_type if (e := _dagster_event(entry)) else None,
    "Its kind.",
)
_attach(EventLogEntry, "job_name", lambda entry: entry.event.job_name or None, "The job, where the event names it.")
EventLogEntry.get_dagster_event = _get_dagster_event  # pyright: ignore[reportAttributeAccessIssue]


def _take_cursors(wanted: EventRecordsFilter) -> None:
    """A filter may name a place in the log by a `RunShardedEventsCursor`: its number counts."""
    for name in ("after_cursor", "before_cursor"):
        cursor = getattr(wanted, name)
        object.__setattr__(wanted, name, getattr(cursor, "id", cursor))
    _check_filter(wanted)


_check_filter = EventRecordsFilter.__post_init__
EventRecordsFilter.__post_init__ = _take_cursors  # pyright: ignore[reportAttributeAccessIssue]

for _name in EventType.__members__:
    if _name.startswith("RUN_") and EventType[_name].value.startswith("PIPELINE_"):
        setattr(EventType, f"PIPELINE_{_name[4:]}", EventType[_name])

for _name in ("execution_plan_snapshot_id", "job_code_origin", "job_snapshot_id", "partitions_subset",
              "resolved_op_selection", "run_op_concurrency"):  # fmt: skip
    _attach(Run, _name, lambda run: None, "Runs keep what they were asked for, and no copies of definitions: None.")
_attach(Run, "has_repository_load_data", lambda run: False, "As no run keeps a copy of definitions: False.")
_attach(Run, "remote_job_origin", _origin, "Where its job comes from, if it comes from a code location.")
_attach(
    AssetEntry,
    "last_observation_storage_id",
    lambda entry: entry.last_observation_record and entry.last_observation_record.storage_id,
    "The number of the latest observation in the log.",
)
_attach(EventLogRecord, "event_type", lambda record: record.event_log_entry.event.event_type, "Its kind.")
_attach(RunRecord, "dagster_run", _own("run"), "The run.")
_attach(ExecutionResult, "dagster_run", _own("run"), "The run, in its final state.")


ExecutionResult.expectation_results_for_node = lambda self, node_name: [  # pyright: ignore[reportAttributeAccessIssue]
    event.expectation_result for event in self.events_for_node(node_name) if event.is_expectation_result
]


def _load_asset_value(context: OpExecutionContext, asset_key: Any, **how: Any) -> Any:
    """The stored value of an asset, read through its IO manager."""
    job = context.job_def
    assets = job.layer.by_key if job.layer is not None else {}
    with port.call("asset_value_loader")(assets, context.instance, job.resource_defs) as loader:
        return loader.load_asset_value(asset_key, **how)


OpExecutionContext.load_asset_value = _load_asset_value  # pyright: ignore[reportAttributeAccessIssue]
_attach(OpExecutionContext, "op", _own("op_def"), "The op.")
_attach(OpExecutionContext, "op_execution_context", lambda context: context, "Itself.")
_attach(OpExecutionContext, "pdb", _debugger, "A debugger: `context.pdb.set_trace()`.")
_attach(OpExecutionContext, "dagster_run", _own("run"), "The run.")
_attach(OpExecutionContext, "op_handle", lambda context: context.op_def.name, "The op's place in its job.")
_attach(
    AssetExecutionContext,
    "is_subset",
    lambda context: set(context.selected_asset_keys) != set(context.assets_def.keys),
    "Whether only some of the function's assets are to be made.",
)
