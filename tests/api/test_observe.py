"""Observable source assets: functions that look at data that something else makes."""

from typing import Any

import pytest

import dagster as dg
from treadle.state.events import AssetObserved


def observe(*assets: Any, selection: Any = None, instance: Any = None, **given: Any) -> Any:
    chosen = selection if selection is not None else list(assets)
    job = dg.Definitions(assets=assets, jobs=[dg.define_asset_job("look", chosen)]).get_job_def("look")
    return job.execute_in_process(instance=instance, **given)


def seen(result: Any) -> list[tuple[str, str | None, str | None]]:
    found = [event.event.observation for event in result.entries if isinstance(event.event, AssetObserved)]
    return [(one.asset_key.to_user_string(), one.partition, one.tags.get("dagster/data_version")) for one in found]


@pytest.mark.api("DataVersion.value")
def test_a_job_that_selects_it_records_its_version() -> None:
    def observe_fn() -> dg.DataVersion:
        return dg.DataVersion(value="v1")

    src = dg.observable_source_asset(observe_fn=observe_fn)
    result = observe(src)
    assert seen(result) == [("observe_fn", None, "v1")]
    assert result.get_asset_materialization_events() == []
    assert result.get_asset_materialization_planned_events() == []


@pytest.mark.api("DataVersionsByPartition.data_versions_by_partition", "observable_source_asset.partitions_def")
def test_versions_by_partition() -> None:
    @dg.observable_source_asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
    def src():
        return dg.DataVersionsByPartition({"a": "1", "b": dg.DataVersion("2")})

    assert seen(observe(src)) == [("src", "a", "1"), ("src", "b", "2")]
    versions = dg.DataVersionsByPartition({"a": "1"})
    assert versions.data_versions_by_partition == {"a": dg.DataVersion("1")}


@pytest.mark.api(
    "observable_source_asset.key", "observable_source_asset.name", "observable_source_asset.key_prefix",
    "observable_source_asset.metadata", "observable_source_asset.description", "observable_source_asset.group_name",
    "observable_source_asset.automation_condition", "observable_source_asset.tags", "observable_source_asset.op_tags",
    "observable_source_asset.io_manager_key",
)  # fmt: skip
def test_what_it_says_about_itself() -> None:
    def fn():
        return dg.DataVersion("1")

    condition = dg.AutomationCondition.on_cron("@daily")
    src = dg.observable_source_asset(
        name="n", key_prefix="p", metadata={"m": 1}, description="d", group_name="g", automation_condition=condition,
        tags={"t": "u"}, op_tags={"o": "q"}, io_manager_key="mine",
    )(fn)  # fmt: skip
    spec = src.get_asset_spec()
    assert spec.key == dg.AssetKey(["p", "n"])
    assert spec.metadata == {"m": 1, "dagster/io_manager_key": "mine"}
    assert (spec.description, spec.group_name, spec.automation_condition) == ("d", "g", condition)
    assert (dict(spec.tags), dict(src.op.tags)) == ({"t": "u"}, {"o": "q"})
    assert dg.observable_source_asset(key=["a", "b"])(fn).key == dg.AssetKey(["a", "b"])
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="not both"):
        dg.observable_source_asset(key="a", name="b")(fn)


@pytest.mark.api(
    "observable_source_asset.required_resource_keys",
    "observable_source_asset.resource_defs",
    "observable_source_asset.io_manager_def",
)
def test_resources_and_what_loads_it() -> None:
    class Manager(dg.IOManager):
        def handle_output(self, context, obj):
            raise AssertionError("nothing is stored")

        def load_input(self, context):
            return 41

    @dg.observable_source_asset(
        required_resource_keys={"r"}, resource_defs={"r": dg.ResourceDefinition.hardcoded_resource("v7")},
        io_manager_def=Manager(),
    )  # fmt: skip
    def src(context):
        return dg.DataVersion(context.resources.r)

    @dg.asset
    def below(src: int) -> int:
        return src + 1

    instance = dg.DagsterInstance.ephemeral()
    assert seen(observe(src, instance=instance)) == [("src", None, "v7")]
    result = dg.materialize([below, src], instance=instance)
    assert result.asset_value("below") == 42
    assert seen(result) == []
    (made,) = result.get_asset_materialization_events()
    assert made.materialization.tags["dagster/input_data_version/src"] == "v7"


@pytest.mark.api(
    "multi_observable_source_asset.specs", "multi_observable_source_asset.name",
    "multi_observable_source_asset.group_name", "multi_observable_source_asset.can_subset",
    "multi_observable_source_asset.description", "ObserveResult.asset_key", "ObserveResult.data_version",
)  # fmt: skip
def test_several() -> None:
    asked: list[set[str]] = []

    @dg.multi_observable_source_asset(
        specs=[dg.AssetSpec("a"), dg.AssetSpec("b")], name="look_at", group_name="g", can_subset=True, description="d"
    )
    def both(context):
        asked.append({key.to_user_string() for key in context.selected_asset_keys})
        for key in sorted(context.selected_asset_keys):
            result = dg.ObserveResult(asset_key=key, data_version=dg.DataVersion("1"))
            assert (result.asset_key, result.data_version) == (key, dg.DataVersion("1"))
            yield result

    assert seen(observe(both)) == [("a", None, "1"), ("b", None, "1")]
    assert seen(observe(both, selection="b")) == [("b", None, "1")]
    assert asked == [{"a", "b"}, {"b"}]
    assert (both.op.name, both.op.description, set(both.group_names_by_key.values())) == ("look_at", "d", {"g"})


@pytest.mark.api("ObserveResult.metadata", "ObserveResult.tags", "ObserveResult.check_results")
@pytest.mark.api("multi_observable_source_asset.check_specs")
def test_what_a_result_tells() -> None:
    check = dg.AssetCheckSpec("there", asset="a")

    @dg.multi_observable_source_asset(specs=[dg.AssetSpec("a")], check_specs=[check])
    def look():
        outcome = dg.AssetCheckResult(passed=False, check_name="there")
        result = dg.ObserveResult(metadata={"rows": 3}, tags={"t": "u"}, check_results=[outcome])
        assert (result.metadata, result.tags, list(result.check_results)) == ({"rows": 3}, {"t": "u"}, [outcome])
        return result

    result = observe(look)
    (observed,) = [entry.event.observation for entry in result.entries if isinstance(entry.event, AssetObserved)]
    assert observed.metadata["rows"].value == 3
    assert observed.tags == {"t": "u"}
    (evaluation,) = result.get_asset_check_evaluations()
    assert (evaluation.check_name, evaluation.passed) == ("there", False)


@pytest.mark.api(
    "multi_observable_source_asset.partitions_def", "multi_observable_source_asset.resource_defs",
    "multi_observable_source_asset.required_resource_keys",
)  # fmt: skip
def test_a_partition_of_several() -> None:
    @dg.multi_observable_source_asset(
        specs=[dg.AssetSpec("a")], partitions_def=dg.StaticPartitionsDefinition(["x", "y"]),
        required_resource_keys={"r"}, resource_defs={"r": dg.ResourceDefinition.hardcoded_resource("9")},
    )  # fmt: skip
    def look(context):
        return dg.ObserveResult(data_version=dg.DataVersion(context.resources.r))

    assert seen(observe(look, partition_key="y")) == [("a", "y", "9")]


def test_what_observes_takes_no_values_and_must_say_a_version() -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="'other'"):

        @dg.observable_source_asset
        def wrong(other):
            return dg.DataVersion("1")

    @dg.observable_source_asset
    def silent():
        return 3

    with pytest.raises(dg.DagsterInvariantViolationError, match="DataVersion"):
        observe(silent)

    @dg.multi_observable_source_asset(specs=[dg.AssetSpec("a"), dg.AssetSpec("b")])
    def unclear():
        yield dg.ObserveResult()

    with pytest.raises(dg.DagsterInvariantViolationError, match="which one"):
        observe(unclear)


def test_it_stays_external() -> None:
    @dg.observable_source_asset
    def src():
        return dg.DataVersion("1")

    assert dg.AssetSelection.all().resolve([src]) == set()
    with pytest.raises(dg.DagsterInvalidInvocationError, match="nothing to materialize"):
        dg.materialize([src])
