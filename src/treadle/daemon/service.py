"""The daemon's own life: take the leader's lease, then look at everything whenever something has happened.

It sleeps until it is nudged, a child process ends, or a second sweep finds that somebody else has written. A daemon
that finds another leader waits until that one is gone. Runs do not need it to go on.
"""

from __future__ import annotations

import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from treadle.daemon.runs import Monitor, Queue, Starter
from treadle.host.front import Front
from treadle.host.instance import Instance
from treadle.host.launching import DAEMON, cancel_run
from treadle.host.nudge import Listener
from treadle.host.supervisor import GRACE_S
from treadle.host.targets import Target
from treadle.runtime import kin
from treadle.state.runs import ACTIVE, RunsFilter
from treadle.store.leases import Lease

TERM_S = 15.0
SWEEP_S = 2.0


class Service:
    """A daemon and the fronts of its locations.

    Args:
        home: the home.
        targets: the locations.
        ready: called once the locations are loaded.
        grace_s: how long runs that are told to stop may take, in seconds.
    """

    def __init__(
        self,
        home: Path,
        targets: Iterable[Target],
        ready: Callable[[], None] = lambda: None,
        *,
        grace_s: float = GRACE_S,
    ) -> None:
        self._instance = Instance.get(home)
        self._home = home
        self._front = Front(home, targets, grace_s)
        self._ready = ready
        self._lease: Lease | None = None
        self._is_stopping = False

    def run(self, *, cancels: bool = False) -> None:
        """Until a signal ends it.

        Args:
            cancels: whether the runs under way end with it.
        """
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        listener = Listener(self._home, DAEMON)
        try:
            self._front.wait()
            self._ready()
            with selectors.DefaultSelector() as waiting:
                waiting.register(listener, selectors.EVENT_READ, listener.clear)
                waiting.register(woken, selectors.EVENT_READ, lambda: woken.recv(64) == b"")
                for source, take in self._front.sources():
                    waiting.register(source, selectors.EVENT_READ, take)
                self._serve(waiting)
                if cancels:
                    self._cancel_all(waiting)
        finally:
            signal.set_wakeup_fd(-1)
            wake.close()
            woken.close()
            listener.close()
            if self._lease is not None:
                self._instance.store.leases.release(self._lease)
            self._front.close()
            self._instance.close()

    def _serve(self, waiting: selectors.BaseSelector) -> None:
        starter = Starter(self._instance, self._front.launch)
        loops = (Queue(self._instance, starter), Monitor(self._instance, starter))
        renew_at = 0.0
        while not self._is_stopping:
            if time.monotonic() >= renew_at:
                renew_at = time.monotonic() + TERM_S / 3
                self._lead()
            version = self._instance.store.database.data_version()
            if self._lease is not None:
                for loop in loops:
                    loop.look()
            while not self._is_stopping and not _woken(waiting, SWEEP_S):
                if time.monotonic() >= renew_at or self._instance.store.database.data_version() != version:
                    break

    def _lead(self) -> None:
        leases = self._instance.store.leases
        if self._lease is None or not leases.renew(self._lease, TERM_S):
            leader = leases.get(DAEMON)
            dead = leader if leader is not None and kin.lives(leader.owner) is False else None
            self._lease = leases.take(DAEMON, kin.identity(), TERM_S, dead)

    def _cancel_all(self, waiting: selectors.BaseSelector) -> None:
        """End the runs under way; returns once they have ended, or after a second."""
        active = RunsFilter(statuses=list(ACTIVE))
        for run in self._instance.get_runs(active):
            cancel_run(self._instance, run.run_id)
        deadline = time.monotonic() + 1.0
        while self._instance.get_runs_count(active) and (left := deadline - time.monotonic()) > 0:
            _woken(waiting, left)

    def _stop(self, *_: object) -> None:
        self._is_stopping = True


def _woken(waiting: selectors.BaseSelector, patience_s: float) -> bool:
    """Wait for something to happen; whether it did."""
    happened = waiting.select(patience_s)
    for key, _ in happened:
        if key.data():
            waiting.unregister(key.fileobj)
    return bool(happened)
