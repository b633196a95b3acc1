"""P12: `partitions.py API STATIC_COUNT`: 25 years of hours, and many static keys. Each figure has its own definition,
so that none lives on what another has kept.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from workload import api, report

CALLS = 1000
HOURS = 219_168

API = api()


def hourly() -> Any:
    return API.HourlyPartitionsDefinition(start_date="2000-01-01-00:00", end_date="2025-01-01-00:00")


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


listed = hourly()
list_s = seconds(lambda: listed.get_partition_keys())
keys = listed.get_partition_keys()
assert len(keys) == HOURS

latest = hourly()
latest_s = seconds(lambda: [latest.get_last_partition_key() for _ in range(CALLS)]) / CALLS
assert latest.get_last_partition_key() == keys[-1]

asked = [*keys[:: HOURS // CALLS][: CALLS - 1], "2025-01-01-00:00"]
member = hourly()
answers: list[bool] = []
member_s = seconds(lambda: answers.extend(member.has_partition_key(key) for key in asked)) / CALLS
assert answers == [True] * (CALLS - 1) + [False]

many = [f"customer_{i}" for i in range(int(sys.argv[2]))]
static_s = seconds(lambda: API.StaticPartitionsDefinition(many))
report({"list": list_s, "latest": latest_s, "member": member_s, "static": static_s})
