"""The numbers that stand for types of events in the table of events. A number, once given, keeps its meaning for ever.

Run events are below 20: an index covers exactly them. 0 is a type that this version does not know; its name is in
the body.
"""

from __future__ import annotations

from collections.abc import Mapping

from treadle.state.events import Event, EventType, Unknown

UNKNOWN = 0
CODES: Mapping[EventType, int] = {
    EventType.RUN_ENQUEUED: 1,
    EventType.RUN_DEQUEUED: 2,
    EventType.RUN_STARTING: 3,
    EventType.RUN_START: 4,
    EventType.RUN_SUCCESS: 5,
    EventType.RUN_FAILURE: 6,
    EventType.RUN_CANCELING: 7,
    EventType.RUN_CANCELED: 8,
    EventType.RUN_SUSPENDED: 9,
    EventType.RUN_RESUMED: 10,
    EventType.ENGINE_EVENT: 20,
    EventType.RESOURCE_INIT_STARTED: 21,
    EventType.RESOURCE_INIT_SUCCESS: 22,
    EventType.RESOURCE_INIT_FAILURE: 23,
    EventType.LOGS_CAPTURED: 24,
    EventType.STEP_WORKER_STARTING: 30,
    EventType.STEP_WORKER_STARTED: 31,
    EventType.STEP_START: 32,
    EventType.STEP_RESTARTED: 33,
    EventType.STEP_UP_FOR_RETRY: 34,
    EventType.STEP_SUCCESS: 35,
    EventType.STEP_FAILURE: 36,
    EventType.STEP_SKIPPED: 37,
    EventType.STEP_INPUT: 38,
    EventType.STEP_OUTPUT: 39,
    EventType.LOADED_INPUT: 40,
    EventType.HANDLED_OUTPUT: 41,
    EventType.STEP_EXPECTATION_RESULT: 42,
    EventType.HOOK_COMPLETED: 43,
    EventType.HOOK_ERRORED: 44,
    EventType.HOOK_SKIPPED: 45,
    EventType.ASSET_MATERIALIZATION_PLANNED: 60,
    EventType.ASSET_MATERIALIZATION: 61,
    EventType.ASSET_OBSERVATION: 62,
    EventType.ASSET_FAILED_TO_MATERIALIZE: 63,
    EventType.ASSET_CHECK_EVALUATION_PLANNED: 64,
    EventType.ASSET_CHECK_EVALUATION: 65,
    EventType.ASSET_WIPED: 66,
    EventType.ASSET_HEALTH_CHANGED: 67,
    EventType.FRESHNESS_STATE_EVALUATION: 68,
    EventType.FRESHNESS_STATE_CHANGE: 69,
    EventType.CODE_LOCATION_UPDATED: 70,
    EventType.LOG_MESSAGE: 80,
    EventType.ALERT_START: 81,
    EventType.ALERT_SUCCESS: 82,
    EventType.ALERT_FAILURE: 83,
    EventType.OBJECT_STORE_OPERATION: 84,
    EventType.ASSET_STORE_OPERATION: 85,
}


EMPTIED = 99
"""A row whose event was deleted; it stays because it has the highest number."""

_BY_CLASS: dict[type[Event], int] = {Unknown: UNKNOWN}  # hashing a class is quicker than hashing a member of an enum


def code_of(event: Event) -> int:
    """The number for the type of `event`."""
    code = _BY_CLASS.get(type(event))
    if code is None:
        code = _BY_CLASS[type(event)] = CODES[event.event_type]
    return code
