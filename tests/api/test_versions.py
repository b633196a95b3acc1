"""Data versions, where data comes from, and whether it is up to date."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dagster as dg
from treadle.host.staleness import staleness_of
from treadle.runtime.versions import data_version

VERSION = "dagster/data_version"


def tags_of(result: Any, key: str) -> dict[str, str]:
    found = {
        event.asset_key.to_user_string(): event.materialization for event in result.get_asset_materialization_events()
    }
    return found[key].tags


def told(assets: list[Any], instance: Any) -> dict[str, tuple[str, list[str]]]:
    """By asset its status, and the reasons."""
    return {
        key.to_user_string(): (one.status.value, [f"{cause.category.value}: {cause.reason}" for cause in one.causes])
        for key, one in staleness_of(dg.Definitions(assets), instance).items()
    }


def asset(name: str, deps: tuple[str, ...] = (), code_version: str | None = None, **given: Any) -> dg.AssetsDefinition:
    @dg.asset(name=name, deps=list(deps), code_version=code_version, **given)
    def fn() -> None: ...

    return fn


@given(
    st.text(), st.lists(st.tuples(st.text(), st.text()), max_size=3),
    st.text(), st.lists(st.tuples(st.text(), st.text()), max_size=3),
)  # fmt: skip
def test_versions_are_equal_only_if_all_that_goes_in_is(code: str, inputs: Any, other: str, others: Any) -> None:
    same = code == other and sorted(inputs) == sorted(others)
    assert (data_version(code, inputs) == data_version(other, others)) is same


def test_pieces_that_read_the_same_when_joined_are_not_the_same() -> None:
    assert data_version("1", [("a", "bc")]) != data_version("1", [("ab", "c")])
    assert data_version("12", [("3", "")]) != data_version("1", [("23", "")])


@pytest.mark.api("Output.data_version", "MaterializeResult.data_version", "asset.code_version")
def test_a_version_follows_from_code_and_inputs_or_is_given() -> None:
    a, b = asset("a", code_version="1"), asset("b", ("a",), "1")
    first, second = dg.materialize([a, b]), dg.materialize([a, b])
    assert tags_of(first, "b")[VERSION] == tags_of(second, "b")[VERSION]
    assert tags_of(first, "b")["dagster/input_data_version/a"] == tags_of(first, "a")[VERSION]
    changed = dg.materialize([asset("a", code_version="2"), b])
    assert tags_of(changed, "b")[VERSION] != tags_of(first, "b")[VERSION]

    @dg.asset
    def by_output():
        return dg.Output(1, data_version=dg.DataVersion("mine"))

    @dg.asset
    def by_result():
        return dg.MaterializeResult(data_version=dg.DataVersion("ours"))

    result = dg.materialize([by_output, by_result], instance=dg.DagsterInstance.ephemeral())
    assert (tags_of(result, "by_output")[VERSION], tags_of(result, "by_result")[VERSION]) == ("mine", "ours")


@pytest.mark.api(
    "DataProvenance.code_version", "DataProvenance.input_data_versions", "DataProvenance.input_storage_ids",
    "DataProvenance.is_user_provided",
)  # fmt: skip
def test_provenance() -> None:
    found: list[dg.DataProvenance | None] = []

    @dg.asset(code_version="7", deps=["a"])
    def b(context: dg.AssetExecutionContext) -> None:
        found.append(context.get_asset_provenance(context.asset_key))

    a = asset("a", code_version="1")
    instance = dg.DagsterInstance.ephemeral()
    first = dg.materialize([a, b], instance=instance)
    dg.materialize([a, b], instance=instance)
    before, after = found
    assert before is None
    assert after is not None
    assert (after.code_version, after.is_user_provided) == ("7", False)
    assert after.input_data_versions == {dg.AssetKey("a"): dg.DataVersion(tags_of(first, "a")[VERSION])}

    made = instance.fetch_materializations(dg.AssetKey("a"), limit=1).records[0]
    for _ in range(2):  # of another run, the event that it was read from is known
        dg.materialize([a, b], selection=[b], instance=instance)
    assert found[-1] is not None
    assert found[-1].input_storage_ids == {dg.AssetKey("a"): made.storage_id}


def test_missing_fresh_and_stale_by_code_with_the_root_cause() -> None:
    instance = dg.DagsterInstance.ephemeral()
    assets = [asset("a", code_version="1"), asset("b", ("a",), "1"), asset("c", ("b",), "1")]
    assert {status for status, _ in told(assets, instance).values()} == {"MISSING"}
    dg.materialize(assets, instance=instance)
    assert {status for status, _ in told(assets, instance).values()} == {"FRESH"}
    changed = [asset("a", code_version="2"), *assets[1:]]
    assert told(changed, instance) == {
        "a": ("STALE", ["CODE: has a new code version"]),
        "b": ("STALE", ["DATA: a is stale"]),
        "c": ("STALE", ["DATA: b is stale"]),
    }
    (root,) = staleness_of(dg.Definitions(changed), instance)[dg.AssetKey("c")].root_causes
    assert (root.key, root.category.value) == (dg.AssetKey("a"), "CODE")
    dg.materialize(changed, selection=["a"], instance=instance)
    assert told(changed, instance)["b"] == ("STALE", ["DATA: a has a new data version"])


def test_without_a_code_version_each_run_makes_new_data() -> None:
    instance = dg.DagsterInstance.ephemeral()
    assets = [asset("a"), asset("b", ("a",))]
    dg.materialize(assets, instance=instance)
    assert told(assets, instance)["b"] == ("FRESH", [])
    dg.materialize(assets, selection=["a"], instance=instance)
    assert told(assets, instance) == {"a": ("FRESH", []), "b": ("STALE", ["DATA: a has a new data version"])}


def test_dependencies_that_come_and_go() -> None:
    instance = dg.DagsterInstance.ephemeral()
    a, other = asset("a"), asset("other")
    dg.materialize([a, other, asset("b", ("a",))], instance=instance)
    changed = [a, other, asset("b", ("other",))]
    assert told(changed, instance)["b"] == (
        "STALE",
        ["DEPENDENCIES: has a new dependency on other", "DEPENDENCIES: has no dependency on a any more"],
    )


def test_a_source_is_fresh_and_its_observations_make_what_is_below_stale() -> None:
    version = ["1"]

    @dg.observable_source_asset
    def src():
        return dg.DataVersion(version[0])

    instance = dg.DagsterInstance.ephemeral()
    assets = [src, asset("b", ("src",))]
    look = dg.Definitions(assets, jobs=[dg.define_asset_job("look", ["src"])]).get_job_def("look")
    look.execute_in_process(instance=instance)
    dg.materialize(assets, instance=instance)
    look.execute_in_process(instance=instance)
    assert told(assets, instance) == {"b": ("FRESH", [])}
    version[0] = "2"
    look.execute_in_process(instance=instance)
    assert told(assets, instance)["b"] == ("STALE", ["DATA: src has a new data version"])
    (source,) = staleness_of(dg.Definitions(assets), instance, [dg.AssetKey("src")]).values()
    assert source.status.value == "FRESH"


@pytest.mark.api("AssetSpec.is_virtual")
def test_versions_pass_through_virtual_assets() -> None:
    instance = dg.DagsterInstance.ephemeral()
    a, view, b = asset("a"), dg.AssetSpec("view", deps=["a"], is_virtual=True), asset("b", ("view",))
    result = dg.materialize([a, view, b], instance=instance)
    assert tags_of(result, "b")["dagster/input_data_version/a"] == tags_of(result, "a")[VERSION]
    assert told([a, view, b], instance)["b"] == ("FRESH", [])
    dg.materialize([a, view, b], selection=["a"], instance=instance)
    assert told([a, view, b], instance)["b"] == ("STALE", ["DATA: a has a new data version"])


def test_a_record_without_versions_is_compared_by_when_it_was_made() -> None:
    instance = dg.DagsterInstance.ephemeral()
    assets = [asset("a"), asset("b", ("a",))]
    instance.report_runless_asset_event(dg.AssetMaterialization("a"))
    instance.report_runless_asset_event(dg.AssetMaterialization("b"))
    assert told(assets, instance)["b"] == ("FRESH", [])
    instance.report_runless_asset_event(dg.AssetMaterialization("a"))
    assert told(assets, instance)["b"] == ("STALE", ["DATA: a was made after it"])


def test_partitioned_assets_without_a_partition_are_fresh() -> None:
    parts = dg.StaticPartitionsDefinition(["x"])
    assert told([asset("a", partitions_def=parts)], dg.DagsterInstance.ephemeral()) == {"a": ("FRESH", [])}
