"""Asset checks: functions that look at an asset and say whether it is right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from treadle.author.assets import AssetIn
from treadle.author.assets_definition import AssetsDefinition
from treadle.author.ops import DEFAULT_OUTPUT, OpDefinition, Out
from treadle.author.signature import docstring, where
from treadle.author.types import NOTHING
from treadle.core.keys import AssetCheckKey, AssetKey, CoercibleToAssetKey
from treadle.core.partitions import PartitionsDefinition
from treadle.core.tags import COMPUTE_KIND
from treadle.core.told import told
from treadle.errors import DefinitionError
from treadle.spec.assets import AssetCheckSpec, CoercibleToAssetDep
from treadle.spec.policies import AutomationRule
from treadle.spec.retry import RetryPolicy


class AssetChecksDefinition(AssetsDefinition):
    """One or more asset checks, and the op that evaluates them. Made by `@asset_check` and `@multi_asset_check`."""

    @property
    def check_key(self) -> AssetCheckKey:
        """The key of the only check."""
        if len(self.check_specs) != 1:
            raise DefinitionError(f"{self!r} evaluates {len(self.check_specs)} checks, so it has no single key.")
        return self.check_specs[0].key

    name: str = told("check_key.name", "The name of the only check.")
    asset_key: AssetKey = told("check_key.asset_key", "The asset of the only check.")

    def __repr__(self) -> str:
        return f"<AssetChecksDefinition {', '.join(spec.key.to_user_string() for spec in self.check_specs)}>"


def asset_check(
    *,
    asset: CoercibleToAssetKey | AssetsDefinition | Any,
    name: str | None = None,
    description: str | None = None,
    blocking: bool = False,
    additional_ins: Mapping[str, AssetIn] | None = None,
    additional_deps: Iterable[CoercibleToAssetDep] | None = None,
    required_resource_keys: set[str] | None = None,
    resource_defs: Mapping[str, object] | None = None,
    config_schema: Any = None,
    compute_kind: str | None = None,
    op_tags: Mapping[str, Any] | None = None,
    retry_policy: RetryPolicy | None = None,
    metadata: Mapping[str, Any] | None = None,
    automation_condition: AutomationRule | None = None,
    pool: str | None = None,
    partitions_def: PartitionsDefinition | None = None,
    timeout: float | None = None,
) -> Callable[[Callable[..., Any]], AssetChecksDefinition]:
    """Make a function a check of an asset. It returns or yields an `AssetCheckResult`.

    A parameter that is neither context, config, a resource nor in `additional_ins` receives the asset's value.

    Args:
        asset: the asset that is checked.
        name: the check's name; the function's by default.
        description: what it checks; the docstring by default.
        blocking: whether a failure with severity ERROR stops what is downstream of the asset in the same run.
        additional_ins: other assets whose values are loaded, by parameter.
        additional_deps: other assets that must be there before, without being loaded.
        metadata: facts about the definition.
        partitions_def: the partitions of the check; with it, a run for a partition checks that partition.
        The other arguments are those of `asset`.

    Raises:
        DefinitionError: a name is invalid, or the function takes two values that could be the asset.
    """

    def make(fn: Callable[..., Any]) -> AssetChecksDefinition:
        ins = dict(additional_ins or {})
        deps = list(additional_deps or ())
        check_name = name or fn.__name__
        spec = AssetCheckSpec(
            check_name, asset=asset, description=description or docstring(fn), blocking=blocking, metadata=metadata,
            additional_deps=[*deps, *(asset_in.key_for(n) for n, asset_in in ins.items())],
            automation_condition=automation_condition, partitions_def=partitions_def,
        )  # fmt: skip
        tags = {**(op_tags or {}), COMPUTE_KIND: compute_kind} if compute_kind else op_tags
        op = OpDefinition(
            fn, spec.key.to_python_identifier(), {n: asset_in.as_in() for n, asset_in in ins.items()},
            {DEFAULT_OUTPUT: Out(NOTHING)}, description, config_schema, required_resource_keys, tags, None,
            retry_policy, None, pool, timeout,
        )  # fmt: skip
        own = [n for n in op.ins if n not in ins]
        if len(own) > 1:
            raise DefinitionError(
                f"The check {check_name!r} takes {', '.join(map(repr, own))}, and only one of them can be the asset it "
                f"checks. Name the others in additional_ins.{where(fn)}"
            )
        keys = {n: ins[n].key_for(n) for n in ins}
        keys.update(dict.fromkeys(own, spec.asset_key))
        return AssetChecksDefinition(
            op, (), keys_by_input_name=keys, keys_by_output_name={}, check_specs=[spec],
            check_keys_by_output_name={DEFAULT_OUTPUT: spec.key}, partitions_def=partitions_def,
            partition_mappings={i.key_for(n): i.partition_mapping for n, i in ins.items() if i.partition_mapping},
            resource_defs=resource_defs,
        )  # fmt: skip

    return make


def multi_asset_check(
    *,
    name: str | None = None,
    specs: Sequence[AssetCheckSpec],
    description: str | None = None,
    required_resource_keys: set[str] | None = None,
    resource_defs: Mapping[str, object] | None = None,
    config_schema: Any = None,
    compute_kind: str | None = None,
    op_tags: Mapping[str, Any] | None = None,
    retry_policy: RetryPolicy | None = None,
    can_subset: bool = False,
    ins: Mapping[str, CoercibleToAssetKey | AssetIn] | None = None,
    pool: str | None = None,
    timeout: float | None = None,
) -> Callable[[Callable[..., Any]], AssetChecksDefinition]:
    """Make a function several checks at once. It yields an `AssetCheckResult` for each.

    Args:
        specs: the checks.
        can_subset: whether it can evaluate only what `context.selected_asset_check_keys` asks for.
        ins: assets whose values are loaded, by parameter.
        The other arguments are those of `asset_check`.
    """

    def make(fn: Callable[..., Any]) -> AssetChecksDefinition:
        given = {n: i if isinstance(i, AssetIn) else AssetIn(i) for n, i in (ins or {}).items()}
        outs = {spec.key.to_python_identifier(): Out(NOTHING, is_required=not can_subset) for spec in specs}
        tags = {**(op_tags or {}), COMPUTE_KIND: compute_kind} if compute_kind else op_tags
        op = OpDefinition(
            fn, name or fn.__name__, {n: i.as_in() for n, i in given.items()}, outs, description, config_schema,
            required_resource_keys, tags, None, retry_policy, None, pool, timeout,
        )  # fmt: skip
        return AssetChecksDefinition(
            op, (), keys_by_input_name={n: given[n].key_for(n) if n in given else AssetKey(n) for n in op.ins},
            keys_by_output_name={}, check_specs=specs,
            check_keys_by_output_name={spec.key.to_python_identifier(): spec.key for spec in specs},
            can_subset=can_subset, resource_defs=resource_defs,
        )  # fmt: skip

    return make
