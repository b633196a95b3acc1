"""P14: `writes.py API SINGLE BATCHES` writes materializations of ten assets through the public API, one transaction
each, then (where the API has it) of ten others in batches of a thousand.
"""

from __future__ import annotations

import sys
import time

from workload import api, name, report, vanish

BATCH = 1000

API, single, batches = api(), int(sys.argv[2]), int(sys.argv[3])
instance = name(API, "Instance").get()
instance.report_runless_asset_event(API.AssetMaterialization("first"))  # opens the store

events = [API.AssetMaterialization(f"single_{i % 10}", metadata={"rows": i}) for i in range(single)]
began = time.perf_counter()
for event in events:
    instance.report_runless_asset_event(event)
figures = {"single": single / (time.perf_counter() - began)}

if hasattr(instance, "report_runless_asset_events"):
    events = [API.AssetMaterialization(f"batched_{i % 10}", metadata={"rows": i}) for i in range(batches * BATCH)]
    began = time.perf_counter()
    for start in range(0, len(events), BATCH):
        instance.report_runless_asset_events(events[start : start + BATCH])
    figures["batched"] = len(events) / (time.perf_counter() - began)

report(figures)
vanish()
