"""The parts of Dagster's execution that users could subclass or configure.

In Treadle steps are started by the system itself: what would do that says what to use. Coordinators and launchers can
be subclassed, and named in settings.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from treadle.author.executors import MULTIPLE_PROCESSES, ExecutorRequirement
from treadle.author.reconstructable import ReconstructableJob
from treadle.errors import InvariantError, InvocationError
from treadle.host import launchers
from treadle.state.runs import Run

_STEPS = (
    "Treadle starts the processes of steps itself. Run a job with multiprocess_executor, or let the step hand its work "
    "to another system: see PipesSubprocessClient."
)


def _refuse(what: str, instead: str) -> NoReturn:
    raise InvariantError(f"{what} cannot be used: {instead}")


def multiple_process_executor_requirements() -> Sequence[ExecutorRequirement]:
    """What an executor requires whose steps are in processes of their own."""
    return list(MULTIPLE_PROCESSES)


class Executor(ABC):
    """What the function of an `@executor` returned. A run cannot be executed by one: the plan that it takes is not
    there. Subclass `treadle.Executor` instead; this is for code that declares one and runs in process."""

    @abstractmethod
    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        """Execute the steps of a plan. Treadle does not call it."""

    @property
    @abstractmethod
    def retries(self) -> Any:
        """Whether steps are retried."""


class StepLauncher:
    """Something that ran steps elsewhere."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse(type(self).__name__, _STEPS)


class StepExecutionContext:
    """The inside of a step's context."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse("StepExecutionContext", "take an OpExecutionContext, or build_op_context in a test.")


@dataclass(frozen=True)
class StepRunRef:
    """Which step of which run is meant."""

    run_config: Mapping[str, object]
    dagster_run: Run
    run_id: str
    retry_mode: Any
    step_key: str
    recon_job: ReconstructableJob
    known_state: Any


def _of_steps_elsewhere(name: str) -> Any:
    def refused(*args: Any, **kwargs: Any) -> NoReturn:
        _refuse(name, _STEPS)

    refused.__name__ = name
    return refused


external_instance_from_step_run_ref = _of_steps_elsewhere("external_instance_from_step_run_ref")
run_step_from_ref = _of_steps_elsewhere("run_step_from_ref")
step_context_to_step_run_ref = _of_steps_elsewhere("step_context_to_step_run_ref")
step_run_ref_to_step_context = _of_steps_elsewhere("step_run_ref_to_step_context")


class DefaultRunLauncher(launchers.DefaultRunLauncher):
    """The setting that runs are launched in processes on this machine."""

    def __init__(self, inst_data: Any = None) -> None:
        self.inst_data = inst_data


class _Submitted(launchers.SubmitRunContext, frozen=True):
    """A run that is submitted, with the names that coordinators know it by."""

    @property
    def dagster_run(self) -> Run:
        return self.run

    def get_request_header(self, key: str) -> str | None:
        """Runs are not submitted over HTTP here."""
        return None


class QueuedRunCoordinator(launchers.QueuedRunCoordinator):
    """The settings of the run queue, as `run_coordinator` or `concurrency` in the instance's settings have them.

    Args:
        max_concurrent_runs: how many runs may be active; -1 for any number.
        tag_concurrency_limits: limits for runs with a tag.
        dequeue_interval_seconds: seconds between looks at the queue.
        dequeue_use_threads, dequeue_num_workers: how runs are launched.
        max_user_code_failure_retries, user_code_failure_retry_delay: tries to reach the code of a run, and the seconds
            between them.
        block_op_concurrency_limited_runs: whether runs wait whose first steps have no slot in their pools.

    Raises:
        InvocationError: `max_concurrent_runs` is below -1.
    """

    context_type = _Submitted

    def __init__(
        self,
        max_concurrent_runs: int | None = None,
        tag_concurrency_limits: Sequence[Mapping[str, Any]] | None = None,
        dequeue_interval_seconds: int | None = None,
        dequeue_use_threads: bool | None = None,
        dequeue_num_workers: int | None = None,
        max_user_code_failure_retries: int | None = None,
        user_code_failure_retry_delay: int | None = None,
        block_op_concurrency_limited_runs: Mapping[str, Any] | None = None,
        inst_data: Any = None,
    ) -> None:
        if max_concurrent_runs is not None and max_concurrent_runs < -1:
            raise InvocationError(f"max_concurrent_runs is {max_concurrent_runs}. Give -1 for any number, or 0 and up.")
        given = {
            "max_concurrent_runs": max_concurrent_runs,
            "tag_concurrency_limits": tag_concurrency_limits,
            "dequeue_interval_seconds": dequeue_interval_seconds,
            "dequeue_use_threads": dequeue_use_threads,
            "dequeue_num_workers": dequeue_num_workers,
            "max_user_code_failure_retries": max_user_code_failure_retries,
            "user_code_failure_retry_delay": user_code_failure_retry_delay,
            "block_op_concurrency_limited_runs": block_op_concurrency_limited_runs,
        }
        super().__init__(**{key: value for key, value in given.items() if value is not None})
        self.max_concurrent_runs = max_concurrent_runs
        self.tag_concurrency_limits = list(tag_concurrency_limits or ())
        self.dequeue_interval_seconds = 5 if dequeue_interval_seconds is None else dequeue_interval_seconds
        self.dequeue_use_threads = bool(dequeue_use_threads)
        self.dequeue_num_workers = dequeue_num_workers
        self.max_user_code_failure_retries = max_user_code_failure_retries or 0
        self.user_code_failure_retry_delay = (
            60 if user_code_failure_retry_delay is None else user_code_failure_retry_delay
        )
        self.block_op_concurrency_limited_runs = dict(block_op_concurrency_limited_runs or {})
        self.inst_data = inst_data

    @property
    def should_block_op_concurrency_limited_runs(self) -> bool:
        """Whether runs wait whose first steps have no slot in their pools."""
        return bool(self.block_op_concurrency_limited_runs.get("enabled", True))

    @property
    def _instance(self) -> Any:
        return self.instance
