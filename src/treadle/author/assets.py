"""Assets: specs together with the op that makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from treadle.author.assets_definition import AssetsDefinition, derived
from treadle.author.ops import DEFAULT_OUTPUT, In, OpDefinition, Out, output_annotation, type_outputs
from treadle.author.signature import NO_ANNOTATION, decorator, docstring, signature_of, where
from treadle.author.types import NOTHING
from treadle.core.keys import AssetKey, CoercibleToAssetKey, check_dict
from treadle.core.mappings import PartitionMapping
from treadle.core.metadata import IO_MANAGER_KEY
from treadle.core.partitions import PartitionsDefinition
from treadle.errors import DefinitionError
from treadle.spec.assets import AssetCheckSpec, AssetDep, AssetSpec, CoercibleToAssetDep, deps_of, plain_dep
from treadle.spec.policies import AutomationRule, BackfillPolicy, FreshnessPolicy, check_types
from treadle.spec.retry import RetryPolicy


class _Keyed:
    """What has a key, or gets one from its name and `key_prefix`."""

    __slots__ = ("key", "key_prefix")

    def __init__(self, key: CoercibleToAssetKey | None, key_prefix: str | Sequence[str] | None) -> None:
        if key is not None and key_prefix is not None:
            raise DefinitionError(f"{type(self).__name__}: give key or key_prefix, not both.")
        self.key = AssetKey.from_coercible(key) if key is not None else None
        self.key_prefix = [key_prefix] if isinstance(key_prefix, str) else key_prefix

    def key_for(self, name: str) -> AssetKey:
        """The key, for the parameter or output `name`."""
        return self.key if self.key is not None else AssetKey([*(self.key_prefix or ()), name])


class AssetIn(_Keyed):
    """How a parameter of an asset function gets the value of an upstream asset.

    Args:
        key: the upstream asset; by default the one that has the parameter's name.
        metadata: facts for the IO manager that loads it.
        key_prefix: a prefix for the default key.
        input_manager_key: the resource that loads it, in place of the IO manager that stored it.
        partition_mapping: which partitions of it a partition needs.
        dagster_type: the type its value must have; `Nothing` to depend on it without loading.
    """

    __slots__ = ("dagster_type", "input_manager_key", "metadata", "partition_mapping")

    def __init__(
        self,
        key: CoercibleToAssetKey | None = None,
        metadata: Mapping[str, Any] | None = None,
        key_prefix: str | Sequence[str] | None = None,
        input_manager_key: str | None = None,
        partition_mapping: PartitionMapping | None = None,
        dagster_type: Any = NO_ANNOTATION,
    ) -> None:
        super().__init__(key, key_prefix)
        self.metadata = metadata
        self.input_manager_key = input_manager_key
        self.partition_mapping = partition_mapping
        self.dagster_type = dagster_type

    def as_in(self) -> In:
        """As an input of an op."""
        return In(self.dagster_type, metadata=self.metadata, input_manager_key=self.input_manager_key)


class AssetOut(_Keyed):
    """One of the assets that a `multi_asset` makes from the values it returns.

    Arguments as for `AssetSpec`, and:
        key_prefix: a prefix for the default key, which is the output's name.
        dagster_type: the type its value must have.
        is_required: False if the function may leave it out.
        io_manager_key: the resource that stores it.
        backfill_policy: how it is backfilled.
    """

    __slots__ = ("backfill_policy", "dagster_type", "io_manager_key", "is_required", "spec_args")

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
        super().__init__(key, key_prefix)
        check_types(
            "AssetOut", automation_condition=automation_condition, backfill_policy=backfill_policy,
            freshness_policy=freshness_policy,
        )  # fmt: skip
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


def key_of(
    fn: Callable[..., Any], key: CoercibleToAssetKey | None, name: str | None, key_prefix: str | Sequence[str] | None
) -> AssetKey:
    """The key of the asset that a function makes: `key`, or its name with a prefix.

    Raises:
        DefinitionError: both are given.
    """
    if key is None:
        own = AssetKey(name or fn.__name__)
        return own if key_prefix is None else own.with_prefix(key_prefix)
    if name is not None or key_prefix is not None:
        raise DefinitionError(f"{fn.__name__!r}: give key, or name and key_prefix, not both.{where(fn)}")
    return AssetKey.of(key)


def io_manager_key_of(
    fn: Callable[..., Any], key: AssetKey, given: str | None, definition: object | None, resources: dict[str, Any]
) -> str | None:
    """The resource that stores and loads an asset; one that is given as an object joins `resources`.

    Raises:
        DefinitionError: both are given.
    """
    if definition is None:
        return given
    if given is not None:
        raise DefinitionError(f"{fn.__name__!r}: give io_manager_def or io_manager_key, not both.{where(fn)}")
    own = key.to_python_identifier("io_manager")
    resources[own] = definition
    return own


@decorator("compute_fn")
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
    timeout: float | None = None,
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    """Make a function an asset: calling it makes the data.

    Parameters are upstream assets, loaded by name, except `context`, `config` and resources, which are recognised by
    their annotations. What it returns is stored by an IO manager, unless it returns `MaterializeResult` without a value
    or is annotated `-> None`.

    Args:
        name, key_prefix, key: the last part of the key (the function's name by default) and those before; or all of it.
        ins: parameters whose upstream asset is not the one with their name.
        deps: upstream assets that are not loaded.
        metadata, tags, description, group_name, owners, kinds, code_version, automation_condition, freshness_policy,
            partitions_def, is_virtual: see `AssetSpec`. The description defaults to the docstring.
        config_schema: config in the older style; `config: MyConfig` as a parameter is the newer one.
        required_resource_keys, resource_defs: resources used through `context.resources`; by key, or bound to it.
        hooks: called after each attempt.
        io_manager_def, io_manager_key: what stores and loads its value: an object, or the key of a resource.
        dagster_type: the type its value must have; the return annotation by default.
        op_tags: tags of the op that makes it.
        output_required: False if the function may leave it out.
        backfill_policy: how many partitions a run of a backfill makes.
        retry_policy: what happens when the function fails.
        check_specs: checks that the function evaluates itself.
        pool: the concurrency pool that each step of it needs a slot of.
        timeout: how many seconds an attempt may take; then it fails, and the retry policy counts.

    Raises:
        DefinitionError: arguments contradict each other, or a name breaks its rule.
    """

    required = {*(required_resource_keys or ()), *resource_defs} if resource_defs else required_resource_keys

    def make(fn: Callable[..., Any]) -> AssetsDefinition:
        asset_key = key_of(fn, key, name, key_prefix)
        resources = dict(resource_defs) if resource_defs else {}
        manager = io_manager_key_of(fn, asset_key, io_manager_key, io_manager_def, resources)
        out = _out(fn, dagster_type, output_required, manager, metadata, code_version)
        outs = {DEFAULT_OUTPUT: out} if out is not _PLAIN_OUT or check_specs else _PLAIN_OUTS
        inputs = _Inputs(fn, ins, deps)
        op = OpDefinition(
            fn, asset_key.to_python_identifier(), inputs.ins, _with_checks(outs, check_specs), description,
            config_schema, required, op_tags, None, retry_policy, code_version, pool, timeout,
        )  # fmt: skip
        keys = inputs.keys(op)
        spec = AssetSpec(
            asset_key, deps=inputs.deps(keys), description=description or docstring(fn),
            metadata=metadata if manager is None else {**(metadata or {}), IO_MANAGER_KEY: manager},
            group_name=group_name, code_version=code_version, automation_condition=automation_condition, owners=owners,
            tags=tags, kinds=kinds, partitions_def=partitions_def, freshness_policy=freshness_policy,
            is_virtual=is_virtual, skippable=not output_required,
        )  # fmt: skip
        return derived(
            op, (spec,), keys, {DEFAULT_OUTPUT: asset_key}, check_specs or (), partitions_def=partitions_def,
            backfill_policy=backfill_policy, resource_defs=resources, hook_defs=hooks,
        )  # fmt: skip

    return make


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


class _Inputs:
    """The parameters that are upstream assets, by `ins` or by their name, and what else is upstream."""

    def __init__(
        self, fn: Callable[..., Any], ins: Mapping[str, AssetIn] | None, deps: Iterable[CoercibleToAssetDep] | None
    ) -> None:
        if ins:
            check_dict(ins, "ins", repr(fn.__name__), AssetIn, where(fn))
        self._given = ins or {}
        self._deps = deps_of(deps)
        self.ins = {name: one.as_in() for name, one in ins.items()} if ins else None

    def keys(self, op: OpDefinition, specs: Iterable[AssetSpec] = ()) -> dict[str, AssetKey]:
        """By parameter, the asset that it is: what `ins` says, a dependency of a spec, or the one with its name."""
        given = self._given
        known = {dep.asset_key.parts[-1]: dep.asset_key for spec in specs for dep in spec.deps} if specs else {}
        return {n: given[n].key_for(n) if n in given else known.get(n) or AssetKey(n) for n in op.ins}

    def deps(self, keys: Mapping[str, AssetKey]) -> tuple[AssetDep, ...]:
        """What the parameters load, then `deps`."""
        if not keys:
            return self._deps
        loaded = []
        for name, key in keys.items():
            mapping = self._given[name].partition_mapping if name in self._given else None
            loaded.append(plain_dep(key) if mapping is None else AssetDep(key, partition_mapping=mapping))
        own = {dep.asset_key for dep in loaded}
        return deps_of([*loaded, *(dep for dep in self._deps if dep.asset_key not in own)])


def _with_checks(
    outs: dict[str, Out], check_specs: Sequence[AssetCheckSpec] | None, can_subset: bool = False
) -> dict[str, Out]:
    """The outputs of an op that evaluates checks as well."""
    if not check_specs:
        return outs
    for one in check_specs:
        if not isinstance(one, AssetCheckSpec):
            raise DefinitionError(f"check_specs has {one!r} in it. Write AssetCheckSpec(name, asset=...).")
    return {**outs, **{one.key.to_python_identifier(): Out(NOTHING, is_required=not can_subset) for one in check_specs}}


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
    timeout: float | None = None,
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

    shared = {"group_name": group_name, "code_version": code_version, "partitions_def": partitions_def}
    described = specs or ()
    required = {*(required_resource_keys or ()), *resource_defs} if resource_defs else required_resource_keys

    def make(fn: Callable[..., Any]) -> AssetsDefinition:
        inputs = _Inputs(fn, ins, deps)
        if outs is not None:
            keys_by_output = {output: out.key_for(output) for output, out in outs.items()}
            op_outs = {output: _multi_out(out, can_subset) for output, out in outs.items()}
            type_outputs(list(op_outs.values()), signature_of(fn))
        else:
            keys_by_output = {spec.key.to_python_identifier(): spec.key for spec in described}
            op_outs = {spec.key.to_python_identifier(): _spec_out(spec, can_subset) for spec in described}
        op = OpDefinition(
            fn, name or fn.__name__, inputs.ins, _with_checks(op_outs, check_specs, can_subset), description,
            config_schema, required, op_tags, None, retry_policy, code_version, pool, timeout,
        )  # fmt: skip
        keys = inputs.keys(op, described)
        everything = inputs.deps(keys)
        if specs and deps:
            raise DefinitionError(f"{fn.__name__!r}: with specs, their deps say what they depend on.{where(fn)}")
        made = [spec_with(spec, shared, "@multi_asset", everything) for spec in described]
        for output, out in (outs or {}).items():
            needed = _internal(output, internal_asset_deps, everything)
            made.append(spec_of_out(keys_by_output[output], out, needed, shared))
        text = description or docstring(fn)
        if text:
            made = [spec if spec.description else spec.replace_attributes(description=text) for spec in made]
        if not can_subset and len({spec.partitions_def for spec in made}) > 1:
            raise DefinitionError(
                f"{fn.__name__!r} makes assets with different partitions, so it cannot make all of them at once. Say "
                f"can_subset=True, and make what context.selected_asset_keys says.{where(fn)}"
            )
        return derived(
            op, made, keys, keys_by_output, check_specs or (),
            partitions_def=partitions_def or next((s.partitions_def for s in made if s.partitions_def), None),
            backfill_policy=backfill_policy or backfill_policy_of(outs), can_subset=can_subset,
            resource_defs=resource_defs, hook_defs=hooks, is_by_specs=outs is None,
        )  # fmt: skip

    return make


def backfill_policy_of(outs: Mapping[str, AssetOut] | None) -> BackfillPolicy | None:
    """The backfill policy that one of the outputs has."""
    return next((out.backfill_policy for out in (outs or {}).values() if out.backfill_policy), None)


def _spec_out(spec: AssetSpec, can_subset: bool) -> Out:
    return Out(
        is_required=not (spec.skippable or can_subset), io_manager_key=spec.metadata.get(IO_MANAGER_KEY),
        metadata=spec.metadata, code_version=spec.code_version,
    )  # fmt: skip


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


def spec_with(
    spec: AssetSpec, shared: Mapping[str, Any], by: str, everything: tuple[AssetDep, ...] = (), where: str = ""
) -> AssetSpec:
    """A spec with what `by` says for all of the function's assets; and with all that the function loads or waits for.

    Raises:
        DefinitionError: the spec says something else.
    """
    changes: dict[str, Any] = {}
    for field, value in shared.items():
        own = getattr(spec, field)
        if own is not None and value is not None and own != value:
            raise DefinitionError(
                f"{spec.key} has its own {field}, and {by} gives another. Keep one of the two.{where}"
            )
        if own is None and value is not None:
            changes[field] = value
    own_keys = {dep.asset_key for dep in spec.deps}
    extra = [dep for dep in everything if dep.asset_key not in own_keys]
    if extra:
        changes["deps"] = [*spec.deps, *extra]
    return spec.replace_attributes(**changes) if changes else spec
