"""Partitions by time: one for every window between two ticks of a cron expression. Windows are computed, never listed.

Only windows that have ended exist (`end_offset` moves that line). Bounds and exclusions restrict which windows exist;
which window a key names does not depend on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any, Self, TypeAlias

from treadle.core.partitions import (
    KINDS,
    Now,
    PartitionLoadingContext,
    PartitionsDefinition,
    effective_time,
)
from treadle.core.subsets import PartitionKeyRange, TimeSubset
from treadle.core.time import DAY, TimeWindow, Zone, instant_of, parse_cron, zone_of
from treadle.core.told import told
from treadle.core.windows import WindowSequence, cadence, wall_instant
from treadle.errors import DefinitionError, InvocationError, TimeFormatError, UnknownPartitionError


class ScheduleType(Enum):
    """The common cadences of time windows."""

    HOURLY = "HOURLY"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


Bound: TypeAlias = datetime | str
Exclusions: TypeAlias = Sequence[str | datetime] | None
_DATE = "%Y-%m-%d"
_CRON = {
    ScheduleType.HOURLY: "{} * * * *",
    ScheduleType.DAILY: "{} {} * * *",
    ScheduleType.WEEKLY: "{} {} * * {}",
    ScheduleType.MONTHLY: "{} {} {} * *",
}


def _offset(position: int, name: str, doc: str) -> Any:
    def get(self: TimeWindowPartitionsDefinition) -> int:
        offsets = _type_and_offsets(self.cron_schedule)[1]
        if position >= len(offsets):
            raise InvocationError(f"{self!s} has no {name}: its cron expression is {self.cron_schedule!r}.")
        return offsets[position]

    return property(get, doc=doc)


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

    __slots__ = (
        "_end", "_first_start", "_last_stop", "_start", "end_offset", "exclusions", "fmt", "timezone", "windows",
    )  # fmt: skip
    kind = "time_window"
    windows: WindowSequence
    fmt: str
    timezone: str
    end_offset: int
    exclusions: Exclusions

    def __init__(
        self, start: Bound, fmt: str, end: Bound | None = None, schedule_type: ScheduleType | None = None,
        timezone: str | None = None, end_offset: int = 0, minute_offset: int | None = None,
        hour_offset: int | None = None, day_offset: int | None = None, cron_schedule: str | None = None,
        exclusions: Exclusions = None,
    ) -> None:  # fmt: skip
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
        self.exclusions = tuple(exclusions) if exclusions else None
        left_out = tuple(self._exclusion(one) for one in exclusions or ())
        self.windows = WindowSequence(cadence(cron_schedule, self.timezone), fmt, left_out)
        self._set_bounds(self._bound(start, "start"), None if end is None else self._bound(end, "end"))
        self._check_format()

    def _set_bounds(self, start: int, end: int | None) -> None:
        self._start, self._end = start, end
        self._first_start = self.windows.first(start)
        self._last_stop = None if end is None else self.windows.cadence.floor(end)

    def _bound(self, value: Bound, what: str) -> int:
        if isinstance(value, str):
            at = self.windows.format.read(value)
            if at is None:
                raise TimeFormatError(
                    f"{what}_date {value!r} does not fit the format {self.fmt!r} of the partition keys."
                )
            return _instant(at, self.windows.cadence.zone)
        if not isinstance(value, date):
            raise DefinitionError(f"{what}_date takes a datetime or a string, not {value!r}.")
        return wall_instant(_moment(value).replace(tzinfo=None), self.windows.cadence.zone)

    def _exclusion(self, value: str | datetime) -> str | int:
        if isinstance(value, str):
            return parse_cron(value).text
        if not isinstance(value, datetime):
            raise DefinitionError(f"An exclusion is a cron expression or a datetime, not {value!r}.")
        return _instant(value, zone_of(self.timezone))

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

    cron_schedule: str = told("windows.cadence.cron.text", "The cron expression of the windows' starts.")

    @property
    def start(self) -> datetime:
        """The start that was declared, in the definition's zone."""
        return self.windows.cadence.zone.at(self._start)

    @property
    def end(self) -> datetime | None:
        """The end that was declared, in the definition's zone."""
        return None if self._end is None else self.windows.cadence.zone.at(self._end)

    @property
    def schedule_type(self) -> ScheduleType | None:
        """The common cadence this is, or None."""
        return _type_and_offsets(self.cron_schedule)[0]

    minute_offset: int = _offset(0, "minute_offset", "The minute at which windows start.")
    hour_offset: int = _offset(1, "hour_offset", "The hour at which windows start.")
    day_offset: int = _offset(2, "day_offset", "The day of the week (0 is Sunday) or month at which windows start.")

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
        kind, offsets = _type_and_offsets(self.cron_schedule)
        allowed = ["minute_of_hour", "hour_of_day", "day_of_month" if kind is ScheduleType.MONTHLY else "day_of_week"]
        del allowed[len(offsets) :]
        wrong = [name for name, value in given.items() if value is not None and name not in allowed]
        if wrong or kind is None:
            raise InvocationError(
                f"{', '.join(wrong)} cannot be set for partitions with the cron expression {self.cron_schedule!r}. "
                + (f"Only {', '.join(allowed)} can." if allowed else "Give the schedule a cron expression of its own.")
            )
        chosen = (now if given[name] is None else given[name] for name, now in zip(allowed, offsets, strict=True))
        return parse_cron(_cron_of(kind, *chosen)).text

    # --- which exist

    def bounds(self, current_time: Now = None) -> tuple[int, int]:
        """The instants from which and up to which windows exist at `current_time`; none do if they are not in order."""
        if self._first_start is None:
            return 0, 0
        cadence = self.windows.cadence
        stop = self._moved(cadence.floor(instant_of(effective_time(current_time), cadence.zone)))
        return self._first_start, stop if self._last_stop is None else min(stop, self._last_stop)

    def _moved(self, stop: int) -> int:
        """Where windows end when `end_offset` of them more (or fewer) exist than up to `stop`."""
        windows, more = self.windows, self.end_offset
        if more == 0:
            return stop
        if more > 0:
            last = windows.shift(windows.first(stop), more - 1)
            return stop if last is None else windows.cadence.next(last)
        last = windows.shift(windows.last(stop - 1), more + 1)
        return 0 if last is None else last

    def _keys(self, at: PartitionLoadingContext) -> Sequence[str]:
        return self.windows.keys(*self.bounds(at.effective_dt))

    def _count(self, at: PartitionLoadingContext) -> int:
        return self.windows.count(*self.bounds(at.effective_dt))

    def _all(self, at: PartitionLoadingContext) -> TimeSubset:
        return TimeSubset(self, self.windows.spans(*self.bounds(at.effective_dt)))

    def _has(self, key: str, at: PartitionLoadingContext) -> bool:
        tick = self.windows.format.parse(key)
        first, stop = self.bounds(at.effective_dt)
        return tick is not None and first <= tick < stop and not self.windows.excludes(tick)

    def _last_tick(self, current_time: Now) -> int | None:
        first, stop = self.bounds(current_time)
        last = self.windows.last(stop - 1) if first < stop else None
        return last if last is not None and last >= first else None

    def _first(self, at: PartitionLoadingContext) -> str | None:
        first, stop = self.bounds(at.effective_dt)
        return self.windows.format.key(first) if first < stop else None

    def _last(self, at: PartitionLoadingContext) -> str | None:
        last = self._last_tick(at.effective_dt)
        return None if last is None else self.windows.format.key(last)

    def get_last_partition_window(self, current_time: Now = None) -> TimeWindow | None:
        """The last window that exists, or None."""
        last = self._last_tick(current_time)
        return None if last is None else self.windows.cadence.window(last)

    def _nearby_keys(self, at: PartitionLoadingContext) -> Sequence[str]:
        first, stop = self.bounds(at.effective_dt)
        if stop <= first:
            return ()
        recent = max(first, self.windows.cadence.shift(stop, -1000))
        return [*self.windows.keys(first, min(first + 1, recent)), *self.windows.keys(recent, stop)]

    # --- windows and keys

    def _tick(self, partition_key: str) -> int:
        tick = self.windows.format.parse(partition_key)
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

    def _ticks_between(self, ends: PartitionKeyRange, at: PartitionLoadingContext) -> tuple[int, int]:
        first, stop = self.bounds(at.effective_dt)
        start, end = map(self._tick, ends)
        for key, tick in zip(ends, (start, end), strict=True):
            if not first <= tick < stop:
                raise self._unknown(key, self._nearby_keys(at))
        return start, self.windows.cadence.next(end)

    def _keys_between(self, ends: PartitionKeyRange, at: PartitionLoadingContext) -> Sequence[str]:
        return self.windows.keys(*self._ticks_between(ends, at))

    def _subset_between(self, ends: PartitionKeyRange, at: PartitionLoadingContext) -> TimeSubset:
        return TimeSubset(self, self.windows.spans(*self._ticks_between(ends, at)))

    # --- subsets

    def subset_with_partition_keys(self, partition_keys: Iterable[str]) -> TimeSubset:
        """The subset of these keys, whether their windows exist yet or not. Windows that are excluded are left out.

        Raises:
            UnknownPartitionError: no window can have this key.
        """
        return self._subset_of_ticks(map(self._tick, partition_keys))

    def _subset_of_ticks(self, ticks: Iterable[int]) -> TimeSubset:
        starts = sorted({tick for tick in ticks if not self.windows.excludes(tick)})
        return TimeSubset(self, self.windows.spans_of(starts))

    def subset_of_known(self, partition_keys: Iterable[str]) -> tuple[TimeSubset, frozenset[str]]:
        ticks = {key: self.windows.format.parse(key) for key in partition_keys}
        known = {key: tick for key, tick in ticks.items() if tick is not None and not self.windows.excludes(tick)}
        return self._subset_of_ticks(known.values()), frozenset(ticks.keys() - known.keys())

    def subset_from_wire(self, data: Mapping[str, Any]) -> TimeSubset:
        if "spans" not in data:
            return self.subset_of_known(data["keys"])[0]
        return TimeSubset(self, tuple((start, end) for start, end in data["spans"]))

    # --- values

    def _value(self) -> tuple[Any, ...]:
        left_out = frozenset(self.windows.exclusions)
        return (self.cron_schedule, self.timezone, self.fmt, self._start, self._end, self.end_offset, left_out)

    def to_wire(self) -> dict[str, Any]:
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
        self = cls.__new__(cls)
        ticks = cadence(data["cron_schedule"], data["timezone"])
        left_out = tuple(data["exclusions"])
        self.fmt, self.timezone, self.end_offset = data["fmt"], data["timezone"], data["end_offset"]
        self.exclusions = tuple(ticks.zone.at(one) if isinstance(one, int) else one for one in left_out) or None
        self.windows = WindowSequence(ticks, data["fmt"], left_out)
        self._set_bounds(data["start"], data["end"])
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


def _moment(value: date) -> datetime:
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)


def _instant(at: datetime, zone: Zone) -> int:
    """The instant of a time; without a time zone, the first one at which clocks of `zone` show it."""
    return instant_of(at) if at.tzinfo is not None else wall_instant(at, zone)


def _cron_of(kind: ScheduleType, minute: int | None = 0, hour: int | None = 0, day: int | None = None) -> str:
    offsets = minute or 0, hour or 0, int(kind is ScheduleType.MONTHLY) if day is None else day
    known = _CRON[kind].count("{}")
    if any(offsets[known:]):
        refused = " and ".join(("minute_offset", "hour_offset", "day_offset")[known:])
        raise DefinitionError(f"{kind.value.capitalize()} partitions take no {refused}.")
    return _CRON[kind].format(*offsets)


def _type_and_offsets(cron: str) -> tuple[ScheduleType | None, list[int]]:
    """The common cadence and its minute, hour and day, as many as it has."""
    numbers = [int(field) for field in cron.split() if field.isdecimal()]
    shape = " ".join("{}" if field.isdecimal() else field for field in cron.split())
    kind = next((kind for kind, known in _CRON.items() if known == shape), None)
    return kind, [] if kind is None else numbers


class HourlyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """One partition an hour. Arguments as those of `TimeWindowPartitionsDefinition`, and:

    Args:
        start_date, end_date: the same as `start` and `end` there.
        minute_offset: the minute at which windows start.
        fmt: the `strftime` format of keys, `%Y-%m-%d-%H:%M` if None.
    """

    __slots__ = ()
    kind = "hourly"

    def __init__(
        self, start_date: Bound, end_date: Bound | None = None, minute_offset: int = 0, timezone: str | None = None,
        fmt: str | None = None, end_offset: int = 0, exclusions: Exclusions = None,
    ) -> None:  # fmt: skip
        fmt = fmt or f"{_DATE}-%H:%M"
        super().__init__(
            start_date, fmt, end_date, ScheduleType.HOURLY, timezone, end_offset, minute_offset, exclusions=exclusions
        )


class DailyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """One partition a day. On days when clocks change the window has 23 or 25 hours.

    Arguments as those of `TimeWindowPartitionsDefinition`, and:

    Args:
        start_date, end_date: the same as `start` and `end` there; the date of the end itself is no partition.
        minute_offset, hour_offset: the time of day at which windows start.
        fmt: the `strftime` format of keys, `%Y-%m-%d` if None.
        end_offset: how many windows more exist than have ended; 1 includes today.
    """

    __slots__ = ()
    kind = "daily"

    def __init__(
        self, start_date: Bound, end_date: Bound | None = None, minute_offset: int = 0, hour_offset: int = 0,
        timezone: str | None = None, fmt: str | None = None, end_offset: int = 0, exclusions: Exclusions = None,
    ) -> None:  # fmt: skip
        super().__init__(
            start_date, fmt or _DATE, end_date, ScheduleType.DAILY, timezone, end_offset, minute_offset, hour_offset,
            exclusions=exclusions,
        )  # fmt: skip


class WeeklyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """One partition a week. Arguments as those of `DailyPartitionsDefinition`, and:

    Args:
        day_offset: the day of the week on which windows start; 0 is Sunday.
    """

    __slots__ = ()
    kind = "weekly"

    def __init__(
        self, start_date: Bound, end_date: Bound | None = None, minute_offset: int = 0, hour_offset: int = 0,
        day_offset: int = 0, timezone: str | None = None, fmt: str | None = None, end_offset: int = 0,
        exclusions: Exclusions = None,
    ) -> None:  # fmt: skip
        super().__init__(
            start_date, fmt or _DATE, end_date, ScheduleType.WEEKLY, timezone, end_offset, minute_offset, hour_offset,
            day_offset, exclusions=exclusions,
        )  # fmt: skip


class MonthlyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """One partition a month. Arguments as those of `DailyPartitionsDefinition`, and:

    Args:
        day_offset: the day of the month on which windows start, 1 to 31; in shorter months none starts.
    """

    __slots__ = ()
    kind = "monthly"

    def __init__(
        self, start_date: Bound, end_date: Bound | None = None, minute_offset: int = 0, hour_offset: int = 0,
        day_offset: int = 1, timezone: str | None = None, fmt: str | None = None, end_offset: int = 0,
        exclusions: Exclusions = None,
    ) -> None:  # fmt: skip
        super().__init__(
            start_date, fmt or _DATE, end_date, ScheduleType.MONTHLY, timezone, end_offset, minute_offset, hour_offset,
            day_offset or 1, exclusions=exclusions,
        )  # fmt: skip


KINDS.add(TimeWindowPartitionsDefinition, *TimeWindowPartitionsDefinition.__subclasses__())
