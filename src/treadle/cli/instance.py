"""`treadle instance`: where everything is kept, with which settings, and bringing it to the present version."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import msgspec

from treadle.cli import output
from treadle.host.instance import Instance
from treadle.host.settings import FILES, HOME_VARIABLES, Settings
from treadle.runtime import kin
from treadle.store.locations import LocationRecord


@click.group("instance")
def group() -> None:
    """Show and migrate the instance."""


_WIDTH = 160


@group.command("info")
@output.json_option
def info(as_json: bool) -> None:
    """Show the home, what chose it, its store and its settings."""
    with Instance.get() as instance:
        home = Path(instance.root_directory)
        store = instance.store.database.path
        assert store is not None  # the instance has a home
        chosen = next((name for name in HOME_VARIABLES if os.environ.get(name)), None)
        file = next((home / name for name in FILES if (home / name).is_file()), None)
        settings, unused = msgspec.to_builtins(instance.settings), instance.settings.without_effect
        size = store.stat().st_size if store.exists() else None
        runs = instance.get_runs_count() if size is not None else 0
        locations = [_location(record) for record in instance.store.locations.all()] if size is not None else []
    document: dict[str, Any] = {
        "home": str(home),
        "home_chosen_by": chosen or "the project",
        "settings_file": str(file) if file is not None else None,
        "store": str(store),
        "store_bytes": size,
        "runs": runs,
        "locations": locations,
        "settings": settings,
        "settings_without_effect": unused,
    }
    if as_json:
        output.print_json(document)
        return
    rows = [
        ("home", f"{home} (chosen by {document['home_chosen_by']})"),
        ("settings", str(file) if file is not None else "defaults: there is no treadle.yaml in the home"),
        ("store", f"{store} ({size:,} bytes)" if size is not None else f"{store} (made when it is first needed)"),
        ("runs", f"{runs:,}"),
    ]
    click.echo(output.table(rows))
    if locations:
        click.echo("\ncode locations")
        click.echo(output.indented(output.table([_location_row(one) for one in locations])))
    changed = {key: value for key, value in settings.items() if value != msgspec.to_builtins(getattr(Settings(), key))}
    if changed:
        click.echo("\nsettings that are not defaults")
        click.echo(output.indented(output.yaml_text(changed)))
    if unused:
        click.echo(f"\nsettings that have no effect yet: {', '.join(unused)}")


def _location(record: LocationRecord) -> dict[str, Any]:
    """How a code location is, as far as this machine can tell."""
    runs = record.owner is not None and kin.lives(record.owner) is not False
    return {
        "name": record.name,
        "state": record.state if runs or record.state == "failed" else "not running",
        "memory_bytes": kin.memory(kin.pid_of(record.owner)) if runs and record.owner else None,
        "load_seconds": record.load_s,
        "error": record.error.message.strip() if record.error is not None else None,
        "warning": record.warning,
    }


def _location_row(one: dict[str, Any]) -> tuple[str, ...]:
    memory, seconds = one["memory_bytes"], one["load_seconds"]
    return (
        one["name"], one["state"], f"{memory / 2**20:.1f} MiB" if memory is not None else "",
        f"loaded in {seconds:.2f} s" if seconds is not None else "", _first_line(one["error"] or one["warning"] or ""),
    )  # fmt: skip


def _first_line(text: str) -> str:
    line = text.partition("\n")[0].removeprefix("treadle.errors.LoadError: ")
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "… (--json has all of it)"


@group.command("migrate")
def migrate() -> None:
    """Bring the store to the version of this Treadle. A copy of it is kept beside it."""
    from treadle.store.migrate import migrate as bring_up  # noqa: PLC0415  Alembic takes its time to import

    with Instance.get() as instance:
        path = instance.store.database.path
    assert path is not None  # as above
    path.parent.mkdir(parents=True, exist_ok=True)
    done = bring_up(path)
    if done.copy is None:
        click.echo(f"{path} is at version {done.after} already.")
    else:
        click.echo(f"{path} is at version {done.after} now, and was at {done.before}. A copy is kept: {done.copy}")
