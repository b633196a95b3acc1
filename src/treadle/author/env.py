"""Environment variables named in config: written down by name, read where the run executes.

Light on purpose: nothing here imports pydantic.
"""

from __future__ import annotations

import os
from typing import Any, TypeGuard

from treadle.core.told import told
from treadle.errors import UnreadEnvVarError


def _refuse(name: str) -> UnreadEnvVarError:
    return UnreadEnvVarError(
        f"EnvVar({name!r}) stands for a value that is only read when the run executes, so it has no text here. "
        "Pass it to config or a resource as it is, or read the variable now with .get_value()."
    )


class EnvVar(str):
    """The value of an environment variable, read when the run executes.

    It may stand wherever config or a resource takes a string, and is shown by name in the UI. `EnvVar.int("X")` stands
    for a whole number.

    Args:
        name: the variable's name.
    """

    __slots__ = ()

    @classmethod
    def int(cls, name: str) -> IntEnvVar:
        """A variable that holds a whole number."""
        return IntEnvVar.create(name)

    @property
    def env_var_name(self) -> str:
        """The variable's name."""
        return str.__str__(self)

    def get_value(self, default: str | None = None) -> str | None:
        """The variable's value now, or `default` if it is not set."""
        return os.environ.get(self.env_var_name, default)

    def __str__(self) -> str:
        raise _refuse(self.env_var_name)

    def __format__(self, format_spec: str) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"EnvVar({str.__repr__(self)})"


class IntEnvVar(int):
    """The value of an environment variable that holds a whole number. Made by `EnvVar.int`."""

    name: str

    @classmethod
    def create(cls, name: str) -> IntEnvVar:
        """The variable called `name`."""
        variable = cls(0)
        variable.name = name
        return variable

    env_var_name: str = told("name", "The variable's name.")

    def get_value(self, default: int | None = None) -> int | None:
        """The variable's value now, or `default` if it is not set.

        Raises:
            ValueError: it does not hold a whole number.
        """
        text = os.environ.get(self.name)
        return default if text is None else int(text)

    def __int__(self) -> int:
        raise _refuse(self.name)

    def __str__(self) -> str:
        raise _refuse(self.name)

    def __repr__(self) -> str:
        return f"EnvVar.int({self.name!r})"

    # Two variables are one if they have the same name: as numbers all would be equal.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, IntEnvVar) and self.name == other.name

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((IntEnvVar, self.name))

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (IntEnvVar.create, (self.name,))


def is_env(value: object) -> TypeGuard[EnvVar | IntEnvVar]:
    """Whether `value` stands for an environment variable."""
    return isinstance(value, EnvVar | IntEnvVar)
