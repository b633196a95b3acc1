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
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

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

# --- where to look -------------------------------------------------------------------------------------------------

P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class _Loader(Generic[P, R]):
    """Loads one kind of definitions from each place that may have them. The public functions are its methods.

    Args:
        load: makes them of what was found. Its other arguments are those of the public functions.
    """

    def __init__(self, load: Callable[Concatenate[Sequence[_Namespace], P], R]) -> None:
        self._load = load

    def from_modules(self, modules: Iterable[ModuleType], *args: P.args, **kwargs: P.kwargs) -> R:
        """What stands at the top level of modules, alone or in a list: assets, asset checks, or all definitions.

        Args:
            modules: the modules.
            group_name: for assets: the group of all of them.
            key_prefix, source_key_prefix: for assets: put before the key of each that something here makes, and of each
                that nothing here makes.
            freshness_policy, automation_condition, backfill_policy: for assets: given to each that something here
                makes, in place of its own.
            include_specs: for assets: whether a bare `AssetSpec` counts as one.
            asset_key_prefix: for asset checks: the `key_prefix` that the assets were loaded with.
            resources, loggers, executor: for definitions: as for `Definitions`. They are given here, not looked for.

        Raises:
            DefinitionError: two definitions declare the same, or an asset is in another group already.
        """
        given = [modules] if isinstance(modules, ModuleType) else modules
        return self._load([_namespace(module) for module in given], *args, **kwargs)

    def from_module(self, module: ModuleType, *args: P.args, **kwargs: P.kwargs) -> R:
        """As `load_definitions_from_modules`, of one module."""
        return self._load([_namespace(module)], *args, **kwargs)

    def from_current_module(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """As `load_..._from_modules`, of the module that calls this, as far as it got."""
        namespace = sys._getframe(1).f_globals
        return self._load([(namespace.get("__name__", "?"), namespace)], *args, **kwargs)

    def from_package_module(self, package_module: ModuleType, *args: P.args, **kwargs: P.kwargs) -> R:
        """As `load_..._from_modules`, of a package and of every module in it, which are all imported."""
        return self._load(list(_package(package_module)), *args, **kwargs)

    def from_package_name(self, package_name: str, *args: P.args, **kwargs: P.kwargs) -> R:
        """As `load_..._from_modules`, of the package of this name and of every module in it."""
        return self._load(list(_package(import_module(package_name))), *args, **kwargs)


def _namespace(module: ModuleType) -> _Namespace:
    if not isinstance(module, ModuleType):
        raise DefinitionError(f"{module!r} is not a module. Import the module and give that, in a list.")
    return module.__name__, vars(module)


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


def _checks(namespaces: Sequence[_Namespace], asset_key_prefix: _Prefix = None) -> Sequence[AssetChecksDefinition]:
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
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, Any] | None = None,
    executor: Any = None,
) -> Definitions:
    others: dict[str, Any] = {name: [one for _, one in _found(namespaces, types)] for name, types in _OTHERS.items()}
    return Definitions(
        assets=_assets(namespaces, include_specs=True),
        asset_checks=_checks(namespaces),
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


# --- the public functions -------------------------------------------------------------------------------------------

_of_assets = _Loader(_assets)
load_assets_from_modules = _of_assets.from_modules
load_assets_from_current_module = _of_assets.from_current_module
load_assets_from_package_module = _of_assets.from_package_module
load_assets_from_package_name = _of_assets.from_package_name

_of_checks = _Loader(_checks)
load_asset_checks_from_modules = _of_checks.from_modules
load_asset_checks_from_current_module = _of_checks.from_current_module
load_asset_checks_from_package_module = _of_checks.from_package_module
load_asset_checks_from_package_name = _of_checks.from_package_name

_of_everything = _Loader(_definitions)
load_definitions_from_modules = _of_everything.from_modules
load_definitions_from_module = _of_everything.from_module
load_definitions_from_current_module = _of_everything.from_current_module
load_definitions_from_package_module = _of_everything.from_package_module
load_definitions_from_package_name = _of_everything.from_package_name
