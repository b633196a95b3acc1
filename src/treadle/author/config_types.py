"""Config schemas written with types and `Field`: `config_schema={"path": str, "limit": Field(int, default_value=10)}`.

`schema_from` turns what users write into a `ConfigType`: a `spec.config` schema, which travels, and a `load` function,
which stays: it turns a checked value into what the user's function sees (the members of an enum). `Config` classes, and
whatever else has a schema of its own, say so by an attribute `__config_schema__`: a schema, or a function that gives
one. Light on purpose: nothing here imports pydantic.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any as AnyValue
from typing import get_origin

from treadle.core.told import told
from treadle.errors import ConfigDefinitionError, ConfigError
from treadle.spec import config

Loader = Callable[[AnyValue], AnyValue]

_NOTHING: Mapping[str, str] = {}
_HELP = (
    "Use str, int, float, bool, list, dict, a list of one type, a dict of named types, a Field, or one of Shape, "
    "Permissive, Selector, Array, Map, Noneable, Enum, ScalarUnion, StringSource, IntSource, BoolSource, Any."
)


class ConfigType:
    """What a config value looks like.

    Attributes:
        schema: the schema that is checked, as data.
        description: Markdown, for people.
    """

    __slots__ = ("_load", "description", "schema")
    schema: config.Schema
    description: str | None

    def __init__(self, schema: config.Schema, load: Loader | None = None, description: str | None = None) -> None:
        self.schema = schema
        self.description = description
        self._load = load

    def load(self, value: AnyValue) -> AnyValue:
        """What the user's function sees, for a value that was checked and resolved against `schema`."""
        return value if self._load is None else self._load(value)

    @property
    def loads(self) -> bool:
        """Whether `load` changes anything."""
        return self._load is not None

    def load_inside(self, load: Loader) -> Loader | None:
        """`load`, which applies this type's own to what is inside a value; None if that changes nothing."""
        return load if self.loads else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConfigType) and self.schema == other.schema

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # schemas hold dicts

    def __repr__(self) -> str:
        return f"{type(self).__name__}({config.describe(self.schema)})"


class Array(ConfigType):
    """A list, all of one type."""

    __slots__ = ("inner_type",)

    def __init__(self, inner_type: object) -> None:
        inner = self.inner_type = schema_from(inner_type)
        load = inner.load_inside(lambda value: [inner.load(item) for item in value])
        super().__init__(
            config.Array(inner.schema), load, inner.description or f"A list of {config.describe(inner.schema)}."
        )


class Noneable(ConfigType):
    """A value of a type, or None. A field of this type may be left out and is then None."""

    __slots__ = ("inner_type",)

    def __init__(self, inner_type: object) -> None:
        inner = self.inner_type = schema_from(inner_type)
        load = inner.load_inside(lambda value: None if value is None else inner.load(value))
        super().__init__(config.Noneable(inner.schema), load, inner.description)


class Map(ConfigType):
    """A dict with free keys of one scalar type and values of one type.

    Args:
        key_type: the scalar type of the keys.
        inner_type: the type of the values.
        key_label_name: what the keys are, for people.
    """

    __slots__ = ("inner_type", "key_label_name", "key_type")

    def __init__(self, key_type: object, inner_type: object, key_label_name: str | None = None) -> None:
        key = self.key_type = schema_from(key_type)
        inner = self.inner_type = schema_from(inner_type)
        self.key_label_name = key_label_name
        if not isinstance(key.schema, config.Scalar):
            raise ConfigDefinitionError(
                f"The keys of a Map are scalars, not {config.describe(key.schema)}. Use str, int, float or bool.",
                config_type=key_type,
            )
        load = inner.load_inside(lambda value: {name: inner.load(item) for name, item in value.items()})
        super().__init__(config.Map(key.schema, inner.schema, key_label_name), load)


class EnumValue:
    """One value of an `Enum`.

    Args:
        config_value: what config says.
        python_value: what the user's function sees; the same string by default.
    """

    __slots__ = ("config_value", "description", "python_value")

    def __init__(self, config_value: str, python_value: object | None = None, description: str | None = None) -> None:
        if not isinstance(config_value, str):
            raise ConfigDefinitionError(f"The config value of an EnumValue is a string, not {config_value!r}.")
        self.config_value = config_value
        self.python_value = config_value if python_value is None else python_value
        self.description = description

    def __repr__(self) -> str:
        return f"EnumValue({self.config_value!r}, {self.python_value!r})"


class Enum(ConfigType):
    """One of a few names, each standing for a Python value."""

    __slots__ = ("enum_values", "name")

    def __init__(self, name: str, enum_values: Sequence[EnumValue]) -> None:
        self.name = name
        self.enum_values = list(enum_values)
        by_name = {value.config_value: value.python_value for value in self.enum_values}
        if len(by_name) < len(self.enum_values):
            raise ConfigDefinitionError(f"Enum {name!r} has two values with the same name: names are unique.")
        schema = config.Enum(name, tuple(config.EnumValue(v.config_value, v.description) for v in self.enum_values))
        super().__init__(schema, by_name.__getitem__)

    @property
    def config_values(self) -> list[str]:
        """The names."""
        return [value.config_value for value in self.enum_values]

    @classmethod
    def from_python_enum(cls, enum: type[enum.Enum], name: str | None = None) -> Enum:
        """The members of a Python enum, by name."""
        return cls(name or enum.__name__, [EnumValue(member.name, member) for member in enum])

    from_python_enum_direct_values = from_python_enum


class Field:
    """A part of a dict, with what is to be known beyond its type.

    Args:
        config: the type: a Python type, a config type, or a dict or list of them.
        default_value: what stands for it when it is left out.
        is_required: whether it has to be given; by default if it has no default value and its type cannot do without.
        description: Markdown, for people.
        is_secret: kept for those who pass it; Treadle shows no config values of environment variables in any case.

    Raises:
        ConfigDefinitionError: `config` is no config type, or the field is required and has a default.
        ConfigError: the default value does not fit the type.
    """

    __slots__ = ("config_type", "field", "is_secret")
    config_type: ConfigType
    field: config.Field

    def __init__(
        self,
        config: AnyValue,
        default_value: AnyValue = config.UNSET,
        is_required: bool | None = None,
        description: str | None = None,
        is_secret: bool = False,
    ) -> None:
        self.config_type = schema_from(config)
        self.is_secret = is_secret
        self.field = _field(self.config_type, default_value, is_required, description)

    is_required: bool = told("field.required", "Whether it has to be given.")

    @property
    def default_provided(self) -> bool:
        """Whether it has a default value."""
        return self.field.default is not config.UNSET

    @property
    def default_value(self) -> AnyValue:
        """What stands for it when it is left out.

        Raises:
            ConfigDefinitionError: it has no default.
        """
        if not self.default_provided:
            raise ConfigDefinitionError("This field has no default value. Ask default_provided first.")
        return self.field.default

    description: str | None = told("field.description", "What it is, for people.")

    def __repr__(self) -> str:
        default = f", default_value={self.default_value!r}" if self.default_provided else ""
        return f"Field({self.config_type!r}{default}, is_required={self.is_required})"


def _field(config_type: ConfigType, default: AnyValue, required: bool | None, description: str | None) -> config.Field:
    if default is not config.UNSET:
        if required:
            raise ConfigDefinitionError("A required field has no default value. Leave out one of the two.")
        if callable(default):
            raise ConfigDefinitionError("The default value of a field is plain data, not a function. Call it.")
        if isinstance(default, enum.Enum) and isinstance(config_type.schema, config.Enum):
            default = default.name
        _, faults = config.check(config_type.schema, default)
        if faults:
            text = config.render_faults(faults, f"The default value {default!r} of a field")
            raise ConfigError(text, errors=tuple(faults), config=default)
        required = False
    return config.field(
        config_type.schema, required=required, default=default, description=description or config_type.description
    )


class _Fields(ConfigType):
    """What shapes and selectors share: named fields."""

    __slots__ = ("fields",)

    def _set_fields(self, fields: Mapping[str, AnyValue] | None, what: str) -> dict[str, config.Field]:
        if fields is not None and not isinstance(fields, Mapping):
            raise ConfigDefinitionError(f"{what} takes a dict of fields, not {fields!r}.", config_type=fields)
        self.fields: dict[str, Field] = {}
        for name, value in (fields or {}).items():
            if not isinstance(name, str):
                raise ConfigDefinitionError(f"{name!r} cannot name a field: names are strings.", config_type=fields)
            try:
                self.fields[name] = field_from(value)
            except ConfigDefinitionError as error:
                raise ConfigDefinitionError(f"In {name!r}: {error}", config_type=error.config_type) from None
        return {name: part.field for name, part in self.fields.items()}

    def _loader(self, names: Mapping[str, str] = _NOTHING) -> Loader | None:
        """`names`: those in Python, by those in config, where they differ."""
        loaders = {name: part.config_type.load for name, part in self.fields.items() if part.config_type.loads}
        if not loaders and not names:
            return None

        def load(value: Mapping[str, AnyValue]) -> dict[str, AnyValue]:
            named = {names.get(name, name): item for name, item in value.items()}
            return {name: loaders[name](item) if name in loaders else item for name, item in named.items()}

        return load


class Shape(_Fields):
    """A dict with these fields and no others.

    Args:
        fields: the type, or `Field`, of each.
        description: Markdown, for people.
        field_aliases: other names for fields: `{name in Python: name in config}`.
    """

    __slots__ = ("field_aliases",)

    def __init__(
        self,
        fields: Mapping[str, AnyValue],
        description: str | None = None,
        field_aliases: Mapping[str, str] | None = None,
    ) -> None:
        aliases = self.field_aliases = dict(field_aliases or {})
        parts = self._set_fields(fields, "Shape")
        shape = config.Shape({aliases.get(name, name): part for name, part in parts.items()}, description=description)
        super().__init__(shape, self._loader({alias: name for name, alias in aliases.items()}), description)


class Permissive(_Fields):
    """A dict with these fields, and any others unchecked."""

    __slots__ = ()

    def __init__(self, fields: Mapping[str, AnyValue] | None = None, description: str | None = None) -> None:
        parts = self._set_fields(fields, "Permissive")
        super().__init__(config.Shape(parts, permissive=True, description=description), self._loader(), description)


class Selector(_Fields):
    """A dict with exactly one of these fields."""

    __slots__ = ()

    def __init__(self, fields: Mapping[str, AnyValue], description: str | None = None) -> None:
        parts = self._set_fields(fields, "Selector")
        if not parts:
            raise ConfigDefinitionError("A Selector without fields cannot be chosen from. Give it at least one.")
        super().__init__(config.Selector(parts, description), self._loader(), description)


class ScalarUnion(ConfigType):
    """A scalar, or something that is none.

    Args:
        scalar_type: a scalar type: str, int, float, bool.
        non_scalar_schema: the type of what is no scalar: a dict, a list, a selector.
    """

    __slots__ = ("non_scalar_schema", "scalar_type")

    def __init__(self, scalar_type: AnyValue, non_scalar_schema: AnyValue, _key: str | None = None) -> None:
        scalar = self.scalar_type = schema_from(scalar_type)
        other = self.non_scalar_schema = schema_from(non_scalar_schema)
        if not isinstance(scalar.schema, config.Scalar) or scalar.schema.kind == "any":
            raise ConfigDefinitionError(
                f"The scalar of a ScalarUnion is str, int, float or bool, not {config.describe(scalar.schema)}.",
                config_type=scalar_type,
            )
        if not isinstance(other.schema, config.Array | config.Map | config.Shape | config.Selector):
            raise ConfigDefinitionError(
                f"The other side of a ScalarUnion is a dict, list or selector, not {config.describe(other.schema)}.",
                config_type=non_scalar_schema,
            )
        load = other.load_inside(lambda value: other.load(value) if isinstance(value, dict | list) else value)
        super().__init__(config.ScalarUnion(scalar.schema, other.schema), load)


Any = ConfigType(config.ANY)
StringSource = ConfigType(config.STR_SOURCE)
IntSource = ConfigType(config.INT_SOURCE)
BoolSource = ConfigType(config.BOOL_SOURCE)

SCALARS: Mapping[AnyValue, config.Scalar] = {str: config.STR, int: config.INT, float: config.FLOAT, bool: config.BOOL}
_PYTHON_TYPES: dict[AnyValue, ConfigType] = {
    **{kind: ConfigType(scalar) for kind, scalar in SCALARS.items()},
    None: Any,
    AnyValue: Any,
    list: ConfigType(config.Array(config.ANY)),
    dict: ConfigType(config.PERMISSIVE),
}


def schema_from(value: AnyValue) -> ConfigType:
    """The config type that `value` means: a Python type, a config type, a `Config` class, a dict or list of them.

    Raises:
        ConfigDefinitionError: it means none.
    """
    if isinstance(value, ConfigType):
        return value
    if isinstance(value, Field):
        return value.config_type
    if value is None or isinstance(value, type) or value is AnyValue:
        known = _PYTHON_TYPES.get(value)
        if known is not None:
            return known
    own = getattr(value, "__config_schema__", None)
    if own is not None:
        schema: AnyValue = own() if callable(own) else own
        return ConfigType(schema)
    if isinstance(value, Mapping):
        key = next(iter(value), None)
        is_map = len(value) == 1 and isinstance(key, type | ConfigType)  # {str: int}
        return Map(key, value[key]) if is_map else Shape(value)
    if isinstance(value, list):
        if len(value) != 1:
            text = f"{value!r} is no config type: a list has exactly one type, that of all items. Write [str]."
            raise ConfigDefinitionError(text, config_type=value)
        return Array(value[0])
    hint = ""
    if get_origin(value) is not None:
        hint = " Types like list[int] or Optional[int] belong to Config classes; here write [int] or Noneable(int)."
    raise ConfigDefinitionError(f"{value!r} is no config type.{hint} {_HELP}", config_type=value)


def field_from(value: AnyValue) -> Field:
    """As `schema_from`, for what may be a `Field` too."""
    return value if isinstance(value, Field) else Field(value)


def is_config_class(value: object) -> bool:
    """Whether `value` is a `Config` class. Asks without importing pydantic."""
    return isinstance(value, type) and getattr(value, "__treadle_config__", False) is True
