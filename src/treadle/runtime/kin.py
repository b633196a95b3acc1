"""What the operating system knows of processes and those they started. On Linux all of it; elsewhere what there is.

A process that starts a new session leaves its group, so groups alone do not find everything that belongs to a run. A
process that adopts orphans does: whatever happens in between, all that descends from it stays below it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn

_SET_PARENT_DEATH_SIGNAL = 1
_SET_NAME = 15
_SET_CHILD_SUBREAPER = 36
WAKE = signal.SIGURG
"""Sent to who was told to end, again and again: a signal that comes just before a process waits does not wake it. To a
process that does not know it, nothing happens."""
WAKE_S = 0.1
LEAVE_S = 2.0
"""How long what a process has printed last may find no reader until it ends without that, in seconds."""
_IS_LINUX = sys.platform == "linux"


@cache
def _libc() -> Any:
    import ctypes  # noqa: PLC0415  commands only ask who lives

    return ctypes.CDLL(None)


def _set(option: int, value: int | bytes) -> None:
    if _IS_LINUX:
        _libc().prctl(option, value, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _set(_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Be killed when the parent ends. `parent` is its id: it may have ended already."""
    _set(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def fork() -> int:
    """`os.fork`, without Python's warning about threads: those of harmless pools stay behind, and others are looked for
    before (`strange_threads`)."""
    if _IS_LINUX:
        _libc()  # once, not in each child
    if sys.version_info < (3, 12):
        return os.fork()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def set_title(text: str) -> None:
    """What `ps` and `top` call this process; its first 15 bytes count."""
    _set(_SET_NAME, text.encode())


def children(pid: int) -> list[int]:
    """The processes whose parent is `pid`."""
    found: list[int] = []
    for thread in _threads(pid):
        try:
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
        except OSError:
            continue
    return found


def descendants(pid: int) -> Iterator[int]:
    """The processes below `pid`, parents before children."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def kill_all(pids: Iterable[int], *, with_groups: bool = False) -> int:
    """Kill these; how many there were. `with_groups`: and all in their process groups, except this process's own, at
    once: no fork in the middle of it escapes."""
    killed = 0
    done = {os.getpgrp()}
    for pid in list(pids):
        with suppress(ProcessLookupError, PermissionError):
            if with_groups and (group := os.getpgid(pid)) not in done:
                done.add(group)
                os.killpg(group, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed


def bearing(mark: str, file: str) -> list[int]:
    """The processes, other than this one, whose program began with `mark` in its environment, or that have a file open
    whose name contains `file`."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()] if _IS_LINUX else []
    return [pid for pid in pids if pid != os.getpid() and (_has_mark(pid, mark.encode()) or has_open(pid, file))]


def _has_mark(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def has_open(pid: int, file: str) -> bool:
    """Whether a process has a file open whose name contains this."""
    with suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                if file in os.readlink(f"/proc/{pid}/fd/{number}"):
                    return True
    return False


def identity(pid: int | None = None) -> str:
    """A process (this one by default), so that others can tell whether it still lives: machine, id, its birth."""
    return _own_identity(os.getpid()) if pid is None else f"{socket.gethostname()}:{pid}:{_birth(pid)}"


@cache
def _own_identity(pid: int) -> str:
    return identity(pid)


def lives(identity: str) -> bool | None:
    """Whether the process of this identity is there; None if it is on another machine."""
    machine, pid, birth = identity.rsplit(":", 2)
    if machine != socket.gethostname():
        return None
    return _birth(int(pid)) == birth


def _birth(pid: int) -> str:
    """When a process was born, in a text that no other process of this id has; empty if there is none."""
    try:
        rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        if Path("/proc/self/stat").exists():
            return ""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return ""
        except PermissionError:
            pass
        return "?"
    fields = rest.split()
    return "" if fields[0] == "Z" else fields[19]


def threads(pid: int | None = None) -> int:
    """How many threads a process has (this one by default), those of C libraries too; 1 where nobody can tell."""
    return len(_threads(os.getpid() if pid is None else pid)) or 1


_HARMLESS = ("openblas", "mkl", "libiomp")
"""Libraries whose pools of threads, one less than there are processors, cope with a fork."""
_COPES = ("jemalloc_bg_thd", "treadle-clock", "treadle-event-writer")
"""Threads that are started again in a child: of an allocator (pandas brings it, by way of pyarrow), and ours."""


def strange_threads() -> list[str]:
    """The names of threads of this process that a forked child would miss, and perhaps wait for."""
    me = os.getpid()
    python = {thread.native_id: thread.name for thread in threading.enumerate()}
    others = [int(thread) for thread in _threads(me) if int(thread) != me]
    if not others:
        return []
    own = _read(f"/proc/{me}/comm")
    names = [python.get(thread) or _read(f"/proc/{me}/task/{thread}/comm") for thread in others]
    mapped = {line.rpartition("/")[2] for line in _read(f"/proc/{me}/maps").splitlines()}
    pools = sum(any(name in library.lower() for name in _HARMLESS) for library in mapped)
    unnamed = names.count(own)  # a library that does not name its threads leaves them the name of the process
    strange = max(0, unnamed - pools * ((os.cpu_count() or 1) - 1))
    return sorted(name for name in names if name and name not in (own, *_COPES)) + ["a thread without a name"] * strange


def memory(pid: int) -> int | None:
    """The memory of a process in bytes, its share of what it shares with others; None if nobody can tell."""
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return None


def pid_of(identity: str) -> int:
    """The id of the process of this identity, on its machine."""
    return int(identity.rsplit(":", 2)[1])


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


class Wakeup:
    """Readable when a signal has come, so that signals can be waited for beside other things. One a process.

    Args:
        numbers: signals to take note of besides those that have a handler of their own.
    """

    def __init__(self, *numbers: signal.Signals) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self._before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)

    def fileno(self) -> int:
        """The descriptor, to wait on."""
        return self._read.fileno()

    def clear(self) -> bool:
        """Forget the signals so far; whether there were any."""
        try:
            return bool(self._read.recv(4096))
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Take note no more; also in a forked child, whose parent keeps its own."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        self._read.close()
        self._write.close()


@contextmanager
def ending_forks() -> Iterator[None]:
    """A process that code inside forks, and that comes out of here as its parent does, ends: all that follows is the
    parent's to do."""
    me = os.getpid()
    code = 0
    try:
        yield
    except BaseException as error:
        if os.getpid() == me:
            raise
        if isinstance(error, SystemExit):
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        elif not isinstance(error, StopIteration | StopAsyncIteration):  # which are the ends of generators
            sys.excepthook(type(error), error, error.__traceback__)
            code = 1
    if os.getpid() != me:
        leave(code)


_forks: list[None] = []  # one for each fork under way, and one more once they are counted


def mind_forks() -> None:
    """From now on `is_forking` tells. To be called after the modules that have hooks of their own are imported."""
    if not _forks:
        _forks.append(None)
        os.register_at_fork(  # functions of C: no handler of a signal can cut them in two
            before=partial(_forks.append, None),
            after_in_parent=_forks.pop,
            after_in_child=partial(_forks.__delitem__, -1),
        )


def is_forking() -> bool:
    """Whether this process is about to fork or has just done so: what is raised then is lost, and locks stay held."""
    return len(_forks) > 1


def only(act: Callable[[], int | None]) -> NoReturn:
    """Do this, and end this process: with the exit code that it gives, or as what it raises says."""
    code = 70
    try:
        code = act() or 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]  # inside `except` there is one
    finally:
        leave(code, LEAVE_S)


def leave(code: int, patience_s: float = 0.0) -> NoReturn:
    """End this process at once, as a forked child has to: what was printed is written, and nothing of the parent's is
    torn down.

    Args:
        patience_s: how long whoever reads what is printed may take nothing until the kernel ends this process, in
            seconds; 0 for any time.
    """
    try:
        if patience_s:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, patience_s)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
    finally:  # whatever a signal raises by now
        os._exit(code)
