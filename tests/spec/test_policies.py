"""Policies, and what is said when something else is given in their place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import treadle as tr
from treadle.errors import DefinitionError

CONDITION = "automation_condition takes an AutomationCondition, such as"
FRESHNESS = "freshness_policy takes a FreshnessPolicy, such as"
BACKFILL = "backfill_policy takes a BackfillPolicy, such as"
RETRY = "retry_policy takes a RetryPolicy, such as"
PARTITIONS = "partitions_def takes a PartitionsDefinition, such as"


def function() -> None: ...


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tr.AssetSpec("a", automation_condition=3), f"asset 'a': {CONDITION}.* not 3"),  # pyright: ignore
        (lambda: tr.AssetSpec(["p", "a"], freshness_policy=3), f"asset 'p/a': {FRESHNESS}"),  # pyright: ignore
        (lambda: tr.AssetSpec("a", partitions_def="daily"), f"asset 'a': {PARTITIONS}.*'daily'"),  # pyright: ignore
        (
            lambda: tr.AssetSpec("a", automation_condition=tr.AutomationCondition.eager),  # pyright: ignore
            "eager is a function: call it",
        ),
        (
            lambda: tr.AssetSpec("a", partitions_def=tr.DailyPartitionsDefinition),  # pyright: ignore
            "DailyPartitionsDefinition is a class: make an object of it",
        ),
        (lambda: tr.AssetCheckSpec("c", asset="a", automation_condition="x"), f"check 'c': {CONDITION}"),  # pyright: ignore
        (lambda: tr.AssetCheckSpec("c", asset="a", partitions_def=1), f"check 'c': {PARTITIONS}"),  # pyright: ignore
        (lambda: tr.AssetOut(automation_condition=1), f"AssetOut: {CONDITION}"),  # pyright: ignore
        (lambda: tr.AssetOut(freshness_policy=1), f"AssetOut: {FRESHNESS}"),  # pyright: ignore
        (lambda: tr.AssetOut(backfill_policy=1), f"AssetOut: {BACKFILL}"),  # pyright: ignore
        (lambda: tr.asset(automation_condition=1)(function), f"asset 'function': {CONDITION}"),  # pyright: ignore
        (lambda: tr.asset(backfill_policy=1)(function), rf"'function': {BACKFILL}.* \(.*test_policies.*\)"),  # pyright: ignore
        (lambda: tr.asset(retry_policy=3)(function), rf"'function': {RETRY}.* \(.*test_policies.*\)"),  # pyright: ignore
        (lambda: tr.asset(partitions_def=3)(function), f"asset 'function': {PARTITIONS}"),  # pyright: ignore
        (
            lambda: tr.multi_asset(specs=[tr.AssetSpec("a")], partitions_def=3)(function),  # pyright: ignore
            PARTITIONS,
        ),
        (lambda: tr.multi_asset(specs=[tr.AssetSpec("a")], retry_policy=3)(function), RETRY),  # pyright: ignore
        (lambda: tr.op(retry_policy=3)(function), RETRY),  # pyright: ignore
        (lambda: tr.asset_check(asset="a", automation_condition=3)(function), f"check 'function': {CONDITION}"),  # pyright: ignore
        (lambda: tr.define_asset_job("j", automation_condition=3), f"job 'j': {CONDITION}"),  # pyright: ignore
        (lambda: tr.define_asset_job("j", partitions_def=3), f"job 'j': {PARTITIONS}"),  # pyright: ignore
        (lambda: tr.define_asset_job("j", op_retry_policy=3), f"job 'j': op_{RETRY}"),  # pyright: ignore
        (lambda: tr.load_assets_from_modules([], backfill_policy=3), BACKFILL),  # pyright: ignore
    ],
)
def test_other_types_are_named_with_what_to_do(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        make()


def test_the_right_types_pass() -> None:
    days = tr.DailyPartitionsDefinition("2026-01-01")
    made = tr.asset(
        automation_condition=tr.AutomationCondition.on_missing(),
        backfill_policy=tr.BackfillPolicy.single_run(),
        freshness_policy=tr.FreshnessPolicy.time_window(fail_window=timedelta(days=1)),
        retry_policy=tr.RetryPolicy(max_retries=2),
        partitions_def=days,
    )(function)
    assert made.specs[0].automation_condition == tr.AutomationCondition.on_missing()
    assert (made.partitions_def, made.op.retry_policy) == (days, tr.RetryPolicy(max_retries=2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tr.BackfillPolicy(0), "at least 1"),
        (lambda: tr.FreshnessPolicy.time_window(fail_window=timedelta(seconds=59)), "at least one minute"),
        (
            lambda: tr.FreshnessPolicy.time_window(fail_window=timedelta(hours=1), warn_window=timedelta(hours=1)),
            "shorter than fail_window",
        ),
        (
            lambda: tr.FreshnessPolicy.cron(deadline_cron="@daily", lower_bound_delta=timedelta(seconds=1)),
            "at least one minute",
        ),
        (lambda: tr.FreshnessPolicy.cron(deadline_cron="no", lower_bound_delta=timedelta(hours=1)), "no"),
        (
            lambda: tr.FreshnessPolicy.cron(
                deadline_cron="@daily", lower_bound_delta=timedelta(hours=1), timezone="nowhere"
            ),
            "not a time zone",
        ),
        (
            lambda: tr.FreshnessPolicy.cron(deadline_cron="0 9,11 * * *", lower_bound_delta=timedelta(hours=3)),
            "at most 2:00:00",
        ),
        (
            lambda: tr.FreshnessPolicy.cron(deadline_cron="0 9 1 * *", lower_bound_delta=timedelta(days=29)),
            "at most 28 days",
        ),
    ],
)
def test_policies_keep_their_bounds(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        make()


@pytest.mark.parametrize(
    ("cron", "delta"),
    [("@daily", timedelta(days=1)), ("* * * * *", timedelta(minutes=1)), ("*/7 * * * *", timedelta(minutes=4))],
)
def test_a_delta_may_be_as_long_as_the_shortest_interval(cron: str, delta: timedelta) -> None:
    assert tr.FreshnessPolicy.cron(deadline_cron=cron, lower_bound_delta=delta).lower_bound_delta == delta
    with pytest.raises(DefinitionError):
        tr.FreshnessPolicy.cron(deadline_cron=cron, lower_bound_delta=delta + timedelta(seconds=1))
