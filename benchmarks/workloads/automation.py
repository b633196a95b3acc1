"""P16: `automation.py API COUNT` evaluates the conditions of that many eager assets, all of them made, in layers of a
hundred, each with three dependencies in the layer above: at first, when nothing changed, when one root was made again.
"""

from __future__ import annotations

import datetime
import statistics
import sys
import time

from workload import api, name, report

WIDTH = 100
ENOUGH_S = 1.0

API, count = api(), int(sys.argv[2])
names = [f"asset_{i}" for i in range(count)]
assets = []
for i, own in enumerate(names):
    start = (i // WIDTH - 1) * WIDTH
    deps = [names[start + (i + step) % WIDTH] for step in range(3)] if start >= 0 else []

    @API.asset(name=own, deps=deps, automation_condition=API.AutomationCondition.eager())
    def made():
        return None

    assets.append(made)
defs = API.Definitions(assets=assets)
API.Definitions.validate_loadable(defs)
instance = name(API, "Instance").ephemeral()


def make(asset):
    """Report it, and read it back: nothing is put off until the clock runs."""
    instance.report_runless_asset_event(API.AssetMaterialization(asset))
    assert instance.get_latest_materialization_event(API.AssetKey(asset)) is not None


for own in names:
    make(own)

now = datetime.datetime.now(datetime.timezone.utc)  # noqa: UP017
cursor = None


def evaluate():
    """The seconds it took, and how many assets it requests."""
    global now, cursor
    now += datetime.timedelta(seconds=30)
    began = time.perf_counter()
    result = API.evaluate_automation_conditions(defs=defs, instance=instance, evaluation_time=now, cursor=cursor)
    took = time.perf_counter() - began
    cursor = result.cursor
    return took, result.total_requested


def settled():
    """A few evaluations at which nothing changes, the first of which are not counted: they forget what was new."""
    evaluate()
    times = [evaluate()[0]]
    while len(times) < 5 and sum(times) < ENOUGH_S:
        times.append(evaluate()[0])
    return statistics.median(times)


first, requested = evaluate()
assert requested == 0
same = settled()
make(names[0])
changed, requested = evaluate()
report({"first": first, "same": same, "changed": changed}, counts={"requested": requested})
