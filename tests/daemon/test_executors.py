"""How launched runs execute their steps: in one process or in several, as executor and run config say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.daemon.test_service import Served

from treadle.state.events import EventType
from treadle.state.runs import Run

CODE = """
import os, signal, time
from treadle import Definitions, Failure, in_process_executor, job, multiprocess_executor, op, RetryPolicy, executor
from treadle.runtime.agenda import in_this_process

def mark(text):
    with open(os.environ["WITNESS"], "a") as file:
        file.write(f"{text} {os.getpid()}\\n")

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

@executor
def own(context):
    return in_this_process

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

@job
def deaf_job(): deaf()

defs = Definitions(jobs=[plain_job, inside_job, one_job, own_job, nothing_job, deaf_job])
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("served"), code=CODE)
    yield made
    made.close()


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
