"""Executors as definitions: how a run executes its steps, with the config for it.

They are declared by jobs and `Definitions`, and their config is checked. Runs in this process (`execute_in_process`,
`materialize`, the command line) take of it whether steps are retried; their steps run one after the other in any case.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, overload

from treadle.author.config_types import ConfigType, Field, field_from
from treadle.author.executions import DEFAULT_EXECUTION, IN_PROCESS, MULTIPROCESS
from treadle.core.keys import check_name
from treadle.spec import config as schemas


@dataclass(frozen=True, slots=True)
class InitExecutorContext:
    """What the function of an executor may look at.

    Attributes:
        job: the job.
        executor_def: the executor.
        executor_config: its config.
        instance: the instance that remembers the run.
    """

    job: Any
    executor_def: ExecutorDefinition
    executor_config: Mapping[str, object]
    instance: Any


class ExecutorDefinition:
    """How a run executes its steps.

    Args:
        name: its name, under which its config is found.
        config_schema: its config.
        requirements: what it needs of the job and the instance; kept, and not looked at in this process.
        executor_creation_fn: takes an `InitExecutorContext` and makes the executor. Runs in this process do without.
        description: a sentence for people.
    """

    __slots__ = ("_mapped", "config_schema", "description", "executor_creation_fn", "name", "requirements")

    def __init__(
        self,
        name: str,
        config_schema: Any = None,
        requirements: Any = None,
        executor_creation_fn: Callable[[InitExecutorContext], Any] | None = None,
        description: str | None = None,
    ) -> None:
        self.name = check_name(name, "an executor")
        self.config_schema = config_schema
        self.requirements = requirements
        self.executor_creation_fn = executor_creation_fn
        self.description = description
        self._mapped: tuple[ExecutorDefinition, Any] | None = None

    def configured(
        self,
        config_or_config_fn: Any,
        name: str | None = None,
        config_schema: Any = None,
        description: str | None = None,
    ) -> ExecutorDefinition:
        """This executor with its config given now, or computed by a function from config as `config_schema` says."""
        made = ExecutorDefinition(
            name or self.name, config_schema, self.requirements, self.executor_creation_fn,
            description or self.description,
        )  # fmt: skip
        made._mapped = (self, config_or_config_fn)
        return made

    def resolve_config(self, config: Any) -> Any:
        """What the executor is set up with when run config says `config`.

        Raises:
            ConfigError: what `configured` was given, or its function returned, does not fit.
        """
        if self._mapped is None:
            return config
        inner, given = self._mapped
        value = given(config) if callable(given) else given
        if inner.config_schema is not None:
            schema = field_from(inner.config_schema).field.schema
            value = schemas.resolve(schema, value, env=os.environ, what=f"The config of executor {inner.name!r}")
        return inner.resolve_config(value)

    def __repr__(self) -> str:
        return f"<executor {self.name}>"


@overload
def executor(name: Callable[[InitExecutorContext], Any]) -> ExecutorDefinition: ...
@overload
def executor(
    name: str | None = None, config_schema: Any = None, requirements: Any = None
) -> Callable[[Callable[[InitExecutorContext], Any]], ExecutorDefinition]: ...
def executor(name: Any = None, config_schema: Any = None, requirements: Any = None) -> Any:
    """Make a function that makes an executor an executor definition: `@executor` or `@executor(name=...)`.

    Args:
        name: its name; the function's by default.
        config_schema, requirements: as for `ExecutorDefinition`.
    """
    if callable(name):
        fn: Any = name
        return ExecutorDefinition(fn.__name__, None, None, fn, fn.__doc__)
    return lambda fn: ExecutorDefinition(name or fn.__name__, config_schema, requirements, fn, fn.__doc__)


in_process_executor = ExecutorDefinition(
    "in_process", Field(ConfigType(IN_PROCESS), is_required=False), description="All steps in one process."
)
multiprocess_executor = ExecutorDefinition(
    "multiprocess", Field(ConfigType(MULTIPROCESS), is_required=False), description="Each step in a process of its own."
)
multi_or_in_process_executor = ExecutorDefinition(
    "multi_or_in_process_executor",
    Field(ConfigType(DEFAULT_EXECUTION.schema), default_value={"multiprocess": {}}),
    description="One of the two, as run config says.",
)
