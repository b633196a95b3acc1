"""How a run executes its steps: as the job's executor and its config say."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from treadle.author.executors import (
    Executor,
    ExecutorDefinition,
    InitExecutorContext,
    in_process_executor,
    multi_or_in_process_executor,
    multiprocess_executor,
    threaded_executor,
)
from treadle.errors import InvocationError, TreadleError, UserCodeError
from treadle.host.instance import Instance
from treadle.runtime import kin
from treadle.runtime.agenda import conducted_by, in_this_process
from treadle.runtime.run import Drive, RunScope

if TYPE_CHECKING:  # a command that executes a run in its own process starts without them
    from treadle.decide.queue import TagLimit
    from treadle.runtime.processes import Fresh

_THREADS = 32


def drive_of(scope: RunScope, instance: Instance, fresh: Fresh | None = None, spawns: bool = False) -> Drive:
    """What executes the steps of a run that has been prepared.

    Args:
        fresh: starts a step in a fresh interpreter. Without it, in a process that somebody has called, steps have
            processes only if job or config asks for them, and if it can be forked; else they stay in this process.
        spawns: whether steps start so unless config says otherwise, because this process must not be forked.

    Raises:
        InvocationError: the job has an executor of its own that makes nothing which could.
        UserCodeError: what makes it raised.
    """
    return _Choice(scope, instance, fresh, spawns).drive(scope.job.executor_def, scope.execution)


class _Choice:
    def __init__(self, scope: RunScope, instance: Instance, fresh: Fresh | None, spawns: bool) -> None:
        self._scope = scope
        self._instance = instance
        self._fresh = fresh
        self._spawns = spawns

    def drive(self, executor: ExecutorDefinition | None, execution: Mapping[str, Any]) -> Drive:
        """What an executor executes steps with; `execution` has its config by its name."""
        if executor is None:
            return self._one_of(execution)
        config = executor.resolve_config(execution[executor.name])
        root = executor
        while root._mapped is not None:
            root = root._mapped[0]
        if root is multi_or_in_process_executor:
            return self._one_of(config)
        if root is multiprocess_executor:
            return self._processes(config)
        if root is threaded_executor:
            from treadle.runtime.threads import StepThreads  # noqa: PLC0415

            return StepThreads((config or {}).get("max_concurrent") or _THREADS, _limits(config))
        if root is in_process_executor or root.executor_creation_fn is None:
            return in_this_process
        return self._own(executor, root.executor_creation_fn, config)

    def _own(self, executor: ExecutorDefinition, make: Any, config: Any) -> Drive:
        scope = self._scope
        try:
            made = make(InitExecutorContext(scope.job, executor, config, self._instance))
        except TreadleError:
            raise
        except Exception as error:
            text = f"The function of executor {executor.name!r} raised {type(error).__name__}: {error}"
            raise UserCodeError(text, user_exception=error) from error
        if isinstance(made, ExecutorDefinition):
            return self.drive(made, {made.name: made.check_config() or {}})
        if not isinstance(made, Executor):
            raise InvocationError(
                f"The executor {executor.name!r} of job {scope.job.name!r} gives {made!r}, which executes nothing. "
                "Return an object of a subclass of treadle.Executor, or an executor such as multiprocess_executor."
            )
        scope.retries = scope.retries and made.retries
        return conducted_by(made.execute)

    def _one_of(self, config: Mapping[str, Any]) -> Drive:
        has_processes = "in_process" not in config and (self._fresh is not None or self._is_asked_for())
        return self._processes(config.get("multiprocess")) if has_processes else in_this_process

    def _is_asked_for(self) -> bool:
        """Whether run config names processes: it is not what config is by default."""
        given = self._scope.run.run_config.get("execution") or {}
        return "multiprocess" in (given.get("config") or {}) or "multiprocess" in given

    def _processes(self, config: Mapping[str, Any] | None) -> Drive:
        config = config or {}
        start = config.get("start_method") or ({"spawn": {}} if self._spawns else {})
        if self._fresh is None and ("spawn" in start or not _may_fork(self._instance)):
            return in_this_process
        from treadle.runtime.processes import StepProcesses  # noqa: PLC0415

        for name in (start.get("forkserver") or {}).get("preload_modules") or ():
            importlib.import_module(name)
        fresh = self._fresh if "spawn" in start else None
        return StepProcesses(config.get("max_concurrent") or os.cpu_count() or 1, _limits(config), fresh)


def _may_fork(instance: Instance) -> bool:
    """Whether steps can be executed in forks of this process, which may be anybody's."""
    is_main = threading.current_thread() is threading.main_thread()  # which alone can be told of ended children
    return instance.home is not None and is_main and not kin.strange_threads()


def _limits(config: Mapping[str, Any] | None) -> list[TagLimit]:
    from treadle.decide.queue import TagLimit  # noqa: PLC0415

    return [
        TagLimit.declared(limit["key"], limit["limit"], limit.get("value"))
        for limit in (config or {}).get("tag_concurrency_limits") or ()
    ]
