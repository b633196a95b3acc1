"""The kinds of events, and what every event has."""

from __future__ import annotations

import enum
from typing import ClassVar

import msgspec

from treadle.core.keys import AssetKey


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


class Event(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type"):
    """Base of all events."""

    event_type: ClassVar[EventType]
    level: ClassVar[int] = 10
    step_key: ClassVar[str | None] = None  # step events shadow it with a field

    @property
    def event_type_value(self) -> str:
        """The stored word for the kind of this event."""
        return self.event_type.value

    @property
    def message(self) -> str:
        """What happened, as a sentence."""
        return self.event_type.name

    @property
    def asset_key(self) -> AssetKey | None:
        """The asset this event is about, if any."""
        return None

    @property
    def partition(self) -> str | None:
        """The partition this event is about, if any."""
        return None

    @property
    def is_step_event(self) -> bool:
        """Whether this event tells how a step went. Plans and the framework's own words name a step, and do not."""
        return self.step_key is not None and self.event_type not in BESIDE_STEPS

    @property
    def is_failure(self) -> bool:
        """Whether this event reports that a step or the run failed."""
        return self.event_type in (EventType.STEP_FAILURE, EventType.RUN_FAILURE)

    @property
    def is_step_success(self) -> bool:
        """Whether a step ended well."""
        return self.event_type is EventType.STEP_SUCCESS

    @property
    def is_step_failure(self) -> bool:
        """Whether a step failed for good."""
        return self.event_type is EventType.STEP_FAILURE

    @property
    def is_step_skipped(self) -> bool:
        """Whether a step was skipped."""
        return self.event_type is EventType.STEP_SKIPPED

    @property
    def is_step_start(self) -> bool:
        """Whether a step began."""
        return self.event_type is EventType.STEP_START

    @property
    def is_step_up_for_retry(self) -> bool:
        """Whether an attempt failed and another will follow."""
        return self.event_type is EventType.STEP_UP_FOR_RETRY

    @property
    def is_step_restarted(self) -> bool:
        """Whether another attempt began."""
        return self.event_type is EventType.STEP_RESTARTED

    @property
    def is_successful_output(self) -> bool:
        """Whether a step produced an output."""
        return self.event_type is EventType.STEP_OUTPUT

    @property
    def is_handled_output(self) -> bool:
        """Whether an IO manager stored an output."""
        return self.event_type is EventType.HANDLED_OUTPUT

    @property
    def is_loaded_input(self) -> bool:
        """Whether an IO manager loaded an input."""
        return self.event_type is EventType.LOADED_INPUT

    @property
    def is_step_materialization(self) -> bool:
        """Whether an asset was materialized."""
        return self.event_type is EventType.ASSET_MATERIALIZATION

    @property
    def is_asset_observation(self) -> bool:
        """Whether an asset was observed."""
        return self.event_type is EventType.ASSET_OBSERVATION

    @property
    def is_asset_materialization_planned(self) -> bool:
        """Whether an asset is planned to be materialized by the run."""
        return self.event_type is EventType.ASSET_MATERIALIZATION_PLANNED

    @property
    def is_engine_event(self) -> bool:
        """Whether the framework speaks about itself."""
        return self.event_type is EventType.ENGINE_EVENT

    @property
    def is_hook_event(self) -> bool:
        """Whether a hook ran, failed or was skipped."""
        return self.event_type in (EventType.HOOK_COMPLETED, EventType.HOOK_ERRORED, EventType.HOOK_SKIPPED)

    @property
    def is_resource_init_failure(self) -> bool:
        """Whether a resource could not be set up."""
        return self.event_type is EventType.RESOURCE_INIT_FAILURE
