"""P4 and P5: the engine per step. `steps.py API ops|assets ephemeral|stored LENGTH` runs a chain of that many steps in
this process with the in-memory IO manager; the clock runs during the one call that executes it.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from workload import api, counts, name, report, vanish

kind, store, length = sys.argv[2], sys.argv[3], int(sys.argv[4])
API = api()
# The peer walks a chain by recursion, at times (it depends on the hash seed) deeper than Python's default allows.
sys.setrecursionlimit(20_000)


def op_chain() -> Any:
    def step(i: int) -> Any:
        if i == 0:
            return API.op(name="op_0")(lambda: 0)

        @API.op(name=f"op_{i}")
        def following(value):
            return value + 1

        return following

    steps = [step(i) for i in range(length)]

    @API.job(resource_defs={"io_manager": API.mem_io_manager})
    def chain():
        value = steps[0]()
        for following in steps[1:]:
            value = following(value)

    return chain


def asset_chain() -> list[Any]:
    def link(i: int) -> Any:
        if i == 0:
            return API.asset(name="asset_0")(lambda: 0)

        @API.asset(name=f"asset_{i}", ins={"value": API.AssetIn(f"asset_{i - 1}")})
        def following(value):
            return value + 1

        return following

    return [link(i) for i in range(length)]


Instance = name(API, "Instance")
instance = Instance.get() if store == "stored" else Instance.ephemeral()
instance.get_run_records(limit=1)  # a store is made ready when it is first used: that is not a step's work

if kind == "ops":
    job = op_chain()
    began = time.perf_counter()
    result = job.execute_in_process(instance=instance)
else:
    assets = asset_chain()
    began = time.perf_counter()
    result = API.materialize(assets, instance=instance, resources={"io_manager": API.mem_io_manager})
took = time.perf_counter() - began

assert result.success
figures = {"step": took / length}
if store == "stored":  # read back by another process
    report(figures, run_id=result.run_id)
    vanish()
report(figures, counts=counts(instance, result.run_id))
