"""Types of values: their checks, their names, and inputs that a loader reads from run config."""

from typing import Any, TypedDict

import pytest

import dagster as dg

EVEN = dg.DagsterType(
    name="Even",
    type_check_fn=lambda _, value: dg.TypeCheck(value % 2 == 0, "it is odd", {"seen": value}),
    description="An even number.",
)


class Row(TypedDict):
    n: int


@pytest.mark.api("DagsterType.name", "DagsterType.description", "DagsterType.type_check_fn")
def test_a_type_has_a_name_and_a_check():
    kind = dg.In(EVEN).dagster_type
    assert (kind.display_name, kind.unique_name, kind.description) == ("Even", "Even", "An even number.")
    assert dg.check_dagster_type(EVEN, 2).success
    assert dg.check_dagster_type(EVEN, 3).metadata["seen"].value == 3


@pytest.mark.parametrize(
    ("kind", "name", "good", "bad"),
    [
        (dg.Int, "Int", 1, "a"),
        (dg.String, "String", "a", 1),
        (dg.Float, "Float", 1.0, "a"),
        (dg.Bool, "Bool", True, 1),
        (dg.List[dg.Int], "[Int]", [1], ["a"]),
        (dg.Dict[dg.String, dg.Int], "Dict[String,Int]", {"a": 1}, {"a": "b"}),
        (dg.Optional[dg.Int], "Int?", None, "a"),
        (dg.Set[dg.Int], "Set[Int]", {1}, {"a"}),
        (dg.Tuple[dg.Int, dg.String], "Tuple[Int,String]", (1, "a"), (1, 2)),
        (dg.List[EVEN], "[Even]", [2], [2, 3]),
        (dict[str, Any], "Dict[String,Any]", {"a": 1}, {1: 1}),
        (Row, "Row", {"n": 1}, 1),
    ],
)
def test_built_in_types(kind: Any, name: str, good: Any, bad: Any):
    assert dg.In(kind).dagster_type.display_name == dg.Out(kind).dagster_type.display_name == name
    assert dg.check_dagster_type(kind, good).success
    assert not dg.check_dagster_type(kind, bad).success


def test_a_failed_check_says_why_in_the_failure_of_its_step():
    @dg.op(out=dg.Out(EVEN))
    def odd():
        return 3

    @dg.job
    def job():
        odd()

    with pytest.raises(dg.DagsterTypeCheckDidNotPass, match="it is odd") as caught:
        job.execute_in_process()
    assert "it is odd" in (caught.value.description or "")
    assert caught.value.metadata["seen"].value == 3


@pytest.mark.parametrize("kind", [dg.op, dg.asset])
def test_a_context_comes_first(kind: Any):
    def late(x, context: dg.OpExecutionContext):
        pass

    with pytest.raises(dg.DagsterInvalidDefinitionError, match="context"):
        kind(late)


def test_an_asset_is_checked():
    @dg.asset(dagster_type=EVEN)
    def number():
        return 3

    assert not dg.materialize([number], raise_on_error=False).success


def test_a_check_answers_yes_or_no():
    with pytest.raises(dg.DagsterInvariantViolationError):
        dg.check_dagster_type(dg.DagsterType(name="B", type_check_fn=lambda _, value: "yes"), 1)  # type: ignore
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.DagsterType(name="B", type_check_fn=lambda value: True)  # type: ignore


def test_python_classes_as_types():
    both = dg.PythonObjectDagsterType((int, str))
    assert both.display_name == "Union[int, str]"
    assert dg.check_dagster_type(both, "a").success
    assert not dg.check_dagster_type(both, 1.5).success

    @dg.usable_as_dagster_type(name="Mine", description="Own.")
    class Own:
        pass

    kind = dg.In(Own).dagster_type
    assert (kind.display_name, kind.description) == ("Mine", "Own.")
    assert not dg.check_dagster_type(Own, 1).success

    class Other:
        pass

    dg.make_python_type_usable_as_dagster_type(Other, EVEN)
    assert dg.In(Other).dagster_type.display_name == "Even"
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.make_python_type_usable_as_dagster_type(Other, both)


def test_a_loader_reads_an_input_from_run_config():
    @dg.dagster_type_loader({"n": int})
    def load(_context, config):
        return config["n"]

    loaded = dg.DagsterType(name="Loaded", type_check_fn=lambda _, value: value == 2, loader=load)

    @dg.op(ins={"x": dg.In(loaded)})
    def same(x):
        return x

    @dg.job
    def job():
        same()

    def run(n: int):
        return job.execute_in_process({"ops": {"same": {"inputs": {"x": {"n": n}}}}}, raise_on_error=False)

    assert run(2).output_for_node("same") == 2
    assert not run(3).success


@dg.resource
def helper(_):
    return "hand"


def seen_by(dagster_type: dg.DagsterType, resources: Any = None, **options: Any):
    """A run in which one op gives a value of a type, and another takes it."""

    @dg.op(out=dg.Out(dagster_type))
    def give():
        return 3

    @dg.op(ins={"x": dg.In(dagster_type)})
    def take(x):
        return x

    @dg.job(resource_defs=resources or {})
    def job():
        take(give())

    return job.execute_in_process(**options)


@pytest.mark.api("TypeCheckContext.resources", "TypeCheckContext.log", "TypeCheckContext.run_id",
                 "DagsterType.required_resource_keys", "TypeCheck.success", "TypeCheck.description",
                 "TypeCheck.metadata")  # fmt: skip
def test_a_check_may_use_resources_and_its_result_is_in_the_events(instance: dg.DagsterInstance):
    seen = []

    def check(context: dg.TypeCheckContext, value: int):
        context.log.info("checking")
        seen.append((context.run_id, context.resources.helper))
        return dg.TypeCheck(success=value == 3, description="three it is", metadata={"n": value})

    three = dg.DagsterType(name="Three", type_check_fn=check, required_resource_keys={"helper"})
    assert three.required_resource_keys == {"helper"}
    result = seen_by(three, {"helper": helper}, instance=instance)
    assert "checking" in [line.user_message for line in instance.all_logs(result.run_id)]
    assert seen == [(result.run_id, "hand")] * 2
    found = [e for e in result.all_events if e.event_type_value in ("STEP_OUTPUT", "STEP_INPUT")]
    data = [e.event_specific_data.type_check_data for e in found][:2]
    assert [(one.label, one.success, one.description, one.metadata["n"].value) for one in data] == [
        ("result", True, "three it is", 3), ("x", True, "three it is", 3)
    ]  # fmt: skip
    with pytest.raises(dg.DagsterUnknownResourceError):
        dg.check_dagster_type(three, 3)


@pytest.mark.api("TypeCheck.success", "TypeCheck.description", "TypeCheck.metadata")
def test_a_value_that_fails_its_check_is_in_the_events_too():
    odd = dg.TypeCheck(False, "odd", {"a": 1})
    assert (odd.success, odd.description, odd.metadata["a"].value) == (False, "odd", 1)
    result = seen_by(dg.DagsterType(name="No", type_check_fn=lambda _, value: odd), raise_on_error=False)
    events = [e for e in result.all_events if e.step_key == "give"]
    assert [e.event_type_value for e in events] == ["STEP_START", "STEP_OUTPUT", "STEP_FAILURE"]
    data = events[1].event_specific_data.type_check_data
    assert (data.success, data.label, data.description, data.metadata["a"].value) == (False, "result", "odd", 1)
    assert "failed" in events[1].message


@pytest.mark.api("DagsterType.key", "DagsterType.is_builtin", "DagsterType.kind", "DagsterType.typing_type",
                 "DagsterType.metadata", "DagsterType.display_name", "DagsterType.unique_name",
                 "DagsterType.has_unique_name", "DagsterType.type_check", "DagsterType.loader")  # fmt: skip
def test_what_a_type_is_known_by():
    scalar = dg.In(int).dagster_type.kind

    @dg.dagster_type_loader(int)
    def loader(_context, config):
        return config

    made = dg.DagsterType(
        name="Made", key="made", type_check_fn=lambda _, value: value > 0, is_builtin=True, kind=scalar,
        typing_type=int, metadata={"m": 1}, loader=loader,
    )  # fmt: skip
    assert (made.key, made.is_builtin, made.kind, made.typing_type, made.loader) == ("made", True, scalar, int, loader)
    assert made.metadata["m"].value == 1
    assert (made.display_name, made.unique_name, made.has_unique_name) == ("Made", "Made", True)
    assert not made.type_check(dg.build_op_context(), -1).success
    numbers = dg.In(dg.List[dg.Int]).dagster_type
    assert (numbers.has_unique_name, numbers.kind.name, numbers.is_builtin) == (False, "LIST", False)
    assert dg.DagsterType(key="only", type_check_fn=lambda _, value: True).display_name == "only"


@pytest.mark.api("PythonObjectDagsterType.python_type", "PythonObjectDagsterType.key", "PythonObjectDagsterType.name")
def test_a_python_class_under_another_name():
    made = dg.PythonObjectDagsterType(python_type=complex, key="c", name="Complex", description="both parts")
    assert (made.key, made.display_name, made.description, made.python_type) == ("c", "Complex", "both parts", complex)
    assert [made.type_check(None, value).success for value in (1j, 1)] == [True, False]  # type: ignore


def loaded(loader: Any, **options: Any) -> Any:
    """What an op receives for an input of a type with this loader, when run config says `{"n": 2}`."""
    kind = dg.DagsterType(name="Loaded", type_check_fn=lambda _, value: True, loader=loader)

    @dg.op(ins={"x": dg.In(kind)})
    def take(x):
        return x

    @dg.job(**options)
    def job():
        take()

    config = {"ops": {"take": {"inputs": {"x": {"n": 2}}}}}
    return job.execute_in_process(config).output_for_node("take")


@pytest.mark.api("dagster_type_loader.config_schema", "dagster_type_loader.required_resource_keys",
                 "DagsterTypeLoaderContext.resources", "DagsterTypeLoaderContext.job_def",
                 "DagsterTypeLoaderContext.op_def")  # fmt: skip
def test_a_loader_may_use_resources():
    @dg.dagster_type_loader(config_schema={"n": int}, required_resource_keys={"helper"})
    def load(context, config):
        context.log.info("loading")
        return config["n"], context.resources.helper, context.job_def.name, context.op_def.name

    assert loaded(load, resource_defs={"helper": helper}) == (2, "hand", "job", "take")


@pytest.mark.api("DagsterTypeLoader")
def test_a_loader_of_the_users_own_class():
    class Twice(dg.DagsterTypeLoader):
        @property
        def schema_type(self):
            return dg.Shape({"n": int})

        def construct_from_config_value(self, context, config_value):
            return config_value["n"] * 2

    assert loaded(Twice()) == 4


@pytest.mark.api("usable_as_dagster_type.name", "usable_as_dagster_type.description", "usable_as_dagster_type.loader",
                 "check_dagster_type.dagster_type", "check_dagster_type.value",
                 "make_python_type_usable_as_dagster_type.python_type",
                 "make_python_type_usable_as_dagster_type.dagster_type")  # fmt: skip
def test_what_a_class_means_as_an_annotation():
    @dg.dagster_type_loader({"n": int})
    def load(_context, config):
        return Point(config["n"])

    @dg.usable_as_dagster_type(name="APoint", description="a place", loader=load)
    class Point:
        def __init__(self, n):
            self.n = n

    @dg.op
    def take(x: Point):
        return x.n

    @dg.job
    def job():
        take()

    kind = take.ins["x"].dagster_type
    assert (kind.display_name, kind.description, kind.loader) == ("APoint", "a place", load)
    assert job.execute_in_process({"ops": {"take": {"inputs": {"x": {"n": 7}}}}}).output_for_node("take") == 7

    class Other:
        pass

    dg.make_python_type_usable_as_dagster_type(python_type=Other, dagster_type=EVEN)
    assert dg.check_dagster_type(dagster_type=Other, value=2).success
    assert not dg.check_dagster_type(dagster_type=Other, value=3).success


@pytest.mark.api(
    "PythonObjectDagsterType.description", "PythonObjectDagsterType.loader",
    "PythonObjectDagsterType.required_resource_keys",
)  # fmt: skip
def test_a_type_of_a_class_has_what_every_type_has():
    @dg.dagster_type_loader(dg.String)
    def read(context, value):
        return complex(value)

    kind = dg.PythonObjectDagsterType(complex, name="Complex", description="two numbers", loader=read)
    assert kind.description == "two numbers"
    assert kind.loader is read
    assert kind.required_resource_keys == set()

    @dg.op(ins={"number": dg.In(kind)})
    def turned(number):
        return number * 1j

    result = (
        dg.GraphDefinition("g", node_defs=[turned])
        .to_job()
        .execute_in_process(run_config={"ops": {"turned": {"inputs": {"number": "1+2j"}}}})
    )
    assert result.output_for_node("turned") == -2 + 1j
