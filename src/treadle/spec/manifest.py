"""What a code location declares, as data: whoever has no user code knows it from this."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

import treadle.core.multi_mappings  # noqa: F401  tells the codec of what no user code has imported here
from treadle.core import codec
from treadle.core.keys import AssetKey, did_you_mean
from treadle.core.partitions import PartitionsDefinition
from treadle.errors import InvocationError
from treadle.spec.assets import AssetCheckSpec, AssetSpec
from treadle.spec.graph import AssetGraph
from treadle.spec.nodes import NodeSpec


class JobManifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A job.

    Attributes:
        nodes: its ops and what they wait for; empty for a job over assets.
        assets: the assets that it makes; None for a job of ops.
        tags: those of its runs.
    """

    name: str
    description: str | None = None
    nodes: tuple[NodeSpec, ...] = ()
    assets: tuple[AssetKey, ...] | None = None
    tags: dict[str, str] = {}
    partitions_def: PartitionsDefinition | None = None


class ScheduleManifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A schedule: which job it starts, and when. No cron expression: it follows the partitions of the job."""

    name: str
    job_name: str
    cron_schedule: str | tuple[str, ...] | None = None
    execution_timezone: str | None = None


class Jobs(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """What can be launched in a code location. To read this alone is quick, however many assets there are.

    Attributes:
        implicit_job: the name of the job over all assets.
        jobs: the others.
        partitions: of each job with partitioned assets, what they are partitioned by; None if not all by the same.
        conditions: how many assets have an automation condition.
        folders: the folders of its Python files.
    """

    implicit_job: str
    jobs: tuple[JobManifest, ...] = ()
    partitions: dict[str, PartitionsDefinition | None] = {}
    schedules: tuple[ScheduleManifest, ...] = ()
    sensors: tuple[str, ...] = ()
    conditions: int = 0
    folders: tuple[str, ...] = ()

    @cached_property
    def jobs_by_name(self) -> Mapping[str, JobManifest]:
        """The jobs, without the one over all assets."""
        return {job.name: job for job in self.jobs}

    @cached_property
    def job_names(self) -> frozenset[str]:
        """What can be launched."""
        return frozenset(self.jobs_by_name) | {self.implicit_job}

    def run_tags(self, job_name: str, key: str | None) -> dict[str, str]:
        """The tags of a run of a job, for a partition or without one, as far as they are known without its code."""
        job = self.jobs_by_name.get(job_name)
        found = dict(job.tags) if job is not None else {}
        definition = self._partitions_of(job_name)
        if key is not None and definition is not None:
            found |= definition.get_tags_for_partition_key(key)
        return found

    def _partitions_of(self, job_name: str) -> PartitionsDefinition | None:
        job = self.jobs_by_name.get(job_name)
        return (job.partitions_def if job is not None else None) or self.partitions.get(job_name)

    def check_partition(self, job_name: str, key: str | None, now: datetime, dynamic: Any) -> None:
        """Make sure that a job can run for a partition, or without one.

        Args:
            key: the partition; None for none.
            now: what partitions by time end with.
            dynamic: knows the keys of dynamic partitions: the instance.

        Raises:
            UnknownPartitionError: there is no such partition.
            InvocationError: the job has no partitions, or needs one.
        """
        of_assets, definition = self.partitions.get(job_name), self._partitions_of(job_name)
        if key is not None and definition is not None:
            definition.validate_partition_key(key, current_time=now, dynamic_partitions_store=dynamic)
        elif key is not None and job_name not in self.partitions:
            raise InvocationError(f"{job_name!r} has no partitions. Leave the partition {key!r} out.")
        elif key is None and of_assets is not None and definition is not None:
            last = definition.get_last_partition_key(now, dynamic)
            hint = f", for example {last!r}" if last is not None else ". There is none yet"
            raise InvocationError(
                f"{job_name!r} makes partitioned assets, so it needs a partition: --partition KEY{hint}."
            )


class Manifest(Jobs, frozen=True, omit_defaults=True, dict=True):
    """A code location.

    Attributes:
        pools: the pools of assets that need a slot of one.
        external: the assets that nothing here makes.
    """

    assets: tuple[AssetSpec, ...] = ()
    checks: tuple[AssetCheckSpec, ...] = ()
    pools: dict[AssetKey, str] = {}
    external: frozenset[AssetKey] = frozenset()

    @cached_property
    def specs(self) -> Mapping[AssetKey, AssetSpec]:
        """The assets, by key."""
        return {spec.key: spec for spec in self.assets}

    @cached_property
    def made(self) -> frozenset[AssetKey]:
        """What the job over all assets makes."""
        return frozenset(self.specs) - self.external

    @cached_property
    def graph(self) -> AssetGraph:
        """The assets and what they are made from. Which node makes an asset is not known."""
        return AssetGraph(self.assets, dict.fromkeys(self.made, ""), self.checks)

    def made_by(self, job_name: str) -> frozenset[AssetKey]:
        """The assets that a job makes."""
        job = self.jobs_by_name.get(job_name)
        return self.made if job is None else frozenset(job.assets or ())

    @cached_property
    def has_pools(self) -> bool:
        """Whether any step needs a slot of a pool."""
        return bool(self.pools) or any(node.pool for job in self.jobs for node in job.nodes)


def read_manifest(data: bytes) -> Manifest:
    """The manifest that `codec.encode` made these bytes of."""
    import treadle.spec.automation  # noqa: F401, PLC0415  as above; most commands that open the store read no manifest

    return codec.decoder(Manifest).decode(data)


def read_jobs(data: bytes) -> Jobs:
    """The jobs of the manifest that `codec.encode` made these bytes of."""
    return codec.decoder(Jobs).decode(data)


def location_of_job(
    job: str, manifests: Mapping[str, Jobs], location: str | None = None, unknown: Collection[str] = ()
) -> str | None:
    """In which of the locations a job is; None if nothing is known of them.

    Args:
        job: the name of the job.
        manifests: what is known, by location.
        location: the one that is meant, if one was named.
        unknown: locations that have not been loaded yet.

    Raises:
        InvocationError: there is no such location or job, or several locations have the job.
    """
    if not manifests or location in unknown:
        return location
    if location is not None and location not in manifests:
        hint = did_you_mean(location, manifests)
        raise InvocationError(
            f"There is no code location {location!r}.{hint} These are there: {_listed([*manifests, *unknown])}."
        )
    asked = manifests if location is None else {location: manifests[location]}
    found = [name for name, manifest in asked.items() if job in manifest.job_names]
    if not found:
        known = {name for manifest in asked.values() for name in manifest.job_names}
        later = f" Not loaded yet: {_listed(unknown)}." if unknown and location is None else ""
        raise InvocationError(
            f"There is no job {job!r} in {_listed(asked)}.{did_you_mean(job, known)} These are there: {_listed(known)}."
            + later
        )
    if len(found) > 1:
        raise InvocationError(f"The job {job!r} is in several code locations: {_listed(found)}. Choose one with -l.")
    return found[0]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
