"""The config of one op or config mapping: what it looks like, and what the function gets of it.

It is said by a parameter `config` with a `Config` class or another type, or by `config_schema`. Pydantic, which config
classes bring along, is imported here only where there is such a class.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

from treadle.author import config_types
from treadle.author.config_mapping import ConfigMapping
from treadle.author.executions import ANY_CONFIG
from treadle.author.run_config import RunConfig, plain
from treadle.errors import ConfigMappingError, TreadleError
from treadle.spec import config


class Owner(Protocol):
    """What takes config: an op or a config mapping."""

    config_class: Any
    config_schema: Any

    @property
    def has_config(self) -> bool: ...


def config_field(owner: Owner) -> config.Field:
    """What may stand under its `config` in run config, and whether something has to; anything if it declares none."""
    known: config.Field | None = owner.__dict__.get("config_field")
    if known is None:
        known = _declared(owner).field if owner.has_config else ANY_CONFIG
        owner.__dict__["config_field"] = known
    return known


def map_config(made: Owner, inner: Owner, given: Any, config_schema: Any) -> None:
    """Make an op, a copy of `inner`, take the config of a mapping; `inner` gets what that makes of it."""
    mapping = ConfigMapping.given(given, config_schema)
    field = config_field(mapping) if mapping.has_config else config.Field(config.ANY, False, {})
    made.__dict__.update(mapped=(inner, mapping), config_field=field)
    made.config_schema = mapping.declared


def _declared(owner: Owner) -> config_types.Field:
    return config_types.field_from(owner.config_class if owner.config_class is not None else owner.config_schema)


def load_config(owner: Owner, checked: Any) -> Any:
    """A checked value with members of enums in the place of their names, and functions of `configured` applied. A
    config class looks its members up itself.
    """
    mapped = owner.__dict__.get("mapped")
    if mapped is not None:
        inner, mapping = mapped
        made = call_mapping(mapping, checked, f"the `configured` op {inner.name!r}")
        what = f"The config that `configured` gives to op {inner.name!r}"
        return load_config(inner, config.resolve(config_field(inner).schema, made, env=os.environ, what=what))
    if not owner.has_config or config_types.is_config_class(owner.config_class):
        return checked
    return _declared(owner).config_type.load(checked)


def build_config(owner: Owner, resolved: Any, title: str, path: config.Path = ()) -> Any:
    """What its function gets as its config: an object of its config class, or the value itself.

    Args:
        resolved: the config, as `load_config` gives it.
        title: what it belongs to, for messages.
        path: where it is in run config.

    Raises:
        ConfigError: the config class refuses the value.
    """
    if not config_types.is_config_class(owner.config_class):
        return resolved
    from treadle.author.config import build  # noqa: PLC0415  # brings pydantic, which this class needs anyway

    return build(owner.config_class, resolved or {}, f"The config of {title}", path=path)


def call_mapping(mapping: ConfigMapping, checked: Any, title: str) -> Any:
    """What a config mapping makes of config that was checked before, as plain data.

    Raises:
        ConfigMappingError: it raised.
    """
    value = build_config(mapping, load_config(mapping, checked), title)
    return ask(mapping.config_fn, {} if value is None else value, f"config mapping of {title}")


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
