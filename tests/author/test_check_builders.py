"""Built checks at the edges of time, with a pinned clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import treadle as t
from treadle.author.check_builders import FRESH_UNTIL, LAST_UPDATED

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@t.asset
def a() -> None: ...


@t.asset(partitions_def=t.DailyPartitionsDefinition("2026-03-09"))
def daily() -> None: ...


@pytest.fixture
def instance() -> Any:
    with t.Instance.ephemeral() as instance:
        yield instance


def updated(instance: Any, at: datetime, partition: str | None = None) -> None:
    said = {LAST_UPDATED: t.MetadataValue.timestamp(at)}
    key = "a" if partition is None else "daily"
    instance.report_runless_asset_event(t.AssetMaterialization(key, metadata=said, partition=partition))


def evaluate(instance: Any, checks: Any, now: datetime) -> Any:
    with t.partition_loading_context(effective_dt=now):
        result = t.materialize(
            [a, daily, *checks], selection=t.AssetSelection.checks(*checks), instance=instance, raise_on_error=False
        )
    return next(iter(result.get_asset_check_evaluations()), None)


def until(evaluation: Any) -> datetime | None:
    found = evaluation.metadata.get(FRESH_UNTIL)
    return None if found is None else datetime.fromtimestamp(found.value, UTC)


def test_an_asset_is_fresh_up_to_the_bound_itself(instance: Any) -> None:
    checks = t.build_last_update_freshness_checks(assets=[a], lower_bound_delta=HOUR)
    updated(instance, NOON - HOUR)
    edge = evaluate(instance, checks, NOON)
    assert (edge.passed, until(edge)) == (True, NOON)
    late = evaluate(instance, checks, NOON + timedelta(seconds=1))
    assert (late.passed, until(late)) == (False, None)


def test_a_deadline_counts_from_the_moment_it_is_reached(instance: Any) -> None:
    checks = t.build_last_update_freshness_checks(assets=[a], lower_bound_delta=HOUR, deadline_cron="0 12 * * *")
    updated(instance, NOON - timedelta(days=1))
    before = evaluate(instance, checks, NOON - timedelta(seconds=1))
    assert (before.passed, until(before)) == (True, NOON)
    assert not evaluate(instance, checks, NOON).passed
    updated(instance, NOON - HOUR)
    assert until(evaluate(instance, checks, NOON)) == NOON + timedelta(days=1)


def test_no_partition_is_due_before_the_first_has_ended(instance: Any) -> None:
    checks = t.build_time_partition_freshness_checks(assets=[daily], deadline_cron="0 12 * * *")
    first = evaluate(instance, checks, NOON - timedelta(seconds=1))  # the deadline of yesterday is the latest
    assert (first.passed, first.description) == (True, "No partition is due yet.")
    assert not evaluate(instance, checks, NOON).passed
    updated(instance, NOON, "2026-03-09")
    found = evaluate(instance, checks, NOON)
    assert (found.passed, until(found)) == (True, NOON + timedelta(days=1))
    assert not evaluate(instance, checks, NOON + timedelta(days=1)).passed


def test_what_is_no_time_is_no_update(instance: Any) -> None:
    checks = t.build_last_update_freshness_checks(assets=[a], lower_bound_delta=HOUR)
    instance.report_runless_asset_event(t.AssetObservation("a", metadata={LAST_UPDATED: 5.0}))
    assert evaluate(instance, checks, NOON) is None  # the step failed


def test_no_assets_are_no_checks() -> None:
    assert t.build_column_schema_change_checks(assets=[]) == []
