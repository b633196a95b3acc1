"""Sensors over runs: which runs they see, and what comes of it."""

import pytest

import dagster as dg


@dg.op
def work():
    return 1


@dg.op
def bad():
    raise ValueError("broken")


@dg.job
def first():
    work()


@dg.job
def second():
    work()


@dg.job
def failing():
    bad()


all_of_it = dg.Definitions(jobs=[first, second, failing])


@pytest.mark.api("run_status_sensor.run_status", "run_status_sensor.request_job",
                 "build_run_status_sensor_context.dagster_run", "RunStatusSensorContext.dagster_run",
                 "RunStatusSensorContext.sensor_name")  # fmt: skip
def test_a_run_status_sensor_is_called_for_each_run(instance):
    @dg.run_status_sensor(run_status=dg.DagsterRunStatus.SUCCESS, request_job=second)
    def after(context: dg.RunStatusSensorContext):
        return dg.RunRequest(run_key=context.dagster_run.run_id, tags={"by": context.sensor_name})

    started = after.evaluate_tick(dg.build_sensor_context(instance=instance, sensor_name="after"))
    assert not started.run_requests
    done = first.execute_in_process(instance=instance)
    tick = after.evaluate_tick(
        dg.build_sensor_context(instance=instance, sensor_name="after", cursor=started.cursor)
    )  # fmt: skip
    assert [(r.run_key, r.tags["by"]) for r in tick.run_requests] == [(done.run_id, "after")]


@pytest.mark.api("run_failure_sensor.name", "RunFailureSensorContext.failure_event",
                 "RunFailureSensorContext.get_step_failure_events")  # fmt: skip
def test_a_run_failure_sensor_sees_what_failed(instance):
    @dg.run_failure_sensor
    def alarm(context: dg.RunFailureSensorContext):
        return dg.SkipReason(f"{context.failure_event.event_type_value} {len(context.get_step_failure_events())}")

    @dg.run_failure_sensor(name="renamed")
    def other():
        return None

    assert (alarm.name, other.name) == ("alarm", "renamed")
    result = failing.execute_in_process(instance=instance, raise_on_error=False)
    event = next(e for e in result.all_events if e.event_type_value == "PIPELINE_FAILURE")
    context = dg.build_run_status_sensor_context("alarm", event, instance, result.dagster_run)
    assert alarm(context.for_run_failure()) == dg.SkipReason("PIPELINE_FAILURE 1")


def seen_by(sensor, instance, names, cursor=None):
    """One evaluation of a sensor that notes the jobs of the runs it sees; `names` are these."""
    names.clear()
    context = dg.build_sensor_context(instance, cursor, sensor_name=sensor.name, definitions=all_of_it)
    tick = sensor.evaluate_tick(context)
    return tick, list(names)


def noting(names, status=dg.DagsterRunStatus.SUCCESS, gives=None, **given):
    @dg.run_status_sensor(run_status=status, name="noting", **given)
    def note(context):
        names.append(context.dagster_run.job_name)
        return gives(context) if gives else None

    return note


def run(job, instance):
    return job.execute_in_process(instance=instance, raise_on_error=False)


@pytest.mark.parametrize(("status", "saw"), [("SUCCESS", "first"), ("FAILURE", "failing"), ("STARTED", "both")])
@pytest.mark.api("RunStatusSensorDefinition.run_status")
def test_a_sensor_sees_runs_that_reached_its_status_since_it_was_turned_on(status, saw, instance):
    run(first, instance)
    run(failing, instance)
    names = []
    watch = dg.RunStatusSensorDefinition(
        "noting", run_status=dg.DagsterRunStatus[status],
        run_status_sensor_fn=lambda context: names.append(context.dagster_run.job_name),
    )  # fmt: skip
    begun, seen = seen_by(watch, instance, names)
    assert (seen, list(begun.run_requests)) == ([], [])
    assert begun.skip_message
    run(first, instance)
    run(failing, instance)
    tick, seen = seen_by(watch, instance, names, begun.cursor)
    assert seen == {"both": ["first", "failing"]}.get(saw, [saw])
    assert seen_by(watch, instance, names, tick.cursor)[1] == []


@pytest.mark.parametrize("status", ["NOT_STARTED", "MANAGED"])
def test_a_status_that_no_event_tells_of_is_an_error(status):
    with pytest.raises(Exception, match=status):
        noting([], dg.DagsterRunStatus[status])


@pytest.mark.api("run_status_sensor.monitored_jobs", "RunStatusSensorDefinition.monitored_jobs",
                 "run_failure_sensor.monitored_jobs", "run_status_sensor.monitor_all_code_locations",
                 "run_failure_sensor.monitor_all_code_locations",
                 "RunStatusSensorDefinition.monitor_all_code_locations")  # fmt: skip
def test_which_jobs_are_watched(instance):
    names = []
    watch = noting(names, monitored_jobs=[second])
    begun, _ = seen_by(watch, instance, names)
    for job in (first, second, first):
        run(job, instance)
    assert seen_by(watch, instance, names, begun.cursor)[1] == ["second"]
    everywhere = dg.RunStatusSensorDefinition(
        "noting", dg.DagsterRunStatus.SUCCESS, lambda context: names.append(context.dagster_run.job_name),
        monitor_all_code_locations=True,
    )  # fmt: skip
    for watch in (everywhere, noting(names, monitor_all_code_locations=True)):
        assert seen_by(watch, instance, names, begun.cursor)[1] == ["first", "second", "first"]

    @dg.run_failure_sensor(monitored_jobs=[first])
    def other(context):
        names.append(context.dagster_run.job_name)

    begun, _ = seen_by(other, instance, names)
    run(failing, instance)
    assert seen_by(other, instance, names, begun.cursor)[1] == []
    both = {"monitored_jobs": [first], "monitor_all_code_locations": True}
    makers = (
        lambda: noting([], **both),
        lambda: dg.run_failure_sensor(name="x", **both)(lambda context: None),
    )
    for make in makers:
        with pytest.raises(dg.DagsterInvalidDefinitionError, match="monitor"):
            make()


@pytest.mark.api("run_status_sensor.job_selection", "run_status_sensor.monitor_all_repositories",
                 "run_failure_sensor.job_selection", "run_failure_sensor.monitor_all_repositories")  # fmt: skip
def test_older_names_of_what_is_watched(instance):
    def note(context):
        names.append(context.dagster_run.job_name)

    names = []
    success = dg.DagsterRunStatus.SUCCESS
    with pytest.warns(DeprecationWarning, match="monitored_jobs"):
        watch = dg.run_status_sensor(run_status=success, name="noting", job_selection=[second])(note)
    begun, _ = seen_by(watch, instance, names)
    run(first, instance)
    run(second, instance)
    assert seen_by(watch, instance, names, begun.cursor)[1] == ["second"]
    with pytest.warns(DeprecationWarning, match="monitored_jobs"):
        alarm = dg.run_failure_sensor(name="alarm", job_selection=[first])(note)
    begun, _ = seen_by(alarm, instance, names)
    run(failing, instance)
    assert seen_by(alarm, instance, names, begun.cursor)[1] == []
    with pytest.warns(DeprecationWarning, match="monitored_jobs"), pytest.raises(Exception, match="monitored_jobs"):
        dg.run_failure_sensor(monitored_jobs=[first], job_selection=[second])(note)
    for make in (dg.run_failure_sensor, lambda **given: dg.run_status_sensor(run_status=success, **given)):
        with (
            pytest.warns(DeprecationWarning, match="monitor_all_code_locations"),
            pytest.raises(dg.DagsterInvalidDefinitionError, match="monitor"),
        ):
            make(monitored_jobs=[first], monitor_all_repositories=True)(note)


@pytest.mark.api("JobSelector.location_name", "JobSelector.repository_name", "JobSelector.job_name",
                 "RepositorySelector.location_name", "RepositorySelector.repository_name",
                 "CodeLocationSelector.location_name")  # fmt: skip
def test_jobs_of_other_code_locations_are_selected_by_name(instance):
    selectors = [
        dg.JobSelector(location_name="shop", job_name="first"),
        dg.JobSelector(location_name="shop", repository_name="other", job_name="first"),
        dg.RepositorySelector(location_name="shop", repository_name="__repository__"),
        dg.CodeLocationSelector(location_name="shop"),
        dg.CodeLocationSelector(location_name="elsewhere"),
    ]
    assert [one.location_name for one in selectors] == ["shop"] * 4 + ["elsewhere"]
    assert [one.repository_name for one in selectors[:3]] == ["__repository__", "other", "__repository__"]
    assert selectors[0].job_name == "first"
    assert selectors[0] == dg.JobSelector("shop", "__repository__", "first")
    with pytest.raises(Exception, match="job_name"):
        dg.JobSelector(location_name="shop")
    names = []
    begun, _ = seen_by(noting(names), instance, names)
    for job in (first, second):
        job.execute_in_process(instance=instance, tags={".dagster/repository": "__repository__@shop"})
    seen = [seen_by(noting(names, monitored_jobs=[one]), instance, names, begun.cursor)[1] for one in selectors]
    assert seen == [["first"], [], ["first", "second"], ["first", "second"], []]


def test_a_sensor_is_told_of_the_runs_that_it_started_too(instance):
    """Else nobody would hear of a retry that fails again."""
    names = []
    begun, _ = seen_by(noting(names), instance, names)
    for starter in ("noting", "another"):
        first.execute_in_process(instance=instance, tags={"dagster/sensor_name": starter})
    assert seen_by(noting(names, request_job=first), instance, names, begun.cursor)[1] == ["first", "first"]


def test_an_evaluation_sees_five_runs_and_the_next_goes_on(instance):
    names = []
    watch = noting(names, monitored_jobs=[first])
    begun, _ = seen_by(watch, instance, names)
    for _ in range(6):
        run(first, instance)
    tick, seen = seen_by(watch, instance, names, begun.cursor)
    assert len(seen) == 5
    assert len(seen_by(watch, instance, names, tick.cursor)[1]) == 1


def test_a_run_for_which_the_function_fails_does_not_hold_up_the_others(instance):
    def fail_once(context):
        if len(names) == 1:
            raise ValueError("no mail today")

    names = []
    watch = noting(names, gives=fail_once)
    begun, _ = seen_by(watch, instance, names)
    run(first, instance)
    run(second, instance)
    tick, seen = seen_by(watch, instance, names, begun.cursor)
    assert seen == ["first", "second"]
    assert seen_by(watch, instance, names, tick.cursor)[1] == []


@pytest.mark.parametrize(
    ("gives", "asked", "skip"),
    [
        (lambda context: None, [], None),
        (lambda context: dg.SkipReason("quiet"), [], "quiet"),
        (lambda context: dg.RunRequest("a"), ["a"], None),
        (lambda context: dg.SensorResult([dg.RunRequest("b")]), ["b"], None),
        (lambda context: dg.SensorResult(skip_reason="quiet"), [], "quiet"),
    ],
)
def test_what_the_function_may_give(gives, asked, skip, instance):
    names = []
    watch = noting(names, gives=gives, request_job=second)
    begun, _ = seen_by(watch, instance, names)
    run(first, instance)
    tick, _ = seen_by(watch, instance, names, begun.cursor)
    assert [one.run_key for one in tick.run_requests] == asked
    assert skip is None or tick.skip_message == skip


def test_the_cursor_is_kept_by_the_sensor(instance):
    names = []
    watch = noting(names, gives=lambda context: dg.SensorResult(cursor="mine"))
    begun, _ = seen_by(watch, instance, names)
    run(first, instance)
    with pytest.raises(dg.DagsterInvariantViolationError, match="cursor"):
        seen_by(watch, instance, names, begun.cursor)


@pytest.mark.api("build_run_status_sensor_context.sensor_name", "build_run_status_sensor_context.dagster_event",
                 "build_run_status_sensor_context.dagster_instance", "build_run_status_sensor_context.context",
                 "build_run_status_sensor_context.resources", "build_run_status_sensor_context.partition_key",
                 "build_run_status_sensor_context.repository_def", "RunStatusSensorContext.dagster_event",
                 "RunStatusSensorContext.log", "RunStatusSensorContext.partition_key",
                 "RunStatusSensorContext.instance", "RunFailureSensorContext.log",
                 "RunFailureSensorContext.dagster_event", "RunFailureSensorContext.partition_key",
                 "RunFailureSensorContext.sensor_name")  # fmt: skip
def test_what_the_function_is_told(instance, caplog):
    result = run(failing, instance)
    event = next(one for one in result.all_events if one.event_type_value == "PIPELINE_FAILURE")
    around = all_of_it.get_repository_def() if hasattr(all_of_it, "get_repository_def") else all_of_it
    made = dg.build_run_status_sensor_context(
        sensor_name="alarm", dagster_event=event, dagster_instance=instance, dagster_run=result.dagster_run,
        resources={"host": "db"}, partition_key="a",
        repository_def=around,
    )  # fmt: skip
    for context in (made, made.for_run_failure()):
        assert (context.sensor_name, context.partition_key, context.instance) == ("alarm", "a", instance)
        assert context.dagster_event.event_type_value == "PIPELINE_FAILURE"
        assert context.repository_def == around
        with caplog.at_level("INFO"):
            context.log.info("seen")
    assert caplog.messages.count("seen") == 2

    def told(context, host: dg.ResourceParam[str]):
        return dg.SkipReason(f"{host} {context.dagster_run.job_name}")

    watch = dg.run_status_sensor(run_status=dg.DagsterRunStatus.FAILURE)(told)
    assert watch(made) == dg.SkipReason("db failing")
    around = dg.build_sensor_context(instance, resources={"host": "other"})
    within = dg.build_run_status_sensor_context("alarm", event, instance, result.dagster_run, context=around)
    assert watch(within) == dg.SkipReason("other failing")
