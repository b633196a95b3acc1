"""The two ways between a step and an external process: context injectors take the context there, message readers bring
messages back.

A reader that looks again and again does so in a thread, which ends with the session after a last look.
"""

from __future__ import annotations

import contextvars
import json
import os
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from treadle.runtime.pipe_messages import (
    Params,
    PipesLaunchedData,
    PipesMessageHandler,
    PipesMessageReader,
    handle_lines,
)

COMPOSITE = "dagster_pipes_composite_writers"
_TAIL_S = 0.1


class PipesContextInjector(ABC):
    """Takes the context of a session to where the external process can load it. Subclass it for a new way."""

    @abstractmethod
    def inject_context(self, context_data: Mapping[str, Any]) -> Any:
        """A context manager that puts the data there, and gives the params with which the process finds it."""

    @abstractmethod
    def no_messages_debug_text(self) -> str:
        """Where the context went: said when nothing came back."""


class PipesEnvContextInjector(PipesContextInjector):
    """Puts the context into the params themselves. For contexts of some kilobytes, which an environment can hold."""

    @contextmanager
    def inject_context(self, context_data: Mapping[str, Any]) -> Iterator[Params]:
        yield {"data": context_data}

    def no_messages_debug_text(self) -> str:
        return "Its context was in its environment."


class PipesFileContextInjector(PipesContextInjector):
    """Writes the context to a file that the process can read, and removes it at the end.

    Args:
        path: the file.
    """

    def __init__(self, path: str) -> None:
        self._path = os.fspath(path)

    @contextmanager
    def inject_context(self, context_data: Mapping[str, Any]) -> Iterator[Params]:
        path = Path(self._path)
        path.write_text(json.dumps(context_data))
        try:
            yield {"path": self._path}
        finally:
            path.unlink(missing_ok=True)

    def no_messages_debug_text(self) -> str:
        return f"Its context was in the file {self._path}."


class PipesTempFileContextInjector(PipesContextInjector):
    """Writes the context to a temporary file."""

    @contextmanager
    def inject_context(self, context_data: Mapping[str, Any]) -> Iterator[Params]:
        with (
            tempfile.TemporaryDirectory(prefix="treadle-pipes-") as folder,
            PipesFileContextInjector(os.path.join(folder, "context")).inject_context(context_data) as params,
        ):
            yield params

    def no_messages_debug_text(self) -> str:
        return "Its context was in a temporary file."


class PipesLogReader(ABC):
    """Reads what an external process logs, beside its messages. A message reader starts and stops it."""

    @abstractmethod
    def start(self, params: Params, is_session_closed: Event) -> None:
        """Begin to read, without waiting. `is_session_closed` is set when the process is done."""

    @abstractmethod
    def stop(self) -> None:
        """Read what is left and end."""

    @abstractmethod
    def is_running(self) -> bool:
        """Whether it reads."""

    @abstractmethod
    def target_is_readable(self, params: Params) -> bool:
        """Whether there is something to read yet: it is started as soon as there is."""

    @property
    def name(self) -> str:
        """What messages about it call it."""
        return type(self).__name__

    @property
    def debug_info(self) -> str | None:
        """Something for people that helps to find out why it cannot read."""
        return None

    def with_debug_info(self, message: str) -> str:
        """`message`, with `debug_info` below it if there is any."""
        return f"{message}\n{self.debug_info}" if self.debug_info else message


class _PollingMessageReader(PipesMessageReader):
    """Looks for new messages again and again, in a thread that ends with the session, after a last look.

    Attributes:
        interval: seconds between two looks.
        log_readers: by a number as text.
        opened_payload, launched_payload: what `on_opened` and `on_launched` were told in this session.
    """

    def __init__(self, interval: float = 10, log_readers: Sequence[PipesLogReader] | None = None) -> None:
        self.interval = interval
        self.log_readers: dict[str, PipesLogReader] = {}
        self.opened_payload: Mapping[str, Any] | None = None
        self.launched_payload: PipesLaunchedData | None = None
        self._closed = Event()
        for reader in log_readers or ():
            self.add_log_reader(reader)

    def add_log_reader(self, log_reader: PipesLogReader) -> None:
        """Have one more log read, from the next session on."""
        self.log_readers[str(len(self.log_readers))] = log_reader

    @abstractmethod
    def get_params(self) -> Any:
        """A context manager that gives the params for the process, and takes down what it set up."""

    @abstractmethod
    def messages_are_readable(self, params: Params) -> bool:
        """Whether there is a place to read from yet."""

    @abstractmethod
    def download_messages(self, cursor: int | None, params: Params) -> tuple[int, str] | None:
        """Messages after `cursor`, which is None at first, and the next cursor; None if there are no new ones."""

    def on_opened(self, opened_payload: Mapping[str, Any]) -> None:
        self.opened_payload = opened_payload

    def on_launched(self, launched_payload: PipesLaunchedData) -> None:
        """Keeps what is known of the process. From now on it is in the params that readers get."""
        self.launched_payload = launched_payload

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[Params]:
        self.opened_payload = self.launched_payload = None
        self._closed = Event()
        with self.get_params() as params:
            follow = contextvars.copy_context().run
            thread = Thread(target=follow, args=(self._follow, handler, params), name="treadle-pipes", daemon=True)
            thread.start()
            try:
                yield params
            finally:
                self._closed.set()
                thread.join()

    def _follow(self, handler: PipesMessageHandler, params: Params) -> None:
        cursor: int | None = None
        waiting = dict(self.log_readers)
        said = ""
        while True:
            is_last = self._closed.is_set()  # what comes after it has been set, nobody waits for
            targets = {**params, **(self.launched_payload or {})}
            try:
                if self.messages_are_readable(targets):
                    while (found := self.download_messages(cursor, targets)) is not None:
                        cursor, text = found
                        handle_lines(handler, text)
                self._start_logs(waiting, targets)
            except Exception as error:
                if said != (said := str(error)):  # what a network says again and again is told once
                    handler.report_pipes_framework_exception(type(self).__name__, sys.exc_info())
            if is_last:
                break
            self._closed.wait(self.interval)
        for name, reader in self.log_readers.items():
            if name in waiting:
                text = f"{reader.name} found nothing to read before the external process was done."
                handler.log.warning("%s", reader.with_debug_info(text))
            elif reader.is_running():
                reader.stop()

    def _start_logs(self, waiting: dict[str, PipesLogReader], params: Params) -> None:
        for name, reader in list(waiting.items()):
            if reader.target_is_readable(params):
                del waiting[name]
                reader.start(params, self._closed)


class PipesBlobStoreMessageReader(_PollingMessageReader):
    """Base of readers that get messages as numbered chunks, the first of which is 1, from a store of objects.

    Args:
        interval: seconds between two looks for the next chunk.
        log_readers: read what the process logs.

    Attributes:
        counter: the number of the next chunk.
    """

    def __init__(self, interval: float = 10, log_readers: Sequence[PipesLogReader] | None = None) -> None:
        super().__init__(interval, log_readers)
        self.counter = 1

    @abstractmethod
    def download_messages_chunk(self, index: int, params: Params) -> str | None:
        """The chunk of this number; None if it is not there yet."""

    def download_messages(self, cursor: int | None, params: Params) -> tuple[int, str] | None:
        self.counter = cursor if cursor is not None else 1
        chunk = self.download_messages_chunk(self.counter, params)
        if chunk is None:
            return None
        self.counter += 1
        return self.counter, chunk


class PipesFileMessageReader(_PollingMessageReader):
    """Follows a file to which the process appends messages, ten times a second.

    Args:
        path: the file. It is emptied at the start.
        include_stdio_in_messages: ask the process to send what it prints as messages, too.
        cleanup_file: whether to remove the file at the end.
    """

    def __init__(self, path: str, include_stdio_in_messages: bool = False, cleanup_file: bool = True) -> None:
        super().__init__(_TAIL_S)
        self._path = os.fspath(path)
        self._include_stdio = include_stdio_in_messages
        self._cleanup = cleanup_file

    @contextmanager
    def get_params(self) -> Iterator[Params]:
        Path(self._path).write_bytes(b"")
        try:
            yield {"path": self._path, "include_stdio_in_messages": self._include_stdio}
        finally:
            if self._cleanup:
                Path(self._path).unlink(missing_ok=True)

    def messages_are_readable(self, params: Params) -> bool:
        return os.path.exists(self._path)

    def download_messages(self, cursor: int | None, params: Params) -> tuple[int, str] | None:
        """Whole lines after an offset in bytes; at the end of the session also what has no newline."""
        start = cursor or 0
        with open(self._path, "rb") as file:
            file.seek(start)
            data = file.read()
        if not self._closed.is_set():
            data = data[: data.rfind(b"\n") + 1]
        return (start + len(data), data.decode(errors="replace")) if data else None

    def no_messages_debug_text(self) -> str:
        return f"Its messages were looked for in the file {self._path}."


class PipesTempFileMessageReader(PipesMessageReader):
    """Follows a temporary file to which the process appends messages.

    Args:
        include_stdio_in_messages: ask the process to send what it prints as messages, too.
    """

    def __init__(self, include_stdio_in_messages: bool = False) -> None:
        self._include_stdio = include_stdio_in_messages

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[Params]:
        with tempfile.TemporaryDirectory(prefix="treadle-pipes-") as folder:
            reader = PipesFileMessageReader(os.path.join(folder, "messages"), self._include_stdio, cleanup_file=False)
            with reader.read_messages(handler) as params:
                yield params

    def no_messages_debug_text(self) -> str:
        return "Its messages were looked for in a temporary file."


class PipesCompositeMessageReader(PipesMessageReader):
    """Reads from several processes that work on the same thing, each with a reader of its own.

    `session.get_per_writer_bootstrap_env_vars()` has what each of them is to be given.

    Args:
        readers: one for each process.
    """

    def __init__(self, readers: Sequence[PipesMessageReader]) -> None:
        self._readers = tuple(readers)

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[Params]:
        with ExitStack() as stack:
            yield {COMPOSITE: [stack.enter_context(reader.read_messages(handler)) for reader in self._readers]}

    def on_opened(self, opened_payload: Mapping[str, Any]) -> None:
        for reader in self._readers:
            reader.on_opened(opened_payload)

    def on_launched(self, launched_payload: PipesLaunchedData) -> None:
        for reader in self._readers:
            reader.on_launched(launched_payload)

    @property
    def expected_writer_count(self) -> int:
        return sum(reader.expected_writer_count for reader in self._readers)

    def no_messages_debug_text(self) -> str:
        texts = enumerate(reader.no_messages_debug_text() for reader in self._readers)
        return "\n".join(f"Process {number}: {text}" for number, text in texts)
