"""What automation reads: the facts about many assets and checks in a query each, and what happened since.

Everything here is read from state that is folded already, or from the events after a number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from pyroaring import BitMap

from treadle.core import tags
from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.state.events import (
    AssetCheckEvaluated,
    AssetCheckEvaluationPlanned,
    AssetMaterialized,
    AssetObserved,
    AssetWiped,
    EventType,
    decode_event,
)
from treadle.store.codes import CODES
from treadle.store.database import Database, as_json
from treadle.store.names import Names

_MADE, _SEEN = CODES[EventType.ASSET_MATERIALIZATION], CODES[EventType.ASSET_OBSERVATION]
_CHECKED, _WIPED = CODES[EventType.ASSET_CHECK_EVALUATION], CODES[EventType.ASSET_WIPED]
_PLANNED, _CHECK_PLANNED = (
    CODES[EventType.ASSET_MATERIALIZATION_PLANNED],
    CODES[EventType.ASSET_CHECK_EVALUATION_PLANNED],
)
_ENDS = tuple(CODES[kind] for kind in (EventType.RUN_SUCCESS, EventType.RUN_FAILURE, EventType.RUN_CANCELED))
_START = CODES[EventType.RUN_START]


class AssetFacts(NamedTuple):
    """What the store knows of an asset.

    Attributes:
        key: the asset.
        materialized, observed: whether it ever was, without regard to partitions.
        made_at: when it was materialized last, in seconds since the epoch.
        running, failed, backfilling: for an asset without partitions.
        partitions: the partitions that are materialized (1), in progress (2), failed (3), and in progress for a
            backfill (0), as numbers of keys.
    """

    key: AssetKey
    materialized: bool
    observed: bool
    made_at: float | None
    running: bool
    failed: bool
    backfilling: bool
    partitions: dict[int, BitMap]


class CheckFacts(NamedTuple):
    """What the store knows of a check: whether it was ever evaluated, how its latest execution stands."""

    key: AssetCheckKey
    evaluated: bool
    status: str


class Happened(NamedTuple):
    """An update that an event reports: of an asset, or of a check. `is_seen`: it is an observation."""

    number: int
    timestamp: float
    key: AssetKey | AssetCheckKey
    partition: str | None
    run_id: str
    is_seen: bool = False


class FactReader:
    """Reads what automation needs to know."""

    def __init__(self, database: Database, names: Names) -> None:
        self._database = database
        self._names = names

    def assets(self, keys: Iterable[AssetKey] | None = None) -> list[AssetFacts]:
        """What is known of these assets, of all by default."""
        where, parameters = self._among(keys, "assets.id")
        sets: dict[int, dict[int, BitMap]] = {}
        of_backfills = f"SELECT run FROM run_tags WHERE key = '{tags.BACKFILL}'"
        for asset, kind, chunk, blob in self._database.read(
            f"SELECT asset, kind, chunk, keys FROM partition_sets JOIN assets ON assets.id = asset{where} UNION ALL"
            " SELECT asset, 0, chunk, keys FROM open_partitions JOIN assets ON assets.id = asset"
            f"{where or ' WHERE 1'} AND run IN ({of_backfills})",
            parameters * 2,
        ):
            known = sets.setdefault(asset, {})
            known[kind] = known.get(kind, BitMap()) | BitMap.deserialize(blob).shift(chunk << 16)
        rows = self._database.read(
            "SELECT id, key, materialization IS NOT NULL, observation IS NOT NULL, materialization_time,"
            f" open_run IS NOT NULL, failed, open_run IN ({of_backfills}) FROM assets{where}",
            parameters,
        )
        return [
            AssetFacts(
                self._names.asset_key(number, text), bool(made), bool(seen), made_at, bool(running), bool(failed),
                bool(backfilling), sets.get(number, {}),
            )
            for number, text, made, seen, made_at, running, failed, backfilling in rows
        ]  # fmt: skip

    def checks(self, assets: Iterable[AssetKey] | None = None) -> list[CheckFacts]:
        """What is known of the checks of these assets, of all by default."""
        where, parameters = self._among(assets, "asset")
        rows = self._database.read(
            "SELECT assets.id, key, name, evaluation IS NOT NULL, status FROM asset_checks JOIN assets"
            f" ON assets.id = asset{where}",
            parameters,
        )
        return [
            CheckFacts(AssetCheckKey(self._names.asset_key(number, text), name), bool(evaluated), status)
            for number, text, name, evaluated, status in rows
        ]

    def partition_keys(self, numbers: BitMap) -> list[str]:
        """The keys of numbers."""
        return self._names.partition_keys(numbers)

    def between(self, after: int, until: int) -> tuple[list[Happened], set[AssetKey]]:
        """What was updated by events above `after` and up to `until`, oldest first, and the assets that any of these
        events is about, be it by the end of a run."""
        happened: list[Happened] = []
        touched: set[AssetKey] = set()
        ended: list[int] = []
        kinds = (_MADE, _SEEN, _CHECKED, _WIPED, _PLANNED, _CHECK_PLANNED, *_ENDS)
        rows = self._database.read(
            "SELECT events.id, run, timestamp, type, assets.id, assets.key, partition_keys.key,"
            f" CASE WHEN type IN ({_CHECKED}, {_WIPED}) THEN body END FROM events"
            " LEFT JOIN assets ON assets.id = asset LEFT JOIN partition_keys ON partition_keys.id = partition"
            f" WHERE events.id > ? AND events.id <= ? AND type IN ({', '.join(map(str, kinds))}) ORDER BY events.id",
            (after, until),
        )
        for number, run, timestamp, kind, asset, text, partition, body in rows:
            if kind in _ENDS:
                ended.append(run)
                continue
            if kind == _WIPED:
                event = decode_event(body)
                if isinstance(event, AssetWiped):
                    touched.add(event.key)
                continue
            if asset is None:  # wiped since
                continue
            key: AssetKey | AssetCheckKey = self._names.asset_key(asset, text)
            touched.add(key)
            if kind == _CHECKED:
                event = decode_event(body)
                if isinstance(event, AssetCheckEvaluated):
                    key, partition = event.evaluation.asset_check_key, event.evaluation.partition
            if kind in (_MADE, _SEEN, _CHECKED):
                run_id = self._names.run_id(run)
                happened.append(Happened(number, timestamp, key, partition, run_id, kind == _SEEN))
        for asset, text in (
            self._database.read(
                "SELECT DISTINCT assets.id, key FROM events JOIN assets ON assets.id = asset"
                f" WHERE run IN (SELECT value FROM json_each(?)) AND type IN ({_PLANNED}, {_CHECK_PLANNED})",
                (as_json(ended),),
            )
            if ended
            else ()
        ):
            touched.add(self._names.asset_key(asset, text))
        return happened, touched

    def latest(
        self, key: AssetKey, partitions: Collection[str] | None = None, *, is_seen: bool = False
    ) -> list[Happened]:
        """The latest materialization (or observation) of an asset: of each of these partitions, of all, or, for an
        asset without, the last one."""
        asset = self._names.find_asset(key)
        if asset is None:
            return []
        where = "asset = ? AND type = ?"
        parameters: list[Any] = [asset, _SEEN if is_seen else _MADE]
        if partitions is not None:
            where += " AND partition IN (SELECT value FROM json_each(?))"
            parameters.append(as_json(self._names.find_partitions(partitions).values()))
        rows = self._database.read(
            "SELECT max(events.id), timestamp, partition_keys.key, run FROM events LEFT JOIN partition_keys"
            f" ON partition_keys.id = partition WHERE {where} GROUP BY partition",
            parameters,
        )
        run_id = self._names.run_id
        return [Happened(number, at, key, partition, run_id(run), is_seen) for number, at, partition, run in rows]

    def version(self, key: AssetKey, partition: str | None, until: int, *, is_seen: bool = False) -> str | None:
        """The data version that the latest materialization (or observation) up to the event `until` has."""
        asset = self._names.find_asset(key)
        rows = self._database.read(
            "SELECT body FROM events WHERE asset = ? AND type = ? AND events.id <= ? AND partition IS"
            " (SELECT id FROM partition_keys WHERE key = ?) ORDER BY events.id DESC LIMIT 1",
            (asset, _SEEN if is_seen else _MADE, until, partition),
        )
        event = decode_event(rows[0][0]) if rows else None
        if isinstance(event, AssetMaterialized):
            return event.materialization.tags.get(tags.DATA_VERSION)
        return event.observation.tags.get(tags.DATA_VERSION) if isinstance(event, AssetObserved) else None

    def run(self, run_id: str) -> tuple[int, dict[str, str], frozenset[AssetKey | AssetCheckKey]] | None:
        """Of a run: the number of the event that started it, its tags, and what it was to make and evaluate."""
        run = self._names.find_run(run_id)
        if run is None:
            return None
        started = self._database.read(
            f"SELECT coalesce(min(CASE WHEN type = {_START} THEN id END), min(id), 0) FROM events WHERE run = ?", (run,)
        )
        named = self._database.read("SELECT key, value FROM run_tags WHERE run = ?", (run,))
        targets: set[AssetKey | AssetCheckKey] = set()
        for asset, text, body in self._database.read(
            f"SELECT assets.id, key, CASE WHEN type = {_CHECK_PLANNED} THEN body END FROM events JOIN assets"
            f" ON assets.id = asset WHERE run = ? AND type IN ({_PLANNED}, {_CHECK_PLANNED})",
            (run,),
        ):
            event = decode_event(body) if body is not None else None
            key = self._names.asset_key(asset, text)
            targets.add(event.key if isinstance(event, AssetCheckEvaluationPlanned) else key)
        return started[0][0], dict(named), frozenset(targets)

    def _among(self, keys: Iterable[AssetKey] | None, column: str) -> tuple[str, list[Any]]:
        if keys is None:
            return "", []
        numbers = [number for key in keys if (number := self._names.find_asset(key)) is not None]
        return f" WHERE {column} IN (SELECT value FROM json_each(?))", [as_json(numbers)]
