"""A command that executes one run, with nobody else: `python -m treadle.host.alone ...`, as launchers are given it.

It is the parent of the run's supervisor and keeper, which do what they do under a daemon. It runs no user code. Told to
end, it cancels the run.
"""

from __future__ import annotations

import base64
import os
import select
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress

import msgspec

from treadle.errors import StoreError
from treadle.host import forkserver, keeper
from treadle.host.front import Request, both
from treadle.host.instance import Instance
from treadle.host.launching import cancel_run
from treadle.runtime import kin

_AGAIN_S = 1.0


class Task(msgspec.Struct, frozen=True):
    """Which run to execute. `place`: where its code is; `folder`: where to execute it."""

    home: str
    run_id: str
    place: bytes
    folder: str
    grace_s: float


def command(task: Task) -> list[str]:
    """The command that executes a run."""
    argument = base64.urlsafe_b64encode(msgspec.msgpack.encode(task)).decode()
    return [sys.executable, "-m", "treadle.host.alone", task.run_id, argument]


def main(argument: str) -> int:
    """Execute the run; 0 once it has ended, 1 if somebody else executes it or there is no such run."""
    task = msgspec.msgpack.decode(base64.urlsafe_b64decode(argument), type=Task)
    os.chdir(task.folder)
    with Instance.get(task.home) as instance:
        run = instance.get_run_by_id(task.run_id)
    if run is None or run.is_finished:
        return 1
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: told.append(number))
    wakeup = kin.Wakeup(signal.SIGCHLD)
    with both(keeper.Order(task.home, run, task.place, forks=True), task.grace_s) as requests:
        _, supervisor = [_start(request, requests) for request in requests]
    while True:
        wakeup.clear()
        ended, status = os.waitpid(supervisor, os.WNOHANG)
        if ended:
            return int(status != 0)
        if told:
            with suppress(StoreError), Instance.get(task.home) as instance:  # one that refuses it now is asked again
                cancel_run(instance, task.run_id)
                told.clear()
        select.select([wakeup], [], [], _AGAIN_S if told else None)


def _start(request: Request, requests: Iterable[Request]) -> int:
    """Start a process of ours, with its files alone."""
    pid = kin.fork()
    if pid == 0:
        for descriptor in (file for other in requests if other is not request for file in other[2]):
            os.close(descriptor)
        forkserver.become(*request)
    return pid


if __name__ == "__main__":
    sys.exit(main(sys.argv[2]))
