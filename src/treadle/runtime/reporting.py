"""How a process that executes user code tells another one what happens, which puts it into the store.

Each event is sent at once, so that a process that is killed loses none. `commit` waits until they are stored.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any, TypeAlias

import msgspec

from treadle.core import codec
from treadle.errors import ExecutionInterruptedError, FencedError
from treadle.runtime import kin
from treadle.runtime.channel import Channel
from treadle.state.events import EventLogEntry, encode_event
from treadle.state.runs import Run


class Told(msgspec.Struct, frozen=True, tag=True):
    """Something happened: an event, as bytes."""

    timestamp: float
    event: bytes


class Completed(msgspec.Struct, frozen=True, tag=True):
    """What the run is in full, as bytes: with what follows from the user's code."""

    run: bytes


class Commit(msgspec.Struct, frozen=True, tag=True):
    """Answer once everything told so far is stored."""


class Stored(msgspec.Struct, frozen=True, tag=True):
    """It is."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """It is not, and will not be."""

    reason: str


class Claim(msgspec.Struct, frozen=True, tag=True):
    """A step waits for a slot of a pool. Answered once it has one, and in between whatever else is asked."""

    step: str
    pool: str
    priority: int = 0


class Granted(msgspec.Struct, frozen=True, tag=True):
    """The step has its slot."""

    step: str


class Free(msgspec.Struct, frozen=True, tag=True):
    """The step needs its slot no longer."""

    step: str


FromReporter: TypeAlias = Told | Completed | Commit | Claim | Free
ToReporter: TypeAlias = Stored | Refused | Granted


class Reporter:
    """The sink of a run whose events another process stores."""

    def __init__(self, channel: Channel, run_id: str) -> None:
        self._channel = channel
        self._run_id = run_id
        self._is_busy = False
        self._interrupted_by: int | None = None
        self._granted: set[str] = set()

    def write(self, entry: EventLogEntry) -> None:
        """Tell the supervisor."""
        self._is_busy = True
        told = self._channel.send(Told(entry.timestamp, encode_event(entry.event)))
        self._done(told, None)

    def commit(self) -> None:
        """Wait until the supervisor has stored it.

        Raises:
            FencedError: another process executes this run now, or nobody takes its events any longer.
        """
        self._is_busy = True
        answer = self._channel.receive() if self._channel.send(Commit()) else None
        while isinstance(answer, Granted):
            self._granted.add(answer.step)
            answer = self._channel.receive()
        self._done(answer is not None, answer)

    def complete(self, run: Run) -> None:
        """Tell what the run is in full."""
        self._is_busy = True
        self._done(self._channel.send(Completed(codec.encode(run))), None)

    def fileno(self) -> int:
        """The descriptor, to wait on for slots."""
        return self._channel.fileno()

    def claim(self, step: str, pool: str, priority: int) -> None:
        """Ask for a slot of a pool for a step; `granted` tells once it is there."""
        self._is_busy = True
        self._done(self._channel.send(Claim(step, pool, priority)), None)

    def granted(self) -> set[str]:
        """The steps that have been given a slot since this was asked last.

        Raises:
            FencedError: nobody gives slots any longer.
        """
        self._is_busy = True
        self._granted.update(message.step for message in self._channel.arrived())
        given, self._granted = self._granted, set()
        self._done(not self._channel.ended, None)
        return given

    def free(self, step: str) -> None:
        """A step holds its slot no longer."""
        self._is_busy = True
        self._done(self._channel.send(Free(step)), None)

    def heed(self, *numbers: signal.Signals) -> None:
        """Have these signals end the run: they raise in the main thread, between two messages, never within one."""
        kin.mind_forks()
        for number in (*numbers, kin.WAKE):
            signal.signal(number, self.interrupt)
        before = sys.unraisablehook

        def lost(what: Any) -> None:
            if isinstance(what.exc_value, ExecutionInterruptedError):  # raised where nobody hears it: in a finalizer
                self._interrupted_by = signal.Signals[str(what.exc_value)]
            else:
                before(what)

        sys.unraisablehook = lost

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """The handler of these signals. What cannot be raised now is raised after the message, or at the next wake."""
        if number != kin.WAKE:
            self._interrupted_by = number
        if not self._is_busy and not kin.is_forking() and not _is_telling(frame):
            self._raise()

    def _raise(self) -> None:
        if self._interrupted_by is not None:
            number, self._interrupted_by = self._interrupted_by, None
            raise ExecutionInterruptedError(signal.Signals(number).name)

    def close(self) -> None:
        """In a process forked from the run's: leave the supervisor to that one."""
        self._channel.close()

    def _done(self, is_there: bool, answer: Any) -> None:
        self._is_busy = False
        if not is_there:
            raise FencedError(f"The supervisor of run {self._run_id} is gone: nothing can be recorded. The run ends.")
        if isinstance(answer, Refused):
            raise FencedError(answer.reason)
        self._raise()


def _is_telling(frame: FrameType | None) -> bool:
    """Whether an event is on its way to a reporter: it is in the run's own list, and has to get into the log, too."""
    while frame is not None:
        if frame.f_code.co_name in ("emit", "take") and frame.f_globals.get("__name__") == "treadle.runtime.run":
            return True
        frame = frame.f_back
    return False
