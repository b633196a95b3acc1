"""A small world for tests of automation conditions: assets, what happened to them, and a view of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from treadle import AssetCheckKey, AssetCheckSpec, AssetDep, AssetJobKey, AssetKey, AssetSpec
from treadle.decide import automation_world
from treadle.decide.automation import Evaluator, Outcome
from treadle.decide.automation_view import Changes, Cursor, Facts, RunFacts, Subset, Target, Update
from treadle.decide.automation_world import Custom
from treadle.spec.graph import AssetGraph

START = datetime(2026, 1, 10, 0, 5, tzinfo=UTC)


class World:
    """Assets and what happened to them. It is a `View` of itself, and evaluates the conditions of its assets.

    Every evaluation is made twice, from the cursor with what the evaluator remembers and from the cursor alone: both
    must come to the same.
    """

    def __init__(
        self,
        *specs: AssetSpec,
        checks: Sequence[AssetCheckSpec] = (),
        jobs: Mapping[str, tuple[Any, frozenset[AssetKey]]] | None = None,
        together: Sequence[frozenset[AssetKey]] = (),
        custom: Custom | None = None,
        store: Any = None,
    ) -> None:
        self.now = START
        self.position = 0
        self.store = store
        self.cursor: Cursor | None = None
        self.outcome: Outcome | None = None
        self._log: list[tuple[Target, Update, str | None]] = []
        self._touched: list[tuple[int, Target]] = []
        self._made: dict[Target, set[str | None]] = {}
        self._states: dict[tuple[str, Target], set[str | None]] = {}
        self._passed: dict[Target, bool | None] = {}
        self._runs: dict[str, RunFacts] = {}
        self._custom = custom
        self.define(*specs, checks=checks, jobs=jobs, together=together)

    def define(
        self,
        *specs: AssetSpec,
        checks: Sequence[AssetCheckSpec] = (),
        jobs: Mapping[str, tuple[Any, frozenset[AssetKey]]] | None = None,
        together: Sequence[frozenset[AssetKey]] = (),
    ) -> None:
        """Declare these assets in the place of those that were there."""
        neighbours = {key: group for group in together for key in group}
        made_by = {spec.key: spec.key.to_user_string() for spec in specs if "external" not in spec.tags}
        self.graph = AssetGraph(specs, made_by, checks, neighbours)
        self.conditions: dict[Target, Any] = {
            spec.key: spec.automation_condition for spec in [*specs, *checks] if spec.automation_condition is not None
        }
        self._jobs = {AssetJobKey(name): keys for name, (_, keys) in (jobs or {}).items()}
        self.conditions.update({AssetJobKey(name): condition for name, (condition, _) in (jobs or {}).items()})
        self._evaluator = self._new()

    def _new(self) -> Evaluator:
        return Evaluator(automation_world.World(self.graph, self.conditions, self._jobs, self._custom))

    # --- happening

    def make(self, name: str, *partitions: str | None, run: str = "", version: str | None = None) -> None:
        """Materialize an asset, or evaluate a check `asset:check`."""
        for partition in partitions or (None,):
            self.position += 1
            target = key(name)
            update = Update(self.position, self.now.timestamp() - 1, partition, run)
            self._log.append((target, update, version))
            self._made.setdefault(target, set()).add(partition)
            self._touched.append((self.position, target))

    def wipe(self, name: str) -> None:
        """Forget what was made of an asset."""
        target = key(name)
        self._made.pop(target, None)
        self._log = [one for one in self._log if one[0] != target]
        self._touch(target)

    def run(self, name: str, *targets: str, tags: Mapping[str, str] | None = None) -> None:
        """Start a run."""
        self.position += 1
        self._runs[name] = RunFacts(self.position, tags or {}, frozenset(key(one) for one in targets))

    def state(self, kind: str, name: str, *partitions: str | None, on: bool = True) -> None:
        """Say that an asset is `running`, `failed` or `backfilling`, or is not."""
        self._states[kind, key(name)] = set(partitions or (None,)) if on else set()
        self._touch(key(name))

    def check(self, name: str, passed: bool | None) -> None:
        """Evaluate a check."""
        self.make(name)
        self._passed[key(name)] = passed

    def _touch(self, target: Target) -> None:
        self.position += 1
        self._touched.append((self.position, target))

    # --- a view

    def _subset(self, target: Target, partitions: set[str | None]) -> Subset:
        definition = self._evaluator.world.partitions_of(target)
        if definition is None:
            return None in partitions
        return definition.subset_of_known([one for one in partitions if one is not None])[0]

    def facts(self, key: Target) -> Facts:
        """What is true of it."""
        states = (
            self._subset(key, self._states.get((kind, key), set())) for kind in ("running", "failed", "backfilling")
        )
        times = [update.timestamp for target, update, _ in self._log if target == key]
        made_at = times[-1] if times else None
        made = self._subset(key, self._made.get(key, set()))
        return Facts(made, *states, made_at=made_at, passed=self._passed.get(key))

    def changes(self, after: int) -> Changes:
        """What happened after a position."""
        updates: dict[Target, list[Update]] = {}
        for target, update, _ in self._log:
            if update.number > after:
                updates.setdefault(target, []).append(update)
        return Changes(updates, frozenset(target for number, target in self._touched if number > after))

    def latest(self, key: Target, within: Subset) -> Sequence[Update]:
        """The latest updates."""
        found = {update.partition: update for target, update, _ in self._log if target == key}
        return [one for one in found.values() if isinstance(within, bool) or one.partition in within]  # type: ignore[operator]

    def run_facts(self, run_id: str) -> RunFacts | None:
        return self._runs.get(run_id)

    def version(self, key: AssetKey, partition: str | None, until: int) -> str | None:
        """A data version."""
        found = [
            version
            for target, update, version in self._log
            if target == key and update.partition == partition and update.number <= until
        ]
        return found[-1] if found else None

    # --- evaluating

    def tick(self, minutes: float = 1) -> dict[str, Any]:
        """Evaluate, so much later. Gives what is true: partition keys, or True for what has none."""
        self.now += timedelta(minutes=minutes)
        view = _View(self)
        before = self.cursor
        self.outcome = self._evaluator.evaluate(view, before)
        anew = self._new().evaluate(view, before)
        assert anew.true == self.outcome.true
        assert anew.requested == self.outcome.requested
        assert anew.cursor == self.outcome.cursor
        self.cursor = self.outcome.cursor
        return {
            _shown(target): True if true is True else list(true)  # type: ignore[call-overload]
            for target, true in self.outcome.true.items()
        }

    def ticks(self, count: int, minutes: float = 1) -> list[list[str]]:
        """So many evaluations: the names of what is true at each."""
        return [sorted(self.tick(minutes)) for _ in range(count)]


class _View:
    def __init__(self, world: World) -> None:
        self.now, self.position, self.store = world.now, world.position, world.store
        self.facts, self.changes, self.latest, self.version = world.facts, world.changes, world.latest, world.version
        self.run = world.run_facts


def key(name: str) -> Target:
    """The key of `asset` or of `asset:check`."""
    asset, _, check = name.partition(":")
    return AssetCheckKey(AssetKey(asset), check) if check else AssetKey(asset)


def _shown(target: Target) -> str:
    return target.job_name if isinstance(target, AssetJobKey) else target.to_user_string()


def asset(name: str, *deps: Any, **facts: Any) -> AssetSpec:
    """An asset; `when` is its condition."""
    condition = facts.pop("when", None)
    found = [dep if isinstance(dep, AssetDep) else AssetDep(dep) for dep in deps]
    return AssetSpec(name, deps=found, automation_condition=condition, **facts)
