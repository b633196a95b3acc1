"""Which runs leave the queue: higher priority first, then the oldest, as far as limits and pools allow.

A run that is held back holds back no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from treadle.core import tags as tag_names
from treadle.errors import SelectionError
from treadle.spec.manifest import Manifest
from treadle.spec.nodes import FromOutput
from treadle.spec.op_selection import select_ops
from treadle.state.runs import Run


class TagLimit(msgspec.Struct, frozen=True):
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


class Needs(msgspec.Struct, frozen=True):
    """The pools that a run needs.

    Attributes:
        pools: those of all its steps.
        first: those of its first steps, if each of them has one: without a slot of any, the run could only wait.
    """

    pools: frozenset[str] = frozenset()
    first: frozenset[str] = frozenset()


def needs(manifest: Manifest, run: Run) -> Needs:
    """The pools that a run needs, as far as its code location says."""
    job = manifest.jobs_by_name.get(run.job_name)
    if job is not None and job.assets is None:
        upstream = {
            node.handle: {one.node for spec in node.inputs for one in spec.sources if isinstance(one, FromOutput)}
            for node in job.nodes
        }
        try:
            chosen = select_ops(run.op_selection, upstream) if run.op_selection else upstream.keys()
        except SelectionError:
            return Needs()  # the run will say so
        steps = [(node.pool, upstream[node.handle] & chosen) for node in job.nodes if node.handle in chosen]
    else:
        keys = run.asset_selection or manifest.made_by(run.job_name)
        specs = [spec for key in keys if (spec := manifest.specs.get(key)) is not None]
        above = {spec.key: ({dep.asset_key for dep in spec.deps} & keys) - {spec.key} for spec in specs}
        steps = [(manifest.pools.get(spec.key), above[spec.key]) for spec in specs]
    first = {pool for pool, above in steps if not above}
    is_known = None not in first and run.parent_run_id is None  # where a run goes on is seen when it does
    return Needs(
        frozenset(pool for pool, _ in steps if pool),
        frozenset(one for one in first if one) if is_known else frozenset(),
    )


class PoolLimits(msgspec.Struct, frozen=True):
    """How many slots pools have, and how many of them are gone.

    Attributes:
        limits: by pool.
        default: the limit of the others; None for any number.
        taken: how many steps hold a slot or wait for one (or how many active runs do), by pool.
        of_runs: whether a run needs a slot of each of its pools as long as it is active. Otherwise its steps do, and it
            waits while all that it could begin with would.
        spare: how many more runs than there are slots may be started, to be there when one is freed.
    """

    limits: Mapping[str, int] = {}
    default: int | None = None
    taken: Mapping[str, int] = {}
    of_runs: bool = False
    spare: int = 0

    def wanted(self, needs: Needs) -> frozenset[str]:
        """The pools of which a run takes a slot when it is launched."""
        return needs.pools if self.of_runs else needs.first

    def held_by(self, needs: Needs, launched: Counter[str]) -> str | None:
        """Why a run waits for a pool, if it does."""
        full: list[str] = []
        for name in sorted(self.wanted(needs)):
            limit = self.limits.get(name, self.default)
            used = self.taken.get(name, 0) + launched[name]
            if limit is not None and used >= limit + (0 if self.of_runs else self.spare):
                full.append(f"pool {name!r} has a limit of {limit}, and {used} hold a slot or wait for one")
            elif not self.of_runs:
                return None
        if not full:
            return None
        return f"It needs a slot: {full[0]}." if self.of_runs else f"All it could begin with waits: {'; '.join(full)}."


class Limits(msgspec.Struct, frozen=True):
    """How many runs may be active at once: in all (None: any number), by tag, and for their pools."""

    runs: int | None = None
    tags: Sequence[TagLimit] = ()
    pools: PoolLimits = PoolLimits()
    is_paused: bool = False


class Queued(msgspec.Struct, frozen=True):
    """A run that waits."""

    run_id: str
    tags: Mapping[str, str]
    needs: Needs = Needs()


class Launch(msgspec.Struct, frozen=True):
    """Let this run leave the queue."""

    run_id: str


class Hold(msgspec.Struct, frozen=True):
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
    counts = _Counts(limits)
    for tags in active:
        counts.add(tags)
    decisions: list[Decision] = []
    for run in sorted(waiting, key=lambda run: -tag_names.priority(run.tags)):
        reason = counts.held_by(run)
        if reason is not None:
            decisions.append(Hold(run.run_id, reason))
            continue
        decisions.append(Launch(run.run_id))
        counts.add(run.tags)
        counts.launched.update(limits.pools.wanted(run.needs))
    return decisions


class _Counts:
    """What is active, as limits count it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._running = 0
        self._tagged: list[Counter[tuple[str, str]]] = [Counter() for _ in limits.tags]
        self.launched: Counter[str] = Counter()

    def add(self, tags: Mapping[str, str]) -> None:
        """One run more, with these tags."""
        self._running += 1
        for limit, counter in zip(self._limits.tags, self._tagged, strict=True):
            if (kind := limit.counts(tags)) is not None:
                counter[kind] += 1

    def held_by(self, run: Queued) -> str | None:
        """Why a run waits, if it does."""
        limits = self._limits
        if limits.is_paused:
            return "The queue is paused. `treadle queue resume` lets it go on."
        if limits.runs is not None and self._running >= limits.runs:
            return f"{self._running} runs are active, and no more than {limits.runs} may be."
        for limit, counter in zip(limits.tags, self._tagged, strict=True):
            kind = limit.counts(run.tags)
            if kind is not None and counter[kind] >= limit.limit:
                tag = f"{kind[0]}: {kind[1]}" if kind[1] else kind[0]
                return f"{counter[kind]} active runs have the tag {tag}, and no more than {limit.limit} may."
        return limits.pools.held_by(run.needs, self.launched)
