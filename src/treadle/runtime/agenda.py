"""What a run does next, and the plain way to do it: one step after the other, in this process."""

from __future__ import annotations

import heapq
import select
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from itertools import count
from typing import Any

from treadle.core import tags
from treadle.decide.progress import Abandon, Decision, Execute, Progress, Skip
from treadle.decide.steps import Step
from treadle.errors import InvariantError, InvocationError, TimeLimitError
from treadle.runtime.limits import seconds_text
from treadle.runtime.run import Attempt, Drive, RunScope, StepEnd, close_scope, open_scope
from treadle.state import events
from treadle.state.events import Event
from treadle.state.runs import Run


class StepsHere:
    """The steps of a run that are executed one at a time, in this process; a `ReadySteps`."""

    def __init__(self, scope: RunScope, attempt: Attempt) -> None:
        self._scope = scope
        self._attempt = attempt
        self._ready: list[Step] = []
        self.agenda = Agenda(scope)

    @property
    def run(self) -> Run:
        """The run."""
        return self._scope.run

    def ready(self) -> Sequence[Step]:
        """The steps that can be executed; waits until there is one. Empty once all have ended."""
        agenda = self.agenda
        while True:
            while (step := agenda.next()) is not None:
                self._ready.append(step)
            if self._ready or agenda.is_done:
                return tuple(self._ready)
            self._rest()

    def execute(self, step: Any) -> bool:
        """Make an attempt of a step; whether it succeeded."""
        if step not in self._ready:
            raise InvocationError(f"Step {step.key!r} is not ready, or has been executed. Take it from `ready()`.")
        self._ready.remove(step)
        return self._execute(step)

    def execute_all(self) -> None:
        """Execute them one after the other."""
        while not self.agenda.is_done:
            step = self.agenda.next()
            if step is not None:
                self._execute(step)
            else:
                self._rest()

    def _execute(self, step: Step) -> bool:
        with _slot(self._scope, step):
            end = self._attempt(self._scope, step, self.agenda.attempt_of(step))
        self.agenda.ended(step, end)
        return end.error is None

    def _rest(self) -> None:
        if (pause_s := self.agenda.pause_s) is not None:
            self._scope.sink.commit()
            time.sleep(pause_s)


def conducted_by(conduct: Callable[[StepsHere], None]) -> Drive:
    """What executes the steps in this process, in the order in which `conduct` does."""

    def drive(scope: RunScope, attempt: Attempt) -> BaseException | None:
        steps = StepsHere(scope, attempt)
        try:
            open_scope(scope, tuple(scope.plan.steps))
            conduct(steps)
        finally:
            close_scope(scope)
            scope.say_lost(scope.capture and scope.capture.lost)
        if not steps.agenda.is_done:
            raise InvariantError("The executor has ended, and steps are left. It has to go on until none is ready.")
        return steps.agenda.error

    return drive


in_this_process = conducted_by(StepsHere.execute_all)
"""Executes the steps one after the other, here."""


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
        if scope.by_output:
            scope.on_event = self._note
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

    @property
    def upcoming(self) -> Step | None:
        """A step that is ready, whose turn is next unless another comes before it; None if none is."""
        step = self._progress.upcoming
        is_left = step is not None and self._scope.continues is not None and not self._scope.continues.executes(step)
        return None if is_left else step

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
            raise TimeLimitError(f"The run took longer than its limit of {seconds_text(limit_s)}.", seconds=limit_s)
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

    def _note(self, event: Event) -> None:
        """Take note of outputs that are there before their step has ended."""
        if isinstance(event, events.HandledOutput):
            self._progress.produced(event.step_key, event.output_name)
        elif isinstance(event, events.StepOutput):
            handle = event.step_key.partition("[")[0]
            if self._scope.job.ops[handle].outs[event.output_name].is_nothing:
                self._progress.produced(event.step_key, event.output_name)
        elif isinstance(event, events.AssetMaterialized) and event.step_key in self._scope.plan.steps:
            for output in self._scope.plan.steps[event.step_key].outputs:
                if output.asset == event.materialization.asset_key:
                    self._progress.produced(event.step_key, output.name)

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
