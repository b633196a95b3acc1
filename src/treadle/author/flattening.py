"""From nested graphs to what runs: every op at its place, each input with its source, no graphs left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any, TypeAlias

from msgspec import Struct, structs

from treadle.author.composition import Binding, PendingNode, Placing
from treadle.author.configured import ConfigMapping
from treadle.author.input_config import input_config
from treadle.author.ops import In, OpDefinition
from treadle.author.types import NOTHING, ValueType
from treadle.errors import DefinitionError
from treadle.spec.nodes import (
    FromConfig,
    FromDefault,
    FromOutput,
    FromRunInput,
    InputSpec,
    NodeSpec,
    OutputSpec,
    Source,
)
from treadle.spec.retry import RetryPolicy


class Graph(Placing):
    """What a graph consists of.

    Attributes:
        placed: its nodes, by name.
        bindings: for each node the sources of its inputs, for those that are connected. Nodes are named as in this
            graph; `FromRunInput` means an input of it.
        ins, outs: its inputs and outputs, by name.
        config_mapping: makes the config of its nodes from config of its own, or fixes it.
    """

    name: str
    description: str | None
    tags: Mapping[str, str]
    placed: dict[str, PendingNode]
    bindings: dict[str, dict[str, Binding]]
    ins: dict[str, Any]
    outs: dict[str, Any]
    config_mapping: ConfigMapping | None
    where: str

    def ops(self) -> Iterator[OpDefinition]:
        """Every op in it, and in graphs inside it."""
        for node in self.placed.values():
            if isinstance(node.definition, OpDefinition):
                yield node.definition
            else:
                yield from node.definition.ops()

    def producer(self, node: str, output: str) -> tuple[str, OpDefinition, str]:
        """The op behind an output of a node, through the graphs that the node is made of: its handle, itself, and its
        output."""
        definition, handle = self.placed[node].definition, node
        while not isinstance(definition, OpDefinition):
            mapped = definition.outs[output]
            handle, output = f"{handle}.{mapped.node}", mapped.output
            definition = definition.placed[mapped.node].definition
        return handle, definition, output


class GraphPlace(Struct, frozen=True):
    """A graph at one place of a job: the config that it takes, and what it gives.

    Attributes:
        config: its config mapping, if it has one: then its nodes take no config from outside.
        input_types: the types that it declares for its inputs.
        outputs: the op output that each of its outputs is.
    """

    config: ConfigMapping | None
    input_types: Mapping[str, Any]
    outputs: Mapping[str, FromOutput] = {}


class FlatGraph(Struct, frozen=True):
    """A graph with all graphs inside it dissolved.

    Attributes:
        nodes: every op at its place.
        ops: the op of each node, by handle.
        outputs: the graph's outputs, by name.
        inputs: the names of the graph's inputs.
        node_hooks: hooks of nodes, those of the graphs around them included, by handle.
        graphs: the graphs inside, by handle.
        name, description, tags: its own, where it never was anything else but flat.
    """

    nodes: tuple[NodeSpec, ...]
    ops: Mapping[str, OpDefinition]
    outputs: Mapping[str, FromOutput]
    inputs: Set[str]
    node_hooks: Mapping[str, frozenset[Any]]
    graphs: Mapping[str, GraphPlace] = {}
    name: str = ""
    description: str | None = None
    tags: Mapping[str, str] = {}

    def with_policy(self, policy: RetryPolicy | None) -> FlatGraph:
        """The same, with this policy for nodes that have none."""
        if policy is None:
            return self
        nodes = [one if one.retry_policy else structs.replace(one, retry_policy=policy) for one in self.nodes]
        return structs.replace(self, nodes=tuple(nodes))


_Resolved: TypeAlias = Source | list[Source]
_NO_BINDINGS: Mapping[str, Binding] = {}


def flatten(
    graph: Graph,
    job_name: str,
    op_retry_policy: RetryPolicy | None = None,
    handle: str = "",
    inputs: Mapping[str, Source] | None = None,
) -> FlatGraph:
    """The ops of a graph and of all graphs inside it, each at its place.

    Args:
        graph: the graph.
        job_name: the job that it becomes, for messages.
        op_retry_policy: for ops that have none of their own.
        handle: its own place in the job, if the job has more in it.
        inputs: where its inputs come from, if not from the run.

    Sources: a node's output wherever a connection leads to one, through graphs in and out. An unconnected input comes
    from run config (`FromConfig`, with the handle of the outermost graph whose input it is) if its type can be written
    there (with the function's default if run config has none), else from the function's default. An input of the
    outermost graph is `FromRunInput`. An input with its own manager and no connection has no sources: the manager
    knows.

    Raises:
        DefinitionError: an input has no source.
    """
    flattener = _Flattener(job_name, op_retry_policy)
    prefix = handle and handle + "."
    given: Mapping[str, _Resolved] = {name: FromRunInput(name) for name in graph.ins} if inputs is None else {**inputs}
    flattener.graph(graph, prefix, given, frozenset())
    return FlatGraph(
        nodes=tuple(flattener.nodes),
        ops=flattener.ops,
        outputs={name: _producer(graph, prefix, out.node, out.output) for name, out in graph.outs.items()},
        inputs=frozenset(graph.ins),
        node_hooks=flattener.hooks,
        graphs=flattener.graphs,
    )


class _Flattener:
    def __init__(self, job_name: str, op_retry_policy: RetryPolicy | None) -> None:
        self.job_name = job_name
        self.op_retry_policy = op_retry_policy
        self.nodes: list[NodeSpec] = []
        self.ops: dict[str, OpDefinition] = {}
        self.hooks: dict[str, frozenset[Any]] = {}
        self.graphs: dict[str, GraphPlace] = {}
        self.output_specs: dict[int, tuple[OutputSpec, ...]] = {}

    def graph(self, graph: Graph, prefix: str, inputs: Mapping[str, _Resolved], hooks: frozenset[Any]) -> None:
        """Take up the nodes of a graph.

        Args:
            prefix: its handle and a dot, or nothing.
            inputs: the source of each of its inputs.
            hooks: of the graphs around its nodes.
        """
        if prefix or graph.config_mapping is not None:
            types = {name: graph_in.type for name, graph_in in graph.ins.items() if graph_in.type is not None}
            outputs = {name: _producer(graph, prefix, out.node, out.output) for name, out in graph.outs.items()}
            self.graphs[prefix[:-1]] = GraphPlace(graph.config_mapping, types, outputs)
        for name, node in graph.placed.items():
            handle = prefix + name
            bindings = graph.bindings.get(name, _NO_BINDINGS)
            resolved = {
                to: self._resolve(graph, prefix, binding, inputs, to, handle) for to, binding in bindings.items()
            }
            node_hooks = hooks | node.hook_defs if node.hook_defs else hooks
            if isinstance(node.definition, OpDefinition):
                self._op(node, node.definition, handle, resolved, node_hooks)
            else:
                for inner in node.definition.ins:
                    resolved.setdefault(inner, FromConfig(handle, inner))
                self.graph(node.definition, handle + ".", resolved, node_hooks)

    def _resolve(
        self, graph: Graph, prefix: str, binding: Binding, inputs: Mapping[str, _Resolved], to: str, handle: str
    ) -> _Resolved:
        if not isinstance(binding, list):
            return self._resolve_one(graph, prefix, binding, inputs)
        sources: list[Source] = []
        for item in binding:
            source = self._resolve_one(graph, prefix, item, inputs)
            if isinstance(source, list):
                raise DefinitionError(
                    f"Input {to!r} of {handle!r} in job {self.job_name!r} would be a list with a list in it: one of "
                    "its items is a graph input that gets a list. Put an op between them that makes the inner list."
                )
            sources.append(source)
        return sources

    def _resolve_one(self, graph: Graph, prefix: str, source: Source, inputs: Mapping[str, _Resolved]) -> _Resolved:
        if isinstance(source, FromOutput):
            return _producer(graph, prefix, source.node, source.output, source.collect)
        if isinstance(source, FromRunInput):
            return inputs[source.name]
        return source

    def _op(
        self,
        node: PendingNode,
        op: OpDefinition,
        handle: str,
        resolved: Mapping[str, _Resolved],
        hooks: frozenset[Any],
    ) -> None:
        self.ops[handle] = op
        if hooks:
            self.hooks[handle] = hooks
        outputs = self.output_specs.get(id(op))
        if outputs is None:
            outputs = self.output_specs[id(op)] = tuple(
                OutputSpec(name, out.is_required, out.is_dynamic) for name, out in op.outs.items()
            )
        self.nodes.append(
            NodeSpec(
                handle=handle,
                op_name=op.name,
                inputs=tuple([self._input(name, op_in, resolved.get(name), handle) for name, op_in in op.ins.items()]),
                outputs=outputs,
                retry_policy=node.retry_policy or op.retry_policy or self.op_retry_policy,
                tags={**op.tags, **node.tags},
                **op.limits,
            )
        )

    def _input(self, name: str, op_in: In, resolved: _Resolved | None, handle: str) -> InputSpec:
        if isinstance(resolved, list):
            return InputSpec(name, tuple(resolved), is_list=not op_in.is_nothing, is_nothing=op_in.is_nothing)
        source = resolved if resolved is not None else FromConfig(handle, name)
        if isinstance(source, FromConfig):
            return self._unconnected(name, op_in, source, handle)
        return InputSpec(name, (source,), is_nothing=op_in.is_nothing)

    def _unconnected(self, name: str, op_in: In, source: FromConfig, handle: str) -> InputSpec:
        """An input that nothing in the job feeds; `source` is where config would name it."""
        if op_in.is_nothing:
            return InputSpec(name, (), is_nothing=True)
        place = self.graphs.get(source.node)
        found = _unfed(name, op_in, source, place.input_types.get(source.input) if place is not None else None)
        if found is not None:
            return found
        what = f"input {source.input!r} of {source.node!r}"
        raise DefinitionError(
            f"Nothing provides {what} in job {self.job_name!r}, and a value of type {op_in.dagster_type.name} cannot "
            "be written in run config. Connect it to an output, make it an input of the job, or give the parameter a "
            f"default.{self.ops[handle].where}"
        )


def _unfed(name: str, op_in: In, source: FromConfig, declared: ValueType | None = None) -> InputSpec | None:
    """An input that no node feeds: its manager knows, or run config says it at `source`, or it has a default.

    Args:
        declared: the type that the graph around declares for it, if it does.
    """
    if op_in.input_manager_key is not None:
        return InputSpec(name, ())
    if input_config(declared or op_in.dagster_type) is not None and declared is not NOTHING:
        return InputSpec(name, (source,))
    return InputSpec(name, (FromDefault(),)) if op_in.has_default_value else None


def detached(nodes: Iterable[NodeSpec], ops: Mapping[str, OpDefinition], kept: Set[str]) -> tuple[NodeSpec, ...]:
    """`nodes` without those that are not `kept`: inputs that these would have fed come from run config.

    Raises:
        DefinitionError: such an input takes a value that cannot be written in run config, and has no default.
    """
    return tuple(_detach(node, ops[node.handle], kept) for node in nodes if node.handle in kept)


def _detach(node: NodeSpec, op: OpDefinition, kept: Set[str]) -> NodeSpec:
    if all(type(one) is not FromOutput or one.node in kept for spec in node.inputs for one in spec.sources):
        return node
    inputs = tuple(_detach_input(spec, op.ins[spec.name], node, op, kept) for spec in node.inputs)
    return structs.replace(node, inputs=inputs)


def _detach_input(spec: InputSpec, op_in: In, node: NodeSpec, op: OpDefinition, kept: Set[str]) -> InputSpec:
    sources = tuple(one for one in spec.sources if type(one) is not FromOutput or one.node in kept)
    if sources or not spec.sources or spec.is_nothing:
        return structs.replace(spec, sources=sources)
    found = _unfed(spec.name, op_in, FromConfig(node.handle, spec.name))
    if found is not None:
        return found
    raise DefinitionError(
        f"What provides input {spec.name!r} of {node.handle!r} is not selected, and a value of type "
        f"{op_in.dagster_type.name} cannot be written in run config. Select what is upstream too, or give the "
        f"parameter a default.{op.where}"
    )


def _producer(graph: Graph, prefix: str, node: str, output: str, collect: int = 0) -> FromOutput:
    handle, _, output = graph.producer(node, output)
    return FromOutput(prefix + handle, output, collect)
