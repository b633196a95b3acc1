"""Running things in this process: definitions and a request in, a run recorded, a result out.

The package door connects the author's port to this module.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import closing, contextmanager
from copy import copy
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from msgspec import structs

from treadle.author.asset_jobs import asset_job
from treadle.author.asset_layer import AssetLayer
from treadle.author.assets_definition import AssetsDefinition
from treadle.author.executors import in_process_executor
from treadle.author.flattening import detached
from treadle.author.io_managers import check_io_managers, mem_io_manager
from treadle.author.job_config import resolve, run_config_of
from treadle.author.jobs import JobDefinition
from treadle.author.ops import DEFAULT_IO_MANAGER_KEY, required_keys
from treadle.author.resources import resolve_keys
from treadle.author.results import ExecuteInProcessResult, ExecutionResult
from treadle.author.run_config import RunConfig, run_config_dict
from treadle.core import tags as tag_names
from treadle.core.keys import AssetKey
from treadle.core.partitions import PartitionsDefinition
from treadle.core.subsets import PartitionKeyRange
from treadle.decide.plan import Plan, Selection, plan
from treadle.decide.reexecution import Continuation
from treadle.errors import InvariantError, InvocationError, SelectionError, StepExecutionError
from treadle.host.instance import Instance
from treadle.runtime.agenda import in_this_process
from treadle.runtime.direct import invoke_assets, invoke_op
from treadle.runtime.log import managed, start_loggers
from treadle.runtime.partitions import partition_tags
from treadle.runtime.ports import LogFiles, Sink
from treadle.runtime.resources import open_resources
from treadle.runtime.run import Drive, RunScope, execute
from treadle.runtime.step import execute_step
from treadle.spec.assets import AssetSpec
from treadle.spec.nodes import FromOutput
from treadle.spec.op_selection import select_ops
from treadle.spec.selection import AssetSelection
from treadle.state import events
from treadle.state.error_info import user_traceback
from treadle.state.events import EventLogEntry
from treadle.state.lifecycle import run_status_after
from treadle.state.runs import Run

R = TypeVar("R", bound=ExecutionResult)

EPHEMERAL_JOB = "__ephemeral_asset_job__"


def materialize(
    assets: Sequence[AssetsDefinition | AssetSpec],
    run_config: RunConfig | Mapping[str, Any] | None = None,
    instance: Instance | None = None,
    resources: Mapping[str, object] | None = None,
    partition_key: str | None = None,
    raise_on_error: bool = True,
    tags: Mapping[str, str] | None = None,
    selection: Any = None,
) -> ExecuteInProcessResult:
    """Materialize assets here and now, in this process.

    Args:
        assets: the assets, and what they need that is not stored yet; asset checks may be among them.
        run_config: config of the ops and resources.
        instance: where the run is recorded; by default in memory only.
        resources: by key. The default IO manager stores pickles in the instance's storage folder.
        partition_key: the partition to make.
        raise_on_error: whether to raise the error of a failed step, instead of returning a result that tells.
        tags: tags for the run.
        selection: which of the assets to make; all by default. The others are loaded from where they are stored.

    Raises:
        DefinitionError: the assets cannot be put together.
        ConfigError: the run config does not fit.
        UnknownPartitionError: there is no such partition.
        StepExecutionError: a step failed, and `raise_on_error`.
    """
    job = _job_of(assets, resources, selection)
    return execute_job(
        job, run_config=run_config, instance=instance, partition_key=partition_key, raise_on_error=raise_on_error,
        tags=tags, keep_io_manager=True,
    )  # fmt: skip


def _job_of(assets: Sequence[Any], resources: Mapping[str, object] | None, selection: Any) -> JobDefinition:
    if isinstance(assets, AssetsDefinition | AssetSpec):
        raise InvocationError(f"materialize takes a list of assets, not {assets!r}. Write materialize([...]).")
    layer = AssetLayer(assets)
    chosen = None if selection is None else AssetSelection.from_coercible(selection)
    job = asset_job(EPHEMERAL_JOB, layer, resources or {}, chosen)
    if not job.nodes:
        raise InvocationError("There is nothing to materialize: none of the selected assets is made by anything here.")
    return job


def materialize_to_memory(
    assets: Sequence[AssetsDefinition | AssetSpec],
    run_config: RunConfig | Mapping[str, Any] | None = None,
    instance: Instance | None = None,
    resources: Mapping[str, object] | None = None,
    partition_key: str | None = None,
    raise_on_error: bool = True,
    tags: Mapping[str, str] | None = None,
    selection: Any = None,
) -> ExecuteInProcessResult:
    """As `materialize`, with all values kept in memory instead of stored, whatever stores them else. Meant for tests.

    Raises:
        InvariantError: an IO manager is given that would store one of these assets.
    """
    job = _job_of(assets, resources, selection)
    managers = {out.io_manager_key for op in job.ops.values() for out in op.outs.values()} | {DEFAULT_IO_MANAGER_KEY}
    own = sorted(managers & job.given_resources.keys())
    if own:
        raise InvariantError(
            f"The IO manager {own[0]!r} is given, and materialize_to_memory stores everything in memory. Leave it out, "
            "or use materialize."
        )
    job = job.replace(resource_defs={**job.given_resources, **dict.fromkeys(managers, mem_io_manager)})
    return execute_job(
        job, run_config=run_config, instance=instance, partition_key=partition_key, raise_on_error=raise_on_error,
        tags=tags, keep_io_manager=True,
    )  # fmt: skip


def execute_job(
    job: JobDefinition,
    *,
    run_config: RunConfig | Mapping[str, Any] | None = None,
    instance: Instance | None = None,
    partition_key: str | None = None,
    raise_on_error: bool = True,
    op_selection: Sequence[str] | None = None,
    asset_selection: Sequence[AssetKey] | None = None,
    run_id: str | None = None,
    input_values: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    resources: Mapping[str, object] | None = None,
    keep_io_manager: bool = False,
) -> ExecuteInProcessResult:
    """Run a job in process, as tests do: what it would store by default is kept in memory."""
    given = dict(job.given_resources)
    if not keep_io_manager:
        given.setdefault(DEFAULT_IO_MANAGER_KEY, mem_io_manager)
    if resources or not keep_io_manager:
        job = job.replace(resource_defs={**given, **(resources or {})})
    if input_values:
        job = job.replace(input_values={**job.input_values, **input_values})
    if run_config and job.executor_def is None:  # config of the executor that this is needs no name
        match run_config_dict(run_config):
            case {"execution": {"config": dict(said)}} if not said.keys() & {"multiprocess", "in_process"}:
                job = job.replace(executor_def=in_process_executor)
    if asset_selection is not None:
        job = narrowed(job, AssetSelection.keys(*asset_selection))
    own = instance if instance is not None else Instance.ephemeral()
    try:
        return run_job(
            job, instance=own, run_config=run_config, tags=tags, partition_key=partition_key,
            op_selection=op_selection, raise_on_error=raise_on_error, run_id=run_id, capture=instance is not None,
        )  # fmt: skip
    finally:
        if instance is None:
            own.close()


def narrowed(job: JobDefinition, selection: AssetSelection) -> JobDefinition:
    """A job of assets, for the selected ones only.

    Raises:
        InvocationError: it is no job of assets.
    """
    if job.layer is None:
        raise InvocationError(f"Assets are selected, and {job.name!r} is no job of assets. Select ops: op_selection.")
    part = asset_job(
        job.name, job.layer, job.given_resources, selection, partitions_def=job.partitions_def,
        op_retry_policy=job.op_retry_policy,
    )  # fmt: skip
    return job.replace(
        nodes=part.nodes, ops=part.ops, assets=part.assets, graphs=part.graphs, node_hooks=part.node_hooks,
        selected_assets=part.selected_assets, selected_checks=part.selected_checks, resource_defs=part.given_resources,
    )  # fmt: skip


def run_job(
    job: JobDefinition,
    *,
    instance: Instance,
    run_config: RunConfig | Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    partition_key: str | None = None,
    partition_range: PartitionKeyRange | None = None,
    op_selection: Sequence[str] | None = None,
    raise_on_error: bool = True,
    run_id: str | None = None,
    listener: Callable[[EventLogEntry], None] | None = None,
    capture: bool = True,
    parent: Run | None = None,
    continues: Continuation | None = None,
    drives: Callable[[RunScope, Instance], Drive] = lambda *_: in_this_process,
    returns: type[R] = ExecuteInProcessResult,
) -> R:
    """Run a job in this process and record the run on `instance`.

    Everything is checked before the run exists: selection, partition, config.

    Args:
        partition_range: run for all partitions from its start to its end, in one run.
        listener: told of every event as it happens.
        capture: whether stdout and stderr are captured into the instance's log files.
        parent, continues: the run that this one executes again, and what of it.
        drives: gives what executes the steps.
        returns: the kind of result.
    """
    partition_key, partition_range = _partitions_wanted(tags or {}, partition_key, partition_range)
    run = Run(
        job_name=job.name,
        run_config=run_config_dict(run_config),
        tags={**tag_names.run_tags(tags, "the run"), **partition_tags(None, partition_key, partition_range)},
        op_selection=tuple(op_selection) if op_selection else None,
    )
    run = in_full(job, run if run_id is None else structs.replace(run, run_id=run_id))
    if parent is not None:
        run = structs.replace(run, parent_run_id=parent.run_id, root_run_id=parent.root_run_id or parent.run_id)
    scope = prepare(job, run, instance, instance.sink(), continues)
    scope.listener, scope.outputs = listener, {}
    drive = drives(scope, instance)
    with _owned(scope, instance):
        error = perform(scope, instance, capture, drive)
    if error is not None and raise_on_error:
        _raise(error)
    outputs: Mapping[tuple[str, str], Any] = scope.outputs
    if drive is not in_this_process:
        from treadle.host.stored_outputs import StoredOutputs  # noqa: PLC0415

        outputs = StoredOutputs(scope)
    return returns(scope.job, _final(scope.run, scope.entries), scope.entries, outputs, scope.plan.producers)


def prepare(
    job: JobDefinition, run: Run, instance: Instance, sink: Sink, continues: Continuation | None = None
) -> RunScope:
    """A run that can be performed: everything that can be checked before it begins has been.

    Raises:
        InvocationError, UnknownPartitionError: there is no such partition, or one is missing.
        SelectionError: what is selected leaves nothing.
        ConfigError: the run config does not fit.
    """
    partition_key, partition_range = _partitions_wanted(run.tags, None, None)
    _check_partition(job, partition_key, partition_range, datetime.now(UTC), instance)
    limit_s = instance.settings.monitoring.max_runtime_seconds
    if limit_s > 0 and tag_names.max_runtime_s(run.tags) is None:
        run = structs.replace(run, tags={**run.tags, tag_names.MAX_RUNTIME: str(limit_s)})
    job, steps = plan_job(job, run.op_selection)
    if continues is not None:
        steps = plan(job.nodes, Selection(job.selected_assets, job.selected_checks, steps=continues.handles))
        run = structs.replace(run, step_keys_to_execute=_keys(continues))
    resolved = resolve(job, run.run_config, os.environ, selected=steps.handles)
    says = partial(_executor_says, job, resolved.execution)
    keys_of = partial(_resource_keys, job, steps)
    keys = keys_of(steps.handles)
    _check_resources(job, keys)
    check_io_managers((job.ops[handle] for handle in steps.handles), job.resource_defs)
    scope = RunScope(
        run=run, job=job, plan=steps, sink=sink, memory=instance, configs=resolved.ops,
        resource_configs=resolved.resources, inputs=resolved.inputs, input_values=resolved.input_values,
        output_configs=resolved.outputs, keys_of=keys_of, resource_keys=keys, execution=resolved.execution,
        retries="disabled" not in says("retries"),
        by_output=not says("step_dependency_config").get("require_upstream_step_success", True),
        loggers=start_loggers(job, resolved.loggers, run.run_id),
        log_level=instance.settings.python_logs.level or logging.DEBUG, continues=continues,
    )  # fmt: skip
    return scope


def perform(
    scope: RunScope, instance: Instance, capture: bool = True, drive: Drive = in_this_process
) -> BaseException | None:
    """Execute a run that has been prepared and stored. What made it fail; None if it succeeded.

    Args:
        capture: whether stdout and stderr are captured into the instance's log files.
        drive: executes the steps.
    """
    scope.log_files = _log_files(instance, scope.run) if capture and instance.settings.keeps_output else None
    _emit_planned(scope)
    with logging_as_set(scope, instance):
        error = execute(scope, execute_step, drive)
    if scope.log_files is not None:
        instance.store.logs.complete(scope.log_files.key)
    return error


@contextmanager
def logging_as_set(scope: RunScope, instance: Instance) -> Iterator[None]:
    """While inside, Python's loggers and handlers take part in the run as the instance's settings say."""
    logs = instance.settings.python_logs
    with managed(logs.managed_python_loggers, logs.level, logs.dagster_handler_config, scope.emit) as own:
        scope.loggers = [*scope.loggers, *own]
        yield


@contextmanager
def _owned(scope: RunScope, instance: Instance) -> Iterator[None]:
    """Store a run; while inside, this process owns it, so that nobody takes it for lost."""
    if instance.home is None:
        instance.add_run(scope.run)
        yield
        return
    from treadle.host.ownership import Ownership  # noqa: PLC0415  nobody else sees runs in memory

    with closing(Ownership(instance, scope.run)) as owner:
        scope.sink = instance.store.sink(owner.lease)
        if instance.settings.concurrency.pools.granularity == "op":
            scope.slots = owner
        yield


def _keys(continues: Continuation) -> tuple[str, ...]:
    """The keys of the steps that a run executes again, in the order of the plan."""
    order = {handle: index for index, handle in enumerate(continues.plan.steps)}
    return tuple(sorted(continues.steps, key=lambda key: (order[key.partition("[")[0]], key)))


def plan_job(job: JobDefinition, op_selection: Sequence[str] | None = None) -> tuple[JobDefinition, Plan]:
    """The steps that a selection of ops leaves, and the job as it is then: without the other ops.

    Raises:
        SelectionError: the selection cannot be read, or leaves nothing.
        DefinitionError: it leaves an input without a source.
    """
    steps = _plan(job, op_selection)
    if len(steps.steps) < len(job.nodes) and (op_selection or job.op_selection):
        job = copy(job)  # inputs whose source is not selected come from config, and so does the plan
        job.nodes, job.config_schema = detached(job.nodes, job.ops, steps.steps.keys()), None
        steps = plan(job.nodes, Selection(job.selected_assets, job.selected_checks))
    return job, steps


def _plan(job: JobDefinition, op_selection: Sequence[str] | None) -> Plan:
    handles = None
    op_selection = op_selection or job.op_selection
    if op_selection:
        upstream = {
            node.handle: {
                source.node for spec in node.inputs for source in spec.sources if isinstance(source, FromOutput)
            }
            for node in job.nodes
        }
        handles = frozenset(select_ops(list(op_selection), upstream))
    made = plan(job.nodes, Selection(job.selected_assets, job.selected_checks, handles))
    if not made.steps and job.nodes:
        raise SelectionError(f"The selection {list(op_selection or ())!r} leaves nothing of {job.name!r} to run.")
    return made


def _executor_says(job: JobDefinition, execution: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What the config of the executor says under `key`, of whichever executor it is the config."""
    executor = job.executor_def
    found = [execution if executor is None else executor.resolve_config(execution[executor.name])]
    for config in found:
        if isinstance(config, Mapping):
            if isinstance(config.get(key), Mapping):
                return config[key]
            found += config.values()
    return {}


def in_full(job: JobDefinition, run: Run) -> Run:
    """A run with what follows from its job and its partition: config, tags and what it selects.

    Raises:
        ConfigMappingError: the job's config function raised.
        UnknownPartitionError: there is no such partition.
    """
    key = run.tags.get(tag_names.PARTITION)
    tags = {**job.run_tags, **run.tags, **partition_tags(job.partitions_def, key, None)}
    if key is not None:
        tags[tag_names.PARTITION_SET] = f"{job.name}_partition_set"
        if job.partitioned_config is not None:
            tags |= job.partitioned_config.get_tags_for_partition_key(key)
    if run.asset_selection is None and job.selected_assets is not None:
        checks = frozenset(job.selected_checks) if job.selected_checks is not None else None
        run = structs.replace(run, asset_selection=frozenset(job.selected_assets), asset_check_selection=checks)
    return structs.replace(run, run_config=run_config_of(job, run.run_config, key), tags=tags)


def _partitions_wanted(
    tags: Mapping[str, str], key: str | None, key_range: PartitionKeyRange | None
) -> tuple[str | None, PartitionKeyRange | None]:
    """The partition or range of a run: as given, or as its tags say."""
    if key is None and key_range is None:
        key = tags.get(tag_names.PARTITION)
        start, end = tags.get(tag_names.PARTITION_RANGE_START), tags.get(tag_names.PARTITION_RANGE_END)
        if start is not None and end is not None:
            key_range = PartitionKeyRange(start, end)
    return key, key_range


def _check_partition(
    job: JobDefinition, key: str | None, key_range: PartitionKeyRange | None, now: datetime, instance: Instance
) -> None:
    """Fail on a partition that does not exist, or one that is missing, before anything runs."""
    definition: PartitionsDefinition | None = job.partitions_def
    if definition is None:
        if key is None and key_range is None:
            return
        several = {spec.partitions_def for d in job.assets.values() for spec in d.specs} - {None}
        if not several:
            raise InvocationError(
                f"{job.name!r} has no partitions, so it cannot run for partition "
                f"{key if key is not None else key_range!r}. Leave the partition out, or declare partitions_def."
            )
        return
    for one in (key, *((key_range.start, key_range.end) if key_range is not None else ())):
        if one is not None:
            definition.validate_partition_key(one, current_time=now, dynamic_partitions_store=instance)
    if key_range is not None and not definition.get_partition_keys_in_range(key_range, instance):
        raise InvocationError(
            f"There are no partitions from {key_range.start!r} to {key_range.end!r}: the latter comes first. Swap them."
        )
    if (
        key is None
        and key_range is None
        and any(d.partitions_def is not None and not d.is_observable for d in job.assets.values())
    ):
        last = definition.get_last_partition_key(now, instance)
        hint = f", for example {last!r}" if last is not None else ""
        raise InvocationError(
            f"{job.name!r} makes partitioned assets, so it needs a partition{hint}: `partition_key=...` in Python, "
            "`--partition` on the command line."
        )


def _check_resources(job: JobDefinition, keys: Set[str]) -> None:
    """Fail on a resource that is missing, or a circle of them, before anything runs."""
    if not keys <= job.resource_defs.keys():
        resolve_keys(job.resource_defs, keys, job.needed_by)
    elif len(keys) > 1:
        resolve_keys(job.resource_defs, keys)


def _resource_keys(job: JobDefinition, steps: Plan, handles: Iterable[str]) -> frozenset[str]:
    """The resources that these nodes of the plan need."""
    handles = frozenset(handles)
    keys = required_keys(job.ops[handle] for handle in handles) | _loading_keys(job, steps, handles)
    return frozenset(keys | job.hook_keys(handles))


def _loading_keys(job: JobDefinition, steps: Plan, handles: Set[str]) -> set[str]:
    """Resources that load what these nodes read and the run does not make, or made in another process."""
    keys = {
        job.ops[source.node].outs[source.output].io_manager_key
        for step in steps.steps.values()
        if step.node.handle in handles
        for spec in step.node.inputs
        for source in spec.sources
        if isinstance(source, FromOutput) and source.node not in handles and not spec.is_nothing
    }
    if job.layer is None:
        return keys
    for handle in handles:
        definition = job.assets.get(handle)
        for key in definition.keys_by_input_name.values() if definition is not None else ():
            if key not in steps.producers:
                spec = job.layer.specs.get(key)
                keys.add((spec.metadata.get("dagster/io_manager_key") if spec else None) or DEFAULT_IO_MANAGER_KEY)
                continue
            step, output = steps.producers[key]
            maker = steps.steps[step].node.handle
            if maker not in handles:
                keys.add(job.ops[maker].outs[output].io_manager_key)
    return keys


def _log_files(instance: Instance, run: Run) -> LogFiles:
    key = (run.run_id, "compute_logs", f"{os.getpid()}-{int(time.time() * 1000):x}")
    paths = instance.store.logs.paths(key)
    return LogFiles(key, paths.out, paths.err)


def _emit_planned(scope: RunScope) -> None:
    """The events that say what the run means to make."""
    for step in scope.plan.steps.values():
        for output in step.outputs:
            if output.asset is not None:
                spec = scope.layer.specs[output.asset] if scope.layer is not None else None
                if spec is None or spec.partitions_def is None:
                    scope.emit(events.AssetMaterializationPlanned(output.asset, step.key))
                    continue
                partitions = scope.partitions
                bounds = partitions.range if partitions.key is None else None
                scope.emit(
                    events.AssetMaterializationPlanned(
                        output.asset,
                        step.key,
                        partitions.key,
                        tuple(partitions.of(spec.partitions_def).keys) if bounds else (),
                        bounds.start if bounds else None,
                        bounds.end if bounds else None,
                    )
                )
            elif output.check is not None:
                scope.emit(events.AssetCheckEvaluationPlanned(output.check, step.key))


def _final(run: Run, entries: Iterable[EventLogEntry]) -> Run:
    """The run as the store has it in the end."""
    status, tags = run.status, run.tags
    for entry in entries:
        status = run_status_after(status, entry.event.event_type)
        if isinstance(entry.event, events.RunFailed):
            tags = {**tags, tag_names.FAILURE_REASON: entry.event.failure_reason}
    return structs.replace(run, status=status, tags=tags)


def _raise(error: BaseException) -> None:
    """Raise what made the run fail: the user's own exception, where it came from their function."""
    if isinstance(error, StepExecutionError) and error.user_exception is not None:
        raise error.user_exception.with_traceback(user_traceback(error.user_exception.__traceback__))
    raise error


def asset_value_loader(
    assets_defs_by_key: Mapping[AssetKey, AssetsDefinition],
    instance: Instance | None,
    resource_defs: Mapping[str, Any],
) -> Any:
    """What reads stored values of these assets back."""
    from treadle.host.loading import AssetValueLoader  # noqa: PLC0415  # reading back is rare beside running

    return AssetValueLoader(assets_defs_by_key, instance, resource_defs)


__all__ = [
    "Instance", "asset_value_loader", "execute_job", "invoke_assets", "invoke_op", "materialize",
    "materialize_to_memory", "open_resources", "run_job",
]  # fmt: skip
