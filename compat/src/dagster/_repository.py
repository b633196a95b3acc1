"""Repositories: what older code returns from a `@repository` function. A repository is a `Definitions` with a name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import treadle
from dagster._source_assets import SourceAsset
from treadle.author.asset_jobs import UnresolvedAssetJobDefinition
from treadle.author.assets_definition import external_assets
from treadle.author.definitions import SCHEDULES
from treadle.core.keys import IMPLICIT_JOB, check_name

_JOBS = (treadle.JobDefinition, UnresolvedAssetJobDefinition, treadle.GraphDefinition)
_KINDS = {
    "asset_checks": (treadle.AssetChecksDefinition,),
    "assets": (treadle.AssetsDefinition,),
    "jobs": _JOBS,
    "schedules": SCHEDULES,
    "sensors": (treadle.SensorDefinition,),
}
_LAZY = ("jobs", "schedules", "sensors")


class RepositoryData(ABC):
    """What a repository has, found out when it is asked for. Subclass it to make jobs, schedules and sensors late."""

    @abstractmethod
    def get_all_jobs(self) -> Sequence[Any]:
        """Its jobs."""

    def get_all_schedules(self) -> Sequence[Any]:
        """Its schedules."""
        return []

    def get_all_sensors(self) -> Sequence[Any]:
        """Its sensors."""
        return []

    def get_assets_defs_by_key(self) -> Mapping[treadle.AssetKey, treadle.AssetsDefinition]:
        """Its assets."""
        return {}

    def get_source_assets_by_key(self) -> Mapping[treadle.AssetKey, SourceAsset]:
        """Its source assets."""
        return {}

    def get_asset_checks_defs_by_key(self) -> Mapping[treadle.AssetCheckKey, treadle.AssetChecksDefinition]:
        """Its asset checks."""
        return {}

    def get_top_level_resources(self) -> Mapping[str, Any]:
        """Its resources."""
        return {}

    def get_job_names(self) -> Sequence[str]:
        """The names of its jobs."""
        return [job.name for job in self.get_all_jobs()]

    def get_schedule_names(self) -> Sequence[str]:
        """The names of its schedules."""
        return [schedule.name for schedule in self.get_all_schedules()]

    def get_sensor_names(self) -> Sequence[str]:
        """The names of its sensors."""
        return [sensor.name for sensor in self.get_all_sensors()]

    def has_job(self, job_name: str) -> bool:
        """Whether it has this job."""
        return job_name in self.get_job_names()

    def has_schedule(self, schedule_name: str) -> bool:
        """Whether it has this schedule."""
        return schedule_name in self.get_schedule_names()

    def has_sensor(self, sensor_name: str) -> bool:
        """Whether it has this sensor."""
        return sensor_name in self.get_sensor_names()

    def get_job(self, job_name: str) -> Any:
        """The job of this name."""
        return _named(self.get_all_jobs(), job_name, "job")

    def get_schedule(self, schedule_name: str) -> Any:
        """The schedule of this name."""
        return _named(self.get_all_schedules(), schedule_name, "schedule")

    def get_sensor(self, sensor_name: str) -> Any:
        """The sensor of this name."""
        return _named(self.get_all_sensors(), sensor_name, "sensor")


def _named(items: Iterable[Any], name: str, what: str) -> Any:
    found = {one.name: one for one in items}
    if name not in found:
        raise treadle.InvariantError(f"There is no {what} {name!r}. These are there: {', '.join(found) or 'none'}.")
    return found[name]


class _Given(RepositoryData):
    """Repository data as a `@repository` function returns them: a list, or a dict whose values may be functions."""

    def __init__(self, where: str, given: Any) -> None:
        self._where = where
        self._items: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
        self._late: Mapping[str, Mapping[str, Any]] = {}
        if isinstance(given, Mapping):
            for kind in given.keys() - set(_LAZY):
                raise self._refused(f"a dict with {kind!r} in it. It may have: {', '.join(_LAZY)}")
            self._late = given
        elif isinstance(given, list | tuple):
            for one in map(_external, _flat(given)):
                kind = next((name for name, types in _KINDS.items() if isinstance(one, types)), None)
                if kind is None:
                    raise self._refused(f"a list with {one!r} in it. List assets, checks, jobs, schedules and sensors")
                self._items[kind].append(one)
        else:
            raise self._refused(f"{given!r}. Return a list, a dict, or RepositoryData")

    def _refused(self, what: str) -> treadle.DefinitionError:
        return treadle.DefinitionError(f"Repository {self._where!r} is made of {what}.")

    def _all(self, kind: str) -> Sequence[Any]:
        found = list(self._items[kind])
        for name, one in self._late.get(kind, {}).items():
            made: Any = one() if callable(one) and not isinstance(one, _KINDS[kind]) else one
            if not isinstance(made, _KINDS[kind]) or made.name != name:
                raise self._refused(f"{kind} of which the one under {name!r} is {made!r}. Give it that name")
            found.append(made)
        return found

    def get_all_jobs(self) -> Sequence[Any]:
        return [one.to_job() if isinstance(one, treadle.GraphDefinition) else one for one in self._all("jobs")]

    def get_all_schedules(self) -> Sequence[Any]:
        return self._all("schedules")

    def get_all_sensors(self) -> Sequence[Any]:
        return self._all("sensors")

    def get_assets_defs_by_key(self) -> Mapping[treadle.AssetKey, treadle.AssetsDefinition]:
        return self._by_key([one for one in self._items["assets"] if not isinstance(one, SourceAsset)], "keys")

    def get_source_assets_by_key(self) -> Mapping[treadle.AssetKey, SourceAsset]:
        return self._by_key([one for one in self._items["assets"] if isinstance(one, SourceAsset)], "keys")

    def get_asset_checks_defs_by_key(self) -> Mapping[treadle.AssetCheckKey, treadle.AssetChecksDefinition]:
        return self._by_key(self._items["asset_checks"], "check_keys")

    def _by_key(self, items: Iterable[Any], keys: str) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for one in items:
            for key in getattr(one, keys):
                if found.setdefault(key, one) is not one:
                    raise self._refused(f"a list that declares {key} twice. Rename one")
        return found


class RepositoryDefinition(treadle.Definitions):
    """Definitions with a name. Everything that takes a `Definitions` takes one.

    Args:
        name: its name.
        repository_data: what it has. Jobs, schedules and sensors are asked for when they are first needed.
        description: a sentence for people.
        metadata: facts about it.
    """

    def __init__(
        self,
        name: str,
        *,
        repository_data: RepositoryData,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        repository_load_data: Any = None,
    ) -> None:
        if not isinstance(repository_data, RepositoryData):
            raise treadle.DefinitionError(f"Repository {name!r}: repository_data is {repository_data!r}, no such data.")
        self.assets_defs_by_key = repository_data.get_assets_defs_by_key()
        self.source_assets_by_key = repository_data.get_source_assets_by_key()
        self.asset_checks_defs_by_key = repository_data.get_asset_checks_defs_by_key()
        super().__init__(
            assets=[*self.assets_defs_by_key.values(), *self.source_assets_by_key.values()],
            asset_checks=self.asset_checks_defs_by_key.values(), resources=repository_data.get_top_level_resources(),
            metadata=metadata,
        )  # fmt: skip
        for late in _LAZY:
            del self.__dict__[late]  # the properties below find them
        self.name = check_name(name, "a repository")
        self.description = description
        self._data = repository_data

    @cached_property
    def jobs(self) -> list[Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Its jobs as given."""
        return list(self._data.get_all_jobs())

    @cached_property
    def schedules(self) -> list[Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Its schedules as given."""
        return list(self._data.get_all_schedules())

    @cached_property
    def sensors(self) -> list[Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Its sensors as given."""
        return list(self._data.get_all_sensors())

    @property
    def job_names(self) -> Sequence[str]:
        """The names of its jobs, the implicit one over all assets among them."""
        return [*self.jobs_by_name, *([IMPLICIT_JOB] if self.layer.by_key else [])]

    def get_all_jobs(self) -> Sequence[treadle.JobDefinition]:
        """Its jobs."""
        return [self.get_job_def(name) for name in self.job_names]

    def get_job(self, name: str) -> treadle.JobDefinition:
        """The job of this name."""
        return self.get_job_def(name)

    def has_job(self, name: str) -> bool:
        """Whether it has this job."""
        return name in self.job_names

    @property
    def schedule_defs(self) -> Sequence[treadle.ScheduleDefinition]:
        """Its schedules."""
        return [self.get_schedule_def(one.name) for one in self.schedules]

    def has_schedule_def(self, name: str) -> bool:
        """Whether it has this schedule."""
        return any(one.name == name for one in self.schedules)

    @property
    def sensor_defs(self) -> Sequence[treadle.SensorDefinition]:
        """Its sensors."""
        return self.sensors

    def has_sensor_def(self, name: str) -> bool:
        """Whether it has this sensor."""
        return any(one.name == name for one in self.sensors)

    def __call__(self) -> RepositoryDefinition:
        """Itself: the function that it was made of returned what it has."""
        return self


def repository(
    definitions_fn: Callable[[], Any] | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    default_executor_def: Any = None,
    default_logger_defs: Mapping[str, Any] | None = None,
    _top_level_resources: Mapping[str, Any] | None = None,
) -> Any:
    """Make a function that lists definitions a repository. New code writes `Definitions(...)`.

    Args:
        definitions_fn: returns a list of definitions; a dict of jobs, schedules and sensors by name, each a definition
            or a function that returns it; or `RepositoryData`.
        name: the repository's name; the function's by default.
        default_executor_def, default_logger_defs: for jobs that have none of their own.

    Raises:
        DefinitionError: the function returns something else, or two definitions of one name.
    """

    def make(fn: Callable[[], Any]) -> RepositoryDefinition:
        own = name or fn.__name__
        given = fn()
        data = given if isinstance(given, RepositoryData) else _Given(own, given)
        made = RepositoryDefinition(own, repository_data=data, description=description or fn.__doc__, metadata=metadata)
        made.executor = default_executor_def
        made.loggers = dict(default_logger_defs or {})
        made.resources.update(_top_level_resources or {})
        if isinstance(given, list):
            made.jobs_by_name  # noqa: B018  # raises when two have one name
        return made

    return make if definitions_fn is None else make(definitions_fn)


class BindResourcesToJobs(list[Any]):
    """Jobs that get the resources of their `Definitions`. All jobs do: a list is as good."""


def create_repository_using_definitions_args(
    name: str,
    assets: Iterable[Any] | None = None,
    schedules: Iterable[Any] | None = None,
    sensors: Iterable[Any] | None = None,
    jobs: Iterable[Any] | None = None,
    resources: Mapping[str, Any] | None = None,
    executor: Any = None,
    loggers: Mapping[str, Any] | None = None,
    asset_checks: Iterable[Any] | None = None,
) -> RepositoryDefinition:
    """A repository of this name with what the arguments of `Definitions` say."""
    known = treadle.Definitions(assets, schedules, sensors, jobs, asset_checks=asset_checks)
    return repository(
        name=name, default_executor_def=executor, default_logger_defs=loggers, _top_level_resources=resources
    )(lambda: [*known.assets, *known.asset_checks, *known.schedules, *known.sensors, *known.jobs])


def _external(one: Any) -> Any:
    return external_assets([one])[0] if isinstance(one, treadle.AssetSpec) else one


def _flat(items: Iterable[Any]) -> Iterable[Any]:
    for one in items:
        yield from _flat(one) if isinstance(one, list | tuple) else (one,)
