"""Cadences: the instants that a cron expression fires in a zone, computed and never listed.

A day whose offset does not change is arithmetic: midnight plus the times of day. The few days on which it does change
are worked out wall time by wall time and kept. Every question (the tick before or after, how many between, the n-th
from here) walks over segments of such days, four a year at most.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from treadle.core.time import (
    DAY,
    EPOCH_ORDINAL,
    Cron,
    Segment,
    TimeWindow,
    Zone,
    days_of_month,
    parse_cron,
    zone_of,
)

_EPOCH = datetime(1970, 1, 1)
_OPTIMISTIC = 366 * 9 * DAY  # 29 February may be eight years away; 1900 and 2100 are not leap years


class _Block(NamedTuple):
    """The ticks of a few days in which the offset changes.

    `labels` are the wall times the ticks stand for; `repeated` marks ticks whose wall time has already been another
    tick.
    """

    instants: list[int]
    labels: list[datetime]
    repeated: list[bool]


class Cadence:
    """The ticks of one cron expression in one zone, without beginning or end. `cadence` makes them and keeps them."""

    def __init__(self, cron: Cron, zone: Zone) -> None:
        self.cron = cron
        self.zone = zone
        self._blocks: dict[int, _Block] = {}
        self._every_day = cron.any_day and cron.any_weekday and len(cron.months) == 12
        # whether the date is chosen by the day of the week alone
        self._weekly = cron.any_day and not cron.any_weekday and not cron.nth and len(cron.months) == 12
        self._reach = 6 if self._weekly else 31  # how many days more are looked at in one go, to find a matching day

    # --- dates -----------------------------------------------------------------------------------------------------

    def matches_day(self, day: int) -> bool:
        """Whether the expression names this day."""
        return len(self.days(day, day)) > 0

    def _nearest_day(self, day: int, limit: int, step: int) -> int | None:
        """The first matching day from `day` on up to `limit`, forwards (`step` 1) or backwards (-1)."""
        if self._every_day:
            return day if (limit - day) * step >= 0 else None
        while (limit - day) * step >= 0:
            far = day + step * min(self._reach, abs(limit - day))
            days = self.days(day, far) if step > 0 else self.days(far, day)[::-1]
            if days:
                return days[0]
            day = far + step
        return None

    def days(self, first: int, last: int) -> Sequence[int]:
        """The matching days in `first..last`."""
        if self._every_day:
            return range(first, last + 1)
        if self._weekly:
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
        if self._weekly and last >= first:
            weeks, rest = divmod(last - first + 1, 7)
            return weeks * len(self.cron.weekdays) + len(self.days(last - rest + 1, last))
        return len(self.days(first, last))

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
        for day in self.days(segment.first_day, segment.last_day):
            for second in self.cron.seconds:
                wall = day * DAY + second
                label = _EPOCH + timedelta(seconds=wall)
                instants = sorted(wall - offset for offset in offsets if zone.offset_at(wall - offset) == offset)
                if not instants:
                    if not every_hour:
                        end = zone.end_of_gap(wall, offsets)
                        shown = _EPOCH + timedelta(seconds=end + zone.offset_at(end))
                        # a gap over midnight: the tick keeps its own date, so that no two ticks share a date
                        moved.setdefault(end, (shown if shown.date() == label.date() else label, False))
                elif every_hour:
                    real.update({instant: (label, i > 0) for i, instant in enumerate(instants)})
                else:
                    real[instants[-1]] = (label, False)
        ticks = sorted((moved | real).items())
        return _Block([t for t, _ in ticks], [x[0] for _, x in ticks], [x[1] for _, x in ticks])

    # --- ticks -----------------------------------------------------------------------------------------------------

    def ceil(self, instant: int) -> int:
        """The first tick at or after the instant."""
        seconds, limit = self.cron.seconds, instant + _OPTIMISTIC
        while instant < limit:
            segment = self.zone.segment_at(instant)
            if segment.offset is None:
                instants = self.block(segment).instants
                i = bisect_left(instants, instant)
                if i < len(instants):
                    return instants[i]
            else:
                day, second = divmod(instant + segment.offset, DAY)
                i = bisect_left(seconds, second)
                if i == len(seconds):
                    day, i = day + 1, 0
                found = self._nearest_day(day, segment.last_day, 1)
                if found is not None:
                    return found * DAY + seconds[i if found == day else 0] - segment.offset
            instant = segment.end
        raise OverflowError(f"cron {self.cron.text!r} has no tick in the nine years before {self.zone.at(limit)}")

    def floor(self, instant: int) -> int:
        """The last tick at or before the instant."""
        seconds, limit = self.cron.seconds, instant - _OPTIMISTIC
        while instant > limit:
            segment = self.zone.segment_at(instant)
            if segment.offset is None:
                instants = self.block(segment).instants
                i = bisect_right(instants, instant)
                if i:
                    return instants[i - 1]
            else:
                day, second = divmod(instant + segment.offset, DAY)
                i = bisect_right(seconds, second) - 1
                if i < 0:
                    day -= 1
                found = self._nearest_day(day, segment.first_day, -1)
                if found is not None:
                    return found * DAY + seconds[i if found == day else -1] - segment.offset
            instant = segment.start - 1
        raise OverflowError(f"cron {self.cron.text!r} has no tick in the nine years after {self.zone.at(limit)}")

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
        while start < end:
            segment = self.zone.segment_at(start)
            yield segment, start, min(end, segment.end)
            start = segment.end

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
            days = self.days((low + offset) // DAY, (high - 1 + offset) // DAY)
            part = [base + second for base in (day * DAY - offset for day in days) for second in seconds]
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
            if self.matches_day(first):
                total -= bisect_left(seconds, first_second)
            if self.matches_day(last):
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
            found = self.ticks(tick + 1, tick + reach + 1) if steps > 0 else self.ticks(tick - reach, tick)[::-1]
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


# --- keys of windows -----------------------------------------------------------------------------------------------

_TIME_DIRECTIVES = frozenset("HIMSpf")
_DATE_DIRECTIVES = frozenset("aAbBdejmuUVwWyYGD%")
_DIRECTIVE = re.compile(r"%[-_0^#]?(.)", re.DOTALL)
_ISO_DATE = "%Y-%m-%d"
_YEAR = re.compile(r"%[YyGcx]")
_OFFSET_AT_END = re.compile(r"[+-]\d{4}(?:\d{2})?\Z")


class KeyFormat:
    """How windows of a cadence are named: `strftime` of the start, in its zone.

    The second of two windows whose starts read alike on the clock (the hour that a zone repeats) has its offset
    appended, as in `2024-11-03-01:00-0500`.
    """

    def __init__(self, cadence: Cadence, fmt: str) -> None:
        self.cadence = cadence
        self.fmt = fmt
        self._names_offset = "%z" in fmt
        # Without a year strptime means 1900, and newer versions want that said.
        self._year, self._read_as = ("", fmt) if _YEAR.search(fmt) else ("1900 ", f"%Y {fmt}")
        self._block_keys: dict[int, tuple[list[str], dict[str, int]]] = {}
        self._date_fmt, time_fmt = _split_format(fmt) or (None, "")
        midnight = datetime(2000, 1, 1)
        self._suffix_of = {
            second: (midnight + timedelta(seconds=second)).strftime(time_fmt) for second in cadence.cron.seconds
        }
        self._second_of = {suffix: second for second, suffix in reversed(self._suffix_of.items())}
        tail = (self._date_fmt or "").removeprefix(_ISO_DATE)  # what follows a date that can be written and read fast
        self._tail = tail if tail != self._date_fmt and self._date_fmt and "%" not in tail else None
        self._prefix_length = 10 + len(self._tail or "")
        self._midnight_of = lru_cache(maxsize=4096)(self._read_midnight)

    # --- writing

    def _prefix(self, day: int) -> str:
        on = date.fromordinal(day + EPOCH_ORDINAL)
        return on.isoformat() + self._tail if self._tail is not None else on.strftime(self._date_fmt or "")

    def _block(self, segment: Segment) -> tuple[list[str], dict[str, int]]:
        found = self._block_keys.get(segment.first_day)
        if found is None:
            block = self.cadence.block(segment)
            keys = [self._write(*tick) for tick in zip(block.instants, block.labels, block.repeated, strict=True)]
            found = self._block_keys[segment.first_day] = keys, dict(zip(keys, block.instants, strict=True))
        return found

    def _write(self, instant: int, label: datetime, repeated: bool) -> str:
        if self._names_offset:
            real = self.cadence.zone.at(instant)
            return (real if real.date() == label.date() else label.replace(tzinfo=real.tzinfo)).strftime(self.fmt)
        key = label.strftime(self.fmt)
        return key + self.cadence.zone.at(instant).strftime("%z") if repeated else key

    def key(self, tick: int) -> str:
        """The key of the window that starts at this tick."""
        segment = self.cadence.zone.segment_at(tick)
        if segment.offset is None:
            instants = self.cadence.block(segment).instants
            return self._block(segment)[0][bisect_left(instants, tick)]
        if self._date_fmt is None:
            return self.cadence.zone.at(tick).strftime(self.fmt)
        day, second = divmod(tick + segment.offset, DAY)
        return self._prefix(day) + self._suffix_of[second]

    def keys(self, start: int, end: int) -> list[str]:
        """The keys of the windows that start in `start <= tick < end`."""
        cadence, found = self.cadence, list[str]()
        for segment, low, high in cadence.pieces(start, end):
            if segment.offset is None:
                instants = cadence.block(segment).instants
                found += self._block(segment)[0][bisect_left(instants, low) : bisect_left(instants, high)]
            elif self._date_fmt is None:
                found += [cadence.zone.at(tick).strftime(self.fmt) for tick in cadence.ticks(low, high)]
            else:
                found += self._run(segment.offset, low, high)
        return found

    def _run(self, offset: int, low: int, high: int) -> list[str]:
        seconds = self.cadence.cron.seconds
        first, first_second = divmod(low + offset, DAY)
        last, last_second = divmod(high - 1 + offset, DAY)
        prefixes = [self._prefix(day) for day in self.cadence.days(first, last)]
        suffixes = list(self._suffix_of.values())
        found = [prefix + suffix for prefix in prefixes for suffix in suffixes]
        skip = bisect_left(seconds, first_second) if self.cadence.matches_day(first) else 0
        drop = len(seconds) - bisect_right(seconds, last_second) if self.cadence.matches_day(last) else 0
        return found[skip : len(found) - drop] if skip or drop else found

    # --- reading

    def _read_midnight(self, prefix: str) -> int | None:
        """When the day starts, if `prefix` names a matching day on which the offset does not change."""
        try:
            day = date.fromisoformat(prefix[:10]).toordinal() - EPOCH_ORDINAL
            offset = self.cadence.zone.segment_of_day(day).offset
        except (ValueError, OverflowError):
            return None
        if offset is None or self._prefix(day) != prefix or not self.cadence.matches_day(day):
            return None
        return day * DAY - offset

    def parse(self, key: object) -> int | None:
        """The start of the window with this key, or None if no window has it. Exclusions and bounds do not matter."""
        if not isinstance(key, str):
            return None
        if self._tail is not None:
            midnight = self._midnight_of(key[: self._prefix_length])
            second = self._second_of.get(key[self._prefix_length :])
            if midnight is not None and second is not None:
                return midnight + second
        try:
            return self._search(key)
        except (OverflowError, ValueError):
            return None

    def _search(self, key: str) -> int | None:
        at = self.read(key)
        if at is None:
            return None
        cadence, zone = self.cadence, self.cadence.zone
        if at.tzinfo is not None:
            tick = cadence.ceil(int(at.timestamp()))
            return tick if self.key(tick) == key else None
        day = at.toordinal() - EPOCH_ORDINAL
        segment = zone.segment_of_day(day)
        if segment.offset is None:
            found = self._block(segment)[1].get(key)
            if found is not None:
                return found
        tick = cadence.ceil(wall_instant(at, zone))
        return tick if self.key(tick) == key else None

    def read(self, text: str) -> datetime | None:
        """`text` read with the format, as wall time unless it names an offset. None if it does not fit."""
        try:
            return datetime.strptime(self._year + text, self._read_as)
        except ValueError:
            if self._names_offset or not _OFFSET_AT_END.search(text):
                return None
        try:
            return datetime.strptime(self._year + text, self._read_as + "%z")
        except ValueError:
            return None


def wall_instant(at: datetime, zone: Zone) -> int:
    """The first instant at which clocks in the zone show `at`, or the end of the gap if they never do."""
    local = (at.toordinal() - EPOCH_ORDINAL) * DAY + at.hour * 3600 + at.minute * 60 + at.second
    segment = zone.segment_of_day(local // DAY)
    if segment.offset is not None:
        return local - segment.offset
    candidates = [local - offset for offset in segment.offsets if zone.offset_at(local - offset) == offset]
    return min(candidates) if candidates else zone.end_of_gap(local, segment.offsets)


def _split_format(fmt: str) -> tuple[str, str] | None:
    """The format as a part that depends on the date alone and one on the time of day alone, if it can be."""
    cut = len(fmt)
    for match in _DIRECTIVE.finditer(fmt):
        letter = match.group(1)
        if letter in _TIME_DIRECTIVES:
            cut = min(cut, match.start())
        elif letter not in _DATE_DIRECTIVES or cut < match.start():
            return None
    return fmt[:cut], fmt[cut:]


# --- windows with holes ----------------------------------------------------------------------------------------------


class WindowSequence:
    """The windows of a cadence but for the excluded ones, without beginning or end, and their keys.

    Args:
        ticks: a cadence whose ticks start the windows; a window ends at the next tick, excluded or not.
        fmt: the `strftime` format of keys.
        exclusions: cron expressions and instants; a window that starts at one of them is left out.
    """

    __slots__ = ("_dates", "_recurring", "cadence", "exclusions", "format")

    def __init__(self, ticks: Cadence, fmt: str, exclusions: tuple[str | int, ...] = ()) -> None:
        self.cadence = ticks
        self.format = _key_format(ticks, fmt)
        self.exclusions = exclusions
        self._recurring = [cadence(one, ticks.zone.name) for one in exclusions if isinstance(one, str)]
        self._dates = frozenset(one for one in exclusions if isinstance(one, int))

    def _value(self) -> tuple[object, ...]:
        return self.cadence.cron, self.cadence.zone.name, self.format.fmt, frozenset(self.exclusions)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WindowSequence):
            return NotImplemented
        same = self.format is other.format and self.exclusions == other.exclusions
        return same or self._value() == other._value()

    def __hash__(self) -> int:
        return hash(self._value())

    def excludes(self, tick: int) -> bool:
        """Whether the window that starts at this tick is left out."""
        return bool(self.exclusions) and (tick in self._dates or any(one.is_tick(tick) for one in self._recurring))

    def ticks(self, start: int, end: int) -> list[int]:
        """The starts in `start <= tick < end` of windows that are not left out."""
        found = self.cadence.ticks(start, end)
        if self.exclusions and found:
            out = self._dates.union(*(one.ticks(start, end) for one in self._recurring))
            found = [tick for tick in found if tick not in out]
        return found

    def count(self, start: int, end: int) -> int:
        """How many windows start in `start <= tick < end`."""
        return len(self.ticks(start, end)) if self.exclusions else self.cadence.count(start, end)

    def keys(self, start: int, end: int) -> list[str]:
        """The keys of the windows that start in `start <= tick < end`."""
        if self.exclusions:
            return [self.format.key(tick) for tick in self.ticks(start, end)]
        return self.format.keys(start, end)

    def spans(self, start: int, end: int) -> tuple[tuple[int, int], ...]:
        """The windows between two ticks as spans that touch only excluded windows."""
        if end <= start:
            return ()
        return self.spans_of(self.ticks(start, end)) if self.exclusions else ((start, end),)

    def spans_of(self, starts: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """The windows with these starts (ascending, distinct) as spans."""
        if not starts:
            return ()
        upper = self.cadence.next(starts[-1])
        dense = (upper - starts[0]) // max(1, upper - starts[-1]) < 20 * len(starts)
        following = self.cadence.ticks(starts[0], upper) if dense else []
        after = dict(zip(following, [*following[1:], upper], strict=True)) if dense else {}
        found: list[tuple[int, int]] = []
        first, last = starts[0], starts[0]
        for start in starts:
            if start not in (first, last):
                found.append((first, last))
                first = start
            last = after[start] if dense else self.cadence.next(start)
        found.append((first, last))
        return tuple(found)

    def first(self, instant: int) -> int | None:
        """The first start at or after the instant, or None if the exclusions leave nothing for nine years."""
        tick = self.cadence.ceil(instant)
        return self._skip(tick, 1) if self.exclusions else tick

    def last(self, instant: int) -> int | None:
        """The last start at or before the instant, or None if the exclusions leave nothing for nine years."""
        tick = self.cadence.floor(instant)
        return self._skip(tick, -1) if self.exclusions else tick

    def _skip(self, tick: int, direction: int) -> int | None:
        limit = tick + direction * _OPTIMISTIC
        while self.excludes(tick):
            tick = self.cadence.next(tick) if direction > 0 else self.cadence.previous(tick)
            if (tick - limit) * direction > 0:
                return None
        return tick

    def shift(self, tick: int | None, steps: int) -> int | None:
        """The start that many windows after (before, if negative) the one at `tick`. None if exclusions leave none."""
        if tick is not None and not self.exclusions:
            return self.cadence.shift(tick, steps)
        for _ in range(abs(steps)):
            if tick is not None:
                tick = self.first(tick + 1) if steps > 0 else self.last(tick - 1)
        return tick


_key_format = lru_cache(maxsize=4096)(KeyFormat)
