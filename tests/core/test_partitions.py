"""Static and dynamic partitions, and what pins time and store."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from treadle.core import codec
from treadle.core.partitions import (
    DynamicPartitionsDefinition,
    PartitionsDefinition,
    StaticPartitionsDefinition,
    check_partition_keys,
    effective_time,
    partition_loading_context,
)
from treadle.core.subsets import PartitionKeyRange
from treadle.errors import DefinitionError, InvariantError, InvocationError, UnknownPartitionError

LETTERS = StaticPartitionsDefinition(["c", "a", "b"])


class Store:
    def __init__(self, **keys: list[str]) -> None:
        self.keys = keys

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        return self.keys.get(partitions_def_name, [])


def round_trip(definition: PartitionsDefinition) -> object:
    return codec.decoder(PartitionsDefinition).decode(codec.encode(definition))


def test_static_keys_keep_their_order() -> None:
    assert LETTERS.get_partition_keys() == ["c", "a", "b"]
    assert (LETTERS.get_first_partition_key(), LETTERS.get_last_partition_key()) == ("c", "b")
    assert LETTERS.get_num_partitions() == 3
    assert [key for key in "abcd" if LETTERS.has_partition_key(key)] == ["a", "b", "c"]
    assert not LETTERS.has_partition_key(1)  # type: ignore[arg-type]
    assert LETTERS.get_tags_for_partition_key("a") == {"dagster/partition": "a"}


def test_static_without_keys() -> None:
    empty = StaticPartitionsDefinition([])
    assert empty.get_first_partition_key() is None
    assert empty.get_last_partition_key() is None
    assert empty.subset_with_all_partitions().is_empty


@pytest.mark.parametrize("key", ["a...b", "a\nb", "a\tb", "\x00", "\x07", "\x08", "\x0b", "\x0c", "a\r"])
def test_keys_that_cannot_be(key: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        StaticPartitionsDefinition(["good", key])
    assert repr(key) in str(caught.value)


@pytest.mark.parametrize("key", ["", "a..b", "a,b", "a|b", "ä", "a b", "\x1f", "\u2028"])
def test_keys_that_can_be(key: str) -> None:
    assert StaticPartitionsDefinition([key]).has_partition_key(key)


def test_dots_of_neighbouring_keys_do_not_add_up() -> None:
    check_partition_keys(["a..", ".b", "..", "."], "test")


def test_keys_must_be_distinct_strings_in_a_list() -> None:
    with pytest.raises(DefinitionError, match="'a' occurs twice"):
        StaticPartitionsDefinition(["a", "b", "a"])
    with pytest.raises(DefinitionError, match="1 in"):
        StaticPartitionsDefinition(["a", 1])  # type: ignore[list-item]
    with pytest.raises(DefinitionError, match="list"):
        StaticPartitionsDefinition("abc")


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_duplicate_among_many_keys_is_found(shuffled: bool) -> None:
    keys = [f"k{i * 7919 % 150_001 if shuffled else i}" for i in range(150_000)]
    check_partition_keys(keys, "test")
    keys[77_777] = keys[140_000]
    with pytest.raises(DefinitionError, match=repr(keys[140_000])):
        check_partition_keys(keys, "test")


def test_ranges_of_static_keys() -> None:
    assert LETTERS.get_partition_keys_in_range(PartitionKeyRange("a", "b")) == ["a", "b"]
    assert LETTERS.get_partition_keys_in_range(PartitionKeyRange("b", "a")) == []
    assert list(LETTERS.subset_in_range(PartitionKeyRange("c", "a"))) == ["c", "a"]
    with pytest.raises(UnknownPartitionError):
        LETTERS.get_partition_keys_in_range(PartitionKeyRange("a", "z"))


def test_an_unknown_key_is_named_with_what_was_meant() -> None:
    definition = StaticPartitionsDefinition(["emea", "apac"])
    definition.validate_partition_key("emea")
    with pytest.raises(UnknownPartitionError) as caught:
        definition.validate_partition_key("emae")
    assert "'emae'" in str(caught.value)
    assert "Did you mean 'emea'?" in str(caught.value)
    with pytest.raises(UnknownPartitionError):
        definition.subset_with_partition_keys(["emea", "x"])


def test_static_is_a_value() -> None:
    same = StaticPartitionsDefinition(("c", "a", "b"))
    assert same == LETTERS
    assert hash(same) == hash(LETTERS)
    assert StaticPartitionsDefinition(["a", "b", "c"]) != LETTERS
    assert pickle.loads(pickle.dumps(LETTERS)) == LETTERS
    assert round_trip(LETTERS) == LETTERS


def test_definitions_travel_inside_structs() -> None:
    class Spec(msgspec.Struct):
        partitions_def: PartitionsDefinition | None

    spec = Spec(LETTERS)
    assert codec.decoder(Spec).decode(codec.encode(spec)).partitions_def == LETTERS
    assert codec.decoder(Spec).decode(codec.encode(Spec(None))).partitions_def is None


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InvocationError, match="hologram"):
        codec.decoder(PartitionsDefinition).decode(codec.encode({"kind": "hologram"}))


# --- dynamic --------------------------------------------------------------------------------------------------------


def test_dynamic_keys_come_from_the_store_in_its_order() -> None:
    files = DynamicPartitionsDefinition(name="files")
    store = Store(files=["b", "a"])
    assert files.get_partition_keys(dynamic_partitions_store=store) == ["b", "a"]
    assert files.has_partition_key("a", dynamic_partitions_store=store)
    assert not files.has_partition_key("z", dynamic_partitions_store=store)
    assert files.get_last_partition_key(dynamic_partitions_store=store) == "a"
    with partition_loading_context(dynamic_partitions_store=store):
        assert files.get_num_partitions() == 2
        assert files.get_partition_keys_in_range(PartitionKeyRange("b", "a")) == ["b", "a"]


def test_one_look_up_is_used_where_the_store_has_it() -> None:
    class Quick(Store):
        def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
            raise AssertionError("all keys were read")

        def has_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> bool:
            return partition_key in self.keys[partitions_def_name]

    assert DynamicPartitionsDefinition(name="n").has_partition_key("x", dynamic_partitions_store=Quick(n=["x"]))


def test_dynamic_without_store_says_what_to_pass() -> None:
    with pytest.raises(InvocationError, match="dynamic_partitions_store"):
        DynamicPartitionsDefinition(name="files").get_partition_keys()


def test_dynamic_takes_a_name() -> None:
    for wrong in ("", 3):
        with pytest.raises(DefinitionError, match="name"):
            DynamicPartitionsDefinition(name=wrong)  # type: ignore[arg-type]


def test_dynamic_is_a_value() -> None:
    files = DynamicPartitionsDefinition(name="files")
    assert files == DynamicPartitionsDefinition(name="files") != DynamicPartitionsDefinition(name="other")
    assert round_trip(files) == files
    assert pickle.loads(pickle.dumps(files)) == files


# --- definitions of the user's own ----------------------------------------------------------------------------------


def test_a_definition_of_ones_own() -> None:
    class Weekdays(PartitionsDefinition):
        def get_partition_keys(self, current_time: Any = None, dynamic_partitions_store: Any = None) -> list[str]:
            return ["mon", "tue", "wed"]

    mine = Weekdays()
    assert mine.get_last_partition_key() == "wed"
    assert mine.has_partition_key("tue")
    assert mine.get_partition_keys_in_range(PartitionKeyRange("tue", "wed")) == ["tue", "wed"]
    assert list(mine.subset_with_all_partitions()) == ["mon", "tue", "wed"]
    assert round_trip(mine) == StaticPartitionsDefinition(["mon", "tue", "wed"])
    with pytest.raises(InvariantError, match="get_partition_keys"):
        PartitionsDefinition().get_partition_keys()


def test_the_context_pins_and_nests() -> None:
    early, late = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    store = Store(x=["k"])
    with partition_loading_context(early, store):
        with partition_loading_context(late) as inner:
            assert effective_time(None) == late
            assert inner.dynamic_partitions_store is store
        assert effective_time(None) == early
        assert effective_time(late) == late
    assert effective_time(None) not in (early, late)
