"""Leases: one owner at a time, and old owners are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.errors import FencedError
from treadle.state.events import EngineEvent, EventLogEntry
from treadle.state.runs import Run
from treadle.store.store import FILE, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / FILE, lambda: tmp_path)
    yield made
    made.close()


def test_only_one_owner_at_a_time(store: Store) -> None:
    first = store.leases.take("run", "one", 60)
    assert first is not None
    assert store.leases.take("run", "two", 60) is None
    assert store.leases.take("other", "two", 60) is not None
    store.leases.release(first)
    second = store.leases.take("run", "two", 60)
    assert second is not None
    assert second.token > first.token


def test_a_lease_whose_owner_was_seen_dead_can_be_taken_by_one_who_saw_it(store: Store) -> None:
    first = store.leases.take("run", "one", 60)
    second = store.leases.take("run", "two", 60, dead=first)
    assert second is not None
    assert store.leases.take("run", "three", 60, dead=first) is None


def test_an_owner_that_renewed_its_lease_is_not_taken_for_dead_or_stuck(store: Store) -> None:
    seen = store.leases.take("run", "one", -1)
    assert seen is not None
    assert store.leases.renew(seen, 60)
    assert store.leases.take("run", "two", 60, dead=seen) is None
    assert not store.leases.revoke(seen)
    now = store.leases.get("run")
    assert now is not None
    assert store.leases.revoke(now)
    assert not store.leases.renew(now, 60)


def test_a_lease_that_has_run_out_can_be_taken_and_its_owner_notices(store: Store) -> None:
    first = store.leases.take("run", "one", -1)
    assert first is not None
    assert store.leases.renew(first, -1)  # nobody has taken it yet
    second = store.leases.take("run", "two", 60)
    assert second is not None
    assert not store.leases.renew(first, 60)
    store.leases.release(first)  # it is not its to release
    assert store.leases.take("run", "three", 60) is None
    assert store.leases.get("run") == second


def test_events_of_an_owner_that_was_replaced_are_refused_whole(store: Store) -> None:
    run = Run(job_name="j")
    store.add_run(run)
    first = store.leases.take(run.run_id, "one", -1)
    sink = store.sink(first)
    sink.write(EventLogEntry(run.run_id, 1.0, EngineEvent("kept")))
    sink.commit()
    second = store.leases.take(run.run_id, "two", 60)
    for number in range(3):
        sink.write(EventLogEntry(run.run_id, 2.0, EngineEvent(f"late {number}")))
    with pytest.raises(FencedError, match="one no longer owns"):
        sink.commit()
    successor = store.sink(second)
    successor.write(EventLogEntry(run.run_id, 3.0, EngineEvent("new")))
    successor.commit()
    assert [record.event_log_entry.message for record in Store(store.database.path, lambda: Path()).events.of_run(
        run.run_id)] == ["kept", "new"]  # fmt: skip
