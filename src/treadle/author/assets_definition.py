"""Assets together with what makes them: an op, a graph of ops, or nothing here.

All that asks what an asset runs goes through `node_def` (its name and place), `ops` (what needs resources), and `node`,
or `graph_assets.flattened` (what the plan gets).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import cached_property
from typing import Any, Self, TypedDict, Unpack

from treadle.author import composition, port
from treadle.author.flattening import Graph
from treadle.author.ops import DEFAULT_IO_MANAGER_KEY, OpDefinition, required_keys
from treadle.core.keys import AssetCheckKey, AssetKey, did_you_mean
from treadle.core.mappings import PartitionMapping
from treadle.core.metadata import IO_MANAGER_KEY
from treadle.core.partitions import PartitionsDefinition
from treadle.errors import DefinitionError, InvocationError
from treadle.spec.assets import AssetCheckSpec, AssetDep, AssetSpec
from treadle.spec.nodes import FromAsset, InputSpec, NodeSpec, OutputSpec
from treadle.spec.policies import BackfillPolicy, wrong_type

_NOTHING: Mapping[Any, Any] = {}
_NO_HOOKS: frozenset[Any] = frozenset()


class NodeOptions(TypedDict, total=False):
    """How the inputs and outputs of an op or graph are assets.

    Attributes:
        keys_by_input_name, keys_by_output_name: by default the names of the inputs and outputs; for a single output
            the name of the op or graph.
        key_prefix: goes before the keys of the outputs.
        internal_asset_deps: for each output name, what its asset depends on, where that is not all inputs.
        partition_mappings: by input name.
        The others are those of `multi_asset`, by output name where each asset has its own.
    """

    keys_by_input_name: Mapping[str, AssetKey] | None
    keys_by_output_name: Mapping[str, AssetKey] | None
    key_prefix: str | Sequence[str] | None
    internal_asset_deps: Mapping[str, set[AssetKey]] | None
    partitions_def: PartitionsDefinition | None
    partition_mappings: Mapping[str, PartitionMapping] | None
    group_name: str | None
    group_names_by_output_name: Mapping[str, str | None] | None
    descriptions_by_output_name: Mapping[str, str] | None
    metadata_by_output_name: Mapping[str, Mapping[str, Any] | None] | None
    tags_by_output_name: Mapping[str, Mapping[str, str] | None] | None
    automation_conditions_by_output_name: Mapping[str, Any] | None
    backfill_policy: BackfillPolicy | None
    can_subset: bool
    hook_defs: Set[Any] | None


_BY_OUTPUT = {
    "automation_conditions_by_output_name": "automation_condition", "code_versions_by_output_name": "code_version",
    "descriptions_by_output_name": "description", "group_names_by_output_name": "group_name",
    "metadata_by_output_name": "metadata", "owners_by_output_name": "owners", "tags_by_output_name": "tags",
}  # fmt: skip


class AssetsDefinition:
    """One or more assets, and the op or graph that makes them. Made by `@asset`, `@multi_asset`, `@graph_asset`.

    Attributes:
        op: what makes them, where that is one op.
        graph: what makes them, where that is several ops.
        specs: the assets.
        check_specs: checks that the same op evaluates.
        keys_by_input_name, keys_by_output_name: which assets the op's inputs and outputs are.
        check_keys_by_output_name: which outputs report checks.
        partitions_def: the partitions of all of them.
        partition_mappings: by upstream asset, where the default is not meant.
        backfill_policy, can_subset, resource_defs, hook_defs: as given to the decorator.
        is_by_specs: whether the function stores its data itself and only reports on it.
        is_observable: whether the op does not make the assets, and observes them.
    """

    def __init__(
        self,
        node: OpDefinition | Graph | None,
        specs: Sequence[AssetSpec],
        *,
        keys_by_input_name: Mapping[str, AssetKey],
        keys_by_output_name: Mapping[str, AssetKey],
        check_specs: Sequence[AssetCheckSpec] = (),
        check_keys_by_output_name: Mapping[str, AssetCheckKey] | None = None,
        partitions_def: PartitionsDefinition | None = None,
        partition_mappings: Mapping[AssetKey, PartitionMapping] | None = None,
        backfill_policy: BackfillPolicy | None = None,
        can_subset: bool = False,
        resource_defs: Mapping[str, Any] | None = None,
        hook_defs: Set[Any] | None = None,
        is_by_specs: bool = False,
        is_observable: bool = False,
    ) -> None:
        title = repr(node.name) if isinstance(node, OpDefinition) else f"asset {specs[0].key.to_user_string()!r}"
        if partitions_def is not None and not isinstance(partitions_def, PartitionsDefinition):
            raise wrong_type(title, "partitions_def", partitions_def)
        if backfill_policy is not None and not isinstance(backfill_policy, BackfillPolicy):
            where = node.where if isinstance(node, OpDefinition) else ""
            raise wrong_type(title, "backfill_policy", backfill_policy, where)
        self._node = node
        self.graph = node if isinstance(node, Graph) else None
        self.specs = tuple(specs)
        self.check_specs = tuple(check_specs)
        self.keys_by_input_name = keys_by_input_name
        self.keys_by_output_name = keys_by_output_name
        self.check_keys_by_output_name: Mapping[str, AssetCheckKey] = check_keys_by_output_name or _NOTHING
        self.partitions_def = partitions_def
        self.partition_mappings: Mapping[AssetKey, PartitionMapping] = partition_mappings or _NOTHING
        self.backfill_policy = backfill_policy
        self.can_subset = can_subset
        self.resource_defs: Mapping[str, Any] = resource_defs or _NOTHING
        self.hook_defs: Set[Any] = frozenset(hook_defs) if hook_defs else _NO_HOOKS
        self.is_by_specs = is_by_specs
        self.is_observable = is_observable

    @staticmethod
    def from_op(op_def: OpDefinition, **options: Unpack[NodeOptions]) -> AssetsDefinition:
        """Assets that an op makes, one for each of its outputs; its inputs are assets, too.

        Args:
            op_def: the op.
            options: see `NodeOptions`.

        Raises:
            DefinitionError: a name is not that of an input or output.
        """
        versions = {name: out.code_version or op_def.code_version for name, out in op_def.outs.items()}
        return _from_node(op_def, (), code_versions_by_output_name=versions, **options)

    @staticmethod
    def from_graph(
        graph_def: Any,
        *,
        resource_defs: Mapping[str, Any] | None = None,
        check_specs: Sequence[AssetCheckSpec] | None = None,
        owners_by_output_name: Mapping[str, Sequence[str]] | None = None,
        code_versions_by_output_name: Mapping[str, str | None] | None = None,
        **options: Unpack[NodeOptions],
    ) -> AssetsDefinition:
        """Assets that a graph makes, one for each of its outputs; its inputs are assets, too.

        Args:
            graph_def: the graph.
            check_specs: checks that ops of the graph evaluate; each is an output of the graph.
            options: see `NodeOptions`.

        Raises:
            DefinitionError: a name is not that of an input or output.
        """
        return _from_node(
            graph_def, check_specs or (), resource_defs=resource_defs,
            owners_by_output_name=owners_by_output_name, code_versions_by_output_name=code_versions_by_output_name,
            **options,
        )  # fmt: skip

    @property
    def op(self) -> OpDefinition:
        """What makes the assets.

        Raises:
            InvocationError: nothing here makes them, or a graph of several ops does.
        """
        if self.graph is not None:
            raise InvocationError(
                f"{self.graph.name!r} is made by several ops, so there is not one to ask for or to call. Use "
                f"`node_def` or `ops`, and run it with materialize([...]).{self.graph.where}"
            )
        if not isinstance(self._node, OpDefinition):
            raise InvocationError(f"Nothing here makes {self.specs[0].key}: it is external.")
        return self._node

    @property
    def node_def(self) -> Any:
        """The op or the graph that makes the assets."""
        return self.graph or self.op

    @property
    def ops(self) -> Sequence[OpDefinition]:
        """Every op that takes part in making the assets."""
        return (self.op,) if self.graph is None else tuple(self.graph.ops())

    def needs_value(self, input_name: str) -> bool:
        """Whether an input is loaded, and not only waited for."""
        return self.graph is not None or not self.op.ins[input_name].is_nothing

    @property
    def is_executable(self) -> bool:
        """Whether something here makes these assets or evaluates these checks."""
        return self._node is not None

    @property
    def key(self) -> AssetKey:
        """The key of the only asset."""
        if len(self.specs) != 1:
            raise InvocationError(
                f"{self!r} makes {len(self.specs)} assets, so it has no single key. Name one of: "
                f"{', '.join(sorted(spec.key.to_user_string() for spec in self.specs))}."
            )
        return self.specs[0].key

    @property
    def keys(self) -> Set[AssetKey]:
        """The keys of its assets."""
        return {spec.key for spec in self.specs}

    @property
    def check_keys(self) -> Set[AssetCheckKey]:
        """The keys of the checks it evaluates."""
        return {spec.key for spec in self.check_specs}

    @property
    def dependency_keys(self) -> Set[AssetKey]:
        """Every asset that one of its assets depends on."""
        return {dep.asset_key for spec in self.specs for dep in spec.deps}

    @property
    def asset_deps(self) -> Mapping[AssetKey, Set[AssetKey]]:
        """For each of its assets, what that depends on."""
        return {spec.key: {dep.asset_key for dep in spec.deps} for spec in self.specs}

    @property
    def group_names_by_key(self) -> Mapping[AssetKey, str]:
        """The group of each asset."""
        return {spec.key: spec.group_name or "default" for spec in self.specs}

    @property
    def descriptions_by_key(self) -> Mapping[AssetKey, str]:
        """The description of each asset that has one."""
        return {spec.key: spec.description for spec in self.specs if spec.description}

    @property
    def metadata_by_key(self) -> Mapping[AssetKey, Mapping[str, Any]]:
        """The metadata of each asset's definition."""
        return {spec.key: spec.metadata for spec in self.specs}

    @property
    def tags_by_key(self) -> Mapping[AssetKey, Mapping[str, str]]:
        """The tags of each asset."""
        return {spec.key: spec.tags for spec in self.specs}

    @property
    def code_versions_by_key(self) -> Mapping[AssetKey, str | None]:
        """The code version of each asset."""
        return {spec.key: spec.code_version for spec in self.specs}

    @property
    def required_resource_keys(self) -> set[str]:
        """Every resource that making the assets needs, IO managers included."""
        return required_keys(self.ops)

    def get_asset_spec(self, key: AssetKey | None = None) -> AssetSpec:
        """The spec of the asset `key`; of the only one if None."""
        wanted = key or self.key
        for spec in self.specs:
            if spec.key == wanted:
                return spec.grouped()
        raise InvocationError(f"{self!r} has no asset {wanted}.")

    def get_partition_mapping(self, in_asset_key: AssetKey) -> PartitionMapping | None:
        """The partition mapping declared for an upstream asset, if any."""
        return self.partition_mappings.get(in_asset_key)

    @cached_property
    def node(self) -> NodeSpec:
        """What the plan needs to know of it."""
        op = self.op
        loaded = self.keys_by_input_name
        blocking = frozenset(spec.key for spec in self.check_specs if spec.blocking)
        specs = {spec.key: spec for spec in self.specs}
        outputs = []
        for name, out in op.outs.items():
            key = self.keys_by_output_name.get(name)
            skippable = key is not None and specs[key].skippable
            check = self.check_keys_by_output_name.get(name)
            made, seen = (None, key) if self.is_observable else (key, None)
            outputs.append(OutputSpec(name, out.is_required and not skippable, out.is_dynamic, made, check, seen))
        values = set(loaded.values())
        return NodeSpec(
            handle=op.name,
            op_name=op.name,
            inputs=tuple(
                InputSpec(name, (FromAsset(key),), is_nothing=op.ins[name].is_nothing) for name, key in loaded.items()
            ),
            outputs=tuple(outputs),
            deps={
                spec.key: tuple(dep.asset_key for dep in spec.deps if dep.asset_key not in values)
                for spec in self.specs
                if len(spec.deps) > len(values)
            },
            after=self.after,
            blocking=blocking,
            serves=frozenset(specs) if self.is_observable else frozenset(),
            can_subset=self.can_subset,
            retry_policy=op.retry_policy,
            tags=dict(op.tags),
            **op.limits,
        )

    @property
    def after(self) -> tuple[AssetKey, ...]:
        """Assets that must be there before, as its checks look at them."""
        made = {spec.key for spec in self.specs}
        others = {check.asset_key for check in self.check_specs if check.asset_key not in made}
        others.update(dep.asset_key for check in self.check_specs for dep in check.additional_deps)
        return tuple(sorted(others - made))

    def _with(self, **changes: Any) -> Self:
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__dict__, **changes)
        changed.__dict__.pop("node", None)  # it follows from the rest
        return changed

    def with_keys(self, renamed: Mapping[AssetKey, AssetKey]) -> Self:
        """A copy whose assets, checks and dependencies have other keys."""

        def new(key: AssetKey) -> AssetKey:
            return renamed.get(key, key)

        return self._with(
            keys_by_input_name={name: new(key) for name, key in self.keys_by_input_name.items()},
            keys_by_output_name={name: new(key) for name, key in self.keys_by_output_name.items()},
            partition_mappings={new(key): mapping for key, mapping in self.partition_mappings.items()},
            specs=tuple(spec.with_keys(renamed) for spec in self.specs),
            check_specs=tuple(spec.with_keys(renamed) for spec in self.check_specs),
            check_keys_by_output_name={
                name: AssetCheckKey(new(key.asset_key), key.name)
                for name, key in self.check_keys_by_output_name.items()
            },
        )

    def with_specs(self, change: Callable[[AssetSpec], AssetSpec]) -> Self:
        """A copy whose specs went through `change`, which must keep their keys."""
        changed = self._with(specs=tuple(change(spec) for spec in self.specs))
        if changed.keys != self.keys:
            raise DefinitionError(f"{self!r}: an asset spec may be changed, but not its key.")
        return changed

    def with_backfill_policy(self, backfill_policy: BackfillPolicy) -> Self:
        """A copy that is backfilled so."""
        return self._with(backfill_policy=backfill_policy)

    def with_resources(self, resource_defs: Mapping[str, Any]) -> Self:
        """A copy with these resources bound, where it does not bind them itself."""
        return self._with(resource_defs={**resource_defs, **self.resource_defs})

    def with_hooks(self, hook_defs: Set[Any]) -> Self:
        """A copy with more hooks."""
        return self._with(hook_defs=self.hook_defs | frozenset(hook_defs))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the user's function with these inputs, as tests do. In a graph: place its op there."""
        if composition.is_composing():
            return composition.PendingNode(self.node_def)(*args, **kwargs)
        return port.call("invoke_assets")(self, args, kwargs)

    def __repr__(self) -> str:
        name = self.node_def.name if self.is_executable else "external"
        return f"<{type(self).__name__} {name}: {', '.join(spec.key.to_user_string() for spec in self.specs)}>"


def derived(
    node: OpDefinition | Graph,
    specs: Sequence[AssetSpec],
    keys_by_input_name: Mapping[str, AssetKey],
    keys_by_output_name: Mapping[str, AssetKey],
    check_specs: Sequence[AssetCheckSpec] = (),
    **options: Any,
) -> AssetsDefinition:
    """The assets that outputs of an op or graph are, with the checks that other outputs of it report.

    Raises:
        DefinitionError: a check is of an asset that is not made here, or is there twice; or an asset depends on itself.
    """
    made = {spec.key for spec in specs}
    mappings: dict[AssetKey, PartitionMapping] = {}
    for spec in specs:
        for dep in spec.deps:
            mapping = dep.partition_mapping
            if mapping is not None:
                mappings[dep.asset_key] = mapping
            if dep.asset_key == spec.key and (mapping is None or not mapping.looks_back):
                raise DefinitionError(
                    f"{spec.key} depends on itself. That works from earlier partitions to later ones only: give it "
                    f"TimeWindowPartitionMapping(start_offset=-1, end_offset=-1) as partition_mapping.{node.where}"
                )
    for check in check_specs:
        if check.asset_key not in made:
            raise DefinitionError(
                f"{node.name!r} declares the check {check.name!r} of {check.asset_key}, which it does "
                f"not make. Use @asset_check for it.{node.where}"
            )
    if len({check.key for check in check_specs}) < len(check_specs):
        raise DefinitionError(f"{node.name!r} declares a check twice in check_specs. Keep one.{node.where}")
    return AssetsDefinition(
        node, specs, keys_by_input_name=keys_by_input_name, keys_by_output_name=keys_by_output_name,
        check_specs=check_specs, check_keys_by_output_name={c.key.to_python_identifier(): c.key for c in check_specs},
        partition_mappings=mappings, **options,
    )  # fmt: skip


def _from_node(node: OpDefinition | Graph, check_specs: Sequence[AssetCheckSpec], **options: Any) -> AssetsDefinition:
    by_output = {field: options.pop(argument, None) for argument, field in _BY_OUTPUT.items()}
    keys_by_input = options.pop("keys_by_input_name", None) or {}
    keys_by_output = options.pop("keys_by_output_name", None) or {}
    internal = options.pop("internal_asset_deps", None) or {}
    mappings = options.pop("partition_mappings", None) or {}
    key_prefix, group_name = options.pop("key_prefix", None), options.pop("group_name", None)
    reported = {check.key.to_python_identifier() for check in check_specs}
    outputs = [name for name in node.outs if name not in reported]
    for what, named, known in (("input", keys_by_input, node.ins), ("output", keys_by_output, outputs),
                               ("output", internal, outputs), ("input", mappings, node.ins)):  # fmt: skip
        for name in named:
            if name not in known:
                raise DefinitionError(
                    f"{node.name!r} has no {what} {name!r} that could be an asset.{did_you_mean(name, known)} "
                    f"It has: {', '.join(known) or 'none'}.{node.where}"
                )
    inputs = {name: keys_by_input.get(name) or AssetKey(name) for name in node.ins}
    deps = tuple(AssetDep(key, partition_mapping=mappings.get(name)) for name, key in inputs.items())
    keys: dict[str, AssetKey] = {}
    specs: list[AssetSpec] = []
    for name in outputs:
        key = keys_by_output.get(name) or AssetKey(node.name if len(outputs) == 1 else name)
        keys[name] = key.with_prefix(key_prefix) if key_prefix else key
        own = {field: given[name] for field, given in by_output.items() if given and given.get(name) is not None}
        own.setdefault("group_name", group_name)
        own.setdefault("description", node.description)
        manager = io_manager_of(node, name)
        if manager is not None:
            own["metadata"] = {**own.get("metadata", {}), IO_MANAGER_KEY: manager}
        chosen = internal.get(name)
        needed = deps if chosen is None else [dep for dep in deps if dep.asset_key in chosen]
        if chosen is not None:
            needed = [*needed, *sorted(chosen - set(inputs.values()))]
        specs.append(AssetSpec(keys[name], deps=needed, partitions_def=options.get("partitions_def"), **own))
    return derived(node, specs, inputs, keys, check_specs, **options)


def io_manager_of(node: OpDefinition | Graph, output: str) -> str | None:
    """The resource that stores an output of an op or graph; None if it is the default one."""
    if isinstance(node, Graph):
        _, node, output = node.producer(node.outs[output].node, node.outs[output].output)
    key = node.outs[output].io_manager_key
    return None if key == DEFAULT_IO_MANAGER_KEY else key


def external_assets(specs: Iterable[AssetSpec]) -> list[AssetsDefinition]:
    """Definitions of assets that nothing here makes."""
    return [AssetsDefinition(None, [spec], keys_by_input_name={}, keys_by_output_name={}) for spec in specs]


def default_io_manager_key(spec: AssetSpec) -> str:
    """The resource that stores and loads this asset."""
    return spec.metadata.get(IO_MANAGER_KEY) or DEFAULT_IO_MANAGER_KEY
