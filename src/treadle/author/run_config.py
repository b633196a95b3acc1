"""RunConfig: the config of a run, written with objects instead of nested dicts.

Light on purpose: it knows config objects only by their `__run_config__` method and so never imports pydantic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle.author.env import is_env

_PARTS = ("ops", "resources", "loggers", "execution")


class RunConfig:
    """The config of a run.

    Attributes:
        ops: for each op or asset, a `Config` object, or the dict of its section (`{"config": {...}}`).
        resources: for each resource key, a `Config` or resource object, or the dict of its section.
        loggers: for each logger, the dict of its section.
        execution: the executor's section as a dict.
    """

    __slots__ = _PARTS

    def __init__(
        self,
        ops: dict[str, Any] | None = None,
        resources: dict[str, Any] | None = None,
        loggers: dict[str, Any] | None = None,
        execution: dict[str, Any] | None = None,
    ) -> None:
        self.ops = dict(ops or {})
        self.resources = dict(resources or {})
        self.loggers = dict(loggers or {})
        self.execution = dict(execution or {})

    def to_config_dict(self) -> dict[str, Any]:
        """The same as nested plain data, the form in which run config is checked and stored."""
        return {
            "loggers": _section(self.loggers),
            "resources": _section(self.resources),
            "ops": _section(self.ops),
            "execution": plain(self.execution),
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunConfig) and self.to_config_dict() == other.to_config_dict()

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # it holds dicts

    def __repr__(self) -> str:
        return f"RunConfig({', '.join(f'{part}={getattr(self, part)!r}' for part in _PARTS)})"


def run_config_dict(run_config: RunConfig | Mapping[str, Any] | None) -> dict[str, Any]:
    """`run_config`, however it was written, as nested plain data."""
    if isinstance(run_config, RunConfig):
        return run_config.to_config_dict()
    return plain(run_config or {})


def _section(value: Any) -> Any:
    """A section of the run config: config objects stand for `{"config": ...}`, at any depth."""
    if hasattr(value, "__run_config__"):
        return {"config": value.__run_config__()}
    if isinstance(value, Mapping):
        return {key: plain(item) if key == "config" else _section(item) for key, item in value.items()}
    return plain(value)


def plain(value: Any) -> Any:
    """`value` as plain data: config objects as dicts, environment variables as references."""
    if is_env(value):
        return {"env": value.env_var_name}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "__run_config__"):
        return value.__run_config__()
    return value
