"""The life of a run's own process: forked from the zygote, where the user's code is loaded, it executes the run.

It writes no events to the store: they go to the run's supervisor, one by one, so that nothing is lost when this process
is killed. What it must remember from before it reads through a connection of its own, opened when it is needed.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from treadle.core import codec
from treadle.errors import ExecutionInterruptedError, FencedError
from treadle.host.channel import Channel
from treadle.host.execution import perform, prepare
from treadle.host.instance import Instance
from treadle.host.reexecution import subset
from treadle.host.targets import Location, Target, load
from treadle.state.error_info import error_info
from treadle.state.events import EventLogEntry, RunFailed, encode_event
from treadle.state.runs import Run

_location: list[Location] = []


class Order(msgspec.Struct, frozen=True):
    """What to execute: a run that is stored in a home."""

    home: str
    run: Run


class Told(msgspec.Struct, frozen=True, tag=True):
    """Something happened: an event, as bytes."""

    timestamp: float
    event: bytes


class Commit(msgspec.Struct, frozen=True, tag=True):
    """Answer once everything told so far is stored."""


class Stored(msgspec.Struct, frozen=True, tag=True):
    """It is."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """It is not, and will not be."""

    reason: str


FromRun: TypeAlias = Told | Commit
ToRun: TypeAlias = Stored | Refused
_order = codec.decoder(Order)


def prepare_location(argument: bytes) -> bytes:
    """In the zygote: import the user's code, once."""
    place = msgspec.msgpack.decode(argument, type=dict[str, str | None])
    folder = place["working_directory"]
    target = Target(
        place["kind"], place["value"] or "", place["attribute"],  # type: ignore[arg-type]
        Path(folder) if folder else None, place["location_name"], place["origin"] or "",
    )  # fmt: skip
    location = load(target)
    location.definitions.validate_loadable(location.definitions)
    _location.append(location)
    return b""


def work(argument: bytes, files: list[int]) -> int:
    """Execute a run. The file leads to its supervisor. Exit code 0: its end is in the log, whatever it was."""
    order = _order.decode(argument)
    sink = Reporter(Channel.over(files[0], ToRun), order.run.run_id)
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
        job = _location[0].definitions.get_job_def(run.job_name)
        scope = prepare(subset(job, run.asset_selection, run.asset_check_selection), run, instance, sink)
    except Exception as failure:
        failed = RunFailed(run.job_name, "JOB_INITIALIZATION_FAILURE", error=error_info(failure))
        sink.write(EventLogEntry(run.run_id, time.time(), failed))
        sink.commit()
        return
    perform(scope, instance)


class Reporter:
    """The sink of a run whose events another process stores."""

    def __init__(self, channel: Channel, run_id: str) -> None:
        self._channel = channel
        self._run_id = run_id
        self._is_busy = False
        self._interrupted_by: int | None = None

    def write(self, entry: EventLogEntry) -> None:
        """Tell the supervisor."""
        self._is_busy = True
        told = self._channel.send(Told(entry.timestamp, encode_event(entry.event)))
        self._done(told, None)

    def commit(self) -> None:
        """Wait until the supervisor has stored it.

        Raises:
            FencedError: another process executes this run now, or nobody takes its events any longer.
        """
        self._is_busy = True
        answer = self._channel.receive() if self._channel.send(Commit()) else None
        self._done(answer is not None, answer)

    def interrupt(self, number: int, _frame: object) -> None:
        """The handler of signals that end the run: between two messages, never within one."""
        if self._is_busy:
            self._interrupted_by = number
        else:
            raise ExecutionInterruptedError(signal.Signals(number).name)

    def _done(self, is_there: bool, answer: Any) -> None:
        self._is_busy = False
        if not is_there:
            raise FencedError(f"The supervisor of run {self._run_id} is gone: nothing can be recorded. The run ends.")
        if isinstance(answer, Refused):
            raise FencedError(answer.reason)
        if self._interrupted_by is not None:
            number, self._interrupted_by = self._interrupted_by, None
            raise ExecutionInterruptedError(signal.Signals(number).name)
