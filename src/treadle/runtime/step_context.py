"""What a step's contexts read and write: the ports of `author`, filled for one attempt of one step."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence, Set
from typing import Any

from treadle.author.checks import AssetChecksDefinition
from treadle.author.contexts import AssetCheckExecutionContext, AssetExecutionContext, OpExecutionContext
from treadle.author.io_contexts import AssetPartitions
from treadle.author.resources import Resources
from treadle.core.keys import AssetKey
from treadle.core.metadata import MetadataValue, normalize
from treadle.core.subsets import PartitionKeyRange
from treadle.decide.steps import Step
from treadle.errors import InvariantError, InvocationError
from treadle.runtime.limits import Limit
from treadle.runtime.log import step_logger
from treadle.runtime.run import RunScope
from treadle.spec.assets import AssetSpec
from treadle.state.events import reported
from treadle.state.facts import Reported


class StepContext:
    """One attempt of a step.

    Attributes:
        added: metadata that the function added through its context, by output and, for assets, partition.
        produced: the outputs that were produced.
        must_report: whether an external process reports what was made, so that to return nothing is a mistake.
    """

    __slots__ = (
        "_context", "_log", "_resources", "added", "assets_def", "limit", "mapping_key", "must_report", "op_config",
        "op_def", "produced", "retry_number", "scope", "step", "step_key",
    )  # fmt: skip

    def __init__(self, scope: RunScope, step: Step, attempt: int) -> None:
        self.scope = scope
        self.step = step
        self.step_key = step.key
        self.op_def = scope.job.ops[step.node.handle]
        self.assets_def = scope.job.assets.get(step.node.handle)
        self.op_config: Any = None
        self.retry_number = attempt - 1
        self.mapping_key = step.mapping_key
        self.limit: Limit | None = None
        self.added: dict[tuple[str, str | None], dict[str, MetadataValue]] = {}
        self.produced: set[str] = set()
        self.must_report = False
        self._context: OpExecutionContext | None = None
        self._log: logging.Logger | None = None
        self._resources: Resources | None = None

    # --- for every context

    @property
    def run(self) -> Any:
        return self.scope.run

    @property
    def run_id(self) -> str:
        return self.scope.run.run_id

    @property
    def job_name(self) -> str:
        return self.scope.run.job_name

    @property
    def job_def(self) -> Any:
        return self.scope.job

    @property
    def instance(self) -> Any:
        return self.scope.memory

    @property
    def log(self) -> logging.Logger:
        if self._log is None:
            self._log = step_logger(self.scope.emit, self.step_key, self.scope.log_level)
        return self._log

    @property
    def resources(self) -> Resources:
        if self._resources is None:
            self._resources = self.scope.resources.subset(self.op_def.required_resource_keys)
        return self._resources

    def resources_for(self, keys: Set[str]) -> Resources:
        return self.scope.resources.subset(keys)

    def resources_of(self, key: str) -> Resources:
        return self.scope.resources.required_by(key)

    def resource_config(self, key: str) -> Any:
        return self.scope.resources.config(key)

    @property
    def step_context(self) -> OpExecutionContext:
        """The context that the user's function gets."""
        if self._context is None:
            cls = OpExecutionContext
            if isinstance(self.assets_def, AssetChecksDefinition):
                cls = AssetCheckExecutionContext
            elif self.assets_def is not None:
                cls = AssetExecutionContext
            self._context = cls(self)
        return self._context

    # --- partitions

    @property
    def has_partition_key(self) -> bool:
        return self.scope.partitions.key is not None

    @property
    def partition_key(self) -> str:
        return self.step_context.partition_key

    def partition_keys(self) -> Sequence[str] | None:
        partitions = self.scope.partitions
        if not partitions.is_partitioned:
            return None
        definition = self.run_partitions_def()
        if definition is not None:
            return partitions.of(definition).keys
        if partitions.key is not None:
            return [partitions.key]
        raise InvariantError(
            f"The run is for a range of partitions, and {self.op_def.name!r} has no partitions definition to list them."
        )

    def partition_range(self) -> PartitionKeyRange | None:
        partitions = self.scope.partitions
        return None if partitions.key is not None else partitions.range

    def run_partitions_def(self) -> Any:
        own = self.assets_def.partitions_def if self.assets_def is not None else None
        return own or self.scope.job.partitions_def

    def output_partitions(self, asset_key: AssetKey) -> AssetPartitions | None:
        spec = self.asset_spec(asset_key)
        return None if spec is None or spec.partitions_def is None else self.scope.partitions.of(spec.partitions_def)

    def input_partitions(self, input_name: str, asset_key: AssetKey) -> AssetPartitions | None:
        upstream = self.asset_spec(asset_key)
        if upstream is None or upstream.partitions_def is None:
            return None
        spec = self._own_spec(asset_key)
        own = spec if spec is not None else self.assets_def
        return self.scope.partitions.upstream(spec, own.partitions_def if own is not None else None, upstream)

    def _own_spec(self, upstream: AssetKey) -> AssetSpec | None:
        """The spec of this step's asset that depends on `upstream`; any of its assets if none does."""
        specs = self.assets_def.specs if self.assets_def is not None else ()
        for spec in specs:
            if any(dep.asset_key == upstream for dep in spec.deps):
                return spec
        return specs[0] if specs else None

    def input_partition_keys(self, input_name: str) -> Sequence[str]:
        found = self.input_partitions(input_name, self.step_context.asset_key_for_input(input_name))
        return found.keys if found is not None else []

    def input_partitions_def(self, input_name: str) -> Any:
        return self.partitions_def(self.step_context.asset_key_for_input(input_name))

    def partitions_def(self, asset_key: AssetKey) -> Any:
        spec = self.asset_spec(asset_key)
        return spec.partitions_def if spec is not None else None

    def asset_spec(self, asset_key: AssetKey) -> AssetSpec | None:
        layer = self.scope.layer
        return layer.specs.get(asset_key) if layer is not None else None

    # --- what the function was asked for, and what it reports

    @property
    def selected_outputs(self) -> Set[str]:
        return {output.name for output in self.step.outputs}

    def log_event(self, event: Reported) -> None:
        self.scope.emit(reported(event, self.step_key))

    def add_output_metadata(
        self, metadata: Mapping[str, Any], output_name: str | None, mapping_key: str | None
    ) -> None:
        names = [output.name for output in self.step.outputs]
        if output_name is None:
            if len(names) != 1:
                raise InvocationError(
                    f"{self.op_def.name!r} has several outputs, so add_output_metadata needs output_name=: one of "
                    f"{', '.join(names)}."
                )
            output_name = names[0]
        elif output_name not in names:
            raise InvocationError(
                f"{self.op_def.name!r} has no output {output_name!r} to add metadata to. It has: {', '.join(names)}."
            )
        self._add(output_name, mapping_key, metadata)

    def add_asset_metadata(
        self, metadata: Mapping[str, Any], asset_key: AssetKey | None, partition_key: str | None
    ) -> None:
        key = asset_key if asset_key is not None else self.step_context.asset_key
        self._add(self.step_context.output_for_asset_key(key), partition_key, metadata)

    def _add(self, output: str, part: str | None, metadata: Mapping[str, Any]) -> None:
        if output in self.produced and not self.op_def.outs[output].is_dynamic:
            raise InvariantError(
                f"{self.op_def.name!r} adds metadata to output {output!r} after it was produced. Add it before, or "
                f"give it with the output: Output(value, metadata=...).{self.op_def.where}"
            )
        found = self.added.setdefault((output, part), {})
        found.update(normalize(metadata, f"the metadata that {self.op_def.name!r} adds"))
