"""How launched runs execute their steps: in one process or in several, as executor and run config say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.daemon.test_service import MARK, Served, shared

from treadle.host.launching import cancel_run
from treadle.state.captured import spans
from treadle.state.events import EventType
from treadle.state.runs import Run, RunStatus

CODE = (
    MARK
    + """
import asyncio, os, signal, sys, threading, time
from treadle import (
    Definitions, Executor, In, Nothing, Out, Output, RetryPolicy, asset, executor, in_process_executor, job,
    multiprocess_executor, op, threaded_executor,
)

if "treadle.host.keeper" in sys.orig_argv:  # a fresh interpreter
    mark("imported")

@op(tags={"kind": "heavy"})
def member():
    mark("begins")
    time.sleep(0.05)
    mark("ends")

@op(timeout=0.1, retry_policy=RetryPolicy(max_retries=1))
def deaf():
    mark("deaf")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    while True:
        time.sleep(60)

class Backwards(Executor):
    retries = False

    def execute(self, steps):
        while ready := steps.ready():
            steps.execute(max(ready, key=lambda step: step.key))

@executor
def own(context):
    return Backwards()

@executor(config_schema={"most": int})
def chosen(context):
    return threaded_executor.configured({"max_concurrent": context.executor_config["most"]}, name="few")

@executor
def nothing(context):
    return 1

def four():
    for number in range(4):
        member.alias(f"member_{number}")()

@job
def plain_job(): four()

@job(executor_def=in_process_executor)
def inside_job(): four()

@job(executor_def=multiprocess_executor.configured({"max_concurrent": 1}, name="one"))
def one_job(): four()

@job(executor_def=own)
def own_job(): four()

@job(executor_def=nothing)
def nothing_job(): four()

@job(executor_def=chosen)
def chosen_job(): four()

@job
def deaf_job(): deaf()

@op
async def call():
    mark("calls")
    await asyncio.sleep(0.1)
    print("called")
    mark("returns")

@op
def wait(context):
    time.sleep(0.1)
    print("waited")
    context.log.info(str(threading.get_ident()))

@op(retry_policy=RetryPolicy(max_retries=1))
def again(context):
    if context.retry_number == 0:
        raise ValueError("no")

@op(timeout=0.1)
def spins():
    while True:
        pass

@op(timeout=0.1)
async def late():
    await asyncio.sleep(60)

@op(pool="single")
def guarded():
    mark("begins")
    time.sleep(0.02)
    mark("ends")

@op
def spin():
    mark("spin")
    while True:
        pass

@op
async def hang():
    mark("hang")
    try:
        await asyncio.sleep(60)
    finally:
        mark("cleaned")

def threaded(name, *ops):
    @job(name=f"{name}_job", executor_def=threaded_executor)
    def made():
        for one in ops: one()
    return made

@job(name="waits_job", executor_def=threaded_executor)
def waits_job():
    for number in range(50):
        wait.alias(f"wait_{number}")()
        call.alias(f"call_{number}")()

@op(out={"a": Out(), "b": Out()})
def two():
    yield Output(1, "a")
    raise ValueError("no b")

@op
def takes(x): mark("takes")

@op
def takes_both(x, y): mark("both")

def halves():
    a, b = two()
    takes(a)
    takes_both(a, b)

@job
def halves_job(): halves()

@job(executor_def=threaded_executor)
def threaded_halves_job(): halves()

@op
def number(): return 20

@op
def add(context, x):
    mark("add")
    return x + 1

@op
def check(x, y):
    print("checked")
    mark(f"check={x + y}")

@job(executor_def=multiprocess_executor)
def fresh_job():
    x = number()
    check(add.alias("first")(x), add.alias("second")(x))

defs = Definitions(
    jobs=[
        plain_job, inside_job, one_job, own_job, nothing_job, chosen_job, deaf_job, waits_job, halves_job,
        threaded_halves_job, fresh_job, threaded("again", again), threaded("spins", spins), threaded("late", late),
        threaded("guarded", *(guarded.alias(f"g{number}") for number in range(3))), threaded("stuck", spin, hang),
    ],
)
"""
)


served = shared(CODE)


def executed(served: Served, job: str, config: dict[str, Any] | None = None) -> tuple[Run, set[int], int]:
    """The run, the processes that executed steps, and how many did at most at once."""
    Path(served.witness).write_text("")
    run = served.ended(served.launch(job, config))
    at_once = most = 0
    for line in served.witness.read_text().splitlines():
        at_once += 1 if line.startswith("begins") else -1
        most = max(most, at_once)
    return run, set(served.marks("begins")), most


HEAVY = {"tag_concurrency_limits": [{"key": "kind", "value": "heavy", "limit": 1}]}


@pytest.mark.parametrize(
    ("job", "config", "processes", "most"),
    [
        ("plain", {"multiprocess": {"max_concurrent": 2}}, 4, 2),
        ("plain", {"multiprocess": {"max_concurrent": 3, **HEAVY}}, 4, 1),
        ("plain", {"in_process": {}}, 1, 1),
        ("inside", {}, 1, 1),
        ("one", {}, 4, 1),
        ("own", {}, 1, 1),
        ("chosen", {"most": 2}, 1, 2),
    ],
)
def test_steps_run_where_and_as_many_at_once_as_the_executor_says(
    served: Served, job: str, config: dict[str, Any], processes: int, most: int
) -> None:
    run, pids, at_once = executed(served, job, {"execution": {"config": config}})
    assert run.is_success
    assert (len(pids), at_once) == (processes, most)


def test_an_executor_that_makes_nothing_is_an_error(served: Served) -> None:
    run, pids, _ = executed(served, "nothing")
    assert run.is_failure
    assert not pids
    assert "executes nothing" in str([entry.event for entry in served.instance.all_logs(run.run_id)])


def test_a_step_that_does_not_hear_the_end_of_its_time_is_killed_and_tried_again(served: Served) -> None:
    run, _, _ = executed(served, "deaf")
    assert run.is_failure
    assert len(set(served.marks("deaf"))) == 2
    [failed] = served.instance.all_logs(run.run_id, of_type={EventType.STEP_FAILURE})
    assert "limit of 0.1 seconds" in str(failed.error_info)


def test_an_executor_of_ones_own_decides_the_order(served: Served) -> None:
    run, _, _ = executed(served, "own")
    starts = served.instance.all_logs(run.run_id, of_type={EventType.STEP_START})
    assert [entry.event.step_key for entry in starts] == ["member_3", "member_2", "member_1", "member_0"]


def test_steps_in_threads_wait_side_by_side_and_each_has_its_own_output(served: Served) -> None:
    run, _, _ = executed(served, "waits")
    assert run.is_success
    marks = [line.split()[0] for line in served.witness.read_text().splitlines()]
    assert len(marks) == 100
    assert max(at - 2 * marks[:at].count("returns") for at in range(100)) > 10  # on one loop, at once
    entries = served.instance.all_logs(run.run_id)
    for key, text in (("wait_7", "waited"), ("call_9", "called")):
        [span] = spans(entries, key)
        out, _ = served.instance.store.logs.read_part(span.log_key, span.start, span.end)
        assert out.decode().count(text) == out.decode().count("\n") == 1
    of_one = [entry.event.event_type for entry in entries if entry.event.step_key == "wait_7"]
    assert of_one == [
        EventType.STEP_START, EventType.LOG_MESSAGE, EventType.STEP_OUTPUT, EventType.HANDLED_OUTPUT,
        EventType.STEP_SUCCESS,
    ]  # fmt: skip


@pytest.mark.parametrize(("job", "ends_well"), [("again", True), ("spins", False), ("late", False)])
def test_retries_and_limits_of_time_hold_in_threads(served: Served, job: str, ends_well: bool) -> None:
    run, _, _ = executed(served, job)
    assert run.is_success is ends_well
    failed = served.instance.all_logs(run.run_id, of_type={EventType.STEP_FAILURE})
    assert ends_well or "limit of 0.1 seconds" in str(failed[0].error_info)


def test_pools_hold_in_threads(served: Served) -> None:
    served.instance.store.pools.set_limit("single", 1)
    run, pids, most = executed(served, "guarded")
    assert run.is_success
    assert (len(pids), most) == (1, 1)


def test_a_cancel_interrupts_steps_in_threads(served: Served) -> None:
    Path(served.witness).write_text("")
    run = served.launch("stuck")
    served.until(lambda: served.marks("spin") and served.marks("hang"))
    cancel_run(served.instance, run.run_id)
    assert served.ended(run).status is RunStatus.CANCELED
    assert served.marks("cleaned")
    failed = served.instance.all_logs(run.run_id, of_type={EventType.STEP_FAILURE})
    assert {entry.event.step_key for entry in failed} == {"spin", "hang"}


@pytest.mark.parametrize("job", ["halves", "threaded_halves"])
@pytest.mark.parametrize("required", [True, False])
def test_a_step_may_start_once_the_outputs_that_it_needs_are_there(served: Served, job: str, required: bool) -> None:
    config: dict[str, Any] = {"step_dependency_config": {"require_upstream_step_success": required}}
    run, _, _ = executed(
        served, job, {"execution": {"config": {"multiprocess": config} if job == "halves" else config}}
    )
    assert run.is_failure
    assert bool(served.marks("takes")) is not required
    assert not served.marks("both")


@pytest.mark.parametrize(
    ("method", "imports"), [({}, 0), ({"forkserver": {"preload_modules": ["preloaded"]}}, 1), ({"spawn": {}}, 4)]
)
def test_the_start_method_says_where_the_process_of_a_step_comes_from(
    served: Served, method: dict[str, Any], imports: int
) -> None:
    (served.folder / "preloaded.py").write_text(
        "import os\nwith open(os.environ['WITNESS'], 'a') as file: file.write(f'imported {os.getpid()}\\n')\n"
    )
    run, _, _ = executed(served, "fresh", {"execution": {"config": {"start_method": method} if method else {}}})
    assert run.is_success
    assert len(set(served.marks("imported"))) == imports
    assert served.marks("check=42")
    assert len(set(served.marks("add"))) == 2


def test_the_steps_of_a_location_that_must_not_fork_have_processes_of_their_own(tmp_path: Path) -> None:
    made = Served(tmp_path, "dev --start-method spawn", CODE)
    try:
        run, pids, _ = executed(made, "plain")
        assert run.is_success
        assert len(pids) == 4
    finally:
        made.close()
