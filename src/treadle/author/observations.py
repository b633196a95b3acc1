"""Assets that nothing here makes, and that a function looks at: it says which version their data has.

A run that selects them records observations. They never are materialized, and `materialize` leaves them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import msgspec

from treadle.author.assets import io_manager_key_of, key_of, spec_with
from treadle.author.assets_definition import AssetsDefinition, derived
from treadle.author.ops import DEFAULT_OUTPUT, OpDefinition, Out
from treadle.author.outcomes import AssetResult, DataVersion
from treadle.author.signature import decorator, docstring, where
from treadle.author.types import NOTHING
from treadle.core.keys import CoercibleToAssetKey
from treadle.core.metadata import IO_MANAGER_KEY
from treadle.core.partitions import PartitionsDefinition
from treadle.errors import DefinitionError
from treadle.spec.assets import AssetCheckSpec, AssetSpec
from treadle.spec.policies import AutomationRule


class ObserveResult(AssetResult):
    """What a function that observes an asset reports about it.

    Args:
        asset_key: the asset; may be left out where the function observes one asset only.
        metadata: facts about what was seen.
        check_results: outcomes of the checks that are declared with the function.
        data_version: the version of the data. Without it, only the metadata are recorded.
        tags: tags for the observation.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"ObserveResult(asset_key={self.asset_key!r}, data_version={self.data_version!r})"


class DataVersionsByPartition(msgspec.Struct, frozen=True):
    """The versions of an asset's data, one for each partition that was looked at."""

    data_versions_by_partition: Mapping[str, DataVersion]

    def __post_init__(self) -> None:
        given: Mapping[str, str | DataVersion] = self.data_versions_by_partition
        versions = {key: DataVersion(one) if isinstance(one, str) else one for key, one in given.items()}
        msgspec.structs.force_setattr(self, "data_versions_by_partition", versions)


@decorator("observe_fn")
def observable_source_asset(
    *,
    key: CoercibleToAssetKey | None = None,
    name: str | None = None,
    key_prefix: str | Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    io_manager_key: str | None = None,
    io_manager_def: object | None = None,
    description: str | None = None,
    group_name: str | None = None,
    required_resource_keys: Set[str] | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    partitions_def: PartitionsDefinition | None = None,
    automation_condition: AutomationRule | None = None,
    op_tags: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    """Make a function the observer of an asset that something else makes.

    It returns a `DataVersion`, `DataVersionsByPartition` for an asset with partitions, or an `ObserveResult`. A job
    that selects the asset calls it.

    Args:
        io_manager_key, io_manager_def: what loads the asset's value for assets that need it.
        automation_condition: when it should be observed without being asked.
        The other arguments are those of `asset`.

    Raises:
        DefinitionError: arguments contradict each other, or the function takes values of other assets.
    """

    def make(fn: Callable[..., Any]) -> AssetsDefinition:
        asset_key = key_of(fn, key, name, key_prefix)
        resources = dict(resource_defs or {})
        manager = io_manager_key_of(fn, asset_key, io_manager_key, io_manager_def, resources)
        spec = AssetSpec(
            asset_key, description=description or docstring(fn), group_name=group_name, tags=tags,
            metadata={**(metadata or {}), IO_MANAGER_KEY: manager} if manager else metadata,
            partitions_def=partitions_def, automation_condition=automation_condition,
        )  # fmt: skip
        return _observing(
            fn, asset_key.to_python_identifier(), {DEFAULT_OUTPUT: spec}, (), required_resource_keys, op_tags,
            partitions_def=partitions_def, resource_defs=resources,
        )  # fmt: skip

    return make


def multi_observable_source_asset(
    *,
    specs: Sequence[AssetSpec],
    name: str | None = None,
    description: str | None = None,
    partitions_def: PartitionsDefinition | None = None,
    can_subset: bool = False,
    required_resource_keys: Set[str] | None = None,
    resource_defs: Mapping[str, object] | None = None,
    group_name: str | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    """Make a function the observer of several assets. It yields an `ObserveResult` for each that it looked at.

    Args:
        specs: the assets.
        can_subset: whether it can look only at what `context.selected_asset_keys` asks for.
        check_specs: checks of these assets that it evaluates, too.
        The other arguments are those of `multi_asset`.

    Raises:
        DefinitionError: the function takes values of other assets, or two specs contradict the arguments.
    """

    def make(fn: Callable[..., Any]) -> AssetsDefinition:
        shared = {"group_name": group_name, "partitions_def": partitions_def}
        made = [spec_with(spec, shared, "@multi_observable_source_asset", where=where(fn)) for spec in specs]
        by_output = {spec.key.to_python_identifier(): spec for spec in made}
        return _observing(
            fn, name or fn.__name__, by_output, check_specs or (), required_resource_keys, None,
            description=description, partitions_def=partitions_def, resource_defs=resource_defs, can_subset=can_subset,
        )  # fmt: skip

    return make


def _observing(
    fn: Callable[..., Any],
    name: str,
    specs: Mapping[str, AssetSpec],
    check_specs: Sequence[AssetCheckSpec],
    required_resource_keys: Set[str] | None,
    op_tags: Mapping[str, Any] | None,
    *,
    description: str | None = None,
    **options: Any,
) -> AssetsDefinition:
    outs = {one: Out(NOTHING, is_required=False) for one in (*specs, *(c.get_python_identifier() for c in check_specs))}
    op = OpDefinition(fn, name, None, outs, description, None, required_resource_keys, op_tags)
    if op.ins:
        raise DefinitionError(
            f"{name!r} observes assets and takes a parameter {next(iter(op.ins))!r}, and nothing is loaded for it. "
            f"Take `context`, `config` and resources only.{op.where}"
        )
    keys = {output: spec.key for output, spec in specs.items()}
    return derived(op, list(specs.values()), {}, keys, check_specs, is_observable=True, **options)
