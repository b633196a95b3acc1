"""What a user's function gives: values to store, materializations and check results to record.

A function returns, or yields one by one, raw values, `Output`, `MaterializeResult`, `AssetCheckResult`, or events about
other assets. Each is checked, stored by its IO manager and recorded as soon as it is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle.author.io_contexts import OutputContext
from treadle.author.io_managers import no_io_manager
from treadle.author.observations import DataVersionsByPartition, ObserveResult
from treadle.author.ops import Out
from treadle.author.outcomes import NO_VALUE, AssetCheckResult, DataVersion, DynamicOutput, MaterializeResult, Output
from treadle.core import tags
from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.core.metadata import MetadataValue, normalize
from treadle.errors import (
    CheckFailedError,
    InvariantError,
    StepExecutionError,
    StepOutputNotFoundError,
    TreadleError,
)
from treadle.runtime.inputs import check_data
from treadle.runtime.step_context import StepContext
from treadle.runtime.versions import data_version
from treadle.spec.nodes import OutputSpec
from treadle.state.events import AssetCheckEvaluated, AssetMaterialized, HandledOutput, StepOutput
from treadle.state.facts import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    AssetMaterialization,
    AssetObservation,
    Reported,
    TargetMaterialization,
)
from treadle.state.staleness import INITIAL

_NONE: Mapping[str, MetadataValue] = {}
_REPORTS = (MaterializeResult, AssetCheckResult)


class Outputs:
    """The outputs of one attempt of a step."""

    def __init__(self, context: StepContext) -> None:
        self._context = context
        self._wanted = {output.name: output for output in context.step.outputs}
        self._produced = context.produced
        self._failed_checks: list[AssetCheckKey] = []
        self._mapping_keys: dict[str, dict[str, None]] = {
            output.name: {} for output in context.step.outputs if output.is_dynamic
        }

    def mapping_keys(self) -> dict[str, tuple[str, ...]]:
        """Those of each dynamic output, in order."""
        return {name: tuple(keys) for name, keys in self._mapping_keys.items()}

    # --- taking

    def take_returned(self, returned: Any) -> None:
        """Take what the function returned."""
        if isinstance(
            returned,
            Output | MaterializeResult | ObserveResult | AssetCheckResult | Reported,
        ):
            self.take(returned)
            return
        if self._context.assets_def is not None:
            if returned is None and self._context.must_report and not self._produced:
                raise self._fault(
                    "ran an external process and returned nothing, so what it reported would be lost. Return the "
                    "session's get_results(), or get_materialize_result() of what PipesSubprocessClient.run(...) gives."
                )
            if type(returned) in (tuple, list) and returned and all(isinstance(one, _REPORTS) for one in returned):
                for one in returned:
                    self.take(one)
                return
        if any(output.observes is not None for output in self._context.step.node.outputs):
            self._take_versions(returned)
            return
        values = [output for output in self._wanted.values() if output.check is None]
        if not values:
            if isinstance(returned, tuple | list):
                self._take_several(returned)
            return  # a check that returns a plain value succeeds without an evaluation
        if len(values) == 1 and len(self._context.op_def.outs) - self._check_outputs == 1:
            self._take_value(values[0], returned)
        elif returned is not None:
            self._take_several(returned)

    @property
    def _check_outputs(self) -> int:
        return sum(output.check is not None for output in self._context.step.node.outputs)

    def _take_value(self, output: OutputSpec, value: Any) -> None:
        """Take a raw value for an output."""
        if output.is_dynamic:
            self._take_dynamic_list(output, value)
            return
        out = self._context.op_def.outs[output.name]
        self._produce(output, out, value, None if out.is_nothing else _NONE)

    def _take_several(self, returned: Any) -> None:
        """Take a tuple with a value, or a result, for each output."""
        context = self._context
        if not isinstance(returned, tuple if context.assets_def is None else tuple | list):
            raise self._fault(
                f"has several outputs and returned {type(returned).__name__}. Return a tuple with one item for each, "
                "in order, or yield Output(value, output_name)."
            )
        names = list(self._wanted)
        marked = (Output, MaterializeResult, AssetCheckResult)
        if not all(isinstance(item, marked) for item in returned) and len(returned) != len(context.op_def.outs):
            raise self._fault(
                f"has {len(context.op_def.outs)} outputs ({', '.join(names)}) and returned {len(returned)} values. "
                "Return one for each, in order."
            )
        for name, item in zip([*context.op_def.outs, *[""] * len(returned)], returned, strict=False):
            if isinstance(item, Output):
                if item.output_name == "result" and "result" not in self._wanted:
                    item.output_name = name  # in a tuple, position says which output it is
                elif item.output_name != name and context.assets_def is None:
                    raise self._fault(
                        f"returned Output(..., {item.output_name!r}) in the place of its output {name!r}. Return them "
                        "in order."
                    )
            if isinstance(item, marked):
                self.take(item)
            elif name in self._wanted:
                self._take_value(self._wanted[name], item)

    def take(self, item: Any) -> None:
        """Take one result that the function yielded or returned."""
        if isinstance(item, Output):
            self._take_output(item)
        elif isinstance(item, DynamicOutput):
            self._take_dynamic(item)
        elif isinstance(item, MaterializeResult):
            self._take_materialization(item)
        elif isinstance(item, ObserveResult):
            self._take_observation(item)
        elif isinstance(item, AssetCheckResult):
            self._take_check(item)
        elif isinstance(item, Reported):
            self._context.log_event(item)
        else:
            raise self._fault(
                f"yielded {type(item).__name__} ({item!r:.60}). A function with `yield` yields Output, "
                "MaterializeResult, AssetCheckResult, AssetMaterialization or AssetObservation: wrap a value as "
                "Output(value)."
            )

    def _take_output(self, item: Output[Any]) -> None:
        context = self._context
        output = self._wanted.get(item.output_name)
        if output is None:
            names = ", ".join(context.op_def.outs)
            if item.output_name in context.op_def.outs:
                raise self._fault(
                    f"yielded output {item.output_name!r}, which this run did not select. Yield only what is in "
                    "context.selected_output_names."
                )
            raise self._fault(f"has no output {item.output_name!r}. Its outputs: {names}.")
        if output.is_dynamic:
            raise self._not_dynamic_values(output, item)
        if output.name in self._produced:
            raise self._fault(f"produced output {output.name!r} twice. Produce each output once.")
        out = context.op_def.outs[output.name]
        self._produce(output, out, item.value, item.metadata, item.data_version, item.tags)

    def _take_dynamic(self, item: DynamicOutput[Any]) -> None:
        """Take one value of a dynamic output."""
        context = self._context
        output = self._wanted.get(item.output_name)
        if output is None or not output.is_dynamic:
            dynamic = ", ".join(self._mapping_keys) or "none"
            raise self._fault(
                f"gave a DynamicOutput for {item.output_name!r}, which is none of its dynamic outputs ({dynamic}). "
                "Declare it with DynamicOut, or give an Output."
            )
        keys = self._mapping_keys[output.name]
        if item.mapping_key in keys:
            raise self._fault(
                f"gave two values of its dynamic output {output.name!r} with the mapping key {item.mapping_key!r}. "
                "Each value needs a key of its own."
            )
        keys[item.mapping_key] = None
        out = context.op_def.outs[output.name]
        self._produce(output, out, item.value, item.metadata, mapping_key=item.mapping_key)

    def _take_dynamic_list(self, output: OutputSpec, value: Any) -> None:
        """Take what was returned for a dynamic output: all of its values."""
        if not isinstance(value, list | tuple) or not all(isinstance(item, DynamicOutput) for item in value):
            raise self._not_dynamic_values(output, value)
        for item in value:
            if item.output_name == "result":  # the place in the returned tuple says which output it is
                item.output_name = output.name
            self._take_dynamic(item)

    def _not_dynamic_values(self, output: OutputSpec, value: Any) -> InvariantError:
        return self._fault(
            f"gave {type(value).__name__} for its dynamic output {output.name!r}. Yield a DynamicOutput(value, "
            "mapping_key) for each value, or return a list of them."
        )

    def _take_materialization(self, item: MaterializeResult[Any]) -> None:
        context = self._context
        key = item.asset_key
        if key is None:
            assets = context.step.assets
            if len(assets) != 1 or context.assets_def is None:
                raise self._fault(
                    f"gave a MaterializeResult without asset_key, and this step makes {len(assets)} assets. Say which "
                    "one: MaterializeResult(asset_key=...)."
                )
            key = assets[0]
        output = next((one for one in self._wanted.values() if one.asset == key), None)
        if output is None:
            made = ", ".join(one.to_user_string() for one in context.step.assets) or "none"
            raise self._fault(
                f"gave a MaterializeResult for {key.to_user_string()!r}, which this step does not make. It makes: "
                f"{made}."
            )
        if output.name in self._produced:
            raise self._fault(f"gave two MaterializeResults for {key.to_user_string()!r}. Give one for each asset.")
        metadata = (
            normalize(item.metadata, f"the MaterializeResult of {context.op_def.name!r}") if item.metadata else {}
        )
        out = context.op_def.outs[output.name]
        self._produce(output, out, item.value, metadata, item.data_version, item.tags)
        for result in item.check_results:
            self._take_check(result, key)

    def _take_versions(self, returned: Any) -> None:
        """Take what a function that observes one asset returned, beside results: a version, or one a partition."""
        if isinstance(returned, tuple | list):
            for item in returned:
                self.take(item)
        elif isinstance(returned, DataVersion):
            self._take_observation(ObserveResult(data_version=returned))
        elif isinstance(returned, DataVersionsByPartition):
            output = self._observed(None)
            assert output.observes is not None
            self._produced.add(output.name)
            for partition, version in returned.data_versions_by_partition.items():
                self._observe(output.observes, {}, partition, version, None)
        elif returned is not None or not self._produced:
            raise self._fault(
                f"observes and returned {type(returned).__name__} ({returned!r:.60}). Return DataVersion, "
                "DataVersionsByPartition or ObserveResult."
            )

    def _observed(self, key: AssetKey | None) -> OutputSpec:
        """The output that reports the observation of `key`; of the only one if None."""
        observable = [one for one in self._wanted.values() if one.observes is not None]
        fitting = [one for one in observable if key is None or one.observes == key]
        if len(fitting) != 1:
            known = ", ".join(one.observes.to_user_string() for one in observable if one.observes is not None)
            raise self._fault(
                f"observes {known or 'nothing'}, and gave a result for "
                f"{key.to_user_string() if key is not None else 'one of them'}. Say which one it is for: "
                "ObserveResult(asset_key=...)."
            )
        return fitting[0]

    def _take_observation(self, item: ObserveResult) -> None:
        output = self._observed(item.asset_key)
        key = output.observes
        assert key is not None
        self._produced.add(output.name)
        facts = normalize(item.metadata, f"the ObserveResult of {self._context.op_def.name!r}") if item.metadata else {}
        partitions = self._context.output_partitions(key) if self._context.scope.partitions.is_partitioned else None
        for partition in partitions.keys if partitions is not None else (None,):
            self._observe(key, facts, partition, item.data_version, item.tags)
        for result in item.check_results:
            self._take_check(result, key)

    def _observe(
        self,
        key: AssetKey,
        metadata: dict[str, MetadataValue],
        partition: str | None,
        version: DataVersion | None,
        user_tags: Mapping[str, str] | None,
    ) -> None:
        found = dict(user_tags or {})
        if version is not None:
            found[tags.DATA_VERSION] = version.value
            found[tags.DATA_VERSION_IS_USER_PROVIDED] = "true"
            self._context.scope.versions[key] = version.value
        self._context.log_event(AssetObservation(key, None, metadata, partition, found))

    def _take_check(self, item: AssetCheckResult, asset: AssetKey | None = None) -> None:
        context = self._context
        asset = item.asset_key or asset
        fitting = [
            output
            for output in self._wanted.values()
            if output.check is not None
            and (asset is None or output.check.asset_key == asset)
            and (item.check_name is None or output.check.name == item.check_name)
        ]
        if len(fitting) != 1:
            known = ", ".join(one.to_user_string() for one in context.step.checks) or "none"
            what = "is not clear about its check" if fitting else "is for a check that this step does not evaluate"
            raise self._fault(
                f"gave an AssetCheckResult that {what}. Give asset_key= and check_name= of one of: {known}."
            )
        self._record_check(fitting[0], item)

    def _fault(self, text: str) -> InvariantError:
        """The error about what the function gave: `text` goes on after its name."""
        return InvariantError(f"{self._context.op_def.name!r} {text}{self._context.op_def.where}")

    # --- recording

    def _produce(
        self,
        output: OutputSpec,
        out: Out,
        value: Any,
        metadata: Mapping[str, MetadataValue] | None,
        version: DataVersion | None = None,
        user_tags: Mapping[str, str] | None = None,
        mapping_key: str | None = None,
    ) -> None:
        """Check a value, store it, and record it. `metadata` None: there is no value to store."""
        context = self._context
        scope = context.scope
        self._produced.add(output.name)
        kind = out.dagster_type
        check = kind.finding(value, context) if value is not NO_VALUE and kind.checks else None
        said = None if check is None else check_data(check, output.name)
        if check is not None and not check.success:
            scope.emit(StepOutput(context.step_key, output.name, mapping_key, kind.name, check=said))
            what = f"Asset {output.asset.to_user_string()!r}" if output.asset is not None else f"Output {output.name!r}"
            fix = f"Change the annotation, or what the function returns.{context.op_def.where}"
            raise kind.refusal(f"{what} of {context.op_def.name!r}", value, check, fix)
        added = context.added.get((output.name, mapping_key)) if context.added else None
        facts = {**(metadata or _NONE), **added} if added else (metadata or _NONE)
        scope.emit(StepOutput(context.step_key, output.name, mapping_key, kind.name, dict(facts), said))
        handled: OutputContext | None = None
        if value is not NO_VALUE and not out.is_nothing:
            handled = self._store(output, out, value, facts, mapping_key)
        elif value is not NO_VALUE:
            self._keep(output, value, mapping_key)
        logged = handled.consume_logged_metadata() if handled is not None else _NONE
        if output.asset is not None:
            self._materialized(output.asset, {**facts, **logged} if logged else facts, version, user_tags, output.name)
        if handled is not None:
            for event in handled.get_logged_events():
                context.log_event(event)
            scope.emit(HandledOutput(context.step_key, output.name, out.io_manager_key, dict(logged)))

    def _keep(self, output: OutputSpec, value: Any, mapping_key: str | None) -> None:
        """Remember a value for the result of an execution in process."""
        kept = self._context.scope.outputs
        if kept is None:
            return
        if mapping_key is None:
            kept[self._context.step_key, output.name] = value
        elif len(self._mapping_keys[output.name]) == 1:  # the first: what an earlier attempt gave does not count
            kept[self._context.step_key, output.name] = {mapping_key: value}
        else:
            kept[self._context.step_key, output.name][mapping_key] = value

    def _store(
        self, output: OutputSpec, out: Out, value: Any, facts: Mapping[str, MetadataValue], mapping_key: str | None
    ) -> OutputContext:
        context = self._context
        scope = context.scope
        self._keep(output, value, mapping_key)
        handled = OutputContext(
            context, output.name, asset_key=output.asset, definition_metadata=out.metadata, output_metadata=facts,
            io_manager_key=out.io_manager_key, dagster_type=out.dagster_type, mapping_key=mapping_key,
            config=scope.output_configs.get((context.step.node.handle, output.name)),
        )  # fmt: skip
        try:
            manager = scope.resources.raw[out.io_manager_key]
            if not hasattr(manager, "handle_output"):
                raise no_io_manager(out.io_manager_key, manager, context.op_def.name)
            more = manager.handle_output(handled, value)
            if more is not None:  # the older way: a generator of events and metadata
                _consume(handled, more)
        except TreadleError:
            raise
        except Exception as error:
            raise StepExecutionError(
                f"The IO manager {out.io_manager_key!r} could not store output {output.name!r} of "
                f"{context.op_def.name!r}: {type(error).__name__}: {error}",
                user_exception=error, step_key=context.step_key, op_name=context.op_def.name,
            ) from error  # fmt: skip
        return handled

    def _materialized(
        self,
        key: AssetKey,
        metadata: Mapping[str, MetadataValue],
        version: DataVersion | None,
        user_tags: Mapping[str, str] | None,
        output_name: str,
    ) -> None:
        context = self._context
        scope = context.scope
        partitions = context.output_partitions(key)
        event_tags = self._provenance(key, version)
        if user_tags:
            event_tags.update(user_tags)
        for partition in partitions.keys if partitions is not None else (None,):
            own = context.added.get((output_name, partition)) if context.added and partition is not None else None
            scope.emit(
                AssetMaterialized(
                    AssetMaterialization(key, None, {**metadata, **own} if own else metadata, partition, event_tags),
                    context.step_key,
                )
            )

    def _provenance(self, key: AssetKey, version: DataVersion | None) -> dict[str, str]:
        """The tags that say which code and data a materialization comes from."""
        context = self._context
        scope = context.scope
        spec = context.asset_spec(key)
        code_version = (spec.code_version if spec is not None else None) or scope.run.run_id
        found = {tags.CODE_VERSION: code_version}
        inputs: list[tuple[str, str]] = []
        for source in scope.sources_of(key):
            name = source.to_user_string()
            upstream = scope.version_of(source)
            inputs.append((name, upstream or INITIAL))
            found[tags.INPUT_DATA_VERSION_PREFIX + name] = upstream or INITIAL
            if source in scope.pointers:
                found[tags.INPUT_EVENT_POINTER_PREFIX + name] = str(scope.pointers[source])
        if version is not None:
            found[tags.DATA_VERSION] = version.value
            found[tags.DATA_VERSION_IS_USER_PROVIDED] = "true"
        else:
            found[tags.DATA_VERSION] = data_version(code_version, inputs)
        scope.versions[key] = found[tags.DATA_VERSION]
        return found

    def _record_check(self, output: OutputSpec, item: AssetCheckResult) -> None:
        context = self._context
        scope = context.scope
        assert output.check is not None
        key = output.check
        self._produced.add(output.name)
        scope.emit(StepOutput(context.step_key, output.name))
        blocking = key in context.step.node.blocking
        checks = context.assets_def.check_specs if context.assets_def is not None else ()
        is_partitioned = any(spec.partitions_def is not None for spec in checks if spec.key == key)
        partition = scope.partitions.key if is_partitioned else None
        evaluation = AssetCheckEvaluation(
            key.asset_key, key.name, item.passed, item.metadata, self._target(key.asset_key), item.severity,
            item.description, blocking, partition,
        )  # fmt: skip
        scope.emit(AssetCheckEvaluated(evaluation, context.step_key))
        if blocking and not item.passed and item.severity is AssetCheckSeverity.ERROR:
            self._failed_checks.append(key)

    def _target(self, key: AssetKey) -> TargetMaterialization | None:
        """The materialization that a check looked at: the latest there is."""
        scope = self._context.scope
        scope.sink.commit()
        entry = scope.memory.get_latest_materialization_events([key]).get(key)
        if entry is None or entry.storage_id is None:
            return None
        return TargetMaterialization(entry.storage_id, entry.run_id, entry.timestamp)

    # --- the end

    def finish(self) -> frozenset[str]:
        """See that all that is required was produced. Returns what was left out, as it may be."""
        context = self._context
        if self._failed_checks:
            names = ", ".join(key.to_user_string() for key in self._failed_checks)
            raise CheckFailedError(
                f"Blocking asset checks failed with severity ERROR: {names}. What is downstream of these assets does "
                "not run."
            )
        left_out = []
        specs_only = context.assets_def is not None and self._declared_by_specs
        for name, output in self._wanted.items():
            if name in self._produced:
                continue
            out = context.op_def.outs[name]
            if output.asset is not None and specs_only and not self._is_skippable(output.asset):
                self._produce(output, out, NO_VALUE, _NONE)  # a function with specs need not report each asset
            elif not output.is_required:
                left_out.append(name)
            elif output.is_dynamic:
                continue  # no values are values too
            elif output.check is not None and context.step.assets == () and len(self._wanted) == 1:
                self._warn_of_no_result(output)
            elif out.is_nothing and output.check is None:
                self._produce(output, out, None, None)
            else:
                raise _not_produced(context, output)
        return frozenset(left_out)

    def _warn_of_no_result(self, output: OutputSpec) -> None:
        """A check that returned something else than a result succeeds, as users know it, but not unnoticed."""
        assert output.check is not None
        op = self._context.op_def
        self._context.log.warning(
            f"The check {output.check.to_user_string()} gave no AssetCheckResult, so nothing is recorded and "
            f"nothing is blocked. Return AssetCheckResult(passed=...).{op.where}"
        )

    @property
    def _declared_by_specs(self) -> bool:
        """Whether the function makes its assets itself and only reports on them."""
        definition = self._context.assets_def
        return definition is not None and definition.is_by_specs

    def _is_skippable(self, key: AssetKey) -> bool:
        spec = self._context.asset_spec(key)
        return spec is not None and spec.skippable


def _consume(handled: OutputContext, items: Any) -> None:
    for item in items:
        if isinstance(item, AssetMaterialization | AssetObservation):
            handled.log_event(item)
        elif isinstance(item, Mapping):
            handled.add_output_metadata(item)


def _not_produced(context: StepContext, output: OutputSpec) -> StepOutputNotFoundError:
    what = output.asset or output.check
    name = f"{output.name!r}" + (f" ({what.to_user_string()})" if what is not None else "")
    return StepOutputNotFoundError(
        f"{context.op_def.name!r} did not produce its output {name}. Return or yield it, or declare it with "
        f"is_required=False.{context.op_def.where}",
        step_key=context.step_key,
        output_name=output.name,
    )
