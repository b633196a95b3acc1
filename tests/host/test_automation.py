"""Automation over a real store: what a view reads, and that what it takes in later equals what it reads anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import treadle as tr
from treadle import AssetKey, AssetMaterialization, AssetObservation
from treadle import AutomationCondition as Condition
from treadle.core.keys import AssetCheckKey
from treadle.decide.automation_view import decode_cursor, encode_cursor
from treadle.errors import InvocationError, UserCodeError
from treadle.host.automation import Automation, StoreView

NOW = datetime(2026, 1, 10, 0, 5, tzinfo=UTC)
LETTERS = tr.StaticPartitionsDefinition(["a", "b", "c"])
C = Condition


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[tr.Instance]:
    with tr.Instance.local_temp(str(tmp_path)) as made:
        yield made


def declared(name: str, *deps: str, when: Any = None, **facts: Any) -> tr.AssetsDefinition:
    @tr.asset(name=name, deps=list(deps), automation_condition=when, **facts)
    def made() -> None: ...

    return made


def shown(key: Any) -> str:
    return getattr(key, "job_name", None) or key.to_user_string()


def requested(automation: Automation, cursor: Any = None, minutes: int = 0) -> tuple[Any, list[str]]:
    outcome = automation.evaluate(NOW + timedelta(minutes=minutes), cursor)
    return outcome.cursor, sorted(shown(key) for key in outcome.requested)


def test_facts_of_a_run_under_way(instance: tr.Instance) -> None:
    seen: list[Any] = []
    probe = [
        declared(f"{asset}_{name}", when=C.asset_matches(asset, condition))
        for asset in ("root", "child")
        for name, condition in (("run", C.run_in_progress()), ("bad", C.execution_failed()), ("new", C.newly_updated()))
    ]

    @tr.asset
    def root() -> None: ...

    @tr.asset(deps=[root])
    def child() -> None:
        instance.store.database.settle()
        seen.append(requested(automation, seen[-1][0]))
        raise ValueError("broken")

    automation = Automation(tr.Definitions([root, child, *probe]), instance)
    seen.append(requested(automation))
    tr.materialize([root, child], instance=instance, raise_on_error=False)
    seen.append(requested(automation, seen[-1][0]))
    seen.append(requested(automation, seen[-1][0]))
    assert [names for _, names in seen] == [[], ["child_run", "root_new"], ["child_bad"], ["child_bad"]]


def test_runs_of_backfills_and_tags_and_targets(instance: tr.Instance) -> None:
    root, child = declared("root"), declared("child", "root", when=C.any_deps_updated())
    other = declared("other", "root", when=C.any_deps_updated())
    tagged = declared("tagged", "root", when=C.any_deps_match(C.any_new_update_has_run_tags(tag_values={"k": "v"})))
    filled = declared("filled", "root", when=C.any_deps_match(C.backfill_in_progress()))
    seen: list[Any] = []

    @tr.asset(deps=[root])
    def last() -> None:
        seen.append(requested(automation, seen[-1][0]))

    automation = Automation(tr.Definitions([root, child, other, tagged, filled, last]), instance)
    seen.append(requested(automation))
    tr.materialize([root, child, last], instance=instance, tags={"k": "v", "dagster/backfill": "x"})
    assert seen[-1][1] == ["other", "tagged"]  # root is made by then; the run makes child as well
    run = automation.view.run(instance.get_run_ids()[0])
    assert run is not None
    assert (run.tags["k"], run.targets) == ("v", {AssetKey("root"), AssetKey("child"), AssetKey("last")})
    facts = {one.key: one for one in instance.store.facts.assets()}
    assert not facts[AssetKey("last")].backfilling


def test_partitions_in_progress_for_a_backfill(instance: tr.Instance) -> None:
    seen: list[Any] = []

    @tr.asset(partitions_def=LETTERS)
    def parts() -> None:
        seen.append(automation.view.facts(AssetKey("parts")) if automation.view.refresh(NOW) is None else None)

    automation = Automation(tr.Definitions([parts]), instance)
    tr.materialize([parts], instance=instance, partition_key="b", tags={"dagster/backfill": "x"})
    assert [list(one) for one in (seen[0].running, seen[0].backfilling, seen[0].made)] == [["b"], ["b"], []]
    automation.view.refresh(NOW)
    now: Any = automation.view.facts(AssetKey("parts"))
    assert [list(one) for one in (now.running, now.backfilling, now.made)] == [[], [], ["b"]]


def test_checks(instance: tr.Instance) -> None:
    outcome = {"passed": True}

    @tr.asset_check(asset="a", automation_condition=C.newly_updated())
    def good() -> tr.AssetCheckResult:
        return tr.AssetCheckResult(passed=outcome["passed"])

    a = declared("a")
    watching = declared("b", "a", when=C.any_deps_match(C.all_checks_match(C.check_passed())))
    automation = Automation(tr.Definitions([a, watching], asset_checks=[good]), instance)
    cursor, names = requested(automation)
    assert names == []
    tr.materialize([a, good], instance=instance)
    cursor, names = requested(automation, cursor)
    assert names == ["a:good", "b"]
    outcome["passed"] = False
    tr.materialize([a, good], instance=instance)
    assert requested(automation, cursor)[1] == ["a:good"]
    run = automation.view.run(instance.get_run_ids()[0])
    assert run is not None
    assert AssetCheckKey("a", "good") in run.targets


def test_what_is_observed_here_is_updated_when_it_has_another_version(instance: tr.Instance) -> None:
    version = ["1"]

    @tr.observable_source_asset(automation_condition=C.missing())
    def source() -> tr.DataVersion:
        return tr.DataVersion(version[0])

    child = declared("child", "source", when=C.any_deps_updated())
    of_outside = declared("of", "outside", when=C.any_deps_updated())
    defs = tr.Definitions([source, child, tr.AssetSpec("outside"), of_outside],
                          jobs=[tr.define_asset_job("look", selection=["source"])])  # fmt: skip
    automation = Automation(defs, instance)
    cursor, names = requested(automation)
    assert names == ["source"]
    found = []
    for version[0] in ("1", "1", "2"):
        defs.get_job_def("look").execute_in_process(instance=instance)
        instance.report_runless_asset_event(AssetObservation("outside"))  # as the peer: nothing of ours looked
        cursor, names = requested(automation, cursor)
        found.append(names)
    assert found == [["child"], [], ["child"]]


def test_a_job_with_a_condition_and_an_asset_with_that_of_its_sensor(instance: tr.Instance) -> None:
    nightly = tr.define_asset_job("nightly", ["a"], automation_condition=C.any_job_root_assets_match(C.missing()))
    defs = tr.Definitions(
        [declared("a"), declared("b", when=C.newly_updated()), tr.AssetSpec("outside")], jobs=[nightly]
    )
    assert requested(Automation(defs, instance))[1] == ["nightly"]
    assert requested(Automation(defs, instance, "*", C.missing()))[1] == ["a"]
    assert requested(Automation(defs, instance, "b", C.missing()))[1] == []


def test_users_conditions_run_here(instance: tr.Instance) -> None:
    class Mine(Condition):
        def __init__(self, answer: str) -> None:
            self.answer = answer

        def evaluate(self, context: tr.AutomationContext) -> Any:
            if self.answer == "raise":
                raise ValueError("broken")
            empty = context.get_empty_subset()
            return {"all": tr.AutomationResult(context, context.candidate_subset), "bool": True}.get(
                self.answer, tr.AutomationResult(context, empty)
            )

    class Later(Condition):
        async def evaluate(self, context: tr.AutomationContext) -> tr.AutomationResult:
            return tr.AutomationResult(context, context.candidate_subset)

    class Nothing(Condition):
        pass

    defs = tr.Definitions(
        [declared("a", when=Mine("all")), declared("b", when=Mine("none")), declared("c", when=Later())]
    )
    assert requested(Automation(defs, instance))[1] == ["a", "c"]
    for condition, error, message in (
        (Mine("raise"), UserCodeError, "raised ValueError: broken"),
        (Mine("bool"), InvocationError, "returned True"),
        (Nothing(), InvocationError, "has no evaluate"),
    ):
        with pytest.raises(error, match=message):
            requested(Automation(tr.Definitions([declared("a", when=condition)]), instance))


def test_a_cursor_goes_on_in_another_process(tmp_path: Path) -> None:
    """Everything after the first evaluation from bytes, with a new instance and new definitions each time."""
    found = []
    data: bytes | None = None
    for happens in ("", "root", "", "child", ""):
        with tr.Instance.local_temp(str(tmp_path)) as instance:
            if happens:
                instance.report_runless_asset_event(AssetMaterialization(happens))
            automation = Automation(
                tr.Definitions([declared("root"), declared("child", "root", when=C.eager())]), instance
            )
            cursor = decode_cursor(data, automation.partitions_of) if data is not None else None
            cursor, names = requested(automation, cursor)
            data = encode_cursor(cursor)
            found.append(names)
    assert found == [[], ["child"], [], [], []]


def test_a_view_reads_an_instance_that_was_wiped(instance: tr.Instance) -> None:
    automation = Automation(tr.Definitions([declared("a", when=C.missing())]), instance)
    instance.report_runless_asset_event(AssetMaterialization("a"))
    cursor, names = requested(automation)
    assert names == []
    instance.wipe_assets([AssetKey("a")])
    assert requested(automation, cursor)[1] == ["a"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["report", "run", "fail", "wipe", "check"]), st.sampled_from("xy"), st.sampled_from("abc")
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=20)
@given(STEPS)
def test_what_a_view_takes_in_equals_what_it_reads_anew(steps: list[tuple[str, str, str]]) -> None:
    fails = [False]

    @tr.asset(partitions_def=LETTERS)
    def x() -> None:
        if fails[0]:
            raise ValueError("broken")

    @tr.asset(deps=[x])
    def y() -> None:
        if fails[0]:
            raise ValueError("broken")

    @tr.asset_check(asset=y)
    def looked() -> tr.AssetCheckResult:
        return tr.AssetCheckResult(passed=not fails[0])

    defs = tr.Definitions([x, y], asset_checks=[looked])
    graph = defs.layer.graph
    with tr.Instance.ephemeral() as instance:
        kept = StoreView(instance, graph)
        kept.refresh(NOW)
        for what, name, letter in steps:
            partition = letter if name == "x" else None
            key = AssetKey(name)
            fails[0] = what == "fail"
            if what == "report":
                instance.report_runless_asset_event(AssetMaterialization(name, partition=partition))
            elif what == "wipe":
                instance.wipe_assets([key])
            elif what == "check":
                tr.materialize([y, looked], instance=instance)
            else:
                chosen = x if name == "x" else y
                tr.materialize([chosen], instance=instance, partition_key=partition, raise_on_error=False)
            before = kept.position
            kept.refresh(NOW)
            anew = StoreView(instance, graph)
            anew.refresh(NOW)
            targets = [AssetKey("x"), AssetKey("y"), AssetCheckKey("y", "looked")]
            assert [kept.facts(one) for one in targets] == [anew.facts(one) for one in targets]
            assert kept.changes(before) == anew.changes(before)
            for one, within in ((targets[0], LETTERS.subset_with_all_partitions()), (targets[1], True)):
                assert sorted(anew.latest(one, within)) == sorted(kept.latest(one, within))
