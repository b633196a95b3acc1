"""Definitions that take config, and `configured`: one of them as another, with its config given or computed."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from functools import cached_property
from typing import Any, Self

from treadle.author import config_types
from treadle.author.config_mapping import ConfigMapping
from treadle.author.config_types import Field
from treadle.author.op_config import call_mapping
from treadle.errors import ConfigError, DefinitionError
from treadle.spec.config import UNSET, describe, resolve


class Configurable:
    """What definitions of resources, loggers and executors share."""

    _what = ""
    _config_schema: Any = None
    _mapped: tuple[Self, ConfigMapping] | None = None
    description: str | None

    @property
    def config_schema(self) -> Any:
        """What config it takes, as it was declared; None takes anything."""
        return self._config_schema

    @cached_property
    def config_field(self) -> Field:
        """What may stand under its `config` in run config, and whether something has to."""
        schema = self._config_schema
        return Field(config_types.Any, is_required=False) if schema is None else config_types.field_from(schema)

    def _configured(self, given: Any, config_schema: Any, description: str | None) -> Self:
        made = copy.copy(self)
        made.__dict__.pop("config_field", None)
        mapping = ConfigMapping.given(given, config_schema)
        made._mapped = (self, mapping)
        made._config_schema = mapping.declared
        if description is not None:
            made.description = description
        return made

    def check_config(self, config: Any = UNSET) -> Any:
        """What run config says, against `config_field`, with defaults and environment variables filled in. Without
        config: the default.

        Raises:
            ConfigError: it does not fit, or there has to be one.
        """
        part = self.config_field.field
        if config is UNSET:
            config = part.default
            if config is UNSET:
                if not part.required:
                    return None
                raise ConfigError(
                    f"It needs config: {describe(part.schema)}. Give it in run config, under {self._what}s.<key>."
                    "config.",
                    config=None,
                )
        return resolve(part.schema, config, env=os.environ, what=f"The config of a {self._what}")

    def resolve_config(self, config: Any) -> Any:
        """What its function finds as its config when `check_config` gave `config`: functions of `configured` called,
        enum members looked up.

        Raises:
            ConfigMappingError: the function given to `configured` raised.
            ConfigError: what it returned, or was given, does not fit.
        """
        if self._mapped is None:
            return self.config_field.config_type.load(config)
        inner, mapping = self._mapped
        made = call_mapping(mapping, config, f"the `configured` {self._what}")
        return inner.resolve_config(inner.check_config(made))


def configured(configurable: Any, config_schema: Any = None, **kwargs: Any) -> Callable[[Any], Any]:
    """A definition that takes config (op, graph with a config mapping, resource, IO manager, logger, executor) as
    another with its config given, `configured(op, name="small")({"n": 1})`, or computed by a function:

        @configured(database, config_schema={"stage": str})
        def staged(config):
            return {"url": f"db://{config['stage']}"}

    Args:
        configurable: the definition.
        config_schema: what the function takes; or annotate its parameter with a config class. None takes anything.
        kwargs: `name` (that of the function by default) and `description` of what is made.

    Raises:
        DefinitionError: the definition takes no config, or its new name is missing.
    """
    make = getattr(configurable, "configured", None)
    if make is None:
        raise DefinitionError(
            f"{configurable!r} cannot be `configured`: ops, graphs, resources, IO managers, loggers and executors can."
        )
    named = hasattr(configurable, "name")

    def decorate(given: Any) -> Any:
        if named and callable(given):
            kwargs.setdefault("name", given.__name__)
        return make(given, config_schema=config_schema, **kwargs)

    return decorate
