"""`treadle definitions`: load code locations and check what they declare."""

from __future__ import annotations

import os
import time
from typing import Any

import click

from treadle.author.definitions import Definitions
from treadle.cli import failure, output
from treadle.cli.targets import targets_of, targets_options
from treadle.errors import LoadError, TreadleError
from treadle.host.definitions import load, separate_modules
from treadle.host.targets import Target
from treadle.state.error_info import error_info

VALIDATION_MARKS = ("TREADLE_IS_DEFS_VALIDATION_CLI", "DAGSTER_IS_DEFS_VALIDATION_CLI")


@click.group("definitions")
def group() -> None:
    """Load and check definitions."""


@group.command("validate")
@targets_options
@output.json_option
@click.pass_context
def validate(ctx: click.Context, as_json: bool, **options: Any) -> int:
    """Load every code location and check that its definitions fit together. Exit code 1 if one does not.

    Set in the environment meanwhile: TREADLE_IS_DEFS_VALIDATION_CLI and DAGSTER_IS_DEFS_VALIDATION_CLI.
    """
    for name in VALIDATION_MARKS:
        os.environ[name] = "1"
    results = [_validate(target, as_json) for target in targets_of(ctx, options)]
    failed = sum(not one["valid"] for one in results)
    if as_json:
        output.print_json({"valid": not failed, "locations": results})
    elif failed:
        click.echo(f"{failed} of {output.count(len(results), 'code location')} cannot be used.", err=True)
    elif not results:
        click.echo("There are no code locations.")
    return 1 if failed else 0


def _validate(target: Target, as_json: bool) -> dict[str, Any]:
    started = time.perf_counter()
    with separate_modules():
        try:
            definitions = load(target).definitions
            Definitions.validate_loadable(definitions)
        except Exception as error:
            if not as_json:
                click.echo(f"{click.style('failed', fg='red')}  {target.name}", err=True)
                failure.report(error)
            cause = error.__cause__ if isinstance(error, LoadError) else error
            trace = None
            if cause is not None and not isinstance(cause, TreadleError):
                trace = failure.traceback_text(error_info(cause))
            return {"name": target.name, "valid": False, "error": str(error), "traceback": trace}
        found = _counts(definitions)
    took = time.perf_counter() - started
    if not as_json:
        text = ", ".join(output.count(number, word) for word, number in found.items() if number)
        click.echo(f"{click.style('valid', fg='green')}   {target.name}: {text or 'nothing declared'} ({took:.2f}s)")
    return {
        "name": target.name,
        "valid": True,
        "error": None,
        "traceback": None,
        **{f"{k}s": v for k, v in found.items()},
    }


def _counts(definitions: Definitions) -> dict[str, int]:
    return {
        "asset": len(definitions.layer.specs),
        "check": len(definitions.layer.checks),
        "job": len(definitions.jobs_by_name),
        "schedule": len(definitions.schedules),
        "sensor": len(definitions.sensors),
        "resource": len(definitions.resources),
    }
