"""Sensors over runs where their code location is known, and what is kept of a function that fails for a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import treadle as t


@t.op
def work() -> int:
    return 1


@t.job
def daily() -> None:
    work()


@pytest.fixture
def instance() -> Iterator[t.Instance]:
    with t.Instance.ephemeral() as instance:
        yield instance


def evaluated(sensor: Any, instance: t.Instance, *locations: str | None, here: str | None = None) -> Any:
    """An evaluation of a sensor in the location `here`, after a run of `daily` from each of these."""

    def tick(cursor: str | None) -> Any:
        return sensor.evaluate_tick(
            t.SensorEvaluationContext(instance=instance, cursor=cursor, sensor_name=sensor.name, location_name=here)
        )

    started = tick(None)
    for location in locations:
        tags = {".dagster/repository": f"__repository__@{location}"} if location else {}
        daily.execute_in_process(instance=instance, tags=tags)
    return tick(started.cursor)


@pytest.mark.parametrize(
    ("here", "given", "seen"),
    [
        ("shop", {}, ["shop", None]),
        ("shop", {"monitored_jobs": [daily]}, ["shop", None]),
        ("shop", {"monitor_all_code_locations": True}, ["shop", None, "bank"]),
        ("shop", {"monitored_jobs": [t.CodeLocationSelector("bank")]}, ["bank"]),
        ("shop", {"monitored_jobs": [t.JobSelector("bank", job_name="daily"), daily]}, ["shop", None, "bank"]),
        (None, {}, ["shop", None, "bank"]),
    ],
)
def test_a_sensor_sees_runs_of_its_own_location_unless_it_says_otherwise(
    here: str | None, given: dict[str, Any], seen: list[str | None], instance: t.Instance
) -> None:
    found: list[str | None] = []

    @t.run_status_sensor(t.RunStatus.SUCCESS, **given)
    def watch(context: t.RunStatusSensorContext) -> None:
        found.append(context.run.tags.get(".dagster/repository", "").partition("@")[2] or None)

    evaluated(watch, instance, "shop", None, "bank", here=here)
    assert found == seen


def test_what_a_function_raises_for_a_run_is_kept_with_the_run(instance: t.Instance) -> None:
    @t.run_status_sensor(t.RunStatus.SUCCESS)
    def watch(context: t.RunStatusSensorContext) -> Any:
        raise ValueError(f"no mail for {context.run.job_name}")

    tick = evaluated(watch, instance, None, None)
    assert [error.cls_name for error in tick.run_errors.values()] == ["ValueError", "ValueError"]
    assert all("no mail for daily" in error.to_string() for error in tick.run_errors.values())
    assert set(tick.run_errors) == {run.run_id for run in instance.get_runs()}


def test_what_is_no_job_cannot_be_watched() -> None:
    with pytest.raises(t.DefinitionError, match="'daily'"):
        t.run_status_sensor(t.RunStatus.SUCCESS, "x", monitored_jobs=["daily"])(lambda context: None)
