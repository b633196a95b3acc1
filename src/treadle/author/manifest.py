"""The manifest of definitions: what of them is data, and may leave the process that has the user's code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from treadle.author.definitions import Definitions
from treadle.author.jobs import JobDefinition
from treadle.core import codec
from treadle.core.keys import IMPLICIT_JOB, AssetKey
from treadle.core.partitions import PartitionsDefinition
from treadle.spec.assets import AssetCheckSpec, AssetSpec
from treadle.spec.manifest import JobManifest, Manifest, ScheduleManifest

S = TypeVar("S", AssetSpec, AssetCheckSpec)


def manifest_of(definitions: Definitions, folders: Iterable[str] = ()) -> bytes:
    """The manifest, encoded. What users put into a spec that is no data is left out."""
    specs = list(definitions.layer.graph.specs.values())
    checks = list(definitions.layer.graph.checks.values())
    try:
        return codec.encode(_manifest(definitions, specs, checks, folders))
    except (TypeError, ValueError, NotImplementedError):
        return codec.encode(_manifest(definitions, [*map(_plain, specs)], [*map(_plain, checks)], folders))


def _manifest(
    definitions: Definitions, specs: list[AssetSpec], checks: list[AssetCheckSpec], folders: Iterable[str]
) -> Manifest:
    layer, jobs = definitions.layer, definitions.jobs_by_name.values()
    external = frozenset(spec.key for spec in specs) - layer.graph.made_by.keys()
    made = {job.name: job.selected_assets or frozenset[AssetKey]() for job in jobs if job.layer is not None}
    made[IMPLICIT_JOB] = frozenset(spec.key for spec in specs) - external
    partitions = dict(_partitions(made, {spec.key: spec.partitions_def for spec in specs}))
    return Manifest(
        IMPLICIT_JOB, tuple(map(_job, jobs)), partitions,
        assets=tuple(specs), checks=tuple(checks), schedules=tuple(map(_schedule, definitions.schedules)),
        sensors=tuple(sensor.name for sensor in definitions.sensors), folders=tuple(folders),
        conditions=sum(spec.automation_condition is not None for spec in specs),
        pools=dict(_pools(definitions)), external=external,
    )  # fmt: skip


def _partitions(
    made: Mapping[str, Iterable[AssetKey]], definitions: Mapping[AssetKey, PartitionsDefinition | None]
) -> Iterator[tuple[str, PartitionsDefinition | None]]:
    for job, keys in made.items():
        found = {definitions.get(key) for key in keys} - {None}
        if found:
            yield job, found.pop() if len(found) == 1 else None


def _pools(definitions: Definitions) -> Iterator[tuple[AssetKey, str]]:
    for definition in definitions.layer.definitions.values():
        pools = {op.limits["pool"] for op in definition.ops}
        if len(pools) == 1 and (pool := pools.pop()) is not None:
            yield from ((key, pool) for key in definition.keys)


def _job(job: JobDefinition) -> JobManifest:
    made = None if job.layer is None else job.selected_assets or ()
    return JobManifest(
        job.name, job.description, job.nodes if made is None else (), None if made is None else tuple(sorted(made)),
        dict(job.run_tags), job.partitions_def,
    )  # fmt: skip


def _schedule(schedule: Any) -> ScheduleManifest:
    cron = getattr(schedule, "cron_schedule", None)
    return ScheduleManifest(
        schedule.name, schedule.job.name if cron is None else schedule.job_name,
        tuple(cron) if isinstance(cron, list) else cron, getattr(schedule, "execution_timezone", None),
    )  # fmt: skip


def _plain(spec: S) -> S:
    """The spec, without the metadata, rules and mappings if one of them is no data."""
    try:
        codec.encode(spec)
    except (TypeError, ValueError, NotImplementedError):
        if isinstance(spec, AssetSpec):
            return AssetSpec(
                spec.key, deps=[dep.asset_key for dep in spec.deps], description=spec.description,
                skippable=spec.skippable, group_name=spec.group_name, code_version=spec.code_version,
                owners=spec.owners, tags=spec.tags, partitions_def=spec.partitions_def,
            )  # fmt: skip
        return AssetCheckSpec(spec.name, asset=spec.asset_key, description=spec.description, blocking=spec.blocking)
    return spec
