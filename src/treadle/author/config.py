"""Config classes: typed, documented configuration of ops, assets and resources, made with pydantic.

Only this module and `author.configurable` import pydantic, and they are imported only when a user's code does: it takes
longer to import than the rest of Treadle. Whoever asks whether something is a config class without wanting the import
uses `config_types.is_config_class`.

A class says three things about each field, all read from its annotation: the schema that run config is checked against,
how checked config becomes what pydantic validates (enum names, selectors of unions), and the way back.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic.fields import FieldInfo

from treadle.author.config_types import SCALARS, ConfigType, Field, is_config_class
from treadle.author.env import is_env
from treadle.author.run_config import plain
from treadle.errors import ConfigDefinitionError, ConfigError, InvocationError
from treadle.spec import config


def _keep_variables(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    # A variable has no value yet, so there is nothing to validate: it is kept, and its value is validated when the step
    # builds its config.
    return value if _holds_variable(value) else validate(value)


def _holds_variable(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_variable, value))
    if isinstance(value, dict):
        return any(map(_holds_variable, value.values()))
    return is_env(value)


_KEEP_VARIABLES = WrapValidator(_keep_variables)


def _may_hold_variable(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Literal:
        return False
    if origin is not None:
        return any(map(_may_hold_variable, get_args(annotation)))
    return annotation in (str, int, float, bool, list, dict, Any)


class Config(BaseModel):
    """Base of classes that describe configuration.

    A subclass declares fields as any pydantic model does. Run config for an op whose function has a parameter `config`
    of this class is checked before the run starts, and becomes an object of it when the step runs. Fields with a
    default may be left out. Strings, numbers and booleans may be read from an environment variable: `{"env": "NAME"}`
    in run config, `EnvVar("NAME")` in Python.

    Objects are frozen and refuse fields that are not declared; `PermissiveConfig` takes them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)
    __treadle_config__: ClassVar[bool] = True

    @classmethod
    def __config_schema__(cls) -> config.Shape:
        return schema_of(cls)

    @classmethod
    def to_config_schema(cls) -> Field:
        """This class as an old-style config schema."""
        return Field(cls)

    @classmethod
    def to_fields_dict(cls) -> dict[str, Field]:
        """The fields of this class as old-style config fields, by the names they have in run config."""
        return {
            key: Field(ConfigType(part.schema), part.default, part.required or None, part.description)
            for key, part in cls.__config_schema__().fields.items()
        }

    def __run_config__(self) -> dict[str, Any]:
        """This object as run config says it: aliases, enums and variables by name, no nulls by default."""
        return _dump_config(self)

    @model_validator(mode="before")
    @classmethod
    def _from_run_config(cls, data: Any) -> Any:
        loads = _plan(cls).loads
        if not loads or not isinstance(data, dict):
            return data
        return {key: loads[key](value) if key in loads else value for key, value in data.items()}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        # Fields may hold environment variables instead of values. A field validator for "*" would be simpler, but
        # pydantic allows none on the field that tells a union's classes apart. The class is built when it is first used
        # (`defer_build`), so what is added here counts.
        for info in cls.model_fields.values():
            if _KEEP_VARIABLES not in info.metadata and _may_hold_variable(info.annotation):
                info.metadata.append(_KEEP_VARIABLES)

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            if error.errors()[0]["type"] != "frozen_instance":
                raise
            raise InvocationError(
                f"{type(self).__name__}.{name} cannot be set: config is frozen. "
                f"Make another with config.model_copy(update={{{name!r}: ...}})."
            ) from None


class PermissiveConfig(Config):
    """Base of config classes that also take fields that are not declared, unchecked, as attributes."""

    model_config = ConfigDict(extra="allow")


C = TypeVar("C", bound=Config)


def schema_of(cls: type[Config]) -> config.Shape:
    """What run config for `cls` looks like.

    Raises:
        ConfigDefinitionError: a field has a type that config cannot have.
    """
    plan = _plan(cls)
    if plan.schema is None:
        if cls in _under_way:
            raise ConfigDefinitionError(
                f"{cls.__name__} contains itself, so its config would have no end. Use an untyped list or dict there.",
                config_type=cls,
            )
        _under_way.add(cls)
        try:
            plan.schema = shape_of(cls)
        finally:
            _under_way.discard(cls)
    return plan.schema


def build(cls: type[C], resolved: Mapping[str, Any], where: str, *, path: config.Path = ()) -> C:
    """An object of `cls` from config that was checked and resolved against its schema.

    Args:
        cls: the config class.
        resolved: the config, as `spec.config.check` returned it.
        where: what the config belongs to, for error messages: `"Config of op 'o'"`.
        path: where the config is in the run config: `("ops", "o", "config")`.

    Raises:
        ConfigError: the class refuses it, with one fault for each thing it refuses. `__cause__` is pydantic's error.
    """
    declared, plan = schema_of(cls).fields, _plan(cls)

    def is_default(key: str, value: Any) -> bool:  # the class gives it itself, and does not validate it
        if value is None:
            return key in plan.null_defaults
        return key in plan.defaults and value == declared[key].default

    try:
        return cls(**{key: value for key, value in resolved.items() if not is_default(key, value)})
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        kind, fix = "FAILED_POST_PROCESSING", f"what {cls.__name__} accepts"
        faults = tuple(config.ConfigFault((*path, *one["loc"]), kind, f"{one['msg']}.", fix) for one in problems)
        raise ConfigError(config.render_faults(faults, where), errors=faults, config=resolved) from error


# --- what annotations say ------------------------------------------------------------------------------------------

Change = Callable[[Any], Any]


class _Type(NamedTuple):
    """What an annotation says. The schema waits until it is asked for: a class may have fields that no config can fill
    as long as it is not used for config, and a class may refer to itself."""

    schema: Callable[[], config.Schema]
    load: Change | None = None
    dump: Change | None = None


class _Plan:
    """What a config class says, read once."""

    __slots__ = ("defaults", "dumps", "keys", "loads", "null_defaults", "schema", "types")

    def __init__(self, cls: type[Config]) -> None:
        if not cls.__pydantic_complete__:
            cls.model_rebuild()
        self.schema: config.Shape | None = None
        self.types: dict[str, _Type] = {}
        self.keys: dict[str, str] = {}  # field name to its name in config
        self.loads: dict[str, Change] = {}  # by both names
        self.dumps: dict[str, Change] = {}
        self.defaults: set[str] = set()
        self.null_defaults: set[str] = set()
        for name, info in cls.model_fields.items():
            said = _read(info.annotation, f"{cls.__name__}.{name}", info.discriminator)
            key = info.validation_alias if isinstance(info.validation_alias, str) else info.alias or name
            self.types[name], self.keys[name] = said, key
            if said.load is not None:
                self.loads[name] = self.loads[key] = said.load
            self.dumps[name] = said.dump or _plain
            if not info.is_required():
                self.defaults.add(key)
                if info.default is None:
                    self.null_defaults.add(key)


_under_way: set[type] = set()


def _plan(cls: type[Config]) -> _Plan:
    plan = cls.__dict__.get("__treadle_plan__")
    if plan is None:
        plan = _Plan(cls)
        type.__setattr__(cls, "__treadle_plan__", plan)
    return plan


_SCALARS: dict[Any, config.Schema] = {
    str: config.STR_SOURCE,
    int: config.INT_SOURCE,
    float: config.FLOAT_SOURCE,
    bool: config.BOOL_SOURCE,
    list: config.Array(config.ANY),
    dict: config.PERMISSIVE,
    Any: config.ANY,
}


def _read(annotation: Any, where: str, discriminator: Any = None) -> _Type:
    """What `annotation` says. `where` names the field, for errors."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        for extra in args[1:]:
            if isinstance(extra, FieldInfo) and extra.discriminator:
                discriminator = extra.discriminator
        return _read(args[0], where, discriminator)
    if origin is Union or origin is types.UnionType:
        return _read_union(args, where, discriminator)
    if origin is Literal:
        return _read_literal(annotation, where)
    if origin is list:
        item = _read(args[0], where)
        return _Type(lambda: config.Array(item.schema()), _each(list, item.load), _each(list, item.dump))
    if isinstance(origin, type) and issubclass(origin, Mapping) and len(args) == 2:
        return _read_map(args, where)
    if hasattr(annotation, "__supertype__"):  # typing.NewType
        return _read(annotation.__supertype__, where, discriminator)
    try:
        if (scalar := _SCALARS.get(annotation)) is not None:
            return _Type(lambda: scalar)
    except TypeError:  # not hashable, so no type that we know
        return _unreadable(annotation, where)
    if is_config_class(annotation):
        return _Type(lambda: schema_of(annotation), None, _dump_config)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        schema = config.Enum(annotation.__name__, tuple(config.EnumValue(member.name) for member in annotation))
        return _Type(lambda: schema, _member_of(annotation.__members__))
    return _unreadable(annotation, where)


def _unreadable(annotation: Any, where: str) -> _Type:
    def refuse() -> config.Schema:
        raise ConfigDefinitionError(
            f"The type of {where} cannot be config: {annotation}. Use str, int, float, bool, Any, list, dict, an Enum, "
            "a Literal, another Config class, List, Dict or Optional of these, or a Union of Config classes with a "
            "discriminator.",
            config_type=annotation,
        )

    return _Type(refuse)


def _each(kind: type, change: Change | None) -> Change | None:
    """`change` for what is in a list or a dict."""
    if change is None:
        return None
    if kind is list:
        return lambda held: [change(value) for value in held] if isinstance(held, list) else held
    return lambda held: {key: change(value) for key, value in held.items()} if isinstance(held, dict) else held


def _read_map(args: tuple[Any, ...], where: str) -> _Type:
    key = config.ANY if args[0] is Any else SCALARS.get(args[0])
    if key is None:
        return _unreadable(f"a dict with keys of type {args[0]}", where)
    value = _read(args[1], where)
    return _Type(lambda: config.Map(key, value.schema()), _each(dict, value.load), _each(dict, value.dump))


def _read_literal(annotation: Any, where: str) -> _Type:
    values = get_args(annotation)
    names = [value.name if isinstance(value, Enum) else value for value in values if value is not None]
    if not all(isinstance(name, str | int) for name in names):
        return _unreadable(annotation, where)
    shown = ", ".join(map(repr, names))
    schema: config.Schema = config.Enum(f"Literal[{shown}]", tuple(config.EnumValue(name) for name in names))
    if None in values:
        schema = config.Noneable(schema)
    members = {value.name: value for value in values if isinstance(value, Enum)}
    return _Type(lambda: schema, _member_of(members) if members else None)


def _member_of(members: Mapping[str, Enum]) -> Change:
    return lambda value: members.get(value, value) if isinstance(value, str) else value


def _read_union(args: tuple[Any, ...], where: str, discriminator: Any) -> _Type:
    choices = [arg for arg in args if arg is not type(None)]
    if len(choices) == 1:
        said = _read(choices[0], where, discriminator)
    elif isinstance(discriminator, str) and all(map(is_config_class, choices)):
        said = _read_choice(choices, where, discriminator)
    else:
        return _unreadable(" | ".join(map(repr, args)), where)
    if len(choices) == len(args):
        return said
    dump = said.dump

    def optional() -> config.Schema:
        inner = said.schema()
        return inner if isinstance(inner, config.Noneable) else config.Noneable(inner)

    return _Type(optional, said.load, None if dump is None else lambda value: None if value is None else dump(value))


def _read_choice(classes: list[type[Config]], where: str, discriminator: str) -> _Type:
    """A union of config classes, written as a selector: `{"cat": {...}}` for the class whose `kind` is `"cat"`."""
    by_tag: dict[str, tuple[type[Config], Any]] = {}
    for cls in classes:
        info = cls.model_fields.get(discriminator)
        for tag in get_args(info.annotation) if info is not None else ():
            by_tag[tag.name if isinstance(tag, Enum) else str(tag)] = (cls, tag)

    def schema() -> config.Schema:
        fields: dict[str, config.Field] = {}
        for tag, (cls, _) in by_tag.items():
            shape, key = schema_of(cls), _plan(cls).keys[discriminator]
            rest = {name: part for name, part in shape.fields.items() if name != key}
            fields[tag] = config.field(config.Shape(rest, shape.permissive, shape.description))
        if not fields:
            raise ConfigDefinitionError(
                f"The classes of {where} have no field {discriminator!r} with a Literal type to tell them apart.",
                config_type=classes,
            )
        return config.Selector(fields)

    def load(value: Any) -> Any:
        if isinstance(value, dict) and len(value) == 1:
            ((tag, inner),) = value.items()
            if tag in by_tag and (inner is None or isinstance(inner, dict)):
                return {**(inner or {}), discriminator: by_tag[tag][1]}
        return value

    def dump(value: Any) -> Any:
        if not isinstance(value, Config):
            return _plain(value)
        inner = _dump_config(value)
        tag = inner.pop(_plan(type(value)).keys[discriminator])
        return {str(tag): inner}

    return _Type(schema, load, dump)


def keys_of(cls: type[Config]) -> Mapping[str, str]:
    """The names that the fields of `cls` have in config."""
    return _plan(cls).keys


def shape_of(cls: type[Config], without: Collection[str] = ()) -> config.Shape:
    """What run config for `cls` looks like, read anew, without some of its fields."""
    plan = _plan(cls)
    fields = {plan.keys[n]: _field_of(plan, n, info) for n, info in cls.model_fields.items() if n not in without}
    doc = cls.__dict__.get("__doc__")
    description = inspect.cleandoc(doc) if doc else None
    return config.Shape(fields, cls.model_config.get("extra") == "allow", description)


def _field_of(plan: _Plan, name: str, info: FieldInfo) -> config.Field:
    schema = plan.types[name].schema()
    if info.is_required():
        return config.field(schema, description=info.description)
    default = info.default
    if info.default_factory is not None:
        # Functions run when the object is built, not now; that of an empty list or dict can be shown beforehand.
        default = info.default_factory() if info.default_factory in (list, dict) else config.UNSET  # pyright: ignore[reportCallIssue]
    if isinstance(schema, config.Shape) and isinstance(default, Config):
        return config.Field(with_defaults(schema, _dump_config(default)), False, {}, info.description)
    if not isinstance(schema, config.Noneable):
        schema = config.Noneable(schema)
    if default is not config.UNSET:
        default = plan.dumps[name](default)
        if default is not None and (config.check(schema, default)[1] or not is_plain(default)):
            default = config.UNSET  # not something that config can say: pydantic fills it in
    return config.Field(schema, False, default, info.description)


def with_defaults(shape: config.Shape, values: Mapping[str, Any], others_required: bool = False) -> config.Shape:
    """`shape` where what an object has is the default; what it has not is no longer required unless
    `others_required`."""
    fields = dict(shape.fields)
    for name, part in fields.items():
        schema, default = part.schema, values.get(name, config.UNSET)
        if name not in values:
            if others_required or not part.required:
                continue
        elif isinstance(schema, config.Shape) and isinstance(default, dict):
            schema, default = with_defaults(schema, default, others_required), {}
        elif default is None and not isinstance(schema, config.Noneable):
            schema = config.Noneable(schema)
        if not is_plain(default):
            default = config.UNSET  # an object that config cannot say: who has it keeps it
        fields[name] = config.Field(schema, False, default, part.description)
    return config.Shape(fields, shape.permissive, shape.description)


def is_plain(value: Any) -> bool:
    """Whether config can say `value`, as it is."""
    if isinstance(value, dict):
        return all(isinstance(key, str | int) and is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return value is None or type(value) in (str, int, float, bool)


def _dump_config(value: Any) -> Any:
    if not isinstance(value, Config):
        return _plain(value)
    plan = _plan(type(value))
    held = {name: getattr(value, name) for name in plan.keys}
    said = {
        plan.keys[name]: None if one is None else plan.dumps[name](one)
        for name, one in held.items()
        if one is not None or plan.keys[name] not in plan.null_defaults
    }
    return {**said, **_plain(value.model_extra or {})}


def _plain(value: Any) -> Any:
    """`value` as run config says it, where no annotation says more."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return plain(value)
