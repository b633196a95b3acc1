"""Calling an op or asset like a function, as tests do: no run, no events, the user's function with what it asks for."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence, Set
from typing import Any

from treadle.author import port
from treadle.author.assets_definition import AssetsDefinition
from treadle.author.checks import AssetChecksDefinition
from treadle.author.config_types import is_config_class
from treadle.author.contexts import AssetCheckExecutionContext, AssetExecutionContext, OpExecutionContext
from treadle.author.ops import OpDefinition
from treadle.author.outcomes import AssetCheckResult, DynamicOutput, Output
from treadle.author.resources import Resources, resources_by_hand
from treadle.author.types import ANY
from treadle.core.keys import AssetKey
from treadle.core.metadata import MetadataValue, normalize
from treadle.core.subsets import PartitionKeyRange
from treadle.errors import InvariantError, InvocationError, UnknownResourceError
from treadle.spec import config as schemas
from treadle.state.facts import Reported
from treadle.state.runs import Run

EPHEMERAL = "EPHEMERAL"


class DirectStep:
    """The step behind a context that was built by hand. It becomes one of an op when it is first given to it."""

    def __init__(
        self,
        resources: Mapping[str, Any] | None = None,
        config: Any = None,
        instance: Any = None,
        partition_key: str | None = None,
        partition_range: PartitionKeyRange | None = None,
        mapping_key: str | None = None,
        run_tags: Mapping[str, str] | None = None,
    ) -> None:
        if partition_key is not None and partition_range is not None:
            raise InvocationError("Give partition_key or partition_key_range to a context, not both.")
        self.run = Run(job_name=EPHEMERAL, run_id=EPHEMERAL, tags=dict(run_tags or {}))
        self.given_resources = resources or {}
        self.given_config = config
        self.op_config: Any = config
        self.retry_number = 0
        self.must_report = False
        self.step_key = EPHEMERAL
        self.mapping_key = mapping_key
        self.job_def = None
        self.log = logging.getLogger("treadle.user")
        self.events: list[Reported] = []
        self.metadata: dict[str, dict[str, MetadataValue]] = {}
        self._instance = instance
        self._partition_key = partition_key
        self._range = partition_range
        self._op: OpDefinition | None = None
        self.assets_def: AssetsDefinition | None = None
        self._resources: Resources | None = None

    def bind(self, op: OpDefinition, assets_def: AssetsDefinition | None) -> None:
        """Be the step of this op."""
        self._op, self.assets_def, self.step_key = op, assets_def, op.name
        if op.has_config:
            self.op_config = _config_from_hand(op, self.given_config)
        missing = (
            op.required_resource_keys
            - self.given_resources.keys()
            - (assets_def.resource_defs.keys() if assets_def is not None else set())
        )
        if missing:
            key = min(missing)
            raise UnknownResourceError(
                f"{op.name!r} needs a resource {key!r}. Give it to the context: "
                f"build_op_context(resources={{{key!r}: ...}}), or as an argument.{op.where}"
            )

    @property
    def op_def(self) -> OpDefinition:
        if self._op is None:
            raise InvariantError("This context belongs to no op yet. Call an op or asset with it first.")
        return self._op

    @property
    def instance(self) -> Any:
        if self._instance is None:
            self._instance = port.call("Instance").ephemeral()
        return self._instance

    @property
    def resources(self) -> Any:
        if self._resources is None:
            bound = self.assets_def.resource_defs if self.assets_def is not None else {}
            self._resources = resources_by_hand({**bound, **self.given_resources}, self._instance)
        return self._resources

    @property
    def selected_outputs(self) -> Set[str]:
        return set(self.op_def.outs)

    def partition_keys(self) -> Sequence[str] | None:
        if self._range is not None:
            definition = self.run_partitions_def()
            if definition is None:
                raise InvariantError("This context has a partition range, and the asset no partitions to list it with.")
            return definition.get_partition_keys_in_range(self._range, dynamic_partitions_store=self._instance)
        return [self._partition_key] if self._partition_key is not None else None

    def partition_range(self) -> PartitionKeyRange | None:
        return self._range

    def run_partitions_def(self) -> Any:
        return self.assets_def.partitions_def if self.assets_def is not None else None

    def input_partition_keys(self, input_name: str) -> Sequence[str]:
        raise InvariantError("A context built by hand does not know upstream partitions. Run it with materialize().")

    def input_partitions_def(self, input_name: str) -> Any:
        raise InvariantError("A context built by hand does not know upstream partitions. Run it with materialize().")

    def log_event(self, event: Reported) -> None:
        self.events.append(event)

    def add_output_metadata(
        self, metadata: Mapping[str, Any], output_name: str | None, mapping_key: str | None
    ) -> None:
        name = output_name or next(iter(self.op_def.outs))
        if name not in self.op_def.outs:
            raise InvariantError(f"{self.op_def.name!r} has no output {name!r}.")
        self.metadata.setdefault(name, {}).update(normalize(metadata, f"output {name!r}"))

    def add_asset_metadata(
        self, metadata: Mapping[str, Any], asset_key: AssetKey | None, partition_key: str | None
    ) -> None:
        self.add_output_metadata(metadata, None, None)


class _BuiltContext:
    """What a context built by hand has beside: what the function reported."""

    _step: DirectStep

    def get_events(self) -> Sequence[Reported]:
        """The events that the function logged."""
        return self._step.events

    def get_output_metadata(self, output_name: str, mapping_key: str | None = None) -> Mapping[str, Any] | None:
        """The metadata that the function added to an output, as plain values."""
        found = self._step.metadata.get(output_name)
        return {key: value.value for key, value in found.items()} if found is not None else None

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        self._step._resources = None  # generator resources end with their last reader


class DirectOpExecutionContext(_BuiltContext, OpExecutionContext):
    """An op context built by hand."""


class DirectAssetExecutionContext(_BuiltContext, AssetExecutionContext):
    """An asset context built by hand."""


class DirectAssetCheckExecutionContext(_BuiltContext, AssetCheckExecutionContext):
    """An asset check context built by hand."""


def build_op_context(
    resources: Mapping[str, Any] | None = None,
    op_config: Any = None,
    resources_config: Mapping[str, Any] | None = None,
    instance: Any = None,
    config: Any = None,
    partition_key: str | None = None,
    partition_key_range: PartitionKeyRange | None = None,
    mapping_key: str | None = None,
    run_tags: Mapping[str, str] | None = None,
    event_loop: Any = None,
) -> DirectOpExecutionContext:
    """A context to call an op with in a test.

    Args:
        resources: by key: definitions, configurable resources or plain objects.
        op_config, config: the config of the op; give one of the two.
        resources_config: config of the resources, as under `resources` in run config.
        instance: what `context.instance` is; by default one in memory.
        partition_key, partition_key_range: the partition, or the range of partitions.
        mapping_key: the key of the dynamic output.
        run_tags: tags of the run.
        event_loop: accepted for compatibility; an async op returns a coroutine for the caller to await.

    Raises:
        InvocationError: arguments contradict each other.
    """
    if op_config is not None and config is not None:
        raise InvocationError("build_op_context: give op_config or config, not both.")
    chosen = config if config is not None else op_config
    bound = _with_config(resources, resources_config)
    step = DirectStep(bound, chosen, instance, partition_key, partition_key_range, mapping_key, run_tags)
    return DirectOpExecutionContext(step)


def build_asset_context(
    resources: Mapping[str, Any] | None = None,
    resources_config: Mapping[str, Any] | None = None,
    asset_config: Mapping[str, Any] | None = None,
    instance: Any = None,
    partition_key: str | None = None,
    partition_key_range: PartitionKeyRange | None = None,
    run_tags: Mapping[str, str] | None = None,
    event_loop: Any = None,
) -> DirectAssetExecutionContext:
    """A context to call an asset with in a test. Arguments as for `build_op_context`."""
    bound = _with_config(resources, resources_config)
    step = DirectStep(bound, asset_config, instance, partition_key, partition_key_range, run_tags=run_tags)
    return DirectAssetExecutionContext(step)


def build_asset_check_context(
    resources: Mapping[str, Any] | None = None,
    resources_config: Mapping[str, Any] | None = None,
    asset_config: Mapping[str, Any] | None = None,
    instance: Any = None,
) -> DirectAssetCheckExecutionContext:
    """A context to call an asset check with in a test. Arguments as for `build_op_context`."""
    return DirectAssetCheckExecutionContext(
        DirectStep(_with_config(resources, resources_config), asset_config, instance)
    )


def _with_config(resources: Mapping[str, Any] | None, config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return {
        key: value.configured(config[key]["config"]) if config and key in config else value
        for key, value in (resources or {}).items()
    }


def _config_from_hand(op: OpDefinition, given: Any) -> Any:
    """Config that a test gave: an object as it is, plain data checked first.

    Raises:
        ConfigError: it does not fit.
    """
    if is_config_class(op.config_class) and isinstance(given, op.config_class):
        return given
    field = op.config_field.field
    value = given if given is not None else field.default if field.default is not schemas.UNSET else {}
    resolved = schemas.resolve(field.schema, value, env=os.environ, what=f"the config of {op.name!r}")
    return op.build_config(op.resolve_config(resolved), repr(op.name), ("ops", op.name, "config"))


def invoke_op(op: OpDefinition, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Call an op's function."""
    return _invoke(op, None, args, kwargs)


def invoke_assets(definition: AssetsDefinition, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Call the function of an asset, several assets or a check."""
    return _invoke(definition.op, definition, args, kwargs)


def _invoke(op: OpDefinition, assets: AssetsDefinition | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    signature = op.signature
    given = list(args)
    named = dict(kwargs)
    context = named.pop(signature.context, None) if signature.context is not None else None
    if context is None and given and isinstance(given[0], OpExecutionContext):
        context = given.pop(0)
    elif context is None and signature.context is not None and given and given[0] is None:
        given.pop(0)  # None in place of a context that the function does not use
        context = build_op_context() if assets is None else build_asset_context()
    if context is None and signature.context is not None:
        raise InvocationError(
            f"The function of {op.name!r} takes a context. Call it with one: build_op_context() or "
            f"build_asset_context().{op.where}"
        )
    given = _inputs_by_position(op, given, named)
    step = context._step if isinstance(context, OpExecutionContext) else _plain_step(op, named)
    if isinstance(step, DirectStep):
        from_arguments = {key: named[key] for key in op.resource_args if key in named}
        step.given_resources = {**step.given_resources, **from_arguments}
        if "config" in named:
            step.given_config = named["config"]
        step.bind(op, assets)
    arguments = _arguments(op, given, named, step)
    bound = _retyped(context, assets) if context is not None else None
    result = op.fn(*((bound,) if signature.context is not None else ()), **arguments)
    if assets is None:
        if inspect.isgenerator(result):
            return _each(op, result)
        if inspect.isasyncgen(result):
            return _each_async(op, result)
        if inspect.iscoroutine(result):
            return _awaited(op, result)
    elif signature.is_generator or signature.is_async:
        return result
    return _checked(op, result, assets is None)


def _inputs_by_position(op: OpDefinition, given: list[Any], named: dict[str, Any]) -> list[Any]:
    """The positional arguments that are inputs. Config and resources, where they are among them, go to `named`."""
    is_config = [is_config_class(op.config_class) and isinstance(value, op.config_class) for value in given]
    if len(given) <= len(op.ins) and not any(is_config):
        return given
    names = [name for name in op.signature.names if name in op.ins or name in op.resource_args or name == "config"]
    if len(given) > len(names):
        return given
    by_name = dict(zip(names, given, strict=False))
    named.update({name: value for name, value in by_name.items() if name not in op.ins})
    return [value for name, value in by_name.items() if name in op.ins]


def _plain_step(op: OpDefinition, named: Mapping[str, Any]) -> DirectStep:
    resources = {op.resource_args[name]: value for name, value in named.items() if name in op.resource_args}
    return DirectStep(resources, named.get("config"))


def _retyped(context: OpExecutionContext, assets: AssetsDefinition | None) -> OpExecutionContext:
    """An asset function gets an asset context, also where the test built an op context."""
    if assets is None or isinstance(context, AssetExecutionContext | AssetCheckExecutionContext):
        return context
    cls = DirectAssetCheckExecutionContext if isinstance(assets, AssetChecksDefinition) else DirectAssetExecutionContext
    return cls(context._step)


def _arguments(op: OpDefinition, given: list[Any], named: dict[str, Any], step: Any) -> dict[str, Any]:
    names = [name for name in op.signature.names if name in op.ins or name == "config" or name in op.resource_args]
    inputs = [name for name in names if name in op.ins]
    if len(given) > len(inputs):
        raise InvocationError(
            f"{op.name!r} takes {len(inputs)} inputs ({', '.join(inputs) or 'none'}) and was called with {len(given)}."
            f"{op.where}"
        )
    unknown = named.keys() - set(names) - op.ins.keys()
    if unknown:
        raise InvocationError(f"{op.name!r} has no input {min(unknown)!r}. Its inputs: {', '.join(inputs)}.{op.where}")
    arguments = dict(zip(inputs, given, strict=False))
    for name in op.ins:
        definition = op.ins[name]
        if definition.is_nothing:
            named.pop(name, None)
            continue
        if name in named:
            if name in arguments:
                raise InvocationError(f"{op.name!r} was called with two values for input {name!r}.{op.where}")
            arguments[name] = named[name]
        elif name not in arguments:
            if not definition.has_default_value:
                raise InvocationError(f"{op.name!r} was called without a value for input {name!r}.{op.where}")
            arguments[name] = definition.default_value
        kind = definition.type or ANY
        if kind.checks and (wrong := kind.failure(arguments[name])) is not None:
            raise kind.refusal(f"Input {name!r} of {op.name!r}", arguments[name], wrong, f"Give another.{op.where}")
    if op.config_class is not None:
        arguments["config"] = step.op_config
    for name, key in op.resource_args.items():
        arguments[name] = named[name] if name in named else step.resources._values[key]
    return arguments


def _checked(op: OpDefinition, result: Any, is_op: bool = True) -> Any:
    """The result of a function, if it is what the op declares.

    Raises:
        InvariantError: it is not a tuple with one item for each of several outputs, in their order.
        TypeCheckError: a value is of another type than its output.
    """
    if len(op.outs) == 1:
        ((name, out),) = op.outs.items()
        is_raw = isinstance(result, Output) or type(result).__module__ != "treadle.author.outcomes"
        if not out.is_dynamic and is_raw:
            _check_output(op, name, result)
    elif is_op and not (result is None and all(out.is_nothing for out in op.outs.values())):
        if not isinstance(result, tuple) or len(result) != len(op.outs):
            raise InvariantError(
                f"{op.name!r} has outputs {', '.join(op.outs) or 'none'}, and returned {result!r}. Return a tuple with "
                f"one item for each, in order, or yield Output(value, output_name).{op.where}"
            )
        for name, item in zip(op.outs, result, strict=True):
            if not op.outs[name].is_dynamic:
                _check_output(op, name, item)
    return result


def _check_output(op: OpDefinition, name: str, item: Any) -> None:
    if isinstance(item, Output) and item.output_name not in (name, "result"):
        raise InvariantError(
            f"{op.name!r} returned Output(..., {item.output_name!r}) in the place of its output {name!r}.{op.where}"
        )
    value = item.value if isinstance(item, Output | DynamicOutput) else item
    kind = op.outs[name].dagster_type
    if kind.checks and (wrong := kind.failure(value)) is not None:
        raise kind.refusal(f"What {op.name!r} gives", value, wrong, f"Change the annotation or it.{op.where}")


class _Yielded:
    """What an op has yielded so far: each output once, a dynamic one once for each key, and none left out."""

    def __init__(self, op: OpDefinition) -> None:
        self._op = op
        self._seen: set[tuple[str, str | None]] = set()

    def take(self, item: Any) -> Any:
        """The item, if the op may yield it."""
        if isinstance(item, Output | DynamicOutput):
            name = item.output_name
            key = name, item.mapping_key if isinstance(item, DynamicOutput) else None
            out = self._op.outs.get(name)
            if out is None or key in self._seen or out.is_dynamic is not isinstance(item, DynamicOutput):
                raise InvariantError(
                    f"{self._op.name!r} yielded {item!r}. Yield each of its outputs ({', '.join(self._op.outs)}) once, "
                    f"a dynamic one as DynamicOutput(value, mapping_key).{self._op.where}"
                )
            self._seen.add(key)
            _check_output(self._op, name, item)
        elif not isinstance(item, Reported | AssetCheckResult):
            raise InvariantError(f"{self._op.name!r} yielded {item!r}. Yield Output(value).{self._op.where}")
        return item

    def end(self) -> None:
        """Be sure that nothing is missing."""
        names = {name for name, _ in self._seen}
        for name, out in self._op.outs.items():
            if name not in names and out.is_required and not out.is_dynamic and not out.is_nothing:
                raise InvariantError(f"{self._op.name!r} did not yield its output {name!r}.{self._op.where}")


def _each(op: OpDefinition, items: Iterator[Any]) -> Iterator[Any]:
    yielded = _Yielded(op)
    for item in items:
        yield yielded.take(item)
    yielded.end()


async def _each_async(op: OpDefinition, items: AsyncIterator[Any]) -> AsyncIterator[Any]:
    yielded = _Yielded(op)
    async for item in items:
        yield yielded.take(item)
    yielded.end()


async def _awaited(op: OpDefinition, result: Awaitable[Any]) -> Any:
    return _checked(op, await result)
