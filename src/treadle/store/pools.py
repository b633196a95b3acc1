"""Concurrency pools: how many steps may hold a slot of a pool at once, which do, and which wait, in what order.

A slot is held, and waited for, under the lease of a run: what belongs to a run without a live lease is nobody's, and
the next claim removes it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from treadle.errors import InvocationError
from treadle.store.database import Database
from treadle.store.leases import Lease, check

MOST = 1000
_LIVE = (  # the owner of a run under way may be late: whoever monitors leases ends it sooner, if anybody does
    "EXISTS (SELECT 1 FROM leases LEFT JOIN runs ON run_id = name WHERE name = pool_slots.run AND until > 0 AND"
    " until + CASE WHEN status IN ('STARTED', 'CANCELING') THEN 60 ELSE 0 END > ?)"
)
_ORDER = "priority DESC, asked, run, step"
_MINE = "SELECT held FROM pool_slots WHERE pool = ? AND run = ? AND step = ?"
_FIRST = (  # those that hold a slot or are next, as many as there are slots
    f"SELECT run, step FROM pool_slots WHERE pool = ? AND %s ORDER BY held DESC, {_ORDER}"
    " LIMIT coalesce((SELECT slots FROM pools WHERE name = ?), ?)"
)
_HOLD = f"UPDATE pool_slots SET held = 1 WHERE pool = ? AND run = ? AND step = ? AND (run, step) IN ({_FIRST % 'true'})"


class Pool(msgspec.Struct):
    """A pool.

    Attributes:
        name: its name.
        limit: how many may hold a slot at once; None if the default counts.
        holders: the run and the step of each slot that is held.
        waiting: the run and the step of each that waits for one, first come those that are next.
    """

    name: str
    limit: int | None = None
    holders: list[tuple[str, str]] = []
    waiting: list[tuple[str, str]] = []


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

    def all(self) -> Sequence[Pool]:
        """The pools that have a limit or are in use, by name."""
        pools = {name: Pool(name, slots) for name, slots in self._database.read("SELECT name, slots FROM pools")}
        rows = f"SELECT pool, run, step, held FROM pool_slots WHERE {_LIVE} ORDER BY {_ORDER}"
        for name, run, step, held in self._database.read(rows, (time.time(),)):
            pool = pools.setdefault(name, Pool(name))
            (pool.holders if held else pool.waiting).append((run, step))
        return [pools[name] for name in sorted(pools)]

    def claim(self, lease: Lease, name: str, step: str, default: int | None = None, priority: int = 0) -> bool:
        """Hold a slot of a pool for a step of the run that the lease is of; whether it has one now.

        Without one it waits, until it claims again or is freed: slots go by priority, then to who has waited longest.

        Args:
            default: the limit of a pool that has none of its own; None for any number.
            priority: higher goes first.

        Raises:
            FencedError: the lease has another owner.
        """
        mine, now = (lease.name, step), time.time()
        limit = (name, -1 if default is None else default)
        known = self._database.read(_MINE, (name, *mine))
        if known and not known[0][0] and mine not in self._database.read(_FIRST % _LIVE, (name, now, *limit)):
            return False  # it waits already, behind others: nothing to write
        with self._database.transaction() as connection:
            check(connection, lease)
            connection.execute(f"DELETE FROM pool_slots WHERE pool = ? AND NOT {_LIVE}", (name, now))
            connection.execute(
                "INSERT OR IGNORE INTO pool_slots (pool, run, step, priority, asked, held) VALUES (?, ?, ?, ?, ?, 0)",
                (name, *mine, priority, now),
            )
            if connection.execute(_HOLD, (name, *mine, name, *limit)).rowcount:
                return True
            return bool(connection.execute(_MINE, (name, *mine)).fetchone()[0])  # one that it has, of a lowered limit

    def free(self, run_id: str, step: str | None = None, *, waiting: bool = False) -> bool:
        """Free the slot of a step of a run, or all that it holds or waits for; whether there was any.

        `waiting`: only let it wait no longer; it keeps what it holds.
        """
        where, parameters = ("", (run_id,)) if step is None else (" AND step = ?", (run_id, step))
        if waiting:
            where += " AND held = 0"
        with self._database.transaction() as connection:
            return connection.execute(f"DELETE FROM pool_slots WHERE run = ?{where}", parameters).rowcount > 0
