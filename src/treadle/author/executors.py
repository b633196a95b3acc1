"""Executors: how a run executes its steps, with the config for it. Jobs and `Definitions` declare them.

`execute_in_process` and `materialize` take of it whether steps are retried; their steps run one after the other in any
case. Other runs in one process (`execute_job`, the command line) start no processes for steps, and do the rest as
declared.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from treadle.author.config_types import ConfigType, Field
from treadle.author.configured import Configurable
from treadle.author.executions import DEFAULT_EXECUTION, IN_PROCESS, MULTIPROCESS, THREADED
from treadle.author.signature import decorator
from treadle.core.keys import AssetKey, check_name
from treadle.state.runs import Run


class ExecutorRequirement(enum.Enum):
    """What an executor may need: a job that other processes can load, an instance that they can open, and IO managers
    whose values they can read."""

    RECONSTRUCTABLE_PIPELINE = "RECONSTRUCTABLE_PIPELINE"
    NON_EPHEMERAL_INSTANCE = "NON_EPHEMERAL_INSTANCE"
    PERSISTENT_OUTPUTS = "PERSISTENT_OUTPUTS"


MULTIPLE_PROCESSES = tuple(ExecutorRequirement)
"""What an executor needs whose steps are in processes of their own."""

Requirements: TypeAlias = (
    Sequence[ExecutorRequirement] | Callable[[Mapping[str, object]], Sequence[ExecutorRequirement]]
)


class InitExecutorContext(msgspec.Struct, frozen=True):
    """What the function of an executor may look at.

    Attributes:
        executor_def: the executor.
        executor_config: its config.
        instance: the instance that remembers the run.
    """

    job: Any
    executor_def: ExecutorDefinition
    executor_config: Mapping[str, object]
    instance: Any


class ReadyStep(Protocol):
    """A step that can be executed.

    Attributes:
        key: unique in the run: the path of its op, and `[...]` below a dynamic output.
        priority: higher goes first, as its op's tag `dagster/priority` says.
        tags: the tags of its op.
        assets: the assets that it makes.
    """

    @property
    def key(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def tags(self) -> Mapping[str, str]: ...
    @property
    def assets(self) -> Sequence[AssetKey]: ...


class ReadySteps(Protocol):
    """The steps of a run, as an executor of one's own sees them."""

    @property
    def run(self) -> Run:
        """The run."""
        ...

    def ready(self) -> Sequence[ReadyStep]:
        """The steps that can be executed now, in the order in which the default executor would. Waits until there is
        one, as for the time of a retry. Empty once all steps have ended."""
        ...

    def execute(self, step: ReadyStep) -> bool:
        """Make an attempt of a step, here and now; whether it succeeded. What follows from it (skips, retries, what is
        ready next) is seen to."""
        ...


class Executor(ABC):
    """Executes the steps of a run in its process, in an order of its own. An `@executor` function returns one.

    Attributes:
        retries: whether retry policies and retry requests of steps are followed.
    """

    retries: bool = True

    @abstractmethod
    def execute(self, steps: ReadySteps) -> None:
        """Execute steps until none is ready. What it raises makes the run fail."""


class ExecutorDefinition(Configurable):
    """How a run executes its steps.

    Args:
        name: its name, under which its config is found.
        config_schema: its config.
        requirements: what it needs of the job and the instance, or a function of its config that returns that.
        executor_creation_fn: takes an `InitExecutorContext` and returns an `Executor`, or another executor definition
            that the run is to be executed by.
    """

    _what = "executor"

    def __init__(
        self,
        name: str,
        config_schema: Any = None,
        requirements: Requirements | None = None,
        executor_creation_fn: Callable[[InitExecutorContext], Any] | None = None,
        description: str | None = None,
    ) -> None:
        self.name = check_name(name, "an executor")
        self.config_schema = config_schema
        self.requirements = requirements
        self.executor_creation_fn = executor_creation_fn
        self.description = description

    def configured(
        self,
        config_or_config_fn: Any,
        name: str | None = None,
        config_schema: Any = None,
        description: str | None = None,
    ) -> ExecutorDefinition:
        """This executor with its config given now, or computed by a function from config as `config_schema` says."""
        made = self._configured(config_or_config_fn, config_schema, description)
        made.name = check_name(name or self.name, "an executor")
        return made

    def __repr__(self) -> str:
        return f"<executor {self.name}>"


@decorator("name")
def executor(
    name: str | None = None, config_schema: Any = None, requirements: Requirements | None = None
) -> Callable[[Callable[[InitExecutorContext], Any]], ExecutorDefinition]:
    """Make a function that makes an executor an executor definition: `@executor` or `@executor(name=...)`.

    Args:
        name: its name; the function's by default.
        config_schema, requirements: as for `ExecutorDefinition`.
    """
    return lambda fn: ExecutorDefinition(name or fn.__name__, config_schema, requirements, fn, fn.__doc__)


in_process_executor = ExecutorDefinition(
    "in_process", Field(ConfigType(IN_PROCESS), is_required=False), description="All steps in one process."
)
multiprocess_executor = ExecutorDefinition(
    "multiprocess",
    Field(ConfigType(MULTIPROCESS), is_required=False),
    MULTIPLE_PROCESSES,
    description="Each step in a process of its own.",
)
threaded_executor = ExecutorDefinition(
    "threaded",
    Field(ConfigType(THREADED), is_required=False),
    description="Each step in a thread of one process, and async functions on one event loop.",
)
multi_or_in_process_executor = ExecutorDefinition(
    "multi_or_in_process_executor",
    Field(ConfigType(DEFAULT_EXECUTION.schema), default_value={"multiprocess": {}}),
    description="One of the two, as run config says.",
)
