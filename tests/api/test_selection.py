"""`AssetSelection`: what each selects, in Python and in the selection language."""

from typing import Any

import pytest

import dagster as dg


@dg.asset(group_name="raw", tags={"tier": "gold", "x": "y"}, owners=["team:data"], kinds={"csv"})
def a():
    return 1


@dg.asset(key_prefix="p", deps=[a, "outside"], owners=["me@x.org"])
def b():
    return 1


@dg.multi_asset(specs=[dg.AssetSpec("c", deps=[b]), dg.AssetSpec("d", deps=[b])])
def both():
    yield dg.MaterializeResult("c")
    yield dg.MaterializeResult("d")


@dg.asset(key_prefix=["p", "q"], group_name="marts", deps=["c"])
def e():
    return 1


@dg.asset_check(asset=a)
def on_a():
    return dg.AssetCheckResult(passed=True)


@dg.asset_check(asset=e)
def on_e():
    return dg.AssetCheckResult(passed=True)


OUTSIDE = dg.AssetSpec("outside", group_name="raw")
ASSETS = [a, b, both, e]
DEFS = dg.Definitions(assets=[*ASSETS, OUTSIDE], asset_checks=[on_a, on_e])


def keys(selection: dg.AssetSelection) -> str:
    return " ".join(sorted(key.to_user_string() for key in selection.resolve(ASSETS)))


ALL = dg.AssetSelection.all()
KEYS = dg.AssetSelection.keys


@pytest.mark.api(
    "AssetSelection.all", "AssetSelection.keys", "AssetSelection.assets", "AssetSelection.key_prefixes",
    "AssetSelection.groups", "AssetSelection.tag", "AssetSelection.upstream", "AssetSelection.downstream",
    "AssetSelection.roots", "AssetSelection.sinks", "AssetSelection.sources", "AssetSelection.materializable",
    "AssetSelection.required_multi_asset_neighbors",
)  # fmt: skip
@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (ALL, "a c d p/b p/q/e"),
        (KEYS("a", ["p", "b"]), "a p/b"),
        (KEYS(dg.AssetKey(["p", "q", "e"])), "p/q/e"),
        (dg.AssetSelection.assets(a, both), "a c d"),
        (dg.AssetSelection.key_prefixes("p"), "p/b p/q/e"),
        (dg.AssetSelection.key_prefixes(["p", "q"], "nothing"), "p/q/e"),
        (dg.AssetSelection.groups("raw", "marts"), "a p/q/e"),
        (dg.AssetSelection.tag("tier", "gold"), "a"),
        (dg.AssetSelection.tag("tier", "silver"), ""),
        (KEYS("c").upstream(), "a c p/b"),
        (KEYS("c").upstream(depth=1), "c p/b"),
        (KEYS("c").upstream(include_self=False), "a p/b"),
        (KEYS("c").upstream(depth=0), "c"),
        (KEYS(["p", "b"]).downstream(), "c d p/b p/q/e"),
        (KEYS("a").downstream(depth=1), "a p/b"),
        (KEYS("c").downstream(include_self=False), "p/q/e"),
        (ALL.roots(), "a"),
        (ALL.sources(), "a"),
        ((KEYS("c") | KEYS("a")).roots(), "a"),
        ((KEYS("c") | KEYS("a")).sinks(), "c"),
        (ALL.sinks(), "d p/q/e"),
        (KEYS("a", ["p", "b"]).sinks(), "p/b"),
        (KEYS("a").materializable(), "a"),
        (KEYS("c").required_multi_asset_neighbors(), "c d"),
        (KEYS("a").required_multi_asset_neighbors(), "a"),
        (ALL - KEYS("a"), "c d p/b p/q/e"),
        (ALL & dg.AssetSelection.groups("raw"), "a"),
        (KEYS("a") | KEYS("c"), "a c"),
        (KEYS("a") - KEYS("a"), ""),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_selected(selection: dg.AssetSelection, expected: str) -> None:
    assert keys(selection) == expected


def selected_steps(selection: Any) -> set[str]:
    """The steps of a job over a selection."""
    defs = dg.Definitions(
        assets=DEFS.assets, asset_checks=DEFS.asset_checks, jobs=[dg.define_asset_job("j", selection=selection)]
    )
    result = defs.get_job_def("j").execute_in_process(raise_on_error=False)
    return {event.step_key for event in result.get_step_success_events()}


@pytest.mark.api("define_asset_job.selection")
@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("a", {"a", "a_on_a"}),
        (["a", "p/b"], {"a", "a_on_a", "p__b"}),
        ([a, b], {"a", "a_on_a", "p__b"}),
        ("+key:c", {"p__b"}),
        ('key:"p/b"+', {"p__b", "both", "p__q__e", "p__q__e_on_e"}),
        ("group:raw", {"a", "a_on_a"}),
        ("tag:tier=gold", {"a", "a_on_a"}),
        ("kind:csv", {"a", "a_on_a"}),
        ('owner:"team:data"', {"a", "a_on_a"}),
        ('owner:"me@x.org" or key:a', {"a", "a_on_a", "p__b"}),
        ("not key:c and not key:d and group:default", {"p__b"}),
        ("key:p/*", {"p__b", "p__q__e", "p__q__e_on_e"}),
        ("roots(*)", {"a", "a_on_a"}),
        ("sinks(group:marts)", {"p__q__e", "p__q__e_on_e"}),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore")
def test_what_jobs_select(selection: Any, expected: set[str]) -> None:
    if selection == "+key:c":  # half of a function that makes both
        with pytest.raises(dg.DagsterError):
            selected_steps(selection)
    else:
        assert selected_steps(selection) == expected


@pytest.mark.api(
    "AssetSelection.checks", "AssetSelection.checks_for_assets", "AssetSelection.all_asset_checks",
    "AssetSelection.without_checks",
)  # fmt: skip
@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (dg.AssetSelection.checks(on_a), {"a_on_a"}),
        (dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("a"), "on_a")), {"a_on_a"}),
        (dg.AssetSelection.checks_for_assets(e), {"p__q__e_on_e"}),
        (dg.AssetSelection.all_asset_checks(), {"a_on_a", "p__q__e_on_e"}),
        (KEYS("a").without_checks(), {"a"}),
        (KEYS("a") - dg.AssetSelection.checks(on_a), {"a"}),
    ],
    ids=str,
)
def test_checks_are_selected(selection: dg.AssetSelection, expected: set[str]) -> None:
    assert selected_steps(selection) == expected


@pytest.mark.api("AssetSelection.upstream_source_assets", "AssetSelection.all", "AssetSelection.groups")
@pytest.mark.filterwarnings("ignore")
def test_assets_that_nothing_here_makes() -> None:
    def chosen(selection: dg.AssetSelection) -> set[str]:
        changed = DEFS.map_resolved_asset_specs(
            func=lambda spec: spec.replace_attributes(description="chosen"), selection=selection
        )
        return {spec.key.to_user_string() for spec in changed.resolve_all_asset_specs() if spec.description == "chosen"}

    assert chosen(KEYS(["p", "b"]).upstream_source_assets()) == {"outside"}
    assert "outside" in chosen(dg.AssetSelection.all(include_sources=True))
    assert "outside" not in chosen(dg.AssetSelection.all())
    assert chosen(dg.AssetSelection.groups("raw", include_sources=True)) == {"a", "outside"}


@pytest.mark.api("AssetSelection.keys")
def test_selecting_what_is_not_there() -> None:
    with pytest.raises(dg.DagsterInvalidSubsetError, match="nothing_here"):
        KEYS("nothing_here").resolve(ASSETS)


@pytest.mark.api("AssetSelection.keys", "AssetSelection.groups", "AssetSelection.upstream")
def test_selections_are_values() -> None:
    assert KEYS("a") == KEYS("a")
    assert KEYS("a") != KEYS("b")
    assert str(KEYS("a").upstream(depth=1)) == '1+key:"a"'
    assert str(dg.AssetSelection.groups("raw")) == 'group:"raw"'
