"""Pipes: external processes, in any language, that are told what to make and report what they made.

The process gets two parameters (environment variables, or arguments of its command line), each base64 of zlib of JSON:
where its context is, and where to write messages. The published `dagster-pipes` package speaks this on the other side.
A session is an injector and a reader while the process runs; nothing of it (thread, file) outlives it.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import signal
import subprocess
import sys
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from treadle.author.contexts import OpExecutionContext
from treadle.author.outcomes import AssetCheckResult, MaterializeResult
from treadle.core.keys import AssetKey
from treadle.core.metadata import MetadataValue, normalize
from treadle.errors import InvariantError, InvocationError, PipesError
from treadle.runtime.pipe_channels import (
    COMPOSITE,
    PipesContextInjector,
    PipesTempFileContextInjector,
    PipesTempFileMessageReader,
)
from treadle.runtime.pipe_messages import (
    Params,
    PipesExecutionResult,
    PipesLaunchedData,
    PipesMessageHandler,
    PipesMessageReader,
)

CONTEXT_PARAM = "DAGSTER_PIPES_CONTEXT"
MESSAGES_PARAM = "DAGSTER_PIPES_MESSAGES"


@dataclass
class PipesSession:
    """An external process as the step sees it: what to give it, and what it reported.

    Attributes:
        context_data: what the process is told.
        message_handler: takes its messages.
        context_injector_params, message_reader_params: with what it finds its context, and where to write.
        context: the context of the step.
        created_at: when the session began.
    """

    context_data: Mapping[str, Any]
    message_handler: PipesMessageHandler
    context_injector_params: Params
    message_reader_params: Params
    context: OpExecutionContext
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def default_remote_invocation_info(self) -> dict[str, str]:
        """Tags for what is launched elsewhere, so that people find the run it belongs to."""
        info = {"dagster/run-id": self.context.run_id, "dagster/job": self.context.job_name}
        if self.context.has_partition_key:
            info["dagster/partition"] = self.context.partition_key
        return info

    def get_bootstrap_params(self) -> Mapping[str, Any]:
        """What the process has to be given, by name, as plain data."""
        return {CONTEXT_PARAM: self.context_injector_params, MESSAGES_PARAM: self.message_reader_params}

    def get_bootstrap_env_vars(self) -> Mapping[str, str]:
        """What the process has to be given, as environment variables."""
        return _as_env(self.get_bootstrap_params())

    def get_bootstrap_cli_arguments(self) -> Mapping[str, str]:
        """What the process has to be given, as arguments of its command line."""
        return _as_arguments(self.get_bootstrap_params())

    def get_per_writer_bootstrap_env_vars(self) -> Sequence[Mapping[str, str]]:
        """What each process has to be given, as environment variables, if there are several."""
        return [_as_env(params) for params in self._per_writer()]

    def get_per_writer_bootstrap_cli_arguments(self) -> Sequence[Mapping[str, str]]:
        """What each process has to be given, as arguments of its command line, if there are several."""
        return [_as_arguments(params) for params in self._per_writer()]

    def _per_writer(self) -> Iterator[Params]:
        for params in self.message_reader_params.get(COMPOSITE) or [self.message_reader_params]:
            yield {CONTEXT_PARAM: self.context_injector_params, MESSAGES_PARAM: params}

    def report_launched(self, launched_payload: PipesLaunchedData) -> None:
        """Tell the message reader what is known of the process now that it is launched."""
        self.message_handler.on_launched(launched_payload)

    def get_reported_results(self) -> Sequence[PipesExecutionResult]:
        """What the process reported about assets and checks, in order."""
        return self.message_handler.get_reported_results()

    def get_custom_messages(self) -> Sequence[Any]:
        """What the process sent of its own, in order."""
        return self.message_handler.get_custom_messages()

    def get_results(
        self, *, implicit_materializations: bool = True, metadata: Mapping[str, Any] | None = None
    ) -> Sequence[PipesExecutionResult]:
        """What the step is to return. Call it after the session, when everything has been read.

        Args:
            implicit_materializations: whether assets that the step makes and the process did not report on count as
                made.
            metadata: added to each result.
        """
        results = list(self.get_reported_results())
        if implicit_materializations:
            reported = {one.asset_key for one in results if isinstance(one, MaterializeResult)}
            missing = sorted(self.context.selected_asset_keys - reported)
            results += [MaterializeResult(asset_key=key, metadata={}) for key in missing]
        return tuple(_with_metadata(result, metadata) for result in results) if metadata else tuple(results)


def _with_metadata(result: PipesExecutionResult, metadata: Mapping[str, Any]) -> PipesExecutionResult:
    both = {**(result.metadata or {}), **metadata}
    if isinstance(result, MaterializeResult):
        return MaterializeResult(asset_key=result.asset_key, metadata=both, data_version=result.data_version)
    return AssetCheckResult(
        passed=result.passed, asset_key=result.asset_key, check_name=result.check_name, metadata=both,
        severity=result.severity, description=result.description,
    )  # fmt: skip


def _as_env(params: Mapping[str, Any]) -> dict[str, str]:
    try:
        texts = {name: json.dumps(value) for name, value in params.items()}
    except TypeError as error:
        raise InvocationError(f"What is given to an external process must be JSON: {error}.") from error
    return {name: base64.b64encode(zlib.compress(text.encode())).decode() for name, text in texts.items()}


def _as_arguments(params: Mapping[str, Any]) -> dict[str, str]:
    return {"--" + name.lower().replace("_", "-"): text for name, text in _as_env(params).items()}


@contextmanager
def open_pipes_session(
    context: OpExecutionContext,
    context_injector: PipesContextInjector,
    message_reader: PipesMessageReader,
    extras: Mapping[str, Any] | None = None,
) -> Iterator[PipesSession]:
    """A session, for a process that you launch yourself inside the `with` block. Wait there until it is done.

    Args:
        context: the context of the step.
        context_injector: takes the context to the process.
        message_reader: brings its messages back.
        extras: anything that is JSON, for the process: `PipesContext.extras` there.

    Example:
        with open_pipes_session(context, PipesTempFileContextInjector(), PipesTempFileMessageReader()) as session:
            cluster.run(script, env=session.get_bootstrap_env_vars())
        return session.get_results()

    Raises:
        InvocationError: the extras are not JSON.
    """
    data = _context_data(context, extras or {})
    handler = PipesMessageHandler(context, message_reader)
    context._step.must_report = True
    with context_injector.inject_context(data) as injected, handler.handle_messages() as params:
        yield PipesSession(data, handler, injected, params, context)
    if not handler.received_opened_message:
        context.log.warning(
            "Pipes: no message came from the external process. Look at what it printed. %s %s",
            context_injector.no_messages_debug_text(),
            message_reader.no_messages_debug_text(),
        )
    elif not handler.received_closed_message:
        context.log.warning(
            "Pipes: the external process did not say that it is done, so messages may be missing. In it, use "
            "`with open_dagster_pipes() as pipes:`, or call pipes.close() before it ends."
        )


def _context_data(context: OpExecutionContext, extras: Mapping[str, Any]) -> dict[str, Any]:
    keys = sorted(context.selected_asset_keys) if context.has_assets_def else None
    specs = {spec.key: spec for spec in context.assets_def.specs} if context.has_assets_def else {}
    span = context.partition_key_range if context.has_partitions else None
    data = {
        "asset_keys": None if keys is None else [key.to_user_string() for key in keys],
        "code_version_by_asset_key": _by_name(keys, lambda key: specs[key].code_version),
        "provenance_by_asset_key": _by_name(keys, lambda key: _provenance(context, key)),
        "partition_key": context.partition_key if context.has_partition_key else None,
        "partition_key_range": None if span is None else {"start": span.start, "end": span.end},
        "partition_time_window": _time_window(context),
        "run_id": context.run_id,
        "job_name": context.job_name,
        "retry_number": context.retry_number,
        "extras": dict(extras),
    }
    _as_env(data)  # says what is no JSON before anything is launched
    return data


def _by_name(keys: Iterable[AssetKey] | None, of: Callable[[AssetKey], Any]) -> dict[str, Any] | None:
    return None if keys is None else {key.to_user_string(): of(key) for key in keys}


def _provenance(context: OpExecutionContext, key: AssetKey) -> dict[str, Any] | None:
    try:
        found = context.get_asset_provenance(key)
    except InvariantError:  # a function called by hand, without an instance: nothing is known
        found = None
    if found is None:
        return None
    inputs = {source.to_user_string(): version.value for source, version in found.input_data_versions.items()}
    return {
        "code_version": found.code_version,
        "input_data_versions": inputs,
        "is_user_provided": found.is_user_provided,
    }


def _time_window(context: OpExecutionContext) -> dict[str, str] | None:
    if not context.has_partitions:
        return None
    if not hasattr(context._step.run_partitions_def(), "time_window_for_partition_key"):
        return None
    window = context.partition_time_window
    return {"start": window.start.isoformat(), "end": window.end.isoformat()}


# --- clients --------------------------------------------------------------------------------------------------------


class PipesClientCompletedInvocation:
    """What an external process did, once it is done.

    Args:
        session: its session.
        metadata: added to everything that it reported.
    """

    def __init__(self, session: PipesSession, metadata: Mapping[str, Any] | None = None) -> None:
        self._session = session
        self._metadata = normalize(metadata, "what a Pipes client adds")

    @property
    def metadata(self) -> Mapping[str, MetadataValue]:
        """What the client added to the results."""
        return self._metadata

    def get_results(self, *, implicit_materializations: bool = True) -> Sequence[PipesExecutionResult]:
        """What the step is to return: everything that was reported.

        Args:
            implicit_materializations: whether assets that the step makes and the process did not report on count as
                made.
        """
        return self._session.get_results(
            implicit_materializations=implicit_materializations, metadata=self._metadata or None
        )

    def get_materialize_result(self, *, implicit_materialization: bool = True) -> MaterializeResult:
        """What the step of one asset is to return; outcomes of checks are in it.

        Raises:
            PipesError: nothing or several assets were reported.
        """
        results = self.get_results(implicit_materializations=implicit_materialization)
        made = [one for one in results if isinstance(one, MaterializeResult)]
        if len(made) != 1:
            raise PipesError(
                f"The external process reported {_count(made, 'asset')}, and get_materialize_result() is for one. "
                + ("Use get_results()." if made else "Report it there, or leave implicit_materialization=True.")
            )
        checks = [one for one in results if isinstance(one, AssetCheckResult)]
        return MaterializeResult(
            asset_key=made[0].asset_key, metadata=made[0].metadata, data_version=made[0].data_version,
            check_results=checks,
        )  # fmt: skip

    def get_asset_check_result(self) -> AssetCheckResult:
        """What the step of one check is to return.

        Raises:
            PipesError: nothing, several checks or assets were reported.
        """
        results = self.get_results(implicit_materializations=False)
        checks = [one for one in results if isinstance(one, AssetCheckResult)]
        if len(checks) != 1 or len(results) != 1:
            made = len(results) - len(checks)
            raise PipesError(
                f"The external process reported {_count(checks, 'check')}{' and assets' if made else ''}, and "
                "get_asset_check_result() is for one. "
                + ("Use get_results()." if results else "Report it there: pipes.report_asset_check(...).")
            )
        return checks[0]

    def get_custom_messages(self) -> Sequence[Any]:
        """What the process sent of its own, in order."""
        return self._session.get_custom_messages()


def _count(found: Sequence[PipesExecutionResult], what: str) -> str:
    names = [one.asset_key.to_user_string() for one in found if one.asset_key is not None]
    return f"{len(found)} {what}s ({', '.join(names)})" if names else f"no {what}"


class PipesClient(ABC):
    """Base of what launches external processes of one kind. Functions can take it as a resource."""

    __treadle_resource__ = True

    @abstractmethod
    def run(
        self, *, context: OpExecutionContext, extras: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> PipesClientCompletedInvocation:
        """Launch the process, wait until it is done, and give what it reported."""


@dataclass(eq=False, repr=False)
class PipesSubprocessClient(PipesClient):
    """Runs commands on this machine.

    Args:
        env: environment variables for each, beside those of this process.
        cwd: the working directory of each.
        context_injector: takes the context there; by default a temporary file.
        message_reader: brings messages back; by default a temporary file.
        forward_termination: whether a command is interrupted when its step is (SIGINT, what Ctrl-C sends). If not, it
            is left running.
        forward_stdio: whether what it prints goes where this process prints. If not, it is lost.
        termination_timeout_seconds: how long an interrupted command may take to end before it is killed.
    """

    env: Mapping[str, str] | None = None
    cwd: str | None = None
    context_injector: PipesContextInjector | None = None
    message_reader: PipesMessageReader | None = None
    forward_termination: bool = True
    forward_stdio: bool = True
    termination_timeout_seconds: float = 20

    def run(  # type: ignore[override]  # a client's own arguments are what it is for
        self,
        *,
        context: OpExecutionContext,
        extras: Mapping[str, Any] | None = None,
        command: str | Sequence[str],
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> PipesClientCompletedInvocation:
        """Run a command and wait until it ends.

        Args:
            context: the context of the step.
            extras: anything that is JSON, for the process.
            command: the program and its arguments; a text is split as a shell would.
            env: environment variables, over those of the client.
            cwd: the working directory, instead of the client's.

        Raises:
            PipesError: it cannot be started, or ended with an exit code that is not 0.
        """
        words = shlex.split(command) if isinstance(command, str) else [os.fspath(word) for word in command]
        injector = self.context_injector or PipesTempFileContextInjector()
        reader = self.message_reader or PipesTempFileMessageReader()
        with open_pipes_session(context, injector, reader, extras) as session:
            code = self._call(words, {**(self.env or {}), **(env or {}), **session.get_bootstrap_env_vars()}, cwd)
        if code:
            raised = "".join(f" It raised {text}." for text in session.message_handler.exceptions)
            ended = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            raise PipesError(
                f"The external process of {context.op_def.name!r} {ended}: {shlex.join(words)}.{raised} What it "
                "printed tells more.",
                command=tuple(words),
                exit_code=code,
            )
        return PipesClientCompletedInvocation(session)

    def _call(self, words: Sequence[str], env: Mapping[str, str], cwd: str | None) -> int:
        printed = None if self.forward_stdio else subprocess.DEVNULL
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # what was printed before it stands before it
        try:
            process = subprocess.Popen(
                words, cwd=cwd or self.cwd, env={**os.environ, **env}, stdout=printed, stderr=printed
            )
        except OSError as error:
            raise PipesError(
                f"Cannot start {shlex.join(words)}: {error}. Is the program installed and on PATH, and does the "
                f"working directory {cwd or self.cwd or os.getcwd()} exist?",
                command=tuple(words),
            ) from error
        try:
            return process.wait()
        except BaseException:
            if self.forward_termination:
                _interrupt(process, self.termination_timeout_seconds)
            raise


def _interrupt(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Ask a process to end as Ctrl-C does, and kill it when it does not in time, or when asked again."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
