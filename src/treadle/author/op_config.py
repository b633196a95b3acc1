"""The config of one op: what it looks like, and what the op's function gets of it.

An op says it by a parameter `config` with a `Config` class or another type, or by `config_schema`. Pydantic, which
config classes bring along, is imported here only for ops that have such a class.
"""

from __future__ import annotations

from typing import Any

from treadle.author import config_types
from treadle.author.ops import OpDefinition
from treadle.spec import config

ANYTHING = config.Field(config.ANY, required=False)
"""For an op without config: whatever is given is let through, as it is ignored."""


def config_field(op: OpDefinition) -> config.Field:
    """What may stand under `config` for this op in run config, and whether something has to."""
    known: config.Field | None = op.__dict__.get("config_field")
    if known is None:
        known = op.__dict__["config_field"] = _declared(op).field if op.has_config else ANYTHING
    return known


def _declared(op: OpDefinition) -> config_types.Field:
    return config_types.field_from(op.config_class if op.config_class is not None else op.config_schema)


def load_config(op: OpDefinition, checked: Any) -> Any:
    """A checked value with members of enums in the place of their names. A config class does that itself."""
    if not op.has_config or config_types.is_config_class(op.config_class):
        return checked
    return _declared(op).config_type.load(checked)


def build_config(op: OpDefinition, resolved: Any) -> Any:
    """What the op's function gets as its config: an object of its config class, or the value itself.

    Args:
        resolved: the config, as `job_config.resolve` gives it.

    Raises:
        ConfigError: the config class refuses the value.
    """
    if not config_types.is_config_class(op.config_class):
        return resolved
    from treadle.author.config import build  # noqa: PLC0415  # brings pydantic, which this op needs anyway

    return build(op.config_class, resolved or {}, f"The config of {op.name!r}", path=("ops", op.name, "config"))
