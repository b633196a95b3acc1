"""Growth: `history.py treadle RUNS` stores that many runs which have succeeded, with a step and a materialization each,
as the store's own transactions do, many at once.
"""

from __future__ import annotations

import sys
import time

from workload import report

from treadle import AssetMaterialization, Instance
from treadle.state import events
from treadle.state.events import EventLogEntry
from treadle.state.runs import Run

BATCH = 1000
ASSETS = 100

instance = Instance.get()
store = instance.store
count = int(sys.argv[2])
for start in range(0, count, BATCH):
    with store.database.transaction() as connection:
        for number in range(start, min(start + BATCH, count)):
            at = time.time() - count + number
            run = Run(job_name="past", tags={"number": str(number % 10)})
            step = f"asset_{number % ASSETS}"
            happened = [
                events.RunStarted("past"),
                events.StepStarted(step),
                events.AssetMaterialized(AssetMaterialization(step), step),
                events.StepSucceeded(step, 1.0),
                events.RunSucceeded("past"),
            ]
            store.runs.insert(connection, run, None, at)
            store.events.insert(connection, [EventLogEntry(run.run_id, at, event) for event in happened])
assert instance.get_runs_count() >= count
instance.close()
report()
