"""Asset selections: which assets, and which of their checks, something is about.

A selection is a tree of frozen data that travels on the wire. `resolve` gives its assets in an asset graph and
`resolve_checks` the checks: those of its assets, unless checks were taken out or asked for alone. `from_string` reads
the selection language (`spec.selection_text`), `to_selection_str` writes it.

Which selections reach external assets follows the peer: keys, key patterns, downstream and `is:external` do;
everything, groups, tags, kinds, owners and key prefixes only with `include_sources`; upstream never.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from treadle.core import codec
from treadle.core.keys import AssetCheckKey, AssetKey, CoercibleToAssetKey
from treadle.errors import SelectionError
from treadle.spec import selection_show, selection_text
from treadle.spec.graph import AssetGraph
from treadle.spec.selection_text import Form, Grammar
from treadle.spec.selection_view import NO_ASSETS, Assets, Checks, Lookup, View, matching, missing

_ATTRIBUTES = (
    "key", "tag", "owner", "group", "kind", "is", "code_location", "status", "column", "table_name", "column_tag",
    "changed_in_branch", "partitions", "automation_type", "sensor", "schedule", "job",
)  # fmt: skip
GRAMMAR = Grammar(
    attributes={
        **dict.fromkeys(_ATTRIBUTES, Form()),
        "key": Form(pattern=True, null=False),
        "tag": Form(pair=True),
        "is": Form(null=False, words=("external", "materializable")),
        "column_tag": Form(pair=True, null=False),
    },
    functions=frozenset({"roots", "sinks"}),
)
"""The language of asset selections."""

_LEGACY_TAG = re.compile(r"tag:([^\s\"()=*+:]+)(?:=([^\s\"()=*+:]*))?")
_T = TypeVar("_T")


class AssetSelection:
    """Which assets something is about. Make one with the static methods, combine with `|`, `&`, `-`.

    Example:
        `AssetSelection.groups("sales").upstream() - AssetSelection.keys("raw/orders")`
    """

    __slots__ = ()

    # --- constructors

    @staticmethod
    def all(include_sources: bool = False) -> AssetSelection:
        """Every asset that something makes, with `include_sources` external ones too."""
        return All(include_sources)

    @staticmethod
    def all_asset_checks() -> AssetSelection:
        """Every check, and no assets."""
        return AllChecks()

    @staticmethod
    def keys(*asset_keys: CoercibleToAssetKey) -> AssetSelection:
        """These assets. A string is a key with slashes between its parts. Keys that do not exist are an error later."""
        return Keys(_keys_of(asset_keys))

    @staticmethod
    def assets(*assets_defs: CoercibleToAssetKey | Any) -> AssetSelection:
        """These assets: definitions, specs or keys. A definition of several assets stands for all of them."""
        return Keys(_keys_of(assets_defs))

    @staticmethod
    def key_prefixes(*key_prefixes: CoercibleToAssetKey, include_sources: bool = False) -> AssetSelection:
        """The assets whose key begins with the parts of any of these. A string is one part."""
        prefixes = tuple(AssetKey.of(prefix).parts for prefix in key_prefixes)
        return KeyPrefixes(_unique(prefixes), include_sources)

    @staticmethod
    def key_substring(key_substring: str, include_sources: bool = False) -> AssetSelection:
        """The assets whose key, written with slashes, contains this text."""
        return KeySubstring(key_substring, include_sources)

    @staticmethod
    def groups(*group_strs: str, include_sources: bool = False) -> AssetSelection:
        """The assets in any of these groups."""
        return Groups(_unique(group_strs), include_sources)

    @staticmethod
    def tag(key: str, value: str, include_sources: bool = False) -> AssetSelection:
        """The assets with this tag. An empty `value` matches only tags without a value."""
        return Tag(key, value, include_sources)

    @staticmethod
    def tag_string(string: str, include_sources: bool = False) -> AssetSelection:
        """The assets with the tag written as `key=value` or `key`.

        Raises:
            SelectionError: there is more than one `=`.
        """
        key, _, value = string.partition("=")
        if "=" in value:
            raise SelectionError(f"{string!r} is no tag: write `key=value` with one `=`.")
        return Tag(key, value, include_sources)

    @staticmethod
    def kind(kind: str | None, include_sources: bool = False) -> AssetSelection:
        """The assets of this kind; None: those without any."""
        return Kind(kind, include_sources)

    @staticmethod
    def owner(owner: str | None, include_sources: bool = False) -> AssetSelection:
        """The assets with this owner; None: those without any."""
        return Owner(owner, include_sources)

    @staticmethod
    def checks(*assets_defs_or_check_keys: AssetCheckKey | Any) -> AssetSelection:
        """These checks and no assets: keys of checks, or definitions that have `check_keys`."""
        found: list[AssetCheckKey] = []
        for value in assets_defs_or_check_keys:
            if isinstance(value, AssetCheckKey):
                found.append(value)
            elif (several := _attribute(value, "check_keys")) is not None:
                found.extend(sorted(several))
            elif isinstance(key := _attribute(value, "key"), AssetCheckKey):
                found.append(key)
            else:
                raise SelectionError(f"{value!r} has no asset checks. Give asset checks, or AssetCheckKey objects.")
        return CheckKeys(_unique(found))

    @staticmethod
    def checks_for_assets(*assets_defs: CoercibleToAssetKey | Any) -> AssetSelection:
        """The checks of these assets, and no assets."""
        return ChecksFor(_keys_of(assets_defs))

    @staticmethod
    def from_string(string: str, include_sources: bool = False) -> AssetSelection:
        """The selection written as `string` in the selection language, or as one older clause such as `++name`.

        Raises:
            SelectionError: it follows neither; the message shows where.
        """
        try:
            return _meaning(selection_text.parse(string, GRAMMAR), string, include_sources)
        except SelectionError:
            clause = selection_text.parse_clause(string)
            if clause is not None:
                keys = Keys((AssetKey.from_user_string(clause.name),))
                return _walk(keys, clause.up, clause.down)
            if found := _LEGACY_TAG.fullmatch(string.strip()):
                return Tag(found[1], found[2] or "", include_sources)
            raise

    @staticmethod
    def from_coercible(value: CoercibleToAssetSelection) -> AssetSelection:
        """The selection that `value` means: a selection, a string of the selection language, a key, a definition, or a
        collection of these, which is their union. An empty collection selects nothing.

        Raises:
            SelectionError: a string cannot be read, or something in `value` selects no assets.
        """
        if isinstance(value, str | AssetSelection | AssetKey | AssetCheckKey):
            return _coerce(value)
        if isinstance(value, Iterable) and not isinstance(value, Mapping) and _attribute(value, "keys") is None:
            return union([_coerce(one) for one in value])
        return _coerce(value)

    # --- derived selections

    def upstream(self, depth: int | None = None, include_self: bool = True) -> AssetSelection:
        """These assets and what they are made from, `depth` levels up (all if None), without external assets."""
        return Upstream(self, _depth(depth), include_self)

    def downstream(self, depth: int | None = None, include_self: bool = True) -> AssetSelection:
        """These assets and what is made from them, `depth` levels down (all if None)."""
        return Downstream(self, _depth(depth), include_self)

    def roots(self) -> AssetSelection:
        """Those of these assets that are made from none of the others."""
        return Roots(self)

    sources = roots

    def sinks(self) -> AssetSelection:
        """Those of these assets that none of the others is made from."""
        return Sinks(self)

    def materializable(self) -> AssetSelection:
        """Those of these assets that something makes."""
        return Materializable(self)

    def required_multi_asset_neighbors(self) -> AssetSelection:
        """These assets and those that can only be made together with them."""
        return RequiredNeighbours(self)

    def upstream_source_assets(self) -> AssetSelection:
        """The external assets among these and all they are made from."""
        return UpstreamSources(self)

    def without_checks(self) -> AssetSelection:
        """These assets without their checks."""
        return self - AllChecks()

    def __or__(self, other: AssetSelection) -> AssetSelection:
        if not isinstance(other, AssetSelection):
            return NotImplemented
        return union([self, other])

    def __and__(self, other: AssetSelection) -> AssetSelection:
        if not isinstance(other, AssetSelection):
            return NotImplemented
        return And(_flat((self, other), And))

    def __sub__(self, other: AssetSelection) -> AssetSelection:
        if not isinstance(other, AssetSelection):
            return NotImplemented
        return Minus(self, other)

    # --- evaluation

    def resolve(self, graph: AssetGraph, allow_missing: bool = False, *, lookup: Lookup | None = None) -> set[AssetKey]:
        """The assets that this selects in `graph`.

        Args:
            allow_missing: leave out keys that do not exist instead of raising.
            lookup: finds the assets for an attribute that definitions alone cannot answer, such as `status:`.

        Raises:
            SelectionError: a selected key does not exist, or such an attribute is used without `lookup`.
        """
        return set(View(graph, allow_missing, lookup).assets(self))

    def resolve_checks(
        self, graph: AssetGraph, allow_missing: bool = False, *, lookup: Lookup | None = None
    ) -> set[AssetCheckKey]:
        """The checks that this selects in `graph`. Arguments and errors as for `resolve`."""
        return set(View(graph, allow_missing, lookup).checks(self))

    def to_selection_str(self) -> str:
        """This selection in the selection language: text that `from_string` reads and that selects the same.

        Raises:
            SelectionError: the language cannot say it (checks alone, `include_sources`, ...).
        """
        text = selection_show.text_of(codec.to_builtins(self))
        if text is None:
            raise SelectionError(f"{self!r} cannot be written in the selection language. Keep it in Python.")
        return text

    def __str__(self) -> str:
        wire = codec.to_builtins(self)
        return selection_show.text_of(wire) or selection_show.python_of(wire)

    def __repr__(self) -> str:
        return selection_show.python_of(codec.to_builtins(self))

    # --- what each kind of selection says of itself

    def _assets(self, view: View) -> Assets:
        raise SelectionError(
            "AssetSelection is not a selection by itself. Use its methods, as in AssetSelection.all()."
        )

    def _checks(self, view: View) -> Checks:
        return view.checks_of(view.assets(self))


CoercibleToAssetSelection: TypeAlias = "AssetSelection | str | AssetKey | AssetCheckKey | Iterable[Any] | Any"


# --- leaves --------------------------------------------------------------------------------------------------------


class All(AssetSelection, msgspec.Struct, frozen=True, omit_defaults=True, tag="all"):
    """Every asset that something makes."""

    include_sources: bool = False

    def _assets(self, view: View) -> Assets:
        return view.graph.specs.keys() if self.include_sources else view.graph.materializable


class Keys(AssetSelection, msgspec.Struct, frozen=True, tag="keys"):
    """Assets by key. They must exist."""

    members: tuple[AssetKey, ...]

    def _assets(self, view: View) -> Assets:
        known = view.graph.specs
        found = {key for key in self.members if key in known}
        if len(found) < len(self.members) and not view.allow_missing:
            unknown = [key.to_user_string() for key in self.members if key not in known]
            if unknown:
                raise SelectionError(missing("asset", unknown, view.by_text))
        return found


class KeyPattern(AssetSelection, msgspec.Struct, frozen=True, tag="key_pattern"):
    """Assets whose key, written with slashes, matches `pattern`, in which `*` stands for any text. None is no error."""

    pattern: str

    def _assets(self, view: View) -> Assets:
        return matching(view.by_text, self.pattern)


class KeyPrefixes(AssetSelection, msgspec.Struct, frozen=True, omit_defaults=True, tag="key_prefixes"):
    """Assets whose key begins with any of `prefixes`."""

    prefixes: tuple[tuple[str, ...], ...]
    include_sources: bool = False

    def _assets(self, view: View) -> Assets:
        prefixes = set(self.prefixes)
        lengths = {len(prefix) for prefix in prefixes}
        found = {key for key in view.graph.specs if any(key.parts[:length] in prefixes for length in lengths)}
        return view.scoped(found, self.include_sources)


class KeySubstring(AssetSelection, msgspec.Struct, frozen=True, omit_defaults=True, tag="key_substring"):
    """Assets whose key, written with slashes, contains `substring`."""

    substring: str
    include_sources: bool = False

    def _assets(self, view: View) -> Assets:
        found = NO_ASSETS.union(*(keys for text, keys in view.by_text.items() if self.substring in text))
        return view.scoped(found, self.include_sources)


class Groups(AssetSelection, msgspec.Struct, frozen=True, omit_defaults=True, tag="groups"):
    """Assets in any of the groups `names`."""

    names: tuple[str, ...]
    include_sources: bool = False

    def _assets(self, view: View) -> Assets:
        found = NO_ASSETS.union(*(view.by_group.get(name, NO_ASSETS) for name in self.names))
        return view.scoped(found, self.include_sources)


class GroupPattern(AssetSelection, msgspec.Struct, frozen=True, omit_defaults=True, tag="group_pattern"):
    """Assets in a group that matches `pattern`, in which `*` stands for any text."""

    pattern: str
    include_sources: bool = False

    def _assets(self, view: View) -> Assets:
        return view.scoped(matching(view.by_group, self.pattern), self.include_sources)


class Tag(AssetSelection, msgspec.Struct, frozen=True, omit_defaults=True, tag="tag"):
    """Assets with the tag `key`=`value`; `key` None: those without tags, kinds not counted."""

    key: str | None
    value: str = ""
    include_sources: bool = False

    def _assets(self, view: View) -> Assets:
        found = view.by_tag.get(None if self.key is None else (self.key, self.value), NO_ASSETS)
        return view.scoped(found, self.include_sources)


class Kind(AssetSelection, msgspec.Struct, frozen=True, omit_defaults=True, tag="kind"):
    """Assets of kind `name`; None: those without any."""

    name: str | None
    include_sources: bool = False

    def _assets(self, view: View) -> Assets:
        return view.scoped(view.by_kind.get(self.name, NO_ASSETS), self.include_sources)


class Owner(AssetSelection, msgspec.Struct, frozen=True, omit_defaults=True, tag="owner"):
    """Assets that `name` owns; None: those without owner."""

    name: str | None
    include_sources: bool = False

    def _assets(self, view: View) -> Assets:
        return view.scoped(view.by_owner.get(self.name, NO_ASSETS), self.include_sources)


class Is(AssetSelection, msgspec.Struct, frozen=True, tag="is"):
    """Assets that nothing makes (`external`), or that something makes (`materializable`)."""

    what: Literal["external", "materializable"]

    def _assets(self, view: View) -> Assets:
        made = view.graph.materializable
        return made if self.what == "materializable" else view.graph.specs.keys() - made


class Attribute(AssetSelection, msgspec.Struct, frozen=True, omit_defaults=True, tag="attribute"):
    """Assets by an attribute that definitions alone cannot answer: `status:`, `code_location:`, `column:` and so on.

    Attributes:
        name: the attribute.
        value: its value, None for `<null>`.
        equals: what stands after `=`, for `column_tag:`.
    """

    name: str
    value: str | None
    equals: str | None = None

    def _assets(self, view: View) -> Assets:
        if view.lookup is None:
            raise SelectionError(
                f"`{self}` cannot be answered here: `{self.name}:` is for searching assets in the UI. In "
                "definitions and on the command line use key:, tag:, owner:, group:, kind: or is:."
            )
        return view.lookup(self, view.graph)


class _OnlyChecks(AssetSelection, msgspec.Struct, frozen=True):
    def _assets(self, view: View) -> Assets:
        return NO_ASSETS


class AllChecks(_OnlyChecks, frozen=True, tag="all_checks"):
    """Every check, and no assets."""

    def _checks(self, view: View) -> Checks:
        return view.graph.checks.keys()


class CheckKeys(_OnlyChecks, frozen=True, tag="check_keys"):
    """Checks by key, and no assets. They must exist."""

    members: tuple[AssetCheckKey, ...]

    def _checks(self, view: View) -> Checks:
        known = view.graph.checks
        unknown = [key.to_user_string() for key in self.members if key not in known]
        if unknown and not view.allow_missing:
            raise SelectionError(missing("asset check", unknown, [key.to_user_string() for key in known]))
        return known.keys() & self.members


class ChecksFor(_OnlyChecks, frozen=True, tag="checks_for"):
    """The checks of some assets, and no assets."""

    members: tuple[AssetKey, ...]

    def _checks(self, view: View) -> Checks:
        return view.checks_of(frozenset(self.members))


# --- along dependencies --------------------------------------------------------------------------------------------


class _Of(AssetSelection, msgspec.Struct, frozen=True, omit_defaults=True):
    child: AssetSelection


class Upstream(_Of, frozen=True, tag="upstream"):
    """`child` and what it is made from, `depth` levels (all if None), without external assets."""

    depth: int | None = None
    include_self: bool = True

    def _assets(self, view: View) -> Assets:
        child = view.assets(self.child)
        found = view.graph.upstream(child, self.depth) & view.graph.materializable
        return found if self.include_self else found - child


class Downstream(_Of, frozen=True, tag="downstream"):
    """`child` and what is made from it, `depth` levels (all if None)."""

    depth: int | None = None
    include_self: bool = True

    def _assets(self, view: View) -> Assets:
        child = view.assets(self.child)
        found = view.graph.downstream(child, self.depth)
        return found if self.include_self else found - child


class Around(_Of, frozen=True, tag="around"):
    """Upstream and downstream of `child` together, so many levels each (all if None)."""

    up: int | None = None
    down: int | None = None

    def _assets(self, view: View) -> Assets:
        child = view.assets(self.child)
        above = view.graph.upstream(child, self.up) & view.graph.materializable
        return above | view.graph.downstream(child, self.down)


class Roots(_Of, frozen=True, tag="roots"):
    """Those of `child` that are made from none of the others, not even by way of assets outside `child`."""

    def _assets(self, view: View) -> Assets:
        child = view.assets(self.child)
        return child - view.graph.downstream(_beside(child, view.graph.children))


class Sinks(_Of, frozen=True, tag="sinks"):
    """Those of `child` that none of the others is made from, not even by way of assets outside `child`."""

    def _assets(self, view: View) -> Assets:
        child = view.assets(self.child)
        return child - view.graph.upstream(_beside(child, view.graph.parents))


class Materializable(_Of, frozen=True, tag="materializable"):
    """Those of `child` that something makes."""

    def _assets(self, view: View) -> Assets:
        return view.assets(self.child) & view.graph.materializable


class RequiredNeighbours(_Of, frozen=True, tag="required_neighbours"):
    """`child` and what can only be made together with it."""

    def _assets(self, view: View) -> Assets:
        child = view.assets(self.child)
        neighbours = view.graph.neighbours
        return child | NO_ASSETS.union(*{neighbours[key] for key in child if key in neighbours})


class UpstreamSources(_Of, frozen=True, tag="upstream_sources"):
    """The external assets among `child` and all it is made from."""

    def _assets(self, view: View) -> Assets:
        return view.graph.upstream(view.assets(self.child)) - view.graph.materializable


def _beside(keys: Assets, edges: Mapping[AssetKey, Sequence[AssetKey]]) -> Assets:
    """What edges from `keys` lead to; an asset that depends on itself does not lead to itself."""
    return {other for key in keys for other in edges[key] if other != key}


# --- combinations --------------------------------------------------------------------------------------------------


class Or(AssetSelection, msgspec.Struct, frozen=True, tag="or"):
    """What any of `children` selects."""

    children: tuple[AssetSelection, ...]

    def _assets(self, view: View) -> Assets:
        return NO_ASSETS.union(*(view.assets(child) for child in self.children))

    def _checks(self, view: View) -> Checks:
        found: frozenset[AssetCheckKey] = frozenset()
        return found.union(*(view.checks(child) for child in self.children))


class And(AssetSelection, msgspec.Struct, frozen=True, tag="and"):
    """What all of `children` select."""

    children: tuple[AssetSelection, ...]

    def _assets(self, view: View) -> Assets:
        first, *others = [view.assets(child) for child in self.children]
        return frozenset(first).intersection(*others)

    def _checks(self, view: View) -> Checks:
        first, *others = [view.checks(child) for child in self.children]
        return frozenset(first).intersection(*others)


class Minus(AssetSelection, msgspec.Struct, frozen=True, tag="minus"):
    """What `left` selects and `right` does not. `not x` is everything minus x."""

    left: AssetSelection
    right: AssetSelection

    def _assets(self, view: View) -> Assets:
        return view.assets(self.left) - view.assets(self.right)

    def _checks(self, view: View) -> Checks:
        return view.checks(self.left) - view.checks(self.right)


def union(selections: Iterable[AssetSelection]) -> AssetSelection:
    """What any of `selections` selects. Of none it is nothing."""
    children = _flat(selections, Or)
    if not children:
        return Keys(())
    return children[0] if len(children) == 1 else Or(children)


def _flat(selections: Iterable[AssetSelection], cls: type[Or] | type[And]) -> tuple[AssetSelection, ...]:
    return tuple(one for child in selections for one in (child.children if isinstance(child, cls) else (child,)))


# --- from text and values ------------------------------------------------------------------------------------------


def parse_many(texts: str | Iterable[str], include_sources: bool = False) -> AssetSelection:
    """The union of selections as the command line takes them: each text may hold several, separated by commas.

    Raises:
        SelectionError: one cannot be read, or there is none.
    """
    given = [texts] if isinstance(texts, str) else list(texts)
    parts = [part for text in given for part in selection_text.split_commas(text)]
    if not parts:
        raise SelectionError("The selection is empty. Name assets, or use `*` to select everything.")
    return union([AssetSelection.from_string(part, include_sources) for part in parts])


def _meaning(syntax: selection_text.Syntax, text: str, sources: bool) -> AssetSelection:
    """The selection that parsed text means."""
    match syntax:
        case selection_text.Everything():
            return All(sources)
        case selection_text.Attribute():
            return _attribute_meaning(syntax, text, sources)
        case selection_text.Not(child):
            return Minus(All(sources), _meaning(child, text, sources))
        case selection_text.And(children):
            return And(_flat([_meaning(child, text, sources) for child in children], And))
        case selection_text.Or(children):
            return Or(_flat([_meaning(child, text, sources) for child in children], Or))
        case selection_text.Walk(child, up, down):
            return _walk(_meaning(child, text, sources), up, down)
        case selection_text.Call(function, child):
            inner = _meaning(child, text, sources)
            return Roots(inner) if function == "roots" else Sinks(inner)


def _attribute_meaning(found: selection_text.Attribute, text: str, sources: bool) -> AssetSelection:
    value = found.value
    match found.name:
        case "key":
            return KeyPattern(value or "")
        case "tag":
            return Tag(value, found.equals or "", sources)
        case "owner":
            return Owner(value, sources)
        case "kind":
            return Kind(value, sources)
        case "group" if value and "*" in value:
            return GroupPattern(value, sources)
        case "group":
            return Groups((value,) if value else (), sources)
        case "is":
            return Is("external" if value == "external" else "materializable")
    return Attribute(found.name, value, found.equals)


def _walk(child: AssetSelection, up: int | None, down: int | None) -> AssetSelection:
    """`child` with levels as the text gives them: `ALL` without limit, None for none asked for."""
    above, below = (None if depth == selection_text.ALL else depth for depth in (up, down))
    if up is not None and down is not None:
        return Around(child, above, below)
    if up is not None:
        return Upstream(child, above)
    return child if down is None else Downstream(child, below)


def _coerce(value: Any) -> AssetSelection:
    if isinstance(value, AssetSelection):
        return value
    if isinstance(value, str):
        return AssetSelection.from_string(value)
    if isinstance(value, AssetCheckKey):
        return CheckKeys((value,))
    if not _attribute(value, "keys") and (checks := _attribute(value, "check_keys")):
        return CheckKeys(tuple(sorted(checks)))  # a definition of checks alone
    return Keys(_keys_of((value,)))


def _keys_of(values: Iterable[Any]) -> tuple[AssetKey, ...]:
    """The keys that `values` mean, each once: keys, strings with slashes, lists of parts, things with `key`, `keys`."""
    found: dict[AssetKey, None] = {}
    for value in values:
        if isinstance(value, str):
            found[AssetKey.from_user_string(value)] = None
        elif isinstance(value, AssetKey | list | tuple):
            found[AssetKey.of(value)] = None
        elif (several := _attribute(value, "keys")) is not None:
            found.update(dict.fromkeys(sorted(several)))
        elif isinstance(key := _attribute(value, "key"), AssetKey):
            found[key] = None
        else:
            raise SelectionError(
                f"{value!r} selects no assets. Give assets, specs, asset keys, strings of the selection language, or "
                "AssetSelection objects."
            )
    return tuple(found)


def _attribute(value: Any, name: str) -> Any:
    """The attribute, None where it is missing or a method (`dict.keys`)."""
    found = getattr(value, name, None)
    return None if callable(found) else found


def _unique(values: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(values))


def _depth(depth: int | None) -> int | None:
    if depth is not None and (not isinstance(depth, int) or depth < 0):
        raise SelectionError(f"depth={depth!r} is no number of levels. Give 0 or more, or None for all levels.")
    return depth


# --- on the wire ---------------------------------------------------------------------------------------------------

_Any: Any = reduce(or_, codec.leaves(AssetSelection))


def _from_plain(raw: Any) -> AssetSelection:
    return codec.from_builtins(raw, _Any)


codec.register(AssetSelection, msgspec.to_builtins, _from_plain)  # structs encode themselves: only decoding asks here
