"""Which partitions of an asset are materialized, in progress, or failed: roaring bitmaps over interned keys.

A run that ends closes what it had planned and not made. Who waits for whom is kept per run, disjoint, so that a
partition planned by two runs belongs to the later one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from pyroaring import BitMap

from treadle.state.folds import AssetDelta
from treadle.store.database import Database
from treadle.store.names import Names

MATERIALIZED, IN_PROGRESS, FAILED = 1, 2, 3
_LOW = 0xFFFF


def _chunked(numbers: Iterable[int]) -> dict[int, BitMap]:
    chunks: dict[int, BitMap] = {}
    for number in numbers:
        chunk = chunks.get(number >> 16)
        if chunk is None:
            chunk = chunks[number >> 16] = BitMap()
        chunk.add(number & _LOW)
    return chunks


class PartitionSets:
    """The sets of every asset."""

    def __init__(self, database: Database, names: Names) -> None:
        self._database = database
        self._names = names

    # --- folding ------------------------------------------------------------------------------------------------------

    def apply(self, connection: sqlite3.Connection, asset: int, delta: AssetDelta, running: dict[str, int]) -> None:
        """Fold what a batch says about partitions of `asset`. `running`: numbers of its runs that have not ended."""
        number = self._names.partition
        made = _chunked(number(connection, key) for key in delta.materialized)
        closed: list[int] = []
        opened: dict[int, list[int]] = {}
        for key, run_id in delta.partitions.items():
            run = running.get(run_id)
            if run is not None:
                opened.setdefault(run, []).append(number(connection, key))
            else:
                closed.append(number(connection, key))
        opened_chunks = {run: _chunked(numbers) for run, numbers in opened.items()}
        touched = _chunked(closed)
        for chunks in opened_chunks.values():
            for chunk, keys in chunks.items():
                touched[chunk] = touched.get(chunk, BitMap()) | keys
        makers = [running[run_id] for run_id in delta.makers if run_id in running]
        for chunk, keys in touched.items():
            if chunk in made:
                self._change(connection, asset, MATERIALIZED, chunk, add=made[chunk])
            self._change(connection, asset, FAILED, chunk, remove=keys)
            waiting = self._get(connection, asset, IN_PROGRESS, chunk)
            if overlap := waiting & keys:
                self._disown(connection, asset, chunk, overlap, makers)
            after = waiting - keys
            for run, chunks in opened_chunks.items():
                if chunk in chunks:
                    after |= chunks[chunk]
                    self._own(connection, run, asset, chunk, chunks[chunk])
            if after != waiting:
                self._put(connection, asset, IN_PROGRESS, chunk, after)

    def close_run(self, connection: sqlite3.Connection, run: int, failed: bool) -> None:
        """A run ended: what it had planned and not made is no longer in progress, and failed if the run did."""
        rows = connection.execute("SELECT asset, chunk, keys FROM open_partitions WHERE run = ?", (run,)).fetchall()
        for asset, chunk, blob in rows:
            keys = BitMap.deserialize(blob)
            self._change(connection, asset, IN_PROGRESS, chunk, remove=keys)
            if failed:
                self._change(connection, asset, FAILED, chunk, add=keys)
        if rows:
            connection.execute("DELETE FROM open_partitions WHERE run = ?", (run,))

    def wipe(self, connection: sqlite3.Connection, asset: int, keys: Sequence[str] | None) -> None:
        """Forget the partitions `keys` of an asset, or all."""
        if keys is None:
            connection.execute("DELETE FROM partition_sets WHERE asset = ?", (asset,))
            connection.execute("DELETE FROM open_partitions WHERE asset = ?", (asset,))
            return
        for chunk, numbers in _chunked(self._names.partition(connection, key) for key in keys).items():
            self._change(connection, asset, MATERIALIZED, chunk, remove=numbers)
            self._change(connection, asset, FAILED, chunk, remove=numbers)
            if overlap := self._get(connection, asset, IN_PROGRESS, chunk) & numbers:
                self._disown(connection, asset, chunk, overlap, [])
                self._change(connection, asset, IN_PROGRESS, chunk, remove=numbers)

    def _disown(
        self, connection: sqlite3.Connection, asset: int, chunk: int, keys: BitMap, likely: Sequence[int]
    ) -> None:
        """Take `keys` from the runs that they wait for; `likely` ones are looked at first, others only if needed."""
        left = keys
        for run in likely:
            row = connection.execute(
                "SELECT keys FROM open_partitions WHERE run = ? AND asset = ? AND chunk = ?", (run, asset, chunk)
            ).fetchone()
            if row:
                left = self._take(connection, run, asset, chunk, row[0], left)
        if not left:
            return
        rows = connection.execute(
            "SELECT run, keys FROM open_partitions WHERE asset = ? AND chunk = ?", (asset, chunk)
        ).fetchall()
        for run, blob in rows:
            left = self._take(connection, run, asset, chunk, blob, left)
            if not left:
                return

    def _take(
        self, connection: sqlite3.Connection, run: int, asset: int, chunk: int, blob: bytes, keys: BitMap
    ) -> BitMap:
        owned = BitMap.deserialize(blob)
        taken = owned & keys
        if taken:
            where = (run, asset, chunk)
            if rest := owned - taken:
                connection.execute(
                    "UPDATE open_partitions SET keys = ? WHERE run = ? AND asset = ? AND chunk = ?",
                    (_blob(rest), *where),
                )
            else:
                connection.execute("DELETE FROM open_partitions WHERE run = ? AND asset = ? AND chunk = ?", where)
        return keys - taken

    def _own(self, connection: sqlite3.Connection, run: int, asset: int, chunk: int, keys: BitMap) -> None:
        row = connection.execute(
            "SELECT keys FROM open_partitions WHERE run = ? AND asset = ? AND chunk = ?", (run, asset, chunk)
        ).fetchone()
        if row:
            keys = keys | BitMap.deserialize(row[0])
        connection.execute(
            "INSERT OR REPLACE INTO open_partitions (run, asset, chunk, keys) VALUES (?, ?, ?, ?)",
            (run, asset, chunk, _blob(keys)),
        )

    def _change(
        self,
        connection: sqlite3.Connection,
        asset: int,
        kind: int,
        chunk: int,
        *,
        add: BitMap | None = None,
        remove: BitMap | None = None,
    ) -> None:
        before = self._get(connection, asset, kind, chunk)
        after = before | add if add is not None else before - remove if remove is not None else before
        if after != before:
            self._put(connection, asset, kind, chunk, after)

    def _get(self, connection: sqlite3.Connection, asset: int, kind: int, chunk: int) -> BitMap:
        row = connection.execute(
            "SELECT keys FROM partition_sets WHERE asset = ? AND kind = ? AND chunk = ?", (asset, kind, chunk)
        ).fetchone()
        return BitMap.deserialize(row[0]) if row else BitMap()

    def _put(self, connection: sqlite3.Connection, asset: int, kind: int, chunk: int, keys: BitMap) -> None:
        if keys:
            connection.execute(
                "INSERT OR REPLACE INTO partition_sets (asset, kind, chunk, keys) VALUES (?, ?, ?, ?)",
                (asset, kind, chunk, _blob(keys)),
            )
        else:
            connection.execute(
                "DELETE FROM partition_sets WHERE asset = ? AND kind = ? AND chunk = ?", (asset, kind, chunk)
            )

    # --- reading ------------------------------------------------------------------------------------------------------

    def numbers(self, asset: int, kind: int) -> BitMap:
        """The set of one kind, as numbers of partition keys (below 2^32: the chunks put together again)."""
        rows = self._database.read("SELECT chunk, keys FROM partition_sets WHERE asset = ? AND kind = ?", (asset, kind))
        whole = BitMap()
        for chunk, blob in rows:
            keys = BitMap.deserialize(blob)
            whole |= keys.shift(chunk << 16) if chunk else keys
        return whole

    def keys(self, asset: int, kind: int) -> set[str]:
        """The set of one kind, as keys."""
        return set(self._names.partition_keys(self.numbers(asset, kind)))


def _blob(keys: BitMap) -> bytes:
    keys.run_optimize()
    return keys.serialize()
