"""What schedules and sensors have in common: what they start, and a function that is called at each tick.

They start jobs, by object or by name, or a hidden job over assets.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

import msgspec

from treadle.author.asset_jobs import UnresolvedAssetJobDefinition
from treadle.author.jobs import JobDefinition
from treadle.author.requests import RunRequest
from treadle.author.resources import is_resource_annotation
from treadle.author.signature import docstring, signature_of, where
from treadle.core import tags as tag_names
from treadle.core.metadata import normalize
from treadle.errors import DefinitionError, InvariantError, InvocationError
from treadle.spec.selection import AssetSelection

Job = JobDefinition | UnresolvedAssetJobDefinition


class TickFunction(msgspec.Struct, frozen=True):
    """A user's function of a tick: what it takes, and how it is called.

    Attributes:
        fn: the function.
        what: what it belongs to, for messages.
        names: its parameters that are given by position: a context, perhaps more.
        resources: its parameters that are resources.
        required: the keys of all resources that it uses.
    """

    fn: Callable[..., Any]
    what: str
    names: tuple[str, ...]
    resources: tuple[str, ...]
    required: Set[str]

    @staticmethod
    def of(fn: Any, what: str, required: Set[str] | None = None, most: int = 1) -> TickFunction:
        """Read a function that takes at most so many parameters beside resources.

        Raises:
            DefinitionError: it takes more, or is no function.
        """
        if not callable(fn):
            raise DefinitionError(f"{what} is made of a function, not of {fn!r}.")
        read = signature_of(fn)
        resources = tuple(name for name in read.names if is_resource_annotation(read.annotations.get(name)))
        names = ((read.context,) if read.context else ()) + tuple(n for n in read.names if n not in resources)
        needed = tuple(name for name in names if name not in read.defaults)
        if len(needed) > most:
            raise DefinitionError(
                f"The function of {what} takes {', '.join(names)}; it gets {'a context' if most == 1 else most} and "
                f"resources. Annotate a resource with its class, or ResourceParam[...].{where(fn)}"
            )
        return TickFunction(fn, what, names[:most], resources, frozenset(required or ()) | set(resources))

    def __call__(self, context: Any, *more: Any) -> Any:
        """Call it as the system does."""
        given = {key: getattr(context.resources, key) for key in self.resources}
        return self.fn(*(context, *more)[: len(self.names)], **given)

    def by_hand(self, kind: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Callable[..., Any]]:
        """The context that someone calls it with in a test, and the call: it takes what comes after the context.

        Raises:
            InvocationError: there is no context where it takes one, or more than that and resources.
        """
        given = [*args, *(kwargs.pop(name) for name in self.names if name in kwargs)]
        unknown = kwargs.keys() - set(self.resources)
        if unknown or len(given) > 1 or not all(isinstance(one, kind) for one in given):
            raise InvocationError(
                f"{self.what} is called with a {kind.__name__} and its resources by name, not with "
                f"{', '.join(map(repr, [*given, *sorted(unknown)])):.200}.{where(self.fn)}"
            )
        if not given and (self.names or set(self.resources) - kwargs.keys()):
            raise InvocationError(f"{self.what} takes a context. Call it with one that is built for tests.")
        context: Any = given[0] if given else None
        kwargs |= {key: getattr(context.resources, key) for key in self.resources if key not in kwargs}
        return context, lambda *more: self.fn(*(context, *more)[: len(self.names)], **kwargs)


class Trigger:
    """A schedule or sensor: facts about it, and what it starts."""

    name: str
    targets: tuple[Job | str, ...]
    _what = "Trigger"
    _statuses: type[enum.Enum]
    _context_type: type
    _function: Any
    """A `TickFunction`, if it has one."""

    def _describe(
        self, fn: Any, description: str | None, default_status: Any, metadata: Mapping[str, Any] | None, owners: Any
    ) -> None:
        """Keep these facts. Without a description the docstring of `fn` is one.

        Raises:
            DefinitionError: the status is none, or an owner is.
        """
        if not isinstance(default_status, self._statuses):
            raise DefinitionError(f"{self._what}: default_status is {default_status!r}. Use {self._statuses.__name__}.")
        self.description = description or (docstring(fn) if fn is not None else None)
        self.default_status: Any = default_status
        self.metadata = normalize(metadata, self._what) if metadata else {}
        self.owners = tag_names.owners(owners, self._what)

    def _only_target(self) -> Job | str:
        if len(self.targets) != 1:
            raise DefinitionError(f"{self._what} has {len(self.targets) or 'no'} jobs. See targets.")
        return self.targets[0]

    @property
    def job_name(self) -> str:
        """The name of its job.

        Raises:
            DefinitionError: it has none, or several.
        """
        return name_of(self._only_target())

    @property
    def job(self) -> Job:
        """Its job.

        Raises:
            DefinitionError: it has none, or several, or only a name was given.
        """
        found = self._only_target()
        if isinstance(found, str):
            raise DefinitionError(f"{self._what} knows only the name of its job: {found!r}. See job_name.")
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call its function, as tests do, with a context if it takes one. What it gives is returned as it is.

        Raises:
            InvocationError: there is no function, or it is called with something else.
        """
        if self._function is None:
            raise InvocationError(f"{self._what} has no function to call. See what evaluate_tick(context) gives.")
        return self._function.by_hand(self._context_type, args, kwargs)[1]()

    def __repr__(self) -> str:
        return f"<{self._what[0].lower()}{self._what[1:]}>"


def as_job(given: Any, what: str) -> Job:
    """The job that `given` is; a graph becomes one.

    Raises:
        DefinitionError: it is none.
    """
    if not _is_job(given):
        raise DefinitionError(f"{what} got {given!r} for a job. Give it a job or a graph; a name goes into job_name.")
    return given if isinstance(given, Job) else given.to_job()


def _is_job(given: Any) -> bool:
    return isinstance(given, Job) or hasattr(given, "to_job")


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
    if _is_job(target):
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
            parts = getattr(job, "partitions_def", None)
            key = request.partition_key
            tags |= {tag_names.PARTITION: key} if parts is None else parts.get_tags_for_partition_key(key)
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
