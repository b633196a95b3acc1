"""Errors as people see them: one message that says what, where and what to do; above it, if their code raised, their
traceback.

Frames of this package and of the import machinery are left out: a traceback is read by the one who can mend its lines.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from pathlib import Path

import click
from msgspec import structs

from treadle import errors
from treadle.state.error_info import ErrorInfo, error_info

_OF_THE_CALLER = (errors.ConfigError, errors.InvocationError, errors.RunNotFoundError, errors.UnknownPartitionError)
_MACHINERY = ('  File "<frozen ', f'  File "{Path(os.__file__).with_name("importlib")}')
_OWN_CLASS = re.compile(r"treadle(?:\.\w+)*\.(\w+\.\w+): ")
_MAX_DEPTH = 10


def report(error: Exception) -> int:
    """Print `error` to stderr. Returns the exit code of the process."""
    if not isinstance(error, errors.TreadleError):
        return _unexpected(error)
    if isinstance(error, errors.LoadError | errors.UserCodeError) and error.__cause__ is not None:
        text = traceback_text(error_info(error.__cause__))
        if text.startswith("Traceback") or "\n" in text:
            print(text, file=sys.stderr)
    say(str(error) + ("\nGive run config with --config." if isinstance(error, errors.ConfigError) else ""))
    return 2 if isinstance(error, _OF_THE_CALLER) else 1


def say(message: str) -> None:
    """Print one error on stderr."""
    click.echo(f"{click.style('error:', fg='red', bold=True)} {message}", err=True)


def warn(message: str) -> None:
    """Print something on stderr that goes on in spite of it."""
    click.echo(f"{click.style('warning:', fg='yellow', bold=True)} {message}", err=True)


def _unexpected(error: Exception) -> int:
    """Something that nobody raised on purpose: user code that was called outside of a step, or a fault of ours."""
    info = error_info(error)
    theirs = _theirs(info)
    if not theirs:
        raise error
    info = structs.replace(info, stack=info.stack[info.stack.index(theirs[0]) :])
    print(traceback_text(info), file=sys.stderr)
    say(f"{info.message.strip()} ({theirs[-1].strip().splitlines()[0]}). Mend what the traceback shows.")
    return 1


def _theirs(info: ErrorInfo) -> list[str]:
    """The frames of user code."""
    import sysconfig  # noqa: PLC0415  few runs fail

    installed = [f'  File "{sysconfig.get_path(name)}' for name in ("stdlib", "purelib", "platlib")]
    not_theirs = (*_MACHINERY, *installed)
    return [one for one in info.stack if not one.startswith(not_theirs)]


def root(info: ErrorInfo) -> ErrorInfo:
    """What user code raised, where `info` is only the step around it."""
    return info.cause if info.cls_name == errors.StepExecutionError.__name__ and info.cause is not None else info


def sentence(info: ErrorInfo) -> str:
    """The error on one line: its class (unless it is one of ours, whose messages stand alone), what it said, and
    where."""
    error = root(info)
    message = _without_module(error.message.strip())
    theirs = _theirs(error)
    if not theirs or (not info.stack and error is info):
        return message
    place = re.match(r'\s*File "([^"]+)", line (\d+)', theirs[-1])
    return f"{message} ({place[1]}, line {place[2]})" if place else message


def traceback_text(info: ErrorInfo, depth: int = 0) -> str:
    """`info` in the form of Python's own tracebacks: causes first, frames outermost first, the message last."""
    info = root(info)
    text = ""
    for other, how in ((info.cause, "The above was the cause of:"), (info.context, "While this was handled:")):
        if other is not None and depth < _MAX_DEPTH:
            text += f"{traceback_text(other, depth + 1)}\n\n{how}\n\n"
    frames = [frame for frame in info.stack if not frame.startswith(_MACHINERY)]
    if frames:
        text += "Traceback (most recent call last):\n" + "".join(frames)
    text += _without_module(info.message.rstrip())
    for part in info.parts if depth < _MAX_DEPTH else ():
        text += "\n" + textwrap.indent(traceback_text(part, depth + 1), "  | ")
    return text


def _without_module(message: str) -> str:
    """An error's message without the module of its class; messages of our own errors stand alone."""
    own = _OWN_CLASS.match(message)
    if own is None:
        return message
    module, _, cls = own[1].partition(".")
    return message[own.end() :] if module == "errors" else f"{cls}: {message[own.end() :]}"
