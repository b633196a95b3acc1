"""Attributes that users know under an older name, attached to Treadle's classes before anything runs.

Treadle's events carry their data themselves; users know it in an `event_specific_data`. Here the event stands in for
its own data, so that `event.step_materialization_data.materialization` is `event.materialization`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from treadle.author.contexts import AssetExecutionContext, OpExecutionContext
from treadle.author.results import ExecutionResult
from treadle.state import events
from treadle.state.events import Event, EventLogEntry, EventType, LogMessage
from treadle.state.runs import RunRecord


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


def _is(event_type: EventType) -> Callable[[Any], bool]:
    return lambda event: event.event_type is event_type


for _name, _kind in _DATA_OF.items():
    _attach(Event, _name, _data(_kind), f"The data of a {_kind.event_type.name} event.")
_attach(Event, "event_specific_data", lambda event: event, "What is particular to the kind of this event.")
_attach(
    Event,
    "asset_check_evaluation_data",
    lambda event: _data(events.AssetCheckEvaluated)(event).evaluation,
    "The outcome.",
)
_attach(Event, "is_expectation_result", _is(EventType.STEP_EXPECTATION_RESULT), "Whether an expectation was reported.")
_attach(
    Event, "is_job_event", lambda event: event.event_type.value.startswith("PIPELINE_"), "Whether it is about the run."
)
_attach(Event, "node_name", _node_name, "The name of the op whose step it belongs to.")
_attach(Event, "job_name", lambda event: "", "The job, where the event names it.")
_attach(Event, "pid", lambda event: None, "The process that wrote it, where the event names it.")
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

_attach(RunRecord, "dagster_run", _own("run"), "The run.")
_attach(ExecutionResult, "dagster_run", _own("run"), "The run, in its final state.")


_attach(OpExecutionContext, "op", _own("op_def"), "The op.")
_attach(OpExecutionContext, "dagster_run", _own("run"), "The run.")
_attach(OpExecutionContext, "op_handle", lambda context: context.op_def.name, "The op's place in its job.")
_attach(
    AssetExecutionContext,
    "is_subset",
    lambda context: set(context.selected_asset_keys) != set(context.assets_def.keys),
    "Whether only some of the function's assets are to be made.",
)
