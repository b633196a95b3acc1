"""Executors in the process that asks for the run: those of one's own, and threads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import treadle as tr
from treadle.errors import ExecutionInterruptedError, InvariantError, InvocationError, TimeLimitError, UserCodeError
from treadle.host.execution import run_job
from treadle.host.executors import drive_of
from treadle.runtime import threads
from treadle.state.events import EventLogEntry, EventType, LogMessage, StepFailed

tried: list[str] = []
gate = threading.Event()


@tr.op
def one() -> int:
    return 1


@tr.op(retry_policy=tr.RetryPolicy(max_retries=1))
def fails_once(context: tr.OpExecutionContext) -> None:
    tried.append("fails_once")
    if context.retry_number == 0:
        raise ValueError("once")


@tr.op
def add(x: int, y: int) -> int:
    return x + y


@pytest.fixture(autouse=True)
def nothing_tried() -> Iterator[None]:
    tried.clear()
    gate.clear()
    yield
    gate.set()


def executed(job: tr.JobDefinition, run_config: Any = None, raises: bool = False) -> Any:
    with tr.Instance.ephemeral() as instance:
        return run_job(
            job, instance=instance, run_config=run_config, raise_on_error=raises, drives=drive_of, capture=False
        )


def made_by(executor: Any) -> tr.JobDefinition:
    """A job that an executor of one's own executes."""

    @tr.executor(name="mine")
    def mine(context: tr.InitExecutorContext) -> Any:
        return executor(context)

    @tr.job(executor_def=mine)
    def each() -> None:
        add(one.alias("b")(), one.alias("a")())
        fails_once()

    return each


def starts(result: Any) -> list[str]:
    return [entry.event.step_key for entry in result.entries if entry.event.event_type is EventType.STEP_START]


class Backwards(tr.Executor):
    def execute(self, steps: tr.ReadySteps) -> None:
        assert steps.run.job_name == "each"
        while ready := steps.ready():
            steps.execute(max(ready, key=lambda step: step.key))


class Once(Backwards):
    retries = False


class Never(tr.Executor):
    def execute(self, steps: tr.ReadySteps) -> None:
        steps.ready()


class Twice(tr.Executor):
    def execute(self, steps: tr.ReadySteps) -> None:
        step = steps.ready()[0]
        assert steps.execute(step)
        steps.execute(step)


def test_an_executor_of_ones_own_executes_what_is_ready_in_its_order() -> None:
    result = executed(made_by(lambda _: Backwards()))
    assert result.success
    assert starts(result) == ["fails_once", "b", "a", "add"]
    assert result.output_for_node("add") == 2
    assert tried == ["fails_once"] * 2


def test_an_executor_may_turn_retries_off() -> None:
    result = executed(made_by(lambda _: Once()))
    assert (result.success, tried) == (False, ["fails_once"])


def test_an_executor_may_choose_another() -> None:
    result = executed(made_by(lambda _: tr.threaded_executor.configured({"max_concurrent": 2}, name="two")))
    assert result.success


@pytest.mark.parametrize(
    ("executor", "error", "why"),
    [
        (lambda _: Never(), InvariantError, "steps are left"),
        (lambda _: Twice(), InvocationError, "is not ready, or has been executed"),
        (lambda _: 1, InvocationError, "executes nothing"),
        (lambda _: 1 / 0, UserCodeError, "raised ZeroDivisionError"),
    ],
)
def test_an_executor_that_does_not_do_its_work_is_an_error(executor: Any, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        executed(made_by(executor), raises=True)


# --- threads


@tr.op
async def meet(context: tr.OpExecutionContext) -> int:
    """Ends once another one is there, too."""
    tried.append(context.step_key)
    while len(tried) < 2:
        await asyncio.sleep(0)
    return threading.get_ident()


@tr.op
def wait_for_gate() -> None:
    tried.append("waits")
    gate.wait(30)


@tr.op
def open_gate() -> None:
    gate.set()


@tr.op(timeout=0.05)
def spins() -> None:
    while True:
        pass


@tr.op
def deaf() -> None:
    """Waits, whatever is raised in it."""
    tried.append("waits")
    while not gate.is_set():
        with contextlib.suppress(ExecutionInterruptedError):
            gate.wait(30)


@tr.op
def interrupts() -> None:
    while "waits" not in tried:
        pass
    os.kill(os.getpid(), signal.SIGINT)
    while True:
        pass


def threaded(*ops: tr.OpDefinition) -> tr.JobDefinition:
    @tr.job(executor_def=tr.threaded_executor)
    def each() -> None:
        for number, node in enumerate(ops):
            node.alias(f"{node.name}_{number}")()

    return each


def test_async_functions_meet_on_one_loop_and_others_wait_in_threads() -> None:
    result = executed(threaded(meet, meet, wait_for_gate, open_gate))
    assert result.success
    assert result.output_for_node("meet_0") == result.output_for_node("meet_1") != threading.get_ident()


def test_the_events_of_each_step_are_in_order_and_are_told_by_one_thread() -> None:
    tellers: set[int] = set()

    def listen(_: EventLogEntry) -> None:
        tellers.add(threading.get_ident())

    with tr.Instance.ephemeral() as instance:
        result = run_job(threaded(*[one] * 40), instance=instance, drives=drive_of, listener=listen, capture=False)
    assert tellers == {threading.get_ident()}
    kinds = [EventType.STEP_START, EventType.STEP_OUTPUT, EventType.HANDLED_OUTPUT, EventType.STEP_SUCCESS]
    for number in range(40):
        of_step = [entry.event for entry in result.entries if entry.event.step_key == f"one_{number}"]
        assert [event.event_type for event in of_step] == kinds


def test_a_limit_of_time_ends_python_code_in_a_thread() -> None:
    result = executed(threaded(spins, one))
    assert not result.success
    assert result.output_for_node("one_1") == 1
    with pytest.raises(TimeLimitError):
        executed(threaded(spins), raises=True)


def test_an_interrupt_does_not_wait_for_ever_for_a_call_that_does_not_return(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "GRACE_S", 0.5)
    seen: list[EventLogEntry] = []
    with tr.Instance.ephemeral() as instance, pytest.raises(KeyboardInterrupt):
        run_job(threaded(deaf, interrupts), instance=instance, drives=drive_of, listener=seen.append, capture=False)
    failed = {e.event.step_key: e.event for e in seen if isinstance(e.event, StepFailed)}
    assert failed.keys() == {"deaf_0", "interrupts_1"}
    assert "did not end within" in str(failed["deaf_0"].error)
    assert seen[-1].event.event_type is EventType.RUN_CANCELED


@pytest.mark.parametrize("executor", [tr.in_process_executor, tr.threaded_executor])
@pytest.mark.parametrize("required", [True, False])
def test_a_step_may_start_without_the_end_of_those_above_it(executor: Any, required: bool) -> None:
    @tr.op(out={"a": tr.Out(), "b": tr.Out()})
    def halves() -> Iterator[tr.Output[int]]:
        yield tr.Output(1, "a")
        raise ValueError("no b")

    @tr.op
    def takes(x: int) -> int:
        return x

    @tr.job(executor_def=executor)
    def each() -> None:
        a, b = halves()
        takes(a)
        takes.alias("other")(b)

    config = {"execution": {"config": {"step_dependency_config": {"require_upstream_step_success": required}}}}
    result = executed(each, config)
    assert not result.success
    assert starts(result) == (["halves"] if required else ["halves", "takes"])


def test_as_many_steps_as_may_be_are_there_at_once() -> None:
    """Each waits for all to have begun, so they can only end if they are there at once."""
    barrier = threading.Barrier(20, timeout=20)

    @tr.op
    def together() -> None:
        barrier.wait()

    assert executed(threaded(*[together] * 20)).success


def test_lines_of_captured_loggers_belong_to_the_step_whose_thread_writes_them() -> None:
    @tr.op
    def calls_a_library(context: tr.OpExecutionContext) -> None:
        logging.getLogger("a_library").warning("in %s", context.step_key)

    settings = {"python_logs": {"managed_python_loggers": ["a_library"]}}
    with tr.Instance.ephemeral(settings=settings) as instance:
        result = run_job(threaded(*[calls_a_library] * 20), instance=instance, drives=drive_of, capture=False)
    lines = [e.event for e in result.entries if isinstance(e.event, LogMessage) and e.event.message.startswith("in ")]
    assert sorted(line.message for line in lines) == sorted(f"in {line.step_key}" for line in lines)
    assert len(lines) == 20
