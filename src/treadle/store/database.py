"""One SQLite file: opening, making, locking. Nothing here knows what is in the tables.

Rules:
- A write is a transaction that takes the write lock at its start (`BEGIN IMMEDIATE`), so it never fails halfway for
  a lock. Waiting for another process is bounded and ends in a `StoreError`, never in a bare "database is locked".
- A fresh file is made aside and renamed into place under a file lock: nobody ever opens a half-made store.
- SQLite connections must not cross a fork. Before this process forks, the connection is closed (waiting for a
  transaction in another thread to end); parent and child each open their own when they need it.
- A store that may not be written can be read.
- Durability: with `normal` a commit survives the death of any process (WAL, synchronous=NORMAL); with `full` it also
  survives a power cut, for one fsync a commit.
"""

from __future__ import annotations

import fcntl
import os
import random
import re
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from treadle.errors import StoreError, StoreVersionError

Durability: TypeAlias = Literal["normal", "full"]

HEAD = "0002"
"""The revision of schema.sql: the newest migration."""

TABLES = frozenset(
    {"alembic_version", "runs", "run_tags", "events", "assets", "partition_keys", "partition_sets", "open_partitions"}
    | {"asset_checks", "dynamic_partitions", "cursors", "leases", "locations", "manifests"}
    | {"pools", "pool_slots"}
)
"""What every store has. One that misses any is refused at the start."""

PATIENCE_S = 60.0
_CHECKPOINT_PAGES = 4000  # 16 MB of log before it is folded into the file, which is what costs an fsync
_SCHEMA = Path(__file__).with_name("schema.sql")
_NETWORK = re.compile(r"(nfs\d?|cifs|smb\d?|smbfs|afs|9p|ceph|glusterfs|lustre|fuse\.(sshfs|glusterfs|s3fs|rclone))\Z")
_open: weakref.WeakSet[Database] = weakref.WeakSet()


def _nothing() -> None:
    pass


def as_json(values: Iterable[Any]) -> str:
    """Values as one parameter, for `IN (SELECT value FROM json_each(?))`: SQLite bounds the number of parameters."""
    return msgspec.json.encode(list(values)).decode()


class Database:
    """A SQLite database, in a file or in memory. Threads share it; processes each have their own.

    Args:
        path: the file; None for a database in memory.
        durability: see above.
        patience_s: how long to wait for other processes before giving up, in seconds.

    Attributes:
        settle: called before a read, so that what was buffered is seen by it. In memory also before a write.
        lock: held while this process works with the connection; a fork waits for it.
        forget: called when ids that were read inside a transaction turned out never to be committed.
    """

    def __init__(self, path: Path | None, *, durability: Durability = "normal", patience_s: float = PATIENCE_S) -> None:
        self.path = path
        self.durability = durability
        self.settle: Callable[[], None] = _nothing
        self.forget: Callable[[], None] = _nothing
        self._patience_s = patience_s
        self.lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._closer: Callable[[], object] = _nothing
        self._owner: int | None = None  # the thread that is inside a transaction
        _open.add(self)

    @property
    def exists(self) -> bool:
        """Whether it has been made: a file is made when it is first needed."""
        return self.path is None or self.path.exists()

    @property
    def in_memory(self) -> bool:
        """Whether it ends with this object."""
        return self.path is None

    @contextmanager
    def transaction(self, on_commit: Callable[[], object] = _nothing) -> Iterator[sqlite3.Connection]:
        """A connection that holds the write lock; commits at the end, rolls back on any error. Nested ones join.

        `on_commit` is called if, and only if, the transaction was committed: also when the handler of a signal raises
        at that very moment. It should be a method of a built-in type, which no signal interrupts.

        Raises:
            StoreError: another process holds the lock for longer than `patience_s`, or the disk refuses.
        """
        mine = self._owner == threading.get_ident()
        if self.path is None and not mine:
            self.settle()
        with self.lock:
            if mine:
                yield self._connect()
                on_commit()
                return
            connection = self._connect()
            self._begin(connection)
            self._owner = threading.get_ident()
            committing = False
            try:
                yield connection
                committing = True
                connection.execute("COMMIT")
            except BaseException as error:
                if committing and not connection.in_transaction and not isinstance(error, sqlite3.Error):
                    on_commit()  # it was a signal's handler that raised, after SQLite was done
                else:
                    self._roll_back(connection)
                if isinstance(error, sqlite3.Error):
                    raise self._explained(error) from error
                raise
            else:
                on_commit()
            finally:
                self._owner = None

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query. Sees everything that was written through this object before."""
        if self._owner != threading.get_ident():
            self.settle()
        with self.lock:
            deadline = time.monotonic() + self._patience_s
            while True:
                try:
                    return self._connect().execute(sql, parameters).fetchall()
                except sqlite3.OperationalError as error:
                    self._wait_or_raise(error, deadline)
                except sqlite3.Error as error:
                    raise self._explained(error) from error

    def close(self) -> None:
        """Close the connection. What is asked next opens it again, unless the database is in memory and so gone."""
        with self.lock:
            if self._connection is not None:
                self._connection = None
                self._closer()

    def data_version(self) -> int:
        """A number that changes when another process (or another object in this one) has committed."""
        return self.read("PRAGMA data_version")[0][0]

    def check(self) -> list[str]:
        """What SQLite's integrity check finds wrong; empty if nothing."""
        found = [row[0] for row in self.read("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    # --- opening ------------------------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._connection = self._opened()
            except sqlite3.Error as error:
                raise self._explained(error) from error
            self._closer = weakref.finalize(self, self._connection.close)  # of an object that nobody closes
        return self._connection

    def _opened(self) -> sqlite3.Connection:
        if self.path is None:
            connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            connection.executescript(_SCHEMA.read_text())
            return connection
        if not self.path.exists():
            make(self.path)
        connection = sqlite3.connect(
            _address(self.path), timeout=min(5.0, self._patience_s), isolation_level=None, check_same_thread=False,
            uri=True,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + self._patience_s
            while True:
                try:
                    self._prepare(connection)
                    break
                except sqlite3.OperationalError as error:
                    self._wait_or_raise(error, deadline)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA synchronous={'FULL' if self.durability == 'full' else 'NORMAL'}")
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        version = None
        if "alembic_version" in names:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            version = row[0] if row else None
        if problem := _problem(version, names):
            raise StoreVersionError(f"The store {self.path} {problem}")

    # --- locks and errors ---------------------------------------------------------------------------------------------

    def _begin(self, connection: sqlite3.Connection) -> None:
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                if connection.in_transaction:  # begun, and interrupted by a signal at that very moment
                    self._roll_back(connection)
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                self._wait_or_raise(error, deadline)
            except sqlite3.Error as error:
                raise self._explained(error) from error

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:  # SQLite has rolled back itself where the disk failed
                connection.execute("ROLLBACK")
        finally:
            self.forget()

    def _wait_or_raise(self, error: sqlite3.OperationalError, deadline: float) -> None:
        busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        if not busy or time.monotonic() > deadline:
            raise self._explained(error) from error
        time.sleep(random.uniform(0.0005, 0.005))

    def _explained(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        where = self.path or "in memory"
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreError(
                f"Another process has been writing to the store {where} for more than {self._patience_s:g} s. "
                "Look for a process that hangs (lsof shows who has the file open), then try again."
            )
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return StoreError(
                f"The file {where} is damaged or is no SQLite database ({error}). Move it aside together with its -wal "
                "and -shm files and restore a backup, or start anew. `sqlite3 FILE .recover` may save its rows."
            )
        if code == sqlite3.SQLITE_FULL:
            return StoreError(f"The disk that holds the store {where} is full. Make room, then try again.")
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return StoreError(
                f"The store {where} cannot be opened for writing ({error}). Check that its folder exists and that this "
                "user may write the folder and every file in it."
            )
        return StoreError(f"SQLite refuses to work with the store {where}: {error}.")


def _address(path: Path) -> str:
    """Where SQLite finds the file. One that this process may not write is opened to be read.

    Without a log beside it (another process works with it, or was killed) nobody writes it: SQLite needs no files then.
    """
    may_write = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    log = path.with_name(f"{path.name}-wal")
    how = "mode=rw" if may_write else "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    return f"{path.absolute().as_uri()}?{how}"


def _problem(version: str | None, names: set[str]) -> str | None:
    missing = TABLES - names
    if version is None:
        if not names:
            return "is an empty file. Remove it, and a fresh store is made in its place."
        return "does not say which version it has: a migration did not end, or it is no store. Restore a backup."
    if version > HEAD:
        return f"was written by a newer Treadle (its revision is {version}, this one knows {HEAD}). Upgrade Treadle."
    if version < HEAD:
        return f"was written by an older Treadle (revision {version}, needed {HEAD}). Run `treadle instance migrate`."
    if missing:
        return f"lacks the table{'s' if len(missing) > 1 else ''} {', '.join(sorted(missing))}. Restore a backup."
    return None


def make(path: Path) -> None:
    """Make a fresh store at `path`, unless another process is faster.

    Raises:
        StoreError: the folder cannot be written, or is on a network disk, where SQLite's locks do not hold.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_network_disk(path.parent)
        with file_lock(path.with_name(path.name + ".lock")):
            if path.exists():
                return
            fresh = path.with_name(path.name + ".new")
            fresh.unlink(missing_ok=True)  # of a process that died here
            connection = sqlite3.connect(fresh, isolation_level=None)
            try:
                connection.execute("PRAGMA synchronous=OFF")  # synced once, below
                connection.execute("PRAGMA journal_mode=OFF")
                connection.executescript(f"BEGIN;{_SCHEMA.read_text()}COMMIT;")
                connection.execute("PRAGMA journal_mode=WAL")
            finally:
                connection.close()
            descriptor = os.open(fresh, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            fresh.rename(path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"A store cannot be made at {path}: {error}. Check that this user may write there, or set TREADLE_HOME to "
            "another folder."
        ) from error


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; waits for its holder. The kernel frees it when a process dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def refuse_network_disk(folder: Path, mounts: str | None = None) -> None:
    """Raise `StoreError` if `folder` is on a network file system: SQLite loses data there.

    `mounts` is the text of a mount table as in /proc/self/mounts; by default this machine's, if it has one.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text()
        except OSError:
            return
    target = str(folder.resolve())
    best, kind = "", ""
    for line in mounts.splitlines():
        point, file_system = line.split(" ")[1:3]
        point = point.replace("\\040", " ")
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, file_system
    if _NETWORK.match(kind):
        raise StoreError(
            f"{folder} is on a network disk ({kind} at {best}), where SQLite loses data. Set TREADLE_HOME to a folder "
            "on a local disk, or use PostgreSQL."
        )


# --- forks ------------------------------------------------------------------------------------------------------------


_held: list[Database] = []


def _before_fork() -> None:
    for database in list(_open):
        database.lock.acquire()
        _held.append(database)
        if database.path is not None and database._owner is None:
            database.close()


def _after_fork() -> None:
    while _held:
        _held.pop().lock.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
