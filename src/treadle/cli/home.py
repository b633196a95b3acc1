"""The instance of this home. Commands that do not touch it do not pay for importing it."""

from __future__ import annotations

from typing import Any


def open_home() -> Any:
    """The `Instance` of the home, to be used in a `with` statement."""
    from treadle.host.instance import Instance  # noqa: PLC0415  the store takes a tenth of a second to import

    return Instance.get()
