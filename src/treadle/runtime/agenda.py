"""What a run does next, and the plain way to do it: one step after the other, in this process."""

from __future__ import annotations

import heapq
import select
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from itertools import count

from treadle.core import tags
from treadle.decide.progress import Abandon, Decision, Execute, Progress, Skip
from treadle.decide.steps import Step
from treadle.errors import TimeLimitError
from treadle.runtime.run import Attempt, RunScope, StepEnd, close_scope, open_scope
from treadle.state import events


def in_this_process(scope: RunScope, attempt: Attempt) -> BaseException | None:
    """Execute the steps one after the other, here."""
    agenda = Agenda(scope)
    try:
        open_scope(scope, tuple(scope.plan.steps))
        while not agenda.is_done:
            step = agenda.next()
            if step is not None:
                with _slot(scope, step):
                    end = attempt(scope, step, agenda.attempt_of(step))
                agenda.ended(step, end)
            elif (pause_s := agenda.pause_s) is not None:
                scope.sink.commit()
                time.sleep(pause_s)
    finally:
        close_scope(scope)
        scope.say_lost(scope.capture and scope.capture.lost)
    return agenda.error


@contextmanager
def _slot(scope: RunScope, step: Step) -> Iterator[None]:
    """While inside, the step holds a slot of its pool, if it has one; waits for it."""
    slots, pool = scope.slots, step.node.pool
    if slots is None or pool is None:
        yield
        return
    slots.claim(step.key, pool, step.priority)
    while step.key not in slots.granted():
        select.select([slots], [], [])
    try:
        yield
    finally:
        slots.free(step.key)


class Agenda:
    """What a run does next: the steps that its plan lets run, and those that are due again.

    Attributes:
        error: what made the run fail, so far.
    """

    def __init__(self, scope: RunScope) -> None:
        self._scope = scope
        self._progress = Progress(scope.whole)
        self._attempts: dict[str, int] = {}
        self._waiting: list[tuple[float, int, Step]] = []  # until when, a number that breaks ties, which step
        self._turns = count()
        self._limit_s = tags.max_runtime_s(scope.run.tags)
        if self._limit_s is not None:
            scope.ends = time.monotonic() + self._limit_s
        self.error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        """Whether every step has ended."""
        return self._progress.is_done

    @property
    def pause_s(self) -> float | None:
        """Seconds until something is due: a step again, or the end of the run's time. None if nothing is."""
        due = [one for one in (self._waiting[0][0] if self._waiting else None, self._scope.ends) if one is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def attempt_of(self, step: Step) -> int:
        """Which attempt of a step is next, from 1."""
        return self._attempts.get(step.key, 1)

    def next(self) -> Step | None:
        """The next step to execute; None if what can go on waits for others or for its time.

        Raises:
            TimeLimitError: the run has taken longer than it may.
        """
        scope = self._scope
        if scope.ends is not None and time.monotonic() >= scope.ends:
            limit_s = self._limit_s or 0.0
            raise TimeLimitError(f"The run took longer than its limit of {limit_s:g} seconds.", seconds=limit_s)
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            self._progress.again(heapq.heappop(self._waiting)[2])
        while (decision := self._progress.next()) is not None:
            step = decision.step
            if scope.continues is not None and not scope.continues.executes(step):
                self._leave(decision)
            elif type(decision) is Execute:
                return step
            elif type(decision) is Skip:
                scope.emit(events.StepSkipped(step.key, decision.missing))
                scope.left_out.update((step.key, output.name) for output in step.node.outputs)
                self._progress.skipped(step)
            elif type(decision) is Abandon:
                text = f"Dependencies for step {step.key} failed: {list(decision.failed)}. Not executing."
                scope.emit(events.LogMessage(text, 40, step.key))
                self._progress.abandoned(step)
        return None

    def ended(self, step: Step, end: StepEnd) -> None:
        """An attempt of a step has ended."""
        if end.retry_in_s is not None:
            self._attempts[step.key] = self.attempt_of(step) + 1
            heapq.heappush(self._waiting, (time.monotonic() + end.retry_in_s, next(self._turns), step))
        elif end.error is not None:
            self.error = self.error or end.error
            self._progress.failed_for_good(step)
        else:
            self._succeeded(step, end.not_produced, end.mapping_keys)

    def _succeeded(self, step: Step, not_produced: Set[str], mapping_keys: Mapping[str, tuple[str, ...]]) -> None:
        self._scope.left_out.update((step.key, output) for output in not_produced)
        for output, keys in mapping_keys.items():
            self._scope.mapping_keys[step.key, output] = keys
        self._progress.succeeded(step, not_produced, mapping_keys)

    def _leave(self, decision: Decision) -> None:
        """A step that is not executed again ends as earlier runs left it, whatever happens above it now."""
        step = decision.step
        if len(step.mapped) < len(step.over):  # of steps that nobody can name: what is above them is not there
            (self._progress.skipped if type(decision) is Skip else self._progress.abandoned)(step)
            return
        made = self._scope.recall(step.key)
        outputs = step.node.outputs
        keys = {one.name: made.keys_of(one.name) for one in outputs if one.is_dynamic and made is not None}
        lacking = {one.name for one in outputs if (one.asset is None if made is None else made.lacks(one))}
        self._succeeded(step, lacking, keys)
