"""Jobs: what they take from their graph, their tags, resources, variants, and how they are handed to what runs them."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from treadle.author import port
from treadle.author.configured import ConfigMapping
from treadle.author.graphs import graph, job
from treadle.author.jobs import JobDefinition
from treadle.author.ops import op
from treadle.author.resources import ResourceDefinition
from treadle.errors import DefinitionError
from treadle.spec.nodes import FromOutput, NodeSpec
from treadle.spec.retry import RetryPolicy


@op
def one() -> int:
    return 1


@op
def inc(x: int) -> int:
    return x + 1


@graph(tags={"g": "1", "k": "graph"}, description="A graph.")
def tagged() -> Any:
    return inc(one())


def test_a_job_takes_name_description_and_outputs_from_its_graph() -> None:
    made = tagged.to_job()
    assert (made.name, made.description, made.graph_def) == ("tagged", "A graph.", tagged)
    assert made.outputs == {"result": FromOutput("inc", "result")}
    assert [node.handle for node in made.nodes] == list(made.ops) == ["one", "inc"]
    assert tagged.to_job("other", description="Mine.").description == "Mine."
    assert JobDefinition(graph_def=tagged, name="k").name == "k"

    @job
    def documented() -> None:
        "Does it."
        one()

    assert documented.description == "Does it."


# What the peer does, observed: with `run_tags`, `tags` are the job's alone and the graph's go to runs only.
@pytest.mark.parametrize(
    ("options", "tags", "run_tags"),
    [
        ({}, {"g": "1", "k": "graph"}, {"g": "1", "k": "graph"}),
        ({"tags": {"k": "job", "j": 3}}, {"g": "1", "k": "job", "j": "3"}, {"g": "1", "k": "job", "j": "3"}),
        ({"run_tags": {"k": "run"}}, {}, {"g": "1", "k": "run"}),
        ({"tags": {"j": "2"}, "run_tags": {}}, {"j": "2"}, {"g": "1", "k": "graph"}),
    ],
)
def test_tags_of_jobs_and_of_their_runs(
    options: dict[str, Any], tags: dict[str, str], run_tags: dict[str, str]
) -> None:
    made = tagged.to_job(**options)
    assert (made.tags, made.run_tags) == (tags, run_tags)


def test_an_input_value_has_to_name_an_input() -> None:
    @graph
    def g(number: int) -> Any:
        return inc(number)

    assert g.to_job(input_values={"number": 3}).input_values == {"number": 3}
    with pytest.raises(DefinitionError, match=r"'numbr'.*Did you mean 'number'"):
        g.to_job(input_values={"numbr": 3})


def test_invalid_names_and_owners_are_refused() -> None:
    with pytest.raises(DefinitionError, match="a-b"):
        job(name="a-b")(lambda: None)
    with pytest.raises(DefinitionError, match="bad owner"):
        job(name="j", owners=["bad owner"])(lambda: None)


def test_resources_are_definitions_with_an_io_manager_among_them() -> None:
    made = tagged.to_job(resource_defs={"a": 5})
    assert set(made.resource_defs) == {"a", "io_manager"}
    assert all(isinstance(one, ResourceDefinition) for one in made.resource_defs.values())
    mine = ResourceDefinition.hardcoded_resource(1)
    assert tagged.to_job(resource_defs={"io_manager": mine}).resource_defs == {"io_manager": mine}


def test_top_level_resources_stand_behind_the_jobs_own() -> None:
    mine, other = ResourceDefinition.hardcoded_resource(1), ResourceDefinition.hardcoded_resource(2)
    made = tagged.to_job(resource_defs={"a": mine})
    assert made.resource_defs["a"] is mine
    changed = made.with_top_level_resources({"a": other, "b": other})
    assert (changed.resource_defs["a"], changed.resource_defs["b"]) == (mine, other)
    assert "b" not in made.resource_defs


def test_variants_leave_the_job_alone() -> None:
    made = tagged.to_job(hooks={"h"})
    assert made.with_hooks({"i"}).hook_defs == {"h", "i"}
    changed = made.replace(name="other", resource_defs={"a": 1})
    assert (changed.name, set(changed.resource_defs)) == ("other", {"a", "io_manager"})
    assert (made.name, made.hook_defs, set(made.resource_defs)) == ("tagged", {"h"}, {"io_manager"})


def test_config_says_what_kind_it_is() -> None:
    mapping = ConfigMapping(lambda config: config)
    made = tagged.to_job(config=mapping)
    assert (made.config_mapping, made.partitioned_config) == (mapping, None)

    class Partitioned:
        partitions_def = "daily"

    by_partition = tagged.to_job(config=Partitioned())
    assert by_partition.partitions_def == "daily"
    assert by_partition.partitioned_config is by_partition.config
    assert by_partition.config_mapping is None


def test_nodes_are_taken_as_they_are_and_get_the_jobs_retry_policy() -> None:
    own = RetryPolicy(max_retries=7)
    nodes = (NodeSpec("one", "one"), NodeSpec("inc", "inc", retry_policy=own))
    made = JobDefinition.of_nodes("j", nodes, {"one": one, "inc": inc}, tags={"a": "b"})
    assert made.nodes is nodes
    assert (made.graph_def, made.tags, made.run_tags) == (None, {"a": "b"}, {"a": "b"})
    policy = RetryPolicy(max_retries=2)
    changed = JobDefinition.of_nodes("j", nodes, {"one": one, "inc": inc}, op_retry_policy=policy)
    assert [node.retry_policy for node in changed.nodes] == [policy, own]


def test_jobs_and_graphs_run_through_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[JobDefinition, dict[str, Any]]] = []
    runtime = types.ModuleType("a_runtime")
    runtime.execute_job = lambda job, **options: calls.append((job, options))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_runtime", runtime)
    monkeypatch.setattr(port, "_provider", "a_runtime")

    made = tagged.to_job()
    made.execute_in_process({"ops": {}}, partition_key="p", tags={"a": "b"})
    tagged.execute_in_process(resources={"a": 1}, run_id="r")
    (first, options), (second, others) = calls
    assert first is made
    assert (options["run_config"], options["partition_key"], options["tags"]) == ({"ops": {}}, "p", {"a": "b"})
    assert options["raise_on_error"] is True
    assert set(second.resource_defs) == {"a", "io_manager"}
    assert (others["run_id"], others["input_values"]) == ("r", None)
