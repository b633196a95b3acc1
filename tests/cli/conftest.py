"""A project in a temporary folder, and the command line called in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from treadle.cli.main import run
from treadle.host.definitions import separate_modules


@dataclass
class Called:
    """How a call of the command line ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, empty but for its home; what is imported and set in it is gone afterwards."""
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    with separate_modules():
        yield tmp_path
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def treadle(project: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Called]:
    """Calls the command line: `treadle("asset", "list")`."""

    def call(*args: str) -> Called:
        capfd.readouterr()
        code = run(args)
        captured = capfd.readouterr()
        return Called(code, captured.out, captured.err)

    return call


@pytest.fixture
def write(project: Path) -> Callable[..., Path]:
    """Writes a file of the project: `write("defs.py", text)`."""

    def make(name: str, text: str) -> Path:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return make
