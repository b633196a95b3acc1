"""What automation conditions see: the facts about assets and checks at one moment, and what one evaluation hands to the
next.

Whoever evaluates brings a `View`; over the store it is made elsewhere. All of a view's answers belong to one `position`
of the event log: what was stored after it is not there yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeAlias

import msgspec

from treadle.core import codec
from treadle.core.keys import AssetCheckKey, AssetJobKey, AssetKey
from treadle.core.partitions import PartitionsDefinition
from treadle.spec.automation import AutomationCondition

Target: TypeAlias = AssetKey | AssetCheckKey | AssetJobKey
"""What a condition belongs to."""


class Subset(Protocol):
    """Partitions (a `PartitionSubset`); of what has none, whether it is meant (a bool)."""

    def __and__(self, other: Any, /) -> Any: ...

    def __or__(self, other: Any, /) -> Any: ...


def some(subset: Any) -> bool:
    """Whether there is anything in it."""
    return subset if isinstance(subset, bool) else not subset.is_empty


def size(subset: Any) -> int:
    """How many partitions; 1 or 0 for what has none."""
    return int(subset) if isinstance(subset, bool) else len(subset)


def minus(left: Any, right: Any) -> Any:
    """What is in the first and not in the second. (`|` and `&` serve both kinds as they are.)"""
    return left and not right if isinstance(left, bool) else left - right


class Facts(NamedTuple):
    """What is true of an asset or a check.

    Attributes:
        made: what was materialized; of what is observed here, observed; of a check, evaluated.
        running, failed, backfilling: what waits for a run, what the latest such run failed to make, what waits for a
            backfill.
        made_at: when it was last materialized, in seconds since the epoch.
        passed: of a check: whether its latest evaluation passed; None if there is none, or a newer one is under way.
    """

    made: Subset = False
    running: Subset = False
    failed: Subset = False
    backfilling: Subset = False
    made_at: float | None = None
    passed: bool | None = None


class Update(NamedTuple):
    """An update of an asset or a check: its number in the log, when, its partition, and the run it came from."""

    number: int
    timestamp: float
    partition: str | None = None
    run_id: str = ""


class RunFacts(NamedTuple):
    """What conditions ask about a run.

    Attributes:
        first: the number of its first event: it has not seen what was stored after that.
        tags: its tags.
        targets: the assets that it was to make, and the checks that it was to evaluate.
    """

    first: int
    tags: Mapping[str, str]
    targets: frozenset[Target]


class Changes(NamedTuple):
    """What happened after some position.

    Attributes:
        updates: every update, oldest first, of those that had any.
        touched: all of which anything was recorded: whose facts may differ.
    """

    updates: Mapping[Target, Sequence[Update]]
    touched: frozenset[Target]


class View(Protocol):
    """The facts at one moment."""

    @property
    def now(self) -> datetime:
        """The time of the evaluation, with a time zone."""
        ...

    @property
    def position(self) -> int:
        """The number of the last event that it knows."""
        ...

    @property
    def store(self) -> Any:
        """Where dynamic partitions are kept."""
        ...

    def facts(self, key: Target) -> Facts:
        """What is true of it. Subsets are of the definition that the graph has."""
        ...

    def changes(self, after: int) -> Changes:
        """What happened after `after`, up to the view's position."""
        ...

    def latest(self, key: Target, within: Subset) -> Sequence[Update]:
        """The latest update of each of these partitions that has any."""
        ...

    def run(self, run_id: str) -> RunFacts | None:
        """What is known of a run."""
        ...

    def version(self, key: AssetKey, partition: str | None, until: int) -> str | None:
        """The data version of the latest update up to the event `until`, if it has one."""
        ...


# --- what one evaluation hands to the next -------------------------------------------------------------------------


class Piece(NamedTuple):
    """A part of a set that became true at one moment.

    Attributes:
        number: how much of the log that moment had seen: an update's own number, or for the target itself the first
            number of the run that made it; None if it has nothing to do with events.
        time: when, in seconds since the epoch; None if at no known time.
        subset: the part.
    """

    number: int | None
    time: float | None
    subset: Subset


class Note(NamedTuple):
    """What a condition remembers about one asset or check: the pieces it holds, or a text."""

    key: Target
    pieces: tuple[Piece, ...] = ()
    text: str | None = None


Memory: TypeAlias = Mapping[str, Note]
"""What the conditions of one target remember, by what they are and whom they are about."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """What an evaluation has to know of the one before.

    Attributes:
        evaluation_id: its number, from 0.
        position: what it had seen of the event log.
        time: when it was, in seconds since the epoch.
        memory: what is remembered for each target that was evaluated.
        requested: what it requested.
    """

    evaluation_id: int
    position: int
    time: float
    memory: Mapping[Target, Memory] = field(default_factory=dict)
    requested: Mapping[Target, Subset] = field(default_factory=dict)


class _Key(msgspec.Struct, frozen=True, array_like=True):
    asset: AssetKey | None = None
    check: str | None = None
    job: str | None = None


class _Note(msgspec.Struct, frozen=True, omit_defaults=True):
    key: _Key
    pieces: list[tuple[int | None, float | None, Any]] = []
    text: str | None = None


class _Wire(msgspec.Struct, frozen=True):
    evaluation_id: int
    position: int
    time: float
    memory: list[tuple[_Key, dict[str, _Note]]]
    requested: list[tuple[_Key, Any]]


_decoder = codec.decoder(_Wire)


def _to_key(key: Target) -> _Key:
    if isinstance(key, AssetJobKey):
        return _Key(job=key.job_name)
    return _Key(key.asset_key, key.name) if isinstance(key, AssetCheckKey) else _Key(key)


def _from_key(wire: _Key) -> Target:
    if wire.asset is None:
        return AssetJobKey(wire.job or "")
    return wire.asset if wire.check is None else AssetCheckKey(wire.asset, wire.check)


def _to_wire(subset: Any) -> Any:
    return subset if isinstance(subset, bool) else subset.to_wire()


def encode_cursor(cursor: Cursor) -> bytes:
    """The cursor as bytes."""
    memory = [
        (
            _to_key(target),
            {
                name: _Note(_to_key(note.key), [(n, t, _to_wire(s)) for n, t, s in note.pieces], note.text)
                for name, note in notes.items()
            },
        )
        for target, notes in cursor.memory.items()
    ]
    requested = [(_to_key(target), _to_wire(subset)) for target, subset in cursor.requested.items()]
    return codec.encode(_Wire(cursor.evaluation_id, cursor.position, cursor.time, memory, requested))


def decode_cursor(data: bytes, partitions_of: Callable[[Target], PartitionsDefinition | None]) -> Cursor:
    """The cursor that `encode_cursor` gave `data` for. Partitions that `partitions_of` does not know are left out.

    Raises:
        codec.DecodeError: `data` is no cursor.
    """
    wire: _Wire = _decoder.decode(data)

    def read(key: Target, raw: Any) -> Subset | None:
        definition = partitions_of(key)
        if definition is None or isinstance(raw, bool):
            return raw if definition is None and isinstance(raw, bool) else None
        if ("spans" in raw) != hasattr(definition, "windows"):  # another kind of definition by now
            return None
        return definition.subset_from_wire(raw)

    def note(raw: _Note) -> Note:
        key = _from_key(raw.key)
        pieces = ((n, t, read(key, subset)) for n, t, subset in raw.pieces)
        return Note(key, tuple(Piece(n, t, subset) for n, t, subset in pieces if subset is not None), raw.text)

    memory = {_from_key(key): {name: note(one) for name, one in notes.items()} for key, notes in wire.memory}
    requested = ((_from_key(key), read(_from_key(key), raw)) for key, raw in wire.requested)
    return Cursor(
        wire.evaluation_id,
        wire.position,
        wire.time,
        memory,
        {key: subset for key, subset in requested if subset is not None},
    )


def known_part(subset: Any, definition: PartitionsDefinition | None) -> Subset | None:
    """A remembered subset as one of the definition that there is now; None if the two have nothing in common."""
    if isinstance(subset, bool) or definition is None:
        return subset if definition is None and isinstance(subset, bool) else None
    if subset.partitions_def is definition or subset.partitions_def == definition:
        return subset
    return definition.subset_of_known(subset)[0]


# --- explaining ----------------------------------------------------------------------------------------------------


class Evaluation(NamedTuple):
    """What a condition came to, for one asset or check, and what its parts did.

    Attributes:
        key: whom it is about.
        condition: the condition.
        true: where it is true.
        children: its parts; of a condition on others, one for each of them.
        pieces: of parts of `true`, when they became true.
    """

    key: Target
    condition: AutomationCondition
    true: Subset
    children: tuple[Evaluation, ...] = ()
    pieces: tuple[Piece, ...] = ()
