"""Partitions by time: one for every window between two ticks of a cron expression. Windows are computed, never listed.

Only windows that have ended exist (`end_offset` moves that line). Bounds and exclusions restrict which windows exist;
which window a key names does not depend on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any, Self

from treadle.core.partitions import (
    DynamicPartitionsStore,
    PartitionsDefinition,
    effective_time,
    register_definition,
)
from treadle.core.subsets import PartitionKeyRange, PartitionSubset, TimeSubset
from treadle.core.time import DAY, TimeWindow, instant_of, parse_cron, zone_of
from treadle.core.windows import WindowSequence, cadence, wall_instant
from treadle.errors import DefinitionError, InvocationError, UnknownPartitionError

_HOURLY = re.compile(r"(\d+) \* \* \* \*\Z")
_DAILY = re.compile(r"(\d+) (\d+) \* \* \*\Z")
_WEEKLY = re.compile(r"(\d+) (\d+) \* \* (\d+)\Z")
_MONTHLY = re.compile(r"(\d+) (\d+) (\d+) \* \*\Z")


class ScheduleType(Enum):
    """The common cadences of time windows."""

    HOURLY = "HOURLY"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


class TimeWindowPartitionsDefinition(PartitionsDefinition):
    """One partition for every window between two ticks of a cron expression, from `start` on.

    Args:
        start: the first window starts at the first tick at or after this. A string is read with `fmt`. A datetime
            counts by its wall time in `timezone`, whatever zone it carries.
        fmt: the `strftime` format of keys. Different windows must read differently.
        end: the last window ends at or before this. None: no end.
        schedule_type: a common cadence, refined by the offsets; or give `cron_schedule`.
        timezone: the IANA name of the zone; UTC if None.
        end_offset: how many windows more exist than have ended: 1 also the one that is open, -1 one fewer.
        minute_offset, hour_offset, day_offset: the minute, the hour, the day of the week (0 is Sunday) or of the month.
        cron_schedule: five cron fields.
        exclusions: cron expressions and datetimes: windows that start there are no partitions.

    Attributes:
        windows: the row of windows, see `core.windows`.

    Raises:
        DefinitionError: an argument cannot be read, or different windows would have the same key.
    """

    __slots__ = ("_end", "_start", "end_offset", "exclusions", "fmt", "timezone", "windows")
    kind = "time_window"
    windows: WindowSequence
    fmt: str
    timezone: str
    end_offset: int
    exclusions: Sequence[str | datetime] | None

    def __init__(
        self,
        start: datetime | str,
        fmt: str,
        end: datetime | str | None = None,
        schedule_type: ScheduleType | None = None,
        timezone: str | None = None,
        end_offset: int = 0,
        minute_offset: int | None = None,
        hour_offset: int | None = None,
        day_offset: int | None = None,
        cron_schedule: str | None = None,
        exclusions: Sequence[str | datetime] | None = None,
    ) -> None:
        offsets = (minute_offset, hour_offset, day_offset)
        if cron_schedule is not None:
            if schedule_type is not None or any(offset is not None for offset in offsets):
                raise DefinitionError(
                    "A partitions definition takes cron_schedule, or schedule_type with offsets, not both."
                )
        elif schedule_type is None:
            raise DefinitionError("A partitions definition by time needs cron_schedule or schedule_type.")
        else:
            cron_schedule = _cron_of(schedule_type, *offsets)
        self.fmt = fmt
        self.timezone = timezone or "UTC"
        self.end_offset = end_offset
        ticks = cadence(cron_schedule, self.timezone)
        left_out = tuple(self._exclusion(one) for one in exclusions or ())
        self.exclusions = tuple(exclusions) if exclusions else None
        self.windows = WindowSequence(ticks, fmt, left_out)
        self._start = self._bound(start, "start")
        self._end = None if end is None else self._bound(end, "end")
        self._check_format()

    def _bound(self, value: datetime | str, what: str) -> int:
        if isinstance(value, str):
            at = self.windows.format.read(value)
            if at is None:
                raise DefinitionError(
                    f"{what}_date {value!r} does not fit the format {self.fmt!r} of the partition keys."
                )
            return instant_of(at) if at.tzinfo is not None else wall_instant(at, self.windows.cadence.zone)
        if not isinstance(value, date):
            raise DefinitionError(f"{what}_date takes a datetime or a string, not {value!r}.")
        at = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        return wall_instant(at.replace(tzinfo=None), self.windows.cadence.zone)

    def _exclusion(self, value: str | datetime) -> str | int:
        if isinstance(value, str):
            return parse_cron(value).text
        if not isinstance(value, datetime):
            raise DefinitionError(f"An exclusion is a cron expression or a datetime, not {value!r}.")
        zone = zone_of(self.timezone)
        return instant_of(value) if value.tzinfo is not None else wall_instant(value, zone)

    def _check_format(self) -> None:
        ticks = self.windows.cadence
        tick = ticks.ceil(self._start)
        # neighbours, and one in another year and month
        for checked in (tick, ticks.next(tick), ticks.next(ticks.next(tick)), ticks.ceil(tick + 400 * DAY)):
            key = self.windows.format.key(checked)
            if self.windows.format.parse(key) != checked:
                raise DefinitionError(
                    f"The format {self.fmt!r} gives different windows of {self.cron_schedule!r} the same partition key "
                    f"({key!r}). Add what tells them apart, for example %Y-%m-%d-%H:%M."
                )

    # --- what was declared

    @property
    def cron_schedule(self) -> str:
        """The cron expression of the windows' starts."""
        return self.windows.cadence.cron.text

    @property
    def start(self) -> datetime:
        """The start that was declared, in the definition's zone."""
        return self.windows.cadence.zone.at(self._start)

    @property
    def end(self) -> datetime | None:
        """The end that was declared, in the definition's zone."""
        return None if self._end is None else self.windows.cadence.zone.at(self._end)

    @property
    def start_timestamp(self) -> float:
        """The start in seconds since 1970 UTC."""
        return float(self._start)

    @property
    def end_timestamp(self) -> float | None:
        """The end in seconds since 1970 UTC."""
        return None if self._end is None else float(self._end)

    @property
    def schedule_type(self) -> ScheduleType | None:
        """The common cadence this is, or None."""
        return _type_and_offsets(self.cron_schedule)[0]

    def _offset(self, position: int, what: str) -> int:
        offset = _type_and_offsets(self.cron_schedule)[1][position]
        if offset is None:
            raise InvocationError(f"{self!s} has no {what}: its cron expression is {self.cron_schedule!r}.")
        return offset

    @property
    def minute_offset(self) -> int:
        """The minute at which windows start."""
        return self._offset(0, "minute_offset")

    @property
    def hour_offset(self) -> int:
        """The hour at which windows start."""
        return self._offset(1, "hour_offset")

    @property
    def day_offset(self) -> int:
        """The day of the week (0 is Sunday) or month at which windows start."""
        return self._offset(2, "day_offset")

    @property
    def is_basic_daily(self) -> bool:
        """Whether windows go from midnight to midnight."""
        return self.cron_schedule in ("0 0 * * *", "@daily", "@midnight")

    @property
    def is_basic_hourly(self) -> bool:
        """Whether windows go from full hour to full hour."""
        return self.cron_schedule in ("0 * * * *", "@hourly")

    def get_cron_schedule(
        self,
        minute_of_hour: int | None = None,
        hour_of_day: int | None = None,
        day_of_week: int | None = None,
        day_of_month: int | None = None,
    ) -> str:
        """The cron expression of a schedule that fires once a partition, with other times of day or days if given.

        Raises:
            InvocationError: what is given makes no sense for this cadence.
        """
        given = {
            "minute_of_hour": minute_of_hour,
            "hour_of_day": hour_of_day,
            "day_of_week": day_of_week,
            "day_of_month": day_of_month,
        }
        if all(value is None for value in given.values()):
            return self.cron_schedule
        kind, (minute, hour, day) = _type_and_offsets(self.cron_schedule)
        allowed = ["minute_of_hour"] if kind is not None else []
        allowed += ["hour_of_day"] if kind not in (None, ScheduleType.HOURLY) else []
        allowed += ["day_of_week"] if kind is ScheduleType.WEEKLY else []
        allowed += ["day_of_month"] if kind is ScheduleType.MONTHLY else []
        wrong = [name for name, value in given.items() if value is not None and name not in allowed]
        if wrong or kind is None:
            raise InvocationError(
                f"{', '.join(wrong)} cannot be set for partitions with the cron expression {self.cron_schedule!r}. "
                + (f"Only {', '.join(allowed)} can." if allowed else "Give the schedule a cron expression of its own.")
            )
        other_day = day_of_week if kind is ScheduleType.WEEKLY else day_of_month
        chosen = (
            minute if minute_of_hour is None else minute_of_hour,
            hour if hour_of_day is None else hour_of_day,
            day if other_day is None else other_day,
        )
        return parse_cron(_cron_of(kind, *chosen)).text

    # --- which exist

    def bounds(self, current_time: datetime | None = None) -> tuple[int, int]:
        """The instants from which and up to which windows exist at `current_time`; none do if they are not in order."""
        zone, windows = self.windows.cadence.zone, self.windows
        first = windows.first(self._start)
        if first is None:
            return 0, 0
        stop = windows.cadence.floor(instant_of(effective_time(current_time), zone))
        stop = self._moved(stop)
        return first, stop if self._end is None else min(stop, windows.cadence.floor(self._end))

    def _moved(self, stop: int) -> int:
        """Where windows end when `end_offset` of them more (or fewer) exist than up to `stop`."""
        windows, more = self.windows, self.end_offset
        if more == 0:
            return stop
        if more > 0:
            last = windows.first(stop)
            last = None if last is None else windows.shift(last, more - 1)
            return stop if last is None else windows.cadence.next(last)
        last = windows.last(stop - 1)
        last = None if last is None else windows.shift(last, more + 1)
        return 0 if last is None else last

    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> Sequence[str]:
        """The keys of all windows that exist at `current_time`, oldest first."""
        return self.windows.keys(*self.bounds(current_time))

    def get_num_partitions(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> int:
        """How many windows exist at `current_time`."""
        return self.windows.count(*self.bounds(current_time))

    def get_first_partition_window(self, current_time: datetime | None = None) -> TimeWindow | None:
        """The first window that exists, or None."""
        first, stop = self.bounds(current_time)
        return self.windows.cadence.window(first) if first < stop else None

    def _last(self, current_time: datetime | None) -> int | None:
        first, stop = self.bounds(current_time)
        last = self.windows.last(stop - 1) if first < stop else None
        return last if last is not None and last >= first else None

    def get_last_partition_window(self, current_time: datetime | None = None) -> TimeWindow | None:
        """The last window that exists, or None."""
        last = self._last(current_time)
        return None if last is None else self.windows.cadence.window(last)

    def get_first_partition_key(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> str | None:
        """The key of the first window that exists, or None."""
        first, stop = self.bounds(current_time)
        return self.windows.format.key(first) if first < stop else None

    def get_last_partition_key(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> str | None:
        """The key of the last window that exists, or None."""
        last = self._last(current_time)
        return None if last is None else self.windows.format.key(last)

    def has_partition_key(
        self,
        partition_key: str,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> bool:
        """Whether the window with this key exists at `current_time`."""
        tick = self.windows.format.parse(partition_key) if isinstance(partition_key, str) else None
        if tick is None:
            return False
        first, stop = self.bounds(current_time)
        return first <= tick < stop and not self.windows.excludes(tick)

    def _nearby_keys(self, now: datetime | None, store: DynamicPartitionsStore | None) -> Sequence[str]:
        first, stop = self.bounds(now)
        if stop <= first:
            return ()
        keys = self.windows.keys(max(first, self.windows.cadence.shift(stop, -1000)), stop)
        return [*([] if keys[:1] == [self.windows.format.key(first)] else [self.windows.format.key(first)]), *keys]

    # --- windows and keys

    def _tick(self, partition_key: str) -> int:
        tick = self.windows.format.parse(partition_key) if isinstance(partition_key, str) else None
        if tick is None:
            example = self.windows.format.key(self.windows.cadence.ceil(self._start))
            raise UnknownPartitionError(
                f"{partition_key!r} is no key of {self!s}: keys are the starts of windows, written {self.fmt!r}, "
                f"such as {example!r}."
            )
        return tick

    def time_window_for_partition_key(self, partition_key: str) -> TimeWindow:
        """The window with this key, whether it exists yet or not.

        Raises:
            UnknownPartitionError: no window can have this key.
        """
        return self.windows.cadence.window(self._tick(partition_key))

    def time_windows_for_partition_keys(
        self, partition_keys: Iterable[str], validate: bool = True
    ) -> Sequence[TimeWindow]:
        """The windows of these keys, neighbours joined, oldest first."""
        subset = self.subset_with_partition_keys(partition_keys)
        if validate:
            existing = self.subset_with_all_partitions()
            missing = subset - existing
            if not missing.is_empty:
                raise self._unknown(next(iter(missing)), self._nearby_keys(None, None))
        zone = self.windows.cadence.zone
        return [TimeWindow(zone.at(start), zone.at(end)) for start, end in subset.spans]

    def start_time_for_partition_key(self, partition_key: str) -> datetime:
        """When the window with this key starts."""
        return self.windows.cadence.zone.at(self._tick(partition_key))

    def end_time_for_partition_key(self, partition_key: str) -> datetime:
        """When the window with this key ends."""
        return self.time_window_for_partition_key(partition_key).end

    def get_partition_key_for_timestamp(self, timestamp: float, end_closed: bool = False) -> str:
        """The key of the window that holds this time (seconds since 1970 UTC).

        Args:
            end_closed: whether the end of a window belongs to it, and its start to the one before.
        """
        instant = -int(-timestamp // 1) - 1 if end_closed else int(timestamp // 1)
        tick = self.windows.last(instant)
        if tick is None:
            raise UnknownPartitionError(
                f"No partition of {self!s} holds the time {timestamp}: all windows are excluded."
            )
        return self.windows.format.key(tick)

    def get_partition_key(self, key: str | date | datetime) -> str:
        """The key of the window that holds this date or time; a string is checked and given back.

        Raises:
            UnknownPartitionError: there is no such partition.
        """
        if not isinstance(key, str):
            at = key if isinstance(key, datetime) else datetime(key.year, key.month, key.day)
            zone = self.windows.cadence.zone
            instant = instant_of(at) if at.tzinfo is not None else wall_instant(at, zone)
            key = self.windows.format.key(self.windows.cadence.floor(instant))
        tick = self._tick(key)
        if tick < self._start or self.windows.excludes(tick):
            raise self._unknown(key, self._nearby_keys(None, None))
        return key

    def get_next_partition_key(self, partition_key: str) -> str | None:
        """The key after this one, or None if it does not exist yet."""
        window = self.get_next_partition_window(self.end_time_for_partition_key(partition_key))
        return None if window is None else self.windows.format.key(instant_of(window.start))

    def get_next_partition_window(
        self, end_dt: datetime, respect_bounds: bool = True, current_time: datetime | None = None
    ) -> TimeWindow | None:
        """The first window that starts at or after `end_dt`; None if it does not exist and bounds are respected."""
        exact = instant_of(end_dt, self.windows.cadence.zone) + (end_dt.microsecond > 0)
        tick = self.windows.first(exact)
        if tick is None:
            return None
        if respect_bounds:
            first, stop = self.bounds(current_time)
            if tick >= stop:
                return None
            tick = max(first, tick)
        return self.windows.cadence.window(tick)

    def get_prev_partition_window(
        self, start_dt: datetime, respect_bounds: bool = True, current_time: datetime | None = None
    ) -> TimeWindow | None:
        """The last window that ends at or before `start_dt`; None if it does not exist and bounds are respected."""
        instant = self.windows.cadence.floor(instant_of(start_dt, self.windows.cadence.zone))
        first, stop = self.bounds(current_time) if respect_bounds else (None, None)
        if stop is not None:
            instant = min(instant, stop)
        tick = self.windows.last(instant - 1)
        if tick is None or (first is not None and tick < first):
            return None
        return self.windows.cadence.window(tick)

    def _span(self, time_window: TimeWindow) -> tuple[int, int]:
        zone = self.windows.cadence.zone
        ends = [instant_of(at, zone) + (at.microsecond > 0) for at in time_window]
        return ends[0], ends[1]

    def get_partition_keys_in_time_window(self, time_window: TimeWindow) -> Sequence[str]:
        """The keys of the windows that exist and start inside `time_window`."""
        start, end = self._span(time_window)
        first, stop = self.bounds()
        return self.windows.keys(max(start, first), min(end, stop))

    def get_partition_subset_in_time_window(self, time_window: TimeWindow) -> PartitionSubset:
        """The windows that exist and start inside `time_window`."""
        start, end = self._span(time_window)
        first, stop = self.bounds()
        low, high = max(start, first), min(end, stop)
        if high <= low:
            return self.empty_subset()
        return TimeSubset(self, self.windows.spans(self.windows.cadence.ceil(low), self.windows.cadence.ceil(high)))

    def get_num_partitions_in_window(self, time_window: TimeWindow) -> int:
        """How many windows that exist start inside `time_window`."""
        start, end = self._span(time_window)
        first, stop = self.bounds()
        return self.windows.count(max(start, first), min(end, stop))

    def has_any_partitions_in_window(self, time_window: TimeWindow) -> bool:
        """Whether a window that exists starts inside `time_window`."""
        return self.get_num_partitions_in_window(time_window) > 0

    def get_partition_key_range_for_time_window(
        self, time_window: TimeWindow, respect_bounds: bool = True
    ) -> PartitionKeyRange:
        """The keys from the window that holds the start to the window that holds the last moment of `time_window`."""
        start, end = self._span(time_window)
        first, last = self.windows.last(start), self.windows.last(end - 1)
        if respect_bounds:
            low, stop = self.bounds()
            first = low if first is None or first < low else first
            last = self.windows.last(min(stop, end) - 1)
        if first is None or last is None or last < first:
            raise UnknownPartitionError(f"{self!s} has no partition between {time_window.start} and {time_window.end}.")
        return PartitionKeyRange(self.windows.format.key(first), self.windows.format.key(last))

    def _range(self, partition_key_range: PartitionKeyRange, current_time: datetime | None = None) -> tuple[int, int]:
        first, stop = self.bounds(current_time)
        ends = [self._tick(key) for key in partition_key_range]
        for key, tick in zip(partition_key_range, ends, strict=True):
            if not first <= tick < stop:
                raise self._unknown(key, self._nearby_keys(current_time, None))
        return ends[0], self.windows.cadence.next(ends[1])

    def get_partition_keys_in_range(
        self, partition_key_range: PartitionKeyRange, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> Sequence[str]:
        """The keys from `start` to `end`, both included; none if `end` comes before `start`."""
        return self.windows.keys(*self._range(partition_key_range))

    def is_window_start_excluded(self, window_start: datetime) -> bool:
        """Whether `exclusions` leave out the window that starts here."""
        return self.windows.excludes(instant_of(window_start, self.windows.cadence.zone))

    def less_than(self, partition_key1: str, partition_key2: str) -> bool:
        """Whether the first key's window starts before the second's."""
        return self._tick(partition_key1) < self._tick(partition_key2)

    def equal_except_for_start_or_end(self, other: TimeWindowPartitionsDefinition) -> bool:
        """Whether both have the same windows and keys, whatever their bounds."""
        return self.windows == other.windows and self.end_offset == other.end_offset

    # --- subsets

    def empty_subset(self) -> TimeSubset:
        """No partitions."""
        return TimeSubset(self, ())

    def subset_with_partition_keys(self, partition_keys: Iterable[str]) -> TimeSubset:
        """The subset of these keys, whether their windows exist yet or not. Windows that are excluded are left out.

        Raises:
            UnknownPartitionError: no window can have this key.
        """
        return self._subset_of_ticks(map(self._tick, partition_keys))

    def _subset_of_ticks(self, ticks: Iterable[int]) -> TimeSubset:
        starts = sorted({tick for tick in ticks if not self.windows.excludes(tick)})
        return TimeSubset(self, self.windows.spans_of(starts))

    def subset_with_all_partitions(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> TimeSubset:
        """All windows that exist at `current_time`."""
        return TimeSubset(self, self.windows.spans(*self.bounds(current_time)))

    def subset_in_range(
        self,
        partition_key_range: PartitionKeyRange,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> TimeSubset:
        """The partitions from `start` to `end`, both included."""
        return TimeSubset(self, self.windows.spans(*self._range(partition_key_range, current_time)))

    def subset_of_known(self, partition_keys: Iterable[str]) -> tuple[TimeSubset, frozenset[str]]:
        """The subset of those keys that name a window, and the other keys."""
        ticks: list[int] = []
        unknown: set[str] = set()
        for key in partition_keys:
            tick = self.windows.format.parse(key)
            if tick is None or self.windows.excludes(tick):
                unknown.add(key)
            else:
                ticks.append(tick)
        return self._subset_of_ticks(ticks), frozenset(unknown)

    def subset_from_wire(self, data: Mapping[str, Any]) -> TimeSubset:
        """The subset whose `to_wire` gave `data`."""
        if "spans" not in data:
            return self.subset_of_known(data["keys"])[0]
        return TimeSubset(self, tuple((start, end) for start, end in data["spans"]))

    # --- values

    def _value(self) -> tuple[Any, ...]:
        left_out = tuple(sorted(map(str, self.windows.exclusions)))
        return (self.cron_schedule, self.timezone, self.fmt, self._start, self._end, self.end_offset, left_out)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, TimeWindowPartitionsDefinition) and self._value() == other._value()

    def __hash__(self) -> int:
        return hash((self.cron_schedule, self.timezone, self.fmt, self._start, self._end, self.end_offset))

    def to_wire(self) -> dict[str, Any]:
        """The definition as plain data."""
        return {
            "kind": self.kind,
            "start": self._start,
            "end": self._end,
            "fmt": self.fmt,
            "timezone": self.timezone,
            "end_offset": self.end_offset,
            "cron_schedule": self.cron_schedule,
            "exclusions": list(self.windows.exclusions),
        }

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Self:
        """The definition whose `to_wire` gave `data`."""
        self = cls.__new__(cls)
        ticks = cadence(data["cron_schedule"], data["timezone"])
        left_out = tuple(data["exclusions"])
        self.fmt, self.timezone, self.end_offset = data["fmt"], data["timezone"], data["end_offset"]
        self.exclusions = tuple(ticks.zone.at(one) if isinstance(one, int) else one for one in left_out) or None
        self.windows = WindowSequence(ticks, data["fmt"], left_out)
        self._start, self._end = data["start"], data["end"]
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self).from_wire, (self.to_wire(),))

    def __repr__(self) -> str:
        shown = [repr(self.cron_schedule), f"start={self.start.isoformat()!r}"]
        shown += [f"end={self.end.isoformat()!r}"] if self.end is not None else []
        shown += [f"timezone={self.timezone!r}", f"fmt={self.fmt!r}"]
        shown += [f"end_offset={self.end_offset}"] if self.end_offset else []
        shown += [f"exclusions={list(self.exclusions)!r}"] if self.exclusions else []
        return f"{type(self).__name__}({', '.join(shown)})"

    def __str__(self) -> str:
        kind = self.schedule_type
        name = f"{kind.value.lower()} partitions" if kind is not None else f"partitions by cron {self.cron_schedule!r}"
        zone = "" if self.timezone == "UTC" else f" ({self.timezone})"
        return f"{name} from {self.start.strftime(self.fmt)}{zone}"


def _cron_of(kind: ScheduleType, minute: int | None, hour: int | None, day: int | None) -> str:
    minute, hour = minute or 0, hour or 0
    if kind is ScheduleType.HOURLY:
        if hour or day:
            raise DefinitionError("Hourly partitions take a minute_offset, but no hour_offset and no day_offset.")
        return f"{minute} * * * *"
    if kind is ScheduleType.DAILY:
        if day:
            raise DefinitionError("Daily partitions take minute_offset and hour_offset, but no day_offset.")
        return f"{minute} {hour} * * *"
    if kind is ScheduleType.WEEKLY:
        return f"{minute} {hour} * * {day or 0}"
    return f"{minute} {hour} {1 if day is None else day} * *"


def _type_and_offsets(cron: str) -> tuple[ScheduleType | None, tuple[int | None, int | None, int | None]]:
    for kind, pattern in (
        (ScheduleType.HOURLY, _HOURLY),
        (ScheduleType.DAILY, _DAILY),
        (ScheduleType.WEEKLY, _WEEKLY),
        (ScheduleType.MONTHLY, _MONTHLY),
    ):
        match = pattern.match(cron)
        if match is not None:
            numbers = [*map(int, match.groups()), None, None]
            return kind, (numbers[0], numbers[1], numbers[2])
    return None, (None, None, None)


class HourlyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """One partition an hour.

    Args:
        start_date: the first window starts at the first tick at or after this. A string is read with `fmt`.
        end_date: the last window ends at or before this.
        minute_offset: the minute at which windows start.
        timezone: the IANA name of the zone; UTC if None.
        fmt: the `strftime` format of keys, `%Y-%m-%d-%H:%M` if None.
        end_offset: how many windows more exist than have ended.
        exclusions: cron expressions and datetimes: windows that start there are no partitions.
    """

    __slots__ = ()
    kind = "hourly"

    def __init__(
        self,
        start_date: datetime | str,
        end_date: datetime | str | None = None,
        minute_offset: int = 0,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
        exclusions: Sequence[str | datetime] | None = None,
    ) -> None:
        super().__init__(
            start_date,
            fmt or "%Y-%m-%d-%H:%M",
            end_date,
            ScheduleType.HOURLY,
            timezone,
            end_offset,
            minute_offset,
            exclusions=exclusions,
        )


class DailyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """One partition a day. On days when clocks change the window has 23 or 25 hours.

    Args:
        start_date: the first window starts at the first tick at or after this. A string is read with `fmt`.
        end_date: the last window ends at or before this: the date itself is no partition.
        minute_offset, hour_offset: the time of day at which windows start.
        timezone: the IANA name of the zone; UTC if None.
        fmt: the `strftime` format of keys, `%Y-%m-%d` if None.
        end_offset: how many windows more exist than have ended; 1 includes today.
        exclusions: cron expressions and datetimes: windows that start there are no partitions.
    """

    __slots__ = ()
    kind = "daily"

    def __init__(
        self,
        start_date: datetime | str,
        end_date: datetime | str | None = None,
        minute_offset: int = 0,
        hour_offset: int = 0,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
        exclusions: Sequence[str | datetime] | None = None,
    ) -> None:
        super().__init__(
            start_date,
            fmt or "%Y-%m-%d",
            end_date,
            ScheduleType.DAILY,
            timezone,
            end_offset,
            minute_offset,
            hour_offset,
            exclusions=exclusions,
        )


class WeeklyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """One partition a week. Arguments as those of `DailyPartitionsDefinition`, and:

    Args:
        day_offset: the day of the week on which windows start; 0 is Sunday.
    """

    __slots__ = ()
    kind = "weekly"

    def __init__(
        self,
        start_date: datetime | str,
        end_date: datetime | str | None = None,
        minute_offset: int = 0,
        hour_offset: int = 0,
        day_offset: int = 0,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
        exclusions: Sequence[str | datetime] | None = None,
    ) -> None:
        super().__init__(
            start_date,
            fmt or "%Y-%m-%d",
            end_date,
            ScheduleType.WEEKLY,
            timezone,
            end_offset,
            minute_offset,
            hour_offset,
            day_offset,
            exclusions=exclusions,
        )


class MonthlyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """One partition a month. Arguments as those of `DailyPartitionsDefinition`, and:

    Args:
        day_offset: the day of the month on which windows start, 1 to 31; in shorter months none starts.
    """

    __slots__ = ()
    kind = "monthly"

    def __init__(
        self,
        start_date: datetime | str,
        end_date: datetime | str | None = None,
        minute_offset: int = 0,
        hour_offset: int = 0,
        day_offset: int = 1,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
        exclusions: Sequence[str | datetime] | None = None,
    ) -> None:
        super().__init__(
            start_date,
            fmt or "%Y-%m-%d",
            end_date,
            ScheduleType.MONTHLY,
            timezone,
            end_offset,
            minute_offset,
            hour_offset,
            day_offset or 1,
            exclusions=exclusions,
        )


for _cls in (
    TimeWindowPartitionsDefinition,
    HourlyPartitionsDefinition,
    DailyPartitionsDefinition,
    WeeklyPartitionsDefinition,
    MonthlyPartitionsDefinition,
):
    register_definition(_cls, _cls.kind, _cls.from_wire)
