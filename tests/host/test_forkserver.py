"""A fork server, from inside."""

from __future__ import annotations

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
