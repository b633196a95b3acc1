"""Loaders of types: how an input that nothing feeds gets its value from run config."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from treadle.author.config_types import ConfigType, schema_from


class TypeLoaderContext:
    """What a loader may use beside the config of its input."""

    @property
    def log(self) -> logging.Logger:
        """The logger `treadle`."""
        return logging.getLogger("treadle")


class TypeLoader:
    """Makes the value of an input out of its config.

    Args:
        config_schema: what people write in run config.
        load: takes a `TypeLoaderContext` and the config; gives the value.
    """

    def __init__(self, config_schema: Any, load: Callable[[TypeLoaderContext, Any], Any]) -> None:
        written = schema_from(config_schema)
        self._load = load
        self.schema = ConfigType(written.schema, lambda config: load(TypeLoaderContext(), written.load(config)))

    def construct_from_config_value(self, context: TypeLoaderContext, config_value: Any) -> Any:
        """The value that a config means."""
        return self._load(context, config_value)


def type_loader(config_schema: Any) -> Callable[[Callable[[TypeLoaderContext, Any], Any]], TypeLoader]:
    """Decorate a function `(context, config)` that makes a value out of config: the `loader=` of a type."""
    return lambda fn: TypeLoader(config_schema, fn)
