"""Asset checks: the decorators, specs and results, and what a failed check stops."""

from typing import Any

import pytest

import dagster as dg


@dg.asset
def a():
    return 5


def outcomes(result: Any) -> list[tuple[str, bool]]:
    return [(one.check_name, one.passed) for one in result.get_asset_check_evaluations()]


@pytest.mark.api(
    "asset_check.asset", "asset_check.name", "asset_check.description", "asset_check.metadata",
    "AssetChecksDefinition.check_specs", "AssetCheckSpec.name", "AssetCheckSpec.asset_key",
    "AssetCheckSpec.description", "AssetCheckSpec.metadata",
)  # fmt: skip
@pytest.mark.parametrize("asset", ["a", a, dg.AssetKey("a"), ["a"]], ids=["text", "definition", "key", "path"])
def test_what_a_check_says_about_itself(asset: Any) -> None:
    @dg.asset_check(asset=asset, name="c", description="d", metadata={"m": 1})
    def check():
        return dg.AssetCheckResult(passed=True)

    spec = next(iter(check.check_specs))
    assert (spec.name, spec.asset_key, spec.description) == ("c", dg.AssetKey("a"), "d")
    assert spec.metadata["m"] == 1
    assert spec.key == dg.AssetCheckKey(dg.AssetKey("a"), "c")
    assert check.check_key == spec.key


@pytest.mark.api("asset_check.automation_condition", "AssetCheckSpec.automation_condition")
def test_when_a_check_is_evaluated() -> None:
    condition = dg.AutomationCondition.eager()

    @dg.asset_check(asset="a", automation_condition=condition)
    def check():
        return dg.AssetCheckResult(passed=True)

    assert next(iter(check.check_specs)).automation_condition == condition
    assert dg.AssetCheckSpec("c", asset="a", automation_condition=condition).automation_condition == condition


def test_a_check_is_named_after_its_function() -> None:
    @dg.asset_check(asset="a")
    def not_empty():
        """Has rows."""
        return dg.AssetCheckResult(passed=True)

    spec = next(iter(not_empty.check_specs))
    assert (spec.name, spec.description) == ("not_empty", "Has rows.")


@pytest.mark.api("asset_check.asset", "AssetCheckResult.passed")
@pytest.mark.parametrize("passed", [True, False])
def test_a_check_gets_the_value(run: Any, shelf: Any, passed: bool) -> None:
    @dg.asset_check(asset=a)
    def c(a):
        return dg.AssetCheckResult(passed=(a == 5) is passed)

    result = run([a, c])
    assert result.success  # a check that does not block fails nothing
    assert outcomes(result) == [("c", passed)]
    assert shelf.loaded == ["a"]


@pytest.mark.api(
    "AssetCheckResult.passed", "AssetCheckResult.metadata", "AssetCheckResult.severity", "AssetCheckResult.description",
    "AssetCheckResult.asset_key", "AssetCheckResult.check_name", "AssetCheckEvaluation.passed",
    "AssetCheckEvaluation.metadata", "AssetCheckEvaluation.severity", "AssetCheckEvaluation.description",
    "AssetCheckEvaluation.asset_key", "AssetCheckEvaluation.check_name",
)  # fmt: skip
def test_what_a_result_says_is_recorded(run: Any) -> None:
    @dg.asset_check(asset=a)
    def c():
        return dg.AssetCheckResult(
            passed=False, asset_key="a", check_name="c", metadata={"rows": 3}, severity=dg.AssetCheckSeverity.WARN,
            description="few",
        )  # fmt: skip

    [evaluation] = run([a, c]).get_asset_check_evaluations()
    assert (evaluation.asset_key, evaluation.check_name, evaluation.passed) == (dg.AssetKey("a"), "c", False)
    assert evaluation.metadata["rows"] == dg.MetadataValue.int(3)
    assert (evaluation.severity, evaluation.description) == (dg.AssetCheckSeverity.WARN, "few")


@pytest.mark.api("AssetCheckResult.asset_key", "AssetCheckResult.check_name")
@pytest.mark.parametrize("named", [{"asset_key": "other"}, {"check_name": "other"}], ids=str)
def test_a_result_of_another_check_fails(run: Any, named: dict[str, Any]) -> None:
    @dg.asset_check(asset=a)
    def c():
        return dg.AssetCheckResult(passed=True, **named)

    result = run([a, c])
    assert result.get_failed_step_keys() == {"a_c"}
    assert outcomes(result) == []
    assert {"asset_key", "check_name"} >= set(named)


@pytest.mark.api("asset_check.blocking", "AssetCheckSpec.blocking", "AssetCheckResult.severity")
@pytest.mark.parametrize(
    ("blocking", "severity", "stops"),
    [
        (True, dg.AssetCheckSeverity.ERROR, True),
        (True, dg.AssetCheckSeverity.WARN, False),
        (False, dg.AssetCheckSeverity.ERROR, False),
    ],
)
def test_a_blocking_check_stops_what_is_downstream(
    run: Any, shelf: Any, blocking: bool, severity: Any, stops: bool
) -> None:
    @dg.asset_check(asset=a, blocking=blocking)
    def c():
        return dg.AssetCheckResult(passed=False, severity=severity)

    @dg.asset
    def b(a):
        return a

    assert next(iter(c.check_specs)).blocking is blocking
    result = run([a, b, c])
    assert result.success is not stops
    assert shelf.stored == (["a"] if stops else ["a", "b"])
    assert outcomes(result) == [("c", False)]


@pytest.mark.api("AssetCheckSpec.blocking", "asset.check_specs", "MaterializeResult.check_results")
def test_a_blocking_check_inside_an_asset(run: Any, shelf: Any) -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec("c", asset="x", blocking=True)])
    def x():
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=False)])

    @dg.asset(deps=[x])
    def y():
        return 1

    result = run([x, y])
    assert result.get_failed_step_keys() == {"x"}
    assert [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()] == ["x"]
    assert shelf.stored == []


@pytest.mark.api("asset_check.additional_ins", "asset_check.additional_deps", "AssetCheckSpec.additional_deps")
def test_a_check_may_look_at_other_assets(run: Any, shelf: Any) -> None:
    @dg.asset
    def other():
        return 5

    @dg.asset
    def before():
        return 0

    @dg.asset_check(asset=a, additional_ins={"x": dg.AssetIn("other")}, additional_deps=[before])
    def c(a, x):
        return dg.AssetCheckResult(passed=a == x)

    assert {dep.asset_key.to_user_string() for dep in next(iter(c.check_specs)).additional_deps} == {"other", "before"}
    result = run([c, a, other, before])
    assert outcomes(result) == [("c", True)]
    assert sorted(shelf.loaded) == ["a", "other"]
    assert [event.step_key for event in result.get_step_success_events()][-1] == "a_c"


@pytest.mark.api("AssetCheckSpec.additional_deps", "AssetCheckSpec.asset")
def test_the_checked_asset_is_no_additional_dep() -> None:
    with pytest.raises(Exception, match=r"additional.dep"):
        dg.AssetCheckSpec("c", asset="a", additional_deps=["a"])


@pytest.mark.api(
    "asset_check.required_resource_keys", "asset_check.resource_defs", "asset_check.config_schema",
    "asset_check.op_tags", "asset_check.retry_policy", "asset_check.pool", "asset_check.compute_kind",
    "AssetChecksDefinition.resource_defs",
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_what_the_op_of_a_check_gets(run: Any) -> None:
    policy = dg.RetryPolicy(max_retries=1)
    attempts = []

    @dg.asset_check(
        asset=a, required_resource_keys={"r", "own"}, config_schema={"n": int}, op_tags={"k": "v"},
        resource_defs={"own": dg.ResourceDefinition.hardcoded_resource(2)}, retry_policy=policy, pool="db",
        compute_kind="sql",
    )  # fmt: skip
    def c(context):
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("again")
        total = context.op_execution_context.op_config["n"] + context.resources.r + context.resources.own
        return dg.AssetCheckResult(passed=total == 7)

    assert set(c.resource_defs) == {"own"}
    assert c.op.tags["k"] == "v"
    assert c.op.pool == "db"
    assert c.op.retry_policy == policy
    assert any("compute_kind" in key and value == "sql" for key, value in c.op.tags.items())
    result = run([a, c], resources={"r": 4}, run_config={"ops": {"a_c": {"config": {"n": 1}}}})
    assert outcomes(result) == [("c", True)]
    assert len(attempts) == 2


@pytest.mark.api(
    "multi_asset_check.specs", "multi_asset_check.name", "multi_asset_check.description", "multi_asset_check.op_tags",
    "multi_asset_check.retry_policy", "multi_asset_check.pool", "multi_asset_check.required_resource_keys",
    "multi_asset_check.resource_defs", "multi_asset_check.config_schema", "multi_asset_check.compute_kind",
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_multi_asset_check(run: Any) -> None:
    specs = [dg.AssetCheckSpec("c", asset="a"), dg.AssetCheckSpec("d", asset="b")]

    @dg.multi_asset_check(
        specs=specs, name="both", description="text", op_tags={"k": "v"}, retry_policy=dg.RetryPolicy(max_retries=3),
        pool="db", required_resource_keys={"r", "own"}, config_schema={"n": int}, compute_kind="sql",
        resource_defs={"own": dg.ResourceDefinition.hardcoded_resource(2)},
    )  # fmt: skip
    def checks(context):
        total = context.op_execution_context.op_config["n"] + context.resources.r + context.resources.own
        yield dg.AssetCheckResult(passed=total == 7, asset_key="a", check_name="c")
        yield dg.AssetCheckResult(passed=False, asset_key="b", check_name="d")

    @dg.asset
    def b():
        return 1

    assert (checks.op.name, checks.op.description, checks.op.pool) == ("both", "text", "db")
    assert checks.op.tags["k"] == "v"
    assert any("compute_kind" in key and value == "sql" for key, value in checks.op.tags.items())
    assert checks.op.retry_policy == dg.RetryPolicy(max_retries=3)
    assert set(checks.check_keys) == {spec.key for spec in specs}
    result = run([a, b, checks], resources={"r": 4}, run_config={"ops": {"both": {"config": {"n": 1}}}})
    assert outcomes(result) == [("c", True), ("d", False)]


@pytest.mark.api(
    "multi_asset_check.can_subset", "multi_asset_check.ins", "AssetSelection.checks",
    "AssetChecksDefinition.can_subset", "AssetCheckExecutionContext.check_specs",
    "AssetCheckExecutionContext.selected_asset_check_keys",
)  # fmt: skip
def test_a_multi_asset_check_makes_what_is_selected(run: Any) -> None:
    specs = [dg.AssetCheckSpec("c", asset="a"), dg.AssetCheckSpec("d", asset="a")]

    @dg.multi_asset_check(specs=specs, can_subset=True, ins={"x": "a"})
    def checks(context: dg.AssetCheckExecutionContext, x):
        assert {spec.key for spec in context.check_specs} == set(context.selected_asset_check_keys)
        for key in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(passed=x == 5, asset_key=key.asset_key, check_name=key.name)

    assert checks.can_subset
    selection = dg.AssetSelection.assets("a") | dg.AssetSelection.checks(specs[1].key)
    chosen = selection - dg.AssetSelection.checks(specs[0].key)
    assert outcomes(run([a, checks], selection=chosen)) == [("d", True)]
    assert sorted(outcomes(run([a, checks]))) == [("c", True), ("d", True)]


def test_each_of_several_checks_has_to_be_evaluated(run: Any) -> None:
    @dg.multi_asset_check(specs=[dg.AssetCheckSpec("c", asset="a"), dg.AssetCheckSpec("d", asset="a")])
    def checks():
        yield dg.AssetCheckResult(passed=True, check_name="c")

    assert run([a, checks]).get_failed_step_keys() == {"checks"}


@pytest.mark.parametrize("returned", [True, None], ids=str)
def test_what_is_no_result_is_not_recorded(run: Any, returned: Any) -> None:
    @dg.asset_check(asset=a)
    def c():
        return returned

    result = run([a, c])
    assert outcomes(result) == []


@pytest.mark.api(
    "asset_check.partitions_def",
    "AssetCheckSpec.partitions_def",
    "AssetCheckEvaluation.partition",
    "AssetChecksDefinition.partitions_def",
)
@pytest.mark.filterwarnings("ignore")
def test_checks_may_have_partitions(run: Any) -> None:
    letters = dg.StaticPartitionsDefinition(["x", "y"])

    @dg.asset(partitions_def=letters)
    def p():
        return 1

    @dg.asset_check(asset=p, partitions_def=letters)
    def c(context):
        return dg.AssetCheckResult(passed=context.op_execution_context.partition_key == "y")

    assert c.partitions_def == next(iter(c.check_specs)).partitions_def == letters
    [evaluation] = run([p, c], partition_key="y").get_asset_check_evaluations()
    assert evaluation.passed
    assert evaluation.partition == "y"


@pytest.mark.api("AssetCheckEvaluation.target_materialization_data")
def test_a_check_sees_the_materialization_of_its_run(run: Any, instance: Any) -> None:
    @dg.asset_check(asset=a)
    def c():
        return dg.AssetCheckResult(passed=True)

    result = run([a, c], instance=instance)
    [evaluation] = result.get_asset_check_evaluations()
    assert evaluation.target_materialization_data.run_id == result.run_id


def test_checks_called_in_a_test_are_functions() -> None:
    @dg.asset_check(asset=a)
    def c(a):
        return dg.AssetCheckResult(passed=a > 3)

    assert c(5).passed
    assert not c(1).passed


@pytest.mark.api(
    "build_asset_check_context.resources", "build_asset_check_context.resources_config",
    "build_asset_check_context.asset_config", "build_asset_check_context.instance",
)  # fmt: skip
def test_a_context_for_checks_called_in_a_test(instance: Any) -> None:
    @dg.resource(config_schema={"n": int})
    def r(context):
        return context.resource_config["n"]

    @dg.asset_check(asset=a, required_resource_keys={"r"}, config_schema={"m": int})
    def c(context: dg.AssetCheckExecutionContext):
        assert context.instance is instance
        return dg.AssetCheckResult(passed=context.resources.r + context.op_execution_context.op_config["m"] == 5)

    context = dg.build_asset_check_context(
        resources={"r": r}, resources_config={"r": {"config": {"n": 2}}}, asset_config={"m": 3}, instance=instance
    )
    assert c(context).passed


def test_two_checks_of_one_name_are_refused() -> None:
    def make() -> Any:
        @dg.asset_check(asset="a", name="c")
        def check():
            return dg.AssetCheckResult(passed=True)

        return check

    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.Definitions.validate_loadable(dg.Definitions(assets=[a], asset_checks=[make(), make()]))


@pytest.mark.api(
    "AssetCheckEvaluation.asset_key", "AssetCheckEvaluation.check_name", "AssetCheckEvaluation.passed",
    "AssetCheckEvaluation.blocking", "AssetCheckEvaluation.partition", "AssetCheckEvaluation.severity",
    "AssetCheckEvaluation.metadata", "AssetCheckEvaluation.description",
)  # fmt: skip
def test_evaluations_are_reported_from_outside(instance: Any) -> None:
    evaluation = dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey("a"), check_name="c", passed=False, metadata={"n": 1}, blocking=True,
        severity=dg.AssetCheckSeverity.WARN, description="d",
    )  # fmt: skip
    instance.report_runless_asset_event(evaluation)
    [record] = instance.get_event_records(dg.EventRecordsFilter(dg.DagsterEventType.ASSET_CHECK_EVALUATION))
    stored = record.event_log_entry.asset_check_evaluation
    assert stored == evaluation
    assert stored.blocking
    assert dg.AssetCheckEvaluation(dg.AssetKey("a"), "c", True, partition="x").partition == "x"


# --- the rules of checks, as events -----------------------------------------------------------------------------------


def kinds(result: Any, step: str) -> list[str]:
    return [event.event_type_value for event in result.all_events if event.step_key == step]


@pytest.mark.parametrize("blocking", [True, False])
def test_a_check_that_blocks_fails_its_step_after_it_was_recorded(run: Any, blocking: bool) -> None:
    @dg.asset_check(asset=a, blocking=blocking)
    def c():
        return dg.AssetCheckResult(passed=False)

    result = run([a, c])
    assert kinds(result, "a_c")[-2:] == [
        "ASSET_CHECK_EVALUATION", "STEP_FAILURE" if blocking else "STEP_SUCCESS",
    ]  # fmt: skip
    [event] = [event for event in result.all_events if event.event_type_value == "ASSET_CHECK_EVALUATION"]
    assert event.message == "Asset check 'c' on 'a' did not pass."
    if blocking:
        assert "CheckFailedError" in result.failure_data_for_node("a_c").error.cls_name


def test_a_check_inside_an_asset_is_an_output_of_its_step(run: Any) -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec("c", asset="x"), dg.AssetCheckSpec("d", asset="x")])
    def x():
        yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True, check_name="c")])
        yield dg.AssetCheckResult(passed=False, check_name="d")

    result = run([x])
    events = [event for event in result.all_events if event.step_key == "x"]
    for name in ("c", "d"):
        [at] = [
            number
            for number, event in enumerate(events)
            if event.event_type_value == "ASSET_CHECK_EVALUATION"
            and event.asset_check_evaluation_data.check_name == name
        ]
        before = events[at - 1]
        assert (before.event_type_value, before.step_output_data.output_name) == ("STEP_OUTPUT", f"x_{name}")
    assert result.success


def test_each_check_that_a_run_targets_is_planned_when_it_is_made(run: Any, instance: Any) -> None:
    @dg.multi_asset_check(specs=[dg.AssetCheckSpec("c", asset="a"), dg.AssetCheckSpec("d", asset="a")])
    def checks():
        yield dg.AssetCheckResult(passed=True, check_name="c")
        yield dg.AssetCheckResult(passed=True, check_name="d")

    result = run([a, checks], instance=instance)
    types = [
        entry.dagster_event.event_type_value for entry in instance.all_logs(result.run_id) if entry.is_dagster_event
    ]
    start = types.index("RUN_START") if "RUN_START" in types else types.index("PIPELINE_START")
    assert types[:start].count("ASSET_CHECK_EVALUATION_PLANNED") == types.count("ASSET_CHECK_EVALUATION_PLANNED") == 2


def test_what_is_downstream_waits_for_a_check_that_blocks(run: Any, instance: Any) -> None:
    """In the same run; in another one it does not ask for it."""

    @dg.asset_check(asset=a, blocking=True)
    def c():
        return dg.AssetCheckResult(passed=False)

    @dg.asset
    def b(a):
        return a

    @dg.asset
    def last(b):
        return b

    result = run([last, b, a, c], instance=instance)
    assert result.get_failed_step_keys() == {"a_c"}
    assert kinds(result, "b") == kinds(result, "last") == []
    assert run([last, b, a, c], instance=instance, selection="b").success
    assert run([last, b, a, c], instance=instance, selection=dg.AssetSelection.assets("a").without_checks()).success


def test_checks_are_selected_with_their_asset() -> None:
    @dg.asset_check(asset=a)
    def c():
        return dg.AssetCheckResult(passed=True)

    @dg.asset
    def b():
        return 1

    jobs = [dg.define_asset_job("with_checks", "a"), dg.define_asset_job("others", "b")]
    definitions = dg.Definitions(
        assets=[a, b], asset_checks=[c], jobs=jobs, resources={"io_manager": dg.mem_io_manager}
    )
    assert outcomes(definitions.get_job_def("with_checks").execute_in_process()) == [("c", True)]
    assert outcomes(definitions.get_job_def("others").execute_in_process()) == []


@pytest.mark.parametrize("returns", [True, False])
def test_a_result_may_be_returned_or_yielded(run: Any, returns: bool) -> None:
    @dg.asset_check(asset=a, name="c")
    def returning():
        return dg.AssetCheckResult(passed=True)

    @dg.asset_check(asset=a, name="c")
    def yielding():
        yield dg.AssetCheckResult(passed=True)

    assert outcomes(run([a, returning if returns else yielding])) == [("c", True)]


@pytest.mark.api("AssetCheckResult.severity", "AssetCheckSpec.blocking")
def test_a_failure_is_an_error_unless_it_says_otherwise() -> None:
    assert dg.AssetCheckResult(passed=False).severity == dg.AssetCheckSeverity.ERROR
    assert not dg.AssetCheckSpec("c", asset="a").blocking
