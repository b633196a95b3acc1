"""Whether partitions are up to date: against a naive model, and case by case."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dagster as dg
from treadle.host.staleness import staleness_of

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c", "d"])
DAYS = dg.DailyPartitionsDefinition("2024-01-01", "2024-01-05")
HALVES = dg.TimeWindowPartitionsDefinition(
    "2024-01-01-00", "%Y-%m-%d-%H", "2024-01-05-00", cron_schedule="0 0,12 * * *"
)
BOTH = dg.MultiPartitionsDefinition({"day": DAYS, "letter": LETTERS})


@pytest.fixture
def instance() -> Any:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def asset(name: str, partitions: Any = None, *deps: Any, code_version: str | None = "1") -> Any:
    @dg.asset(name=name, partitions_def=partitions, deps=list(deps), code_version=code_version)
    def fn() -> None: ...

    return fn


def made(instance: Any, key: str, partition: str | None, version: str, code: str = "1", *inputs: str) -> None:
    """Write the record of a materialization."""
    tags = {"dagster/data_version": version, "dagster/code_version": code}
    tags |= {f"dagster/input_data_version/{one}": "?" for one in inputs}
    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition, tags=tags))


def told(assets: list[Any], instance: Any, key: str, *partitions: str) -> list[Any]:
    """The status of each partition, and why."""
    found = staleness_of(dg.Definitions(assets), instance)[dg.AssetKey(key)]
    parts = [found.of_partition(partition) for partition in partitions]
    return [
        (one.status.value, [f"{cause.category.value}: {cause.reason}" for cause in one.causes])
        if one.causes
        else one.status.value
        for one in parts
    ]


def test_a_partition_is_missing_fresh_or_stale_by_what_it_needs(instance: Any) -> None:
    assets = [asset("up", LETTERS, code_version=None), asset("down", LETTERS, "up")]
    for key in ("a", "b"):
        dg.materialize(assets, partition_key=key, instance=instance)
    assert told(assets, instance, "down", "a", "b", "c") == ["FRESH", "FRESH", "MISSING"]
    dg.materialize(assets, selection=["up"], partition_key="b", instance=instance)
    new = ("STALE", ["DATA: up has a new data version"])
    assert told(assets, instance, "down", "a", "b") == ["FRESH", new]
    found = staleness_of(dg.Definitions(assets), instance)[dg.AssetKey("down")]
    assert (found.status.value, list(found.stale or ()), list(found.missing or ())) == ("FRESH", ["b"], ["c", "d"])
    dg.materialize(assets, selection=["down"], partition_key="b", instance=instance)
    assert told(assets, instance, "down", "a", "b") == ["FRESH", "FRESH"]
    instance.wipe_asset_partitions(dg.AssetKey("down"), ["a"])
    assert told(assets, instance, "down", "a", "b") == ["MISSING", "FRESH"]


def test_the_same_data_again_makes_nothing_stale(instance: Any) -> None:
    assets = [asset("up", LETTERS), asset("down", LETTERS, "up")]
    made(instance, "up", "a", "1")
    made(instance, "down", "a", "x", "1", "up")
    made(instance, "up", "a", "1")
    assert told(assets, instance, "down", "a") == ["FRESH"]
    made(instance, "up", "a", "2")
    made(instance, "up", "a", "2")
    assert told(assets, instance, "down", "a") == [("STALE", ["DATA: up has a new data version"])]


def test_code_and_dependencies_of_partitions_made_by_older_definitions(instance: Any) -> None:
    made(instance, "down", "a", "x", "1", "up")
    made(instance, "down", "b", "x", "2", "up", "gone")
    made(instance, "down", "c", "x", "2")
    assets = [asset("up", LETTERS), asset("down", LETTERS, "up", code_version="2")]
    assert told(assets, instance, "down", "a", "b", "c") == [
        ("STALE", ["CODE: has a new code version"]),
        ("STALE", ["DEPENDENCIES: has no dependency on gone any more"]),
        ("STALE", ["DEPENDENCIES: has a new dependency on up"]),
    ]


def test_stale_partitions_make_those_below_stale_with_their_root_cause(instance: Any) -> None:
    yesterday = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
    middle = asset("middle", DAYS, dg.AssetDep("up", partition_mapping=yesterday))
    assets = [asset("up", DAYS), middle, asset("down", DAYS, "middle"), asset("whole", None, "middle")]
    for key in ("up", "middle", "down"):
        for day in ("2024-01-02", "2024-01-03"):
            made(instance, key, day, day, "1", *{"middle": ["up"], "down": ["middle"]}.get(key, ()))
    made(instance, "whole", None, "x", "1", "middle")
    assert told(assets, instance, "down", "2024-01-02", "2024-01-03") == ["FRESH", "FRESH"]
    made(instance, "up", "2024-01-02", "new")
    assert told(assets, instance, "middle", "2024-01-02", "2024-01-03") == [
        "FRESH",
        ("STALE", ["DATA: up has a new data version"]),
    ]
    assert told(assets, instance, "down", "2024-01-02", "2024-01-03") == ["FRESH", ("STALE", ["DATA: middle is stale"])]
    found = staleness_of(dg.Definitions(assets), instance)
    (root,) = found[dg.AssetKey("down")].of_partition("2024-01-03").root_causes
    assert (root.key, root.dependency, list(root.partitions or ())) == (
        dg.AssetKey("middle"),
        dg.AssetKey("up"),
        ["2024-01-03"],
    )
    whole = found[dg.AssetKey("whole")]
    assert (whole.status.value, [cause.reason for cause in whole.causes]) == ("STALE", ["middle is stale"])
    assert whole.root_causes == (root,)
    made(instance, "middle", "2024-01-04", "new")
    (cause,) = staleness_of(dg.Definitions(assets), instance)[dg.AssetKey("whole")].causes
    assert cause.reason == "middle has a new data version"


def test_causes_along_many_paths_are_told_once(instance: Any) -> None:
    layers = [["top"]] + [[f"left{i}", f"right{i}"] for i in range(20)]
    assets = [asset("top", LETTERS, code_version="2")]
    for above, layer in itertools.pairwise(layers):
        assets += [asset(name, LETTERS, *above) for name in layer]
    for above, layer in zip([[], *layers], layers, strict=False):
        for name in layer:
            for key in ("a", "b"):
                made(instance, name, key, "x", "1" if key == "a" or name != "top" else "2", *above)
    found = staleness_of(dg.Definitions(assets), instance)[dg.AssetKey("left19")]
    (root,) = found.of_partition("a").root_causes
    assert (root.key, root.category.value, list(root.partitions or ())) == (dg.AssetKey("top"), "CODE", ["a"])
    assert len(found.of_partition("a").causes) == 2
    assert found.of_partition("b").status.value == "FRESH"


def test_an_asset_without_partitions_above(instance: Any) -> None:
    assets = [asset("up"), asset("down", LETTERS, "up")]
    made(instance, "up", None, "1")
    made(instance, "down", "a", "x", "1", "up")
    made(instance, "up", None, "2")
    made(instance, "down", "b", "x", "1", "up")
    assert told(assets, instance, "down", "a", "b", "c") == [
        ("STALE", ["DATA: up has a new data version"]),
        "FRESH",
        "MISSING",
    ]
    newer = [asset("up", code_version="2"), assets[1]]
    assert told(newer, instance, "down", "a", "b") == [
        ("STALE", ["DATA: up has a new data version"]),
        ("STALE", ["DATA: up is stale"]),
    ]


def test_observed_partitions_of_a_source(instance: Any) -> None:
    source = dg.AssetSpec("up", partitions_def=LETTERS)
    assets = [source, asset("down", LETTERS, "up")]

    def seen(partition: str, version: str | None) -> None:
        tags = {} if version is None else {"dagster/data_version": version}
        instance.report_runless_asset_event(dg.AssetObservation("up", partition=partition, tags=tags))

    seen("a", "1")
    for key in ("a", "b"):
        made(instance, "down", key, "x", "1", "up")
    seen("a", "1")
    seen("b", None)
    assert told(assets, instance, "down", "a", "b") == ["FRESH", "FRESH"]
    seen("a", "2")
    assert told(assets, instance, "down", "a", "b") == [("STALE", ["DATA: up has a new data version"]), "FRESH"]


@pytest.mark.parametrize(
    ("mapping", "read"),
    [
        (None, ["b"]),
        (dg.StaticPartitionMapping({"a": "b", "d": "b"}), ["a", "d"]),
        (dg.SpecificPartitionsPartitionMapping(["c"]), ["c"]),
    ],
)
def test_the_version_of_an_input_is_that_of_the_partitions_that_are_read(
    instance: Any, mapping: Any, read: list[str]
) -> None:
    assets = [asset("up", LETTERS), asset("down", LETTERS, dg.AssetDep("up", partition_mapping=mapping))]
    for key in "abcd":
        made(instance, "up", key, f"version of {key}")

    def recorded() -> dict[str, str]:
        dg.materialize(assets, selection=["down"], partition_key="b", instance=instance)
        event = instance.get_latest_materialization_event(dg.AssetKey("down"))
        return event.asset_materialization.tags

    first = recorded()["dagster/input_data_version/up"]
    assert (first == f"version of {read[0]}") == (len(read) == 1)
    for key in set("abcd") - set(read):
        made(instance, "up", key, "new")
    assert recorded()["dagster/input_data_version/up"] == first
    made(instance, "up", read[0], "new")
    assert recorded()["dagster/input_data_version/up"] != first


PAIRS = [
    (LETTERS, LETTERS, dg.IdentityPartitionMapping()),
    (LETTERS, LETTERS, dg.AllPartitionMapping()),
    (LETTERS, LETTERS, dg.LastPartitionMapping()),
    (LETTERS, LETTERS, dg.SpecificPartitionsPartitionMapping(["b", "c"])),
    (LETTERS, LETTERS, dg.StaticPartitionMapping({"a": ["b", "c"], "b": "b", "d": "a"})),
    (DAYS, DAYS, dg.TimeWindowPartitionMapping()),
    (DAYS, DAYS, dg.TimeWindowPartitionMapping(start_offset=-1)),
    (HALVES, DAYS, dg.TimeWindowPartitionMapping()),
    (DAYS, HALVES, dg.TimeWindowPartitionMapping()),
    (BOTH, DAYS, dg.MultiToSingleDimensionPartitionMapping("day")),
    (LETTERS, BOTH, dg.MultiToSingleDimensionPartitionMapping("letter")),
]  # fmt: skip


@given(st.sampled_from(PAIRS), st.data())
def test_it_is_what_a_naive_model_says(pair: Any, data: Any) -> None:
    theirs, ours, mapping = pair
    up_keys, down_keys = list(theirs.get_partition_keys()), list(ours.get_partition_keys())
    assets = [asset("up", theirs), asset("down", ours, dg.AssetDep("up", partition_mapping=mapping))]
    up = st.tuples(st.just("up"), st.sampled_from(up_keys), st.sampled_from("12"))
    down = st.tuples(st.just("down"), st.sampled_from(down_keys), st.just("x"))
    with dg.DagsterInstance.ephemeral() as instance:
        versions: dict[str, str] = {}
        changed: dict[str, set[str]] = {}  # since a partition was made, also what changed and changed back
        needs = {}
        for key in down_keys:
            subset = ours.subset_with_partition_keys([key])
            result = mapping.get_upstream_mapped_partitions_result_for_partitions(subset, ours, theirs)
            needs[key] = set(result.partitions_subset.get_partition_keys())
        for name, key, version in data.draw(st.lists(up | down, max_size=25)):
            made(instance, name, key, version, "1", *(["up"] if name == "down" else []))
            if name == "down":
                changed[key] = set()
            elif versions.get(key) != version:
                versions[key] = version
                for since in changed.values():
                    since.add(key)
        found = staleness_of(dg.Definitions(assets), instance)[dg.AssetKey("down")]
        for key in down_keys:
            expected = "MISSING" if key not in changed else "STALE" if changed[key] & needs[key] else "FRESH"
            assert found.of_partition(key).status.value == expected
