"""What is true of assets and checks now: a row each, kept by the transaction that stores the event."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from treadle.core import tags as tag
from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.state.events import AssetWiped, EventLogEntry, EventType, decode_event
from treadle.state.folds import AssetDelta, CheckDelta, Delta
from treadle.state.records import (
    AssetCheckExecutionStatus,
    AssetCheckRecord,
    AssetEntry,
    AssetPartitionStatus,
    AssetRecord,
    EventLogRecord,
)
from treadle.state.runs import FINISHED, RunStatus
from treadle.store import partitions
from treadle.store.codes import CODES
from treadle.store.database import Database
from treadle.store.names import Names
from treadle.store.partitions import PartitionSets

_KNOWN = "(materialization IS NOT NULL OR observation IS NOT NULL OR planned IS NOT NULL)"
_COLUMNS = (
    "id, key, materialization, materialization_run, materialization_time, materialization_body,"
    " observation, observation_run, observation_time, observation_body, planned, planned_run, last_run, open_run,"
    " failed"
)
_MADE = (
    "UPDATE assets SET materialization = ?, materialization_run = ?, materialization_time = ?,"
    " materialization_body = ?, last_run = coalesce(?, last_run)"
)
_FORGET = (
    "UPDATE assets SET materialization = NULL, materialization_run = NULL, materialization_time = NULL,"
    " materialization_body = NULL, observation = NULL, observation_run = NULL, observation_time = NULL,"
    " observation_body = NULL, planned = NULL, planned_run = NULL, last_run = NULL, open_run = NULL, failed = 0,"
    " wiped = ?"
)
_OPEN = tuple(status.value for status in RunStatus if status not in FINISHED)
_BEGAN = (CODES[EventType.STEP_START], CODES[EventType.STEP_WORKER_STARTED], CODES[EventType.STEP_RESTARTED])


def event_record(number: int | None, run_id: str, timestamp: float, body: bytes) -> EventLogRecord | None:
    """The log record that a row's columns hold, if they hold any."""
    if number is None:
        return None
    return EventLogRecord(number, EventLogEntry(run_id, timestamp, decode_event(body), number))


class Assets:
    """The tables of assets and checks."""

    def __init__(self, database: Database, names: Names, sets: PartitionSets) -> None:
        self._database = database
        self._names = names
        self._sets = sets

    # --- folding ------------------------------------------------------------------------------------------------------

    def apply(self, connection: sqlite3.Connection, delta: Delta, first: int, bodies: Sequence[bytes]) -> None:
        """Fold a delta. `first` is the number of the batch's first event, `bodies` the batch's encoded events."""
        running: dict[str, int] = {}
        wanted = {check.planned[1].run_id for check in delta.checks.values() if check.planned and check.waits}
        for asset in delta.assets.values():
            if asset.whole is not None:
                wanted.add(asset.whole)
            if asset.partitions:
                wanted.update(asset.partitions.values())
                wanted.update(asset.makers)
        wanted.discard("")
        for run_id in wanted:
            number = self._names.run(connection, run_id)
            row = connection.execute("SELECT status FROM runs WHERE id = ?", (number,)).fetchone()
            if row is not None and row[0] in _OPEN:
                running[run_id] = number
        for key, asset in delta.assets.items():
            self._apply_asset(connection, self._names.asset(connection, key), asset, running, first, bodies)
        for key, check in delta.checks.items():
            self._apply_check(connection, key, check, running, first, bodies)

    def _apply_asset(
        self,
        connection: sqlite3.Connection,
        asset: int,
        delta: AssetDelta,
        running: dict[str, int],
        first: int,
        bodies: Sequence[bytes],
    ) -> None:
        if delta.planned:
            place, entry = delta.planned
            connection.execute(
                "UPDATE assets SET planned = ?, planned_run = ?, last_run = ? WHERE id = ?",
                (first + place, entry.run_id, delta.last_run, asset),
            )
        if delta.materialization:
            place, entry = delta.materialization
            made = (first + place, entry.run_id, entry.timestamp, bodies[place], delta.last_run)
            if delta.whole is None:
                connection.execute(f"{_MADE} WHERE id = ?", (*made, asset))
            else:
                connection.execute(
                    f"{_MADE}, open_run = ?, failed = 0 WHERE id = ?", (*made, running.get(delta.whole), asset)
                )
        if delta.observation:
            place, entry = delta.observation
            connection.execute(
                "UPDATE assets SET observation = ?, observation_run = ?, observation_time = ?, observation_body = ?"
                " WHERE id = ?",
                (first + place, entry.run_id, entry.timestamp, bodies[place], asset),
            )
        if delta.whole is not None and not delta.materialization:
            connection.execute(
                "UPDATE assets SET open_run = ?, failed = 0 WHERE id = ?", (running.get(delta.whole), asset)
            )
        if delta.partitions:
            self._sets.apply(connection, asset, delta, running)

    def _apply_check(
        self,
        connection: sqlite3.Connection,
        key: AssetCheckKey,
        delta: CheckDelta,
        running: dict[str, int],
        first: int,
        bodies: Sequence[bytes],
    ) -> None:
        where = (self._names.asset(connection, key.asset_key), key.name)
        connection.execute("INSERT OR IGNORE INTO asset_checks (asset, name, status) VALUES (?, ?, 'SKIPPED')", where)
        if delta.evaluated:
            place, entry = delta.evaluated
            evaluation = entry.asset_check_evaluation
            status = "SUCCEEDED" if evaluation is not None and evaluation.passed else "FAILED"
            connection.execute(
                "UPDATE asset_checks SET evaluation = ?, evaluation_run = ?, evaluation_time = ?, evaluation_body = ?,"
                " status = ?, open_run = NULL WHERE asset = ? AND name = ?",
                (first + place, entry.run_id, entry.timestamp, bodies[place], status, *where),
            )
        if delta.planned:
            place, entry = delta.planned
            connection.execute(
                "UPDATE asset_checks SET planned = ?, planned_run = ?, planned_step = ? WHERE asset = ? AND name = ?",
                (first + place, entry.run_id, entry.step_key, *where),
            )
            if delta.waits:
                run = running.get(entry.run_id)
                connection.execute(
                    "UPDATE asset_checks SET status = ?, open_run = ? WHERE asset = ? AND name = ?",
                    ("SKIPPED" if run is None else "IN_PROGRESS", run, *where),
                )

    def close_run(self, connection: sqlite3.Connection, run: int, ended: RunStatus, number: int) -> None:
        """A run ended with event `number` (or was deleted): nothing waits for it any more."""
        failed = ended is RunStatus.FAILURE
        connection.execute("UPDATE assets SET open_run = NULL, failed = ? WHERE open_run = ?", (failed, run))
        self._sets.close_run(connection, run, failed)
        waiting = connection.execute(
            "SELECT asset, name, planned_step FROM asset_checks WHERE open_run = ?", (run,)
        ).fetchall()
        for asset, name, step_key in waiting:
            began = connection.execute(
                "SELECT 1 FROM events WHERE run = ? AND step_key = ? AND type IN (?, ?, ?) AND id < ? LIMIT 1",
                (run, step_key, *_BEGAN, number),
            ).fetchone()
            connection.execute(
                "UPDATE asset_checks SET status = ?, open_run = NULL WHERE asset = ? AND name = ?",
                ("EXECUTION_FAILED" if began else "SKIPPED", asset, name),
            )

    def wipe(self, connection: sqlite3.Connection, event: AssetWiped, timestamp: float, number: int) -> None:
        """Forget what events below `number` say of an asset, or of some of its partitions. Runs keep their logs."""
        asset = self._names.asset(connection, event.key)
        if event.partition_keys is None:
            connection.execute(
                "UPDATE events SET asset = NULL, partition = NULL WHERE asset = ? AND id < ?", (asset, number)
            )
            connection.execute(f"{_FORGET} WHERE id = ?", (timestamp, asset))
            connection.execute("DELETE FROM asset_checks WHERE asset = ?", (asset,))
            self._sets.wipe(connection, asset, None)
            return
        for key in event.partition_keys:
            connection.execute(
                "UPDATE events SET asset = NULL, partition = NULL WHERE asset = ? AND partition = ? AND id < ?",
                (asset, self._names.partition(connection, key), number),
            )
        self._sets.wipe(connection, asset, event.partition_keys)
        for kind, event_type in (
            ("materialization", EventType.ASSET_MATERIALIZATION),
            ("observation", EventType.ASSET_OBSERVATION),
        ):
            row = connection.execute(
                "SELECT events.id, coalesce(runs.run_id, ''), timestamp, events.body FROM events LEFT JOIN runs"
                " ON runs.id = events.run WHERE asset = ? AND type = ? AND events.id < ?"
                " ORDER BY events.id DESC LIMIT 1",
                (asset, CODES[event_type], number),
            ).fetchone() or (None, None, None, None)
            connection.execute(
                f"UPDATE assets SET {kind} = ?, {kind}_run = ?, {kind}_time = ?, {kind}_body = ? WHERE id = ?",
                (*row, asset),
            )

    def wipe_all(self, connection: sqlite3.Connection) -> None:
        """Forget everything about all assets. Their rows stay: processes remember the numbers."""
        connection.execute(_FORGET, (time.time(),))
        for table in ("asset_checks", "partition_sets", "open_partitions"):
            connection.execute(f"DELETE FROM {table}")

    # --- reading assets -----------------------------------------------------------------------------------------------

    def keys(
        self, prefix: Sequence[str] | None = None, limit: int | None = None, cursor: str | None = None
    ) -> list[AssetKey]:
        """Keys of the assets that something is known of, sorted as their stored text; `cursor` is such a text."""
        rows = self._database.read(
            f"SELECT id, key FROM assets WHERE {_KNOWN} AND key > ? ORDER BY key", (cursor or "",)
        )
        keys = [self._names.asset_key(number, text) for number, text in rows]
        if prefix:
            keys = [key for key in keys if key.has_prefix(prefix)]
        return keys if limit is None else keys[:limit]

    def known(self, key: AssetKey) -> bool:
        """Whether anything is known of an asset."""
        number = self._names.find_asset(key)
        sql = f"SELECT 1 FROM assets WHERE id = ? AND {_KNOWN}"
        return number is not None and bool(self._database.read(sql, (number,)))

    def records(self, keys: Iterable[AssetKey] | None = None) -> list[AssetRecord]:
        """What is known of these assets (of all, by default); those of which nothing is known are left out."""
        if keys is None:
            return [self._record(row) for row in self._database.read(f"SELECT {_COLUMNS} FROM assets WHERE {_KNOWN}")]
        sql = f"SELECT {_COLUMNS} FROM assets WHERE id = ? AND {_KNOWN}"
        numbers = [number for key in keys if (number := self._names.find_asset(key)) is not None]
        return [self._record(row) for number in numbers for row in self._database.read(sql, (number,))]

    def latest_materialization(self, key: AssetKey) -> EventLogEntry | None:
        """The latest materialization of an asset, of any partition."""
        number = self._names.find_asset(key)
        if number is None:
            return None
        rows = self._database.read(
            "SELECT materialization, materialization_run, materialization_time, materialization_body FROM assets"
            " WHERE id = ?",
            (number,),
        )
        record = event_record(*rows[0]) if rows else None
        return record.event_log_entry if record else None

    def latest_code_versions(self, keys: Iterable[AssetKey]) -> Mapping[AssetKey, str | None]:
        """The code version of the latest materialization of each of these assets."""
        versions: dict[AssetKey, str | None] = {}
        for key in keys:
            entry = self.latest_materialization(key)
            made = entry.asset_materialization if entry else None
            versions[key] = made.tags.get(tag.CODE_VERSION) if made else None
        return versions

    def _record(self, row: tuple[Any, ...]) -> AssetRecord:
        (number, text, *rest) = row
        return AssetRecord(
            number,
            AssetEntry(
                asset_key=self._names.asset_key(number, text),
                last_materialization_record=event_record(*rest[0:4]),
                last_observation_record=event_record(*rest[4:8]),
                last_planned_materialization_storage_id=rest[8],
                last_planned_materialization_run_id=rest[9],
                last_run_id=rest[10],
                in_progress=rest[11] is not None,
                failed=bool(rest[12]),
            ),
        )

    # --- reading partitions -------------------------------------------------------------------------------------------

    def materialized_partitions(self, key: AssetKey) -> set[str]:
        """The partitions of an asset that were materialized at any time and not wiped since."""
        number = self._names.find_asset(key)
        return self._sets.keys(number, partitions.MATERIALIZED) if number is not None else set()

    def status_by_partition(
        self, key: AssetKey, partition_keys: Sequence[str]
    ) -> dict[str, AssetPartitionStatus | None]:
        """The status of each of these partitions; None for those that nothing is known of."""
        statuses: dict[str, AssetPartitionStatus | None] = dict.fromkeys(partition_keys)
        number = self._names.find_asset(key)
        if number is None:
            return statuses
        by_number = {number: key for key, number in self._names.find_partitions(partition_keys).items()}
        for kind, status in (
            (partitions.MATERIALIZED, AssetPartitionStatus.MATERIALIZED),
            (partitions.FAILED, AssetPartitionStatus.FAILED),
            (partitions.IN_PROGRESS, AssetPartitionStatus.IN_PROGRESS),
        ):
            for partition in self._sets.numbers(number, kind):
                if partition in by_number:
                    statuses[by_number[partition]] = status
        return statuses

    # --- reading checks -----------------------------------------------------------------------------------------------

    def check_record(self, key: AssetCheckKey) -> AssetCheckRecord | None:
        """What is known of a check."""
        number = self._names.find_asset(key.asset_key)
        if number is None:
            return None
        rows = self._database.read(
            "SELECT status, planned, planned_run, evaluation, evaluation_run, evaluation_time, evaluation_body"
            " FROM asset_checks WHERE asset = ? AND name = ?",
            (number, key.name),
        )
        if not rows:
            return None
        status, planned, planned_run, *evaluation = rows[0]
        return AssetCheckRecord(
            key=key,
            status=AssetCheckExecutionStatus(status),
            evaluation_record=event_record(*evaluation),
            planned_storage_id=planned,
            planned_run_id=planned_run,
        )
