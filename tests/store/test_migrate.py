"""Migrations and the schema of a fresh home are the same."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from treadle.errors import StoreError, StoreVersionError
from treadle.store import migrate as module
from treadle.store.database import HEAD, Database, make
from treadle.store.migrate import migrate, upgrade


def structure(connection: sqlite3.Connection) -> dict[str, object]:
    """What a schema amounts to, however its statements are laid out."""
    found: dict[str, object] = {}
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master"):
        if kind == "table":
            found[f"columns of {name}"] = connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
            options = connection.execute("SELECT wr, strict FROM pragma_table_list WHERE name = ?", (name,)).fetchall()
            checks = re.findall(r"CHECK\s*\(.*?\)\s*\)", sql or "", re.S)
            found[f"options of {name}"] = (options, "AUTOINCREMENT" in (sql or ""), [_flat(text) for text in checks])
        elif sql:
            found[f"{kind} {name}"] = _flat(sql)
    return found


def _flat(sql: str) -> str:
    return re.sub(r"\s+", "", sql)


def migrated() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    upgrade(connection)
    return connection


def test_a_fresh_store_is_what_the_migrations_make(tmp_path: Path) -> None:
    make(tmp_path / "treadle.db")
    fresh, old = sqlite3.connect(tmp_path / "treadle.db"), migrated()
    assert structure(fresh) == structure(old)
    assert old.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]
    fresh.close()
    old.close()


def test_revisions_are_numbered_in_order() -> None:
    scripts = sorted((Path(module.__file__).parent / "migrations" / "versions").glob("*.py"))
    assert [script.name[:4] for script in scripts] == [f"{number:04}" for number in range(1, len(scripts) + 1)]
    assert scripts[-1].name[:4] == HEAD


def test_a_present_store_is_left_alone(tmp_path: Path) -> None:
    done = migrate(tmp_path / "treadle.db")
    assert (done.before, done.after, done.copy) == (HEAD, HEAD, None)
    assert Database(tmp_path / "treadle.db").check() == []


def test_a_migration_that_fails_has_not_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "treadle.db"
    make(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.execute("INSERT INTO cursors VALUES ('a', '1')")

    def half(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TABLE cursors")
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(module, "upgrade", half)
    with pytest.raises(StoreError, match=r"could not be migrated, and is as it was: disk I/O error"):
        migrate(path)
    assert connection.execute("SELECT * FROM cursors").fetchall() == [("a", "1")]
    connection.close()
    copy = sqlite3.connect(tmp_path / "treadle.db.0000.copy")
    assert copy.execute("SELECT * FROM cursors").fetchall() == [("a", "1")]
    copy.close()


@pytest.mark.parametrize(
    "statement", ["DELETE FROM alembic_version", "UPDATE alembic_version SET version_num = '9999'"]
)
def test_25686_what_cannot_be_migrated_is_refused(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "treadle.db"
    make(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()
    with pytest.raises(StoreVersionError):
        migrate(path)
