"""The kinds of events, and what every event has."""

from __future__ import annotations

import enum
from typing import Any, ClassVar

import msgspec

from treadle.core.keys import AssetKey
from treadle.core.told import told


class EventType(enum.Enum):
    """The kinds of events. The value is what is stored; run events keep the older word there."""

    RUN_ENQUEUED = "PIPELINE_ENQUEUED"
    RUN_DEQUEUED = "PIPELINE_DEQUEUED"
    RUN_STARTING = "PIPELINE_STARTING"
    RUN_START = "PIPELINE_START"
    RUN_SUCCESS = "PIPELINE_SUCCESS"
    RUN_FAILURE = "PIPELINE_FAILURE"
    RUN_CANCELING = "PIPELINE_CANCELING"
    RUN_CANCELED = "PIPELINE_CANCELED"
    RUN_SUSPENDED = "RUN_SUSPENDED"
    RUN_RESUMED = "RUN_RESUMED"
    ENGINE_EVENT = "ENGINE_EVENT"
    RESOURCE_INIT_STARTED = "RESOURCE_INIT_STARTED"
    RESOURCE_INIT_SUCCESS = "RESOURCE_INIT_SUCCESS"
    RESOURCE_INIT_FAILURE = "RESOURCE_INIT_FAILURE"
    LOGS_CAPTURED = "LOGS_CAPTURED"
    STEP_WORKER_STARTING = "STEP_WORKER_STARTING"
    STEP_WORKER_STARTED = "STEP_WORKER_STARTED"
    STEP_START = "STEP_START"
    STEP_RESTARTED = "STEP_RESTARTED"
    STEP_UP_FOR_RETRY = "STEP_UP_FOR_RETRY"
    STEP_SUCCESS = "STEP_SUCCESS"
    STEP_FAILURE = "STEP_FAILURE"
    STEP_SKIPPED = "STEP_SKIPPED"
    STEP_INPUT = "STEP_INPUT"
    STEP_OUTPUT = "STEP_OUTPUT"
    LOADED_INPUT = "LOADED_INPUT"
    HANDLED_OUTPUT = "HANDLED_OUTPUT"
    ASSET_MATERIALIZATION_PLANNED = "ASSET_MATERIALIZATION_PLANNED"
    ASSET_MATERIALIZATION = "ASSET_MATERIALIZATION"
    ASSET_OBSERVATION = "ASSET_OBSERVATION"
    ASSET_FAILED_TO_MATERIALIZE = "ASSET_FAILED_TO_MATERIALIZE"
    ASSET_CHECK_EVALUATION_PLANNED = "ASSET_CHECK_EVALUATION_PLANNED"
    ASSET_CHECK_EVALUATION = "ASSET_CHECK_EVALUATION"
    ASSET_WIPED = "ASSET_WIPED"
    STEP_EXPECTATION_RESULT = "STEP_EXPECTATION_RESULT"
    HOOK_COMPLETED = "HOOK_COMPLETED"
    HOOK_ERRORED = "HOOK_ERRORED"
    HOOK_SKIPPED = "HOOK_SKIPPED"
    LOG_MESSAGE = "LOG_MESSAGE"
    # Kinds that filters may name, and of which a log has none:
    ASSET_HEALTH_CHANGED = "ASSET_HEALTH_CHANGED"
    FRESHNESS_STATE_EVALUATION = "FRESHNESS_STATE_EVALUATION"
    FRESHNESS_STATE_CHANGE = "FRESHNESS_STATE_CHANGE"
    CODE_LOCATION_UPDATED = "CODE_LOCATION_UPDATED"
    ALERT_START = "ALERT_START"
    ALERT_SUCCESS = "ALERT_SUCCESS"
    ALERT_FAILURE = "ALERT_FAILURE"
    OBJECT_STORE_OPERATION = "OBJECT_STORE_OPERATION"
    ASSET_STORE_OPERATION = "ASSET_STORE_OPERATION"


class ErrorSource(enum.Enum):
    """Whose fault a step failure is."""

    USER_CODE_ERROR = "USER_CODE_ERROR"
    FRAMEWORK_ERROR = "FRAMEWORK_ERROR"
    UNEXPECTED_ERROR = "UNEXPECTED_ERROR"
    INTERRUPT = "INTERRUPT"


BESIDE_STEPS = frozenset(
    {
        EventType.ASSET_MATERIALIZATION_PLANNED,
        EventType.ASSET_CHECK_EVALUATION_PLANNED,
        EventType.ENGINE_EVENT,
        EventType.RESOURCE_INIT_STARTED,
        EventType.RESOURCE_INIT_SUCCESS,
        EventType.RESOURCE_INIT_FAILURE,
        EventType.LOGS_CAPTURED,
        EventType.LOG_MESSAGE,
    }
)
"""Kinds of events that may name a step and are no part of how it went."""


def _is(doc: str, *kinds: EventType) -> property:
    return property(lambda event: event.event_type in kinds, doc=doc)


class Event(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type"):
    """Base of all events."""

    event_type: ClassVar[EventType]
    level: ClassVar[int] = 10
    step_key: ClassVar[str | None] = None  # step events shadow it with a field
    error: ClassVar[Any] = None  # and failures this
    fact_field: ClassVar[str | None] = None  # the field whose value tells asset and partition
    says: ClassVar[str | None] = None  # the sentence for people, a format of the event

    event_type_value: ClassVar[str] = told("event_type.value", "The stored word for the kind of this event.")

    @property
    def message(self) -> str:
        """What happened, as a sentence."""
        return self.says.format(self) if self.says is not None else self.event_type.name

    @property
    def asset_key(self) -> AssetKey | None:
        """The asset this event is about, if any."""
        return getattr(self, self.fact_field).asset_key if self.fact_field else None

    @property
    def partition(self) -> str | None:
        """The partition this event is about, if any."""
        return getattr(self, self.fact_field).partition if self.fact_field else None

    @property
    def is_step_event(self) -> bool:
        """Whether this event tells how a step went. Plans and the framework's own words name a step, and do not."""
        return self.step_key is not None and self.event_type not in BESIDE_STEPS

    is_failure = _is("Whether a step or the run failed.", EventType.STEP_FAILURE, EventType.RUN_FAILURE)
    is_step_success = _is("Whether a step ended well.", EventType.STEP_SUCCESS)
    is_step_failure = _is("Whether a step failed for good.", EventType.STEP_FAILURE)
    is_step_skipped = _is("Whether a step was skipped.", EventType.STEP_SKIPPED)
    is_step_start = _is("Whether a step began.", EventType.STEP_START)
    is_step_up_for_retry = _is("Whether an attempt failed and another will follow.", EventType.STEP_UP_FOR_RETRY)
    is_step_restarted = _is("Whether another attempt began.", EventType.STEP_RESTARTED)
    is_successful_output = _is("Whether a step produced an output.", EventType.STEP_OUTPUT)
    is_handled_output = _is("Whether an IO manager stored an output.", EventType.HANDLED_OUTPUT)
    is_loaded_input = _is("Whether an IO manager loaded an input.", EventType.LOADED_INPUT)
    is_step_materialization = _is("Whether an asset was materialized.", EventType.ASSET_MATERIALIZATION)
    is_asset_observation = _is("Whether an asset was observed.", EventType.ASSET_OBSERVATION)
    is_asset_materialization_planned = _is(
        "Whether the run plans to materialize an asset.", EventType.ASSET_MATERIALIZATION_PLANNED
    )
    is_expectation_result = _is(
        "Whether user code said if it found what it expected.", EventType.STEP_EXPECTATION_RESULT
    )
    is_engine_event = _is("Whether the framework speaks about itself.", EventType.ENGINE_EVENT)
    is_hook_event = _is(
        "Whether a hook ran, failed or was skipped.",
        EventType.HOOK_COMPLETED, EventType.HOOK_ERRORED, EventType.HOOK_SKIPPED,
    )  # fmt: skip
    is_resource_init_failure = _is("Whether a resource could not be set up.", EventType.RESOURCE_INIT_FAILURE)
