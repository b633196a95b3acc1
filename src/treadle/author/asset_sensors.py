"""Sensors that look at materializations: of one asset, or of several."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from treadle.author.requests import SensorResult, SkipReason
from treadle.author.sensors import DefaultSensorStatus, SensorDefinition, SensorType
from treadle.author.signature import docstring
from treadle.author.tick_contexts import SensorEvaluationContext
from treadle.core.keys import AssetKey, CoercibleToAssetKey
from treadle.core.multi_mappings import default_mapping
from treadle.errors import DefinitionError, InvariantError, InvocationError
from treadle.spec.selection import AssetSelection
from treadle.state.records import AssetRecordsFilter, EventLogRecord

_PAGE = 1000


class AssetSensorDefinition(SensorDefinition):
    """A sensor that is called when an asset was materialized. `asset_sensor` makes one of a function.

    Args:
        asset_key: the asset.
        asset_materialization_fn: called with the context and the log entry of the last materialization, if there was
            one since the last call. Of several since then it sees only the last.

    Other arguments as for `SensorDefinition`.
    """

    sensor_type = SensorType.ASSET
    _most_parameters = 2

    def __init__(
        self,
        name: str,
        asset_key: CoercibleToAssetKey,
        job_name: str | None,
        asset_materialization_fn: Callable[..., Any],
        minimum_interval_seconds: int | None = None,
        description: str | None = None,
        job: Any = None,
        jobs: Sequence[Any] | None = None,
        default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
        required_resource_keys: set[str] | None = None,
        tags: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            name, evaluation_fn=asset_materialization_fn, job_name=job_name,
            minimum_interval_seconds=minimum_interval_seconds, description=description, job=job, jobs=jobs,
            default_status=default_status, required_resource_keys=required_resource_keys, tags=tags, metadata=metadata,
        )  # fmt: skip
        self.asset_key = AssetKey.of(asset_key)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Look for a materialization after the context's cursor, and call the function with it, as tests do."""
        context, resources = self._function.by_hand(SensorEvaluationContext, args, kwargs)
        if context is None:
            raise InvocationError(
                f"{self._what} looks at the instance: call it with build_sensor_context(instance=...)."
            )
        record = self._last(context)
        if record is None:
            return self._nothing_new()
        more = (context, record.event_log_entry)
        return self._function.fn(*more[: len(self._function.names)], **resources)

    def _last(self, context: SensorEvaluationContext) -> EventLogRecord | None:
        after = int(context.cursor) if context.cursor else None
        found = context.instance.fetch_materializations(
            AssetRecordsFilter(self.asset_key, after_storage_id=after), limit=1
        ).records
        return found[0] if found else None

    def _nothing_new(self) -> SkipReason:
        return SkipReason(f"No new materialization of asset {self.asset_key.to_user_string()!r}.")

    def _evaluate(self, context: SensorEvaluationContext) -> Any:
        record = self._last(context)
        if record is None:
            return self._nothing_new()
        given = self._function(context, record.event_log_entry)
        if isinstance(given, SensorResult) and given.cursor is not None:
            raise InvariantError(f"{self._what} keeps the cursor itself. Leave cursor out of the SensorResult.")
        context.update_cursor(str(record.storage_id))
        return given


def asset_sensor(
    asset_key: CoercibleToAssetKey,
    *,
    job_name: str | None = None,
    name: str | None = None,
    minimum_interval_seconds: int | None = None,
    description: str | None = None,
    job: Any = None,
    jobs: Sequence[Any] | None = None,
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
    required_resource_keys: set[str] | None = None,
    tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], AssetSensorDefinition]:
    """Make a function a sensor that is called when an asset was materialized, with a context and the log entry."""

    def make(fn: Callable[..., Any]) -> AssetSensorDefinition:
        return AssetSensorDefinition(
            name or fn.__name__, asset_key, job_name, fn, minimum_interval_seconds, description or docstring(fn), job,
            jobs, default_status, required_resource_keys, tags, metadata,
        )  # fmt: skip

    return make


class MultiAssetSensorEvaluationContext(SensorEvaluationContext):
    """What the function of a multi-asset sensor is told. Its cursor holds, for each asset, the number of the last
    materialization that is done with; `advance_cursor` moves it.
    """

    def __init__(
        self,
        instance_ref: Any = None,
        monitored_assets: Sequence[AssetKey] | AssetSelection = (),
        last_tick_completion_time: float | None = None,
        last_run_key: str | None = None,
        cursor: str | None = None,
        repository_name: str | None = None,
        repository_def: Any = None,
        instance: Any = None,
        resource_defs: Mapping[str, Any] | None = None,
        definitions: Any = None,
        last_sensor_start_time: float | None = None,
        log_key: Sequence[str] | None = None,
        sensor_name: str | None = None,
    ) -> None:
        super().__init__(
            instance_ref, last_tick_completion_time, last_run_key, cursor, log_key, repository_name, repository_def,
            instance, sensor_name, resource_defs, definitions, last_sensor_start_time,
        )  # fmt: skip
        self._asset_keys = self._keys_of(monitored_assets)
        self._positions: dict[str, int] = json.loads(cursor) if cursor else {}

    def _keys_of(self, monitored: Any) -> Sequence[AssetKey]:
        if not isinstance(monitored, AssetSelection):
            return [AssetKey.of(one) for one in monitored]
        return sorted(monitored.resolve(self._layer.graph))

    @property
    def _layer(self) -> Any:
        if self._definitions is None:
            raise InvariantError("This context was built without definitions, which it needs. Write definitions=defs.")
        return self._definitions.layer

    @property
    def asset_keys(self) -> Sequence[AssetKey]:
        """The assets it looks at."""
        return self._asset_keys

    @property
    def assets_defs_by_key(self) -> Mapping[AssetKey, Any]:
        """What declares each of them; None for an asset that is not declared here."""
        return {key: self._layer.by_key.get(key) for key in self._asset_keys}

    def _position(self, key: AssetKey) -> int | None:
        return self._positions.get(key.to_string())

    def _monitored(self, asset_key: AssetKey) -> AssetKey:
        if asset_key not in self._asset_keys:
            raise InvariantError(f"This sensor does not look at asset {asset_key.to_user_string()!r}. Monitor it too.")
        return asset_key

    def materialization_records_for_key(
        self, asset_key: AssetKey, limit: int | None = None
    ) -> Iterable[EventLogRecord]:
        """The materializations of an asset after the cursor, oldest first."""
        wanted = AssetRecordsFilter(self._monitored(asset_key), after_storage_id=self._position(asset_key))
        found: list[EventLogRecord] = []
        page, cursor = None, None
        while (page is None or page.has_more) and (limit is None or len(found) < limit):
            most = _PAGE if limit is None else min(_PAGE, limit - len(found))
            page = self.instance.fetch_materializations(wanted, limit=most, cursor=cursor, ascending=True)
            cursor = page.cursor
            found.extend(page.records)
        return found

    get_trailing_unconsumed_events = materialization_records_for_key

    def latest_materialization_records_by_key(
        self, asset_keys: Sequence[AssetKey] | None = None
    ) -> Mapping[AssetKey, EventLogRecord | None]:
        """The last materialization of each asset after the cursor, or None."""
        return {key: self._latest(key) for key in (self._asset_keys if asset_keys is None else asset_keys)}

    def _latest(self, key: AssetKey) -> EventLogRecord | None:
        wanted = AssetRecordsFilter(self._monitored(key), after_storage_id=self._position(key))
        records = self.instance.fetch_materializations(wanted, limit=1).records
        return records[0] if records else None

    def latest_materialization_records_by_partition(
        self, asset_key: AssetKey, after_cursor_partition: bool | None = False
    ) -> Mapping[str, EventLogRecord]:
        """The last materialization of each partition of an asset after the cursor, in the order they happened."""
        found: dict[str, EventLogRecord] = {}
        for record in self.materialization_records_for_key(asset_key):
            if record.partition_key is not None:
                found.pop(record.partition_key, None)
                found[record.partition_key] = record
        return found

    def latest_materialization_records_by_partition_and_asset(
        self,
    ) -> Mapping[str, Mapping[AssetKey, EventLogRecord]]:
        """The same for all assets: by partition, then by asset."""
        found: dict[str, dict[AssetKey, EventLogRecord]] = {}
        for key in self._asset_keys:
            for partition, record in self.latest_materialization_records_by_partition(key).items():
                found.setdefault(partition, {})[key] = record
        return found

    def get_cursor_partition(self, asset_key: AssetKey | None) -> str | None:
        """The partition of the materialization at which the cursor stands."""
        if asset_key is None:
            raise InvocationError("get_cursor_partition takes the key of an asset.")
        position = self._position(self._monitored(asset_key))
        if position is None:
            return None
        wanted = AssetRecordsFilter(asset_key, storage_ids=[position])
        records = self.instance.fetch_materializations(wanted, limit=1).records
        return records[0].partition_key if records else None

    def all_partitions_materialized(self, asset_key: AssetKey, partitions: Sequence[str] | None = None) -> bool:
        """Whether each of these partitions of an asset, all by default, was ever materialized."""
        done = self.instance.get_materialized_partitions(self._monitored(asset_key))
        if partitions is None:
            partitions = self._partitions_of(asset_key).get_partition_keys(None, self.instance)
        return done.issuperset(partitions)

    def _partitions_of(self, asset_key: AssetKey) -> Any:
        spec = self._layer.graph.specs.get(asset_key)
        if spec is None or spec.partitions_def is None:
            raise InvariantError(f"Asset {asset_key.to_user_string()!r} has no partitions.")
        return spec.partitions_def

    def get_downstream_partition_keys(
        self, partition_key: str, from_asset_key: AssetKey, to_asset_key: AssetKey
    ) -> Sequence[str]:
        """The partitions of an asset that depend on a partition of another."""
        graph = self._layer.graph
        upstream, downstream = self._partitions_of(from_asset_key), self._partitions_of(to_asset_key)
        dependency = next((one for one in graph.specs[to_asset_key].deps if one.asset_key == from_asset_key), None)
        if dependency is None:
            raise InvariantError(
                f"Asset {to_asset_key.to_user_string()!r} does not depend on {from_asset_key.to_user_string()!r}."
            )
        mapping = dependency.partition_mapping or default_mapping(upstream, downstream)
        subset = upstream.subset_with_partition_keys([partition_key])
        found = mapping.get_downstream_partitions_for_partitions(
            subset, upstream, downstream, dynamic_partitions_store=self.instance
        )
        return list(found.get_partition_keys())

    def advance_cursor(self, materialization_records_by_key: Mapping[AssetKey, EventLogRecord | None]) -> None:
        """Say that these materializations, and those before them, are done with."""
        for key, record in materialization_records_by_key.items():
            if record is not None:
                text = self._monitored(key).to_string()
                self._positions[text] = max(record.storage_id, self._positions.get(text, 0))
        self.update_cursor(json.dumps(self._positions))

    def advance_all_cursors(self) -> None:
        """Say that all materializations that there are now are done with."""
        self.advance_cursor(self.latest_materialization_records_by_key())


def build_multi_asset_sensor_context(
    *,
    monitored_assets: Sequence[AssetKey] | AssetSelection,
    repository_def: Any = None,
    instance: Any = None,
    cursor: str | None = None,
    repository_name: str | None = None,
    cursor_from_latest_materializations: bool = False,
    resources: Mapping[str, object] | None = None,
    definitions: Any = None,
    last_sensor_start_time: float | None = None,
) -> MultiAssetSensorEvaluationContext:
    """A context to call or evaluate a multi-asset sensor with in a test.

    Args:
        monitored_assets: the assets that it looks at.
        cursor_from_latest_materializations: whether all materializations that there are now count as done with.

    Other arguments as for `build_sensor_context`.

    Raises:
        InvocationError: a cursor is given in both ways.
    """
    if cursor is not None and cursor_from_latest_materializations:
        raise InvocationError("Give cursor or cursor_from_latest_materializations, not both.")
    context = MultiAssetSensorEvaluationContext(
        None, monitored_assets, None, None, cursor, repository_name, repository_def, instance, resources, definitions,
        last_sensor_start_time,
    )  # fmt: skip
    if cursor_from_latest_materializations:
        context.advance_all_cursors()
        context.cursor_updated = False
    return context


class MultiAssetSensorDefinition(SensorDefinition):
    """A sensor that looks at several assets. `multi_asset_sensor` makes one of a function.

    Args:
        monitored_assets: keys or a selection.
        asset_materialization_fn: called with a `MultiAssetSensorEvaluationContext`.
        request_assets: in place of jobs, the assets that its run requests select from.

    Other arguments as for `SensorDefinition`.
    """

    sensor_type = SensorType.MULTI_ASSET
    _context_type = MultiAssetSensorEvaluationContext

    def __init__(
        self,
        name: str,
        monitored_assets: Sequence[AssetKey] | AssetSelection,
        job_name: str | None,
        asset_materialization_fn: Callable[..., Any],
        minimum_interval_seconds: int | None = None,
        description: str | None = None,
        job: Any = None,
        jobs: Sequence[Any] | None = None,
        default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
        request_assets: AssetSelection | None = None,
        required_resource_keys: set[str] | None = None,
        tags: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            name, evaluation_fn=asset_materialization_fn, job_name=job_name,
            minimum_interval_seconds=minimum_interval_seconds, description=description, job=job, jobs=jobs,
            default_status=default_status, asset_selection=request_assets,
            required_resource_keys=required_resource_keys, tags=tags, metadata=metadata,
        )  # fmt: skip
        if not isinstance(monitored_assets, AssetSelection) and isinstance(monitored_assets, str | AssetKey):
            raise DefinitionError(f"{self._what}: monitored_assets is a list of keys or a selection. Write [...].")
        self.monitored_assets = monitored_assets


def multi_asset_sensor(
    monitored_assets: Sequence[AssetKey] | AssetSelection,
    *,
    job_name: str | None = None,
    name: str | None = None,
    minimum_interval_seconds: int | None = None,
    description: str | None = None,
    job: Any = None,
    jobs: Sequence[Any] | None = None,
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
    request_assets: AssetSelection | None = None,
    required_resource_keys: set[str] | None = None,
    tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], MultiAssetSensorDefinition]:
    """Make a function a sensor that looks at several assets. It takes a `MultiAssetSensorEvaluationContext`."""

    def make(fn: Callable[..., Any]) -> MultiAssetSensorDefinition:
        return MultiAssetSensorDefinition(
            name or fn.__name__, monitored_assets, job_name, fn, minimum_interval_seconds,
            description or docstring(fn), job, jobs, default_status, request_assets, required_resource_keys, tags,
            metadata,
        )  # fmt: skip

    return make
