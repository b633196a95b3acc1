"""One attempt of a step: what its function gets, what is made of what it gives, and how it ends."""

import logging

import pytest

import treadle as dg
from treadle.state import events


def executed(*calls, **options):
    @dg.job(name="steps")
    def steps():
        for call in calls:
            call()

    return steps.execute_in_process(raise_on_error=False, **options)


def of(result, kind):
    return [event for event in result.all_events if isinstance(event, kind)]


def failure(result):
    (event,) = of(result, events.StepFailed)
    return event


# --- what it gets ----------------------------------------------------------------------------------------------------


def test_config_resources_inputs_and_context_in_any_order():
    class Options(dg.Config):
        n: int = 2

    class Scale(dg.ConfigurableResource):
        by: int

    @dg.op
    def one():
        return 1

    @dg.op
    def mix(context, scale: Scale, x: int, config: Options, y: int = 5):
        return (context.op_def.name, scale.by, x, config.n, y)

    @dg.job(resource_defs={"scale": Scale(by=10)})
    def mixing():
        mix(x=one())

    assert mixing.execute_in_process().output_for_node("mix") == ("mix", 10, 1, 2, 5)


def test_a_context_without_annotation_is_found_by_its_name():
    @dg.op
    def plain(context):
        return type(context)

    @dg.op
    def underscored(_context):
        return type(_context)

    @dg.asset
    def asset(context):
        return type(context)

    @dg.asset
    def as_op(context: dg.OpExecutionContext):
        return type(context)

    result = executed(plain, underscored)
    assert result.output_for_node("plain") is dg.OpExecutionContext
    assert result.output_for_node("underscored") is dg.OpExecutionContext
    made = dg.materialize_to_memory([asset, as_op])
    assert made.asset_value("asset") is dg.AssetExecutionContext
    assert issubclass(made.asset_value("as_op"), dg.OpExecutionContext)


def test_variable_keyword_arguments_take_declared_inputs():
    @dg.op
    def one():
        return 1

    @dg.op(ins={"a": dg.In(int), "b": dg.In(int)})
    def total(**numbers):
        return sum(numbers.values())

    @dg.job
    def adding():
        total(a=one(), b=one.alias("other")())

    assert adding.execute_in_process().output_for_node("total") == 2


def test_resources_that_were_not_asked_for_are_not_there():
    @dg.op(required_resource_keys={"mine"})
    def look(context):
        return context.resources.other

    result = executed(look, resources={"mine": 1, "other": 2})
    assert "other" in failure(result).error.to_string()


# --- what it gives ---------------------------------------------------------------------------------------------------


def test_facts_of_an_output_are_in_its_event():
    @dg.op(out=dg.Out(int))
    def rows(context):
        context.add_output_metadata({"b": 2})
        return dg.Output(1, metadata={"a": 1})

    (output,) = of(executed(rows), events.StepOutput)
    assert (output.output_name, output.type_name) == ("result", "int")
    assert {key: value.value for key, value in output.metadata.items()} == {"a": 1, "b": 2}


def test_metadata_that_cannot_be_kept_fails_the_step():
    @dg.op
    def rows(context):
        context.add_output_metadata({"a": object()})

    assert "a" in failure(executed(rows)).error.to_string()


def test_metadata_that_comes_too_late_fails_the_step():
    @dg.op
    def rows(context):
        yield dg.Output(1)
        context.add_output_metadata({"a": 1})

    assert "after it was produced" in failure(executed(rows)).error.to_string()


@pytest.mark.parametrize("value", [None, 0, "", [], float("nan")])
def test_any_value_passes_through(value):
    @dg.op
    def give():
        return value

    @dg.op
    def take(x):
        return [x]

    @dg.job
    def passing():
        take(give())

    (got,) = passing.execute_in_process().output_for_node("take")
    assert got is value or got == value or got != got


def test_an_asset_that_returns_nothing_has_no_io_manager_call():
    @dg.asset
    def a() -> None:
        return None

    result = dg.materialize_to_memory([a])
    assert not of(result, events.HandledOutput)
    assert len(of(result, events.AssetMaterialized)) == 1


def test_a_value_where_none_was_promised_fails():
    @dg.asset
    def a() -> None:
        return 1  # type: ignore[return-value]

    assert not dg.materialize_to_memory([a], raise_on_error=False).success


def test_assets_that_need_not_be_made():
    @dg.asset(output_required=False)
    def maybe():
        if False:
            yield dg.Output(1)

    @dg.asset
    def below(maybe):
        return maybe

    result = dg.materialize_to_memory([maybe, below])
    assert result.success
    assert result.is_node_skipped("below")
    assert not of(result, events.AssetMaterialized)


def test_a_generator_may_return_its_last_result():
    @dg.multi_asset(specs=[dg.AssetSpec("a"), dg.AssetSpec("b")])
    def both():
        yield dg.MaterializeResult(asset_key="a", metadata={"n": 1})
        return dg.MaterializeResult(asset_key="b", metadata={"n": 2})

    made = of(dg.materialize_to_memory([both]), events.AssetMaterialized)
    assert {m.materialization.asset_key.to_user_string(): m.materialization.metadata["n"].value for m in made} == {
        "a": 1, "b": 2,
    }  # fmt: skip


def test_results_for_other_assets_are_refused():
    @dg.asset
    def a():
        return dg.MaterializeResult(asset_key="b")

    assert "'b'" in failure(dg.materialize_to_memory([a], raise_on_error=False)).error.to_string()


def test_a_check_result_for_no_check_is_refused():
    @dg.asset
    def a():
        yield dg.Output(1)
        yield dg.AssetCheckResult(passed=True, check_name="nope")

    result = dg.materialize_to_memory([a], raise_on_error=False)
    assert not result.success
    assert len(of(result, events.AssetMaterialized)) == 1


def test_a_check_inside_that_is_not_reported_fails_after_the_asset_was_made():
    @dg.asset(check_specs=[dg.AssetCheckSpec("ok", asset="a")])
    def a():
        yield dg.Output(1)

    result = dg.materialize_to_memory([a], raise_on_error=False)
    assert [event.event_type.name for event in result.events_for_node("a")][-3:] == [
        "ASSET_MATERIALIZATION", "HANDLED_OUTPUT", "STEP_FAILURE",
    ]  # fmt: skip


# --- how it ends -----------------------------------------------------------------------------------------------------


def test_sources_of_errors():
    @dg.op
    def user():
        raise ValueError("mine")

    @dg.op
    def kind() -> int:
        return "x"  # type: ignore[return-value]

    @dg.op
    def told():
        raise dg.Failure("told")

    result = executed(user, kind, told)
    sources = {event.step_key: event.error_source for event in of(result, events.StepFailed)}
    assert sources["user"] is sources["told"] is dg.ErrorSource.USER_CODE_ERROR
    assert sources["kind"] is dg.ErrorSource.FRAMEWORK_ERROR


def test_the_wait_and_the_reason_are_in_the_retry_event():
    @dg.op(retry_policy=dg.RetryPolicy(max_retries=1, delay=0.001))
    def shaky(context):
        if context.retry_number == 0:
            raise ValueError("first")

    (retry,) = of(executed(shaky), events.StepUpForRetry)
    assert retry.seconds_to_wait == 0.001
    assert "first" in retry.error.to_string()


def test_retry_requested_from_an_error_shows_the_error():
    @dg.op
    def shaky():
        try:
            raise ValueError("cause")
        except ValueError as error:
            raise dg.RetryRequested(max_retries=1) from error

    result = executed(shaky)
    (retry,) = of(result, events.StepUpForRetry)
    assert "cause" in retry.error.to_string()
    assert "cause" in failure(result).error.to_string()


def test_a_failed_check_is_not_tried_again():
    tries = []

    @dg.asset
    def a():
        return 1

    @dg.asset_check(asset=a, blocking=True, retry_policy=dg.RetryPolicy(max_retries=3))
    def right():
        tries.append(1)
        return dg.AssetCheckResult(passed=False)

    result = dg.materialize_to_memory([a, right], raise_on_error=False)
    assert not result.success
    assert len(tries) == 1


def test_a_later_attempt_starts_afresh():
    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def a(context):
        context.add_output_metadata({f"attempt {context.retry_number}": 1})
        yield dg.Output(context.retry_number)
        if context.retry_number == 0:
            raise ValueError("after the output")

    result = dg.materialize_to_memory([a])
    made = of(result, events.AssetMaterialized)
    assert [list(one.materialization.metadata) for one in made] == [["attempt 0"], ["attempt 1"]]
    assert result.asset_value("a") == 1


def test_a_broken_property_of_an_exception_does_not_break_the_run():
    class Nasty(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    @dg.op
    def bad():
        raise Nasty

    result = executed(bad)
    assert not result.success
    assert failure(result).step_key == "bad"


# --- logs ------------------------------------------------------------------------------------------------------------


def test_log_lines_go_to_the_run_and_to_python_loggers(caplog):
    @dg.op
    def talk(context):
        context.log.info("number %d", 3, extra={"k": 1})
        context.log.log(35, "odd level")
        try:
            raise ValueError("shown")
        except ValueError:
            context.log.exception("caught")

    with caplog.at_level(logging.DEBUG, logger="treadle.user"):
        result = executed(talk)
    lines = [entry.event for entry in result.entries if isinstance(entry.event, events.LogMessage)]
    assert [(line.message, line.level) for line in lines] == [("number 3", 20), ("odd level", 35), ("caught", 40)]
    assert lines[2].error is not None
    assert "shown" in lines[2].error.to_string()
    assert "number 3" in caplog.messages


def test_log_lines_that_cannot_be_formatted_do_not_break_the_step(monkeypatch):
    monkeypatch.setattr(logging.getLogger("treadle.user"), "propagate", False)  # pytest itself refuses such lines

    @dg.op
    def talk(context):
        context.log.info("%d", "no number")
        return 1

    result = executed(talk)
    assert result.output_for_node("talk") == 1
    (line,) = [entry.event for entry in result.entries if isinstance(entry.event, events.LogMessage)]
    assert "no number" in line.message


def attempts_of(fn, **options):
    tries = []

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=2), **options)
    def body(context):
        tries.append(1)
        return fn(context)

    executed(body)
    return len(tries)


def test_mistakes_that_another_attempt_repeats_are_not_tried_again():
    assert attempts_of(lambda context: 1, out={"a": dg.Out(), "b": dg.Out()}) == 1
    assert attempts_of(lambda context: "x", out=dg.Out(int)) == 1
    assert attempts_of(lambda context: context.partition_key) == 1
    assert attempts_of(lambda context: context.add_output_metadata({"a": object()})) == 1
    assert attempts_of(lambda context: 1 / 0) == 3


@pytest.mark.parametrize("side", ["handle_output", "load_input"])
def test_errors_of_io_managers_are_tried_again(side):
    tries = []

    class Disk(dg.IOManager):
        def handle_output(self, context, obj):
            if side == "handle_output":
                self.fail()

        def load_input(self, context):
            self.fail()

        def fail(self):
            tries.append(1)
            raise OSError("disk")

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def a():
        return 1

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def b(a):
        return a

    result = dg.materialize([a, b], resources={"io_manager": Disk()}, raise_on_error=False)
    assert not result.success
    assert len(tries) == 2
