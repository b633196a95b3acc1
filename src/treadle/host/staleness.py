"""Whether the assets of a location are up to date, by what an instance remembers of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle.author.definitions import Definitions
from treadle.core.keys import AssetKey
from treadle.host.instance import Instance
from treadle.spec.selection import AssetSelection
from treadle.state.staleness import Staleness, staleness


def staleness_of(definitions: Definitions, instance: Instance, selection: Any = None) -> Mapping[AssetKey, Staleness]:
    """The staleness of assets.

    Args:
        selection: the assets asked for, as anything that means a selection; all that something makes by default.

    Raises:
        SelectionError: the selection cannot be read, or names what is not there.
    """
    graph = definitions.layer.graph
    chosen = AssetSelection.from_coercible(selection).resolve(graph) if selection is not None else graph.materializable
    records = instance.get_asset_records(sorted(graph.upstream(chosen)))
    entries = {record.asset_entry.asset_key: record.asset_entry for record in records}
    return staleness(graph, entries, chosen)
