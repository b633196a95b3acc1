from __future__ import annotations

from typing import Any

import pytest

from treadle.core import tags
from treadle.errors import DefinitionError


@pytest.mark.parametrize(
    "key", ["a", "a/b", "a.b-c_d/e.f", "-a", ".dagster/x", f"{'a' * 63}/{'b' * 63}", "dagster/kind/python"]
)
@pytest.mark.parametrize("value", ["", "g.h-i_j", "x" * 63])
def test_definition_tags_take_the_small_alphabet(key: str, value: str) -> None:
    assert tags.definition_tags({key: value}, "asset 'a'") == {key: value}


@pytest.mark.parametrize("key", ["", "a b", "a/b/c", "a/", "/a", "é", "a:b", "a" * 64, "a\n", 1])
def test_definition_tags_refuse_other_keys(key: Any) -> None:
    with pytest.raises(DefinitionError, match="asset 'a'"):
        tags.definition_tags({key: "v"}, "asset 'a'")


@pytest.mark.parametrize("value", ["b c", "x" * 64, "x/y", '{"x":1}', "v\n", 1, None])
def test_definition_tags_refuse_other_values(value: Any) -> None:
    with pytest.raises(DefinitionError, match="'k' of asset 'a'"):
        tags.definition_tags({"k": value}, "asset 'a'")


def test_run_tags_take_any_text_and_write_the_rest_as_json() -> None:
    written: dict[str, Any] = {"a b": "c d", "n": 1, "d": {"x": 1}, "l": [1, None], "t": True}
    assert tags.run_tags(written, "job 'j'") == {
        "a b": "c d",
        "n": "1",
        "d": '{"x": 1}',
        "l": "[1, null]",
        "t": "true",
    }
    with pytest.raises(DefinitionError, match="'s' of job 'j'"):
        tags.run_tags({"s": {1}}, "job 'j'")
    with pytest.raises(DefinitionError, match="keys are strings"):
        tags.run_tags({1: "a"}, "job 'j'")  # pyright: ignore[reportArgumentType]


def test_kinds_are_tags() -> None:
    assert tags.kind_tags(["python", "google cloud"], "x") == {
        "dagster/kind/python": "",
        "dagster/kind/google cloud": "",
    }
    assert tags.kinds_of({"dagster/kind/python": "", "other": "x"}) == {"python"}
    assert len(tags.kind_tags((str(number) for number in range(10)), "x")) == 10
    for wrong in ({str(number) for number in range(11)}, {""}, "python"):
        with pytest.raises(DefinitionError, match="asset 'a'"):
            tags.kind_tags(wrong, "asset 'a'")


@pytest.mark.parametrize("owner", ["a@b.co", "a+x@mail.b.co", "team:x", "team:a b"])
def test_owners_are_addresses_or_teams(owner: str) -> None:
    assert tags.owners([owner], "x") == (owner,)


@pytest.mark.parametrize("owner", ["team:", "x", "a@b", "TEAM:x", "a b@c.d", "@b.co", "a@b.co ", " a@b.co", 1])
def test_other_owners_are_refused(owner: Any) -> None:
    with pytest.raises(DefinitionError, match="asset 'a'"):
        tags.owners([owner], "asset 'a'")


def test_group_names() -> None:
    assert tags.group_name("a/b_1", "x") == "a/b_1"
    for wrong in ("", "a b", "a-b", "a//b", "/a", "a\n"):
        with pytest.raises(DefinitionError):
            tags.group_name(wrong, "x")
