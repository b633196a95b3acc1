"""What a process does again and again beside its work: one thread for all of it.

The thread starts with the first and sleeps while there is none. No signal comes to it: they are to wake the main
thread. A forked child has no such thread, and what its parent does again and again is the parent's.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

THREAD = "treadle-clock"


class Repeated:
    """Calls `act` from `start` to `stop`.

    Args:
        act: what is to be done; it says in how many seconds again, None for never.
    """

    def __init__(self, act: Callable[[], float | None]) -> None:
        self._act = act
        self._at_work = threading.Lock()  # while `act` is called
        self.due = 0.0

    def start(self, pause_s: float) -> None:
        """Call it in so many seconds, and then as it says."""
        self.due = time.monotonic() + pause_s
        _clock.add(self)

    def soon(self) -> None:
        """Call it now, unless it has been stopped."""
        self.due = 0.0
        _clock.wake()

    def stop(self, patience_s: float | None = None) -> None:
        """Call it no more. A call under way ends first, if it does within `patience_s` seconds."""
        _clock.discard(self)
        if self._at_work.acquire(timeout=-1 if patience_s is None else patience_s):
            self._at_work.release()

    def turn(self) -> None:
        """Call it, if that is due. By the thread alone."""
        if not self._at_work.acquire(blocking=False):
            return  # it is being stopped
        try:
            if self in _clock.all and time.monotonic() >= self.due:
                self.due = float("inf")
                pause_s = self._act()
                if pause_s is not None:
                    self.due = min(self.due, time.monotonic() + pause_s)
        finally:
            self._at_work.release()


class _Clock:
    def __init__(self) -> None:
        self.all: set[Repeated] = set()
        # held until it is to look: an event would stay locked by whoever is interrupted while setting it
        self._until_woken = threading.Lock()
        self._until_woken.acquire()
        self._starting = threading.Lock()
        self._is_started = False

    def add(self, one: Repeated) -> None:
        self.all.add(one)
        self.wake()
        if not self._is_started:
            with self._starting:
                if not self._is_started:
                    threading.Thread(target=self._follow, name=THREAD, daemon=True).start()
                    self._is_started = True

    def discard(self, one: Repeated) -> None:
        self.all.discard(one)

    def wake(self) -> None:
        with suppress(RuntimeError):  # it has been woken
            self._until_woken.release()

    def _follow(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            for one in tuple(self.all):
                with suppress(Exception):  # whose it is finds out by itself
                    one.turn()
            due = min((one.due for one in tuple(self.all)), default=float("inf"))
            self._until_woken.acquire(timeout=min(max(0.0, due - time.monotonic()), threading.TIMEOUT_MAX))


_clock = _Clock()


def _after_fork_in_child() -> None:
    for one in _clock.all:
        one._at_work = threading.Lock()
    _clock.__init__()  # type: ignore[misc]  # the thread is the parent's


os.register_at_fork(after_in_child=_after_fork_in_child)
