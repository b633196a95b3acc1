"""What an execution in process gives back: how it went, every event, and the values that were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from treadle.author.jobs import JobDefinition
from treadle.core.keys import AssetKey, CoercibleToAssetKey, did_you_mean
from treadle.core.told import told
from treadle.errors import InvariantError, InvocationError, StepOutputNotFoundError
from treadle.state import events
from treadle.state.events import Event, EventLogEntry, EventType
from treadle.state.facts import AssetCheckEvaluation, AssetMaterialization, AssetObservation
from treadle.state.runs import Run, RunStatus

_NOT_OF_THE_EXECUTION = (events.LogMessage, events.AssetMaterializationPlanned, events.AssetCheckEvaluationPlanned)


class ExecutionResult:
    """How an execution went.

    Attributes:
        job_def: the job.
        run: the run, in its final state.
        entries: every line of its event log, with times.
    """

    def __init__(
        self,
        job_def: JobDefinition,
        run: Run,
        entries: Sequence[EventLogEntry],
        outputs: Mapping[tuple[str, str], Any],
        producers: Mapping[AssetKey, tuple[str, str]],
    ) -> None:
        self.job_def = job_def
        self.run = run
        self.entries = entries
        self._outputs = outputs
        self._producers = producers

    @property
    def success(self) -> bool:
        """Whether the run succeeded."""
        return self.run.status is RunStatus.SUCCESS

    run_id: str = told("run.run_id", "The id of the run.")

    @property
    def all_events(self) -> Sequence[Event]:
        """Every event since the run began, without log lines of user code."""
        return [entry.event for entry in self.entries if type(entry.event) not in _NOT_OF_THE_EXECUTION]

    @property
    def all_node_events(self) -> Sequence[Event]:
        """Every event of a step."""
        return [event for event in self.all_events if event.step_key is not None]

    def filter_events(self, event_filter: Callable[[Event], bool]) -> Sequence[Event]:
        """The events for which `event_filter` is true."""
        return [event for event in self.all_events if event_filter(event)]

    def events_for_node(self, node_name: str) -> Sequence[Event]:
        """The events of a node; of a graph, those of all nodes in it."""
        inside = f"{node_name}."
        return self.filter_events(
            lambda event: (
                event.step_key is not None
                and (event.step_key == node_name or event.step_key.startswith((inside, f"{node_name}[")))
            )
        )

    compute_events_for_handle = events_for_node

    def _has(self, node_name: str, kind: EventType) -> bool:
        return any(event.event_type is kind for event in self.events_for_node(node_name))

    def is_node_success(self, node_name: str) -> bool:
        """Whether the node ended well."""
        return self._has(node_name, EventType.STEP_SUCCESS)

    def is_node_failed(self, node_name: str) -> bool:
        """Whether the node failed."""
        return self._has(node_name, EventType.STEP_FAILURE)

    def is_node_skipped(self, node_name: str) -> bool:
        """Whether the node was skipped."""
        return self._has(node_name, EventType.STEP_SKIPPED)

    def is_node_untouched(self, node_name: str) -> bool:
        """Whether nothing at all happened to the node."""
        return not self.events_for_node(node_name)

    def output_value(self, output_name: str = "result") -> Any:
        """The value of an output of the job.

        Raises:
            InvariantError: the job has no such output.
        """
        sources = self.job_def.outputs
        if output_name not in sources:
            raise InvariantError(
                f"Job {self.job_def.name!r} has no output {output_name!r}.{did_you_mean(output_name, sources)} "
                f"It has: {', '.join(sources) or 'none'}."
            )
        source = sources[output_name]
        return self._value(source.node, source.output)

    def output_for_node(self, node_str: str, output_name: str = "result") -> Any:
        """The value of an output of a node, op or graph, named by its path with dots.

        Raises:
            InvariantError: the job has no such node.
            StepOutputNotFoundError: the node did not produce this output. It is an InvariantError, too.
        """
        graph = self.job_def.graphs.get(node_str)
        if graph is not None and output_name in graph.outputs:
            source = graph.outputs[output_name]
            return self._value(source.node, source.output)
        if graph is None and node_str not in self.job_def.ops:
            nodes = [*self.job_def.ops, *self.job_def.graphs]
            raise InvariantError(f"Job {self.job_def.name!r} has no node {node_str!r}.{did_you_mean(node_str, nodes)}")
        return self._value(node_str, output_name)

    def asset_value(self, asset_key: CoercibleToAssetKey) -> Any:
        """The value of an asset that the run made."""
        key = AssetKey.from_coercible(asset_key)
        if key not in self._producers:
            made = ", ".join(sorted(one.to_user_string() for one in self._producers)) or "none"
            raise InvariantError(f"The run did not make {key.to_user_string()!r}. It made: {made}.")
        return self._value(*self._producers[key])

    def _value(self, step_key: str, output_name: str) -> Any:
        """The value; of a node below a dynamic output, a dict of values by mapping key."""
        if (step_key, output_name) not in self._outputs:
            start = f"{step_key}["
            mapped = {
                key[len(start) : -1]: self._outputs[key, output]  # which may have to be loaded
                for key, output in self._outputs
                if output == output_name and key.startswith(start)
            }
            if mapped:
                return mapped
            raise StepOutputNotFoundError(
                f"Step {step_key!r} did not produce output {output_name!r} in this run.",
                step_key=step_key,
                output_name=output_name,
            )
        return self._outputs[step_key, output_name]

    def _of(self, kind: EventType) -> list[Any]:
        return [entry.event for entry in self.entries if entry.event.event_type is kind]

    def asset_materializations_for_node(self, node_name: str) -> Sequence[AssetMaterialization]:
        """What a node materialized."""
        return [e.materialization for e in self.events_for_node(node_name) if isinstance(e, events.AssetMaterialized)]

    def asset_observations_for_node(self, node_name: str) -> Sequence[AssetObservation]:
        """What a node observed."""
        return [e.observation for e in self.events_for_node(node_name) if isinstance(e, events.AssetObserved)]

    def get_asset_materialization_events(self) -> Sequence[Event]:
        """Every materialization."""
        return self._of(EventType.ASSET_MATERIALIZATION)

    def get_asset_materialization_planned_events(self) -> Sequence[Event]:
        """Every planned materialization."""
        return self._of(EventType.ASSET_MATERIALIZATION_PLANNED)

    def get_asset_observation_events(self) -> Sequence[Event]:
        """Every observation."""
        return self._of(EventType.ASSET_OBSERVATION)

    def get_asset_check_evaluations(self) -> Sequence[AssetCheckEvaluation]:
        """Every outcome of an asset check."""
        return [event.evaluation for event in self._of(EventType.ASSET_CHECK_EVALUATION)]

    def get_step_success_events(self) -> Sequence[Event]:
        """The ends of steps that went well."""
        return self._of(EventType.STEP_SUCCESS)

    def get_step_failure_events(self) -> Sequence[Event]:
        """The ends of steps that failed."""
        return self._of(EventType.STEP_FAILURE)

    def get_step_skipped_events(self) -> Sequence[Event]:
        """The steps that were skipped."""
        return self._of(EventType.STEP_SKIPPED)

    def get_failed_step_keys(self) -> set[str]:
        """The keys of the steps that failed."""
        return {event.step_key for event in self._of(EventType.STEP_FAILURE)}

    def get_run_success_event(self) -> Event:
        """The event that says that the run succeeded."""
        return self._one(EventType.RUN_SUCCESS)

    def get_run_failure_event(self) -> Event:
        """The event that says that the run failed."""
        return self._one(EventType.RUN_FAILURE)

    def _one(self, kind: EventType) -> Event:
        found = self._of(kind)
        if not found:
            raise InvocationError(f"The run ended as {self.run.status.value}, so it has no {kind.name} event.")
        return found[0]

    def retry_attempts_for_node(self, node_str: str) -> int:
        """How many retries of a node began."""
        return sum(event.event_type is EventType.STEP_RESTARTED for event in self.events_for_node(node_str))

    def failure_data_for_node(self, node_str: str) -> events.StepFailed | None:
        """How a node failed, if it did."""
        return next((e for e in self.events_for_node(node_str) if isinstance(e, events.StepFailed)), None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.job_def.name} {self.run.status.value}>"


class ExecuteInProcessResult(ExecutionResult):
    """How an execution in process went."""


class JobExecutionResult(ExecutionResult):
    """How an execution of a job went. In a `with` block or outside of one, it tells the same."""

    def __enter__(self) -> JobExecutionResult:
        return self

    def __exit__(self, *raised: object) -> None:
        return None
