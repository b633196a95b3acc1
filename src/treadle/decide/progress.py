"""What of a plan can run now. It knows readiness; only the runner touches the world.

The runner takes a decision (`next`), acts on it, and tells how it ended (`succeeded`, `failed_for_good`, `skipped`,
`abandoned`), until nothing is left.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TypeAlias

import msgspec

from treadle.decide.plan import Plan
from treadle.decide.steps import Dimension, Step, at, below, step_key


class Execute(msgspec.Struct, frozen=True):
    """Run this step now."""

    step: Step


class Skip(msgspec.Struct, frozen=True):
    """Do not run this step: these outputs above it were not produced, as they may."""

    step: Step
    missing: tuple[str, ...]


class Abandon(msgspec.Struct, frozen=True):
    """Do not run this step: these steps above it failed or were abandoned."""

    step: Step
    failed: tuple[str, ...]


Decision: TypeAlias = Execute | Skip | Abandon


class _Group(msgspec.Struct):
    """The steps of a template below some coordinates: what `inc[?]` stands for."""

    template: Step
    coordinates: tuple[str, ...]
    key: str
    pending: int
    members: list[str] = []


_NO_KEYS: Mapping[str, tuple[str, ...]] = {}


class Progress:
    """How far a plan has come.

    Attributes:
        failed: keys of the steps that failed.
    """

    def __init__(self, plan: Plan) -> None:
        self._steps = dict(plan.steps)
        static = [step for step in plan.steps.values() if not step.over]
        self._waiting = {step.key: len(step.upstream) for step in static}
        self._below: dict[str, list[str]] = defaultdict(list)
        for step in static:
            for above in step.upstream:
                self._below[above].append(step.key)
        self._index = {key: index for index, key in enumerate(plan.steps)}
        self._turns = len(plan.steps)
        self._ready = [(-step.priority, self._index[step.key], 0, step) for step in static if not step.upstream]
        heapq.heapify(self._ready)
        self._idle: deque[Skip | Abandon] = deque()  # what will not run is told before anything else runs
        self._not_produced: set[tuple[str, str]] = set()
        self._dead: dict[str, tuple[str, ...]] = {}  # failed or abandoned; of a group, which of its members
        self._left = len(plan.steps)
        self._templates: dict[Dimension, list[Step]] = defaultdict(list)
        for step in plan.steps.values():
            for dimension in step.over:
                self._templates[dimension].append(step)
        self._groups: dict[str, _Group] = {}
        self._ended: set[str] = set()
        self._there: set[tuple[str, str]] = set()  # outputs that were produced by steps that have not ended
        self._served: set[tuple[str, str]] = set()  # (a step, one above it) where all that it needs of that was there
        self.failed: list[str] = []

    @property
    def is_done(self) -> bool:
        """Whether every step has ended, one way or another."""
        return not self._left

    def next(self) -> Decision | None:
        """What to do now; None while everything left waits for steps that are running."""
        if self._idle:
            return self._idle.popleft()
        return Execute(heapq.heappop(self._ready)[3]) if self._ready else None

    @property
    def upcoming(self) -> Step | None:
        """The step that `next` would have executed; None if there is none yet."""
        return self._ready[0][3] if self._ready else None

    def again(self, step: Step) -> None:
        """The step failed and is due once more: after those of its priority that are ready already."""
        self._turns += 1
        heapq.heappush(self._ready, (-step.priority, self._turns, 0, step))

    def produced(self, key: str, output: str) -> None:
        """A step that goes on has produced an output: what needs nothing else of it need not wait for its end."""
        self._there.add((key, output))
        for waiting in list(self._below.get(key, ())):
            step = self._steps[waiting]
            needed = {one for group in (step.sources, *step.any_of) for one in group if one[0] == key}
            if needed and needed <= self._there and not step.over:
                self._below[key].remove(waiting)
                self._served.add((waiting, key))
                self._arrived(waiting)

    def succeeded(
        self,
        step: Step,
        not_produced: AbstractSet[str] = frozenset(),
        mapping_keys: Mapping[str, tuple[str, ...]] = _NO_KEYS,
    ) -> None:
        """The step ended well.

        Args:
            not_produced: outputs that were not produced, as they may.
            mapping_keys: of each dynamic output that was produced, in order.
        """
        for output in not_produced:
            self._not_produced.add((step.key, output))
        self._end(step, mapping_keys)

    def skipped(self, step: Step) -> None:
        """The step was skipped, so none of its outputs was produced."""
        self.succeeded(step, {output.name for output in step.node.outputs})

    def failed_for_good(self, step: Step) -> None:
        """The step failed and will not be tried again."""
        self.failed.append(step.key)
        self.abandoned(step)

    def abandoned(self, step: Step) -> None:
        """The step will not run."""
        self._dead[step.key] = (step.key,)
        self._end(step, _NO_KEYS)

    def _end(self, step: Step, mapping_keys: Mapping[str, tuple[str, ...]]) -> None:
        if self._templates:
            self._ended.add(step.key)
            if len(step.mapped) == len(step.over):
                self._fan_out(step, mapping_keys)
        self._tell(step.key)
        if step.mapped:
            self._member_ended(step, step.mapped)

    def _tell(self, key: str) -> None:
        """A step or group has ended: what waited for it may go on."""
        self._left -= 1
        for waiting in self._below.pop(key, ()):
            self._arrived(waiting)

    def _arrived(self, waiting: str) -> None:
        self._waiting[waiting] -= 1
        if not self._waiting[waiting]:
            self._became_ready(self._steps[waiting])

    def _became_ready(self, step: Step) -> None:
        if self._not_produced:
            missing = [source for source in step.sources if source in self._not_produced]
            missing += [one for group in step.any_of if self._not_produced.issuperset(group) for one in group]
            if missing:
                self._idle.append(Skip(step, tuple(f"{key}.{output}" for key, output in missing)))
                return
        if self._dead and not self._dead.keys().isdisjoint(step.upstream):
            failed = {
                key
                for above in step.upstream
                if (step.key, above) not in self._served
                for key in self._dead.get(above, ())
            }
            if failed:
                self._idle.append(Abandon(step, tuple(sorted(failed))))
                return
        turn = 0
        if step.over:
            turn = self._turns = self._turns + 1
        heapq.heappush(self._ready, (-step.priority, self._index[step.node.handle], turn, step))

    # --- below dynamic outputs

    def _fan_out(self, step: Step, mapping_keys: Mapping[str, tuple[str, ...]]) -> None:
        """The step has ended, so it is known how many steps there are below each of its dynamic outputs."""
        for output in step.node.outputs:
            for template in self._templates.get((step.node.handle, output.name), ()):
                if step.key in self._dead:
                    self._idle.append(Abandon(below(template, step.mapped), (step.key,)))
                elif (step.key, output.name) in self._not_produced:
                    self._idle.append(Skip(below(template, step.mapped), (f"{step.key}.{output.name}",)))
                else:
                    self._multiply(template, step.mapped, mapping_keys.get(output.name, ()))

    def _multiply(self, template: Step, above: tuple[str, ...], mapping_keys: tuple[str, ...]) -> None:
        depth = len(template.over)
        group = _Group(template, above, step_key(template.key, above, depth), len(mapping_keys))
        self._groups[group.key] = group
        self._left += len(mapping_keys)
        for key in mapping_keys:
            coordinates = (*above, key)
            group.members.append(step_key(template.key, coordinates, depth))
            if len(coordinates) == depth:
                self._add(at(template, coordinates))
        if not mapping_keys:
            self._close(group)

    def _add(self, step: Step) -> None:
        self._steps[step.key] = step
        waiting = [key for key in step.upstream if key not in self._ended]
        self._waiting[step.key] = len(waiting)
        for key in waiting:
            self._below[key].append(step.key)
        if not waiting:
            self._became_ready(step)

    def _member_ended(self, template: Step, coordinates: tuple[str, ...]) -> None:
        group = self._groups[step_key(template.node.handle, coordinates[:-1], len(template.over))]
        group.pending -= 1
        if not group.pending:
            self._close(group)

    def _close(self, group: _Group) -> None:
        """Every step of the group has ended: it is dead if one is, and lacks an output if all do."""
        dead = tuple(key for member in group.members for key in self._dead.get(member, ()))
        if dead:
            self._dead[group.key] = dead
        elif group.members:
            for output in group.template.node.outputs:
                if all((member, output.name) in self._not_produced for member in group.members):
                    self._not_produced.add((group.key, output.name))
        self._ended.add(group.key)
        self._tell(group.key)
        if group.coordinates:
            self._member_ended(group.template, group.coordinates)
