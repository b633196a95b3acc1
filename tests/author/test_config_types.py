from __future__ import annotations

import enum
from typing import Any, Optional

import pytest

from treadle.author import config_types as ct
from treadle.author.config_types import Field, schema_from
from treadle.errors import ConfigDefinitionError, ConfigError
from treadle.spec import config
from treadle.spec.config import ANY, BOOL, FLOAT, INT, STR, check


class Color(enum.Enum):
    RED = 1
    BLUE = "b"


def load(schema: Any, value: Any, env: dict[str, str] | None = None) -> Any:
    """What the user's function sees for `value`."""
    config_type = schema_from(schema)
    resolved, faults = check(config_type.schema, value, env=env or {})
    assert faults == []
    return config_type.load(resolved)


@pytest.mark.parametrize(
    ("written", "schema"),
    [
        (str, STR),
        (int, INT),
        (float, FLOAT),
        (bool, BOOL),
        (None, ANY),
        (Any, ANY),
        (ct.Any, ANY),
        (list, config.Array(ANY)),
        (dict, config.PERMISSIVE),
        ([str], config.Array(STR)),
        ([[int]], config.Array(config.Array(INT))),
        ({str: int}, config.Map(STR, INT)),
        (ct.Map(str, [int], "name"), config.Map(STR, config.Array(INT), "name")),
        (ct.Noneable(int), config.Noneable(INT)),
        ({"a": str}, config.Shape({"a": config.Field(STR)})),
        ({}, config.Shape({})),
        (ct.Permissive(), config.PERMISSIVE),
        (ct.Permissive({"a": str}, "d"), config.Shape({"a": config.Field(STR)}, True, "d")),
        (ct.Selector({"a": str}), config.Selector({"a": config.Field(STR)})),
        (ct.ScalarUnion(int, {"a": str}), config.ScalarUnion(INT, config.Shape({"a": config.Field(STR)}))),
        (ct.StringSource, config.STR_SOURCE),
        (ct.IntSource, config.INT_SOURCE),
        (ct.BoolSource, config.BOOL_SOURCE),
        (Field(str), STR),
    ],
)
def test_what_users_write_becomes_a_schema(written: Any, schema: config.Schema) -> None:
    assert schema_from(written).schema == schema


@pytest.mark.parametrize(
    "written",
    [object(), {1}, (str,), bytes, Color, [], [str, int], {"a": object()}, {1: str}, {"a": {"b": [bytes]}}, "str"],
)
def test_other_things_are_refused(written: Any) -> None:
    with pytest.raises(ConfigDefinitionError):
        schema_from(written)


def test_a_refusal_names_the_field_and_what_to_write() -> None:
    with pytest.raises(ConfigDefinitionError, match=r"In 'a': In 'b': .*no config type.*Use str"):
        schema_from({"a": {"b": bytes}})
    for annotation in (list[int], Optional[int]):  # noqa: UP045  as users write it
        with pytest.raises(ConfigDefinitionError, match="belong to Config classes"):
            schema_from(annotation)


def test_fields() -> None:
    assert Field(int).is_required
    assert not Field(int).default_provided
    with pytest.raises(ConfigDefinitionError, match="default_provided"):
        Field(int).default_value  # noqa: B018
    with_default = Field(int, default_value=3, description="how many")
    assert (with_default.is_required, with_default.default_value, with_default.description) == (False, 3, "how many")
    optional = Field(str, is_required=False)
    assert (optional.is_required, optional.default_provided) == (False, False)
    noneable = Field(ct.Noneable(int))
    assert (noneable.is_required, noneable.default_value) == (False, None)
    assert not Field({"a": Field(int, default_value=1)}).is_required
    assert not Field(dict).is_required
    assert Field(ct.Any).is_required
    assert Field(list).is_required


def test_faulty_defaults_are_refused() -> None:
    with pytest.raises(ConfigError, match="default value 'x'"):
        Field(int, default_value="x")
    with pytest.raises(ConfigDefinitionError, match="required"):
        Field(int, default_value=1, is_required=True)
    with pytest.raises(ConfigDefinitionError, match="not a function"):
        Field(int, default_value=lambda: 1)


def test_defaults_are_filled_in() -> None:
    schema = {"a": {"b": Field(int, default_value=1), "c": Field(str, is_required=False)}, "d": ct.Noneable(str)}
    assert load(schema, {}) == {"a": {"b": 1}, "d": None}
    assert load({"s": Field(ct.StringSource, default_value={"env": "X"})}, {}, {"X": "v"}) == {"s": "v"}


def test_enums_load_their_python_values_wherever_they_are() -> None:
    color = ct.Enum("Color", [ct.EnumValue("RED", 1), ct.EnumValue("BLUE", description="sea")])
    assert color.config_values == ["RED", "BLUE"]
    assert load(color, "RED") == 1
    assert load(color, "BLUE") == "BLUE"
    assert load([color], ["RED"]) == [1]
    assert load(ct.Noneable(color), None) is None
    assert load(ct.Noneable(color), "RED") == 1
    assert load({str: color}, {"k": "RED"}) == {"k": 1}
    assert load({"c": Field(color, default_value="RED"), "n": Field(int, default_value=2)}, {}) == {"c": 1, "n": 2}
    assert load(ct.Permissive({"c": color}), {"c": "RED", "z": "RED"}) == {"c": 1, "z": "RED"}
    assert load(ct.Selector({"c": color, "n": int}), {"c": "RED"}) == {"c": 1}
    assert load(ct.Selector({"c": color, "n": int}), {"n": 3}) == {"n": 3}
    assert load(ct.ScalarUnion(str, [color]), ["RED"]) == [1]
    assert load(ct.ScalarUnion(str, [color]), "RED") == "RED"


def test_python_enums() -> None:
    for made in (ct.Enum.from_python_enum(Color), ct.Enum.from_python_enum_direct_values(Color)):
        assert made.name == "Color"
        assert load(made, "BLUE") is Color.BLUE
        assert load({"c": Field(made, default_value=Color.RED)}, {}) == {"c": Color.RED}


def test_faulty_types_are_refused() -> None:
    with pytest.raises(ConfigDefinitionError, match="keys of a Map"):
        ct.Map([str], int)
    with pytest.raises(ConfigDefinitionError, match="scalar of a ScalarUnion"):
        ct.ScalarUnion([int], {"a": str})
    with pytest.raises(ConfigDefinitionError, match="other side"):
        ct.ScalarUnion(int, str)
    with pytest.raises(ConfigDefinitionError, match="same name"):
        ct.Enum("E", [ct.EnumValue("A"), ct.EnumValue("A")])
    with pytest.raises(ConfigDefinitionError, match="at least one"):
        ct.Selector({})
    with pytest.raises(ConfigDefinitionError, match="is a string"):
        ct.EnumValue(1)  # pyright: ignore[reportArgumentType]


def test_aliases_of_a_shape_are_the_names_in_config() -> None:
    schema = ct.Shape({"a": str, "c": int}, field_aliases={"a": "b"})
    assert load(schema, {"b": "x", "c": 1}) == {"a": "x", "c": 1}
    assert check(schema.schema, {"a": "x", "c": 1})[1][0].code == "FIELD_NOT_DEFINED"
