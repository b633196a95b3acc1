"""Running jobs again: every step succeeds once in a chain of runs, whatever failed on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle import (
    DependencyDefinition,
    DynamicOut,
    DynamicOutput,
    GraphDefinition,
    In,
    Instance,
    InvariantError,
    InvocationError,
    IOManager,
    JobDefinition,
    LoadError,
    MultiDependencyDefinition,
    Out,
    Output,
    ReexecutionOptions,
    RunNotFoundError,
    build_reconstructable_job,
    execute_job,
    job,
    op,
    reconstructable,
)


class Shelf(IOManager):
    """Keeps values by the run, step and output that made them."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, ...], Any] = {}

    def handle_output(self, context: Any, obj: Any) -> None:
        self.values[tuple(context.get_identifier())] = obj

    def load_input(self, context: Any) -> Any:
        return self.values[tuple(context.upstream_output.get_identifier())]


@dataclass(frozen=True)
class Node:
    """A node of a random graph.

    Attributes:
        above: what it reads; earlier nodes.
        together: whether it reads all of it as one list.
        failures: how often it fails before it succeeds.
        silent: whether it succeeds without a value.
    """

    above: tuple[int, ...] = ()
    together: bool = False
    failures: int = 0
    silent: bool = False


@dataclass
class Tape:
    """What happened, over all runs."""

    attempts: Counter[int] = field(default_factory=Counter)
    succeeded: Counter[int] = field(default_factory=Counter)
    values: dict[int, int] = field(default_factory=dict)


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    nodes: list[Node] = []
    for index in range(draw(st.integers(1, 8))):
        above = draw(st.lists(st.integers(0, index - 1), unique=True, max_size=3)) if index else []
        nodes.append(
            Node(
                tuple(above), len(above) > 1 and draw(st.booleans()), draw(st.sampled_from([0, 0, 1, 2])),
                draw(st.integers(0, 5)) == 0,
            )
        )  # fmt: skip
    return nodes


def expected(nodes: list[Node]) -> dict[int, int | None]:
    """The value of every node that runs if nothing fails; None for no value."""
    found: dict[int, int | None] = {}
    for index, node in enumerate(nodes):
        there = [value for one in node.above if (value := found.get(one)) is not None]
        if len(there) == len(node.above) or (node.together and there):
            found[index] = None if node.silent else index + 1 + 3 * sum(there)
    return found


def job_of(nodes: list[Node], tape: Tape, shelf: Shelf) -> JobDefinition:
    def function(index: int) -> Any:
        def compute(**inputs: Any) -> Any:
            tape.attempts[index] += 1
            if tape.attempts[index] <= nodes[index].failures:
                raise ValueError(index)
            given = inputs["x"] if nodes[index].together else list(inputs.values())
            tape.succeeded[index] += 1
            if not nodes[index].silent:
                tape.values[index] = index + 1 + 3 * sum(given)
                yield Output(tape.values[index])

        return compute

    definitions, dependencies = [], {}
    for index, node in enumerate(nodes):
        names = ["x"] if node.together else [f"x{one}" for one in node.above]
        definitions.append(
            op(name=f"n{index}", ins={name: In() for name in names}, out=Out(is_required=False))(function(index))
        )
        sources = [DependencyDefinition(f"n{one}") for one in node.above]
        wired = [MultiDependencyDefinition(sources)] if node.together else sources
        dependencies[f"n{index}"] = dict(zip(names, wired, strict=True))
    graph = GraphDefinition("random", node_defs=definitions, dependencies=dependencies)
    return graph.to_job(resource_defs={"io_manager": shelf})


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_from_failure_until_success(nodes: list[Node]) -> None:
    tape = Tape()
    random = job_of(nodes, tape, Shelf())
    with Instance.ephemeral() as instance:
        result = execute_job(random, instance)
        first = result.run_id
        for _ in range(sum(node.failures for node in nodes)):
            if result.success:
                break
            options = ReexecutionOptions.from_failure(result.run_id, instance)
            result = execute_job(random, instance, reexecution_options=options)
            assert result.run.root_run_id == first
    assert result.success
    wanted = expected(nodes)
    assert tape.succeeded == Counter(wanted.keys())
    assert tape.attempts == Counter({index: nodes[index].failures + 1 for index in wanted})
    assert tape.values == {index: value for index, value in wanted.items() if value is not None}


Fails = dict[tuple[int, int], int]
"""How often each copy of the two steps that multiply fails, by (place of the step, value)."""


@given(
    st.integers(0, 4),
    st.dictionaries(st.tuples(st.integers(0, 1), st.integers(0, 3)), st.integers(1, 2), max_size=4),
    st.integers(0, 1),
)
@settings(max_examples=30, deadline=None)
def test_copies_from_failure_until_success(size: int, fails: Fails, gather_fails: int) -> None:
    done: Counter[tuple[int, int]] = Counter()
    tried: Counter[tuple[int, int]] = Counter()

    def attempt(place: int, value: int, failures: int) -> None:
        tried[place, value] += 1
        if tried[place, value] <= failures:
            raise ValueError(value)
        done[place, value] += 1

    @op(out=DynamicOut())
    def many() -> Iterator[DynamicOutput[int]]:
        attempt(-1, 0, 0)
        for value in range(size):
            yield DynamicOutput(value, f"k{value}")

    @op
    def first(x: int) -> int:
        attempt(0, x, fails.get((0, x), 0))
        return x * 10

    @op
    def second(x: int) -> int:
        attempt(1, x // 10, fails.get((1, x // 10), 0))
        return x + 1

    @op
    def gather(xs: list[int]) -> int:
        attempt(2, 0, gather_fails)
        return sum(xs)

    @job(resource_defs={"io_manager": Shelf()})
    def multiplying() -> None:
        gather(many().map(first).map(second).collect())

    with Instance.ephemeral() as instance:
        result = execute_job(multiplying, instance)
        while not result.success:
            options = ReexecutionOptions.from_failure(result.run_id, instance)
            result = execute_job(multiplying, instance, reexecution_options=options)
        value = result.output_for_node("gather")
    copies = [(place, one) for place in (0, 1) for one in range(size)]
    assert done == Counter([(-1, 0), *copies, (2, 0)])
    assert value == sum(10 * one + 1 for one in range(size))


# --- where jobs come from ---------------------------------------------------------------------------------------------


@op
def one() -> int:
    return 1


@op
def double(x: int) -> int:
    return 2 * x


@job
def doubled() -> None:
    double(one())


def make(factor: int = 2) -> JobDefinition:
    @op
    def times(x: int) -> int:
        return factor * x

    @job
    def multiplied() -> None:
        times(one())

    return multiplied


def test_a_job_is_found_again_by_its_place() -> None:
    assert reconstructable(doubled).get_definition() is doubled
    assert reconstructable(make).get_definition().name == "multiplied"


def test_a_job_with_arguments(instance: Instance) -> None:
    place = build_reconstructable_job(__name__, "make", (5,))
    assert execute_job(place, instance).output_for_node("times") == 5


def test_a_job_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "far_away.py").write_text(
        "from treadle import job, op\n@op\ndef one(): ...\n@job\ndef far(): one()\nnothing = 5\n"
    )
    place = build_reconstructable_job("far_away", "far", reconstructor_working_directory=str(tmp_path))
    assert place.get_definition().name == "far"
    with pytest.raises(InvariantError, match=r"has no 'fare'\. Did you mean 'far'"):
        build_reconstructable_job("far_away", "fare").get_definition()
    with pytest.raises(InvariantError, match="gives int, and a job is needed"):
        build_reconstructable_job("far_away", "nothing").get_definition()


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(LoadError, match="'no_such_module' cannot be imported"):
        build_reconstructable_job("no_such_module", "far").get_definition()


def test_what_cannot_be_found_again() -> None:
    with pytest.raises(InvariantError, match="cannot be found again"):
        reconstructable(make())
    with pytest.raises(InvariantError, match="cannot be found again"):
        reconstructable(lambda: doubled)
    with pytest.raises(InvariantError, match="takes a job"):
        reconstructable("doubled")  # type: ignore[arg-type]


# --- what is said in the wrong way ------------------------------------------------------------------------------------


@pytest.fixture
def instance() -> Any:
    with Instance.ephemeral() as instance:
        yield instance


def test_a_run_that_is_not_there(instance: Instance) -> None:
    with pytest.raises(RunNotFoundError, match="no run 'gone'"):
        execute_job(doubled, instance, reexecution_options=ReexecutionOptions("gone"))


def test_a_selection_that_is_no_list() -> None:
    with pytest.raises(InvocationError, match=r"Write a list: \['one'\]"):
        ReexecutionOptions("r", "one")


def test_a_run_whose_parent_was_deleted_is_the_first_of_its_chain(instance: Instance) -> None:
    first = execute_job(doubled, instance)
    again = execute_job(doubled, instance, reexecution_options=ReexecutionOptions(first.run_id))
    instance.delete_run(first.run_id)
    third = execute_job(doubled, instance, reexecution_options=ReexecutionOptions(again.run_id, ["double"]))
    assert third.output_for_node("double") == 2
    assert (third.run.parent_run_id, third.run.root_run_id) == (again.run_id, first.run_id)


def test_no_assets_to_select(instance: Instance) -> None:
    with pytest.raises(InvocationError, match="is no job of assets"):
        execute_job(doubled, instance, asset_selection=[])
