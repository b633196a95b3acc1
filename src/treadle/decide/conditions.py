"""What an automation condition means: where a tree is true, for one target, at one evaluation.

Every part of a tree is evaluated in full, whatever its neighbours came to, because parts remember: only conditions of
users, and questions about runs, are told which partitions still matter (`candidates`).

Truths that come from events carry the place of the event in the log. `since` compares the places: a request or a run
resets only what it can have known. An update that lands while the run it should lead to is under way is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from treadle.core.keys import AssetCheckKey, AssetJobKey, AssetKey
from treadle.core.time import instant_of
from treadle.core.windows import cadence
from treadle.decide.automation_view import (
    Evaluation,
    Memory,
    Note,
    Piece,
    Subset,
    Target,
    Update,
    known_part,
    minus,
    some,
)
from treadle.decide.automation_world import CustomCall, Edge, Tick, Trail
from treadle.errors import InvocationError
from treadle.spec.automation import (
    AllOf,
    AnyOf,
    AssetMatches,
    AutomationCondition,
    ChecksMatch,
    CronTickPassed,
    CustomCondition,
    DepsMatch,
    InLatestTimeWindow,
    JobRootsMatch,
    NewlyTrue,
    Not,
    Operand,
    RunTagsMatch,
    Since,
)
from treadle.spec.policies import CronFreshnessPolicy, FreshnessPolicy, TimeWindowFreshnessPolicy

_MOST_PIECES = 32


def is_later(held: Piece, reset: Piece) -> bool:
    """Whether what is held became true after what `reset` had seen."""
    if held.number is not None and reset.number is not None:
        return held.number > reset.number
    return held.time is not None and reset.time is not None and held.time >= reset.time


def parts(evaluation: Evaluation) -> list[Piece]:
    """All of what is true, in pieces: those with a moment, and the rest."""
    rest = evaluation.true
    for piece in evaluation.pieces:
        rest = minus(rest, piece.subset)
    return [*evaluation.pieces, Piece(None, None, rest)] if some(rest) else list(evaluation.pieces)


def hold(held: Sequence[Piece], new: Piece) -> list[Piece]:
    """These pieces and another. What became true again did so at the later moment."""
    if new.number is None and new.time is None:
        rest = new.subset
        for piece in held:
            rest = minus(rest, piece.subset)
        return [*held, Piece(None, None, rest)] if some(rest) else list(held)
    kept = [piece._replace(subset=minus(piece.subset, new.subset)) for piece in held]
    return [*(piece for piece in kept if some(piece.subset)), new]


def release(held: Sequence[Piece], reset: Piece) -> list[Piece]:
    """These pieces without what `reset` takes back."""
    absolute = reset.number is None and reset.time is None
    kept = [
        piece if not absolute and is_later(piece, reset) else piece._replace(subset=minus(piece.subset, reset.subset))
        for piece in held
    ]
    return [piece for piece in kept if some(piece.subset)]


def _fewer(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """At most so many pieces, the oldest joined at their last moment."""
    if len(pieces) <= _MOST_PIECES:
        return tuple(pieces)
    pieces = sorted(pieces, key=lambda piece: (piece.number or 0, piece.time or 0.0))
    joined = pieces[0]
    surplus = len(pieces) - _MOST_PIECES + 1
    for piece in pieces[1:surplus]:
        joined = Piece(piece.number, piece.time, joined.subset | piece.subset)
    return (joined, *pieces[surplus:])


class Frame:
    """The evaluation of the condition of one target.

    Attributes:
        trail: what it hung on.
        notes: what is to be remembered.

    What is found out about a dependency is the same for all that depend on it, unless `_is_own` says that the target
    or its memory came in: the tick keeps it.
    """

    def __init__(self, tick: Tick, target: Target, memory: Memory | None) -> None:
        self.tick = tick
        self.world = tick.world
        self.target = target
        self.is_first = memory is None
        self.memory: Memory = memory or {}
        self.notes: dict[str, Note] = {}
        self.trail = Trail(is_restless=self.is_first)
        self._is_own = False
        self._subject: tuple[Target, bool] = (target, False)  # whom `_about` is about, and if one run can make both
        self._around: list[tuple[AutomationCondition, Target]] = []
        self._below = 0  # conditions of assets downstream that are being evaluated

    def evaluate(self, condition: Any, key: Target, candidates: Subset) -> Evaluation:
        """Where a condition is true of `key`.

        Args:
            candidates: where it matters.
        """
        method = _KINDS.get(type(condition))
        if method is None:
            return self._custom(condition, key, candidates)
        if not self.world.has_custom or not self.world.is_custom(condition):
            return method(self, condition, key, candidates)
        self._around.append((condition, key))
        try:
            return method(self, condition, key, candidates)
        finally:
            self._around.pop()

    # --- combining

    def _and(self, condition: AllOf, key: Target, candidates: Subset) -> Evaluation:
        children: list[Evaluation] = []
        pieces: list[Piece] = []
        true: Any = None
        for operand in condition.operands:
            child = self.evaluate(operand, key, candidates)
            children.append(child)
            pieces.extend(child.pieces)
            candidates = candidates & child.true
            true = child.true if true is None else true & child.true
        if pieces:
            pieces = [Piece(n, t, shared) for n, t, s in pieces if some(shared := s & true)]
        return Evaluation(key, condition, true, tuple(children), tuple(pieces))

    def _or(self, condition: AnyOf, key: Target, candidates: Subset) -> Evaluation:
        children: list[Evaluation] = []
        pieces: tuple[Piece, ...] = ()
        true: Any = False
        for operand in condition.operands:
            child = self.evaluate(operand, key, candidates)
            if child.pieces:
                pieces += child.pieces
            true = child.true | true if children else child.true
            children.append(child)
        return Evaluation(key, condition, true, tuple(children), pieces)

    def _not(self, condition: Not, key: Target, candidates: Subset) -> Evaluation:
        child = self.evaluate(condition.operand, key, candidates)
        return Evaluation(key, condition, minus(self._full(key), child.true), (child,))

    def _since(self, condition: Since, key: Target, candidates: Subset) -> Evaluation:
        full = self._full(key)
        trigger = self.evaluate(condition.trigger_condition, key, full)
        reset = self.evaluate(condition.reset_condition, key, full)
        name = self._place(condition, key)
        held: Sequence[Piece] = self._remembered(name, key)
        if some(trigger.true):
            for piece in parts(trigger):
                held = hold(held, piece)
        if held and some(reset.true):
            for piece in parts(reset):
                held = release(held, piece)
        true = self.tick.empty(key)
        for piece in held:
            true = true | piece.subset
        if held:  # by the clocks of others it may have been later than now; the next evaluation is later still
            now = self.tick.time
            known = [p if p.time is None or p.time <= now else p._replace(time=now) for p in held]
            self.notes[name] = Note(key, _fewer(known))
        return Evaluation(key, condition, true & full, (trigger, reset))

    def _newly_true(self, condition: NewlyTrue, key: Target, candidates: Subset) -> Evaluation:
        child = self.evaluate(condition.operand, key, self._full(key))
        name = self._place(condition, key)
        true = child.true
        for piece in self._remembered(name, key):
            true = minus(true, piece.subset)
        if some(true):
            self.trail.is_restless = True
        if some(child.true):
            self.notes[name] = Note(key, (Piece(None, None, child.true),))
        return Evaluation(key, condition, true, (child,))

    # --- about others

    def _deps(self, condition: DepsMatch, key: Target, candidates: Subset) -> Evaluation:
        allowed, ignored = condition.allow_selection, condition.ignore_selection
        allow = self.world.chosen(allowed) if allowed is not None else None
        ignore = self.world.chosen(ignored) if ignored is not None else ()
        true = self._full(key) if condition.every else self.tick.empty(key)
        custom = self.world.has_custom and self.world.is_custom(condition.operand)
        children: list[Evaluation] = []
        pieces: list[Piece] = []
        for edge in self.world.edges(key, condition.through_virtual):
            if edge.key in ignore or (allow is not None and edge.key not in allow):
                continue
            needed = self._up(candidates, edge) if custom else self._full(edge.key)
            child = self._about(condition.operand, edge.key, needed)
            children.append(child)
            mapped = child.true if edge.is_plain else self._down(child.true, edge)
            if child.pieces:
                pieces.extend(Piece(n, t, self._down(s, edge)) for n, t, s in child.pieces)
            true = true & mapped if condition.every else true | mapped
        return Evaluation(key, condition, true, tuple(children), self._within(pieces, true))

    def _about(self, condition: Any, key: AssetKey, candidates: Subset) -> Evaluation:
        """As `evaluate`, of another asset; what others have found out is taken from them."""
        together = self.world.are_together(key, self.target)
        place = (id(condition), key, together)
        found = self.tick.shared.get(place)
        if found is None or key == self.target:
            around = self.trail, self._is_own, self._subject
            self.trail, self._is_own, self._subject = Trail(), key == self.target, (key, together)
            found = self.evaluate(condition, key, candidates), self.trail
            if not self._is_own:
                self.tick.shared[place] = found
            is_own = self._is_own
            self.trail, self._is_own, self._subject = around
            self._is_own |= is_own
        evaluation, trail = found
        self.trail.add(trail)
        return evaluation

    def _up(self, subset: Subset, edge: Edge) -> Subset:
        for link in reversed(edge.links):
            subset = self.tick.upstream(subset, link)
        return subset

    def _down(self, subset: Subset, edge: Edge) -> Subset:
        for link in edge.links:
            subset = self.tick.downstream(subset, link)
        return subset

    def _within(self, pieces: Sequence[Piece], true: Any) -> tuple[Piece, ...]:
        return tuple(Piece(n, t, part) for n, t, s in pieces if some(part := s & true)) if pieces else ()

    def _checks(self, condition: ChecksMatch, key: Target, candidates: Subset) -> Evaluation:
        full, empty = self._full(key), self.tick.empty(key)
        true = full if condition.every else empty
        children: list[Evaluation] = []
        for check in self.world.graph.checks_by_asset.get(key, ()) if isinstance(key, AssetKey) else ():
            if condition.blocking_only and not check.blocking:
                continue
            child = self.evaluate(condition.operand, check.key, self._full(check.key))
            children.append(child)
            same = type(child.true) is type(full) and self.world.partitions_of(key) == check.partitions_def
            matched = child.true if same else full if some(child.true) else empty
            true = true & matched if condition.every else true | matched
        return Evaluation(key, condition, true, tuple(children))

    def _asset(self, condition: AssetMatches, key: Target, candidates: Subset) -> Evaluation:
        if condition.key not in self.world.graph.specs:
            raise InvocationError(
                f"The condition of {_shown(self.target)} asks about asset {condition.key.to_user_string()!r}, and "
                "there is none. Declare it, or name another in asset_matches()."
            )
        link = self.world.link_between(condition.key, key)
        child = self.evaluate(condition.operand, condition.key, self.tick.upstream(candidates, link))
        pieces = [Piece(n, t, self.tick.downstream(s, link)) for n, t, s in child.pieces]
        true = self.tick.downstream(child.true, link)
        return Evaluation(key, condition, true, (child,), self._within(pieces, true))

    def _job_roots(self, condition: JobRootsMatch, key: Target, candidates: Subset) -> Evaluation:
        assets = self.world.jobs.get(key) if isinstance(key, AssetJobKey) else None
        if assets is None:
            raise _misplaced(condition, self.target, "a job")
        parents = self.world.graph.parents
        roots = sorted(one for one in assets if not any(up in assets and up != one for up in parents[one]))
        children = tuple(self.evaluate(condition.operand, one, self._full(one)) for one in roots)
        found = [some(child.true) for child in children]
        return Evaluation(key, condition, all(found) if condition.every else any(found), children)

    def _below_conditions(self, condition: Operand, key: Target, candidates: Subset) -> Evaluation:
        """Conditions of what is downstream, taken as if they were its own."""
        true = self.tick.empty(key)
        self._is_own = True
        if self._below or not isinstance(key, AssetKey):
            return Evaluation(key, condition, true)
        self._below += 1
        children: list[Evaluation] = []
        for other in sorted(self.world.graph.downstream([key]) - {key}):
            if other in self.world.conditions:
                child = self.evaluate(self.world.conditions[other], key, candidates)
                children.append(child)
                true = true | child.true
        self._below -= 1
        return Evaluation(key, condition, true, tuple(children))

    # --- leaves

    def _operand(self, condition: Operand, key: Target, candidates: Subset) -> Evaluation:
        kind = condition.kind
        self.trail.reads.add(key)
        fact = _BY_FACTS.get(kind)
        if fact is not None:
            full = self._full(key)
            found: Any = getattr(self.tick.view.facts(key), fact)
            return Evaluation(key, condition, minus(full, found) if kind == "missing" else found & full)
        if kind == "newly_updated":
            pieces = self._updated(key)
            true = self.tick.empty(key)
            for piece in pieces:
                true = true | piece.subset
            return Evaluation(key, condition, true, (), pieces)
        if kind == "newly_requested":
            return self._newly_requested(condition, key)
        if kind == "will_be_requested":
            self.trail.watches.add(key)
            subject, together = self._subject
            if subject is not key:
                self._is_own = True
                together = self.world.are_together(key, self.target)
            requested = self.tick.requested.get(key) if together else None
            return Evaluation(key, condition, self.tick.empty(key) if requested is None else requested)
        if kind == "initial_evaluation":
            self._is_own = True
            return Evaluation(key, condition, self._full(key) if self.is_first else self.tick.empty(key))
        if kind == "ANY_DOWNSTREAM_CONDITIONS":
            return self._below_conditions(condition, key, candidates)
        if kind == "executed_with_root_target":
            return Evaluation(key, condition, self._made_by(key, candidates, self._makes_target))
        return Evaluation(key, condition, _RARE[kind](self, condition, key))

    def _full(self, key: Target) -> Subset:
        full = self.tick.full(key)
        if full is not True:
            self.trail.wholes.add(id(self.world.partitions_of(key)))
        return full

    def _updated(self, key: Target) -> tuple[Piece, ...]:
        """What was updated since the evaluation before.

        Of a run that made the target, they count from its beginning: that is what the target has seen.
        """
        updates = self.tick.updates(key)
        if not updates:
            return ()
        self._is_own = True
        if self.is_first:
            return ()
        self.trail.is_restless = True
        groups: dict[str | int, list[Update]] = {}
        for place, update in enumerate(updates):  # each on its own if it is of no run, as long as they are few
            name = update.run_id or (place if len(updates) <= _MOST_PIECES else "")
            groups.setdefault(name, []).append(update)
        found: list[Piece] = []
        for group in groups.values():
            run_id, number = group[-1].run_id, group[-1].number
            run = self.tick.view.run(run_id) if run_id else None
            if run is not None and (key == self.target or self.target in run.targets):
                number = run.first
            elif not run_id and self._was_requested_with(key):
                number = min(number, self.tick.previous.position if self.tick.previous is not None else 0)
            subset = self.tick.subset(key, {update.partition for update in group})
            if some(subset):
                found = hold(found, Piece(number, group[-1].timestamp, subset))
        return _fewer(found)

    def _was_requested_with(self, key: Target) -> bool:
        """Whether the evaluation before requested `key` and the target: an update of no run is then taken for that."""
        requested = self.tick.previous.requested if self.tick.previous is not None else {}
        return key != self.target and key in requested and self.target in requested

    def _newly_requested(self, condition: Operand, key: Target) -> Evaluation:
        previous = self.tick.previous
        subset = previous.requested.get(key) if previous is not None else None
        found = known_part(subset, self.world.partitions_of(key)) if subset is not None else None
        if previous is None or found is None or not some(found):
            return Evaluation(key, condition, self.tick.empty(key))
        self.trail.is_restless = True
        found = found & self._full(key)
        return Evaluation(key, condition, found, (), (Piece(previous.position, previous.time, found),))

    def _made_by(self, key: Target, candidates: Subset, fits: Callable[[str], bool]) -> Subset:
        """The candidates that were updated last by a run that fits."""
        if not some(candidates):
            return self.tick.empty(key)
        self._is_own = True
        latest = self.tick.view.latest(key, candidates)
        runs = {update.run_id for update in latest}
        good = {run_id for run_id in runs if run_id and fits(run_id)}
        return self.tick.subset(key, {update.partition for update in latest if update.run_id in good})

    def _makes_target(self, run_id: str) -> bool:
        run = self.tick.view.run(run_id)
        return run is not None and self.target in run.targets

    def _run_tags(self, condition: RunTagsMatch, key: Target, candidates: Subset) -> Evaluation:
        self.trail.reads.add(key)

        def fits(run_id: str) -> bool:
            run = self.tick.view.run(run_id) if run_id else None
            tags: Mapping[str, str] = run.tags if run is not None else {}
            return run is not None and (
                all(name in tags for name in condition.keys)
                and all(tags.get(name) == value for name, value in condition.values)
            )

        if condition.kind == "executed_with_tags":
            return Evaluation(key, condition, self._made_by(key, candidates, fits))
        self._is_own = True
        updates = () if self.is_first else self.tick.updates(key)
        self.trail.is_restless |= bool(updates)
        fitting = [(update.partition, fits(update.run_id)) for update in updates]
        found = {partition for partition, fit in fitting if fit}
        if condition.kind == "all_new_updates_have_run_tags":
            found -= {partition for partition, fit in fitting if not fit}
        return Evaluation(key, condition, self.tick.subset(key, found))

    def _cron(self, condition: CronTickPassed, key: Target, candidates: Subset) -> Evaluation:
        ticks = cadence(condition.cron_schedule, condition.cron_timezone)
        now = instant_of(self.tick.view.now)
        last = ticks.floor(now)
        self.trail.wake_at(ticks.next(now))
        previous = self.tick.previous
        self._is_own = True
        if self.is_first or previous is None or last <= previous.time:
            return Evaluation(key, condition, self.tick.empty(key))
        self.trail.is_restless = True
        full = self._full(key)
        return Evaluation(key, condition, full, (), (Piece(None, float(last), full),))

    def _window(self, condition: InLatestTimeWindow, key: Target, candidates: Subset) -> Evaluation:
        definition = self.world.partitions_of(key)
        if definition is None:
            return Evaluation(key, condition, True)
        self._full(key)
        return Evaluation(key, condition, self.tick.latest_window(definition, condition.lookback_delta))

    def _check_status(self, condition: Operand, key: Target) -> Subset:
        if not isinstance(key, AssetCheckKey):
            raise _misplaced(condition, self.target, "a check: put it into any_checks_match() or all_checks_match()")
        wanted = condition.kind == "check_passed"
        return self._full(key) if self.tick.view.facts(key).passed is wanted else self.tick.empty(key)

    def _code_version(self, condition: Operand, key: Target) -> Subset:
        now = self.world.graph.specs[key].code_version if isinstance(key, AssetKey) else None
        name = self._place(condition, key)
        before = self.memory[name].text if name in self.memory else None
        if now is not None:
            self.notes[name] = Note(key, text=now)
        if before is None or before == now:
            return self.tick.empty(key)
        self.trail.is_restless = True
        return self._full(key)

    def _data_version(self, condition: Operand, key: Target) -> Subset:
        previous, updates = self.tick.previous, self.tick.updates(key)
        self._is_own = True
        if self.is_first or previous is None or not updates or not isinstance(key, AssetKey):
            return self.tick.empty(key)
        self.trail.is_restless = True
        version, position = self.tick.view.version, self.tick.view.position
        partitions = {update.partition for update in updates}
        return self.tick.subset(
            key, {one for one in partitions if version(key, one, position) != version(key, one, previous.position)}
        )

    def _freshness(self, condition: Operand, key: Target) -> Subset:
        policy = self.world.graph.specs[key].freshness_policy if isinstance(key, AssetKey) else None
        made_at = self.tick.view.facts(key).made_at
        if policy is None or made_at is None:
            return self.tick.empty(key)
        state, until = freshness(policy, made_at, self.tick.view.now)
        if until is not None:
            self.trail.wake_at(until)
        return self._full(key) if condition.kind == f"freshness_{state}" else self.tick.empty(key)

    # --- users' conditions

    def _custom(self, condition: AutomationCondition, key: Target, candidates: Subset) -> Evaluation:
        if self.world.custom is None or isinstance(condition, CustomCondition):
            raise InvocationError(
                f"Condition {condition.name!r} of {_shown(self.target)} is a class of its project and can only be "
                "evaluated where that code is. Give its sensor use_user_code_server=True."
            )
        self.trail.is_restless = True
        name = ".".join([*(self.world.name(one) for one, _ in self._around), self._place(condition, key)])
        names = (self._place(condition, key), *(self.world.name(one) for one, _ in reversed(self._around)))
        known = self.memory.get(name)
        answer = self.world.custom(
            CustomCall(
                condition, key, self.target, candidates, names, tuple(self._around), known.text if known else None,
                self.tick.requested_before(self.target), self.tick,
            )
        )  # fmt: skip
        if answer.cursor is not None:
            self.notes[name] = Note(key, text=answer.cursor)
        return Evaluation(key, condition, answer.true & candidates)

    # --- remembering

    def _place(self, condition: AutomationCondition, key: Target) -> str:
        """The name under which a condition about `key` remembers something."""
        self._is_own = True
        name = self.world.name(condition)
        return name if key == self.target else f"{name} {_text(key)}"

    def _remembered(self, name: str, key: Target) -> list[Piece]:
        note = self.memory.get(name)
        if note is None:
            return []
        definition = self.world.partitions_of(key)
        pieces = ((piece, known_part(piece.subset, definition)) for piece in note.pieces)
        return [piece._replace(subset=part) for piece, part in pieces if part is not None and some(part)]


def freshness(policy: FreshnessPolicy, made_at: float, now: datetime) -> tuple[str, float | None]:
    """Whether an asset that was made at `made_at` is fresh, and until when that holds if it is not made again.

    Returns:
        "passed", "warned" or "failed", and a time in seconds since the epoch.
    """
    if isinstance(policy, CronFreshnessPolicy):
        ticks = cadence(policy.deadline_cron, policy.timezone)
        moment = instant_of(now)
        fresh = made_at >= ticks.floor(moment) - policy.lower_bound_delta.total_seconds()
        return "passed" if fresh else "failed", float(ticks.next(moment))
    assert isinstance(policy, TimeWindowFreshnessPolicy), "there are two kinds of freshness policies"
    fail = made_at + policy.fail_window.total_seconds()
    if now.timestamp() >= fail:
        return "failed", None
    if policy.warn_window is not None:
        warn = made_at + policy.warn_window.total_seconds()
        return ("warned", fail) if now.timestamp() >= warn else ("passed", warn)
    return "passed", fail


def _text(key: Target) -> str:
    return key.job_name if isinstance(key, AssetJobKey) else key.to_user_string()


def _shown(key: Target) -> str:
    kind = "job" if isinstance(key, AssetJobKey) else "check" if isinstance(key, AssetCheckKey) else "asset"
    return f"{kind} {_text(key)!r}"


def _misplaced(condition: AutomationCondition, target: Target, place: str) -> InvocationError:
    return InvocationError(f"{condition.name!r} in the condition of {_shown(target)} can only be asked of {place}.")


_BY_FACTS = {
    "missing": "made",
    "run_in_progress": "running",
    "backfill_in_progress": "backfilling",
    "execution_failed": "failed",
}
_RARE: dict[str, Callable[[Frame, Operand, Target], Subset]] = {
    "check_passed": Frame._check_status,
    "check_failed": Frame._check_status,
    "code_version_changed": Frame._code_version,
    "data_version_changed": Frame._data_version,
    "freshness_passed": Frame._freshness,
    "freshness_warned": Frame._freshness,
    "freshness_failed": Frame._freshness,
}
_KINDS: dict[type, Callable[[Frame, Any, Target, Subset], Evaluation]] = {
    AllOf: Frame._and,
    AnyOf: Frame._or,
    Not: Frame._not,
    Since: Frame._since,
    NewlyTrue: Frame._newly_true,
    DepsMatch: Frame._deps,
    ChecksMatch: Frame._checks,
    AssetMatches: Frame._asset,
    JobRootsMatch: Frame._job_roots,
    Operand: Frame._operand,
    RunTagsMatch: Frame._run_tags,
    CronTickPassed: Frame._cron,
    InLatestTimeWindow: Frame._window,
}
