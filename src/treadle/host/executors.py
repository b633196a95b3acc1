"""How a launched run executes its steps: as the job's executor and its config say.

An executor of one's own is a function of `InitExecutorContext` that returns a `runtime.run.Drive`: what takes the run's
scope and a function that makes an attempt of a step, executes all steps, and returns what made the run fail.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast

from treadle.author.executors import (
    InitExecutorContext,
    in_process_executor,
    multi_or_in_process_executor,
    multiprocess_executor,
)
from treadle.decide.queue import TagLimit
from treadle.errors import InvocationError
from treadle.host.instance import Instance
from treadle.runtime.agenda import in_this_process
from treadle.runtime.processes import StepProcesses
from treadle.runtime.run import Drive, RunScope


def drive_of(scope: RunScope, instance: Instance) -> Drive:
    """What executes the steps of a run that has been prepared.

    Raises:
        InvocationError: the job has an executor of its own that makes nothing which could.
    """
    executor = scope.job.executor_def
    if executor is None:
        return _one_of(scope.execution)
    config = executor.resolve_config(scope.execution[executor.name])
    root = executor
    while root._mapped is not None:
        root = root._mapped[0]
    if root is multi_or_in_process_executor:
        return _one_of(config)
    if root is multiprocess_executor:
        return _processes(config)
    if root is in_process_executor or root.executor_creation_fn is None:
        return in_this_process
    made = root.executor_creation_fn(InitExecutorContext(scope.job, executor, config, instance))
    if not callable(made):
        raise InvocationError(
            f"The executor {executor.name!r} of job {scope.job.name!r} gives {made!r}, which executes nothing. Return "
            "a function of the run's scope and of what makes an attempt of a step, or use multiprocess_executor."
        )
    return cast("Drive", made)


def _one_of(config: Mapping[str, Any]) -> Drive:
    return in_this_process if "in_process" in config else _processes(config.get("multiprocess"))


def _processes(config: Mapping[str, Any] | None) -> Drive:
    config = config or {}
    limits = [
        TagLimit.declared(limit["key"], limit["limit"], limit.get("value"))
        for limit in config.get("tag_concurrency_limits") or ()
    ]
    return StepProcesses(config.get("max_concurrent") or os.cpu_count() or 1, limits)
