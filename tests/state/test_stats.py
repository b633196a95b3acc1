"""Counts and times of a run and its steps."""

from __future__ import annotations

from treadle.state import stats
from treadle.state.events import (
    AssetMaterialized,
    EventLogEntry,
    LogMessage,
    RunEnqueued,
    RunFailed,
    RunStarted,
    RunStarting,
    StepFailed,
    StepRestarted,
    StepSkipped,
    StepStarted,
    StepSucceeded,
    StepUpForRetry,
)
from treadle.state.facts import AssetMaterialization
from treadle.state.records import RunStats, StepStats

LOG = [
    EventLogEntry("r", float(at), event)
    for at, event in enumerate(
        [
            RunEnqueued(),
            RunStarting(),
            RunStarted("job"),
            StepStarted("a"),
            AssetMaterialized(AssetMaterialization("a"), "a"),
            StepSucceeded("a", 1.0),
            StepStarted("b"),
            StepUpForRetry("b"),
            StepRestarted("b"),
            LogMessage("hello", step_key="b"),
            StepFailed("b"),
            StepSkipped("c"),
            StepStarted("d"),
            RunFailed("job"),
        ]
    )
]


def test_counts_and_times_of_a_run() -> None:
    assert stats.of_run("r", LOG) == RunStats(
        run_id="r",
        steps_succeeded=1,
        steps_failed=1,
        materializations=1,
        enqueued_time=0.0,
        launch_time=1.0,
        start_time=2.0,
        end_time=13.0,
    )
    assert stats.of_run("r", []) == RunStats(run_id="r")


def test_steps_of_a_run() -> None:
    def step(key: str, status: str, start: float | None, end: float | None, attempts: int, made: int = 0) -> StepStats:
        return StepStats(
            run_id="r",
            step_key=key,
            status=status,
            start_time=start,
            end_time=end,
            attempts=attempts,
            materializations=made,
        )

    assert stats.of_steps("r", LOG) == [
        step("a", "SUCCESS", 3.0, 5.0, 1, 1),
        step("b", "FAILURE", 6.0, 10.0, 2),
        step("c", "SKIPPED", None, 11.0, 0),
        step("d", "IN_PROGRESS", 12.0, None, 1),
    ]
    assert [found.step_key for found in stats.of_steps("r", LOG, ["b", "x"])] == ["b"]
