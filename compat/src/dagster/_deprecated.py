"""Functions and classes that still take the arguments of older versions, with a warning that names what to use."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from types import ModuleType
from typing import Any

import dagster._old_members  # noqa: F401
import treadle
from dagster._warnings import warn_deprecated
from dagster.deprecated import LegacyFreshnessPolicy

Old = Callable[[dict[str, Any], Any], None]
"""What an old argument does to the others."""
Form = tuple[Old, str] | tuple[Old, str, Callable[[Any], bool]]
"""What an old argument does, what to use instead, and which values are old ones; all but None by default."""
LEGACY_FRESHNESS = "dagster/legacy_freshness_policy"


def _compute_kind(given: dict[str, Any], value: Any) -> None:
    given["kinds"] = {*(given.get("kinds") or ()), value}


def _op_kind(given: dict[str, Any], value: Any) -> None:
    given["op_tags"] = {**(given.get("op_tags") or {}), "dagster/compute_kind": value}


def _deps(given: dict[str, Any], value: Any) -> None:
    given["deps"] = [*(given.get("deps") or ()), *value]


def _condition(given: dict[str, Any], value: Any) -> None:
    if given.get("automation_condition") is not None:
        raise treadle.InvariantError("Give automation_condition or auto_materialize_policy, not both.")
    given["automation_condition"] = value.to_automation_condition()


def _code_version(given: dict[str, Any], value: Any) -> None:
    given["code_version"] = value


def _definition_metadata(given: dict[str, Any], value: Any) -> None:
    given.setdefault("definition_metadata", value)


def _input_assets(given: dict[str, Any], value: Any) -> None:
    given["input_assets"] = {**(given.get("input_assets") or {}), **value}


def _no_definitions(given: dict[str, Any], value: Any) -> None:
    if value:
        raise treadle.DefinitionError(
            f"The definitions {value!r} of inputs or outputs are of a kind that is gone. A graph has an input for each "
            "parameter of its function; describe them with ins={'x': GraphIn(...)} and out=GraphOut(...)."
        )


def _ignored(given: dict[str, Any], value: Any) -> None:
    """An argument that has no effect any more."""


def _kept(given: dict[str, Any], value: LegacyFreshnessPolicy) -> None:
    told = {name: getattr(value, name) for name in value.__slots__}
    given["metadata"] = {**(given.get("metadata") or {}), LEGACY_FRESHNESS: told}


def _lag(given: dict[str, Any], value: LegacyFreshnessPolicy) -> None:
    if given.get("freshness_policy") is None:
        given["freshness_policy"] = value.to_freshness_policy()


def _policy_of_today(given: dict[str, Any], value: LegacyFreshnessPolicy) -> None:
    given["freshness_policy"] = value.to_freshness_policy()


def _texts(given: dict[str, Any], value: Any) -> None:
    given["tags"] = {key: str(one) if isinstance(one, int | float) else one for key, one in value.items()}


def _has_numbers(tags: Any) -> bool:
    return isinstance(tags, Mapping) and any(isinstance(one, int | float) for one in tags.values())


def _lag_and_kept(given: dict[str, Any], value: LegacyFreshnessPolicy) -> None:
    _kept(given, value)
    _lag(given, value)


def with_old_arguments(function: Callable[..., Any], old: Mapping[str, Form]) -> Any:
    """`function`, which also takes the arguments in `old`: what each does to the others, and what to use instead."""
    called_by_users = function.__qualname__.removesuffix(".__init__")

    @wraps(function)
    def called(*args: Any, **given: Any) -> Any:
        if not old.keys().isdisjoint(given):
            for name in [name for name in old if name in given]:
                change, instead, *is_old = old[name]
                if is_old and not is_old[0](given[name]):
                    continue
                value = given.pop(name)
                if value is not None:
                    warn_deprecated(f"{called_by_users}({name}=...) is deprecated: {instead}")
                    change(given, value)
        return function(*args, **given)

    return called


def _legacy_freshness_policy(spec: treadle.AssetSpec) -> LegacyFreshnessPolicy | None:
    """The policy of older versions, if it has one."""
    told = spec.metadata.get(LEGACY_FRESHNESS)
    if told is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it came when the policy was made
        return LegacyFreshnessPolicy(**told)


treadle.AssetSpec.legacy_freshness_policy = property(_legacy_freshness_policy)  # pyright: ignore[reportAttributeAccessIssue]


def _of_caller(*args: Any, **given: Any) -> Any:
    """`load_assets_from_current_module`, called through one function more."""
    space = sys._getframe(2).f_globals
    module = ModuleType(space.get("__name__", "?"))
    vars(module).update(space)
    return treadle.load_assets_from_modules([module], *args, **given)


_of_caller.__qualname__ = "load_assets_from_current_module"

_TODAY = "use FreshnessPolicy.time_window or FreshnessPolicy.cron."
_POLICY: dict[str, Form] = {"auto_materialize_policy": (_condition, "use automation_condition.")}
_LOAD: dict[str, Form] = {
    **_POLICY,
    "legacy_freshness_policy": (_lag, "use freshness_policy."),
    "freshness_policy": (_policy_of_today, _TODAY, lambda value: isinstance(value, LegacyFreshnessPolicy)),
}
_SPEC: dict[str, Form] = {
    **_LOAD,
    "legacy_freshness_policy": (_lag_and_kept, "use freshness_policy."),
    "tags": (_texts, "write the value of each tag as a string.", _has_numbers),
}
_OLD: dict[str, Mapping[str, Form]] = {
    "AssetOut": _SPEC,
    "AssetSpec": _SPEC,
    "asset": {**_SPEC, "compute_kind": (_compute_kind, "use kinds."), "non_argument_deps": (_deps, "use deps.")},
    "GraphDefinition": {"node_input_source_assets": (_input_assets, "use input_assets.")},
    "build_input_context": {"metadata": (_definition_metadata, "use definition_metadata.")},
    "build_output_context": {"metadata": (_definition_metadata, "use definition_metadata.")},
    "graph": {
        "input_defs": (_no_definitions, "use ins, or the parameters of the function."),
        "output_defs": (_no_definitions, "use out."),
    },
    "graph_asset": {**_POLICY, "legacy_freshness_policy": (_kept, "it has no effect any more.")},
    "load_assets_from_current_module": _LOAD,
    "load_assets_from_modules": _LOAD,
    "load_assets_from_package_module": _LOAD,
    "load_assets_from_package_name": _LOAD,
    "multi_asset": {
        "allow_arbitrary_check_specs": (_ignored, "leave it out, every check is allowed."),
        "compute_kind": (_op_kind, "give kinds to each AssetSpec or AssetOut."),
        "non_argument_deps": (_deps, "use deps."),
    },
    "op": {"version": (_code_version, "use code_version.")},
}

treadle.OpDefinition.version = property(  # pyright: ignore[reportAttributeAccessIssue]
    lambda definition: definition.code_version, doc="The older name of its code version."
)


def __getattr__(name: str) -> Any:
    if name not in _OLD:
        raise AttributeError(name)
    found: Any = _of_caller if name == "load_assets_from_current_module" else getattr(treadle, name)
    if not isinstance(found, type):
        found = with_old_arguments(found, _OLD[name])
    else:  # the class itself, so that `isinstance` holds for what others make
        found.__init__ = with_old_arguments(found.__init__, _OLD[name])
    globals()[name] = found
    return found
