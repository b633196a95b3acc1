import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest

import dagster as dg

A, B = dg.AssetKey("a"), dg.AssetKey(["p", "b"])
LETTERS = dg.StaticPartitionsDefinition(["x", "y", "z"])


@dg.asset(code_version="v1")
def a():
    return 1


@dg.asset(key_prefix="p")
def b(a):
    return a + 1


@dg.asset(partitions_def=LETTERS)
def lettered(context):
    if context.partition_key == "z":
        raise ValueError("z")
    return 1


@dg.op
def one():
    return 1


@dg.op
def bad():
    raise ValueError("no")


@dg.job
def good_job():
    one()


@dg.job
def bad_job():
    bad()


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


# --- homes -----------------------------------------------------------------------------------------------------------


@pytest.mark.api("DagsterInstance.get")
def test_the_home_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.get() as instance:
        run_id = dg.materialize([a], instance=instance).run_id
        assert not instance.is_ephemeral
    with dg.DagsterInstance.get() as again:
        assert again.get_run_by_id(run_id).status is dg.DagsterRunStatus.SUCCESS
        assert again.has_asset_key(A)
        assert dg.materialize([a, b], selection=[b], instance=again).asset_value(B) == 2


@pytest.mark.api("DagsterInstance.ephemeral", "DagsterInstance.ephemeral.tempdir")
def test_an_ephemeral_instance_forgets(tmp_path):
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path)) as instance:
        dg.materialize([a], instance=instance)
        assert instance.is_ephemeral
        assert list((tmp_path / "storage").rglob("a"))
    with dg.DagsterInstance.ephemeral() as other:
        assert not other.has_asset_key(A)


@pytest.mark.api("DagsterInstance.local_temp", "DagsterInstance.local_temp.tempdir")
def test_a_temporary_home(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run_id = good_job.execute_in_process(instance=instance).run_id
    with dg.DagsterInstance.local_temp(str(tmp_path)) as again:
        assert again.get_run_by_id(run_id).job_name == "good_job"


# --- runs ------------------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "DagsterInstance.get_run_by_id", "DagsterInstance.get_run_record_by_id", "DagsterInstance.delete_run",
    "RunRecord.dagster_run", "RunRecord.start_time", "RunRecord.end_time", "RunRecord.create_timestamp",
    "RunRecord.update_timestamp", "RunRecord.storage_id", "DagsterRun.is_finished", "DagsterRun.is_success",
    "DagsterRun.is_failure", "DagsterRun.is_failure_or_canceled", "DagsterRun.is_cancelable", "DagsterRun.job_name",
    "DagsterRun.run_id",
)  # fmt: skip
def test_a_run_is_kept(instance):
    run_id = good_job.execute_in_process(instance=instance).run_id
    failed = bad_job.execute_in_process(instance=instance, raise_on_error=False).run_id
    run = instance.get_run_by_id(run_id)
    assert (run.run_id, run.job_name, run.status) == (run_id, "good_job", dg.DagsterRunStatus.SUCCESS)
    assert (run.is_finished, run.is_success, run.is_failure, run.is_cancelable) == (True, True, False, False)
    lost = instance.get_run_by_id(failed)
    assert (lost.is_failure, lost.is_failure_or_canceled, lost.is_success) == (True, True, False)
    record = instance.get_run_record_by_id(run_id)
    assert record.dagster_run.run_id == run_id
    assert record.start_time <= record.end_time
    assert record.create_timestamp <= record.update_timestamp
    assert record.storage_id > 0
    instance.delete_run(run_id)
    assert instance.get_run_by_id(run_id) is None
    assert instance.get_run_record_by_id(run_id) is None
    assert len(instance.get_run_records()) == 1


@pytest.mark.api(
    "DagsterInstance.get_run_records", "DagsterInstance.get_run_records.filters",
    "DagsterInstance.get_run_records.limit", "DagsterInstance.get_run_records.order_by",
    "DagsterInstance.get_run_records.ascending", "DagsterInstance.get_run_records.cursor", "RunsFilter.run_ids",
    "RunsFilter.job_name", "RunsFilter.statuses", "RunsFilter.tags", "RunsFilter.created_after",
    "RunsFilter.created_before", "RunsFilter.updated_after", "RunsFilter.updated_before",
)  # fmt: skip
def test_runs_are_found(instance):
    ids = [
        good_job.execute_in_process(instance=instance, tags={"n": str(n), "odd": str(n % 2)}).run_id for n in range(4)
    ]
    failed = bad_job.execute_in_process(instance=instance, raise_on_error=False).run_id

    def found(**wanted):
        return [record.dagster_run.run_id for record in instance.get_run_records(dg.RunsFilter(**wanted))]

    newest_first = [failed, *reversed(ids)]
    assert found() == newest_first
    assert found(run_ids=[ids[0], failed]) == [failed, ids[0]]
    assert found(job_name="bad_job") == [failed]
    assert found(statuses=[dg.DagsterRunStatus.FAILURE]) == [failed]
    assert found(statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]) == newest_first
    assert found(statuses=[dg.DagsterRunStatus.QUEUED]) == []
    assert found(tags={"odd": "1"}) == [ids[3], ids[1]]
    assert found(tags={"n": ["0", "3"]}) == [ids[3], ids[0]]
    assert found(tags={"n": ["0", "3"], "odd": "0"}) == [ids[0]]
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    assert found(created_after=now - hour, created_before=now + hour) == newest_first
    assert found(updated_after=now - hour, updated_before=now + hour) == newest_first
    assert found(created_after=now + hour) == found(updated_before=now - hour) == []

    def page(**options):
        return [record.dagster_run.run_id for record in instance.get_run_records(**options)]

    assert page(limit=2) == newest_first[:2]
    assert page(limit=2, cursor=newest_first[1]) == newest_first[2:4]
    assert page(ascending=True) == newest_first[::-1]
    assert page(order_by="start_time", ascending=True, limit=2) == ids[:2]


# --- events ----------------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "DagsterInstance.fetch_run_status_changes", "RunStatusChangeRecordsFilter.event_type",
    "RunStatusChangeRecordsFilter.job_names", "RunStatusChangeRecordsFilter.after_storage_id",
)  # fmt: skip
def test_changes_of_status(instance):
    first = good_job.execute_in_process(instance=instance).run_id
    second = good_job.execute_in_process(instance=instance).run_id
    failed = bad_job.execute_in_process(instance=instance, raise_on_error=False).run_id

    def runs(filters, **options):
        page = instance.fetch_run_status_changes(filters, **{"limit": 10, **options})
        return [record.event_log_entry.run_id for record in page.records]

    assert runs(dg.DagsterEventType.RUN_SUCCESS) == [second, first]
    assert runs(dg.DagsterEventType.RUN_SUCCESS, ascending=True) == [first, second]
    page = instance.fetch_run_status_changes(dg.DagsterEventType.RUN_SUCCESS, limit=1)
    assert page.has_more
    rest = instance.fetch_run_status_changes(dg.DagsterEventType.RUN_SUCCESS, limit=5, cursor=page.cursor)
    assert [record.run_id for record in rest.records] == [first]
    assert not rest.has_more

    def wanted(event_type=dg.DagsterEventType.RUN_START, **rest):
        return runs(dg.RunStatusChangeRecordsFilter(event_type, **rest))

    assert wanted() == [failed, second, first]
    assert wanted(job_names=["bad_job"]) == [failed]
    assert wanted(after_timestamp=datetime.now(UTC).timestamp() + 60) == []
    number = page.records[0].storage_id
    assert wanted(after_storage_id=number) == [failed]
    assert wanted(dg.DagsterEventType.RUN_SUCCESS, storage_ids=[number]) == [second]


@pytest.mark.api(
    "DagsterInstance.fetch_materializations", "DagsterInstance.fetch_observations", "AssetRecordsFilter.asset_key",
    "AssetRecordsFilter.asset_partitions", "AssetRecordsFilter.after_storage_id",
    "AssetRecordsFilter.before_storage_id", "AssetRecordsFilter.storage_ids", "AssetRecordsFilter.after_timestamp",
    "AssetRecordsFilter.before_timestamp", "DagsterInstance.report_runless_asset_event",
)  # fmt: skip
def test_what_happened_to_an_asset(instance):
    for partition in "xyx":
        instance.report_runless_asset_event(dg.AssetMaterialization(A, partition=partition, metadata={"n": 1}))
    instance.report_runless_asset_event(dg.AssetObservation(A, metadata={"n": 2}))

    def found(**wanted):
        page = instance.fetch_materializations(dg.AssetRecordsFilter(A, **wanted), limit=10, ascending=True)
        return [(record.storage_id, record.partition_key) for record in page.records]

    everything = found()
    numbers = [number for number, _ in everything]
    assert [partition for _, partition in everything] == ["x", "y", "x"]
    assert found(asset_partitions=["y"]) == everything[1:2]
    assert found(after_storage_id=numbers[0]) == everything[1:]
    assert found(before_storage_id=numbers[2]) == everything[:2]
    assert found(storage_ids=[numbers[1]]) == everything[1:2]
    soon = datetime.now(UTC).timestamp() + 60
    assert found(after_timestamp=soon) == []
    assert found(before_timestamp=soon) == everything
    newest = instance.fetch_materializations(A, limit=1).records[0]
    assert newest.storage_id == numbers[-1]
    assert newest.asset_materialization.metadata["n"].value == 1
    (seen,) = instance.fetch_observations(A, limit=5).records
    assert seen.asset_observation.metadata["n"].value == 2


def test_the_log_of_a_run_in_order(instance):
    run_id = good_job.execute_in_process(instance=instance).run_id
    kinds = [entry.dagster_event.event_type_value for entry in instance.all_logs(run_id) if entry.is_dagster_event]
    wanted = [kind for kind in kinds if kind not in ("ENGINE_EVENT", "LOGS_CAPTURED") and "RESOURCE" not in kind]
    assert wanted == [
        "PIPELINE_START", "STEP_START", "STEP_OUTPUT", "HANDLED_OUTPUT", "STEP_SUCCESS", "PIPELINE_SUCCESS",
    ]  # fmt: skip


# --- assets ----------------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "DagsterInstance.get_asset_keys", "DagsterInstance.get_asset_keys.prefix", "DagsterInstance.get_asset_keys.limit",
    "DagsterInstance.get_asset_keys.cursor", "DagsterInstance.has_asset_key", "DagsterInstance.get_asset_records",
    "DagsterInstance.get_latest_materialization_event", "DagsterInstance.wipe_assets",
    "DagsterInstance.get_latest_materialization_code_versions",
)  # fmt: skip
def test_what_is_known_of_assets(instance):
    run_id = dg.materialize([a, b], instance=instance).run_id
    assert set(instance.get_asset_keys()) == {A, B}
    assert instance.get_asset_keys(prefix=["p"]) == [B]
    (first,) = instance.get_asset_keys(limit=1)
    assert set(instance.get_asset_keys(limit=5, cursor=first.to_string())) == {A, B} - {first}
    assert instance.has_asset_key(A)
    assert not instance.has_asset_key(dg.AssetKey("c"))
    assert instance.get_latest_materialization_event(A).run_id == run_id
    assert instance.get_latest_materialization_event(dg.AssetKey("c")) is None
    assert instance.get_latest_materialization_code_versions([A])[A] == "v1"
    (record,) = instance.get_asset_records([A])
    assert record.asset_entry.asset_key == A
    assert len(instance.get_asset_records()) == 2
    instance.wipe_assets([A])
    assert instance.get_latest_materialization_event(A) is None
    assert not instance.has_asset_key(A)
    assert instance.has_asset_key(B)


@pytest.mark.api("DagsterInstance.get_status_by_partition", "AssetPartitionStatus")
def test_the_status_of_partitions(instance):
    dg.materialize([lettered], partition_key="x", instance=instance)
    dg.materialize([lettered], partition_key="z", instance=instance, raise_on_error=False)
    status = instance.get_status_by_partition(lettered.key, ["x", "y", "z"], LETTERS)
    found = {key: value.value if value else None for key, value in status.items()}
    assert found == {"x": "MATERIALIZED", "y": None, "z": "FAILED"}
    assert instance.get_materialized_partitions(lettered.key) == {"x"}


def test_a_failed_run_leaves_what_was_made(instance):
    @dg.asset
    def after(a):
        raise ValueError("no")

    dg.materialize([a, after], instance=instance, raise_on_error=False)
    assert instance.get_latest_materialization_event(A) is not None
    assert instance.get_latest_materialization_event(after.key) is None


@pytest.mark.api("AssetCheckResult.severity", "AssetCheckResult.metadata")
def test_checks_are_kept(instance):
    @dg.asset_check(asset=a)
    def small(a):
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN, metadata={"seen": a})

    result = dg.materialize([a, small], instance=instance)
    (evaluation,) = result.get_asset_check_evaluations()
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert evaluation.metadata["seen"].value == 1
    made = instance.get_latest_materialization_event(A)
    assert evaluation.target_materialization_data.run_id == made.run_id
    record = instance.fetch_materializations(A, limit=1).records[0]
    assert evaluation.target_materialization_data.storage_id == record.storage_id


# --- dynamic partitions ----------------------------------------------------------------------------------------------


@pytest.mark.api(
    "DagsterInstance.add_dynamic_partitions", "DagsterInstance.delete_dynamic_partition",
    "DagsterInstance.get_dynamic_partitions", "DagsterInstance.has_dynamic_partition",
)  # fmt: skip
def test_dynamic_partitions(instance):
    instance.add_dynamic_partitions("people", ["ann", "bob"])
    instance.add_dynamic_partitions("people", ["bob", "cy"])
    assert list(instance.get_dynamic_partitions("people")) == ["ann", "bob", "cy"]
    assert instance.has_dynamic_partition("people", "ann")
    instance.delete_dynamic_partition("people", "ann")
    assert not instance.has_dynamic_partition("people", "ann")
    assert list(instance.get_dynamic_partitions("people")) == ["bob", "cy"]
    assert list(instance.get_dynamic_partitions("others")) == []


# --- provenance ------------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "Output.data_version", "Output.tags", "MaterializeResult.data_version", "MaterializeResult.tags",
    "asset.code_version", "DataVersion.value",
)  # fmt: skip
def test_tags_of_materializations_say_what_they_were_made_from(instance):
    @dg.asset
    def given(a):
        return dg.Output(1, data_version=dg.DataVersion("rows-7"), tags={"k": "v"})

    @dg.asset(code_version="c2")
    def below(given) -> dg.MaterializeResult:
        return dg.MaterializeResult(data_version=dg.DataVersion("8"), tags={"l": "w"})

    def tags_of(key):
        return instance.get_latest_materialization_event(key).asset_materialization.tags

    dg.materialize([a, given, below], instance=instance)
    first = tags_of(A)
    assert first["dagster/code_version"] == "v1"
    mine = tags_of(given.key)
    assert mine["dagster/data_version"] == "rows-7"
    assert mine["dagster/data_version_is_user_provided"] == "true"
    assert mine["dagster/input_data_version/a"] == first["dagster/data_version"]
    assert mine["k"] == "v"
    last = tags_of(below.key)
    assert last["dagster/input_data_version/given"] == "rows-7"
    assert (last["dagster/data_version"], last["dagster/code_version"], last["l"]) == ("8", "c2", "w")
    dg.materialize([a], instance=instance)
    assert tags_of(A)["dagster/data_version"] == first["dagster/data_version"]


# --- what runs and records say ---------------------------------------------------------------------------------------


@pytest.mark.api(
    "DagsterRun.status", "DagsterRun.tags", "DagsterRun.run_config", "DagsterRun.op_selection",
    "DagsterRun.asset_selection", "DagsterRun.asset_check_selection", "DagsterRun.step_keys_to_execute",
    "DagsterRun.parent_run_id", "DagsterRun.root_run_id", "DagsterRun.is_resume_retry",
)  # fmt: skip
def test_what_a_run_was_asked_for(tmp_path):
    @dg.asset_check(asset=a)
    def fine():
        return dg.AssetCheckResult(passed=True)

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        config = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
        run = good_job.execute_in_process(
            instance=instance, tags={"k": "v"}, run_config=config, op_selection=["one"]
        ).dagster_run
        kept = instance.get_run_by_id(run.run_id)
        assert (kept.status, kept.tags["k"]) == (dg.DagsterRunStatus.SUCCESS, "v")
        assert kept.run_config["loggers"] == config["loggers"]
        assert (kept.parent_run_id, kept.root_run_id, kept.is_resume_retry) == (None, None, False)
        made = dg.materialize([a, b, fine], selection=dg.AssetSelection.assets("a"), instance=instance).dagster_run
        assert (set(made.asset_selection), made.asset_check_selection) in (({A}, None), ({A}, {fine.check_key}))
        failed = dg.execute_job(dg.reconstructable(bad_job), instance)
        again = dg.execute_job(
            dg.reconstructable(bad_job),
            instance,
            reexecution_options=dg.ReexecutionOptions.from_failure(failed.run_id, instance),
        )
        once_more = instance.get_run_by_id(again.run_id)
        assert (once_more.parent_run_id, once_more.root_run_id) == (failed.run_id, failed.run_id)
        assert list(once_more.step_keys_to_execute) == ["bad"]
        assert once_more.is_resume_retry in (True, "dagster/is_resume_retry" in once_more.tags)
        part = dg.execute_job(dg.reconstructable(good_job), instance, op_selection=["one"])
        assert list(instance.get_run_by_id(part.run_id).op_selection or ["one"]) == ["one"]


@pytest.mark.api("RunsFilter.exclude_subruns")
def test_runs_of_backfills_may_be_left_out(instance):
    good_job.execute_in_process(instance=instance, tags={"dagster/backfill": "b"})
    alone = good_job.execute_in_process(instance=instance).run_id
    (record,) = instance.get_run_records(dg.RunsFilter(exclude_subruns=True))
    assert record.dagster_run.run_id == alone
    assert len(instance.get_run_records(dg.RunsFilter(exclude_subruns=False))) == 2


@pytest.mark.api(
    "EventRecordsFilter.event_type", "EventRecordsFilter.asset_key", "EventRecordsFilter.asset_partitions",
    "EventRecordsFilter.after_cursor", "EventRecordsFilter.before_cursor", "EventRecordsFilter.after_timestamp",
    "EventRecordsFilter.before_timestamp", "EventRecordsFilter.storage_ids", "EventLogRecord.storage_id",
    "EventLogRecord.event_log_entry", "RunShardedEventsCursor.id", "RunShardedEventsCursor.run_updated_after",
)  # fmt: skip
def test_events_are_found(instance):
    for partition in "xyx":
        instance.report_runless_asset_event(dg.AssetMaterialization(A, partition=partition))
    instance.report_runless_asset_event(dg.AssetMaterialization(B))
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION

    def found(event_type=kind, **wanted):
        wanted = dg.EventRecordsFilter(event_type=event_type, **wanted)
        return instance.get_event_records(wanted, ascending=True)

    records = found()
    numbers = [record.storage_id for record in records]
    entries = [record.event_log_entry for record in records]
    assert numbers == sorted(numbers)
    assert [entry.dagster_event.partition for entry in entries] == ["x", "y", "x", None]
    times = [entry.timestamp for entry in entries]

    def places(**wanted):
        return [numbers.index(record.storage_id) for record in found(**wanted)]

    assert places(event_type=dg.DagsterEventType.ASSET_OBSERVATION) == []
    assert places(asset_key=A) == [0, 1, 2]
    assert places(asset_key=A, asset_partitions=["x"]) == [0, 2]
    assert places(after_cursor=numbers[0], before_cursor=numbers[3]) == [1, 2]
    assert places(storage_ids=[numbers[1], numbers[3]]) == [1, 3]
    assert places(after_timestamp=times[-1] + 60) == []
    assert places(before_timestamp=times[-1] + 60) == [0, 1, 2, 3]
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    cursor = dg.RunShardedEventsCursor(id=numbers[1], run_updated_after=long_ago)
    assert (cursor.id, cursor.run_updated_after) == (numbers[1], long_ago)
    assert places(after_cursor=cursor) == [2, 3]


@pytest.mark.api("EventRecordsResult.records", "EventRecordsResult.cursor", "EventRecordsResult.has_more")
def test_pages_of_events(instance):
    for _ in range(3):
        instance.report_runless_asset_event(dg.AssetMaterialization(A))
    first = instance.fetch_materializations(A, limit=2)
    assert (len(first.records), first.has_more) == (2, True)
    rest = instance.fetch_materializations(A, limit=2, cursor=first.cursor)
    assert (len(rest.records), rest.has_more) == (1, False)
    assert rest.records[0].storage_id < min(record.storage_id for record in first.records)


@pytest.mark.api(
    "RunStatusChangeRecordsFilter.after_timestamp", "RunStatusChangeRecordsFilter.before_timestamp",
    "RunStatusChangeRecordsFilter.before_storage_id", "RunStatusChangeRecordsFilter.storage_ids",
)  # fmt: skip
def test_bounds_for_changes_of_status(instance):
    runs = [good_job.execute_in_process(instance=instance).run_id for _ in range(3)]
    kind = dg.DagsterEventType.RUN_SUCCESS
    ends = instance.fetch_run_status_changes(kind, limit=5, ascending=True).records
    numbers = [record.storage_id for record in ends]

    def found(**wanted):
        page = instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(kind, **wanted), limit=5, ascending=True
        )
        return [runs.index(record.event_log_entry.run_id) for record in page.records]

    assert found(before_storage_id=numbers[2]) == [0, 1]
    assert found(storage_ids=[numbers[2]]) == [2]
    assert found(after_timestamp=ends[0].timestamp - 60, before_timestamp=ends[-1].timestamp + 60) == [0, 1, 2]
    assert found(after_timestamp=ends[-1].timestamp + 60) == found(before_timestamp=ends[0].timestamp - 60) == []


@pytest.mark.api(
    "DagsterEvent.partition", "DagsterEvent.node_handle", "DagsterEvent.step_handle", "DagsterEvent.step_kind_value",
    "DagsterEvent.is_expectation_result", "ExpectationResult.success", "ExpectationResult.label",
    "ExpectationResult.description", "ExpectationResult.metadata", "OpExecutionContext.log_event",
)  # fmt: skip
def test_what_user_code_expects_is_in_the_log(instance):
    @dg.op
    def checks(context):
        context.log_event(dg.AssetMaterialization("other", partition="p"))
        context.log_event(dg.ExpectationResult(success=True))
        yield dg.ExpectationResult(success=False, label="rows", description="too few", metadata={"n": 1})
        yield dg.Output(1)

    @dg.graph
    def inner():
        checks()

    result = inner.to_job("outer").execute_in_process(instance=instance)
    assert result.success
    good, bad = result.expectation_results_for_node("checks")
    assert (good.success, good.label, good.description, dict(good.metadata)) == (True, "result", None, {})
    assert (bad.success, bad.label, bad.description, bad.metadata["n"].value) == (False, "rows", "too few", 1)
    events = [event for event in result.all_events if event.is_expectation_result]
    assert [event.event_specific_data.expectation_result for event in events] == [good, bad]
    assert events[1].message == "too few"
    assert (events[1].step_handle.to_key(), events[1].step_kind_value) == ("checks", "COMPUTE")
    assert (str(events[1].node_handle), list(events[1].node_handle.path)) == ("checks", ["checks"])
    kept = instance.get_event_records(dg.EventRecordsFilter(dg.DagsterEventType.STEP_EXPECTATION_RESULT))
    assert len(kept) == 2
    assert instance.get_run_stats(result.run_id).expectations == 2
    (made,) = [event for event in result.all_events if event.is_step_materialization]
    assert made.partition == "p"


# --- what users match on ---------------------------------------------------------------------------------------------


def log_of(definition, instance, **options):
    result = definition.execute_in_process(instance=instance, raise_on_error=False, **options)
    return result, instance.all_logs(result.run_id)


def test_messages_and_levels_of_events(instance):
    @dg.op
    def first():
        return 1

    @dg.op
    def broken(x):
        raise ValueError("no")

    @dg.op
    def after(x):
        return x

    @dg.failure_hook
    def worse(context):
        raise ValueError("worse")

    @dg.job(hooks={worse})
    def line():
        after(broken(first()))

    result, log = log_of(line, instance)
    said = [entry.dagster_event.message if entry.is_dagster_event else entry.user_message for entry in log]
    for sentence in (
        'Started execution of run for "line".',
        'Started execution of step "first".',
        "Execution of run for \"line\" failed. Steps failed: ['broken'].",
        "Dependencies for step after failed: ['broken']. Not executing.",
    ):
        assert sentence in said
    assert any(re.fullmatch(r'Finished execution of step "first" in [\d.]+m?s\.', one) for one in said)
    loud = [entry for entry in log if entry.level != 10]
    assert [entry.dagster_event.event_type_value for entry in loud if entry.is_dagster_event] == [
        "STEP_FAILURE", "HOOK_ERRORED", "PIPELINE_FAILURE",
    ]  # fmt: skip
    assert {entry.level for entry in loud} == {40}
    assert not any(event.step_key == "after" for event in result.all_events)
    assert 'Finished execution of run for "good_job".' in [
        e.dagster_event.message for e in log_of(good_job, instance)[1]
    ]


def test_the_reason_of_a_failure_is_a_tag(instance):
    @dg.resource
    def down(context):
        raise ValueError("down")

    @dg.op(required_resource_keys={"down"})
    def needs():
        pass

    @dg.job(resource_defs={"down": down})
    def cannot_start():
        needs()

    for definition, reason in ((bad_job, "STEP_FAILURE"), (cannot_start, "RUN_EXCEPTION")):
        result, _ = log_of(definition, instance)
        run = instance.get_run_by_id(result.run_id)
        assert run.tags["dagster/failure_reason"] == reason
        assert uuid.UUID(run.run_id).version == 4


def test_a_list_is_read_value_by_value(instance):
    @dg.op
    def total(xs):
        return sum(xs)

    @dg.job
    def fan():
        total([one(), one.alias("other")()])

    result, _ = log_of(fan, instance)
    kinds = [event.event_type_value for event in result.events_for_node("total")]
    assert kinds == [
        "STEP_START", "LOADED_INPUT", "LOADED_INPUT", "STEP_INPUT", "STEP_OUTPUT", "HANDLED_OUTPUT", "STEP_SUCCESS",
    ]  # fmt: skip


def test_a_check_inside_an_asset_has_an_output(instance):
    @dg.asset(check_specs=[dg.AssetCheckSpec("fine", asset="rows")])
    def rows():
        yield dg.Output(1)
        yield dg.AssetCheckResult(passed=False)

    result = dg.materialize([rows], instance=instance)
    told = [(e.event_type_value, e.message) for e in result.events_for_node("rows")]
    kinds = [kind for kind, _ in told]
    place = kinds.index("ASSET_CHECK_EVALUATION")
    assert kinds[place - 1] == "STEP_OUTPUT"
    assert '"rows_fine"' in told[place - 1][1]
    assert told[place][1] == "Asset check 'fine' on 'rows' did not pass."
    assert ("ASSET_MATERIALIZATION", "Materialized value rows.") in told
    assert kinds.index("ASSET_MATERIALIZATION") < kinds.index("HANDLED_OUTPUT")


def test_a_policy_and_requests_count_the_same_attempts(instance):
    attempts = []

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=3))
    def mixed(context):
        attempts.append(context.retry_number)
        if len(attempts) % 2:
            raise dg.RetryRequested(max_retries=1)
        raise ValueError

    @dg.job
    def trying():
        mixed()

    result, _ = log_of(trying, instance)
    assert not result.success
    assert attempts == [0, 1, 2]


def test_a_run_in_process_starts_at_once():
    seen = []

    @dg.op
    def look(context):
        seen.append(context.instance.get_run_by_id(context.run_id).status.value)

    @dg.job
    def looking():
        look()

    with dg.DagsterInstance.ephemeral() as instance:
        result, log = log_of(looking, instance)
        assert instance.get_run_by_id(result.run_id).status.value == "SUCCESS"
    assert seen == ["STARTED"]
    kinds = {entry.dagster_event.event_type_value for entry in log if entry.is_dagster_event}
    assert not kinds & {"PIPELINE_ENQUEUED", "PIPELINE_DEQUEUED", "PIPELINE_STARTING"}
