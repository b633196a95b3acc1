"""Automation over an instance: the facts that conditions see, read from the store, and evaluation in this process.

`StoreView` is what a daemon keeps as well: it reads everything once, and afterwards only what events
touched. `Automation` evaluates where the user's code is: conditions of users are asked here, and nowhere else.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from pyroaring import BitMap

from treadle.author.asset_jobs import UnresolvedAssetJobDefinition
from treadle.author.automation import AssetGraphView, AutomationContext, AutomationResult, EntitySubset
from treadle.author.definitions import Definitions
from treadle.core.keys import AssetCheckKey, AssetJobKey, AssetKey, CoercibleToAssetKey
from treadle.core.partitions import PartitionsDefinition
from treadle.core.subsets import PartitionSubset
from treadle.core.time import utc_now
from treadle.decide.automation import Evaluator, Outcome
from treadle.decide.automation_view import Changes, Cursor, Evaluation, Facts, RunFacts, Subset, Target, Update, size
from treadle.decide.automation_world import CustomAnswer, CustomCall, World
from treadle.errors import InvocationError, UserCodeError
from treadle.host.instance import Instance
from treadle.spec.automation import AutomationCondition
from treadle.spec.graph import AssetGraph
from treadle.spec.selection import AssetSelection
from treadle.store.facts import AssetFacts, Happened
from treadle.store.partitions import FAILED, IN_PROGRESS, MATERIALIZED

_OF_BACKFILLS = 0
_NONE = BitMap()


class StoreView:
    """The facts in an instance's store, as of the last `refresh`.

    Args:
        instance: the instance.
        graph: the assets.
        observed: those that are observed here and not made: their observations count as updates.

    Attributes:
        now: the time of the evaluation.
        position: the number of the last event that it knows.
    """

    def __init__(self, instance: Instance, graph: AssetGraph, observed: AbstractSet[AssetKey] = frozenset()) -> None:
        self.now = utc_now()
        self.position = 0
        self.store = instance
        self._reader = instance.store.facts
        self._log = instance.store.events
        self._graph = graph
        self._observed = observed
        self._facts: dict[Target, Facts] | None = None
        self._sets: dict[tuple[AssetKey, int], tuple[BitMap, PartitionSubset]] = {}
        self._changes: tuple[int, Changes] = (0, Changes({}, frozenset()))
        self._runs: dict[str, RunFacts | None] = {}

    def refresh(self, now: datetime) -> None:
        """Take in what was stored since, as of `now`."""
        self.now = now
        before, self.position = self.position, self._log.last_number()
        if self._facts is None or self.position < before:
            self._facts = {}
            self._sets.clear()
            self._runs.clear()
            self._load(None)
            self._changes = (-1, Changes({}, frozenset()))
            return
        if self.position > before:
            changes, touched = self._read_changes(before)
            self._changes = (before, changes)
            for key in changes.touched:
                self._facts.pop(key, None)
            self._load(touched)
        else:
            self._changes = (before, Changes({}, frozenset()))

    def _load(self, keys: AbstractSet[AssetKey] | None) -> None:
        assert self._facts is not None, "facts are loaded after they were reset"
        specs = self._graph.specs
        for facts in self._reader.assets(keys):
            if facts.key in specs:
                self._facts[facts.key] = self._of_asset(facts, specs[facts.key].partitions_def)
        for check in self._reader.checks(keys):
            if check.key in self._graph.checks:
                definition = self._graph.checks[check.key].partitions_def
                ended = check.status in ("SUCCEEDED", "FAILED")
                self._facts[check.key] = Facts(
                    made=_whole(check.evaluated, definition, self),
                    running=_whole(check.status == "IN_PROGRESS", definition, self),
                    failed=_whole(check.status == "EXECUTION_FAILED", definition, self),
                    backfilling=_whole(False, definition, self),
                    passed=check.status == "SUCCEEDED" if ended else None,
                )

    def _of_asset(self, facts: AssetFacts, definition: PartitionsDefinition | None) -> Facts:
        observed = facts.key in self._observed
        if definition is None:
            made = facts.observed or facts.materialized if observed else facts.materialized
            return Facts(made, facts.running, facts.failed, facts.backfilling, facts.made_at)

        def subset(kind: int) -> PartitionSubset:
            """The partitions of a kind; what was known before is not looked up again."""
            numbers = facts.partitions.get(kind, _NONE)
            before, known = self._sets.get((facts.key, kind), (_NONE, definition.empty_subset()))
            keys = self._reader.partition_keys
            now = known | definition.subset_from_ids(numbers - before, keys)
            now = now - definition.subset_from_ids(before - numbers, keys)
            self._sets[facts.key, kind] = (numbers, now)
            return now

        made = subset(MATERIALIZED)
        if observed:
            seen = self._reader.latest(facts.key, is_seen=True)
            made = made | definition.subset_of_known([one.partition for one in seen if one.partition is not None])[0]
        return Facts(made, subset(IN_PROGRESS), subset(FAILED), subset(_OF_BACKFILLS), facts.made_at)

    def facts(self, key: Target) -> Facts:
        """What is true of it."""
        assert self._facts is not None, "a view is refreshed before it is asked"
        found = self._facts.get(key)
        if found is None:
            definition: PartitionsDefinition | None = None
            if isinstance(key, AssetKey):
                definition = self._graph.specs[key].partitions_def
            elif isinstance(key, AssetCheckKey):
                definition = self._graph.checks[key].partitions_def
            nothing = _whole(False, definition, self)
            found = self._facts[key] = Facts(nothing, nothing, nothing, nothing)
        return found

    def changes(self, after: int) -> Changes:
        """What happened after `after`."""
        if after != self._changes[0]:
            if after >= self.position:
                return Changes({}, frozenset())
            self._changes = (after, self._read_changes(after)[0])
        return self._changes[1]

    def _read_changes(self, after: int) -> tuple[Changes, set[AssetKey]]:
        happened, touched = self._reader.between(after, self.position)
        updates: dict[Target, list[Update]] = {}
        for one in happened:
            if self._is_update(one):
                updates.setdefault(one.key, []).append(_update(one))
        checks = {check.key for key in touched for check in self._graph.checks_by_asset.get(key, ())}
        return Changes(updates, frozenset[Target]({*touched, *checks})), touched

    def _is_update(self, one: Happened) -> bool:
        """Materializations and evaluations are; an observation is one if it saw another data version."""
        if not one.is_seen or not isinstance(one.key, AssetKey):
            return True
        if one.key not in self._observed:
            return False
        before = self._reader.version(one.key, one.partition, one.number - 1, is_seen=True)
        return before is None or before != self._reader.version(one.key, one.partition, one.number, is_seen=True)

    def latest(self, key: Target, within: Subset) -> Sequence[Update]:
        """The latest update of each of these partitions that has any."""
        if not isinstance(key, AssetKey):
            return self._changes[1].updates.get(key, ())[-1:]
        recent = {update.partition: update for update in self._changes[1].updates.get(key, ())}
        wanted = [None] if isinstance(within, bool) else list(cast(Any, within))
        if all(partition in recent for partition in wanted):
            return [recent[partition] for partition in wanted]
        partitions = None if isinstance(within, bool) else cast("list[str]", wanted)
        is_seen = key in self._observed
        return [_update(one) for one in self._reader.latest(key, partitions, is_seen=is_seen)]

    def run(self, run_id: str) -> RunFacts | None:
        """What is known of a run."""
        if run_id not in self._runs:
            found = self._reader.run(run_id)
            self._runs[run_id] = RunFacts(*found) if found is not None else None
            if len(self._runs) > 10_000:
                self._runs = {run_id: self._runs[run_id]}
        return self._runs[run_id]

    def version(self, key: AssetKey, partition: str | None, until: int) -> str | None:
        """The data version of the latest update up to the event `until`."""
        return self._reader.version(key, partition, until, is_seen=key in self._observed)


def _update(one: Happened) -> Update:
    return Update(one.number, one.timestamp, one.partition, one.run_id)


def _whole(wanted: bool, definition: PartitionsDefinition | None, view: StoreView) -> Subset:
    if definition is None:
        return wanted
    return definition.subset_with_all_partitions(view.now, view.store) if wanted else definition.empty_subset()


class Automation:
    """The automation conditions of some definitions over an instance, evaluated in this process.

    Args:
        definitions: the definitions.
        instance: what is remembered of them.
        selection: the assets and checks whose conditions are evaluated; all, and jobs as well, by default.
        default_condition: the condition of assets that have none.
    """

    def __init__(
        self,
        definitions: Definitions,
        instance: Instance,
        selection: Any = None,
        default_condition: AutomationCondition | None = None,
    ) -> None:
        graph = definitions.layer.graph
        self.view = StoreView(instance, graph, definitions.layer.observed_by.keys())
        self._instance = instance
        self._graph = graph
        conditions: dict[Target, AutomationCondition] = {}
        keys, checks = graph.specs.keys(), graph.checks.keys()
        if selection is not None:
            chosen = AssetSelection.from_coercible(selection)
            keys, checks = chosen.resolve(graph), chosen.resolve_checks(graph)
        for key in keys:
            condition = graph.specs[key].automation_condition or (
                default_condition if key in graph.made_by or key in definitions.layer.observed_by else None
            )
            if isinstance(condition, AutomationCondition):
                conditions[key] = condition
        for key in checks:
            condition = graph.checks[key].automation_condition
            if isinstance(condition, AutomationCondition):
                conditions[key] = condition
        jobs: dict[AssetJobKey, frozenset[AssetKey]] = {}
        for job in definitions.jobs if selection is None else ():
            condition = getattr(job, "automation_condition", None)
            if isinstance(condition, AutomationCondition) and isinstance(job, UnresolvedAssetJobDefinition):
                conditions[AssetJobKey(job.name)] = condition
                jobs[AssetJobKey(job.name)] = frozenset(job.selection.resolve(graph))
        self._evaluator = Evaluator(World(graph, conditions, jobs, self._ask))

    def evaluate(self, now: datetime, cursor: Cursor | None = None) -> Outcome:
        """Evaluate the conditions at `now`. The cost follows the change if `cursor` is that of the last outcome.

        Raises:
            UserCodeError: a user's condition raised an error.
            InvocationError: a condition asks what cannot be answered.
        """
        self.view.refresh(now)
        return self._evaluator.evaluate(self.view, cursor)

    def partitions_of(self, key: Target) -> PartitionsDefinition | None:
        """The partitions of an asset or check, for reading a cursor; None as well if there is no such thing."""
        if isinstance(key, AssetKey):
            return self._graph.specs[key].partitions_def if key in self._graph.specs else None
        check = self._graph.checks.get(key) if isinstance(key, AssetCheckKey) else None
        return check.partitions_def if check is not None else None

    def _ask(self, call: CustomCall) -> CustomAnswer:
        """Ask a user's condition."""
        tick = call.tick
        view = AssetGraphView(self._graph, tick.view.now, self._instance, tick.full)
        requested = {key: EntitySubset(key, cast(Any, subset)) for key, subset in call.requested.items()}
        context: AutomationContext | None = None
        chain = [*call.parents, (call.condition, call.key)]
        for place, (condition, key) in enumerate(chain):
            last = place == len(chain) - 1
            candidates = call.candidates if last else tick.full(key)
            context = AutomationContext(
                tick.evaluation_id, condition, call.names[len(chain) - 1 - place :],
                EntitySubset(key, cast(Any, candidates)), tick.view.now, view, requested, context,
                call.cursor if last else None,
            )  # fmt: skip
        method = getattr(call.condition, "evaluate", None)
        if method is None:
            raise InvocationError(f"Condition {call.condition.name!r} has no evaluate(self, context). Define it.")
        where = f"Condition {call.condition.name!r} of {call.target}"
        try:
            result = method(context)
            if inspect.iscoroutine(result):
                result = _run(result)
        except Exception as error:
            raise UserCodeError(f"{where} raised {type(error).__name__}: {error}") from error
        if not isinstance(result, AutomationResult):
            raise InvocationError(f"{where} returned {result!r}. Return an AutomationResult(context, true_subset=...).")
        return CustomAnswer(result.true_subset.value, result.cursor)


def _run(coroutine: Any) -> Any:
    import asyncio  # noqa: PLC0415  only for the few conditions that are asynchronous

    return asyncio.run(coroutine)


@dataclass(frozen=True, slots=True)
class AutomationCursor:
    """Where `evaluate_automation_conditions` goes on. Give it to the next call.

    Attributes:
        cursor: what the evaluation remembers.
    """

    cursor: Cursor
    _made_by: tuple[Any, Instance, Any, Automation]


@dataclass(frozen=True, slots=True)
class EvaluateAutomationConditionsResult:
    """What an evaluation of automation conditions requested.

    Attributes:
        cursor: give it to the next evaluation.
        true_subsets: where conditions are true, for each asset, check and job for which one is anywhere.
        evaluations: what those that were looked at now came to, and why.
        requested_subsets: all that is requested, by key: with what is made together with it.
    """

    cursor: AutomationCursor
    true_subsets: Mapping[Target, Subset]
    evaluations: Mapping[Target, Evaluation]
    requested_subsets: Mapping[Target, Subset]

    @property
    def total_requested(self) -> int:
        """How many partitions are requested; one for each asset, check or job without."""
        return sum(map(size, self.true_subsets.values()))

    def get_requested_partitions(self, asset_key: CoercibleToAssetKey) -> AbstractSet[str | None]:
        """The partitions of an asset that are requested; `{None}` for one that has none."""
        subset: Any = self.requested_subsets.get(AssetKey.from_coercible(asset_key), False)
        return EntitySubset(AssetKey.from_coercible(asset_key), subset).expensively_compute_partition_keys()

    def get_num_requested(self, asset_key: CoercibleToAssetKey) -> int:
        """How many partitions of an asset are requested; 1 or 0 for one that has none."""
        return size(self.requested_subsets.get(AssetKey.from_coercible(asset_key), False))


def evaluate_automation_conditions(
    defs: Definitions | Sequence[Any],
    instance: Instance,
    asset_selection: Any = None,
    evaluation_time: datetime | None = None,
    cursor: AutomationCursor | None = None,
) -> EvaluateAutomationConditionsResult:
    """Evaluate automation conditions once, without launching anything: for tests of conditions.

    Args:
        defs: definitions, or a list of assets.
        instance: what is remembered of them.
        asset_selection: the assets whose conditions are evaluated; all by default.
        evaluation_time: when the evaluation takes place; now by default.
        cursor: that of the evaluation before; this is the first if there is none.

    Example:
        first = evaluate_automation_conditions(defs, instance)
        instance.report_runless_asset_event(AssetMaterialization("orders"))
        second = evaluate_automation_conditions(defs, instance, cursor=first.cursor)
        assert second.get_num_requested(AssetKey("revenue")) == 1
    """
    given = (defs, instance, asset_selection)
    if cursor is not None and all(mine is theirs for mine, theirs in zip(given, cursor._made_by, strict=False)):
        automation = cursor._made_by[3]
    else:
        definitions = defs if isinstance(defs, Definitions) else Definitions(assets=defs)
        automation = Automation(definitions, instance, asset_selection)
    now = evaluation_time or utc_now()
    now = now if now.tzinfo is not None else now.replace(tzinfo=UTC)
    outcome = automation.evaluate(now, cursor.cursor if cursor is not None else None)
    made_by = (defs, instance, asset_selection, automation)
    return EvaluateAutomationConditionsResult(
        AutomationCursor(outcome.cursor, made_by), outcome.true, outcome.evaluations, outcome.requested
    )
