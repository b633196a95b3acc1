"""Whether assets are up to date, and why not: what was recorded of them against what they are declared to be.

An asset is STALE when its code, its dependencies or the data it was made from are not what they were then. Only direct
dependencies are compared; the causes behind a cause are found by walking up. All follows from specs and records alone.

An asset without partitions compares the versions that its record names. Partitions compare numbers in the log, set
against set: one is stale if any that it needs, by the partition mapping, got other data after it was made.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from typing import Protocol

import msgspec

from treadle.core import tags
from treadle.core.keys import AssetKey
from treadle.core.mappings import Between, PartitionMapping
from treadle.core.multi_mappings import default_mapping
from treadle.core.partitions import Now, Store
from treadle.core.subsets import PartitionSubset
from treadle.spec.graph import AssetGraph
from treadle.state.facts import AssetMaterialization
from treadle.state.records import AssetEntry, EventLogRecord

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
        partitions: the partitions of `key` that this is so of; None for an asset without.
        reached: for each of `children`, those of `partitions` that it reaches; empty if each reaches all.
    """

    key: AssetKey
    category: StaleCauseCategory
    reason: str
    dependency: AssetKey | None = None
    children: tuple[StaleCause, ...] = field(default=(), compare=False)
    partitions: PartitionSubset | None = field(default=None, compare=False)
    reached: tuple[PartitionSubset, ...] = field(default=(), compare=False)

    def of_partition(self, key: str) -> StaleCause:
        """The same of one partition: of what is directly behind it, only what reaches that."""
        if not self.reached:
            return self
        pairs = zip(self.children, self.reached, strict=True)
        return replace(self, children=tuple(child for child, partitions in pairs if key in partitions), reached=())


class Staleness(msgspec.Struct, frozen=True):
    """Whether one asset is up to date, and if it is stale, why.

    Attributes:
        status, causes: of the asset. One with partitions is FRESH as a whole; its causes say of which partitions.
        missing, stale: of an asset with partitions, those that do not exist yet and those that are stale.
    """

    status: StaleStatus
    causes: tuple[StaleCause, ...] = ()
    missing: PartitionSubset | None = None
    stale: PartitionSubset | None = None

    def of_partition(self, key: str) -> Staleness:
        """The same of one partition."""
        if self.missing is not None and key in self.missing:
            return Staleness(StaleStatus.MISSING)
        found = tuple(cause.of_partition(key) for cause in self.causes if cause.partitions and key in cause.partitions)
        return Staleness(StaleStatus.STALE if found else StaleStatus.FRESH, found)

    @property
    def root_causes(self) -> tuple[StaleCause, ...]:
        """The causes behind its causes, each once."""
        found: dict[StaleCause, None] = {}
        waiting = list(reversed(self.causes))
        seen: set[int] = set()  # by identity: assets share what is behind them, and paths are many
        while waiting:
            cause = waiting.pop()
            if id(cause) in seen:
                continue
            seen.add(id(cause))
            if cause.children:
                waiting.extend(reversed(cause.children))
            else:
                found[cause] = None
        return tuple(found)


def version_in(record: EventLogRecord | None) -> str | None:
    """The data version that a materialization or observation says."""
    fact = (record.asset_materialization or record.asset_observation) if record is not None else None
    return fact.tags.get(tags.DATA_VERSION) if fact is not None else None


def version_recorded(entry: AssetEntry) -> tuple[int, str] | None:
    """The newest record of an asset that has a data version: its number in the log, and the version."""
    records = filter(None, (entry.last_materialization_record, entry.last_observation_record))
    found = [(one.storage_id, version) for one in records if (version := version_in(one)) is not None]
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


class PartitionRecords(Protocol):
    """What is recorded of partitions."""

    def made(self, key: AssetKey) -> Mapping[str, EventLogRecord]:
        """The newest materialization of each partition of an asset that exists."""
        ...

    def changed(self, key: AssetKey, after: int) -> Mapping[str | None, int]:
        """The partitions whose data is another than it was at number `after`, and the number since which it is.

        None stands for an asset without partitions.
        """
        ...


def staleness(
    graph: AssetGraph,
    entries: Mapping[AssetKey, AssetEntry],
    keys: Iterable[AssetKey] | None = None,
    records: PartitionRecords | None = None,
    now: Now = None,
    store: Store = None,
) -> dict[AssetKey, Staleness]:
    """The staleness of assets.

    Args:
        graph: all assets as they are declared.
        entries: what is recorded of each asset of which anything is: of `keys` and all upstream of them.
        keys: the assets asked for; all that something makes by default.
        records: what is recorded of partitions; without it nothing is said of them.
        now, store: what partitions there are depends on.
    """
    asked = _Asked(graph, entries, records, now, store)
    wanted = graph.materializable if keys is None else set(keys)
    above = graph.upstream(wanted) | wanted
    for key in graph.order:
        if key in above:
            asked.known[key] = asked.of(key)
    return {key: asked.known[key] for key in wanted}


class _Asked(msgspec.Struct):
    """The question, and what is known of the assets upstream."""

    graph: AssetGraph
    entries: Mapping[AssetKey, AssetEntry]
    records: PartitionRecords | None
    now: Now
    store: Store
    known: dict[AssetKey, Staleness] = {}

    def of(self, key: AssetKey) -> Staleness:
        """The staleness of an asset whose upstream is known."""
        spec = self.graph.specs[key]
        if key not in self.graph.made_by or spec.is_virtual:
            return Staleness(StaleStatus.FRESH)
        if spec.partitions_def is not None:
            return self._of_partitions(key) if self.records is not None else Staleness(StaleStatus.FRESH)
        entry = self.entries.get(key)
        record = entry.last_materialization_record if entry is not None else None
        made = record.asset_materialization if record is not None else None
        if record is None or made is None:
            return Staleness(StaleStatus.MISSING)
        causes = [*self._declared(key, _Provenance.of(made)), *self._data(key, record.storage_id, made)]
        return Staleness(StaleStatus.STALE if causes else StaleStatus.FRESH, tuple(causes))

    def _declared(self, key: AssetKey, made: _Provenance) -> Iterable[StaleCause]:
        """What differs between what is declared and what it was made by."""
        spec = self.graph.specs[key]
        if made.code_version is None:
            return
        if spec.code_version not in (None, made.code_version):
            yield StaleCause(key, StaleCauseCategory.CODE, "has a new code version")
        sources = sources_of(self.graph, key)
        kind = StaleCauseCategory.DEPENDENCIES
        for one in sources:
            if one not in made.inputs:
                yield StaleCause(key, kind, f"has a new dependency on {one.to_user_string()}", one)
        for one in sorted(made.inputs - {dep.asset_key for dep in spec.deps} - set(sources)):
            yield StaleCause(key, kind, f"has no dependency on {one.to_user_string()} any more", one)

    def _data(self, key: AssetKey, number: int, made: AssetMaterialization) -> Iterable[StaleCause]:
        """What changed of the data that an asset without partitions was made from."""
        for one in sources_of(self.graph, key):
            name, behind, is_new = one.to_user_string(), self.known[one].causes, False
            recorded = made.tags.get(tags.INPUT_DATA_VERSION_PREFIX + name)
            reason = f"{name} has a new data version"
            if recorded is None and tags.CODE_VERSION in made.tags:
                continue  # a new dependency, which is said already
            if self.graph.specs[one].partitions_def is not None:
                needed = self._needed_by_whole(key, one)
                is_new = bool(self.records and any(part in needed for part in self.records.changed(one, number)))
                behind = tuple(why for why in behind if why.partitions and needed & why.partitions)
            elif recorded is not None:
                newest = version_recorded(self.entries[one]) if one in self.entries else None
                is_new = recorded != (newest[1] if newest is not None else INITIAL)
            else:  # the record does not say what it was made from
                latest = self.entries[one].last_event_storage_id if one in self.entries else None
                is_new, reason = latest is not None and latest > number, f"{name} was made after it"
            if is_new or behind or self.known[one].status is StaleStatus.STALE:
                yield StaleCause(key, StaleCauseCategory.DATA, reason if is_new else f"{name} is stale", one, behind)

    def _needed_by_whole(self, key: AssetKey, source: AssetKey) -> PartitionSubset:
        between, mapping = self._between(key, source)
        return mapping.upstream(None, None, between.upstream, self.now, self.store).partitions_subset

    def _between(self, key: AssetKey, source: AssetKey) -> tuple[Between, PartitionMapping]:
        """The two sides of a dependency on an asset with partitions, and the mapping between them."""
        spec, theirs = self.graph.specs[key], self.graph.specs[source].partitions_def
        assert theirs is not None
        declared = next((dep.partition_mapping for dep in spec.deps if dep.asset_key == source), None)
        mapping = declared or default_mapping(theirs, spec.partitions_def)
        return Between(theirs, spec.partitions_def, self.now, self.store), mapping

    # --- partitions

    def _of_partitions(self, key: AssetKey) -> Staleness:
        definition = self.graph.specs[key].partitions_def
        assert definition is not None
        assert self.records is not None
        every = definition.subset_with_all_partitions(self.now, self.store)
        records = self.records.made(key)
        there = definition.subset_of_known(records)[0] & every
        by_provenance: dict[_Provenance, list[str]] = {}
        for partition, record in records.items():
            if record.asset_materialization is not None:
                by_provenance.setdefault(_Provenance.of(record.asset_materialization), []).append(partition)
        causes: list[StaleCause] = []
        for made, keys in by_provenance.items():
            found = [*self._declared(key, made)]
            if found:
                partitions = definition.subset_of_known(keys)[0] & there
                causes += [replace(cause, partitions=partitions) for cause in found]
        numbers = {partition: records[partition].storage_id for partition in there}
        if numbers:
            for source in sources_of(self.graph, key):
                causes += self._data_of_partitions(key, source, numbers, there)
        causes = [cause for cause in causes if cause.partitions]
        stale = reduce(or_, (cause.partitions for cause in causes if cause.partitions), every.empty_subset())
        return Staleness(StaleStatus.FRESH, tuple(causes), every - there, stale)

    def _data_of_partitions(
        self, key: AssetKey, source: AssetKey, numbers: Mapping[str, int], there: PartitionSubset
    ) -> Iterable[StaleCause]:
        """What changed of the data that partitions were made from, `there` at these numbers."""
        assert self.records is not None
        changed = self.records.changed(source, min(numbers.values()))
        name, above, ours = source.to_user_string(), self.known[source], there.partitions_def
        behind, reached = above.causes, ()
        if self.graph.specs[source].partitions_def is None:
            since = changed.get(None, 0)
            outdated: Iterable[str] = [partition for partition, number in numbers.items() if number < since]
            below = there if behind else ours.empty_subset()
        else:
            between, mapping = self._between(key, source)
            since_by_key = {partition: since for partition, since in changed.items() if partition is not None}
            outdated = _outdated(mapping, between, since_by_key, numbers)
            images = [
                (why, there & mapping.downstream(why.partitions, between.upstream, ours, self.now, self.store))
                for why in behind
                if why.partitions is not None
            ]
            behind, reached = zip(*images, strict=True) if images else ((), ())
            below = reduce(or_, reached, ours.empty_subset())
        new = ours.subset_of_known(outdated)[0] & there
        kind = StaleCauseCategory.DATA
        yield StaleCause(key, kind, f"{name} has a new data version", source, (), new)
        yield StaleCause(key, kind, f"{name} is stale", source, behind, below - new, reached)


class _Provenance(msgspec.Struct, frozen=True):
    """What a record says that it was made by. Many partitions have the same."""

    code_version: str | None
    inputs: frozenset[AssetKey]

    @classmethod
    def of(cls, made: AssetMaterialization) -> _Provenance:
        prefix = tags.INPUT_DATA_VERSION_PREFIX
        names = (name.removeprefix(prefix) for name in made.tags if name.startswith(prefix))
        return cls(made.tags.get(tags.CODE_VERSION), frozenset(map(AssetKey.from_user_string, names)))


def _outdated(
    mapping: PartitionMapping, between: Between, changed: Mapping[str, int], numbers: Mapping[str, int]
) -> set[str]:
    """The downstream partitions, made at `numbers`, that need an upstream one that `changed` at a later number."""
    if mapping.is_same_key(between.upstream, between.downstream):
        return {key for key, since in changed.items() if numbers.get(key, since) < since}
    if not changed:
        return set()
    assert between.downstream is not None
    upstream = between.upstream.subset_of_known(changed)[0]
    reached = set(mapping.downstream(upstream, between.upstream, between.downstream, between.now, between.store))
    first, last = min(changed.values()), max(changed.values())
    before = {key: number for key, number in numbers.items() if key in reached and number < last}
    found = {key for key, number in before.items() if number < first}
    amid = {key: number for key, number in before.items() if number >= first}
    if amid:  # made after some of the changes and before others: which do they need?
        for later in (False, True):
            half = {key: since for key, since in changed.items() if (since > (first + last) // 2) is later}
            found |= _outdated(mapping, between, half, amid)
    return found
