"""IO managers: what they are told, what they keep where; and their contexts made by hand."""

import io
import os
import pickle

import pytest
import upath

import dagster as dg

# --- IO managers -----------------------------------------------------------------------------------------------------


class Notes(dg.IOManager):
    """Keeps values, and looks at its contexts with `look`."""

    def __init__(self, look=None):
        self.values = {}
        self.look = look or (lambda kind, context: None)

    def handle_output(self, context, obj):
        self.look("out", context)
        self.values[tuple(context.get_identifier()[-2:]) if not context.has_asset_key else context.asset_key] = obj

    def load_input(self, context):
        self.look("in", context)
        up = context.upstream_output
        return self.values[up.asset_key if up.has_asset_key else tuple(up.get_identifier()[-2:])]


@pytest.mark.api("IOManager.handle_output", "IOManager.load_input", "Out.io_manager_key", "asset.io_manager_key",
                 "AssetOut.io_manager_key", "asset.io_manager_def")  # fmt: skip
def test_which_io_manager_stores_what():
    first, second, third = Notes(), Notes(), Notes()

    @dg.asset(io_manager_key="first")
    def a():
        return 1

    @dg.multi_asset(outs={"b": dg.AssetOut(io_manager_key="second"), "c": dg.AssetOut(io_manager_key="first")})
    def bc(a):
        return a + 1, a + 2

    @dg.asset(io_manager_def=third)
    def d(b, c):
        return b + c

    result = dg.materialize([a, bc, d], resources={"first": first, "second": second})
    assert result.success
    assert [key.to_user_string() for key in first.values] == ["a", "c"]
    assert second.values == {dg.AssetKey("b"): 2}
    assert third.values == {dg.AssetKey("d"): 5}


@pytest.mark.api("In.input_manager_key", "input_manager", "AssetIn.input_manager_key")
def test_an_input_manager_loads_in_its_place():
    @dg.input_manager
    def always_nine(context):
        return 9

    @dg.op
    def one():
        return 1

    @dg.op(ins={"x": dg.In(input_manager_key="nine")})
    def pass_on(x):
        return x

    @dg.job(resource_defs={"nine": always_nine})
    def loading():
        pass_on(one())
        pass_on.alias("unconnected")()

    result = loading.execute_in_process()
    assert (result.output_for_node("pass_on"), result.output_for_node("unconnected")) == (9, 9)

    @dg.asset
    def a():
        return 1

    @dg.asset(ins={"a": dg.AssetIn(input_manager_key="nine")})
    def b(a):
        return a

    assert dg.materialize([a, b], resources={"nine": always_nine, "io_manager": Notes()}).asset_value("b") == 9


DAILY = dg.DailyPartitionsDefinition("2024-01-01")


@pytest.mark.api(
    "OutputContext.step_key", "OutputContext.name", "OutputContext.run_id", "OutputContext.asset_key",
    "OutputContext.has_asset_key", "OutputContext.definition_metadata", "OutputContext.output_metadata",
    "OutputContext.op_def", "OutputContext.has_partition_key", "OutputContext.partition_key",
    "OutputContext.has_asset_partitions", "OutputContext.asset_partition_key", "OutputContext.asset_partition_keys",
    "OutputContext.asset_partition_key_range", "OutputContext.asset_partitions_time_window",
    "OutputContext.asset_partitions_def", "OutputContext.get_asset_identifier", "OutputContext.get_identifier",
    "OutputContext.resources", "OutputContext.asset_spec",
    "OutputContext.mapping_key", "OutputContext.log",
)  # fmt: skip
def test_what_storing_a_partition_is_told():
    seen = {}

    def look(kind, context):
        context.log.info("storing")
        window = context.asset_partitions_time_window
        seen.update(
            step=context.step_key, name=context.name, run=context.run_id, key=context.asset_key,
            definition=dict(context.definition_metadata), output=dict(context.output_metadata), op=context.op_def.name,
            partition=(context.has_partition_key, context.partition_key), several=context.has_asset_partitions,
            one=context.asset_partition_key, all=list(context.asset_partition_keys), defn=context.asset_partitions_def,
            range=context.asset_partition_key_range, window=(window.start.day, window.end.day),
            asset_path=list(context.get_asset_identifier()), path=list(context.get_identifier()),
            resource=context.resources.helper, spec=context.asset_spec.key, mapping=context.mapping_key,
        )  # fmt: skip

    @dg.io_manager(required_resource_keys={"helper"})
    def manager(context):
        return Notes(look)

    @dg.asset(partitions_def=DAILY, metadata={"m": 1}, key_prefix="p")
    def a():
        return dg.Output(1, metadata={"o": 2})

    result = dg.materialize([a], partition_key="2024-01-03", resources={"io_manager": manager, "helper": "hand"})
    day, key = "2024-01-03", dg.AssetKey(["p", "a"])
    assert seen["output"].keys() == {"o"}
    del seen["output"]
    assert seen == {
        "step": "p__a", "name": "result", "run": result.run_id, "key": key, "definition": {"m": 1}, "op": "p__a",
        "partition": (True, day), "several": True, "one": day, "all": [day], "defn": DAILY,
        "range": dg.PartitionKeyRange(day, day), "window": (3, 4), "asset_path": ["p", "a", day],
        "path": [result.run_id, "p__a", "result"] if seen["path"][0] == result.run_id else ["p", "a", day],
        "resource": "hand", "spec": key, "mapping": None,
    }  # fmt: skip


@pytest.mark.api(
    "InputContext.name", "InputContext.has_input_name", "InputContext.op_def", "InputContext.definition_metadata",
    "InputContext.upstream_output", "InputContext.asset_key", "InputContext.has_asset_key",
    "InputContext.has_partition_key", "InputContext.partition_key", "InputContext.has_asset_partitions",
    "InputContext.asset_partition_key", "InputContext.asset_partition_keys", "InputContext.asset_partition_key_range",
    "InputContext.asset_partitions_time_window", "InputContext.asset_partitions_def",
    "InputContext.get_asset_identifier", "InputContext.get_identifier", "InputContext.resources", "InputContext.log",
    "AssetIn.metadata",
)  # fmt: skip
def test_what_loading_a_partition_is_told():
    seen = {}

    def look(kind, context):
        if kind == "in":
            context.log.info("loading")
            window, up = context.asset_partitions_time_window, context.upstream_output
            seen.update(
                name=(context.has_input_name, context.name), op=context.op_def.name, key=context.asset_key,
                definition=dict(context.definition_metadata), has=context.has_asset_key,
                upstream=(up.step_key, up.name, up.asset_key, dict(up.definition_metadata)),
                partition=(context.has_partition_key, context.partition_key), several=context.has_asset_partitions,
                one=context.asset_partition_key, all=list(context.asset_partition_keys),
                defn=context.asset_partitions_def, range=context.asset_partition_key_range,
                window=(window.start.day, window.end.day), path=list(context.get_asset_identifier()),
            )  # fmt: skip

    @dg.asset(partitions_def=DAILY, metadata={"m": 1})
    def a():
        return 1

    @dg.asset(
        partitions_def=DAILY,
        ins={
            "before": dg.AssetIn(
                "a", metadata={"i": 2}, partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
            )
        },
    )
    def b(before):
        return before

    dg.materialize([a, b], partition_key="2024-01-03", resources={"io_manager": Notes(look)})
    day, key = "2024-01-02", dg.AssetKey("a")
    assert seen == {
        "name": (True, "before"), "op": "b", "key": key, "definition": {"i": 2}, "has": True,
        "upstream": ("a", "result", key, {"m": 1}), "partition": (True, "2024-01-03"), "several": True, "one": day,
        "all": [day], "defn": DAILY, "range": dg.PartitionKeyRange(day, day), "window": (2, 3), "path": ["a", day],
    }  # fmt: skip


@pytest.mark.api("OutputContext.get_identifier", "InputContext.get_identifier", "OutputContext.has_partition_key",
                 "OutputContext.has_asset_key", "InputContext.has_asset_key")  # fmt: skip
def test_values_of_ops_are_kept_by_run_step_and_output():
    paths = []

    def look(kind, context):
        paths.append((kind, list(context.get_identifier()), context.has_asset_key, context.has_partition_key))

    @dg.op
    def one():
        return 1

    @dg.op(out=dg.Out(dg.Nothing))
    def use(x):
        return None

    @dg.job(resource_defs={"io_manager": dg.IOManagerDefinition.hardcoded_io_manager(Notes(look))})
    def passing():
        use(one())

    run_id = passing.execute_in_process().run_id
    path = [run_id, "one", "result"]
    assert paths == [("out", path, False, False), ("in", path, False, False)]


@pytest.mark.api("OutputContext.add_output_metadata", "OutputContext.log_event", "InputContext.add_input_metadata")
def test_what_an_io_manager_reports():
    def look(kind, context):
        if kind == "out":
            context.add_output_metadata({"path": "here"})
            context.log_event(dg.AssetMaterialization("copy"))
        else:
            context.add_input_metadata({"read": 5})

    @dg.asset
    def a():
        return dg.Output(1, metadata={"rows": 3})

    @dg.asset
    def b(a):
        return a

    result = dg.materialize([a, b], resources={"io_manager": Notes(look)})
    made = {
        m.asset_key.to_user_string(): {key: value.value for key, value in m.metadata.items()}
        for m in result.asset_materializations_for_node("a")
    }
    assert made == {"a": {"path": "here", "rows": 3}, "copy": {}}
    loaded = [e for e in result.events_for_node("b") if e.event_type_value == "LOADED_INPUT"]
    assert {key: value.value for key, value in loaded[0].event_specific_data.metadata.items()} == {"read": 5}


@pytest.mark.parametrize("side", ["out", "in"])
def test_errors_of_an_io_manager_fail_the_step(side):
    def look(kind, context):
        if kind == side:
            raise OSError("disk")

    @dg.asset
    def a():
        return 1

    @dg.asset
    def b(a):
        return a

    resources = {"io_manager": Notes(look)}
    result = dg.materialize([a, b], resources=resources, raise_on_error=False)
    failed = [event.step_key for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    assert failed == ["a" if side == "out" else "b"]
    with pytest.raises(OSError, match="disk"):
        dg.materialize([a, b], resources=resources)


@pytest.mark.api("io_manager.config_schema", "io_manager.description", "io_manager.required_resource_keys",
                 "OutputContext.resource_config")  # fmt: skip
def test_io_managers_with_config():
    seen = {}

    def look(kind, context):
        if kind == "out":
            seen.update(resource_config=context.resource_config)

    @dg.io_manager(config_schema={"base": str}, description="tables", required_resource_keys={"helper"})
    def tables(context):
        seen["base"] = context.resource_config["base"] + context.resources.helper
        return Notes(look)

    @dg.op
    def one():
        return 1

    @dg.job(resource_defs={"io_manager": tables, "helper": dg.ResourceDefinition.hardcoded_resource("!")})
    def storing():
        one()

    storing.execute_in_process(run_config={"resources": {"io_manager": {"config": {"base": "db"}}}})
    assert seen == {"base": "db!", "resource_config": {"base": "db"}}
    assert tables.description == "tables"


@pytest.mark.api("io_manager.output_config_schema", "OutputContext.config")
def test_config_of_outputs():
    seen = []

    def look(kind, context):
        if kind == "out":
            seen.append((context.step_key, context.config))

    @dg.io_manager(output_config_schema={"table": dg.Field(str, default_value="main")})
    def tables(context):
        return Notes(look)

    @dg.op
    def one():
        return 1

    @dg.job(resource_defs={"io_manager": tables})
    def storing():
        one()
        one.alias("other")()

    storing.execute_in_process(run_config={"ops": {"one": {"outputs": {"result": {"table": "t"}}}}})
    assert sorted(seen) == [("one", {"table": "t"}), ("other", {"table": "main"})]
    with pytest.raises(dg.DagsterInvalidConfigError):
        storing.execute_in_process(run_config={"ops": {"one": {"outputs": {"result": {"rows": 1}}}}})


@pytest.mark.api("ConfigurableIOManager", "ConfigurableIOManagerFactory")
def test_configurable_io_managers():
    kept = {}

    class Tables(dg.ConfigurableIOManager):
        schema_name: str

        def handle_output(self, context, obj):
            kept[self.schema_name, context.asset_key.path[-1]] = obj

        def load_input(self, context):
            return kept[self.schema_name, context.asset_key.path[-1]]

    class Factory(dg.ConfigurableIOManagerFactory):
        schema_name: str

        def create_io_manager(self, context):
            return Tables(schema_name=self.schema_name + "!")

    @dg.asset
    def a():
        return 1

    @dg.asset(io_manager_key="other")
    def b(a):
        return a + 1

    resources = {"io_manager": Tables(schema_name="main"), "other": Factory(schema_name="made")}
    assert dg.materialize([a, b], resources=resources).success
    assert kept == {("main", "a"): 1, ("made!", "b"): 2}


@pytest.mark.api("FilesystemIOManager.base_dir", "fs_io_manager")
def test_files(tmp_path):
    @dg.asset(key_prefix="p")
    def a():
        return {"rows": [1, 2]}

    @dg.asset
    def b(a):
        return a["rows"]

    @dg.asset(ins={"a": dg.AssetIn(["p", "a"])}, name="b")
    def b2(a):
        return a["rows"]

    resources = {"io_manager": dg.FilesystemIOManager(base_dir=str(tmp_path))}
    dg.materialize([a], resources=resources)
    assert (tmp_path / "p" / "a").is_file()
    assert dg.materialize([a, b2], selection=[b2], resources=resources).asset_value("b") == [1, 2]
    by_config = {"io_manager": dg.fs_io_manager.configured({"base_dir": str(tmp_path / "other")})}
    dg.materialize([a], resources=by_config)
    assert (tmp_path / "other" / "p" / "a").is_file()


@pytest.mark.api("InMemoryIOManager", "mem_io_manager")
def test_memory():
    @dg.asset
    def a():
        return object

    @dg.asset
    def b(a):
        return a is object

    for manager in (dg.InMemoryIOManager(), dg.mem_io_manager):
        assert dg.materialize([a, b], resources={"io_manager": manager}).asset_value("b")


def test_values_outlive_a_run_on_the_same_instance():
    @dg.asset
    def a():
        return 41

    @dg.asset
    def b(a):
        return a + 1

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([a], instance=instance)
        assert dg.materialize([a, b], selection=["b"], instance=instance).asset_value("b") == 42
    with dg.DagsterInstance.ephemeral() as other, pytest.raises(Exception, match="a"):
        dg.materialize([a, b], selection=["b"], instance=other)


# --- IO contexts built by hand ---------------------------------------------------------------------------------------


@pytest.mark.api(
    "build_output_context.step_key", "build_output_context.name", "build_output_context.definition_metadata",
    "build_output_context.run_id", "build_output_context.mapping_key", "build_output_context.config",
    "build_output_context.version", "build_output_context.resource_config", "build_output_context.resources",
    "build_output_context.asset_key", "build_output_context.partition_key", "build_output_context.output_metadata",
    "build_output_context.asset_partitions_def", "build_output_context.op_def",
)  # fmt: skip
def test_an_output_context():
    @dg.op
    def one():
        return 1

    context = dg.build_output_context(
        step_key="one", name="result", definition_metadata={"d": 1}, run_id="r", mapping_key="m", config=3,
        version="v", resource_config={"base": "b"}, resources={"helper": "hand"}, asset_key=["p", "a"],
        partition_key="2024-01-02", asset_partitions_def=DAILY, op_def=one, output_metadata={"o": 2},
    )  # fmt: skip
    assert (context.step_key, context.name, context.run_id, context.mapping_key) == ("one", "result", "r", "m")
    assert (context.config, context.version, context.resource_config) == (3, "v", {"base": "b"})
    assert (context.definition_metadata, context.output_metadata.keys()) == ({"d": 1}, {"o"})
    assert (context.resources.helper, context.asset_key, context.op_def) == ("hand", dg.AssetKey(["p", "a"]), one)
    assert (context.partition_key, context.asset_partitions_def) == ("2024-01-02", DAILY)
    context.add_output_metadata({"rows": 1})
    context.log_event(dg.AssetMaterialization("x"))
    context.log.info("heard")
    assert context.get_logged_metadata().keys() == {"rows"}
    assert [event.asset_key for event in context.get_logged_events()] == [dg.AssetKey("x")]


@pytest.mark.api(
    "build_input_context.name", "build_input_context.config", "build_input_context.definition_metadata",
    "build_input_context.upstream_output", "build_input_context.resource_config", "build_input_context.resources",
    "build_input_context.asset_key", "build_input_context.partition_key", "build_input_context.op_def",
    "build_input_context.asset_partition_key_range", "build_input_context.asset_partitions_def",
)  # fmt: skip
def test_an_input_context():
    @dg.op
    def use(x):
        return x

    upstream = dg.build_output_context(asset_key="a")
    context = dg.build_input_context(
        name="x", config=3, definition_metadata={"d": 1}, upstream_output=upstream, resource_config={"base": "b"},
        resources={"helper": "hand"}, asset_key="a", partition_key="2024-01-05", op_def=use,
        asset_partition_key_range=dg.PartitionKeyRange("2024-01-02", "2024-01-03"), asset_partitions_def=DAILY,
    )  # fmt: skip
    assert (context.name, context.config, context.definition_metadata) == ("x", 3, {"d": 1})
    assert (context.upstream_output.asset_key, context.asset_key) == (dg.AssetKey("a"), dg.AssetKey("a"))
    assert (context.resource_config, context.resources.helper) == ({"base": "b"}, "hand")
    assert (context.partition_key, context.op_def) == ("2024-01-05", use)
    assert list(context.asset_partition_keys) == ["2024-01-02", "2024-01-03"]
    assert context.asset_partitions_def == DAILY


@pytest.mark.api("build_output_context.asset_partition_key_range", "build_output_context.instance",
                 "build_output_context.asset_spec", "build_input_context.instance")  # fmt: skip
def test_more_of_contexts_by_hand():
    spec = dg.AssetSpec("a", metadata={"m": 1})
    days = dg.PartitionKeyRange("2024-01-02", "2024-01-03")
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_output_context(
            asset_key="a", asset_partition_key_range=days, asset_partitions_def=DAILY, instance=instance,
            asset_spec=spec,
        )  # fmt: skip
        assert context.asset_partition_key_range == days
        assert list(context.asset_partition_keys) == ["2024-01-02", "2024-01-03"]
        assert context.asset_spec == spec
        assert dg.build_input_context(instance=instance).instance is instance


# --- config of inputs, versions, more of contexts --------------------------------------------------------------------


@pytest.mark.api("io_manager.input_config_schema", "InputContext.config", "input_manager.input_config_schema",
                 "input_manager.config_schema", "input_manager.required_resource_keys")  # fmt: skip
@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("key", ["loads", "keeps"])
def test_config_of_inputs(connected, key):
    seen = []

    def look(kind, context):
        if kind == "in":
            seen.append(context.config)

    class Nothing(Notes):
        def load_input(self, context):
            self.look("in", context)

    @dg.io_manager(input_config_schema={"k": dg.Field(int, default_value=3)})
    def keeps(context):
        return Nothing(look)

    @dg.input_manager(
        config_schema={"a": int}, input_config_schema={"k": dg.Field(int, default_value=3)},
        required_resource_keys={"helper"},
    )  # fmt: skip
    def loads(context):
        assert (context.resource_config, context.resources.helper) == ({"a": 1}, "hand")
        look("in", context)

    @dg.op
    def one():
        return 1

    @dg.op(ins={"x": dg.In(input_manager_key=key)})
    def use(x):
        return x

    @dg.job(resource_defs={"keeps": keeps, "loads": loads, "helper": dg.ResourceDefinition.hardcoded_resource("hand")})
    def job():
        use(one()) if connected else use()

    resources = {"loads": {"config": {"a": 1}}} if key == "loads" else {}
    job.execute_in_process({"resources": resources, "ops": {"use": {"inputs": {"x": {"k": 9}}}}})
    job.execute_in_process({"resources": resources})
    assert seen == [{"k": 9}, {"k": 3}]
    with pytest.raises(dg.DagsterInvalidConfigError):
        job.execute_in_process({"resources": resources, "ops": {"use": {"inputs": {"x": {"rows": 9}}}}})


@pytest.mark.api("io_manager.version", "resource.version", "IOManagerDefinition.version",
                 "IOManagerDefinition.resource_fn",
                 "IOManagerDefinition.config_schema", "IOManagerDefinition.description",
                 "IOManagerDefinition.required_resource_keys", "IOManagerDefinition.input_config_schema",
                 "IOManagerDefinition.output_config_schema", "InputManagerDefinition.resource_fn",
                 "InputManagerDefinition.config_schema", "InputManagerDefinition.description",
                 "InputManagerDefinition.input_config_schema", "InputManagerDefinition.required_resource_keys",
                 "InputManagerDefinition.version", "input_manager.description", "input_manager.version",
                 "IOManagerDefinition.hardcoded_io_manager")  # fmt: skip
def test_what_definitions_say_about_themselves():
    @dg.resource(version="1")
    def plain(_):
        return None

    @dg.io_manager(version="2")
    def keeps(_):
        return Notes()

    @dg.input_manager(version="3", description="reads")
    def loads(_):
        return None

    options = {
        "resource_fn": lambda _: Notes(), "config_schema": {"a": int}, "description": "d", "version": "4",
        "required_resource_keys": {"helper"}, "input_config_schema": {"i": int},
    }  # fmt: skip
    by_hand = dg.IOManagerDefinition(output_config_schema={"o": int}, **options)
    reading = dg.InputManagerDefinition(**options)
    assert [one.version for one in (plain, keeps, loads, by_hand, reading)] == ["1", "2", "3", "4", "4"]
    assert [one.description for one in (loads, by_hand, reading)] == ["reads", "d", "d"]
    assert by_hand.required_resource_keys == reading.required_resource_keys == {"helper"}
    schemas = (by_hand.config_schema, by_hand.input_config_schema, by_hand.output_config_schema)
    assert None not in (*schemas, reading.config_schema, reading.input_config_schema)
    assert dg.IOManagerDefinition.hardcoded_io_manager(Notes(), description="ready").description == "ready"


@pytest.mark.api("InputContext.dagster_type", "InputContext.metadata", "OutputContext.dagster_type",
                 "OutputContext.metadata", "In.metadata", "Out.metadata", "build_input_context.step_context",
                 "build_input_context.dagster_type", "build_input_context.metadata",
                 "build_output_context.dagster_type", "build_output_context.metadata",
                 "OutputContext.version")  # fmt: skip
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_types_and_metadata_of_contexts():
    seen = {}

    def look(kind, context):
        seen[kind] = (context.dagster_type.display_name, dict(context.metadata))
        again = dg.build_input_context(step_context=context.step_context)
        seen["step"] = again.step_context is context.step_context

    @dg.op(out=dg.Out(int, metadata={"o": 1}))
    def one():
        return 1

    @dg.op(ins={"x": dg.In(int, metadata={"i": 2})}, out=dg.Out(dg.Nothing))
    def use(x):
        return None

    @dg.job(resource_defs={"io_manager": dg.IOManagerDefinition.hardcoded_io_manager(Notes(look))})
    def passing():
        use(one())

    passing.execute_in_process()
    assert seen == {"out": ("Int", {"o": 1}), "in": ("Int", {"i": 2}), "step": True}
    kind = dg.In(int).dagster_type
    read = dg.build_input_context(dagster_type=kind, metadata={"m": 1})
    made = dg.build_output_context(dagster_type=kind, metadata={"m": 1}, version="v")
    assert (read.dagster_type, read.metadata, made.dagster_type, made.metadata) == (kind, {"m": 1}, kind, {"m": 1})
    assert made.version == "v"


@pytest.mark.api("In.asset_key", "In.asset_partitions", "DynamicOut.description", "DynamicOut.metadata",
                 "DynamicOut.code_version")  # fmt: skip
def test_what_inputs_and_outputs_are_declared_with():
    kept = []

    def look(kind, context):
        kept.append(dict(context.definition_metadata))

    def partitions(context):
        return {"p"}

    @dg.op(
        ins={"x": dg.In(asset_key=dg.AssetKey("k"), asset_partitions=partitions)},
        out=dg.DynamicOut(description="each", metadata={"m": 1}, code_version="v"),
    )
    def several(x):
        yield dg.DynamicOutput(x, mapping_key="a")

    @dg.job(resource_defs={"io_manager": dg.IOManagerDefinition.hardcoded_io_manager(Notes(look))})
    def job():
        several()

    declared, out = several.ins["x"], several.outs["result"]
    assert (declared.asset_key, declared.asset_partitions) == (dg.AssetKey("k"), partitions)
    assert (out.description, out.metadata, out.code_version) == ("each", {"m": 1}, "v")
    job.execute_in_process({"ops": {"several": {"inputs": {"x": {"value": 1}}}}})
    assert kept == [{"m": 1}]


@pytest.mark.api("ConfigurableIOManager.handle_output", "ConfigurableIOManager.load_input")
def test_what_a_configurable_io_manager_is_asked():
    asked = []

    class Asked(dg.ConfigurableIOManager):
        def handle_output(self, context, obj):
            asked.append(("handle_output", context.asset_key.to_user_string(), obj))

        def load_input(self, context):
            asked.append(("load_input", context.asset_key.to_user_string()))
            return 7

    @dg.asset
    def a():
        return 1

    @dg.asset
    def b(a):
        return a + 1

    dg.materialize([a, b], resources={"io_manager": Asked()})
    assert asked == [("handle_output", "a", 1), ("load_input", "a"), ("handle_output", "b", 8)]


class Texts(dg.UPathIOManager):
    extension = ".txt"

    def dump_to_path(self, context, obj, path):
        path.write_text(obj)

    def load_from_path(self, context, path):
        return path.read_text()


@pytest.mark.api("UPathIOManager.base_path", "UPathIOManager.dump_to_path", "UPathIOManager.load_from_path",
                 "UPathIOManager.extension")  # fmt: skip
@pytest.mark.parametrize("where", ["local", "memory"])
def test_values_on_any_filesystem(tmp_path, where):
    base = upath.UPath(tmp_path) if where == "local" else upath.UPath("memory://texts")

    @dg.asset(key_prefix="p", partitions_def=dg.StaticPartitionsDefinition(["x", "y"]))
    def a(context):
        return context.partition_key

    @dg.asset(ins={"a": dg.AssetIn(["p", "a"])})
    def both(a):
        return ",".join(f"{key}={value}" for key, value in sorted(a.items()))

    @dg.op
    def one():
        return "1"

    @dg.op
    def use(x):
        return x + "!"

    @dg.job(resource_defs={"io_manager": dg.IOManagerDefinition.hardcoded_io_manager(Texts(base_path=base))})
    def job():
        use(one())

    resources = {"io_manager": Texts(base_path=base)}
    with dg.DagsterInstance.ephemeral() as instance:
        for key in "xy":
            result = dg.materialize([a], partition_key=key, resources=resources, instance=instance)
        assert dg.materialize([a, both], selection=[both], resources=resources, instance=instance).success
    assert (base / "p" / "a" / "x.txt").read_text() == "x"
    assert (base / "both.txt").read_text() == "x=x,y=y"
    [made] = result.asset_materializations_for_node("p__a")
    assert made.metadata["path"].value == str(base / "p" / "a" / "y.txt")
    ran = job.execute_in_process()
    assert (base / ran.run_id / "use" / "result.txt").read_text() == "1!"


@pytest.mark.api("FileHandle.path_desc", "LocalFileHandle.path", "LocalFileHandle.path_desc", "local_file_manager")
def test_a_file_manager(tmp_path):
    config = {"files": {"config": {"base_dir": str(tmp_path)}}}
    with dg.build_resources({"files": dg.local_file_manager}, resource_config=config) as resources:
        files = resources.files
        handle = files.write_data(b"abc", ext="txt")
        assert isinstance(handle, dg.FileHandle)
        assert handle.path == handle.path_desc == str(next(tmp_path.glob("*.txt")))
        assert files.read_data(files.write(io.BytesIO(b"q"))) == b"q"
        with files.read(handle, "rb") as file:
            assert file.read() == b"abc"
        copied = files.copy_handle_to_local_temp(handle)
        with open(copied, "rb") as file:
            assert file.read() == b"abc"
        files.delete_local_temp()
        assert not os.path.exists(copied)
    assert dg.LocalFileHandle("/a/b").path == "/a/b"


@pytest.mark.api("custom_path_fs_io_manager")
def test_values_at_a_path_in_metadata(tmp_path):
    @dg.op(out=dg.Out(metadata={"path": "sub/x"}))
    def one():
        return [1]

    @dg.job(resource_defs={"io_manager": dg.custom_path_fs_io_manager})
    def job():
        one()

    job.execute_in_process({"resources": {"io_manager": {"config": {"base_dir": str(tmp_path)}}}})
    assert pickle.loads((tmp_path / "sub" / "x").read_bytes()) == [1]


@pytest.mark.api("ConfigurableLegacyIOManagerAdapter")
def test_an_older_io_manager_behind_a_class(shelf):
    @dg.io_manager(config_schema={"base": str})
    def older(context):
        shelf.values["base"] = context.resource_config["base"]
        return shelf

    class Adapted(dg.ConfigurableLegacyIOManagerAdapter):
        base: str

        @property
        def wrapped_io_manager(self):
            return older

    @dg.asset
    def a():
        return 1

    dg.materialize([a], resources={"io_manager": Adapted(base="b")})
    assert shelf.values == {"base": "b", "a": 1}
