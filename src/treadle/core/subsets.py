"""Sets of partitions, as values. A million partitions cost as much as the runs they form, not as their keys.

Four kinds, chosen by the definition: spans of instants for time windows, a bitmap of positions for static keys, one row
a combination for several dimensions, and a set of keys where nothing better is known (dynamic and user-made
definitions). Positions are of this moment's definition and never stored: the store keeps interned ids, see
`subset_from_ids` of definitions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import and_, or_, sub
from typing import Any, NamedTuple, Self, TypeAlias, TypeGuard

from pyroaring import FrozenBitMap

from treadle.core.told import told
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
        content: which ones; equal for equal sets of one definition. What it is depends on the kind of set.
    """

    __slots__ = ("content", "partitions_def")
    partitions_def: Any
    content: Any

    def __init__(self, partitions_def: Any, content: Any) -> None:
        self.partitions_def = partitions_def
        self.content = content

    @property
    def is_empty(self) -> bool:
        """Whether there is no partition in it."""
        return not self.content

    def get_partition_keys(self) -> Sequence[str]:
        """The keys, in the order of the definition."""
        return list(self)

    def get_partition_key_ranges(self, partitions_def: object = None) -> Sequence[PartitionKeyRange]:
        """The keys as the fewest ranges of neighbours. `partitions_def` is not needed."""
        return [PartitionKeyRange(key, key) for key in self]

    def empty_subset(self) -> PartitionSubset:
        """The empty subset of the same definition."""
        return self.partitions_def.empty_subset()

    def to_wire(self) -> dict[str, Any]:
        """The subset as plain data, which `subset_from_wire` of its definition reads."""
        return {"keys": list(self)}

    def __len__(self) -> int:
        return len(self.content)

    def __iter__(self) -> Iterator[str]:
        raise TypeError(f"{type(self).__name__} must define __iter__")

    def __contains__(self, key: object) -> bool:
        return any(key == known for known in self)

    def __or__(self, other: PartitionSubset) -> PartitionSubset:
        return self._combine(or_, other)

    def __and__(self, other: PartitionSubset) -> PartitionSubset:
        return self._combine(and_, other)

    def __sub__(self, other: PartitionSubset) -> PartitionSubset:
        return self._combine(sub, other)

    def _combine(self, operation: Callable[[Any, Any], Any], other: PartitionSubset) -> PartitionSubset:
        if other is self:
            return self.empty_subset() if operation is sub else self
        if self._is_like(other):
            return type(self)(self.partitions_def, self._operate(operation, other.content))
        if isinstance(self, KeySubset) or isinstance(other, KeySubset):
            return KeySubset(self.partitions_def, operation(frozenset(self), frozenset(other)))
        raise InvocationError(
            f"Cannot combine partitions of {self.partitions_def!r} with partitions of {other.partitions_def!r}. "
            "Map one to the other with a partition mapping first."
        )

    def _is_like(self, other: object) -> TypeGuard[Self]:
        """Whether the contents of both speak of the same partitions."""
        if not isinstance(other, PartitionSubset) or type(self) is not type(other):
            return False
        return self.partitions_def is other.partitions_def or self.partitions_def == other.partitions_def

    def _operate(self, operation: Callable[[Any, Any], Any], content: Any) -> Any:
        """The content of the union, intersection or difference (`operation`) with a set like this one."""
        return operation(self.content, content)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if self._is_like(other):
            return self.content == other.content
        return isinstance(other, PartitionSubset) and len(self) == len(other) and frozenset(self) == frozenset(other)

    def __hash__(self) -> int:
        return hash(frozenset(self))

    def __repr__(self) -> str:
        ranges = self.get_partition_key_ranges()
        shown = ", ".join(r.start if r.start == r.end else f"{r.start}...{r.end}" for r in ranges[:5])
        return f"<{type(self).__name__} of {len(self)}: {shown}{', ...' if len(ranges) > 5 else ''}>"


class KeySubset(PartitionSubset):
    """A set of keys, for definitions whose keys follow no rule. Iterates in alphabetical order.

    Attributes:
        content: a frozenset of keys.
    """

    __slots__ = ()

    def __init__(self, partitions_def: object, keys: Iterable[str] = ()) -> None:
        super().__init__(partitions_def, frozenset(keys))

    def _is_like(self, other: object) -> TypeGuard[Self]:
        return isinstance(other, KeySubset)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.content))

    def __contains__(self, key: object) -> bool:
        return key in self.content


class PositionSubset(PartitionSubset):
    """Partitions of a static definition.

    Attributes:
        content: a bitmap of positions in its list of keys.
    """

    __slots__ = ()

    def __init__(self, partitions_def: Any, positions: Iterable[int]) -> None:
        super().__init__(partitions_def, FrozenBitMap(positions))

    def __iter__(self) -> Iterator[str]:
        return map(self.partitions_def.partition_keys.__getitem__, self.content)

    def __contains__(self, key: object) -> bool:
        position = self.partitions_def.position_of(key)
        return position is not None and position in self.content

    def get_partition_key_ranges(self, partitions_def: object = None) -> Sequence[PartitionKeyRange]:
        keys = self.partitions_def.partition_keys
        runs = united((position, position + 1) for position in self.content)
        return [PartitionKeyRange(keys[start], keys[end - 1]) for start, end in runs]


class TimeSubset(PartitionSubset):
    """Partitions of a time-window definition: sorted spans of instants, each an exact union of windows.

    Spans that touch are one; a window that the definition excludes is in none. Windows outside the definition's bounds
    may be in it (a window that does not exist yet can be asked for).
    """

    __slots__ = ()

    spans: tuple[Span, ...] = told("content", "The content.")
    windows: WindowSequence = told("partitions_def.windows", "The row of windows these are of.")

    def _is_like(self, other: object) -> TypeGuard[Self]:
        return isinstance(other, TimeSubset) and self.windows == other.windows

    def _operate(self, operation: Callable[[Any, Any], Any], content: Any) -> Any:
        return _ON_SPANS[operation](self.spans, content)

    def __len__(self) -> int:
        return sum(self.windows.cadence.count(start, end) for start, end in self.spans)

    def __iter__(self) -> Iterator[str]:
        for start, end in self.spans:
            yield from self.windows.format.keys(start, end)

    def __contains__(self, key: object) -> bool:
        instant = self.windows.format.parse(key)
        if instant is None:
            return False
        i = bisect_right(self.spans, (instant, 1 << 62)) - 1
        return i >= 0 and instant < self.spans[i][1]

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
        return {"spans": [list(span) for span in self.spans]}


def union(left: Sequence[Span], right: Sequence[Span]) -> tuple[Span, ...]:
    """The union of two sorted rows of spans."""
    return united((*left, *right)) if left and right else tuple(left or right)


def united(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in any order as a sorted row. Those that touch or overlap become one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
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


_ON_SPANS: dict[Any, Callable[[Sequence[Span], Sequence[Span]], tuple[Span, ...]]] = {
    or_: union,
    and_: intersection,
    sub: difference,
}


class MultiSubset(PartitionSubset):
    """Partitions of a definition with several dimensions: for each combination of the outer dimensions, a subset of the
    inner one (the time dimension if there is one). Rows with equal content may share one object, so a full product is
    small.
    """

    __slots__ = ()

    def __init__(self, partitions_def: Any, rows: Mapping[Row, PartitionSubset]) -> None:
        super().__init__(partitions_def, {outer: inner for outer, inner in rows.items() if not inner.is_empty})

    rows: Mapping[Row, PartitionSubset] = told("content", "The content: a subset for each combination that has any.")

    def _operate(self, operation: Callable[[Any, Any], Any], content: Any) -> Any:
        rows = {outer: operation(self.rows[outer], content[outer]) for outer in self.rows.keys() & content.keys()}
        if operation is and_:
            return rows
        return {**(content if operation is or_ else {}), **self.rows, **rows}

    def __len__(self) -> int:
        return sum(map(len, self.rows.values()))

    def __iter__(self) -> Iterator[str]:
        return iter(self.partitions_def.keys_of_rows(self.rows))

    def __contains__(self, key: object) -> bool:
        outer, inner = (self.partitions_def.split(key) if isinstance(key, str) else None) or ((), "")
        return outer in self.rows and inner in self.rows[outer]

    def get_partition_key_ranges(self, partitions_def: object = None) -> Sequence[PartitionKeyRange]:
        """The keys as ranges: in every row of the outer dimensions, runs of neighbours of the inner one."""
        join = self.partitions_def.join
        return [
            PartitionKeyRange(join(outer, run.start), join(outer, run.end))
            for outer in self.partitions_def.sorted_rows(self.rows)
            for run in self.rows[outer].get_partition_key_ranges()
        ]
