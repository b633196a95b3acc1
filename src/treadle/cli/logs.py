"""`treadle run logs`: what a run wrote to stdout and stderr, also while it runs."""

from __future__ import annotations

import os
import select
import sys
from contextlib import closing, nullcontext

import click

from treadle.cli.home import find_run, open_home
from treadle.errors import InvocationError
from treadle.host.instance import Instance
from treadle.host.nudge import DAEMON, Listener
from treadle.state.captured import spans
from treadle.state.events import EventLogEntry, EventType, LogsCaptured
from treadle.state.runs import Run

_LOOK_S = 0.2
_CHUNK = 1024 * 1024
_OF_OUTPUT = frozenset({
    EventType.LOGS_CAPTURED, EventType.STEP_START, EventType.STEP_RESTARTED, EventType.STEP_SUCCESS,
    EventType.STEP_FAILURE, EventType.STEP_UP_FOR_RETRY,
})  # fmt: skip


@click.command("logs")
@click.argument("run_id")
@click.option("--step", metavar="KEY", help="Only what was captured while this step ran, all attempts.")
@click.option("--stdout", "only", flag_value="stdout", help="Only stdout.")
@click.option("--stderr", "only", flag_value="stderr", help="Only stderr; it goes to stdout.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
def command(run_id: str, step: str | None, only: str | None, follow: bool) -> None:
    """Print what the run RUN_ID wrote to stdout and stderr, each to where it belongs."""
    with open_home() as instance:
        run = find_run(instance, run_id)
        try:
            _Printer(instance, run, step, only).print(follow)
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Printer:
    """Prints what has not been printed yet."""

    def __init__(self, instance: Instance, run: Run, step: str | None, only: str | None) -> None:
        self._instance = instance
        self._run = run
        self._step = step
        self._out = None if only == "stderr" else sys.stdout.buffer
        self._err = None if only == "stdout" else sys.stdout.buffer if only == "stderr" else sys.stderr.buffer
        self._entries: list[EventLogEntry] = []
        self._cursor = 0
        self._printed: dict[tuple[tuple[str, ...], tuple[int, int]], tuple[int, int]] = {}  # to where, by where from

    def print(self, follow: bool) -> None:
        """Print what there is; with `follow` also what comes, until the run has ended.

        Raises:
            InvocationError: the run has executed no such step.
        """
        home = self._instance.home
        with closing(Listener(home, DAEMON)) if follow and home is not None else nullcontext() as listener:
            while listener is not None:
                run = self._instance.get_run_by_id(self._run.run_id)
                if run is None or run.is_finished:
                    break
                self._look(False)
                select.select([listener], [], [], _LOOK_S)
                listener.clear()
            self._look(True)

    def _look(self, is_over: bool) -> None:
        page = self._instance.get_records_for_run(
            self._run.run_id, cursor=str(self._cursor) if self._cursor else None, of_type=_OF_OUTPUT
        )
        self._entries += [record.event_log_entry for record in page.records]
        if page.records:
            self._cursor = page.records[-1].storage_id
        if self._step is None:
            for entry in self._entries:
                if isinstance(entry.event, LogsCaptured):
                    self._put(entry.event.log_key, (0, 0), None)
            return
        for span in spans(self._entries, self._step):
            self._put(span.log_key, span.start, span.end)
        if is_over and self._step not in {entry.step_key for entry in self._entries}:
            steps = {one.step_key for one in self._entries if one.event.event_type is EventType.STEP_START}
            known = ", ".join(sorted(one for one in steps if one)) or "none"
            name = self._run.run_id[:8]
            raise InvocationError(f"Run {name} did not execute a step {self._step!r}. It executed: {known}.")

    def _put(self, log_key: tuple[str, ...], start: tuple[int, int], end: tuple[int, int] | None) -> None:
        """Print a part of a log, from where it was printed last."""
        at = self._printed.get((log_key, start), start)
        while True:
            piece = (at[0] + _CHUNK, at[1] + _CHUNK)
            to = piece if end is None else (min(end[0], piece[0]), min(end[1], piece[1]))
            out, err = self._instance.store.logs.read_part(log_key, at, to)
            for stream, data in ((self._out, out), (self._err, err)):
                if data and stream is not None:
                    stream.write(data)
                    stream.flush()
            if not out and not err:
                return
            at = self._printed[log_key, start] = (at[0] + len(out), at[1] + len(err))
