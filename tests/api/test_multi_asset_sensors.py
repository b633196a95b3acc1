"""Sensors over several assets: what they see after their cursor, and how it moves."""

import pytest

import dagster as dg

pytestmark = pytest.mark.filterwarnings("ignore::dagster.SupersessionWarning")
letters = dg.StaticPartitionsDefinition(["a", "b", "c"])


@dg.asset(partitions_def=letters)
def up():
    return 1


@dg.asset(partitions_def=letters, deps=[up])
def down():
    return 1


@dg.asset
def plain():
    return 1


@dg.op
def work():
    return 1


@dg.job
def first():
    work()


@dg.job
def second():
    work()


DEFS = dg.Definitions(assets=[up, down, plain], jobs=[first, second])
KEYS = [up.key, plain.key]


def context_of(instance, cursor=None, keys=KEYS, **given):
    return dg.build_multi_asset_sensor_context(
        monitored_assets=keys, instance=instance, cursor=cursor, definitions=DEFS, **given
    )


def parts(records):
    return [record.partition_key for record in records]


@pytest.fixture
def filled(instance):
    """An instance in which partitions a, b, a, b of `up` were made, then `plain`."""
    for key in "abab":
        dg.materialize([up], instance=instance, partition_key=key)
    dg.materialize([plain], instance=instance)
    return instance


@pytest.mark.api("MultiAssetSensorEvaluationContext.asset_keys",
                 "MultiAssetSensorEvaluationContext.assets_defs_by_key",
                 "MultiAssetSensorEvaluationContext.materialization_records_for_key",
                 "MultiAssetSensorEvaluationContext.latest_materialization_records_by_key",
                 "MultiAssetSensorEvaluationContext.latest_materialization_records_by_partition",
                 "MultiAssetSensorEvaluationContext.latest_materialization_records_by_partition_and_asset",
                 "MultiAssetSensorEvaluationContext.all_partitions_materialized",
                 "MultiAssetSensorEvaluationContext.get_downstream_partition_keys",
                 "build_multi_asset_sensor_context.monitored_assets", "build_multi_asset_sensor_context.instance",
                 "build_multi_asset_sensor_context.definitions")  # fmt: skip
def test_what_a_context_sees(filled):
    context = context_of(filled)
    assert list(context.asset_keys) == KEYS
    assert {key: one.key for key, one in context.assets_defs_by_key.items()} == {key: key for key in KEYS}
    assert parts(context.materialization_records_for_key(up.key)) == ["a", "b", "a", "b"]
    assert parts(context.materialization_records_for_key(up.key, limit=3)) == ["a", "b", "a"]
    latest = context.latest_materialization_records_by_key()
    assert parts(latest[key] for key in KEYS) == ["b", None]
    assert list(context.latest_materialization_records_by_key([plain.key])) == [plain.key]
    assert list(context.latest_materialization_records_by_partition(up.key)) == ["a", "b"]
    both = context_of(filled, keys=[up.key, down.key])
    assert {key: list(found) for key, found in
            both.latest_materialization_records_by_partition_and_asset().items()} == {
        "a": [up.key], "b": [up.key]}  # fmt: skip
    assert both.all_partitions_materialized(up.key, ["a", "b"])
    assert not both.all_partitions_materialized(up.key)
    assert list(both.get_downstream_partition_keys("b", up.key, down.key)) == ["b"]
    assert list(context_of(filled, keys=dg.AssetSelection.assets(down)).asset_keys) == [down.key]


@pytest.mark.parametrize(
    "ask",
    [
        lambda context: context.materialization_records_for_key(down.key),
        lambda context: context.latest_materialization_records_by_partition(plain.key),
        lambda context: context.all_partitions_materialized(plain.key),
        lambda context: context.get_cursor_partition(None),
        lambda context: context.get_downstream_partition_keys("a", up.key, plain.key),
    ],
)
def test_what_a_context_cannot_tell(ask, filled):
    with pytest.raises((dg.DagsterInvalidInvocationError, dg.DagsterInvariantViolationError)):
        list(ask(context_of(filled)))


@pytest.mark.api("MultiAssetSensorEvaluationContext.advance_cursor",
                 "MultiAssetSensorEvaluationContext.get_cursor_partition",
                 "MultiAssetSensorEvaluationContext.get_trailing_unconsumed_events",
                 "MultiAssetSensorEvaluationContext.cursor", "build_multi_asset_sensor_context.cursor",
                 "multi_asset_sensor.monitored_assets", "multi_asset_sensor.job")  # fmt: skip
def test_the_cursor_goes_to_what_is_consumed_and_remembers_what_it_passed_over(filled):
    seen = []

    @dg.multi_asset_sensor(monitored_assets=KEYS, job=first)
    def watch(context):
        records = list(context.materialization_records_for_key(up.key))
        passed = context.get_trailing_unconsumed_events(up.key)
        newer = context.latest_materialization_records_by_partition(up.key, after_cursor_partition=True)
        seen.append((context.get_cursor_partition(up.key), parts(records), parts(passed), list(newer)))
        context.advance_cursor({up.key: records[min(2, len(records) - 1)] if records else None})
        return dg.RunRequest()

    tick = watch.evaluate_tick(context_of(filled))  # consumes the third: b before it is passed over
    tick = watch.evaluate_tick(context_of(filled, tick.cursor))
    dg.materialize([up], instance=filled, partition_key="c")
    tick = watch.evaluate_tick(context_of(filled, tick.cursor))
    assert seen == [
        (None, ["a", "b", "a", "b"], [], ["a", "b"]),
        ("a", ["b"], ["b"], ["b"]),
        ("b", ["c"], [], ["c"]),
    ]
    assert context_of(filled, tick.cursor).cursor == tick.cursor


@pytest.mark.api("MultiAssetSensorEvaluationContext.advance_all_cursors",
                 "build_multi_asset_sensor_context.cursor_from_latest_materializations")  # fmt: skip
def test_everything_may_be_done_with(filled):
    @dg.multi_asset_sensor(monitored_assets=KEYS, job=first)
    def watch(context):
        if all(context.latest_materialization_records_by_key().values()):
            context.advance_all_cursors()
            return dg.RunRequest()
        return None

    tick = watch.evaluate_tick(context_of(filled))
    assert len(tick.run_requests) == 1
    assert not watch.evaluate_tick(context_of(filled, tick.cursor)).run_requests
    started = context_of(filled, cursor_from_latest_materializations=True)
    assert not list(started.materialization_records_for_key(up.key))
    assert not watch.evaluate_tick(started).run_requests
    with pytest.raises(dg.DagsterInvalidInvocationError):
        context_of(filled, tick.cursor, cursor_from_latest_materializations=True)


def test_runs_without_a_move_of_the_cursor_are_an_error(filled):
    @dg.multi_asset_sensor(monitored_assets=KEYS, job=first)
    def forgets(context):
        return dg.RunRequest()

    with pytest.raises(Exception, match="cursor"):
        forgets.evaluate_tick(context_of(filled))
    assert forgets(context_of(filled)) == dg.RunRequest()


@pytest.mark.parametrize("kind", ["multi_asset_sensor", "MultiAssetSensorDefinition"])
@pytest.mark.api("multi_asset_sensor.name", "multi_asset_sensor.minimum_interval_seconds",
                 "multi_asset_sensor.description", "multi_asset_sensor.jobs", "multi_asset_sensor.default_status",
                 "multi_asset_sensor.job_name", "multi_asset_sensor.request_assets",
                 "multi_asset_sensor.required_resource_keys", "multi_asset_sensor.tags",
                 "multi_asset_sensor.metadata", "MultiAssetSensorDefinition.name",
                 "MultiAssetSensorDefinition.monitored_assets", "MultiAssetSensorDefinition.job_name",
                 "MultiAssetSensorDefinition.asset_materialization_fn",
                 "MultiAssetSensorDefinition.minimum_interval_seconds", "MultiAssetSensorDefinition.description",
                 "MultiAssetSensorDefinition.job", "MultiAssetSensorDefinition.jobs",
                 "MultiAssetSensorDefinition.default_status", "MultiAssetSensorDefinition.request_assets",
                 "MultiAssetSensorDefinition.required_resource_keys", "MultiAssetSensorDefinition.tags",
                 "MultiAssetSensorDefinition.metadata", "build_multi_asset_sensor_context.resources",
                 "MultiAssetSensorEvaluationContext.resources")  # fmt: skip
def test_what_such_a_sensor_is_declared_with(kind, filled):
    def ask(context):
        context.advance_all_cursors()
        return dg.RunRequest(tags={"host": context.resources.host})

    def made(fn=ask, **given):
        if kind == "multi_asset_sensor":
            return dg.multi_asset_sensor(monitored_assets=KEYS, name="it", **given)(fn)
        given.setdefault("job_name", None)
        return dg.MultiAssetSensorDefinition("it", monitored_assets=KEYS, asset_materialization_fn=fn, **given)

    running = dg.DefaultSensorStatus.RUNNING
    watch = made(minimum_interval_seconds=7, description="d", default_status=running, tags={"a": "b"}, job=first,
                 metadata={"rows": 1}, required_resource_keys={"host"})  # fmt: skip
    assert (watch.name, watch.minimum_interval_seconds, watch.description) == ("it", 7, "d")
    assert (watch.default_status, watch.tags, watch.metadata["rows"].value) == (running, {"a": "b"}, 1)
    assert (watch.job.name, watch.required_resource_keys) == ("first", {"host"})
    (request,) = watch.evaluate_tick(context_of(filled, resources={"host": "db"})).run_requests
    assert request.tags["host"] == "db"
    assert [job.name for job in made(jobs=[first, second]).jobs] == ["first", "second"]
    assert made(job_name="elsewhere").job_name == "elsewhere"
    chosen = made(request_assets=dg.AssetSelection.assets(down), required_resource_keys={"host"})
    (request,) = chosen.evaluate_tick(context_of(filled, resources={"host": "db"})).run_requests
    assert list(request.asset_selection) == [down.key]


@pytest.mark.api("build_multi_asset_sensor_context.repository_def",
                 "build_multi_asset_sensor_context.repository_name",
                 "build_multi_asset_sensor_context.last_sensor_start_time",
                 "MultiAssetSensorEvaluationContext.repository_def",
                 "MultiAssetSensorEvaluationContext.repository_name",
                 "MultiAssetSensorEvaluationContext.last_sensor_start_time",
                 "MultiAssetSensorEvaluationContext.instance",
                 "MultiAssetSensorEvaluationContext.is_first_tick_since_sensor_start",
                 "MultiAssetSensorEvaluationContext.last_run_key",
                 "MultiAssetSensorEvaluationContext.last_tick_completion_time")  # fmt: skip
def test_what_else_a_context_tells(instance):
    around = DEFS.get_repository_def() if hasattr(DEFS, "get_repository_def") else DEFS
    built = dg.build_multi_asset_sensor_context(
        monitored_assets=KEYS, instance=instance, repository_def=around, repository_name="shop",
        last_sensor_start_time=4.0,
    )  # fmt: skip
    assert (built.instance, built.repository_def, built.repository_name) == (instance, around, "shop")
    assert (built.last_sensor_start_time, built.is_first_tick_since_sensor_start) == (4.0, True)
    told = dg.MultiAssetSensorEvaluationContext(
        None, monitored_assets=KEYS, last_tick_completion_time=5.0, last_run_key="k", instance=instance,
        definitions=DEFS, last_sensor_start_time=4.0,
    )  # fmt: skip
    assert (told.last_tick_completion_time, told.last_run_key) == (5.0, "k")
    assert not told.is_first_tick_since_sensor_start


@pytest.mark.api("MultiAssetSensorEvaluationContext.update_cursor")
def test_the_cursor_is_not_text_of_the_function(filled):
    with pytest.raises(dg.DagsterInvalidInvocationError, match="advance_cursor"):
        context_of(filled).update_cursor("{}")


def test_another_way_is_named_when_one_is_declared():
    with pytest.warns(dg.SupersessionWarning, match="utomation"):
        dg.multi_asset_sensor(monitored_assets=KEYS, name="it")(lambda context: None)
