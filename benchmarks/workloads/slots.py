"""P20: `slots.py API CLAIMS`: eight processes claim the four slots of a pool, and free at once what they get, until so
many claims have been given. Each counts itself in while it holds a slot, which shows how many held one at most.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from typing import Any

from workload import api, name, report

SLOTS, PROCESSES = 4, 8
API, claims = api(), int(sys.argv[2])


class Ours:
    def __init__(self, run_id: str) -> None:
        self.store = API.Instance.get().store
        self.lease = self.store.leases.take(run_id, "a benchmark", 600)

    def claim(self, step: str) -> bool:
        return self.store.pools.claim(self.lease, "pool", step)

    def free(self, step: str) -> None:
        self.store.pools.free(self.lease.name, step)


class Peers:
    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.instance = API.DagsterInstance.get()
        self.storage = self.instance.event_log_storage

    def claim(self, step: str) -> bool:
        return self.storage.claim_concurrency_slot("pool", self.run_id, step).is_claimed

    def free(self, step: str) -> None:
        self.storage.free_concurrency_slot_for_step(self.run_id, step)


def claimer(number: int, ready: Any, holding: Any, given: Any, most: Any) -> None:
    """Claim a slot for a step, then give back the one before: there are always more who want one than slots, and
    who is refused asks again for the same step."""
    one = (Ours if API.__name__ == "treadle" else Peers)(f"run-{number}")
    ready.wait()
    held, turn = None, 0
    while given.value < claims:
        wanted = f"step_{turn}"
        got = one.claim(wanted)
        if got:
            with holding:
                holding.value += 1
                given.value += 1
                most.value = max(most.value, holding.value)
        if held is not None:
            with holding:
                holding.value -= 1
            one.free(held)
        held = wanted if got else None
        turn += got
        if not got:
            time.sleep(0.001)
    if held is not None:
        with holding:
            holding.value -= 1
        one.free(held)


if __name__ == "__main__":
    with name(API, "Instance").get() as instance:
        if API.__name__ == "treadle":
            instance.store.pools.set_limit("pool", SLOTS)
        else:
            instance.event_log_storage.set_concurrency_slots("pool", SLOTS)
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(PROCESSES + 1)
    counts = [context.Value("i", 0) for _ in range(3)]
    claimers = [context.Process(target=claimer, args=(i, ready, *counts)) for i in range(PROCESSES)]
    for one in claimers:
        one.start()
    ready.wait()
    began = time.perf_counter()
    for one in claimers:
        one.join()
    took = time.perf_counter() - began
    assert all(one.exitcode == 0 for one in claimers)
    report({"claims": counts[1].value / took, "most": counts[2].value})
