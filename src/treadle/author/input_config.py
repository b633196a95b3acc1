"""Inputs whose value comes from run config: which types can, what they look like there, and how the value is read.

The `load` of such a config type may read a file.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from typing import Any

from treadle.author.config_types import ConfigType, Map, Noneable
from treadle.author.signature import NO_ANNOTATION
from treadle.author.types import ValueType
from treadle.spec import config

_PATH = config.Field(config.Shape({"path": config.Field(config.STR)}))
_SCALARS = {int: config.INT, str: config.STR, float: config.FLOAT, bool: config.BOOL}


def _selector(value: config.Schema) -> config.Selector:
    return config.Selector({"value": config.Field(value), "json": _PATH, "pickle": _PATH})


def _load_selected(selected: Any) -> Any:
    if not isinstance(selected, Mapping):  # a scalar, as it is
        return selected
    [(how, what)] = selected.items()
    if how == "value":
        return what
    path: str = what["path"]
    if how == "json":
        with open(path, encoding="utf-8") as file:
            return json.load(file)["value"]
    import pickle  # noqa: PLC0415  # only where a run names such a file

    with open(path, "rb") as file:
        return pickle.load(file)


_ANY = ConfigType(_selector(config.ANY), _load_selected)
_BY_SCALAR = {
    one: ConfigType(config.ScalarUnion(kind, _selector(kind)), _load_selected) for one, kind in _SCALARS.items()
}
_known: dict[ValueType, ConfigType | None] = {}


def input_config(value_type: ValueType) -> ConfigType | None:
    """How a value of this type is written in run config; None if it cannot be."""
    try:
        return _known[value_type]
    except KeyError:
        made = _known[value_type] = value_type.loader.schema if value_type.loader else _of(value_type.python_type)
        return made
    except TypeError:  # made from an unhashable annotation
        return _of(value_type.python_type)


def _of(annotation: Any) -> ConfigType | None:
    if annotation is Any or annotation is NO_ANNOTATION:
        return _ANY
    if annotation in (dict, typing.Dict):  # noqa: UP006
        return ConfigType(config.PERMISSIVE)
    if annotation in (list, typing.List):  # noqa: UP006
        return _each(_ANY, list)
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        return _BY_SCALAR.get(annotation)
    return _of_generic(typing.get_origin(annotation), typing.get_args(annotation))


def _of_generic(origin: Any, arguments: tuple[Any, ...]) -> ConfigType | None:
    if origin is typing.Annotated:
        return _of(arguments[0])
    if origin is tuple:
        return ConfigType(config.Array(config.ANY), tuple)
    if origin in (typing.Union, types.UnionType):
        others = [argument for argument in arguments if argument is not type(None)]
        inner = _of(others[0]) if len(others) == 1 < len(arguments) else None
        return None if inner is None else Noneable(inner)
    if origin in (list, set, frozenset) and len(arguments) == 1:
        inner = _of(arguments[0])
        return None if inner is None else _each(inner, origin)
    if origin is dict and len(arguments) == 2:
        key, inner = config.ANY if arguments[0] is Any else _SCALARS.get(arguments[0]), _of(arguments[1])
        return None if key is None or inner is None else Map(ConfigType(key), inner)
    return None


def _each(inner: ConfigType, collection: type) -> ConfigType:
    return ConfigType(config.Array(inner.schema), lambda value: collection(map(inner.load, value)))
