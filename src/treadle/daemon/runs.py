"""The loops over runs: what leaves the queue, and what has lost its owner or takes too long."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import structs

from treadle.core import tags as tag_names
from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.decide import monitor, queue, retries
from treadle.errors import InvocationError, LoadError
from treadle.host.instance import Instance
from treadle.host.keeper import end_family
from treadle.host.launchers import settings_of_queue
from treadle.host.launching import DAEMON, end_run, has_daemon, submit_run
from treadle.host.nudge import POOLS, kept, nudge
from treadle.host.settings import RunQueueSettings, Settings, default_limit
from treadle.runtime import kin
from treadle.spec.manifest import Manifest, location_of_job
from treadle.state.error_info import ErrorInfo
from treadle.state.events import (
    AssetCheckEvaluated,
    AssetCheckEvaluationPlanned,
    AssetMaterializationPlanned,
    AssetMaterialized,
    EngineEvent,
    EventType,
    RunCanceling,
    RunDequeued,
    RunEnqueued,
    RunFailed,
    RunStarting,
)
from treadle.state.runs import ACTIVE, Run, RunRecord, RunsFilter, RunStatus
from treadle.store.leases import Lease

AGAIN_AFTER_S = 5.0
_PAUSED = "queue is paused"  # the cursor that says so
_RETRIES = "run retries"  # the cursor: until when failed runs have been seen
_OVERLAP_S = 60.0
"""How long a transaction may take at most from its clock to its commit, in seconds."""
_OF_ASSETS = frozenset({
    EventType.ASSET_MATERIALIZATION_PLANNED, EventType.ASSET_MATERIALIZATION,
    EventType.ASSET_CHECK_EVALUATION_PLANNED, EventType.ASSET_CHECK_EVALUATION,
})  # fmt: skip
_NEW = frozenset({RunStatus.NOT_STARTED})
_FAILED = frozenset({RunStatus.FAILURE})
_QUEUED = frozenset({RunStatus.QUEUED})
_STARTING = frozenset({RunStatus.STARTING})
_WAITING = RunsFilter(statuses=[RunStatus.QUEUED])
_UNDER_WAY = RunsFilter(statuses=list(ACTIVE))


class Starter:
    """Starts the processes of runs, and remembers when it did.

    Args:
        instance: where the runs are stored.
        launch: starts the processes of a run.
        hindrance: why they cannot be started now, if they will be later.
    """

    def __init__(
        self,
        instance: Instance,
        launch: Callable[[Run], None],
        hindrance: Callable[[Run], str | None] = lambda _: None,
    ) -> None:
        self._instance = instance
        self._launch = launch
        self.hindrance = hindrance
        self.launched: dict[str, float] = {}

    def start(self, run: Run) -> None:
        """Start the processes of a run."""
        self.launched[run.run_id] = time.time()
        try:
            self._launch(run)
        except LoadError as error:
            failed = RunFailed(run.job_name, "JOB_INITIALIZATION_FAILURE", error=ErrorInfo(str(error)))
            self._instance.store.transition(run.run_id, _STARTING, [failed])

    def forget(self, all_but: Container[str]) -> None:
        """Forget the runs that are no longer active."""
        self.launched = {run_id: at for run_id, at in self.launched.items() if run_id in all_but}


class Queue:
    """Launches runs that wait, as far as limits allow."""

    def __init__(self, instance: Instance, starter: Starter) -> None:
        self._instance = instance
        self._starter = starter
        self._settings = settings_of_queue(instance)
        self._limits = limits_of(self._settings)
        self._needs: dict[tuple[object, ...], queue.Needs] = {}  # by what they follow from
        self._manifests: Mapping[str, Manifest] = {}

    @property
    def held(self) -> dict[str, str]:
        """Why runs still wait, by run id."""
        waiting = self._instance.store.runs.records(_WAITING, ascending=True)
        return {one.run_id: one.reason for one in self._decide(waiting) if isinstance(one, queue.Hold)}

    def look(self) -> None:
        """Read, decide, apply."""
        store = self._instance.store
        full = self._limits.runs is not None and store.runs.count(_UNDER_WAY) >= self._limits.runs
        if full or not store.runs.count(_WAITING):
            return
        waiting = store.runs.records(_WAITING, ascending=True)
        runs = {record.run.run_id: record.run for record in waiting}
        for decision in self._decide(waiting):
            if isinstance(decision, queue.Launch) and store.transition(
                decision.run_id, _QUEUED, [RunDequeued(), RunStarting()]
            ):
                self._starter.start(runs[decision.run_id])

    def _decide(self, waiting: Sequence[RunRecord]) -> list[queue.Decision]:
        store = self._instance.store
        if not waiting:
            return []
        active = [record.run for record in store.runs.records(_UNDER_WAY)]
        hindrances = [(record.run, self._starter.hindrance(record.run)) for record in waiting]
        hindered = [queue.Hold(run.run_id, why) for run, why in hindrances if why]
        runs = [run for run, why in hindrances if not why]
        needs, pools = self._pools(runs, active)
        limits = structs.replace(self._limits, pools=pools, is_paused=is_paused(self._instance))
        return hindered + queue.dequeue(
            (queue.Queued(run.run_id, run.tags, needs.get(run.run_id, queue.Needs())) for run in runs),
            (run.tags for run in active),
            limits,
        )

    def _pools(self, waiting: Sequence[Run], active: Sequence[Run]) -> tuple[dict[str, queue.Needs], queue.PoolLimits]:
        """What the runs that wait need, by run id, and how much of it there is."""
        settings, store = self._settings, self._instance.store
        of_runs, spare = settings.concurrency.pools.granularity == "run", spare_of(settings)
        default, pools = default_limit(settings), store.pools.all()
        if (not of_runs and spare is None) or (default is None and not any(pool.limit is not None for pool in pools)):
            return {}, queue.PoolLimits()
        manifests = store.locations.manifests()
        if manifests != self._manifests:
            self._manifests, self._needs = manifests, {}
        if not any(manifest.has_pools for manifest in manifests.values()):
            return {}, queue.PoolLimits()
        needs = {run.run_id: self._needs_of(run) for run in (*waiting, *active)}
        taken = Counter[str]()
        if not of_runs:
            taken.update({pool.name: len(pool.holders) + len(pool.waiting) for pool in pools})
        for run in active:
            if of_runs:
                taken.update(needs[run.run_id].pools)
            elif run.status is RunStatus.STARTING:
                taken.update(needs[run.run_id].first)
        limits = {pool.name: pool.limit for pool in pools if pool.limit is not None}
        return needs, queue.PoolLimits(limits, default, taken, of_runs, spare or 0)

    def _needs_of(self, run: Run) -> queue.Needs:
        location = run.location_name
        if location is None and len(self._manifests) == 1:
            location = next(iter(self._manifests))
        manifest = self._manifests.get(location or "")
        if manifest is None or not manifest.has_pools:
            return queue.Needs()
        key = (location, run.job_name, run.asset_selection, run.op_selection, run.parent_run_id)
        if key not in self._needs:
            self._needs[key] = queue.needs(manifest, run)
        return self._needs[key]


def pause(instance: Instance, is_paused: bool) -> None:
    """Let no run leave the queue, or let them again."""
    instance.store.cursors.set({_PAUSED: "true" if is_paused else ""})
    nudge(instance.home, DAEMON)


def is_paused(instance: Instance) -> bool:
    """Whether no run may leave the queue."""
    return bool(instance.store.cursors.get(_PAUSED))


def waiting_runs(instance: Instance) -> list[tuple[RunRecord, str]]:
    """The runs in the queue, those that come first before the others, and why each waits, as any process can tell."""
    locations = {record.name: record for record in instance.store.locations.all()}
    serves = has_daemon(instance)

    def hindrance(run: Run) -> str | None:
        if not serves:
            return "Nobody executes runs in this home: `treadle dev` and `treadle daemon run` do."
        record = locations.get(run.location_name or "")
        if why := served_elsewhere(instance, run):
            return why
        if record is None or record.state == "ready" or record.owner is not None:
            return None
        return f"Its code location {record.name!r} {record.hindrance}."

    held = Queue(instance, Starter(instance, lambda _: None, hindrance)).held
    records = instance.store.runs.records(_WAITING, ascending=True)
    records.sort(key=lambda record: -tag_names.priority(record.run.tags))
    return [(record, held.get(record.run.run_id, "It is next.")) for record in records]


def served_elsewhere(instance: Instance, run: Run) -> str | None:
    """Why a run waits whose code only another process has than the one that executes runs; None if that is not so."""
    leader = instance.store.leases.get(DAEMON)
    for record in instance.store.locations.all():
        if record.name == run.location_name and leader is not None and record.daemon not in (None, leader.owner):
            if kin.lives(record.daemon) is False:
                return None
            return (
                f"Its code location {record.name!r} is served by process {kin.pid_of(record.daemon)}, and process "
                f"{kin.pid_of(leader.owner)} executes the runs of this home. Serve all locations by one of them."
            )
    return None


class Retries:
    """Runs failed runs again, if the settings say so: each once, as a run whose id follows from its own."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        settings = instance.settings.run_retries
        self._is_on = settings.enabled
        self._rules = retries.Rules(settings.max_retries, settings.retry_on_asset_or_op_failure)
        self._since: float | None = None

    def look(self) -> None:
        """Read, decide, apply."""
        if not self._is_on:
            return
        store = self._instance.store
        if self._since is None:
            self._since = float(store.cursors.get(_RETRIES) or time.time())
            store.cursors.set({_RETRIES: str(self._since)})
        after = datetime.fromtimestamp(self._since - _OVERLAP_S, UTC)
        records = store.runs.records(RunsFilter(statuses=[RunStatus.FAILURE], updated_after=after), ascending=True)
        fresh = [record for record in records if tag_names.WILL_RETRY not in record.run.tags]
        for record in fresh:
            self._decide(record.run)
        if fresh:
            self._since = max(record.update_timestamp.timestamp() for record in fresh)
            store.cursors.set({_RETRIES: str(self._since)})

    def _decide(self, run: Run) -> None:
        store = self._instance.store
        group = 1 + store.runs.count(RunsFilter(tags={tag_names.ROOT_RUN_ID: run.root_run_id or run.run_id}))
        done = store.runs.get(retries.id_of_retry(run))  # by a daemon that ended in the middle of it
        if done is None and not retries.is_retried(run, group, self._rules):
            store.runs.add_tags(run.run_id, {tag_names.WILL_RETRY: "false"})
            return
        again = done or self._again(run, group)
        store.add_run(again, launch_key=f"retry:{run.run_id}")
        store.transition(again.run_id, _NEW, [RunEnqueued()])
        store.runs.add_tags(run.run_id, {tag_names.WILL_RETRY: "true", tag_names.AUTO_RETRY_RUN_ID: again.run_id})
        nudge(self._instance.home, DAEMON)

    def _again(self, run: Run, number: int) -> Run:
        how, fault = retries.strategy(run)
        if fault is not None:
            event = EngineEvent(f"{fault} It is run again from its failure.")
            self._instance.store.transition(run.run_id, _FAILED, [event])
        if how != retries.FROM_ASSET_FAILURE:
            return retries.retry_of(run, how, number)
        assets, checks = set[AssetKey](), set[AssetCheckKey]()
        for entry in self._instance.all_logs(run.run_id, of_type=_OF_ASSETS):
            event = entry.event
            if isinstance(event, AssetMaterializationPlanned):
                assets.add(event.key)
            elif isinstance(event, AssetMaterialized):
                assets.discard(event.materialization.asset_key)
            elif isinstance(event, AssetCheckEvaluationPlanned):
                checks.add(event.key)
            elif isinstance(event, AssetCheckEvaluated):
                checks.discard(event.evaluation.asset_check_key)
        return retries.retry_of(run, how, number, assets_left=assets, checks_left=checks)


def run_again(instance: Instance, run: Run, *, whole: bool = False, steps: Sequence[str] = ()) -> Run:
    """Put a run into the queue that runs one again: from its failure, whole, or some of its steps.

    Args:
        run: one that has ended.
        whole: all its steps.
        steps: selection clauses over its steps, such as `load+`.

    Raises:
        InvocationError: it has not ended; or it did not fail, and nothing says what to run again; or its job is gone.
    """
    if not run.is_finished:
        raise InvocationError(f"Run {run.run_id} is {run.status.value}. Wait for its end, or cancel it first.")
    if run.is_success and not whole and not steps:
        raise InvocationError(
            f"Run {run.run_id} succeeded: there is no failure to continue from. `treadle run retry "
            f"{run.run_id[:8]} --all-steps` runs all of it again."
        )
    again = retries.retry_of(run, retries.ALL_STEPS if whole else retries.FROM_FAILURE, steps=steps)
    if run.location_name is None:
        locations = instance.store.locations
        jobs = locations.jobs()
        unknown = {record.name for record in locations.all()} - jobs.keys()
        again = structs.replace(again, location_name=location_of_job(run.job_name, jobs, None, unknown))
    instance.add_run(again)
    return submit_run(instance, again.run_id)


class Monitor:
    """Gives every active run an end, whatever becomes of its processes, and those that failed another chance."""

    def __init__(self, instance: Instance, starter: Starter) -> None:
        self._instance = instance
        self._starter = starter
        self._settings = instance.settings.monitoring
        self._retries = Retries(instance)
        self._leases: dict[str, Lease] = {}  # as they were seen last, by run id
        self._overdue: dict[Lease, float] = {}  # since when they are over; a sleep of the machine does not count

    def look(self) -> None:
        """Read, decide, apply."""
        records = self._instance.store.runs.records(RunsFilter(statuses=list(ACTIVE)))
        runs = {record.run.run_id: record.run for record in records}
        self._starter.forget(runs)
        self._leases = {run_id: lease for run_id in runs if (lease := self._instance.store.leases.get(run_id))}
        over = [lease for lease in self._leases.values() if 0 < lease.until < time.time()]
        self._overdue = {lease: self._overdue.get(lease, time.monotonic()) for lease in over}
        settings = self._settings
        cancel_s = settings.cancel_timeout_seconds if settings.cancel_timeout_seconds > 0 else None
        patience = monitor.Patience(settings.start_timeout_seconds, cancel_s, AGAIN_AFTER_S)
        for decision in monitor.watch(map(self._watched, records), time.time(), patience):
            self._apply(decision, runs[decision.run_id])
        self._retries.look()

    def _apply(self, decision: monitor.Decision, run: Run) -> None:
        transition, leases = self._instance.store.transition, self._instance.store.leases
        lease = self._leases.get(run.run_id)
        if isinstance(decision, monitor.Start):
            self._starter.start(run)
            return
        if isinstance(decision, monitor.StopRun):
            transition(run.run_id, ACTIVE, [EngineEvent(decision.reason), RunCanceling()])
        elif isinstance(decision, monitor.Depose):
            if lease is not None and leases.revoke(lease):
                transition(run.run_id, ACTIVE, [EngineEvent(decision.reason)])
                kin.kill_all([kin.pid_of(lease.owner)])
        elif mine := leases.take(run.run_id, kin.identity(), AGAIN_AFTER_S, dead=lease):  # or somebody has taken it up
            end_family(run.run_id)  # what it has started, if nobody is left who would
            failed = RunFailed(run.job_name, decision.failure_reason, error=ErrorInfo(decision.reason))
            end_run(self._instance, run, [EngineEvent(decision.reason)], failed)
            leases.release(mine)
            self._instance.store.pools.free(run.run_id)
            nudge(self._instance.home, POOLS, DAEMON)  # others may have waited for what it had
        nudge(self._instance.home, run.run_id)

    def _watched(self, record: RunRecord) -> monitor.Watched:
        run = record.run
        lease = self._leases.get(run.run_id)
        overdue_s, lives, is_kept = None, None, False
        if lease is not None and lease.until > 0:
            overdue_s = time.monotonic() - self._overdue[lease] if lease in self._overdue else 0.0
            lives = kin.lives(lease.owner)
            asks = not lives or overdue_s > 0 or run.status is RunStatus.CANCELING
            is_kept = asks and nudge(self._instance.home, kept(run.run_id)) > 0
        return monitor.Watched(
            run.run_id, run.status, record.update_timestamp.timestamp(), record.start_time, overdue_s, lives, is_kept,
            tag_names.max_runtime_s(run.tags, self._settings.max_runtime_seconds),
            self._starter.launched.get(run.run_id),
        )  # fmt: skip


def limits_of(settings: Settings) -> queue.Limits:
    """The limits of the queue that settings ask for."""
    given = settings.run_queue or settings.concurrency.runs
    tags = [
        queue.TagLimit.declared(limit.key, limit.limit, limit.value) for limit in given.tag_concurrency_limits or ()
    ]
    most = given.max_concurrent_runs
    return queue.Limits(None if most < 0 else most, tags)


def spare_of(settings: Settings) -> int | None:
    """How many runs more than there are slots may start; None if runs do not wait in the queue for slots of steps."""
    blocked = (settings.run_queue or RunQueueSettings()).block_op_concurrency_limited_runs
    if blocked.enabled is False:
        return None
    return max(settings.concurrency.pools.op_granularity_run_buffer, blocked.op_concurrency_slot_buffer)
