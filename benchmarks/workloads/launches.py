"""P7 and P8: `launches.py API ADDRESS CALLS COMMANDS COUNT` launches a run of one op so many times by a call, each when
the one before has ended, then by the command line; then COUNT at once. The clock starts before the launch; the log says
when the run began and ended.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from launching import API, IN_PROCESS, ended, instance, launch, times
from workload import name, report

calls, commands, count = map(int, sys.argv[3:6])
HERE = ["-f", str(Path(__file__).with_name("served_code.py"))]
COMMAND = ["run", "launch"] if API.__name__ == "treadle" else ["job", "launch", *HERE]


run_ids = []


def by_call() -> dict[str, float]:
    """Seconds from the launch to the start of the run, and to its end."""
    asked = time.time()
    run_id = launch("one", IN_PROCESS)
    run_ids.append(run_id)
    assert ended(run_id) == "SUCCESS"
    at = times(run_id)
    return {"start": at["RUN_START"] - asked, "end": at["RUN_SUCCESS"] - asked}


def by_command() -> dict[str, float]:
    """Seconds that the command takes, and from its start to that of the run."""
    program = str(Path(sys.executable).with_name(API.__name__))
    asked = time.time()
    command = [program, *COMMAND, "-j", "one", "--config-json", json.dumps(IN_PROCESS)]
    subprocess.run(command, check=True, capture_output=True)
    took = time.time() - asked
    run_id = name(instance.get_run_records(limit=1)[0], "run").run_id
    assert ended(run_id) == "SUCCESS"
    return {"command": took, "command start": times(run_id)["RUN_START"] - asked}


def medians(turns: list[dict[str, float]]) -> dict[str, float]:
    return {figure: statistics.median(turn[figure] for turn in turns) for figure in (turns[0] if turns else ())}


figures = medians([by_call() for _ in range(calls)]) | medians([by_command() for _ in range(commands)])
if count:
    with ThreadPoolExecutor(8) as pool:
        asked = time.time()
        run_ids = [*pool.map(lambda _: launch("one", IN_PROCESS), range(count))]
    assert {ended(run_id) for run_id in run_ids} == {"SUCCESS"}
    figures["launched"] = count / (max(times(run_id)["RUN_SUCCESS"] for run_id in run_ids) - asked)
report(figures, run_id=run_ids[-1])
