# ruff: noqa
# Written by `python -m treadle._door` from the table in __init__.py.

from treadle.author.alerts import (
    make_email_on_run_failure_sensor as make_email_on_run_failure_sensor,
)
from treadle.author.asset_jobs import (
    define_asset_job as define_asset_job,
)
from treadle.author.asset_sensors import (
    AssetSensorDefinition as AssetSensorDefinition,
    asset_sensor as asset_sensor,
)
from treadle.author.assets import (
    AssetIn as AssetIn,
    AssetOut as AssetOut,
    asset as asset,
    multi_asset as multi_asset,
)
from treadle.author.assets_definition import (
    AssetsDefinition as AssetsDefinition,
)
from treadle.author.automation import (
    AutomationContext as AutomationContext,
    AutomationResult as AutomationResult,
)
from treadle.author.binding import (
    with_resources as with_resources,
)
from treadle.author.check_builders import (
    apply_freshness_policy as apply_freshness_policy,
    build_column_schema_change_checks as build_column_schema_change_checks,
    build_last_update_freshness_checks as build_last_update_freshness_checks,
    build_metadata_bounds_checks as build_metadata_bounds_checks,
    build_sensor_for_freshness_checks as build_sensor_for_freshness_checks,
    build_time_partition_freshness_checks as build_time_partition_freshness_checks,
)
from treadle.author.checks import (
    AssetChecksDefinition as AssetChecksDefinition,
    asset_check as asset_check,
    multi_asset_check as multi_asset_check,
)
from treadle.author.code_references import (
    AnchorBasedFilePathMapping as AnchorBasedFilePathMapping,
    FilePathMapping as FilePathMapping,
    link_code_references_to_git as link_code_references_to_git,
    with_source_code_references as with_source_code_references,
)
from treadle.author.config import (
    Config as Config,
    PermissiveConfig as PermissiveConfig,
)
from treadle.author.config_types import (
    Array as Array,
    BoolSource as BoolSource,
    Enum as Enum,
    EnumValue as EnumValue,
    Field as Field,
    IntSource as IntSource,
    Map as Map,
    Noneable as Noneable,
    Permissive as Permissive,
    ScalarUnion as ScalarUnion,
    Selector as Selector,
    Shape as Shape,
    StringSource as StringSource,
)
from treadle.author.configurable import (
    ConfigurableIOManager as ConfigurableIOManager,
    ConfigurableIOManagerFactory as ConfigurableIOManagerFactory,
    ConfigurableResource as ConfigurableResource,
    ConfigurableResourceFactory as ConfigurableResourceFactory,
    ResourceDependency as ResourceDependency,
)
from treadle.author.configured import (
    ConfigMapping as ConfigMapping,
    config_mapping as config_mapping,
    configured as configured,
)
from treadle.author.contexts import (
    AssetCheckExecutionContext as AssetCheckExecutionContext,
    AssetExecutionContext as AssetExecutionContext,
    OpExecutionContext as OpExecutionContext,
    get_logger as get_logger,
)
from treadle.author.definitions import (
    Definitions as Definitions,
    definitions as definitions,
    map_asset_specs as map_asset_specs,
)
from treadle.author.dependencies import (
    DependencyDefinition as DependencyDefinition,
    DynamicCollectDependencyDefinition as DynamicCollectDependencyDefinition,
    InputMapping as InputMapping,
    MultiDependencyDefinition as MultiDependencyDefinition,
    NodeInvocation as NodeInvocation,
    OutputMapping as OutputMapping,
)
from treadle.author.env import (
    EnvVar as EnvVar,
)
from treadle.author.executors import (
    Executor as Executor,
    ExecutorDefinition as ExecutorDefinition,
    InitExecutorContext as InitExecutorContext,
    ReadyStep as ReadyStep,
    ReadySteps as ReadySteps,
    executor as executor,
    in_process_executor as in_process_executor,
    multi_or_in_process_executor as multi_or_in_process_executor,
    multiprocess_executor as multiprocess_executor,
    threaded_executor as threaded_executor,
)
from treadle.author.files import (
    config_from_files as config_from_files,
    config_from_pkg_resources as config_from_pkg_resources,
    config_from_yaml_strings as config_from_yaml_strings,
    file_relative_path as file_relative_path,
)
from treadle.author.graph_assets import (
    graph_asset as graph_asset,
    graph_multi_asset as graph_multi_asset,
)
from treadle.author.graphs import (
    GraphDefinition as GraphDefinition,
    GraphIn as GraphIn,
    GraphOut as GraphOut,
    graph as graph,
    job as job,
)
from treadle.author.hooks import (
    HookContext as HookContext,
    HookDefinition as HookDefinition,
    HookExecutionResult as HookExecutionResult,
    build_hook_context as build_hook_context,
    failure_hook as failure_hook,
    success_hook as success_hook,
)
from treadle.author.input_config import (
    TypeLoader as TypeLoader,
    TypeLoaderContext as TypeLoaderContext,
    type_loader as type_loader,
)
from treadle.author.io_contexts import (
    InputContext as InputContext,
    OutputContext as OutputContext,
    build_input_context as build_input_context,
    build_output_context as build_output_context,
)
from treadle.author.io_managers import (
    FilesystemIOManager as FilesystemIOManager,
    IOManager as IOManager,
    IOManagerDefinition as IOManagerDefinition,
    InMemoryIOManager as InMemoryIOManager,
    InputManager as InputManager,
    InputManagerDefinition as InputManagerDefinition,
    UPathIOManager as UPathIOManager,
    fs_io_manager as fs_io_manager,
    input_manager as input_manager,
    io_manager as io_manager,
    mem_io_manager as mem_io_manager,
)
from treadle.author.job_config import (
    validate_run_config as validate_run_config,
)
from treadle.author.jobs import (
    JobDefinition as JobDefinition,
)
from treadle.author.loading import (
    load_asset_checks_from_current_module as load_asset_checks_from_current_module,
    load_asset_checks_from_modules as load_asset_checks_from_modules,
    load_asset_checks_from_package_module as load_asset_checks_from_package_module,
    load_asset_checks_from_package_name as load_asset_checks_from_package_name,
    load_assets_from_current_module as load_assets_from_current_module,
    load_assets_from_modules as load_assets_from_modules,
    load_assets_from_package_module as load_assets_from_package_module,
    load_assets_from_package_name as load_assets_from_package_name,
    load_definitions_from_current_module as load_definitions_from_current_module,
    load_definitions_from_module as load_definitions_from_module,
    load_definitions_from_modules as load_definitions_from_modules,
    load_definitions_from_package_module as load_definitions_from_package_module,
    load_definitions_from_package_name as load_definitions_from_package_name,
)
from treadle.author.loggers import (
    InitLoggerContext as InitLoggerContext,
    LoggerDefinition as LoggerDefinition,
    build_init_logger_context as build_init_logger_context,
    colored_console_logger as colored_console_logger,
    default_loggers as default_loggers,
    json_console_logger as json_console_logger,
    logger as logger,
)
from treadle.author.observations import (
    DataVersionsByPartition as DataVersionsByPartition,
    ObserveResult as ObserveResult,
    multi_observable_source_asset as multi_observable_source_asset,
    observable_source_asset as observable_source_asset,
)
from treadle.author.ops import (
    DynamicOut as DynamicOut,
    In as In,
    OpDefinition as OpDefinition,
    Out as Out,
    op as op,
)
from treadle.author.outcomes import (
    AssetCheckResult as AssetCheckResult,
    DataProvenance as DataProvenance,
    DataVersion as DataVersion,
    DynamicOutput as DynamicOutput,
    Failure as Failure,
    MaterializeResult as MaterializeResult,
    Output as Output,
    RetryRequested as RetryRequested,
)
from treadle.author.partitioned_config import (
    PartitionedConfig as PartitionedConfig,
    daily_partitioned_config as daily_partitioned_config,
    hourly_partitioned_config as hourly_partitioned_config,
    monthly_partitioned_config as monthly_partitioned_config,
    partitioned_config as partitioned_config,
    static_partitioned_config as static_partitioned_config,
    weekly_partitioned_config as weekly_partitioned_config,
)
from treadle.author.reconstructable import (
    build_reconstructable_job as build_reconstructable_job,
    reconstructable as reconstructable,
)
from treadle.author.requests import (
    RunRequest as RunRequest,
    SensorResult as SensorResult,
    SkipReason as SkipReason,
)
from treadle.author.resources import (
    IAttachDifferentObjectToOpContext as IAttachDifferentObjectToOpContext,
    InitResourceContext as InitResourceContext,
    ResourceDefinition as ResourceDefinition,
    ResourceParam as ResourceParam,
    build_init_resource_context as build_init_resource_context,
    make_values_resource as make_values_resource,
    resource as resource,
)
from treadle.author.results import (
    ExecuteInProcessResult as ExecuteInProcessResult,
    JobExecutionResult as JobExecutionResult,
)
from treadle.author.run_config import (
    RunConfig as RunConfig,
)
from treadle.author.run_sensors import (
    CodeLocationSelector as CodeLocationSelector,
    JobSelector as JobSelector,
    RepositorySelector as RepositorySelector,
    RunFailureSensorContext as RunFailureSensorContext,
    RunStatusSensorContext as RunStatusSensorContext,
    RunStatusSensorDefinition as RunStatusSensorDefinition,
    build_run_status_sensor_context as build_run_status_sensor_context,
    run_failure_sensor as run_failure_sensor,
    run_status_sensor as run_status_sensor,
)
from treadle.author.schedules import (
    DefaultScheduleStatus as DefaultScheduleStatus,
    ScheduleDefinition as ScheduleDefinition,
    build_schedule_from_partitioned_job as build_schedule_from_partitioned_job,
    schedule as schedule,
)
from treadle.author.sensors import (
    AutomationConditionSensorDefinition as AutomationConditionSensorDefinition,
    DefaultSensorStatus as DefaultSensorStatus,
    SensorDefinition as SensorDefinition,
    SensorType as SensorType,
    sensor as sensor,
)
from treadle.author.tick_contexts import (
    ScheduleEvaluationContext as ScheduleEvaluationContext,
    SensorEvaluationContext as SensorEvaluationContext,
    build_schedule_context as build_schedule_context,
    build_sensor_context as build_sensor_context,
)
from treadle.author.types import (
    Nothing as Nothing,
    PythonObjectType as PythonObjectType,
    TypeCheck as TypeCheck,
    TypeCheckContext as TypeCheckContext,
    ValueType as ValueType,
    check_type as check_type,
    make_python_type_usable_as_type as make_python_type_usable_as_type,
    usable_as_type as usable_as_type,
)
from treadle.core.keys import (
    AssetCheckKey as AssetCheckKey,
    AssetJobKey as AssetJobKey,
    AssetKey as AssetKey,
)
from treadle.core.mappings import (
    AllPartitionMapping as AllPartitionMapping,
    IdentityPartitionMapping as IdentityPartitionMapping,
    LastPartitionMapping as LastPartitionMapping,
    PartitionMapping as PartitionMapping,
    SpecificPartitionsPartitionMapping as SpecificPartitionsPartitionMapping,
    StaticPartitionMapping as StaticPartitionMapping,
    TimeWindowPartitionMapping as TimeWindowPartitionMapping,
)
from treadle.core.metadata import (
    AssetMetadataValue as AssetMetadataValue,
    BoolMetadataValue as BoolMetadataValue,
    CodeReferencesMetadataValue as CodeReferencesMetadataValue,
    FloatMetadataValue as FloatMetadataValue,
    IntMetadataValue as IntMetadataValue,
    JobMetadataValue as JobMetadataValue,
    JsonMetadataValue as JsonMetadataValue,
    LocalFileCodeReference as LocalFileCodeReference,
    MarkdownMetadataValue as MarkdownMetadataValue,
    MetadataValue as MetadataValue,
    NotebookMetadataValue as NotebookMetadataValue,
    NullMetadataValue as NullMetadataValue,
    PathMetadataValue as PathMetadataValue,
    PoolMetadataValue as PoolMetadataValue,
    PythonArtifactMetadataValue as PythonArtifactMetadataValue,
    RunMetadataValue as RunMetadataValue,
    TableColumnLineageMetadataValue as TableColumnLineageMetadataValue,
    TableMetadataValue as TableMetadataValue,
    TableSchemaMetadataValue as TableSchemaMetadataValue,
    TextMetadataValue as TextMetadataValue,
    TimestampMetadataValue as TimestampMetadataValue,
    UrlCodeReference as UrlCodeReference,
    UrlMetadataValue as UrlMetadataValue,
)
from treadle.core.multi_mappings import (
    DimensionPartitionMapping as DimensionPartitionMapping,
    MultiPartitionMapping as MultiPartitionMapping,
    MultiToSingleDimensionPartitionMapping as MultiToSingleDimensionPartitionMapping,
)
from treadle.core.multi_partitions import (
    MultiPartitionKey as MultiPartitionKey,
    MultiPartitionsDefinition as MultiPartitionsDefinition,
)
from treadle.core.partitions import (
    AddDynamicPartitionsRequest as AddDynamicPartitionsRequest,
    DeleteDynamicPartitionsRequest as DeleteDynamicPartitionsRequest,
    DynamicPartitionsDefinition as DynamicPartitionsDefinition,
    PartitionsDefinition as PartitionsDefinition,
    StaticPartitionsDefinition as StaticPartitionsDefinition,
    partition_loading_context as partition_loading_context,
)
from treadle.core.subsets import (
    PartitionKeyRange as PartitionKeyRange,
)
from treadle.core.table import (
    TableColumn as TableColumn,
    TableColumnConstraints as TableColumnConstraints,
    TableColumnDep as TableColumnDep,
    TableColumnLineage as TableColumnLineage,
    TableConstraints as TableConstraints,
    TableRecord as TableRecord,
    TableSchema as TableSchema,
)
from treadle.core.time import (
    TimeWindow as TimeWindow,
)
from treadle.core.time_partitions import (
    DailyPartitionsDefinition as DailyPartitionsDefinition,
    HourlyPartitionsDefinition as HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition as MonthlyPartitionsDefinition,
    TimeWindowPartitionsDefinition as TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition as WeeklyPartitionsDefinition,
)
from treadle.errors import (
    CheckFailedError as CheckFailedError,
    ConfigDefinitionError as ConfigDefinitionError,
    ConfigError as ConfigError,
    ConfigMappingError as ConfigMappingError,
    DefinitionError as DefinitionError,
    ExecutionInterruptedError as ExecutionInterruptedError,
    InvariantError as InvariantError,
    InvocationError as InvocationError,
    LoadError as LoadError,
    MetadataError as MetadataError,
    PipesError as PipesError,
    ResourceError as ResourceError,
    RunNotFoundError as RunNotFoundError,
    SelectionError as SelectionError,
    StepExecutionError as StepExecutionError,
    StepNotFoundError as StepNotFoundError,
    StepOutputNotFoundError as StepOutputNotFoundError,
    StoreError as StoreError,
    StoreVersionError as StoreVersionError,
    TimeLimitError as TimeLimitError,
    TreadleError as TreadleError,
    TypeCheckError as TypeCheckError,
    UnknownPartitionError as UnknownPartitionError,
    UnknownResourceError as UnknownResourceError,
    UnmetExecutorRequirementsError as UnmetExecutorRequirementsError,
    UserCodeError as UserCodeError,
)
from treadle.host.automation import (
    EvaluateAutomationConditionsResult as EvaluateAutomationConditionsResult,
    evaluate_automation_conditions as evaluate_automation_conditions,
)
from treadle.host.execution import (
    materialize as materialize,
    materialize_to_memory as materialize_to_memory,
)
from treadle.host.instance import (
    Instance as Instance,
)
from treadle.host.launchers import (
    ConfigurableClass as ConfigurableClass,
    DefaultRunCoordinator as DefaultRunCoordinator,
    DefaultRunLauncher as DefaultRunLauncher,
    LaunchRunContext as LaunchRunContext,
    QueuedRunCoordinator as QueuedRunCoordinator,
    RunCoordinator as RunCoordinator,
    RunLauncher as RunLauncher,
    SubmitRunContext as SubmitRunContext,
    SubprocessRunLauncher as SubprocessRunLauncher,
)
from treadle.host.loading import (
    AssetValueLoader as AssetValueLoader,
)
from treadle.host.reexecution import (
    ReexecutionOptions as ReexecutionOptions,
    execute_job as execute_job,
)
from treadle.runtime.direct import (
    build_asset_check_context as build_asset_check_context,
    build_asset_context as build_asset_context,
    build_op_context as build_op_context,
)
from treadle.runtime.pipe_channels import (
    PipesBlobStoreMessageReader as PipesBlobStoreMessageReader,
    PipesCompositeMessageReader as PipesCompositeMessageReader,
    PipesContextInjector as PipesContextInjector,
    PipesEnvContextInjector as PipesEnvContextInjector,
    PipesFileContextInjector as PipesFileContextInjector,
    PipesFileMessageReader as PipesFileMessageReader,
    PipesLogReader as PipesLogReader,
    PipesTempFileContextInjector as PipesTempFileContextInjector,
    PipesTempFileMessageReader as PipesTempFileMessageReader,
)
from treadle.runtime.pipe_messages import (
    PipesExecutionResult as PipesExecutionResult,
    PipesLaunchedData as PipesLaunchedData,
    PipesMessageHandler as PipesMessageHandler,
    PipesMessageReader as PipesMessageReader,
)
from treadle.runtime.pipes import (
    PipesClient as PipesClient,
    PipesClientCompletedInvocation as PipesClientCompletedInvocation,
    PipesSession as PipesSession,
    PipesSubprocessClient as PipesSubprocessClient,
    open_pipes_session as open_pipes_session,
)
from treadle.runtime.resources import (
    build_resources as build_resources,
)
from treadle.spec.assets import (
    AssetCheckSpec as AssetCheckSpec,
    AssetDep as AssetDep,
    AssetSpec as AssetSpec,
)
from treadle.spec.automation import (
    AutomationCondition as AutomationCondition,
)
from treadle.spec.policies import (
    BackfillPolicy as BackfillPolicy,
    FreshnessPolicy as FreshnessPolicy,
)
from treadle.spec.retry import (
    Backoff as Backoff,
    Jitter as Jitter,
    RetryPolicy as RetryPolicy,
)
from treadle.spec.selection import (
    AssetSelection as AssetSelection,
)
from treadle.state.events import (
    ErrorSource as ErrorSource,
    Event as Event,
    EventLogEntry as EventLogEntry,
    EventType as EventType,
)
from treadle.state.facts import (
    AssetCheckEvaluation as AssetCheckEvaluation,
    AssetCheckSeverity as AssetCheckSeverity,
    AssetMaterialization as AssetMaterialization,
    AssetObservation as AssetObservation,
    TargetMaterialization as TargetMaterialization,
)
from treadle.state.records import (
    AssetPartitionStatus as AssetPartitionStatus,
    AssetRecordsFilter as AssetRecordsFilter,
    EventLogRecord as EventLogRecord,
    EventRecordsFilter as EventRecordsFilter,
    EventRecordsResult as EventRecordsResult,
    RunStatusChangeRecordsFilter as RunStatusChangeRecordsFilter,
)
from treadle.state.runs import (
    Run as Run,
    RunRecord as RunRecord,
    RunStatus as RunStatus,
    RunsFilter as RunsFilter,
)

__version__: str
