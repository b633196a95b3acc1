"""Schedules of whole days, hours, weeks and months, as older code declares them; `@sensor` without parentheses.

`@daily_schedule` makes a function that says what runs for the day that has ended. Without a job it is about all assets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time
from functools import partial
from inspect import signature
from typing import Any

import treadle
from dagster._warnings import warn_deprecated
from treadle.core.windows import cadence
from treadle.runtime.direct import DirectAssetExecutionContext

_MIDNIGHT = time()
_CRONS = {
    "hourly": ("{minute} * * * *", "0 * * * *", "hour"),
    "daily": ("{minute} {hour} * * *", "0 0 * * *", "day"),
    "weekly": ("{minute} {hour} * * {day}", "0 0 * * 0", "week"),
    "monthly": ("{minute} {hour} {day} * *", "0 0 1 * *", "month"),
}
"""When a schedule ticks, when its periods begin, and what they are called."""


class _PeriodSchedule(treadle.ScheduleDefinition):
    """A schedule whose function takes the start of the period that has ended, or nothing."""

    fn: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.fn(*args, **kwargs)


def _schedule(every: str, fn: Callable[..., Any], options: dict[str, Any]) -> _PeriodSchedule:
    at, ends, what = _CRONS[every]
    took = options.pop("execution_time", _MIDNIGHT)
    day = options.pop("execution_day_of_week", None) or options.pop("execution_day_of_month", None)
    first, last = options.pop("start_date", None), options.pop("end_date", None)
    tags_of = options.pop("tags_fn_for_date", None)
    name = options.pop("name", None) or fn.__name__
    zone = options.get("execution_timezone") or "UTC"
    periods = cadence(ends, zone)

    def evaluate(context: treadle.ScheduleEvaluationContext) -> Any:
        due = context.scheduled_execution_time
        start = periods.zone.at(periods.previous(periods.floor(int(due.timestamp()))))
        if (first is not None and start < _in(first, start)) or (last is not None and start >= _in(last, start)):
            return treadle.SkipReason(f"The {what} of {start:%Y-%m-%d} is before start_date, or not before end_date.")
        given = fn(start) if signature(fn).parameters else fn()
        tags = tags_of(start) if tags_of is not None else None
        if isinstance(given, DirectAssetExecutionContext):  # a context in place of the partition that it is for
            return treadle.RunRequest(partition_key=given.partition_key, tags=tags)
        return treadle.RunRequest(run_config=given, tags=tags) if isinstance(given, Mapping) else given

    job_name = options.pop("job_name", None) or options.pop("pipeline_name", None)
    if job_name is not None:
        options["job_name"] = job_name
    elif not {"job", "target"} & options.keys():
        options["target"] = treadle.AssetSelection.all()
    options.setdefault("description", fn.__doc__)
    schedule = _PeriodSchedule(
        name,
        cron_schedule=at.format(minute=took.minute, hour=took.hour, day=day or (1 if every == "monthly" else 0)),
        execution_fn=evaluate,
        **options,
    )
    schedule.fn = fn
    return schedule


def _in(moment: datetime, like: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=like.tzinfo)


def _decorator(every: str, job_name: Any = None, **options: Any) -> Any:
    warn_deprecated(
        f"@{every}_schedule is deprecated: use @schedule(cron_schedule=...), or build_schedule_from_partitioned_job."
    )
    if callable(job_name):
        return _schedule(every, job_name, options)
    return lambda fn: _schedule(every, fn, {"job_name": job_name, **options})


hourly_schedule = partial(_decorator, "hourly")
"""Once an hour, at the minute of `execution_time`. Arguments as for `daily_schedule`."""

daily_schedule = partial(_decorator, "daily")
"""Make a function a schedule that ticks once a day. It says what runs for the day before, whose start it may take.

It gives the config of the run, a `RunRequest`, a `SkipReason`, None, or a context for the partition that shall run.

Args:
    job_name (or pipeline_name, job, target): what it starts; all assets if nothing is given.
    start_date, end_date: the first day, and the day after the last.
    execution_time: when it ticks; at midnight by default.
    tags_fn_for_date: gives the tags of the run for the start of the day.
    The other arguments are those of `schedule`.
"""

weekly_schedule = partial(_decorator, "weekly")
"""Once a week, on `execution_day_of_week` (0 is Sunday, the default). Arguments as for `daily_schedule`."""

monthly_schedule = partial(_decorator, "monthly")
"""Once a month, on `execution_day_of_month` (1 by default). Arguments as for `daily_schedule`."""


def sensor(job_name: Any = None, **given: Any) -> Any:
    """`treadle.sensor`, which may also be used without parentheses."""
    return treadle.sensor(**given)(job_name) if callable(job_name) else treadle.sensor(job_name, **given)
