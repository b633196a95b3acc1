from contextlib import contextmanager, suppress

import pytest

try:
    from upath import UPath
except ImportError:  # an extra of Treadle
    from pathlib import Path as UPath

import dagster as dg


def recorded(name, log, requires=(), fail_up=False, fail_down=False):
    """A resource that tells when it comes up and goes down."""

    @dg.resource(required_resource_keys=set(requires))
    def made(_):
        if fail_up:
            raise ValueError(f"{name} up")
        log.append(f"+{name}")
        try:
            yield name
        finally:
            log.append(f"-{name}")
            if fail_down:
                raise ValueError(f"{name} down")

    return made


def attempt(definitions, body=lambda: None, keys=None):
    """A run of one op that needs these resources."""

    @dg.op(required_resource_keys=set(keys or definitions))
    def work(context):
        return body()

    @dg.job(resource_defs=definitions)
    def working():
        work()

    return working.execute_in_process(raise_on_error=False)


def boom():
    raise ValueError("step")


# --- set-up and tear-down --------------------------------------------------------------------------------------------


@pytest.mark.api("resource.required_resource_keys", "ResourceDefinition.required_resource_keys")
@pytest.mark.parametrize("body", [lambda: None, boom])
def test_resources_go_down_whatever_the_step_did(body):
    log = []
    definitions = {"a": recorded("a", log, ["b"]), "b": recorded("b", log)}
    result = attempt(definitions, body, ["a"])
    assert result.success is (body is not boom)
    assert log == ["+b", "+a", "-a", "-b"]


def test_those_that_were_up_go_down_when_a_later_one_fails():
    log = []
    definitions = {
        "a": recorded("a", log),
        "b": recorded("b", log, ["a"]),
        "c": recorded("c", log, ["b"], fail_up=True),
    }
    result = attempt(definitions, lambda: log.append("step"), ["c"])
    assert log == ["+a", "+b", "-b", "-a"]
    kinds = [event.event_type_value for event in result.all_events]
    assert "RESOURCE_INIT_FAILURE" in kinds
    assert "STEP_START" not in kinds
    assert not result.success


def test_a_failing_tear_down_keeps_no_other_from_running_and_changes_no_outcome():
    log = []
    definitions = {
        "a": recorded("a", log),
        "b": recorded("b", log, ["a"], fail_down=True),
        "c": recorded("c", log, ["b"]),
    }
    result = attempt(definitions)
    assert log == ["+a", "+b", "+c", "-c", "-b", "-a"]
    assert result.success

    @dg.asset(required_resource_keys={"r"})
    def bad():
        raise KeyError("mine")

    with pytest.raises(KeyError):
        dg.materialize_to_memory([bad], resources={"r": recorded("r", [], fail_down=True)})


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_resources_go_down_when_someone_stops_the_run(stop):
    log = []

    def interrupt():
        raise stop

    with suppress(stop):
        attempt({"a": recorded("a", log)}, interrupt)
    assert log == ["+a", "-a"]


@pytest.mark.api("DagsterResourceFunctionError")
def test_a_set_up_that_fails_is_raised():
    @dg.asset(required_resource_keys={"r"})
    def a():
        return 1

    with pytest.raises(dg.DagsterResourceFunctionError):
        dg.materialize_to_memory([a], resources={"r": recorded("r", [], fail_up=True)})


# --- definitions -----------------------------------------------------------------------------------------------------


@pytest.mark.api("resource.config_schema", "resource.description", "ResourceDefinition.description",
                 "InitResourceContext.resource_config", "InitResourceContext.resources", "InitResourceContext.run",
                 "InitResourceContext.instance", "InitResourceContext.log",
                 "InitResourceContext.resource_def")  # fmt: skip
def test_a_resource_sees_what_it_needs():
    seen = {}

    @dg.resource(config_schema={"url": str}, description="a database", required_resource_keys={"other"})
    def db(context: dg.InitResourceContext):
        context.log.info("coming up")
        seen.update(
            url=context.resource_config["url"], other=context.resources.other, run=context.run.run_id,
            instance=context.instance, definition=context.resource_def,
        )  # fmt: skip
        return "rows"

    @dg.op(required_resource_keys={"db"})
    def read(context):
        return context.resources.db

    @dg.job(resource_defs={"db": db, "other": dg.ResourceDefinition.hardcoded_resource(3)})
    def reading():
        read()

    with dg.DagsterInstance.ephemeral() as instance:
        result = reading.execute_in_process(
            run_config={"resources": {"db": {"config": {"url": "here"}}}}, instance=instance
        )
        assert seen == {"url": "here", "other": 3, "run": result.run_id, "instance": instance, "definition": db}
    assert result.output_for_node("read") == "rows"
    assert db.description == "a database"


@pytest.mark.api("ResourceDefinition.hardcoded_resource", "ResourceDefinition.none_resource",
                 "ResourceDefinition.mock_resource", "ResourceDefinition.string_resource",
                 "ResourceDefinition.resource_fn", "ResourceDefinition.config_schema",
                 "ResourceDefinition.version", "make_values_resource")  # fmt: skip
def test_ready_made_definitions():
    definitions = {
        "fixed": dg.ResourceDefinition.hardcoded_resource(1),
        "none": dg.ResourceDefinition.none_resource(),
        "text": dg.ResourceDefinition.string_resource(),
        "mock": dg.ResourceDefinition.mock_resource(),
        "made": dg.ResourceDefinition(lambda context: context.resource_config["n"], {"n": int}, version="2"),
        "values": dg.make_values_resource(a=int),
    }
    found = {}

    @dg.op(required_resource_keys=set(definitions))
    def look(context):
        found.update({key: getattr(context.resources, key) for key in definitions})

    @dg.job(resource_defs=definitions)
    def looking():
        look()

    looking.execute_in_process(
        run_config={
            "resources": {"text": {"config": "t"}, "made": {"config": {"n": 4}}, "values": {"config": {"a": 1}}}
        }
    )
    assert (found["fixed"], found["none"], found["text"], found["made"]) == (1, None, "t", 4)
    assert found["values"] == {"a": 1}
    assert found["mock"].anything() is not None
    assert definitions["made"].version == "2"


@pytest.mark.api("ResourceDefinition.configured")
def test_a_definition_with_config_filled_in():
    @dg.resource(config_schema={"url": str})
    def db(context):
        return context.resource_config["url"]

    @dg.asset(required_resource_keys={"db"})
    def a(context):
        return context.resources.db

    ready = db.configured({"url": "there"})
    assert dg.materialize_to_memory([a], resources={"db": ready}).asset_value("a") == "there"


@pytest.mark.api("build_resources.resources", "build_resources.instance", "build_resources.resource_config")
def test_resources_outside_a_run():
    log = []

    @dg.resource(config_schema={"url": str})
    def db(context):
        log.append(context.instance)
        yield context.resource_config["url"]
        log.append("down")

    with dg.DagsterInstance.ephemeral() as instance:
        config = {"db": {"config": {"url": "here"}}}
        with dg.build_resources({"db": db, "n": 3}, instance=instance, resource_config=config) as resources:
            assert (resources.db, resources.n) == ("here", 3)
            assert log == [instance]
    assert log[-1] == "down"


@pytest.mark.api("build_init_resource_context.config", "build_init_resource_context.resources",
                 "build_init_resource_context.instance")  # fmt: skip
def test_calling_a_resource_function():
    @dg.resource(config_schema={"n": int}, required_resource_keys={"base"})
    def number(context):
        return context.resource_config["n"] + context.resources.base, context.instance

    @dg.resource
    def plain():
        return "plain"

    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_init_resource_context(config={"n": 2}, resources={"base": 40}, instance=instance)
        assert number(context) == (42, instance)
    assert plain() == "plain"


# --- configurable resources ------------------------------------------------------------------------------------------


@pytest.mark.api("ConfigurableResource", "ResourceParam")
def test_configurable_resources_are_parameters():
    class Database(dg.ConfigurableResource):
        url: str
        pool: int = 5

        def query(self):
            return f"{self.url}/{self.pool}"

    class Client:
        name = "client"

    @dg.asset
    def a(db: Database, client: dg.ResourceParam[Client]):
        return db.query(), client.name

    @dg.op
    def b(db: Database):
        return db.query()

    @dg.job(resource_defs={"db": Database(url="sqlite://", pool=7)})
    def reading():
        b()

    resources = {"db": Database(url="sqlite://"), "client": Client()}
    assert dg.materialize_to_memory([a], resources=resources).asset_value("a") == ("sqlite:///5", "client")
    assert reading.execute_in_process().output_for_node("b") == "sqlite:///7"
    assert a(db=Database(url="x"), client=Client()) == ("x/5", "client")
    assert b(Database(url="y")) == "y/5"


@pytest.mark.api("ConfigurableResource.configure_at_launch")
def test_config_at_launch():
    class Database(dg.ConfigurableResource):
        url: str

    @dg.asset
    def a(db: Database):
        return db.url

    config = dg.RunConfig(resources={"db": Database(url="late")})
    late = dg.materialize_to_memory([a], resources={"db": Database.configure_at_launch()}, run_config=config)
    assert late.asset_value("a") == "late"
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.materialize_to_memory([a], resources={"db": Database.configure_at_launch()})


@pytest.mark.api("ConfigurableResource.setup_for_execution", "ConfigurableResource.teardown_after_execution",
                 "ConfigurableResource.yield_for_execution")  # fmt: skip
@pytest.mark.parametrize("fails", [False, True])
def test_hooks_of_a_configurable_resource(fails):
    log = []

    class Split(dg.ConfigurableResource):
        def setup_for_execution(self, context):
            log.append("+split")

        def teardown_after_execution(self, context):
            log.append("-split")

    class Whole(dg.ConfigurableResource):
        @contextmanager
        def yield_for_execution(self, context):
            log.append("+whole")
            try:
                yield self
            finally:
                log.append("-whole")

    @dg.asset
    def a(split: Split, whole: Whole):
        if fails:
            boom()

    result = dg.materialize_to_memory([a], resources={"split": Split(), "whole": Whole()}, raise_on_error=False)
    assert result.success is not fails
    assert sorted(log) == ["+split", "+whole", "-split", "-whole"]
    assert log[:2] == ["+split", "+whole"] or log[:2] == ["+whole", "+split"]


@pytest.mark.api("ResourceDependency", "ConfigurableResource.create_resource")
def test_resources_within_resources():
    class Credentials(dg.ConfigurableResource):
        user: str

    class Database(dg.ConfigurableResource):
        credentials: Credentials
        client: dg.ResourceDependency[str]

    class Made(dg.ConfigurableResource[str]):
        n: int

        def create_resource(self, context):
            return "x" * self.n

    @dg.asset
    def a(db: Database, made: dg.ResourceParam[str]):
        return db.credentials.user, db.client, made

    credentials = Credentials(user="me")
    resources = {
        "credentials": credentials,
        "client": dg.ResourceDefinition.hardcoded_resource("tool"),
        "db": Database(credentials=credentials, client="tool"),
        "made": Made(n=3),
    }
    assert dg.materialize_to_memory([a], resources=resources).asset_value("a") == ("me", "tool", "xxx")


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


@pytest.mark.api("UPathIOManager.dump_to_path", "UPathIOManager.load_from_path", "UPathIOManager.extension")
def test_files_of_the_users_own_kind(tmp_path):
    class Texts(dg.UPathIOManager):
        extension = ".txt"

        def dump_to_path(self, context, obj, path):
            path.write_text(obj)

        def load_from_path(self, context, path):
            return path.read_text()

    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["x", "y"]))
    def a(context):
        return context.partition_key

    @dg.asset
    def all_of_it(a):
        return ",".join(f"{key}={value}" for key, value in sorted(a.items()))

    resources = {"io_manager": Texts(base_path=UPath(tmp_path))}
    with dg.DagsterInstance.ephemeral() as instance:
        for key in "xy":
            dg.materialize([a], partition_key=key, resources=resources, instance=instance)
        result = dg.materialize([a, all_of_it], selection=[all_of_it], resources=resources, instance=instance)
    assert (tmp_path / "a" / "x.txt").read_text() == "x"
    assert result.asset_value("all_of_it") == "x=x,y=y"


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
