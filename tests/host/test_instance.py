"""The instance as users see it."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.errors import InvariantError, InvocationError, RunNotFoundError
from treadle.host.instance import Instance
from treadle.host.settings import SettingsError
from treadle.state.events import (
    AssetMaterializationPlanned,
    AssetMaterialized,
    EventLogEntry,
    EventType,
    RunFailed,
    RunStarted,
    RunSucceeded,
    StepStarted,
)
from treadle.state.facts import AssetCheckEvaluation, AssetMaterialization, AssetObservation
from treadle.state.records import (
    AssetPartitionStatus,
    AssetRecordsFilter,
    EventRecordsFilter,
    RunStatusChangeRecordsFilter,
)
from treadle.state.runs import RunsFilter, RunStatus

A = AssetKey("a")


@pytest.fixture(params=["ephemeral", "home"])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Instance]:
    with Instance.ephemeral() if request.param == "ephemeral" else Instance.get(tmp_path / "home") as made:
        yield made


# --- making -----------------------------------------------------------------------------------------------------------


def test_get_opens_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path / "home"))
    with Instance.get() as instance:
        assert (instance.is_persistent, instance.is_ephemeral) == (True, False)
        assert instance.home == tmp_path / "home"
        assert instance.storage_directory() == str(tmp_path / "home" / "storage")
        assert not (tmp_path / "home").exists()  # until something is asked
        run = instance.create_run(job_name="job")
    with Instance.get() as again:
        assert again.get_run_by_id(run.run_id) == run


def test_an_ephemeral_instance_makes_a_folder_only_when_asked() -> None:
    with Instance.ephemeral() as instance:
        assert (instance.is_persistent, instance.is_ephemeral, instance.home) == (False, True, None)
        folder = Path(instance.root_directory)
        assert instance.storage_directory() == str(folder / "storage")
        assert folder.is_dir()
    assert not folder.exists()


def test_a_forgotten_instance_removes_its_folder() -> None:
    instance = Instance.ephemeral()
    folder = Path(instance.root_directory)
    instance.create_run(job_name="job")
    assert instance.get_runs_count() == 1
    del instance
    gc.collect()
    assert not folder.exists()


def test_folders_that_were_given_stay(tmp_path: Path) -> None:
    with Instance.ephemeral(tempdir=str(tmp_path)) as instance:
        assert instance.root_directory == str(tmp_path)
    with Instance.local_temp(str(tmp_path)) as instance:
        instance.create_run(job_name="job")
    assert (tmp_path / "treadle.db").exists()


def test_a_temporary_home_ends_with_its_instance() -> None:
    with Instance.local_temp() as instance:
        instance.create_run(job_name="job")
        assert instance.home is not None
        assert (instance.home / "treadle.db").exists()
    assert not instance.home.exists()


def test_settings_say_where_the_database_is_and_how_durable(tmp_path: Path) -> None:
    sqlite = {"base_dir": str(tmp_path / "fast disk"), "durability": "full"}
    with Instance.local_temp(str(tmp_path), {"storage": {"sqlite": sqlite}}) as instance:
        instance.create_run(job_name="job")
        assert (tmp_path / "fast disk" / "treadle.db").exists()
        assert instance.store.database.read("PRAGMA synchronous") == [(2,)]
        assert instance.get_settings("storage")["sqlite"]["durability"] == "full"


def test_settings_say_where_files_go(tmp_path: Path) -> None:
    settings = {
        "compute_logs": {"module": "m", "class": "LocalComputeLogManager", "config": {"base_dir": "/logs"}},
        "local_artifact_storage": {"module": "m", "class": "LocalArtifactStorage", "config": {"base_dir": "/values"}},
    }
    with Instance.local_temp(str(tmp_path), settings) as instance:
        assert instance.store.logs.paths(("run", "compute_logs", "a")).out == Path("/logs/run/compute_logs/a.out")
        assert instance.storage_directory() == "/values/storage"


@pytest.mark.parametrize(
    "settings",
    [
        {"storage": {"postgres": {"postgres_url": "postgresql://x"}}},
        {"event_log_storage": {"module": "m", "class": "PostgresEventLogStorage"}},
    ],
)
def test_another_store_is_never_replaced_by_sqlite_silently(tmp_path: Path, settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"(?i)postgres.*SQLite"):
        Instance.local_temp(str(tmp_path), settings)


def test_preload_is_refused() -> None:
    with pytest.raises(InvocationError, match="preloaded"):
        Instance.ephemeral(preload=[object()])


# --- runs -------------------------------------------------------------------------------------------------------------


def test_runs(instance: Instance) -> None:
    first = instance.create_run(job_name="job", tags={"n": 1}, asset_selection=[A])
    second = instance.create_run(job_name="other", run_id="given", status=RunStatus.QUEUED)
    assert first.tags == {"n": "1"}
    assert instance.get_runs() == [second, first]
    assert instance.get_runs(ascending=True) == [first, second]
    assert instance.get_runs(cursor="given") == [first]
    assert instance.get_runs(RunsFilter(statuses=[RunStatus.QUEUED])) == [second]
    assert instance.get_run_ids(limit=1) == ["given"]
    assert instance.get_runs_count(RunsFilter(job_name="job")) == 1
    assert instance.has_run("given")
    assert not instance.has_run("nobody")
    assert instance.get_run_by_id("nobody") is None
    assert instance.get_run_record_by_id("nobody") is None
    assert [record.run for record in instance.get_run_records(order_by="job_name", ascending=True)] == [first, second]
    with pytest.raises(InvocationError, match="exists already"):
        instance.create_run(job_name="job", run_id="given")
    instance.delete_run("given")
    instance.delete_run("nobody")
    assert instance.get_runs() == [first]
    assert not instance.has_run("given")
    assert instance.create_run(job_name="again", run_id="given").job_name == "again"


def test_tags_of_runs(instance: Instance) -> None:
    run = instance.create_run(job_name="job", tags={"a": "1"})
    instance.add_run_tags(run.run_id, {"b": "2"})
    assert instance.get_run_tag_keys() == ["a", "b"]
    assert instance.get_run_tags(["a", "b"]) == [("a", {"1"}), ("b", {"2"})]
    with pytest.raises(RunNotFoundError):
        instance.add_run_tags("nobody", {"a": "b"})


def test_a_run_through_its_sink(instance: Instance) -> None:
    run, sink = instance.create_run(job_name="job"), instance.sink()
    for event in (RunStarted("job"), StepStarted("a"), RunSucceeded("job")):
        sink.write(EventLogEntry(run.run_id, time.time(), event))
    sink.commit()
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.is_success
    record = instance.get_run_record_by_id(run.run_id)
    assert record is not None
    assert record.start_time is not None
    assert record.end_time is not None
    assert record.create_timestamp <= record.update_timestamp
    assert [entry.event.event_type for entry in instance.all_logs(run.run_id)] == [
        EventType.RUN_START,
        EventType.STEP_START,
        EventType.RUN_SUCCESS,
    ]
    assert len(instance.all_logs(run.run_id, of_type=EventType.STEP_START)) == 1
    assert len(instance.all_logs(run.run_id, of_type={EventType.STEP_START, EventType.RUN_START})) == 2
    first = instance.logs_after(run.run_id, limit=1)[0]
    assert len(instance.logs_after(run.run_id, first.storage_id)) == 2
    page = instance.get_records_for_run(run.run_id, limit=2)
    assert (len(page.records), page.has_more) == (2, True)
    rest = instance.get_records_for_run(run.run_id, cursor=page.cursor, limit=2)
    assert (len(rest.records), rest.has_more) == (1, False)
    assert instance.get_records_for_run(run.run_id, cursor=rest.cursor).cursor == rest.cursor


def test_stats_of_a_run(instance: Instance) -> None:
    run = instance.create_run(job_name="job")
    instance.report_event(RunStarted("job"), run.run_id, timestamp=5.0)
    instance.report_event(StepStarted("a"), run.run_id, timestamp=6.0)
    assert instance.get_run_stats(run.run_id).start_time == 5.0
    [step] = instance.get_run_step_stats(run.run_id)
    assert (step.step_key, step.status, step.start_time) == ("a", "IN_PROGRESS", 6.0)


def test_upkeep(instance: Instance) -> None:
    instance.create_run(job_name="job")
    assert instance.check() == []
    assert instance.upgrade() is False
    assert instance.get_runs_count() == 1


def test_reports_about_a_run(instance: Instance) -> None:
    run = instance.create_run(job_name="job")
    instance.report_engine_event("hello", run, metadata={})
    instance.report_run_canceling(run)
    instance.report_run_canceled(run)
    instance.report_run_failed(run)  # too late: it has ended
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status is RunStatus.CANCELED
    assert instance.all_logs(run.run_id)[0].message == "hello"


def test_status_changes_in_pages(instance: Instance) -> None:
    for job in ("x", "y", "z"):
        run = instance.create_run(job_name=job, run_id=job)
        instance.report_event(RunFailed(job), run.run_id)
    first = instance.fetch_run_status_changes(EventType.RUN_FAILURE, limit=2)
    assert ([record.run_id for record in first.records], first.has_more) == (["z", "y"], True)
    rest = instance.fetch_run_status_changes(EventType.RUN_FAILURE, limit=2, cursor=first.cursor)
    assert ([record.run_id for record in rest.records], rest.has_more) == (["x"], False)
    up = instance.fetch_run_status_changes(EventType.RUN_FAILURE, limit=9, ascending=True)
    assert [record.run_id for record in up.records] == ["x", "y", "z"]
    wanted = RunStatusChangeRecordsFilter(EventType.RUN_FAILURE, job_names=["y"])
    assert [record.run_id for record in instance.fetch_run_status_changes(wanted, limit=9).records] == ["y"]
    wanted = RunStatusChangeRecordsFilter(EventType.RUN_FAILURE, after_storage_id=up.records[0].storage_id)
    assert [record.run_id for record in instance.fetch_run_status_changes(wanted, limit=9).records] == ["z", "y"]
    with pytest.raises(InvocationError, match="STEP_START does not change the status"):
        instance.fetch_run_status_changes(EventType.STEP_START, limit=1)
    with pytest.raises(InvocationError, match="no cursor"):
        instance.fetch_run_status_changes(EventType.RUN_FAILURE, limit=1, cursor="soon")


# --- assets -----------------------------------------------------------------------------------------------------------


def test_what_is_reported_from_outside_a_run(instance: Instance) -> None:
    instance.report_runless_asset_event(AssetMaterialization(A, partition="x", metadata={"rows": 3}))
    instance.report_runless_asset_event(AssetObservation(A))
    instance.report_runless_asset_event(AssetCheckEvaluation(A, "check", passed=False))
    latest = instance.get_latest_materialization_event(A)
    assert latest is not None
    assert (latest.run_id, latest.asset_materialization) == (
        "",
        AssetMaterialization(A, partition="x", metadata={"rows": 3}),
    )
    assert instance.get_latest_materialization_events([A, AssetKey("b")]) == {A: latest, AssetKey("b"): None}
    record = instance.get_latest_asset_check_evaluation_record(AssetCheckKey(A, "check"))
    assert record is not None
    assert record.status.value == "FAILED"
    [asset] = instance.get_asset_records([A, AssetKey("b")])
    assert asset.asset_entry.last_materialization == latest
    assert asset.asset_entry.last_event_storage_id == 2
    assert asset.asset_entry.last_run_id is None
    assert instance.get_asset_records() == [asset]
    with pytest.raises(InvariantError, match="not what happens to an asset"):
        instance.report_runless_asset_event(3)  # type: ignore[arg-type]


def test_many_at_once_or_none(instance: Instance) -> None:
    instance.report_runless_asset_events(AssetMaterialization(A, partition=str(n)) for n in range(100))
    instance.report_runless_asset_events([])
    with pytest.raises(InvariantError):
        instance.report_runless_asset_events([AssetMaterialization("b"), "c"])  # type: ignore[list-item]
    assert instance.get_materialized_partitions(A) == {str(n) for n in range(100)}
    assert instance.get_asset_keys() == [A]


def test_materializations_in_pages(instance: Instance) -> None:
    instance.report_runless_asset_events(AssetMaterialization(A, partition=p) for p in "xyz")
    first = instance.fetch_materializations(A, limit=2)
    assert ([record.partition_key for record in first.records], first.has_more) == (["z", "y"], True)
    rest = instance.fetch_materializations(A, limit=2, cursor=first.cursor)
    assert ([record.partition_key for record in rest.records], rest.has_more) == (["x"], False)
    wanted = AssetRecordsFilter(A, asset_partitions=["x", "z"])
    found = instance.fetch_materializations(wanted, limit=9, ascending=True)
    assert [record.partition_key for record in found.records] == ["x", "z"]
    assert instance.fetch_observations(A, limit=1).records == []
    nothing = instance.fetch_materializations(AssetKey("b"), limit=1)
    assert (list(nothing.records), nothing.has_more) == ([], False)
    instance.report_runless_asset_event(AssetMaterialization("b"))
    assert len(instance.fetch_materializations(AssetKey("b"), limit=1, cursor=nothing.cursor).records) == 1


def test_event_records(instance: Instance) -> None:
    instance.report_runless_asset_events(AssetMaterialization(A, partition=p) for p in "xyz")
    wanted = EventRecordsFilter(EventType.ASSET_MATERIALIZATION, asset_key=A, after_cursor=1)
    assert [record.storage_id for record in instance.get_event_records(wanted)] == [3, 2]
    assert [record.storage_id for record in instance.get_event_records(wanted, limit=1, ascending=True)] == [2]
    with pytest.raises(InvocationError, match="asset_key"):
        EventRecordsFilter(EventType.ASSET_MATERIALIZATION, asset_partitions=["x"])
    found = instance.get_latest_storage_id_by_partition(A, EventType.ASSET_MATERIALIZATION, {"x", "y"})
    assert found == {"x": 1, "y": 2}


def test_the_event_of_the_data_version(instance: Instance) -> None:
    assert instance.get_latest_data_version_record(A) is None
    instance.report_runless_asset_event(AssetObservation(A))
    instance.report_runless_asset_event(AssetMaterialization("made", partition="x"))
    instance.report_runless_asset_event(AssetMaterialization("made", partition="y"))
    instance.report_runless_asset_event(AssetObservation("made"))

    def number(*arguments: object) -> int | None:
        record = instance.get_latest_data_version_record(*arguments)  # type: ignore[arg-type]
        return record.storage_id if record else None

    made = AssetKey("made")
    assert (number(A), number(A, True), number(A, False)) == (1, 1, None)
    assert (number(made), number(made, True), number(made, False, "x")) == (3, 4, 2)


def test_statuses_of_partitions(instance: Instance) -> None:
    assert instance.get_status_by_partition(A, ["x"]) is None
    run = instance.create_run(job_name="job")
    for partition in "xy":
        instance.report_event(AssetMaterializationPlanned(A, "a", partition), run.run_id)
    instance.report_event(AssetMaterialized(AssetMaterialization(A, partition="x")), run.run_id)
    status = AssetPartitionStatus
    assert instance.get_status_by_partition(A, ["x", "y", "z"]) == {
        "x": status.MATERIALIZED,
        "y": status.IN_PROGRESS,
        "z": None,
    }
    instance.report_run_failed(run)
    assert instance.get_status_by_partition(A, ["y"]) == {"y": status.FAILED}
    planned = instance.fetch_planned_materializations(A, limit=5)
    assert [record.partition_key for record in planned.records] == ["y", "x"]
    assert instance.get_asset_records([A])[0].asset_entry.last_run_id == run.run_id


def test_wiping(instance: Instance) -> None:
    for key in ("a", "b"):
        instance.report_runless_asset_events(AssetMaterialization(key, partition=p) for p in "xy")
    instance.wipe_asset_partitions(A, ["x"])
    assert instance.get_materialized_partitions(A) == {"y"}
    instance.wipe_assets([A])
    assert not instance.has_asset_key(A)
    assert instance.get_asset_keys() == [AssetKey("b")]
    assert list(instance.fetch_materializations(A, limit=1).records) == []
    instance.create_run(job_name="job")
    instance.add_dynamic_partitions("d", ["x"])
    instance.wipe()
    assert instance.get_asset_keys() == []
    assert instance.get_runs() == []
    instance.report_runless_asset_event(AssetMaterialization("b", partition="x"))
    assert instance.get_materialized_partitions(AssetKey("b")) == {"x"}


def test_dynamic_partitions(instance: Instance) -> None:
    instance.add_dynamic_partitions("colours", ["red", "blue"])
    assert instance.get_dynamic_partitions("colours") == ["red", "blue"]
    instance.delete_dynamic_partition("colours", "red")
    assert instance.get_existing_dynamic_partitions("colours", ["red", "blue"]) == {"blue"}
    assert instance.has_dynamic_partition("colours", "blue")
    assert not instance.has_dynamic_partition("colours", "red")
