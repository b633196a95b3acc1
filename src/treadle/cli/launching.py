"""`treadle run launch`, `cancel` and `wait`: runs that `treadle dev` or the daemon executes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from treadle.cli import failure, output, report
from treadle.cli.execution import config_of, read_tags
from treadle.cli.home import find_run, open_home
from treadle.core import tags as tag_names


@click.command("launch")
@click.option("-j", "--job", required=True, metavar="NAME", help="The job.")
@click.option("-l", "--location", metavar="NAME", help="Its code location, where there are several.")
@click.option("-c", "--config", multiple=True, metavar="CONFIG", help="Run config, as for `job execute`. Repeatable.")
@click.option("--config-json", metavar="JSON", help="Run config as JSON. Not together with --config.")
@click.option("--tags", multiple=True, metavar="TAGS", help="A JSON object or key=value. Repeatable.")
@click.option("--partition", metavar="KEY", help="Partition to run for.")
@click.option("--wait", "waits", is_flag=True, help="Wait until it has ended. Exit code 1 if it failed.")
def launch_command(
    job: str,
    location: str | None,
    config: Sequence[str],
    config_json: str | None,
    tags: Sequence[str],
    partition: str | None,
    waits: bool,
) -> int:
    """Put a run of a job into the queue, for `treadle dev` or the daemon to execute; print its id."""
    from treadle.host.launching import has_daemon, submit_run  # noqa: PLC0415  --help needs none of it
    from treadle.spec.manifest import location_of_job  # noqa: PLC0415

    run_tags = read_tags(tags)
    if partition is not None:
        run_tags[tag_names.PARTITION] = partition
    run_config = config_of(config, config_json) or {}
    with open_home() as instance:
        manifests = instance.store.locations.manifests()
        unknown = {record.name for record in instance.store.locations.all()} - manifests.keys()
        location = location_of_job(job, manifests, location, unknown)
        run = instance.create_run(job_name=job, run_config=run_config, tags=run_tags, location_name=location)
        submit_run(instance, run.run_id)
        click.echo(run.run_id)
        if not has_daemon(instance):
            click.echo("Nobody executes runs in this home: it waits until `treadle dev` or a daemon does.", err=True)
        return _wait(instance, run.run_id) if waits else 0


@click.command("cancel")
@click.argument("run_id")
def cancel_command(run_id: str) -> None:
    """Tell the run RUN_ID (the beginning of the id is enough) to end. One that waits in the queue ends at once."""
    from treadle.host.launching import cancel_run  # noqa: PLC0415  --help needs none of it

    with open_home() as instance:
        run = find_run(instance, run_id)
        if not cancel_run(instance, run.run_id):
            raise click.ClickException(f"Run {run.run_id} has ended already: {run.status.value}.")
        click.echo(f"{run.run_id} is told to end.")


@click.command("wait")
@click.argument("run_id")
def wait_command(run_id: str) -> int:
    """Wait until the run RUN_ID (the beginning of the id is enough) has ended. Exit code 1 if it did not succeed."""

    with open_home() as instance:
        return _wait(instance, find_run(instance, run_id).run_id)


def _wait(instance: Any, run_id: str) -> int:
    from treadle.host.launching import await_run  # noqa: PLC0415  --help needs none of it

    run = await_run(instance, run_id)
    if run.is_success:
        click.echo(f"{run_id} {output.status(run.status.value)}")
        return 0
    failure.say(report.failure_text(run, report.Account.of(instance.all_logs(run_id))))
    return 1
