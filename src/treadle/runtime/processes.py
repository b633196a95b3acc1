"""Steps in processes of their own: each attempt is a fresh fork of the run's process, which itself executes none.

The run's process has loaded the user's code, resolved config and made the plan, so a fork has all of it and nothing is
sent to it. What a step does comes back as messages: its events, which go where the run's own go, and how it ended. A
step whose process dies has failed, and its retry policy holds as for any failure.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

import msgspec

from treadle.decide.queue import TagLimit
from treadle.decide.steps import Step
from treadle.errors import StepExecutionError
from treadle.runtime import kin, memory
from treadle.runtime.agenda import Agenda
from treadle.runtime.channel import Channel, pair
from treadle.runtime.limits import Limit
from treadle.runtime.reporting import Commit, Reporter, Stored, Told, ToReporter
from treadle.runtime.run import INTERRUPTS, Attempt, RunScope, StepEnd, close_scope, open_scope
from treadle.runtime.step import retry_wait
from treadle.state import events
from treadle.state.error_info import ErrorInfo, error_info
from treadle.state.events import EventLogEntry, decode_event


class Finished(msgspec.Struct, frozen=True, tag=True):
    """An attempt has ended as `StepEnd` says; `error` is what was raised, in words."""

    not_produced: frozenset[str] = frozenset()
    mapping_keys: dict[str, tuple[str, ...]] = {}
    error: str | None = None
    retry_in_s: float | None = None
    cpu_s: float = 0.0
    grown_kib: int = 0


LATE_S = 1.0
"""How long an attempt whose time is over may take to say so itself until its process is killed, in seconds."""
FromStep: TypeAlias = Told | Commit | Finished


@dataclass(slots=True)
class Running:
    """An attempt that is under way in process `pid`. Its limit begins with it; `is_late` once it was killed for it."""

    step: Step
    number: int
    pid: int
    channel: Channel
    oom_kills: int
    finished: Finished | None = None
    limit: Limit | None = None
    is_late: bool = False
    is_waited_for: bool = True


class StepProcesses:
    """Executes steps in processes of their own.

    Args:
        most: how many at once.
        limits: how many at once of those with a tag.
    """

    def __init__(self, most: int, limits: Sequence[TagLimit] = ()) -> None:
        self._most = most
        self._limits = limits
        self._running: dict[int, Running] = {}
        self._held: list[Step] = []
        self._claiming: dict[str, Step] = {}  # those that wait for a slot of a pool, by key
        self._with_slot: list[Step] = []

    def __call__(self, scope: RunScope, attempt: Attempt) -> BaseException | None:
        """Execute all steps of a run; returns what made it fail."""
        agenda = Agenda(scope)
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        before = signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        with selectors.DefaultSelector() as waiting, wake, woken:
            waiting.register(woken, selectors.EVENT_READ)
            if scope.slots is not None:
                waiting.register(scope.slots, selectors.EVENT_READ, scope.slots)
            try:
                while not agenda.is_done:
                    self._start_ready(scope, attempt, agenda, waiting)
                    if not agenda.is_done:
                        self._wait(scope, agenda, waiting, woken)
            except INTERRUPTS:
                self._stop(scope, agenda, waiting, woken)
                raise
            finally:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, before)
                for one in self._running.values():
                    os.kill(one.pid, signal.SIGKILL)
                    os.waitpid(one.pid, 0)
        return agenda.error

    # --- starting -----------------------------------------------------------------------------------------------------

    def _start_ready(self, scope: RunScope, attempt: Attempt, agenda: Agenda, waiting: selectors.BaseSelector) -> None:
        if self._running and scope.ends is not None and time.monotonic() >= scope.ends:
            return  # those under way end first, each for having taken too long
        held, self._held = self._held, []
        with_slot, self._with_slot = self._with_slot, []
        while len(self._running) < self._most:
            has_slot = bool(with_slot)
            step = with_slot.pop(0) if has_slot else held.pop(0) if held else agenda.next()
            if step is None:
                break
            if self._is_limited(step):
                (self._with_slot if has_slot else self._held).append(step)
            elif scope.slots is not None and step.node.pool is not None and not has_slot:
                self._claiming[step.key] = step
                scope.slots.claim(step.key, step.node.pool, step.priority)
            else:
                self._start(scope, attempt, step, agenda.attempt_of(step), waiting)
        self._held, self._with_slot = held + self._held, with_slot + self._with_slot

    def _is_limited(self, step: Step) -> bool:
        for limit in self._limits:
            kind = limit.counts(step.node.tags)
            if kind is None:
                continue
            counted = Counter(limit.counts(one.step.node.tags) for one in self._running.values())
            if counted[kind] >= limit.limit:
                return True
        return False

    def _start(
        self, scope: RunScope, attempt: Attempt, step: Step, number: int, waiting: selectors.BaseSelector
    ) -> None:
        scope.emit(events.StepWorkerStarting(step.key))
        scope.sink.commit()  # a fork copies what waits in memory
        sys.stdout.flush()
        sys.stderr.flush()
        ours, theirs = pair()
        me = os.getpid()
        oom_kills = memory.oom_kills()
        pid = kin.fork()
        if pid == 0:
            kin.die_with_parent(me)
            ours.close()
            signal.set_wakeup_fd(-1)
            _become(scope, attempt, step, number, theirs)
        theirs.close()
        channel = Channel(ours, FromStep)
        self._running[pid] = Running(step, number, pid, channel, oom_kills)
        waiting.register(channel, selectors.EVENT_READ, self._running[pid])

    # --- waiting ------------------------------------------------------------------------------------------------------

    def _wait(self, scope: RunScope, agenda: Agenda, waiting: selectors.BaseSelector, woken: socket.socket) -> None:
        pause_s = 0.0 if self._take_slots(scope) else self._pause_s(scope, agenda)
        for key, _ in waiting.select(pause_s):
            if key.data is None:
                woken.recv(4096)
            elif key.data is scope.slots:
                self._take_slots(scope)
            else:
                self._take(scope, key.data, waiting)
        now = time.monotonic()
        for one in list(self._running.values()):
            if one.limit is not None and not one.is_late and now >= one.limit.ends + LATE_S:
                one.is_late = True
                os.kill(one.pid, signal.SIGKILL)
            pid, status, _ = os.wait4(one.pid, os.WNOHANG)
            if pid:
                self._ended(scope, agenda, one, os.waitstatus_to_exitcode(status), waiting)

    def _take_slots(self, scope: RunScope) -> bool:
        """Take the slots that have come, also those that came while something else was waited for; whether any."""
        if scope.slots is None or not self._claiming:
            return False
        given = scope.slots.granted()
        self._with_slot += [self._claiming.pop(step) for step in given]
        return bool(given)

    def _pause_s(self, scope: RunScope, agenda: Agenda) -> float | None:
        """Seconds until something is due: the end of an attempt's time, or what the agenda says if it can be done."""
        now = time.monotonic()
        timed = (one.limit for one in self._running.values() if one.limit is not None and not one.is_late)
        due = [max(0.0, limit.ends + LATE_S - now) for limit in timed]
        is_over = self._running and scope.ends is not None and now >= scope.ends
        if len(self._running) < self._most and not is_over and (pause_s := agenda.pause_s) is not None:
            due.append(pause_s)
        return min(due, default=None)

    def _take(self, scope: RunScope, one: Running, waiting: selectors.BaseSelector) -> None:
        for message in one.channel.arrived():
            if isinstance(message, Told):
                event = decode_event(message.event)
                if isinstance(event, events.StepStarted | events.StepRestarted):
                    one.limit = scope.limit(one.step)
                scope.take(EventLogEntry(scope.run.run_id, message.timestamp, event))
            elif isinstance(message, Commit):
                scope.sink.commit()
                one.channel.send(Stored())
            else:
                one.finished = message
        if one.channel.ended and one.is_waited_for:
            one.is_waited_for = False
            waiting.unregister(one.channel)

    def _ended(self, scope: RunScope, agenda: Agenda, one: Running, code: int, waiting: selectors.BaseSelector) -> None:
        self._take(scope, one, waiting)
        if one.is_waited_for:  # something that it started holds the other end
            waiting.unregister(one.channel)
        one.channel.close()
        del self._running[one.pid]
        if scope.slots is not None and one.step.node.pool is not None:
            scope.slots.free(one.step.key)
        finished = one.finished
        if finished is None:
            agenda.ended(one.step, _crashed(scope, one, code))
            return
        scope.emit(events.EngineEvent(
            f"Step {one.step.key} took {finished.cpu_s:.3g} s of CPU time and {finished.grown_kib} KiB of memory.",
            one.step.key,
        ))  # fmt: skip
        error = StepExecutionError(finished.error, step_key=one.step.key) if finished.error is not None else None
        agenda.ended(one.step, StepEnd(finished.not_produced, finished.mapping_keys, error, finished.retry_in_s))

    def _stop(self, scope: RunScope, agenda: Agenda, waiting: selectors.BaseSelector, woken: socket.socket) -> None:
        """Tell all steps to end, and wait until they have. Whoever told this process sees to it that it takes no
        longer than it may."""
        for one in self._running.values():
            os.kill(one.pid, signal.SIGTERM)
        while self._running:
            self._wait(scope, agenda, waiting, woken)


def _crashed(scope: RunScope, one: Running, code: int) -> StepEnd:
    """The end of an attempt whose process has ended without saying how."""
    if one.is_late and one.limit is not None:
        error: Exception = one.limit.exceeded()
        source = events.ErrorSource.USER_CODE_ERROR
    else:
        how = memory.how_ended(code, memory.oom_kills() - one.oom_kills)
        why = f"The process of step {one.step.key} {how} in the middle of it."
        error = StepExecutionError(why, step_key=one.step.key)
        source = events.ErrorSource.UNEXPECTED_ERROR
    wait_s = retry_wait(scope, one.step, error, one.number)
    if wait_s is not None:
        scope.emit(events.StepUpForRetry(one.step.key, ErrorInfo(str(error)), wait_s or None))
    else:
        scope.emit(events.StepFailed(one.step.key, ErrorInfo(str(error)), source))
    return StepEnd(error=error, retry_in_s=wait_s)


# --- in the step's process --------------------------------------------------------------------------------------------


def _become(scope: RunScope, attempt: Attempt, step: Step, number: int, sock: socket.socket) -> NoReturn:
    code = 0
    try:
        _live(scope, attempt, step, number, Channel(sock, ToReporter))
    except INTERRUPTS:
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        code = 1
    finally:
        kin.leave(code)


def _live(scope: RunScope, attempt: Attempt, step: Step, number: int, channel: Channel) -> None:
    memory_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reporter = Reporter(channel, scope.run.run_id)
    signal.signal(signal.SIGTERM, reporter.interrupt)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run's process gets it too, and says what it means
    scope.in_step(step, reporter)
    scope.emit(events.StepWorkerStarted(step.key, os.getpid()))
    try:
        try:
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
    used = resource.getrusage(resource.RUSAGE_SELF)
    channel.send(Finished(
        end.not_produced, dict(end.mapping_keys), None if end.error is None else str(end.error), end.retry_in_s,
        used.ru_utime + used.ru_stime, max(0, used.ru_maxrss - memory_kib),
    ))  # fmt: skip


__all__ = ["StepProcesses"]
