"""What the functions of schedules and sensors are told about their tick, and how they are called with it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from treadle.author.resources import Resources, is_resource_annotation, resources_by_hand
from treadle.author.signature import signature_of, where
from treadle.errors import DefinitionError, InvariantError, InvocationError


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
        self._definitions = definitions
        self._repository_name = repository_name
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

    @property
    def repository_def(self) -> Any:
        """The definitions around it, if they were given."""
        return self._definitions

    @property
    def repository_name(self) -> str | None:
        """The name of what is around it."""
        return self._repository_name

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
        self._time = scheduled_execution_time
        self.log_key = log_key
        self.schedule_name = schedule_name

    @property
    def scheduled_execution_time(self) -> datetime:
        """When the tick was due, in the schedule's time zone.

        Raises:
            InvariantError: the context was built without it.
        """
        if self._time is None:
            raise InvariantError(
                "This context was built without a time. Write build_schedule_context(scheduled_execution_time=...)."
            )
        return self._time

    @property
    def due(self) -> datetime | None:
        """When the tick was due, if that is known."""
        return self._time


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
    ) -> None:
        instance = instance if instance is not None else instance_ref
        super().__init__(instance, resources, definitions or repository_def, repository_name)
        self.last_tick_completion_time = last_tick_completion_time
        self.last_run_key = last_run_key
        self.last_sensor_start_time = last_sensor_start_time
        self.log_key = log_key
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

    @property
    def cursor(self) -> str | None:
        """What the last evaluation that ended well left for this one."""
        return self._cursor

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


@dataclass(frozen=True, slots=True)
class TickFunction:
    """A user's function of a tick: what it takes, and how it is called.

    Attributes:
        fn: the function.
        what: what it belongs to, for messages.
        names: its parameters that are given by position: a context, perhaps more.
        resources: its parameters that are resources.
        required: the keys of all resources that it uses.
    """

    fn: Callable[..., Any]
    what: str
    names: tuple[str, ...]
    resources: tuple[str, ...]
    required: Set[str]

    @staticmethod
    def of(fn: Any, what: str, required: Set[str] | None = None, most: int = 1) -> TickFunction:
        """Read a function that takes at most so many parameters beside resources.

        Raises:
            DefinitionError: it takes more, or is no function.
        """
        if not callable(fn):
            raise DefinitionError(f"{what} is made of a function, not of {fn!r}.")
        read = signature_of(fn)
        resources = tuple(name for name in read.names if is_resource_annotation(read.annotations.get(name)))
        names = ((read.context,) if read.context else ()) + tuple(n for n in read.names if n not in resources)
        needed = tuple(name for name in names if name not in read.defaults)
        if len(needed) > most:
            raise DefinitionError(
                f"The function of {what} takes {', '.join(names)}; it gets {'a context' if most == 1 else most} and "
                f"resources. Annotate a resource with its class, or ResourceParam[...].{where(fn)}"
            )
        return TickFunction(fn, what, names[:most], resources, frozenset(required or ()) | set(resources))

    def __call__(self, context: Any, *more: Any) -> Any:
        """Call it as the system does."""
        given = {key: getattr(context.resources, key) for key in self.resources}
        return self.fn(*(context, *more)[: len(self.names)], **given)

    def by_hand(self, kind: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The context and the resources that someone calls it with in a test.

        Raises:
            InvocationError: there is no context where it takes one, or more than that and resources.
        """
        given = [*args, *(kwargs.pop(name) for name in self.names if name in kwargs)]
        unknown = kwargs.keys() - set(self.resources)
        if unknown or len(given) > 1 or not all(isinstance(one, kind) for one in given):
            raise InvocationError(
                f"{self.what} is called with a {kind.__name__} and its resources by name, not with "
                f"{', '.join(map(repr, [*given, *sorted(unknown)])):.200}.{where(self.fn)}"
            )
        if not given and (self.names or set(self.resources) - kwargs.keys()):
            raise InvocationError(f"{self.what} takes a context. Call it with one that is built for tests.")
        context: Any = given[0] if given else None
        return context, {**{k: getattr(context.resources, k) for k in self.resources if k not in kwargs}, **kwargs}
