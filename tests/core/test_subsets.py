"""Subsets of every kind behave as Python sets of their keys do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from treadle.core.multi_partitions import MultiPartitionsDefinition
from treadle.core.partitions import DynamicPartitionsDefinition, PartitionsDefinition, StaticPartitionsDefinition
from treadle.core.subsets import KeySubset, MultiSubset, PartitionKeyRange, PositionSubset, TimeSubset
from treadle.core.time_partitions import DailyPartitionsDefinition, HourlyPartitionsDefinition
from treadle.errors import InvocationError, UnknownPartitionError

NOW = datetime(2024, 3, 20, tzinfo=UTC)


class Store:
    def get_dynamic_partitions(self, partitions_def_name: str) -> list[str]:
        return ["z", "y", "x", "w"]


DAILY = DailyPartitionsDefinition("2024-02-25")
STATIC = StaticPartitionsDefinition([f"k{i}" for i in range(12)])
DEFINITIONS: list[PartitionsDefinition] = [
    STATIC,
    DAILY,
    DailyPartitionsDefinition("2024-02-25", exclusions=["0 0 * * 6,0", datetime(2024, 3, 6)]),
    HourlyPartitionsDefinition("2024-03-09-20:00", end_date="2024-03-10-08:00", timezone="America/New_York"),
    DynamicPartitionsDefinition(name="d"),
    MultiPartitionsDefinition({"a": DAILY, "b": StaticPartitionsDefinition(["q", "p"])}),
    MultiPartitionsDefinition(
        {"a": StaticPartitionsDefinition(["2", "1"]), "b": StaticPartitionsDefinition(["q", "p", "o"])}
    ),
    MultiPartitionsDefinition(
        {
            "a": StaticPartitionsDefinition(["2", "1"]),
            "b": DailyPartitionsDefinition("2024-03-16"),
            "c": DynamicPartitionsDefinition(name="d"),
        }
    ),
]
KEYS = [list(one.get_partition_keys(NOW, Store())) for one in DEFINITIONS]


def in_order(definition: PartitionsDefinition, keys: Iterable[str]) -> list[str]:
    every = KEYS[DEFINITIONS.index(definition)]
    chosen = set(keys)
    return [key for key in every if key in chosen]


@st.composite
def two_sets(draw: st.DrawFn) -> tuple[PartitionsDefinition, set[str], set[str]]:
    i = draw(st.integers(0, len(DEFINITIONS) - 1))
    some = st.sets(st.sampled_from(KEYS[i]), max_size=25)
    return DEFINITIONS[i], draw(some), draw(some)


@given(two_sets())
def test_subsets_are_sets_of_their_keys(drawn: tuple[PartitionsDefinition, set[str], set[str]]) -> None:
    definition, left_keys, right_keys = drawn
    left, right = (definition.subset_with_partition_keys(keys) for keys in (left_keys, right_keys))
    for subset, keys in (
        (left, left_keys),
        (left | right, left_keys | right_keys),
        (left & right, left_keys & right_keys),
        (left - right, left_keys - right_keys),
    ):
        assert set(subset) == keys
        assert len(subset) == len(keys)
        assert subset.is_empty == (not keys)
        assert subset == definition.subset_with_partition_keys(keys)
        assert hash(subset) == hash(definition.subset_with_partition_keys(keys))
        assert [key for key in KEYS[DEFINITIONS.index(definition)] if key in subset] == in_order(definition, keys)
        assert "no such key" not in subset
        assert definition.subset_from_wire(subset.to_wire()) == subset
    assert (left == right) == (left_keys == right_keys)
    assert (left - left).is_empty
    assert left - left == definition.empty_subset() == left.empty_subset()


@given(two_sets())
def test_a_set_of_bare_keys_combines_with_every_kind(drawn: tuple[PartitionsDefinition, set[str], set[str]]) -> None:
    definition, left_keys, right_keys = drawn
    left, right = definition.subset_with_partition_keys(left_keys), KeySubset(definition, right_keys)
    assert set(left | right) == set(right | left) == left_keys | right_keys
    assert set(left & right) == set(right & left) == left_keys & right_keys
    assert set(left - right) == left_keys - right_keys
    assert set(right - left) == right_keys - left_keys
    assert KeySubset(definition, left_keys) == left


@given(two_sets())
def test_ids_of_the_store_and_back(drawn: tuple[PartitionsDefinition, set[str], set[str]]) -> None:
    definition, keys, _ = drawn
    interned = {key: i * 3 + 7 for i, key in enumerate([*KEYS[DEFINITIONS.index(definition)], "gone"])}
    names = {i: key for key, i in interned.items()}
    subset = definition.subset_with_partition_keys(keys)
    ids = BitMap(interned[key] for key in subset)
    if not isinstance(definition, DynamicPartitionsDefinition):
        ids.add(interned["gone"])  # materialized once, and no longer declared
    assert definition.subset_from_ids(ids, lambda ids: [names[i] for i in ids]) == subset


@pytest.mark.parametrize(
    "definition", [one for one in DEFINITIONS if not isinstance(one, DynamicPartitionsDefinition)], ids=str
)
def test_all_partitions_in_their_order(definition: PartitionsDefinition) -> None:
    every = definition.subset_with_all_partitions(NOW, Store())
    keys = KEYS[DEFINITIONS.index(definition)]
    if not isinstance(definition, MultiPartitionsDefinition) or "c" not in definition.partition_dimension_names:
        assert list(every) == keys  # dynamic keys alone are listed alphabetically
    assert set(every) == set(keys)
    assert len(every) == len(keys)


def expand(definition: PartitionsDefinition, ranges: Iterable[PartitionKeyRange]) -> list[str]:
    every = KEYS[DEFINITIONS.index(definition)]
    return [key for one in ranges for key in every[every.index(one.start) : every.index(one.end) + 1]]


@given(two_sets())
def test_ranges_are_runs_of_neighbours(drawn: tuple[PartitionsDefinition, set[str], set[str]]) -> None:
    definition, keys, _ = drawn
    ranges = definition.subset_with_partition_keys(keys).get_partition_key_ranges()
    every = KEYS[DEFINITIONS.index(definition)]
    if isinstance(definition, MultiPartitionsDefinition | DynamicPartitionsDefinition):
        inside = [
            definition.get_partition_keys_in_range(one)
            if isinstance(definition, MultiPartitionsDefinition) and "c" not in definition.partition_dimension_names
            else [one.start]
            for one in ranges
        ]
        if not isinstance(definition, MultiPartitionsDefinition) or "c" not in definition.partition_dimension_names:
            assert sorted(key for keys in inside for key in keys) == sorted(keys)
        return
    assert expand(definition, ranges) == in_order(definition, keys)
    starts, ends = {every.index(one.start) for one in ranges}, {every.index(one.end) for one in ranges}
    assert not starts & {end + 1 for end in ends}  # no two ranges could be one


def test_excluded_days_do_not_part_neighbours() -> None:
    weekdays = DEFINITIONS[2]
    subset = weekdays.subset_with_partition_keys(["2024-03-01", "2024-03-04", "2024-03-05", "2024-03-07"])
    assert subset.get_partition_key_ranges() == [PartitionKeyRange("2024-03-01", "2024-03-07")]


def test_subsets_of_different_definitions_do_not_mix() -> None:
    later = DailyPartitionsDefinition("2024-03-01")
    assert list(DAILY.subset_with_partition_keys(["2024-03-02"]) & later.subset_with_all_partitions(NOW)) == [
        "2024-03-02"
    ]
    for left, right in (
        (DAILY.empty_subset(), STATIC.empty_subset()),
        (STATIC.empty_subset(), StaticPartitionsDefinition(["k0"]).empty_subset()),
        (DAILY.empty_subset(), HourlyPartitionsDefinition("2024-01-01-00:00").empty_subset()),
        (DEFINITIONS[5].empty_subset(), DEFINITIONS[6].empty_subset()),
    ):
        with pytest.raises(InvocationError, match="mapping"):
            left | right


def test_keys_of_another_definition_are_refused_or_set_apart() -> None:
    for definition in (STATIC, DAILY, DEFINITIONS[5]):
        good = KEYS[DEFINITIONS.index(definition)][0]
        with pytest.raises(UnknownPartitionError):
            definition.subset_with_partition_keys([good, "no such key"])
        subset, unknown = definition.subset_of_known([good, "no such key"])
        assert (list(subset), unknown) == ([good], {"no such key"})
    with pytest.raises(UnknownPartitionError):
        DEFINITIONS[5].subset_with_partition_keys(["2024-03-01|nowhere"])
    assert DEFINITIONS[5].subset_of_known(["2024-03-01|nowhere", "x|q"])[1] == {"2024-03-01|nowhere", "x|q"}


def test_the_kinds() -> None:
    kinds: list[Any] = [
        PositionSubset,
        TimeSubset,
        TimeSubset,
        TimeSubset,
        KeySubset,
        MultiSubset,
        MultiSubset,
        MultiSubset,
    ]
    assert [type(one.empty_subset()) for one in DEFINITIONS] == kinds


def test_many_partitions_are_few_spans() -> None:
    hours = HourlyPartitionsDefinition("2000-01-01-00:00")
    every = hours.subset_with_all_partitions(datetime(2025, 1, 1, tzinfo=UTC))
    assert len(every) == 219_168
    assert isinstance(every, TimeSubset)
    assert len(every.spans) == 1
    hole = every - hours.subset_in_range(PartitionKeyRange("2010-01-01-00:00", "2010-01-01-23:00"))
    assert isinstance(hole, TimeSubset)
    assert (len(hole), len(hole.spans)) == (219_168 - 24, 2)
    assert repr(hole).startswith("<TimeSubset of 219144: 2000-01-01-00:00...2009-12-31-23:00")
