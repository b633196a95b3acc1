"""Hooks: functions that are called after each attempt of a step. What goes wrong in one never fails a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, Protocol

import msgspec

from treadle.author.composition import PendingNode
from treadle.author.ops import OpDefinition
from treadle.author.resources import Resources, resources_by_hand
from treadle.author.signature import decorator, where
from treadle.core.keys import check_name
from treadle.core.metadata import MetadataValue
from treadle.core.told import told
from treadle.errors import DefinitionError, InvariantError, InvocationError
from treadle.state.event_types import Event, EventType


class HookExecutionResult(msgspec.Struct, frozen=True):
    """What a hook made by hand says: whether it applied to how the step ended."""

    hook_name: str
    is_skipped: bool = False


class HookDefinition:
    """A hook. `success_hook` and `failure_hook` make them; give them to ops, graphs, jobs and assets.

    Args:
        hook_fn: called with a `HookContext` and the events of the attempt; returns a `HookExecutionResult`.
        required_resource_keys: what it uses of `context.resources`.
        decorated_fn: the function that the decorator made it of.
    """

    def __init__(
        self,
        *,
        name: str,
        hook_fn: Callable[[HookContext, Sequence[Event]], HookExecutionResult],
        required_resource_keys: Set[str] | None = None,
        decorated_fn: Callable[..., Any] | None = None,
    ) -> None:
        self.name = check_name(name, "a hook")
        self.hook_fn = hook_fn
        self.required_resource_keys: Set[str] = frozenset(required_resource_keys or ())
        self.decorated_fn = decorated_fn

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the decorated function with a context from `build_hook_context`, as tests do.

        Raises:
            InvocationError: the hook was not made by a decorator, or is not called with one such context.
            DefinitionError: the context lacks a resource that the hook requires.
        """
        if self.decorated_fn is None:
            raise InvocationError(
                f"Hook {self.name!r} was not made by a decorator, so there is nothing to call. Call its hook_fn."
            )
        given = [*args, *kwargs.values()]
        if len(given) != 1 or not isinstance(given[0], HookContext):
            raise InvocationError(
                f"Hook {self.name!r} is called with one argument, its context, and got {given!r:.80}. Write "
                f"{self.name}(build_hook_context(...)).{where(self.decorated_fn)}"
            )
        context = given[0]
        missing = self.required_resource_keys - context.resources._values.keys()
        if missing:
            raise DefinitionError(
                f"Hook {self.name!r} needs a resource {min(missing)!r}. Give it to the context: "
                f"build_hook_context(resources={{{min(missing)!r}: ...}}).{where(self.decorated_fn)}"
            )
        return self.decorated_fn(context)

    def __repr__(self) -> str:
        return f"<hook {self.name}>"


class HookPort(Protocol):
    """What the context of a hook reads: one attempt of a step."""

    @property
    def run_id(self) -> str: ...
    @property
    def job_name(self) -> str: ...
    @property
    def instance(self) -> Any: ...
    @property
    def step_key(self) -> str: ...
    @property
    def op(self) -> PendingNode: ...
    @property
    def op_config(self) -> Any: ...
    @property
    def log(self) -> logging.Logger: ...
    @property
    def op_exception(self) -> BaseException | None: ...
    @property
    def op_output_values(self) -> Mapping[str, Any]: ...
    @property
    def op_output_metadata(self) -> Mapping[str, Mapping[str, Any]]: ...
    def resources(self, keys: Set[str]) -> Resources: ...


class HookContext:
    """What a hook may look at: the step that ended, and how.

    Attributes:
        hook_def: the hook.
        resources: the resources that the hook requires, as attributes.
    """

    def __init__(self, step_execution_context: HookPort | _ByHand, hook_def: HookDefinition | None) -> None:
        self._step = step_execution_context
        self._hook = hook_def
        self.resources: Any = step_execution_context.resources(hook_def.required_resource_keys if hook_def else set())

    @property
    def hook_def(self) -> HookDefinition:
        """The hook."""
        if self._hook is None:
            raise _not_given("hook_def")
        return self._hook

    required_resource_keys: Set[str] = told("hook_def.required_resource_keys", "The resources that the hook requires.")
    job_name: str = told("_step.job_name", "The job.")
    run_id: str = told("_step.run_id", "The id of the run.")
    instance: Any = told("_step.instance", "The instance that remembers the run.")
    step_key: str = told("_step.step_key", "The key of the step.")
    op: PendingNode = told("_step.op", "The op as it was placed in the job, with its name there.")
    op_config: Any = told("_step.op_config", "The config of the op, as validated.")
    log: logging.Logger = told("_step.log", "A logger whose lines are kept with the run.")
    op_exception: BaseException | None = told("_step.op_exception", "What the op raised, if it did.")
    op_output_values: Mapping[str, Any] = told(
        "_step.op_output_values",
        "The values that the op produced, by output; those of a dynamic output by mapping key.",
    )
    op_output_metadata: Mapping[str, Mapping[str, MetadataValue] | Mapping[str, Any]] = told(
        "_step.op_output_metadata",
        "The metadata of what it produced, by output; that of a dynamic output by mapping key.",
    )


class _ByHand:
    """The step behind a context that was built by hand: it knows what it was given."""

    def __init__(self, given: Mapping[str, Any], resources: Mapping[str, Any] | None) -> None:
        self._given = given
        self._resources = resources_by_hand(resources, given["instance"])
        self.log = logging.getLogger("treadle.user")

    @property
    def op_exception(self) -> BaseException | None:
        return self._given["op_exception"]

    def resources(self, keys: Set[str]) -> Resources:
        return self._resources

    def __getattr__(self, name: str) -> Any:
        value = self._given.get(name)
        if value is None:
            raise _not_given(name)
        return value


def _not_given(name: str) -> InvariantError:
    return InvariantError(f"This hook context was built by hand without {name}. Give it to build_hook_context, or run "
                          "the hook in a job.")  # fmt: skip


def build_hook_context(
    resources: Mapping[str, Any] | None = None,
    op: OpDefinition | PendingNode | None = None,
    run_id: str | None = None,
    job_name: str | None = None,
    op_exception: Exception | None = None,
    instance: Any = None,
) -> HookContext:
    """A context to call a hook with in a test.

    Args:
        resources: by key: definitions, configurable resources or plain objects.
        op: what `context.op` is.
        run_id, job_name, op_exception, instance: what the members of the same name are.
    """
    placed = op if op is None or isinstance(op, PendingNode) else PendingNode(op)
    given = {"op": placed, "run_id": run_id, "job_name": job_name, "op_exception": op_exception, "instance": instance}
    return HookContext(_ByHand(given, resources), None)


@decorator("hook_fn")
def success_hook(
    *, name: str | None = None, required_resource_keys: Set[str] | None = None
) -> Callable[[Callable[[HookContext], Any]], HookDefinition]:
    """Make a function, which takes a `HookContext`, a hook that is called after each step that ended well.

    Args:
        name: the hook's name; the function's by default.
        required_resource_keys: what it uses of `context.resources`.

    Raises:
        DefinitionError: the function takes no context.
    """
    return lambda fn: _hook_after(EventType.STEP_SUCCESS, fn, name, required_resource_keys)


@decorator("name")
def failure_hook(
    name: str | None = None, required_resource_keys: Set[str] | None = None
) -> Callable[[Callable[[HookContext], Any]], HookDefinition]:
    """Make a function a hook that is called after each step that failed for good. Arguments as for `success_hook`."""
    return lambda fn: _hook_after(EventType.STEP_FAILURE, fn, name, required_resource_keys)


def _hook_after(
    end: EventType, fn: Callable[[HookContext], Any], name: str | None, required_resource_keys: Set[str] | None
) -> HookDefinition:
    code = getattr(fn, "__code__", None)
    if code is not None and not code.co_argcount:
        raise DefinitionError(
            f"Hook {fn.__name__!r} takes no parameter, and is called with its context. Write "
            f"def {fn.__name__}(context).{where(fn)}"
        )
    chosen = name or fn.__name__

    def hook_fn(context: HookContext, happened: Sequence[Event]) -> HookExecutionResult:
        for event in happened:
            if event.event_type is end:
                fn(context)
                return HookExecutionResult(chosen)
        return HookExecutionResult(chosen, is_skipped=True)

    return HookDefinition(
        name=chosen, hook_fn=hook_fn, required_resource_keys=required_resource_keys, decorated_fn=fn
    )  # fmt: skip
