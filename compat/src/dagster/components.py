"""`dagster.components`: the names of components. See `_components`."""

from __future__ import annotations

from typing import Any

from dagster import _components


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name == "components":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_components, name)
