"""Names become small numbers: runs, assets and partitions. A number never changes its meaning, so each process keeps
the ones it has seen and asks the store only for new names."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from pyroaring import BitMap

from treadle.core.keys import AssetKey
from treadle.errors import RunNotFoundError
from treadle.store.database import Database

_MANY = 200_000  # names kept in memory, of each kind


class Names:
    """The numbers of names, as this process knows them. Methods that take a connection run inside a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._runs: dict[str, int] = {}
        self._run_ids: dict[int, str] = {}
        self._assets: dict[AssetKey, int] = {}
        self._asset_keys: dict[int, AssetKey] = {}
        self._partitions: dict[str, int] = {}
        self._partition_keys: dict[int, str] = {}
        self._all_through = 0  # every partition up to this number is known

    def forget(self) -> None:
        """Drop everything: a transaction that may have made names was rolled back."""
        for known in (self._runs, self._run_ids, self._assets, self._asset_keys, self._partitions):
            known.clear()
        self._partition_keys.clear()
        self._all_through = 0

    # --- runs ---------------------------------------------------------------------------------------------------------

    def run(self, connection: sqlite3.Connection, run_id: str) -> int:
        """The number of a run.

        Raises:
            RunNotFoundError: the store has no such run.
        """
        number = self._runs.get(run_id)
        if number is None:
            row = connection.execute("SELECT id FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            if row is None:
                raise RunNotFoundError(
                    f"The store has no run {run_id!r}. Create the run before its events are written."
                )
            number = self.learn_run(run_id, row[0])
        return number

    def learn_run(self, run_id: str, number: int) -> int:
        """Remember the number of a run."""
        if len(self._runs) > _MANY:
            self._runs.clear()
            self._run_ids.clear()
        self._runs[run_id] = number
        self._run_ids[number] = run_id
        return number

    def find_run(self, run_id: str) -> int | None:
        """The number of a run, or None."""
        number = self._runs.get(run_id)
        if number is None and (rows := self._database.read("SELECT id FROM runs WHERE run_id = ?", (run_id,))):
            number = self.learn_run(run_id, rows[0][0])
        return number

    def run_id(self, number: int | None) -> str:
        """The id of a run; empty for None, and for a run that was deleted."""
        if number is None:
            return ""
        run_id = self._run_ids.get(number)
        if run_id is None:
            rows = self._database.read("SELECT run_id FROM runs WHERE id = ?", (number,))
            if not rows:
                return ""
            run_id = rows[0][0]
            self.learn_run(run_id, number)
        return run_id

    # --- assets -------------------------------------------------------------------------------------------------------

    def asset(self, connection: sqlite3.Connection, key: AssetKey) -> int:
        """The number of an asset; gives it one if it has none."""
        number = self._assets.get(key)
        if number is None:
            text = key.to_string()
            row = connection.execute("SELECT id FROM assets WHERE key = ?", (text,)).fetchone()
            if row is None:
                row = connection.execute("INSERT INTO assets (key) VALUES (?) RETURNING id", (text,)).fetchone()
            number = self._learn_asset(key, row[0])
        return number

    def find_asset(self, key: AssetKey) -> int | None:
        """The number of an asset, or None."""
        number = self._assets.get(key)
        if number is None and (rows := self._database.read("SELECT id FROM assets WHERE key = ?", (key.to_string(),))):
            number = self._learn_asset(key, rows[0][0])
        return number

    def asset_key(self, number: int, text: str) -> AssetKey:
        """The key of an asset whose row holds `text`."""
        key = self._asset_keys.get(number)
        if key is None:
            key = AssetKey(json.loads(text))
            self._learn_asset(key, number)
        return key

    def _learn_asset(self, key: AssetKey, number: int) -> int:
        self._assets[key] = number
        self._asset_keys[number] = key
        return number

    # --- partitions ---------------------------------------------------------------------------------------------------

    def partition(self, connection: sqlite3.Connection, key: str) -> int:
        """The number of a partition key; gives it one if it has none."""
        number = self._partitions.get(key)
        if number is None:
            row = connection.execute("SELECT id FROM partition_keys WHERE key = ?", (key,)).fetchone()
            if row is None:
                row = connection.execute("INSERT INTO partition_keys (key) VALUES (?) RETURNING id", (key,)).fetchone()
            number = self._learn_partition(key, row[0])
        return number

    def find_partitions(self, keys: Iterable[str]) -> dict[str, int]:
        """The numbers of those of `keys` that have one."""
        known = self._partitions
        keys = list(keys)
        unknown = [key for key in keys if key not in known]
        if len(unknown) > 500:
            self._learn_all_partitions()
        else:
            for key in unknown:
                for row in self._database.read("SELECT id FROM partition_keys WHERE key = ?", (key,)):
                    self._learn_partition(key, row[0])
        return {key: known[key] for key in keys if key in known}

    def partition_keys(self, numbers: BitMap) -> list[str]:
        """The keys of `numbers`, in the order they were first seen."""
        known = self._partition_keys
        if not all(number in known for number in numbers):
            self._learn_all_partitions()
        return [known[number] for number in numbers if number in known]

    def _learn_all_partitions(self) -> None:
        for number, key in self._database.read(
            "SELECT id, key FROM partition_keys WHERE id > ? ORDER BY id", (self._all_through,)
        ):
            self._learn_partition(key, number)
            self._all_through = number

    def _learn_partition(self, key: str, number: int) -> int:
        self._partitions[key] = number
        self._partition_keys[number] = key
        return number
