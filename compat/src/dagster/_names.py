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
    "dagster._defs_folder": "load_from_defs_folder",
    "dagster._components": (
        "AssetAttributesModel Component ComponentFormConfig ComponentLoadContext ComponentTree "
        "ComponentTypeSpec DefinitionsComponent DefsFolderComponent FunctionComponent Injected Model "
        "PythonScriptComponent ResolutionContext Resolvable ResolvedAssetCheckSpec ResolvedAssetKey "
        "ResolvedAssetSpec Resolver ScaffoldRequest Scaffolder SqlComponent StateBackedComponent "
        "TemplatedSqlComponent UPathDefsStateStorage UvRunComponent build_component_defs "
        "build_defs_for_component component_defs component_instance components "
        "get_all_components_defs_within_project get_component_defs_within_project load_defs "
        "scaffold_component scaffold_with template_var"
    ),
    "dagster._execution": (
        "DefaultRunLauncher Executor ExecutorRequirement QueuedRunCoordinator StepExecutionContext StepLauncher "
        "StepRunRef external_instance_from_step_run_ref multiple_process_executor_requirements run_step_from_ref "
        "step_context_to_step_run_ref step_run_ref_to_step_context"
    ),
    "dagster._serdes": "deserialize_value serialize_value",
    "dagster._warnings": "BetaWarning ConfigArgumentWarning PreviewWarning SupersessionWarning",
    "dagster._auto_materialize": ("AutoMaterializeAssetPartitionsFilter AutoMaterializePolicy AutoMaterializeRule"),
    "dagster._deprecated": (
        "AssetOut AssetSpec GraphDefinition asset build_input_context build_output_context graph graph_asset "
        "load_assets_from_current_module load_assets_from_modules "
        "load_assets_from_package_module load_assets_from_package_name multi_asset op"
    ),
    "dagster._freshness": "FreshnessPolicy LegacyFreshnessPolicy deprecated",
    "dagster._old_schedules": "daily_schedule hourly_schedule monthly_schedule sensor weekly_schedule",
    "dagster._repository": (
        "BindResourcesToJobs RepositoryData RepositoryDefinition create_repository_using_definitions_args repository"
    ),
    "dagster._source_assets": "SourceAsset observable_source_asset",
    "dagster._multi_asset_sensors": (
        "MultiAssetSensorDefinition MultiAssetSensorEvaluationContext build_multi_asset_sensor_context "
        "multi_asset_sensor"
    ),
    "dagster._schedules": "schedule",
    "dagster._sensors": (
        "SensorReturnTypesUnion build_run_status_sensor_context make_email_on_run_failure_sensor run_failure_sensor "
        "run_status_sensor"
    ),
    "dagster._resources": (
        "FileHandle LocalFileHandle MigrateIOStorageResult custom_path_fs_io_manager local_file_manager "
        "migrate_io_storage resources"
    ),
    "dagster._io_adapter": "ConfigurableLegacyIOManagerAdapter",
    "dagster._types": "Any Bool ConfigSchema Dict Float Int List Optional Set String Tuple",
    "dagster._legacy": (
        "AssetOrCheckKey DagsterEventLogInvalidForRun DagsterLibraryRegistry DagsterLogManager DagsterSubprocessError "
        "ExpectationResult JsonLogFormatter MAX_RUNTIME_SECONDS_TAG MetadataEntry PendingNodeInvocation "
        "RunShardedEventsCursor SubmitRunContext default_system_loggers instance_for_test raise_execution_interrupts"
    ),
    "dagster._partitions": "PaginatedResults Partition dynamic_partitioned_config static_partitioned_config",
}
"""Names that this distribution adapts, by module."""

_HERE = {name: module for module, names in HERE.items() for name in names.split()}
_ONLY_TREADLE = frozenset(
    set(RENAMED.values())
    | {"ConfigurableResourceFactory", "CheckFailedError", "LoadError", "MetadataError", "PipesError", "StoreError"}
)

_BESIDE = {
    **dict.fromkeys(
        ("AssetsDefinition", "asset", "graph_asset", "graph_multi_asset", "multi_asset"), "dagster._source_assets"
    ),
    "AssetSelection": "dagster._selections",
    "AutomationCondition": "dagster._conditions",
    "OpDefinition": "dagster._deprecated",
    "RunFailureSensorContext": "dagster._sensors",
    "RunStatusSensorContext": "dagster._sensors",
    "ScheduleDefinition": "dagster._schedules",
    "RetryPolicy": "dagster._retries",
    "instance_for_test": "dagster._run_filters",
}
_BESIDE_PLACES = {
    "dagster._run_filters": ("treadle.host.",),
    "dagster._aliases": ("treadle.host.", "treadle.runtime.", "treadle.state.", "treadle.author.results"),
    "dagster._definitions": ("treadle.author.definitions", "treadle.author.loading"),
    "dagster._old_members": ("treadle.core.keys", "treadle.spec.", "treadle.author.outcomes", "treadle.author.jobs"),
    "dagster._partitions": (
        "treadle.core.partitions",
        "treadle.core.time_partitions",
        "treadle.core.multi_partitions",
        "treadle.author.partitioned_config",
    ),
}
"""The same for all names in some places: those whose use means that something runs, or has run; partitions."""


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
    return next((found for found, places in _BESIDE_PLACES.items() if place.startswith(places)), None)


def all_names() -> frozenset[str]:
    """Every name that `dagster` has."""
    own = _of_treadle()
    here = frozenset(_HERE) - {"deprecated"}  # a module: `import *` must not put it over a name of users
    return here | {old for old, new in RENAMED.items() if new in own} | (own - _ONLY_TREADLE)


def hint(name: str) -> str:
    """What to say beside `name` when it does not exist: whether Treadle has it under another one."""
    return f": it is called {_old_of(name)!r}" if name in _ONLY_TREADLE and _old_of(name) else ""


def _old_of(name: str) -> str | None:
    return next((old for old, new in RENAMED.items() if new == name), None)
