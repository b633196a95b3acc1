"""Steps in threads of the run's process, for those that mostly wait: for a network, a database, another program.

They share the run's resources, and what one returns needs no way out of the process. Async functions of all steps run
on one event loop. Only the thread that conducts the run touches its log: the others hand it their events, so those of
a step stay in order, and an exception that interrupts a thread cuts nothing in two.

What is told to end, or has taken too long, is raised in its thread between two instructions of Python; an async
function is canceled at its `await`. A call that waits in C (`time.sleep`, a socket) is not interrupted: its step ends
when it returns, and with the run's process at the latest.
"""

from __future__ import annotations

import contextlib
import copy
import os
import queue
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from treadle.decide.queue import TagLimit
from treadle.decide.steps import Step
from treadle.errors import ExecutionInterruptedError, FencedError
from treadle.runtime.crew import Crew, Worker
from treadle.runtime.limits import raise_in, take_back
from treadle.runtime.ports import LogFiles
from treadle.runtime.run import RunScope, StepEnd, close_scope, open_scope
from treadle.state import events
from treadle.state.error_info import ErrorInfo, error_info
from treadle.state.events import EventLogEntry

GRACE_S = 5.0
"""How long steps that are told to end may take until the run ends without them, in seconds."""
_LOOK_S = 0.05


@dataclass(slots=True, eq=False)
class StepThread(Worker):
    """An attempt in a thread."""

    thread: threading.Thread = None  # type: ignore[assignment]  # has no value that could be the default


class StepThreads(Crew[StepThread]):
    """Executes steps in threads."""

    def __init__(self, most: int, limits: list[TagLimit]) -> None:
        super().__init__(most, limits)
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._answers: list[threading.Lock] = []
        self._is_over = False
        self._loop = _LoopThread()

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """The run's resources, the capture of its output, and the event loop."""
        scope = self.scope
        self._wake, woken = socket.socketpair()
        for end in (self._wake, woken):
            end.setblocking(False)
        self.waiting.register(woken, selectors.EVENT_READ, lambda: woken.recv(4096))
        is_main = threading.current_thread() is threading.main_thread()
        # else a signal that comes just before a wait would be heard after it
        before = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False) if is_main else -1
        try:
            scope.recall_versions()
            open_scope(scope, ())
            with _streams_apart() if scope.capture is not None else contextlib.nullcontext():
                yield
        finally:
            if is_main:
                signal.set_wakeup_fd(before)
            self._is_over = True
            self._take()
            self._loop.close()
            close_scope(scope)
            self._wake.close()
            woken.close()

    def start(self, step: Step, number: int) -> None:
        """Start a thread."""
        scope = copy.copy(self.scope)
        capture = scope.capture
        scope.in_step(step, _Sink(self))
        scope.outputs, scope.loop = self.scope.outputs, self._loop
        if capture is not None and scope.log_files is not None:
            scope.capture = _StepCapture(scope.log_files, capture.pass_on)  # type: ignore[assignment]  # has its methods
        one = StepThread(step, number)
        one.thread = threading.Thread(target=self._live, args=(scope, one), name=f"step {step.key}", daemon=True)
        self.running[one] = one
        one.thread.start()

    def look(self) -> None:
        """Take what the threads have handed over. Those that ended without a word were interrupted on their way."""
        self._take()
        for one in [one for one in self.running.values() if not one.thread.is_alive()]:
            self._take()
            if one in self.running:
                self.ended(one, self._lost(one, "Its thread was interrupted."))

    def due(self, worker: StepThread) -> float | None:
        """Nothing ends a thread from outside: its limit of time is its own."""
        return None

    def interrupt(self) -> None:
        """Tell all steps to end, and wait until they have, or some seconds: a call that waits in C hears nothing."""
        untold = list(self.running.values())
        self._loop.cancel()
        deadline = time.monotonic() + GRACE_S
        while self.running and time.monotonic() < deadline:
            untold = [one for one in untold if not raise_in(one.thread, ExecutionInterruptedError)]
            self.wait(_LOOK_S)
        take_back()  # what came too late for a thread
        for one in list(self.running.values()):
            why = f"It did not end within {GRACE_S:g} s of being told to. What it waits for ends with its process."
            self.ended(one, self._lost(one, why))

    # --- between the threads

    def hand_over(self, act: Callable[[], None]) -> None:
        """In a step's thread: have the conducting thread do this. What comes when the run is over is dropped."""
        if self._is_over:
            return
        self._inbox.put(act)
        with contextlib.suppress(OSError):  # it is awake in any case
            self._wake.send(b"\0")

    def commit(self) -> None:
        """In a step's thread: wait until all that it has handed over is stored."""
        stored = threading.Lock()  # until then; an event would stay locked by a step that is interrupted just now
        stored.acquire()
        self.hand_over(lambda: self._answers.append(stored))
        while not stored.acquire(timeout=1.0):
            if self._is_over:
                raise FencedError("The run is over: nothing more of its steps can be recorded.")

    def _take(self) -> None:
        while True:
            try:
                self._inbox.get_nowait()()
            except queue.Empty:
                break
        if self._answers:  # one commit for all that wait for one
            answers, self._answers = self._answers, []
            self.scope.sink.commit()
            for one in answers:
                one.release()

    def _live(self, scope: RunScope, one: StepThread) -> None:
        """The life of a step's thread."""
        end = StepEnd(error=ExecutionInterruptedError())
        try:
            if scope.capture is not None and scope.log_files is not None:
                scope.capture.start()
                scope.emit(events.LogsCaptured(scope.log_files.key, (one.step.key,)))
            try:
                end = self.attempt(scope, one.step, one.number)
            except ExecutionInterruptedError as interrupt:
                end = StepEnd(error=interrupt)
                if not (
                    scope.entries and isinstance(scope.entries[-1].event, events.StepFailed)
                ):  # it was not in it yet
                    scope.emit(events.StepFailed(one.step.key, error_info(interrupt), events.ErrorSource.INTERRUPT))
            except Exception as failure:
                scope.emit(events.StepFailed(one.step.key, error_info(failure), events.ErrorSource.FRAMEWORK_ERROR))
                end = StepEnd(error=failure)
            if scope.capture is not None:
                scope.capture.stop()
        finally:
            self.hand_over(lambda: self.ended(one, end) if one in self.running else None)

    def _lost(self, one: StepThread, why: str) -> StepEnd:
        """The end of an attempt that has not said so itself."""
        self.scope.emit(events.StepFailed(one.step.key, ErrorInfo(why), events.ErrorSource.INTERRUPT))
        return StepEnd(error=ExecutionInterruptedError(why))


class _Sink:
    """The sink of a step in a thread."""

    def __init__(self, crew: StepThreads) -> None:
        self._crew = crew

    def write(self, entry: EventLogEntry) -> None:
        self._crew.hand_over(lambda: self._crew.scope.take(entry))

    def commit(self) -> None:
        self._crew.commit()


class _LoopThread:
    """An event loop in a thread of its own, made when it is first needed."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._loop: Any = None
        self._thread: threading.Thread | None = None

    def run_until_complete(self, awaitable: Any) -> Any:
        """In another thread: the result of a coroutine, which has the context of that thread."""
        import asyncio  # noqa: PLC0415  # only runs with async functions pay for it

        with self._making:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="event loop", daemon=True)
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(_whole(awaitable), self._loop).result()

    def cancel(self) -> None:
        """Cancel everything at its next `await`."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cancel_all)

    def _cancel_all(self) -> None:
        import asyncio  # noqa: PLC0415

        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def close(self) -> None:
        """End the loop and its thread, unless something there does not let go."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(1.0)
        if not self._thread.is_alive():
            self._loop.close()


async def _whole(awaitable: Any) -> Any:
    return await awaitable


# --- what each step prints --------------------------------------------------------------------------------------------

_of_step: ContextVar[_StepCapture | None] = ContextVar("treadle_step_output", default=None)


class _StepCapture:
    """What Python prints in a step, in files of its own. What C code and child processes write is the run's."""

    lost: str | None = None

    def __init__(self, files: LogFiles, echo: Callable[[int, bytes], None]) -> None:
        self._files = files
        self._echo = echo
        self._open: dict[int, int] = {}

    def start(self) -> None:
        for fd, path in ((1, self._files.stdout), (2, self._files.stderr)):
            with contextlib.suppress(OSError):  # the run's capture says so
                self._open[fd] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        _of_step.set(self)

    def write(self, fd: int, text: str) -> None:
        data = text.encode(errors="backslashreplace")
        with contextlib.suppress(OSError, KeyError):
            os.write(self._open[fd], data)
        self._echo(fd, data)

    def position(self) -> tuple[int, int] | None:
        return self._files.sizes()

    def stop(self) -> None:
        _of_step.set(None)
        for file in self._open.values():
            os.close(file)
        self._open = {}


class _Stream:
    """In the place of sys.stdout or sys.stderr: what is written in a step goes to its own file."""

    def __init__(self, whole: Any, fd: int) -> None:
        self._whole = whole
        self._fd = fd

    def write(self, text: str) -> int:
        step = _of_step.get()
        if step is None:
            return self._whole.write(text)
        step.write(self._fd, text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


@contextlib.contextmanager
def _streams_apart() -> Iterator[None]:
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Stream(before[0], 1), _Stream(before[1], 2)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


__all__ = ["StepThreads"]
