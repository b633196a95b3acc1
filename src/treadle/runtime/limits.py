"""Limits of time: what one process can do about user code that takes too long.

A limit is an alarm that raises between two instructions of Python, in the main thread also out of a call that waits (a
sleep, a socket); never while Treadle writes to its store or a line is logged, whose locks others wait for. C code
that does not return is not ended by it, nor is a call that waits in another thread: for these only a process of its own
is a limit that holds. Async functions are canceled at their next `await`, in any thread.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from weakref import WeakKeyDictionary

from treadle.errors import TimeLimitError
from treadle.runtime import kin

_OURS = ("treadle.store.", "treadle.host.", "treadle.runtime.run", "treadle.runtime.log", "treadle.runtime.capture")
_LOST_IN = ("weakref", "_weakrefset")
"""Modules whose functions the interpreter calls by itself: what is raised there is lost, with a word on stderr."""
_LOCKED_IN = ("logging",)
"""Modules whose locks all threads share: one that stays held stops every thread that logs."""
_AGAIN_S = 0.005


class _TimeIsUp(BaseException):
    """Raised by the alarm. Derives from `BaseException` so that `except Exception` in user code lets it pass."""


def seconds_text(seconds: float) -> str:
    """`1 second`, `2.5 seconds`."""
    return f"{seconds:g} second" if seconds == 1 else f"{seconds:g} seconds"


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
            f"{self.what} took longer than its limit of {seconds_text(self.seconds)}. Make it quicker, or raise the "
            "limit.",
            seconds=self.seconds,
        )

    @contextmanager
    def alarm(self) -> Iterator[None]:
        """While inside, code of this thread that runs on after the end fails.

        Raises:
            TimeLimitError: it did.
        """
        kin.mind_forks()
        bell = _Bell() if threading.current_thread() is threading.main_thread() else _FarBell()
        bell.set(self.left_s)
        try:
            try:
                yield
            finally:
                bell.is_on = False
        except _TimeIsUp:
            raise self.exceeded() from None
        finally:
            bell.stop()
            _late.pop(threading.current_thread(), None)


class _Bell:
    """What the alarm calls, again and again: what it raises once may be lost, as in a finalizer."""

    def __init__(self) -> None:
        self.is_on = True

    def set(self, after_s: float) -> None:
        """Ring after so many seconds."""
        self._before = signal.signal(signal.SIGALRM, self._ring)
        self._timer = signal.setitimer(signal.ITIMER_REAL, after_s, _AGAIN_S)

    def stop(self) -> None:
        """Ring no more."""
        self.is_on = False
        signal.setitimer(signal.ITIMER_REAL, *self._timer)
        signal.signal(signal.SIGALRM, self._before)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if not self.is_on:
            return
        if not _writes(frame):
            raise _TimeIsUp
        _late[threading.current_thread()] = _TimeIsUp


class _FarBell:
    """The bell of a thread other than the main one, rung by one more thread."""

    def __init__(self) -> None:
        self.is_on = True
        self._thread = threading.current_thread()
        self._turn = threading.Lock()
        self._has_rung = False
        # held until it stops: an event would stay locked by whoever is interrupted while setting it
        self._until_stopped = threading.Lock()
        self._until_stopped.acquire()

    def set(self, after_s: float) -> None:
        """Ring after so many seconds."""
        threading.Thread(target=self._ring, args=(after_s,), name="time limit", daemon=True).start()

    def stop(self) -> None:
        """Ring no more, and take back what has not been heard."""
        while True:
            try:
                with self._turn:
                    self.is_on = False
                if self._has_rung:
                    take_back()
                if self._until_stopped.locked():
                    self._until_stopped.release()
            except _TimeIsUp:
                continue
            return

    def _ring(self, after_s: float) -> None:
        while not self._until_stopped.acquire(timeout=after_s):
            after_s = _AGAIN_S
            with self._turn:
                if self.is_on:
                    self._has_rung = True
                    raise_in(self._thread, _TimeIsUp)


# what was to be raised in a thread when it was at something of ours; idents of threads are used again
_late: WeakKeyDictionary[threading.Thread, type[BaseException]] = WeakKeyDictionary()


def raise_if_late() -> None:
    """Raise what came while the calling thread was at something that must not be cut in two, now that this is done.
    What logs line after line would hardly ever be met outside of it."""
    error = _late.pop(threading.current_thread(), None)
    if error is not None:
        raise error


def raise_in(thread: threading.Thread, error: type[BaseException]) -> bool:
    """Have another thread raise this before its next instruction of Python, unless it is at something that must not be
    cut in two: then it is raised when a line has been logged, if one is. Whether it will be raised at once."""
    ident = thread.ident or 0
    if _writes(sys._current_frames().get(ident)):
        _late[thread] = error
        return False
    _raise_in(ident, error)
    return True


def take_back() -> None:
    """See to it that nothing will be raised in this thread that has not been yet.

    It is raised here: what is taken back by the interpreter's own means, or was meant for a thread that is over, leaves
    a mark in CPython 3.11 that keeps traced code (a debugger, a profiler) where it is for ever.
    """
    try:
        _raise_in(threading.get_ident(), _TimeIsUp)
        while True:
            pass
    except _TimeIsUp:
        return


def _raise_in(ident: int, error: type[BaseException]) -> None:
    import ctypes  # noqa: PLC0415  most processes limit nothing

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(error))


def _writes(frame: FrameType | None) -> bool:
    """Whether user code has called Treadle or `fork`, which are at something that must not be cut in two."""
    if kin.is_forking():
        return True
    while frame is not None and frame.f_globals.get("__name__") != "treadle.runtime.step":
        module = frame.f_globals.get("__name__", "")
        if module.startswith(_OURS) or module.partition(".")[0] in _LOST_IN + _LOCKED_IN:
            return True
        frame = frame.f_back
    return False
