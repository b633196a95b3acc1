"""Collecting definitions from modules: what stands at their top level, alone or in a list.

An object that several modules import is one definition; two definitions of one asset are a mistake. `key_prefix`
renames the assets that were found, and with them every dependency on one of them; what the modules only refer to keeps
its key.
"""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, TypedDict, Unpack

from treadle.author.asset_jobs import UnresolvedAssetJobDefinition
from treadle.author.assets_definition import AssetsDefinition
from treadle.author.checks import AssetChecksDefinition
from treadle.author.definitions import SCHEDULES, Definitions
from treadle.author.jobs import JobDefinition
from treadle.author.sensors import SensorDefinition
from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.errors import DefinitionError
from treadle.spec.assets import DEFAULT_GROUP, AssetSpec
from treadle.spec.policies import AutomationRule, BackfillPolicy, FreshnessPolicy, check_types

_Prefix = str | Sequence[str] | None
_Loaded = Sequence[AssetsDefinition | AssetSpec]
# A namespace: where it is (for messages) and what it holds. The current module may be one that is not importable.
_Namespace = tuple[str, Mapping[str, Any]]
# What `load_definitions_from_...` looks for besides assets and checks, by argument of `Definitions`.
_OTHERS: dict[str, tuple[type, ...]] = {
    "jobs": (JobDefinition, UnresolvedAssetJobDefinition),
    "schedules": SCHEDULES,
    "sensors": (SensorDefinition,),
}

# --- assets --------------------------------------------------------------------------------------------------------


class LoadOptions(TypedDict, total=False):
    """What is said of all assets that are loaded.

    Attributes:
        freshness_policy, automation_condition, backfill_policy: given to each that something here makes, in place of
            its own.
        source_key_prefix: put before the key of each that nothing here makes.
        include_specs: whether a bare `AssetSpec` counts as an asset.
    """

    freshness_policy: FreshnessPolicy | None
    automation_condition: AutomationRule | None
    backfill_policy: BackfillPolicy | None
    source_key_prefix: _Prefix
    include_specs: bool


def load_assets_from_modules(
    modules: Iterable[ModuleType],
    group_name: str | None = None,
    key_prefix: _Prefix = None,
    **options: Unpack[LoadOptions],
) -> _Loaded:
    """The assets at the top level of modules.

    Args:
        group_name: the group of all of them.
        key_prefix: put before the key of each asset that something here makes.
        options: see `LoadOptions`.

    Raises:
        DefinitionError: two definitions declare one asset, or an asset is in another group already.
    """
    return _assets(_namespaces(modules), group_name, key_prefix, **options)


def load_assets_from_current_module(
    group_name: str | None = None, key_prefix: _Prefix = None, **options: Unpack[LoadOptions]
) -> _Loaded:
    """The assets at the top level of the module that calls this, as far as it got. See `load_assets_from_modules`."""
    return _assets([_caller()], group_name, key_prefix, **options)


def load_assets_from_package_module(
    package_module: ModuleType,
    group_name: str | None = None,
    key_prefix: _Prefix = None,
    **options: Unpack[LoadOptions],
) -> _Loaded:
    """The assets of a package and of every module in it, which are all imported. See `load_assets_from_modules`."""
    return _assets(list(_package(package_module)), group_name, key_prefix, **options)


def load_assets_from_package_name(
    package_name: str, group_name: str | None = None, key_prefix: _Prefix = None, **options: Unpack[LoadOptions]
) -> _Loaded:
    """The assets of the package of this name and of every module in it. See `load_assets_from_modules`."""
    return _assets(list(_package(import_module(package_name))), group_name, key_prefix, **options)


# --- asset checks --------------------------------------------------------------------------------------------------


def load_asset_checks_from_modules(
    modules: Iterable[ModuleType], asset_key_prefix: _Prefix = None
) -> Sequence[AssetChecksDefinition]:
    """The asset checks at the top level of modules.

    Args:
        asset_key_prefix: put before the key of each asset that is checked: the prefix that the assets were loaded with.

    Raises:
        DefinitionError: two definitions declare one check.
    """
    return _checks(_namespaces(modules), asset_key_prefix)


def load_asset_checks_from_current_module(asset_key_prefix: _Prefix = None) -> Sequence[AssetChecksDefinition]:
    """The asset checks of the module that calls this, as far as it got. See `load_asset_checks_from_modules`."""
    return _checks([_caller()], asset_key_prefix)


def load_asset_checks_from_package_module(
    package_module: ModuleType, asset_key_prefix: _Prefix = None
) -> Sequence[AssetChecksDefinition]:
    """The asset checks of a package and of every module in it. See `load_asset_checks_from_modules`."""
    return _checks(list(_package(package_module)), asset_key_prefix)


def load_asset_checks_from_package_name(
    package_name: str, asset_key_prefix: _Prefix = None
) -> Sequence[AssetChecksDefinition]:
    """The asset checks of the package of this name. See `load_asset_checks_from_modules`."""
    return _checks(list(_package(import_module(package_name))), asset_key_prefix)


# --- everything ----------------------------------------------------------------------------------------------------


def load_definitions_from_modules(
    modules: Iterable[ModuleType],
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, Any] | None = None,
    executor: Any = None,
) -> Definitions:
    """Everything at the top level of modules: assets, specs, checks, jobs, schedules and sensors.

    Args:
        resources, loggers, executor: as for `Definitions`. They are given here, not looked for.

    Raises:
        DefinitionError: two definitions declare the same.
    """
    return _definitions(_namespaces(modules), resources, loggers, executor)


def load_definitions_from_module(
    module: ModuleType,
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, Any] | None = None,
    executor: Any = None,
) -> Definitions:
    """Everything at the top level of a module. See `load_definitions_from_modules`."""
    return _definitions([_namespace(module)], resources, loggers, executor)


def load_definitions_from_current_module(
    resources: Mapping[str, Any] | None = None, loggers: Mapping[str, Any] | None = None, executor: Any = None
) -> Definitions:
    """Everything in the module that calls this, as far as it got. See `load_definitions_from_modules`."""
    return _definitions([_caller()], resources, loggers, executor)


def load_definitions_from_package_module(
    package_module: ModuleType,
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, Any] | None = None,
    executor: Any = None,
) -> Definitions:
    """Everything in a package and in every module of it. See `load_definitions_from_modules`."""
    return _definitions(list(_package(package_module)), resources, loggers, executor)


def load_definitions_from_package_name(
    package_name: str,
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, Any] | None = None,
    executor: Any = None,
) -> Definitions:
    """Everything in the package of this name. See `load_definitions_from_modules`."""
    return _definitions(list(_package(import_module(package_name))), resources, loggers, executor)


# --- where to look -------------------------------------------------------------------------------------------------


def _namespaces(modules: Iterable[ModuleType]) -> list[_Namespace]:
    return [_namespace(module) for module in ([modules] if isinstance(modules, ModuleType) else modules)]


def _namespace(module: ModuleType) -> _Namespace:
    if not isinstance(module, ModuleType):
        raise DefinitionError(f"{module!r} is not a module. Import the module and give that, in a list.")
    return module.__name__, vars(module)


def _caller() -> _Namespace:
    """The module that called the public function which calls this."""
    namespace = sys._getframe(2).f_globals
    return namespace.get("__name__", "?"), namespace


def _package(package: ModuleType) -> Iterator[_Namespace]:
    """The package and every module below it, each imported."""
    yield _namespace(package)
    for found in pkgutil.iter_modules(getattr(package, "__path__", ()), f"{package.__name__}."):
        if not found.name.endswith(".__main__"):  # what `python -m` starts is not there to be imported
            yield from _package(import_module(found.name))


def _found(namespaces: Iterable[_Namespace], wanted: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    """Objects of these types, alone or in a list of nothing else, each once, with the module it was first seen in."""
    seen: set[int] = set()
    for name, values in namespaces:
        for value in list(values.values()):
            if isinstance(value, wanted):
                objects = [value]
            elif isinstance(value, list) and value and all(isinstance(one, wanted) for one in value):
                objects = value
            else:
                continue
            for one in objects:
                if id(one) not in seen:
                    seen.add(id(one))
                    yield name, one


# --- what to make of it --------------------------------------------------------------------------------------------


def _assets(
    namespaces: Sequence[_Namespace],
    group_name: str | None = None,
    key_prefix: _Prefix = None,
    *,
    freshness_policy: FreshnessPolicy | None = None,
    automation_condition: AutomationRule | None = None,
    backfill_policy: BackfillPolicy | None = None,
    source_key_prefix: _Prefix = None,
    include_specs: bool = False,
) -> _Loaded:
    check_types(
        "load_assets_from_...", freshness_policy=freshness_policy, automation_condition=automation_condition,
        backfill_policy=backfill_policy,
    )  # fmt: skip
    found: list[AssetsDefinition | AssetSpec] = []
    places: dict[AssetKey, tuple[str, Any]] = {}
    for name, one in _found(namespaces, (AssetsDefinition, AssetSpec)):
        if isinstance(one, AssetChecksDefinition) or (isinstance(one, AssetSpec) and not include_specs):
            continue
        if not (isinstance(one, AssetSpec) and one.key in places and places[one.key][1] == one):
            _note(places, "Asset", _keys(one), name, one)
            found.append(one)
    made = [one for one in found if _is_made(one)]
    renamed = {
        **_prefixed(key_prefix, (key for one in made for key in _keys(one))),
        **_prefixed(source_key_prefix, (key for one in found if not _is_made(one) for key in _keys(one))),
    }
    policies = {"freshness_policy": freshness_policy, "automation_condition": automation_condition}
    replaced = {name: value for name, value in policies.items() if value is not None}
    loaded: list[AssetsDefinition | AssetSpec] = []
    for one in found:
        new = one.with_keys(renamed) if renamed else one
        change = _changes(group_name, replaced if _is_made(one) else {})
        if change is not None:
            new = change(new) if isinstance(new, AssetSpec) else new.with_specs(change)
        if backfill_policy is not None and isinstance(new, AssetsDefinition) and new.is_executable:
            new = new.with_backfill_policy(backfill_policy)
        loaded.append(new)
    return loaded


def _is_made(one: AssetsDefinition | AssetSpec) -> bool:
    return isinstance(one, AssetsDefinition) and one.is_executable


def _keys(one: AssetsDefinition | AssetSpec) -> Iterable[AssetKey]:
    return (one.key,) if isinstance(one, AssetSpec) else one.keys


def _prefixed(prefix: _Prefix, keys: Iterable[AssetKey]) -> dict[AssetKey, AssetKey]:
    return {key: key.with_prefix(prefix) for key in keys} if prefix else {}


def _changes(group_name: str | None, replaced: Mapping[str, Any]) -> Callable[[AssetSpec], AssetSpec] | None:
    if group_name is None and not replaced:
        return None

    def change(spec: AssetSpec) -> AssetSpec:
        if group_name is None:
            return spec.replace_attributes(**replaced)
        if spec.group_name not in (None, DEFAULT_GROUP, group_name):
            raise DefinitionError(
                f"Asset {spec.key.to_user_string()!r} is in group {spec.group_name!r}, and it is loaded with "
                f"group_name={group_name!r}. Keep one of the two."
            )
        return spec.replace_attributes(group_name=group_name, **replaced)

    return change


def _checks(namespaces: Sequence[_Namespace], asset_key_prefix: _Prefix) -> Sequence[AssetChecksDefinition]:
    loaded: list[AssetChecksDefinition] = []
    places: dict[AssetCheckKey, tuple[str, Any]] = {}
    for name, one in _found(namespaces, (AssetsDefinition, AssetSpec)):
        if not isinstance(one, AssetChecksDefinition):
            continue
        _note(places, "Check", one.check_keys, name, one)
        checked = {spec.asset_key for spec in one.check_specs}
        loaded.append(one.with_keys(_prefixed(asset_key_prefix, checked)) if asset_key_prefix else one)
    return loaded


def _definitions(
    namespaces: Sequence[_Namespace],
    resources: Mapping[str, Any] | None,
    loggers: Mapping[str, Any] | None,
    executor: Any,
) -> Definitions:
    others: dict[str, Any] = {name: [one for _, one in _found(namespaces, types)] for name, types in _OTHERS.items()}
    return Definitions(
        assets=_assets(namespaces, include_specs=True),
        asset_checks=_checks(namespaces, None),
        **others,
        resources=resources,
        loggers=loggers,
        executor=executor,
    )


def _note(places: dict[Any, tuple[str, Any]], what: str, keys: Iterable[Any], name: str, one: Any) -> None:
    """Remember where these keys are declared.

    Raises:
        DefinitionError: one of them is declared elsewhere.
    """
    for key in keys:
        first, other = places.setdefault(key, (name, one))
        if other is not one:
            raise DefinitionError(
                f"{what} {key.to_user_string()!r} is declared twice: in {first}{_where(other)} and {name}{_where(one)}."
                " Rename one, or load one of the modules with a key_prefix."
            )


def _where(one: Any) -> str:
    return one.node_def.where if isinstance(one, AssetsDefinition) and one.is_executable else ""
