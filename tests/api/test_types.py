"""Types of values: their checks, their names, and inputs that a loader reads from run config."""

from typing import Any

import pytest

import dagster as dg

EVEN = dg.DagsterType(
    name="Even",
    type_check_fn=lambda _, value: dg.TypeCheck(value % 2 == 0, "it is odd", {"seen": value}),
    description="An even number.",
)


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
