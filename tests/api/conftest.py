"""Tests of the public API as users write it: `import dagster as dg`.

Each test gives a parameter a value that is not its default and sees the effect; its `api` mark says which ones
(`make api-coverage` counts them). Nothing here knows Treadle, so the same files run against the peer too.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import dagster as dg


class Shelf(dg.IOManager):
    """Keeps values by asset key, and what it was asked."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.stored: list[str] = []
        self.loaded: list[str] = []
        self.contexts: dict[str, Any] = {}

    @staticmethod
    def name_of(context: Any) -> str:
        if not context.has_asset_key:
            return context.step_key
        name = context.asset_key.to_user_string()
        return f"{name}|{context.partition_key}" if context.has_partition_key else name

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        name = self.name_of(context)
        self.stored.append(name)
        self.values[name] = obj
        self.contexts[f"out {name}"] = {
            "metadata": context.output_metadata if hasattr(context, "output_metadata") else None,
            "definition_metadata": dict(context.definition_metadata or {}),
            "version": context.version,
        }

    def load_input(self, context: dg.InputContext) -> Any:
        name = context.asset_key.to_user_string()
        self.loaded.append(name)
        self.contexts[f"in {name}"] = {"definition_metadata": dict(context.definition_metadata or {})}
        return self.values[name]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def new_shelf() -> Callable[[], Shelf]:
    return Shelf


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def run(shelf: Shelf) -> Callable[..., Any]:
    """Materializes with `shelf` as IO manager; failures are results."""

    def materialize(assets: Any, **given: Any) -> Any:
        resources = {"io_manager": shelf, **given.pop("resources", {})}
        return dg.materialize(assets, resources=resources, raise_on_error=False, **given)

    return materialize
