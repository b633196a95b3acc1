"""What is shown of a run while it runs: one line an event, told by a listener.

`Lines` writes plain lines, for pipes and files. On a terminal `cli.live` puts the same lines above a live view of what
runs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TextIO

import msgspec

from treadle.cli import failure, output, report
from treadle.core.keys import IMPLICIT_JOB
from treadle.state import events
from treadle.state.events import Event, EventLogEntry

INFO = 20
_LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}
_LEVEL_COLOURS = {10: "dim", 20: "", 30: "yellow", 40: "red", 50: "red"}


class Line(msgspec.Struct, frozen=True):
    """A line to show: whose (a step, or the run), what, in which colour, and text below it."""

    who: str
    text: str
    colour: str = ""
    below: str = ""


def describe(event: Event, run_id: str, verbose: bool = False) -> Line | None:
    """The line that shows an event; None for events that only `verbose` shows."""
    make = _SHOWN.get(type(event))
    line = make(event) if make is not None else None
    if line is None and verbose and not isinstance(event, events.LogMessage):
        line = Line(event.step_key or "", event.message, "dim")
    elif line is None and verbose:
        line = _logged(event, 0)
    if line is not None and not line.who:
        line = Line(f"run {run_id[:8]}", line.text, line.colour, line.below)
    return line


def _logged(event: Event, least: int = INFO) -> Line | None:
    if not isinstance(event, events.LogMessage) or event.log_level < least:
        return None
    level = _LEVELS.get(event.log_level, str(event.log_level))
    below = failure.traceback_text(event.error) if event.error is not None else ""
    return Line(event.step_key or "", f"{level}: {event.text}", _LEVEL_COLOURS.get(event.log_level, ""), below)


def _failed(event: events.StepFailed) -> Line:
    if event.error_source is events.ErrorSource.INTERRUPT:
        return Line(event.step_key, "stopped", "yellow")
    said = f": {event.description}" if event.description else ""
    below = failure.traceback_text(event.error) if event.error is not None else ""
    if event.metadata:
        below += "\n" + report.metadata_text(event.metadata)
    return Line(event.step_key, f"failed{said}", "red", below)


def _retry(event: events.StepUpForRetry) -> Line:
    wait = f" in {event.seconds_to_wait:g}s" if event.seconds_to_wait else ""
    why = f": {failure.sentence(event.error)}" if event.error is not None else ""
    return Line(event.step_key, f"failed, and is tried again{wait}{why}", "yellow")


def _made(event: events.AssetMaterialized) -> Line:
    made = event.materialization
    facts = report.brief_metadata(made.metadata)
    return Line(event.step_key or "", f"materialized {report.key_text(made)}" + (f"  {facts}" if facts else ""))


def _checked(event: events.AssetCheckEvaluated) -> Line:
    passed = event.evaluation.passed
    colour = "green" if passed else ("red" if event.evaluation.severity.value == "ERROR" else "yellow")
    return Line(event.step_key or "", report.check_text(event.evaluation), colour)


def _run_failed(event: events.RunFailed) -> Line:
    if event.error is not None and not event.failed_steps:
        return Line("", "failed", "red", failure.traceback_text(event.error))
    return Line("", f"failed: {', '.join(event.failed_steps)}" if event.failed_steps else "failed", "red")


def _with_error(text: str) -> Callable[[Event], Line | None]:
    def make(event: Event) -> Line | None:
        error = getattr(event, "error", None)
        if error is None:
            return None
        return Line(event.step_key or "", text or event.message, "red", failure.traceback_text(error))

    return make


_SHOWN: dict[type, Callable[..., Line | None]] = {
    events.RunStarted: lambda event: Line(
        "", "started" + (f": {event.job_name}" if event.job_name != IMPLICIT_JOB else "")
    ),
    events.RunSucceeded: lambda _: Line("", "succeeded", "green"),
    events.RunFailed: _run_failed,
    events.RunCanceled: lambda _: Line("", "canceled", "yellow"),
    events.EngineEvent: _with_error(""),
    events.ResourceInitFailed: _with_error("resources could not be set up"),
    events.StepStarted: lambda event: Line(event.step_key, "started", "dim"),
    events.StepRestarted: lambda event: Line(event.step_key, f"started again, attempt {event.attempt}", "dim"),
    events.StepSucceeded: lambda event: Line(
        event.step_key, f"done in {events.format_duration(event.duration_ms)}", "green"
    ),
    events.StepFailed: _failed,
    events.StepUpForRetry: _retry,
    events.StepSkipped: lambda event: Line(
        event.step_key, "skipped" + (f": no {', '.join(event.missing)}" if event.missing else ""), "yellow"
    ),
    events.AssetMaterialized: _made,
    events.AssetObserved: lambda event: Line(event.step_key or "", f"observed {event.asset_key.to_user_string()}"),
    events.AssetCheckEvaluated: _checked,
    events.HookErrored: _with_error(""),
    events.LogMessage: _logged,
}


def clock(timestamp: float) -> str:
    """The time of day, local, to the second."""
    return datetime.fromtimestamp(timestamp).strftime("%H:%M:%S")


class Telling:
    """Turns events into lines. The partitions that a step makes of one asset become one line.

    Args:
        verbose: a line for every event.
    """

    def __init__(self, verbose: bool = False) -> None:
        self._verbose = verbose
        self._partitions: list[tuple[float, events.AssetMaterialized]] = []

    def lines(self, entry: EventLogEntry) -> list[tuple[float, Line]]:
        """The lines to show now, each with its time."""
        event = entry.event
        if isinstance(event, events.AssetMaterialized) and event.partition is not None and not self._verbose:
            held = self._partitions
            same = held and (held[0][1].asset_key, held[0][1].step_key) == (event.asset_key, event.step_key)
            told = [] if same else self._told()
            self._partitions.append((entry.timestamp, event))
            return told
        told = self._told()
        line = describe(event, entry.run_id, self._verbose)
        return told if line is None else [*told, (entry.timestamp, line)]

    def _told(self) -> list[tuple[float, Line]]:
        held, self._partitions = self._partitions, []
        if not held:
            return []
        line = _made(held[0][1])
        if len(held) > 1:
            line = Line(line.who, f"materialized {report.partitions_text([one.materialization for _, one in held])}")
        return [(held[0][0], line)]


class Lines:
    """Writes one plain line an event to `stream`, at once. A run goes on when nobody reads any longer."""

    def __init__(self, stream: TextIO, verbose: bool = False) -> None:
        self._stream = stream
        self._telling = Telling(verbose)
        self._is_read = True

    def __call__(self, entry: EventLogEntry) -> None:
        """Show an event."""
        if not self._is_read:
            return
        text = ""
        for timestamp, line in self._telling.lines(entry):
            text += f"{clock(timestamp)}  {line.who}  {line.text}\n"
            if line.below:
                text += output.indented(line.below, "    ") + "\n"
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            self._is_read = False

    def close(self) -> None:
        """Nothing is left to show."""
