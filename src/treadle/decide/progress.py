"""What of a plan can run now. It knows readiness; only the runner touches the world.

The runner takes a decision (`next`), acts on it, and tells how it ended (`succeeded`, `failed_for_good`, `skipped`,
`abandoned`), until nothing is left.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

from treadle.decide.plan import Plan, Step


@dataclass(frozen=True, slots=True)
class Execute:
    """Run this step now."""

    step: Step


@dataclass(frozen=True, slots=True)
class Skip:
    """Do not run this step: these outputs above it were not produced, as they may."""

    step: Step
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Abandon:
    """Do not run this step: these steps above it failed or were abandoned."""

    step: Step
    failed: tuple[str, ...]


Decision: TypeAlias = Execute | Skip | Abandon


class Progress:
    """How far a plan has come.

    Attributes:
        failed: keys of the steps that failed.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._waiting = {key: len(step.upstream) for key, step in plan.steps.items()}
        self._below: dict[str, list[str]] = {key: [] for key in plan.steps}
        for key, step in plan.steps.items():
            for above in step.upstream:
                self._below[above].append(key)
        self._index = {key: index for index, key in enumerate(plan.steps)}
        self._ready = [
            (-step.priority, self._index[key], step) for key, step in plan.steps.items() if not step.upstream
        ]
        heapq.heapify(self._ready)
        self._idle: deque[Skip | Abandon] = deque()  # what will not run is told before anything else runs
        self._turns = len(plan.steps)
        self._not_produced: set[tuple[str, str]] = set()
        self._dead: set[str] = set()  # failed or abandoned
        self._left = len(plan.steps)
        self.failed: list[str] = []

    @property
    def is_done(self) -> bool:
        """Whether every step has ended, one way or another."""
        return not self._left

    def next(self) -> Decision | None:
        """What to do now; None while everything left waits for steps that are running."""
        if self._idle:
            return self._idle.popleft()
        return Execute(heapq.heappop(self._ready)[2]) if self._ready else None

    def again(self, step: Step) -> None:
        """The step failed and is due once more: after those of its priority that are ready already."""
        self._turns += 1
        heapq.heappush(self._ready, (-step.priority, self._turns, step))

    def succeeded(self, step: Step, not_produced: AbstractSet[str] = frozenset()) -> None:
        """The step ended well; the outputs named were not produced, as they may."""
        for output in not_produced:
            self._not_produced.add((step.key, output))
        self._end(step)

    def skipped(self, step: Step) -> None:
        """The step was skipped, so none of its outputs was produced."""
        self.succeeded(step, {output.name for output in step.node.outputs})

    def failed_for_good(self, step: Step) -> None:
        """The step failed and will not be tried again."""
        self.failed.append(step.key)
        self.abandoned(step)

    def abandoned(self, step: Step) -> None:
        """The step will not run."""
        self._dead.add(step.key)
        self._end(step)

    def _end(self, step: Step) -> None:
        self._left -= 1
        for key in self._below[step.key]:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                self._became_ready(self._plan.steps[key])

    def _became_ready(self, step: Step) -> None:
        if self._not_produced:
            missing = [source for source in step.sources if source in self._not_produced]
            missing += [one for group in step.any_of if self._not_produced.issuperset(group) for one in group]
            if missing:
                self._idle.append(Skip(step, tuple(f"{key}.{output}" for key, output in missing)))
                return
        if self._dead and not self._dead.isdisjoint(step.upstream):
            self._idle.append(Abandon(step, tuple(sorted(step.upstream & self._dead))))
            return
        heapq.heappush(self._ready, (-step.priority, self._index[step.key], step))
