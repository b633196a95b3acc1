"""Which partitions there are: every parameter of every definition, windows, keys and ranges, config by partition."""

# ruff: noqa: C408  arguments are written as they are in calls

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

import dagster as dg

NOW = datetime(2024, 3, 10, 12, tzinfo=UTC)
BERLIN = "Europe/Berlin"
HOURLY, DAILY = dg.HourlyPartitionsDefinition, dg.DailyPartitionsDefinition
WEEKLY, MONTHLY = dg.WeeklyPartitionsDefinition, dg.MonthlyPartitionsDefinition
ANY = dg.TimeWindowPartitionsDefinition


def days(*numbers):
    return [f"2024-03-{number:02}" for number in numbers]


def hours(*numbers, minute=0):
    return [f"2024-03-10-{hour:02}:{minute:02}" for hour in numbers]


@pytest.mark.api(
    "HourlyPartitionsDefinition.start_date", "HourlyPartitionsDefinition.end_date",
    "HourlyPartitionsDefinition.minute_offset", "HourlyPartitionsDefinition.timezone",
    "HourlyPartitionsDefinition.fmt", "HourlyPartitionsDefinition.end_offset",
    "HourlyPartitionsDefinition.exclusions", "DailyPartitionsDefinition.start_date",
    "DailyPartitionsDefinition.end_date", "DailyPartitionsDefinition.minute_offset",
    "DailyPartitionsDefinition.hour_offset", "DailyPartitionsDefinition.fmt", "DailyPartitionsDefinition.end_offset",
    "DailyPartitionsDefinition.exclusions", "WeeklyPartitionsDefinition.start_date",
    "WeeklyPartitionsDefinition.end_date", "WeeklyPartitionsDefinition.minute_offset",
    "WeeklyPartitionsDefinition.hour_offset", "WeeklyPartitionsDefinition.day_offset",
    "WeeklyPartitionsDefinition.timezone", "WeeklyPartitionsDefinition.fmt", "WeeklyPartitionsDefinition.end_offset",
    "WeeklyPartitionsDefinition.exclusions", "MonthlyPartitionsDefinition.start_date",
    "MonthlyPartitionsDefinition.end_date", "MonthlyPartitionsDefinition.minute_offset",
    "MonthlyPartitionsDefinition.hour_offset", "MonthlyPartitionsDefinition.day_offset",
    "MonthlyPartitionsDefinition.timezone", "MonthlyPartitionsDefinition.fmt",
    "MonthlyPartitionsDefinition.end_offset", "MonthlyPartitionsDefinition.exclusions",
    "PartitionsDefinition.get_partition_keys",
)  # fmt: skip
@pytest.mark.parametrize(
    ("make", "given", "keys", "first"),
    [
        (HOURLY, dict(start_date=hours(8)[0]), hours(8, 9, 10, 11), "2024-03-10T08:00+00:00"),
        (HOURLY, dict(start_date=datetime(2024, 3, 10, 9, 30)), hours(10, 11), "2024-03-10T10:00+00:00"),
        (HOURLY, dict(start_date=hours(8)[0], end_date=hours(10)[0]), hours(8, 9), "2024-03-10T08:00+00:00"),
        (HOURLY, dict(start_date=hours(9)[0], minute_offset=20), hours(9, 10, minute=20), "2024-03-10T09:20+00:00"),
        (HOURLY, dict(start_date=hours(11)[0], timezone=BERLIN), hours(11, 12), "2024-03-10T11:00+01:00"),
        (HOURLY, dict(start_date="10/3/24 10h", fmt="%d/%m/%y %Hh"), ["10/03/24 10h", "10/03/24 11h"], None),
        (HOURLY, dict(start_date=hours(10)[0], end_offset=2), hours(10, 11, 12, 13), None),
        (HOURLY, dict(start_date=hours(8)[0], exclusions=["0 9 * * *"]), hours(8, 10, 11), None),
        (DAILY, dict(start_date="2024-03-07"), days(7, 8, 9), "2024-03-07T00:00+00:00"),
        (DAILY, dict(start_date="2024-03-06", end_date="2024-03-08"), days(6, 7), None),
        (DAILY, dict(start_date="2024-03-08", minute_offset=30), days(8, 9), "2024-03-08T00:30+00:00"),
        (DAILY, dict(start_date="2024-03-08", hour_offset=13), days(8), "2024-03-08T13:00+00:00"),
        (DAILY, dict(start_date="2024-03-09", timezone=BERLIN), days(9), "2024-03-09T00:00+01:00"),
        (DAILY, dict(start_date="08.03.2024", fmt="%d.%m.%Y"), ["08.03.2024", "09.03.2024"], None),
        (DAILY, dict(start_date="2024-03-09", end_offset=1), days(9, 10), None),
        (DAILY, dict(start_date="2024-03-06", end_offset=-2), days(6, 7), None),
        (DAILY, dict(start_date="2024-03-07", exclusions=[datetime(2024, 3, 8)]), days(7, 9), None),
        (DAILY, dict(start_date="2024-03-04", exclusions=["0 0 * * 2-5"]), days(4, 9), None),
        (WEEKLY, dict(start_date="2024-02-21"), ["2024-02-25", "2024-03-03"], "2024-02-25T00:00+00:00"),
        (WEEKLY, dict(start_date="2024-02-21", end_date="2024-03-09"), ["2024-02-25"], None),
        (WEEKLY, dict(start_date="2024-02-21", minute_offset=5, hour_offset=11), ["2024-02-25", "2024-03-03"],
         "2024-02-25T11:05+00:00"),
        (WEEKLY, dict(start_date="2024-02-21", hour_offset=13), ["2024-02-25"], "2024-02-25T13:00+00:00"),
        (WEEKLY, dict(start_date="2024-02-21", day_offset=3), ["2024-02-21", "2024-02-28"], "2024-02-21T00:00+00:00"),
        (WEEKLY, dict(start_date="2024-02-28", timezone=BERLIN), ["2024-03-03"], "2024-03-03T00:00+01:00"),
        (WEEKLY, dict(start_date="20240221", fmt="%Y%m%d"), ["20240225", "20240303"], None),
        (WEEKLY, dict(start_date="2024-03-01", end_offset=1), ["2024-03-03", "2024-03-10"], None),
        (WEEKLY, dict(start_date="2024-02-21", exclusions=[datetime(2024, 3, 3)]), ["2024-02-25"], None),
        (MONTHLY, dict(start_date="2024-01-03"), ["2024-02-01"], "2024-02-01T00:00+00:00"),
        (MONTHLY, dict(start_date="2023-11-01", end_date="2024-01-31"), ["2023-11-01", "2023-12-01"], None),
        (MONTHLY, dict(start_date="2024-01-03", minute_offset=7), ["2024-02-01"], "2024-02-01T00:07+00:00"),
        (MONTHLY, dict(start_date="2024-01-03", hour_offset=7), ["2024-02-01"], "2024-02-01T07:00+00:00"),
        (MONTHLY, dict(start_date="2023-12-01", day_offset=31), ["2023-12-31"], "2023-12-31T00:00+00:00"),
        (MONTHLY, dict(start_date="2024-02-01", timezone=BERLIN), ["2024-02-01"], "2024-02-01T00:00+01:00"),
        (MONTHLY, dict(start_date="2024-01", fmt="%Y-%m"), ["2024-01", "2024-02"], None),
        (MONTHLY, dict(start_date="2024-02-01", end_offset=1), ["2024-02-01", "2024-03-01"], None),
        (MONTHLY, dict(start_date="2023-12-01", exclusions=["0 0 1 1 *"]), ["2023-12-01", "2024-02-01"], None),
    ],
)  # fmt: skip
def test_every_parameter_of_the_common_cadences(make, given, keys, first):
    definition = make(**given)
    assert list(definition.get_partition_keys(current_time=NOW)) == keys
    if first is not None:
        assert definition.time_window_for_partition_key(keys[0]).start == datetime.fromisoformat(first)


@pytest.mark.api(
    "TimeWindowPartitionsDefinition.start", "TimeWindowPartitionsDefinition.fmt",
    "TimeWindowPartitionsDefinition.end", "TimeWindowPartitionsDefinition.schedule_type",
    "TimeWindowPartitionsDefinition.timezone", "TimeWindowPartitionsDefinition.end_offset",
    "TimeWindowPartitionsDefinition.minute_offset", "TimeWindowPartitionsDefinition.hour_offset",
    "TimeWindowPartitionsDefinition.day_offset", "TimeWindowPartitionsDefinition.cron_schedule",
    "TimeWindowPartitionsDefinition.exclusions",
)  # fmt: skip
def test_windows_of_any_cadence():
    fmt = "%Y-%m-%d"
    weekdays = ANY(start="2024-03-01", fmt=fmt, cron_schedule="0 6 * * 1-5", timezone=BERLIN, end_offset=1)
    assert list(weekdays.get_partition_keys(NOW)) == days(1, 4, 5, 6, 7, 8)  # Friday's ends on Monday, one more exists
    over_the_weekend = weekdays.time_window_for_partition_key("2024-03-01")
    assert over_the_weekend.end - over_the_weekend.start == timedelta(days=3)
    assert over_the_weekend.start == datetime(2024, 3, 1, 6, tzinfo=ZoneInfo(BERLIN))
    assert (weekdays.cron_schedule, weekdays.schedule_type, weekdays.timezone) == ("0 6 * * 1-5", None, BERLIN)
    assert (weekdays.fmt, weekdays.end_offset, weekdays.end) == (fmt, 1, None)

    weekly = ANY(
        start=datetime(2024, 2, 1), fmt=fmt, end="2024-03-01", schedule_type=WEEKLY("2024-01-01").schedule_type,
        minute_offset=5, hour_offset=4, day_offset=3, exclusions=["5 4 14 * *"],
    )  # fmt: skip
    assert list(weekly.get_partition_keys(NOW)) == ["2024-02-07", "2024-02-21"]
    assert (weekly.minute_offset, weekly.hour_offset, weekly.day_offset) == (5, 4, 3)
    assert (weekly.schedule_type.value, weekly.cron_schedule) == ("WEEKLY", "5 4 * * 3")
    assert (weekly.start, weekly.end) == (datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))
    assert list(weekly.exclusions) == ["5 4 14 * *"]


@pytest.mark.parametrize(
    ("definition", "given", "cron"),
    [
        (HOURLY("2024-01-01-00:00"), {}, "0 * * * *"),
        (HOURLY("2024-01-01-00:00"), {"minute_of_hour": 7}, "7 * * * *"),
        (DAILY("2024-01-01", hour_offset=2), {"minute_of_hour": 7}, "7 2 * * *"),
        (DAILY("2024-01-01"), {"hour_of_day": 5}, "0 5 * * *"),
        (WEEKLY("2024-01-01", hour_offset=2), {"day_of_week": 4}, "0 2 * * 4"),
        (MONTHLY("2024-01-01"), {"day_of_month": 9, "hour_of_day": 1}, "0 1 9 * *"),
        (DAILY("2024-01-01"), {"day_of_week": 1}, None),
        (HOURLY("2024-01-01-00:00"), {"hour_of_day": 1}, None),
        (WEEKLY("2024-01-01"), {"day_of_month": 1}, None),
        (ANY("2024-01-01", "%Y-%m-%d", cron_schedule="0 0 * * 1-5"), {}, "0 0 * * 1-5"),
    ],
)
@pytest.mark.api("TimeWindowPartitionsDefinition.get_cron_schedule")
def test_when_a_schedule_of_partitions_fires(definition, given, cron):
    if cron is None:
        with pytest.raises(Exception):  # noqa: B017, PT011
            definition.get_cron_schedule(**given)
    else:
        assert definition.get_cron_schedule(**given) == cron


@pytest.mark.parametrize(
    ("definition", "asked"),
    [(HOURLY("2024-01-01-00:00"), "hour_offset"), (DAILY("2024-01-01"), "day_offset")],
)
def test_offsets_that_a_cadence_does_not_have(definition, asked):
    with pytest.raises(Exception, match="offset"):
        getattr(definition, asked)


@pytest.mark.parametrize(
    ("day", "hours_long"), [("2024-03-30", 24), ("2024-03-31", 23), ("2024-10-27", 25), ("2024-10-28", 24)]
)
def test_days_on_which_clocks_change(day, hours_long):
    window = DAILY("2024-01-01", timezone=BERLIN).time_window_for_partition_key(day)
    assert window.end.timestamp() - window.start.timestamp() == hours_long * 3600
    missing = DAILY("2024-01-01", timezone=BERLIN, hour_offset=2).time_window_for_partition_key("2024-03-31")
    assert missing.start == datetime(2024, 3, 31, 3, tzinfo=ZoneInfo(BERLIN))  # 02:00 does not exist


@pytest.mark.api("TimeWindow.start", "TimeWindow.end", "PartitionKeyRange.start", "PartitionKeyRange.end")
def test_windows_and_ranges():
    window = dg.TimeWindow(start=datetime(2024, 3, 2, tzinfo=UTC), end=datetime(2024, 3, 4, tzinfo=UTC))
    daily = DAILY("2024-03-01")
    assert list(daily.get_partition_keys_in_time_window(window)) == days(2, 3)
    assert (window.start, window.end) == (daily.time_window_for_partition_key("2024-03-02").start, window[1])
    ends = dg.PartitionKeyRange(start="2024-03-02", end="2024-03-04")
    assert (ends.start, ends.end) == ("2024-03-02", "2024-03-04")
    assert list(daily.get_partition_keys_in_range(ends)) == days(2, 3, 4)  # both ends included
    letters = dg.StaticPartitionsDefinition(["c", "a", "b"])
    assert list(letters.get_partition_keys_in_range(dg.PartitionKeyRange(start="c", end="a"))) == ["c", "a"]
    for lost in (dg.PartitionKeyRange(start="2023-01-01", end="2024-03-02"), dg.PartitionKeyRange("x", "a")):
        with pytest.raises(Exception, match=lost.start):
            (daily if lost.end != "a" else letters).get_partition_keys_in_range(lost)


@pytest.mark.api("TimeWindowPartitionsDefinition.get_partition_key_for_timestamp")
def test_neighbours_and_moments():
    daily = DAILY("2024-03-01")
    assert daily.get_partition_key_for_timestamp(NOW.timestamp()) == "2024-03-10"
    midnight = datetime(2024, 3, 5, tzinfo=UTC).timestamp()
    assert daily.get_partition_key_for_timestamp(midnight, end_closed=True) == "2024-03-04"
    with dg.partition_loading_context(effective_dt=NOW):
        assert (daily.get_first_partition_key(), daily.get_last_partition_key()) == ("2024-03-01", "2024-03-09")


@pytest.mark.api(
    "StaticPartitionsDefinition.partition_keys", "StaticPartitionsDefinition.get_partition_keys",
    "PartitionsDefinition.get_partition_keys",
)  # fmt: skip
def test_static_keys():
    assert list(dg.StaticPartitionsDefinition(partition_keys=["b", "a"]).get_partition_keys()) == ["b", "a"]
    for wrong in (["a...b"], ["a\nb"], ["a\tb"], ["a", "a"], "ab", [1]):
        with pytest.raises(Exception):  # noqa: B017, PT011
            dg.StaticPartitionsDefinition(wrong)


@pytest.mark.api(
    "MultiPartitionsDefinition.partitions_defs", "MultiPartitionsDefinition.get_partition_keys",
    "MultiPartitionKey.keys_by_dimension", "MultiPartitionKey.dimension_keys",
)  # fmt: skip
def test_keys_of_several_dimensions():
    both = dg.MultiPartitionsDefinition(
        partitions_defs={"z": DAILY("2024-03-08"), "a": dg.StaticPartitionsDefinition(["y", "x"])}
    )
    keys = list(both.get_partition_keys(current_time=NOW))
    assert [str(key) for key in keys] == ["y|2024-03-08", "y|2024-03-09", "x|2024-03-08", "x|2024-03-09"]
    assert all(isinstance(key, str) for key in keys)
    key = dg.MultiPartitionKey(keys_by_dimension={"z": "2024-03-08", "a": "y"})
    assert key == keys[0]
    assert [(part.dimension_name, part.partition_key) for part in key.dimension_keys] == [
        ("a", "y"),
        ("z", "2024-03-08"),
    ]
    assert both.get_tags_for_partition_key(key) == {
        "dagster/partition": "y|2024-03-08",
        "dagster/partition/a": "y",
        "dagster/partition/z": "2024-03-08",
    }
    with pytest.raises(Exception):  # noqa: B017, PT011
        dg.MultiPartitionsDefinition({"a": dg.StaticPartitionsDefinition(["x"])})


@pytest.mark.api(
    "DynamicPartitionsDefinition.name", "DynamicPartitionsDefinition.get_partition_keys",
    "DeleteDynamicPartitionsRequest.partitions_def_name", "DeleteDynamicPartitionsRequest.partition_keys",
    "AddDynamicPartitionsRequest.partitions_def_name", "AddDynamicPartitionsRequest.partition_keys",
    "partition_loading_context.dynamic_partitions_store", "DagsterInstance.delete_dynamic_partition",
    "DagsterInstance.has_dynamic_partition",
)  # fmt: skip
def test_dynamic_keys(instance):
    files = dg.DynamicPartitionsDefinition(name="files")
    instance.add_dynamic_partitions("files", ["b", "a"])
    assert list(files.get_partition_keys(dynamic_partitions_store=instance)) == ["b", "a"]
    instance.delete_dynamic_partition("files", "b")
    assert not instance.has_dynamic_partition("files", "b")
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        assert list(files.get_partition_keys()) == ["a"]
    removal = files.build_delete_request(["a"])
    assert removal == dg.DeleteDynamicPartitionsRequest(partitions_def_name="files", partition_keys=["a"])
    assert (removal.partitions_def_name, list(removal.partition_keys)) == ("files", ["a"])
    addition = files.build_add_request(["c"])
    assert addition == dg.AddDynamicPartitionsRequest(partitions_def_name="files", partition_keys=["c"])
    assert (addition.partitions_def_name, list(addition.partition_keys)) == ("files", ["c"])


@pytest.mark.api(
    "partition_loading_context.effective_dt", "partition_loading_context.new_ctx",
)  # fmt: skip
def test_time_can_be_pinned():
    daily = DAILY("2024-03-01")
    with dg.partition_loading_context(effective_dt=datetime(2024, 3, 5, tzinfo=UTC)) as pinned:
        assert daily.get_last_partition_key() == "2024-03-04"
        with dg.partition_loading_context(effective_dt=NOW):
            assert daily.get_last_partition_key() == "2024-03-09"
            with dg.partition_loading_context(new_ctx=pinned) as again:
                assert daily.get_last_partition_key() == "2024-03-04"
            assert again == pinned
        assert daily.get_last_partition_key() == "2024-03-04"


# --- mappings ---------------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "MultiPartitionMapping.downstream_mappings_by_upstream_dimension", "DimensionPartitionMapping.dimension_name",
    "DimensionPartitionMapping.partition_mapping",
    "PartitionMapping.get_upstream_mapped_partitions_result_for_partitions",
    "PartitionMapping.get_downstream_partitions_for_partitions",
)  # fmt: skip
def test_dimension_by_dimension():
    letters = dg.StaticPartitionsDefinition(["x", "y"])
    up = dg.MultiPartitionsDefinition({"day": DAILY("2024-03-01"), "letter": letters})
    down = dg.MultiPartitionsDefinition({"date": DAILY("2024-03-01"), "sign": letters})
    one = dg.DimensionPartitionMapping(
        dimension_name="date", partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
    )
    assert (one.dimension_name, one.partition_mapping.start_offset) == ("date", -1)
    mapping = dg.MultiPartitionMapping(downstream_mappings_by_upstream_dimension={"day": one})
    assert mapping.downstream_mappings_by_upstream_dimension == {"day": one}
    with dg.partition_loading_context(effective_dt=NOW):
        needed = mapping.get_upstream_mapped_partitions_result_for_partitions(
            down.subset_with_partition_keys(["2024-03-05|x"]), down, up
        )
        assert sorted(needed.partitions_subset.get_partition_keys()) == ["2024-03-04|x", "2024-03-04|y"]
        needing = mapping.get_downstream_partitions_for_partitions(
            up.subset_with_partition_keys(["2024-03-04|y"]), up, down
        )
        assert sorted(needing.get_partition_keys()) == ["2024-03-05|x", "2024-03-05|y"]


def test_ones_own_mapping(instance):
    letters = dg.StaticPartitionsDefinition(["a", "b", "c"])

    class Next(dg.PartitionMapping):
        """A letter needs the one after it."""

        @property
        def description(self):
            return "the next letter"

        def validate_partition_mapping(self, upstream_partitions_def, downstream_partitions_def):
            pass

        def get_upstream_mapped_partitions_result_for_partitions(
            self, downstream_partitions_subset, downstream_partitions_def, upstream_partitions_def,
            current_time=None, dynamic_partitions_store=None,
        ):  # fmt: skip
            keys = [chr(ord(key) + 1) for key in downstream_partitions_subset.get_partition_keys()]
            found = upstream_partitions_def.subset_with_partition_keys([key for key in keys if key <= "c"])
            return type(
                dg.IdentityPartitionMapping().get_upstream_mapped_partitions_result_for_partitions(
                    upstream_partitions_def.empty_subset(), upstream_partitions_def, upstream_partitions_def
                )
            )(
                partitions_subset=found,
                required_but_nonexistent_subset=upstream_partitions_def.empty_subset(),
            )

        def get_downstream_partitions_for_partitions(
            self, upstream_partitions_subset, upstream_partitions_def, downstream_partitions_def,
            current_time=None, dynamic_partitions_store=None,
        ):  # fmt: skip
            keys = [chr(ord(key) - 1) for key in upstream_partitions_subset.get_partition_keys()]
            return downstream_partitions_def.subset_with_partition_keys([key for key in keys if key >= "a"])

    @dg.asset(partitions_def=letters)
    def up(context):
        return context.partition_key

    @dg.asset(partitions_def=letters, ins={"up": dg.AssetIn(partition_mapping=Next())})
    def down(up):
        return up

    dg.materialize([up], partition_key="c", instance=instance)
    result = dg.materialize([up, down], selection=[down], partition_key="b", instance=instance)
    assert result.asset_value("down") == "c"


# --- config by partition ----------------------------------------------------------------------------------------------


@pytest.mark.api(
    "hourly_partitioned_config.start_date", "hourly_partitioned_config.timezone", "hourly_partitioned_config.fmt",
    "hourly_partitioned_config.end_offset", "hourly_partitioned_config.tags_for_partition_fn",
    "hourly_partitioned_config.exclusions", "hourly_partitioned_config.minute_offset",
    "daily_partitioned_config.minute_offset", "daily_partitioned_config.hour_offset",
    "daily_partitioned_config.timezone", "daily_partitioned_config.fmt", "daily_partitioned_config.end_offset",
    "daily_partitioned_config.exclusions", "weekly_partitioned_config.start_date",
    "weekly_partitioned_config.minute_offset", "weekly_partitioned_config.timezone", "weekly_partitioned_config.fmt",
    "weekly_partitioned_config.end_offset", "weekly_partitioned_config.tags_for_partition_fn",
    "weekly_partitioned_config.exclusions", "monthly_partitioned_config.start_date",
    "monthly_partitioned_config.minute_offset", "monthly_partitioned_config.hour_offset",
    "monthly_partitioned_config.timezone", "monthly_partitioned_config.fmt", "monthly_partitioned_config.end_offset",
    "monthly_partitioned_config.tags_for_partition_fn", "monthly_partitioned_config.exclusions",
    "PartitionedConfig.partitions_def", "PartitionedConfig.get_partition_keys",
)  # fmt: skip
@pytest.mark.parametrize(
    ("make", "given", "same"),
    [
        (dg.hourly_partitioned_config,
         dict(start_date="20240310 09", minute_offset=20, timezone=BERLIN, fmt="%Y%m%d %H", end_offset=1,
              exclusions=["20 11 * * *"]),
         HOURLY("20240310 09", None, 20, BERLIN, "%Y%m%d %H", 1, ["20 11 * * *"])),
        (dg.daily_partitioned_config,
         dict(start_date="20240301", minute_offset=20, hour_offset=2, timezone=BERLIN, fmt="%Y%m%d", end_offset=1,
              exclusions=["20 2 3 * *"]),
         DAILY("20240301", None, 20, 2, BERLIN, "%Y%m%d", 1, ["20 2 3 * *"])),
        (dg.weekly_partitioned_config,
         dict(start_date="20240201", minute_offset=20, hour_offset=2, day_offset=2, timezone=BERLIN, fmt="%Y%m%d",
              end_offset=1, exclusions=[datetime(2024, 2, 13, 2, 20)]),
         WEEKLY("20240201", None, 20, 2, 2, BERLIN, "%Y%m%d", 1, [datetime(2024, 2, 13, 2, 20)])),
        (dg.monthly_partitioned_config,
         dict(start_date="20231001", minute_offset=20, hour_offset=2, day_offset=2, timezone=BERLIN, fmt="%Y%m%d",
              end_offset=1, exclusions=["20 2 * 12 *"]),
         MONTHLY("20231001", None, 20, 2, 2, BERLIN, "%Y%m%d", 1, ["20 2 * 12 *"])),
    ],
)  # fmt: skip
def test_config_has_the_partitions_of_its_arguments(make, given, same):
    @make(**given, tags_for_partition_fn=lambda start, end: {"hours": f"{(end - start).total_seconds() / 3600:.0f}"})
    def config(start, _end):
        return {"start": start.isoformat()}

    assert config.partitions_def == same
    keys = list(config.get_partition_keys(NOW))
    assert keys == list(same.get_partition_keys(NOW))
    assert len(keys) >= 2
    window = same.time_window_for_partition_key(keys[0])
    assert config.get_run_config_for_partition_key(keys[0]) == {"start": window.start.isoformat()}
    hours_long = (window.end - window.start).total_seconds() / 3600
    assert config.get_tags_for_partition_key(keys[0])["hours"] == f"{hours_long:.0f}"
    # each argument matters: without it the partitions are others
    for name in given.keys() - {"start_date", "fmt"}:
        fewer = make(**{other: value for other, value in given.items() if other != name})(lambda start, end: {})
        assert fewer.partitions_def != same


@pytest.mark.api("JobDefinition.partitioned_config")
def test_a_run_of_a_partition_has_the_config_and_the_tags_of_its_partition():
    @dg.static_partitioned_config(["a", "b"], tags_for_partition_key_fn=lambda key: {"letter": key, "mine": "config"})
    def config(key):
        return {"ops": {"say": {"config": {"word": key}}}}

    @dg.op(config_schema={"word": str})
    def say(context):
        return context.op_config["word"]

    @dg.job(config=config)
    def talk():
        say()

    assert talk.partitioned_config is config
    result = talk.execute_in_process(partition_key="b", tags={"z": "1", "mine": "given"})
    assert result.output_for_node("say") == "b"
    tags = result.dagster_run.tags
    assert (tags["letter"], tags["z"], tags["mine"], tags["dagster/partition"]) == ("b", "1", "config", "b")
    assert tags["dagster/partition_set"] == "talk_partition_set"
