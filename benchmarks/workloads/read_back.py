"""A second process reads what the first one stored. `read_back.py API run [RUN_ID]`: events of a run (the latest) by
type; `read_back.py API assets NAME ...`: materializations of these assets, in all.
"""

from __future__ import annotations

import sys
from typing import Any

from workload import api, counts, name, report

PAGE = 1000

API = api()
instance = name(API, "Instance").get()


def materializations(key: Any) -> int:
    found, cursor = 0, None
    while True:
        page = instance.fetch_materializations(key, limit=PAGE, cursor=cursor)
        found += len(page.records)
        if not page.has_more:
            return found
        cursor = page.cursor


what, *names = sys.argv[2:]
if what == "run":
    run_id = names[0] if names else name(instance.get_run_records(limit=1)[0], "run").run_id
    report(counts=counts(instance, run_id))
else:
    report(counts={"ASSET_MATERIALIZATION": sum(materializations(API.AssetKey(n)) for n in names)})
