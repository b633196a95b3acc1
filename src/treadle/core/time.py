"""Cron expressions, time zones and the one default clock.

A cron expression names wall-clock times. On days when a zone changes its offset the rules are: a wall time that does
not exist fires at the end of the gap; a wall time that exists twice fires once, at its second occurrence; an expression
that names all 24 hours follows real time instead, so it fires in both occurrences and never for hours that do not
exist.

Instants are whole seconds since 1970 UTC and days are days since 1970, both `int`, everywhere below the public API.
"""

from __future__ import annotations

import calendar
import re
from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import msgspec

from treadle.errors import DefinitionError

DAY = 86400
_ONE_DAY = timedelta(days=1)
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_FIRST_YEAR, _LAST_YEAR = 2, 9998  # datetime's own range, with room for offsets


class TimeWindow(NamedTuple):
    """A stretch of time: `start` inclusive, `end` exclusive, both with a time zone."""

    start: datetime
    end: datetime


def utc_now() -> datetime:
    """The default clock: used only where a public method was given no time and none is pinned."""
    return datetime.now(UTC)  # noqa: TID251  the one place


# --- cron expressions ----------------------------------------------------------------------------------------------

_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class _Field(NamedTuple):
    what: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_MINUTE, _HOUR, _DAY_OF_MONTH = _Field("minute", 0, 59), _Field("hour", 0, 23), _Field("day of the month", 1, 31)
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = _Field("month", 1, 12, _MONTH_NAMES)
_WEEKDAY = _Field("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat"))
_NTH = _Field("count of a weekday in its month", 1, 5)
_LONGEST_MONTH = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ITEM = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?\Z")


class Cron(msgspec.Struct, frozen=True):
    """A parsed cron expression: the wall-clock times it names.

    Attributes:
        text: the expression as written, spaces normalised.
        seconds: the times of day, in seconds after midnight, ascending.
        days, months, weekdays: the days of the month, the months, the days of the week (0 is Sunday).
        last_day: whether the last day of the month is named (`L`).
        nth: days of the week by count in the month, `(weekday, n)`; n = -1 is the last one.
        any_day, any_weekday: whether the field is unrestricted. If both are restricted, either may match.
    """

    text: str
    seconds: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    last_day: bool
    nth: frozenset[tuple[int, int]]
    any_day: bool
    any_weekday: bool
    every_hour: bool


def _fail(text: str, why: str) -> DefinitionError:
    return DefinitionError(
        f"{text!r} is not a cron expression: {why}. "
        "Write five fields, minute hour day month weekday, as in '30 2 * * MON'."
    )


def _number(text: str, word: str, field: _Field) -> int:
    name = word.lower()
    value = int(word) if word.isdecimal() else field.low + field.names.index(name) if name in field.names else -1
    if not field.low <= value <= field.high:
        raise _fail(text, f"{word!r} is no {field.what} ({field.low} to {field.high})")
    return value


def _expand(text: str, item: str, field: _Field) -> Iterable[int]:
    match = _ITEM.match(item)
    if match is None:
        raise _fail(text, f"cannot read {item!r} as the {field.what}")
    star, first, last, step_text = match.groups()
    step = int(step_text) if step_text else 1
    if step == 0:
        raise _fail(text, f"the step of {item!r} is zero")
    if star:
        return range(field.low, field.high + 1, step)
    start = _number(text, first, field)
    if last is None:
        return range(start, field.high + 1, step) if step_text else (start,)
    stop = _number(text, last, field)
    if stop < start:  # over the end of the cycle: 22-2 is 22, 23, 0, 1, 2
        return [*range(start, field.high + 1), *range(field.low, stop + 1)][::step]
    return range(start, stop + 1, step)


def _values(text: str, items: str, field: _Field) -> frozenset[int]:
    return frozenset(value for item in items.split(",") for value in _expand(text, item, field))


def _weekday_field(text: str, items: str) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    plain: set[int] = set()
    nth: set[tuple[int, int]] = set()
    for item in items.split(","):
        day, hash_sign, count = item.partition("#")
        if hash_sign:
            nth.add((_number(text, day, _WEEKDAY) % 7, _number(text, count, _NTH)))
        elif len(item) > 1 and (item[0] in "lL" or item[-1] in "lL"):
            nth.add((_number(text, item.strip("lL"), _WEEKDAY) % 7, -1))
        else:  # 7 is Sunday too, but a star stops before it: steps would not come out even
            field = _WEEKDAY._replace(high=6) if item.startswith("*") else _WEEKDAY
            plain.update(day % 7 for day in _expand(text, item, field))
    return frozenset(plain), frozenset(nth)


@lru_cache(maxsize=4096)
def parse_cron(expression: str) -> Cron:
    """Read a cron expression: five fields, or one of @hourly, @daily, @weekly, @monthly, @yearly.

    Fields take numbers, names of months and weekdays, ranges (also over the end, `22-2`), lists and steps; `L` is the
    last day of the month, `1#2` the second Monday, `L5` the last Friday.

    Raises:
        DefinitionError: it cannot be read, or names only dates that never come, such as 30 February.
    """
    text = " ".join(expression.split())
    fields = _ALIASES.get(text.lower(), text).split(" ")
    if len(fields) != 5:
        known = ", ".join(_ALIASES)
        why = f"only {known} are known" if text.startswith("@") else f"it has {len(fields) if text else 0} fields"
        raise _fail(expression, why)
    fields = ["*" if field == "?" else field for field in fields]
    minutes, hours = _values(text, fields[0], _MINUTE), _values(text, fields[1], _HOUR)
    months = _values(text, fields[3], _MONTH)
    numbered = [item for item in fields[2].split(",") if item not in ("L", "l")]
    last_day = len(numbered) <= fields[2].count(",")
    days = _values(text, ",".join(numbered), _DAY_OF_MONTH) if numbered else frozenset[int]()
    weekdays, nth = _weekday_field(text, fields[4])
    any_day, any_weekday = len(days) == 31, len(weekdays) == 7
    if any_day != any_weekday and (any_day or any_weekday) and not (fields[2] == "*" or fields[4] == "*"):
        any_day = any_weekday = True  # one of two restrictions that admits every date: the union is every date
    if any_weekday and not any_day and not last_day and not any(min(days) <= _LONGEST_MONTH[m] for m in months):
        raise _fail(expression, "no month that it names has such a day")
    seconds = tuple(sorted(hour * 3600 + minute * 60 for hour in hours for minute in minutes))
    return Cron(text, seconds, days, months, weekdays, last_day, nth, any_day, any_weekday, len(hours) == 24)


@lru_cache(maxsize=65536)
def days_of_month(cron: Cron, year: int, month: int) -> tuple[int, ...]:
    """The days since 1970 of the dates in this month that `cron` matches, ascending."""
    if month not in cron.months:
        return ()
    first_weekday, length = calendar.monthrange(year, month)
    base = date(year, month, 1).toordinal() - EPOCH_ORDINAL - 1
    found: list[int] = []
    for day in range(1, length + 1):
        weekday = (first_weekday + day) % 7
        if cron.any_day and cron.any_weekday:
            match = True
        else:
            by_day = not cron.any_day and (day in cron.days or (cron.last_day and day == length))
            by_weekday = not cron.any_weekday and (
                weekday in cron.weekdays
                or (weekday, (day + 6) // 7) in cron.nth
                or (day + 7 > length and (weekday, -1) in cron.nth)
            )
            match = by_day or by_weekday
        if match:
            found.append(base + day)
    return tuple(found)


# --- zones ---------------------------------------------------------------------------------------------------------


class Segment(NamedTuple):
    """A run of whole local days. `offset` (seconds east of UTC) is None when it changes inside, between `offsets`."""

    start: int
    end: int
    first_day: int
    last_day: int
    offset: int | None
    offsets: frozenset[int] = frozenset()


class Zone:
    """A time zone as a row of segments: runs of days with one offset, and short blocks of days in which it changes.

    Segments are made for the years that were asked for and kept. Use `zone_of`, which keeps one object a zone.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.info: tzinfo = UTC if name == "UTC" else _load_zone(name)
        self._years = (0, -1)
        self._segments: list[Segment] = []
        self._starts: list[int] = []
        self._first_days: list[int] = []

    def at(self, instant: int) -> datetime:
        """The instant as a datetime of this zone."""
        return datetime.fromtimestamp(instant, self.info)

    def offset_at(self, instant: int) -> int:
        """Seconds east of UTC at this instant."""
        return _seconds(datetime.fromtimestamp(instant, self.info).utcoffset())

    def segment_at(self, instant: int) -> Segment:
        """The segment that holds the instant. It may grow when other years are asked for, but never changes inside."""
        self._cover(instant // DAY)
        return self._segments[bisect_right(self._starts, instant) - 1]

    def segment_of_day(self, day: int) -> Segment:
        """The segment that holds the local day."""
        self._cover(day)
        return self._segments[bisect_right(self._first_days, day) - 1]

    def end_of_gap(self, wall: int, offsets: frozenset[int]) -> int:
        """The instant at which clocks jump over a wall time (seconds as if in UTC) that does not exist."""
        low, high = wall - max(offsets), wall - min(offsets)
        before = self.offset_at(low)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.offset_at(middle) == before else (low, middle)
        return high

    def _cover(self, day: int) -> None:
        low, high = self._years
        year = 1970 + int(day // 365.2425)
        if low < year < high:
            return
        if not _FIRST_YEAR <= year <= _LAST_YEAR:
            raise OverflowError(f"year {year} is beyond what a datetime can hold")
        # wider than asked, so that going on from here seldom rebuilds
        low = min(low, year - 5) if high > 0 else year - 5
        high = max(high, year + 5)
        self._years = (max(low, _FIRST_YEAR - 1), min(high, _LAST_YEAR + 1))
        self._build()

    def _build(self) -> None:
        low, high = max(self._years[0], _FIRST_YEAR), min(self._years[1], _LAST_YEAR)
        first, last = (on.toordinal() - EPOCH_ORDINAL for on in (date(low, 1, 1), date(high, 12, 31)))
        noon = datetime(low, 1, 1, 12)
        days = 1 if self.info is UTC else last - first + 1
        at_noon: list[timedelta | None] = []
        for _ in range(days):
            at_noon.append(self.info.utcoffset(noon))
            noon += _ONE_DAY
        segments: list[Segment] = []
        free = first  # the first day that is in no segment yet
        for day, (old, new) in enumerate(pairwise(at_noon), first):
            if old == new:
                continue
            # the clocks change between the noons of this day and the next
            before, after = _seconds(old), _seconds(new)
            if day < free:  # as they did the day before
                block = segments.pop()
            else:
                if day > free:
                    segments.append(_stable(free, day, before))
                block = Segment(day * DAY - before, 0, day, day, None, frozenset((before,)))
            free = day + 2
            end, offsets = free * DAY - after, block.offsets | {after}
            segments.append(block._replace(end=end, last_day=day + 1, offsets=offsets))
        if free <= last:
            segments.append(_stable(free, last + 1, _seconds(at_noon[-1])))
        self._segments = segments
        self._starts = [segment.start for segment in segments]
        self._first_days = [segment.first_day for segment in segments]


def _stable(day: int, end: int, offset: int) -> Segment:
    return Segment(day * DAY - offset, end * DAY - offset, day, end - 1, offset)


def _seconds(offset: timedelta | None) -> int:
    return 0 if offset is None else int(offset.total_seconds())


def _load_zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo  # noqa: PLC0415  most definitions name no zone

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError) as error:
        raise DefinitionError(
            f"{name!r} is not a time zone. Use a name of the IANA database, such as 'Europe/Berlin' or 'UTC'."
        ) from error


@lru_cache(maxsize=1024)
def zone_of(name: str) -> Zone:
    """The zone with this IANA name.

    Raises:
        DefinitionError: there is none.
    """
    return Zone(name)


def instant_of(moment: datetime, zone: Zone | None = None) -> int:
    """The instant in whole seconds, rounded down. Without a time zone, `moment` is wall time in `zone`, else UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone.info if zone is not None else UTC)
    return int(moment.timestamp() // 1)


def instant_from(moment: datetime, zone: Zone | None = None) -> int:
    """As `instant_of`, rounded up: the first whole second that is not before `moment`."""
    return instant_of(moment, zone) + (moment.microsecond > 0)
