"""Selections for people: from the wire form to the selection language, and to the Python that makes them.

The wire form (`codec.to_builtins` of a selection: a dict with its kind under `type`) is all that is needed, so this
knows no classes. The language cannot say everything: checks alone, external assets where `include_sources` brought them
in, required neighbours. For these `text_of` gives None, never a text that selects something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from treadle.spec.selection_text import quote

Wire: TypeAlias = Mapping[str, Any]
_Text: TypeAlias = tuple[str, int]
_OR, _AND, _NOT, _WALK, _ATOM = range(5)  # how tightly a text binds


class _NoText(Exception):
    """The language cannot say it."""


def text_of(selection: Wire) -> str | None:
    """`selection` in the selection language: text that is read back to select the same. None if it cannot."""
    try:
        return _text(selection)[0]
    except _NoText:
        return None


def _text(node: Wire) -> _Text:
    match node["type"]:
        case "or":
            return " or ".join(_inner(child, _WALK) for child in node["children"]), _OR
        case "and":
            return " and ".join(_inner(child, _WALK) for child in node["children"]), _AND
        case "minus":
            return _minus_text(node["left"], node["right"])
        case "roots" | "sinks" as name:
            return f"{name}({_text(node['child'])[0]})", _ATOM
        case "upstream":
            child = _inner(node["child"], _ATOM)
            found = f"{_depth(node, 'depth')}+{child}"
            return (found, _WALK) if node.get("include_self", True) else (f"{found} and (not {child})", _AND)
        case "downstream" if node.get("include_self", True):  # else: `not` would drop external assets
            return f"{_inner(node['child'], _ATOM)}+{_depth(node, 'depth')}", _WALK
        case "around":
            return f"{_depth(node, 'up')}+{_inner(node['child'], _ATOM)}+{_depth(node, 'down')}", _WALK
        case "materializable":
            return f"{_inner(node['child'], _WALK)} and is:materializable", _AND
    parts = _leaf_texts(node)
    return " or ".join(parts), _OR if len(parts) > 1 else _NOT if parts[0].startswith("not") else _ATOM


def _leaf_texts(node: Wire) -> list[str]:
    """The texts of which a leaf is the union."""
    if node["type"] == "all":
        return ['key:"*"' if node.get("include_sources") else "*"]
    if node.get("include_sources"):
        raise _NoText
    match node["type"]:
        case "keys":
            return [f"key:{_exact('/'.join(parts))}" for parts in node["members"]] or ["not *"]
        case "key_pattern":
            return [f"key:{quote(node['pattern'])}"]
        case "groups":
            return [f"group:{_exact(name)}" for name in node["names"]] or ["group:<null>"]
        case "group_pattern":
            return [f"group:{quote(node['pattern'])}"]
        case "tag" if node["key"] is None:
            return ["tag:<null>"]
        case "tag":
            return [f"tag:{quote(node['key'])}" + (f"={quote(node['value'])}" if node.get("value") else "")]
        case "kind" | "owner" as name:
            return [f"{name}:{_quote_or_null(node['name'])}"]
        case "is":
            return [f"is:{node['what']}"]
        case "attribute":
            equals = "" if node.get("equals") is None else f"={quote(node['equals'])}"
            return [f"{node['name']}:{_quote_or_null(node['value'])}{equals}"]
    raise _NoText


def _minus_text(left: Wire, right: Wire) -> _Text:
    if not _made_only(left):  # `not` is relative to what something makes: it would drop external assets
        raise _NoText
    negated = f"not {_inner(right, _NOT)}"
    return (negated, _NOT) if left["type"] == "all" else (f"{_inner(left, _WALK)} and ({negated})", _AND)


def _made_only(node: Wire) -> bool:
    """Whether external assets are never selected, as far as the form tells."""
    match node["type"]:
        case "upstream" | "materializable":
            return True
        case "is":
            return node["what"] == "materializable"
        case "roots" | "sinks":
            return _made_only(node["child"])
        case "or":
            return all(map(_made_only, node["children"]))
        case "and":
            return any(map(_made_only, node["children"]))
        case "minus":
            return _made_only(node["left"])
        case "all" | "groups" | "group_pattern" | "tag" | "kind" | "owner":
            return not node.get("include_sources")
    return False


def _inner(node: Wire, level: int) -> str:
    """The text of `node` inside something that binds at `level`: in parentheses if it binds less."""
    text, own = _text(node)
    return text if own >= level else f"({text})"


def _exact(name: str) -> str:
    if "*" in name or not name:  # a wildcard, or nothing, in the language
        raise _NoText
    return quote(name)


def _quote_or_null(value: str | None) -> str:
    return "<null>" if value is None else quote(value)


def _depth(node: Wire, name: str) -> str:
    return "" if node.get(name) is None else str(node[name])


# --- Python --------------------------------------------------------------------------------------------------------

_METHODS = {
    "roots": "roots",
    "sinks": "sinks",
    "materializable": "materializable",
    "required_neighbours": "required_multi_asset_neighbors",
    "upstream_sources": "upstream_source_assets",
}


def python_of(node: Wire) -> str:
    """The Python that makes `node`, an expression."""
    match node["type"]:
        case "or":
            return f"({' | '.join(map(python_of, node['children']))})"
        case "and":
            return f"({' & '.join(map(python_of, node['children']))})"
        case "minus" if node["right"]["type"] == "all_checks":
            return f"{python_of(node['left'])}.without_checks()"
        case "minus":
            return f"({python_of(node['left'])} - {python_of(node['right'])})"
        case "upstream" | "downstream" as name:
            arguments = [_depth(node, "depth")] if node.get("depth") is not None else []
            arguments += [] if node.get("include_self", True) else ["include_self=False"]
            return f"{python_of(node['child'])}.{name}({', '.join(arguments)})"
        case "around":
            child = python_of(node["child"])
            return f"({child}.upstream({_depth(node, 'up')}) | {child}.downstream({_depth(node, 'down')}))"
        case name if name in _METHODS:
            return f"{python_of(node['child'])}.{_METHODS[name]}()"
    name, arguments = _constructor(node)
    shown = [argument if name == "checks" else repr(argument) for argument in arguments]
    shown += ["include_sources=True"] if node.get("include_sources") else []
    return f"AssetSelection.{name}({', '.join(shown)})"


def _constructor(node: Wire) -> tuple[str, list[Any]]:
    """The static method of AssetSelection that makes a leaf, and its arguments."""
    match node["type"]:
        case "all":
            return "all", []
        case "all_checks":
            return "all_asset_checks", []
        case "keys":
            return "keys", [_key(parts) for parts in node["members"]]
        case "checks_for":
            return "checks_for_assets", [_key(parts) for parts in node["members"]]
        case "check_keys":
            return "checks", [f"AssetCheckKey({list(parts)!r}, {name!r})" for parts, name in node["members"]]
        case "key_prefixes":
            return "key_prefixes", [parts[0] if len(parts) == 1 else list(parts) for parts in node["prefixes"]]
        case "key_substring":
            return "key_substring", [node["substring"]]
        case "groups":
            return "groups", list(node["names"])
        case "tag" if node["key"] is not None:
            return "tag", [node["key"], node.get("value", "")]
        case "kind" | "owner" as name:
            return name, [node["name"]]
    return "from_string", _leaf_texts({**node, "include_sources": False})


def _key(parts: list[str]) -> str | list[str]:
    return list(parts) if any("/" in part for part in parts) else "/".join(parts)
