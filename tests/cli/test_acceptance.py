"""The console script as a process: versions, what it imports, pipes, terminals, signals."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from treadle._version import __version__

SCRIPT = Path(sys.executable).with_name("treadle")
HEAVY = ("rich", "pydantic", "yaml", "sqlalchemy", "alembic", "asyncio")
ONE = "import treadle\n\n@treadle.asset\ndef one():\n    print('printed', flush=True)\n"
CYCLE = """import gc, os, treadle

class Cycle:
    def __init__(self):
        self.itself = self

    def __del__(self, write=os.write):
        write(1, b"collected")

@treadle.asset
def cycle():
    assert gc.isenabled()
    Cycle()
"""
LONG = (
    "import threading, treadle\n\n@treadle.asset\ndef long():\n    print('READY', flush=True)\n"
    "    threading.Event().wait(60)\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path / "home"))
    (tmp_path / "one.py").write_text(ONE)
    (tmp_path / "long.py").write_text(LONG)
    return tmp_path


def treadle(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, *args], capture_output=True, text=True, timeout=60, check=False)


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert __version__ == project["version"]
    assert treadle("--version").stdout == f"treadle, version {__version__}\n"


def test_garbage_of_user_code_is_collected(folder: Path) -> None:
    (folder / "cycle.py").write_text(CYCLE)
    done = treadle("asset", "materialize", "-f", "cycle.py")
    assert done.returncode == 0
    assert done.stdout.endswith("collected")


@pytest.mark.parametrize(
    ("args", "unwanted"),
    [
        (["--help"], (*HEAVY, "msgspec", "treadle.author.assets")),
        (["asset", "list", "-f", "one.py"], (*HEAVY, "sqlite3", "treadle.runtime", "treadle.store")),
        (["asset", "materialize", "-f", "one.py"], HEAVY),
        (["run", "list"], (*HEAVY, "treadle.runtime")),
    ],
)
def test_commands_import_what_they_need_only(args: list[str], unwanted: tuple[str, ...], folder: Path) -> None:
    code = (
        "import sys; from treadle.cli.main import run; code = run(sys.argv[2:]);"
        "print([name for name in sys.argv[1].split() if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, " ".join(unwanted), *args], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"


def test_json_in_a_pipe_has_the_document_alone(folder: Path) -> None:
    done = treadle("asset", "materialize", "-f", "one.py", "--json")
    assert json.loads(done.stdout)["success"] is True
    assert "printed" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_cancels_the_run(number: signal.Signals, code: int, folder: Path) -> None:
    with subprocess.Popen(
        [SCRIPT, "asset", "materialize", "-f", "long.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "READY" in line:
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "canceled" in out
    assert "Traceback" not in out + err
    assert treadle("run", "list").stdout.splitlines()[1].split()[1] == "CANCELED"


def test_run_goes_on_when_nobody_reads(folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [SCRIPT, "asset", "materialize", "-f", "one.py"],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writer)
    assert "Traceback" not in done.stderr
    assert treadle("run", "list").stdout.splitlines()[1].split()[1] == "SUCCESS"


def on_terminal(*args: str, once_shown: tuple[str, Callable[[], None]] | None = None) -> str:
    """What a command shows on a terminal. `once_shown`: a text, and what to do when it is there."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(SCRIPT, [str(SCRIPT), *args])
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other side has ended
            break
        if not piece:
            break
        shown += piece
        if once_shown is not None and once_shown[0].encode() in shown:
            once_shown[1]()
            once_shown = None
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(terminal)
    return shown.decode()


def test_terminal_shows_prints_and_progress(folder: Path) -> None:
    text = on_terminal("asset", "materialize", "-f", "one.py")
    assert text.index("printed") < text.index("succeeded in")
    assert text.index("materialized one") < text.index("succeeded in")


def test_terminal_shows_what_runs_while_it_takes_long(folder: Path) -> None:
    gate = folder / "go"
    os.mkfifo(gate)

    def open_gate() -> None:
        gate.write_text("")

    (folder / "slow.py").write_text(
        "import treadle\n\n@treadle.asset\ndef slow():\n    open('go').read()\n    print('printed')\n"
    )
    text = on_terminal("asset", "materialize", "-f", "slow.py", once_shown=("0 of 1 steps", open_gate))
    assert text.index("0 of 1 steps") < text.index("printed") < text.index("succeeded in")
