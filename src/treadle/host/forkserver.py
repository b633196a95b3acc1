"""A process that imports once and forks often: the zygote of a code location, and the one of our own processes.

`start` runs it in a fresh interpreter. It calls one function that prepares it (imports user code, for a location),
answers with what that returns, and then forks a child for each request, which calls the function that the request
names and ends. It has one thread and no sockets but its own, and it opens no store, so that a fork copies nothing that
two processes must not share. It tells how each child ended. Descendants of a child that died come to it as orphans:
nobody is left who could stop them, so it kills them.
"""

from __future__ import annotations

import atexit
import gc
import os
import pkgutil
import random
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias

import msgspec

from treadle.host.targets import Target
from treadle.runtime import kin
from treadle.runtime.channel import Channel, pair
from treadle.state.error_info import ErrorInfo, error_info

STUCK_S = 5.0
"""How long a fork server may take nothing of what it is sent, in seconds."""


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Call a function, `module:name`, with `argument`: once, first."""

    function: str
    argument: bytes = b""


class Fork(msgspec.Struct, frozen=True, tag=True):
    """Fork a child that calls a function, `module:name`, with `argument` and the files that came with this."""

    function: str
    argument: bytes = b""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The function that prepares has returned this.

    Attributes:
        threads: the names of threads that a forked child would miss.
    """

    result: bytes
    threads: tuple[str, ...] = ()


class Unready(msgspec.Struct, frozen=True, tag=True):
    """It has raised this."""

    error: ErrorInfo


class Ended(msgspec.Struct, frozen=True, tag=True):
    """A process has ended.

    Attributes:
        pid: its id.
        code: what it exited with; minus the signal's number if one killed it.
    """

    pid: int
    code: int


ToServer: TypeAlias = Prepare | Fork
FromServer: TypeAlias = Ready | Unready | Ended


@dataclass(slots=True)
class ForkServer:
    """The other side: a fork server as its owner sees it.

    Attributes:
        process: its process.
        channel: where it tells what happens.
        asked: how many children it was asked for.
        ended: how many of them have ended.
    """

    process: subprocess.Popen[bytes]
    channel: Channel
    asked: int = 0
    ended: int = 0

    def fork(self, function: str, argument: bytes, files: Sequence[int] = ()) -> bool:
        """Ask for a child. In time `Ended` arrives on the channel. False if the server is gone; one that has taken
        nothing for so long is ended: user code can stop it."""
        self.asked += 1
        sent = self.channel.send(Fork(function, argument), files)
        if not sent:
            self.process.kill()
        return sent

    def told(self) -> Iterator[Ready | Unready]:
        """What it tells of itself, without waiting. Children that have ended are counted."""
        for message in self.channel.arrived():
            if isinstance(message, Ended):
                self.ended += 1
            elif isinstance(message, Ready | Unready):
                yield message

    def stop(self, patience_s: float = 2.0) -> None:
        """End it. Its children live on."""
        self.channel.close()
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(
    function: str,
    argument: bytes = b"",
    *,
    title: str,
    folder: str | None = None,
) -> ForkServer:
    """Start a fork server; `title` is what `ps` calls it.

    Its first message is `Ready` or `Unready`, once `function` has returned or raised.
    """
    ours, theirs = pair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", *divmod(int(STUCK_S * 1e6), 10**6)))
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "treadle.host.forkserver", str(theirs.fileno()), title],
            pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, cwd=folder, start_new_session=True,
        )  # fmt: skip
    channel = Channel(ours, FromServer)
    channel.send(Prepare(function, argument))
    return ForkServer(process, channel)


def zygote(target: Target, home: Path) -> ForkServer:
    """Start the fork server of a code location, which imports its code."""
    return start(
        "treadle.host.worker:prepare_location", target.encoded(home), title="treadle-zygote", folder=str(target.folder)
    )


def main(descriptor: int) -> None:
    """The server's own life: prepare, then fork until the owner is gone."""
    channel = Channel.over(descriptor, ToServer)
    first = channel.receive()
    if not isinstance(first, Prepare):
        return
    gc.disable()  # nothing of ours is garbage
    function = pkgutil.resolve_name(first.function)
    gc.freeze()
    gc.enable()
    try:
        result = function(first.argument)
    except Exception as error:
        channel.send(Unready(error_info(error)))
        return
    kin.adopt_orphans()
    channel.send(Ready(result or b"", tuple(kin.strange_threads())))
    gc.collect()
    gc.freeze()  # what is there now is shared by all children: no collection may touch it
    _serve(channel)
    atexit._run_exitfuncs()  # what user code asked for; the rest of what is frozen goes with the process, at once
    kin.leave(0)


def _serve(channel: Channel) -> None:
    wakeup = kin.Wakeup(signal.SIGCHLD)
    mine: set[int] = set()
    helpers = set(kin.children(os.getpid()))  # that user code has started while it was imported
    while not channel.ended:
        select.select([channel, wakeup], [], [])
        if wakeup.clear():
            _bury(channel, mine, helpers)
        for message in channel.arrived():
            files = channel.files
            if isinstance(message, Fork):
                try:
                    pid = kin.fork()
                except OSError:  # there are too many processes, for now
                    pid = -1
                if pid == 0:
                    channel.close()
                    wakeup.close()
                    become(message.function, message.argument, files)
                if pid > 0:
                    mine.add(pid)
                else:
                    channel.send(Ended(pid, os.EX_OSERR))
            for descriptor in files:
                os.close(descriptor)
    wakeup.close()


def _bury(channel: Channel, mine: set[int], helpers: set[int]) -> None:
    """Tell how children ended; end those who came as orphans."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        code = os.waitstatus_to_exitcode(status)
        was_mine, was_helper = pid in mine, pid in helpers
        for known in (mine, helpers):
            known.discard(pid)
        if was_mine:
            channel.send(Ended(pid, code))
        if not was_helper and (code < 0 or not was_mine):  # killed before it could end what it had started
            orphans = {*kin.children(os.getpid())} - mine - helpers
            kin.kill_all(orphans, with_groups=True)


def become(function: str, argument: bytes, files: list[int]) -> NoReturn:
    """The life of a forked child: it calls that function, and no more."""

    def live() -> int | None:
        os.setsid()
        reseed()
        return pkgutil.resolve_name(function)(argument, files)

    kin.only(live)


def reseed() -> None:
    """Give this process random numbers of its own."""
    random.seed()
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()


if __name__ == "__main__":
    kin.set_title(sys.argv[2])
    main(int(sys.argv[1]))
