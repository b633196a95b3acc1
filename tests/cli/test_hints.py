"""What commands say to people who are nearly right, or look at a home where little has happened."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.cli import output
from treadle.core.keys import AssetKey
from treadle.host import launching as host_launching
from treadle.host.instance import Instance
from treadle.host.launching import submit_run
from treadle.host.settings import SettingsError, load_settings
from treadle.runtime.limits import seconds_text
from treadle.state.error_info import ErrorInfo
from treadle.state.runs import Run
from treadle.store.locations import LocationRecord

DEFS = """
import treadle as t

@t.asset
def orders(): return 1

@t.job
def fine(): ...

defs = t.Definitions(assets=[orders], jobs=[fine])
"""


@pytest.fixture(autouse=True)
def definitions(write: Callable[..., Path]) -> None:
    write("defs.py", DEFS)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("assets", "Did you mean 'asset'?"),
        ("run list --status FAILED", "Did you mean 'FAILURE'? There are QUEUED, NOT_STARTED, STARTING, STARTED, SUCC"),
        ("asset list -f gone.py", "There is no file 'gone.py'"),
        ("dev -f gone.py", "There is no file 'gone.py'"),
        ("dev -w gone.yaml", "There is no workspace file 'gone.yaml'"),
        ("location reload defs.py", "Nobody serves code locations in this home."),
        ("run show 3f2a", "there is no store yet in"),
    ],
)
def test_what_cannot_be_right_ends_with_2_and_says_what_may_be(
    treadle: Callable[..., Any], command: str, said: str
) -> None:
    called = treadle(*command.split())
    assert called.code == 2
    assert said in called.err
    assert "MANAGED" not in called.err


def test_a_wrong_value_of_a_variable_names_it(treadle: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_CLI_RUN_LIST_LIMIT", "x")
    assert "The variable TREADLE_CLI_RUN_LIST_LIMIT says so" in treadle("run", "list").err
    assert "variable" not in treadle("run", "list", "--limit", "y").err


def test_reading_makes_no_store(treadle: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    monkeypatch.setenv("TREADLE_HOME", str(project / "typo"))
    for command in ("run list", "queue list", "pool list", "run wipe", "instance info", "asset show orders -f defs.py"):
        called = treadle(*command.split())
        assert called.code == 0, called.err
        if command != "instance info":
            assert called.err.startswith(f"There is no store yet in {project / 'typo'}.")
    assert json.loads(treadle("run", "list", "--json").out) == []
    assert not (project / "typo").exists()


def test_a_success_is_run_again_with_all_steps(treadle: Callable[..., Any]) -> None:
    treadle("job", "execute", "-f", "defs.py", "-j", "fine")
    [run] = json.loads(treadle("run", "list", "--json").out)
    called = treadle("run", "retry", run["run_id"])
    assert called.code == 2
    assert f"`treadle run retry {run['run_id'][:8]} --all-steps`" in called.err


def test_an_empty_selection_says_so(treadle: Callable[..., Any]) -> None:
    called = treadle("asset", "list", "-f", "defs.py", "--select", "group:nobody")
    assert (called.code, called.out) == (0, "")
    assert "selects nothing" in called.err


@pytest.fixture
def instance(treadle: Callable[..., Any], project: Path) -> Any:
    with Instance.get(project / ".treadle") as made:
        yield made


def queued(instance: Instance, **given: Any) -> Run:
    return submit_run(instance, instance.create_run(location_name="defs.py", **given).run_id)


def test_ctrl_c_while_waiting_says_that_the_run_stays(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, treadle: Callable[..., Any]
) -> None:
    run = queued(instance, job_name="fine")

    def interrupted(*_: object) -> Run:
        raise KeyboardInterrupt

    monkeypatch.setattr(host_launching, "await_run", interrupted)
    called = treadle("run", "wait", run.run_id)
    assert called.code == 130
    assert f"waits in the queue still. `treadle run cancel {run.run_id[:8]}` ends it." in called.err


def test_what_a_run_is_about(instance: Instance) -> None:
    assert output.about(queued(instance, job_name="__ASSET_JOB")) == "all assets"
    keys = {AssetKey("orders")}
    assert output.about(queued(instance, job_name="__ASSET_JOB", asset_selection=keys)) == "orders"


def test_locations_that_failed(instance: Instance, treadle: Callable[..., Any]) -> None:
    queued(instance, job_name="fine")
    error = ErrorInfo("treadle.errors.LoadError: no" + " more" * 100 + "\nTraceback")
    instance.store.locations.put(LocationRecord("defs.py", "failed", 0.0, error=error))
    shown = treadle("instance", "info").out
    assert "no more more" in shown
    assert "… (--json has all of it)" in shown
    assert "Traceback" not in shown
    assert treadle("queue", "list").code == 0
    assert instance.store.locations.all()[0].hindrance == "could not be loaded"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1\nb: 2", "is not valid YAML: .*line 2, column 2. Mend that line"),
        ("concurency: {}", r"Did you mean 'concurrency'\? docs/instance.md describes the settings"),
    ],
)
def test_settings_say_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "treadle.yaml").write_text(text)
    with pytest.raises(SettingsError, match=said):
        load_settings(tmp_path)


def test_one_second_is_no_plural() -> None:
    assert [seconds_text(1), seconds_text(1.5), seconds_text(60.0)] == ["1 second", "1.5 seconds", "60 seconds"]


def test_tables_fit_narrow_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    run_id = "02935215-838c-4972-975e-205a3d84c44f"
    rows = [(run_id, "QUEUED", "__ASSET_JOB", "Nobody executes runs in this home: `treadle dev` does.")]
    lines = output.table(rows, ("run", "status", "job", "about")).splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[1].split()[:3] == ["02935215", "QUEUED", "__ASSET_JOB"]
    assert " ".join(" ".join(line.split()[-4:]) for line in lines[1:]).count("home:") == 1
    assert run_id in output.table(rows), "without a header it is no list"
    monkeypatch.setenv("COLUMNS", "200")
    assert run_id in output.table(rows, ("run", "status", "job", "about"))


def test_a_dumb_terminal_gets_no_escape_codes(project: Path) -> None:
    for command in ("asset materialize -f defs.py --select *", "asset show -f defs.py orders", "run lst"):
        ours, theirs = pty.openpty()
        with os.fdopen(theirs, "wb") as terminal:
            code = "from treadle.cli.main import main; main()"
            subprocess.run(
                [sys.executable, "-c", code, *command.split()], stdout=terminal, stderr=terminal, cwd=project,
                env={**os.environ, "TERM": "dumb"}, check=False,
            )  # fmt: skip
        shown = os.read(ours, 10_000)
        os.close(ours)
        assert shown
        assert b"\x1b" not in shown
