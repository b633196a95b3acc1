"""The process that sees a run to its end: it owns the run's lease, stores its events, stops it when told to.

It runs no user code, so nothing that user code does keeps it from its heartbeat. When the run's process ends without
saying how, the supervisor says it: every run that has a supervisor has an end. If the supervisor itself dies, the
keeper ends the run's processes, and whoever monitors leases writes the end.
"""

from __future__ import annotations

import math
import selectors
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from treadle.core import codec
from treadle.errors import FencedError, StoreError, TreadleError
from treadle.host.instance import Instance
from treadle.host.keeper import Exited, FromKeeper, Stop, end_family
from treadle.host.launching import TERM_S, claim_slot, end_run, free_slots, take_lease
from treadle.host.nudge import DAEMON, POOLS, Listener, kept, nudge
from treadle.runtime import kin, memory
from treadle.runtime.channel import Channel
from treadle.runtime.reporting import Claim, Completed, Free, FromReporter, Granted, Refused, Stored, Told
from treadle.state.error_info import ErrorInfo
from treadle.state.events import (
    AnyEvent,
    EngineEvent,
    ErrorSource,
    Event,
    EventLogEntry,
    EventType,
    RunCanceled,
    RunFailed,
    StepFailed,
    decode_event,
)
from treadle.state.runs import Run, RunStatus
from treadle.store.events import UnstorableEventError
from treadle.store.leases import Lease

CLAIM_S = 1.0
"""How often a slot that a step waits for is asked for when nobody says that one was freed, in seconds."""
GRACE_S = 10.0
"""How long a run that is told to stop may take until it is killed, in seconds."""
LAST_S = 600.0
"""How long the store may refuse the end of a run until that is left to whoever monitors leases, in seconds."""


class Charge(msgspec.Struct, frozen=True):
    """Which run to supervise, and where it is stored."""

    home: str
    run_id: str
    grace_s: float = GRACE_S


_charge = codec.decoder(Charge)
_run = codec.decoder(Run)


def warm(argument: bytes) -> bytes:
    """Prepares the fork server of the supervisors of a home: what is slow the first time is done before any fork."""
    for receives in (FromKeeper, FromReporter, AnyEvent):
        codec.decoder(receives)
    with suppress(TreadleError):  # who supervises a run says so
        Instance.get(argument.decode()).close()
    return b""


def supervise(argument: bytes, files: list[int]) -> int:
    """See a run to its end. The files lead to its keeper and to its own process."""
    charge = _charge.decode(argument)
    kin.set_title("treadle-superv")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Instance.get(charge.home) as instance:
        lease = take_lease(instance, charge.run_id)
        if lease is None:
            return 1  # somebody executes it: this end of the channels closes, and the keeper ends what was started
        run = instance.get_run_by_id(charge.run_id)
        if run is not None and not run.is_finished:
            keeper, link = Channel.over(files[0], FromKeeper), Channel.over(files[1], FromReporter)
            try:
                Supervisor(instance, run, lease, keeper, link).run(charge.grace_s)
            except FencedError:
                return 1
        # only here: of an owner that fails, what it has started still lives
        instance.store.leases.release(lease)
        nudge(instance.home, kept(charge.run_id), DAEMON)  # the first is nobody any longer: its file goes
    return 0


class Supervisor:
    """A run under way, as its supervisor sees it."""

    def __init__(self, instance: Instance, run: Run, lease: Lease, keeper: Channel, link: Channel) -> None:
        self._instance = instance
        self._run = run
        self._lease = lease
        self._keeper = keeper
        self._link = link
        self._sink = instance.store.sink(lease)
        self._steps: set[str] = set()  # those under way
        self._renew_at = time.monotonic() + TERM_S / 3
        self._claims: dict[str, Claim] = {}  # what steps wait for, by step
        self._pools: Listener | None = None  # while they do
        self._uses_pools = False
        self._has_begun = False
        self._has_ended = False
        self._is_stopping = False
        self._is_nudged = True  # whether there may be news of the run in the store

    def run(self, grace_s: float) -> None:
        """Until the run has ended.

        Raises:
            FencedError: another process owns the run.
        """
        home = self._instance.home
        assert home is not None
        exited: Exited | None = None
        wake = Listener(home, self._run.run_id)
        waiting = selectors.DefaultSelector()
        for source in (self._keeper, self._link, wake):
            waiting.register(source, selectors.EVENT_READ)
        try:
            while exited is None:
                with _patience():
                    self._renew()
                    self._stop_if_told(grace_s)
                    self._claim(waiting)
                for key, _ in waiting.select(CLAIM_S if self._claims else TERM_S / 3):
                    if key.fileobj is self._keeper:
                        exited = next(self._keeper.arrived(), None)
                    elif key.fileobj is wake:
                        self._is_nudged = True
                        wake.clear()
                self._take()
                if exited is None and self._keeper.ended:
                    end_family(self._run.run_id)
                    self._take()
                    if not self._has_begun:
                        return  # its location ended before it: whoever launched it does so again
                    exited = Exited(-signal.SIGKILL, False, 0, False)
                    self._write(EngineEvent("The keeper of the run's processes is gone; they end with it."))
                if self._link.ended and self._link in waiting.get_map():
                    waiting.unregister(self._link)
            self._conclude(exited)
        finally:
            if self._pools is not None:
                self._pools.close()
            wake.close()
            waiting.close()

    def _renew(self) -> None:
        if time.monotonic() < self._renew_at:
            return
        self._renew_at, self._is_nudged = time.monotonic() + TERM_S / 3, True
        if not self._instance.store.leases.renew(self._lease, TERM_S):
            raise FencedError(f"Run {self._run.run_id} has another owner.")

    def _stop_if_told(self, grace_s: float) -> None:
        if self._is_stopping or not self._is_nudged:
            return
        run = self._instance.get_run_by_id(self._run.run_id)
        self._is_nudged = False
        if run is None or run.status is RunStatus.CANCELING or (run.is_finished and not self._has_ended):
            self._is_stopping = True
            self._keeper.send(Stop(grace_s))
            self._claims.clear()
            free_slots(self._instance, self._run.run_id, waiting=True)

    def _take(self) -> None:
        """Store what the run's process has told."""
        for message in self._link.arrived():
            if isinstance(message, Told):
                self._has_begun = True
                event = decode_event(message.event)
                if self._is_stopping and isinstance(event, RunFailed):  # what it raises when it is told to stop
                    text = "The run failed while it was being canceled."
                    self._write(EngineEvent(text, error=event.error), message.timestamp)
                    event = RunCanceled(self._run.job_name)
                self._note(event)
                self._write(event, message.timestamp)
            elif isinstance(message, Completed):
                with _patience():
                    self._instance.store.runs.complete(_run.decode(message.run), self._lease)
            elif isinstance(message, Claim):
                self._claims[message.step] = message
                self._uses_pools = True
            elif isinstance(message, Free):
                with _patience():
                    free_slots(self._instance, self._run.run_id, message.step)
            else:
                self._commit()

    def _claim(self, waiting: selectors.BaseSelector) -> None:
        """Ask for the slots that steps wait for; those that are given are passed on."""
        if self._pools is not None:
            self._pools.clear()
        for step, claim in list(self._claims.items()):
            if claim_slot(self._instance, self._run, self._lease, step, claim.pool, claim.priority):
                del self._claims[step]
                self._link.send(Granted(step))
        home = self._instance.home
        if self._claims and self._pools is None and home is not None:
            self._pools = Listener(home, POOLS)
            waiting.register(self._pools, selectors.EVENT_READ)
            self._claim(waiting)  # a slot may have been freed before somebody listened
        elif not self._claims and self._pools is not None:
            waiting.unregister(self._pools)
            self._pools.close()
            self._pools = None

    def _commit(self) -> None:
        try:
            self._sink.commit()
        except FencedError as error:
            self._link.send(Refused(str(error)))
            raise
        except StoreError as error:
            self._link.send(Refused(str(error)))
        else:
            self._link.send(Stored())

    def _note(self, event: Event) -> None:
        kind = event.event_type
        if event.step_key is not None:
            if kind in (EventType.STEP_START, EventType.STEP_RESTARTED):
                self._steps.add(event.step_key)
            elif kind in (EventType.STEP_SUCCESS, EventType.STEP_FAILURE, EventType.STEP_UP_FOR_RETRY):
                self._steps.discard(event.step_key)
        elif kind in (EventType.RUN_SUCCESS, EventType.RUN_FAILURE, EventType.RUN_CANCELED):
            self._has_ended = True

    def _conclude(self, exited: Exited) -> None:
        """Write the end of a run that has not written it itself, as soon as the store takes it."""
        if exited.left_over:
            self._write(
                EngineEvent(f"{exited.left_over} processes that the run had started outlived it and were killed.")
            )
        why = _reason(exited, self._is_stopping)
        steps = () if self._has_ended else tuple(sorted(self._steps))
        for step in steps:
            self._write(StepFailed(step, ErrorInfo(why), ErrorSource.UNEXPECTED_ERROR))
        failed = RunFailed(self._run.job_name, "UNEXPECTED_TERMINATION", steps, ErrorInfo(why))
        ends = time.monotonic() + LAST_S
        while True:
            with _patience(ends):
                self._renew()
                if self._uses_pools:
                    free_slots(self._instance, self._run.run_id)
                self._sink.commit()
                if not self._has_ended:
                    end_run(self._instance, self._run, (), failed)
                return
            time.sleep(CLAIM_S)

    def _write(self, event: Event, timestamp: float | None = None) -> None:
        with _patience():  # it waits for the next commit
            self._sink.write(EventLogEntry(self._run.run_id, timestamp or time.time(), event))


@contextmanager
def _patience(ends: float = math.inf) -> Iterator[None]:
    """Goes on when the store refuses something for now: an owner that cannot write is one until another takes over, or
    until `ends`, by `time.monotonic`."""
    try:
        yield
    except (FencedError, UnstorableEventError):
        raise
    except StoreError:
        if time.monotonic() > ends:
            raise


def _reason(exited: Exited, is_told: bool) -> str:
    """How a process ended that did not say so itself."""
    if exited.by_keeper:
        return "The run's process did not end when it was told to, and was killed."
    how = memory.how_ended(exited.code, exited.is_out_of_memory, is_told)
    return f"The run's process {how} in the middle of the run."
