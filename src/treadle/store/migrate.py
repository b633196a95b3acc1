"""Bringing an old store to the present schema. Only `instance migrate` comes here: Alembic takes its time to import.

All revisions run in one transaction: a migration that dies has not happened. A copy of the store is kept beside it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from treadle.errors import StoreError, StoreVersionError
from treadle.store.database import HEAD, file_lock, make

_SCRIPTS = Path(__file__).with_name("migrations")


@dataclass(frozen=True, slots=True)
class Migration:
    """What was done: the revision before and after, and the copy that was kept (None if there was nothing to do)."""

    before: str
    after: str
    copy: Path | None


def migrate(path: Path) -> Migration:
    """Bring the store at `path` to the schema of this Treadle; makes it if it does not exist.

    Raises:
        StoreVersionError: the store is newer than this Treadle, or does not say which version it has.
        StoreError: it cannot be read or written, or is in use for too long.
    """
    if not path.exists():
        make(path)
    try:
        with file_lock(path.with_name(path.name + ".lock")):
            connection = sqlite3.connect(path, timeout=60, isolation_level=None)
            try:
                before = _version(connection, path)
                if before == HEAD:
                    return Migration(before, HEAD, None)
                copy = path.with_name(f"{path.name}.{before}.copy")
                copy.unlink(missing_ok=True)
                connection.execute("VACUUM INTO ?", (str(copy),))
                connection.execute("BEGIN IMMEDIATE")
                upgrade(connection)
                return Migration(before, HEAD, copy)
            finally:
                connection.close()
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise StoreError(
            f"The store {path} could not be migrated, and is as it was: {error}. Stop what uses it, then try again."
        ) from error


def upgrade(connection: sqlite3.Connection, revision: str = HEAD) -> None:
    """Run the revisions up to `revision` inside the transaction that was begun on `connection`, and commit it."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool, pool_reset_on_return=None)
    with engine.connect() as wrapped:
        config.attributes["connection"] = wrapped
        command.upgrade(config, revision)
        wrapped.commit()


def _version(connection: sqlite3.Connection, path: Path) -> str:
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    row = None
    if "alembic_version" in names:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise StoreVersionError(
            f"The store {path} does not say which version it has, so it cannot be migrated. Restore a backup, or move "
            "the file aside to start anew."
        )
    if row[0] > HEAD:
        raise StoreVersionError(
            f"The store {path} was written by a newer Treadle (its revision is {row[0]}, this one knows {HEAD}). "
            "Upgrade Treadle."
        )
    return row[0]
