"""Opening, making, refusing and sharing the file."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from treadle.errors import StoreError, StoreVersionError
from treadle.store import database
from treadle.store.database import HEAD, TABLES, Database, file_lock, make, refuse_network_disk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "treadle.db"


def change(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_a_fresh_store_has_every_table_in_wal_mode(path: Path) -> None:
    store = Database(path)
    names = {row[0] for row in store.read("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert names - {"sqlite_sequence"} == TABLES
    assert store.read("PRAGMA journal_mode")[0][0] == "wal"
    assert store.read("SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert store.check() == []
    store.close()
    assert sorted(file.name for file in path.parent.iterdir()) == ["treadle.db", "treadle.db.lock"]


@pytest.mark.parametrize(("durability", "synchronous"), [("normal", 1), ("full", 2)])
def test_durability_is_how_sqlite_syncs(path: Path, durability: database.Durability, synchronous: int) -> None:
    store = Database(path, durability=durability)
    assert store.read("PRAGMA synchronous") == [(synchronous,)]
    store.close()


def test_a_transaction_that_raises_leaves_nothing_and_no_lock(path: Path) -> None:
    store, other = Database(path), Database(path, patience_s=1)

    def fail() -> None:
        with store.transaction() as connection:
            connection.execute("INSERT INTO cursors VALUES ('a', '1')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with other.transaction() as connection:
        connection.execute("INSERT INTO cursors VALUES ('b', '2')")
    assert store.read("SELECT * FROM cursors") == [("b", "2")]
    store.close()
    other.close()


def test_nested_transactions_are_one(path: Path) -> None:
    store = Database(path)

    def fail() -> None:
        with store.transaction() as outer:
            with store.transaction() as inner:
                assert inner is outer
                inner.execute("INSERT INTO cursors VALUES ('a', '1')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.read("SELECT * FROM cursors") == []
    store.close()


def test_waiting_for_another_writer_is_bounded_and_says_what_to_do(path: Path) -> None:
    holder, waiter = Database(path), Database(path, patience_s=0)
    assert waiter.read("SELECT * FROM cursors") == []
    with (
        holder.transaction(),
        pytest.raises(StoreError, match=r"Another process has been writing .*lsof"),
        waiter.transaction(),
    ):
        pass
    with waiter.transaction() as connection:
        connection.execute("INSERT INTO cursors VALUES ('a', '1')")
    holder.close()
    waiter.close()


def test_threads_share_a_database(path: Path) -> None:
    store = Database(path)

    def add(name: str) -> None:
        for number in range(50):
            with store.transaction() as connection:
                connection.execute("INSERT INTO cursors VALUES (?, '')", (f"{name}{number}",))

    threads = [threading.Thread(target=add, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read("SELECT count(*) FROM cursors") == [(200,)]
    store.close()


def test_parent_and_child_of_a_fork_each_have_a_connection(path: Path) -> None:
    store = Database(path)
    with store.transaction() as connection:
        connection.execute("INSERT INTO cursors VALUES ('parent', '1')")
    inherited = store._connection
    child = os.fork()
    if child == 0:
        try:
            assert store._connection is None  # closed before the fork: nothing of SQLite crossed it
            with store.transaction() as connection:
                connection.execute("INSERT INTO cursors VALUES ('child', '2')")
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    with store.transaction() as connection:
        assert connection is not inherited
        connection.execute("INSERT INTO cursors VALUES ('parent again', '3')")
    assert [row[0] for row in store.read("SELECT name FROM cursors ORDER BY value")] == [
        "parent",
        "child",
        "parent again",
    ]
    assert store.check() == []
    store.close()


def test_a_database_in_memory_survives_a_fork(path: Path) -> None:
    store = Database(None)
    with store.transaction() as connection:
        connection.execute("INSERT INTO cursors VALUES ('a', '1')")
    child = os.fork()
    if child == 0:
        os._exit(0 if store.read("SELECT name FROM cursors") == [("a",)] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert store.read("SELECT name FROM cursors") == [("a",)]
    store.close()


# --- what is refused --------------------------------------------------------------------------------------------------


def test_6804_a_damaged_file_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this was a database once" * 400)
    with pytest.raises(StoreError, match=r"treadle\.db is damaged .* restore a backup"):
        Database(path).read("SELECT 1")
    assert path.read_bytes() == b"this was a database once" * 400


def test_6804_the_integrity_check_finds_damage(path: Path) -> None:
    make(path)
    change(path, "INSERT INTO cursors VALUES ('a', '1')")
    change(path, "PRAGMA writable_schema = ON", "DELETE FROM sqlite_master WHERE name = 'runs_status'")
    store = Database(path)
    assert store.check() != []
    store.close()


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_6804_a_network_disk_is_refused(kind: str) -> None:
    mounts = f"/dev/sda1 / ext4 rw 0 0\nserver:/data /mnt/my\\040data {kind} rw 0 0\n"
    with pytest.raises(StoreError, match=r"network disk .* local disk"):
        refuse_network_disk(Path("/mnt/my data/home"), mounts)
    refuse_network_disk(Path("/mnt/my data too"), mounts)
    refuse_network_disk(Path("/home"), mounts)


@pytest.mark.parametrize("table", sorted(TABLES - {"alembic_version"}))
def test_12846_a_missing_table_stops_the_start(path: Path, table: str) -> None:
    make(path)
    change(path, f"DROP TABLE {table}")
    with pytest.raises(StoreVersionError, match=rf"lacks the table {table}\. Restore a backup"):
        Database(path).read("SELECT 1")


@pytest.mark.parametrize("statement", ["DROP TABLE alembic_version", "DELETE FROM alembic_version"])
def test_25686_a_store_without_a_stamp_is_refused(path: Path, statement: str) -> None:
    make(path)
    change(path, statement)
    with pytest.raises(StoreVersionError, match="does not say which version it has"):
        Database(path).read("SELECT 1")


def test_25686_ids_beyond_32_bits(path: Path) -> None:
    store = Database(path)
    with store.transaction() as connection:
        connection.execute("INSERT INTO events (id, timestamp, type, body) VALUES (?, 0, 99, x'')", (2**40,))
        assert connection.execute(
            "INSERT INTO events (timestamp, type, body) VALUES (0, 99, x'') RETURNING id"
        ).fetchone() == (2**40 + 1,)
    store.close()


@pytest.mark.parametrize(
    ("version", "what_to_do"), [("0000", "Run `treadle instance migrate`"), ("9999", "Upgrade Treadle")]
)
def test_another_version_is_refused(path: Path, version: str, what_to_do: str) -> None:
    make(path)
    change(path, f"UPDATE alembic_version SET version_num = '{version}'")
    with pytest.raises(StoreVersionError, match=what_to_do):
        Database(path).read("SELECT 1")


def test_an_empty_file_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with pytest.raises(StoreVersionError, match="empty file"):
        Database(path).read("SELECT 1")


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be made at .* TREADLE_HOME"):
        Database(tmp_path / "file" / "home" / "treadle.db").read("SELECT 1")


def test_a_half_made_store_of_a_dead_process_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    path.with_name("treadle.db.new").write_bytes(b"half")
    make(path)
    assert Database(path).check() == []


def test_a_file_lock_excludes_others(tmp_path: Path) -> None:
    order: list[str] = []
    inside, started = threading.Event(), threading.Event()

    def second() -> None:
        started.set()
        with file_lock(tmp_path / "lock"):
            order.append("second")

    thread = threading.Thread(target=second)
    with file_lock(tmp_path / "lock"):
        thread.start()
        started.wait()
        order.append("first")
        inside.set()
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.parametrize("is_written", [False, True])
def test_what_may_not_be_written_can_be_read(path: Path, is_written: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Database(path)
    with writer.transaction() as connection:
        connection.execute("INSERT INTO cursors VALUES ('a', '1')")
    if not is_written:
        writer.close()
    files = sorted(path.parent.iterdir())
    monkeypatch.setattr(os, "access", lambda *_: False)  # whoever runs the tests may be root
    store = Database(path)
    assert store.read("SELECT * FROM cursors") == [("a", "1")]
    with pytest.raises(StoreError, match="cannot be opened for writing"), store.transaction() as connection:
        connection.execute("INSERT INTO cursors VALUES ('b', '1')")
    assert sorted(path.parent.iterdir()) == files
    store.close()
    writer.close()
