"""What a schedule or sensor starts: jobs, by object or by name, or a hidden job over assets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from treadle.author.asset_jobs import UnresolvedAssetJobDefinition
from treadle.author.jobs import JobDefinition
from treadle.author.requests import RunRequest
from treadle.core import tags as tag_names
from treadle.errors import DefinitionError, InvariantError
from treadle.spec.selection import AssetSelection

Job = JobDefinition | UnresolvedAssetJobDefinition


def as_job(given: Any, what: str) -> Job:
    """The job that `given` is; a graph becomes one.

    Raises:
        DefinitionError: it is none.
    """
    if isinstance(given, JobDefinition | UnresolvedAssetJobDefinition):
        return given
    if hasattr(given, "to_job"):
        return given.to_job()
    raise DefinitionError(f"{what} got {given!r} for a job. Give it a job or a graph; a name goes into job_name.")


def targets_of(
    what: str, name: str | None, job: Any, jobs: Sequence[Any] | None, job_name: str | None, target: Any
) -> tuple[Job | str, ...]:
    """The jobs that are given in one of these ways, names as they are.

    Raises:
        DefinitionError: they are given in several ways.
    """
    given = {"job": job, "jobs": jobs, "job_name": job_name, "target": target}
    used = [key for key, value in given.items() if value is not None]
    if len(used) > 1:
        raise DefinitionError(f"{what} got {' and '.join(used)}. Give one of them.")
    if job_name is not None:
        return (job_name,)
    if jobs is not None:
        return tuple(as_job(one, what) for one in jobs)
    if job is not None:
        return (as_job(job, what),)
    if target is None:
        return ()
    if isinstance(target, JobDefinition | UnresolvedAssetJobDefinition) or hasattr(target, "to_job"):
        return (as_job(target, what),)
    if name is None:
        raise DefinitionError(f"{what} has assets as its target and no name. Give it one: name='...'.")
    return (UnresolvedAssetJobDefinition(f"__anonymous_asset_job_{name}", AssetSelection.from_coercible(target)),)


def name_of(target: Job | str) -> str:
    """The name of the job."""
    return target if isinstance(target, str) else target.name


def resolved(
    request: RunRequest, targets: Sequence[Job | str], definitions: Any, now: datetime | None, store: Any,
    own_tags: Mapping[str, str],
) -> RunRequest:  # fmt: skip
    """The request with what its partition adds, and `own_tags`.

    A partition's config and tags come from the job where that is at hand: as an object, or in `definitions`.

    Args:
        store: has the keys of dynamic partitions.

    Raises:
        UnknownPartitionError: there is no such partition.
        InvariantError: it asks for a partition of a job that has none.
    """
    tags = {**request.tags}
    config = request.run_config
    if request.partition_key is not None:
        by_name = {name_of(one): one for one in targets}
        job = by_name.get(request.job_name) if request.job_name else (targets[0] if len(targets) == 1 else None)
        name = request.job_name or (name_of(job) if job is not None else None)
        if definitions is not None and name is not None and not isinstance(job, JobDefinition):
            job = definitions.get_job_def(name)
        if isinstance(job, JobDefinition):
            full = job.run_request_for_partition(
                request.partition_key, run_config=request.run_config or None, tags=tags, current_time=now,
                dynamic_partitions_store=store,
            )  # fmt: skip
            tags, config = dict(full.tags), full.run_config
        else:
            definition = job.partitions_def if isinstance(job, UnresolvedAssetJobDefinition) else None
            tags |= (
                definition.get_tags_for_partition_key(request.partition_key)
                if definition is not None
                else {tag_names.PARTITION: request.partition_key}
            )
    return request.with_replaced_attrs(tags={**tags, **own_tags}, run_config=config)


def check_job_names(requests: Sequence[RunRequest], targets: Sequence[Job | str], what: str) -> None:
    """Each of several targets must be named, and must be one of them.

    Raises:
        InvariantError: a request names none or another.
    """
    names = [name_of(one) for one in targets]
    for request in requests:
        if request.job_name is None and len(names) > 1:
            raise InvariantError(
                f"{what} has several jobs, and a run request of it names none. Write "
                f"RunRequest(job_name=...), one of: {', '.join(names)}."
            )
        if request.job_name is not None and request.job_name not in names:
            raise InvariantError(
                f"{what} asks for a run of job {request.job_name!r}, and has only {', '.join(names)}. Name one of "
                "them, or give it the job."
            )
