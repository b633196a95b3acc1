"""The table, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.measure import Counts, side_by_side
from benchmarks.rows import Line, Row

HEAD = """\
| id | work | Treadle | peer | ratio | goal | floor | met? |
| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"""
NONE = "–"


@dataclass(frozen=True, slots=True)
class RowResult:
    """What a row came to: figures by name, recorded events, and what went wrong, if anything."""

    row: Row
    ours: Mapping[str, float] = field(default_factory=dict)
    peer: Mapping[str, float] = field(default_factory=dict)
    floor: Mapping[str, float] = field(default_factory=dict)
    our_counts: Counts = field(default_factory=dict)
    peer_counts: Counts = field(default_factory=dict)
    problem: str | None = None


def lines(result: RowResult) -> str:
    """The row's lines of the table, one a figure. The ratio says how many times better Treadle is."""
    return "\n".join(_line(result, line) for line in result.row.lines)


def notes(results: list[RowResult]) -> str:
    """What failed, and what each side recorded."""
    failed = [f"- **{result.row.id} failed**: {result.problem}" for result in results if result.problem]
    recorded = [line for result in results for line in _counts(result)]
    heading = "Events recorded, the same on both sides where one figure stands:"
    said = [f"- {result.row.id}: {result.row.note}" for result in results if result.row.note]
    parts = ["\n".join(failed), "\n".join(said), *([heading, "\n".join(recorded)] if recorded else [])]
    return "\n\n".join(filter(None, parts))


def _line(result: RowResult, line: Line) -> str:
    ours, peer = result.ours.get(line.figure), result.peer.get(line.peer_figure or line.figure)
    ratio = (ours / peer if line.more_is_better else peer / ours) if ours and peer and min(ours, peer) > 0 else None
    cells = [
        result.row.id,
        line.work,
        amount(ours, line.unit),
        amount(peer, line.unit),
        f"{ratio:,.1f}×" if ratio else NONE,
        f"{'≥' if line.more_is_better else '≤'} {amount(line.goal, line.unit)}" if line.goal else NONE,
        amount(result.floor.get(line.figure), line.unit),
        _verdict(line, ours, ratio),
    ]
    return f"| {' | '.join(cells)} |"


def _verdict(line: Line, ours: float | None, ratio: float | None) -> str:
    """`by ratio`: this machine is slower than the one of the goals, and the lead over the peer is as large as there."""
    if ours is None or line.goal is None:
        return NONE
    if ours >= line.goal if line.more_is_better else ours <= line.goal:
        return "yes"
    if ratio is None or line.reference is None:
        return "no"
    wanted = line.goal / line.reference if line.more_is_better else line.reference / line.goal
    return "by ratio" if ratio >= wanted else "no"


def _counts(result: RowResult) -> list[str]:
    alone = not (result.our_counts and result.peer_counts)
    found: dict[str, list[str]] = {}
    for what, event, here, there in side_by_side(result.our_counts, result.peer_counts):
        one = f"{here or there:,}" if alone or here == there else f"{here:,} here and {there:,} there"
        found.setdefault(what, []).append(f"{event} {one}")
    return [f"- {result.row.id}, {what}: {', '.join(events)}" for what, events in found.items()]


def amount(value: float | None, unit: str) -> str:
    """Three digits, and the unit that suits them."""
    if value is None:
        return NONE
    if unit == "s":
        scale, unit = next(
            (s, u) for s, u in ((1, "s"), (1e3, "ms"), (1e6, "µs")) if abs(value) * s >= 0.995 or u == "µs"
        )
        value *= scale
    digits = f"{value:,.0f}" if value >= 99.5 or unit == "" else f"{value:.3g}"
    return f"{digits} {unit}".strip().replace(" /s", "/s")
