"""Ops: functions with named inputs and outputs. Everything that runs, assets included, is an op at the bottom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import wraps
from typing import Any, TypeVar

from treadle.author import composition, port
from treadle.author.configured import Configurable
from treadle.author.outcomes import NO_VALUE
from treadle.author.resources import is_resource_annotation
from treadle.author.signature import NO_ANNOTATION, Signature, decorator, docstring, signature_of, where
from treadle.author.types import ANY, NOTHING, Nothing, ValueType, value_type
from treadle.core.keys import AssetKey, check_dict, check_name
from treadle.core.metadata import MetadataValue, normalize
from treadle.core.tags import CONCURRENCY_KEY, run_tags
from treadle.core.told import told
from treadle.errors import DefinitionError
from treadle.spec.policies import wrong_type
from treadle.spec.retry import RetryPolicy

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_OUTPUT = "result"
DEFAULT_IO_MANAGER_KEY = "io_manager"


class _Slot:
    """What inputs and outputs have in common."""

    __slots__ = ("description", "metadata", "type")

    def __init__(self, dagster_type: Any, description: str | None, metadata: Mapping[str, Any] | None) -> None:
        self.type: ValueType | None = None if dagster_type is NO_ANNOTATION else value_type(dagster_type)
        self.description = description
        self.metadata: Mapping[str, Any] = metadata or {}

    @property
    def dagster_type(self) -> ValueType:
        """The type its value must have."""
        return self.type or ANY

    @property
    def is_nothing(self) -> bool:
        """Whether it carries no value."""
        return self.type is NOTHING


class In(_Slot):
    """An input of an op.

    Args:
        dagster_type: the type its value must have; `Nothing` for an input that only orders steps.
        default_value: the value when nothing is connected.
        metadata: facts about the input, for its manager.
        asset_key: the asset it reads, for IO managers that think in assets.
        asset_partitions: which partitions of that asset.
        input_manager_key: the resource that loads it, in place of the IO manager that stored it.
    """

    __slots__ = ("asset_key", "asset_partitions", "default_value", "input_manager_key")

    def __init__(
        self,
        dagster_type: Any = NO_ANNOTATION,
        description: str | None = None,
        default_value: Any = NO_VALUE,
        metadata: Mapping[str, Any] | None = None,
        asset_key: AssetKey | Callable[[Any], AssetKey] | None = None,
        asset_partitions: set[str] | Callable[[Any], set[str]] | None = None,
        input_manager_key: str | None = None,
    ) -> None:
        super().__init__(dagster_type, description, metadata)
        self.default_value = default_value
        self.asset_key = asset_key
        self.asset_partitions = asset_partitions
        self.input_manager_key = input_manager_key

    @property
    def has_default_value(self) -> bool:
        """Whether it has a default."""
        return self.default_value is not NO_VALUE


class Out(_Slot):
    """An output of an op.

    Args:
        dagster_type: the type its value must have; `Nothing` for an output without value.
        is_required: False if the function may leave it out; what depends on it is then skipped.
        io_manager_key: the resource that stores its value.
        metadata: facts about the output, for its IO manager.
        code_version: the version of the code that makes it.
    """

    is_dynamic = False
    levels = 0
    __slots__ = ("code_version", "io_manager_key", "is_required")

    def __init__(
        self,
        dagster_type: Any = NO_ANNOTATION,
        description: str | None = None,
        is_required: bool = True,
        io_manager_key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        code_version: str | None = None,
    ) -> None:
        super().__init__(dagster_type, description, metadata)
        self.is_required = is_required
        self.io_manager_key = io_manager_key or DEFAULT_IO_MANAGER_KEY
        self.code_version = code_version


class DynamicOut(Out):
    """An output of an op that is any number of values, each with a mapping key: see `DynamicOutput`.

    What is downstream of it takes the values up one by one with `.map(...)`, or as a list with `.collect()`. Arguments
    as for `Out`; with `is_required=False` what is downstream is skipped if there are no values.
    """

    is_dynamic = True
    levels = 1
    __slots__ = ()


_ANY_IN = In()
_NOTHING: Mapping[str, str] = {}
_NO_KEYS: frozenset[str] = frozenset()


class OpDefinition(composition.Placing, Configurable):
    """An op: a function with named inputs and outputs. Made by `@op`; call it in a test, a `@graph` or a `@job`.

    Attributes:
        fn: the user's function.
        ins, outs: inputs and outputs by name.
        resource_args: parameter name to resource key, for parameters that are resources.
        required_resource_keys: every resource it needs, however it asked for it.
    """

    _takes = "The config that `configured` gives to {}"

    def __init__(
        self,
        compute_fn: Callable[..., Any],
        name: str,
        ins: Mapping[str, In] | None = None,
        outs: Mapping[str, Out] | None = None,
        description: str | None = None,
        config_schema: Any = None,
        required_resource_keys: Set[str] | None = None,
        tags: Mapping[str, Any] | None = None,
        version: str | None = None,
        retry_policy: RetryPolicy | None = None,
        code_version: str | None = None,
        pool: str | None = None,
        timeout: float | None = None,
    ) -> None:
        signature = signature_of(compute_fn)
        if ins and signature.names == ("inputs",) and "inputs" not in ins:
            compute_fn = _with_keywords(compute_fn)
            signature = signature_of(compute_fn)
        self.signature = signature
        self.fn = compute_fn
        self.name = check_name(name, "an op or asset")
        self.description = description or docstring(compute_fn)
        if retry_policy is not None and not isinstance(retry_policy, RetryPolicy):
            raise wrong_type(repr(name), "retry_policy", retry_policy, where(compute_fn))
        self.retry_policy = retry_policy
        self.code_version = code_version or version
        if pool is not None and (not isinstance(pool, str) or not pool or pool.split() != [pool]):
            raise DefinitionError(f"{name!r} is in pool {pool!r}. Give a name without spaces.{self.where}")
        self.pool = pool
        if timeout is not None and not timeout > 0:
            raise DefinitionError(f"The timeout of {name!r} is {timeout!r}. Give seconds above 0.{self.where}")
        self.timeout = timeout
        self.tags: Mapping[str, str] = run_tags(tags, repr(name)) if tags else _NOTHING
        if pool is not None and self.tags.get(CONCURRENCY_KEY, pool) != pool:
            raise DefinitionError(
                f"{name!r} is in pool {pool!r}, and its tag {CONCURRENCY_KEY!r} says {self.tags[CONCURRENCY_KEY]!r}. "
                f"Keep the pool.{self.where}"
            )
        self.config_schema = config_schema
        self.resource_args: Mapping[str, str] = _NOTHING
        names = signature.names
        if signature.annotations:
            names = self._take_special(signature, ins or {})
        elif "config" in names:
            names = self._take_config(signature, names)
        self.ins = _inputs(signature, names, ins, self)
        self.outs = outs if outs is not None else {DEFAULT_OUTPUT: _inferred_out(signature)}
        self.required_resource_keys = (
            frozenset(required_resource_keys or ()) | frozenset(self.resource_args.values())
            if required_resource_keys or self.resource_args
            else _NO_KEYS
        )

    def _take_special(self, signature: Signature, ins: Mapping[str, In]) -> tuple[str, ...]:
        """The names that are inputs: `config` and resources are not."""
        names = []
        resources: dict[str, str] = {}
        for name in signature.names:
            annotation = signature.annotations.get(name, NO_ANNOTATION)
            if annotation is not NO_ANNOTATION and is_resource_annotation(annotation):
                resources[name] = name
            elif name != "config" and name not in ins and getattr(annotation, "__treadle_config__", False) is True:
                raise DefinitionError(
                    f"The parameter {name!r} of {self.name!r} has the type {annotation.__name__}, a config class, and "
                    f"config reaches a function as `config`. Write `config: {annotation.__name__}`; or, if an op or "
                    f"asset upstream makes the value, declare it: ins={{{name!r}: ...}}.{where(self.fn)}"
                )
            else:
                names.append(name)
        if resources:
            self.resource_args = resources
        return self._take_config(signature, tuple(names)) if "config" in names else tuple(names)

    def _take_config(self, signature: Signature, names: tuple[str, ...]) -> tuple[str, ...]:
        annotation = signature.annotations.get("config", NO_ANNOTATION)
        if annotation is NO_ANNOTATION:
            raise DefinitionError(
                f"The parameter `config` of {self.name!r} needs a type: `config: MyConfig` with a subclass of "
                f"treadle.Config, or `config: dict`.{where(self.fn)}"
            )
        self.config_class = annotation
        return tuple(name for name in names if name != "config")

    def configured(
        self, config_or_config_fn: Any, name: str, config_schema: Any = None, description: str | None = None
    ) -> OpDefinition:
        """This op under another name, with its config given now, or computed by a function from other config, which is
        as `config_schema` says.
        """
        made = self._configured(config_or_config_fn, config_schema, description)
        made.name = check_name(name, "an op")
        return made

    @property
    def _what(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return f"op {self.name!r}"

    @property
    def limits(self) -> dict[str, Any]:
        """What nodes have of it for its limits: the pool, also by the older tag for it, and the timeout."""
        return {"pool": self.pool or self.tags.get(CONCURRENCY_KEY), "timeout_s": self.timeout}

    compute_fn: Callable[..., Any] = told("fn", "The user's function.")

    @property
    def where(self) -> str:
        """` (file, line)` of the user's function, for messages."""
        return where(self.fn)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """In a graph: place the op and connect it. Elsewhere: run the user's function, as tests do."""
        if composition.is_composing():
            return composition.PendingNode(self)(*args, **kwargs)
        return port.call("invoke_op")(self, args, kwargs)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def _with_keywords(fn: Callable[..., Any]) -> Callable[..., Any]:
    """`fn(context, inputs)`, the shape for ops that are made by hand, as a function that takes inputs by name."""
    if signature_of(fn).is_generator:

        @wraps(fn)
        def generate(context: Any, **inputs: Any) -> Any:
            yield from fn(context, inputs)

        made: Any = generate
    else:

        @wraps(fn)
        def call(context: Any, **inputs: Any) -> Any:
            return fn(context, inputs)

        made = call
    del made.__wrapped__  # its own signature counts
    return made


def _inputs(
    signature: Signature, names: tuple[str, ...], ins: Mapping[str, In] | None, op: OpDefinition
) -> dict[str, In]:
    if not names and not ins:
        return {}
    if not signature.annotations and not signature.defaults and not ins:
        return dict.fromkeys(names, _ANY_IN)
    result: dict[str, In] = {}
    for name in names:
        declared = (ins or {}).get(name)
        if declared is not None and declared.is_nothing:
            raise DefinitionError(
                f"Input {name!r} of {op.name!r} is Nothing, so it has no value for a parameter. Remove the parameter "
                f"{name!r} and keep `ins`.{op.where}"
            )
        result[name] = _with_signature(declared, name, signature)
    for name, declared in (ins or {}).items():
        if name in result:
            continue
        if not declared.is_nothing and not signature.takes_kwargs:
            raise DefinitionError(
                f"{op.name!r} declares an input {name!r} that its function does not take. Add a parameter {name!r}, or "
                f"make it `In(Nothing)` if it only orders steps.{op.where}"
            )
        result[check_name(name, "an input")] = declared
    return result


def _with_signature(declared: In | None, name: str, signature: Signature) -> In:
    """An input with what the signature says and `ins` leaves open."""
    annotation = signature.annotations.get(name, NO_ANNOTATION)
    default = signature.defaults.get(name, NO_VALUE)
    if declared is None:
        return In(annotation, default_value=default)
    if declared.type is None and annotation is not NO_ANNOTATION:
        declared.type = value_type(annotation)
    if declared.default_value is NO_VALUE:
        declared.default_value = default
    return declared


def _inferred_out(signature: Signature) -> Out:
    annotation = signature.annotations.get("return", NO_ANNOTATION)
    if annotation is NO_ANNOTATION or signature.is_generator:
        return Out()
    if getattr(annotation, "__origin__", None) is list:
        item = annotation.__args__[0]
        if getattr(getattr(item, "__origin__", item), "__name__", "") == "DynamicOutput":
            return DynamicOut(output_annotation(item))
    return Out(output_annotation(annotation))


def output_annotation(annotation: Any) -> Any:
    """The type of the value that a return annotation promises: `Output[int]` promises an int."""
    if annotation is None:
        return Nothing
    origin = getattr(annotation, "__origin__", annotation)
    if getattr(origin, "__name__", "") in ("Output", "DynamicOutput"):
        arguments = getattr(annotation, "__args__", None)
        return arguments[0] if arguments else NO_ANNOTATION
    return annotation


def type_outputs(outs: Sequence[Out], signature: Signature) -> None:
    """Give several outputs the types that a `-> tuple[A, B]` promises, where they have none of their own."""
    annotation = signature.annotations.get("return", NO_ANNOTATION)
    if getattr(annotation, "__origin__", None) is not tuple or signature.is_generator:
        return
    promised = annotation.__args__
    if len(promised) != len(outs) or Ellipsis in promised:
        return
    for out, one in zip(outs, promised, strict=True):
        if out.type is None:
            out.type = value_type(output_annotation(one))


@decorator("compute_fn")
def op(
    *,
    name: str | None = None,
    description: str | None = None,
    ins: Mapping[str, In] | None = None,
    out: Out | Mapping[str, Out] | None = None,
    config_schema: Any = None,
    required_resource_keys: Set[str] | None = None,
    tags: Mapping[str, Any] | None = None,
    version: str | None = None,
    retry_policy: RetryPolicy | None = None,
    code_version: str | None = None,
    pool: str | None = None,
    timeout: float | None = None,
) -> Callable[[Callable[..., Any]], OpDefinition]:
    """Make a function an op.

    Parameters become inputs by name, except `context`, `config` and resources, which are recognised by their
    annotations. The return annotation gives the type of the one output, unless `out` declares outputs.

    Args:
        name: the op's name; the function's by default.
        description: what it does; the docstring by default.
        ins: inputs that need more than a name and an annotation.
        out: the output, or outputs by name.
        config_schema: config in the older style; `config: MyConfig` as a parameter is the newer one.
        required_resource_keys: resources used through `context.resources`.
        tags: facts about the op; `dagster/priority` orders steps.
        version, code_version: the version of the code.
        retry_policy: what happens when it fails.
        pool: the concurrency pool that each step of it needs a slot of.
        timeout: how many seconds an attempt may take; then it fails, and the retry policy counts. See `runtime.limits`
            for what one process can end.

    Raises:
        DefinitionError: a name is invalid, or inputs and parameters do not match.
    """

    def make(fn: Callable[..., Any]) -> OpDefinition:
        outs: Mapping[str, Out] | None
        check_dict(ins or {}, "ins", repr(fn.__name__), In, where(fn))
        if isinstance(out, Out):
            annotation = signature_of(fn).annotations.get("return", NO_ANNOTATION)
            if out.type is None and annotation is not NO_ANNOTATION and not signature_of(fn).is_generator:
                out.type = value_type(output_annotation(annotation))
            outs = {DEFAULT_OUTPUT: out}
        else:
            check_dict(out or {}, "out", repr(fn.__name__), Out, where(fn))
            outs = dict(out) if out is not None else None
            type_outputs(list((outs or {}).values()), signature_of(fn))
        return OpDefinition(
            fn, name or fn.__name__, ins, outs, description, config_schema, required_resource_keys, tags, version,
            retry_policy, code_version, pool, timeout,
        )  # fmt: skip

    return make


def output_metadata(out: Out) -> dict[str, MetadataValue]:
    """The metadata of an output's definition, normalised."""
    return normalize(out.metadata, "the metadata of an output") if out.metadata else {}


def required_keys(ops: Iterable[OpDefinition]) -> set[str]:
    """Every resource key that these ops need, IO managers included."""
    keys: set[str] = set()
    for definition in ops:
        keys |= definition.required_resource_keys
        keys.update(out.io_manager_key for out in definition.outs.values() if not out.is_nothing)
        for one in definition.ins.values():
            if one.input_manager_key:
                keys.add(one.input_manager_key)
        for one in (*definition.ins.values(), *definition.outs.values()):
            if one.type is not None and (one.type.required_resource_keys or one.type.loader is not None):
                keys |= one.type.needed_keys
    return keys
