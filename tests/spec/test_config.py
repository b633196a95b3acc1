from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core import codec
from treadle.errors import ConfigError
from treadle.spec import config
from treadle.spec.config import (
    ANY,
    BOOL,
    BOOL_SOURCE,
    FLOAT,
    FLOAT_SOURCE,
    INT,
    INT_SOURCE,
    PERMISSIVE,
    STR,
    STR_SOURCE,
    UNSET,
    Array,
    ConfigFault,
    Enum,
    EnumValue,
    Field,
    Map,
    Noneable,
    Scalar,
    ScalarUnion,
    Schema,
    Selector,
    Shape,
    check,
    field,
)

SCHEMAS = codec.decoder(Schema)
FAULTS = codec.decoder(list[ConfigFault])


def codes(schema: Schema, value: Any, env: dict[str, str] | None = None) -> list[tuple[str, str]]:
    faults = check(schema, value, env=env)[1]
    assert FAULTS.decode(codec.encode(faults)) == faults
    return [(fault.where, fault.code) for fault in faults]


def resolved(schema: Schema, value: Any, env: dict[str, str] | None = None) -> Any:
    result, faults = check(schema, value, env=env)
    assert faults == []
    return result


MISMATCH = [("root", "RUNTIME_TYPE_MISMATCH")]
COLOR = Enum("Color", (EnumValue("RED"), EnumValue("BLUE", "like the sea")))
SHAPE = Shape({"a": Field(STR), "b": field(INT, default=3), "c": field(BOOL, required=False)})


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (STR, "x"),
        (INT, 1),
        (INT, 2**90),
        (BOOL, False),
        (FLOAT, 1.5),
        (ANY, None),
        (ANY, {"a": [1]}),
        (Array(INT), []),
        (Array(Array(INT)), [[1], []]),
        (Noneable(INT), None),
        (Noneable(INT), 1),
        (COLOR, "BLUE"),
        (Enum("Literal", (EnumValue(1), EnumValue("x"))), 1),
        (Map(STR, INT), {"a": 1}),
        (Map(INT, INT), {1: 1}),
        (PERMISSIVE, {"z": [1]}),
        (Shape({"a": Field(STR)}, permissive=True), {"a": "x", "z": 1}),
        (Selector({"a": Field(STR), "b": Field(INT)}), {"b": 1}),
        (ScalarUnion(INT, SHAPE), 1),
        (ScalarUnion(STR, Array(INT)), [1]),
        (STR_SOURCE, {"env": "X"}),
    ],
)
def test_values_that_fit_come_back_as_they_are(schema: Schema, value: Any) -> None:
    assert resolved(schema, value) == value


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (STR, 1),
        (STR, None),
        (STR, True),
        (STR, {"env": "X"}),
        (INT, True),
        (INT, 1.0),
        (INT, "1"),
        (FLOAT, "1"),
        (FLOAT, 10**400),
        (BOOL, 1),
        (BOOL, "true"),
        (Array(STR), ("a",)),
        (Array(STR), "a"),
        (Array(STR), None),
        (Noneable(INT), "x"),
        (COLOR, "GREEN"),
        (COLOR, 1),
        (Enum("Literal", (EnumValue(1),)), True),
        (Map(STR, INT), []),
        (PERMISSIVE, [1]),
        (PERMISSIVE, {1: 2}),
        (SHAPE, None),
        (SHAPE, "x"),
        (Selector({"a": Field(STR)}), "a"),
        (Selector({"a": Field(STR)}), None),
        (ScalarUnion(INT, SHAPE), "x"),
        (ScalarUnion(INT, SHAPE), None),
        (ScalarUnion(INT, SHAPE), [1]),
    ],
)
def test_types_are_strict(schema: Schema, value: Any) -> None:
    assert codes(schema, value) == MISMATCH


def test_an_int_is_taken_for_a_float() -> None:
    result = resolved(FLOAT, 1)
    assert (result, type(result)) == (1.0, float)


def test_defaults_are_filled_in() -> None:
    assert resolved(SHAPE, {"a": "x"}) == {"a": "x", "b": 3}
    nested = Shape(
        {"outer": field(Shape({"inner": field(Shape({"x": field(INT, default=1), "n": field(Noneable(STR))}))}))}
    )
    assert resolved(nested, {}) == {"outer": {"inner": {"x": 1, "n": None}}}
    assert resolved(Shape({"s": field(STR_SOURCE, default={"env": "X"})}), {}, {"X": "v"}) == {"s": "v"}


def test_fields_are_optional_when_their_schema_can_do_without() -> None:
    assert field(Noneable(INT)) == Field(Noneable(INT), False, None)
    assert field(PERMISSIVE) == Field(PERMISSIVE, False, {})
    assert not field(Selector({"c": field(PERMISSIVE)})).required
    assert field(Selector({"c": field(PERMISSIVE), "d": field(PERMISSIVE)})).required
    assert field(SHAPE).required
    assert field(ANY).required
    assert field(Array(INT)).required
    assert field(Noneable(INT), required=True) == Field(Noneable(INT), True, UNSET)


def test_all_faults_are_reported_together() -> None:
    schema = Shape(
        {"ops": Field(Shape({"o": Field(Shape({"config": Field(Shape({"y": Field(STR), "l": Field(Array(INT))}))}))}))}
    )
    value = {"ops": {"o": {"config": {"y": 1, "l": [1, "a", None], "z": 1}, "conf": 2}}, "op": 1}
    assert codes(schema, value) == [
        ("root", "FIELD_NOT_DEFINED"),
        ("root:ops:o", "FIELD_NOT_DEFINED"),
        ("root:ops:o:config", "FIELD_NOT_DEFINED"),
        ("root:ops:o:config:y", "RUNTIME_TYPE_MISMATCH"),
        ("root:ops:o:config:l[1]", "RUNTIME_TYPE_MISMATCH"),
        ("root:ops:o:config:l[2]", "RUNTIME_TYPE_MISMATCH"),
    ]
    with pytest.raises(ConfigError) as caught:
        config.resolve(schema, value, what="Run config of job 'j'")
    text = str(caught.value)
    assert text.startswith("Run config of job 'j' has 6 faults:")
    assert "root:ops:o:config:y: 1 (int) does not fit. Expected: str" in text
    assert "Did you mean 'ops'?" in text
    assert len(caught.value.errors) == 6
    assert caught.value.config is value


def test_missing_and_undefined_fields() -> None:
    two = Shape({"a": Field(STR), "b": Field(STR)})
    (fault,) = check(two, {})[1]
    assert (fault.code, fault.fields) == ("MISSING_REQUIRED_FIELDS", ("a", "b"))
    (fault,) = check(two, {"a": "x"})[1]
    assert (fault.code, fault.fields) == ("MISSING_REQUIRED_FIELD", ("b",))
    unknown, missing = check(two, {"a": "x", "c": 1, "d": 2})[1]
    assert (unknown.code, unknown.fields) == ("FIELDS_NOT_DEFINED", ("c", "d"))
    assert missing.code == "MISSING_REQUIRED_FIELD"


def test_selectors_choose_one() -> None:
    inner = Shape({"x": field(INT, default=1)})
    schema = Selector({"a": Field(STR), "b": field(INT, default=2), "c": field(inner)})
    assert resolved(schema, {"c": {}}) == {"c": {"x": 1}}
    assert resolved(schema, {"c": None}) == {"c": {"x": 1}}
    assert codes(schema, {"b": None}) == [("root:b", "RUNTIME_TYPE_MISMATCH")]
    assert codes(schema, {}) == [("root", "SELECTOR_FIELD_ERROR")]
    assert codes(schema, {"a": "x", "b": 1}) == [("root", "SELECTOR_FIELD_ERROR")]
    assert codes(schema, {"z": 1}) == [("root", "FIELD_NOT_DEFINED")]
    assert resolved(Selector({"c": field(inner)}), {}) == {"c": {"x": 1}}
    assert codes(Selector({"a": Field(STR)}), {}) == [("root", "SELECTOR_FIELD_ERROR")]


def test_paths_into_maps_and_unions() -> None:
    assert codes(Map(STR, INT), {"a": "x"}) == [("root:'a':value", "RUNTIME_TYPE_MISMATCH")]
    assert codes(Map(STR, INT), {1: 1}) == [("root:1:key", "RUNTIME_TYPE_MISMATCH")]
    assert codes(ScalarUnion(STR, Array(INT)), ["a"]) == [("root[0]", "RUNTIME_TYPE_MISMATCH")]


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        (STR_SOURCE, "v", "v"),
        (INT_SOURCE, "77", 77),
        (FLOAT_SOURCE, "1.5", 1.5),
        (BOOL_SOURCE, "true", True),
        (BOOL_SOURCE, "1", True),
        (BOOL_SOURCE, "False", False),
        (BOOL_SOURCE, "0", False),
        (BOOL_SOURCE, "", False),
    ],
)
def test_environment_variables_are_read_when_a_mapping_is_given(schema: Scalar, text: str, expected: Any) -> None:
    result = resolved(schema, {"env": "X"}, {"X": text})
    assert (result, type(result)) == (expected, type(expected))
    assert resolved(schema, {"env": "X"}) == {"env": "X"}


def test_faulty_environment_references() -> None:
    assert codes(STR_SOURCE, {"env": "X"}, {}) == [("root", "FAILED_POST_PROCESSING")]
    assert codes(STR_SOURCE, {"env": 1}, {}) == [("root:env", "RUNTIME_TYPE_MISMATCH")]
    assert codes(STR_SOURCE, {"a": 1}, {}) == [("root", "FIELD_NOT_DEFINED")]
    assert codes(STR_SOURCE, {}, {}) == [("root", "SELECTOR_FIELD_ERROR")]
    (fault,) = check(INT_SOURCE, {"env": "X"}, env={"X": "secret"})[1]
    assert fault.code == "FAILED_POST_PROCESSING"
    assert "secret" not in config.render_faults([fault])


def test_descriptions() -> None:
    assert config.describe(SHAPE) == "{a: str, b?: int, c?: bool}"
    deep = Shape({"a": Field(Shape({"b": Field(Shape({"c": Field(Shape({"d": Field(INT)}))}))}))})
    assert config.describe(deep) == "{a: {b: {...}}}"
    wide = Shape({f"f{number}": Field(INT) for number in range(100)})
    assert config.describe(wide).endswith("f11: int, ...}")
    assert (
        config.describe(ScalarUnion(INT_SOURCE, Map(STR, COLOR)))
        == "int or {env: NAME}, or {str: one of 'RED', 'BLUE'}"
    )
    assert resolved(SHAPE, config.example(SHAPE))["b"] == 3


# --- properties: whatever the schema, a value made for it fits, and one that is spoilt is found where it is ----------

scalars = st.sampled_from([STR, INT, FLOAT, BOOL, STR_SOURCE, INT_SOURCE])
names = st.text("abcxyz", min_size=1, max_size=3)


def _containers(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    fields = st.dictionaries(names, st.builds(Field, inner, st.booleans()), min_size=1, max_size=4)
    return st.one_of(
        st.builds(Array, inner),
        st.builds(Noneable, inner),
        st.builds(Map, st.just(STR), inner),
        st.builds(Shape, fields, st.booleans()),
        st.builds(Selector, fields),
    )


schemas: st.SearchStrategy[Schema] = st.recursive(scalars | st.just(COLOR), _containers, max_leaves=10)


def values_for(schema: Schema) -> st.SearchStrategy[Any]:
    match schema:
        case Scalar("str"):
            return st.text(max_size=5)
        case Scalar("int"):
            return st.integers()
        case Scalar("float"):
            return st.floats(allow_nan=False)
        case Scalar("bool"):
            return st.booleans()
        case Scalar():
            return st.none()
        case Array(item):
            return st.lists(values_for(item), max_size=3)
        case Noneable(inner):
            return st.none() | values_for(inner)
        case Enum(_, values):
            return st.sampled_from([value.value for value in values])
        case Map(key, value):
            return st.dictionaries(values_for(key), values_for(value), max_size=3)
        case Shape(fields):
            required = {name: values_for(part.schema) for name, part in fields.items() if part.required}
            optional = {name: values_for(part.schema) for name, part in fields.items() if not part.required}
            return st.fixed_dictionaries(required, optional=optional)
        case Selector(fields):
            return st.one_of(*(values_for(part.schema).map(lambda v, n=name: {n: v}) for name, part in fields.items()))
        case ScalarUnion(scalar, other):
            return values_for(scalar) | values_for(other)


class Wrong:
    """A value that fits nothing."""


def places(schema: Schema, value: Any, path: config.Path = ()) -> list[config.Path]:
    """Every path in `value` where the schema wants something in particular."""
    found = [path]
    match schema:
        case Array(item):
            for index, inner in enumerate(value):
                found += places(item, inner, (*path, index))
        case Noneable(inner):
            found += [] if value is None else places(inner, value, path)
        case Map(_, of):
            for key, inner in value.items():
                found += places(of, inner, (*path, config.MapPart(key, "value")))
        case Shape(fields) | Selector(fields):
            for name, inner in value.items():
                found += places(fields[name].schema, inner, (*path, name))
        case _:
            pass
    return found


def spoil(value: Any, path: config.Path) -> Any:
    if not path:
        return Wrong()
    step, rest = path[0], path[1:]
    key = step.key if isinstance(step, config.MapPart) else step
    if isinstance(value, list):
        return [spoil(item, rest) if index == key else item for index, item in enumerate(value)]
    return {name: spoil(item, rest) if name == key else item for name, item in value.items()}


@given(schemas)
def test_every_schema_survives_the_wire(schema: Schema) -> None:
    assert SCHEMAS.decode(codec.encode(schema)) == schema


@given(schemas.flatmap(lambda schema: st.tuples(st.just(schema), values_for(schema))))
def test_a_value_made_for_a_schema_fits_and_resolving_it_again_changes_nothing(pair: tuple[Schema, Any]) -> None:
    schema, value = pair
    once = resolved(schema, value)
    assert once == value
    assert resolved(schema, once) == once


@given(schemas.flatmap(lambda schema: st.tuples(st.just(schema), values_for(schema))), st.data())
def test_a_spoilt_value_gives_one_fault_at_its_place(pair: tuple[Schema, Any], data: st.DataObject) -> None:
    schema, value = pair
    path = data.draw(st.sampled_from(places(schema, value)))
    faults = check(schema, spoil(value, path))[1]
    assert [(fault.path, fault.code) for fault in faults] == [(path, "RUNTIME_TYPE_MISMATCH")]


def fits(schema: Schema, value: Any) -> bool:
    """The rules again, as plainly as can be."""
    match schema:
        case Scalar("any"):
            return True
        case Scalar(kind, env):
            if env and isinstance(value, dict):
                return value.keys() == {"env"} and isinstance(value["env"], str)
            kinds = {"str": str, "int": int, "float": (int, float), "bool": bool}
            return isinstance(value, kinds[kind]) and not (kind == "int" and isinstance(value, bool))
        case Array(item):
            return isinstance(value, list) and all(fits(item, one) for one in value)
        case Noneable(inner):
            return value is None or fits(inner, value)
        case Enum(_, values):
            return value in [one.value for one in values]
        case Map(key, inner):
            return isinstance(value, dict) and all(fits(key, k) and fits(inner, v) for k, v in value.items())
        case Shape(fields, permissive):
            return (
                isinstance(value, dict)
                and all(name in value for name, part in fields.items() if part.required)
                and all(fits(fields[name].schema, one) if name in fields else permissive for name, one in value.items())
            )
        case Selector(fields):
            return (
                isinstance(value, dict)
                and len(value) == 1
                and all(name in fields and fits(fields[name].schema, one) for name, one in value.items())
            )
        case _:
            raise AssertionError(schema)


@given(schemas, schemas.flatmap(values_for))
def test_any_value_fits_exactly_if_the_plain_rules_say_so(schema: Schema, value: Any) -> None:
    assert (check(schema, value)[1] == []) == fits(schema, value)


def test_defaults_of_every_kind_survive_the_wire() -> None:
    schema = Shape({"f": field(FLOAT, default=math.inf), "i": field(INT, default=2**90), "n": field(Noneable(STR))})
    assert SCHEMAS.decode(codec.encode(schema)) == schema
    assert SCHEMAS.decode(codec.encode(SHAPE)).fields["a"].default is UNSET
