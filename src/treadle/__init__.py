"""Treadle: declare the data you want to exist; Treadle works out what has to run, runs it, and remembers.

The public API. A name is imported from its module when it is first used: `import treadle` costs next to nothing.
What type checkers see is in `__init__.pyi`, which `python -m treadle._door` writes from the table below; a test holds
both equal.
"""

from __future__ import annotations

import sys
from importlib import import_module

from treadle._version import __version__
from treadle.author import port

# What runs definitions that are asked to run themselves: the one seam through which `author` reaches upwards.
port.connect("treadle.host.execution")

_MODULES = {
    "treadle.author.alerts": "make_email_on_run_failure_sensor",
    "treadle.author.asset_jobs": "define_asset_job",
    "treadle.author.asset_sensors": "AssetSensorDefinition asset_sensor",
    "treadle.author.assets": "AssetIn AssetOut asset multi_asset",
    "treadle.author.assets_definition": "AssetsDefinition",
    "treadle.author.automation": "AutomationContext AutomationResult",
    "treadle.author.binding": "with_resources",
    "treadle.author.check_builders": (
        "apply_freshness_policy build_column_schema_change_checks build_last_update_freshness_checks "
        "build_metadata_bounds_checks build_sensor_for_freshness_checks build_time_partition_freshness_checks"
    ),
    "treadle.author.checks": "AssetChecksDefinition asset_check multi_asset_check",
    "treadle.author.config": "Config PermissiveConfig",
    "treadle.author.config_types": (
        "Array BoolSource Enum EnumValue Field IntSource Map Noneable Permissive ScalarUnion Selector Shape "
        "StringSource"
    ),
    "treadle.author.configured": "ConfigMapping config_mapping configured",
    "treadle.author.configurable": (
        "ConfigurableIOManager ConfigurableIOManagerFactory ConfigurableResource ConfigurableResourceFactory "
        "ResourceDependency"
    ),
    "treadle.author.contexts": "AssetCheckExecutionContext AssetExecutionContext OpExecutionContext get_logger",
    "treadle.author.code_references": (
        "AnchorBasedFilePathMapping FilePathMapping link_code_references_to_git with_source_code_references"
    ),
    "treadle.author.definitions": "Definitions definitions map_asset_specs",
    "treadle.author.dependencies": (
        "DependencyDefinition DynamicCollectDependencyDefinition InputMapping MultiDependencyDefinition "
        "NodeInvocation OutputMapping"
    ),
    "treadle.author.env": "EnvVar",
    "treadle.author.executors": (
        "Executor ExecutorDefinition InitExecutorContext ReadyStep ReadySteps executor in_process_executor "
        "multi_or_in_process_executor multiprocess_executor threaded_executor"
    ),
    "treadle.author.files": "config_from_files config_from_pkg_resources config_from_yaml_strings file_relative_path",
    "treadle.author.graph_assets": "graph_asset graph_multi_asset",
    "treadle.author.graphs": "GraphDefinition GraphIn GraphOut graph job",
    "treadle.author.hooks": (
        "HookContext HookDefinition HookExecutionResult build_hook_context failure_hook success_hook"
    ),
    "treadle.author.input_config": "TypeLoader TypeLoaderContext type_loader",
    "treadle.author.io_contexts": "InputContext OutputContext build_input_context build_output_context",
    "treadle.author.io_managers": (
        "FilesystemIOManager IOManager IOManagerDefinition InMemoryIOManager InputManager InputManagerDefinition "
        "UPathIOManager fs_io_manager input_manager io_manager mem_io_manager"
    ),
    "treadle.author.job_config": "validate_run_config",
    "treadle.author.jobs": "JobDefinition",
    "treadle.author.loading": (
        "load_asset_checks_from_current_module load_asset_checks_from_modules "
        "load_asset_checks_from_package_module load_asset_checks_from_package_name load_assets_from_current_module "
        "load_assets_from_modules load_assets_from_package_module load_assets_from_package_name "
        "load_definitions_from_current_module load_definitions_from_module load_definitions_from_modules "
        "load_definitions_from_package_module load_definitions_from_package_name"
    ),
    "treadle.author.loggers": (
        "InitLoggerContext LoggerDefinition build_init_logger_context colored_console_logger default_loggers "
        "json_console_logger logger"
    ),
    "treadle.author.observations": (
        "DataVersionsByPartition ObserveResult multi_observable_source_asset observable_source_asset"
    ),
    "treadle.author.ops": "DynamicOut In OpDefinition Out op",
    "treadle.author.outcomes": (
        "AssetCheckResult DataProvenance DataVersion DynamicOutput Failure MaterializeResult Output RetryRequested"
    ),
    "treadle.author.partitioned_config": (
        "PartitionedConfig daily_partitioned_config hourly_partitioned_config "
        "monthly_partitioned_config partitioned_config static_partitioned_config weekly_partitioned_config"
    ),
    "treadle.author.reconstructable": "build_reconstructable_job reconstructable",
    "treadle.author.requests": "RunRequest SensorResult SkipReason",
    "treadle.author.resources": (
        "IAttachDifferentObjectToOpContext InitResourceContext ResourceDefinition ResourceParam "
        "build_init_resource_context make_values_resource resource"
    ),
    "treadle.author.results": "ExecuteInProcessResult JobExecutionResult",
    "treadle.author.run_config": "RunConfig",
    "treadle.author.run_sensors": (
        "CodeLocationSelector JobSelector RepositorySelector RunFailureSensorContext RunStatusSensorContext "
        "RunStatusSensorDefinition build_run_status_sensor_context run_failure_sensor run_status_sensor"
    ),
    "treadle.author.schedules": (
        "DefaultScheduleStatus ScheduleDefinition build_schedule_from_partitioned_job schedule"
    ),
    "treadle.author.sensors": (
        "AutomationConditionSensorDefinition DefaultSensorStatus SensorDefinition SensorType sensor"
    ),
    "treadle.author.tick_contexts": (
        "ScheduleEvaluationContext SensorEvaluationContext build_schedule_context build_sensor_context"
    ),
    "treadle.author.types": (
        "Nothing PythonObjectType TypeCheck TypeCheckContext ValueType check_type make_python_type_usable_as_type "
        "usable_as_type"
    ),
    "treadle.core.keys": "AssetCheckKey AssetJobKey AssetKey",
    "treadle.core.mappings": (
        "AllPartitionMapping IdentityPartitionMapping LastPartitionMapping PartitionMapping "
        "SpecificPartitionsPartitionMapping StaticPartitionMapping TimeWindowPartitionMapping"
    ),
    "treadle.core.metadata": (
        "AssetMetadataValue BoolMetadataValue CodeReferencesMetadataValue FloatMetadataValue IntMetadataValue "
        "JobMetadataValue JsonMetadataValue LocalFileCodeReference MarkdownMetadataValue MetadataValue "
        "NotebookMetadataValue NullMetadataValue PathMetadataValue PoolMetadataValue PythonArtifactMetadataValue "
        "RunMetadataValue TableColumnLineageMetadataValue TableMetadataValue TableSchemaMetadataValue "
        "TextMetadataValue TimestampMetadataValue UrlCodeReference UrlMetadataValue"
    ),
    "treadle.core.multi_mappings": (
        "DimensionPartitionMapping MultiPartitionMapping MultiToSingleDimensionPartitionMapping"
    ),
    "treadle.core.multi_partitions": "MultiPartitionKey MultiPartitionsDefinition",
    "treadle.core.partitions": (
        "AddDynamicPartitionsRequest DeleteDynamicPartitionsRequest DynamicPartitionsDefinition "
        "PartitionsDefinition StaticPartitionsDefinition partition_loading_context"
    ),
    "treadle.core.subsets": "PartitionKeyRange",
    "treadle.core.table": (
        "TableColumn TableColumnConstraints TableColumnDep TableColumnLineage TableConstraints TableRecord TableSchema"
    ),
    "treadle.core.time": "TimeWindow",
    "treadle.core.time_partitions": (
        "DailyPartitionsDefinition HourlyPartitionsDefinition MonthlyPartitionsDefinition "
        "TimeWindowPartitionsDefinition WeeklyPartitionsDefinition"
    ),
    "treadle.errors": (
        "CheckFailedError ConfigDefinitionError ConfigError ConfigMappingError DefinitionError "
        "ExecutionInterruptedError InvariantError InvocationError LoadError MetadataError PipesError ResourceError "
        "RunNotFoundError SelectionError StepExecutionError StepNotFoundError StepOutputNotFoundError StoreError "
        "StoreVersionError TimeLimitError TreadleError TypeCheckError UnknownPartitionError UnknownResourceError "
        "UnmetExecutorRequirementsError UserCodeError"
    ),
    "treadle.host.automation": "EvaluateAutomationConditionsResult evaluate_automation_conditions",
    "treadle.host.execution": "materialize materialize_to_memory",
    "treadle.host.launchers": (
        "ConfigurableClass DefaultRunCoordinator DefaultRunLauncher LaunchRunContext QueuedRunCoordinator "
        "RunCoordinator RunLauncher SubmitRunContext SubprocessRunLauncher"
    ),
    "treadle.host.instance": "Instance",
    "treadle.host.loading": "AssetValueLoader",
    "treadle.host.reexecution": "ReexecutionOptions execute_job",
    "treadle.runtime.direct": "build_asset_check_context build_asset_context build_op_context",
    "treadle.runtime.pipe_channels": (
        "PipesBlobStoreMessageReader PipesCompositeMessageReader PipesContextInjector PipesEnvContextInjector "
        "PipesFileContextInjector PipesFileMessageReader PipesLogReader PipesTempFileContextInjector "
        "PipesTempFileMessageReader"
    ),
    "treadle.runtime.pipe_messages": ("PipesExecutionResult PipesLaunchedData PipesMessageHandler PipesMessageReader"),
    "treadle.runtime.pipes": (
        "PipesClient PipesClientCompletedInvocation PipesSession PipesSubprocessClient open_pipes_session"
    ),
    "treadle.runtime.resources": "build_resources",
    "treadle.spec.assets": "AssetCheckSpec AssetDep AssetSpec",
    "treadle.spec.automation": "AutomationCondition",
    "treadle.spec.policies": "BackfillPolicy FreshnessPolicy",
    "treadle.spec.retry": "Backoff Jitter RetryPolicy",
    "treadle.spec.selection": "AssetSelection",
    "treadle.state.events": "ErrorSource Event EventLogEntry EventType",
    "treadle.state.facts": (
        "AssetCheckEvaluation AssetCheckSeverity AssetMaterialization AssetObservation TargetMaterialization"
    ),
    "treadle.state.records": (
        "AssetPartitionStatus AssetRecordsFilter EventLogRecord EventRecordsFilter EventRecordsResult "
        "RunStatusChangeRecordsFilter"
    ),
    "treadle.state.runs": "Run RunRecord RunStatus RunsFilter",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}
__all__ = ["__version__", *sorted(_MODULE_OF)]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str):  # noqa: ANN202  # see __init__.pyi; `typing` costs five times all the rest here
    module = _MODULE_OF.get(name)
    if module is None:
        hint = f". Here it is {here!r}" if (here := name.removeprefix("Dagster")) in _MODULE_OF else ""
        raise AttributeError(f"module 'treadle' has no attribute {name!r}{hint}", name=name, obj=sys.modules[__name__])
    value = getattr(import_module(module), name)
    setattr(sys.modules[__name__], name, value)
    return value


def __dir__() -> list[str]:
    return __all__
