"""What schedules and sensors ask for: runs, or why there are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from treadle.author.run_config import RunConfig, run_config_dict
from treadle.core import tags as tag_rules
from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.core.partitions import AddDynamicPartitionsRequest, DeleteDynamicPartitionsRequest
from treadle.core.subsets import PartitionSubset
from treadle.errors import InvariantError, InvocationError
from treadle.state.error_info import ErrorInfo
from treadle.state.facts import AssetCheckEvaluation, AssetMaterialization, AssetObservation

DynamicPartitionsRequest = AddDynamicPartitionsRequest | DeleteDynamicPartitionsRequest
AssetFact = AssetMaterialization | AssetObservation | AssetCheckEvaluation


@dataclass(init=False, frozen=True, slots=True)
class RunRequest:
    """Asks for a run.

    Attributes:
        run_key: a sensor gets one run for a key, ever; a schedule one for a key and tick. None: a run each time.
        run_config: the config of the run; `RunConfig` is taken too.
        tags: tags of the run; values that are not strings are written as JSON.
        job_name: the job, if the schedule or sensor has several.
        asset_selection: the assets of the job to make; all if None.
        stale_assets_only: whether only those of the assets that are out of date are made.
        partition_key: the partition to run.
        asset_check_keys: the checks to evaluate; those of the assets if None.
        asset_graph_subset: in place of all this, the assets to make and which partitions of each: a backfill.
    """

    run_key: str | None
    run_config: Mapping[str, Any]
    tags: Mapping[str, str]
    job_name: str | None
    asset_selection: Sequence[AssetKey] | None
    stale_assets_only: bool
    partition_key: str | None
    asset_check_keys: Sequence[AssetCheckKey] | None
    asset_graph_subset: Mapping[AssetKey, PartitionSubset | None] | None

    def __init__(
        self,
        run_key: str | None = None,
        run_config: Mapping[str, Any] | RunConfig | None = None,
        tags: Mapping[str, Any] | None = None,
        job_name: str | None = None,
        asset_selection: Sequence[AssetKey] | None = None,
        stale_assets_only: bool = False,
        partition_key: str | None = None,
        asset_check_keys: Sequence[AssetCheckKey] | None = None,
        asset_graph_subset: Mapping[AssetKey, PartitionSubset | None] | None = None,
    ) -> None:
        for name, value in (("run_key", run_key), ("job_name", job_name), ("partition_key", partition_key)):
            if value is not None and not isinstance(value, str):
                raise InvocationError(f"RunRequest({name}={value!r}): it is a string. Write {name}={str(value)!r}.")
        _check_all("asset_selection", asset_selection, AssetKey)
        _check_all("asset_check_keys", asset_check_keys, AssetCheckKey)
        put = object.__setattr__
        put(self, "run_key", run_key)
        put(self, "run_config", run_config_dict(run_config))
        put(self, "tags", tag_rules.run_tags(tags, "a run request"))
        put(self, "job_name", job_name)
        put(self, "asset_selection", asset_selection)
        put(self, "stale_assets_only", stale_assets_only)
        put(self, "partition_key", partition_key)
        put(self, "asset_check_keys", asset_check_keys)
        put(self, "asset_graph_subset", asset_graph_subset)

    def with_replaced_attrs(self, **changes: Any) -> RunRequest:
        """This with these attributes changed."""
        return replace(self, **changes)


def _check_all(name: str, values: Any, kind: type) -> None:
    if values is None:
        return
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise InvocationError(f"RunRequest({name}={values!r}): it is a list of {kind.__name__} objects.")
    for one in values:
        if not isinstance(one, kind):
            raise InvocationError(f"RunRequest({name}=...) has {one!r} in it, and takes {kind.__name__} objects.")


@dataclass(frozen=True, slots=True)
class SkipReason:
    """Why a schedule or sensor asks for no run this time.

    Attributes:
        skip_message: for people, shown with the tick.
    """

    skip_message: str | None = None


@dataclass(init=False, frozen=True, slots=True)
class SensorResult:
    """What an evaluation of a sensor came to, where runs alone do not say it all.

    Attributes:
        run_requests: the runs it asks for.
        skip_reason: why there are none; a string is taken too.
        cursor: what `context.cursor` is at the next evaluation; unchanged if None.
        dynamic_partitions_requests: partitions to add and remove before the runs start.
        asset_events: what the sensor saw happen to assets, to be recorded.
        automation_condition_evaluations: what conditions came to, if it evaluated some.
    """

    run_requests: Sequence[RunRequest]
    skip_reason: SkipReason | None
    cursor: str | None
    dynamic_partitions_requests: Sequence[DynamicPartitionsRequest]
    asset_events: Sequence[AssetFact]
    automation_condition_evaluations: Sequence[Any]

    def __init__(
        self,
        run_requests: Sequence[RunRequest] | None = None,
        skip_reason: str | SkipReason | None = None,
        cursor: str | None = None,
        dynamic_partitions_requests: Sequence[DynamicPartitionsRequest] | None = None,
        asset_events: Sequence[AssetFact] | None = None,
        automation_condition_evaluations: Sequence[Any] | None = None,
    ) -> None:
        if skip_reason is not None and run_requests:
            raise InvocationError("SensorResult has both run_requests and a skip_reason. Give one of the two.")
        if cursor is not None and not isinstance(cursor, str):
            raise InvocationError(f"SensorResult(cursor={cursor!r}): a cursor is a string. Write {str(cursor)!r}.")
        put = object.__setattr__
        put(self, "run_requests", list(run_requests or ()))
        put(self, "skip_reason", SkipReason(skip_reason) if isinstance(skip_reason, str) else skip_reason)
        put(self, "cursor", cursor)
        put(self, "dynamic_partitions_requests", list(dynamic_partitions_requests or ()))
        put(self, "asset_events", list(asset_events or ()))
        put(self, "automation_condition_evaluations", list(automation_condition_evaluations or ()))


def outcome_of(what: str, given: Any, *, whole: bool = True) -> SensorResult:
    """What the function of a schedule or sensor gave or yields, as one result; only if `whole` it may be one.

    Raises:
        InvariantError: it is something else, or runs and a reason why there are none.
    """
    items = list(given) if isinstance(given, Iterator | list | tuple) else [] if given is None else [given]
    if whole and len(items) == 1 and isinstance(items[0], SensorResult):
        return items[0]
    requests = [one for one in items if isinstance(one, RunRequest)]
    skips = [one for one in items if isinstance(one, SkipReason)]
    if len(requests) + len(skips) < len(items) or len(skips) > 1 or (skips and requests):
        raise InvariantError(
            f"{what} gave {items!r:.200}. It may give run requests, or one SkipReason; a sensor one SensorResult, a "
            "schedule the config of one run."
        )
    return SensorResult(requests, skips[0] if skips else None)


class ScheduleExecutionData(NamedTuple):
    """What a tick of a schedule came to: runs, or why there are none."""

    run_requests: Sequence[RunRequest] = ()
    skip_message: str | None = None


class SensorExecutionData(NamedTuple):
    """What an evaluation of a sensor came to.

    Attributes:
        cursor: the one to keep.
        run_errors: by run, what a run status sensor raised for it. It is done with the run all the same.
    """

    run_requests: Sequence[RunRequest] = ()
    skip_message: str | None = None
    cursor: str | None = None
    dynamic_partitions_requests: Sequence[DynamicPartitionsRequest] = ()
    asset_events: Sequence[AssetFact] = ()
    automation_condition_evaluations: Sequence[Any] = ()
    run_errors: Mapping[str, ErrorInfo] = MappingProxyType({})
