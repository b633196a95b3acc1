"""Asking for runs to be executed, or to end. What is asked for is in the store; the daemon is woken to see to it."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from treadle.core import tags
from treadle.core.keys import did_you_mean
from treadle.errors import InvocationError, RunNotFoundError
from treadle.host.instance import Instance
from treadle.host.nudge import DAEMON, POOLS, Listener, nudge
from treadle.host.settings import default_limit
from treadle.runtime import kin
from treadle.state.events import Event, RunCanceled, RunCanceling, RunFailed, RunStarting
from treadle.state.runs import ACTIVE, Run, RunStatus
from treadle.store.leases import Lease
from treadle.store.locations import LocationRecord

T = TypeVar("T")
TERM_S = 15.0
"""How long the lease of a run or a role holds, in seconds. It is renewed three times in that time."""
_SWEEP_S = 1.0
_NEW = frozenset({RunStatus.NOT_STARTED})
_WAITING = frozenset({RunStatus.QUEUED, RunStatus.NOT_STARTED})
_CANCELING = frozenset({RunStatus.CANCELING})
_UNDER_WAY = frozenset({RunStatus.STARTING, RunStatus.STARTED, RunStatus.SUSPENDED})


def submit_run(instance: Instance, run_id: str) -> Run:
    """Hand a run that is stored to the run coordinator; unless settings name another, that puts it into the queue.

    Raises:
        RunNotFoundError: there is no such run.
        InvocationError: it has been submitted or launched before.
        SettingsError: settings name a coordinator that cannot be made.
    """
    from treadle.host.launchers import coordinator_of  # noqa: PLC0415  who executes a run submits none

    run, coordinator = _existing(instance, run_id), coordinator_of(instance)
    return coordinator.submit_run(coordinator.context_type(run, instance, partial(_begin, instance, run_id)))


def launch_run(instance: Instance, run_id: str) -> Run:
    """Have a run that is stored executed now, past the queue and its limits.

    Raises:
        RunNotFoundError: there is no such run.
        InvocationError: it has been submitted or launched before.
    """
    return _begin(instance, run_id, RunStarting())


def _begin(instance: Instance, run_id: str, event: Event) -> Run:
    if not instance.store.transition(run_id, _NEW, [event]):
        run = _existing(instance, run_id)
        raise InvocationError(f"Run {run_id} is {run.status.value}, so it cannot be launched. Make a new run.")
    nudge(instance.home, DAEMON)
    return _existing(instance, run_id)


def cancel_run(instance: Instance, run_id: str) -> bool:
    """Tell a run to end. One that waits is canceled at once; one under way ends soon. False if it has ended.

    Raises:
        RunNotFoundError: there is no such run.
    """
    run = _existing(instance, run_id)
    canceled = RunCanceled(run.job_name)
    if instance.store.transition(run_id, _WAITING, [RunCanceling(), canceled]):
        return True
    if instance.store.transition(run_id, _UNDER_WAY, [RunCanceling()]):
        nudge(instance.home, run_id, DAEMON)
        return True
    return _existing(instance, run_id).status is RunStatus.CANCELING


def take_lease(instance: Instance, name: str) -> Lease | None:
    """Own a run or a role, also if its owner was seen dead; None if somebody else owns it."""
    leases = instance.store.leases
    before = leases.get(name)
    dead = before if before is not None and kin.lives(before.owner) is False else None
    return leases.take(name, kin.identity(), TERM_S, dead)


def claim_slot(instance: Instance, run: Run, lease: Lease, step: str, pool: str, priority: int) -> bool:
    """Ask for a slot of a pool for a step of a run that is owned; whether it has one, see `Pools.claim`."""
    default, rank = default_limit(instance.settings), priority + tags.priority(run.tags)
    return instance.store.pools.claim(lease, pool, step, default, rank)


def free_slots(instance: Instance, run_id: str, step: str | None = None, *, waiting: bool = False) -> None:
    """Free the slot of a step, or all of a run's, and wake who waits for one; see `Pools.free`."""
    if instance.store.pools.free(run_id, step, waiting=waiting):
        nudge(instance.home, POOLS, DAEMON)  # runs may wait in the queue for it


def end_run(instance: Instance, run: Run, told: Sequence[Event], failed: RunFailed) -> None:
    """Write the end of a run that has not written it itself: canceled if that was asked for by now, else failed.

    Args:
        told: what to say before.
        failed: how it has failed.
    """
    canceled = RunCanceled(run.job_name)
    for before, end in ((_CANCELING, canceled), (ACTIVE - _CANCELING, failed), (_CANCELING, canceled)):
        if instance.store.transition(run.run_id, before, [*told, end]):
            return


def has_daemon(instance: Instance) -> bool:
    """Whether somebody executes what is launched."""
    lease = instance.store.leases.get(DAEMON)
    return lease is not None and lease.until > 0 and kin.lives(lease.owner) is not False


def reload_key(location: str) -> str:
    """The name of the cursor that changes when a code location is to be loaded again."""
    return f"reload {location}"


def reload_location(instance: Instance, name: str, patience_s: float = 60.0) -> LocationRecord:
    """Have a daemon load a code location again; how it is then. Runs under way keep their code.

    Raises:
        InvocationError: nobody serves such a location, or it has not been loaded in time.
    """
    names = [record.name for record in instance.store.locations.all()]
    if not has_daemon(instance) or instance.home is None:
        raise InvocationError("Nobody serves code locations in this home. Start `treadle dev` or `treadle daemon run`.")
    if name not in names:
        raise InvocationError(
            f"There is no code location {name!r}.{did_you_mean(name, names)} These are there: "
            f"{', '.join(names) or 'none'}."
        )
    asked = time.time()
    instance.store.cursors.set({reload_key(name): str(uuid4())})
    nudge(instance.home, DAEMON)

    def loaded() -> LocationRecord | None:
        found = (one for one in instance.store.locations.all() if one.name == name)
        return next((one for one in found if one.since > asked and one.state != "loading"), None)

    record = _awaited(instance.home, loaded, patience_s)
    if record is None:
        text = f"The code location {name!r} has not been loaded within {patience_s:g} s. It may be later."
        raise InvocationError(text)
    return record


def await_run(instance: Instance, run_id: str) -> Run:
    """The run, once it has ended.

    Raises:
        RunNotFoundError: there is no such run, or it was deleted meanwhile.
    """
    if instance.home is not None:
        _awaited(instance.home, lambda: _existing(instance, run_id).is_finished or None)
    return _existing(instance, run_id)


def _awaited(home: Path, look: Callable[[], T | None], patience_s: float = math.inf) -> T | None:
    """What `look` gives once it gives something, None if it takes longer. It is called whenever something happens."""
    if (found := look()) is not None:
        return found
    ends = time.monotonic() + patience_s
    with closing(Listener(home, DAEMON)) as listener:
        while (found := look()) is None and time.monotonic() < ends:
            select.select([listener], [], [], _SWEEP_S)
            listener.clear()
    return found


def _existing(instance: Instance, run_id: str) -> Run:
    run = instance.get_run_by_id(run_id)
    if run is None:
        raise RunNotFoundError(f"There is no run {run_id!r}. `treadle run list` shows those that there are.")
    return run
