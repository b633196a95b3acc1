"""Hostile user code: whatever it does, its run has the right end for the right reason, and nothing of it is left.

Each fault runs through real processes, in a process of its own as well as in the run's (`in_process`). What must hold
after each stands in `Faults.settled`. The marked tests repeat them at random moments.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.daemon.test_service import MARK, Served, is_alive

from treadle.host.launching import cancel_run
from treadle.runtime import kin
from treadle.state.captured import spans
from treadle.state.events import EventType
from treadle.state.runs import Run, RunStatus

CODE = (
    MARK
    + '''
import collections, ctypes, itertools, os, signal, subprocess, sys, threading, time
from treadle import Definitions, RetryPolicy, job, op

def hang():
    while True:
        time.sleep(60)

faults = []

def fault(function):
    """An op in a pool, between two of its kind: the job of each fault shows whether the others still can run."""
    def work(context):
        time.sleep(float(context.run_tags.get("pause", 0)))
        mark(f"begins={context.run_id}/{function.__name__}")
        return function()
    faults.append(function.__name__)
    made = op(name=function.__name__, pool="db")(work)
    @job(name=f"{function.__name__}_job")
    def each(): made()
    jobs.append(each)
    return function

jobs = []

# --- it ends at once

@fault
def quits(): print("last words"); os._exit(7)

@fault
def segfaults(): print("last words"); ctypes.string_at(0)

@fault
def overflows():
    sys.setrecursionlimit(10**9)
    def deeper(_): return sorted([1], key=deeper)
    print("last words")
    deeper(1)

@fault
def aborts(): print("last words"); os.abort()

@fault
def kills_itself(): print("last words"); os.kill(os.getpid(), signal.SIGKILL)

@fault
def kills_all(): print("last words"); os.killpg(0, signal.SIGKILL)

@fault
def exits(): print("last words"); sys.exit(0)

@fault
def interrupts(): print("last words"); raise KeyboardInterrupt

@fault
def wants_space(): print("last words"); bytearray(1 << 62)

@fault
def closes_everything():
    print("last words")
    sys.stdout.flush()
    os.closerange(0, 4096)

# --- it goes well

@fault
def closes_output():
    print("last words")
    os.close(1)
    os.close(2)

@fault
def replaces_output():
    print("last words")
    sys.stdout = sys.stderr = open(os.devnull, "w")
    print("not these")

@fault
def redirects_output():
    print("last words")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.write(1, b"not these")

@fault
def closes_streams():
    print("last words")
    sys.stdout.close()
    sys.stderr.close()

@fault
def detaches_streams():
    print("last words")
    sys.stdout.detach()

@fault
def talks_later():
    print("last words")
    def talk():
        while True:
            print("and another thing")
            time.sleep(0.001)
    threading.Thread(target=talk, daemon=True).start()

@fault
def lingers():
    print("last words")
    threading.Thread(target=time.sleep, args=(1000,)).start()

@fault
def prints_bytes():
    sys.stdout.buffer.write(bytes(range(256)) * 4)
    print("last words")

@fault
def prints_one_line():
    sys.stdout.write("x" * 10_000_000)
    print("last words")

@fault
def forks_and_returns():
    print("last words", flush=True)
    if (pid := os.fork()):
        os.waitpid(pid, 0)

@fault
def forks_and_raises():
    print("last words", flush=True)
    if (pid := os.fork()):
        os.waitpid(pid, 0)
    else:
        raise ValueError("in the child")

@fault
def forks_and_exits():
    print("last words", flush=True)
    if (pid := os.fork()):
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    else:
        sys.exit(3)

# --- it does not end

@fault
def ignores():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mark("hangs")
    hang()

@fault
def catches():
    mark("hangs")
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

@fault
def objects():
    mark("hangs")
    try:
        hang()
    finally:
        raise ValueError("no")

@fault
def holds():
    print("last words")
    mark("hangs")
    collections.deque(itertools.repeat(0), maxlen=0)

@fault
def stops():
    mark("hangs")
    os.kill(os.getpid(), signal.SIGSTOP)

@fault
def stops_all():
    mark("hangs")
    os.kill(0, signal.SIGSTOP)

@fault
def defaults():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    mark("hangs")
    hang()

@fault
def escapes():
    """One child in a session of its own, one forked twice, one that prints for ever."""
    mark("hangs")
    subprocess.Popen(["setsid", "sleep", "1000"])
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            mark("escaped")
            hang()
        os._exit(0)
    hang()

@fault
def leaves_children():
    """As `escapes`, and ends well."""
    before = open(os.environ["WITNESS"]).read().count("escaped")
    subprocess.Popen(["setsid", "sleep", "1000"])
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            mark("escaped")
            hang()
        os._exit(0)
    while open(os.environ["WITNESS"]).read().count("escaped") == before:
        time.sleep(0.001)

@fault
def multiplies():
    """A chain of forks, each in a group of its own, and a tree of them."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mark("hangs")
    if os.fork() == 0:
        while True:
            if os.fork():
                os._exit(0)
            os.setpgid(0, 0)
    for _ in range(7):
        os.fork()
    while True:
        if os.fork() == 0:
            os._exit(0)
        os.wait()

# --- what it uses

@fault
def works(): print("last words")

@fault
def allocates(): bytearray(200 << 20)

@fault
def computes():
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass

@fault
def fills_memory():
    print("last words")
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1 << 20) * 20))

defs = Definitions(jobs=jobs)
'''
)
ENDS = {EventType.RUN_SUCCESS, EventType.RUN_FAILURE, EventType.RUN_CANCELED}
STEP_ENDS = {EventType.STEP_SUCCESS, EventType.STEP_FAILURE}
IN_PROCESS = {"execution": {"config": {"in_process": {}}}}


class Faults(Served):
    """A daemon whose runs misbehave, each with one of two slots."""

    def __init__(self, folder: Path, code: str = CODE, command: str = "dev") -> None:
        super().__init__(folder, command, code)
        self.instance.store.pools.set_limit("db", 2)

    def misbehave(self, fault: str, inside: bool, pause_s: float = 0.0) -> Run:
        """Launch a run that does this to its own process, or to one of its step, after a while."""
        return self.launch(fault, IN_PROCESS if inside else None, pause=str(pause_s))

    def settled(self, run: Run, fault: str, has_begun: bool = True) -> Run:
        """The run once it has ended, which it has done as it should: nothing is left, lost or done twice. It may have
        ended before its step was started, or before the step's code was, unless `has_begun`."""
        run = self.ended(run)
        entries = self.instance.all_logs(run.run_id)
        kinds = Counter(entry.event.event_type for entry in entries)
        assert sum(kinds[kind] for kind in ENDS) == 1, self.messages(run)
        begun = kinds[EventType.STEP_START]
        assert has_begun <= begun <= 1
        ends = sum(kinds[kind] for kind in STEP_ENDS)  # a process that is ended before its step begins has failed, too
        assert ends == begun or (ends == kinds[EventType.STEP_WORKER_STARTING] and not has_begun), self.messages(run)
        pids = self.marks(f"begins={run.run_id}/{fault} ")
        assert has_begun <= len(pids) <= begun
        self.until(lambda: not any(is_alive(pid) for pid in pids))
        self.until(lambda: not [one for pool in self.instance.store.pools.all() for one in pool.holders])
        return run

    def idle(self) -> bool:
        """Whether nothing is left of any run: the daemon has its two fork servers, which have no children."""
        below = [*kin.descendants(self.process.pid)]
        return len(below) == 2 and not any(is_alive(pid) for pid in self.marks(""))

    def printed(self, run: Run, step: str) -> bytes:
        entries = self.instance.all_logs(run.run_id)
        parts = (self.instance.store.logs.read_part(one.log_key, one.start, one.end) for one in spans(entries, step))
        return b"".join(out for out, _ in parts)

    def said(self, run: Run) -> str:
        """Why the run and its steps failed, as the log has it."""
        return "\n".join(
            str(entry.error_info.message) for entry in self.instance.all_logs(run.run_id) if entry.error_info
        )


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    made = Faults(tmp_path_factory.mktemp("faults"))
    yield made
    made.close()


DEATHS = {
    "quits": "exit code 7",
    "segfaults": "SIGSEGV",
    "overflows": "SIGSEGV",
    "aborts": "SIGABRT",
    "kills_itself": "SIGKILL, which Treadle did not send",
    "kills_all": "SIGKILL, which Treadle did not send",
    "exits": "SystemExit: 0",
    "interrupts": "KeyboardInterrupt",
    "wants_space": "MemoryError",
}
HARMLESS = (
    "closes_output", "replaces_output", "redirects_output", "closes_streams", "detaches_streams", "talks_later",
    "lingers", "prints_bytes", "prints_one_line", "forks_and_returns", "forks_and_raises", "forks_and_exits",
)  # fmt: skip
KILLED = "did not end when it was told to, and was killed"
STUBBORN = {
    "ignores": KILLED,
    "catches": KILLED,
    "objects": "ValueError: no",
    "holds": KILLED,
    "stops": KILLED,
    "stops_all": KILLED,
    "multiplies": KILLED,
    "defaults": "ended by SIGTERM, as it was told to",
    "escapes": "ExecutionInterruptedError",
}


@pytest.mark.parametrize("inside", [False, True], ids=["own", "inside"])
@pytest.mark.parametrize("fault", DEATHS)
def test_a_step_that_ends_its_process_has_failed_and_says_how(faults: Faults, fault: str, inside: bool) -> None:
    run = faults.settled(faults.misbehave(fault, inside), fault)
    canceled = inside and fault == "interrupts"  # in the run's own process this is what Ctrl-C raises
    assert run.status is (RunStatus.CANCELED if canceled else RunStatus.FAILURE), faults.messages(run)
    assert DEATHS[fault] in faults.said(run)
    assert "memory ran out" not in faults.said(run)
    assert b"last words" in faults.printed(run, fault)  # #23336


@pytest.mark.parametrize("inside", [False, True], ids=["own", "inside"])
@pytest.mark.parametrize("fault", HARMLESS)
def test_what_is_done_to_output_and_by_forked_children_fails_nothing(faults: Faults, fault: str, inside: bool) -> None:
    run = faults.settled(faults.misbehave(fault, inside), fault)
    assert run.status is RunStatus.SUCCESS, faults.messages(run) + faults.said(run)
    assert b"last words" in faults.printed(run, fault)
    assert b"not these" not in faults.printed(run, fault)


@pytest.mark.parametrize("inside", [False, True], ids=["own", "inside"])
@pytest.mark.parametrize("fault", STUBBORN)
def test_what_does_not_want_to_end_is_ended_when_it_is_canceled(faults: Faults, fault: str, inside: bool) -> None:
    run = faults.misbehave(fault, inside)
    faults.until(lambda: faults.marks(f"begins={run.run_id}"))
    assert cancel_run(faults.instance, run.run_id)
    run = faults.settled(run, fault)
    assert run.status is RunStatus.CANCELED
    assert STUBBORN[fault] in faults.said(run)
    faults.until(lambda: not any(is_alive(pid) for pid in faults.marks("escaped")))


def test_what_is_printed_can_be_read_while_nothing_else_in_the_process_moves(faults: Faults) -> None:
    """#24050: user code that holds the interpreter's lock holds up nobody else; its run keeps its owner."""
    run = faults.misbehave("holds", inside=True)
    faults.until(lambda: b"last words" in faults.printed(run, "holds"))
    before = faults.instance.store.leases.get(run.run_id)
    cancel_run(faults.instance, run.run_id)
    assert faults.settled(run, "holds").status is RunStatus.CANCELED
    assert before is not None
    assert len(faults.marks(f"begins={run.run_id}")) == 1


@pytest.mark.parametrize("inside", [False, True], ids=["own", "inside"])
def test_what_a_run_leaves_behind_ends_with_it(faults: Faults, inside: bool) -> None:
    run = faults.settled(faults.misbehave("leaves_children", inside), "leaves_children")
    assert run.is_success
    faults.until(lambda: "2 processes that the run had started outlived it" in faults.messages(run))
    assert not any(is_alive(pid) for pid in faults.marks("escaped"))


def test_a_thread_that_is_left_holds_up_no_fresh_interpreter(tmp_path: Path) -> None:
    with closing(Faults(tmp_path, command="dev --start-method spawn")) as faults:
        for inside in (False, True):
            assert faults.settled(faults.misbehave("lingers", inside), "lingers").is_success


def test_who_has_printed_ends_though_nobody_reads_it(tmp_path: Path) -> None:
    """Incident PR #33438: every wait has a bound."""
    with closing(Faults(tmp_path)) as faults:
        assert faults.process.stdout is not None
        assert faults.process.stdout.readline().startswith("Status")  # the last that is said of itself
        pipe = os.open(f"/proc/{faults.process.pid}/fd/1", os.O_WRONLY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while os.write(pipe, bytes(512)):
                pass
        os.close(pipe)
        assert faults.settled(faults.misbehave("talks_later", inside=True), "talks_later").is_success
        try:
            faults.until(faults.idle)
        finally:
            os.read(faults.process.stdout.fileno(), 1 << 20)


# --- memory and CPU


def used(faults: Faults, fault: str) -> tuple[float, float]:
    """Seconds of CPU time and MiB of memory that the step has used, as its log says."""
    run = faults.settled(faults.misbehave(fault, inside=False), fault)
    entries = faults.instance.all_logs(run.run_id, of_type={EventType.ENGINE_EVENT})
    [found] = [entry.event.metadata for entry in entries if entry.step_key == fault]  # type: ignore[attr-defined]
    return found["cpu_seconds"].value, found["memory_growth_bytes"].value / 2**20


def test_what_a_step_used_is_data_of_the_log(faults: Faults) -> None:
    cpu_s, grown_mib = used(faults, "works")
    assert cpu_s < 0.25
    assert grown_mib < 20
    assert 150 < used(faults, "allocates")[1] < 260
    assert 0.3 <= used(faults, "computes")[0] < 1
    assert used(faults, "quits")[0] < 0.25  # also of one that did not live to say so


@pytest.fixture
def confined(tmp_path: Path) -> Iterator[Faults]:
    """A daemon in a control group of its own, with 400 MiB of memory."""
    line = next(one for one in Path("/proc/self/cgroup").read_text().splitlines() if ":memory:" in one or "0::" in one)
    is_old = ":memory:" in line
    mine = Path("/sys/fs/cgroup", "memory" if is_old else "", line.split(":", 2)[2].lstrip("/"))
    group = mine / f"test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"this user may make no control group: {error}")
    try:
        try:
            (group / ("memory.limit_in_bytes" if is_old else "memory.max")).write_text(str(400 << 20))
            (group / "cgroup.procs").write_text(str(os.getpid()))
        except OSError as error:
            pytest.skip(f"control groups here do not limit memory: {error}")
        try:
            made = Faults(tmp_path)
        finally:
            (mine / "cgroup.procs").write_text(str(os.getpid()))
        yield made
        made.close()
    finally:
        for pid in (group / "cgroup.procs").read_text().split():  # processes that have ended may not be buried yet
            (mine / "cgroup.procs").write_text(pid)
        group.rmdir()


def run_out_of_memory(confined: Faults, inside: bool, pause_s: float = 0.0) -> None:
    run = confined.settled(confined.misbehave("fills_memory", inside, pause_s), "fills_memory")
    assert run.is_failure
    assert "memory ran out" in confined.said(run)
    assert b"last words" in confined.printed(run, "fills_memory")


def test_only_what_the_kernel_killed_for_want_of_memory_is_said_to_have_been(confined: Faults) -> None:
    for inside in (False, True):
        run_out_of_memory(confined, inside)
        run = confined.settled(confined.misbehave("kills_itself", inside), "kills_itself")
        assert "SIGKILL, which Treadle did not send" in confined.said(run)


# --- at many random moments


@pytest.mark.chaos
@pytest.mark.parametrize("inside", [False, True], ids=["own", "inside"])
def test_memory_runs_out_at_random_moments(confined: Faults, inside: bool) -> None:
    dice = random.Random(inside)
    for _ in range(50):
        run_out_of_memory(confined, inside, dice.uniform(0, 0.05))
    confined.until(confined.idle)


@pytest.mark.chaos
@pytest.mark.parametrize("inside", [False, True], ids=["own", "inside"])
@pytest.mark.parametrize("fault", [*DEATHS, *HARMLESS])
def test_faults_side_by_side_at_random_moments(faults: Faults, fault: str, inside: bool) -> None:
    dice = random.Random(fault)
    for _ in range(10):
        runs = [faults.misbehave(fault, inside, dice.uniform(0, 0.1)) for _ in range(6)]
        for run in runs:
            run = faults.settled(run, fault)
            assert b"last words" in faults.printed(run, fault)
            if fault in DEATHS:
                assert DEATHS[fault] in faults.said(run)
            else:
                assert run.is_success
    faults.until(faults.idle)


@pytest.mark.chaos
@pytest.mark.parametrize("inside", [False, True], ids=["own", "inside"])
@pytest.mark.parametrize("fault", [*STUBBORN, "forks_and_returns", "talks_later", "leaves_children"])
def test_faults_that_are_canceled_at_random_moments(faults: Faults, fault: str, inside: bool) -> None:
    dice = random.Random(fault)
    for _ in range(10):
        runs = [faults.misbehave(fault, inside, dice.uniform(0, 0.05)) for _ in range(6)]
        due = sorted((time.monotonic() + dice.uniform(0, 0.8), number) for number in range(6))
        for when, number in due:
            faults.until(lambda when=when: time.monotonic() >= when)
            cancel_run(faults.instance, runs[number].run_id)
        for run in runs:
            run = faults.settled(run, fault, has_begun=False)
            ended = run.status is RunStatus.CANCELED or (run.is_success and fault not in STUBBORN)
            assert ended, faults.messages(run) + faults.said(run)
    faults.until(faults.idle)


@pytest.mark.chaos
def test_a_run_whose_code_holds_the_lock_for_a_minute_keeps_its_owner(faults: Faults) -> None:
    """#24050, PR #30072: the heartbeat is another process's."""
    runs = [faults.misbehave("holds", inside) for inside in (False, True)]
    for run in runs:
        faults.until(lambda run=run: faults.marks(f"begins={run.run_id}"))
    owners = [faults.instance.store.leases.get(run.run_id) for run in runs]
    due = time.monotonic() + 60
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.daemon.test_service.PATIENCE_S", 70.0)
        faults.until(lambda: time.monotonic() >= due)
    for run, owner in zip(runs, owners, strict=True):
        now = faults.instance.store.leases.get(run.run_id)
        assert owner is not None
        assert now is not None
        assert (now.owner, now.token) == (owner.owner, owner.token)
        assert now.until > time.time()
        cancel_run(faults.instance, run.run_id)
    for run in runs:
        assert faults.settled(run, "holds").status is RunStatus.CANCELED


THREADED = CODE + "threading.Thread(target=hang, name='of a library', daemon=True).start()\n"


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("code", "command"), [(THREADED, "dev"), (CODE, "dev --start-method spawn"), (THREADED, "dev --start-method fork")],
    ids=["auto", "spawn", "fork"],
)  # fmt: skip
def test_faults_in_fresh_interpreters(tmp_path: Path, code: str, command: str) -> None:
    """A library that starts a thread when it is imported: its location is not forked, unless that is asked for."""
    with closing(Faults(tmp_path, code, command)) as faults:
        assert ("of a library" in faults.warned) == (code == THREADED and command == "dev")
        for fault in [*DEATHS, *HARMLESS]:
            for inside in (False, True):
                run = faults.settled(faults.misbehave(fault, inside), fault)
                assert b"last words" in faults.printed(run, fault)
                assert run.is_success == (fault in HARMLESS), faults.messages(run) + faults.said(run)
        for fault in STUBBORN:
            for inside in (False, True):
                run = faults.misbehave(fault, inside)
                faults.until(lambda run=run: faults.marks(f"begins={run.run_id}"))
                cancel_run(faults.instance, run.run_id)
                assert faults.settled(run, fault).status is RunStatus.CANCELED
        faults.until(faults.idle)
