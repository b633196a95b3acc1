"""Kill -9 at any moment of a run: the store opens, nothing that had happened is lost, other runs are untouched.

The user's functions write a log of their own, outside of Treadle; it is the witness.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest

import treadle as t
from treadle.store.store import FILE

MOMENTS = 100
STEPS = 12
GRACE_S = 0.2


def pipeline(witness: Path) -> list[t.AssetsDefinition]:
    """A chain of assets that note when they end, busy for a few milliseconds or asleep."""

    def make(number: int) -> t.AssetsDefinition:
        @t.asset(name=f"step_{number}", deps=[f"step_{number - 1}"] if number else [])
        def step(context: t.AssetExecutionContext) -> None:
            context.log.info("working on %s", number)
            print(f"printed by {number}", flush=True)  # noqa: T201
            pause = (number % 4) * 0.004
            until = time.monotonic() + pause
            while time.monotonic() < until:
                if number % 2:
                    time.sleep(pause / 4)
            line = f"{context.run_id} {context.step_key} {time.monotonic()}\n"
            fd = os.open(witness, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(fd, line.encode())
            os.close(fd)

        return step

    return [make(number) for number in range(STEPS)]


def run_for_ever(home: Path, witness: Path) -> None:
    """What the child does until it is killed: one run after another."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    assets = pipeline(witness)
    with t.Instance.get(home) as instance:
        while True:
            t.materialize(assets, instance=instance)


def kill_at(home: Path, witness: Path, delay_s: float) -> float:
    """Start the child, kill it after a delay. Returns when it was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            run_for_ever(home, witness)
        finally:
            os._exit(1)  # only if it failed by itself, which the parent notices
    time.sleep(delay_s)
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, "the child ended by itself"
    return killed


def witnessed(witness: Path, before: float) -> list[tuple[str, str]]:
    """(run, step) of every user function that ended before a moment."""
    lines = [line.split() for line in witness.read_text().splitlines()] if witness.exists() else []
    return [(run_id, step) for run_id, step, ended in lines if float(ended) < before]


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_loses_nothing_that_had_happened(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    home, witness = tmp_path / "home", tmp_path / "witness"
    kept: dict[str, int] = {}
    for _ in range(MOMENTS // 4):
        killed = kill_at(home, witness, chance.uniform(0.02, 0.35))
        with t.Instance.get(home) as instance:
            for run_id, step in witnessed(witness, killed - GRACE_S):
                if run_id in kept:
                    continue
                types = {e.event.event_type for e in instance.all_logs(run_id) if e.step_key == step}
                missing = {t.EventType.STEP_START, t.EventType.ASSET_MATERIALIZATION, t.EventType.STEP_SUCCESS} - types
                assert not missing, f"{step} of {run_id} ended {GRACE_S} s before the kill, and {missing} are lost"
            runs = instance.get_runs()
            for run in runs:
                count = len(instance.all_logs(run.run_id))
                assert kept.setdefault(run.run_id, count) == count, "a run that had ended changed"
                if not run.is_finished:
                    assert run.status in (t.RunStatus.STARTED, t.RunStatus.NOT_STARTED)
            unfinished = [run for run in runs if not run.is_finished]
            if unfinished and chance.random() < 0.5:
                gone = unfinished[0].run_id
                instance.delete_run(gone)
                assert instance.get_run_by_id(gone) is None
                assert not instance.all_logs(gone)
    connection = sqlite3.connect(home / FILE)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_killed_run_can_be_run_again(tmp_path: Path) -> None:
    home, witness = tmp_path / "home", tmp_path / "witness"
    kill_at(home, witness, 0.15)
    with t.Instance.get(home) as instance:
        result = t.materialize(pipeline(witness), instance=instance)
        assert result.success
        materialized = instance.get_latest_materialization_event(t.AssetKey(f"step_{STEPS - 1}"))
        assert materialized is not None
        assert materialized.run_id == result.run_id


def test_others_read_a_step_while_it_runs(tmp_path: Path) -> None:
    """Its start, its log lines and its output so far are there within 200 ms."""
    home = tmp_path / "home"
    ready, release = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  # the test runner's replacement writes past the descriptor

            @t.asset
            def slow(context: t.AssetExecutionContext) -> None:
                context.log.info("half way")
                print("printed so far")  # noqa: T201  # not flushed by the user
                os.write(ready[1], b"x")
                os.read(release[0], 1)

            with t.Instance.get(home) as instance:
                t.materialize([slow], instance=instance)
            os._exit(0)
        finally:
            os._exit(1)
    os.read(ready[0], 1)
    deadline = time.monotonic() + 0.2
    try:
        with t.Instance.get(home) as instance:
            [run] = instance.get_runs()
            found = None
            while found is None and time.monotonic() < deadline:
                messages = [entry.message for entry in instance.all_logs(run.run_id)]
                if "half way" in messages:
                    found = messages
            assert found is not None, "the log line was not there after 200 ms"
            assert any("Started execution of step" in message for message in found)
            [captured] = [e.event for e in instance.all_logs(run.run_id, t.EventType.LOGS_CAPTURED)]
            while time.monotonic() < deadline:
                data = instance.store.logs.read(captured.log_key)
                if b"printed so far" in (data.stdout or b""):
                    break
            assert b"printed so far" in (data.stdout or b"")
    finally:
        os.write(release[1], b"x")
        _, status = os.waitpid(pid, 0)
    assert status == 0
