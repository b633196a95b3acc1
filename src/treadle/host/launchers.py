"""Who decides when a run starts (the coordinator) and what starts it (the launcher), as settings name them.

Both may be classes of one's own, in a module that can be imported, or that lies in the home beside the settings. A
coordinator is asked by whoever submits a run. A launcher is called by the leading daemon only, so that each run has
somebody who watches it: what a launcher starts owns the run, under its lease, and is seen by what it stores.
"""

from __future__ import annotations

import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import msgspec

from treadle.errors import ConfigError, TreadleError
from treadle.host.instance import Instance
from treadle.host.settings import ClassBlock, RunQueueSettings, Settings, SettingsError, is_built_in
from treadle.state.events import Event, RunEnqueued, RunStarting
from treadle.state.runs import Run


class ConfigurableClass:
    """What can be named in settings as `{module: ..., class: ..., config: ...}`.

    Attributes:
        inst_data: the block that names it; None if it was made otherwise.
        instance: the instance whose settings name it.
    """

    inst_data: ClassBlock | None = None
    instance: Instance

    @classmethod
    def config_type(cls) -> Any:
        """A config schema for `config`; None leaves it to the constructor."""
        return None

    @classmethod
    def from_config_value(cls, inst_data: ClassBlock, config_value: Mapping[str, Any]) -> Self:
        """Make one; by default with what `config` says as keyword arguments."""
        return cls(**config_value)


# --- coordinators -----------------------------------------------------------------------------------------------------


class SubmitRunContext(msgspec.Struct, frozen=True):
    """A run that is submitted.

    Attributes:
        run: the run, which is stored.
        instance: where.
    """

    run: Run
    instance: Instance
    _begin: Callable[[Event], Run]


class RunCoordinator(ConfigurableClass, ABC):
    """Decides what becomes of a run that is submitted."""

    context_type: ClassVar[type[SubmitRunContext]] = SubmitRunContext

    @abstractmethod
    def submit_run(self, context: SubmitRunContext) -> Run:
        """Queue the run, or have it launched: call this of `QueuedRunCoordinator` or `DefaultRunCoordinator`. Returns
        it as it is then."""


class QueuedRunCoordinator(RunCoordinator):
    """Puts runs into the queue, which limits how many are active.

    Args:
        settings: as those of `run_queue`.

    Raises:
        SettingsError: they cannot be right.
    """

    def __init__(self, **settings: Any) -> None:
        try:
            self.settings = msgspec.convert(settings, RunQueueSettings, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"The config of {type(self).__name__} cannot be right: {error}.") from error

    def submit_run(self, context: SubmitRunContext) -> Run:
        """Put it into the queue."""
        return context._begin(RunEnqueued())


class DefaultRunCoordinator(RunCoordinator):
    """Has runs launched at once, past the queue and its limits."""

    def submit_run(self, context: SubmitRunContext) -> Run:
        """Have it launched."""
        return context._begin(RunStarting())


# --- launchers --------------------------------------------------------------------------------------------------------


class LaunchRunContext(msgspec.Struct, frozen=True):
    """A run that is to be executed.

    Attributes:
        run: the run.
        instance: where it is stored.
        command: the command that executes it, wherever this home, this environment and the user's code are. It returns
            when the run has ended; told to end by SIGTERM, it cancels the run. Executed twice, the second does nothing.
    """

    run: Run
    instance: Instance
    command: Sequence[str]
    _fork: Callable[[Run], None]


class RunLauncher(ConfigurableClass, ABC):
    """Starts what executes runs."""

    @abstractmethod
    def launch_run(self, context: LaunchRunContext) -> None:
        """Start it, and do not wait for it. What it raises makes the run fail."""

    def terminate(self, run_id: str) -> bool:
        """The run is being canceled: stop what was started for it, as far as it does not stop by itself. Whether there
        was something to stop. What executes `LaunchRunContext.command` stops by itself."""
        return False

    def check_run_worker_health(self, run: Run) -> str | None:
        """Why what was started for a run will never execute it, in words; None if it may yet. Asked every few seconds
        until somebody executes the run."""
        return None


class DefaultRunLauncher(RunLauncher):
    """Forks runs from the process that has the user's code."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start its processes."""
        context._fork(context.run)


class SubprocessRunLauncher(RunLauncher):
    """Starts a fresh interpreter for each run, which imports the user's code anew."""

    def __init__(self) -> None:
        self._started: dict[str, Any] = {}

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the interpreter."""
        import subprocess  # noqa: PLC0415  `treadle run launch` imports this module, and starts nothing

        self._started = {run_id: one for run_id, one in self._started.items() if one.poll() is None}
        self._started[context.run.run_id] = subprocess.Popen(
            context.command, stdin=subprocess.DEVNULL, start_new_session=True
        )

    def check_run_worker_health(self, run: Run) -> str | None:
        """Whether the interpreter has ended."""
        process = self._started.get(run.run_id)
        if process is None or process.poll() is None:
            return None
        return f"The interpreter that was to execute it ended with exit code {process.returncode}."


# --- from settings ----------------------------------------------------------------------------------------------------

T = TypeVar("T", bound=ConfigurableClass)


def coordinator_of(instance: Instance) -> RunCoordinator:
    """The coordinator that settings name; without any, the queue.

    Raises:
        SettingsError: it cannot be made.
    """
    block = instance.settings.run_coordinator
    ours = {"SyncInMemoryRunCoordinator": DefaultRunCoordinator}
    return _made(instance, "run_coordinator", block, RunCoordinator, ours) if block else QueuedRunCoordinator()


def settings_of_queue(instance: Instance) -> Settings:
    """The settings, with those of the queue that a run coordinator of the user's has.

    Raises:
        SettingsError: it cannot be made.
    """
    coordinator = coordinator_of(instance)
    if instance.settings.run_coordinator is None or not isinstance(coordinator, QueuedRunCoordinator):
        return instance.settings
    return msgspec.structs.replace(instance.settings, run_queue=coordinator.settings)


def launcher_of(instance: Instance) -> RunLauncher:
    """The launcher that settings name; without any, the one that forks.

    Raises:
        SettingsError: it cannot be made.
    """
    block = instance.settings.run_launcher
    return _made(instance, "run_launcher", block, RunLauncher, {}) if block else DefaultRunLauncher()


def _made(instance: Instance, key: str, block: ClassBlock, kind: type[T], ours: Mapping[str, type[Any]]) -> T:
    where = f"`{key}` names class {block.cls!r} of module {block.module!r}"
    if is_built_in(block):
        cls = ours.get(block.cls) or globals().get(block.cls)
    else:
        cls = getattr(_imported(block.module, instance.home, where), block.cls, None)
    if not isinstance(cls, type) or not issubclass(cls, kind):
        raise SettingsError(f"{where}, which is no {kind.__name__}. Name a subclass of treadle.{kind.__name__}.")
    try:
        made = cls.from_config_value(block, _checked(cls.config_type(), block.config))
    except TreadleError as error:
        raise SettingsError(f"{where}: {error}") from error
    except Exception as error:
        raise SettingsError(f"{where}, and making it raised {type(error).__name__}: {error}") from error
    made.inst_data, made.instance = block, instance
    return made


def _checked(schema: Any, config: dict[str, Any]) -> Mapping[str, Any]:
    if schema is None:
        return config
    from treadle.author.config_types import field_from  # noqa: PLC0415  only for classes that declare their config
    from treadle.spec.config import resolve  # noqa: PLC0415

    checked = resolve(field_from(schema).field.schema, config, what="Its config")
    if not isinstance(checked, Mapping):
        raise ConfigError("Its config is no mapping.", config=config)
    return checked


def _imported(name: str, home: Path | None, where: str) -> Any:
    """A module of the user's: one that is installed, or that lies in the working directory or in the home."""
    before = list(sys.path)
    sys.path[:0] = [str(Path.cwd()), *([str(home)] if home is not None else [])]
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise SettingsError(f"{where}, which cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path[:] = before
