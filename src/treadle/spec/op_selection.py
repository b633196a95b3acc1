"""Which ops of a job a run is for: clauses such as `*name+`, in terms of the job's nodes.

A name is a node of the job: an op, or a graph, which stands for all that is in it. One level up or down is one node of
the job, so next to a graph it is the whole graph. A path with dots reaches into graphs; levels around it are counted
in ops.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from treadle.core.keys import did_you_mean
from treadle.errors import SelectionError
from treadle.spec.graph import reach
from treadle.spec.selection_text import ALL, parse_clause, split_commas

_Edges = Mapping[str, set[str]]


def select_ops(clauses: str | Iterable[str], upstream: Mapping[str, Iterable[str]]) -> set[str]:
    """The handles that any of `clauses` selects.

    Args:
        clauses: `name`, `*name` (and all upstream), `+name` (one level up, `++name` two), `name*`, `name+`, or both
            sides; `graph.name` for what is inside a graph. `*` alone is everything. One string is a list with commas.
        upstream: for each op of the job, by its handle (`graph.inner.op`), the handles of the ops it gets values from
            or waits for.

    Raises:
        SelectionError: a clause cannot be read, or names nothing in the job.
    """
    levels = _Levels(upstream)
    selected: set[str] = set()
    for text in split_commas(clauses) if isinstance(clauses, str) else clauses:
        selected |= levels.select(text)
    return selected


class _Levels:
    """The job seen as ops, and as the nodes of its top level."""

    def __init__(self, upstream: Mapping[str, Iterable[str]]) -> None:
        self.ops: dict[str, set[str]] = {handle: set(parents) for handle, parents in upstream.items()}
        self.nodes: dict[str, set[str]] = {}
        self.inside: dict[str, set[str]] = {}
        for handle, parents in self.ops.items():
            top = _top(handle)
            self.nodes.setdefault(top, set()).update(_top(parent) for parent in parents if _top(parent) != top)
            parts = handle.split(".")
            for length in range(1, len(parts) + 1):
                self.inside.setdefault(".".join(parts[:length]), set()).add(handle)
        self.below_ops = _reversed(self.ops)
        self.below_nodes = _reversed(self.nodes)

    def select(self, text: str) -> set[str]:
        if text.strip() == "*":
            return set(self.ops)
        clause = parse_clause(text)
        if clause is None:
            raise SelectionError(
                f"{text!r} is no op selection. Write the name of an op, with `*` or `+` before it for what is upstream "
                "and after it for what is downstream, as in '*name+'. For ops inside a graph write 'graph.name'."
            )
        members = self.inside.get(clause.name)
        if members is None:
            raise SelectionError(
                f"{clause.name!r} is selected, but the job has no such op.{did_you_mean(clause.name, self.inside)}"
            )
        if "." in clause.name:
            above, below, start, expand = self.ops, self.below_ops, members, None
        else:
            above, below, start, expand = self.nodes, self.below_nodes, {clause.name}, self.inside
        found = set(start)
        if clause.up is not None:
            found |= reach(start, above, None if clause.up == ALL else clause.up)
        if clause.down is not None:
            found |= reach(start, below, None if clause.down == ALL else clause.down)
        return found if expand is None else {handle for node in found for handle in expand[node]}


def _top(handle: str) -> str:
    return handle.partition(".")[0]


def _reversed(edges: _Edges) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {name: set() for name in edges}
    for name, parents in edges.items():
        for parent in parents:
            found[parent].add(name)
    return found
