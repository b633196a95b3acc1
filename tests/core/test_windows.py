"""Cadences against a scan of every minute, around changes of clocks, and keys against `strftime`."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core.time import DAY
from treadle.core.windows import Cadence, KeyFormat, WindowSequence, cadence

# each zone with a time near something odd that its clocks did
ODD = [
    ("UTC", datetime(2024, 3, 10)),
    ("Asia/Kolkata", datetime(2024, 3, 10)),
    ("America/New_York", datetime(2024, 3, 10)),
    ("America/New_York", datetime(2024, 11, 3)),
    ("Europe/Berlin", datetime(2024, 10, 27)),
    ("Australia/Lord_Howe", datetime(2024, 4, 6)),  # half an hour
    ("Australia/Lord_Howe", datetime(2024, 10, 5)),
    ("Asia/Beirut", datetime(2024, 3, 30)),  # midnight does not exist
    ("Africa/Cairo", datetime(2024, 10, 31)),  # midnight exists twice
    ("America/Nuuk", datetime(2024, 3, 30)),  # the gap ends at midnight
    ("America/St_Johns", datetime(2009, 11, 1)),  # clocks go back over midnight
    ("Pacific/Apia", datetime(2011, 12, 30)),  # a date does not exist
    ("Africa/Casablanca", datetime(2024, 3, 10)),
]


class Fields:
    """A cron expression made from sets, and so understood without parsing."""

    def __init__(
        self, minutes: set[int], hours: set[int] | None, days: set[int] | None, weekdays: set[int] | None
    ) -> None:
        self.minutes, self.hours, self.days, self.weekdays = minutes, hours, days, weekdays

    @property
    def text(self) -> str:
        def field(values: set[int] | None) -> str:
            return "*" if values is None else ",".join(map(str, sorted(values)))

        return f"{field(self.minutes)} {field(self.hours)} {field(self.days)} * {field(self.weekdays)}"

    def match(self, wall: datetime) -> bool:
        by_day = self.days is not None and wall.day in self.days
        by_weekday = self.weekdays is not None and wall.isoweekday() % 7 in self.weekdays
        date = (self.days is None and self.weekdays is None) or by_day or by_weekday
        return date and wall.minute in self.minutes and (self.hours is None or wall.hour in self.hours)

    def scan(self, zone: ZoneInfo, start: int, end: int) -> list[int]:
        """The ticks, from the rules: every real minute, and the missing minutes at each jump of the clocks."""
        found = set()
        for instant in range(start - start % 60, end, 60):
            real = datetime.fromtimestamp(instant, zone)
            wall = real.replace(tzinfo=None)
            offset = real.utcoffset()
            before = datetime.fromtimestamp(instant - 60, zone).utcoffset()
            assert offset is not None
            assert before is not None
            if offset > before and self.hours is not None:
                missing = wall - (offset - before)
                while missing < wall:
                    if self.match(missing):
                        found.add(instant)
                    missing += timedelta(minutes=1)
            later = real.replace(fold=1).utcoffset()
            comes_again = real.fold == 0 and later is not None and later < offset
            if self.match(wall) and (self.hours is None or not comes_again):
                found.add(instant)
        return [instant for instant in sorted(found) if start <= instant < end]


fields = st.builds(
    Fields,
    st.sets(st.sampled_from([0, 1, 15, 30, 59]), min_size=1, max_size=3),
    st.none()
    | st.sets(st.integers(0, 23), min_size=1, max_size=5)
    | st.sets(st.sampled_from([0, 1, 2, 3, 23]), min_size=1),
    st.none() | st.sets(st.integers(1, 31), min_size=1, max_size=8).map(lambda days: days | {1}),
    st.none() | st.sets(st.integers(0, 6), min_size=1, max_size=6),
)


@given(fields, st.sampled_from(ODD), st.integers(-3 * 1440, 3 * 1440), st.integers(0, 2 * 1440))
def test_ticks_are_those_of_a_scan_of_every_minute(
    one: Fields, odd: tuple[str, datetime], minutes: int, length: int
) -> None:
    zone, near = odd
    start = int(near.replace(tzinfo=UTC).timestamp()) + minutes * 60
    end = start + length * 60
    expected = one.scan(ZoneInfo(zone), start, end)
    ticks = cadence(one.text, zone)
    assert ticks.ticks(start, end) == expected
    assert ticks.count(start, end) == len(expected)


@given(fields, st.sampled_from(ODD), st.integers(-4 * DAY, 4 * DAY), st.integers(-40, 40))
def test_every_question_agrees_with_the_list(one: Fields, odd: tuple[str, datetime], seconds: int, steps: int) -> None:
    zone, near = odd
    middle = int(near.replace(tzinfo=UTC).timestamp())
    ticks = cadence(one.text, zone)
    every = ticks.ticks(middle - 1500 * DAY, middle + 1500 * DAY)
    assert every == sorted(set(every))
    at = middle + seconds
    here = bisect_left(every, at)
    assert ticks.ceil(at) == every[here]
    assert ticks.next(at) == every[bisect_right(every, at)]
    assert ticks.floor(at) == every[bisect_right(every, at) - 1]
    assert ticks.previous(at) == every[here - 1]
    assert ticks.shift(every[here], steps) == every[here + steps]
    assert ticks.count(middle - 100 * DAY, at) == here - bisect_left(every, middle - 100 * DAY)


@pytest.mark.parametrize(
    ("cron", "zone", "day", "expected"),
    [
        ("30 2 * * *", "America/New_York", datetime(2024, 3, 10), ["03:00-04:00"]),
        ("0 2,3 * * *", "America/New_York", datetime(2024, 3, 10), ["03:00-04:00"]),
        ("30 2,3 * * *", "America/New_York", datetime(2024, 3, 10), ["03:00-04:00", "03:30-04:00"]),
        ("30 1 * * *", "America/New_York", datetime(2024, 11, 3), ["01:30-05:00"]),
        ("30 1-2 * * *", "America/New_York", datetime(2024, 11, 3), ["01:30-05:00", "02:30-05:00"]),
        ("0 1-23/24 * * *", "Asia/Kolkata", datetime(2024, 11, 3), ["01:00+05:30"]),
    ],
)
def test_days_on_which_clocks_change(cron: str, zone: str, day: datetime, expected: list[str]) -> None:
    start = int(day.replace(tzinfo=ZoneInfo(zone)).timestamp())
    ticks = cadence(cron, zone)
    found = [ticks.zone.at(tick) for tick in ticks.ticks(start, start + 20 * 3600)]
    assert [tick.isoformat(timespec="minutes")[11:] for tick in found] == expected


def test_hourly_ticks_follow_real_time() -> None:
    hours = cadence("0 * * * *", "America/New_York")
    for day, number in ((datetime(2024, 3, 10), 23), (datetime(2024, 3, 11), 24), (datetime(2024, 11, 3), 25)):
        start, end = (
            int((day + timedelta(days=i)).replace(tzinfo=ZoneInfo("America/New_York")).timestamp()) for i in (0, 1)
        )
        assert hours.count(start, end) == number
        assert hours.ticks(start, end) == list(range(start, end, 3600))


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
def test_far_years(zone: str) -> None:
    daily = cadence("0 12 * * *", zone)
    for year in (1910, 1975, 2150, 2900):
        noon = int(datetime(year, 6, 1, 12, tzinfo=ZoneInfo(zone)).timestamp())
        assert daily.is_tick(noon)
        assert daily.shift(daily.shift(noon, 1000), -1000) == noon


# --- keys ------------------------------------------------------------------------------------------------------------

FORMATS = ["%Y-%m-%d-%H:%M", "%Y%m%dT%H%M", "%d/%m/%Y %H:%M", "%Y-%m-%d-%H:%M%z", "x%y%m%d_%I%p%M", "%H:%M %Y-%m-%d"]


def naive_key(ticks: Cadence, fmt: str, tick: int) -> str:
    real = ticks.zone.at(tick)
    repeated = real.fold == 1 and ticks.cron.every_hour and "%z" not in fmt
    return real.strftime(fmt) + (real.strftime("%z") if repeated else "")


@given(
    st.sampled_from(["0 * * * *", "*/30 * * * *", "15 * * * *", "0 1,2 * * *", "30 5 * * 1-5"]),
    st.sampled_from([odd for odd in ODD if odd[0] != "Pacific/Apia"]),
    st.sampled_from(FORMATS),
    st.integers(0, 4 * DAY),
    st.integers(0, 5 * DAY),
)
def test_keys_are_strftime_and_can_be_read_back(
    cron: str, odd: tuple[str, datetime], fmt: str, seconds: int, length: int
) -> None:
    zone, near = odd
    start = int(near.replace(tzinfo=UTC).timestamp()) - 2 * DAY + seconds
    ticks = cadence(cron, zone)
    names = KeyFormat(ticks, fmt)
    starts = ticks.ticks(start, start + length)
    keys = names.keys(start, start + length)
    assert keys == [naive_key(ticks, fmt, tick) for tick in starts]
    assert [names.key(tick) for tick in starts] == keys
    assert [names.parse(key) for key in keys] == starts


@pytest.mark.parametrize("zone", ["America/Nuuk", "Pacific/Apia", "America/St_Johns", "Asia/Beirut", "Africa/Cairo"])
@pytest.mark.parametrize("cron", ["0 0 * * *", "30 23 * * *", "30 5 * * *", "0 0 * * 5", "0 0 L * *"])
def test_daily_keys_are_distinct_through_every_change(zone: str, cron: str) -> None:
    ticks = cadence(cron, zone)
    names = KeyFormat(ticks, "%Y-%m-%d")
    start, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2005, 2030))
    keys = names.keys(start, end)
    assert len(set(keys)) == len(keys) == ticks.count(start, end)
    assert [names.parse(key) for key in keys] == ticks.ticks(start, end)


@pytest.mark.parametrize(
    "key", ["", "x", "2024-1-2", "2024-01-02 ", "2024-W01-1", "20240102", "2024-02-30", "2024-01-02-01"]
)
def test_what_is_no_key(key: str) -> None:
    assert KeyFormat(cadence("0 0 * * *"), "%Y-%m-%d").parse(key) is None
    assert KeyFormat(cadence("0 0 * * *", "Europe/Berlin"), "%Y-%m-%d").parse(key) is None


def test_a_key_off_the_cadence_is_no_key() -> None:
    weekly = KeyFormat(cadence("0 0 * * 0"), "%Y-%m-%d")
    assert weekly.parse("2024-01-07") is not None
    assert weekly.parse("2024-01-09") is None


# --- windows with holes -----------------------------------------------------------------------------------------------


@given(
    st.sampled_from(["0 * * * *", "0 0 * * *", "0 0 * * 0"]),
    st.sampled_from(["UTC", "America/New_York"]),
    st.lists(st.sampled_from(["0 0 * * 6,0", "0 0-6 * * *", "0 3 * * *", "30 * * * *"]), max_size=2),
    st.sets(st.integers(-10, 30), max_size=5),
    st.integers(0, 20 * DAY),
    st.integers(-6, 6),
)
def test_excluded_windows(cron: str, zone: str, recurring: list[str], days: set[int], length: int, steps: int) -> None:
    ticks = cadence(cron, zone)
    origin = ticks.ceil(int(datetime(2024, 3, 1, tzinfo=UTC).timestamp()))
    dates = tuple(ticks.floor(origin + day * DAY) for day in sorted(days))
    windows = WindowSequence(ticks, "%Y-%m-%d-%H:%M", (*recurring, *dates))
    out = set(dates).union(*(cadence(one, zone).ticks(origin - 60 * DAY, origin + 90 * DAY) for one in recurring))
    every = [tick for tick in ticks.ticks(origin - 60 * DAY, origin + 90 * DAY) if tick not in out]
    end = ticks.ceil(origin + length)
    inside = [tick for tick in every if origin <= tick < end]
    assert windows.ticks(origin, end) == inside
    assert windows.count(origin, end) == len(inside)
    spans = windows.spans(origin, end)
    assert [tick for start, stop in spans for tick in ticks.ticks(start, stop)] == inside
    assert all(a[1] < b[0] for a, b in pairwise(spans))
    assert windows.spans_of(inside) == spans
    if not every:
        return
    here = windows.first(origin)
    assert here is not None
    at = every.index(here)
    if 0 <= at + steps < len(every):
        assert windows.shift(here, steps) == every[at + steps]
    assert windows.last(here - 1) == every[at - 1]
