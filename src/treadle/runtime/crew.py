"""Steps side by side: which of those that are ready are started, and what is waited for. How one is executed, in a
process or in a thread of its own, is the business of the subclass."""

from __future__ import annotations

import selectors
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from treadle.decide.queue import TagLimit
from treadle.decide.steps import Step
from treadle.runtime.agenda import Agenda
from treadle.runtime.limits import Limit
from treadle.runtime.run import INTERRUPTS, Attempt, RunScope, StepEnd


@dataclass(slots=True, eq=False)
class Worker:
    """An attempt of a step that is under way. Its limit begins with it."""

    step: Step
    number: int
    limit: Limit | None = None


W = TypeVar("W", bound=Worker)


class Crew(ABC, Generic[W]):
    """Executes the steps of one run, several at once; a `Drive`.

    Args:
        most: how many at once.
        limits: how many at once of those with a tag.

    Attributes:
        running: the attempts under way, by what the subclass knows them by.
        waiting: what is waited for; the data of each is what to call when it is readable.
    """

    scope: RunScope
    attempt: Attempt
    agenda: Agenda
    waiting: selectors.BaseSelector

    def __init__(self, most: int, limits: Sequence[TagLimit] = ()) -> None:
        self._most = most
        self._limits = limits
        self.running: dict[Any, W] = {}
        self._held: list[Step] = []
        self._claiming: dict[str, Step] = {}  # those that wait for a slot of a pool, by key
        self._with_slot: list[Step] = []

    def __call__(self, scope: RunScope, attempt: Attempt) -> BaseException | None:
        """Execute all steps of a run; returns what made it fail."""
        self.scope, self.attempt, self.agenda = scope, attempt, Agenda(scope)
        self.waiting = selectors.DefaultSelector()
        with self.waiting:
            if scope.slots is not None:
                self.waiting.register(scope.slots, selectors.EVENT_READ, self._take_slots)
            with self.opened():
                try:
                    while not self.agenda.is_done:
                        self.start_ready()
                        if not self.agenda.is_done:
                            self.wait()
                    while self.alive:
                        self.wait()
                except INTERRUPTS:
                    self.interrupt()
                    raise
        return self.agenda.error

    # --- what the subclass does

    @abstractmethod
    def opened(self) -> AbstractContextManager[None]:
        """What is needed while steps run; at its end nothing of them is left."""

    @abstractmethod
    def start(self, step: Step, number: int) -> None:
        """Begin an attempt, and put it among those that run."""

    @abstractmethod
    def look(self) -> None:
        """Take note of what has ended or is late. Called after each wait."""

    @abstractmethod
    def due(self, worker: W) -> float | None:
        """When an attempt has to be looked at, by `time.monotonic`."""

    @abstractmethod
    def interrupt(self) -> None:
        """Tell all steps to end, and wait until they have."""

    @property
    def alive(self) -> Collection[W]:
        """What has to be watched: the attempts under way, and what is left of those that have ended."""
        return self.running.values()

    # --- what is the same for all

    def wait(self, most_s: float | None = None) -> None:
        """Wait until something happens or is due, `most_s` seconds at most, and take note of it."""
        pauses = [one for one in (0.0 if self._take_slots() else self._pause_s(), most_s) if one is not None]
        for key, _ in self.waiting.select(min(pauses, default=None)):
            key.data()
        self.look()

    def ended(self, known_by: Any, end: StepEnd) -> None:
        """An attempt has ended."""
        step = self.running.pop(known_by).step
        if self.scope.slots is not None and step.node.pool is not None:
            self.scope.slots.free(step.key)
        self.agenda.ended(step, end)

    def start_ready(self) -> None:
        """Start what is ready, as far as limits let it."""
        if self.running and self.scope.ends is not None and time.monotonic() >= self.scope.ends:
            return  # those under way end first, each for having taken too long
        slots = self.scope.slots
        held, self._held = self._held, []
        with_slot, self._with_slot = self._with_slot, []
        while len(self.running) < self._most:
            has_slot = bool(with_slot)
            step = with_slot.pop(0) if has_slot else held.pop(0) if held else self.agenda.next()
            if step is None:
                break
            pool = None if slots is None or has_slot else step.node.pool
            if self._is_limited(step) or (pool is not None and self._has_enough):
                (self._with_slot if has_slot else self._held).append(step)
            elif slots is not None and pool is not None:
                self._claiming[step.key] = step
                slots.claim(step.key, pool, step.priority)
            else:
                self.start(step, self.agenda.attempt_of(step))
        self._held, self._with_slot = held + self._held, with_slot + self._with_slot

    @property
    def _has_enough(self) -> bool:
        """Whether a slot that came now could not be used at once: others would wait for it in vain."""
        return len(self.running) + len(self._claiming) + len(self._with_slot) >= self._most

    def _is_limited(self, step: Step) -> bool:
        for limit in self._limits:
            kind = limit.counts(step.node.tags)
            if kind is None:
                continue
            counted = Counter(limit.counts(one.step.node.tags) for one in self.running.values())
            if counted[kind] >= limit.limit:
                return True
        return False

    def _take_slots(self) -> bool:
        """Take the slots that have come, also those that came while something else was waited for; whether any."""
        if self.scope.slots is None or not self._claiming:
            return False
        given = self.scope.slots.granted()
        self._with_slot += [self._claiming.pop(step) for step in given]
        return bool(given)

    def _pause_s(self) -> float | None:
        """Seconds until something is due: an attempt that is late, or what the agenda says if it can be done."""
        now = time.monotonic()
        pauses = [max(0.0, due - now) for one in self.alive if (due := self.due(one)) is not None]
        is_over = self.running and self.scope.ends is not None and now >= self.scope.ends
        if (
            len(self.running) < self._most
            and not (is_over or self.agenda.is_done)
            and (pause_s := self.agenda.pause_s) is not None
        ):
            pauses.append(pause_s)
        return min(pauses, default=None)
