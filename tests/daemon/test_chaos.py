"""Kills at random moments: every run ends, no slot is lost, no process is left, and nobody executes a step twice."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.daemon.test_service import Served, is_alive, parent_of

from treadle.runtime import kin
from treadle.state.events import EventType
from treadle.state.runs import Run, RunsFilter

CODE = """
import os, time
from treadle import Definitions, job, op

def mark(text):
    with open(os.environ["WITNESS"], "a") as file:
        file.write(f"{text} {os.getpid()}\\n")

def worker(name):
    @op(name=name, pool="db")
    def work(context):
        mark(f"begins={context.run_id}/{name}")
        time.sleep(0.1)
        mark(f"ends={context.run_id}")
    return work

workers = [worker(f"work_{number}") for number in range(3)]

@job
def works_job():
    for one in workers:
        one()

defs = Definitions(jobs=[works_job])
"""
WHOM = ("step", "run", "keeper", "supervisor", "daemon")
ENDS = {EventType.RUN_SUCCESS, EventType.RUN_FAILURE, EventType.RUN_CANCELED}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path, "daemon run", CODE)
    made.instance.store.pools.set_limit("db", 2)
    yield made
    made.close()


def family(served: Served, run: Run) -> dict[str, int]:
    """The processes of a run that are there now."""
    found: dict[str, int] = {}
    lease = served.instance.store.leases.get(run.run_id)
    if lease is not None and lease.until > 0 and kin.lives(lease.owner):
        found["supervisor"] = kin.pid_of(lease.owner)
    steps = [pid for pid in served.marks(f"begins={run.run_id}") if is_alive(pid)]
    if steps:
        with suppress(OSError):  # it has ended meanwhile
            step, process, keeper = steps[-1], parent_of(steps[-1]), os.getpgid(steps[-1])
            if process != keeper and parent_of(process) == keeper:
                found |= {"step": step, "run": process, "keeper": keeper}
    return found


def kill_someone(served: Served, dice: random.Random, seen: set[int]) -> str | None:
    """Kill a process at random; who it was."""
    whom = dice.choice(WHOM)
    if whom == "daemon":
        below = kin.descendants(served.process.pid)
        seen.update(below)
        served.process.kill()
        served.process.wait()
        assert served.process.stdout is not None
        served.process.stdout.close()
        served.process = served.start("daemon run")
        return whom
    runs = [run for run in served.instance.get_runs(RunsFilter()) if not run.is_finished]
    for run in runs:
        seen.update(processes := [pid for pid in family(served, run).values() if pid > 1])
        found = family(served, run)
        if whom in found and found[whom] in processes and found[whom] != served.process.pid:
            try:
                os.kill(found[whom], signal.SIGKILL)
            except ProcessLookupError:
                return None
            return whom
    return None


def shake(served: Served, kills: int, seed: int) -> Counter[str]:
    """Launch runs and kill until so many were killed; then look at what is left."""
    dice = random.Random(seed)
    killed: Counter[str] = Counter()
    seen: set[int] = set()
    runs: list[Run] = []
    deadline = time.monotonic() + 20 + kills * 2
    while killed.total() < kills:
        assert time.monotonic() < deadline
        while sum(not served.run(run).is_finished for run in runs[-6:]) < 3:
            runs.append(served.launch("works"))
        target = time.monotonic() + dice.uniform(0, 0.1)
        served.until(lambda until=target: time.monotonic() >= until)
        if (whom := kill_someone(served, dice, seen)) is not None:
            killed[whom] += 1
    for run in runs:
        served.ended(run)
        assert len(served.instance.all_logs(run.run_id, of_type=ENDS)) == 1
        steps = served.instance.all_logs(run.run_id, of_type={EventType.STEP_START})
        executed = [
            line.split()[0] for line in served.witness.read_text().splitlines() if f"begins={run.run_id}" in line
        ]
        assert len(executed) == len(set(executed)) <= len(steps)  # one owner, and its start was stored before
    last = served.ended(served.launch("works"))
    assert last.is_success, served.messages(last)
    served.until(lambda: not [holder for pool in served.instance.store.pools.all() for holder in pool.holders])
    mine = {int(line.split()[1]) for line in served.witness.read_text().splitlines()}
    current = {served.process.pid, *kin.descendants(served.process.pid)}
    served.until(lambda: not [pid for pid in (mine | seen) - current if is_alive(pid)])
    return killed


def test_runs_survive_or_end_whoever_is_killed(served: Served) -> None:
    assert shake(served, 8, seed=1).total() == 8


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(5))
def test_at_many_random_moments(served: Served, seed: int) -> None:
    killed = shake(served, 60, seed)
    assert set(killed) == set(WHOM)
