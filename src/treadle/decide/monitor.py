"""Which runs have lost their owner, or take too long. Every run that was accepted has an end.

A run that never started may be launched again; one that did may not: its user code has run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from treadle.state.runs import RunStatus

GRACE_S = 5.0
"""How long an owner whose lease has run out may take to renew it, and what it leaves may take to die, in seconds."""

_GONE = "Its supervisor is gone, or the process that executed it, and did not say how the run ended."


class Watched(msgspec.Struct, frozen=True):
    """An active run.

    Attributes:
        run_id: its id.
        status: how far it has come.
        since: since when it is that far, in seconds since the epoch.
        started: when it started; None if it has not.
        overdue_s: for how long the lease of its owner has been over, 0 if it is not; None if it has no owner.
        owner_lives: whether the owner's process is there; None if it is on another machine.
        is_kept: whether the owner has started processes, and any of them is there.
        max_runtime_s: how long it may take; None for any time.
        launched: when this daemon launched it; None if it did not.
    """

    run_id: str
    status: RunStatus
    since: float
    started: float | None = None
    overdue_s: float | None = None
    owner_lives: bool | None = None
    is_kept: bool = False
    max_runtime_s: float | None = None
    launched: float | None = None


class Start(msgspec.Struct, frozen=True):
    """Nobody has taken the run up: start its processes."""

    run_id: str


class GiveUp(msgspec.Struct, frozen=True):
    """Write the end of the run, for this reason."""

    run_id: str
    reason: str
    failure_reason: str


class StopRun(msgspec.Struct, frozen=True):
    """Tell the run to stop: it has taken too long."""

    run_id: str
    reason: str


class Depose(msgspec.Struct, frozen=True):
    """Kill the owner of the run: it is stuck, or does not end the run. What it has started ends with it."""

    run_id: str
    reason: str


Decision: TypeAlias = Start | GiveUp | StopRun | Depose


class Patience(msgspec.Struct, frozen=True):
    """How long something may take, in seconds.

    Attributes:
        start: a start.
        cancel: the end of a run that was told to stop; None for any time.
        launch: the time until somebody takes a launched run up. Then it is launched again.
    """

    start: float
    cancel: float | None
    launch: float


def watch(runs: Iterable[Watched], now: float, patience: Patience) -> list[Decision]:
    """What to do about active runs.

    Args:
        runs: those that are starting, started or being canceled.
        now: in seconds since the epoch.
        patience: how long what may take.
    """
    return [decision for run in runs if (decision := _about(run, now, patience)) is not None]


def _about(run: Watched, now: float, patience: Patience) -> Decision | None:
    if run.owner_lives and run.is_kept and (run.overdue_s or 0.0) > GRACE_S:
        return Depose(run.run_id, "Its supervisor has not renewed its lease in time. It is killed, and the run ends.")
    if _has_owner(run):
        return _about_owned(run, now, patience)
    if run.status is RunStatus.CANCELING:
        return GiveUp(run.run_id, f"It was told to stop. {_GONE}", "UNEXPECTED_TERMINATION")
    if run.started is not None or run.status is not RunStatus.STARTING:
        return GiveUp(run.run_id, _GONE, "UNEXPECTED_TERMINATION")
    if now - run.since > patience.start:
        reason = f"It did not start within {patience.start:g} s."
        return GiveUp(run.run_id, reason, "START_TIMEOUT")
    return Start(run.run_id) if run.launched is None or now - run.launched > patience.launch else None


def _about_owned(run: Watched, now: float, patience: Patience) -> Decision | None:
    if run.status is RunStatus.CANCELING:
        if patience.cancel is None or now - run.since <= patience.cancel or not (run.owner_lives and run.is_kept):
            return None
        return Depose(run.run_id, f"It was told to stop and has not ended within {patience.cancel:g} s. It is killed.")
    if run.started is None or run.max_runtime_s is None or now - run.started <= run.max_runtime_s + GRACE_S:
        return None  # the run itself sees to it, and is given time to say so
    return StopRun(run.run_id, f"It has run for longer than the {run.max_runtime_s:g} s that it may.")


def _has_owner(run: Watched) -> bool:
    """Whether a run has an owner, or processes of a dead one that are about to die."""
    if run.overdue_s is None:
        return False
    if run.owner_lives is None:
        return run.overdue_s <= GRACE_S
    return run.owner_lives or (run.is_kept and run.overdue_s <= GRACE_S)
