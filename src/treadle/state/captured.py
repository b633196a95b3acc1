"""Which part of the captured output of a process belongs to a step: from where the files stood when it began."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from treadle.state.events import (
    Event,
    EventLogEntry,
    LogsCaptured,
    StepFailed,
    StepRestarted,
    StepStarted,
    StepSucceeded,
    StepUpForRetry,
)


class Span(msgspec.Struct, frozen=True):
    """What one attempt of a step wrote.

    Attributes:
        log_key: the captured log that holds it.
        start: bytes of stdout and stderr before it.
        end: bytes of stdout and stderr at its end; None while it runs.
    """

    log_key: tuple[str, ...]
    start: tuple[int, int]
    end: tuple[int, int] | None = None


def spans(entries: Iterable[EventLogEntry], step_key: str) -> list[Span]:
    """The parts of a run's captured logs that belong to a step, one for each attempt."""
    found: list[Span] = []
    log_key: tuple[str, ...] = ()
    known = {step_key, step_key.partition("[")[0]}
    for entry in entries:
        event: Event = entry.event
        if isinstance(event, LogsCaptured):
            if not event.step_keys or not known.isdisjoint(
                event.step_keys
            ):  # steps that run at once have each their own
                log_key = event.log_key
        elif event.step_key != step_key:
            continue
        elif isinstance(event, StepStarted | StepRestarted) and event.captured is not None:
            found.append(Span(log_key, event.captured))
        elif isinstance(event, StepSucceeded | StepFailed | StepUpForRetry) and found and found[-1].end is None:
            found[-1] = Span(found[-1].log_key, found[-1].start, event.captured)
    return found
