"""`dagster schedule list` and `dagster sensor list`: what is declared, one name a line after a word for what it is."""

from __future__ import annotations

from typing import Any

import click

from treadle.cli.targets import location_of, target_options


def _list_of(word: str) -> click.Command:
    @click.command("list")
    @click.option("--running", "only", flag_value="RUNNING", help="Only those that run unless someone turns them off.")
    @click.option("--stopped", "only", flag_value="STOPPED", help="Only those that someone has to turn on.")
    @click.option("--name", "bare", is_flag=True, help="Names and nothing else.")
    @target_options
    @click.pass_context
    def listed(ctx: click.Context, only: str | None, bare: bool, **options: Any) -> None:
        triggers = getattr(location_of(ctx, options).definitions, f"{word.lower()}s")
        for one in sorted(triggers, key=lambda one: one.name):
            state = one.default_status.value
            if only in (None, state):
                click.echo(one.name if bare else f"{word}: {one.name} [{state}]")

    listed.help = f"List the {word.lower()}s that are declared, and whether they run by default."
    return listed


COMMANDS = {"schedule": {"list": _list_of("Schedule")}, "sensor": {"list": _list_of("Sensor")}}
