"""Schedules: what they are declared with, and what a tick comes to."""

from datetime import UTC, datetime

import pytest

import dagster as dg

NOON = datetime(2024, 1, 5, 12, tzinfo=UTC)


@dg.op(config_schema=dg.Noneable({"day": str}))
def work(context):
    return context.op_config


@dg.job
def daily_work():
    work()


@dg.job
def other_work():
    work()


@dg.asset
def orders():
    return 1


def at(time=NOON, **given):
    return dg.build_schedule_context(scheduled_execution_time=time, **given)


def one(schedule, **given):
    """The only run that a tick asks for."""
    (request,) = schedule.evaluate_tick(at(**given)).run_requests
    return request


@pytest.mark.api("ScheduleDefinition.job", "ScheduleDefinition.cron_schedule", "ScheduleDefinition.run_config",
                 "ScheduleDefinition.tags", "ScheduleDefinition.name", "ScheduleDefinition.job_name",
                 "RunRequest.run_config", "RunRequest.tags")  # fmt: skip
def test_a_schedule_without_function_asks_for_one_run_a_tick():
    config = {"ops": {"work": {"config": None}}}
    schedule = dg.ScheduleDefinition(job=daily_work, cron_schedule="0 6 * * *", run_config=config, tags={"by": "me"})
    assert (schedule.name, schedule.job_name, schedule.job) == ("daily_work_schedule", "daily_work", daily_work)
    assert schedule.cron_schedule == "0 6 * * *"
    request = one(schedule)
    assert request.run_config == config
    assert request.tags == {"by": "me", "dagster/schedule_name": "daily_work_schedule"}


@pytest.mark.api("ScheduleDefinition.run_config_fn", "ScheduleDefinition.tags_fn",
                 "ScheduleDefinition.should_execute", "ScheduleEvaluationContext.scheduled_execution_time",
                 "build_schedule_context.scheduled_execution_time")  # fmt: skip
def test_functions_of_a_tick_see_when_it_was_due():
    schedule = dg.ScheduleDefinition(
        "s", job=daily_work, cron_schedule="@daily",
        run_config_fn=lambda context: {"day": context.scheduled_execution_time.strftime("%d")},
        tags_fn=lambda context: {"hour": str(context.scheduled_execution_time.hour)},
        should_execute=lambda context: context.scheduled_execution_time.year == 2024,
    )  # fmt: skip
    request = one(schedule)
    assert (request.run_config, request.tags["hour"]) == ({"day": "05"}, "12")
    skipped = schedule.evaluate_tick(at(datetime(2023, 1, 1, tzinfo=UTC)))
    assert not skipped.run_requests
    assert "should_execute" in skipped.skip_message


@pytest.mark.parametrize(
    "cron", ["* *", "99 * * * *", "@reboot", [], ["@daily", "nonsense"], None, "0 0 * * * *", "0 0 31 2 *", [7]]
)
def test_a_cron_expression_that_cannot_be_read_is_an_error(cron):
    with pytest.raises(Exception, match=r"(?i)cron"):
        dg.ScheduleDefinition(job=daily_work, cron_schedule=cron)


@pytest.mark.api("ScheduleDefinition.execution_timezone")
def test_a_zone_that_is_not_known_is_an_error():
    schedule = dg.ScheduleDefinition(job=daily_work, cron_schedule="@daily", execution_timezone="Europe/Berlin")
    assert schedule.execution_timezone == "Europe/Berlin"
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.ScheduleDefinition(job=daily_work, cron_schedule="@daily", execution_timezone="Mars/Base")


@pytest.mark.parametrize(
    "given",
    [{}, {"job": daily_work, "job_name": "x"}, {"job": daily_work, "tags": {}, "tags_fn": lambda context: {}},
     {"job": daily_work, "run_config": {"a": 1}, "run_config_fn": lambda context: {}}, {"target": "*", "name": None}],
)  # fmt: skip
def test_arguments_that_exclude_each_other(given):
    if given.get("tags") == {}:
        given = {**given, "tags": {"a": "b"}}
    with pytest.raises(Exception):  # noqa: B017, PT011
        dg.ScheduleDefinition(cron_schedule="@daily", **given)


@pytest.mark.api("schedule.cron_schedule", "schedule.job", "schedule.tags", "schedule.name", "schedule.should_execute",
                 "schedule.tags_fn")  # fmt: skip
def test_a_function_may_give_config_for_one_run():
    @dg.schedule("@daily", job=daily_work, tags={"k": "v"}, name="renamed")
    def nightly(context: dg.ScheduleEvaluationContext):
        return {"day": str(context.scheduled_execution_time.day)}

    assert nightly(at()) == {"day": "5"}
    request = one(nightly)
    assert (nightly.name, request.run_config, request.tags["k"]) == ("renamed", {"day": "5"}, "v")

    @dg.schedule(["0 1 * * *", "0 2 * * *"], job=daily_work, tags_fn=lambda context: {"t": "1"},
                 should_execute=lambda context: context.scheduled_execution_time.day == 5)  # fmt: skip
    def twice():
        return dg.RunConfig(ops={"work": {"config": None}})

    assert twice.cron_schedule == ["0 1 * * *", "0 2 * * *"]
    assert one(twice).run_config["ops"] == {"work": {"config": None}}
    assert one(twice).tags["t"] == "1"
    assert not twice.evaluate_tick(at(datetime(2024, 1, 6, tzinfo=UTC))).run_requests


@pytest.mark.api("RunRequest.run_key", "SkipReason.skip_message")
def test_a_function_may_give_several_runs_or_say_why_there_are_none():
    @dg.schedule("@daily", job=daily_work)
    def several():
        yield dg.RunRequest(run_key="a")
        yield dg.RunRequest(run_key="b")

    assert [request.run_key for request in several.evaluate_tick(at()).run_requests] == ["a", "b"]

    @dg.schedule("@daily", job=daily_work)
    def none_today():
        return dg.SkipReason("a holiday")

    assert none_today() == dg.SkipReason(skip_message="a holiday")
    assert none_today.evaluate_tick(at()).skip_message == "a holiday"


@pytest.mark.parametrize(
    "given", [7, [dg.RunRequest(), dg.RunRequest()], [dg.SkipReason("a"), dg.RunRequest()], [dg.SkipReason("a")] * 2]
)
def test_what_a_function_may_not_give(given):
    schedule = dg.ScheduleDefinition(job=daily_work, cron_schedule="@daily", execution_fn=lambda context: given)
    with pytest.raises(Exception):  # noqa: B017, PT011
        schedule.evaluate_tick(at())


def test_nothing_is_a_skip():
    schedule = dg.ScheduleDefinition(job=daily_work, cron_schedule="@daily", execution_fn=lambda context: None)
    assert schedule.evaluate_tick(at()).skip_message


@pytest.mark.api("schedule.required_resource_keys", "build_schedule_context.resources",
                 "ScheduleEvaluationContext.resources", "build_schedule_context.instance",
                 "ScheduleEvaluationContext.instance")  # fmt: skip
def test_a_schedule_uses_resources_and_the_instance(instance):
    class Clock(dg.ConfigurableResource):
        zone: str

    @dg.schedule("@daily", job=daily_work, required_resource_keys={"old"})
    def timed(context, clock: Clock):
        return dg.RunRequest(tags={"z": clock.zone, "old": context.resources.old,
                                   "i": str(context.instance is instance)})  # fmt: skip

    assert timed.required_resource_keys == {"old", "clock"}
    context = at(resources={"clock": Clock(zone="UTC"), "old": "yes"}, instance=instance)
    (request,) = timed.evaluate_tick(context).run_requests
    assert (request.tags["z"], request.tags["old"], request.tags["i"]) == ("UTC", "yes", "True")
    assert timed(context).tags["z"] == "UTC"
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.Definitions.validate_loadable(dg.Definitions(schedules=[timed]))


def test_calling_without_the_context_is_an_error():
    @dg.schedule("@daily", job=daily_work)
    def needs_one(context):
        return dg.RunRequest()

    with pytest.raises(dg.DagsterInvalidInvocationError):
        needs_one()
    with pytest.raises(dg.DagsterInvalidInvocationError):
        dg.ScheduleDefinition(job=daily_work, cron_schedule="@daily")(at())


@pytest.mark.api("ScheduleDefinition.target", "schedule.target", "Definitions.schedules")
def test_assets_as_a_target_make_a_hidden_job():
    by_name = dg.ScheduleDefinition("nightly", target="orders", cron_schedule="@daily")

    @dg.schedule("@daily", target=[orders])
    def decorated():
        return dg.RunRequest()

    defs = dg.Definitions(assets=[orders], schedules=[by_name, decorated])
    dg.Definitions.validate_loadable(defs)
    assert (by_name.job_name, decorated.job_name) == (
        "__anonymous_asset_job_nightly", "__anonymous_asset_job_decorated",
    )  # fmt: skip
    job = defs.get_job_def("__anonymous_asset_job_nightly")
    assert job.execute_in_process().success
    assert defs.get_schedule_def("nightly") is by_name


def test_names_and_jobs_of_schedules_are_checked():
    first = dg.ScheduleDefinition(job=daily_work, cron_schedule="@daily")
    second = dg.ScheduleDefinition("daily_work_schedule", job=other_work, cron_schedule="@hourly")
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="daily_work_schedule"):
        dg.Definitions.validate_loadable(dg.Definitions(schedules=[first, second]))
    lost = dg.ScheduleDefinition("lost", job_name="nowhere", cron_schedule="@daily")
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="nowhere"):
        dg.Definitions.validate_loadable(dg.Definitions(schedules=[lost]))
    assert dg.Definitions(schedules=[first]).get_job_def("daily_work").name == "daily_work"


@pytest.mark.api("ScheduleDefinition.default_status", "ScheduleDefinition.description", "ScheduleDefinition.metadata",
                 "ScheduleDefinition.owners", "schedule.default_status", "schedule.description",
                 "schedule.metadata", "schedule.job_name", "schedule.execution_timezone",
                 "schedule.owners")  # fmt: skip
def test_facts_about_a_schedule():
    running = dg.DefaultScheduleStatus.RUNNING
    plain = dg.ScheduleDefinition("s", job=daily_work, cron_schedule="@daily", default_status=running, description="d",
                                  metadata={"a": 1}, owners=["team:data"])  # fmt: skip
    assert (plain.default_status, plain.description, list(plain.owners)) == (running, "d", ["team:data"])
    assert plain.metadata == {"a": dg.MetadataValue.int(1)}

    @dg.schedule("@daily", job_name="j", default_status=running, description="e", metadata={"b": 2},
                 execution_timezone="Asia/Tokyo", owners=["a@b.org"])  # fmt: skip
    def made():
        return None

    assert list(made.owners) == ["a@b.org"]
    for wrong in ("nobody", "team:"):
        with pytest.raises(dg.DagsterInvalidDefinitionError, match="owner"):
            dg.ScheduleDefinition("s", job=daily_work, cron_schedule="@daily", owners=[wrong])
    assert (made.job_name, made.default_status, made.description) == ("j", running, "e")
    assert (made.metadata["b"].value, made.execution_timezone) == (2, "Asia/Tokyo")


@pytest.mark.api("ScheduleDefinition.environment_vars", "schedule.environment_vars")
@pytest.mark.filterwarnings("default")
def test_environment_variables_of_a_schedule_are_taken_and_left_alone():
    with pytest.warns(DeprecationWarning, match="environment_vars"):
        plain = dg.ScheduleDefinition("s", job=daily_work, cron_schedule="@daily", environment_vars={"X": "1"})
    with pytest.warns(DeprecationWarning, match="environment_vars"):
        decorated = dg.schedule("@daily", name="s", job=daily_work, environment_vars={"X": "1"})(lambda context: None)
    assert plain.environment_vars == decorated.environment_vars == {"X": "1"}
    assert dg.schedule("@daily", name="s", job=daily_work)(lambda context: None).environment_vars is None


@pytest.mark.api("ScheduleDefinition.execution_fn", "ScheduleDefinition.required_resource_keys")
def test_a_function_may_be_given_to_the_definition():
    made = dg.ScheduleDefinition(
        "s", job=daily_work, cron_schedule="@daily", required_resource_keys={"host"},
        execution_fn=lambda context: dg.RunRequest(tags={"host": context.resources.host}),
    )  # fmt: skip
    assert made.required_resource_keys == {"host"}
    assert one(made, resources={"host": "db"}).tags["host"] == "db"


@pytest.mark.parametrize("given", [None, [], dg.SkipReason("x"), dg.RunRequest(), {"day": "1"}, [dg.RunRequest("a")]])
def test_a_tick_asks_for_runs_or_says_why_not(given):
    schedule = dg.schedule("@daily", job=daily_work, name="s")(lambda context: given)
    tick = schedule.evaluate_tick(at())
    assert bool(tick.run_requests) == (tick.skip_message is None)
    assert {request.tags["dagster/schedule_name"] for request in tick.run_requests} <= {"s"}


def test_tags_of_a_schedule_are_for_runs_that_bring_only_config():
    @dg.schedule("@daily", job=daily_work, name="s", tags={"of": "schedule"})
    def both(context):
        return dg.RunRequest(tags={"n": 1, "dagster/schedule_name": "other"})

    assert one(both).tags == {"n": "1", "dagster/schedule_name": "s"}


@pytest.mark.parametrize("asked", ["should_execute", "tags_fn", "run_config_fn", "execution_fn"])
def test_a_function_that_raises_ends_the_tick(asked):
    def broken(context):
        raise ValueError("no such file")

    schedule = dg.ScheduleDefinition("s", job=daily_work, cron_schedule="@daily", **{asked: broken})
    with pytest.raises(Exception) as caught:  # noqa: PT011
        schedule.evaluate_tick(at())
    assert "no such file" in (str(caught.value), str(caught.value.__cause__))


def test_schedules_are_stopped_until_someone_turns_them_on():
    schedule = dg.ScheduleDefinition(job=daily_work, cron_schedule="@daily")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED


@pytest.mark.parametrize("missing", ["scheduled_execution_time", "instance"])
def test_what_a_context_was_built_without_is_an_error(missing):
    with pytest.raises(Exception, match=missing.split("_")[0]):
        getattr(dg.build_schedule_context(), missing)


# --- partitions ------------------------------------------------------------------------------------------------------


@dg.daily_partitioned_config(start_date="2024-01-01", tags_for_partition_fn=lambda start, end: {"s": f"{start:%d}"})
def by_day(start, _end):
    return {"ops": {"work": {"config": {"day": start.strftime("%Y-%m-%d")}}}}


@dg.job(config=by_day)
def partitioned_work():
    work()


@pytest.mark.api("build_schedule_from_partitioned_job.job", "daily_partitioned_config.start_date",
                 "daily_partitioned_config.tags_for_partition_fn", "RunRequest.partition_key",
                 "RunRequest.job_name")  # fmt: skip
def test_a_partitioned_job_runs_for_the_last_partition_that_ended():
    schedule = dg.build_schedule_from_partitioned_job(partitioned_work)
    assert (schedule.name, schedule.cron_schedule, schedule.execution_timezone) == (
        "partitioned_work_schedule", "0 0 * * *", "UTC",
    )  # fmt: skip
    request = one(schedule)
    assert (request.run_key, request.partition_key, request.job_name) == (
        "2024-01-04",
        "2024-01-04",
        "partitioned_work",
    )
    assert request.run_config == {"ops": {"work": {"config": {"day": "2024-01-04"}}}}
    assert request.tags["s"] == "04"
    assert request.tags["dagster/partition"] == "2024-01-04"
    assert request.tags["dagster/partition_set"] == "partitioned_work_partition_set"
    early = schedule.evaluate_tick(at(datetime(2023, 1, 1, tzinfo=UTC)))
    assert not early.run_requests
    assert early.skip_message


@pytest.mark.api("build_schedule_from_partitioned_job.hour_of_day",
                 "build_schedule_from_partitioned_job.minute_of_hour", "build_schedule_from_partitioned_job.name",
                 "build_schedule_from_partitioned_job.description", "build_schedule_from_partitioned_job.tags",
                 "build_schedule_from_partitioned_job.default_status",
                 "build_schedule_from_partitioned_job.cron_schedule")  # fmt: skip
def test_options_of_a_partitioned_schedule():
    running = dg.DefaultScheduleStatus.RUNNING
    schedule = dg.build_schedule_from_partitioned_job(
        partitioned_work, hour_of_day=3, minute_of_hour=5, name="n", description="d", tags={"t": "1"},
        default_status=running,
    )  # fmt: skip
    assert (schedule.cron_schedule, schedule.name, schedule.description) == ("5 3 * * *", "n", "d")
    assert schedule.default_status is running
    assert one(schedule).tags["t"] == "1"
    with pytest.raises(Exception):  # noqa: B017, PT011
        dg.build_schedule_from_partitioned_job(partitioned_work, cron_schedule="@hourly")
    with pytest.raises(Exception):  # noqa: B017, PT011
        dg.build_schedule_from_partitioned_job(partitioned_work, day_of_week=1)
    with pytest.raises(Exception):  # noqa: B017, PT011
        dg.build_schedule_from_partitioned_job(daily_work)


@pytest.mark.api("build_schedule_from_partitioned_job.day_of_week",
                 "build_schedule_from_partitioned_job.day_of_month",
                 "build_schedule_from_partitioned_job.metadata",
                 "build_schedule_from_partitioned_job.owners")  # fmt: skip
def test_when_a_partitioned_schedule_ticks():
    def scheduled(definition, **given):
        @dg.job(partitions_def=definition)
        def parted():
            work()

        return dg.build_schedule_from_partitioned_job(parted, **given)

    weeks, months = dg.WeeklyPartitionsDefinition("2024-01-01"), dg.MonthlyPartitionsDefinition("2024-01-01")
    assert scheduled(weeks, day_of_week=3, hour_of_day=4).cron_schedule == "0 4 * * 3"
    last = scheduled(months, day_of_month=3, owners=["team:data"], metadata={"rows": 1})
    assert (last.cron_schedule, list(last.owners)) == ("0 0 3 * *", ["team:data"])


@pytest.mark.parametrize(
    ("definition", "due", "expected"),
    [
        # summer time begins at 02:00 on the 10th and ends on November 3rd: those days have 23 and 25 hours
        (dg.DailyPartitionsDefinition("2024-01-01", timezone="America/New_York"), "2024-03-11T00:00:00-04:00", "2024-03-10"),  # noqa: E501
        (dg.DailyPartitionsDefinition("2024-01-01", timezone="America/New_York"), "2024-03-10T00:00:00-05:00", "2024-03-09"),  # noqa: E501
        (dg.DailyPartitionsDefinition("2024-01-01", timezone="America/New_York"), "2024-11-04T00:00:00-05:00", "2024-11-03"),  # noqa: E501
        (dg.HourlyPartitionsDefinition("2024-01-01-00:00", timezone="America/New_York"), "2024-03-10T03:00:00-04:00", "2024-03-10-01:00"),  # noqa: E501
        (dg.HourlyPartitionsDefinition("2024-01-01-00:00", timezone="Asia/Kolkata"), "2024-03-10T03:00:00+05:30", "2024-03-10-02:00"),  # noqa: E501
        (dg.DailyPartitionsDefinition("2024-01-01", end_offset=1), "2024-03-11T00:00:00+00:00", "2024-03-11"),
    ],
)  # fmt: skip
def test_the_partition_of_a_tick_where_days_are_not_equal(definition, due, expected):
    @dg.job(partitions_def=definition)
    def parted():
        work()

    schedule = dg.build_schedule_from_partitioned_job(parted)
    assert schedule.execution_timezone == (definition.timezone or "UTC")
    (request,) = schedule.evaluate_tick(at(datetime.fromisoformat(due))).run_requests
    assert request.partition_key == expected


@pytest.mark.api("static_partitioned_config.partition_keys", "static_partitioned_config.tags_for_partition_key_fn",
                 "build_schedule_from_partitioned_job.execution_timezone",
                 "PartitionedConfig.get_partition_keys")  # fmt: skip
def test_partitions_that_are_not_in_time_need_a_cron_expression_and_run_all():
    @dg.static_partitioned_config(partition_keys=["a", "b"], tags_for_partition_key_fn=lambda key: {"k": key})
    def by_letter(key):
        return {"ops": {"work": {"config": {"day": key}}}}

    assert by_letter("a")["ops"]["work"]["config"] == {"day": "a"}
    assert list(by_letter.get_partition_keys()) == ["a", "b"]

    @dg.job(config=by_letter)
    def letters():
        work()

    with pytest.raises(Exception, match="cron"):
        dg.build_schedule_from_partitioned_job(letters)
    with pytest.raises(Exception):  # noqa: B017, PT011
        dg.build_schedule_from_partitioned_job(letters, cron_schedule="@daily", hour_of_day=3)
    schedule = dg.build_schedule_from_partitioned_job(letters, cron_schedule="@daily", execution_timezone="Asia/Tokyo")
    assert schedule.execution_timezone == "Asia/Tokyo"
    assert [(r.run_key, r.tags["k"]) for r in schedule.evaluate_tick(at()).run_requests] == [("a", "a"), ("b", "b")]


def test_a_second_dimension_gives_a_run_for_each_of_its_keys():
    days = dg.DailyPartitionsDefinition("2024-01-01")
    both = dg.MultiPartitionsDefinition({"day": days, "letter": dg.StaticPartitionsDefinition(["x", "y"])})

    @dg.job(partitions_def=both)
    def wide():
        work()

    requests = dg.build_schedule_from_partitioned_job(wide).evaluate_tick(at()).run_requests
    parts = [(r.tags["dagster/partition/day"], r.tags["dagster/partition/letter"]) for r in requests]
    assert parts == [("2024-01-04", "x"), ("2024-01-04", "y")]


def test_a_job_of_assets_learns_its_partitions_from_them():
    @dg.asset(partitions_def=dg.HourlyPartitionsDefinition("2024-01-01-00:00", timezone="Europe/Berlin"))
    def hourly():
        return 1

    job = dg.define_asset_job("hours", "hourly")
    schedule = dg.build_schedule_from_partitioned_job(job, minute_of_hour=7, tags={"t": "1"})
    defs = dg.Definitions(assets=[hourly], jobs=[job], schedules=[schedule])
    dg.Definitions.validate_loadable(defs)
    found = defs.resolve_schedule_def("hours_schedule") if hasattr(defs, "resolve_schedule_def") else (
        defs.get_schedule_def("hours_schedule")
    )  # fmt: skip
    assert (found.cron_schedule, found.execution_timezone) == ("7 * * * *", "Europe/Berlin")
    request = one(found)
    assert (request.partition_key, request.tags["t"]) == ("2024-01-05-12:00", "1")


@pytest.mark.api("JobDefinition.run_request_for_partition")
def test_a_job_makes_the_request_of_a_partition():
    request = partitioned_work.run_request_for_partition("2024-01-02", run_key="k", tags={"z": "1"})
    assert (request.run_key, request.partition_key, request.tags["z"]) == ("k", "2024-01-02", "1")
    assert request.run_config == by_day.get_run_config_for_partition_key("2024-01-02")
    with pytest.raises(dg.DagsterUnknownPartitionError):
        partitioned_work.run_request_for_partition("2023-01-02")
    with pytest.raises(Exception):  # noqa: B017, PT011
        daily_work.run_request_for_partition("2024-01-02")


@pytest.mark.api("PartitionedConfig.partitions_def", "PartitionedConfig.run_config_for_partition_key_fn",
                 "PartitionedConfig.tags_for_partition_key_fn", "partitioned_config.partitions_def",
                 "partitioned_config.tags_for_partition_key_fn", "dynamic_partitioned_config.partition_fn")  # fmt: skip
def test_config_as_a_function_of_a_key():
    letters = dg.StaticPartitionsDefinition(["a", "b"])
    made = dg.PartitionedConfig(letters, run_config_for_partition_key_fn=lambda key: {"k": key},
                                tags_for_partition_key_fn=lambda key: {"t": key})  # fmt: skip
    assert made.partitions_def == letters
    assert made.get_run_config_for_partition_key("a") == {"k": "a"}
    assert made.get_tags_for_partition_key("a") == {"t": "a", "dagster/partition": "a"}
    with pytest.raises(Exception):  # noqa: B017, PT011
        dg.PartitionedConfig(letters)

    @dg.partitioned_config(letters, tags_for_partition_key_fn=lambda key: {"u": key})
    def decorated(key):
        return dg.RunConfig(ops={key: {"config": 1}})

    assert decorated.get_run_config_for_partition_key("b")["ops"] == {"b": {"config": 1}}
    assert decorated.get_tags_for_partition_key("b")["u"] == "b"

    @dg.dynamic_partitioned_config(partition_fn=lambda now: ["p", "q"])
    def dynamic(key):
        return {"k": key}

    assert (list(dynamic.get_partition_keys()), dynamic("p")) == (["p", "q"], {"k": "p"})


@pytest.mark.api("hourly_partitioned_config.minute_offset", "weekly_partitioned_config.day_offset",
                 "monthly_partitioned_config.day_offset", "weekly_partitioned_config.hour_offset")  # fmt: skip
def test_config_as_a_function_of_a_window():
    @dg.hourly_partitioned_config("2024-01-01-00:00", minute_offset=15)
    def hours(start, end):
        return {"at": f"{start:%H:%M}-{end:%H:%M}"}

    @dg.weekly_partitioned_config("2024-01-01", day_offset=1, hour_offset=2)
    def weeks(start, end):
        return {"at": f"{start:%a %H}"}

    @dg.monthly_partitioned_config("2024-01-01", day_offset=3)
    def months(start, end):
        return {"at": f"{start:%m-%d}"}

    for config, expected in ((hours, "00:15-01:15"), (weeks, "Mon 02"), (months, "01-03")):
        key = config.get_partition_keys(datetime(2024, 3, 1))[0]
        assert config.get_run_config_for_partition_key(key) == {"at": expected}
