"""How the rows are measured for which a server runs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import TREADLE, Measure, Outcome, Side, Size, read_back
from benchmarks.server import Server, serving

_MANY = {"full": 5000, "quick": 100}
_NAPS_IDEAL_S = 128 * 0.05 / 4


def _home_in(home: Path) -> Path:
    """A home of its own: what an earlier server left could be taken for an answer of the next."""
    return Path(tempfile.mkdtemp(dir=home))


def _served(use: Callable[[Server], Outcome]) -> Measure:
    """What `use` finds at a server of its own. The events of a run are read back once it is gone."""

    def measure(side: Side, home: Path) -> Outcome:
        own = _home_in(home)
        with serving(side, own) as server:
            found = use(server)
        return Outcome(found.figures, {"run": read_back(side, own, found.rest["run_id"])})

    return measure


def step_processes(size: Size) -> Measure:
    """P6."""

    def use(server: Server) -> Outcome:
        twenty = server.workload("step_processes.py", "twenty", 20)
        figures = {"twenty": twenty.figures["took"]}
        if size == "full":
            naps = server.workload("step_processes.py", "naps", 128, 4)
            figures["efficiency"] = 100 * _NAPS_IDEAL_S / naps.figures["took"]
        return Outcome(figures, rest=twenty.rest)

    return _served(use)


def launches(size: Size) -> Measure:
    """P7."""
    turns = {"full": 5, "quick": 1}[size]
    return _served(lambda server: server.workload("launches.py", turns, turns, 0))


def many_launches(size: Size) -> Measure:
    """P8. In process the peer has fewer runs to do: each takes it a second."""
    at_once, ours, peers = {"full": (40, 500, 20), "quick": (4, 10, 2)}[size]

    def use(server: Server) -> Outcome:
        found = server.workload("launches.py", 0, 0, at_once)
        alone = server.side.workload(
            "runs.py", server.side.api, ours if server.side.api == TREADLE else peers, home=server.home
        )
        return Outcome(found.figures | alone.figures, rest=found.rest)

    return _served(use)


def starts(size: Size) -> Measure:
    """P9."""

    def measure(side: Side, home: Path) -> Outcome:
        figures = {}
        for figure, assets in (("ready", 1), ("ready large", _MANY[size])):
            with serving(side, _home_in(home), assets) as server:
                figures[figure] = server.ready_s
        return Outcome(figures)

    return measure


def idles(size: Size) -> Measure:
    """P10. What is left to do after the start is not counted."""
    settling_s, pause_s = {"full": (10.0, 60.0), "quick": (0.5, 1.0)}[size]

    def measure(side: Side, home: Path) -> Outcome:
        figures = {}
        for figure, assets in (("", 1), (" large", _MANY[size])):
            with serving(side, _home_in(home), assets) as server:
                time.sleep(settling_s)
                began, used = time.monotonic(), server.cpu_s()
                time.sleep(pause_s)
                share = (server.cpu_s() - used) / (time.monotonic() - began)
                figures |= {f"memory{figure}": server.memory_mib(), f"cpu{figure}": 100 * share}
        return Outcome(figures)

    return measure


def cancels(size: Size) -> Measure:
    """P21."""
    turns = {"full": 5, "quick": 1}[size]
    return _served(lambda server: server.workload("cancel.py", turns))


def captures(size: Size) -> Measure:
    """P22."""
    lines, turns = {"full": (100_000, 5), "quick": (1000, 1)}[size]
    run = _served(lambda server: server.workload("captured.py", lines, turns))

    def measure(side: Side, home: Path) -> Outcome:
        return run(side, home) if side.api else side.workload("captured.py", lines, turns, home=home)

    return measure
