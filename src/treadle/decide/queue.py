"""Which runs leave the queue: higher priority first, then the oldest, as far as limits allow.

A run that a limit holds back holds back no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from treadle.core import tags as tag_names


@dataclass(frozen=True, slots=True)
class TagLimit:
    """At most `limit` active runs with a tag.

    Attributes:
        key: the tag.
        limit: how many.
        value: only runs where the tag has this value; None for all that have the tag.
        each: whether each value of the tag is counted apart.
    """

    key: str
    limit: int
    value: str | None = None
    each: bool = False

    @staticmethod
    def declared(key: str, limit: int, value: str | Mapping[str, bool] | None) -> TagLimit:
        """A limit as settings and run config write it."""
        each = isinstance(value, Mapping) and bool(value.get("applyLimitPerUniqueValue"))
        return TagLimit(key, limit, value if isinstance(value, str) else None, each)

    def counts(self, tags: Mapping[str, str]) -> tuple[str, str] | None:
        """What a run with these tags is counted as; None if the limit is not about it."""
        value = tags.get(self.key)
        if value is None or (self.value is not None and value != self.value):
            return None
        return self.key, value if self.each or self.value is not None else ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many runs may be active at once: in all (None: any number), and by tag."""

    runs: int | None = None
    tags: Sequence[TagLimit] = ()


@dataclass(frozen=True, slots=True)
class Queued:
    """A run that waits."""

    run_id: str
    tags: Mapping[str, str]

    @property
    def priority(self) -> int:
        """Higher goes first. What is no whole number counts as 0."""
        try:
            return int(self.tags.get(tag_names.PRIORITY, 0))
        except ValueError:
            return 0


@dataclass(frozen=True, slots=True)
class Launch:
    """Let this run leave the queue."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep this run waiting, for this reason."""

    run_id: str
    reason: str


Decision: TypeAlias = Launch | Hold


def dequeue(waiting: Iterable[Queued], active: Iterable[Mapping[str, str]], limits: Limits) -> list[Decision]:
    """What to do with each run that waits.

    Args:
        waiting: the queue, oldest first.
        active: the tags of each active run.
        limits: how many may be.
    """
    running = 0
    counted: list[Counter[tuple[str, str]]] = [Counter() for _ in limits.tags]
    for tags in active:
        running += 1
        _count(limits.tags, counted, tags)
    decisions: list[Decision] = []
    for run in sorted(waiting, key=lambda run: -run.priority):
        reason = _held_by(limits, running, counted, run.tags)
        if reason is not None:
            decisions.append(Hold(run.run_id, reason))
            continue
        decisions.append(Launch(run.run_id))
        running += 1
        _count(limits.tags, counted, run.tags)
    return decisions


def _count(limits: Sequence[TagLimit], counted: list[Counter[tuple[str, str]]], tags: Mapping[str, str]) -> None:
    for limit, counter in zip(limits, counted, strict=True):
        if (kind := limit.counts(tags)) is not None:
            counter[kind] += 1


def _held_by(
    limits: Limits, running: int, counted: list[Counter[tuple[str, str]]], tags: Mapping[str, str]
) -> str | None:
    if limits.runs is not None and running >= limits.runs:
        return f"{running} runs are active, and no more than {limits.runs} may be."
    for limit, counter in zip(limits.tags, counted, strict=True):
        kind = limit.counts(tags)
        if kind is not None and counter[kind] >= limit.limit:
            tag = f"{kind[0]}: {kind[1]}" if kind[1] else kind[0]
            return f"{counter[kind]} active runs have the tag {tag}, and no more than {limit.limit} may."
    return None
