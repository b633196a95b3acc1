"""`treadle dev`: what launches runs, for as long as somebody watches."""

from __future__ import annotations

from typing import Any

import click

from treadle.cli import output
from treadle.cli.targets import targets_of, targets_options


@click.command("dev")
@targets_options
@click.pass_context
def group(ctx: click.Context, **options: Any) -> None:
    """Load the code and run what is launched, until Ctrl-C: it ends the runs under way, too."""
    serve(ctx, options, cancels=True)


def serve(ctx: click.Context, options: dict[str, Any], *, cancels: bool) -> None:
    """Be the daemon until a signal ends it. `cancels`: whether the runs under way end with it, and at once."""
    from treadle.daemon.service import Service  # noqa: PLC0415  --help needs none of it
    from treadle.host.settings import find_home  # noqa: PLC0415
    from treadle.host.supervisor import GRACE_S  # noqa: PLC0415

    targets, home = targets_of(ctx, options), find_home()
    names = ", ".join(target.name for target in targets)

    def ready() -> None:
        click.echo(f"Ready: {output.count(len(targets), 'code location')} ({names}), home {home}. Ctrl-C ends it.")

    Service(home, targets, ready, grace_s=0.5 if cancels else GRACE_S).run(cancels=cancels)
