"""Commands that `dagster instance` has and Treadle's group does not: the limits of pools under their old name."""

from __future__ import annotations

import click

from treadle.cli import pool
from treadle.cli.home import open_home
from treadle.host.settings import default_limit


@click.group("concurrency")
def concurrency() -> None:
    """Limits of pools; `treadle pool` tells more."""


@concurrency.command("get")
@click.argument("key", required=False)
@click.option("--all", "everything", is_flag=True, help="Of all pools.")
def get(key: str | None, everything: bool) -> None:
    """Print how many slots of a pool there are, and are held."""
    if key is None and not everything:
        raise click.UsageError("Name a pool, or give --all.")
    with open_home() as instance:
        default = default_limit(instance.settings)
        pools = {one.name: one for one in instance.get_pools()}
    for name in pools if everything else [key or ""]:
        own = pools[name].limit if name in pools else None
        limit = default if own is None else own
        held = len(pools[name].holders) if name in pools else 0
        click.echo(f'"{name}": {held} / {"any number of" if limit is None else limit} slots occupied')
    if everything and not pools:
        click.echo("No pool has a limit. `dagster instance concurrency set KEY LIMIT` gives it one.")


concurrency.add_command(pool.set_limit, "set")
concurrency.add_command(pool.delete_limit, "delete")
COMMANDS = {"instance": {"concurrency": concurrency}}
