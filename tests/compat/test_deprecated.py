"""Forms of older versions: they work, warn, and say what to use instead."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

import dagster as dg
from dagster import deprecated

AC = dg.AutomationCondition
Rule = dg.AutoMaterializeRule
LAG = timedelta(minutes=90)
FRESH = dg.FreshnessPolicy.time_window(fail_window=LAG)


def warns(match: str) -> Any:
    return pytest.warns(DeprecationWarning, match=match)


@pytest.mark.parametrize(
    "use",
    [
        lambda: dg.FreshnessPolicy(maximum_lag_minutes=5),  # pyright: ignore[reportCallIssue]
        lambda: dg.LegacyFreshnessPolicy(maximum_lag_minutes=5),
        lambda: dg.AutoMaterializePolicy(rules={Rule.materialize_on_missing()}),
        dg.AutoMaterializePolicy.eager,
        lambda: from_asset(compute_kind="sql"),
        lambda: dg.AssetSpec("x", tags={"n": 4}),
        lambda: dg.daily_schedule(nothing),
        lambda: dg.DagsterInstance.ephemeral().get_run_ids([dg.DagsterRunStatus.FAILURE]),
    ],
)
def test_a_warning_is_at_the_line_of_the_user(use: Callable[[], Any]) -> None:
    """Python shows deprecations of a program's own lines, and hides those of libraries."""
    with warns("deprecated") as warned:
        use()
    assert [one.filename for one in warned] == [__file__]


def nothing() -> None: ...


# --- freshness -------------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "LegacyFreshnessPolicy.maximum_lag_minutes", "LegacyFreshnessPolicy.cron_schedule",
    "LegacyFreshnessPolicy.cron_schedule_timezone", "deprecated.FreshnessPolicy.maximum_lag_minutes",
    "deprecated.FreshnessPolicy.cron_schedule", "deprecated.FreshnessPolicy.cron_schedule_timezone",
)  # fmt: skip
@pytest.mark.parametrize(
    ("given", "means"),
    [
        ({"maximum_lag_minutes": 90}, FRESH),
        (
            {"maximum_lag_minutes": 90, "cron_schedule": "0 9 * * *"},
            dg.FreshnessPolicy.cron(deadline_cron="0 9 * * *", lower_bound_delta=LAG),
        ),
        (
            {"maximum_lag_minutes": 90, "cron_schedule": "0 9 * * *", "cron_schedule_timezone": "Europe/Berlin"},
            dg.FreshnessPolicy.cron(deadline_cron="0 9 * * *", lower_bound_delta=LAG, timezone="Europe/Berlin"),
        ),
    ],
    ids=lambda value: str(len(value)) if isinstance(value, dict) else "",
)
def test_lag_in_minutes(given: dict[str, Any], means: Any) -> None:
    with warns("FreshnessPolicy.time_window"):
        old = deprecated.FreshnessPolicy(**given)
    assert isinstance(old, dg.LegacyFreshnessPolicy)
    assert (old.maximum_lag_minutes, old.maximum_lag_delta) == (90.0, LAG)
    assert (old.cron_schedule, old.cron_schedule_timezone) == tuple(
        given.get(name) for name in ("cron_schedule", "cron_schedule_timezone")
    )
    assert old.to_freshness_policy() == means
    with warns("FreshnessPolicy.time_window"):
        assert dg.FreshnessPolicy(**given) == means  # pyright: ignore[reportCallIssue]
    assert isinstance(means, dg.FreshnessPolicy)
    assert issubclass(type(means), dg.FreshnessPolicy)
    assert not isinstance(old, dg.FreshnessPolicy)


@pytest.mark.parametrize(
    "wrong",
    [{"cron_schedule": "no cron"}, {"cron_schedule_timezone": "UTC"},
     {"cron_schedule": "0 9 * * *", "cron_schedule_timezone": "nowhere"}],
    ids=str,
)  # fmt: skip
def test_lags_that_mean_nothing(wrong: dict[str, str]) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError), warns("maximum_lag_minutes"):
        dg.LegacyFreshnessPolicy(maximum_lag_minutes=1, **wrong)


# --- policies of automatic materialization ---------------------------------------------------------------------------


def rules() -> dict[str, Callable[[], Any]]:
    return {
        "cron": lambda: Rule.materialize_on_cron("0 9 * * *", "Europe/Berlin"),
        "all of a cron": lambda: Rule.materialize_on_cron("0 9 * * *", all_partitions=True),
        "freshness": Rule.materialize_on_required_for_freshness,
        "updated": Rule.materialize_on_parent_updated,
        "updated by": lambda: Rule.materialize_on_parent_updated(
            updated_parent_filter=dg.AutoMaterializeAssetPartitionsFilter(latest_run_required_tags={"k": "v"})
        ),
        "missing": Rule.materialize_on_missing,
        "parent missing": Rule.skip_on_parent_missing,
        "parent outdated": Rule.skip_on_parent_outdated,
        "no parent": Rule.skip_on_required_but_nonexistent_parents,
        "backfill": Rule.skip_on_backfill_in_progress,
        "backfill of all": lambda: Rule.skip_on_backfill_in_progress(all_partitions=True),
        "not all": Rule.skip_on_not_all_parents_updated,
        "not all partitions": lambda: Rule.skip_on_not_all_parents_updated(
            require_update_for_all_parent_partitions=True
        ),
    }


def test_rules_are_equal_if_made_alike() -> None:
    made = [make() for make in rules().values()]
    assert [make() for make in rules().values()] == made
    assert len(set(made)) == len(made)


@pytest.mark.api(
    "AutoMaterializeRule.materialize_on_cron", "AutoMaterializeRule.materialize_on_missing",
    "AutoMaterializeRule.materialize_on_parent_updated", "AutoMaterializeRule.materialize_on_required_for_freshness",
    "AutoMaterializeRule.skip_on_parent_missing", "AutoMaterializeRule.skip_on_parent_outdated",
    "AutoMaterializeRule.skip_on_required_but_nonexistent_parents", "AutoMaterializeRule.skip_on_backfill_in_progress",
    "AutoMaterializeAssetPartitionsFilter.latest_run_required_tags", "AutoMaterializePolicy.rules",
)  # fmt: skip
@pytest.mark.parametrize(
    ("rule", "part"),
    [
        (
            "cron",
            "in_latest_time_window & cron_tick_passed(cron_schedule=0 9 * * *, cron_timezone=Europe/Berlin)",
        ),
        ("all of a cron", "cron_tick_passed(cron_schedule=0 9 * * *, cron_timezone=UTC).since(handled)"),
        ("freshness", "freshness_failed | freshness_warned"),
        ("updated", "any_deps_updated.since(handled)"),
        ("updated by", "executed_with_tags"),
        ("missing", "newly_missing.since(newly_requested | newly_updated)"),
        ("parent missing", "any_deps_missing"),
        ("parent outdated", "any_deps_match(any_deps_updated.since(newly_updated))"),
        ("no parent", "any_deps_missing"),
        ("backfill", "backfill_in_progress"),
    ],
)
def test_what_rules_mean(rule: str, part: str) -> None:
    made = rules()[rule]()
    with warns("AutomationCondition"):
        policy = dg.AutoMaterializePolicy(rules={made, Rule.materialize_on_missing()})
    assert policy.rules == {made, Rule.materialize_on_missing()}
    makes, _, waits = str(policy.to_automation_condition()).rpartition(" & ~")
    assert part in (waits if made.skips else makes)
    assert part not in (makes if made.skips else waits)


@pytest.mark.api("AutoMaterializeRule.skip_on_not_all_parents_updated")
def test_a_rule_that_no_condition_says() -> None:
    rule = Rule.skip_on_not_all_parents_updated(require_update_for_all_parent_partitions=True)
    with warns("AutoMaterializePolicy"):
        policy = dg.AutoMaterializePolicy.eager().with_rules(rule)
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=r"all_deps_updated_since_cron"):
        policy.to_automation_condition()


@pytest.mark.api(
    "AutoMaterializePolicy.eager", "AutoMaterializePolicy.lazy", "AutoMaterializePolicy.rules",
    "AutoMaterializePolicy.with_rules", "AutoMaterializePolicy.without_rules",
    "AutoMaterializePolicy.max_materializations_per_minute", "AutoMaterializePolicy.asset_condition",
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_policies_of_automatic_materialization() -> None:
    eager, lazy = dg.AutoMaterializePolicy.eager(max_materializations_per_minute=5), dg.AutoMaterializePolicy.lazy()
    assert (eager.max_materializations_per_minute, lazy.max_materializations_per_minute) == (5, 1)
    assert eager.rules - lazy.rules == {Rule.materialize_on_missing(), Rule.materialize_on_parent_updated()}
    assert lazy.with_rules(*eager.rules).rules == eager.rules
    less = eager.without_rules(Rule.materialize_on_missing())
    assert eager.rules - less.rules == {Rule.materialize_on_missing()}
    assert less == less.without_rules()
    assert len({eager, lazy, less}) == 3
    condition = AC.on_cron("@daily")
    own = dg.AutoMaterializePolicy(rules=set(), asset_condition=condition)
    assert own.asset_condition is own.to_automation_condition() is condition
    for wrong in (
        lambda: less.without_rules(Rule.materialize_on_missing()),
        lambda: dg.AutoMaterializePolicy(rules=set()),
        lambda: dg.AutoMaterializePolicy(rules=eager.rules, asset_condition=condition),
        lambda: dg.AutoMaterializePolicy.lazy(max_materializations_per_minute=0),
        lambda: dg.AutoMaterializePolicy(rules={Rule.skip_on_parent_missing()}).to_automation_condition(),
    ):
        with pytest.raises(dg.DagsterInvalidDefinitionError):
            wrong()


# --- where they are given --------------------------------------------------------------------------------------------


@pytest.fixture
def old() -> dict[str, Any]:
    with warns("deprecated"):
        return {
            "auto_materialize_policy": dg.AutoMaterializePolicy.eager(),
            "legacy_freshness_policy": dg.LegacyFreshnessPolicy(maximum_lag_minutes=90),
        }


def from_asset(**given: Any) -> Any:
    @dg.asset(**given)
    def x(): ...

    return x.get_asset_spec()


def from_graph_asset(**given: Any) -> Any:
    @dg.op
    def make(): ...

    @dg.graph_asset(**given)
    def x():
        return make()

    return x.get_asset_spec()


def from_asset_out(**given: Any) -> Any:
    @dg.multi_asset(outs={"x": dg.AssetOut(**given)})
    def make(): ...

    return make.get_asset_spec(dg.AssetKey("x"))


MADE = {
    "asset": from_asset, "graph_asset": from_graph_asset, "AssetOut": from_asset_out,
    "AssetSpec": lambda **given: dg.AssetSpec("x", **given),
}  # fmt: skip


@pytest.mark.api(
    "asset.auto_materialize_policy", "asset.legacy_freshness_policy", "graph_asset.auto_materialize_policy",
    "graph_asset.legacy_freshness_policy", "AssetOut.auto_materialize_policy", "AssetOut.legacy_freshness_policy",
    "AssetSpec.auto_materialize_policy", "AssetSpec.legacy_freshness_policy",
)  # fmt: skip
@pytest.mark.parametrize("kind", MADE)
def test_old_policies_of_an_asset(old: dict[str, Any], kind: str) -> None:
    with warns(
        rf"{kind}\((auto_materialize|legacy_freshness)_policy=.*use (automation_condition|freshness_policy)|no eff"
    ):
        spec = MADE[kind](**old)
    assert spec.automation_condition == old["auto_materialize_policy"].to_automation_condition()
    assert spec.legacy_freshness_policy == old["legacy_freshness_policy"]
    assert spec.replace_attributes(group_name="g").legacy_freshness_policy == old["legacy_freshness_policy"]
    assert spec.freshness_policy == (None if kind == "graph_asset" else FRESH)
    assert dg.AssetSpec("y").legacy_freshness_policy is None
    with pytest.raises(dg.DagsterInvariantViolationError, match="not both"), warns("auto_materialize_policy"):
        MADE[kind](auto_materialize_policy=old["auto_materialize_policy"], automation_condition=AC.eager())


@pytest.mark.api("SourceAsset.legacy_freshness_policy")
def test_old_policies_of_a_source_asset(old: dict[str, Any]) -> None:
    source = dg.SourceAsset("s", legacy_freshness_policy=old["legacy_freshness_policy"])
    assert source.legacy_freshness_policy == old["legacy_freshness_policy"]


@pytest.mark.parametrize("kind", ["asset", "AssetOut", "AssetSpec"])
def test_a_legacy_policy_in_place_of_one_of_today(old: dict[str, Any], kind: str) -> None:
    with warns(rf"{kind}\(freshness_policy="):
        assert MADE[kind](freshness_policy=old["legacy_freshness_policy"]).freshness_policy == FRESH


@pytest.mark.api(
    "load_assets_from_modules.auto_materialize_policy", "load_assets_from_modules.legacy_freshness_policy",
    "load_assets_from_package_module.auto_materialize_policy",
    "load_assets_from_package_module.legacy_freshness_policy",
    "load_assets_from_package_name.auto_materialize_policy", "load_assets_from_package_name.legacy_freshness_policy",
    "load_assets_from_current_module.auto_materialize_policy",
    "load_assets_from_current_module.legacy_freshness_policy", "load_assets_from_current_module.automation_condition",
)  # fmt: skip
@pytest.mark.parametrize("name", ["modules", "package_module", "package_name", "current_module"])
def test_old_policies_of_loaded_assets(
    old: dict[str, Any], name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shop.py").write_text("import dagster as dg\n@dg.asset\ndef x(): ...\n")
    shop = importlib.import_module("shop")
    if name == "current_module":
        space: dict[str, Any] = {"__name__": "here", "dg": dg, "old": old, "AC": AC}
        with warns("load_assets_from_current_module"):
            exec(
                "@dg.asset\ndef x(): ...\n"
                "load = dg.load_assets_from_current_module\n"
                "found, plain = load('g', **old), load(automation_condition=AC.eager())\n",
                space,
            )
        found = space["found"]
        assert space["plain"][0].get_asset_spec().automation_condition == AC.eager()
        assert found[0].get_asset_spec().group_name == "g"
    else:
        load, given = {
            "modules": (dg.load_assets_from_modules, [shop]),
            "package_module": (dg.load_assets_from_package_module, shop),
            "package_name": (dg.load_assets_from_package_name, "shop"),
        }[name]
        with warns(f"load_assets_from_{name}"):
            found = load(given, **old)
    spec = found[0].get_asset_spec()
    assert spec.automation_condition == old["auto_materialize_policy"].to_automation_condition()
    assert spec.freshness_policy == FRESH


@pytest.mark.parametrize("kind", ["asset", "AssetOut", "AssetSpec"])
def test_numbers_as_tags_are_texts(kind: str) -> None:
    with warns(rf"{kind}\(tags=.*string"):
        assert MADE[kind](tags={"n": 4, "t": "x"}).tags == {"n": "4", "t": "x"}


# --- schedules -------------------------------------------------------------------------------------------------------


@dg.op(config_schema={"day": str})
def tell(context: dg.OpExecutionContext) -> str:
    return context.op_config["day"]


@dg.job
def report() -> None:
    tell()


def tick(schedule: Any, *at: int) -> Any:
    due = datetime(*at, tzinfo=UTC)  # type: ignore[misc]
    return schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=due))


@pytest.mark.parametrize(
    ("make", "given", "cron", "start"),
    [
        (dg.hourly_schedule, {"execution_time": time(0, 20)}, "20 * * * *", "2026-03-10 11"),
        (dg.daily_schedule, {"execution_time": time(6, 30)}, "30 6 * * *", "2026-03-09 00"),
        (dg.weekly_schedule, {"execution_day_of_week": 2}, "0 0 * * 2", "2026-03-01 00"),
        (dg.monthly_schedule, {"execution_day_of_month": 10}, "0 0 10 * *", "2026-02-01 00"),
        (dg.weekly_schedule, {}, "0 0 * * 0", "2026-03-01 00"),
        (dg.monthly_schedule, {}, "0 0 1 * *", "2026-02-01 00"),
    ],
)
def test_schedules_of_whole_periods(make: Any, given: dict[str, Any], cron: str, start: str) -> None:
    with warns("use @schedule"):

        @make(
            job_name="report", start_date=datetime(2026, 1, 1), tags_fn_for_date=lambda day: {"d": f"{day:%d}"}, **given
        )
        def every(day: datetime) -> dict[str, Any]:
            """What it is for."""
            return {"ops": {"tell": {"config": {"day": f"{day:%Y-%m-%d %H}"}}}}

    assert (every.name, every.cron_schedule, every.description) == ("every", cron, "What it is for.")
    assert every.job_name == "report"
    [request] = tick(every, 2026, 3, 10, 12, 20).run_requests
    assert request.run_config == {"ops": {"tell": {"config": {"day": start}}}}
    assert request.tags["d"] == start[8:10]
    assert report.execute_in_process(run_config=request.run_config).output_for_node("tell") == start
    assert every(datetime(2026, 5, 1)) == {"ops": {"tell": {"config": {"day": "2026-05-01 00"}}}}
    dg.Definitions.validate_loadable(dg.Definitions(jobs=[report], schedules=[every]))


def test_days_before_the_start_and_after_the_end_are_skipped() -> None:
    with warns("daily_schedule"):

        @dg.daily_schedule(
            pipeline_name="report", name="named", start_date=datetime(2026, 3, 10), end_date=datetime(2026, 3, 11),
            execution_timezone="Asia/Tokyo",
        )  # fmt: skip
        def fn(day: datetime) -> dict[str, Any]:
            return {}

    assert (fn.name, fn.execution_timezone) == ("named", "Asia/Tokyo")
    for day, runs in ((9, 0), (10, 1), (11, 0)):
        found = tick(fn, 2026, 3, day, 15)  # the day after, in Tokyo
        assert len(found.run_requests) == runs
        assert bool(found.skip_message) is not bool(runs)


def test_a_schedule_without_a_job_is_about_all_assets() -> None:
    with warns("daily_schedule"):

        @dg.daily_schedule
        def ingest() -> Any:
            return dg.build_asset_context(partition_key="2026-03-09")

    made = []

    @dg.asset(partitions_def=dg.DailyPartitionsDefinition("2026-03-01"))
    def rows(context: dg.AssetExecutionContext) -> None:
        made.append(context.partition_key)

    definitions = dg.Definitions(assets=[rows], schedules=[ingest])
    dg.Definitions.validate_loadable(definitions)
    [request] = tick(ingest, 2026, 3, 10).run_requests
    assert request.partition_key == "2026-03-09"
    job = definitions.get_job_def(ingest.job_name)
    assert job.execute_in_process(partition_key=request.partition_key).success
    assert made == ["2026-03-09"]


def test_a_sensor_without_parentheses() -> None:
    @dg.sensor
    def watch():
        yield dg.SkipReason("nothing")

    assert watch.evaluate_tick(dg.build_sensor_context()).skip_message == "nothing"
    dg.Definitions.validate_loadable(dg.Definitions(sensors=[watch]))


# --- the instance ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", ["get_runs", "get_run_ids", "get_run_records", "get_runs_count"])
def test_runs_by_a_list_of_statuses(ask: str) -> None:
    @dg.op
    def fails():
        raise ValueError("no")

    @dg.job
    def bad():
        fails()

    with dg.DagsterInstance.ephemeral() as instance:
        bad.execute_in_process(instance=instance, raise_on_error=False)
        report.execute_in_process(run_config={"ops": {"tell": {"config": {"day": ""}}}}, instance=instance)
        with warns(r"use RunsFilter\(statuses"):
            found = getattr(instance, ask)(filters=[dg.DagsterRunStatus.FAILURE])
        assert (found if isinstance(found, int) else len(found)) == 1
        everything = getattr(instance, ask)()
        assert (everything if isinstance(everything, int) else len(everything)) == 2
