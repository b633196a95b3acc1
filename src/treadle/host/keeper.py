"""The process above a run's own: it starts the process that executes the run, and ends everything that belongs to it.

It is forked from the location's zygote and executes no user code, so nothing that user code does can keep it from its
work: it adopts whatever the run leaves behind (a grandchild that has its own session too) and kills it when the run has
ended, when its supervisor says so, and when its supervisor is gone. It knows how the run's process ended, because it
is its parent.
"""

from __future__ import annotations

import atexit
import os
import pkgutil
import select
import selectors
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn, TypeAlias

import msgspec

from treadle.core import codec
from treadle.host.nudge import kept
from treadle.runtime import kin, memory
from treadle.runtime.channel import Channel
from treadle.state.runs import Run


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Ask the run's process to end (SIGTERM), and kill everything that is left after `grace_s` seconds."""

    grace_s: float


class Exited(msgspec.Struct, frozen=True, tag=True):
    """The run's process has ended, and nothing that it started is left.

    Attributes:
        code: what it exited with; minus the signal's number if one killed it.
        by_keeper: whether it was the keeper who killed it, because it did not end in time.
        left_over: how many of its descendants outlived it and were killed.
        is_out_of_memory: whether there is evidence that the kernel killed it for want of memory.
    """

    code: int
    by_keeper: bool
    left_over: int
    is_out_of_memory: bool


MARK = "TREADLE_RUN_ID"
"""The variable in the environment of all that a run starts that says which run it is."""
REST_S = 10.0
"""How long what a run leaves behind may resist its kills, in seconds, until the run ends without waiting for it."""
FromKeeper: TypeAlias = Exited
ToKeeper: TypeAlias = Stop


class Charge(msgspec.Struct, frozen=True):
    """What a keeper is to keep.

    Attributes:
        function: what the process calls, as `module:name`.
        argument: with what.
        folder: for a fresh interpreter instead of a fork, the folder it starts in.
    """

    function: str
    argument: bytes
    folder: str | None = None


class Order(msgspec.Struct, frozen=True):
    """What `host.worker` is to execute: a run that is stored in a home. `place`: where its code is, for an interpreter
    without it, which may fork if `forks`."""

    home: str
    run: Run
    place: bytes | None = None
    forks: bool = False


_charge = codec.decoder(Charge)
codec.decoder(ToKeeper)  # before any fork


def keep(argument: bytes, files: list[int]) -> int:
    """Keep a process until it has ended. The first file leads to the supervisor, the others are for the process.

    The last is open in all that are forked here, so others see whether any of them is there (`nudge.kept`).
    """
    charge = _charge.decode(argument)
    supervisor = Channel.over(files[0], ToKeeper)
    kin.adopt_orphans()
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # the run's process has no other from its first moment
    signal.signal(signal.SIGINT, signal.default_int_handler)
    wakeup = kin.Wakeup(signal.SIGCHLD)
    kin.set_title("treadle-keeper")
    me = os.getpid()
    pid = kin.fork()
    if pid == 0:
        supervisor.close()
        wakeup.close()
        return _work(charge, files[1:], me)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the supervisor says when, and its end is the end of all
    for descriptor in files[1:-1]:
        os.close(descriptor)
    kills = memory.Kills()
    code, by_keeper = _watch(supervisor, wakeup, pid)
    left_over = _end_rest(wakeup)
    is_out_of_memory = code == -signal.SIGKILL and not by_keeper and kills.include(pid)
    os.close(files[-1])
    supervisor.send(Exited(code, by_keeper, left_over, is_out_of_memory))
    return 0


def _work(charge: Charge, files: list[int], parent: int) -> int:
    """The life of the run's process."""
    kin.die_with_parent(parent)
    os.setsid()  # what user code sends to its group, or to all its processes, is not for its keeper
    kin.set_title("treadle-run")
    if charge.folder is None:
        return _call(charge, files)
    with fresh(charge, files) as (command, needed):
        os.chdir(charge.folder)
        for descriptor in needed:
            os.set_inheritable(descriptor, True)
        os.execv(command[0], command)


@contextmanager
def fresh(charge: Charge, files: Sequence[int]) -> Iterator[tuple[list[str], list[int]]]:
    """The command that does in a fresh interpreter what a charge says, and the files that it needs, open meanwhile."""
    import tempfile  # noqa: PLC0415  most runs are forked

    with tempfile.TemporaryFile() as written:
        written.write(msgspec.msgpack.encode(charge))
        written.flush()
        needed = [written.fileno(), *files]
        yield [sys.executable, "-m", "treadle.host.keeper", *map(str, needed)], needed


def main(written: int, files: list[int]) -> NoReturn:
    """The life of a run's process in a fresh interpreter."""
    kin.set_title("treadle-run")
    for descriptor in files:
        os.set_inheritable(descriptor, False)
    with open(written, "rb") as file:
        file.seek(0)
        charge = _charge.decode(file.read())

    def live() -> int | None:
        try:
            return _call(charge, files)
        finally:
            atexit._run_exitfuncs()  # but no thread that user code has left is waited for

    kin.only(live)


def _call(charge: Charge, files: list[int]) -> int:
    return pkgutil.resolve_name(charge.function)(charge.argument, files) or 0


def _watch(supervisor: Channel, wakeup: kin.Wakeup, pid: int) -> tuple[int, bool]:
    """Wait for the end of `pid`, and bring it about if the supervisor says so or is gone."""
    deadline: float | None = None
    killed = False
    with selectors.DefaultSelector() as waiting:
        waiting.register(supervisor, selectors.EVENT_READ)
        waiting.register(wakeup, selectors.EVENT_READ)
        while True:
            left_s = None if deadline is None else min(kin.WAKE_S, max(0.0, deadline - time.monotonic()))
            for key, _ in waiting.select(left_s):
                if key.fileobj is wakeup:
                    wakeup.clear()
            for message in supervisor.arrived():
                if deadline is None:
                    deadline = time.monotonic() + message.grace_s
                    os.kill(pid, signal.SIGTERM)
            code = _reap(pid)
            if code is not None:
                return code, killed
            if deadline is not None:
                os.kill(pid, kin.WAKE)
            gone = supervisor.ended
            if gone or (deadline is not None and time.monotonic() >= deadline):
                killed, deadline = True, None if gone else time.monotonic() + 1.0
                kin.kill_all([*kin.descendants(os.getpid())], with_groups=True)
                if gone:
                    waiting.unregister(supervisor)
                    return _waited(pid), True


def _reap(pid: int) -> int | None:
    """Take note of the children that have ended; how `pid` did, if it is one of them."""
    code = None
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if ended == 0:
            return code
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)


def _waited(pid: int) -> int:
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return -signal.SIGKILL


def _end_rest(wakeup: kin.Wakeup) -> int:
    """Kill what is left below this process until nothing is; how many there were. What multiplies faster than it dies
    is then left to the location's process."""
    killed, deadline = set[int](), time.monotonic() + REST_S
    while (left_s := deadline - time.monotonic()) > 0:
        wakeup.clear()
        _reap(0)
        if not (pids := [*kin.descendants(os.getpid())]):
            break
        kin.kill_all(pids, with_groups=True)
        killed.update(pids)
        select.select([wakeup], [], [], left_s)  # what one had forked meanwhile comes here when it is dead
    return len(killed)


def end_family(run_id: str) -> None:
    """Kill what a run has started when its keeper cannot, being dead: all that have its mark or its sign of life."""
    deadline = time.monotonic() + REST_S
    while (pids := kin.bearing(f"{MARK}={run_id}", kept(run_id))) and time.monotonic() < deadline:
        kin.kill_all(pids, with_groups=True)
        time.sleep(0.005)


if __name__ == "__main__":
    main(int(sys.argv[1]), [*map(int, sys.argv[2:])])
