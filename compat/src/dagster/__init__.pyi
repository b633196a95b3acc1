# ruff: noqa: F403
import treadle
from dagster import components as components
from dagster import deprecated as deprecated
from dagster._auto_materialize import AutoMaterializeAssetPartitionsFilter as AutoMaterializeAssetPartitionsFilter
from dagster._auto_materialize import AutoMaterializePolicy as AutoMaterializePolicy
from dagster._auto_materialize import AutoMaterializeRule as AutoMaterializeRule
from dagster._components import AssetAttributesModel as AssetAttributesModel
from dagster._components import Component as Component
from dagster._components import ComponentFormConfig as ComponentFormConfig
from dagster._components import ComponentLoadContext as ComponentLoadContext
from dagster._components import ComponentTree as ComponentTree
from dagster._components import ComponentTypeSpec as ComponentTypeSpec
from dagster._components import DefinitionsComponent as DefinitionsComponent
from dagster._components import DefsFolderComponent as DefsFolderComponent
from dagster._components import FunctionComponent as FunctionComponent
from dagster._components import Injected as Injected
from dagster._components import Model as Model
from dagster._components import PythonScriptComponent as PythonScriptComponent
from dagster._components import ResolutionContext as ResolutionContext
from dagster._components import Resolvable as Resolvable
from dagster._components import ResolvedAssetCheckSpec as ResolvedAssetCheckSpec
from dagster._components import ResolvedAssetKey as ResolvedAssetKey
from dagster._components import ResolvedAssetSpec as ResolvedAssetSpec
from dagster._components import Resolver as Resolver
from dagster._components import Scaffolder as Scaffolder
from dagster._components import ScaffoldRequest as ScaffoldRequest
from dagster._components import SqlComponent as SqlComponent
from dagster._components import StateBackedComponent as StateBackedComponent
from dagster._components import TemplatedSqlComponent as TemplatedSqlComponent
from dagster._components import UPathDefsStateStorage as UPathDefsStateStorage
from dagster._components import UvRunComponent as UvRunComponent
from dagster._components import build_component_defs as build_component_defs
from dagster._components import build_defs_for_component as build_defs_for_component
from dagster._components import component_defs as component_defs
from dagster._components import component_instance as component_instance
from dagster._components import get_all_components_defs_within_project as get_all_components_defs_within_project
from dagster._components import get_component_defs_within_project as get_component_defs_within_project
from dagster._components import load_defs as load_defs
from dagster._components import load_from_defs_folder as load_from_defs_folder
from dagster._components import scaffold_component as scaffold_component
from dagster._components import scaffold_with as scaffold_with
from dagster._components import template_var as template_var
from dagster._execution import DefaultRunLauncher as DefaultRunLauncher
from dagster._execution import Executor as Executor
from dagster._execution import ExecutorRequirement as ExecutorRequirement
from dagster._execution import QueuedRunCoordinator as QueuedRunCoordinator
from dagster._execution import StepExecutionContext as StepExecutionContext
from dagster._execution import StepLauncher as StepLauncher
from dagster._execution import StepRunRef as StepRunRef
from dagster._execution import external_instance_from_step_run_ref as external_instance_from_step_run_ref
from dagster._execution import multiple_process_executor_requirements as multiple_process_executor_requirements
from dagster._execution import run_step_from_ref as run_step_from_ref
from dagster._execution import step_context_to_step_run_ref as step_context_to_step_run_ref
from dagster._execution import step_run_ref_to_step_context as step_run_ref_to_step_context
from dagster._legacy import MAX_RUNTIME_SECONDS_TAG as MAX_RUNTIME_SECONDS_TAG
from dagster._legacy import AssetOrCheckKey as AssetOrCheckKey
from dagster._legacy import DagsterEventLogInvalidForRun as DagsterEventLogInvalidForRun
from dagster._legacy import DagsterLibraryRegistry as DagsterLibraryRegistry
from dagster._legacy import DagsterLogManager as DagsterLogManager
from dagster._legacy import DagsterSubprocessError as DagsterSubprocessError
from dagster._legacy import ExpectationResult as ExpectationResult
from dagster._legacy import JsonLogFormatter as JsonLogFormatter
from dagster._legacy import MetadataEntry as MetadataEntry
from dagster._legacy import PendingNodeInvocation as PendingNodeInvocation
from dagster._legacy import RunShardedEventsCursor as RunShardedEventsCursor
from dagster._legacy import SubmitRunContext as SubmitRunContext
from dagster._legacy import default_system_loggers as default_system_loggers
from dagster._legacy import instance_for_test as instance_for_test
from dagster._legacy import raise_execution_interrupts as raise_execution_interrupts
from dagster._multi_asset_sensors import MultiAssetSensorDefinition as MultiAssetSensorDefinition
from dagster._multi_asset_sensors import MultiAssetSensorEvaluationContext as MultiAssetSensorEvaluationContext
from dagster._multi_asset_sensors import build_multi_asset_sensor_context as build_multi_asset_sensor_context
from dagster._multi_asset_sensors import multi_asset_sensor as multi_asset_sensor
from dagster._old_schedules import daily_schedule as daily_schedule
from dagster._old_schedules import hourly_schedule as hourly_schedule
from dagster._old_schedules import monthly_schedule as monthly_schedule
from dagster._old_schedules import weekly_schedule as weekly_schedule
from dagster._partitions import PaginatedResults as PaginatedResults
from dagster._partitions import Partition as Partition
from dagster._partitions import dynamic_partitioned_config as dynamic_partitioned_config
from dagster._schedules import schedule as schedule
from dagster._sensors import SensorReturnTypesUnion as SensorReturnTypesUnion
from dagster._sensors import build_run_status_sensor_context as build_run_status_sensor_context
from dagster._sensors import make_email_on_run_failure_sensor as make_email_on_run_failure_sensor
from dagster._sensors import run_failure_sensor as run_failure_sensor
from dagster._sensors import run_status_sensor as run_status_sensor
from dagster._serdes import deserialize_value as deserialize_value
from dagster._serdes import serialize_value as serialize_value
from dagster._types import Any as Any
from dagster._types import Bool as Bool
from dagster._types import ConfigSchema as ConfigSchema
from dagster._types import Dict as Dict
from dagster._types import Float as Float
from dagster._types import Int as Int
from dagster._types import List as List
from dagster._types import Optional as Optional
from dagster._types import Set as Set
from dagster._types import String as String
from dagster._types import Tuple as Tuple
from dagster._warnings import BetaWarning as BetaWarning
from dagster._warnings import ConfigArgumentWarning as ConfigArgumentWarning
from dagster._warnings import PreviewWarning as PreviewWarning
from dagster._warnings import SupersessionWarning as SupersessionWarning
from dagster.deprecated import LegacyFreshnessPolicy as LegacyFreshnessPolicy
from treadle import *

DagsterAssetMetadataValue = treadle.AssetMetadataValue
DagsterConfigMappingFunctionError = treadle.ConfigMappingError
DagsterError = treadle.TreadleError
DagsterEvent = treadle.Event
DagsterEventType = treadle.EventType
DagsterExecutionInterruptedError = treadle.ExecutionInterruptedError
DagsterExecutionStepExecutionError = treadle.StepExecutionError
DagsterExecutionStepNotFoundError = treadle.StepNotFoundError
DagsterInstance = treadle.Instance
DagsterInvalidConfigDefinitionError = treadle.ConfigDefinitionError
DagsterInvalidConfigError = treadle.ConfigError
DagsterInvalidDefinitionError = treadle.DefinitionError
DagsterInvalidInvocationError = treadle.InvocationError
DagsterInvalidSubsetError = treadle.SelectionError
DagsterInvariantViolationError = treadle.InvariantError
DagsterJobMetadataValue = treadle.JobMetadataValue
DagsterResourceFunctionError = treadle.ResourceError
DagsterRun = treadle.Run
DagsterRunMetadataValue = treadle.RunMetadataValue
DagsterRunNotFoundError = treadle.RunNotFoundError
DagsterRunStatus = treadle.RunStatus
DagsterStepOutputNotFoundError = treadle.StepOutputNotFoundError
DagsterTypeCheckDidNotPass = treadle.TypeCheckError
DagsterTypeCheckError = treadle.TypeCheckError
DagsterUnknownPartitionError = treadle.UnknownPartitionError
DagsterUnknownResourceError = treadle.UnknownResourceError
DagsterUnmetExecutorRequirementsError = treadle.UnmetExecutorRequirementsError
DagsterUserCodeExecutionError = treadle.UserCodeError
DagsterType = treadle.ValueType
DagsterTypeLoader = treadle.TypeLoader
DagsterTypeLoaderContext = treadle.TypeLoaderContext
PythonObjectDagsterType = treadle.PythonObjectType
check_dagster_type = treadle.check_type
dagster_type_loader = treadle.type_loader
make_python_type_usable_as_dagster_type = treadle.make_python_type_usable_as_type
usable_as_dagster_type = treadle.usable_as_type
get_dagster_logger = treadle.get_logger

__version__: str
