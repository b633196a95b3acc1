"""Sensors over several assets, whose cursor remembers what of each is done with. Automation conditions replace them.

The cursor is JSON: for each asset the partition and the number of the last materialization that was consumed, and the
materializations before it that were passed over: the last of each other partition.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import treadle
from dagster._warnings import SupersessionWarning
from treadle import AssetKey, AssetSelection, DefaultSensorStatus, DefinitionError, InvariantError, InvocationError
from treadle.author.requests import SensorExecutionData
from treadle.author.sensors import SensorType
from treadle.core.multi_mappings import default_mapping
from treadle.state.records import AssetRecordsFilter, EventLogRecord

_PAGE = 1000


class _Position(NamedTuple):
    """How far one asset is consumed."""

    partition: str | None = None
    storage_id: int | None = None
    passed_over: Mapping[str, int] = MappingProxyType({})


class MultiAssetSensorEvaluationContext(treadle.SensorEvaluationContext):
    """What the function of a multi-asset sensor is told. What it advances the cursor by is kept when it ends well."""

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
        self.asset_keys: Sequence[AssetKey] = (
            sorted(monitored_assets.resolve(self._layer.graph))
            if isinstance(monitored_assets, AssetSelection)
            else [AssetKey.of(one) for one in monitored_assets]
        )
        positions = {AssetKey.of(json.loads(key)): _Position(*at) for key, at in json.loads(cursor or "{}").items()}
        self._consumed: Mapping[AssetKey, _Position] = positions
        self._advanced = dict(positions)

    @property
    def _layer(self) -> Any:
        if self.repository_def is None:
            raise InvariantError("This context was built without definitions, which it needs. Write definitions=defs.")
        return self.repository_def.layer

    @property
    def assets_defs_by_key(self) -> Mapping[AssetKey, Any]:
        """What declares each of its assets; None for an asset that is not declared here."""
        return {key: self._layer.by_key.get(key) for key in self.asset_keys}

    def _at(self, asset_key: AssetKey) -> _Position:
        if asset_key not in self.asset_keys:
            raise InvocationError(f"This sensor does not look at asset {asset_key.to_user_string()!r}. Monitor it too.")
        return self._consumed.get(asset_key, _Position())

    def _fetch(self, wanted: AssetRecordsFilter, limit: int | None = None) -> list[EventLogRecord]:
        found: list[EventLogRecord] = []
        page = None
        while (page is None or page.has_more) and (limit is None or len(found) < limit):
            most = _PAGE if limit is None else min(_PAGE, limit - len(found))
            page = self.instance.fetch_materializations(wanted, most, page.cursor if page else None, ascending=True)
            found.extend(page.records)
        return found

    def materialization_records_for_key(
        self, asset_key: AssetKey, limit: int | None = None
    ) -> Iterable[EventLogRecord]:
        """The materializations of an asset after the cursor, oldest first."""
        return self._fetch(AssetRecordsFilter(asset_key, after_storage_id=self._at(asset_key).storage_id), limit)

    def get_trailing_unconsumed_events(self, asset_key: AssetKey) -> Sequence[EventLogRecord]:
        """Materializations before the cursor that it passed over: the last of each other partition, oldest first."""
        numbers = list(self._at(asset_key).passed_over.values())
        return self._fetch(AssetRecordsFilter(asset_key, storage_ids=numbers)) if numbers else []

    def latest_materialization_records_by_key(
        self, asset_keys: Sequence[AssetKey] | None = None
    ) -> Mapping[AssetKey, EventLogRecord | None]:
        """The last materialization of each asset after the cursor, or None."""
        return {key: self._latest(key) for key in (self.asset_keys if asset_keys is None else asset_keys)}

    def _latest(self, key: AssetKey) -> EventLogRecord | None:
        wanted = AssetRecordsFilter(key, after_storage_id=self._at(key).storage_id)
        return next(iter(self.instance.fetch_materializations(wanted, limit=1).records), None)

    def latest_materialization_records_by_partition(
        self, asset_key: AssetKey, after_cursor_partition: bool | None = False
    ) -> Mapping[str, EventLogRecord]:
        """The last materialization of each partition of an asset after the cursor, in the order they happened.

        Args:
            asset_key: the asset.
            after_cursor_partition: whether only partitions after the one at which the cursor stands are looked at.

        Raises:
            InvariantError: the asset has no partitions.
        """
        self._partitions_of(asset_key)
        at = self.get_cursor_partition(asset_key) if after_cursor_partition else None
        keys = self._keys_of(asset_key) if at is not None else ()
        later = set(keys[keys.index(at) + 1 :]) if at in keys else None
        found: dict[str, EventLogRecord] = {}
        for record in self.materialization_records_for_key(asset_key):
            key = record.partition_key
            if key is not None and (later is None or key in later):
                found.pop(key, None)
                found[key] = record
        return found

    def latest_materialization_records_by_partition_and_asset(
        self,
    ) -> Mapping[str, Mapping[AssetKey, EventLogRecord]]:
        """The same for all assets: by partition, then by asset."""
        found: dict[str, dict[AssetKey, EventLogRecord]] = {}
        for key in self.asset_keys:
            for partition, record in self.latest_materialization_records_by_partition(key).items():
                found.setdefault(partition, {})[key] = record
        return found

    def get_cursor_partition(self, asset_key: AssetKey | None) -> str | None:
        """The partition of the materialization at which the cursor stands."""
        if asset_key is None:
            raise InvocationError("get_cursor_partition takes the key of an asset.")
        return self._at(asset_key).partition

    def all_partitions_materialized(self, asset_key: AssetKey, partitions: Sequence[str] | None = None) -> bool:
        """Whether each of these partitions of an asset, all by default, was ever materialized."""
        wanted = self._keys_of(asset_key) if partitions is None else partitions
        return self.instance.get_materialized_partitions(asset_key).issuperset(wanted)

    def _partitions_of(self, asset_key: AssetKey) -> Any:
        self._at(asset_key)
        spec = self._layer.graph.specs.get(asset_key)
        if spec is None or spec.partitions_def is None:
            raise InvariantError(f"Asset {asset_key.to_user_string()!r} has no partitions.")
        return spec.partitions_def

    def _keys_of(self, asset_key: AssetKey) -> Sequence[str]:
        return self._partitions_of(asset_key).get_partition_keys(None, self.instance)

    def get_downstream_partition_keys(
        self, partition_key: str, from_asset_key: AssetKey, to_asset_key: AssetKey
    ) -> Sequence[str]:
        """The partitions of an asset that depend on a partition of another."""
        upstream, downstream = self._partitions_of(from_asset_key), self._partitions_of(to_asset_key)
        deps = self._layer.graph.specs[to_asset_key].deps
        dependency = next((one for one in deps if one.asset_key == from_asset_key), None)
        if dependency is None:
            raise InvariantError(
                f"Asset {to_asset_key.to_user_string()!r} does not depend on {from_asset_key.to_user_string()!r}."
            )
        mapping = dependency.partition_mapping or default_mapping(upstream, downstream)
        found = mapping.get_downstream_partitions_for_partitions(
            upstream.subset_with_partition_keys([partition_key]), upstream, downstream,
            dynamic_partitions_store=self.instance,
        )  # fmt: skip
        return list(found.get_partition_keys())

    def advance_cursor(self, materialization_records_by_key: Mapping[AssetKey, EventLogRecord | None]) -> None:
        """Say that these materializations are done with. What is before them, and is not, is passed over."""
        for key, record in materialization_records_by_key.items():
            if record is not None:
                self._advance(key, record)
        self._keep()

    def _advance(self, key: AssetKey, record: EventLogRecord) -> None:
        at, number = self._at(key), record.storage_id
        passed = {partition: n for partition, n in at.passed_over.items() if n != number}
        if at.storage_id is not None and number <= at.storage_id:
            self._advanced[key] = at._replace(passed_over=passed)
            return
        between = AssetRecordsFilter(key, after_storage_id=at.storage_id, before_storage_id=number)
        passed |= {one.partition_key: one.storage_id for one in self._fetch(between) if one.partition_key is not None}
        passed.pop(record.partition_key or "", None)
        self._advanced[key] = _Position(record.partition_key, number, passed)

    def advance_all_cursors(self) -> None:
        """Say that all materializations that there are now are done with."""
        for key, record in self.latest_materialization_records_by_key().items():
            at = self._at(key)
            if record is not None or at.passed_over:
                partition, number = (record.partition_key, record.storage_id) if record else at[:2]
                self._advanced[key] = _Position(partition, number, {})
        self._keep()

    def _keep(self) -> None:
        super().update_cursor(json.dumps({key.to_string(): at for key, at in self._advanced.items()}))

    def update_cursor(self, cursor: str | None) -> None:
        """Not possible: `advance_cursor` moves it."""
        raise InvocationError("The cursor of a multi-asset sensor is not a text of yours. Use context.advance_cursor.")


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

    def context(cursor: str | None) -> MultiAssetSensorEvaluationContext:
        return MultiAssetSensorEvaluationContext(
            None, monitored_assets, None, None, cursor, repository_name, repository_def, instance, resources,
            definitions, last_sensor_start_time,
        )  # fmt: skip

    made = context(cursor)
    if cursor_from_latest_materializations:
        made.advance_all_cursors()
        made = context(made.cursor)
    return made


class MultiAssetSensorDefinition(treadle.SensorDefinition):
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
        warnings.warn(
            "Multi-asset sensors are superseded: an AutomationCondition on the assets does the same.",
            SupersessionWarning,
            stacklevel=2,
        )
        super().__init__(
            name, evaluation_fn=asset_materialization_fn, job_name=job_name,
            minimum_interval_seconds=minimum_interval_seconds, description=description, job=job, jobs=jobs,
            default_status=default_status, asset_selection=request_assets,
            required_resource_keys=required_resource_keys, tags=tags, metadata=metadata,
        )  # fmt: skip
        if isinstance(monitored_assets, str | AssetKey):
            raise DefinitionError(f"{self._what}: monitored_assets is a list of keys or a selection. Write [...].")
        self.monitored_assets = monitored_assets

    def evaluate_tick(self, context: treadle.SensorEvaluationContext) -> SensorExecutionData:
        """What an evaluation comes to. The context may be one for any sensor.

        Raises:
            InvariantError: it asks for runs and has not advanced the cursor, so the same would start them again.
        """
        if not isinstance(context, MultiAssetSensorEvaluationContext):
            context = MultiAssetSensorEvaluationContext(
                None, self.monitored_assets, context.last_tick_completion_time, context.last_run_key, context.cursor,
                context.repository_name, context.repository_def, context._instance, context._given_resources, None,
                context.last_sensor_start_time, sensor_name=context._sensor_name,
            )  # fmt: skip
        tick = super().evaluate_tick(context)
        if tick.run_requests and not context.cursor_updated:
            raise InvariantError(
                f"{self._what} asks for runs and leaves its cursor where it was, so the same materializations would "
                "start them again. Call context.advance_cursor or context.advance_all_cursors."
            )
        return tick


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
            name or fn.__name__, monitored_assets, job_name, fn, minimum_interval_seconds, description, job, jobs,
            default_status, request_assets, required_resource_keys, tags, metadata,
        )  # fmt: skip

    return make
