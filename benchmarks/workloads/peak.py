"""Peak memory of this process. It imports nothing that could show in the figure."""

from __future__ import annotations

import sys


def peak_mib() -> float:
    """The highest resident size since this program began, in MiB.

    Not `ru_maxrss` where it can be helped: on Linux that one remembers the process that forked us.
    """
    if sys.platform == "linux":
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
