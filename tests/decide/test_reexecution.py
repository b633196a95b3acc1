import pytest

from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.decide.plan import plan
from treadle.decide.reexecution import Made, from_failure, from_selection, outcomes
from treadle.errors import SelectionError, StepNotFoundError, StepOutputNotFoundError
from treadle.spec.nodes import FromAsset, FromOutput, InputSpec, NodeSpec, OutputSpec
from treadle.state.events import StepFailed, StepOutput, StepRestarted, StepStarted, StepSucceeded

A, B, C = AssetKey("a"), AssetKey("b"), AssetKey("c")


def op(handle, *sources, lists=()):
    """An op whose inputs come from these nodes; `lists` are groups of nodes, each one input."""
    inputs = [InputSpec(f"x{i}", (FromOutput(node, "result"),)) for i, node in enumerate(sources)]
    inputs += [
        InputSpec(f"l{i}", tuple(FromOutput(node, "result") for node in group), is_list=True)
        for i, group in enumerate(lists)
    ]
    return NodeSpec(handle, handle, tuple(inputs), (OutputSpec("result"),))


def asset(key, *upstream):
    name = key.to_python_identifier()
    inputs = tuple(InputSpec(one.to_python_identifier(), (FromAsset(one),)) for one in upstream)
    return NodeSpec(name, name, inputs, (OutputSpec("result", asset=key),), {key: ()})


def blocking_check(key):
    own = AssetCheckKey(key, "fine")
    return NodeSpec(
        f"{key.to_python_identifier()}_fine", "fine", outputs=(OutputSpec("result", check=own),), after=(key,),
        blocking=frozenset({own}),
    )  # fmt: skip


DIAMOND = plan([op("a"), op("b", "a"), op("c", "a"), op("d", "b", "c")])


def made(*steps, run="r1", nothing=()):
    """These steps succeeded; those of `nothing` without an output."""
    return {
        **{step: Made(run, frozenset({"result"})) for step in steps},
        **{step: Made(run, frozenset()) for step in nothing},
    }


def test_outcomes_are_of_steps_that_succeeded():
    found = outcomes(
        "r",
        [
            StepStarted("a"), StepOutput("a", "low"), StepOutput("a", "high"), StepSucceeded("a"),
            StepStarted("b"), StepOutput("b", "result"), StepFailed("b"),
        ],
    )  # fmt: skip
    assert found == {"a": Made("r", frozenset({"low", "high"}))}


def test_what_an_attempt_gave_that_failed_does_not_count():
    found = outcomes("r", [StepOutput("a", "low"), StepRestarted("a"), StepOutput("a", "high"), StepSucceeded("a")])
    assert found["a"].outputs == {"high"}


def test_from_failure_executes_what_did_not_succeed():
    found = from_failure(DIAMOND, [made("a", "c")])
    assert found.steps == {"b", "d"}
    assert found.sources == {"a": "r1", "c": "r1"}
    assert found.left_out == set()


def test_the_last_success_of_the_chain_counts():
    found = from_failure(DIAMOND, [made("b", run="r2"), made("a", "b", run="r1")], {"b", "c", "d"})
    assert found.steps == {"c", "d"}
    assert found.sources == {"a": "r1", "b": "r2"}


def test_only_steps_that_the_run_was_to_execute():
    assert from_failure(DIAMOND, [{}, made("a", "c")], {"b"}).steps == {"b"}


def test_what_would_be_skipped_again_is_left_out():
    nodes = [op("opt"), op("below", "opt"), op("boom"), op("both", "opt", "boom"), op("fan", lists=[["opt", "boom"]])]
    found = from_failure(plan(nodes), [made(nothing=["opt"])])
    assert found.steps == {"boom", "fan"}
    assert found.left_out == {("opt", "result"), ("below", "result"), ("both", "result")}


def test_a_list_with_nothing_in_it_is_left_out():
    nodes = [op("opt"), op("fan", lists=[["opt", "opt2"]]), op("opt2"), op("other")]
    assert from_failure(plan(nodes), [made(nothing=["opt", "opt2"])]).steps == {"other"}


def test_assets_and_their_checks():
    steps = plan([asset(A), blocking_check(A), asset(B, A), asset(C, B)])
    assert from_failure(steps, [made("a")]).steps == {"a_fine", "b", "c"}


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ([], "abcd"), (["b"], "b"), (["b+"], "bd"), (["*b"], "ab"), (["*a+"], "abc"), (["a*"], "abcd"),
        (["*"], "abcd"), (["b", "c"], "bc"), (["+d"], "bcd"),
    ],
)  # fmt: skip
def test_selected_steps(clauses, expected):
    found = from_selection(DIAMOND, [made("a", "b", "c", "d")], clauses)
    assert found.steps == set(expected)
    assert found.sources == dict.fromkeys(set("abcd") - set(expected), "r1")


def test_a_step_that_is_not_there():
    with pytest.raises(StepNotFoundError, match=r"'bb\+' selects no step") as failure:
        from_selection(DIAMOND, [made("a")], ["a", "bb+"])
    assert failure.value.step_keys == ("bb",)


def test_a_clause_that_is_none():
    with pytest.raises(SelectionError, match="is no op selection"):
        from_selection(DIAMOND, [made("a")], ["a b"])


def test_a_value_that_nobody_made():
    with pytest.raises(StepOutputNotFoundError, match=r"Step 'd' .* step 'c'.*'\*d'"):
        from_selection(DIAMOND, [made("a", "b")], ["d"])


def test_an_asset_that_another_run_may_have_made_is_no_fault():
    assert from_selection(plan([asset(A), asset(B, A)]), [{}], ["b"]).steps == {"b"}


def test_steps_that_multiply_are_executed_again_together():
    dynamic = NodeSpec("many", "many", (), (OutputSpec("result", is_dynamic=True),))
    gather = NodeSpec(
        "gather", "gather", (InputSpec("x", (FromOutput("each", "result", True),), is_list=True),),
        (OutputSpec("result"),),
    )  # fmt: skip
    steps = plan([op("first"), dynamic, op("each", "many"), op("other", "many"), gather, op("last", "gather")])
    copies = ("each[a]", "each[b]", "other[a]", "other[b]")
    many = {"many": Made("r1", frozenset({"result"}), frozenset({("result", "a"), ("result", "b")}))}
    everything = made("first", *copies, "gather", "last") | many
    assert from_selection(steps, [everything], ["gather"]).steps == {"many", "each", "other", "gather"}
    assert from_selection(steps, [everything], ["last"]).steps == {"last"}
    assert from_failure(steps, [made("first", *copies, "gather") | many]).steps == {"last"}
    assert from_failure(steps, [made("first", *copies[:3]) | many]).steps == {"many", "each", "other", "gather", "last"}
    assert from_failure(steps, [made("first")]).steps == {"many", "each", "other", "gather", "last"}
