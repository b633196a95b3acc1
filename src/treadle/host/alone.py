"""A command that executes one run, with nobody else: `python -m treadle.host.alone ...`, as launchers are given it.

It is the parent of the run's supervisor and keeper, which do what they do under a daemon. It runs no user code. Told to
end, it cancels the run.
"""

from __future__ import annotations

import base64
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from treadle.core import codec
from treadle.host import keeper, supervisor
from treadle.host.instance import Instance
from treadle.host.launching import cancel_run
from treadle.host.nudge import ear, kept
from treadle.runtime import kin
from treadle.runtime.channel import pair


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
    to_keeper, at_keeper = pair()
    to_run, at_run = pair()
    _, alive = ear(Path(task.home), kept(run.run_id))
    work = keeper.Charge("treadle.host.worker:work", codec.encode(keeper.Order(task.home, run, task.place, True)))
    charge = supervisor.Charge(task.home, run.run_id, task.grace_s)
    _start(keeper.keep, work, [at_keeper.detach(), at_run.detach(), alive], [to_keeper.fileno(), to_run.fileno()])
    pid = _start(supervisor.supervise, charge, [to_keeper.detach(), to_run.detach()], [])

    def stop(*_: object) -> None:
        with Instance.get(task.home) as store:
            cancel_run(store, task.run_id)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    _, status = os.waitpid(pid, 0)
    return int(status != 0)


def _start(
    function: Callable[[bytes, list[int]], int], charge: msgspec.Struct, files: list[int], not_its: list[int]
) -> int:
    """Start a process of ours with these files, which are then its alone."""
    pid = kin.fork()
    if pid == 0:
        code = 1
        try:
            os.setsid()
            for descriptor in not_its:
                os.close(descriptor)
            code = function(msgspec.msgpack.encode(charge), files)
        finally:
            kin.leave(code)
    for descriptor in files:
        os.close(descriptor)
    return pid


if __name__ == "__main__":
    sys.exit(main(sys.argv[2]))
