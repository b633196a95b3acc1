"""Every command and option is described in docs/cli.md, and nothing else is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from treadle.cli.main import cli

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
TARGET, EXECUTION = "## Target options", "## Execution options"


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def sections() -> dict[str, str]:
    """The page by headings; `### `treadle run show RUN_ID`` is found as `treadle run show`."""
    parts = re.split(r"^(#{2,3} .*)$", PAGE.read_text(), flags=re.MULTILINE)
    found = {}
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        command = re.match(r"### `([a-z -]+)", heading)
        found[command[1].strip() if command else heading] = text
    return found


def test_every_command_and_option_is_documented() -> None:
    page = sections()
    known: set[str] = set()
    for path, command in commands(cli, "treadle"):
        known.add(path)
        assert path in page, f"{path} is not described"
        text = page[path]
        if "(#target-options)" in text:
            text += page[TARGET]
        if "(#execution-options)" in text:
            text += page[EXECUTION]
        for option in command.params:
            for name in (*option.opts, *option.secondary_opts) if isinstance(option, click.Option) else ():
                assert f"`{name}" in text, f"{name} of {path} is not described"
    described = {heading for heading in page if heading.startswith("treadle ")}
    assert described == known


def test_every_option_has_help() -> None:
    for path, command in commands(cli, "treadle"):
        assert command.help, path
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{option.name} of {path}"
