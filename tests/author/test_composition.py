"""Composing graphs by calls: names, connections, and what cannot be connected."""

from __future__ import annotations

from typing import Any

import pytest

from treadle.author import composition
from treadle.author.composition import InvokedOutput, PendingNode
from treadle.author.graphs import GraphDefinition, graph, job
from treadle.author.ops import DynamicOut, In, Out, op
from treadle.author.types import Nothing
from treadle.core.keys import AssetKey
from treadle.errors import DefinitionError, InvariantError, InvocationError, TreadleError
from treadle.spec.nodes import FromAsset, FromOutput, FromRunInput
from treadle.spec.retry import RetryPolicy


@op
def one() -> int:
    return 1


@op
def inc(x: int) -> int:
    return x + 1


@op
def total(xs: Any) -> Any:
    return sum(xs)


@op(out={"a": Out(), "b": Out()})
def two() -> Any:
    return 1, 2


@op(ins={"before": In(Nothing), "x": In(int)})
def after(x: int) -> int:
    return x


@op(out=DynamicOut())
def many() -> Any:
    yield 1


def nodes(made: GraphDefinition) -> list[str]:
    return list(made.placed)


def refused(compose: Any, *words: str, error: type[TreadleError] = DefinitionError) -> None:
    with pytest.raises(error) as caught:
        graph(name="g")(compose)
    message = str(caught.value)
    for word in (*words, "test_composition.py, line"):
        assert word in message


def test_repeated_nodes_get_numbers_and_aliases_do_not_count() -> None:
    @graph
    def g() -> None:
        one()
        one()
        one.alias("other")()
        one()

    assert nodes(g) == ["one", "one_2", "other", "one_3"]


@pytest.mark.parametrize("calls", [("a", "a"), ("one_2", None, None), (None, "one")])
def test_a_taken_name_is_refused(calls: tuple[str | None, ...]) -> None:
    def g() -> None:
        for alias in calls:
            (one if alias is None else one.alias(alias))()

    refused(g, "two nodes named", "alias")


def test_inputs_are_bound_by_position_and_by_name_and_nothing_inputs_come_last() -> None:
    @graph
    def g() -> None:
        a, b = one(), one()
        after(a, b)
        after(before=a, x=b)

    assert g.bindings["after"] == {"x": FromOutput("one", "result"), "before": FromOutput("one_2", "result")}
    assert g.bindings["after_2"] == {"before": FromOutput("one", "result"), "x": FromOutput("one_2", "result")}


def test_several_outputs_are_a_named_tuple_and_no_output_is_none() -> None:
    seen: list[Any] = []

    @op(out={})
    def silent() -> None: ...

    @graph
    def g() -> None:
        both = two()
        seen.extend([both, silent()])
        inc(both.b)
        inc(both[0])
        _, last = both
        inc(last)

    assert seen[0]._fields == ("a", "b")
    assert seen[1] is None
    assert [g.bindings[name]["x"].output for name in ("inc", "inc_2", "inc_3")] == ["b", "a", "b"]  # type: ignore[union-attr]


def test_a_list_is_a_fan_in() -> None:
    @graph
    def g(y: int) -> None:
        total([one(), y, two().b])
        total([])

    assert g.bindings["total"]["xs"] == [FromOutput("one", "result"), FromRunInput("y"), FromOutput("two", "b")]
    assert g.bindings["total_2"]["xs"] == []


def test_an_asset_in_the_place_of_a_value_is_loaded() -> None:
    class Asset:
        key = AssetKey(["p", "q"])

    @graph
    def g() -> None:
        total(Asset())

    assert g.bindings["total"]["xs"] == FromAsset(AssetKey(["p", "q"]))


def test_what_is_no_output_cannot_be_connected() -> None:
    refused(lambda: inc(3), "'x'", "'inc'", "int", "input_values")
    refused(lambda: inc(None), "NoneType")
    refused(lambda: inc((one(), one())), "tuple")
    refused(lambda: inc({"a": one()}), "dict")
    refused(lambda: inc([one(), 3]), "index 1")
    refused(lambda: inc(one), "itself", "one()")
    refused(lambda: inc(one.alias("q")), "itself", "q()")
    refused(lambda: inc(two()), "a, b")
    refused(lambda: inc(many()), "dynamic", ".map", ".collect")


def test_arguments_have_to_fit_the_inputs() -> None:
    refused(lambda: inc(one(), one()), "2 inputs", "has 1")
    refused(lambda: inc(xx=one()), "no input 'xx'", "Did you mean 'x'?")
    refused(lambda: inc(one(), x=one()), "twice", error=InvocationError)


def test_a_single_output_cannot_be_taken_apart() -> None:
    refused(lambda: [*one()], "single output", "iterated")
    refused(lambda: one()[0], "single output", "indexed")


def test_handles_stay_in_their_graph() -> None:
    @graph
    def outer() -> None:
        handle = one()
        refused(lambda: inc(handle), "another graph")
        inc(handle)

    assert nodes(outer) == ["one", "inc"]
    assert not composition.is_composing()


def test_an_error_in_the_function_ends_the_composition() -> None:
    def g() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        graph(g)
    assert not composition.is_composing()


def test_only_dynamic_outputs_can_be_mapped_and_collected() -> None:
    refused(lambda: one().map(inc), "map", "DynamicOut")
    refused(lambda: one().collect(), "collect", "DynamicOut")


def test_map_places_nodes_once_and_keeps_their_outputs_dynamic() -> None:
    seen: list[InvokedOutput] = []

    @graph
    def g() -> None:
        first, second = many().map(lambda x: (inc(x), inc(inc(x))))
        seen.extend([first, second])
        total(second.collect())

    assert nodes(g) == ["many", "inc", "inc_2", "inc_3", "total"]
    assert all(handle.is_dynamic for handle in seen)
    assert g.bindings["inc"]["x"] == FromOutput("many", "result")
    assert g.bindings["total"]["xs"] == FromOutput("inc_3", "result", collect=1)


def test_pending_nodes_gather_what_they_are_given() -> None:
    policy = RetryPolicy(max_retries=9)
    pending = one.tag({"a": "1", "b": "1"}).tag({"b": "2"}).with_hooks({"h"}).with_hooks({"i"})
    pending = pending.with_retry_policy(policy).alias("x")

    @graph
    def g() -> None:
        pending()

    placed = g.placed["x"]
    assert (placed.name, placed.tags, placed.retry_policy) == ("x", {"a": "1", "b": "2"}, policy)
    assert placed.hook_defs == {"h", "i"}
    assert isinstance(one.alias("y"), PendingNode)


def test_an_invalid_alias_is_refused_at_once() -> None:
    with pytest.raises(DefinitionError, match="not a valid name"):
        one.alias("a-b")


def test_graphs_and_jobs_cannot_be_called_elsewhere() -> None:
    @graph
    def g() -> None:
        one()

    @job
    def j() -> None:
        one()

    for call in (g, g.alias("b"), j):
        with pytest.raises(InvariantError, match="was called"):
            call()
    with pytest.raises(InvariantError, match="@graph"):
        graph(name="h")(lambda: j())


def test_ops_have_no_jobs_but_pending_graphs_do() -> None:
    with pytest.raises(InvocationError, match="not a graph"):
        one.alias("x").to_job()

    @graph(tags={"g": "1"})
    def g() -> None:
        one()

    made = g.alias("renamed").tag({"x": "y"}).to_job(tags={"q": "1"})
    assert (made.name, made.tags) == ("renamed", {"g": "1", "x": "y", "q": "1"})
