"""The event log: what goes in comes out, by number, run, type, asset and partition."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from treadle.core.keys import AssetKey
from treadle.state.events import (
    AssetMaterialized,
    AssetObserved,
    AssetWiped,
    EventLogEntry,
    EventType,
    LogMessage,
    RunFailed,
    RunStarted,
    RunSucceeded,
    StepStarted,
    StepSucceeded,
    Unknown,
)
from treadle.state.facts import AssetMaterialization, AssetObservation
from treadle.state.runs import Run, RunStatus
from treadle.store.codes import CODES
from treadle.store.events import UnstorableEventError
from treadle.store.store import Store

Entry = Callable[..., EventLogEntry]
A = AssetKey(["a", "b"])


def made(partition: str | None = None, **metadata: object) -> AssetMaterialized:
    return AssetMaterialized(AssetMaterialization(A, partition=partition, metadata=metadata), "step")


def test_what_was_written_is_read(store: Store, entry: Entry) -> None:
    events = [RunStarted("job"), StepStarted("step"), made(rows=3, big=2**80, nan=float("inf")), RunSucceeded("job")]
    assert store.events.append([entry(event, timestamp=float(at)) for at, event in enumerate(events)]) == 1
    records = store.events.of_run("r")
    assert [record.event_log_entry.event for record in records] == events
    assert [record.storage_id for record in records] == [1, 2, 3, 4]
    assert [record.timestamp for record in records] == [0.0, 1.0, 2.0, 3.0]
    assert {record.run_id for record in records} == {"r"}


def test_every_type_has_a_number_of_its_own() -> None:
    assert set(CODES) == set(EventType)
    assert len(set(CODES.values())) == len(CODES)
    run_events = {kind for kind in EventType if kind.name.startswith("RUN_")}
    assert {kind for kind, code in CODES.items() if code < 20} == run_events


def test_the_log_of_a_run_in_pages(store: Store, entry: Entry) -> None:
    store.events.append([entry(LogMessage(str(number))) for number in range(5)])
    store.events.append([entry(LogMessage("elsewhere"), run_id="")])
    first = store.events.of_run("r", limit=2)
    second = store.events.of_run("r", after=first[-1].storage_id)
    assert [record.event_log_entry.message for record in first + second] == list("01234")
    last = store.events.of_run("r", ascending=False, limit=2)
    assert [record.event_log_entry.message for record in last] == ["4", "3"]
    before = store.events.of_run("r", ascending=False, after=last[-1].storage_id)
    assert [record.event_log_entry.message for record in before] == list("210")


def test_types_of_a_run(store: Store, entry: Entry) -> None:
    store.events.append([entry(event) for event in (StepStarted("s"), LogMessage("x"), StepSucceeded("s", 1.0))])
    found = store.events.of_run("r", of_type=[EventType.STEP_SUCCESS, EventType.STEP_START])
    assert [type(record.event_log_entry.event) for record in found] == [StepStarted, StepSucceeded]
    assert store.events.of_run("r", of_type=[]) == []
    assert store.events.of_run("another") == []


def test_events_of_an_asset(store: Store, entry: Entry) -> None:
    store.events.append([entry(made("x")), entry(made("y")), entry(AssetObserved(AssetObservation(A))), entry(made())])
    kind = (EventType.ASSET_MATERIALIZATION,)
    assert [record.storage_id for record in store.events.find(of_type=kind, asset_key=A)] == [4, 2, 1]
    assert [record.storage_id for record in store.events.find(asset_key=A, ascending=True)] == [1, 2, 3, 4]
    found = store.events.find(of_type=kind, asset_key=A, partitions=["y", "never seen"])
    assert [record.partition_key for record in found] == ["y"]
    assert store.events.find(of_type=kind, asset_key=A, after=1, before=4)[0].storage_id == 2
    assert [record.storage_id for record in store.events.find(numbers=[3, 1])] == [3, 1]
    assert store.events.find(asset_key=AssetKey("unknown")) == []
    assert store.events.latest_by_partition(A, EventType.ASSET_MATERIALIZATION) == {"x": 1, "y": 2}
    assert store.events.latest_by_partition(A, EventType.ASSET_MATERIALIZATION, ["y"]) == {"y": 2}


def test_16260_more_partitions_than_sqlite_has_variables(store: Store, entry: Entry) -> None:
    keys = [str(number) for number in range(40_000)]
    store.events.append([entry(made(key)) for key in keys])
    assert len(store.events.find(asset_key=A, partitions=keys)) == len(keys)
    assert store.assets.materialized_partitions(A) == set(keys)
    assert len(store.events.latest_by_partition(A, EventType.ASSET_MATERIALIZATION, keys)) == len(keys)


def test_partitions_of_several_chunks(store: Store, entry: Entry) -> None:
    with store.database.transaction() as connection:
        connection.execute("INSERT INTO partition_keys (id, key) VALUES (?, 'early')", (65_535,))
        connection.execute("INSERT INTO partition_keys (id, key) VALUES (?, 'late')", (3 * 65_536 + 7,))
    store.events.append([entry(made("early")), entry(made("late")), entry(made("later"))])
    assert store.assets.materialized_partitions(A) == {"early", "late", "later"}
    assert store.database.read("SELECT chunk FROM partition_sets ORDER BY chunk") == [(0,), (3,)]


def test_changes_of_runs_over_all_runs(store: Store, entry: Entry) -> None:
    store.add_run(Run(job_name="other", run_id="q"))
    store.events.append([entry(RunFailed("job")), entry(LogMessage("x")), entry(RunFailed("other"), run_id="q")])
    found = store.events.find(of_type=[EventType.RUN_FAILURE])
    assert [record.run_id for record in found] == ["q", "r"]
    found = store.events.find(of_type=[EventType.RUN_FAILURE], job_names=["job"])
    assert [record.run_id for record in found] == ["r"]


def test_an_event_of_a_later_version_survives(store: Store, entry: Entry) -> None:
    body = b"\x82\xa4type\xa7NEW_ONE\xa1x\x01"
    store.events.append([entry(Unknown("NEW_ONE", body))])
    event = store.events.of_run("r")[0].event_log_entry.event
    assert (event.event_type_value, event.raw if isinstance(event, Unknown) else None) == ("NEW_ONE", body)


def test_text_that_is_no_unicode_is_stored_readably(store: Store, entry: Entry) -> None:
    store.events.append([entry(LogMessage("name \udcff of a file"))])
    assert store.events.of_run("r")[0].event_log_entry.message == "name \\udcff of a file"


def test_an_event_without_a_run_is_refused_and_nothing_is_stored(store: Store, entry: Entry) -> None:
    with pytest.raises(UnstorableEventError, match="no run 'nobody'") as caught:
        store.events.append([entry(LogMessage("x")), entry(LogMessage("y"), run_id="nobody")])
    assert caught.value.place == 1
    assert store.events.of_run("r") == []


def test_names_of_a_rolled_back_transaction_are_forgotten(store: Store, entry: Entry) -> None:
    with pytest.raises(UnstorableEventError):
        store.events.append([entry(made("x")), entry(LogMessage("y"), run_id="nobody")])
    store.events.append([entry(AssetMaterialized(AssetMaterialization("other", partition="y"))), entry(made("x"))])
    assert store.assets.materialized_partitions(A) == {"x"}
    assert store.assets.materialized_partitions(AssetKey("other")) == {"y"}


def test_a_deleted_run_leaves_what_it_made(store: Store, entry: Entry) -> None:
    store.events.append([entry(RunStarted()), entry(made("x"), timestamp=7.0)])
    store.logs.start(("r", "compute_logs", "k")).out.write_bytes(b"hello")
    store.delete_run("r")
    assert store.runs.get("r") is None
    assert store.events.of_run("r") == []
    assert store.events.find() == []
    assert store.logs.read(("r", "compute_logs", "k")).stdout is None
    assert store.assets.materialized_partitions(A) == {"x"}
    latest = store.assets.latest_materialization(A)
    assert latest is not None
    assert (latest.run_id, latest.timestamp) == ("r", 7.0)
    store.delete_run("r")


def test_numbers_of_deleted_events_are_not_given_again(store: Store, entry: Entry) -> None:
    store.events.append([entry(LogMessage("x"))] * 3)
    store.delete_run("r")
    store.add_run(Run(job_name="job", run_id="q"))
    assert store.events.last_number() == 3
    assert store.events.append([entry(LogMessage("y"), run_id="q")]) == 4
    assert [record.storage_id for record in store.events.find()] == [4]


def test_a_run_deleted_while_it_writes(store: Store, entry: Entry) -> None:
    store.events.append([entry(RunStarted())])
    store.delete_run("r")
    store.events.append([entry(made("x")), entry(RunSucceeded())])
    assert store.runs.get("r") is None
    assert store.assets.materialized_partitions(A) == {"x"}


def test_a_wiped_asset_is_forgotten_but_the_run_keeps_its_log(store: Store, entry: Entry) -> None:
    store.events.append([entry(made("x")), entry(made())])
    store.events.append([entry(AssetWiped(A), run_id="")])
    assert not store.assets.known(A)
    assert store.assets.keys() == []
    assert store.assets.latest_materialization(A) is None
    assert store.events.find(asset_key=A) == []
    assert len(store.events.of_run("r", of_type=[EventType.ASSET_MATERIALIZATION])) == 2
    store.events.append([entry(made("y"))])
    assert store.assets.materialized_partitions(A) == {"y"}


def test_wiping_partitions_goes_back_to_what_is_left(store: Store, entry: Entry) -> None:
    store.events.append([entry(made("x")), entry(made("y"))])
    store.events.append([entry(AssetWiped(A, ("y",)), run_id="")])
    assert store.assets.materialized_partitions(A) == {"x"}
    latest = store.assets.latest_materialization(A)
    assert latest is not None
    assert latest.event.partition == "x"


def test_status_of_a_run_follows_its_events(store: Store, entry: Entry) -> None:
    store.events.append([entry(RunStarted(), timestamp=10.0)])
    record = store.runs.get_record("r")
    assert record is not None
    assert (record.run.status, record.start_time, record.end_time) == (RunStatus.STARTED, 10.0, None)
    store.events.append([entry(RunFailed(), timestamp=20.0)])
    store.events.append([entry(RunSucceeded(), timestamp=30.0)])
    record = store.runs.get_record("r")
    assert record is not None
    assert (record.run.status, record.start_time, record.end_time) == (RunStatus.FAILURE, 10.0, 20.0)
