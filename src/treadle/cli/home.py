"""The instance of this home, and the runs in it. Commands that do not touch it do not pay for importing it."""

from __future__ import annotations

from typing import Any

import click

from treadle.cli.main import spare_imports
from treadle.errors import InvocationError, RunNotFoundError
from treadle.state.runs import Run


def open_home(*, makes: bool = True) -> Any:
    """The `Instance` of the home, to be used in a `with` statement.

    Args:
        makes: whether a store is made where there is none. Commands that only read say that there is none, and find
            nothing.
    """
    from treadle.host.instance import Instance  # noqa: PLC0415  the store takes a tenth of a second to import

    spare_imports()
    instance = Instance.get()
    if makes or instance.store.database.exists:
        return instance
    click.echo(f"There is no store yet in {instance.root_directory}.", err=True)
    return Instance(None, instance.settings)


def find_run(instance: Any, text: str) -> Run:
    """The run whose id begins with `text`.

    Raises:
        RunNotFoundError: there is none.
        InvocationError: there are several.
    """
    if not instance.store.database.exists:
        raise RunNotFoundError(
            f"There is no run {text!r}: there is no store yet in {instance.root_directory}. TREADLE_HOME names "
            "another home; `treadle run list` lists its runs."
        )
    run = instance.get_run_by_id(text)
    if run is not None:
        return run
    found = instance.find_run_ids(text, limit=4) if text else []
    if not found:
        raise RunNotFoundError(f"There is no run {text!r} in {instance.root_directory}. `treadle run list` lists them.")
    run = instance.get_run_by_id(found[0])
    if len(found) > 1 or run is None:
        ids = ", ".join(found[:3])
        raise InvocationError(
            f"Several runs begin with {text!r}: {ids}{', …' if len(found) > 3 else ''}. Give more of the id."
        )
    return run
