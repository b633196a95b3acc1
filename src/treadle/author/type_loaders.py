"""Loaders of types: how an input that nothing feeds gets its value from run config.

The config is checked with the run config; the value is made in the step, where there are resources.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Set
from typing import Any

import msgspec

from treadle.author.config_types import ConfigType, schema_from


class TypeLoaderContext:
    """What a loader may use beside the config of its input.

    Attributes:
        resources: the resources that the loader requires, as attributes.
        job_def, op_def: the job that runs, and the op whose input it is.
        log: a logger; messages go to the run's event log.
    """

    def __init__(self, step: Any, loader: TypeLoader) -> None:
        self.resources: Any = step.resources_for(loader.required_resource_keys())
        self.job_def: Any = step.job_def
        self.op_def: Any = step.op_def
        self.log: Any = step.log


class TypeLoader(ABC):
    """Makes the value of an input out of its config: the `loader=` of a type. `type_loader` makes one of a function."""

    @property
    @abstractmethod
    def schema_type(self) -> Any:
        """What people write in run config, as a config type."""

    @abstractmethod
    def construct_from_config_value(self, context: TypeLoaderContext, config_value: Any) -> Any:
        """The value that a config means."""

    def required_resource_keys(self) -> Set[str]:
        """The resources that it uses."""
        return frozenset()

    @property
    def schema(self) -> ConfigType:
        """The same as `schema_type`, of what is loaded later."""
        written = schema_from(self.schema_type)
        return ConfigType(written.schema, lambda config: LoadLater(self, written.load(config)))


class LoadLater(msgspec.Struct, frozen=True):
    """The value of an input that its loader makes once the step runs."""

    loader: TypeLoader
    config: Any

    def load(self, context: TypeLoaderContext) -> Any:
        """Make it."""
        return self.loader.construct_from_config_value(context, self.config)


class _FunctionLoader(TypeLoader):
    def __init__(self, config_schema: Any, keys: Set[str], load: Callable[[TypeLoaderContext, Any], Any]) -> None:
        self._schema = schema_from(config_schema)
        self._keys = keys
        self._load = load

    @property
    def schema_type(self) -> Any:
        return self._schema

    def construct_from_config_value(self, context: TypeLoaderContext, config_value: Any) -> Any:
        return self._load(context, config_value)

    def required_resource_keys(self) -> Set[str]:
        return self._keys


def type_loader(
    config_schema: Any, required_resource_keys: Set[str] | None = None
) -> Callable[[Callable[[TypeLoaderContext, Any], Any]], TypeLoader]:
    """Decorate a function `(context, config)` that makes a value out of config: the `loader=` of a type.

    Args:
        config_schema: what people write in run config.
        required_resource_keys: resources that it uses, as `context.resources.<key>`.
    """
    return lambda fn: _FunctionLoader(config_schema, frozenset(required_resource_keys or ()), fn)
