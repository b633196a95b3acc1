"""Steps in forks of the process that executes their job: asked for by name, where it may be forked."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
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


@pytest.fixture
def instance() -> Iterator[tr.Instance]:
    before = set(kin.children(os.getpid()))
    with tr.Instance.local_temp() as instance:
        yield instance
    assert set(kin.children(os.getpid())) <= before  # no process is left


def execute(job: Callable[[], Any], instance: tr.Instance, run_config: Any = None) -> Any:
    return tr.execute_job(tr.reconstructable(job), instance, run_config=run_config)


@pytest.mark.parametrize(("job", "config"), [(in_processes, None), (plain, IN_PROCESSES)])
def test_a_job_that_asks_for_processes_has_them(instance: tr.Instance, job: Any, config: Any) -> None:
    with execute(job, instance, config) as result:
        used = {result.output_for_node("pid"), result.output_for_node("again"), os.getpid()}
    assert (result.success, len(used)) == (True, 3)


@pytest.mark.parametrize(
    ("job", "config"),
    [(plain, None), (in_processes, {"execution": {"config": {"start_method": {"spawn": {}}}}})],
)
def test_a_job_that_does_not_stays_in_the_process(instance: tr.Instance, job: Any, config: Any) -> None:
    result = execute(job, instance, config)
    assert {result.output_for_node("pid"), result.output_for_node("again")} == {os.getpid()}


def test_a_process_with_threads_is_not_forked(instance: tr.Instance) -> None:
    gate = threading.Event()
    other = threading.Thread(target=gate.wait)
    other.start()
    try:
        result = execute(in_processes, instance)
        assert result.output_for_node("pid") == os.getpid()
    finally:
        gate.set()
        other.join()
    results: list[Any] = []
    inside = threading.Thread(target=lambda: results.append(execute(in_processes, instance)))
    inside.start()
    inside.join()
    assert results[0].output_for_node("pid") == os.getpid()


def test_what_steps_have_stored_is_loaded_when_it_is_asked_for(instance: tr.Instance) -> None:
    with execute(values, instance) as result:
        assert result.output_for_node("letters") == {"b": "bb", "c": "cc"}  # of the last attempt
        assert result.output_for_node("longer") == {"b": "bb!", "c": "cc!"}
        assert result.output_for_node("joined") == "bb!cc!"
        assert result.output_for_node("part", "some") == 1
        with pytest.raises(StepOutputNotFoundError, match="none"):
            result.output_for_node("part", "none")


def test_assets_may_be_made_in_processes(instance: tr.Instance) -> None:
    result = execute(assets, instance)
    first, second = result.output_for_node("down")
    assert len({first, second, os.getpid()}) == 3
    assert result.output_for_node("up") == first


def test_in_process_is_in_process(instance: tr.Instance) -> None:
    assert in_processes.execute_in_process(instance=instance).output_for_node("pid") == os.getpid()


def test_steps_that_do_not_heed_an_interrupt_are_killed(
    instance: tr.Instance, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LEAVE_S", 0.05)
    fifo = tmp_path / "runs"
    os.mkfifo(fifo)
    monkeypatch.setattr(f"{__name__}.READY", [str(fifo)])
    me = os.getpid()

    def interrupt() -> None:
        with open(fifo):
            os.kill(me, signal.SIGINT)

    waiting = kin.fork()
    if waiting == 0:
        interrupt()
        os._exit(0)
    with pytest.raises((KeyboardInterrupt, ExecutionInterruptedError)):
        execute(stays, instance)
    os.waitpid(waiting, 0)
    (run,) = instance.get_runs()
    assert run.status.value == "CANCELED"
    (failed,) = [e.event for e in instance.all_logs(run.run_id) if e.event.event_type is EventType.STEP_FAILURE]
    assert "did not end within" in failed.error.message
