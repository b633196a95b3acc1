"""Checks that are built: freshness, column schemas, bounds of metadata; the sensor of freshness checks."""

import time
from datetime import timedelta
from typing import Any

import pytest

import dagster as dg

HOUR = timedelta(hours=1)
UPDATED = "dagster/last_updated_timestamp"
COLUMNS = "dagster/column_schema"
WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
DAYS = dg.DailyPartitionsDefinition("2020-01-01")


@dg.asset
def a():
    return 1


@dg.asset(partitions_def=DAYS)
def daily():
    return 1


def columns(**types: str) -> dict[str, Any]:
    return {COLUMNS: dg.TableSchema([dg.TableColumn(name, kind) for name, kind in types.items()])}


def evaluated(instance: Any, checks: Any, *assets: Any) -> Any:
    """The evaluations of `checks`, without making any asset."""
    definitions = dg.Definitions(
        assets=assets or [a, daily],
        asset_checks=checks,
        jobs=[dg.define_asset_job("checks", dg.AssetSelection.checks(*checks))],
    )
    result = definitions.get_job_def("checks").execute_in_process(instance=instance, raise_on_error=False)
    return [*result.get_asset_check_evaluations(), *([] if result.success else [result])]


@pytest.mark.api(
    "build_last_update_freshness_checks.assets", "build_last_update_freshness_checks.lower_bound_delta",
    "build_last_update_freshness_checks.severity",
)  # fmt: skip
@pytest.mark.parametrize(
    ("kind", "age", "passed"),
    [
        (None, 0, False),
        (dg.AssetMaterialization, None, True),
        (dg.AssetMaterialization, 7200, False),
        (dg.AssetObservation, 60, True),
        (dg.AssetObservation, 4000, False),
        (dg.AssetObservation, None, False),  # it does not say when the asset was updated
    ],
    ids=str,
)
def test_an_asset_that_was_updated_lately_is_fresh(instance: Any, kind: Any, age: int | None, passed: bool) -> None:
    if kind is not None:
        said = {} if age is None else {UPDATED: dg.MetadataValue.timestamp(time.time() - age)}
        instance.report_runless_asset_event(kind("a", metadata=said))
    checks = dg.build_last_update_freshness_checks(assets=[a], lower_bound_delta=HOUR, severity=ERROR)
    [evaluation] = evaluated(instance, checks)
    assert (evaluation.asset_key, evaluation.check_name) == (dg.AssetKey("a"), "freshness_check")
    assert (evaluation.passed, evaluation.severity) == (passed, ERROR)
    assert ("dagster/fresh_until_timestamp" in evaluation.metadata) is passed
    assert evaluation.metadata["dagster/freshness_params"].value == {
        "timezone": "UTC", "lower_bound_delta_seconds": 3600.0,
    }  # fmt: skip


def test_the_latest_update_counts_whoever_reported_it(instance: Any) -> None:
    now = time.time()
    instance.report_runless_asset_event(dg.AssetMaterialization("a"))
    instance.report_runless_asset_event(
        dg.AssetObservation("a", metadata={UPDATED: dg.MetadataValue.timestamp(now - 4000)})
    )
    [evaluation] = evaluated(instance, dg.build_last_update_freshness_checks(assets=["a"], lower_bound_delta=HOUR))
    assert evaluation.passed
    assert evaluation.severity == WARN
    assert evaluation.metadata[UPDATED].value >= now


@pytest.mark.api(
    "build_last_update_freshness_checks.deadline_cron", "build_last_update_freshness_checks.timezone",
    "build_last_update_freshness_checks.blocking",
)  # fmt: skip
def test_the_latest_deadline_counts_where_there_are_some(instance: Any) -> None:
    """At noon in Tokyo, or within the hour before it."""
    checks = dg.build_last_update_freshness_checks(
        assets=[a], lower_bound_delta=HOUR, deadline_cron="0 12 * * *", timezone="Asia/Tokyo", blocking=True,
        severity=ERROR,
    )  # fmt: skip
    noon = (int(time.time()) - 3 * 3600) // 86400 * 86400 + 3 * 3600  # Tokyo is nine hours before UTC
    for age, passed in ((3000, True), (4000, False)):
        said = {UPDATED: dg.MetadataValue.timestamp(float(noon - age))}
        instance.report_runless_asset_event(dg.AssetMaterialization("a", metadata=said))
        evaluation, *failed = evaluated(instance, checks)
        assert (evaluation.passed, evaluation.blocking) == (passed, True)
        assert bool(failed) is not passed  # it blocks
        assert evaluation.metadata["dagster/latest_cron_tick_timestamp"].value == noon
        assert evaluation.metadata["dagster/freshness_lower_bound_timestamp"].value == noon - 3600
        if passed:
            assert evaluation.metadata["dagster/fresh_until_timestamp"].value == noon + 86400


@pytest.mark.api(
    "build_time_partition_freshness_checks.assets", "build_time_partition_freshness_checks.deadline_cron",
    "build_time_partition_freshness_checks.timezone", "build_time_partition_freshness_checks.severity",
    "build_time_partition_freshness_checks.blocking",
)  # fmt: skip
@pytest.mark.parametrize("kind", [dg.AssetMaterialization, dg.AssetObservation])
def test_the_partition_that_is_due_has_to_be_there(instance: Any, kind: Any) -> None:
    checks = dg.build_time_partition_freshness_checks(
        assets=[daily], deadline_cron="0 12 * * *", timezone="Asia/Tokyo", severity=ERROR, blocking=True
    )
    noon = (int(time.time()) - 3 * 3600) // 86400 * 86400 + 3 * 3600
    due, before = (time.strftime("%Y-%m-%d", time.gmtime(noon - days * 86400)) for days in (1, 2))
    for partition, passed in ((before, False), (due, True)):
        said = {UPDATED: dg.MetadataValue.timestamp(float(noon))}
        instance.report_runless_asset_event(kind("daily", partition=partition, metadata=said))
        evaluation, *failed = evaluated(instance, checks)
        assert (evaluation.passed, evaluation.severity, evaluation.blocking) == (passed, ERROR, True)
        assert bool(failed) is not passed
        assert due in evaluation.description
        assert evaluation.metadata["dagster/latest_cron_tick_timestamp"].value == noon


def test_a_check_of_partitions_needs_partitions_in_time(instance: Any) -> None:
    [result] = evaluated(instance, dg.build_time_partition_freshness_checks(assets=["a"], deadline_cron="0 9 * * *"))
    assert not result.success


@pytest.mark.parametrize("build", [dg.build_last_update_freshness_checks, dg.build_time_partition_freshness_checks])
def test_deadlines_are_checked_when_they_are_declared(build: Any) -> None:
    more = {"lower_bound_delta": HOUR} if build is dg.build_last_update_freshness_checks else {}
    with pytest.raises(Exception, match=r"(?i)cron"):
        build(assets=[a], deadline_cron="no cron", **more)
    if more:
        with pytest.raises(Exception, match="timedelta"):
            build(assets=[a], lower_bound_delta=60)


@pytest.mark.api(
    "build_sensor_for_freshness_checks.freshness_checks", "build_sensor_for_freshness_checks.name",
    "build_sensor_for_freshness_checks.minimum_interval_seconds", "build_sensor_for_freshness_checks.tags",
    "build_sensor_for_freshness_checks.default_status", "RunRequest.asset_check_keys",
)  # fmt: skip
def test_the_sensor_evaluates_checks_whose_outcome_may_have_changed(instance: Any) -> None:
    checks = dg.build_last_update_freshness_checks(assets=[a], lower_bound_delta=HOUR)
    sensor = dg.build_sensor_for_freshness_checks(
        freshness_checks=checks, name="fresh", minimum_interval_seconds=7, tags={"k": "v"},
        default_status=dg.DefaultSensorStatus.RUNNING,
    )  # fmt: skip
    assert (sensor.name, sensor.minimum_interval_seconds) == ("fresh", 7)
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    definitions = dg.Definitions(assets=[a], asset_checks=checks, sensors=[sensor])

    def asked() -> list[Any]:
        tick = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, definitions=definitions))
        assert bool(tick.run_requests) is not bool(tick.skip_message)
        return [(list(one.asset_check_keys), one.tags["k"]) for one in tick.run_requests]

    def update(age: int) -> None:
        said = {UPDATED: dg.MetadataValue.timestamp(time.time() - age)}
        instance.report_runless_asset_event(dg.AssetMaterialization("a", metadata=said))

    check = [([dg.AssetCheckKey(dg.AssetKey("a"), "freshness_check")], "v")]
    assert asked() == check  # it was never evaluated
    update(age=60)
    evaluated(instance, checks)
    assert asked() == []  # it passed, and the asset is still fresh
    update(age=7200)
    assert evaluated(instance, checks)[0].passed is False
    assert asked() == []  # it did not pass, and nothing has changed
    update(age=7200)
    assert asked() == check
    with pytest.raises(Exception, match=r"twice|uplicate"):
        dg.build_sensor_for_freshness_checks(freshness_checks=[*checks, *checks])


@pytest.mark.api("build_column_schema_change_checks.assets", "build_column_schema_change_checks.severity")
def test_columns_that_change_are_found(instance: Any) -> None:
    checks = dg.build_column_schema_change_checks(assets=[a, "daily"], severity=ERROR)
    steps = [
        (columns(x="int", y="str"), True, ()),  # the first
        (columns(y="str", x="int"), True, ()),  # in another order
        (columns(x="float", z="str"), False, ("y", "z", "int -> float")),
        ({}, False, ()),
        (columns(x="int"), False, ()),
        (columns(x="int"), True, ()),
    ]
    for metadata, passed, words in steps:
        instance.report_runless_asset_event(dg.AssetMaterialization("a", metadata=metadata))
        found = {one.asset_key.to_user_string(): one for one in evaluated(instance, checks)}
        assert (found["a"].check_name, found["a"].severity) == ("column_schema_change", ERROR)
        assert (found["a"].passed, found["daily"].passed) == (passed, True)
        assert all(word in found["a"].description for word in words)


@pytest.mark.api(
    "build_metadata_bounds_checks.assets", "build_metadata_bounds_checks.metadata_key",
    "build_metadata_bounds_checks.min_value", "build_metadata_bounds_checks.max_value",
    "build_metadata_bounds_checks.exclusive_min", "build_metadata_bounds_checks.exclusive_max",
    "build_metadata_bounds_checks.severity",
)  # fmt: skip
@pytest.mark.parametrize(
    ("bounds", "inside", "outside"),
    [
        ({"min_value": 1}, [1, 2.5, 99], [0, "text", None]),
        ({"max_value": 5}, [5, -1], [5.1]),
        ({"min_value": 1, "max_value": 5}, [1, 5], [0, 6]),
        ({"min_value": 1, "max_value": 5, "exclusive_min": True, "exclusive_max": True}, [2, 4.9], [1, 5]),
    ],
    ids=str,
)
def test_numbers_out_of_bounds_are_found(instance: Any, bounds: Any, inside: list[Any], outside: list[Any]) -> None:
    checks = dg.build_metadata_bounds_checks(assets=["a"], metadata_key="my rows", severity=ERROR, **bounds)
    assert not evaluated(instance, checks)[0].passed  # never materialized
    instance.report_runless_asset_event(dg.AssetMaterialization("a"))
    assert not evaluated(instance, checks)[0].passed  # without the metadata
    for value in [*inside, *outside]:
        instance.report_runless_asset_event(dg.AssetMaterialization("a", metadata={"my rows": value}))
        [evaluation] = evaluated(instance, checks)
        assert (evaluation.check_name, evaluation.severity) == ("my_rows_bounds_check", ERROR)
        assert evaluation.passed is (value in inside), value


@pytest.mark.parametrize("bounds", [{}, {"min_value": 3, "max_value": 1}], ids=str)
def test_bounds_that_cannot_be_are_refused(bounds: Any) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.build_metadata_bounds_checks(assets=["a"], metadata_key="n", **bounds)


def test_an_op_for_all_assets_of_a_builder() -> None:
    """Two builders over one asset do not meet, and a definition stands for all of its assets."""

    @dg.multi_asset(specs=[dg.AssetSpec("m"), dg.AssetSpec("n")])
    def several(): ...

    checks = [
        *dg.build_metadata_bounds_checks(assets=[several], metadata_key="x", min_value=1),
        *dg.build_metadata_bounds_checks(assets=[several], metadata_key="y", min_value=1),
        *dg.build_column_schema_change_checks(assets=[several]),
        *dg.build_last_update_freshness_checks(assets=[several], lower_bound_delta=HOUR),
    ]
    assert [sorted(key.asset_key.to_user_string() for key in one.check_keys) for one in checks] == [["m", "n"]] * 4
    dg.Definitions.validate_loadable(dg.Definitions(assets=[several], asset_checks=checks))


@pytest.mark.api(
    "apply_freshness_policy.spec", "apply_freshness_policy.policy", "apply_freshness_policy.overwrite_existing"
)
def test_freshness_policies_are_applied_to_specs() -> None:
    first, second = (dg.FreshnessPolicy.time_window(fail_window=hours * HOUR) for hours in (1, 2))
    spec = dg.apply_freshness_policy(dg.AssetSpec("x", group_name="g"), first)
    assert (spec.freshness_policy, spec.group_name) == (first, "g")
    assert dg.apply_freshness_policy(spec, second).freshness_policy == second
    assert dg.apply_freshness_policy(spec, second, overwrite_existing=False).freshness_policy == first
    with pytest.raises(Exception, match="FreshnessPolicy"):
        dg.apply_freshness_policy(spec, "daily")
