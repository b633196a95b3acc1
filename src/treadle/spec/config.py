"""What configuration may look like, and whether a value does.

A schema is frozen data that travels with the definitions, so that every process can check a run's config before the
run starts. `check` never stops at the first fault: it reports all of them, each with its path. Types are strict: an
int is no str; only an int where a float is wanted is taken.

Environment variables are named in config (`{"env": "X"}`) and read where the run executes. Without an `env` mapping
`check` only makes sure that the reference is well formed; with one it puts the value in its place.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from treadle.core.keys import did_you_mean
from treadle.errors import ConfigError

UNSET = msgspec.UNSET
"""In the place of a default: there is none, or none that can be written down."""

ScalarKind: TypeAlias = Literal["str", "int", "float", "bool", "any"]


class Scalar(msgspec.Struct, frozen=True, tag="scalar"):
    """One value. `env` says that `{"env": NAME}` may stand for it."""

    kind: ScalarKind
    env: bool = False


class Array(msgspec.Struct, frozen=True, tag="array"):
    """A list of values of one schema."""

    item: Schema


class Noneable(msgspec.Struct, frozen=True, tag="noneable"):
    """A value of a schema, or null."""

    inner: Schema


class EnumValue(msgspec.Struct, frozen=True):
    """One of the values that an enum has."""

    value: str | int | bool
    description: str | None = None


class Enum(msgspec.Struct, frozen=True, tag="enum"):
    """One of a few values."""

    name: str
    values: tuple[EnumValue, ...]


class Map(msgspec.Struct, frozen=True, tag="map"):
    """A dict with free keys. `key_label` says what the keys are, for people."""

    key: Scalar
    value: Schema
    key_label: str | None = None


class Field(msgspec.Struct, frozen=True):
    """A named part of a shape or a selector.

    Attributes:
        schema: what its value looks like.
        required: whether it has to be given.
        default: what stands for it when it is left out. A field that is neither required nor has a default is left out
            of the result.
        description: Markdown, for people.
    """

    schema: Schema
    required: bool = True
    default: Any = UNSET
    description: str | None = None


class Shape(msgspec.Struct, frozen=True, tag="shape"):
    """A dict with named fields; `permissive` lets others in unchecked."""

    fields: dict[str, Field]
    permissive: bool = False
    description: str | None = None


class Selector(msgspec.Struct, frozen=True, tag="selector"):
    """A dict with exactly one of its fields."""

    fields: dict[str, Field]
    description: str | None = None


class ScalarUnion(msgspec.Struct, frozen=True, tag="scalar_union"):
    """A scalar, or something that is none."""

    scalar: Scalar
    other: Schema


Schema: TypeAlias = Scalar | Array | Noneable | Enum | Map | Shape | Selector | ScalarUnion

STR = Scalar("str")
INT = Scalar("int")
FLOAT = Scalar("float")
BOOL = Scalar("bool")
ANY = Scalar("any")
STR_SOURCE = Scalar("str", env=True)
INT_SOURCE = Scalar("int", env=True)
FLOAT_SOURCE = Scalar("float", env=True)
BOOL_SOURCE = Scalar("bool", env=True)
PERMISSIVE = Shape({}, permissive=True)


def field(
    schema: Schema, *, required: bool | None = None, default: Any = UNSET, description: str | None = None
) -> Field:
    """A field that, unless said otherwise, is optional if its schema can do without a value.

    A schema can do without: a noneable one (null), a shape whose fields are all optional (empty), a selector with a
    single, optional field (that field).
    """
    if default is UNSET and required is not True:
        default = _natural_default(schema)
    if required is None:
        required = default is UNSET
    return Field(schema, required, default, description)


def _natural_default(schema: Schema) -> Any:
    if isinstance(schema, Noneable):
        return None
    if isinstance(schema, Shape) and not any(part.required for part in schema.fields.values()):
        return {}
    if isinstance(schema, Selector) and len(schema.fields) == 1 and not next(iter(schema.fields.values())).required:
        return {}
    return UNSET


# --- faults --------------------------------------------------------------------------------------------------------

FaultCode: TypeAlias = Literal[
    "RUNTIME_TYPE_MISMATCH",
    "MISSING_REQUIRED_FIELD",
    "MISSING_REQUIRED_FIELDS",
    "FIELD_NOT_DEFINED",
    "FIELDS_NOT_DEFINED",
    "SELECTOR_FIELD_ERROR",
    "FAILED_POST_PROCESSING",
]


class MapPart(msgspec.Struct, frozen=True, array_like=True):
    """A step of a path into a map: the key itself, or the value under it."""

    key: str | int | float | bool | None
    of: Literal["key", "value"]


PathPart: TypeAlias = str | int | MapPart
"""A step of a path: a field's name, an index of a list, or a part of a map."""
Path: TypeAlias = tuple[PathPart, ...]


class ConfigFault(msgspec.Struct, frozen=True):
    """One thing that is wrong with a config value.

    Attributes:
        path: where, from the root.
        code: which rule it breaks. FAILED_POST_PROCESSING: the value is well formed but cannot be used, as when an
            environment variable is not set or the user's own validation refuses it.
        message: what is wrong, as a sentence.
        expected: what would be right.
        fields: the names of the fields that are missing or not defined.
    """

    path: Path
    code: FaultCode
    message: str
    expected: str
    fields: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The path as text, `root:ops:o:config:y`: indexes in brackets, keys of maps quoted."""
        text = "root"
        for part in self.path:
            if isinstance(part, MapPart):
                text += f":{part.key!r}:{part.of}"
            else:
                text += f"[{part}]" if isinstance(part, int) else f":{part}"
        return text


def render_faults(faults: Sequence[ConfigFault], what: str = "The config") -> str:
    """The text of an error: what is wrong, where, and what was expected, a line a fault."""
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    lines = [f"{what} has {count}:"]
    for fault in faults:
        lines.append(f"- at {fault.where}: {fault.message} Expected: {fault.expected}.")
    return "\n".join(lines)


def resolve(schema: Schema, value: Any, *, env: Mapping[str, str] | None = None, what: str = "The config") -> Any:
    """The value with defaults (see `check`), or one error with all faults.

    Raises:
        ConfigError: the value does not fit.
    """
    resolved, faults = check(schema, value, env=env)
    if faults:
        raise ConfigError(render_faults(faults, what), errors=tuple(faults), config=value)
    return resolved


# --- in words ------------------------------------------------------------------------------------------------------

_MOST_FIELDS = 12


def describe(schema: Schema, depth: int = 2) -> str:
    """`schema` in a line: `{a: int, b?: [str]}`, where a question mark means optional. Deep shapes are cut off."""
    match schema:
        case Scalar(kind, env):
            return f"{kind} or {{env: NAME}}" if env else kind
        case Array(item):
            return f"[{describe(item, depth)}]"
        case Noneable(inner):
            return f"{describe(inner, depth)} or null"
        case Enum(_, values):
            return "one of " + ", ".join(repr(value.value) for value in values)
        case Map(key, value):
            return f"{{{key.kind}: {describe(value, depth)}}}"
        case ScalarUnion(scalar, other):
            return f"{describe(scalar, depth)}, or {describe(other, depth)}"
        case Selector(fields):
            return f"one entry of {_describe_fields(fields, depth, [])}"
        case Shape(fields, permissive):
            return _describe_fields(fields, depth, ["..."] if permissive else [])


def _describe_fields(fields: Mapping[str, Field], depth: int, more: list[str]) -> str:
    if depth <= 0 and fields:
        return "{...}"
    parts = [
        f"{name}{'' if part.required else '?'}: {describe(part.schema, depth - 1)}"
        for name, part in list(fields.items())[:_MOST_FIELDS]
    ]
    if len(fields) > _MOST_FIELDS:
        more = ["..."]
    return "{" + ", ".join(parts + more) + "}"


_EXAMPLE_SCALARS: dict[ScalarKind, Any] = {"str": "...", "int": 0, "float": 0.0, "bool": True, "any": "..."}


def example(schema: Schema) -> Any:
    """A small value that fits `schema`: its required parts, with stand-ins for scalars."""
    match schema:
        case Scalar(kind):
            return _EXAMPLE_SCALARS[kind]
        case Array():
            return []
        case Noneable():
            return None
        case Enum(_, values):
            return values[0].value if values else "..."
        case Map():
            return {}
        case ScalarUnion(scalar):
            return example(scalar)
        case Selector(fields):
            return {name: example(part.schema) for name, part in list(fields.items())[:1]}
        case Shape(fields):
            return {name: example(part.schema) for name, part in fields.items() if part.required}


# --- checking ------------------------------------------------------------------------------------------------------


def check(schema: Schema, value: Any, *, env: Mapping[str, str] | None = None) -> tuple[Any, list[ConfigFault]]:
    """Whether `value` fits `schema`.

    Args:
        schema: what is wanted.
        value: plain data: dicts, lists, scalars, None.
        env: environment variables to put in the place of `{"env": NAME}`. None leaves references as they are.

    Returns:
        The value with defaults filled in, and all faults. The value means nothing if there are faults.
    """
    checker = _Checker(env)
    resolved = checker.check(schema, value, ())
    return resolved, checker.faults


_MAX_FLOAT = int(sys.float_info.max)
_TYPES: dict[ScalarKind, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (float, int), "bool": (bool,)}


def _from_env(kind: ScalarKind, text: str) -> Any:
    if kind == "bool":
        return text.lower() not in {"", "0", "false", "none"}
    if kind == "int":
        return int(text)
    return float(text) if kind == "float" else text


class _Checker:
    """One walk over a value. Collects faults; each method returns the value with defaults."""

    def __init__(self, env: Mapping[str, str] | None) -> None:
        self.env = env
        self.faults: list[ConfigFault] = []

    def check(self, schema: Schema, value: Any, path: Path) -> Any:
        return _CHECKS[type(schema)](self, schema, value, path)

    def fault(
        self, path: Path, code: FaultCode, message: str, expected: Schema | str, fields: tuple[str, ...] = ()
    ) -> None:
        text = expected if isinstance(expected, str) else describe(expected)
        self.faults.append(ConfigFault(path, code, message, text, fields))

    def mismatch(self, schema: Schema, value: Any, path: Path) -> Any:
        got = "null" if value is None else f"{_short(value)} ({type(value).__name__})"
        self.fault(path, "RUNTIME_TYPE_MISMATCH", f"{got} does not fit.", schema)
        return value

    def scalar(self, schema: Scalar, value: Any, path: Path) -> Any:
        kind = schema.kind
        if kind == "any":
            return value
        if isinstance(value, _TYPES[kind]) and (type(value) is not bool or kind != "int"):
            if kind != "float":
                return value
            if isinstance(value, float) or abs(value) <= _MAX_FLOAT:
                return float(value)
        if schema.env and isinstance(value, Mapping):
            return self.source(schema, value, path)
        return self.mismatch(schema, value, path)

    def source(self, schema: Scalar, value: Mapping[str, Any], path: Path) -> Any:
        before = len(self.faults)
        reference = self.selector(_ENV_SELECTOR, value, path)
        if self.env is None or len(self.faults) > before:
            return value
        name: str = reference["env"]
        try:
            return _from_env(schema.kind, self.env[name])
        except KeyError:
            wrong = "is not set where this runs. Set it there, or write the value."
        except ValueError:  # the text itself may be a secret: it is not shown
            wrong = f"does not hold a value of type {schema.kind}."
        expected = f"{schema.kind} in the environment variable {name}"
        self.fault(path, "FAILED_POST_PROCESSING", f"The environment variable {name!r} {wrong}", expected)
        return value

    def array(self, schema: Array, value: Any, path: Path) -> Any:
        if not isinstance(value, list):
            return self.mismatch(schema, value, path)
        return [self.check(schema.item, item, (*path, index)) for index, item in enumerate(value)]

    def noneable(self, schema: Noneable, value: Any, path: Path) -> Any:
        return None if value is None else self.check(schema.inner, value, path)

    def enum(self, schema: Enum, value: Any, path: Path) -> Any:
        for known in schema.values:
            if known.value == value and type(known.value) is type(value):
                return value
        hint = did_you_mean(value, [str(known.value) for known in schema.values]) if isinstance(value, str) else ""
        self.fault(path, "RUNTIME_TYPE_MISMATCH", f"{_short(value)} is no value of {schema.name}.{hint}", schema)
        return value

    def map(self, schema: Map, value: Any, path: Path) -> Any:
        if not isinstance(value, Mapping):
            return self.mismatch(schema, value, path)
        return {
            self.check(schema.key, key, (*path, MapPart(key, "key"))): self.check(
                schema.value, item, (*path, MapPart(key, "value"))
            )
            for key, item in value.items()
        }

    def scalar_union(self, schema: ScalarUnion, value: Any, path: Path) -> Any:
        is_env = schema.scalar.env and isinstance(value, Mapping) and value.keys() == {"env"}
        if isinstance(value, list | Mapping) and not is_env:
            return self.check(schema.other, value, path)
        if value is None:
            return self.mismatch(schema, value, path)
        return self.scalar(schema.scalar, value, path)

    def shape(self, schema: Shape, value: Any, path: Path) -> Any:
        if not isinstance(value, Mapping):
            return self.mismatch(schema, value, path)
        fields = schema.fields
        result: dict[str, Any] = {}
        if len(value) and not value.keys() <= fields.keys():
            self.others(schema, value, path, result)
        missing: list[str] = []
        for name, part in fields.items():
            if name in value:
                result[name] = self.check(part.schema, value[name], (*path, name))
            elif part.default is not UNSET:
                result[name] = self.check(part.schema, part.default, (*path, name))
            elif part.required:
                missing.append(name)
        if missing:
            self.missing(schema, missing, path)
        return result

    def others(self, schema: Shape | Selector, value: Mapping[Any, Any], path: Path, result: dict[str, Any]) -> None:
        """Entries of `value` that are no fields: copied if the shape is permissive, faults if not."""
        others = [key for key in value if key not in schema.fields]
        for key in others:
            if not isinstance(key, str):
                self.fault(
                    path, "RUNTIME_TYPE_MISMATCH", f"The key {_short(key)} is not a string.", "keys that are str"
                )
        others = [key for key in others if isinstance(key, str)]
        if isinstance(schema, Shape) and schema.permissive:
            result.update((key, value[key]) for key in others)
        elif others:
            hint = "".join(did_you_mean(name, schema.fields) for name in others)
            what, code = (
                ("is no entry", "FIELD_NOT_DEFINED") if len(others) == 1 else ("are no entries", "FIELDS_NOT_DEFINED")
            )
            self.fault(path, code, f"There {what} {', '.join(map(repr, others))} here.{hint}", schema, tuple(others))

    def missing(self, schema: Shape, names: list[str], path: Path) -> None:
        wanted = ", ".join(map(repr, names))
        expected = f"for example { ({name: example(schema.fields[name].schema) for name in names})!r}"
        if len(names) == 1:
            message, code = f"The entry {wanted} is missing.", "MISSING_REQUIRED_FIELD"
        else:
            message, code = f"The entries {wanted} are missing.", "MISSING_REQUIRED_FIELDS"
        self.fault(path, code, message, expected, tuple(names))

    def selector(self, schema: Selector, value: Any, path: Path) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            self.mismatch(schema, value, path)
            return {}
        if not value:
            return self.empty_selector(schema, path)
        if len(value) > 1:
            given = ", ".join(map(repr, value))
            self.fault(path, "SELECTOR_FIELD_ERROR", f"Only one entry can be chosen, but {given} are given.", schema)
            return {}
        ((name, inner),) = value.items()
        part = schema.fields.get(name)
        if part is None:
            self.others(schema, value, path, {})
            return {}
        if inner is None and isinstance(part.schema, Shape | Selector):
            inner = {}  # in YAML, `in_process:` with nothing after it
        return {name: self.check(part.schema, inner, (*path, name))}

    def empty_selector(self, schema: Selector, path: Path) -> dict[str, Any]:
        if len(schema.fields) == 1:
            ((name, part),) = schema.fields.items()
            if part.default is not UNSET:
                return {name: self.check(part.schema, part.default, (*path, name))}
        names = ", ".join(map(repr, schema.fields))
        self.fault(path, "SELECTOR_FIELD_ERROR", f"One entry has to be chosen: {names}.", schema)
        return {}


_ENV_SELECTOR = Selector({"env": Field(STR)})
_CHECKS: dict[type, Callable[..., Any]] = {
    Scalar: _Checker.scalar,
    Array: _Checker.array,
    Noneable: _Checker.noneable,
    Enum: _Checker.enum,
    Map: _Checker.map,
    Shape: _Checker.shape,
    Selector: _Checker.selector,
    ScalarUnion: _Checker.scalar_union,
}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
