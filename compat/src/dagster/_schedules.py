"""Schedules as users of Dagster write them: with `environment_vars`, which have no effect any more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import treadle
from dagster._warnings import warn_deprecated


def _keep(definition: treadle.ScheduleDefinition, environment_vars: Mapping[str, str] | None) -> None:
    vars(definition)["_environment_vars"] = environment_vars
    if environment_vars is not None:
        warn_deprecated(
            "environment_vars of a schedule is deprecated: leave it out, the functions of a schedule see the "
            "environment of their code location."
        )


@wraps(treadle.schedule)
def schedule(
    cron_schedule: str | Sequence[str], *, environment_vars: Mapping[str, str] | None = None, **given: Any
) -> Callable[[Callable[..., Any]], treadle.ScheduleDefinition]:
    make = treadle.schedule(cron_schedule, **given)

    def made(fn: Callable[..., Any]) -> treadle.ScheduleDefinition:
        definition = make(fn)
        _keep(definition, environment_vars)
        return definition

    return made


def _with_environment(init: Callable[..., None]) -> Callable[..., None]:
    @wraps(init)
    def called(
        self: treadle.ScheduleDefinition, *args: Any, environment_vars: Mapping[str, str] | None = None, **given: Any
    ) -> None:
        init(self, *args, **given)
        _keep(self, environment_vars)

    return called


treadle.ScheduleDefinition.__init__ = _with_environment(treadle.ScheduleDefinition.__init__)
setattr(  # noqa: B010  # an attribute that Treadle's class does not declare
    treadle.ScheduleDefinition, "environment_vars", property(lambda definition: vars(definition)["_environment_vars"])
)
