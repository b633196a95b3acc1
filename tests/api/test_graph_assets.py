"""`graph_asset`, `graph_multi_asset`, `AssetsDefinition.from_graph` and `from_op`: assets that ops make together."""

from typing import Any

import pytest

import dagster as dg


@dg.op
def one() -> int:
    return 1


@dg.op
def double(x: int) -> int:
    return 2 * x


@dg.op
def add(a: int, b: int) -> int:
    return a + b


def step_keys(result: Any) -> list[str]:
    return [event.step_key for event in result.get_step_success_events()]


def made(result: Any) -> dict[dg.AssetKey, str]:
    return {event.asset_key: event.step_key for event in result.get_asset_materialization_events()}


@dg.graph
def doubled():
    return double(one())


@dg.graph(out={"small": dg.GraphOut(), "big": dg.GraphOut()})
def sizes(seed):
    small = double(seed)
    return {"small": small, "big": double.alias("again")(small)}


@pytest.mark.api("graph_asset.key_prefix")
def test_the_ops_of_a_graph_make_the_asset() -> None:
    @dg.asset
    def up() -> int:
        return 5

    def compose_fn(up):
        return double(double.alias("first")(up))

    twice = dg.graph_asset(key_prefix="p", name="twice")(compose_fn)
    result = dg.materialize([up, twice], instance=dg.DagsterInstance.ephemeral())
    assert step_keys(result) == ["up", "p__twice.first", "p__twice.double"]
    assert made(result)[dg.AssetKey(["p", "twice"])] == "p__twice.double"
    assert result.asset_value(["p", "twice"]) == result.output_for_node("p__twice") == 20


@pytest.mark.api("graph_asset.ins", "graph_asset.partitions_def")
def test_inputs_and_partitions() -> None:
    parts = dg.StaticPartitionsDefinition(["x", "y"])

    @dg.op
    def where(context: dg.OpExecutionContext, n: int) -> str:
        return f"{context.partition_key}{n}"

    @dg.asset(key=["deep", "n"], partitions_def=parts)
    def n() -> int:
        return 3

    @dg.graph_asset(ins={"value": dg.AssetIn(["deep", "n"])}, partitions_def=parts)
    def placed(value):
        return where(value)

    result = dg.materialize([n, placed], partition_key="y")
    assert result.asset_value("placed") == "y3"
    assert [event.partition for event in result.get_asset_materialization_events()] == ["y", "y"]
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="no such parameter"):

        @dg.graph_asset(ins={"other": dg.AssetIn()})
        def wrong(value):
            return double(value)


@pytest.mark.api(
    "graph_asset.name", "graph_asset.key", "graph_asset.description", "graph_asset.group_name", "graph_asset.metadata",
    "graph_asset.tags", "graph_asset.owners", "graph_asset.automation_condition", "graph_asset.backfill_policy",
    "graph_asset.code_version", "graph_asset.kinds",
)  # fmt: skip
def test_what_it_says_about_itself() -> None:
    given: dict[str, Any] = {
        "description": "d", "group_name": "g", "metadata": {"m": 1}, "tags": {"t": "u"}, "owners": ["team:x"],
        "automation_condition": dg.AutomationCondition.eager(), "code_version": "3", "kinds": {"sql"},
    }  # fmt: skip
    policy = dg.BackfillPolicy.single_run()

    def fn():
        return one()

    definition = dg.graph_asset(name="named", backfill_policy=policy, **given)(fn)
    spec = definition.get_asset_spec()
    assert spec.key == dg.AssetKey("named")
    assert definition.backfill_policy == policy
    assert (spec.description, spec.group_name, spec.metadata, spec.code_version) == ("d", "g", {"m": 1}, "3")
    assert (list(spec.owners), spec.kinds, spec.tags["t"]) == (["team:x"], {"sql"}, "u")
    assert spec.automation_condition == given["automation_condition"]
    assert dg.graph_asset(key=["a", "b"])(fn).key == dg.AssetKey(["a", "b"])
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="not both"):
        dg.graph_asset(key="a", name="b")(fn)


@pytest.mark.api("graph_asset.config")
def test_config_goes_to_the_ops_or_is_mapped() -> None:
    @dg.op(config_schema={"n": int})
    def number(context) -> int:
        return context.op_config["n"]

    def fn():
        return number()

    plain = dg.graph_asset(name="plain")(fn)
    result = dg.materialize([plain], run_config={"ops": {"plain": {"ops": {"number": {"config": {"n": 4}}}}}})
    assert result.asset_value("plain") == 4

    @dg.config_mapping(config_schema={"half": int})
    def mapping(value):
        return {"number": {"config": {"n": 2 * value["half"]}}}

    mapped = dg.graph_asset(name="mapped", config=mapping)(fn)
    result = dg.materialize([mapped], run_config={"ops": {"mapped": {"config": {"half": 4}}}})
    assert result.asset_value("mapped") == 8


@pytest.mark.api("graph_asset.hooks", "graph_asset.resource_defs")
def test_hooks_and_resources_reach_every_op() -> None:
    seen: list[str] = []

    @dg.success_hook
    def note(context):
        seen.append(context.step_key)

    @dg.op(required_resource_keys={"number"})
    def read(context) -> int:
        return context.resources.number

    @dg.graph_asset(hooks={note}, resource_defs={"number": dg.ResourceDefinition.hardcoded_resource(7)})
    def g():
        return double(read())

    assert dg.materialize([g]).asset_value("g") == 14
    assert seen == ["g.read", "g.double"]
    assert g.required_resource_keys == {"number", "io_manager"}


@pytest.mark.api("graph_asset.check_specs", "graph_multi_asset.check_specs")
def test_an_op_of_the_graph_evaluates_its_check() -> None:
    checked = dg.AssetCheckSpec("positive", asset="g", blocking=True)

    @dg.op
    def positive(x: int) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=x > 0, metadata={"x": x})

    @dg.graph_asset(check_specs=[checked])
    def g():
        x = one()
        return {"result": x, checked.get_python_identifier(): positive(x)}

    result = dg.materialize([g])
    (evaluation,) = result.get_asset_check_evaluations()
    assert (evaluation.asset_key, evaluation.check_name, evaluation.passed) == (dg.AssetKey("g"), "positive", True)
    assert evaluation.blocking
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="does not make"):

        @dg.graph_multi_asset(outs={"a": dg.AssetOut()}, check_specs=[checked])
        def other():
            x = one()
            return {"a": x, checked.get_python_identifier(): positive(x)}


@pytest.mark.api("graph_multi_asset.outs", "graph_multi_asset.name", "graph_multi_asset.group_name")
def test_several_assets_and_one_made_on_the_way_to_another() -> None:
    @dg.graph_multi_asset(
        name="both", outs={"a": dg.AssetOut(), "b": dg.AssetOut(key=["x", "b"], metadata={"m": 1})}, group_name="g"
    )
    def fn():
        a = one()
        return {"a": a, "b": double(a)}

    instance = dg.DagsterInstance.ephemeral()
    result = dg.materialize([fn], instance=instance)
    assert made(result) == {dg.AssetKey("a"): "both.one", dg.AssetKey(["x", "b"]): "both.double"}
    assert (result.asset_value("a"), result.asset_value(["x", "b"])) == (1, 2)
    assert set(fn.group_names_by_key.values()) == {"g"}
    assert fn.metadata_by_key[dg.AssetKey(["x", "b"])] == {"m": 1}
    assert dg.Definitions([fn]).load_asset_value("a", instance=instance) == 1


@pytest.mark.api("graph_multi_asset.can_subset", "graph_multi_asset.ins", "graph_multi_asset.partitions_def")
def test_a_part_runs_only_the_ops_it_needs() -> None:
    outs = {"a": dg.AssetOut(), "b": dg.AssetOut(), "c": dg.AssetOut()}

    def fn(seed):
        a = double(seed)
        return {"a": a, "b": double.alias("b")(a), "c": double.alias("c")(seed)}

    part = dg.graph_multi_asset(
        outs=outs, name="part", can_subset=True, ins={"seed": dg.AssetIn("n")},
        partitions_def=dg.StaticPartitionsDefinition(["x"]),
    )(fn)  # fmt: skip

    @dg.asset
    def n() -> int:
        return 1

    both = [n, part]
    assert step_keys(dg.materialize(both, selection=["n", "c"], partition_key="x")) == ["n", "part.c"]
    assert step_keys(dg.materialize(both, selection=["n", "a"], partition_key="x")) == ["n", "part.double"]
    assert step_keys(dg.materialize(both, selection=["n", "b"], partition_key="x")) == ["n", "part.double", "part.b"]

    whole = dg.graph_multi_asset(outs=outs, name="whole", ins={"seed": dg.AssetIn("n")})(fn)
    with pytest.raises(dg.DagsterInvalidSubsetError, match="can_subset"):
        dg.materialize([n, whole], selection=["n", "a"])


@pytest.mark.api("graph_multi_asset.hooks", "graph_multi_asset.resource_defs", "graph_multi_asset.backfill_policy")
def test_options_of_several_assets() -> None:
    seen: list[str] = []

    @dg.success_hook
    def note(context):
        seen.append(context.step_key)

    @dg.op(required_resource_keys={"r"})
    def read(context) -> int:
        return context.resources.r

    policy = dg.BackfillPolicy.multi_run(3)

    @dg.graph_multi_asset(
        outs={"a": dg.AssetOut()}, hooks={note}, backfill_policy=policy,
        resource_defs={"r": dg.ResourceDefinition.hardcoded_resource(2)},
    )  # fmt: skip
    def fn():
        return {"a": read()}

    assert dg.materialize([fn]).asset_value("a") == 2
    assert seen == ["fn.read"]
    assert fn.backfill_policy == policy


@pytest.mark.api("graph_multi_asset.config")
def test_fixed_config() -> None:
    @dg.op(config_schema={"n": int})
    def number(context) -> int:
        return context.op_config["n"]

    @dg.graph_multi_asset(outs={"a": dg.AssetOut()}, config={"number": {"config": {"n": 9}}})
    def fn():
        return {"a": number()}

    assert dg.materialize([fn]).asset_value("a") == 9


@pytest.mark.api("AssetsDefinition.from_graph")
def test_from_graph() -> None:
    assert dg.materialize([dg.AssetsDefinition.from_graph(doubled)]).asset_value("doubled") == 2
    policy = dg.BackfillPolicy.single_run()
    definition = dg.AssetsDefinition.from_graph(
        sizes,
        keys_by_input_name={"seed": dg.AssetKey("n")},
        keys_by_output_name={"big": dg.AssetKey(["x", "huge"])},
        key_prefix="p",
        internal_asset_deps={"small": set(), "big": {dg.AssetKey("n")}},
        group_name="g",
        descriptions_by_output_name={"small": "few"},
        metadata_by_output_name={"big": {"m": 1}},
        tags_by_output_name={"big": {"t": "u"}},
        owners_by_output_name={"big": ["team:x"]},
        code_versions_by_output_name={"big": "2"},
        backfill_policy=policy,
    )
    small, big = dg.AssetKey(["p", "small"]), dg.AssetKey(["p", "x", "huge"])
    assert definition.keys == {small, big}
    assert definition.asset_deps == {small: set(), big: {dg.AssetKey("n")}}
    spec = definition.get_asset_spec(big)
    assert (spec.metadata, spec.tags, list(spec.owners), spec.code_version) == ({"m": 1}, {"t": "u"}, ["team:x"], "2")
    assert definition.descriptions_by_key[small] == "few"
    assert definition.backfill_policy == policy

    @dg.asset
    def n() -> int:
        return 3

    assert dg.materialize([n, definition]).asset_value(big) == 12
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=r"no output 'bigger'.* 'big'"):
        dg.AssetsDefinition.from_graph(sizes, keys_by_output_name={"bigger": dg.AssetKey("x")})


@pytest.mark.api("AssetsDefinition.from_op")
def test_from_op() -> None:
    daily = dg.StaticPartitionsDefinition(["x", "y"])
    mapping = dg.AllPartitionMapping()
    definition = dg.AssetsDefinition.from_op(
        add, keys_by_input_name={"a": dg.AssetKey("n")}, partitions_def=daily, partition_mappings={"b": mapping}
    )
    assert definition.key == dg.AssetKey("add")
    assert definition.dependency_keys == {dg.AssetKey("n"), dg.AssetKey("b")}
    assert definition.get_partition_mapping(dg.AssetKey("b")) == mapping
    assert definition.op is add
    assert definition.partitions_def == daily
    assert dg.materialize([dg.AssetsDefinition.from_op(one, key_prefix=["p"])]).asset_value(["p", "one"]) == 1


def test_a_graph_of_ops_has_not_one_op_and_is_not_called() -> None:
    definition = dg.AssetsDefinition.from_graph(doubled)
    assert definition.node_def is doubled
    with pytest.raises(dg.DagsterInvalidInvocationError, match="several ops"):
        definition.op  # noqa: B018
    with pytest.raises(dg.DagsterInvalidInvocationError, match="several ops"):
        definition()


def test_a_failed_op_leaves_the_asset_unmade() -> None:
    @dg.op
    def fail(x: int) -> int:
        raise ValueError("no")

    @dg.graph_asset
    def g():
        return double(fail(one()))

    @dg.asset
    def below(g: int) -> int:
        return g

    result = dg.materialize([g, below], raise_on_error=False)
    assert not result.success
    assert made(result) == {}
    assert step_keys(result) == ["g.one"]


def test_what_an_op_stores_goes_where_its_manager_says_for_readers_in_other_runs() -> None:
    manager = dg.InMemoryIOManager()

    @dg.op(out=dg.Out(io_manager_key="mine"))
    def kept() -> int:
        return 6

    @dg.graph_asset
    def g():
        return kept()

    @dg.asset
    def below(g: int) -> int:
        return g + 1

    instance = dg.DagsterInstance.ephemeral()
    resources = {"mine": dg.IOManagerDefinition.hardcoded_io_manager(manager)}
    dg.materialize([g, below], selection=["g"], instance=instance, resources=resources)
    result = dg.materialize([g, below], selection=["below"], instance=instance, resources=resources)
    assert result.asset_value("below") == 7
