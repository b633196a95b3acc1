"""`treadle`: the root of the command line, and the one place where errors become a message and an exit code.

Exit codes: 0 it worked; 1 a run failed, or definitions, settings or the store are broken; 2 the command was called
with something that cannot be right; 130 and 143 interrupted by Ctrl-C or SIGTERM.

A group's module is imported when one of its commands is called, so that `--version` and `--help` load nothing but
click.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from treadle._version import __version__

GROUPS: Mapping[str, tuple[str, str]] = {
    "asset": ("treadle.cli.asset", "List, show, materialize and wipe assets."),
    "daemon": ("treadle.cli.daemon", "Run what is launched, for as long as the machine is up."),
    "definitions": ("treadle.cli.definitions", "Load and check definitions."),
    "dev": ("treadle.cli.dev", "Load the code and run what is launched, until Ctrl-C."),
    "instance": ("treadle.cli.instance", "Show and migrate the instance."),
    "job": ("treadle.cli.job", "List and execute jobs."),
    "pool": ("treadle.cli.pool", "Show and change the limits of concurrency pools."),
    "queue": ("treadle.cli.queue", "Show the runs that wait, and pause the queue."),
    "location": ("treadle.cli.location", "Load code locations again."),
    "run": ("treadle.cli.run", "List, show and delete runs, and read their logs."),
}
ENV_PREFIX = "TREADLE_CLI"


class LazyGroup(click.Group):
    """A group whose members are known by name and help, and imported when one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, without importing anything."""
        return sorted({*GROUPS, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name; imports its module."""
        if cmd_name in GROUPS:
            return import_module(GROUPS[cmd_name][0]).group
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with; a wrong name is answered with the one that was meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = import_module("treadle.core.keys").did_you_mean(args[0], self.list_commands(ctx))
            raise click.UsageError(f"{error.message.rstrip('.')}.{near}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, GROUPS[name][1]) for name in self.list_commands(ctx) if name in GROUPS])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="treadle", message="%(prog)s, version %(version)s")
def cli() -> None:
    """Treadle: declare the data you want to exist; Treadle works out what has to run, runs it, and remembers."""
    load_env_file()


def load_env_file() -> None:
    """Read `.env` of the working directory into the environment. What is set already stays."""
    try:
        with open(".env", encoding="utf-8") as file:
            text = file.read()
    except (FileNotFoundError, IsADirectoryError):
        return
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f".env in {os.getcwd()} cannot be read: {error}. Mend or remove it.") from error
    for key, value in import_module("treadle.cli.env_file").parse(text, os.environ).items():
        os.environ.setdefault(key, value)


def run(
    args: Sequence[str] | None = None, prog_name: str = "treadle", env_prefix: str = ENV_PREFIX,
    command: click.Command = cli,
) -> int:  # fmt: skip
    """Run a command of a root and return its exit code. `env_prefix`: every option has a variable
    `<prefix>_<COMMAND>_<OPTION>`."""
    color = False if os.environ.get("TERM") == "dumb" or os.environ.get("NO_COLOR") else None
    with click.Context(command, color=color).scope(cleanup=False):
        try:
            code: Any = command.main(
                list(args) if args is not None else None, prog_name, standalone_mode=False,
                auto_envvar_prefix=env_prefix, color=color,
            )  # fmt: skip
        except click.ClickException as error:
            return _show(error)
        except click.Abort:
            print("Interrupted.", file=sys.stderr)
            return 130
        except Exception as error:
            return import_module("treadle.cli.failure").report(error)  # the only way that needs it
        return code if isinstance(code, int) else 0


def _show(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    message = error.format_message()
    if not message.endswith((".", "?", "!")):
        message += "."
    message += _hint(error, context)
    hint = f" See `{context.command_path} --help`." if context is not None else ""
    click.echo(f"{click.style('error:', fg='red', bold=True)} {message}{hint}", err=True)
    return error.exit_code


def _hint(error: click.ClickException, context: click.Context | None) -> str:
    """What else there is to say: which variable gave a wrong value, or which command was meant."""
    parameter = getattr(error, "param", None)
    if isinstance(error, click.BadParameter) and parameter is not None and context is not None:
        source = context.get_parameter_source(parameter.name)
        names: list[str] = [parameter.envvar] if isinstance(parameter.envvar, str) else list(parameter.envvar or ())
        names.append(f"{context.auto_envvar_prefix}_{parameter.name.upper()}")
        given = [name for name in names if name in os.environ]
        if source is click.core.ParameterSource.ENVIRONMENT and given:
            return f" The variable {given[0]} says so: change or unset it."
    return ""


def spare_imports() -> None:
    """Have the collector of garbage pass over what has been imported: now, and when the process ends.

    The console script switches it off until here, which is before anything of the user's is imported or runs.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def main() -> None:
    """The console script."""
    gc.disable()  # until `spare_imports`: nothing that is imported is garbage
    code = run()
    spare_imports()
    sys.exit(code)
