"""Members that pass on what something inside says."""

from __future__ import annotations

from operator import attrgetter
from typing import Any


def told(path: str, doc: str) -> Any:
    """A read-only member: `run_id: str = told("run.run_id", "...")` is what `self.run.run_id` is.

    Where annotations declare fields (structs, dataclasses) it is annotated as a `ClassVar`, or not if a base is.
    """
    return property(attrgetter(path), doc=doc)
