"""Resources: what steps use but do not make, declared once and set up for each run.

Everything that can be given as a resource becomes a `ResourceDefinition` by `as_resource_definition`. This module is on
the way of every `materialize()`, so it knows config classes (pydantic) only by the mark they carry, never by import.
"""

from __future__ import annotations

import copy
import inspect
import logging
import os
import types
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Set
from contextlib import contextmanager
from functools import cached_property
from typing import Annotated, Any, TypeVar

import msgspec

from treadle.author import port
from treadle.author.configured import Configurable
from treadle.author.run_config import plain
from treadle.author.signature import decorator
from treadle.core.keys import did_you_mean
from treadle.core.told import told
from treadle.errors import DefinitionError, InvocationError, UnknownResourceError
from treadle.spec.config import UNSET, Shape, resolve
from treadle.spec.config import field as config_part

T = TypeVar("T")
_EMPTY: frozenset[str] = frozenset()
_NO_CONSTANT: Any = object()
_CONTEXT_MANAGER: type = type(contextmanager(lambda: iter(()))())


# --- values as users meet them -------------------------------------------------------------------------------------


class IAttachDifferentObjectToOpContext(ABC):
    """A resource that shows another object as `context.resources.<key>` than the one that parameters receive."""

    @abstractmethod
    def get_object_to_set_on_execution_context(self) -> Any:
        """The object for `context.resources`."""


class Resources:
    """The resources of a run by key: `context.resources.warehouse`. An unknown key raises `UnknownResourceError`."""

    __slots__ = ("__weakref__", "_values")
    _values: Mapping[str, Any]

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getattr__(self, key: str) -> Any:
        try:
            value = self._values[key]
        except KeyError:
            raise _not_there(key, self._values) from None
        if isinstance(value, IAttachDifferentObjectToOpContext):
            return value.get_object_to_set_on_execution_context()
        return value

    def _asdict(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in self._values}

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resources) and self._values == other._values

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type[Resources], tuple[dict[str, Any]]]:
        return (Resources, (dict(self._values),))  # without it, unpickling asks __getattr__ before there are values

    def __repr__(self) -> str:
        return f"Resources({', '.join(f'{key}={value!r}' for key, value in self._values.items())})"


def _not_there(key: str, known: Iterable[str]) -> Exception:
    # Names with double underscores are asked for by copy, pickle and the like: they want a plain AttributeError.
    if key.startswith("__"):
        return AttributeError(key)
    fix = f"A function gets only what it asks for: take it as a parameter, or add {key!r} to required_resource_keys."
    return _unknown(key, known, f"There is no resource {key!r} here", fix)


def _unknown(key: str, known: Iterable[str], what: str, fix: str) -> UnknownResourceError:
    names = sorted(known)
    return UnknownResourceError(
        f"{what} (there are: {', '.join(names) or 'none'}).{did_you_mean(key, names)} {fix}", keys=frozenset((key,))
    )


class _ResourceMark:
    """In the metadata of an `Annotated`: the parameter is a resource."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "resource"


RESOURCE_MARK = _ResourceMark()
ResourceParam = Annotated[T, RESOURCE_MARK]
"""Annotates a parameter that receives the resource of its name: `def f(client: ResourceParam[Client])`."""


def is_resource_annotation(annotation: Any) -> bool:
    """Whether it makes a parameter receive a resource: a class of configurable resources, or `ResourceParam[...]`."""
    if isinstance(annotation, type):
        return getattr(annotation, "__treadle_resource__", False) is True
    if any(mark is RESOURCE_MARK for mark in getattr(annotation, "__metadata__", ())):
        return True
    origin = getattr(annotation, "__origin__", None)  # Annotated[Client, ...], Factory[Client]
    return isinstance(origin, type) and getattr(origin, "__treadle_resource__", False) is True


# --- definitions ----------------------------------------------------------------------------------------------------


class InitResourceContext:
    """What a resource may look at while it is set up.

    Attributes:
        resource_config: its config, checked, with defaults and environment variables filled in.
        resource_def: its definition.
        resources: the resources it requires.
        all_resource_defs: every resource definition of the run, by key.
        instance: the instance, if there is one.
        run: the run, if there is one.
        event_loop: the event loop that was given to `build_resources`, if one was.
    """

    __slots__ = (
        "_log", "all_resource_defs", "event_loop", "instance", "resource_config", "resource_def", "resources", "run",
    )  # fmt: skip

    def __init__(
        self,
        resource_config: Any = None,
        resources: Resources | None = None,
        resource_def: ResourceDefinition | None = None,
        all_resource_defs: Mapping[str, ResourceDefinition] | None = None,
        instance: Any = None,
        run: Any = None,
        log: Any = None,
        event_loop: Any = None,
    ) -> None:
        self.resource_config = resource_config
        self.resource_def = resource_def
        self.resources: Any = _NO_RESOURCES if resources is None else resources
        self.all_resource_defs: Mapping[str, ResourceDefinition] = all_resource_defs or {}
        self.instance = instance
        self.run = run
        self._log = log
        self.event_loop = event_loop

    @property
    def log(self) -> Any:
        """A logger; messages go to the run's event log. Outside a run, the logger `treadle`."""
        return logging.getLogger("treadle") if self._log is None else self._log

    @property
    def run_id(self) -> str | None:
        """The id of the run, if there is one."""
        return None if self.run is None else self.run.run_id

    dagster_run: Any = told("run", "The same as `run`.")

    log_manager = log

    def replace_config(self, config: Any) -> InitResourceContext:
        """The same context with another config."""
        made = copy.copy(self)
        made.resource_config = config
        return made


_NO_RESOURCES = Resources({})


class ResourceDefinition(Configurable):
    """How to set up a resource, and how to take it down again.

    Args:
        resource_fn: gives the value. It takes an `InitResourceContext`, or nothing. If it is a generator (or decorated
            with `contextlib.contextmanager`), what follows its one `yield` runs at the end of the run.
        config_schema: what config it takes; None takes anything.
        required_resource_keys: resources that must be there before, as `context.resources.<key>`.
        version: a version of its code.

    Attributes:
        origin: the object that was given as the resource, if that was not this definition.
    """

    _what = "resource"
    origin: Any = None

    def __init__(
        self,
        resource_fn: Callable[..., Any],
        config_schema: Any = None,
        description: str | None = None,
        required_resource_keys: Set[str] | None = None,
        version: str | None = None,
    ) -> None:
        if not callable(resource_fn):
            raise DefinitionError(
                f"ResourceDefinition: resource_fn must be a function, not {resource_fn!r}. "
                "For a value that is ready, use ResourceDefinition.hardcoded_resource(value)."
            )
        self.resource_fn = resource_fn
        self.description = description
        self.version = version
        self.config_schema = config_schema
        self.required_resource_keys = frozenset(required_resource_keys) if required_resource_keys else _EMPTY
        self._constant = _NO_CONSTANT  # the value itself, where there is nothing to set up: the short way of `start`

    # --- ready-made ones -------------------------------------------------------------------------------------------

    @staticmethod
    def hardcoded_resource(value: Any, description: str | None = None) -> ResourceDefinition:
        """A resource that is `value`."""
        definition = ResourceDefinition(lambda: value, description=description)
        definition._constant = value
        return definition

    @staticmethod
    def none_resource(description: str | None = None) -> ResourceDefinition:
        """A resource that is None."""
        return ResourceDefinition.hardcoded_resource(None, description)

    @staticmethod
    def string_resource(description: str | None = None) -> ResourceDefinition:
        """A resource that is its config, a string."""
        return ResourceDefinition(lambda context: context.resource_config, str, description)

    @staticmethod
    def mock_resource(description: str | None = None) -> ResourceDefinition:
        """A resource that is a new `unittest.mock.MagicMock`."""
        return ResourceDefinition(_mock, description=description)

    # --- what it needs ---------------------------------------------------------------------------------------------

    def requires(self, definitions: Mapping[str, ResourceDefinition]) -> frozenset[str]:
        """The keys among `definitions` that have to be set up before this one: those it names, and those it finds among
        them by identity."""
        return self.required_resource_keys

    def get_required_resource_keys(self, resource_defs: Mapping[str, ResourceDefinition]) -> frozenset[str]:
        """The same as `requires`."""
        return self.requires(resource_defs)

    # --- config ----------------------------------------------------------------------------------------------------

    def configured(
        self, config_or_config_fn: Any, config_schema: Any = None, description: str | None = None
    ) -> ResourceDefinition:
        """This resource with its config given now, or computed by a function from other config, which is as
        `config_schema` says. Without a description it has this one's.
        """
        return self._configured(config_or_config_fn, config_schema, description)

    # --- setting up ------------------------------------------------------------------------------------------------

    @cached_property
    def takes_context(self) -> bool:
        """Whether its function wants an `InitResourceContext`."""
        fn = self.resource_fn
        if isinstance(fn, types.FunctionType) and not hasattr(fn, "__wrapped__"):
            return fn.__code__.co_argcount > 0
        try:
            parameters = inspect.signature(fn).parameters.values()
        except (TypeError, ValueError):  # some callables of C tell nothing
            return False
        return any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL) for p in parameters)

    def call(self, context: Any) -> Any:
        """What the function returns; it gets `context` if it wants one."""
        return self.resource_fn(context) if self.takes_context else self.resource_fn()

    @property
    def is_constant(self) -> bool:
        """Whether it is a ready value that nothing has to be done for."""
        return self._constant is not _NO_CONSTANT

    def start(self, context: InitResourceContext) -> tuple[Any, Callable[[], None] | None]:
        """Set it up. Returns the value, and what to call to take it down, if there is anything to do.

        `context.resource_config` is the resolved config. What the user's function raises comes through.
        """
        if self._constant is not _NO_CONSTANT:
            return self._constant, None
        return enter(self.call(context))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function by hand, as in a test: with an `InitResourceContext`, or nothing if it takes none.

        A function that yields gives a context manager.
        """
        given = [*args, *kwargs.values()]
        if len(given) > 1:
            raise InvocationError("A resource is called with one argument, an InitResourceContext, or with none.")
        if self._constant is not _NO_CONSTANT:
            return self._constant
        context = given[0] if given else None
        if self.takes_context:
            if not isinstance(context, InitResourceContext):
                raise InvocationError(
                    f"This resource needs an InitResourceContext, not {type(context).__name__}. "
                    "Make one with build_init_resource_context(config=..., resources=...)."
                )
            config = UNSET if context.resource_config is None else context.resource_config
            context = context.replace_config(self.resolve_config(self.check_config(config)))
        elif given:
            raise InvocationError(
                "This resource was called with a context, but its function takes none. Call it without arguments, "
                "or give the function a `context` parameter."
            )
        made = self.call(context)
        return contextmanager(lambda: made)() if isinstance(made, types.GeneratorType) else made

    def __repr__(self) -> str:
        return f"{type(self).__name__}({getattr(self.resource_fn, '__name__', self.resource_fn)!r})"


def _mock() -> Any:
    from unittest.mock import MagicMock  # noqa: PLC0415  # for tests only, and slow to import

    return MagicMock()


def enter(made: Any) -> tuple[Any, Callable[[], None] | None]:
    """The value behind what a resource function returned, and what to call at the end: generators and the context
    managers of `contextlib.contextmanager` are entered, anything else is the value.
    """
    if isinstance(made, types.GeneratorType):
        try:
            value = next(made)
        except StopIteration:
            raise DefinitionError(
                "A resource function ended without yielding. A generator must yield its resource once."
            ) from None
        return value, lambda: _finish(made)
    if isinstance(made, _CONTEXT_MANAGER):
        return made.__enter__(), lambda: made.__exit__(None, None, None)
    return made, None


def _finish(generator: Generator[Any, None, None]) -> None:
    try:
        next(generator)
    except StopIteration:
        return
    generator.close()
    raise DefinitionError("A resource function yielded a second time. A generator must yield its resource once.")


@decorator("config_schema")
def resource(
    config_schema: Any = None,
    description: str | None = None,
    required_resource_keys: Set[str] | None = None,
    version: str | None = None,
) -> Callable[[Callable[..., Any]], ResourceDefinition]:
    """Make a resource of a function: `@resource` or `@resource(config_schema={"host": str})`.

    Example:
        @resource(config_schema={"path": str})
        def database(context):
            connection = sqlite3.connect(context.resource_config["path"])
            yield connection
            connection.close()
    """
    return lambda fn: ResourceDefinition(fn, config_schema, description or doc_of(fn), required_resource_keys, version)


def doc_of(fn: Callable[..., Any]) -> str | None:
    """The docstring of a function, as a description."""
    text = getattr(fn, "__doc__", None)
    return inspect.cleandoc(text) if isinstance(fn, types.FunctionType) and text else None


def make_values_resource(**schema: Any) -> ResourceDefinition:
    """A resource that is its config: one entry a keyword, of the given type. Without keywords it takes any config."""
    return ResourceDefinition(lambda context: context.resource_config, schema or None)


# --- anything as a resource -----------------------------------------------------------------------------------------


def as_resource_definition(key: str, value: Any) -> ResourceDefinition:
    """The definition that `value`, given as the resource `key`, means.

    A definition is itself, configurable resources and IO managers say what they are, any other object is its own value.

    Raises:
        DefinitionError: `value` is a class of configurable resources instead of an instance.
    """
    if isinstance(value, ResourceDefinition):
        return value
    if isinstance(value, type) and getattr(value, "__treadle_resource__", False):
        raise DefinitionError(
            f"The resource {key!r} is the class {value.__name__}, not an instance of it. "
            f"Write {value.__name__}(...), or {value.__name__}.configure_at_launch() to configure it with each run."
        )
    define = getattr(type(value), "get_resource_definition", None)
    return ResourceDefinition.hardcoded_resource(value) if define is None else define(value)


def check_configs(definitions: Mapping[str, ResourceDefinition], section: Mapping[str, Any]) -> dict[str, Any]:
    """The `resources` section of run config (`{key: {"config": ...}}`), checked as a whole: config by key, defaults and
    environment variables filled in.

    Raises:
        ConfigError: it does not fit, with all faults.
    """
    parts = {key: config_part(Shape({"config": one.config_field.field})) for key, one in definitions.items()}
    shape = Shape({"resources": config_part(Shape(parts))})
    checked = resolve(shape, {"resources": plain(section)}, env=os.environ)
    return {key: entry["config"] for key, entry in checked["resources"].items() if "config" in entry}


def resource_definitions(resources: Mapping[str, Any]) -> dict[str, ResourceDefinition]:
    """`as_resource_definition` for each."""
    return {key: as_resource_definition(key, value) for key, value in resources.items()}


def resolve_keys(
    definitions: Mapping[str, ResourceDefinition],
    keys: Iterable[str],
    required_by: Mapping[str, str] | None = None,
) -> list[str]:
    """`keys` and all that they require, each after what it requires, otherwise in alphabetical order.

    Args:
        required_by: for messages, who needs a key: `{"warehouse": "asset 'orders'"}`.

    Raises:
        UnknownResourceError: a key is not among `definitions`.
        DefinitionError: resources require each other in a circle.
    """
    order: list[str] = []
    done: set[str] = set()
    path: list[str] = []

    def visit(key: str, needed_by: str) -> None:
        if key in done:
            return
        if key in path:
            raise DefinitionError(
                f"Resources require each other in a circle: {' -> '.join([*path[path.index(key) :], key])}. Break it."
            )
        definition = definitions.get(key)
        if definition is None:
            by = f", required by {needed_by}," if needed_by else ""
            what = f"The resource {key!r}{by} was not provided"
            raise _unknown(key, definitions, what, f"Add it to `resources`: {{{key!r}: ...}}.")
        requires = definition.requires(definitions)
        if requires:
            path.append(key)
            for other in sorted(requires):
                visit(other, f"resource {key!r}")
            path.pop()
        done.add(key)
        order.append(key)

    for key in sorted(keys):
        visit(key, (required_by or {}).get(key, ""))
    return order


# --- by hand --------------------------------------------------------------------------------------------------------


def build_init_resource_context(
    config: Any = None, resources: Mapping[str, Any] | None = None, instance: Any = None
) -> InitResourceContext:
    """A context for calling a resource function in a test: its config, the resources that it requires (values, or
    resources that are set up for it) and the instance that it may look at.
    """
    config = {} if config is None else config
    return InitResourceContext(config, resources_by_hand(resources, instance), instance=instance)


def resources_by_hand(resources: Mapping[str, Any] | None, instance: Any = None) -> Resources:
    """`resources` for a context that someone builds by hand: values as they are, definitions set up.

    What is set up this way lives until the context goes; use `build_resources` for a sure end.
    """
    if not resources:
        return _NO_RESOURCES
    definitions = resource_definitions(resources)
    if all(definition.is_constant for definition in definitions.values()):
        return Resources({key: definition._constant for key, definition in definitions.items()})
    opened = port.call("open_resources")(definitions, definitions, {}, ResourceInit(instance=instance))
    values = Resources(opened.values._values)
    weakref.finalize(values, opened.close)
    return values


class ResourceInit(msgspec.Struct, frozen=True):
    """What every resource of a run may look at while it is set up.

    Attributes:
        instance: the instance, if there is one.
        run: the run, if there is one.
        log: a logger.
        event_loop: an event loop for those that need one.
    """

    instance: Any = None
    run: Any = None
    log: Any = None
    event_loop: Any = None
