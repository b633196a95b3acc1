"""Checks, and whose failure a partition is: what the folds' property test does not look at."""

from __future__ import annotations

from collections.abc import Callable

from treadle.core import tags as tag
from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.state.events import (
    AssetCheckEvaluated,
    AssetCheckEvaluationPlanned,
    AssetMaterializationPlanned,
    AssetMaterialized,
    AssetObserved,
    EventLogEntry,
    RunCanceled,
    RunFailed,
    StepStarted,
)
from treadle.state.facts import AssetCheckEvaluation, AssetMaterialization, AssetObservation
from treadle.state.records import AssetCheckExecutionStatus, AssetPartitionStatus
from treadle.state.runs import Run
from treadle.store.store import Store

Entry = Callable[..., EventLogEntry]
A = AssetKey("a")
CHECK = AssetCheckKey(A, "c")
PLAN = AssetCheckEvaluationPlanned(CHECK, "a_c")
PASSED = AssetCheckEvaluated(AssetCheckEvaluation(A, "c", True), "a_c")


def check_status(store: Store) -> AssetCheckExecutionStatus | None:
    record = store.assets.check_record(CHECK)
    return record.status if record else None


def test_statuses_of_a_check(store: Store, entry: Entry) -> None:
    assert check_status(store) is None
    store.events.append([entry(PLAN)])
    assert check_status(store) is AssetCheckExecutionStatus.IN_PROGRESS
    store.events.append([entry(PASSED)])
    assert check_status(store) is AssetCheckExecutionStatus.SUCCEEDED
    store.events.append([entry(AssetCheckEvaluated(AssetCheckEvaluation(A, "c", False), "a_c"))])
    assert check_status(store) is AssetCheckExecutionStatus.FAILED


def test_a_check_whose_step_crashed(store: Store, entry: Entry) -> None:
    store.events.append([entry(PLAN), entry(PASSED), entry(PLAN), entry(StepStarted("a_c"))])
    store.events.append([entry(RunFailed())])
    assert check_status(store) is AssetCheckExecutionStatus.EXECUTION_FAILED
    record = store.assets.check_record(CHECK)
    assert record is not None
    assert record.evaluation is not None
    assert record.evaluation.passed  # the latest evaluation is still known
    assert (record.planned_storage_id, record.planned_run_id) == (3, "r")


def test_a_check_whose_step_never_ran(store: Store, entry: Entry) -> None:
    store.events.append([entry(PLAN), entry(RunFailed())])
    assert check_status(store) is AssetCheckExecutionStatus.SKIPPED


def test_a_step_that_begins_after_the_run_ended_changes_nothing(store: Store, entry: Entry) -> None:
    store.events.append([entry(PLAN), entry(RunFailed()), entry(StepStarted("a_c"))])
    assert check_status(store) is AssetCheckExecutionStatus.SKIPPED


def test_a_check_alone_does_not_make_an_asset_known(store: Store, entry: Entry) -> None:
    store.events.append([entry(PASSED)])
    assert store.assets.keys() == []


def test_a_partition_planned_twice_belongs_to_the_later_run(store: Store, entry: Entry) -> None:
    store.add_run(Run(job_name="job", run_id="q"))
    plan = AssetMaterializationPlanned(A, "a", "x")
    store.events.append([entry(plan)])
    store.events.append([entry(plan, run_id="q")])
    store.events.append([entry(RunFailed())])
    assert store.assets.status_by_partition(A, ["x"]) == {"x": AssetPartitionStatus.IN_PROGRESS}
    store.events.append([entry(RunFailed(), run_id="q")])
    assert store.assets.status_by_partition(A, ["x"]) == {"x": AssetPartitionStatus.FAILED}
    assert store.database.read("SELECT * FROM open_partitions") == []


def test_a_canceled_or_deleted_run_leaves_nothing_in_progress(store: Store, entry: Entry) -> None:
    store.add_run(Run(job_name="job", run_id="q"))
    made = AssetMaterialized(AssetMaterialization(A, partition="x"))
    store.events.append([entry(made), entry(AssetMaterializationPlanned(A, "a", "x")), entry(RunCanceled())])
    assert store.assets.status_by_partition(A, ["x"]) == {"x": AssetPartitionStatus.MATERIALIZED}
    store.events.append([entry(AssetMaterializationPlanned(A, "a", "x"), run_id="q")])
    store.delete_run("q")
    assert store.assets.status_by_partition(A, ["x"]) == {"x": AssetPartitionStatus.MATERIALIZED}


def test_keys_in_pages(store: Store, entry: Entry) -> None:
    keys = [AssetKey(["p", "b"]), AssetKey(["p", "a"]), AssetKey("q")]
    store.events.append([entry(AssetObserved(AssetObservation(key))) for key in keys])
    assert store.assets.keys() == [keys[1], keys[0], keys[2]]
    assert store.assets.keys(prefix=["p"]) == [keys[1], keys[0]]
    assert store.assets.keys(limit=1) == [keys[1]]
    assert store.assets.keys(limit=5, cursor=keys[1].to_string()) == [keys[0], keys[2]]
    assert store.assets.known(keys[2])
    assert not store.assets.known(A)


def test_code_versions(store: Store, entry: Entry) -> None:
    made = AssetMaterialized(AssetMaterialization(A, tags={tag.CODE_VERSION: "7"}))
    store.events.append([entry(made), entry(AssetMaterialized(AssetMaterialization("b")))])
    versions = store.assets.latest_code_versions([A, AssetKey("b"), AssetKey("c")])
    assert versions == {A: "7", AssetKey("b"): None, AssetKey("c"): None}
