"""What `treadle run show` prints."""

from __future__ import annotations

from collections.abc import Sequence

import click

from treadle.cli import failure, output, report
from treadle.state.events import EventLogEntry
from treadle.state.runs import Run


def print_run(run: Run, entries: Sequence[EventLogEntry], as_json: bool) -> None:
    """Print a run: its steps, failures, and what it made."""
    if as_json:
        output.print_json(report.document(run, entries))
        return
    account = report.Account.of(entries)
    rows = [
        ("status", output.status(run.status.value)),
        ("job", run.job_name),
        ("about", output.about(run)),
        ("started", output.when(account.start)),
        ("took", output.duration(account.duration)),
        ("tags", ", ".join(f"{key}={value}" for key, value in sorted(run.tags.items()))),
        ("config", "" if not run.run_config else " ".join(output.json_text(run.run_config).split())),
    ]
    click.echo(f"run {run.run_id}")
    click.echo(output.indented(output.table([row for row in rows if row[1]])))
    _show_steps(account)
    _show_made(account)
    _show_failures(account)


def _show_steps(account: report.Account) -> None:
    if not account.steps:
        return
    rows = [
        (step.key, step.status, output.duration(step.duration), f"attempt {step.attempts}" if step.attempts > 1 else "")
        for step in account.steps.values()
    ]
    click.echo("\nsteps")
    click.echo(output.indented(output.table(rows)))


def _show_made(account: report.Account) -> None:
    for made, several in report.by_asset(account.made):
        click.echo(f"\nmaterialized {several or report.key_text(made)}")
        if made.metadata:
            click.echo(output.indented(report.metadata_text(made.metadata)))
    for _, evaluation in account.checked:
        click.echo(f"\n{report.check_text(evaluation)}")
        if evaluation.metadata:
            click.echo(output.indented(report.metadata_text(evaluation.metadata)))


def _show_failures(account: report.Account) -> None:
    for step in account.failed:
        said = f": {step.description}" if step.description else ""
        click.echo(f"\nstep {step.key} failed{said}")
        if step.error is not None:
            click.echo(output.indented(failure.traceback_text(step.error)))
        if step.metadata:
            click.echo(output.indented(report.metadata_text(step.metadata)))
    if account.error is not None:
        click.echo("\nthe run failed")
        click.echo(output.indented(failure.traceback_text(account.error)))
