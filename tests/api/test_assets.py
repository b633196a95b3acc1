"""`asset`, `multi_asset`, and the classes that describe assets: what each parameter does."""

from datetime import timedelta
from typing import Any

import pytest

import dagster as dg


def spec_of(**given: Any) -> dg.AssetSpec:
    @dg.asset(**given)
    def a():
        return 1

    return a.get_asset_spec()


def step_keys(result: Any) -> list[str]:
    return [event.step_key for event in result.get_step_success_events()]


# --- asset: what it says about itself ---------------------------------------------------------------------------------


@pytest.mark.api("asset.name", "asset.key_prefix", "asset.key", "AssetSpec.key")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"name": "other"}, ["other"]),
        ({"key_prefix": "p"}, ["p", "a"]),
        ({"key_prefix": ["p", "q"], "name": "n"}, ["p", "q", "n"]),
        ({"key": "k"}, ["k"]),
        ({"key": ["k", "l"]}, ["k", "l"]),
        ({"key": dg.AssetKey(["x"])}, ["x"]),
    ],
)
def test_key(given: dict[str, Any], expected: list[str]) -> None:
    assert list(spec_of(**given).key.path) == expected


@pytest.mark.api("asset.key", "asset.name", "asset.key_prefix")
@pytest.mark.parametrize("given", [{"name": "n", "key": "k"}, {"key_prefix": "p", "key": "k"}])
def test_key_stands_alone(given: dict[str, Any]) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        spec_of(**given)


@pytest.mark.api(
    "asset.description", "asset.metadata", "asset.tags", "asset.group_name", "asset.owners", "asset.kinds",
    "asset.code_version", "AssetSpec.description", "AssetSpec.metadata", "AssetSpec.tags", "AssetSpec.group_name",
    "AssetSpec.owners", "AssetSpec.kinds", "AssetSpec.code_version",
)  # fmt: skip
@pytest.mark.parametrize("make", [spec_of, lambda **given: dg.AssetSpec("a", **given)], ids=["asset", "AssetSpec"])
def test_what_is_said_appears_on_the_spec(make: Any) -> None:
    spec = make(
        description="d", metadata={"m": 1}, tags={"t": "v"}, group_name="g", owners=["a@b.org", "team:x"],
        kinds={"python", "snowflake"}, code_version="3",
    )  # fmt: skip
    assert spec.description == "d"
    assert spec.metadata["m"] == 1
    assert spec.tags["t"] == "v"
    assert spec.group_name == "g"
    assert list(spec.owners) == ["a@b.org", "team:x"]
    assert spec.kinds == {"python", "snowflake"}
    assert spec.code_version == "3"


@pytest.mark.api(
    "AssetsDefinition.group_names_by_key", "AssetsDefinition.descriptions_by_key", "AssetsDefinition.keys",
    "AssetsDefinition.key", "AssetsDefinition.get_asset_spec", "AssetsDefinition.op", "AssetsDefinition.node_def",
)  # fmt: skip
def test_what_is_said_appears_on_the_definition() -> None:
    @dg.asset(group_name="g")
    def a():
        """From the docstring."""

    key = dg.AssetKey("a")
    assert a.key == key
    assert set(a.keys) == {key}
    assert a.group_names_by_key[key] == "g"
    assert a.descriptions_by_key[key] == "From the docstring."
    assert a.get_asset_spec(key).group_name == "g"
    assert a.op.name == a.node_def.name == "a"


@pytest.mark.api("asset.description")
def test_indentation_is_no_part_of_a_description() -> None:
    @dg.asset
    def a():
        """First line.

        Second line.
        """

    assert a.get_asset_spec().description == "First line.\n\nSecond line."


@pytest.mark.api("asset.owners", "asset.kinds", "asset.tags", "asset.group_name", "AssetSpec.owners")
@pytest.mark.parametrize("make", [spec_of, lambda **given: dg.AssetSpec("a", **given)], ids=["asset", "AssetSpec"])
@pytest.mark.parametrize(
    "given",
    [
        {"owners": ["nobody"]},
        {"owners": ["team:"]},
        {"kinds": {f"k{i}" for i in range(11)}},
        {"tags": {"a/b/c": "v"}},
        {"tags": {"t": "no spaces allowed!"}},
        {"tags": {"x" * 64: "v"}},
        {"group_name": "no-dash"},
    ],
    ids=str,
)
def test_what_breaks_a_rule_is_refused(make: Any, given: dict[str, Any]) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        make(**given)


EAGER = dg.AutomationCondition.eager()
FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=2), warn_window=timedelta(hours=1))


@pytest.mark.api(
    "asset.automation_condition", "asset.freshness_policy", "AssetSpec.automation_condition",
    "AssetSpec.freshness_policy",
)  # fmt: skip
@pytest.mark.parametrize("make", [spec_of, lambda **given: dg.AssetSpec("a", **given)], ids=["asset", "AssetSpec"])
def test_when_it_is_made_and_how_old_it_may_get(make: Any) -> None:
    spec = make(automation_condition=EAGER, freshness_policy=FRESH)
    assert (spec.automation_condition, spec.freshness_policy) == (EAGER, FRESH)
    assert (make().automation_condition, make().freshness_policy) == (None, None)
    for wrong in ({"automation_condition": "eager"}, {"freshness_policy": "daily"}):
        with pytest.raises(Exception, match=r"(?i)automation|freshness|expected|type"):
            make(**wrong)


@pytest.mark.api("AssetOut.automation_condition", "AssetOut.freshness_policy")
def test_when_one_of_several_is_made() -> None:
    @dg.multi_asset(outs={"a": dg.AssetOut(automation_condition=EAGER, freshness_policy=FRESH), "b": dg.AssetOut()})
    def make():
        return 1, 2

    spec, other = make.get_asset_spec(dg.AssetKey("a")), make.get_asset_spec(dg.AssetKey("b"))
    assert (spec.automation_condition, spec.freshness_policy) == (EAGER, FRESH)
    assert (other.automation_condition, other.freshness_policy) == (None, None)


# --- asset: what it is made from --------------------------------------------------------------------------------------


@pytest.mark.api("asset.deps", "AssetsDefinition.asset_deps", "AssetsDefinition.dependency_keys", "AssetSpec.deps")
def test_deps_order_without_loading(run: Any, shelf: Any) -> None:
    @dg.asset
    def a():
        return 1

    @dg.asset(deps=[a, "outside", dg.AssetKey(["o", "p"]), dg.AssetSpec("s"), dg.AssetDep("d")])
    def b():
        return 2

    expected = {dg.AssetKey(path) for path in (["a"], ["outside"], ["o", "p"], ["s"], ["d"])}
    assert b.asset_deps[b.key] == set(b.dependency_keys) == expected
    assert {dep.asset_key for dep in b.get_asset_spec().deps} == expected
    assert step_keys(run([b, a])) == ["a", "b"]
    assert shelf.loaded == []


@pytest.mark.api("asset.ins", "AssetIn.key", "AssetIn.key_prefix", "AssetIn.metadata")
@pytest.mark.parametrize(
    "asset_in",
    [
        dg.AssetIn(key=["p", "a"], metadata={"m": 1}),
        dg.AssetIn(key_prefix="p", metadata={"m": 1}),
        dg.AssetIn(["p", "a"]),
    ],
)
def test_ins_name_the_upstream_asset(run: Any, shelf: Any, asset_in: dg.AssetIn) -> None:
    @dg.asset(key_prefix="p")
    def a():
        return 5

    @dg.asset(ins={"a": asset_in})
    def b(a):
        return a + 1

    assert run([a, b]).asset_value("b") == 6
    assert shelf.loaded == ["p/a"]
    assert shelf.contexts["in p/a"]["definition_metadata"] == (asset_in.metadata or {})


@pytest.mark.api("AssetIn.input_manager_key")
def test_input_manager_loads_in_place_of_the_io_manager(run: Any, shelf: Any, new_shelf: Any) -> None:
    other = new_shelf()
    other.values["a"] = 40

    @dg.asset
    def a():
        return 1

    @dg.asset(ins={"a": dg.AssetIn(input_manager_key="other")})
    def b(a):
        return a

    assert run([a, b], resources={"other": other}).asset_value("b") == 40
    assert (shelf.loaded, other.loaded) == ([], ["a"])


@pytest.mark.api("AssetIn.dagster_type")
def test_nothing_loads_nothing(run: Any, shelf: Any) -> None:
    @dg.asset
    def a():
        return 1

    @dg.asset(ins={"a": dg.AssetIn(dagster_type=dg.Nothing)})
    def b():
        return 2

    assert run([a, b]).success
    assert shelf.loaded == []


@pytest.mark.api("AssetIn.partition_mapping", "AssetsDefinition.get_partition_mapping", "AssetDep.partition_mapping")
def test_partition_mapping_says_what_is_loaded(run: Any, shelf: Any) -> None:
    days = dg.StaticPartitionsDefinition(["x", "y"])
    mapping = dg.StaticPartitionMapping({"x": "y", "y": "x"})

    @dg.asset(partitions_def=days)
    def a():
        return None

    @dg.asset(partitions_def=days, ins={"a": dg.AssetIn(partition_mapping=mapping)})
    def b(context: dg.AssetExecutionContext, a):
        return context.asset_partition_key_for_input("a")

    @dg.asset(partitions_def=days, deps=[dg.AssetDep(a, partition_mapping=mapping)])
    def c():
        return None

    assert b.get_partition_mapping(a.key) == mapping
    assert c.get_partition_mapping(a.key) == mapping
    shelf.values["a"] = 1
    result = run([a, b], partition_key="x", selection=[b])
    assert result.asset_value("b") == "y"


# --- asset: how it is made --------------------------------------------------------------------------------------------


@pytest.mark.api("asset.io_manager_key")
def test_io_manager_key_chooses_the_io_manager(run: Any, shelf: Any, new_shelf: Any) -> None:
    other = new_shelf()

    @dg.asset(io_manager_key="other")
    def a():
        return 1

    @dg.asset
    def b(a):
        return a + 1

    assert run([a, b], resources={"other": other}).success
    assert (other.values, other.loaded) == ({"a": 1}, ["a"])
    assert shelf.values == {"b": 2}


@pytest.mark.api("asset.io_manager_def")
@pytest.mark.filterwarnings("ignore")
def test_io_manager_def_is_bound_to_the_asset(run: Any, shelf: Any, new_shelf: Any) -> None:
    own = new_shelf()

    @dg.asset(io_manager_def=dg.IOManagerDefinition.hardcoded_io_manager(own))
    def a():
        return 1

    assert run([a]).success
    assert (own.values, shelf.values) == ({"a": 1}, {})
    with pytest.raises(Exception, match="io_manager_def"):
        spec_of(io_manager_def=own, io_manager_key="x")


@pytest.mark.api("asset.resource_defs", "AssetsDefinition.resource_defs")
@pytest.mark.filterwarnings("ignore")
def test_resource_defs_are_bound_to_the_asset(run: Any) -> None:
    @dg.asset(resource_defs={"r": dg.ResourceDefinition.hardcoded_resource("mine")}, required_resource_keys={"r"})
    def a(context: dg.AssetExecutionContext):
        return context.resources.r

    assert "r" in a.resource_defs
    assert run([a]).asset_value("a") == "mine"


@pytest.mark.api("asset.required_resource_keys", "AssetsDefinition.required_resource_keys")
def test_required_resources_are_provided_and_needed(run: Any) -> None:
    @dg.asset(required_resource_keys={"r"})
    def a(context: dg.AssetExecutionContext):
        return context.resources.r

    assert "r" in a.required_resource_keys
    assert run([a], resources={"r": 7}).asset_value("a") == 7
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        run([a])


@pytest.mark.api("asset.config_schema", "materialize.run_config")
def test_config_schema_is_checked_and_given(run: Any) -> None:
    @dg.asset(config_schema={"n": int})
    def a(context: dg.AssetExecutionContext):
        return context.op_execution_context.op_config["n"]

    assert run([a], run_config={"ops": {"a": {"config": {"n": 3}}}}).asset_value("a") == 3
    with pytest.raises(dg.DagsterInvalidConfigError):
        run([a], run_config={"ops": {"a": {"config": {"n": "three"}}}})
    with pytest.raises(dg.DagsterInvalidConfigError):
        run([a])


@pytest.mark.api("asset.dagster_type")
def test_dagster_type_is_checked(run: Any) -> None:
    @dg.asset(dagster_type=int)
    def a():
        return "not a number"

    result = run([a])
    assert not result.success
    assert result.get_failed_step_keys() == {"a"}


@pytest.mark.api("asset.op_tags", "asset.pool", "asset.retry_policy", "asset.code_version")
def test_what_the_op_gets() -> None:
    @dg.asset(
        op_tags={"team": "x"}, pool="db", retry_policy=dg.RetryPolicy(max_retries=4), code_version="7",
    )  # fmt: skip
    def a():
        return 1

    assert a.op.tags["team"] == "x"
    assert a.op.pool == "db"
    assert a.op.retry_policy == dg.RetryPolicy(max_retries=4)


@pytest.mark.api("asset.retry_policy")
def test_retry_policy_retries(run: Any) -> None:
    attempts = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=2))
    def a(context: dg.AssetExecutionContext):
        attempts.append(context.op_execution_context.retry_number)
        if len(attempts) < 3:
            raise ValueError("again")
        return 1

    result = run([a])
    assert result.success
    assert attempts == [0, 1, 2]
    assert result.retry_attempts_for_node("a") == 2


@pytest.mark.api("asset.output_required")
def test_an_output_that_is_not_required_may_be_left_out(run: Any) -> None:
    def make(required: bool) -> Any:
        @dg.asset(output_required=required)
        def a():
            if False:
                yield dg.Output(1)

        @dg.asset
        def b(a):
            return a

        return run([a, b])

    result = make(False)
    assert result.success
    assert result.is_node_skipped("b")
    assert result.get_asset_materialization_events() == []
    assert not make(True).success


@pytest.mark.api("asset.partitions_def", "AssetsDefinition.partitions_def", "AssetSpec.partitions_def")
def test_partitions_def(run: Any, shelf: Any) -> None:
    letters = dg.StaticPartitionsDefinition(["x", "y"])

    @dg.asset(partitions_def=letters)
    def a(context: dg.AssetExecutionContext):
        return context.partition_key

    assert a.partitions_def == letters
    assert a.get_asset_spec().partitions_def == letters
    result = run([a], partition_key="y")
    assert shelf.values == {"a|y": "y"}
    assert result.get_asset_materialization_events()[0].partition == "y"
    with pytest.raises(dg.DagsterUnknownPartitionError):
        run([a], partition_key="z")


@pytest.mark.api("asset.backfill_policy", "BackfillPolicy.max_partitions_per_run")
@pytest.mark.filterwarnings("ignore")
def test_backfill_policy() -> None:
    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["x"]), backfill_policy=dg.BackfillPolicy.multi_run(3))
    def a():
        return 1

    assert a.backfill_policy == dg.BackfillPolicy(max_partitions_per_run=3)


@pytest.mark.api("BackfillPolicy.single_run", "BackfillPolicy.multi_run", "BackfillPolicy.max_partitions_per_run")
def test_backfill_policies() -> None:
    assert dg.BackfillPolicy.single_run().max_partitions_per_run is None
    assert dg.BackfillPolicy.multi_run().max_partitions_per_run == 1
    assert dg.BackfillPolicy.multi_run(max_partitions_per_run=5).max_partitions_per_run == 5


@pytest.mark.api("asset.is_virtual", "AssetSpec.is_virtual")
@pytest.mark.filterwarnings("ignore")
def test_is_virtual() -> None:
    assert spec_of(is_virtual=True).is_virtual
    assert dg.AssetSpec("a", is_virtual=True).is_virtual
    assert not spec_of().is_virtual


@pytest.mark.api("asset.check_specs", "AssetsDefinition.check_specs")
def test_check_specs_are_evaluated_by_the_asset(run: Any) -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec("c", asset="a")])
    def a():
        yield dg.Output(1)
        yield dg.AssetCheckResult(check_name="c", passed=False)

    assert [spec.name for spec in a.check_specs] == ["c"]
    result = run([a])
    assert result.success
    assert [(one.check_name, one.passed) for one in result.get_asset_check_evaluations()] == [("c", False)]


@pytest.mark.api("asset.check_specs")
def test_a_check_of_another_asset_is_refused() -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        spec_of(check_specs=[dg.AssetCheckSpec("c", asset="other")])


@pytest.mark.api("asset.description", "asset.metadata")
def test_metadata_reaches_the_io_manager(run: Any, shelf: Any) -> None:
    @dg.asset(metadata={"table": "t"}, description="d")
    def a():
        return 1

    assert run([a]).success
    assert shelf.contexts["out a"]["definition_metadata"]["table"] == "t"


def test_an_asset_called_in_a_test_is_a_function() -> None:
    @dg.asset
    def a(x):
        return x + 1

    assert a(2) == 3
    assert a(x=2) == 3


@pytest.mark.parametrize(("value", "fits"), [(3, True), ("text", False)])
def test_the_value_of_a_result_is_checked(run: Any, value: Any, fits: bool) -> None:
    @dg.asset
    def a() -> dg.MaterializeResult[int]:
        return dg.MaterializeResult(value=value)

    @dg.asset
    def b() -> dg.MaterializeResult:
        return dg.MaterializeResult()

    assert run([a]).success is fits
    assert run([b]).success


@pytest.mark.api("asset.deps", "AssetIn.partition_mapping")
def test_an_asset_depends_on_itself_between_partitions_only() -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError):

        @dg.asset(deps=["a"])
        def a():
            return 1

    with pytest.raises(dg.DagsterInvalidDefinitionError):

        @dg.multi_asset(specs=[dg.AssetSpec("b", deps=["b"])])
        def make():
            yield dg.MaterializeResult()

    yesterday = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)

    @dg.asset(
        partitions_def=dg.DailyPartitionsDefinition("2024-01-01"), ins={"c": dg.AssetIn(partition_mapping=yesterday)}
    )
    def c(c):
        return 1

    assert set(c.dependency_keys) == {c.key}


# --- multi_asset ------------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "multi_asset.outs", "AssetOut.key_prefix", "AssetOut.key", "AssetOut.description", "AssetOut.metadata",
    "AssetOut.group_name", "AssetOut.code_version", "AssetOut.owners", "AssetOut.tags", "AssetOut.kinds",
    "AssetOut.is_virtual",
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_outs_describe_the_assets() -> None:
    said = {
        "description": "d", "metadata": {"m": 1}, "group_name": "g", "code_version": "1", "owners": ["team:x"],
        "tags": {"t": "v"}, "kinds": {"csv"}, "is_virtual": True,
    }  # fmt: skip
    outs = {
        "one": dg.AssetOut(key_prefix="p", **said),
        "two": dg.AssetOut(key=["q", "r"]),
        "three": dg.AssetOut(key_prefix=["s", "t"]),
    }

    @dg.multi_asset(outs=outs)
    def make():
        return 1, 2, 3

    assert {key.to_user_string() for key in make.keys} == {"p/one", "q/r", "s/t/three"}
    spec = make.get_asset_spec(dg.AssetKey(["p", "one"]))
    assert spec.description == "d"
    assert spec.metadata["m"] == 1
    assert spec.group_name == "g"
    assert spec.code_version == "1"
    assert list(spec.owners) == ["team:x"]
    assert spec.tags["t"] == "v"
    assert spec.kinds == {"csv"}
    assert spec.is_virtual


@pytest.mark.api("AssetOut.io_manager_key", "AssetOut.is_required", "AssetOut.dagster_type", "multi_asset.outs")
def test_outs_say_how_values_are_kept(run: Any, shelf: Any, new_shelf: Any) -> None:
    other = new_shelf()

    @dg.multi_asset(
        outs={
            "a": dg.AssetOut(io_manager_key="other"),
            "b": dg.AssetOut(is_required=False),
            "c": dg.AssetOut(dagster_type=int),
        }
    )
    def make():
        yield dg.Output(1, "a")
        yield dg.Output("text", "c")

    result = run([make], resources={"other": other})
    assert not result.success  # "text" is no int
    assert other.values == {"a": 1}
    assert "b" not in shelf.values


@pytest.mark.api("AssetOut.from_spec", "AssetOut.backfill_policy")
def test_out_from_spec() -> None:
    policy = dg.BackfillPolicy.single_run()
    out = dg.AssetOut.from_spec(dg.AssetSpec(["p", "a"], group_name="g"), io_manager_key="io", backfill_policy=policy)

    @dg.multi_asset(outs={"x": out})
    def make():
        return 1

    assert make.get_asset_spec(dg.AssetKey(["p", "a"])).group_name == "g"
    assert out.io_manager_key == "io"
    assert out.backfill_policy == policy
    with pytest.raises(Exception, match=r"deps|partition"):
        dg.AssetOut.from_spec(dg.AssetSpec("a", deps=["b"]))


@pytest.mark.api("multi_asset.specs", "AssetSpec.skippable", "AssetSpec.deps", "MaterializeResult.asset_key")
def test_specs_are_reported(run: Any, shelf: Any) -> None:
    specs = [dg.AssetSpec("a"), dg.AssetSpec("b", deps=["a"]), dg.AssetSpec("c", skippable=True)]

    @dg.multi_asset(specs=specs)
    def make():
        yield dg.MaterializeResult(asset_key="a", metadata={"n": 1})

    result = run([make])
    assert result.success
    made = [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()]
    assert made == ["a", "b"]  # c may be skipped, b may not
    assert shelf.stored == []
    assert make.asset_deps[dg.AssetKey("b")] == {dg.AssetKey("a")}


@pytest.mark.api("multi_asset.outs", "multi_asset.specs")
def test_outs_or_specs() -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError):

        @dg.multi_asset(outs={"a": dg.AssetOut()}, specs=[dg.AssetSpec("b")])
        def make():
            return 1


@pytest.mark.api(
    "multi_asset.name", "multi_asset.description", "multi_asset.op_tags", "multi_asset.pool",
    "multi_asset.retry_policy", "multi_asset.group_name", "multi_asset.code_version", "multi_asset.partitions_def",
    "multi_asset.backfill_policy",
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_what_is_said_for_all_of_them() -> None:
    letters = dg.StaticPartitionsDefinition(["x"])

    @dg.multi_asset(
        outs={"a": dg.AssetOut(), "b": dg.AssetOut()}, name="both", description="d", op_tags={"k": "v"}, pool="db",
        retry_policy=dg.RetryPolicy(max_retries=2), group_name="g", code_version="9", partitions_def=letters,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )  # fmt: skip
    def make():
        return 1, 2

    assert make.op.name == "both"
    assert make.op.description == "d"
    assert make.op.tags["k"] == "v"
    assert make.op.pool == "db"
    assert make.op.retry_policy == dg.RetryPolicy(max_retries=2)
    assert make.partitions_def == letters
    assert make.backfill_policy == dg.BackfillPolicy.single_run()
    for key in make.keys:
        assert make.get_asset_spec(key).group_name == "g"
        assert make.get_asset_spec(key).code_version == "9"


@pytest.mark.api("multi_asset.can_subset", "AssetsDefinition.can_subset")
def test_can_subset_makes_what_is_selected(run: Any, shelf: Any) -> None:
    @dg.multi_asset(outs={"a": dg.AssetOut(is_required=False), "b": dg.AssetOut(is_required=False)}, can_subset=True)
    def make(context: dg.AssetExecutionContext):
        for key in sorted(context.op_execution_context.selected_asset_keys):
            yield dg.Output(key.to_user_string(), key.to_python_identifier())

    assert make.can_subset
    assert run([make], selection="b").success
    assert shelf.values == {"b": "b"}


@pytest.mark.api("multi_asset.can_subset")
def test_without_can_subset_everything_has_to_be_selected(run: Any) -> None:
    @dg.multi_asset(outs={"a": dg.AssetOut(), "b": dg.AssetOut()})
    def make():
        return 1, 2

    assert not make.can_subset
    with pytest.raises(dg.DagsterError):
        run([make], selection="b")


@pytest.mark.api("multi_asset.internal_asset_deps", "multi_asset.ins", "multi_asset.deps")
def test_internal_asset_deps(run: Any) -> None:
    @dg.asset(key_prefix="p")
    def up():
        return 1

    @dg.multi_asset(
        outs={"a": dg.AssetOut(), "b": dg.AssetOut()},
        ins={"x": dg.AssetIn(key=["p", "up"])},
        internal_asset_deps={"a": {dg.AssetKey(["p", "up"])}, "b": {dg.AssetKey("a")}},
    )
    def make(x):
        return x, x + 1

    @dg.multi_asset(outs={"c": dg.AssetOut()}, deps=[up])
    def later():
        return 0

    assert make.asset_deps[dg.AssetKey("a")] == {dg.AssetKey(["p", "up"])}
    assert make.asset_deps[dg.AssetKey("b")] == {dg.AssetKey("a")}
    assert later.asset_deps[dg.AssetKey("c")] == {dg.AssetKey(["p", "up"])}
    assert run([up, make, later]).asset_value("b") == 2


@pytest.mark.api(
    "multi_asset.required_resource_keys", "multi_asset.resource_defs", "multi_asset.config_schema",
    "multi_asset.check_specs",
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_what_a_multi_asset_needs(run: Any) -> None:
    @dg.multi_asset(
        specs=[dg.AssetSpec("a")], required_resource_keys={"r", "own"}, config_schema={"n": int},
        resource_defs={"own": dg.ResourceDefinition.hardcoded_resource(10)},
        check_specs=[dg.AssetCheckSpec("c", asset="a")],
    )  # fmt: skip
    def make(context: dg.AssetExecutionContext):
        inner = context.op_execution_context
        total = context.resources.r + context.resources.own + inner.op_config["n"]
        yield dg.MaterializeResult(metadata={"total": total}, check_results=[dg.AssetCheckResult(passed=total == 111)])

    config = {"ops": {"make": {"config": {"n": 1}}}}
    result = run([make], resources={"r": 100}, run_config=config)
    materialization = result.asset_materializations_for_node("make")[0]
    assert materialization.metadata["total"].value == 111
    assert [one.passed for one in result.get_asset_check_evaluations()] == [True]


# --- keys, deps, specs ------------------------------------------------------------------------------------------------


@pytest.mark.api("AssetKey.path", "AssetKey.parts")
def test_asset_key() -> None:
    assert dg.AssetKey("a/b").path == ["a/b"]
    assert list(dg.AssetKey(["a", "b"]).parts) == ["a", "b"]
    assert dg.AssetKey(path=["a", "b"]).to_user_string() == "a/b"
    assert dg.AssetKey.from_user_string("a/b") == dg.AssetKey(["a", "b"])
    assert dg.AssetKey(["a", "b"]).has_prefix(["a"])
    assert dg.AssetKey("b").with_prefix(["x", "a"]) == dg.AssetKey(["x", "a", "b"])
    assert len({dg.AssetKey("a"), dg.AssetKey(["a"])}) == 1


@pytest.mark.api("AssetCheckKey.asset_key", "AssetCheckKey.name")
def test_asset_check_key() -> None:
    key = dg.AssetCheckKey(asset_key=dg.AssetKey("a"), name="c")
    assert (key.asset_key, key.name) == (dg.AssetKey("a"), "c")
    assert key == dg.AssetCheckKey(dg.AssetKey("a"), "c")


@pytest.mark.api("AssetDep.asset", "AssetDep.asset_key", "AssetDep.metadata")
def test_asset_dep() -> None:
    dep = dg.AssetDep(asset=dg.AssetSpec(["p", "a"]), metadata={"m": 1})
    assert dep.asset_key == dg.AssetKey(["p", "a"])
    assert dep.metadata == {"m": 1}
    assert dg.AssetDep("a").asset_key == dg.AssetKey("a")


@pytest.mark.api("AssetDep.partition_mapping", "AssetSpec.deps")
def test_one_dep_said_twice_must_agree() -> None:
    with pytest.raises(dg.DagsterError):
        dg.AssetSpec(
            "b",
            deps=[dg.AssetDep("a", partition_mapping=dg.AllPartitionMapping()), dg.AssetDep("a")],
        )


@pytest.mark.api("AssetSpec.replace_attributes", "AssetSpec.merge_attributes", "AssetSpec.with_io_manager_key")
def test_specs_are_changed_by_copying() -> None:
    spec = dg.AssetSpec("a", tags={"t": "v"}, owners=["team:x"], kinds={"csv"}, deps=["u"], metadata={"m": 1})
    replaced = spec.replace_attributes(key="b", tags={"w": "x"}, group_name="g")
    assert (replaced.key, replaced.group_name) == (dg.AssetKey("b"), "g")
    assert "t" not in replaced.tags
    assert replaced.tags["w"] == "x"
    merged = spec.merge_attributes(deps=["v"], metadata={"n": 2}, owners=["team:y"], tags={"w": "x"}, kinds={"sql"})
    assert {dep.asset_key.to_user_string() for dep in merged.deps} == {"u", "v"}
    assert {"m", "n"} <= set(merged.metadata)
    assert list(merged.owners) == ["team:x", "team:y"]
    assert merged.kinds == {"csv", "sql"}
    assert (merged.tags["t"], merged.tags["w"]) == ("v", "x")
    assert spec.with_io_manager_key("io").metadata["dagster/io_manager_key"] == "io"
    assert spec == dg.AssetSpec("a", tags={"t": "v"}, owners=["team:x"], kinds={"csv"}, deps=["u"], metadata={"m": 1})


@pytest.mark.api("AssetSpec.kinds")
def test_kinds_are_replaced_alone() -> None:
    spec = dg.AssetSpec("a", tags={"t": "v"}, kinds={"csv"}).replace_attributes(kinds={"sql"})
    assert spec.kinds == {"sql"}
    assert spec.tags["t"] == "v"


@pytest.mark.api("AssetsDefinition.get_asset_spec", "AssetsDefinition.key")
def test_asking_for_what_is_not_there() -> None:
    @dg.multi_asset(specs=[dg.AssetSpec("a"), dg.AssetSpec("b")])
    def make():
        yield dg.MaterializeResult("a")

    with pytest.raises(Exception, match=r"(?i)multiple|2 assets"):
        _ = make.key
    with pytest.raises(Exception, match="z"):
        make.get_asset_spec(dg.AssetKey("z"))


@pytest.mark.api(
    "materialize.assets", "materialize.selection", "materialize.tags", "materialize.raise_on_error",
    "materialize.instance", "materialize.resources", "materialize.partition_key",
)  # fmt: skip
def test_materialize(instance: Any, shelf: Any) -> None:
    letters = dg.StaticPartitionsDefinition(["x"])

    @dg.asset(partitions_def=letters)
    def a():
        return 1

    @dg.asset(partitions_def=letters)
    def bad(a):
        raise ValueError("boom")

    result = dg.materialize(
        assets=[a, bad], selection=[a], tags={"t": "v"}, instance=instance, resources={"io_manager": shelf},
        partition_key="x",
    )  # fmt: skip
    assert step_keys(result) == ["a"]
    assert shelf.values == {"a|x": 1}
    run = instance.get_run_by_id(result.run_id)
    assert run.tags["t"] == "v"
    assert run.tags["dagster/partition"] == "x"
    with pytest.raises(ValueError, match="boom"):
        dg.materialize([bad, a], partition_key="x", resources={"io_manager": dg.mem_io_manager})
    quiet = dg.materialize(
        [bad, a], partition_key="x", raise_on_error=False, resources={"io_manager": dg.mem_io_manager}
    )
    assert not quiet.success


@pytest.mark.api(
    "materialize_to_memory.assets", "materialize_to_memory.selection", "materialize_to_memory.tags",
    "materialize_to_memory.raise_on_error", "materialize_to_memory.instance", "materialize_to_memory.resources",
    "materialize_to_memory.partition_key", "materialize_to_memory.run_config",
)  # fmt: skip
def test_materialize_to_memory(instance: Any) -> None:
    @dg.asset(
        partitions_def=dg.StaticPartitionsDefinition(["x"]), config_schema={"n": int}, required_resource_keys={"r"}
    )
    def a(context: dg.AssetExecutionContext):
        return context.op_execution_context.op_config["n"] + context.resources.r

    @dg.asset
    def bad():
        raise ValueError("boom")

    result = dg.materialize_to_memory(
        assets=[a, bad], selection=[a], tags={"t": "v"}, instance=instance, resources={"r": 1}, partition_key="x",
        run_config={"ops": {"a": {"config": {"n": 2}}}},
    )  # fmt: skip
    assert result.asset_value("a") == 3
    assert instance.get_run_by_id(result.run_id).tags["t"] == "v"
    assert not dg.materialize_to_memory([bad], raise_on_error=False).success


@pytest.mark.api("multi_asset.can_subset", "multi_asset.check_specs")
def test_an_op_is_called_as_often_as_what_lies_between_its_assets_demands() -> None:
    calls = []

    @dg.asset
    def first():
        return 1

    @dg.multi_asset(
        specs=[dg.AssetSpec("low", deps=["first"], skippable=True), dg.AssetSpec("high", deps=["middle"])],
        check_specs=[dg.AssetCheckSpec("fine", asset="high")], can_subset=True,
    )  # fmt: skip
    def both(context: dg.AssetExecutionContext):
        calls.append(sorted(key.to_user_string() for key in context.selected_asset_keys))
        for key in context.selected_asset_keys:
            yield dg.MaterializeResult(key)
        for check in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(asset_key=check.asset_key, check_name=check.name, passed=True)

    @dg.asset(deps=["low"])
    def middle():
        return 2

    def made(result: dg.ExecuteInProcessResult) -> list[tuple[str | None, str]]:
        return [
            (event.step_key, event.asset_key.to_user_string()) for event in result.get_asset_materialization_events()
        ]

    everything = [first, both, middle]
    result = dg.materialize(everything)
    assert calls == [["low"], ["high"]]
    assert made(result) == [("first", "first"), ("both", "low"), ("middle", "middle"), ("both_2", "high")]
    assert [one.check_name for one in result.get_asset_check_evaluations()] == ["fine"]
    calls.clear()
    assert sorted(made(dg.materialize(everything, selection=["low", "high"]))) == [("both", "high"), ("both", "low")]
    assert calls == [["high", "low"]]
