"""Jobs: nodes with everything they need to run. What a job runs is flat: graphs are gone, each op has its handle.

A job is made of a graph (`JobDefinition(graph_def=...)`, `@job`, `graph.to_job()`) or of nodes as they are (`of_nodes`,
for jobs of assets, which have no graph at all).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from copy import copy
from datetime import datetime
from typing import Any

from treadle.author import port
from treadle.author.configured import ConfigMapping
from treadle.author.flattening import FlatGraph, Graph, GraphPlace, flatten
from treadle.author.io_managers import fs_io_manager
from treadle.author.ops import DEFAULT_IO_MANAGER_KEY, OpDefinition
from treadle.author.partitioned_config import partition_tags
from treadle.author.requests import RunRequest
from treadle.author.resources import ResourceDefinition, resource_definitions
from treadle.core import tags as tag_rules
from treadle.core.keys import AssetCheckKey, AssetKey, check_name, did_you_mean
from treadle.core.metadata import normalize
from treadle.core.told import told
from treadle.errors import DefinitionError, InvariantError
from treadle.spec.nodes import FromOutput, NodeSpec
from treadle.spec.policies import check_types
from treadle.spec.retry import RetryPolicy

_NOTHING: Mapping[str, Any] = {}


class JobDefinition:
    """A job: what to run, and with what.

    Args:
        graph_def: the graph that it runs.
        resource_defs: resources by key; anything `as_resource_definition` takes.
        executor_def: what runs its steps.
        logger_defs: loggers by key.
        name: its name; that of the graph by default.
        config: config that every run starts from (a dict or `RunConfig`), a `ConfigMapping`, or a `PartitionedConfig`.
        partitions_def: its partitions.
        tags: facts about the job; its runs carry them too, unless `run_tags` is given.
        run_tags: tags of its runs.
        metadata: facts about the job.
        hook_defs: hooks for every step.
        op_retry_policy: for ops that have none of their own.
        input_values: values of the graph's inputs.
        owners: e-mail addresses, or `team:<name>`.

    Attributes:
        graph_def: the graph; None for a job made of nodes.
        nodes: every op at its place.
        ops: the op of each node, by handle.
        assets: for nodes that make assets, their definition, by handle.
        given_resources: the resources that it was declared with.
        outputs: outputs of the job, by name.
        graphs: graphs inside, by handle, for the config they take.
        node_hooks: hooks of nodes beside those of the job, by handle.
        op_selection: the ops that its runs have, as selection strings; None is all.
        layer: for a job of assets, the assets around it.
        selected_assets, selected_checks: for a job of assets, what it makes and evaluates; None is all it can.
        config_schema: a place for the schema of its run config, once someone made it.

    Raises:
        DefinitionError: a name, tag or owner is invalid, an input has no source, or `input_values` names no input.
    """

    def __init__(
        self,
        *,
        graph_def: Graph | FlatGraph,
        resource_defs: Mapping[str, Any] | None = None,
        executor_def: Any = None,
        logger_defs: Mapping[str, Any] | None = None,
        name: str | None = None,
        config: Any = None,
        description: str | None = None,
        partitions_def: Any = None,
        tags: Mapping[str, Any] | None = None,
        run_tags: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        hook_defs: Set[Any] | None = None,
        op_retry_policy: RetryPolicy | None = None,
        input_values: Mapping[str, Any] | None = None,
        owners: Sequence[str] | None = None,
        automation_condition: Any = None,
    ) -> None:
        name = check_name(name or graph_def.name, "a job")
        title = f"job {name!r}"
        check_types(
            title, partitions_def=partitions_def, op_retry_policy=op_retry_policy,
            automation_condition=automation_condition,
        )  # fmt: skip
        is_flat = isinstance(graph_def, FlatGraph)
        flat = graph_def.with_policy(op_retry_policy) if is_flat else flatten(graph_def, name, op_retry_policy)
        self.graph_def: Any = None if is_flat else graph_def
        self.nodes = flat.nodes
        self.ops: Mapping[str, OpDefinition] = flat.ops
        self.assets: Mapping[str, Any] = _NOTHING
        self.outputs: Mapping[str, FromOutput] = flat.outputs
        self.inputs: Set[str] = flat.inputs
        self.node_hooks: Mapping[str, frozenset[Any]] = flat.node_hooks
        self.graphs: Mapping[str, GraphPlace] = flat.graphs
        self.layer: Any = None
        self.selected_assets: Set[AssetKey] | None = None
        self.selected_checks: Set[AssetCheckKey] | None = None
        own_tags = tag_rules.run_tags(tags, title)
        self.name = name
        # Runs take the graph's tags in any case; the job shows them unless it says itself what runs get.
        self.tags: Mapping[str, str] = own_tags if run_tags is not None else {**graph_def.tags, **own_tags}
        given = tag_rules.run_tags(run_tags, title) if run_tags is not None else own_tags
        self.run_tags: Mapping[str, str] = {**graph_def.tags, **given}
        self.given_resources: Mapping[str, Any] = resource_defs or _NOTHING
        self._resource_defs: Mapping[str, ResourceDefinition] | None = None
        self.executor_def = executor_def
        self.logger_defs: Mapping[str, Any] = logger_defs or _NOTHING
        self.config = config
        self.config_schema: Any = None
        self.description = description or graph_def.description
        self.partitions_def: Any = partitions_def or getattr(config, "partitions_def", None)
        self.metadata: Mapping[str, Any] = normalize(metadata, title) if metadata else _NOTHING
        self.hook_defs: Set[Any] = frozenset(hook_defs) if hook_defs else frozenset()
        self.op_retry_policy = op_retry_policy
        self.input_values: Mapping[str, Any] = input_values or _NOTHING
        self.owners = tag_rules.owners(owners, title)
        self.automation_condition = automation_condition
        self.op_selection: tuple[str, ...] | None = None
        if input_values:
            self.check_input_values(input_values)

    @staticmethod
    def of_nodes(
        name: str,
        nodes: tuple[NodeSpec, ...],
        ops: Mapping[str, OpDefinition],
        assets: Mapping[str, Any] = _NOTHING,
        *,
        node_hooks: Mapping[str, frozenset[Any]] = _NOTHING,
        graphs: Mapping[str, GraphPlace] = _NOTHING,
        layer: Any = None,
        selected_assets: Set[AssetKey] | None = None,
        selected_checks: Set[AssetCheckKey] | None = None,
        **options: Any,
    ) -> JobDefinition:
        """A job of nodes as they are: attributes of it, and `options` as the constructor takes them."""
        flat = FlatGraph(nodes, ops, {}, frozenset(), node_hooks, graphs, name)
        job = JobDefinition(graph_def=flat, **options)
        job.assets, job.layer = assets, layer
        job.selected_assets, job.selected_checks = selected_assets, selected_checks
        return job

    # --- what it has ------------------------------------------------------------------------------------------------

    @property
    def resource_defs(self) -> Mapping[str, ResourceDefinition]:
        """Its resources by key, with the default IO manager unless it has its own."""
        if self._resource_defs is None:
            definitions = resource_definitions(self.given_resources)
            if DEFAULT_IO_MANAGER_KEY not in definitions:
                definitions[DEFAULT_IO_MANAGER_KEY] = fs_io_manager
            self._resource_defs = definitions
        return self._resource_defs

    @property
    def has_specified_executor(self) -> bool:
        """Whether it says itself what runs its steps."""
        return self.executor_def is not None

    loggers: Mapping[str, Any] = told("logger_defs", "Its loggers by key.")

    @property
    def has_specified_loggers(self) -> bool:
        """Whether it has loggers of its own."""
        return bool(self.logger_defs)

    @property
    def config_mapping(self) -> ConfigMapping | None:
        """Its config mapping, if its config is one."""
        return self.config if isinstance(self.config, ConfigMapping) else None

    @property
    def partitioned_config(self) -> Any:
        """Its config as a function of the partition, if it is one."""
        return self.config if hasattr(self.config, "partitions_def") else None

    def check_input_values(self, values: Mapping[str, Any]) -> None:
        """Make sure that each of `values` is for an input of the job.

        Raises:
            DefinitionError: one is not.
        """
        for name in values:
            if name not in self.inputs:
                raise DefinitionError(
                    f"Job {self.name!r} got an input value for {name!r}, and its graph has no such input (there are: "
                    f"{', '.join(sorted(self.inputs)) or 'none'}).{did_you_mean(name, self.inputs)}"
                )

    # --- hooks ------------------------------------------------------------------------------------------------------

    @property
    def has_hooks(self) -> bool:
        """Whether any of its steps has a hook."""
        return bool(self.hook_defs or self.node_hooks) or any(one.hook_defs for one in self.assets.values())

    def hooks_of(self, handle: str) -> Sequence[Any]:
        """The hooks of a node by name: those of the job, of the graphs around it, its own, and its asset's."""
        found = self.hook_defs | self.node_hooks.get(handle, frozenset())
        if handle in self.assets:
            found |= self.assets[handle].hook_defs
        return sorted(found, key=lambda hook: hook.name)

    def hook_keys(self, handles: Iterable[str]) -> set[str]:
        """The resources that the hooks of these nodes need."""
        if not self.has_hooks:
            return set()
        return {key for handle in handles for hook in self.hooks_of(handle) for key in hook.required_resource_keys}

    @property
    def needed_by(self) -> Mapping[str, str]:
        """For messages: an op or a hook that needs each resource."""
        hooks = {hook for handle in self.ops for hook in self.hooks_of(handle)} if self.has_hooks else ()
        needed = {key: f"hook {hook.name!r}" for hook in hooks for key in hook.required_resource_keys}
        needed.update({key: f"op {op.name!r}" for op in self.ops.values() for key in op.required_resource_keys})
        return needed

    # --- variants ---------------------------------------------------------------------------------------------------

    def with_hooks(self, hook_defs: Set[Any]) -> JobDefinition:
        """The same job with more hooks."""
        changed = copy(self)
        changed.hook_defs = self.hook_defs | hook_defs
        return changed

    def with_top_level_resources(self, resource_defs: Mapping[str, Any]) -> JobDefinition:
        """The same job with these resources for the keys that it does not provide itself."""
        changed = copy(self)
        changed.given_resources = {**resource_defs, **self.given_resources}
        changed._resource_defs = None
        changed.config_schema = None
        return changed

    def replace(self, **changes: Any) -> JobDefinition:
        """The same job with these attributes changed; `resource_defs` are given as to the constructor."""
        changed = copy(self)
        if "resource_defs" in changes:
            changed.given_resources = changes.pop("resource_defs")
            changed._resource_defs = None
        for name, value in changes.items():
            setattr(changed, name, value)
        changed.config_schema = None
        return changed

    # --- running it -------------------------------------------------------------------------------------------------

    def execute_in_process(
        self,
        run_config: Any = None,
        instance: Any = None,
        partition_key: str | None = None,
        raise_on_error: bool = True,
        op_selection: Sequence[str] | None = None,
        asset_selection: Sequence[AssetKey] | None = None,
        run_id: str | None = None,
        input_values: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        resources: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run it here and now, in this process, and return the result.

        Args:
            run_config: a dict or `RunConfig`.
            instance: where the run is recorded; by default in memory only.
            partition_key: the partition to run.
            raise_on_error: whether to raise the error of a failed step, instead of returning a result that tells.
            op_selection: the ops to run, as selection strings; all by default.
            asset_selection: for a job of assets, those to make; all by default.
            run_id: the id that the run shall have.
            input_values: values of the graph's inputs, beside and before those of the job.
            tags: more tags for the run.
            resources: resources in the place of the job's, by key.

        Raises:
            ConfigError: the run config does not fit.
            UnknownPartitionError: there is no such partition.
        """
        return port.call("execute_job")(
            self, run_config=run_config, instance=instance, partition_key=partition_key, raise_on_error=raise_on_error,
            op_selection=op_selection, asset_selection=asset_selection, run_id=run_id, input_values=input_values,
            tags=tags, resources=resources,
        )  # fmt: skip

    def run_request_for_partition(
        self,
        partition_key: str,
        run_key: str | None = None,
        tags: Mapping[str, str] | None = None,
        asset_selection: Sequence[AssetKey] | None = None,
        run_config: Any = None,
        current_time: datetime | None = None,
        dynamic_partitions_store: Any = None,
    ) -> RunRequest:
        """A request for a run of one partition, with the config and tags that the job has for it.

        Args:
            run_config: the config in place of the job's.
            current_time, dynamic_partitions_store: what partitions there are depends on.

        Raises:
            InvariantError: the job has no partitions.
            UnknownPartitionError: there is no such partition.
        """
        if self.partitions_def is None:
            raise InvariantError(f"Job {self.name!r} has no partitions. Return a RunRequest() without one.")
        self.partitions_def.validate_partition_key(
            partition_key, current_time=current_time, dynamic_partitions_store=dynamic_partitions_store
        )
        config = self.partitioned_config
        if config is not None:
            run_config = config.get_run_config_for_partition_key(partition_key) if run_config is None else run_config
            own = config.get_tags_for_partition_key(partition_key, self.name)
        else:
            own = partition_tags(self.partitions_def, partition_key, self.name)
        return RunRequest(
            run_key, run_config, {**(tags or {}), **own}, self.name, asset_selection, partition_key=partition_key
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Jobs cannot be called, nor placed in a graph."""
        raise InvariantError(
            f"Job {self.name!r} was called like a function. Run it with {self.name}.execute_in_process(), or put what "
            "it does into a @graph if another job shall use it."
        )

    def __repr__(self) -> str:
        return f"<job {self.name}>"
