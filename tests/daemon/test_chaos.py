"""Kills at random moments: every run ends for the right reason, nothing it did is lost, and nothing of it is left.

What must hold stands in `Chaos.check`. It is seen from outside: user code writes marks into a file beside what it logs.
A location's front is no process of its own: it lives in the daemon, and is killed with it.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from tests.daemon.test_service import Served, ended, is_alive, parent_of

from treadle.host.launching import DAEMON, cancel_run, reload_location
from treadle.host.nudge import kept
from treadle.runtime import kin
from treadle.state.events import EventType
from treadle.state.runs import ACTIVE, Run, RunsFilter, RunStatus

CODE = """
import os, signal, time
from treadle import AssetMaterialization, Definitions, RetryPolicy, job, op

def mark(kind, key):
    with open(os.environ["WITNESS"], "a") as file:
        file.write(f"{kind} {key} {os.getpid()} {time.monotonic()}\\n")

def worker(name, **given):
    @op(name=name, **given)
    def work(context, before=None):
        key = f"{context.run_id}/{name}/{context.retry_number}"
        mark("begins", key)
        for number in range(10):
            context.log.info(f"witness {key}/{number}")
            mark("logged", f"{key}/{number}")
            time.sleep(0.004)
        context.log_event(AssetMaterialization("made", metadata={"key": key}))
        mark("made", key)
        mark("ends", key)
    return work

first, beside = worker("first", pool="db"), worker("beside", pool="db")
second = worker("second", pool="db", retry_policy=RetryPolicy(max_retries=50))
free = [worker(f"free_{number}") for number in range(4)]

@job
def works_job():
    second(first())
    beside()
    for one in free: one()

@op
def hydra():
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            if os.fork() != 0:
                os._exit(0)
            time.sleep(0.002)
    open(os.environ["WITNESS"] + ".hydra", "w").close()
    time.sleep(1000)

@job
def hydra_job(): hydra()

defs = Definitions(jobs=[works_job, hydra_job])
"""
WITH_SLOTS = {"first", "second", "beside"}
STEPS = WITH_SLOTS | {f"free_{number}" for number in range(4)}  # whose processes are started before their turn
SLOTS = 2
WHOM = ("step", "run", "keeper", "supervisor", "zygote", "ours", "daemon")
HARMLESS = {"zygote", "ours", "daemon"}
ENDS = {EventType.RUN_SUCCESS, EventType.RUN_FAILURE, EventType.RUN_CANCELED}
WHY = {
    "step": "SIGKILL",
    "run": "The run's process was killed by SIGKILL",
    "keeper": "The keeper of the run's processes is gone",
    "supervisor": "Its supervisor is gone",
}


@dataclass
class Attempt:
    """An attempt of a step, as it has told of itself; `began` and `seen` by the monotonic clock of the machine."""

    key: str
    pid: int
    began: float
    seen: float
    logged: int = 0
    made: bool = False
    over: bool = False


class Chaos:
    """Runs, and those who are killed in the middle of them."""

    def __init__(self, served: Served, seed: int) -> None:
        self.served = served
        self.store = served.instance.store
        self.store.pools.set_limit("db", SLOTS)
        self.dice = random.Random(seed)
        self.offset = time.time() - time.monotonic()
        self.runs: list[Run] = []
        self.victims: dict[str, list[str]] = defaultdict(list)  # by run; the step's name for a step
        self.killed: list[tuple[str, str]] = []  # whom, and how far the run was
        self.seen: set[int] = set()
        self.others: list[subprocess.Popen[str]] = []  # daemons
        began = time.monotonic()
        assert served.ended(self.launch()).is_success, served.messages(self.runs[0])
        self.life_s = time.monotonic() - began

    # --- who is there -------------------------------------------------------------------------------------------------

    def family(self, run: Run) -> dict[str, int]:
        """The processes of a run that are there now: those that have its sign of life open, and its supervisor."""
        found: dict[str, int] = {}
        lease = self.store.leases.get(run.run_id)
        if lease is not None and lease.until > 0 and kin.lives(lease.owner):
            found["supervisor"] = kin.pid_of(lease.owner)
        for pid in kept_by(run):
            above, own = title(parent_or_none(pid)), title(pid)
            whom = {"treadle-zygote": "keeper", "treadle-keeper": "run", "treadle-run": "step"}.get(above)
            if whom is None and own == "treadle-keeper":  # its zygote is dead
                whom = "keeper"
            if whom == "step":
                found[whom] = pid
            elif whom is not None:
                found.setdefault(whom, pid)  # what comes after the first has come to the keeper as an orphan
        self.seen.update(found.values())
        return found

    def server(self, name: str) -> int | None:
        """A fork server of the daemon."""
        below = kin.children(self.served.process.pid)
        return next((pid for pid in below if title(pid) == f"treadle-{name}"), None)

    # --- killing ------------------------------------------------------------------------------------------------------

    def pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self.served.until(lambda: time.monotonic() >= until)

    def kill(self, whom: str, run: Run) -> bool:
        """Kill one of those who are there because of a run; whether there was one."""
        if whom == "daemon":
            self.seen.update(kin.descendants(self.served.process.pid))
            self.served.process.kill()
            ended(self.served.process)
            self.served.process = self.served.start("daemon run")
        elif whom in ("zygote", "ours"):
            pid = self.server(whom)
            if pid is None or not struck(pid):
                return False
            if whom == "zygote":  # one that is killed often would be started again later each time
                reload_location(self.served.instance, self.store.locations.all()[0].name)
        else:
            found = self.family(run)
            pid = found.get(whom)
            if pid is None or (whom != "supervisor" and not kin.has_open(pid, kept(run.run_id))) or not struck(pid):
                return False
            step = next((one.key for one in self.attempts() if one.pid == pid), "?/?").split("/")[1]
            self.victims[run.run_id].append(f"step {step}" if whom == "step" else whom)
        return True

    def shake(self, kills: int, whom: tuple[str, ...], since: float = 0.0) -> None:
        """Launch runs, and kill somebody at a random moment in the life of each, or in what is left of it `since` a
        part; look at all of them in the end."""
        self.killed.clear()
        while len(self.killed) < kills:
            run = self.launch()
            target, others = self.dice.choice(whom), [self.launch() for _ in range(self.dice.randint(0, 1))]
            self.pause(self.dice.uniform(since, 1) * self.life_s)
            while not self.served.run(run).is_finished:
                status = self.served.run(run).status.value
                if self.kill(target, run):
                    self.killed.append((target, status))
                    break
            for one in (run, *others):
                self.served.ended(one)
        self.check()

    def launch(self) -> Run:
        self.runs.append(self.served.launch("works"))
        return self.runs[-1]

    # --- what must hold -----------------------------------------------------------------------------------------------

    def attempts(self) -> list[Attempt]:
        found: dict[str, Attempt] = {}
        for line in self.served.witness.read_text().splitlines():
            kind, key, pid, at = line.split()
            name = "/".join(key.split("/")[:3])
            if kind == "begins":
                assert name not in found, f"{name} was begun twice"
                found[name] = Attempt(name, int(pid), float(at), float(at))
            one = found[name]
            assert one.pid == int(pid)
            one.seen = float(at)
            one.logged += kind == "logged"
            one.made |= kind == "made"
            one.over |= kind == "ends"
        return list(found.values())

    def check(self) -> None:
        """Whoever was killed, this holds of all since the last look."""
        try:
            self._check()
        finally:
            self.runs.clear()
            self.victims.clear()
            self.seen.clear()
            self.served.witness.write_text("")

    def _check(self) -> None:
        attempts = self.attempts()
        for run in self.runs:
            self.check_run(self.served.ended(run), [one for one in attempts if one.key.startswith(run.run_id)])
        holders = [one for one in attempts if one.key.split("/")[1] in WITH_SLOTS]
        for at in (one.began for one in holders):
            assert len([one for one in holders if one.began <= at < one.seen]) <= SLOTS
        last = self.served.ended(self.launch())
        assert last.is_success, self.served.messages(last)
        self.served.until(
            lambda: not [one for pool in self.store.pools.all() for one in (*pool.holders, *pool.waiting)]
        )
        daemons = [self.served.process.pid, *(other.pid for other in self.others)]
        current = {*daemons, *(pid for daemon in daemons for pid in kin.descendants(daemon))}
        gone = (self.seen | {one.pid for one in self.attempts()}) - current
        self.served.until(lambda: not [pid for pid in gone if is_alive(pid)])
        names = [run.run_id for run in self.runs]
        self.served.until(lambda: not any(kin.has_open(pid, one) for pid in current for one in names))

    def check_run(self, run: Run, attempts: list[Attempt]) -> None:
        entries = self.served.instance.all_logs(run.run_id)
        text, victims = "\n".join(f"{entry.message} {entry.error_info}" for entry in entries), self.victims[run.run_id]
        kinds = [entry.event.event_type for entry in entries]
        assert sum(kind in ENDS for kind in kinds) == 1, text
        # no two owners: no attempt is begun twice (see `attempts`), none before the one before it is over
        by_step = defaultdict[str, list[Attempt]](list)
        for one in attempts:
            by_step[one.key.split("/")[1]].append(one)
        for ones in by_step.values():
            assert all(before.seen < after.began for before, after in pairwise(ones))
        [end] = [entry for entry in entries if entry.event.event_type in ENDS]
        assert all(one.seen < end.timestamp - self.offset for one in attempts), text
        # right reason
        over = {step for step, ones in by_step.items() if ones[-1].over}
        fatal = [one for one in victims if one != "step second"]  # that one is tried again, incidents #28492, #29758
        if run.is_success:
            assert over == STEPS, text
            assert kinds.count(EventType.STEP_SUCCESS) == len(STEPS)
        elif run.status is RunStatus.CANCELED:
            assert victims == ["cancel"], text
        else:
            assert run.status is RunStatus.FAILURE, text
            assert fatal, text
            assert any(WHY[one.split()[0]] in text for one in fatal), (fatal, text)
        if any(one.startswith("step") for one in victims) and not all(one.over for one in attempts):
            assert "SIGKILL" in text
        # nothing lost: what begins was stored before, what has succeeded has left all that it told, and the rest of
        # what was told is there unless one of those through whose hands it went was killed
        starts = kinds.count(EventType.STEP_START) + kinds.count(EventType.STEP_RESTARTED)
        assert len(attempts) <= starts, text
        stored = {entry.message.removeprefix("witness ") for entry in entries if entry.message.startswith("witness ")}
        made = kinds.count(EventType.ASSET_MATERIALIZATION)
        through = {"run", "keeper", "supervisor"}.intersection(victims)
        succeeded = {entry.event.step_key for entry in entries if entry.event.event_type is EventType.STEP_SUCCESS}
        for one in attempts:
            there = [f"{one.key}/{number}" in stored for number in range(10)]
            assert there == sorted(there, reverse=True)  # no holes
            if not through or (one.over and one.key.split("/")[1] in succeeded):
                assert sum(there) >= one.logged, text
        if not through:
            assert made >= sum(one.made for one in attempts)


def kept_by(run: Run) -> list[int]:
    """The processes of ours that have the sign of life of a run open."""
    pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if title(pid).startswith("treadle") and kin.has_open(pid, kept(run.run_id))]


def title(pid: int | None) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def parent_or_none(pid: int) -> int | None:
    try:
        return parent_of(pid)
    except OSError:
        return None


def struck(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def chaos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chaos]:
    served = Served(tmp_path_factory.mktemp("served"), "daemon run", CODE)
    made = Chaos(served, seed=1)
    yield made
    for run in served.instance.get_runs(RunsFilter(statuses=list(ACTIVE))):  # the test has failed
        if found := made.family(run):
            os.kill(found.get("supervisor", min(found.values())), signal.SIGKILL)
    for other in made.others:
        other.kill()
        ended(other)
    served.close()


def cancel(chaos: Chaos, times: int) -> None:
    """Cancel runs at random moments of their lives, most of them at their begin."""
    for _ in range(times):
        run = chaos.launch()
        chaos.pause(chaos.dice.uniform(0, chaos.life_s * chaos.dice.choice([0.2, 1.0])))
        status = chaos.served.run(run).status
        if cancel_run(chaos.served.instance, run.run_id):
            chaos.victims[run.run_id].append("cancel")
        canceled = chaos.served.ended(run)
        assert canceled.status is RunStatus.CANCELED or canceled.is_success, chaos.served.messages(run)
        chaos.killed.append(("cancel", status.value))
    chaos.check()


def replace_leader(chaos: Chaos, times: int) -> None:
    """Kill the daemon that leads, and have another one take over."""
    chaos.others.append(chaos.served.start("daemon run"))
    for _ in range(times):
        runs = [chaos.launch() for _ in range(2)]
        chaos.pause(chaos.dice.uniform(0, chaos.life_s))
        lease = chaos.store.leases.get(DAEMON)
        assert lease is not None
        leader = kin.pid_of(lease.owner)
        if leader == chaos.served.process.pid:
            chaos.served.process, chaos.others[0] = chaos.others[0], chaos.served.process
        assert chaos.others[0].pid == leader
        chaos.seen.update(kin.descendants(leader))
        chaos.others[0].kill()
        ended(chaos.others.pop())
        runs.append(chaos.launch())
        assert all(chaos.served.ended(run).is_success for run in runs)
        lease = chaos.store.leases.get(DAEMON)
        assert lease is not None
        assert kin.pid_of(lease.owner) == chaos.served.process.pid
        chaos.others.append(chaos.served.start("daemon run"))
    chaos.check()
    follower = chaos.others.pop()
    follower.kill()
    ended(follower)


def test_runs_survive_or_end_whoever_is_killed(chaos: Chaos) -> None:
    for whom in WHOM:
        chaos.shake(1, (whom,), since=0.4)
    cancel(chaos, 5)


def test_another_daemon_takes_over_and_doubles_no_run(chaos: Chaos) -> None:
    """Incidents #33962, #9623."""
    replace_leader(chaos, 2)


def test_what_multiplies_while_it_is_killed_is_gone_in_the_end(chaos: Chaos) -> None:
    """kestra#15829: and it is told once, not each time."""
    run = chaos.served.launch("hydra")
    chaos.served.until(chaos.served.witness.with_suffix(".hydra").exists)
    os.kill(chaos.family(run)["run"], signal.SIGKILL)
    assert chaos.served.ended(run).status is RunStatus.FAILURE
    assert not kept_by(run)
    assert len(chaos.served.instance.all_logs(run.run_id)) < 50


def test_a_supervisor_that_was_late_goes_on(chaos: Chaos) -> None:
    """prefect#19068: its lease has run out, and nobody has taken it."""
    run = chaos.launch()
    chaos.served.until(lambda: any(one.key.startswith(run.run_id) for one in chaos.attempts()))
    supervisor = chaos.family(run)["supervisor"]
    os.kill(supervisor, signal.SIGSTOP)
    lease = chaos.store.leases.get(run.run_id)
    assert lease is not None
    assert chaos.store.leases.renew(lease, -1.0)
    chaos.pause(0.5)
    os.kill(supervisor, signal.SIGCONT)
    assert chaos.served.ended(run).is_success
    chaos.check()


@pytest.mark.chaos
@pytest.mark.parametrize("whom", WHOM)
def test_whoever_is_killed_at_fifty_moments(chaos: Chaos, whom: str) -> None:
    """Incidents #33755 (one that takes up what another began), #28492 and #29758 (steps that crash)."""
    chaos.shake(50, (whom,))


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(3))
def test_all_of_them_at_many_moments(chaos: Chaos, seed: int) -> None:
    chaos.dice = random.Random(seed)
    chaos.shake(60, WHOM)


@pytest.mark.chaos
def test_runs_are_canceled_at_fifty_moments(chaos: Chaos) -> None:
    """Incidents #24889, #33309: also while their processes are being made."""
    cancel(chaos, 100)


@pytest.mark.chaos
def test_another_daemon_takes_over_at_fifty_moments(chaos: Chaos) -> None:
    replace_leader(chaos, 50)


@pytest.mark.chaos
def test_a_supervisor_that_is_stuck_is_ended_with_all_it_has_started(chaos: Chaos) -> None:
    """prefect#19068, prefect#18942: nobody holds its slots until its steps are dead, and its end is the only one."""
    run = chaos.launch()
    chaos.served.until(lambda: any(one.key.startswith(run.run_id) for one in chaos.attempts()))
    supervisor = chaos.family(run)["supervisor"]
    os.kill(supervisor, signal.SIGSTOP)
    chaos.victims[run.run_id].append("supervisor")
    others = [chaos.launch() for _ in range(4)]
    chaos.served.until(lambda: not is_alive(supervisor))
    assert chaos.served.ended(run).status is RunStatus.FAILURE
    assert "has not renewed its lease in time" in chaos.served.messages(run)
    assert all(chaos.served.ended(one).is_success for one in others)
    chaos.check()
