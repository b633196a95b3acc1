"""Where the home is, and what its settings file says.

The home: TREADLE_HOME, else DAGSTER_HOME, else `.treadle` in the project, which is the nearest folder upwards with a
pyproject.toml, else the working directory. Settings: `treadle.yaml` in the home, else `dagster.yaml`; without either,
all defaults. A key that no one knows is an error, never ignored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec

from treadle.core.keys import did_you_mean
from treadle.errors import DefinitionError

FILES = ("treadle.yaml", "dagster.yaml")
HOME_VARIABLES = ("TREADLE_HOME", "DAGSTER_HOME")


class SettingsError(DefinitionError):
    """The settings file cannot be right."""


class _Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A block of settings: unknown keys are errors."""


class ClassBlock(_Block, frozen=True, rename={"cls": "class"}):
    """A class to use in place of a built-in part: where it is, and what it is made with."""

    module: str
    cls: str
    config: dict[str, Any] = {}


class SqliteSettings(_Block, frozen=True):
    """The default store.

    Attributes:
        base_dir: the folder of the database; the home by default.
        durability: what a commit survives: "normal" the death of any process, "full" a power cut as well.
        busy_timeout_seconds: how long to wait for other processes that write.
    """

    base_dir: str | None = None
    durability: Literal["normal", "full"] = "normal"
    busy_timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0


class StorageSettings(_Block, frozen=True):
    """Which store: exactly one of these."""

    sqlite: SqliteSettings | None = None
    postgres: dict[str, Any] | None = None
    mysql: dict[str, Any] | None = None
    custom: ClassBlock | None = None


class TagLimit(_Block, frozen=True):
    """At most `limit` runs at once with the tag `key` (and `value`; each value apart if that says so)."""

    key: str
    limit: int
    value: str | dict[str, bool] | None = None


class PoolSettings(_Block, frozen=True):
    """Limits of pools that have none of their own, and whether steps or whole runs hold a slot."""

    default_limit: Annotated[int, msgspec.Meta(ge=0, le=1000)] | None = None
    granularity: Literal["op", "run"] = "op"
    op_granularity_run_buffer: int = 0


class RunLimits(_Block, frozen=True):
    """How many runs at once: -1 for no limit, 0 for none."""

    max_concurrent_runs: Annotated[int, msgspec.Meta(ge=-1)] = 10
    tag_concurrency_limits: list[TagLimit] | None = None


class ConcurrencySettings(_Block, frozen=True):
    """Limits of pools and runs."""

    pools: PoolSettings = PoolSettings()
    runs: RunLimits = RunLimits()
    default_op_concurrency_limit: int | None = None


_OWN = ("treadle", "dagster", "dagster._core", "dagster.core")
_BUILT_IN = {
    "local_artifact_storage": ("LocalArtifactStorage",),
    "compute_logs": ("LocalComputeLogManager", "NoOpComputeLogManager"),
    "scheduler": ("DagsterDaemonScheduler",),
    "run_coordinator": ("QueuedRunCoordinator", "DefaultRunCoordinator", "SyncInMemoryRunCoordinator"),
    "run_launcher": ("DefaultRunLauncher", "SubprocessRunLauncher"),
    "instance_class": ("DagsterInstance", "Instance"),
}
"""The classes that may be named, by block; also under the names of the modules that Dagster has them in."""
_MAY_BE_OWN = {"run_coordinator": "RunCoordinator", "run_launcher": "RunLauncher"}
WITHOUT_EFFECT = [
    "run_queue.dequeue_interval_seconds", "run_queue.dequeue_use_threads", "run_queue.dequeue_num_workers",
    "run_queue.max_user_code_failure_retries", "run_queue.user_code_failure_retry_delay", "secrets",
    "defs_state_storage", "run_monitoring.max_resume_run_attempts", "run_monitoring.poll_interval_seconds",
    "run_monitoring.cancellation_thread_poll_interval_seconds", "run_monitoring.free_slots_after_run_end_seconds",
    "scheduler", "retention", "backfills", "sensors", "schedules", "auto_materialize", "freshness",
]  # fmt: skip
"""Settings, or blocks of them, that are read and checked, and that nothing acts on yet."""


def is_built_in(block: ClassBlock) -> bool:
    """Whether a class is named by where Treadle, or Dagster, has its own."""
    return block.module in _OWN or block.module.startswith(tuple(f"{name}." for name in _OWN))


class BlockedRuns(_Block, frozen=True):
    """Whether a run stays queued while all its first steps wait for pools."""

    enabled: bool | None = None
    op_concurrency_slot_buffer: int = 0


class RunQueueSettings(RunLimits, frozen=True):
    """The queue of runs."""

    dequeue_interval_seconds: int = 5
    dequeue_use_threads: bool = False
    dequeue_num_workers: int | None = None
    max_user_code_failure_retries: int = 0
    user_code_failure_retry_delay: int = 60
    block_op_concurrency_limited_runs: BlockedRuns = BlockedRuns()


class Switch(_Block, frozen=True):
    """Something that is on or off."""

    enabled: bool = True


class PythonLogSettings(_Block, frozen=True):
    """Loggers to capture, the level below which lines are dropped, and additional handlers (as in `logging.config`)."""

    managed_python_loggers: list[str] = []
    python_log_level: str | int | None = None
    dagster_handler_config: dict[str, Any] = {}

    @property
    def level(self) -> str | int | None:
        """The level as `logging` knows it."""
        return self.python_log_level.upper() if isinstance(self.python_log_level, str) else self.python_log_level


class RunMonitoringSettings(_Block, frozen=True):
    """What is done about runs that hang. All times in seconds; 0 or none: no limit."""

    enabled: bool = True
    start_timeout_seconds: int = 180
    cancel_timeout_seconds: int = 180
    max_runtime_seconds: int = 0
    max_resume_run_attempts: int = 0
    poll_interval_seconds: int = 120
    cancellation_thread_poll_interval_seconds: int = 10
    free_slots_after_run_end_seconds: int | None = None


class RunRetrySettings(_Block, frozen=True):
    """Whether and how often failed runs are run again."""

    enabled: bool = False
    max_retries: int = 0
    retry_on_asset_or_op_failure: bool = True


class CodeServerSettings(_Block, frozen=True):
    """How long to wait for code locations, in seconds, and how their runs start."""

    local_startup_timeout: int = 180
    reload_timeout: int = 180
    wait_for_local_processes_on_shutdown: bool = False
    start_method: Literal["auto", "fork", "spawn"] = "auto"


class TickRetention(_Block, frozen=True):
    """After how many days ticks are deleted: one number for all, or by status; -1 never."""

    purge_after_days: int | dict[Literal["skipped", "success", "failure", "started"], int] = -1


class RetentionSettings(_Block, frozen=True):
    """How long ticks are kept."""

    schedule: TickRetention = TickRetention()
    sensor: TickRetention = TickRetention(purge_after_days={"skipped": 7})
    auto_materialize: TickRetention = TickRetention(purge_after_days={"skipped": 7})


class WorkerSettings(_Block, frozen=True):
    """Whether a daemon works in threads, and in how many."""

    use_threads: bool = False
    num_workers: int | None = None
    num_submit_workers: int | None = None


class AutoMaterializeSettings(_Block, frozen=True):
    """Automation of assets."""

    enabled: bool = True
    minimum_interval_seconds: int = 30
    run_tags: dict[str, str] = {}
    respect_materialization_data_versions: bool = False
    max_tick_retries: int = 3
    use_sensors: bool = True
    use_threads: bool = False
    num_workers: int | None = None


class Settings(_Block, frozen=True):
    """The settings file.

    Attributes:
        load_from: code locations, where the home is the project's folder: read by `host.targets`.
    """

    load_from: list[Any] = []
    storage: StorageSettings = StorageSettings()
    local_artifact_storage: ClassBlock | None = None
    run_storage: ClassBlock | None = None
    event_log_storage: ClassBlock | None = None
    schedule_storage: ClassBlock | None = None
    compute_logs: ClassBlock | None = None
    scheduler: ClassBlock | None = None
    run_coordinator: ClassBlock | None = None
    run_queue: RunQueueSettings | None = None
    run_launcher: ClassBlock | None = None
    secrets: dict[str, Any] | None = None
    defs_state_storage: ClassBlock | None = None
    instance_class: ClassBlock | None = None
    concurrency: ConcurrencySettings = ConcurrencySettings()
    telemetry: Switch = Switch()
    nux: Switch = Switch()
    python_logs: PythonLogSettings = PythonLogSettings()
    run_monitoring: RunMonitoringSettings = RunMonitoringSettings()
    run_retries: RunRetrySettings = RunRetrySettings()
    code_servers: CodeServerSettings = CodeServerSettings()
    retention: RetentionSettings = RetentionSettings()
    backfills: WorkerSettings = WorkerSettings()
    sensors: WorkerSettings = WorkerSettings()
    schedules: WorkerSettings = WorkerSettings()
    auto_materialize: AutoMaterializeSettings = AutoMaterializeSettings()
    freshness: Switch = Switch()

    @property
    def other_store(self) -> str | None:
        """The kind of store that is asked for, if it is another than SQLite."""
        for kind in ("postgres", "mysql", "custom"):
            if getattr(self.storage, kind) is not None:
                return kind
        for block in (self.run_storage, self.event_log_storage, self.schedule_storage):
            if block is not None and "sqlite" not in block.cls.lower():
                return block.cls
        return None

    @property
    def monitoring(self) -> RunMonitoringSettings:
        """What is done about runs that hang, if anything is. Runs whose processes are dead are ended in any case."""
        given = self.run_monitoring
        return given if given.enabled else RunMonitoringSettings(start_timeout_seconds=10**9, cancel_timeout_seconds=0)

    @property
    def keeps_output(self) -> bool:
        """Whether what runs print is captured."""
        return self.compute_logs is None or self.compute_logs.cls != "NoOpComputeLogManager"

    @property
    def without_effect(self) -> list[str]:
        """The settings that are given and that nothing acts on yet, such as `schedules.num_workers`."""
        found = []
        for name in WITHOUT_EFFECT:
            block, _, key = name.partition(".")
            given, default = (
                getattr(one, block) or (RunQueueSettings() if key else None) for one in (self, Settings())
            )
            if (getattr(given, key) != getattr(default, key)) if key else given != default:
                found.append(name)
        return found

    @property
    def log_folder(self) -> str | None:
        """Where captured logs go, if the settings say."""
        return self.compute_logs.config.get("base_dir") if self.compute_logs else None

    @property
    def artifact_folder(self) -> str | None:
        """The folder whose `storage` holds the values of IO managers, if the settings say."""
        return self.local_artifact_storage.config.get("base_dir") if self.local_artifact_storage else None

    def get(self, block: str) -> Any:
        """A block of settings by its key, as plain data."""
        return msgspec.to_builtins(getattr(self, block, None))


def default_limit(settings: Settings) -> int | None:
    """The limit of pools that have none of their own; None for any number."""
    limit = settings.concurrency.pools.default_limit
    return settings.concurrency.default_op_concurrency_limit if limit is None else limit


def project_folder(start: Path | None = None) -> Path:
    """The nearest folder upwards from `start` (the working directory) with a pyproject.toml, else `start`."""
    start = (start or Path.cwd()).absolute()
    for folder in (start, *start.parents):
        if (folder / "pyproject.toml").is_file():
            return folder
    return start


def find_home(environ: Mapping[str, str] | None = None, start: Path | None = None) -> Path:
    """The home for a process that starts in `start`. It need not exist.

    Raises:
        SettingsError: TREADLE_HOME (or DAGSTER_HOME) is not an absolute path.
    """
    environ = os.environ if environ is None else environ
    for name in HOME_VARIABLES:
        if text := environ.get(name):
            home = Path(text).expanduser()
            if not home.is_absolute():
                raise SettingsError(f"{name} is {text!r}. Set it to an absolute path.")
            return home
    return project_folder(start) / ".treadle"


def load_settings(folder: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of the home `folder`.

    Raises:
        SettingsError: the file is no YAML, has a key that no one knows or a value that does not fit, names a variable
            that is not set, or contradicts itself.
    """
    for name in FILES:
        path = folder / name
        if path.is_file():
            import yaml  # noqa: PLC0415  only for homes that have a settings file

            try:
                data = yaml.safe_load(path.read_text())
            except yaml.YAMLError as error:
                mark = getattr(error, "problem_mark", None)
                where = f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
                what = getattr(error, "problem", None) or error
                raise SettingsError(
                    f"{path} is not valid YAML: {what}{where}. Mend that line; docs/instance.md has examples."
                ) from error
            return parse_settings(data or {}, str(path), os.environ if environ is None else environ)
    return Settings()


def parse_settings(data: object, where: str, environ: Mapping[str, str]) -> Settings:
    """Settings from plain data. `where` names their origin in errors; see `load_settings`."""
    try:
        # not strict: numbers and booleans from variables arrive as text
        settings = msgspec.convert(_with_variables(data, where, environ), Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {error}.{_near(str(error))} docs/instance.md describes the settings.") from error
    chosen = [name for name in ("sqlite", "postgres", "mysql", "custom") if getattr(settings.storage, name) is not None]
    if len(chosen) > 1:
        raise SettingsError(f"{where}: `storage` names {' and '.join(chosen)}. Keep one of them.")
    legacy = [name for name in ("run_storage", "event_log_storage", "schedule_storage") if getattr(settings, name)]
    if chosen and legacy:
        raise SettingsError(f"{where}: `storage` replaces {', '.join(legacy)}. Remove the latter.")
    if settings.run_queue is not None and settings.run_coordinator is not None:
        raise SettingsError(f"{where}: `run_queue` and `run_coordinator` both describe the queue. Keep one of them.")
    for key in _BUILT_IN:
        _check_class(where, key, getattr(settings, key))
    coordinator = settings.run_coordinator
    if coordinator is not None and is_built_in(coordinator) and coordinator.cls == "QueuedRunCoordinator":
        try:
            queue = msgspec.convert(coordinator.config, RunQueueSettings, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{where}: {error} of `run_coordinator.config`.") from error
        settings = msgspec.structs.replace(settings, run_queue=queue)
    return settings


def _check_class(where: str, key: str, block: ClassBlock | None) -> None:
    """Refuse what this version does not have, and say what there is."""
    if block is None or (block.cls in _BUILT_IN[key] and (is_built_in(block) or key not in _MAY_BE_OWN)):
        return
    kind = _MAY_BE_OWN.get(key)
    if kind is not None and not is_built_in(block) and not block.module.startswith("dagster_"):
        return
    instead = f"`{key}` may name {' or '.join(_BUILT_IN[key])} of module treadle"
    if kind is not None:
        instead += f", or a subclass of treadle.{kind} in a module of your own"
    raise SettingsError(
        f"{where}: `{key}` names class {block.cls!r} of module {block.module!r}, which this version does not have. "
        f"Remove the block, or change it: {instead}."
    )


def _near(fault: str) -> str:
    """What was meant by a key that no one knows, as a question."""
    unknown = re.search(r"unknown field `(.*?)`(?: - at `\$\.?(.*?)`)?$", fault)
    if unknown is None:
        return ""
    block: Any = Settings
    for key in filter(None, (unknown[2] or "").split(".")):
        field = next((one for one in msgspec.structs.fields(block) if one.encode_name == key), None)
        kinds = (field.type, *get_args(field.type)) if field is not None else ()
        block = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, _Block)), None)
        if block is None:
            return ""
    return did_you_mean(unknown[1], [one.encode_name for one in msgspec.structs.fields(block)])


def _with_variables(data: object, where: str, environ: Mapping[str, str]) -> object:
    if isinstance(data, dict):
        if set(data) == {"env"} and isinstance(data["env"], str):
            value = environ.get(data["env"])
            if value is None:
                raise SettingsError(f"{where}: the environment variable {data['env']} is not set. Set it.")
            return value
        return {key: _with_variables(item, where, environ) for key, item in data.items()}
    return [_with_variables(item, where, environ) for item in data] if isinstance(data, list) else data
