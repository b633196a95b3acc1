"""`treadle daemon`: what launches runs, for as long as the machine is up."""

from __future__ import annotations

from typing import Any

import click

from treadle.cli.dev import serve
from treadle.cli.targets import targets_options


@click.group("daemon")
def group() -> None:
    """Run what is launched, for as long as the machine is up."""


@group.command("run")
@targets_options
@click.pass_context
def run(ctx: click.Context, **options: Any) -> None:
    """Load the code and run what is launched. Runs under way go on when this ends."""
    serve(ctx, options, cancels=False)
