"""Several processes on one home: creation, contention, and death at any moment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from treadle.core.keys import AssetKey
from treadle.store.database import Database
from treadle.store.store import Store

WRITER = """
import sys, time
from pathlib import Path
from treadle.state.events import AssetMaterialized, EventLogEntry, LogMessage
from treadle.state.facts import AssetMaterialization
from treadle.state.runs import Run
from treadle.store.store import Store

home, name, batches, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sys.stdin.read(1)  # all begin together
store = Store(home / "treadle.db", lambda: home)
store.add_run(Run(job_name="job", run_id=name))
sink = store.sink()
batch = 0
while batch != batches:
    for number in range(size - 1):
        sink.write(EventLogEntry(name, float(batch), LogMessage(str(number))))
    partition = f"{name}-{batch}"
    sink.write(EventLogEntry(name, float(batch), AssetMaterialized(AssetMaterialization("a", partition=partition))))
    sink.commit()
    batch += 1
    print(batch, flush=True)
"""


def start(home: Path, name: str, batches: int, size: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home), name, str(batches), str(size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )


def hammer(home: Path, processes: int, batches: int) -> None:
    running = [start(home, f"p{number}", batches, 8) for number in range(processes)]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("!")
        process.stdin.flush()
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
    store = Store(home / "treadle.db", lambda: home)
    assert store.database.check() == []
    assert store.runs.count() == processes
    for number in range(processes):
        assert len(store.events.of_run(f"p{number}")) == batches * 8
    assert len(store.assets.materialized_partitions(AssetKey("a"))) == processes * batches
    store.close()


def kill(home: Path, name: str, after: int) -> None:
    size = 40
    process = start(home, name, -1, size)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("!")
    process.stdin.flush()
    said = 0
    while said < after:
        said = int(process.stdout.readline())
    process.kill()
    said = max([said, *(int(line) for line in process.stdout.read().splitlines())])
    process.wait()
    process.stdin.close()
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()
    store = Store(home / "treadle.db", lambda: home)
    assert store.database.check() == []
    found = len(store.events.of_run(name))
    assert found % size == 0, "a part of a transaction"
    assert found // size in (said, said + 1), "what was reported as committed is there"
    made = {key for key in store.assets.materialized_partitions(AssetKey("a")) if key.startswith(f"{name}-")}
    assert len(made) == found // size
    store.close()


def test_processes_race_for_a_fresh_home(tmp_path: Path) -> None:
    hammer(tmp_path / "home", processes=4, batches=25)


def test_a_killed_writer_leaves_whole_transactions(tmp_path: Path) -> None:
    for after in (1, 20):
        kill(tmp_path, f"after{after}", after)


@pytest.mark.chaos
def test_many_processes_race(tmp_path: Path) -> None:
    for attempt in range(10):
        hammer(tmp_path / str(attempt), processes=10, batches=60)


@pytest.mark.chaos
def test_a_writer_killed_again_and_again(tmp_path: Path) -> None:
    for after in range(1, 60):
        kill(tmp_path, f"after{after}", after)


def test_a_reader_sees_every_event_in_order_while_others_write(tmp_path: Path) -> None:
    writers = [start(tmp_path, f"w{number}", 30, 4) for number in range(2)]
    Database(tmp_path / "treadle.db").check()
    for process in writers:
        assert process.stdin is not None
        process.stdin.write("!")
        process.stdin.flush()
    store, seen, cursor = Store(tmp_path / "treadle.db", lambda: tmp_path), 0, 0
    while seen < 2 * 30 * 4:
        records = store.events.find(after=cursor, ascending=True, limit=7)
        seen += len(records)
        cursor = records[-1].storage_id if records else cursor
    for process in writers:
        assert process.communicate(timeout=60)[1] == ""
    assert [record.storage_id for record in store.events.find(ascending=True)] == list(range(1, seen + 1))
    store.close()
