"""What user functions return, yield or raise, and what an execution gives back."""

from typing import Any

import pytest

import dagster as dg


def materialized(result: Any) -> dict[str, Any]:
    return {
        event.asset_key.to_user_string(): event.step_materialization_data.materialization
        for event in result.get_asset_materialization_events()
    }


# --- MaterializeResult ------------------------------------------------------------------------------------------------


@pytest.mark.api("MaterializeResult.metadata", "MaterializeResult.data_version", "MaterializeResult.tags")
def test_materialize_result_says_what_was_made(run: Any, shelf: Any) -> None:
    @dg.asset
    def a():
        return dg.MaterializeResult(metadata={"n": 1}, data_version=dg.DataVersion("7"), tags={"t": "v"})

    made = materialized(run([a]))["a"]
    assert made.metadata["n"] == dg.MetadataValue.int(1)
    assert made.tags["dagster/data_version"] == "7"
    assert made.tags["t"] == "v"
    assert shelf.stored == []


@pytest.mark.api("MaterializeResult.value")
def test_materialize_result_with_a_value_is_stored(run: Any, shelf: Any) -> None:
    @dg.asset
    def a():
        return dg.MaterializeResult(value=3)

    @dg.asset
    def b(a):
        return a + 1

    assert run([a, b]).success
    assert shelf.values == {"a": 3, "b": 4}


@pytest.mark.api("MaterializeResult.asset_key", "MaterializeResult.check_results")
def test_materialize_result_names_its_asset(run: Any) -> None:
    @dg.multi_asset(
        specs=[dg.AssetSpec("a"), dg.AssetSpec(["p", "b"])], check_specs=[dg.AssetCheckSpec("c", asset=["p", "b"])]
    )
    def make():
        checked = dg.AssetCheckResult(passed=True, metadata={"m": 1})
        yield dg.MaterializeResult(asset_key=["p", "b"], metadata={"n": 2}, check_results=[checked])
        yield dg.MaterializeResult(asset_key="a")

    result = run([make])
    assert materialized(result)["p/b"].metadata["n"].value == 2
    assert [(one.asset_key.to_user_string(), one.check_name) for one in result.get_asset_check_evaluations()] == [
        ("p/b", "c")
    ]


@pytest.mark.api("MaterializeResult.asset_key")
def test_materialize_result_of_another_asset_fails(run: Any) -> None:
    @dg.asset
    def a():
        return dg.MaterializeResult(asset_key="other")

    assert run([a]).get_failed_step_keys() == {"a"}


def twice():
    yield dg.MaterializeResult()
    yield dg.MaterializeResult()


def several():
    yield dg.Output(1)
    yield dg.Output(2)


def unknown():
    yield dg.Output(1, "nothing_here")


@pytest.mark.parametrize("fn", [twice, several, unknown], ids=lambda fn: fn.__name__)
def test_results_that_do_not_fit_are_mistakes(run: Any, fn: Any) -> None:
    if fn is twice:
        assert not run([dg.asset(fn)]).success
    else:
        with pytest.raises(dg.DagsterInvariantViolationError):
            dg.materialize([dg.asset(fn)], resources={"io_manager": dg.mem_io_manager})


# --- Output -----------------------------------------------------------------------------------------------------------


@pytest.mark.api("Output.value", "Output.metadata", "Output.data_version", "Output.tags")
def test_output_says_what_was_made(run: Any, shelf: Any) -> None:
    @dg.asset
    def a():
        return dg.Output(3, metadata={"n": 1}, data_version=dg.DataVersion("7"), tags={"t": "v"})

    made = materialized(run([a]))["a"]
    assert made.metadata["n"] == dg.MetadataValue.int(1)
    assert made.tags["dagster/data_version"] == "7"
    assert made.tags["t"] == "v"
    assert shelf.values == {"a": 3}


@pytest.mark.api("Output.output_name", "Output.value")
def test_output_names_its_output(run: Any, shelf: Any) -> None:
    @dg.multi_asset(outs={"a": dg.AssetOut(), "b": dg.AssetOut()})
    def make():
        yield dg.Output(value=2, output_name="b")
        yield dg.Output(value=1, output_name="a")

    assert run([make]).success
    assert shelf.values == {"a": 1, "b": 2}
    one = dg.Output(5, "x", metadata={"m": 1})
    assert (one.value, one.output_name, one.metadata["m"].value) == (5, "x", 1)


@pytest.mark.api("DataVersion.value", "asset.code_version")
def test_data_versions_are_compared(run: Any) -> None:
    @dg.asset(code_version="1")
    def a():
        return 1

    first, second = materialized(run([a]))["a"], materialized(run([a]))["a"]
    assert first.tags["dagster/code_version"] == "1"
    assert first.tags["dagster/data_version"] == second.tags["dagster/data_version"]
    assert dg.DataVersion("x").value == "x"
    assert dg.DataVersion("x") == dg.DataVersion("x")


# --- events that are logged or yielded -------------------------------------------------------------------------------


@pytest.mark.api(
    "AssetMaterialization.asset_key", "AssetMaterialization.description", "AssetMaterialization.metadata",
    "AssetMaterialization.partition", "AssetMaterialization.tags", "AssetObservation.asset_key",
    "AssetObservation.description", "AssetObservation.metadata", "AssetObservation.partition", "AssetObservation.tags",
    "AssetExecutionContext.log_event",
)  # fmt: skip
def test_events_of_any_asset_may_be_logged(run: Any) -> None:
    said = {"description": "d", "metadata": {"n": 1}, "partition": "x", "tags": {"t": "v"}}

    @dg.asset
    def a(context: dg.AssetExecutionContext):
        context.log_event(dg.AssetMaterialization(asset_key="other", **said))
        context.log_event(dg.AssetObservation(asset_key=["p", "seen"], **said))
        return 1

    result = run([a])
    made = materialized(result)["other"]
    seen = result.asset_observations_for_node("a")[0]
    assert seen.asset_key == dg.AssetKey(["p", "seen"])
    for one in (made, seen):
        assert (one.description, one.partition, one.tags["t"]) == ("d", "x", "v")
        assert one.metadata["n"].value == 1


def test_materializations_of_files() -> None:
    made = dg.AssetMaterialization.file("/data/x.csv", description="d", asset_key="a")
    assert (made.asset_key, made.description) == (dg.AssetKey("a"), "d")
    assert made.metadata["path"].value == "/data/x.csv"


@pytest.mark.api("DagsterInstance.report_runless_asset_event", "DagsterInstance.get_latest_materialization_event")
def test_materializations_are_reported_from_outside(instance: Any) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization("a", metadata={"n": 1}, partition="x"))
    entry = instance.get_latest_materialization_event(dg.AssetKey("a"))
    assert entry.asset_materialization.partition == "x"
    assert entry.run_id == ""
    assert entry.dagster_event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION


# --- Failure, RetryRequested, RetryPolicy ----------------------------------------------------------------------------


@pytest.mark.api("Failure.description", "Failure.metadata")
def test_failure_tells_why(run: Any) -> None:
    @dg.asset
    def a():
        raise dg.Failure(description="no rows", metadata={"rows": 0})

    result = run([a])
    data = result.failure_data_for_node("a")
    assert data.user_failure_data.description == "no rows"
    assert data.user_failure_data.metadata["rows"].value == 0
    failure = dg.Failure("x", metadata={"m": 1})
    assert (failure.description, failure.metadata["m"].value) == ("x", 1)


@pytest.mark.api("Failure.allow_retries")
@pytest.mark.parametrize(("allowed", "attempts"), [(True, 3), (None, 3), (False, 1)])
def test_failure_may_refuse_retries(run: Any, allowed: bool | None, attempts: int) -> None:
    tried = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=2))
    def a():
        tried.append(1)
        raise dg.Failure("x", allow_retries=allowed)

    assert not run([a]).success
    assert len(tried) == attempts


@pytest.mark.api("RetryRequested.max_retries", "RetryRequested.seconds_to_wait")
@pytest.mark.parametrize("retries", [1, 3])
def test_retry_requested(run: Any, retries: int) -> None:
    tried = []

    @dg.asset
    def a():
        tried.append(1)
        raise dg.RetryRequested(max_retries=retries, seconds_to_wait=0.001)

    result = run([a])
    assert len(tried) == 1 + retries
    waits = [e for e in result.all_events if e.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY]
    assert len(waits) == retries
    assert waits[0].step_retry_data.seconds_to_wait == 0.001


@pytest.mark.api("RetryPolicy.max_retries", "RetryPolicy.delay", "RetryPolicy.backoff")
@pytest.mark.parametrize(
    ("backoff", "waits"),
    [(None, [2, 2, 2]), (dg.Backoff.LINEAR, [2, 4, 6]), (dg.Backoff.EXPONENTIAL, [2, 6, 14])],
)
def test_retry_policies_wait(backoff: Any, waits: list[float]) -> None:
    policy = dg.RetryPolicy(max_retries=3, delay=2, backoff=backoff)
    assert (policy.max_retries, policy.delay, policy.backoff) == (3, 2, backoff)
    assert [policy.calculate_delay(attempt) for attempt in (1, 2, 3)] == waits


@pytest.mark.api("RetryPolicy.jitter", "RetryPolicy.delay")
@pytest.mark.parametrize(("jitter", "least", "most"), [(dg.Jitter.FULL, 0, 8), (dg.Jitter.PLUS_MINUS, 0, 16)])
def test_retry_policies_scatter(jitter: Any, least: float, most: float) -> None:
    policy = dg.RetryPolicy(delay=8, jitter=jitter)
    assert policy.jitter is jitter
    found = {policy.calculate_delay(1) for _ in range(50)}
    assert len(found) > 1
    assert all(least <= one <= most for one in found)


@pytest.mark.api("RetryPolicy.backoff", "RetryPolicy.jitter")
@pytest.mark.parametrize("given", [{"backoff": dg.Backoff.LINEAR}, {"jitter": dg.Jitter.FULL}], ids=str)
def test_retry_policies_without_delay_have_nothing_to_scatter(given: dict[str, Any]) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.RetryPolicy(**given)
    assert {"backoff", "jitter"} >= set(given)


# --- ExecuteInProcessResult -------------------------------------------------------------------------------------------


@dg.asset
def good():
    return 1


@dg.asset
def bad(good):
    raise ValueError("boom")


@dg.asset
def after(bad):
    return 1


@pytest.mark.api(
    "ExecuteInProcessResult.asset_value", "ExecuteInProcessResult.output_for_node", "ExecuteInProcessResult.run_id",
    "ExecuteInProcessResult.dagster_run", "ExecuteInProcessResult.job_def", "ExecuteInProcessResult.all_events",
)  # fmt: skip
def test_what_a_result_tells(run: Any, instance: Any) -> None:
    result = run([good], instance=instance, tags={"t": "v"})
    assert result.success
    assert result.asset_value("good") == result.output_for_node("good") == 1
    assert result.dagster_run.run_id == result.run_id
    assert result.dagster_run.is_success
    assert result.dagster_run.tags["t"] == "v"
    assert result.job_def.name == result.dagster_run.job_name
    types = [event.event_type_value for event in result.all_events if event.is_step_event]
    assert types == ["LOGS_CAPTURED"] * types.count("LOGS_CAPTURED") + [
        "STEP_START", "STEP_OUTPUT", "ASSET_MATERIALIZATION", "HANDLED_OUTPUT", "STEP_SUCCESS",
    ]  # fmt: skip
    with pytest.raises(Exception, match="other"):
        result.asset_value("other")
    with pytest.raises(dg.DagsterError):
        result.output_for_node("other")


@pytest.mark.api(
    "ExecuteInProcessResult.all_events", "DagsterEvent.event_type", "DagsterEvent.event_type_value",
    "DagsterEvent.step_key", "DagsterEvent.is_step_success", "DagsterEvent.is_step_failure", "DagsterEvent.is_failure",
    "DagsterEvent.is_step_event", "DagsterEvent.is_step_start", "DagsterEvent.is_successful_output",
    "DagsterEvent.is_handled_output", "DagsterEvent.is_loaded_input", "DagsterEvent.is_step_materialization",
    "DagsterEvent.is_engine_event", "DagsterEvent.is_asset_materialization_planned", "DagsterEvent.asset_key",
    "DagsterEvent.is_hook_event", "DagsterEvent.is_step_skipped", "DagsterEvent.is_step_restarted",
    "DagsterEvent.is_step_up_for_retry", "DagsterEvent.is_asset_observation", "DagsterEvent.message",
    "DagsterEvent.event_specific_data", "DagsterEvent.is_expectation_result", "DagsterEvent.is_resource_init_failure",
)  # fmt: skip
def test_events_say_what_they_are(run: Any) -> None:
    result = run([good, bad, after])
    assert not result.success
    assert result.get_failed_step_keys() == {"bad"}
    events = result.all_events

    def of(word: str) -> list[str | None]:
        return [event.step_key for event in events if getattr(event, word)]

    assert of("is_step_start") == ["good", "bad"]
    assert of("is_step_success") == of("is_successful_output") == of("is_handled_output") == ["good"]
    assert of("is_step_materialization") == ["good"]
    assert of("is_step_failure") == of("is_loaded_input") == ["bad"]
    assert of("is_failure") == ["bad", None]
    assert None in of("is_engine_event")
    for word in (
        "is_hook_event", "is_step_skipped", "is_step_restarted", "is_step_up_for_retry", "is_asset_observation",
        "is_expectation_result", "is_resource_init_failure",
    ):  # fmt: skip
        assert of(word) == [], word
    planned = [event.asset_key.to_user_string() for event in events if event.is_asset_materialization_planned]
    assert planned in ([], ["good", "bad", "after"])  # planned before the run; not every result shows them
    [failed] = [event for event in events if event.is_step_failure]
    assert failed.event_type is dg.DagsterEventType.STEP_FAILURE
    assert failed.event_type_value == "STEP_FAILURE"
    assert failed.is_step_event
    assert failed.message == 'Execution of step "bad" failed.'
    assert "boom" in failed.event_specific_data.error.to_string()
    assert "boom" in failed.step_failure_data.error.to_string()


def test_what_a_result_tells_of_a_node(run: Any) -> None:
    result = run([good, bad, after])
    assert result.is_node_success("good")
    assert result.is_node_failed("bad")
    assert result.is_node_untouched("after")
    assert [event.step_key for event in result.get_step_failure_events()] == ["bad"]
    assert result.get_run_failure_event().event_type is dg.DagsterEventType.RUN_FAILURE
    assert len(result.asset_materializations_for_node("good")) == 1
    assert {event.step_key for event in result.events_for_node("good")} == {"good"}
    assert result.filter_events(lambda event: event.is_step_failure) == result.get_step_failure_events()


@pytest.mark.api(
    "EventLogEntry.run_id", "EventLogEntry.step_key", "EventLogEntry.timestamp", "EventLogEntry.level",
    "EventLogEntry.dagster_event", "EventLogEntry.dagster_event_type", "EventLogEntry.is_dagster_event",
    "EventLogEntry.get_dagster_event", "EventLogEntry.user_message", "EventLogEntry.message",
    "EventLogEntry.error_info", "EventLogEntry.job_name",
)  # fmt: skip
def test_lines_of_the_event_log(instance: Any, run: Any) -> None:
    @dg.asset
    def talks(context: dg.AssetExecutionContext):
        context.log.warning("careful")
        return 1

    result = run([talks], instance=instance)
    entries = instance.all_logs(result.run_id)
    assert {entry.run_id for entry in entries} == {result.run_id}
    assert [entry.timestamp for entry in entries] == sorted(entry.timestamp for entry in entries)
    [line] = [entry for entry in entries if not entry.is_dagster_event]
    assert (line.dagster_event, line.dagster_event_type, line.level, line.step_key) == (None, None, 30, "talks")
    assert line.user_message == "careful"
    assert "careful" in line.message
    assert line.error_info is None
    [start] = [entry for entry in entries if entry.dagster_event_type is dg.DagsterEventType.RUN_START]
    assert start.get_dagster_event().event_type is dg.DagsterEventType.RUN_START
    assert start.job_name == result.dagster_run.job_name
    assert start.level == 10
    with pytest.raises(Exception, match=r"(?i)dagster_event|no event"):
        line.get_dagster_event()
