"""Commands that only `dagster job` has. Importing this adds them to Treadle's group."""

from __future__ import annotations

from typing import Any

import click

from treadle.cli.job import group
from treadle.cli.targets import location_of, target_options


@group.command("print")
@click.option("-j", "--job", "name", metavar="NAME", help="The job; may be left out where there is one only.")
@click.option("--verbose", is_flag=True, help="Inputs and outputs too.")
@target_options
@click.pass_context
def print_job(ctx: click.Context, name: str | None, verbose: bool, **options: Any) -> None:
    """Print the ops of a job."""
    definitions = location_of(ctx, options).definitions
    names = sorted(definitions.jobs_by_name)
    if name is None and len(names) != 1:
        raise click.UsageError(f"Choose a job with -j: {', '.join(names) or 'there is none'}.", ctx)
    job = definitions.get_job_def(name or names[0])
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
