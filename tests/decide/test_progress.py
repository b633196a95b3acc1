import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from treadle.decide.plan import plan
from treadle.decide.progress import Abandon, Execute, Progress, Skip
from treadle.spec.nodes import FromOutput, InputSpec, NodeSpec, OutputSpec


def op(handle, *sources, lists=(), priority=0):
    inputs = [InputSpec(f"x{i}", (FromOutput(node, "result"),)) for i, node in enumerate(sources)]
    inputs += [
        InputSpec(f"l{i}", tuple(FromOutput(node, "result") for node in group), is_list=True)
        for i, group in enumerate(lists)
    ]
    tags = {"dagster/priority": str(priority)} if priority else {}
    return NodeSpec(handle, handle, tuple(inputs), (OutputSpec("result", is_required=False),), tags=tags)


def run(nodes, outcomes=None):
    """Every decision in order. `outcomes`: by step, what becomes of it: "fail", "omit" or a number of retries."""
    outcomes = outcomes or {}
    progress = Progress(plan(nodes))
    left = {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, int)}
    told = []
    while not progress.is_done:
        upcoming, decision = progress.upcoming, progress.next()
        assert decision is not None
        step = decision.step
        assert upcoming is step or not isinstance(decision, Execute)
        told.append((type(decision).__name__, step.key))
        if isinstance(decision, Skip):
            progress.skipped(step)
        elif isinstance(decision, Abandon):
            progress.abandoned(step)
        elif left.get(step.key, 0) > 0:
            left[step.key] -= 1
            progress.again(step)
        elif outcomes.get(step.key) == "fail":
            progress.failed_for_good(step)
        else:
            progress.succeeded(step, {"result"} if outcomes.get(step.key) == "omit" else frozenset())
    assert progress.next() is None
    return told, progress


def test_ready_steps_by_priority_then_as_declared():
    told, _ = run([op("a"), op("b", priority=2), op("c"), op("d", priority=2)])
    assert [key for _, key in told] == ["b", "d", "a", "c"]


def test_nothing_to_do_while_steps_are_running():
    progress = Progress(plan([op("a"), op("b", "a")]))
    first = progress.next()
    assert isinstance(first, Execute)
    assert progress.next() is None
    progress.succeeded(first.step)
    second = progress.next()
    assert second is not None
    assert second.step.key == "b"
    assert not progress.is_done


def test_a_failure_abandons_what_is_below_and_says_why():
    progress = Progress(plan([op("a"), op("b", "a"), op("c", "b"), op("d")]))
    first = progress.next()
    assert first is not None
    progress.failed_for_good(first.step)
    abandoned = progress.next()
    assert abandoned == Abandon(abandoned.step, ("a",))  # type: ignore[union-attr]
    told, progress = run([op("a"), op("b", "a"), op("c", "b"), op("d")], {"a": "fail"})
    assert told == [("Execute", "a"), ("Abandon", "b"), ("Abandon", "c"), ("Execute", "d")]
    assert progress.failed == ["a"]


def test_an_output_left_out_skips_what_needs_it_before_anything_else_runs():
    told, _ = run([op("a"), op("b"), op("c", "a"), op("d", "c")], {"a": "omit"})
    assert told == [("Execute", "a"), ("Skip", "c"), ("Skip", "d"), ("Execute", "b")]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({"a": "omit"}, "Execute"),
        ({"a": "omit", "b": "omit"}, "Skip"),
        ({"a": "fail"}, "Abandon"),
        ({"a": "fail", "b": "omit"}, "Abandon"),
    ],
)
def test_a_list_needs_one_value(outcomes, expected):
    told, _ = run([op("a"), op("b"), op("c", lists=[["a", "b"]])], outcomes)
    assert told[-1] == (expected, "c")


def test_a_skip_wins_over_a_failure():
    told, _ = run([op("a"), op("b"), op("c", "a", "b")], {"a": "omit", "b": "fail"})
    assert told[-1] == ("Skip", "c")


def test_another_attempt_queues_behind_what_is_ready():
    told, _ = run([op("a"), op("b"), op("urgent", priority=1)], {"a": 1, "urgent": 1})
    assert [key for _, key in told] == ["urgent", "urgent", "a", "b", "a"]


@st.composite
def graphs(draw):
    """Nodes with random edges backwards, and a random outcome for each."""
    size = draw(st.integers(1, 8))
    nodes, outcomes = [], {}
    for index in range(size):
        above = st.lists(st.sampled_from([f"n{i}" for i in range(index)]), max_size=3, unique=True) if index else None
        several = st.lists(above, max_size=1) if above is not None else st.just([])
        lists = [group for group in draw(several) if len(group) > 1]
        made = op(f"n{index}", *(draw(above) if above is not None else ()), lists=lists)
        ordering = draw(st.booleans())  # an order without values follows the same rules
        inputs = tuple(structs.replace(one, is_nothing=ordering) for one in made.inputs)
        nodes.append(structs.replace(made, inputs=inputs))
        outcome = draw(st.sampled_from(["ok", "ok", "ok", "fail", "omit", 1, 2]))
        if outcome != "ok":
            outcomes[f"n{index}"] = outcome
    return nodes, outcomes


def naive(nodes, outcomes):
    """What becomes of each step, straight from the rules."""
    became = {}
    for node in nodes:
        single = [spec.sources[0].node for spec in node.inputs if not spec.is_list]
        groups = [[source.node for source in spec.sources] for spec in node.inputs if spec.is_list]
        empty = {key for key, state in became.items() if state in ("Skip", "omit")}
        dead = {key for key, state in became.items() if state in ("Abandon", "fail")}
        if empty & set(single) or any(set(group) <= empty for group in groups):
            became[node.handle] = "Skip"
        elif dead & {*single, *(one for group in groups for one in group)}:
            became[node.handle] = "Abandon"
        else:
            outcome = outcomes.get(node.handle, "ok")
            became[node.handle] = outcome if outcome in ("fail", "omit") else "ok"
    return became


@given(graphs())
def test_every_step_ends_once_and_as_the_rules_say(case):
    nodes, outcomes = case
    told, progress = run(nodes, outcomes)
    expected = naive(nodes, outcomes)
    for node in nodes:
        kinds = [kind for kind, key in told if key == node.handle]
        state = expected[node.handle]
        if state in ("Skip", "Abandon"):
            assert kinds == [state]
        else:
            retries = outcomes.get(node.handle, 0)
            assert kinds == ["Execute"] * (1 + (retries if isinstance(retries, int) else 0))
    assert set(progress.failed) == {key for key, state in expected.items() if state == "fail"}
    above = {node.handle: {one.node for spec in node.inputs for one in spec.sources} for node in nodes}
    place = {key: index for index, (_, key) in enumerate(told)}
    assert all(place[one] < place[key] for key, ones in above.items() for one in ones)
