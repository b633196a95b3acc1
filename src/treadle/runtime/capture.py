"""Capture of stdout and stderr, of the process and its children, into two files.

The file descriptors themselves are turned, so that C code and subprocesses are captured too, a kill loses nothing, and
other processes read along. One pair of files serves all steps of a process; a step's share is where the files stood
when it began and ended. A thread copies what arrives to where it would have gone, so that a terminal still shows it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

_INTERVAL_S = 0.1


class Capture:
    """Captures from `start` to `stop`.

    Args:
        stdout, stderr: the files, appended to.
        echo: called with 1 or 2 and new bytes; by default they go to where the descriptor led before.
    """

    def __init__(self, stdout: Path, stderr: Path, echo: Callable[[int, bytes], None] | None = None) -> None:
        self._paths = {1: stdout, 2: stderr}
        self._echo = echo or self._write_through
        self._saved: dict[int, int] = {}
        self._readers: dict[int, int] = {}
        self._stopped = threading.Event()
        self._copying = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Turn the descriptors to the files."""
        _flush()
        for fd, path in self._paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            self._readers[fd] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            os.lseek(self._readers[fd], 0, os.SEEK_END)
            self._saved[fd] = os.dup(fd)
            os.dup2(target, fd)
            os.close(target)
        self._thread = threading.Thread(target=self._follow, name="treadle-capture", daemon=True)
        self._thread.start()

    def position(self) -> tuple[int, int]:
        """How many bytes of stdout and stderr there are by now. What was captured so far is also copied on."""
        _flush()
        self._copy()
        return os.lseek(1, 0, os.SEEK_END), os.lseek(2, 0, os.SEEK_END)

    def stop(self) -> None:
        """Turn the descriptors back. What was captured last is still copied on."""
        _flush()
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        for fd, saved in self._saved.items():
            os.dup2(saved, fd)
        self._copy()
        for fd in (*self._readers.values(), *self._saved.values()):
            os.close(fd)

    def _follow(self) -> None:
        while not self._stopped.wait(_INTERVAL_S):
            _flush()
            self._copy()

    def _copy(self) -> None:
        with self._copying:
            for fd, reader in self._readers.items():
                while data := os.read(reader, 65536):
                    self._echo(fd, data)

    def _write_through(self, fd: int, data: bytes) -> None:
        with contextlib.suppress(OSError):  # where it went before may be gone: a closed pipe, a lost terminal
            os.write(self._saved[fd], data)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # replaced by something, or closed
            stream.flush()
