"""Partitions with several dimensions."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import pytest

from treadle.core import codec
from treadle.core.multi_partitions import MultiPartitionKey, MultiPartitionsDefinition
from treadle.core.partitions import (
    DynamicPartitionsDefinition,
    PartitionsDefinition,
    StaticPartitionsDefinition,
    partition_loading_context,
)
from treadle.core.subsets import PartitionKeyRange
from treadle.core.time_partitions import DailyPartitionsDefinition
from treadle.errors import DefinitionError, InvocationError, UnknownPartitionError

NOW = datetime(2024, 1, 3, 5, tzinfo=UTC)
DAILY = DailyPartitionsDefinition("2024-01-01")
REGIONS = StaticPartitionsDefinition(["us", "eu"])
BOTH = MultiPartitionsDefinition({"region": REGIONS, "date": DAILY})
CUBE = MultiPartitionsDefinition({"x": REGIONS, "d": DAILY, "a": StaticPartitionsDefinition(["1"])})


def test_a_key_is_a_string_that_knows_its_parts() -> None:
    key = MultiPartitionKey({"region": "us", "date": "2024-01-01"})
    assert key == "2024-01-01|us"
    assert hash(key) == hash("2024-01-01|us")
    assert key.keys_by_dimension == {"date": "2024-01-01", "region": "us"}
    assert [part.dimension_name for part in key.dimension_keys] == ["date", "region"]
    again = pickle.loads(pickle.dumps(key))
    assert (again, again.keys_by_dimension) == (key, key.keys_by_dimension)


def test_keys_are_combinations_the_first_name_slowest() -> None:
    assert BOTH.get_partition_keys(NOW) == ["2024-01-01|us", "2024-01-01|eu", "2024-01-02|us", "2024-01-02|eu"]
    assert CUBE.get_partition_keys(NOW)[:3] == ["1|2024-01-01|us", "1|2024-01-01|eu", "1|2024-01-02|us"]
    assert (BOTH.get_first_partition_key(NOW), BOTH.get_last_partition_key(NOW)) == ("2024-01-01|us", "2024-01-02|eu")
    assert (BOTH.get_num_partitions(NOW), CUBE.get_num_partitions(NOW)) == (4, 4)
    assert BOTH.get_last_partition_key(datetime(2024, 1, 1, 5, tzinfo=UTC)) is None


def test_membership_and_reading() -> None:
    keys = [
        "2024-01-02|eu",
        MultiPartitionKey({"date": "2024-01-01", "region": "us"}),
        "eu|2024-01-02",
        "2024-01-03|eu",
    ]
    assert [BOTH.has_partition_key(key, NOW) for key in [*keys, "us", "a|b|c"]] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
    assert not BOTH.has_partition_key(MultiPartitionKey({"date": "2024-01-01", "place": "us"}), NOW)
    assert BOTH.get_partition_key_from_str("2024-01-02|eu").keys_by_dimension["region"] == "eu"
    with pytest.raises(UnknownPartitionError, match=r"date\|region"):
        BOTH.get_partition_key_from_str("2024-01-02")
    with pytest.raises(UnknownPartitionError):
        BOTH.validate_partition_key("2024-01-02|mars", current_time=NOW)


def test_ranges_are_by_dimension() -> None:
    with partition_loading_context(NOW):
        across = PartitionKeyRange("2024-01-01|us", "2024-01-02|us")
        assert BOTH.get_partition_keys_in_range(across) == ["2024-01-01|us", "2024-01-02|us"]
        assert list(BOTH.subset_in_range(across)) == ["2024-01-01|us", "2024-01-02|us"]
        assert len(BOTH.get_partition_keys_in_range(PartitionKeyRange("2024-01-01|us", "2024-01-02|eu"))) == 4


def test_dimensions() -> None:
    assert BOTH.partition_dimension_names == ["date", "region"]
    assert BOTH.get_partitions_def_for_dimension("region") is REGIONS
    assert BOTH.primary_dimension.name == "date"
    assert (CUBE.primary_dimension.name, CUBE.inner_dimension, CUBE.outer_dimensions) == ("d", "d", ("a", "x"))
    assert BOTH.time_window_partitions_def is DAILY
    assert BOTH.time_window_for_partition_key("2024-01-02|us").start == datetime(2024, 1, 2, tzinfo=UTC)
    assert BOTH.get_multipartition_keys_with_dimension_value("region", "eu", NOW) == ["2024-01-01|eu", "2024-01-02|eu"]
    assert BOTH.get_tags_for_partition_key("2024-01-02|us") == {
        "dagster/partition": "2024-01-02|us",
        "dagster/partition/date": "2024-01-02",
        "dagster/partition/region": "us",
    }
    with pytest.raises(InvocationError, match="'planet'"):
        BOTH.get_partitions_def_for_dimension("planet")
    static = MultiPartitionsDefinition({"a": REGIONS, "b": REGIONS})
    assert not static.has_time_window_dimension
    with pytest.raises(InvocationError):
        _ = static.time_window_dimension


def test_definitions_that_cannot_be() -> None:
    with pytest.raises(DefinitionError, match="two dimensions"):
        MultiPartitionsDefinition({"date": DAILY})
    with pytest.raises(DefinitionError, match="'x'"):
        MultiPartitionsDefinition({"x": BOTH, "date": DAILY})
    for key in ("a|b", "a,b", "[a", "a]"):
        with pytest.raises(DefinitionError) as caught:
            MultiPartitionsDefinition({"x": StaticPartitionsDefinition(["ok", key]), "date": DAILY})
        assert repr(key) in str(caught.value)


def test_they_are_values_and_travel() -> None:
    for definition in (BOTH, CUBE, MultiPartitionsDefinition({"a": DAILY, "b": DynamicPartitionsDefinition(name="d")})):
        again = codec.decoder(PartitionsDefinition).decode(codec.encode(definition))
        assert again == definition
        assert hash(again) == hash(definition)
        assert pickle.loads(pickle.dumps(definition)) == definition
    assert MultiPartitionsDefinition({"date": DAILY, "region": REGIONS}) == BOTH != CUBE
