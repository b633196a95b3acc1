"""What users' own automation conditions are given, and what they return.

A condition of one's own is a subclass of `AutomationCondition` with `evaluate(self, context)`, which returns an
`AutomationResult`. It runs where its project's code is, never in the daemon.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from treadle.core.keys import AssetCheckKey, AssetJobKey, AssetKey
from treadle.core.partitions import PartitionsDefinition
from treadle.core.subsets import PartitionSubset
from treadle.core.told import told
from treadle.errors import DefinitionError, InvocationError
from treadle.spec.automation import AutomationCondition
from treadle.spec.graph import AssetGraph


@dataclass(frozen=True, slots=True)
class EntitySubset:
    """Partitions of an asset or check, or all of one that has none. Combine with `|`, `&` and `-`.

    Attributes:
        key: the asset or check.
        value: the partitions; for what has none, whether it is meant.
    """

    key: AssetKey | AssetCheckKey | AssetJobKey
    value: bool | PartitionSubset

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        return not self.value if isinstance(self.value, bool) else self.value.is_empty

    @property
    def is_partitioned(self) -> bool:
        """Whether it is of partitions."""
        return not isinstance(self.value, bool)

    @property
    def partitions_def(self) -> PartitionsDefinition | None:
        """The partitions that there are."""
        return None if isinstance(self.value, bool) else self.value.partitions_def

    @property
    def size(self) -> int:
        """How many partitions; 1 or 0 for what has none."""
        return int(self.value) if isinstance(self.value, bool) else len(self.value)

    def expensively_compute_partition_keys(self) -> set[str | None]:
        """The keys; for what has none, None."""
        if isinstance(self.value, bool):
            return {None} if self.value else set()
        return set(self.value)

    def compute_union(self, other: EntitySubset) -> EntitySubset:
        """What is in one of the two."""
        return self._with(other, lambda mine, theirs: mine | theirs)

    def compute_intersection(self, other: EntitySubset) -> EntitySubset:
        """What is in both."""
        return self._with(other, lambda mine, theirs: mine & theirs)

    def compute_difference(self, other: EntitySubset) -> EntitySubset:
        """What is only in this one."""
        return self._with(other, lambda mine, theirs: mine and not theirs if isinstance(mine, bool) else mine - theirs)

    def compute_intersection_with_partition_keys(self, partition_keys: set[str]) -> EntitySubset:
        """Those with one of these keys."""
        if isinstance(self.value, bool):
            raise InvocationError(f"{self.key} has no partitions, so it has none with a key.")
        return EntitySubset(self.key, self.value & self.value.partitions_def.subset_of_known(partition_keys)[0])

    def _with(self, other: EntitySubset, operation: Callable[[Any, Any], Any]) -> EntitySubset:
        if self.key != other.key:
            raise InvocationError(f"Subsets of {self.key} and of {other.key} cannot be combined.")
        return EntitySubset(self.key, operation(self.value, other.value))

    __or__ = compute_union
    __and__ = compute_intersection
    __sub__ = compute_difference


@dataclass(frozen=True, slots=True)
class AssetGraphView:
    """The assets at the moment of an evaluation.

    Attributes:
        asset_graph: all assets.
        effective_dt: the time of the evaluation.
        instance: what remembers them.
    """

    asset_graph: AssetGraph
    effective_dt: datetime
    instance: Any
    _full: Callable[[Any], Any] = field(repr=False)

    def get_full_subset(self, *, key: AssetKey | AssetCheckKey) -> EntitySubset:
        """All there is of an asset or check."""
        return EntitySubset(key, self._full(key))

    def get_empty_subset(self, *, key: AssetKey | AssetCheckKey) -> EntitySubset:
        """Nothing of it."""
        full = self.get_full_subset(key=key)
        return full.compute_difference(full)


@dataclass(frozen=True)
class AutomationContext:
    """What a condition is given to say where it is true.

    Attributes:
        evaluation_id: the number of the evaluation.
        condition: the condition.
        condition_unique_ids: what it and the conditions around it are, itself first: the same at each evaluation.
        candidate_subset: the asset or check it is asked about, and the partitions where its answer matters.
        create_time: when the evaluation began.
        asset_graph_view: all assets at that moment.
        request_subsets_by_key: what this evaluation requested so far: of what is upstream, all.
        parent_context: that of the condition around it, if there is one.
        cursor: what it returned as `cursor` at its last evaluation.
    """

    evaluation_id: int
    condition: AutomationCondition
    condition_unique_ids: Sequence[str]
    candidate_subset: EntitySubset
    create_time: datetime
    asset_graph_view: AssetGraphView
    request_subsets_by_key: Mapping[Any, EntitySubset]
    parent_context: AutomationContext | None = None
    cursor: str | None = None

    key: ClassVar[Any] = told("candidate_subset.key", "The asset or check it is asked about.")
    partitions_def: ClassVar[PartitionsDefinition | None] = told(
        "candidate_subset.partitions_def", "The partitions of that."
    )
    asset_graph: ClassVar[AssetGraph] = told("asset_graph_view.asset_graph", "All assets.")
    evaluation_time: ClassVar[datetime] = told("asset_graph_view.effective_dt", "The time of the evaluation.")

    @property
    def root_context(self) -> AutomationContext:
        """That of the whole condition."""
        return self.parent_context.root_context if self.parent_context is not None else self

    def get_empty_subset(self) -> EntitySubset:
        """Nothing of what it is asked about."""
        return self.candidate_subset.compute_difference(self.candidate_subset)


class AutomationResult:
    """Where a condition is true.

    Args:
        context: what the condition was given.
        true_subset: where it is true; only candidates count.
        cursor: what it is given as `context.cursor` the next time.
        child_results: those of conditions that it is made of, for people.

    Raises:
        DefinitionError: `true_subset` is no subset of what was asked about.
    """

    def __init__(
        self,
        context: AutomationContext,
        true_subset: EntitySubset,
        cursor: str | None = None,
        child_results: Sequence[AutomationResult] | None = None,
    ) -> None:
        if not isinstance(true_subset, EntitySubset) or true_subset.key != context.key:
            raise DefinitionError(
                f"Condition {context.condition.name!r} says it is true for {true_subset!r}, which is no subset of "
                f"{context.key!r}. Start from context.candidate_subset or context.get_empty_subset()."
            )
        self.context = context
        self.true_subset = true_subset
        self.cursor = cursor
        self.child_results = tuple(child_results or ())

    key: Any = told("context.key", "The asset or check.")
    condition: AutomationCondition = told("context.condition", "The condition.")
