"""Progress on a terminal: lines of what has happened above a live view of what runs. The one module that imports rich.

What user code prints would break the view, so stdout and stderr go through a pipe meanwhile, and come out as lines
above it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from treadle.cli.progress import clock, describe
from treadle.state import events
from treadle.state.events import EventLogEntry, format_duration

_ENDS = (events.StepSucceeded, events.StepFailed, events.StepSkipped, events.StepUpForRetry)
_STARTS = (events.StepStarted, events.StepRestarted)
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SHOWN = 8


class LiveProgress:
    """Shows a run on the terminal that stdout is. Use as a listener; `close` at the end."""

    def __init__(self, total: int, verbose: bool = False) -> None:
        self._verbose = verbose
        self._total = total
        self._done = 0
        self._running: dict[str, float] = {}
        self._lock = threading.Lock()
        self._started = time.time()
        self._own = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors="replace")
        self._console = Console(file=self._own, highlight=False)
        self._tap = _Tap(self._print_raw)
        self._live = Live(
            get_renderable=self._view, console=self._console, refresh_per_second=10, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self._live.start()

    def __call__(self, entry: EventLogEntry) -> None:
        """Show an event."""
        event = entry.event
        with self._lock:
            if isinstance(event, _STARTS):
                self._running[event.step_key] = entry.timestamp
            elif isinstance(event, _ENDS):
                self._running.pop(event.step_key, None)
                self._done += not isinstance(event, events.StepUpForRetry)
            elif isinstance(event, events.LogsCaptured) and event.step_keys:
                self._total = len(event.step_keys)  # fewer than the job has, where ops are selected
        if isinstance(event, events.StepStarted) and not self._verbose:
            return  # the view shows it
        line = describe(event, entry.run_id, self._verbose)
        if line is None:
            return
        text = Text.assemble((clock(entry.timestamp), "dim"), "  ", (line.who, "bold"), "  ", (line.text, line.colour))
        self._console.print(text, soft_wrap=True)
        if line.below:
            self._console.print(Text("\n".join(f"    {one}" for one in line.below.splitlines())), soft_wrap=True)

    def close(self) -> None:
        """Take the view away and give the terminal back."""
        self._tap.close()
        self._live.stop()
        self._own.close()

    def _print_raw(self, text: str) -> None:
        self._console.print(Text.from_ansi(text), soft_wrap=True)

    def _view(self) -> Table:
        now = time.time()
        view = Table.grid(padding=(0, 2))
        with self._lock:
            running, done = list(self._running.items()), self._done
        spinner = _FRAMES[int(now * 10) % len(_FRAMES)]
        for key, since in running[:_SHOWN]:
            view.add_row(Text(spinner, "cyan"), Text(key, "bold"), Text(format_duration((now - since) * 1000), "dim"))
        if len(running) > _SHOWN:
            view.add_row("", Text(f"and {len(running) - _SHOWN} more", "dim"), "")
        whole = format_duration((now - self._started) * 1000)
        view.add_row("", Text(f"{done} of {self._total} steps", "dim"), Text(whole, "dim"))
        return view


class _Tap:
    """Turns stdout and stderr, where they are terminals, into a pipe whose lines are handed on."""

    def __init__(self, show_line: Callable[[str], None]) -> None:
        self._show = show_line
        self._saved: dict[int, int] = {}
        reader, writer = os.pipe()
        for fd, stream in ((1, sys.stdout), (2, sys.stderr)):
            stream.flush()
            if os.isatty(fd):
                self._saved[fd] = os.dup(fd)
                os.dup2(writer, fd)
        os.close(writer)
        self._thread = threading.Thread(target=self._follow, args=(reader,), name="treadle-terminal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Turn them back. What was written before is shown before this returns, unless a child of ours still holds the
        pipe."""
        sys.stdout.flush()
        sys.stderr.flush()
        for fd, saved in self._saved.items():
            os.dup2(saved, fd)
            os.close(saved)
        self._thread.join(timeout=1)

    def _follow(self, reader: int) -> None:
        with os.fdopen(reader, errors="replace") as lines:
            for line in lines:
                self._show(line.rstrip("\n"))
