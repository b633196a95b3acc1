"""The one seam through which definitions reach upwards to what runs them.

`job.execute_in_process()` and calling an op in a test need the runtime, which lies above this room. The package door
names the module that provides it; it is imported when something first runs.
"""

from __future__ import annotations

from importlib import import_module

_provider = ""


def connect(module: str) -> None:
    """Name the module whose functions run things. Called by the package door."""
    global _provider
    _provider = module


def call(function: str):  # noqa: ANN201  # Any: `typing` costs five times the rest of `import treadle`
    """The runtime's function of this name."""
    return getattr(import_module(_provider), function)
