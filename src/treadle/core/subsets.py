"""Sets of partitions, as values. A million partitions cost as much as the runs they form, not as their keys.

Four kinds, chosen by the definition: spans of instants for time windows, a bitmap of positions for static keys, one row
a combination for several dimensions, and a set of keys where nothing better is known (dynamic and user-made
definitions). Positions are of this moment's definition and never stored: the store keeps interned ids, see `to_ids`
here and `subset_from_ids` of definitions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from pyroaring import BitMap

from treadle.core.windows import WindowSequence
from treadle.errors import InvocationError

Span: TypeAlias = tuple[int, int]
Row: TypeAlias = tuple[str, ...]


class PartitionKeyRange(NamedTuple):
    """Partition keys from `start` to `end`, both included, in the order of their definition."""

    start: str
    end: str


class PartitionSubset:
    """A set of partitions of one definition. Immutable, equal by value; combine with `|`, `&`, `-`.

    Attributes:
        partitions_def: the definition whose partitions these are.
    """

    __slots__ = ("partitions_def",)
    partitions_def: Any

    @property
    def is_empty(self) -> bool:
        """Whether there is no partition in it."""
        return len(self) == 0

    def get_partition_keys(self) -> Sequence[str]:
        """The keys, in the order of the definition."""
        return list(self)

    def get_partition_key_ranges(self, partitions_def: object = None) -> Sequence[PartitionKeyRange]:
        """The keys as the fewest ranges of neighbours. `partitions_def` is not needed."""
        return [PartitionKeyRange(key, key) for key in self]

    def with_partition_keys(self, partition_keys: Iterable[str]) -> PartitionSubset:
        """This subset and these keys."""
        return self | self.partitions_def.subset_with_partition_keys(partition_keys)

    def empty_subset(self) -> PartitionSubset:
        """The empty subset of the same definition."""
        return self.partitions_def.empty_subset()

    def to_ids(self, ids_of: Callable[[Sequence[str]], Iterable[int]]) -> BitMap:
        """The subset as stored: a bitmap of the interned ids that `ids_of` gives for keys."""
        return BitMap(ids_of(self.get_partition_keys()))

    def to_wire(self) -> dict[str, Any]:
        """The subset as plain data, which `subset_from_wire` of its definition reads."""
        return {"keys": list(self)}

    def __len__(self) -> int:
        raise TypeError(f"{type(self).__name__} must define __len__")

    def __iter__(self) -> Iterator[str]:
        raise TypeError(f"{type(self).__name__} must define __iter__")

    def __contains__(self, key: object) -> bool:
        return any(key == known for known in self)

    def __or__(self, other: PartitionSubset) -> PartitionSubset:
        return KeySubset(self.partitions_def, frozenset(self) | frozenset(other))

    def __and__(self, other: PartitionSubset) -> PartitionSubset:
        return KeySubset(self.partitions_def, frozenset(self) & frozenset(other))

    def __sub__(self, other: PartitionSubset) -> PartitionSubset:
        return KeySubset(self.partitions_def, frozenset(self) - frozenset(other))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, PartitionSubset) and len(self) == len(other) and frozenset(self) == frozenset(other)

    def __hash__(self) -> int:
        return hash(frozenset(self))

    def __repr__(self) -> str:
        ranges = self.get_partition_key_ranges()
        shown = ", ".join(r.start if r.start == r.end else f"{r.start}...{r.end}" for r in ranges[:5])
        return f"<{type(self).__name__} of {len(self)}: {shown}{', ...' if len(ranges) > 5 else ''}>"


def _refuse(left: PartitionSubset, right: PartitionSubset) -> InvocationError:
    return InvocationError(
        f"Cannot combine partitions of {left.partitions_def!r} with partitions of {right.partitions_def!r}. "
        "Map one to the other with a partition mapping first."
    )


# --- keys ----------------------------------------------------------------------------------------------------------


class KeySubset(PartitionSubset):
    """A set of keys, for definitions whose keys follow no rule. Iterates in alphabetical order."""

    __slots__ = ("keys",)
    keys: frozenset[str]

    def __init__(self, partitions_def: object, keys: Iterable[str] = ()) -> None:
        self.partitions_def = partitions_def
        self.keys = keys if isinstance(keys, frozenset) else frozenset(keys)

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.keys))

    def __contains__(self, key: object) -> bool:
        return key in self.keys

    def __hash__(self) -> int:
        return hash(self.keys)

    __eq__ = PartitionSubset.__eq__


# --- static --------------------------------------------------------------------------------------------------------


class PositionSubset(PartitionSubset):
    """Partitions of a static definition: a bitmap of positions in its list of keys."""

    __slots__ = ("positions",)
    positions: BitMap

    def __init__(self, partitions_def: Any, positions: BitMap) -> None:
        self.partitions_def = partitions_def
        self.positions = positions

    def _of(self, other: PartitionSubset) -> BitMap | None:
        """The positions of `other`, or None if it is a set of bare keys."""
        if isinstance(other, PositionSubset):
            if other.partitions_def is self.partitions_def or other.partitions_def == self.partitions_def:
                return other.positions
            raise _refuse(self, other)
        if isinstance(other, KeySubset):
            return None
        raise _refuse(self, other)

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[str]:
        return map(self.partitions_def.partition_keys.__getitem__, self.positions)

    def __contains__(self, key: object) -> bool:
        position = self.partitions_def.position_of(key)
        return position is not None and position in self.positions

    def __or__(self, other: PartitionSubset) -> PartitionSubset:
        positions = self._of(other)
        return (
            super().__or__(other)
            if positions is None
            else PositionSubset(self.partitions_def, self.positions | positions)
        )

    def __and__(self, other: PartitionSubset) -> PartitionSubset:
        positions = self._of(other)
        return (
            super().__and__(other)
            if positions is None
            else PositionSubset(self.partitions_def, self.positions & positions)
        )

    def __sub__(self, other: PartitionSubset) -> PartitionSubset:
        positions = self._of(other)
        return (
            super().__sub__(other)
            if positions is None
            else PositionSubset(self.partitions_def, self.positions - positions)
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PositionSubset) and self.partitions_def == other.partitions_def:
            return self.positions == other.positions
        return super().__eq__(other)

    def __hash__(self) -> int:
        return PartitionSubset.__hash__(self)

    def position_ranges(self) -> Iterator[Span]:
        """Runs of neighbouring positions, both ends included."""
        start = end = None
        for position in self.positions:
            if end is not None and position == end + 1:
                end = position
                continue
            if start is not None and end is not None:
                yield start, end
            start = end = position
        if start is not None and end is not None:
            yield start, end

    def get_partition_key_ranges(self, partitions_def: object = None) -> Sequence[PartitionKeyRange]:
        """The keys as the fewest ranges of neighbours."""
        keys = self.partitions_def.partition_keys
        return [PartitionKeyRange(keys[start], keys[end]) for start, end in self.position_ranges()]


# --- time ----------------------------------------------------------------------------------------------------------


class TimeSubset(PartitionSubset):
    """Partitions of a time-window definition: sorted spans of instants, each an exact union of windows.

    Spans that touch are one; a window that the definition excludes is in none. Windows outside the definition's bounds
    may be in it (a window that does not exist yet can be asked for).
    """

    __slots__ = ("_count", "spans")
    spans: tuple[Span, ...]

    def __init__(self, partitions_def: Any, spans: tuple[Span, ...]) -> None:
        self.partitions_def = partitions_def
        self.spans = spans
        self._count = -1

    @property
    def windows(self) -> WindowSequence:
        """The row of windows these are of."""
        return self.partitions_def.windows

    def _of(self, other: PartitionSubset) -> tuple[Span, ...] | None:
        if isinstance(other, TimeSubset):
            if other.windows is self.windows or other.windows == self.windows:
                return other.spans
            raise _refuse(self, other)
        if isinstance(other, KeySubset):
            return None
        raise _refuse(self, other)

    @property
    def is_empty(self) -> bool:
        """Whether there is no partition in it."""
        return not self.spans

    def ticks(self) -> Iterator[int]:
        """The starts of the windows."""
        for start, end in self.spans:
            yield from self.windows.cadence.ticks(start, end)

    def holds(self, instant: int) -> bool:
        """Whether the window that starts at this instant is in it."""
        i = bisect_right(self.spans, (instant, 1 << 62)) - 1
        return i >= 0 and instant < self.spans[i][1]

    def __len__(self) -> int:
        if self._count < 0:
            self._count = sum(self.windows.cadence.count(start, end) for start, end in self.spans)
        return self._count

    def __iter__(self) -> Iterator[str]:
        for start, end in self.spans:
            yield from self.windows.format.keys(start, end)

    def __contains__(self, key: object) -> bool:
        instant = self.windows.format.parse(key) if isinstance(key, str) else None
        return instant is not None and self.holds(instant)

    def __or__(self, other: PartitionSubset) -> PartitionSubset:
        spans = self._of(other)
        return super().__or__(other) if spans is None else TimeSubset(self.partitions_def, union(self.spans, spans))

    def __and__(self, other: PartitionSubset) -> PartitionSubset:
        spans = self._of(other)
        return (
            super().__and__(other)
            if spans is None
            else TimeSubset(self.partitions_def, intersection(self.spans, spans))
        )

    def __sub__(self, other: PartitionSubset) -> PartitionSubset:
        spans = self._of(other)
        return (
            super().__sub__(other) if spans is None else TimeSubset(self.partitions_def, difference(self.spans, spans))
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TimeSubset) and self.windows == other.windows:
            return self.spans == other.spans
        return super().__eq__(other)

    def __hash__(self) -> int:
        return PartitionSubset.__hash__(self)

    def get_partition_key_ranges(self, partitions_def: object = None) -> Sequence[PartitionKeyRange]:
        """The keys as the fewest ranges of neighbours. Windows that the definition excludes do not part neighbours."""
        key, cadence = self.windows.format.key, self.windows.cadence
        runs: list[Span] = []
        for start, end in self.spans:
            if runs and not self.windows.spans(runs[-1][1], start):
                runs[-1] = (runs[-1][0], end)
            else:
                runs.append((start, end))
        return [PartitionKeyRange(key(start), key(cadence.previous(end))) for start, end in runs]

    def to_wire(self) -> dict[str, Any]:
        """The subset as plain data, which `subset_from_wire` of its definition reads."""
        return {"spans": [list(span) for span in self.spans]}


def union(left: Sequence[Span], right: Sequence[Span]) -> tuple[Span, ...]:
    """The union of two sorted rows of spans. Spans that touch become one."""
    if not left or not right:
        return tuple(left or right)
    merged: list[Span] = []
    for start, end in sorted((*left, *right)):
        if merged and start <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return tuple(merged)


def intersection(left: Sequence[Span], right: Sequence[Span]) -> tuple[Span, ...]:
    """What is in both of two sorted rows of spans."""
    found: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            found.append((start, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def difference(left: Sequence[Span], right: Sequence[Span]) -> tuple[Span, ...]:
    """What is in the first of two sorted rows of spans and not in the second."""
    found: list[Span] = []
    j = 0
    for start, end in left:
        while j < len(right) and right[j][1] <= start:
            j += 1
        k = j
        while k < len(right) and right[k][0] < end:
            if right[k][0] > start:
                found.append((start, right[k][0]))
            start = max(start, right[k][1])
            k += 1
        if start < end:
            found.append((start, end))
    return tuple(found)


# --- several dimensions ----------------------------------------------------------------------------------------------


class MultiSubset(PartitionSubset):
    """Partitions of a definition with several dimensions: for each combination of the outer dimensions, a subset of the
    inner one (the time dimension if there is one). Rows with equal content may share one object, so a full product is
    small.
    """

    __slots__ = ("rows",)
    rows: Mapping[Row, PartitionSubset]

    def __init__(self, partitions_def: Any, rows: Mapping[Row, PartitionSubset]) -> None:
        self.partitions_def = partitions_def
        self.rows = {outer: inner for outer, inner in rows.items() if not inner.is_empty}

    def _of(self, other: PartitionSubset) -> Mapping[Row, PartitionSubset] | None:
        if isinstance(other, MultiSubset):
            if other.partitions_def is self.partitions_def or other.partitions_def == self.partitions_def:
                return other.rows
            raise _refuse(self, other)
        if isinstance(other, KeySubset):
            return None
        raise _refuse(self, other)

    @property
    def is_empty(self) -> bool:
        """Whether there is no partition in it."""
        return not self.rows

    def __len__(self) -> int:
        return sum(map(len, self.rows.values()))

    def __iter__(self) -> Iterator[str]:
        return iter(self.partitions_def.keys_of_rows(self.rows))

    def __contains__(self, key: object) -> bool:
        parts = self.partitions_def.split(key) if isinstance(key, str) else None
        if parts is None:
            return False
        outer, inner = parts
        return outer in self.rows and inner in self.rows[outer]

    def __or__(self, other: PartitionSubset) -> PartitionSubset:
        rows = self._of(other)
        if rows is None:
            return super().__or__(other)
        merged = {**rows, **self.rows}
        for outer in self.rows.keys() & rows.keys():
            if self.rows[outer] is not rows[outer]:
                merged[outer] = self.rows[outer] | rows[outer]
        return MultiSubset(self.partitions_def, merged)

    def __and__(self, other: PartitionSubset) -> PartitionSubset:
        rows = self._of(other)
        if rows is None:
            return super().__and__(other)
        shared = self.rows.keys() & rows.keys()
        return MultiSubset(self.partitions_def, {outer: self.rows[outer] & rows[outer] for outer in shared})

    def __sub__(self, other: PartitionSubset) -> PartitionSubset:
        rows = self._of(other)
        if rows is None:
            return super().__sub__(other)
        left = {outer: inner - rows[outer] if outer in rows else inner for outer, inner in self.rows.items()}
        return MultiSubset(self.partitions_def, left)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MultiSubset) and self.partitions_def == other.partitions_def:
            return self.rows == other.rows
        return super().__eq__(other)

    def __hash__(self) -> int:
        return PartitionSubset.__hash__(self)

    def get_partition_key_ranges(self, partitions_def: object = None) -> Sequence[PartitionKeyRange]:
        """The keys as ranges: in every row of the outer dimensions, runs of neighbours of the inner one."""
        join = self.partitions_def.join
        return [
            PartitionKeyRange(join(outer, run.start), join(outer, run.end))
            for outer in self.partitions_def.sorted_rows(self.rows)
            for run in self.rows[outer].get_partition_key_ranges()
        ]
