"""`treadle run`, `treadle job`, `treadle instance`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.host.instance import Instance

DEFS = """
import os
import treadle as t

@t.op
def one():
    os.write(1, b"to stdout\\n")
    os.write(2, b"to stderr\\n")
    return 1

@t.op
def two(one):
    raise t.Failure("as planned", metadata={"why": "because"})

@t.job(description="Fails.")
def failing():
    two(one())

@t.job
def fine():
    one()

defs = t.Definitions(jobs=[failing, fine])
"""


@pytest.fixture(autouse=True)
def jobs(write: Callable[..., Path]) -> None:
    write("defs.py", DEFS)


@pytest.fixture
def ran(treadle: Callable[..., Any]) -> dict[str, str]:
    """A run of each job: their ids by name."""
    for name in ("failing", "fine"):
        treadle("job", "execute", "-f", "defs.py", "-j", name, "--tags", f"job={name}")
    return {one["job_name"]: one["run_id"] for one in json.loads(treadle("run", "list", "--json").out)}


def test_job_list(treadle: Callable[..., Any]) -> None:
    assert treadle("job", "list", "-f", "defs.py").out.split() == ["failing", "fine"]
    found = json.loads(treadle("job", "list", "-f", "defs.py", "--json").out)
    assert [(one["name"], one["ops"]) for one in found] == [("failing", ["one", "two"]), ("fine", ["one"])]


def test_job_execute(treadle: Callable[..., Any]) -> None:
    called = treadle("job", "execute", "-f", "defs.py", "-j", "failing")
    assert called.code == 1
    assert "two  failed: as planned" in called.out
    assert "why  because" in called.out
    assert "of failing failed: step 'two' failed" in called.err
    assert treadle("job", "execute", "-f", "defs.py", "-j", "failing", "-o", "one").code == 0
    called = treadle("job", "execute", "-f", "defs.py")
    assert (called.code, "Choose one with -j. These are there: failing, fine" in called.err) == (2, True)


def test_the_only_job_needs_no_name(treadle: Callable[..., Any]) -> None:
    assert treadle("job", "execute", "-f", "defs.py", "-a", "fine").code == 0


def test_list(treadle: Callable[..., Any], ran: dict[str, str]) -> None:
    lines = treadle("run", "list").out.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        [ran["fine"], "SUCCESS", "fine"],
        [ran["failing"], "FAILURE", "failing"],
    ]
    for args in (["--status", "failure"], ["-j", "failing"], ["--tag", "job=failing"]):
        found = json.loads(treadle("run", "list", "--json", *args).out)
        assert [one["run_id"] for one in found] == [ran["failing"]]
    assert len(json.loads(treadle("run", "list", "--json", "--limit", "1").out)) == 1
    assert treadle("run", "list", "--tag", "job").code == 2


def test_a_run_that_waits_says_why(treadle: Callable[..., Any], project: Path) -> None:
    run_id = treadle("run", "launch", "-j", "any").out.strip()
    [found] = json.loads(treadle("run", "list", "--status", "QUEUED", "--json").out)
    assert (found["run_id"], found["held"][:21]) == (run_id, "Nobody executes runs ")
    assert "Nobody executes runs" in treadle("run", "list").out
    assert run_id in treadle("queue", "list").out
    assert treadle("queue", "pause").code == 0
    assert "The queue is paused" in treadle("queue", "list").err
    assert json.loads(treadle("queue", "list", "--json").out)["paused"] is True
    assert treadle("queue", "resume").code == 0
    assert treadle("queue", "list").err == ""


def test_what_another_run_did_is_run_again_as_asked(treadle: Callable[..., Any], ran: dict[str, str]) -> None:
    for options, expected in (
        ([], {"dagster/is_resume_retry": "true"}),
        (["--from-failure"], {"dagster/is_resume_retry": "true"}),
        (["--steps", "two, one+"], {"dagster/step_selection": "two,one+"}),
        (["--all-steps"], {}),
    ):
        called = treadle("run", "retry", ran["failing"][:8], *options)
        with Instance.get() as instance:
            run = instance.get_run_by_id(called.out.strip())
        assert run is not None
        assert (run.parent_run_id, run.tags["job"], run.status.value) == (ran["failing"], "failing", "QUEUED")
        kinds = ("dagster/is_resume_retry", "dagster/step_selection")
        assert {key: value for key, value in run.tags.items() if key in kinds} == expected
    called = treadle("run", "retry", ran["failing"], "--all-steps", "--steps", "two")
    assert (called.code, "Give one of them" in called.err) == (2, True)
    called = treadle("run", "retry", ran["fine"])
    assert (called.code, "no failure to continue from" in called.err) == (2, True)


def test_one_of_two_streams(treadle: Callable[..., Any], ran: dict[str, str]) -> None:
    assert treadle("run", "logs", ran["fine"], "--stderr").out == "to stderr\n"
    called = treadle("run", "logs", ran["fine"], "--stdout", "--step", "one", "--follow")
    assert (called.out, called.err) == ("to stdout\n", "")


def test_list_of_nothing(treadle: Callable[..., Any], project: Path) -> None:
    called = treadle("run", "list")
    assert (called.code, called.out, called.err) == (
        0,
        "",
        f"There is no store yet in {project / '.treadle'}.\nThere are no runs.\n",
    )


def test_show(treadle: Callable[..., Any], ran: dict[str, str]) -> None:
    out = treadle("run", "show", ran["failing"][:6]).out
    assert "status   FAILURE" in out
    assert "tags     dagster/failure_reason=STEP_FAILURE, job=failing" in out
    assert "one  SUCCEEDED" in out
    assert "step two failed: as planned" in out
    assert "why  because" in out
    document = json.loads(treadle("run", "show", ran["failing"], "--json").out)
    assert document["success"] is False
    assert {one["key"]: one["status"] for one in document["steps"]} == {"one": "SUCCEEDED", "two": "FAILED"}


def test_prefix_that_means_several(treadle: Callable[..., Any], project: Path) -> None:
    with Instance.get() as instance:
        for last in "01":
            instance.create_run(job_name="j", run_id=f"aaaa0000-0000-4000-8000-00000000000{last}")
    called = treadle("run", "show", "aaaa")
    assert (called.code, "Several runs begin with 'aaaa'" in called.err) == (2, True)


def test_logs_go_where_they_belong(treadle: Callable[..., Any], ran: dict[str, str]) -> None:
    for args in ([], ["--step", "one"]):
        called = treadle("run", "logs", ran["fine"], *args)
        assert (called.out, called.err) == ("to stdout\n", "to stderr\n")
    called = treadle("run", "logs", ran["fine"], "--step", "two")
    assert (called.code, "It executed: one" in called.err) == (2, True)


def test_delete_and_wipe(treadle: Callable[..., Any], ran: dict[str, str]) -> None:
    called = treadle("run", "delete", ran["fine"], "-f")
    assert called.out == f"Deleted run {ran['fine']}.\n"
    assert [one["run_id"] for one in json.loads(treadle("run", "list", "--json").out)] == [ran["failing"]]
    assert treadle("run", "wipe", "--force").out == "Deleted 1 run.\n"
    assert treadle("run", "wipe").out == "There are no runs.\n"


def test_nobody_answers(treadle: Callable[..., Any], ran: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/null") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        called = treadle("run", "delete", ran["fine"])
    assert called.code == 1
    assert "Nothing was changed." in called.err
    assert len(json.loads(treadle("run", "list", "--json").out)) == 2


def test_instance_info(
    treadle: Callable[..., Any], ran: dict[str, str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = json.loads(treadle("instance", "info", "--json").out)
    assert (found["home"], found["home_chosen_by"]) == (str(project / ".treadle"), "the project")
    assert found["runs"] == 2
    home = project / "elsewhere"
    home.mkdir()
    (home / "treadle.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    out = treadle("instance", "info").out
    assert f"{home} (chosen by DAGSTER_HOME)" in out
    assert "telemetry:\n    enabled: false" in out
    assert not (home / "treadle.db").exists()  # looking changes nothing


def test_instance_with_broken_settings(
    treadle: Callable[..., Any], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "dagster.yaml").write_text("telemetri: {}\n")
    monkeypatch.setenv("TREADLE_HOME", str(project))
    called = treadle("run", "list")
    assert called.code == 1
    assert called.err.startswith(f"error: {project / 'dagster.yaml'}: ")


def test_instance_migrate(treadle: Callable[..., Any], ran: dict[str, str], project: Path) -> None:
    called = treadle("instance", "migrate")
    assert called.code == 0
    assert called.out.startswith(str(project / ".treadle" / "treadle.db"))
    assert "already" in called.out


def test_dot_env_is_read_first_and_what_is_set_stays(
    treadle: Callable[..., Any], write: Callable[..., Path], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAYS", "before")
    write(".env", f"TREADLE_HOME={project}/from_env\nSTAYS=after\n")
    write("env_defs.py", "import os, treadle\n@treadle.asset(name=os.environ['STAYS'])\ndef f(): ...\n")
    assert json.loads(treadle("instance", "info", "--json").out)["home"] == f"{project}/from_env"
    assert treadle("asset", "list", "-f", "env_defs.py").out == "before\n"
