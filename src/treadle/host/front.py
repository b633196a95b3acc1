"""Location fronts: one fork server for each code location, and one for supervisors, as their owner holds them.

Nothing here runs user code, and nothing here is needed by a run that is under way: an owner that ends leaves its runs
running.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import count
from pathlib import Path

import msgspec

from treadle.core import codec
from treadle.errors import LoadError, StoreError
from treadle.host import forkserver, keeper, supervisor, worker
from treadle.host.forkserver import ForkServer, Ready, Unready
from treadle.host.targets import Target
from treadle.runtime.channel import Channel, pair
from treadle.state.runs import Run


class Front:
    """The fork servers of a home.

    Args:
        home: the home.
        targets: where the code of each location is.
        grace_s: how long runs that are told to stop may take, in seconds.
    """

    def __init__(self, home: Path, targets: Iterable[Target], grace_s: float = supervisor.GRACE_S) -> None:
        self._home = home
        self._grace_s = grace_s
        self._numbers = count(1)
        self._supervisors = forkserver.start("treadle.host.supervisor:warm")
        self._zygotes: Mapping[str, ForkServer] = {
            target.name: forkserver.start(
                "treadle.host.worker:prepare_location", _encoded(target), folder=str(target.folder)
            )
            for target in targets
        }
        self._are_ready = False

    def wait(self) -> None:
        """Wait until all are ready.

        Raises:
            LoadError: a location could not be loaded.
        """
        for name, server in {"": self._supervisors, **self._zygotes}.items():
            first = server.channel.receive()
            if isinstance(first, Unready):
                raise LoadError(f"The code location {name!r} could not be loaded. {first.error.to_string()}")
            if not isinstance(first, Ready):
                raise StoreError(f"The process of code location {name!r} ended while it was loading.")
        self._are_ready = True

    def launch(self, run: Run) -> None:
        """Start the processes of a run. How it goes on is seen in the store.

        Raises:
            LoadError: there is no such location, or its process has ended.
        """
        names = [run.location_name] if run.location_name else list(self._zygotes)
        zygote = self._zygotes.get(names[0])
        if zygote is None or len(names) > 1:
            raise LoadError(f"Run {run.run_id} is of location {run.location_name!r}; loaded are {list(self._zygotes)}.")
        to_keeper, at_keeper = pair()
        to_run, at_run = pair()
        with to_keeper, at_keeper, to_run, at_run:
            charge = supervisor.Charge(str(self._home), run.run_id, self._grace_s)
            started = self._supervisors.fork(
                next(self._numbers), "treadle.host.supervisor:supervise", msgspec.msgpack.encode(charge),
                (to_keeper.fileno(), to_run.fileno()),
            )  # fmt: skip
            order = codec.encode(worker.Order(str(self._home), run))
            kept = keeper.Charge("treadle.host.worker:work", order)
            started &= zygote.fork(
                next(self._numbers), "treadle.host.keeper:keep", msgspec.msgpack.encode(kept),
                (at_keeper.fileno(), at_run.fileno()),
            )  # fmt: skip
        if not started:
            raise LoadError(f"The process of code location {names[0]!r} has ended. Reload it.")

    def sources(self) -> list[tuple[Channel, Callable[[], bool]]]:
        """What to wait on, and what to call when there is something: it says whether that source has ended."""
        return [(server.channel, partial(_attend, server)) for server in (self._supervisors, *self._zygotes.values())]

    def close(self) -> None:
        """End the fork servers. Runs under way go on."""
        for server in (self._supervisors, *self._zygotes.values()):
            server.stop()


def _attend(server: ForkServer) -> bool:
    """Take note of what a fork server tells: its processes are seen to through the store."""
    for _ in server.channel.arrived():
        pass
    return server.channel.ended


def _encoded(target: Target) -> bytes:
    folder = target.folder
    return msgspec.msgpack.encode({
        "kind": target.kind, "value": str(target.path) if target.kind == "file" else target.value,
        "attribute": target.attribute, "working_directory": os.fspath(folder),
        "location_name": target.location_name, "origin": target.origin,
    })  # fmt: skip
