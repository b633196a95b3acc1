"""`treadle daemon`: what launches runs, for as long as the machine is up."""

from __future__ import annotations

from typing import Any

import click

from treadle.cli.dev import START_METHOD, serve
from treadle.cli.targets import targets_options


@click.group("daemon")
def group() -> None:
    """Run what is launched, for as long as the machine is up."""


@group.command("run")
@targets_options
@START_METHOD
@click.pass_context
def run(ctx: click.Context, start_method: Any, **options: Any) -> None:
    """Load the code and run what is launched. Runs under way go on when this ends."""
    serve(ctx, options, start_method)
