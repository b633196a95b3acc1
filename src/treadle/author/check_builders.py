"""Checks that need no function: is an asset fresh, did its columns change, is a number about it within bounds.

Each builder makes one definition for its assets. Its checks read what the instance remembers, and load no values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any, NamedTuple

from treadle.author.checks import AssetChecksDefinition, multi_asset_check
from treadle.author.contexts import AssetCheckExecutionContext
from treadle.author.outcomes import AssetCheckResult
from treadle.author.requests import RunRequest, SkipReason
from treadle.author.sensors import DefaultSensorStatus, SensorDefinition
from treadle.author.tick_contexts import SensorEvaluationContext
from treadle.core.keys import AssetCheckKey, AssetKey, CoercibleToAssetKey
from treadle.core.metadata import COLUMN_SCHEMA, MetadataValue, TimestampMetadataValue
from treadle.core.partitions import effective_time
from treadle.core.table import TableSchema
from treadle.core.time import zone_of
from treadle.core.time_partitions import TimeWindowPartitionsDefinition
from treadle.core.windows import cadence
from treadle.errors import DefinitionError, InvariantError
from treadle.spec.assets import AssetCheckSpec, AssetSpec, deps_of
from treadle.spec.policies import FreshnessPolicy, check_types
from treadle.spec.selection import AssetSelection
from treadle.state.facts import AssetCheckSeverity, AssetMaterialization, AssetObservation
from treadle.state.records import AssetCheckExecutionStatus, AssetRecordsFilter

LAST_UPDATED = "dagster/last_updated_timestamp"
FRESH_UNTIL = "dagster/fresh_until_timestamp"
_LATEST_TICK = "dagster/latest_cron_tick_timestamp"
_LOWER_BOUND = "dagster/freshness_lower_bound_timestamp"
_PARAMETERS = "dagster/freshness_params"


class _Found(NamedTuple):
    """What an evaluation found."""

    passed: bool
    description: str
    metadata: Mapping[str, Any] | None = None


_Evaluate = Callable[[AssetCheckExecutionContext, AssetKey], _Found]


def _checks(
    kind: str,
    name: str,
    assets: Sequence[CoercibleToAssetKey | Any],
    description: str,
    severity: AssetCheckSeverity,
    evaluate: _Evaluate,
    *,
    blocking: bool = False,
    metadata: Mapping[str, Any] | None = None,
) -> Sequence[AssetChecksDefinition]:
    """A check `name` for each asset, and one op for all of them whose name tells it from others of its kind."""
    keys = [dep.asset_key for dep in deps_of(assets)]
    if not keys:
        return []
    text = "\n".join([name, *(key.to_user_string() for key in keys)])

    @multi_asset_check(
        name=f"{kind}_{sha256(text.encode()).hexdigest()[:8]}",
        specs=[
            AssetCheckSpec(name, asset=key, description=description, blocking=blocking, metadata=metadata)
            for key in keys
        ],
        can_subset=True,
    )
    def checks(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        for key in sorted(context.selected_asset_check_keys):
            found = evaluate(context, key.asset_key)
            yield AssetCheckResult(
                passed=found.passed, asset_key=key.asset_key, check_name=key.name, metadata=found.metadata,
                severity=severity, description=found.description,
            )  # fmt: skip

    return [checks]


# --- freshness -------------------------------------------------------------------------------------------------------


def build_last_update_freshness_checks(
    *,
    assets: Sequence[CoercibleToAssetKey | Any],
    lower_bound_delta: timedelta,
    deadline_cron: str | None = None,
    timezone: str = "UTC",
    severity: AssetCheckSeverity = AssetCheckSeverity.WARN,
    blocking: bool = False,
) -> Sequence[AssetChecksDefinition]:
    """Checks that assets were updated lately.

    An asset is updated when it is materialized, or at the time that the metadata `dagster/last_updated_timestamp` of
    its latest materialization or observation says.

    Args:
        lower_bound_delta: how long ago the last update may be; with a cron, how long before the latest deadline.
        deadline_cron, timezone: when updates are due.
        severity: how bad it is if it does not pass.
        blocking: whether a failure with severity ERROR stops what is downstream.

    Raises:
        DefinitionError: the cron expression or the zone cannot be read, or the delta is no timedelta.
    """
    if not isinstance(lower_bound_delta, timedelta):
        raise DefinitionError(
            f"build_last_update_freshness_checks: lower_bound_delta is {lower_bound_delta!r}. Use a timedelta."
        )
    seconds = lower_bound_delta.total_seconds()

    def look(context: AssetCheckExecutionContext, key: AssetKey, now: float, times: dict[str, float]) -> _Found:
        bound = times[_LOWER_BOUND] = times.get(_LATEST_TICK, now) - seconds
        updated = times.get(LAST_UPDATED)
        if updated is None:
            return _Found(False, "It was never materialized, and no observation says when it was updated.")
        if deadline_cron is None:
            times[FRESH_UNTIL] = updated + seconds
        text = f"It was last updated {_ago(now - updated)}; {_ago(now - bound)} is the most that is allowed."
        return _Found(updated >= bound, text)

    return _freshness_checks(
        assets, "Whether the asset was updated lately.", {"lower_bound_delta_seconds": seconds}, deadline_cron,
        timezone, severity, blocking, look,
    )  # fmt: skip


def build_time_partition_freshness_checks(
    *,
    assets: Sequence[CoercibleToAssetKey | Any],
    deadline_cron: str,
    timezone: str = "UTC",
    severity: AssetCheckSeverity = AssetCheckSeverity.WARN,
    blocking: bool = False,
) -> Sequence[AssetChecksDefinition]:
    """Checks that the partition that had ended at the latest deadline was materialized or observed.

    Args:
        assets: assets with partitions in time.
        deadline_cron, timezone: when the partitions that have ended are due.
        severity, blocking: as for `build_last_update_freshness_checks`.

    Raises:
        DefinitionError: the cron expression or the zone cannot be read.
    """
    zone = zone_of(timezone)

    def look(context: AssetCheckExecutionContext, key: AssetKey, now: float, times: dict[str, float]) -> _Found:
        due = zone.at(int(times[_LATEST_TICK]))
        partition = _partitions(context, key).get_last_partition_key(current_time=due)
        if partition is None:
            return _Found(True, "No partition is due yet.")
        wanted, instance = AssetRecordsFilter(key, [partition]), context.instance
        fetches = (instance.fetch_materializations, instance.fetch_observations)
        passed = any(fetch(wanted, 1).records for fetch in fetches)
        text = f"Partition {partition!r} was due at {due:%Y-%m-%d %H:%M %Z}, and is {'there' if passed else 'missing'}."
        return _Found(passed, text)

    return _freshness_checks(
        assets, "Whether the partition that is due is there.", {}, deadline_cron, timezone, severity, blocking, look
    )


def _freshness_checks(
    assets: Sequence[CoercibleToAssetKey | Any],
    description: str,
    parameters: Mapping[str, Any],
    deadline_cron: str | None,
    timezone: str,
    severity: AssetCheckSeverity,
    blocking: bool,
    look: Callable[[AssetCheckExecutionContext, AssetKey, float, dict[str, float]], _Found],
) -> Sequence[AssetChecksDefinition]:
    """Checks with times as metadata: what `look` gets of the latest deadline and update, and what it adds."""
    told = {"timezone": timezone, **parameters, **({"deadline_cron": deadline_cron} if deadline_cron else {})}
    shown = {_PARAMETERS: MetadataValue.json(told)}
    deadlines = None if deadline_cron is None else cadence(deadline_cron, timezone)

    def evaluate(context: AssetCheckExecutionContext, key: AssetKey) -> _Found:
        now = effective_time(None).timestamp()
        times: dict[str, float] = {}
        if deadlines is not None:
            times[_LATEST_TICK], times[FRESH_UNTIL] = deadlines.floor(int(now)), deadlines.next(int(now))
        updated = _last_update(context.instance, key)
        if updated is not None:
            times[LAST_UPDATED] = updated
        found = look(context, key, now, times)
        if not found.passed:
            times.pop(FRESH_UNTIL, None)
        stamped = {name: MetadataValue.timestamp(float(at)) for name, at in times.items()}
        return found._replace(metadata={**shown, **stamped})

    name = "freshness_check"
    return _checks(name, name, assets, description, severity, evaluate, blocking=blocking, metadata=shown)


def build_sensor_for_freshness_checks(
    *,
    freshness_checks: Sequence[AssetChecksDefinition],
    minimum_interval_seconds: int | None = None,
    name: str = "freshness_checks_sensor",
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
    tags: Mapping[str, Any] | None = None,
) -> SensorDefinition:
    """A sensor that evaluates freshness checks when their outcome may have changed.

    That is when a check was never evaluated, when it passed and the time until which its asset was fresh is over, or
    when it did not pass and the asset was updated since.

    Args:
        freshness_checks: what the two builders of freshness checks give.
        minimum_interval_seconds, name, default_status: of the sensor.
        tags: of the runs that it asks for.

    Raises:
        DefinitionError: a check is given twice.
    """
    keys = [key for one in freshness_checks for key in sorted(one.check_keys)]
    if len(set(keys)) < len(keys):
        raise DefinitionError(f"Sensor {name!r} got a freshness check twice. Give each check once.")

    def evaluate(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        now = effective_time(None).timestamp()
        due = [key for key in keys if _is_due(context.instance, key, now)]
        if due:
            return RunRequest(asset_check_keys=due, tags=tags)
        return SkipReason("No freshness check can have another outcome now than when it was evaluated last.")

    return SensorDefinition(
        name,
        evaluation_fn=evaluate,
        minimum_interval_seconds=minimum_interval_seconds,
        description="Evaluates freshness checks whose outcome may have changed.",
        default_status=default_status,
        asset_selection=AssetSelection.checks(*keys),
    )


def apply_freshness_policy(spec: AssetSpec, policy: FreshnessPolicy, overwrite_existing: bool = True) -> AssetSpec:
    """`spec` with this freshness policy; one that it has is kept if `overwrite_existing` is False."""
    check_types(f"asset {spec.key.to_user_string()!r}", freshness_policy=policy)
    if spec.freshness_policy is not None and not overwrite_existing:
        return spec
    return spec.replace_attributes(freshness_policy=policy)


def _is_due(instance: Any, key: AssetCheckKey, now: float) -> bool:
    known = instance.get_latest_asset_check_evaluation_record(key)
    if known is None:
        return True
    if known.status is AssetCheckExecutionStatus.IN_PROGRESS:
        return False
    if known.status is AssetCheckExecutionStatus.SUCCEEDED:
        until = known.evaluation.metadata.get(FRESH_UNTIL)
        return until is not None and until.value <= now
    seen = max(known.planned_storage_id or 0, known.evaluation_record.storage_id if known.evaluation_record else 0)
    records = instance.get_asset_records([key.asset_key])
    return bool(records) and (records[0].asset_entry.last_event_storage_id or 0) > seen


def _last_update(instance: Any, key: AssetKey) -> float | None:
    """When the asset was updated, in seconds since the epoch; None if nobody knows."""
    records = instance.get_asset_records([key])
    if not records:
        return None
    entry = records[0].asset_entry
    made, seen = entry.last_materialization, entry.last_observation
    times = (
        None if made is None else _said(made.asset_materialization) or made.timestamp,
        None if seen is None else _said(seen.asset_observation),
    )
    return max((at for at in times if at is not None), default=None)


def _said(fact: AssetMaterialization | AssetObservation) -> float | None:
    value = fact.metadata.get(LAST_UPDATED)
    if value is not None and not isinstance(value, TimestampMetadataValue):
        raise InvariantError(
            f"The metadata {LAST_UPDATED!r} of asset {fact.asset_key.to_user_string()!r} is {value!r}, which is no "
            "time. Write MetadataValue.timestamp(...)."
        )
    return value.value if value is not None else None


def _partitions(context: AssetCheckExecutionContext, key: AssetKey) -> TimeWindowPartitionsDefinition:
    spec = context.job_def.layer.specs.get(key)
    found = spec.partitions_def if spec is not None else None
    if not isinstance(found, TimeWindowPartitionsDefinition):
        raise InvariantError(
            f"Asset {key.to_user_string()!r} has a freshness check for its partitions in time, and has no such "
            "partitions. Use build_last_update_freshness_checks for it."
        )
    return found


def _ago(seconds: float) -> str:
    return f"{timedelta(seconds=max(0, round(seconds)))} ago"


# --- metadata --------------------------------------------------------------------------------------------------------


def build_column_schema_change_checks(
    *, assets: Sequence[CoercibleToAssetKey | Any], severity: AssetCheckSeverity = AssetCheckSeverity.WARN
) -> Sequence[AssetChecksDefinition]:
    """Checks that the names and types of columns are those of the materialization before.

    They are read from the metadata `dagster/column_schema`. With fewer than two materializations the check passes;
    where one of the last two says nothing of columns it does not.

    Args:
        severity: how bad it is if it does not pass.
    """

    def evaluate(context: AssetCheckExecutionContext, key: AssetKey) -> _Found:
        latest = context.instance.fetch_materializations(key, 2).records
        if len(latest) < 2:
            return _Found(True, "There are no two materializations yet.")
        schemas = [_columns(record.asset_materialization) for record in latest]
        new, old = schemas
        if new is None or old is None:
            which = "latest materialization" if new is None else "materialization before the latest"
            return _Found(False, f"The {which} has no metadata {COLUMN_SCHEMA!r}.")
        changes = [
            *(f"new: {name}" for name in sorted(new.keys() - old.keys())),
            *(f"gone: {name}" for name in sorted(old.keys() - new.keys())),
            *(f"{name}: {old[name]} -> {new[name]}" for name in new if old.get(name, new[name]) != new[name]),
        ]
        return _Found(not changes, "\n".join(["Columns changed.", *changes]) if changes else "Columns are the same.")

    return _checks(
        "asset_check", "column_schema_change", assets,
        "Whether the columns are those of the materialization before.", severity, evaluate,
    )  # fmt: skip


def _columns(made: AssetMaterialization) -> dict[str, str] | None:
    value = made.metadata.get(COLUMN_SCHEMA)
    schema = getattr(value, "value", None)
    return {column.name: column.type for column in schema.columns} if isinstance(schema, TableSchema) else None


def build_metadata_bounds_checks(
    *,
    assets: Sequence[CoercibleToAssetKey | Any],
    severity: AssetCheckSeverity = AssetCheckSeverity.WARN,
    metadata_key: str,
    min_value: float | None = None,
    max_value: float | None = None,
    exclusive_min: bool = False,
    exclusive_max: bool = False,
) -> Sequence[AssetChecksDefinition]:
    """Checks that a number in the metadata of the latest materialization is within bounds.

    Args:
        severity: how bad it is if it does not pass.
        metadata_key: the metadata.
        min_value, max_value: the bounds; one may be left out.
        exclusive_min, exclusive_max: whether the bound itself is outside.

    Raises:
        DefinitionError: there is no bound, or they are in the wrong order.
    """
    if min_value is None and max_value is None:
        raise DefinitionError("build_metadata_bounds_checks needs min_value or max_value, or both.")
    if min_value is not None and max_value is not None and min_value > max_value:
        raise DefinitionError(f"build_metadata_bounds_checks: min_value {min_value} is above max_value {max_value}.")
    low = [] if min_value is None else [f"{'more than' if exclusive_min else 'at least'} {min_value}"]
    high = [] if max_value is None else [f"{'less than' if exclusive_max else 'at most'} {max_value}"]
    wanted = " and ".join([*low, *high])

    def evaluate(context: AssetCheckExecutionContext, key: AssetKey) -> _Found:
        event = context.instance.get_latest_materialization_event(key)
        if event is None:
            return _Found(False, "The asset was never materialized.")
        found = event.asset_materialization.metadata.get(metadata_key)
        value = getattr(found, "value", None)
        if not isinstance(value, int | float):
            said = "has no" if found is None else f"says {value!r}, which is no number, for"
            return _Found(False, f"The latest materialization {said} metadata {metadata_key!r}.")
        above = min_value is None or (value > min_value if exclusive_min else value >= min_value)
        below = max_value is None or (value < max_value if exclusive_max else value <= max_value)
        return _Found(above and below, f"{metadata_key!r} is {value}; it should be {wanted}.")

    named = "".join(char if char.isalnum() and char.isascii() else "_" for char in metadata_key)
    return _checks(
        "asset_check", f"{named}_bounds_check", assets,
        f"Whether {metadata_key!r} of the latest materialization is {wanted}.", severity, evaluate,
    )  # fmt: skip
