"""Whether the assets of a location are up to date, by what an instance remembers of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle.author.definitions import Definitions
from treadle.core.keys import AssetKey
from treadle.core.time import utc_now
from treadle.host.instance import Instance
from treadle.spec.selection import AssetSelection
from treadle.state.event_types import EventType
from treadle.state.records import EventLogRecord
from treadle.state.staleness import Staleness, staleness, version_in

_FACTS = (EventType.ASSET_MATERIALIZATION, EventType.ASSET_OBSERVATION)


def staleness_of(definitions: Definitions, instance: Instance, selection: Any = None) -> Mapping[AssetKey, Staleness]:
    """The staleness of assets, and of their partitions.

    Args:
        selection: the assets asked for, as anything that means a selection; all that something makes by default.

    Raises:
        SelectionError: the selection cannot be read, or names what is not there.
    """
    graph = definitions.layer.graph
    chosen = AssetSelection.from_coercible(selection).resolve(graph) if selection is not None else graph.materializable
    records = instance.get_asset_records(sorted(graph.upstream(chosen)))
    entries = {record.asset_entry.asset_key: record.asset_entry for record in records}
    return staleness(graph, entries, chosen, _Records(instance), utc_now(), instance)


class _Records:
    """What the log of an instance says of partitions."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def made(self, key: AssetKey) -> Mapping[str, EventLogRecord]:
        """The newest materialization of each partition of an asset that exists."""
        there = self._instance.get_materialized_partitions(key)
        events = self._instance.store.events
        numbers = events.latest_by_partition(key, EventType.ASSET_MATERIALIZATION, there)
        return {record.partition_key or "": record for record in events.find(numbers=numbers.values())}

    def changed(self, key: AssetKey, after: int) -> Mapping[str | None, int]:
        """The partitions whose data is another than it was at number `after`, and the number since which it is."""
        find = self._instance.store.events.find
        now: dict[str | None, object] = {}
        since: dict[str | None, int] = {}
        differed: set[str | None] = set()
        for record in find(of_type=_FACTS, asset_key=key, after=after):
            partition, version = record.partition_key, _version(record)
            if version is None or partition in differed:
                continue
            if now.setdefault(partition, version) == version:
                since[partition] = record.storage_id
            else:
                differed.add(partition)
        for partition in since.keys() - differed:  # all that came after is the same: is it what was there before?
            one = None if partition is None else (partition,)
            before = find(of_type=_FACTS, asset_key=key, partitions=one, before=after + 1, limit=1)
            if before and _version(before[0]) == now[partition]:
                del since[partition]
        return since


def _version(record: EventLogRecord) -> object:
    """The data version that a record says; a materialization that says none is as new data. None: it says nothing."""
    found = version_in(record)
    return record.storage_id if found is None and record.asset_materialization is not None else found
