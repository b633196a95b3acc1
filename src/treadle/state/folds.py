"""What a batch of events changes, as plain data: the store applies it in the transaction that inserts the events.

`fold` reads the events in order and keeps the net effect. It cuts a new `Delta` after an event whose effect reaches
beyond its own asset (the end of a run closes everything the run had planned, a wipe forgets an asset), so that applying
deltas one after the other equals applying the events one by one, however they were batched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.state.events import (
    AssetCheckEvaluated,
    AssetCheckEvaluationPlanned,
    AssetMaterializationPlanned,
    AssetMaterialized,
    AssetObserved,
    AssetWiped,
    Event,
    EventLogEntry,
    EventType,
)
from treadle.state.lifecycle import RUN

Numbered: TypeAlias = "tuple[int, EventLogEntry]"
ENDS = frozenset({EventType.RUN_SUCCESS, EventType.RUN_FAILURE, EventType.RUN_CANCELED})


class AssetDelta(msgspec.Struct):
    """What a batch says about one asset. Entries come with their place in the batch.

    Attributes:
        materialization, observation, planned: the last of each kind.
        whole: who the asset without partitions waits for after the batch: a run id; "" if it was made and is waited for
            no more; None if the batch does not say.
        materialized: partitions that were made.
        partitions: as `whole`, by partition.
        last_run: the run that planned or made it last.
        makers: the runs that made something: where to look first for who had planned it.
    """

    materialization: Numbered | None = None
    observation: Numbered | None = None
    planned: Numbered | None = None
    whole: str | None = None
    last_run: str | None = None
    materialized: set[str] = set()
    partitions: dict[str, str] = {}
    makers: set[str] = set()


class CheckDelta(msgspec.Struct):
    """What a batch says about one check: its last plan and its last evaluation, and whether the plan came later."""

    planned: Numbered | None = None
    evaluated: Numbered | None = None

    @property
    def waits(self) -> bool:
        """Whether the check waits for the run of `planned` after the batch."""
        return self.planned is not None and (self.evaluated is None or self.planned[0] > self.evaluated[0])


class Delta(msgspec.Struct):
    """The net effect of some consecutive events: assets and checks first, then transitions of runs, then the wipe.

    `last` is the place of its last event in the batch.
    """

    assets: dict[AssetKey, AssetDelta] = {}
    checks: dict[AssetCheckKey, CheckDelta] = {}
    runs: dict[str, list[EventLogEntry]] = {}
    wiped: Numbered | None = None
    last: int = 0


def fold(entries: Sequence[EventLogEntry]) -> list[Delta]:
    """What `entries` change, in order. Most events change nothing; a batch without any that does gives no delta."""
    deltas: list[Delta] = []
    delta: Delta | None = None
    for place, entry in enumerate(entries):
        event = entry.event
        kind = type(event)
        if kind not in _FOLDED:
            continue
        if delta is None:
            delta = Delta()
            deltas.append(delta)
        delta.last = place
        if kind in _OF_ASSETS:
            _fold_asset(delta, place, entry)
        elif kind in _OF_RUNS:
            delta.runs.setdefault(entry.run_id, []).append(entry)
            if event.event_type in ENDS:
                delta = None
        elif kind is AssetWiped:
            delta.wiped = (place, entry)
            delta = None
        else:
            _fold_check(delta, place, entry)
    return deltas


def _fold_asset(delta: Delta, place: int, entry: EventLogEntry) -> None:
    event = entry.event
    key = event.asset_key
    if key is None:  # for the type checker: these events have one
        return
    asset = delta.assets.get(key)
    if asset is None:
        asset = delta.assets[key] = AssetDelta()
    if entry.run_id and not isinstance(event, AssetObserved):
        asset.last_run = entry.run_id
    if isinstance(event, AssetMaterialized):
        asset.materialization = (place, entry)
        asset.makers.add(entry.run_id)
        partition = event.materialization.partition
        if partition is None:
            asset.whole = ""
        else:
            asset.materialized.add(partition)
            asset.partitions[partition] = ""
    elif isinstance(event, AssetMaterializationPlanned):
        asset.planned = (place, entry)
        if event.partition_key is not None:
            asset.partitions[event.partition_key] = entry.run_id
        elif event.partition_keys:
            asset.partitions.update(dict.fromkeys(event.partition_keys, entry.run_id))
        elif event.range_start is None:
            asset.whole = entry.run_id
    elif isinstance(event, AssetObserved):
        asset.observation = (place, entry)


def _fold_check(delta: Delta, place: int, entry: EventLogEntry) -> None:
    event = entry.event
    if isinstance(event, AssetCheckEvaluated):
        delta.checks.setdefault(event.evaluation.asset_check_key, CheckDelta()).evaluated = (place, entry)
    elif isinstance(event, AssetCheckEvaluationPlanned):
        delta.checks.setdefault(event.key, CheckDelta()).planned = (place, entry)


# by class, which is quicker to hash than a member of an enum
_OF_RUNS = frozenset(cls for cls in Event.__subclasses__() if getattr(cls, "event_type", None) in RUN)
_OF_ASSETS = frozenset({AssetMaterialized, AssetMaterializationPlanned, AssetObserved})
_FOLDED = _OF_RUNS | _OF_ASSETS | {AssetWiped, AssetCheckEvaluationPlanned, AssetCheckEvaluated}
