"""The import name `dagster`, provided by Treadle: code written for Dagster runs unchanged.

Nothing is implemented here. A name is looked up in Treadle when it is first used, under the name that Treadle gives
it (`_names`); attributes that users know under an older name are attached to Treadle's classes before anything runs
(`_aliases`). The real Dagster, or a package pinned to it, cannot share an environment with this one: then the import
fails and says what to do.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from dagster import _names, _neighbours
from treadle.author import port

_neighbours.refuse_the_real_one(sys.path)
port.connect("dagster._runtime")


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return __dir__()
    module, attribute = _names.place_of(name)
    if module is None:
        raise AttributeError(f"module 'dagster' has no attribute {name!r}{_names.hint(name)}")
    beside = _names.beside(module, name)
    if beside is not None:
        import_module(beside)
    value = getattr(import_module(module), attribute)
    setattr(sys.modules[__name__], name, value)
    return value


def __dir__() -> list[str]:
    return sorted(_names.all_names())
