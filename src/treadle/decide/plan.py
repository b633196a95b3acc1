"""From a selection to steps: what will run, in which order, with what wired to what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

import msgspec

from treadle.core import tags
from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.decide.steps import Step, spread
from treadle.errors import DefinitionError, SelectionError, StepNotFoundError
from treadle.spec.graph import in_order
from treadle.spec.nodes import FromAsset, FromOutput, NodeSpec, OutputSpec


class Plan(msgspec.Struct, frozen=True):
    """The steps of a run.

    Attributes:
        steps: by handle, every step after those it waits for; below dynamic outputs templates of steps.
        producers: for each asset that the run makes, the step and output that do.
    """

    steps: dict[str, Step]
    producers: Mapping[AssetKey, tuple[str, str]]

    @property
    def handles(self) -> AbstractSet[str]:
        """The nodes that run."""
        return {step.node.handle for step in self.steps.values()}


class Selection(msgspec.Struct, frozen=True):
    """What of a job shall run; None leaves a choice open.

    Attributes:
        assets, checks: of an asset job, these.
        handles: of an op job, the nodes with these handles.
        steps: of a re-execution, these steps.
    """

    assets: AbstractSet[AssetKey] | None = None
    checks: AbstractSet[AssetCheckKey] | None = None
    handles: AbstractSet[str] | None = None
    steps: AbstractSet[str] | None = None


EVERYTHING = Selection()

Part: TypeAlias = tuple[str, NodeSpec, tuple[OutputSpec, ...]]
"""What becomes a step: its key, its node, and the outputs of it that are wanted."""


def plan(nodes: Iterable[NodeSpec], selection: Selection = EVERYTHING) -> Plan:
    """The steps that a selection of `nodes` needs.

    Raises:
        SelectionError: only part is selected of a node that cannot make parts.
        StepNotFoundError: a step is asked for that there is not.
        DefinitionError: nodes wait for each other in a circle.
    """
    parts = [(node.handle, node, outputs) for node in nodes if (outputs := _wanted(node, selection)) is not None]
    steps, producers = _wired(parts)
    ordered, stuck = _ordered(steps)
    if divisible := {step.key for step in stuck if _is_divisible(step)}:
        steps, producers = _wired(_divided(parts, divisible))
        ordered, stuck = _ordered(steps)
    if stuck:
        raise DefinitionError(
            f"Steps wait for each other in a circle: {', '.join(sorted(step.key for step in stuck))}. Split the ops "
            "that make several assets, so that none needs what is made from it."
        )
    if selection.steps is not None:
        ordered, _ = _ordered(_only(list(ordered.values()), selection.steps))
        producers = {key: made for key, made in producers.items() if made[0] in selection.steps}
    if any(output.is_dynamic for step in ordered.values() for output in step.node.outputs):
        ordered = spread(ordered)
    return Plan(ordered, producers)


def _wired(parts: list[Part]) -> tuple[list[Step], dict[AssetKey, tuple[str, str]]]:
    """The steps that parts of nodes are, with what each waits for; for each asset the step and output that make it."""
    producers: dict[AssetKey, tuple[str, str]] = {}
    gates: dict[AssetKey, list[str]] = {}
    for key, node, outputs in parts:
        for output in outputs:
            if output.asset is not None:
                producers[output.asset] = (key, output.name)
            elif output.check is not None and output.check in node.blocking:
                gates.setdefault(output.check.asset_key, []).append(key)
    keys = {key for key, _, _ in parts}
    return [_step(part, producers, gates, keys) for part in parts], producers


def _is_divisible(step: Step) -> bool:
    """Whether its op can make its assets in several calls."""
    return step.node.can_subset and not step.node.serves and len(step.assets) > 1


def _divided(parts: list[Part], handles: AbstractSet[str]) -> list[Part]:
    """The parts, those of these nodes divided so that other steps can come between what one op makes.

    Each asset is taken for itself first, with its checks; what waits for what is clear then. In that order, all that
    one node can make at a time becomes one part. If assets wait for each other, dividing does not help.
    """
    single: list[Part] = []
    for key, node, outputs in parts:
        groups: dict[AssetKey | None, list[OutputSpec]] = {}
        for output in outputs if key in handles else ():
            groups.setdefault(output.asset or (output.check and output.check.asset_key), []).append(output)
        single.extend((f"{key} {asset}", node, tuple(group)) for asset, group in groups.items())
        if not groups:
            single.append((key, node, outputs))
    waiting, stuck = _ordered(_wired(single)[0])
    if stuck:
        return parts
    made: dict[str, Part] = {}

    def take(of: Callable[[NodeSpec], bool]) -> list[Step]:
        """What need not wait any longer."""
        ready = (one for one in list(waiting.values()) if of(one.node) and waiting.keys().isdisjoint(one.upstream))
        return [waiting.pop(one.key) for one in ready]

    while waiting:
        made.update(
            (one.key, (one.key, one.node, one.outputs)) for one in take(lambda node: node.handle not in handles)
        )
        for node in [one.node for one in waiting.values()][:1]:
            taken = take(lambda one, node=node: one is node)
            key, number = node.handle, 2
            while key in made or (number > 2 and any(key == other for other, _, _ in parts)):
                key, number = f"{node.handle}_{number}", number + 1
            made[key] = (key, node, tuple(output for one in taken for output in one.outputs))
    return list(made.values())


def _wanted(node: NodeSpec, selection: Selection) -> tuple[OutputSpec, ...] | None:
    """The outputs of `node` that are selected; None if the node is not."""
    if selection.handles is not None and node.handle not in selection.handles:
        return None
    assets, checks = selection.assets, selection.checks
    if assets is None and checks is None:
        return node.outputs
    if node.serves:
        return _wanted_of_part(node, assets)
    wanted = tuple(
        output
        for output in node.outputs
        if (output.asset is None and output.check is None)
        or (output.asset is not None and (assets is None or output.asset in assets))
        or (output.check is not None and (checks is None or output.check in checks))
    )
    if len(wanted) == len(node.outputs):
        return wanted
    if not any(output.asset or output.check for output in wanted):
        return None
    if not node.can_subset and any(output.asset for output in wanted):
        left_out = [output.asset for output in node.outputs if output.asset and output not in wanted]
        if left_out:
            raise SelectionError(
                f"{node.op_name!r} makes all of its assets at once, and {left_out[0].to_user_string()!r} is not "
                "selected. Select all of them, or declare it with can_subset=True and make only what is asked for."
            )
    return wanted


def _wanted_of_part(node: NodeSpec, assets: AbstractSet[AssetKey] | None) -> tuple[OutputSpec, ...] | None:
    """The outputs of one of several ops that make assets together: all or none, as the others may need each of them."""
    if assets is None or assets >= node.serves:
        return node.outputs
    if assets.isdisjoint(node.serves):
        return None
    if not node.can_subset:
        raise SelectionError(
            f"{node.handle.partition('.')[0]!r} makes all of its assets at once, and "
            f"{min(node.serves - assets).to_user_string()!r} is not selected. Select all of them, or declare it with "
            "can_subset=True."
        )
    return tuple(output for output in node.outputs if output.observes is None or output.observes in assets)


def _step(
    part: Part,
    producers: Mapping[AssetKey, tuple[str, str]],
    gates: Mapping[AssetKey, Sequence[str]],
    keys: AbstractSet[str],
) -> Step:
    own, node, outputs = part
    sources: list[tuple[str, str]] = []
    upstream: set[str] = set()
    lists: list[tuple[tuple[str, str], ...]] = []
    for spec in node.inputs:
        if len(spec.sources) > 1 and all(type(source) is FromOutput for source in spec.sources):
            lists.append(tuple((one.node, one.output) for one in spec.sources if type(one) is FromOutput))
        for source in spec.sources:
            if type(source) is FromOutput and source.node in keys:
                upstream.add(source.node)
                if len(spec.sources) == 1:
                    sources.append((source.node, source.output))
            elif type(source) is FromAsset:
                _need(source.key, own, producers, gates, upstream, sources)
    for output in outputs:
        if output.asset is not None:
            for key in node.deps.get(output.asset, ()):
                _need(key, own, producers, gates, upstream, sources)
    for key in node.after if any(output.check for output in outputs) else ():
        producer = producers.get(key)
        if producer is not None and producer[0] != own:
            upstream.add(producer[0])
            sources.append(producer)
    priority = node.tags.get(tags.PRIORITY) if node.tags else None
    return Step(
        own, node, outputs, frozenset(upstream), tuple(sources), _priority(priority) if priority else 0,
        tuple(lists),
    )  # fmt: skip


def _need(
    key: AssetKey,
    handle: str,
    producers: Mapping[AssetKey, tuple[str, str]],
    gates: Mapping[AssetKey, Sequence[str]],
    upstream: set[str],
    sources: list[tuple[str, str]],
) -> None:
    producer = producers.get(key)
    if producer is None or producer[0] == handle:
        return
    upstream.add(producer[0])
    sources.append(producer)
    if gates:
        upstream.update(gate for gate in gates.get(key, ()) if gate != handle)


def _priority(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise DefinitionError(f"The tag {tags.PRIORITY!r} must be a whole number, not {text!r}.") from None


def _only(steps: list[Step], keys: AbstractSet[str]) -> list[Step]:
    """The steps with these keys, waiting only for each other; what the others made is read from where it was stored."""
    unknown = keys - {step.key for step in steps}
    if unknown:
        raise StepNotFoundError(
            f"The plan has no step {sorted(unknown)[0]!r}. Its steps: {', '.join(sorted(s.key for s in steps))}.",
            step_keys=tuple(sorted(unknown)),
        )
    return [
        msgspec.structs.replace(
            step, upstream=step.upstream & keys, sources=tuple(one for one in step.sources if one[0] in keys)
        )
        for step in steps
        if step.key in keys
    ]


def _ordered(steps: list[Step]) -> tuple[dict[str, Step], list[Step]]:
    """By key, every step after those it waits for, otherwise as they came; and those that wait for each other."""
    by_key = {step.key: step for step in steps}
    waiting = {step.key: len(step.upstream) for step in steps}
    below: dict[str, list[str]] = {key: [] for key in by_key}
    for step in steps:
        for key in step.upstream:
            below[key].append(step.key)
    order = in_order(waiting, below)
    return {key: by_key[key] for key in order}, [by_key[key] for key, count in waiting.items() if count]
