"""What user code reports about assets and data: materializations, observations, check evaluations, expectations.

These classes are what users construct and what the log stores; there is no second form of them.
"""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from treadle.core.keys import AssetCheckKey, AssetKey, CoercibleToAssetKey
from treadle.core.metadata import MetadataValue, normalize

_set = object.__setattr__


class AssetCheckSeverity(enum.Enum):
    """How bad it is when a check does not pass. Only ERROR blocks."""

    WARN = "WARN"
    ERROR = "ERROR"


@dataclass(init=False, frozen=True, slots=True)
class _AssetFact:
    asset_key: AssetKey
    description: str | None = None
    metadata: dict[str, MetadataValue] = field(default_factory=dict)
    partition: str | None = None
    tags: dict[str, str] = field(default_factory=dict)

    def __init__(
        self,
        asset_key: CoercibleToAssetKey,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        partition: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        # As text, a key is its words: what is between them, slashes and dashes among it, parts them.
        key = re.findall("[A-Za-z0-9_]+", asset_key) or asset_key if isinstance(asset_key, str) else asset_key
        _set(self, "asset_key", AssetKey.of(key))
        _set(self, "description", description)
        _set(self, "metadata", normalize(metadata, f"the metadata of an {type(self).__name__}") if metadata else {})
        _set(self, "partition", partition)
        _set(self, "tags", dict(tags) if tags else {})

    @property
    def label(self) -> str:
        """The asset key, parts between spaces."""
        return " ".join(self.asset_key.parts)


@dataclass(init=False, frozen=True, slots=True)
class AssetMaterialization(_AssetFact):
    """The fact that an asset (or one partition of it) now exists.

    Args:
        asset_key: the asset.
        description: a sentence for people.
        metadata: facts about what was made; values of any kind that `MetadataValue` knows.
        partition: the partition, for a partitioned asset.
        tags: string facts that the system reads, such as data versions.
    """

    @staticmethod
    def file(
        path: str, description: str | None = None, asset_key: CoercibleToAssetKey | None = None
    ) -> AssetMaterialization:
        """The fact that a file was written: `asset_key` is the path unless given, the path becomes metadata."""
        key = asset_key if asset_key is not None else path
        return AssetMaterialization(key, description, {"path": MetadataValue.path(os.fspath(path))})


@dataclass(init=False, frozen=True, slots=True)
class AssetObservation(_AssetFact):
    """Something seen about an asset without making it. Arguments as for `AssetMaterialization`."""


@dataclass(init=False, frozen=True, slots=True)
class ExpectationResult:
    """Whether something that user code expected of its data is so. It changes nothing about how the step ends.

    Args:
        success: whether it is.
        label: what was expected, in a word.
        description: a sentence for people.
        metadata: facts about it.
    """

    success: bool
    label: str = "result"
    description: str | None = None
    metadata: dict[str, MetadataValue] = field(default_factory=dict)

    def __init__(
        self,
        success: bool,
        label: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        _set(self, "success", success)
        _set(self, "label", label or "result")
        _set(self, "description", description)
        _set(self, "metadata", normalize(metadata, "the metadata of an ExpectationResult") if metadata else {})


Reported: TypeAlias = AssetMaterialization | AssetObservation | ExpectationResult
"""What user code may report at any time: `context.log_event(...)`, or `yield` in an op."""


class TargetMaterialization(msgspec.Struct, frozen=True):
    """The materialization that a check looked at: its id in the log, its run, and when (epoch seconds)."""

    storage_id: int
    run_id: str
    timestamp: float


@dataclass(init=False, frozen=True, slots=True)
class AssetCheckEvaluation:
    """The outcome of one evaluation of an asset check.

    Args:
        asset_key: the asset that was checked.
        check_name: the check.
        passed: whether it passed.
        metadata: facts about the outcome.
        target_materialization_data: the materialization that was checked, when there is one.
        severity: how bad it is if it did not pass.
        description: a sentence for people.
        blocking: whether a failure with severity ERROR stops what is downstream.
        partition: the partition that was checked.
    """

    asset_key: AssetKey
    check_name: str
    passed: bool
    metadata: dict[str, MetadataValue] = field(default_factory=dict)
    target_materialization_data: TargetMaterialization | None = None
    severity: AssetCheckSeverity = AssetCheckSeverity.ERROR
    description: str | None = None
    blocking: bool | None = None
    partition: str | None = None

    def __init__(
        self,
        asset_key: CoercibleToAssetKey,
        check_name: str,
        passed: bool,
        metadata: Mapping[str, Any] | None = None,
        target_materialization_data: TargetMaterialization | None = None,
        severity: AssetCheckSeverity = AssetCheckSeverity.ERROR,
        description: str | None = None,
        blocking: bool | None = None,
        partition: str | None = None,
    ) -> None:
        _set(self, "asset_key", AssetKey.of(asset_key))
        _set(self, "check_name", check_name)
        _set(self, "passed", passed)
        _set(self, "metadata", normalize(metadata, "the metadata of an AssetCheckEvaluation") if metadata else {})
        _set(self, "target_materialization_data", target_materialization_data)
        _set(self, "severity", severity)
        _set(self, "description", description)
        _set(self, "blocking", blocking)
        _set(self, "partition", partition)

    @property
    def asset_check_key(self) -> AssetCheckKey:
        """The key of the check."""
        return AssetCheckKey(self.asset_key, self.check_name)
