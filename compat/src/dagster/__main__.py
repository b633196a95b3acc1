"""`dagster`: the commands of the old name, run by Treadle's command line.

Commands and options have the same names in both, so most of a command line goes through as it is. Here is only what
differs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from dagster._version import __version__
from treadle.cli.main import cli, run

GROUPS = frozenset(
    (
        "api", "asset", "code-server", "debug", "definitions", "dev", "instance", "job", "project", "run", "schedule",
        "sensor",
    )
)  # fmt: skip
"""The commands that `dagster` has, whether or not Treadle has them."""


NO_EFFECT = {
    ("definitions", "validate"): {
        "--load-with-grpc": 0, "--log-format": 1, "--log-level": 1, "--verbose": 0, "-v": 0,
    },
    ("instance", "migrate"): {"--bigint-migration": 0},
}  # fmt: skip
"""Options that mean nothing to Treadle, by command, with how many values each takes: they are taken and left alone."""


def main(args: Sequence[str] | None = None) -> None:
    """The console script."""
    given = list(sys.argv[1:] if args is None else args)
    if given[:1] == ["--version"]:
        print(f"dagster, version {__version__}")  # noqa: T201  # what scripts that ask for it read
        sys.exit(0)
    if given[:2] == ["job", "print"]:
        import_module("dagster._job_print")
    absent = _absent(given)
    if absent is not None:
        print(f"`dagster {absent}` has no counterpart in Treadle. See `dagster --help`.", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    sys.exit(run(_with_effect(given), prog_name="dagster", env_prefix="DAGSTER_CLI"))


def _with_effect(args: Sequence[str]) -> list[str]:
    """The arguments without the options that mean nothing here."""
    without = NO_EFFECT.get(tuple(args[:2]), {})  # pyright: ignore[reportArgumentType, reportCallIssue]
    kept: list[str] = []
    skipped = 0
    for arg in args:
        name, _, value = arg.partition("=")
        if skipped:
            skipped -= 1
        elif name in without:
            skipped = 0 if value else without[name]
        else:
            kept.append(arg)
    return kept


def _absent(args: Sequence[str]) -> str | None:
    """The command that `args` names and Treadle does not have, if so."""
    words = [word for word in args[:3] if not word.startswith("-")]
    command: click.Command | None = cli
    ctx = click.Context(cli)
    said: list[str] = []
    for word in words:
        if not isinstance(command, click.Group):
            return None
        command = command.get_command(ctx, word)
        said.append(word)
        if command is None:
            return " ".join(said) if said[0] in GROUPS else None
    return None


if __name__ == "__main__":
    main()
