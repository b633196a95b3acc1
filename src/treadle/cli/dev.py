"""`treadle dev`: what launches runs, for as long as somebody watches."""

from __future__ import annotations

from typing import Any

import click

from treadle.cli import failure, output
from treadle.cli.targets import targets_of, targets_options

START_METHOD = click.option(
    "--start-method", type=click.Choice(["auto", "fork", "spawn"]),
    help="How runs start: forked from the process that has the code, or in fresh interpreters.",
)  # fmt: skip


@click.command("dev")
@targets_options
@START_METHOD
@click.pass_context
def group(ctx: click.Context, start_method: Any, **options: Any) -> None:
    """Load the code and run what is launched, until Ctrl-C: it ends the runs under way, too."""
    serve(ctx, options, start_method, cancels=True)


def serve(ctx: click.Context, options: dict[str, Any], start_method: Any, *, cancels: bool) -> None:
    """Be the daemon until a signal ends it. `cancels`: whether the runs under way end with it, and at once."""
    from treadle.daemon.service import Service  # noqa: PLC0415  --help needs none of it
    from treadle.host.settings import find_home  # noqa: PLC0415
    from treadle.host.supervisor import GRACE_S  # noqa: PLC0415

    targets, home = targets_of(ctx, options), find_home()

    def ready() -> None:
        names = ", ".join(target.name for target in targets)
        click.echo(f"Ready: {output.count(len(targets), 'code location')} ({names}), home {home}. Ctrl-C ends it.")

    grace_s = 0.5 if cancels else GRACE_S
    Service(home, targets, ready, _say, grace_s=grace_s, start_method=start_method).run(cancels=cancels)


def _say(location: Any) -> None:
    """Say what has become of a code location, if it is not as it should be."""
    record = location.record
    if record.error is not None:
        click.echo(failure.traceback_text(record.error), err=True)
        failure.say(f"The code location {location.name!r} could not be loaded. It is tried again.")
    elif record.state == "gone":
        failure.say(f"The process of code location {location.name!r} has ended. It is started again.")
    elif record.warning is not None:
        click.echo(f"{click.style('warning:', fg='yellow', bold=True)} {location.name}: {record.warning}", err=True)
