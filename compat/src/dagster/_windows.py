"""What else code written for Dagster asks partitions: which windows lie around a time, which keys are well formed.

Dagster has these members and does not document them. They are attached to Treadle's classes, which do without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence, Set
from datetime import date, datetime

from treadle.core import codec
from treadle.core.multi_partitions import MultiPartitionKey, MultiPartitionsDefinition, PartitionDimensionDefinition
from treadle.core.partitions import Now, PartitionsDefinition, Store
from treadle.core.subsets import PartitionKeyRange, PartitionSubset, TimeSubset
from treadle.core.time import TimeWindow, instant_from, instant_of
from treadle.core.time_partitions import TimeWindowPartitionsDefinition
from treadle.core.windows import wall_instant
from treadle.errors import UnknownPartitionError

_UNBOUNDED = -(1 << 62), 1 << 62

# --- by time ---------------------------------------------------------------------------------------------------------


def get_first_partition_window(self: TimeWindowPartitionsDefinition, current_time: Now = None) -> TimeWindow | None:
    """The first window that exists, or None."""
    first, stop = self.bounds(current_time)
    return self.windows.cadence.window(first) if first < stop else None


def time_windows_for_partition_keys(
    self: TimeWindowPartitionsDefinition, partition_keys: Iterable[str], validate: bool = True
) -> Sequence[TimeWindow]:
    """The windows of these keys, neighbours joined, oldest first."""
    subset = self.subset_with_partition_keys(partition_keys)
    if validate:
        for key in subset - self.subset_with_all_partitions():
            self.validate_partition_key(key)
    zone = self.windows.cadence.zone
    return [TimeWindow(zone.at(start), zone.at(end)) for start, end in subset.spans]


def start_time_for_partition_key(self: TimeWindowPartitionsDefinition, partition_key: str) -> datetime:
    """When the window with this key starts."""
    return self.time_window_for_partition_key(partition_key).start


def end_time_for_partition_key(self: TimeWindowPartitionsDefinition, partition_key: str) -> datetime:
    """When the window with this key ends."""
    return self.time_window_for_partition_key(partition_key).end


def get_partition_key(self: TimeWindowPartitionsDefinition, key: str | date | datetime) -> str:
    """The key of the window that holds this date or time; a string is checked and given back.

    Raises:
        DagsterUnknownPartitionError: there is no such partition.
    """
    cadence = self.windows.cadence
    if not isinstance(key, str):
        at = key if isinstance(key, datetime) else datetime(key.year, key.month, key.day)
        instant = instant_of(at) if at.tzinfo is not None else wall_instant(at, cadence.zone)
        key = self.windows.format.key(cadence.floor(instant))
    tick = _start(self, key)
    if tick < instant_of(self.start) or self.windows.excludes(tick):
        self.validate_partition_key(key)
    return key


def get_partition_key_for_timestamp(
    self: TimeWindowPartitionsDefinition, timestamp: float, end_closed: bool = False
) -> str:
    """The key of the window that holds this time (seconds since 1970 UTC).

    Args:
        end_closed: whether the end of a window belongs to it, and its start to the one before.
    """
    tick = self.windows.last(-int(-timestamp // 1) - 1 if end_closed else int(timestamp // 1))
    if tick is None:
        raise UnknownPartitionError(f"No partition of {self!s} holds the time {timestamp}: all windows are excluded.")
    return self.windows.format.key(tick)


def get_next_partition_key(self: TimeWindowPartitionsDefinition, partition_key: str) -> str | None:
    """The key after this one, or None if it does not exist yet."""
    tick = _next(self, self.windows.cadence.next(_start(self, partition_key)), self.bounds())
    return None if tick is None else self.windows.format.key(tick)


def get_next_partition_window(
    self: TimeWindowPartitionsDefinition, end_dt: datetime, respect_bounds: bool = True, current_time: Now = None
) -> TimeWindow | None:
    """The first window that starts at or after `end_dt`; None if it does not exist and bounds are respected."""
    bounds = self.bounds(current_time) if respect_bounds else _UNBOUNDED
    tick = _next(self, instant_from(end_dt, self.windows.cadence.zone), bounds)
    return None if tick is None else self.windows.cadence.window(tick)


def get_prev_partition_window(
    self: TimeWindowPartitionsDefinition, start_dt: datetime, respect_bounds: bool = True, current_time: Now = None
) -> TimeWindow | None:
    """The last window that ends at or before `start_dt`; None if it does not exist and bounds are respected."""
    first, stop = self.bounds(current_time) if respect_bounds else _UNBOUNDED
    cadence = self.windows.cadence
    tick = self.windows.last(min(cadence.floor(instant_of(start_dt, cadence.zone)), stop) - 1)
    return None if tick is None or tick < first else cadence.window(tick)


def get_partition_subset_in_time_window(self: TimeWindowPartitionsDefinition, time_window: TimeWindow) -> TimeSubset:
    """The windows that exist and start inside `time_window`."""
    cadence, (first, stop) = self.windows.cadence, self.bounds()
    low, high = (instant_from(at, cadence.zone) for at in time_window)
    low, high = max(low, first), min(high, stop)
    return TimeSubset(self, self.windows.spans(cadence.ceil(low), cadence.ceil(high)) if low < high else ())


def get_partition_keys_in_time_window(self: TimeWindowPartitionsDefinition, time_window: TimeWindow) -> Sequence[str]:
    """The keys of the windows that exist and start inside `time_window`."""
    return list(get_partition_subset_in_time_window(self, time_window))


def get_num_partitions_in_window(self: TimeWindowPartitionsDefinition, time_window: TimeWindow) -> int:
    """How many windows that exist start inside `time_window`."""
    return len(get_partition_subset_in_time_window(self, time_window))


def has_any_partitions_in_window(self: TimeWindowPartitionsDefinition, time_window: TimeWindow) -> bool:
    """Whether a window that exists starts inside `time_window`."""
    return not get_partition_subset_in_time_window(self, time_window).is_empty


def get_partition_key_range_for_time_window(
    self: TimeWindowPartitionsDefinition, time_window: TimeWindow, respect_bounds: bool = True
) -> PartitionKeyRange:
    """The keys from the window that holds the start to the window that holds the last moment of `time_window`."""
    start, end = (instant_from(at, self.windows.cadence.zone) for at in time_window)
    first, last = self.windows.last(start), self.windows.last(end - 1)
    if respect_bounds:
        low, stop = self.bounds()
        first = low if first is None or first < low else first
        last = self.windows.last(min(stop, end) - 1)
    if first is None or last is None or last < first:
        raise UnknownPartitionError(f"{self!s} has no partition between {time_window.start} and {time_window.end}.")
    return PartitionKeyRange(self.windows.format.key(first), self.windows.format.key(last))


def is_window_start_excluded(self: TimeWindowPartitionsDefinition, window_start: datetime) -> bool:
    """Whether `exclusions` leave out the window that starts here."""
    return self.windows.excludes(instant_of(window_start, self.windows.cadence.zone))


def less_than(self: TimeWindowPartitionsDefinition, partition_key1: str, partition_key2: str) -> bool:
    """Whether the first key's window starts before the second's."""
    return _start(self, partition_key1) < _start(self, partition_key2)


def equal_except_for_start_or_end(self: TimeWindowPartitionsDefinition, other: TimeWindowPartitionsDefinition) -> bool:
    """Whether both have the same windows and keys, whatever their bounds."""
    return self.windows == other.windows and self.end_offset == other.end_offset


def _start(definition: TimeWindowPartitionsDefinition, key: str) -> int:
    return instant_of(definition.time_window_for_partition_key(key).start)


def _next(definition: TimeWindowPartitionsDefinition, instant: int, bounds: tuple[int, int]) -> int | None:
    tick = definition.windows.first(instant)
    return None if tick is None or tick >= bounds[1] else max(tick, bounds[0])


# --- with several dimensions -----------------------------------------------------------------------------------------


def secondary_dimension(self: MultiPartitionsDefinition) -> PartitionDimensionDefinition:
    """The first dimension that is not the primary one."""
    primary = self.primary_dimension.name
    return next(one for one in self.partitions_defs if one.name != primary)


def is_valid_key_format(self: MultiPartitionsDefinition, partition_key: str) -> bool:
    """Whether this has as many parts as there are dimensions."""
    return self.split(partition_key) is not None


def get_multipartition_keys_with_dimension_values(
    self: MultiPartitionsDefinition, dimension_name: str, dimension_partition_keys: Sequence[str],
    current_time: Now = None, dynamic_partitions_store: Store = None,
) -> Sequence[MultiPartitionKey]:  # fmt: skip
    """All keys whose part in one dimension is one of these."""
    self.get_partitions_def_for_dimension(dimension_name)  # raises if there is none
    return self._product(
        dimension_partition_keys
        if name == dimension_name
        else one.get_partition_keys(current_time, dynamic_partitions_store)
        for name, one in self.partitions_defs
    )


# --- of any kind -----------------------------------------------------------------------------------------------------


def get_serializable_unique_identifier(self: PartitionsDefinition) -> str:
    """A hash of the definition's content: equal definitions have equal identifiers."""
    return hashlib.sha1(codec.encode(self.to_wire()), usedforsecurity=False).hexdigest()


def filter_valid_partition_keys(self: PartitionsDefinition, partition_keys: Set[str]) -> Set[str]:
    """Those of the keys that exist."""
    read = self.get_partition_key_from_str if isinstance(self, MultiPartitionsDefinition) else str
    return {read(key) for key in partition_keys if self.has_partition_key(key)}


def with_partition_keys(self: PartitionSubset, partition_keys: Iterable[str]) -> PartitionSubset:
    """This subset and these keys."""
    return self | self.partitions_def.subset_with_partition_keys(partition_keys)


_MEMBERS = {
    TimeWindowPartitionsDefinition: (
        get_first_partition_window, time_windows_for_partition_keys, start_time_for_partition_key,
        end_time_for_partition_key, get_partition_key, get_next_partition_key, get_next_partition_window,
        get_partition_key_for_timestamp, get_partition_subset_in_time_window, get_partition_keys_in_time_window,
        get_prev_partition_window, get_num_partitions_in_window, has_any_partitions_in_window,
        get_partition_key_range_for_time_window, is_window_start_excluded, less_than, equal_except_for_start_or_end,
    ),
    MultiPartitionsDefinition: (is_valid_key_format, get_multipartition_keys_with_dimension_values),
    PartitionsDefinition: (get_serializable_unique_identifier, filter_valid_partition_keys),
    PartitionSubset: (with_partition_keys,),
}  # fmt: skip
for _owner, _functions in _MEMBERS.items():
    for _function in _functions:
        setattr(_owner, _function.__name__, _function)
MultiPartitionsDefinition.secondary_dimension = property(secondary_dimension)  # pyright: ignore[reportAttributeAccessIssue]
