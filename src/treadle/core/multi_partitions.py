"""Partitions with several dimensions: one for every combination of their keys.

A key is the dimensions' keys joined by `|`, in the order of the dimensions' names. Sets are rows: for every combination
of the outer dimensions a subset of the inner one, which is the time dimension if there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple, Self

from treadle.core import tags
from treadle.core.codec import register
from treadle.core.partitions import (
    KINDS,
    Now,
    PartitionLoadingContext,
    PartitionsDefinition,
    StaticPartitionsDefinition,
    Store,
)
from treadle.core.subsets import MultiSubset, PartitionKeyRange, PartitionSubset, Row
from treadle.core.time import TimeWindow
from treadle.core.time_partitions import TimeWindowPartitionsDefinition
from treadle.errors import DefinitionError, InvocationError, UnknownPartitionError

SEPARATOR = "|"
_RESERVED = "|[],"


class PartitionDimensionKey(NamedTuple):
    """The key of one dimension."""

    dimension_name: str
    partition_key: str


class PartitionDimensionDefinition(NamedTuple):
    """One dimension: its name and its partitions."""

    name: str
    partitions_def: PartitionsDefinition


class MultiPartitionKey(str):
    """The key of a partition with several dimensions: a string, which also knows its parts.

    Args:
        keys_by_dimension: the key of each dimension. The string joins them by `|` in the order of the dimensions'
        names.
    """

    __slots__ = ("dimension_keys",)
    dimension_keys: list[PartitionDimensionKey]

    def __new__(cls, keys_by_dimension: Mapping[str, str]) -> MultiPartitionKey:
        parts = [PartitionDimensionKey(name, keys_by_dimension[name]) for name in sorted(keys_by_dimension)]
        self = super().__new__(cls, SEPARATOR.join(part.partition_key for part in parts))
        self.dimension_keys = parts
        return self

    @property
    def keys_by_dimension(self) -> Mapping[str, str]:
        """The key of each dimension."""
        return dict(self.dimension_keys)

    def __getnewargs__(self) -> tuple[dict[str, str]]:  # type: ignore[override]
        return (dict(self.dimension_keys),)


class MultiPartitionsDefinition(PartitionsDefinition):
    """One partition for every combination of the keys of two or more dimensions.

    Args:
        partitions_defs: the partitions of each dimension, by its name.

    Raises:
        DefinitionError: there are fewer than two dimensions, one has dimensions itself, or a key holds one of `|[],`.
    """

    __slots__ = ("_defs", "_inner", "_outer", "partition_dimension_names")
    kind = "multi"
    partition_dimension_names: list[str]

    def __init__(self, partitions_defs: Mapping[str, PartitionsDefinition]) -> None:
        if len(partitions_defs) < 2:
            raise DefinitionError(
                f"MultiPartitionsDefinition needs two dimensions or more, not {len(partitions_defs)}. "
                "Use the definition of the one dimension itself."
            )
        for name, definition in partitions_defs.items():
            if not isinstance(definition, PartitionsDefinition) or isinstance(definition, MultiPartitionsDefinition):
                raise DefinitionError(
                    f"Dimension {name!r} is {definition!r}: a dimension is a partitions definition of one kind."
                )
            if isinstance(definition, StaticPartitionsDefinition):
                wrong = _first_reserved(definition.partition_keys)
                if wrong is not None:
                    raise DefinitionError(
                        f"Partition key {wrong!r} of dimension {name!r} contains one of {' '.join(_RESERVED)}, which "
                        "separate dimensions. Choose another name."
                    )
        self.partition_dimension_names = sorted(partitions_defs)
        self._defs = tuple(partitions_defs[name] for name in self.partition_dimension_names)
        self._inner = max(range(len(self._defs)), key=lambda i: (_weight(self._defs[i]), i))
        self._outer = tuple(i for i in range(len(self._defs)) if i != self._inner)

    # --- dimensions

    @property
    def partitions_defs(self) -> Sequence[PartitionDimensionDefinition]:
        """The dimensions, by name."""
        return list(map(PartitionDimensionDefinition, self.partition_dimension_names, self._defs))

    def get_partitions_def_for_dimension(self, dimension_name: str) -> PartitionsDefinition:
        """The partitions of a dimension.

        Raises:
            InvocationError: there is no such dimension.
        """
        if dimension_name not in self.partition_dimension_names:
            known = ", ".join(map(repr, self.partition_dimension_names))
            raise InvocationError(f"There is no dimension {dimension_name!r}: the dimensions are {known}.")
        return self._defs[self.partition_dimension_names.index(dimension_name)]

    @property
    def inner_dimension(self) -> str:
        """The dimension that rows of subsets hold subsets of."""
        return self.partition_dimension_names[self._inner]

    @property
    def outer_dimensions(self) -> tuple[str, ...]:
        """The dimensions whose keys name the rows of subsets."""
        return tuple(self.partition_dimension_names[i] for i in self._outer)

    @property
    def primary_dimension(self) -> PartitionDimensionDefinition:
        """The time dimension, else the first one."""
        # False sorts first
        return min(self.partitions_defs, key=lambda one: not isinstance(one[1], TimeWindowPartitionsDefinition))

    @property
    def has_time_window_dimension(self) -> bool:
        """Whether exactly one dimension is by time."""
        return sum(isinstance(one, TimeWindowPartitionsDefinition) for one in self._defs) == 1

    @property
    def time_window_dimension(self) -> PartitionDimensionDefinition:
        """The one dimension by time.

        Raises:
            InvocationError: there is none, or more than one.
        """
        if not self.has_time_window_dimension:
            raise InvocationError(f"{self!s} has not exactly one time dimension. Name the dimension you mean.")
        return self.primary_dimension

    @property
    def time_window_partitions_def(self) -> TimeWindowPartitionsDefinition:
        """The partitions of the one dimension by time."""
        definition = self.time_window_dimension.partitions_def
        assert isinstance(definition, TimeWindowPartitionsDefinition)
        return definition

    def time_window_for_partition_key(self, partition_key: str) -> TimeWindow:
        """The window of the time dimension of this key."""
        name = self.time_window_dimension.name
        key = self.get_partition_key_from_str(partition_key).keys_by_dimension[name]
        return self.time_window_partitions_def.time_window_for_partition_key(key)

    # --- keys

    def _parts(self, partition_key: str) -> list[str] | None:
        if isinstance(partition_key, MultiPartitionKey):
            parts = partition_key.keys_by_dimension
            return list(parts.values()) if list(parts) == self.partition_dimension_names else None
        found = partition_key.split(SEPARATOR)
        return found if len(found) == len(self._defs) else None

    def get_partition_key_from_str(self, partition_key_str: str) -> MultiPartitionKey:
        """The key written as this string.

        Raises:
            UnknownPartitionError: it has not one part a dimension.
        """
        parts = self._parts(partition_key_str)
        if parts is None:
            raise UnknownPartitionError(
                f"{partition_key_str!r} is no key of {self!s}: write one key a dimension, joined by '|', in the order "
                f"{'|'.join(self.partition_dimension_names)}."
            )
        return self._key(parts)

    def _key(self, parts: Sequence[str]) -> MultiPartitionKey:
        return MultiPartitionKey(dict(zip(self.partition_dimension_names, parts, strict=True)))

    def get_partition_keys(
        self, current_time: Now = None, dynamic_partitions_store: Store = None
    ) -> Sequence[MultiPartitionKey]:
        """All combinations of the dimensions' keys: the first dimension by name varies slowest."""
        return self._product(one.get_partition_keys(current_time, dynamic_partitions_store) for one in self._defs)

    def _product(self, keys: Iterable[Iterable[str]]) -> list[MultiPartitionKey]:
        return [self._key(parts) for parts in product(*keys)]

    def get_first_partition_key(
        self, current_time: Now = None, dynamic_partitions_store: Store = None
    ) -> MultiPartitionKey | None:
        return self._joined(one.get_first_partition_key(current_time, dynamic_partitions_store) for one in self._defs)

    def get_last_partition_key(
        self, current_time: Now = None, dynamic_partitions_store: Store = None
    ) -> MultiPartitionKey | None:
        return self._joined(one.get_last_partition_key(current_time, dynamic_partitions_store) for one in self._defs)

    def _joined(self, parts: Iterable[str | None]) -> MultiPartitionKey | None:
        found = [part for part in parts if part is not None]
        return self._key(found) if len(found) == len(self._defs) else None

    def _count(self, at: PartitionLoadingContext) -> int:
        return prod(one.get_num_partitions(*at) for one in self._defs)

    def _has(self, key: str, at: PartitionLoadingContext) -> bool:
        parts = self._parts(key) if isinstance(key, str) else None
        return parts is not None and all(
            one.has_partition_key(part, *at) for one, part in zip(self._defs, parts, strict=True)
        )

    def _ranges(self, ends: PartitionKeyRange) -> Iterator[tuple[PartitionsDefinition, PartitionKeyRange]]:
        """Each dimension with its range: a range of keys is every combination of the dimensions' ranges."""
        starts, stops = (self.get_partition_key_from_str(key).dimension_keys for key in ends)
        for one, start, stop in zip(self._defs, starts, stops, strict=True):
            yield one, PartitionKeyRange(start.partition_key, stop.partition_key)

    def _keys_between(self, ends: PartitionKeyRange, at: PartitionLoadingContext) -> Sequence[str]:
        return self._product(
            one.get_partition_keys_in_range(part, at.dynamic_partitions_store) for one, part in self._ranges(ends)
        )

    def _subset_between(self, ends: PartitionKeyRange, at: PartitionLoadingContext) -> PartitionSubset:
        return self.product([one.subset_in_range(part, *at) for one, part in self._ranges(ends)])

    def get_multipartition_keys_with_dimension_value(
        self,
        dimension_name: str,
        dimension_partition_key: str,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> Sequence[MultiPartitionKey]:
        """All keys whose part in one dimension is this."""
        self.get_partitions_def_for_dimension(dimension_name)
        return self._product(
            [dimension_partition_key]
            if name == dimension_name
            else one.get_partition_keys(current_time, dynamic_partitions_store)
            for name, one in self.partitions_defs
        )

    def get_tags_for_partition_key(self, partition_key: str) -> Mapping[str, str]:
        """The tags of a run of this partition: the key, and each dimension's."""
        key = self.get_partition_key_from_str(partition_key)
        return {tags.PARTITION: str(key)} | {
            tags.partition_dimension(part.dimension_name): part.partition_key for part in key.dimension_keys
        }

    def _nearby_keys(self, at: PartitionLoadingContext) -> Sequence[str]:
        ends = self.get_first_partition_key(*at), self.get_last_partition_key(*at)
        return [key for key in ends if key is not None]

    # --- subsets

    def split(self, partition_key: str) -> tuple[Row, str] | None:
        """The row a key belongs to and its key in the inner dimension, or None if it is no key."""
        parts = self._parts(partition_key)
        return None if parts is None else (tuple(parts[i] for i in self._outer), parts[self._inner])

    def join(self, outer: Row, inner: str) -> str:
        """The key in this row with this key in the inner dimension."""
        parts = list(outer)
        parts.insert(self._inner, inner)
        return SEPARATOR.join(parts)

    def sorted_rows(self, rows: Iterable[Row]) -> list[Row]:
        """The rows, in the order of the outer dimensions' keys."""
        return sorted(rows, key=self._row_rank)

    def _row_rank(self, row: Row) -> list[int | str]:
        return [_rank(self._defs[i], part) for i, part in zip(self._outer, row, strict=True)]

    def keys_of_rows(self, rows: Mapping[Row, PartitionSubset]) -> Sequence[str]:
        """The keys of a subset's rows, in order."""
        if self._inner == len(self._defs) - 1:
            return [self.join(row, key) for row in self.sorted_rows(rows) for key in rows[row]]
        found: list[list[Any]] = []
        for row, subset in rows.items():
            outer = self._row_rank(row)
            before, after = outer[: self._inner], outer[self._inner :]
            found += ([*before, _rank(self._defs[self._inner], key), *after, self.join(row, key)] for key in subset)
        return [key for *_, key in sorted(found)]

    def _rows_of(self, keys: Iterable[str]) -> tuple[dict[Row, list[str]], set[str]]:
        """The keys of the inner dimension by row, and what is no key at all."""
        rows: dict[Row, list[str]] = {}
        strange: set[str] = set()
        for key in keys:
            parts = self.split(key)
            if parts is None:
                strange.add(key)
            else:
                rows.setdefault(parts[0], []).append(parts[1])
        return rows, strange

    def subset_with_partition_keys(self, partition_keys: Iterable[str]) -> MultiSubset:
        rows, strange = self._rows_of(partition_keys)
        for key in strange:
            self.get_partition_key_from_str(key)  # raises
        for i, parts in zip(self._outer, zip(*rows, strict=True), strict=False):
            self._defs[i].subset_with_partition_keys(set(parts))
        inner = self._defs[self._inner]
        return MultiSubset(self, {outer: inner.subset_with_partition_keys(keys) for outer, keys in rows.items()})

    def subset_of_known(self, partition_keys: Iterable[str]) -> tuple[MultiSubset, frozenset[str]]:
        rows, unknown = self._rows_of(partition_keys)
        found: dict[Row, PartitionSubset] = {}
        for outer, keys in rows.items():
            strange: Iterable[str] = keys
            if not any(self._defs[i].subset_of_known([part])[1] for i, part in zip(self._outer, outer, strict=True)):
                found[outer], strange = self._defs[self._inner].subset_of_known(keys)
            unknown.update(self.join(outer, key) for key in strange)
        return MultiSubset(self, found), frozenset(unknown)

    def _all(self, at: PartitionLoadingContext) -> PartitionSubset:
        inner = self._defs[self._inner].subset_with_all_partitions(*at)
        outer = (self._defs[i].get_partition_keys(*at) for i in self._outer)
        return MultiSubset(self, dict.fromkeys(product(*outer), inner))

    def product(self, subsets: Sequence[PartitionSubset]) -> MultiSubset:
        """All combinations of one subset a dimension, in the order of the dimensions' names."""
        inner = subsets[self._inner]
        return MultiSubset(self, dict.fromkeys(product(*(subsets[i] for i in self._outer)), inner))

    # --- values

    def to_wire(self) -> dict[str, Any]:
        return {"kind": self.kind, "dimensions": {name: one.to_wire() for name, one in self.partitions_defs}}

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Self:
        return cls({name: KINDS.read(one) for name, one in data["dimensions"].items()})

    def _value(self) -> tuple[object, ...]:
        return (self.kind, tuple(self.partition_dimension_names), self._defs)

    def __repr__(self) -> str:
        return f"MultiPartitionsDefinition({dict(self.partitions_defs)!r})"

    def __str__(self) -> str:
        return "partitions with dimensions " + ", ".join(f"{name}: {one!s}" for name, one in self.partitions_defs)


def _first_reserved(keys: Sequence[str]) -> str | None:
    joined = " ".join(keys)
    return next((key for char in _RESERVED if char in joined for key in keys if char in key), None)


def _weight(definition: PartitionsDefinition) -> tuple[int, int]:
    """Which dimension is held as a subset: time first, then the most static keys, dynamic last."""
    if isinstance(definition, TimeWindowPartitionsDefinition):
        return (2, 0)
    return (1, len(definition.partition_keys)) if isinstance(definition, StaticPartitionsDefinition) else (0, 0)


@lru_cache(maxsize=65536)
def _rank(definition: PartitionsDefinition, key: str) -> int | str:
    """Something that sorts as keys of a dimension do."""
    if isinstance(definition, TimeWindowPartitionsDefinition):
        return definition.windows.format.parse(key) or 0
    if isinstance(definition, StaticPartitionsDefinition):
        return definition.position_of(key) or 0
    return key


# on the wire a key is its text, which its definition can read again
register(MultiPartitionKey, str, lambda text: text)
KINDS.add(MultiPartitionsDefinition)
