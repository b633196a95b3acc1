"""Code locations through real processes: those that cannot be loaded, end, change, or start threads."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.test_service import MARK, Served, is_alive

from treadle.cli.main import run as call
from treadle.daemon.page import StatusPage
from treadle.errors import InvocationError
from treadle.host.instance import Instance
from treadle.host.launching import cancel_run, reload_location, submit_run
from treadle.runtime import kin
from treadle.state.events import EventType
from treadle.state.runs import Run, RunStatus
from treadle.store.locations import LocationRecord

CODE = (
    MARK
    + """
import os, time
from treadle import Definitions, job, op

@op
def say(): mark("old")

@op
def slow():
    mark("slow")
    while True:
        time.sleep(60)

@job
def say_job(): say()

@job
def slow_job(): slow()

defs = Definitions(jobs=[say_job, slow_job])
"""
)
BROKEN = "def broken():\n    raise ValueError('<b>no</b>')\nbroken()\n"
THREADED = (
    CODE + "import threading\nthreading.Thread(target=time.sleep, args=(1000,), name='ticker', daemon=True).start()\n"
)


class Located(Served):
    """A home in which a daemon serves defs.py and perhaps others; what it prints to stderr is in a file."""

    def start(self, command: str) -> subprocess.Popen[str]:
        (self.folder / "defs.py").write_text(CODE)
        with (self.folder / "errors").open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-c", "from treadle.cli.main import main; main()", *command.split(), "-f", "defs.py"],
                cwd=self.folder, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True,
                env={**os.environ, "TREADLE_HOME": str(self.home), "WITNESS": str(self.witness)},
            )  # fmt: skip
        assert process.stdout is not None
        self.ready = process.stdout.readline()
        assert self.ready.startswith("Ready"), self.errors
        return process

    @property
    def errors(self) -> str:
        return (self.folder / "errors").read_text()

    def submit(self, job: str, location: str = "defs.py") -> Run:
        return submit_run(self.instance, self.instance.create_run(job_name=job, location_name=location).run_id)

    def location(self, name: str = "defs.py") -> LocationRecord:
        return next(one for one in self.instance.store.locations.all() if one.name == name)

    def zygote(self) -> int:
        owner = self.location().owner
        assert owner is not None
        return kin.pid_of(owner)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Located]:
    made = Located(tmp_path, "daemon run")
    yield made
    made.close()


def page_of(url: str, host: str | None = None) -> str:
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def test_the_runs_of_a_location_that_cannot_be_loaded_wait_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(BROKEN)
    served = Located(tmp_path, "dev -p 0 -f other.py")
    assert served.process.stdout is not None
    url = served.process.stdout.readline().removeprefix("Status: ").strip()
    assert "ValueError: <b>no</b>" in served.errors
    assert str(Path("treadle", "host")) not in served.errors
    waits = served.submit("say_job", "other.py")
    assert served.ended(served.submit("say_job")).is_success
    assert served.run(waits).status is RunStatus.QUEUED
    served.until(lambda: "Its code location &#x27;other.py&#x27; could not be loaded." in page_of(url))
    shown = page_of(url)
    assert "ValueError: &lt;b&gt;no&lt;/b&gt;" in shown
    assert "<b>" not in shown
    (tmp_path / "other.py").write_text(CODE)  # it is watched
    assert served.ended(waits).is_success
    served.close()


def test_new_code_is_for_new_runs_and_broken_code_for_none(served: Located) -> None:
    slow, step = served.under_way("slow")
    old = served.zygote()
    (served.folder / "defs.py").write_text(CODE.replace('"old"', '"new"'))
    assert reload_location(served.instance, "defs.py").state == "ready"
    assert served.ended(served.submit("say_job")).is_success
    assert served.marks("new")
    assert is_alive(old)
    assert is_alive(step)
    for code, why in ((BROKEN, "ValueError"), ("import os; os._exit(3)", "exit code 3")):
        (served.folder / "defs.py").write_text(code)
        failed = reload_location(served.instance, "defs.py")
        assert failed.state == "failed"
        assert why in str(failed.error)
    assert "say_job" in served.instance.store.locations.manifests()["defs.py"].job_names
    assert served.ended(served.submit("say_job")).is_success
    cancel_run(served.instance, slow.run_id)
    assert served.ended(slow).status is RunStatus.CANCELED
    served.until(lambda: not is_alive(old))


def test_sighup_loads_everything_again(served: Located) -> None:
    before = served.zygote()
    served.process.send_signal(signal.SIGHUP)
    served.until(lambda: served.zygote() != before)
    served.until(lambda: not is_alive(before))


def test_a_location_whose_process_is_killed_comes_back(served: Located) -> None:
    slow, step = served.under_way("slow")
    for _ in range(2):
        before = served.zygote()
        os.kill(before, signal.SIGKILL)
        assert served.ended(served.submit("say_job")).is_success
        assert served.zygote() != before
    assert len(served.marks("old")) == 2
    assert is_alive(step)
    cancel_run(served.instance, slow.run_id)
    assert served.ended(slow).status is RunStatus.CANCELED
    served.until(lambda: not is_alive(step))


def test_a_run_of_an_unknown_location_fails_and_says_so(served: Located) -> None:
    run = served.ended(served.submit("say_job", "def.py"))
    assert run.status is RunStatus.FAILURE
    [failed] = served.instance.all_logs(run.run_id, of_type={EventType.RUN_FAILURE})
    assert "Did you mean 'defs.py'" in str(failed.error_info)


def test_code_that_starts_threads_is_not_forked(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(THREADED)
    served = Located(tmp_path, "daemon run -f other.py")
    assert "starts threads (ticker)" in served.errors
    assert "ticker" in str(served.location("other.py").warning)
    assert served.location().warning is None
    assert served.ended(served.submit("say_job", "other.py")).is_success
    slow = served.submit("slow_job", "other.py")
    served.until(lambda: served.marks("slow"))
    command = Path(f"/proc/{served.marks('slow')[0]}/cmdline").read_text()
    assert "treadle.host.keeper" in command
    cancel_run(served.instance, slow.run_id)
    assert served.ended(slow).status is RunStatus.CANCELED
    served.close()


def test_the_command_line_knows_what_is_served(
    served: Located, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TREADLE_HOME", str(served.home))
    assert call(["run", "launch", "-j", "say_jobb"]) == 2
    assert "Did you mean 'say_job'" in capfd.readouterr().err
    assert call(["run", "launch", "-j", "say_job", "-l", "dfs.py"]) == 2
    assert "Did you mean 'defs.py'" in capfd.readouterr().err
    assert call(["run", "launch", "-j", "say_job", "--wait"]) == 0
    assert call(["location", "reload", "def.py"]) == 2
    assert call(["location", "reload", "defs.py"]) == 0
    assert re.search(r"defs.py is loaded \(in [0-9.]+ s\)", capfd.readouterr().out)
    assert call(["instance", "info", "--json"]) == 0
    [shown] = json.loads(capfd.readouterr().out)["locations"]
    assert (shown["name"], shown["state"], shown["error"]) == ("defs.py", "ready", None)
    assert shown["memory_bytes"] > 2**20
    assert shown["load_seconds"] > 0
    (served.folder / "defs.py").write_text(BROKEN)
    assert call(["location", "reload", "defs.py"]) == 1
    assert "New runs have the old code." in capfd.readouterr().err


def test_the_page_is_only_for_this_machine_and_only_to_look_at(tmp_path: Path) -> None:
    with Instance.get(tmp_path) as instance:
        page = StatusPage(instance, "127.0.0.1", 0, dict)
        assert "<h1>Treadle</h1>" in page_of(page.url)
        for url, host, code in ((page.url + "/x", None, 404), (page.url, "example.org", 403)):
            with pytest.raises(urllib.error.HTTPError, match=str(code)) as caught:
                page_of(url, host)
            caught.value.close()
        with pytest.raises(InvocationError, match="Choose another port with -p"):
            StatusPage(instance, "127.0.0.1", int(page.url.rpartition(":")[2]), dict)
        page.close()
        with pytest.raises(urllib.error.URLError):
            page_of(page.url)


def test_a_taken_port_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert call(["dev", "--empty-workspace", "-p", str(port)]) == 2
    assert f"127.0.0.1:{port}" in capfd.readouterr().err
