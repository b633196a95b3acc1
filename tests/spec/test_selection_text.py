"""The selection language as text: what is read, and what errors say and point at."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import SelectionError
from treadle.spec.selection import AssetSelection
from treadle.spec.selection_text import (
    ALL,
    And,
    Attribute,
    Call,
    Clause,
    Everything,
    Form,
    Grammar,
    Not,
    Or,
    Walk,
    parse,
    parse_clause,
    quote,
    split_commas,
)

GRAMMAR = Grammar(
    attributes={"key": Form(pattern=True, null=False), "tag": Form(pair=True), "is": Form(words=("good",))},
    functions=frozenset({"roots"}),
)


def test_precedence():
    a, b, c = (Attribute("key", name) for name in "abc")
    assert parse("key:a or not key:b and key:c", GRAMMAR) == Or((a, And((Not(b), c))))
    assert parse("not +key:b+2", GRAMMAR) == Not(Walk(b, ALL, 2))
    assert parse("3 + roots ( * )", GRAMMAR) == Walk(Call("roots", Everything()), 3, None)


def test_values():
    assert parse('tag:k="a=b"', GRAMMAR) == Attribute("tag", "k", "a=b")
    assert parse("tag:<null>", GRAMMAR) == Attribute("tag", None)
    assert parse("key:**", GRAMMAR) == Attribute("key", "**")
    assert parse("key:roots or key:key", GRAMMAR) == Or((Attribute("key", "roots"), Attribute("key", "key")))
    assert parse('key: "a\tb"', GRAMMAR) == Attribute("key", "a\tb")


@pytest.mark.parametrize(
    ("text", "caret", "says"),
    [
        ("", 0, "empty"),
        ("   ", 0, "empty"),
        ("key:", 4, "needs a value"),
        ("key:*", 4, "double quotes"),
        ("key:a-b", 4, 'Write "a-b"'),
        ("key:a.b or key:c", 4, 'Write "a.b"'),
        ("key:1a", 4, 'Write "1a"'),
        ("key:and", 4, 'Write "and"'),
        ("key:a:b", 4, 'Write "a:b"'),
        ("key:a and", 9, "ends too early"),
        ("key:a key:b", 6, "expected `and`"),
        ("key:a Or key:b", 6, "expected `and`"),
        ("key:a,key:b", 5, "Separate with `or`"),
        ("key:a)", 5, "closes nothing"),
        ("(key:a", 0, "not closed"),
        ("roots(key:a", 5, "not closed"),
        ("roots", 5, "expected `\\(`"),
        ("roots()", 6, "expected something to select"),
        ("foo:x", 0, "no attribute `foo`"),
        ("KEY:x", 0, "no attribute `KEY`"),
        ("key:x and y-z", 10, 'as in `key:"y-z"`'),
        ('"a" or key:b', 0, 'as in `key:"a"`'),
        ("++key:a", 1, "one `\\+` is enough"),
        ("key:a++", 6, "one `\\+` is enough"),
        ("1 key:a", 2, "expected `\\+`"),
        ("9999999999+key:a", 0, "so many levels"),
        ("is:bad", 3, "one of good"),
        ("key:<null>", 4, "no meaning"),
        ("key:a=b", 5, "takes one value"),
        ('key:"a', 4, "not closed"),
        ('key:"a\\x"', 4, "not closed"),
        ("not", 3, "ends too early"),
        ("key:a and or key:b", 10, "expected something"),
        ("key:a ! key:b", 6, "expected `and`"),
    ],
)
def test_errors_point_at_the_character(text: str, caret: int, says: str):
    with pytest.raises(SelectionError, match=says) as caught:
        parse(text, GRAMMAR)
    _, shown, mark = str(caught.value).split("\n")
    assert shown == f"  {text}"
    assert mark == f"  {' ' * caret}^"


def test_errors_in_several_lines_show_the_line():
    with pytest.raises(SelectionError) as caught:
        parse("key:a\n  or foo:b\n  or key:c", GRAMMAR)
    assert str(caught.value).endswith("\n    or foo:b\n       ^")


@pytest.mark.parametrize("text", ["(" * 5000 + "key:a" + ")" * 5000, "not " * 5000 + "key:a", "roots(" * 5000])
def test_deep_nesting_is_an_error_not_a_crash(text: str):
    with pytest.raises(SelectionError, match="Simplify"):
        parse(text, GRAMMAR)


def test_long_unions_are_fine():
    assert len(parse(" or ".join(["key:a"] * 20_000), GRAMMAR).children) == 20_000  # type: ignore[union-attr]


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_quoting_is_undone(value: str):
    assert parse(f"key:{quote(value)}", GRAMMAR) == Attribute("key", value)


@given(
    st.lists(
        st.sampled_from(
            [
                *[
                    "key",
                    ":",
                    "a",
                    '"b"',
                    "*",
                    "+",
                    "(",
                    ")",
                    "1",
                    "=",
                    "tag",
                    "<null>",
                    "roots",
                    "-",
                    '"',
                    "\\",
                    ",",
                    "and",
                    "or",
                    "not",
                ],
                " ",
                "\n",
                " and ",
                " or ",
                "not ",
            ]
        ),
        max_size=12,
    ).map("".join)
)
def test_any_text_is_read_or_refused_with_a_caret(text: str):
    message, selection = "", None
    try:
        selection = AssetSelection.from_string(text)
    except SelectionError as error:
        message = str(error)
    if selection is None:
        assert re.search(r"\n {2,}\^$", message)
    elif parse_clause(text) is None:
        assert AssetSelection.from_string(str(selection)) == selection


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", Clause("a", None, None)),
        (" a/b.c-d[0]? ", Clause("a/b.c-d[0]?", None, None)),
        ("*a", Clause("a", ALL, None)),
        ("*+a", Clause("a", ALL, None)),
        ("++a", Clause("a", 2, None)),
        ("a+*", Clause("a", None, ALL)),
        ("+a++", Clause("a", 1, 2)),
        ("+*a", None),
        ("a*+", None),
        ("a b", None),
        ("", None),
        ("*", None),
        ("1+a", None),
    ],
)
def test_clauses(text: str, expected: Clause | None):
    assert parse_clause(text) == expected


def test_commas():
    assert split_commas(' a,, b ,"x,y\\",z",c"') == ["a", "b", '"x,y\\",z"', 'c"']
    assert split_commas(" , ") == []
