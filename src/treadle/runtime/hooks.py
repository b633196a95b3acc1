"""Calling the hooks of a step after each attempt, and saying in the log what became of each."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence, Set
from typing import Any

from treadle.author.composition import PendingNode
from treadle.author.hooks import HookContext, HookDefinition, HookExecutionResult
from treadle.author.resources import Resources
from treadle.errors import InvariantError, StepExecutionError
from treadle.runtime.step_context import StepContext
from treadle.state import events
from treadle.state.error_info import error_info
from treadle.state.events import Event, StepOutput


class HookStep:
    """An attempt of a step, as its hooks see it.

    Attributes:
        op_exception: what the op raised, if it did.
    """

    def __init__(self, context: StepContext, happened: Sequence[Event], error: BaseException | None) -> None:
        self._context = context
        self._produced = [
            event for event in happened if isinstance(event, StepOutput) and event.type_check_data.success
        ]
        self.op_exception = error.user_exception if isinstance(error, StepExecutionError) else error

    @property
    def run_id(self) -> str:
        return self._context.run_id

    @property
    def job_name(self) -> str:
        return self._context.job_name

    @property
    def instance(self) -> Any:
        return self._context.instance

    @property
    def step_key(self) -> str:
        return self._context.step_key

    @property
    def op(self) -> PendingNode:
        return PendingNode(self._context.op_def, self._context.step.node.handle.rpartition(".")[2])

    @property
    def op_config(self) -> Any:
        return self._context.op_config

    @property
    def log(self) -> logging.Logger:
        return self._context.log

    @property
    def op_output_values(self) -> Mapping[str, Any]:
        made = self._context.scope.outputs or {}
        names = dict.fromkeys(event.output_name for event in self._produced)
        return {name: made[self.step_key, name] for name in names if (self.step_key, name) in made}

    @property
    def op_output_metadata(self) -> Mapping[str, Mapping[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for event in self._produced:
            if event.mapping_key is None:
                found[event.output_name] = event.metadata
            else:
                found.setdefault(event.output_name, {})[event.mapping_key] = event.metadata
        return found

    def resources(self, keys: Set[str]) -> Resources:
        return self._context.scope.resources.subset(keys)


def run_hooks(context: StepContext, since: int, error: BaseException | None) -> None:
    """Call the hooks of a step whose attempt has ended.

    Args:
        since: how many events there were before the attempt.
        error: what the attempt raised, if it failed.
    """
    scope = context.scope
    happened = [entry.event for entry in scope.entries[since:] if entry.event.step_key == context.step_key]
    step = HookStep(context, happened, error)
    for hook in scope.job.hooks_of(context.step.node.handle):
        try:
            ended = _call(hook, HookContext(step, hook), happened)
        except Exception as fault:
            scope.emit(events.HookErrored(context.step_key, hook.name, error_info(fault)))
            continue
        told = events.HookSkipped if ended.is_skipped else events.HookCompleted
        scope.emit(told(context.step_key, hook.name))


def _call(hook: HookDefinition, context: HookContext, happened: Sequence[Event]) -> HookExecutionResult:
    ended = hook.hook_fn(context, happened)
    if not isinstance(ended, HookExecutionResult):
        raise InvariantError(
            f"The hook_fn of hook {hook.name!r} returned {type(ended).__name__}. Return "
            f"HookExecutionResult({hook.name!r}, is_skipped=...), or use success_hook or failure_hook."
        )
    return ended
