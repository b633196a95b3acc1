"""Leases: who owns a run, or a role. Code locations and what they declare."""

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
