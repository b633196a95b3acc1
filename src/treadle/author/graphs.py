"""Graphs: ops and graphs connected with each other, a unit for use in jobs and in other graphs.

A graph is composed by calls (`@graph`) or written down (`GraphDefinition(node_defs=..., dependencies=...)`); both end
as nodes by name and sources for their inputs. What runs is flat: see `flatten`.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

import msgspec

from treadle.author.composition import (
    Binding,
    Composition,
    GraphInput,
    InvokedOutput,
    PendingNode,
    is_composing,
)
from treadle.author.configured import ConfigMapping
from treadle.author.dependencies import (
    DependencyDefinition,
    DynamicCollectDependencyDefinition,
    InputMapping,
    MultiDependencyDefinition,
    NodeInvocation,
    OutputMapping,
)
from treadle.author.flattening import Graph
from treadle.author.jobs import JobDefinition
from treadle.author.ops import DEFAULT_OUTPUT
from treadle.author.signature import NO_ANNOTATION, decorator, docstring, signature_of, where
from treadle.author.types import ValueType, value_type
from treadle.core.keys import AssetKey, check_name, did_you_mean
from treadle.core.tags import run_tags as checked_tags
from treadle.errors import DefinitionError, InvariantError
from treadle.spec.config import resolve
from treadle.spec.nodes import FromAsset, FromOutput, FromRunInput, Source
from treadle.spec.retry import RetryPolicy


class GraphIn:
    """An input of a graph.

    Attributes:
        type: the type that the graph's function declares for it, if it does.
    """

    __slots__ = ("description", "type")

    def __init__(self, *, description: str | None = None) -> None:
        self.description = description
        self.type: ValueType | None = None


class GraphOut(msgspec.Struct, eq=False):
    """An output of a graph."""

    description: str | None = None


class MappedOutput(msgspec.Struct, frozen=True):
    """An output of a graph: which output of which of its nodes it is."""

    node: str
    output: str
    levels: int = 0
    description: str | None = None
    dagster_type: Any = None


class GraphDefinition(Graph):
    """A graph: nodes and their connections. Made by `@graph`, or written down.

    Args:
        node_defs: the ops and graphs in it.
        dependencies: for each node the sources of its inputs; by name, or by `NodeInvocation` if it has an alias.
        input_mappings: its inputs.
        output_mappings: its outputs.
        config: makes the config of its nodes from config of its own, or fixes it.
        tags: facts about it; jobs of it carry them too.
        input_assets: for each node the inputs that load an asset.

    Raises:
        DefinitionError: something names a node, input or output that is not there, or nodes depend on each other in a
            circle.
    """

    def __init__(
        self,
        name: str,
        *,
        description: str | None = None,
        node_defs: Sequence[Any] | None = None,
        dependencies: Mapping[Any, Mapping[str, Any]] | None = None,
        input_mappings: Sequence[InputMapping] | None = None,
        output_mappings: Sequence[OutputMapping] | None = None,
        config: ConfigMapping | Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        input_assets: Mapping[str, Mapping[str, Any]] | None = None,
        composition_fn: Callable[..., Any] | None = None,
    ) -> None:
        self.name = check_name(name, "a graph or job")
        self.description = description
        self.config_mapping = ConfigMapping.of(config)
        self.tags = checked_tags(tags, f"graph {name!r}")
        self.where = where(composition_fn) if composition_fn is not None else ""
        written = _Written(name, node_defs or (), dependencies or {})
        written.take_assets(input_assets or {})
        self.placed = written.placed
        self.bindings = written.bindings
        self.ins = written.take_inputs(input_mappings or ())
        self.outs = written.take_outputs(output_mappings or ())
        written.check()
        _check_definitions(self.name, self.placed, self.where)

    @staticmethod
    def composed(
        fn: Callable[..., Any],
        name: str | None = None,
        *,
        description: str | None = None,
        ins: Mapping[str, GraphIn] | None = None,
        out: GraphOut | Mapping[str, GraphOut] | None = None,
        config: ConfigMapping | Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        kind: str = "graph",
    ) -> GraphDefinition:
        """The graph that a function composes.

        Args:
            kind: what messages call it. A "job" has no outputs.
        """
        made = GraphDefinition.__new__(GraphDefinition)
        made.name = check_name(name or fn.__name__, f"a {kind}")
        made.description = description or docstring(fn)
        made.config_mapping = ConfigMapping.of(config)
        made.tags = checked_tags(tags, f"{kind} {made.name!r}")
        made.where = where(fn)
        composition = Composition(f"{kind} {made.name!r}", fn)
        made.ins = _inputs(fn, ins or {}, composition)
        returned = composition.run(fn, {name: GraphInput(composition, name) for name in made.ins})
        made.placed = composition.nodes
        made.bindings = composition.bindings
        made.outs = _outputs(returned, out, composition, has_outputs=kind != "job")
        used = {source.name for _, _, _, source in _sources(made.bindings) if isinstance(source, FromRunInput)}
        for one in [one for one in made.ins if one not in used]:
            raise DefinitionError(
                f"Input {one!r} of {composition.title} feeds no node. Pass it to one, or remove it.{made.where}"
            )
        _check_definitions(composition.title, made.placed, made.where)
        return made

    # --- what it consists of ----------------------------------------------------------------------------------------

    @property
    def node_defs(self) -> Sequence[Any]:
        """The ops and graphs in it, each once."""
        return list({id(node.definition): node.definition for node in self.placed.values()}.values())

    @property
    def input_mappings(self) -> Sequence[InputMapping]:
        """Its inputs, and what they feed."""
        return [
            InputMapping(
                graph_input_name=source.name,
                mapped_node_name=node,
                mapped_node_input_name=name,
                fan_in_index=index,
                graph_input_description=self.ins[source.name].description,
                dagster_type=self.ins[source.name].type,
            )
            for node, name, index, source in _sources(self.bindings)
            if isinstance(source, FromRunInput)
        ]

    @property
    def output_mappings(self) -> Sequence[OutputMapping]:
        """Its outputs, and where they come from."""
        return [
            OutputMapping(name, out.node, out.output, out.description, out.dagster_type, out.levels > 0)
            for name, out in self.outs.items()
        ]

    # --- its use ----------------------------------------------------------------------------------------------------

    def configured(
        self, config_or_config_fn: Any, name: str, config_schema: Any = None, description: str | None = None
    ) -> GraphDefinition:
        """This graph under another name, with the config of its mapping given now, or computed by a function.

        Raises:
            DefinitionError: it has no config mapping.
        """
        inner = self.config_mapping
        if inner is None:
            raise DefinitionError(
                f"Graph {self.name!r} has no config mapping, so it takes no config that could be `configured`. Give it "
                f"one (config=...), or configure its ops.{self.where}"
            )
        outer = ConfigMapping.given(config_or_config_fn, config_schema)

        def both(config: Any) -> Any:
            made = outer.call(config, f"the `configured` graph {self.name!r}")
            what = f"The config that `configured` gives to graph {self.name!r}"
            checked = resolve(inner.config_field.field.schema, made, env=os.environ, what=what)
            return inner.call(checked, f"graph {self.name!r}")

        made = copy.copy(self)
        made.name = check_name(name, "a graph")
        made.description = description or self.description
        made.config_mapping = ConfigMapping(both, outer.declared)
        return made

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """In a graph: place this one in it. Elsewhere it cannot be called."""
        if is_composing():
            return PendingNode(self)(*args, **kwargs)
        raise InvariantError(
            f"Graph {self.name!r} was called outside of a graph. Call it in a function decorated with @graph or @job, "
            f"or run it with {self.name}.execute_in_process()."
        )

    def to_job(
        self,
        name: str | None = None,
        description: str | None = None,
        resource_defs: Mapping[str, Any] | None = None,
        config: Any = None,
        tags: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        logger_defs: Mapping[str, Any] | None = None,
        executor_def: Any = None,
        hooks: Set[Any] | None = None,
        op_retry_policy: RetryPolicy | None = None,
        op_selection: Sequence[str] | None = None,
        partitions_def: Any = None,
        input_values: Mapping[str, Any] | None = None,
        run_tags: Mapping[str, Any] | None = None,
        owners: Sequence[str] | None = None,
        automation_condition: Any = None,
    ) -> JobDefinition:
        """A job that runs this graph. Arguments as for `JobDefinition`; `op_selection` are the ops its runs have."""
        given = locals()
        del given["self"], given["hooks"], given["op_selection"]
        made = JobDefinition(graph_def=self, hook_defs=hooks, **given)
        made.op_selection = tuple(op_selection) if op_selection is not None else None
        return made

    def execute_in_process(
        self,
        run_config: Any = None,
        instance: Any = None,
        resources: Mapping[str, Any] | None = None,
        raise_on_error: bool = True,
        op_selection: Sequence[str] | None = None,
        run_id: str | None = None,
        input_values: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run it here and now, in this process, and return the result. See `JobDefinition.execute_in_process`."""
        return self.to_job(resource_defs=resources).execute_in_process(
            run_config=run_config, instance=instance, raise_on_error=raise_on_error, op_selection=op_selection,
            run_id=run_id, input_values=input_values,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<graph {self.name}>"


def _sources(bindings: Mapping[str, Mapping[str, Binding]]) -> Iterator[tuple[str, str, int | None, Source]]:
    """Each source: the node and the input that it is of, and its place where that is a list."""
    for node, inputs in bindings.items():
        for name, binding in inputs.items():
            if isinstance(binding, list):
                yield from ((node, name, index, source) for index, source in enumerate(binding))
            else:
                yield node, name, None, binding


# --- composed by calls ----------------------------------------------------------------------------------------------


def _inputs(fn: Callable[..., Any], declared: Mapping[str, GraphIn], composition: Composition) -> dict[str, GraphIn]:
    """The inputs: one for each parameter."""
    signature = signature_of(fn)
    if signature.context is not None:
        raise DefinitionError(
            f"{composition.title} takes a parameter {signature.context!r}. Its function runs when it is defined, "
            f"before there is a context; take the context in the ops.{composition.where}"
        )
    names = list(signature.names)
    for name in declared:
        if name not in names:
            if not signature.takes_kwargs:
                raise DefinitionError(
                    f"{composition.title} declares an input {name!r} that its function does not take. Add a parameter "
                    f"{name!r}.{did_you_mean(name, names)}{composition.where}"
                )
            names.append(name)
    made: dict[str, GraphIn] = {}
    for name in names:
        given = declared.get(name)
        graph_in = made[check_name(name, "an input")] = GraphIn(description=given.description if given else None)
        annotation = signature.annotations.get(name, NO_ANNOTATION)
        if annotation is not NO_ANNOTATION:
            graph_in.type = value_type(annotation)
    return made


def _outputs(
    returned: Any, out: GraphOut | Mapping[str, GraphOut] | None, composition: Composition, has_outputs: bool
) -> dict[str, MappedOutput]:
    """The outputs that the returned handles mean."""
    declared: Mapping[str, GraphOut] | None = {DEFAULT_OUTPUT: out} if isinstance(out, GraphOut) else out
    if not has_outputs:
        declared = {}
    if declared is None:
        declared = {} if returned is None else {DEFAULT_OUTPUT: GraphOut()}
    handles: Mapping[str, Any]
    if returned is None:
        handles = {}
    elif isinstance(returned, Mapping):
        handles = returned
    elif isinstance(returned, InvokedOutput):
        if len(declared) != 1:
            raise _wrong_return(composition, declared, f"one output of {returned.node_name!r}")
        handles = {next(iter(declared)): returned}
    elif isinstance(returned, tuple) and all(isinstance(item, InvokedOutput) for item in returned):
        handles = dict(zip(declared, returned, strict=False))
    else:
        raise _wrong_return(composition, declared, f"a value of type {type(returned).__name__}")
    for name in handles:
        if name not in declared:
            raise _wrong_return(composition, declared, f"an output {name!r}")
    made: dict[str, MappedOutput] = {}
    for name, graph_out in declared.items():
        if name not in handles:
            raise DefinitionError(
                f"{composition.title} declares an output {name!r} and does not return it. Return a dict with the "
                f"output of a node for each output.{composition.where}"
            )
        handle = handles[name]
        if not isinstance(handle, InvokedOutput) or handle.is_collected or handle.composition is not composition:
            raise _wrong_return(composition, declared, f"{handle!r} for its output {name!r}")
        made[check_name(name, "an output")] = MappedOutput(
            handle.node_name, handle.output_name, handle.levels, graph_out.description
        )
    return made


def _wrong_return(composition: Composition, declared: Mapping[str, GraphOut], what: str) -> DefinitionError:
    if composition.title.startswith("job"):
        return DefinitionError(
            f"The function of {composition.title} returns {what}. A job has no outputs: return nothing, or make it a "
            f"@graph and use `to_job`.{composition.where}"
        )
    return DefinitionError(
        f"The function of {composition.title} returns {what}, and its outputs are {', '.join(declared) or 'none'}. "
        f"Return outputs of its nodes: one for a single output, or a dict by output name.{composition.where}"
    )


def _check_definitions(title: str, placed: Mapping[str, PendingNode], at: str) -> None:
    """One name, one definition: otherwise config and the definition's page would mean either."""
    known: dict[str, Any] = {}
    for node in placed.values():
        first = known.setdefault(node.definition.name, node.definition)
        if first is not node.definition:
            raise DefinitionError(
                f"{title} uses two different definitions that are both named {node.definition.name!r}. Rename one.{at}"
            )


# --- written down ---------------------------------------------------------------------------------------------------


class _Written:
    """A graph in explicit form while it is read."""

    def __init__(self, name: str, node_defs: Sequence[Any], dependencies: Mapping[Any, Mapping[str, Any]]) -> None:
        self.title = f"graph {name!r}"
        self.definitions: dict[str, Any] = {}
        for definition in node_defs:
            if self.definitions.setdefault(definition.name, definition) is not definition:
                raise DefinitionError(f"{self.title} has two different nodes named {definition.name!r}. Rename one.")
        self.placed: dict[str, PendingNode] = {}
        self.bindings: dict[str, dict[str, Binding]] = {}
        invocations = {
            key if isinstance(key, NodeInvocation) else NodeInvocation(key): sources
            for key, sources in dependencies.items()
        }
        for invocation in invocations:
            self._place(invocation)
        used = {invocation.name for invocation in invocations}
        for other in self.definitions:
            if other not in used:
                self._place(NodeInvocation(other))
        for invocation, sources in invocations.items():
            node = invocation.alias or invocation.name
            for input_name, source in sources.items():
                self._bind(node, input_name, self._binding(source, node, input_name))

    def _place(self, invocation: NodeInvocation) -> None:
        definition = self.definitions.get(invocation.name)
        if definition is None:
            raise DefinitionError(
                f"{self.title} has dependencies of {invocation.name!r}, which is not among its nodes."
                f"{did_you_mean(invocation.name, self.definitions)} Add it to node_defs."
            )
        name = invocation.alias or invocation.name
        if name in self.placed:
            raise DefinitionError(f"{self.title} has two nodes named {name!r}. Give one of them another alias.")
        self.placed[name] = PendingNode(
            definition, invocation.alias, invocation.tags, invocation.hook_defs, invocation.retry_policy
        )

    def _bind(self, node: str, input_name: str, binding: Binding) -> None:
        self._check(node, "input", input_name)
        self.bindings.setdefault(node, {})[input_name] = binding

    def _check(self, node: str, kind: str, name: str) -> None:
        """There is this node, and it has an "input" or "output" of this name."""
        if node not in self.placed:
            raise DefinitionError(
                f"{self.title} names an {kind} of {node!r}, and has no such node (there are: "
                f"{', '.join(self.placed) or 'none'}).{did_you_mean(node, self.placed)}"
            )
        definition = self.placed[node].definition
        there = definition.ins if kind == "input" else definition.outs
        if name not in there:
            raise DefinitionError(
                f"{node!r} in {self.title} has no {kind} {name!r} (there are: {', '.join(there) or 'none'})."
                f"{did_you_mean(name, there)}"
            )

    def _output(self, node: str, output: str, collect: int = 0) -> FromOutput:
        self._check(node, "output", output)
        return FromOutput(node, output, collect)

    def _binding(self, source: Any, node: str, input_name: str) -> Binding:
        if isinstance(source, DependencyDefinition):
            return self._output(source.node, source.output)
        if isinstance(source, DynamicCollectDependencyDefinition):
            return self._output(source.node_name, source.output_name, collect=1)
        if isinstance(source, MultiDependencyDefinition):
            return [
                self._output(item.node, item.output) if isinstance(item, DependencyDefinition) else _UNFILLED
                for item in source.dependencies
            ]
        raise DefinitionError(
            f"The dependency of input {input_name!r} of {node!r} in {self.title} is of type {type(source).__name__}. "
            "Write DependencyDefinition('node'), or MultiDependencyDefinition([...]) for a list."
        )

    def take_assets(self, input_assets: Mapping[str, Mapping[str, Any]]) -> None:
        for node, inputs in input_assets.items():
            for input_name, asset in inputs.items():
                self._bind(node, input_name, FromAsset(AssetKey.from_coercible(asset)))

    def take_inputs(self, mappings: Sequence[InputMapping]) -> dict[str, GraphIn]:
        ins: dict[str, GraphIn] = {}
        for mapping in mappings:
            node, name = mapping.mapped_node_name, mapping.mapped_node_input_name
            self._check(node, "input", name)
            source = FromRunInput(mapping.graph_input_name)
            bound = self.bindings.get(node, {}).get(name)
            if mapping.fan_in_index is not None and isinstance(bound, list) and mapping.fan_in_index < len(bound):
                bound[mapping.fan_in_index] = source
            elif bound is not None:
                raise DefinitionError(
                    f"Input {mapping.graph_input_name!r} of {self.title} feeds input {name!r} of {node!r}, which is "
                    "connected already. Keep one of the two."
                )
            else:
                self._bind(node, name, source)
            made = ins.setdefault(
                check_name(mapping.graph_input_name, "an input"), GraphIn(description=mapping.graph_input_description)
            )
            if mapping.dagster_type is not None:
                made.type = value_type(mapping.dagster_type)
        return ins

    def take_outputs(self, mappings: Sequence[OutputMapping]) -> dict[str, MappedOutput]:
        outs: dict[str, MappedOutput] = {}
        for mapping in mappings:
            self._output(mapping.mapped_node_name, mapping.mapped_node_output_name)
            outs[check_name(mapping.graph_output_name, "an output")] = MappedOutput(
                mapping.mapped_node_name,
                mapping.mapped_node_output_name,
                mapping.from_dynamic_mapping,
                mapping.graph_output_description,
                mapping.dagster_type,
            )
        return outs

    def check(self) -> None:
        """Every place of a list is filled, and there is no circle."""
        waits: dict[str, set[str]] = {node: set() for node in self.placed}
        for node, name, _, source in _sources(self.bindings):
            if source is _UNFILLED:
                raise DefinitionError(
                    f"The list for input {name!r} of {node!r} in {self.title} has a place for an input of the "
                    "graph, and no InputMapping fills it. Add one with its fan_in_index."
                )
            if isinstance(source, FromOutput):
                waits[node].add(source.node)
        while ready := {node for node, others in waits.items() if not others}:
            waits = {node: others - ready for node, others in waits.items() if node not in ready}
        if waits:
            raise DefinitionError(
                f"Nodes of {self.title} depend on each other in a circle, among them {', '.join(sorted(waits))}. Break "
                "it."
            )


_UNFILLED = FromRunInput("")


# --- decorators -----------------------------------------------------------------------------------------------------


@decorator("compose_fn")
def graph(
    *,
    name: str | None = None,
    description: str | None = None,
    ins: Mapping[str, GraphIn] | None = None,
    out: GraphOut | Mapping[str, GraphOut] | None = None,
    tags: Mapping[str, Any] | None = None,
    config: ConfigMapping | Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], GraphDefinition]:
    """Make a graph of a function that calls ops and graphs. It is run once, now, to see what it connects.

    Args:
        name: its name; the function's by default.
        description: what it does; the docstring by default.
        ins: descriptions of its inputs, which are the function's parameters.
        out: its output, or outputs by name. By default one, `result`, if the function returns something.
        tags: facts about it; jobs of it carry them too.
        config: makes the config of its nodes from config of its own, or fixes it.

    Example:
        @graph
        def celsius(fahrenheit):
            return times_five_ninths(minus_thirty_two(fahrenheit))

    Raises:
        DefinitionError: calls do not fit the inputs of what they call, an input is not used, or an output not returned.
    """

    def make(fn: Callable[..., Any]) -> GraphDefinition:
        return GraphDefinition.composed(fn, name, description=description, ins=ins, out=out, config=config, tags=tags)

    return make


@decorator("compose_fn")
def job(
    *,
    name: str | None = None,
    description: str | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    config: Any = None,
    tags: Mapping[str, Any] | None = None,
    run_tags: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    logger_defs: Mapping[str, Any] | None = None,
    executor_def: Any = None,
    hooks: Set[Any] | None = None,
    op_retry_policy: RetryPolicy | None = None,
    partitions_def: Any = None,
    input_values: Mapping[str, Any] | None = None,
    owners: Sequence[str] | None = None,
) -> Callable[[Callable[..., Any]], JobDefinition]:
    """Make a job of a function that calls ops and graphs. It is run once, now, to see what it connects.

    Args:
        name: its name; the function's by default.
        description: what it does; the docstring by default.
        hooks: hooks for every step.
        resource_defs, config, tags, run_tags, metadata, logger_defs, executor_def, op_retry_policy, partitions_def,
            input_values, owners: as for `JobDefinition`.

    Raises:
        DefinitionError: calls do not fit the inputs of what they call, or an input has no source.
    """

    given = locals()
    del given["name"], given["description"], given["hooks"]
    return lambda fn: JobDefinition(
        graph_def=GraphDefinition.composed(fn, name, description=description, kind="job"), hook_defs=hooks, **given
    )
