"""Limits of time: what one process can do about user code that takes too long.

A limit is an alarm that raises in the main thread, between two instructions of Python or out of a call that waits (a
sleep, a socket); never while Treadle writes to its store. C code that neither waits nor returns is not ended by it,
nor is code in a thread other than the main one: for these only a process of its own is a limit that holds. Async
functions are canceled at their next `await`, in any thread.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from treadle.errors import TimeLimitError

_OURS = ("treadle.store.", "treadle.host.", "treadle.runtime.run", "treadle.runtime.log")
_AGAIN_S = 0.005


class _TimeIsUp(BaseException):
    """Raised by the alarm. Derives from `BaseException` so that `except Exception` in user code lets it pass."""


class Limit:
    """How long the attempt of a step may take.

    Args:
        seconds: the limit.
        what: what is limited, for the message.
    """

    __slots__ = ("ends", "seconds", "what")

    def __init__(self, seconds: float, what: str) -> None:
        self.seconds = seconds
        self.what = what
        self.ends = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds that are left; never less than a moment."""
        return max(self.ends - time.monotonic(), 0.001)

    def exceeded(self) -> TimeLimitError:
        """The error that says that it took longer."""
        return TimeLimitError(
            f"{self.what} took longer than its limit of {self.seconds:g} seconds. Make it quicker, or raise the limit.",
            seconds=self.seconds,
        )

    @contextmanager
    def alarm(self) -> Iterator[None]:
        """While inside, code of the main thread that runs on after the end fails.

        Raises:
            TimeLimitError: it did.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        bell = _Bell()
        before = signal.signal(signal.SIGALRM, bell.ring)
        timer = signal.setitimer(signal.ITIMER_REAL, self.left_s, _AGAIN_S)
        try:
            try:
                yield
            finally:
                bell.is_on = False
        except _TimeIsUp:
            raise self.exceeded() from None
        finally:
            bell.is_on = False
            signal.setitimer(signal.ITIMER_REAL, *timer)
            signal.signal(signal.SIGALRM, before)


class _Bell:
    """What the alarm calls, again and again: what it raises once may be lost, as in a finalizer."""

    def __init__(self) -> None:
        self.is_on = True

    def ring(self, number: int, frame: FrameType | None) -> None:
        if self.is_on and not _writes(frame):
            raise _TimeIsUp


def _writes(frame: FrameType | None) -> bool:
    """Whether user code has called Treadle, which is at something that must not be cut in two."""
    while frame is not None and frame.f_globals.get("__name__") != "treadle.runtime.step":
        if frame.f_globals.get("__name__", "").startswith(_OURS):
            return True
        frame = frame.f_back
    return False
