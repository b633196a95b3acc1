"""Loggers as definitions: where lines and events of a run go besides its event log. Run config chooses them by name."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from treadle.author.config_types import ConfigType, Field
from treadle.author.configured import Configurable
from treadle.author.executions import CONSOLE_LOGGER
from treadle.author.jobs import JobDefinition
from treadle.author.signature import decorator, signature_of
from treadle.errors import InvocationError
from treadle.spec.config import UNSET


class InitLoggerContext(msgspec.Struct, eq=False):
    """What the function of a logger may look at.

    Attributes:
        logger_config: its config.
        logger_def: its definition.
        job_def: the job whose run it is for; None in a test.
        run_id: the run; None in a test.
    """

    logger_config: Any
    logger_def: LoggerDefinition | None = None
    job_def: JobDefinition | None = None
    run_id: str | None = None


def build_init_logger_context(logger_config: Any = None, job_def: JobDefinition | None = None) -> InitLoggerContext:
    """A context to call a logger definition with in a test.

    Args:
        logger_config: its config.
        job_def: the job that it is for.
    """
    return InitLoggerContext(logger_config, None, job_def)


class LoggerDefinition(Configurable):
    """How to set up a `logging.Logger` that gets the lines and events of a run. Made by `@logger`.

    Args:
        logger_fn: takes an `InitLoggerContext` and returns the logger.
        config_schema: its config.
    """

    _what = "logger"

    def __init__(
        self,
        logger_fn: Callable[[InitLoggerContext], logging.Logger],
        config_schema: Any = None,
        description: str | None = None,
    ) -> None:
        self.logger_fn = logger_fn
        self.config_schema = config_schema
        self.description = description

    def __call__(self, *args: Any, **kwargs: Any) -> logging.Logger:
        """Set the logger up in a test, with a context from `build_init_logger_context`; its config is checked.

        Raises:
            InvocationError: it is not called with one context.
            ConfigError: the config does not fit.
        """
        given = [*args, *kwargs.values()]
        if len(given) != 1 or not isinstance(given[0], InitLoggerContext | None):
            raise InvocationError("A logger definition is called with one context: build_init_logger_context(...).")
        context = given[0] or build_init_logger_context()
        config = UNSET if context.logger_config is None else context.logger_config
        return self.start(self.check_config(config), context.job_def, context.run_id)

    def start(self, config: Any, job_def: JobDefinition | None, run_id: str | None) -> logging.Logger:
        """Set the logger up with config that was checked."""
        if not signature_of(self.logger_fn).names and signature_of(self.logger_fn).context is None:
            return self.logger_fn()  # type: ignore[call-arg]  # it needs nothing of the context
        return self.logger_fn(InitLoggerContext(self.resolve_config(config), self, job_def, run_id))

    def configured(
        self,
        config_or_config_fn: Any,
        config_schema: Any = None,
        description: str | None = None,
    ) -> LoggerDefinition:
        """This logger with its config given now, or computed by a function from config as `config_schema` says."""

        return self._configured(config_or_config_fn, config_schema, description)


@decorator("config_schema")
def logger(
    config_schema: Any = None, description: str | None = None
) -> Callable[[Callable[[InitLoggerContext], logging.Logger]], LoggerDefinition]:
    """Make a function that returns a `logging.Logger` a logger definition: `@logger` or `@logger(config_schema=...)`.

    Args:
        config_schema: its config.
    """
    return lambda fn: LoggerDefinition(fn, config_schema, description or fn.__doc__)


_CONSOLE_CONFIG = Field(ConfigType(CONSOLE_LOGGER.schema))
_COLORS = {"WARNING": 33, "ERROR": 31, "CRITICAL": 31, "DEBUG": 34, "INFO": 34}


class _Colored(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.levelname = f"\033[{_COLORS.get(record.levelname, 34)}m{record.levelname}\033[0m"
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """Each line a JSON object with all that is known of it, whatever the format says."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        known: Mapping[str, Any] = {key: value for key, value in vars(record).items() if key not in ("args", "msg")}
        return json.dumps(known, sort_keys=True, default=repr)


def _console(context: InitLoggerContext, formatter: logging.Formatter) -> logging.Logger:
    """A logger of its own (not that of the application with this name) that writes to stderr."""
    config = context.logger_config
    made = logging.Logger(config["name"], config["log_level"].upper())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    made.addHandler(handler)
    return made


@logger(config_schema=_CONSOLE_CONFIG, description="Writes to stderr, with colors.")
def colored_console_logger(context: InitLoggerContext) -> logging.Logger:
    """Writes to stderr, with colors."""
    return _console(context, _Colored("%(asctime)s - %(name)s - %(levelname)s - %(message)s", "%Y-%m-%d %H:%M:%S %z"))


@logger(config_schema=_CONSOLE_CONFIG, description="Writes to stderr, each line a JSON object.")
def json_console_logger(context: InitLoggerContext) -> logging.Logger:
    """Writes to stderr, each line a JSON object."""
    return _console(context, JsonFormatter())


def default_loggers() -> Mapping[str, LoggerDefinition]:
    """What `loggers` in run config may name where a job declares none."""
    return {"console": colored_console_logger}
