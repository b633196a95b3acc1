"""Leases: one owner at a time of a run, or of a role such as the daemon's. By the clock of the store's machine.

A lease has a token that grows with each owner. Who writes with an old token is refused, in the same transaction: an
owner that was thought dead and was not cannot spoil what its successor does.
"""

from __future__ import annotations

import sqlite3
import time

import msgspec

from treadle.errors import FencedError
from treadle.store.database import Database


class Lease(msgspec.Struct, frozen=True):
    """What somebody owns.

    Attributes:
        name: what: a run's id, or a role.
        token: grows with each owner of that name.
        owner: who: a text that tells people and processes of the machine where to look.
        until: when it ends unless it is renewed, in seconds since the epoch.
    """

    name: str
    token: int
    owner: str
    until: float


class Leases:
    """The table of leases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, name: str, owner: str, term_s: float, dead: Lease | None = None) -> Lease | None:
        """Become the owner of `name` for `term_s` seconds; None if somebody else is.

        `dead` is the lease, as it was when its owner was seen dead: it need not have run out.
        """
        now = time.time()
        with self._database.transaction() as connection:
            row = connection.execute("SELECT token, until FROM leases WHERE name = ?", (name,)).fetchone()
            if row is not None and row[1] > now and (dead is None or row != (dead.token, dead.until)):
                return None
            lease = Lease(name, (row[0] if row is not None else 0) + 1, owner, now + term_s)
            connection.execute(
                "INSERT OR REPLACE INTO leases (name, token, owner, until) VALUES (?, ?, ?, ?)",
                (lease.name, lease.token, lease.owner, lease.until),
            )
        return lease

    def renew(self, lease: Lease, term_s: float) -> bool:
        """Stay the owner for `term_s` seconds from now. False if somebody else has become it."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE leases SET until = ? WHERE name = ? AND token = ?",
                (time.time() + term_s, lease.name, lease.token),
            )
            return changed.rowcount == 1

    def revoke(self, lease: Lease) -> bool:
        """Refuse what its owner writes from now on, unless it was renewed since; whether it was not."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE leases SET token = token + 1 WHERE name = ? AND token = ? AND until = ?",
                (lease.name, lease.token, lease.until),
            )
            return changed.rowcount == 1

    def release(self, lease: Lease) -> None:
        """Own it no longer, if this is still the owner. The token stays, so that it never comes back."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE leases SET until = 0 WHERE name = ? AND token = ?", (lease.name, lease.token))

    def get(self, name: str) -> Lease | None:
        """The lease of a name, ended or not; None if it never had an owner."""
        rows = self._database.read("SELECT name, token, owner, until FROM leases WHERE name = ?", (name,))
        return Lease(*rows[0]) if rows else None

    def delete(self, connection: sqlite3.Connection, name: str) -> None:
        """Forget a name, inside a transaction: what it named is gone."""
        connection.execute("DELETE FROM leases WHERE name = ?", (name,))


def check(connection: sqlite3.Connection, lease: Lease) -> None:
    """Inside a transaction: fail unless the lease is still its owner's.

    Raises:
        FencedError: it has a newer owner.
    """
    row = connection.execute("SELECT token FROM leases WHERE name = ?", (lease.name,)).fetchone()
    if row is None or row[0] != lease.token:
        raise FencedError(
            f"{lease.owner} no longer owns {lease.name}: another owner has taken over, or it was deleted."
        )
