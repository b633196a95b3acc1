"""P22: `captured.py API ADDRESS LINES TURNS` launches a run that prints so many lines, and reads them back; the same
without lines is subtracted. Without an API: what a bare Python takes to print them into a file and read that.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time

from workload import report

lines, turns = int(sys.argv[-2]), int(sys.argv[-1])


def bare() -> float:
    with tempfile.TemporaryFile("w+") as file:
        began = time.perf_counter()
        for _ in range(lines):
            print("a line of output, as long as those of programs are", file=file)
        file.seek(0)
        assert file.read().count("\n") == lines
        return time.perf_counter() - began


run_ids = []


def of_run(lines: int) -> float:
    """Seconds from the start of the run to its end, and then until its output has been read."""
    from launching import IN_PROCESS, captured, ended, launch, times

    run_id = launch("wordy", IN_PROCESS | {"ops": {"wordy_0": {"config": {"lines": lines}}}})
    run_ids.append(run_id)
    assert ended(run_id) == "SUCCESS"
    began = time.perf_counter()
    assert captured(run_id).count("\n") == lines
    took = time.perf_counter() - began
    at = times(run_id)
    return took + at["RUN_SUCCESS"] - at["RUN_START"]


def typical(lines: int) -> float:
    return statistics.median(of_run(lines) for _ in range(turns))


seconds = typical(lines) - typical(0) if len(sys.argv) > 3 else statistics.median(bare() for _ in range(turns))
report({"seconds": seconds}, run_id=run_ids[-1] if run_ids else "")
