import asyncio
from contextlib import contextmanager, suppress

import pytest

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


@pytest.mark.api("build_resources.dagster_run", "build_resources.log_manager", "build_resources.event_loop",
                 "InitResourceContext.log_manager")  # fmt: skip
def test_resources_outside_a_run_may_look_at_what_they_are_given(instance):
    seen = []
    loop = asyncio.new_event_loop()

    @dg.resource
    def looks(context):
        context.log_manager.info("from the resource")
        seen.append((context.run.run_id, context.event_loop))

    @dg.op
    def work(context):
        with dg.build_resources(
            {"looks": looks}, dagster_run=context.run, log_manager=context.log, event_loop=loop, instance=instance
        ):
            pass

    @dg.job
    def working():
        work()

    result = working.execute_in_process(instance=instance)
    loop.close()
    assert seen == [(result.run_id, loop)]
    assert "from the resource" in [line.user_message for line in instance.all_logs(result.run_id)]
