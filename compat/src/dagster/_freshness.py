"""`FreshnessPolicy`, which may also be called as it once was: `FreshnessPolicy(maximum_lag_minutes=60)`."""

from __future__ import annotations

from typing import Any

import dagster.deprecated as deprecated  # `from dagster import` would ask the door, which asks here
import treadle
from dagster.deprecated import LegacyFreshnessPolicy


class _Callable(type):
    """Makes a class of another's objects: what is a policy of Treadle is one of `FreshnessPolicy`."""

    def __call__(cls, *args: Any, **given: Any) -> treadle.FreshnessPolicy:
        return LegacyFreshnessPolicy(*args, **given).to_freshness_policy()

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, treadle.FreshnessPolicy)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, treadle.FreshnessPolicy)


class FreshnessPolicy(metaclass=_Callable):
    """How old an asset may get before people should know. Make one with `time_window` or `cron`."""

    time_window = staticmethod(treadle.FreshnessPolicy.time_window)
    cron = staticmethod(treadle.FreshnessPolicy.cron)


__all__ = ["FreshnessPolicy", "LegacyFreshnessPolicy", "deprecated"]
