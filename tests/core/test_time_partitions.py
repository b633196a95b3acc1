"""Which time windows exist, what they are called, and where they lie."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core import codec
from treadle.core.partitions import PartitionsDefinition, partition_loading_context
from treadle.core.subsets import PartitionKeyRange
from treadle.core.time import TimeWindow
from treadle.core.time_partitions import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    ScheduleType,
    TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from treadle.errors import DefinitionError, InvocationError, UnknownPartitionError

NOW = datetime(2024, 1, 10, 12, 30, tzinfo=UTC)
DAILY = DailyPartitionsDefinition("2024-01-01")
NO_WEEKENDS = DailyPartitionsDefinition("2024-01-01", exclusions=["0 0 * * 6,0"])
NEW_YORK = "America/New_York"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type]


def days(*numbers: int, month: int = 1) -> list[str]:
    return [f"2024-{month:02}-{day:02}" for day in numbers]


# --- which exist ----------------------------------------------------------------------------------------------------


def test_a_day_appears_when_it_has_ended() -> None:
    assert DAILY.get_partition_keys(NOW) == days(*range(1, 10))
    assert DAILY.get_last_partition_key(utc(2024, 1, 10)) == "2024-01-09"
    assert DAILY.get_last_partition_key(utc(2024, 1, 9, 23, 59, 59)) == "2024-01-08"
    assert DAILY.get_last_partition_key(utc(2024, 1, 1, 23)) is None
    assert DAILY.get_first_partition_key(utc(2024, 1, 1, 23)) is None
    assert DAILY.get_partition_keys(utc(2020, 1, 1)) == []


@pytest.mark.parametrize(("offset", "last"), [(2, "2024-01-11"), (1, "2024-01-10"), (-1, "2024-01-08"), (-9, None)])
def test_end_offset_moves_the_last_day(offset: int, last: str | None) -> None:
    assert DailyPartitionsDefinition("2024-01-01", end_offset=offset).get_last_partition_key(NOW) == last


def test_end_offset_reaches_over_a_start_that_is_to_come() -> None:
    keys = DailyPartitionsDefinition("2024-02-01", end_offset=30).get_partition_keys(NOW)
    assert keys == days(*range(1, 9), month=2)


@pytest.mark.parametrize("offset", [-1, 0, 2])
def test_end_date_is_exclusive_and_end_offset_does_not_move_it(offset: int) -> None:
    definition = DailyPartitionsDefinition("2024-01-01", end_date="2024-01-03", end_offset=offset)
    assert definition.get_partition_keys(NOW) == days(1, 2)
    half = DailyPartitionsDefinition("2024-01-01", end_date=datetime(2024, 1, 3, 12))
    assert half.get_partition_keys(NOW) == days(1, 2)


def test_end_offset_stops_at_an_end_to_come() -> None:
    definition = DailyPartitionsDefinition("2024-01-01", end_date="2024-01-11", end_offset=3)
    assert definition.get_last_partition_key(NOW) == "2024-01-10"


@pytest.mark.parametrize("end", ["2024-01-01", "2023-06-01"])
def test_an_end_at_or_before_the_start_leaves_nothing(end: str) -> None:
    definition = DailyPartitionsDefinition("2024-01-01", end_date=end)
    assert definition.get_partition_keys(NOW) == []
    assert definition.get_last_partition_key(NOW) is None
    assert definition.subset_with_all_partitions(NOW).is_empty


def test_the_start_is_rounded_up() -> None:
    assert WeeklyPartitionsDefinition("2024-01-03").get_first_partition_key(utc(2024, 3, 1)) == "2024-01-07"
    assert MonthlyPartitionsDefinition("2024-01-03").get_first_partition_key(utc(2024, 3, 1)) == "2024-02-01"
    months = MonthlyPartitionsDefinition("2024-01-03", day_offset=31).get_partition_keys(utc(2024, 9, 1))
    assert months == ["2024-01-31", "2024-03-31", "2024-05-31", "2024-07-31"]


def test_a_current_time_without_zone_is_wall_time_of_the_definition() -> None:
    definition = DailyPartitionsDefinition("2024-01-01", timezone=NEW_YORK)
    assert definition.get_last_partition_key(datetime(2024, 1, 3)) == "2024-01-02"
    assert definition.get_last_partition_key(utc(2024, 1, 3)) == "2024-01-01"


def test_time_is_pinned_by_the_context_and_an_argument_wins() -> None:
    with partition_loading_context(NOW):
        assert DAILY.get_last_partition_key() == "2024-01-09"
        assert not DAILY.has_partition_key("2024-01-10")
        assert DAILY.has_partition_key("2024-01-10", utc(2024, 1, 11))
        assert DAILY.get_num_partitions() == 9


def test_membership() -> None:
    keys = ["2024-01-02", "2023-12-31", "2024-01-10", "x", "2024-1-2", ""]
    assert [DAILY.has_partition_key(key, NOW) for key in keys] == [True] + [False] * 5
    with pytest.raises(UnknownPartitionError, match="2024-01-10"):
        DAILY.validate_partition_key("2024-01-10", current_time=NOW)


# --- exclusions -----------------------------------------------------------------------------------------------------


def test_excluded_windows_do_not_exist_and_others_keep_their_length() -> None:
    definition = DailyPartitionsDefinition("2024-01-01", exclusions=["0 0 * * 6,0", datetime(2024, 1, 3)])
    assert definition.get_partition_keys(NOW) == days(1, 2, 4, 5, 8, 9)
    assert definition.get_num_partitions(NOW) == 6
    assert not definition.has_partition_key("2024-01-06", NOW)
    assert definition.time_window_for_partition_key("2024-01-05").end == utc(2024, 1, 6)


@pytest.mark.parametrize(
    ("offset", "last"),
    [(-5, None), (-4, "2024-01-01"), (-1, "2024-01-04"), (0, "2024-01-05"), (1, "2024-01-08"), (2, "2024-01-09")],
)
def test_end_offset_counts_windows_that_are_not_excluded(offset: int, last: str | None) -> None:
    definition = DailyPartitionsDefinition("2024-01-01", exclusions=["0 0 * * 6,0"], end_offset=offset)
    assert definition.get_last_partition_key(utc(2024, 1, 7, 5)) == last


def test_an_exclusion_off_the_cadence_leaves_out_nothing() -> None:
    definition = DailyPartitionsDefinition("2024-01-01", exclusions=["30 5 * * *", datetime(2024, 1, 2, 5)])
    assert definition.get_partition_keys(NOW) == DAILY.get_partition_keys(NOW)


def test_excluding_everything_leaves_nothing() -> None:
    definition = DailyPartitionsDefinition("2024-01-01", exclusions=["0 0 * * *"])
    assert definition.get_partition_keys(NOW) == []
    assert definition.get_last_partition_key(NOW) is None
    assert definition.subset_with_all_partitions(NOW).is_empty


def test_neighbours_skip_excluded_windows() -> None:
    with partition_loading_context(NOW):
        assert NO_WEEKENDS.get_partition_keys_in_range(PartitionKeyRange("2024-01-05", "2024-01-08")) == days(5, 8)


# --- windows --------------------------------------------------------------------------------------------------------


def test_the_window_of_a_key_does_not_depend_on_bounds() -> None:
    assert DAILY.time_window_for_partition_key("2024-01-02") == TimeWindow(utc(2024, 1, 2), utc(2024, 1, 3))
    assert DAILY.time_window_for_partition_key("2043-01-02").start == utc(2043, 1, 2)


@pytest.mark.parametrize("key", ["x", "2024-01-09", "", "2024-01-07-00:00"])
def test_a_key_of_no_window_is_refused(key: str) -> None:
    with pytest.raises(UnknownPartitionError) as caught:
        WeeklyPartitionsDefinition("2024-01-03").time_window_for_partition_key(key)
    assert "%Y-%m-%d" in str(caught.value)


@pytest.mark.parametrize(("day", "hours"), [("2024-03-10", 23), ("2024-03-11", 24), ("2024-11-03", 25)])
def test_days_have_the_hours_that_clocks_give_them(day: str, hours: int) -> None:
    definition = DailyPartitionsDefinition("2024-01-01", timezone=NEW_YORK)
    start, end = definition.time_window_for_partition_key(day)
    assert end.timestamp() - start.timestamp() == hours * 3600
    assert start.tzinfo == ZoneInfo(NEW_YORK)
    assert start.hour == end.hour == 0


def test_a_missing_hour_moves_the_start() -> None:
    window = DailyPartitionsDefinition("2024-01-01", hour_offset=2, timezone=NEW_YORK).time_window_for_partition_key(
        "2024-03-10"
    )
    assert [at.isoformat() for at in window] == ["2024-03-10T03:00:00-04:00", "2024-03-11T02:00:00-04:00"]


def test_hours_that_exist_twice_have_two_keys() -> None:
    definition = HourlyPartitionsDefinition("2024-11-03-00:00", timezone=NEW_YORK)
    keys = definition.get_partition_keys(utc(2024, 11, 3, 8))
    assert keys == [f"2024-11-03-{hour}" for hour in ("00:00", "01:00", "01:00-0500", "02:00")]
    # by timestamp: Python holds a repeated wall time unequal to every time of another zone
    start = definition.time_window_for_partition_key("2024-11-03-01:00-0500").start
    assert start.timestamp() == utc(2024, 11, 3, 6).timestamp()
    spring = HourlyPartitionsDefinition("2024-03-10-00:00", timezone=NEW_YORK)
    assert not spring.has_partition_key("2024-03-10-02:00", utc(2025, 1, 1))


def test_the_last_window() -> None:
    window = DAILY.get_last_partition_window(NOW)
    assert window == TimeWindow(utc(2024, 1, 9), utc(2024, 1, 10))
    assert DAILY.get_last_partition_window(utc(2024, 1, 1, 23)) is None


def test_ranges() -> None:
    with partition_loading_context(NOW):
        assert DAILY.get_partition_keys_in_range(PartitionKeyRange("2024-01-02", "2024-01-04")) == days(2, 3, 4)
        assert DAILY.get_partition_keys_in_range(PartitionKeyRange("2024-01-06", "2024-01-04")) == []
        for wrong in (("2023-12-31", "2024-01-04"), ("2024-01-04", "2024-01-10"), ("x", "2024-01-04")):
            with pytest.raises(UnknownPartitionError):
                DAILY.get_partition_keys_in_range(PartitionKeyRange(*wrong))


# --- what is declared -----------------------------------------------------------------------------------------------


def test_cron_schedules() -> None:
    hourly = HourlyPartitionsDefinition("2024-01-03-00:00", minute_offset=15)
    weekly = WeeklyPartitionsDefinition("2024-01-03", day_offset=3, hour_offset=4)
    monthly = MonthlyPartitionsDefinition("2024-01-03", day_offset=5)
    assert [one.get_cron_schedule() for one in (DAILY, hourly, weekly, monthly)] == [
        "0 0 * * *",
        "15 * * * *",
        "0 4 * * 3",
        "0 0 5 * *",
    ]
    assert DAILY.get_cron_schedule(hour_of_day=5, minute_of_hour=6) == "6 5 * * *"
    assert weekly.get_cron_schedule(day_of_week=0) == "0 4 * * 0"
    assert monthly.get_cron_schedule(day_of_month=9) == "0 0 9 * *"
    assert hourly.get_cron_schedule(minute_of_hour=5) == "5 * * * *"
    custom = TimeWindowPartitionsDefinition("2024", "%Y", cron_schedule="0 0 1 1 *")
    assert custom.get_cron_schedule() == "0 0 1 1 *"
    for definition, given_ in (
        (DAILY, {"day_of_week": 1}),
        (hourly, {"hour_of_day": 1}),
        (weekly, {"day_of_month": 1}),
        (custom, {"minute_of_hour": 1}),
    ):
        with pytest.raises(InvocationError):
            definition.get_cron_schedule(**given_)
    assert (weekly.day_offset, weekly.hour_offset, weekly.minute_offset) == (3, 4, 0)
    assert (weekly.schedule_type, custom.schedule_type) == (ScheduleType.WEEKLY, None)
    with pytest.raises(InvocationError):
        _ = custom.hour_offset


def test_formats() -> None:
    months = MonthlyPartitionsDefinition("202401", fmt="%Y%m")
    assert months.get_partition_keys(utc(2024, 4, 1)) == ["202401", "202402", "202403"]
    italian = DailyPartitionsDefinition("01/02/2024", fmt="%d/%m/%Y")
    assert italian.get_partition_keys(utc(2024, 2, 3)) == ["01/02/2024", "02/02/2024"]
    assert not italian.has_partition_key("1/2/2024", utc(2025, 1, 1))
    zoned = HourlyPartitionsDefinition("2024-11-03T00:00-0400", fmt="%Y-%m-%dT%H:%M%z", timezone=NEW_YORK)
    assert zoned.get_partition_keys(utc(2024, 11, 3, 7)) == [
        "2024-11-03T00:00-0400",
        "2024-11-03T01:00-0400",
        "2024-11-03T01:00-0500",
    ]


@pytest.mark.parametrize(
    ("make", "about"),
    [
        (lambda: HourlyPartitionsDefinition("2024-01-01", fmt="%Y-%m-%d"), "same partition key"),
        (lambda: DailyPartitionsDefinition("01", fmt="%d"), "same partition key"),
        (lambda: DailyPartitionsDefinition("2024/01/01"), "does not fit"),
        (lambda: DailyPartitionsDefinition("2024-01-01", end_date="soon"), "end_date"),
        (lambda: DailyPartitionsDefinition(20240101), "20240101"),  # type: ignore[arg-type]
        (lambda: DailyPartitionsDefinition("2024-01-01", timezone="Mars/X"), "time zone"),
        (lambda: DailyPartitionsDefinition("2024-01-01", hour_offset=24), "24"),
        (lambda: MonthlyPartitionsDefinition("2024-01-01", day_offset=32), "32"),
        (lambda: DailyPartitionsDefinition("2024-01-01", exclusions=["0 0 * *"]), "0 0"),
        (lambda: DailyPartitionsDefinition("2024-01-01", exclusions=[5]), "exclusion"),  # type: ignore[list-item]
        (lambda: TimeWindowPartitionsDefinition("2024", "%Y"), "cron_schedule"),
        (lambda: TimeWindowPartitionsDefinition("2024", "%Y", cron_schedule="0 0 * * *", hour_offset=1), "not both"),
        (lambda: TimeWindowPartitionsDefinition("2024", "%Y", cron_schedule="0 0 * * * *"), "6 fields"),
        (
            lambda: TimeWindowPartitionsDefinition("2024", "%Y", schedule_type=ScheduleType.DAILY, day_offset=1),
            "day_offset",
        ),
    ],
)
def test_definitions_that_cannot_be(make, about: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DefinitionError, match=about):
        make()


def test_a_start_counts_by_its_wall_time() -> None:
    aware = DailyPartitionsDefinition(datetime(2024, 1, 1, tzinfo=ZoneInfo(NEW_YORK)))
    assert aware == DAILY
    assert DAILY.start == utc(2024, 1, 1)
    assert DAILY.end is None


ALL = [
    DAILY,
    NO_WEEKENDS,
    DailyPartitionsDefinition("20240101", "20240601", 30, 2, NEW_YORK, "%Y%m%d", 1, [datetime(2024, 2, 1, 2, 30)]),
    HourlyPartitionsDefinition("2024-01-01-00:00", timezone="Asia/Kolkata"),
    WeeklyPartitionsDefinition("2024-01-01", day_offset=2),
    MonthlyPartitionsDefinition("2024-01-01", end_offset=-1),
    TimeWindowPartitionsDefinition("2024-01-01-00:00", "%Y-%m-%d-%H:%M", cron_schedule="*/15 9-17 * * MON-FRI"),
]


@pytest.mark.parametrize("definition", ALL, ids=str)
def test_definitions_are_values_and_travel(definition: TimeWindowPartitionsDefinition) -> None:
    again = codec.decoder(PartitionsDefinition).decode(codec.encode(definition))
    assert type(again) is type(definition)
    assert again == definition
    assert hash(again) == hash(definition)
    assert again.get_partition_keys(NOW) == definition.get_partition_keys(NOW)
    assert pickle.loads(pickle.dumps(definition)) == definition
    assert sum(definition == other for other in ALL) == 1


def test_the_same_windows_by_another_class_are_equal() -> None:
    general = TimeWindowPartitionsDefinition("2024-01-01", "%Y-%m-%d", cron_schedule="0 0 * * *")
    assert general == DAILY
    assert hash(general) == hash(DAILY)
    later = DailyPartitionsDefinition("2024-02-01")
    assert later != DAILY
    assert later.windows == DAILY.windows


# --- against a naive list -------------------------------------------------------------------------------------------


@given(
    st.sampled_from(["0 * * * *", "0 0 * * *", "30 2 * * *", "0 0 * * 0", "0 0 1 * *", "0 0,12 * * 1-5"]),
    st.sampled_from(["UTC", NEW_YORK, "Asia/Kolkata", "Australia/Lord_Howe"]),
    st.datetimes(datetime(2023, 9, 1), datetime(2024, 4, 1)),
    st.none() | st.integers(-5, 60),
    st.integers(-3, 3),
    st.sampled_from([[], ["0 0 * * 6,0"], ["0 0 1-10 * *"]]),
    st.integers(-5 * 24, 60 * 24),
)
def test_existence_is_that_of_a_naive_list(
    cron: str, zone: str, start: datetime, end_days: int | None, offset: int, exclusions: list[str], hours: int
) -> None:
    fmt = "%Y-%m-%d-%H:%M%z"
    end = None if end_days is None else start + timedelta(days=end_days)
    definition = TimeWindowPartitionsDefinition(
        start, fmt, end, timezone=zone, end_offset=offset, cron_schedule=cron, exclusions=exclusions
    )
    now = start.replace(tzinfo=ZoneInfo(zone)) + timedelta(hours=hours)
    origin = int(definition.start.timestamp())
    ticks = definition.windows.cadence.ticks(origin - 200 * 86400, origin + 300 * 86400)
    existing = [(tick, after) for tick, after in pairwise(ticks) if not definition.windows.excludes(tick)]
    ended = sum(after <= now.timestamp() for _, after in existing)
    windows = [
        (tick, after)
        for i, (tick, after) in enumerate(existing)
        if i < ended + offset
        and tick >= definition.start.timestamp()
        and (definition.end is None or after <= definition.end.timestamp())
    ]
    keys = [definition.windows.format.key(tick) for tick, _ in windows]
    assert list(definition.get_partition_keys(now)) == keys
    assert definition.get_num_partitions(now) == len(keys)
    assert definition.get_first_partition_key(now) == (keys[0] if keys else None)
    assert definition.get_last_partition_key(now) == (keys[-1] if keys else None)
    assert list(definition.subset_with_all_partitions(now)) == keys
    assert all(definition.has_partition_key(key, now) for key in keys)
    for tick, after in windows[:5]:
        window = definition.time_window_for_partition_key(definition.windows.format.key(tick))
        assert (window.start.timestamp(), window.end.timestamp()) == (tick, after)
