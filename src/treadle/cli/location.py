"""`treadle location`: the code locations that `treadle dev` or the daemon serves."""

from __future__ import annotations

import click

from treadle.cli import failure
from treadle.cli.home import open_home


@click.group("location")
def group() -> None:
    """Load code locations again."""


@group.command("reload")
@click.argument("name")
def reload(name: str) -> int:
    """Have `treadle dev` or the daemon load the code location NAME again. Runs under way keep their code."""
    from treadle.host.launching import reload_location  # noqa: PLC0415  --help needs none of it

    with open_home(makes=False) as instance:
        record = reload_location(instance, name)
    if record.error is None:
        click.echo(f"{name} is loaded (in {record.load_s or 0:.2f} s). New runs have its new code.")
        return 0
    click.echo(failure.traceback_text(record.error), err=True)
    old = " New runs have the old code." if record.owner is not None else ""
    failure.say(f"The code location {name!r} could not be loaded.{old}")
    return 1
