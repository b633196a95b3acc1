"""Jobs that are run by where they come from, for the first time or again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from treadle.author.executors import ExecutorRequirement as Requirement
from treadle.author.io_managers import mem_io_manager
from treadle.author.jobs import JobDefinition
from treadle.author.reconstructable import ReconstructableJob
from treadle.author.results import JobExecutionResult
from treadle.author.run_config import RunConfig, run_config_dict
from treadle.core import tags as tag_names
from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.decide.plan import Plan
from treadle.decide.reexecution import OF_OUTCOMES, Continuation, Made, from_failure, from_selection, outcomes
from treadle.errors import InvariantError, InvocationError, RunNotFoundError, UnmetExecutorRequirementsError
from treadle.host.execution import narrowed, plan_job, run_job
from treadle.host.executors import drive_of
from treadle.host.instance import Instance
from treadle.spec.selection import AssetSelection
from treadle.state.runs import Run

_OF_PARTITIONS = (tag_names.PARTITION, tag_names.PARTITION_RANGE_START, tag_names.PARTITION_RANGE_END)


@dataclass(frozen=True, slots=True)
class ReexecutionOptions:
    """Which run is executed again, and what of it.

    Attributes:
        parent_run_id: the run.
        step_selection: selection clauses over its steps, such as `load+`; all steps if empty.
        only_unsuccessful: execute what did not succeed; see `from_failure`.
    """

    parent_run_id: str
    step_selection: Sequence[str] = ()
    only_unsuccessful: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.step_selection, str):
            raise InvocationError(
                f"step_selection is the string {self.step_selection!r}. Write a list: [{self.step_selection!r}]."
            )

    @staticmethod
    def from_failure(run_id: str, instance: Instance) -> ReexecutionOptions:
        """Execute again the steps of a run that failed, were skipped or were not reached. The values of those that
        succeeded are read from where they are stored."""
        return ReexecutionOptions(run_id, only_unsuccessful=True)


def execute_job(
    job: ReconstructableJob | JobDefinition,
    instance: Instance,
    run_config: RunConfig | Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    raise_on_error: bool = False,
    op_selection: Sequence[str] | None = None,
    reexecution_options: ReexecutionOptions | None = None,
    asset_selection: Sequence[AssetKey] | None = None,
) -> JobExecutionResult:
    """Run a job here and now, as it is declared: values go where its IO managers store them.

    Args:
        job: the job, or where it comes from: see `reconstructable`.
        instance: where the run is recorded.
        run_config: a dict or `RunConfig`; of a run that is executed again, by default what it had.
        tags: tags for the run.
        raise_on_error: whether to raise the error of a failed step, instead of returning a result that tells.
        op_selection: the ops to run, as selection strings; all by default.
        reexecution_options: the run to execute again. Its partition and its selection of ops and assets hold again.
        asset_selection: for a job of assets, those to make; all by default.

    Raises:
        RunNotFoundError: there is no run to execute again.
        InvariantError: ops are selected for a run that is executed again, or a run that did not fail is to be executed
            from its failure.
        SelectionError, StepNotFoundError, StepOutputNotFoundError: what is selected cannot be executed.
        ConfigError: the run config does not fit.
        UnmetExecutorRequirementsError: the job's executor needs what the job or the instance is not.
    """
    definition = job.get_definition() if isinstance(job, ReconstructableJob) else job
    _check_requirements(job, definition, instance, run_config)
    if reexecution_options is None:
        return run_job(
            subset(definition, asset_selection, None), instance=instance, run_config=run_config, tags=tags,
            op_selection=op_selection, raise_on_error=raise_on_error, returns=JobExecutionResult, drives=drive_of,
        )  # fmt: skip
    if op_selection or asset_selection:
        raise InvariantError(
            "A run that is executed again keeps its selection of ops and assets. Select its steps instead: "
            "ReexecutionOptions(parent_run_id, step_selection=[...])."
        )
    chain = _chain(instance, reexecution_options.parent_run_id)
    parent = chain[0]
    definition, plan = plan_job(
        subset(definition, parent.asset_selection, parent.asset_check_selection), parent.op_selection
    )
    return run_job(
        definition, instance=instance, run_config=parent.run_config if run_config is None else run_config,
        tags={**_tags(parent, reexecution_options), **(tags or {})}, op_selection=parent.op_selection,
        raise_on_error=raise_on_error, returns=JobExecutionResult, drives=drive_of, parent=parent,
        continues=_continuation(instance, plan, chain, reexecution_options),
    )  # fmt: skip


def _check_requirements(
    job: ReconstructableJob | JobDefinition, definition: JobDefinition, instance: Instance, run_config: Any
) -> None:
    """Make sure that the run has what its executor needs."""
    executor = definition.executor_def
    if executor is None or not executor.requirements:
        return
    given = executor.resolve_config(run_config_dict(run_config).get("execution", {}).get("config") or {})
    asked: Any = executor.requirements
    needed: Any = asked(given) if callable(asked) else asked
    in_memory = [key for key, resource in definition.resource_defs.items() if resource is mem_io_manager]
    unmet = {
        Requirement.RECONSTRUCTABLE_PIPELINE: job is definition
        and "a job that can be loaded elsewhere: reconstructable()",
        Requirement.NON_EPHEMERAL_INSTANCE: instance.is_ephemeral and "an instance with a home, such as Instance.get()",
        Requirement.PERSISTENT_OUTPUTS: in_memory and f"IO managers that store values, in place of {in_memory[0]!r}",
    }
    for need in needed:
        if unmet[need]:
            raise UnmetExecutorRequirementsError(
                f"The executor {executor.name!r} of job {definition.name!r} needs {unmet[need]}. Give that, or use "
                "in_process_executor."
            )


def subset(
    job: JobDefinition, assets: Collection[AssetKey] | None, checks: Collection[AssetCheckKey] | None
) -> JobDefinition:
    """A job of assets for these only. `checks` of None are those of the assets."""
    if assets is None or (assets == job.selected_assets and checks == job.selected_checks):
        return job
    selection = AssetSelection.keys(*assets)
    if checks is not None:
        selection = selection.without_checks() | AssetSelection.checks(*checks)
    return narrowed(job, selection)


def _chain(instance: Instance, run_id: str) -> list[Run]:
    """A run, the one that it continued, and so on, as far as they are known."""
    parent = instance.get_run_by_id(run_id)
    if parent is None:
        raise RunNotFoundError(f"There is no run {run_id!r} to execute again. It may have been deleted.")
    chain = [parent]
    while chain[-1].parent_run_id is not None:
        above = instance.get_run_by_id(chain[-1].parent_run_id)
        if above is None:
            break
        chain.append(above)
    return chain


def continuation(instance: Instance, job: JobDefinition, run: Run) -> Continuation | None:
    """What a stored run executes again of the one that it continues, as its tags say; None for all that it selects.

    Raises:
        As `execute_job` of this module.
    """
    is_resumed = run.tags.get(tag_names.IS_RESUME_RETRY) == "true"
    clauses = run.tags.get(tag_names.STEP_SELECTION)
    if run.parent_run_id is None or not (is_resumed or clauses):
        return None
    chain = _chain(instance, run.parent_run_id)
    before = continuation(instance, job, chain[0])
    if before is not None:
        chain[0] = structs.replace(chain[0], step_keys_to_execute=tuple(before.steps))
    _, plan = plan_job(job, run.op_selection)
    options = ReexecutionOptions(run.parent_run_id, clauses.split(",") if clauses else (), not clauses)
    return _continuation(instance, plan, chain, options)


def _continuation(instance: Instance, plan: Plan, chain: Sequence[Run], options: ReexecutionOptions) -> Continuation:
    parent = chain[0]
    made: list[Mapping[str, Made]] = [
        outcomes(run.run_id, (entry.event for entry in instance.all_logs(run.run_id, OF_OUTCOMES))) for run in chain
    ]
    if not options.only_unsuccessful:
        return from_selection(plan, made, options.step_selection)
    if not parent.is_failure_or_canceled:
        raise InvariantError(
            f"Run {parent.run_id} ended as {parent.status.value}, so there is no failure to continue from. Name the "
            "steps to execute again: ReexecutionOptions(parent_run_id, step_selection=[...])."
        )
    executed = frozenset(parent.step_keys_to_execute) if parent.step_keys_to_execute is not None else None
    return from_failure(plan, made, executed)


def _tags(parent: Run, options: ReexecutionOptions) -> dict[str, str]:
    """What a run takes over from the one it continues, and what says that it continues it."""
    found = {key: value for key, value in parent.tags.items() if key in _OF_PARTITIONS}
    found[tag_names.PARENT_RUN_ID] = parent.run_id
    found[tag_names.ROOT_RUN_ID] = parent.root_run_id or parent.run_id
    if options.step_selection:
        found[tag_names.STEP_SELECTION] = ",".join(options.step_selection)
    if options.only_unsuccessful:
        found[tag_names.IS_RESUME_RETRY] = "true"
    return found
