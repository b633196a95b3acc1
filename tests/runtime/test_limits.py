"""Limits of time. What takes too long here never ends by itself, so that a limit that does not hold is noticed."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import treadle as tr
from treadle.runtime.limits import Limit

# what an alarm raises in a finalizer is lost, and it rings again: pytest has finalizers of its own
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
SHORT = 0.02


def run(*ops: Any, **options: Any) -> Any:
    @tr.job(**options)
    def limited() -> None:
        for one in ops:
            one()

    return limited.execute_in_process(raise_on_error=False)


def in_thread(act: Callable[[], None]) -> None:
    """Call it there. What hangs fails its test, and does not keep the process of the tests from its end."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()


def failures(result: Any) -> dict[str, str]:
    return {event.step_key: event.error.message for event in result.get_step_failure_events()}


def spin(context: tr.OpExecutionContext) -> None:
    while True:
        pass


def wait(context: tr.OpExecutionContext) -> None:
    try:
        time.sleep(3600)
    except Exception:
        time.sleep(3600)


def talk(context: tr.OpExecutionContext) -> None:
    while True:
        context.log.info("still here")


def generate(context: tr.OpExecutionContext) -> Iterator[Any]:
    yield tr.AssetMaterialization("made")
    time.sleep(3600)
    yield tr.Output(1)


async def await_it(context: tr.OpExecutionContext) -> None:
    await asyncio.sleep(3600)


async def generate_async(context: tr.OpExecutionContext) -> AsyncIterator[Any]:
    yield tr.AssetMaterialization("made")
    await asyncio.sleep(3600)
    yield tr.Output(1)


@pytest.mark.parametrize("fn", [spin, wait, talk, generate, await_it, generate_async])
def test_a_step_that_takes_too_long_fails(fn: Any) -> None:
    result = run(tr.op(timeout=SHORT)(fn))
    (said,) = failures(result).values()
    assert "limit of 0.02 seconds" in said
    assert "TimeLimitError" in said
    kinds = [event.event_type_value for event in result.all_events]
    assert kinds[-1] == "PIPELINE_FAILURE"
    assert ("ASSET_MATERIALIZATION" in kinds) == ("generate" in fn.__name__)


def test_the_retry_policy_counts() -> None:
    calls = []

    @tr.op(timeout=SHORT, retry_policy=tr.RetryPolicy(max_retries=2))
    def slow_at_first() -> int:
        calls.append(1)
        if len(calls) < 3:
            time.sleep(3600)
        return 1

    result = run(slow_at_first)
    assert (result.success, result.retry_attempts_for_node("slow_at_first")) == (True, 2)


def test_what_is_quick_enough_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGALRM)

    @tr.op(timeout=3600)
    def quick() -> int:
        return 1

    @tr.op(timeout=3600)
    async def quick_too() -> int:
        await asyncio.sleep(0)
        return 2

    @tr.op(timeout=3600)
    async def own() -> None:
        raise TimeoutError("of its own")

    result = run(quick, quick_too, own)
    assert (result.output_for_node("quick"), result.output_for_node("quick_too")) == (1, 2)
    assert "of its own" in failures(result)["own"]
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_error_is_raised_as_it_is() -> None:
    @tr.asset(timeout=SHORT)
    def slow() -> None:
        time.sleep(3600)

    with pytest.raises(tr.TimeLimitError, match="'slow'") as failure:
        tr.materialize([slow])
    assert failure.value.seconds == SHORT


def test_everything_that_runs_may_have_a_limit() -> None:
    @tr.multi_asset(specs=[tr.AssetSpec("p"), tr.AssetSpec("q")], timeout=1)
    def both() -> None: ...

    @tr.asset_check(asset="p", timeout=2)
    def fine() -> tr.AssetCheckResult:
        return tr.AssetCheckResult(passed=True)

    @tr.multi_asset_check(specs=[tr.AssetCheckSpec("c", asset="p")], timeout=3)
    def checks() -> None: ...

    assert [one.node.timeout_s for one in (both, fine, checks)] == [1, 2, 3]
    made = tr.op(timeout=4)(spin)
    (node,) = tr.GraphDefinition("g", node_defs=[made]).to_job().nodes
    assert node.timeout_s == 4
    for wrong in (0, -1):
        with pytest.raises(tr.DefinitionError, match="timeout of 'spin'"):
            tr.op(timeout=wrong)(spin)


def test_a_run_may_have_a_limit() -> None:
    result = run(tr.op(timeout=3600, retry_policy=tr.RetryPolicy(max_retries=9))(wait), tr.op(spin),
                 tags={"dagster/max_runtime": "0.02"})  # fmt: skip
    assert list(failures(result)) == ["wait"]
    assert "left to its run" in failures(result)["wait"]
    assert "limit of 0.02 seconds" in result.get_run_failure_event().message
    assert run(tr.op(name="quick")(lambda: 1), tags={"dagster/max_runtime": "soon"}).success


def test_a_wait_for_a_retry_ends_with_the_run() -> None:
    @tr.op(retry_policy=tr.RetryPolicy(max_retries=1, delay=3600))
    def broken() -> None:
        raise ValueError

    result = run(broken, tags={"dagster/max_runtime_seconds": "0.02"})
    assert "limit of 0.02 seconds" in result.get_run_failure_event().message


def test_the_alarm_of_the_process_is_left_alone_in_other_threads() -> None:
    ended = []

    def inside() -> None:
        with Limit(60, "it").alarm():
            ended.append(signal.getitimer(signal.ITIMER_REAL))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert ended == [(0.0, 0.0)]


def test_pools_by_their_older_tag() -> None:
    @tr.op(tags={"dagster/concurrency_key": "db"})
    def tagged() -> None: ...

    @tr.op(pool="db")
    def declared() -> None: ...

    nodes = tr.GraphDefinition("g", node_defs=[tagged, declared]).to_job().nodes
    assert [node.pool for node in nodes] == ["db", "db"]
    with pytest.raises(tr.DefinitionError, match="Keep the pool"):
        tr.op(pool="db", tags={"dagster/concurrency_key": "other"})(spin)


@pytest.mark.parametrize("fn", [spin, talk, await_it, generate_async])
def test_a_limit_holds_in_other_threads_for_code_of_python(fn: Any) -> None:
    ends: list[str] = []
    in_thread(lambda: ends.append(failures(run(tr.op(name="slow", timeout=SHORT)(fn)))["slow"]))
    assert "longer than its limit" in ends[0]


@pytest.mark.parametrize("seconds", [SHORT, 0.0005])
def test_code_can_be_traced_after_a_limit_in_another_thread(seconds: float) -> None:
    """A debugger or a profiler. CPython 3.11 never goes on if what was to be raised has been taken back."""
    in_thread(lambda: run(tr.op(name="slow", timeout=seconds)(talk)))
    code = "import sys; sys.setprofile(lambda *_: None); (lambda: None)(); sys.setprofile(None)"
    in_thread(lambda: exec(code))


class Slow(logging.Handler):
    """Spends all its time between taking its lock and the block that gives it back."""

    def acquire(self) -> None:
        super().acquire()
        until = time.monotonic() + SHORT / 2
        while time.monotonic() < until:
            pass

    def emit(self, record: logging.LogRecord) -> None: ...


@pytest.mark.parametrize("is_main", [True, False])
def test_a_limit_leaves_no_lock_of_a_logger_held(is_main: bool) -> None:
    handler = Slow()
    root = logging.getLogger()
    root.addHandler(handler)
    free: list[bool] = []
    ends: list[str] = []

    def act() -> None:
        ends.append(failures(run(tr.op(name="slow", timeout=SHORT)(talk)))["slow"])

    def look() -> None:
        free.append(handler.lock is not None and handler.lock.acquire(timeout=1))

    try:
        if is_main:
            act()
        else:
            in_thread(act)
        in_thread(look)
    finally:
        root.removeHandler(handler)
        handler.createLock()  # a lock that is held would keep the process from its end
    assert free == [True]
    assert "longer than its limit" in ends[0]
