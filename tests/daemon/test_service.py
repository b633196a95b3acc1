"""Runs through real processes: launched, canceled, and ended whatever becomes of those who execute them."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from treadle.core import tags
from treadle.daemon.service import Service
from treadle.errors import StoreError
from treadle.host.instance import Instance
from treadle.host.launching import cancel_run, reload_location, submit_run
from treadle.host.nudge import Listener
from treadle.runtime import kin
from treadle.state.events import EventType
from treadle.state.runs import Run, RunStatus

PATIENCE_S = 30.0
MARK = """
import os

def mark(text):
    with open(os.environ["WITNESS"], "a") as file:
        file.write(f"{text} {os.getpid()}\\n")
"""
CODE = (
    MARK
    + """
import os, signal, subprocess, sys, time
from treadle import Config, Definitions, Instance, Out, Output, RetryPolicy, asset, job, op, resource

def hang():
    while True:
        time.sleep(60)

@op
def quick(): mark("quick")

@op
def slow():
    mark("slow")
    hang()

@op
def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mark("stubborn")
    hang()

@op
def parent():
    child = subprocess.Popen(["setsid", "sleep", "1000"])
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            mark("grandchild")
            hang()
        os._exit(0)
    mark(f"child={child.pid}")
    hang()

@op
def vanish(): os._exit(7)

@op(retry_policy=RetryPolicy(max_retries=2))
def vanish_twice(context):
    mark("attempt")
    if context.retry_number < 2:
        os.kill(os.getpid(), signal.SIGKILL)

@op
def fail(): raise ValueError("no")

@resource
def mortal():
    yield
    os.kill(os.getpid(), signal.SIGKILL)

@op(
    retry_policy=RetryPolicy(max_retries=2), required_resource_keys={"mortal"},
    out={"a": Out(is_required=False), "b": Out()},
)
def die_late(context):
    mark("late")
    yield Output(1, "b")

@op
def after(given): mark("after")

@job(resource_defs={"mortal": mortal})
def die_late_job():
    a, b = die_late()
    after.alias("after_a")(a)
    after.alias("after_b")(b)

@asset
def one(): return 1

@asset
def two(one): return one + 1

def made(function):
    @job(name=f"{function.name}_job")
    def each(): function()
    return each

defs = Definitions(
    assets=[one, two],
    jobs=[die_late_job, *(made(one) for one in (quick, slow, stubborn, parent, vanish, vanish_twice, fail))],
)
"""
)


class Served:
    """A home in which a daemon works."""

    def __init__(self, folder: Path, command: str = "dev", code: str = CODE, settings: str = "") -> None:
        self.folder = folder
        self.witness = folder / "witness"
        self.witness.touch()
        (folder / "defs.py").write_text(code)
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        if settings:
            (self.home / "treadle.yaml").write_text(settings)
        self.instance = Instance.get(self.home)
        self.listener = Listener(self.home, "daemon")
        self.process = self.start(command)

    def start(self, command: str) -> subprocess.Popen[str]:
        """Start a daemon, which ends with this process; returns once it is ready, and has loaded the code."""
        code = (
            f"from treadle.runtime import kin; kin.die_with_parent({os.getpid()});"
            "from treadle.cli.main import main; main()"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, *command.split(), "-f", "defs.py"],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env={**os.environ, "TREADLE_HOME": str(self.home), "WITNESS": str(self.witness)},
        )  # fmt: skip
        assert process.stdout is not None
        self.warned = ""
        while not (line := process.stdout.readline()).startswith("Ready"):
            self.warned += line
            if not line.startswith("warning:"):
                process.kill()
                with process:
                    raise AssertionError(self.warned + process.stdout.read())
        return process

    def launch(self, job: str, run_config: dict[str, Any] | None = None, **given: str) -> Run:
        made = self.instance.create_run(job_name=f"{job}_job", run_config=run_config, tags=given)
        return submit_run(self.instance, made.run_id)

    def until(self, is_so: Callable[[], object]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < deadline
            select.select([self.listener], [], [], 0.01)
            self.listener.clear()

    def ended(self, run: Run) -> Run:
        """The run, once it has ended."""
        self.until(lambda: self.run(run).is_finished)
        return self.run(run)

    def run(self, run: Run) -> Run:
        found = self.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found

    def messages(self, run: Run) -> str:
        return "\n".join(entry.message for entry in self.instance.all_logs(run.run_id))

    def marks(self, text: str) -> list[int]:
        """The processes that have marked this."""
        return [int(line.split()[1]) for line in self.witness.read_text().splitlines() if line.startswith(text)]

    def under_way(self, job: str) -> tuple[Run, int]:
        """A run whose step is in the middle of its work, and the step's process."""
        run = self.launch(job)
        self.until(lambda: self.marks(job))
        self.until(lambda: self.run(run).status is RunStatus.STARTED)
        return run, self.marks(job)[-1]

    def supervisor(self, run: Run) -> int:
        lease = self.instance.store.leases.get(run.run_id)
        assert lease is not None
        return int(lease.owner.split(":")[1])

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        ended(self.process)
        self.listener.close()
        self.instance.close()


def shared(code: str = CODE, command: str = "dev", settings: str = "") -> Any:
    """A fixture: a daemon for all tests of a module."""

    @pytest.fixture(scope="module")
    def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
        made = Served(tmp_path_factory.mktemp("served"), command, code, settings)
        yield made
        made.close()

    return served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.close()


def ended(process: subprocess.Popen[str]) -> None:
    """Wait for the end of a daemon. Its stdout may live on in the processes of its runs."""
    process.wait(PATIENCE_S)
    assert process.stdout is not None
    process.stdout.close()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def titled(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_run_is_launched_and_each_step_has_a_process_of_its_own(served: Served) -> None:
    run = submit_run(served.instance, served.instance.create_run(job_name="__ASSET_JOB").run_id)
    assert served.ended(run).is_success
    entries = served.instance.all_logs(run.run_id, of_type={EventType.STEP_WORKER_STARTED})
    pids = {entry.event.pid for entry in entries}  # type: ignore[attr-defined]
    assert len(pids) == 2
    kinds = [entry.event.event_type for entry in served.instance.all_logs(run.run_id)]
    order = [EventType.RUN_ENQUEUED, EventType.RUN_DEQUEUED, EventType.RUN_STARTING, EventType.RUN_START]
    assert [kind for kind in kinds if kind in order] == order
    assert kinds.count(EventType.ASSET_MATERIALIZATION) == 2


def test_what_user_code_raises_is_a_failed_step(served: Served) -> None:
    run = served.launch("fail")
    assert served.ended(run).tags[tags.FAILURE_REASON] == "STEP_FAILURE"
    [failed] = served.instance.all_logs(run.run_id, of_type={EventType.STEP_FAILURE})
    assert "ValueError: no" in str(failed.error_info)


def test_a_step_that_vanishes_has_failed_and_says_how(served: Served) -> None:
    run = served.launch("vanish")
    assert served.ended(run).status is RunStatus.FAILURE
    [failed] = served.instance.all_logs(run.run_id, of_type={EventType.STEP_FAILURE})
    assert "exit code 7" in str(failed.error_info)


def test_a_step_that_is_killed_is_tried_again_as_its_policy_says(served: Served) -> None:
    run = served.launch("vanish_twice")
    assert served.ended(run).is_success
    assert len(set(served.marks("attempt"))) == 3
    assert "SIGKILL" in str([one.error_info for one in served.instance.all_logs(run.run_id)])


def test_a_step_that_has_succeeded_is_not_done_again_if_its_process_is_killed_then(served: Served) -> None:
    """kestra#19678: finished is final."""
    run = served.launch("die_late")
    assert served.ended(run).is_success, served.messages(run)
    assert (len(served.marks("late")), len(served.marks("after"))) == (1, 1)
    kinds = [entry.event.event_type for entry in served.instance.all_logs(run.run_id)]
    assert kinds.count(EventType.STEP_SUCCESS) == 2
    assert EventType.STEP_UP_FOR_RETRY not in kinds


def test_cancel_ends_a_run_and_says_so_once(served: Served) -> None:
    run, pid = served.under_way("slow")
    assert cancel_run(served.instance, run.run_id)
    assert served.ended(run).status is RunStatus.CANCELED
    served.until(lambda: not is_alive(pid))
    assert not cancel_run(served.instance, run.run_id)
    ends = {EventType.RUN_CANCELED, EventType.RUN_FAILURE, EventType.RUN_SUCCESS}
    assert len(served.instance.all_logs(run.run_id, of_type=ends)) == 1


def test_a_run_that_ignores_the_signal_is_killed_after_its_grace(served: Served) -> None:
    run, pid = served.under_way("stubborn")
    cancel_run(served.instance, run.run_id)
    assert served.ended(run).status is RunStatus.CANCELED
    served.until(lambda: not is_alive(pid))


def test_a_run_that_waits_is_canceled_at_once(tmp_path: Path) -> None:
    with Instance.get(tmp_path) as instance:
        run = submit_run(instance, instance.create_run(job_name="any").run_id)
        assert cancel_run(instance, run.run_id)
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        assert found.status is RunStatus.CANCELED


def test_everything_that_a_run_started_ends_with_it(served: Served) -> None:
    run = served.launch("parent")
    served.until(lambda: served.marks("child=") and served.marks("grandchild"))
    child = int(re.findall(r"child=(\d+)", served.witness.read_text())[0])
    pids = [child, *served.marks("grandchild"), *served.marks("child=")]
    assert all(is_alive(pid) for pid in pids)
    cancel_run(served.instance, run.run_id)
    assert served.ended(run).status is RunStatus.CANCELED
    served.until(lambda: not any(is_alive(pid) for pid in pids))


@pytest.mark.parametrize("whom", ["step", "run", "keeper", "supervisor"])
def test_whoever_is_killed_the_run_has_an_end_and_nothing_is_left(served: Served, whom: str) -> None:
    run, step = served.under_way("slow")
    process = parent_of(step)
    keeper = parent_of(process)
    victims = {"step": step, "run": process, "keeper": keeper, "supervisor": served.supervisor(run)}
    os.kill(victims[whom], signal.SIGKILL)
    assert served.ended(run).status is RunStatus.FAILURE
    served.until(lambda: not any(is_alive(pid) for pid in victims.values()))
    assert len(served.marks("slow")) == 1  # nobody executed it again
    assert served.ended(served.launch("quick")).is_success


def test_nothing_is_left_when_a_keeper_and_its_location_are_killed_at_once(served: Served) -> None:
    run = served.launch("parent")
    served.until(lambda: served.marks("child=") and served.marks("grandchild"))
    child = int(re.findall(r"child=(\d+)", served.witness.read_text())[0])
    pids = [child, *served.marks("grandchild"), *served.marks("child=")]
    keeper = parent_of(parent_of(served.marks("child=")[0]))
    zygote = parent_of(keeper)
    os.kill(zygote, signal.SIGSTOP)  # it sees to nothing from now on
    os.kill(keeper, signal.SIGKILL)
    os.kill(zygote, signal.SIGKILL)
    assert served.ended(run).status is RunStatus.FAILURE
    served.until(lambda: not any(is_alive(pid) for pid in pids))


def test_nothing_is_executed_before_its_supervisor_owns_the_run(served: Served) -> None:
    """Of those that were started for it twice, one executes it."""

    def children(of: str) -> list[int]:
        return [pid for pid in kin.descendants(served.process.pid) if titled(parent_of(pid)) == of]

    [ours] = [pid for pid in kin.children(served.process.pid) if titled(pid) == "treadle-ours"]
    os.kill(ours, signal.SIGSTOP)
    run = served.launch("quick")
    served.until(lambda: len(children("treadle-keeper")) == 1)
    reload_location(served.instance, "defs.py")  # then what nobody has taken up is launched again
    served.until(lambda: len(children("treadle-keeper")) == 2)
    assert not served.marks("quick")
    os.kill(ours, signal.SIGCONT)
    assert served.ended(run).is_success
    assert len(served.marks("quick")) == 1


def test_what_code_has_started_while_it_was_imported_outlives_runs_that_are_killed(tmp_path: Path) -> None:
    start = "import subprocess\nhelper = subprocess.Popen(['sleep', '1000'])\n"
    end = "\nwith open(os.environ['WITNESS'], 'a') as file: file.write(f'helper {helper.pid}\\n')\n"
    served = Served(tmp_path, code=start + CODE + end)
    [helper] = served.marks("helper")
    run, step = served.under_way("slow")
    os.kill(parent_of(parent_of(step)), signal.SIGKILL)
    assert served.ended(run).status is RunStatus.FAILURE
    served.until(lambda: not is_alive(step))
    assert served.ended(served.launch("quick")).is_success
    assert is_alive(helper)
    os.kill(helper, signal.SIGKILL)
    served.close()


def test_runs_go_on_without_their_daemon_and_the_next_one_finds_them(tmp_path: Path) -> None:
    served = Served(tmp_path, "daemon run")
    run, step = served.under_way("slow")
    supervisor = served.supervisor(run)
    served.process.kill()
    ended(served.process)
    assert is_alive(step)
    assert is_alive(supervisor)
    served.process = served.start("daemon run")
    assert served.run(run).status is RunStatus.STARTED
    cancel_run(served.instance, run.run_id)
    assert served.ended(run).status is RunStatus.CANCELED
    assert served.ended(served.launch("quick")).is_success
    served.close()


def test_dev_ends_what_it_runs_and_leaves_nothing(tmp_path: Path) -> None:
    served = Served(tmp_path)
    run, step = served.under_way("slow")
    supervisor = served.supervisor(run)
    below = [served.process.pid, *kin.descendants(served.process.pid)]
    served.close()
    assert served.run(run).status is RunStatus.CANCELED
    served_pids = [*below, step, supervisor]
    deadline = time.monotonic() + PATIENCE_S
    while any(is_alive(pid) for pid in served_pids):
        assert time.monotonic() < deadline


def test_a_store_that_refuses_to_be_read_for_now_ends_no_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    service, looks = Service(tmp_path, []), iter(range(2))
    versions = iter([1])

    def look(loops: object) -> None:
        if next(looks, None) is None:
            service._stop()

    def version() -> int:
        if (found := next(versions, None)) is None:
            raise StoreError("The disk is full.")
        return found

    monkeypatch.setattr(service, "_look", look)
    monkeypatch.setattr(service, "_woken", lambda _: False)
    monkeypatch.setattr(service, "_renew_at", float("inf"))
    monkeypatch.setattr(service._front, "tend", lambda: None)
    monkeypatch.setattr(service._instance.store.database, "data_version", version)
    service._serve()
    assert capfd.readouterr().err == "error: The disk is full. It is tried again.\n"


def test_two_daemons_launch_each_run_once(tmp_path: Path) -> None:
    served = Served(tmp_path)
    other = served.start("dev")
    runs = [served.launch("quick") for _ in range(10)]
    assert all(served.ended(run).is_success for run in runs)
    assert len(served.marks("quick")) == len(runs)
    other.send_signal(signal.SIGINT)
    ended(other)
    served.close()
