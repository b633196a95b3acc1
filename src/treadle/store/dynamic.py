"""Partitions that are added and deleted at run time, by the name of their definition."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

from treadle.errors import InvocationError
from treadle.store.database import Database, as_json


class DynamicPartitions:
    """The table of dynamic partitions. They keep the order in which they were added."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, definition: str, keys: Sequence[str]) -> None:
        """Add keys; those that exist stay where they are.

        Raises:
            InvocationError: `keys` is one string, or holds something that is none.
        """
        if isinstance(keys, str) or not all(isinstance(key, str) for key in keys):
            raise InvocationError(f"Partition keys are a list of strings, not {keys!r}.")
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO dynamic_partitions (definition, key) VALUES (?, ?) ON CONFLICT DO NOTHING",
                [(definition, key) for key in keys],
            )

    def delete(self, definition: str, key: str) -> None:
        """Delete a key, if it is there."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM dynamic_partitions WHERE definition = ? AND key = ?", (definition, key))

    def delete_all(self, connection: sqlite3.Connection) -> None:
        """Delete the keys of all definitions, inside a transaction."""
        connection.execute("DELETE FROM dynamic_partitions")

    def existing(self, definition: str, keys: Collection[str]) -> set[str]:
        """Those of `keys` that are there."""
        sql = "SELECT key FROM dynamic_partitions WHERE definition = ? AND key IN (SELECT value FROM json_each(?))"
        return {row[0] for row in self._database.read(sql, (definition, as_json(keys)))}

    def keys(self, definition: str) -> list[str]:
        """All keys, in the order they were added."""
        sql = "SELECT key FROM dynamic_partitions WHERE definition = ? ORDER BY id"
        return [row[0] for row in self._database.read(sql, (definition,))]

    def page(self, definition: str, limit: int, *, ascending: bool = True, after: int = 0) -> list[tuple[int, str]]:
        """Numbers and keys, at most `limit`, beyond the number `after` (0: from the start, or going down the end)."""
        bound, way = ("id > ?", "ASC") if ascending else ("(id < ? OR ? = 0)", "DESC")
        return self._database.read(
            f"SELECT id, key FROM dynamic_partitions WHERE definition = ? AND {bound} ORDER BY id {way} LIMIT ?",
            (definition, after, limit) if ascending else (definition, after, after, limit),
        )

    def has(self, definition: str, key: str) -> bool:
        """Whether a key is there."""
        sql = "SELECT 1 FROM dynamic_partitions WHERE definition = ? AND key = ?"
        return bool(self._database.read(sql, (definition, key)))
