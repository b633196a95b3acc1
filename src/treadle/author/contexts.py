"""What user functions are told about the run they are in. Contexts read through a port that the runtime fills."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence, Set
from contextvars import ContextVar
from functools import cache
from typing import Any, Protocol, Self

from treadle.author.assets_definition import AssetsDefinition
from treadle.author.jobs import JobDefinition
from treadle.author.ops import OpDefinition
from treadle.author.outcomes import DataProvenance
from treadle.core.keys import AssetCheckKey, AssetKey, CoercibleToAssetKey
from treadle.core.metadata import MetadataValue
from treadle.core.multi_partitions import MultiPartitionKey
from treadle.core.partitions import PartitionsDefinition
from treadle.core.subsets import PartitionKeyRange
from treadle.core.time import TimeWindow
from treadle.core.told import told
from treadle.errors import InvariantError
from treadle.state.facts import Reported
from treadle.state.runs import Run


class StepPort(Protocol):
    """What contexts read and write; the runtime implements it, and `build_op_context` does for tests."""

    must_report: bool

    @property
    def run(self) -> Run: ...
    @property
    def op_def(self) -> OpDefinition: ...
    @property
    def assets_def(self) -> AssetsDefinition | None: ...
    @property
    def job_def(self) -> JobDefinition | None: ...
    @property
    def op_config(self) -> Any: ...
    @property
    def retry_number(self) -> int: ...
    @property
    def step_key(self) -> str: ...
    @property
    def mapping_key(self) -> str | None: ...
    @property
    def log(self) -> logging.Logger: ...
    @property
    def instance(self) -> Any: ...
    @property
    def resources(self) -> Any: ...
    @property
    def selected_outputs(self) -> Set[str]: ...
    def partition_keys(self) -> Sequence[str] | None: ...
    def partition_range(self) -> PartitionKeyRange | None: ...
    def run_partitions_def(self) -> PartitionsDefinition | None: ...
    def input_partition_keys(self, input_name: str) -> Sequence[str]: ...
    def input_partitions_def(self, input_name: str) -> PartitionsDefinition | None: ...
    def log_event(self, event: Reported) -> None: ...
    def add_output_metadata(
        self, metadata: Mapping[str, Any], output_name: str | None, mapping_key: str | None
    ) -> None: ...
    def add_asset_metadata(
        self, metadata: Mapping[str, Any], asset_key: AssetKey | None, partition_key: str | None
    ) -> None: ...


running: ContextVar[StepPort | None] = ContextVar("running", default=None)
"""The step whose user code runs; set by the runtime."""


class OpExecutionContext:
    """The context of an op: the run, its partition, its resources, its log."""

    __treadle_context__ = True
    __slots__ = ("__dict__", "_step")
    _what = ""

    def __init__(self, step: StepPort) -> None:
        self._step = step

    @classmethod
    def get(cls) -> Self:
        """The context of the step that is running, from anywhere in its code.

        Raises:
            InvariantError: no step of its kind is running here.
        """
        step = running.get()
        if step is None:
            raise InvariantError("No step is running here, so there is no context. Call it from an op, asset or check.")
        if cls._what:
            _there(step.assets_def, cls._what)
        return cls(step)

    run: Run = told("_step.run", "The run.")
    run_id: str = told("_step.run.run_id", "The id of the run.")
    run_config: Mapping[str, object] = told("_step.run.run_config", "The config the run was launched with.")
    run_tags: Mapping[str, str] = told("_step.run.tags", "The tags of the run.")
    job_name: str = told("_step.run.job_name", "The job.")
    location_name: str | None = told("_step.run.location_name", "The code location of the job, if it comes from one.")
    op_def: OpDefinition = told("_step.op_def", "The definition of the op.")
    op_config: Any = told("_step.op_config", "The config of the op, as validated.")
    log: logging.Logger = told("_step.log", "A logger whose lines are kept with the run.")
    instance: Any = told("_step.instance", "The instance that remembers the run.")
    resources: Any = told("_step.resources", "The resources that the op requires, as attributes.")
    step_key: str = told("_step.step_key", "The key of the step.")
    retry_number: int = told("_step.retry_number", "0 in the first attempt, 1 in the first retry, and so on.")

    @property
    def job_def(self) -> JobDefinition:
        """The definition of the job."""
        return _there(self._step.job_def, "job_def")

    def get_mapping_key(self) -> str | None:
        """The key of the dynamic output that this step is for, if any."""
        return self._step.mapping_key

    def has_tag(self, key: str) -> bool:
        """Whether the run has this tag."""
        return key in self._step.run.tags

    def get_tag(self, key: str) -> str | None:
        """The run's tag of this name, if any."""
        return self._step.run.tags.get(key)

    # --- partitions of the run

    @property
    def has_partition_key(self) -> bool:
        """Whether the run is for exactly one partition."""
        return self._step.partition_keys() is not None and self._step.partition_range() is None

    @property
    def has_partition_key_range(self) -> bool:
        """Whether the run is for a range of partitions."""
        return self._step.partition_range() is not None

    @property
    def has_partitions(self) -> bool:
        """Whether the run is for one partition or several."""
        return self._step.partition_keys() is not None

    @property
    def partition_key(self) -> str:
        """The partition of the run.

        Raises:
            InvariantError: the run has none, or several.
        """
        keys = self._step.partition_keys()
        if keys is None:
            raise InvariantError(
                f"{self.op_def.name!r} asks for a partition key, and this run has no partition. Run it for one: "
                "`partition_key=...` in Python, `--partition` on the command line."
            )
        if self._step.partition_range() is not None:
            raise InvariantError(
                f"{self.op_def.name!r} asks for a partition key, and this run is for a range of partitions. Use "
                "context.partition_keys or context.partition_key_range."
            )
        return keys[0]

    @property
    def multi_partition_key(self) -> MultiPartitionKey:
        """The partition of the run, where it has several dimensions."""
        key = self.partition_key
        if not isinstance(key, MultiPartitionKey):
            raise InvariantError(f"{self.op_def.name!r} asks for a multi-partition key, and {key!r} has one dimension.")
        return key

    @property
    def partition_keys(self) -> Sequence[str]:
        """The partitions of the run."""
        keys = self._step.partition_keys()
        if keys is None:
            raise InvariantError(f"{self.op_def.name!r} asks for partition keys, and this run has no partition.")
        return keys

    @property
    def partition_key_range(self) -> PartitionKeyRange:
        """The first and last partition of the run."""
        found = self._step.partition_range()
        return found if found is not None else PartitionKeyRange(self.partition_key, self.partition_key)

    asset_partition_key_range = partition_key_range

    @property
    def partition_time_window(self) -> TimeWindow:
        """The time that the partitions of the run cover.

        Raises:
            InvariantError: the partitions are not windows of time.
        """
        keys = self.partition_keys
        return _window(self._step.run_partitions_def(), keys, self.op_def.name)

    # --- assets

    @property
    def has_assets_def(self) -> bool:
        """Whether this step makes assets."""
        return self._step.assets_def is not None

    @property
    def assets_def(self) -> AssetsDefinition:
        """The definition of the assets that this step makes."""
        return _there(self._step.assets_def, "assets_def")

    @property
    def asset_key(self) -> AssetKey:
        """The asset that this step makes, if it is one."""
        keys = sorted(self.selected_asset_keys) if len(self.assets_def.keys) > 1 else [self.assets_def.key]
        if len(keys) != 1:
            raise InvariantError(
                f"{self.op_def.name!r} makes several assets, so it has no single asset key. Use selected_asset_keys."
            )
        return keys[0]

    @property
    def selected_asset_keys(self) -> Set[AssetKey]:
        """The assets that this step was asked to make."""
        definition = self._step.assets_def
        if definition is None:
            return set()
        outputs = self._step.selected_outputs
        return {key for name, key in definition.keys_by_output_name.items() if name in outputs}

    @property
    def selected_asset_check_keys(self) -> Set[AssetCheckKey]:
        """The checks that this step was asked to evaluate."""
        definition = self._step.assets_def
        if definition is None:
            return set()
        outputs = self._step.selected_outputs
        return {key for name, key in definition.check_keys_by_output_name.items() if name in outputs}

    selected_output_names: Set[str] = told("_step.selected_outputs", "The outputs that this step was asked to produce.")

    def asset_key_for_output(self, output_name: str = "result") -> AssetKey:
        """The asset that an output is."""
        return _named(self.assets_def.keys_by_output_name, output_name, "output", self.op_def.name)

    def asset_key_for_input(self, input_name: str) -> AssetKey:
        """The asset that an input is. One that is named in `deps` alone is an input of its own name, too."""
        deps = {
            dep.asset_key.to_python_identifier(): dep.asset_key for one in self.assets_def.specs for dep in one.deps
        }
        return _named({**deps, **self.assets_def.keys_by_input_name}, input_name, "input", self.op_def.name)

    def output_for_asset_key(self, asset_key: AssetKey) -> str:
        """The output that an asset is."""
        by_key = {key: name for name, key in self.assets_def.keys_by_output_name.items()}
        return _named(by_key, asset_key, "asset", self.op_def.name)

    def asset_partition_key_for_output(self, output_name: str = "result") -> str:
        """The partition that an output is for."""
        return self.partition_key

    def asset_partition_keys_for_output(self, output_name: str = "result") -> Sequence[str]:
        """The partitions that an output is for."""
        return self.partition_keys

    def asset_partition_key_range_for_output(self, output_name: str = "result") -> PartitionKeyRange:
        """The first and last partition that an output is for."""
        return self.partition_key_range

    def asset_partitions_time_window_for_output(self, output_name: str = "result") -> TimeWindow:
        """The time that the partitions of an output cover."""
        return self.partition_time_window

    def asset_partitions_def_for_output(self, output_name: str = "result") -> PartitionsDefinition:
        """The partitions definition of an output's asset."""
        return _there(self.assets_def.partitions_def, "the partitions definition")

    def asset_partition_keys_for_input(self, input_name: str) -> Sequence[str]:
        """The partitions of an upstream asset that this step reads."""
        return self._step.input_partition_keys(input_name)

    def asset_partition_key_for_input(self, input_name: str) -> str:
        """The one partition of an upstream asset that this step reads."""
        keys = self.asset_partition_keys_for_input(input_name)
        if len(keys) != 1:
            raise InvariantError(f"Input {input_name!r} reads {len(keys)} partitions, not one.")
        return keys[0]

    def asset_partition_key_range_for_input(self, input_name: str) -> PartitionKeyRange:
        """The first and last partition of an upstream asset that this step reads."""
        keys = _some(self.asset_partition_keys_for_input(input_name), self.op_def.name)
        return PartitionKeyRange(keys[0], keys[-1])

    def asset_partitions_def_for_input(self, input_name: str) -> PartitionsDefinition:
        """The partitions definition of an upstream asset."""
        return _there(self._step.input_partitions_def(input_name), "the partitions definition")

    def asset_partitions_time_window_for_input(self, input_name: str = "result") -> TimeWindow:
        """The time that the partitions of an upstream asset that this step reads cover."""
        keys = self.asset_partition_keys_for_input(input_name)
        return _window(self._step.input_partitions_def(input_name), keys, self.op_def.name)

    # --- reporting

    def get_asset_provenance(self, asset_key: AssetKey) -> DataProvenance | None:
        """What the latest materialization of an asset was made from; None if there is none."""
        latest = self.instance.get_latest_materialization_event(asset_key)
        made = latest.asset_materialization if latest is not None else None
        return DataProvenance.from_tags(made.tags) if made is not None else None

    def log_event(self, event: Reported) -> None:
        """Put a materialization, an observation or an expectation into the log now."""
        self._step.log_event(event)

    def add_output_metadata(
        self, metadata: Mapping[str, Any], output_name: str | None = None, mapping_key: str | None = None
    ) -> None:
        """Add metadata to an output that is still to be returned."""
        self._step.add_output_metadata(metadata, output_name, mapping_key)

    def add_asset_metadata(
        self,
        metadata: Mapping[str, Any],
        asset_key: CoercibleToAssetKey | None = None,
        partition_key: str | None = None,
    ) -> None:
        """Add metadata to the materialization of an asset that this step makes."""
        key = AssetKey.of(asset_key) if asset_key is not None else None
        self._step.add_asset_metadata(metadata, key, partition_key)


class _OfAssets(OpExecutionContext):
    """What the contexts of assets and of their checks share."""

    __slots__ = ()

    @property
    def op_execution_context(self) -> OpExecutionContext:
        """The same as an op's context."""
        return OpExecutionContext(self._step)


class AssetExecutionContext(_OfAssets):
    """The context of an asset function: all that an op's context has."""

    __slots__ = ()
    _what = "context of an asset"


class AssetCheckExecutionContext(_OfAssets):
    """The context of an asset check: all that an op's context has."""

    __slots__ = ()
    _what = "context of an asset check"

    @property
    def check_specs(self) -> Sequence[Any]:
        """The checks that this step was asked to evaluate."""
        asked = self.selected_asset_check_keys
        return [spec for spec in self.assets_def.check_specs if spec.key in asked]


def _there(value: Any, what: str) -> Any:
    if value is None:
        raise InvariantError(f"There is no {what} here: this step does not make assets, or they have none.")
    return value


def _named(mapping: Mapping[Any, Any], name: Any, what: str, op_name: str) -> Any:
    if name not in mapping:
        known = ", ".join(sorted(str(key) for key in mapping)) or "none"
        raise InvariantError(f"{op_name!r} has no {what} {name!r} that is an asset. It has: {known}.")
    return mapping[name]


def _window(definition: Any, keys: Sequence[str], op_name: str) -> TimeWindow:
    if not hasattr(definition, "time_window_for_partition_key"):
        raise InvariantError(
            f"{op_name!r} asks for a time window, and its partitions are not windows of time: {definition!r}."
        )
    window_of, keys = definition.time_window_for_partition_key, _some(keys, op_name)
    return TimeWindow(window_of(keys[0]).start, window_of(keys[-1]).end)


def _some(keys: Sequence[str], op_name: str) -> Sequence[str]:
    if not keys:
        raise InvariantError(f"{op_name!r} asks from where to where its partitions are, and there are none here.")
    return keys


Metadata = Mapping[str, MetadataValue]


# --- without a context at hand -------------------------------------------------------------------------------------


class _UserLogger(logging.Logger):
    def handle(self, record: logging.LogRecord) -> None:
        step = running.get()
        if step is None:
            super().handle(record)
        else:
            step.log.handle(record)


@cache
def get_logger(name: str | None = None) -> logging.Logger:
    """A logger for library code. Inside a step its lines are kept with the run; outside they go to `treadle.user`.

    Example:
        get_logger(__name__).info("read %d rows", count)
    """
    logger = _UserLogger(f"treadle.user.{name}" if name else "treadle.user", logging.DEBUG)
    logger.parent = logging.getLogger("treadle.user")
    return logger
