"""Run config of jobs: what is accepted, what each part gets, and what is refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any, Dict, List, Optional, Set  # noqa: UP035  # as users write them

import pytest

from treadle.author.config import Config
from treadle.author.config_types import Enum, EnumValue, Field
from treadle.author.configured import ConfigMapping, config_mapping
from treadle.author.executors import ExecutorDefinition
from treadle.author.graphs import GraphDefinition, graph, job
from treadle.author.job_config import ResolvedConfig, resolve, run_config_of, run_config_schema, validate_run_config
from treadle.author.jobs import JobDefinition
from treadle.author.ops import op
from treadle.author.resources import ResourceDefinition
from treadle.author.run_config import RunConfig
from treadle.errors import ConfigError, ConfigMappingError, DefinitionError, InvocationError
from treadle.spec.config import ConfigFault, Shape


@op
def one() -> int:
    return 1


@op
def inc(x: int) -> int:
    return x + 1


@op
def defaulted(x: int = 5) -> int:
    return x


@op(config_schema={"a": int, "b": Field(int, default_value=3)})
def configured(context: Any) -> None: ...


class Opaque:
    pass


def placing(*definitions: Any, **options: Any) -> JobDefinition:
    """A job with these nodes, none connected."""

    def j() -> None:
        for definition in definitions:
            definition()

    return job(**options)(j)


def faults(job: JobDefinition, run_config: Any, **options: Any) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        resolve(job, run_config, {}, **options)
    assert job.name in str(caught.value)
    found = [fault for fault in caught.value.errors if isinstance(fault, ConfigFault)]
    assert all(fault.where in str(caught.value) for fault in found)
    return [(fault.where, fault.code) for fault in found]


# --- ops ------------------------------------------------------------------------------------------------------------


def test_ops_get_their_config_with_defaults() -> None:
    made = placing(configured, configured)
    given = {"ops": {"configured": {"config": {"a": 1}}, "configured_2": {"config": {"a": 2, "b": 4}}}}
    assert resolve(made, given).ops == {"configured": {"a": 1, "b": 3}, "configured_2": {"a": 2, "b": 4}}


def test_all_faults_are_reported_together() -> None:
    made = placing(configured, inc, one)
    assert faults(made, {}) == [("root", "MISSING_REQUIRED_FIELD")]
    given = {
        "zz": 1,
        "ops": {"configured": {"config": {"a": "x"}}, "onne": {}, "one": {"inputs": {}}},
        "resources": {"nope": {}},
    }
    assert set(faults(made, given)) == {
        ("root", "FIELD_NOT_DEFINED"),
        ("root:ops", "FIELD_NOT_DEFINED"),
        ("root:ops", "MISSING_REQUIRED_FIELD"),
        ("root:ops:one", "FIELD_NOT_DEFINED"),
        ("root:ops:configured:config:a", "RUNTIME_TYPE_MISMATCH"),
        ("root:resources", "FIELD_NOT_DEFINED"),
    }


def test_a_misspelt_op_is_compared_with_all_ops() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'one'"):
        resolve(placing(one, inc.alias("x"), defaulted), {"ops": {"onee": {}, "x": {"inputs": {"x": 1}}}})


@pytest.mark.parametrize("given", [{}, {"a": 1}, None, 5])
def test_an_op_without_config_accepts_any(given: Any) -> None:
    assert resolve(placing(one), {"ops": {"one": {"config": given}}}).ops in ({"one": given}, {})


def test_config_of_a_class_stays_data_until_the_step_builds_it() -> None:
    class Mine(Config):
        a: int
        b: str = "q"

    @op
    def classy(config: Mine) -> None: ...

    resolved = resolve(placing(classy), RunConfig(ops={"classy": Mine(a=1)}))
    assert resolved.ops == {"classy": {"a": 1, "b": "q"}}
    assert classy.build_config(resolved.ops["classy"], "op") == Mine(a=1)
    assert faults(placing(classy), {"ops": {"classy": {}}}) == [("root:ops:classy", "MISSING_REQUIRED_FIELD")]


def test_a_parameter_config_of_a_plain_type() -> None:
    @op
    def loose(config: dict) -> None: ...  # type: ignore[type-arg]

    assert resolve(placing(loose), {}).ops == {"loose": {}}
    resolved = resolve(placing(loose), {"ops": {"loose": {"config": {"z": 1}}}}).ops["loose"]
    assert loose.build_config(resolved, "op") == {"z": 1}


def test_members_of_enums_are_looked_up() -> None:
    kinds = Enum("Kinds", [EnumValue("A", python_value=object)])

    @op(config_schema={"kind": kinds})
    def kind() -> None: ...

    assert resolve(placing(kind), {"ops": {"kind": {"config": {"kind": "A"}}}}).ops == {"kind": {"kind": object}}


def test_environment_variables_are_looked_up_only_where_the_run_is() -> None:
    class Mine(Config):
        a: int

    @op
    def classy(config: Mine) -> None: ...

    made = placing(classy)
    given = {"ops": {"classy": {"config": {"a": {"env": "N"}}}}}
    assert resolve(made, given, {"N": "12"}).ops == {"classy": {"a": 12}}
    assert resolve(made, given).ops == {"classy": {"a": {"env": "N"}}}
    assert faults(made, given) == [("root:ops:classy:config:a", "FAILED_POST_PROCESSING")]


def test_ops_that_do_not_run_need_no_config() -> None:
    made = placing(configured, one)
    assert resolve(made, {}, selected={"one"}).ops == {}
    assert resolve(made, {"ops": {"configured": {"anything": 1}}}, selected={"one"}).ops == {}
    assert faults(made, {}, selected={"configured"})


# --- inputs ---------------------------------------------------------------------------------------------------------


def input_of(annotation: Any, value: Any) -> Any:
    def reader(x: Any) -> None: ...

    reader.__annotations__["x"] = annotation
    made = placing(op(reader))
    return resolve(made, {"ops": {"reader": {"inputs": {"x": value}}}}).inputs["reader", "x"]


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, 3, 3),
        (int, {"value": 3}, 3),
        (float, 3, 3.0),
        (Any, {"value": {"a": [1]}}, {"a": [1]}),
        (dict, {"value": 3}, {"value": 3}),
        (List[int], [1, {"value": 2}], [1, 2]),  # noqa: UP006
        (list, [{"value": 2}], [2]),
        (Set[int], [1, 1], {1}),  # noqa: UP006
        (tuple[int, int], [1, 2], (1, 2)),
        (Dict[str, int], {"a": {"value": 1}}, {"a": 1}),  # noqa: UP006
        (Optional[int], None, None),  # noqa: UP045
        (int | None, 4, 4),
    ],
)
def test_values_of_inputs_in_config(annotation: Any, value: Any, expected: Any) -> None:
    found = input_of(annotation, value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [(int, "s"), (int, True), (int, None), (Any, 3), (List[int], ["s"]), (dict, 3), (int, {"value": 1, "json": {}})],  # noqa: UP006
)
def test_values_of_inputs_that_do_not_fit(annotation: Any, value: Any) -> None:
    with pytest.raises(ConfigError, match="root:ops:reader:inputs:x"):
        input_of(annotation, value)


def test_values_of_inputs_in_files(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text(json.dumps({"value": [1, 2]}))
    (tmp_path / "v.pickle").write_bytes(pickle.dumps(frozenset({1})))
    assert input_of(Any, {"json": {"path": str(tmp_path / "v.json")}}) == [1, 2]
    assert input_of(int, {"pickle": {"path": str(tmp_path / "v.pickle")}}) == {1}
    with pytest.raises(ConfigError, match=r"root:ops:reader:inputs:x.*FileNotFoundError"):
        input_of(int, {"json": {"path": str(tmp_path / "none.json")}})


def test_inputs_with_a_default_can_be_left_out() -> None:
    made = placing(defaulted)
    assert resolve(made, {}).inputs == {}
    assert resolve(made, {"ops": {"defaulted": {"inputs": {"x": 1}}}}).inputs == {("defaulted", "x"): 1}
    assert faults(placing(inc), {"ops": {"inc": {}}}) == [("root:ops:inc", "MISSING_REQUIRED_FIELD")]


def test_connected_inputs_are_not_for_config() -> None:
    @job
    def j() -> None:
        inc(one())

    assert faults(j, {"ops": {"inc": {"inputs": {"x": 1}}}}) == [("root:ops:inc", "FIELD_NOT_DEFINED")]


def test_an_input_of_a_nested_graph_is_given_to_the_graph() -> None:
    @graph
    def inner(y: int) -> None:
        inc(y)
        defaulted(y)

    made = placing(inner)
    assert resolve(made, {"ops": {"inner": {"inputs": {"y": 3}}}}).inputs == {("inner", "y"): 3}
    assert faults(made, {"ops": {"inner": {"ops": {"inc": {"inputs": {"x": 3}}}}}}) == [
        ("root:ops:inner:ops:inc", "FIELD_NOT_DEFINED"),
        ("root:ops:inner", "MISSING_REQUIRED_FIELD"),
    ]


def with_input(fn: Any = inc, **options: Any) -> JobDefinition:
    @graph
    def g(x) -> Any:  # type: ignore[no-untyped-def]
        return fn(x)

    return g.to_job(**options)


def test_inputs_of_the_job() -> None:
    assert resolve(with_input(), {"inputs": {"x": {"value": 9}}}).input_values == {"x": 9}
    assert faults(with_input(), {}) == [("root", "MISSING_REQUIRED_FIELD")]
    assert resolve(with_input(defaulted), {}).input_values == {}
    made = with_input(input_values={"x": 1})
    assert resolve(made, {}).input_values == {"x": 1}
    assert resolve(made, {}, input_values={"x": 2}).input_values == {"x": 2}
    assert faults(made, {"inputs": {"x": 9}}) == [("root", "FIELD_NOT_DEFINED")]
    with pytest.raises(DefinitionError, match="'other'"):
        resolve(made, {}, input_values={"other": 2})


def test_an_input_of_the_job_that_config_cannot_give_has_to_be_given() -> None:
    @op
    def opaque(x: Opaque) -> None: ...

    made = with_input(opaque)
    with pytest.raises(InvocationError, match=r"'x'.*input_values"):
        resolve(made, {})
    value = Opaque()
    assert resolve(made, {}, input_values={"x": value}).input_values == {"x": value}


# --- graphs ---------------------------------------------------------------------------------------------------------


@graph
def nested() -> None:
    configured()
    configured()


def test_config_of_nested_graphs() -> None:
    @graph
    def outer() -> None:
        nested()

    made = placing(outer, nested)
    config = {"ops": {"configured": {"config": {"a": 1}}, "configured_2": {"config": {"a": 2}}}}
    resolved = resolve(made, {"ops": {"outer": {"ops": {"nested": config}}, "nested": config}})
    assert {handle: value["a"] for handle, value in resolved.ops.items()} == {
        "outer.nested.configured": 1, "outer.nested.configured_2": 2, "nested.configured": 1, "nested.configured_2": 2
    }  # fmt: skip
    assert faults(made, {"ops": {"outer": {"ops": {"nested": {}}}, "nested": config}}) == [
        ("root:ops:outer:ops:nested", "MISSING_REQUIRED_FIELD")
    ]


def mapped(mapping: Any) -> GraphDefinition:
    @graph(config=mapping)
    def inside() -> None:
        configured()

    return inside


def test_a_config_mapping_makes_the_config_of_a_graphs_nodes() -> None:
    @config_mapping(config_schema={"z": Field(int, default_value=4)})
    def times_two(value: dict[str, int]) -> Any:
        return {"configured": {"config": {"a": value["z"] * 2}}}

    made = placing(mapped(times_two))
    assert resolve(made, {"ops": {"inside": {"config": {"z": 5}}}}).ops == {"inside.configured": {"a": 10, "b": 3}}
    assert resolve(made, {}).ops == {"inside.configured": {"a": 8, "b": 3}}
    assert faults(made, {"ops": {"inside": {"ops": {}}}}) == [("root:ops:inside", "FIELD_NOT_DEFINED")]
    top = mapped(times_two).to_job()
    assert resolve(top, {"ops": {"config": {"z": 5}}}).ops == {"configured": {"a": 10, "b": 3}}


def test_fixed_config_of_a_graph() -> None:
    made = placing(mapped({"configured": {"config": {"a": 7}}}))
    assert resolve(made, {}).ops == {"inside.configured": {"a": 7, "b": 3}}
    wrong = placing(mapped({"configured": {"config": {"a": "x"}}}))
    with pytest.raises(ConfigError, match="graph 'inside'"):
        resolve(wrong, {})


def test_a_mapping_on_the_job() -> None:
    class Small(Config):
        z: int = 3

    @config_mapping
    def grow(value: Small) -> RunConfig:
        return RunConfig(ops={"configured": {"config": {"a": value.z}}})

    made = placing(configured, config=grow)
    assert resolve(made, {"z": 4}).ops == {"configured": {"a": 4, "b": 3}}
    assert resolve(made, {}).ops == {"configured": {"a": 3, "b": 3}}
    assert faults(made, {"ops": {}}) == [("root", "FIELD_NOT_DEFINED")]
    schema = run_config_schema(made)
    assert list(schema.fields) == ["z"]


def test_what_a_mapping_raises_is_the_mappings_fault() -> None:
    def broken(value: Any) -> Any:
        raise ValueError("mine")

    for made in (placing(one, config=ConfigMapping(broken)), placing(mapped(ConfigMapping(broken)))):
        with pytest.raises(ConfigMappingError, match="ValueError: mine") as caught:
            resolve(made, {})
        assert isinstance(caught.value.user_exception, ValueError)


def test_a_mapping_takes_one_parameter() -> None:
    with pytest.raises(DefinitionError, match="2 parameters"):
        config_mapping(lambda a, b: {})


# --- the other sections ---------------------------------------------------------------------------------------------


def test_execution() -> None:
    made = placing(one)
    usual = {"multiprocess": {"max_concurrent": None, "retries": {"enabled": {}}}}
    assert resolve(made, {}).execution == resolve(made, {"execution": {}}).execution == usual
    for given, expected in (
        ({"in_process": None}, {"in_process": {"retries": {"enabled": {}}}}),
        ({"multiprocess": {"max_concurrent": 3, "retries": {"disabled": {}}}},
         {"multiprocess": {"max_concurrent": 3, "retries": {"disabled": {}}}}),
    ):  # fmt: skip
        assert resolve(made, {"execution": {"config": given}}).execution == expected
    assert faults(made, {"execution": {"in_process": {}}}) == [("root:execution", "FIELD_NOT_DEFINED")]
    assert faults(made, {"execution": {"config": {}}}) == [("root:execution:config", "SELECTOR_FIELD_ERROR")]


def test_an_executor_of_its_own_has_its_config_at_once() -> None:
    mine = ExecutorDefinition("mine", Field({"slots": Field(int, default_value=2)}))
    made = placing(one, executor_def=mine)
    assert resolve(made, {}).execution == {"mine": {"slots": 2}}
    assert resolve(made, {"execution": {"config": {"slots": 5}}}).execution == {"mine": {"slots": 5}}
    assert faults(made, {"execution": {"config": {"in_process": {}}}}) == [
        ("root:execution:config", "FIELD_NOT_DEFINED")
    ]


def test_loggers_are_chosen_by_naming_them() -> None:
    made = placing(one)
    assert resolve(made, {}).loggers == {}
    assert resolve(made, {"loggers": {"console": {}}}).loggers == {"console": {"log_level": "INFO", "name": "dagster"}}
    assert faults(made, {"loggers": {"other": {}}}) == [("root:loggers", "FIELD_NOT_DEFINED")]


def test_only_resources_that_ops_need_have_to_be_configured() -> None:
    needed = ResourceDefinition(lambda context: 1, {"a": int}, required_resource_keys={"deep"})
    other = ResourceDefinition(lambda context: 1, {"a": int})

    @op(required_resource_keys={"needed"})
    def user() -> None: ...

    made = placing(user, resource_defs={"needed": needed, "deep": other, "unused": other})
    config = {"config": {"a": 1}}
    assert faults(made, {}) == [("root", "MISSING_REQUIRED_FIELD")]
    assert faults(made, {"resources": {"needed": config}}) == [("root:resources", "MISSING_REQUIRED_FIELD")]
    resolved = resolve(made, {"resources": {"needed": config, "deep": config}}).resources
    assert {key: resolved[key] for key in ("needed", "deep")} == {"needed": {"a": 1}, "deep": {"a": 1}}
    assert "unused" not in resolved


# --- the job's own config -------------------------------------------------------------------------------------------


def test_the_jobs_config_fills_in_op_by_op() -> None:
    own = {"ops": {name: {"config": {"a": 1, "b": 9}} for name in ("configured", "configured_2")}}
    made = placing(configured, configured, config=own)
    assert resolve(made, None).ops["configured"] == {"a": 1, "b": 9}
    resolved = resolve(made, {"ops": {"configured": {"config": {"a": 7}}}})
    assert resolved.ops == {"configured": {"a": 7, "b": 3}, "configured_2": {"a": 1, "b": 9}}
    in_process = resolve(made, {"execution": {"config": {"in_process": {}}}})
    assert (list(in_process.execution), in_process.ops["configured"]["a"]) == (["in_process"], 1)


class Partitioned:
    partitions_def = "p"

    def get_run_config_for_partition_key(self, key: str) -> Any:
        if key == "broken":
            raise ValueError("mine")
        return {"ops": {"configured": {"config": {"a": len(key)}}}}


def test_config_of_a_partition_stands_back_for_what_is_given() -> None:
    made = placing(configured, config=Partitioned())
    made_for = {"ops": {"configured": {"config": {"a": 3}}}}
    assert run_config_of(made, None, "abc") == run_config_of(made, {}, "abc") == made_for
    assert run_config_of(made, {"ops": {}}, "abc") == {"ops": {}}
    assert run_config_of(made, None) == {}
    with pytest.raises(ConfigMappingError, match=r"'broken'|ValueError: mine"):
        run_config_of(made, None, "broken")


def test_run_config_is_a_mapping() -> None:
    with pytest.raises(InvocationError, match="int"):
        resolve(placing(one), 5)  # type: ignore[arg-type]


# --- as a whole -----------------------------------------------------------------------------------------------------


def test_the_schema_of_a_job() -> None:
    made = placing(configured, inc, nested)
    schema = run_config_schema(made)
    assert list(schema.fields) == ["ops", "resources", "execution", "loggers"]
    ops = schema.fields["ops"].schema
    assert isinstance(ops, Shape)
    assert list(ops.fields) == ["configured", "inc", "nested"]
    assert run_config_schema(made) is schema
    assert [name for name, field in schema.fields.items() if field.required] == ["ops"]


def test_a_job_without_config_looks_at_nothing() -> None:
    made = JobDefinition.of_nodes("j", (), {f"op_{n}": one for n in range(10_000)})
    assert resolve(made, None) == ResolvedConfig(execution=resolve(placing(one), {}).execution)
    before = made.config_schema
    resolve(made, {"ops": {"op_7": {"config": 1}}})
    assert made.config_schema is before
    assert before.schema is None  # 10,000 entries are made only for people and for errors


def test_validating_gives_everything_with_defaults() -> None:
    made = placing(configured, inc)
    given = {"ops": {"configured": {"config": {"a": 1}}, "inc": {"inputs": {"x": 3}}}}
    validated = validate_run_config(made, given)
    assert validated["ops"] == {
        "configured": {"config": {"a": 1, "b": 3}, "inputs": {}, "outputs": None},
        "inc": {"config": None, "inputs": {"x": 3}, "outputs": None},
    }
    assert list(validated["execution"]) == ["multi_or_in_process_executor"]
    with pytest.raises(ConfigError):
        validate_run_config(made)
