"""Jobs over a selection of assets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from treadle.author.asset_layer import AssetLayer
from treadle.author.assets_definition import AssetsDefinition
from treadle.author.binding import bound_resources
from treadle.author.flattening import GraphPlace
from treadle.author.graph_assets import flattened
from treadle.author.jobs import JobDefinition
from treadle.author.ops import OpDefinition
from treadle.core.keys import IMPLICIT_JOB, AssetCheckKey, AssetKey, check_name
from treadle.core.partitions import PartitionsDefinition
from treadle.core.tags import run_tags as checked_tags
from treadle.errors import DefinitionError
from treadle.spec.nodes import NodeSpec
from treadle.spec.policies import AutomationRule, check_types
from treadle.spec.retry import RetryPolicy
from treadle.spec.selection import AssetSelection


class UnresolvedAssetJobDefinition:
    """A job over assets, named before the assets are put together. Made by `define_asset_job`."""

    def __init__(self, name: str, selection: AssetSelection, **options: Any) -> None:
        self.name = name
        self.selection = selection
        self.options = options

    @property
    def partitions_def(self) -> PartitionsDefinition | None:
        """The partitions it was declared with."""
        return self.options.get("partitions_def")

    @property
    def automation_condition(self) -> AutomationRule | None:
        """When it should run without being asked."""
        return self.options.get("automation_condition")

    def resolve(self, layer: AssetLayer, resource_defs: Mapping[str, Any], **defaults: Any) -> JobDefinition:
        """The job, over these assets."""
        return asset_job(self.name, layer, resource_defs, self.selection, **{**defaults, **self.options})

    def __repr__(self) -> str:
        return f"<asset job {self.name}: {self.selection}>"


def define_asset_job(
    name: str,
    selection: Any = None,
    config: Any = None,
    description: str | None = None,
    tags: Mapping[str, object] | None = None,
    run_tags: Mapping[str, object] | None = None,
    metadata: Mapping[str, Any] | None = None,
    partitions_def: PartitionsDefinition | None = None,
    executor_def: Any = None,
    hooks: Set[Any] | None = None,
    op_retry_policy: RetryPolicy | None = None,
    owners: Any = None,
    automation_condition: AutomationRule | None = None,
) -> UnresolvedAssetJobDefinition:
    """A job that materializes a selection of assets. Give it to `Definitions(jobs=[...])`.

    Args:
        name: the job's name.
        selection: what it materializes: an `AssetSelection`, a selection string, keys or definitions; everything by
            default.
        config: run config, as a dict, `RunConfig`, or a function of the partition.
        tags, run_tags: tags of the job and of its runs; `tags` go to both unless `run_tags` is given.
        partitions_def: its partitions; inferred from its assets by default.
        op_retry_policy: for ops without a policy of their own.
        automation_condition: when it should run without being asked.

    Raises:
        DefinitionError: the name is invalid, or an argument is of the wrong type.
        SelectionError: the selection cannot be read.
    """
    check_types(
        f"job {name!r}", partitions_def=partitions_def, op_retry_policy=op_retry_policy,
        automation_condition=automation_condition,
    )  # fmt: skip
    chosen = AssetSelection.all() if selection is None else AssetSelection.from_coercible(selection)
    options = {
        "config": config, "description": description, "tags": checked_tags(tags, f"job {name!r}"),
        "run_tags": checked_tags(run_tags, f"job {name!r}") if run_tags is not None else None, "metadata": metadata,
        "partitions_def": partitions_def, "executor_def": executor_def, "hook_defs": hooks,
        "op_retry_policy": op_retry_policy, "owners": owners, "automation_condition": automation_condition,
    }  # fmt: skip
    given = {key: value for key, value in options.items() if value is not None}
    return UnresolvedAssetJobDefinition(check_name(name, "a job"), chosen, **given)


def asset_job(
    name: str,
    layer: AssetLayer,
    resource_defs: Mapping[str, Any],
    selection: AssetSelection | None = None,
    *,
    partitions_def: PartitionsDefinition | None = None,
    **options: Any,
) -> JobDefinition:
    """A job over the selected assets and checks of `layer`; all of them if None.

    Raises:
        DefinitionError: the selected assets have more than one partitions definition, or bind different resources to
            one key.
    """
    handles, assets, checks = _selected(layer, selection)
    definitions = {handle: layer.definitions[handle] for handle in handles}
    common = _partitions(name, layer, definitions.values(), assets)
    if partitions_def is None:
        partitions_def = common
    resources = resource_defs
    if layer.binding:
        resources = bound_resources(definitions.values(), layer.binding, resource_defs)
    nodes: list[NodeSpec] = []
    ops: dict[str, OpDefinition] = {}
    made: dict[str, AssetsDefinition] = {}
    node_hooks: dict[str, frozenset[Any]] = {}
    graphs: dict[str, GraphPlace] = {}
    for handle, definition in definitions.items():
        if definition.graph is None:
            nodes.append(layer.node(handle))
            ops[handle] = definition.op
            made[handle] = definition
            continue
        flat = flattened(definition, handle)
        nodes.extend(flat.nodes)
        ops.update(flat.ops)
        made.update(dict.fromkeys(flat.ops, definition))
        node_hooks.update(flat.node_hooks)
        graphs.update(flat.graphs)
    return JobDefinition.of_nodes(
        name, tuple(nodes), ops, made, node_hooks=node_hooks, graphs=graphs, layer=layer, selected_assets=assets,
        selected_checks=checks, resource_defs=resources, partitions_def=partitions_def, **options,
    )  # fmt: skip


def _selected(
    layer: AssetLayer, selection: AssetSelection | None
) -> tuple[list[str], frozenset[AssetKey] | None, frozenset[AssetCheckKey] | None]:
    """The handles of what makes or evaluates the selected assets and checks, and these; None for all there are."""
    if selection is None:
        return [h for h, definition in layer.definitions.items() if not definition.is_observable], None, None
    chosen = frozenset(selection.resolve(layer.graph))
    observed = chosen & layer.observed_by.keys()
    assets = chosen & layer.graph.materializable | observed
    checks = frozenset(selection.resolve_checks(layer.graph))
    wanted = {layer.observed_by[key] if key in observed else layer.graph.made_by[key] for key in assets}
    by_definition = {id(definition): handle for handle, definition in layer.definitions.items()}
    wanted.update(by_definition[id(layer.checks[key])] for key in checks if key in layer.checks)
    return [handle for handle in layer.definitions if handle in wanted], assets, checks


def _partitions(
    name: str, layer: AssetLayer, definitions: Iterable[AssetsDefinition], assets: frozenset[AssetKey] | None
) -> PartitionsDefinition | None:
    """The partitions that the selected assets have in common."""
    found = (
        {layer.graph.specs[key].partitions_def for key in assets}
        if assets is not None
        else {definition.partitions_def for definition in definitions}
    ) - {None}
    if len(found) > 1 and name != IMPLICIT_JOB:
        raise DefinitionError(
            f"Job {name!r} selects assets with different partitions, and a run has one partition. Make a job for each: "
            f"{', '.join(sorted(str(one) for one in found))}."
        )
    return found.pop() if len(found) == 1 else None
