"""Partitions definitions: which keys a partitioned asset has. This module: the base, static keys and dynamic keys.

A definition answers by computation, and gives sets as subsets (`core.subsets`), never as lists of keys unless asked for
a list. Whoever needs "now" or the dynamic keys passes them, or pins them with `partition_loading_context`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from itertools import islice
from operator import eq, lt
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeAlias

from pyroaring import BitMap

from treadle.core import codec, tags
from treadle.core.keys import did_you_mean
from treadle.core.subsets import KeySubset, PartitionKeyRange, PartitionSubset, PositionSubset
from treadle.core.time import utc_now
from treadle.errors import DefinitionError, InvariantError, InvocationError, UnknownPartitionError

_FORBIDDEN = ("...", "\x00", "\x07", "\x08", "\t", "\n", "\x0b", "\x0c", "\r")
_SAMPLE = 1000


class DynamicPartitionsStore(Protocol):
    """Where dynamic partition keys are kept: in practice the instance."""

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        """The keys of the dynamic definition with this name, in the order they were added."""
        ...


Now: TypeAlias = datetime | None
Store: TypeAlias = DynamicPartitionsStore | None


class PartitionLoadingContext(NamedTuple):
    """What partition keys come from when the caller passes nothing: a pinned time, a store of dynamic keys."""

    effective_dt: Now = None
    dynamic_partitions_store: Store = None


_EMPTY = PartitionLoadingContext()
_context: ContextVar[PartitionLoadingContext] = ContextVar("partition_loading_context", default=_EMPTY)


@contextmanager
def partition_loading_context(
    effective_dt: Now = None, dynamic_partitions_store: Store = None, *, new_ctx: PartitionLoadingContext | None = None
) -> Iterator[PartitionLoadingContext]:
    """Pin the current time, or the store of dynamic keys, for all partitions questions asked inside the block.

    What is not given stays as it was pinned around the block. `new_ctx`, what such a block gave, is pinned as it is.
    """
    outer = _context.get()
    inner = new_ctx or PartitionLoadingContext(
        effective_dt or outer.effective_dt, dynamic_partitions_store or outer.dynamic_partitions_store
    )
    token = _context.set(inner)
    try:
        yield inner
    finally:
        _context.reset(token)


def effective_time(current_time: Now) -> datetime:
    """`current_time`, else the pinned time, else the default clock's."""
    return current_time or _context.get().effective_dt or utc_now()


def effective_store(store: Store) -> Store:
    """`store`, else the pinned one."""
    return store if store is not None else _context.get().dynamic_partitions_store


def check_partition_keys(keys: Sequence[str], what: str) -> None:
    """Raise unless `keys` are distinct strings without `...` and control characters.

    Raises:
        DefinitionError: they are not; the message names the first wrong key.
    """
    try:
        joined = "|".join(keys)
    except TypeError:
        wrong = next(key for key in keys if not isinstance(key, str))
        raise DefinitionError(
            f"{wrong!r} in {what} is no partition key: keys are strings, not {type(wrong)}."
        ) from None
    for piece in _FORBIDDEN:
        if piece in joined:
            wrong = next(key for key in keys if piece in key)
            raise DefinitionError(
                f"Partition key {wrong!r} in {what} contains {piece!r}. Keys cannot; choose another name."
            )
    duplicate = _first_duplicate(keys)
    if duplicate is not None:
        raise DefinitionError(f"Partition key {duplicate!r} occurs twice in {what}. Remove one.")


def _first_duplicate(keys: Sequence[str]) -> str | None:
    """A key that occurs twice. A million keys in nearly sorted order are sorted faster than they are hashed."""
    step = max(1, len(keys) // _SAMPLE)
    if len(keys) > 100 * _SAMPLE:
        descents = sum(map(lt, keys[1::step], keys[0::step]))
        if descents < _SAMPLE // 50:
            ordered = sorted(keys)
            if not any(map(eq, ordered, islice(ordered, 1, None))):
                return None
    if len(set(keys)) == len(keys):
        return None
    seen: set[str] = set()
    return next(key for key in keys if key in seen or seen.add(key))  # type: ignore[func-returns-value]


class PartitionsDefinition:
    """Which partitions an asset or job has. Subclass it and define `get_partition_keys` for keys by your own rule.

    Keys are strings, distinct, in an order of their own. `current_time` (any time zone; without one it is wall time of
    the definition) and `dynamic_partitions_store` default to what `partition_loading_context` pins, then to now and to
    nothing. The public methods pass the two as one value to methods that each kind of definition answers in its way.
    """

    __slots__ = ()
    kind: ClassVar[str] = "custom"

    def get_partition_keys(self, current_time: Now = None, dynamic_partitions_store: Store = None) -> Sequence[str]:
        """All keys that exist at `current_time`, in order."""
        if type(self)._keys is PartitionsDefinition._keys:
            raise InvariantError(f"{type(self).__name__} has no get_partition_keys. Define it in the class.")
        return list(self._keys(PartitionLoadingContext(current_time, dynamic_partitions_store)))

    def _keys(self, at: PartitionLoadingContext) -> Sequence[str]:
        return self.get_partition_keys(*at)

    def get_first_partition_key(self, current_time: Now = None, dynamic_partitions_store: Store = None) -> str | None:
        """The first key, or None if there is none."""
        return self._first(PartitionLoadingContext(current_time, dynamic_partitions_store))

    def _first(self, at: PartitionLoadingContext) -> str | None:
        return next(iter(self._keys(at)), None)

    def get_last_partition_key(self, current_time: Now = None, dynamic_partitions_store: Store = None) -> str | None:
        """The last key, or None if there is none."""
        return self._last(PartitionLoadingContext(current_time, dynamic_partitions_store))

    def _last(self, at: PartitionLoadingContext) -> str | None:
        keys = self._keys(at)
        return keys[-1] if keys else None

    def get_num_partitions(self, current_time: Now = None, dynamic_partitions_store: Store = None) -> int:
        """How many keys exist at `current_time`."""
        return self._count(PartitionLoadingContext(current_time, dynamic_partitions_store))

    def _count(self, at: PartitionLoadingContext) -> int:
        return len(self._keys(at))

    def has_partition_key(
        self, partition_key: str, current_time: Now = None, dynamic_partitions_store: Store = None
    ) -> bool:
        """Whether this key exists at `current_time`."""
        return self._has(partition_key, PartitionLoadingContext(current_time, dynamic_partitions_store))

    def _has(self, key: str, at: PartitionLoadingContext) -> bool:
        return key in self._keys(at)

    def get_partition_keys_in_range(
        self, partition_key_range: PartitionKeyRange, dynamic_partitions_store: Store = None
    ) -> Sequence[str]:
        """The keys from `start` to `end`, both included; none if `end` comes before `start`.

        Raises:
            UnknownPartitionError: an end of the range does not exist.
        """
        return self._keys_between(partition_key_range, PartitionLoadingContext(None, dynamic_partitions_store))

    def _keys_between(self, ends: PartitionKeyRange, at: PartitionLoadingContext) -> Sequence[str]:
        keys = self._keys(at)
        position = {key: i for i, key in enumerate(keys)}
        for key in ends:
            if key not in position:
                raise self._unknown(key, keys)
        return keys[position[ends.start] : position[ends.end] + 1]

    def validate_partition_key(
        self,
        partition_key: str,
        context: PartitionLoadingContext | None = None,
        *,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> None:
        """Raise unless this key exists at `current_time`.

        Raises:
            UnknownPartitionError: it does not.
        """
        now, store = context or _EMPTY
        at = PartitionLoadingContext(current_time or now, dynamic_partitions_store or store)
        if not self.has_partition_key(partition_key, *at):
            raise self._unknown(partition_key, self._nearby_keys(at))

    def get_tags_for_partition_key(self, partition_key: str) -> Mapping[str, str]:
        """The tags of a run of this partition."""
        return {tags.PARTITION: partition_key}

    # --- subsets

    def empty_subset(self) -> PartitionSubset:
        """No partitions."""
        return self.subset_of_known(())[0]

    def subset_with_partition_keys(self, partition_keys: Iterable[str]) -> PartitionSubset:
        """The subset of these keys.

        Raises:
            UnknownPartitionError: a key can never be one of this definition.
        """
        subset, unknown = self.subset_of_known(partition_keys)
        if unknown:
            raise self._unknown(next(iter(unknown)), self._nearby_keys(_EMPTY))
        return subset

    def subset_with_all_partitions(
        self, current_time: Now = None, dynamic_partitions_store: Store = None
    ) -> PartitionSubset:
        """All partitions that exist at `current_time`."""
        return self._all(PartitionLoadingContext(current_time, dynamic_partitions_store))

    def _all(self, at: PartitionLoadingContext) -> PartitionSubset:
        return self.subset_with_partition_keys(self._keys(at))

    def subset_in_range(
        self, partition_key_range: PartitionKeyRange, current_time: Now = None, dynamic_partitions_store: Store = None
    ) -> PartitionSubset:
        """The partitions from `start` to `end`, both included."""
        return self._subset_between(
            partition_key_range, PartitionLoadingContext(current_time, dynamic_partitions_store)
        )

    def _subset_between(self, ends: PartitionKeyRange, at: PartitionLoadingContext) -> PartitionSubset:
        return self.subset_with_partition_keys(self._keys_between(ends, at))

    def subset_of_known(self, partition_keys: Iterable[str]) -> tuple[PartitionSubset, frozenset[str]]:
        """The subset of those keys that this definition can have, and the other keys.

        For keys from the store, which may be of an older definition. Existence at a time is not asked:
        intersect with `subset_with_all_partitions` for that.
        """
        return KeySubset(self, partition_keys), frozenset()

    def subset_from_ids(self, ids: BitMap, keys_of: Callable[[BitMap], Iterable[str]]) -> PartitionSubset:
        """The subset for a bitmap of interned ids. Keys that the definition no longer has are left out."""
        return self.subset_of_known(keys_of(ids))[0]

    def subset_from_wire(self, data: Mapping[str, Any]) -> PartitionSubset:
        """The subset whose `to_wire` gave `data`. Keys that the definition no longer has are left out."""
        return self.subset_of_known(data["keys"])[0]

    # --- values

    def to_wire(self) -> dict[str, Any]:
        """The definition as plain data. One with keys by its own rule travels as the keys it has now."""
        return {"kind": StaticPartitionsDefinition.kind, "keys": list(self.get_partition_keys())}

    def _value(self) -> tuple[object, ...] | None:
        """What equal definitions have in common. None: nothing, each is only equal to itself."""
        return None

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        value = self._value() if isinstance(other, PartitionsDefinition) else None
        return value is not None and value == other._value()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        value = self._value()
        return object.__hash__(self) if value is None else hash(value)

    # --- errors

    def _nearby_keys(self, at: PartitionLoadingContext) -> Sequence[str]:
        """Keys among which an unknown one may be meant."""
        return self._keys(at)

    def _unknown(self, key: object, known: Sequence[str] = ()) -> UnknownPartitionError:
        hint = did_you_mean(key, known[-2000:]) if isinstance(key, str) else " Keys are strings."
        some = f" It has {len(known)}, such as {known[-1]!r}." if known else " It has none at this time."
        return UnknownPartitionError(
            f"There is no partition {key!r} in {self!s}.{some}{hint} Use a key that get_partition_keys() lists."
        )


class StaticPartitionsDefinition(PartitionsDefinition):
    """A fixed list of partitions.

    Args:
        partition_keys: distinct strings, without `...` and control characters. Their order is the order of partitions.

    Raises:
        DefinitionError: a key is not valid or occurs twice.
    """

    __slots__ = ("_hash", "_positions", "partition_keys")
    kind = "static"
    partition_keys: tuple[str, ...]

    def __init__(self, partition_keys: Sequence[str]) -> None:
        if isinstance(partition_keys, str):
            raise DefinitionError(
                f"StaticPartitionsDefinition takes a list of keys, not a string. Write [{partition_keys!r}]."
            )
        self.partition_keys = tuple(partition_keys)
        self._positions: dict[str, int] | None = None
        self._hash: int | None = None
        check_partition_keys(self.partition_keys, "StaticPartitionsDefinition")

    def position_of(self, key: object) -> int | None:
        """Where the key stands, from 0, or None if it is not a key."""
        if self._positions is None:
            self._positions = {known: i for i, known in enumerate(self.partition_keys)}
        return self._positions.get(key)  # type: ignore[arg-type]

    def _keys(self, at: PartitionLoadingContext) -> Sequence[str]:
        return self.partition_keys

    def _has(self, key: str, at: PartitionLoadingContext) -> bool:
        return self.position_of(key) is not None

    def _positions_between(self, ends: PartitionKeyRange) -> range:
        start, end = map(self.position_of, ends)
        if start is None or end is None:
            raise self._unknown(ends.start if start is None else ends.end, self.partition_keys)
        return range(start, end + 1)

    def _keys_between(self, ends: PartitionKeyRange, at: PartitionLoadingContext) -> Sequence[str]:
        found = self._positions_between(ends)
        return list(self.partition_keys[found.start : found.stop])

    def _subset_between(self, ends: PartitionKeyRange, at: PartitionLoadingContext) -> PartitionSubset:
        return PositionSubset(self, self._positions_between(ends))

    def _all(self, at: PartitionLoadingContext) -> PartitionSubset:
        return PositionSubset(self, range(len(self.partition_keys)))

    def subset_of_known(self, partition_keys: Iterable[str]) -> tuple[PartitionSubset, frozenset[str]]:
        position_of = {key: self.position_of(key) for key in partition_keys}
        known = [position for position in position_of.values() if position is not None]
        return PositionSubset(self, known), frozenset(key for key, at in position_of.items() if at is None)

    def to_wire(self) -> dict[str, Any]:
        return {"kind": self.kind, "keys": list(self.partition_keys)}

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Self:
        self = cls(())
        self.partition_keys = tuple(data["keys"])  # checked when it was defined
        return self

    def _value(self) -> tuple[object, ...]:
        return (self.kind, self.partition_keys)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self.partition_keys)
        return self._hash

    __eq__ = PartitionsDefinition.__eq__

    def __reduce__(self) -> tuple[Any, ...]:
        return (StaticPartitionsDefinition, (self.partition_keys,))

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self.partition_keys[:10]))
        more = f", ... {len(self.partition_keys) - 10} more" if len(self.partition_keys) > 10 else ""
        return f"StaticPartitionsDefinition([{shown}{more}])"


class AddDynamicPartitionsRequest(NamedTuple):
    """Asks that keys be added to the dynamic partitions of a name; those that are there already stay."""

    partitions_def_name: str
    partition_keys: Sequence[str]


class DeleteDynamicPartitionsRequest(NamedTuple):
    """Asks that keys be removed from the dynamic partitions of a name; those that are not there are no matter."""

    partitions_def_name: str
    partition_keys: Sequence[str]


class DynamicPartitionsDefinition(PartitionsDefinition):
    """Partitions whose keys are added and removed while the system runs. The instance keeps them.

    Args:
        name: the name under which the instance keeps the keys. Definitions with one name share them.

    Raises:
        DefinitionError: the name is empty.
    """

    __slots__ = ("name",)
    kind = "dynamic"

    def __init__(self, name: str) -> None:
        if not name or not isinstance(name, str):
            raise DefinitionError(f"DynamicPartitionsDefinition takes the name its keys are kept under, not {name!r}.")
        self.name = name

    def get_partition_keys(self, current_time: Now = None, dynamic_partitions_store: Store = None) -> Sequence[str]:
        """The keys that the store has now, in the order they were added.

        Raises:
            InvocationError: no store was passed or pinned.
        """
        return list(self._store(dynamic_partitions_store).get_dynamic_partitions(self.name))

    def build_add_request(self, partition_keys: Sequence[str]) -> AddDynamicPartitionsRequest:
        """What a sensor returns in `SensorResult(dynamic_partitions_requests=[...])` to add keys.

        Raises:
            DefinitionError: a key is not valid or occurs twice.
        """
        check_partition_keys(partition_keys, f"build_add_request of {self!s}")
        return AddDynamicPartitionsRequest(self.name, partition_keys)

    def build_delete_request(self, partition_keys: Sequence[str]) -> DeleteDynamicPartitionsRequest:
        """What a sensor returns in `SensorResult(dynamic_partitions_requests=[...])` to remove keys."""
        return DeleteDynamicPartitionsRequest(self.name, partition_keys)

    def _store(self, given: Store) -> DynamicPartitionsStore:
        store = effective_store(given)
        if store is None:
            raise InvocationError(
                f"The keys of the dynamic partitions {self.name!r} are kept by an instance, and none is at hand. Pass "
                "dynamic_partitions_store=instance, or pin it with partition_loading_context."
            )
        return store

    def _has(self, key: str, at: PartitionLoadingContext) -> bool:
        has = getattr(self._store(at.dynamic_partitions_store), "has_dynamic_partition", None)
        # one look-up instead of all keys, where the store can
        return super()._has(key, at) if has is None else bool(has(self.name, key))

    def to_wire(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name}

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Self:
        return cls(name=data["name"])

    def _value(self) -> tuple[object, ...]:
        return (self.kind, self.name)

    def __repr__(self) -> str:
        return f"DynamicPartitionsDefinition(name={self.name!r})"


# --- the wire --------------------------------------------------------------------------------------------------------

KINDS = codec.Kinds("partitions definition", PartitionsDefinition)
KINDS.add(StaticPartitionsDefinition, DynamicPartitionsDefinition)
