"""Commands that only `dagster instance` has. Importing this adds them to Treadle's group."""

from __future__ import annotations

import click

from treadle.cli.instance import group


@group.command("reindex")
def reindex() -> None:
    """Build indexes anew. There are none to build: all are part of the store."""
    click.echo("Every index is part of the store and always complete: nothing to build.")
