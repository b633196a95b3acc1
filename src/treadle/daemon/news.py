"""What has become of runs, for people who watch: each start and each end once, and why a run failed, in a line."""

from __future__ import annotations

import msgspec

from treadle.errors import StepExecutionError
from treadle.host.instance import Instance
from treadle.state.error_info import ErrorInfo
from treadle.state.events import EventType, RunFailed, StepFailed
from treadle.state.runs import RunRecord, RunsFilter

_WORDS = {
    EventType.RUN_START: "started", EventType.RUN_SUCCESS: "succeeded", EventType.RUN_FAILURE: "failed",
    EventType.RUN_CANCELED: "canceled",
}  # fmt: skip
_FAILURES = frozenset({EventType.STEP_FAILURE, EventType.RUN_FAILURE})
_AT_ONCE = 1000
_WIDTH = 200


class Change(msgspec.Struct, frozen=True):
    """What has happened to a run: `word` is started, succeeded, failed or canceled.

    Attributes:
        at: when, in seconds since the epoch.
        took_s: how long the run took, if it has ended, in seconds.
        why: why it failed, if it did.
    """

    at: float
    word: str
    record: RunRecord
    took_s: float | None = None
    why: str = ""


class News:
    """Reads what happens to the runs of a home from now on. To ask costs one look into an index."""

    def __init__(self, instance: Instance) -> None:
        self._store, self._instance = instance.store, instance
        self._seen = self._store.events.last_number()

    def read(self) -> list[Change]:
        """What has happened since the last call, in its order."""
        found = self._store.events.find(of_type=_WORDS, after=self._seen, limit=_AT_ONCE, ascending=True)
        if not found:
            return []
        self._seen = found[-1].storage_id
        ids = list({one.event_log_entry.run_id for one in found})
        records = {one.run.run_id: one for one in self._store.runs.records(RunsFilter(run_ids=ids))}
        changes: list[Change] = []
        for entry in (one.event_log_entry for one in found):
            record, word = records.get(entry.run_id), _WORDS[entry.event.event_type]
            if record is not None:  # or it has been deleted since
                why = why_failed(self._instance, entry.run_id) if word == "failed" else ""
                changes.append(
                    Change(entry.timestamp, word, record, took_s(record) if word != "started" else None, why)
                )
        return changes


def took_s(record: RunRecord) -> float | None:
    """How long a run took, in seconds; None if it has not ended, or never began."""
    if record.start_time is None or record.end_time is None:
        return None
    return record.end_time - record.start_time


def why_failed(instance: Instance, run_id: str) -> str:
    """Why a run failed, in a line; empty if nothing says so."""
    steps, why = list[str](), ""
    for entry in instance.all_logs(run_id, of_type=_FAILURES):
        event = entry.event
        if isinstance(event, StepFailed):
            steps.append(event.step_key)
            why = why or _line(event.error) or event.description or ""
        elif isinstance(event, RunFailed) and not steps:
            return _line(event.error)
    more = f" (and {len(steps) - 1:,} more)" if len(steps) > 1 else ""
    return f"step {steps[0]}{more}" + (f": {why}" if why else "") if steps else ""


def _line(error: ErrorInfo | None) -> str:
    if error is None:
        return ""
    if error.cls_name == StepExecutionError.__name__ and error.cause is not None:
        error = error.cause
    text = " ".join(error.message.split())
    if text.startswith("treadle.errors."):
        text = text.partition(": ")[2] or text
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
