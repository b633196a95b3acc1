"""Waking whoever waits for something in a home: a byte into a FIFO, by those who wrote to the store.

A nudge carries nothing: who is woken looks at the store. It may be lost, so listeners look now and then as well.
"""

from __future__ import annotations

import itertools
import os
from contextlib import suppress
from pathlib import Path

from treadle.errors import StoreError

_FOLDER = "wake"
DAEMON = "daemon"
"""The name of the daemon's lease, and the one under which it listens."""
POOLS = "pools"
"""The name under which those listen who wait for a slot of a pool."""
_numbers = itertools.count()


def kept(run_id: str) -> str:
    """The name under which the processes that execute a run seem to listen, until the last of them is dead."""
    return f"{run_id}-kept"


def ear(home: Path, name: str) -> tuple[Path, int]:
    """A new FIFO, open. Somebody listens under `name` for as long as any process has it open.

    Raises:
        StoreError: the home cannot be written to.
    """
    folder = home / _FOLDER
    name = f"{name}.{os.getpid()}-{next(_numbers)}"
    path, new = folder / name, folder / f".{name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        os.mkfifo(new, 0o600)
        # for writing too, so that it never reads as ended
        descriptor = os.open(new, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        new.rename(path)  # now that it is open: whoever finds it unread takes it for one of a dead process
    except OSError as error:
        text = f"The home {home} cannot be written to: {error}. Check that this user may, or set TREADLE_HOME."
        raise StoreError(text) from error
    return path, descriptor


class Listener:
    """A FIFO of this process in the home. Wait for it to become readable, then `clear` it and look at the store.

    Args:
        home: the home.
        name: who listens: `daemon`, or a run's id. Several may listen under one name.

    Raises:
        StoreError: the home cannot be written to.
    """

    def __init__(self, home: Path, name: str) -> None:
        self._path, self._descriptor = ear(home, name)

    def fileno(self) -> int:
        """The descriptor, to wait on."""
        return self._descriptor

    def clear(self) -> bool:
        """Forget the nudges so far. Never ends, so always False."""
        with suppress(BlockingIOError):
            while os.read(self._descriptor, 4096):
                pass
        return False

    def close(self) -> None:
        """Listen no more."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def nudge(home: Path | None, *names: str) -> int:
    """Wake all who listen under these names; how many there were. FIFOs that nobody reads any longer are removed.
    Without a home nobody listens."""
    count = 0
    folder = home / _FOLDER if home is not None else None
    for path in [path for name in names for path in (folder.glob(f"{name}.*") if folder is not None else ())]:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:  # nobody reads: its process is dead
            path.unlink(missing_ok=True)
            continue
        with suppress(OSError):  # full: it has been nudged enough
            os.write(descriptor, b"!")
        os.close(descriptor)
        count += 1
    return count
