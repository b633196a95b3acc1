"""What code written for Dagster relies on in ops, schedules and events, found by running programs with both."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import dagster as dg

TWO = {"a": dg.Out(int), "b": dg.Out(str)}


def _yielding(items: list[Any]) -> Callable[[], Any]:
    def fn():
        yield from items

    return fn


@pytest.mark.parametrize(
    "items",
    [
        [],
        [dg.Output(1, "a")],
        [dg.Output(1, "a"), dg.Output(1, "a"), dg.Output("s", "b")],
        [dg.Output(1, "c")],
        [dg.DynamicOutput(1, "key", output_name="a"), dg.Output("s", "b")],
        [1],
    ],
)
def test_what_an_op_yields_when_it_is_called_is_checked(items: list[Any]):
    with pytest.raises(dg.DagsterInvariantViolationError):
        list(dg.op(name="two", out=TWO)(_yielding(items))())


def test_what_is_yielded_and_fits_comes_back_as_it_is():
    items = [dg.AssetMaterialization("seen"), dg.Output("s", "b"), dg.Output(1, "a")]
    assert list(dg.op(name="two", out=TWO)(_yielding(items))()) == items
    with pytest.raises(dg.DagsterTypeCheckDidNotPass):
        list(dg.op(name="two", out=TWO)(_yielding([dg.Output("x", "a"), dg.Output("s", "b")]))())
    keys = [dg.DynamicOutput(1, "k"), dg.DynamicOutput(2, "l")]
    assert list(dg.op(name="many", out=dg.DynamicOut())(_yielding(keys))()) == keys


@pytest.mark.parametrize(
    "returned",
    [None, [1, "s"], (1,), (1, "s", 2), {"a": 1, "b": "s"}, 5, (dg.Output("s", "b"), dg.Output(1, "a"))],
    ids=repr,
)
def test_an_op_with_several_outputs_returns_them_in_order(returned: Any):
    @dg.op(out=TWO)
    def two():
        return returned

    @dg.job
    def both():
        two()

    with pytest.raises(dg.DagsterInvariantViolationError):
        two()
    with pytest.raises((dg.DagsterInvariantViolationError, dg.DagsterStepOutputNotFoundError)):
        both.execute_in_process()


def test_what_a_coroutine_gives_is_checked_too():
    @dg.op(out=TWO)
    async def wrong():
        return 1

    @dg.op(out=TWO)
    async def right():
        return 1, "s"

    @dg.op
    async def stray():
        yield dg.Output(1, "other")

    async def first() -> Any:
        return await anext(stray())

    assert asyncio.run(right()) == (1, "s")
    for call in (wrong, first):
        with pytest.raises(dg.DagsterInvariantViolationError):
            asyncio.run(call())


def test_a_resource_that_a_call_lacks_is_a_mistake_of_the_definition():
    @dg.op(required_resource_keys={"db"})
    def load(context):
        context.add_output_metadata({"n": 1}, output_name="other")

    with pytest.raises(dg.DagsterInvalidDefinitionError, match="db"):
        load(dg.build_op_context())
    with pytest.raises(dg.DagsterInvariantViolationError, match="other"):
        load(dg.build_op_context(resources={"db": 1}))


@pytest.mark.parametrize("fact", [dg.AssetMaterialization, dg.AssetObservation])
def test_the_text_of_an_asset_key_in_an_event_is_its_words(fact: Any):
    assert [fact(text).asset_key.path for text in ("a/b", "/a/b", "a-b", "a_b", "é")] == [
        ["a", "b"], ["a", "b"], ["a", "b"], ["a_b"], ["é"],
    ]  # fmt: skip
    assert dg.AssetMaterialization.file("/tables/x").asset_key.path == ["tables", "x"]
    assert dg.AssetKey("a/b").path == ["a/b"]


def test_what_a_schedule_raises_is_an_error_of_user_code():
    def failing(context: Any) -> Any:
        raise ValueError("no")

    def late(context: Any) -> Any:
        yield dg.RunRequest("one")
        raise ValueError("late")

    cases: tuple[Any, ...] = (
        {"execution_fn": failing},
        {"should_execute": failing},
        {"run_config_fn": failing},
        {"execution_fn": late},
    )
    for given in cases:
        daily = dg.ScheduleDefinition("daily", cron_schedule="@daily", job_name="work", **given)
        with pytest.raises(dg.DagsterUserCodeExecutionError) as raised:
            daily.evaluate_tick(dg.build_schedule_context())
        assert isinstance(raised.value.user_exception, ValueError)


def test_a_list_of_dynamic_outputs_is_a_dynamic_output():
    @dg.op
    def parts() -> list[dg.DynamicOutput[int]]:
        return [dg.DynamicOutput(number, mapping_key=f"k{number}") for number in range(2)]

    @dg.op
    def double(x: int) -> int:
        return x * 2

    @dg.job
    def doubling():
        parts().map(double)

    assert doubling.execute_in_process().output_for_node("double") == {"k0": 0, "k1": 2}


def test_a_sensor_over_several_assets_is_evaluated_with_the_context_of_any_sensor():
    @dg.asset
    def one():
        return 1

    @dg.job
    def work():
        pass

    def watched(context: Any) -> Any:
        if context.latest_materialization_records_by_key()[one.key] is None:
            return dg.SkipReason("nothing yet")
        context.advance_all_cursors()
        return dg.RunRequest("made")

    with pytest.warns(dg.SupersessionWarning):
        watch = dg.multi_asset_sensor(monitored_assets=[one.key], job=work)(watched)

    instance = dg.DagsterInstance.ephemeral()
    defs = dg.Definitions(assets=[one], jobs=[work], sensors=[watch])

    def tick(cursor: str | None) -> Any:
        return watch.evaluate_tick(dg.build_sensor_context(instance, cursor, definitions=defs))

    assert tick(None).skip_message == "nothing yet"
    dg.materialize([one], instance=instance)
    made = tick(None)
    assert [request.run_key for request in made.run_requests] == ["made"]
    assert tick(made.cursor).skip_message == "nothing yet"


def test_two_sensors_do_not_evaluate_the_condition_of_one_asset():
    @dg.asset
    def one(): ...

    @dg.asset
    def two(): ...

    def validate(*targets: Any) -> None:
        sensors = [dg.AutomationConditionSensorDefinition(f"s{n}", target=target) for n, target in enumerate(targets)]
        dg.Definitions.validate_loadable(dg.Definitions(assets=[one, two], sensors=sensors))

    validate([one], [two])
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="overlap"):
        validate([one], "*")
    with pytest.raises(dg.DagsterInvalidSubsetError):
        validate(["nope"])


@pytest.mark.parametrize("stop", [SystemExit, GeneratorExit])
def test_a_step_that_ends_the_program_fails_and_the_result_says_so(stop: type[BaseException]):
    @dg.op
    def leave() -> int:
        raise stop(3)

    @dg.op
    def after(x: int): ...

    @dg.op
    def other(): ...

    @dg.job
    def leaving():
        after(leave())
        other()

    result = leaving.execute_in_process(raise_on_error=False)
    ends = {event.step_key: event.event_type_value for event in result.all_events if event.is_step_event}
    assert ends == {"leave": "STEP_FAILURE", "other": "STEP_SUCCESS"}
    assert result.failure_data_for_node("leave").error.cls_name == stop.__name__
    assert result.dagster_run.tags["dagster/failure_reason"] == "STEP_FAILURE"
    with pytest.raises(stop, match="3"):
        leaving.execute_in_process()
