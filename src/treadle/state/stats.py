"""What the log of a run amounts to: counts and times, of the run and of each step."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from treadle.state.events import EventLogEntry, EventType
from treadle.state.records import RunStats, StepEventStatus, StepStats

_ENDS = {
    EventType.STEP_SUCCESS: StepEventStatus.SUCCESS,
    EventType.STEP_FAILURE: StepEventStatus.FAILURE,
    EventType.STEP_SKIPPED: StepEventStatus.SKIPPED,
}
_BEGINS = frozenset({EventType.STEP_START, EventType.STEP_RESTARTED})
_FACTS = frozenset({EventType.ASSET_MATERIALIZATION, EventType.STEP_EXPECTATION_RESULT})
_TIMES = {
    EventType.RUN_ENQUEUED: "enqueued_time",
    EventType.RUN_STARTING: "launch_time",
    EventType.RUN_START: "start_time",
    EventType.RUN_SUCCESS: "end_time",
    EventType.RUN_FAILURE: "end_time",
    EventType.RUN_CANCELED: "end_time",
}
OF_STEPS = frozenset(_ENDS) | _BEGINS | _FACTS | {EventType.STEP_UP_FOR_RETRY}
"""The types of events that `of_steps` reads."""


def of_run(run_id: str, entries: Iterable[EventLogEntry]) -> RunStats:
    """Counts over the log of a run, and its times: of each kind the first."""
    times: dict[str, float] = {}
    counts: dict[EventType, int] = {}
    for entry in entries:
        kind = entry.event.event_type
        counts[kind] = counts.get(kind, 0) + 1
        if kind in _TIMES:
            times.setdefault(_TIMES[kind], entry.timestamp)
    return RunStats(
        run_id=run_id,
        steps_succeeded=counts.get(EventType.STEP_SUCCESS, 0),
        steps_failed=counts.get(EventType.STEP_FAILURE, 0),
        materializations=counts.get(EventType.ASSET_MATERIALIZATION, 0),
        expectations=counts.get(EventType.STEP_EXPECTATION_RESULT, 0),
        **times,
    )


def of_steps(
    run_id: str, entries: Iterable[EventLogEntry], step_keys: Collection[str] | None = None
) -> Sequence[StepStats]:
    """How each step went (only those of `step_keys`, if given), in the order of their first events."""
    steps: dict[str, StepStats] = {}
    for entry in entries:
        key, kind = entry.step_key, entry.event.event_type
        if key is None or kind not in OF_STEPS or (step_keys is not None and key not in step_keys):
            continue
        step = steps.get(key) or StepStats(run_id=run_id, step_key=key)
        if kind in _BEGINS:
            begun = entry.timestamp if step.start_time is None else step.start_time
            step = msgspec.structs.replace(
                step, status=StepEventStatus.IN_PROGRESS, start_time=begun, end_time=None, attempts=step.attempts + 1
            )
        elif kind is EventType.STEP_UP_FOR_RETRY:
            step = msgspec.structs.replace(step, status=StepEventStatus.IN_PROGRESS)
        elif kind in _ENDS:
            step = msgspec.structs.replace(step, status=_ENDS[kind], end_time=entry.timestamp)
        elif kind is EventType.ASSET_MATERIALIZATION:
            step = msgspec.structs.replace(step, materializations=step.materializations + 1)
        steps[key] = step
    return list(steps.values())
