"""How a run's events reach the store: buffered, committed at step boundaries, and never more than 200 ms out of sight.

- `write` costs next to nothing. `commit` returns when everything written so far is in the store, in one transaction.
- Between commits, a write that finds the oldest waiting event older than 50 ms commits; and if no write comes, because
  the step works or sleeps, a thread does so 120 ms after the oldest was written. The thread is one for all writers of
  the process: it starts with the first write, waits on an event while there is nothing to watch, and looks at the clock
  about once in 120 ms while there is.
- A fork leaves the child with an empty buffer: what waited is the parent's.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from itertools import repeat, starmap
from typing import Protocol

from treadle.errors import StoreError
from treadle.state.events import EventLogEntry
from treadle.store.events import EventLog, UnstorableEventError
from treadle.store.leases import Lease

INLINE_S = 0.05
SLEEPING_S = 0.12
_monotonic = time.monotonic
_writers: weakref.WeakSet[EventWriter] = weakref.WeakSet()


class Sink(Protocol):
    """Where a run's events go."""

    def write(self, entry: EventLogEntry) -> None:
        """Take an event. It may wait in memory."""
        ...

    def commit(self) -> None:
        """Return when everything written so far can be read by others."""
        ...

    def close(self) -> None:
        """Commit and take no more."""
        ...


class EventWriter:
    """A `Sink` for a store that others read."""

    def __init__(self, log: EventLog, lease: Lease | None = None) -> None:
        self._log = log
        self._lease = lease
        self._waiting: deque[EventLogEntry] = deque()
        self._oldest = 0.0
        self._closed = False
        self._dropped: UnstorableEventError | None = None  # by the thread; the next commit says so
        self._reference: weakref.ref[EventWriter] = weakref.ref(self)
        self._reset()
        _writers.add(self)

    def _reset(self) -> None:
        self._waiting.clear()
        self._batch: list[EventLogEntry] = []  # what is being committed, or could not be
        self._commit_lock = threading.RLock()
        self._asleep = True

    @property
    def waiting(self) -> int:
        """How many events are not in the store yet."""
        return len(self._waiting) + len(self._batch)

    def write(self, entry: EventLogEntry) -> None:
        """Take an event. Commits if one has waited for longer than 50 ms.

        Raises:
            StoreError: the store could not be written, now or by the thread before. The events still wait.
        """
        waiting = self._waiting
        if waiting:
            waiting.append(entry)
            if _monotonic() - self._oldest > INLINE_S:
                self.commit()
            return
        self._oldest = _monotonic()
        waiting.append(entry)
        if self._asleep and not self._closed:
            self._asleep = False
            _watch.add(self._reference)

    def commit(self) -> None:
        """Store everything written so far in one transaction.

        Raises:
            StoreError: the store could not be written. The events still wait; the next commit tries again.
            UnstorableEventError: one event could not be stored and was dropped; the others were stored.
        """
        if not self._waiting and not self._batch and self._dropped is None:
            return
        with self._commit_lock:
            waiting, batch = self._waiting, self._batch
            # in one go, so that no signal's handler can raise while an event is in neither
            batch.extend(starmap(waiting.popleft, repeat((), len(waiting))))
            dropped, self._dropped = self._dropped, None
            while batch:
                try:
                    self._log.append(batch, batch.clear, self._lease)
                except UnstorableEventError as error:
                    dropped = error
                    del batch[error.place]
            if dropped is not None:
                raise dropped

    def close(self) -> None:
        """Commit, and leave the thread."""
        self._closed = True
        _watch.forget(self._reference)
        self.commit()

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _look(self) -> float | None:
        """Commit what has waited long enough. How long until the next look, in seconds; None: until woken."""
        if not self.waiting:
            _watch.forget(self._reference)
            self._asleep = True
            if not self.waiting:
                return None
            self._asleep = False  # a write between the lines saw no sleeper to wake
            _watch.add(self._reference)
        age = _monotonic() - self._oldest
        if age < SLEEPING_S:
            return SLEEPING_S - age
        try:
            self.commit()
        except UnstorableEventError as error:
            self._dropped = error
        except StoreError:
            pass  # the events still wait: whoever commits next hears of it
        return SLEEPING_S


class _Watch:
    """The thread, and the writers that it looks at: those that have something. It keeps none of them alive."""

    def __init__(self) -> None:
        self._awake: set[weakref.ref[EventWriter]] = set()
        # held until it is to look: an event would stay locked by whoever is interrupted while setting it
        self._until_woken = threading.Lock()
        self._until_woken.acquire()
        self._starting = threading.Lock()
        self._is_started = False

    def add(self, writer: weakref.ref[EventWriter]) -> None:
        """Look at a writer from now on. What was written just now has some time to be committed by its writer."""
        self._awake.add(writer)
        with suppress(RuntimeError):  # it has been woken
            self._until_woken.release()
        if not self._is_started:
            with self._starting:
                if not self._is_started:
                    threading.Thread(target=self._follow, name="treadle-event-writer", daemon=True).start()
                    self._is_started = True

    def forget(self, writer: weakref.ref[EventWriter]) -> None:
        """Look at it no longer."""
        self._awake.discard(writer)

    def _follow(self) -> None:
        while True:
            self._until_woken.acquire()
            pause: float | None = SLEEPING_S
            while pause is not None:
                time.sleep(pause)
                pauses = [self._look(reference) for reference in tuple(self._awake)]
                pause = min((one for one in pauses if one is not None), default=None)

    def _look(self, reference: weakref.ref[EventWriter]) -> float | None:
        writer = reference()
        if writer is not None and not writer._closed:
            return writer._look()
        self.forget(reference)
        return None


_watch = _Watch()


def _after_fork_in_child() -> None:
    _watch.__init__()  # type: ignore[misc]  # the thread is the parent's
    for writer in list(_writers):
        writer._reset()


os.register_at_fork(after_in_child=_after_fork_in_child)
