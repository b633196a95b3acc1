"""Partition mappings: which partitions of an upstream asset a partition of a downstream asset needs, and the reverse.

A mapping is a relation between two definitions. `upstream` gives the image of a set of downstream partitions, and the
partitions it would need that do not exist; `downstream` gives the partitions that need any of a set of upstream ones.
Both work on subsets, so their cost follows the runs of partitions and not their number. The public methods of the base
bundle their arguments into a `Between`; each mapping answers over that in `_upstream` and `_downstream`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar, Self

import msgspec

from treadle.core.partitions import Now, PartitionsDefinition, Store
from treadle.core.subsets import KeySubset, PartitionSubset, Span, TimeSubset, difference, intersection, united
from treadle.core.time_partitions import TimeWindowPartitionsDefinition
from treadle.core.windows import WindowSequence
from treadle.errors import DefinitionError, InvariantError


class UpstreamPartitionsResult(msgspec.Struct, frozen=True):
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


class Between(msgspec.Struct, frozen=True):
    """What a mapping is asked about: its two sides, the time, and the store of dynamic keys.

    `downstream` is None if the downstream asset has no partitions.
    """

    upstream: PartitionsDefinition
    downstream: PartitionsDefinition | None
    now: Now = None
    store: Store = None

    def every(self, definition: PartitionsDefinition | None, wanted: bool = True) -> PartitionSubset:
        """All partitions that exist on a side; none if they are not wanted."""
        assert definition is not None, "asked for the partitions of an asset that has none"
        return definition.subset_with_all_partitions(self.now, self.store) if wanted else definition.empty_subset()

    def existing(self, subset: PartitionSubset, definition: PartitionsDefinition | None) -> UpstreamPartitionsResult:
        """The partitions of a side with the keys of `subset`, parted into those that exist and those that do not."""
        every = self.every(definition)
        if isinstance(subset, TimeSubset) and isinstance(every, TimeSubset) and subset.windows == every.windows:
            wanted: PartitionSubset = TimeSubset(definition, subset.spans)
        elif isinstance(subset, KeySubset) or subset.partitions_def != definition:
            wanted, unknown = every.partitions_def.subset_of_known(subset)
            if unknown:
                return UpstreamPartitionsResult(
                    wanted & every, KeySubset(definition, frozenset(wanted - every) | unknown)
                )
        else:
            wanted = subset
        return UpstreamPartitionsResult(wanted & every, wanted - every)


class PartitionMapping:
    """Which upstream partitions a downstream partition needs.

    Subclass it and define either pair of methods: `upstream` and `downstream`, or the same two under their long names.
    A mapping of your own is only evaluated where your code is loaded.
    """

    kind: ClassVar[str] = "custom"
    _fields: ClassVar[tuple[str, ...]] = ()  # the attributes that are its value: what its constructor takes, in order
    _sentence: str = ""

    def __init_subclass__(cls) -> None:
        """What a class defines under one of the two names, it has under both."""
        for short, long in (
            ("upstream", "get_upstream_mapped_partitions_result_for_partitions"),
            ("downstream", "get_downstream_partitions_for_partitions"),
        ):
            if long in vars(cls):
                setattr(cls, short, vars(cls)[long])
            elif short in vars(cls):
                setattr(cls, long, vars(cls)[short])

    @property
    def description(self) -> str:
        """What the mapping does, in a sentence."""
        return self._sentence or type(self).__name__

    def get_upstream_mapped_partitions_result_for_partitions(
        self,
        downstream_partitions_subset: PartitionSubset | None,
        downstream_partitions_def: PartitionsDefinition | None,
        upstream_partitions_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> UpstreamPartitionsResult:
        """The upstream partitions that these downstream ones need. Both are None if downstream has no partitions."""
        between = Between(upstream_partitions_def, downstream_partitions_def, current_time, dynamic_partitions_store)
        return self._upstream(downstream_partitions_subset, between)

    def get_downstream_partitions_for_partitions(
        self,
        upstream_partitions_subset: PartitionSubset,
        upstream_partitions_def: PartitionsDefinition,
        downstream_partitions_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> PartitionSubset:
        """The downstream partitions that need any of these upstream ones."""
        between = Between(upstream_partitions_def, downstream_partitions_def, current_time, dynamic_partitions_store)
        return self._downstream(upstream_partitions_subset, between)

    upstream = get_upstream_mapped_partitions_result_for_partitions
    downstream = get_downstream_partitions_for_partitions

    def _upstream(self, subset: PartitionSubset | None, between: Between) -> UpstreamPartitionsResult:
        raise InvariantError(f"{type(self).__name__} defines neither upstream nor its long name. Define one.")

    def _downstream(self, subset: PartitionSubset, between: Between) -> PartitionSubset:
        raise InvariantError(f"{type(self).__name__} defines neither downstream nor its long name. Define one.")

    def is_same_key(self, upstream_def: PartitionsDefinition, downstream_def: PartitionsDefinition | None) -> bool:
        """Whether every partition needs exactly the one with its own key, if there is one."""
        return False

    @property
    def looks_back(self) -> bool:
        """Whether partitions need earlier ones only, as those of an asset that depends on itself must.

        Of a mapping of your own that is taken for granted.
        """
        return self.kind == "custom"

    def validate_partition_mapping(
        self, upstream_partitions_def: PartitionsDefinition, downstream_partitions_def: PartitionsDefinition | None
    ) -> None:
        """Raise unless the mapping can be between these definitions.

        Raises:
            DefinitionError: it cannot.
        """
        self._validate(Between(upstream_partitions_def, downstream_partitions_def))

    def _validate(self, between: Between) -> None:
        pass

    def _misfit(self, why: str) -> DefinitionError:
        return DefinitionError(f"{type(self).__name__} cannot be used here: {why}")

    def _required(self, subset: PartitionSubset | None) -> PartitionSubset:
        if subset is None:
            raise self._misfit(
                "the downstream asset has no partitions. Use AllPartitionMapping, LastPartitionMapping or "
                "SpecificPartitionsPartitionMapping."
            )
        return subset

    def _check_keys(self, keys: Iterable[str], side: str, definition: PartitionsDefinition | None) -> None:
        if definition is None:
            raise self._misfit(f"the {side} asset has no partitions.")
        unknown = definition.subset_of_known(keys)[1]
        if unknown:
            raise self._misfit(f"{min(unknown)!r} is no partition of the {side} {definition!s}.")

    def to_wire(self) -> dict[str, Any]:
        """The mapping as plain data."""
        return {"kind": self.kind} | {name: getattr(self, name) for name in self._fields}

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Self:
        """The mapping whose `to_wire` gave `data`."""
        return cls(*(data[name] for name in cls._fields))

    def _value(self) -> object:
        return [getattr(self, name) for name in self._fields]

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, PartitionMapping) or type(self) is not type(other) or self.kind == "custom":
            return False
        return self._value() == other._value()

    def __hash__(self) -> int:
        return object.__hash__(self) if self.kind == "custom" else hash(repr(self.to_wire()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._fields)})"


class IdentityPartitionMapping(PartitionMapping):
    """A downstream partition needs the upstream partition with the same key."""

    kind = "identity"
    _sentence = "The partition with the same key."

    def is_same_key(self, upstream_def: PartitionsDefinition, downstream_def: PartitionsDefinition | None) -> bool:
        return True

    def _upstream(self, subset: PartitionSubset | None, between: Between) -> UpstreamPartitionsResult:
        return between.existing(self._required(subset), between.upstream)

    def _downstream(self, subset: PartitionSubset, between: Between) -> PartitionSubset:
        return between.existing(subset, between.downstream).partitions_subset


class AllPartitionMapping(PartitionMapping):
    """Every downstream partition needs all upstream partitions."""

    kind = "all"
    _sentence = "All partitions."

    def _upstream(self, subset: PartitionSubset | None, between: Between) -> UpstreamPartitionsResult:
        found = between.every(between.upstream, wanted=subset is None or not subset.is_empty)
        return UpstreamPartitionsResult(found, KeySubset(between.upstream))

    def _downstream(self, subset: PartitionSubset, between: Between) -> PartitionSubset:
        return between.every(between.downstream, wanted=not subset.is_empty)


class _SameForAllMapping(PartitionMapping):
    """Every downstream partition, or a downstream asset without partitions, needs the same few upstream partitions."""

    def _keys(self, between: Between) -> Collection[str]:
        return ()

    def _upstream(self, subset: PartitionSubset | None, between: Between) -> UpstreamPartitionsResult:
        keys = self._keys(between) if subset is None or not subset.is_empty else ()
        return between.existing(KeySubset(between.upstream, keys), between.upstream)

    def _downstream(self, subset: PartitionSubset, between: Between) -> PartitionSubset:
        return between.every(between.downstream, wanted=any(key in subset for key in self._keys(between)))


class LastPartitionMapping(_SameForAllMapping):
    """Every downstream partition needs the last upstream partition."""

    kind = "last"
    _sentence = "The last partition."

    def _keys(self, between: Between) -> Collection[str]:
        last = between.upstream.get_last_partition_key(between.now, between.store)
        return () if last is None else (last,)


class SpecificPartitionsPartitionMapping(_SameForAllMapping):
    """Every downstream partition needs the same few upstream partitions.

    Args:
        partition_keys: their keys.
    """

    kind = "specific"
    _fields = ("partition_keys",)

    def __init__(self, partition_keys: Sequence[str]) -> None:
        if isinstance(partition_keys, str):
            raise DefinitionError(
                f"SpecificPartitionsPartitionMapping takes a list of keys. Write [{partition_keys!r}]."
            )
        self.partition_keys = list(partition_keys)
        self._sentence = f"The partitions {', '.join(self.partition_keys)}."

    def _keys(self, between: Between) -> Collection[str]:
        return self.partition_keys

    def _validate(self, between: Between) -> None:
        self._check_keys(self.partition_keys, "upstream", between.upstream)


class StaticPartitionMapping(PartitionMapping):
    """Written out: which downstream partitions need an upstream partition.

    Args:
        downstream_partition_keys_by_upstream_partition_key: for each upstream key, one downstream key or several.
    """

    kind = "static"
    _fields = ("downstream_partition_keys_by_upstream_partition_key",)
    _sentence = "The partitions that a table names."

    def __init__(
        self, downstream_partition_keys_by_upstream_partition_key: Mapping[str, str | Collection[str]]
    ) -> None:
        given = downstream_partition_keys_by_upstream_partition_key
        self.downstream_partition_keys_by_upstream_partition_key = given
        self._down = {up: {down} if isinstance(down, str) else set(down) for up, down in given.items()}
        self._up: dict[str, set[str]] = {}
        for up, downs in self._down.items():
            for down in downs:
                self._up.setdefault(down, set()).add(up)

    def _upstream(self, subset: PartitionSubset | None, between: Between) -> UpstreamPartitionsResult:
        return between.existing(_entries(self._up, self._required(subset), between.upstream), between.upstream)

    def _downstream(self, subset: PartitionSubset, between: Between) -> PartitionSubset:
        named = _entries(self._down, subset, between.downstream)
        return between.existing(named, between.downstream).partitions_subset

    def _validate(self, between: Between) -> None:
        self._check_keys(self._up, "downstream", between.downstream)
        self._check_keys(self._down, "upstream", between.upstream)

    def _value(self) -> object:
        return self._down

    def to_wire(self) -> dict[str, Any]:
        table = {up: sorted(downs) for up, downs in sorted(self._down.items())}
        return {"kind": self.kind, "downstream_by_upstream": table}

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Self:
        return cls(data["downstream_by_upstream"])


def _entries(
    table: Mapping[str, Collection[str]], subset: PartitionSubset, definition: PartitionsDefinition | None
) -> KeySubset:
    return KeySubset(definition, {other for key, others in table.items() if key in subset for other in others})


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
    _fields = ("start_offset", "end_offset", "allow_nonexistent_upstream_partitions")

    def __init__(
        self, start_offset: int = 0, end_offset: int = 0, allow_nonexistent_upstream_partitions: bool = False
    ) -> None:
        self.start_offset = start_offset
        self.end_offset = end_offset
        self.allow_nonexistent_upstream_partitions = allow_nonexistent_upstream_partitions
        moved = f", moved by {start_offset} to {end_offset}" if start_offset or end_offset else ""
        self._sentence = f"The partitions whose time windows overlap{moved}."

    @property
    def looks_back(self) -> bool:
        return max(self.start_offset, self.end_offset) < 0

    def _validate(self, between: Between) -> None:
        self._sides(between)

    def _sides(self, between: Between) -> list[TimeWindowPartitionsDefinition]:
        """Upstream and downstream."""
        sides: list[TimeWindowPartitionsDefinition] = []
        for name, definition in (("upstream", between.upstream), ("downstream", between.downstream)):
            if not isinstance(definition, TimeWindowPartitionsDefinition):
                raise self._misfit(f"the {name} partitions are not by time but {definition!s}.")
            sides.append(definition)
        return sides

    def is_same_key(self, upstream_def: PartitionsDefinition, downstream_def: PartitionsDefinition | None) -> bool:
        up, down = self._sides(Between(upstream_def, downstream_def))
        return self.start_offset == self.end_offset == 0 and up.windows == down.windows

    def _upstream(self, subset: PartitionSubset | None, between: Between) -> UpstreamPartitionsResult:
        up, down = self._sides(between)
        wanted = _spans_of(self._required(subset), down)
        if not self.is_same_key(up, down):
            # what neighbours need touches, so a span is mapped as a whole; but not if the offsets cross
            units = _units(wanted, down.windows, alone=self.start_offset > self.end_offset)
            wanted = united(chain.from_iterable(self._needed(span, up.windows) for span in units))
        first, stop = up.bounds(between.now)
        existing = up.windows.spans(first, stop)
        missing = () if self.allow_nonexistent_upstream_partitions else difference(wanted, existing)
        if self.start_offset < 0:
            missing = difference(missing, ((_BEGINNING, first),))
        if self.end_offset > 0:
            missing = difference(missing, ((max(first, stop), _END),))
        return UpstreamPartitionsResult(TimeSubset(up, intersection(wanted, existing)), TimeSubset(up, missing))

    def _needed(self, span: Span, up: WindowSequence) -> tuple[Span, ...]:
        """The upstream windows needed by neighbouring downstream windows from `span[0]` to `span[1]`."""
        start, end = span
        holding = up.cadence.floor(start)  # the first window that ends after `start`, if it is not excluded
        first = holding if not up.excludes(holding) else up.first(holding + 1)
        first, last = up.shift(first, self.start_offset), up.shift(up.last(end - 1), self.end_offset)
        return () if first is None or last is None else up.spans(first, up.cadence.next(last))

    def _downstream(self, subset: PartitionSubset, between: Between) -> PartitionSubset:
        up, down = self._sides(between)
        spans = _spans_of(subset, up)
        if not self.is_same_key(up, down):
            # a downstream window may need nothing: the offsets cross, or it lies in a hole of the moved windows
            holes = self.start_offset == self.end_offset != 0 and bool(up.windows.exclusions)
            units = _units(spans, up.windows, alone=holes or self.start_offset > self.end_offset)
            spans = united(chain.from_iterable(self._needing(span, up.windows, down.windows) for span in units))
        return TimeSubset(down, intersection(spans, down.windows.spans(*down.bounds(between.now))))

    def _needing(self, span: Span, up: WindowSequence, down: WindowSequence) -> tuple[Span, ...]:
        """The downstream windows that need any of the neighbouring upstream windows from `span[0]` to `span[1]`.

        A downstream window needs upstream windows `i + start_offset` to `j + end_offset`, where `i` is the first that
        ends after its start and `j` the last that starts before its end. So it needs one of `m..n` exactly if it starts
        before the end of window `n - start_offset` and ends after the start of window `m - end_offset`.
        """
        low, high = up.shift(span[0], -self.end_offset), up.shift(up.last(span[1] - 1), -self.start_offset)
        if low is None or high is None:
            return ()
        return down.spans(down.cadence.floor(low), down.cadence.ceil(up.cadence.next(high)))


_BEGINNING, _END = -(1 << 62), 1 << 62


def _spans_of(subset: PartitionSubset, definition: TimeWindowPartitionsDefinition) -> tuple[Span, ...]:
    return (subset if isinstance(subset, TimeSubset) else definition.subset_with_partition_keys(subset)).spans


def _units(spans: Sequence[Span], windows: WindowSequence, alone: bool) -> Iterator[Span]:
    """The spans, or every window of them alone."""
    for start, end in spans:
        if alone:
            yield from ((tick, windows.cadence.next(tick)) for tick in windows.cadence.ticks(start, end))
        else:
            yield start, end
