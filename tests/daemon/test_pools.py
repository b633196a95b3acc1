"""Slots of pools through real processes: never one too many, and none that is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.daemon.test_service import MARK, Served, is_alive, parent_of, shared

from treadle.core import tags
from treadle.host.launching import cancel_run
from treadle.state.runs import RunStatus

CODE = (
    MARK
    + """
import os, time
from treadle import Definitions, in_process_executor, job, op

@op(pool="db")
def query():
    mark("begins")
    time.sleep(0.05)
    mark("ends")

@op
def free(): mark("free")

@op(pool="db")
def slow():
    mark("slow")
    while True:
        time.sleep(60)

@job
def queries_job():
    for number in range(3):
        query.alias(f"query_{number}")()

@job(executor_def=in_process_executor)
def inside_job():
    for number in range(2):
        query.alias(f"query_{number}")()

@job
def slow_job(): slow()

@job
def slows_job():
    for number in range(2):
        slow.alias(f"slow_{number}")()

@op(pool="db", tags={"dagster/priority": "5"})
def urgent(before): mark("urgent")

@op(pool="db")
def later(context, before): mark(f"later_{context.run.tags.get('name')}")

@job
def ordered_job():
    first = free()
    later(first)
    urgent(first)

@job
def both_job():
    query()
    free()

defs = Definitions(jobs=[queries_job, inside_job, slow_job, slows_job, both_job, ordered_job])
"""
)


served = shared(CODE)


@pytest.fixture(autouse=True)
def limit(served: Served) -> None:
    served.witness.write_text("")
    served.instance.store.pools.set_limit("db", 2)


def most_at_once(served: Served) -> int:
    at_once = most = 0
    for line in served.witness.read_text().splitlines():
        at_once += 1 if line.startswith("begins") else -1
        most = max(most, at_once)
    return most


def holders(served: Served) -> list[tuple[str, str]]:
    return [holder for pool in served.instance.store.pools.all() for holder in pool.holders]


def test_the_limit_holds_across_runs_and_executors(served: Served) -> None:
    runs = [served.launch(job) for job in ("queries", "inside", "queries", "inside")]
    assert all(served.ended(run).is_success for run in runs)
    assert len(served.marks("begins")) == 10
    assert most_at_once(served) == 2
    assert not holders(served)


def test_what_waits_for_a_slot_holds_back_nothing_else(served: Served) -> None:
    served.instance.store.pools.set_limit("db", 0)
    run = served.launch("both")
    served.until(lambda: served.marks("free"))
    assert not served.marks("begins")
    code = "from treadle.cli.main import main; main()"
    env = {**os.environ, "TREADLE_HOME": str(served.home)}
    subprocess.run([sys.executable, "-c", code, "pool", "set", "db", "1"], env=env, check=True, capture_output=True)
    assert served.ended(run).is_success


def test_a_slot_is_asked_for_only_by_a_step_that_could_begin(served: Served) -> None:
    greedy = served.launch("slows", {"execution": {"config": {"multiprocess": {"max_concurrent": 1}}}})
    served.until(lambda: served.marks("slow"))
    assert served.ended(served.launch("queries")).is_success
    assert {run_id for run_id, _ in holders(served)} == {greedy.run_id}
    cancel_run(served.instance, greedy.run_id)
    assert served.ended(greedy).status is RunStatus.CANCELED


def test_a_run_that_waits_for_a_slot_can_be_canceled(served: Served) -> None:
    served.instance.store.pools.set_limit("db", 0)
    run = served.launch("both")
    served.until(lambda: served.marks("free"))
    cancel_run(served.instance, run.run_id)
    assert served.ended(run).status is RunStatus.CANCELED


@pytest.mark.parametrize("whom", ["step", "run", "supervisor"])
def test_whoever_is_killed_no_slot_is_lost(served: Served, whom: str) -> None:
    served.instance.store.pools.set_limit("db", 1)
    run, step = served.under_way("slow")
    assert holders(served) == [(run.run_id, "slow")]
    waiting = served.launch("queries")
    os.kill({"step": step, "run": parent_of(step), "supervisor": served.supervisor(run)}[whom], signal.SIGKILL)
    assert served.ended(run).status is RunStatus.FAILURE
    assert served.ended(waiting).is_success
    assert not is_alive(step)
    assert not holders(served)


def test_slots_go_by_the_priority_of_the_run_and_the_step_together(served: Served) -> None:
    served.instance.store.pools.set_limit("db", 0)
    given: list[dict[str, Any]] = [{"name": "a", tags.PRIORITY: "0"}, {"name": "b", tags.PRIORITY: "7"}]
    runs = [served.launch("ordered", **one) for one in given]
    served.until(lambda: sum(len(pool.waiting) for pool in served.instance.get_pools()) == 4)
    served.instance.set_pool_limit("db", 1)
    assert all(served.ended(run).is_success for run in runs)
    marks = [line.split()[0] for line in served.witness.read_text().splitlines()]
    assert [one for one in marks if one != "free"] == ["urgent", "later_b", "urgent", "later_a"]


def test_whole_runs_hold_slots_if_the_settings_say_so(tmp_path: Path) -> None:
    served = Served(tmp_path, code=CODE, settings="concurrency: {pools: {granularity: run, default_limit: 1}}\n")
    runs = [served.launch(job) for job in ("queries", "inside", "both", "queries")]
    assert all(served.ended(run).is_success for run in runs)
    records = served.instance.get_run_records(order_by="start_time", ascending=True)
    for one, following in pairwise(records):
        assert one.end_time is not None
        assert following.start_time is not None
        assert one.end_time <= following.start_time
    served.close()
