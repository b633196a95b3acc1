"""What waits in the queue, for how long and why; and runs of other processes beside it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.daemon.test_service import MARK, PATIENCE_S, Served, shared

from treadle.core import tags
from treadle.daemon import runs
from treadle.host.instance import Instance
from treadle.host.launching import cancel_run
from treadle.host.nudge import Listener
from treadle.state.events import EventType
from treadle.state.runs import Run, RunsFilter, RunStatus

CODE = (
    MARK
    + """
import os, time
from treadle import AssetSelection, DailyPartitionsDefinition, Definitions, asset, define_asset_job, job, op

def may_end():
    while "may end" not in open(os.environ["WITNESS"]).read():
        time.sleep(0.01)

@op
def short():
    mark("begins")
    time.sleep(0.02)
    mark("ends")

@op(pool="db")
def hold():
    print("working")
    mark("hold")
    may_end()
    print("done")

@op
def chatty():
    for number in range(100_000):
        print(number)

@op
def before(): pass

@op(pool="db")
def after(before): mark("after")

@op
def vanish():
    mark("vanish")
    os._exit(3)

@job
def short_job(): short()

@job
def hold_job(): hold()

@job
def chatty_job(): chatty()

@job
def free_job(): after(before())

@job
def vanish_job(): vanish()

@asset(partitions_def=DailyPartitionsDefinition("2024-01-01"))
def daily(): mark("daily")

daily_job = define_asset_job("daily_job", AssetSelection.all())

defs = Definitions([daily], jobs=[short_job, hold_job, chatty_job, free_job, vanish_job, daily_job])
"""
)


served = shared(CODE)


@pytest.fixture(autouse=True)
def nothing_before(served: Served) -> None:
    served.witness.write_text("")
    served.instance.set_pool_limit("db", 1)


def command(served: Served, *args: str) -> subprocess.Popen[str]:
    """A command of `treadle` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "from treadle.cli.main import main; main()", *args], cwd=served.folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "TREADLE_HOME": str(served.home), "WITNESS": str(served.witness)},
    )  # fmt: skip


def said(process: subprocess.Popen[str]) -> str:
    """What a command prints, once it has ended well."""
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    return out


def reasons(served: Served) -> dict[str, str]:
    """Why runs wait, as another process tells."""
    return {
        one["run_id"]: one["reason"] for one in json.loads(said(command(served, "queue", "list", "--json")))["runs"]
    }


def let_end(served: Served) -> None:
    with served.witness.open("a") as file:
        file.write("may end 0\n")


def in_process(served: Served, job: str) -> tuple[subprocess.Popen[str], Run]:
    """A run that another process executes itself, in the middle of its work."""
    process = command(served, "job", "execute", "-f", "defs.py", "-j", f"{job}_job")
    served.until(lambda: served.marks(job))
    [run] = served.instance.get_runs(RunsFilter(job_name=f"{job}_job"), limit=1)
    return process, run


def test_a_queue_that_was_paused_lets_all_runs_go_in_order_and_never_too_many(served: Served) -> None:
    said(command(served, "queue", "pause"))
    given: list[dict[str, Any]] = [{tags.PRIORITY: str(number % 3)} for number in range(200)]
    submitted = [served.launch("short", **one) for one in given]
    assert not served.marks("begins")
    assert all("paused" in why for _, why in runs.waiting_runs(served.instance))
    said(command(served, "queue", "resume"))
    served.until(lambda: len(served.marks("ends")) == 200)
    assert all(served.ended(run).is_success for run in submitted)
    at_once = most = 0
    for line in served.witness.read_text().splitlines():
        at_once += 1 if line.startswith("begins") else -1
        most = max(most, at_once)
    assert 1 < most <= 10
    started: list[tuple[int, str]] = []
    for run in submitted:
        page = served.instance.get_records_for_run(run.run_id, of_type=EventType.RUN_STARTING)
        started += [(record.storage_id, run.run_id) for record in page.records]
    expected = sorted(range(200), key=lambda number: -(number % 3))
    assert [run_id for _, run_id in sorted(started)] == [submitted[number].run_id for number in expected]


def test_a_run_that_could_only_wait_for_a_slot_stays_queued_and_says_so(served: Served) -> None:
    first = served.launch("hold")
    served.until(lambda: served.marks("hold"))
    second, third = served.launch("hold"), served.launch("free")  # the latter can begin
    served.until(lambda: served.run(third).status is RunStatus.STARTED)
    why = reasons(served)[second.run_id]
    assert "pool 'db' has a limit of 1, and 2 hold a slot or wait for one" in why
    assert served.run(second).status is RunStatus.QUEUED
    let_end(served)
    assert all(served.ended(run).is_success for run in (first, second, third))


def test_a_run_of_another_process_goes_on_beside_the_daemon_and_holds_its_slot(served: Served) -> None:
    process, run = in_process(served, "hold")
    waiting = served.launch("hold")
    assert served.ended(served.launch("short")).is_success  # the daemon has looked at everything
    assert served.run(run).status is RunStatus.STARTED
    assert served.run(waiting).status is RunStatus.QUEUED
    let_end(served)
    said(process)
    assert served.run(run).is_success
    assert served.ended(waiting).is_success
    assert len(served.marks("hold")) == 2


def test_a_run_of_another_process_waits_for_its_slot(served: Served) -> None:
    first = served.launch("hold")
    served.until(lambda: served.marks("hold"))
    process = command(served, "job", "execute", "-f", "defs.py", "-j", "hold_job")
    served.until(lambda: any(pool.waiting for pool in served.instance.get_pools()))
    assert len(served.marks("hold")) == 1
    let_end(served)
    said(process)
    assert served.ended(first).is_success


def test_a_run_of_another_process_can_be_canceled(served: Served) -> None:
    process, run = in_process(served, "hold")
    assert cancel_run(served.instance, run.run_id)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert served.run(run).status is RunStatus.CANCELED
    assert not [pool.holders for pool in served.instance.get_pools() if pool.holders]


def test_a_run_whose_process_vanished_is_ended_by_the_daemon(served: Served) -> None:
    process, run = in_process(served, "vanish")
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 3
    ended = served.ended(run)
    assert (ended.status, ended.tags[tags.FAILURE_REASON]) == (RunStatus.FAILURE, "UNEXPECTED_TERMINATION")
    [failed] = served.instance.all_logs(run.run_id, of_type={EventType.RUN_FAILURE})
    assert "or the process that executed it" in str(failed.error_info)


def test_a_failed_run_is_run_again_when_somebody_asks_for_it(served: Served) -> None:
    run = served.ended(served.launch("vanish"))
    again = said(command(served, "run", "retry", run.run_id, "--all-steps")).strip()
    found = served.ended(Run(job_name="vanish_job", run_id=again))
    assert (found.parent_run_id, found.root_run_id, found.status) == (run.run_id, run.run_id, RunStatus.FAILURE)
    assert len(served.marks("vanish")) == 2
    refused = command(served, "run", "retry", served.ended(served.launch("short")).run_id, "--from-failure")
    assert "no failure to continue from" in refused.communicate(timeout=PATIENCE_S)[1]
    assert refused.returncode == 2


def test_a_launch_for_a_partition_that_is_not_there_is_refused(served: Served) -> None:
    for options, told in (
        (["--partition", "2020-01-01"], "There is no partition '2020-01-01'"),
        ([], "it needs a partition: --partition KEY, for example"),
    ):
        refused = command(served, "run", "launch", "-j", "daily_job", *options)
        assert told in refused.communicate(timeout=PATIENCE_S)[1]
        assert refused.returncode == 2
    refused = command(served, "run", "launch", "-j", "short_job", "--partition", "x")
    assert "has no partitions" in refused.communicate(timeout=PATIENCE_S)[1]
    said(command(served, "run", "launch", "-j", "daily_job", "--partition", "2024-01-02", "--wait"))
    assert served.marks("daily")


def test_logs_of_a_run_can_be_followed_while_it_runs(served: Served) -> None:
    run = served.launch("hold")
    served.until(lambda: served.marks("hold"))
    for options in ([], ["--step", "hold"]):
        printing = command(served, "run", "logs", run.run_id, "-f", *options)
        assert printing.stdout is not None
        assert printing.stdout.readline() == "working\n"
        if options:
            let_end(served)
            assert said(printing) == "done\n"
        else:
            printing.kill()
            printing.communicate()
    assert served.ended(run).is_success


def test_large_output_is_printed_whole(served: Served) -> None:
    run = served.ended(served.launch("chatty"))
    for options in ([], ["-f", "--step", "chatty"]):
        assert said(command(served, "run", "logs", run.run_id, *options)).split() == [
            str(one) for one in range(100_000)
        ]


def test_the_slot_of_a_process_that_was_killed_is_free_without_a_daemon_too(tmp_path: Path) -> None:
    home, witness = tmp_path / "home", tmp_path / "witness"
    witness.touch()
    (tmp_path / "defs.py").write_text(CODE)
    call = [sys.executable, "-c", "from treadle.cli.main import main; main()", "job", "execute", "-f", "defs.py"]
    env = {**os.environ, "TREADLE_HOME": str(home), "WITNESS": str(witness)}
    with Instance.get(home) as instance, closing(Listener(home, "pools")) as listener:
        instance.set_pool_limit("db", 1)
        first = subprocess.Popen([*call, "-j", "hold_job"], cwd=tmp_path, env=env, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
        while "hold" not in witness.read_text():
            assert time.monotonic() < deadline
            select.select([listener], [], [], 0.01)
        [run_id] = instance.get_run_ids()
        first.kill()
        first.wait(PATIENCE_S)
        subprocess.run([*call, "-j", "free_job"], cwd=tmp_path, env=env, timeout=PATIENCE_S, check=True)
        found = instance.get_run_by_id(run_id)
        assert found is not None
        assert found.status is RunStatus.STARTED  # until a daemon looks at it
