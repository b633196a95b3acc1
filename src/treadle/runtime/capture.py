"""Capture of stdout and stderr, of the process and its children, into two files.

The file descriptors themselves are turned, so that C code and subprocesses are captured too, a kill loses nothing, and
other processes read along. One pair of files serves all steps of a process; a step's share is where the files stood
when it began and ended. A thread copies what arrives to where it would have gone, so that a terminal still shows it.

- A line that Python prints is in the file when `print` returns, so that the last words of a process that is killed are
  kept. Only a burst of lines is buffered, for a tenth of a second at most.
- What the files cannot take (the disk is full, say) is no fault of who prints: from then on everything goes where it
  would have gone without capture (nowhere, if nobody may be there to read), and `lost` says so.
- Who prints never waits for who reads along: what the place where it would have gone does not take is copied later.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from treadle.runtime.clock import Repeated

_INTERVAL_S = 0.1
_MANY_LINES = 500
"""So many lines since the last look are a burst: from then on they are written in blocks, until few bytes come."""
_FEW_BYTES = 32 * 1024
_PIECE = select.PIPE_BUF
"""So many bytes at once are taken by a pipe that says it is ready. A file takes more."""
_LARGE_PIECE = 1 << 16
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class Capture:
    """Captures from `start` to `stop`.

    Args:
        stdout, stderr: the files, appended to.
        echo: called with 1 or 2 and new bytes; by default they go to where the descriptor led before.
        patience_s: how long `stop` waits for whoever reads there and does not, in seconds; None for ever.

    Attributes:
        lost: why not everything is in the files, once something is not.
    """

    def __init__(
        self,
        stdout: Path,
        stderr: Path,
        echo: Callable[[int, bytes], None] | None = None,
        patience_s: float | None = None,
    ) -> None:
        self._paths = {1: stdout, 2: stderr}
        self._echo = echo
        self._patience_s = patience_s
        self._files: dict[int, int] = {}
        self._saved: dict[int, int] = {}
        self._copied: dict[int, int] = {}  # how far what is in the files was copied on
        self._pieces: dict[int, int] = {}
        self._streams: list[_Stream] = []
        self._is_early = False  # a burst of lines is why it is looked at
        self._copying = threading.RLock()  # whoever was interrupted while it took it has it, and can stop
        self._following = Repeated(self._follow)
        self.lost: str | None = None

    def start(self) -> None:
        """Turn the descriptors to the files; if they cannot be made, `lost` says why, and nothing is captured."""
        _flush()
        try:
            for fd, path in self._paths.items():
                self._files[fd] = _opened(path)
        except OSError as error:
            self._give_up(error)
            self._close()
            return
        for fd, file in self._files.items():
            self._copied[fd] = os.fstat(file).st_size
            self._saved[fd] = saved = _duplicate(fd)
            self._pieces[fd] = _LARGE_PIECE if stat.S_ISREG(os.fstat(saved).st_mode) else _PIECE
            os.dup2(file, fd)
        for fd, stream in ((1, sys.stdout), (2, sys.stderr)):
            with contextlib.suppress(AttributeError, OSError, ValueError):  # replaced by something, or closed
                if type(stream) is io.TextIOWrapper and stream.fileno() == fd:
                    self._streams.append(_Stream(stream, fd, self._no_room, self._hurry))
        self._following.start(_INTERVAL_S)

    def position(self) -> tuple[int, int] | None:
        """How many bytes of stdout and stderr there are by now; None if nothing is captured. What was captured so far
        is also copied on."""
        if len(self._files) < len(self._paths):
            return None
        _flush()
        self._copy()
        return os.fstat(self._files[1]).st_size, os.fstat(self._files[2]).st_size

    def stop(self) -> None:
        """Turn the descriptors back. What was captured last is still copied on."""
        _flush()
        self._following.stop(self._patience_s)
        for stream in self._streams:
            stream.give_back()
        for fd, saved in self._saved.items():
            os.dup2(saved, fd)
        self._copy(self._patience_s)
        self._close()

    def _close(self) -> None:
        self._pieces.clear()
        for descriptors in (self._files, self._saved):
            for fd in descriptors.values():
                os.close(fd)
            descriptors.clear()

    def _hurry(self) -> None:
        self._is_early = True
        self._following.soon()

    def _follow(self) -> float:
        is_early, self._is_early = self._is_early, False
        for stream in self._streams:
            stream.look(is_early)
        if not is_early:
            _flush()
            self._copy()
        return _INTERVAL_S

    def _copy(self, patience_s: float | None = 0.0) -> None:
        """Copy what is new as far as it is taken without waiting for longer than `patience_s`; None: all of it."""
        if not self._copying.acquire(timeout=-1 if patience_s is None else patience_s):
            return
        try:
            for fd, piece in self._pieces.items():  # not all of them if the start was interrupted
                while data := os.pread(self._files[fd], piece, self._copied[fd]):
                    if not self._echo and not self._is_ready(fd, patience_s):
                        break
                    self._copied[fd] += len(data)
                    (self._echo or self._write_on)(fd, data)
        finally:
            self._copying.release()

    def pass_on(self, fd: int, data: bytes) -> None:
        """Write to where it would have gone without capture, as much as is taken there without waiting."""
        for start in range(0, len(data), _PIECE):
            if not self._is_ready(fd, 0.0):
                return
            self._write_on(fd, data[start : start + _PIECE])

    def _is_ready(self, fd: int, patience_s: float | None) -> bool:
        poll = select.poll()
        poll.register(self._saved[fd], select.POLLOUT)
        return bool(poll.poll(None if patience_s is None else patience_s * 1000))

    def _write_on(self, fd: int, data: bytes) -> None:
        with contextlib.suppress(OSError):  # where it went before may be gone: a closed pipe, a lost terminal
            os.write(self._saved[fd], data)

    def _no_room(self, fd: int, data: bytes, error: OSError) -> None:
        """The file has not taken this: turn the descriptors back, and pass on what it lacks."""
        if self.lost is None and self._saved:
            self._copy()
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            for turned, saved in self._saved.items():
                os.dup2(saved if self._patience_s is None else nowhere, turned)  # who does not read holds up nobody
            os.close(nowhere)
        self._give_up(error)
        self.pass_on(fd, data)

    def _give_up(self, error: OSError) -> None:
        self.lost = self.lost or f"not everything that is printed is kept in {self._paths[1].parent}: {error.strerror}"


class _Stream:
    """A stream of Python's over a descriptor, with another buffer below it while output is captured. Loggers and others
    that hold the stream keep it."""

    def __init__(
        self, stream: io.TextIOWrapper, fd: int, no_room: Callable[[int, bytes, OSError], None], busy: Callable[[], Any]
    ) -> None:
        self._raw = _Raw(fd, no_room, busy)
        self._stream = stream
        self._before = (stream.buffer, stream.encoding, stream.errors, None, stream.line_buffering)
        self._turn(io.BufferedWriter(self._raw), *self._before[1:4], True)

    def _turn(self, *settings: Any) -> None:
        self._stream.__init__(*settings)  # type: ignore[misc]  # in place: others hold it

    def give_back(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()
        self._turn(*self._before)

    def look(self, is_early: bool) -> None:
        """Write lines at once if they are few since the last look, and in blocks if they are many."""
        raw = self._raw
        many = raw.writes >= _MANY_LINES if self._stream.line_buffering else raw.written >= _FEW_BYTES or is_early
        if not is_early:
            raw.writes = raw.written = 0
        if many == self._stream.line_buffering:
            with contextlib.suppress(OSError, ValueError):
                self._stream.reconfigure(line_buffering=not many)


class _Raw(io.FileIO):
    """A descriptor to write to, which says when it is written to often, and when it takes no more."""

    def __init__(self, fd: int, no_room: Callable[[int, bytes, OSError], None], busy: Callable[[], Any]) -> None:
        super().__init__(fd, "w", closefd=False)
        self._no_room = no_room
        self._busy = busy
        self.writes = 0
        self.written = 0

    def write(self, data: Any, /) -> int:
        self.writes += 1
        self.written += len(data)
        if self.writes == _MANY_LINES:
            self._busy()
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            self._no_room(self.fileno(), bytes(data), error)
            return len(data)


def _opened(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o644)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags, 0o644)


def _duplicate(fd: int) -> int:
    try:
        return os.dup(fd)
    except OSError:  # it is closed
        return os.open(os.devnull, os.O_WRONLY)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # replaced by something, or closed
            stream.flush()
