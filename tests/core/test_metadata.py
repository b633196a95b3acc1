from __future__ import annotations

import copy
import decimal
import enum
import math
import pathlib
import pickle
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core import codec, metadata
from treadle.core.keys import AssetKey
from treadle.core.metadata import MetadataValue, normalize
from treadle.core.table import (
    TableColumn,
    TableColumnConstraints,
    TableColumnDep,
    TableColumnLineage,
    TableConstraints,
    TableRecord,
    TableSchema,
)
from treadle.errors import MetadataError

DECODER = codec.decoder(dict[str, MetadataValue])

SCHEMA = TableSchema(
    [
        TableColumn(
            "a", "int", "first", TableColumnConstraints(nullable=False, unique=True, other=["a > 0"]), {"t": "v"}
        )
    ],
    TableConstraints(other=["one row a day"]),
)
LINEAGE = TableColumnLineage({"a": [TableColumnDep(["up", "stream"], "b")]})

EVERY_KIND: dict[str, MetadataValue] = {
    "text": MetadataValue.text("Grüße \U0001f600 \x00"),
    "url": MetadataValue.url("https://example.com"),
    "path": MetadataValue.path(pathlib.PurePosixPath("/data/x")),
    "notebook": MetadataValue.notebook("n.ipynb"),
    "json": MetadataValue.json({"a": [1, 2.5, None, True, {"b": "c"}], "big": 2**90}),
    "md": MetadataValue.md("# Title"),
    "python_artifact": MetadataValue.python_artifact(pathlib.Path),
    "float": MetadataValue.float(1.5),
    "int": MetadataValue.int(-3),
    "bool": MetadataValue.bool(True),
    "timestamp": MetadataValue.timestamp(datetime(2020, 1, 1, tzinfo=UTC)),
    "run": MetadataValue.run("run-id"),
    "asset": MetadataValue.asset(AssetKey(["a", "b"])),
    "job": MetadataValue.job("j", "location", repository_name="r"),
    "table": MetadataValue.table([TableRecord({"a": 1, "b": None, "c": 2**70})]),
    "table_schema": MetadataValue.table_schema(SCHEMA),
    "column_lineage": MetadataValue.column_lineage(LINEAGE),
    "null": MetadataValue.null(),
    "pool": MetadataValue.pool("p"),
    "code_references": MetadataValue.code_references(
        [
            metadata.LocalFileCodeReference(file_path="a.py", line_number=3, label="here"),
            metadata.UrlCodeReference(url="https://example.com/a.py"),
        ]
    ),
}


def round_trip(value: MetadataValue) -> MetadataValue:
    return DECODER.decode(codec.encode({"k": value}))["k"]


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_survives_the_wire_pickle_and_copy(kind: str) -> None:
    value = EVERY_KIND[kind]
    assert value.kind == kind
    for back in (round_trip(value), pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
        assert type(back) is type(value)
        assert back == value


def test_the_table_of_kinds_is_complete() -> None:
    assert set(metadata._KINDS) == set(EVERY_KIND)


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**400])
def test_whole_numbers_of_any_size_survive(number: int) -> None:
    assert round_trip(MetadataValue.int(number)).value == number
    assert round_trip(MetadataValue.json({"n": [number]})).value == {"n": [number]}


@pytest.mark.parametrize("number", [math.inf, -math.inf, -0.0, 5e-324])
def test_unusual_floats_survive(number: float) -> None:
    back = round_trip(MetadataValue.float(number)).value
    assert (back, math.copysign(1, back)) == (number, math.copysign(1, number))
    assert round_trip(MetadataValue.json([number])).value == [number]


def test_nan_survives() -> None:
    assert math.isnan(round_trip(MetadataValue.float(math.nan)).value)
    assert math.isnan(round_trip(MetadataValue.json([math.nan])).value[0])


def test_a_kind_of_a_later_version_survives_a_rewrite() -> None:
    later = msgspec.msgpack.encode({"k": {"type": "hologram", "beams": [1, {"x": math.inf}]}, "l": {"type": "int"}})
    decoded = DECODER.decode(later)
    unknown = decoded["k"]
    assert isinstance(unknown, metadata.UnknownMetadataValue)
    assert unknown.kind == "hologram"
    assert unknown.value["beams"][0] == 1
    assert isinstance(decoded["l"], metadata.UnknownMetadataValue), "a known kind without its field is kept as it is"
    assert codec.encode(decoded) == later


@pytest.mark.parametrize("raw", [None, 5, "text", [1], {}, {"type": ["list"]}, {"type": "json"}])
def test_anything_decodes_to_something_that_is_written_back(raw: Any) -> None:
    stored = msgspec.msgpack.encode({"k": raw})
    assert codec.encode(DECODER.decode(stored)) == stored


class Word(str):
    pass


class Color(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("x", metadata.TextMetadataValue("x")),
        (Word("x"), metadata.TextMetadataValue("x")),
        (Color.RED, metadata.TextMetadataValue("red")),
        (1, metadata.IntMetadataValue(1)),
        (Level.HIGH, metadata.IntMetadataValue(3)),
        (1.5, metadata.FloatMetadataValue(1.5)),
        (True, metadata.BoolMetadataValue(True)),
        (False, metadata.BoolMetadataValue(False)),
        (None, metadata.NullMetadataValue()),
        ({"a": (1, 2), 3: Level.HIGH}, metadata.JsonMetadataValue({"a": [1, 2], "3": 3})),
        ([], metadata.JsonMetadataValue([])),
        (AssetKey("a"), metadata.AssetMetadataValue(AssetKey("a"))),
        (SCHEMA, metadata.TableSchemaMetadataValue(SCHEMA)),
        (LINEAGE, metadata.TableColumnLineageMetadataValue(LINEAGE)),
        (pathlib.PurePosixPath("/x"), metadata.PathMetadataValue("/x")),
        (metadata.MarkdownMetadataValue("m"), metadata.MarkdownMetadataValue("m")),
        (metadata.UnknownMetadataValue({"type": "z"}), metadata.UnknownMetadataValue({"type": "z"})),
    ],
)
def test_normalize_converts_what_users_write(raw: Any, expected: MetadataValue) -> None:
    result = normalize({"k": raw}, "asset 'a'")["k"]
    assert type(result) is type(expected)
    assert result == expected
    assert round_trip(result) == expected


def test_normalized_enums_are_plain_values() -> None:
    result = normalize({"s": Color.RED, "i": Level.HIGH}, "x")
    assert (type(result["s"].value), type(result["i"].value)) == (str, int)


@pytest.mark.parametrize(
    "raw", [(1, 2), {1}, datetime(2020, 1, 1), object(), b"x", decimal.Decimal(1), TableRecord({}), str, 1j]
)
def test_normalize_refuses_other_types_and_says_where(raw: Any) -> None:
    with pytest.raises(MetadataError, match=f"'the_key' of asset 'a'.*{type(raw).__name__}"):
        normalize({"the_key": raw}, "asset 'a'")


@pytest.mark.parametrize("raw", [{"a": {1, 2}}, [object()], {"a": [datetime(2020, 1, 1)]}, {(1, 2): 3}])
def test_normalize_refuses_what_json_cannot_say(raw: Any) -> None:
    with pytest.raises(MetadataError, match=r"'k' of output 'o'.*JSON"):
        normalize({"k": raw}, "output 'o'")


def test_json_refuses_a_structure_that_holds_itself() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(MetadataError, match="JSON"):
        MetadataValue.json(loop)


def test_json_is_a_copy() -> None:
    data = {"a": [1]}
    value = MetadataValue.json(data)
    data["a"].append(2)
    assert value.data == {"a": [1]}


def test_normalize_takes_none_and_refuses_keys_that_are_no_strings() -> None:
    assert normalize(None, "x") == {}
    with pytest.raises(MetadataError, match=r"asset 'a' is \{Ellipsis\}.*dict"):
        normalize({...}, "asset 'a'")  # pyright: ignore[reportArgumentType]
    with pytest.raises(MetadataError, match="key 1"):
        normalize({1: "a"}, "x")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("text", 1),
        ("url", b"x"),
        ("md", 2.0),
        ("int", 1.5),
        ("int", "1"),
        ("float", "1"),
        ("float", True),
        ("float", 10**400),
        ("bool", 1),
        ("run", 1),
        ("pool", 1),
        ("table_schema", {}),
        ("column_lineage", {}),
        ("timestamp", "now"),
        ("timestamp", datetime(2020, 1, 1)),
        ("python_artifact", 5),
        ("table", [{"a": 1}]),
        ("table", []),
        ("table", [TableRecord({"a": 1}), TableRecord({"b": 1})]),
        ("code_references", ["a.py"]),
    ],
)
def test_constructors_refuse_the_wrong_type(kind: str, wrong: Any) -> None:
    with pytest.raises(MetadataError):
        getattr(MetadataValue, kind)(wrong)


def test_values_users_read() -> None:
    assert MetadataValue.float(1).value == 1.0
    assert type(MetadataValue.int(True).value) is int
    assert MetadataValue.timestamp(datetime(2020, 1, 1, tzinfo=UTC)).value == 1577836800.0
    assert MetadataValue.dagster_run("r") == metadata.RunMetadataValue(run_id="r")
    assert metadata.TextMetadataValue(text=None).value == ""
    assert metadata.PathMetadataValue(path=None).fspath == ""
    assert metadata.PoolMetadataValue(pool="p").name == "p"
    assert metadata.TableColumnLineageMetadataValue(LINEAGE).lineage is LINEAGE
    job = MetadataValue.job("j", "l")
    assert job.value is job
    assert hash(MetadataValue.text("a")) == hash(MetadataValue.text("a"))
    assert isinstance(MetadataValue[str], type(list[int]))


def test_table_infers_its_schema_from_the_first_record() -> None:
    table = MetadataValue.table([TableRecord({"i": 1, "b": True, "f": 1.5, "s": "x", "n": None})])
    assert table.schema is not None
    assert {column.name: column.type for column in table.schema.columns} == {
        "i": "int",
        "b": "bool",
        "f": "float",
        "s": "string",
        "n": "string",
    }
    assert MetadataValue.table([], SCHEMA).schema is SCHEMA


def test_records_and_schemas_refuse_other_things() -> None:
    with pytest.raises(MetadataError, match="'a'"):
        TableRecord({"a": [1]})  # pyright: ignore[reportArgumentType]
    with pytest.raises(MetadataError, match="from_name_type_dict"):
        TableSchema(["a"])  # pyright: ignore[reportArgumentType]
    assert TableSchema([TableColumn("a", constraints=None, tags=None)], None) == TableSchema([TableColumn("a")])  # pyright: ignore[reportArgumentType]
    assert TableColumnDep("a", "b") == TableColumnDep(AssetKey("a"), "b") != TableColumnDep("a", "c")
    assert len({TableColumnDep("a", "b"), TableColumnDep(AssetKey("a"), "b")}) == 1
    assert TableSchema.from_name_type_dict({"a": "int"}) == TableSchema([TableColumn("a", "int")])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_whatever_json_says_survives(raw: dict[str, Any]) -> None:
    once = normalize(raw, "x")
    assert {key: value.value for key, value in once.items()} == raw
    assert DECODER.decode(codec.encode(once)) == once
    assert normalize(once, "x") == once
