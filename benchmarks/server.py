"""A server of either side that runs for the length of one turn: `treadle dev`, `dagster dev`.

Its processes are those that have its home in their environment, whoever their parent is by now; when the turn is over
none of them is left, or the row has failed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import WORKLOADS, BenchmarkError, Outcome, Side, environment, settle

START_LIMIT_S = 300.0
STOP_LIMIT_S = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")
_LOADED = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"


@dataclass(frozen=True, slots=True)
class Server:
    """One that answers: whose, where, and how long it took from its start, in seconds."""

    side: Side
    home: Path
    address: str
    ready_s: float

    def workload(self, program: str, *arguments: object) -> Outcome:
        """Run a program that uses this server: its second argument is the address."""
        return self.side.workload(program, self.side.api, self.address, *arguments, home=self.home)

    def memory_mib(self) -> float:
        """Its memory: of all its processes, each with its share of what they have in common."""
        return sum(_pss_kib(pid) for pid in _processes(self.home)) / 1024

    def cpu_s(self) -> float:
        """The CPU time that all its processes have used, and their children that are gone."""
        return sum(_cpu_s(pid) for pid in _processes(self.home))


@contextmanager
def serving(side: Side, home: Path, assets: int = 0) -> Iterator[Server]:
    """A server of workloads/served_code.py, with so many assets. It answers, and has loaded the code."""
    settle(home)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [side.python.parent / side.api, "dev", "-f", WORKLOADS / "served_code.py", "-h", "127.0.0.1", "-p", port]
    env = {**environment(side.api, home), "BENCH_ASSETS": str(assets)}
    env["PATH"] = f"{side.python.parent}{os.pathsep}{env.get('PATH', '')}"  # the peer's `dev` calls its other commands
    address = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [*map(str, command)], cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        while (answer := _answer(side, address)) != "loaded":
            is_over = process.poll() is not None or time.perf_counter() - began > START_LIMIT_S
            if answer == "failed" or is_over:
                raise BenchmarkError(f"`{side.api} dev` did not load the code: {_last_line(home / 'server.log')}")
            time.sleep(0.005)
        yield Server(side, home, address, time.perf_counter() - began)
    finally:
        _stop(process, home)


def _answer(side: Side, address: str) -> str:
    """What it says of the code over HTTP: the peer in GraphQL, we on a page."""
    request, good, bad = urllib.request.Request(address), '"good">ready<', '"bad">failed<'
    if side.api == "dagster":
        body = json.dumps({"query": _LOADED}).encode()
        request = urllib.request.Request(f"{address}/graphql", body, {"Content-Type": "application/json"})
        good, bad = '"RepositoryLocation"', '"PythonError"'
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            told = response.read().decode()
    except OSError:
        return "nothing"
    return "failed" if bad in told else "loaded" if good in told else "nothing"


def _stop(process: subprocess.Popen[bytes], home: Path) -> None:
    """End a server as Ctrl-C does; what is left then is killed, and was one too many."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + STOP_LIMIT_S
    while (left := _processes(home)) and time.monotonic() < deadline:
        process.poll()
        time.sleep(0.02)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    process.wait()
    if left:
        raise BenchmarkError(f"The server's processes {left} did not end with it, and were killed.")


def _processes(home: Path) -> list[int]:
    wanted = f"DAGSTER_HOME={home}\0".encode()
    return [int(one) for one in os.listdir("/proc") if one.isdigit() and wanted in _read(f"/proc/{one}/environ")]


def _pss_kib(pid: int) -> int:
    lines = _read(f"/proc/{pid}/smaps_rollup").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(b"Pss:")), 0)


def _cpu_s(pid: int) -> float:
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no message"
