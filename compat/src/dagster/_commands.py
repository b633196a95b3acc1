"""The command `dagster`: Treadle's commands under their old name, with the options that differ, and those to come.

Most commands and options have the same names in both. A group's module is imported when one of its commands is called.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from dagster import _absent_commands as absent
from dagster._version import __version__
from treadle.cli import main

NO_EFFECT: Mapping[str, str] = {
    "dev": (
        "--log-level= --log-format= --code-server-log-level= --live-data-poll-rate= --use-legacy-code-server-behavior "
        "-v,--verbose --db-statement-timeout= --db-pool-recycle= --db-pool-max-overflow= --shutdown-pipe="
    ),
    "definitions validate": "--load-with-grpc --log-format= --log-level= -v,--verbose",
    "instance migrate": "--bigint-migration",
}
"""Options that mean nothing to Treadle, by command: they are taken and left alone."""

_GRPC = ("--grpc-port", "--grpc-socket", "--grpc-host", "--use-ssl")


_ADDED: Mapping[str, str] = {
    "instance": "dagster._instance_commands",
    "job": "dagster._job_commands",
    "schedule": "dagster._trigger_commands",
    "sensor": "dagster._trigger_commands",
}
"""Where the commands are that a group has beside Treadle's."""


class Root(main.LazyGroup):
    """The groups of Treadle and of Dagster."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, without importing anything."""
        theirs = {path for path in (*absent.GROUPS, *absent.COMMANDS) if " " not in path}
        return sorted({*super().list_commands(ctx), *theirs} - absent.HIDDEN - {"daemon"})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The group of this name, with everything that Dagster has in it."""
        if cmd_name in absent.COMMANDS:
            return absent.command(cmd_name)
        group = super().get_command(ctx, cmd_name) or absent.command(cmd_name)
        if group is None:
            return None
        if not isinstance(group, click.Group):
            return _with_old_options(cmd_name, group)
        added = import_module(_ADDED[cmd_name]).COMMANDS[cmd_name] if cmd_name in _ADDED else {}
        ours = {**added, **group.commands}
        both = copy.copy(group)
        both.commands = dict(absent.members(cmd_name))
        both.commands |= {name: _with_old_options(f"{cmd_name} {name}", one) for name, one in ours.items()}
        return both

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help."""
        rows = []
        for name in self.list_commands(ctx):
            told = main.GROUPS[name][1] if name in main.GROUPS else absent.GROUPS.get(name)
            rows.append((name, told if told is not None else absent.COMMANDS[name][0]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dagster", message="%(prog)s, version %(version)s")
def cli() -> None:
    """The commands of Dagster, run by Treadle."""
    main.load_env_file()


def _with_old_options(path: str, command: click.Command) -> click.Command:
    """The command, which also takes options that only Dagster has."""
    names = {param.name for param in command.params}
    params = [_with_old_names(one) for one in command.params]
    if "workspace" in names:
        params += [click.Option([name], is_flag=name == "--use-ssl", callback=_no_server, **_BESIDE) for name in _GRPC]
    for text in NO_EFFECT.get(path, "").split():
        opts, takes, _ = text.partition("=")
        if not any(set(opts.split(",")) & set(one.opts) for one in command.params):
            params.append(click.Option(opts.split(","), is_flag=not takes, **_BESIDE))
    changed = copy.copy(command)
    changed.params = params
    return changed


_BESIDE: Mapping[str, Any] = {"expose_value": False, "hidden": True}


_OLD_NAMES: Mapping[str, tuple[str, ...]] = {"port": ("--dagit-port",), "host": ("--dagit-host",)}


def _with_old_names(param: click.Parameter) -> click.Parameter:
    """The option, under its old names too. --attribute also is --repository: that is something in a file or module."""
    both = copy.copy(param)
    if param.name == "attribute":
        both.opts = [*param.opts, "-r", "--repository"]
        both.callback = lambda ctx, param, value: None if value == "__repository__" else value
    both.opts = [*both.opts, *_OLD_NAMES.get(param.name or "", ())]
    return both


def _no_server(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value:
        raise click.UsageError(
            f"{param.opts[0]}: definitions cannot be read from a code server yet. Give a file with -f or a module with "
            "-m.",
            ctx,
        )
