"""A store in a file, and events to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from treadle.state.events import Event, EventLogEntry
from treadle.state.runs import Run
from treadle.store.store import FILE, Store

Open = Callable[[], Store]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Open]:
    """Opens the same home again and again, as other processes would."""
    opened: list[Store] = []

    def open_it() -> Store:
        opened.append(Store(tmp_path / FILE, lambda: tmp_path / "storage", patience_s=5))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Open) -> Store:
    """A store that has the run "r"."""
    store = open_store()
    store.add_run(Run(job_name="job", run_id="r"))
    return store


@pytest.fixture
def entry() -> Callable[..., EventLogEntry]:
    """Makes log entries of the run "r"."""

    def make(event: Event, run_id: str = "r", timestamp: float = 1.0) -> EventLogEntry:
        return EventLogEntry(run_id, timestamp, event)

    return make
