"""Mappings between partitions with several dimensions, the default mapping, and how mappings travel."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple, Self

from treadle.core import codec
from treadle.core.mappings import (
    AllPartitionMapping,
    Between,
    IdentityPartitionMapping,
    LastPartitionMapping,
    PartitionMapping,
    SpecificPartitionsPartitionMapping,
    StaticPartitionMapping,
    TimeWindowPartitionMapping,
    UpstreamPartitionsResult,
)
from treadle.core.multi_partitions import SEPARATOR, MultiPartitionsDefinition
from treadle.core.partitions import PartitionsDefinition
from treadle.core.subsets import KeySubset, MultiSubset, PartitionSubset, Row
from treadle.core.time_partitions import TimeWindowPartitionsDefinition
from treadle.errors import DefinitionError, InvariantError


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

    def sides(self, between: Between) -> tuple[PartitionsDefinition, PartitionsDefinition]:
        """The definitions of the two dimensions."""
        return _dimension(between.upstream, self.upstream), _dimension(between.downstream, self.downstream)


class _DimensionwiseMapping(PartitionMapping):
    """Mappings that are made of one mapping a pair of dimensions. Dimensions in no pair are all-to-all.

    A subset is taken apart into boxes (a subset in every linked dimension, all combinations of which are in it), and
    the image of a box is the box of the images.
    """

    def _links(self, between: Between) -> list[_Link]:
        raise InvariantError(f"{type(self).__name__} has no links.")

    def _validate(self, between: Between) -> None:
        if between.downstream is None:
            raise self._misfit("the downstream asset has no partitions.")
        for link in self._links(between):
            link.mapping.validate_partition_mapping(*link.sides(between))

    def _upstream(self, subset: PartitionSubset | None, between: Between) -> UpstreamPartitionsResult:
        subset, links = self._required(subset), self._links(between)
        names = [link.downstream for link in links]
        # two upstream dimensions that follow one downstream dimension are not independent: take its keys one by one
        single = {name for name in names if names.count(name) > 1}
        found: PartitionSubset = between.upstream.empty_subset()
        missing: set[str] = set()
        for box in _boxes(subset, between.downstream, names, single):
            results: dict[str | None, UpstreamPartitionsResult] = {}
            for link in links:
                up, down = link.sides(between)
                results[link.upstream] = link.mapping.upstream(
                    box[link.downstream], down, up, between.now, between.store
                )
            found |= _combined(
                between.upstream, {name: result.partitions_subset for name, result in results.items()}, between
            )
            missing |= _missing(results, between)
        return UpstreamPartitionsResult(found, KeySubset(between.upstream, missing))

    def _downstream(self, subset: PartitionSubset, between: Between) -> PartitionSubset:
        links = self._links(between)
        found = between.every(between.downstream, wanted=False)
        for box in _boxes(subset, between.upstream, [link.upstream for link in links]):
            parts: dict[str | None, PartitionSubset] = {}
            for link in links:
                image = link.mapping.downstream(box[link.upstream], *link.sides(between), between.now, between.store)
                parts[link.downstream] = parts[link.downstream] & image if link.downstream in parts else image
            found |= _combined(between.downstream, parts, between)
        return found


def _dimension(definition: PartitionsDefinition | None, name: str | None) -> PartitionsDefinition:
    """The definition of a dimension, or the definition itself if it has none."""
    if isinstance(definition, MultiPartitionsDefinition) and name is not None:
        return definition.get_partitions_def_for_dimension(name)
    assert definition is not None
    return definition


def _boxes(
    subset: PartitionSubset,
    definition: PartitionsDefinition | None,
    names: Collection[str | None],
    single: Collection[str | None] = (),
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
        seen[key] = seen[key] | part if key in seen and inner in names else part
    # rows that differ only in the last outer dimension and hold the same inner partitions are one box
    boxes: dict[tuple[Row, object], tuple[list[str], PartitionSubset]] = {}
    for key, part in seen.items():
        content = part.content if inner in names else None
        boxes.setdefault((key[:-1], content), ([], part))[0].extend(key[-1:])
    for (fixed, _), (last, part) in boxes.items():
        keys = [*([key] for key in fixed), last]
        box: dict[str | None, PartitionSubset] = {
            name: _dimension(definition, name).subset_with_partition_keys(some)
            for (_, name), some in zip(outer, keys, strict=False)
        }
        if inner in names:
            box[inner] = part
        apart = [name for name in box if name in single]
        for alone in product(*(box[name] for name in apart)):
            yield box | {
                name: _dimension(definition, name).subset_with_partition_keys([key])
                for name, key in zip(apart, alone, strict=True)
            }


def _combined(
    definition: PartitionsDefinition | None, parts: Mapping[str | None, PartitionSubset], between: Between
) -> PartitionSubset:
    """All combinations of `parts`, with everything in the dimensions that `parts` does not name."""
    if not isinstance(definition, MultiPartitionsDefinition):
        return parts[None]
    return definition.product(
        [parts[name] if name in parts else between.every(one) for name, one in definition.partitions_defs]
    )


def _missing(results: Mapping[str | None, UpstreamPartitionsResult], between: Between) -> set[str]:
    """The combinations of needed keys of which at least one part does not exist."""
    lacking = {name: list(result.required_but_nonexistent_subset) for name, result in results.items()}
    if not any(lacking.values()):
        return set()
    if not isinstance(between.upstream, MultiPartitionsDefinition):
        return set(lacking[None])
    needed = {
        name: [*results[name].partitions_subset, *lacking[name]] if name in results else list(between.every(one))
        for name, one in between.upstream.partitions_defs
    }
    rows = (product(*(needed | {name: keys}).values()) for name, keys in lacking.items() if name is not None)
    return {SEPARATOR.join(parts) for row in rows for parts in row}


class MultiToSingleDimensionPartitionMapping(_DimensionwiseMapping):
    """One side has several dimensions, the other is one of them: a key needs all keys with the same part in it.

    Args:
        partition_dimension_name: the dimension; may be left out if only one fits the other side.
    """

    kind = "multi_to_single"
    _fields = ("partition_dimension_name",)

    def __init__(self, partition_dimension_name: str | None = None) -> None:
        self.partition_dimension_name = name = partition_dimension_name
        self._sentence = f"The partitions with the same {f'key in dimension {name!r}' if name else 'dimension'}."

    def _links(self, between: Between) -> list[_Link]:
        up, down = between.upstream, between.downstream
        if isinstance(up, MultiPartitionsDefinition) and not isinstance(down, MultiPartitionsDefinition):
            name = self._dimension_of(up, down)
            return [_Link(name, None, _between(_dimension(up, name), down))]
        if isinstance(down, MultiPartitionsDefinition) and not isinstance(up, MultiPartitionsDefinition):
            name = self._dimension_of(down, up)
            return [_Link(None, name, _between(up, _dimension(down, name)))]
        raise self._misfit("exactly one of the two assets must have several dimensions.")

    def _dimension_of(self, multi: MultiPartitionsDefinition, single: PartitionsDefinition | None) -> str:
        name = self.partition_dimension_name
        if name is not None and name not in multi.partition_dimension_names:
            raise self._misfit(f"there is no dimension {name!r} in {multi!s}.")
        fitting = _fitting_dimensions(multi, single) if name is None else [name]
        if len(fitting) != 1:
            what = "several dimensions fit" if fitting else "no dimension fits"
            raise self._misfit(f"{what} {single!s} in {multi!s}. Name one: partition_dimension_name=...")
        return fitting[0]


def _fitting_dimensions(multi: MultiPartitionsDefinition, single: PartitionsDefinition | None) -> list[str]:
    same = [name for name, one in multi.partitions_defs if one == single]
    if same or not isinstance(single, TimeWindowPartitionsDefinition):
        return same
    return [name for name, one in multi.partitions_defs if isinstance(one, TimeWindowPartitionsDefinition)]


def _between(*sides: PartitionsDefinition | None) -> PartitionMapping:
    by_time = all(isinstance(side, TimeWindowPartitionsDefinition) for side in sides)
    return TimeWindowPartitionMapping() if by_time else IdentityPartitionMapping()


class MultiPartitionMapping(_DimensionwiseMapping):
    """Dimension by dimension, each with a mapping of its own. Dimensions that are not named are all-to-all.

    Args:
        downstream_mappings_by_upstream_dimension: for upstream dimensions, the downstream dimension and the mapping.
    """

    kind = "multi"
    _fields = ("downstream_mappings_by_upstream_dimension",)

    def __init__(self, downstream_mappings_by_upstream_dimension: Mapping[str, DimensionPartitionMapping]) -> None:
        for name, value in downstream_mappings_by_upstream_dimension.items():
            if not isinstance(value, DimensionPartitionMapping):
                raise DefinitionError(
                    f"MultiPartitionMapping[{name!r}] must be a DimensionPartitionMapping, not {value!r}."
                )
        self.downstream_mappings_by_upstream_dimension = dict(downstream_mappings_by_upstream_dimension)

    @property
    def description(self) -> str:
        links = self.downstream_mappings_by_upstream_dimension.items()
        return " ".join(f"{up!r} by {down!r}: {mapping.description}" for up, (down, mapping) in links)

    @property
    def looks_back(self) -> bool:
        links = self.downstream_mappings_by_upstream_dimension.items()
        return any(up == down and mapping.looks_back for up, (down, mapping) in links)

    def _links(self, between: Between) -> list[_Link]:
        links = [_Link(up, *down) for up, down in self.downstream_mappings_by_upstream_dimension.items()]
        for side, definition, names in (
            ("upstream", between.upstream, [link.upstream for link in links]),
            ("downstream", between.downstream, [link.downstream for link in links]),
        ):
            if not isinstance(definition, MultiPartitionsDefinition):
                raise self._misfit(f"the {side} asset has not several dimensions but {definition!s}.")
            for name in names:
                if name not in definition.partition_dimension_names:
                    raise self._misfit(f"there is no {side} dimension {name!r} in {definition!s}.")
        return links

    def to_wire(self) -> dict[str, Any]:
        links = sorted(self.downstream_mappings_by_upstream_dimension.items(), key=lambda link: link[0])
        return {
            "kind": self.kind,
            "dimensions": {up: [down, mapping_to_wire(mapping)] for up, (down, mapping) in links},
        }

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            {up: DimensionPartitionMapping(down, KINDS.read(one)) for up, (down, one) in data["dimensions"].items()}
        )


class OpaquePartitionMapping(PartitionMapping):
    """What remains of a user's own mapping where the user's code is not loaded: its name. It maps nothing.

    Attributes:
        name: the class of the mapping.
    """

    kind = "opaque"
    _fields = ("name",)

    def __init__(self, name: str) -> None:
        self.name = self._sentence = name

    def _upstream(self, subset: object, between: Between) -> Any:
        raise InvariantError(
            f"The partition mapping {self.name} is user code, which is not loaded here. Ask its location."
        )

    _downstream = _upstream


def default_mapping(
    upstream_def: PartitionsDefinition | None, downstream_def: PartitionsDefinition | None
) -> PartitionMapping:
    """The mapping between two definitions when none was declared. None stands for an asset without partitions.

    Without partitions on either side: everything. Both by time: overlapping windows. One with several dimensions of
    which exactly one fits the other: that dimension. Otherwise the same key.
    """
    if upstream_def is None or downstream_def is None:
        return AllPartitionMapping()
    for multi, single in ((upstream_def, downstream_def), (downstream_def, upstream_def)):
        if (
            isinstance(multi, MultiPartitionsDefinition)
            and not isinstance(single, MultiPartitionsDefinition)
            and len(_fitting_dimensions(multi, single)) == 1
        ):
            return MultiToSingleDimensionPartitionMapping()
    return _between(upstream_def, downstream_def)


# --- the wire --------------------------------------------------------------------------------------------------------


def mapping_to_wire(mapping: PartitionMapping) -> dict[str, Any]:
    """The mapping as plain data. A class of the user's own, also one derived from ours, travels as its name."""
    return (mapping if KINDS.has(type(mapping)) else OpaquePartitionMapping(type(mapping).__qualname__)).to_wire()


KINDS = codec.Kinds("partition mapping", PartitionMapping, mapping_to_wire)
KINDS.add(
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
