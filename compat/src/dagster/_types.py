"""The words for types: Python's own for the built-in ones, and what may be a config schema."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Set, Tuple  # noqa: UP035

import treadle

Bool = bool
Float = float
Int = int
String = str


class ConfigSchema:
    """A word for annotations: whatever may be given as a config schema."""

    def __init__(self) -> None:
        raise treadle.InvocationError(
            "ConfigSchema is a word for annotations: make a Shape, a Field or a dict instead."
        )


__all__ = ["Any", "Bool", "ConfigSchema", "Dict", "Float", "Int", "List", "Optional", "Set", "String", "Tuple"]
