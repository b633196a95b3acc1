"""Cron expressions: what can be written, what is refused, and what the fields mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from treadle.core.time import instant_of, parse_cron, zone_of
from treadle.core.windows import cadence
from treadle.errors import DefinitionError


def first_ticks(cron: str, n: int = 4, timezone: str = "UTC") -> list[str]:
    ticks, found = cadence(cron, timezone), list[datetime]()
    instant = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) - 1
    for _ in range(n):
        instant = ticks.next(instant)
        found.append(ticks.zone.at(instant))
    return [at.strftime("%a %m-%d %H:%M") for at in found]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("@hourly", ["Mon 01-01 00:00", "Mon 01-01 01:00"]),
        ("@daily", ["Mon 01-01 00:00", "Tue 01-02 00:00"]),
        ("@midnight", ["Mon 01-01 00:00", "Tue 01-02 00:00"]),
        ("@weekly", ["Sun 01-07 00:00", "Sun 01-14 00:00"]),
        ("@monthly", ["Mon 01-01 00:00", "Thu 02-01 00:00"]),
        ("@yearly", ["Mon 01-01 00:00", "Wed 01-01 00:00"]),
        ("  0   0 * *  * ", ["Mon 01-01 00:00", "Tue 01-02 00:00"]),
        ("0 0 ? * ?", ["Mon 01-01 00:00", "Tue 01-02 00:00"]),
        ("1-5/2 * * * *", ["Mon 01-01 00:01", "Mon 01-01 00:03", "Mon 01-01 00:05", "Mon 01-01 01:01"]),
        ("5/25 3 * * *", ["Mon 01-01 03:05", "Mon 01-01 03:30", "Mon 01-01 03:55", "Tue 01-02 03:05"]),
        ("0 22-1 * * *", ["Mon 01-01 00:00", "Mon 01-01 01:00", "Mon 01-01 22:00", "Mon 01-01 23:00"]),
        ("0 0 * * mon,WED", ["Mon 01-01 00:00", "Wed 01-03 00:00", "Mon 01-08 00:00"]),
        ("0 0 * * 6-7", ["Sat 01-06 00:00", "Sun 01-07 00:00", "Sat 01-13 00:00"]),
        ("0 0 * * 5-1", ["Mon 01-01 00:00", "Fri 01-05 00:00", "Sat 01-06 00:00", "Sun 01-07 00:00"]),
        ("0 0 * * 0,7", ["Sun 01-07 00:00", "Sun 01-14 00:00"]),
        ("0 0 1 FEB-MAR *", ["Thu 02-01 00:00", "Fri 03-01 00:00", "Sat 02-01 00:00"]),
        ("0 0 L * *", ["Wed 01-31 00:00", "Thu 02-29 00:00", "Sun 03-31 00:00"]),
        ("0 0 1,L * *", ["Mon 01-01 00:00", "Wed 01-31 00:00", "Thu 02-01 00:00", "Thu 02-29 00:00"]),
        ("0 0 * * 1#2", ["Mon 01-08 00:00", "Mon 02-12 00:00"]),
        ("0 0 * * MON#5", ["Mon 01-29 00:00", "Mon 04-29 00:00"]),
        ("0 0 * * L5", ["Fri 01-26 00:00", "Fri 02-23 00:00"]),
        ("0 0 * * 1#1,2#3", ["Mon 01-01 00:00", "Tue 01-16 00:00", "Mon 02-05 00:00"]),
        # both day fields restricted: either may match
        ("0 0 3 * 5", ["Wed 01-03 00:00", "Fri 01-05 00:00", "Fri 01-12 00:00"]),
        ("0 0 1,15 * */2", ["Mon 01-01 00:00", "Tue 01-02 00:00", "Thu 01-04 00:00", "Sat 01-06 00:00"]),
        ("0 0 * * 5", ["Fri 01-05 00:00", "Fri 01-12 00:00"]),
        ("0 0 1-31 * 5", ["Mon 01-01 00:00", "Tue 01-02 00:00"]),
        ("0 0 30 2,4 *", ["Tue 04-30 00:00", "Wed 04-30 00:00"]),
        ("0 0 29 2 *", ["Thu 02-29 00:00", "Tue 02-29 00:00"]),
    ],
)
def test_what_fields_mean(cron: str, expected: list[str]) -> None:
    assert first_ticks(cron, len(expected)) == expected


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "0 0 * *",
        "0 0 * * * *",
        "0 0 * * * 2024",
        "@reboot",
        "@every 5m",
        "60 * * * *",
        "* 24 * * *",
        "0 0 0 * *",
        "0 0 32 * *",
        "0 0 * 13 *",
        "0 0 * * 8",
        "*/0 * * * *",
        "0 0 * * 1,",
        "0 0 * * 1#6",
        "0 0 * * L",
        "0 0 15W * *",
        "H * * * *",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "a b c d e",
    ],
)
def test_what_is_refused(cron: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_cron(cron)
    assert repr(cron) in str(caught.value)


def test_next_and_previous_are_strict() -> None:
    noons, noon = cadence("0 12 * * *"), int(datetime(2024, 1, 1, 12, tzinfo=UTC).timestamp())
    assert noons.next(noon) == noon + 86400
    assert noons.previous(noon) == noon - 86400
    assert noons.next(noon - 1) == noons.previous(noon + 1) == noon


def test_ticks_carry_the_zone() -> None:
    ticks = cadence("30 9 * * *", "Asia/Kolkata")
    start, end = ticks.window(ticks.ceil(int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())))
    assert (start.isoformat(), end.isoformat()) == ("2024-01-01T09:30:00+05:30", "2024-01-02T09:30:00+05:30")


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(DefinitionError, match="time zone"):
        zone_of(name)


def test_wall_time_without_zone_is_of_the_given_zone() -> None:
    assert instant_of(datetime(2024, 1, 1), zone_of("Asia/Kolkata")) == instant_of(datetime(2023, 12, 31, 18, 30))
