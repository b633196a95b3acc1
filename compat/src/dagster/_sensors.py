"""Sensors as users of Dagster write them: older arguments, and names that have kept their prefix.

Their functions see events and runs, so what `_aliases` attaches to these is loaded too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeAlias

import dagster._aliases  # noqa: F401
import treadle
from dagster._deprecated import Old, with_old_arguments

_Reaction: TypeAlias = treadle.SkipReason | treadle.RunRequest | treadle.SensorResult
SensorReturnTypesUnion: TypeAlias = Iterator[_Reaction] | Sequence[treadle.RunRequest] | _Reaction | None
"""What the function of a sensor may give."""


def _newer(name: str) -> tuple[Old, str]:
    def change(given: dict[str, Any], value: Any) -> None:
        if given.get(name) is not None:
            raise treadle.InvocationError(f"{name} is given, and its older name too. Give only {name}.")
        given[name] = value

    return change, f"use {name}."


_MONITORED = {
    "job_selection": _newer("monitored_jobs"),
    "monitor_all_repositories": _newer("monitor_all_code_locations"),
}
run_status_sensor = with_old_arguments(treadle.run_status_sensor, _MONITORED)
run_failure_sensor = with_old_arguments(treadle.run_failure_sensor, _MONITORED)
make_email_on_run_failure_sensor = with_old_arguments(treadle.make_email_on_run_failure_sensor, _MONITORED)


def build_run_status_sensor_context(
    sensor_name: str,
    dagster_event: treadle.Event,
    dagster_instance: treadle.Instance,
    dagster_run: treadle.Run,
    context: treadle.SensorEvaluationContext | None = None,
    resources: Mapping[str, object] | None = None,
    partition_key: str | None = None,
    *,
    repository_def: Any = None,
) -> treadle.RunStatusSensorContext:
    """A context to call a run status sensor with in a test; `for_run_failure()` makes it one for a failure sensor."""
    return treadle.build_run_status_sensor_context(
        sensor_name, dagster_event, dagster_instance, dagster_run, context, resources, partition_key,
        repository_def=repository_def,
    )  # fmt: skip


for _old, _new in (("dagster_run", "run"), ("dagster_event", "event")):
    setattr(treadle.RunStatusSensorContext, _old, property(attrgetter(_new)))
