"""Inputs whose value comes from run config: which types can, what they look like there, and how the value is read.

The `load` of such a config type may read a file. A type with a loader of its own has its config checked with the run
config; the value is made in the step, where there are resources.
"""

from __future__ import annotations

import json
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Set
from typing import Any

import msgspec

from treadle.author.config_types import SCALARS, ConfigType, Map, Noneable, schema_from
from treadle.author.signature import NO_ANNOTATION
from treadle.author.types import ValueType
from treadle.spec import config

_PATH = config.Field(config.Shape({"path": config.Field(config.STR)}))


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
    one: ConfigType(config.ScalarUnion(kind, _selector(kind)), _load_selected) for one, kind in SCALARS.items()
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
        key, inner = config.ANY if arguments[0] is Any else SCALARS.get(arguments[0]), _of(arguments[1])
        return None if key is None or inner is None else Map(ConfigType(key), inner)
    return None


def _each(inner: ConfigType, collection: type) -> ConfigType:
    return ConfigType(config.Array(inner.schema), lambda value: collection(map(inner.load, value)))


# --- loaders of types -----------------------------------------------------------------------------------------------


class TypeLoaderContext:
    """What a loader may use beside the config of its input.

    Attributes:
        resources: the resources that the loader requires, as attributes.
        job_def, op_def: the job that runs, and the op whose input it is.
        log: a logger; messages go to the run's event log.
    """

    def __init__(self, step: Any, loader: TypeLoader) -> None:
        self.resources: Any = step.resources_for(loader.required_resource_keys())
        self.job_def: Any = step.job_def
        self.op_def: Any = step.op_def
        self.log: Any = step.log


class TypeLoader(ABC):
    """Makes the value of an input out of its config: the `loader=` of a type. `type_loader` makes one of a function."""

    @property
    @abstractmethod
    def schema_type(self) -> Any:
        """What people write in run config, as a config type."""

    @abstractmethod
    def construct_from_config_value(self, context: TypeLoaderContext, config_value: Any) -> Any:
        """The value that a config means."""

    def required_resource_keys(self) -> Set[str]:
        """The resources that it uses."""
        return frozenset()

    @property
    def schema(self) -> ConfigType:
        """The same as `schema_type`, of what is loaded later."""
        written = schema_from(self.schema_type)
        return ConfigType(written.schema, lambda config: LoadLater(self, written.load(config)))


class LoadLater(msgspec.Struct, frozen=True):
    """The value of an input that its loader makes once the step runs."""

    loader: TypeLoader
    config: Any

    def load(self, context: TypeLoaderContext) -> Any:
        """Make it."""
        return self.loader.construct_from_config_value(context, self.config)


class _FunctionLoader(TypeLoader):
    def __init__(self, config_schema: Any, keys: Set[str], load: Callable[[TypeLoaderContext, Any], Any]) -> None:
        self._schema = schema_from(config_schema)
        self._keys = keys
        self._load = load

    @property
    def schema_type(self) -> Any:
        return self._schema

    def construct_from_config_value(self, context: TypeLoaderContext, config_value: Any) -> Any:
        return self._load(context, config_value)

    def required_resource_keys(self) -> Set[str]:
        return self._keys


def type_loader(
    config_schema: Any, required_resource_keys: Set[str] | None = None
) -> Callable[[Callable[[TypeLoaderContext, Any], Any]], TypeLoader]:
    """Decorate a function `(context, config)` that makes a value out of config: the `loader=` of a type.

    Args:
        config_schema: what people write in run config.
        required_resource_keys: resources that it uses, as `context.resources.<key>`.
    """
    return lambda fn: _FunctionLoader(config_schema, frozenset(required_resource_keys or ()), fn)
