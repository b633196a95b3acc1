"""The `dagster` command."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagster.__main__ import main

DEFINITIONS = """
import dagster as dg

@dg.asset
def a():
    return 1

@dg.asset
def b(a):
    return a + 1

@dg.op
def say():
    return "hello"

@dg.job
def talk():
    say()

defs = dg.Definitions(assets=[a, b], jobs=[talk])
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "defs.py").write_text(DEFINITIONS)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(args)
    return ended.value.code  # pyright: ignore[reportReturnType]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--version") == 0
    assert capsys.readouterr().out == "dagster, version 1.13.27\n"


def test_assets(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("asset", "list", "-f", "defs.py") == 0
    assert capsys.readouterr().out.split() == ["a", "b"]
    assert call("asset", "materialize", "-f", "defs.py", "--select", "a") == 0
    capsys.readouterr()
    assert call("run", "list") == 0
    assert "SUCCESS" in capsys.readouterr().out


def test_jobs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("job", "execute", "-f", "defs.py", "-j", "talk") == 0
    capsys.readouterr()
    assert call("job", "list", "-f", "defs.py") == 0
    assert "talk" in capsys.readouterr().out


def test_a_job_is_printed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("job", "print", "-f", "defs.py", "-j", "talk") == 0
    assert capsys.readouterr().out == "Job: talk\nOps\n  Op: say\n"
    assert call("job", "print", "-f", "defs.py", "--verbose") == 0
    assert "    Outputs:\n    result\n" in capsys.readouterr().out
    assert call("job", "print", "-f", "defs.py", "-j", "nothing_here") != 0


def test_definitions(project: Path) -> None:
    assert call("definitions", "validate", "-f", "defs.py") == 0
    (project / "broken.py").write_text("import nothing_here\n")
    assert call("definitions", "validate", "-f", "broken.py") == 1


def test_options_without_a_counterpart_are_taken(project: Path) -> None:
    options = ("--log-level", "info", "--log-format=json", "-v", "--load-with-grpc")
    assert call("definitions", "validate", *options, "-f", "defs.py") == 0
    assert call("definitions", "validate", "-f", "broken.py", *options) != 0
    assert call("asset", "list", "-f", "defs.py", "--log-level", "info") == 2


@pytest.mark.parametrize("args", [("api", "grpc"), ("project", "scaffold"), ("debug", "export")])
def test_what_has_no_counterpart_says_so(args: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*args) == 2
    assert f"`dagster {args[0]}" in capsys.readouterr().err


def test_what_nobody_has_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("nothing_here") == 2
    assert "nothing_here" in capsys.readouterr().err
