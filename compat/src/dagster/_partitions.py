"""Partitions as code written for Dagster knows them: with a value, by a function, page by page, as text.

What users know under these names is attached to Treadle's classes before a name of partitions is first used.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import dagster._windows  # noqa: F401  what it attaches is in place with partitions
import treadle
from dagster._deprecated import with_old_arguments
from treadle.core.partitions import PartitionsDefinition, Store, effective_time
from treadle.core.subsets import PartitionSubset
from treadle.core.time_partitions import TimeWindowPartitionsDefinition
from treadle.errors import DefinitionError, InvocationError

T = TypeVar("T")


@dataclass(frozen=True)
class Partition:
    """A partition with a value beside its key, its name. Deprecated: partitions are their keys."""

    value: Any
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or str(self.value))


PartitionFunction = Callable[[datetime | None], "Sequence[Partition] | Sequence[str]"]


# --- by a function ---------------------------------------------------------------------------------------------------


class _ByFunction(treadle.DynamicPartitionsDefinition):
    """Partitions whose keys a function gives. Where the function is not, they are the keys it gave."""

    __slots__ = ("partition_fn",)

    def __init__(self, partition_fn: PartitionFunction, name: str | None = None) -> None:
        if name is not None:
            raise DefinitionError("DynamicPartitionsDefinition takes a name, or, as before, a function: exactly one.")
        self.partition_fn = partition_fn
        self.name = None

    def get_partition_keys(self, current_time: datetime | None = None, dynamic_partitions_store: Store = None) -> Any:
        found = self.partition_fn(effective_time(current_time))
        return [one.name if isinstance(one, Partition) else one for one in found]

    _has = PartitionsDefinition._has
    to_wire = PartitionsDefinition.to_wire

    def build_add_request(self, partition_keys: Sequence[str]) -> Any:
        raise DefinitionError(f"The keys of {self!r} come from a function and cannot be changed. Give it a name.")

    build_delete_request = build_add_request

    def _value(self) -> tuple[object, ...]:
        return (self.kind, self.partition_fn)

    def __repr__(self) -> str:
        return f"DynamicPartitionsDefinition(partition_fn={self.partition_fn!r})"


def _by_name_or_function(cls: type, partition_fn: Any = None, name: str | None = None) -> Any:
    if cls is not treadle.DynamicPartitionsDefinition or not callable(partition_fn):
        return object.__new__(cls)
    instead = "give it a name, and add keys to the instance, or subclass PartitionsDefinition."
    warnings.warn(
        f"DynamicPartitionsDefinition(partition_fn=...) is deprecated: {instead}", DeprecationWarning, stacklevel=2
    )
    return object.__new__(_ByFunction)


_declare_dynamic = treadle.DynamicPartitionsDefinition.__init__


def _by_name(self: treadle.DynamicPartitionsDefinition, partition_fn: Any = None, name: str | None = None) -> None:
    _declare_dynamic(self, name or partition_fn or "")


def _old(tags: dict[str, Any], value: Any) -> None:
    if tags.get("tags_for_partition_key_fn") is not None:
        raise DefinitionError("Two functions give tags. Give only tags_for_partition_key_fn.")
    tags["tags_for_partition_key_fn"] = value


_OLD_TAGS = {"tags_for_partition_fn": (_old, "use tags_for_partition_key_fn.")}
static_partitioned_config = with_old_arguments(treadle.static_partitioned_config, _OLD_TAGS)


def _dynamic_partitioned_config(
    partition_fn: PartitionFunction, tags_for_partition_key_fn: Callable[[str], Mapping[str, str]] | None = None
) -> Any:
    """Make a function of a key a `PartitionedConfig` over the keys that `partition_fn` gives for a time."""
    return treadle.partitioned_config(_ByFunction(partition_fn), tags_for_partition_key_fn)


dynamic_partitioned_config = with_old_arguments(_dynamic_partitioned_config, _OLD_TAGS)


# --- config ----------------------------------------------------------------------------------------------------------

_declare = treadle.PartitionedConfig.__init__


def _of_partition(function: Callable[[Partition], T] | None, new: Callable[[str], T] | None, old: str) -> Any:
    """A function of keys, from one of partitions as it was before."""
    if function is None:
        return new
    instead = old.replace("_fn", "_key_fn")
    if new is not None:
        raise DefinitionError(f"PartitionedConfig takes {instead} or, as before, {old}: not both.")
    warnings.warn(f"PartitionedConfig({old}=...) is deprecated: use {instead}.", DeprecationWarning, stacklevel=4)
    return lambda key: function(Partition(key))


def _partitioned_config(
    self: Any,
    partitions_def: PartitionsDefinition,
    run_config_for_partition_fn: Callable[[Partition], Mapping[str, Any]] | None = None,
    decorated_fn: Callable[..., Any] | None = None,
    tags_for_partition_fn: Callable[[Partition], Mapping[str, str]] | None = None,
    run_config_for_partition_key_fn: Callable[[str], Any] | None = None,
    tags_for_partition_key_fn: Callable[[str], Mapping[str, str]] | None = None,
) -> None:
    config = _of_partition(run_config_for_partition_fn, run_config_for_partition_key_fn, "run_config_for_partition_fn")
    if config is None:
        raise DefinitionError("PartitionedConfig needs a function of the config: run_config_for_partition_key_fn.")
    tags = _of_partition(tags_for_partition_fn, tags_for_partition_key_fn, "tags_for_partition_fn")
    _declare(
        self,
        partitions_def,
        run_config_for_partition_key_fn=config,
        tags_for_partition_key_fn=tags,
        decorated_fn=decorated_fn,
    )
    self.run_config_for_partition_fn = run_config_for_partition_fn
    self.tags_for_partition_fn = tags_for_partition_fn


# --- page by page ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class PaginatedResults(Generic[T]):
    """A page. `cursor` given to the next call gives what follows; `has_more`: whether that is anything."""

    results: Sequence[T]
    cursor: str
    has_more: bool


def _page(
    self: PartitionsDefinition, context: Any, limit: int, ascending: bool, cursor: str | None = None
) -> PaginatedResults[str]:
    """The keys after the one that is the cursor, in their order or backwards."""
    keys = self.get_partition_keys(*context)[:: 1 if ascending else -1]
    if cursor and cursor not in keys:
        raise InvocationError(f"There is no partition {cursor!r} any more to go on from. Begin again without a cursor.")
    start = keys.index(cursor) + 1 if cursor else 0
    found = keys[start : start + limit]
    return PaginatedResults(
        results=found, cursor=found[-1] if found else cursor or "", has_more=start + limit < len(keys)
    )


# --- as text ---------------------------------------------------------------------------------------------------------

_FIELDS = {"subset": "keys", "time_windows": "spans"}
"""What Dagster called the two things that hold the partitions of a set."""


def _serialize(self: PartitionSubset) -> str:
    """The set as text, which `deserialize_subset` of its definition reads."""
    return json.dumps(self.to_wire())


def _deserialize(self: PartitionsDefinition, serialized: str) -> PartitionSubset:
    """The set that `serialize` wrote, or that Dagster wrote. Keys that the definition no longer has are left out."""
    try:
        given: dict[str, Any] = json.loads(serialized)
        data = {_FIELDS.get(name, name): content for name, content in given.items()}
        if "spans" in data:
            data["spans"] = [(int(start), int(end)) for start, end in data["spans"]]
        return self.subset_from_wire(data)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise InvocationError(
            f"This is no set of partitions that was written by serialize(): {serialized:.80}."
        ) from None


def _can_deserialize(
    self: PartitionsDefinition,
    serialized: str,
    serialized_partitions_def_unique_id: str | None,
    serialized_partitions_def_class_name: str | None,
) -> bool:
    """Whether the text is a set of partitions, of a definition of this class. The id does not matter."""
    if serialized_partitions_def_class_name not in (None, type(self).__name__):
        return False
    try:
        _deserialize(self, serialized)
    except InvocationError:
        return False
    return True


class TimestampWithTimezone(NamedTuple):
    """A moment, in seconds since 1970 UTC, and the zone it is meant in."""

    timestamp: float
    timezone: str


def _moment(name: str) -> property:
    def get(self: TimeWindowPartitionsDefinition) -> TimestampWithTimezone | None:
        at = getattr(self, name)
        return None if at is None else TimestampWithTimezone(at.timestamp(), self.timezone)

    return property(get, doc=f"The `{name}` that was declared.")


for _owner, _name, _value in (
    (treadle.DynamicPartitionsDefinition, "__new__", _by_name_or_function),
    (treadle.DynamicPartitionsDefinition, "__init__", _by_name),
    (treadle.DynamicPartitionsDefinition, "partition_fn", None),
    (treadle.PartitionedConfig, "__init__", _partitioned_config),
    (treadle.PartitionedConfig, "run_config_for_partition_fn", None),
    (treadle.PartitionedConfig, "tags_for_partition_fn", None),
    (PartitionsDefinition, "get_paginated_partition_keys", _page),
    (PartitionsDefinition, "deserialize_subset", _deserialize),
    (PartitionsDefinition, "can_deserialize_subset", _can_deserialize),
    (PartitionSubset, "serialize", _serialize),
    (TimeWindowPartitionsDefinition, "start_ts", _moment("start")),
    (TimeWindowPartitionsDefinition, "end_ts", _moment("end")),
    (TimeWindowPartitionsDefinition, "start_timestamp", property(lambda self: self.start_ts.timestamp)),
    (TimeWindowPartitionsDefinition, "end_timestamp", property(lambda self: self.end_ts and self.end_ts.timestamp)),
):
    setattr(_owner, _name, _value)
