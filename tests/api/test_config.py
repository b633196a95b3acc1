from enum import Enum
from typing import Literal

import pytest
from pydantic import Field

import dagster as dg


def given(config_class, config=None, **options):
    """What an op with this config class receives."""
    seen = []

    @dg.op
    def take(config: config_class):
        seen.append(config)

    @dg.job
    def taking():
        take()

    run_config = {} if config is None else {"ops": {"take": {"config": config}}}
    taking.execute_in_process(run_config=run_config, **options)
    return seen[0]


class Basic(dg.Config):
    n: int
    text: str = "x"
    maybe: float | None = None


@pytest.mark.api("Config")
def test_config_with_defaults():
    seen = given(Basic, {"n": 1, "maybe": 2.5})
    assert (seen.n, seen.text, seen.maybe) == (1, "x", 2.5)
    assert isinstance(seen, Basic)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "n"),
        ({"n": "one"}, "n"),
        ({"n": 1, "more": 2}, "more"),
        ({"n": 1, "text": 5}, "text"),
        (None, "take"),
    ],
)
def test_config_that_does_not_fit_is_told_with_its_place(config, said):
    with pytest.raises(dg.DagsterInvalidConfigError, match=said) as caught:
        given(Basic, config)
    assert caught.value.errors


def test_all_faults_are_told_at_once():
    with pytest.raises(dg.DagsterInvalidConfigError) as caught:
        given(Basic, {"text": 5, "more": 2})
    assert len(caught.value.errors) == 3


class Colour(Enum):
    RED = "r"
    BLUE = "b"


class Inner(dg.Config):
    a: int = 1


class Rich(dg.Config):
    colour: Colour
    size: Literal["s", "m"] = "s"
    names: list[str] = Field(default_factory=list)
    counts: dict[str, int] = Field(default_factory=dict)
    inner: Inner = Inner()
    many: list[Inner] = Field(default_factory=list)


def test_richer_types():
    seen = given(
        Rich, {"colour": "BLUE", "size": "m", "names": ["x"], "counts": {"a": 1}, "inner": {"a": 5}, "many": [{"a": 2}]}
    )
    assert (seen.colour, seen.size, seen.names, seen.counts) == (Colour.BLUE, "m", ["x"], {"a": 1})
    assert (seen.inner.a, [one.a for one in seen.many]) == (5, [2])
    with pytest.raises(dg.DagsterInvalidConfigError):
        given(Rich, {"colour": "b"})


class Cat(dg.Config):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(dg.Config):
    kind: Literal["dog"] = "dog"
    name: str


class Owner(dg.Config):
    pet: Cat | Dog = Field(discriminator="kind")


def test_a_choice_between_classes():
    assert given(Owner, {"pet": {"cat": {"lives": 9}}}).pet == Cat(lives=9)
    assert given(Owner, {"pet": {"dog": {"name": "rex"}}}).pet.name == "rex"
    with pytest.raises(dg.DagsterInvalidConfigError):
        given(Owner, {"pet": {"fish": {}}})


@pytest.mark.api("PermissiveConfig")
def test_permissive_config_keeps_what_it_does_not_know():
    class Open(dg.PermissiveConfig):
        known: str

    seen = given(Open, {"known": "k", "other": [1]})
    assert (seen.known, seen.other) == ("k", [1])


def test_validators_run_in_the_step():
    class Small(dg.Config):
        n: int = Field(lt=10)

    @dg.op
    def take(config: Small):
        return config.n

    @dg.job
    def taking():
        take()

    config = {"ops": {"take": {"config": {"n": 50}}}}
    assert dg.validate_run_config(taking, config)
    result = taking.execute_in_process(run_config=config, raise_on_error=False)
    assert [event.step_key for event in result.all_events if event.event_type_value == "STEP_FAILURE"] == ["take"]


@pytest.mark.api("EnvVar", "EnvVar.int", "EnvVar.get_value")
def test_environment_variables(monkeypatch):
    monkeypatch.setenv("A_NUMBER", "5")
    monkeypatch.setenv("A_TEXT", "t")

    class Database(dg.ConfigurableResource):
        url: str
        pool: int

    @dg.asset
    def a(db: Database):
        return db.url, db.pool

    resource = Database(url=dg.EnvVar("A_TEXT"), pool=dg.EnvVar.int("A_NUMBER"))
    assert dg.materialize_to_memory([a], resources={"db": resource}).asset_value("a") == ("t", 5)
    assert dg.EnvVar("A_TEXT").get_value() == "t"
    assert dg.EnvVar("NOT_THERE").get_value("else") == "else"
    seen = given(Basic, {"n": {"env": "A_NUMBER"}, "text": {"env": "A_TEXT"}})
    assert (seen.n, seen.text) == (5, "t")
    with pytest.raises(dg.DagsterError, match="NOT_THERE"):
        given(Basic, {"n": {"env": "NOT_THERE"}})


@pytest.mark.api("RunConfig.ops", "RunConfig.resources", "RunConfig.execution", "RunConfig.to_config_dict")
def test_run_config_as_objects():
    class Database(dg.ConfigurableResource):
        url: str

    @dg.asset
    def a(config: Basic, db: Database):
        return config.n, db.url

    config = dg.RunConfig(
        ops={"a": Basic(n=3)},
        resources={"db": Database(url="u")},
        execution={"config": {"in_process": {}}},
    )
    plain = config.to_config_dict()
    assert plain["ops"]["a"]["config"]["n"] == 3
    assert plain["resources"]["db"]["config"]["url"] == "u"
    assert plain["execution"] == {"config": {"in_process": {}}}
    resources = {"db": Database.configure_at_launch()}
    result = dg.materialize_to_memory([a], resources=resources, run_config=config)
    assert result.asset_value("a") == (3, "u")
    again = dg.materialize_to_memory([a], resources=resources, run_config=plain)
    assert again.asset_value("a") == (3, "u")


@pytest.mark.api("materialize.run_config", "AssetExecutionContext.op_config")
def test_config_of_assets():
    @dg.asset(key_prefix="p")
    def a(config: Basic):
        return config.n

    @dg.asset(config_schema={"n": int})
    def b(context):
        return context.op_config["n"]

    @dg.asset
    def c(config: dict):
        return config["anything"]

    config = {
        "ops": {
            "p__a": {"config": {"n": 1}},
            "b": {"config": {"n": 2}},
            "c": {"config": {"anything": 3}},
        }
    }
    result = dg.materialize_to_memory([a, b, c], run_config=config)
    assert [result.asset_value(key) for key in (["p", "a"], "b", "c")] == [1, 2, 3]
    with pytest.raises(dg.DagsterInvalidConfigError, match="p__a"):
        dg.materialize_to_memory([a])


@pytest.mark.api("validate_run_config.job_def", "validate_run_config.run_config")
def test_validate_run_config():
    @dg.op
    def take(config: Basic):
        return config.n

    @dg.job
    def taking():
        take()

    filled = dg.validate_run_config(taking, {"ops": {"take": {"config": {"n": 1}}}})
    assert filled["ops"]["take"]["config"]["n"] == 1
    assert filled["ops"]["take"]["config"]["text"] == "x"
    assert dg.validate_run_config(taking, dg.RunConfig(ops={"take": Basic(n=2)}))["ops"]["take"]["config"]["n"] == 2
    for wrong in ({}, {"ops": {"other": {}}}, {"solids": {}}, {"ops": {"take": {"config": {"n": "x"}}}}):
        with pytest.raises(dg.DagsterInvalidConfigError):
            dg.validate_run_config(taking, wrong)


@pytest.mark.api(
    "Field.config", "Field.default_value", "Field.is_required", "Shape.fields", "Selector.fields", "Array.inner_type",
    "Noneable.inner_type", "Map.key_type", "Permissive.fields", "StringSource", "IntSource", "Enum", "ScalarUnion",
)  # fmt: skip
@pytest.mark.parametrize(
    ("schema", "good", "received", "bad"),
    [
        (int, 1, 1, "x"),
        (dg.Array(int), [1, 2], [1, 2], ["x"]),
        (dg.Noneable(str), None, None, 5),
        ({"a": dg.Field(int, default_value=7)}, {}, {"a": 7}, {"a": "x"}),
        ({"a": dg.Field(int, is_required=False)}, {}, {}, {"b": 1}),
        (dg.Shape({"a": int}), {"a": 1}, {"a": 1}, {}),
        (dg.Selector({"a": int, "b": str}), {"b": "x"}, {"b": "x"}, {"a": 1, "b": "x"}),
        (dg.Map(str, int), {"k": 1}, {"k": 1}, {"k": "x"}),
        (dg.Permissive({"a": int}), {"a": 1, "z": 2}, {"a": 1, "z": 2}, {"z": 2}),
        (dg.StringSource, {"env": "A_TEXT"}, "t", 5),
        (dg.IntSource, {"env": "A_NUMBER"}, 5, "x"),
        (dg.Enum("E", [dg.EnumValue("A", python_value=1), dg.EnumValue("B")]), "A", 1, "C"),
        (dg.ScalarUnion(int, {"a": int}), 3, 3, "x"),
    ],
)
def test_schemas_of_the_older_style(monkeypatch, schema, good, received, bad):
    monkeypatch.setenv("A_NUMBER", "5")
    monkeypatch.setenv("A_TEXT", "t")
    seen = []

    @dg.op(config_schema=schema)
    def take(context):
        seen.append(context.op_config)

    @dg.job
    def taking():
        take()

    taking.execute_in_process(run_config={"ops": {"take": {"config": good}}})
    assert seen == [received]
    with pytest.raises(dg.DagsterInvalidConfigError):
        taking.execute_in_process(run_config={"ops": {"take": {"config": bad}}})


@pytest.mark.api(
    "Field.description", "Field.is_secret", "Field.default_provided", "Field.default_value", "Field.is_required",
    "EnumValue.config_value", "EnumValue.python_value", "EnumValue.description", "Enum.name", "Enum.enum_values",
    "Map.inner_type", "Map.key_label_name", "Permissive.description", "Selector.description", "Shape.description",
    "Array.description", "Float.x", "ScalarUnion.scalar_type", "ScalarUnion.non_scalar_schema",
)  # fmt: skip
def test_schemas_tell_people_what_they_are():
    field = dg.Field(str, default_value="x", description="a name", is_secret=True)
    assert (field.description, field.is_secret, field.default_provided, field.is_required) == (
        "a name",
        True,
        True,
        False,
    )
    assert not dg.Field(int).default_provided
    red = dg.EnumValue(config_value="RED", python_value=1, description="like roses")
    colors = dg.Enum(name="Color", enum_values=[red])
    assert (red.config_value, red.python_value, red.description) == ("RED", 1, "like roses")
    assert ([one.description for one in colors.enum_values], given_schema(colors, "RED")) == (["like roses"], 1)
    counts = dg.Map(str, inner_type=int, key_label_name="word")
    assert (counts.key_label_name, given_schema(counts, {"a": 1})) == ("word", {"a": 1})
    described = [
        dg.Shape({"a": int}, description="all"),
        dg.Selector({"a": int}, description="all"),
        dg.Permissive({"a": int}, description="all"),
    ]
    assert [one.description for one in described] == ["all"] * 3
    assert dg.Array(int).description
    x = "2.5"
    assert dg.Float(x) == 2.5
    either = dg.ScalarUnion(scalar_type=int, non_scalar_schema={"a": str})
    assert (given_schema(either, 3), given_schema(either, {"a": "x"})) == (3, {"a": "x"})


def given_schema(schema, config):
    """What an op with this schema receives."""
    seen = []

    @dg.op(config_schema=schema)
    def take(context):
        seen.append(context.op_config)

    @dg.job
    def taking():
        take()

    taking.execute_in_process({"ops": {"take": {"config": config}}})
    return seen[0]


@pytest.mark.api("Shape.field_aliases")
def test_a_shape_has_other_names_in_config():
    assert given_schema(dg.Shape({"a": int}, field_aliases={"a": "b"}), {"b": 1}) == {"a": 1}


@pytest.mark.api("ConfigSchema")
def test_config_schema_is_a_word_for_annotations():
    assert isinstance(dg.ConfigSchema, type)
    with pytest.raises(Exception, match="ConfigSchema"):
        dg.ConfigSchema()


@pytest.mark.api(
    "config_mapping.config_schema", "config_mapping.receive_processed_config_values",
    "ConfigMapping.receive_processed_config_values",
)  # fmt: skip
@pytest.mark.parametrize(("processed", "said"), [(True, "there"), (False, {"env": "A_TEXT"})])
def test_what_a_config_mapping_is_given(monkeypatch, processed, said):
    monkeypatch.setenv("A_TEXT", "there")
    seen = []

    @dg.config_mapping(
        config_schema={"x": dg.Field(int, default_value=3), "text": dg.StringSource},
        receive_processed_config_values=processed,
    )
    def mapping(config):
        seen.append(config)
        return {"ops": {"take": {"config": {"n": config["x"]}}}}

    @dg.op(config_schema={"n": int})
    def take(context):
        return context.op_config["n"]

    @dg.job(config=mapping)
    def taking():
        take()

    assert mapping.receive_processed_config_values is processed
    assert taking.execute_in_process({"text": {"env": "A_TEXT"}}).output_for_node("take") == 3
    assert seen[0] == {"x": 3, "text": said}


@pytest.mark.api("RunConfig.loggers")
def test_loggers_in_run_config():
    @dg.job
    def empty():
        pass

    config = dg.RunConfig(loggers={"console": {"config": {"log_level": "DEBUG"}}})
    assert config.to_config_dict()["loggers"] == {"console": {"config": {"log_level": "DEBUG"}}}
    filled = dg.validate_run_config(empty, config)["loggers"]
    assert filled == {"console": {"config": {"log_level": "DEBUG", "name": "dagster"}}}


@pytest.mark.parametrize("kind", [dg.op, dg.asset])
def test_a_config_class_under_another_name_is_refused(kind):
    def take(settings: Basic):
        return settings.n

    with pytest.raises(dg.DagsterInvalidDefinitionError, match="settings") as caught:
        kind(take)
    assert "config: Basic" in str(caught.value)
    assert "test_config.py" in str(caught.value)


def test_a_value_may_be_of_a_config_class():
    @dg.op
    def make():
        return Basic(n=4)

    @dg.op(ins={"made": dg.In(Basic)})
    def take(made: Basic):
        return made.n

    @dg.job
    def job():
        take(make())

    assert job.execute_in_process().output_for_node("take") == 4
