"""Small values by name: cursors of sensors and daemons."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from treadle.store.database import Database


class Cursors:
    """The table of cursors."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> str | None:
        """The value of `name`, or None."""
        rows = self._database.read("SELECT value FROM cursors WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def get_many(self, names: Collection[str]) -> dict[str, str]:
        """The values of those of `names` that have one."""
        return {name: value for name in names if (value := self.get(name)) is not None}

    def set(self, values: Mapping[str, str]) -> None:
        """Set values, all in one transaction."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO cursors (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                list(values.items()),
            )

    def delete(self, name: str) -> None:
        """Forget `name`."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM cursors WHERE name = ?", (name,))

    def compare_and_set(self, name: str, expected: str | None, value: str) -> bool:
        """Set `name` to `value` if it is `expected` (None: not there). Whether it was."""
        with self._database.transaction() as connection:
            if expected is None:
                sql = "INSERT INTO cursors (value, name) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
                return connection.execute(sql, (value, name)).rowcount == 1
            sql = "UPDATE cursors SET value = ? WHERE name = ? AND value = ?"
            return connection.execute(sql, (value, name, expected)).rowcount == 1
