"""Runs programs of either side and takes their figures.

The sides take turns (A B A B …), so that whatever else the machine does meets both, and the median of the turns counts.
Every program starts in an empty folder with a home of its own and without settings of the caller's shell.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

WORKLOADS = Path(__file__).parent / "workloads"
LIMIT_S = 1800
# Both sides read this file. Telemetry would put the network into the figures.
SETTINGS = "telemetry:\n  enabled: false\n"
# What belongs to a side alone: how it announces what it does, and what it prints. Shown, not compared.
OWN_WORDS = (
    "ENGINE_EVENT", "LOGS_CAPTURED", "RESOURCE_INIT_STARTED", "RESOURCE_INIT_SUCCESS", "LOG_MESSAGE", "RUN_DEQUEUED",
)  # fmt: skip


TREADLE = "treadle"
BARE = ""  # a Side without a package: bare Python

# --quick: the same paths, too short for figures that mean anything
Size = Literal["full", "quick"]
Counts = dict[str, dict[str, int]]


class BenchmarkError(Exception):
    """A program failed, or the sides did not do the same work."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one turn found.

    `figures` by name; `counts` the recorded events, by what recorded them and type; `rest` what else was reported.
    """

    figures: dict[str, float] = field(default_factory=dict)
    counts: Counts = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Side:
    """A package (`api`, also the name of its command; empty for bare Python) and the interpreter that has it."""

    api: str
    python: Path

    def seconds(self, command: list[str | Path], home: Path, stdout: Any = subprocess.DEVNULL) -> float:
        """Wall time of the whole process, from outside. Raises BenchmarkError if it fails."""
        settle(home)
        with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryFile() as stderr:
            began = time.perf_counter()
            ended = subprocess.run(
                [str(part) for part in command],
                cwd=empty,
                env=environment(self.api, home),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                timeout=LIMIT_S,
            )
            took = time.perf_counter() - began
            if ended.returncode:
                stderr.seek(0)
                lines = stderr.read().decode(errors="replace").strip().splitlines()
                shown = " ".join(Path(part).name for part in map(str, command))
                raise BenchmarkError(f"`{shown}` ended with {ended.returncode}: {lines[-1] if lines else 'no message'}")
        return took

    def command(self, *arguments: str | Path, home: Path) -> float:
        """Wall time of the side's own command line."""
        return self.seconds([self.python.parent / self.api, *arguments], home)

    def workload(self, program: str, *arguments: object, home: Path) -> Outcome:
        """The figures that a program of benchmarks/workloads took inside its own process."""
        with tempfile.TemporaryFile() as stdout:
            self.seconds([self.python, WORKLOADS / program, *map(str, arguments)], home, stdout)
            stdout.seek(0)
            result = json.loads(stdout.read().splitlines()[-1])
        return Outcome(result.pop("figures"), rest=result)


def read_back(side: Side, home: Path, *run_id: str) -> dict[str, int]:
    """The events of the run (the latest, if none is named) as a second process finds them."""
    return side.workload("read_back.py", side.api, "run", *run_id, home=home).rest["counts"]


def settle(home: Path) -> None:
    """Put the settings into a home."""
    settings = home / "dagster.yaml"
    if not settings.exists():
        settings.write_text(SETTINGS)


def environment(api: str, home: Path) -> dict[str, str]:
    """The caller's environment without what steers Python or either side (above all PYTHONDONTWRITEBYTECODE)."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "DAGSTER", "TREADLE"))}
    return {**kept, "BENCH_API": api, "DAGSTER_HOME": str(home), "TREADLE_HOME": str(home)}


Measure = Callable[[Side, Path], Outcome]


def take_turns(measure: Measure, sides: list[Side], homes: dict[Side, Path], repeat: int) -> dict[Side, Outcome]:
    """Each side's medians over `repeat` interleaved turns, and the counts of its last turn."""
    turns: dict[Side, list[Outcome]] = {side: [] for side in sides}
    for _ in range(repeat):
        for side in sides:
            turns[side].append(measure(side, homes[side]))
    return {side: _median(outcomes) for side, outcomes in turns.items()}


def _median(outcomes: list[Outcome]) -> Outcome:
    names = outcomes[-1].figures
    figures = {name: statistics.median(outcome.figures[name] for outcome in outcomes) for name in names}
    return Outcome(figures, outcomes[-1].counts)


def same_work(ours: Counts, peers: Counts) -> None:
    """Raise BenchmarkError unless both recorded as many run, step and asset events of each type."""
    differing = [
        f"{what}: {event} {here} here, {there} there"
        for what, event, here, there in side_by_side(ours, peers)
        if here != there and event not in OWN_WORDS
    ]
    if differing:
        raise BenchmarkError(f"The sides did not record the same events: {', '.join(differing)}")


def side_by_side(ours: Counts, peers: Counts) -> list[tuple[str, str, int, int]]:
    """What recorded it, the event type, and both counts, sorted."""
    both = sorted({(what, event) for counts in (ours, peers) for what in counts for event in counts[what]})
    return [(w, e, ours.get(w, {}).get(e, 0), peers.get(w, {}).get(e, 0)) for w, e in both]
