"""What a user's function takes and gives back, read once when it is decorated.

`inspect.signature` costs more than all the rest of a definition, so parameters come from the code object; annotations
are looked at only where they exist.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar, overload

import msgspec

from treadle.errors import DefinitionError

_CONTEXT_NAMES = frozenset({"context", "_context", "_", "__"})
_VARARGS, _VARKEYWORDS, _GENERATOR = 0x04, 0x08, 0x20
_COROUTINE, _ASYNC_GENERATOR = 0x80, 0x200
_CALLING = _VARKEYWORDS | _GENERATOR | _COROUTINE | _ASYNC_GENERATOR
NO_ANNOTATION: Any = object()


class Signature(msgspec.Struct, frozen=True):
    """What a function takes and gives back.

    Attributes:
        names: parameter names in order, without a context.
        context: the name of the context parameter, if it takes one.
        annotations: by parameter name, strings resolved where they can be; and `return`.
        defaults: by parameter name.
        takes_kwargs: whether it has `**kwargs`.
        is_generator, is_async: whether calling it gives an iterator; whether it has to be awaited.
    """

    names: tuple[str, ...]
    context: str | None
    annotations: Mapping[str, Any]
    defaults: Mapping[str, Any]
    takes_kwargs: bool
    is_generator: bool
    is_async: bool


_NOTHING: Mapping[str, Any] = {}


def signature_of(fn: Callable[..., Any]) -> Signature:
    """The signature of a function, or of an object with `__call__`.

    Raises:
        DefinitionError: it takes `*args`, which has no names to bind inputs to.
    """
    target = _plain(fn)
    code = target.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames[:count]
    flags = code.co_flags
    if flags & _VARARGS:
        raise DefinitionError(
            f"{fn.__name__} takes *args, and inputs are bound by name. Name each input as a parameter of its own."
            f"{where(fn)}"
        )
    if isinstance(fn, types.MethodType):
        names = names[1:]
    annotations = _annotations(target) if target.__annotations__ else _NOTHING
    context = None
    if names and (names[0] in _CONTEXT_NAMES or _is_context(annotations.get(names[0]))):
        context, names = names[0], names[1:]
    if annotations or "context" in names:
        late = next((name for name in names if name == "context" or _is_context(annotations.get(name))), None)
        if late is not None:
            raise DefinitionError(
                f"{fn.__name__} takes its context {late!r} after another parameter. Make it the first.{where(fn)}"
            )
    defaults = _NOTHING
    if target.__defaults__:
        positional = code.co_varnames[: code.co_argcount]
        defaults = dict(zip(positional[-len(target.__defaults__) :], target.__defaults__, strict=True))
    if target.__kwdefaults__:
        defaults = {**defaults, **target.__kwdefaults__}
    if not names and not annotations:  # a function of nothing: one object for all of a kind
        kind = (context, flags & _CALLING)
        if kind in _without_parameters:
            return _without_parameters[kind]
    signature = Signature(
        names=names,
        context=context,
        annotations=annotations,
        defaults=defaults,
        takes_kwargs=bool(flags & _VARKEYWORDS),
        is_generator=bool(flags & (_GENERATOR | _ASYNC_GENERATOR)),
        is_async=bool(flags & (_COROUTINE | _ASYNC_GENERATOR)),
    )
    if not names and not annotations:
        _without_parameters[context, flags & _CALLING] = signature
    return signature


_without_parameters: dict[tuple[str | None, int], Signature] = {}


def where(fn: Callable[..., Any]) -> str:
    """` (file, line)` of a function, for messages."""
    code = getattr(_plain(fn), "__code__", None)
    return f" ({code.co_filename}, line {code.co_firstlineno})" if code else ""


def _plain(fn: Callable[..., Any]) -> Any:
    """The Python function at the bottom of wrappers, partials, methods and callable objects."""
    while True:
        if isinstance(fn, types.FunctionType):
            inner = getattr(fn, "__wrapped__", None)
            if inner is None:
                return fn
            fn = inner
        elif isinstance(fn, types.MethodType):
            fn = fn.__func__
        elif hasattr(fn, "func"):  # functools.partial
            return _partial(fn)
        elif callable(fn) and isinstance(getattr(type(fn), "__call__", None), types.FunctionType):  # noqa: B004
            return _plain(types.MethodType(type(fn).__call__, fn))
        else:
            raise DefinitionError(f"{fn!r} is not a Python function. Wrap it in one: `def f(...): return ...`.")


def _partial(fn: Any) -> Any:
    """A function with the parameters that a partial leaves open."""
    inner = signature_of(fn.func)
    open_names = [name for name in inner.names[len(fn.args) :] if name not in fn.keywords]
    source = f"lambda {', '.join([*([inner.context] if inner.context else []), *open_names])}: None"
    made = eval(source)  # names come from a code object, so they are identifiers
    made.__name__ = getattr(fn.func, "__name__", "partial")
    made.__annotations__ = {k: v for k, v in inner.annotations.items() if k in open_names or k == "return"}
    return made


def _annotations(fn: Any) -> dict[str, Any]:
    raw = fn.__annotations__
    if not any(isinstance(value, str) for value in raw.values()):
        return raw
    namespace = dict(zip(fn.__code__.co_freevars, _cells(fn), strict=False))
    scope = getattr(sys.modules.get(fn.__module__), "__dict__", fn.__globals__)
    return {name: _resolve(value, scope, namespace) for name, value in raw.items()}


def _cells(fn: Any) -> list[Any]:
    cells = []
    for cell in fn.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # a variable of the enclosing function that is assigned later
            cells.append(None)
    return cells


def _resolve(value: Any, scope: dict[str, Any], namespace: dict[str, Any]) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return eval(value, scope, namespace)
    except Exception:  # a name only type checkers see, or one that is local to the function around the definition
        frame = sys._getframe(1)
        while frame is not None and frame.f_globals.get("__name__", "").startswith("treadle."):
            frame = frame.f_back
        try:
            return eval(value, scope, frame.f_locals) if frame is not None else typing.Any
        except Exception:
            return typing.Any


def _is_context(annotation: Any) -> bool:
    return isinstance(annotation, type) and hasattr(annotation, "__treadle_context__")


def docstring(fn: Callable[..., Any]) -> str | None:
    """The docstring of a function, its indentation taken away."""
    text = fn.__doc__
    return inspect.cleandoc(text) if text and "\n" in text else text


_P = ParamSpec("_P")
_Made = TypeVar("_Made", covariant=True)


class Decorator(Protocol[_P, _Made]):
    """A decorator that stands alone (`@asset`) or is called with arguments first (`@asset(name="a")`)."""

    @overload
    def __call__(self, fn: Callable[..., Any], /) -> _Made: ...
    @overload
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> Callable[[Callable[..., Any]], _Made]: ...


def decorator(
    fn_name: str,
) -> Callable[[Callable[_P, Callable[[Callable[..., Any]], _Made]]], Decorator[_P, _Made]]:
    """Let a function that returns a decorator be one itself.

    Args:
        fn_name: the keyword under which the decorated function may be given. If it is also that of an argument, a
            function (no class, and nothing with a `config_type`) is the decorated one.
    """

    def make(called: Callable[_P, Callable[[Callable[..., Any]], _Made]]) -> Decorator[_P, _Made]:
        with_arguments: Any = called
        is_shared = fn_name in with_arguments.__code__.co_varnames

        @wraps(called)
        def either(*args: Any, **given: Any) -> Any:
            fn = args[0] if args else given.get(fn_name)
            if is_shared and (not callable(fn) or isinstance(fn, type) or hasattr(fn, "config_type")):
                return with_arguments(*args, **given)
            given.pop(fn_name, None)
            arranged = with_arguments(**given)
            return arranged if fn is None else arranged(fn)

        return either

    return make
