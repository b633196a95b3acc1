"""Run config as a function of the partition: of its key, or of the start and end of its time window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from treadle.author.run_config import RunConfig, run_config_dict
from treadle.core import tags as tag_rules
from treadle.core.partitions import (
    DynamicPartitionsDefinition,
    Partition,
    PartitionsDefinition,
    StaticPartitionsDefinition,
)
from treadle.core.time_partitions import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from treadle.errors import DefinitionError, InvocationError

D = TypeVar("D", bound=PartitionsDefinition)
ConfigOfKey = Callable[[str], Any]
TagsOfKey = Callable[[str], Mapping[str, str]] | None
TagsOfWindow = Callable[[datetime, datetime], Mapping[str, str]] | None


class PartitionedConfig(Generic[D]):
    """The config of a job for each of its partitions. Give it to `job(config=...)`, which then has these partitions.

    Args:
        partitions_def: the partitions.
        run_config_for_partition_key_fn: the config for a key, as a dict or `RunConfig`.
        tags_for_partition_key_fn: more run tags for a key.
        decorated_fn: what calling the object calls.
        run_config_for_partition_fn, tags_for_partition_fn: deprecated; as those for a key, of a `Partition`.

    Raises:
        DefinitionError: not exactly one function gives the config, or two give tags.
    """

    def __init__(
        self,
        partitions_def: D,
        run_config_for_partition_fn: Callable[[Partition], Mapping[str, Any]] | None = None,
        decorated_fn: Callable[..., Any] | None = None,
        tags_for_partition_fn: Callable[[Partition], Mapping[str, str]] | None = None,
        run_config_for_partition_key_fn: ConfigOfKey | None = None,
        tags_for_partition_key_fn: TagsOfKey = None,
    ) -> None:
        if (run_config_for_partition_fn is None) == (run_config_for_partition_key_fn is None):
            raise DefinitionError(
                "PartitionedConfig takes one function of the config: run_config_for_partition_key_fn."
            )
        if tags_for_partition_fn is not None and tags_for_partition_key_fn is not None:
            raise DefinitionError("PartitionedConfig takes one function of the tags: tags_for_partition_key_fn.")
        self.partitions_def = partitions_def
        self.run_config_for_partition_fn = run_config_for_partition_fn
        self.run_config_for_partition_key_fn = run_config_for_partition_key_fn
        self.tags_for_partition_fn = tags_for_partition_fn
        self.tags_for_partition_key_fn = tags_for_partition_key_fn
        self._decorated = decorated_fn

    def get_partition_keys(self, current_time: datetime | None = None) -> Sequence[str]:
        """All keys that exist at `current_time`."""
        return self.partitions_def.get_partition_keys(current_time)

    def get_run_config_for_partition_key(self, partition_key: str) -> Mapping[str, Any]:
        """The run config of a partition."""
        if self.run_config_for_partition_key_fn is not None:
            return run_config_dict(self.run_config_for_partition_key_fn(partition_key))
        assert self.run_config_for_partition_fn is not None
        return run_config_dict(self.run_config_for_partition_fn(Partition(partition_key)))

    def get_tags_for_partition_key(self, partition_key: str, job_name: str | None = None) -> Mapping[str, str]:
        """The tags of a run of a partition; with the name of its job, that of the set of its partitions too."""
        found: Mapping[str, Any] = {}
        if self.tags_for_partition_key_fn is not None:
            found = self.tags_for_partition_key_fn(partition_key)
        elif self.tags_for_partition_fn is not None:
            found = self.tags_for_partition_fn(Partition(partition_key))
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
            partitions_def, decorated_fn=fn, run_config_for_partition_key_fn=fn,
            tags_for_partition_key_fn=tags_for_partition_key_fn,
        )  # fmt: skip

    return make


def static_partitioned_config(
    partition_keys: Sequence[str], tags_for_partition_fn: TagsOfKey = None, tags_for_partition_key_fn: TagsOfKey = None
) -> Callable[[ConfigOfKey], PartitionedConfig[StaticPartitionsDefinition]]:
    """Make a function of a key a `PartitionedConfig` over a list of keys. `tags_for_partition_fn` is deprecated."""
    return partitioned_config(
        StaticPartitionsDefinition(partition_keys), _one(tags_for_partition_key_fn, tags_for_partition_fn)
    )


def dynamic_partitioned_config(
    partition_fn: Callable[[datetime | None], Sequence[str]],
    tags_for_partition_fn: TagsOfKey = None,
    tags_for_partition_key_fn: TagsOfKey = None,
) -> Callable[[ConfigOfKey], PartitionedConfig[DynamicPartitionsDefinition]]:
    """Make a function of a key a `PartitionedConfig` over the keys that `partition_fn` gives for a time."""
    return partitioned_config(
        DynamicPartitionsDefinition(partition_fn), _one(tags_for_partition_key_fn, tags_for_partition_fn)
    )


def _one(new: TagsOfKey, old: TagsOfKey) -> TagsOfKey:
    if new is not None and old is not None:
        raise DefinitionError(
            "tags_for_partition_fn is the old name of tags_for_partition_key_fn. Give only the latter."
        )
    return new or old


_T = TypeVar("_T", bound=TimeWindowPartitionsDefinition)
ConfigOfWindow = Callable[[datetime, datetime], "Mapping[str, Any] | RunConfig"]


def _over_windows(definition: _T, tags_fn: TagsOfWindow) -> Callable[[ConfigOfWindow], PartitionedConfig[_T]]:
    def tags(key: str) -> Mapping[str, str]:
        assert tags_fn is not None
        return tags_fn(*definition.time_window_for_partition_key(key))

    def make(fn: ConfigOfWindow) -> PartitionedConfig[_T]:
        return PartitionedConfig(
            definition,
            decorated_fn=fn,
            run_config_for_partition_key_fn=lambda key: fn(*definition.time_window_for_partition_key(key)),
            tags_for_partition_key_fn=tags if tags_fn is not None else None,
        )

    return make


def hourly_partitioned_config(
    start_date: datetime | str, minute_offset: int = 0, timezone: str | None = None, fmt: str | None = None,
    end_offset: int = 0, tags_for_partition_fn: TagsOfWindow = None,
    exclusions: Sequence[str | datetime] | None = None,
) -> Callable[[ConfigOfWindow], PartitionedConfig[HourlyPartitionsDefinition]]:  # fmt: skip
    """Make a function of the start and end of an hour a `PartitionedConfig`. Other arguments as for the partitions."""
    definition = HourlyPartitionsDefinition(
        start_date, minute_offset=minute_offset, timezone=timezone, fmt=fmt, end_offset=end_offset,
        exclusions=exclusions,
    )  # fmt: skip
    return _over_windows(definition, tags_for_partition_fn)


def daily_partitioned_config(
    start_date: datetime | str, minute_offset: int = 0, hour_offset: int = 0, timezone: str | None = None,
    fmt: str | None = None, end_offset: int = 0, tags_for_partition_fn: TagsOfWindow = None,
    exclusions: Sequence[str | datetime] | None = None,
) -> Callable[[ConfigOfWindow], PartitionedConfig[DailyPartitionsDefinition]]:  # fmt: skip
    """Make a function of the start and end of a day a `PartitionedConfig`. Other arguments as for the partitions."""
    definition = DailyPartitionsDefinition(
        start_date, minute_offset=minute_offset, hour_offset=hour_offset, timezone=timezone, fmt=fmt,
        end_offset=end_offset, exclusions=exclusions,
    )  # fmt: skip
    return _over_windows(definition, tags_for_partition_fn)


def weekly_partitioned_config(
    start_date: datetime | str, minute_offset: int = 0, hour_offset: int = 0, day_offset: int = 0,
    timezone: str | None = None, fmt: str | None = None, end_offset: int = 0,
    tags_for_partition_fn: TagsOfWindow = None, exclusions: Sequence[str | datetime] | None = None,
) -> Callable[[ConfigOfWindow], PartitionedConfig[WeeklyPartitionsDefinition]]:  # fmt: skip
    """Make a function of the start and end of a week a `PartitionedConfig`. Other arguments as for the partitions."""
    definition = WeeklyPartitionsDefinition(
        start_date, minute_offset=minute_offset, hour_offset=hour_offset, day_offset=day_offset, timezone=timezone,
        fmt=fmt, end_offset=end_offset, exclusions=exclusions,
    )  # fmt: skip
    return _over_windows(definition, tags_for_partition_fn)


def monthly_partitioned_config(
    start_date: datetime | str, minute_offset: int = 0, hour_offset: int = 0, day_offset: int = 1,
    timezone: str | None = None, fmt: str | None = None, end_offset: int = 0,
    tags_for_partition_fn: TagsOfWindow = None, exclusions: Sequence[str | datetime] | None = None,
) -> Callable[[ConfigOfWindow], PartitionedConfig[MonthlyPartitionsDefinition]]:  # fmt: skip
    """Make a function of the start and end of a month a `PartitionedConfig`. Other arguments as for the partitions."""
    definition = MonthlyPartitionsDefinition(
        start_date, minute_offset=minute_offset, hour_offset=hour_offset, day_offset=day_offset, timezone=timezone,
        fmt=fmt, end_offset=end_offset, exclusions=exclusions,
    )  # fmt: skip
    return _over_windows(definition, tags_for_partition_fn)
