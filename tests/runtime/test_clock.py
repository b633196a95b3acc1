"""What is done again and again: by one thread, until it is stopped."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from treadle.runtime import clock
from treadle.runtime.clock import Repeated

PATIENCE_S = 10.0


@contextmanager
def interrupted_after(*names: str) -> Iterator[None]:
    """The first call of a function of C of such a name inside is interrupted when it returns, as by Ctrl-C."""

    def interrupt(frame: object, kind: str, function: object) -> None:
        if kind == "c_return" and getattr(function, "__name__", "") in names:
            sys.setprofile(None)
            raise KeyboardInterrupt

    sys.setprofile(interrupt)
    try:
        yield
    finally:
        sys.setprofile(None)


def test_it_is_called_as_it_says_until_it_is_stopped() -> None:
    calls = threading.Semaphore(0)
    last = threading.Event()

    def act() -> float:
        assert not last.is_set()
        calls.release()
        return 0.001

    one = Repeated(act)
    one.start(0.0)
    assert all(calls.acquire(timeout=PATIENCE_S) for _ in range(3))
    one.stop()
    last.set()
    one.soon()  # which it is no longer
    assert one not in clock._clock.all


def test_what_is_late_is_called_soon_and_a_failure_is_its_own() -> None:
    called = threading.Event()

    def fail() -> None:
        raise OSError

    others = [Repeated(fail), Repeated(lambda: called.set())]
    for one in others:
        one.start(3600.0)
        one.soon()
    assert called.wait(PATIENCE_S)
    for one in others:
        one.stop()
    assert [thread.name for thread in threading.enumerate()].count(clock.THREAD) == 1


def test_who_is_interrupted_while_it_wakes_the_thread_leaves_nothing_locked() -> None:
    one = Repeated(lambda: None)
    one.start(3600.0)
    with interrupted_after("acquire", "release", "__enter__"), suppress(KeyboardInterrupt):
        one.soon()
    one.stop()
    called = threading.Event()
    other = Repeated(called.set)
    threading.Thread(target=other.start, args=(0.0,), daemon=True).start()
    assert called.wait(PATIENCE_S)
    other.stop()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_nothing_of_its_parent_to_do_and_a_thread_of_its_own() -> None:
    at_work, goes_on = threading.Event(), threading.Event()

    def act() -> None:
        at_work.set()
        goes_on.wait(PATIENCE_S)

    parents = Repeated(act)
    parents.start(0.0)
    assert at_work.wait(PATIENCE_S)
    child = os.fork()
    if child == 0:
        called = threading.Event()
        parents.stop()  # though it was under way
        Repeated(lambda: called.set()).start(0.0)
        os._exit(0 if called.wait(PATIENCE_S) else 1)
    goes_on.set()
    parents.stop()
    assert os.waitpid(child, 0)[1] == 0
