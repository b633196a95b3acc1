import asyncio
from datetime import UTC, datetime, timedelta

import pytest

import dagster as dg

DAILY = dg.DailyPartitionsDefinition("2024-01-01")
UTC = UTC


def seen_by(body, *, upstream=(), partitions_def=None, **options):
    """What `body(context)` returns inside an asset named `a` that depends on `upstream`."""
    found = []

    @dg.asset(deps=upstream, partitions_def=partitions_def)
    def a(context: dg.AssetExecutionContext):
        found.append(body(context))
        assert body(context.op_execution_context) == found[0]  # an op's context knows the same

    dg.materialize_to_memory([a, *upstream], **options)
    return found[0]


# --- the run ---------------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "OpExecutionContext.run", "OpExecutionContext.run_id", "OpExecutionContext.run_config",
    "OpExecutionContext.job_name", "OpExecutionContext.job_def", "OpExecutionContext.op_def",
    "OpExecutionContext.has_tag", "OpExecutionContext.get_tag", "OpExecutionContext.retry_number",
    "OpExecutionContext.instance", "OpExecutionContext.has_assets_def", "OpExecutionContext.selected_output_names",
    "OpExecutionContext.has_partition_key", "OpExecutionContext.has_partitions", "OpExecutionContext.get_mapping_key",
)  # fmt: skip
def test_an_op_knows_its_run():
    found = {}

    @dg.op(config_schema={"n": int})
    def look(context: dg.OpExecutionContext):
        found.update(
            run=context.run, run_id=context.run_id, run_config=context.run_config, job_name=context.job_name,
            job_def=context.job_def.name, op_def=context.op_def.name, tag=context.get_tag("k"),
            no_tag=context.get_tag("other"), has=context.has_tag("k"), has_not=context.has_tag("other"),
            retry=context.retry_number, instance=context.instance, assets=context.has_assets_def,
            outputs=set(context.selected_output_names), partitioned=context.has_partition_key,
            partitions=context.has_partitions, mapping=context.get_mapping_key(),
        )  # fmt: skip

    @dg.job(tags={"k": "v"})
    def looking():
        look()

    config = {"ops": {"look": {"config": {"n": 1}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        result = looking.execute_in_process(run_config=config, instance=instance)
        assert found["instance"] is instance
    assert found["run"].run_id == found["run_id"] == result.run_id
    assert (found["job_name"], found["job_def"], found["op_def"]) == ("looking", "looking", "look")
    assert found["run_config"]["ops"] == config["ops"]
    assert (found["tag"], found["no_tag"], found["has"], found["has_not"]) == ("v", None, True, False)
    assert (found["retry"], found["assets"], found["outputs"]) == (0, False, {"result"})
    assert (found["partitioned"], found["partitions"], found["mapping"]) == (False, False, None)


@pytest.mark.api("OpExecutionContext.asset_key", "OpExecutionContext.assets_def", "OpExecutionContext.partition_key")
def test_an_op_without_assets_or_partitions_says_so():
    asked = ("asset_key", "assets_def", "partition_key", "partition_key_range", "partition_time_window")
    refused = []

    @dg.op
    def look(context: dg.OpExecutionContext):
        for name in asked:
            try:
                getattr(context, name)
            except dg.DagsterError:
                refused.append(name)

    @dg.job
    def looking():
        look()

    looking.execute_in_process()
    assert refused == list(asked)


# --- assets ----------------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "AssetExecutionContext.asset_key", "AssetExecutionContext.has_assets_def", "AssetExecutionContext.assets_def",
    "OpExecutionContext.selected_asset_keys", "AssetExecutionContext.selected_output_names",
    "OpExecutionContext.selected_asset_check_keys", "OpExecutionContext.asset_key_for_output",
    "OpExecutionContext.output_for_asset_key", "AssetExecutionContext.op_def", "AssetExecutionContext.job_name",
    "AssetExecutionContext.job_def", "AssetExecutionContext.has_partition_key",
)  # fmt: skip
def test_an_asset_knows_itself():
    key = dg.AssetKey("a")
    found = seen_by(
        lambda context: (
            context.asset_key,
            context.has_assets_def,
            context.assets_def.key,
            set(context.selected_asset_keys),
            set(context.selected_output_names),
            set(context.selected_asset_check_keys),
            context.asset_key_for_output(),
            context.output_for_asset_key(key),
            context.op_def.name,
            context.job_def.name == context.job_name,
            context.has_partition_key,
            context.has_partition_key_range,
        )
    )
    assert found == (key, True, key, {key}, {"result"}, set(), key, "result", "a", True, False, False)


@pytest.mark.api(
    "OpExecutionContext.asset_key_for_input", "multi_asset.can_subset", "multi_asset.check_specs",
    "AssetExecutionContext.selected_asset_keys", "AssetExecutionContext.selected_asset_check_keys",
    "AssetExecutionContext.selected_output_names", "AssetExecutionContext.output_for_asset_key",
)  # fmt: skip
def test_a_subset_is_asked_for():
    found = {}

    @dg.asset
    def up():
        return 1

    @dg.multi_asset(
        outs={name: dg.AssetOut(is_required=False) for name in ("x", "y", "z")},
        check_specs=[dg.AssetCheckSpec("ok", asset="x"), dg.AssetCheckSpec("ok", asset="z")],
        can_subset=True,
    )
    def many(context: dg.AssetExecutionContext, up):
        found["keys"] = sorted(key.to_user_string() for key in context.selected_asset_keys)
        found["checks"] = sorted(key.asset_key.to_user_string() for key in context.selected_asset_check_keys)
        found["outputs"] = set(context.selected_output_names)
        found["input"] = context.asset_key_for_input("up")
        for key in sorted(context.selected_asset_keys):
            name = context.output_for_asset_key(key)
            assert context.asset_key_for_output(name) == key
            yield dg.Output(1, name)
        for check in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(passed=True, asset_key=check.asset_key, check_name=check.name)

    result = dg.materialize_to_memory([up, many], selection=dg.AssetSelection.assets("x", "y", "up"))
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert made == {"up", "x", "y"}
    assert found["keys"] == ["x", "y"]
    assert found["checks"] == ["x"]
    assert {"x", "y"} <= found["outputs"]
    assert "z" not in found["outputs"]
    assert found["input"] == dg.AssetKey("up")
    with pytest.raises(dg.DagsterInvariantViolationError):
        dg.materialize_to_memory([one_of_many_keys()], selection="*")


def one_of_many_keys():
    @dg.multi_asset(specs=[dg.AssetSpec("p"), dg.AssetSpec("q")])
    def both(context: dg.AssetExecutionContext):
        return context.asset_key

    return both


@pytest.mark.api(
    "OpExecutionContext.get_asset_provenance", "DataProvenance.code_version", "DataProvenance.input_data_versions",
    "DataProvenance.is_user_provided",
)  # fmt: skip
def test_provenance_of_what_is_there_already():
    found = []

    @dg.asset(code_version="u1")
    def up():
        return dg.Output(1, data_version=dg.DataVersion("rows-1"))

    @dg.asset(code_version="v1")
    def a(context: dg.AssetExecutionContext, up):
        found.append(context.get_asset_provenance(dg.AssetKey("a")))
        return 1

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([up, a], instance=instance)
        dg.materialize([up, a], instance=instance)
    assert found[0] is None
    assert found[1].code_version == "v1"
    assert found[1].input_data_versions == {dg.AssetKey("up"): dg.DataVersion("rows-1")}
    assert found[1].is_user_provided is False


# --- partitions ------------------------------------------------------------------------------------------------------


def window(start, days=1):
    first = datetime.fromisoformat(start).replace(tzinfo=UTC)
    return dg.TimeWindow(first, first + timedelta(days=days))


@pytest.mark.api(
    "AssetExecutionContext.partition_key", "OpExecutionContext.partition_keys",
    "OpExecutionContext.partition_key_range", "AssetExecutionContext.partition_time_window",
    "AssetExecutionContext.has_partition_key", "OpExecutionContext.has_partition_key_range",
    "OpExecutionContext.asset_partition_key_for_output", "OpExecutionContext.asset_partition_keys_for_output",
    "OpExecutionContext.asset_partition_key_range_for_output", "OpExecutionContext.asset_partition_key_range",
    "OpExecutionContext.asset_partitions_time_window_for_output", "OpExecutionContext.asset_partitions_def_for_output",
    "materialize_to_memory.partition_key",
)  # fmt: skip
def test_the_partition_of_the_run():
    key, keys = "2024-01-03", dg.PartitionKeyRange("2024-01-03", "2024-01-03")
    found = seen_by(
        lambda context: (
            (context.has_partition_key, context.has_partition_key_range),
            (context.partition_key, list(context.partition_keys), context.partition_key_range),
            (context.asset_partition_key_for_output(), list(context.asset_partition_keys_for_output())),
            (context.asset_partition_key_range_for_output(), context.asset_partition_key_range),
            (context.partition_time_window, context.asset_partitions_time_window_for_output()),
            context.asset_partitions_def_for_output(),
        ),
        partitions_def=DAILY,
        partition_key=key,
    )
    assert found[0] == (True, False)
    assert found[1] == (key, [key], keys)
    assert found[2] == (key, [key])
    assert found[3] == (keys, keys)
    assert found[4] == (window(key), window(key))
    assert found[5] == DAILY


@pytest.mark.api(
    "OpExecutionContext.asset_partition_key_for_input", "OpExecutionContext.asset_partition_keys_for_input",
    "OpExecutionContext.asset_partition_key_range_for_input", "OpExecutionContext.asset_partitions_def_for_input",
    "OpExecutionContext.asset_partitions_time_window_for_input", "AssetIn.partition_mapping",
)  # fmt: skip
def test_the_partitions_of_inputs():
    found = {}

    @dg.asset(partitions_def=DAILY)
    def up():
        return 1

    @dg.asset(
        partitions_def=DAILY,
        ins={
            "before": dg.AssetIn("up", partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-2, end_offset=-1))
        },
    )
    def a(context: dg.AssetExecutionContext, before):
        found["keys"] = list(context.asset_partition_keys_for_input("before"))
        found["range"] = context.asset_partition_key_range_for_input("before")
        found["window"] = context.asset_partitions_time_window_for_input("before")
        found["def"] = context.asset_partitions_def_for_input("before")
        try:
            context.asset_partition_key_for_input("before")
        except Exception:
            found["several"] = True
        return before

    @dg.asset(partitions_def=DAILY)
    def b(context: dg.AssetExecutionContext, up):
        found["one"] = context.asset_partition_key_for_input("up")

    with dg.DagsterInstance.ephemeral() as instance:
        for day in ("2024-01-03", "2024-01-04", "2024-01-05"):
            dg.materialize([up], partition_key=day, instance=instance)
        options = {"partition_key": "2024-01-05", "instance": instance}
        result = dg.materialize([up, a, b], selection=[a, b], **options)
        loaded = result.asset_value("a")
    assert loaded == {"2024-01-03": 1, "2024-01-04": 1}
    assert found["keys"] == ["2024-01-03", "2024-01-04"]
    assert found["range"] == dg.PartitionKeyRange("2024-01-03", "2024-01-04")
    assert found["window"] == window("2024-01-03", 2)
    assert found["def"] == DAILY
    assert found["several"]
    assert found["one"] == "2024-01-05"


@pytest.mark.api(
    "OpExecutionContext.multi_partition_key", "AssetExecutionContext.multi_partition_key",
    "MultiPartitionKey.keys_by_dimension",
)  # fmt: skip
def test_a_partition_with_two_dimensions():
    both = dg.MultiPartitionsDefinition({"day": DAILY, "shop": dg.StaticPartitionsDefinition(["n", "s"])})
    found = seen_by(
        lambda context: dict(context.multi_partition_key.keys_by_dimension),
        partitions_def=both,
        partition_key=dg.MultiPartitionKey({"day": "2024-01-03", "shop": "s"}),
    )
    assert found == {"day": "2024-01-03", "shop": "s"}


@pytest.mark.api(
    "OpExecutionContext.partition_key", "OpExecutionContext.partition_time_window", "job.partitions_def",
    "OpExecutionContext.has_partition_key",
)  # fmt: skip
def test_an_op_of_a_partitioned_job():
    found = []

    @dg.op
    def look(context: dg.OpExecutionContext):
        found.append((context.partition_key, context.partition_time_window, context.has_partition_key))

    @dg.job(partitions_def=DAILY)
    def looking():
        look()

    result = looking.execute_in_process(partition_key="2024-01-03")
    assert found == [("2024-01-03", window("2024-01-03"), True)]
    assert result.dagster_run.tags["dagster/partition"] == "2024-01-03"


# --- reporting -------------------------------------------------------------------------------------------------------


@pytest.mark.api("AssetExecutionContext.add_output_metadata", "AssetExecutionContext.add_asset_metadata")
def test_metadata_of_what_is_made():
    @dg.asset
    def a(context: dg.AssetExecutionContext):
        context.add_output_metadata({"x": 1, "both": "first"})
        context.add_asset_metadata({"y": 2})
        return dg.Output(1, metadata={"z": 3})

    @dg.multi_asset(outs={"p": dg.AssetOut(), "q": dg.AssetOut()})
    def pq(context: dg.AssetExecutionContext):
        context.add_output_metadata({"rows": 1}, output_name="p")
        context.add_asset_metadata({"rows": 2}, asset_key="q")
        return 1, 2

    result = dg.materialize_to_memory([a, pq])
    by_key = {
        event.asset_key.to_user_string(): {
            name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
    }
    assert by_key == {"a": {"x": 1, "both": "first", "y": 2, "z": 3}, "p": {"rows": 1}, "q": {"rows": 2}}


@pytest.mark.api("AssetExecutionContext.add_asset_metadata")
def test_metadata_of_one_partition_only():
    @dg.asset(partitions_def=DAILY)
    def a(context: dg.AssetExecutionContext):
        context.add_asset_metadata({"rows": 2}, partition_key="2024-01-03")

    result = dg.materialize_to_memory([a], partition_key="2024-01-03")
    (made,) = result.asset_materializations_for_node("a")
    assert (made.partition, made.metadata["rows"].value) == ("2024-01-03", 2)


@pytest.mark.api("OpExecutionContext.add_output_metadata")
def test_metadata_of_an_ops_output():
    @dg.op(out={"p": dg.Out(), "q": dg.Out()})
    def pq(context: dg.OpExecutionContext):
        context.add_output_metadata({"rows": 1}, output_name="q")
        return 1, 2

    @dg.job
    def making():
        pq()

    events = making.execute_in_process().events_for_node("pq")
    rows = [e.step_output_data.metadata for e in events if e.event_type_value == "STEP_OUTPUT"]
    assert [sorted(found) for found in rows] == [[], ["rows"]]


@pytest.mark.api("OpExecutionContext.log_event")
def test_events_about_other_assets():
    @dg.asset
    def a(context: dg.AssetExecutionContext):
        context.log_event(dg.AssetMaterialization("other", metadata={"n": 1}, partition="p"))
        context.log_event(dg.AssetObservation("other", metadata={"n": 2}))

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([a], instance=instance)
        latest = instance.get_latest_materialization_event(dg.AssetKey("other"))
    kinds = [event.event_type_value for event in result.events_for_node("a")]
    assert kinds.index("ASSET_MATERIALIZATION") < kinds.index("ASSET_OBSERVATION") < kinds.index("STEP_OUTPUT")
    assert latest.asset_materialization.partition == "p"


@pytest.mark.api("OpExecutionContext.log", "DagsterLogManager")
def test_log_lines_are_kept_with_their_levels_and_steps():
    @dg.op
    def talk(context: dg.OpExecutionContext):
        context.log.debug("fine")
        context.log.info("one %s", 1)
        context.log.warning("careful")
        context.log.error("wrong")
        context.log.critical("very wrong")
        try:
            raise ValueError("shown")
        except ValueError:
            context.log.exception("caught")

    @dg.job
    def talking():
        talk()

    with dg.DagsterInstance.ephemeral() as instance:
        result = talking.execute_in_process(instance=instance)
        lines = [entry for entry in instance.all_logs(result.run_id) if not entry.is_dagster_event]
    told = [(line.level, line.user_message, line.step_key) for line in lines]
    assert told[:5] == [
        (10, "fine", "talk"), (20, "one 1", "talk"), (30, "careful", "talk"), (40, "wrong", "talk"),
        (50, "very wrong", "talk"),
    ]  # fmt: skip
    assert told[5][0] == 40
    assert told[5][1].startswith("caught")


# --- contexts built by hand ------------------------------------------------------------------------------------------


@pytest.mark.api(
    "build_op_context.resources", "build_op_context.op_config", "build_op_context.partition_key",
    "build_op_context.run_tags", "build_op_context.mapping_key", "build_op_context.instance",
)  # fmt: skip
def test_calling_an_op_with_a_context():
    @dg.op(config_schema={"n": int}, required_resource_keys={"db"})
    def body(context, x):
        return (
            x, context.op_config["n"], context.resources.db, context.partition_key, context.get_tag("k"),
            context.get_mapping_key(), context.instance,
        )  # fmt: skip

    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_op_context(
            resources={"db": "rows"}, op_config={"n": 2}, partition_key="p", run_tags={"k": "v"}, mapping_key="m",
            instance=instance,
        )  # fmt: skip
        assert body(context, 1) == (1, 2, "rows", "p", "v", "m", instance)
        assert body(context, x=1)[0] == 1


@pytest.mark.api("build_op_context.config", "build_op_context.resources_config")
def test_config_of_a_context():
    class Numbers(dg.Config):
        n: int

    @dg.op
    def body(context, config: Numbers):
        return config.n

    @dg.op(required_resource_keys={"db"})
    def read(context):
        return context.resources.db

    @dg.resource(config_schema={"url": str})
    def db(context):
        return context.resource_config["url"]

    assert body(dg.build_op_context(config={"n": 3})) == 3
    assert body(dg.build_op_context(), Numbers(n=4)) == 4
    assert body(context=dg.build_op_context(), config=Numbers(n=5)) == 5
    context = dg.build_op_context(resources={"db": db}, resources_config={"db": {"config": {"url": "here"}}})
    assert read(context) == "here"


@pytest.mark.api(
    "build_asset_context.partition_key_range", "build_asset_context.partition_key",
    "build_op_context.partition_key_range", "build_asset_context.resources",
)  # fmt: skip
def test_calling_an_asset_with_a_partition():
    @dg.asset(partitions_def=DAILY, required_resource_keys={"db"})
    def a(context: dg.AssetExecutionContext, up):
        of = (
            context.partition_key_range
            if context.has_partition_key_range
            else (context.partition_key, context.partition_time_window)
        )
        return of, up, context.resources.db

    one = dg.build_asset_context(partition_key="2024-01-02", resources={"db": 7})
    assert a(one, up=5) == (("2024-01-02", window("2024-01-02")), 5, 7)
    days = dg.PartitionKeyRange("2024-01-02", "2024-01-03")
    assert a(dg.build_asset_context(partition_key_range=days, resources={"db": 7}), 5) == (days, 5, 7)
    assert a(dg.build_op_context(partition_key_range=days, resources={"db": 7}), 5) == (days, 5, 7)


@pytest.mark.api(
    "build_asset_context.asset_config", "build_asset_context.run_tags", "build_asset_context.instance",
    "build_asset_context.resources_config",
)  # fmt: skip
def test_other_parts_of_an_asset_context():
    @dg.asset(config_schema={"n": int}, required_resource_keys={"db"})
    def a(context):
        return context.op_config["n"], context.get_tag("k"), context.instance, context.resources.db

    @dg.resource(config_schema={"url": str})
    def db(context):
        return context.resource_config["url"]

    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_asset_context(
            asset_config={"n": 1}, run_tags={"k": "v"}, instance=instance, resources={"db": db},
            resources_config={"db": {"config": {"url": "u"}}},
        )  # fmt: skip
        assert a(context) == (1, "v", instance, "u")


@pytest.mark.api("build_asset_check_context.resources", "build_asset_check_context.instance", "asset_check.asset")
def test_calling_a_check():
    @dg.asset_check(asset="a", required_resource_keys={"db"})
    def positive(context, a):
        return dg.AssetCheckResult(passed=a > context.resources.db, metadata={"seen": a})

    @dg.asset_check(asset="a")
    def alone():
        return dg.AssetCheckResult(passed=True)

    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_asset_check_context(resources={"db": 0}, instance=instance)
        assert positive(context, 3).passed is True
        assert positive(context, -3).passed is False
    assert alone().passed


def test_what_a_function_reports_is_kept_by_its_context():
    @dg.asset
    def a(context: dg.AssetExecutionContext):
        context.add_output_metadata({"rows": 3})
        context.log.info("heard")
        return 1

    context = dg.build_asset_context()
    assert a(context) == 1
    assert context.get_output_metadata("result") == {"rows": 3}


def test_calling_without_a_run():
    @dg.op
    def add(x: int, y: int = 5):
        return x + y

    @dg.asset
    def plain(up):
        return up + 1

    @dg.op
    def several():
        yield dg.Output(1)

    assert add(1) == 6
    assert add(x=1, y=2) == 3
    assert plain(up=1) == plain(1) == 2
    assert [item.value for item in several()] == [1]
    with pytest.raises(dg.DagsterInvalidInvocationError):
        add()
    with pytest.raises(dg.DagsterInvalidInvocationError):
        add(1, 2, 3)
    with pytest.raises(dg.DagsterTypeCheckDidNotPass):
        add("x")


def test_calling_without_a_context_that_is_needed():
    @dg.op
    def body(context):
        return 1

    @dg.op(required_resource_keys={"db"})
    def needy(context):
        return 1

    with pytest.raises(dg.DagsterInvalidInvocationError):
        body()
    with pytest.raises(dg.DagsterError):
        needy(dg.build_op_context())
    assert body(None) == 1


def test_calling_async_functions():
    @dg.asset
    async def a():
        return 1

    assert asyncio.run(a()) == 1


@pytest.mark.api("OpExecutionContext.get")
def test_the_current_context_is_found_from_anywhere():
    def deep():
        return dg.AssetExecutionContext.get().asset_key

    assert seen_by(lambda context: deep()) == dg.AssetKey("a")
