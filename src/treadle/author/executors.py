"""Executors as definitions: how a run executes its steps, with the config for it.

They are declared by jobs and `Definitions`, and their config is checked. Runs in this process (`execute_in_process`,
`materialize`, the command line) take of it whether steps are retried; their steps run one after the other in any case.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from treadle.author.config_types import ConfigType, Field
from treadle.author.configured import Configurable
from treadle.author.executions import DEFAULT_EXECUTION, IN_PROCESS, MULTIPROCESS
from treadle.author.signature import decorator
from treadle.core.keys import check_name


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


@dataclass(frozen=True, slots=True)
class InitExecutorContext:
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


class ExecutorDefinition(Configurable):
    """How a run executes its steps.

    Args:
        name: its name, under which its config is found.
        config_schema: its config.
        requirements: what it needs of the job and the instance, or a function of its config that returns that.
        executor_creation_fn: takes an `InitExecutorContext` and makes the executor. Runs in this process do without.
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
        self._config_schema = config_schema
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
multi_or_in_process_executor = ExecutorDefinition(
    "multi_or_in_process_executor",
    Field(ConfigType(DEFAULT_EXECUTION.schema), default_value={"multiprocess": {}}),
    description="One of the two, as run config says.",
)
