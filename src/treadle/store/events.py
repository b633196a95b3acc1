"""The event log: appended in batches, together with what they change; read by number.

One writer at a time holds the store's lock, so numbers are given in the order of commits: a reader that remembers
the last number it saw misses nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import Any

from treadle.core.keys import AssetKey
from treadle.errors import RunNotFoundError, StoreError
from treadle.state.events import AssetWiped, EventLogEntry, EventType, decode_event, encode_event
from treadle.state.folds import fold
from treadle.state.records import EventLogRecord
from treadle.store.assets import Assets
from treadle.store.codes import CODES, EMPTIED, code_of
from treadle.store.database import Database, as_json
from treadle.store.leases import Lease, check
from treadle.store.names import Names
from treadle.store.runs import Runs

_INSERT = "INSERT INTO events (run, timestamp, type, step_key, asset, partition, body) VALUES (?, ?, ?, ?, ?, ?, ?)"


def _nothing() -> None:
    pass


class UnstorableEventError(StoreError):
    """An event that cannot become bytes, or belongs to no run. `place` is where in its batch it stands."""

    def __init__(self, message: str, *, place: int) -> None:
        super().__init__(message)
        self.place = place


class EventLog:
    """The table of events."""

    def __init__(self, database: Database, names: Names, runs: Runs, assets: Assets) -> None:
        self._database = database
        self._names = names
        self._runs = runs
        self._assets = assets

    # --- writing ------------------------------------------------------------------------------------------------------

    def append(
        self,
        entries: Sequence[EventLogEntry],
        on_commit: Callable[[], object] | None = None,
        lease: Lease | None = None,
    ) -> int:
        """Store `entries` and what they change, all or nothing. Gives the number of the first; the rest follow it.

        `on_commit` is called once they are stored, as in `Database.transaction`.

        Raises:
            FencedError: `lease` has another owner by now; none was stored.
            UnstorableEventError: one of them cannot be stored; none was.
            StoreError: the store cannot be written; none was stored.
        """
        with self._database.transaction(on_commit or _nothing) as connection:
            if lease is not None:
                check(connection, lease)
            return self.insert(connection, entries)

    def insert(self, connection: sqlite3.Connection, entries: Sequence[EventLogEntry]) -> int:
        """As `append`, inside a transaction."""
        rows: list[tuple[Any, ...]] = []
        bodies: list[bytes] = []
        names = self._names
        run_id, run = "", None  # of the event before
        for place, entry in enumerate(entries):
            event = entry.event
            try:
                if entry.run_id != run_id:
                    run = names.run(connection, entry.run_id) if entry.run_id else None
                    run_id = entry.run_id
                body = encode_event(event)
            except (RunNotFoundError, TypeError, ValueError, NotImplementedError, RecursionError) as error:
                raise UnstorableEventError(
                    f"{event.event_type_value} cannot be stored. {error}", place=place
                ) from error
            asset = partition = None
            asset_key = event.asset_key
            if asset_key is not None and type(event) is not AssetWiped:
                asset = names.asset(connection, asset_key)
                partition_key = event.partition
                if partition_key is not None:
                    partition = names.partition(connection, partition_key)
            bodies.append(body)
            rows.append((run, entry.timestamp, code_of(event), event.step_key, asset, partition, body))
        if len(rows) == 1:
            first = connection.execute(_INSERT, rows[0]).lastrowid or 0
        else:
            connection.executemany(_INSERT, rows)
            first = connection.execute("SELECT last_insert_rowid()").fetchone()[0] - len(rows) + 1
        for delta in fold(entries):
            if delta.assets or delta.checks:
                self._assets.apply(connection, delta, first, bodies)
            for run_id, happened in delta.runs.items():
                number, ended = self._runs.apply(connection, run_id, happened)
                if ended is not None:
                    self._assets.close_run(connection, number, ended, first + delta.last)
            if delta.wiped is not None and isinstance(event := delta.wiped[1].event, AssetWiped):
                self._assets.wipe(connection, event, delta.wiped[1].timestamp, first + delta.wiped[0])
        return first

    def delete_run(self, connection: sqlite3.Connection, number: int) -> None:
        """Remove the events of a run."""
        self._delete(connection, "run = ?", (number,))

    def wipe(self, connection: sqlite3.Connection) -> None:
        """Remove all events."""
        self._delete(connection, "1", ())

    def _delete(self, connection: sqlite3.Connection, condition: str, parameters: Sequence[Any]) -> None:
        connection.execute(f"DELETE FROM events WHERE {condition} AND id < (SELECT max(id) FROM events)", parameters)
        connection.execute(  # the newest, if it is among them: it keeps its number from being given again
            "UPDATE events SET run = NULL, type = ?, step_key = NULL, asset = NULL, partition = NULL, body = x''"
            f" WHERE {condition}",
            (EMPTIED, *parameters),
        )

    # --- reading ------------------------------------------------------------------------------------------------------

    def of_run(
        self,
        run_id: str,
        *,
        after: int = 0,
        of_type: Collection[EventType] | None = None,
        limit: int | None = None,
        ascending: bool = True,
    ) -> list[EventLogRecord]:
        """The log of a run.

        Args:
            run_id: the run; no record if there is none.
            after: the number of the last event seen (going down: the one before which to begin; 0 for the end).
            of_type: types wanted; all by default.
            limit: how many at most.
            ascending: oldest first.
        """
        number = self._names.find_run(run_id)
        if number is None:
            return []
        where, parameters = ["run = ?"], [number]
        if after:
            where.append("id > ?" if ascending else "id < ?")
            parameters.append(after)
        if of_type is not None:
            where.append(f"type IN ({', '.join(str(CODES[kind]) for kind in of_type)})")
        return self._select(where, parameters, ascending, limit)

    def find(
        self,
        *,
        of_type: Collection[EventType] | None = None,
        asset_key: AssetKey | None = None,
        partitions: Collection[str] | None = None,
        after: int | None = None,
        before: int | None = None,
        after_timestamp: float | None = None,
        before_timestamp: float | None = None,
        numbers: Collection[int] | None = None,
        job_names: Collection[str] | None = None,
        limit: int | None = None,
        ascending: bool = False,
    ) -> list[EventLogRecord]:
        """Events of all runs, newest first unless `ascending`. Bounds are exclusive; all conditions given must hold."""
        where: list[str] = []
        parameters: list[Any] = []
        if asset_key is not None:
            asset = self._names.find_asset(asset_key)
            if asset is None:
                return []
            where.append("asset = ?")
            parameters.append(asset)
        if partitions is not None:
            where.append("partition IN (SELECT value FROM json_each(?))")
            parameters.append(as_json(self._names.find_partitions(partitions).values()))
        if of_type is not None:
            where.append(f"type IN ({', '.join(str(CODES[kind]) for kind in of_type)})")
            if all(CODES[kind] < 20 for kind in of_type):
                where.append("type < 20")  # lets SQLite see that the index of run events covers it
        else:
            where.append(f"type != {EMPTIED}")
        if numbers is not None:
            where.append("id IN (SELECT value FROM json_each(?))")
            parameters.append(as_json(numbers))
        if job_names is not None:
            where.append("run IN (SELECT id FROM runs WHERE job_name IN (SELECT value FROM json_each(?)))")
            parameters.append(as_json(job_names))
        for condition, bound in (
            ("id > ?", after),
            ("id < ?", before),
            ("timestamp > ?", after_timestamp),
            ("timestamp < ?", before_timestamp),
        ):
            if bound is not None:
                where.append(condition)
                parameters.append(bound)
        return self._select(where, parameters, ascending, limit)

    def last_number(self) -> int:
        """The number of the newest event ever stored; 0 if there was none."""
        return self._database.read("SELECT max(id) FROM events")[0][0] or 0

    def latest_by_partition(
        self, asset_key: AssetKey, event_type: EventType, partitions: Collection[str] | None = None
    ) -> dict[str, int]:
        """The number of the latest event of a type for each partition of an asset."""
        asset = self._names.find_asset(asset_key)
        if asset is None:
            return {}
        sql = (
            "SELECT key, max(events.id) FROM events JOIN partition_keys ON partition_keys.id = partition"
            " WHERE asset = ? AND type = ? AND partition IS NOT NULL"
        )
        parameters: list[Any] = [asset, CODES[event_type]]
        if partitions is not None:
            sql += " AND partition IN (SELECT value FROM json_each(?))"
            parameters.append(as_json(self._names.find_partitions(partitions).values()))
        return dict(self._database.read(f"{sql} GROUP BY partition", parameters))

    def _select(
        self, where: Sequence[str], parameters: Sequence[Any], ascending: bool, limit: int | None
    ) -> list[EventLogRecord]:
        conditions = f" WHERE {' AND '.join(where)}" if where else ""
        rows = self._database.read(
            f"SELECT id, run, timestamp, body FROM events{conditions}"
            f" ORDER BY id {'ASC' if ascending else 'DESC'} LIMIT ?",
            [*parameters, -1 if limit is None else limit],
        )
        run_id = self._names.run_id
        return [
            EventLogRecord(number, EventLogEntry(run_id(run), timestamp, decode_event(body), number))
            for number, run, timestamp, body in rows
        ]
