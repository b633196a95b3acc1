"""Steps in processes of their own: each attempt is a fresh fork of the run's process, which itself executes none.

The run's process has loaded the user's code, resolved config and made the plan, so a fork has all of it and nothing is
sent to it. What a step does comes back as messages: its events, which go where the run's own go, and how it ended. A
step whose process dies has failed, and its retry policy holds as for any failure.

Processes overlap, attempts do not: while as many steps run as may, the process of the next one is started and waits for
its turn, and one whose attempt has ended makes room at once, though it has still to be waited for. A process that ends
before its turn was never an attempt.
"""

from __future__ import annotations

import gc
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Any, NoReturn, TypeAlias

import msgspec

from treadle.core.metadata import FloatMetadataValue, IntMetadataValue
from treadle.decide.queue import TagLimit
from treadle.decide.steps import Step
from treadle.errors import StepExecutionError
from treadle.runtime import kin, memory
from treadle.runtime.channel import Channel, pair
from treadle.runtime.crew import Crew, Worker
from treadle.runtime.reporting import Commit, Reporter, Stored, Told, ToReporter
from treadle.runtime.run import INTERRUPTS, Attempt, RunScope, StepEnd, close_scope, open_scope, start_capture
from treadle.runtime.step import retry_wait
from treadle.state import events
from treadle.state.error_info import ErrorInfo, error_info
from treadle.state.events import EventLogEntry, decode_event


class Begin(msgspec.Struct, frozen=True, tag=True):
    """The attempt for which the process is there is to begin."""


class Finished(msgspec.Struct, frozen=True, tag=True):
    """An attempt has ended as `StepEnd` says; `error` is what was raised, in words, and `lost` why its logs lack
    something."""

    not_produced: frozenset[str] = frozenset()
    mapping_keys: dict[str, tuple[str, ...]] = {}
    error: str | None = None
    retry_in_s: float | None = None
    lost: str | None = None


STOP = frozenset({signal.SIGTERM})
"""What a step's process is told to end with; blocked until its turn has come."""
LATE_S = 1.0
"""How long an attempt whose time is over may take to say so itself until its process is killed, in seconds."""
LEAVE_S = 10.0
"""How long a process whose attempt has ended, or has been told to, may take to end until it is killed, in seconds."""
FromStep: TypeAlias = Told | Commit | Finished
ToStep: TypeAlias = ToReporter | Begin
Fresh: TypeAlias = Callable[[RunScope, Step, int, socket.socket], int]
"""Starts an attempt of a step in a fresh interpreter, with one end of its channel; gives the process's id."""


@dataclass(slots=True, eq=False)
class StepProcess(Worker):
    """An attempt in process `pid`, which began with so much memory.

    Attributes:
        is_ahead: whether it was started before its turn.
        has_spoken: once it has told anything.
        has_begun: once it has told that the attempt has begun.
        has_left: once the attempt has ended.
        ends: when the process is killed if it is still there, by `time.monotonic`; None for never.
        is_late: once it was killed for having taken too long.
        is_told: once it was told to end.
    """

    pid: int = 0
    channel: Channel = None  # type: ignore[assignment]  # has no value that could be the default
    base_kib: int = 0
    is_ahead: bool = False
    has_spoken: bool = False
    has_begun: bool = False
    has_left: bool = False
    ends: float | None = None
    outputs: list[events.StepOutput] = field(default_factory=list)
    said: events.StepSucceeded | events.StepFailed | events.StepUpForRetry | None = None
    is_late: bool = False
    is_told: bool = False
    is_waited_for: bool = True


class StepProcesses(Crew[StepProcess]):
    """Executes steps in processes of their own.

    Args:
        most: how many at once.
        limits: how many at once of those with a tag.
        fresh: starts a step in a fresh interpreter; without it they are forked.
    """

    def __init__(self, most: int, limits: Sequence[TagLimit] = (), fresh: Fresh | None = None) -> None:
        super().__init__(most, limits)
        self._fresh = fresh
        self._kills = memory.Kills()
        self._processes: dict[int, StepProcess] = {}  # all that are there, by id
        self._ahead: StepProcess | None = None  # the one that waits for its turn
        self._starts_ahead = True
        self._askers: list[Channel] = []  # of those who wait until what they have told is stored
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._signals: list[int] = []  # that have come

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Ended children and signals wake; children that are left are killed.

        No user code runs here, so signals need not interrupt: they wait until it is known which children there are.
        """
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        self._handlers = {number: handler for number, handler in before.items() if callable(handler)}
        for number in self._handlers:
            signal.signal(number, lambda number, _: self._signals.append(number))
        wakeup = kin.Wakeup(signal.SIGCHLD)
        self.waiting.register(wakeup, selectors.EVENT_READ, wakeup.clear)
        try:
            yield
            self._heed()
        finally:
            gc.unfreeze()  # this process may have others to serve
            wakeup.close()
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            for pid, one in self._processes.items():
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                one.channel.close()
            self._kills.close()

    @property
    def alive(self) -> Collection[StepProcess]:
        """All processes; those that are left when the agenda is done are on their way out."""
        return self._processes.values()

    def start(self, step: Step, number: int) -> None:
        """Have a process begin: the one that waits for it, or a new one."""
        self.scope.emit(events.StepWorkerStarting(step.key))
        one, self._ahead = self._ahead, None
        if one is None or one.step.key != step.key or one.number != number:
            one, self._ahead = self._process(step, number), one
        self.running[one.pid] = one
        one.channel.send(Begin())

    def start_ready(self) -> None:
        """Start what is ready; and a process for what is next, unless others need this one just now to begin."""
        super().start_ready()
        if self._ahead is not None or not self._starts_ahead:
            return
        step = self.agenda.upcoming
        if step is None or (step.node.pool is not None and self.scope.slots is not None):
            return
        if all(one.has_begun for one in self.running.values()):
            self._ahead = self._process(step, self.agenda.attempt_of(step))
            self._ahead.is_ahead = True

    def _process(self, step: Step, number: int) -> StepProcess:
        """A new process that waits for its turn."""
        if not isinstance(self.scope.sink, Reporter):  # which has sent it
            self.scope.sink.commit()  # a fork copies what waits in memory
        sys.stdout.flush()
        sys.stderr.flush()
        gc.freeze()  # what is there now is shared with the fork until a collection touches it
        ours, theirs = pair()
        me = os.getpid()
        base_kib = memory.resident_kib()
        if self._fresh is not None:
            pid = self._fresh(self.scope, step, number, theirs)
        else:
            signal.pthread_sigmask(signal.SIG_BLOCK, STOP)  # in the child until it heeds it
            pid = kin.fork()
        if pid == 0:
            kin.die_with_parent(me)
            ours.close()
            signal.set_wakeup_fd(-1)
            for other in self._processes.values():
                other.channel.close()
            if isinstance(self.scope.sink, Reporter):
                self.scope.sink.close()
            _become(self.scope, self.attempt, step, number, theirs)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)
        theirs.close()
        channel = Channel(ours, FromStep)
        self._processes[pid] = one = StepProcess(step, number, None, pid, channel, base_kib)
        self.waiting.register(channel, selectors.EVENT_READ, partial(self._take, one))
        return one

    def look(self) -> None:
        """Store what somebody waits for, kill what is late, and take note of what has ended."""
        if self._askers:
            askers, self._askers = self._askers, []
            self.scope.sink.commit()
            for channel in askers:
                channel.send(Stored())
        now = time.monotonic()
        for one in list(self._processes.values()):
            due = self.due(one)
            if due is not None and now >= due:
                one.is_late = True
                os.kill(one.pid, signal.SIGKILL)
            pid, status, used = os.wait4(one.pid, os.WNOHANG)
            if pid:
                del self._processes[pid]
                self._has_ended(one, os.waitstatus_to_exitcode(status), used)
        self._heed()

    def _heed(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            self._handlers[number](number, None)

    def due(self, worker: StepProcess) -> float | None:
        """When the process is killed, because the attempt, or its own end, has taken too long."""
        if worker.is_late:
            return None
        if worker.ends is not None:
            return worker.ends
        return None if worker.limit is None else worker.limit.ends + LATE_S

    def interrupt(self) -> None:
        """Tell all steps to end, and wait until they have. Who is launched has somebody who sees to it that this takes
        no longer than it may; else those that take too long are killed."""
        ends = None if isinstance(self.scope.sink, Reporter) else time.monotonic() + LEAVE_S
        for one in self.running.values():
            one.is_told, one.ends = True, ends
            os.kill(one.pid, signal.SIGTERM)
        while self.running:
            self.wait(kin.WAKE_S)
            for pid in self.running:
                os.kill(pid, kin.WAKE)

    def _take(self, one: StepProcess) -> None:
        scope = self.scope
        for message in one.channel.arrived():
            one.has_spoken = True
            if isinstance(message, Told):
                event = decode_event(message.event)
                if isinstance(event, events.StepStarted | events.StepRestarted):
                    one.has_begun, one.limit = True, scope.limit(one.step)
                elif isinstance(event, events.StepOutput):
                    one.outputs.append(event)
                elif isinstance(event, events.StepSucceeded | events.StepFailed | events.StepUpForRetry):
                    one.said = event
                scope.take(EventLogEntry(scope.run.run_id, message.timestamp, event))
            elif isinstance(message, Commit):
                self._askers.append(one.channel)
            elif not one.has_left:
                self._finish(one, message)
        if one.channel.ended:
            self._forget(one)

    def _forget(self, one: StepProcess) -> None:
        if one.is_waited_for:
            one.is_waited_for = False
            self.waiting.unregister(one.channel)

    def _has_ended(self, one: StepProcess, code: int, used: resource.struct_rusage) -> None:
        self._take(one)
        self._forget(one)  # something that it started may hold the other end
        one.channel.close()
        if one.is_ahead and not (one.has_spoken or one.is_told):
            self._starts_ahead = False  # the next one would perhaps end as this one did
            if one is self._ahead:
                self._ahead = None
            else:  # it has not heard that it was its turn
                del self.running[one.pid]
                self.start(one.step, one.number)
            return
        _say_used(self.scope, one, used)
        if one.pid in self.running:
            self.ended(one.pid, _as_said(one) or self._crashed(self.scope, one, code))

    def _finish(self, one: StepProcess, finished: Finished) -> None:
        """The attempt has ended, and no user code is left in its process, which ends."""
        one.has_left, one.ends = True, time.monotonic() + LEAVE_S
        self.scope.say_lost(finished.lost)
        error = StepExecutionError(finished.error, step_key=one.step.key) if finished.error is not None else None
        self.ended(one.pid, StepEnd(finished.not_produced, finished.mapping_keys, error, finished.retry_in_s))

    def _crashed(self, scope: RunScope, one: StepProcess, code: int) -> StepEnd:
        """The end of an attempt whose process has ended without saying how."""
        key, source = one.step.key, events.ErrorSource.UNEXPECTED_ERROR
        if one.is_late and one.is_told:
            how = f"did not end within {LEAVE_S:g} s of being told to, and was killed"
            error: Exception = StepExecutionError(f"The process of step {key} {how}.", step_key=key)
        elif one.is_late and one.limit is not None:
            error = one.limit.exceeded()
            source = events.ErrorSource.USER_CODE_ERROR
        else:
            how = memory.how_ended(code, code == -signal.SIGKILL and self._kills.include(one.pid), one.is_told)
            error = StepExecutionError(f"The process of step {key} {how} in the middle of it.", step_key=key)
        captured = scope.log_files.named(key).sizes() if scope.log_files is not None else None
        wait_s = retry_wait(scope, one.step, error, one.number) if not one.is_told else None
        if wait_s is not None:
            scope.emit(events.StepUpForRetry(key, ErrorInfo(str(error)), wait_s or None, captured))
        else:
            scope.emit(events.StepFailed(key, ErrorInfo(str(error)), source, captured=captured))
        return StepEnd(error=error, retry_in_s=wait_s)


def _as_said(one: StepProcess) -> StepEnd | None:
    """The end of an attempt whose process ended after the log had its end: what is finished is not done again."""
    said, step = one.said, one.step
    if said is None:
        return None
    if not isinstance(said, events.StepSucceeded):
        error = StepExecutionError(said.error.message if said.error else said.message, step_key=step.key)
        wait_s = (said.seconds_to_wait or 0.0) if isinstance(said, events.StepUpForRetry) else None
        return StepEnd(error=error, retry_in_s=wait_s)
    keys: dict[str, list[str]] = {output.name: [] for output in step.outputs if output.is_dynamic}
    for event in one.outputs:
        if event.mapping_key is not None:
            keys[event.output_name].append(event.mapping_key)
    made = {event.output_name for event in one.outputs}
    left_out = frozenset(output.name for output in step.outputs if not output.is_required) - made
    return StepEnd(left_out, {name: tuple(found) for name, found in keys.items()})


def _say_used(scope: RunScope, one: StepProcess, used: resource.struct_rusage) -> None:
    """Put into the log what an attempt has used, together with the processes that it has waited for."""
    cpu_s, grown = used.ru_utime + used.ru_stime, max(0, used.ru_maxrss - one.base_kib) * 1024
    scope.emit(events.EngineEvent(
        f"Step {one.step.key} took {cpu_s:.3g} s of CPU time and {grown / 2**20:.0f} MiB of memory.", one.step.key,
        {"cpu_seconds": FloatMetadataValue(cpu_s), "memory_growth_bytes": IntMetadataValue(grown)},
    ))  # fmt: skip


# --- in the step's process --------------------------------------------------------------------------------------------


def _become(scope: RunScope, attempt: Attempt, step: Step, number: int, sock: socket.socket) -> NoReturn:
    code = 0
    try:
        live(scope, attempt, step, number, Channel(sock, ToStep))
    except INTERRUPTS:
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        code = 1
    finally:
        kin.leave(code)


def live(scope: RunScope, attempt: Attempt, step: Step, number: int, channel: Channel) -> None:
    """The life of a process that makes one attempt of a step, once it is to begin. Until then it heeds no signals."""
    reporter = Reporter(channel, scope.run.run_id)
    reporter.heed(signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run's process gets it too, and says what it means
    scope.in_step(step, reporter)
    start_capture(scope)
    if channel.receive() is None:
        return
    try:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)
            scope.emit(events.StepWorkerStarted(step.key, os.getpid()))
            open_scope(scope, (step.key,))
            try:
                end = attempt(scope, step, number)
            except SystemExit as stop:
                end = StepEnd(error=stop)  # the step has said so
        finally:
            close_scope(scope)
    except INTERRUPTS as interrupt:
        end = StepEnd(error=interrupt)  # the step has said so
    except Exception as failure:
        scope.emit(events.StepFailed(step.key, error_info(failure), events.ErrorSource.FRAMEWORK_ERROR))
        end = StepEnd(error=failure)
    channel.send(Finished(
        end.not_produced, dict(end.mapping_keys), None if end.error is None else str(end.error), end.retry_in_s,
        scope.capture.lost if scope.capture is not None else None,
    ))  # fmt: skip
