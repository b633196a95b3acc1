"""`treadle dev` and the daemon as processes: several on one home, and their end."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.daemon.test_locations import Located
from tests.daemon.test_service import CODE, Served, ended

from treadle.core.keys import AssetKey
from treadle.daemon.runs import waiting_runs
from treadle.host.launching import submit_run
from treadle.state.events import EventType

MANY = """
from treadle import Definitions, asset
import os, time

def made(number):
    @asset(name=f"asset_{number}")
    def each(): return number
    return each

@asset
def endless():
    with open(os.environ["WITNESS"], "a") as file:
        file.write(f"endless {os.getpid()}\\n")
    while True:
        time.sleep(60)

defs = Definitions(assets=[endless, *(made(number) for number in range(5000))])
"""

OTHER = """
from treadle import AutomationCondition, Definitions, ScheduleDefinition, asset, job, op

@op
def fail(): raise ValueError("no")

@job
def fail_job(): fail()

@asset(automation_condition=AutomationCondition.eager())
def eager(): ...

defs = Definitions([eager], jobs=[fail_job], schedules=[ScheduleDefinition(job=fail_job, cron_schedule="0 0 * * *")])
"""


def of_home(home: Path) -> set[int]:
    """The processes that work for a home."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                environ = (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if f"TREADLE_HOME={home}".encode() in environ.split(b"\0") and state != "Z":
                found.add(int(entry.name))
    return found


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What a process prints, up to a line with this text."""
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or text not in lines[-1]:
        line = process.stdout.readline()
        assert line, lines
        lines.append(line)
    return "".join(lines)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.close()


def test_a_run_waits_whose_code_only_a_follower_has_and_says_so(served: Served) -> None:
    (served.folder / "other.py").write_text((served.folder / "defs.py").read_text())
    second = served.start("daemon run -f other.py")
    try:
        made = served.instance.create_run(job_name="quick_job", location_name="other.py")
        submit_run(served.instance, made.run_id)
        assert served.ended(served.launch("quick", location="defs.py")).is_success  # the queue has been looked at
        ((record, why),) = waiting_runs(served.instance)
        assert record.run.run_id == made.run_id
        assert f"process {second.pid}, and process {served.process.pid} executes" in why
        served.process.send_signal(signal.SIGINT)
        assert served.ended(made).is_success
    finally:
        second.send_signal(signal.SIGINT)
        ended(second)


def test_a_second_one_says_who_leads_and_takes_over(served: Served) -> None:
    second = served.start("daemon run")
    try:
        said = read_until(second, "Another process")
        assert f" {served.process.pid} on " in said
        served.process.send_signal(signal.SIGINT)
        read_until(second, "this one executes")
        assert served.ended(served.launch("quick")).is_success
    finally:
        second.send_signal(signal.SIGTERM)
        ended(second)


def test_incident_shutdown_the_end_of_dev_with_5000_assets_leaves_no_process(tmp_path: Path) -> None:
    served = Served(tmp_path, code=MANY)
    try:
        key = frozenset({AssetKey("endless")})
        made = served.instance.create_run(job_name="__ASSET_JOB", asset_selection=key)
        run = submit_run(served.instance, made.run_id)
        served.until(lambda: served.marks("endless"))
        assert len(of_home(served.home)) > 4
        end = os.pidfd_open(served.process.pid)
        served.process.send_signal(signal.SIGINT)
        assert select.select([end], [], [], 10)[0]  # it takes a second; a machine under load may take longer
        os.close(end)
        served.until(lambda: not of_home(served.home))
        assert served.run(run).status.value == "CANCELED"
    finally:
        served.close()


def test_a_daemon_may_wait_for_the_runs_that_it_started(tmp_path: Path) -> None:
    settings = "code_servers: {wait_for_local_processes_on_shutdown: true}"
    with closing(Served(tmp_path, "daemon run", CODE, settings)) as served:
        run, pid = served.under_way("slow")
        served.process.send_signal(signal.SIGTERM)
        os.kill(pid, signal.SIGKILL)
        served.process.wait()
        assert served.run(run).is_failure
        assert served.instance.all_logs(run.run_id, of_type={EventType.RUN_FAILURE})


def test_dev_says_what_is_loaded_and_what_becomes_of_runs(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import nothing_of_this_name")
    (tmp_path / "other.py").write_text(OTHER)
    served = Located(tmp_path, "dev -p 0 -f bad.py -f other.py")
    try:
        loaded = "2 of 3 code locations (other.py, defs.py); bad.py could not be loaded"
        assert served.ready == f"Ready: {loaded}. Home: {served.home}. Ctrl-C ends it.\n"
        failed = served.submit("fail_job", "other.py")
        clock = r"\d\d:\d\d:\d\d  "
        told = read_until(served.process, "failed")
        assert re.search(rf"^{clock}run {failed.run_id[:8]}  fail_job  started$", told, re.MULTILINE)
        assert re.search(rf"^{clock}run .*  fail_job  failed in \S+: step fail: ValueError: no$", told, re.MULTILINE)
        assert "1 schedule, 1 automation condition: this version does not start them by itself yet" in served.errors
        done = served.submit("say_job")
        assert f"run {done.run_id[:8]}  say_job  succeeded in " in read_until(served.process, "succeeded")
        slow = served.submit("slow_job")
        served.until(lambda: served.marks("slow") and served.run(slow).status.value == "STARTED")
        waits = submit_run(
            served.instance, served.instance.create_run(job_name="say_job", location_name="bad.py").run_id
        )
        served.process.send_signal(signal.SIGINT)
        assert f"run {slow.run_id[:8]}  slow_job  canceled in " in read_until(served.process, "canceled")
        served.process.wait()
        assert served.run(waits).status.value == "QUEUED"
    finally:
        served.close()


def test_settings_that_have_no_effect_yet_are_named(tmp_path: Path) -> None:
    settings = "schedules: {use_threads: true, num_workers: 4}\ntelemetry: {}"
    with closing(Served(tmp_path, "daemon run", CODE, settings)) as served:
        assert "no effect yet: schedules." in read_until(served.process, "effect")


def test_a_daemon_that_cannot_begin_leaves_nothing_that_loads_code(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "treadle.yaml").write_text("nonsense: 1")
    (tmp_path / "defs.py").write_text("import threading; threading.Event().wait(60)")
    done = subprocess.run(
        [Path(sys.executable).with_name("treadle"), "dev", "-f", "defs.py"], cwd=tmp_path, capture_output=True,
        text=True, timeout=30, check=False, env={**os.environ, "TREADLE_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert done.returncode == 1
    assert "nonsense" in done.stderr
    assert of_home(tmp_path / "home") == set()
