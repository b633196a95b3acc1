"""What the selection language means, rule by rule, where an example tells more than the grammar."""

from typing import Any

import pytest

import dagster as dg

# outside -> a -> b -> c -> d; A is beside them, and nothing here makes A or outside
SPECS = [dg.AssetSpec("outside"), dg.AssetSpec("A", group_name="raw")]


@dg.asset(
    deps=["outside"],
    group_name="raw",
    tags={"empty": "", "tier": "gold"},
    owners=["team:x", "a@b.co"],
    kinds={"csv"},
)
def a():
    return 1


@dg.asset(deps=[a], group_name="rare")
def b():
    return 1


@dg.asset(key=["p", "c-d.e"], deps=[b])
def c():
    return 1


@dg.asset(deps=[c])
def d():
    return 1


ASSETS = [a, b, c, d]
LINE = "a b d p/c-d.e"


def chosen(selection: Any) -> str:
    return " ".join(sorted(key.to_user_string() for key in selection.resolve([*ASSETS, *SPECS])))


@pytest.mark.api("AssetSelection.from_string")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", LINE),
        ("key:a", "a"),
        ("key:p/*", "p/c-d.e"),
        ('key:"*"', "A a b d outside p/c-d.e"),
        ('key:"p/c-d.e"', "p/c-d.e"),
        ('key:"*c-d*"', "p/c-d.e"),
        ("key:B", ""),  # letters count, and nothing found is nothing
        ("tag:tier=gold", "a"),
        ("tag:tier", ""),  # the empty value, not any
        ("tag:empty", "a"),
        ('owner:"a@b.co"', "a"),
        ('owner:"team:x"', "a"),
        ('owner:"team:*"', ""),
        ("group:raw", "a"),
        ('group:"ra*"', "a b"),
        ("kind:csv", "a"),
        ("kind:CSV", ""),
        ("is:external", "A outside"),
        ("is:materializable", LINE),
        ("+key:d", LINE),  # what nothing here makes is not above
        ("1+key:d", "d p/c-d.e"),
        ("key:a+", LINE),  # every level, where a bare name takes one
        ("key:a+1", "a b"),
        ("1+key:b+1", "a b p/c-d.e"),
        ("roots(key:b or key:d)", "b"),  # b is above d, with one between
        ("sinks(key:a or key:b)", "b"),
        ("not key:a", "b d p/c-d.e"),
        ("NOT key:a AND key:b", "b"),
        ("key:a or key:b and key:d", "a"),
        ("(key:a or key:b) and key:b", "b"),
        ("not key:a+1", "d p/c-d.e"),
        (" key:a\n or\n key:b ", "a b"),
        # one clause as it once was: each + one level, * all of them
        ("a", "a"),
        ("p/c-d.e", "p/c-d.e"),
        ("*d", LINE),
        ("b*", "b d p/c-d.e"),
        ("+d", "d p/c-d.e"),
        ("++d", "b d p/c-d.e"),
        ("a+", "a b"),
        ("a++", "a b p/c-d.e"),
        ("+b+", "a b p/c-d.e"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_a_text_selects(text: str, expected: str) -> None:
    assert chosen(dg.AssetSelection.from_string(text)) == expected


@pytest.mark.api("AssetSelection.from_string")
@pytest.mark.parametrize(
    "text", ["key:*", "a and b", "not a", "is:red", "And", "key:a And key:b", "key:a-b", "nope:x", "", "owner:a@b.co"]
)
def test_texts_that_select_nothing_because_they_are_wrong(text: str) -> None:
    with pytest.raises(dg.DagsterError):
        dg.AssetSelection.from_string(text).resolve(ASSETS)


@pytest.mark.api("AssetSelection.from_string")
def test_a_bare_name_that_is_not_there_is_an_error() -> None:
    with pytest.raises(dg.DagsterInvalidSubsetError):
        dg.AssetSelection.from_string("nothing").resolve(ASSETS)


@pytest.mark.parametrize(
    "attribute",
    ["code_location:x", "status:healthy", "column:c", "table_name:t", "column_tag:k=v", "job:j", "sensor:s"],
)
def test_what_only_a_workspace_knows_is_read_and_refused_when_resolved(attribute: str) -> None:
    selection = dg.AssetSelection.from_string(attribute)
    with pytest.raises(dg.DagsterError, match=attribute.split(":")[0]):
        selection.resolve(ASSETS)


@pytest.mark.api(
    "AssetSelection.key_substring", "AssetSelection.tag_string", "AssetSelection.kind", "AssetSelection.owner"
)
@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (dg.AssetSelection.key_substring("c-"), "p/c-d.e"),
        (dg.AssetSelection.tag_string("tier=gold"), "a"),
        (dg.AssetSelection.tag_string("empty"), "a"),
        (dg.AssetSelection.kind("csv"), "a"),
        (dg.AssetSelection.owner("team:x"), "a"),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore")
def test_what_python_selects(selection: Any, expected: str) -> None:
    assert chosen(selection) == expected


def test_a_missing_key_may_be_let_pass() -> None:
    assert dg.AssetSelection.keys("a", "gone").resolve(ASSETS, allow_missing=True) == {dg.AssetKey("a")}
