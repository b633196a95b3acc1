"""Members of definitions, keys and outcomes that users know and Treadle's own classes do without, attached to them."""

from __future__ import annotations

import copy
import enum
import json
import re
from collections.abc import Mapping
from typing import Any

from treadle.author.graphs import GraphDefinition
from treadle.author.jobs import JobDefinition
from treadle.author.ops import OpDefinition
from treadle.author.outcomes import AssetCheckResult, Output
from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.core.metadata import normalize
from treadle.spec.assets import AssetCheckSpec
from treadle.spec.policies import BackfillPolicy
from treadle.state.facts import AssetCheckEvaluation, AssetMaterialization, AssetObservation


class BackfillPolicyType(enum.Enum):
    """Whether a backfill makes its partitions in one run or in many."""

    SINGLE_RUN = "SINGLE_RUN"
    MULTI_RUN = "MULTI_RUN"


def _key_of_record(text: str | None) -> AssetKey | None:
    """The key stored as `text`: a JSON list of its parts, or words with anything between them. None if empty."""
    if not text:
        return None
    try:
        parts = json.loads(text)
    except ValueError:
        parts = None
    return AssetKey(parts if isinstance(parts, list) and parts else re.findall("[A-Za-z0-9_]+", text))


def _check_of_text(text: str) -> AssetCheckKey:
    """The key written as `asset/key:check`.

    Raises:
        ValueError: there is not exactly one colon.
    """
    asset, name = text.split(":")
    return AssetCheckKey(AssetKey.from_user_string(asset), name)


def _check_of_record(text: str) -> AssetCheckKey | None:
    """The key stored as JSON, an object of `asset_key` and `check_name`; None if `text` is none."""
    try:
        stored = json.loads(text)
        key = _key_of_record(stored["asset_key"])
        return AssetCheckKey(key, stored["check_name"]) if key is not None else None
    except (ValueError, LookupError, TypeError):
        return None


def _with_metadata(told: Any, metadata: Mapping[str, Any] | None) -> Any:
    """The same with this metadata in place of its own."""
    changed = copy.copy(told)
    object.__setattr__(changed, "metadata", normalize(metadata, f"an {type(told).__name__}") if metadata else {})
    return changed


def _spec_with_metadata(spec: AssetCheckSpec, metadata: Mapping[str, Any]) -> AssetCheckSpec:
    changed = copy.copy(spec)
    object.__setattr__(changed, "metadata", dict(metadata))
    return changed


_METHODS: Mapping[tuple[type, str], Any] = {
    (AssetKey, "from_db_string"): staticmethod(_key_of_record),
    (AssetCheckKey, "from_user_string"): staticmethod(_check_of_text),
    (AssetCheckKey, "from_db_string"): staticmethod(_check_of_record),
    (BackfillPolicy, "policy_type"): property(
        lambda policy: BackfillPolicyType["MULTI_RUN" if policy.max_partitions_per_run else "SINGLE_RUN"]
    ),
    **{
        (owner, "with_metadata"): _with_metadata
        for owner in (
            Output,
            AssetCheckResult,
            AssetCheckEvaluation,
            AssetMaterialization,
            AssetObservation,
            JobDefinition,
        )
    },
    (AssetCheckSpec, "with_metadata"): _spec_with_metadata,
    **{(owner, "has_input"): lambda node, name: name in node.ins for owner in (OpDefinition, GraphDefinition)},
    **{(owner, "has_output"): lambda node, name: name in node.outs for owner in (OpDefinition, GraphDefinition)},
    (OpDefinition, "input_dict"): property(lambda op: op.ins),
    (OpDefinition, "output_dict"): property(lambda op: op.outs),
    (GraphDefinition, "nodes"): property(lambda graph: list(graph.placed.values())),
    (GraphDefinition, "node_dict"): property(lambda graph: graph.placed),
    (GraphDefinition, "node_names"): lambda graph: list(graph.placed),
}

for (_owner, _name), _member in _METHODS.items():
    if _name not in _owner.__dict__:
        setattr(_owner, _name, _member)
