"""Assets that several ops make together: a graph whose outputs are assets.

In a job the graph is dissolved into its ops, each a step `<graph>.<op>`. Between them values go as between any ops;
outputs of the graph are stored, and read by others, as assets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from msgspec import structs

from treadle.author.assets import AssetIn, AssetOut, backfill_policy_of, key_of, spec_of_out
from treadle.author.assets_definition import AssetsDefinition, derived, io_manager_of
from treadle.author.configured import ConfigMapping
from treadle.author.flattening import FlatGraph, flatten
from treadle.author.graphs import GraphDefinition, GraphOut
from treadle.author.ops import DEFAULT_OUTPUT
from treadle.author.signature import decorator, where
from treadle.core.keys import AssetKey, CoercibleToAssetKey
from treadle.core.metadata import IO_MANAGER_KEY
from treadle.core.partitions import PartitionsDefinition
from treadle.errors import DefinitionError
from treadle.spec.assets import AssetCheckSpec, AssetDep, AssetSpec
from treadle.spec.nodes import FromAsset, FromOutput, NodeSpec, OutputSpec
from treadle.spec.policies import AutomationRule, BackfillPolicy


def flattened(definition: AssetsDefinition, handle: str) -> FlatGraph:
    """The ops of a graph that makes assets, at their places in a job, their outputs marked as the assets they are.

    Args:
        definition: assets made by a graph.
        handle: the place of the graph in the job.

    Raises:
        DefinitionError: an input of an op has no source.
    """
    inputs = {name: FromAsset(key) for name, key in definition.keys_by_input_name.items()}
    flat = flatten(definition.node_def, handle, None, handle, inputs)
    marked: dict[tuple[str, str], str] = {(source.node, source.output): name for name, source in flat.outputs.items()}
    keys = definition.keys_by_output_name
    serves: dict[str, set[AssetKey]] = {node.handle: set() for node in flat.nodes}
    upstream = {
        node.handle: [source.node for spec in node.inputs for source in spec.sources if type(source) is FromOutput]
        for node in flat.nodes
    }
    for (node, _), name in marked.items():
        check = definition.check_keys_by_output_name.get(name)
        _trace(node, keys[name] if check is None else check.asset_key, upstream, serves)
    can_subset, everything = definition.can_subset, frozenset(definition.keys)
    served = {node: frozenset(keys) or everything if can_subset else everything for node, keys in serves.items()}
    nodes = tuple(_part(node, definition, marked, served[node.handle]) for node in flat.nodes)
    return FlatGraph(nodes, flat.ops, flat.outputs, flat.inputs, flat.node_hooks, flat.graphs)


def _trace(node: str, key: AssetKey, upstream: Mapping[str, list[str]], serves: dict[str, set[AssetKey]]) -> None:
    """Note that `node`, and all that it gets values from, serve an asset."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if key not in serves[one]:
            serves[one].add(key)
            waiting.extend(upstream[one])


def _part(
    node: NodeSpec, definition: AssetsDefinition, marked: Mapping[tuple[str, str], str], serves: frozenset[AssetKey]
) -> NodeSpec:
    outputs: list[OutputSpec] = []
    for output in node.outputs:
        name = marked.get((node.handle, output.name))
        if name is None:
            outputs.append(output)
            continue
        check = definition.check_keys_by_output_name.get(name)
        asset = definition.keys_by_output_name[name] if check is None else None
        skippable = asset is not None and definition.get_asset_spec(asset).skippable
        outputs.append(
            structs.replace(output, asset=asset, check=check, is_required=output.is_required and not skippable)
        )
    has_check = any(output.check is not None for output in outputs)
    return structs.replace(
        node,
        outputs=tuple(outputs),
        after=definition.after if has_check else (),
        blocking=frozenset(spec.key for spec in definition.check_specs if spec.blocking) if has_check else frozenset(),
        serves=serves,
        can_subset=definition.can_subset,
    )


@decorator("compose_fn")
def graph_asset(
    *,
    name: str | None = None,
    description: str | None = None,
    ins: Mapping[str, AssetIn] | None = None,
    config: ConfigMapping | Mapping[str, Any] | None = None,
    key_prefix: str | Sequence[str] | None = None,
    group_name: str | None = None,
    partitions_def: PartitionsDefinition | None = None,
    hooks: Set[Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    owners: Sequence[str] | None = None,
    automation_condition: AutomationRule | None = None,
    backfill_policy: BackfillPolicy | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    code_version: str | None = None,
    key: CoercibleToAssetKey | None = None,
    kinds: Set[str] | None = None,
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    """Make a function that composes ops an asset: the ops make it together, the last one's value is the asset's.

    Parameters are upstream assets, by name; they are passed on to ops. With `check_specs` the function returns a dict:
    the asset as `result`, and for each check the output of an op that returns an `AssetCheckResult`, under the check's
    `get_python_identifier()`.

    Args:
        config: makes the config of the ops from config of the asset, or fixes it.
        The other arguments are those of `asset`.

    Example:
        @graph_asset
        def report(sales):
            return render(summarize(sales))

    Raises:
        DefinitionError: arguments contradict each other, or the function composes no graph with these outputs.
    """

    def make(fn: Callable[..., Any]) -> AssetsDefinition:
        asset_key = key_of(fn, key, name, key_prefix)
        checks = list(check_specs or ())
        outs = [DEFAULT_OUTPUT, *(check.key.to_python_identifier() for check in checks)]
        graph = GraphDefinition.composed(
            fn, asset_key.to_python_identifier(), description=description, config=config,
            out={output: GraphOut() for output in outs},
        )  # fmt: skip
        keys_by_input, deps = _inputs(graph, ins, fn)
        manager = io_manager_of(graph, DEFAULT_OUTPUT)
        spec = AssetSpec(
            asset_key, deps=deps, description=graph.description, group_name=group_name, code_version=code_version,
            metadata=metadata if manager is None else {**(metadata or {}), IO_MANAGER_KEY: manager},
            automation_condition=automation_condition, owners=owners, tags=tags, kinds=kinds,
            partitions_def=partitions_def,
        )  # fmt: skip
        return derived(
            graph, [spec], keys_by_input, {DEFAULT_OUTPUT: asset_key}, checks, partitions_def=partitions_def,
            backfill_policy=backfill_policy, resource_defs=resource_defs, hook_defs=hooks,
        )  # fmt: skip

    return make


def graph_multi_asset(
    *,
    outs: Mapping[str, AssetOut],
    name: str | None = None,
    ins: Mapping[str, AssetIn] | None = None,
    partitions_def: PartitionsDefinition | None = None,
    hooks: Set[Any] | None = None,
    backfill_policy: BackfillPolicy | None = None,
    group_name: str | None = None,
    can_subset: bool = False,
    resource_defs: Mapping[str, Any] | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    config: ConfigMapping | Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    """Make a function that composes ops several assets: it returns a dict with the output of an op for each.

    Args:
        outs: the assets, by output name.
        can_subset: whether a run may select some of the assets; then only the ops run that these need.
        The other arguments are those of `graph_asset` and `multi_asset`.

    Raises:
        DefinitionError: the function composes no graph with these outputs.
    """

    def make(fn: Callable[..., Any]) -> AssetsDefinition:
        checks = list(check_specs or ())
        outputs = [*outs, *(check.key.to_python_identifier() for check in checks)]
        graph = GraphDefinition.composed(
            fn, name, config=config, out={output: GraphOut() for output in outputs}
        )  # fmt: skip
        keys_by_input, deps = _inputs(graph, ins, fn)
        keys = {output: out.key_for(output) for output, out in outs.items()}
        shared = {"group_name": group_name, "partitions_def": partitions_def}
        specs = []
        for output, out in outs.items():
            spec = spec_of_out(keys[output], out, deps, shared)
            manager = io_manager_of(graph, output)
            specs.append(spec if manager is None else spec.with_io_manager_key(manager))
        return derived(
            graph, specs, keys_by_input, keys, checks, partitions_def=partitions_def, can_subset=can_subset,
            backfill_policy=backfill_policy or backfill_policy_of(outs), resource_defs=resource_defs,
            hook_defs=hooks,
        )  # fmt: skip

    return make


def _inputs(
    graph: GraphDefinition, ins: Mapping[str, AssetIn] | None, fn: Callable[..., Any]
) -> tuple[dict[str, AssetKey], tuple[AssetDep, ...]]:
    """The assets that the inputs of a graph are, and the dependencies on them."""
    given = ins or {}
    for name in given:
        if name not in graph.ins:
            raise DefinitionError(
                f"{fn.__name__!r}: `ins` names {name!r}, and the function has no such parameter. "
                f"Pass it to an op, as a parameter that the function takes.{where(fn)}"
            )
    keys = {name: given[name].key_for(name) if name in given else AssetKey(name) for name in graph.ins}
    mappings = {name: given[name].partition_mapping if name in given else None for name in keys}
    return keys, tuple(AssetDep(key, partition_mapping=mappings[name]) for name, key in keys.items())
