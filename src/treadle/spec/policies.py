"""Policies that are declared with an asset: how it is backfilled, how old it may get, when it is made unasked."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

import msgspec

from treadle.core.partitions import PartitionsDefinition
from treadle.core.time import instant_of, zone_of
from treadle.core.windows import cadence
from treadle.errors import DefinitionError
from treadle.spec.retry import RetryPolicy


class AutomationRule:
    """What may be declared as an `automation_condition`: all that those who only keep one have to know of it.

    `spec.automation.AutomationCondition` is the one kind there is. It stands above selections and the asset graph,
    which stand above the specs that hold it.
    """

    __slots__ = ()


class BackfillPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many partitions of an asset one run of a backfill makes.

    Attributes:
        max_partitions_per_run: at most so many; None for the whole range in one run.
    """

    max_partitions_per_run: int | None = 1

    def __post_init__(self) -> None:
        if self.max_partitions_per_run is not None and self.max_partitions_per_run < 1:
            raise DefinitionError("BackfillPolicy: max_partitions_per_run must be at least 1, or None for no limit.")

    @staticmethod
    def single_run() -> BackfillPolicy:
        """One run for the whole range; the function reads it from the context."""
        return BackfillPolicy(None)

    @staticmethod
    def multi_run(max_partitions_per_run: int = 1) -> BackfillPolicy:
        """One run for each so many partitions."""
        return BackfillPolicy(max_partitions_per_run)


class FreshnessPolicy(msgspec.Struct, frozen=True, tag_field="kind"):
    """How old an asset may get before people should know. Make one with `time_window` or `cron`."""

    @staticmethod
    def time_window(*, fail_window: timedelta, warn_window: timedelta | None = None) -> TimeWindowFreshnessPolicy:
        """Fresh while the last materialization is younger than these windows, each at least a minute."""
        return TimeWindowFreshnessPolicy(fail_window, warn_window)

    @staticmethod
    def cron(*, deadline_cron: str, lower_bound_delta: timedelta, timezone: str = "UTC") -> CronFreshnessPolicy:
        """Fresh if, at each deadline, there was a materialization within `lower_bound_delta` before it."""
        return CronFreshnessPolicy(deadline_cron, lower_bound_delta, timezone)


_MINUTE = timedelta(minutes=1)


class TimeWindowFreshnessPolicy(FreshnessPolicy, frozen=True, omit_defaults=True, tag="time_window"):
    """Freshness by the age of the last materialization."""

    fail_window: timedelta
    warn_window: timedelta | None = None

    def __post_init__(self) -> None:
        if self.fail_window < _MINUTE or (self.warn_window is not None and self.warn_window < _MINUTE):
            raise DefinitionError("FreshnessPolicy.time_window: windows must be at least one minute.")
        if self.warn_window is not None and self.warn_window >= self.fail_window:
            raise DefinitionError("FreshnessPolicy.time_window: warn_window must be shorter than fail_window.")


class CronFreshnessPolicy(FreshnessPolicy, frozen=True, omit_defaults=True, tag="cron"):
    """Freshness by deadlines."""

    deadline_cron: str
    lower_bound_delta: timedelta
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        zone_of(self.timezone)
        shortest = _shortest_interval(self.deadline_cron)
        if not _MINUTE <= self.lower_bound_delta <= shortest:
            raise DefinitionError(
                f"FreshnessPolicy.cron: lower_bound_delta is {self.lower_bound_delta}. It must be at least one minute, "
                f"and at most {shortest}, the shortest time between two deadlines of {self.deadline_cron!r}."
            )


_COMMON_YEAR = instant_of(datetime(2023, 1, 1))
_ENOUGH = 64
"""Ticks after which an expression has shown its shortest interval: an hour of minutes, or some years of months."""


@lru_cache(maxsize=1024)
def _shortest_interval(cron_schedule: str) -> timedelta:
    ticks = cadence(cron_schedule)
    first = ticks.ceil(_COMMON_YEAR)
    some = ticks.ticks(first, ticks.shift(first, _ENOUGH))
    return timedelta(seconds=min(after - before for before, after in pairwise(some)))


_RETRY = RetryPolicy, "a RetryPolicy, such as RetryPolicy(max_retries=3)"
_WANTED: dict[str, tuple[type, str]] = {
    "automation_condition": (AutomationRule, "an AutomationCondition, such as AutomationCondition.eager()"),
    "backfill_policy": (BackfillPolicy, "a BackfillPolicy, such as BackfillPolicy.single_run()"),
    "freshness_policy": (
        FreshnessPolicy,
        "a FreshnessPolicy, such as FreshnessPolicy.time_window(fail_window=timedelta(days=1))",
    ),
    "partitions_def": (
        PartitionsDefinition,
        'a PartitionsDefinition, such as DailyPartitionsDefinition("2026-01-01")',
    ),
    "retry_policy": _RETRY,
    "op_retry_policy": _RETRY,
}


def wrong_type(what: str, name: str, value: Any, place: str = "") -> DefinitionError:
    """The error for a policy, condition or partitions definition that is none.

    Args:
        what: what was declared with it: "asset 'orders'".
        name: the argument.
        place: where the function is, as `signature.where` says it.
    """
    hint = ""
    if isinstance(value, type):
        hint = f" {value.__name__} is a class: make an object of it."
    elif callable(value):
        hint = f" {getattr(value, '__name__', value)} is a function: call it."
    return DefinitionError(f"{what}: {name} takes {_WANTED[name][1]}, not {value!r}.{hint}{place}")


def check_types(what: str, place: str = "", **given: Any) -> None:
    """Check arguments with the names that `wrong_type` knows. Where many definitions pass, look inline instead.

    Raises:
        DefinitionError: one is given and of another type.
    """
    for name, value in given.items():
        if value is not None and not isinstance(value, _WANTED[name][0]):
            raise wrong_type(what, name, value, place)
