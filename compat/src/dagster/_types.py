"""The words for built-in types: Python's own."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Set, Tuple  # noqa: UP035

Bool = bool
Float = float
Int = int
String = str

__all__ = ["Any", "Bool", "Dict", "Float", "Int", "List", "Optional", "Set", "String", "Tuple"]
