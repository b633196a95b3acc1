"""Launching runs as the settings say: by the front's forks, or by a launcher of the user's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from treadle.errors import LoadError
from treadle.host.alone import Task, command
from treadle.host.front import Front
from treadle.host.instance import Instance
from treadle.host.launchers import DefaultRunLauncher, LaunchRunContext, launcher_of
from treadle.state.runs import Run, RunsFilter, RunStatus

R = TypeVar("R")
_CANCELING = RunsFilter(statuses=[RunStatus.CANCELING])


class Launches:
    """Calls the launcher, once for each run, and what it says about it.

    Raises:
        SettingsError: the launcher that settings name cannot be made.
    """

    def __init__(self, instance: Instance, front: Front, grace_s: float) -> None:
        self._instance = instance
        self._front = front
        self._grace_s = grace_s
        self._launcher = launcher_of(instance)
        self._forks = type(self._launcher) is DefaultRunLauncher
        self._launched: dict[str, bool] = {}  # by run id, whether it was told to stop

    def launch(self, run: Run) -> None:
        """Start what executes a run. If that was done before and nobody executes it: see whether somebody will.

        Raises:
            LoadError: nobody will.
        """
        if self._forks:
            self._front.launch(run)
            return
        if run.run_id in self._launched:
            why = self._asked("check_run_worker_health", self._launcher.check_run_worker_health, run)
            if why:
                raise LoadError(why)
            return
        target = self._front.location_of(run).target
        self._launched[run.run_id] = False
        task = Task(str(self._instance.home), run.run_id, target.encoded(), str(target.folder), self._grace_s)
        try:
            self._launcher.launch_run(LaunchRunContext(run, self._instance, command(task), self._front.launch))
        except Exception as error:
            raise LoadError(f"{self._name} raised {type(error).__name__} when it was to launch it: {error}") from error

    def look(self) -> None:
        """Tell the launcher of runs that are being canceled."""
        if self._forks or not self._launched:
            return
        for run in self._instance.get_runs(_CANCELING):
            if self._launched.get(run.run_id) is False:
                self._launched[run.run_id] = True
                self._asked("terminate", self._launcher.terminate, run.run_id)

    @property
    def _name(self) -> str:
        return f"The run launcher {type(self._launcher).__name__}"

    def _asked(self, what: str, function: Callable[..., R], *arguments: object) -> R | None:
        try:
            return function(*arguments)
        except Exception as error:
            sys.stderr.write(f"warning: {self._name}.{what} raised {type(error).__name__}: {error}\n")
            return None
