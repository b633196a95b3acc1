"""What takes config, and config that is made of other config: config mappings, and `configured`.

Ops, config mappings, resources, loggers and executors say what config they take by `config_schema`, or by a parameter
with a `Config` class or another type. Pydantic, which config classes bring along, is imported here only where there is
such a class.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Self

from treadle.author import config_types
from treadle.author.config_types import Field, field_from, is_config_class
from treadle.author.run_config import RunConfig, plain
from treadle.author.signature import NO_ANNOTATION, decorator, signature_of, where
from treadle.errors import ConfigError, ConfigMappingError, DefinitionError, TreadleError
from treadle.spec.config import UNSET, Path, describe, resolve


class Configurable:
    """What everything that takes config shares.

    Attributes:
        config_schema: what config it takes, as it was declared; None takes anything.
        config_class: in place of that, the type of the function's parameter for it, if it has one.
    """

    _what = ""
    _takes = "The config of a {}"
    _mapped: tuple[Self, ConfigMapping] | None = None
    config_schema: Any = None
    config_class: Any = None
    description: str | None

    @property
    def declared(self) -> Any:
        """What config it takes, as it was declared; None takes anything."""
        if self._mapped is not None:
            return self._mapped[1].declared
        return self.config_schema if self.config_class is None else self.config_class

    @property
    def has_config(self) -> bool:
        """Whether it says what config it takes."""
        return self._mapped is not None or self.declared is not None

    @cached_property
    def config_field(self) -> Field:
        """What may stand under its `config` in run config, and whether something has to."""
        if self.declared is not None:
            return field_from(self.declared)
        return Field(config_types.Any, is_required=False) if self._mapped is None else Field(config_types.Any, {})

    def _configured(self, given: Any, config_schema: Any, description: str | None) -> Self:
        made = copy.copy(self)
        made.__dict__.pop("config_field", None)
        mapping = ConfigMapping.given(given, config_schema)
        made._mapped = (self, mapping)
        made.config_schema = mapping.declared
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
        return resolve(part.schema, config, env=os.environ, what=self._takes.format(self._what))

    def resolve_config(self, config: Any) -> Any:
        """What its function finds as its config when `check_config` gave `config`: functions of `configured` called,
        enum members looked up (a config class looks its members up itself).

        Raises:
            ConfigMappingError: the function given to `configured` raised.
            ConfigError: what it returned, or was given, does not fit.
        """
        if self._mapped is None:
            return self.config_field.config_type.load(config)
        inner, mapping = self._mapped
        return inner.resolve_config(inner.check_config(mapping.call(config, f"the `configured` {inner._what}")))

    def build_config(self, resolved: Any, title: str, path: Path = ()) -> Any:
        """What its function gets as its config: an object of its config class, or the value itself.

        Args:
            resolved: the config, as `resolve_config` gives it.
            title: what it belongs to, for messages.
            path: where it is in run config.

        Raises:
            ConfigError: the config class refuses the value.
        """
        if not is_config_class(self.config_class):
            return resolved
        from treadle.author.config import build  # noqa: PLC0415  # brings pydantic, which this class needs anyway

        return build(self.config_class, resolved or {}, f"The config of {title}", path=path)


class ConfigMapping(Configurable):
    """A function from the config of a job or graph to the config of what is inside.

    Args:
        config_fn: for a job, gives run config (a dict or `RunConfig`); for a graph, the config of its nodes by name.
        config_schema: what config it takes; None takes anything.
        receive_processed_config_values: False hands the function of a job the config with environment variables not
            looked up.
    """

    def __init__(
        self,
        config_fn: Callable[[Any], Any],
        config_schema: Any | None = None,
        receive_processed_config_values: bool | None = None,
    ) -> None:
        self.config_fn = config_fn
        self.config_schema = config_schema
        self.receive_processed_config_values = receive_processed_config_values

    def resolve_from_unvalidated_config(self, config: Any) -> Any:
        """What the function makes of `config`."""
        return self.config_fn(config)

    def call(self, checked: Any, title: str) -> Any:
        """What the function makes of config that was checked before, as plain data.

        Raises:
            ConfigMappingError: it raised.
        """
        value = self.build_config(self.resolve_config(checked), title)
        return ask(self.config_fn, {} if value is None else value, f"config mapping of {title}")

    @staticmethod
    def of(config: ConfigMapping | Mapping[str, Any] | None) -> ConfigMapping | None:
        """The mapping that `config=` of a graph means: a mapping, or fixed config."""
        if config is None or isinstance(config, ConfigMapping):
            return config
        return ConfigMapping(lambda _: config)

    @staticmethod
    def given(config: Any, config_schema: Any) -> ConfigMapping:
        """The mapping that `configured` was given: a function, or fixed config."""
        if callable(config):
            return config_mapping(config_schema=config_schema)(config)
        return ConfigMapping(lambda _: config, config_schema)


def ask(function: Callable[[Any], Any], argument: Any, title: str) -> Any:
    """The config that a user's function makes, as plain data.

    Raises:
        ConfigMappingError: it raised.
    """
    try:
        made = function(argument)
        return made.to_config_dict() if isinstance(made, RunConfig) else plain({} if made is None else made)
    except TreadleError:
        raise
    except Exception as error:
        raise ConfigMappingError(
            f"The {title} raised {type(error).__name__}: {error}. It was called with {argument!r}.",
            user_exception=error,
        ) from error


@decorator("config_fn")
def config_mapping(
    *, config_schema: Any = None, receive_processed_config_values: bool | None = None
) -> Callable[[Callable[..., Any]], ConfigMapping]:
    """Make a function a config mapping.

    Example:
        @config_mapping(config_schema={"day": str})
        def by_day(config):
            return {"ops": {"load": {"config": {"path": f"in/{config['day']}.csv"}}}}

        @job(config=by_day)
        def daily(): ...

    Raises:
        DefinitionError: it does not take exactly one parameter, or has a config class and a `config_schema`.
    """

    def make(fn: Callable[..., Any]) -> ConfigMapping:
        signature = signature_of(fn)
        names = ([signature.context] if signature.context else []) + list(signature.names)
        if len(names) != 1:
            raise DefinitionError(
                f"The config mapping {fn.__name__!r} takes {len(names)} parameters. Give it one: the config.{where(fn)}"
            )
        mapping = ConfigMapping(fn, config_schema, receive_processed_config_values)
        annotation = signature.annotations.get(names[0], NO_ANNOTATION)
        if getattr(annotation, "__treadle_config__", False):
            if config_schema is not None:
                raise DefinitionError(
                    f"The config mapping {fn.__name__!r} has a config class and a config_schema. Keep one.{where(fn)}"
                )
            mapping.config_class = annotation
        return mapping

    return make


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
