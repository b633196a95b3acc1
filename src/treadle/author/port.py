"""The one seam through which definitions reach upwards to what runs them.

`job.execute_in_process()` and calling an op in a test need the runtime, which lies above this room. The package door
names the module that provides it; it is imported when something first runs.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

_provider = ""


def connect(module: str) -> None:
    """Name the module whose functions run things. Called by the package door."""
    global _provider
    _provider = module


def call(function: str) -> Callable[..., Any]:
    """The runtime's function of this name."""
    return getattr(import_module(_provider), function)
