"""Assets and asset checks as declared: frozen data, the same in every process and on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias, TypeVar

from treadle.core import tags as tag_rules
from treadle.core.keys import AssetCheckKey, AssetKey, CoercibleToAssetKey, check_dict, check_name
from treadle.core.mappings import PartitionMapping
from treadle.core.metadata import IO_MANAGER_KEY
from treadle.core.partitions import PartitionsDefinition
from treadle.errors import DefinitionError
from treadle.spec.policies import (
    AutomationRule,
    CronFreshnessPolicy,
    FreshnessPolicy,
    TimeWindowFreshnessPolicy,
    check_types,
    wrong_type,
)

DEFAULT_GROUP = "default"
_set = object.__setattr__


@dataclass(init=False, frozen=True, slots=True)
class AssetDep:
    """A dependency on an asset.

    Args:
        asset: the asset, or anything that has its key.
        partition_mapping: which partitions of it a partition needs; the default follows from both definitions.
        metadata: facts about the dependency.
    """

    asset_key: AssetKey
    partition_mapping: PartitionMapping | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __init__(
        self,
        asset: CoercibleToAssetKey | Any,
        *,
        partition_mapping: PartitionMapping | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        _set(self, "asset_key", AssetKey.from_coercible(asset))
        _set(self, "partition_mapping", partition_mapping)
        _set(self, "metadata", metadata or {})

    @staticmethod
    def of(value: CoercibleToAssetDep) -> AssetDep:
        """The dependency that `value` (a dependency, a key, or anything with a key) means."""
        return value if isinstance(value, AssetDep) else plain_dep(AssetKey.from_coercible(value))

    def with_keys(self, renamed: Mapping[AssetKey, AssetKey]) -> AssetDep:
        """This dependency, on an asset that may have another key now."""
        key = renamed.get(self.asset_key)
        if key is None:
            return self
        return AssetDep(key, partition_mapping=self.partition_mapping, metadata=self.metadata)


_plain: dict[AssetKey, AssetDep] = {}
_MOST_PLAIN = 200_000


def plain_dep(key: AssetKey) -> AssetDep:
    """A dependency with nothing but a key. One object for all that depend on one asset: see `AssetKey`."""
    known = _plain.get(key)
    if known is None:
        if len(_plain) >= _MOST_PLAIN:
            _plain.clear()
        known = _plain[key] = AssetDep(key)
    return known


CoercibleToAssetDep: TypeAlias = "AssetDep | CoercibleToAssetKey | Any"


class _Deps(tuple[AssetDep, ...]):
    """Dependencies that went through `deps_of`: `AssetSpec` need not look at them again."""

    __slots__ = ()


_NO_DEPS = _Deps()


def deps_of(values: Iterable[CoercibleToAssetDep] | None) -> tuple[AssetDep, ...]:
    """Dependencies, each asset once. Definitions with several assets stand for all of them.

    Raises:
        DefinitionError: it is no list, has something in it that is no asset, or names one asset twice with different
            partition mappings.
    """
    if not values:
        return _NO_DEPS
    if type(values) is _Deps:
        return values
    if type(values) is str or not hasattr(values, "__iter__"):
        raise DefinitionError(f"`deps` takes a list of assets, not {values!r}. Write deps=[...].")
    by_key: dict[AssetKey, AssetDep] = {}
    for value in values:
        if type(value) is str:
            key = AssetKey(value)
            if key not in by_key:
                by_key[key] = plain_dep(key)
            continue
        several = (
            getattr(value, "keys", None) if not isinstance(value, AssetDep | AssetKey | str | list | tuple) else None
        )
        for one in sorted(several) if several is not None and not callable(several) else (value,):
            dep = AssetDep.of(one)
            known = by_key.setdefault(dep.asset_key, dep)
            if known is not dep and known.partition_mapping != dep.partition_mapping:
                raise DefinitionError(
                    f"{dep.asset_key} is named twice as a dependency, with different partition mappings. Keep one."
                )
    return _Deps(by_key.values())


@dataclass(init=False, frozen=True, slots=True)
class AssetSpec:
    """An asset as declared: what it is called, what it needs, and facts about it. It does not say how it is made.

    Args:
        key: its key.
        deps: the assets it is made from.
        description: a sentence for people.
        metadata: facts about the definition.
        skippable: whether a function that makes it may leave it out.
        group_name: the group it is shown in; "default" when none is given.
        code_version: the version of the code that makes it.
        automation_condition: when it should be made without being asked.
        owners: e-mail addresses, or `team:<name>`.
        tags: labels.
        kinds: up to ten words for what it is made of, such as "python" or "duckdb".
        partitions_def: its partitions.
        freshness_policy: how old it may get.
        is_virtual: whether it has no data of its own, so that versions pass through it.

    Raises:
        DefinitionError: a name, group, owner, tag or kind breaks its rule.
    """

    key: AssetKey
    deps: tuple[AssetDep, ...] = ()
    description: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    skippable: bool = False
    group_name: str | None = None
    code_version: str | None = None
    automation_condition: AutomationRule | None = None
    owners: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    partitions_def: PartitionsDefinition | None = None
    freshness_policy: TimeWindowFreshnessPolicy | CronFreshnessPolicy | None = None
    is_virtual: bool = False

    def __init__(
        self,
        key: CoercibleToAssetKey,
        *,
        deps: Iterable[CoercibleToAssetDep] | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        skippable: bool = False,
        group_name: str | None = None,
        code_version: str | None = None,
        automation_condition: AutomationRule | None = None,
        owners: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        kinds: Iterable[str] | None = None,
        partitions_def: PartitionsDefinition | None = None,
        freshness_policy: FreshnessPolicy | None = None,
        is_virtual: bool = False,
    ) -> None:
        key = AssetKey.of(key)
        if automation_condition is not None and not isinstance(automation_condition, AutomationRule):
            raise wrong_type(_asset(key), "automation_condition", automation_condition)
        if freshness_policy is not None and not isinstance(freshness_policy, FreshnessPolicy):
            raise wrong_type(_asset(key), "freshness_policy", freshness_policy)
        if partitions_def is not None and not isinstance(partitions_def, PartitionsDefinition):
            raise wrong_type(_asset(key), "partitions_def", partitions_def)
        _set(self, "key", key)
        _set(self, "deps", deps_of(deps))
        _set(self, "description", description)
        if metadata:
            check_dict(metadata, "metadata", _asset(key))
        _set(self, "metadata", dict(metadata) if metadata else _EMPTY)
        _set(self, "skippable", skippable)
        _set(self, "group_name", tag_rules.group_name(group_name, _asset(key)) if group_name else None)
        _set(self, "code_version", code_version)
        _set(self, "automation_condition", automation_condition)
        _set(self, "owners", tag_rules.owners(owners, _asset(key)) if owners else ())
        _set(self, "tags", _tags(tags, kinds, _asset(key)) if tags or kinds else _EMPTY)
        _set(self, "partitions_def", partitions_def)
        _set(self, "freshness_policy", freshness_policy)
        _set(self, "is_virtual", is_virtual)

    @property
    def kinds(self) -> set[str]:
        """The words for what it is made of."""
        return tag_rules.kinds_of(self.tags)

    def replace_attributes(self, **changes: Any) -> AssetSpec:
        """This spec with the named attributes replaced. Arguments as for the constructor.

        Raises:
            DefinitionError: there is no such attribute, or its new value breaks a rule.
        """
        known = {name: getattr(self, name) for name in _ATTRIBUTES}
        unknown = changes.keys() - known.keys() - {"kinds"}
        if unknown:
            raise DefinitionError(f"AssetSpec has no attribute {sorted(unknown)[0]!r} to replace.")
        if "kinds" in changes:
            own = changes.get("tags", self.tags) or {}
            changes["tags"] = {k: v for k, v in own.items() if not k.startswith(tag_rules.KIND_PREFIX)}
        return AssetSpec(**{**known, **changes})

    def merge_attributes(
        self,
        *,
        deps: Iterable[CoercibleToAssetDep] = (),
        metadata: Mapping[str, Any] | None = None,
        owners: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        kinds: Iterable[str] = (),
    ) -> AssetSpec:
        """This spec with more of each of these."""
        return self.replace_attributes(
            deps=[*self.deps, *deps],
            metadata={**self.metadata, **(metadata or {})},
            owners=[*self.owners, *owners],
            tags={**self.tags, **(tags or {})},
            kinds={*self.kinds, *kinds},
        )

    def with_keys(self, renamed: Mapping[AssetKey, AssetKey]) -> AssetSpec:
        """This spec with other keys for it and for what it depends on."""
        deps = deps_of([dep.with_keys(renamed) for dep in self.deps])
        return _changed(self, key=renamed.get(self.key, self.key), deps=deps)

    def grouped(self) -> AssetSpec:
        """This spec, in the group `default` if it is in none."""
        return self if self.group_name is not None else self.replace_attributes(group_name="default")

    def with_io_manager_key(self, io_manager_key: str) -> AssetSpec:
        """This spec with the resource that stores and loads it."""
        return self.merge_attributes(metadata={IO_MANAGER_KEY: io_manager_key})


_ATTRIBUTES = tuple(field.name for field in fields(AssetSpec))
_EMPTY: Mapping[str, Any] = {}
_Spec = TypeVar("_Spec", bound="AssetSpec | AssetCheckSpec")


def _changed(spec: _Spec, **changes: Any) -> _Spec:
    """The same but for what is named. Nothing is checked: all else was when it was made."""
    made = object.__new__(type(spec))
    for name in type(spec).__slots__:
        _set(made, name, changes[name] if name in changes else getattr(spec, name))
    return made


def _asset(key: AssetKey) -> str:
    return f"asset {key.to_user_string()!r}"


def _tags(tags: Mapping[str, str] | None, kinds: Iterable[str] | None, where: str) -> dict[str, str]:
    return {**tag_rules.definition_tags(tags, where), **tag_rules.kind_tags(kinds, where)}


@dataclass(init=False, frozen=True, slots=True)
class AssetCheckSpec:
    """A check of an asset as declared.

    Args:
        name: unique for the asset.
        asset: the asset that is checked.
        description: a sentence for people.
        additional_deps: other assets that it looks at.
        blocking: whether a failure with severity ERROR stops what is downstream of the asset in the same run.
        metadata: facts about the definition.
        automation_condition: when it should be evaluated without being asked.
        partitions_def: its partitions.
    """

    name: str
    asset_key: AssetKey
    description: str | None = None
    additional_deps: tuple[AssetDep, ...] = ()
    blocking: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    automation_condition: AutomationRule | None = None
    partitions_def: PartitionsDefinition | None = None

    def __init__(
        self,
        name: str,
        *,
        asset: CoercibleToAssetKey | Any,
        description: str | None = None,
        additional_deps: Iterable[CoercibleToAssetDep] | None = None,
        blocking: bool = False,
        metadata: Mapping[str, Any] | None = None,
        automation_condition: AutomationRule | None = None,
        partitions_def: PartitionsDefinition | None = None,
    ) -> None:
        check_types(f"check {name!r}", automation_condition=automation_condition, partitions_def=partitions_def)
        _set(self, "name", check_name(name, "an asset check"))
        _set(self, "asset_key", AssetKey.from_coercible(asset))
        _set(self, "description", description)
        _set(self, "additional_deps", deps_of(additional_deps))
        _set(self, "blocking", blocking)
        _set(self, "metadata", dict(metadata) if metadata else _EMPTY)
        _set(self, "automation_condition", automation_condition)
        _set(self, "partitions_def", partitions_def)
        if any(dep.asset_key == self.asset_key for dep in self.additional_deps):
            raise DefinitionError(
                f"Check {name!r} names the asset it checks, {self.asset_key}, in additional_deps. Leave it out there."
            )

    @property
    def key(self) -> AssetCheckKey:
        """The key of the check."""
        return AssetCheckKey(self.asset_key, self.name)

    def get_python_identifier(self) -> str:
        """The name of the output that reports it."""
        return self.key.to_python_identifier()

    def with_keys(self, renamed: Mapping[AssetKey, AssetKey]) -> AssetCheckSpec:
        """This spec with other keys for the asset that it checks and for what it looks at."""
        deps = deps_of([dep.with_keys(renamed) for dep in self.additional_deps])
        return _changed(self, asset_key=renamed.get(self.asset_key, self.asset_key), additional_deps=deps)
