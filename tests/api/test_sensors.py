"""Sensors of every kind: what they are declared with, and what an evaluation comes to."""

import pytest

import dagster as dg


@dg.op
def work():
    return 1


@dg.op
def bad():
    raise ValueError("broken")


@dg.job
def first():
    work()


@dg.job
def second():
    work()


@dg.job
def failing():
    bad()


@dg.asset
def orders():
    return 1


@dg.asset
def customers():
    return 1


@pytest.mark.api("sensor.job", "SensorResult.run_requests", "SensorResult.cursor", "build_sensor_context.cursor",
                 "SensorEvaluationContext.cursor")  # fmt: skip
def test_a_sensor_asks_for_runs_and_leaves_a_cursor():
    @dg.sensor(job=first)
    def watch(context: dg.SensorEvaluationContext):
        return dg.SensorResult(run_requests=[dg.RunRequest("k", tags={"was": context.cursor})], cursor="new")

    tick = watch.evaluate_tick(dg.build_sensor_context(cursor="old"))
    (request,) = tick.run_requests
    assert (request.run_key, request.tags) == ("k", {"was": "old", "dagster/sensor_name": "watch"})
    assert (tick.cursor, tick.skip_message) == ("new", None)
    assert watch(dg.build_sensor_context(cursor="c")).run_requests[0].tags == {"was": "c"}


@pytest.mark.api("SensorEvaluationContext.update_cursor")
def test_the_cursor_is_left_in_one_way():
    @dg.sensor(job=first)
    def moves(context):
        context.update_cursor("n")

    tick = moves.evaluate_tick(dg.build_sensor_context())
    assert (tick.cursor, list(tick.run_requests)) == ("n", [])
    assert tick.skip_message

    @dg.sensor(job=first)
    def twice(context):
        context.update_cursor("n")
        return dg.SensorResult(cursor="c")

    with pytest.raises(dg.DagsterInvariantViolationError):
        twice.evaluate_tick(dg.build_sensor_context())


@pytest.mark.api("sensor.jobs", "RunRequest.job_name", "SensorDefinition.jobs")
def test_several_jobs_must_be_named():
    @dg.sensor(jobs=[first, second])
    def watch(context):
        return dg.RunRequest(job_name=context.cursor)

    assert [job.name for job in watch.jobs] == ["first", "second"]
    assert watch.evaluate_tick(dg.build_sensor_context(cursor="second")).run_requests[0].job_name == "second"
    for wrong in (None, "third"):
        with pytest.raises(Exception):  # noqa: B017, PT011
            watch.evaluate_tick(dg.build_sensor_context(cursor=wrong))
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        watch.job  # noqa: B018


def test_a_sensor_without_job_may_only_skip():
    @dg.sensor()
    def idle(context):
        return dg.SkipReason("quiet") if context.cursor else dg.RunRequest()

    assert idle.evaluate_tick(dg.build_sensor_context(cursor="c")).skip_message == "quiet"
    with pytest.raises(Exception):  # noqa: B017, PT011
        idle.evaluate_tick(dg.build_sensor_context())


@pytest.mark.parametrize("given", [[dg.SkipReason("a"), dg.RunRequest()], [dg.SensorResult(), dg.RunRequest()], [7]])
def test_what_a_function_may_not_give(given):
    watch = dg.SensorDefinition("watch", evaluation_fn=lambda context: given, job=first)
    with pytest.raises(Exception):  # noqa: B017, PT011
        watch.evaluate_tick(dg.build_sensor_context())


@pytest.mark.api("SensorResult.skip_reason")
def test_a_result_skips_or_runs():
    assert dg.SensorResult(skip_reason="x").skip_reason == dg.SkipReason("x")
    with pytest.raises(Exception):  # noqa: B017, PT011
        dg.SensorResult(run_requests=[dg.RunRequest()], skip_reason="x")


@pytest.mark.api("SensorDefinition.name", "SensorDefinition.minimum_interval_seconds", "SensorDefinition.description",
                 "SensorDefinition.default_status", "SensorDefinition.metadata",
                 "SensorDefinition.job_name")  # fmt: skip
def test_facts_about_a_sensor():
    running = dg.DefaultSensorStatus.RUNNING
    watch = dg.SensorDefinition("w", evaluation_fn=lambda context: None, job_name="j", minimum_interval_seconds=5,
                                description="d", default_status=running, metadata={"a": 1})  # fmt: skip
    assert (watch.name, watch.job_name, watch.minimum_interval_seconds) == ("w", "j", 5)
    assert (watch.description, watch.default_status, watch.metadata["a"].value) == ("d", running, 1)
    assert dg.SensorDefinition("w", evaluation_fn=lambda context: None).minimum_interval_seconds == 30


@pytest.mark.api("sensor.target", "sensor.asset_selection", "Definitions.sensors", "build_sensor_context.definitions",
                 "RunRequest.asset_selection")  # fmt: skip
def test_assets_are_started_by_a_hidden_job_or_selected_from():
    @dg.sensor(target=[orders])
    def hidden(context):
        return dg.RunRequest()

    @dg.sensor(asset_selection="orders")
    def chosen(context):
        return dg.RunRequest()

    @dg.sensor(asset_selection="orders")
    def beside(context):
        return dg.RunRequest(asset_selection=[customers.key])

    defs = dg.Definitions(assets=[orders, customers], sensors=[hidden, chosen, beside])
    dg.Definitions.validate_loadable(defs)
    assert hidden.job_name == "__anonymous_asset_job_hidden"
    assert defs.get_job_def("__anonymous_asset_job_hidden").name == "__anonymous_asset_job_hidden"
    context = dg.build_sensor_context(definitions=defs)
    (request,) = chosen.evaluate_tick(context).run_requests
    assert (request.job_name, list(request.asset_selection)) == ("__ASSET_JOB", [orders.key])
    with pytest.raises(Exception):  # noqa: B017, PT011
        beside.evaluate_tick(context)


@pytest.mark.api("SensorResult.dynamic_partitions_requests", "DynamicPartitionsDefinition.build_add_request",
                 "DynamicPartitionsDefinition.build_delete_request", "AddDynamicPartitionsRequest.partition_keys",
                 "AddDynamicPartitionsRequest.partitions_def_name")  # fmt: skip
def test_partitions_are_asked_for_before_their_runs(instance):
    letters = dg.DynamicPartitionsDefinition(name="letters")
    add = letters.build_add_request(["a"])
    assert (add.partitions_def_name, list(add.partition_keys)) == ("letters", ["a"])
    assert list(letters.build_delete_request(["z"]).partition_keys) == ["z"]

    @dg.sensor(job=first)
    def watch(context):
        return dg.SensorResult(dynamic_partitions_requests=[add])

    assert watch.evaluate_tick(dg.build_sensor_context(instance=instance)).dynamic_partitions_requests == [add]


@pytest.mark.api("asset_sensor.asset_key", "asset_sensor.job", "AssetSensorDefinition.asset_key",
                 "build_sensor_context.instance")  # fmt: skip
def test_an_asset_sensor_sees_the_last_materialization_once(instance):
    @dg.asset_sensor(asset_key=dg.AssetKey("orders"), job=first)
    def watch(context, event):
        return dg.RunRequest(run_key=event.run_id)

    assert watch.asset_key == orders.key
    assert watch.evaluate_tick(dg.build_sensor_context(instance=instance)).skip_message
    for _ in range(2):
        last = dg.materialize([orders], instance=instance)
    tick = watch.evaluate_tick(dg.build_sensor_context(instance=instance))
    assert [request.run_key for request in tick.run_requests] == [last.run_id]
    again = watch.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=tick.cursor))
    assert (list(again.run_requests), again.cursor) == ([], tick.cursor)


@pytest.mark.api("multi_asset_sensor.monitored_assets", "multi_asset_sensor.job",
                 "build_multi_asset_sensor_context.monitored_assets",
                 "MultiAssetSensorEvaluationContext.latest_materialization_records_by_key",
                 "MultiAssetSensorEvaluationContext.advance_all_cursors")  # fmt: skip
def test_a_multi_asset_sensor_waits_for_all(instance):
    keys = [orders.key, customers.key]

    @dg.multi_asset_sensor(monitored_assets=keys, job=first)
    def watch(context):
        if all(context.latest_materialization_records_by_key().values()):
            context.advance_all_cursors()
            return dg.RunRequest()
        return None

    def tick(cursor=None):
        return watch.evaluate_tick(
            dg.build_multi_asset_sensor_context(
                monitored_assets=keys, instance=instance, cursor=cursor,
                definitions=dg.Definitions(assets=[orders, customers]),
            )
        )  # fmt: skip

    dg.materialize([orders], instance=instance)
    assert not tick().run_requests
    dg.materialize([customers], instance=instance)
    found = tick()
    assert len(found.run_requests) == 1
    assert not tick(found.cursor).run_requests


@pytest.mark.api("run_status_sensor.run_status", "run_status_sensor.request_job",
                 "build_run_status_sensor_context.dagster_run", "RunStatusSensorContext.dagster_run",
                 "RunStatusSensorContext.sensor_name")  # fmt: skip
def test_a_run_status_sensor_is_called_for_each_run(instance):
    @dg.run_status_sensor(run_status=dg.DagsterRunStatus.SUCCESS, request_job=second)
    def after(context: dg.RunStatusSensorContext):
        return dg.RunRequest(run_key=context.dagster_run.run_id, tags={"by": context.sensor_name})

    started = after.evaluate_tick(dg.build_sensor_context(instance=instance, sensor_name="after"))
    assert not started.run_requests
    done = first.execute_in_process(instance=instance)
    tick = after.evaluate_tick(
        dg.build_sensor_context(instance=instance, sensor_name="after", cursor=started.cursor)
    )  # fmt: skip
    assert [(r.run_key, r.tags["by"]) for r in tick.run_requests] == [(done.run_id, "after")]


@pytest.mark.api("run_failure_sensor.name", "RunFailureSensorContext.failure_event",
                 "RunFailureSensorContext.get_step_failure_events")  # fmt: skip
def test_a_run_failure_sensor_sees_what_failed(instance):
    @dg.run_failure_sensor
    def alarm(context: dg.RunFailureSensorContext):
        return dg.SkipReason(f"{context.failure_event.event_type_value} {len(context.get_step_failure_events())}")

    @dg.run_failure_sensor(name="renamed")
    def other():
        return None

    assert (alarm.name, other.name) == ("alarm", "renamed")
    result = failing.execute_in_process(instance=instance, raise_on_error=False)
    event = next(e for e in result.all_events if e.event_type_value == "PIPELINE_FAILURE")
    context = dg.build_run_status_sensor_context("alarm", event, instance, result.dagster_run)
    assert alarm(context.for_run_failure()) == dg.SkipReason("PIPELINE_FAILURE 1")


@pytest.mark.api("AutomationConditionSensorDefinition.target", "AutomationConditionSensorDefinition.name",
                 "AutomationConditionSensorDefinition.run_tags")  # fmt: skip
def test_an_automation_sensor_is_declared_and_not_called():
    sensor = dg.AutomationConditionSensorDefinition("auto", target="orders", run_tags={"a": "b"})
    assert (sensor.name, sensor.run_tags) == ("auto", {"a": "b"})
    with pytest.raises(Exception):  # noqa: B017, PT011
        sensor.evaluate_tick(dg.build_sensor_context())
    with pytest.raises(Exception):  # noqa: B017, PT011
        dg.AutomationConditionSensorDefinition("x", target="*", default_condition=dg.AutomationCondition.eager())


def test_names_of_sensors_are_checked():
    one, two = (dg.SensorDefinition("same", evaluation_fn=lambda context: None, job=first) for _ in range(2))
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="same"):
        dg.Definitions.validate_loadable(dg.Definitions(sensors=[one, two]))
