"""Errors as people see them: one message that says what, where and what to do; above it, if their code raised, their traceback.

Frames of this package and of the import machinery are left out: a traceback is read by the one who can mend its lines.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import click

from treadle.errors import (
    ConfigError,
    InvocationError,
    LoadError,
    RunNotFoundError,
    StepExecutionError,
    TreadleError,
    UnknownPartitionError,
    UserCodeError,
)
from treadle.state.error_info import ErrorInfo, error_info

_OF_THE_CALLER = (ConfigError, InvocationError, RunNotFoundError, UnknownPartitionError)
_MACHINERY = ('  File "<frozen ', f'  File "{Path(sysconfig.get_path("stdlib")) / "importlib"}')
_WRAPPERS = {StepExecutionError.__name__}
_MAX_DEPTH = 10


def report(error: Exception) -> int:
    """Print `error` to stderr. Returns the exit code of the process."""
    if not isinstance(error, TreadleError):
        return _unexpected(error)
    if isinstance(error, LoadError | UserCodeError) and error.__cause__ is not None:
        print(traceback_text(error_info(error.__cause__)), file=sys.stderr)
    print(f"{click.style('error:', fg='red', bold=True) if sys.stderr.isatty() else 'error:'} {error}", file=sys.stderr)
    return 2 if isinstance(error, _OF_THE_CALLER) else 1


def _unexpected(error: Exception) -> int:
    """Something that nobody raised on purpose: user code that was called outside of a step, or a fault of ours."""
    info = error_info(error)
    frames = [frame for frame in info.stack if not frame.startswith(_MACHINERY) and not _is_installed(frame)]
    if not frames:
        raise error
    print(traceback_text(info), file=sys.stderr)
    print(f"error: {frames[-1].strip().splitlines()[0]} raised {info.message.strip()}. Mend it there.", file=sys.stderr)
    return 1


def _is_installed(frame: str) -> bool:
    return any(f'File "{sysconfig.get_path(name)}' in frame for name in ("stdlib", "purelib", "platlib"))


def traceback_text(info: ErrorInfo, depth: int = 0) -> str:
    """`info` in the form of Python's own tracebacks: causes first, frames outermost first, the message last."""
    if info.cls_name in _WRAPPERS and info.cause is not None:
        return traceback_text(info.cause, depth)
    text = ""
    for other, how in ((info.cause, "The above was the cause of:"), (info.context, "While this was handled:")):
        if other is not None and depth < _MAX_DEPTH:
            text += f"{traceback_text(other, depth + 1)}\n\n{how}\n\n"
    frames = [frame for frame in info.stack if not frame.startswith(_MACHINERY)]
    if frames:
        text += "Traceback (most recent call last):\n" + "".join(frames)
    return text + info.message.rstrip()
