"""Assets: specs together with the op that makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, overload

from treadle.author.assets_definition import AssetsDefinition
from treadle.author.ops import (
    DEFAULT_OUTPUT,
    In,
    OpDefinition,
    Out,
    output_annotation,
    type_outputs,
)
from treadle.author.signature import NO_ANNOTATION, docstring, signature_of, where
from treadle.author.types import NOTHING
from treadle.core.keys import AssetCheckKey, AssetKey, CoercibleToAssetKey
from treadle.core.mappings import PartitionMapping
from treadle.core.metadata import IO_MANAGER_KEY
from treadle.core.partitions import PartitionsDefinition
from treadle.core.tags import COMPUTE_KIND
from treadle.errors import DefinitionError
from treadle.spec.assets import AssetCheckSpec, AssetDep, AssetSpec, CoercibleToAssetDep, deps_of, plain_dep
from treadle.spec.policies import AutomationRule, BackfillPolicy, FreshnessPolicy, check_types
from treadle.spec.retry import RetryPolicy


class AssetIn:
    """How a parameter of an asset function gets the value of an upstream asset.

    Args:
        key: the upstream asset; by default the one that has the parameter's name.
        metadata: facts for the IO manager that loads it.
        key_prefix: a prefix for the default key.
        input_manager_key: the resource that loads it, in place of the IO manager that stored it.
        partition_mapping: which partitions of it a partition needs.
        dagster_type: the type its value must have; `Nothing` to depend on it without loading.
    """

    __slots__ = ("dagster_type", "input_manager_key", "key", "key_prefix", "metadata", "partition_mapping")

    def __init__(
        self,
        key: CoercibleToAssetKey | None = None,
        metadata: Mapping[str, Any] | None = None,
        key_prefix: str | Sequence[str] | None = None,
        input_manager_key: str | None = None,
        partition_mapping: PartitionMapping | None = None,
        dagster_type: Any = NO_ANNOTATION,
    ) -> None:
        if key is not None and key_prefix is not None:
            raise DefinitionError("AssetIn: give key or key_prefix, not both.")
        self.key = AssetKey.from_coercible(key) if key is not None else None
        self.metadata = metadata
        self.key_prefix = [key_prefix] if isinstance(key_prefix, str) else key_prefix
        self.input_manager_key = input_manager_key
        self.partition_mapping = partition_mapping
        self.dagster_type = dagster_type

    def key_for(self, name: str) -> AssetKey:
        """The key, for the parameter `name`."""
        return self.key if self.key is not None else AssetKey([*(self.key_prefix or ()), name])

    def as_in(self) -> In:
        """As an input of an op."""
        return In(self.dagster_type, metadata=self.metadata, input_manager_key=self.input_manager_key)


class AssetOut:
    """One of the assets that a `multi_asset` makes from the values it returns.

    Arguments as for `AssetSpec`, and:
        key_prefix: a prefix for the default key, which is the output's name.
        dagster_type: the type its value must have.
        is_required: False if the function may leave it out.
        io_manager_key: the resource that stores it.
        backfill_policy: how it is backfilled.
    """

    __slots__ = ("backfill_policy", "dagster_type", "io_manager_key", "is_required", "key", "key_prefix", "spec_args")

    def __init__(
        self,
        key_prefix: str | Sequence[str] | None = None,
        key: CoercibleToAssetKey | None = None,
        dagster_type: Any = NO_ANNOTATION,
        description: str | None = None,
        is_required: bool = True,
        io_manager_key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        group_name: str | None = None,
        code_version: str | None = None,
        automation_condition: AutomationRule | None = None,
        backfill_policy: BackfillPolicy | None = None,
        owners: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        kinds: Set[str] | None = None,
        freshness_policy: FreshnessPolicy | None = None,
        is_virtual: bool = False,
    ) -> None:
        if key is not None and key_prefix is not None:
            raise DefinitionError("AssetOut: give key or key_prefix, not both.")
        check_types(
            "AssetOut", automation_condition=automation_condition, backfill_policy=backfill_policy,
            freshness_policy=freshness_policy,
        )  # fmt: skip
        self.key = AssetKey.from_coercible(key) if key is not None else None
        self.key_prefix = [key_prefix] if isinstance(key_prefix, str) else key_prefix
        self.dagster_type = dagster_type
        self.is_required = is_required
        self.io_manager_key = io_manager_key
        self.backfill_policy = backfill_policy
        self.spec_args: dict[str, Any] = {
            "description": description, "metadata": metadata, "group_name": group_name, "code_version": code_version,
            "automation_condition": automation_condition, "owners": owners, "tags": tags, "kinds": kinds,
            "freshness_policy": freshness_policy, "is_virtual": is_virtual,
        }  # fmt: skip

    @staticmethod
    def from_spec(
        spec: AssetSpec,
        dagster_type: Any = NO_ANNOTATION,
        is_required: bool = True,
        io_manager_key: str | None = None,
        backfill_policy: BackfillPolicy | None = None,
    ) -> AssetOut:
        """An output for an asset that is already described.

        Raises:
            DefinitionError: the spec has dependencies or partitions, which belong to the whole function here.
        """
        if spec.deps or spec.partitions_def:
            raise DefinitionError(
                f"AssetOut.from_spec: {spec.key} has deps or partitions. Give them to @multi_asset instead."
            )
        out = AssetOut(
            None, spec.key, dagster_type, spec.description, is_required, io_manager_key, spec.metadata,
            spec.group_name, spec.code_version, spec.automation_condition, backfill_policy, spec.owners,
            freshness_policy=spec.freshness_policy, is_virtual=spec.is_virtual,
        )  # fmt: skip
        out.spec_args["tags"] = spec.tags
        return out

    def key_for(self, name: str) -> AssetKey:
        """The key, for the output `name`."""
        return self.key if self.key is not None else AssetKey([*(self.key_prefix or ()), name])


@overload
def asset(compute_fn: Callable[..., Any], /) -> AssetsDefinition: ...
@overload
def asset(
    *,
    name: str | None = None,
    key_prefix: str | Sequence[str] | None = None,
    ins: Mapping[str, AssetIn] | None = None,
    deps: Iterable[CoercibleToAssetDep] | None = None,
    metadata: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    description: str | None = None,
    config_schema: Any = None,
    required_resource_keys: Set[str] | None = None,
    resource_defs: Mapping[str, object] | None = None,
    hooks: Set[Any] | None = None,
    io_manager_def: object | None = None,
    io_manager_key: str | None = None,
    dagster_type: Any = NO_ANNOTATION,
    partitions_def: PartitionsDefinition | None = None,
    op_tags: Mapping[str, Any] | None = None,
    group_name: str | None = None,
    output_required: bool = True,
    automation_condition: AutomationRule | None = None,
    freshness_policy: FreshnessPolicy | None = None,
    backfill_policy: BackfillPolicy | None = None,
    retry_policy: RetryPolicy | None = None,
    code_version: str | None = None,
    key: CoercibleToAssetKey | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    owners: Sequence[str] | None = None,
    kinds: Set[str] | None = None,
    pool: str | None = None,
    is_virtual: bool = False,
    compute_kind: str | None = None,
) -> Callable[[Callable[..., Any]], AssetsDefinition]: ...
def asset(
    compute_fn: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    key_prefix: str | Sequence[str] | None = None,
    ins: Mapping[str, AssetIn] | None = None,
    deps: Iterable[CoercibleToAssetDep] | None = None,
    metadata: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    description: str | None = None,
    config_schema: Any = None,
    required_resource_keys: Set[str] | None = None,
    resource_defs: Mapping[str, object] | None = None,
    hooks: Set[Any] | None = None,
    io_manager_def: object | None = None,
    io_manager_key: str | None = None,
    dagster_type: Any = NO_ANNOTATION,
    partitions_def: PartitionsDefinition | None = None,
    op_tags: Mapping[str, Any] | None = None,
    group_name: str | None = None,
    output_required: bool = True,
    automation_condition: AutomationRule | None = None,
    freshness_policy: FreshnessPolicy | None = None,
    backfill_policy: BackfillPolicy | None = None,
    retry_policy: RetryPolicy | None = None,
    code_version: str | None = None,
    key: CoercibleToAssetKey | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    owners: Sequence[str] | None = None,
    kinds: Set[str] | None = None,
    pool: str | None = None,
    is_virtual: bool = False,
    compute_kind: str | None = None,
) -> Any:
    """Make a function an asset: calling it makes the data.

    Parameters are upstream assets, loaded by name, except `context`, `config` and resources, which are recognised by
    their annotations. What it returns is stored by an IO manager, unless it returns `MaterializeResult` without a value
    or is annotated `-> None`.

    Args:
        name: the last part of the key; the function's name by default.
        key_prefix: the parts before.
        ins: parameters whose upstream asset is not the one with their name.
        deps: upstream assets that are not loaded.
        metadata, tags, description, group_name, owners, kinds, code_version, automation_condition, freshness_policy,
            partitions_def, is_virtual: see `AssetSpec`. The description defaults to the docstring.
        config_schema: config in the older style; `config: MyConfig` as a parameter is the newer one.
        required_resource_keys: resources used through `context.resources`.
        resource_defs: resources bound to this asset.
        hooks: called after each attempt.
        io_manager_def, io_manager_key: what stores and loads its value: an object, or the key of a resource.
        dagster_type: the type its value must have; the return annotation by default.
        op_tags: tags of the op that makes it.
        output_required: False if the function may leave it out.
        backfill_policy: how many partitions a run of a backfill makes.
        retry_policy: what happens when the function fails.
        key: the whole key, in place of name and key_prefix.
        check_specs: checks that the function evaluates itself.
        pool: the concurrency pool that each step of it needs a slot of.
        compute_kind: deprecated; use kinds.

    Raises:
        DefinitionError: arguments contradict each other, or a name breaks its rule.
    """

    def make(fn: Callable[..., Any]) -> AssetsDefinition:
        if key is not None and (name is not None or key_prefix is not None):
            raise DefinitionError(f"{fn.__name__!r}: give key, or name and key_prefix, not both.{where(fn)}")
        if io_manager_def is not None and io_manager_key is not None:
            raise DefinitionError(f"{fn.__name__!r}: give io_manager_def or io_manager_key, not both.{where(fn)}")
        if key is not None:
            asset_key = AssetKey.of(key)
        elif key_prefix is None:
            asset_key = AssetKey(name or fn.__name__)
        else:
            asset_key = AssetKey(name or fn.__name__).with_prefix(key_prefix)
        resources = dict(resource_defs) if resource_defs else None
        manager_key = io_manager_key
        if io_manager_def is not None:
            manager_key = asset_key.to_python_identifier("io_manager")
            resources = {**(resources or {}), manager_key: io_manager_def}
        out = _out(fn, dagster_type, output_required, manager_key, metadata, code_version)
        tags_of_op = {**(op_tags or {}), COMPUTE_KIND: compute_kind} if compute_kind else op_tags
        builder = _Builder(fn, asset_key.to_python_identifier(), ins, deps)
        outs = {DEFAULT_OUTPUT: out} if out is not _PLAIN_OUT or check_specs else _PLAIN_OUTS
        op = builder.op(outs, check_specs, description, config_schema, required_resource_keys,
                        tags_of_op, retry_policy, code_version, pool)  # fmt: skip
        keys_by_input = builder.keys_by_input(op)
        spec = AssetSpec(
            asset_key, deps=builder.all_deps(keys_by_input), description=description or docstring(fn),
            metadata=metadata if manager_key is None else {**(metadata or {}), IO_MANAGER_KEY: manager_key},
            group_name=group_name, code_version=code_version, automation_condition=automation_condition, owners=owners,
            tags=tags, kinds={*(kinds or ()), compute_kind} if compute_kind else kinds, partitions_def=partitions_def,
            freshness_policy=freshness_policy, is_virtual=is_virtual, skippable=not output_required,
        )  # fmt: skip
        _check_declared((spec,), check_specs, fn)
        return AssetsDefinition(
            op, (spec,), keys_by_input_name=keys_by_input, keys_by_output_name={DEFAULT_OUTPUT: asset_key},
            check_specs=check_specs or (), check_keys_by_output_name=_check_outputs(check_specs),
            partitions_def=partitions_def, partition_mappings=builder.partition_mappings(spec.deps),
            backfill_policy=backfill_policy, resource_defs=resources, hook_defs=hooks,
        )  # fmt: skip

    return make if compute_fn is None else make(compute_fn)


_PLAIN_OUT = Out()
_PLAIN_OUTS = {DEFAULT_OUTPUT: _PLAIN_OUT}


def _out(
    fn: Callable[..., Any],
    dagster_type: Any,
    is_required: bool,
    io_manager_key: str | None,
    metadata: Mapping[str, Any] | None,
    code_version: str | None,
) -> Out:
    annotation = dagster_type
    if annotation is NO_ANNOTATION and "return" in fn.__annotations__:
        signature = signature_of(fn)
        if not signature.is_generator:
            annotation = _asset_value_annotation(signature.annotations["return"])
    if annotation is NO_ANNOTATION and is_required and not io_manager_key and not metadata and not code_version:
        return _PLAIN_OUT
    return Out(annotation, None, is_required, io_manager_key, metadata, code_version)


def _asset_value_annotation(annotation: Any) -> Any:
    """The type of the value that an asset function's return annotation promises."""
    origin = getattr(annotation, "__origin__", annotation)
    if getattr(origin, "__name__", "") in ("MaterializeResult", "ObserveResult", "AssetCheckResult"):
        arguments = getattr(annotation, "__args__", None)
        return arguments[0] if arguments else NO_ANNOTATION  # `MaterializeResult[int]` carries an int
    return output_annotation(annotation)


class _Builder:
    """What `asset` and `multi_asset` share: inputs from parameters, `ins` and `deps`."""

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str,
        ins: Mapping[str, AssetIn] | None,
        deps: Iterable[CoercibleToAssetDep] | None,
    ) -> None:
        self.fn = fn
        self.name = name
        self.ins = ins or {}
        self.deps = deps_of(deps)

    def op(
        self,
        outs: dict[str, Out],
        check_specs: Sequence[AssetCheckSpec] | None,
        description: str | None,
        config_schema: Any,
        required_resource_keys: Set[str] | None,
        tags: Mapping[str, Any] | None,
        retry_policy: RetryPolicy | None,
        code_version: str | None,
        pool: str | None,
        can_subset: bool = False,
    ) -> OpDefinition:
        for spec in check_specs or ():
            outs[spec.key.to_python_identifier()] = Out(NOTHING, is_required=not can_subset)
        ins = {name: asset_in.as_in() for name, asset_in in self.ins.items()} if self.ins else None
        return OpDefinition(
            self.fn, self.name, ins, outs, description, config_schema, required_resource_keys, tags, None,
            retry_policy, code_version, pool,
        )  # fmt: skip

    def keys_by_input(self, op: OpDefinition) -> dict[str, AssetKey]:
        if not op.ins:
            return {}
        ins = self.ins
        return {name: ins[name].key_for(name) if name in ins else AssetKey(name) for name in op.ins}

    def all_deps(self, keys_by_input: Mapping[str, AssetKey]) -> tuple[AssetDep, ...]:
        """What the parameters load, then `deps`."""
        if not keys_by_input:
            return self.deps
        loaded = []
        for name, key in keys_by_input.items():
            mapping = self.ins[name].partition_mapping if name in self.ins else None
            loaded.append(plain_dep(key) if mapping is None else AssetDep(key, partition_mapping=mapping))
        if not self.deps:
            return deps_of(loaded)
        keys = {dep.asset_key for dep in loaded}
        return (*loaded, *(dep for dep in self.deps if dep.asset_key not in keys))

    @staticmethod
    def partition_mappings(deps: Iterable[AssetDep]) -> dict[AssetKey, PartitionMapping] | None:
        found = {dep.asset_key: dep.partition_mapping for dep in deps if dep.partition_mapping is not None}
        return found or None


def _check_outputs(check_specs: Sequence[AssetCheckSpec] | None) -> dict[str, AssetCheckKey] | None:
    return {spec.key.to_python_identifier(): spec.key for spec in check_specs} if check_specs else None


def _check_declared(
    made: Sequence[AssetSpec], check_specs: Sequence[AssetCheckSpec] | None, fn: Callable[..., Any]
) -> None:
    """An asset is made from itself only by way of other partitions; a function evaluates checks of its own assets."""
    for spec in made:
        for dep in spec.deps:
            if dep.asset_key == spec.key and dep.partition_mapping is None:
                raise DefinitionError(
                    f"{spec.key} depends on itself. That works between partitions only, as from one day to the next: "
                    f"give a partition_mapping that says from which.{where(fn)}"
                )
    if not check_specs:
        return
    keys = {spec.key for spec in made}
    for check in check_specs:
        if check.asset_key not in keys:
            raise DefinitionError(
                f"{fn.__name__!r} declares the check {check.name!r} of {check.asset_key}, which it does not make. Use "
                f"@asset_check for it.{where(fn)}"
            )
    if len({check.key for check in check_specs}) < len(check_specs):
        raise DefinitionError(f"{fn.__name__!r} declares a check twice in check_specs. Keep one.{where(fn)}")


def multi_asset(
    *,
    outs: Mapping[str, AssetOut] | None = None,
    name: str | None = None,
    ins: Mapping[str, AssetIn] | None = None,
    deps: Iterable[CoercibleToAssetDep] | None = None,
    description: str | None = None,
    config_schema: Any = None,
    required_resource_keys: Set[str] | None = None,
    internal_asset_deps: Mapping[str, set[AssetKey]] | None = None,
    partitions_def: PartitionsDefinition | None = None,
    hooks: Set[Any] | None = None,
    backfill_policy: BackfillPolicy | None = None,
    op_tags: Mapping[str, Any] | None = None,
    can_subset: bool = False,
    resource_defs: Mapping[str, object] | None = None,
    group_name: str | None = None,
    retry_policy: RetryPolicy | None = None,
    code_version: str | None = None,
    specs: Sequence[AssetSpec] | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    pool: str | None = None,
    compute_kind: str | None = None,
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    """Make a function several assets at once.

    Args:
        outs: the assets by output name, when the function returns or yields their values.
        specs: the assets, when the function stores its data itself and reports `MaterializeResult`s.
        internal_asset_deps: for each output name, what its asset depends on, where that is not all inputs.
        can_subset: whether the function can make only what `context.selected_asset_keys` asks for.
        The other arguments are those of `asset`, for all of the assets.

    Raises:
        DefinitionError: both or neither of `outs` and `specs` are given, or arguments contradict each other.
    """
    if (outs is None) == (specs is None):
        raise DefinitionError("multi_asset: give `outs` (values that are returned) or `specs`, one of the two.")

    def make(fn: Callable[..., Any]) -> AssetsDefinition:
        builder = _Builder(fn, name or fn.__name__, ins, deps)
        shared = {"group_name": group_name, "code_version": code_version, "partitions_def": partitions_def}
        if specs is not None:
            keys_by_output = {spec.key.to_python_identifier(): spec.key for spec in specs}
            op_outs = {
                spec.key.to_python_identifier(): Out(
                    is_required=not (spec.skippable or can_subset),
                    io_manager_key=spec.metadata.get(IO_MANAGER_KEY),
                    metadata=spec.metadata,
                    code_version=spec.code_version,
                )
                for spec in specs
            }
        else:
            assert outs is not None
            keys_by_output = {output: out.key_for(output) for output, out in outs.items()}
            op_outs = {output: _multi_out(out, can_subset) for output, out in outs.items()}
            type_outputs(list(op_outs.values()), signature_of(fn))
        tags = {**(op_tags or {}), COMPUTE_KIND: compute_kind} if compute_kind else op_tags
        op = builder.op(op_outs, check_specs, description, config_schema, required_resource_keys, tags,
                        retry_policy, code_version, pool, can_subset)  # fmt: skip
        if specs is not None:
            input_keys = _inputs_of_specs(builder, op, specs)
            made = [_spec_with(spec, shared, input_keys, builder) for spec in specs]
        else:
            assert outs is not None
            input_keys = builder.keys_by_input(op)
            everything = builder.all_deps(input_keys)
            made = [
                spec_of_out(keys_by_output[output], out, _internal(output, internal_asset_deps, everything), shared)
                for output, out in outs.items()
            ]
        _check_declared(made, check_specs, fn)
        policies = {out.backfill_policy for out in outs.values() if out.backfill_policy} if outs else set()
        return AssetsDefinition(
            op, made, keys_by_input_name=input_keys, keys_by_output_name=keys_by_output, check_specs=check_specs or (),
            check_keys_by_output_name=_check_outputs(check_specs),
            partitions_def=partitions_def or next((s.partitions_def for s in made if s.partitions_def), None),
            partition_mappings=builder.partition_mappings(dep for spec in made for dep in spec.deps),
            backfill_policy=backfill_policy or next(iter(policies), None), can_subset=can_subset,
            resource_defs=resource_defs, hook_defs=hooks, is_by_specs=specs is not None,
        )  # fmt: skip

    return make


def _multi_out(out: AssetOut, can_subset: bool) -> Out:
    return Out(
        out.dagster_type, out.spec_args["description"], out.is_required and not can_subset, out.io_manager_key,
        out.spec_args["metadata"], out.spec_args["code_version"],
    )  # fmt: skip


def _internal(
    output: str, internal: Mapping[str, set[AssetKey]] | None, everything: tuple[AssetDep, ...]
) -> tuple[AssetDep, ...]:
    """What one output's asset depends on: all inputs, unless said otherwise."""
    if internal is None or output not in internal:
        return everything
    known = {dep.asset_key: dep for dep in everything}
    return tuple(known.get(key) or AssetDep(key) for key in sorted(internal[output]))


def spec_of_out(key: AssetKey, out: AssetOut, deps: tuple[AssetDep, ...], shared: Mapping[str, Any]) -> AssetSpec:
    """The asset that an output is.

    Args:
        deps: what it is made from.
        shared: attributes given for all of the outputs.

    Raises:
        DefinitionError: the output has one of these attributes, too.
    """
    args = {**out.spec_args}
    if out.io_manager_key:
        args["metadata"] = {**(args["metadata"] or {}), IO_MANAGER_KEY: out.io_manager_key}
    for field, value in shared.items():
        if args.get(field) is not None and value is not None:
            raise DefinitionError(f"{key} has its own {field}, and @multi_asset gives one too. Keep one of the two.")
        args[field] = args.get(field) if args.get(field) is not None else value
    return AssetSpec(key, deps=deps, skippable=not out.is_required, **args)


def _inputs_of_specs(builder: _Builder, op: OpDefinition, specs: Sequence[AssetSpec]) -> dict[str, AssetKey]:
    """Parameters of a function with specs load what a spec depends on, or what `ins` names."""
    named = {dep.asset_key.parts[-1]: dep.asset_key for spec in specs for dep in spec.deps}
    keys: dict[str, AssetKey] = {}
    for name in op.ins:
        keys[name] = builder.ins[name].key_for(name) if name in builder.ins else named.get(name, AssetKey(name))
    return keys


def _spec_with(
    spec: AssetSpec, shared: Mapping[str, Any], input_keys: Mapping[str, AssetKey], builder: _Builder
) -> AssetSpec:
    changes: dict[str, Any] = {}
    for field, value in shared.items():
        own = getattr(spec, field)
        if own is not None and value is not None and own != value:
            raise DefinitionError(
                f"{spec.key} has its own {field}, and @multi_asset gives another. Keep one of the two."
            )
        if own is None and value is not None:
            changes[field] = value
    own_keys = {dep.asset_key for dep in spec.deps}
    if builder.deps or not own_keys.issuperset(input_keys.values()):
        extra = [dep for dep in builder.all_deps(input_keys) if dep.asset_key not in own_keys]
        changes["deps"] = [*spec.deps, *extra]
    return spec.replace_attributes(**changes) if changes else spec
