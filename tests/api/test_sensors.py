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


@dg.asset_check(asset=orders)
def fresh():
    return dg.AssetCheckResult(passed=True)


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

    @dg.job(partitions_def=letters)
    def lettered():
        work()

    def asking(*changes):
        result = dg.SensorResult([dg.RunRequest(partition_key="a")], dynamic_partitions_requests=changes)
        asks = dg.SensorDefinition("asks", evaluation_fn=lambda context: result, job=lettered)
        around = repository_of(dg.Definitions(jobs=[lettered]))
        return asks.evaluate_tick(dg.build_sensor_context(instance, repository_def=around)).run_requests

    assert asking(add)[0].tags["dagster/partition"] == "a"  # as if it were there already
    for changes in ((), (add, letters.build_delete_request(["a"]))):
        with pytest.raises(dg.DagsterUnknownPartitionError):
            asking(*changes)


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


@pytest.mark.api("AutomationConditionSensorDefinition.target", "AutomationConditionSensorDefinition.name",
                 "AutomationConditionSensorDefinition.run_tags", "AutomationConditionSensorDefinition.tags",
                 "AutomationConditionSensorDefinition.default_status",
                 "AutomationConditionSensorDefinition.minimum_interval_seconds",
                 "AutomationConditionSensorDefinition.description",
                 "AutomationConditionSensorDefinition.metadata",
                 "AutomationConditionSensorDefinition.emit_backfills",
                 "AutomationConditionSensorDefinition.use_user_code_server",
                 "AutomationConditionSensorDefinition.default_condition",
                 "AutomationConditionSensorDefinition.required_resource_keys",
                 "AutomationConditionSensorDefinition.job",
                 "AutomationConditionSensorDefinition.asset_job_keys")  # fmt: skip
def test_an_automation_sensor_is_declared_and_not_called():
    eager = dg.AutomationCondition.eager()
    sensor = dg.AutomationConditionSensorDefinition(
        "auto", target="orders", run_tags={"a": "b"}, emit_backfills=False, use_user_code_server=True,
        default_condition=eager, **FACTS,
    )  # fmt: skip
    assert (sensor.name, sensor.run_tags, facts_of(sensor)) == ("auto", {"a": "b"}, facts_of(expected_facts))
    assert (sensor.emit_backfills, sensor.sensor_type.name) == (False, "AUTOMATION")
    assert dg.AutomationConditionSensorDefinition("x", target="*").sensor_type.name == "AUTO_MATERIALIZE"
    assert sensor.default_condition == eager
    assert sensor.required_resource_keys == set()
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        sensor.job  # noqa: B018
    with pytest.raises(Exception):  # noqa: B017, PT011
        sensor.evaluate_tick(dg.build_sensor_context())
    with pytest.raises(Exception):  # noqa: B017, PT011
        dg.AutomationConditionSensorDefinition("x", target="*", default_condition=eager)
    jobs = {dg.AssetJobKey(job_name="nightly")}
    assert dg.AutomationConditionSensorDefinition("x", target="*", asset_job_keys=jobs).asset_job_keys == jobs
    with pytest.raises(Exception):  # noqa: B017, PT011
        dg.AutomationConditionSensorDefinition("x", target="*", asset_job_keys=jobs, use_user_code_server=True)


@pytest.mark.api("define_asset_job.automation_condition", "AssetJobKey.job_name")
def test_a_job_over_assets_may_have_a_condition():
    condition = dg.AutomationCondition.any_job_root_assets_match(dg.AutomationCondition.newly_updated())
    nightly = dg.define_asset_job("nightly", "*", automation_condition=condition)
    assert nightly.automation_condition == condition
    assert dg.Definitions([orders], jobs=[nightly]).get_job_def("nightly").automation_condition == condition
    assert dg.AssetJobKey(job_name="nightly") == dg.AssetJobKey("nightly")
    with pytest.raises(Exception, match="automation_condition"):
        dg.define_asset_job("nightly", "*", automation_condition=7)


# --- what all kinds have ---------------------------------------------------------------------------------------------

FACTS = {
    "minimum_interval_seconds": 7,
    "description": "what it does",
    "default_status": dg.DefaultSensorStatus.RUNNING,
    "tags": {"a": "b"},
    "metadata": {"rows": 1},
}


def facts_of(sensor):
    return {name: getattr(sensor, name) for name in FACTS} | {"metadata": sensor.metadata["rows"]}


expected_facts = dg.SensorDefinition("x", evaluation_fn=lambda context: None, **FACTS)
SUCCESS = dg.DagsterRunStatus.SUCCESS


def made(kind, fn=lambda context: None, **given):
    """A sensor of a kind, as its class or its decorator makes it; `job` is what it starts."""
    asset, runs = dg.AssetKey("orders"), given.pop("runs", {})
    others = {**given, "job_name": given.get("job_name")}
    requests = {{"job": "request_job", "jobs": "request_jobs"}.get(key, key): value for key, value in given.items()}
    return {
        "sensor": lambda: dg.sensor(name="it", **given)(fn),
        "SensorDefinition": lambda: dg.SensorDefinition("it", evaluation_fn=fn, **given),
        "asset_sensor": lambda: dg.asset_sensor(asset, name="it", **given)(fn),
        "AssetSensorDefinition": lambda: dg.AssetSensorDefinition(
            name="it", asset_key=asset, asset_materialization_fn=fn, **others
        ),
        "run_status_sensor": lambda: dg.run_status_sensor(run_status=SUCCESS, name="it", **runs, **requests)(fn),
        "RunStatusSensorDefinition": lambda: dg.RunStatusSensorDefinition(
            name="it", run_status=SUCCESS, run_status_sensor_fn=fn, **runs, **requests
        ),
        "run_failure_sensor": lambda: dg.run_failure_sensor(name="it", **runs, **requests)(fn),
    }[kind]()


KINDS = ["sensor", "SensorDefinition", "asset_sensor", "AssetSensorDefinition", "run_status_sensor",
         "RunStatusSensorDefinition", "run_failure_sensor"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.api("sensor.name", "sensor.minimum_interval_seconds", "sensor.description", "sensor.default_status",
                 "sensor.tags", "sensor.metadata", "SensorDefinition.tags", "SensorDefinition.evaluation_fn",
                 "asset_sensor.name", "asset_sensor.minimum_interval_seconds", "asset_sensor.description",
                 "asset_sensor.default_status", "asset_sensor.tags", "asset_sensor.metadata",
                 "AssetSensorDefinition.name", "AssetSensorDefinition.minimum_interval_seconds",
                 "AssetSensorDefinition.description", "AssetSensorDefinition.default_status",
                 "AssetSensorDefinition.tags", "AssetSensorDefinition.metadata",
                 "run_status_sensor.name", "run_status_sensor.minimum_interval_seconds",
                 "run_status_sensor.description", "run_status_sensor.default_status", "run_status_sensor.tags",
                 "run_status_sensor.metadata", "RunStatusSensorDefinition.name",
                 "RunStatusSensorDefinition.minimum_interval_seconds", "RunStatusSensorDefinition.description",
                 "RunStatusSensorDefinition.default_status", "RunStatusSensorDefinition.tags",
                 "RunStatusSensorDefinition.metadata", "run_failure_sensor.minimum_interval_seconds",
                 "run_failure_sensor.description", "run_failure_sensor.default_status", "run_failure_sensor.tags",
                 "run_failure_sensor.metadata")  # fmt: skip
def test_facts_of_every_kind(kind):
    sensor = made(kind, **FACTS)
    assert (sensor.name, facts_of(sensor)) == ("it", facts_of(expected_facts))
    assert made(kind, tags={"n": 1, "any": "text é"}).tags == {"n": "1", "any": "text é"}
    plain = made(kind)
    assert (plain.minimum_interval_seconds, plain.default_status) == (30, dg.DefaultSensorStatus.STOPPED)
    assert (plain.description, plain.tags, plain.metadata) == (None, {}, {})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.api("SensorDefinition.job", "asset_sensor.jobs", "AssetSensorDefinition.job",
                 "AssetSensorDefinition.jobs", "run_status_sensor.request_jobs",
                 "RunStatusSensorDefinition.request_job", "RunStatusSensorDefinition.request_jobs",
                 "RunStatusSensorDefinition.job", "run_failure_sensor.request_job",
                 "run_failure_sensor.request_jobs")  # fmt: skip
def test_what_every_kind_starts(kind):
    one, two = made(kind, job=first), made(kind, jobs=[first, second])
    assert (one.job.name, one.job_name, [job.name for job in one.jobs]) == ("first", "first", ["first"])
    assert [job.name for job in two.jobs] == ["first", "second"]
    for several in (lambda: two.job, lambda: two.job_name, lambda: made(kind).job, lambda: made(kind).jobs):
        with pytest.raises(dg.DagsterInvalidDefinitionError):
            several()


@pytest.mark.parametrize("kind", KINDS[:4])
@pytest.mark.api("sensor.job_name", "asset_sensor.job_name", "AssetSensorDefinition.job_name")
def test_a_job_may_be_named(kind):
    named = made(kind, job_name="elsewhere")
    assert named.job_name == "elsewhere"
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        named.job  # noqa: B018
    with pytest.raises(Exception):  # noqa: B017, PT011
        made(kind, job_name="elsewhere", job=first)


@pytest.mark.parametrize("kind", [*KINDS[:4], "RunStatusSensorDefinition"])
@pytest.mark.api("sensor.required_resource_keys", "SensorDefinition.required_resource_keys",
                 "asset_sensor.required_resource_keys", "AssetSensorDefinition.required_resource_keys",
                 "AssetSensorDefinition.asset_materialization_fn",
                 "RunStatusSensorDefinition.required_resource_keys",
                 "RunStatusSensorDefinition.run_status_sensor_fn", "build_sensor_context.resources",
                 "SensorEvaluationContext.resources")  # fmt: skip
def test_every_kind_uses_resources(kind, instance):
    def ask(context, *event):
        return dg.RunRequest("k", tags={"host": context.resources.host})

    fn = (lambda context, event: ask(context, event)) if "sset" in kind else (lambda context: ask(context))
    watch = made(kind, fn, required_resource_keys={"host"}, job=second)
    assert watch.required_resource_keys == {"host"}

    def tick(cursor=None):
        return watch.evaluate_tick(
            dg.build_sensor_context(instance, cursor, resources={"host": "db"}, sensor_name="it", definitions=all_of_it)
        )

    cursor = tick().cursor if kind.startswith("Run") else None
    dg.materialize([orders], instance=instance)
    first.execute_in_process(instance=instance)
    (request, *_) = tick(cursor).run_requests
    assert request.tags["host"] == "db"


all_of_it = dg.Definitions(assets=[orders, customers], asset_checks=[fresh], jobs=[first, second, failing])


@pytest.mark.api("sensor.owners", "SensorDefinition.owners")
def test_a_sensor_has_owners():
    assert list(dg.sensor(name="x", owners=["team:data"])(lambda context: None).owners) == ["team:data"]
    assert list(dg.SensorDefinition("x", evaluation_fn=lambda context: None, owners=["a@b.org"]).owners) == ["a@b.org"]
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="owner"):
        dg.SensorDefinition("x", evaluation_fn=lambda context: None, owners=["nobody"])


@pytest.mark.api("SensorDefinition.target", "SensorDefinition.asset_selection", "RunRequest.stale_assets_only",
                 "RunRequest.asset_check_keys", "RunRequest.asset_graph_subset")  # fmt: skip
def test_what_of_assets_is_asked_for():
    check = dg.AssetCheckKey(orders.key, "fresh")

    def ask(context):
        return dg.RunRequest(stale_assets_only=True, asset_selection=[orders.key], asset_check_keys=[check])

    for given in ({"target": [orders]}, {"asset_selection": [orders]}):
        watch = dg.SensorDefinition("it", evaluation_fn=ask, **given)
        (request,) = watch.evaluate_tick(dg.build_sensor_context(definitions=all_of_it)).run_requests
        assert (request.stale_assets_only, list(request.asset_check_keys)) == (True, [check])
        assert (list(request.asset_selection), request.asset_graph_subset) == ([orders.key], None)
    with pytest.raises(Exception):  # noqa: B017, PT011
        dg.SensorDefinition("it", evaluation_fn=ask, target=[orders], asset_selection=[orders])
    lost = dg.RunRequest(asset_selection=[orders.key], asset_check_keys=[dg.AssetCheckKey(orders.key, "lost")])
    watch = dg.SensorDefinition("it", evaluation_fn=lambda context: lost, asset_selection=[orders])
    with pytest.raises(dg.DagsterInvalidSubsetError, match="orders:lost"):
        watch.evaluate_tick(dg.build_sensor_context(definitions=all_of_it))
    with pytest.raises(Exception, match="asset_check_keys"):
        dg.RunRequest(asset_check_keys=["fresh"])


@pytest.mark.api("SensorResult.asset_events", "SensorResult.automation_condition_evaluations")
def test_a_result_may_report_what_happened_to_assets():
    seen = dg.AssetMaterialization("orders")

    @dg.sensor()
    def watch():
        return dg.SensorResult(asset_events=[seen])

    result = watch()
    assert (list(result.asset_events), list(result.automation_condition_evaluations)) == ([seen], [])
    assert list(watch.evaluate_tick(dg.build_sensor_context()).asset_events) == [seen]


@pytest.mark.api("SensorEvaluationContext.last_run_key", "SensorEvaluationContext.last_tick_completion_time",
                 "SensorEvaluationContext.last_sensor_start_time", "build_sensor_context.last_sensor_start_time",
                 "SensorEvaluationContext.is_first_tick_since_sensor_start", "build_sensor_context.repository_name",
                 "SensorEvaluationContext.repository_name", "build_sensor_context.sensor_name",
                 "SensorEvaluationContext.instance")  # fmt: skip
def test_what_a_sensor_is_told_of_its_last_tick(instance):
    def context(start):
        return dg.SensorEvaluationContext(
            instance_ref=None, last_tick_completion_time=5.0, last_run_key="k", cursor=None, instance=instance,
            sensor_name="watch", last_sensor_start_time=start,
        )  # fmt: skip

    told = context(4.0)
    assert (told.last_run_key, told.last_tick_completion_time, told.last_sensor_start_time) == ("k", 5.0, 4.0)
    assert not told.is_first_tick_since_sensor_start
    assert context(6.0).is_first_tick_since_sensor_start
    built = dg.build_sensor_context(
        instance, repository_name="shop", sensor_name="watch", last_sensor_start_time=2.0
    )  # fmt: skip
    assert (built.repository_name, built.sensor_name, built.last_sensor_start_time) == ("shop", "watch", 2.0)
    assert built.instance is instance
    assert built.is_first_tick_since_sensor_start
    for missing in ("instance", "sensor_name"):
        with pytest.raises(Exception):  # noqa: B017, PT011
            getattr(dg.build_sensor_context(), missing)


def repository_of(defs):
    return defs.get_repository_def() if hasattr(defs, "get_repository_def") else defs


@pytest.mark.api("build_sensor_context.repository_def", "build_sensor_context.instance_ref",
                 "SensorEvaluationContext.repository_def", "build_schedule_context.repository_def",
                 "build_schedule_context.instance_ref")  # fmt: skip
def test_contexts_know_the_definitions_and_the_instance_around_them():
    letters = dg.StaticPartitionsDefinition(["a", "b"])

    @dg.job(partitions_def=letters)
    def lettered():
        work()

    around = repository_of(dg.Definitions(jobs=[lettered]))
    ask = {"evaluation_fn": lambda context: dg.RunRequest(partition_key="a"), "job_name": "lettered"}
    with dg.instance_for_test() as stored:
        ref = stored.get_ref() if hasattr(stored, "get_ref") else stored
        for context in (dg.build_sensor_context(instance_ref=ref, repository_def=around),
                        dg.build_schedule_context(instance_ref=ref, repository_def=around)):  # fmt: skip
            assert context.instance.root_directory == stored.root_directory
            assert context.repository_def is not None
        context = dg.build_sensor_context(stored, repository_def=around)
        (request,) = dg.SensorDefinition("it", **ask).evaluate_tick(context).run_requests
    assert request.tags["dagster/partition"] == "a"


@pytest.mark.parametrize(
    "given",
    [
        {"evaluation_fn": None},
        {"evaluation_fn": 7},
        {"evaluation_fn": lambda context, more: None},
        {"minimum_interval_seconds": "soon"},
        {"minimum_interval_seconds": -1},
        {"default_status": "RUNNING"},
        {"job": "first"},
        {"jobs": [7]},
        {"name": "no name"},
        {"tags": {1: "x"}},
    ],
)
def test_what_a_sensor_cannot_be_declared_with(given):
    with pytest.raises(Exception):  # noqa: B017, PT011
        dg.SensorDefinition(**{"name": "x", "evaluation_fn": lambda context: None, **given})


@pytest.mark.parametrize(
    "given", [{"run_key": 1}, {"job_name": 1}, {"partition_key": 1}, {"asset_selection": "orders"},
              {"asset_selection": ["orders"]}, {"asset_check_keys": "orders:fresh"}],
)  # fmt: skip
def test_what_cannot_be_asked_for(given):
    with pytest.raises(Exception, match=next(iter(given))):
        dg.RunRequest(**given)


def test_a_job_may_be_the_target_and_contexts_open():
    watch = dg.SensorDefinition("it", evaluation_fn=lambda context: dg.RunRequest(tags={"a": "b"}), target=first)
    with dg.build_sensor_context() as context:
        (request,) = watch.evaluate_tick(context).run_requests
    assert (watch.job.name, request.tags["a"]) == ("first", "b")


def test_a_sensor_is_called_with_its_context_and_nothing_else():
    @dg.sensor(job=first)
    def watch(context):
        return dg.RunRequest(context.cursor)

    context = dg.build_sensor_context(cursor="c")
    assert watch(context) == watch(context=context) == dg.RunRequest("c")
    for args, given in (((), {}), ((context, context), {}), ((7,), {}), ((context,), {"more": 1})):
        with pytest.raises(dg.DagsterInvalidInvocationError):
            watch(*args, **given)


def test_an_asset_sensor_is_called_with_the_last_materialization(instance):
    @dg.asset_sensor(orders.key, job=first)
    def watch(context, event):
        return dg.RunRequest(event.run_id)

    def called(context):
        given = watch(context)
        return given if isinstance(given, dg.RunRequest | dg.SkipReason) else next(iter(given))

    assert isinstance(called(dg.build_sensor_context(instance)), dg.SkipReason)
    run_id = dg.materialize([orders], instance=instance).run_id
    assert called(dg.build_sensor_context(instance)).run_key == run_id
    with pytest.raises(Exception):  # noqa: B017, PT011
        called(None)


def test_partitions_of_a_job_over_assets_give_tags_too(instance):
    both = dg.MultiPartitionsDefinition({
        "n": dg.StaticPartitionsDefinition(["1"]), "letter": dg.StaticPartitionsDefinition(["a"])})  # fmt: skip

    @dg.asset(partitions_def=both)
    def parted():
        return 1

    job = dg.define_asset_job("parted_job", [parted])
    watch = dg.SensorDefinition("it", evaluation_fn=lambda context: dg.RunRequest(partition_key="a|1"), job=job)
    around = repository_of(dg.Definitions([parted], jobs=[job]))
    (request,) = watch.evaluate_tick(dg.build_sensor_context(instance, repository_def=around)).run_requests
    assert (request.tags["dagster/partition/letter"], request.tags["dagster/partition/n"]) == ("a", "1")


def test_a_function_that_raises_ends_the_evaluation(instance):
    @dg.sensor(job=first)
    def broken(context):
        context.update_cursor("new")
        raise ValueError("no such file")

    with pytest.raises(ValueError, match="no such file"):
        broken.evaluate_tick(dg.build_sensor_context(instance, cursor="old"))

    @dg.asset_sensor(orders.key, job=first)
    def broken_too(context, event):
        raise ValueError("no such file")

    dg.materialize([orders], instance=instance)
    for _ in range(2):  # it is called for the same materialization again: the cursor is kept only when it ends well
        with pytest.raises(ValueError, match="no such file"):
            broken_too.evaluate_tick(dg.build_sensor_context(instance))


@pytest.mark.parametrize("given", [None, [], dg.SkipReason("quiet"), dg.SensorResult(), "result with runs", "list"])
def test_an_asset_sensor_is_done_with_a_materialization_whatever_it_gives(given, instance):
    requests = [dg.RunRequest("a"), dg.RunRequest("b")]
    if isinstance(given, str):
        given = requests if given == "list" else dg.SensorResult(requests)

    @dg.asset_sensor(orders.key, job=first)
    def watch(context, event):
        return given

    dg.materialize([orders], instance=instance)
    tick = watch.evaluate_tick(dg.build_sensor_context(instance))
    assert [one.run_key for one in tick.run_requests] == (["a", "b"] if given and tick.run_requests else [])
    assert bool(tick.run_requests) == (tick.skip_message is None)
    assert not watch.evaluate_tick(dg.build_sensor_context(instance, tick.cursor)).run_requests


@pytest.mark.parametrize("value", [5, b"x", {"a": 1}])
def test_a_cursor_is_text(value):
    for leave in (dg.build_sensor_context().update_cursor, lambda cursor: dg.SensorResult(cursor=cursor)):
        with pytest.raises(Exception):  # noqa: B017, PT011
            leave(value)


def test_own_tags_win_and_values_are_text():
    @dg.sensor(job=first)
    def watch():
        return dg.RunRequest(tags={"dagster/sensor_name": "someone", "n": 1, "list": [1]})

    (request,) = watch.evaluate_tick(dg.build_sensor_context()).run_requests
    assert request.tags == {"dagster/sensor_name": "watch", "n": "1", "list": "[1]"}


def test_names_of_sensors_are_checked():
    one, two = (dg.SensorDefinition("same", evaluation_fn=lambda context: None, job=first) for _ in range(2))
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="same"):
        dg.Definitions.validate_loadable(dg.Definitions(sensors=[one, two]))
