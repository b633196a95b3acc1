"""Subsets that users' conditions are given and return."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import treadle as tr
from treadle.author.automation import AssetGraphView, EntitySubset
from treadle.errors import DefinitionError, InvocationError
from treadle.spec.graph import AssetGraph

LETTERS = tr.StaticPartitionsDefinition(["a", "b", "c"])
KEY = tr.AssetKey("x")


def of(*keys: str) -> EntitySubset:
    return EntitySubset(KEY, LETTERS.subset_with_partition_keys(keys))


def test_subsets_of_partitions() -> None:
    assert (of("a", "b").size, of("a").is_partitioned, of().is_empty, of("a").partitions_def) == (
        2,
        True,
        True,
        LETTERS,
    )
    assert of("a") | of("b") == of("a", "b")
    assert of("a", "b") & of("b", "c") == of("b")
    assert of("a", "b") - of("b") == of("a")
    assert of("a", "b").compute_intersection_with_partition_keys({"b", "z"}) == of("b")
    assert of("c", "a").expensively_compute_partition_keys() == {"a", "c"}


def test_what_has_no_partitions() -> None:
    whole, nothing = EntitySubset(KEY, True), EntitySubset(KEY, False)
    assert (whole.size, whole.is_empty, whole.partitions_def) == (1, False, None)
    assert (nothing.size, nothing.is_empty) == (0, True)
    assert (whole | nothing, whole & nothing, whole - nothing, whole - whole) == (whole, nothing, whole, nothing)
    assert whole.expensively_compute_partition_keys() == {None}
    assert nothing.expensively_compute_partition_keys() == set()
    with pytest.raises(InvocationError, match="no partitions"):
        whole.compute_intersection_with_partition_keys({"a"})
    with pytest.raises(InvocationError, match="cannot be combined"):
        whole.compute_union(EntitySubset(tr.AssetKey("y"), True))


def test_a_result_is_about_what_was_asked() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    view = AssetGraphView(AssetGraph([], {}), now, None, lambda key: True)
    condition = tr.AutomationCondition.missing()
    context = tr.AutomationContext(3, condition, ["id"], EntitySubset(KEY, True), now, view, {})
    assert (context.key, context.partitions_def, context.evaluation_time) == (KEY, None, now)
    assert context.root_context is context
    result = tr.AutomationResult(context, context.get_empty_subset())
    assert (result.key, result.condition, result.true_subset.is_empty) == (KEY, condition, True)
    assert view.get_empty_subset(key=KEY).is_empty
    for wrong in (True, EntitySubset(tr.AssetKey("y"), True)):
        with pytest.raises(DefinitionError, match="no subset of"):
            tr.AutomationResult(context, wrong)  # type: ignore[arg-type]
