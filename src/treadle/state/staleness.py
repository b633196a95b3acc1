"""Whether assets are up to date, and why not: what was recorded of them against what they are declared to be.

An asset is STALE when its code, its dependencies or the data it was made from are not what they were then. Only direct
dependencies are compared; the causes behind a cause are found by walking up. All follows from specs and records alone.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from treadle.core import tags
from treadle.core.keys import AssetKey
from treadle.spec.graph import AssetGraph
from treadle.state.records import AssetEntry

INITIAL = "INITIAL"
"""The data version of an asset that was never materialized or observed."""


class StaleStatus(enum.Enum):
    """Whether an asset is up to date. An asset that nothing here makes always is."""

    MISSING = "MISSING"
    STALE = "STALE"
    FRESH = "FRESH"


class StaleCauseCategory(enum.Enum):
    """What has changed: the asset's code version, what it depends on, or the data of a dependency."""

    CODE = "CODE"
    DATA = "DATA"
    DEPENDENCIES = "DEPENDENCIES"


@dataclass(frozen=True, slots=True)
class StaleCause:
    """One reason why an asset is stale.

    Attributes:
        key: the asset that is stale.
        category: what changed.
        reason: the same for people.
        dependency: the asset whose data changed, or that was added or removed.
        children: why the dependency changed, if it is stale itself.
    """

    key: AssetKey
    category: StaleCauseCategory
    reason: str
    dependency: AssetKey | None = None
    children: tuple[StaleCause, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Staleness:
    """Whether one asset is up to date, and if it is stale, why."""

    status: StaleStatus
    causes: tuple[StaleCause, ...] = ()

    @property
    def root_causes(self) -> tuple[StaleCause, ...]:
        """The causes behind its causes, each once."""
        found: dict[StaleCause, None] = {}
        waiting = list(reversed(self.causes))
        while waiting:
            cause = waiting.pop()
            if cause.children:
                waiting.extend(reversed(cause.children))
            else:
                found[cause] = None
        return tuple(found)


def version_recorded(entry: AssetEntry) -> tuple[int, str] | None:
    """The newest record of an asset that has a data version: its number in the log, and the version."""
    found: list[tuple[int, str]] = []
    for record in (entry.last_materialization_record, entry.last_observation_record):
        fact = (record.asset_materialization or record.asset_observation) if record is not None else None
        if record is not None and fact is not None and tags.DATA_VERSION in fact.tags:
            found.append((record.storage_id, fact.tags[tags.DATA_VERSION]))
    return max(found, default=None)


def sources_of(graph: AssetGraph, key: AssetKey) -> tuple[AssetKey, ...]:
    """What an asset is made from: its dependencies, and in the place of virtual ones what these are made from."""
    found: dict[AssetKey, None] = {}
    waiting = list(reversed(graph.parents.get(key, ())))
    seen: set[AssetKey] = set()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        if graph.specs[one].is_virtual:
            waiting.extend(reversed(graph.parents[one]))
        elif one != key:
            found[one] = None
    return tuple(found)


def staleness(
    graph: AssetGraph, entries: Mapping[AssetKey, AssetEntry], keys: Iterable[AssetKey] | None = None
) -> dict[AssetKey, Staleness]:
    """The staleness of assets.

    Args:
        graph: all assets as they are declared.
        entries: what is recorded of each asset of which anything is: of `keys` and all upstream of them.
        keys: the assets asked for; all that something makes by default.
    """
    known: dict[AssetKey, Staleness] = {}
    wanted = graph.materializable if keys is None else set(keys)
    above = graph.upstream(wanted) | wanted
    for key in graph.order:
        if key in above:
            known[key] = _of(graph, entries, key, known)
    return {key: known[key] for key in wanted}


def _of(
    graph: AssetGraph, entries: Mapping[AssetKey, AssetEntry], key: AssetKey, known: Mapping[AssetKey, Staleness]
) -> Staleness:
    spec = graph.specs[key]
    if key not in graph.made_by or spec.is_virtual or spec.partitions_def is not None:
        return Staleness(StaleStatus.FRESH)
    entry = entries.get(key)
    record = entry.last_materialization_record if entry is not None else None
    made = record.asset_materialization if record is not None else None
    if record is None or made is None:
        return Staleness(StaleStatus.MISSING)
    causes: list[StaleCause] = []
    recorded = made.tags.get(tags.CODE_VERSION)
    if spec.code_version is not None and recorded is not None and spec.code_version != recorded:
        causes.append(StaleCause(key, StaleCauseCategory.CODE, "has a new code version"))
    inputs = {
        AssetKey.from_user_string(name[len(tags.INPUT_DATA_VERSION_PREFIX) :]): version
        for name, version in made.tags.items()
        if name.startswith(tags.INPUT_DATA_VERSION_PREFIX)
    }
    sources = [one for one in sources_of(graph, key) if graph.specs[one].partitions_def is None]
    if recorded is None:
        causes.extend(_newer(entries, key, record.storage_id, sources, known))
    else:
        causes.extend(_changed(graph, entries, key, inputs, sources, known))
    return Staleness(StaleStatus.STALE if causes else StaleStatus.FRESH, tuple(causes))


def _changed(
    graph: AssetGraph,
    entries: Mapping[AssetKey, AssetEntry],
    key: AssetKey,
    inputs: Mapping[AssetKey, str],
    sources: Iterable[AssetKey],
    known: Mapping[AssetKey, Staleness],
) -> Iterable[StaleCause]:
    """What differs between the inputs that are recorded and those that there are now."""
    for one in sources:
        if one not in inputs:
            reason = f"has a new dependency on {one.to_user_string()}"
            yield StaleCause(key, StaleCauseCategory.DEPENDENCIES, reason, one)
            continue
        entry = entries.get(one)
        newest = version_recorded(entry) if entry is not None else None
        now = newest[1] if newest is not None else INITIAL
        causes = known[one].causes
        if now != inputs[one]:
            reason = f"{one.to_user_string()} has a new data version"
            yield StaleCause(key, StaleCauseCategory.DATA, reason, one, causes)
        elif known[one].status is StaleStatus.STALE:
            yield StaleCause(key, StaleCauseCategory.DATA, f"{one.to_user_string()} is stale", one, causes)
    declared = {dep.asset_key for dep in graph.specs[key].deps} | set(sources_of(graph, key))
    for one in sorted(inputs.keys() - declared):
        reason = f"has no dependency on {one.to_user_string()} any more"
        yield StaleCause(key, StaleCauseCategory.DEPENDENCIES, reason, one)


def _newer(
    entries: Mapping[AssetKey, AssetEntry],
    key: AssetKey,
    place: int,
    sources: Iterable[AssetKey],
    known: Mapping[AssetKey, Staleness],
) -> Iterable[StaleCause]:
    """Where the record does not say what the asset was made from: dependencies that were recorded after it."""
    for one in sources:
        latest = entries[one].last_event_storage_id if one in entries else None
        if latest is not None and latest > place:
            reason = f"{one.to_user_string()} was made after it"
            yield StaleCause(key, StaleCauseCategory.DATA, reason, one, known[one].causes)
