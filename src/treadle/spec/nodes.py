"""What runs: nodes with inputs and outputs, flattened out of graphs. The plan is made from these.

A node is one op at one place of a job. Its handle is the path to that place, with dots: `graph.inner.op`. An asset's
node has the name of its op as handle, for `AssetKey(["p", "q"])` that is `p__q`.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.spec.retry import RetryPolicy


class FromOutput(msgspec.Struct, frozen=True, tag="output"):
    """The value that another node produced. `collect`: of how many dynamic outputs all values are meant, as a list."""

    node: str
    output: str
    collect: int = 0


class FromAsset(msgspec.Struct, frozen=True, tag="asset"):
    """The value of an asset: made in the same run, or stored before."""

    key: AssetKey


class FromConfig(msgspec.Struct, frozen=True, tag="config"):
    """A value from run config: `ops.<node>.inputs.<input>`."""

    node: str
    input: str


class FromDefault(msgspec.Struct, frozen=True, tag="default"):
    """The default that the function declares."""


class FromRunInput(msgspec.Struct, frozen=True, tag="run_input"):
    """A value given to the run (`input_values=`) under this name."""

    name: str


Source: TypeAlias = FromOutput | FromAsset | FromConfig | FromDefault | FromRunInput


class InputSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """An input of a node.

    Attributes:
        sources: where its value comes from. Several, or `is_list`: a list of values in this order.
        is_nothing: it orders steps and carries no value.
    """

    name: str
    sources: tuple[Source, ...]
    is_list: bool = False
    is_nothing: bool = False


class OutputSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """An output of a node: a value, an asset, the outcome of a check, or the observation of an asset."""

    name: str
    is_required: bool = True
    is_dynamic: bool = False
    asset: AssetKey | None = None
    check: AssetCheckKey | None = None
    observes: AssetKey | None = None


class NodeSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """One op at one place.

    Attributes:
        handle: its place, unique in the job.
        op_name: the op.
        deps: assets that must be there before, without being loaded, for each asset that this node makes.
        after: assets that must be there before in any case, such as those that this node checks.
        blocking: checks among the outputs that, failing with ERROR, stop what is downstream of their asset.
        serves: for one of several ops that make assets together, the assets that its outputs go into: it runs for them.
        can_subset: whether it can make some of its outputs without the others.
        retry_policy: the op's own, else the job's.
        tags: the op's tags.
        pool: the concurrency pool it needs a slot of.
        timeout_s: how many seconds an attempt may take; None for any time.
    """

    handle: str
    op_name: str
    inputs: tuple[InputSpec, ...] = ()
    outputs: tuple[OutputSpec, ...] = ()
    deps: dict[AssetKey, tuple[AssetKey, ...]] = {}
    after: tuple[AssetKey, ...] = ()
    blocking: frozenset[AssetCheckKey] = frozenset()
    serves: frozenset[AssetKey] = frozenset()
    can_subset: bool = False
    retry_policy: RetryPolicy | None = None
    tags: dict[str, str] = {}
    pool: str | None = None
    timeout_s: float | None = None
