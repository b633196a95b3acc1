"""An exception as data: what is stored of it, without the frames of this package above or below the user's own."""

from __future__ import annotations

import contextlib
import importlib
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

import msgspec

_OWN_FOLDER = str(Path(__file__).resolve().parent.parent)
_GLUE = frozenset({contextlib.__file__, importlib.__file__})
"""Where Python goes between our code and what it calls: not of interest, either."""
_MOST_PARTS = 15


class ErrorInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """An exception as data.

    Attributes:
        message: what it said, with its class in front, as the last line of a traceback has it.
        stack: the frames of user code, outermost first, one text each, with their source line.
        cls_name: the name of its class.
        cause: the exception it was raised from, if any.
        parts: the exceptions that it is a group of.
        context: the exception that was being handled when it was raised, if any and if not suppressed.
    """

    message: str
    stack: tuple[str, ...] = ()
    cls_name: str | None = None
    cause: ErrorInfo | None = None
    context: ErrorInfo | None = None
    parts: tuple[ErrorInfo, ...] = ()

    def to_string(self) -> str:
        """The whole as a person expects a traceback: the message, its frames, then its causes."""
        text = f"{self.message.rstrip()}\n"
        if self.stack:
            text += "\nStack trace:\n" + "".join(self.stack)
        for title, other in (
            *(("It has the sub-exception", part) for part in self.parts),
            ("It was raised from", self.cause),
            ("It was raised while this was handled", self.context),
        ):
            if other is not None:
                text += f"\n{title}:\n{other.to_string()}"
        return text


def user_traceback(trace: TracebackType | None) -> TracebackType | None:
    """`trace` from the first frame that is not of this package; all of it if there is none."""
    inner = trace
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
        inner = inner.tb_next
    return inner or trace


def _of_user(frames: Iterable[traceback.FrameSummary]) -> Iterator[traceback.FrameSummary]:
    is_ours = False
    for frame in frames:
        is_ours = frame.filename.startswith((_OWN_FOLDER, "<frozen importlib")) or (is_ours and frame.filename in _GLUE)
        if not is_ours:
            yield frame


def error_info(error: BaseException, *, _depth: int = 0) -> ErrorInfo:
    """`error` as data. Frames inside this package are left out: a user's traceback is theirs."""
    cause = error.__cause__
    context = error.__context__ if cause is None and not error.__suppress_context__ else None
    summary = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    return ErrorInfo(
        message="".join(summary.format_exception_only()),
        stack=tuple(traceback.StackSummary.from_list(list(_of_user(summary.stack))).format()),
        cls_name=type(error).__name__,
        cause=error_info(cause, _depth=_depth + 1) if cause is not None and _depth < 10 else None,
        context=error_info(context, _depth=_depth + 1) if context is not None and _depth < 10 else None,
        parts=tuple(error_info(part, _depth=_depth + 1) for part in error.exceptions[:_MOST_PARTS])
        if isinstance(error, BaseExceptionGroup) and _depth < 10
        else (),
    )
