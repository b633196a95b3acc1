"""Config mappings: a job or graph with a small config of its own, of which a function makes that of what is inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from treadle.author.signature import NO_ANNOTATION, decorator, signature_of, where
from treadle.errors import DefinitionError


class ConfigMapping:
    """A function from the config of a job or graph to the config of what is inside.

    Args:
        config_fn: for a job, gives run config (a dict or `RunConfig`); for a graph, the config of its nodes by name.
        config_schema: what config it takes; None takes anything.
        receive_processed_config_values: False hands the function of a job the config with environment variables not
            looked up.

    Attributes:
        config_class: the config class that the function's parameter is annotated with, if it is.
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
        self.config_class: Any = None

    @property
    def declared(self) -> Any:
        """What config it takes, as it was declared; None takes anything."""
        return self.config_schema if self.config_class is None else self.config_class

    @property
    def has_config(self) -> bool:
        """Whether it says what config it takes."""
        return self.declared is not None

    def resolve_from_unvalidated_config(self, config: Any) -> Any:
        """What the function makes of `config`."""
        return self.config_fn(config)

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
