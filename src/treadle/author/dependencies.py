"""The explicit form of a graph: which node's output feeds which input, written down instead of composed by calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, ClassVar

import msgspec

from treadle.core.tags import run_tags
from treadle.spec.retry import RetryPolicy


class _Source(msgspec.Struct, frozen=True):
    _is_list: ClassVar[bool] = True

    def is_fan_in(self) -> bool:
        """Whether it gives a list."""
        return self._is_list


class DependencyDefinition(_Source, frozen=True):
    """An output of a node, as the source of an input."""

    _is_list = False

    node: str
    output: str = "result"
    description: str | None = None


class DynamicCollectDependencyDefinition(_Source, frozen=True):
    """All values of a dynamic output as a list, as the source of an input."""

    node_name: str
    output_name: str = "result"


class MappedInputPlaceholder:
    """In a `MultiDependencyDefinition`: the place of the graph input whose `InputMapping` has this `fan_in_index`."""


class MultiDependencyDefinition(_Source, frozen=True):
    """Several sources of an input, whose value is the list of theirs."""

    dependencies: Sequence[DependencyDefinition | type[MappedInputPlaceholder]]

    def get_node_dependencies(self) -> Sequence[DependencyDefinition]:
        """The sources that are outputs of nodes."""
        return [item for item in self.dependencies if isinstance(item, DependencyDefinition)]

    def get_dependencies_and_mappings(self) -> Sequence[DependencyDefinition | type[MappedInputPlaceholder]]:
        """All sources."""
        return self.dependencies


class NodeInvocation:
    """A node of a graph, where the name of its definition does not say enough.

    Args:
        name: the name of the op or graph.
        alias: its name in the graph.
        tags, hook_defs, retry_policy: what it has beyond its definition.
    """

    __slots__ = ("alias", "hook_defs", "name", "retry_policy", "tags")

    def __init__(
        self,
        name: str,
        alias: str | None = None,
        tags: Mapping[str, str] | None = None,
        hook_defs: Set[Any] | None = None,
        retry_policy: RetryPolicy | None = None,
    ) -> None:
        self.name = name
        self.alias = alias
        self.tags: Mapping[str, Any] = run_tags(tags, f"{alias or name!r}")
        self.hook_defs: Set[Any] = frozenset(hook_defs or ())
        self.retry_policy = retry_policy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NodeInvocation) and (self.name, self.alias) == (other.name, other.alias)

    def __hash__(self) -> int:
        return hash((self.name, self.alias))

    def __repr__(self) -> str:
        return f"NodeInvocation({self.name!r}, alias={self.alias!r})"


class InputMapping(msgspec.Struct, frozen=True, kw_only=True):
    """An input of a graph, and the input of a node that it feeds.

    Attributes:
        fan_in_index: which item of the node's input, where that is a list.
    """

    graph_input_name: str
    mapped_node_name: str
    mapped_node_input_name: str
    fan_in_index: int | None = None
    graph_input_description: str | None = None
    dagster_type: Any = None


class OutputMapping(msgspec.Struct, frozen=True):
    """An output of a graph, and the output of a node that it is."""

    graph_output_name: str
    mapped_node_name: str
    mapped_node_output_name: str
    graph_output_description: str | None = None
    dagster_type: Any = None
    from_dynamic_mapping: bool = False
