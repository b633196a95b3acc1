"""`treadle pool`: how many steps may hold a slot of a pool at once."""

from __future__ import annotations

import click

from treadle.cli import output
from treadle.cli.home import open_home
from treadle.errors import InvocationError
from treadle.host.settings import default_limit


@click.group("pool")
def group() -> None:
    """Show and change the limits of concurrency pools."""


@group.command("list")
@output.json_option
def list_pools(as_json: bool) -> None:
    """Show the pools that have a limit or are in use, who holds their slots, and how many wait."""
    with open_home(makes=False) as instance:
        default, pools = default_limit(instance.settings), instance.get_pools()
    if as_json:
        output.print_json([
            {
                "name": pool.name, "limit": pool.limit if pool.limit is not None else default,
                "is_default": pool.limit is None,
                "holders": [{"run_id": run, "step_key": step} for run, step in pool.holders],
                "waiting": [{"run_id": run, "step_key": step} for run, step in pool.waiting],
            }
            for pool in pools
        ])  # fmt: skip
        return
    rows = [("pool", "held", "limit", "wait", "by")]
    for pool in pools:
        limit = pool.limit if pool.limit is not None else default
        shown = "none" if limit is None else f"{limit:,}" + (" (default)" if pool.limit is None else "")
        held, waiting = str(len(pool.holders)), str(len(pool.waiting) or "")
        rows.append((pool.name, held, shown, waiting, ", ".join(f"{run[:8]} {step}" for run, step in pool.holders)))
    click.echo(output.table(rows) if pools else "No pool has a limit, and none is in use.")


@group.command("set")
@click.argument("name")
@click.argument("limit", type=int)
def set_limit(name: str, limit: int) -> None:
    """Let at most LIMIT steps hold a slot of the pool NAME at once."""
    with open_home() as instance:
        instance.set_pool_limit(name, limit)
    click.echo(f"Pool {name!r} has {limit:,} slot{'' if limit == 1 else 's'}.")


@group.command("delete")
@click.argument("name")
def delete_limit(name: str) -> None:
    """Let the default limit count for the pool NAME again."""
    with open_home() as instance:
        if all(pool.name != name or pool.limit is None for pool in instance.get_pools()):
            raise InvocationError(f"Pool {name!r} has no limit of its own. `treadle pool list` shows those that have.")
        instance.set_pool_limit(name, None)
    click.echo(f"The default limit counts for pool {name!r}.")
