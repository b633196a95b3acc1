"""What users call on `Definitions` besides what is documented, attached before it is first used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dagster._repository import RepositoryData, RepositoryDefinition
from treadle.author.assets_definition import AssetsDefinition
from treadle.author.definitions import Definitions
from treadle.author.jobs import JobDefinition
from treadle.core.keys import IMPLICIT_JOB, AssetKey
from treadle.spec.graph import AssetGraph


class _Held(RepositoryData):
    """What some definitions have, as a repository has it."""

    def __init__(self, defs: Definitions) -> None:
        self._defs = defs

    def get_all_jobs(self) -> Sequence[Any]:
        return self._defs.jobs

    def get_all_schedules(self) -> Sequence[Any]:
        return self._defs.schedules

    def get_all_sensors(self) -> Sequence[Any]:
        return self._defs.sensors

    def get_assets_defs_by_key(self) -> dict[AssetKey, AssetsDefinition]:
        return dict(self._defs.layer.by_key)

    def get_asset_checks_defs_by_key(self) -> dict[Any, Any]:
        return dict(self._defs.layer.checks)

    def get_top_level_resources(self) -> dict[str, Any]:
        return self._defs.resources


def _repository(defs: Definitions) -> RepositoryDefinition:
    """These definitions as a repository, called `__repository__`."""
    return RepositoryDefinition("__repository__", repository_data=_Held(defs))


def _all_jobs(defs: Definitions) -> Sequence[JobDefinition]:
    """All of its jobs, the implicit one over all assets among them."""
    return [*([defs.implicit_job] if defs.implicit_job.nodes else ()), *defs.jobs_by_name.values()]


_MEMBERS: dict[str, Callable[..., Any]] = {
    "get_implicit_global_asset_job_def": lambda defs: defs.get_job_def(IMPLICIT_JOB),
    "get_repository_def": _repository,
    "resolve_all_job_defs": _all_jobs,
    "resolve_asset_graph": lambda defs: defs.layer.graph,
    "resolve_assets_def": Definitions.get_assets_def,
    "resolve_implicit_global_asset_job_def": lambda defs: defs.get_job_def(IMPLICIT_JOB),
    "resolve_job_def": Definitions.get_job_def,
    "resolve_schedule_def": Definitions.get_schedule_def,
    "resolve_sensor_def": Definitions.get_sensor_def,
}
for _name, _member in _MEMBERS.items():
    setattr(Definitions, _name, _member)

AssetGraph.get_all_asset_keys = lambda graph: set(graph.specs)  # pyright: ignore[reportAttributeAccessIssue]
AssetGraph.all_asset_keys = property(lambda graph: set(graph.specs))  # pyright: ignore[reportAttributeAccessIssue]
AssetGraph.materializable_asset_keys = property(lambda graph: graph.materializable)  # pyright: ignore[reportAttributeAccessIssue]
