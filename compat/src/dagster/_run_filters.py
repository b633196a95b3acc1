"""Runs asked for by a list of statuses in place of a `RunsFilter`, as older versions took it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from dagster import _aliases as _attached  # noqa: F401
from dagster._warnings import warn_deprecated
from treadle.host.instance import Instance
from treadle.state.runs import RunsFilter


def _by_statuses(ask: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(ask)
    def asked(instance: Instance, filters: Any = None, *args: Any, **given: Any) -> Any:
        if isinstance(filters, list | tuple | set | frozenset):
            warn_deprecated(f"{ask.__name__}(filters=[...]) is deprecated: use RunsFilter(statuses=[...]).")
            filters = RunsFilter(statuses=list(filters))
        return ask(instance, filters, *args, **given)

    return asked


for _name in ("get_runs", "get_run_ids", "get_run_records", "get_runs_count"):
    setattr(Instance, _name, _by_statuses(getattr(Instance, _name)))
