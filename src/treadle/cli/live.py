"""Progress on a terminal: lines of what has happened and, below them once a run takes longer, a live view of what runs.

One thread writes to the terminal, a few times a second; the listener, and what user code prints, only hand it lines.
So a run of many quick steps is not held up by its display, and a short one ends before rich is even imported.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import click

from treadle.cli.progress import Telling, clock
from treadle.cli.report import STARTS
from treadle.state import events
from treadle.state.events import EventLogEntry, format_duration

_ENDS = (events.StepSucceeded, events.StepFailed, events.StepSkipped, events.StepUpForRetry)
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SHOWN = 8
_INTERVAL_S = 0.08
_QUICK_S = 0.4
"""A run that ends within this time is shown without the live view."""


class LiveProgress:
    """Shows a run on the terminal that stdout is. Use as a listener; `close` at the end.

    Args:
        total: how many steps the run may have.
        verbose: show every event.
    """

    def __init__(self, total: int, verbose: bool = False) -> None:
        self._verbose = verbose
        self._telling = Telling(verbose)
        self._total = total
        self._done = 0
        self._running: dict[str, float] = {}
        self._lines: list[str] = []
        self._lock = threading.Lock()
        self._started = time.time()
        self._own = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors="replace")
        self._live: Any = None
        self._closing = threading.Event()
        self._tap = _Tap(self._add)
        self._thread = threading.Thread(target=self._follow, name="treadle-terminal", daemon=True)
        self._thread.start()

    def __call__(self, entry: EventLogEntry) -> None:
        """Show an event."""
        event = entry.event
        with self._lock:
            if isinstance(event, STARTS):
                self._running[event.step_key] = entry.timestamp
            elif isinstance(event, _ENDS):
                self._running.pop(event.step_key, None)
                self._done += not isinstance(event, events.StepUpForRetry)
            elif isinstance(event, events.LogsCaptured) and event.step_keys:
                self._total = len(event.step_keys)  # fewer than the job has, where ops are selected
        if isinstance(event, events.StepStarted) and not self._verbose:
            return  # the view shows it
        for timestamp, line in self._telling.lines(entry):
            dim = line.colour == "dim"
            text = click.style(line.text, fg=None if dim else line.colour or None, dim=dim or None)
            whole = f"{click.style(clock(timestamp), dim=True)}  {click.style(line.who, bold=True)}  {text}"
            self._add(click.unstyle(whole) if os.environ.get("NO_COLOR") else whole)
            for below in line.below.splitlines():
                self._add(f"    {below}")

    def close(self) -> None:
        """Take the view away and give the terminal back."""
        self._tap.close()
        self._closing.set()
        self._thread.join()
        self._own.close()

    def _add(self, line: str) -> None:
        with self._lock:
            self._lines.append(line)

    # --- the thread that writes ---------------------------------------------------------------------------------------

    def _follow(self) -> None:
        while not self._closing.wait(_INTERVAL_S):
            if self._live is None and time.time() - self._started > _QUICK_S:
                self._open_view()
            self._write()
        self._write()
        if self._live is not None:
            self._live.stop()

    def _open_view(self) -> None:
        from rich.console import Console  # noqa: PLC0415  most runs of a newcomer are over before this is worth its time
        from rich.live import Live  # noqa: PLC0415

        console = Console(file=self._own, highlight=False)
        self._live = Live(
            console=console, get_renderable=self._view, auto_refresh=False, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self._live.start()

    def _write(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        if self._live is None:
            self._own.write("".join(f"{line}\n" for line in lines))
            self._own.flush()
            return
        if lines:
            self._live.console.out("\n".join(lines), highlight=False)
        self._live.refresh()

    def _view(self) -> Any:
        from rich.table import Table  # noqa: PLC0415  called once the view is open
        from rich.text import Text  # noqa: PLC0415

        now = time.time()
        view = Table.grid(padding=(0, 2))
        with self._lock:
            running, done = list(self._running.items()), self._done
        spinner = _SPINNER[int(now * 10) % len(_SPINNER)]
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
        self._thread = threading.Thread(target=self._follow, args=(reader,), name="treadle-prints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Turn them back. What was written before has been handed on by then, unless a child still holds the pipe."""
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
