"""`treadle dev`: what launches runs, for as long as somebody watches."""

from __future__ import annotations

import select
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from treadle.cli import failure, output
from treadle.cli.progress import clock
from treadle.cli.targets import targets_of, targets_options

if TYPE_CHECKING:  # --help needs none of it
    from treadle.daemon.news import Change
    from treadle.spec.manifest import Jobs
    from treadle.store.locations import LocationRecord

START_METHOD = click.option(
    "--start-method", type=click.Choice(["auto", "fork", "spawn"]),
    help="How runs start: forked from the process that has the code, or in fresh interpreters.",
)  # fmt: skip


@click.command("dev", context_settings={"help_option_names": ["--help"]})
@targets_options
@START_METHOD
@click.option("-p", "--port", type=click.IntRange(0, 65535), help="Port of the status page; 0 for any that is free.")
@click.option("-h", "--host", default="127.0.0.1", show_default=True, help="Address of the status page.")
@click.pass_context
def group(ctx: click.Context, start_method: Any, port: int | None, host: str, **options: Any) -> None:
    """Load the code and run what is launched, until Ctrl-C: it ends the runs under way, too."""
    serve(ctx, options, start_method, (host, port))


def serve(
    ctx: click.Context, options: dict[str, Any], start_method: Any, page: tuple[str, int | None] | None = None
) -> None:
    """Be the daemon until a signal ends it. With a status page it is for development: code is loaded again when it
    changes, and the runs under way end with it, at once."""
    from treadle.host.forkserver import zygote  # noqa: PLC0415  --help needs none of it
    from treadle.host.settings import find_home  # noqa: PLC0415

    targets, home = targets_of(ctx, options), find_home()
    begun = {one.name: zygote(one, home) for one in {one.name: one for one in targets}.values()}
    for server in begun.values():
        ctx.call_on_close(partial(server.stop, 0))
    # user code is imported while this process imports its own
    from treadle.daemon.service import Service  # noqa: PLC0415
    from treadle.host.instance import Instance  # noqa: PLC0415
    from treadle.host.supervisor import GRACE_S  # noqa: PLC0415

    def ready(records: Sequence[LocationRecord]) -> None:
        click.echo(f"Ready: {_loaded(records)}. Home: {home}. Ctrl-C ends it.")
        if service.url is not None:
            click.echo(f"Status: {service.url}")
        with Instance.get(home) as instance:
            if unused := instance.settings.without_effect:
                failure.warn(f"these settings have no effect yet: {', '.join(unused)}.")
            known = instance.store.locations.jobs()
        if idle := _not_started([known[one.name] for one in records if one.name in known]):
            failure.warn(f"{idle}: this version does not start them by itself yet.")

    def led(leader: str | None) -> None:
        if leader is None:
            click.echo("The other process is gone: this one executes the runs of the home now.")
            return
        machine, pid, _ = leader.rsplit(":", 2)
        click.echo(
            f"Another process executes the runs of this home: {pid} on {machine}. This one only keeps its code loaded, "
            "and takes over when that ends."
        )

    grace_s = GRACE_S if page is None else 0.5
    service = Service(
        home, targets, ready, Teller(), grace_s=grace_s, start_method=start_method, page=page,
        watches=page is not None, led=led, seen=_tell_run if page is not None else None, begun=begun,
    )  # fmt: skip
    service.run(cancels=page is not None)


def _loaded(records: Sequence[LocationRecord]) -> str:
    """Which code locations were loaded, and which were not."""
    good, bad = ([one.name for one in records if (one.owner is not None) is served] for served in (True, False))
    text = output.count(len(records), "code location")
    text = f"{len(good)} of {text}" if bad else text
    text += f" ({', '.join(good)})" if good else ""
    return text + (f"; {', '.join(bad)} could not be loaded" if bad else "")


def _not_started(locations: Sequence[Jobs]) -> str:
    """What is declared to start runs, and does not."""
    numbers = (
        (sum(len(one.schedules) for one in locations), "schedule"),
        (sum(len(one.sensors) for one in locations), "sensor"),
        (sum(one.conditions for one in locations), "automation condition"),
    )
    return ", ".join(output.count(number, word) for number, word in numbers if number)


_RUN_COLOURS = {"succeeded": "green", "failed": "red", "canceled": "yellow"}


def _tell_run(change: Change) -> None:
    """One line about a run; none if nobody reads what was said before: runs must not wait for that."""
    run = change.record.run
    what = click.style(change.word, fg=_RUN_COLOURS.get(change.word))
    took = f" in {output.duration(change.took_s)}" if change.took_s is not None else ""
    why = f": {change.why}" if change.why else ""
    job = " ".join(filter(None, (run.job_name, output.about(run))))
    with suppress(OSError, ValueError):
        if select.select([], [sys.stdout], [], 0)[1]:
            click.echo(f"{clock(change.at)}  run {run.run_id[:8]}  {job}  {what}{took}{why}")


class Teller:
    """Says what has become of code locations, where it is not what it was."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def __call__(self, location: Any) -> None:
        record = location.record
        before = self._said.get(record.name)
        now = record.error.to_string() if record.error is not None else record.warning or record.state
        self._said[record.name] = now
        if now == before != "ready":
            return
        if record.error is not None:
            old = " New runs have the old code." if record.owner is not None else " Its runs wait."
            click.echo(failure.traceback_text(record.error), err=True)
            failure.say(f"The code location {record.name!r} could not be loaded.{old} It is tried again.")
        elif record.state == "gone":
            failure.say(f"The process of code location {record.name!r} has ended. It is started again.")
        elif record.warning is not None:
            failure.warn(f"{record.name}: {record.warning}")
        elif before is not None:
            click.echo(f"Loaded again: {record.name}.")
