"""Names that only code written for Dagster uses, each a few lines over Treadle."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any, NamedTuple, NoReturn, TypeAlias

import treadle
from treadle.author.composition import PendingNode as PendingNodeInvocation
from treadle.author.loggers import JsonFormatter as JsonLogFormatter
from treadle.core.metadata import normalize
from treadle.host.settings import HOME_VARIABLES
from treadle.state.facts import ExpectationResult

MAX_RUNTIME_SECONDS_TAG = "dagster/max_runtime"
AssetOrCheckKey: TypeAlias = treadle.AssetKey | treadle.AssetCheckKey
DagsterLogManager = logging.Logger
"""What `context.log` is."""


class MetadataEntry:
    """A metadata value with its label and a description, as lists of metadata once held. Deprecated: use a dict.

    Args:
        entry_data: the older name of `value`.
    """

    def __init__(self, label: str, description: str | None = None, entry_data: Any = None, value: Any = None) -> None:
        if entry_data is not None:
            warnings.warn("MetadataEntry(entry_data=...) is deprecated: use value.", DeprecationWarning, stacklevel=2)
        self.label = label
        self.description = description
        self.entry_data = self.value = normalize({label: value if entry_data is None else entry_data}, label)[label]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MetadataEntry) and vars(self) == vars(other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        return f"MetadataEntry({self.label!r}, {self.description!r}, value={self.value!r})"


@contextmanager
def instance_for_test(
    overrides: Mapping[str, Any] | None = None,
    set_dagster_home: bool = True,
    temp_dir: str | None = None,
    synchronous_run_coordinator: bool = False,
    synchronous_run_launcher: bool = False,
) -> Iterator[treadle.Instance]:
    """An instance in a temporary home, for tests.

    Args:
        overrides: settings.
        set_dagster_home: whether the environment names the home as well, so that `DagsterInstance.get()` finds it.
        temp_dir: the home; a new folder by default.
        synchronous_run_coordinator, synchronous_run_launcher: without effect: runs are launched as the settings say.
    """
    with ExitStack() as stack:
        home = temp_dir or stack.enter_context(tempfile.TemporaryDirectory(prefix="treadle-"))
        if set_dagster_home:
            before = {name: os.environ.get(name) for name in HOME_VARIABLES}
            stack.callback(_set_variables, before)
            _set_variables(dict.fromkeys(HOME_VARIABLES, os.path.abspath(home)))
        yield stack.enter_context(treadle.Instance.local_temp(home, overrides))


def _set_variables(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


class RunShardedEventsCursor(NamedTuple):
    """A place in the log, by the number of an event. One log holds all runs, so the time is not needed."""

    id: int
    run_updated_after: datetime


class SubmitRunContext(NamedTuple):
    """What a run coordinator was told about a run to submit."""

    dagster_run: treadle.Run
    workspace: Any


class DagsterSubprocessError(treadle.TreadleError):
    """Child processes failed. Treadle raises the errors of steps themselves; this is for code that catches it."""

    def __init__(self, *args: Any, subprocess_error_infos: Sequence[Any] = ()) -> None:
        super().__init__(*args)
        self.subprocess_error_infos = list(subprocess_error_infos)


class DagsterEventLogInvalidForRun(treadle.TreadleError):
    """The log of a run cannot be read. For code that catches it: Treadle reads what later versions wrote, too."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"The event log of run {run_id} cannot be read.")
        self.run_id = run_id


class DagsterLibraryRegistry:
    """The versions of the libraries that said that they are there."""

    _versions: dict[str, str] = {}  # noqa: RUF012  # one registry for all

    @classmethod
    def register(cls, name: str, version: str, *, is_dagster_package: bool = True) -> None:
        """Say that a library is there. Which version of Dagster it was written for is not compared."""
        cls._versions[name] = version

    @classmethod
    def get(cls) -> Mapping[str, str]:
        """The libraries, and the version of each."""
        return {"dagster": treadle.__version__, **cls._versions}


def default_system_loggers(instance: treadle.Instance | None) -> Sequence[tuple[Any, Mapping[str, object]]]:
    """The loggers of jobs that have none, each with its config. The level is that of the instance's `python_logs`."""
    logs = (instance.get_settings("python_logs") or {}) if instance is not None else {}
    config = {"name": "dagster", "log_level": logs.get("python_log_level") or "DEBUG"}
    return [(treadle.colored_console_logger, config)]


@contextmanager
def raise_execution_interrupts() -> Iterator[None]:
    """While inside, in the main thread, SIGINT and SIGTERM raise `DagsterExecutionInterruptedError`."""

    def stop(number: int, frame: object) -> NoReturn:
        raise treadle.ExecutionInterruptedError(signal.Signals(number).name)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


__all__ = ["ExpectationResult", "JsonLogFormatter", "PendingNodeInvocation"]
