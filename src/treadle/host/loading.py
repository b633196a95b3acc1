"""Stored values of assets, read back outside a run: through the IO manager that the asset names."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from treadle.author.assets_definition import AssetsDefinition, default_io_manager_key
from treadle.author.io_contexts import build_input_context, build_output_context
from treadle.author.io_managers import fs_io_manager
from treadle.author.ops import DEFAULT_IO_MANAGER_KEY
from treadle.author.resources import ResourceDefinition, ResourceInit, check_configs, resource_definitions
from treadle.author.types import ANY, value_type
from treadle.core.keys import AssetKey, CoercibleToAssetKey, did_you_mean
from treadle.core.subsets import PartitionKeyRange
from treadle.errors import InvocationError
from treadle.host.instance import Instance
from treadle.runtime.resources import OpenResources, open_resources


class AssetValueLoader:
    """Reads stored values of assets. IO managers are set up when they are first needed, and stay up until it is closed.

    Args:
        assets_defs_by_key: the assets.
        instance: where values are stored by default; that of the home if None.
        resource_defs: the resources, IO managers among them, by key.

    Example:
        with defs.get_asset_value_loader() as loader:
            orders = loader.load_asset_value("orders")
    """

    def __init__(
        self,
        assets_defs_by_key: Mapping[AssetKey, AssetsDefinition],
        instance: Instance | None = None,
        resource_defs: Mapping[str, ResourceDefinition] | None = None,
    ) -> None:
        self._assets = assets_defs_by_key
        self._given = instance
        self._instance = instance
        self._definitions = {DEFAULT_IO_MANAGER_KEY: fs_io_manager, **(resource_defs or {})}
        self._open: dict[tuple[Any, ...], OpenResources] = {}

    def __enter__(self) -> AssetValueLoader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take down what was set up."""
        opened, self._open = list(self._open.values()), {}
        for one in reversed(opened):
            with one:
                pass
        if self._given is None and self._instance is not None:
            self._instance.close()
            self._instance = None

    def load_asset_value(
        self,
        asset_key: CoercibleToAssetKey,
        *,
        python_type: type | None = None,
        partition_key: str | None = None,
        partition_key_range: PartitionKeyRange | None = None,
        input_definition_metadata: Mapping[str, Any] | None = None,
        resource_config: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Any:
        """The stored value of an asset.

        Args:
            python_type: the type that the IO manager is asked for.
            partition_key, partition_key_range: which partitions of it.
            input_definition_metadata: facts for the IO manager; `metadata` is its old name.
            resource_config: as under `resources` in run config.

        Raises:
            InvocationError: there is no such asset.
            UnknownPartitionError: it has no such partition.
        """
        key = AssetKey.of(asset_key)
        if key not in self._assets:
            names = [one.to_user_string() for one in self._assets]
            raise InvocationError(
                f"There is no asset {key.to_user_string()!r} here.{did_you_mean(key.to_user_string(), names)}"
            )
        spec = self._assets[key].get_asset_spec(key)
        if self._instance is None:
            self._instance = Instance.get()
        if partition_key is not None and spec.partitions_def is not None:
            spec.partitions_def.validate_partition_key(partition_key, dynamic_partitions_store=self._instance)
        manager_key = default_io_manager_key(spec)
        opened = self._resources(manager_key, self._assets[key].resource_defs, resource_config)
        output = build_output_context(
            name="result", asset_key=key, definition_metadata=spec.metadata, partition_key=partition_key,
            asset_partitions_def=spec.partitions_def, asset_partition_key_range=partition_key_range,
            resources=opened.values, instance=self._instance, asset_spec=spec,
        )  # fmt: skip
        context = build_input_context(
            asset_key=key, upstream_output=output, definition_metadata=input_definition_metadata or metadata,
            partition_key=partition_key, asset_partitions_def=spec.partitions_def, instance=self._instance,
            asset_partition_key_range=partition_key_range, resources=opened.values,
            dagster_type=ANY if python_type is None else value_type(python_type),
        )  # fmt: skip
        try:
            return opened.raw[manager_key].load_input(context)
        finally:
            if resource_config:
                opened.close()

    def _resources(self, manager_key: str, own: Mapping[str, Any], config: Mapping[str, Any] | None) -> OpenResources:
        """The resources with this IO manager up; kept, unless they have a config of their own.

        Args:
            own: the resources that the asset brings along.
        """
        place = (manager_key, *(id(own[key]) for key in sorted(own)))
        if not config and place in self._open:
            return self._open[place]
        definitions = {**self._definitions, **resource_definitions(own)} if own else self._definitions
        given = {key: definitions[key] for key in config or () if key in definitions}
        configs = check_configs(given, config) if config else {}
        opened = open_resources(definitions, [manager_key], configs, ResourceInit(instance=self._instance))
        if not config:
            self._open[place] = opened
        return opened
