"""The instance: a home, its settings and its store, as users and the rest of Treadle see them.

`Instance.get()` opens the home of this project; `Instance.ephemeral()` keeps everything in memory. Both open nothing
until something is asked of them.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.errors import InvariantError, InvocationError, StoreError
from treadle.host.nudge import DAEMON, POOLS, nudge
from treadle.host.settings import Settings, SettingsError, find_home, load_settings, parse_settings
from treadle.state import stats
from treadle.state.events import (
    AssetCheckEvaluated,
    AssetMaterialized,
    AssetObserved,
    AssetWiped,
    EngineEvent,
    Event,
    EventLogEntry,
    EventType,
    RunCanceled,
    RunCanceling,
    RunFailed,
)
from treadle.state.facts import AssetCheckEvaluation, AssetMaterialization, AssetObservation
from treadle.state.lifecycle import RUN
from treadle.state.records import (
    AssetCheckRecord,
    AssetPartitionStatus,
    AssetRecord,
    AssetRecordsFilter,
    EventLogRecord,
    EventRecordsFilter,
    EventRecordsResult,
    RunStats,
    RunStatusChangeRecordsFilter,
    StepStats,
)
from treadle.state.runs import Run, RunRecord, RunsFilter, RunStatus
from treadle.store.pools import Pool
from treadle.store.store import FILE, Store
from treadle.store.writer import Sink

AssetEvent = AssetMaterialization | AssetObservation | AssetCheckEvaluation


def _fetching(event_type: EventType, what: str):  # noqa: ANN202  what is inferred says more
    def fetch(
        self: Instance, records_filter: AssetKey | AssetRecordsFilter, limit: int, cursor: str | None = None,
        ascending: bool = False,
    ) -> EventRecordsResult:  # fmt: skip
        return self._records_page(event_type, records_filter, limit, cursor, ascending)

    fetch.__doc__ = f"""A page of {what} an asset, newest first unless `ascending`.

        Args:
            records_filter: the asset, or a filter.
            limit: how many at most.
            cursor: the `cursor` of the page before.
            ascending: oldest first.
        """
    return fetch


class Instance:
    """Everything that Treadle remembers of a project, and the settings it works with.

    Use `Instance.get()`, `Instance.ephemeral()` or `Instance.local_temp()` to make one; each can be used in a `with`
    statement, which closes it.

    Args:
        home: the folder of the instance; None for one in memory.
        settings: its settings; read from the home by default.
        tempdir: where the files of one in memory go; by default a temporary folder, made when needed and removed at
            the end.
    """

    def __init__(
        self, home: Path | None, settings: Settings | None = None, *, tempdir: str | Path | None = None
    ) -> None:
        self._home = home
        self._settings = settings or (load_settings(home) if home is not None else Settings())
        self._folder = home or (Path(tempdir) if tempdir else None)
        if other := self._settings.other_store:
            raise SettingsError(
                f"The settings ask for a store of kind {other!r}; this version keeps its store in SQLite. Remove that "
                "block, or use `storage: {sqlite: {}}`."
            )
        self._cleanup: weakref.finalize[[str], Instance] | None = None
        sqlite = self._settings.storage.sqlite
        path = None
        if home is not None:
            path = (Path(sqlite.base_dir) if sqlite and sqlite.base_dir else home) / FILE
        reference = weakref.ref(self)  # the store must not keep its instance alive

        def logs() -> Path:
            instance = reference()
            if instance is None:
                raise StoreError("The instance is closed. Keep it while its logs are read.")
            return Path(instance.settings.log_folder or instance.storage_directory())

        self.store = Store(
            path,
            logs,
            durability=sqlite.durability if sqlite else "normal",
            patience_s=sqlite.busy_timeout_seconds if sqlite else 60.0,
        )

    # --- making -------------------------------------------------------------------------------------------------------

    @staticmethod
    def get(home: str | Path | None = None) -> Instance:
        """The instance of `home`: by default TREADLE_HOME, else DAGSTER_HOME, else `.treadle` in the project.

        Raises:
            SettingsError: the home's settings file cannot be right.
        """
        return Instance(Path(home).absolute() if home is not None else find_home())

    @staticmethod
    def ephemeral(
        tempdir: str | None = None, preload: object = None, settings: Mapping[str, Any] | None = None
    ) -> Instance:
        """An instance in memory, for tests and scripts.

        Args:
            tempdir: where files of IO managers and logs go; by default a temporary folder that is removed at the end.
            preload: instances that others exported cannot be loaded here.
            settings: settings as the settings file would have them.
        """
        if preload is not None:
            raise InvocationError("An ephemeral instance cannot be preloaded. Use `treadle debug import` on a home.")
        parsed = parse_settings(dict(settings), "settings", {}) if settings else None
        return Instance(None, parsed, tempdir=tempdir)

    @staticmethod
    def local_temp(tempdir: str | None = None, overrides: Mapping[str, Any] | None = None) -> Instance:
        """An instance with a home of its own, in `tempdir` or in a temporary folder that is removed at the end."""
        folder = tempdir or _temporary_folder()
        parsed = parse_settings(dict(overrides), "overrides", {}) if overrides else None
        instance = Instance(Path(folder).absolute(), parsed)
        if tempdir is None:
            instance._cleanup = weakref.finalize(instance, _remove, folder)
        return instance

    def close(self) -> None:
        """Commit what waits, let go of the store and remove temporary folders."""
        self.store.close()
        if self._cleanup is not None:
            self._cleanup()

    dispose = close

    def __enter__(self) -> Instance:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- places and settings ------------------------------------------------------------------------------------------

    @property
    def home(self) -> Path | None:
        """The folder of the instance; None if it is in memory."""
        return self._home

    @property
    def is_ephemeral(self) -> bool:
        """Whether it ends with this process."""
        return self._home is None

    @property
    def is_persistent(self) -> bool:
        """Whether it outlives this process."""
        return self._home is not None

    @property
    def root_directory(self) -> str:
        """The folder that holds its files."""
        if self._folder is None:
            folder = _temporary_folder()
            self._cleanup = weakref.finalize(self, _remove, folder)
            self._folder = Path(folder)
        return str(self._folder)

    def storage_directory(self) -> str:
        """The folder where IO managers store values and logs are captured."""
        return str(Path(self._settings.artifact_folder or self.root_directory) / "storage")

    def file_manager_directory(self, run_id: str) -> str:
        """The folder where a run's file manager keeps files."""
        return str(Path(self.storage_directory()) / run_id / "files")

    @property
    def settings(self) -> Settings:
        """Its settings."""
        return self._settings

    def get_settings(self, settings_key: str) -> Any:
        """A block of its settings, as plain data."""
        return self._settings.get(settings_key)

    # --- what the runtime uses ----------------------------------------------------------------------------------------

    def sink(self) -> Sink:
        """A new writer for the events of a run: `write`, `commit` at step boundaries, `close`."""
        return self.store.sink()

    def add_run(self, run: Run, *, launch_key: str | None = None) -> Run:
        """Store a run made elsewhere.

        Raises:
            InvocationError: a run with this id exists, or one with this `launch_key`.
        """
        if not self.store.add_run(run, launch_key=launch_key):
            raise InvocationError(f"A run for {launch_key!r} exists already.")
        return run

    def create_run(
        self,
        *,
        job_name: str,
        run_id: str | None = None,
        run_config: Mapping[str, object] | None = None,
        status: RunStatus | None = None,
        tags: Mapping[str, Any] | None = None,
        root_run_id: str | None = None,
        parent_run_id: str | None = None,
        step_keys_to_execute: Sequence[str] | None = None,
        asset_selection: Collection[AssetKey] | None = None,
        asset_check_selection: Collection[AssetCheckKey] | None = None,
        op_selection: Sequence[str] | None = None,
        location_name: str | None = None,
    ) -> Run:
        """Make and store a run. Nothing executes it. Arguments are the attributes of `Run`."""
        given: dict[str, Any] = {"run_id": run_id} if run_id is not None else {}
        run = Run(
            job_name=job_name,
            run_config=dict(run_config or {}),
            status=status or RunStatus.NOT_STARTED,
            tags={key: str(value) for key, value in (tags or {}).items()},
            root_run_id=root_run_id,
            parent_run_id=parent_run_id,
            step_keys_to_execute=tuple(step_keys_to_execute) if step_keys_to_execute is not None else None,
            asset_selection=frozenset(asset_selection) if asset_selection is not None else None,
            asset_check_selection=frozenset(asset_check_selection) if asset_check_selection is not None else None,
            op_selection=tuple(op_selection) if op_selection is not None else None,
            location_name=location_name,
            **given,
        )
        return self.add_run(run)

    # --- runs ---------------------------------------------------------------------------------------------------------

    def get_run_by_id(self, run_id: str) -> Run | None:
        """A run, or None."""
        return self.store.runs.get(run_id)

    def has_run(self, run_id: str) -> bool:
        """Whether a run exists."""
        return self.store.runs.has(run_id)

    def get_run_record_by_id(self, run_id: str) -> RunRecord | None:
        """A run with its times, or None."""
        return self.store.runs.get_record(run_id)

    def get_runs(
        self,
        filters: RunsFilter | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        ascending: bool = False,
    ) -> Sequence[Run]:
        """Runs, newest first unless `ascending`; `cursor` is the id of the last run of the page before."""
        records = self.store.runs.records(filters, cursor=cursor, limit=limit, ascending=ascending)
        return [record.run for record in records]

    def get_run_ids(
        self, filters: RunsFilter | None = None, cursor: str | None = None, limit: int | None = None
    ) -> Sequence[str]:
        """Ids of runs, newest first."""
        return [run.run_id for run in self.get_runs(filters, cursor, limit)]

    def find_run_ids(self, prefix: str, limit: int = 4) -> Sequence[str]:
        """Ids of runs that begin with `prefix`, at most `limit` of them."""
        return self.store.runs.beginning_with(prefix, limit)

    def get_run_records(
        self,
        filters: RunsFilter | None = None,
        limit: int | None = None,
        order_by: str | None = None,
        ascending: bool = False,
        cursor: str | None = None,
    ) -> Sequence[RunRecord]:
        """Runs with their times, newest first unless told otherwise. Arguments as for `get_runs`.

        `order_by`: run_id, job_name, status, create_timestamp, update_timestamp, start_time or end_time.
        """
        return self.store.runs.records(filters, limit=limit, order_by=order_by, ascending=ascending, cursor=cursor)

    def get_runs_count(self, filters: RunsFilter | None = None) -> int:
        """How many runs `filters` means."""
        return self.store.runs.count(filters)

    def delete_run(self, run_id: str) -> None:
        """Delete a run, its events and its captured logs. What it made stays, and stays known."""
        self.store.delete_run(run_id)

    def get_run_tags(
        self, tag_keys: Sequence[str], value_prefix: str | None = None, limit: int | None = None
    ) -> Sequence[tuple[str, set[str]]]:
        """The values of these tags over all runs."""
        return self.store.runs.tags(tag_keys, value_prefix, limit)

    def get_run_tag_keys(self) -> Sequence[str]:
        """The keys of all tags of runs."""
        return self.store.runs.tag_keys()

    def add_run_tags(self, run_id: str, new_tags: Mapping[str, str]) -> None:
        """Add tags to a run.

        Raises:
            RunNotFoundError: there is no such run.
        """
        self.store.database.settle()
        self.store.runs.add_tags(run_id, new_tags)

    def get_run_stats(self, run_id: str) -> RunStats:
        """Counts over the events of a run, and its times."""
        return stats.of_run(run_id, self.all_logs(run_id))

    def get_run_step_stats(self, run_id: str, step_keys: Sequence[str] | None = None) -> Sequence[StepStats]:
        """How the steps of a run went, in the order they began."""
        return stats.of_steps(run_id, self.all_logs(run_id, of_type=stats.OF_STEPS), step_keys)

    # --- pools --------------------------------------------------------------------------------------------------------

    def get_pools(self) -> Sequence[Pool]:
        """The concurrency pools that have a limit or are in use, with who holds their slots and who waits for one."""
        return self.store.pools.all()

    def set_pool_limit(self, name: str, limit: int | None) -> None:
        """Let so many steps hold a slot of a pool at once; None for as many as the settings say. Those that hold one
        keep it.

        Raises:
            InvocationError: the limit is not from 0 to 1,000.
        """
        if limit is None:
            self.store.pools.delete_limit(name)
        else:
            self.store.pools.set_limit(name, limit)
        nudge(self._home, POOLS, DAEMON)

    # --- events -------------------------------------------------------------------------------------------------------

    def all_logs(
        self, run_id: str, of_type: EventType | Collection[EventType] | None = None
    ) -> Sequence[EventLogEntry]:
        """The log of a run, oldest first; of these types only, if given."""
        return [record.event_log_entry for record in self.store.events.of_run(run_id, of_type=_types(of_type))]

    def logs_after(
        self,
        run_id: str,
        cursor: int | None = None,
        of_type: EventType | Collection[EventType] | None = None,
        limit: int | None = None,
    ) -> Sequence[EventLogEntry]:
        """The log of a run after the event number `cursor`."""
        records = self.store.events.of_run(run_id, after=cursor or 0, of_type=_types(of_type), limit=limit)
        return [record.event_log_entry for record in records]

    def get_records_for_run(
        self,
        run_id: str,
        cursor: str | None = None,
        of_type: EventType | Collection[EventType] | None = None,
        limit: int | None = None,
        ascending: bool = True,
    ) -> EventRecordsResult:
        """A page of the log of a run."""
        after, more = _cursor(cursor) or 0, None if limit is None else limit + 1
        records = self.store.events.of_run(
            run_id, after=after, of_type=_types(of_type), limit=more, ascending=ascending
        )
        return _page(records, limit, cursor)

    def get_event_records(
        self, event_records_filter: EventRecordsFilter, limit: int | None = None, ascending: bool = False
    ) -> Sequence[EventLogRecord]:
        """Events over all runs, newest first unless `ascending`."""
        wanted = event_records_filter
        return self.store.events.find(of_type=(wanted.event_type,), limit=limit, ascending=ascending, **_terms(wanted))

    fetch_materializations = _fetching(EventType.ASSET_MATERIALIZATION, "the materializations of")
    fetch_observations = _fetching(EventType.ASSET_OBSERVATION, "the observations of")
    fetch_planned_materializations = _fetching(EventType.ASSET_MATERIALIZATION_PLANNED, "the plans to materialize")

    def fetch_run_status_changes(
        self, records_filter: EventType | RunStatusChangeRecordsFilter, limit: int, cursor: str | None = None,
        ascending: bool = False,
    ) -> EventRecordsResult:  # fmt: skip
        """A page of the events of one type that changed the status of runs. Arguments as for `fetch_materializations`.

        Raises:
            InvocationError: events of this type change no run's status.
        """
        wanted = records_filter
        if isinstance(wanted, EventType):
            wanted = RunStatusChangeRecordsFilter(wanted)
        if wanted.event_type not in RUN:
            raise InvocationError(
                f"{wanted.event_type.name} does not change the status of a run. Use one of "
                f"{', '.join(event_type.name for event_type in RUN)}."
            )
        return self._records_page(wanted.event_type, wanted, limit, cursor, ascending)

    def _records_page(
        self, event_type: EventType, wanted: AssetKey | AssetRecordsFilter | RunStatusChangeRecordsFilter, limit: int,
        cursor: str | None, ascending: bool,
    ) -> EventRecordsResult:  # fmt: skip
        terms = _terms(AssetRecordsFilter(wanted) if isinstance(wanted, AssetKey) else wanted)
        at = _cursor(cursor)
        if at is not None:  # it makes the bounds of the filter narrower
            bound, narrower = ("after", max) if ascending else ("before", min)
            terms[bound] = narrower(at, terms.get(bound, at))
        more = self.store.events.find(of_type=(event_type,), limit=limit + 1, ascending=ascending, **terms)
        return _page(more, limit, cursor)

    def store_event(self, event: EventLogEntry) -> None:
        """Store one log entry, in a transaction of its own."""
        self.store.database.settle()
        self.store.events.append((event,))

    handle_new_event = store_event

    def report_engine_event(
        self,
        message: str,
        run: Run | None = None,
        *,
        run_id: str | None = None,
        step_key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Event:
        """Store a message of the framework about a run."""
        event = EngineEvent(message, step_key=step_key, metadata=dict(metadata or {}))
        self.report_event(event, run.run_id if run else run_id or "")
        return event

    def report_event(self, event: Event, run_id: str, timestamp: float | None = None) -> None:
        """Store an event of a run, in a transaction of its own. `timestamp` in epoch seconds; now by default."""
        self.store_event(EventLogEntry(run_id, time.time() if timestamp is None else timestamp, event))

    def report_run_canceling(self, run: Run) -> Event:
        """Store that a run was asked to stop."""
        return self._report_of(run, RunCanceling())

    def report_run_canceled(self, run: Run) -> Event:
        """Store that a run stopped because it was asked to."""
        return self._report_of(run, RunCanceled(run.job_name))

    def report_run_failed(self, run: Run, failure_reason: str = "UNKNOWN") -> Event:
        """Store that a run failed."""
        return self._report_of(run, RunFailed(run.job_name, failure_reason))

    def _report_of(self, run: Run, event: Event) -> Event:
        self.report_event(event, run.run_id)
        return event

    # --- assets -------------------------------------------------------------------------------------------------------

    def report_runless_asset_event(self, asset_event: AssetEvent) -> None:
        """Store what happened to an asset outside any run, in one transaction.

        Args:
            asset_event: an `AssetMaterialization`, `AssetObservation` or `AssetCheckEvaluation`.

        Raises:
            InvariantError: it is none of these.
        """
        self.store_event(EventLogEntry("", time.time(), _runless(asset_event)))

    def report_runless_asset_events(self, asset_events: Iterable[AssetEvent]) -> None:
        """As `report_runless_asset_event` for many at once: all in one transaction, or none."""
        self._report_all(list(map(_runless, asset_events)))

    def get_asset_keys(
        self, prefix: Sequence[str] | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Sequence[AssetKey]:
        """Keys of the assets that something has happened to.

        Args:
            prefix: first parts of the key.
            limit: how many at most.
            cursor: the `to_string()` of the last key of the page before.
        """
        return self.store.assets.keys(prefix, limit, cursor)

    all_asset_keys = get_asset_keys

    def has_asset_key(self, asset_key: AssetKey) -> bool:
        """Whether anything has happened to an asset."""
        return self.store.assets.known(asset_key)

    def get_asset_records(self, asset_keys: Sequence[AssetKey] | None = None) -> Sequence[AssetRecord]:
        """What is known of these assets (of all, by default)."""
        return self.store.assets.records(asset_keys)

    def get_latest_materialization_event(self, asset_key: AssetKey) -> EventLogEntry | None:
        """The latest materialization of an asset."""
        return self.store.assets.latest_materialization(asset_key)

    def get_latest_materialization_events(
        self, asset_keys: Iterable[AssetKey]
    ) -> Mapping[AssetKey, EventLogEntry | None]:
        """The latest materialization of each of these assets."""
        return {key: self.store.assets.latest_materialization(key) for key in asset_keys}

    def get_latest_materialization_code_versions(self, asset_keys: Iterable[AssetKey]) -> Mapping[AssetKey, str | None]:
        """The code version of the latest materialization of each of these assets."""
        return self.store.assets.latest_code_versions(asset_keys)

    def get_latest_data_version_record(
        self, key: AssetKey, is_source: bool | None = None, partition_key: str | None = None
    ) -> EventLogRecord | None:
        """The event that says the current data version of an asset, or of a partition of it.

        That is its latest materialization; for a source its latest observation; if `is_source` does not say what it is,
        the former if there is one, else the latter.
        """
        kinds = (EventType.ASSET_MATERIALIZATION, EventType.ASSET_OBSERVATION)
        for kind in kinds if is_source is None else kinds[int(is_source) :][:1]:
            partitions = None if partition_key is None else [partition_key]
            found = self.store.events.find(of_type=(kind,), asset_key=key, partitions=partitions, limit=1)
            if found:
                return found[0]
        return None

    def get_latest_storage_id_by_partition(
        self, asset_key: AssetKey, event_type: EventType, partitions: set[str] | None = None
    ) -> Mapping[str, int]:
        """The number of the latest event of a type for each partition of an asset."""
        return self.store.events.latest_by_partition(asset_key, event_type, partitions)

    def get_latest_asset_check_evaluation_record(self, asset_check_key: AssetCheckKey) -> AssetCheckRecord | None:
        """What is known of a check."""
        return self.store.assets.check_record(asset_check_key)

    def get_materialized_partitions(self, asset_key: AssetKey) -> set[str]:
        """The partitions of an asset that exist."""
        return self.store.assets.materialized_partitions(asset_key)

    def get_status_by_partition(
        self, asset_key: AssetKey, partition_keys: Sequence[str], partitions_def: object = None
    ) -> Mapping[str, AssetPartitionStatus | None] | None:
        """The status of each of these partitions; None for a partition (or, as a whole, for an asset) not known of.

        Args:
            asset_key: the asset.
            partition_keys: the partitions.
            partitions_def: not needed; the store knows partitions by their keys.
        """
        if not self.has_asset_key(asset_key):
            return None
        return self.store.assets.status_by_partition(asset_key, partition_keys)

    def wipe_assets(self, asset_keys: Sequence[AssetKey]) -> None:
        """Forget all that has happened to these assets. Logs of runs and stored values stay."""
        self._report_all([AssetWiped(key) for key in asset_keys])

    def wipe_asset_partitions(self, asset_key: AssetKey, partition_keys: Sequence[str]) -> None:
        """Forget all that has happened to these partitions of an asset."""
        self._report_all([AssetWiped(asset_key, tuple(partition_keys))])

    def _report_all(self, events: Sequence[Event]) -> None:
        if events:
            now = time.time()
            self.store.database.settle()
            self.store.events.append([EventLogEntry("", now, event) for event in events])

    # --- dynamic partitions -------------------------------------------------------------------------------------------

    def add_dynamic_partitions(self, partitions_def_name: str, partition_keys: Sequence[str]) -> None:
        """Add partitions to a dynamic partitions definition; those that exist stay."""
        self.store.dynamic.add(partitions_def_name, partition_keys)

    def delete_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> None:
        """Delete a partition of a dynamic partitions definition, if it exists."""
        self.store.dynamic.delete(partitions_def_name, partition_key)

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        """The partitions of a dynamic partitions definition, in the order they were added."""
        return self.store.dynamic.keys(partitions_def_name)

    def has_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> bool:
        """Whether a partition of a dynamic partitions definition exists."""
        return self.store.dynamic.has(partitions_def_name, partition_key)

    def get_existing_dynamic_partitions(self, partitions_def_name: str, partition_keys: Collection[str]) -> set[str]:
        """Those of `partition_keys` that exist."""
        return self.store.dynamic.existing(partitions_def_name, partition_keys)

    # --- upkeep -------------------------------------------------------------------------------------------------------

    def wipe(self) -> None:
        """Forget everything: runs, events, assets, dynamic partitions."""
        self.store.wipe()

    def upgrade(self) -> bool:
        """Bring the store to the schema of this Treadle, keeping a copy of it. Whether there was anything to do.

        Raises:
            StoreVersionError: the store is newer than this Treadle, or does not say which version it has.
            StoreError: it cannot be read or written, or is in use for too long.
        """
        from treadle.store.migrate import migrate  # noqa: PLC0415  loads Alembic and SQLAlchemy

        if self.store.database.path is None:
            return False
        self.store.close()
        return migrate(self.store.database.path).copy is not None

    def check(self) -> list[str]:
        """What is damaged in the store, as SQLite's integrity check finds it; empty if nothing is."""
        return self.store.database.check()


def _temporary_folder() -> str:
    import tempfile  # noqa: PLC0415  it loads every kind of compression, and a home needs none

    return tempfile.mkdtemp(prefix="treadle-")


def _remove(folder: str) -> None:
    import shutil  # noqa: PLC0415  as above

    shutil.rmtree(folder, ignore_errors=True)


def _types(of_type: EventType | Collection[EventType] | None) -> Collection[EventType] | None:
    return (of_type,) if isinstance(of_type, EventType) else of_type


def _cursor(cursor: str | None) -> int | None:
    if not cursor:
        return None
    try:
        return int(cursor)
    except ValueError:
        raise InvocationError(f"{cursor!r} is no cursor. Use the `cursor` of the page before.") from None


_TERMS = {
    "asset_key": "asset_key", "asset_partitions": "partitions", "job_names": "job_names", "storage_ids": "numbers",
    "after_cursor": "after", "before_cursor": "before", "after_storage_id": "after", "before_storage_id": "before",
    "after_timestamp": "after_timestamp", "before_timestamp": "before_timestamp",
}  # fmt: skip
"""What the store calls the conditions of the filters for events."""


def _terms(wanted: EventRecordsFilter | AssetRecordsFilter | RunStatusChangeRecordsFilter) -> dict[str, Any]:
    given = {term: getattr(wanted, name, None) for name, term in _TERMS.items() if hasattr(wanted, name)}
    return {term: value for term, value in given.items() if value is not None}


def _page(records: Sequence[EventLogRecord], limit: int | None, cursor: str | None) -> EventRecordsResult:
    """`records` was asked for with one more than `limit`, to see whether there is more."""
    page = records if limit is None else records[:limit]
    at = str(page[-1].storage_id) if page else cursor or ""
    return EventRecordsResult(page, at, len(page) < len(records))


def _runless(fact: AssetEvent) -> Event:
    make = _RUNLESS.get(type(fact))
    if make is None:
        raise InvariantError(
            f"{fact!r} is not what happens to an asset. Give an AssetMaterialization, AssetObservation or "
            "AssetCheckEvaluation."
        )
    return make(fact)


_RUNLESS: Mapping[type, Callable[[Any], Event]] = {
    AssetMaterialization: AssetMaterialized,
    AssetObservation: AssetObserved,
    AssetCheckEvaluation: AssetCheckEvaluated,
}
