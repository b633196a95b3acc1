"""Concurrency pools: how many steps may hold a slot of a pool at once, and which do.

A slot is held under the lease of a run: one whose run has no live lease is nobody's, and the next claim removes it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from treadle.errors import InvocationError
from treadle.store.database import Database
from treadle.store.leases import Lease, check

MOST = 1000
_LIVE = "run IN (SELECT name FROM leases WHERE until > ?)"


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool.

    Attributes:
        name: its name.
        limit: how many may hold a slot at once; None if the default counts.
        holders: the run and the step of each slot that is held.
    """

    name: str
    limit: int | None
    holders: Sequence[tuple[str, str]]


class Pools:
    """The tables of pools and their slots."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set_limit(self, name: str, limit: int) -> None:
        """Let so many hold a slot of a pool at once. Those who hold one keep it.

        Raises:
            InvocationError: the limit is not from 0 to 1,000.
        """
        if not 0 <= limit <= MOST:
            raise InvocationError(f"The limit of pool {name!r} is {limit:,}. Give one from 0 to {MOST:,}.")
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO pools (name, slots) VALUES (?, ?)", (name, limit))

    def delete_limit(self, name: str) -> bool:
        """Let the default count for a pool again. False if it had no limit of its own."""
        with self._database.transaction() as connection:
            return connection.execute("DELETE FROM pools WHERE name = ?", (name,)).rowcount == 1

    def all(self) -> list[Pool]:
        """The pools that have a limit or of which a slot is held, by name."""
        limits = dict(self._database.read("SELECT name, slots FROM pools"))
        holders: dict[str, list[tuple[str, str]]] = {}
        held = f"SELECT pool, run, step FROM pool_slots WHERE {_LIVE} ORDER BY run, step"
        for name, run, step in self._database.read(held, (time.time(),)):
            holders.setdefault(name, []).append((run, step))
        return [Pool(name, limits.get(name), holders.get(name, ())) for name in sorted({*limits, *holders})]

    def claim(self, lease: Lease, name: str, step: str, default: int | None = None) -> bool:
        """Hold a slot of a pool for a step of the run that the lease is of; whether there was one, or it had one.

        Args:
            default: the limit of a pool that has none of its own; None for any number.

        Raises:
            FencedError: the lease has another owner.
        """
        with self._database.transaction() as connection:
            check(connection, lease)
            connection.execute(f"DELETE FROM pool_slots WHERE pool = ? AND NOT {_LIVE}", (name, time.time()))
            claimed = connection.execute(
                "INSERT INTO pool_slots (pool, run, step) SELECT ?, ?, ? WHERE (SELECT count(*) FROM pool_slots WHERE"
                " pool = ?) < coalesce((SELECT slots FROM pools WHERE name = ?), ?)"
                " ON CONFLICT (pool, run, step) DO NOTHING",
                (name, lease.name, step, name, name, (1 << 62) if default is None else default),
            )
            if claimed.rowcount == 1:
                return True
            mine = "SELECT 1 FROM pool_slots WHERE pool = ? AND run = ? AND step = ?"
            return connection.execute(mine, (name, lease.name, step)).fetchone() is not None

    def free(self, run_id: str, step: str | None = None) -> bool:
        """Free the slots of a step of a run, or all that it holds; whether it held any."""
        where, parameters = ("", (run_id,)) if step is None else (" AND step = ?", (run_id, step))
        with self._database.transaction() as connection:
            return connection.execute(f"DELETE FROM pool_slots WHERE run = ?{where}", parameters).rowcount > 0
