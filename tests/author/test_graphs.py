"""Graphs: their outputs and inputs, the explicit form, and flattening against a naive evaluator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.author.dependencies import (
    DependencyDefinition,
    InputMapping,
    MappedInputPlaceholder,
    MultiDependencyDefinition,
    NodeInvocation,
    OutputMapping,
)
from treadle.author.flattening import flatten
from treadle.author.graphs import GraphDefinition, GraphIn, GraphOut, graph, job
from treadle.author.ops import DynamicOut, In, Out, op
from treadle.author.types import Nothing
from treadle.errors import DefinitionError
from treadle.spec.nodes import FromConfig, FromDefault, FromOutput, FromRunInput, InputSpec, NodeSpec
from treadle.spec.retry import RetryPolicy


class Opaque:
    pass


@op
def one() -> int:
    return 1


@op
def inc(x: int) -> int:
    return x + 1


@op
def total(xs: Any) -> Any:
    return sum(xs)


@op
def opaque(x: Opaque) -> int:
    return 1


@op(out={"a": Out(), "b": Out()})
def two() -> Any:
    return 1, 2


def mapped(made: GraphDefinition) -> dict[str, tuple[str, str]]:
    return {name: (out.node, out.output) for name, out in made.outs.items()}


def placing(pending: list[Any]) -> GraphDefinition:
    """A graph with these nodes, none connected."""

    def g() -> None:
        for node in pending:
            node()

    return graph(g)


# --- outputs and inputs ---------------------------------------------------------------------------------------------


def test_a_returned_handle_is_the_one_output() -> None:
    assert mapped(graph(name="g")(lambda: inc(one()))) == {"result": ("inc", "result")}
    assert mapped(graph(name="g")(lambda: None)) == {}
    assert mapped(graph(name="g", out=GraphOut("d"))(lambda: one())) == {"result": ("one", "result")}
    assert mapped(graph(name="g", out={"p": GraphOut()})(lambda: one())) == {"p": ("one", "result")}


@pytest.mark.parametrize(
    "compose", [lambda: {"q": two().b, "p": one()}, lambda: (one(), two().b)], ids=["by name", "by position"]
)
def test_several_outputs_are_returned_by_name_or_position(compose: Callable[[], Any]) -> None:
    made = graph(out={"p": GraphOut(), "q": GraphOut()}, name="g")(compose)
    assert mapped(made) == {"p": ("one", "result"), "q": ("two", "b")}


def test_outputs_that_do_not_fit_are_refused() -> None:
    declared = {"p": GraphOut(), "q": GraphOut()}
    for compose, words in (
        (lambda: {"p": one()}, "'q'"),
        (lambda: {"p": one(), "q": one(), "z": one()}, "'z'"),
        (lambda: one(), "p, q"),
        (lambda: 5, "int"),
        (lambda: [one()], "list"),
        (lambda: one, "OpDefinition"),
        (lambda: {"p": one(), "q": 5}, "5"),
    ):
        with pytest.raises(DefinitionError, match=words):
            graph(out=declared, name="g")(compose)
    with pytest.raises(DefinitionError, match="no outputs"):
        job(name="j")(lambda: one())


def test_inputs_are_the_parameters() -> None:
    @graph(ins={"x": GraphIn(description="a number")})
    def g(x: int, y) -> Any:  # type: ignore[no-untyped-def]
        inc(x)
        return total([x, y])

    assert list(g.ins) == ["x", "y"]
    assert (g.ins["x"].description, g.ins["x"].type.name) == ("a number", "int")  # type: ignore[union-attr]
    assert {(m.graph_input_name, m.mapped_node_name, m.fan_in_index) for m in g.input_mappings} == {
        ("x", "inc", None), ("x", "total", 0), ("y", "total", 1)
    }  # fmt: skip


def test_inputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DefinitionError, match=r"'x'.*feeds no node"):
        graph(name="g")(lambda x: one())
    with pytest.raises(DefinitionError, match=r"'z'.*does not take"):
        graph(name="g", ins={"z": GraphIn()})(lambda x: inc(x))
    with pytest.raises(DefinitionError, match="'context'"):
        job(name="g")(lambda context: one())


def test_two_definitions_with_one_name_are_refused() -> None:
    @op(name="one")
    def other() -> int:
        return 2

    for nodes in ([one, other], [one, other.alias("x")]):
        with pytest.raises(DefinitionError, match="both named 'one'"):
            placing(nodes)


# --- the explicit form ----------------------------------------------------------------------------------------------


def test_the_explicit_form_says_the_same_as_calls() -> None:
    written = GraphDefinition(
        "g",
        node_defs=[one, inc, total],
        dependencies={
            NodeInvocation("inc", "a"): {"x": DependencyDefinition("one")},
            NodeInvocation("inc", "b", tags={"t": "1"}): {"x": DependencyDefinition("a", "result")},
            "total": {"xs": MultiDependencyDefinition([DependencyDefinition("b"), MappedInputPlaceholder])},
        },
        input_mappings=[
            InputMapping(graph_input_name="y", mapped_node_name="total", mapped_node_input_name="xs", fan_in_index=1)
        ],
        output_mappings=[OutputMapping("sum", "total", "result")],
    )

    @graph(name="g", out={"sum": GraphOut()})
    def composed(y) -> Any:  # type: ignore[no-untyped-def]
        b = inc.alias("b").tag({"t": "1"})(inc.alias("a")(one()))
        return total([b, y])

    assert written.bindings == composed.bindings
    flat, other = flatten(written, "g"), flatten(composed, "g")
    assert sorted(flat.nodes, key=lambda n: n.handle) == sorted(other.nodes, key=lambda n: n.handle)
    assert (flat.outputs, flat.inputs) == (other.outputs, other.inputs)


def test_what_the_explicit_form_gets_wrong() -> None:
    dep = DependencyDefinition
    mapping = InputMapping(graph_input_name="q", mapped_node_name="inc", mapped_node_input_name="x")
    circle = {NodeInvocation("inc", "a"): {"x": dep("b")}, NodeInvocation("inc", "b"): {"x": dep("a")}}
    for words, options in (
        ("no such node.*Did you mean 'one'", {"dependencies": {"inc": {"x": dep("onee")}}}),
        ("no output 'z'", {"dependencies": {"inc": {"x": dep("one", "z")}}}),
        ("no input 'z'", {"dependencies": {"inc": {"z": dep("one")}}}),
        ("not among its nodes", {"dependencies": {"incc": {"x": dep("one")}}}),
        ("list", {"dependencies": {"inc": {"x": [dep("one")]}}}),
        ("circle.*a, b", {"dependencies": circle}),
        ("connected already", {"dependencies": {"inc": {"x": dep("one")}}, "input_mappings": [mapping]}),
        ("no InputMapping", {"dependencies": {"inc": {"x": MultiDependencyDefinition([MappedInputPlaceholder])}}}),
    ):
        with pytest.raises(DefinitionError, match=words):
            GraphDefinition("g", node_defs=[one, inc], **options)


# --- flattening -----------------------------------------------------------------------------------------------------


def nodes(made: Any) -> dict[str, NodeSpec]:
    return {node.handle: node for node in made.nodes}


def source(made: Any, handle: str, name: str = "x") -> Any:
    [spec] = [spec for spec in nodes(made)[handle].inputs if spec.name == name]
    return spec.sources[0] if len(spec.sources) == 1 and not spec.is_list else spec


def test_unconnected_inputs_take_what_can_supply_them() -> None:
    @op(ins={"before": In(Nothing), "managed": In(input_manager_key="m")})
    def needy(number: int, optional: int = 3, thing: Opaque | None = None, managed: Any = None) -> None: ...

    @graph
    def inner(y: int) -> Any:
        return inc(y)

    @job
    def j() -> None:
        needy()
        inner()

    assert source(j, "needy", "number") == FromConfig("needy", "number")
    assert source(j, "needy", "optional") == FromConfig("needy", "optional")
    assert source(j, "needy", "thing") == FromDefault()
    assert source(j, "needy", "managed") == InputSpec("managed", ())
    assert source(j, "needy", "before") == InputSpec("before", (), is_nothing=True)
    assert source(j, "inner.inc") == FromConfig("inner", "y")


def test_an_input_that_nothing_can_supply_is_refused_when_it_becomes_a_job() -> None:
    @graph
    def direct() -> None:
        opaque()

    @graph
    def inner(y) -> Any:  # type: ignore[no-untyped-def]
        return opaque(y)

    @graph
    def nested() -> None:
        inner()

    for made, what in ((direct, "'x' of 'opaque'"), (nested, "'y' of 'inner'")):
        with pytest.raises(DefinitionError, match=f"{what}.*Opaque"):
            made.to_job()
    assert source(inner.to_job(), "opaque") == FromRunInput("y")


def test_a_list_within_a_list_is_refused() -> None:
    @graph
    def inner(y) -> Any:  # type: ignore[no-untyped-def]
        return total([y, one()])

    with pytest.raises(DefinitionError, match="list with a list"):
        job(name="j")(lambda: (inner([one(), one()]), None)[1])


def test_a_list_passes_through_a_graph_input() -> None:
    @graph
    def inner(y) -> Any:  # type: ignore[no-untyped-def]
        return total(y)

    @job
    def j() -> None:
        inner([one(), one()])

    spec = InputSpec("xs", (FromOutput("one", "result"), FromOutput("one_2", "result")), is_list=True)
    assert source(j, "inner.total", "xs") == spec


def test_tags_hooks_and_retry_policies_of_places() -> None:
    @op(tags={"o": "1"}, retry_policy=RetryPolicy(max_retries=7))
    def own() -> None: ...

    @op
    def plain() -> None: ...

    @graph
    def inner() -> None:
        own()
        plain.with_hooks({"h2"})()

    @graph
    def outer() -> None:
        inner.with_hooks({"h1"}).tag({"graph": "tag"}).with_retry_policy(RetryPolicy(max_retries=5))()
        own.tag({"o": "2", "p": "3"}).with_retry_policy(RetryPolicy(max_retries=9))()

    made = outer.to_job(op_retry_policy=RetryPolicy(max_retries=3))
    retries = {handle: node.retry_policy.max_retries for handle, node in nodes(made).items() if node.retry_policy}
    assert retries == {"inner.own": 7, "inner.plain": 3, "own": 9}
    assert {handle: node.tags for handle, node in nodes(made).items()} == {
        "inner.own": {"o": "1"}, "inner.plain": {}, "own": {"o": "2", "p": "3"}
    }  # fmt: skip
    assert made.node_hooks == {"inner.own": {"h1"}, "inner.plain": {"h1", "h2"}}


def test_dynamic_outputs_keep_their_collecting_through_graphs() -> None:
    @op(out=DynamicOut())
    def many() -> Any:
        yield 1

    @graph
    def inner() -> Any:
        return many().map(inc)

    @job
    def j() -> None:
        total(inner().collect())

    assert source(j, "total", "xs") == FromOutput("inner.inc", "result", collect=1)
    assert nodes(j)["inner.many"].outputs[0].is_dynamic


# A random graph is a tree of plans: each node of a plan is an op or another plan, its inputs are earlier outputs of the
# same plan, inputs of the plan, or lists of these. `evaluate` runs it by recursion, with no notion of flatness.


@op
def pair(p: Any, q: Any) -> Any:
    return (p, q)


Wire = tuple[str, int]
Node = tuple[Any, list[Wire | list[Wire]]]
Plan = list[Node]


@st.composite
def plans(draw: st.DrawFn, depth: int = 3) -> Plan:
    made: Plan = []
    for index in range(draw(st.integers(1, 4))):
        wires = [("input", 0), ("input", 1), *(("node", other) for other in range(index))]
        wire = st.sampled_from(wires)
        inner = draw(st.booleans()) if depth else False
        definition = draw(plans(depth=depth - 1)) if inner else None
        feed = wire if inner else st.one_of(wire, st.lists(wire, min_size=1, max_size=3))
        made.append((definition, [draw(feed), draw(feed)]))
    return made


def evaluate(plan: Plan, inputs: list[Any]) -> Any:
    values: list[Any] = []

    def at(wire: Any) -> Any:
        if isinstance(wire, list):
            return [at(one) for one in wire]
        return inputs[wire[1]] if wire[0] == "input" else values[wire[1]]

    for definition, wires in plan:
        arguments = [at(wire) for wire in wires]
        values.append(tuple(arguments) if definition is None else evaluate(definition, arguments))
    return values[-1]


def compose(plan: Plan, name: str) -> GraphDefinition:
    inner = {index: compose(definition, f"{name}_{index}") for index, (definition, _) in enumerate(plan) if definition}

    def fn(i0, i1):  # type: ignore[no-untyped-def]
        handles: list[Any] = []

        def at(wire: Any) -> Any:
            if isinstance(wire, list):
                return [at(one) for one in wire]
            return (i0, i1)[wire[1]] if wire[0] == "input" else handles[wire[1]]

        for index, (_, wires) in enumerate(plan):
            handles.append(inner.get(index, pair)(*map(at, wires)))
        pair(i0, i1)  # so that both inputs are used
        return handles[-1]

    return graph(name=name)(fn)


def run_flat(made: GraphDefinition, inputs: dict[str, Any]) -> Any:
    flat = flatten(made, "j")
    by_handle = {node.handle: node for node in flat.nodes}
    values: dict[str, Any] = {}

    def value(handle: str) -> Any:
        if handle not in values:
            values[handle] = tuple(argument(spec) for spec in by_handle[handle].inputs)
        return values[handle]

    def argument(spec: InputSpec) -> Any:
        found = [value(s.node) if isinstance(s, FromOutput) else inputs[s.name] for s in spec.sources]  # type: ignore[union-attr]
        return found if spec.is_list else found[0]

    assert set(flat.ops) == set(by_handle)
    return value(flat.outputs["result"].node)


@given(plans())
def test_flat_graphs_compute_what_nested_ones_mean(plan: Plan) -> None:
    assert run_flat(compose(plan, "g"), {"i0": "x", "i1": "y"}) == evaluate(plan, ["x", "y"])
