"""Automation conditions as data: the trees, equality, the wire, and what replaces or narrows parts of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

import treadle as tr
from treadle import AssetSelection
from treadle import AutomationCondition as Condition
from treadle.core import codec
from treadle.errors import DefinitionError
from treadle.spec.automation import AllOf, AnyOf, CustomCondition, DepsMatch, Operand

DECODER = codec.decoder(Condition)


def shown(condition: Condition) -> str:
    """A tree, with all labels and names: `[label]NAME(children)`."""
    children = ", ".join(shown(child) for child in condition.children)
    label = f"[{condition.label}]" if condition.label else ""
    return f"{label}{condition.name}" + (f"({children})" if children else "")


# --- what the built-in ones are: the trees of the peer, observed -----------------------------------------------------

HANDLED = "[handled]OR(newly_requested, newly_updated, initial_evaluation)"
IN_PROGRESS = "[in_progress]OR(run_in_progress, backfill_in_progress)"
DEPS_UPDATED = (
    "[any_deps_updated]ANY_DEPS_MATCH(OR([newly_updated_without_root]AND(newly_updated, "
    "NOT(executed_with_root_target)), will_be_requested))"
)
DEPS_MISSING = "[any_deps_missing]ANY_DEPS_MATCH(AND(missing, NOT(will_be_requested)))"
TICK = "cron_tick_passed(cron_schedule=0 * * * *, cron_timezone=Europe/Berlin)"
SINCE_CRON = (
    "[all_deps_updated_since_cron(0 * * * *, Europe/Berlin)]"
    f"ALL_DEPS_MATCH(OR(SINCE(newly_updated, {TICK}), will_be_requested))"
)


@pytest.mark.parametrize(
    ("condition", "tree"),
    [
        (Condition.newly_missing(), "[newly_missing]NEWLY_TRUE(missing)"),
        (Condition.in_progress(), IN_PROGRESS),
        (Condition.any_deps_updated(), DEPS_UPDATED),
        (Condition.any_deps_missing(), DEPS_MISSING),
        (Condition.any_deps_in_progress(), f"[any_deps_in_progress]ANY_DEPS_MATCH({IN_PROGRESS})"),
        (
            Condition.all_deps_blocking_checks_passed(),
            "[all_deps_blocking_checks_passed]ALL_DEPS_MATCH("
            "[all_blocking_checks_passed]ALL_CHECKS_MATCH(blocking_only=True)(check_passed))",
        ),
        (Condition.all_deps_updated_since_cron("0 * * * *", "Europe/Berlin"), SINCE_CRON),
        (
            Condition.eager(),
            f"[eager]AND(in_latest_time_window, "
            f"SINCE(OR([newly_missing]NEWLY_TRUE(missing), {DEPS_UPDATED}), {HANDLED}), "
            f"NOT({DEPS_MISSING}), NOT([any_deps_in_progress]ANY_DEPS_MATCH({IN_PROGRESS})), NOT({IN_PROGRESS}))",
        ),
        (
            Condition.on_missing(),
            "[on_missing]AND(in_latest_time_window, "
            f"[missing_since_last_handled]SINCE(NEWLY_TRUE(missing), {HANDLED}), NOT({DEPS_MISSING}))",
        ),
        (
            Condition.on_cron("0 * * * *", "Europe/Berlin"),
            f"[on_cron(0 * * * *, Europe/Berlin)]AND(in_latest_time_window, SINCE({TICK}, {HANDLED}), {SINCE_CRON})",
        ),
        (Condition.missing().since_last_handled(), f"SINCE(missing, {HANDLED})"),
        (
            Condition.in_latest_time_window(timedelta(hours=3)),
            "in_latest_time_window(lookback_timedelta=3:00:00)",
        ),
        (Condition.asset_matches(["a", "b"], Condition.missing()), "a/b(missing)"),
        (
            Condition.all_job_root_assets_match(Condition.eager()),
            f"[all_job_root_assets_match(eager)]ALL_JOB_ROOT_ASSETS_MATCH({shown(Condition.eager())})",
        ),
        (Condition.any_downstream_conditions(), "ANY_DOWNSTREAM_CONDITIONS"),
        (Condition.freshness_failed(), "[freshness_failed]freshness_failed"),
        (
            Condition.any_new_update_has_run_tags(tag_keys={"b", "a"}, tag_values={"x": "y"}),
            "any_new_update_has_run_tags(tag_keys={a,b}, tag_values={x:y})",
        ),
        (Condition.executed_with_tags(), "executed_with_tags"),
    ],
)
def test_trees(condition: Condition, tree: str) -> None:
    assert shown(condition) == tree


@pytest.mark.parametrize(
    "name",
    [
        "missing",
        "run_in_progress",
        "backfill_in_progress",
        "execution_failed",
        "newly_updated",
        "newly_requested",
        "will_be_requested",
        "initial_evaluation",
        "code_version_changed",
        "data_version_changed",
        "executed_with_root_target",
        "check_passed",
        "check_failed",
    ],
)
def test_leaves_are_called_as_what_makes_them(name: str) -> None:
    made = getattr(Condition, name)()
    assert (made.name, made.label, made.children) == (name, None, ())


def test_parts_without_a_label_join_into_one_level() -> None:
    a, b, c = Condition.missing(), Condition.newly_updated(), Condition.execution_failed()
    assert shown((a & b) & (b & c)) == "AND(missing, newly_updated, newly_updated, execution_failed)"
    assert shown(a | (b | c) | a & b) == "OR(missing, newly_updated, execution_failed, AND(missing, newly_updated))"
    assert shown((a & b).with_label("ab") & c) == "AND([ab]AND(missing, newly_updated), execution_failed)"
    assert shown(c & (a & b).with_label("ab")) == "AND(execution_failed, [ab]AND(missing, newly_updated))"
    assert shown(~~a) == "NOT(NOT(missing))"


def test_it_reads_as_an_expression() -> None:
    condition = (Condition.missing() | Condition.eager()) & ~Condition.any_deps_match(Condition.missing())
    assert repr(condition) == "<AutomationCondition (missing | eager) & ~any_deps_match(missing)>"
    assert str(condition.with_label("mine")) == "mine"
    assert repr((Condition.missing() & Condition.eager()).newly_true().with_label("x")) == (
        "<AutomationCondition x: (missing & eager).newly_true()>"
    )
    narrowed = Condition.all_deps_match(Condition.missing()).allow(AssetSelection.groups("g"))
    assert repr(narrowed) == '<AutomationCondition all_deps_match(missing).allow(group:"g")>'
    assert Condition.eager().label == "eager"
    assert Condition.eager().with_label(None).label is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Condition.missing() & 3, "& takes an automation condition, not 3"),  # pyright: ignore
        (lambda: Condition.missing() | Condition.eager, r"\| takes an automation condition.* Call it\."),  # pyright: ignore
        (lambda: Condition.missing().since("x"), r"since\(\) takes"),  # pyright: ignore
        (lambda: Condition.any_deps_match("x"), r"any_deps_match\(\) takes"),  # pyright: ignore
        (lambda: Condition.eager().replace(3, Condition.missing()), r"replace\(\) takes"),  # pyright: ignore
        (lambda: Condition.eager().replace("x", 3), r"replace\(\) takes"),  # pyright: ignore
        (lambda: Condition.cron_tick_passed("61 * * * *"), "61"),
        (lambda: Condition.on_cron("* * * * * *"), "6 fields"),
        (lambda: Condition.on_cron(3), "cron schedule is a string"),  # pyright: ignore
        (lambda: Condition.all_deps_updated_since_cron("@daily", "Nowhere/Land"), "Nowhere/Land"),
        (lambda: Condition.in_latest_time_window(3), "timedelta"),  # pyright: ignore
        (lambda: Condition.executed_with_tags(tag_keys="team"), "set of strings"),  # pyright: ignore
    ],
)
def test_mistakes_are_named(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        make()


# --- replacing and narrowing ----------------------------------------------------------------------------------------


def test_parts_are_replaced_by_label_name_or_value() -> None:
    eager = Condition.eager()
    assert "SINCE(OR([newly_missing]NEWLY_TRUE(missing), execution_failed)" in shown(
        eager.replace("any_deps_updated", Condition.execution_failed())
    )
    window = Condition.in_latest_time_window(timedelta(days=2))
    assert eager.replace(Condition.in_latest_time_window(), window).children[0] == window
    assert eager.replace("NOT", window).children[2:] == (window,) * 3
    assert eager.replace(Condition.eager(), window) is window
    assert eager.replace("nothing is called so", window) is eager
    # Not the labelled one, which is another value.
    assert eager.replace(Condition.missing().newly_true(), window) is eager


def test_the_label_of_job_roots_follows_what_is_replaced_inside() -> None:
    roots = Condition.any_job_root_assets_match(Condition.missing())
    changed = roots.replace("missing", Condition.newly_updated())
    assert changed == Condition.any_job_root_assets_match(Condition.newly_updated())
    assert roots.with_label("mine").replace("missing", Condition.newly_updated()).label == "mine"


def test_operands_are_left_out() -> None:
    without = Condition.eager().without(~Condition.any_deps_missing())
    assert isinstance(without, AllOf)
    assert (without.label, len(without.operands)) == ("eager", 4)
    assert ~Condition.any_deps_missing() not in without.operands
    with pytest.raises(DefinitionError, match="missing is none of the operands of eager"):
        Condition.eager().without(Condition.missing())
    with pytest.raises(DefinitionError, match="less than two operands"):
        (Condition.missing() & Condition.in_progress()).without(Condition.missing())


def test_what_is_allowed_or_ignored_adds_up() -> None:
    g, h, x = AssetSelection.groups("g"), AssetSelection.groups("h"), AssetSelection.keys("x")
    deps = Condition.any_deps_match(Condition.missing())
    narrowed = deps.allow(g).allow(h).ignore(x).ignore(g)
    assert (narrowed.allow_selection, narrowed.ignore_selection) == (h | g, g | x)
    assert (deps.allow_selection, deps.ignore_selection) == (None, None)
    assert narrowed.operand == deps.operand
    assert deps.allow("group:g") == deps.allow(g)  # pyright: ignore
    assert not hasattr(Condition.missing(), "allow")
    assert not hasattr(Condition.asset_matches("a", deps), "allow")


def test_resolving_through_virtual_assets_reaches_all_conditions_on_dependencies() -> None:
    through = Condition.eager().resolve_through_virtual()
    deps = [part for part in through.walk() if isinstance(part, DepsMatch)]
    assert [part.through_virtual for part in deps] == [True] * 3
    assert through.resolve_through_virtual(False) == Condition.eager()


# --- conditions of users --------------------------------------------------------------------------------------------


class Quiet(Condition):
    """A user's condition, with a constructor that knows nothing of ours."""

    def __init__(self, hours: list[int]) -> None:
        self.hours = hours

    @property
    def name(self) -> str:
        return f"quiet{self.hours}"


class Slotted(Condition):
    __slots__ = ("hour",)

    def __init__(self, hour: int) -> None:
        self.hour = hour


def test_conditions_of_users_are_values_too() -> None:
    assert Quiet([1]) == Quiet([1]) != Quiet([2])
    assert Slotted(1) == Slotted(1) != Slotted(2)
    assert len({Quiet([1]), Quiet([1]), Slotted(1)}) == 2
    named = Quiet([1]).with_label("q")
    assert (named.label, named.hours, Quiet([1]).label) == ("q", [1], None)
    both = Quiet([1]) & Condition.missing()
    assert both == Quiet([1]) & Condition.missing() != Quiet([2]) & Condition.missing()
    assert both.replace("quiet[1]", Condition.eager()) == AllOf((Condition.eager(), Condition.missing()))  # pyright: ignore
    assert both.replace(Quiet([1]), Quiet([3])).children[0].hours == [3]  # pyright: ignore


def test_elsewhere_a_stand_in_is_known_for_conditions_of_users() -> None:
    condition = (Quiet([1]).with_label("q") | Condition.missing()).newly_true()
    there = DECODER.decode(codec.encode(condition))
    stand_in = CustomCondition("quiet[1]", where=f"{__name__}.Quiet", label="q")
    assert there == AnyOf((stand_in, Operand("missing"))).newly_true()  # pyright: ignore
    assert shown(there) == shown(condition)
    assert DECODER.decode(codec.encode(Quiet([2]))).name == "quiet[2]"
    assert not condition.is_serializable
    assert not there.is_serializable
    assert Condition.eager().is_serializable


# --- properties -----------------------------------------------------------------------------------------------------

LABELS = st.none() | st.sampled_from(["one", "two"])
SELECTIONS = st.sampled_from([AssetSelection.groups("g"), AssetSelection.keys("a/b"), AssetSelection.all()])
LEAVES = st.sampled_from(
    [
        Condition.missing(),
        Condition.newly_updated(),
        Condition.freshness_passed(),
        Condition.in_latest_time_window(timedelta(hours=1)),
        Condition.cron_tick_passed("@daily", "Europe/Paris"),
        Condition.any_new_update_has_run_tags(tag_keys={"k"}, tag_values={"a": "b"}),
        Condition.in_progress(),
    ]
)


def larger(parts: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    made = st.one_of(
        st.builds(AllOf, several),
        st.builds(AnyOf, several),
        parts.map(lambda part: ~part),
        parts.map(Condition.newly_true),
        st.builds(Condition.since, parts, parts),
        parts.map(Condition.any_deps_match),
        st.builds(lambda part, selection: Condition.all_deps_match(part).ignore(selection), parts, SELECTIONS),
        st.builds(Condition.any_checks_match, parts, st.booleans()),
        parts.map(lambda part: Condition.asset_matches(["x", "y"], part)),
    )
    return st.builds(lambda condition, label: condition.with_label(label), made, LABELS)


TREES = st.recursive(LEAVES, larger, max_leaves=12)


@given(TREES)
def test_trees_survive_the_wire_and_equal_only_themselves(condition: Any) -> None:
    there = DECODER.decode(codec.encode(condition))
    assert there == condition
    assert hash(there) == hash(condition)
    assert repr(there) == repr(condition)
    assert codec.encode(there) == codec.encode(condition)
    assert condition != condition.with_label("another")
    assert condition != ~condition


def copied(condition: Any, change: Callable[[Any], Any | None]) -> Any:
    """The naive model: a copy made from the fields up, `change` deciding what comes for a part (None: its copy)."""
    changed = change(condition)
    if changed is not None:
        return changed
    fields = {name: getattr(condition, name) for name in condition.__struct_fields__}
    for name, value in fields.items():
        if isinstance(value, Condition):
            fields[name] = copied(value, change)
        elif name == "operands":
            fields[name] = tuple(copied(one, change) for one in value)
    return type(condition)(**fields)


@given(TREES, st.data())
def test_replacing_is_as_in_a_naive_copy(condition: Any, data: st.DataObject) -> None:
    parts = list(condition.walk())
    old = data.draw(st.sampled_from([*parts, "one", "two", "NOT", "missing", Condition.execution_failed()]))
    new = data.draw(TREES)

    def change(part: Any) -> Any | None:
        found = old in (part.name, part.label) if isinstance(old, str) else part == old
        return new if found else None

    assert condition.replace(old, new) == copied(condition, change)


@given(TREES, SELECTIONS, st.sampled_from(["allow", "ignore"]))
def test_narrowing_is_as_in_a_naive_copy(condition: Any, selection: AssetSelection, how: str) -> None:
    field = f"{how}_selection"

    def change(part: Any) -> Any | None:
        if hasattr(part, field):  # a condition on dependencies or checks; what is inside stays
            known = getattr(part, field)
            return structs.replace(part, **{field: selection if known is None else selection | known})
        return None if part.name in ("AND", "OR", "NOT", "SINCE", "NEWLY_TRUE") else part

    expected = copied(condition, change)
    if hasattr(condition, how):
        assert getattr(condition, how)(selection) == expected
    else:
        assert expected == condition


def test_specs_carry_conditions_over_the_wire() -> None:
    policy = tr.FreshnessPolicy.cron(deadline_cron="@daily", lower_bound_delta=timedelta(hours=1))
    spec = tr.AssetSpec("a", automation_condition=Condition.eager(), freshness_policy=policy)
    check = tr.AssetCheckSpec("c", asset="a", automation_condition=Condition.on_cron("@hourly"))
    assert codec.decoder(tr.AssetSpec).decode(codec.encode(spec)) == spec
    assert codec.decoder(tr.AssetCheckSpec).decode(codec.encode(check)) == check
