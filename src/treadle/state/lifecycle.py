"""Lifecycles as tables: what state follows which event. Finished is final.

The store's conditional updates and the docs' diagrams are drawn from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping

from treadle.state.events import EventType
from treadle.state.runs import FINISHED, RunStatus

RUN: Mapping[EventType, RunStatus] = {
    EventType.RUN_ENQUEUED: RunStatus.QUEUED,
    EventType.RUN_DEQUEUED: RunStatus.QUEUED,
    EventType.RUN_STARTING: RunStatus.STARTING,
    EventType.RUN_START: RunStatus.STARTED,
    EventType.RUN_SUSPENDED: RunStatus.SUSPENDED,
    EventType.RUN_RESUMED: RunStatus.STARTED,
    EventType.RUN_CANCELING: RunStatus.CANCELING,
    EventType.RUN_SUCCESS: RunStatus.SUCCESS,
    EventType.RUN_FAILURE: RunStatus.FAILURE,
    EventType.RUN_CANCELED: RunStatus.CANCELED,
}


def run_status_after(status: RunStatus, event_type: EventType) -> RunStatus:
    """The status of a run in `status` once an event of `event_type` has happened to it."""
    if status in FINISHED:
        return status
    after = RUN.get(event_type, status)
    if status is RunStatus.CANCELING and after not in FINISHED:
        return status  # an accepted cancel is not taken back by a late start
    return after
