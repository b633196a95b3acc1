"""Watching folders for changed Python files, in a thread of its own."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable


class Watch:
    """Watches folders, without those below them.

    Args:
        changed: called, in another thread, with the folders whose Python files have changed.
    """

    def __init__(self, changed: Callable[[set[str]], None]) -> None:
        self._changed = changed
        self._folders: frozenset[str] = frozenset()
        self._stop = threading.Event()

    def over(self, folders: Iterable[str]) -> None:
        """Watch these folders from now on."""
        wanted = frozenset(folder for folder in folders if os.path.isdir(folder))
        if wanted == self._folders:
            return
        self.close()
        self._folders, self._stop = wanted, threading.Event()
        if wanted:
            threading.Thread(target=self._look, args=(wanted, self._stop), name="watch", daemon=True).start()

    def close(self) -> None:
        """Watch no more."""
        self._stop.set()

    def _look(self, folders: frozenset[str], stop: threading.Event) -> None:
        try:
            from watchfiles import watch  # noqa: PLC0415  it brings asyncio, and only `treadle dev` needs it, later

            found = watch(
                *folders, watch_filter=lambda _, path: path.endswith(".py"), recursive=False, stop_event=stop, step=200,
                raise_interrupt=False,
            )  # fmt: skip
            for changes in found:
                self._changed({os.path.dirname(path) for _, path in changes})
        except (ImportError, OSError, RuntimeError) as error:  # such as the system's limit of watches
            advice = "After a change call `treadle location reload NAME`."
            sys.stderr.write(f"warning: changed files are not noticed: {error}. {advice}\n")
