"""Cadences: the instants that a cron expression fires in a zone, computed and never listed.

A day whose offset does not change is arithmetic: midnight plus the times of day. The few days on which it does change are
worked out wall time by wall time and kept. Every question (the tick before or after, how many between, the n-th from here)
walks over segments of such days, two a year at most.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from heapq import merge
from typing import NamedTuple

from treadle.core.time import (
    DAY,
    EPOCH_ORDINAL,
    Cron,
    Segment,
    TimeWindow,
    Zone,
    days_of_month,
    instant_of,
    parse_cron,
    zone_of,
)

_EPOCH = datetime(1970, 1, 1)
_OPTIMISTIC_DAYS = 366 * 9  # 29 February may be eight years away; 1900 and 2100 are not leap years


class _Block(NamedTuple):
    """The ticks of a few days in which the offset changes.

    `labels` are the wall times the ticks stand for; `repeated` marks ticks whose wall time has already been another tick.
    """

    instants: list[int]
    labels: list[datetime]
    repeated: list[bool]


class Cadence:
    """The ticks of one cron expression in one zone, without beginning or end. Use `cadence`, which keeps one object each."""

    def __init__(self, cron: Cron, zone: Zone) -> None:
        self.cron = cron
        self.zone = zone
        self._blocks: dict[int, _Block] = {}

    # --- dates -----------------------------------------------------------------------------------------------------

    def _matches_day(self, day: int) -> bool:
        if self.cron.every_day:
            return True
        if self.cron.weekly:
            return (day + 4) % 7 in self.cron.weekdays
        on = date.fromordinal(day + EPOCH_ORDINAL)
        return day in days_of_month(self.cron, on.year, on.month)

    def _day_from(self, day: int, limit: int) -> int | None:
        """The first matching day in `day..limit`."""
        if self.cron.every_day:
            return day if day <= limit else None
        if self.cron.weekly:
            found = next(day + i for i in range(7) if (day + i + 4) % 7 in self.cron.weekdays)
            return found if found <= limit else None
        on = date.fromordinal(day + EPOCH_ORDINAL)
        year, month = on.year, on.month
        while day <= limit and year < 9999:
            days = days_of_month(self.cron, year, month)
            if days and days[-1] >= day:
                found = days[bisect_left(days, day)]
                return found if found <= limit else None
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
            day = date(year, month, 1).toordinal() - EPOCH_ORDINAL
        return None

    def _day_until(self, day: int, limit: int) -> int | None:
        """The last matching day in `limit..day`."""
        if self.cron.every_day:
            return day if day >= limit else None
        if self.cron.weekly:
            found = next(day - i for i in range(7) if (day - i + 4) % 7 in self.cron.weekdays)
            return found if found >= limit else None
        on = date.fromordinal(day + EPOCH_ORDINAL)
        year, month = on.year, on.month
        while day >= limit and year > 1:
            days = days_of_month(self.cron, year, month)
            if days and days[0] <= day:
                found = days[bisect_right(days, day) - 1]
                return found if found >= limit else None
            day = date(year, month, 1).toordinal() - EPOCH_ORDINAL - 1
            year, month = (year - 1, 12) if month == 1 else (year, month - 1)
        return None

    def _days(self, first: int, last: int) -> Sequence[int]:
        """The matching days in `first..last`."""
        if self.cron.every_day:
            return range(first, last + 1)
        if self.cron.weekly:
            if len(self.cron.weekdays) == 1:
                return range(first + (next(iter(self.cron.weekdays)) - first - 4) % 7, last + 1, 7)
            return [day for day in range(first, last + 1) if (day + 4) % 7 in self.cron.weekdays]
        if last < first:
            return ()
        on, end = date.fromordinal(first + EPOCH_ORDINAL), date.fromordinal(last + EPOCH_ORDINAL)
        months = range(on.year * 12 + on.month - 1, end.year * 12 + end.month)
        days = [day for month in months for day in days_of_month(self.cron, month // 12, month % 12 + 1)]
        return days[bisect_left(days, first) : bisect_right(days, last)]

    def _count_days(self, first: int, last: int) -> int:
        if self.cron.weekly and last >= first:
            weeks, rest = divmod(last - first + 1, 7)
            extra = sum((first + i + 4) % 7 in self.cron.weekdays for i in range(rest))
            return weeks * len(self.cron.weekdays) + extra
        return len(self._days(first, last))

    # --- days on which the offset changes -----------------------------------------------------------------------------

    def block(self, segment: Segment) -> _Block:
        """The ticks of a segment in which the offset changes."""
        found = self._blocks.get(segment.first_day)
        if found is None:
            found = self._blocks[segment.first_day] = self._work_out(segment)
        return found

    def _work_out(self, segment: Segment) -> _Block:
        zone, every_hour = self.zone, self.cron.every_hour
        offsets = segment.offsets
        real: dict[int, tuple[datetime, bool]] = {}
        moved: dict[int, tuple[datetime, bool]] = {}
        for day in self._days(segment.first_day, segment.last_day):
            for second in self.cron.seconds:
                wall = day * DAY + second
                label = _EPOCH + timedelta(seconds=wall)
                instants = sorted(wall - offset for offset in offsets if zone.offset_at(wall - offset) == offset)
                if not instants:
                    if not every_hour:
                        end = self._end_of_gap(wall, offsets)
                        shown = _EPOCH + timedelta(seconds=end + zone.offset_at(end))
                        # a gap over midnight: the tick keeps its own date, so that no two ticks share a date
                        moved.setdefault(end, (shown if shown.date() == label.date() else label, False))
                elif every_hour:
                    real.update({instant: (label, i > 0) for i, instant in enumerate(instants)})
                else:
                    real[instants[-1]] = (label, False)
        ticks = sorted((moved | real).items())
        return _Block([t for t, _ in ticks], [x[0] for _, x in ticks], [x[1] for _, x in ticks])

    def _end_of_gap(self, wall: int, offsets: frozenset[int]) -> int:
        low, high = wall - max(offsets), wall - min(offsets)
        before = self.zone.offset_at(low)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.zone.offset_at(middle) == before else (low, middle)
        return high

    # --- ticks -----------------------------------------------------------------------------------------------------

    def ceil(self, instant: int) -> int:
        """The first tick at or after the instant."""
        zone, seconds = self.zone, self.cron.seconds
        segment = zone.segment(zone.segment_index(instant))
        limit = instant // DAY + _OPTIMISTIC_DAYS
        while True:
            if segment.offset is None:
                instants = self.block(segment).instants
                i = bisect_left(instants, instant)
                if i < len(instants):
                    return instants[i]
            else:
                local = instant + segment.offset
                day = local // DAY
                i = bisect_left(seconds, local - day * DAY)
                if i == len(seconds):
                    day, i = day + 1, 0
                found = self._day_from(day, segment.last_day)
                if found is not None:
                    return found * DAY + seconds[i if found == day else 0] - segment.offset
            if segment.last_day > limit:
                raise OverflowError(f"cron {self.cron.text!r} has no tick in the nine years after {zone.at(instant)}")
            segment = zone.after(segment)
            instant = segment.start

    def floor(self, instant: int) -> int:
        """The last tick at or before the instant."""
        zone, seconds = self.zone, self.cron.seconds
        segment = zone.segment(zone.segment_index(instant))
        limit = instant // DAY - _OPTIMISTIC_DAYS
        while True:
            if segment.offset is None:
                instants = self.block(segment).instants
                i = bisect_right(instants, instant)
                if i:
                    return instants[i - 1]
            else:
                local = instant + segment.offset
                day = local // DAY
                i = bisect_right(seconds, local - day * DAY) - 1
                if i < 0:
                    day, i = day - 1, -1
                found = self._day_until(day, segment.first_day)
                if found is not None:
                    return found * DAY + seconds[i if found == day else -1] - segment.offset
            if segment.first_day < limit:
                raise OverflowError(f"cron {self.cron.text!r} has no tick in the nine years before {zone.at(instant)}")
            instant = segment.start - 1
            segment = zone.before(segment)

    def next(self, instant: int) -> int:
        """The first tick after the instant."""
        return self.ceil(instant + 1)

    def previous(self, instant: int) -> int:
        """The last tick before the instant."""
        return self.floor(instant - 1)

    def is_tick(self, instant: int) -> bool:
        """Whether the instant is a tick."""
        return self.ceil(instant) == instant

    def pieces(self, start: int, end: int) -> Iterator[tuple[Segment, int, int]]:
        """The segments that overlap `start..end`, each with the part of that range inside it."""
        if end <= start:
            return
        zone = self.zone
        zone.segment_index(end)  # first, so that positions stay valid while we walk
        segment = zone.segment(zone.segment_index(start))
        while True:
            following = zone.after(segment)
            yield segment, max(start, segment.start), min(end, following.start)
            if following.start >= end:
                return
            segment = following

    def ticks(self, start: int, end: int) -> list[int]:
        """All ticks in `start <= tick < end`, ascending."""
        seconds = self.cron.seconds
        found: list[int] = []
        for segment, low, high in self.pieces(start, end):
            if segment.offset is None:
                instants = self.block(segment).instants
                found += instants[bisect_left(instants, low) : bisect_left(instants, high)]
                continue
            offset = segment.offset
            days = self._days((low + offset) // DAY, (high - 1 + offset) // DAY)
            bases = [day * DAY - offset for day in days]
            part = (
                [base + second for base in bases for second in seconds]
                if len(seconds) > 1
                else ([base + seconds[0] for base in bases])
            )
            found += part[bisect_left(part, low) : bisect_left(part, high)]
        return found

    def count(self, start: int, end: int) -> int:
        """How many ticks there are in `start <= tick < end`."""
        seconds = self.cron.seconds
        total = 0
        for segment, low, high in self.pieces(start, end):
            if segment.offset is None:
                instants = self.block(segment).instants
                total += bisect_left(instants, high) - bisect_left(instants, low)
                continue
            first, first_second = divmod(low + segment.offset, DAY)
            last, last_second = divmod(high - 1 + segment.offset, DAY)
            total += self._count_days(first, last) * len(seconds)
            if self._matches_day(first):
                total -= bisect_left(seconds, first_second)
            if self._matches_day(last):
                total -= len(seconds) - bisect_right(seconds, last_second)
        return total

    def shift(self, tick: int, steps: int) -> int:
        """The tick that many steps after (before, if negative) `tick`."""
        if abs(steps) <= 4:
            for _ in range(abs(steps)):
                tick = self.next(tick) if steps > 0 else self.previous(tick)
            return tick
        reach = abs(tick - (self.next(tick) if steps > 0 else self.previous(tick))) * abs(steps)
        while True:
            if steps > 0:
                found = self.ticks(tick + 1, tick + reach + 1)
            else:
                found = self.ticks(tick - reach, tick)[::-1]
            if len(found) >= abs(steps):
                return found[abs(steps) - 1]
            reach *= 2

    def window(self, tick: int) -> TimeWindow:
        """The window from this tick to the next, as datetimes of the zone."""
        return TimeWindow(self.zone.at(tick), self.zone.at(self.next(tick)))


@lru_cache(maxsize=4096)
def cadence(cron_schedule: str, timezone: str = "UTC") -> Cadence:
    """The cadence of a cron expression in a zone.

    Raises:
        DefinitionError: the expression cannot be read or there is no such zone.
    """
    return Cadence(parse_cron(cron_schedule), zone_of(timezone))


def _cadences(cron_schedule: str | Sequence[str], timezone: str) -> list[Cadence]:
    expressions = [cron_schedule] if isinstance(cron_schedule, str) else cron_schedule
    return [cadence(expression, timezone) for expression in expressions]


def next_tick(cron_schedule: str | Sequence[str], after: datetime, timezone: str = "UTC") -> datetime:
    """The first tick strictly after `after`. A list of expressions is their union."""
    instant = instant_of(after)
    return min((one.zone.at(one.next(instant)) for one in _cadences(cron_schedule, timezone)), key=datetime.timestamp)


def previous_tick(cron_schedule: str | Sequence[str], before: datetime, timezone: str = "UTC") -> datetime:
    """The last tick strictly before `before`. A list of expressions is their union."""
    instant = -int(-before.astimezone(UTC).timestamp() // 1) if before.tzinfo else instant_of(before)
    return max(
        (one.zone.at(one.previous(instant)) for one in _cadences(cron_schedule, timezone)), key=datetime.timestamp
    )


def iterate_ticks(cron_schedule: str | Sequence[str], start: datetime, timezone: str = "UTC") -> Iterator[datetime]:
    """Ticks from `start` (inclusive) on, ascending, without end. A list of expressions is their union, each tick once."""
    exact = -int(-start.timestamp() // 1) if start.tzinfo else instant_of(start)
    last: int | None = None
    for tick in merge(*(_walk(one, exact) for one in _cadences(cron_schedule, timezone))):
        if tick != last:
            last = tick
            yield zone_of(timezone).at(tick)


def _walk(one: Cadence, instant: int) -> Iterator[int]:
    while True:
        tick = one.ceil(instant)
        yield tick
        instant = tick + 1
