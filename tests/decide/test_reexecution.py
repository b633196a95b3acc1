import pytest

from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.decide.plan import plan
from treadle.decide.reexecution import Made, from_failure, from_selection, outcomes
from treadle.decide.steps import at, below
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


def sources(found):
    """The run that has the values of each step that is not executed again."""
    return {key: one.run_id for key, one in found.made.items() if key not in found.steps}


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
    assert sources(found) == {"a": "r1", "c": "r1"}


def test_the_last_success_of_the_chain_counts():
    found = from_failure(DIAMOND, [made("b", run="r2"), made("a", "b", run="r1")], {"b", "c", "d"})
    assert found.steps == {"c", "d"}
    assert sources(found) == {"a": "r1", "b": "r2"}


def test_only_steps_that_the_run_was_to_execute():
    assert from_failure(DIAMOND, [{}, made("a", "c")], {"b"}).steps == {"b"}


def test_what_would_be_skipped_again_is_left_out():
    nodes = [op("opt"), op("below", "opt"), op("boom"), op("both", "opt", "boom"), op("fan", lists=[["opt", "boom"]])]
    found = from_failure(plan(nodes), [made(nothing=["opt"])])
    assert found.steps == {"boom", "fan"}
    assert found.made["opt"].outputs == set()


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
    assert sources(found) == (dict.fromkeys(set("abcd") - set(expected), "r1") if clauses else {})


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


def dynamic(handle, *sources):
    inputs = tuple(InputSpec("x", (FromOutput(node, "result"),)) for node in sources)
    return NodeSpec(handle, handle, inputs, (OutputSpec("result", is_dynamic=True),))


def gather(handle, node, levels=1):
    return NodeSpec(
        handle, handle, (InputSpec("x", (FromOutput(node, "result", levels),), is_list=True),),
        (OutputSpec("result"),),
    )  # fmt: skip


def values(*keys, run="r1"):
    return Made(run, frozenset({"result"} if keys else ()), tuple(("result", key) for key in keys))


MAP = plan(
    [op("first"), dynamic("many", "first"), op("each", "many"), op("twice", "each"), gather("gather", "twice"),
     op("last", "gather")]
)  # fmt: skip
COPIES = ("each[a]", "each[b]", "twice[a]", "twice[b]")
MADE = made("first", *COPIES, "gather", "last") | {"many": values("a", "b")}


def without(*keys):
    return {key: one for key, one in MADE.items() if key not in keys}


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (["last"], {"last"}),
        (["each[b]", "twice[b]", "gather", "last"], {"each[b]", "twice[b]", "gather", "last"}),
        (["twice[a]", "gather", "last"], {"twice[a]", "gather", "last"}),
        (["many", *COPIES, "gather", "last"], {"many", "each[?]", "twice[?]", "gather", "last"}),
    ],
)
def test_copies_that_succeeded_stay(missing, expected):
    assert from_failure(MAP, [without(*missing)]).steps == expected


def test_copies_that_a_continued_run_was_to_execute():
    first = without("each[b]", "twice[b]", "gather", "last")
    second = made("each[b]", run="r2")
    found = from_failure(MAP, [second, first], {"each[b]", "twice[b]", "gather", "last"})
    assert found.steps == {"twice[b]", "gather", "last"}
    assert found.made["each[b]"].run_id == "r2"
    anew = {"many": values("b", "c", run="r3"), **made("each[b]", run="r3")}
    again = from_failure(MAP, [anew, first], {"many", "each[?]", "twice[?]"})
    assert again.steps == {"each[c]", "twice[b]", "twice[c]"}


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        (["each[a]"], {"each[a]"}), (["each[a]+"], {"each[a]", "twice[a]"}),
        (["each[a]*"], {"each[a]", "twice[a]", "gather", "last"}), (["each[?]"], {"each[?]"}), (["each"], {"each[?]"}),
        (["each+"], {"each[?]", "twice[?]"}), (["many"], {"many"}), (["many+"], {"many", "each[?]"}),
        (["gather"], {"gather"}), (["each[a]", "gather"], {"each[a]", "gather"}),
        (["*each[a]"], {"first", "many", "each[a]"}), (["+gather"], {"twice[?]", "gather"}),
    ],
)  # fmt: skip
def test_selected_copies(clauses, expected):
    assert from_selection(MAP, [MADE], clauses).steps == expected


def test_copies_that_are_not_there():
    with pytest.raises(StepNotFoundError, match=r"'each\[z\]' selects no step"):
        from_selection(MAP, [MADE], ["each[z]"])
    with pytest.raises(StepOutputNotFoundError, match=r"'twice\[a\]' .* 'each\[a\]'"):
        from_selection(MAP, [without("each[a]")], ["twice[a]"])
    assert from_selection(MAP, [without("twice[a]")], ["gather"]).steps == {"gather"}
    with pytest.raises(StepOutputNotFoundError, match="'gather'"):
        from_selection(MAP, [without("twice[a]", "twice[b]")], ["gather"])


def test_no_values_are_values():
    steps = plan([dynamic("many"), op("each", "many"), gather("gather", "each"), gather("all", "many")])
    empty = {"many": values()}
    assert from_failure(steps, [empty]).steps == {"gather", "all"}
    assert from_selection(steps, [empty], ["gather"]).steps == {"gather"}


def test_values_below_values():
    steps = plan([dynamic("many"), dynamic("more", "many"), op("each", "more"), gather("inner", "each"),
                  gather("outer", "each", 2)])  # fmt: skip
    known = {"many": values("a", "b"), "more[a]": values("x"), "more[b]": values("y", "z"),
             **made("each[a,x]", "each[b,y]", "inner[a]")}  # fmt: skip
    assert from_failure(steps, [known]).steps == {"each[b,z]", "inner[b]", "outer"}
    known.pop("more[b]")
    assert from_failure(steps, [known]).steps == {"more[b]", "each[b,?]", "inner[b]", "outer"}
    assert from_selection(steps, [known], ["each[a,x]*"]).steps == {"each[a,x]", "inner[a]", "outer"}


def test_what_a_continuation_executes():
    found = from_failure(MAP, [without("each[b]", "twice[b]", "gather", "last")])
    assert found.handles == {"each", "twice", "gather", "last"}
    executed = [key for key in ("a", "b") if found.executes(at(MAP.steps["each"], (key,)))]
    assert executed == ["b"]
    assert found.executes(below(MAP.steps["each"], ()))
    assert not found.executes(MAP.steps["many"])
