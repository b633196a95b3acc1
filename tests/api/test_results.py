import pytest

import dagster as dg


@dg.op
def one():
    return 1


@dg.op(out={"low": dg.Out(), "high": dg.Out()})
def two(x):
    return x, x + 1


@dg.op
def bad():
    raise ValueError("no")


@dg.graph
def numbers():
    _, high = two(one())
    return high


@pytest.mark.api(
    "ExecuteInProcessResult.output_for_node", "ExecuteInProcessResult.output_value", "ExecuteInProcessResult.run_id",
    "ExecuteInProcessResult.job_def", "ExecuteInProcessResult.dagster_run", "ExecuteInProcessResult.all_events",
    "ExecuteInProcessResult.success", "ExecuteInProcessResult.events_for_node",
    "ExecuteInProcessResult.filter_events", "ExecuteInProcessResult.is_node_success",
)  # fmt: skip
def test_a_job_that_went_well():
    job = numbers.to_job(name="counting")
    result = job.execute_in_process()
    assert result.success
    assert (result.output_value(), result.output_for_node("one"), result.output_for_node("two", "low")) == (2, 1, 1)
    assert result.job_def.name == "counting"
    assert result.dagster_run.run_id == result.run_id
    assert result.dagster_run.status is dg.DagsterRunStatus.SUCCESS
    kinds = [event.event_type_value for event in result.events_for_node("one")]
    assert kinds == ["STEP_START", "STEP_OUTPUT", "HANDLED_OUTPUT", "STEP_SUCCESS"]
    starts = result.filter_events(lambda event: event.event_type_value == "STEP_START")
    assert [event.step_key for event in starts] == ["one", "two"]
    assert result.is_node_success("one")
    assert not result.is_node_failed("one")
    assert len(result.all_events) > len(kinds)


@pytest.mark.parametrize(
    "ask",
    [
        lambda result: result.output_for_node("nope"),
        lambda result: result.output_for_node("two", "nope"),
        lambda result: result.output_value("nope"),
        lambda result: result.asset_value("nope"),
    ],
)
def test_questions_without_an_answer(ask):
    result = numbers.execute_in_process()
    with pytest.raises(Exception, match="nope"):
        ask(result)


@pytest.mark.api("ExecuteInProcessResult.is_node_failed", "ExecuteInProcessResult.is_node_untouched",
                 "ExecuteInProcessResult.is_node_skipped", "ExecuteInProcessResult.failure_data_for_node",
                 "ExecuteInProcessResult.get_failed_step_keys")  # fmt: skip
def test_a_job_that_failed():
    @dg.op(out=dg.Out(is_required=False))
    def maybe():
        yield from ()

    @dg.op
    def use(x):
        return x

    @dg.job
    def mixed():
        use(bad())
        use.alias("skipped")(maybe())

    result = mixed.execute_in_process(raise_on_error=False)
    assert not result.success
    assert result.is_node_failed("bad")
    assert result.is_node_untouched("use")
    assert result.is_node_skipped("skipped")
    assert result.failure_data_for_node("bad") is not None
    assert result.get_failed_step_keys() == {"bad"}
    assert result.dagster_run.status is dg.DagsterRunStatus.FAILURE
    with pytest.raises(Exception, match="use"):
        result.output_for_node("use")


@pytest.mark.api("ExecuteInProcessResult.asset_value", "materialize.selection", "materialize.tags",
                 "materialize.raise_on_error", "materialize.resources", "materialize.instance",
                 "ExecuteInProcessResult.asset_materializations_for_node",
                 "ExecuteInProcessResult.get_asset_materialization_events")  # fmt: skip
def test_materialize():
    @dg.asset(required_resource_keys={"n"})
    def a(context):
        return context.resources.n

    @dg.asset(metadata={"m": 1})
    def b(a):
        return dg.Output(a + 1, metadata={"rows": 2})

    @dg.asset
    def c(b):
        raise ValueError("no")

    with dg.DagsterInstance.ephemeral() as instance:
        options = {"instance": instance, "resources": {"n": 5}}
        result = dg.materialize([a, b, c], selection="a+", tags={"k": "v"}, **options)
        assert (result.asset_value("a"), result.asset_value(dg.AssetKey("b"))) == (5, 6)
        assert result.dagster_run.tags["k"] == "v"
        (made,) = result.asset_materializations_for_node("b")
        assert made.metadata["rows"].value == 2
        keys = [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()]
        assert keys == ["a", "b"]
        with pytest.raises(ValueError, match="no"):
            dg.materialize([a, b, c], **options)
        assert not dg.materialize([a, b, c], raise_on_error=False, **options).success


@pytest.mark.api("materialize_to_memory.selection", "materialize_to_memory.tags", "materialize_to_memory.run_config",
                 "materialize_to_memory.raise_on_error", "materialize_to_memory.resources",
                 "materialize_to_memory.instance")  # fmt: skip
def test_materialize_to_memory():
    class Options(dg.Config):
        n: int = 1

    @dg.asset(required_resource_keys={"factor"})
    def a(context, config: Options):
        return config.n * context.resources.factor

    @dg.asset
    def b(a):
        raise ValueError("no")

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize_to_memory(
            [a, b], selection=[a], tags={"k": "v"}, resources={"factor": 10}, instance=instance,
            run_config={"ops": {"a": {"config": {"n": 4}}}},
        )  # fmt: skip
        assert result.asset_value("a") == 40
        assert instance.get_run_by_id(result.run_id).tags["k"] == "v"
    assert not dg.materialize_to_memory([a, b], resources={"factor": 1}, raise_on_error=False).success


def test_materialize_to_memory_refuses_io_managers_of_the_assets_own():
    @dg.asset(io_manager_def=dg.fs_io_manager)
    def stored():
        return 1

    with pytest.raises(Exception, match=r"stored|io_manager"):
        dg.materialize_to_memory([stored])


def test_external_assets_among_them():
    class Shelf(dg.IOManager):
        def handle_output(self, context, obj):
            pass

        def load_input(self, context):
            return f"{context.asset_key.to_user_string()} from outside"

    @dg.asset
    def b(raw):
        return raw

    result = dg.materialize([dg.AssetSpec("raw"), b], resources={"io_manager": Shelf()})
    assert result.asset_value("b") == "raw from outside"


@pytest.mark.api("AssetSpec.deps", "MaterializeResult.asset_key", "MaterializeResult.metadata",
                 "MaterializeResult.check_results", "MaterializeResult.value", "asset.check_specs")  # fmt: skip
def test_results_that_functions_give():
    @dg.asset(check_specs=[dg.AssetCheckSpec("ok", asset="a")])
    def a():
        return dg.MaterializeResult(
            metadata={"rows": 1}, value=7, check_results=[dg.AssetCheckResult(passed=True, metadata={"seen": 2})]
        )

    @dg.multi_asset(specs=[dg.AssetSpec("p", deps=["a"]), dg.AssetSpec("q", deps=["p"])])
    def pq():
        yield dg.MaterializeResult(asset_key="p", metadata={"n": 1})
        yield dg.MaterializeResult(asset_key="q", metadata={"n": 2})

    result = dg.materialize_to_memory([a, pq])
    assert result.asset_value("a") == 7
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.metadata["seen"].value) == ("ok", True, 2)
    made = {
        event.asset_key.to_user_string(): event.step_materialization_data.materialization.metadata
        for event in result.get_asset_materialization_events()
    }
    assert (made["a"]["rows"].value, made["p"]["n"].value, made["q"]["n"].value) == (1, 1, 2)


@pytest.mark.api("asset_check.blocking", "AssetCheckResult.passed", "AssetCheckResult.severity",
                 "AssetCheckSpec.blocking")  # fmt: skip
@pytest.mark.parametrize(
    ("passed", "severity", "goes_on"),
    [
        (True, dg.AssetCheckSeverity.ERROR, True),
        (False, dg.AssetCheckSeverity.WARN, True),
        (False, dg.AssetCheckSeverity.ERROR, False),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_blocking_checks(passed, severity, goes_on, inside):
    outcome = dg.AssetCheckResult(passed=passed, severity=severity)
    if inside:

        @dg.asset(check_specs=[dg.AssetCheckSpec("right", asset="a", blocking=True)])
        def a():
            yield dg.Output(1)
            yield outcome

        checks = []
    else:

        @dg.asset
        def a():
            return 1

        @dg.asset_check(asset=a, blocking=True)
        def right():
            return outcome

        checks = [right]

    @dg.asset
    def below(a):
        return a

    @dg.asset
    def beside():
        return 1

    result = dg.materialize_to_memory([a, below, beside, *checks], raise_on_error=False)
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert made == {"a", "beside", "below"} if goes_on else {"a", "beside"}
    assert result.success is goes_on
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.passed is passed
