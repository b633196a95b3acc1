"""What readers of the store ask with and get back: filters, records of events and assets, statuses."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.core.told import told
from treadle.errors import InvocationError
from treadle.state.events import EventLogEntry, EventType
from treadle.state.facts import AssetCheckEvaluation, AssetMaterialization, AssetObservation


class EventLogRecord(msgspec.Struct, frozen=True):
    """A line of the event log with its number."""

    storage_id: int
    event_log_entry: EventLogEntry

    run_id: ClassVar[str] = told("event_log_entry.run_id", "The run it belongs to; empty for what came from outside.")
    timestamp: ClassVar[float] = told("event_log_entry.timestamp", "When, in seconds since the epoch.")
    partition_key: ClassVar[str | None] = told("event_log_entry.event.partition", "The partition it is about, if any.")
    asset_key: ClassVar[AssetKey | None] = told("event_log_entry.event.asset_key", "The asset it is about, if any.")
    asset_materialization: ClassVar[AssetMaterialization | None] = told(
        "event_log_entry.asset_materialization", "The materialization it reports, if any."
    )
    asset_observation: ClassVar[AssetObservation | None] = told(
        "event_log_entry.asset_observation", "The observation it reports, if any."
    )


class EventRecordsResult(msgspec.Struct, frozen=True):
    """A page of records. `cursor` given to the next call gives what follows; `has_more`: whether that is anything."""

    records: Sequence[EventLogRecord]
    cursor: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class EventRecordsFilter:
    """Which events are meant; every condition that is given must hold.

    Attributes:
        event_type: their type.
        asset_key, asset_partitions: the asset, and its partitions, that they are about.
        after_cursor, before_cursor: exclusive bounds for their number in the log.
        after_timestamp, before_timestamp: exclusive bounds in time, seconds since the epoch.
        storage_ids: their numbers in the log.
    """

    event_type: EventType
    asset_key: AssetKey | None = None
    asset_partitions: Sequence[str] | None = None
    after_cursor: int | None = None
    before_cursor: int | None = None
    after_timestamp: float | None = None
    before_timestamp: float | None = None
    storage_ids: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if self.asset_partitions is not None and self.asset_key is None:
            raise InvocationError("asset_partitions says whose partitions only together with asset_key. Give both.")


class AssetRecordsFilter(msgspec.Struct, frozen=True):
    """Which events of one asset are meant. Attributes as for `EventRecordsFilter`."""

    asset_key: AssetKey
    asset_partitions: Sequence[str] | None = None
    after_timestamp: float | None = None
    before_timestamp: float | None = None
    after_storage_id: int | None = None
    before_storage_id: int | None = None
    storage_ids: Sequence[int] | None = None


class RunStatusChangeRecordsFilter(msgspec.Struct, frozen=True):
    """Which status changes of runs are meant.

    Attributes:
        event_type: a type of run event.
        after_timestamp, before_timestamp, after_storage_id, before_storage_id, storage_ids: as for
        `EventRecordsFilter`. job_names: of runs of these jobs.
    """

    event_type: EventType
    after_timestamp: float | None = None
    before_timestamp: float | None = None
    after_storage_id: int | None = None
    before_storage_id: int | None = None
    storage_ids: Sequence[int] | None = None
    job_names: Sequence[str] | None = None


class AssetEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows about an asset now.

    Attributes:
        asset_key: the asset.
        last_materialization_record, last_observation_record: the latest event of each kind.
        last_planned_materialization_storage_id, last_planned_materialization_run_id: the latest plan to make it.
        last_run_id: the run that planned or made it last.
        in_progress: whether a run that has not ended has planned it (the asset without partitions) and not made it yet.
        failed: whether the last run that planned it failed before making it.
    """

    asset_key: AssetKey
    last_materialization_record: EventLogRecord | None = None
    last_observation_record: EventLogRecord | None = None
    last_planned_materialization_storage_id: int | None = None
    last_planned_materialization_run_id: str | None = None
    last_run_id: str | None = None
    in_progress: bool = False
    failed: bool = False

    @property
    def last_materialization(self) -> EventLogEntry | None:
        """The latest materialization's log line."""
        return self.last_materialization_record.event_log_entry if self.last_materialization_record else None

    @property
    def last_materialization_storage_id(self) -> int | None:
        """The number of the latest materialization in the log."""
        return self.last_materialization_record.storage_id if self.last_materialization_record else None

    @property
    def last_observation(self) -> EventLogEntry | None:
        """The latest observation's log line."""
        return self.last_observation_record.event_log_entry if self.last_observation_record else None

    @property
    def last_event_storage_id(self) -> int | None:
        """The number of the latest materialization or observation in the log."""
        records = filter(None, (self.last_materialization_record, self.last_observation_record))
        return max((record.storage_id for record in records), default=None)


class AssetRecord(msgspec.Struct, frozen=True):
    """An asset as the store has it."""

    storage_id: int
    asset_entry: AssetEntry


class AssetPartitionStatus(enum.Enum):
    """What is true of a partition of an asset now."""

    MATERIALIZED = "MATERIALIZED"
    IN_PROGRESS = "IN_PROGRESS"
    FAILED = "FAILED"


class AssetCheckExecutionStatus(enum.Enum):
    """How the latest execution of a check stands: it waits, it was evaluated, it crashed, or its step never ran."""

    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    EXECUTION_FAILED = "EXECUTION_FAILED"
    SKIPPED = "SKIPPED"


class AssetCheckRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows about a check now.

    Attributes:
        key: the check.
        status: how its latest execution stands.
        evaluation_record, evaluation: its latest evaluation, which may be older than its latest execution.
        planned_storage_id, planned_run_id: the latest plan to evaluate it.
    """

    key: AssetCheckKey
    status: AssetCheckExecutionStatus
    evaluation_record: EventLogRecord | None = None
    planned_storage_id: int | None = None
    planned_run_id: str | None = None

    @property
    def evaluation(self) -> AssetCheckEvaluation | None:
        """The latest evaluation."""
        return self.evaluation_record.event_log_entry.asset_check_evaluation if self.evaluation_record else None


class StepEventStatus(enum.StrEnum):
    """How a step went, or goes."""

    SKIPPED = "SKIPPED"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    IN_PROGRESS = "IN_PROGRESS"


class StepStats(msgspec.Struct, frozen=True, kw_only=True):
    """How a step of a run went.

    Attributes:
        run_id, step_key: the step.
        start_time, end_time: when its first attempt began and its last ended, in seconds since the epoch.
        attempts: how many attempts began.
        materializations: how many assets it has made.
    """

    run_id: str
    step_key: str
    status: StepEventStatus | None = None
    start_time: float | None = None
    end_time: float | None = None
    attempts: int = 0
    materializations: int = 0


class RunStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over the events of a run, and when it was queued, launched, started and ended (epoch seconds)."""

    run_id: str
    steps_succeeded: int = 0
    steps_failed: int = 0
    materializations: int = 0
    expectations: int = 0
    enqueued_time: float | None = None
    launch_time: float | None = None
    start_time: float | None = None
    end_time: float | None = None
