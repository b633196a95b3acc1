"""A run from start to end: its events, what becomes of it, and what it leaves behind."""

import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import treadle as dg
from treadle.host.execution import run_job
from treadle.state import events
from treadle.state.error_info import error_info


@pytest.fixture
def instance():
    with dg.Instance.ephemeral() as instance:
        yield instance


def kinds(entries, own=("ENGINE_EVENT",)):
    return [entry.event.event_type.name for entry in entries if entry.event.event_type.name not in own]


def job_of(*calls):
    @dg.job(name="several")
    def several():
        for call in calls:
            call()

    return several


@dg.op
def one():
    return 1


@dg.op
def bad():
    raise ValueError("no")


# --- the order of events ---------------------------------------------------------------------------------------------


def test_events_of_a_run_in_order(instance):
    @dg.asset
    def a():
        return 1

    result = dg.materialize([a], instance=instance)
    stored = list(instance.all_logs(result.run_id))
    assert [entry.event for entry in stored] == [entry.event for entry in result.entries]
    assert kinds(stored, own=()) == [
        "ASSET_MATERIALIZATION_PLANNED", "RUN_START", "ENGINE_EVENT", "RESOURCE_INIT_STARTED", "RESOURCE_INIT_SUCCESS",
        "LOGS_CAPTURED", "STEP_START", "STEP_OUTPUT", "ASSET_MATERIALIZATION", "HANDLED_OUTPUT", "STEP_SUCCESS",
        "ENGINE_EVENT", "RUN_SUCCESS",
    ]  # fmt: skip


def test_checks_and_assets_are_planned_before_the_run_starts(instance):
    @dg.asset
    def a():
        return 1

    @dg.asset_check(asset=a)
    def right(a):
        return dg.AssetCheckResult(passed=True)

    result = dg.materialize([a, right], instance=instance)
    assert kinds(result.entries)[:3] == ["ASSET_MATERIALIZATION_PLANNED", "ASSET_CHECK_EVALUATION_PLANNED", "RUN_START"]


def test_a_listener_hears_everything_as_it_happens(instance):
    heard = []
    result = run_job(job_of(one), instance=instance, listener=heard.append, capture=False)
    assert heard == list(result.entries)


def test_what_came_before_a_step_is_stored_before_its_code_runs(instance):
    seen = []

    @dg.op
    def look(context):
        seen.append(kinds(context.instance.all_logs(context.run_id))[-1])
        context.log.info("line")

    job_of(look).execute_in_process(instance=instance)
    assert seen == ["STEP_START"]


def test_no_resources_no_events_about_them(instance):
    @dg.op
    def nothing() -> None:
        return None

    assert kinds(job_of(nothing).execute_in_process().entries) == [
        "RUN_START", "LOGS_CAPTURED", "STEP_START", "STEP_OUTPUT", "STEP_SUCCESS", "RUN_SUCCESS",
    ]  # fmt: skip


# --- how runs end ----------------------------------------------------------------------------------------------------


def last_run(instance):
    return instance.get_runs(limit=1)[0]


def test_a_failed_run_names_its_steps_and_its_reason(instance):
    result = job_of(one, bad, bad.alias("worse")).execute_in_process(instance=instance, raise_on_error=False)
    failure = result.get_run_failure_event()
    assert failure.failure_reason == "STEP_FAILURE"
    assert failure.message == "Execution of run for \"several\" failed. Steps failed: ['bad', 'worse']."


@pytest.mark.parametrize("raise_on_error", [True, False])
def test_an_interrupt_cancels_the_run_and_goes_on(instance, raise_on_error):
    @dg.op
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job_of(interrupted, one).execute_in_process(instance=instance, raise_on_error=raise_on_error)
    run = last_run(instance)
    assert run.status is dg.RunStatus.CANCELED
    assert kinds(instance.all_logs(run.run_id))[-4:] == ["STEP_START", "STEP_FAILURE", "RUN_CANCELING", "RUN_CANCELED"]
    (failure,) = instance.all_logs(run.run_id, of_type=dg.EventType.STEP_FAILURE)
    assert failure.event.error_source is dg.ErrorSource.INTERRUPT


def test_an_interrupt_is_not_retried(instance):
    @dg.op(retry_policy=dg.RetryPolicy(max_retries=3))
    def interrupted():
        raise dg.ExecutionInterruptedError

    with pytest.raises(dg.ExecutionInterruptedError):
        job_of(interrupted).execute_in_process(instance=instance)
    assert "STEP_UP_FOR_RETRY" not in kinds(instance.all_logs(last_run(instance).run_id))


def test_an_interrupt_while_a_resource_comes_up(instance):
    @dg.resource
    def slow():
        raise KeyboardInterrupt

    @dg.op(required_resource_keys={"slow"})
    def use():
        return 1

    with pytest.raises(KeyboardInterrupt):
        job_of(use).execute_in_process(instance=instance, resources={"slow": slow})
    assert last_run(instance).status is dg.RunStatus.CANCELED


def test_an_exit_fails_the_run(instance):
    @dg.op
    def leave():
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        job_of(leave).execute_in_process(instance=instance)
    run = last_run(instance)
    assert run.status is dg.RunStatus.FAILURE
    assert kinds(instance.all_logs(run.run_id))[-3:] == ["STEP_START", "STEP_FAILURE", "RUN_FAILURE"]


def test_a_resource_that_fails_to_come_up_fails_the_run(instance):
    @dg.resource
    def broken():
        raise ValueError("no")

    @dg.op(required_resource_keys={"broken"})
    def use():
        return 1

    result = job_of(use).execute_in_process(instance=instance, resources={"broken": broken}, raise_on_error=False)
    assert kinds(result.entries) == ["RUN_START", "RESOURCE_INIT_STARTED", "RESOURCE_INIT_FAILURE", "RUN_FAILURE"]
    assert result.get_run_failure_event().failure_reason == "RUN_EXCEPTION"


def test_a_fault_of_a_tear_down_is_told_and_changes_nothing(instance):
    @dg.resource
    def leaky():
        yield 1
        raise ValueError("leak")

    @dg.op(required_resource_keys={"leaky"})
    def use():
        return 1

    result = job_of(use).execute_in_process(instance=instance, resources={"leaky": leaky})
    told = [e for e in result.all_events if isinstance(e, events.EngineEvent) and e.error is not None]
    assert result.success
    assert len(told) == 1
    assert "leaky" in told[0].message


# --- errors as data --------------------------------------------------------------------------------------------------


def frames(info):
    return "".join(info.stack)


def failure_of(result, step):
    failure = result.failure_data_for_node(step)
    assert failure is not None
    return failure.error


def test_tracebacks_hold_the_users_frames_only(instance):
    def deeper():
        raise ValueError("deep")

    @dg.op
    def failing():
        deeper()

    error = failure_of(job_of(failing).execute_in_process(raise_on_error=False), "failing")
    assert error.cls_name == "StepExecutionError"
    user = error.cause
    assert user.message.strip() == "ValueError: deep"
    assert "in failing" in frames(user)
    assert "in deeper" in frames(user)
    assert "/treadle/runtime/" not in error.to_string()
    assert "/treadle/host/" not in error.to_string()


def test_causes_and_contexts_are_kept():
    def raised():
        try:
            try:
                raise KeyError("first")
            except KeyError as error:
                raise ValueError("second") from error
        except ValueError:
            raise TypeError("third")  # noqa: B904  # the context is what is tested

    try:
        raised()
    except TypeError as error:
        info = error_info(error)
        shown = "".join(traceback.format_exception_only(error)).strip()
    assert (info.message.strip(), info.cls_name) == (shown, "TypeError")
    assert info.context is not None
    assert info.context.cls_name == "ValueError"
    assert info.context.cause is not None
    assert info.context.cause.cls_name == "KeyError"
    assert info.to_string().index("third") < info.to_string().index("second") < info.to_string().index("first")


# --- random graphs ---------------------------------------------------------------------------------------------------


@st.composite
def cases(draw):
    """Random assets: what each depends on, and how its attempts go: failures before success, and retries allowed."""
    size = draw(st.integers(1, 7))
    upstream, failures, retries = [], [], []
    for index in range(size):
        above = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set()
        upstream.append(sorted(above))
        failures.append(draw(st.sampled_from([0, 0, 0, 1, 2])))
        retries.append(draw(st.sampled_from([0, 0, 1, 2])))
    return upstream, failures, retries


def naive(upstream, failures, retries):
    """For each asset how many attempts it gets, and whether it succeeds; None if it does not run."""
    became = []
    for above, fails, allowed in zip(upstream, failures, retries, strict=True):
        if any(became[one] is None or not became[one][1] for one in above):
            became.append(None)
        else:
            became.append((min(fails, allowed) + 1, fails <= allowed))
    return became


def assets_of(upstream, failures, retries, attempts):
    def make(index):
        @dg.asset(
            name=f"a{index}",
            ins={f"a{one}": dg.AssetIn() for one in upstream[index]},
            retry_policy=dg.RetryPolicy(max_retries=retries[index]) if retries[index] else None,
        )
        def body(**inputs):
            attempts[index] += 1
            if attempts[index] <= failures[index]:
                raise ValueError(index)
            return 1 + sum(inputs.values())

        return body

    return [make(index) for index in range(len(upstream))]


def expected_values(upstream, became):
    values = {}
    for index, above in enumerate(upstream):
        if became[index] is not None and became[index][1]:
            values[index] = 1 + sum(values[one] for one in above)
    return values


@given(cases())
@settings(max_examples=25)
def test_random_graphs_run_as_the_rules_say(case):
    upstream, failures, retries = case
    attempts = [0] * len(upstream)
    made = assets_of(upstream, failures, retries, attempts)
    became = naive(upstream, failures, retries)
    with dg.Instance.ephemeral() as instance:
        result = dg.materialize_to_memory(made, instance=instance, raise_on_error=False)
        status = instance.get_run_by_id(result.run_id).status
        materialized = {key.to_user_string() for key in instance.get_asset_keys()
                        if instance.get_latest_materialization_event(key)}  # fmt: skip
    assert attempts == [state[0] if state else 0 for state in became]
    assert result.success is all(state is not None and state[1] for state in became)
    assert (status is dg.RunStatus.SUCCESS) is result.success
    values = expected_values(upstream, became)
    assert materialized == {f"a{index}" for index in values}
    for index, state in enumerate(became):
        step = f"a{index}"
        if state is None:
            assert {e.event_type.name for e in result.events_for_node(step)} <= {"ASSET_MATERIALIZATION_PLANNED"}
            continue
        tries, good = state
        seen = [e.event_type.name for e in result.events_for_node(step)]
        assert seen.count("STEP_START") == 1
        assert seen.count("STEP_RESTARTED") == seen.count("STEP_UP_FOR_RETRY") == tries - 1
        assert seen[-1] == ("STEP_SUCCESS" if good else "STEP_FAILURE")
        if good:
            assert result.asset_value(step) == values[index]
