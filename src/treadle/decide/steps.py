"""Steps, and how steps below dynamic outputs multiply.

A step that works on one value of a dynamic output is a template in the plan: `over` names the outputs, from the
outermost to the innermost, of which it gets one value each. When those are known it becomes one step for each
combination of their mapping keys, its coordinates: `inc[a]`, and below two outputs `inc[a,b]`. `inc[?]` stands for all
of them together, and `inc[a,?]` for those below `a`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.errors import DefinitionError
from treadle.spec.nodes import FromOutput, NodeSpec, OutputSpec

Dimension: TypeAlias = tuple[str, str]
"""A dynamic output: its node and its name."""


class Link(msgspec.Struct, frozen=True):
    """What a step needs of a node that is, or feeds, a template.

    Attributes:
        level: how many coordinates the two share; fewer than `depth` mean all steps of the node below these.
        depth: how many coordinates the steps of the node have.
    """

    node: str
    output: str
    level: int
    depth: int


class Step(msgspec.Struct, frozen=True):
    """A node that will run.

    Attributes:
        key: unique in the plan; the handle of its node, and its coordinates if it has any.
        node: the node.
        outputs: those of its outputs that are wanted.
        upstream: keys of the steps that must end before.
        sources: (step, output) pairs whose absence leaves it without something it needs.
        any_of: groups of such pairs, one a list of values: a list goes on with what there is, and needs one value.
        priority: among steps that are ready, higher goes first.
        over: the dynamic outputs of which it gets one value each; not empty for a template and what is made of it.
        mapped: its coordinates: a mapping key for each of these outputs.
        links, lists: of a template, what `sources` and `any_of` are made of.
    """

    key: str
    node: NodeSpec
    outputs: tuple[OutputSpec, ...]
    upstream: frozenset[str]
    sources: tuple[tuple[str, str], ...]
    priority: int = 0
    any_of: tuple[tuple[tuple[str, str], ...], ...] = ()
    over: tuple[Dimension, ...] = ()
    mapped: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    lists: tuple[tuple[Link, ...], ...] = ()

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of its op."""
        return self.node.tags

    @property
    def assets(self) -> tuple[AssetKey, ...]:
        """The assets it makes."""
        return tuple(output.asset for output in self.outputs if output.asset is not None)

    @property
    def checks(self) -> tuple[AssetCheckKey, ...]:
        """The checks it evaluates."""
        return tuple(output.check for output in self.outputs if output.check is not None)

    @property
    def mapping_key(self) -> str | None:
        """Its coordinates as text; None if it has none."""
        return ",".join(self.mapped) if self.mapped else None


def step_key(handle: str, coordinates: tuple[str, ...], depth: int) -> str:
    """The key of the step of a node at these coordinates; of all below them, if there are fewer than `depth`."""
    if not depth:
        return handle
    return f"{handle}[{','.join(coordinates if len(coordinates) == depth else (*coordinates, '?'))}]"


def at(step: Step, coordinates: tuple[str, ...]) -> Step:
    """The step that a template is at these coordinates, with the keys of what it waits for."""

    def source(link: Link) -> tuple[str, str]:
        return step_key(link.node, coordinates[: link.level], link.depth), link.output

    sources = tuple(source(link) for link in step.links)
    groups = tuple(tuple(source(link) for link in group) for group in step.lists)
    linked = {link.node for group in (step.links, *step.lists) for link in group}
    return msgspec.structs.replace(
        step,
        key=step_key(step.key, coordinates, len(step.over)),
        upstream=frozenset(
            [*(step.upstream - linked), *(key for group in (sources, *groups) for key, _ in group)],
        ),
        sources=(*(one for one in step.sources if one[0] not in linked), *sources),
        any_of=groups,
        mapped=coordinates,
    )


def below(step: Step, coordinates: tuple[str, ...]) -> Step:
    """What stands for all steps of a template below these coordinates, when none of them will run."""
    return msgspec.structs.replace(step, key=step_key(step.key, coordinates, len(step.over)), mapped=coordinates)


def spread(steps: dict[str, Step]) -> dict[str, Step]:
    """The steps, every one after those it waits for, with those below dynamic outputs made templates.

    Raises:
        DefinitionError: a step gets values of two dynamic outputs of which neither is below the other, or an asset is
            made once for each value.
    """
    made: dict[str, Step] = {}
    for key, step in steps.items():
        made[key] = _spread(step, made)
    return made


def _spread(step: Step, made: Mapping[str, Step]) -> Step:
    over: tuple[Dimension, ...] = ()
    links: list[Link] = []
    lists: list[tuple[Link, ...]] = []
    is_plain = True
    for spec in step.node.inputs:
        group: list[Link] = []
        for source in spec.sources:
            if type(source) is not FromOutput or source.node not in made:
                continue
            depth, dims = _dimensions(source, made)
            shared = dims[: max(0, len(dims) - source.collect)]
            if shared[: len(over)] == over[: len(shared)]:
                over = max(over, shared, key=len)
            else:
                raise _crossed(step, over, shared)
            group.append(Link(source.node, source.output, min(len(shared), depth), depth))
            is_plain = is_plain and not depth
        if len(spec.sources) > 1:
            lists.append(tuple(group))
        else:
            links += group
    if is_plain and not over:
        return step
    if over and (step.assets or step.checks):
        raise DefinitionError(
            f"{step.node.handle!r} makes an asset or a check, and would run once for each value of {over[-1][0]!r}. "
            "Collect the values before: `.collect()`."
        )
    template = msgspec.structs.replace(step, over=over, links=tuple(links), lists=tuple(lists))
    return template if over else at(template, ())


def _dimensions(source: FromOutput, steps: Mapping[str, Step]) -> tuple[int, tuple[Dimension, ...]]:
    """How many coordinates the steps of a source have; the dynamic outputs that its values come from."""
    step = steps[source.node]
    is_dynamic = any(output.is_dynamic for output in step.node.outputs if output.name == source.output)
    return len(step.over), (*step.over, (source.node, source.output)) if is_dynamic else step.over


def _crossed(step: Step, one: tuple[Dimension, ...], other: tuple[Dimension, ...]) -> DefinitionError:
    first, second = one[-1], other[-1]
    return DefinitionError(
        f"{step.node.handle!r} gets one value each of two dynamic outputs, {first[0]}.{first[1]} and "
        f"{second[0]}.{second[1]}, and neither is made from the other, so there are no pairs. Use `.collect()` for one "
        "of them, or make the second from values of the first."
    )


def values_of(
    steps: Mapping[str, Step],
    mapping_keys: Mapping[tuple[str, str], tuple[str, ...]],
    source: FromOutput,
    coordinates: tuple[str, ...],
) -> list[tuple[str, str | None]]:
    """Where the values are that a step at `coordinates` gets from a source: step keys, each with a mapping key if the
    output is dynamic. One, unless it is collected.

    Args:
        steps: those of the plan.
        mapping_keys: of each dynamic output so far, by step key and output.
    """
    if source.node not in steps:
        return [(source.node, None)]
    depth, dims = _dimensions(source, steps)
    level = max(0, len(dims) - source.collect)
    found = [coordinates[:level]]
    for index in range(level, len(dims)):
        handle, output = dims[index]
        found = [
            (*above, key) for above in found for key in mapping_keys.get((step_key(handle, above, index), output), ())
        ]
    return [(step_key(source.node, one[:depth], depth), one[depth] if len(dims) > depth else None) for one in found]
