"""What external processes report: messages, and what they mean for the step.

A message is one line of JSON: `{"__dagster_pipes_version": "0.1", "method": ..., "params": ...}`. Metadata values come
as `{"raw_value": ..., "type": ...}`, asset keys as text with slashes.
"""

from __future__ import annotations

import json
import logging
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeAlias, TypedDict

import msgspec

from treadle.author.contexts import OpExecutionContext
from treadle.author.outcomes import AssetCheckResult, DataVersion, MaterializeResult
from treadle.core.keys import AssetKey
from treadle.core.metadata import MetadataValue, normalize
from treadle.core.table import TableColumnDep, TableColumnLineage, TableRecord, TableSchema
from treadle.errors import PipesError, TreadleError
from treadle.state.facts import AssetCheckSeverity

Params: TypeAlias = Mapping[str, Any]
PipesExecutionResult: TypeAlias = MaterializeResult | AssetCheckResult
"""What an external process can report: that it made an asset, or how a check came out."""


class PipesLaunchedData(TypedDict, total=False):
    """What is known of a process once it is launched, for message readers. `extras`: anything, by name."""

    extras: Mapping[str, Any]


class PipesMessageReader(ABC):
    """Brings the messages of an external process to the handler of a session. Subclass it for a new way."""

    @abstractmethod
    def read_messages(self, handler: PipesMessageHandler) -> Any:
        """A context manager that gives the params with which the process finds where to write, and reads meanwhile."""

    @abstractmethod
    def no_messages_debug_text(self) -> str:
        """Where messages were looked for: said when nothing came."""

    def on_opened(self, opened_payload: Mapping[str, Any]) -> None:  # noqa: B027  # most readers need not know
        """Called when the process has opened its end, with what it says about itself."""

    def on_launched(self, launched_payload: PipesLaunchedData) -> None:  # noqa: B027  # most readers need not know
        """Called when the process is launched, if the code that launches it calls `session.report_launched`."""

    @property
    def expected_writer_count(self) -> int:
        """How many processes write: the session is closed when all have said that they are done."""
        return 1


class PipesMessageHandler:
    """Turns messages into log lines, results and whatever the process sends of its own. Any thread may call it.

    Args:
        context: the context of the step.
        message_reader: told when the process opens its end and when it is launched.
    """

    def __init__(self, context: OpExecutionContext, message_reader: PipesMessageReader) -> None:
        self.log: logging.Logger = context.log
        self.exceptions: list[str] = []
        self._context = context
        self._reader = message_reader
        self._keys = {key.to_user_string(): key for key in context.selected_asset_keys}
        self._lock = Lock()
        self._opened = self._closed = 0
        self._results: list[PipesExecutionResult] = []
        self._custom: list[Any] = []
        self._methods: Mapping[str, Callable[..., None]] = {
            "opened": self._take_opened,
            "closed": self._take_closed,
            "log": self._take_log,
            "log_external_stream": self._take_stream,
            "report_asset_check": self._take_check,
            "report_asset_materialization": self._take_materialization,
            "report_custom_message": self._take_custom,
        }

    @contextmanager
    def handle_messages(self) -> Iterator[Params]:
        """Reads messages inside; gives the reader's params."""
        with self._reader.read_messages(self) as params:
            yield params

    @property
    def received_opened_message(self) -> bool:
        """Whether a process has opened its end."""
        return self._opened > 0

    @property
    def received_closed_message(self) -> bool:
        """Whether every process has said that it is done."""
        return self._closed >= self._reader.expected_writer_count

    def get_reported_results(self) -> Sequence[PipesExecutionResult]:
        """What was reported about assets and checks so far, in order."""
        return tuple(self._results)

    def get_custom_messages(self) -> Sequence[Any]:
        """What the process sent of its own so far, in order."""
        return tuple(self._custom)

    def on_launched(self, launched_payload: PipesLaunchedData) -> None:
        """Tells the reader about the launched process."""
        self._reader.on_launched(launched_payload)

    def report_pipes_framework_exception(self, origin: str, exc_info: Any) -> None:
        """Log an error that is not the process's own: of a reader, or in what it read. `origin` says where."""
        self.log.error("Pipes: %s in %s: %s", exc_info[0].__name__, origin, exc_info[1], exc_info=exc_info)

    def handle_message(self, message: Mapping[str, Any]) -> None:
        """Take one message.

        Raises:
            PipesError: it is none that the protocol knows.
        """
        try:
            method, params = message["method"], message["params"] or {}
            take = self._methods[method]
        except (KeyError, TypeError):
            raise PipesError(
                f"An external process sent something that is no Pipes message: {message!r:.300}. It needs a `method`, "
                f"one of {', '.join(sorted(self._methods))}, and `params`."
            ) from None
        if self.received_closed_message and method != "log_external_stream":
            self.log.warning("Pipes: a message came after the process had said that it is done: %.300r", message)
        try:
            take(**params)
        except (TypeError, ValueError, TreadleError) as error:
            raise PipesError(
                f"An external process sent a message {method!r} that cannot be used: {type(error).__name__}: {error}"
            ) from error

    def _take_opened(self, extras: Mapping[str, Any] | None = None) -> None:
        with self._lock:
            self._opened += 1
        self.log.info("The external process is connected.")
        self._reader.on_opened({"extras": extras or {}})

    def _take_closed(self, exception: Mapping[str, Any] | None = None) -> None:
        with self._lock:
            self._closed += 1
        if exception:
            name, said = str(exception.get("name") or "an error"), str(exception.get("message") or "").strip()
            text = said if said.startswith(name) else f"{name}: {said}"
            self.exceptions.append(text)
            self.log.error("The external process raised %s\n%s", text, "".join(exception.get("stack") or ()))

    def _take_log(self, message: str, level: str = "INFO") -> None:
        number = logging.getLevelNamesMapping().get(str(level).upper())
        if number is None:
            raise ValueError(f"there is no level {level!r}")
        self.log.log(number, "%s", message)

    def _take_stream(self, stream: str, text: str, extras: Mapping[str, Any] | None = None) -> None:
        (sys.stderr if stream == "stderr" else sys.stdout).write(text)

    def _take_check(
        self,
        asset_key: str,
        check_name: str,
        passed: bool,
        severity: str = "ERROR",
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        result = AssetCheckResult(
            passed=passed, asset_key=self._key(asset_key), check_name=check_name, severity=AssetCheckSeverity(severity),
            metadata=_metadata(metadata),
        )  # fmt: skip
        self._results.append(result)

    def _take_materialization(
        self, asset_key: str, data_version: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        version = DataVersion(data_version) if data_version is not None else None
        key = self._key(asset_key)
        self._results.append(MaterializeResult(asset_key=key, metadata=_metadata(metadata), data_version=version))

    def _take_custom(self, payload: Any) -> None:
        self._custom.append(payload)

    def _key(self, text: str) -> AssetKey:
        if not isinstance(text, str) or not text:
            raise ValueError(f"its asset_key must be text, not {text!r}")
        return self._keys.get(text) or AssetKey.from_user_string(text)


def handle_lines(handler: PipesMessageHandler, text: str) -> None:
    """Hand on the messages in a text. One that cannot be used is told of, and does not stop the others."""
    for line in text.splitlines():
        if line.strip():
            try:
                handler.handle_message(json.loads(line))
            except (PipesError, ValueError):
                handler.report_pipes_framework_exception(f"the message {line:.200}", sys.exc_info())


_METADATA: Mapping[str, Callable[[Any], Any]] = {
    "__infer__": lambda raw: raw,
    "asset": lambda raw: MetadataValue.asset(AssetKey.from_user_string(raw)),
    "bool": MetadataValue.bool,
    "dagster_run": MetadataValue.run,
    "float": MetadataValue.float,
    "int": MetadataValue.int,
    "json": MetadataValue.json,
    "md": MetadataValue.md,
    "notebook": MetadataValue.notebook,
    "null": lambda _: MetadataValue.null(),
    "path": MetadataValue.path,
    "table": lambda raw: MetadataValue.table(
        [TableRecord(record) for record in raw["records"]], _schema(raw["schema"]) if raw.get("schema") else None
    ),
    "table_column_lineage": lambda raw: MetadataValue.column_lineage(
        TableColumnLineage({column: [_dep(dep) for dep in deps] for column, deps in raw["deps_by_column"].items()})
    ),
    "table_schema": lambda raw: MetadataValue.table_schema(_schema(raw)),
    "text": MetadataValue.text,
    "timestamp": MetadataValue.timestamp,
    "url": MetadataValue.url,
}
"""What becomes of a metadata value, by the type that the process gives it."""


def _metadata(sent: Mapping[str, Any] | None) -> dict[str, MetadataValue]:
    values = {}
    for name, value in (sent or {}).items():
        is_typed = isinstance(value, dict) and value.keys() == {"raw_value", "type"}
        kind, raw = (value["type"], value["raw_value"]) if is_typed else ("__infer__", value)
        if kind not in _METADATA:
            raise ValueError(f"metadata {name!r} has the type {kind!r}; there are {', '.join(sorted(_METADATA))}")
        try:
            values[name] = _METADATA[kind](raw)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"metadata {name!r} is no {kind}: {raw!r:.200}") from error
    return normalize(values, "what an external process reports")


def _schema(raw: Any) -> TableSchema:
    return msgspec.convert(_without_none(raw), TableSchema)


def _without_none(raw: Any) -> Any:
    if isinstance(raw, dict):
        return {key: _without_none(value) for key, value in raw.items() if value is not None}
    return [_without_none(item) for item in raw] if isinstance(raw, list) else raw


def _dep(raw: Mapping[str, str]) -> TableColumnDep:
    return TableColumnDep(AssetKey.from_user_string(raw["asset_key"]), raw["column_name"])
