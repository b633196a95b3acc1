"""What is said when an argument has another shape than it must: never an error of Python about the inside."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import treadle as tr
from treadle.errors import DefinitionError


def function(x: int) -> None: ...


MISTAKES: list[tuple[Callable[[Any], object], str]] = [
    (lambda t: t.asset(tags=["a"])(function), "asset 'function': tags takes a dict, not ['a']."),
    (lambda t: t.asset(metadata=["a"])(function), "asset 'function': metadata takes a dict, not ['a']."),
    (lambda t: t.asset(group_name="a b")(function), "group name for asset 'function'."),
    (lambda t: t.asset(ins={"x": "y"})(function), "'function': ins['x'] takes an AssetIn(...), not 'y'."),
    (lambda t: t.asset(check_specs=["c"])(function), "check_specs has 'c' in it. Write AssetCheckSpec("),
    (lambda t: t.asset(pool="a b")(function), "'function' is in pool 'a b'. Give a name without spaces."),
    (lambda t: t.op(ins={"x": int})(function), "'function': ins['x'] takes an In(...), not <class 'int'>."),
    (lambda t: t.op(out={"y": int})(function), "'function': out['y'] takes an Out(...), not <class 'int'>."),
    (lambda t: t.op(tags=["a"])(function), "'function': tags takes a dict, not ['a']."),
    (lambda t: t.RunRequest(tags=["a"]), "a run request: tags takes a dict"),
    (lambda t: t.Definitions(resources=[1]), "Definitions: resources takes a dict, not [1]."),
    (lambda t: t.AssetKey(3), "a string or a non-empty list of strings, not 3."),
    (
        lambda t: t.sensor(name="s", job_name="j", minimum_interval_seconds="a")(lambda context: None),
        "minimum_interval_seconds is 'a'. Use 0 or more.",
    ),
]


@pytest.mark.parametrize(("make", "message"), MISTAKES)
def test_a_wrong_shape_is_named(make: Callable[[Any], object], message: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(message)):
        make(tr)


def test_one_module_alone_is_a_list_of_it() -> None:
    module = type(tr)("a_module")
    module.orders = tr.asset(name="orders")(lambda: 1)  # type: ignore[attr-defined]
    assert [one.key for one in tr.load_assets_from_modules(module)] == [tr.AssetKey("orders")]  # type: ignore[arg-type]


def test_a_name_of_dagster_leads_to_ours() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'DagsterInstance'\. Here it is 'Instance'"):
        _ = tr.DagsterInstance  # type: ignore[attr-defined]
