"""What the operating system knows of processes and those they started. On Linux all of it; elsewhere what there is.

A process that starts a new session leaves its group, so groups alone do not find everything that belongs to a run. A
process that adopts orphans does: whatever happens in between, all that descends from it stays below it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_SET_PARENT_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36
_IS_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if _IS_LINUX else None


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    if _libc is not None:
        _libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Be killed when the parent ends. `parent` is its id: it may have ended already."""
    if _libc is not None:
        _libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


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


def kill_all(pids: Iterable[int]) -> int:
    """Kill these; how many there were."""
    killed = 0
    for pid in list(pids):
        try:
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
        killed += 1
    return killed


def identity() -> str:
    """This process, so that another can tell later whether it still lives: machine, id, and when it was born."""
    return f"{socket.gethostname()}:{os.getpid()}:{_birth(os.getpid())}"


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


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
