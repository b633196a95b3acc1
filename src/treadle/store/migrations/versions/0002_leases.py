"""Leases: who owns a run, or a role. Code locations and what they declare. Pools."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE leases (
            name TEXT NOT NULL,
            token INTEGER NOT NULL,
            owner TEXT NOT NULL,
            until REAL NOT NULL,
            PRIMARY KEY (name)
        ) WITHOUT ROWID
        """
    )
    op.execute(
        """
        CREATE TABLE locations (
            name TEXT NOT NULL,
            body BLOB NOT NULL,
            manifest TEXT,
            PRIMARY KEY (name)
        ) WITHOUT ROWID
        """
    )
    op.execute(
        """
        CREATE TABLE manifests (
            hash TEXT NOT NULL,
            body BLOB NOT NULL,
            PRIMARY KEY (hash)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE pools (
            name TEXT NOT NULL,
            slots INTEGER NOT NULL,
            PRIMARY KEY (name)
        ) WITHOUT ROWID
        """
    )
    op.execute(
        """
        CREATE TABLE pool_slots (
            pool TEXT NOT NULL,
            run TEXT NOT NULL,
            step TEXT NOT NULL,
            priority INTEGER NOT NULL,
            asked REAL NOT NULL,
            held INTEGER NOT NULL,
            PRIMARY KEY (pool, run, step)
        ) WITHOUT ROWID
        """
    )
    op.execute("CREATE INDEX pool_slots_run ON pool_slots (run)")
