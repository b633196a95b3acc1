"""Members of contexts that say what the step behind them says."""

from __future__ import annotations

from operator import attrgetter
from typing import Any


def told(path: str, doc: str) -> Any:
    """A read-only member: `log: Logger = told("log", "...")` is what `self._step.log` is."""
    return property(attrgetter(f"_step.{path}"), doc=doc)
