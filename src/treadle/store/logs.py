"""Captured stdout and stderr: files, not rows. A log key is a path: a run's id, "compute_logs", and a file key.

Who captures writes the files itself (their paths are given by `paths`) and marks the end with `complete`; readers
follow the files by offset while they grow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from treadle.errors import InvocationError

_CHUNK = 4 * 1024 * 1024


class LogPaths(msgspec.Struct, frozen=True):
    """Where the log of one key is: the files of stdout and stderr, and the file that says that nothing more comes."""

    out: Path
    err: Path
    complete: Path


class LogData(msgspec.Struct, frozen=True):
    """A piece of a captured log.

    Attributes:
        log_key: whose.
        stdout, stderr: bytes since the cursor that was asked with; None if the file is not there.
        cursor: hand it to the next read to get what follows.
    """

    log_key: tuple[str, ...]
    stdout: bytes | None
    stderr: bytes | None
    cursor: str


class LogStore:
    """Captured logs below `root()`, a folder that is asked for only when it is needed."""

    def __init__(self, root: Callable[[], Path]) -> None:
        self._root = root

    def paths(self, log_key: Sequence[str]) -> LogPaths:
        """Where the log of a key is, or would be.

        Raises:
            InvocationError: the key is empty or leads out of the store.
        """
        if not log_key or any(part in ("", ".", "..") or "/" in part or "\0" in part for part in log_key):
            raise InvocationError(f"{list(log_key)!r} is no log key. Give non-empty parts without slashes.")
        folder, name = self._root().joinpath(*log_key[:-1]), log_key[-1]
        return LogPaths(folder / f"{name}.out", folder / f"{name}.err", folder / f"{name}.complete")

    def start(self, log_key: Sequence[str]) -> LogPaths:
        """Make the (empty) files of a log that is about to be captured. An earlier log of that key is continued."""
        paths = self.paths(log_key)
        paths.out.parent.mkdir(parents=True, exist_ok=True)
        paths.out.touch()
        paths.err.touch()
        return paths

    def complete(self, log_key: Sequence[str]) -> None:
        """Say that nothing more comes."""
        paths = self.paths(log_key)
        try:
            paths.complete.touch()
        except FileNotFoundError:
            paths.complete.parent.mkdir(parents=True, exist_ok=True)
            paths.complete.touch()

    def is_complete(self, log_key: Sequence[str]) -> bool:
        """Whether nothing more comes."""
        return self.paths(log_key).complete.exists()

    def read(self, log_key: Sequence[str], cursor: str | None = None, max_bytes: int = _CHUNK) -> LogData:
        """What was captured since `cursor` (None: from the start), at most `max_bytes` of each stream.

        Raises:
            InvocationError: `cursor` is none of this store's.
        """
        paths = self.paths(log_key)
        try:
            out_at, err_at = (int(part) for part in cursor.split(":")) if cursor else (0, 0)
        except ValueError:
            raise InvocationError(f"{cursor!r} is no cursor of a log. Use the `cursor` of the last read.") from None
        out, err = _piece(paths.out, out_at, max_bytes), _piece(paths.err, err_at, max_bytes)
        return LogData(tuple(log_key), out, err, f"{out_at + len(out or b'')}:{err_at + len(err or b'')}")

    def read_part(
        self, log_key: Sequence[str], start: tuple[int, int], end: tuple[int, int] | None = None
    ) -> tuple[bytes, bytes]:
        """What was captured from `start` to `end`, as bytes of stdout and stderr; to now if `end` is None."""
        paths = self.paths(log_key)
        to_out, to_err = (end[0] - start[0], end[1] - start[1]) if end is not None else (-1, -1)
        return _piece(paths.out, start[0], to_out) or b"", _piece(paths.err, start[1], to_err) or b""

    def delete(self, prefix: Sequence[str]) -> None:
        """Delete all logs whose keys begin with `prefix`."""
        folder = self.paths(prefix).out.parent / prefix[-1]
        import shutil  # noqa: PLC0415  as in `cli.output`

        shutil.rmtree(folder, ignore_errors=True)

    def keys(self, prefix: Sequence[str]) -> list[tuple[str, ...]]:
        """Keys of the logs that lie directly below `prefix`, sorted."""
        folder = self.paths(prefix).out.parent / prefix[-1]
        names = (
            {path.stem for path in folder.glob("*") if path.suffix in (".out", ".err")} if folder.is_dir() else set()
        )
        return [(*prefix, name) for name in sorted(names)]


def _piece(path: Path, at: int, size: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            file.seek(at)
            return file.read(size)
    except FileNotFoundError:
        return None
