"""P6: `step_processes.py API ADDRESS JOB STEPS [AT_ONCE]` launches a job each of whose steps must have a process of its
own, and tells how long the run took from its start to its end.
"""

from __future__ import annotations

import sys

from launching import ended, launch, pids, times
from workload import report

job, steps = sys.argv[3], int(sys.argv[4])
at_once = {"max_concurrent": int(sys.argv[5])} if len(sys.argv) > 5 else {}
before = len(pids())
run_id = launch(job, {"execution": {"config": {"multiprocess": at_once}}})
assert ended(run_id) == "SUCCESS"
found = pids()[before:]
assert len(found) == len(set(found)) == steps, f"{len(set(found))} processes for {steps} steps"
at = times(run_id)
report({"took": at["RUN_SUCCESS"] - at["RUN_START"]}, run_id=run_id)
