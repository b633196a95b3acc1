"""The life of a run's own process: forked from the zygote, where the user's code is loaded, it executes the run.

It writes no events to the store: they go to the run's supervisor, one by one, so that nothing is lost when this process
is killed. What it must remember from before it reads through a connection of its own, opened when it is needed.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from treadle.author.graphs import job
from treadle.author.manifest import manifest_of
from treadle.author.ops import op
from treadle.core import codec
from treadle.decide.steps import Step, at
from treadle.errors import ExecutionInterruptedError, FencedError
from treadle.host import keeper
from treadle.host.definitions import Location, load
from treadle.host.execution import in_full, logging_as_set, perform, prepare
from treadle.host.executors import drive_of
from treadle.host.instance import Instance
from treadle.host.keeper import Order
from treadle.host.reexecution import continuation, subset
from treadle.host.targets import Target
from treadle.runtime import kin
from treadle.runtime.channel import Channel
from treadle.runtime.processes import STOP, ToStep, live
from treadle.runtime.reporting import Reporter, ToReporter
from treadle.runtime.run import RunScope
from treadle.runtime.step import execute_step
from treadle.state.error_info import error_info
from treadle.state.events import EventLogEntry, RunFailed
from treadle.state.runs import Run

_location: list[Location] = []
_place: list[bytes] = []


class StepOrder(msgspec.Struct, frozen=True):
    """An attempt of a step of a run, for a fresh interpreter. `state`: what the run's process knows by now."""

    order: Order
    node: str
    mapped: tuple[str, ...]
    attempt: int
    parent: int
    state: bytes


_order = codec.decoder(Order)
_step_order = codec.decoder(StepOrder)
_STATE = ("mapping_keys", "left_out", "versions", "pointers", "ends", "log_files", "_source_runs")


def prepare_location(argument: bytes) -> bytes:
    """Import the user's code, once. In the zygote, of a home, also do once what each run does first."""
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
    _place.append(argument)
    if home := place.get("home"):
        _rehearse(home)
    return manifest_of(location.definitions, folders())


def _rehearse(home: str) -> None:
    """Execute a run of nothing: what is imported, made and remembered on its first use is then there in all forks."""

    @op
    def nothing() -> Any: ...  # stored as any value

    @job
    def rehearsal() -> None:
        nothing()

    codec.decoder(ToReporter)
    codec.decoder(ToStep)
    with suppress(Exception), Instance.ephemeral() as instance:  # runs say what is wrong
        Instance.get(home).close()
        perform(prepare(rehearsal, Run(job_name="rehearsal"), instance, instance.sink()), instance, capture=False)


def folders() -> list[str]:
    """The folders of the Python files that are imported and not installed."""
    site = os.path.dirname(os.path.dirname(msgspec.__file__))
    installed = (os.path.dirname(os.__file__), site, str(Path(__file__).parents[1]))
    files = (getattr(module, "__file__", None) for module in [*sys.modules.values()])
    return sorted({os.path.dirname(file) for file in files if file and not file.startswith(installed)})


def work(argument: bytes, files: list[int]) -> int:
    """Execute a run. The file leads to its supervisor. Exit code 0: its end is in the log, whatever it was."""
    order = _order.decode(argument)
    os.environ[keeper.MARK] = order.run.run_id
    sink = Reporter(Channel.over(files[0], ToReporter), order.run.run_id)
    sink.heed(signal.SIGTERM, signal.SIGINT)
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
        run = in_full(job, run)  # who launches a run has not the code
        if run != order.run:
            sink.complete(run)
        scope = _prepared(run, instance, sink)
        if instance.settings.concurrency.pools.granularity == "op":
            scope.slots = sink
        fresh = partial(_start_fresh, order.home)
        forks = order.forks and not kin.strange_threads()
        drive = drive_of(scope, instance, fresh, spawns=order.place is not None and not forks)
    except Exception as failure:
        failed = RunFailed(run.job_name, "JOB_INITIALIZATION_FAILURE", error=error_info(failure))
        sink.write(EventLogEntry(run.run_id, time.time(), failed))
        sink.commit()
        return
    perform(scope, instance, drive=drive)


def _prepared(run: Run, instance: Instance, sink: Reporter) -> RunScope:
    job = _location[0].definitions.get_job_def(run.job_name)
    job = subset(job, run.asset_selection, run.asset_check_selection)
    return prepare(job, run, instance, sink, continuation(instance, job, run))


def _start_fresh(home: str, scope: RunScope, step: Step, number: int, sock: socket.socket) -> int:
    """Start an attempt of a step in a fresh interpreter; the id of its process."""
    state = pickle.dumps({name: getattr(scope, name) for name in _STATE})
    order = Order(home, scope.run, _place[0])
    argument = codec.encode(StepOrder(order, step.node.handle, step.mapped, number, os.getpid(), state))
    charge = keeper.Charge("treadle.host.worker:work_step", argument)
    with keeper.fresh(charge, [sock.fileno()]) as (command, files):
        process = subprocess.Popen(command, pass_fds=files, cwd=_location[0].target.folder)
    process.returncode = 0  # whoever conducts the run waits for it
    return process.pid


def work_step(argument: bytes, files: list[int]) -> int:
    """Make an attempt of a step, in a fresh interpreter. The file leads to the run's process."""
    charge = _step_order.decode(argument)
    kin.die_with_parent(charge.parent)
    kin.set_title("treadle-step")
    channel = Channel.over(files[0], ToStep)
    assert charge.order.place is not None
    prepare_location(charge.order.place)
    with Instance.get(charge.order.home) as instance:
        scope = _prepared(charge.order.run, instance, Reporter(channel, charge.order.run.run_id))
        scope.__dict__.update(pickle.loads(charge.state))
        step = scope.plan.steps[charge.node]
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP)  # not before: what the user's code starts would inherit it
        with logging_as_set(scope, instance):
            live(scope, execute_step, at(step, charge.mapped) if step.over else step, charge.attempt, channel)
    return 0
