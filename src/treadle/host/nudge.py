"""Waking whoever waits for something in a home: a byte into a FIFO, by those who wrote to the store.

A nudge carries nothing: who is woken looks at the store. It may be lost, so listeners look now and then as well.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from treadle.errors import StoreError

_FOLDER = "wake"
POOLS = "pools"
"""The name under which those listen who wait for a slot of a pool."""


class Listener:
    """A FIFO of this process in the home. Wait for it to become readable, then `clear` it and look at the store.

    Args:
        home: the home.
        name: who listens: `daemon`, or a run's id. Several may listen under one name.

    Raises:
        StoreError: the home cannot be written to.
    """

    def __init__(self, home: Path, name: str) -> None:
        folder = home / _FOLDER
        self._path = folder / f"{name}.{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)
            os.mkfifo(self._path, 0o600)
        except OSError as error:
            text = f"The home {home} cannot be written to: {error}. Check that this user may, or set TREADLE_HOME."
            raise StoreError(text) from error
        # for writing too, so that it never reads as ended
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

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


def nudge(home: Path, name: str) -> int:
    """Wake all who listen under `name`; how many there were. FIFOs that nobody reads any longer are removed."""
    count = 0
    for path in (home / _FOLDER).glob(f"{name}.*"):
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
