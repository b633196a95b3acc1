"""`AssetSelection.resolve` as users of Dagster call it: with definitions."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

from treadle.spec.graph import AssetGraph
from treadle.spec.selection import AssetSelection


def _of_definitions(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """`resolve`, which also takes definitions in place of a graph."""

    @wraps(resolve)
    def resolved(selection: AssetSelection, assets: Any, *args: Any, **given: Any) -> Any:
        if not isinstance(assets, AssetGraph):
            assets = import_module("treadle.author.asset_layer").AssetLayer(assets).graph
        return resolve(selection, assets, *args, **given)

    return resolved


for _name in ("resolve", "resolve_checks"):
    setattr(AssetSelection, _name, _of_definitions(getattr(AssetSelection, _name)))
