"""What the operating system knows of processes and those they started. On Linux all of it; elsewhere what there is.

A process that starts a new session leaves its group, so groups alone do not find everything that belongs to a run. A
process that adopts orphans does: whatever happens in between, all that descends from it stays below it.
"""

from __future__ import annotations

import ctypes
import os
import signal
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


def threads(pid: int | None = None) -> int:
    """How many threads a process has (this one by default), those of C libraries too; 1 where nobody can tell."""
    return len(_threads(os.getpid() if pid is None else pid)) or 1


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
