"""What an IO manager is told: which output to store, which input to load.

One context is made for each input and output of each step, so making one is a handful of assignments; all that needs
the run is asked of the step, through the `StepPort` that the runtime implements, at the moment someone looks at it.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from treadle.author.resources import Resources, resources_by_hand
from treadle.core.keys import AssetKey, CoercibleToAssetKey
from treadle.core.metadata import MetadataValue, normalize
from treadle.core.subsets import PartitionKeyRange
from treadle.core.told import told
from treadle.errors import InvariantError, MetadataError
from treadle.state.facts import AssetMaterialization, AssetObservation

EPHEMERAL_RUN_ID = "__EPHEMERAL_RUN_ID"
_NOTHING: Mapping[str, Any] = {}


class AssetPartitions(msgspec.Struct):
    """Partitions of one asset that an input or output is about.

    Attributes:
        keys: their keys, in the order of the definition; multi-partition keys as `MultiPartitionKey`.
        definition: the partitions definition; None in a context made by hand without one.
    """

    keys: Sequence[str]
    definition: Any = None


class StepPort(Protocol):
    """What the contexts ask of the step that they belong to. The runtime implements it, once for each step.

    Members that a step may lack (`partition_key`, …) raise `InvariantError` when they are asked for.
    """

    @property
    def run_id(self) -> str: ...
    @property
    def job_name(self) -> str: ...
    @property
    def step_key(self) -> str: ...
    @property
    def op_def(self) -> Any: ...
    @property
    def log(self) -> Any: ...
    @property
    def instance(self) -> Any: ...
    @property
    def step_context(self) -> Any: ...
    @property
    def has_partition_key(self) -> bool: ...
    @property
    def partition_key(self) -> str: ...
    def resources_of(self, key: str) -> Any:
        """The resources that the resource `key` requires."""
        ...

    def resource_config(self, key: str) -> Any:
        """The config that the resource `key` was set up with."""
        ...

    def output_partitions(self, asset_key: AssetKey) -> AssetPartitions | None:
        """The partitions of `asset_key` that the run makes (or that an upstream output of it is about); None if the
        asset is not partitioned. Asked for every asset output: answer the unpartitioned case at once.
        """
        ...

    def input_partitions(self, input_name: str, asset_key: AssetKey) -> AssetPartitions | None:
        """The partitions of the upstream asset that the input loads; None if it is not partitioned."""
        ...

    def partitions_def(self, asset_key: AssetKey) -> Any: ...
    def asset_spec(self, asset_key: AssetKey) -> Any: ...


class _Context(ABC):
    """What input and output have in common."""

    __slots__ = ("_asset_key", "_logged", "_manager_key", "_name", "_step", "_type", "config", "definition_metadata")

    _what = ""

    _logged: dict[str, MetadataValue] | None

    def __init__(
        self, step: StepPort, name: str | None, asset_key: AssetKey | None, definition_metadata: Mapping[str, Any],
        config: Any, io_manager_key: str, dagster_type: Any,
    ) -> None:  # fmt: skip
        self._step = step
        self._name = name
        self._asset_key = asset_key
        self._manager_key = io_manager_key
        self._type = dagster_type
        self._logged = None
        self.definition_metadata = definition_metadata
        self.config = config

    @abstractmethod
    def _partitions(self) -> AssetPartitions | None:
        """The partitions of the asset that this is about; None if there is no asset, or it has none."""

    def _missing(self, member: str, fix: str) -> InvariantError:
        return InvariantError(f"This {self._what} context has no {member}. {fix}")

    @property
    def name(self) -> str:
        """The name of the input or output."""
        if self._name is None:
            raise self._missing("name", f"Give it one: build_{self._what}_context(name=...).")
        return self._name

    metadata: Mapping[str, Any] = told("definition_metadata", "The same as `definition_metadata`.")
    job_name: str = told("_step.job_name", "The job that runs.")
    op_def: Any = told("_step.op_def", "The op that the input or output belongs to.")
    log: Any = told("_step.log", "A logger; messages go to the run's event log.")
    instance: Any = told("_step.instance", "The instance that the run belongs to.")
    step_context: Any = told("_step.step_context", "The context of the step.")

    @property
    def dagster_type(self) -> Any:
        """The type that the value must have."""
        if self._type is None:
            raise self._missing("type", f"Give it one: build_{self._what}_context(dagster_type=...).")
        return self._type

    @property
    def resources(self) -> Any:
        """The resources that the IO manager requires: `context.resources.<key>`."""
        return self._step.resources_of(self._manager_key)

    @property
    def resource_config(self) -> Mapping[str, Any] | None:
        """The config of the IO manager itself."""
        return self._step.resource_config(self._manager_key)

    # --- assets ----------------------------------------------------------------------------------------------------

    @property
    def has_asset_key(self) -> bool:
        """Whether this is about an asset."""
        return self._asset_key is not None

    @property
    def asset_key(self) -> AssetKey:
        """The asset."""
        if self._asset_key is None:
            fix = f"It is about the {self._what} of an op that is no asset: ask has_asset_key first."
            raise self._missing("asset key", fix)
        return self._asset_key

    # --- partitions ------------------------------------------------------------------------------------------------

    has_partition_key: bool = told("_step.has_partition_key", "Whether the run is for one partition.")
    partition_key: str = told("_step.partition_key", "The partition of the run.")

    @property
    def has_asset_partitions(self) -> bool:
        """Whether this is about an asset that is partitioned."""
        return self._partitions() is not None

    @property
    def asset_partitions_def(self) -> Any:
        """The partitions definition of the asset."""
        found = self._step.partitions_def(self.asset_key)
        if found is None:
            fix = f"{self.asset_key.to_user_string()} is not partitioned: ask has_asset_partitions."
            raise self._missing("partitions definition", fix)
        return found

    def _asset_partitions(self, member: str) -> AssetPartitions:
        found = self._partitions()
        if found is None:
            key = self._asset_key
            about = key.to_user_string() if key else f"the {self._what} of an op that is no asset"
            raise self._missing(
                member, f"It is about {about}, which is not partitioned: ask has_asset_partitions first."
            )
        return found

    @property
    def asset_partition_key(self) -> str:
        """The partition of the asset, where it is exactly one."""
        keys = self._asset_partitions("asset_partition_key").keys
        if len(keys) != 1:
            about = f"{len(keys)} partitions of {self.asset_key.to_user_string()}"
            raise self._missing("single asset partition key", f"It is about {about}: use asset_partition_keys.")
        return keys[0]

    @property
    def asset_partition_keys(self) -> Sequence[str]:
        """The partitions of the asset."""
        return self._asset_partitions("asset_partition_keys").keys

    @property
    def asset_partition_key_range(self) -> PartitionKeyRange:
        """The first and the last partition of the asset."""
        keys = self._asset_partitions("asset_partition_key_range").keys
        if not keys:
            raise self._missing("asset partition", "No partition of the asset matches: ask asset_partition_keys first.")
        return PartitionKeyRange(keys[0], keys[-1])

    @property
    def asset_partitions_time_window(self) -> Any:
        """The time from the start of the first to the end of the last partition, as a `TimeWindow`."""
        found = self._asset_partitions("asset_partitions_time_window")
        window_of = getattr(found.definition, "time_window_for_partition_key", None)
        if window_of is None or not found.keys:
            raise self._missing("time window", "The asset's partitions are no time windows.")
        first, last = window_of(found.keys[0]), window_of(found.keys[-1])
        return type(first)(first.start, last.end)

    def get_asset_identifier(self) -> Sequence[str]:
        """The parts of the asset key and, if the asset is partitioned, the partition: a path for the value."""
        parts = list(self.asset_key.parts)
        if self.has_asset_partitions:
            parts.append(self.asset_partition_key)
        return parts

    # --- metadata --------------------------------------------------------------------------------------------------

    def _add_metadata(self, metadata: Mapping[str, Any]) -> None:
        added = normalize(metadata, f"the {self._what} {self._name!r}")
        if self._logged is None:
            self._logged = added
            return
        twice = sorted(added.keys() & self._logged.keys())
        if twice:
            raise MetadataError(
                f"The {self._what} {self._name!r} has metadata {', '.join(map(repr, twice))} already. Add a key once."
            )
        self._logged.update(added)

    def get_logged_metadata(self) -> Mapping[str, MetadataValue]:
        """The metadata that was added here and not yet consumed."""
        return self._logged or {}

    def consume_logged_metadata(self) -> Mapping[str, MetadataValue]:
        """The metadata that was added here; a second call has none."""
        logged, self._logged = self._logged, None
        return logged or {}

    def consume_events(self) -> Sequence[Any]:
        """Nothing: events are recorded by the step, in `get_logged_events` and `get_observations` they can be read."""
        return ()


class OutputContext(_Context):
    """What `IOManager.handle_output` is told about the output that it stores. In tests, see `build_output_context`.

    Attributes:
        config: the config of the output, as `output_config_schema` of the IO manager says.
        definition_metadata: the metadata on the definition of the output or asset.
        mapping_key: the key of a dynamic output, or None.
        version: a version of the output, or None.
    """

    __slots__ = ("_events", "_output_metadata", "_run_id", "_step_key", "mapping_key", "version")
    _what = "output"

    def __init__(
        self,
        step: StepPort,
        name: str | None,
        *,
        asset_key: AssetKey | None = None,
        definition_metadata: Mapping[str, Any] = _NOTHING,
        output_metadata: Mapping[str, Any] = _NOTHING,
        mapping_key: str | None = None,
        config: Any = None,
        io_manager_key: str = "io_manager",
        dagster_type: Any = None,
        version: str | None = None,
        step_key: str | None = None,
        run_id: str | None = None,
    ) -> None:
        """The runtime makes these. `step_key` and `run_id`: of the step that made it, if that is not `step`."""
        super().__init__(step, name, asset_key, definition_metadata, config, io_manager_key, dagster_type)
        self._events: list[AssetMaterialization | AssetObservation] | None = None
        self._output_metadata = output_metadata
        self._run_id = run_id
        self._step_key = step_key
        self.mapping_key = mapping_key
        self.version = version

    def _partitions(self) -> AssetPartitions | None:
        return None if self._asset_key is None else self._step.output_partitions(self._asset_key)

    @property
    def step_key(self) -> str:
        """The step that makes the output."""
        return self._step_key if self._step_key is not None else self._step.step_key

    @property
    def run_id(self) -> str:
        """The run that makes the output."""
        return self._run_id if self._run_id is not None else self._step.run_id

    output_metadata: Mapping[str, Any] = told(
        "_output_metadata",
        "What the function said of this value: `Output(metadata=...)`, `context.add_output_metadata(...)`.",
    )

    @property
    def asset_spec(self) -> Any:
        """The spec of the asset."""
        return self._step.asset_spec(self.asset_key)

    def get_identifier(self) -> Sequence[str]:
        """Run, step, output name and, for a dynamic output, its key: a path for the value."""
        parts = [self.run_id, self.step_key, self.name]
        if self.mapping_key is not None:
            parts.append(self.mapping_key)
        return parts

    get_run_scoped_output_identifier = get_output_identifier = get_identifier
    get_asset_output_identifier = _Context.get_asset_identifier

    def add_output_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Add facts about the stored value; they appear on the output's event and, for an asset, on its
        materialization.

        Raises:
            MetadataError: a key was added before, or a value has no kind.
        """
        self._add_metadata(metadata)

    def log_event(self, event: AssetMaterialization | AssetObservation) -> None:
        """Record that an asset was made or seen, beside the output itself.

        Raises:
            InvariantError: it is neither.
        """
        if not isinstance(event, AssetMaterialization | AssetObservation):
            kind = type(event).__name__
            raise InvariantError(f"log_event takes an AssetMaterialization or an AssetObservation, not {kind}.")
        if self._events is None:
            self._events = []
        self._events.append(event)

    def get_logged_events(self) -> Sequence[AssetMaterialization | AssetObservation]:
        """What was given to `log_event`."""
        return self._events or []


class InputContext(_Context):
    """What `IOManager.load_input` is told about the input that it loads. In tests, see `build_input_context`.

    Attributes:
        config: the config of the input, as `input_config_schema` of the IO manager says.
        definition_metadata: the metadata on the definition of the input.
    """

    __slots__ = ("_upstream",)
    _what = "input"

    def __init__(
        self,
        step: StepPort,
        name: str | None,
        *,
        asset_key: AssetKey | None = None,
        definition_metadata: Mapping[str, Any] = _NOTHING,
        config: Any = None,
        upstream: OutputContext | Callable[[], OutputContext | None] | None = None,
        io_manager_key: str = "io_manager",
        dagster_type: Any = None,
    ) -> None:
        """The runtime makes these. `upstream`: the output that is loaded, or a function that gives it when asked."""
        super().__init__(step, name, asset_key, definition_metadata, config, io_manager_key, dagster_type)
        self._upstream = upstream

    def _partitions(self) -> AssetPartitions | None:
        return None if self._asset_key is None else self._step.input_partitions(self._name or "", self._asset_key)

    @property
    def has_input_name(self) -> bool:
        """Whether the input has a name: one that is loaded by hand has none."""
        return self._name is not None

    @property
    def upstream_output(self) -> OutputContext | None:
        """The output that is loaded; None if nothing made it (an input from outside)."""
        if self._upstream is not None and not isinstance(self._upstream, OutputContext):
            self._upstream = self._upstream()
        return self._upstream

    def get_identifier(self) -> Sequence[str]:
        """The identifier of the output that is loaded: run, step, output name and, if it is dynamic, its key."""
        upstream = self.upstream_output
        if upstream is None:
            fix = "Without one there is no identifier: for an asset, use get_asset_identifier()."
            raise self._missing("upstream output", fix)
        return upstream.get_identifier()

    def add_input_metadata(self, metadata: Mapping[str, Any], description: str | None = None) -> None:
        """Add facts about the loaded value; for an asset they are recorded as an observation of it.

        Raises:
            MetadataError: a key was added before, or a value has no kind.
        """
        self._add_metadata(metadata)

    def get_observations(self) -> Sequence[AssetObservation]:
        """What the added metadata make: one a partition, or one if the asset has none; none for ops' inputs."""
        if self._asset_key is None or not self._logged:
            return []
        partitions = self._partitions()
        keys: Sequence[str | None] = [None] if partitions is None else partitions.keys
        return [AssetObservation(self._asset_key, metadata=self._logged, partition=key) for key in keys]


# --- by hand --------------------------------------------------------------------------------------------------------


class HandmadeStep(msgspec.Struct, frozen=True):
    """A step port over values that someone gave, for contexts made by hand; what it has not, it says when asked."""

    given: Mapping[str, Any]
    partitions: AssetPartitions | None = None
    values: Resources = msgspec.field(default_factory=lambda: Resources({}))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = self.given.get(name)
        if value is None:
            raise InvariantError(
                f"This context was made without {name}. "
                f"Give it to build_output_context or build_input_context: {name}=..."
            )
        return value

    @property
    def run_id(self) -> str:
        return self.given.get("run_id") or EPHEMERAL_RUN_ID

    @property
    def log(self) -> Any:
        return logging.getLogger("treadle")

    @property
    def has_partition_key(self) -> bool:
        return self.given.get("partition_key") is not None

    def resources_of(self, key: str) -> Any:
        return self.values

    def resource_config(self, key: str) -> Any:
        return self.given.get("resource_config") or {}

    def output_partitions(self, asset_key: AssetKey) -> AssetPartitions | None:
        return self.partitions

    def input_partitions(self, input_name: str, asset_key: AssetKey) -> AssetPartitions | None:
        return self.partitions

    def partitions_def(self, asset_key: AssetKey) -> Any:
        return self.given.get("asset_partitions_def")

    def asset_spec(self, asset_key: AssetKey) -> Any:
        return self.__getattr__("asset_spec")


def _step_by_hand(resources: Any, key_range: PartitionKeyRange | None, **given: Any) -> Any:
    key, definition, instance = given["partition_key"], given["asset_partitions_def"], given["instance"]
    partitions = None
    if key_range is not None:
        if definition is None:
            raise InvariantError("asset_partition_key_range needs asset_partitions_def, to know the keys between.")
        keys = definition.get_partition_keys_in_range(key_range, dynamic_partitions_store=instance)
        partitions = AssetPartitions(keys, definition)
    elif key is not None:
        partitions = AssetPartitions([key], definition)
    values = resources if isinstance(resources, Resources) else resources_by_hand(resources, instance)
    return HandmadeStep(given, partitions, values)


def build_output_context(
    step_key: str | None = None,
    name: str | None = None,
    definition_metadata: Mapping[str, Any] | None = None,
    run_id: str | None = None,
    mapping_key: str | None = None,
    config: Any = None,
    dagster_type: Any = None,
    version: str | None = None,
    resource_config: Mapping[str, Any] | None = None,
    resources: Mapping[str, Any] | Resources | None = None,
    op_def: Any = None,
    asset_key: CoercibleToAssetKey | None = None,
    partition_key: str | None = None,
    asset_partitions_def: Any = None,
    asset_partition_key_range: PartitionKeyRange | None = None,
    instance: Any = None,
    asset_spec: Any = None,
    output_metadata: Mapping[str, Any] | None = None,
) -> OutputContext:
    """A context for calling `handle_output` of an IO manager in a test. All arguments are what its members will be.

    Args:
        asset_partition_key_range: several partitions; needs `asset_partitions_def`.
    """
    step = _step_by_hand(
        resources, asset_partition_key_range, step_key=step_key, run_id=run_id, resource_config=resource_config,
        op_def=op_def, partition_key=partition_key, asset_partitions_def=asset_partitions_def, instance=instance,
        asset_spec=asset_spec,
    )  # fmt: skip
    if asset_key is None and asset_spec is not None:
        asset_key = asset_spec.key
    return OutputContext(
        step,
        name,
        asset_key=None if asset_key is None else AssetKey.of(asset_key),
        definition_metadata=definition_metadata or {},
        output_metadata=output_metadata or {},
        mapping_key=mapping_key,
        config=config,
        dagster_type=dagster_type,
        version=version,
    )


def build_input_context(
    name: str | None = None,
    config: Any = None,
    definition_metadata: Mapping[str, Any] | None = None,
    upstream_output: OutputContext | None = None,
    dagster_type: Any = None,
    resource_config: Mapping[str, Any] | None = None,
    resources: Mapping[str, Any] | Resources | None = None,
    op_def: Any = None,
    step_context: Any = None,
    asset_key: CoercibleToAssetKey | None = None,
    partition_key: str | None = None,
    asset_partition_key_range: PartitionKeyRange | None = None,
    asset_partitions_def: Any = None,
    instance: Any = None,
) -> InputContext:
    """A context for calling `load_input` of an IO manager in a test. All arguments are what its members will be.

    Args:
        asset_partition_key_range: several partitions; needs `asset_partitions_def`.
    """
    step = _step_by_hand(
        resources, asset_partition_key_range, resource_config=resource_config, op_def=op_def,
        step_context=step_context, partition_key=partition_key, asset_partitions_def=asset_partitions_def,
        instance=instance,
    )  # fmt: skip
    return InputContext(
        step,
        name,
        asset_key=None if asset_key is None else AssetKey.of(asset_key),
        definition_metadata=definition_metadata or {},
        config=config,
        upstream=upstream_output,
        dagster_type=dagster_type,
    )
