"""Automation conditions as users write and test them: what is requested when."""

from datetime import UTC, datetime, timedelta

import pytest

import dagster as dg

C = dg.AutomationCondition
START = datetime(2026, 1, 10, 0, 5, tzinfo=UTC)
DAYS = dg.DailyPartitionsDefinition("2026-01-01")


def asset(name, *deps, when=None, **facts):
    @dg.asset(name=name, deps=list(deps), automation_condition=when, **facts)
    def made(): ...

    return made


class House:
    """Definitions, an instance, and evaluations in a row."""

    def __init__(self, *assets, **definitions):
        self.defs = dg.Definitions(assets, **definitions)
        self.instance = dg.DagsterInstance.ephemeral()
        self.now, self.cursor = START, None

    def make(self, *names, **facts):
        for name in names:
            self.instance.report_runless_asset_event(dg.AssetMaterialization(name, **facts))

    def judge(self, asset, check, passed):
        self.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(asset_key=dg.AssetKey(asset), check_name=check, passed=passed)
        )

    def wipe(self, name):
        self.instance.wipe_assets([dg.AssetKey(name)])

    def tick(self, minutes=1):
        self.now += timedelta(minutes=minutes)
        self.result = dg.evaluate_automation_conditions(
            self.defs, self.instance, evaluation_time=self.now, cursor=self.cursor
        )
        self.cursor = self.result.cursor
        return self.result.total_requested


def told(condition, *steps, deps=("root",), **facts):
    """How often an asset `a` is requested: before anything, and after each step: names that are made, minutes to pass,
    or `-name` for what is wiped."""
    house = House(asset("root"), asset("a", *deps, when=condition, **facts))
    found = [house.tick()]
    for step in steps:
        if isinstance(step, str) and step.startswith("-"):
            house.wipe(step[1:])
        elif isinstance(step, str):
            house.make(*step.split())
        found.append(house.tick(step if isinstance(step, int) else 1))
    return found


@pytest.mark.api("AutomationCondition.missing", "AutomationCondition.newly_missing",
                 "AutomationCondition.newly_updated", "AutomationCondition.newly_requested",
                 "AutomationCondition.initial_evaluation", "AutomationCondition.data_version_changed",
                 "AutomationCondition.any_deps_missing", "AutomationCondition.any_deps_updated",
                 "AutomationCondition.any_deps_match", "AutomationCondition.all_deps_match",
                 "AutomationCondition.asset_matches", "AutomationCondition.will_be_requested")  # fmt: skip
@pytest.mark.parametrize(
    ("condition", "steps", "found"),
    [
        (C.missing(), ["", "a", "-a"], [1, 1, 0, 1]),
        (C.newly_missing(), ["", "a", "-a", ""], [1, 0, 0, 1, 0]),
        (C.newly_updated(), ["a", "", "root"], [0, 1, 0, 0]),
        (C.newly_requested() | C.initial_evaluation(), ["", ""], [1, 1, 1]),
        (C.initial_evaluation(), ["", ""], [1, 0, 0]),
        (C.data_version_changed(), ["a"], [0, 0]),
        (C.any_deps_missing(), ["", "root"], [1, 1, 0]),
        (C.any_deps_updated(), ["root", "", "a"], [0, 1, 0, 0]),
        (C.any_deps_match(C.missing()), ["root"], [1, 0]),
        (C.all_deps_match(~C.missing()), ["root"], [0, 1]),
        (C.asset_matches("root", C.missing()), ["root"], [1, 0]),
        (C.will_be_requested(), ["root"], [0, 0]),
    ],
)
def test_conditions_over_time(condition, steps, found):
    assert told(condition, *steps) == found


@pytest.mark.api("AutomationCondition.eager", "AutomationCondition.on_missing", "AutomationCondition.on_cron",
                 "AutomationCondition.on_cron.cron_timezone", "AutomationCondition.cron_tick_passed",
                 "AutomationCondition.cron_tick_passed.cron_timezone",
                 "AutomationCondition.all_deps_updated_since_cron",
                 "AutomationCondition.all_deps_updated_since_cron.cron_timezone")  # fmt: skip
@pytest.mark.parametrize(
    ("condition", "steps", "found"),
    [
        (C.eager(), ["root", "", "a", "root", ""], [0, 1, 0, 0, 1, 0]),
        (C.on_missing(), ["root", "a", "-a", ""], [0, 0, 0, 1, 0]),
        (C.on_cron("0 * * * *"), [60, "root", ""], [0, 0, 1, 0]),
        (C.on_cron("0 2 * * *", cron_timezone="Europe/Berlin"), [60, "root", ""], [0, 0, 1, 0]),
        (C.cron_tick_passed("0 * * * *"), [60, 1, 300], [0, 1, 0, 1]),
        (C.cron_tick_passed("0 2 * * *", cron_timezone="Europe/Berlin"), [60, 60], [0, 1, 0]),
        (C.all_deps_updated_since_cron("0 * * * *"), ["root", "", 60], [0, 1, 1, 0]),
        (C.all_deps_updated_since_cron("0 2 * * *", cron_timezone="Europe/Berlin"), ["root", 60], [0, 1, 0]),
    ],
)
def test_what_is_put_together(condition, steps, found):
    assert told(condition, *steps) == found


@pytest.mark.api("AutomationCondition.in_latest_time_window",
                 "AutomationCondition.in_latest_time_window.lookback_delta",
                 "EvaluateAutomationConditionsResult.get_requested_partitions",
                 "EvaluateAutomationConditionsResult.get_num_requested",
                 "EvaluateAutomationConditionsResult.total_requested")  # fmt: skip
def test_partitions():
    house = House(
        asset("one", when=C.in_latest_time_window(), partitions_def=DAYS),
        asset("two", when=C.in_latest_time_window(lookback_delta=timedelta(days=2)), partitions_def=DAYS),
        asset("whole", when=C.in_latest_time_window()),
        asset("none"),
    )
    assert house.tick() == 4
    result = house.result
    assert result.total_requested == 4
    assert result.get_requested_partitions(dg.AssetKey("one")) == {"2026-01-09"}
    assert result.get_requested_partitions(dg.AssetKey("two")) == {"2026-01-08", "2026-01-09"}
    assert result.get_requested_partitions(dg.AssetKey("whole")) == {None}
    assert result.get_requested_partitions(dg.AssetKey("none")) == set()
    assert [result.get_num_requested(dg.AssetKey(name)) for name in ("two", "whole", "none")] == [2, 1, 0]


@pytest.mark.api("AutomationCondition.run_in_progress", "AutomationCondition.in_progress",
                 "AutomationCondition.backfill_in_progress", "AutomationCondition.execution_failed",
                 "AutomationCondition.any_deps_in_progress")  # fmt: skip
def test_runs():
    conditions = {
        "run": C.any_deps_match(C.run_in_progress()),
        "both": C.any_deps_match(C.in_progress()),
        "deps": C.any_deps_in_progress(),
        "failed": C.any_deps_match(C.execution_failed()),
        "backfill": C.any_deps_match(C.backfill_in_progress()),
    }
    during = []

    @dg.asset
    def bad():
        house.tick()
        during.extend(name for name in conditions if house.result.get_num_requested(dg.AssetKey(name)))
        raise ValueError("broken")

    house = House(bad, *(asset(name, "bad", when=condition) for name, condition in conditions.items()))
    house.tick()
    dg.materialize([bad], instance=house.instance, raise_on_error=False)
    assert during == ["run", "both", "deps"]
    assert house.tick() == 1
    assert house.result.get_num_requested(dg.AssetKey("failed")) == 1
    assert house.result.get_num_requested(dg.AssetKey("backfill")) == 0


@pytest.mark.api("AutomationCondition.check_passed", "AutomationCondition.check_failed",
                 "AutomationCondition.any_checks_match", "AutomationCondition.any_checks_match.blocking_only",
                 "AutomationCondition.all_checks_match", "AutomationCondition.all_checks_match.blocking_only",
                 "AutomationCondition.all_deps_blocking_checks_passed")  # fmt: skip
def test_checks():
    def check(name, blocking):
        @dg.asset_check(asset="x", name=name, blocking=blocking)
        def made():
            return dg.AssetCheckResult(passed=True)

        return made

    conditions = {
        "any": C.any_checks_match(C.check_passed()),
        "all": C.all_checks_match(C.check_passed()),
        "bad": C.any_checks_match(C.check_failed(), blocking_only=True),
        "stops": C.all_checks_match(C.check_passed(), blocking_only=True),
    }
    house = House(
        asset("x"),
        *(asset(name, "x", when=C.any_deps_match(condition)) for name, condition in conditions.items()),
        asset("deps", "x", when=C.all_deps_blocking_checks_passed()),
        asset_checks=[check("hard", True), check("soft", False)],
    )

    def true():
        house.tick()
        return {name for name in [*conditions, "deps"] if house.result.get_num_requested(dg.AssetKey(name))}

    assert true() == set()
    house.judge("x", "soft", False)
    house.judge("x", "hard", True)
    assert true() == {"any", "stops", "deps"}
    house.judge("x", "soft", True)
    assert true() == {"any", "all", "stops", "deps"}
    house.judge("x", "hard", False)
    assert true() == {"any", "bad"}


@pytest.mark.api("AutomationCondition.code_version_changed")
def test_code_versions():
    house = House(asset("a", when=C.code_version_changed(), code_version="1"))
    assert house.tick() == 0
    house.defs = dg.Definitions([asset("a", when=C.code_version_changed(), code_version="2")])
    assert [house.tick(), house.tick()] == [1, 0]


@pytest.mark.api("AutomationCondition.data_version_changed")
def test_data_versions():
    house = House(asset("a", when=C.data_version_changed()))
    found = [house.tick()]
    for version in ("1", "1", "2"):
        house.make("a", tags={"dagster/data_version": version})
        found.append(house.tick())
    assert found == [0, 1, 0, 1]


@pytest.mark.api("AutomationCondition.any_downstream_conditions", "AutomationCondition.will_be_requested")
def test_along_the_graph():
    house = House(
        asset("root", when=C.any_downstream_conditions()),
        asset("leaf", "root", when=C.newly_updated() | C.any_deps_match(C.will_be_requested())),
    )
    assert house.tick() == 0
    house.make("root")
    assert house.tick() == 2  # root by the condition of leaf, taken for itself; leaf because root will be requested
    assert house.tick() == 0


@pytest.mark.api("AutomationCondition.any_job_root_assets_match", "AutomationCondition.all_job_root_assets_match",
                 "define_asset_job.automation_condition")  # fmt: skip
def test_jobs():
    def jobs(condition):
        return [dg.define_asset_job("nightly", ["a", "b", "c"], automation_condition=condition)]

    def assets():
        return asset("a"), asset("b", "a"), asset("c")

    some = House(*assets(), jobs=jobs(C.any_job_root_assets_match(C.missing())))
    every = House(*assets(), jobs=jobs(C.all_job_root_assets_match(C.missing())))
    assert (some.tick(), every.tick()) == (1, 1)
    for house in (some, every):
        house.make("a")
    assert (some.tick(), every.tick()) == (1, 0)
    some.make("c")
    assert some.tick() == 0  # b is there as well, and no root


@pytest.mark.api("AutomationCondition.freshness_passed", "AutomationCondition.freshness_warned",
                 "AutomationCondition.freshness_failed")  # fmt: skip
def test_freshness():
    """By the facts. The peer knows it only once its daemon has looked, and not in such a test."""
    policy = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=2), warn_window=timedelta(hours=1))
    conditions = {"passed": C.freshness_passed(), "warned": C.freshness_warned(), "failed": C.freshness_failed()}
    house = House(*(asset(name, when=one, freshness_policy=policy) for name, one in conditions.items()))
    house.now = datetime.now(UTC)
    assert house.tick() == 0  # never made
    house.make(*conditions)
    found = []
    for _ in range(3):
        house.tick(58)
        found.append([name for name in conditions if house.result.get_num_requested(dg.AssetKey(name))])
    assert found == [["passed"], ["warned"], ["failed"]]


@pytest.mark.api("AutomationCondition.replace", "AutomationCondition.replace.old", "AutomationCondition.replace.new")
def test_replacing_a_part():
    never = C.eager().replace(old="in_latest_time_window", new=C.newly_missing() & ~C.newly_missing())
    assert told(never, "root", "root") == [0, 0, 0]
    days = told(C.on_missing().replace("in_latest_time_window", C.in_latest_time_window(timedelta(days=1))), "root")
    assert days == [0, 0]
    assert C.missing().replace(C.missing(), C.newly_missing()) == C.newly_missing()


@pytest.mark.api("evaluate_automation_conditions.defs", "evaluate_automation_conditions.instance",
                 "evaluate_automation_conditions.asset_selection", "evaluate_automation_conditions.evaluation_time",
                 "evaluate_automation_conditions.cursor")  # fmt: skip
def test_evaluating():
    instance = dg.DagsterInstance.ephemeral()
    assets = [
        asset("a", when=C.missing()),
        asset("b", when=C.missing()),
        asset("c", when=C.cron_tick_passed("0 0 * * *")),
    ]

    def evaluate(**given):
        return dg.evaluate_automation_conditions(assets, instance, **given)

    first = evaluate(evaluation_time=START)
    assert first.total_requested == 2
    assert evaluate(asset_selection=dg.AssetSelection.assets("a")).total_requested == 1
    next_day = evaluate(evaluation_time=START + timedelta(days=1), cursor=first.cursor)
    assert next_day.get_num_requested(dg.AssetKey("c")) == 1
    again = evaluate(evaluation_time=START + timedelta(days=1), cursor=first.cursor)
    assert again.total_requested == next_day.total_requested == 3  # a cursor can be used twice
    instance.report_runless_asset_event(dg.AssetMaterialization("a"))
    assert dg.evaluate_automation_conditions(defs=dg.Definitions(assets), instance=instance).total_requested == 1


@pytest.mark.api("AutomationContext.evaluation_id", "AutomationContext.condition",
                 "AutomationContext.condition_unique_ids", "AutomationContext.candidate_subset",
                 "AutomationContext.create_time", "AutomationContext.asset_graph_view",
                 "AutomationContext.request_subsets_by_key", "AutomationContext.parent_context")  # fmt: skip
def test_conditions_of_ones_own():
    seen = []

    class Mine(dg.AutomationCondition):
        def evaluate(self, context):
            seen.append(context)
            inner = dg.AutomationResult(context, context.get_empty_subset())
            return dg.AutomationResult(
                context, true_subset=context.candidate_subset, cursor=f"after {context.evaluation_id}",
                child_results=[inner],
            )  # fmt: skip

    house = House(
        asset("up", when=C.missing(), partitions_def=DAYS),
        asset("a", "up", when=C.in_latest_time_window() & Mine(), partitions_def=DAYS),
    )
    assert house.tick() == 10
    context = seen[-1]
    assert context.evaluation_id == 0
    assert isinstance(context.condition, Mine)
    assert context.candidate_subset.expensively_compute_partition_keys() == {"2026-01-09"}
    assert context.candidate_subset.key == dg.AssetKey("a")
    assert context.create_time.tzinfo is not None
    assert context.asset_graph_view.effective_dt == house.now
    assert context.asset_graph_view.get_full_subset(key=dg.AssetKey("a")).size == 9
    assert context.request_subsets_by_key[dg.AssetKey("up")].size == 9
    assert context.parent_context.condition == C.in_latest_time_window() & context.condition
    assert context.parent_context.parent_context is None
    house.tick()
    again = seen[-1]
    assert (again.evaluation_id, again.cursor) == (1, "after 0")
    assert again.condition_unique_ids == context.condition_unique_ids
    assert len({*context.condition_unique_ids}) == len(context.condition_unique_ids) > 0


def test_a_condition_of_ones_own_says_where_it_is_true():
    class Wrong(dg.AutomationCondition):
        def evaluate(self, context):
            return True

    with pytest.raises(Exception):  # noqa: B017, PT011
        House(asset("a", when=Wrong())).tick()
