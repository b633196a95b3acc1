"""The writer: buffered, committed at boundaries, and never long out of sight."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
from tests.runtime.test_clock import interrupted_after

from treadle.core.keys import AssetKey
from treadle.errors import StoreError
from treadle.state.events import AssetMaterialized, EventLogEntry, LogMessage, RunStarted
from treadle.state.facts import AssetMaterialization
from treadle.state.runs import Run, RunStatus
from treadle.store import writer as module
from treadle.store.events import UnstorableEventError
from treadle.store.store import Store
from treadle.store.writer import EventWriter

Entry = Callable[..., EventLogEntry]
Open = Callable[[], Store]


def texts(store: Store) -> list[str]:
    return [record.event_log_entry.message for record in store.events.of_run("r")]


def test_a_commit_is_seen_by_others(store: Store, open_store: Open, entry: Entry) -> None:
    other, sink = open_store(), store.sink()
    sink.write(entry(LogMessage("a")))
    sink.write(entry(LogMessage("b")))
    assert texts(other) == []
    sink.commit()
    assert texts(other) == ["a", "b"]
    sink.commit()
    assert texts(other) == ["a", "b"]


def test_its_own_store_sees_what_was_not_committed(store: Store, entry: Entry) -> None:
    store.sink().write(entry(LogMessage("a")))
    assert texts(store) == []  # that writer is gone, and nobody committed
    sink = store.sink()
    sink.write(entry(LogMessage("b")))
    assert texts(store) == ["b"]


def test_a_write_commits_when_one_has_waited(
    store: Store, open_store: Open, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(module, "_monotonic", lambda: now)
    other, sink = open_store(), store.sink()
    sink.write(entry(LogMessage("a")))
    now += module.INLINE_S * 0.9
    sink.write(entry(LogMessage("b")))
    assert texts(other) == []
    now += module.INLINE_S * 0.2
    sink.write(entry(LogMessage("c")))
    assert texts(other) == ["a", "b", "c"]


def test_what_a_sleeping_step_wrote_is_seen_all_the_same(store: Store, open_store: Open, entry: Entry) -> None:
    other, sink = open_store(), store.sink()
    assert isinstance(sink, EventWriter)
    committed = threading.Event()
    append = store.events.append

    def watched(entries: Sequence[EventLogEntry], on_commit: Callable[[], object], lease: object) -> int:
        first = append(entries, on_commit)
        committed.set()
        return first

    store.events.append = watched  # type: ignore[method-assign]
    for text in ("a", "b"):  # twice: the thread falls asleep in between and is woken
        sink.write(entry(LogMessage(text)))
        assert committed.wait(10)
        assert texts(other)[-1] == text
        committed.clear()
    assert sink.waiting == 0


def test_a_failed_commit_loses_nothing(store: Store, entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = store.sink()
    assert isinstance(sink, EventWriter)

    def fail(*_: object) -> int:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(store.events, "append", fail)
        for text in "ab":
            sink.write(entry(LogMessage(text)))
        with pytest.raises(StoreError, match="disk is full"):
            sink.commit()
    sink.write(entry(LogMessage("c")))
    sink.commit()
    assert texts(store) == ["a", "b", "c"]


def test_an_event_that_cannot_be_stored_does_not_hold_up_the_others(store: Store, entry: Entry) -> None:
    sink = store.sink()
    for event in (entry(LogMessage("a")), entry(LogMessage("lost"), run_id="nobody"), entry(LogMessage("b"))):
        sink.write(event)
    with pytest.raises(UnstorableEventError, match="nobody"):
        sink.commit()
    assert texts(store) == ["a", "b"]
    sink.commit()


class Interrupted:
    """A connection during which a signal arrives: its handler raises before or after a statement."""

    def __init__(self, connection: sqlite3.Connection, statement: str, *, after: bool) -> None:
        self._connection, self._statement, self._after = connection, statement, after

    def execute(self, sql: str, *parameters: object) -> object:
        if sql.startswith(self._statement):
            if self._after:
                self._connection.execute(sql, *parameters)
            raise KeyboardInterrupt
        return self._connection.execute(sql, *parameters)

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


@pytest.mark.parametrize("statement", ["BEGIN", "INSERT INTO events", "COMMIT"])
@pytest.mark.parametrize("after", [False, True])
def test_a_signal_in_a_commit_neither_loses_nor_doubles(
    store: Store, entry: Entry, statement: str, after: bool
) -> None:
    sink = store.sink()
    sink.write(entry(LogMessage("a")))
    connection = store.database._connection
    assert connection is not None
    store.database._connection = Interrupted(connection, statement, after=after)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        sink.commit()
    store.database._connection = connection
    sink.write(entry(LogMessage("b")))
    sink.commit()
    assert texts(store) == ["a", "b"]


def test_several_threads_write_to_one_sink(store: Store, entry: Entry) -> None:
    sink = store.sink()

    def write(name: str) -> None:
        for number in range(500):
            sink.write(entry(LogMessage(f"{name}{number}")))
            if number % 50 == 0:
                sink.commit()

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.commit()
    found = texts(store)
    assert len(found) == 1_500
    for name in "abc":
        assert [text for text in found if text[0] == name] == [f"{name}{number}" for number in range(500)]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_leaves_what_waits_to_the_parent(store: Store, entry: Entry) -> None:
    sink = store.sink()
    sink.write(entry(LogMessage("parent")))
    child = os.fork()
    if child == 0:
        try:
            sink.write(entry(LogMessage("child")))
            sink.commit()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    sink.commit()
    assert sorted(texts(store)) == ["child", "parent"]


def test_closing_commits_and_one_thread_serves_all_writers(store: Store, open_store: Open, entry: Entry) -> None:
    other = open_store()
    for text in ("a", "b", "c"):
        sink = store.sink()
        sink.write(entry(LogMessage(text)))
        sink.close()
    assert texts(other) == ["a", "b", "c"]
    assert [thread.name for thread in threading.enumerate()].count("treadle-event-writer") == 1


# --- in memory --------------------------------------------------------------------------------------------------------


def test_who_is_interrupted_while_it_wakes_the_thread_leaves_nothing_locked(store: Store, entry: Entry) -> None:
    sink, others, written = store.sink(), store.sink(), threading.Event()
    assert isinstance(sink, EventWriter)
    sink.write(entry(LogMessage("a")))
    with interrupted_after("acquire", "release", "__enter__"), suppress(KeyboardInterrupt):
        module._watch.add(sink._reference)

    def write() -> None:
        others.write(entry(LogMessage("b")))
        written.set()

    threading.Thread(target=write, daemon=True).start()
    assert written.wait(10.0)
    assert sorted(texts(store)) == ["a", "b"]


def test_in_memory_nothing_is_opened_until_somebody_reads(entry: Entry, tmp_path: object) -> None:
    store = Store(None, lambda: pytest.fail("no logs were asked for"))
    sink = store.sink()
    store.add_run(Run(job_name="job", run_id="r"))
    sink.write(entry(RunStarted("job")))
    sink.write(entry(AssetMaterialized(AssetMaterialization("a"))))
    sink.commit()
    assert store.database._connection is None
    run = store.runs.get("r")
    assert run is not None
    assert run.status is RunStatus.STARTED
    sink.write(entry(LogMessage("later")))
    assert texts(store)[-1] == "later"
    assert store.assets.keys() == [AssetKey("a")]


def test_in_memory_a_write_comes_after_what_was_noted(entry: Entry) -> None:
    store = Store(None, lambda: pytest.fail("no logs were asked for"))
    store.add_run(Run(job_name="job", run_id="r"))
    store.sink().write(entry(LogMessage("a")))
    store.events.append([entry(LogMessage("b"))])
    assert texts(store) == ["a", "b"]
    with pytest.raises(Exception, match="exists already"):
        store.add_run(Run(job_name="job", run_id="r"))


def test_in_memory_an_event_that_cannot_be_stored_does_not_take_the_others_along(entry: Entry) -> None:
    store = Store(None, lambda: pytest.fail("no logs were asked for"))
    store.add_run(Run(job_name="job", run_id="r"))
    sink = store.sink()
    for event in (entry(LogMessage("a")), entry(LogMessage("lost"), run_id="nobody"), entry(LogMessage("b"))):
        sink.write(event)
    with pytest.raises(UnstorableEventError, match="nobody"):
        store.runs.get("r")
    assert texts(store) == ["a", "b"]
