"""Runtime types of inputs and outputs: what an annotation says about a value, checked when the value passes by."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from treadle.author.signature import NO_ANNOTATION


class Nothing:
    """The type of an input or output that orders steps and carries no value."""


@dataclass(frozen=True, slots=True)
class ValueType:
    """A type with a check.

    Attributes:
        name: how people call it.
        accepts: whether a value is of this type; None accepts everything.
        python_type: the annotation it was made from.
    """

    name: str
    accepts: Callable[[Any], bool] | None = None
    python_type: Any = Any


ANY = ValueType("Any")
NOTHING = ValueType("Nothing", lambda value: value is None, Nothing)
_made: dict[Any, ValueType] = {}


def value_type(annotation: Any) -> ValueType:
    """The type that an annotation (or `dagster_type=`) means. What cannot be checked accepts everything."""
    if annotation is Any or annotation is NO_ANNOTATION:
        return ANY
    if isinstance(annotation, ValueType):
        return annotation
    try:
        known = _made.get(annotation)
    except TypeError:  # an unhashable annotation
        return _make(annotation)
    if known is None:
        known = _made[annotation] = _make(annotation)
    return known


def _make(annotation: Any) -> ValueType:
    if annotation is None or annotation is type(None) or annotation is Nothing:
        return NOTHING
    return ValueType(_name(annotation), _checker(annotation), annotation)


def _name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def _checker(annotation: Any) -> Callable[[Any], bool] | None:
    origin = typing.get_origin(annotation)
    if origin is None:
        return _class_checker(annotation) if isinstance(annotation, type) else None
    arguments = typing.get_args(annotation)
    if origin is typing.Annotated:
        return _checker(arguments[0])
    if origin in (typing.Union, types.UnionType):
        checkers = [_checker(argument) if argument is not type(None) else _is_none for argument in arguments]
        if any(checker is None for checker in checkers):
            return None
        return lambda value: any(checker(value) for checker in checkers if checker)
    if origin is typing.Literal:
        return lambda value: value in arguments
    if not isinstance(origin, type):
        return None
    return _container_checker(origin, arguments)


def _class_checker(cls: type) -> Callable[[Any], bool] | None:
    if cls is object or getattr(cls, "_is_protocol", False):
        return None
    return lambda value: isinstance(value, cls)


def _container_checker(origin: type, arguments: tuple[Any, ...]) -> Callable[[Any], bool]:
    """Containers are checked with their items only where looking at an item does not use it up."""
    if origin in (list, set, frozenset) and len(arguments) == 1:
        item = _checker(arguments[0])
        return lambda value: isinstance(value, origin) and (item is None or all(map(item, value)))
    if origin is dict and len(arguments) == 2:
        key, item = (_checker(argument) for argument in arguments)
        return lambda value: isinstance(value, dict) and _all(key, value) and _all(item, value.values())
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        checkers = [_checker(argument) for argument in arguments]
        return lambda value: (
            isinstance(value, tuple)
            and len(value) == len(checkers)
            and all(c is None or c(v) for c, v in zip(checkers, value, strict=True))
        )
    return lambda value: isinstance(value, origin)


def _all(checker: Callable[[Any], bool] | None, values: Iterable[Any] | Mapping[Any, Any]) -> bool:
    return checker is None or all(map(checker, values))


def _is_none(value: Any) -> bool:
    return value is None
