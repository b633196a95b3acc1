"""One attempt of one step: load inputs, call the user's function, take what it gives, say how it ended."""

from __future__ import annotations

import time
import types
from collections.abc import Mapping
from typing import Any

from treadle.author.config_types import is_config_class
from treadle.author.contexts import running
from treadle.author.outcomes import Failure, RetryRequested
from treadle.decide.steps import Step
from treadle.errors import (
    CheckFailedError,
    ConfigError,
    StepExecutionError,
    StepOutputNotFoundError,
    TimeLimitError,
    TreadleError,
    TypeCheckError,
    UserCodeError,
)
from treadle.runtime import kin
from treadle.runtime.hooks import run_hooks
from treadle.runtime.inputs import load_inputs
from treadle.runtime.outputs import Outputs
from treadle.runtime.run import INTERRUPTS, RunScope, StepEnd, jitter
from treadle.runtime.step_context import StepContext
from treadle.state import events
from treadle.state.error_info import error_info
from treadle.state.events import ErrorSource

# What a function may raise as it is: requests to the framework, and what that says about the function's values.
_PASSED_ON = (Failure, RetryRequested, TypeCheckError, CheckFailedError, TimeLimitError)
_BEGINS = {events.StepStarted, events.StepRestarted}
_ENDS = {events.StepSucceeded, events.StepFailed, events.StepUpForRetry}


def execute_step(scope: RunScope, step: Step, attempt: int) -> StepEnd:
    """Make one attempt of a step. Its start, and all that came before it, is in the store before user code runs."""
    before_it = len(scope.entries)
    try:
        return _execute_step(scope, step, attempt, before_it)
    except INTERRUPTS as interrupt:  # at any moment
        said = {type(entry.event) for entry in scope.entries[before_it:] if entry.step_key == step.key}
        if said & _BEGINS and not said & _ENDS:
            failed = events.StepFailed(
                step.key, error_info(interrupt), ErrorSource.INTERRUPT, captured=scope.captured()
            )
            scope.emit(failed)
        raise


def _execute_step(scope: RunScope, step: Step, attempt: int, before_it: int) -> StepEnd:
    at = scope.captured()
    scope.emit(events.StepStarted(step.key, at) if attempt == 1 else events.StepRestarted(step.key, attempt, at))
    scope.sink.commit()
    started = time.perf_counter()
    context = StepContext(scope, step, attempt)
    before = running.set(context)
    try:
        limit = context.limit = scope.limit(step)
        if limit is None or context.op_def.signature.is_async:
            not_produced, mapping_keys = _attempt(context)
        else:
            with limit.alarm():
                not_produced, mapping_keys = _attempt(context)
    except INTERRUPTS:
        raise
    except Exception as error:
        end = _failed(context, error, attempt)
        if scope.has_hooks:
            run_hooks(context, before_it, error)
        return end
    except BaseException as stop:  # as SystemExit: it ends the step, and the process only if the run is to raise
        scope.emit(
            events.StepFailed(step.key, error_info(stop), ErrorSource.UNEXPECTED_ERROR, captured=scope.captured())
        )
        return StepEnd(error=stop)
    finally:
        running.reset(before)
    scope.emit(events.StepSucceeded(step.key, (time.perf_counter() - started) * 1000, scope.captured()))
    if scope.has_hooks:
        run_hooks(context, before_it, None)
    return StepEnd(not_produced, mapping_keys)


def _attempt(context: StepContext) -> tuple[frozenset[str], Mapping[str, tuple[str, ...]]]:
    """Returns the optional outputs that were left out, and the mapping keys of dynamic ones."""
    op = context.op_def
    arguments = load_inputs(context)
    if op.has_config:
        _take_config(context, arguments)
    if op.resource_args:
        raw = context.scope.resources.raw
        for name, key in op.resource_args.items():
            arguments[name] = raw[key]
    outputs = Outputs(context)
    signature = op.signature
    positional = (context.step_context,) if signature.context is not None else ()
    try:
        with kin.ending_forks():
            returned = op.fn(*positional, **arguments)
            if signature.is_async and not signature.is_generator:
                returned = _awaited(context, returned)
    except _PASSED_ON:
        raise
    except Exception as error:
        raise _user_error(context, error) from error
    if signature.is_generator or isinstance(returned, types.GeneratorType):
        _drain(context, outputs, returned, signature.is_async)
    else:
        outputs.take_returned(returned)
    return outputs.finish(), outputs.mapping_keys()


def _drain(context: StepContext, outputs: Outputs, generator: Any, is_async: bool) -> None:
    """Take what a generator yields, one by one, so that what it yielded counts even if it raises later."""
    while True:
        try:
            with kin.ending_forks():
                item = _awaited(context, generator.__anext__()) if is_async else next(generator)
        except StopAsyncIteration:
            return
        except StopIteration as end:
            if end.value is not None:
                outputs.take_returned(end.value)
            return
        except _PASSED_ON:
            raise
        except Exception as error:
            raise _user_error(context, error) from error
        outputs.take(item)


def _awaited(context: StepContext, awaitable: Any) -> Any:
    limit = context.limit
    if limit is None:
        return context.scope.await_(awaitable)
    try:
        return context.scope.await_(awaitable, limit.left_s)
    except TimeoutError:
        if time.monotonic() < limit.ends:
            raise  # one of its own
        raise limit.exceeded() from None


def _take_config(context: StepContext, arguments: dict[str, Any]) -> None:
    op = context.op_def
    raw = context.scope.configs.get(context.step.node.handle)
    try:
        config = op.build_config(raw, repr(op.name), ("ops", op.name, "config"))
    except ConfigError as error:  # the user's class refused what fits its schema
        cause = error.__cause__
        raise StepExecutionError(
            str(error), user_exception=cause, step_key=context.step_key, op_name=op.name
        ) from cause
    context.op_config = raw if is_config_class(op.config_class) else config
    if op.config_class is not None:
        arguments["config"] = config


def _user_error(context: StepContext, error: BaseException) -> StepExecutionError:
    op = context.op_def
    kind = "asset" if context.assets_def is not None else "op"
    return StepExecutionError(
        f"The function of {kind} {op.name!r} raised {type(error).__name__}: {error}{op.where}",
        user_exception=error,
        step_key=context.step_key,
        op_name=op.name,
    )


def _failed(context: StepContext, error: Exception, attempt: int) -> StepEnd:
    """Record a failed attempt: another one follows, or the step has failed."""
    scope, step = context.scope, context.step
    cause = error.user_exception if isinstance(error, StepExecutionError) else error
    wait = retry_wait(scope, step, cause, attempt)
    if isinstance(cause, RetryRequested) and cause.__cause__ is not None:
        cause = cause.__cause__
    if wait is not None:
        scope.emit(events.StepUpForRetry(step.key, error_info(cause or error), wait or None, scope.captured()))
        return StepEnd(error=error, retry_in_s=wait)
    said = cause if isinstance(cause, Failure | TypeCheckError) else None
    description = said.description if said is not None else None
    metadata = dict(said.metadata) if said is not None else {}
    source = ErrorSource.USER_CODE_ERROR
    if not isinstance(error, StepExecutionError | Failure | RetryRequested | TimeLimitError):
        source = ErrorSource.FRAMEWORK_ERROR if isinstance(error, TreadleError) else ErrorSource.UNEXPECTED_ERROR
    scope.emit(events.StepFailed(step.key, error_info(error), source, description, metadata, captured=scope.captured()))
    return StepEnd(error=error)


def retry_wait(scope: RunScope, step: Step, error: BaseException | None, attempt: int) -> float | None:
    """Seconds until the next attempt; None if there is to be none."""
    if not scope.retries:
        return None
    if isinstance(error, RetryRequested):
        return (error.seconds_to_wait or 0.0) if attempt <= error.max_retries else None
    if isinstance(error, Failure) and not error.allow_retries:
        return None
    if isinstance(error, StepOutputNotFoundError) and error.step_key != step.key:
        pass  # what is not stored yet may be there later
    elif isinstance(error, TreadleError) and not isinstance(error, UserCodeError):
        return None  # a mistake in the code, which another attempt repeats
    if scope.ends is not None and time.monotonic() >= scope.ends:
        return None
    policy = step.node.retry_policy or scope.job.op_retry_policy
    if policy is None or attempt > policy.max_retries:
        return None
    return policy.wait_s(attempt, jitter)
