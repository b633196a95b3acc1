"""P11: `graph.py API COUNT` defines that many assets, in layers of a hundred, and resolves them. Each has three
dependencies in the layer above.
"""

from __future__ import annotations

import sys
import time

from peak import peak_mib
from workload import api, report

WIDTH = 100

API, count = api(), int(sys.argv[2])
names = [f"asset_{i}" for i in range(count)]

began = time.perf_counter()
assets = []
for i, own in enumerate(names):
    start = (i // WIDTH - 1) * WIDTH
    deps = [names[start + (i + step) % WIDTH] for step in range(3)] if start >= 0 else []

    @API.asset(name=own, deps=deps)
    def made():
        return None

    assets.append(made)
defs = API.Definitions(assets=assets)
API.Definitions.validate_loadable(defs)
took = time.perf_counter() - began
memory = peak_mib()

assert len(defs.resolve_all_asset_keys()) == count
report({"seconds": took, "memory": memory})
