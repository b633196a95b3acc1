"""Steps in forks of the process that executes their job: asked for by name, where it may be forked."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import treadle as tr
from treadle.errors import ExecutionInterruptedError, StepOutputNotFoundError
from treadle.runtime import kin, processes
from treadle.state.events import EventType

IN_PROCESSES = {"execution": {"config": {"multiprocess": {}}}}
READY: list[str] = []  # where a step says that it runs


@tr.op
def pid() -> int:
    return os.getpid()


@tr.op(out=tr.DynamicOut(), retry_policy=tr.RetryPolicy(max_retries=1))
def letters(context: tr.OpExecutionContext) -> Iterator[tr.DynamicOutput[str]]:
    for key in "abc"[context.retry_number :]:
        yield tr.DynamicOutput(key * 2, key)
    if context.retry_number == 0:
        raise ValueError("once")


@tr.op
def longer(text: str) -> str:
    return text + "!"


@tr.op
def joined(texts: list[str]) -> str:
    return "".join(texts)


@tr.op(out={"some": tr.Out(), "none": tr.Out(is_required=False)})
def part() -> Iterator[tr.Output[Any]]:
    yield tr.Output(1, "some")


@tr.op
def stubborn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(READY[0], "w"):
        pass
    while True:
        signal.pause()


def pids() -> None:
    pid()
    pid.alias("again")()


plain = tr.job(name="plain")(pids)
in_processes = tr.job(name="in_processes", executor_def=tr.multiprocess_executor)(pids)


@tr.job(executor_def=tr.multiprocess_executor)
def values() -> None:
    joined(letters().map(longer).collect())
    part()


@tr.job(executor_def=tr.multiprocess_executor)
def stays() -> None:
    stubborn()


@tr.asset
def up() -> int:
    return os.getpid()


@tr.asset
def down(up: int) -> list[int]:
    return [up, os.getpid()]


def assets() -> tr.JobDefinition:
    job = tr.define_asset_job("assets", executor_def=tr.multiprocess_executor)
    return tr.Definitions([up, down], jobs=[job]).get_job_def("assets")


def apart(act: Callable[[tr.Instance], Any]) -> Any:
    """What `act` gives in a fork of this process, which has none of the threads that other tests have left."""
    read, write = os.pipe()
    child = kin.fork()
    if child == 0:
        try:
            with tr.Instance.local_temp() as instance:
                answer = act(instance), kin.children(os.getpid())
        except BaseException:
            answer = traceback.format_exc(), None
        os.write(write, pickle.dumps(answer))
        os._exit(0)
    os.close(write)
    with open(read, "rb") as file:
        given, left = pickle.loads(file.read())
    os.waitpid(child, 0)
    assert left == [], given  # no process, and no error
    return given


def execute(job: Callable[[], Any], instance: tr.Instance, run_config: Any = None) -> Any:
    return tr.execute_job(tr.reconstructable(job), instance, run_config=run_config)


def processes_of(instance: tr.Instance, job: Any, config: Any = None) -> int:
    """How many processes there are in a run of `pids`, with the one that executes it."""
    with execute(job, instance, config) as result:
        return len({result.output_for_node("pid"), result.output_for_node("again"), os.getpid()})


@pytest.mark.parametrize(
    ("job", "config", "number"),
    [
        (in_processes, None, 3),
        (plain, IN_PROCESSES, 3),
        (plain, None, 1),
        (in_processes, {"execution": {"config": {"start_method": {"spawn": {}}}}}, 1),
    ],
)
def test_a_job_that_asks_for_processes_has_them(job: Any, config: Any, number: int) -> None:
    assert apart(lambda instance: processes_of(instance, job, config)) == number


def test_a_process_with_threads_is_not_forked() -> None:
    def with_another(instance: tr.Instance) -> int:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return processes_of(instance, in_processes)

    def in_another(instance: tr.Instance) -> list[int]:
        numbers: list[int] = []
        inside = threading.Thread(target=lambda: numbers.append(processes_of(instance, in_processes)))
        inside.start()
        inside.join()
        return numbers

    assert (apart(with_another), apart(in_another)) == (1, [1])


def test_what_steps_have_stored_is_loaded_when_it_is_asked_for() -> None:
    def outputs(instance: tr.Instance) -> list[Any]:
        with execute(values, instance) as result:
            with pytest.raises(StepOutputNotFoundError, match="none"):
                result.output_for_node("part", "none")
            return [
                result.output_for_node("letters"), result.output_for_node("longer"), result.output_for_node("joined"),
                result.output_for_node("part", "some"),
            ]  # fmt: skip

    # of the last attempt
    assert apart(outputs) == [{"b": "bb", "c": "cc"}, {"b": "bb!", "c": "cc!"}, "bb!cc!", 1]


def test_assets_may_be_made_in_processes() -> None:
    def numbers(instance: tr.Instance) -> tuple[int, list[int], int]:
        result = execute(assets, instance)
        return result.output_for_node("up"), result.output_for_node("down"), os.getpid()

    first, (same, second), own = apart(numbers)
    assert first == same
    assert len({first, second, own}) == 3


def test_in_process_is_in_process() -> None:
    def is_here(instance: tr.Instance) -> bool:
        return in_processes.execute_in_process(instance=instance).output_for_node("pid") == os.getpid()

    assert apart(is_here)


def test_steps_that_do_not_heed_an_interrupt_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LEAVE_S", 0.05)
    fifo = tmp_path / "runs"
    os.mkfifo(fifo)
    READY[:] = [str(fifo)]

    def interrupted(instance: tr.Instance) -> tuple[str, str]:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        conducts = os.getpid()
        waiting = kin.fork()
        if waiting == 0:
            with open(fifo):  # once the step has opened it
                os.kill(conducts, signal.SIGINT)
            os._exit(0)
        with pytest.raises((KeyboardInterrupt, ExecutionInterruptedError)):
            execute(stays, instance)
        os.waitpid(waiting, 0)
        (run,) = instance.get_runs()
        (failed,) = (e for e in instance.all_logs(run.run_id) if e.event.event_type is EventType.STEP_FAILURE)
        return run.status.value, failed.event.error.message

    status, said = apart(interrupted)
    assert status == "CANCELED"
    assert "did not end within" in said
