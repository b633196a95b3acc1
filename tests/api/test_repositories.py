"""Repositories and source assets: how older code declares what it has."""

from types import ModuleType
from typing import Any

import pytest

import dagster as dg

pytestmark = pytest.mark.filterwarnings("ignore")
A = dg.AssetKey("a")


@dg.asset(
    io_manager_key="m", group_name="g", metadata={"x": 1}, tags={"t": "1"}, description="D",
    partitions_def=dg.StaticPartitionsDefinition(["1"]),
)  # fmt: skip
def rich():
    return 1


@dg.asset
def a():
    return 1


@dg.asset_check(asset=a)
def c():
    return dg.AssetCheckResult(passed=True)


@dg.op
def say():
    return "hello"


@dg.job
def talk():
    say()


@dg.schedule(cron_schedule="@daily", job=talk)
def daily():
    return dg.RunRequest()


@dg.sensor(job=talk)
def watch():
    return dg.SkipReason("no")


@dg.logger
def quiet(context):
    raise AssertionError


SOURCE = dg.SourceAsset("source")


def listed() -> Any:
    @dg.repository(
        name="shop", description="All of it.", metadata={"n": 1}, default_executor_def=dg.in_process_executor,
        default_logger_defs={"quiet": quiet},
    )  # fmt: skip
    def found():
        return [a, c, talk, [daily, watch], SOURCE]

    return found


@pytest.mark.api(
    "repository.name", "repository.description", "repository.metadata", "repository.default_executor_def",
    "repository.default_logger_defs", "RepositoryDefinition.name", "RepositoryDefinition.description",
    "RepositoryDefinition.metadata", "RepositoryDefinition.job_names", "RepositoryDefinition.has_job",
    "RepositoryDefinition.get_job", "RepositoryDefinition.get_all_jobs", "RepositoryDefinition.schedule_defs",
    "RepositoryDefinition.get_schedule_def", "RepositoryDefinition.has_schedule_def",
    "RepositoryDefinition.sensor_defs", "RepositoryDefinition.get_sensor_def", "RepositoryDefinition.has_sensor_def",
    "RepositoryDefinition.source_assets_by_key", "RepositoryDefinition.assets_defs_by_key",
    "RepositoryDefinition.asset_checks_defs_by_key",
)  # fmt: skip
def test_a_repository_of_a_list() -> None:
    shop = listed()
    assert isinstance(shop, dg.RepositoryDefinition)
    assert (shop.name, shop.description, shop.metadata) == ("shop", "All of it.", {"n": dg.MetadataValue.int(1)})
    assert sorted(shop.job_names) == ["__ASSET_JOB", "talk"]
    assert (shop.has_job("talk"), shop.has_job("nope")) == (True, False)
    assert shop.get_job("talk").executor_def.name == "in_process"
    assert list(shop.get_job("talk").loggers) == ["quiet"]
    assert sorted(job.name for job in shop.get_all_jobs()) == ["__ASSET_JOB", "talk"]
    assert [one.name for one in shop.schedule_defs] == ["daily"]
    assert shop.get_schedule_def("daily").cron_schedule == "@daily"
    assert (shop.has_schedule_def("daily"), shop.has_schedule_def("nope")) == (True, False)
    assert [one.name for one in shop.sensor_defs] == [shop.get_sensor_def("watch").name] == ["watch"]
    assert (shop.has_sensor_def("watch"), shop.has_sensor_def("nope")) == (True, False)
    assert set(shop.source_assets_by_key) == {SOURCE.key}
    assert set(shop.assets_defs_by_key) == {A}
    assert set(shop.asset_checks_defs_by_key) == {dg.AssetCheckKey(A, "c")}
    for get in (shop.get_job, shop.get_schedule_def, shop.get_sensor_def):
        with pytest.raises(dg.DagsterInvariantViolationError):
            get("nope")


def test_what_a_dict_has_is_made_when_it_is_needed() -> None:
    made = []

    def late():
        made.append(1)
        return talk

    @dg.repository
    def lazy():
        return {"jobs": {"talk": late}, "schedules": {"daily": lambda: daily}, "sensors": {"watch": watch}}

    assert lazy.name == "lazy"
    assert made == []
    assert lazy.get_job("talk").execute_in_process().output_for_node("say") == "hello"
    assert lazy.get_schedule_def("daily").name == "daily"
    assert lazy.has_sensor_def("watch")
    assert made == [1]


@pytest.mark.api(
    "RepositoryData.get_all_jobs", "RepositoryData.get_all_schedules", "RepositoryData.get_all_sensors",
    "RepositoryData.get_assets_defs_by_key", "RepositoryData.get_source_assets_by_key",
    "RepositoryData.get_asset_checks_defs_by_key", "RepositoryData.get_job_names", "RepositoryData.get_schedule_names",
    "RepositoryData.get_sensor_names", "RepositoryData.has_job", "RepositoryData.has_schedule",
    "RepositoryData.has_sensor", "RepositoryData.get_job", "RepositoryData.get_schedule", "RepositoryData.get_sensor",
)  # fmt: skip
def test_data_of_ones_own() -> None:
    class Data(dg.RepositoryData):
        def get_all_jobs(self):
            return [talk]

        def get_all_schedules(self):
            return [daily]

        def get_all_sensors(self):
            return [watch]

        def get_assets_defs_by_key(self):
            return {A: a}

        def get_source_assets_by_key(self):
            return {SOURCE.key: SOURCE}

        def get_asset_checks_defs_by_key(self):
            return {dg.AssetCheckKey(A, "c"): c}

        def get_top_level_resources(self):
            return {}

        def get_env_vars_by_top_level_resource(self):
            return {}

    data = Data()
    assert (data.get_job_names(), data.get_schedule_names(), data.get_sensor_names()) == (
        ["talk"],
        ["daily"],
        ["watch"],
    )
    assert data.has_job("talk")
    assert data.has_schedule("daily")
    assert data.has_sensor("watch")
    assert [data.has_job("x"), data.has_schedule("x"), data.has_sensor("x")] == [False] * 3
    assert (data.get_job("talk"), data.get_schedule("daily"), data.get_sensor("watch")) == (talk, daily, watch)
    own = dg.RepositoryDefinition("own", repository_data=data)
    assert own.has_schedule_def("daily")
    assert own.has_job("talk")
    assert set(own.source_assets_by_key) == {SOURCE.key}
    assert set(own.asset_checks_defs_by_key) == {dg.AssetCheckKey(A, "c")}
    assert set(dg.repository(name="same")(lambda: data).assets_defs_by_key) == {A}


@dg.job(name="talk")
def other():
    say()


@pytest.mark.parametrize(
    "wrong",
    [1, [3], {"things": {}}, [dg.Definitions()], [a, dg.asset(name="a")(lambda: 1)], [talk, other],
     [SOURCE, dg.SourceAsset("source")]],
)  # fmt: skip
def test_what_is_no_repository(wrong: Any) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.repository(name="wrong")(lambda: wrong)


@pytest.mark.api(
    "create_repository_using_definitions_args.name", "create_repository_using_definitions_args.assets",
    "create_repository_using_definitions_args.schedules", "create_repository_using_definitions_args.sensors",
    "create_repository_using_definitions_args.jobs", "create_repository_using_definitions_args.resources",
    "create_repository_using_definitions_args.executor", "create_repository_using_definitions_args.loggers",
    "create_repository_using_definitions_args.asset_checks", "RepositoryDefinition.load_asset_value",
    "RepositoryDefinition.get_asset_value_loader",
)  # fmt: skip
def test_a_repository_of_arguments(shelf: Any, instance: Any) -> None:
    shop = dg.create_repository_using_definitions_args(
        name="shop", assets=[a, SOURCE], schedules=[daily], sensors=[watch], jobs=[talk],
        resources={"io_manager": shelf}, executor=dg.in_process_executor, loggers={"quiet": quiet}, asset_checks=[c],
    )  # fmt: skip
    assert shop.name == "shop"
    assert set(shop.assets_defs_by_key) == {A}
    assert set(shop.asset_checks_defs_by_key) == {dg.AssetCheckKey(A, "c")}
    assert shop.has_schedule_def("daily")
    assert shop.has_sensor_def("watch")
    job = shop.get_job("talk")
    assert (job.executor_def.name, list(job.loggers)) == ("in_process", ["quiet"])
    shop.get_job("__ASSET_JOB").execute_in_process(instance=instance)
    assert shop.load_asset_value(A, instance=instance) == 1
    with shop.get_asset_value_loader(instance) as loader:
        assert loader.load_asset_value(A) == 1


# --- source assets ----------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "SourceAsset.key", "SourceAsset.metadata", "SourceAsset.io_manager_key", "SourceAsset.description",
    "SourceAsset.partitions_def", "SourceAsset.group_name", "SourceAsset.resource_defs", "SourceAsset.tags",
    "SourceAsset.raw_metadata", "SourceAsset.is_observable", "SourceAsset.automation_condition",
    "SourceAsset.io_manager_def",
)  # fmt: skip
def test_a_source_asset_says_what_it_is(shelf: Any) -> None:
    days, eager = dg.StaticPartitionsDefinition(["1"]), dg.AutomationCondition.eager()
    one = dg.SourceAsset(
        key=["p", "one"], metadata={"x": 1}, io_manager_key="shelf", description="D", partitions_def=days,
        group_name="g", resource_defs={"shelf": dg.ResourceDefinition.hardcoded_resource(shelf)}, tags={"t": "1"},
        automation_condition=eager,
    )  # fmt: skip
    assert one.key == dg.AssetKey(["p", "one"])
    assert one.metadata == {"x": dg.MetadataValue.int(1)}
    assert one.raw_metadata == {"x": 1}
    assert (one.io_manager_key, one.description, one.group_name) == ("shelf", "D", "g")
    assert (one.partitions_def, one.tags, one.automation_condition) == (days, {"t": "1"}, eager)
    assert set(one.resource_defs) == {"shelf"}
    assert not one.is_observable
    own = dg.SourceAsset("own", io_manager_def=shelf)
    assert own.io_manager_key == "own__io_manager"
    assert set(own.resource_defs) == {"own__io_manager"}
    assert (own.group_name, own.raw_metadata) == ("default", {})


@pytest.mark.parametrize("own", [True, False])
def test_its_value_is_loaded(own: bool, shelf: Any, instance: Any) -> None:
    shelf.values["elsewhere"] = 5
    given = {"io_manager_def": shelf} if own else {"io_manager_key": "shelf"}
    source = dg.SourceAsset("elsewhere", **given)

    @dg.asset
    def more(elsewhere):
        return elsewhere + 1

    result = dg.materialize([source, more], resources={} if own else {"shelf": shelf}, instance=instance)
    assert result.output_for_node("more") == 6
    assert set(dg.Definitions([source, more]).resolve_all_asset_keys()) == {source.key, more.key}


@pytest.mark.api(
    "SourceAsset.observe_fn", "SourceAsset.op", "SourceAsset.op_tags", "SourceAsset.auto_observe_interval_minutes",
)  # fmt: skip
def test_it_is_observed(instance: Any) -> None:
    def look(context):
        return dg.DataVersion("7")

    source = dg.SourceAsset("far", observe_fn=look, op_tags={"k": "v"}, auto_observe_interval_minutes=30)
    assert source.is_observable
    assert (source.observe_fn, source.op_tags, source.auto_observe_interval_minutes) == (look, {"k": "v"}, 30)
    assert source.op.tags["k"] == "v"
    job = dg.define_asset_job("look", [source])
    assert dg.Definitions([source], jobs=[job]).get_job_def("look").execute_in_process(instance=instance).success
    event = instance.get_latest_data_version_record(source.key)
    assert event.asset_observation.tags["dagster/data_version"] == "7"


@pytest.mark.api("AssetsDefinition.to_source_asset", "AssetsDefinition.to_source_assets")
def test_an_asset_as_one_that_is_made_elsewhere() -> None:
    source = rich.to_source_asset()
    assert isinstance(source, dg.SourceAsset)
    assert (source.key, source.io_manager_key, source.group_name) == (dg.AssetKey("rich"), "m", "g")
    assert (source.metadata, source.tags, source.description) == ({"x": dg.MetadataValue.int(1)}, {"t": "1"}, "D")
    assert source.partitions_def == rich.partitions_def

    @dg.multi_asset(specs=[dg.AssetSpec("x"), dg.AssetSpec("y")])
    def several(): ...

    assert [one.key.to_user_string() for one in several.to_source_assets()] == ["x", "y"]
    assert several.to_source_asset("y").key == dg.AssetKey("y")
    assert several.to_source_asset(key=dg.AssetKey("x")).key == dg.AssetKey("x")


def test_source_assets_are_collected_from_modules() -> None:
    module = ModuleType("module_of_ours")
    module.one, module.made = dg.SourceAsset("one"), a  # type: ignore[attr-defined]
    found = dg.load_assets_from_modules([module], key_prefix="p", source_key_prefix="s", group_name="g")
    assert {one.key.to_user_string(): type(one).__name__ for one in found} == {
        "p/a": "AssetsDefinition", "s/one": "SourceAsset",
    }  # fmt: skip
    assert {spec.group_name for spec in dg.Definitions(found).resolve_all_asset_specs()} == {"g"}
