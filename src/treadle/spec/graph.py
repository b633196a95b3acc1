"""The asset graph: what is made from what. There is only this one, for every process."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TypeVar

from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.errors import DefinitionError
from treadle.spec.assets import AssetCheckSpec, AssetSpec

_Key = TypeVar("_Key")


class AssetGraph:
    """Assets, what they are made from, and their checks.

    Args:
        specs: every asset that was declared.
        made_by: for each asset that something makes, the handle of the node that does. The others are external.
        checks: every check that was declared.
        neighbours: for each asset whose node makes it together with others and cannot leave those out, all of them.

    Assets that are only named as dependencies belong to the graph as external ones.
    """

    def __init__(
        self,
        specs: Iterable[AssetSpec],
        made_by: Mapping[AssetKey, str],
        checks: Iterable[AssetCheckSpec] = (),
        neighbours: Mapping[AssetKey, frozenset[AssetKey]] | None = None,
    ) -> None:
        self.specs: dict[AssetKey, AssetSpec] = {spec.key: spec for spec in specs}
        self.made_by = made_by
        self.checks: dict[AssetCheckKey, AssetCheckSpec] = {check.key: check for check in checks}
        self.neighbours: Mapping[AssetKey, frozenset[AssetKey]] = neighbours or {}
        same = {key: key for key in self.specs}  # equal keys become one object, so that `is` compares them below
        self.parents: dict[AssetKey, tuple[AssetKey, ...]] = {
            key: tuple([same.setdefault(dep.asset_key, dep.asset_key) for dep in spec.deps]) if spec.deps else ()
            for key, spec in self.specs.items()
        }
        if len(same) > len(self.specs):
            for key in same.keys() - self.specs.keys():
                self.specs[key] = AssetSpec(key)
                self.parents[key] = ()

    @cached_property
    def materializable(self) -> frozenset[AssetKey]:
        """The assets that something makes."""
        return frozenset(self.made_by)

    @cached_property
    def children(self) -> Mapping[AssetKey, Sequence[AssetKey]]:
        """For each asset, what is made from it."""
        found: dict[AssetKey, list[AssetKey]] = {key: [] for key in self.specs}
        for key, parents in self.parents.items():
            for parent in parents:
                if parent is not key:
                    found[parent].append(key)
        return {key: tuple(children) for key, children in found.items()}

    @cached_property
    def checks_by_asset(self) -> dict[AssetKey, tuple[AssetCheckSpec, ...]]:
        """For each asset that has checks, these."""
        found: dict[AssetKey, list[AssetCheckSpec]] = {}
        for check in self.checks.values():
            found.setdefault(check.asset_key, []).append(check)
        return {key: tuple(checks) for key, checks in found.items()}

    @cached_property
    def order(self) -> tuple[AssetKey, ...]:
        """Every asset after all it is made from; otherwise in the order of declaration.

        Raises:
            DefinitionError: assets depend on each other in a circle.
        """
        waiting = {key: len([1 for parent in parents if parent is not key]) for key, parents in self.parents.items()}
        order = in_order(waiting, self.children)
        if len(order) < len(self.parents):
            raise DefinitionError(_cycle_message({key for key, count in waiting.items() if count}, self.parents))
        return tuple(order)

    def upstream(self, keys: Iterable[AssetKey], depth: int | None = None) -> set[AssetKey]:
        """`keys` and what they are made from, `depth` levels up (all if None)."""
        return reach(keys, self.parents, depth)

    def downstream(self, keys: Iterable[AssetKey], depth: int | None = None) -> set[AssetKey]:
        """`keys` and what is made from them, `depth` levels down (all if None)."""
        return reach(keys, self.children, depth)


def in_order(waiting: dict[_Key, int], below: Mapping[_Key, Iterable[_Key]]) -> list[_Key]:
    """Every key after all that it waits for, otherwise as they came; those that wait for each other are left out.

    Args:
        waiting: for how many others each key waits; counted down to what is left.
        below: the keys that wait for a key.
    """
    order = [key for key, count in waiting.items() if not count]
    for key in order:  # grows while it is walked
        for child in below[key]:
            waiting[child] -= 1
            if not waiting[child]:
                order.append(child)
    return order


def reach(keys: Iterable[_Key], edges: Mapping[_Key, Collection[_Key]], depth: int | None = None) -> set[_Key]:
    """`keys` and what `depth` steps along `edges` lead to (any number if None)."""
    seen = set(keys)
    level = list(seen)
    while level and depth != 0:
        following = {other for key in level for other in edges.get(key, ()) if other not in seen}
        seen |= following
        level = list(following)
        depth = None if depth is None else depth - 1
    return seen


def _cycle_message(stuck: set[AssetKey], parents: Mapping[AssetKey, tuple[AssetKey, ...]]) -> str:
    """Names one circle among assets that could not be ordered."""
    key = min(stuck)
    path: list[AssetKey] = []
    while key not in path:  # every stuck asset has a stuck parent, so walking up must come round
        path.append(key)
        key = min(parent for parent in parents[key] if parent in stuck and parent != key)
    circle = [*path[path.index(key) :], key]
    names = " needs ".join(one.to_user_string() for one in circle)
    return f"Assets depend on each other in a circle: {names}. Remove one of these dependencies."
