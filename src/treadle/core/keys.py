"""Names of things: asset keys, check keys, and the rules that names follow."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from treadle.errors import DefinitionError

IMPLICIT_JOB = "__ASSET_JOB"
"""The name of the job over all assets."""
_NAME = re.compile(r"[A-Za-z0-9_]+\Z")
_RESERVED = frozenset(
    {"context", "conf", "config", "meta", "arg_dict", "dict", "input_arg_dict", "output_arg_dict", "int", "str"}
    | {"float", "bool", "input", "output", "type"}
)


def check_name(name: str, what: str) -> str:
    """Return `name` if it is made of letters, digits and underscores and is not reserved; raise otherwise."""
    if not isinstance(name, str) or not _NAME.match(name):
        raise DefinitionError(
            f"{name!r} is not a valid name for {what}. Use letters, digits and underscores (A-Z a-z 0-9 _)."
        )
    if name in _RESERVED or keyword.iskeyword(name):
        raise DefinitionError(f"{name!r} is reserved and cannot name {what}. Choose another name.")
    return name


def check_dict(value: Any, name: str, what: str, kind: type = object, place: str = "") -> None:
    """Raise unless `value`, the argument `name` of `what`, is a mapping, with values of one kind."""
    if not isinstance(value, Mapping):
        raise DefinitionError(f"{what}: {name} takes a dict, not {value!r:.80}.{place}")
    for key, one in value.items():
        if not isinstance(one, kind):
            raise DefinitionError(f"{what}: {name}[{key!r}] takes an {kind.__name__}(...), not {one!r:.80}.{place}")


class AssetKey:
    """The name of an asset: one or more parts, the last being the asset's own name.

    Args:
        path: the parts, or one string for a key of one part. `AssetKey("a/b")` is one part; use
            `AssetKey.from_user_string("a/b")` to split at slashes.

    Attributes:
        parts: the parts, as a tuple of strings.

    Raises:
        DefinitionError: `path` is empty or has a part that is not a string.
    """

    __slots__ = ("_hash", "parts")
    parts: tuple[str, ...]

    def __new__(cls, path: str | Sequence[str]) -> AssetKey:
        known = _interned.get(path) if isinstance(path, str | tuple) else None  # pyright: ignore[reportUnknownArgumentType]
        if known is not None:
            return known
        parts = (path,) if isinstance(path, str) else tuple(path) if isinstance(path, Iterable) else ()
        if not parts or not all(isinstance(part, str) for part in parts):
            raise DefinitionError(f"An asset key is a string or a non-empty list of strings, not {path!r}.")
        key = super().__new__(cls)
        key.parts = parts
        key._hash = hash(parts)
        if len(_interned) >= _MOST_INTERNED:
            _interned.clear()
        _interned[parts[0] if len(parts) == 1 else parts] = key
        return key

    @property
    def path(self) -> Sequence[str]:
        """The parts as a list."""
        return list(self.parts)

    @staticmethod
    def of(value: CoercibleToAssetKey) -> AssetKey:
        """The key that `value` (a key, a string that is its only part, or a list of parts) means."""
        return value if isinstance(value, AssetKey) else AssetKey(value)

    @staticmethod
    def from_user_string(text: str) -> AssetKey:
        """The key written as `text`, parts between slashes."""
        return AssetKey(text.split("/"))

    @staticmethod
    def from_coercible(value: Any) -> AssetKey:
        """As `of`, and takes anything that has a single asset key (an asset definition, an asset spec).

        Raises:
            DefinitionError: it has none.
        """
        if isinstance(value, str | AssetKey | list | tuple):
            return AssetKey.of(value)
        try:
            key = value.key
        except AttributeError:
            raise DefinitionError(
                f"{value!r} stands for no asset. Give an asset, an AssetSpec, an AssetKey, or a key as text."
            ) from None
        return AssetKey.of(key)

    def to_user_string(self) -> str:
        """The parts joined by slashes. Ambiguous when a part holds a slash; `to_string` is not."""
        return "/".join(self.parts)

    def to_string(self) -> str:
        """The parts as a JSON list: the form that is stored."""
        return json.dumps(self.parts)

    def to_python_identifier(self, suffix: str | None = None) -> str:
        """The name of the op that makes this asset: the parts joined by two underscores."""
        name = "__".join(part.replace("-", "_").replace(".", "_") for part in self.parts)
        return f"{name}__{suffix}" if suffix else name

    def has_prefix(self, prefix: Sequence[str]) -> bool:
        """Whether the first parts equal `prefix`."""
        return self.parts[: len(prefix)] == tuple(prefix)

    def with_prefix(self, prefix: str | Sequence[str]) -> AssetKey:
        """This key with `prefix` in front."""
        return AssetKey(((prefix,) if isinstance(prefix, str) else tuple(prefix)) + self.parts)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, AssetKey) and self.parts == other.parts)

    def __lt__(self, other: AssetKey) -> bool:
        return self.parts < other.parts

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"AssetKey({list(self.parts)!r})"

    def __reduce__(self) -> tuple[type[AssetKey], tuple[tuple[str, ...]]]:
        return (AssetKey, (self.parts,))  # not the cached hash: string hashes differ between processes


# Equal keys are mostly one object: ten thousand assets name each other thirty thousand times, and half the time of
# making keys anew was garbage collection. Only an economy: keys compare by their parts.
_interned: dict[str | tuple[str, ...], AssetKey] = {}
_MOST_INTERNED = 200_000

CoercibleToAssetKey: TypeAlias = "AssetKey | str | Sequence[str]"


class AssetCheckKey:
    """The name of an asset check: the asset it checks, and a name that is unique for that asset."""

    __slots__ = ("_hash", "asset_key", "name")
    asset_key: AssetKey
    name: str

    def __init__(self, asset_key: CoercibleToAssetKey, name: str) -> None:
        self.asset_key = AssetKey.of(asset_key)
        self.name = name
        self._hash = hash((self.asset_key, name))

    def to_user_string(self) -> str:
        """`asset:check`, the asset's parts between slashes."""
        return f"{self.asset_key.to_user_string()}:{self.name}"

    def to_python_identifier(self) -> str:
        """The name of the op, or op output, that evaluates this check."""
        return f"{self.asset_key.to_python_identifier()}_{self.name}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AssetCheckKey) and (self.asset_key, self.name) == (other.asset_key, other.name)

    def __lt__(self, other: AssetCheckKey) -> bool:
        return (self.asset_key, self.name) < (other.asset_key, other.name)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"AssetCheckKey(asset_key={self.asset_key!r}, name={self.name!r})"

    def __reduce__(self) -> tuple[type[AssetCheckKey], tuple[AssetKey, str]]:
        return (AssetCheckKey, (self.asset_key, self.name))


class AssetJobKey(NamedTuple):
    """The name of a job over assets, where an automation condition or a selection is about the job."""

    job_name: str


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that proposes the nearest of `known`, or nothing."""
    import difflib  # noqa: PLC0415  # only on the way to an error

    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
