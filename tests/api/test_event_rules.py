"""The event log of a run as others read it: which events, in which order, in which words, at which level."""

import logging
from typing import Any

import pytest

import dagster as dg


def told(result: Any, instance: Any) -> list[tuple[str, str | None, int, str]]:
    """(type or "LOG", step, level, message) of every entry of a run."""
    return [
        (one.dagster_event.event_type_value if one.dagster_event else "LOG", one.step_key, one.level, one.message)
        for one in instance.all_logs(result.run_id)
    ]


def types(entries: list[tuple[str, str | None, int, str]], step: str | None = "*") -> list[str]:
    return [kind for kind, key, _, _ in entries if step in ("*", key)]


def in_order(wanted: list[str], found: list[str]) -> bool:
    rest = iter(found)
    return all(one in rest for one in wanted)


@dg.asset
def a():
    return 1


@dg.asset
def b(a) -> None:
    pass


@dg.asset_check(asset=a)
def c(context, a):
    context.log.info("looked")
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)


def test_a_run_of_assets(instance: Any) -> None:
    entries = told(dg.materialize([a, b, c], instance=instance), instance)
    assert in_order(
        [
            "ASSET_MATERIALIZATION_PLANNED",
            "PIPELINE_START",
            "ENGINE_EVENT",
            "RESOURCE_INIT_STARTED",
            "RESOURCE_INIT_SUCCESS",
            "LOGS_CAPTURED",
            "STEP_START",
            "ENGINE_EVENT",
            "PIPELINE_SUCCESS",
        ],
        types(entries),
    )
    assert types(entries).count("ASSET_MATERIALIZATION_PLANNED") == 2
    assert types(entries).count("ASSET_CHECK_EVALUATION_PLANNED") == 1
    assert types(entries).count("LOGS_CAPTURED") == 1
    assert in_order(
        ["STEP_START", "STEP_OUTPUT", "ASSET_MATERIALIZATION", "HANDLED_OUTPUT", "STEP_SUCCESS"], types(entries, "a")
    )
    assert in_order(["STEP_START", "LOADED_INPUT", "STEP_INPUT", "STEP_OUTPUT"], types(entries, "b"))
    assert "HANDLED_OUTPUT" not in types(entries, "b")
    assert in_order(["STEP_INPUT", "LOG", "STEP_OUTPUT", "ASSET_CHECK_EVALUATION"], types(entries, "a_c"))
    assert {level for kind, _, level, _ in entries if kind != "LOG"} == {logging.DEBUG}
    [line] = [one for one in entries if one[0] == "LOG"]
    assert line == ("LOG", "a_c", logging.INFO, "looked")
    messages = [message for *_, message in entries]
    for wanted in (
        'Started execution of run for "__ephemeral_asset_job__".',
        'Finished execution of run for "__ephemeral_asset_job__".',
        'Started execution of step "a".',
        "Materialized value a.",
        "Asset check 'c' on 'a' did not pass.",
    ):
        assert wanted in messages
    assert any(one.startswith('Finished execution of step "a" in ') for one in messages)


def test_a_check_inside_an_asset_has_an_output_of_its_own(instance: Any) -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec("inside", asset="made")])
    def made():
        return dg.MaterializeResult(value=1, check_results=[dg.AssetCheckResult(passed=True)])

    result = dg.materialize([made], instance=instance)
    events = [one for one in result.all_events if one.step_key == "made"]
    at = [one.event_type_value for one in events].index("ASSET_CHECK_EVALUATION")
    outputs = [one.event_specific_data.output_name for one in events[:at] if one.event_type_value == "STEP_OUTPUT"]
    assert "made_inside" in outputs


def test_a_failure_is_told_aloud_and_what_is_below_says_nothing(instance: Any) -> None:
    @dg.success_hook
    def on_success(_context):
        raise AssertionError

    @dg.failure_hook
    def on_failure(_context):
        raise ValueError("a hook that breaks")

    @dg.op
    def bad():
        raise ValueError("no")

    @dg.op
    def below(x):
        return x

    @dg.job(hooks={on_success, on_failure})
    def failing():
        below(bad())

    result = failing.execute_in_process(instance=instance, raise_on_error=False)
    entries = told(result, instance)
    levels = {kind: level for kind, _, level, _ in entries}
    assert {levels[one] for one in ("STEP_FAILURE", "PIPELINE_FAILURE", "HOOK_ERRORED")} == {logging.ERROR}
    assert levels["HOOK_SKIPPED"] == logging.DEBUG
    assert [one for one in types(entries, "below") if one != "LOG"] == []
    [about_below] = [one for one in entries if one[0] == "LOG" and "below" in one[3]]
    assert about_below[2:] == (logging.ERROR, "Dependencies for step below failed: ['bad']. Not executing.")
    assert any("Execution of run for \"failing\" failed. Steps failed: ['bad']." in one[3] for one in entries)


def test_an_attempt_after_the_first_restarts(instance: Any) -> None:
    tries: list[int] = []

    @dg.success_hook
    def on_success(_context):
        pass

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
    def flaky():
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("once")

    @dg.job(hooks={on_success})
    def retried():
        flaky()

    entries = told(retried.execute_in_process(instance=instance), instance)
    assert in_order(
        ["STEP_START", "STEP_UP_FOR_RETRY", "HOOK_SKIPPED", "STEP_RESTARTED", "STEP_SUCCESS", "HOOK_COMPLETED"],
        types(entries, "flaky"),
    )
    assert types(entries).count("STEP_START") == 1


def test_an_output_left_out_skips_and_a_fan_in_loads_twice(instance: Any) -> None:
    @dg.op(out={"given": dg.Out(), "left": dg.Out(is_required=False)})
    def half():
        yield dg.Output(1, "given")

    @dg.op
    def after_left(x):
        return x

    @dg.op
    def several(xs: list[int]):
        return sum(xs)

    @dg.graph
    def g():
        given, left = half()
        after_left(left)
        several([given, given])

    @dg.job
    def j():
        g()

    entries = told(j.execute_in_process(instance=instance), instance)
    assert types(entries, "g.after_left") == ["STEP_SKIPPED"]
    assert types(entries, "g.several").count("LOADED_INPUT") == 2
    assert types(entries, "g.several").count("STEP_INPUT") == 1


def test_names_of_dynamic_steps() -> None:
    @dg.op(out=dg.DynamicOut())
    def up():
        yield dg.DynamicOutput(1, "k")

    @dg.op
    def down(x):
        return x

    @dg.job
    def fans():
        up().map(down)

    assert {one.step_key for one in fans.execute_in_process().get_step_success_events()} == {"up", "down[k]"}


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_levels_of_lines(level: str, instance: Any) -> None:
    @dg.op
    def says(context):
        assert isinstance(context.log, logging.Logger)
        getattr(context.log, level)("here")
        getattr(dg.get_dagster_logger(), level)("there")

    @dg.job
    def j():
        says()

    lines = [one[2:] for one in told(j.execute_in_process(instance=instance), instance) if one[0] == "LOG"]
    assert lines == [(getattr(logging, level.upper()), "here"), (getattr(logging, level.upper()), "there")]


@pytest.mark.parametrize(
    "name", ["ENQUEUED", "DEQUEUED", "STARTING", "START", "SUCCESS", "FAILURE", "CANCELING", "CANCELED"]
)
def test_events_of_runs_are_stored_under_their_old_names(name: str) -> None:
    member = getattr(dg.DagsterEventType, f"RUN_{name}")
    assert member.value == f"PIPELINE_{name}"
    assert (dg.DagsterEventType.RUN_SUSPENDED.value, dg.DagsterEventType.RUN_RESUMED.value) == (
        "RUN_SUSPENDED",
        "RUN_RESUMED",
    )


def test_what_the_system_says_in_tags_holds(instance: Any) -> None:
    """Later tags win: those of the definition, of who launches, and last of the system."""

    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["x"]))
    def parted():
        return 1

    tags = {"dagster/partition": "other", "mine": "launch"}
    job = dg.define_asset_job("j", run_tags={**tags, "mine": "definition", "one": "definition"})
    resolved = dg.Definitions([parted], jobs=[job]).get_job_def("j")
    run = resolved.execute_in_process(instance=instance, partition_key="x", tags=tags).dagster_run
    assert run.tags == {
        "dagster/partition": "x",
        "dagster/partition_set": "j_partition_set",
        "mine": "launch",
        "one": "definition",
    }


def test_observations_are_events_of_their_step(instance: Any) -> None:
    @dg.asset
    def looks(context):
        context.log_event(dg.AssetObservation("elsewhere", metadata={"n": 1}))
        yield dg.AssetObservation("looks")
        yield dg.Output(1)

    entries = told(dg.materialize([looks], instance=instance), instance)
    assert types(entries, "looks").count("ASSET_OBSERVATION") == 2


def test_what_is_below_a_step_that_was_skipped_is_skipped(instance: Any) -> None:
    @dg.op(out=dg.Out(is_required=False))
    def leaves_out():
        yield from ()

    @dg.op
    def hand_on(x):
        return x

    @dg.job
    def j():
        hand_on.alias("second")(hand_on.alias("first")(leaves_out()))

    entries = told(j.execute_in_process(instance=instance), instance)
    assert types(entries, "first") == types(entries, "second") == ["STEP_SKIPPED"]


def test_odd_levels_and_lines_that_are_no_text(instance: Any) -> None:
    @dg.op
    def says(context):
        context.log.log(15, "odd")
        context.log.warning("w %s", "filled in")
        context.log.info({"x": 1})

    @dg.job
    def j():
        says()

    lines = [one[1:] for one in told(j.execute_in_process(instance=instance), instance) if one[0] == "LOG"]
    assert lines == [("says", 15, "odd"), ("says", 30, "w filled in"), ("says", 20, "{'x': 1}")]
