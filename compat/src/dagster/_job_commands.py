"""Commands that `dagster job` has and Treadle's group does not."""

from __future__ import annotations

from typing import Any

import click

from treadle.author.definitions import Definitions
from treadle.author.job_config import run_config_schema
from treadle.author.jobs import JobDefinition
from treadle.cli.home import open_home
from treadle.cli.launching import launch, launch_options
from treadle.cli.targets import location_of, target_options, targets_of
from treadle.spec.config import UNSET, Schema, Selector, Shape, example

_job_option = click.option("-j", "--job", "name", metavar="NAME", help="May be left out where there is one job only.")


@click.command("print")
@_job_option
@click.option("--verbose", is_flag=True, help="Inputs and outputs too.")
@target_options
@click.pass_context
def print_job(ctx: click.Context, name: str | None, verbose: bool, **options: Any) -> None:
    """Print the ops of a job."""
    job = _job(ctx, location_of(ctx, options).definitions, name)
    click.echo(f"Job: {job.name}")
    if verbose and job.description:
        click.echo(f"  Description:\n    {job.description}")
    click.echo("Ops")
    for node in job.nodes:
        click.echo(f"  Op: {node.handle}")
        if verbose:
            click.echo("    Inputs:")
            for one in node.inputs:
                click.echo(f"      Input: {one.name}")
            click.echo("    Outputs:")
            for one in node.outputs:
                click.echo(f"    {one.name}")


@click.command("scaffold_config")
@_job_option
@click.option("--print-only-required", is_flag=True, help="Leave out what has a default.")
@target_options
@click.pass_context
def scaffold_config(ctx: click.Context, name: str | None, print_only_required: bool, **options: Any) -> None:
    """Print the skeleton of a job's run config, as YAML: defaults where there are, and examples to be replaced."""
    import yaml  # noqa: PLC0415  the other commands do without

    job = _job(ctx, location_of(ctx, options).definitions, name)
    click.echo(yaml.safe_dump(_skeleton(run_config_schema(job), print_only_required)), nl=False)


def _skeleton(schema: Schema, only_required: bool) -> Any:
    if isinstance(schema, Selector):
        return {name: _skeleton(one.schema, only_required) for name, one in list(schema.fields.items())[:1]}
    if not isinstance(schema, Shape):
        return example(schema)
    found = {}
    for name, field in schema.fields.items():
        if field.required or not only_required:
            has_default = field.default is not UNSET and field.default not in (None, {})
            found[name] = field.default if has_default else _skeleton(field.schema, only_required)
    return {name: value for name, value in found.items() if value != {} or schema.fields[name].required}


def _job(ctx: click.Context, definitions: Definitions, name: str | None) -> JobDefinition:
    names = sorted(definitions.jobs_by_name)
    if name is None and len(names) != 1:
        raise click.UsageError(f"Choose a job with -j: {', '.join(names) or 'there is none'}.", ctx)
    return definitions.get_job_def(name or names[0])


@click.command("launch")
@_job_option
@target_options
@launch_options
@click.pass_context
def launch_job(ctx: click.Context, name: str | None, **options: Any) -> int:
    """Put a run into the queue, for `dagster dev` or a daemon to execute; print its id."""
    given = {key: options.pop(key) for key in ("config", "config_json", "tags", "op_selection", "run_id")}
    location = options.pop("location")
    targets = [target.name for target in targets_of(ctx, options)]
    if location is None and len(targets) == 1:
        location = targets[0]
    names = [name] if name is not None else []
    if name is None:
        with open_home() as instance:
            known = instance.store.locations.jobs()
        names = sorted(job for one in targets if one in known for job in known[one].jobs_by_name)
    if len(names) != 1:
        raise click.UsageError(f"Choose a job with -j: {', '.join(names) or 'none is known here'}.", ctx)
    return launch(names[0], location, **given)


COMMANDS = {"job": {"launch": launch_job, "print": print_job, "scaffold_config": scaffold_config}}
