"""Names that newer code does without."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import treadle
from dagster._warnings import warn_deprecated
from treadle.core.time import parse_cron, zone_of


@dataclass(init=False, frozen=True, slots=True)
class LegacyFreshnessPolicy:
    """How old an asset may get: `maximum_lag_minutes` at any time, or at each time that a cron expression names.

    Deprecated: use `FreshnessPolicy.time_window` and `FreshnessPolicy.cron`, which are about the asset's last
    materialization, and not about that of the data it is made from.

    Raises:
        DagsterInvalidDefinitionError: the cron expression or its zone cannot be read, or a zone comes without one.
    """

    maximum_lag_minutes: float
    cron_schedule: str | None = None
    cron_schedule_timezone: str | None = None

    def __init__(
        self, *, maximum_lag_minutes: float, cron_schedule: str | None = None, cron_schedule_timezone: str | None = None
    ) -> None:
        warn_deprecated(
            "A FreshnessPolicy of maximum_lag_minutes is deprecated: use FreshnessPolicy.time_window(fail_window=...), "
            "or FreshnessPolicy.cron(deadline_cron=..., lower_bound_delta=...)."
        )
        if cron_schedule is not None:
            parse_cron(cron_schedule)
            zone_of(cron_schedule_timezone or "UTC")
        elif cron_schedule_timezone is not None:
            raise treadle.DefinitionError("cron_schedule_timezone says something only with cron_schedule. Give both.")
        for name, value in (
            ("maximum_lag_minutes", float(maximum_lag_minutes)),
            ("cron_schedule", cron_schedule),
            ("cron_schedule_timezone", cron_schedule_timezone),
        ):
            object.__setattr__(self, name, value)

    @property
    def maximum_lag_delta(self) -> timedelta:
        """The lag."""
        return timedelta(minutes=self.maximum_lag_minutes)

    def to_freshness_policy(self) -> treadle.FreshnessPolicy:
        """What says nearest the same in the terms of today."""
        lag = self.maximum_lag_delta
        if self.cron_schedule is None:
            return treadle.FreshnessPolicy.time_window(fail_window=lag)
        zone = self.cron_schedule_timezone or "UTC"
        return treadle.FreshnessPolicy.cron(deadline_cron=self.cron_schedule, lower_bound_delta=lag, timezone=zone)


FreshnessPolicy = LegacyFreshnessPolicy
__all__ = ["FreshnessPolicy"]
