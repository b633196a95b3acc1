"""How our figures grow with what is stored and with what is defined: at 1×, 10× and 100×, and with which exponent.

0 says that the cost does not depend on the size, 1 that it is proportional to it.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Side, Size
from benchmarks.results import amount
from benchmarks.server import serving

FACTORS = (1, 10, 100)
_STEPS = {"full": 200, "quick": 5}
_TURNS = {"full": 9, "quick": 1}


@dataclass(frozen=True, slots=True)
class Trend:
    """A figure, in seconds, at each size."""

    work: str
    sizes: tuple[int, ...]
    costs: tuple[float, ...]

    @property
    def exponent(self) -> float:
        """The slope of the line through them on logarithmic scales, by least squares."""
        return statistics.linear_regression([*map(math.log, self.sizes)], [*map(math.log, self.costs)]).slope

    def line(self) -> str:
        """Its line of the table."""
        cells = [f"{amount(cost, 's')} at {size:,}" for size, cost in zip(self.sizes, self.costs, strict=True)]
        return f"| {' | '.join([self.work, *cells, f'{self.exponent:.2f}'])} |"


HEAD = """\
## Growth

| work | 1× | 10× | 100× | exponent |
| --- | ---: | ---: | ---: | ---: |"""


def trends(side: Side, base: int, size: Size) -> Iterator[Trend]:
    """Measure ours, first with a history of `base` runs.

    Raises:
        BenchmarkError: a program failed.
    """
    histories = tuple(base * factor for factor in FACTORS)
    assets = tuple(50 * factor for factor in FACTORS) if size == "full" else (5, 50, 500)
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        by_history = [_with_history(side, Path(tempfile.mkdtemp(dir=scratch)), runs, size) for runs in histories]
        by_assets = [_launched(side, Path(tempfile.mkdtemp(dir=scratch)), size, count) for count in assets]
    step, start, end = zip(*by_history, strict=True)
    yield Trend("P5: a step of stored assets, by runs stored before", histories, step)
    yield Trend("P7: launch → start of a run, by runs stored before", histories, start)
    yield Trend("P7: → its end", histories, end)
    yield Trend("P7: launch → its end, by assets in its location", assets, tuple(figures[1] for figures in by_assets))


def _with_history(side: Side, home: Path, runs: int, size: Size) -> tuple[float, float, float]:
    side.workload("history.py", side.api, runs, home=home)
    step = side.workload("steps.py", side.api, "assets", "stored", _STEPS[size], home=home).figures["step"]
    return step, *_launched(side, home, size)


def _launched(side: Side, home: Path, size: Size, assets: int = 0) -> tuple[float, float]:
    with serving(side, home, assets) as server:
        figures = server.workload("launches.py", _TURNS[size], 0, 0).figures
    return figures["start"], figures["end"]
