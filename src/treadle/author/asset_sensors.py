"""Sensors that are called when an asset was materialized."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from treadle.author.requests import SkipReason
from treadle.author.sensors import DefaultSensorStatus, SensorDefinition, SensorType
from treadle.author.tick_contexts import SensorEvaluationContext
from treadle.core.keys import AssetKey, CoercibleToAssetKey
from treadle.errors import InvocationError
from treadle.state.records import AssetRecordsFilter, EventLogRecord


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
        name: str | None,
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
        context, call = self._function.by_hand(SensorEvaluationContext, args, kwargs)
        if context is None:
            raise InvocationError(
                f"{self._what} looks at the instance: call it with build_sensor_context(instance=...)."
            )
        record = self._last(context)
        return self._nothing_new() if record is None else call(record.event_log_entry)

    def _last(self, context: SensorEvaluationContext) -> EventLogRecord | None:
        after = int(context.cursor) if context.cursor else None
        wanted = AssetRecordsFilter(self.asset_key, after_storage_id=after)
        return next(iter(context.instance.fetch_materializations(wanted, limit=1).records), None)

    def _nothing_new(self) -> SkipReason:
        return SkipReason(f"No new materialization of asset {self.asset_key.to_user_string()!r}.")

    def _evaluate(self, context: SensorEvaluationContext) -> Any:
        record = self._last(context)
        if record is None:
            return self._nothing_new()
        given = self._function(context, record.event_log_entry)
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
    given = locals()
    return lambda fn: AssetSensorDefinition(asset_materialization_fn=fn, **given)
