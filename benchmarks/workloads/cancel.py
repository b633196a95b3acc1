"""P21: `cancel.py API ADDRESS TURNS` launches a run that would not end, and tells it to when it is in the middle."""

from __future__ import annotations

import statistics
import sys
import time

from launching import IN_PROCESS, cancel, ended, launch, pids, times, until
from workload import report


def one() -> tuple[float, str]:
    """Seconds from the request to the end of the run; its id."""
    before = len(pids())
    run_id = launch("endless", IN_PROCESS)
    until(lambda: len(pids()) > before and "STEP_START" in times(run_id))
    asked = time.time()
    cancel(run_id)
    assert ended(run_id) == "CANCELED"
    return times(run_id)["RUN_CANCELED"] - asked, run_id


found = [one() for _ in range(int(sys.argv[3]))]
report({"seconds": statistics.median(seconds for seconds, _ in found)}, run_id=found[-1][1])
