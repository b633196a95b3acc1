"""Steps in processes of their own: their processes overlap, their attempts do not."""

import gc
import os
import signal
from collections import Counter
from contextlib import suppress

import pytest

import treadle as dg
from treadle.host.execution import run_job
from treadle.runtime import kin, processes
from treadle.runtime.processes import StepProcesses


@pytest.fixture
def instance():
    before = set(kin.children(os.getpid()))
    with dg.Instance.ephemeral() as instance:
        yield instance
    assert set(kin.children(os.getpid())) <= before  # no process is left
    assert gc.get_freeze_count() == 0


@dg.op
def leave_pid():
    return os.getpid()


@dg.op
def hang():
    signal.pause()


def job_of(*ops):
    @dg.job
    def several():
        for number, op in enumerate(ops):
            op.alias(f"step_{number}")()

    return several


class Watched(StepProcesses):
    """Notes the processes in the order of their start, and calls `meddle` with each that waits for its turn."""

    def __init__(self, most, meddle=lambda pid: None):
        super().__init__(most)
        self.pids = []
        self.at_most = 0
        self._meddle = meddle

    def _process(self, step, number):
        one = super()._process(step, number)
        self.pids.append((step.key, one.pid))
        self.at_most = max(self.at_most, len(self._processes))
        return one

    def start_ready(self):
        before = self._ahead
        super().start_ready()
        if self._ahead is not None and self._ahead is not before:
            self._meddle(self._ahead.pid)


def run(instance, crew, *ops):
    return run_job(job_of(*ops), instance=instance, drives=lambda *_: crew, raise_on_error=False)


def kinds(result):
    return Counter(entry.event.event_type.name for entry in result.entries)


def begun(result):
    """The process of each attempt, by step."""
    return [
        (entry.step_key, entry.event.pid)
        for entry in result.entries
        if entry.event.event_type.name == "STEP_WORKER_STARTED"
    ]


def wait_until_stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)


@pytest.mark.parametrize("most", [1, 3])
def test_the_process_of_the_next_step_waits_for_its_turn(instance, most):
    crew = Watched(most)
    result = run(instance, crew, *[leave_pid] * 8)
    assert result.success
    assert sorted(begun(result)) == sorted(crew.pids)  # each was used, by the step for which it was started
    assert len({pid for _, pid in crew.pids}) == 8
    assert most > 1 or crew.at_most > 1  # several may end before all of them have begun
    assert kinds(result)["STEP_START"] == kinds(result)["STEP_SUCCESS"] == 8
    used = [entry for entry in result.entries if "of CPU time" in entry.message]
    assert len(used) == 8  # also of those that ended after the last step had


def test_a_process_that_ends_before_its_turn_was_no_attempt(instance):
    crew = Watched(1, lambda pid: os.kill(pid, signal.SIGKILL))
    result = run(instance, crew, *[leave_pid] * 4)
    assert result.success
    assert kinds(result)["STEP_START"] == 4
    assert len(crew.pids) == 5  # one was killed; after that none was started before its turn


def test_a_process_that_ends_when_its_turn_comes_is_replaced(instance):
    stopped = []

    class Late(Watched):
        def start(self, step, number):
            ahead = self._ahead
            super().start(step, number)
            if ahead is not None and ahead is self.running.get(ahead.pid):  # it has been told and cannot hear it
                os.kill(ahead.pid, signal.SIGKILL)

    def stop(pid):
        wait_until_stopped(pid)
        stopped.append(pid)

    crew = Late(1, stop)
    result = run(instance, crew, *[leave_pid] * 3)
    assert result.success
    assert len(stopped) == 1
    assert kinds(result)["STEP_START"] == kinds(result)["STEP_SUCCESS"] == 3
    assert kinds(result)["STEP_FAILURE"] == 0


def test_whoever_waits_ends_with_a_run_that_is_canceled(instance):
    crew = Watched(1, lambda _: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        run(instance, crew, hang, leave_pid)
    assert [step for step, _ in crew.pids] == ["step_0", "step_1"]
    [canceled] = instance.get_runs()
    assert canceled.status is dg.RunStatus.CANCELED
    starts = [entry for entry in instance.all_logs(canceled.run_id) if entry.event.event_type.name == "STEP_START"]
    assert [entry.step_key for entry in starts] == ["step_0"]


def test_a_step_of_higher_priority_goes_before_the_one_whose_process_waits(instance):
    @dg.op
    def first():
        return 1

    @dg.op(tags={"dagster/priority": "5"})
    def urgent(x):
        return x

    @dg.op
    def patient():
        return 1

    @dg.job
    def several():
        urgent(first())
        patient()

    crew = Watched(1)
    result = run_job(several, instance=instance, drives=lambda *_: crew)
    assert [step for step, _ in crew.pids] == ["first", "patient", "urgent"]
    assert [step for step, _ in begun(result)] == ["first", "urgent", "patient"]


def test_a_process_that_does_not_end_after_its_attempt_is_killed(instance, monkeypatch):
    def stay(code):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            with suppress(InterruptedError):
                signal.pause()

    monkeypatch.setattr(processes, "LEAVE_S", 0.05)
    monkeypatch.setattr(kin, "leave", stay)
    result = run(instance, Watched(1), leave_pid, leave_pid)
    assert result.success
    assert len([entry for entry in result.entries if "of CPU time" in entry.message]) == 2


def test_what_a_step_prints_is_in_its_files_though_they_were_opened_before_its_turn(tmp_path):
    @dg.op
    def talk():
        os.write(1, b"said\n")

    with dg.Instance.local_temp(str(tmp_path)) as instance:
        result = run(instance, Watched(1), *[talk] * 3)
        assert result.success
        ends = [entry for entry in result.entries if entry.event.event_type.name == "STEP_SUCCESS"]
        files = {file.stem: file.read_text() for file in tmp_path.rglob("*.out")}
    assert {f"step_{number}" for number in range(3)} <= files.keys()
    assert all(files[f"step_{number}"] == "said\n" for number in range(3))
    assert all(entry.event.captured[0] == len(files[entry.step_key]) for entry in ends)
