"""One run from start to end, in this process: events around the steps, the steps in the order that progress allows."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from treadle.author.asset_layer import AssetLayer
from treadle.author.jobs import JobDefinition
from treadle.author.resources import ResourceInit
from treadle.core import tags
from treadle.core.keys import AssetKey
from treadle.decide.plan import Plan
from treadle.decide.reexecution import Continuation, Made
from treadle.decide.steps import Step
from treadle.errors import ExecutionInterruptedError, TreadleError
from treadle.runtime.capture import Capture
from treadle.runtime.limits import Limit
from treadle.runtime.log import forward
from treadle.runtime.partitions import RunPartitions
from treadle.runtime.ports import LogFiles, Memory, Sink, Slots
from treadle.runtime.reporting import Reporter
from treadle.runtime.resources import OpenResources, open_resources
from treadle.runtime.versions import data_version
from treadle.state import events
from treadle.state.error_info import error_info
from treadle.state.events import Event, EventLogEntry
from treadle.state.runs import Run
from treadle.state.staleness import sources_of, version_in, version_recorded

INTERRUPTS = (KeyboardInterrupt, ExecutionInterruptedError)
_PATIENCE_S = 0.2
_MANY = 100
"""Of so many partitions of one source, the version of each is not looked at: the newest stands for them."""


@dataclass(slots=True)
class StepEnd:
    """How an attempt of a step ended.

    Attributes:
        not_produced: optional outputs that were left out.
        mapping_keys: those of each dynamic output, in order.
        error: what was raised, if it failed.
        retry_in_s: seconds until the next attempt; None for none.
    """

    not_produced: frozenset[str] = frozenset()
    mapping_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    error: BaseException | None = None
    retry_in_s: float | None = None


@dataclass
class RunScope:
    """A run while it runs: what every step of it shares.

    Attributes:
        run: the run.
        job: its job.
        plan: the steps that it executes.
        sink: where its events go.
        memory: what is remembered from before.
        configs: validated config of ops by handle.
        resource_configs: validated config of resources.
        inputs: values from run config, by (handle, input).
        input_values: values given to the run, by name.
        output_configs: config of outputs from run config, by (handle, output).
        keys_of: the resources that nodes need, by handle.
        resource_keys: what its steps need.
        log_files: where stdout and stderr go; None to leave them alone.
        retries: whether retries are enabled.
        by_output: whether a step starts once the outputs that it needs are there, though the steps that make them go on
            or fail later.
        on_event: told of every event that is put into the log, before others are.
        slots: gives slots of pools to steps; without it pools have no limits.
        execution: validated config of the executor, by its name.
        listener: told of every event, as it happens.
        loggers: get every line and event, as it happens.
        log_level: lines of user code below it are dropped.
        entries: all events so far.
        outputs: values by (step, output), for the result of an execution in process; None to keep none. Of a dynamic
            output, a dict by mapping key.
        mapping_keys: of each dynamic output so far, by (step, output).
        versions: data versions of the assets made so far.
        left_out: optional outputs, as (step, output), that were not produced.
        continues: what of earlier runs this one executes again; the rest of its plan is as they left it.
        ends: when the run has to be over, by `time.monotonic`; None for no such time.
        pointers: numbers of the events that made, before this run, what it reads.
        lost: why the captured logs lack something of what was printed, if they do.
    """

    run: Run
    job: JobDefinition
    plan: Plan
    sink: Sink
    memory: Memory
    configs: Mapping[str, Any] = field(default_factory=dict)
    resource_configs: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    input_values: Mapping[str, Any] = field(default_factory=dict)
    output_configs: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    keys_of: Callable[[Iterable[str]], frozenset[str]] = lambda _: frozenset()
    resource_keys: frozenset[str] = frozenset()
    log_files: LogFiles | None = None
    retries: bool = True
    by_output: bool = False
    on_event: Callable[[Event], None] | None = None
    slots: Slots | None = None
    execution: Mapping[str, Any] = field(default_factory=dict)
    listener: Callable[[EventLogEntry], None] | None = None
    loggers: list[logging.Logger] = field(default_factory=list)
    log_level: int | str = logging.DEBUG
    entries: list[EventLogEntry] = field(default_factory=list)
    outputs: dict[tuple[str, str], Any] | None = None
    mapping_keys: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    versions: dict[AssetKey, str] = field(default_factory=dict)
    left_out: set[tuple[str, str]] = field(default_factory=set)
    continues: Continuation | None = None
    pointers: dict[AssetKey, int] = field(default_factory=dict)
    resources: OpenResources = None  # type: ignore[assignment]  # set while the run is under way
    capture: Capture | None = None
    loop: Any = None
    ends: float | None = None
    lost: str | None = None
    _recalled: bool = False
    _source_runs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.partitions = RunPartitions(self.run.tags, datetime.now(UTC), self.memory)
        self.layer: AssetLayer | None = getattr(self.job, "layer", None)
        self.has_hooks = self.job.has_hooks

    def emit(self, event: Event) -> None:
        """Put an event into the log."""
        entry = EventLogEntry(self.run.run_id, time.time(), event)
        self.entries.append(entry)
        self.sink.write(entry)
        if self.on_event is not None:
            self.on_event(event)
        if self.listener is not None:
            self.listener(entry)
        if self.loggers:
            for trouble in forward(self.loggers, entry, self.run.job_name):
                self.emit(trouble)

    def take(self, entry: EventLogEntry) -> None:
        """Put an event into the log that another process of this run has told."""
        self.entries.append(entry)
        self.sink.write(entry)
        event = entry.event
        if isinstance(event, events.AssetMaterialized):
            version = event.materialization.tags.get(tags.DATA_VERSION)
            if version is not None:
                self.versions[event.materialization.asset_key] = version
        if self.on_event is not None:
            self.on_event(event)
        if self.listener is not None:
            self.listener(entry)

    def in_step(self, step: Step, sink: Sink) -> None:
        """Become the scope of one step, in a process of its own."""
        self.sink, self.listener, self.entries, self.outputs, self.slots = sink, None, [], None, None
        self.on_event = None
        self.resource_keys = self.keys_of((step.node.handle,))
        if self.log_files is not None:
            self.log_files = self.log_files.named(step.key)

    @property
    def required_by(self) -> Mapping[str, str]:
        """For messages: an op or hook that needs each resource."""
        return self.job.needed_by

    def say_lost(self, why: str | None) -> None:
        """Say, once, that the captured logs lack something, and why."""
        if why is not None and self.lost is None:
            self.lost = why
            self.emit(events.EngineEvent(f"Logs are incomplete: {why}. The steps go on."))

    def captured(self) -> tuple[int, int] | None:
        """How many bytes of stdout and stderr were captured by now; None if they are not captured."""
        return self.capture.position() if self.capture is not None else None

    def asset_of(self, handle: str, output: str) -> AssetKey | None:
        """The asset that an output of a node is; None if it is none."""
        if handle not in self.job.assets:
            return None
        step = self.plan.steps.get(handle)
        node = step.node if step is not None else next(node for node in self.job.nodes if node.handle == handle)
        return next((one.asset for one in node.outputs if one.name == output), None)

    @property
    def whole(self) -> Plan:
        """The plan with the steps that it does not execute again."""
        return self.plan if self.continues is None else self.continues.plan

    def source_run(self, key: str) -> str:
        """The run in which a step made the value that is read: this one, or one that it continues."""
        return self._source_runs.get(key, self.run.run_id)

    def recall(self, key: str) -> Made | None:
        """What earlier runs left of a step that this one does not execute."""
        made = self.continues.made.get(key) if self.continues is not None else None
        if made is not None:
            self._source_runs[key] = made.run_id
        return made

    def sources_of(self, key: AssetKey) -> Iterable[AssetKey]:
        """What an asset is made from: the versions of these go into its own. Virtual assets are looked through."""
        if self.layer is None or key not in self.layer.specs:
            return ()
        specs = self.layer.specs
        deps = [dep.asset_key for dep in specs[key].deps]
        if any(dep in specs and specs[dep].is_virtual for dep in deps):
            return sources_of(self.layer.graph, key)
        return deps

    def version_of(self, key: AssetKey) -> str | None:
        """The data version of an asset: as made in this run, or before."""
        if key not in self.versions:
            self.recall_versions()
        return self.versions.get(key)

    def recall_versions(self) -> None:
        """Ask, once, for the versions of everything that this run reads and does not make."""
        if self._recalled or self.layer is None:
            return
        self._recalled = True
        wanted = {
            source: self._partitions_read(key, source)
            for step in self.plan.steps.values()
            for key in step.assets
            for source in self.sources_of(key)
            if source not in self.plan.producers
        }
        if not wanted:
            return
        self.sink.commit()
        for record in self.memory.get_asset_records(sorted(wanted)):
            key = record.asset_entry.asset_key
            recorded, pointer = version_recorded(record.asset_entry), record.asset_entry.last_materialization_storage_id
            version = recorded[1] if recorded is not None else None
            if wanted[key]:
                version, pointer = self._version_of_partitions(key, wanted[key])
            if pointer is not None:
                self.pointers[key] = pointer
            if version is not None:
                self.versions.setdefault(key, version)

    def _partitions_read(self, key: AssetKey, source: AssetKey) -> Sequence[str]:
        """The partitions of `source` that this run's of `key` are made from. None of them if they are very many."""
        specs = self.layer.specs if self.layer is not None else {}
        if source not in specs or specs[source].partitions_def is None:
            return ()
        try:
            found = self.partitions.upstream(specs[key], specs[key].partitions_def, specs[source])
        except TreadleError:  # what is not loaded need not fit
            return ()
        return found.keys if found is not None and len(found.keys) < _MANY else ()

    def _version_of_partitions(self, key: AssetKey, partitions: Sequence[str]) -> tuple[str | None, int | None]:
        """The data version of a few partitions together, and the event that it is from if it is one."""
        versions: list[tuple[str, str]] = []
        pointer: int | None = None
        for partition in partitions:
            record = self.memory.get_latest_data_version_record(key, partition_key=partition)
            version = version_in(record)
            if record is not None and version is not None:
                versions.append((partition, version))
                pointer = record.storage_id
        if len(partitions) == 1:
            return (versions[0][1] if versions else None), pointer
        return (data_version("", versions) if versions else None), None

    def limit(self, step: Step) -> Limit | None:
        """How long an attempt of a step may take: by its own timeout, and by what the run has left."""
        own = step.node.timeout_s
        left = None if self.ends is None else self.ends - time.monotonic()
        if left is not None and (own is None or left < own):
            return Limit(max(left, 0.001), f"Step {step.key!r}, in what was left to its run,")
        return None if own is None else Limit(own, f"Step {step.key!r}")

    def await_(self, awaitable: Any, timeout_s: float | None = None) -> Any:
        """The result of a coroutine, on the run's own event loop.

        Raises:
            TimeoutError: it took longer than `timeout_s`; it was canceled.
        """
        import asyncio  # noqa: PLC0415  # only runs with async functions pay for it

        if self.loop is None:
            self.loop = asyncio.new_event_loop()
        if timeout_s is not None:
            awaitable = asyncio.wait_for(awaitable, timeout_s)
        return self.loop.run_until_complete(awaitable)


Attempt: TypeAlias = Callable[[RunScope, Step, int], StepEnd]
"""Makes an attempt of a step."""
Drive: TypeAlias = Callable[[RunScope, Attempt], BaseException | None]
"""Executes all steps of a run; returns what made it fail."""


def execute(scope: RunScope, attempt: Attempt, drive: Drive) -> BaseException | None:
    """Run the whole plan. Returns what made the run fail, None if it succeeded.

    Raises:
        KeyboardInterrupt, ExecutionInterruptedError: the run was told to stop; it is recorded as canceled.
    """
    name = scope.run.job_name
    error: BaseException | None = None
    scope.emit(events.RunStarted(name))
    started = time.perf_counter()
    scope.emit(events.EngineEvent(f"Executing {len(scope.plan.steps)} steps in process {os.getpid()}."))
    try:
        error = drive(scope, attempt)
    except INTERRUPTS as interrupt:
        if not isinstance(scope.sink, Reporter):  # else whoever canceled it has said so
            scope.emit(events.RunCanceling())
        scope.emit(events.RunCanceled(name))
        scope.sink.commit()
        raise interrupt
    except Exception as failure:
        scope.emit(events.RunFailed(name, "RUN_EXCEPTION", error=error_info(failure)))
        scope.sink.commit()
        return failure
    except BaseException as stop:  # as SystemExit: this process is about to end
        scope.emit(events.RunFailed(name, "UNEXPECTED_TERMINATION", error=error_info(stop)))
        scope.sink.commit()
        raise
    took = events.format_duration((time.perf_counter() - started) * 1000)
    scope.emit(events.EngineEvent(f"Finished the steps in process {os.getpid()} after {took}."))
    if error is None:
        scope.emit(events.RunSucceeded(name))
    else:
        failed = tuple(e.event.step_key or "" for e in scope.entries if type(e.event) is events.StepFailed)
        scope.emit(
            events.RunFailed(name, "STEP_FAILURE", failed)
            if failed
            else events.RunFailed(name, "RUN_EXCEPTION", error=error_info(error))
        )
    scope.sink.commit()
    return error


def open_scope(scope: RunScope, steps: tuple[str, ...]) -> None:
    """Set up resources and the capture of output, for these steps."""
    keys = tuple(sorted(scope.resource_keys))
    init = ResourceInit(instance=scope.memory, run=scope.run, log=None)
    is_launched = isinstance(scope.sink, Reporter)
    if keys:
        scope.emit(events.ResourceInitStarted(keys))
        if not is_launched:  # else it has been sent, and is stored soon whatever happens here
            scope.sink.commit()  # whoever watches sees what a slow resource keeps waiting
    try:
        opened = open_resources(scope.job.resource_defs, keys, scope.resource_configs, init, scope.required_by)
    except Exception as failure:
        scope.emit(events.ResourceInitFailed(keys, error=error_info(failure)))
        raise
    if keys:
        scope.emit(events.ResourceInitSucceeded(keys))
    scope.resources = opened
    files = scope.log_files
    key = files.key if files is not None else (scope.run.run_id, "compute_logs", "none")
    scope.emit(events.LogsCaptured(key, steps if len(steps) <= 100 else ()))
    if scope.capture is None:
        start_capture(scope)


def start_capture(scope: RunScope) -> None:
    """Capture what is printed from now on, if it has a place."""
    files = scope.log_files
    if files is not None:
        # who is launched may have nobody who reads along
        patience_s = _PATIENCE_S if isinstance(scope.sink, Reporter) else None
        scope.capture = Capture(files.stdout, files.stderr, patience_s=patience_s)
        scope.capture.start()


def close_scope(scope: RunScope) -> None:
    """Take down what `open_scope` set up. What goes wrong here is told, and changes nothing about what was made."""
    if scope.capture is not None:
        scope.capture.stop()
    if scope.loop is not None:
        scope.loop.close()
    for fault in scope.resources.close() if scope.resources is not None else ():
        scope.emit(events.EngineEvent(str(fault), error=error_info(fault)))


def jitter() -> float:
    """A random number in [0, 1) for the scatter of retries."""
    return random.random()
