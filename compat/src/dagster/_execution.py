"""The parts of Dagster's execution that users could subclass or configure.

In Treadle runs are executed, queued and launched by the system itself. What describes that (requirements, the settings
of the queue and the launcher) is kept and readable; what would act in its place says what to use.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from treadle.author.executors import MULTIPLE_PROCESSES, ExecutorRequirement
from treadle.author.reconstructable import ReconstructableJob
from treadle.errors import InvariantError, InvocationError
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
    """What the function of an `@executor` returns. Treadle reads the executor's config and requirements, and executes
    the steps itself."""

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


class DefaultRunLauncher:
    """The setting that runs are launched in processes on this machine."""

    def __init__(self, inst_data: Any = None) -> None:
        self.inst_data = inst_data

    def launch_run(self, context: Any) -> NoReturn:
        """Runs are launched through their instance."""
        _refuse("DefaultRunLauncher.launch_run", "launch runs through DagsterInstance, or `dagster job launch`.")


class QueuedRunCoordinator:
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

    def submit_run(self, context: Any) -> NoReturn:
        """Runs are submitted through their instance."""
        _refuse("QueuedRunCoordinator.submit_run", "submit runs through DagsterInstance, or `dagster job launch`.")
