"""The rows of the table: what is measured, how, and what must come out.

Goals and the peer's reference figures are those of the project's performance goals; floors are measured beside them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks import served
from benchmarks.measure import TREADLE, WORKLOADS, BenchmarkError, Measure, Outcome, Side, Size, read_back


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. `reference`: the peer's figure on the machine the goals were written on."""

    figure: str
    work: str
    unit: Literal["s", "MiB", "/s", "%", ""]
    goal: float | None
    reference: float | None
    peer_figure: str | None = None  # where the peer has only another way to do it

    @property
    def more_is_better(self) -> bool:
        return self.unit == "/s" or self.figure == "efficiency"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the goals: its lines, and the measure that fills them in.

    Attributes:
        floor: whether bare Python takes a turn, too.
        turns: how many turns of each side are enough: of what takes the peer a minute, or takes several itself.
        note: what the reader has to know about it.
    """

    id: str
    lines: tuple[Line, ...]
    measure: Callable[[Size], Measure]
    floor: bool = False
    turns: int = 100
    note: str = ""


def _import(size: Size) -> Measure:
    def measure(side: Side, home: Path) -> Outcome:
        statement = f"import {side.api or 'sys'}"
        figures = {"seconds": side.seconds([side.python, "-c", statement], home)}
        if side.api:  # an import that puts everything off would prove little
            used = f"{statement} as api; api.Definitions([api.asset(name='a')(lambda: 1)])"
            figures["used"] = side.seconds([side.python, "-c", used], home)
        found = side.workload("imports.py", *filter(None, [side.api]), home=home)
        return Outcome({**figures, **found.figures})

    return measure


def _command(side: Side, *arguments: str | Path, home: Path) -> float:
    return side.command(*arguments, home=home) if side.api else side.seconds([side.python, "-c", "pass"], home)


def _version_and_help(size: Size) -> Measure:
    def measure(side: Side, home: Path) -> Outcome:
        return Outcome({option: _command(side, option, home=home) for option in ("--version", "--help")})

    return measure


_IN_PROCESS = '{"execution": {"config": {"in_process": {}}}}'
"""The peer's command line would start a process a step; in one process it is faster and does the same work."""


def _cold_command(size: Size) -> Measure:
    def measure(side: Side, home: Path) -> Outcome:
        arguments = ("-f", WORKLOADS / "one.py", "--select", "a", "--config-json", _IN_PROCESS)
        took = _command(side, "asset", "materialize", *arguments, home=home)
        counts = {"run": read_back(side, home)} if side.api else {}
        return Outcome({"seconds": took}, counts)

    return measure


def _chain(*chains: tuple[str, str, str]) -> Callable[[Size], Measure]:
    def sized(size: Size) -> Measure:
        length = {"full": 1000, "quick": 20}[size]

        def measure(side: Side, home: Path) -> Outcome:
            figures, counts = {}, {}
            for figure, kind, store in chains:
                own = Path(tempfile.mkdtemp(dir=home))
                found = side.workload("steps.py", side.api, kind, store, length, home=own)
                figures[figure] = found.figures["step"]
                stored = store == "stored"
                counts[figure] = read_back(side, own, found.rest["run_id"]) if stored else found.rest["counts"]
            return Outcome(figures, counts)

        return measure

    return sized


def _graph(size: Size) -> Measure:
    def measure(side: Side, home: Path) -> Outcome:
        figures = side.workload("graph.py", side.api, {"full": 10_000, "quick": 500}[size], home=home).figures
        if side.api == TREADLE:
            large = side.workload("graph.py", side.api, {"full": 50_000, "quick": 1000}[size], home=home)
            figures["large"] = large.figures["seconds"]
        return Outcome(figures)

    return measure


def _partitions(size: Size) -> Measure:
    def measure(side: Side, home: Path) -> Outcome:
        return side.workload("partitions.py", side.api, {"full": 1_000_000, "quick": 1000}[size], home=home)

    return measure


def _automation(size: Size) -> Measure:
    def measure(side: Side, home: Path) -> Outcome:
        found = side.workload("automation.py", side.api, {"full": 1000, "quick": 200}[size], home=home)
        figures = found.figures
        if side.api == TREADLE:
            large = side.workload("automation.py", side.api, {"full": 10_000, "quick": 300}[size], home=home)
            figures["large"] = large.figures["same"]
        return Outcome(figures, {"one root changed": found.rest["counts"]})

    return measure


def _writes(size: Size) -> Measure:
    single, batches = {"full": (1000, 100), "quick": (50, 2)}[size]

    def measure(side: Side, home: Path) -> Outcome:
        own = Path(tempfile.mkdtemp(dir=home))
        if not side.api:
            return side.workload("bare_sqlite.py", own / "floor.db", single, batches, home=own)
        figures = side.workload("writes.py", side.api, single, batches, home=own).figures
        if "batched" in figures:
            _expect(side, own, "batched", batches * 1000)
        _expect(side, own, "single", single)
        return Outcome(figures, {"one each": {"ASSET_MATERIALIZATION": single}})

    return measure


def _slots(size: Size) -> Measure:
    ours, peers = {"full": (1000, 100), "quick": (100, 10)}[size]

    def measure(side: Side, home: Path) -> Outcome:
        own = Path(tempfile.mkdtemp(dir=home))
        claims = ours if side.api == TREADLE else peers
        figures = side.workload("slots.py", side.api, claims, home=own).figures
        if side.api == TREADLE and figures["most"] > 4:
            raise BenchmarkError(f"{figures['most']} held one of the four slots of a pool at once.")
        return Outcome(figures)

    return measure


def _expect(side: Side, home: Path, prefix: str, written: int) -> None:
    """Raise BenchmarkError unless a second process reads as many materializations as were written."""
    names = [f"{prefix}_{i}" for i in range(10)]
    found = side.workload("read_back.py", side.api, "assets", *names, home=home).rest["counts"]["ASSET_MATERIALIZATION"]
    if found != written:
        raise BenchmarkError(f"{side.api}: {written} events written ({prefix}), {found} read back")


ROWS = (
    Row(
        "P1",
        (
            Line("seconds", "import the package: time", "s", 0.05, 0.40),
            Line("memory", "memory", "MiB", 25, 64),
            Line("modules", "modules", "", None, 875),
            Line("used", "import and define one asset: time", "s", None, None),
        ),
        _import,
        floor=True,
    ),
    Row(
        "P2",
        (Line("--version", "`--version`", "s", 0.10, 0.69), Line("--help", "`--help`", "s", 0.10, 0.69)),
        _version_and_help,
        floor=True,
    ),
    Row(
        "P3",
        (Line("seconds", "cold command: materialize one asset, persistent home", "s", 0.30, 2.65),),
        _cold_command,
        floor=True,
    ),
    Row(
        "P4",
        (
            Line("ops", "engine per step in process, ephemeral: 1,000 ops in a chain", "s", 0.15e-3, 7.9e-3),
            Line("assets", "1,000 assets in a chain", "s", 0.25e-3, 15.6e-3),
        ),
        _chain(("ops", "ops", "ephemeral"), ("assets", "assets", "ephemeral")),
    ),
    Row(
        "P5",
        (Line("assets", "the same assets with the persistent store", "s", 0.35e-3, 52.7e-3),),
        _chain(("assets", "assets", "stored")),
    ),
    Row(
        "P6",
        (
            Line("twenty", "a fresh process per step: 20 steps that do nothing", "s", 0.30, 20.7),
            Line("efficiency", "128 steps that sleep 50 ms, four at once: ideal / actual", "%", 90, 5),
        ),
        served.step_processes,
        turns=2,
    ),
    Row(
        "P7",
        (
            Line("start", "server running: launch → start of a run of one op", "s", 0.03, 4.39),
            Line("end", "→ its end", "s", 0.06, 4.52),
            Line("command", "`run launch` (the peer: `job launch`): the whole command", "s", None, None),
            Line("command start", "from its start → start of the run", "s", None, None),
        ),
        served.launches,
        turns=3,
    ),
    Row(
        "P8",
        (
            Line("launched", "40 runs launched at once, until all have succeeded", "/s", 30, 55 / 60),
            Line("in process", "runs of one op in process, persistent store", "/s", 500, None),
        ),
        served.many_launches,
        turns=2,
    ),
    Row(
        "P9",
        (
            Line("ready", "`dev` → code loaded and answering: 1 asset", "s", 0.6, 3.96),
            Line("ready large", "5,000 assets", "s", 1.5, 9.6),
        ),
        served.starts,
        turns=3,
    ),
    Row(
        "P10",
        (
            Line("memory", "idle after that: memory (PSS), 1 asset", "MiB", 120, 500),
            Line("cpu", "CPU, of a core", "%", 0.5, 2.8),
            Line("memory large", "5,000 assets: memory", "MiB", 180, 702),
            Line("cpu large", "CPU, of a core", "%", 0.5, 72),
        ),
        served.idles,
        turns=1,
        note="Definitions have a sensor and a schedule that are on. The peer's daemon evaluates the sensor every 30 s; "
        "ours does not evaluate them yet.",
    ),
    Row(
        "P11",
        (
            Line("seconds", "10,000 assets, three dependencies each: define and resolve", "s", 0.3, 9.0),
            Line("memory", "peak memory", "MiB", 80, 219),
            Line("large", "50,000 assets: define and resolve", "s", 2, None),
        ),
        _graph,
    ),
    Row(
        "P12",
        (
            Line("list", "219,168 hourly keys listed", "s", 0.1, 1.6),
            Line("latest", "latest key", "s", 10e-6, 0.1e-3),
            Line("member", "membership of a key", "s", 10e-6, 0.1e-3),
            Line("static", "1,000,000 static keys defined", "s", 0.1, 0.53),
        ),
        _partitions,
    ),
    Row(
        "P14",
        (
            Line("single", "event writes on SQLite, one transaction each", "/s", 10_000, 127),
            Line("batched", "batches of 1,000 (the peer has none: one each)", "/s", 100_000, 127, "single"),
        ),
        _writes,
        floor=True,
    ),
    Row(
        "P16",
        (
            Line("first", "automation over 1,000 eager assets, all made: first evaluation", "s", 0.2, 8.1),
            Line("same", "nothing changed", "s", 1e-3, 8.7),
            Line("changed", "one root made again, 99 assets requested", "s", 5e-3, 9.1),
            Line("large", "10,000 assets, nothing changed", "s", 2e-3, None),
        ),
        _automation,
    ),
    Row(
        "P20",
        (
            Line("claims", "slots of a pool of four, claimed and freed by eight processes", "/s", 2000, 96),
            Line("most", "how many held one at most", "", 4, None),
        ),
        _slots,
    ),
    Row(
        "P21",
        (Line("seconds", "a launched run is told to end → it has ended", "s", 0.05, 0.58),),
        served.cancels,
        turns=3,
    ),
    Row(
        "P22",
        (Line("seconds", "100,000 lines captured and read back, beyond what the run takes without", "s", 0.03, None),),
        served.captures,
        floor=True,
        turns=3,
    ),
)
