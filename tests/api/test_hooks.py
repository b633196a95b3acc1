"""Hooks: what they are called for, what they see, and what becomes of a run when one of them fails."""

import pytest

import dagster as dg

HOOK_EVENTS = ("HOOK_COMPLETED", "HOOK_ERRORED", "HOOK_SKIPPED")


def told(result, step_key):
    """What became of the hooks of a step, in order."""
    return [e.event_type_value for e in result.all_events if e.step_key == step_key and "HOOK" in e.event_type_value]


@dg.op
def good():
    return 1


@dg.op
def bad():
    raise KeyError("lost")


@pytest.mark.api("failure_hook.name", "job.hooks", "HookContext.step_key",
                 "HookContext.op_exception", "HookContext.op_output_values", "HookContext.job_name",
                 "HookContext.run_id")  # fmt: skip
def test_hooks_of_a_job_are_called_for_each_step_as_it_ended():
    seen = []

    @dg.success_hook
    def went_well(context: dg.HookContext):
        seen.append((context.step_key, context.op_output_values, context.op_exception, context.job_name))

    @dg.failure_hook(name="went_wrong")
    def other_name(context: dg.HookContext):
        seen.append((context.step_key, context.op_output_values, type(context.op_exception), context.run_id))

    @dg.job(hooks={went_well, other_name})
    def both():
        good()
        bad()

    result = both.execute_in_process(raise_on_error=False)
    assert sorted(seen, key=str) == sorted(
        [("good", {"result": 1}, None, "both"), ("bad", {}, KeyError, result.run_id)], key=str
    )
    assert sorted(told(result, "good")) == sorted(told(result, "bad")) == ["HOOK_COMPLETED", "HOOK_SKIPPED"]
    messages = {event.message for event in result.all_events if "HOOK" in event.event_type_value}
    assert any('"went_wrong"' in message for message in messages)


def test_hooks_are_skipped_at_each_attempt_that_is_followed_by_another():
    @dg.failure_hook
    def alarm(context):
        pass

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=2))
    def stubborn():
        raise ValueError

    @dg.job(hooks={alarm})
    def retried():
        stubborn()

    result = retried.execute_in_process(raise_on_error=False)
    steps = [e.event_type_value for e in result.events_for_node("stubborn")]
    assert [one for one in steps if one in (*HOOK_EVENTS, "STEP_UP_FOR_RETRY", "STEP_FAILURE")] == [
        "STEP_UP_FOR_RETRY", "HOOK_SKIPPED", "STEP_UP_FOR_RETRY", "HOOK_SKIPPED", "STEP_FAILURE", "HOOK_COMPLETED",
    ]  # fmt: skip


def test_an_error_in_a_hook_does_not_fail_the_run():
    @dg.success_hook
    def a_broken_one(context):
        raise ValueError("in the hook")

    @dg.success_hook
    def b_fine(context):
        pass

    @dg.job(hooks={a_broken_one, b_fine})
    def hooked():
        good()

    result = hooked.execute_in_process()
    assert result.success
    assert told(result, "good") == ["HOOK_ERRORED", "HOOK_COMPLETED"]


@pytest.mark.api("OpDefinition.with_hooks", "GraphDefinition.with_hooks", "JobDefinition.with_hooks",
                 "GraphDefinition.to_job.hooks")  # fmt: skip
def test_hooks_of_ops_graphs_and_jobs_add_up():
    names = []

    def hook(name):
        return dg.HookDefinition(
            name=name,
            hook_fn=lambda context, events: (
                names.append((name, context.step_key)) or dg.HookExecutionResult(name, is_skipped=False)
            ),
        )

    @dg.graph
    def inner():
        good.with_hooks({hook("of_op")})()

    @dg.graph
    def outer():
        inner.with_hooks({hook("of_graph")})()
        good.alias("alone")()

    outer.to_job("j", hooks={hook("of_job")}).with_hooks({hook("added")}).execute_in_process()
    assert sorted(names) == [
        ("added", "alone"), ("added", "inner.good"), ("of_graph", "inner.good"), ("of_job", "alone"),
        ("of_job", "inner.good"), ("of_op", "inner.good"),
    ]  # fmt: skip


@pytest.mark.api("asset.hooks", "define_asset_job.hooks")
def test_hooks_of_assets_and_asset_jobs():
    seen = []

    @dg.failure_hook
    def of_asset(context):
        seen.append(("asset", context.step_key))

    @dg.failure_hook
    def of_job(context):
        seen.append(("job", context.step_key))

    @dg.asset(hooks={of_asset})
    def lost():
        raise KeyError

    @dg.asset
    def kept():
        pass

    job = dg.define_asset_job("all_of_them", hooks={of_job})
    dg.Definitions([lost, kept], jobs=[job]).get_job_def("all_of_them").execute_in_process(raise_on_error=False)
    assert sorted(seen) == [("asset", "lost"), ("job", "lost")]


@pytest.mark.api("success_hook.required_resource_keys", "failure_hook.required_resource_keys",
                 "HookDefinition.required_resource_keys", "HookContext.resources", "HookContext.hook_def",
                 "HookContext.required_resource_keys")  # fmt: skip
def test_resources_of_hooks_are_set_up():
    sent = []

    @dg.success_hook(required_resource_keys={"mail"})
    def tell(context):
        sent.append((context.resources.mail, context.hook_def.name, context.required_resource_keys))
        assert not hasattr(context.resources, "other")

    @dg.failure_hook(required_resource_keys={"other"})
    def never(context):
        sent.append(context.resources.other)

    @dg.job(hooks={tell, never}, resource_defs={"mail": dg.ResourceDefinition.hardcoded_resource("to you")})
    def hooked():
        good()

    with pytest.raises(dg.DagsterInvalidDefinitionError, match=r"'other'.*hook 'never'|hook 'never'.*'other'"):
        hooked.execute_in_process()
    hooked.execute_in_process(resources={"other": 1})
    assert sent == [("to you", "tell", {"mail"})]
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=r"(?i)hook 'never'"):
        dg.Definitions.validate_loadable(dg.Definitions(jobs=[hooked]))


@pytest.mark.api("HookContext.op_config", "HookContext.op_output_metadata", "HookContext.log", "HookContext.instance")
def test_what_a_hook_sees_of_its_op(instance):
    seen = []

    @dg.success_hook
    def look(context):
        context.log.info("looked")
        seen.append((context.op_config, context.op_output_metadata, context.instance))

    @dg.op(config_schema={"rows": int}, out={"x": dg.Out(), "y": dg.Out()})
    def make(context):
        yield dg.Output(1, "x", metadata={"rows": context.op_config["rows"]})
        yield dg.Output(2, "y")

    @dg.job(hooks={look})
    def hooked():
        make()

    config = {"ops": {"make": {"config": {"rows": 3}}}}
    result = hooked.execute_in_process(run_config=config, instance=instance)
    assert seen[0][0] == {"rows": 3}
    assert seen[0][1] == {"x": {"rows": dg.MetadataValue.int(3)}, "y": {}}
    assert seen[0][2] is instance
    lines = [line.user_message for line in instance.all_logs(result.run_id) if not line.is_dagster_event]
    assert lines == ["looked"]


@pytest.mark.api("HookDefinition.name", "HookDefinition.hook_fn", "HookDefinition.decorated_fn",
                 "HookExecutionResult.is_skipped", "HookExecutionResult.hook_name")  # fmt: skip
def test_hooks_by_hand_say_whether_they_applied():
    seen = []

    def look(context, events):
        seen.extend(event.event_type_value for event in events)
        return dg.HookExecutionResult("by_hand", is_skipped=context.step_key == "skipped")

    def plain(context):
        pass

    hook = dg.HookDefinition(name="by_hand", hook_fn=look, decorated_fn=plain)
    assert (hook.name, hook.hook_fn, hook.decorated_fn) == ("by_hand", look, plain)
    assert dg.HookExecutionResult("by_hand", True).hook_name == "by_hand"

    @dg.job(hooks={hook})
    def hooked():
        good()
        good.alias("skipped")()

    result = hooked.execute_in_process()
    assert (told(result, "good"), told(result, "skipped")) == (["HOOK_COMPLETED"], ["HOOK_SKIPPED"])
    assert seen[:1] == ["STEP_START"]
    assert seen[-1:] == ["STEP_SUCCESS"]


@pytest.mark.api("success_hook.name", "build_hook_context.resources", "build_hook_context.op",
                 "build_hook_context.run_id", "build_hook_context.job_name", "build_hook_context.op_exception",
                 "build_hook_context.instance")  # fmt: skip
def test_calling_a_hook_directly(instance):
    @dg.success_hook(name="tells", required_resource_keys={"mail"})
    def tell(context):
        return (
            context.resources.mail, context.op.name, context.run_id, context.job_name, str(context.op_exception),
            context.instance,
        )  # fmt: skip

    assert tell.name == "tells"
    context = dg.build_hook_context(
        resources={"mail": 7}, op=good, run_id="r", job_name="j", op_exception=ValueError("x"), instance=instance
    )
    assert tell(context) == (7, "good", "r", "j", "x", instance)
    assert tell(context=context) == tell(context)
    assert dg.build_hook_context(op=good.alias("other")).op.name == "other"


def test_mistakes_with_hooks():
    @dg.success_hook(required_resource_keys={"mail"})
    def tell(context):
        return context.step_key

    with pytest.raises(dg.DagsterInvalidInvocationError, match="build_hook_context"):
        tell()
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="mail"):
        tell(dg.build_hook_context())
    with pytest.raises(dg.DagsterInvariantViolationError, match="step_key"):
        tell(dg.build_hook_context(resources={"mail": 1}))
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="context"):

        @dg.success_hook
        def nothing():
            pass

    with pytest.raises(dg.DagsterInvalidDefinitionError, match="x y"):
        dg.HookDefinition(name="x y", hook_fn=lambda context, events: None)  # type: ignore[arg-type,return-value]
