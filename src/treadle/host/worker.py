"""The life of a run's own process: forked from the zygote, where the user's code is loaded, it executes the run.

It writes no events to the store: they go to the run's supervisor, one by one, so that nothing is lost when this process
is killed. What it must remember from before it reads through a connection of its own, opened when it is needed.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import msgspec
from msgspec import structs

from treadle.author.job_config import run_config_of
from treadle.author.manifest import manifest_of
from treadle.core import codec
from treadle.core import tags as tag_names
from treadle.errors import ExecutionInterruptedError, FencedError
from treadle.host.execution import perform, prepare
from treadle.host.executors import drive_of
from treadle.host.instance import Instance
from treadle.host.reexecution import continuation, subset
from treadle.host.targets import Location, Target, load
from treadle.runtime.agenda import in_this_process
from treadle.runtime.channel import Channel
from treadle.runtime.reporting import Reporter, ToReporter
from treadle.state.error_info import error_info
from treadle.state.events import EventLogEntry, RunFailed
from treadle.state.runs import Run

_location: list[Location] = []


class Order(msgspec.Struct, frozen=True):
    """What to execute: a run that is stored in a home. `place`: where its code is, for an interpreter without it."""

    home: str
    run: Run
    place: bytes | None = None


_order = codec.decoder(Order)


def prepare_location(argument: bytes) -> bytes:
    """In the zygote: import the user's code, once."""
    place = msgspec.msgpack.decode(argument, type=dict[str, str | None])
    folder = place["working_directory"]
    target = Target(
        place["kind"], place["value"] or "", place["attribute"],  # type: ignore[arg-type]
        Path(folder) if folder else None, place["location_name"], place["origin"] or "",
    )  # fmt: skip
    writes = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # it knows a file by second and size: a quick save would be missed
    location = load(target)
    sys.dont_write_bytecode = writes
    location.definitions.validate_loadable(location.definitions)
    _location.append(location)
    return manifest_of(location.definitions, folders())


def folders() -> list[str]:
    """The folders of the Python files that are imported and not installed."""
    site = os.path.dirname(os.path.dirname(msgspec.__file__))
    installed = (os.path.dirname(os.__file__), site, str(Path(__file__).parents[1]))
    files = (getattr(module, "__file__", None) for module in [*sys.modules.values()])
    return sorted({os.path.dirname(file) for file in files if file and not file.startswith(installed)})


def work(argument: bytes, files: list[int]) -> int:
    """Execute a run. The file leads to its supervisor. Exit code 0: its end is in the log, whatever it was."""
    order = _order.decode(argument)
    sink = Reporter(Channel.over(files[0], ToReporter), order.run.run_id)
    signal.signal(signal.SIGTERM, sink.interrupt)
    signal.signal(signal.SIGINT, sink.interrupt)
    try:
        _execute(order, sink)
    except (ExecutionInterruptedError, KeyboardInterrupt):
        return 0
    except FencedError:
        return 1  # there is nobody left to tell
    return 0


def _execute(order: Order, sink: Reporter) -> None:
    run = order.run
    instance = Instance.get(order.home)
    try:
        if order.place is not None:
            prepare_location(order.place)
        job = _location[0].definitions.get_job_def(run.job_name)
        job = subset(job, run.asset_selection, run.asset_check_selection)
        # who launches a run has not the code that says what config a partition has
        run = structs.replace(run, run_config=run_config_of(job, run.run_config, run.tags.get(tag_names.PARTITION)))
        scope = prepare(job, run, instance, sink, continuation(instance, job, run))
        if instance.settings.concurrency.pools.granularity == "op":
            scope.slots = sink
        drive = drive_of(scope, instance)
    except Exception as failure:
        failed = RunFailed(run.job_name, "JOB_INITIALIZATION_FAILURE", error=error_info(failure))
        sink.write(EventLogEntry(run.run_id, time.time(), failed))
        sink.commit()
        return
    # what must not be forked executes its steps itself
    perform(scope, instance, drive=in_this_process if order.place is not None else drive)
