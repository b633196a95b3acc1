"""What evaluations of automation conditions stand on: the assets and conditions there are, and the moment.

`World` is what stays the same from one evaluation to the next, `Tick` what one evaluation has found out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import NamedTuple, TypeAlias, cast

from treadle.core import codec
from treadle.core.keys import AssetCheckKey, AssetJobKey, AssetKey
from treadle.core.mappings import IdentityPartitionMapping, PartitionMapping, TimeWindowPartitionMapping
from treadle.core.multi_mappings import default_mapping
from treadle.core.multi_partitions import MultiPartitionsDefinition
from treadle.core.partitions import PartitionsDefinition
from treadle.core.subsets import PartitionSubset, TimeSubset
from treadle.core.time import instant_of
from treadle.core.time_partitions import TimeWindowPartitionsDefinition
from treadle.decide.automation_view import Cursor, Evaluation, Subset, Target, Update, View, some
from treadle.spec.assets import AssetDep
from treadle.spec.automation import AutomationCondition
from treadle.spec.graph import AssetGraph
from treadle.spec.selection import AssetSelection


@dataclass(frozen=True, slots=True)
class CustomCall:
    """A question to a user's condition.

    Attributes:
        condition: the condition.
        key: whom it is about.
        target: whom the whole condition belongs to.
        candidates: where its answer matters.
        names: what it and the conditions around it are, itself first: the same at every evaluation.
        parents: the conditions around it with whom each is about, the outermost first.
        cursor: what it returned to be remembered.
        requested: what was requested so far by this evaluation.
        tick: the evaluation.
    """

    condition: AutomationCondition
    key: Target
    target: Target
    candidates: Subset
    names: tuple[str, ...]
    parents: tuple[tuple[AutomationCondition, Target], ...]
    cursor: str | None
    requested: Mapping[Target, Subset]
    tick: Tick


class CustomAnswer(NamedTuple):
    """What a user's condition answered: where it is true, and what is given to it the next time."""

    true: Subset
    cursor: str | None = None


Custom: TypeAlias = Callable[[CustomCall], CustomAnswer]
"""Asks a user's condition. It needs the user's code: only an evaluator that runs where that is has one."""


class Link(NamedTuple):
    """A step from a dependency to what depends on it."""

    upstream: AssetKey
    downstream: Target
    mapping: PartitionMapping | None


class Edge(NamedTuple):
    """A dependency, seen from an asset or check.

    Attributes:
        key: the dependency.
        links: the way to it, from it on; several if virtual assets are between.
        is_plain: whether neither side has partitions: what is true of the one is then true for the other.
    """

    key: AssetKey
    links: tuple[Link, ...]
    is_plain: bool


class World:
    """What stays the same between evaluations: the graph, the conditions, and what follows from them.

    Args:
        graph: all assets.
        conditions: the conditions, by whom they belong to.
        jobs: for jobs with a condition, their assets.
        custom: asks users' conditions; None where their code is not.
    """

    def __init__(
        self,
        graph: AssetGraph,
        conditions: Mapping[Target, AutomationCondition],
        jobs: Mapping[AssetJobKey, frozenset[AssetKey]] | None = None,
        custom: Custom | None = None,
    ) -> None:
        self.graph = graph
        self.conditions = conditions
        self.jobs = jobs or {}
        self.custom = custom
        self.edges = cache(self._edges)
        self.are_together = cache(self._are_together)
        self._chosen: dict[int, tuple[AssetSelection, frozenset[AssetKey]]] = {}
        self._names: dict[int, tuple[AutomationCondition, str, bool]] = {}
        self.has_custom = any(not condition.is_serializable for condition in conditions.values())

    def partitions_of(self, key: Target) -> PartitionsDefinition | None:
        """The partitions that it has."""
        if isinstance(key, AssetKey):
            return self.graph.specs[key].partitions_def
        return self.graph.checks[key].partitions_def if isinstance(key, AssetCheckKey) else None

    def name(self, condition: AutomationCondition) -> str:
        """What a condition is, in a few letters: equal conditions have equal names."""
        return self._known(condition)[1]

    def is_custom(self, condition: AutomationCondition) -> bool:
        """Whether a user's condition is in it."""
        return self._known(condition)[2]

    def _known(self, condition: AutomationCondition) -> tuple[AutomationCondition, str, bool]:
        found = self._names.get(id(condition))
        if found is None:
            data = codec.encode(condition)
            name = hashlib.blake2b(data, digest_size=8).hexdigest()
            found = self._names[id(condition)] = (condition, name, not condition.is_serializable)
        return found

    def chosen(self, selection: AssetSelection) -> frozenset[AssetKey]:
        """The assets of a selection; what it names and is not there is left out."""
        found = self._chosen.get(id(selection))
        if found is None:
            found = (selection, frozenset(selection.resolve(self.graph, allow_missing=True)))
            self._chosen[id(selection)] = found
        return found[1]

    def _edges(self, key: Target, through_virtual: bool = False) -> tuple[Edge, ...]:
        """The dependencies of an asset, or of a check: the asset that it checks, and what else it looks at."""
        found: list[Edge] = []
        for dep in self._deps(key):
            upstream = dep.asset_key
            if upstream == key and not isinstance(dep.partition_mapping, TimeWindowPartitionMapping):
                continue
            link = self._link(upstream, key, dep.partition_mapping)
            if through_virtual and self.graph.specs[upstream].is_virtual and upstream != key:
                found += (Edge(edge.key, (*edge.links, link), is_plain=False) for edge in self.edges(upstream, True))
            else:
                plain = self.partitions_of(upstream) is None and self.partitions_of(key) is None
                found.append(Edge(upstream, (link,), plain))
        return tuple(found)

    def _deps(self, key: Target) -> Iterable[AssetDep]:
        if isinstance(key, AssetKey):
            return self.graph.specs[key].deps
        if isinstance(key, AssetCheckKey):
            return (AssetDep(key.asset_key), *self.graph.checks[key].additional_deps)
        return ()

    def _link(self, upstream: AssetKey, downstream: Target, mapping: PartitionMapping | None) -> Link:
        theirs, mine = self.partitions_of(upstream), self.partitions_of(downstream)
        if theirs is None or (mine is None and mapping is None):
            return Link(upstream, downstream, None)
        return Link(upstream, downstream, mapping or default_mapping(theirs, mine))

    def _are_together(self, key: Target, target: Target) -> bool:
        """Whether one run can make a partition of the asset `key` and, after it, that of `target`."""
        definition = self.partitions_of(key)
        if key not in self.graph.made_by or key == target or definition != self.partitions_of(target):
            return False
        if isinstance(target, AssetKey) and key in self.graph.neighbours.get(target, ()):
            return False
        edges = self.edges(target)
        for edge in edges:
            if edge.key == key:
                mapping = edge.links[0].mapping
                return definition is None or isinstance(mapping, IdentityPartitionMapping | TimeWindowPartitionMapping)
        return key in self.graph.upstream(edge.key for edge in edges)

    def link_between(self, upstream: AssetKey, downstream: Target) -> Link:
        """How partitions of any asset are seen from another: by the dependency if there is one."""
        for edge in self.edges(downstream):
            if edge.key == upstream:
                return edge.links[0]
        return self._link(upstream, downstream, None)


@dataclass(slots=True)
class Trail:
    """What an evaluation hung on.

    Attributes:
        reads: everything whose facts it looked at.
        watches: everything whose requests it looked at.
        wholes: the definitions whose partitions it looked at.
        is_restless: whether another evaluation right after this one might come to something else.
        wake: when, by time alone, it may come to something else.
    """

    reads: set[Target] = field(default_factory=set)
    watches: set[Target] = field(default_factory=set)
    wholes: set[int] = field(default_factory=set)
    is_restless: bool = False
    wake: float | None = None

    def wake_at(self, time: float | None) -> None:
        """Time alone may change something then."""
        if time is not None and (self.wake is None or time < self.wake):
            self.wake = time

    def add(self, other: Trail) -> None:
        """It hung on what a part of it hung on, too."""
        self.reads |= other.reads
        self.watches |= other.watches
        self.wholes |= other.wholes
        self.is_restless |= other.is_restless
        self.wake_at(other.wake)


class Tick:
    """One evaluation: its moment, what it has found out about it, and what it requested so far.

    Args:
        requested: what is known to be requested, to be filled in.
        places: the order of the targets: each after all that it depends on.
    """

    def __init__(
        self,
        world: World,
        view: View,
        previous: Cursor | None,
        requested: dict[Target, Subset],
        places: Mapping[Target, int],
    ) -> None:
        self.world = world
        self._places = places
        self.view = view
        self.previous = previous
        self.requested = requested
        self.evaluation_id = previous.evaluation_id + 1 if previous is not None else 0
        self.time = view.now.timestamp()
        self.changes = view.changes(previous.position) if previous is not None else None
        self.wholes: dict[int, tuple[PartitionsDefinition, PartitionSubset]] = {}
        self.shared: dict[tuple[int, AssetKey, bool], tuple[Evaluation, Trail]] = {}
        self._full: dict[Target, Subset] = {}
        self._empty: dict[Target, Subset] = {}
        self._windows: dict[tuple[int, timedelta | None], PartitionSubset] = {}

    def all_of(self, definition: PartitionsDefinition) -> PartitionSubset:
        """All partitions of a definition."""
        found = self.wholes.get(id(definition))
        if found is None:
            found = (definition, definition.subset_with_all_partitions(self.view.now, self.view.store))
            self.wholes[id(definition)] = found
        return found[1]

    def full(self, key: Target) -> Subset:
        """All there is of an asset, check or job."""
        found = self._full.get(key)
        if found is None:
            definition = self.world.partitions_of(key)
            found = self._full[key] = True if definition is None else self.all_of(definition)
        return found

    def empty(self, key: Target) -> Subset:
        """Nothing of it."""
        found = self._empty.get(key)
        if found is None:
            definition = self.world.partitions_of(key)
            found = self._empty[key] = False if definition is None else definition.empty_subset()
        return found

    def subset(self, key: Target, partitions: Iterable[str | None]) -> Subset:
        """These of its partitions."""
        definition = self.world.partitions_of(key)
        if definition is None:
            return any(True for _ in partitions)
        known = definition.subset_of_known([one for one in partitions if one is not None])[0]
        return known & self.all_of(definition)

    def updates(self, key: Target) -> Sequence[Update]:
        """Its updates since the evaluation before."""
        return self.changes.updates.get(key, ()) if self.changes is not None else ()

    def latest_window(self, definition: PartitionsDefinition, lookback: timedelta | None) -> Subset:
        """The last partition in time, or those that start at most `lookback` before its end; all of other kinds."""
        known = self._windows.get((id(definition), lookback))
        if known is None:
            known = self._windows[id(definition), lookback] = self._find_window(definition, lookback)
        return known

    def _find_window(self, definition: PartitionsDefinition, lookback: timedelta | None) -> PartitionSubset:
        if isinstance(definition, TimeWindowPartitionsDefinition):
            last = definition.get_last_partition_window(self.view.now)
            if last is None:
                return definition.empty_subset()
            end = instant_of(last.end)
            start = instant_of(last.start) if lookback is None else end - int(lookback.total_seconds())
            first = definition.windows.first(max(start, definition.bounds(self.view.now)[0]))
            spans = definition.windows.spans(first, end) if first is not None else ()
            return TimeSubset(definition, spans)
        if isinstance(definition, MultiPartitionsDefinition) and definition.has_time_window_dimension:
            return definition.product([self._find_window(one, lookback) for _, one in definition.partitions_defs])
        return self.all_of(definition)

    def requested_before(self, target: Target) -> dict[Target, Subset]:
        """What is requested of all that comes before `target`."""
        last = self._places[target]
        return {key: subset for key, subset in self.requested.items() if self._places.get(key, last) < last}

    # --- between assets

    def downstream(self, subset: Subset, link: Link) -> Subset:
        """The partitions that depend on any of these."""
        full = self.full(link.downstream)
        if not some(subset):
            return self.empty(link.downstream)
        theirs, mine = self.world.partitions_of(link.upstream), self.world.partitions_of(link.downstream)
        if theirs is None or link.mapping is None:
            return full
        given = cast(PartitionSubset, subset)
        now, store = self.view.now, self.view.store
        if mine is None:
            return some(given & link.mapping.upstream(None, None, theirs, now, store).partitions_subset)
        return link.mapping.downstream(given, theirs, mine, now, store) & self.all_of(mine)

    def upstream(self, subset: Subset, link: Link) -> Subset:
        """The partitions that these depend on."""
        full = self.full(link.upstream)
        if not some(subset):
            return self.empty(link.upstream)
        theirs = self.world.partitions_of(link.upstream)
        if link.mapping is None or theirs is None:
            return full
        mine = self.world.partitions_of(link.downstream)
        given = None if isinstance(subset, bool) else cast(PartitionSubset, subset)
        return link.mapping.upstream(given, mine, theirs, self.view.now, self.view.store).partitions_subset
