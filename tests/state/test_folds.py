"""Folding: how events are batched does not matter, and the result is what a naive reading of the whole log says."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.state.events import (
    AssetCheckEvaluated,
    AssetCheckEvaluationPlanned,
    AssetMaterializationPlanned,
    AssetMaterialized,
    AssetObserved,
    AssetWiped,
    Event,
    EventLogEntry,
    EventType,
    LogMessage,
    RunCanceled,
    RunCanceling,
    RunFailed,
    RunStarted,
    RunSucceeded,
    StepStarted,
)
from treadle.state.facts import AssetCheckEvaluation, AssetMaterialization, AssetObservation
from treadle.state.folds import fold
from treadle.state.lifecycle import run_status_after
from treadle.state.runs import FINISHED, Run, RunStatus
from treadle.store.store import Store

RUNS = ("r1", "r2", "r3")
ASSETS = (AssetKey("a"), AssetKey(["b", "c"]))
PARTITIONS = ("x", "y", "z")

runs = st.sampled_from(RUNS)
assets = st.sampled_from(ASSETS)
partitions = st.none() | st.sampled_from(PARTITIONS)
asset_events = st.one_of(
    st.builds(lambda k, p: AssetMaterializationPlanned(k, "s", p), assets, partitions),
    st.builds(
        lambda k, ps: AssetMaterializationPlanned(k, "s", None, tuple(ps), ps[0], ps[-1]),
        assets,
        st.lists(st.sampled_from(PARTITIONS), min_size=1, max_size=3, unique=True),
    ),
    st.builds(lambda k, p: AssetMaterialized(AssetMaterialization(k, partition=p), "s"), assets, partitions),
    st.builds(lambda k, p: AssetObserved(AssetObservation(k, partition=p), "s"), assets, partitions),
    st.builds(lambda k: AssetCheckEvaluationPlanned(AssetCheckKey(k, "c"), "s"), assets),
    st.builds(lambda k, ok: AssetCheckEvaluated(AssetCheckEvaluation(k, "c", ok), "s"), assets, st.booleans()),
    st.just(StepStarted("s")),
    st.just(LogMessage("hello")),
)
run_events = st.sampled_from([RunStarted(), RunSucceeded(), RunFailed(), RunCanceling(), RunCanceled()])
wipes = st.builds(
    AssetWiped, assets, st.none() | st.lists(st.sampled_from(PARTITIONS), min_size=1, max_size=2).map(tuple)
)
entries = st.one_of(
    st.tuples(runs, asset_events),
    st.tuples(runs, asset_events),
    st.tuples(runs, run_events),
    st.tuples(st.just(""), st.one_of(wipes, st.builds(lambda k: AssetMaterialized(AssetMaterialization(k)), assets))),
)
histories = st.lists(entries, max_size=25).map(
    lambda pairs: [EventLogEntry(run_id, float(at), event) for at, (run_id, event) in enumerate(pairs)]
)


def stored(batches: Sequence[Sequence[EventLogEntry]]) -> Store:
    store = Store(None, lambda: Path("unused"))
    for run_id in RUNS:
        store.add_run(Run(job_name="job", run_id=run_id))
    for batch in batches:
        if batch:
            store.events.append(batch)
    return store


def seen(store: Store) -> dict[str, object]:
    """Everything that readers can learn from the state tables."""
    state: dict[str, object] = {run_id: store.runs.get(run_id) for run_id in RUNS}
    for record in store.runs.records():
        state[f"{record.run.run_id} times"] = (record.start_time, record.end_time)
    state["known"] = store.assets.keys()
    for key in ASSETS:
        state[f"{key} record"] = [record.asset_entry for record in store.assets.records([key])]
        state[f"{key} partitions"] = store.assets.status_by_partition(key, PARTITIONS)
        state[f"{key} materialized"] = store.assets.materialized_partitions(key)
        state[f"{key} check"] = store.assets.check_record(AssetCheckKey(key, "c"))
    return state


@given(histories, st.data())
def test_batching_does_not_matter(history: list[EventLogEntry], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(history)), max_size=6)))
    bounds = [0, *cuts, len(history)]
    batches = [history[start:end] for start, end in itertools.pairwise(bounds)]
    one_by_one = seen(stored([[entry] for entry in history]))
    assert seen(stored(batches)) == one_by_one
    assert seen(stored([history])) == one_by_one


class Model:
    """The log read naively: every question is answered by walking through all events."""

    def __init__(self, history: Sequence[EventLogEntry]) -> None:
        self.status: dict[str, RunStatus] = dict.fromkeys(RUNS, RunStatus.NOT_STARTED)
        self.owner: dict[tuple[AssetKey, str | None], str | None] = {}
        self.made: set[tuple[AssetKey, str | None]] = set()
        self.failed: set[tuple[AssetKey, str | None]] = set()
        for entry in history:
            self.step(entry.run_id, entry.event)

    def step(self, run_id: str, event: Event) -> None:
        if isinstance(event, AssetMaterializationPlanned):
            whose = event.partition_keys or (event.partition_key,)
            for partition in whose:
                where = (event.key, partition)
                self.failed.discard(where)
                self.owner[where] = run_id if self.status[run_id] not in FINISHED else None
        elif isinstance(event, AssetMaterialized):
            where = (event.materialization.asset_key, event.materialization.partition)
            self.failed.discard(where)
            self.owner[where] = None
            self.made.add(where)
        elif isinstance(event, AssetWiped):
            whole = event.partition_keys is None
            for where in [*self.owner, *self.made]:
                if where[0] == event.key and (whole or where[1] in (event.partition_keys or ())):
                    self.owner.pop(where, None)
                    self.made.discard(where)
                    self.failed.discard(where)
        elif run_id:
            before = self.status[run_id]
            self.status[run_id] = after = run_status_after(before, event.event_type)
            if after in FINISHED and before not in FINISHED:
                for where in [where for where, owner in self.owner.items() if owner == run_id]:
                    self.owner[where] = None
                    if after is RunStatus.FAILURE:
                        self.failed.add(where)

    def partition(self, key: AssetKey, partition: str | None) -> str | None:
        where = (key, partition)
        if self.owner.get(where):
            return "IN_PROGRESS"
        if where in self.failed:
            return "FAILED"
        return "MATERIALIZED" if where in self.made else None


@given(histories)
def test_state_is_what_a_naive_reading_of_the_log_says(history: list[EventLogEntry]) -> None:
    store, model = stored([history]), Model(history)
    for run_id in RUNS:
        run = store.runs.get(run_id)
        assert run is not None
        assert run.status is model.status[run_id]
    for key in ASSETS:
        statuses = store.assets.status_by_partition(key, PARTITIONS)
        assert {p: s and s.value for p, s in statuses.items()} == {p: model.partition(key, p) for p in PARTITIONS}
        assert store.assets.materialized_partitions(key) == {p for p in PARTITIONS if (key, p) in model.made}
        for record in store.assets.records([key]):
            whole = model.partition(key, None)
            assert record.asset_entry.in_progress == (whole == "IN_PROGRESS")
            assert record.asset_entry.failed == (whole == "FAILED")
            latest = record.asset_entry.last_materialization
            found = store.events.find(of_type=[EventType.ASSET_MATERIALIZATION], asset_key=key, limit=1)
            assert latest == (found[0].event_log_entry if found else None)


def test_events_that_change_nothing_give_no_delta() -> None:
    assert fold([EventLogEntry("r1", 0.0, LogMessage("hello")), EventLogEntry("r1", 0.0, StepStarted("s"))]) == []


def test_a_delta_ends_with_the_run() -> None:
    plan = AssetMaterializationPlanned(ASSETS[0], "s")
    first, second = fold([EventLogEntry("r1", 0.0, event) for event in (plan, RunFailed(), plan)])
    assert first.runs == {"r1": [EventLogEntry("r1", 0.0, RunFailed())]}
    assert second.assets[ASSETS[0]].whole == "r1"
    assert not second.runs
