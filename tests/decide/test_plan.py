import pytest
from msgspec import structs

from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.decide.plan import Selection, plan
from treadle.errors import DefinitionError, SelectionError, StepNotFoundError
from treadle.spec.nodes import FromAsset, FromConfig, FromOutput, InputSpec, NodeSpec, OutputSpec

A, B, C = AssetKey("a"), AssetKey("b"), AssetKey("c")


def op(handle, *sources, lists=(), tags=None):
    """An op whose inputs come from these nodes; `lists` are groups of nodes, each one input."""
    inputs = [InputSpec(f"x{i}", (FromOutput(node, "result"),)) for i, node in enumerate(sources)]
    inputs += [
        InputSpec(f"l{i}", tuple(FromOutput(node, "result") for node in group), is_list=True)
        for i, group in enumerate(lists)
    ]
    return NodeSpec(handle, handle, tuple(inputs), (OutputSpec("result"),), tags=tags or {})


def asset(key, *upstream, deps=(), **rest):
    """An asset that loads `upstream` and waits for `deps`."""
    name = key.to_python_identifier()
    return NodeSpec(
        name,
        name,
        tuple(InputSpec(one.to_python_identifier(), (FromAsset(one),)) for one in upstream),
        (OutputSpec("result", asset=key),),
        {key: tuple(deps)},
        **rest,
    )


def check(key, name, blocking=False):
    own = AssetCheckKey(key, name)
    return NodeSpec(
        f"{key.to_python_identifier()}_{name}",
        name,
        outputs=(OutputSpec("result", check=own),),
        after=(key,),
        blocking=frozenset({own}) if blocking else frozenset(),
    )


def waits(made):
    return {key: set(step.upstream) for key, step in made.steps.items()}


def test_steps_wait_for_what_feeds_them_and_come_after_it():
    made = plan([op("c", "b", "a"), op("b", "a"), op("a")])
    assert waits(made) == {"a": set(), "b": {"a"}, "c": {"a", "b"}}
    assert list(made.steps) == ["a", "b", "c"]


def test_independent_steps_keep_their_order():
    assert list(plan([op("z"), op("a"), op("m")]).steps) == ["z", "a", "m"]


def test_what_is_needed_from_upstream():
    made = plan([op("a"), op("b"), op("c", "a", lists=[["a", "b"]])])
    step = made.steps["c"]
    assert step.sources == (("a", "result"),)
    assert step.any_of == ((("a", "result"), ("b", "result")),)


def test_assets_wait_for_assets_that_the_run_makes():
    made = plan([asset(A), asset(B, A), asset(C, deps=[A, AssetKey("elsewhere")])])
    assert waits(made) == {"a": set(), "b": {"a"}, "c": {"a"}}
    assert made.producers == {A: ("a", "result"), B: ("b", "result"), C: ("c", "result")}


def test_an_asset_that_reads_itself_does_not_wait_for_itself():
    assert waits(plan([asset(A, A)])) == {"a": set()}


def test_checks_wait_for_their_asset_and_blocking_ones_hold_back_what_is_below():
    nodes = [asset(A), asset(B, A), check(A, "soft"), check(A, "hard", blocking=True)]
    made = plan(nodes)
    assert waits(made) == {"a": set(), "a_soft": {"a"}, "a_hard": {"a"}, "b": {"a", "a_hard"}}
    without = plan(nodes, Selection(assets=frozenset({A, B}), checks=frozenset()))
    assert waits(without) == {"a": set(), "b": {"a"}}


def test_a_selection_leaves_out_what_it_does_not_name():
    nodes = [asset(A), asset(B, A), asset(C, B), check(B, "ok")]
    made = plan(nodes, Selection(assets=frozenset({A, C})))
    assert waits(made) == {"a": set(), "c": set(), "b_ok": set()}
    assert waits(plan(nodes, Selection(assets=frozenset(), checks=frozenset({AssetCheckKey(B, "ok")})))) == {
        "b_ok": set()
    }
    assert list(plan([op("a"), op("b", "a")], Selection(handles=frozenset({"b"}))).steps) == ["b"]


def both(can_subset):
    return NodeSpec(
        "ab", "ab", outputs=(OutputSpec("x", asset=A), OutputSpec("y", asset=B)), can_subset=can_subset,
        deps={A: (), B: (C,)},
    )  # fmt: skip


def test_part_of_a_node_only_if_it_can():
    made = plan([both(True), asset(C)], Selection(assets=frozenset({A, C})))
    assert [output.name for output in made.steps["ab"].outputs] == ["x"]
    assert made.steps["ab"].upstream == frozenset()
    with pytest.raises(SelectionError, match="'b'"):
        plan([both(False)], Selection(assets=frozenset({A})))


def test_steps_of_a_reexecution_wait_for_each_other_only():
    made = plan([op("a"), op("b", "a"), op("c", "b")], Selection(steps=frozenset({"c"})))
    assert waits(made) == {"c": set()}
    assert made.steps["c"].sources == ()
    with pytest.raises(StepNotFoundError, match="nope"):
        plan([op("a")], Selection(steps=frozenset({"nope"})))


def test_circles_are_refused():
    tangled = NodeSpec(
        "t", "t", (InputSpec("b", (FromAsset(B),)),),
        (OutputSpec("a", asset=A), OutputSpec("c", asset=C)), {A: (), C: (B,)},
    )  # fmt: skip
    with pytest.raises(DefinitionError, match="circle"):
        plan([tangled, asset(B, A)])


def test_priorities_are_whole_numbers():
    made = plan([op("a", tags={"dagster/priority": "-3"}), op("b")])
    assert [step.priority for step in made.steps.values()] == [-3, 0]
    with pytest.raises(DefinitionError, match="priority"):
        plan([op("a", tags={"dagster/priority": "high"})])


def test_inputs_from_config_wait_for_nothing():
    node = NodeSpec("a", "a", (InputSpec("x", (FromConfig("a", "x"),)),), (OutputSpec("result"),))
    assert waits(plan([node])) == {"a": set()}


def several(handle, deps, can_subset=True, checks=()):
    """An op that makes several assets, each after these."""
    outputs = [OutputSpec(key.to_python_identifier(), asset=key) for key in deps]
    outputs += [OutputSpec(one.to_python_identifier(), check=one) for one in checks]
    return NodeSpec(handle, handle, (), tuple(outputs), dict(deps), can_subset=can_subset, blocking=frozenset(checks))


def made_by(made):
    return {key: [asset.to_user_string() for asset in step.assets] for key, step in made.steps.items()}


M1, M2, M3, M4, M5 = (AssetKey(f"m{number}") for number in range(1, 6))
AROUND = several("m", {M1: (), M2: (A,), M3: (B,), M4: (M1,), M5: (M3,)})


def test_other_steps_come_between_what_one_op_makes():
    made = plan([AROUND, asset(A, deps=[M1]), asset(B, deps=[M2])])
    assert made_by(made) == {"m": ["m1", "m4"], "a": ["a"], "m_2": ["m2"], "b": ["b"], "m_3": ["m3", "m5"]}
    assert waits(made) == {"m": set(), "a": {"m"}, "m_2": {"a"}, "b": {"m_2"}, "m_3": {"b"}}
    assert (made.producers[M5], made.handles) == (("m_3", "m5"), {"m", "a", "b"})
    assert all(step.node is AROUND for step in made.steps.values() if step.key.startswith("m"))


def test_what_needs_no_dividing_is_one_step():
    nodes = [AROUND, asset(A, deps=[M1]), asset(B, deps=[M2])]
    assert made_by(plan(nodes, Selection(assets={M1, M2, M3})))["m"] == ["m1", "m2", "m3"]
    assert made_by(plan(nodes, Selection(assets={A, B, M2}))) == {"a": ["a"], "m": ["m2"], "b": ["b"]}
    assert list(plan(nodes, Selection(steps={"m_2", "b"})).steps) == ["m_2", "b"]


def test_two_ops_that_need_each_other_in_turn():
    x, y = AssetKey("x"), AssetKey("y")
    made = plan([several("m", {A: (), B: (y,)}), several("n", {x: (A,), y: ()}), op("m_2")])
    assert sum(step.node.handle == "m" for step in made.steps.values()) == 2
    assert "m_3" in made.steps  # another node has the name m_2
    order = [asset for step in made.steps.values() for asset in step.assets]
    assert order.index(y) < order.index(B)
    assert order.index(A) < order.index(x)


def test_checks_go_with_their_asset_and_block_what_comes_after_it():
    own = AssetCheckKey(A, "ok")
    made = plan([several("m", {A: (), B: (C,)}, checks=[own]), asset(C, deps=[A])])
    assert made.steps["m"].checks == (own,)
    assert made.steps["m_2"].checks == ()
    assert waits(made) == {"m": set(), "c": {"m"}, "m_2": {"c"}}


@pytest.mark.parametrize("can_subset", [True, False])
def test_what_dividing_does_not_help(can_subset):
    node = several("m", {A: (), B: ()} if can_subset else {A: (), B: (C,)}, can_subset)
    if can_subset:  # what it loads, every part of it needs
        node = structs.replace(node, inputs=(InputSpec("c", (FromAsset(C),)),))
    with pytest.raises(DefinitionError, match="circle: c, m"):
        plan([node, asset(C, deps=[A])])
