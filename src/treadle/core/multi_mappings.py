"""Mappings between partitions with several dimensions, the default mapping, and how mappings travel."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from treadle.core import codec
from treadle.core.mappings import (
    AllPartitionMapping,
    IdentityPartitionMapping,
    LastPartitionMapping,
    Now,
    PartitionMapping,
    SpecificPartitionsPartitionMapping,
    StaticPartitionMapping,
    Store,
    TimeWindowPartitionMapping,
    UpstreamPartitionsResult,
    misfit,
)
from treadle.core.multi_partitions import SEPARATOR, MultiPartitionsDefinition
from treadle.core.partitions import PartitionsDefinition
from treadle.core.subsets import KeySubset, MultiSubset, PartitionSubset, PositionSubset, Row, TimeSubset
from treadle.core.time_partitions import TimeWindowPartitionsDefinition
from treadle.errors import DefinitionError, InvariantError, InvocationError


class DimensionPartitionMapping(NamedTuple):
    """How an upstream dimension depends on a downstream one.

    Attributes:
        dimension_name: the downstream dimension.
        partition_mapping: the mapping between the two dimensions.
    """

    dimension_name: str
    partition_mapping: PartitionMapping


class _Link(NamedTuple):
    """An upstream dimension, the downstream dimension it is mapped to, and how. None names an undivided side."""

    upstream: str | None
    downstream: str | None
    mapping: PartitionMapping


class _DimensionwiseMapping(PartitionMapping):
    """Mappings that are made of one mapping a pair of dimensions. Dimensions in no pair are all-to-all.

    A subset is taken apart into boxes (a subset in every linked dimension, all combinations of which are in it), and
    the image of a box is the box of the images.
    """

    def _links(self, upstream_def: PartitionsDefinition, downstream_def: PartitionsDefinition) -> list[_Link]:
        raise InvariantError(f"{type(self).__name__} has no links.")

    def validate_partition_mapping(
        self, upstream_partitions_def: PartitionsDefinition, downstream_partitions_def: PartitionsDefinition | None
    ) -> None:
        """Raise unless the dimensions fit."""
        if downstream_partitions_def is None:
            raise misfit(self, "the downstream asset has no partitions.")
        for link in self._links(upstream_partitions_def, downstream_partitions_def):
            link.mapping.validate_partition_mapping(
                _dimension(upstream_partitions_def, link.upstream),
                _dimension(downstream_partitions_def, link.downstream),
            )

    def upstream(
        self,
        downstream_subset: PartitionSubset | None,
        downstream_def: PartitionsDefinition | None,
        upstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> UpstreamPartitionsResult:
        """The upstream combinations whose linked parts these downstream ones need."""
        if downstream_subset is None or downstream_def is None:
            raise misfit(self, "the downstream asset has no partitions.")
        links = self._links(upstream_def, downstream_def)
        names = [link.downstream for link in links]
        # two upstream dimensions that follow one downstream dimension are not independent: take its keys one by one
        single = {name for name in names if names.count(name) > 1}
        found: PartitionSubset = upstream_def.empty_subset()
        missing: set[str] = set()
        for box in _boxes(downstream_subset, downstream_def, names, single):
            results = {
                link.upstream: link.mapping.upstream(
                    box[link.downstream],
                    _dimension(downstream_def, link.downstream),
                    _dimension(upstream_def, link.upstream),
                    current_time,
                    dynamic_partitions_store,
                )
                for link in links
            }
            parts = {name: result.partitions_subset for name, result in results.items()}
            found = found | _combined(upstream_def, parts, current_time, dynamic_partitions_store)
            missing |= _missing(upstream_def, results, current_time, dynamic_partitions_store)
        return UpstreamPartitionsResult(found, KeySubset(upstream_def, missing))

    def downstream(
        self,
        upstream_subset: PartitionSubset,
        upstream_def: PartitionsDefinition,
        downstream_def: PartitionsDefinition,
        current_time: Now = None,
        dynamic_partitions_store: Store = None,
    ) -> PartitionSubset:
        """The downstream combinations whose linked parts need these upstream ones."""
        links = self._links(upstream_def, downstream_def)
        found: PartitionSubset = downstream_def.empty_subset()
        for box in _boxes(upstream_subset, upstream_def, [link.upstream for link in links], set()):
            parts: dict[str | None, PartitionSubset] = {}
            for link in links:
                image = link.mapping.downstream(
                    box[link.upstream],
                    _dimension(upstream_def, link.upstream),
                    _dimension(downstream_def, link.downstream),
                    current_time,
                    dynamic_partitions_store,
                )
                parts[link.downstream] = parts[link.downstream] & image if link.downstream in parts else image
            found = found | _combined(downstream_def, parts, current_time, dynamic_partitions_store)
        return found


def _dimension(definition: PartitionsDefinition, name: str | None) -> PartitionsDefinition:
    """The definition of a dimension, or the definition itself if it has none."""
    if name is None:
        return definition
    assert isinstance(definition, MultiPartitionsDefinition)
    return definition.get_partitions_def_for_dimension(name)


def _boxes(
    subset: PartitionSubset,
    definition: PartitionsDefinition,
    names: Collection[str | None],
    single: Collection[str | None],
) -> Iterator[dict[str | None, PartitionSubset]]:
    """The subset seen in the named dimensions only, as boxes. The keys of `single` dimensions are kept apart."""
    if subset.is_empty:
        return
    if not isinstance(definition, MultiPartitionsDefinition):
        yield dict.fromkeys(names, subset)
        return
    if not isinstance(subset, MultiSubset):
        subset = definition.subset_of_known(subset)[0]
    inner = definition.inner_dimension
    outer = [(i, name) for i, name in enumerate(definition.outer_dimensions) if name in names]
    seen: dict[Row, PartitionSubset] = {}
    for row, part in subset.rows.items():
        key = tuple(row[i] for i, _ in outer)
        seen[key] = seen[key] | part if key in seen and inner in names and seen[key] is not part else part
    # rows that differ only in the last outer dimension and hold the same inner partitions are one box
    boxes: dict[tuple[Row, object], tuple[list[str], PartitionSubset]] = {}
    for key, part in seen.items():
        content = None if inner not in names else _content(part)
        boxes.setdefault((key[:-1], content), ([], part))[0].extend(key[-1:])
    for (fixed, _), (last, part) in boxes.items():
        keys = [*([key] for key in fixed), *([last] if outer else [])]
        box: dict[str | None, PartitionSubset] = {
            name: definition.get_partitions_def_for_dimension(name).subset_with_partition_keys(some)
            for (_, name), some in zip(outer, keys, strict=True)
        }
        if inner in names:
            box[inner] = part
        yield from _split(box, definition, single)


def _content(subset: PartitionSubset) -> object:
    """Something equal for equal subsets of one definition, and cheap."""
    if isinstance(subset, TimeSubset):
        return subset.spans
    return subset.positions.serialize() if isinstance(subset, PositionSubset) else frozenset(subset)


def _split(
    box: dict[str | None, PartitionSubset], definition: MultiPartitionsDefinition, single: Collection[str | None]
) -> Iterator[dict[str | None, PartitionSubset]]:
    names = [name for name in box if name in single]
    for keys in product(*(box[name] for name in names)):
        alone = {
            name: _dimension(definition, name).subset_with_partition_keys([key])
            for name, key in zip(names, keys, strict=True)
        }
        yield box | alone


def _combined(
    definition: PartitionsDefinition, parts: Mapping[str | None, PartitionSubset], now: Now, store: Store
) -> PartitionSubset:
    """All combinations of `parts`, with everything in the dimensions that `parts` does not name."""
    if not isinstance(definition, MultiPartitionsDefinition):
        return parts[None]
    return definition.product(
        [
            parts[name] if name in parts else one.subset_with_all_partitions(now, store)
            for name, one in definition.partitions_defs
        ]
    )


def _missing(
    definition: PartitionsDefinition, results: Mapping[str | None, UpstreamPartitionsResult], now: Now, store: Store
) -> set[str]:
    """The combinations of needed keys of which at least one part does not exist."""
    lacking = {
        name: list(result.required_but_nonexistent_subset)
        for name, result in results.items()
        if not result.required_but_nonexistent_subset.is_empty
    }
    if not lacking:
        return set()
    if not isinstance(definition, MultiPartitionsDefinition):
        return set(lacking[None])
    needed = {
        name: [*results[name].partitions_subset, *lacking.get(name, ())]
        if name in results
        else one.get_partition_keys(now, store)
        for name, one in definition.partitions_defs
    }
    found: set[str] = set()
    for name, keys in lacking.items():
        found.update(map(SEPARATOR.join, product(*(keys if other == name else needed[other] for other in needed))))
    return found


class MultiToSingleDimensionPartitionMapping(_DimensionwiseMapping):
    """One side has several dimensions, the other is one of them: a key needs all keys with the same part in it.

    Args:
        partition_dimension_name: the dimension; may be left out if only one fits the other side.
    """

    kind = "multi_to_single"

    def __init__(self, partition_dimension_name: str | None = None) -> None:
        self.partition_dimension_name = partition_dimension_name

    @property
    def description(self) -> str:
        """What the mapping does, in a sentence."""
        name = self.partition_dimension_name
        return (
            f"The partitions with the same key in dimension {name!r}."
            if name
            else "The partitions with the same dimension."
        )

    def _links(self, upstream_def: PartitionsDefinition, downstream_def: PartitionsDefinition) -> list[_Link]:
        if isinstance(upstream_def, MultiPartitionsDefinition) == isinstance(downstream_def, MultiPartitionsDefinition):
            raise misfit(self, "exactly one of the two assets must have several dimensions.")
        if isinstance(upstream_def, MultiPartitionsDefinition):
            name = self._dimension_of(upstream_def, downstream_def)
            return [_Link(name, None, _between(_dimension(upstream_def, name), downstream_def))]
        assert isinstance(downstream_def, MultiPartitionsDefinition)
        name = self._dimension_of(downstream_def, upstream_def)
        return [_Link(None, name, _between(upstream_def, _dimension(downstream_def, name)))]

    def _dimension_of(self, multi: MultiPartitionsDefinition, single: PartitionsDefinition) -> str:
        if self.partition_dimension_name is not None:
            if self.partition_dimension_name not in multi.partition_dimension_names:
                raise misfit(self, f"there is no dimension {self.partition_dimension_name!r} in {multi!s}.")
            return self.partition_dimension_name
        fitting = _fitting_dimensions(multi, single)
        if len(fitting) != 1:
            what = "several dimensions fit" if fitting else "no dimension fits"
            raise misfit(self, f"{what} {single!s} in {multi!s}. Name one: partition_dimension_name=...")
        return fitting[0]

    def to_wire(self) -> dict[str, Any]:
        """The mapping as plain data."""
        return {"kind": self.kind, "partition_dimension_name": self.partition_dimension_name}

    def __repr__(self) -> str:
        return f"MultiToSingleDimensionPartitionMapping({self.partition_dimension_name!r})"


def _fitting_dimensions(multi: MultiPartitionsDefinition, single: PartitionsDefinition) -> list[str]:
    same = [name for name, one in multi.partitions_defs if one == single]
    if same or not isinstance(single, TimeWindowPartitionsDefinition):
        return same
    return [name for name, one in multi.partitions_defs if isinstance(one, TimeWindowPartitionsDefinition)]


def _between(upstream_def: PartitionsDefinition, downstream_def: PartitionsDefinition) -> PartitionMapping:
    both_by_time = isinstance(upstream_def, TimeWindowPartitionsDefinition) and isinstance(
        downstream_def, TimeWindowPartitionsDefinition
    )
    return TimeWindowPartitionMapping() if both_by_time else IdentityPartitionMapping()


class MultiPartitionMapping(_DimensionwiseMapping):
    """Dimension by dimension, each with a mapping of its own. Dimensions that are not named are all-to-all.

    Args:
        downstream_mappings_by_upstream_dimension: for upstream dimensions, the downstream dimension and the mapping.
    """

    kind = "multi"

    def __init__(self, downstream_mappings_by_upstream_dimension: Mapping[str, DimensionPartitionMapping]) -> None:
        for name, value in downstream_mappings_by_upstream_dimension.items():
            if not isinstance(value, DimensionPartitionMapping):
                raise DefinitionError(
                    f"MultiPartitionMapping[{name!r}] must be a DimensionPartitionMapping, not {value!r}."
                )
        self.downstream_mappings_by_upstream_dimension = dict(downstream_mappings_by_upstream_dimension)

    @property
    def description(self) -> str:
        """What the mapping does, in a sentence."""
        links = self.downstream_mappings_by_upstream_dimension.items()
        return " ".join(
            f"{up!r} by {down.dimension_name!r}: {down.partition_mapping.description}" for up, down in links
        )

    def _links(self, upstream_def: PartitionsDefinition, downstream_def: PartitionsDefinition) -> list[_Link]:
        for side, definition in (("upstream", upstream_def), ("downstream", downstream_def)):
            if not isinstance(definition, MultiPartitionsDefinition):
                raise misfit(self, f"the {side} asset has not several dimensions but {definition!s}.")
        assert isinstance(upstream_def, MultiPartitionsDefinition)
        assert isinstance(downstream_def, MultiPartitionsDefinition)
        links = self.downstream_mappings_by_upstream_dimension
        for side, definition, names in (
            ("upstream", upstream_def, list(links)),
            ("downstream", downstream_def, [link.dimension_name for link in links.values()]),
        ):
            for name in names:
                if name not in definition.partition_dimension_names:
                    raise misfit(self, f"there is no {side} dimension {name!r} in {definition!s}.")
        return [_Link(up, down.dimension_name, down.partition_mapping) for up, down in links.items()]

    def to_wire(self) -> dict[str, Any]:
        """The mapping as plain data."""
        links = self.downstream_mappings_by_upstream_dimension
        return {
            "kind": self.kind,
            "dimensions": {
                up: [down.dimension_name, mapping_to_wire(down.partition_mapping)] for up, down in links.items()
            },
        }

    def _value(self) -> object:
        return sorted(self.downstream_mappings_by_upstream_dimension.items(), key=lambda item: item[0])

    def __repr__(self) -> str:
        return f"MultiPartitionMapping({self.downstream_mappings_by_upstream_dimension!r})"


class OpaquePartitionMapping(PartitionMapping):
    """What remains of a user's own mapping where the user's code is not loaded: its name. It maps nothing.

    Attributes:
        name: the class of the mapping.
    """

    kind = "opaque"

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def description(self) -> str:
        """What the mapping does, in a sentence."""
        return self.name

    def _refuse(self) -> InvariantError:
        return InvariantError(
            f"The partition mapping {self.name} is user code, which is not loaded here. Ask its location."
        )

    def upstream(self, *args: Any, **kwargs: Any) -> UpstreamPartitionsResult:
        """Always raises `InvariantError`."""
        raise self._refuse()

    def downstream(self, *args: Any, **kwargs: Any) -> PartitionSubset:
        """Always raises `InvariantError`."""
        raise self._refuse()

    def to_wire(self) -> dict[str, Any]:
        """The mapping as plain data."""
        return {"kind": self.kind, "name": self.name}

    def __repr__(self) -> str:
        return f"OpaquePartitionMapping({self.name!r})"


def default_mapping(
    upstream_def: PartitionsDefinition | None, downstream_def: PartitionsDefinition | None
) -> PartitionMapping:
    """The mapping between two definitions when none was declared. None stands for an asset without partitions.

    Without partitions on either side: everything. Both by time: overlapping windows. One with several dimensions of
    which exactly one fits the other: that dimension. Otherwise the same key.
    """
    if upstream_def is None or downstream_def is None:
        return AllPartitionMapping()
    multi_up = isinstance(upstream_def, MultiPartitionsDefinition)
    multi_down = isinstance(downstream_def, MultiPartitionsDefinition)
    if multi_up != multi_down:
        multi, single = (upstream_def, downstream_def) if multi_up else (downstream_def, upstream_def)
        assert isinstance(multi, MultiPartitionsDefinition)
        if len(_fitting_dimensions(multi, single)) == 1:
            return MultiToSingleDimensionPartitionMapping()
    return _between(upstream_def, downstream_def)


# --- the wire --------------------------------------------------------------------------------------------------------

_PLAIN: dict[str, Callable[[Mapping[str, Any]], PartitionMapping]] = {
    IdentityPartitionMapping.kind: lambda data: IdentityPartitionMapping(),
    AllPartitionMapping.kind: lambda data: AllPartitionMapping(),
    LastPartitionMapping.kind: lambda data: LastPartitionMapping(),
    SpecificPartitionsPartitionMapping.kind: lambda data: SpecificPartitionsPartitionMapping(data["partition_keys"]),
    StaticPartitionMapping.kind: lambda data: StaticPartitionMapping(data["downstream_by_upstream"]),
    TimeWindowPartitionMapping.kind: lambda data: TimeWindowPartitionMapping(
        data["start_offset"], data["end_offset"], data["allow_nonexistent_upstream_partitions"]
    ),
    MultiToSingleDimensionPartitionMapping.kind: lambda data: MultiToSingleDimensionPartitionMapping(
        data["partition_dimension_name"]
    ),
    MultiPartitionMapping.kind: lambda data: MultiPartitionMapping(
        {
            up: DimensionPartitionMapping(down, mapping_from_wire(mapping))
            for up, (down, mapping) in data["dimensions"].items()
        }
    ),
    OpaquePartitionMapping.kind: lambda data: OpaquePartitionMapping(data["name"]),
}
_OURS = (
    IdentityPartitionMapping,
    AllPartitionMapping,
    LastPartitionMapping,
    SpecificPartitionsPartitionMapping,
    StaticPartitionMapping,
    TimeWindowPartitionMapping,
    MultiToSingleDimensionPartitionMapping,
    MultiPartitionMapping,
    OpaquePartitionMapping,
)


def mapping_to_wire(mapping: PartitionMapping) -> dict[str, Any]:
    """The mapping as plain data. A class of the user's own, also one derived from ours, travels as its name."""
    if type(mapping) in _OURS:
        return mapping.to_wire()
    return {"kind": OpaquePartitionMapping.kind, "name": type(mapping).__qualname__}


def mapping_from_wire(data: Mapping[str, Any]) -> PartitionMapping:
    """The mapping whose `mapping_to_wire` gave `data`.

    Raises:
        InvocationError: its kind is not known here.
    """
    read = _PLAIN.get(data["kind"])
    if read is None:
        raise InvocationError(f"Unknown kind of partition mapping {data['kind']!r}: written by a newer Treadle?")
    return read(data)


for _cls in (PartitionMapping, *_OURS):
    codec.register(_cls, mapping_to_wire, mapping_from_wire)
