"""Composition: while the function of a `@graph` or `@job` runs, calling a node places it instead of running it.

What calls pass around meanwhile are handles: the outputs of placed nodes (`InvokedOutput`) and the inputs of the graph
(`GraphInput`). The function is run once, when it is decorated; what it leaves behind are nodes by name and, for each,
the sources of its inputs. In these, nodes are named as in their graph, and `FromRunInput` means an input of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from operator import itemgetter
from typing import Any, TypeAlias

import msgspec

from treadle.author.signature import where
from treadle.core.keys import AssetKey, check_name, did_you_mean
from treadle.core.tags import run_tags
from treadle.core.told import told
from treadle.errors import DefinitionError, InvocationError
from treadle.spec.nodes import FromAsset, FromOutput, FromRunInput, Source
from treadle.spec.retry import RetryPolicy


class InvokedOutput(msgspec.Struct, eq=False):
    """An output of a node in the graph that is being composed. Pass it to another node to connect the two.

    Attributes:
        node_name, output_name: the node, and which of its outputs it is.
        levels: of how many dynamic outputs it stands for all values: only `map` and `collect` can take them up.
        collected: of how many dynamic outputs it stands for the list of all values.
    """

    composition: Composition
    node_name: str
    output_name: str
    levels: int = 0
    collected: int = 0

    @property
    def is_dynamic(self) -> bool:
        """Whether it stands for any number of values."""
        return self.levels > 0

    @property
    def is_collected(self) -> bool:
        """Whether it stands for a list of values."""
        return self.collected > 0

    def map(self, fn: Callable[[Any], Any]) -> Any:
        """Run what `fn` composes for each value of this dynamic output.

        Args:
            fn: called once with a handle for one value; it places nodes as a graph's function does.

        Returns:
            what `fn` returns, each of its handles dynamic in turn: to be mapped further, or collected.

        Raises:
            DefinitionError: this output is not dynamic.
        """
        self._check_dynamic("map")
        one = InvokedOutput(self.composition, self.node_name, self.output_name, collected=self.collected)
        return _as_dynamic(fn(one), self.levels)

    def collect(self) -> InvokedOutput:
        """The list of all values of this dynamic output, as one input; below several of them, of all of them.

        Raises:
            DefinitionError: this output is not dynamic, or stands for many lists.
        """
        self._check_dynamic("collect")
        if self.collected:
            raise DefinitionError(
                f"{self._title} is collected twice, which would be a list of lists. Put an op between that takes the "
                f"inner list.{self.composition.where}"
            )
        return InvokedOutput(self.composition, self.node_name, self.output_name, collected=self.levels)

    def _check_dynamic(self, what: str) -> None:
        if not self.is_dynamic:
            raise DefinitionError(
                f"{self._title} is one value, so it has no `{what}`. Pass it on as it is, or declare it with "
                f"DynamicOut.{self.composition.where}"
            )

    @property
    def _title(self) -> str:
        return f"Output {self.output_name!r} of {self.node_name!r} in {self.composition.title}"

    def __iter__(self) -> Any:
        raise self._not_many("iterated over")

    def __getitem__(self, index: Any) -> Any:
        raise self._not_many("indexed")

    def _not_many(self, what: str) -> DefinitionError:
        return DefinitionError(
            f"{self.node_name!r} in {self.composition.title} has a single output {self.output_name!r}; it cannot be "
            f"{what} while the graph is composed, because its value is made in the run. Declare several outputs with "
            f"`out={{...}}`.{self.composition.where}"
        )

    def __repr__(self) -> str:
        return f"<output {self.output_name!r} of {self.node_name!r}>"


class GraphInput(msgspec.Struct, eq=False):
    """An input of the graph that is being composed. Pass it to the nodes that need it."""

    composition: Composition
    name: str

    def __repr__(self) -> str:
        return f"<input {self.name!r} of {self.composition.title}>"


Binding: TypeAlias = Source | list[Source]
"""What an input is connected to. A list is a fan-in: the input's value is a list in this order."""


class Placing:
    """What can be placed in a graph otherwise than it is."""

    __slots__ = ()

    def _with(self, **changes: Any) -> PendingNode:
        return PendingNode(self, **changes)

    def alias(self, name: str) -> PendingNode:
        """The same under another name, to be called in a graph."""
        return self._with(alias=check_name(name, "an alias"))

    def tag(self, tags: Mapping[str, Any] | None) -> PendingNode:
        """The same with more tags; what was there under the same key gives way."""
        return self._with(tags=tags)

    def with_hooks(self, hook_defs: Set[Any]) -> PendingNode:
        """The same with more hooks for its steps."""
        return self._with(hooks=frozenset(hook_defs))

    def with_retry_policy(self, retry_policy: RetryPolicy) -> PendingNode:
        """The same with another retry policy. For a graph it counts in `to_job`: nodes of a graph have their own."""
        return self._with(retry_policy=retry_policy)


class PendingNode(Placing):
    """An op or graph with a name, tags, hooks or a retry policy for one place. Call it in a graph to place it there.

    Attributes:
        definition: the op or graph.
        given_alias: its name in the graph, if it was given one.
        tags, hook_defs, retry_policy: what it has beyond its definition.
    """

    __slots__ = ("definition", "given_alias", "hook_defs", "retry_policy", "tags")

    def __init__(
        self,
        definition: Any,
        alias: str | None = None,
        tags: Mapping[str, Any] | None = None,
        hooks: Set[Any] = frozenset(),
        retry_policy: RetryPolicy | None = None,
    ) -> None:
        self.definition = definition
        self.given_alias = alias
        self.tags: Mapping[str, str] = run_tags(tags, f"{definition.name!r}") if tags else {}
        self.hook_defs: Set[Any] = hooks
        self.retry_policy = retry_policy

    node_def: Any = told("definition", "The op or graph.")

    @property
    def name(self) -> str:
        """The name it asks for: its alias, else that of its definition."""
        return self.given_alias or self.definition.name

    def _with(self, **changes: Any) -> PendingNode:
        return PendingNode(
            self.definition,
            changes.get("alias", self.given_alias),
            {**self.tags, **(changes.get("tags") or {})},
            self.hook_defs | changes.get("hooks", frozenset()),
            changes.get("retry_policy", self.retry_policy),
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """In a graph: place it, and return the handle of its output, or a named tuple of handles. Elsewhere: call the
        definition, as a test does with an op."""
        if not _stack:
            return self.definition(*args, **kwargs)
        return _stack[-1].place(self, args, kwargs)

    def to_job(self, name: str | None = None, **options: Any) -> Any:
        """A job of this graph. See `GraphDefinition.to_job`."""
        make = getattr(self.definition, "to_job", None)
        if make is None:
            raise InvocationError(f"{self.name!r} is an op, not a graph, and has no `to_job`. Put it into a @graph.")
        options["tags"] = {**self.tags, **(options.get("tags") or {})} or None
        options["hooks"] = frozenset(self.hook_defs) | frozenset(options.get("hooks") or ())
        options.setdefault("op_retry_policy", self.retry_policy)
        return make(name or self.name, **options)

    def execute_in_process(self, **options: Any) -> Any:
        """Run this graph here and now. See `GraphDefinition.execute_in_process`."""
        resources = options.pop("resources", None)
        return self.to_job(resource_defs=resources).execute_in_process(**options)

    def __repr__(self) -> str:
        return f"<{self.name!r} of {self.definition!r}, not placed yet>"


class Composition:
    """A graph while its function runs.

    Attributes:
        title: how messages call it: `graph 'g'`.
        where: ` (file, line)` of the function.
        nodes: what was placed, by name.
        bindings: for each node the sources of its inputs, for those that are connected.
    """

    __slots__ = ("bindings", "nodes", "title", "used_names", "where")

    def __init__(self, title: str, fn: Callable[..., Any]) -> None:
        self.title = title
        self.where = where(fn)
        self.nodes: dict[str, PendingNode] = {}
        self.bindings: dict[str, dict[str, Binding]] = {}
        self.used_names: dict[str, int] = {}

    def run(self, fn: Callable[..., Any], inputs: Mapping[str, Any]) -> Any:
        """Call the function with handles for its inputs, and return what it returns."""
        _stack.append(self)
        try:
            return fn(**inputs)
        finally:
            _stack.pop()

    def place(self, pending: PendingNode, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Place a node and connect it.

        Returns:
            the handle of its output; a named tuple of handles if it has several; None if it has none.

        Raises:
            DefinitionError: the name is taken, or the arguments do not fit the inputs.
            InvocationError: an input is given by position and by name.
        """
        name = self._take_name(pending)
        bindings = self._bind(pending.definition, name, args, kwargs)
        self.nodes[name] = pending
        if bindings:
            self.bindings[name] = bindings
        outs: Mapping[str, Any] = pending.definition.outs
        if len(outs) == 1:
            [(output, out)] = outs.items()
            return InvokedOutput(self, name, output, out.levels)
        if not outs:
            return None
        return _outputs_type(tuple(outs))(InvokedOutput(self, name, output, out.levels) for output, out in outs.items())

    def _take_name(self, pending: PendingNode) -> str:
        name = pending.given_alias
        if name is None:
            name = pending.definition.name
            count = self.used_names[name] = self.used_names.get(name, 0) + 1
            if count > 1:
                name = f"{name}_{count}"
        taken = self.nodes.get(name)
        if taken is not None:
            raise DefinitionError(
                f"{self.title} has two nodes named {name!r}. Give one of them another name: "
                f"{pending.definition.name}.alias('...').{self.where}"
            )
        return name

    def _bind(self, definition: Any, node: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Binding]:
        ins = definition.ins
        if len(args) > len(ins):
            raise DefinitionError(
                f"{node!r} in {self.title} got {len(args)} inputs by position and has {len(ins)}"
                f"{': ' + ', '.join(ins) if ins else ''}. Leave out what it does not take.{self.where}"
            )
        bindings = {name: self._binding(value, name, node) for name, value in zip(ins, args, strict=False)}
        for name, value in kwargs.items():
            if name in bindings:
                raise InvocationError(
                    f"Input {name!r} of {node!r} in {self.title} is given twice, by position and by name. Leave one "
                    f"out.{self.where}"
                )
            if name not in ins:
                raise DefinitionError(
                    f"{node!r} in {self.title} has no input {name!r}; it has "
                    f"{', '.join(map(repr, ins)) or 'none'}.{did_you_mean(name, ins)}{self.where}"
                )
            bindings[name] = self._binding(value, name, node)
        return bindings

    def _binding(self, value: Any, name: str, node: str) -> Binding:
        if type(value) is InvokedOutput or type(value) is GraphInput:
            return self._checked(value, name, node)
        if isinstance(value, list):
            return [self._item(item, index, name, node) for index, item in enumerate(value)]
        key = _asset_key(value)
        if key is not None:
            return FromAsset(key)
        raise self._cannot_bind(value, name, node)

    def _item(self, value: Any, index: int, name: str, node: str) -> Source:
        if isinstance(value, InvokedOutput | GraphInput):
            return self._checked(value, name, node)
        raise self._cannot_bind(value, name, node, f" at index {index} of its list")

    def _checked(self, handle: Any, name: str, node: str) -> Source:
        if handle.composition is not self:
            raise DefinitionError(
                f"Input {name!r} of {node!r} in {self.title} is connected to {handle!r} of another graph, "
                f"{handle.composition.title}. Make it an input of this graph.{self.where}"
            )
        if isinstance(handle, InvokedOutput) and handle.is_dynamic:
            raise DefinitionError(
                f"Input {name!r} of {node!r} in {self.title} is connected to output {handle.output_name!r} of "
                f"{handle.node_name!r}, which is dynamic: any number of values. Use `.map(...)` to run a node for "
                f"each, or `.collect()` for the list of all.{self.where}"
            )
        if isinstance(handle, GraphInput):
            return FromRunInput(handle.name)
        return FromOutput(handle.node_name, handle.output_name, handle.collected)

    def _cannot_bind(self, value: Any, name: str, node: str, at: str = "") -> DefinitionError:
        what = f"Input {name!r} of {node!r} in {self.title} got"
        if isinstance(value, tuple) and value and all(isinstance(item, InvokedOutput) for item in value):
            names = ", ".join(item.output_name for item in value)
            return DefinitionError(
                f"{what} a tuple of outputs of {value[0].node_name!r}{at}. Pass one of them ({names}), or a list for "
                f"all of them as one value.{self.where}"
            )
        if isinstance(value, PendingNode) or (callable(value) and hasattr(value, "outs")):
            return DefinitionError(
                f"{what} {value.name!r} itself{at}, not its output. Call it: {value.name}().{self.where}"
            )
        return DefinitionError(
            f"{what} a value of type {type(value).__name__}{at}. While a graph is composed, inputs are connected to "
            f"outputs of nodes, to inputs of the graph, or to lists of these. Give values in run config, as a default, "
            f"or as `input_values=` of the job.{self.where}"
        )


_stack: list[Composition] = []
_output_types: dict[tuple[str, ...], type[tuple[InvokedOutput, ...]]] = {}


def is_composing() -> bool:
    """Whether the function of a graph or job is running, so that calling a node places it."""
    return bool(_stack)


def _outputs_type(names: tuple[str, ...]) -> type[tuple[InvokedOutput, ...]]:
    """A tuple whose items are also attributes. (`collections.namedtuple` refuses names such as `_a`.)"""
    known = _output_types.get(names)
    if known is None:
        members: dict[str, Any] = {name: property(itemgetter(index)) for index, name in enumerate(names)}
        known = _output_types[names] = type("Outputs", (tuple,), {"__slots__": (), "_fields": names, **members})
    return known


def _as_dynamic(value: Any, levels: int) -> Any:
    """What a mapped function returned, each handle once for each value that was mapped."""
    if isinstance(value, InvokedOutput):
        return InvokedOutput(
            value.composition, value.node_name, value.output_name, value.levels + levels, value.collected
        )  # fmt: skip
    if isinstance(value, tuple):
        items = [_as_dynamic(item, levels) for item in value]
        fields: Sequence[str] | None = getattr(value, "_fields", None)
        return _outputs_type(tuple(fields))(items) if fields is not None else tuple(items)
    if isinstance(value, list):
        return [_as_dynamic(item, levels) for item in value]
    if isinstance(value, dict):
        return {key: _as_dynamic(item, levels) for key, item in value.items()}
    return value


def _asset_key(value: Any) -> AssetKey | None:
    """The key of an asset that is passed where a handle could be: its stored value is then the input."""
    keys = getattr(value, "keys", None)
    if isinstance(keys, Set) and len(keys) == 1:
        [key] = keys
        return key if isinstance(key, AssetKey) else None
    key = getattr(value, "key", None)
    return key if isinstance(key, AssetKey) else None
