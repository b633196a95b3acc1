# ruff: noqa: RUF012, UP006, UP007, UP035, UP045  config classes are tested as users write them
from __future__ import annotations

import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Dict, List, Literal, Mapping, NewType, Optional, Union

import pydantic
import pytest
from pydantic import Field as PydanticField

from treadle.author.config import Config, PermissiveConfig, build, schema_of
from treadle.author.config_types import is_config_class, schema_from
from treadle.author.env import EnvVar, IntEnvVar
from treadle.author.run_config import RunConfig, run_config_dict
from treadle.errors import ConfigDefinitionError, ConfigError, InvariantError, InvocationError
from treadle.spec import config
from treadle.spec.config import UNSET, check

UserId = NewType("UserId", int)


class Color(Enum):
    RED = "r"
    BLUE = "b"


class Inner(Config):
    """An inner config.

    With details.
    """

    x: int
    y: str = "q"


class Cat(Config):
    kind: Literal["cat"] = "cat"
    meows: int


class Dog(Config):
    kind: Literal["dog", "wolf"] = "dog"
    barks: float = 2.0


class Everything(Config):
    s: str = "d"
    o: Optional[str]
    od: Optional[int] = None
    numbers: List[int]
    names: List[str] = PydanticField(default_factory=list, description="some names")
    m: Dict[str, int]
    inners: Dict[str, Inner] = {}
    literal: Literal["a", "b"] = "a"
    color: Color = Color.RED
    colors: List[Color] = [Color.BLUE]
    inner: Inner
    inner_default: Inner = Inner(x=1)
    inner_optional: Optional[Inner] = None
    free: dict = {}
    free_list: list = []
    aliased: str = PydanticField(default="zz", alias="alias-name")
    bounded: int = PydanticField(default=3, ge=2, le=5)
    pet: Union[Cat, Dog] = PydanticField(default=Dog(), discriminator="kind")
    pets: List[Annotated[Union[Cat, Dog], PydanticField(discriminator="kind")]] = []
    user: UserId = UserId(1)
    anything: Any = None
    ratio: float = 0.5


BASE: dict[str, Any] = {"numbers": [1], "m": {"a": 1}, "inner": {"x": 1}}


def load(cls: type[Config], value: Any, env: dict[str, str] | None = None) -> Any:
    resolved, faults = check(schema_of(cls), value, env=env or {})
    assert faults == []
    return build(cls, resolved, "Config of op 'o'")


def faults_of(cls: type[Config], value: Any) -> list[tuple[str, str]]:
    return [(fault.where, fault.code) for fault in check(schema_of(cls), value, env={})[1]]


def test_defaults_are_filled_in() -> None:
    loaded = load(Everything, BASE)
    assert loaded == Everything(o=None, numbers=[1], m={"a": 1}, inner=Inner(x=1))
    assert (loaded.color, loaded.colors, loaded.pet) == (Color.RED, [Color.BLUE], Dog())
    assert loaded.aliased == "zz"


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("od", 5, 5),
        ("od", None, None),
        ("od", {"env": "V"}, 77),
        ("s", {"env": "V"}, "77"),
        ("ratio", {"env": "V"}, 77.0),
        ("ratio", 1, 1.0),
        ("numbers", [{"env": "V"}], [77]),
        ("m", {"a": {"env": "V"}}, {"a": 77}),
        ("literal", "b", "b"),
        ("color", "BLUE", Color.BLUE),
        ("colors", ["RED", "BLUE"], [Color.RED, Color.BLUE]),
        ("inner_default", {}, Inner(x=1)),
        ("inner_default", {"x": 2}, Inner(x=2)),
        ("inner_optional", {"x": 3}, Inner(x=3)),
        ("inners", {"k": {"x": 1}}, {"k": Inner(x=1)}),
        ("free", {"z": [1]}, {"z": [1]}),
        ("free_list", [1, "a"], [1, "a"]),
        ("pet", {"cat": {"meows": 1}}, Cat(meows=1)),
        ("pet", {"wolf": {}}, Dog(kind="wolf")),
        ("pet", {"dog": None}, Dog()),
        ("pets", [{"dog": {"barks": 1}}, {"cat": {"meows": 2}}], [Dog(barks=1.0), Cat(meows=2)]),
        ("user", 7, UserId(7)),
        ("anything", {"a": [1]}, {"a": [1]}),
    ],
)
def test_run_config_becomes_objects(name: str, given: Any, expected: Any) -> None:
    assert getattr(load(Everything, {**BASE, name: given}, {"V": "77"}), name) == expected


def test_aliases_are_the_names_in_run_config() -> None:
    assert load(Everything, {**BASE, "alias-name": "v"}).aliased == "v"
    assert faults_of(Everything, {**BASE, "aliased": "v"}) == [("root", "FIELD_NOT_DEFINED")]
    by_name: dict[str, Any] = {**BASE, "o": None, "aliased": "w"}
    assert Everything(**by_name).aliased == "w"


@pytest.mark.parametrize(
    ("name", "given", "where", "code"),
    [
        ("od", "x", "root:od", "RUNTIME_TYPE_MISMATCH"),
        ("s", 1, "root:s", "RUNTIME_TYPE_MISMATCH"),
        ("numbers", None, "root:numbers", "RUNTIME_TYPE_MISMATCH"),
        ("numbers", ["x"], "root:numbers[0]", "RUNTIME_TYPE_MISMATCH"),
        ("literal", "z", "root:literal", "RUNTIME_TYPE_MISMATCH"),
        ("color", "b", "root:color", "RUNTIME_TYPE_MISMATCH"),
        ("inner", {}, "root:inner", "MISSING_REQUIRED_FIELD"),
        ("inner_default", None, "root:inner_default", "RUNTIME_TYPE_MISMATCH"),
        ("inners", {"k": {}}, "root:inners:'k':value", "MISSING_REQUIRED_FIELD"),
        ("pet", {"cow": {}}, "root:pet", "FIELD_NOT_DEFINED"),
        ("pet", {"kind": "cat", "meows": 1}, "root:pet", "SELECTOR_FIELD_ERROR"),
        ("pet", {}, "root:pet", "SELECTOR_FIELD_ERROR"),
        ("zz", 1, "root", "FIELD_NOT_DEFINED"),
        ("s", {"env": "NOPE"}, "root:s", "FAILED_POST_PROCESSING"),
    ],
)
def test_run_config_that_does_not_fit(name: str, given: Any, where: str, code: str) -> None:
    assert faults_of(Everything, {**BASE, name: given}) == [(where, code)]


def test_required_fields() -> None:
    (fault,) = check(schema_of(Everything), {})[1]
    assert fault.fields == ("numbers", "m", "inner")


def test_what_pydantic_refuses_is_reported_with_paths() -> None:
    value = {**BASE, "bounded": 9, "s": None}
    resolved, faults = check(schema_of(Everything), value)
    assert faults == []
    with pytest.raises(ConfigError, match="Config of op 'o' has 2 faults") as caught:
        build(Everything, resolved, "Config of op 'o'", path=("ops", "o", "config"))
    assert [fault.where for fault in caught.value.errors] == [  # pyright: ignore[reportAttributeAccessIssue]
        "root:ops:o:config:s",
        "root:ops:o:config:bounded",
    ]
    assert isinstance(caught.value.__cause__, pydantic.ValidationError)


def test_validators_of_the_user_run_when_the_object_is_built() -> None:
    class Checked(Config):
        a: int

        @pydantic.field_validator("a")
        @classmethod
        def positive(cls, value: int) -> int:
            if value < 0:
                raise ValueError("must not be negative")
            return value

    assert load(Checked, {"a": 1}).a == 1
    with pytest.raises(ConfigError, match=r"root:a: .*must not be negative"):
        load(Checked, {"a": -1})


def test_schemas_tell_types_defaults_and_descriptions() -> None:
    fields = schema_of(Everything).fields
    assert fields["s"] == config.Field(config.Noneable(config.STR_SOURCE), False, "d")
    assert fields["o"] == config.Field(config.Noneable(config.STR_SOURCE), False, None)
    assert fields["names"].description == "some names"
    assert fields["names"].default == []
    assert fields["color"].default == "RED"
    assert fields["pet"].default == {"dog": {"barks": 2.0}}
    assert fields["alias-name"].default == "zz"
    inner = fields["inner_default"].schema
    assert isinstance(inner, config.Shape)
    assert inner.fields["x"].default == 1
    assert inner.description == "An inner config.\n\nWith details."
    assert schema_of(Everything) is schema_of(Everything)


def test_defaults_that_config_cannot_say_are_left_to_pydantic() -> None:
    marker = object()

    class Odd(Config):
        made: List[int] = PydanticField(default_factory=lambda: [1])
        thing: Any = marker
        nothing: str = None  # pyright: ignore[reportAssignmentType]

    assert schema_of(Odd).fields["thing"].default is UNSET
    loaded = load(Odd, {})
    assert (loaded.made, loaded.thing, loaded.nothing) == ([1], marker, None)


@pytest.mark.parametrize(
    "annotation", [Path, bytes, tuple[int, str], set[int], Union[int, str], Dict[bytes, int], object]
)
def test_types_that_config_cannot_have(annotation: Any) -> None:
    made = pydantic.create_model("Made", __base__=Config, v=(annotation, ...))
    with pytest.raises(ConfigDefinitionError, match=r"Made\.v"):
        schema_of(made)


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (int | None, config.Noneable(config.INT_SOURCE)),
        (Mapping[str, int], config.Map(config.STR, config.INT_SOURCE)),
        (Dict[int, Any], config.Map(config.INT, config.ANY)),
        (List[Optional[int]], config.Array(config.Noneable(config.INT_SOURCE))),
        (pydantic.PositiveInt, config.INT_SOURCE),
        (Optional[Color], config.Noneable(config.Enum("Color", (config.EnumValue("RED"), config.EnumValue("BLUE"))))),
        (Literal[1, "x"], config.Enum("Literal[1, 'x']", (config.EnumValue(1), config.EnumValue("x")))),
    ],
)
def test_annotations(annotation: Any, schema: config.Schema) -> None:
    made = pydantic.create_model("Made", __base__=Config, v=(annotation, ...))
    assert schema_of(made).fields["v"].schema == schema


def test_a_config_that_contains_itself_is_refused() -> None:
    with pytest.raises(ConfigDefinitionError, match="Tree contains itself"):
        schema_of(Tree)
    assert Tree(children=[Tree(children=[])]).children[0].children == []


class Tree(Config):
    children: List[Tree]


def test_objects_are_frozen_and_refuse_unknown_fields() -> None:
    with pytest.raises(InvocationError, match="model_copy"):
        Inner(x=1).y = "z"
    with pytest.raises(pydantic.ValidationError):
        Inner(x=1, zz=2)  # pyright: ignore[reportCallIssue]

    class Thawed(Config):
        model_config = pydantic.ConfigDict(frozen=False)
        a: int = 1

    thawed = Thawed()
    thawed.a = 2
    assert thawed.a == 2


def test_permissive_config() -> None:
    class Loose(PermissiveConfig):
        a: int = 1

    loaded = load(Loose, {"z": [1]})
    assert (loaded.a, loaded.z) == (1, [1])
    assert RunConfig(ops={"o": Loose(b=Color.RED, c=Inner(x=1))}).to_config_dict()["ops"] == {  # pyright: ignore[reportCallIssue]
        "o": {"config": {"a": 1, "b": "RED", "c": {"x": 1, "y": "q"}}}
    }


def test_python_and_run_config_say_the_same() -> None:
    written = Everything(
        o="x",
        numbers=[1],
        m={},
        inner=Inner(x=1),
        inners={"k": Inner(x=2)},
        color="BLUE",  # pyright: ignore[reportArgumentType]
        pet={"cat": {"meows": 3}},  # pyright: ignore[reportArgumentType]
        pets=[Cat(meows=1), Dog(kind="wolf")],
    )
    as_dict = RunConfig(ops={"o": written}).to_config_dict()["ops"]["o"]["config"]
    assert as_dict["color"] == "BLUE"
    assert as_dict["colors"] == ["BLUE"]
    assert as_dict["pet"] == {"cat": {"meows": 3}}
    assert as_dict["pets"] == [{"cat": {"meows": 1}}, {"wolf": {"barks": 2.0}}]
    assert as_dict["alias-name"] == "zz"
    assert "od" not in as_dict
    assert load(Everything, as_dict) == written


def test_environment_variables_stay_names_until_the_run() -> None:
    class Secret(Config):
        token: str
        count: int = PydanticField(default=1, ge=1)
        hosts: List[str] = []
        inner: Inner = Inner(x=1)
        more: Dict[str, str] = {}
        deep: List[List[str]] = []

    secret = Secret(
        token=EnvVar("T"),
        count=EnvVar.int("C"),
        hosts=[EnvVar("H"), "plain"],
        inner={"x": EnvVar.int("X")},  # pyright: ignore[reportArgumentType]
        more={"k": EnvVar("M")},
        deep=[[EnvVar("M")]],
    )
    assert isinstance(secret.token, EnvVar)
    as_dict = run_config_dict(RunConfig(ops={"o": secret}))["ops"]["o"]["config"]
    assert as_dict == {
        "token": {"env": "T"},
        "count": {"env": "C"},
        "hosts": [{"env": "H"}, "plain"],
        "inner": {"x": {"env": "X"}, "y": "q"},
        "more": {"k": {"env": "M"}},
        "deep": [[{"env": "M"}]],
    }
    loaded = load(Secret, as_dict, {"T": "t", "C": "5", "H": "h", "X": "6", "M": "m"})
    assert loaded == Secret(token="t", count=5, hosts=["h", "plain"], inner=Inner(x=6), more={"k": "m"}, deep=[["m"]])
    with pytest.raises(ConfigError, match="root:count"):
        load(Secret, as_dict, {"T": "t", "C": "0", "H": "h", "X": "6", "M": "m"})


def test_env_var(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SET", "7")
    monkeypatch.delenv("NOT_SET", raising=False)
    assert EnvVar("SET").get_value() == "7"
    assert EnvVar("NOT_SET").get_value() is None
    assert EnvVar("NOT_SET").get_value("d") == "d"
    assert EnvVar("SET").env_var_name == "SET"
    number = EnvVar.int("SET")
    assert isinstance(number, IntEnvVar)
    assert (number.get_value(), EnvVar.int("NOT_SET").get_value(3), number.name) == (7, 3, "SET")
    assert number != EnvVar.int("NOT_SET")
    assert (repr(EnvVar("SET")), repr(number)) == ("EnvVar('SET')", "EnvVar.int('SET')")
    for use in (lambda: str(EnvVar("SET")), lambda: f"{EnvVar('SET')}", lambda: str(number), lambda: int(number)):
        with pytest.raises(InvariantError, match="get_value"):
            use()


def test_run_config_sections() -> None:
    assert RunConfig().to_config_dict() == {"loggers": {}, "resources": {}, "ops": {}, "execution": {}}
    written = RunConfig(
        ops={"graph": {"ops": {"inner": Inner(x=1)}}, "plain": {"config": {"a": 1}}, "held": {"config": Inner(x=2)}},
        resources={"r": Inner(x=3)},
        execution={"config": {"in_process": {}}},
    )
    as_dict = written.to_config_dict()
    assert as_dict["ops"] == {
        "graph": {"ops": {"inner": {"config": {"x": 1, "y": "q"}}}},
        "plain": {"config": {"a": 1}},
        "held": {"config": {"x": 2, "y": "q"}},
    }
    assert as_dict["resources"] == {"r": {"config": {"x": 3, "y": "q"}}}
    assert written == RunConfig(written.ops, written.resources, written.loggers, written.execution)
    assert run_config_dict(None) == {}
    assert run_config_dict({"ops": {"o": {"config": Inner(x=1)}}})["ops"]["o"]["config"] == {"x": 1, "y": "q"}


def test_config_classes_serve_as_old_style_schemas() -> None:
    assert schema_from(Inner).schema is schema_of(Inner)
    assert Inner.to_config_schema().is_required
    fields = Inner.to_fields_dict()
    assert (fields["x"].is_required, fields["y"].default_value) == (True, "q")
    assert is_config_class(Inner)
    assert not is_config_class(Inner(x=1))
    assert not is_config_class(dict)


def test_light_modules_do_not_import_pydantic() -> None:
    code = (
        "import sys, treadle.author.env, treadle.author.config_types, treadle.author.run_config; "
        "sys.exit('pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
