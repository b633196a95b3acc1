"""Disks that are full, as small file systems of their own: under the captured logs, and under the store itself.

Where the user may not mount, the tests run again in a namespace in which they may.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.daemon.test_service import MARK, Served

from treadle.errors import StoreError
from treadle.host.instance import Instance
from treadle.state.captured import spans
from treadle.state.events import EngineEvent, EventType
from treadle.state.runs import Run

CODE = (
    MARK
    + """
import os, subprocess, sys, time
from treadle import Definitions, job, op

@op(pool="db")
def floods(context):
    mark(f"begins={context.run_id}")
    print("first words")
    for number in range(30_000):
        print(f"line {number} of so many, so that they fill a disk")
        if number % 1_000 == 0:
            print("and a word of warning", file=sys.stderr)
    sys.stdout.flush()
    subprocess.run(["sh", "-c", "echo from a child; echo and to stderr >&2"], check=True)

@op(pool="db")
def says(context):
    mark(f"begins={context.run_id}")
    print("first words")

@op(pool="db", out={})
def logs(context):
    mark(f"begins={context.run_id}")
    while not os.path.exists(os.environ["WITNESS"] + ".full"):
        time.sleep(0.01)
    for number in range(500):
        context.log.info(f"line {number} " + "x" * 1000)
    mark(f"logged={context.run_id}")

@job
def logs_job(): logs()

@job
def floods_job():
    for number in range(2):
        floods.alias(f"floods_{number}")()

@job
def says_job(): says()

defs = Definitions(jobs=[floods_job, says_job, logs_job])
"""
)
ENDS = {EventType.RUN_SUCCESS, EventType.RUN_FAILURE, EventType.RUN_CANCELED}

INSIDE = {"execution": {"config": {"in_process": {}}}}
CONFIGS = [pytest.param(None, id="own"), pytest.param(INSIDE, id="inside", marks=pytest.mark.chaos)]


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of 1 MiB, or what the parameter says."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no `mount` here")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={getattr(request, 'param', '1m')}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"this user may not mount: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def filled(folder: Path) -> Path:
    """A file that takes what is left of a disk."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(b"x" * 4096)
        except OSError:
            return file


def confine_logs(tmp_path: Path, disk: Path) -> None:
    """Have a home in `tmp_path` keep its captured logs on that disk."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "treadle.yaml").write_text(
        f"compute_logs:\n  module: dagster\n  class: LocalComputeLogManager\n  config: {{base_dir: {disk}}}\n"
    )


def pause(served: Served, seconds: float) -> None:
    due = time.monotonic() + seconds
    served.until(lambda: time.monotonic() >= due)


def exhaust(instance: Instance) -> None:
    """Write to the store until there is no room, also in the pages that it has."""
    while True:
        instance.create_run(job_name="says_job", tags={"x": "y" * 1000})


def printed(instance: Instance, run: Run, step: str) -> bytes:
    parts = spans(instance.all_logs(run.run_id), step)
    return b"".join(instance.store.logs.read_part(one.log_key, one.start, one.end)[0] for one in parts)


def losses(instance: Instance, run: Run) -> list[str]:
    entries = instance.all_logs(run.run_id, of_type={EventType.ENGINE_EVENT})
    texts = [entry.event.text for entry in entries if isinstance(entry.event, EngineEvent)]
    return [text for text in texts if "Logs are incomplete" in text]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_full_disk_under_the_logs_fails_no_step_and_is_said_once(
    tmp_path: Path, disk: Path, config: dict[str, object] | None
) -> None:
    confine_logs(tmp_path, disk)
    with closing(Served(tmp_path, code=CODE)) as served:
        served.instance.store.pools.set_limit("db", 1)
        run = served.ended(served.launch("floods", config))
        assert run.is_success, served.messages(run)
        assert len(losses(served.instance, run)) == 1
        assert "No space left" in losses(served.instance, run)[0]
        assert b"first words" in printed(served.instance, run, "floods_0")
        flooded = run
        filler = filled(disk)
        run = served.ended(served.launch("says", config))
        assert run.is_success, served.messages(run)
        assert len(losses(served.instance, run)) == 1
        filler.unlink()
        shutil.rmtree(disk / flooded.run_id)
        run = served.ended(served.launch("says", config))
        assert run.is_success
        assert not losses(served.instance, run)
        assert printed(served.instance, run, "says") == b"first words\n"


@pytest.mark.parametrize("disk", ["2m"], indirect=True)
@pytest.mark.parametrize("config", CONFIGS)
def test_a_full_disk_under_the_store_holds_runs_up_until_there_is_room(
    tmp_path: Path, disk: Path, config: dict[str, object] | None
) -> None:
    (tmp_path / "home").symlink_to(disk)
    with closing(Served(tmp_path, code=CODE)) as served:
        served.instance.store.pools.set_limit("db", 1)
        run = served.launch("logs", config)
        served.until(lambda: served.marks(f"begins={run.run_id}"))
        served.until(lambda: served.instance.all_logs(run.run_id, of_type={EventType.STEP_START}))
        filler = filled(disk)
        Path(f"{served.witness}.full").touch()
        with pytest.raises(StoreError, match="is full"):
            exhaust(served.instance)
        served.until(lambda: served.marks(f"logged={run.run_id}"))
        filler.unlink()
        run = served.ended(run)
        entries = served.instance.all_logs(run.run_id)
        lines = [entry.message for entry in entries if entry.event.event_type_value == "LOG_MESSAGE"]
        assert len(lines) == len(set(lines))
        assert sum(entry.event.event_type in ENDS for entry in entries) == 1
        assert run.is_success == (len(lines) == 500)
        assert served.ended(served.launch("says")).is_success
        assert served.instance.store.database.check() == []


@pytest.mark.chaos
def test_disks_that_fill_and_empty_at_random_moments(tmp_path: Path, disk: Path) -> None:
    confine_logs(tmp_path, disk)
    dice = random.Random(1)
    with closing(Served(tmp_path, code=CODE)) as served:
        served.instance.store.pools.set_limit("db", 2)
        for _ in range(25):
            runs = [served.launch("floods"), served.launch("says")]
            while not all(served.run(run).is_finished for run in runs):
                filler = filled(disk)
                pause(served, dice.uniform(0, 0.1))
                filler.unlink()
                pause(served, dice.uniform(0, 0.1))
            for run in runs:
                assert served.run(run).is_success, served.messages(run)
                assert len(losses(served.instance, run)) <= 1
                shutil.rmtree(disk / run.run_id, ignore_errors=True)
            assert len(losses(served.instance, runs[0])) == 1
        last = served.ended(served.launch("says"))
        assert printed(served.instance, last, "says") == b"first words\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="the others may mount as they are")
def test_these_pass_in_a_namespace_where_mounting_is_allowed() -> None:
    may = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    if may.returncode != 0:
        pytest.skip(f"no namespaces for this user: {may.stderr.decode().strip()}")
    command = ["unshare", "-rm", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:]
