"""The asset graph: what belongs to it, reach, order, circles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core.keys import AssetKey
from treadle.errors import DefinitionError
from treadle.spec.assets import AssetCheckSpec, AssetSpec
from treadle.spec.graph import AssetGraph


def keys(*names: str) -> set[AssetKey]:
    return {AssetKey(name) for name in names}


def graph(edges: dict[str, list[str]], made: set[str] | None = None) -> AssetGraph:
    specs = [AssetSpec(name, deps=deps) for name, deps in edges.items()]
    return AssetGraph(specs, {AssetKey(name): name for name in (edges if made is None else made)})


CHAIN = {"d": ["c"], "c": ["b"], "b": ["a"], "a": [], "x": ["a"]}


def test_assets_only_named_as_dependencies_belong_to_it_as_external():
    found = graph({"b": ["a", "a2"], "c": ["a"]})
    assert set(found.specs) == keys("a", "a2", "b", "c")
    assert found.materializable == keys("b", "c")
    assert found.parents[AssetKey("a")] == ()
    assert found.children[AssetKey("a")] == (AssetKey("b"), AssetKey("c"))


def test_an_asset_that_depends_on_itself_is_not_its_own_child():
    found = graph({"a": ["a"], "b": ["a"]})
    assert found.children[AssetKey("a")] == (AssetKey("b"),)
    assert found.order == (AssetKey("a"), AssetKey("b"))


@pytest.mark.parametrize(
    ("depth", "up", "down"),
    [
        (0, {"c"}, {"c"}),
        (1, {"c", "b"}, {"c", "d"}),
        (2, {"c", "b", "a"}, {"c", "d"}),
        (None, {"c", "b", "a"}, {"c", "d"}),
    ],
)
def test_reach(depth: int | None, up: set[str], down: set[str]):
    found = graph(CHAIN)
    assert found.upstream(keys("c"), depth) == keys(*up)
    assert found.downstream(keys("c"), depth) == keys(*down)


def test_reach_does_not_change_what_it_is_given():
    start = keys("c")
    graph(CHAIN).upstream(start)
    assert start == keys("c")


def test_reach_ends_in_a_circle():
    assert graph({"a": ["b"], "b": ["a"]}).upstream(keys("a")) == keys("a", "b")


def test_a_circle_is_an_error_that_names_it():
    with pytest.raises(DefinitionError, match="a needs b needs c needs a"):
        _ = graph({"a": ["b"], "b": ["c"], "c": ["a"], "after": ["c"], "before": []}).order


def test_checks_by_asset():
    checks = [AssetCheckSpec("one", asset="a"), AssetCheckSpec("two", asset="a")]
    found = AssetGraph([AssetSpec("a"), AssetSpec("b")], {}, checks)
    assert found.checks_by_asset == {AssetKey("a"): tuple(checks)}
    assert set(found.checks) == {check.key for check in checks}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30), st.permutations(range(10)))
def test_order_puts_parents_first(pairs: list[tuple[int, int]], declared: list[int]):
    edges = {str(name): sorted({str(low) for low, high in pairs if high == name and low < high}) for name in declared}
    found = graph(edges)
    place = {key: index for index, key in enumerate(found.order)}
    assert len(place) == 10
    assert all(place[parent] < place[key] for key, parents in found.parents.items() for parent in parents)
    for key in found.specs:
        below = found.downstream({key})
        assert all((key in found.upstream({other})) == (other in below) for other in found.specs)
