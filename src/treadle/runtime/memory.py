"""What tells how much a process uses, and that it ended for want of memory: what the kernel counts and records."""

from __future__ import annotations

import os
import re
import resource
import signal
from pathlib import Path

_MEMBERSHIP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_RECORD = Path("/dev/kmsg")
_GROUP = re.compile(r"^(?:0:|\d+:(?:\S*,)?memory(?:,\S*)?):(.*)$", re.MULTILINE)
_KILLED = re.compile(rb"[Oo]ut of memory.*: Killed process (\d+) ")
_FIRST_NAMESPACE = "pid:[4026531836]"


def resident_kib() -> int:
    """The memory of this process now, with what it shares, in KiB; its largest so far where nobody can tell."""
    try:
        file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pages = int(os.read(file, 200).split()[1])
    os.close(file)
    return pages * (resource.getpagesize() // 1024)


def oom_kills(membership: Path = _MEMBERSHIP, groups: Path = _GROUPS) -> int:
    """How often the kernel has killed a process of this one's control group for want of memory; 0 if unknown."""
    try:
        folders = [line.lstrip("/") for line in _GROUP.findall(membership.read_text())]
    except OSError:
        return 0
    for folder in folders:  # version 1 has a hierarchy for memory; version 2 has one for all
        for file in (groups / "memory" / folder / "memory.oom_control", groups / folder / "memory.events"):
            try:
                counts = file.read_text().split()
                return int(counts[counts.index("oom_kill") + 1])
            except (OSError, ValueError):
                continue
    return 0


class Kills:
    """The kills of the kernel for want of memory, from the making of this object on."""

    def __init__(self, record: Path = _RECORD) -> None:
        self._counted = oom_kills()
        self._pids: set[int] = set()
        try:
            self._record: int | None = os.open(record, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._record, 0, os.SEEK_END)
            self._is_whole = os.readlink("/proc/self/ns/pid") == _FIRST_NAMESPACE  # else it knows us by other numbers
        except OSError:
            self._record, self._is_whole = None, False

    def include(self, pid: int) -> bool:
        """Whether there is evidence that a process which was killed is among them: it is in the kernel's record; or
        where that cannot be read, the control group has counted a kill that is no other's."""
        if self._record is not None:
            self._read(self._record)
        if pid in self._pids or self._is_whole:
            return pid in self._pids
        is_counted = oom_kills() > self._counted
        self._counted += is_counted
        return is_counted

    def close(self) -> None:
        """Read no more."""
        if self._record is not None:
            os.close(self._record)
            self._record = None

    def _read(self, record: int) -> None:
        while True:
            try:
                line = os.read(record, 8192)
            except BrokenPipeError:  # lines were dropped before they were read
                self._is_whole = False
                continue
            except OSError:
                return
            if not line:
                return
            self._pids.update(map(int, _KILLED.findall(line)))


def how_ended(code: int, is_out_of_memory: bool, is_told: bool = False) -> str:
    """In words how a process ended.

    Args:
        code: what it exited with, or minus the signal's number.
        is_out_of_memory: whether there is evidence that the kernel killed it for want of memory. Without that a kill is
            not called so.
        is_told: whether Treadle has sent it SIGTERM.
    """
    if code >= 0:
        return f"ended with exit code {code}"
    if -code == signal.SIGKILL and is_out_of_memory:
        return "was killed by the kernel (SIGKILL) because memory ran out"
    if -code == signal.SIGTERM and is_told:
        return "was ended by SIGTERM, as it was told to,"
    return f"was killed by {signal.Signals(-code).name}, which Treadle did not send,"
