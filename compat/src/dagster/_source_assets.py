"""Source assets: assets that nothing here makes, as older code declares them. Each is an external or observed asset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import treadle
from dagster._deprecated import with_old_arguments
from treadle.author.assets_definition import AssetsDefinition
from treadle.core.metadata import IO_MANAGER_KEY, normalize

_CRON = ((1440, "0 0 */{} * *"), (60, "0 */{} * * *"), (1, "*/{} * * * *"))
"""Minutes of a unit, and how cron says every so many of it."""


class SourceAsset(AssetsDefinition):
    """An asset that something else makes. New code writes `AssetSpec(...)`, or `@observable_source_asset`.

    Args:
        key: its key.
        io_manager_key, io_manager_def: what loads its value: the key of a resource, or an object.
        observe_fn: says which version its data has.
        auto_observe_interval_minutes: how often it is observed without being asked, as near as cron can say it, unless
            an `automation_condition` says it.
        legacy_freshness_policy: without effect.
        The other arguments are those of `AssetSpec`.
    """

    def __init__(
        self,
        key: Any,
        metadata: Mapping[str, Any] | None = None,
        io_manager_key: str | None = None,
        io_manager_def: object | None = None,
        description: str | None = None,
        partitions_def: Any = None,
        group_name: str | None = None,
        resource_defs: Mapping[str, object] | None = None,
        observe_fn: Callable[..., Any] | None = None,
        op_tags: Mapping[str, Any] | None = None,
        *,
        auto_observe_interval_minutes: float | None = None,
        legacy_freshness_policy: Any = None,
        automation_condition: Any = None,
        tags: Mapping[str, str] | None = None,
        _required_resource_keys: set[str] | None = None,
    ) -> None:
        asset_key = treadle.AssetKey.from_coercible(key)
        resources = dict(resource_defs or {})
        if io_manager_def is not None:
            io_manager_key = io_manager_key or asset_key.to_python_identifier("io_manager")
            resources[io_manager_key] = io_manager_def
        self.observe_fn = observe_fn
        self.op_tags = op_tags
        self.auto_observe_interval_minutes = auto_observe_interval_minutes
        self.legacy_freshness_policy = legacy_freshness_policy
        shared: dict[str, Any] = {
            "metadata": metadata, "description": description, "partitions_def": partitions_def,
            "group_name": group_name, "automation_condition": automation_condition, "tags": tags,
        }  # fmt: skip
        if observe_fn is None:
            spec = treadle.AssetSpec(asset_key, **shared)
            super().__init__(
                None, [spec.with_io_manager_key(io_manager_key) if io_manager_key else spec], keys_by_input_name={},
                keys_by_output_name={}, partitions_def=partitions_def, resource_defs=resources,
            )  # fmt: skip
            return
        if automation_condition is None and auto_observe_interval_minutes:
            shared["automation_condition"] = _every(auto_observe_interval_minutes)
        observing = treadle.observable_source_asset(
            key=asset_key, io_manager_key=io_manager_key, resource_defs=resources, op_tags=op_tags,
            required_resource_keys=_required_resource_keys, **shared,
        )(observe_fn)  # fmt: skip
        self.__dict__.update(observing.__dict__)

    @property
    def raw_metadata(self) -> Mapping[str, Any]:
        """The metadata as they were given."""
        return {name: value for name, value in self.specs[0].metadata.items() if name != IO_MANAGER_KEY}

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The metadata as values."""
        return normalize(self.raw_metadata, repr(self))

    @property
    def io_manager_key(self) -> str | None:
        """The resource that loads it; None for the default one."""
        return self.specs[0].metadata.get(IO_MANAGER_KEY)

    @property
    def description(self) -> str | None:
        """A sentence for people."""
        return self.specs[0].description

    @property
    def group_name(self) -> str:
        """The group it is shown in."""
        return self.specs[0].group_name or "default"

    @property
    def automation_condition(self) -> Any:
        """When it is observed without being asked."""
        return self.specs[0].automation_condition

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags."""
        return self.specs[0].tags


def _every(minutes: float) -> Any:
    """True about every so many minutes: cron knows steps of minutes, hours and days."""
    unit, words = next((one for one in _CRON if minutes >= one[0]), _CRON[-1])
    return treadle.AutomationCondition.cron_tick_passed(words.format(max(1, round(minutes / unit))))


def _observed_every(given: dict[str, Any], minutes: float) -> None:
    given.setdefault("automation_condition", _every(minutes))


observable_source_asset = with_old_arguments(
    treadle.observable_source_asset,
    {
        "auto_observe_interval_minutes": (_observed_every, "use automation_condition."),
        "legacy_freshness_policy": (lambda given, value: None, "it has no effect any more."),
    },
)


def _to_source_asset(definition: AssetsDefinition, key: Any = None) -> SourceAsset:
    """One of its assets, as something that is made elsewhere.

    Raises:
        InvocationError: there is no such asset, or several and no key.
    """
    spec = definition.get_asset_spec(treadle.AssetKey.from_coercible(key) if key is not None else None)
    metadata = {name: value for name, value in spec.metadata.items() if name != IO_MANAGER_KEY}
    return SourceAsset(
        spec.key, metadata, spec.metadata.get(IO_MANAGER_KEY), None, spec.description, spec.partitions_def,
        spec.group_name, tags=spec.tags,
    )  # fmt: skip


def _to_source_assets(definition: AssetsDefinition) -> Sequence[SourceAsset]:
    """Its assets, as something that is made elsewhere."""
    return [_to_source_asset(definition, spec.key) for spec in definition.specs]


AssetsDefinition.to_source_asset = _to_source_asset  # pyright: ignore[reportAttributeAccessIssue]
AssetsDefinition.to_source_assets = _to_source_assets  # pyright: ignore[reportAttributeAccessIssue]


_MEMBERS: dict[str, Callable[[AssetsDefinition], Any]] = {
    "automation_conditions_by_key": lambda made: {
        one.key: one.automation_condition for one in made.specs if one.automation_condition is not None
    },
    "is_external": lambda made: not made.is_executable,
    "is_materializable": lambda made: made.is_executable and not made.is_observable,
    "owners_by_key": lambda made: {one.key: one.owners for one in made.specs},
    "specs_by_key": lambda made: {one.key: one for one in made.specs},
}
"""What users ask of an `AssetsDefinition` besides what is documented."""
for _name, _get in _MEMBERS.items():
    setattr(AssetsDefinition, _name, property(_get))
AssetsDefinition.map_asset_specs = AssetsDefinition.with_specs  # pyright: ignore[reportAttributeAccessIssue]
