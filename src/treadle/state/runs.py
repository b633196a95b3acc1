"""A run: what was asked for, and how far it has come."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import uuid4

import msgspec

from treadle.core import tags as tag
from treadle.core.keys import AssetCheckKey, AssetKey

_set = msgspec.structs.force_setattr


class RunStatus(enum.Enum):
    """How far a run has come. `state.lifecycle` has the table of what follows what."""

    QUEUED = "QUEUED"
    NOT_STARTED = "NOT_STARTED"
    MANAGED = "MANAGED"
    STARTING = "STARTING"
    STARTED = "STARTED"
    SUSPENDED = "SUSPENDED"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"


FINISHED = frozenset({RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.CANCELED})
ACTIVE = frozenset({RunStatus.STARTING, RunStatus.STARTED, RunStatus.CANCELING})
IN_PROGRESS = ACTIVE | {RunStatus.SUSPENDED}


def _is(doc: str, *statuses: RunStatus) -> Any:
    return property(lambda run: run.status in statuses, doc=doc)


class Run(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One execution of a job, past, present or to come.

    Attributes:
        run_id: UUID4 text.
        job_name: the job.
        status: how far it has come.
        run_config: the config it was launched with.
        tags: string facts; those under `dagster/` mean something to the system.
        asset_selection, asset_check_selection: what of an asset job it makes; None for all of it.
        op_selection: selection clauses over ops, as given.
        step_keys_to_execute: the steps of a re-execution; None for all.
        root_run_id, parent_run_id: the first and the preceding run of a chain of re-executions.
        location_name: the code location of its job, if it came from one.
    """

    job_name: str
    run_id: str = msgspec.field(default_factory=lambda: str(uuid4()))
    status: RunStatus = RunStatus.NOT_STARTED
    run_config: dict[str, Any] = {}
    tags: dict[str, str] = {}
    asset_selection: frozenset[AssetKey] | None = None
    asset_check_selection: frozenset[AssetCheckKey] | None = None
    op_selection: tuple[str, ...] | None = None
    step_keys_to_execute: tuple[str, ...] | None = None
    root_run_id: str | None = None
    parent_run_id: str | None = None
    location_name: str | None = None

    is_finished: ClassVar[bool] = _is("Whether it has ended, well or not.", *FINISHED)
    is_success: ClassVar[bool] = _is("Whether it ended well.", RunStatus.SUCCESS)
    is_failure: ClassVar[bool] = _is("Whether it failed.", RunStatus.FAILURE)
    is_failure_or_canceled: ClassVar[bool] = _is(
        "Whether it failed or was stopped.", RunStatus.FAILURE, RunStatus.CANCELED
    )

    is_cancelable: ClassVar[bool] = _is("Whether it can be asked to stop.", RunStatus.QUEUED, RunStatus.STARTED)

    @property
    def is_resume_retry(self) -> bool:
        """Whether it re-executes another run from its failure."""
        return self.tags.get(tag.IS_RESUME_RETRY) == "true"


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run with what the store knows about it. Times of steps are seconds since the epoch."""

    storage_id: int
    run: Run
    create_timestamp: datetime
    update_timestamp: datetime
    start_time: float | None = None
    end_time: float | None = None


class RunsFilter(msgspec.Struct, frozen=True):
    """Which runs are meant; every condition that is given must hold.

    Attributes:
        run_ids: one of these ids.
        job_name: this job.
        statuses: one of these statuses; empty for any.
        tags: each tag has this value, or one of these values.
        updated_after, updated_before, created_after, created_before: bounds in time, exclusive.
        exclude_subruns: whether runs of backfills are left out.
    """

    run_ids: Sequence[str] | None = None
    job_name: str | None = None
    statuses: Sequence[RunStatus] = ()
    tags: Mapping[str, str | Sequence[str]] = {}
    updated_after: datetime | None = None
    updated_before: datetime | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    exclude_subruns: bool | None = None

    def __post_init__(self) -> None:
        _set(self, "statuses", self.statuses or ())
        _set(self, "tags", self.tags or {})
