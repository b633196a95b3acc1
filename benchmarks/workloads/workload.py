"""What the workloads share. Each is one program written against the public API and run with the name of the package
that provides it: `steps.py treadle ...` or `steps.py dagster ...`. It prints one line of JSON, its last, and imports
nothing outside the standard library but that package.
"""

from __future__ import annotations

import collections
import importlib
import json
import os
import sys
from typing import Any, NoReturn


def api() -> Any:
    """The package under measurement: the first argument."""
    return importlib.import_module(sys.argv[1])


def name(owner: Any, attribute: str) -> Any:
    """`owner.Instance` or `owner.DagsterInstance`, `record.run` or `record.dagster_run`: Treadle drops the prefix."""
    for prefix in ("", "Dagster" if attribute[0].isupper() else "dagster_"):
        if hasattr(owner, prefix + attribute):
            return getattr(owner, prefix + attribute)
    raise AttributeError(f"{owner!r} has no {attribute}, with or without a prefix")


def counts(instance: Any, run_id: str) -> dict[str, int]:
    """How many events of each type are on record for the run; what users' code logged counts as LOG_MESSAGE."""
    events = [name(entry, "event") for entry in instance.all_logs(run_id)]
    types = [getattr(event, "event_type_value", None) or "LOG_MESSAGE" for event in events]
    return dict(sorted(collections.Counter(kind.replace("PIPELINE_", "RUN_") for kind in types).items()))


def report(figures: dict[str, float] | None = None, **rest: Any) -> None:
    """The result, for benchmarks/measure.py. Times are in seconds, memory in MiB, rates a second."""
    print(json.dumps({"figures": figures or {}, **rest}), flush=True)


def vanish() -> NoReturn:
    """End this process as a kill would: what it put off until after the clock stopped is lost, and the count tells."""
    os._exit(0)
