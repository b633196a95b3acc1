"""P3: the definitions that the cold command loads. The driver sets BENCH_API."""

import importlib
import os

api = importlib.import_module(os.environ["BENCH_API"])


@api.asset
def a():
    return 1
