"""Partitions as code written for Dagster knows them."""

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

import dagster as dg
from treadle.core import codec
from treadle.core.partitions import PartitionsDefinition

DAYS = dg.DailyPartitionsDefinition("2024-01-01", "2024-02-01", timezone="Europe/Berlin")
LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c", "d"])
BOTH = dg.MultiPartitionsDefinition({"day": DAYS, "letter": LETTERS})


@pytest.mark.api(
    "DynamicPartitionsDefinition.partition_fn", "DynamicPartitionsDefinition.get_partition_keys", "Partition.value",
    "Partition.name", "DynamicPartitionsDefinition.name",
)  # fmt: skip
def test_keys_by_a_function() -> None:
    asked: list[datetime] = []

    def partition_fn(now: datetime) -> list[Any]:
        asked.append(now)
        return ["p", dg.Partition(value=1), dg.Partition(2, name="two")]

    with pytest.warns(DeprecationWarning, match="partition_fn"):
        by_function = dg.DynamicPartitionsDefinition(partition_fn)
    assert by_function.get_partition_keys(current_time=datetime(2024, 1, 1, tzinfo=UTC)) == ["p", "1", "two"]
    assert asked == [datetime(2024, 1, 1, tzinfo=UTC)]
    assert (by_function.partition_fn, by_function.name) == (partition_fn, None)
    assert isinstance(by_function, dg.DynamicPartitionsDefinition)
    assert by_function.has_partition_key("two")
    assert by_function == copy.copy(by_function) != dg.DynamicPartitionsDefinition(name="p")
    # where the function is not, they are the keys it gave
    assert codec.decoder(PartitionsDefinition).decode(codec.encode(by_function)).get_partition_keys() == [
        "p",
        "1",
        "two",
    ]
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="function"):
        by_function.build_add_request(["x"])
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="exactly one"), pytest.warns(match="partition_fn"):
        dg.DynamicPartitionsDefinition(partition_fn, name="x")
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="name"):
        dg.DynamicPartitionsDefinition()
    named = dg.DynamicPartitionsDefinition(None, "x")
    assert named == dg.DynamicPartitionsDefinition(name="x") == pickle.loads(pickle.dumps(named))
    assert (named.partition_fn, named.name) == (None, "x")


@pytest.mark.api("Partition.value", "Partition.name")
def test_a_partition_with_a_value() -> None:
    assert dg.Partition(3) == dg.Partition(3, "3") != dg.Partition(3, name="x")
    assert (dg.Partition(value=3).value, dg.Partition(3).name) == (3, "3")


@pytest.mark.api(
    "PartitionedConfig.run_config_for_partition_fn", "PartitionedConfig.tags_for_partition_fn",
)  # fmt: skip
def test_config_by_functions_of_a_partition() -> None:
    with pytest.warns(DeprecationWarning, match="_key_fn") as told:
        made = dg.PartitionedConfig(
            LETTERS,
            run_config_for_partition_fn=lambda partition: {"k": partition.value},
            decorated_fn=lambda x: x + 1,
            tags_for_partition_fn=lambda partition: {"t": partition.name},
        )
    assert len(told) == 2
    assert made.get_run_config_for_partition_key("a") == {"k": "a"}
    assert made.get_tags_for_partition_key("a")["t"] == "a"
    assert made(1) == 2
    assert made.run_config_for_partition_fn(dg.Partition("z")) == {"k": "z"}
    assert made.tags_for_partition_fn(dg.Partition("z")) == {"t": "z"}
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="not both"):
        dg.PartitionedConfig(
            LETTERS, run_config_for_partition_fn=lambda p: {}, run_config_for_partition_key_fn=lambda key: {}
        )
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="run_config_for_partition_key_fn"):
        dg.PartitionedConfig(LETTERS)
    new = dg.PartitionedConfig(LETTERS, run_config_for_partition_key_fn=lambda key: {})
    assert (new.run_config_for_partition_fn, new.tags_for_partition_fn) == (None, None)


@pytest.mark.api(
    "static_partitioned_config.tags_for_partition_fn", "dynamic_partitioned_config.tags_for_partition_fn",
    "dynamic_partitioned_config.tags_for_partition_key_fn", "dynamic_partitioned_config.partition_fn",
)  # fmt: skip
@pytest.mark.parametrize(
    ("decorator", "first"),
    [
        (dg.static_partitioned_config, {"partition_keys": ["a", "b"]}),
        (dg.dynamic_partitioned_config, {"partition_fn": lambda now: ["a", "b"]}),
    ],
)
def test_tags_under_their_old_name(decorator: Any, first: Any) -> None:
    def tags(key: str) -> dict[str, str]:
        return {"t": key}

    with pytest.warns(DeprecationWarning, match="tags_for_partition_key_fn"):
        old = decorator(**first, tags_for_partition_fn=tags)(lambda key: {"k": key})
    new = decorator(**first, tags_for_partition_key_fn=tags)(lambda key: {"k": key})
    for config in (old, new):
        assert list(config.get_partition_keys()) == ["a", "b"]
        assert config("a") == config.get_run_config_for_partition_key("a") == {"k": "a"}
        assert config.get_tags_for_partition_key("b")["t"] == "b"
    with pytest.raises(dg.DagsterInvalidDefinitionError), pytest.warns(DeprecationWarning, match="fn"):
        decorator(**first, tags_for_partition_fn=tags, tags_for_partition_key_fn=tags)


@pytest.mark.api(
    "PaginatedResults.results", "PaginatedResults.cursor", "PaginatedResults.has_more",
)  # fmt: skip
@pytest.mark.parametrize("definition", [DAYS, LETTERS, BOTH])
@pytest.mark.parametrize("ascending", [True, False])
def test_keys_page_by_page(definition: Any, ascending: bool) -> None:
    with dg.partition_loading_context() as context:
        found: list[str] = []
        page = dg.PaginatedResults(results=[], cursor="", has_more=True)
        while page.has_more:
            page = definition.get_paginated_partition_keys(
                context, limit=3, ascending=ascending, cursor=page.cursor or None
            )
            assert 0 < len(page.results) <= 3
            found += page.results
        keys = list(definition.get_partition_keys())
        assert found == (keys if ascending else keys[::-1])
        with pytest.raises(dg.DagsterInvalidInvocationError, match="gone"):
            definition.get_paginated_partition_keys(context, 3, True, "gone")


@pytest.mark.parametrize(
    ("definition", "keys", "of_the_peer"),
    [
        (LETTERS, ["a", "c"], '{"version": 1, "subset": ["a", "c"]}'),
        (DAYS, ["2024-01-05", "2024-01-06"], '{"version": 1, "time_windows": [[1704409200.0, 1704582000.0]]}'),
        (BOTH, ["2024-01-05|a"], '{"version": 1, "subset": ["2024-01-05|a"]}'),
    ],
)
def test_sets_as_text(definition: Any, keys: list[str], of_the_peer: str) -> None:
    subset = definition.subset_with_partition_keys(keys)
    for text in (subset.serialize(), of_the_peer):
        assert definition.deserialize_subset(text) == subset
        assert definition.can_deserialize_subset(text, None, None)
        assert definition.can_deserialize_subset(text, "an id", type(definition).__name__)
        assert not definition.can_deserialize_subset(text, None, "OtherPartitionsDefinition")
    for text in ("nonsense", "[]", '{"version": 1}'):
        assert not definition.can_deserialize_subset(text, None, None)
        with pytest.raises(dg.DagsterInvalidInvocationError, match="serialize"):
            definition.deserialize_subset(text)


@pytest.mark.api("TimeWindowPartitionsDefinition.start_ts", "TimeWindowPartitionsDefinition.end_ts")
def test_bounds_as_timestamps() -> None:
    assert tuple(DAYS.start_ts) == (1704063600.0, "Europe/Berlin")
    assert DAYS.end_ts.timestamp == DAYS.end_timestamp == 1706742000.0
    assert DAYS.start_timestamp == DAYS.start.timestamp()
    assert dg.HourlyPartitionsDefinition("2024-01-01-00:00").end_ts is None
