"""A run that this process executes itself: meanwhile it owns the run's lease, and its steps hold slots of pools.

Beside its work the process renews the lease, asks for slots, and interrupts the run, as Ctrl-C would, when somebody
cancels it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress

from treadle.errors import FencedError, StoreError
from treadle.host.instance import Instance
from treadle.host.launching import TERM_S, claim_slot, free_slots, take_lease
from treadle.host.nudge import kept, nudge
from treadle.runtime import kin
from treadle.runtime.clock import Repeated
from treadle.state.runs import Run, RunStatus
from treadle.store.leases import Lease

_LOOK_S = 1.0
_CLAIM_S = 0.1


class Ownership:
    """Owns a new run, which it stores; the `Slots` of the run's steps.

    Args:
        instance: where the run is recorded: one that has a home.
        run: the run.
    """

    def __init__(self, instance: Instance, run: Run) -> None:
        self._instance = instance
        self._run = run
        with instance.store.database.transaction():
            instance.add_run(run)
            lease = take_lease(instance, run.run_id)
        assert lease is not None  # nobody else knew of it
        self.lease: Lease = lease
        self._claims: dict[str, tuple[str, int]] = {}  # the pool and the priority of each step that waits
        self._granted: set[str] = set()
        self._readable, self._writable = -1, -1  # a pipe, once somebody waits for slots
        self._renew_at, self._look_at = time.monotonic() + TERM_S / 3, 0.0
        # nobody can interrupt what another thread does
        self._was_told = threading.current_thread() is not threading.main_thread()
        self._seeing_to_it = Repeated(self._see_to_it)
        self._seeing_to_it.start(_LOOK_S)

    def close(self) -> None:
        """Own it no longer, and hold nothing."""
        self._seeing_to_it.stop()
        with suppress(StoreError):  # the run has failed for it
            if self._readable >= 0:
                free_slots(self._instance, self._run.run_id)
            self._instance.store.leases.release(self.lease)
        if self._readable >= 0:
            os.close(self._readable)
            os.close(self._writable)

    # --- slots --------------------------------------------------------------------------------------------------------

    def claim(self, step: str, pool: str, priority: int) -> None:
        """Ask for a slot of a pool."""
        self.fileno()
        if self._try(step, pool, priority):
            self._grant(step)
        else:
            self._claims[step] = (pool, priority)
            self._seeing_to_it.soon()

    def granted(self) -> set[str]:
        """The steps that have been given a slot since this was asked last.

        Raises:
            FencedError: another process owns the run.
        """
        given = set[str]()
        while self._granted:
            given.add(self._granted.pop())
            os.read(self._readable, 1)
        return given

    def free(self, step: str) -> None:
        """A step holds its slot no longer."""
        free_slots(self._instance, self._run.run_id, step)

    def fileno(self) -> int:
        """The descriptor that becomes readable when a slot has been given."""
        if self._readable < 0:
            self._readable, self._writable = os.pipe()
        return self._readable

    def _try(self, step: str, pool: str, priority: int) -> bool:
        return claim_slot(self._instance, self._run, self.lease, step, pool, priority)

    def _grant(self, step: str) -> None:
        self._granted.add(step)
        os.write(self._writable, b"!")

    # --- in a thread --------------------------------------------------------------------------------------------------

    def _see_to_it(self) -> float | None:
        try:
            self._look()
        except FencedError:
            return None  # the run hears of it with its next event
        except StoreError:
            pass  # whoever writes next hears of it
        return _CLAIM_S if self._claims else _LOOK_S

    def _look(self) -> None:
        """Ask for slots, renew the lease, and see whether the run is to end, each if it is time."""
        for step, (pool, priority) in list(self._claims.items()):
            if self._try(step, pool, priority):
                del self._claims[step]
                self._grant(step)
        now = time.monotonic()
        if now >= self._renew_at:
            self._renew_at = now + TERM_S / 3
            self._instance.store.leases.renew(self.lease, TERM_S)
        if now >= self._look_at:
            self._look_at = now + _LOOK_S
            if self._claims:
                self._free_the_dead()
            run = self._instance.get_run_by_id(self._run.run_id)
            if run is not None and run.status is RunStatus.CANCELING and not self._was_told:
                self._was_told = True
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def _free_the_dead(self) -> None:
        """Take the slots from runs whose processes are dead, as a daemon would if there is one."""
        store = self._instance.store
        users = {run_id for pool in store.pools.all() for run_id, _ in (*pool.holders, *pool.waiting)}
        for run_id in users - {self._run.run_id}:
            lease = store.leases.get(run_id)
            dead = lease is not None and lease.until > 0 and kin.lives(lease.owner) is False
            if lease is not None and dead and not nudge(self._instance.home, kept(run_id)):
                store.leases.release(lease)
