import json
from typing import Any

import pytest

import dagster as dg


def story(result):
    """What happened, without what is about the process: event types, each with its step."""
    own = ("ENGINE_EVENT", "RESOURCE_INIT_STARTED", "RESOURCE_INIT_SUCCESS", "LOGS_CAPTURED")
    return [
        (event.event_type_value.replace("PIPELINE_", "RUN_"), event.step_key)
        for event in result.all_events
        if event.event_type_value not in own
    ]


def run(*calls, **options):
    """A job of independent ops, executed without raising."""

    @dg.job
    def several():
        for call in calls:
            call()

    return several.execute_in_process(raise_on_error=False, **options)


# --- declaring -------------------------------------------------------------------------------------------------------


@pytest.mark.api("op.name", "op.description", "op.tags")
@pytest.mark.api("OpDefinition.name", "OpDefinition.tags")
def test_op_says_what_it_is():
    @dg.op
    def plain():
        """Does something."""

    @dg.op(name="named", description="text", tags={"k": "v", "n": {"deep": 1}})
    def other():
        """Not this."""

    assert (plain.name, plain.description) == ("plain", "Does something.")
    assert (other.name, other.description, other.tags["k"]) == ("named", "text", "v")
    assert json.loads(other.tags["n"]) == {"deep": 1}


@pytest.mark.api("op.ins", "In.default_value", "In.description", "In.metadata", "In.dagster_type")
def test_inputs_take_defaults_and_are_checked():
    @dg.op
    def one():
        return 1

    @dg.op(
        ins={"x": dg.In(int, description="a number", metadata={"unit": "m"}), "y": dg.In(default_value=5)},
    )
    def add(x, y, z=7):
        return x + y + z

    @dg.job
    def adding():
        add(one())

    assert adding.execute_in_process().output_for_node("add") == 13
    declared = add.ins["x"]
    assert (declared.description, declared.metadata["unit"]) == ("a number", "m")


@pytest.mark.api("op.out", "Out.description", "Out.metadata", "Out.dagster_type", "Out.code_version")
def test_one_output_declared():
    @dg.op(out=dg.Out(int, description="the number", metadata={"unit": "m"}, code_version="2"))
    def one():
        return 1

    assert one.outs["result"].description == "the number"
    assert one.outs["result"].metadata["unit"] == "m"
    assert run(one).output_for_node("one") == 1


@pytest.mark.api(
    "op.out", "Output.output_name", "Output.value", "Output.metadata", "ExecuteInProcessResult.output_for_node",
)  # fmt: skip
def test_several_outputs_by_tuple_by_yield_and_by_returned_outputs():
    outs = {"a": dg.Out(int), "b": dg.Out(str)}

    @dg.op(out=dict(outs))
    def by_tuple():
        return 1, "x"

    @dg.op(out=dict(outs))
    def by_yield():
        yield dg.Output("x", output_name="b")
        yield dg.Output(1, "a", metadata={"rows": 3})

    @dg.op(out=dict(outs))
    def by_outputs():
        return dg.Output(1, "a"), dg.Output("x", "b")

    result = run(by_tuple, by_yield, by_outputs)
    for name in ("by_tuple", "by_yield", "by_outputs"):
        assert result.output_for_node(name, "a") == 1
        assert result.output_for_node(name, "b") == "x"
    assert [k for k in story(result) if k[1] == "by_yield"] == [
        ("STEP_START", "by_yield"),
        ("STEP_OUTPUT", "by_yield"), ("HANDLED_OUTPUT", "by_yield"),
        ("STEP_OUTPUT", "by_yield"), ("HANDLED_OUTPUT", "by_yield"),
        ("STEP_SUCCESS", "by_yield"),
    ]  # fmt: skip


def test_too_few_values_for_the_outputs_fail_the_step():
    @dg.op(out={"a": dg.Out(), "b": dg.Out()})
    def short():
        return (1,)

    result = run(short)
    assert story(result)[-2:] == [("STEP_FAILURE", "short"), ("RUN_FAILURE", None)]


def test_an_output_yielded_twice_or_unknown_fails_the_step():
    @dg.op
    def twice():
        yield dg.Output(1)
        yield dg.Output(2)

    @dg.op
    def unknown():
        yield dg.Output(1, "nope")

    @dg.op
    def raw():
        yield 1

    result = run(twice, unknown, raw)
    failed = {key for kind, key in story(result) if kind == "STEP_FAILURE"}
    assert failed == {"twice", "unknown", "raw"}


@pytest.mark.api("op.config_schema", "OpExecutionContext.op_config")
def test_config_of_the_older_style():
    @dg.op(config_schema={"n": int, "m": dg.Field(int, default_value=2)})
    def times(context):
        return context.op_config["n"] * context.op_config["m"]

    @dg.job
    def multiplying():
        times()

    result = multiplying.execute_in_process(run_config={"ops": {"times": {"config": {"n": 4}}}})
    assert result.output_for_node("times") == 8
    with pytest.raises(dg.DagsterInvalidConfigError):
        multiplying.execute_in_process(run_config={"ops": {"times": {"config": {"n": "four"}}}})


@pytest.mark.api("op.required_resource_keys", "OpExecutionContext.resources")
def test_required_resources():
    @dg.op(required_resource_keys={"db"})
    def read(context):
        return context.resources.db

    @dg.op
    def blind(context):
        return hasattr(context.resources, "db")

    @dg.job(resource_defs={"db": dg.ResourceDefinition.hardcoded_resource("rows")})
    def reading():
        read()
        blind()

    result = reading.execute_in_process()
    assert result.output_for_node("read") == "rows"
    assert result.output_for_node("blind") is False


def test_a_missing_resource_is_told_before_anything_runs():
    ran = []

    @dg.op(required_resource_keys={"db"})
    def read(context):
        ran.append(1)

    with pytest.raises(dg.DagsterInvalidDefinitionError, match="db"):
        run(read)
    assert not ran


@pytest.mark.api("op.pool")
def test_pool_is_declared():
    @dg.op(pool="small")
    def careful():
        return 1

    assert careful.pool == "small"


# --- order -----------------------------------------------------------------------------------------------------------


@pytest.mark.api("Nothing", "In.dagster_type")
def test_nothing_orders_steps_without_values():
    @dg.op(out=dg.Out(dg.Nothing))
    def first():
        return None

    @dg.op(ins={"start": dg.In(dg.Nothing)})
    def second():
        return 2

    @dg.job
    def ordered():
        second(start=first())

    result = ordered.execute_in_process()
    assert story(result) == [
        ("RUN_START", None),
        ("STEP_START", "first"), ("STEP_OUTPUT", "first"), ("STEP_SUCCESS", "first"),
        ("STEP_START", "second"), ("STEP_OUTPUT", "second"), ("HANDLED_OUTPUT", "second"), ("STEP_SUCCESS", "second"),
        ("RUN_SUCCESS", None),
    ]  # fmt: skip


def test_nothing_takes_several_upstreams():
    order = []

    def make(name):
        @dg.op(name=name, out=dg.Out(dg.Nothing))
        def body():
            order.append(name)

        return body

    @dg.op(ins={"start": dg.In(dg.Nothing)})
    def last():
        order.append("last")

    a, b = make("a"), make("b")

    @dg.job
    def ordered():
        last(start=[a(), b()])

    ordered.execute_in_process()
    assert order == ["a", "b", "last"]


def test_fan_in_is_a_list_in_order():
    @dg.op
    def one():
        return 1

    @dg.op
    def two():
        return 2

    @dg.op
    def collect(values: list):
        return values

    @dg.job
    def fanning():
        collect([two(), one(), one.alias("again")()])

    result = fanning.execute_in_process()
    assert result.output_for_node("collect") == [2, 1, 1]
    assert [kind for kind, key in story(result) if key == "collect"] == [
        "STEP_START", "LOADED_INPUT", "LOADED_INPUT", "LOADED_INPUT", "STEP_INPUT", "STEP_OUTPUT", "HANDLED_OUTPUT",
        "STEP_SUCCESS",
    ]  # fmt: skip


@pytest.mark.api("op.tags")
def test_priority_orders_ready_steps():
    def make(name, priority):
        @dg.op(name=name, tags={"dagster/priority": str(priority)})
        def body():
            return None

        return body

    result = run(make("low", -1), make("high", 5), make("none", 0))
    assert [key for kind, key in story(result) if kind == "STEP_START"] == ["high", "none", "low"]


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_failure_keeps_what_depends_on_it_from_running_and_nothing_else():
    @dg.op
    def root():
        return 1

    @dg.op
    def bad(x):
        raise ValueError("no")

    @dg.op
    def below(x):
        return x

    @dg.op
    def beside(x):
        return x

    @dg.job
    def branching():
        start = root()
        below(below.alias("first")(bad(start)))
        beside(start)

    instance = dg.DagsterInstance.ephemeral()
    result = branching.execute_in_process(raise_on_error=False, instance=instance)
    assert not result.success
    touched = {key for _, key in story(result)} - {None}
    assert touched == {"root", "bad", "beside"}
    assert ("STEP_SUCCESS", "beside") in story(result)
    told = {e.step_key: e.user_message for e in instance.all_logs(result.run_id) if e.step_key in ("first", "below")}
    assert "Dependencies for step first failed: ['bad']" in told["first"]
    assert "Dependencies for step below" in told["below"]


def test_optional_outputs_left_out_skip_what_needs_them():
    @dg.op(out={"a": dg.Out(is_required=False), "b": dg.Out(is_required=False)})
    def maybe():
        yield dg.Output(1, "a")

    @dg.op
    def step(x):
        return x

    @dg.job
    def branching():
        a, b = maybe()
        step.alias("with_a")(a)
        step.alias("after_b")(step.alias("with_b")(b))

    result = branching.execute_in_process()
    assert result.success
    ends = [pair for pair in story(result) if pair[0] in ("STEP_SKIPPED", "STEP_SUCCESS")]
    assert ends == [
        ("STEP_SUCCESS", "maybe"), ("STEP_SKIPPED", "with_b"), ("STEP_SKIPPED", "after_b"), ("STEP_SUCCESS", "with_a"),
    ]  # fmt: skip


@pytest.mark.api("Out.is_required")
@pytest.mark.parametrize(("given", "expected"), [(("a",), [1]), (("a", "b"), [1, 1]), ((), None)])
def test_a_list_goes_on_with_the_values_there_are(given, expected):
    @dg.op(out={"a": dg.Out(is_required=False), "b": dg.Out(is_required=False)})
    def maybe():
        for name in given:
            yield dg.Output(1, name)

    @dg.op
    def collect(values):
        return values

    @dg.job
    def fanning():
        collect(list(maybe()))

    result = fanning.execute_in_process()
    if expected is None:
        assert ("STEP_SKIPPED", "collect") in story(result)
    else:
        assert result.output_for_node("collect") == expected


def test_a_skip_wins_over_a_failure():
    @dg.op(out={"a": dg.Out(is_required=False)})
    def maybe():
        yield from ()

    @dg.op
    def bad():
        raise ValueError("no")

    @dg.op
    def both(x, y):
        return 1

    @dg.job
    def joining():
        both(maybe(), bad())

    result = joining.execute_in_process(raise_on_error=False)
    assert not result.success
    assert ("STEP_SKIPPED", "both") in story(result)


def test_a_required_output_left_out_fails_after_what_was_yielded():
    @dg.op(out={"a": dg.Out(), "b": dg.Out()})
    def half():
        yield dg.Output(1, "a")

    result = run(half)
    assert story(result) == [
        ("RUN_START", None), ("STEP_START", "half"), ("STEP_OUTPUT", "half"), ("HANDLED_OUTPUT", "half"),
        ("STEP_FAILURE", "half"), ("RUN_FAILURE", None),
    ]  # fmt: skip


def test_an_output_left_out_is_named_in_the_error():
    @dg.op(out={"a": dg.Out(), "b": dg.Out()})
    def half():
        yield dg.Output(1, "a")

    @dg.job
    def halving():
        half()

    with pytest.raises(dg.DagsterStepOutputNotFoundError, match="b"):
        halving.execute_in_process()


@pytest.mark.api("DagsterTypeCheckDidNotPass")
def test_values_of_the_wrong_type_fail_the_step():
    @dg.op
    def text() -> int:
        return "x"  # type: ignore[return-value]

    @dg.op
    def anything():
        return "x"

    @dg.op
    def number(x: int):
        return x

    @dg.job
    def out_wrong():
        text()

    @dg.job
    def in_wrong():
        number(anything())

    for job, step in ((out_wrong, "text"), (in_wrong, "number")):
        result = job.execute_in_process(raise_on_error=False)
        (failure,) = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
        assert failure.step_key == step
        with pytest.raises(dg.DagsterTypeCheckDidNotPass):
            job.execute_in_process()


def test_types_of_several_outputs_from_one_annotation():
    def pair(second):
        @dg.op(out={"a": dg.Out(), "b": dg.Out()})
        def give() -> tuple[int, str]:
            return 1, second

        @dg.multi_asset(outs={"p": dg.AssetOut(), "q": dg.AssetOut()})
        def make() -> tuple[int, str]:
            return 1, second

        return run(give).success, dg.materialize_to_memory([make], raise_on_error=False).success

    assert pair("x") == (True, True)
    assert pair(2) == (False, False)


@pytest.mark.parametrize("kind", [dg.Output, dg.MaterializeResult])
def test_types_of_values_within_results(kind):
    def succeeds(value):
        @dg.asset
        def a() -> kind[int]:
            return kind(value=value)

        return dg.materialize_to_memory([a], raise_on_error=False).success

    assert (succeeds(1), succeeds("x")) == (True, False)


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (list[int], [1], ["x"]),
        (dict[str, int], {"a": 1}, {"a": "b"}),
        (int | None, None, "x"),
        (float, 1.5, "x"),
        (Any, object(), None),
    ],
)
def test_annotations_that_are_checked(annotation, good, bad):
    @dg.op(out=dg.Out(annotation))
    def give():
        return value

    for value, accepted in ((good, True), (bad, annotation is Any)):  # noqa: B007  # read by the op
        assert run(give).success is accepted


@pytest.mark.api("Failure.description", "Failure.metadata", "Failure.allow_retries")
def test_failure_tells_people_and_may_forbid_retries():
    attempts = []

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=3))
    def give_up():
        attempts.append(1)
        raise dg.Failure("hopeless", metadata={"rows": 3}, allow_retries=False)

    result = run(give_up)
    (failure,) = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
    assert len(attempts) == 1
    told = failure.step_failure_data.user_failure_data
    assert told.description == "hopeless"
    assert told.metadata["rows"].value == 3


def test_the_users_own_exception_is_raised():
    class Special(Exception):
        pass

    @dg.op
    def bad():
        raise Special("mine")

    @dg.job
    def failing():
        bad()

    with pytest.raises(Special, match=r"^mine$"):
        failing.execute_in_process()


@pytest.mark.parametrize("stop", [SystemExit, GeneratorExit])
def test_an_exit_from_user_code_fails_the_run_and_goes_on(stop):
    @dg.op
    def leave():
        raise stop

    @dg.job
    def leaving():
        leave()

    instance = dg.DagsterInstance.ephemeral()
    with pytest.raises(stop):
        leaving.execute_in_process(instance=instance)
    (recorded,) = instance.get_runs()
    assert recorded.status is dg.DagsterRunStatus.FAILURE


# --- retries ---------------------------------------------------------------------------------------------------------


def flaky(name, failures, error=ValueError, **options):
    attempts = []

    @dg.op(name=name, **options)
    def body(context):
        attempts.append(context.retry_number)
        if len(attempts) <= failures:
            raise error("again") if isinstance(error, type) else error
        return list(attempts)

    return body


@pytest.mark.api("op.retry_policy", "RetryPolicy.max_retries", "OpExecutionContext.retry_number")
def test_retry_policy_tries_again_in_the_same_run():
    result = run(flaky("shaky", 2, retry_policy=dg.RetryPolicy(max_retries=2)))
    assert story(result) == [
        ("RUN_START", None),
        ("STEP_START", "shaky"), ("STEP_UP_FOR_RETRY", "shaky"),
        ("STEP_RESTARTED", "shaky"), ("STEP_UP_FOR_RETRY", "shaky"),
        ("STEP_RESTARTED", "shaky"), ("STEP_OUTPUT", "shaky"), ("HANDLED_OUTPUT", "shaky"), ("STEP_SUCCESS", "shaky"),
        ("RUN_SUCCESS", None),
    ]  # fmt: skip
    assert result.output_for_node("shaky") == [0, 1, 2]
    assert result.retry_attempts_for_node("shaky") == 2


def test_retries_end_in_failure():
    result = run(flaky("shaky", 9, retry_policy=dg.RetryPolicy(max_retries=1)))
    assert [kind for kind, _ in story(result)] == [
        "RUN_START", "STEP_START", "STEP_UP_FOR_RETRY", "STEP_RESTARTED", "STEP_FAILURE", "RUN_FAILURE",
    ]  # fmt: skip


@pytest.mark.api("RetryRequested.max_retries", "RetryRequested.seconds_to_wait")
@pytest.mark.parametrize(("most", "kinds"), [
    (1, ["STEP_START", "STEP_UP_FOR_RETRY", "STEP_RESTARTED", "STEP_FAILURE"]),
    (0, ["STEP_START", "STEP_FAILURE"]),
])  # fmt: skip
def test_retry_requested_needs_no_policy(most, kinds):
    result = run(flaky("asking", 9, dg.RetryRequested(max_retries=most, seconds_to_wait=0.001)))
    assert [kind for kind, key in story(result) if key] == kinds


@pytest.mark.api("job.op_retry_policy")
def test_job_policy_and_the_ops_own_wins():
    patient, hasty = flaky("patient", 1), flaky("hasty", 1, retry_policy=dg.RetryPolicy(max_retries=0))

    @dg.job(op_retry_policy=dg.RetryPolicy(max_retries=1))
    def both():
        patient()
        hasty()

    result = both.execute_in_process(raise_on_error=False)
    assert result.output_for_node("patient") == [0, 1]
    assert [key for kind, key in story(result) if kind == "STEP_FAILURE"] == ["hasty"]


def test_retries_queue_behind_what_is_ready():
    policy = dg.RetryPolicy(max_retries=2)
    result = run(
        flaky("a", 1, retry_policy=policy),
        flaky("b", 0),
        flaky("urgent", 1, retry_policy=policy, tags={"dagster/priority": "1"}),
    )
    began = [pair for pair in story(result) if pair[0] in ("STEP_START", "STEP_RESTARTED")]
    assert began == [
        ("STEP_START", "urgent"), ("STEP_RESTARTED", "urgent"),
        ("STEP_START", "a"), ("STEP_START", "b"), ("STEP_RESTARTED", "a"),
    ]  # fmt: skip


@pytest.mark.api("RetryPolicy.delay", "RetryPolicy.backoff", "RetryPolicy.jitter", "Backoff", "Jitter")
def test_waits_between_attempts():
    def waits(**options):
        body = flaky("shaky", 3, retry_policy=dg.RetryPolicy(max_retries=3, **options))
        events = run(body).all_events
        return [e.step_retry_data.seconds_to_wait for e in events if e.event_type_value == "STEP_UP_FOR_RETRY"]

    assert waits(delay=0.001, backoff=dg.Backoff.LINEAR) == pytest.approx([0.001, 0.002, 0.003])
    assert waits(delay=0.001, backoff=dg.Backoff.EXPONENTIAL) == pytest.approx([0.001, 0.003, 0.007])
    for wait in waits(delay=0.01, jitter=dg.Jitter.FULL):
        assert 0 <= wait <= 0.01
    for wait in waits(delay=0.01, jitter=dg.Jitter.PLUS_MINUS):
        assert 0 <= wait <= 0.02


# --- async and generators --------------------------------------------------------------------------------------------


def test_async_functions_and_generators():
    @dg.op
    async def number():
        return 1

    @dg.op(out={"a": dg.Out(), "b": dg.Out()})
    async def several(x):
        yield dg.Output(x, "a")
        yield dg.Output(x + 1, "b")

    @dg.op
    async def bad():
        raise ValueError("async")

    @dg.job
    def awaiting():
        several(number())
        bad()

    result = awaiting.execute_in_process(raise_on_error=False)
    assert (result.output_for_node("several", "a"), result.output_for_node("several", "b")) == (1, 2)
    assert [key for kind, key in story(result) if kind == "STEP_FAILURE"] == ["bad"]


def test_what_a_generator_yielded_counts_though_it_raises_later():
    @dg.op
    def noisy():
        yield dg.AssetMaterialization("table", metadata={"rows": 1})
        yield dg.AssetObservation("table")
        raise ValueError("late")

    result = run(noisy)
    assert [kind for kind, key in story(result) if key] == [
        "STEP_START", "ASSET_MATERIALIZATION", "ASSET_OBSERVATION", "STEP_FAILURE",
    ]  # fmt: skip


# --- by hand ---------------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "OpDefinition.compute_fn", "OpDefinition.ins", "OpDefinition.outs", "OpDefinition.description",
    "OpDefinition.required_resource_keys", "OpDefinition.retry_policy", "OpDefinition.pool",
    "OpDefinition.config_schema",
)  # fmt: skip
def test_an_op_made_by_hand():
    def compute(context, inputs):
        yield dg.Output(inputs["x"] * context.op_config["n"] + context.resources.base, "total")

    made = dg.OpDefinition(
        compute_fn=compute, name="made", ins={"x": dg.In(int)}, outs={"total": dg.Out(int)}, description="text",
        config_schema={"n": int}, required_resource_keys={"base"}, retry_policy=dg.RetryPolicy(max_retries=1),
        pool="small",
    )  # fmt: skip

    @dg.op
    def one():
        return 1

    @dg.job(resource_defs={"base": dg.ResourceDefinition.hardcoded_resource(100)})
    def making():
        made(one())

    result = making.execute_in_process(run_config={"ops": {"made": {"config": {"n": 5}}}})
    assert result.output_for_node("made", "total") == 105
    assert (made.description, made.pool, made.retry_policy.max_retries) == ("text", "small", 1)


@pytest.mark.api("op.code_version", "OpDefinition.code_version", "OpDefinition.version")
def test_versions_of_code(recwarn):
    @dg.op(code_version="v9")
    def made():
        return 1

    assert made.version == "v9"
    assert dg.OpDefinition(lambda: 1, "x", version="w").version == "w"
    by_hand = dg.OpDefinition(lambda: 1, "x", code_version="v")
    assert dg.AssetsDefinition.from_op(by_hand).get_asset_spec(dg.AssetKey("x")).code_version == "v"
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([dg.AssetsDefinition.from_op(made)], instance=instance)
        assert instance.get_latest_materialization_code_versions([dg.AssetKey("made")]) == {dg.AssetKey("made"): "v9"}


@pytest.mark.api(
    "OpDefinition.alias", "OpDefinition.tag", "OpDefinition.with_retry_policy", "PendingNodeInvocation.alias",
    "PendingNodeInvocation.tag", "PendingNodeInvocation.with_retry_policy", "PendingNodeInvocation.with_hooks",
    "PendingNodeInvocation.node_def", "PendingNodeInvocation.given_alias", "PendingNodeInvocation.tags",
    "PendingNodeInvocation.hook_defs", "PendingNodeInvocation.retry_policy", "PendingNodeInvocation.to_job",
    "PendingNodeInvocation.execute_in_process",
)  # fmt: skip
def test_an_op_or_graph_at_one_place():
    told = []

    @dg.op
    def shaky(context):
        told.append("try")
        if len(told) < 3:
            raise ValueError("again")

    @dg.success_hook
    def tell(context):
        told.append("done")

    def placing(node):
        def compose():
            node()

        return compose

    patient = dg.RetryPolicy(max_retries=2)
    for node in (
        shaky.alias("steady").tag({"k": "v"}).with_hooks({tell}).with_retry_policy(patient),
        shaky.with_retry_policy(patient).with_hooks({tell}).tag({"k": "v"}).alias("steady"),
        shaky.tag({"k": "v"}).alias("steady").with_retry_policy(patient).with_hooks({tell}),
    ):
        assert isinstance(node, dg.PendingNodeInvocation)
        assert (node.node_def, node.given_alias, node.tags) == (shaky, "steady", {"k": "v"})
        assert (node.hook_defs, node.retry_policy) == ({tell}, patient)

        told.clear()
        around = dg.graph(name="around")(placing(node))
        result = around.alias("other").execute_in_process()
        assert result.retry_attempts_for_node("steady") == 2
        assert told == ["try", "try", "try", "done"]
    assert around.alias("other").tag({"t": "1"}).to_job().name == "other"


@pytest.mark.api("In.asset_key")
def test_an_input_that_is_an_asset():
    seen = []

    class Reader(dg.IOManager):
        def handle_output(self, context, obj):
            pass

        def load_input(self, context):
            seen.append(context.asset_key)
            return 1

    @dg.op(ins={"x": dg.In(asset_key=dg.AssetKey("rows"), input_manager_key="reader")})
    def read(x):
        return x

    @dg.job(resource_defs={"reader": Reader()})
    def reading():
        read()

    assert reading.execute_in_process().output_for_node("read") == 1
    assert seen == [dg.AssetKey("rows")]
