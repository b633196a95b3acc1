"""`python -m benchmarks`, or `make bench`: measure Treadle beside the peer, print the table, write RESULTS.md."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import growth, peer
from benchmarks.measure import BARE, TREADLE, BenchmarkError, Outcome, Side, Size, same_work, take_turns
from benchmarks.results import HEAD, RowResult, lines, notes
from benchmarks.rows import ROWS, Row

RESULTS = Path(__file__).parent / "RESULTS.md"
GROWTH = "growth"
FLOOR = Side(BARE, Path(sys.executable))


def run_row(row: Row, sides: list[Side], repeat: int, size: Size) -> RowResult:
    """Measure one row on all sides. A failure spoils this row, not the table."""
    measure, sides = row.measure(size), [*sides, FLOOR] if row.floor else sides
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        homes = {side: Path(scratch, side.api or "floor") for side in sides}
        for home in homes.values():
            home.mkdir()
        try:
            if row.floor:  # the first start of a program meets cold disk caches and an empty home
                take_turns(measure, sides, homes, 1)
            found = {
                side.api: outcome for side, outcome in take_turns(measure, sides, homes, min(repeat, row.turns)).items()
            }
        except BenchmarkError as error:
            return RowResult(row, problem=str(error))
    ours, theirs, floor = (found.get(api, Outcome()) for api in (TREADLE, "dagster", BARE))
    problem = None
    if TREADLE in found and "dagster" in found:
        try:
            same_work(ours.counts, theirs.counts)
        except BenchmarkError as error:
            problem = str(error)
    return RowResult(row, ours.figures, theirs.figures, floor.figures, ours.counts, theirs.counts, problem)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("ids", nargs="*", metavar="ID", help="rows to measure (P1 P5 … growth); without any: all")
    parser.add_argument("--repeat", type=int, default=5, help="turns of each side; the median counts (default 5)")
    parser.add_argument("--quick", action="store_true", help="try everything at a small size, once")
    parser.add_argument("--no-peer", action="store_true", help="measure Treadle alone")
    parser.add_argument("--peer-only", action="store_true", help="measure the peer alone")
    parser.add_argument("--history", type=int, default=1000, help="runs stored where growth begins (default 1000)")
    parser.add_argument("--peer-python", type=Path, help="an interpreter that has the peer (default: install it)")
    parser.add_argument("--date", default=f"{datetime.date.today()}", help="the date to print (default: today)")
    chosen = parser.parse_args()
    there = [*(row.id for row in ROWS), GROWTH]
    unknown = set(chosen.ids).difference(there)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}. There are {', '.join(there)}")
    return chosen


def main() -> int:
    chosen = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C does: servers end with their turn
    sides = [] if chosen.peer_only else [Side(TREADLE, Path(sys.executable))]
    if not chosen.no_peer:
        sides.append(Side("dagster", (chosen.peer_python or peer.python()).absolute()))
    for side in sides:
        peer.compile_all(side.python)

    repeat, size = (1, "quick") if chosen.quick else (chosen.repeat, "full")
    head = heading(chosen.date, repeat, size)
    print(head)
    results = []
    for row in ROWS:
        if not chosen.ids or row.id in chosen.ids:
            results.append(run_row(row, sides, repeat, size))
            print(lines(results[-1]), flush=True)
    print(f"\n{notes(results)}")
    grown = []
    if not chosen.peer_only and (not chosen.ids or GROWTH in chosen.ids):
        print(f"\n{growth.HEAD}")
        for trend in growth.trends(sides[0], 20 if chosen.quick else chosen.history, size):
            grown.append(trend.line())
            print(grown[-1], flush=True)

    if not (chosen.ids or chosen.quick or chosen.no_peer or chosen.peer_only):
        RESULTS.write_text("\n".join([head, *map(lines, results), "", notes(results), "", growth.HEAD, *grown, ""]))
    failed = [result for result in results if result.problem]
    for result in failed:
        print(f"{result.row.id}: {result.problem}", file=sys.stderr)
    return 1 if failed else 0


def heading(date: str, repeat: int, size: Size) -> str:
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    fewer = ", of fewer where a turn takes minutes" if repeat > 1 else ""
    shortened = ", SHORTENED (--quick: these figures mean nothing)" if size == "quick" else ""
    return (
        f"# Results\n\n{date}, {machine}, peer dagster {peer.VERSION}, medians of {repeat}{fewer}{shortened}."
        f" Written by `make bench`; README.md says how to read it.\n\n{HEAD}"
    )


sys.exit(main())
