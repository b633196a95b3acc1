"""Attributes under the names that users of Dagster know, and arguments of older versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import dagster as dg


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[Any, Any]]:
    """An instance, and the result of a run in which most kinds of events happen."""

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def a(context: dg.AssetExecutionContext):
        if context.op_execution_context.retry_number == 0:
            raise ValueError("once")
        context.log_event(dg.AssetObservation("seen"))
        context.log.info("hello")
        return 1

    @dg.asset
    def b(a):
        raise dg.Failure("no", metadata={"n": 1})

    @dg.asset_check(asset=a)
    def c():
        return dg.AssetCheckResult(passed=True)

    with dg.DagsterInstance.ephemeral() as instance:
        manager = dg.InMemoryIOManager()
        yield (
            instance,
            dg.materialize([a, b, c], instance=instance, raise_on_error=False, resources={"io_manager": manager}),
        )


def event(told: Any, kind: dg.DagsterEventType) -> Any:
    instance, result = told
    return next(entry.dagster_event for entry in instance.all_logs(result.run_id) if entry.dagster_event_type is kind)


@pytest.mark.parametrize(
    ("kind", "data", "attribute", "expected"),
    [
        ("ASSET_MATERIALIZATION", "step_materialization_data", "materialization.asset_key", dg.AssetKey("a")),
        ("ASSET_OBSERVATION", "asset_observation_data", "asset_observation.asset_key", dg.AssetKey("seen")),
        ("ASSET_MATERIALIZATION_PLANNED", "asset_materialization_planned_data", "asset_key", dg.AssetKey("a")),
        ("ASSET_CHECK_EVALUATION", "asset_check_evaluation_data", "passed", True),
        ("STEP_FAILURE", "step_failure_data", "user_failure_data.description", "no"),
        ("STEP_UP_FOR_RETRY", "step_retry_data", "seconds_to_wait", None),
        ("STEP_OUTPUT", "step_output_data", "output_name", "result"),
        ("STEP_INPUT", "step_input_data", "input_name", "a"),
        ("LOADED_INPUT", "loaded_input_data", "upstream_step_key", "a"),
        ("HANDLED_OUTPUT", "handled_output_data", "manager_key", "io_manager"),
        ("STEP_SUCCESS", "step_success_data", "step_key", "a"),
        ("RUN_FAILURE", "job_failure_data", "job_name", "__ephemeral_asset_job__"),
        ("ENGINE_EVENT", "engine_event_data", "error", None),
    ],
)
def test_an_event_stands_in_for_its_data(told: Any, kind: str, data: str, attribute: str, expected: Any) -> None:
    found = getattr(event(told, dg.DagsterEventType[kind]), data)
    for word in attribute.split("."):
        found = getattr(found, word)
    assert found == expected


def test_data_of_another_kind_is_an_error(told: Any) -> None:
    start = event(told, dg.DagsterEventType.RUN_START)
    with pytest.raises(AttributeError, match=r"RUN_START.*STEP_FAILURE"):
        _ = start.step_failure_data
    assert start.event_specific_data is start
    assert start.is_job_event
    assert not event(told, dg.DagsterEventType.STEP_START).is_job_event


def test_names_of_nodes_and_runs(told: Any) -> None:
    instance, result = told
    assert event(told, dg.DagsterEventType.STEP_START).node_name == "a"
    assert event(told, dg.DagsterEventType.RUN_START).node_name is None
    assert result.dagster_run == result.run
    [record] = instance.get_run_records()
    assert record.dagster_run.run_id == result.run_id


def test_lines_of_user_code_have_no_event(told: Any) -> None:
    instance, result = told
    [line] = [entry for entry in instance.all_logs(result.run_id) if entry.user_message == "hello"]
    assert (line.is_dagster_event, line.dagster_event, line.dagster_event_type) == (False, None, None)
    with pytest.raises(AttributeError, match="logged by user code"):
        line.get_dagster_event()


def test_waits_of_retry_policies() -> None:
    policy = dg.RetryPolicy(delay=2, backoff=dg.Backoff.EXPONENTIAL)
    assert [policy.calculate_delay(number) for number in (1, 2, 3)] == [2, 6, 14]  # pyright: ignore


def test_selections_of_definitions() -> None:
    @dg.asset
    def a():
        return 1

    assert dg.AssetSelection.all().resolve([a]) == {a.key}
    assert dg.AssetSelection.all().resolve_checks([a]) == set()


def test_contexts() -> None:
    told = {}

    @dg.multi_asset(outs={"a": dg.AssetOut(is_required=False), "b": dg.AssetOut(is_required=False)}, can_subset=True)
    def make(context: dg.AssetExecutionContext):
        told.update(op=context.op.name, subset=context.is_subset, run=context.dagster_run.run_id, at=context.op_handle)
        yield dg.Output(1, "a")

    result = dg.materialize_to_memory([make], selection="a")
    assert told == {"op": "make", "subset": True, "run": result.run_id, "at": "make"}


# --- arguments of older versions -----------------------------------------------------------------------------------


@pytest.mark.api("asset.compute_kind", "asset.non_argument_deps")
def test_old_arguments_of_asset() -> None:
    with pytest.warns(DeprecationWarning, match="compute_kind.*use kinds"):

        @dg.asset(compute_kind="sql", kinds={"duckdb"})
        def a():
            return 1

    assert a.get_asset_spec().kinds == {"sql", "duckdb"}
    with pytest.warns(DeprecationWarning, match="non_argument_deps.*use deps"):

        @dg.asset(non_argument_deps={"x"}, deps=["y"])
        def b():
            return 1

    assert b.dependency_keys == {dg.AssetKey("x"), dg.AssetKey("y")}


@pytest.mark.api("multi_asset.compute_kind", "multi_asset.non_argument_deps", "multi_asset.allow_arbitrary_check_specs")
def test_old_arguments_of_multi_asset() -> None:
    with pytest.warns(DeprecationWarning, match="multi_asset") as warned:

        @dg.multi_asset(
            outs={"a": dg.AssetOut()}, compute_kind="sql", non_argument_deps={"x"}, allow_arbitrary_check_specs=True
        )
        def make():
            return 1

    assert len(warned) == 3
    assert make.op.tags["dagster/compute_kind"] == "sql"
    assert make.dependency_keys == {dg.AssetKey("x")}


@pytest.mark.api("op.version")
def test_old_arguments_of_op() -> None:
    with pytest.warns(DeprecationWarning, match=r"version.*use code_version"):

        @dg.op(version="3")
        def compute():
            return 1

    assert compute.code_version == "3"


def test_without_old_arguments_nothing_warns() -> None:
    @dg.asset
    def a():
        return 1

    @dg.op
    def compute():
        return 1

    assert (a.key, compute.name) == (dg.AssetKey("a"), "compute")
    assert dg.asset.__name__ == "asset"
