"""What conditions mean. Expectations are what the peer requests in the same situation, unless a test says otherwise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.decide.conditions_world import START, World, asset, key

import treadle as tr
from treadle import AssetCheckSpec, AssetDep, AssetKey, AssetSelection
from treadle import AutomationCondition as Condition
from treadle.core.partitions import partition_loading_context
from treadle.decide.automation_view import size
from treadle.decide.automation_world import CustomAnswer, CustomCall
from treadle.decide.conditions import freshness
from treadle.errors import InvocationError

DAYS = tr.DailyPartitionsDefinition("2026-01-01")
HOURS = tr.HourlyPartitionsDefinition("2026-01-09-00:00")
LETTERS = tr.StaticPartitionsDefinition(["a", "b", "c"])
C = Condition


def check(name: str, when: Any = None, **facts: Any) -> AssetCheckSpec:
    target, _, own = name.partition(":")
    return AssetCheckSpec(own, asset=target, automation_condition=when, **facts)


# --- leaves about the target -----------------------------------------------------------------------------------------


def test_missing_and_newly_missing() -> None:
    world = World(asset("a", when=C.missing()), asset("b", when=C.newly_missing()))
    assert world.ticks(2) == [["a", "b"], ["a"]]
    world.make("a")
    world.make("b")
    assert world.ticks(1) == [[]]
    world.wipe("a")
    world.wipe("b")
    assert world.ticks(2) == [["a", "b"], ["a"]]


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        (C.run_in_progress(), "running"),
        (C.backfill_in_progress(), "backfilling"),
        (C.execution_failed(), "failed"),
        (C.in_progress(), "running"),
        (C.in_progress(), "backfilling"),
    ],
)
def test_states_of_runs(condition: Condition, state: str) -> None:
    world = World(asset("a", when=condition), asset("p", when=condition, partitions_def=LETTERS))
    assert world.tick() == {}
    world.state(state, "a")
    world.state(state, "p", "b")
    assert world.tick() == world.tick() == {"a": True, "p": ["b"]}
    world.state(state, "a", on=False)
    assert world.tick() == {"p": ["b"]}


def test_an_update_is_new_at_one_evaluation_and_never_at_the_first() -> None:
    world = World(asset("a", when=C.newly_updated()), asset("p", when=C.newly_updated(), partitions_def=LETTERS))
    world.make("a")
    world.make("p", "a")
    assert world.tick() == {}
    world.make("a")
    world.make("p", "c", "b", "c")
    assert world.tick() == {"a": True, "p": ["b", "c"]}
    assert world.tick() == {}


def test_what_is_added_later_has_nothing_new_at_its_first_evaluation() -> None:
    world = World(asset("root"), asset("a", "root", when=C.newly_updated()))
    world.ticks(2)
    world.make("root")
    world.make("a")
    world.define(
        asset("root"),
        asset("a", "root", when=C.newly_updated()),
        asset("late", "root", when=C.any_deps_updated()),
        asset("begins", when=C.initial_evaluation()),
    )
    assert world.ticks(2) == [["a", "begins"], []]


def test_a_changed_condition_is_no_first_evaluation_and_a_removed_one_is_forgotten() -> None:
    world = World(asset("a", when=C.initial_evaluation()))
    assert world.ticks(2) == [["a"], []]
    world.define(asset("a", when=C.initial_evaluation() | C.newly_updated()))
    assert world.ticks(1) == [[]]
    world.define(asset("a"))
    assert world.ticks(1) == [[]]
    world.define(asset("a", when=C.initial_evaluation() | C.newly_updated()))
    assert world.ticks(1) == [["a"]]


def test_newly_requested_is_what_the_evaluation_before_requested() -> None:
    world = World(asset("a", when=C.missing()), asset("b", "a", when=C.any_deps_match(C.newly_requested())))
    assert world.ticks(2) == [["a"], ["a", "b"]]
    world.make("a")
    assert world.ticks(2) == [["b"], []]


def test_code_versions() -> None:
    world = World(
        asset("a", when=C.code_version_changed(), code_version="1"), asset("b", when=C.code_version_changed())
    )
    assert world.tick() == {}
    world.define(
        asset("a", when=C.code_version_changed(), code_version="2"),
        asset("b", when=C.code_version_changed(), code_version="1"),
    )
    assert world.ticks(2) == [["a"], []]
    world.define(asset("a", when=C.code_version_changed()), asset("b", when=C.code_version_changed(), code_version="1"))
    assert world.ticks(2) == [["a"], []]


def test_data_versions() -> None:
    world = World(
        asset("a", when=C.data_version_changed()), asset("p", when=C.data_version_changed(), partitions_def=LETTERS)
    )
    world.tick()
    world.make("a")
    assert world.tick() == {}  # from none to none
    world.make("a", version="1")
    world.make("p", "a", version="1")
    assert world.tick() == {"a": True, "p": ["a"]}
    world.make("a", version="1")
    world.make("p", "a", version="2")
    world.make("p", "b", version="3")
    world.make("p", "b", version="4")
    assert world.tick() == {"p": ["a", "b"]}
    world.make("p", "b", version="5")
    world.make("p", "b", version="4")  # as it was
    assert world.ticks(2) == [[], []]


def test_tags_of_runs() -> None:
    ops = {
        "keys": C.executed_with_tags(tag_keys={"k"}),
        "values": C.executed_with_tags(tag_values={"k": "v"}),
        "any run": C.executed_with_tags(),
        "all new": C.all_new_updates_have_run_tags(tag_values={"k": "v"}),
        "any new": C.any_new_update_has_run_tags(tag_values={"k": "v"}),
    }
    world = World(
        asset("a"), *(asset(name.replace(" ", "_"), "a", when=C.any_deps_match(op)) for name, op in ops.items())
    )
    assert world.tick() == {}
    world.run("1", "a", tags={"k": "v"})
    world.make("a", run="1")
    assert world.ticks(2) == [["all_new", "any_new", "any_run", "keys", "values"], ["any_run", "keys", "values"]]
    world.make("a", run="1")
    world.run("2", "a", tags={"k": "w"})
    world.make("a", run="2")
    assert world.ticks(2) == [["any_new", "any_run", "keys"], ["any_run", "keys"]]
    world.make("a")  # reported from outside a run
    assert world.ticks(1) == [[]]


def test_executed_with_root_target() -> None:
    world = World(asset("a"), asset("b", "a", when=C.any_deps_updated()), asset("c", "a", when=C.any_deps_updated()))
    world.tick()
    world.run("1", "a", "b")
    world.make("a", run="1")
    world.make("b", run="1")
    assert world.ticks(2) == [["c"], []]


def test_latest_time_window() -> None:
    def latest(definition: Any, hours: float | None = None) -> list[str]:
        delta = timedelta(hours=hours) if hours is not None else None
        found = World(asset("a", when=C.in_latest_time_window(delta), partitions_def=definition)).tick()
        return found.get("a", [])

    assert latest(DAYS) == latest(DAYS, 24) == latest(DAYS, 36) == ["2026-01-09"]
    assert latest(DAYS, 48) == ["2026-01-08", "2026-01-09"]
    assert latest(HOURS, 2) == ["2026-01-09-22:00", "2026-01-09-23:00"]
    assert latest(LETTERS) == ["a", "b", "c"]
    assert latest(tr.DailyPartitionsDefinition("2027-01-01")) == []
    assert latest(tr.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-05")) == ["2026-01-04"]
    both = tr.MultiPartitionsDefinition({"day": DAYS, "letter": LETTERS})
    assert latest(both) == ["2026-01-09|a", "2026-01-09|b", "2026-01-09|c"]
    assert len(latest(both, 48)) == 6
    assert World(asset("a", when=C.in_latest_time_window())).tick() == {"a": True}


def test_the_latest_window_moves_with_time_alone() -> None:
    world = World(asset("a", when=C.in_latest_time_window(), partitions_def=DAYS))
    assert world.tick() == world.tick() == {"a": ["2026-01-09"]}
    assert world.outcome is not None
    assert world.outcome.is_settled
    assert world.outcome.wake == (START.replace(day=11, hour=0, minute=0)).timestamp()
    assert world.tick(24 * 60) == {"a": ["2026-01-10"]}


def test_cron_ticks() -> None:
    world = World(asset("a", when=C.cron_tick_passed("0 * * * *")))
    assert world.ticks(2, 10) == [[], []]
    assert world.ticks(2, 60) == [["a"], ["a"]]
    assert world.ticks(1) == [[]]
    assert world.ticks(1, 300) == [["a"]]  # several at once count as one
    berlin = World(asset("a", when=C.cron_tick_passed("0 2 * * *", "Europe/Berlin")))
    assert berlin.ticks(3, 50) == [[], ["a"], []]  # 01:00 in UTC


def test_freshness() -> None:
    policy = tr.FreshnessPolicy.time_window(fail_window=timedelta(hours=2), warn_window=timedelta(hours=1))
    made = START.timestamp()
    assert freshness(policy, made, START) == ("passed", made + 3600)
    assert freshness(policy, made, START + timedelta(hours=1)) == ("warned", made + 7200)
    assert freshness(policy, made, START + timedelta(hours=2)) == ("failed", None)
    cron = tr.FreshnessPolicy.cron(deadline_cron="0 * * * *", lower_bound_delta=timedelta(minutes=10))
    assert freshness(cron, made, START + timedelta(minutes=60))[0] == "failed"
    assert freshness(cron, made - 600, START)[0] == "passed"
    world = World(
        asset("p", when=C.freshness_passed(), freshness_policy=policy),
        asset("w", when=C.freshness_warned(), freshness_policy=policy),
        asset("f", when=C.freshness_failed(), freshness_policy=policy),
        asset("none", when=C.freshness_passed()),
    )
    assert world.tick() == {}
    for name in ("p", "w", "f"):
        world.make(name)
    assert world.ticks(4, 50) == [["p"], ["w"], ["f"], ["f"]]


# --- operators -------------------------------------------------------------------------------------------------------


def test_combining() -> None:
    world = World(
        asset("and", when=C.missing() & C.initial_evaluation()),
        asset("or", when=C.missing() | C.newly_updated()),
        asset("not", when=~C.missing(), partitions_def=LETTERS),
    )
    world.make("not", "b")
    assert world.tick() == {"and": True, "or": True, "not": ["b"]}
    world.make("or")
    assert world.tick() == {"or": True, "not": ["b"]}
    assert world.tick() == {"not": ["b"]}


def test_since_remembers_while_its_neighbour_is_false() -> None:
    condition = ~C.any_deps_missing() & C.newly_updated().since(C.newly_requested())
    world = World(asset("root"), asset("a", "root", when=condition))
    world.tick()
    world.make("a")
    assert world.ticks(1) == [[]]
    world.make("root")
    assert world.ticks(3) == [["a"], [], []]


def test_newly_true_is_evaluated_while_its_neighbour_is_false() -> None:
    world = World(asset("root"), asset("a", "root", when=~C.any_deps_missing() & C.missing().newly_true()))
    world.tick()
    world.make("root")
    assert world.ticks(2) == [[], []]  # it became true when it could not be heard


def test_in_one_evaluation_the_reset_wins() -> None:
    world = World(asset("a", when=C.newly_updated().since(C.newly_updated())))
    world.tick()
    world.make("a")
    assert world.ticks(2) == [[], []]


def test_since_with_cron_goes_by_the_clock() -> None:
    """An update after the tick counts as since the tick, though both are seen at once; one before does not."""
    world = World(asset("a", when=C.newly_updated().since(C.cron_tick_passed("0 * * * *"))))
    world.tick()
    world.make("a")
    assert world.ticks(2, 60) == [[], []]
    world.now += timedelta(minutes=30)
    world.now = world.now.replace(minute=10)
    world.make("a")
    assert world.ticks(2) == [["a"], ["a"]]
    assert world.ticks(1, 60) == [[]]


def test_since_last_handled() -> None:
    world = World(asset("root"), asset("a", "root", when=C.any_deps_match(C.newly_updated()).since_last_handled()))
    world.tick()
    world.make("root")
    assert world.ticks(2) == [["a"], []]


def test_partitions_that_a_definition_loses_are_forgotten() -> None:
    condition = C.missing().since(C.newly_updated())
    world = World(asset("a", when=condition, partitions_def=LETTERS))
    assert world.tick() == {"a": ["a", "b", "c"]}
    world.define(asset("a", when=condition, partitions_def=tr.StaticPartitionsDefinition(["b", "q"])))
    assert world.tick() == {"a": ["b", "q"]}
    world.define(asset("a", when=condition))
    assert world.tick() == {"a": True}


# --- about others ----------------------------------------------------------------------------------------------------


def test_any_and_all_dependencies() -> None:
    world = World(
        asset("x"),
        asset("y"),
        asset("any", "x", "y", when=C.any_deps_match(C.missing())),
        asset("all", "x", "y", when=C.all_deps_match(C.missing())),
        asset("no_any", when=C.any_deps_match(C.missing())),
        asset("no_all", when=C.all_deps_match(C.missing())),
    )
    assert world.ticks(1) == [["all", "any", "no_all"]]
    world.make("x")
    assert world.ticks(1) == [["any", "no_all"]]
    world.make("y")
    assert world.ticks(1) == [["no_all"]]


def test_choosing_dependencies() -> None:
    missing = C.any_deps_match(C.missing())
    world = World(
        asset("x"),
        asset("y"),
        asset("allow", "x", "y", when=missing.allow(AssetSelection.assets("x"))),
        asset("ignore", "x", "y", when=C.all_deps_match(C.missing()).ignore(AssetSelection.assets("y"))),
        asset("nobody", "x", "y", when=C.all_deps_match(C.missing()).allow(AssetSelection.assets("zzz"))),
        asset("eager", "x", "y", when=C.eager().allow(AssetSelection.assets("x"))),
    )
    assert world.ticks(1) == [["allow", "ignore", "nobody"]]
    world.make("x")
    assert world.ticks(1) == [["eager", "nobody"]]


def mapped(name: str, mapping: Any = None) -> AssetDep:
    return AssetDep(name, partition_mapping=mapping)


def test_dependencies_by_partition() -> None:
    two = tr.TimeWindowPartitionMapping(start_offset=-1, end_offset=0)
    new = C.newly_updated()
    world = World(
        asset("days", partitions_def=DAYS),
        asset("hours", partitions_def=HOURS),
        asset("whole"),
        asset("any", mapped("days", two), when=C.any_deps_match(new), partitions_def=DAYS),
        asset("all", mapped("days", two), when=C.all_deps_match(new), partitions_def=DAYS),
        asset("un", "days", when=C.all_deps_match(new)),
        asset("by_day", "hours", when=C.any_deps_match(new), partitions_def=DAYS),
        asset("last", mapped("days", tr.LastPartitionMapping()), when=C.any_deps_match(new)),
        asset("of_whole", "whole", when=C.any_deps_match(new), partitions_def=LETTERS),
    )
    assert world.tick() == {}
    world.make("days", "2026-01-05")
    world.make("hours", "2026-01-09-03:00")
    world.make("whole")
    assert world.tick() == {
        "any": ["2026-01-05", "2026-01-06"],
        "all": ["2026-01-05", "2026-01-06"],
        "un": True,
        "by_day": ["2026-01-09"],
        "of_whole": ["a", "b", "c"],
    }
    world.make("days", "2026-01-09")
    assert world.tick()["last"] is True


def test_what_will_be_requested_counts_where_one_run_can_make_both() -> None:
    will = C.any_deps_match(C.will_be_requested())
    back = tr.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
    table = tr.StaticPartitionMapping({"a": "b"})
    world = World(
        asset("days", when=C.in_latest_time_window(timedelta(days=2)), partitions_def=DAYS),
        asset("letters", when=C.missing(), partitions_def=LETTERS),
        asset("whole", when=C.missing()),
        asset("outside", when=C.missing(), tags={"external": ""}),
        asset("same", "days", when=will, partitions_def=DAYS),
        asset("back", mapped("days", back), when=will, partitions_def=DAYS),
        asset("hours", "days", when=will, partitions_def=HOURS),
        asset("un", "days", when=will),
        asset("un_un", "whole", when=will),
        asset("of_outside", "outside", when=will),
        asset("table", mapped("letters", table), when=will, partitions_def=LETTERS),
        asset("every", mapped("letters", tr.AllPartitionMapping()), when=will, partitions_def=LETTERS),
        asset("letters_too", "letters", when=will, partitions_def=LETTERS),
        asset("by_name", when=C.asset_matches("whole", C.will_be_requested())),
    )
    found = world.tick()
    assert found["same"] == ["2026-01-08", "2026-01-09"]
    assert found["back"] == ["2026-01-09"]
    assert found["letters_too"] == ["a", "b", "c"]
    assert found["un_un"] is True
    assert found.keys() & {"hours", "un", "of_outside", "table", "every", "by_name"} == set()


def test_what_will_be_requested_counts_further_up_as_well() -> None:
    will = C.any_deps_match(C.any_deps_match(C.will_be_requested()))
    world = World(
        asset("r", when=C.missing()),
        asset("m", "r"),
        asset("p", "r", partitions_def=LETTERS),
        asset("leaf", "m", when=will),
        asset("through_parts", "p", when=will),
        asset("parts", "m", when=will, partitions_def=LETTERS),
        asset("by_name", "m", when=C.asset_matches("r", C.will_be_requested())),
        asset("elsewhere", when=C.asset_matches("r", C.will_be_requested())),
    )
    assert world.ticks(1) == [["by_name", "leaf", "r", "through_parts"]]


def test_an_asset_by_name() -> None:
    there = ~C.missing()
    world = World(
        asset("x", partitions_def=DAYS),
        asset("u"),
        asset("same", when=C.asset_matches("x", there), partitions_def=DAYS),
        asset("un", when=C.asset_matches("x", there)),
        asset("of_un", when=C.asset_matches("u", there), partitions_def=LETTERS),
        asset(
            "dep",
            mapped("x", tr.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)),
            when=C.asset_matches("x", there),
            partitions_def=DAYS,
        ),
    )
    assert world.tick() == {}
    world.make("x", "2026-01-05")
    world.make("u")
    assert world.tick() == {"same": ["2026-01-05"], "un": True, "of_un": ["a", "b", "c"], "dep": ["2026-01-06"]}
    with pytest.raises(InvocationError, match="asks about asset 'nope', and there is none"):
        World(asset("a", when=C.asset_matches("nope", there))).tick()


def test_checks_of_assets() -> None:
    checks = [check("x:b1", blocking=True), check("x:b2", blocking=True), check("x:n")]
    passed = C.check_passed()
    world = World(
        asset("x"),
        asset("any", "x", when=C.any_deps_match(C.any_checks_match(passed))),
        asset("all", "x", when=C.any_deps_match(C.all_checks_match(passed))),
        asset("block", "x", when=C.all_deps_blocking_checks_passed()),
        asset("bad", "x", when=C.any_deps_match(C.any_checks_match(C.check_failed(), blocking_only=True))),
        asset("none", when=C.all_checks_match(passed)),
        checks=checks,
    )
    assert world.ticks(1) == [["none"]]
    world.check("x:b1", True)
    assert world.ticks(1) == [["any", "none"]]
    world.check("x:b2", True)
    assert world.ticks(1) == [["any", "block", "none"]]
    world.check("x:n", False)
    assert world.ticks(1) == [["any", "block", "none"]]
    world.check("x:n", True)
    assert world.ticks(1) == [["all", "any", "block", "none"]]
    world.check("x:b1", False)
    assert world.ticks(1) == [["any", "bad", "none"]]
    with pytest.raises(InvocationError, match="can only be asked of a check"):
        World(asset("a", when=passed)).tick()


def test_conditions_of_checks() -> None:
    world = World(
        asset("root"),
        asset("a", "root", when=C.eager()),
        checks=[
            check("a:missing", C.missing()),
            check("a:updated", C.any_deps_updated()),
            check("a:eager", C.eager()),
            check("a:new", C.newly_updated()),
        ],
    )
    assert world.ticks(1) == [["a:missing"]]
    world.make("a")
    assert world.ticks(2) == [["a:eager", "a:missing", "a:updated"], ["a:missing"]]
    world.make("root")
    assert world.ticks(1) == [["a", "a:eager", "a:missing", "a:updated"]]
    world.check("a:missing", True)
    world.check("a:new", True)
    assert world.ticks(2) == [["a:new"], []]  # once; the peer goes on for ever


def test_virtual_dependencies_are_looked_through() -> None:
    world = World(
        asset("r"),
        asset("v", "r", is_virtual=True),
        asset("through", "v", when=C.any_deps_updated().resolve_through_virtual()),
        asset("not", "v", when=C.any_deps_updated()),
    )
    world.tick()
    world.make("r")
    assert world.ticks(2) == [["through"], []]


def test_conditions_of_what_is_downstream_are_taken_as_its_own() -> None:
    world = World(
        asset("root", when=C.any_downstream_conditions()),
        asset("mid", "root", when=C.missing()),
        asset("leaf", "mid", when=C.newly_updated()),
    )
    for name in ("root", "mid", "leaf"):
        world.make(name)
    assert world.ticks(1) == [[]]
    world.make("root")
    assert world.ticks(2) == [["root"], []]
    world.wipe("mid")
    assert world.ticks(1) == [["mid"]]  # root itself is there


def test_roots_of_jobs() -> None:
    assets = frozenset({AssetKey("a"), AssetKey("b"), AssetKey("c")})
    world = World(
        asset("a"),
        asset("b", "a"),
        asset("c"),
        jobs={
            "any": (C.any_job_root_assets_match(C.missing()), assets),
            "all": (C.all_job_root_assets_match(C.missing()), assets),
        },
    )
    assert world.ticks(1) == [["all", "any"]]
    world.make("a")
    assert world.ticks(1) == [["any"]]
    world.make("c")
    assert world.ticks(1) == [[]]
    with pytest.raises(InvocationError, match="can only be asked of a job"):
        World(asset("a", when=C.any_job_root_assets_match(C.missing()))).tick()


def test_what_is_made_together_is_requested_together() -> None:
    together = [frozenset({AssetKey("x"), AssetKey("y"), AssetKey("z")})]
    world = World(
        asset("root"),
        asset("x", "root", when=C.eager()),
        asset("y"),
        asset("z", when=C.missing()),
        asset("after", "y", when=C.eager()),
        together=together,
    )
    assert world.ticks(1) == [["z"]]
    assert world.outcome is not None
    assert set(world.outcome.requested) == {key("x"), key("y"), key("z")}
    world.make("root")
    assert world.ticks(1) == [["after", "x", "z"]]


# --- put together ----------------------------------------------------------------------------------------------------


def test_eager() -> None:
    world = World(asset("root"), asset("child", "root", when=C.eager()), asset("leaf", "child", when=C.eager()))
    assert world.ticks(1) == [[]]  # what is missing from the start is not requested
    world.make("root")
    assert world.ticks(2) == [["child", "leaf"], []]
    world.make("child")
    assert world.ticks(2) == [["leaf"], []]
    world.make("leaf")
    assert world.ticks(1) == [[]]
    world.state("running", "child")
    world.make("root")
    assert world.ticks(2) == [[], []]  # held back while it runs, and not forgotten
    world.state("running", "child", on=False)
    assert world.ticks(2) == [["child", "leaf"], []]


def test_eager_by_day_acts_on_the_latest_partition() -> None:
    world = World(
        asset("root", when=C.eager(), partitions_def=DAYS),
        asset("leaf", "root", when=C.eager(), partitions_def=DAYS),
        asset("un", "root", when=C.eager()),
    )
    assert world.tick() == {}
    assert world.tick(24 * 60) == {"root": ["2026-01-10"], "leaf": ["2026-01-10"]}
    assert world.tick() == {}
    world.make("root", "2026-01-10")
    assert world.tick() == {"leaf": ["2026-01-10"]}
    world.make("root", "2026-01-05")
    assert world.tick() == {}


def test_eager_over_dynamic_partitions() -> None:
    class Store:
        def __init__(self) -> None:
            self.keys: list[str] = []

        def get_dynamic_partitions(self, partitions_def_name: str) -> list[str]:
            return self.keys

    store = Store()
    definition = tr.DynamicPartitionsDefinition(name="x")
    world = World(asset("a", when=C.eager(), partitions_def=definition), store=store)
    with partition_loading_context(dynamic_partitions_store=store):
        assert world.tick() == {}
        store.keys = ["p", "q"]
        assert world.tick() == {"a": ["p", "q"]}
        assert world.tick() == {}
        store.keys = ["q", "r"]
        assert world.tick() == {"a": ["r"]}


def test_on_missing() -> None:
    world = World(asset("root"), asset("a", "root", when=C.on_missing()))
    assert world.ticks(1) == [[]]
    world.make("root")
    assert world.ticks(2) == [[], []]  # missing from the start
    world.make("a")
    assert world.ticks(1) == [[]]
    world.wipe("a")
    assert world.ticks(2) == [["a"], []]


def test_on_cron_waits_for_every_dependency() -> None:
    world = World(asset("x"), asset("y"), asset("a", "x", "y", when=C.on_cron("0 * * * *")))
    world.make("x")
    world.make("y")
    assert world.ticks(1, 10) == [[]]
    assert world.ticks(1, 60) == [[]]
    world.make("x")
    assert world.ticks(1) == [[]]
    world.make("y")
    assert world.ticks(2) == [["a"], []]
    world.make("a")
    assert world.ticks(1) == [[]]
    alone = World(asset("a", when=C.on_cron("0 * * * *")))
    assert alone.ticks(1, 10) + alone.ticks(2, 60) + alone.ticks(1) == [[], ["a"], ["a"], []]


# --- nothing is lost -------------------------------------------------------------------------------------------------


def test_an_update_while_the_child_is_made_leads_to_another_run() -> None:
    """The peer drops the second update for good: a run that began before it does not answer it."""
    world = World(asset("root"), asset("child", "root", when=C.eager()))
    world.tick()
    world.make("root")
    assert world.ticks(1) == [["child"]]
    world.run("1", "child")
    world.state("running", "child")
    world.make("root")  # after the run began
    assert world.ticks(1) == [[]]
    world.make("child", run="1")
    world.state("running", "child", on=False)
    assert world.ticks(3) == [["child"], [], []]
    world.run("2", "child")
    world.make("child", run="2")
    assert world.ticks(2) == [[], []]


def test_an_update_between_two_evaluations_that_the_child_has_not_seen_is_kept() -> None:
    world = World(asset("root"), asset("child", "root", when=C.eager()))
    world.make("root")
    world.make("child")
    world.tick()
    world.run("1", "child")
    world.make("root")
    world.make("child", run="1")  # began before the update, ended after it
    assert world.ticks(2) == [["child"], []]
    world.make("root")
    world.run("2", "child")
    world.make("child", run="2")  # began after it
    assert world.ticks(2) == [[], []]


def test_partitions_are_kept_apart() -> None:
    world = World(
        asset("x", partitions_def=LETTERS),
        asset("y", "x", when=C.any_deps_updated().since_last_handled(), partitions_def=LETTERS),
    )
    world.tick()
    world.make("x", "a", "b")
    world.run("1", "y")
    world.make("x", "b")
    world.make("y", "a", "b", run="1")
    assert world.tick() == {"y": ["b"]}


# --- conditions of users ---------------------------------------------------------------------------------------------


class Mine(Condition):
    """A condition of a user's own."""


def test_users_conditions_are_asked_about_what_still_matters() -> None:
    calls: list[CustomCall] = []

    def custom(call: CustomCall) -> CustomAnswer:
        calls.append(call)
        return CustomAnswer(call.candidates, f"{call.cursor or ''}.")

    condition = C.in_latest_time_window() & C.any_deps_match(Mine())
    world = World(
        asset("x", when=C.missing(), partitions_def=DAYS),
        asset("y", "x", when=condition, partitions_def=DAYS),
        asset("z", "y", when=~Mine(), partitions_def=DAYS),
        custom=custom,
    )
    found = world.tick()
    assert found["y"] == ["2026-01-09"]
    assert "z" not in found
    first = calls[0]
    assert (first.key, first.target) == (key("x"), key("y"))
    assert list(first.candidates) == ["2026-01-09"]  # type: ignore[call-overload]
    assert [(type(one).__name__, about) for one, about in first.parents] == [
        ("AllOf", key("y")),
        ("DepsMatch", key("y")),
    ]
    assert len(first.names) == 3
    assert size(first.requested[key("x")]) == 9
    assert first.cursor is None
    calls.clear()
    world.tick()
    assert [call.cursor for call in calls[:2]] == [".", "."]
    assert calls[0].names == first.names


def test_without_the_users_code_their_conditions_cannot_be_evaluated() -> None:
    with pytest.raises(InvocationError, match="use_user_code_server=True"):
        World(asset("a", when=Mine())).tick()
