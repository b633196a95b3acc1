"""What the functions of schedules and sensors are told about their tick."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from treadle.author.resources import Resources, resources_by_hand
from treadle.core.told import told
from treadle.errors import InvariantError, InvocationError


class TickContext:
    """What schedules and sensors are told alike."""

    __treadle_context__ = True

    def __init__(
        self,
        instance: Any = None,
        resources: Mapping[str, Any] | None = None,
        definitions: Any = None,
        repository_name: str | None = None,
    ) -> None:
        self._instance = instance
        self._given_resources = resources
        self._resources: Resources | None = None
        self.repository_def = definitions
        """The definitions around it, if they were given."""
        self.repository_name = repository_name
        """The name of what is around it."""
        self.log = logging.getLogger("treadle.user")

    @property
    def instance(self) -> Any:
        """The instance.

        Raises:
            InvariantError: the context was built without one.
        """
        if self._instance is None:
            raise InvariantError("This context was built without an instance. Give it one: instance=Instance.get().")
        return self._instance

    @property
    def resources(self) -> Any:
        """The resources that the function requires, as attributes."""
        if self._resources is None:
            self._resources = resources_by_hand(self._given_resources, self._instance)
        return self._resources

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class ScheduleEvaluationContext(TickContext):
    """What the functions of a schedule are told."""

    def __init__(
        self,
        instance_ref: Any = None,
        scheduled_execution_time: datetime | None = None,
        log_key: Sequence[str] | None = None,
        repository_name: str | None = None,
        schedule_name: str | None = None,
        resources: Mapping[str, Any] | None = None,
        repository_def: Any = None,
    ) -> None:
        super().__init__(instance_ref, resources, repository_def, repository_name)
        self.due = scheduled_execution_time
        """When the tick was due, if that is known."""
        self.log_key = log_key
        self.schedule_name = schedule_name

    @property
    def scheduled_execution_time(self) -> datetime:
        """When the tick was due, in the schedule's time zone.

        Raises:
            InvariantError: the context was built without it.
        """
        if self.due is None:
            raise InvariantError(
                "This context was built without a time. Write build_schedule_context(scheduled_execution_time=...)."
            )
        return self.due


class SensorEvaluationContext(TickContext):
    """What the function of a sensor is told."""

    def __init__(
        self,
        instance_ref: Any = None,
        last_tick_completion_time: float | None = None,
        last_run_key: str | None = None,
        cursor: str | None = None,
        log_key: Sequence[str] | None = None,
        repository_name: str | None = None,
        repository_def: Any = None,
        instance: Any = None,
        sensor_name: str | None = None,
        resources: Mapping[str, Any] | None = None,
        definitions: Any = None,
        last_sensor_start_time: float | None = None,
        location_name: str | None = None,
    ) -> None:
        instance = instance if instance is not None else instance_ref
        super().__init__(instance, resources, definitions or repository_def, repository_name)
        self.last_tick_completion_time = last_tick_completion_time
        self.last_run_key = last_run_key
        self.last_sensor_start_time = last_sensor_start_time
        self.log_key = log_key
        self.location_name = location_name
        """The code location of the sensor, if it is in one."""
        self._sensor_name = sensor_name
        self._cursor = cursor
        self.cursor_updated = False

    @property
    def sensor_name(self) -> str:
        """The name of the sensor.

        Raises:
            InvariantError: the context was built without it.
        """
        if self._sensor_name is None:
            raise InvariantError("This context was built without a sensor's name. Write sensor_name='...'.")
        return self._sensor_name

    cursor: str | None = told("_cursor", "What the last evaluation that ended well left for this one.")

    def update_cursor(self, cursor: str | None) -> None:
        """Leave a text for the next evaluation. It is kept only if this one ends well.

        Raises:
            InvocationError: it is no text.
        """
        if cursor is not None and not isinstance(cursor, str):
            raise InvocationError(f"update_cursor({cursor!r}): a cursor is a string. Write {str(cursor)!r}.")
        self._cursor = cursor
        self.cursor_updated = True

    @property
    def is_first_tick_since_sensor_start(self) -> bool:
        """Whether no evaluation has ended since the sensor was turned on."""
        if self.last_sensor_start_time is None or self.last_tick_completion_time is None:
            return True
        return self.last_tick_completion_time < self.last_sensor_start_time


def build_schedule_context(
    instance: Any = None,
    scheduled_execution_time: datetime | None = None,
    resources: Mapping[str, object] | None = None,
    repository_def: Any = None,
    instance_ref: Any = None,
) -> ScheduleEvaluationContext:
    """A context to call or evaluate a schedule with in a test.

    Args:
        instance, instance_ref: what `context.instance` is.
        scheduled_execution_time: when the tick is due.
        resources: by key: definitions, configurable resources or plain objects.
        repository_def: the `Definitions` around the schedule, where requests need jobs of them.
    """
    return ScheduleEvaluationContext(
        instance if instance is not None else instance_ref, scheduled_execution_time, resources=resources,
        repository_def=repository_def,
    )  # fmt: skip


def build_sensor_context(
    instance: Any = None,
    cursor: str | None = None,
    repository_name: str | None = None,
    repository_def: Any = None,
    sensor_name: str | None = None,
    resources: Mapping[str, object] | None = None,
    definitions: Any = None,
    instance_ref: Any = None,
    last_sensor_start_time: float | None = None,
) -> SensorEvaluationContext:
    """A context to call or evaluate a sensor with in a test.

    Args:
        instance, instance_ref: what `context.instance` is.
        cursor, repository_name, sensor_name, last_sensor_start_time: what the members of the same name are.
        resources: by key: definitions, configurable resources or plain objects.
        definitions, repository_def: the `Definitions` around the sensor, where requests need jobs of them.
    """
    return SensorEvaluationContext(
        instance_ref, None, None, cursor, None, repository_name, repository_def, instance, sensor_name, resources,
        definitions, last_sensor_start_time,
    )  # fmt: skip
