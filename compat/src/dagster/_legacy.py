"""Names that only code written for Dagster uses, each a few lines over Treadle."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

import treadle
from treadle.host.settings import HOME_VARIABLES

MAX_RUNTIME_SECONDS_TAG = "dagster/max_runtime"
AssetOrCheckKey: TypeAlias = treadle.AssetKey | treadle.AssetCheckKey
DagsterLogManager = logging.Logger
"""What `context.log` is."""


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
