"""Decorators that still take the arguments of older versions, with a warning that names what to use instead."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

import treadle

Old = Callable[[dict[str, Any], Any], None]


def _warn(function: str, argument: str, instead: str) -> None:
    warnings.warn(f"{function}({argument}=...) is deprecated: {instead}", DeprecationWarning, stacklevel=4)


def _compute_kind(given: dict[str, Any], value: Any) -> None:
    given["kinds"] = {*(given.get("kinds") or ()), value}


def _op_kind(given: dict[str, Any], value: Any) -> None:
    given["op_tags"] = {**(given.get("op_tags") or {}), "dagster/compute_kind": value}


def _deps(given: dict[str, Any], value: Any) -> None:
    given["deps"] = [*(given.get("deps") or ()), *value]


def _condition(given: dict[str, Any], value: Any) -> None:
    given["automation_condition"] = value.to_automation_condition()


def _code_version(given: dict[str, Any], value: Any) -> None:
    given["code_version"] = value


def _ignored(given: dict[str, Any], value: Any) -> None:
    """An argument that has no effect any more."""


def _with_old_arguments(function: Callable[..., Any], old: dict[str, tuple[Old, str]]) -> Any:
    """`function`, which also takes the arguments in `old`: what each does to the others, and what to use instead."""

    @wraps(function)
    def called(*args: Any, **given: Any) -> Any:
        for name in old.keys() & given.keys():
            value = given.pop(name)
            if value is not None:
                change, instead = old[name]
                _warn(function.__name__, name, instead)
                change(given, value)
        return function(*args, **given)

    return called


_POLICY = (_condition, "use automation_condition.")
_LAG = (_ignored, "it has no effect any more; use freshness_policy.")

asset = _with_old_arguments(
    treadle.asset,
    {
        "auto_materialize_policy": _POLICY,
        "compute_kind": (_compute_kind, "use kinds."),
        "legacy_freshness_policy": _LAG,
        "non_argument_deps": (_deps, "use deps."),
    },
)
multi_asset = _with_old_arguments(
    treadle.multi_asset,
    {
        "allow_arbitrary_check_specs": (_ignored, "leave it out, every check is allowed."),
        "compute_kind": (_op_kind, "give kinds to each AssetSpec or AssetOut."),
        "non_argument_deps": (_deps, "use deps."),
    },
)
op = _with_old_arguments(treadle.op, {"version": (_code_version, "use code_version.")})
