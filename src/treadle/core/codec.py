"""How frozen data becomes bytes and comes back: msgpack, tagged unions, tolerant of what it does not know.

msgpack and not JSON because NaN and the infinities survive it. Integers beyond 64 bits travel as an extension type.
Classes that are no msgspec structs join by `register`: an encoder to plain data and a decoder from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from operator import methodcaller
from typing import Any, TypeVar

import msgspec

from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.errors import InvocationError

T = TypeVar("T")
DecodeError = msgspec.ValidationError
_BIG_INT = 1
_encoders: dict[type, Callable[[Any], Any]] = {}
_decoders: dict[type, Callable[[Any], Any]] = {}


def register(cls: type[T], encode: Callable[[T], Any], decode: Callable[[Any], T]) -> None:
    """Teach the codec `cls`: `encode` gives plain data (dicts, lists, strings, numbers, structs), `decode` reads it."""
    _encoders[cls] = encode
    _decoders[cls] = decode


def _enc_hook(value: Any) -> Any:
    for cls in type(value).__mro__:
        encode = _encoders.get(cls)
        if encode is not None:
            return encode(value)
    raise NotImplementedError(f"cannot encode {type(value).__name__}")


def _dec_hook(cls: type, value: Any) -> Any:
    decode = _decoders.get(cls)
    if decode is None:
        raise NotImplementedError(f"cannot decode {cls}")
    return decode(value)


def _ext_hook(code: int, data: memoryview) -> Any:
    return int(bytes(data)) if code == _BIG_INT else msgspec.msgpack.Ext(code, bytes(data))


def _portable(value: Any) -> Any:
    """Plain data with big integers as their extension type, and half surrogate pairs in strings escaped."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_portable(key): _portable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_portable(item) for item in value]
    if type(value) is int and not -(2**63) <= value < 2**64:
        return msgspec.msgpack.Ext(_BIG_INT, str(value).encode())
    return value


_encoder = msgspec.msgpack.Encoder(enc_hook=_enc_hook)


def encode(value: Any) -> bytes:
    """`value` as msgpack."""
    try:
        return _encoder.encode(value)
    except (OverflowError, UnicodeEncodeError):
        # somewhere inside is an integer beyond 64 bits, or half of a surrogate pair, as in names of files that are not
        # UTF-8: rare, so found by failing
        return _encoder.encode(_portable(to_builtins(value)))


def to_builtins(value: Any) -> Any:
    """`value` as dicts, lists, strings and numbers."""
    return msgspec.to_builtins(value, enc_hook=_enc_hook)


def from_builtins(value: Any, cls: Any) -> Any:
    """The `cls` (a type or a union) that `to_builtins` made dicts, lists, strings and numbers of."""
    return msgspec.convert(value, cls, dec_hook=_dec_hook)


@cache  # building one is the expensive part
def decoder(cls: Any) -> msgspec.msgpack.Decoder[Any]:
    """The decoder for `cls` (a type or a union)."""
    return msgspec.msgpack.Decoder(cls, dec_hook=_dec_hook, ext_hook=_ext_hook)


def leaves(base: type[T]) -> Iterator[type[T]]:
    """The classes below `base` that none is derived from: what a tagged union is made of."""
    for cls in base.__subclasses__():
        yield from leaves(cls) if cls.__subclasses__() else (cls,)


_TO_WIRE = methodcaller("to_wire")


class Kinds:
    """Classes that travel as plain data that names their `kind`: `to_wire` of theirs gives it, `from_wire` reads it."""

    def __init__(self, what: str, base: type[Any], to_wire: Callable[[Any], Any] = _TO_WIRE) -> None:
        self._what, self._to_wire = what, to_wire
        self._classes: dict[str, Any] = {}
        register(base, to_wire, self.read)

    def add(self, *classes: Any) -> None:
        """Let objects of these classes travel."""
        for cls in classes:
            self._classes[cls.kind] = cls
            register(cls, self._to_wire, self.read)

    def has(self, cls: Any) -> bool:
        """Whether it is one of the classes, and not one derived from them."""
        return self._classes.get(cls.kind) is cls

    def read(self, data: Mapping[str, Any]) -> Any:
        """The object whose `to_wire` gave `data`.

        Raises:
            InvocationError: its kind is not known here.
        """
        cls = self._classes.get(data["kind"])
        if cls is None:
            raise InvocationError(f"Unknown kind of {self._what} {data['kind']!r}: written by a newer Treadle?")
        return cls.from_wire(data)


register(AssetKey, lambda key: key.parts, AssetKey)
register(
    AssetCheckKey, lambda key: (key.asset_key.parts, key.name), lambda raw: AssetCheckKey(AssetKey(raw[0]), raw[1])
)
