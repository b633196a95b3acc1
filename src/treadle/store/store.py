"""The store of one home: its database, one object a table or two, and the captured logs."""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import cast

from treadle.errors import InvocationError
from treadle.state.events import Event, EventLogEntry
from treadle.state.runs import Run, RunStatus
from treadle.store.assets import Assets
from treadle.store.cursors import Cursors
from treadle.store.database import PATIENCE_S, Database, Durability
from treadle.store.dynamic import DynamicPartitions
from treadle.store.events import EventLog, UnstorableEventError
from treadle.store.facts import FactReader
from treadle.store.leases import Lease, Leases
from treadle.store.locations import Locations
from treadle.store.logs import LogStore
from treadle.store.names import Names
from treadle.store.partitions import PartitionSets
from treadle.store.pools import Pools
from treadle.store.runs import Runs
from treadle.store.writer import EventWriter, Sink

FILE = "treadle.db"


class Store:
    """Everything that is remembered.

    Args:
        path: the database file; None for a store in memory, which ends with this object.
        logs: gives the folder of captured logs when one is needed.
        durability: "normal": a commit survives the death of any process; "full": a power cut as well.
        patience_s: how long to wait for other writers before giving up, in seconds.

    Attributes:
        database, runs, events, assets, partitions, facts, dynamic, cursors, leases, pools, locations,
            logs: its parts.
    """

    def __init__(
        self,
        path: Path | None,
        logs: Callable[[], Path],
        *,
        durability: Durability = "normal",
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.database = Database(path, durability=durability, patience_s=patience_s)
        self.names = Names(self.database)
        self.runs = Runs(self.database, self.names)
        self.partitions = PartitionSets(self.database, self.names)
        self.assets = Assets(self.database, self.names, self.partitions)
        self.events = EventLog(self.database, self.names, self.runs, self.assets)
        self.facts = FactReader(self.database, self.names)
        self.dynamic = DynamicPartitions(self.database)
        self.cursors = Cursors(self.database)
        self.leases = Leases(self.database)
        self.pools = Pools(self.database)
        self.locations = Locations(self.database)
        self.logs = LogStore(logs)
        self._writers: weakref.WeakSet[EventWriter] = weakref.WeakSet()
        self._backlog = Backlog(self) if path is None else None
        self.database.settle = self._backlog.flush if self._backlog is not None else self._commit_writers
        self.database.forget = self.names.forget

    def sink(self, lease: Lease | None = None) -> Sink:
        """A new writer of events. Reads through this store see what it has been given, committed or not.

        With a lease, its commits raise `FencedError` once the lease has another owner.
        """
        if self._backlog is not None:
            return self._backlog
        writer = EventWriter(self.events, lease)
        self._writers.add(writer)
        return writer

    def add_run(self, run: Run, *, launch_key: str | None = None) -> bool:
        """As `runs.add`; in memory it is only noted down until somebody reads."""
        if self._backlog is not None and launch_key is None:
            self._backlog.add_run(run)
            return True
        return self.runs.add(run, launch_key=launch_key)

    def transition(self, run_id: str, before: Collection[RunStatus], events: Sequence[Event]) -> bool:
        """Record what happens to a run if its status is one of `before`; whether it was."""
        now = time.time()
        self.database.settle()
        with self.database.transaction() as connection:
            if self.runs.status(connection, run_id) not in before:
                return False
            self.events.insert(connection, [EventLogEntry(run_id, now, event) for event in events])
        return True

    def delete_run(self, run_id: str) -> None:
        """Remove a run, its events and its logs, if there is such a run. What is known of assets stays."""
        number = self.names.find_run(run_id)
        if number is None:
            return
        self.database.settle()
        with self.database.transaction() as connection:
            self.assets.close_run(connection, number, RunStatus.CANCELED, self.events.last_number())
            self.events.delete_run(connection, number)
            self.runs.delete(connection, number)
            self.leases.delete(connection, run_id)
        self.pools.free(run_id)
        self.logs.delete((run_id,))

    def wipe(self) -> None:
        """Remove all runs, events, dynamic partitions, and what is known of assets. Names keep their numbers."""
        self.database.settle()
        with self.database.transaction() as connection:
            self.events.wipe(connection)
            self.assets.wipe_all(connection)
            self.runs.delete_all(connection)
            self.dynamic.delete_all(connection)
        self.names.forget()

    def close(self) -> None:
        """Commit what waits, and let go of the file."""
        for writer in list(self._writers):
            writer.close()
        self.database.close()

    def _commit_writers(self) -> None:
        for writer in list(self._writers):
            if writer.waiting:
                writer.commit()


class Backlog:
    """The `Sink` of a store in memory: notes down runs and events, and stores them only when somebody reads."""

    def __init__(self, store: Store) -> None:
        self._runs, self._log, self._database = store.runs, store.events, store.database
        self._noted: deque[EventLogEntry | tuple[Run, float]] = deque()
        self._run_ids: set[str] = set()  # of the runs among them
        self._flushed = False

    def add_run(self, run: Run) -> None:
        """Note down a new run.

        Raises:
            InvocationError: a run with this id exists.
        """
        if run.run_id in self._run_ids or (self._flushed and self._runs.has(run.run_id)):
            raise InvocationError(f"A run with the id {run.run_id!r} exists already. Give the new one its own id.")
        self._run_ids.add(run.run_id)
        self._noted.append((run, time.time()))

    def write(self, entry: EventLogEntry) -> None:
        """Note down an event."""
        self._noted.append(entry)

    def commit(self) -> None:
        """Nothing: whoever reads, flushes."""

    def close(self) -> None:
        """Nothing, as for `commit`."""

    def flush(self) -> None:
        """Store what was noted down.

        Raises:
            UnstorableEventError: one event could not be stored and was dropped; the others were stored.
        """
        noted = self._noted
        if not noted:
            return
        dropped: UnstorableEventError | None = None
        with self._database.lock:
            items = [noted.popleft() for _ in range(len(noted))]
            if not items:
                return
            self._flushed = True
            self._run_ids.clear()
            with self._database.transaction() as connection:
                for is_event, group in groupby(items, lambda item: isinstance(item, EventLogEntry)):
                    if not is_event:
                        for run, created in cast("Iterable[tuple[Run, float]]", group):
                            self._runs.insert(connection, run, None, created)
                        continue
                    events = cast("list[EventLogEntry]", list(group))
                    while events:
                        try:
                            self._log.insert(connection, events)
                            break
                        except UnstorableEventError as error:
                            dropped = error
                            del events[error.place]
        if dropped is not None:
            raise dropped
