"""Steps below dynamic outputs: graphs of random shape, with random failures and omissions, against a naive model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core.keys import AssetKey
from treadle.decide.plan import plan
from treadle.decide.progress import Abandon, Execute, Progress, Skip
from treadle.decide.steps import values_of
from treadle.errors import DefinitionError
from treadle.spec.nodes import FromOutput, InputSpec, NodeSpec, OutputSpec


def node(handle, *sources, dynamic=False):
    inputs = tuple(
        InputSpec(f"x{i}", (FromOutput(above, "result", collect),)) for i, (above, collect) in enumerate(sources)
    )
    return NodeSpec(handle, handle, inputs, (OutputSpec("result", is_required=False, is_dynamic=dynamic),))


def run(nodes, outcome_of, keys_of):
    """What became of each step: "ok", "fail", "omit", "skip" or "abandon", in order."""
    made = plan(nodes)
    progress = Progress(made)
    told, mapped = {}, {}
    while not progress.is_done:
        decision = progress.next()
        assert decision is not None
        step = decision.step
        assert step.key not in told
        if isinstance(decision, Skip):
            told[step.key] = "skip"
            progress.skipped(step)
            continue
        if isinstance(decision, Abandon):
            told[step.key] = "abandon"
            progress.abandoned(step)
            continue
        assert isinstance(decision, Execute)
        assert not any("?" in key for key, _ in mapped)
        told[step.key] = outcome = outcome_of(step.key)
        if outcome == "fail":
            progress.failed_for_good(step)
        elif outcome == "omit":
            progress.succeeded(step, {"result"})
        elif step.node.outputs[0].is_dynamic:
            mapped[step.key, "result"] = keys = keys_of(step.key)
            progress.succeeded(step, frozenset(), {"result": keys})
        else:
            progress.succeeded(step)
    assert progress.next() is None
    return told, made, mapped


class Model:
    """The same by recursion over coordinates, with no notion of time."""

    def __init__(self, nodes, outcome_of, keys_of):
        self.nodes = {one.handle: one for one in nodes}
        self.outcome_of, self.keys_of = outcome_of, keys_of
        self.dims = {}
        for handle in self.nodes:
            longest = ()
            for source in self.sources(handle):
                shared = self.shared(source)
                if shared[: len(longest)] != longest[: len(shared)]:
                    raise LookupError(handle)
                longest = max(longest, shared, key=len)
            self.dims[handle] = longest

    def sources(self, handle):
        return [spec.sources[0] for spec in self.nodes[handle].inputs]

    def shared(self, source):
        dims = self.dims[source.node] + ((source.node,) if self.nodes[source.node].outputs[0].is_dynamic else ())
        return dims[: max(0, len(dims) - source.collect)]

    def key(self, handle, coordinates):
        return f"{handle}[{','.join(coordinates)}]" if coordinates else handle

    def came(self, handle, at):
        """What came of the steps of a node at or below these coordinates, together."""
        dims = self.dims[handle]
        if len(at) == len(dims):
            return self.one(handle, at)[0]
        above = self.came(dims[len(at)], at)
        if above != "ok":
            return above
        parts = [self.came(handle, (*at, key)) for key in self.keys_of(self.key(dims[len(at)], at))]
        if "dead" in parts:
            return "dead"
        return "missing" if parts and set(parts) == {"missing"} else "ok"

    def one(self, handle, at):
        """What came of a step, and how that is told."""
        came = {
            self.came(source.node, at[: min(len(self.shared(source)), len(self.dims[source.node]))])
            for source in self.sources(handle)
        }
        if "missing" in came:
            return "missing", "skip"
        if "dead" in came:
            return "dead", "abandon"
        outcome = self.outcome_of(self.key(handle, at))
        return {"ok": "ok", "fail": "dead", "omit": "missing"}[outcome], outcome

    def all(self, handle):
        """The coordinates of all steps of a node."""
        found = [()]
        for depth, dimension in enumerate(self.dims[handle]):
            found = [
                (*at, key)
                for at in found
                if self.came(dimension, at[:depth]) == "ok"
                for key in self.keys_of(self.key(dimension, at))
            ]
        return found


@st.composite
def graphs(draw):
    nodes = []
    for index in range(draw(st.integers(1, 7))):
        above = (
            st.tuples(st.sampled_from([one.handle for one in nodes]), st.sampled_from([0, 0, 1, 2])) if nodes else None
        )
        sources = draw(st.lists(above, max_size=2)) if above is not None else []
        nodes.append(node(f"n{index}", *sources, dynamic=draw(st.booleans())))
    return nodes


@given(graphs(), st.randoms(use_true_random=False))
def test_what_runs_below_dynamic_outputs_is_what_a_naive_model_says(nodes, random):
    seed = random.randrange(1 << 30)

    def drawn(key, what, choices):
        return choices[hash_of(f"{seed}{what}{key}") % len(choices)]

    def outcome_of(key):
        return drawn(key, "outcome", ["ok"] * 6 + ["fail", "omit"])

    def keys_of(key):
        return drawn(key, "keys", [(), ("a",), ("a", "b"), ("b", "a", "c")])

    try:
        model = Model(nodes, outcome_of, keys_of)
    except LookupError:
        with pytest.raises(DefinitionError, match="neither is made from the other"):
            plan(nodes)
        return
    told, made, mapped = run(nodes, outcome_of, keys_of)
    expected = {model.key(handle, at): model.one(handle, at)[1] for handle in model.nodes for at in model.all(handle)}
    assert {key: what for key, what in told.items() if "?" not in key} == expected
    order = list(told)
    for handle in model.nodes:
        for at in model.all(handle):
            for source in model.sources(handle):
                for key, _ in values_of(made.steps, mapped, source, at):
                    assert order.index(key) < order.index(model.key(handle, at))


def hash_of(text):
    """The same in every process, as `hash` is not."""
    value = 7
    for letter in text:
        value = (value * 31 + ord(letter)) % 1_000_003
    return value // 7


def test_what_stands_for_steps_that_nobody_counted():
    nodes = [
        node("many", dynamic=True), node("split", ("many", 0), dynamic=True), node("inc", ("split", 0)),
        node("inner", ("inc", 1)), node("total", ("inc", 2)),
    ]  # fmt: skip
    keys = {"many": ("a", "b"), "split[b]": ("s",)}

    told, made, mapped = run(nodes, lambda key: "fail" if key == "split[a]" else "ok", keys.get)
    assert told == {
        "many": "ok", "split[a]": "fail", "split[b]": "ok", "inc[a,?]": "abandon", "inner[a]": "abandon",
        "inc[b,s]": "ok", "inner[b]": "ok", "total": "abandon",
    }  # fmt: skip
    assert values_of(made.steps, mapped, FromOutput("inc", "result", 1), ("b",)) == [("inc[b,s]", None)]
    assert values_of(made.steps, mapped, FromOutput("split", "result"), ("b", "s")) == [("split[b]", "s")]

    told, _, _ = run(nodes, lambda key: "omit" if key == "many" else "ok", keys.get)
    assert told == {"many": "omit", **dict.fromkeys(["split[?]", "inc[?]", "inner[?]", "total"], "skip")}


def test_an_asset_cannot_be_made_once_for_each_value():
    asset = NodeSpec(
        "a", "a", (InputSpec("x", (FromOutput("many", "result"),)),), (OutputSpec("result", asset=AssetKey("a")),)
    )
    with pytest.raises(DefinitionError, match="collect"):
        plan([node("many", dynamic=True), asset])
