"""Run config as a function of the partition: of its key, or of the start and end of its time window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from treadle.author.run_config import RunConfig, run_config_dict
from treadle.core import tags as tag_rules
from treadle.core.partitions import PartitionsDefinition, StaticPartitionsDefinition
from treadle.core.time_partitions import (
    Bound,
    DailyPartitionsDefinition,
    Exclusions,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from treadle.errors import InvocationError

D = TypeVar("D", bound=PartitionsDefinition)
_T = TypeVar("_T", bound=TimeWindowPartitionsDefinition)
ConfigOfKey = Callable[[str], Any]
ConfigOfWindow = Callable[[datetime, datetime], "Mapping[str, Any] | RunConfig"]
TagsOfKey = Callable[[str], Mapping[str, str]] | None
TagsOfWindow = Callable[[datetime, datetime], Mapping[str, str]] | None


class PartitionedConfig(Generic[D]):
    """The config of a job for each of its partitions. Give it to `job(config=...)`, which then has these partitions.

    Args:
        partitions_def: the partitions.
        run_config_for_partition_key_fn: the config for a key, as a dict or `RunConfig`.
        tags_for_partition_key_fn: more run tags for a key.
        decorated_fn: what calling the object calls.
    """

    def __init__(
        self,
        partitions_def: D,
        *,
        run_config_for_partition_key_fn: ConfigOfKey,
        tags_for_partition_key_fn: TagsOfKey = None,
        decorated_fn: Callable[..., Any] | None = None,
    ) -> None:
        self.partitions_def = partitions_def
        self.run_config_for_partition_key_fn = run_config_for_partition_key_fn
        self.tags_for_partition_key_fn = tags_for_partition_key_fn
        self._decorated = decorated_fn

    def get_partition_keys(self, current_time: datetime | None = None) -> Sequence[str]:
        """All keys that exist at `current_time`."""
        return self.partitions_def.get_partition_keys(current_time)

    def get_run_config_for_partition_key(self, partition_key: str) -> Mapping[str, Any]:
        """The run config of a partition."""
        return run_config_dict(self.run_config_for_partition_key_fn(partition_key))

    def get_tags_for_partition_key(self, partition_key: str, job_name: str | None = None) -> Mapping[str, str]:
        """The tags of a run of a partition; with the name of its job, that of the set of its partitions too."""
        found = self.tags_for_partition_key_fn(partition_key) if self.tags_for_partition_key_fn is not None else {}
        return {
            **tag_rules.run_tags(found, "a partition"),
            **partition_tags(self.partitions_def, partition_key, job_name),
        }

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the decorated function, as tests do."""
        if self._decorated is None:
            raise InvocationError("This PartitionedConfig was not made by a decorator, so there is nothing to call.")
        return self._decorated(*args, **kwargs)


def partition_tags(definition: PartitionsDefinition, partition_key: str, job_name: str | None) -> dict[str, str]:
    """The tags that name a partition of a job."""
    tags = dict(definition.get_tags_for_partition_key(partition_key))
    if job_name is not None:
        tags[tag_rules.PARTITION_SET] = f"{job_name}_partition_set"
    return tags


def partitioned_config(
    partitions_def: D, tags_for_partition_key_fn: TagsOfKey = None
) -> Callable[[ConfigOfKey], PartitionedConfig[D]]:
    """Make a function of a partition key a `PartitionedConfig`."""

    def make(fn: ConfigOfKey) -> PartitionedConfig[D]:
        return PartitionedConfig(
            partitions_def, run_config_for_partition_key_fn=fn, tags_for_partition_key_fn=tags_for_partition_key_fn,
            decorated_fn=fn,
        )  # fmt: skip

    return make


def static_partitioned_config(
    partition_keys: Sequence[str], tags_for_partition_key_fn: TagsOfKey = None
) -> Callable[[ConfigOfKey], PartitionedConfig[StaticPartitionsDefinition]]:
    """Make a function of a key a `PartitionedConfig` over a list of keys."""
    return partitioned_config(StaticPartitionsDefinition(partition_keys), tags_for_partition_key_fn)


def _over_windows(kind: type[_T], given: dict[str, Any]) -> Callable[[ConfigOfWindow], PartitionedConfig[_T]]:
    """The decorator that was given these arguments: those of the definition, and the function of the tags."""
    tags_fn: TagsOfWindow = given.pop("tags_for_partition_fn")
    definition = kind(**given)

    def of_key(fn: Callable[[datetime, datetime], Any]) -> Callable[[str], Any]:
        return lambda key: fn(*definition.time_window_for_partition_key(key))

    def make(fn: ConfigOfWindow) -> PartitionedConfig[_T]:
        return PartitionedConfig(
            definition, run_config_for_partition_key_fn=of_key(fn),
            tags_for_partition_key_fn=of_key(tags_fn) if tags_fn is not None else None, decorated_fn=fn,
        )  # fmt: skip

    return make


def hourly_partitioned_config(
    start_date: Bound, minute_offset: int = 0, timezone: str | None = None, fmt: str | None = None,
    end_offset: int = 0, tags_for_partition_fn: TagsOfWindow = None, exclusions: Exclusions = None,
) -> Callable[[ConfigOfWindow], PartitionedConfig[HourlyPartitionsDefinition]]:  # fmt: skip
    """Make a function of the start and end of an hour a `PartitionedConfig`. Other arguments as for the partitions."""
    return _over_windows(HourlyPartitionsDefinition, locals())


def daily_partitioned_config(
    start_date: Bound, minute_offset: int = 0, hour_offset: int = 0, timezone: str | None = None,
    fmt: str | None = None, end_offset: int = 0, tags_for_partition_fn: TagsOfWindow = None,
    exclusions: Exclusions = None,
) -> Callable[[ConfigOfWindow], PartitionedConfig[DailyPartitionsDefinition]]:  # fmt: skip
    """Make a function of the start and end of a day a `PartitionedConfig`. Other arguments as for the partitions."""
    return _over_windows(DailyPartitionsDefinition, locals())


def weekly_partitioned_config(
    start_date: Bound, minute_offset: int = 0, hour_offset: int = 0, day_offset: int = 0, timezone: str | None = None,
    fmt: str | None = None, end_offset: int = 0, tags_for_partition_fn: TagsOfWindow = None,
    exclusions: Exclusions = None,
) -> Callable[[ConfigOfWindow], PartitionedConfig[WeeklyPartitionsDefinition]]:  # fmt: skip
    """Make a function of the start and end of a week a `PartitionedConfig`. Other arguments as for the partitions."""
    return _over_windows(WeeklyPartitionsDefinition, locals())


def monthly_partitioned_config(
    start_date: Bound, minute_offset: int = 0, hour_offset: int = 0, day_offset: int = 1, timezone: str | None = None,
    fmt: str | None = None, end_offset: int = 0, tags_for_partition_fn: TagsOfWindow = None,
    exclusions: Exclusions = None,
) -> Callable[[ConfigOfWindow], PartitionedConfig[MonthlyPartitionsDefinition]]:  # fmt: skip
    """Make a function of the start and end of a month a `PartitionedConfig`. Other arguments as for the partitions."""
    return _over_windows(MonthlyPartitionsDefinition, locals())
