"""Evaluations in a row: what they cost when little changed, what they come to, and what travels between them."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decide.conditions_world import World, asset, key

import treadle as tr
from treadle import AutomationCondition as Condition
from treadle.decide.automation_view import Cursor, decode_cursor, encode_cursor

C = Condition
LETTERS = tr.StaticPartitionsDefinition(["a", "b", "c"])


def chains(count: int) -> World:
    """So many chains of three eager assets, everything made."""
    names = [f"{chain}_{step}" for chain in range(count) for step in range(3)]
    world = World(
        *(asset(one, *([f"{one[:-1]}{int(one[-1]) - 1}"] if one[-1] != "0" else []), when=C.eager()) for one in names)
    )
    for one in names:
        world.make(one)
    world.ticks(3)
    return world


def evaluated(world: World) -> list[str]:
    assert world.outcome is not None
    return [str(one) for one in world.outcome.evaluations]


def test_nothing_is_evaluated_when_nothing_changed() -> None:
    world = chains(5)
    assert world.outcome is not None
    assert world.outcome.is_settled
    assert world.outcome.wake is None
    before = world.outcome
    assert world.ticks(1) == [[]]
    assert evaluated(world) == []
    assert world.outcome.true is before.true
    assert world.outcome.cursor.evaluation_id == before.cursor.evaluation_id + 1


def test_only_what_a_change_reaches_is_evaluated() -> None:
    world = chains(5)
    world.make("3_0")
    assert world.ticks(1) == [["3_1", "3_2"]]
    assert evaluated(world) == [str(key(one)) for one in ("3_0", "3_1", "3_2")]


def test_a_failed_evaluation_changes_nothing() -> None:
    world = chains(1)
    before = world.cursor
    world.make("0_0")
    facts, world.facts = world.facts, None  # type: ignore[assignment, method-assign]
    with contextlib.suppress(TypeError):
        world.tick()
    world.facts = facts  # type: ignore[method-assign]
    assert world.cursor is before
    assert world.ticks(1) == [["0_1", "0_2"]]


def test_the_explanation_has_the_shape_of_the_condition() -> None:
    world = World(asset("x"), asset("y"), asset("a", "x", "y", when=C.any_deps_match(C.missing()) & ~C.in_progress()))
    world.make("y")
    world.tick()
    assert world.outcome is not None
    root = world.outcome.evaluations[key("a")]
    deps, rest = root.children
    assert [(child.key, child.true) for child in deps.children] == [(key("x"), True), (key("y"), False)]
    assert rest.condition.name == "NOT"
    assert rest.children[0].condition.label == "in_progress"


def test_a_cursor_of_everything_travels() -> None:
    world = World(
        asset("a", when=C.missing().since(C.newly_updated()), partitions_def=LETTERS, code_version="1"),
        asset("b", "a", when=C.code_version_changed() | C.any_deps_match(C.newly_missing()), code_version="2"),
        asset("d", when=C.newly_missing(), partitions_def=tr.DailyPartitionsDefinition("2026-01-01")),
        checks=[tr.AssetCheckSpec("c", asset="a", automation_condition=C.on_missing())],
        jobs={"j": (C.any_job_root_assets_match(C.missing()), frozenset({tr.AssetKey("b")}))},
    )
    world.ticks(2)
    assert world.cursor is not None
    definitions = world._evaluator.world.partitions_of
    assert decode_cursor(encode_cursor(world.cursor), definitions) == world.cursor
    fewer: Any = {key("a"): tr.StaticPartitionsDefinition(["b", "z"])}
    read = decode_cursor(encode_cursor(world.cursor), lambda one: fewer.get(one))
    assert list(read.requested[key("a")]) == ["b"]  # type: ignore[call-overload]
    assert key("d") not in read.requested  # has no partitions any more
    assert decode_cursor(encode_cursor(Cursor(3, 4, 5.0)), definitions) == Cursor(3, 4, 5.0)


# --- against a plain evaluator ---------------------------------------------------------------------------------------

LEAVES = ["missing", "run_in_progress", "execution_failed", "newly_updated", "newly_requested", "will_be_requested"]
leaves = st.sampled_from(LEAVES).map(lambda name: getattr(C, name)())
conditions = st.recursive(
    leaves | st.just(C.initial_evaluation()),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: two[0] & two[1]),
        st.tuples(inner, inner).map(lambda two: two[0] | two[1]),
        inner.map(lambda one: ~one),
        inner.map(lambda one: one.newly_true()),
        inner.map(C.any_deps_match),
        inner.map(C.all_deps_match),
    ),
    max_leaves=6,
)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("make"), st.integers(0, 3)),
        st.tuples(st.just("wipe"), st.integers(0, 3)),
        st.tuples(st.sampled_from(["running", "failed"]), st.integers(0, 3)),
        st.tuples(st.sampled_from(["not running", "not failed"]), st.integers(0, 3)),
    ),
    max_size=3,
)


class Plain:
    """What conditions mean without partitions, evaluated from scratch, all of them, every time."""

    def __init__(self, parents: dict[int, list[int]], conditions: dict[int, Condition]) -> None:
        self.parents, self.conditions = parents, conditions
        self.made: set[int] = set()
        self.states: dict[str, set[int]] = {"running": set(), "failed": set()}
        self.new: set[int] = set()
        self.before: dict[tuple[int, str, int], bool] = {}
        self.requested: set[int] = set()
        self.first = True

    def tick(self) -> set[int]:
        now: set[int] = set()
        after: dict[tuple[int, str, int], bool] = {}
        for target, condition in sorted(self.conditions.items()):
            if self.true(condition, target, target, now, after):
                now.add(target)
        self.before, self.requested, self.first = after, now, False
        self.new = set()
        return now

    def true(self, c: Any, target: int, who: int, now: set[int], after: dict[tuple[int, str, int], bool]) -> bool:
        def of(one: Any, about: int = who) -> bool:
            return self.true(one, target, about, now, after)

        match c.name.partition("(")[0]:
            case "AND":
                return all([of(one) for one in c.children])  # noqa: C419  each remembers
            case "OR":
                return any([of(one) for one in c.children])  # noqa: C419
            case "NOT":
                return not of(c.children[0])
            case "NEWLY_TRUE":
                place = (target, repr(c), who)
                after[place] = of(c.children[0])
                return after[place] and not self.before.get(place, False)
            case "ANY_DEPS_MATCH":
                return any([of(c.children[0], up) for up in self.parents[who]])  # noqa: C419
            case "ALL_DEPS_MATCH":
                return all([of(c.children[0], up) for up in self.parents[who]])  # noqa: C419
            case "missing":
                return who not in self.made
            case "run_in_progress":
                return who in self.states["running"]
            case "execution_failed":
                return who in self.states["failed"]
            case "newly_updated":
                return who in self.new and not self.first
            case "newly_requested":
                return who in self.requested
            case "will_be_requested":
                return who in now and who != target
            case "initial_evaluation":
                return self.first
        raise AssertionError(c.name)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.one_of(st.none(), conditions), min_size=4, max_size=4),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.lists(changes, min_size=1, max_size=6),
)
def test_evaluations_in_a_row_are_those_of_a_plain_evaluator(
    wanted: list[Condition | None], edges: list[bool], history: list[list[tuple[str, int]]]
) -> None:
    pairs = [(up, down) for down in range(4) for up in range(down)]
    parents: dict[int, list[int]] = {one: [] for one in range(4)}
    for (up, down), there in zip(pairs, edges, strict=True):
        if there:
            parents[down].append(up)
    given_conditions = {one: condition for one, condition in enumerate(wanted) if condition is not None}
    world = World(*(asset(str(one), *map(str, parents[one]), when=wanted[one]) for one in range(4)))
    plain = Plain(parents, given_conditions)
    for happened in history:
        for what, one in happened:
            if what == "make":
                world.make(str(one))
                plain.made.add(one)
                plain.new.add(one)
            elif what == "wipe":
                world.wipe(str(one))
                plain.made.discard(one)
                plain.new.discard(one)
            else:
                kind, on = what.removeprefix("not "), not what.startswith("not ")
                world.state(kind, str(one), on=on)
                (plain.states[kind].add if on else plain.states[kind].discard)(one)
        assert set(world.tick()) == {str(one) for one in plain.tick()}


partitioned = st.recursive(
    leaves | st.sampled_from([C.in_latest_time_window(), C.cron_tick_passed("*/2 * * * *"), C.newly_missing()]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda two: two[0] & two[1]),
        st.tuples(inner, inner).map(lambda two: two[0].since(two[1])),
        inner.map(lambda one: ~one),
        inner.map(lambda one: one.since_last_handled()),
        inner.map(C.any_deps_match),
        inner.map(lambda one: C.asset_matches("0", one)),
    ),
    max_leaves=6,
) | st.sampled_from([C.eager(), C.on_missing(), C.on_cron("*/3 * * * *"), C.any_downstream_conditions()])


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.one_of(st.none(), partitioned), st.booleans()), min_size=4, max_size=4),
    st.lists(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.booleans()), max_size=3), max_size=6),
)
def test_what_is_remembered_in_memory_changes_nothing(
    declared: list[tuple[Condition | None, bool]], history: list[list[tuple[int, str, bool]]]
) -> None:
    """`World.tick` evaluates from the cursor alone as well, and compares results, requests and cursors."""
    world = World(
        *(
            asset(str(one), *[str(one - 1)] * bool(one), when=condition, partitions_def=LETTERS if parts else None)
            for one, (condition, parts) in enumerate(declared)
        )
    )
    world.run("run", "1", "2")
    for happened in history:
        for one, letter, by_run in happened:
            world.make(str(one), letter if declared[one][1] else None, run="run" if by_run else "")
        world.tick()
        assert world.cursor is not None
        partitions_of = world._evaluator.world.partitions_of
        assert decode_cursor(encode_cursor(world.cursor), partitions_of) == world.cursor
