"""`treadle asset`: list, show, materialize and wipe assets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from treadle.author.definitions import Definitions
from treadle.cli import output, report
from treadle.cli.execution import execute, execution_options
from treadle.cli.home import open_home
from treadle.cli.targets import location_of, target_options
from treadle.core.keys import AssetKey, did_you_mean
from treadle.errors import InvocationError, SelectionError
from treadle.spec.assets import DEFAULT_GROUP, AssetSpec
from treadle.spec.selection import parse_many
from treadle.state.records import AssetPartitionStatus

_EVERYTHING = "*"


@click.group("asset")
def group() -> None:
    """List, show, materialize and wipe assets."""


def _select_option(help_text: str) -> Any:
    return click.option("--select", multiple=True, metavar="SELECTION", help=help_text)


@contextmanager
def _selecting() -> Iterator[None]:
    """What is wrong with a selection inside is told with its option."""
    try:
        yield
    except SelectionError as error:
        raise InvocationError(f"--select: {error}") from None


# --- list -------------------------------------------------------------------------------------------------------------


@group.command("list")
@_select_option("Only these assets: selections, separated by commas.")
@target_options
@output.json_option
@click.pass_context
def list_assets(ctx: click.Context, select: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """List asset keys, one a line; on a terminal with their group, kinds and description."""
    definitions = location_of(ctx, options).definitions
    specs = definitions.layer.specs
    keys: Iterable[AssetKey] = specs
    if select:
        with _selecting():
            keys = parse_many(select, include_sources=True).resolve(definitions.layer.graph) & specs.keys()
    found = [specs[key] for key in sorted(keys)]
    if select and not found:
        click.echo("--select selects nothing here. `treadle asset list` without it lists all assets.", err=True)
    if as_json:
        output.print_json([_described(definitions, spec) for spec in found])
    elif output.on_terminal():
        rows = [
            (one.key.to_user_string(), one.group_name or DEFAULT_GROUP, " ".join(sorted(one.kinds)), _first_line(one))
            for one in found
        ]
        click.echo(output.table(rows, ("asset", "group", "kinds", "description")), nl=bool(rows))
    else:
        for spec in found:
            click.echo(spec.key.to_user_string())


def _first_line(spec: AssetSpec) -> str:
    lines = (spec.description or "").strip().splitlines()
    return lines[0] if lines else ""


def _described(definitions: Definitions, spec: AssetSpec) -> dict[str, Any]:
    """A definition as JSON."""
    graph = definitions.layer.graph
    partitions = spec.partitions_def
    return {
        "asset_key": spec.key.to_user_string(),
        "group": spec.group_name or DEFAULT_GROUP,
        "kinds": sorted(spec.kinds),
        "description": spec.description,
        "owners": list(spec.owners),
        "tags": dict(spec.tags),
        "is_external": spec.key not in graph.made_by,
        "depends_on": [key.to_user_string() for key in graph.parents[spec.key]],
        "needed_by": [key.to_user_string() for key in graph.children[spec.key]],
        "checks": [check.name for check in graph.checks_by_asset.get(spec.key, ())],
        "partitions": str(partitions) if partitions is not None else None,
        "code_version": spec.code_version,
    }


# --- show -------------------------------------------------------------------------------------------------------------


@group.command("show")
@click.argument("key")
@target_options
@output.json_option
@click.pass_context
def show(ctx: click.Context, key: str, as_json: bool, **options: Any) -> None:
    """Show the asset KEY: how it is declared, what is known of it, its partitions and checks."""
    definitions = location_of(ctx, options).definitions
    specs = definitions.layer.specs
    asset_key = AssetKey.from_user_string(key)
    if asset_key not in specs:
        names = [one.to_user_string() for one in specs]
        raise InvocationError(f"There is no asset {key!r}.{did_you_mean(key, names)} `treadle asset list` lists them.")
    spec = specs[asset_key]
    described = _described(definitions, spec)
    described["made_by"] = definitions.layer.where(asset_key).strip(" ()") or None
    with open_home(makes=False) as instance:
        latest = instance.get_latest_materialization_event(asset_key)
        made = latest.asset_materialization if latest is not None else None
        if latest is not None and made is not None:
            run_id = latest.run_id or None
            described["latest_materialization"] = {
                **report.materialization(made), "time": output.iso(latest.timestamp), "run_id": run_id
            }  # fmt: skip
        else:
            described["latest_materialization"] = None
        described["partition_status"] = _partition_status(spec, instance)
        described["check_status"] = _check_status(definitions, asset_key, instance)
    if as_json:
        output.print_json(described)
        return
    click.echo(_show_text(described))
    if latest is not None and made is not None:
        where = f" in run {latest.run_id[:8]}" if latest.run_id else ""
        click.echo(f"\nlatest materialization: {report.key_text(made)} at {output.when(latest.timestamp)}{where}")
        if made.metadata:
            click.echo(output.indented(report.metadata_text(made.metadata)))
    else:
        click.echo("\nnever materialized")


def _show_text(described: dict[str, Any]) -> str:
    partitions, tags = described["partition_status"], described["tags"]
    rows = [
        ("made by", described["made_by"] or ("nothing here: it is external" if described["is_external"] else "")),
        ("group", described["group"]),
        ("kinds", ", ".join(described["kinds"])),
        ("owners", ", ".join(described["owners"])),
        ("tags", ", ".join(f"{k}={v}" if v else k for k, v in tags.items() if not k.startswith("dagster/"))),
        ("code version", described["code_version"] or ""),
        ("description", " ".join((described["description"] or "").split())),
        ("depends on", ", ".join(described["depends_on"])),
        ("needed by", ", ".join(described["needed_by"])),
        ("partitions", _partitions_text(partitions) if partitions is not None else ""),
    ]
    lines = [
        click.style(described["asset_key"], bold=True),
        output.indented(output.table([row for row in rows if row[1]])),
    ]
    for name, status in described["check_status"].items():
        lines.append(f"  check {name}: {status}")
    return "\n".join(lines)


def _partition_status(spec: AssetSpec, instance: Any) -> dict[str, Any] | None:
    definition = spec.partitions_def
    if definition is None:
        return None
    keys = definition.get_partition_keys(dynamic_partitions_store=instance)
    known = instance.get_status_by_partition(spec.key, keys) or {}
    counts = Counter(filter(None, known.values()))
    return {
        "total": len(keys),
        "first": keys[0] if keys else None,
        "last": keys[-1] if keys else None,
        **{status.value.lower(): counts[status] for status in AssetPartitionStatus},
        "missing": len(keys) - sum(counts.values()),
    }


def _partitions_text(status: dict[str, Any]) -> str:
    if not status["total"]:
        return "none yet"
    words = [
        f"{status[word]:,} {word.replace('_', ' ')}"
        for word in ("materialized", "in_progress", "failed", "missing")
        if status[word]
    ]
    return f"{status['total']:,} ({status['first']} … {status['last']}): {', '.join(words)}"


def _check_status(definitions: Definitions, key: AssetKey, instance: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for check in definitions.layer.graph.checks_by_asset.get(key, ()):
        record = instance.get_latest_asset_check_evaluation_record(check.key)
        evaluation = record.evaluation if record is not None else None
        if record is None:
            found[check.name] = "never evaluated"
        elif evaluation is None or record.evaluation_record is None:
            found[check.name] = record.status.value.lower().replace("_", " ")
        else:
            verdict = "passed" if evaluation.passed else f"did not pass ({evaluation.severity.value})"
            found[check.name] = f"{verdict} at {output.when(record.evaluation_record.timestamp)}"
    return found


# --- materialize ------------------------------------------------------------------------------------------------------


@group.command("materialize")
@_select_option('What to materialize: selections, separated by commas; "*" for everything.')
@target_options
@execution_options
@click.argument("unexpected", nargs=-1, metavar="")
@click.pass_context
def materialize(ctx: click.Context, select: tuple[str, ...], unexpected: tuple[str, ...], **options: Any) -> int:
    """Materialize the selected assets in this process, and wait. Exit code 1 if the run fails."""
    if unexpected:
        raise click.UsageError(
            f"Unexpected: {' '.join(unexpected[:3])}. A shell makes file names of an unquoted *: write --select "
            '"*", and separate selections by commas.', ctx,
        )  # fmt: skip
    definitions = location_of(ctx, options).definitions
    Definitions.validate_loadable(definitions)
    made = definitions.layer.graph.materializable
    if not select and len(made) != 1:
        names = sorted(key.to_user_string() for key in made)
        example = f"--select {names[0]}, or " if names else ""
        raise click.UsageError(
            f"There are {output.count(len(made), 'asset')}, and nothing says which to materialize. Give {example}"
            f'--select "{_EVERYTHING}" for all of them.',
            ctx,
        )
    with _selecting():
        job = definitions.job_over(parse_many(select or (_EVERYTHING,)))
    if not job.nodes:
        raise InvocationError(
            f"--select {','.join(select)!r} selects nothing that can be made here. `treadle asset list --select ...` "
            "shows what it selects."
        )
    return execute(job, **options)


# --- wipe -------------------------------------------------------------------------------------------------------------


@group.command("wipe")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--all", "everything", is_flag=True, help="All assets.")
@click.option("--noprompt", is_flag=True, help="Do not ask for confirmation.")
def wipe(keys: tuple[str, ...], everything: bool, noprompt: bool) -> int:
    """Forget all materializations of the assets KEY. Runs and stored values stay."""
    if bool(keys) == everything:
        raise click.UsageError(
            "Name the assets to wipe, or give --all." if not keys else "Name assets or give --all, not both."
        )
    with open_home(makes=False) as instance:
        known = list(instance.get_asset_keys())
        wanted = known if everything else [AssetKey.from_user_string(key) for key in keys]
        for key in wanted:
            if key not in known:
                names = [one.to_user_string() for one in known]
                raise InvocationError(
                    f"Nothing is known of an asset {key.to_user_string()!r}.{did_you_mean(key.to_user_string(), names)}"
                )
        what = output.count(len(wanted), "asset")
        if not wanted:
            click.echo("There is nothing to wipe.")
            return 0
        if not noprompt and not output.confirmed(f"Forget all that has happened to {what}?"):
            return 1
        instance.wipe_assets(wanted)
    click.echo(f"Wiped {what}.")
    return 0
