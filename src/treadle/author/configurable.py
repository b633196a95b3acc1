"""Resources written as classes with typed fields: `class Database(ConfigurableResource): url: str`.

An object of such a class is a plan: run config may still change its fields, environment variables are still names,
nested resources are not up. For each run a fresh object is built from the resolved config and that one is used, so
nothing that a run does to a resource reaches the next run. Imports pydantic, and is imported only when a user's code
does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Self, get_args, get_origin

from pydantic import ConfigDict, GetCoreSchemaHandler, PrivateAttr, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypeVar  # with defaults; pydantic needs it too

from treadle.author.config import Config, build, keys_of, shape_of, with_defaults
from treadle.author.config_types import ConfigType, Field
from treadle.author.env import is_env
from treadle.author.io_contexts import InputContext, OutputContext
from treadle.author.io_managers import IOManager, IOManagerDefinition
from treadle.author.resources import (
    InitResourceContext,
    ResourceDefinition,
    as_resource_definition,
    enter,
    is_resource_annotation,
)
from treadle.author.run_config import plain
from treadle.errors import DefinitionError, InvariantError, InvocationError
from treadle.spec import config

T = TypeVar("T", default=Any)


class _Dependency:
    """In the metadata of an annotation: the field is a resource of any kind, and pydantic leaves it alone."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.any_schema()


_DEPENDENCY = _Dependency()

if TYPE_CHECKING:
    # For type checkers a descriptor: the field reads as T, and is given as T or as anything that becomes a T.
    class ResourceDependency(Generic[T]):
        def __get__(self, instance: Any, owner: Any) -> T: ...
        def __set__(
            self,
            instance: Any,
            value: T | ResourceDefinition | ConfigurableResourceFactory[T] | PartialResource[Any],
        ) -> None: ...

else:
    ResourceDependency = Annotated[T, _DEPENDENCY]
    """Annotates a field that is another resource: `client: ResourceDependency[Client]`."""


class ConfigurableResourceFactory(Config, Generic[T]):
    """Base of resources that are config for something else: `create_resource` makes it.

    Fields are config, as in `Config`, or other resources. What the step receives is what `create_resource` returns.
    """

    model_config = ConfigDict(extra="ignore")
    __treadle_resource__: ClassVar[bool] = True

    _context: InitResourceContext | None = PrivateAttr(default=None)

    # --- for subclasses ----------------------------------------------------------------------------------------------

    def create_resource(self, context: InitResourceContext) -> T:
        """Make what steps receive."""
        raise DefinitionError(
            f"{type(self).__name__} does not say what it makes. Define create_resource(self, context) in it, "
            "or derive it from ConfigurableResource if steps should receive the object itself."
        )

    def setup_for_execution(self, context: InitResourceContext) -> None:
        """Called on the object of a run before it is used. Keep what it makes in private attributes (`PrivateAttr`)."""

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        """Called when the run needs it no more, if `setup_for_execution` did not raise."""

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Generator[T, None, None]:
        """The whole life of the resource as one context manager; overrides the two methods above."""
        self.setup_for_execution(context)
        try:
            yield self.create_resource(context)
        finally:
            self.teardown_after_execution(context)

    def get_resource_context(self) -> InitResourceContext:
        """The context that this object was set up with.

        Raises:
            InvariantError: it was not set up: it is not the object of a run.
        """
        if self._context is None:
            raise InvariantError(
                f"{type(self).__name__} has no context: it was made by hand and not set up. "
                "In a test, use with_resource_context(build_init_resource_context())."
            )
        return self._context

    # --- configuring -------------------------------------------------------------------------------------------------

    @classmethod
    def configure_at_launch(cls, **kwargs: Any) -> PartialResource[Self]:
        """This resource with only some fields given; the others come from run config."""
        return PartialResource(cls, kwargs)

    @property
    def nested_resources(self) -> Mapping[str, Any]:
        """The resources among the fields."""
        return {name: value for name in _nested_fields(type(self)) if (value := getattr(self, name)) is not None}

    def get_resource_definition(self) -> ResourceDefinition:
        """The definition that this object means when it is given as a resource."""
        nested, said = self.nested_resources, Config.__run_config__(self)
        keys = keys_of(type(self))
        own = {keys.get(name, name): getattr(self, name) for name in self.model_fields_set if name not in nested}
        return _define(type(self), self, {key: said.get(key) for key in own}, own, nested)

    def __run_config__(self) -> dict[str, Any]:
        nested = self.nested_resources
        return {key: value for key, value in Config.__run_config__(self).items() if key not in nested}

    @classmethod
    def __config_schema__(cls) -> config.Shape:
        known = cls.__dict__.get("__treadle_shape__")
        if known is None:
            known = shape_of(cls, without=_nested_fields(cls))
            type.__setattr__(cls, "__treadle_shape__", known)
        return known

    # --- by hand -----------------------------------------------------------------------------------------------------

    def with_resource_context(self, resource_context: InitResourceContext) -> Self:
        """A copy that has this context, not set up."""
        made = self.model_copy()
        made._context = resource_context
        return made

    with_replaced_resource_context = with_resource_context

    def process_config_and_initialize(self) -> T:
        """Resolve environment variables and set up, outside a run.

        Raises:
            InvocationError: it has something to take down at the end: use `process_config_and_initialize_cm`.
        """
        self._refuse_teardown("process_config_and_initialize_cm()")
        with self.process_config_and_initialize_cm() as value:
            return value

    @contextmanager
    def process_config_and_initialize_cm(self) -> Iterator[T]:
        """Resolve environment variables and set up, outside a run, for as long as the `with` lasts."""
        definition = self.get_resource_definition()
        resolved = definition.resolve_config(definition.check_config())
        with _until_closed(*definition.start(InitResourceContext(resolved, resource_def=definition))) as value:
            yield value

    @classmethod
    def from_resource_context(
        cls, context: InitResourceContext, nested_resources: Mapping[str, Any] | None = None
    ) -> T:
        """What this class makes of the config of `context`: to use it inside a resource function.

        Raises:
            InvocationError: it has something to take down at the end: use `from_resource_context_cm`.
        """
        made = _build(cls, context, nested_resources or {}, {})
        made._refuse_teardown("from_resource_context_cm(context)")
        return _open(made, context)[0]

    @classmethod
    @contextmanager
    def from_resource_context_cm(
        cls, context: InitResourceContext, nested_resources: Mapping[str, Any] | None = None
    ) -> Iterator[T]:
        """What this class makes of the config of `context`, for as long as the `with` lasts."""
        with _until_closed(*_open(_build(cls, context, nested_resources or {}, {}), context)) as value:
            yield value

    def _refuse_teardown(self, instead: str) -> None:
        if _has_end(type(self)):
            raise InvocationError(
                f"{type(self).__name__} has something to take down at the end. Use `with ...{instead}`."
            )

    def __eq__(self, other: object) -> bool:
        # By fields alone: what a run keeps in private attributes is not what the resource is.
        if type(self) is not type(other):
            return False
        return all(self.__dict__.get(name) == other.__dict__.get(name) for name in type(self).model_fields)

    # --- pydantic ----------------------------------------------------------------------------------------------------

    @field_validator("*", mode="wrap")
    @classmethod
    def _keep_resources(cls, value: Any, handler: Callable[[Any], Any], info: Any) -> Any:
        # What will become the resource is no object of the field's class yet.
        if isinstance(value, PartialResource | ResourceDefinition) and info.field_name in _nested_fields(cls):
            return value
        return handler(value)

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            super().__setattr__(name, value)
        except InvocationError:
            raise InvocationError(
                f"{type(self).__name__}.{name} cannot be set: the fields of a resource are config and frozen. "
                "Keep state in a private attribute (`_client: Client = PrivateAttr()`), set in setup_for_execution."
            ) from None


class ConfigurableResource(ConfigurableResourceFactory[T]):
    """Base of resources that are used as they are: fields are config or other resources, methods do the work.

    Example:
        class Database(ConfigurableResource):
            url: str

            def query(self, sql: str) -> list[tuple]: ...

        @asset
        def orders(database: Database): ...

        defs = Definitions([orders], resources={"database": Database(url=EnvVar("DATABASE_URL"))})
    """

    def create_resource(self, context: InitResourceContext) -> Any:
        """What steps receive: the object itself, unless a subclass says otherwise."""
        return self


class ConfigurableIOManagerFactory(ConfigurableResourceFactory[T]):
    """Base of IO managers that are config for another: `create_io_manager` makes it."""

    def create_io_manager(self, context: InitResourceContext) -> T:
        """Make the IO manager."""
        raise DefinitionError(
            f"{type(self).__name__} makes no IO manager. Define create_io_manager(self, context) in it."
        )

    def create_resource(self, context: InitResourceContext) -> T:
        return self.create_io_manager(context)

    @classmethod
    def input_config_schema(cls) -> Any:
        """What config an input that it loads may be given; None for none."""
        return None

    @classmethod
    def output_config_schema(cls) -> Any:
        """What config an output that it stores may be given; None for none."""
        return None


class ConfigurableIOManager(ConfigurableIOManagerFactory[Any], IOManager):
    """Base of IO managers with config: fields are config or other resources.

    Example:
        class CsvIOManager(ConfigurableIOManager):
            folder: str

            def handle_output(self, context, obj): ...
            def load_input(self, context): ...
    """

    def create_io_manager(self, context: InitResourceContext) -> Any:
        """The IO manager: the object itself, unless a subclass says otherwise."""
        return self

    def load_input(self, context: InputContext) -> Any:
        """The value for an input."""
        raise DefinitionError(f"{type(self).__name__} does not load. Define load_input(self, context) in it.")

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Store `obj`."""
        raise DefinitionError(f"{type(self).__name__} does not store. Define handle_output(self, context, obj) in it.")


R = TypeVar("R", bound="ConfigurableResourceFactory[Any]")


class PartialResource(Generic[R]):
    """A resource with some fields given, the others to come from run config. Made by `configure_at_launch`.

    Attributes:
        resource_cls: the class.
        data: the fields that are given.
    """

    __treadle_resource__ = True

    def __init__(self, resource_cls: type[R], data: Mapping[str, Any]) -> None:
        unknown = sorted(name for name in data if name not in resource_cls.model_fields)
        if unknown:
            raise DefinitionError(
                f"{resource_cls.__name__} has no field {', '.join(map(repr, unknown))}. "
                f"It has: {', '.join(resource_cls.model_fields) or 'none'}."
            )
        self.resource_cls = resource_cls
        self.data = dict(data)

    @property
    def nested_resources(self) -> Mapping[str, Any]:
        """The resources among the fields that are given."""
        return {name: self.data[name] for name in _nested_fields(self.resource_cls) if name in self.data}

    def get_resource_definition(self) -> ResourceDefinition:
        """The definition that this object means when it is given as a resource."""
        nested, keys = self.nested_resources, keys_of(self.resource_cls)
        own = {keys.get(name, name): value for name, value in self.data.items() if name not in nested}
        values = {key: value.name if isinstance(value, Enum) else plain(value) for key, value in own.items()}
        return _define(self.resource_cls, self, values, own, nested)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.data.items())
        return f"{self.resource_cls.__name__}.configure_at_launch({given})"


# --- what a class says ----------------------------------------------------------------------------------------------


def _nested_fields(cls: type[ConfigurableResourceFactory[Any]]) -> tuple[str, ...]:
    """The fields of `cls` that are resources."""
    known = cls.__dict__.get("__treadle_nested__")
    if known is None:
        if not cls.__pydantic_complete__:
            cls.model_rebuild()
        known = tuple(name for name, info in cls.model_fields.items() if _is_nested(info))
        type.__setattr__(cls, "__treadle_nested__", known)
    return known


def _is_nested(info: FieldInfo) -> bool:
    choices = get_args(info.annotation) if get_origin(info.annotation) not in (list, dict, tuple, set) else ()
    return _is_dependency(info.metadata) or any(
        _is_dependency(getattr(one, "__metadata__", ())) or is_resource_annotation(one)
        for one in (info.annotation, *choices)
    )


def _is_dependency(metadata: Iterable[Any]) -> bool:
    return any(isinstance(extra, _Dependency) for extra in metadata)


def _has_end(cls: type[ConfigurableResourceFactory[Any]]) -> bool:
    """Whether a user's class says what to do at the end."""
    base = ConfigurableResourceFactory
    return (
        cls.yield_for_execution is not base.yield_for_execution
        or cls.teardown_after_execution is not base.teardown_after_execution
    )


# --- definitions ----------------------------------------------------------------------------------------------------


class _Configured(ResourceDefinition):
    """The definition that a configurable resource means.

    Attributes:
        cls: the class.
        own: the values that were given, by name in config, as Python objects.
        nested: the resources among the fields.
    """

    cls: type[ConfigurableResourceFactory[Any]]
    own: Mapping[str, Any]
    nested: Mapping[str, Any]

    def requires(self, definitions: Mapping[str, ResourceDefinition]) -> frozenset[str]:
        keys = set(self.required_resource_keys)
        for name, value in self.nested.items():
            key = _key_of(value, definitions)
            if key is not None:
                keys.add(key)
            elif _is_definition(value):
                definition = as_resource_definition(name, value)
                if definition.config_field.is_required:
                    raise DefinitionError(
                        f"{self.cls.__name__}.{name} is a resource that still needs config, so it has to be a "
                        f"resource of its own too. Give the same object under a key: resources={{{name!r}: ..., ...}}."
                    )
                keys |= definition.requires(definitions)
        return frozenset(keys)

    def start(self, context: InitResourceContext) -> tuple[Any, Callable[[], None] | None]:
        if not self.nested:
            return _open(_build(self.cls, context, {}, self.own), context)
        return enter(self._with_nested(context))

    @contextmanager
    def _with_nested(self, context: InitResourceContext) -> Iterator[Any]:
        with ExitStack() as stack:
            nested = {name: self._start_nested(name, value, context, stack) for name, value in self.nested.items()}
            yield stack.enter_context(_until_closed(*_open(_build(self.cls, context, nested, self.own), context)))

    def _start_nested(self, name: str, value: Any, context: InitResourceContext, stack: ExitStack) -> Any:
        key = _key_of(value, context.all_resource_defs)
        if key is not None:
            return getattr(context.resources, key)
        if not _is_definition(value):
            return value
        definition = as_resource_definition(name, value)
        inner = context.replace_config(definition.resolve_config(definition.check_config()))
        inner.resource_def = definition
        return stack.enter_context(_until_closed(*definition.start(inner)))


class _ConfiguredIOManager(IOManagerDefinition, _Configured):
    """The definition that a configurable IO manager means."""


def _is_definition(value: Any) -> bool:
    return isinstance(value, ResourceDefinition | PartialResource | ConfigurableResourceFactory)


def _key_of(nested: Any, definitions: Mapping[str, ResourceDefinition]) -> str | None:
    """The key under which `nested` is a resource of its own, if it has to come from there.

    An object with all its config is set up for itself where it is nested, so that two that share it share no state.
    """
    if isinstance(nested, ResourceDefinition | PartialResource):
        for key, definition in definitions.items():
            if definition is nested or definition.origin is nested:
                return key
    return None


def _define(
    cls: type[ConfigurableResourceFactory[Any]],
    origin: Any,
    values: Mapping[str, Any],
    own: Mapping[str, Any],
    nested: Mapping[str, Any],
) -> ResourceDefinition:
    doc = cls.__doc__ if "__doc__" in cls.__dict__ else None
    schema = Field(ConfigType(with_defaults(cls.__config_schema__(), values, others_required=True)))
    if issubclass(cls, ConfigurableIOManagerFactory):
        definition: _Configured = _ConfiguredIOManager(
            cls.from_resource_context,
            schema,
            doc,
            input_config_schema=cls.input_config_schema(),
            output_config_schema=cls.output_config_schema(),
        )
    else:
        definition = _Configured(cls.from_resource_context, schema, doc)
    definition.cls, definition.own, definition.nested, definition.origin = cls, own, nested, origin
    return definition


def _build(
    cls: type[ConfigurableResourceFactory[Any]],
    context: InitResourceContext,
    nested: Mapping[str, Any],
    own: Mapping[str, Any],
) -> ConfigurableResourceFactory[Any]:
    """The object of a run: fields from the resolved config, from what was given and config cannot say, and nested
    resources.
    """
    resolved = context.resource_config or {}
    kept = {key: value for key, value in own.items() if key not in resolved and not is_env(value)}
    return build(cls, {**kept, **resolved, **nested}, f"The config of {cls.__name__}")


def _open(
    made: ConfigurableResourceFactory[Any], context: InitResourceContext
) -> tuple[Any, Callable[[], None] | None]:
    """Set the object of a run up: its value, and what to call at the end."""
    made._context = context
    if _has_end(type(made)):
        return enter(made.yield_for_execution(context))
    made.setup_for_execution(context)
    return made.create_resource(context), None


@contextmanager
def _until_closed(value: Any, close: Callable[[], None] | None) -> Iterator[Any]:
    try:
        yield value
    finally:
        if close is not None:
            close()
