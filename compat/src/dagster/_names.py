"""Which name of Treadle stands behind each name of Dagster.

Most names are the same in both, and are taken from Treadle's own table: a name that Treadle gains, `dagster` has. Here
is only what differs: names that dropped their prefix, errors that have another name, and what is written in this
distribution.
"""

from __future__ import annotations

import treadle

RENAMED = {
    "DagsterAssetMetadataValue": "AssetMetadataValue",
    "DagsterConfigMappingFunctionError": "ConfigMappingError",
    "DagsterError": "TreadleError",
    "DagsterEvent": "Event",
    "DagsterEventType": "EventType",
    "DagsterExecutionInterruptedError": "ExecutionInterruptedError",
    "DagsterExecutionStepExecutionError": "StepExecutionError",
    "DagsterExecutionStepNotFoundError": "StepNotFoundError",
    "DagsterInstance": "Instance",
    "DagsterInvalidConfigDefinitionError": "ConfigDefinitionError",
    "DagsterInvalidConfigError": "ConfigError",
    "DagsterInvalidDefinitionError": "DefinitionError",
    "DagsterInvalidInvocationError": "InvocationError",
    "DagsterInvalidSubsetError": "SelectionError",
    "DagsterInvariantViolationError": "InvariantError",
    "DagsterJobMetadataValue": "JobMetadataValue",
    "DagsterResourceFunctionError": "ResourceError",
    "DagsterRun": "Run",
    "DagsterRunMetadataValue": "RunMetadataValue",
    "DagsterRunNotFoundError": "RunNotFoundError",
    "DagsterRunStatus": "RunStatus",
    "DagsterStepOutputNotFoundError": "StepOutputNotFoundError",
    "DagsterType": "ValueType",
    "DagsterTypeCheckDidNotPass": "TypeCheckError",
    "DagsterTypeCheckError": "TypeCheckError",
    "DagsterTypeLoader": "TypeLoader",
    "DagsterTypeLoaderContext": "TypeLoaderContext",
    "DagsterUnknownPartitionError": "UnknownPartitionError",
    "DagsterUnknownResourceError": "UnknownResourceError",
    "DagsterUnmetExecutorRequirementsError": "UnmetExecutorRequirementsError",
    "DagsterUserCodeExecutionError": "UserCodeError",
    "PythonObjectDagsterType": "PythonObjectType",
    "check_dagster_type": "check_type",
    "dagster_type_loader": "type_loader",
    "get_dagster_logger": "get_logger",
    "make_python_type_usable_as_dagster_type": "make_python_type_usable_as_type",
    "usable_as_dagster_type": "usable_as_type",
}
"""Names of Dagster whose counterpart in Treadle is called otherwise."""

HERE = {
    "dagster._warnings": "BetaWarning ConfigArgumentWarning PreviewWarning SupersessionWarning",
    "dagster._deprecated": "asset multi_asset op",
    "dagster._types": "Any Bool Dict Float Int List Optional Set String Tuple",
    "dagster._legacy": "AssetOrCheckKey DagsterLogManager MAX_RUNTIME_SECONDS_TAG instance_for_test",
}
"""Names that this distribution adapts, by module."""

_HERE = {name: module for module, names in HERE.items() for name in names.split()}
_ONLY_TREADLE = frozenset(
    set(RENAMED.values())
    | {"ConfigurableResourceFactory", "CheckFailedError", "LoadError", "MetadataError", "StoreError"}
)

_BESIDE = {
    "AssetSelection": "dagster._selections",
    "RetryPolicy": "dagster._retries",
    "instance_for_test": "dagster._aliases",
}
_RUNNING = ("treadle.host.", "treadle.runtime.", "treadle.state.", "treadle.author.results")
"""Where the names are whose use means that something runs, or has run."""


def _of_treadle() -> frozenset[str]:
    return frozenset(dir(treadle)) - {"__version__"}


def place_of(name: str) -> tuple[str | None, str]:
    """The module that holds `name`, and what it is called there; no module if there is no such name."""
    if name in _HERE:
        return _HERE[name], name
    if name == "__version__":
        return "dagster._version", name
    theirs = RENAMED.get(name, name)
    if theirs in _of_treadle() and (name in RENAMED or name not in _ONLY_TREADLE):
        return "treadle", theirs
    return None, name


def beside(module: str, name: str) -> str | None:
    """The module of this distribution that has to be imported when `name` is first used: it attaches attributes."""
    if name in _BESIDE:
        return _BESIDE[name]
    modules = treadle._MODULE_OF  # pyright: ignore[reportAttributeAccessIssue]
    place = modules.get(RENAMED.get(name, name), "") if module == "treadle" else ""
    return "dagster._aliases" if place.startswith(_RUNNING) else None


def all_names() -> frozenset[str]:
    """Every name that `dagster` has."""
    own = _of_treadle()
    return frozenset(_HERE) | {old for old, new in RENAMED.items() if new in own} | (own - _ONLY_TREADLE)


def hint(name: str) -> str:
    """What to say beside `name` when it does not exist: whether Treadle has it under another one."""
    return f": it is called {_old_of(name)!r}" if name in _ONLY_TREADLE and _old_of(name) else ""


def _old_of(name: str) -> str | None:
    return next((old for old, new in RENAMED.items() if new == name), None)
