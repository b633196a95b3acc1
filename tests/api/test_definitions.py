"""`Definitions`, jobs over assets, and reading values back."""

import logging
from typing import Any

import pytest

import dagster as dg


@dg.asset(group_name="g")
def a():
    return 1


@dg.asset
def b(a):
    return a + 1


@dg.asset_check(asset=a)
def c(a):
    return dg.AssetCheckResult(passed=a == 1)


@dg.op
def say():
    return "hello"


@dg.job
def talk():
    say()


def names(defs: dg.Definitions) -> list[str]:
    return sorted(key.to_user_string() for key in defs.resolve_all_asset_keys())


@pytest.mark.api(
    "Definitions.assets", "Definitions.asset_checks", "Definitions.jobs", "Definitions.resources",
    "Definitions.metadata", "Definitions.get_job_def", "Definitions.resolve_all_asset_keys",
    "Definitions.resolve_all_asset_specs",
)  # fmt: skip
def test_definitions(shelf: Any) -> None:
    defs = dg.Definitions(
        assets=[a, b, dg.AssetSpec("outside", group_name="o")], asset_checks=[c], jobs=[talk],
        resources={"io_manager": shelf}, metadata={"version": 3},
    )  # fmt: skip
    assert names(defs) == ["a", "b", "outside"]
    assert {spec.key.to_user_string(): spec.group_name or "default" for spec in defs.resolve_all_asset_specs()} == {
        "a": "g", "b": "default", "outside": "o",
    }  # fmt: skip
    assert len(list(defs.assets)) == 3
    assert len(list(defs.asset_checks)) == 1
    assert defs.resources["io_manager"] is shelf
    assert defs.metadata["version"] == dg.MetadataValue.int(3)
    assert [job.name for job in defs.jobs] == ["talk"]
    assert defs.get_job_def("talk").execute_in_process().output_for_node("say") == "hello"
    everything = defs.get_job_def("__ASSET_JOB").execute_in_process()
    assert [one.passed for one in everything.get_asset_check_evaluations()] == [True]
    assert shelf.values == {"say": "hello", "a": 1, "b": 2}


@pytest.mark.api("Definitions.get_job_def", "Definitions.get_schedule_def", "Definitions.get_sensor_def")
@pytest.mark.parametrize("get", ["get_job_def", "get_schedule_def", "get_sensor_def"])
def test_asking_for_what_is_not_there(get: str) -> None:
    with pytest.raises(dg.DagsterInvariantViolationError, match="nothing_here"):
        getattr(dg.Definitions(assets=[a]), get)("nothing_here")


@pytest.mark.api("Definitions.assets", "Definitions.validate_loadable")
def test_one_object_twice_is_one_asset_and_two_are_refused() -> None:
    @dg.asset(name="a")
    def other():
        return 2

    assert names(dg.Definitions(assets=[a, a])) == ["a"]
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.Definitions.validate_loadable(dg.Definitions(assets=[a, other]))


@pytest.mark.api("Definitions.validate_loadable", "Definitions.resources")
def test_mistakes_are_found_at_load() -> None:
    @dg.asset(required_resource_keys={"db"})
    def needs():
        return 1

    dg.Definitions.validate_loadable(dg.Definitions(assets=[needs], resources={"db": 1}))
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="db"):
        dg.Definitions.validate_loadable(dg.Definitions(assets=[needs], resources={"other": 1}))
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.Definitions.validate_loadable(dg.Definitions(assets=[b]))


def test_circles_are_found_at_load() -> None:
    @dg.asset(deps=["two"])
    def one():
        return 1

    @dg.asset(deps=["one"])
    def two():
        return 1

    with pytest.raises(Exception, match=r"(?i)circ|circle|cycl"):
        dg.Definitions.validate_loadable(dg.Definitions(assets=[one, two]))


@pytest.mark.api("Definitions.merge", "Definitions.resources", "Definitions.metadata")
def test_merge() -> None:
    first = dg.Definitions(assets=[a], resources={"r": 1}, metadata={"m": 1, "n": 1})
    second = dg.Definitions(assets=[b], resources={"r": 1, "s": 2}, jobs=[talk], metadata={"n": 2})
    merged = dg.Definitions.merge(first, second, dg.Definitions(assets=[a]))
    assert names(merged) == ["a", "b"]
    assert merged.resources == {"r": 1, "s": 2}
    assert {key: value.value for key, value in merged.metadata.items()} == {"m": 1, "n": 2}
    assert merged.get_job_def("talk").name == "talk"
    with pytest.raises(dg.DagsterError, match="r"):
        dg.Definitions.merge(first, dg.Definitions(resources={"r": 2}))


@pytest.mark.api("Definitions.map_asset_specs", "Definitions.map_resolved_asset_specs")
def test_map_asset_specs() -> None:
    defs = dg.Definitions(assets=[a, b, dg.AssetSpec("outside")])

    def owned(defs: dg.Definitions) -> set[str]:
        return {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs() if "team:x" in spec.owners}

    def own(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(owners=["team:x"])

    assert owned(defs.map_asset_specs(func=own)) == {"a", "b", "outside"}
    assert owned(defs.map_resolved_asset_specs(func=own, selection="a")) == {"a"}
    assert owned(defs) == set()
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        defs.map_asset_specs(func=lambda spec: spec.replace_attributes(key="other")).resolve_all_asset_keys()


@pytest.mark.api("map_asset_specs.func", "map_asset_specs.iterable")
def test_map_asset_specs_of_several() -> None:
    def grouped(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(group_name="h")

    mapped = dg.map_asset_specs(func=grouped, iterable=[a, dg.AssetSpec("s")])
    assert names(dg.Definitions(assets=mapped)) == ["a", "s"]
    assert {spec.group_name for spec in dg.Definitions(assets=mapped).resolve_all_asset_specs()} == {"h"}


# --- values that are stored ---------------------------------------------------------------------------------------


@pytest.mark.api(
    "Definitions.load_asset_value", "Definitions.get_asset_value_loader", "AssetValueLoader.load_asset_value"
)
def test_values_are_read_back(shelf: Any, new_shelf: Any, instance: Any) -> None:
    other = new_shelf()

    @dg.asset(io_manager_key="other", key_prefix="p", metadata={"table": "t"})
    def kept():
        return 7

    defs = dg.Definitions(assets=[a, kept], resources={"io_manager": shelf, "other": other})
    dg.materialize([a, kept], resources={"io_manager": shelf, "other": other})
    assert defs.load_asset_value("a", instance=instance) == 1
    assert defs.load_asset_value(["p", "kept"], instance=instance, metadata={"m": 1}, python_type=int) == 7
    assert other.contexts["in p/kept"]["definition_metadata"] == {"m": 1}
    with defs.get_asset_value_loader(instance) as loader:
        assert loader.load_asset_value(dg.AssetKey("a")) == 1
        with pytest.raises(Exception, match="nothing_here"):
            loader.load_asset_value("nothing_here")


@pytest.mark.api("Definitions.load_asset_value", "AssetValueLoader.load_asset_value")
def test_partitions_are_read_back(instance: Any) -> None:
    class Names(dg.IOManager):
        def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
            """Nothing is kept."""

        def load_input(self, context: dg.InputContext) -> Any:
            return sorted(context.asset_partition_keys)

    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["x", "y", "z"]))
    def lettered():
        return 1

    defs = dg.Definitions(assets=[lettered], resources={"io_manager": Names()})
    assert defs.load_asset_value("lettered", partition_key="y", instance=instance) == ["y"]
    with defs.get_asset_value_loader(instance) as loader:
        several = dg.PartitionKeyRange("x", "y")
        assert loader.load_asset_value("lettered", partition_key_range=several) == ["x", "y"]
    with pytest.raises(dg.DagsterError, match="nothing_here"):
        defs.load_asset_value("lettered", partition_key="nothing_here", instance=instance)


def test_files_are_read_back(tmp_path: Any) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        dg.materialize([a, b], instance=instance)
        assert dg.Definitions(assets=[a, b]).load_asset_value("b", instance=instance) == 2


# --- jobs over assets ---------------------------------------------------------------------------------------------


def job_of(**given: Any) -> dg.JobDefinition:
    return dg.Definitions(assets=[a, b], jobs=[dg.define_asset_job("j", **given)]).get_job_def("j")


@pytest.mark.api(
    "define_asset_job.name", "define_asset_job.description", "define_asset_job.tags", "define_asset_job.run_tags",
    "define_asset_job.metadata", "define_asset_job.owners",
)  # fmt: skip
def test_what_a_job_says_about_itself(instance: Any) -> None:
    job = job_of(description="d", tags={"t": "1"}, run_tags={"r": "2"}, metadata={"m": 1}, owners=["team:x"])
    assert (job.name, job.description) == ("j", "d")
    assert job.tags["t"] == "1"
    assert job.metadata["m"] == dg.MetadataValue.int(1)
    assert list(job.owners) == ["team:x"]
    run = job.execute_in_process(instance=instance).dagster_run
    assert run.job_name == "j"
    assert run.tags["r"] == "2"
    assert "t" not in run.tags
    plain = job_of(tags={"t": "1"}).execute_in_process(instance=instance).dagster_run
    assert plain.tags["t"] == "1"


@pytest.mark.api("define_asset_job.name")
def test_names_of_jobs() -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.Definitions(assets=[a], jobs=[dg.define_asset_job("no spaces")]).get_job_def("no spaces")


@pytest.mark.api("define_asset_job.config")
def test_config_of_a_job() -> None:
    @dg.asset(config_schema={"n": int})
    def configured(context):
        return context.op_execution_context.op_config["n"]

    config = {"ops": {"configured": {"config": {"n": 4}}}}
    defs = dg.Definitions(assets=[configured], jobs=[dg.define_asset_job("j", config=config)])
    assert defs.get_job_def("j").execute_in_process().asset_value("configured") == 4


@pytest.mark.api("define_asset_job.partitions_def", "JobDefinition.partitions_def")
@pytest.mark.filterwarnings("ignore")
def test_partitions_of_a_job(shelf: Any) -> None:
    letters = dg.StaticPartitionsDefinition(["x", "y"])

    @dg.asset(partitions_def=letters)
    def lettered(context):
        return context.partition_key

    jobs = [dg.define_asset_job("inferred", selection="lettered"), dg.define_asset_job("said", partitions_def=letters)]
    defs = dg.Definitions(assets=[lettered], jobs=jobs, resources={"io_manager": shelf})
    for name in ("inferred", "said"):
        assert defs.get_job_def(name).partitions_def == letters
    assert defs.get_job_def("inferred").execute_in_process(partition_key="y").success
    assert shelf.values == {"lettered|y": "y"}


@pytest.mark.api("define_asset_job.op_retry_policy")
def test_retries_of_a_job() -> None:
    tried = []

    @dg.asset
    def fails():
        tried.append(1)
        raise ValueError("boom")

    job = dg.define_asset_job("j", op_retry_policy=dg.RetryPolicy(max_retries=2))
    defs = dg.Definitions(assets=[fails], jobs=[job])
    assert not defs.get_job_def("j").execute_in_process(raise_on_error=False).success
    assert len(tried) == 3


@pytest.mark.api("define_asset_job.hooks", "asset.hooks", "multi_asset.hooks", "AssetsDefinition.with_hooks")
def test_hooks(run: Any) -> None:
    seen = []

    @dg.success_hook
    def went_well(context):
        seen.append(("well", context.step_key))

    @dg.failure_hook
    def went_wrong(context):
        seen.append(("wrong", context.step_key))

    @dg.asset(hooks={went_well})
    def good():
        return 1

    @dg.multi_asset(outs={"x": dg.AssetOut()}, hooks={went_wrong})
    def bad():
        raise ValueError("boom")

    run([good, bad])
    assert sorted(seen) == [("well", "good"), ("wrong", "bad")]
    seen.clear()
    run([a.with_hooks({went_well})])
    assert seen == [("well", "a")]
    seen.clear()
    job = dg.define_asset_job("j", hooks={went_well})
    dg.Definitions(assets=[a, b], jobs=[job]).get_job_def("j").execute_in_process()
    assert sorted(seen) == [("well", "a"), ("well", "b")]


@pytest.mark.api("define_asset_job.executor_def", "Definitions.executor", "JobDefinition.executor_def")
def test_executors() -> None:
    defs = dg.Definitions(
        assets=[a], executor=dg.in_process_executor,
        jobs=[dg.define_asset_job("j", executor_def=dg.multiprocess_executor), dg.define_asset_job("k")],
    )  # fmt: skip
    assert defs.executor is dg.in_process_executor
    assert defs.get_job_def("j").executor_def is dg.multiprocess_executor
    assert defs.get_job_def("k").executor_def is dg.in_process_executor


@pytest.mark.api("Definitions.loggers")
def test_loggers(instance: Any) -> None:
    seen = []

    @dg.logger
    def listening(context):
        class Listener(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                seen.append(record.getMessage())

        found = logging.Logger("listening", level=logging.DEBUG)
        found.addHandler(Listener())
        return found

    @dg.asset
    def talks(context: dg.AssetExecutionContext):
        context.log.info("hello there")
        return 1

    defs = dg.Definitions(assets=[talks], loggers={"mine": listening}, jobs=[dg.define_asset_job("j")])
    assert set(defs.loggers) == {"mine"}
    job = defs.get_job_def("j")
    job.execute_in_process(run_config={"loggers": {"mine": {}}}, instance=instance)
    assert any("hello there" in line for line in seen)


def test_plain_jobs_get_the_executor_and_the_loggers_of_their_definitions() -> None:
    @dg.job(executor_def=dg.multiprocess_executor, logger_defs={"own": dg.colored_console_logger})
    def decided():
        say()

    defs = dg.Definitions(
        jobs=[talk, decided], executor=dg.in_process_executor, loggers={"mine": dg.json_console_logger}
    )
    for name, executor, loggers in (("talk", "in_process", ["mine"]), ("decided", "multiprocess", ["own"])):
        job = defs.get_job_def(name)
        assert (job.executor_def.name, list(job.loggers)) == (executor, loggers)
    assert talk.loggers.keys().isdisjoint({"mine"})


@pytest.mark.api("AssetValueLoader.assets_defs_by_key", "AssetValueLoader.instance")
def test_a_loader_of_ones_own(instance: Any) -> None:
    dg.materialize([a], instance=instance)
    with dg.AssetValueLoader(assets_defs_by_key={a.key: a}, instance=instance) as loader:
        assert loader.load_asset_value("a") == 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.api("with_resources.definitions", "with_resources.resource_defs", "with_resources.resource_config_by_key")
def test_resources_are_bound_to_assets() -> None:
    @dg.resource(config_schema={"n": int})
    def number(context):
        return context.resource_config["n"]

    @dg.asset(required_resource_keys={"number"})
    def uses(context):
        return context.resources.number

    [bound] = dg.with_resources(
        definitions=[uses], resource_defs={"number": number}, resource_config_by_key={"number": {"config": {"n": 4}}}
    )
    assert dg.materialize([bound]).output_for_node("uses") == 4


@pytest.mark.filterwarnings("ignore")
@pytest.mark.api("BindResourcesToJobs")
def test_jobs_get_the_resources_of_their_definitions() -> None:
    @dg.op(required_resource_keys={"number"})
    def tell(context):
        return context.resources.number

    @dg.job
    def telling():
        tell()

    defs = dg.Definitions(jobs=dg.BindResourcesToJobs([telling]), resources={"number": 4})
    assert defs.get_job_def("telling").execute_in_process().output_for_node("tell") == 4


@pytest.mark.api("definitions")
def test_definitions_made_by_a_function() -> None:
    @dg.definitions
    def defs():
        return dg.Definitions(assets=[a])

    assert names(defs()) == ["a"]

    @dg.definitions
    def wrong():
        return [a]

    with pytest.raises(dg.DagsterError):
        wrong()

    def takes_two(one, two):
        raise AssertionError

    with pytest.raises(dg.DagsterError):
        dg.definitions(takes_two)
