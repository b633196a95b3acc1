"""Which partitions a run is about, and which of its assets' and inputs' partitions follow from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from treadle.author.io_contexts import AssetPartitions
from treadle.core import tags
from treadle.core.keys import AssetKey
from treadle.core.mappings import PartitionMapping
from treadle.core.multi_mappings import default_mapping
from treadle.core.multi_partitions import MultiPartitionsDefinition
from treadle.core.partitions import PartitionsDefinition
from treadle.core.subsets import PartitionKeyRange
from treadle.errors import InvariantError, InvocationError
from treadle.spec.assets import AssetSpec


class RunPartitions:
    """The partitions of a run, read from its tags.

    Attributes:
        key: the one partition, for a run of one.
        range: first and last, for a run of several.
    """

    def __init__(self, run_tags: Mapping[str, str], now: datetime, dynamic: Any) -> None:
        self.key = run_tags.get(tags.PARTITION)
        start, end = run_tags.get(tags.PARTITION_RANGE_START), run_tags.get(tags.PARTITION_RANGE_END)
        self.range = PartitionKeyRange(start, end) if start is not None and end is not None else None
        if self.key is None and self.range is not None and self.range.start == self.range.end:
            self.key = self.range.start
        self._now = now
        self._dynamic = dynamic
        self._made: dict[PartitionsDefinition, AssetPartitions] = {}

    @property
    def is_partitioned(self) -> bool:
        """Whether the run is about partitions at all."""
        return self.key is not None or self.range is not None

    def of(self, definition: PartitionsDefinition) -> AssetPartitions:
        """The partitions of an asset with this definition that the run makes."""
        known = self._made.get(definition)
        if known is None:
            known = self._made[definition] = AssetPartitions(self._keys(definition), definition)
        return known

    def _keys(self, definition: PartitionsDefinition) -> Sequence[str]:
        if self.range is not None:
            return definition.get_partition_keys_in_range(self.range, self._dynamic)
        if self.key is None:
            raise InvocationError(
                "The run makes a partitioned asset and has no partition. Run it for one: `partition_key=...` in "
                "Python, `--partition` on the command line."
            )
        if isinstance(definition, MultiPartitionsDefinition):
            return [definition.get_partition_key_from_str(self.key)]
        return [self.key]

    def upstream(
        self, spec: AssetSpec | None, mine: PartitionsDefinition | None, upstream: AssetSpec
    ) -> AssetPartitions | None:
        """The partitions of `upstream` that this run's partitions of `spec` read; None if it is not partitioned.

        Args:
            spec: the asset that depends on it; None for a check.
            mine: what the asset or the check is partitioned by.

        Raises:
            InvariantError: the mapping asks for partitions that do not exist, and does not allow that they do not.
        """
        theirs = upstream.partitions_def
        if theirs is None:
            return None
        mapping = _declared(spec, upstream.key) or default_mapping(theirs, mine)
        subset = mine.subset_with_partition_keys(self.of(mine).keys) if mine is not None else None
        found = mapping.upstream(subset, mine, theirs, self._now, self._dynamic)
        missing = found.required_but_nonexistent_partition_keys
        if missing:
            raise InvariantError(
                f"{', '.join(missing[:3])}{' and more' if len(missing) > 3 else ''}: there is no such partition of "
                f"{upstream.key}, and {spec.key if spec is not None else 'this step'} needs it in this run. Give the "
                "dependency another partition_mapping, such as TimeWindowPartitionMapping("
                "allow_nonexistent_upstream_partitions=True), or run partitions that have what they need."
            )
        keys: Sequence[str] = list(found.partitions_subset)
        if isinstance(theirs, MultiPartitionsDefinition):
            keys = [theirs.get_partition_key_from_str(key) for key in keys]
        return AssetPartitions(keys, theirs)


def _declared(spec: AssetSpec | None, key: AssetKey) -> PartitionMapping | None:
    return next((dep.partition_mapping for dep in spec.deps if dep.asset_key == key), None) if spec else None


def partition_tags(
    definition: PartitionsDefinition | None, key: str | None, key_range: PartitionKeyRange | None
) -> dict[str, str]:
    """The run tags that name a partition or a range of them."""
    found: dict[str, str] = {}
    if key is not None:
        found.update(definition.get_tags_for_partition_key(key) if definition is not None else {tags.PARTITION: key})
    if key_range is not None:
        found[tags.PARTITION_RANGE_START], found[tags.PARTITION_RANGE_END] = key_range.start, key_range.end
    return found
