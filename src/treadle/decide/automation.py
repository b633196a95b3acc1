"""Which assets, checks and jobs run because of their automation conditions.

An evaluation follows from the view and the cursor of the one before, and from nothing else. Who evaluates again from
the cursor that was just given pays for what changed: only what can have come to something else is looked at, and what
hangs on it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.core.multi_partitions import MultiPartitionsDefinition
from treadle.core.partitions import PartitionsDefinition
from treadle.core.subsets import PartitionSubset
from treadle.core.time import instant_of
from treadle.core.time_partitions import TimeWindowPartitionsDefinition
from treadle.decide.automation_view import Cursor, Evaluation, Subset, Target, View, known_part, some
from treadle.decide.automation_world import Tick, Trail, World
from treadle.decide.conditions import Frame
from treadle.spec.graph import AssetGraph, in_order


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an evaluation came to.

    Attributes:
        requested: what is to run, and what is made together with it.
        true: for each target whose condition is true somewhere, where.
        evaluations: what the conditions that were looked at now came to, and why; the others came to what they did
            before.
        cursor: what the next evaluation is given.
        wake: when, by time alone, something may change, in seconds since the epoch; None if never.
        is_settled: whether another evaluation now would come to the same, and change nothing.
    """

    requested: Mapping[Target, Subset]
    true: Mapping[Target, Subset]
    evaluations: Mapping[Target, Evaluation]
    cursor: Cursor
    wake: float | None
    is_settled: bool


class Evaluator:
    """Evaluates the conditions of one set of definitions.

    It keeps what the last evaluation found out, to do less at the next. It never changes what comes out.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._targets = _ordered(world)
        self._place = {target: place for place, target in enumerate(self._targets)}
        self._forget()

    def _forget(self) -> None:
        self._last: Outcome | None = None
        self._readers: dict[Target, set[int]] = {}
        self._watchers: dict[Target, set[int]] = {}
        self._wholes: dict[int, tuple[PartitionsDefinition, PartitionSubset, set[int]]] = {}
        self._restless: set[int] = set()
        self._wakes: dict[int, float] = {}
        self._alarms: list[tuple[float, int]] = []

    def evaluate(self, view: View, cursor: Cursor | None = None) -> Outcome:
        """Evaluate all conditions.

        Args:
            view: the facts, at the time of the evaluation.
            cursor: the cursor of the evaluation before; None if this is the first.

        Raises:
            InvocationError: a condition asks what cannot be answered here.
        """
        warm = self._last is not None and cursor is self._last.cursor
        if not warm:
            self._forget()
        known = dict(cursor.requested) if warm and cursor is not None else {}
        tick = Tick(self.world, view, cursor, known, self._place)
        waiting = self._dirty(tick) if warm else set(range(len(self._targets)))
        last, self._last = self._last, None  # if this fails, the next one begins anew
        if warm and last is not None and cursor is not None and not waiting:
            after = Cursor(tick.evaluation_id, view.position, tick.time, cursor.memory, cursor.requested)
            outcome = Outcome(last.requested, last.true, {}, after, self._next_alarm(), is_settled=True)
        else:
            outcome = self._evaluate(tick, waiting, cursor, last)
        self._last = outcome
        return outcome

    def _dirty(self, tick: Tick) -> set[int]:
        """The targets that may come to something else than the last time."""
        dirty, self._restless = self._restless, set()
        if tick.changes is not None:
            for key in tick.changes.touched:
                dirty |= self._readers.get(key, _NOBODY)
        while self._alarms and self._alarms[0][0] <= tick.time:
            due, place = heapq.heappop(self._alarms)
            if self._wakes.get(place) == due:
                dirty.add(place)
        for name, (definition, before, readers) in self._wholes.items():
            if _is_dynamic(definition):
                now = tick.all_of(definition)
                if now != before:
                    self._wholes[name] = (definition, now, readers)
                    dirty |= readers
        return dirty

    def _evaluate(self, tick: Tick, waiting: set[int], cursor: Cursor | None, last: Outcome | None) -> Outcome:
        true = dict(last.true) if last is not None else {}
        memory = dict(cursor.memory) if cursor is not None else {}
        if last is None:  # the cursor may be of other definitions
            for target in memory.keys() - self._place.keys():
                del memory[target]
        evaluations: dict[Target, Evaluation] = {}
        queue = list(waiting)
        heapq.heapify(queue)
        restless: set[int] = set()
        while queue:
            place = heapq.heappop(queue)
            target = self._targets[place]
            frame = Frame(tick, target, memory.get(target))
            result = frame.evaluate(self.world.conditions[target], target, tick.full(target))
            evaluations[target] = result
            if some(result.true):
                true[target] = result.true
            else:
                true.pop(target, None)
            memory[target] = frame.notes
            if frame.trail.is_restless:
                restless.add(place)
            self._note(place, frame.trail, tick)
            for key in self._request(tick, target, result.true, true):
                restless |= self._readers.get(key, _NOBODY)
                for other in self._watchers.get(key, _NOBODY):
                    if other > place and other not in waiting:
                        waiting.add(other)
                        heapq.heappush(queue, other)
        if last is None:  # who reads what was not known in the loop
            before = cursor.requested if cursor is not None else {}
            for key in before.keys() | tick.requested.keys():
                if key not in before or key not in tick.requested or before[key] != tick.requested[key]:
                    restless |= self._readers.get(key, _NOBODY)
        self._restless = restless
        after = Cursor(tick.evaluation_id, tick.view.position, tick.time, memory, tick.requested)
        return Outcome(tick.requested, true, evaluations, after, self._next_alarm(), not restless)

    def _note(self, place: int, trail: Trail, tick: Tick) -> None:
        """Remember what the evaluation of a target hung on."""
        for key in trail.reads:
            self._readers.setdefault(key, set()).add(place)
        for key in trail.watches:
            self._watchers.setdefault(key, set()).add(place)
        for name in trail.wholes:
            definition, subset = tick.wholes[name]
            if name not in self._wholes:
                self._wholes[name] = (definition, subset, set())
            self._wholes[name][2].add(place)
            for row in _rows(definition):
                trail.wake_at(row.windows.cadence.next(instant_of(tick.view.now)))
        if trail.wake is not None:
            self._wakes[place] = trail.wake
            heapq.heappush(self._alarms, (trail.wake, place))
        else:
            self._wakes.pop(place, None)

    def _next_alarm(self) -> float | None:
        while self._alarms and self._wakes.get(self._alarms[0][1]) != self._alarms[0][0]:
            heapq.heappop(self._alarms)
        return self._alarms[0][0] if self._alarms else None

    def _request(self, tick: Tick, target: Target, wanted: Any, true: Mapping[Target, Subset]) -> Iterable[Target]:
        """Request what is true, with all that is made together with it. Gives those of which this changes anything."""
        together = self.world.graph.neighbours.get(target) if isinstance(target, AssetKey) else None
        for other in together or ():
            part: Any = true.get(other)
            if part is not None and isinstance(part, bool) is isinstance(wanted, bool):
                wanted = wanted | part
        changed: list[Target] = []
        for member in together or (target,):
            part = wanted if member == target else known_part(wanted, self.world.partitions_of(member))
            before = tick.requested.get(member)
            if part is not None and some(part):
                tick.requested[member] = part
                if before is None or before != part:
                    changed.append(member)
            elif before is not None:
                del tick.requested[member]
                changed.append(member)
        return changed


_NOBODY: frozenset[int] = frozenset()


def _rows(definition: PartitionsDefinition) -> list[TimeWindowPartitionsDefinition]:
    """The rows of time windows in a definition."""
    if isinstance(definition, TimeWindowPartitionsDefinition):
        return [definition]
    if isinstance(definition, MultiPartitionsDefinition):
        return [row for _, one in definition.partitions_defs for row in _rows(one)]
    return []


def _is_dynamic(definition: PartitionsDefinition) -> bool:
    """Whether its partitions can change at any time."""
    if isinstance(definition, MultiPartitionsDefinition):
        return any(_is_dynamic(one) for _, one in definition.partitions_defs)
    return definition.kind in ("dynamic", "custom")


def _ordered(world: World) -> list[Target]:
    """The targets, each after all that it depends on; assets that are made together count as one."""
    places = _places(world.graph)
    return sorted(world.conditions, key=lambda target: _rank(world.graph, places, target))


def _rank(graph: AssetGraph, places: Mapping[AssetKey, int], target: Target) -> tuple[int, int, str]:
    if isinstance(target, AssetKey):
        return places.get(target, 0), 0, target.to_string()
    if isinstance(target, AssetCheckKey):
        looked_at = [target.asset_key, *(dep.asset_key for dep in graph.checks[target].additional_deps)]
        return max(places.get(one, 0) for one in looked_at), 1, target.to_user_string()
    return len(places), 2, target.job_name


def _places(graph: AssetGraph) -> dict[AssetKey, int]:
    """For each asset, its place in an order in which those that are made together share theirs."""
    if not graph.neighbours:
        return {key: place for place, key in enumerate(graph.order)}
    group = {key: min(graph.neighbours.get(key, (key,))) for key in graph.specs}
    above: dict[AssetKey, set[AssetKey]] = {group[key]: set() for key in graph.order}
    below: dict[AssetKey, set[AssetKey]] = {one: set() for one in above}
    for key, parents in graph.parents.items():
        for parent in parents:
            if group[parent] != group[key]:
                above[group[key]].add(group[parent])
                below[group[parent]].add(group[key])
    order = in_order({one: len(parents) for one, parents in above.items()}, below)
    places = {one: place for place, one in enumerate(order)}
    return {key: places.get(group[key], len(places)) for key in graph.order}
