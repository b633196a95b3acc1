"""What is done about active runs."""

from __future__ import annotations

from typing import Any

import pytest

from treadle.decide.monitor import GRACE_S, Depose, GiveUp, Patience, Start, StopRun, Watched, watch
from treadle.state.runs import RunStatus

NOW = 1000.0


def decided(**given: Any) -> Any:
    run = Watched(**{"run_id": "r", "status": RunStatus.STARTED, "since": NOW - 1, "started": NOW - 1, **given})
    found = watch([run], NOW, Patience(start=180, cancel=60, launch=5))
    return found[0] if found else None


@pytest.mark.parametrize("status", [RunStatus.STARTED, RunStatus.CANCELING, RunStatus.STARTING])
def test_a_run_whose_owner_lives_is_left_alone_however_late_its_lease(status: RunStatus) -> None:
    assert decided(status=status, overdue_s=500.0, owner_lives=True) is None  # it executes the run itself


@pytest.mark.parametrize("status", [RunStatus.STARTED, RunStatus.CANCELING, RunStatus.STARTING])
def test_a_supervisor_that_is_stuck_is_killed_and_what_it_leaves_is_waited_for(status: RunStatus) -> None:
    """prefect#19068: one that is late goes on. prefect#18942: whether it is, is not told by one look at the clock."""
    stuck = {"status": status, "owner_lives": True, "is_kept": True}
    assert decided(**stuck, overdue_s=0.0) is None
    assert decided(**stuck, overdue_s=GRACE_S) is None
    assert isinstance(decided(**stuck, overdue_s=GRACE_S + 1), Depose)
    dead = {**stuck, "owner_lives": False}
    assert decided(**dead, overdue_s=0.0) is None  # its processes are about to die
    assert decided(**dead, overdue_s=GRACE_S) is None
    assert decided(**dead, overdue_s=GRACE_S + 1) is not None


@pytest.mark.parametrize("status", [RunStatus.STARTED, RunStatus.CANCELING])
@pytest.mark.parametrize("lease", [{"overdue_s": 0.0, "owner_lives": False}, {}])
def test_a_run_that_started_and_has_lost_its_owner_ends(status: RunStatus, lease: dict[str, Any]) -> None:
    assert isinstance(decided(status=status, **lease), GiveUp)


def test_an_owner_on_another_machine_is_waited_for_until_its_lease_and_a_grace_have_passed() -> None:
    assert decided(overdue_s=GRACE_S - 1) is None
    assert isinstance(decided(overdue_s=GRACE_S + 1), GiveUp)


def test_a_run_that_nobody_took_up_is_started_again_until_it_is_too_late() -> None:
    waiting = {"status": RunStatus.STARTING, "started": None}
    assert decided(**waiting) == Start("r")
    assert decided(**waiting, launched=NOW - 1) is None
    assert decided(**waiting, launched=NOW - 6) == Start("r")
    late = decided(**waiting, since=NOW - 181)
    assert isinstance(late, GiveUp)
    assert late.failure_reason == "START_TIMEOUT"


def test_a_run_that_takes_too_long_is_stopped_once() -> None:
    slow = {"started": NOW - 20, "max_runtime_s": 10.0, "overdue_s": 0.0, "owner_lives": True}
    assert isinstance(decided(**slow), StopRun)
    assert decided(**slow, status=RunStatus.CANCELING) is None
    assert decided(**{**slow, "max_runtime_s": 30.0}) is None
    assert decided(**{**slow, "max_runtime_s": 20.0 - GRACE_S}) is None  # the run has time to say so itself


def test_a_run_that_does_not_stop_when_it_is_told_to_is_ended() -> None:
    told = {"status": RunStatus.CANCELING, "overdue_s": 0.0, "owner_lives": True, "is_kept": True}
    assert decided(**told, since=NOW - 60) is None
    assert isinstance(decided(**told, since=NOW - 61), Depose)
    assert decided(**{**told, "is_kept": False}, since=NOW - 61) is None  # it executes the run itself
    unending = Watched(**{"run_id": "r", "since": NOW - 9999, **told})  # type: ignore[arg-type]
    assert watch([unending], NOW, Patience(start=180, cancel=None, launch=5)) == []
