"""One evaluation of a selection on one asset graph: the indexes it needs, each made once, and what was found so far."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any, Protocol, TypeAlias

from treadle.core import tags
from treadle.core.keys import AssetCheckKey, AssetKey, did_you_mean
from treadle.spec.assets import DEFAULT_GROUP
from treadle.spec.graph import AssetGraph

Assets: TypeAlias = AbstractSet[AssetKey]
Checks: TypeAlias = AbstractSet[AssetCheckKey]
NO_ASSETS: frozenset[AssetKey] = frozenset()
_SHOWN_MISSING = 5


class AttributeMatch(Protocol):
    """`name:value` or `name:value=equals`, for an attribute that definitions alone cannot answer."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str | None: ...
    @property
    def equals(self) -> str | None: ...


Lookup: TypeAlias = Callable[[AttributeMatch, AssetGraph], Assets]
"""Finds the assets for such an attribute."""


class Selects(Protocol):
    """Something that selects assets and checks in a view."""

    def _assets(self, view: View) -> Assets: ...
    def _checks(self, view: View) -> Checks: ...


class View:
    """One evaluation on one graph: indexes are made once, and each part of the tree is evaluated once."""

    def __init__(self, graph: AssetGraph, allow_missing: bool, lookup: Lookup | None) -> None:
        self.graph = graph
        self.allow_missing = allow_missing
        self.lookup = lookup
        self._found: dict[int, Assets] = {}
        self._found_checks: dict[int, Checks] = {}

    def assets(self, selection: Selects) -> Assets:
        """The assets of `selection`. Shared between callers: never changed."""
        found = self._found.get(id(selection))
        if found is None:
            found = self._found[id(selection)] = selection._assets(self)
        return found

    def checks(self, selection: Selects) -> Checks:
        """The checks of `selection`. Shared between callers: never changed."""
        found = self._found_checks.get(id(selection))
        if found is None:
            found = self._found_checks[id(selection)] = selection._checks(self)
        return found

    def checks_of(self, keys: Assets) -> Checks:
        """The checks of these assets."""
        by_asset = self.graph.checks_by_asset
        return {check.key for key in by_asset.keys() & keys for check in by_asset[key]}

    def scoped(self, keys: Assets, include_sources: bool) -> Assets:
        """`keys`, without external assets unless `include_sources`."""
        return keys if include_sources else keys & self.graph.materializable

    @cached_property
    def by_text(self) -> dict[str, set[AssetKey]]:
        """Assets by their key with slashes: more than one where a part holds a slash."""
        return _index((key.to_user_string(), key) for key in self.graph.specs)

    @cached_property
    def by_group(self) -> dict[str, set[AssetKey]]:
        return _index((spec.group_name or DEFAULT_GROUP, key) for key, spec in self.graph.specs.items())

    @cached_property
    def by_tag(self) -> dict[tuple[str, str] | None, set[AssetKey]]:
        """Assets by tag; under None those without any tag but kinds."""
        return _index(
            (tag, key)
            for key, spec in self.graph.specs.items()
            for tag in (
                spec.tags.items()
                if any(not name.startswith(tags.KIND_PREFIX) for name in spec.tags)
                else (*spec.tags.items(), None)
            )
        )

    @cached_property
    def by_kind(self) -> dict[str | None, set[AssetKey]]:
        return _index((kind, key) for key, spec in self.graph.specs.items() for kind in spec.kinds or (None,))

    @cached_property
    def by_owner(self) -> dict[str | None, set[AssetKey]]:
        return _index((owner, key) for key, spec in self.graph.specs.items() for owner in spec.owners or (None,))


def _index(pairs: Iterable[tuple[Any, AssetKey]]) -> dict[Any, set[AssetKey]]:
    found: dict[Any, set[AssetKey]] = {}
    for name, key in pairs:
        found.setdefault(name, set()).add(key)
    return found


def _pattern(text: str) -> re.Pattern[str]:
    """`*` stands for any text, everything else for itself."""
    return re.compile(".*".join(re.escape(part) for part in re.split(r"\*+", text)), re.DOTALL)


def matching(index: Mapping[str, set[AssetKey]], text: str) -> Assets:
    """What `index` has under names that match `text`, in which `*` stands for any text."""
    if "*" not in text:
        return index.get(text, NO_ASSETS)
    matches = _pattern(text).fullmatch
    return NO_ASSETS.union(*(keys for name, keys in index.items() if matches(name)))


def missing(what: str, names: list[str], known: Iterable[str]) -> str:
    """The message for selected keys that do not exist."""
    known = list(known)
    if len(names) == 1:
        return f"The {what} {names[0]!r} is selected but does not exist.{did_you_mean(names[0], known)} Check its key."
    more = f" and {len(names) - _SHOWN_MISSING} more" if len(names) > _SHOWN_MISSING else ""
    listed = ", ".join(f"{name!r}" for name in names[:_SHOWN_MISSING])
    hints = "".join(f" For {name!r}:{hint}" for name in names[:_SHOWN_MISSING] if (hint := did_you_mean(name, known)))
    return f"These {what}s are selected but do not exist: {listed}{more}.{hints} Check their keys."
