"""Evidence of a want of memory: what the kernel counts for the control group of this process."""

from __future__ import annotations

import signal
from pathlib import Path

_MEMBERSHIP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def oom_kills(membership: Path = _MEMBERSHIP, groups: Path = _GROUPS) -> int:
    """How often the kernel has killed a process of this one's control group (v2) for want of memory; 0 if unknown."""
    try:
        line = next(line for line in membership.read_text().splitlines() if line.startswith("0::"))
        counts = (groups / line[3:].lstrip("/") / "memory.events").read_text().split()
        return int(counts[counts.index("oom_kill") + 1])
    except (OSError, StopIteration, ValueError):
        return 0


def how_ended(code: int, kills: int) -> str:
    """In words how a process ended: `code` is what it exited with, or minus the signal's number; `kills` how often the
    kernel killed for want of memory meanwhile. Without that evidence a kill is not called so."""
    if code >= 0:
        return f"ended with exit code {code}"
    if -code == signal.SIGKILL and kills:
        return "was killed by the kernel (SIGKILL): its control group was out of memory,"
    return f"was killed by {signal.Signals(-code).name}, which Treadle did not send,"
