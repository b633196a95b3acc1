"""The event log's vocabulary: one frozen struct per kind of event, all in one tagged union.

An event carries only what is particular to it. When and in which run it happened is in its `EventLogEntry`; the
sentence for people is derived from its data (`message`), never stored.
"""

# ruff: noqa: RUF012  # msgspec gives each struct its own copy of an empty default

from __future__ import annotations

from functools import cache, reduce
from operator import or_
from typing import Any, ClassVar, TypeAlias

import msgspec

from treadle.core import codec
from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.core.metadata import MetadataValue
from treadle.core.told import told
from treadle.errors import InvocationError
from treadle.state.error_info import ErrorInfo
from treadle.state.event_types import ErrorSource, Event, EventType
from treadle.state.facts import (
    AssetCheckEvaluation,
    AssetMaterialization,
    AssetObservation,
    ExpectationResult,
    Reported,
)

Metadata: TypeAlias = dict[str, MetadataValue]
# Each kind's `event_type` is what its tag says: see below `AnyEvent`.


# --- the run ---------------------------------------------------------------------------------------------------------


class RunEnqueued(Event, frozen=True, tag="PIPELINE_ENQUEUED"):
    """The run waits in the queue."""


class RunDequeued(Event, frozen=True, tag="PIPELINE_DEQUEUED"):
    """The run left the queue."""


class RunStarting(Event, frozen=True, tag="PIPELINE_STARTING"):
    """A process for the run is being made."""


class RunStarted(Event, frozen=True, tag="PIPELINE_START"):
    """The run began."""

    job_name: str = ""
    says = 'Started execution of run for "{0.job_name}".'


class RunSucceeded(Event, frozen=True, tag="PIPELINE_SUCCESS"):
    """The run ended, every step well or skipped."""

    job_name: str = ""
    says = 'Finished execution of run for "{0.job_name}".'


class RunFailed(Event, frozen=True, tag="PIPELINE_FAILURE"):
    """The run ended, and something failed.

    Attributes:
        failure_reason: a word of the `dagster/failure_reason` tag, such as STEP_FAILURE.
        failed_steps: keys of the steps that failed.
        error: what failed outside a step, if anything.
    """

    job_name: str = ""
    failure_reason: str = "UNKNOWN"
    failed_steps: tuple[str, ...] = ()
    error: ErrorInfo | None = None
    level = 40

    @property
    def message(self) -> str:
        text = f'Execution of run for "{self.job_name}" failed.'
        if self.failed_steps:
            return f"{text} Steps failed: {list(self.failed_steps)!r}."
        return f"{text} {self.error.message.strip()}" if self.error else text


class RunCanceling(Event, frozen=True, tag="PIPELINE_CANCELING"):
    """The run was asked to stop."""


class RunCanceled(Event, frozen=True, tag="PIPELINE_CANCELED"):
    """The run stopped because it was asked to."""

    job_name: str = ""
    level = 40
    says = 'Execution of run for "{0.job_name}" canceled.'


class RunSuspended(Event, frozen=True, tag="RUN_SUSPENDED"):
    """The run pauses."""


class RunResumed(Event, frozen=True, tag="RUN_RESUMED"):
    """The run goes on."""


class EngineEvent(Event, frozen=True, tag="ENGINE_EVENT"):
    """The framework speaks about itself. Markers pair up to intervals that a timeline draws."""

    text: str
    step_key: str | None = None
    metadata: Metadata = {}
    error: ErrorInfo | None = None
    marker_start: str | None = None
    marker_end: str | None = None

    message = told("text", "The text.")


class ResourceInitStarted(Event, frozen=True, tag="RESOURCE_INIT_STARTED"):
    """Resources are about to be set up."""

    resource_keys: tuple[str, ...] = ()
    step_key: str | None = None

    @property
    def message(self) -> str:
        return f"Starting initialization of resources [{', '.join(self.resource_keys)}]."


class ResourceInitSucceeded(Event, frozen=True, tag="RESOURCE_INIT_SUCCESS"):
    """Resources are set up."""

    resource_keys: tuple[str, ...] = ()
    step_key: str | None = None
    metadata: Metadata = {}

    @property
    def message(self) -> str:
        return f"Finished initialization of resources [{', '.join(self.resource_keys)}]."


class ResourceInitFailed(Event, frozen=True, tag="RESOURCE_INIT_FAILURE"):
    """A resource could not be set up."""

    resource_keys: tuple[str, ...] = ()
    step_key: str | None = None
    error: ErrorInfo | None = None
    level = 40
    says = "Initialization of resources failed."


class LogsCaptured(Event, frozen=True, tag="LOGS_CAPTURED"):
    """Capture of stdout and stderr began.

    Attributes:
        log_key: where the log store keeps it: run id, "compute_logs", file key.
        step_keys: the steps whose output it holds.
    """

    log_key: tuple[str, ...]
    step_keys: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        steps = f" for step{'s' if len(self.step_keys) > 1 else ''}: {', '.join(self.step_keys)}"
        return f"Started capturing logs{steps if len(self.step_keys) <= 3 else f' for {len(self.step_keys)} steps'}."


# --- steps -----------------------------------------------------------------------------------------------------------


class StepEvent(Event, frozen=True):
    """Base of the events of a step."""

    step_key: str


class StepWorkerStarting(StepEvent, frozen=True, tag="STEP_WORKER_STARTING"):
    """A process for the step is being made."""


class StepWorkerStarted(StepEvent, frozen=True, tag="STEP_WORKER_STARTED"):
    """The step's process is up."""

    pid: int | None = None


Position = tuple[int, int]
"""How many bytes of stdout and stderr had been captured when something happened."""


class StepStarted(StepEvent, frozen=True, tag="STEP_START"):
    """The first attempt of the step began."""

    captured: Position | None = None
    says = 'Started execution of step "{0.step_key}".'


class StepRestarted(StepEvent, frozen=True, tag="STEP_RESTARTED"):
    """A later attempt of the step began. `attempt` counts from 2."""

    attempt: int = 2
    captured: Position | None = None
    says = 'Started re-execution (attempt # {0.attempt}) of step "{0.step_key}".'


class StepUpForRetry(StepEvent, frozen=True, tag="STEP_UP_FOR_RETRY"):
    """An attempt failed and another will follow after `seconds_to_wait`."""

    error: ErrorInfo | None = None
    seconds_to_wait: float | None = None
    captured: Position | None = None

    @property
    def message(self) -> str:
        wait = f" in {self.seconds_to_wait:g} seconds" if self.seconds_to_wait else ""
        return f'Execution of step "{self.step_key}" failed and has requested a retry{wait}.'


class StepSucceeded(StepEvent, frozen=True, tag="STEP_SUCCESS"):
    """The step ended well after `duration_ms` milliseconds."""

    duration_ms: float = 0.0
    captured: Position | None = None

    @property
    def message(self) -> str:
        return f'Finished execution of step "{self.step_key}" in {format_duration(self.duration_ms)}.'


class StepFailed(StepEvent, frozen=True, tag="STEP_FAILURE"):
    """The step failed for good.

    Attributes:
        error: what was raised.
        error_source: whose fault it is.
        description, metadata: what the user's `Failure` said, if that was raised.
    """

    error: ErrorInfo | None = None
    error_source: ErrorSource = ErrorSource.USER_CODE_ERROR
    description: str | None = None
    metadata: Metadata = {}
    captured: Position | None = None
    level = 40
    says = 'Execution of step "{0.step_key}" failed.'


class StepSkipped(StepEvent, frozen=True, tag="STEP_SKIPPED"):
    """The step did not run because optional outputs above it were not produced."""

    missing: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        above = f" due to skipped outputs {list(self.missing)!r}" if self.missing else ""
        return f'Skipped execution of step "{self.step_key}"{above}.'


class TypeCheckData(msgspec.Struct, frozen=True):
    """What the check of a type said about a value.

    Attributes:
        success: whether it is of the type.
        label: the name of the input or output.
        description: why not, or a remark.
        metadata: facts about the value.
    """

    success: bool
    label: str
    description: str | None = None
    metadata: Metadata = {}

    @property
    def sentence(self) -> str:
        """How messages say it."""
        return "(Type check passed)." if self.success else "Warning! Type check failed."


class StepInput(StepEvent, frozen=True, tag="STEP_INPUT"):
    """An input has its value, and what the check of its type said."""

    input_name: str
    type_name: str = "Any"
    metadata: Metadata = {}
    check: TypeCheckData | None = None

    @property
    def type_check_data(self) -> TypeCheckData:
        """What the check of its type said."""
        return self.check or TypeCheckData(True, self.input_name)

    says = 'Got input "{0.input_name}" of type "{0.type_name}". {0.type_check_data.sentence}'


class StepOutput(StepEvent, frozen=True, tag="STEP_OUTPUT"):
    """The step produced an output, and what the check of its type said."""

    output_name: str
    mapping_key: str | None = None
    type_name: str = "Any"
    metadata: Metadata = {}
    check: TypeCheckData | None = None

    @property
    def type_check_data(self) -> TypeCheckData:
        """What the check of its type said. An output whose value failed it was not stored."""
        return self.check or TypeCheckData(True, self.output_name)

    @property
    def message(self) -> str:
        key = f' mapping key "{self.mapping_key}"' if self.mapping_key else ""
        return f'Yielded output "{self.output_name}"{key} of type "{self.type_name}". {self.type_check_data.sentence}'


class LoadedInput(StepEvent, frozen=True, tag="LOADED_INPUT"):
    """An IO manager read the value of an input."""

    input_name: str
    manager_key: str
    upstream_output_name: str | None = None
    upstream_step_key: str | None = None
    metadata: Metadata = {}

    @property
    def message(self) -> str:
        source = (
            f', from output "{self.upstream_output_name}" of step "{self.upstream_step_key}"'
            if self.upstream_step_key
            else ""
        )
        return f'Loaded input "{self.input_name}" using input manager "{self.manager_key}"{source}'


class HandledOutput(StepEvent, frozen=True, tag="HANDLED_OUTPUT"):
    """An IO manager stored the value of an output."""

    output_name: str
    manager_key: str
    metadata: Metadata = {}
    says = 'Handled output "{0.output_name}" using IO manager "{0.manager_key}"'


class ExpectationReported(StepEvent, frozen=True, tag="STEP_EXPECTATION_RESULT"):
    """User code said whether it found what it expected."""

    expectation_result: ExpectationResult

    @property
    def message(self) -> str:
        found = self.expectation_result
        return found.description or f"Expectation {found.label!r} {'was met' if found.success else 'was not met'}."


class HookCompleted(StepEvent, frozen=True, tag="HOOK_COMPLETED"):
    """A hook ran."""

    hook_name: str
    says = 'Finished the execution of hook "{0.hook_name}" triggered for "{0.step_key}".'


class HookErrored(StepEvent, frozen=True, tag="HOOK_ERRORED"):
    """A hook raised. The run goes on."""

    hook_name: str
    error: ErrorInfo | None = None
    level = 40
    says = 'Error occurred during the execution of hook "{0.hook_name}" triggered for "{0.step_key}".'


class HookSkipped(StepEvent, frozen=True, tag="HOOK_SKIPPED"):
    """A hook did not apply to how the step ended."""

    hook_name: str
    says = 'Skipped the execution of hook "{0.hook_name}" triggered for "{0.step_key}".'


# --- assets ----------------------------------------------------------------------------------------------------------


class AssetMaterializationPlanned(Event, frozen=True, tag="ASSET_MATERIALIZATION_PLANNED"):
    """The run means to materialize `key`: its partition `partition_key`, or those of a range.

    Attributes:
        partition_keys: the partitions between `range_start` and `range_end`, so that readers need no definition.
    """

    key: AssetKey
    step_key: str | None = None
    partition_key: str | None = None
    partition_keys: tuple[str, ...] = ()
    range_start: str | None = None
    range_end: str | None = None

    asset_key = told("key", "The asset.")
    partition = told("partition_key", "The partition, if it is one.")

    @property
    def message(self) -> str:
        return f"{self.key.to_user_string()} intends to materialize"


class AssetMaterialized(Event, frozen=True, tag="ASSET_MATERIALIZATION"):
    """An asset, or a partition of it, was materialized. Without `step_key`: reported from outside a run."""

    materialization: AssetMaterialization
    step_key: str | None = None
    fact_field = "materialization"
    says = "Materialized value {0.materialization.label}."


class AssetObserved(Event, frozen=True, tag="ASSET_OBSERVATION"):
    """An asset was observed."""

    observation: AssetObservation
    step_key: str | None = None
    fact_field = "observation"
    says = "Observed {0.observation.label}."


class AssetCheckEvaluationPlanned(Event, frozen=True, tag="ASSET_CHECK_EVALUATION_PLANNED"):
    """The run means to evaluate a check."""

    key: AssetCheckKey
    step_key: str | None = None
    partition_key: str | None = None

    asset_key = told("key.asset_key", "The asset that is checked.")
    partition = told("partition_key", "The partition, if it is one.")

    @property
    def message(self) -> str:
        return f"{self.key.asset_key.to_user_string()} intends to execute asset check {self.key.name}"


class AssetCheckEvaluated(Event, frozen=True, tag="ASSET_CHECK_EVALUATION"):
    """A check was evaluated."""

    evaluation: AssetCheckEvaluation
    step_key: str | None = None
    fact_field = "evaluation"

    @property
    def message(self) -> str:
        verdict = "passed" if self.evaluation.passed else "did not pass"
        return (
            f"Asset check '{self.evaluation.check_name}' on '{self.evaluation.asset_key.to_user_string()}' {verdict}."
        )


class AssetWiped(Event, frozen=True, tag="ASSET_WIPED"):
    """The history of an asset (or of the named partitions of it) was wiped."""

    key: AssetKey
    partition_keys: tuple[str, ...] | None = None

    asset_key = told("key", "The asset.")

    @property
    def message(self) -> str:
        return f"Wiped asset {self.key.to_user_string()}"


# --- log lines -------------------------------------------------------------------------------------------------------


class LogMessage(Event, frozen=True, tag="LOG_MESSAGE"):
    """A line that user code (or a captured Python logger) logged.

    Attributes:
        text: the line.
        log_level: as in `logging`: 10 DEBUG, 20 INFO, 30 WARNING, 40 ERROR, 50 CRITICAL.
        error: the exception that was logged with it.
    """

    text: str
    log_level: int = 20
    step_key: str | None = None
    error: ErrorInfo | None = None

    level = told("log_level", "The severity of the line.")
    message = told("text", "The text.")


class Unknown(Event, frozen=True, tag="UNKNOWN"):
    """An event of a kind that this version does not know. It keeps its bytes, so that a rewrite loses nothing."""

    kind: str
    raw: bytes
    event_type = EventType.ENGINE_EVENT

    event_type_value = told("kind", "The word that the other version stored.")
    message = told("kind", "The kind.")


_KINDS = tuple(kind for kind in codec.leaves(Event) if kind is not Unknown)
AnyEvent: Any = reduce(or_, _KINDS)
"""All kinds of events, for decoders."""
for _kind in _KINDS:
    _kind.event_type = EventType(_kind.__struct_config__.tag)


class EventLogEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the event log.

    Attributes:
        run_id: the run it belongs to; empty for what is reported from outside a run.
        timestamp: when, in seconds since the epoch.
        event: what happened.
        storage_id: its number in the log, once stored. Numbers grow; a reader's cursor is the last number it saw.
    """

    run_id: str
    timestamp: float
    event: Event
    storage_id: int | None = None

    step_key: ClassVar[str | None] = told("event.step_key", "The step it belongs to, if any.")
    level: ClassVar[int] = told("event.level", "The severity, as in `logging`.")
    message: ClassVar[str] = told("event.message", "The event as a sentence.")

    user_message = message

    error_info: ClassVar[ErrorInfo | None] = told("event.error", "The error it carries, if any.")

    @property
    def asset_materialization(self) -> AssetMaterialization | None:
        """The materialization it reports, if any."""
        return self.event.materialization if isinstance(self.event, AssetMaterialized) else None

    @property
    def asset_observation(self) -> AssetObservation | None:
        """The observation it reports, if any."""
        return self.event.observation if isinstance(self.event, AssetObserved) else None

    @property
    def asset_check_evaluation(self) -> AssetCheckEvaluation | None:
        """The check evaluation it reports, if any."""
        return self.event.evaluation if isinstance(self.event, AssetCheckEvaluated) else None


def reported(fact: Reported, step_key: str | None) -> Event:
    """The event for what user code reports.

    Raises:
        InvocationError: it is nothing that can be reported.
    """
    if isinstance(fact, AssetMaterialization):
        return AssetMaterialized(fact, step_key)
    if isinstance(fact, AssetObservation):
        return AssetObserved(fact, step_key)
    if isinstance(fact, ExpectationResult) and step_key is not None:
        return ExpectationReported(step_key, fact)
    raise InvocationError(
        f"A {type(fact).__name__} cannot be reported here: give an AssetMaterialization or AssetObservation, or in a "
        "step an ExpectationResult."
    )


@cache
def _decoder() -> Any:
    """Takes five milliseconds to be made, and many processes read no events."""
    return codec.decoder(AnyEvent)


def encode_event(event: Event) -> bytes:
    """The bytes to store for `event`."""
    return event.raw if isinstance(event, Unknown) else codec.encode(event)


def decode_event(body: bytes) -> Event:
    """The event that `body` holds; `Unknown` if a later version wrote a kind that this one does not know."""
    try:
        return _decoder().decode(body)
    except codec.DecodeError:
        raw = codec.decoder(dict[str, Any]).decode(body)
        return Unknown(kind=str(raw.get("type", "")), raw=body)


def format_duration(ms: float) -> str:
    """Milliseconds as people say them: 9ms, 1.25s, 3m2s."""
    if ms < 1000:
        return f"{ms:.0f}ms" if ms >= 10 else f"{ms:.2g}ms"
    seconds = ms / 1000
    return f"{seconds:.2f}s" if seconds < 60 else f"{int(seconds // 60)}m{int(seconds % 60)}s"
