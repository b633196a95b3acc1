"""`context.log`: a Python logger whose lines become events of the run; other loggers whose lines do, too, and loggers
that get what a run logs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from treadle.author.contexts import running
from treadle.author.jobs import JobDefinition
from treadle.author.loggers import default_loggers
from treadle.errors import InvariantError, TreadleError, UserCodeError
from treadle.runtime.limits import raise_if_late
from treadle.state.error_info import error_info
from treadle.state.events import EngineEvent, Event, EventLogEntry, LogMessage

_parent = logging.getLogger("treadle.user")


class _EventHandler(logging.Handler):
    def __init__(self, emit: Callable[[Event], None], step_key: str | None, level: int | str = logging.DEBUG) -> None:
        super().__init__(level)
        self._emit = emit
        self._step_key = step_key

    def handle(self, record: logging.LogRecord) -> Any:
        # No lock: events are ordered by the sink, and a lock held in a fork would never be released in the child.
        error = error_info(record.exc_info[1]) if record.exc_info and record.exc_info[1] else None
        try:
            text = record.getMessage()
        except Exception:  # arguments that do not fit the message: a log line must not fail a step
            text = f"{record.msg} {record.args!r}"
        step_key, emit = self._place()
        emit(LogMessage(text, record.levelno, step_key, error))
        return True

    def _place(self) -> tuple[str | None, Callable[[Event], None]]:
        return self._step_key, self._emit


class _ManagedHandler(_EventHandler):
    """On loggers of libraries: a line belongs to the step that is running."""

    def handle(self, record: logging.LogRecord) -> Any:
        return False if record.name.startswith(_parent.name) else super().handle(record)  # those are events already

    def _place(self) -> tuple[str | None, Callable[[Event], None]]:
        step = running.get()
        if step is None:
            return None, self._emit
        scope = getattr(step, "scope", None)  # one in a thread has a log of its own
        return step.step_key, scope.emit if scope is not None else self._emit


class _StepLogger(logging.Logger):
    def handle(self, record: logging.LogRecord) -> None:
        super().handle(record)
        raise_if_late()


@contextmanager
def managed(
    names: Sequence[str], level: int | str | None, handlers: Mapping[str, Any], emit: Callable[[Event], None]
) -> Iterator[list[logging.Logger]]:
    """While inside, the lines of Python loggers become events. Gives the loggers that the run is to log to.

    Args:
        names: the Python loggers; `root` stands for all.
        level: the level that they have meanwhile; None to leave it as it is.
        handlers: the `handlers` (and their `formatters`) that get what the run logs, as in `logging.config`.
    """
    handler = _ManagedHandler(emit, None)
    found = [logging.getLogger(None if name == "root" else name) for name in names]
    before = [one.level for one in found]
    own = _with_handlers(handlers)
    for one in found:
        one.addHandler(handler)
        if level is not None:
            one.setLevel(level)
    try:
        yield own
    finally:
        for one, its_own in zip(found, before, strict=True):
            one.removeHandler(handler)
            one.setLevel(its_own)
        for one in own:
            for opened in list(one.handlers):
                one.removeHandler(opened)
                opened.close()


def _with_handlers(config: Mapping[str, Any]) -> list[logging.Logger]:
    if not config.get("handlers"):
        return []
    from logging.config import dictConfig  # noqa: PLC0415  # loads sockets and threads, for the few who have handlers

    own = {"handlers": list(config["handlers"]), "level": "DEBUG", "propagate": False}
    dictConfig({**config, "version": 1, "disable_existing_loggers": False, "loggers": {"treadle.runs": own}})
    return [logging.getLogger("treadle.runs")]


def step_logger(
    emit: Callable[[Event], None], step_key: str | None, level: int | str = logging.DEBUG
) -> logging.Logger:
    """A logger for one step. It passes lines on to the Python logger `treadle.user`, for the application's handlers.

    Args:
        level: lines below it are dropped.
    """
    logger = _StepLogger("treadle.user.step", level)
    logger.parent = _parent
    logger.addHandler(_EventHandler(emit, step_key, level))
    return logger


def start_loggers(job: JobDefinition, configs: Mapping[str, Any], run_id: str) -> list[logging.Logger]:
    """The loggers that run config names, set up.

    Raises:
        InvariantError: the function of one returned something else.
        UserCodeError: it raised.
    """
    declared = job.logger_defs or default_loggers()
    found = []
    for key, config in configs.items():
        try:
            made = declared[key].start(config, job, run_id)
        except TreadleError:
            raise
        except Exception as error:
            text = f"The function of logger {key!r} of job {job.name!r} raised {type(error).__name__}: {error}."
            raise UserCodeError(text, user_exception=error) from error
        if not isinstance(made, logging.Logger):
            raise InvariantError(
                f"The function of logger {key!r} returned {type(made).__name__}. Return a logging.Logger."
            )
        found.append(made)
    return found


def forward(loggers: list[logging.Logger], entry: EventLogEntry, job_name: str) -> Iterator[EngineEvent]:
    """Pass a line or event of a run on to loggers, which take it or leave it by its level. One that raises gets no more
    (a log line must not fail a run): gives what to say about it."""
    event = entry.event
    kind = () if type(event) is LogMessage else (event.event_type.value,)
    parts = [job_name, entry.run_id, *([event.step_key] if event.step_key else ()), *kind, event.message]
    for one in list(loggers):
        try:
            one.log(event.level, "%s", " - ".join(parts), extra={"run_id": entry.run_id, "step_key": event.step_key})
        except Exception as fault:
            loggers.remove(one)
            text = f"The logger {one.name!r} of this run gets no more lines: it raised {type(fault).__name__}: {fault}"
            yield EngineEvent(text, error=error_info(fault))
