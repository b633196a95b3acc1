"""The config of one op or config mapping: what it looks like, and what the function gets of it.

It is said by a parameter `config` with a `Config` class or another type, or by `config_schema`. Pydantic, which config
classes bring along, is imported here only where there is such a class.
"""

from __future__ import annotations

from typing import Any

from treadle.author import config_types
from treadle.author.config_mapping import ConfigMapping
from treadle.author.executions import ANY_CONFIG
from treadle.author.ops import OpDefinition
from treadle.spec import config

Owner = OpDefinition | ConfigMapping


def config_field(owner: Owner) -> config.Field:
    """What may stand under its `config` in run config, and whether something has to; anything if it declares none."""
    known: config.Field | None = owner.__dict__.get("config_field")
    if known is None:
        known = owner.__dict__["config_field"] = _declared(owner).field if owner.has_config else ANY_CONFIG
    return known


def _declared(owner: Owner) -> config_types.Field:
    return config_types.field_from(owner.config_class if owner.config_class is not None else owner.config_schema)


def load_config(owner: Owner, checked: Any) -> Any:
    """A checked value with members of enums in the place of their names. A config class does that itself."""
    if not owner.has_config or config_types.is_config_class(owner.config_class):
        return checked
    return _declared(owner).config_type.load(checked)


def build_config(op: OpDefinition, resolved: Any) -> Any:
    """What the op's function gets as its config: an object of its config class, or the value itself.

    Args:
        resolved: the config, as `job_config.resolve` gives it.

    Raises:
        ConfigError: the config class refuses the value.
    """
    return build_of(op, resolved, repr(op.name), ("ops", op.name, "config"))


def build_of(owner: Owner, resolved: Any, title: str, path: config.Path = ()) -> Any:
    """The same for any owner, `title` in messages."""
    if not config_types.is_config_class(owner.config_class):
        return resolved
    from treadle.author.config import build  # noqa: PLC0415  # brings pydantic, which this class needs anyway

    return build(owner.config_class, resolved or {}, f"The config of {title}", path=path)
