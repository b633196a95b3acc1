"""What runs definitions that are asked to run themselves: Treadle's, once the old names of attributes are attached."""

from __future__ import annotations

from typing import Any

from dagster import _run_filters as _attached  # noqa: F401
from treadle.host import execution


def __getattr__(name: str) -> Any:
    return getattr(execution, name)
