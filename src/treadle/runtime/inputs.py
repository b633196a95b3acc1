"""The values of a step's inputs: read through IO managers, given by config, or left to the function's default."""

from __future__ import annotations

from typing import Any

from treadle.author.assets_definition import default_io_manager_key
from treadle.author.input_config import LoadLater, TypeLoaderContext
from treadle.author.io_contexts import InputContext, OutputContext
from treadle.author.ops import DEFAULT_IO_MANAGER_KEY, In
from treadle.author.types import ANY, TypeCheck
from treadle.core.keys import AssetKey
from treadle.decide.steps import values_of
from treadle.errors import StepExecutionError, TreadleError
from treadle.runtime.step_context import StepContext
from treadle.spec.nodes import FromAsset, FromConfig, FromOutput, FromRunInput, InputSpec, Source
from treadle.state.events import AssetObserved, LoadedInput, StepInput, TypeCheckData

_LEFT_OUT: Any = object()


def load_inputs(context: StepContext) -> dict[str, Any]:
    """The arguments for the user's function that come from inputs."""
    arguments: dict[str, Any] = {}
    for spec in context.step.node.inputs:
        if spec.is_nothing:
            continue
        definition = context.op_def.ins[spec.name]
        if not spec.sources and not spec.is_list:
            value: Any = _from_manager(context, spec.name, definition)
        elif spec.is_list or len(spec.sources) != 1:
            values = [_load(context, spec, definition, source) for source in spec.sources]
            value = [one for one in values if one is not _LEFT_OUT]
        else:
            value = _load(context, spec, definition, spec.sources[0])
            if value is _LEFT_OUT:
                continue
        kind = definition.type or ANY
        check = kind.finding(value, context) if kind.checks else None
        said = None if check is None else check_data(check, spec.name)
        context.scope.emit(StepInput(context.step_key, spec.name, kind.name, check=said))
        if check is not None and not check.success:
            fix = f"Change the annotation, or what is upstream.{context.op_def.where}"
            raise kind.refusal(f"Input {spec.name!r} of {context.op_def.name!r}", value, check, fix)
        arguments[spec.name] = value
    return arguments


def check_data(check: TypeCheck, label: str) -> TypeCheckData:
    """What a check said, as events have it."""
    return TypeCheckData(check.success, label, check.description, dict(check.metadata))


def _load(context: StepContext, spec: InputSpec, definition: In, source: Source) -> Any:
    if type(source) is FromAsset:
        return _from_asset(context, spec, definition, source.key)
    if type(source) is FromOutput:
        return _from_output(context, spec, definition, source)
    if type(source) is FromConfig and (key := (source.node, source.input)) in context.scope.inputs:
        return _loaded(context, context.scope.inputs[key])
    if type(source) is FromRunInput and source.name in context.scope.input_values:
        return _loaded(context, context.scope.input_values[source.name])
    return definition.default_value if definition.has_default_value else _LEFT_OUT


def _loaded(context: StepContext, value: Any) -> Any:
    """A value from run config; that of a type with a loader is made now."""
    return value.load(TypeLoaderContext(context, value.loader)) if type(value) is LoadLater else value


def _from_manager(context: StepContext, name: str, definition: In) -> Any:
    """A value that nothing in the job makes: its input manager knows where it is."""
    key = definition.asset_key if isinstance(definition.asset_key, AssetKey) else None
    return _read(context, name, definition, definition.input_manager_key or DEFAULT_IO_MANAGER_KEY, key, None, None)


def _from_output(context: StepContext, spec: InputSpec, definition: In, source: FromOutput) -> Any:
    """The value of another node's output: skipped ones are left out of lists."""
    scope = context.scope
    out = scope.job.ops[source.node].outs[source.output]
    manager_key = definition.input_manager_key or out.io_manager_key
    asset = scope.asset_of(source.node, source.output)
    values: list[Any] = []
    for step_key, mapping_key in values_of(scope.whole.steps, scope.mapping_keys, source, context.step.mapped):
        if (source.collect or len(spec.sources) > 1) and (step_key, source.output) in scope.left_out:
            continue
        upstream = OutputContext(
            context, source.output, asset_key=asset, definition_metadata=out.metadata,
            io_manager_key=out.io_manager_key, dagster_type=out.dagster_type, step_key=step_key,
            run_id=scope.source_run(step_key), mapping_key=mapping_key,
        )  # fmt: skip
        made = FromOutput(step_key, source.output)
        values.append(_read(context, spec.name, definition, manager_key, asset, upstream, made))
    if source.collect:
        return values
    return values[0] if values else _LEFT_OUT


def _from_asset(context: StepContext, spec: InputSpec, definition: In, key: AssetKey) -> Any:
    """The value of an asset, made in this run or before."""
    scope = context.scope
    producer = scope.plan.producers.get(key)
    if producer is not None:
        out = scope.job.ops[scope.plan.steps[producer[0]].node.handle].outs[producer[1]]
        manager_key, metadata = out.io_manager_key, out.metadata
    else:
        out = None
        declared = context.asset_spec(key)
        manager_key = default_io_manager_key(declared) if declared is not None else DEFAULT_IO_MANAGER_KEY
        metadata = declared.metadata if declared is not None else {}
    upstream = OutputContext(
        context, producer[1] if producer else "result", asset_key=key, definition_metadata=metadata,
        io_manager_key=manager_key, dagster_type=out.dagster_type if out else ANY,
        step_key=producer[0] if producer else key.to_python_identifier(),
    )  # fmt: skip
    source = FromOutput(*producer) if producer is not None else None
    return _read(context, spec.name, definition, definition.input_manager_key or manager_key, key, upstream, source)


def _read(
    context: StepContext,
    name: str,
    definition: In,
    manager_key: str,
    key: AssetKey | None,
    upstream: OutputContext | None,
    source: FromOutput | None,
) -> Any:
    manager = context.scope.resources.raw[manager_key]
    input_context = InputContext(
        context, name, asset_key=key, definition_metadata=definition.metadata, upstream=upstream,
        io_manager_key=manager_key, dagster_type=definition.dagster_type,
        config=context.scope.inputs.get((context.step.node.handle, name)) if definition.input_manager_key else None,
    )  # fmt: skip
    try:
        value = manager.load_input(input_context)
    except TreadleError:
        raise
    except Exception as error:
        what = (
            f"asset {key.to_user_string()!r}" if key is not None else f"the output of {source.node if source else ''!r}"
        )
        raise StepExecutionError(
            f"The IO manager {manager_key!r} could not load {what} for input {name!r} of {context.op_def.name!r}: "
            f"{type(error).__name__}: {error}",
            user_exception=error, step_key=context.step_key, op_name=context.op_def.name,
        ) from error  # fmt: skip
    for observation in input_context.get_observations():
        context.scope.emit(AssetObserved(observation, context.step_key))
    logged = input_context.consume_logged_metadata()
    output, node = (source.output, source.node) if source else (None, None)
    context.scope.emit(LoadedInput(context.step_key, name, manager_key, output, node, dict(logged)))
    return value
