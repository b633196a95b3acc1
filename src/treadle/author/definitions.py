"""`Definitions`: everything a code location declares, put together and checked as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import cached_property
from typing import Any

from treadle.author import port
from treadle.author.asset_jobs import IMPLICIT_JOB, UnresolvedAssetJobDefinition, asset_job
from treadle.author.asset_layer import AssetLayer
from treadle.author.assets_definition import AssetsDefinition
from treadle.author.binding import bound_resources
from treadle.author.jobs import JobDefinition
from treadle.author.ops import DEFAULT_IO_MANAGER_KEY, required_keys
from treadle.author.resources import ResourceDefinition, as_resource_definition
from treadle.author.schedules import ScheduleDefinition, UnresolvedPartitionedAssetScheduleDefinition
from treadle.author.sensors import AutomationConditionSensorDefinition, SensorDefinition
from treadle.author.signature import where
from treadle.core.keys import AssetKey, CoercibleToAssetKey, check_dict, did_you_mean
from treadle.core.metadata import normalize
from treadle.errors import DefinitionError, InvariantError, UnknownResourceError
from treadle.spec.assets import AssetSpec
from treadle.spec.selection import AssetSelection

SCHEDULES = (ScheduleDefinition, UnresolvedPartitionedAssetScheduleDefinition)


class Definitions:
    """What a code location declares. A file or module that Treadle loads has one of these at its top level.

    It is put together when it is first asked for something, so a mistake surfaces when the location is loaded.

    Args:
        assets: assets; a bare `AssetSpec` is an asset that nothing here makes.
        schedules, sensors: what starts runs.
        jobs: jobs; an implicit job over all assets is always there.
        resources: by the key that functions ask for; plain objects are allowed.
        executor: how runs execute their steps unless a job says otherwise.
        loggers: where log lines go besides the event log.
        asset_checks: checks.
        metadata: facts about the location.
    """

    def __init__(
        self,
        assets: Iterable[AssetsDefinition | AssetSpec] | None = None,
        schedules: Iterable[Any] | None = None,
        sensors: Iterable[Any] | None = None,
        jobs: Iterable[JobDefinition | UnresolvedAssetJobDefinition] | None = None,
        resources: Mapping[str, Any] | None = None,
        executor: Any = None,
        loggers: Mapping[str, Any] | None = None,
        asset_checks: Iterable[AssetsDefinition] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.assets = _listed(assets, "assets")
        self.schedules = _triggers(schedules, "schedules", SCHEDULES)
        self.sensors = _triggers(sensors, "sensors", SensorDefinition)
        self.jobs = _listed(jobs, "jobs")
        check_dict(resources or {}, "resources", "Definitions")
        self.resources = dict(resources or {})
        self.executor = _of_kind(executor, "executor", "executor") if executor is not None else None
        self.loggers = {key: _of_kind(one, "logger", f"loggers[{key!r}]") for key, one in (loggers or {}).items()}
        self.asset_checks = _listed(asset_checks, "asset_checks")
        self.metadata = normalize(metadata, "Definitions(metadata=...)") if metadata else {}

    @cached_property
    def layer(self) -> AssetLayer:
        """Its assets and checks, put together."""
        return AssetLayer(self.assets, self.asset_checks)

    @cached_property
    def resource_defs(self) -> dict[str, ResourceDefinition]:
        """Its resources as definitions."""
        return {key: as_resource_definition(key, value) for key, value in self.resources.items()}

    @cached_property
    def jobs_by_name(self) -> dict[str, JobDefinition]:
        """Its jobs, without the implicit one.

        Raises:
            DefinitionError: two different jobs share a name.
        """
        found: dict[str, JobDefinition] = {}
        given: dict[str, Any] = {}
        for job in self.jobs:
            name = getattr(job, "name", None)
            if not isinstance(job, JobDefinition | UnresolvedAssetJobDefinition) or name is None:
                raise DefinitionError(
                    f"{job!r} is not a job. Jobs are made by @job, define_asset_job or a graph's to_job()."
                )
            if given.setdefault(name, job) is not job:
                raise DefinitionError(f"Two jobs are called {name!r}. Rename one of them.")
            found[name] = self._bind(job)
        for trigger in [*self.schedules, *self.sensors]:
            for job in (one for one in trigger.targets if not isinstance(one, str)):
                if not _same(given.setdefault(job.name, job), job):
                    raise DefinitionError(
                        f"{trigger!r} starts a job {job.name!r}, and another job has this name. Rename one of them."
                    )
                if job.name not in found:
                    found[job.name] = self._bind(job)
        return found

    def _bind(self, job: JobDefinition | UnresolvedAssetJobDefinition) -> JobDefinition:
        if isinstance(job, UnresolvedAssetJobDefinition):
            return job.resolve(self.layer, self.resource_defs, **self._defaults)
        own = {"executor_def": job.executor_def, "logger_defs": job.logger_defs}
        lacking = {name: value for name, value in self._defaults.items() if not own[name]}
        bound = job.with_top_level_resources(self.resource_defs)
        return bound.replace(**lacking) if lacking else bound

    @property
    def _defaults(self) -> dict[str, Any]:
        """What its jobs have that do not say otherwise."""
        given = {"executor_def": self.executor, "logger_defs": self.loggers}
        return {name: value for name, value in given.items() if value}

    @cached_property
    def implicit_job(self) -> JobDefinition:
        """The job over all assets and checks."""
        return asset_job(IMPLICIT_JOB, self.layer, self.resource_defs, **self._defaults)

    def job_over(self, selection: AssetSelection, name: str = IMPLICIT_JOB) -> JobDefinition:
        """The implicit job, over a selection."""
        return asset_job(name, self.layer, self.resource_defs, selection, **self._defaults)

    def get_job_def(self, name: str) -> JobDefinition:
        """The job of this name.

        Raises:
            InvariantError: there is none.
        """
        if name == IMPLICIT_JOB:
            return self.implicit_job
        if name not in self.jobs_by_name:
            known = ", ".join(sorted(self.jobs_by_name)) or "none"
            raise InvariantError(
                f"There is no job {name!r}.{did_you_mean(name, self.jobs_by_name)} These are there: {known}."
            )
        return self.jobs_by_name[name]

    def get_schedule_def(self, name: str) -> Any:
        """The schedule of this name."""
        found = _by_name(self.schedules, name, "schedule")
        if isinstance(found, UnresolvedPartitionedAssetScheduleDefinition):
            return found.resolve(self.get_job_def(found.job.name))
        return found

    def get_sensor_def(self, name: str) -> Any:
        """The sensor of this name."""
        return _by_name(self.sensors, name, "sensor")

    def resolve_all_asset_specs(self) -> Sequence[AssetSpec]:
        """The spec of every asset."""
        return [spec.grouped() for definition in self.layer.by_key.values() for spec in definition.specs]

    def resolve_all_asset_keys(self) -> Sequence[AssetKey]:
        """The key of every asset."""
        return list(self.layer.by_key)

    def get_assets_def(self, key: CoercibleToAssetKey) -> AssetsDefinition:
        """What declares an asset."""
        wanted = AssetKey.of(key)
        if wanted not in self.layer.by_key:
            names = [one.to_user_string() for one in self.layer.by_key]
            raise InvariantError(
                f"There is no asset {wanted.to_user_string()!r}.{did_you_mean(wanted.to_user_string(), names)}"
            )
        return self.layer.by_key[wanted]

    def map_asset_specs(self, *, func: Callable[[AssetSpec], AssetSpec], selection: Any = None) -> Definitions:
        """A copy in which `func` was applied to the spec of each selected asset; it must keep the key."""
        chosen: set[AssetKey] | None = None
        if selection is not None:
            chosen = AssetSelection.from_coercible(selection).resolve(self.layer.graph)

        def change(spec: AssetSpec) -> AssetSpec:
            return func(spec) if chosen is None or spec.key in chosen else spec

        return Definitions(
            map_asset_specs(change, self.assets), self.schedules, self.sensors, self.jobs, self.resources,
            self.executor, self.loggers, self.asset_checks, self.metadata,
        )  # fmt: skip

    map_resolved_asset_specs = map_asset_specs

    def load_asset_value(
        self,
        asset_key: CoercibleToAssetKey,
        *,
        python_type: type | None = None,
        instance: Any = None,
        partition_key: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> object:
        """The stored value of an asset, read through its IO manager."""
        with self.get_asset_value_loader(instance) as loader:
            return loader.load_asset_value(
                asset_key, python_type=python_type, partition_key=partition_key, metadata=metadata
            )

    def get_asset_value_loader(self, instance: Any = None) -> Any:
        """What reads many stored values, setting IO managers up once. Use it in a `with`."""
        return port.call("asset_value_loader")(self.layer.by_key, instance, self.resource_defs)

    @staticmethod
    def validate_loadable(defs: Definitions) -> None:
        """Put everything together and check it.

        Raises:
            DefinitionError: something that is declared cannot be right.
        """
        defs.layer.graph.order  # noqa: B018  # raises on a circle
        _require_resources(defs)
        if defs.layer.binding:
            bound_resources(defs.layer.definitions.values(), (), defs.resource_defs)
        for job in defs.jobs_by_name.values():
            _require_job_resources(job)
        _check_triggers(defs)

    @staticmethod
    def merge(*def_sets: Definitions) -> Definitions:
        """All of these as one.

        Raises:
            InvariantError: two of them bind one key to different resources or loggers, or name different executors.
        """
        merged = Definitions()
        for defs in def_sets:
            for field in ("assets", "schedules", "sensors", "jobs", "asset_checks"):
                mine = getattr(merged, field)
                mine.extend(one for one in getattr(defs, field) if not any(one is other for other in mine))
            _merge(merged.resources, defs.resources, "resource")
            _merge(merged.loggers, defs.loggers, "logger")
            merged.metadata.update(defs.metadata)
            if defs.executor is not None:
                if merged.executor is not None and merged.executor is not defs.executor:
                    raise InvariantError("Definitions.merge: two of them name different executors. Keep one.")
                merged.executor = defs.executor
        return merged


class LazyDefinitions:
    """A function that returns definitions; it is called when they are loaded. Made by `@definitions`."""

    def __init__(self, fn: Callable[..., Definitions]) -> None:
        code = fn.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        kinds = [getattr(kind, "__name__", str(kind)) for kind in map(fn.__annotations__.get, names)]
        self._takes_context = bool(names)
        if len(names) > 1 or any(kind.rpartition(".")[2] != "ComponentLoadContext" for kind in kinds):
            raise DefinitionError(
                f"@definitions: {fn.__name__!r} may take one parameter, annotated `ComponentLoadContext`, or none. "
                f"Take what else it needs from its module.{where(fn)}"
            )
        self._fn = fn

    def __call__(self, context: Any = None) -> Definitions:
        """Call the function.

        Args:
            context: the `ComponentLoadContext` of the folder that it is in, for a function that takes one.

        Raises:
            DefinitionError: it takes a context and there is none.
            InvariantError: it returned something else.
        """
        if self._takes_context and context is None:
            raise DefinitionError(
                f"{self._fn.__name__!r} takes a ComponentLoadContext, and there is one only where a folder of "
                f"components is loaded. Load it from there, or leave the parameter out.{where(self._fn)}"
            )
        made = self._fn(context) if self._takes_context else self._fn()
        if not isinstance(made, Definitions):
            raise InvariantError(
                f"{self._fn.__name__!r} is decorated with @definitions, and returned {made!r}. Return a "
                f"Definitions.{where(self._fn)}"
            )
        return made


def definitions(fn: Callable[..., Definitions]) -> LazyDefinitions:
    """Make a function the source of what a code location declares. It is called when the location is loaded.

    Args:
        fn: takes nothing, or one `ComponentLoadContext`, and returns `Definitions`.

    Example:
        @definitions
        def defs():
            return Definitions(assets=load_assets_from_package_name("shop.assets"))

    Raises:
        DefinitionError: it has other parameters.
    """
    return LazyDefinitions(fn)


def map_asset_specs(
    func: Callable[[AssetSpec], AssetSpec], iterable: Iterable[AssetsDefinition | AssetSpec]
) -> list[AssetsDefinition | AssetSpec]:
    """Copies of these assets, `func` applied to each spec. It must keep the key of an asset that something makes.

    Example:
        assets = map_asset_specs(lambda spec: spec.replace_attributes(owners=["team:data"]), assets)
    """
    return [func(one) if isinstance(one, AssetSpec) else one.with_specs(func) for one in iterable]


def _listed(given: Iterable[Any] | None, what: str) -> list[Any]:
    """The items, whatever iterable they came in; one item alone is a mistake that deserves its own words."""
    if given is None:
        return []
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise DefinitionError(f"Definitions({what}=...) takes a list, not {given!r}. Write {what}=[...].")
    items: list[Any] = []
    for one in given:
        items.extend(one) if isinstance(one, list | tuple) else items.append(one)
    return items


def _triggers(given: Iterable[Any] | None, what: str, kind: type | tuple[type, ...]) -> list[Any]:
    items = _listed(given, what)
    for one in items:
        if not isinstance(one, kind):
            raise DefinitionError(f"Definitions({what}=...) has {one!r} in it, which is none of its {what}.")
    return items


def _of_kind(given: Any, kind: str, where: str) -> Any:
    if getattr(given, "_what", None) != kind:  # told so, an import of a module that few need is saved
        raise DefinitionError(f"Definitions takes as its {where} what @{kind} makes, not {given!r}.")
    return given


def _same(one: Any, other: Any) -> bool:
    """Whether two jobs are one: the same, or jobs over assets that were declared alike."""
    both = type(one) is type(other) is UnresolvedAssetJobDefinition
    return one is other or (both and vars(one) == vars(other))


def _merge(mine: dict[str, Any], theirs: Mapping[str, Any], what: str) -> None:
    for key, value in theirs.items():
        if key in mine and mine[key] is not value and mine[key] != value:
            raise InvariantError(
                f"Definitions.merge: two of them bind the {what} {key!r} to different values. Keep one of the two."
            )
        mine[key] = value


def _by_name(items: Iterable[Any], name: str, what: str) -> Any:
    found = {one.name: one for one in items}
    if name not in found:
        raise InvariantError(f"There is no {what} {name!r}.{did_you_mean(name, found)}")
    return found[name]


def _check_triggers(defs: Definitions) -> None:
    """Schedules and sensors have names of their own, and what they start and need is there."""
    named = dict.fromkeys(defs.jobs_by_name, "a job")
    for kind, triggers in (("schedule", defs.schedules), ("sensor", defs.sensors)):
        for trigger in triggers:
            if trigger.name in named:
                raise DefinitionError(
                    f"A {kind} is called {trigger.name!r}, and so is {named[trigger.name]}. Rename one of them."
                )
            named[trigger.name] = f"another {kind}"
            for target in trigger.targets:
                if isinstance(target, str) and target != IMPLICIT_JOB and target not in defs.jobs_by_name:
                    raise DefinitionError(
                        f"{trigger!r} starts job {target!r}, and there is none."
                        f"{did_you_mean(target, defs.jobs_by_name)} Give it to Definitions(jobs=[...])."
                    )
            found = defs.get_schedule_def(trigger.name) if kind == "schedule" else trigger
            _require(found.required_resource_keys, defs.resource_defs, repr(trigger))
    evaluated: dict[AssetKey, str] = {}
    for sensor in defs.sensors:
        if isinstance(sensor, AutomationConditionSensorDefinition):
            for key in sensor.asset_selection.resolve(defs.layer.graph):
                if evaluated.setdefault(key, sensor.name) != sensor.name:
                    raise DefinitionError(
                        f"Sensors {evaluated[key]!r} and {sensor.name!r} both evaluate the automation condition of "
                        f"{key.to_user_string()!r}. Let their targets not overlap."
                    )


def _require(
    needed: Set[str],
    provided: Mapping[str, Any],
    who: str | Callable[[str], str],
    *,
    place: str = "Definitions(resources=...)",
    where: str = "",
) -> None:
    """Each needed resource is there.

    Args:
        who: who needs it, for the message; may depend on the key.
        place: where to give it.
    """
    missing = needed - provided.keys()
    if missing:
        key = min(missing)
        raise UnknownResourceError(
            f"{who if isinstance(who, str) else who(key)} needs a resource {key!r}, and there is none."
            f"{did_you_mean(key, provided)} Give it to {place}.{where}",
            keys=frozenset(missing),
        )


def _require_resources(defs: Definitions) -> None:
    """Every resource that an asset or check asks for is there."""
    provided = {DEFAULT_IO_MANAGER_KEY: None, **defs.resource_defs}
    definitions = {id(one): one for one in defs.layer.definitions.values()}.values()
    if required_keys(op for one in definitions for op in one.ops) <= provided.keys():
        return
    for definition in definitions:
        node = definition.node_def
        known = {**provided, **definition.resource_defs} if definition.resource_defs else provided
        _require(required_keys(definition.ops), known, repr(node.name), where=node.where)


def _require_job_resources(job: JobDefinition) -> None:
    """Every resource that an op or hook of the job asks for is there."""
    place = "the job's resource_defs, or to Definitions(resources=...)"
    provided = job.resource_defs
    _require(
        job.hook_keys(job.ops), provided, lambda key: f"{job.needed_by[key].capitalize()} of job {job.name!r}",
        place=place,
    )  # fmt: skip
    for handle, op in job.ops.items():
        bound = job.assets[handle].resource_defs if handle in job.assets else None
        known = {**provided, **bound} if bound else provided
        _require(required_keys([op]), known, f"Op {op.name!r} of job {job.name!r}", place=place, where=op.where)
