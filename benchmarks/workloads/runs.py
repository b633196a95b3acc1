"""P8, in process: `runs.py API COUNT` executes a job of one op that many times, one after the other, each recorded in
the persistent store.
"""

from __future__ import annotations

import sys
import time

from workload import api, name, report, vanish

API, count = api(), int(sys.argv[2])


@API.op
def nothing():
    return None


@API.job
def one():
    nothing()


instance = name(API, "Instance").get()
assert one.execute_in_process(instance=instance).success  # opens the store

began = time.perf_counter()
for _ in range(count):
    result = one.execute_in_process(instance=instance)
took = time.perf_counter() - began
report({"in process": count / took}, run_id=result.run_id)
vanish()
