"""`context.log`: a Python logger whose lines become events of the run; and loggers that get what a run logs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from treadle.author.jobs import JobDefinition
from treadle.author.loggers import default_loggers
from treadle.errors import InvariantError
from treadle.state.error_info import error_info
from treadle.state.events import Event, EventLogEntry, LogMessage

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


def start_loggers(job: JobDefinition, configs: Mapping[str, Any], run_id: str) -> list[logging.Logger]:
    """The loggers that run config names, set up.

    Raises:
        InvariantError: the function of one returned something else.
    """
    declared = job.logger_defs or default_loggers()
    found = []
    for key, config in configs.items():
        made = declared[key].start(config, job, run_id)
        if not isinstance(made, logging.Logger):
            raise InvariantError(
                f"The function of logger {key!r} returned {type(made).__name__}. Return a logging.Logger."
            )
        found.append(made)
    return found


def forward(loggers: Iterable[logging.Logger], entry: EventLogEntry, job_name: str) -> None:
    """Pass a line or event of a run on to loggers, which take it or leave it by its level."""
    event = entry.event
    kind = () if type(event) is LogMessage else (event.event_type.value,)
    parts = [job_name, entry.run_id, *([event.step_key] if event.step_key else ()), *kind, event.message]
    for one in loggers:
        one.log(event.level, "%s", " - ".join(parts), extra={"run_id": entry.run_id, "step_key": event.step_key})
