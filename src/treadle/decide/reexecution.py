"""Running again: which steps a run that continues earlier ones has, and where the rest of what it reads comes from.

A run that was executed again may be executed again: what counts for a value is the last run of that chain in which
its step succeeded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from treadle.core.keys import did_you_mean
from treadle.decide.plan import Plan
from treadle.decide.steps import Step, at, step_key
from treadle.errors import StepNotFoundError, StepOutputNotFoundError
from treadle.spec.nodes import FromOutput, OutputSpec
from treadle.spec.op_selection import select_ops
from treadle.spec.selection_text import parse_clause
from treadle.state.event_types import EventType
from treadle.state.events import Event, StepOutput

OF_OUTCOMES = frozenset({EventType.STEP_OUTPUT, EventType.STEP_SUCCESS, EventType.STEP_RESTARTED})
"""The events that `outcomes` looks at."""


class Made(msgspec.Struct, frozen=True):
    """A step that succeeded.

    Attributes:
        run_id: the run in which it did.
        outputs: the outputs that it produced.
        keys: the mapping keys of those that are dynamic, as (output, key), in order.
    """

    run_id: str
    outputs: frozenset[str]
    keys: tuple[tuple[str, str], ...] = ()

    def lacks(self, output: OutputSpec) -> bool:
        """Whether it left out one of its outputs. A dynamic one without values is there, unless it may be left out."""
        return output.name not in self.outputs and not (output.is_dynamic and output.is_required)

    def keys_of(self, output: str) -> tuple[str, ...]:
        """The mapping keys of one of its outputs."""
        return tuple(key for name, key in self.keys if name == output)


class Continuation(msgspec.Struct, frozen=True):
    """What a run that continues others does.

    Attributes:
        plan: all steps that the job has, as far as the run selects them.
        steps: the keys of those that it executes; `inc[?]` is every copy of a step that multiplies.
        made: the steps that succeeded before.
    """

    plan: Plan
    steps: frozenset[str]
    made: Mapping[str, Made]

    @property
    def handles(self) -> frozenset[str]:
        """The nodes of the steps that it executes."""
        return frozenset(_node(key) for key in self.steps)

    def executes(self, step: Step) -> bool:
        """Whether it executes a step; of what stands for several, whether it executes any of them."""
        if len(step.mapped) < len(step.over):
            return step.node.handle in self.handles
        return _covers(self.steps, step.key)


def outcomes(run_id: str, events: Iterable[Event]) -> dict[str, Made]:
    """The steps that succeeded in a run, from the events of its log in their order."""
    produced: dict[str, list[StepOutput]] = {}
    made: dict[str, Made] = {}
    for event in events:
        key = event.step_key
        if key is None:
            continue
        if isinstance(event, StepOutput):
            produced.setdefault(key, []).append(event)
        elif event.event_type is EventType.STEP_RESTARTED:
            produced.pop(key, None)  # what an attempt that failed gave does not count
        elif event.event_type is EventType.STEP_SUCCESS:
            given = produced.get(key, ())
            keys = tuple((one.output_name, one.mapping_key) for one in given if one.mapping_key is not None)
            made[key] = Made(run_id, frozenset(one.output_name for one in given), keys)
    return made


def from_failure(
    plan: Plan, chain: Sequence[Mapping[str, Made]], executed: AbstractSet[str] | None = None
) -> Continuation:
    """Execute again what did not succeed: failed, skipped and not reached. What would be skipped again is left out.

    Args:
        plan: all steps of the job, as far as the run selects them.
        chain: the steps that succeeded, by run: the one that is continued, the one that it continued, and so on.
        executed: the steps that the continued run was to execute; None is all.
    """
    known = _Known(plan, _merged(chain))
    for template in plan.steps.values():  # what is above a step comes before it
        for step in known.copies(template):
            if (executed is None or _covers(executed, step.key)) and step.key not in chain[0]:
                (known.left if known.lacks(step) else known.again).add(step.key)
    return Continuation(plan, frozenset(known.again), known.made)


def from_selection(plan: Plan, chain: Sequence[Mapping[str, Made]], clauses: Sequence[str]) -> Continuation:
    """Execute again the steps that any of `clauses` selects, such as `*name+`; all if there are none.

    A step that multiplies is meant with all of its copies by its name, `inc` or `inc[?]`; `inc[key]` is one of them.

    Raises:
        SelectionError: a clause cannot be read.
        StepNotFoundError: a clause names a step that there is not.
        StepOutputNotFoundError: a step needs a value that no run has made.
    """
    if not clauses:
        return Continuation(plan, frozenset(_group(step) for step in plan.steps.values()), {})
    known = _Known(plan, _merged(chain))
    again: set[str] = set()
    for text in clauses:
        again |= _selected(plan, known.made, text.replace("[?]", ""))
    known.again = again
    for template in plan.steps.values():
        for step in known.copies(template):
            if _covers(again, step.key):
                _need_values(step, known)
    return Continuation(plan, frozenset(again), known.made)


def _selected(plan: Plan, made: Mapping[str, Made], text: str) -> set[str]:
    """The keys of the steps that a clause selects: of copies, if it names one, else of all copies together."""
    clause = parse_clause(text)
    names: Mapping[str, Iterable[str]]
    if clause is not None and "[" in clause.name:
        known = _Known(plan, made)
        copies = {step.key: step for template in plan.steps.values() for step in known.copies(template)}
        names = {
            name: {one for key in step.upstream for one in known.all_of(key)} & copies.keys()
            for name, step in copies.items()
        }
        shown = {key: key for key in names}
    else:
        names = {key: [_node(above) for above in step.upstream] for key, step in plan.steps.items()}
        shown = {key: _group(step) for key, step in plan.steps.items()}
    if clause is not None and not any(key == clause.name or key.startswith(f"{clause.name}.") for key in names):
        raise StepNotFoundError(
            f"{text!r} selects no step of the run.{did_you_mean(clause.name, names)} Its steps: {', '.join(names)}.",
            step_keys=(clause.name,),
        )
    return {shown[key] for key in select_ops([text], names)}


def _need_values(step: Step, known: _Known) -> None:
    """Make sure that the values that a step cannot do without are there, or will be made."""
    single = {
        (spec.sources[0].node, spec.sources[0].output)
        for spec in step.node.inputs
        if len(spec.sources) == 1 and not spec.is_nothing and type(spec.sources[0]) is FromOutput
    }
    for key, output in step.sources:  # assets, which are no such inputs, may have been made by any run
        if (_node(key), output) in single and known.is_gone((key, output)):
            raise StepOutputNotFoundError(
                f"Step {step.key!r} is to be executed again and needs output {output!r} of step {key!r}, which no "
                f"earlier run has made. Select that step too, for example with '*{_node(step.key)}'.",
                step_key=key, output_name=output,
            )  # fmt: skip


class _Known:
    """What there is of the values of a run while it is found out what it executes again.

    Attributes:
        made: the steps that succeeded before.
        again: the keys of steps that will be executed.
        left: the keys of steps that would be skipped.
        members: of keys that stand for several steps, those.
    """

    def __init__(self, plan: Plan, made: Mapping[str, Made]) -> None:
        self.plan = plan
        self.made = made
        self.again: set[str] = set()
        self.left: set[str] = set()
        self.members: dict[str, list[str]] = {}

    def copies(self, template: Step) -> Iterator[Step]:
        """The steps that a template became or, where the values above it will be made anew, what stands for them."""
        if not template.over:
            yield template
            return
        depth = len(template.over)
        found: list[tuple[str, ...]] = [()]
        for index, (node, output) in enumerate(template.over):
            grown: list[tuple[str, ...]] = []
            for above in found:
                source = step_key(node, above, index)
                if _covers(self.again, source):
                    yield at(template, above)
                elif source in self.made:
                    more = [(*above, key) for key in self.made[source].keys_of(output)]
                    self.members[step_key(template.key, above, depth)] = [
                        step_key(template.key, one, depth) for one in more
                    ]
                    grown += more
            found = grown
        for coordinates in found:
            yield at(template, coordinates)

    def all_of(self, key: str) -> list[str]:
        """The steps that a key stands for: itself, unless it stands for several."""
        if key not in self.members:
            return [key]
        return [one for member in self.members[key] for one in self.all_of(member)]

    def lacks(self, step: Step) -> bool:
        """Whether a step could only be skipped: something that it needs is not there, and nothing will make it."""
        return any(map(self.is_gone, step.sources)) or any(all(map(self.is_gone, group)) for group in step.any_of)

    def is_gone(self, source: tuple[str, str]) -> bool:
        """Whether an output of a step, or of all that its key stands for, is not there and will not be made."""
        key, output = source
        if _covers(self.again, key):
            return False
        if key in self.members:
            return bool(self.members[key]) and all(self.is_gone((one, output)) for one in self.members[key])
        spec = next(one for one in self.plan.steps[_node(key)].node.outputs if one.name == output)
        if key in self.made:
            return self.made[key].lacks(spec)
        return key in self.left or spec.asset is None  # an asset may have been made by any run


def _merged(chain: Sequence[Mapping[str, Made]]) -> dict[str, Made]:
    """What counts of each step: its last success."""
    merged: dict[str, Made] = {}
    for made in reversed(chain):
        merged.update(made)
    return merged


def _covers(keys: AbstractSet[str], key: str) -> bool:
    """Whether keys have a step, or what stands for it among others."""
    if key in keys:
        return True
    handle, _, rest = key.partition("[")
    places = tuple(rest.removesuffix("]").split(",")) if rest else ()
    return any(step_key(handle, places[:count], len(places)) in keys for count in range(len(places)))


def _group(step: Step) -> str:
    """The key of a step of the plan: of all its copies, if it multiplies."""
    return step_key(step.key, (), len(step.over))


def _node(key: str) -> str:
    return key.partition("[")[0]
