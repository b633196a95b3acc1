"""`context.log`: a Python logger whose lines become events of the run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from treadle.state.error_info import error_info
from treadle.state.events import Event, LogMessage

_parent = logging.getLogger("treadle.user")


class _EventHandler(logging.Handler):
    def __init__(self, emit: Callable[[Event], None], step_key: str | None) -> None:
        super().__init__()
        self._emit = emit
        self._step_key = step_key

    def handle(self, record: logging.LogRecord) -> Any:
        # No lock: events are ordered by the sink, and a lock held in a fork would never be released in the child.
        error = error_info(record.exc_info[1]) if record.exc_info and record.exc_info[1] else None
        try:
            text = record.getMessage()
        except Exception:  # arguments that do not fit the message: a log line must not fail a step
            text = f"{record.msg} {record.args!r}"
        self._emit(LogMessage(text, record.levelno, self._step_key, error))
        return True


def step_logger(emit: Callable[[Event], None], step_key: str | None) -> logging.Logger:
    """A logger for one step. It passes lines on to the Python logger `treadle.user`, for the application's handlers."""
    logger = logging.Logger("treadle.user.step", logging.DEBUG)
    logger.parent = _parent
    logger.addHandler(_EventHandler(emit, step_key))
    return logger
