"""`serialize_value` and `deserialize_value`: public objects as JSON text, over Treadle's codec."""

from __future__ import annotations

import enum
import json
from typing import Any

import dagster
import treadle
from treadle.core import codec
from treadle.errors import InvocationError

_SETS = {"__set__": set, "__frozenset__": frozenset}


def serialize_value(val: Any, whitelist_map: Any = None, **json_kwargs: Any) -> str:
    """`val` as JSON text: plain data, and objects of classes that `dagster` has.

    Args:
        whitelist_map: accepted for compatibility: what can be serialized is what the codec knows.
        json_kwargs: options of `json.dumps`.

    Raises:
        InvocationError: something in it is neither.
    """
    return json.dumps(_packed(val), **json_kwargs)


def deserialize_value(val: str, as_type: type | tuple[type, ...] | None = None, whitelist_map: Any = None) -> Any:
    """The object of which `serialize_value` made this text.

    Args:
        as_type: the class, or classes, that it must be of.

    Raises:
        InvocationError: the text is of no class that there is, or of another one than `as_type`.
    """
    found = _unpacked(json.loads(val))
    if as_type is not None and not isinstance(found, as_type):
        raise InvocationError(f"The text is of a {type(found).__name__}, and {as_type} is asked for.")
    return found


def _packed(value: Any) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, dict):
        return {str(key): _packed(item) for key, item in value.items()}
    for word, kind in _SETS.items():
        if type(value) is kind:
            return {word: [_packed(item) for item in value]}
    name = type(value).__name__
    if getattr(treadle, name, None) is type(value):
        if isinstance(value, enum.Enum):
            return {"__enum__": f"{name}.{value.name}"}
        try:
            return {"__class__": name, "value": codec.to_builtins(value)}
        except (NotImplementedError, TypeError):
            pass
    elif isinstance(value, list | tuple):
        return [_packed(item) for item in value]
    raise InvocationError(f"A {name} has no form as text: {value!r:.80}. Give plain data, or what stands for it.")


def _unpacked(raw: Any) -> Any:
    if isinstance(raw, list):
        return [_unpacked(item) for item in raw]
    if not isinstance(raw, dict):
        return raw
    for word, kind in _SETS.items():
        if word in raw:
            return kind(_unpacked(raw[word]))
    if "__enum__" in raw:
        name, _, member = raw["__enum__"].partition(".")
        return _class(name)[member]
    if "__class__" in raw:
        return codec.from_builtins(raw["value"], _class(raw["__class__"]))
    return {key: _unpacked(item) for key, item in raw.items()}


def _class(name: str) -> Any:
    found = getattr(treadle, name, None) or getattr(dagster, name, None)
    if not isinstance(found, type):
        raise InvocationError(f"The text is of a class {name!r}, which this version does not have.")
    return found
