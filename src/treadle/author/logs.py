"""A logger for user code that has no context at hand: its lines go where `context.log` of the running step goes."""

from __future__ import annotations

import logging
from functools import cache

from treadle.author.contexts import running


class _UserLogger(logging.Logger):
    def handle(self, record: logging.LogRecord) -> None:
        step = running.get()
        if step is None:
            super().handle(record)
        else:
            step.log.handle(record)


@cache
def get_logger(name: str | None = None) -> logging.Logger:
    """A logger for library code. Inside a step its lines are kept with the run; outside they go to `treadle.user`.

    Example:
        get_logger(__name__).info("read %d rows", count)
    """
    logger = _UserLogger(f"treadle.user.{name}" if name else "treadle.user", logging.DEBUG)
    logger.parent = logging.getLogger("treadle.user")
    return logger
