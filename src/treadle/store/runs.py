"""Runs: rows that are created once, change their status by events alone, and can be found again by what they are."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from treadle.core import codec, tags
from treadle.errors import InvocationError, RunNotFoundError
from treadle.state.events import EventLogEntry, EventType, RunFailed
from treadle.state.lifecycle import run_status_after
from treadle.state.runs import FINISHED, Run, RunRecord, RunsFilter, RunStatus
from treadle.store.database import Database, as_json
from treadle.store.leases import Lease, check
from treadle.store.names import Names

_decoder = codec.decoder(Run)
_COLUMNS = "id, body, status, created, updated, started, ended"
_ORDERS = {
    None: "id",
    "id": "id",
    "run_id": "run_id",
    "job_name": "job_name",
    "status": "status",
    "create_timestamp": "created",
    "update_timestamp": "updated",
    "start_time": "started",
    "end_time": "ended",
}


def _decode(body: bytes, status: str) -> Run:
    run = _decoder.decode(body)
    return run if run.status.value == status else msgspec.structs.replace(run, status=RunStatus(status))


def _record(row: tuple[Any, ...]) -> RunRecord:
    number, body, status, created, updated, started, ended = row
    return RunRecord(
        storage_id=number,
        run=_decode(body, status),
        create_timestamp=datetime.fromtimestamp(created, UTC),
        update_timestamp=datetime.fromtimestamp(updated, UTC),
        start_time=started,
        end_time=ended,
    )


class Runs:
    """The table of runs."""

    def __init__(self, database: Database, names: Names) -> None:
        self._database = database
        self._names = names

    # --- writing ------------------------------------------------------------------------------------------------------

    def add(self, run: Run, *, launch_key: str | None = None, created: float | None = None) -> bool:
        """Store a new run. False, and nothing stored, if a run with this `launch_key` exists.

        Args:
            run: the run; its id must be new.
            launch_key: what makes the run unique beside its id: its trigger and key, for example.
            created: when, in seconds since the epoch; now by default.

        Raises:
            InvocationError: a run with this id exists.
        """
        with self._database.transaction() as connection:
            return self.insert(connection, run, launch_key, time.time() if created is None else created)

    def insert(self, connection: sqlite3.Connection, run: Run, launch_key: str | None, created: float) -> bool:
        """As `add`, inside a transaction."""
        taken = "SELECT 1 FROM runs WHERE launch_key = ?"
        if launch_key is not None and connection.execute(taken, (launch_key,)).fetchone():
            return False
        try:
            number = connection.execute(
                "INSERT INTO runs (run_id, job_name, status, created, updated, launch_key, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (run.run_id, run.job_name, run.status.value, created, created, launch_key, codec.encode(run)),
            ).lastrowid
        except sqlite3.IntegrityError as error:
            raise InvocationError(
                f"A run with the id {run.run_id!r} exists already. Give the new one its own id."
            ) from error
        if run.tags:
            connection.executemany(
                "INSERT INTO run_tags (run, key, value) VALUES (?, ?, ?)",
                [(number, key, value) for key, value in run.tags.items()],
            )
        self._names.learn_run(run.run_id, number or 0)
        return True

    def complete(self, run: Run, lease: Lease) -> None:
        """Store what of a run was not known when it was added: its config, its tags, what it selects.

        Raises:
            FencedError: the lease has another owner.
        """
        with self._database.transaction() as connection:
            check(connection, lease)
            self._tag(connection, run.run_id, run.tags, run)

    def add_tags(self, run_id: str, new_tags: Mapping[str, str]) -> None:
        """Add tags to a run, replacing those of the same keys.

        Raises:
            RunNotFoundError: there is no such run.
        """
        with self._database.transaction() as connection:
            self._tag(connection, run_id, new_tags)

    def _tag(
        self, connection: sqlite3.Connection, run_id: str, new_tags: Mapping[str, str], now: Run | None = None
    ) -> None:
        row = connection.execute("SELECT id, body FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise RunNotFoundError(f"The store has no run {run_id!r}.")
        run = _decoder.decode(row[1])
        body = codec.encode(msgspec.structs.replace(now or run, tags={**run.tags, **new_tags}))
        connection.execute("UPDATE runs SET body = ?, updated = ? WHERE id = ?", (body, time.time(), row[0]))
        connection.executemany(
            "INSERT OR REPLACE INTO run_tags (run, key, value) VALUES (?, ?, ?)",
            [(row[0], key, value) for key, value in new_tags.items()],
        )

    def apply(
        self, connection: sqlite3.Connection, run_id: str, happened: Sequence[EventLogEntry]
    ) -> tuple[int, RunStatus | None]:
        """Fold run events into the row of a run. Gives its number, and how it ended if it ended just now.

        A run that failed says why in a tag.
        """
        number = self._names.run(connection, run_id)
        row = connection.execute("SELECT status, started, ended FROM runs WHERE id = ?", (number,)).fetchone()
        if row is None:  # deleted while it ran
            return number, None
        before = status = RunStatus(row[0])
        started, ended = row[1], row[2]
        for entry in happened:
            event = entry.event
            after = run_status_after(status, event.event_type)
            if event.event_type is EventType.RUN_START and started is None:
                started = entry.timestamp
            if after in FINISHED and status not in FINISHED:
                ended = entry.timestamp
                if isinstance(event, RunFailed):
                    self._tag(connection, run_id, {tags.FAILURE_REASON: event.failure_reason})
            status = after
        if (status, started, ended) != (before, row[1], row[2]):
            connection.execute(
                "UPDATE runs SET status = ?, started = ?, ended = ?, updated = ? WHERE id = ?",
                (status.value, started, ended, time.time(), number),
            )
        return number, status if status in FINISHED and before not in FINISHED else None

    def status(self, connection: sqlite3.Connection, run_id: str) -> RunStatus | None:
        """The status of a run, inside a transaction; None if there is no such run."""
        row = connection.execute("SELECT status FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        return RunStatus(row[0]) if row is not None else None

    def delete(self, connection: sqlite3.Connection, number: int) -> None:
        """Remove the row and the tags of a run."""
        connection.execute("DELETE FROM run_tags WHERE run = ?", (number,))
        connection.execute("DELETE FROM runs WHERE id = ?", (number,))

    def delete_all(self, connection: sqlite3.Connection) -> None:
        """Remove all runs and their tags."""
        connection.execute("DELETE FROM run_tags")
        connection.execute("DELETE FROM runs")

    # --- reading ------------------------------------------------------------------------------------------------------

    def has(self, run_id: str) -> bool:
        """Whether there is a run with this id."""
        return bool(self._database.read("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)))

    def get(self, run_id: str) -> Run | None:
        """A run by its id."""
        rows = self._database.read("SELECT body, status FROM runs WHERE run_id = ?", (run_id,))
        return _decode(*rows[0]) if rows else None

    def get_record(self, run_id: str) -> RunRecord | None:
        """The record of a run by its id."""
        rows = self._database.read(f"SELECT {_COLUMNS} FROM runs WHERE run_id = ?", (run_id,))
        return _record(rows[0]) if rows else None

    def records(
        self,
        filters: RunsFilter | None = None,
        *,
        limit: int | None = None,
        order_by: str | None = None,
        ascending: bool = False,
        cursor: str | None = None,
    ) -> list[RunRecord]:
        """Records of the runs that `filters` means, newest first unless told otherwise.

        Args:
            filters: which runs.
            limit: how many at most.
            order_by: id, run_id, job_name, status, create_timestamp, update_timestamp, start_time or end_time.
            ascending: oldest (or smallest) first.
            cursor: the id of the run after which to begin, in order of creation.

        Raises:
            InvocationError: `order_by` is none of these.
        """
        where, parameters = self._where(filters)
        column = _ORDERS.get(order_by)
        if column is None:
            orders = ", ".join(order for order in _ORDERS if order)
            raise InvocationError(f"Runs cannot be ordered by {order_by!r}. Use one of {orders}.")
        if cursor is not None:
            number = self._names.find_run(cursor)
            if number is None:
                return []
            where.append("id > ?" if ascending else "id < ?")
            parameters.append(number)
        way = "ASC" if ascending else "DESC"
        sql = f"SELECT {_COLUMNS} FROM runs{_all(where)} ORDER BY {column} {way}" + (
            "" if column == "id" else f", id {way}"
        )
        if limit is not None:
            sql += " LIMIT ?"
            parameters.append(limit)
        return [_record(row) for row in self._database.read(sql, parameters)]

    def ids(self, filters: RunsFilter | None = None, *, limit: int | None = None) -> list[str]:
        """Ids of the runs that `filters` means, newest first."""
        where, parameters = self._where(filters)
        sql = f"SELECT run_id FROM runs{_all(where)} ORDER BY id DESC LIMIT ?"
        return [row[0] for row in self._database.read(sql, [*parameters, -1 if limit is None else limit])]

    def beginning_with(self, prefix: str, limit: int) -> list[str]:
        """Ids that begin with `prefix`, at most `limit` of them."""
        sql = "SELECT run_id FROM runs WHERE run_id >= ? AND run_id < ? ORDER BY run_id LIMIT ?"
        return [row[0] for row in self._database.read(sql, (prefix, prefix + "\U0010ffff", limit))]

    def count(self, filters: RunsFilter | None = None) -> int:
        """How many runs `filters` means."""
        where, parameters = self._where(filters)
        return self._database.read(f"SELECT count(*) FROM runs{_all(where)}", parameters)[0][0]

    def tags(
        self, keys: Sequence[str], value_prefix: str | None = None, limit: int | None = None
    ) -> list[tuple[str, set[str]]]:
        """The values that tags with these keys have, by key."""
        found: dict[str, set[str]] = {}
        for key in sorted(set(keys)):
            rows = self._database.read(
                "SELECT DISTINCT value FROM run_tags WHERE key = ? AND substr(value, 1, ?) = ? ORDER BY value LIMIT ?",
                (key, len(value_prefix or ""), value_prefix or "", -1 if limit is None else limit),
            )
            if rows:
                found[key] = {row[0] for row in rows}
        return list(found.items())

    def tag_keys(self) -> list[str]:
        """The keys of all tags of runs."""
        return [row[0] for row in self._database.read("SELECT DISTINCT key FROM run_tags ORDER BY key")]

    def _where(self, filters: RunsFilter | None) -> tuple[list[str], list[Any]]:
        where: list[str] = []
        parameters: list[Any] = []
        if filters is None:
            return where, parameters

        def among(column: str, values: Sequence[str]) -> None:
            where.append(f"{column} IN (SELECT value FROM json_each(?))")
            parameters.append(as_json(values))

        if filters.run_ids is not None:
            among("run_id", filters.run_ids)
        if filters.job_name is not None:
            where.append("job_name = ?")
            parameters.append(filters.job_name)
        if filters.statuses:
            among("status", [status.value for status in filters.statuses])
        for key, value in filters.tags.items():
            if isinstance(value, str):
                where.append("id IN (SELECT run FROM run_tags WHERE key = ? AND value = ?)")
                parameters += [key, value]
            else:
                where.append(
                    "id IN (SELECT run FROM run_tags WHERE key = ? AND value IN (SELECT value FROM json_each(?)))"
                )
                parameters += [key, as_json(value)]
        for condition, moment in (
            ("updated > ?", filters.updated_after),
            ("updated < ?", filters.updated_before),
            ("created > ?", filters.created_after),
            ("created < ?", filters.created_before),
        ):
            if moment is not None:
                where.append(condition)
                parameters.append(_seconds(moment))
        if filters.exclude_subruns:
            where.append("id NOT IN (SELECT run FROM run_tags WHERE key = ?)")
            parameters.append(tags.BACKFILL)
        return where, parameters


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _all(where: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(where)}" if where else ""
