"""`treadle job`: list and execute jobs."""

from __future__ import annotations

from typing import Any

import click

from treadle.author.definitions import Definitions
from treadle.author.jobs import JobDefinition
from treadle.cli import output
from treadle.cli.execution import execute, execution_options
from treadle.cli.given import clauses_of
from treadle.cli.targets import location_of, target_options
from treadle.core.keys import IMPLICIT_JOB, did_you_mean
from treadle.errors import SelectionError


@click.group("job")
def group() -> None:
    """List and execute jobs."""


@group.command("list")
@target_options
@output.json_option
@click.pass_context
def list_jobs(ctx: click.Context, as_json: bool, **options: Any) -> None:
    """List job names, one a line; on a terminal with what they run."""
    definitions = location_of(ctx, options).definitions
    jobs = [job for _, job in sorted(definitions.jobs_by_name.items())]
    if as_json:
        output.print_json([_described(job) for job in jobs])
    elif output.on_terminal():
        rows = [
            (job.name, output.count(len(job.nodes), "step"), (job.description or "").strip().partition("\n")[0])
            for job in jobs
        ]
        click.echo(output.table(rows, ("job", "steps", "description")))
    else:
        for job in jobs:
            click.echo(job.name)


def _described(job: JobDefinition) -> dict[str, Any]:
    assets = job.selected_assets
    return {
        "name": job.name,
        "description": job.description,
        "ops": [node.handle for node in job.nodes],
        "assets": sorted(key.to_user_string() for key in assets) if assets is not None else [],
        "partitions": str(job.partitions_def) if job.partitions_def is not None else None,
        "tags": dict(job.tags),
        "owners": list(job.owners),
    }


@group.command("execute")
@click.option("-j", "--job", "name", metavar="NAME", help="The job; may be left out where there is one only.")
@click.option(
    "-o", "--op-selection", metavar="OPS", help="Only these ops: clauses such as `*clean+`, separated by commas."
)
@target_options
@execution_options
@click.pass_context
def execute_job(ctx: click.Context, name: str | None, op_selection: str | None, **options: Any) -> int:
    """Execute a job in this process, and wait. Exit code 1 if the run fails."""
    definitions = location_of(ctx, options).definitions
    Definitions.validate_loadable(definitions)
    if name is None:
        names = sorted(definitions.jobs_by_name) or ([IMPLICIT_JOB] if definitions.layer.definitions else [])
        if len(names) != 1:
            there = f"These are there: {', '.join(names)}." if names else "There are none."
            raise click.UsageError(f"Nothing says which job to execute. Choose one with -j. {there}", ctx)
        name = names[0]
    clauses = clauses_of(op_selection) or None
    if name != IMPLICIT_JOB and name not in definitions.jobs_by_name:
        there = ", ".join(sorted(definitions.jobs_by_name)) or "none"
        near = did_you_mean(name, definitions.jobs_by_name)
        raise click.UsageError(f"There is no job {name!r}.{near} These are there: {there}.", ctx)
    job = definitions.get_job_def(name)
    try:
        return execute(job, op_selection=clauses, **options)
    except SelectionError as error:  # the clauses are the only selection that is read this late
        if clauses is None:
            raise
        raise click.UsageError(f"--op-selection: {error}", ctx) from None
