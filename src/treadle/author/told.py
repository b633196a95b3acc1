"""Members of contexts that say what the step behind them says."""

from __future__ import annotations

from typing import Any

from treadle.core.told import told as passed_on


def told(path: str, doc: str) -> Any:
    """A read-only member: `log: Logger = told("log", "...")` is what `self._step.log` is."""
    return passed_on(f"_step.{path}", doc)
