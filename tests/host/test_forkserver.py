"""A fork server, from inside."""

from __future__ import annotations

import os
import signal

import pytest

from treadle.host import forkserver
from treadle.host.forkserver import Ended, Fork, FromServer, ToServer
from treadle.runtime import kin
from treadle.runtime.channel import Channel, pair


def test_a_fork_that_the_system_refuses_is_told_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError

    ours, theirs = pair()
    owner, server = Channel(ours, FromServer), Channel(theirs, ToServer)
    monkeypatch.setattr(kin, "fork", refuse)
    for _ in range(2):
        assert owner.send(Fork("os:getpid"), [owner.fileno()])
    ours.shutdown(1)
    forkserver._serve(server)
    assert [message.code > 0 for message in owner.arrived() if isinstance(message, Ended)] == [True, True]
    for channel in (owner, server):
        channel.close()


def test_a_server_that_is_stopped_holds_up_nobody_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Incident PR #33438: every wait has a bound."""
    monkeypatch.setattr(forkserver, "STUCK_S", 0.05)
    server = forkserver.start("builtins:bytes", title="treadle-test")
    os.kill(server.process.pid, signal.SIGSTOP)
    while server.fork("builtins:bytes", bytes(1 << 16)):
        assert server.asked < 1000
    assert server.process.wait(30.0) == -signal.SIGKILL
    server.stop()
