"""A run's supervisor, between a keeper and a process that are played here: which end it writes, and when."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from treadle.errors import StoreError
from treadle.host import supervisor
from treadle.host.instance import Instance
from treadle.host.keeper import Exited, Stop, ToKeeper
from treadle.host.launching import cancel_run, take_lease
from treadle.host.supervisor import Supervisor
from treadle.runtime.channel import Channel, pair
from treadle.runtime.reporting import FromReporter, Told, ToReporter
from treadle.state.error_info import ErrorInfo
from treadle.state.events import EventType, RunFailed, encode_event
from treadle.state.runs import Run, RunStatus

KILLED = Exited(-9, False, 0, False)
PATIENCE_S = 10.0


class Played:
    """A run under way, and the other ends of what its supervisor talks to."""

    def __init__(self, folder: Path) -> None:
        self.instance = Instance.get(folder)
        self.run: Run = self.instance.create_run(job_name="any", status=RunStatus.STARTED)
        lease = take_lease(self.instance, self.run.run_id)
        assert lease is not None
        (ours, theirs), (link, process) = pair(), pair()
        self.keeper, self.process = Channel(theirs, ToKeeper), Channel(process, ToReporter)
        self.ours = [Channel(ours, Exited), Channel(link, FromReporter)]
        self.supervisor = Supervisor(self.instance, self.run, lease, *self.ours)

    def supervise(self) -> list[EventType]:
        """Supervise the run; the events that came to its log by that."""
        before = len(self.instance.all_logs(self.run.run_id))
        self.supervisor.run(0.5)
        return [entry.event.event_type for entry in self.instance.all_logs(self.run.run_id)[before:]]

    def close(self) -> None:
        for channel in (self.keeper, self.process, *self.ours):
            channel.close()
        self.instance.close()


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Played]:
    made = Played(tmp_path)
    yield made
    made.close()


def once(patch: pytest.MonkeyPatch, of: object, name: str, error: Exception | None = None, first: Any = None) -> None:
    """Have a method raise this, or call `first` before, when it is called for the first time."""
    method = getattr(of, name)

    def called(*arguments: Any, **named: Any) -> Any:
        patch.setattr(of, name, method)
        if error is not None:
            raise error
        first()
        return method(*arguments, **named)

    patch.setattr(of, name, called)


@pytest.mark.parametrize("where", ["before its end is read", "while its end is written"])
def test_a_cancel_that_was_accepted_in_time_is_how_the_run_ends(
    played: Played, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Incidents #24889, #33309: the process is dead, and its supervisor has not seen the cancel."""

    def cancel() -> None:
        assert cancel_run(played.instance, played.run.run_id)

    played.keeper.send(KILLED)
    if where == "before its end is read":
        once(monkeypatch, played.supervisor, "_take", first=cancel)
    else:
        transition, late = played.instance.store.transition, iter([cancel])

        def written(run_id: str, before: frozenset[RunStatus], events: Any) -> bool:
            if RunStatus.STARTED in before:
                next(late, lambda: None)()
            return transition(run_id, before, events)

        monkeypatch.setattr(played.instance.store, "transition", written)
    assert played.supervise() == [EventType.RUN_CANCELING, EventType.RUN_CANCELED]
    assert not cancel_run(played.instance, played.run.run_id)


def test_a_run_that_nobody_cancels_has_failed(played: Played) -> None:
    played.keeper.send(KILLED)
    assert played.supervise() == [EventType.RUN_FAILURE]


def test_an_end_that_the_store_does_not_take_now_is_written_once_it_does(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "CLAIM_S", 0.0)
    once(monkeypatch, played.supervisor._sink, "commit", StoreError("The disk is full."))
    played.keeper.send(KILLED)
    assert played.supervise() == [EventType.RUN_FAILURE]


def test_what_a_run_raises_because_it_is_told_to_stop_is_no_failure(played: Played) -> None:
    """Incidents #24889, #33309: cancel against failure."""
    failed = RunFailed("any", "RUN_EXCEPTION", error=ErrorInfo("It was in the middle of something."))

    def keep() -> None:
        assert played.keeper.receive() == Stop(0.5)
        played.process.send(Told(1.0, encode_event(failed)))
        played.keeper.send(Exited(0, False, 0, False))

    assert cancel_run(played.instance, played.run.run_id)
    keeper = threading.Thread(target=keep)
    keeper.start()
    assert played.supervise() == [EventType.ENGINE_EVENT, EventType.RUN_CANCELED]
    keeper.join()


def test_a_store_that_never_takes_the_end_holds_up_nobody_for_ever(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Incident PR #33438: every wait has a bound. A supervisor that is gone is seen to be."""

    def refuse() -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(supervisor, "LAST_S", 0.0)
    monkeypatch.setattr(played.supervisor._sink, "commit", refuse)
    played.keeper.send(KILLED)
    with pytest.raises(StoreError, match="full"):
        played.supervisor.run(0.5)


def test_a_run_is_told_to_stop_though_the_store_refuses_what_else_is_due_then(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    once(monkeypatch, played.instance.store.pools, "free", StoreError("The disk is full."))
    heard: list[Any] = []

    def keep() -> None:
        if select.select([played.keeper], [], [], PATIENCE_S)[0]:
            heard.append(played.keeper.receive())
        played.keeper.send(KILLED)

    assert cancel_run(played.instance, played.run.run_id)
    keeper = threading.Thread(target=keep)
    keeper.start()
    assert played.supervise() == [EventType.RUN_CANCELED]
    keeper.join()
    assert heard == [Stop(0.5)]
