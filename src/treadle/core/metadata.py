"""Typed values that say something about an asset, a run's output or a definition.

One class a kind, all frozen, one tagged union on the wire. `normalize` turns what users write into these classes; it
runs in every step with metadata, so it dispatches on the exact type and falls back to slower questions.

A field that holds any kind is annotated `MetadataValue`. Decoding goes through the codec's hook: a kind that this
version does not know, or that does not fit, becomes `UnknownMetadataValue`, which writes itself back unchanged.
"""

# The constructors on MetadataValue and the fields of its kinds share names (`MetadataValue.text("a").text`), because
# users know both by these names.
# pyright: reportIncompatibleVariableOverride=false, reportIncompatibleMethodOverride=false, reportAssignmentType=false

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import GenericAlias
from typing import Any, ClassVar, Self

import msgspec

from treadle.core import codec
from treadle.core.keys import AssetKey, CoercibleToAssetKey
from treadle.core.table import TableColumn, TableColumnLineage, TableRecord, TableSchema
from treadle.core.told import told
from treadle.errors import MetadataError

# --- keys with a meaning of their own ------------------------------------------------------------------------------

COLUMN_SCHEMA = "dagster/column_schema"
TABLE_NAME = "dagster/table_name"
CODE_REFERENCES = "dagster/code_references"
IO_MANAGER_KEY = "dagster/io_manager_key"


class MetadataValue:
    """Base of all metadata values, and where their constructors are: `MetadataValue.md("# Title")`.

    Attributes:
        value: the plain Python value.
    """

    __slots__ = ()
    __class_getitem__ = classmethod(GenericAlias)

    @property
    def value(self) -> Any:
        raise AttributeError(f"{type(self).__name__} has no value")

    @property
    def kind(self) -> str:
        """The name of this kind: `text`, `int`, `table_schema`, …"""
        return type(self).__struct_config__.tag  # pyright: ignore[reportAttributeAccessIssue]  # all kinds are structs

    # --- constructors: the kinds themselves, but for those that take what they do not hold

    text: ClassVar[type[TextMetadataValue]]
    url: ClassVar[type[UrlMetadataValue]]
    json: ClassVar[type[JsonMetadataValue]]
    float: ClassVar[type[FloatMetadataValue]]
    int: ClassVar[type[IntMetadataValue]]
    bool: ClassVar[type[BoolMetadataValue]]
    run: ClassVar[type[RunMetadataValue]]
    dagster_run: ClassVar[type[RunMetadataValue]]
    job: ClassVar[type[JobMetadataValue]]
    table: ClassVar[type[TableMetadataValue]]
    table_schema: ClassVar[type[TableSchemaMetadataValue]]
    null: ClassVar[type[NullMetadataValue]]
    pool: ClassVar[type[PoolMetadataValue]]

    @staticmethod
    def path(path: str | os.PathLike[str]) -> PathMetadataValue:
        return PathMetadataValue(os.fspath(path))

    @staticmethod
    def notebook(path: str | os.PathLike[str]) -> NotebookMetadataValue:
        return NotebookMetadataValue(os.fspath(path))

    @staticmethod
    def md(data: str) -> MarkdownMetadataValue:
        return MarkdownMetadataValue(data)

    @staticmethod
    def python_artifact(python_artifact: Callable[..., Any]) -> PythonArtifactMetadataValue:
        """A function or class, remembered by its module and name."""
        try:
            return PythonArtifactMetadataValue(python_artifact.__module__, python_artifact.__name__)
        except AttributeError:
            raise _wrong("python_artifact", "a function or a class", python_artifact) from None

    @staticmethod
    def timestamp(value: builtins.float | datetime) -> TimestampMetadataValue:
        """A moment: seconds since 1970-01-01 UTC, or a datetime with a timezone.

        Raises:
            MetadataError: a datetime without timezone.
        """
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise MetadataError(
                    f"The datetime {value.isoformat()} has no timezone, so it is not one moment. "
                    "Give it one: value.replace(tzinfo=timezone.utc)."
                )
            value = value.timestamp()
        return TimestampMetadataValue(value)

    @staticmethod
    def asset(asset_key: CoercibleToAssetKey) -> AssetMetadataValue:
        return AssetMetadataValue(AssetKey.of(asset_key))

    @staticmethod
    def column_lineage(lineage: TableColumnLineage) -> TableColumnLineageMetadataValue:
        return TableColumnLineageMetadataValue(lineage)

    @staticmethod
    def code_references(
        code_references: Sequence[LocalFileCodeReference | UrlCodeReference],
    ) -> CodeReferencesMetadataValue:
        return CodeReferencesMetadataValue(list(code_references))


def _wrong(kind: str, expected: str, value: object) -> MetadataError:
    return MetadataError(f"Metadata of kind {kind!r} holds {expected}, not {type(value).__name__}: {value!r:.80}.")


class _Kind(MetadataValue, msgspec.Struct, frozen=True, gc=False):
    """What the kinds share: frozen, equal by value, told apart on the wire by their tag."""

    @property
    def value(self) -> Self:
        return self


class _Text(_Kind, frozen=True, gc=False):
    """Kinds that hold one text, or None."""

    def __post_init__(self) -> None:
        field = self.__struct_fields__[0]
        text = getattr(self, field)
        if type(text) is not str and text is not None:
            text = os.fspath(text) if isinstance(text, os.PathLike) and field == "path" else text
            if not isinstance(text, str):
                raise _wrong(self.kind, "a string", text)
            msgspec.structs.force_setattr(self, field, str.__str__(text))  # an enum or subclass: keep the text alone

    @property
    def value(self) -> str:
        return getattr(self, self.__struct_fields__[0]) or ""


class TextMetadataValue(_Text, frozen=True, gc=False, tag="text"):
    """Plain text."""

    text: str | None = ""

    def __post_init__(self) -> None:
        if type(self.text) is not str:  # the one kind that is made in every step: nothing else is asked of most
            _Text.__post_init__(self)


class UrlMetadataValue(_Text, frozen=True, gc=False, tag="url"):
    """A link."""

    url: str | None = ""


class _Path(_Text, frozen=True, gc=False):
    path: str | None

    @property
    def fspath(self) -> str:
        """The path; empty if there is none."""
        return self.path or ""


class PathMetadataValue(_Path, frozen=True, gc=False, tag="path"):
    """A path to a file or folder."""


class NotebookMetadataValue(_Path, frozen=True, gc=False, tag="notebook"):
    """A path to a notebook file."""


class JsonMetadataValue(_Kind, frozen=True, tag="json"):
    """Anything that JSON can say, as lists, dicts with string keys, strings, numbers, booleans and None.

    Tuples become lists and dict keys strings, as in JSON.
    """

    data: Any

    def __post_init__(self) -> None:
        try:
            plain = _as_json(self.data)
        except (TypeError, RecursionError) as error:
            raise MetadataError(f"The value cannot be written as JSON: {error}.") from None
        msgspec.structs.force_setattr(self, "data", plain)

    value: ClassVar[Any] = told("data", "The data.")


class MarkdownMetadataValue(_Text, frozen=True, gc=False, tag="md"):
    """Markdown."""

    md_str: str | None = ""


class PythonArtifactMetadataValue(_Kind, frozen=True, gc=False, tag="python_artifact"):
    """A function or class, by module and name."""

    module: str
    name: str


class FloatMetadataValue(_Kind, frozen=True, gc=False, tag="float"):
    """A number, NaN and the infinities among them; or None if it is not known."""

    value: float | None

    def __post_init__(self) -> None:
        if type(self.value) is not float and self.value is not None:
            msgspec.structs.force_setattr(self, "value", _as_float(self.kind, self.value))


class IntMetadataValue(_Kind, frozen=True, gc=False, tag="int"):
    """A whole number of any size, or None if it is not known."""

    value: int | None

    def __post_init__(self) -> None:
        if type(self.value) is not int and self.value is not None:
            if not isinstance(self.value, int):
                raise _wrong(self.kind, "a whole number", self.value)
            msgspec.structs.force_setattr(self, "value", int(self.value))


class BoolMetadataValue(_Kind, frozen=True, gc=False, tag="bool"):
    """True or False, or None if it is not known."""

    value: bool | None

    def __post_init__(self) -> None:
        if self.value is not None and type(self.value) is not bool:
            raise _wrong(self.kind, "True or False", self.value)


class TimestampMetadataValue(_Kind, frozen=True, gc=False, tag="timestamp"):
    """A moment, in seconds since 1970-01-01 UTC."""

    value: float

    def __post_init__(self) -> None:
        if type(self.value) is not float:
            msgspec.structs.force_setattr(self, "value", _as_float(self.kind, self.value))


class RunMetadataValue(_Text, frozen=True, gc=False, tag="run"):
    """A run, by id."""

    run_id: str


class AssetMetadataValue(_Kind, frozen=True, tag="asset"):
    """An asset, by key."""

    asset_key: AssetKey

    def __post_init__(self) -> None:
        if not isinstance(self.asset_key, AssetKey):
            raise _wrong(self.kind, "an AssetKey", self.asset_key)

    value: ClassVar[AssetKey] = told("asset_key", "The key.")


class JobMetadataValue(_Kind, frozen=True, gc=False, tag="job"):
    """A job, by name and code location."""

    job_name: str
    location_name: str
    repository_name: str | None = None


class TableMetadataValue(_Kind, frozen=True, tag="table"):
    """Rows of a table and their schema. A missing schema is inferred from the first record.

    Raises:
        MetadataError: no schema and no record to infer it from, or records with different columns.
    """

    records: Sequence[TableRecord]
    schema: TableSchema | None = None

    def __post_init__(self) -> None:
        for record in self.records:
            if not isinstance(record, TableRecord):
                raise _wrong(self.kind, "TableRecord objects", record)
        if self.schema is not None:
            return
        if not self.records:
            raise MetadataError("A table without records needs a schema. Pass schema=TableSchema(columns=[...]).")
        first = self.records[0].data
        for record in self.records:
            if record.data.keys() != first.keys():
                raise MetadataError(
                    f"Records of a table have different columns: {sorted(first)} and {sorted(record.data)}. "
                    "Give all records the same columns, or pass a schema."
                )
        columns = [TableColumn(name, self.infer_column_type(value)) for name, value in first.items()]
        msgspec.structs.force_setattr(self, "schema", TableSchema(columns))

    @staticmethod
    def infer_column_type(value: object) -> str:
        """The name of the column type that fits `value`: bool, int, float or string."""
        return {bool: "bool", int: "int", float: "float"}.get(type(value), "string")


class TableSchemaMetadataValue(_Kind, frozen=True, tag="table_schema"):
    """The columns of a table."""

    schema: TableSchema

    def __post_init__(self) -> None:
        if not isinstance(self.schema, TableSchema):
            raise _wrong(self.kind, "a TableSchema", self.schema)

    value: ClassVar[TableSchema] = told("schema", "The columns.")


class TableColumnLineageMetadataValue(_Kind, frozen=True, tag="column_lineage"):
    """Which upstream columns each column was made from."""

    column_lineage: TableColumnLineage

    def __post_init__(self) -> None:
        if not isinstance(self.column_lineage, TableColumnLineage):
            raise _wrong(self.kind, "a TableColumnLineage", self.column_lineage)

    lineage: ClassVar[TableColumnLineage] = told("column_lineage", "The lineage.")

    value = lineage


class NullMetadataValue(_Kind, frozen=True, gc=False, tag="null"):
    """Nothing, said explicitly."""

    @property
    def value(self) -> None:
        return None


class PoolMetadataValue(_Text, frozen=True, gc=False, tag="pool"):
    """A concurrency pool, by name."""

    pool: str

    name: ClassVar[str] = told("pool", "The pool's name.")


class LocalFileCodeReference(msgspec.Struct, frozen=True, kw_only=True, tag="file"):
    """A place in a local file. `line_number` counts from 1."""

    file_path: str
    line_number: int | None = None
    label: str | None = None

    @property
    def source(self) -> str:
        """The place as text: `file:line`."""
        return self.file_path if self.line_number is None else f"{self.file_path}:{self.line_number}"


class UrlCodeReference(msgspec.Struct, frozen=True, kw_only=True, tag="url"):
    """A place in a repository on the web."""

    url: str
    label: str | None = None

    source: ClassVar[str] = told("url", "The place as text: the URL.")


class CodeReferencesMetadataValue(_Kind, frozen=True, tag="code_references"):
    """Where the code of something is."""

    code_references: list[LocalFileCodeReference | UrlCodeReference]

    def __post_init__(self) -> None:
        for reference in self.code_references:
            if not isinstance(reference, LocalFileCodeReference | UrlCodeReference):
                raise _wrong(self.kind, "LocalFileCodeReference and UrlCodeReference objects", reference)


class UnknownMetadataValue(MetadataValue):
    """A value that another version of Treadle wrote and this one cannot read. It is written back as it was.

    Attributes:
        raw: the stored data.
    """

    __slots__ = ("raw",)
    raw: Any

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    @property
    def kind(self) -> str:
        """The name that the other version gave to this kind."""
        return str(self.raw.get("type", "unknown")) if isinstance(self.raw, dict) else "unknown"

    value: Any = told("raw", "The stored data.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnknownMetadataValue) and self.raw == other.raw

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # raw is a dict

    def __repr__(self) -> str:
        return f"UnknownMetadataValue({self.raw!r})"


_KINDS: dict[str, type[MetadataValue]] = {kind.__struct_config__.tag: kind for kind in codec.leaves(_Kind)}
for _name in ("text", "url", "json", "float", "int", "bool", "run", "job", "table", "table_schema", "null", "pool"):
    setattr(MetadataValue, _name, _KINDS[_name])
MetadataValue.dagster_run = RunMetadataValue


# --- the wire ------------------------------------------------------------------------------------------------------


def _decode(raw: Any) -> MetadataValue:
    # One class at a time and not the union: msgspec remembers how to convert a class, but builds a union anew.
    try:
        return codec.from_builtins(raw, _KINDS[raw["type"]])
    except (msgspec.ValidationError, MetadataError, LookupError, TypeError):
        return UnknownMetadataValue(raw)


codec.register(MetadataValue, lambda value: value, _decode)  # the kinds are structs: only decoding asks
codec.register(UnknownMetadataValue, lambda value: value.raw, UnknownMetadataValue)


# --- from what users write -----------------------------------------------------------------------------------------

_PLAIN = frozenset({str, int, float, bool, type(None)})


def _as_json(value: Any) -> Any:
    """A copy of `value` as JSON reads it back. Raises `TypeError` for what JSON cannot say."""
    cls = type(value)
    if cls in _PLAIN:
        return value
    if isinstance(value, dict):
        return {key if type(key) is str else _as_json_key(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, str):  # enums and other subclasses keep their plain value
        return str.__str__(value)
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    raise TypeError(f"it holds {cls.__name__} ({value!r:.60})")


def _as_json_key(key: Any) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int | float):
        return repr(int(key) if isinstance(key, int) else float(key))
    raise TypeError(f"it has a key of type {type(key).__name__} ({key!r:.60})")


def _as_float(kind: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _wrong(kind, "a number", value)
    try:
        return float(value)
    except OverflowError:
        raise _wrong(kind, "a number that fits a float", value) from None


_NULL = NullMetadataValue()
_TRUE, _FALSE = BoolMetadataValue(True), BoolMetadataValue(False)

_BY_TYPE: dict[type, Callable[[Any], MetadataValue]] = {
    str: TextMetadataValue,
    int: IntMetadataValue,
    float: FloatMetadataValue,
    bool: lambda value: _TRUE if value else _FALSE,
    type(None): lambda _: _NULL,
    dict: JsonMetadataValue,
    list: JsonMetadataValue,
    AssetKey: AssetMetadataValue,
    TableSchema: TableSchemaMetadataValue,
    TableColumnLineage: TableColumnLineageMetadataValue,
}
_BY_BASE: tuple[tuple[type, Callable[[Any], MetadataValue]], ...] = (
    (MetadataValue, lambda value: value),
    (os.PathLike, PathMetadataValue),
    *_BY_TYPE.items(),
)


def _by_base(value: Any) -> Callable[[Any], MetadataValue]:
    for base, make in _BY_BASE:
        if isinstance(value, base):
            return make
    raise MetadataError(
        f"{type(value).__name__} has no metadata kind. Convert it, or wrap it: "
        "MetadataValue.text(str(...)), MetadataValue.json([...]), MetadataValue.timestamp(...)."
    )


def normalize(metadata: Mapping[str, Any] | None, where: str) -> dict[str, MetadataValue]:
    """Each value of `metadata` as a `MetadataValue`.

    Strings become text; ints, floats, bools and None their own kinds; dicts and lists JSON; asset keys, table schemas,
    column lineages and paths their kinds. Other types are errors.

    Args:
        metadata: what the user wrote; None is an empty mapping.
        where: what the metadata belongs to, for error messages: `"asset 'a'"`.

    Raises:
        MetadataError: it is no mapping, a key is not a string, or a value has no kind.
    """
    result: dict[str, MetadataValue] = {}
    if not metadata:
        return result
    if type(metadata) is not dict and not isinstance(metadata, Mapping):
        raise MetadataError(f"Metadata of {where} is {metadata!r:.80}. Write a dict: {{'name': value}}.")
    for key, value in metadata.items():
        if type(key) is not str and not isinstance(key, str):
            raise MetadataError(f"Metadata of {where} has the key {key!r}: keys are strings. Write {str(key)!r}.")
        try:
            result[key] = (_BY_TYPE.get(type(value)) or _by_base(value))(value)
        except MetadataError as error:
            raise MetadataError(f"Metadata {key!r} of {where}: {error}") from None
    return result
