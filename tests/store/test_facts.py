"""What automation reads of the store."""

from __future__ import annotations

from collections.abc import Callable

from treadle.core import tags
from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.state.events import (
    AssetCheckEvaluated,
    AssetCheckEvaluationPlanned,
    AssetMaterializationPlanned,
    AssetMaterialized,
    AssetObserved,
    AssetWiped,
    EventLogEntry,
    RunFailed,
    RunStarted,
)
from treadle.state.facts import AssetCheckEvaluation, AssetMaterialization, AssetObservation
from treadle.state.runs import Run
from treadle.store.store import Store

Entry = Callable[..., EventLogEntry]
A, B, CHECK = AssetKey("a"), AssetKey("b"), AssetCheckKey("a", "c")


def made(key: AssetKey, partition: str | None = None, version: str | None = None) -> AssetMaterialized:
    found = {tags.DATA_VERSION: version} if version is not None else None
    return AssetMaterialized(AssetMaterialization(key, partition=partition, tags=found))


def test_what_happened_between_two_events(store: Store, entry: Entry) -> None:
    store.events.append([entry(AssetMaterializationPlanned(A)), entry(AssetMaterializationPlanned(B))])
    store.events.append([
        entry(made(A, "p"), timestamp=5.0), entry(AssetObserved(AssetObservation(A))),
        entry(AssetCheckEvaluated(AssetCheckEvaluation(A, "c", True))),
    ])  # fmt: skip
    happened, touched = store.facts.between(2, 5)
    assert [(one.number, one.key, one.partition, one.run_id, one.is_seen) for one in happened] == [
        (3, A, "p", "r", False), (4, A, None, "r", True), (5, CHECK, None, "r", False),
    ]  # fmt: skip
    assert happened[0].timestamp == 5.0
    assert touched == {A}
    store.events.append([entry(RunFailed())])
    assert store.facts.between(5, 6) == ([], {A, B})  # the end of a run touches what it had planned
    store.events.append([entry(AssetWiped(B))])
    assert store.facts.between(6, 7) == ([], {B})
    assert store.facts.between(0, 2) == ([], {A})  # b was wiped since
    assert store.facts.between(7, 7) == ([], set())


def test_facts_of_many(store: Store, entry: Entry) -> None:
    store.add_run(Run(job_name="job", run_id="fill", tags={tags.BACKFILL: "x"}))
    store.events.append([
        entry(made(A), timestamp=3.0), entry(AssetMaterializationPlanned(B)),
        entry(AssetMaterializationPlanned(A, partition_key="p"), "fill"), entry(made(A, "q")),
        entry(AssetCheckEvaluationPlanned(CHECK)),
    ])  # fmt: skip
    facts = {one.key: one for one in store.facts.assets()}
    assert (facts[A].materialized, facts[A].running, facts[B].materialized, facts[B].running) == (
        True, False, False, True,
    )  # fmt: skip
    shown = {kind: store.facts.partition_keys(numbers) for kind, numbers in facts[A].partitions.items()}
    assert shown == {0: ["p"], 1: ["q"], 2: ["p"]}
    assert store.facts.assets([A]) == [facts[A]]
    assert store.facts.assets([AssetKey("unknown")]) == []
    assert [(one.key, one.evaluated, one.status) for one in store.facts.checks()] == [(CHECK, False, "IN_PROGRESS")]
    assert store.facts.checks([B]) == []


def test_latest_updates_and_versions(store: Store, entry: Entry) -> None:
    store.events.append([
        entry(made(A, "p", "1")), entry(made(A, "q", "2")), entry(made(A, "p", "3")), entry(made(B, None, "4")),
    ])  # fmt: skip
    assert sorted((one.number, one.partition) for one in store.facts.latest(A)) == [(2, "q"), (3, "p")]
    assert [one.number for one in store.facts.latest(A, ["p", "never"])] == [3]
    assert [(one.number, one.partition) for one in store.facts.latest(B)] == [(4, None)]
    assert store.facts.latest(B, is_seen=True) == []
    assert [store.facts.version(A, "p", until) for until in (1, 2, 3)] == ["1", "1", "3"]
    assert store.facts.version(B, None, 9) == "4"
    assert store.facts.version(A, None, 9) is None


def test_facts_of_a_run(store: Store, entry: Entry) -> None:
    store.add_run(Run(job_name="job", run_id="s", tags={"k": "v"}))
    store.events.append([
        entry(made(A)), entry(AssetMaterializationPlanned(A), "s"), entry(RunStarted(), "s"),
        entry(AssetCheckEvaluationPlanned(CHECK), "s"),
    ])  # fmt: skip
    assert store.facts.run("s") == (3, {"k": "v"}, {A, CHECK})
    assert store.facts.run("r") == (1, {}, frozenset())
    assert store.facts.run("never") is None
