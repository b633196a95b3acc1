"""The daemon's own life: take the leader's lease, then look at everything whenever something has happened.

It sleeps until it is nudged, a child process ends, or a second sweep finds that somebody else has written. A daemon
that finds another leader waits until that one is gone. Runs do not need it to go on.
"""

from __future__ import annotations

import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from treadle.daemon.launches import Launches
from treadle.daemon.news import Change, News
from treadle.daemon.runs import Monitor, Queue, Starter, served_elsewhere
from treadle.daemon.watch import Watch
from treadle.errors import StoreError
from treadle.host.forkserver import ForkServer
from treadle.host.front import CodeLocation, Front, StartMethod
from treadle.host.instance import Instance
from treadle.host.launching import DAEMON, TERM_S, cancel_run, reload_key, take_lease
from treadle.host.nudge import Listener, nudge
from treadle.host.supervisor import GRACE_S
from treadle.host.targets import Target
from treadle.runtime import kin
from treadle.spec.manifest import read_jobs
from treadle.state.runs import ACTIVE, Run, RunsFilter
from treadle.store.leases import Lease
from treadle.store.locations import LocationRecord

SWEEP_S = 2.0


class Loop(Protocol):
    """What goes on without being asked."""

    def look(self) -> None:
        """Read, decide, apply. What a `StoreError` cuts short is done by the next look."""
        ...


class Service:
    """A daemon and the fronts of its locations.

    Args:
        home: the home.
        targets: the locations.
        ready: called with the state of each location once each has been loaded, or could not be.
        told: called when the state of a location has changed.
        grace_s: how long runs that are told to stop may take, in seconds.
        start_method: how runs start; by default as the settings say.
        page: the host and the port of the status page, if there is to be one (see `StatusPage`).
        watches: whether a location is loaded again when its Python files change.
        led: called with the process that executes the home's runs, as `kin.identity` has it, if another does; and with
            None when this one has taken over.
        seen: called with what becomes of the home's runs, while this process executes them.
        begun: processes that load locations already, by name.

    Attributes:
        url: where the status page is, if there is one.
    """

    def __init__(
        self,
        home: Path,
        targets: Iterable[Target],
        ready: Callable[[list[LocationRecord]], None] = lambda _: None,
        told: Callable[[CodeLocation], None] = lambda _: None,
        *,
        grace_s: float = GRACE_S,
        start_method: StartMethod | None = None,
        page: tuple[str, int | None] | None = None,
        watches: bool = False,
        led: Callable[[str | None], None] = lambda _: None,
        seen: Callable[[Change], None] | None = None,
        begun: Mapping[str, ForkServer] = MappingProxyType({}),
    ) -> None:
        self._instance = Instance.get(home)
        self._home = home
        settings = self._instance.settings.code_servers
        self._waiting = selectors.DefaultSelector()
        self._front = Front(
            home, targets, self._waiting, self._tell, grace_s=grace_s,
            start_method=start_method or settings.start_method, patience_s=settings.local_startup_timeout,
            reload_s=settings.reload_timeout, begun=begun,
        )  # fmt: skip
        self._launches = Launches(self._instance, self._front, grace_s)
        self._starter = Starter(self._instance, self._launches.launch, self._hindrance)
        self._front.lost = self._launch_again
        self._queue = Queue(self._instance, self._starter)
        self._page = None
        if page is not None:
            from treadle.daemon.page import StatusPage  # noqa: PLC0415  `treadle daemon run` has none

            self._page = StatusPage(self._instance, *page, lambda: self._queue.held)
        self.url = self._page.url if self._page is not None else None
        self._changed: set[str] = set()
        self._watch = Watch(self._note_change) if watches else None
        self._ready = ready
        self._told = told
        self._is_ready = False
        self._asked = dict.fromkeys(map(reload_key, self._front.locations), "")
        self._led = led
        self._seen = seen
        self._seen_runs: News | None = None
        self._leader: str | None = None
        self._waits = settings.wait_for_local_processes_on_shutdown
        self._lease: Lease | None = None
        self._is_stopping = False
        self._reloads_all = False
        self._renew_at = 0.0
        self._news: dict[CodeLocation, bytes | None] = {}  # what has to be stored of them, and new manifests
        self._complaint = ""

    def run(self, *, cancels: bool = False) -> None:
        """Until a signal ends it.

        Args:
            cancels: whether the runs under way end with it.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._stop if cancels else self._reload)  # where somebody watches: they have gone
        wakeup, listener = kin.Wakeup(), Listener(self._home, DAEMON)
        for source in (wakeup, listener):
            self._waiting.register(source, selectors.EVENT_READ, source.clear)
        try:
            self._asked = self._instance.store.cursors.get_many(self._asked)
            self._seen_runs = News(self._instance) if self._seen is not None else None
            self._forget_others()
            self._front.start()
            self._serve()
            if cancels and self._lease is not None:
                self._cancel_all()
            elif self._waits and self._lease is not None:
                self._await_all()
        finally:
            wakeup.close()
            listener.close()
            if self._lease is not None:
                self._instance.store.leases.release(self._lease)
            if self._watch is not None:
                self._watch.close()
            if self._page is not None:
                self._page.close()
            self._front.close()
            self._waiting.close()
            self._instance.close()

    def _serve(self) -> None:
        loops = (self._queue, Monitor(self._instance, self._starter), self._launches)
        while not self._is_stopping:
            with self._patience():
                self._look(loops)
                version = self._instance.store.database.data_version()
                while not self._is_stopping and not self._woken(SWEEP_S):
                    self._front.tend()
                    if time.monotonic() >= self._renew_at or version != self._instance.store.database.data_version():
                        break
                continue
            self._woken(SWEEP_S)
            self._front.tend()

    def _look(self, loops: Iterable[Loop]) -> None:
        """Do what is due."""
        if self._lease is None or time.monotonic() >= self._renew_at:
            self._renew_at = time.monotonic() + TERM_S / 3
            self._lead()
        for location, manifest in list(self._news.items()):
            self._instance.store.locations.put(location.record, manifest)
            del self._news[location]
            nudge(self._home, DAEMON)
        self._reload_if_asked()
        self._front.tend()
        if not self._is_ready and all(one.state != "loading" for one in self._front.locations.values()):
            self._is_ready = True
            self._ready([one.record for one in self._front.locations.values()])
            self._look_at_files()
        self._say_who_leads()
        if self._lease is not None:
            for loop in loops:
                loop.look()
        self._tell_runs()

    @contextmanager
    def _patience(self) -> Iterator[None]:
        """Goes on when the store refuses something for now (its disk is full): what is due then is so later."""
        try:
            yield
            self._complaint = ""
        except StoreError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                sys.stderr.write(f"error: {error} It is tried again.\n")

    def _tell(self, location: CodeLocation, manifest: bytes | None) -> None:
        """Have stored how a location is, and tell."""
        self._news[location] = manifest or self._news.get(location)
        if manifest is not None:
            location.folders = read_jobs(manifest).folders
        if self._is_ready:
            self._look_at_files()
        if location.state in ("gone", "ready"):
            self._launch_again()
        self._told(location)

    def _launch_again(self) -> None:
        """Runs that nobody has taken up are launched again at once: what was asked of a process may be lost with it."""
        self._starter.launched.clear()

    def _look_at_files(self) -> None:
        if self._watch is not None:
            self._watch.over(folder for one in self._front.locations.values() for folder in one.folders)

    def _note_change(self, folders: set[str]) -> None:
        """In another thread: have the locations loaded again that have files in these folders."""
        self._changed |= folders
        nudge(self._home, DAEMON)

    def _forget_others(self) -> None:
        """Forget the locations that no daemon of this home has any longer."""
        records = self._instance.store.locations.all()
        dead = {one.name for one in records if one.daemon is None or kin.lives(one.daemon) is False}
        self._instance.store.locations.forget(dead - self._front.locations.keys())

    def _reload_if_asked(self) -> None:
        changed, self._changed = self._changed, set()
        asked = self._instance.store.cursors.get_many([*map(reload_key, self._front.locations)])
        for name, location in self._front.locations.items():
            key = reload_key(name)
            if self._reloads_all or changed.intersection(location.folders) or asked.get(key) != self._asked.get(key):
                location.load()
        self._asked, self._reloads_all = asked, False

    def _lead(self) -> None:
        if self._lease is None or not self._instance.store.leases.renew(self._lease, TERM_S):
            self._lease = take_lease(self._instance, DAEMON)

    def _hindrance(self, run: Run) -> str | None:
        if run.location_name is None or run.location_name in self._front.locations:
            return self._front.hindrance(run)
        return served_elsewhere(self._instance, run)

    def _say_who_leads(self) -> None:
        lease = self._instance.store.leases.get(DAEMON) if self._lease is None and self._is_ready else None
        leader = lease.owner if lease is not None else None
        if self._is_ready and leader != self._leader:
            self._leader = leader
            self._led(leader)

    def _await_all(self) -> None:
        """Return once the runs under way have ended, or another signal has come. Nothing leaves the queue meanwhile."""
        self._is_stopping = False
        monitor = Monitor(self._instance, self._starter)
        while self._instance.get_runs_count(RunsFilter(statuses=list(ACTIVE))) and not self._is_stopping:
            self._lead()
            self._front.tend()
            monitor.look()
            self._woken(SWEEP_S)

    def _cancel_all(self) -> None:
        """End the runs under way; returns once they have ended, or after a second."""
        active = RunsFilter(statuses=list(ACTIVE))
        for run in self._instance.get_runs(active):
            cancel_run(self._instance, run.run_id)
        deadline = time.monotonic() + 1.0
        while self._instance.get_runs_count(active) and (left := deadline - time.monotonic()) > 0:
            self._woken(left)
        self._tell_runs()
        if self._seen is not None:
            for record in self._instance.get_run_records(active):
                self._seen(Change(time.time(), "is told to end", record))

    def _tell_runs(self) -> None:
        news = self._seen_runs.read() if self._seen_runs is not None else ()
        if self._seen is not None and self._lease is not None:
            for change in news:
                self._seen(change)

    def _stop(self, *_: object) -> None:
        self._is_stopping = True

    def _reload(self, *_: object) -> None:
        self._reloads_all = True

    def _woken(self, patience_s: float) -> bool:
        """Wait for something to happen; whether it did."""
        happened = self._waiting.select(patience_s)
        for key, _ in happened:
            key.data()
        return bool(happened)
