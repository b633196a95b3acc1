"""The one error tree of Treadle.

Every error says what is wrong, where, and what to do. Errors are typed by who can mend them:
`DefinitionError` and its children are mistakes in what was declared, `InvocationError` mistakes in how something was
called, `UserCodeError` failures inside functions that users wrote, `StoreError` trouble with the machine below us.
Details are attributes, so that a program can read them; the message is for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class TreadleError(Exception):
    """Base of every error that Treadle raises on purpose."""


# --- what was declared -------------------------------------------------------------------------------------------


class DefinitionError(TreadleError):
    """Something that was declared cannot be right: duplicate keys, a cycle, an unknown dependency, a bad name."""


class ConfigDefinitionError(DefinitionError):
    """A config schema is not one that Treadle understands."""

    def __init__(self, message: str, *, config_type: object = None) -> None:
        super().__init__(message)
        self.config_type = config_type


class TimeFormatError(DefinitionError, ValueError):
    """A date was written in another form than was declared."""


class MetadataError(DefinitionError):
    """A metadata value has no kind that Treadle can store."""


class SelectionError(DefinitionError):
    """A selection cannot be parsed, or names something that does not exist."""


class UnknownResourceError(DefinitionError, AttributeError):
    """Something requires a resource that was not provided. An `AttributeError` too, so that `hasattr` works."""

    def __init__(self, message: str, *, keys: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.keys = keys


class LoadError(TreadleError):
    """The file or module that holds the definitions cannot be loaded. `__cause__` is the error of the user's code."""


# --- how something was called --------------------------------------------------------------------------------------


class InvocationError(TreadleError):
    """Something was called in a way that cannot work."""


class InvariantError(TreadleError):
    """A value is not available here: for example the partition key of a run without partition."""


class ConfigError(TreadleError):
    """Run config does not fit its schema. All faults are reported together.

    Attributes:
        errors: one `spec.config.ConfigFault` per fault, each with its path and what was expected.
        config: the config that was checked.
    """

    def __init__(self, message: str, *, errors: tuple[object, ...] = (), config: object = None) -> None:
        super().__init__(message)
        self.errors = errors
        self.config = config


class UnreadEnvVarError(InvariantError, RuntimeError):
    """The text of an `EnvVar` was asked for where it only stands for a value."""


class UnknownPartitionError(TreadleError, ValueError):
    """A partition key does not exist in its partitions definition."""


class RunNotFoundError(TreadleError):
    """No run has this id."""


# --- user code -----------------------------------------------------------------------------------------------------


class UserCodeError(TreadleError):
    """A function that the user wrote raised. `user_exception` (also `__cause__`) is what it raised."""

    def __init__(self, message: str, *, user_exception: BaseException | None = None) -> None:
        super().__init__(message)
        self.user_exception = user_exception


class StepExecutionError(UserCodeError):
    """The function of a step raised.

    Attributes:
        step_key: the step.
        op_name: the op or asset whose function raised.
    """

    def __init__(
        self, message: str, *, user_exception: BaseException | None = None, step_key: str = "", op_name: str = ""
    ) -> None:
        super().__init__(message, user_exception=user_exception)
        self.step_key = step_key
        self.op_name = op_name


class ResourceError(UserCodeError):
    """A resource failed while it was set up or torn down."""


class ConfigMappingError(UserCodeError):
    """A config mapping function raised."""


class PipesError(UserCodeError):
    """An external process failed, could not be started, or reported what cannot be used.

    Attributes:
        command: the program and its arguments, where Treadle ran it.
        exit_code: what it ended with; of a process that was killed, minus the number of the signal.
    """

    def __init__(self, message: str, *, command: tuple[str, ...] = (), exit_code: int | None = None) -> None:
        super().__init__(message)
        self.command = command
        self.exit_code = exit_code


class TypeCheckError(TreadleError):
    """A value did not pass the check of its declared type.

    Attributes:
        description, metadata: what the check said about the value.
    """

    def __init__(
        self, message: str, *, description: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{message} {description}" if description else message)
        self.description = description
        self.metadata: Mapping[str, Any] = metadata or {}


class CheckFailedError(TreadleError):
    """A blocking asset check with severity ERROR did not pass."""


class StepOutputNotFoundError(InvariantError):
    """A function did not produce an output that it declares, or a value that was asked for was never produced."""

    def __init__(self, message: str, *, step_key: str = "", output_name: str = "") -> None:
        super().__init__(message)
        self.step_key = step_key
        self.output_name = output_name


class StoredValueNotFoundError(StepOutputNotFoundError, FileNotFoundError):
    """A value should be in a file, and there is none."""


class StepNotFoundError(TreadleError):
    """A step was asked for that the plan does not have."""

    def __init__(self, message: str, *, step_keys: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.step_keys = step_keys


class TimeLimitError(UserCodeError):
    """A step, or its run, took longer than it may. `seconds` is the limit."""

    def __init__(self, message: str, *, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class UnmetExecutorRequirementsError(TreadleError):
    """An executor needs something that the job, or the instance of its run, is not."""


class ExecutionInterruptedError(BaseException):
    """The run was told to stop. Derives from `BaseException` so that `except Exception` in user code lets it pass."""


# --- the machine below ---------------------------------------------------------------------------------------------


class StoreError(TreadleError):
    """The store cannot be opened, read or written."""


class FencedError(StoreError):
    """This process no longer owns what it wants to write about: another has taken over."""


class StoreVersionError(StoreError):
    """The store was written by another version of Treadle and has to be migrated first."""
