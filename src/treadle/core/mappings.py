"""Partition mappings: which partitions of an upstream asset a partition of a downstream asset needs, and the reverse.

A mapping is a relation between two definitions. `upstream` gives the image of a set of downstream partitions, and the
partitions it would need that do not exist; `downstream` gives the partitions that need any of a set of upstream ones.
Both work on subsets, so their cost follows the runs of partitions and not their number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from treadle.core.partitions import DynamicPartitionsStore, PartitionsDefinition
from treadle.core.subsets import (
    KeySubset,
    PartitionSubset,
    Span,
    TimeSubset,
    difference,
    intersection,
    union,
)
from treadle.core.time_partitions import TimeWindowPartitionsDefinition
from treadle.core.windows import WindowSequence
from treadle.errors import DefinitionError, InvariantError, InvocationError

Now: TypeAlias = datetime | None
Store: TypeAlias = DynamicPartitionsStore | None


@dataclass(frozen=True, slots=True)
class UpstreamPartitionsResult:
    """What a set of downstream partitions needs.

    Attributes:
        partitions_subset: the upstream partitions that exist.
        required_but_nonexistent_subset: those that are needed and do not exist. A run of such partitions must fail.
    """

    partitions_subset: PartitionSubset
    required_but_nonexistent_subset: PartitionSubset

    @property
    def required_but_nonexistent_partition_keys(self) -> Sequence[str]:
        """The keys that are needed and do not exist."""
        return list(self.required_but_nonexistent_subset)


def _result(found: PartitionSubset, missing: PartitionSubset | None = None) -> UpstreamPartitionsResult:
    return UpstreamPartitionsResult(found, KeySubset(found.partitions_def) if missing is None else missing)


class PartitionMapping:
    """Which upstream partitions a downstream partition needs.

    Subclass it and define either pair of methods: `upstream` and `downstream`, or the same two under their long names.
    A mapping of your own is only evaluated where your code is loaded.
    """

    kind = "custom"

    @property
    def description(self) -> str:
        """What the mapping does, in a sentence."""
        return type(self).__name__

    def upstream(
        self,
        downstream_subset: PartitionSubset | None,
        downstream_def: PartitionsDefinition | None,
        upstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> UpstreamPartitionsResult:
        """The upstream partitions that these downstream ones need. Both are None if downstream has no partitions."""
        self._refuse_loop("get_upstream_mapped_partitions_result_for_partitions", "upstream")
        return self.get_upstream_mapped_partitions_result_for_partitions(
            downstream_subset, downstream_def, upstream_def, current_time, dynamic_partitions_store
        )

    def downstream(
        self,
        upstream_subset: PartitionSubset,
        upstream_def: PartitionsDefinition,
        downstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> PartitionSubset:
        """The downstream partitions that need any of these upstream ones."""
        self._refuse_loop("get_downstream_partitions_for_partitions", "downstream")
        return self.get_downstream_partitions_for_partitions(
            upstream_subset, upstream_def, downstream_def, current_time, dynamic_partitions_store
        )

    def get_upstream_mapped_partitions_result_for_partitions(
        self,
        downstream_partitions_subset: PartitionSubset | None,
        downstream_partitions_def: PartitionsDefinition | None,
        upstream_partitions_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> UpstreamPartitionsResult:
        """The long name of `upstream`."""
        return self.upstream(
            downstream_partitions_subset,
            downstream_partitions_def,
            upstream_partitions_def,
            current_time,
            dynamic_partitions_store,
        )

    def get_downstream_partitions_for_partitions(
        self,
        upstream_partitions_subset: PartitionSubset,
        upstream_partitions_def: PartitionsDefinition,
        downstream_partitions_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> PartitionSubset:
        """The long name of `downstream`."""
        return self.downstream(
            upstream_partitions_subset,
            upstream_partitions_def,
            downstream_partitions_def,
            current_time,
            dynamic_partitions_store,
        )

    def _refuse_loop(self, long_name: str, short_name: str) -> None:
        if getattr(type(self), long_name) is getattr(PartitionMapping, long_name):
            raise InvariantError(f"{type(self).__name__} defines neither {short_name} nor {long_name}. Define one.")

    def validate_partition_mapping(
        self, upstream_partitions_def: PartitionsDefinition, downstream_partitions_def: PartitionsDefinition | None
    ) -> None:
        """Raise unless the mapping can be between these definitions.

        Raises:
            DefinitionError: it cannot.
        """

    def to_wire(self) -> dict[str, Any]:
        """The mapping as plain data."""
        return {"kind": self.kind}

    def _value(self) -> object:
        return self.to_wire()

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other) or not isinstance(other, PartitionMapping) or self.kind == "custom":
            return False
        return self._value() == other._value()

    def __hash__(self) -> int:
        return object.__hash__(self) if self.kind == "custom" else hash(repr(self._value()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def misfit(mapping: PartitionMapping, why: str) -> DefinitionError:
    """The error of a mapping between definitions that it does not fit."""
    return DefinitionError(f"{type(mapping).__name__} cannot be used here: {why}")


def _is_given(subset: PartitionSubset | None) -> bool:
    return subset is None or not subset.is_empty


def _within(
    subset: PartitionSubset, definition: PartitionsDefinition, now: Now, store: Store
) -> UpstreamPartitionsResult:
    """The partitions of `definition` with the keys of `subset`, parted into those that exist and those that do not."""
    existing = definition.subset_with_all_partitions(now, store)
    if isinstance(subset, TimeSubset) and isinstance(existing, TimeSubset) and subset.windows == existing.windows:
        wanted: PartitionSubset = TimeSubset(definition, subset.spans)
    elif isinstance(subset, KeySubset) or subset.partitions_def != definition:
        wanted, unknown = definition.subset_of_known(subset)
        if unknown:
            missing = frozenset(wanted - existing) | unknown
            return _result(wanted & existing, KeySubset(definition, missing))
    else:
        wanted = subset
    return _result(wanted & existing, wanted - existing)


class IdentityPartitionMapping(PartitionMapping):
    """A downstream partition needs the upstream partition with the same key."""

    kind = "identity"

    @property
    def description(self) -> str:
        """What the mapping does, in a sentence."""
        return "The partition with the same key."

    def upstream(
        self,
        downstream_subset: PartitionSubset | None,
        downstream_def: PartitionsDefinition | None,
        upstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> UpstreamPartitionsResult:
        """The upstream partitions with the same keys."""
        if downstream_subset is None:
            raise misfit(
                self, "the downstream asset has no partitions. Use AllPartitionMapping or LastPartitionMapping."
            )
        return _within(downstream_subset, upstream_def, current_time, dynamic_partitions_store)

    def downstream(
        self,
        upstream_subset: PartitionSubset,
        upstream_def: PartitionsDefinition,
        downstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> PartitionSubset:
        """The downstream partitions with the same keys."""
        return _within(upstream_subset, downstream_def, current_time, dynamic_partitions_store).partitions_subset


class AllPartitionMapping(PartitionMapping):
    """Every downstream partition needs all upstream partitions."""

    kind = "all"

    @property
    def description(self) -> str:
        """What the mapping does, in a sentence."""
        return "All partitions."

    def upstream(
        self,
        downstream_subset: PartitionSubset | None,
        downstream_def: PartitionsDefinition | None,
        upstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> UpstreamPartitionsResult:
        """All upstream partitions, if any downstream one is asked about."""
        if not _is_given(downstream_subset):
            return _result(upstream_def.empty_subset())
        return _result(upstream_def.subset_with_all_partitions(current_time, dynamic_partitions_store))

    def downstream(
        self,
        upstream_subset: PartitionSubset,
        upstream_def: PartitionsDefinition,
        downstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> PartitionSubset:
        """All downstream partitions, if any upstream one is given."""
        if upstream_subset.is_empty:
            return downstream_def.empty_subset()
        return downstream_def.subset_with_all_partitions(current_time, dynamic_partitions_store)


class LastPartitionMapping(PartitionMapping):
    """Every downstream partition needs the last upstream partition."""

    kind = "last"

    @property
    def description(self) -> str:
        """What the mapping does, in a sentence."""
        return "The last partition."

    def upstream(
        self,
        downstream_subset: PartitionSubset | None,
        downstream_def: PartitionsDefinition | None,
        upstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> UpstreamPartitionsResult:
        """The last upstream partition, if there is one and any downstream one is asked about."""
        last = upstream_def.get_last_partition_key(current_time, dynamic_partitions_store)
        keys = [last] if last is not None and _is_given(downstream_subset) else []
        return _result(upstream_def.subset_with_partition_keys(keys))

    def downstream(
        self,
        upstream_subset: PartitionSubset,
        upstream_def: PartitionsDefinition,
        downstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> PartitionSubset:
        """All downstream partitions, if the last upstream one is given."""
        last = upstream_def.get_last_partition_key(current_time, dynamic_partitions_store)
        if last is None or last not in upstream_subset:
            return downstream_def.empty_subset()
        return downstream_def.subset_with_all_partitions(current_time, dynamic_partitions_store)


class SpecificPartitionsPartitionMapping(PartitionMapping):
    """Every downstream partition needs the same few upstream partitions.

    Args:
        partition_keys: their keys.
    """

    kind = "specific"

    def __init__(self, partition_keys: Sequence[str]) -> None:
        if isinstance(partition_keys, str):
            raise DefinitionError(
                f"SpecificPartitionsPartitionMapping takes a list of keys. Write [{partition_keys!r}]."
            )
        self.partition_keys = list(partition_keys)

    @property
    def description(self) -> str:
        """What the mapping does, in a sentence."""
        return f"The partitions {', '.join(self.partition_keys)}."

    def upstream(
        self,
        downstream_subset: PartitionSubset | None,
        downstream_def: PartitionsDefinition | None,
        upstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> UpstreamPartitionsResult:
        """The named upstream partitions, if any downstream one is asked about."""
        keys = self.partition_keys if _is_given(downstream_subset) else []
        return _within(KeySubset(upstream_def, keys), upstream_def, current_time, dynamic_partitions_store)

    def downstream(
        self,
        upstream_subset: PartitionSubset,
        upstream_def: PartitionsDefinition,
        downstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> PartitionSubset:
        """All downstream partitions, if any of the named upstream ones is given."""
        if not any(key in upstream_subset for key in self.partition_keys):
            return downstream_def.empty_subset()
        return downstream_def.subset_with_all_partitions(current_time, dynamic_partitions_store)

    def validate_partition_mapping(
        self, upstream_partitions_def: PartitionsDefinition, downstream_partitions_def: PartitionsDefinition | None
    ) -> None:
        """Raise unless all keys can be keys of the upstream definition."""
        unknown = upstream_partitions_def.subset_of_known(self.partition_keys)[1]
        if unknown:
            raise misfit(self, f"{sorted(unknown)[0]!r} is no partition of {upstream_partitions_def!s}.")

    def to_wire(self) -> dict[str, Any]:
        """The mapping as plain data."""
        return {"kind": self.kind, "partition_keys": self.partition_keys}

    def __repr__(self) -> str:
        return f"SpecificPartitionsPartitionMapping({self.partition_keys!r})"


class StaticPartitionMapping(PartitionMapping):
    """Written out: which downstream partitions need an upstream partition.

    Args:
        downstream_partition_keys_by_upstream_partition_key: for each upstream key, one downstream key or several.
    """

    kind = "static"

    def __init__(
        self, downstream_partition_keys_by_upstream_partition_key: Mapping[str, str | Collection[str]]
    ) -> None:
        given = downstream_partition_keys_by_upstream_partition_key
        self.downstream_partition_keys_by_upstream_partition_key = given
        self._down = {up: frozenset((down,) if isinstance(down, str) else down) for up, down in given.items()}
        up_of: dict[str, set[str]] = {}
        for up, downs in self._down.items():
            for down in downs:
                up_of.setdefault(down, set()).add(up)
        self._up = up_of

    @property
    def description(self) -> str:
        """What the mapping does, in a sentence."""
        return "The partitions that a table names."

    def upstream(
        self,
        downstream_subset: PartitionSubset | None,
        downstream_def: PartitionsDefinition | None,
        upstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> UpstreamPartitionsResult:
        """The upstream partitions whose entries name these downstream ones."""
        if downstream_subset is None:
            raise misfit(self, "the downstream asset has no partitions. Use SpecificPartitionsPartitionMapping.")
        keys = {up for down, ups in self._up.items() if down in downstream_subset for up in ups}
        return _within(KeySubset(upstream_def, keys), upstream_def, current_time, dynamic_partitions_store)

    def downstream(
        self,
        upstream_subset: PartitionSubset,
        upstream_def: PartitionsDefinition,
        downstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> PartitionSubset:
        """The downstream partitions that the entries of these upstream ones name."""
        keys = {down for up, downs in self._down.items() if up in upstream_subset for down in downs}
        return _within(
            KeySubset(downstream_def, keys), downstream_def, current_time, dynamic_partitions_store
        ).partitions_subset

    def validate_partition_mapping(
        self, upstream_partitions_def: PartitionsDefinition, downstream_partitions_def: PartitionsDefinition | None
    ) -> None:
        """Raise unless all keys can be keys of their definitions."""
        if downstream_partitions_def is None:
            raise misfit(self, "the downstream asset has no partitions.")
        for side, definition, keys in (
            ("upstream", upstream_partitions_def, self._down),
            ("downstream", downstream_partitions_def, self._up),
        ):
            unknown = definition.subset_of_known(keys)[1]
            if unknown:
                raise misfit(self, f"{sorted(unknown)[0]!r} is no partition of the {side} {definition!s}.")

    def to_wire(self) -> dict[str, Any]:
        """The mapping as plain data."""
        return {"kind": self.kind, "downstream_by_upstream": {up: sorted(downs) for up, downs in self._down.items()}}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StaticPartitionMapping) and self._down == other._down

    def __hash__(self) -> int:
        return hash(frozenset(self._down.items()))

    def __repr__(self) -> str:
        return f"StaticPartitionMapping({self.downstream_partition_keys_by_upstream_partition_key!r})"


class TimeWindowPartitionMapping(PartitionMapping):
    """A downstream window needs the upstream windows that overlap it, moved by whole upstream windows.

    Args:
        start_offset: by how many windows the first one is moved; -1 is one earlier.
        end_offset: by how many windows the last one is moved. `start_offset=-1, end_offset=-1` is "yesterday".
        allow_nonexistent_upstream_partitions: whether needed windows that do not exist are dropped instead of missing.

    Looking back (`start_offset` below 0) past the first upstream window is no error, else the first partition of an
    asset that needs its own yesterday could never be made; nor is looking ahead (`end_offset` above 0) past the last
    one.
    """

    kind = "time_window"

    def __init__(
        self, start_offset: int = 0, end_offset: int = 0, allow_nonexistent_upstream_partitions: bool = False
    ) -> None:
        self.start_offset = start_offset
        self.end_offset = end_offset
        self.allow_nonexistent_upstream_partitions = allow_nonexistent_upstream_partitions

    @property
    def description(self) -> str:
        """What the mapping does, in a sentence."""
        if self.start_offset == self.end_offset == 0:
            return "The partitions whose time windows overlap."
        return f"The partitions whose time windows overlap, moved by {self.start_offset} to {self.end_offset}."

    def validate_partition_mapping(
        self, upstream_partitions_def: PartitionsDefinition, downstream_partitions_def: PartitionsDefinition | None
    ) -> None:
        """Raise unless both definitions are by time."""
        self._check(upstream_partitions_def, downstream_partitions_def)

    def _check(
        self, upstream: PartitionsDefinition, downstream: PartitionsDefinition | None
    ) -> tuple[TimeWindowPartitionsDefinition, TimeWindowPartitionsDefinition]:
        for side, definition in (("upstream", upstream), ("downstream", downstream)):
            if not isinstance(definition, TimeWindowPartitionsDefinition):
                raise misfit(self, f"the {side} partitions are not by time but {definition!s}.")
        assert isinstance(upstream, TimeWindowPartitionsDefinition)
        assert isinstance(downstream, TimeWindowPartitionsDefinition)
        return upstream, downstream

    def upstream(
        self,
        downstream_subset: PartitionSubset | None,
        downstream_def: PartitionsDefinition | None,
        upstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> UpstreamPartitionsResult:
        """The upstream windows that these downstream ones overlap, moved."""
        up, down = self._check(upstream_def, downstream_def)
        spans = _spans_of(downstream_subset, down)
        exact = self.start_offset == self.end_offset == 0 and up.windows == down.windows
        # what neighbours need touches, so a span is mapped as a whole; but not if the offsets cross
        units = self._units(spans, down.windows, alone=self.start_offset > self.end_offset)
        wanted = spans if exact else _unite(self._needed(span, up.windows) for span in units)
        first, stop = up.bounds(current_time)
        existing = up.windows.spans(first, stop) if stop > first else ()
        found, missing = intersection(wanted, existing), difference(wanted, existing)
        if self.allow_nonexistent_upstream_partitions:
            missing = ()
        if self.start_offset < 0:
            missing = difference(missing, ((_BEGINNING, first),))
        if self.end_offset > 0 and missing:
            missing = difference(missing, ((max(first, stop), _END),))
        return _result(TimeSubset(up, found), TimeSubset(up, missing))

    def _units(self, spans: Sequence[Span], windows: WindowSequence, alone: bool) -> Iterator[Span]:
        """The spans, or every window of them alone."""
        if not alone:
            yield from spans
            return
        for start, end in spans:
            for tick in windows.cadence.ticks(start, end):
                yield tick, windows.cadence.next(tick)

    def _needed(self, span: Span, up: WindowSequence) -> tuple[Span, ...]:
        """The upstream windows needed by neighbouring downstream windows from `span[0]` to `span[1]`."""
        start, end = span
        holding = up.cadence.floor(start)  # the first window that ends after `start`, if it is not excluded
        first = holding if not up.excludes(holding) else up.first(holding + 1)
        last = up.last(end - 1)
        first = None if first is None else up.shift(first, self.start_offset)
        last = None if last is None else up.shift(last, self.end_offset)
        if first is None or last is None or last < first:
            return ()
        return up.spans(first, up.cadence.next(last))

    def downstream(
        self,
        upstream_subset: PartitionSubset,
        upstream_def: PartitionsDefinition,
        downstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> PartitionSubset:
        """The downstream windows that need any of these upstream ones."""
        up, down = self._check(upstream_def, downstream_def)
        existing = down.windows.spans(*down.bounds(current_time))
        spans = _spans_of(upstream_subset, up)
        if not (self.start_offset == self.end_offset == 0 and up.windows == down.windows):
            # a downstream window may need nothing: the offsets cross, or it lies in a hole of the moved windows
            holes = self.start_offset == self.end_offset != 0 and bool(up.windows.exclusions)
            units = self._units(spans, up.windows, alone=holes or self.start_offset > self.end_offset)
            spans = _unite(self._needing(span, up.windows, down.windows) for span in units)
        return TimeSubset(down, intersection(spans, existing))

    def _needing(self, span: Span, up: WindowSequence, down: WindowSequence) -> tuple[Span, ...]:
        """The downstream windows that need any of the neighbouring upstream windows from `span[0]` to `span[1]`.

        A downstream window needs upstream windows `i + start_offset` to `j + end_offset`, where `i` is the first that
        ends after its start and `j` the last that starts before its end. So it needs one of `m..n` exactly if it starts
        before the end of window `n - start_offset` and ends after the start of window `m - end_offset`.
        """
        m, n = span[0], up.last(span[1] - 1)
        low = up.shift(m, -self.end_offset)
        high = None if n is None else up.shift(n, -self.start_offset)
        if low is None or high is None:
            return ()
        first, stop = down.cadence.floor(low), down.cadence.ceil(up.cadence.next(high))
        return down.spans(first, stop) if first < stop else ()

    def to_wire(self) -> dict[str, Any]:
        """The mapping as plain data."""
        return {
            "kind": self.kind,
            "start_offset": self.start_offset,
            "end_offset": self.end_offset,
            "allow_nonexistent_upstream_partitions": self.allow_nonexistent_upstream_partitions,
        }

    def __repr__(self) -> str:
        return (
            f"TimeWindowPartitionMapping(start_offset={self.start_offset}, end_offset={self.end_offset}, "
            f"allow_nonexistent_upstream_partitions={self.allow_nonexistent_upstream_partitions})"
        )


_BEGINNING, _END = -(1 << 62), 1 << 62


def _spans_of(subset: PartitionSubset | None, definition: TimeWindowPartitionsDefinition) -> tuple[Span, ...]:
    if subset is None:
        raise InvocationError("A mapping by time needs the downstream partitions: the downstream asset has none.")
    if isinstance(subset, TimeSubset):
        return subset.spans
    return definition.subset_with_partition_keys(subset).spans


def _unite(rows: Iterable[tuple[Span, ...]]) -> tuple[Span, ...]:
    spans = [span for row in rows for span in row]
    return union(spans[:1], spans[1:])
