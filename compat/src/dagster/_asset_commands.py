"""Commands that only `dagster asset` has. Importing this adds them to Treadle's group."""

from __future__ import annotations

import click

from treadle.cli.asset import group


@group.command("wipe-partitions-status-cache")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--all", "everything", is_flag=True, help="All assets.")
@click.option("--noprompt", is_flag=True, help="Do not ask for confirmation.")
@click.pass_context
def wipe_cache(ctx: click.Context, keys: tuple[str, ...], everything: bool, noprompt: bool) -> None:
    """Forget which partitions are known to be made. There is nothing to forget: the record itself is asked."""
    if bool(keys) is everything:
        raise click.UsageError("Give keys of assets, or --all.", ctx)
    click.echo("The state of partitions is kept with the record and is never stale: nothing to wipe.")
