"""Runtime types of inputs and outputs: what an annotation says about a value, checked when the value passes by."""

from __future__ import annotations

import enum
import logging
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from treadle.author.resources import Resources
from treadle.author.signature import NO_ANNOTATION
from treadle.core.metadata import MetadataValue, normalize
from treadle.core.told import told
from treadle.errors import DefinitionError, InvariantError, TypeCheckError


class Nothing:
    """The type of an input or output that orders steps and carries no value."""


@dataclass(frozen=True, slots=True, init=False)
class TypeCheck:
    """What a type says about a value.

    Attributes:
        success: whether the value is of the type.
        description: why it is not.
        metadata: facts about the value; those of a failed check are in the failure of its step.
    """

    success: bool
    description: str | None
    metadata: Mapping[str, MetadataValue]

    def __init__(
        self, success: bool, description: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        object.__setattr__(self, "success", success)
        object.__setattr__(self, "description", description)
        object.__setattr__(self, "metadata", normalize(metadata, "a type check") if metadata else {})


class TypeCheckContext:
    """Where a check happens.

    Attributes:
        dagster_type: the type whose check it is.
        resources: the resources that the type requires, as attributes; there are none outside of a run.
    """

    def __init__(self, step: Any, dagster_type: ValueType) -> None:
        self._step = step
        self.dagster_type = dagster_type
        keys = dagster_type.required_resource_keys
        self.resources: Any = Resources({}) if step is None or not keys else step.resources_for(keys)

    @property
    def run_id(self) -> str:
        """The run; empty outside of one."""
        return "" if self._step is None else self._step.run_id

    @property
    def log(self) -> logging.Logger:
        """The log of the step; outside of one, the logger `treadle`."""
        return logging.getLogger("treadle") if self._step is None else self._step.log


class TypeKind(enum.Enum):
    """What the values of a type are like."""

    ANY = "ANY"
    SCALAR = "SCALAR"
    LIST = "LIST"
    NOTHING = "NOTHING"
    NULLABLE = "NULLABLE"
    REGULAR = "REGULAR"


class ValueType:
    """A type of values that pass between ops and assets, with its check.

    Args:
        type_check_fn: takes a `TypeCheckContext` and the value; gives a `TypeCheck` or a bool.
        key: what it is known by; its name by default.
        name: how people call it.
        is_builtin: whether it is one of everybody's.
        loader: reads inputs of this type from run config.
        required_resource_keys: resources that its check uses, as `context.resources.<key>`.
        kind: what its values are like.
        typing_type: the annotation that says the same to type checkers.
        metadata: facts about the type.

    Raises:
        DefinitionError: it has neither name nor key, or its check does not take two arguments.
    """

    def __init__(
        self,
        type_check_fn: Callable[[TypeCheckContext, Any], TypeCheck | bool],
        key: str | None = None,
        name: str | None = None,
        is_builtin: bool = False,
        description: str | None = None,
        loader: Any = None,
        required_resource_keys: Set[str] | None = None,
        kind: TypeKind = TypeKind.REGULAR,
        typing_type: Any = Any,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        known = name or key
        if known is None:
            raise DefinitionError("A type needs a name: give it `name=`.")
        code = getattr(type_check_fn, "__code__", None)
        if code is not None and not code.co_flags & 0x04 and not isinstance(type_check_fn, types.MethodType):
            required = code.co_argcount - len(type_check_fn.__defaults__ or ())  # pyright: ignore
            if not required <= 2 <= code.co_argcount:
                raise DefinitionError(
                    f"The check of type {known!r} must take two arguments, (context, value), and it takes "
                    f"{code.co_argcount}."
                )
        self.type_check_fn: Callable[[TypeCheckContext, Any], TypeCheck | bool] | None = type_check_fn
        self.accepts: Callable[[Any], bool] | None = None
        self.checks = True
        self.key = key or known
        self.name = known
        self.is_builtin = is_builtin
        self.description = description
        self.loader = loader
        self.required_resource_keys: Set[str] = frozenset(required_resource_keys or ())
        self.kind = kind
        self.python_type = typing_type
        self.metadata: Mapping[str, MetadataValue] = normalize(metadata, f"type {known!r}") if metadata else {}

    @property
    def display_name(self) -> str:
        """How people call it: `Int`, `[Int]`, `Int?`, `Dict[String,Int]`, or its own name."""
        return self.name if self.type_check_fn is not None else _display(self.python_type)

    @property
    def unique_name(self) -> str | None:
        """Its name, if it has one of its own."""
        return self.display_name if self.has_unique_name else None

    @property
    def has_unique_name(self) -> bool:
        """Whether it has a name of its own."""
        return self.type_check_fn is not None or not typing.get_args(self.python_type)

    @property
    def needed_keys(self) -> Set[str]:
        """The resources that its check and its loader use."""
        return self.required_resource_keys | (self.loader.required_resource_keys() if self.loader else set())

    typing_type: Any = told("python_type", "The annotation that says the same.")

    def type_check(self, context: TypeCheckContext, value: object) -> TypeCheck:
        """What its check says about a value.

        Raises:
            InvariantError: the check gave neither a `TypeCheck` nor a bool.
        """
        if self.type_check_fn is None:
            if self.accepts is None or self.accepts(value):
                return TypeCheck(True)
            return TypeCheck(False, f"{value!r:.80} is {type(value).__name__}, not {self.name}.")
        result = self.type_check_fn(context, value)
        if isinstance(result, TypeCheck):
            return result
        if isinstance(result, bool):
            return TypeCheck(result)
        raise InvariantError(
            f"The check of type {self.name!r} must give a bool or a TypeCheck, and it gave {type(result).__name__}."
        )

    def finding(self, value: object, step: Any = None) -> TypeCheck | None:
        """What its check says about a value at a step; None if that is no more than that it is of the type."""
        if self.accepts is not None:
            return None if self.accepts(value) else _NOT_ACCEPTED
        if self.type_check_fn is None:
            return None
        check = self.type_check(TypeCheckContext(step, self), value)
        return None if check.success and check.description is None and not check.metadata else check

    def refusal(self, what: str, value: object, wrong: TypeCheck, fix: str) -> TypeCheckError:
        """The error for a value that failed its check: `what` it is for, and what to do."""
        return TypeCheckError(
            f"{what} must be {self.name}, and it is {type(value).__name__}: {value!r:.80}. {fix}",
            description=wrong.description,
            metadata=wrong.metadata,
        )

    def failure(self, value: object) -> TypeCheck | None:
        """What is wrong with a value; None if nothing is."""
        check = self.finding(value)
        return None if check is None or check.success else check


_NOT_ACCEPTED = TypeCheck(False)


class PythonObjectType(ValueType):
    """A type whose values are the instances of one or several Python classes.

    Args:
        python_type: the class, or a tuple of them.
        key, name, kwargs: as of `ValueType`; the name is that of the class by default.
    """

    def __init__(
        self, python_type: type | tuple[type, ...], key: str | None = None, name: str | None = None, **kwargs: Any
    ) -> None:
        kinds = python_type if isinstance(python_type, tuple) else (python_type,)
        called = ", ".join(kind.__name__ for kind in kinds)
        called = f"Union[{called}]" if len(kinds) > 1 else called

        def check(_context: TypeCheckContext, value: object) -> TypeCheck:
            if isinstance(value, kinds):
                return TypeCheck(True)
            return TypeCheck(False, f"{type(value).__name__} is not {called}, which {name or called} asks for.")

        super().__init__(check, key, name or called, **{"typing_type": typing.Union[kinds], **kwargs})  # noqa: UP007


def _plain(name: str, accepts: Callable[[Any], bool] | None, python_type: Any = Any) -> ValueType:
    kind = _kind(python_type)
    builtin = kind in (TypeKind.ANY, TypeKind.SCALAR, TypeKind.NOTHING)
    made = ValueType(lambda _context, _value: True, name=name, is_builtin=builtin, kind=kind, typing_type=python_type)
    made.type_check_fn, made.accepts, made.checks = None, accepts, accepts is not None
    return made


def _kind(annotation: Any) -> TypeKind:
    origin = typing.get_origin(annotation) or annotation
    if origin in (typing.Union, types.UnionType):
        return TypeKind.NULLABLE if type(None) in typing.get_args(annotation) else TypeKind.REGULAR
    kinds = {Any: TypeKind.ANY, list: TypeKind.LIST, typing.List: TypeKind.LIST, Nothing: TypeKind.NOTHING}  # noqa: UP006
    return TypeKind.SCALAR if origin in (int, str, float, bool) else kinds.get(origin, TypeKind.REGULAR)


_DISPLAY = {int: "Int", str: "String", float: "Float", bool: "Bool", Any: "Any", list: "[Any]", typing.List: "[Any]"}  # noqa: UP006


def _display(annotation: Any) -> str:
    if isinstance(annotation, ValueType):
        return annotation.display_name
    try:
        if annotation in _DISPLAY:
            return _DISPLAY[annotation]
    except TypeError:  # an unhashable annotation
        pass
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    inner = [_display(one) for one in arguments if one is not type(None)]
    if origin is list and inner:
        return f"[{inner[0]}]"
    if origin in (typing.Union, types.UnionType) and len(inner) == 1:
        return f"{inner[0]}?"
    if origin in (dict, set, tuple) and inner:
        return f"{origin.__name__.capitalize()}[{','.join(inner)}]"
    return _name(annotation)


def check_type(dagster_type: Any, value: Any) -> TypeCheck:
    """What a type, or an annotation, says about a value: for tests of types."""
    kind = value_type(dagster_type)
    return kind.type_check(TypeCheckContext(None, kind), value)


def make_python_type_usable_as_type(python_type: type, dagster_type: ValueType) -> None:
    """Let annotations with a Python class mean a type. Do it before what is annotated is defined.

    Raises:
        DefinitionError: the class means another type already.
    """
    if _registered.setdefault(python_type, dagster_type) is not dagster_type:
        raise DefinitionError(
            f"{python_type.__name__} means type {_registered[python_type].name!r} already, and a class means one type."
        )
    _made[python_type] = dagster_type


def usable_as_type(name: Any = None, description: str | None = None, loader: Any = None) -> Any:
    """Decorate a class: annotations with it mean a type of this name, description and loader."""
    if isinstance(name, type):
        return usable_as_type()(name)

    def decorate(cls: type) -> type:
        made = PythonObjectType(cls, name=name or cls.__name__, description=description, loader=loader)
        make_python_type_usable_as_type(cls, made)
        return cls

    return decorate


ANY = _plain("Any", None)
NOTHING = _plain("Nothing", lambda value: value is None, Nothing)
_made: dict[Any, ValueType] = {}
_registered: dict[type, ValueType] = {}


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
    return _plain(_name(annotation), _checker(annotation), annotation)


def _name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def _checker(annotation: Any) -> Callable[[Any], bool] | None:
    if isinstance(annotation, ValueType):
        return lambda value: annotation.failure(value) is None
    origin = typing.get_origin(annotation)
    if origin is None:
        if isinstance(annotation, type) and annotation in _registered:
            return _checker(_registered[annotation])
        return _class_checker(annotation) if isinstance(annotation, type) else None
    arguments = typing.get_args(annotation)
    if origin is typing.Annotated:
        return _checker(arguments[0])
    if origin in (typing.Union, types.UnionType):
        checkers = [_checker(one) if one is not type(None) else (lambda value: value is None) for one in arguments]
        if any(checker is None for checker in checkers):
            return None
        return lambda value: any(checker(value) for checker in checkers if checker)
    if origin is typing.Literal:
        return lambda value: value in arguments
    if not isinstance(origin, type):
        return None
    return _container_checker(origin, arguments)


def _class_checker(cls: type) -> Callable[[Any], bool] | None:
    if cls in (object, Any) or getattr(cls, "_is_protocol", False):
        return None
    if typing.is_typeddict(cls):
        cls = dict
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
