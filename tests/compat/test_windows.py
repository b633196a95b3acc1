"""What code written for Dagster asks partitions beside what Dagster documents."""

from datetime import UTC, date, datetime

import pytest

import dagster as dg
from treadle.core.partitions import partition_loading_context

DAILY = dg.DailyPartitionsDefinition("2024-01-01")
NO_WEEKENDS = dg.DailyPartitionsDefinition("2024-01-01", exclusions=["0 0 * * 6,0"])
LETTERS = dg.StaticPartitionsDefinition(["c", "a", "b"])
BOTH = dg.MultiPartitionsDefinition({"date": DAILY, "letter": LETTERS})
NOW = datetime(2024, 1, 10, 12, 30, tzinfo=UTC)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_dates_to_keys() -> None:
    assert DAILY.get_partition_key(date(2024, 1, 2)) == "2024-01-02"
    assert DAILY.get_partition_key(datetime(2024, 1, 2, 5)) == "2024-01-02"
    assert DAILY.get_partition_key(utc(2024, 1, 2, 5)) == "2024-01-02"
    assert DAILY.get_partition_key("2024-01-02") == "2024-01-02"
    with pytest.raises(dg.DagsterUnknownPartitionError):
        DAILY.get_partition_key("2020-01-02")
    with pytest.raises(dg.DagsterUnknownPartitionError):
        NO_WEEKENDS.get_partition_key("2024-01-06")


def test_windows_around_a_time() -> None:
    with partition_loading_context(NOW):
        second = dg.TimeWindow(utc(2024, 1, 2), utc(2024, 1, 3))
        assert DAILY.get_next_partition_window(utc(2024, 1, 2)) == second
        assert DAILY.get_next_partition_window(utc(2024, 1, 1, 5)) == second
        assert DAILY.get_next_partition_window(utc(2024, 1, 10)) is None
        assert DAILY.get_next_partition_window(utc(2024, 1, 10), respect_bounds=False) is not None
        assert DAILY.get_prev_partition_window(utc(2024, 1, 3)) == second
        assert DAILY.get_prev_partition_window(utc(2024, 1, 3, 5)) == second
        assert DAILY.get_prev_partition_window(utc(2024, 1, 1)) is None
        assert DAILY.get_prev_partition_window(utc(2024, 1, 1), respect_bounds=False) is not None
        assert DAILY.get_first_partition_window().start == utc(2024, 1, 1)
        assert DAILY.get_first_partition_window(utc(2024, 1, 1)) is None
        assert DAILY.get_next_partition_key("2024-01-08") == "2024-01-09"
        assert DAILY.get_next_partition_key("2024-01-09") is None
        assert NO_WEEKENDS.get_next_partition_key("2024-01-05") == "2024-01-08"
        assert NO_WEEKENDS.get_prev_partition_window(utc(2024, 1, 8)).start == utc(2024, 1, 5)


def test_windows_of_keys() -> None:
    assert DAILY.start_time_for_partition_key("2024-01-02") == utc(2024, 1, 2)
    assert DAILY.end_time_for_partition_key("2024-01-02") == utc(2024, 1, 3)
    assert NO_WEEKENDS.is_window_start_excluded(utc(2024, 1, 6))
    assert not NO_WEEKENDS.is_window_start_excluded(utc(2024, 1, 5))
    assert DAILY.less_than("2024-01-01", "2024-01-02")
    assert not DAILY.less_than("2024-01-02", "2024-01-02")
    assert dg.DailyPartitionsDefinition("2024-02-01").equal_except_for_start_or_end(DAILY)
    assert not NO_WEEKENDS.equal_except_for_start_or_end(DAILY)
    with partition_loading_context(NOW):
        windows = DAILY.time_windows_for_partition_keys(["2024-01-05", "2024-01-02", "2024-01-03"])
        assert [(w.start.day, w.end.day) for w in windows] == [(2, 4), (5, 6)]
        with pytest.raises(dg.DagsterUnknownPartitionError):
            DAILY.time_windows_for_partition_keys(["2024-02-01"])
        assert len(DAILY.time_windows_for_partition_keys(["2024-02-01"], validate=False)) == 1


def test_timestamps_to_keys() -> None:
    midnight = utc(2024, 1, 10).timestamp()
    assert DAILY.get_partition_key_for_timestamp(midnight + 5) == "2024-01-10"
    assert DAILY.get_partition_key_for_timestamp(midnight) == "2024-01-10"
    assert DAILY.get_partition_key_for_timestamp(midnight, end_closed=True) == "2024-01-09"
    assert DAILY.get_partition_key_for_timestamp(midnight + 0.5, end_closed=True) == "2024-01-10"
    assert NO_WEEKENDS.get_partition_key_for_timestamp(utc(2024, 1, 6, 5).timestamp()) == "2024-01-05"


def test_keys_in_a_window() -> None:
    exact = dg.TimeWindow(utc(2024, 1, 2), utc(2024, 1, 4))
    across = dg.TimeWindow(utc(2024, 1, 2, 5), utc(2024, 1, 4, 5))
    early = dg.TimeWindow(utc(2023, 1, 1), utc(2024, 1, 1))
    with partition_loading_context(NOW):
        assert DAILY.get_partition_keys_in_time_window(exact) == ["2024-01-02", "2024-01-03"]
        assert list(DAILY.get_partition_subset_in_time_window(across)) == ["2024-01-03", "2024-01-04"]
        assert DAILY.get_partition_keys_in_time_window(early) == []
        assert DAILY.get_num_partitions_in_window(across) == 2
        assert DAILY.has_any_partitions_in_window(across)
        assert not DAILY.has_any_partitions_in_window(early)
        assert DAILY.get_partition_key_range_for_time_window(across) == ("2024-01-02", "2024-01-04")
        with pytest.raises(dg.DagsterUnknownPartitionError):
            DAILY.get_partition_key_range_for_time_window(early)


def test_dimensions() -> None:
    assert BOTH.secondary_dimension.name == "letter"
    assert BOTH.is_valid_key_format("x|y")
    assert not BOTH.is_valid_key_format("x")
    with partition_loading_context(utc(2024, 1, 3)):
        assert BOTH.get_multipartition_keys_with_dimension_values("letter", ["b", "a"]) == [
            f"2024-01-0{day}|{letter}" for day in (1, 2) for letter in "ba"
        ]
        assert BOTH.filter_valid_partition_keys({"2024-01-01|a", "2024-01-01|z"}) == {"2024-01-01|a"}
    with pytest.raises(dg.DagsterInvalidInvocationError, match="'planet'"):
        BOTH.get_multipartition_keys_with_dimension_values("planet", ["mars"])


def test_of_any_kind() -> None:
    same = dg.StaticPartitionsDefinition(("c", "a", "b"))
    assert same.get_serializable_unique_identifier() == LETTERS.get_serializable_unique_identifier()
    assert same.get_serializable_unique_identifier() != BOTH.get_serializable_unique_identifier()
    assert LETTERS.filter_valid_partition_keys({"a", "z"}) == {"a"}
    assert set(LETTERS.empty_subset().with_partition_keys(["a"]).with_partition_keys(["b"])) == {"a", "b"}
