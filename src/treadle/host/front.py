"""Location fronts: a fork server for each code location, and one for processes of ours, as their owner holds them.

Nothing here runs user code, and nothing here is needed by a run that is under way: an owner that ends leaves its runs
running. A location that cannot be loaded, or whose process ends, is tried again, later each time; meanwhile its runs
wait. New code replaces old code only when it has been loaded, and runs under way keep the code they began with.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias, cast

import msgspec

from treadle.core import codec
from treadle.core.keys import did_you_mean
from treadle.errors import LoadError
from treadle.host import forkserver, keeper, supervisor
from treadle.host.forkserver import ForkServer, Ready, Unready
from treadle.host.nudge import ear, kept, nudge
from treadle.host.targets import Target
from treadle.runtime import kin, memory
from treadle.runtime.channel import pair
from treadle.state.error_info import ErrorInfo
from treadle.state.runs import Run
from treadle.store.locations import LocationRecord, LocationState

StartMethod: TypeAlias = Literal["auto", "fork", "spawn"]
SHORT_S = 1.0
"""How soon after its start the process that supervisors come from is started again, in seconds, if it has ended."""
LONG_S = 60.0
"""How long the process of a location lives, in seconds, until it counts as well; and the longest pause before another
attempt."""


class CodeLocation:
    """A code location, and the processes that have its code.

    Args:
        home: the home that its runs are of.
        target: where the code is.
        told: called with it, and its manifest if it has a new one, whenever its state has changed.
        waiting: where what its processes tell is waited for; the data of each is what to call then.
        begun: a process that loads it already.

    Attributes:
        state: what became of the last attempt to load it.
        server: the process that new runs come from, if there is one.
        error: why the last attempt failed, if it did.
        threads: the names of threads that keep its runs from being forked.
        folders: where its Python files are.
    """

    def __init__(
        self,
        home: Path,
        target: Target,
        told: Callable[[CodeLocation, bytes | None], None],
        waiting: selectors.BaseSelector,
        start_method: StartMethod = "auto",
        patience_s: float = 180.0,
        reload_s: float = 180.0,
        begun: ForkServer | None = None,
    ) -> None:
        self._home = home
        self._begun = begun
        self.target = target
        self.name = target.name
        self.state: LocationState = "loading"
        self.server: ForkServer | None = None
        self.error: ErrorInfo | None = None
        self.threads: tuple[str, ...] = ()
        self.folders: tuple[str, ...] = (str(_code_folder(target)),)
        self._told = told
        self._waiting = waiting
        self._start_method = start_method
        self._patience_s = patience_s
        self._reload_s = reload_s
        self._next: ForkServer | None = None
        self._retired: list[ForkServer] = []
        self._since = self._began = time.time()
        self._loaded: float | None = None
        self._load_s: float | None = None
        self._failures = 0
        self._retry_at: float | None = None

    @property
    def spawns(self) -> bool:
        """Whether its runs start in fresh interpreters."""
        return self._start_method == "spawn" or (self._start_method == "auto" and bool(self.threads))

    @property
    def record(self) -> LocationRecord:
        """How it is, to be stored."""
        warning = None
        if self.spawns and self.threads:
            warning = (
                f"Importing it starts threads ({', '.join(self.threads)}), which a forked process would miss. So its "
                "runs start in fresh interpreters, which is slower. Start these threads later, in a resource, or set "
                "code_servers.start_method to fork."
            )
        owner = kin.identity(self.server.process.pid) if self.server is not None else None
        return LocationRecord(
            self.name, self.state, self._since, owner, self._loaded, self._load_s, self.error, warning, kin.identity()
        )

    def load(self) -> None:
        """Begin to load the code; what has been loaded serves until that is done."""
        if self._next is not None:
            _let_go(self._next, self._waiting, 0)
        self._retry_at = None
        self._began = time.time()
        self._next = server = self._begun or forkserver.zygote(self.target, self._home)
        self._begun = None
        self._waiting.register(server.channel, selectors.EVENT_READ, partial(self._take, server))

    def tend(self, now: float) -> None:
        """Do what is due."""
        patience_s = self._patience_s if self._loaded is None else self._reload_s
        if self._next is not None and now - self._began > patience_s:
            _let_go(self._next, self._waiting, 0)
            self._failed(ErrorInfo(f"It has not been loaded within {patience_s:g} s."))
        elif self._retry_at is not None and now >= self._retry_at:
            self.load()

    def close(self) -> None:
        """End its processes. Runs under way go on."""
        for server in (self.server, self._next, *self._retired):
            if server is not None:
                _let_go(server, self._waiting, 2.0 if server is not self._next else 0)

    def _take(self, server: ForkServer) -> None:
        """Take note of what one of the processes tells."""
        for message in server.told():
            if server is self._next and isinstance(message, Ready):
                self._replace(server, message)
            elif server is self._next:
                _let_go(server, self._waiting)
                self._failed(cast("Unready", message).error)
                return
        if server in self._retired:
            if server.channel.ended or server.asked == server.ended:
                self._retired.remove(server)
                _let_go(server, self._waiting)
        elif server.channel.ended and server is self._next:
            _let_go(server, self._waiting)
            how = memory.how_ended(server.process.returncode, False)
            self._failed(ErrorInfo(f"Its process {how} while it was loading."))
        elif server.channel.ended and server is self.server:
            _let_go(server, self._waiting)
            self.server = None
            self._came_to("gone")
            self._retry(time.time() - (self._loaded or 0) > LONG_S)

    def _replace(self, server: ForkServer, ready: Ready) -> None:
        """New code is there. The process of the old code stays until the runs that it began have ended."""
        if self.server is not None and self.server.asked == self.server.ended:
            _let_go(self.server, self._waiting)
        elif self.server is not None:
            self._retired.append(self.server)
        self.server, self._next = server, None
        self.threads, self.error = ready.threads, None
        self._loaded, self._load_s = time.time(), time.time() - self._began
        self._came_to("ready", ready.result)

    def _failed(self, error: ErrorInfo) -> None:
        self._next, self.error = None, error
        self._came_to("failed")
        self._retry(False)

    def _came_to(self, state: LocationState, manifest: bytes | None = None) -> None:
        self.state, self._since = state, time.time()
        self._told(self, manifest)

    def _retry(self, was_well: bool) -> None:
        """Try again: at once after a long life, else after a pause that doubles each time."""
        self._failures = 0 if was_well else self._failures + 1
        self._retry_at = time.time() + (min(LONG_S, 2.0**self._failures / 2) if self._failures else 0)


class Front:
    """The fork servers of a home.

    Args:
        home: the home.
        targets: where the code of each location is.
        waiting: where what they tell is waited for; the data of each is what to call then.
        told: called when the state of a location has changed, with its manifest if it has a new one.
        grace_s: how long runs that are told to stop may take, in seconds.
        start_method: how runs start: forked from the process that has the code, or in fresh interpreters.
        patience_s: how long a location may take to load, in seconds.
        reload_s: how long it may take once it has been loaded.
        begun: processes that load locations already, by name.

    Attributes:
        locations: the locations, by name.
        lost: called when what was asked of the process that supervisors come from may be lost.
    """

    def __init__(
        self,
        home: Path,
        targets: Iterable[Target],
        waiting: selectors.BaseSelector,
        told: Callable[[CodeLocation, bytes | None], None],
        *,
        grace_s: float = supervisor.GRACE_S,
        start_method: StartMethod = "auto",
        patience_s: float = 180.0,
        reload_s: float = 180.0,
        begun: Mapping[str, ForkServer] = MappingProxyType({}),
    ) -> None:
        self._home = home
        self._grace_s = grace_s
        self._waiting = waiting
        self._ours: ForkServer | None = None
        self._ours_began = 0.0
        self.lost: Callable[[], object] = lambda: None
        self.locations = {
            one.name: CodeLocation(home, one, told, waiting, start_method, patience_s, reload_s, begun.get(one.name))
            for one in targets
        }

    def start(self) -> None:
        """Start the processes; what becomes of them is told."""
        nudge(self._home, "*")  # which removes what those have left who were killed
        self._start_ours()
        for location in self.locations.values():
            location.load()

    def launch(self, run: Run) -> None:
        """Start the processes of a run, unless its location is down. How it goes on is seen in the store.

        Raises:
            LoadError: there is no such location.
        """
        location = self.location_of(run)
        if location.server is None or self._ours is None:  # later
            return
        spawned = location.target if location.spawns else None
        place, folder = (spawned.encoded(), str(spawned.folder)) if spawned else (None, None)
        source = self._ours if spawned else location.server
        with both(keeper.Order(str(self._home), run, place), self._grace_s, folder) as (keeps, supervises):
            if source.fork(*keeps):
                self._ours.fork(*supervises)

    def hindrance(self, run: Run) -> str | None:
        """Why the processes of a run cannot be started now, if they will be later."""
        try:
            location = self.location_of(run)
        except LoadError:
            return None
        if location.server is not None:
            return None
        return f"Its code location {location.name!r} {location.record.hindrance}."

    def tend(self) -> None:
        """Do what is due."""
        now = time.time()
        for location in self.locations.values():
            location.tend(now)
        if self._ours is None and now - self._ours_began > SHORT_S:
            self._start_ours()
            self.lost()

    def close(self) -> None:
        """End the fork servers. Runs under way go on."""
        for location in self.locations.values():
            location.close()
        if self._ours is not None:
            _let_go(self._ours, self._waiting)

    def location_of(self, run: Run) -> CodeLocation:
        """The location that a run is of.

        Raises:
            LoadError: there is no such location.
        """
        name = run.location_name
        if name is None and len(self.locations) == 1:
            return next(iter(self.locations.values()))
        if name is None or name not in self.locations:
            hint = did_you_mean(name, self.locations) if name else " Give it one: `treadle run launch -l`."
            raise LoadError(
                f"Run {run.run_id} is of code location {name!r}, and there is no such.{hint} These are there: "
                f"{', '.join(self.locations) or 'none'}."
            )
        return self.locations[name]

    def _start_ours(self) -> None:
        home, self._ours_began = str(self._home).encode(), time.time()
        self._ours = server = forkserver.start("treadle.host.supervisor:warm", home, title="treadle-ours")
        self._waiting.register(server.channel, selectors.EVENT_READ, partial(self._take_ours, server))

    def _take_ours(self, server: ForkServer) -> None:
        for _ in server.told():
            pass
        if server.channel.ended and server is self._ours:
            _let_go(server, self._waiting)
            self._ours = None
            self.tend()


Request: TypeAlias = tuple[str, bytes, list[int]]
"""A function that a new process is to call, as `module:name`, with what argument and which files."""


@contextmanager
def both(order: keeper.Order, grace_s: float, folder: str | None = None) -> Iterator[tuple[Request, Request]]:
    """The two processes to start for a run: its keeper and its supervisor. Their files are open meanwhile.

    Args:
        order: what to execute.
        grace_s: how long it may take to stop when it is told to, in seconds.
        folder: for a fresh interpreter instead of a fork, the folder it starts in.
    """
    to_keeper, at_keeper = pair()
    to_run, at_run = pair()
    _, alive = ear(Path(order.home), kept(order.run.run_id))
    with to_keeper, at_keeper, to_run, at_run, os.fdopen(alive, "rb"):
        work = keeper.Charge("treadle.host.worker:work", codec.encode(order), folder)
        charge = supervisor.Charge(order.home, order.run.run_id, grace_s)
        keeps, supervises = [at_keeper.fileno(), at_run.fileno(), alive], [to_keeper.fileno(), to_run.fileno()]
        yield (
            ("treadle.host.keeper:keep", msgspec.msgpack.encode(work), keeps),
            ("treadle.host.supervisor:supervise", msgspec.msgpack.encode(charge), supervises),
        )


def _let_go(server: ForkServer, waiting: selectors.BaseSelector, patience_s: float = 2.0) -> None:
    waiting.unregister(server.channel)
    server.stop(patience_s)


def _code_folder(target: Target) -> Path:
    """Where the code is, as far as it is known before it has been loaded."""
    if target.kind != "file":
        return target.folder
    return target.path if target.path.is_dir() else target.path.parent
