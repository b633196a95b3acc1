"""Running again: which steps a run that continues earlier ones has, and where the rest of what it reads comes from.

A run that was executed again may be executed again: what counts for a value is the last run of that chain in which
its step succeeded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from treadle.core.keys import did_you_mean
from treadle.decide.plan import Plan
from treadle.decide.steps import Step
from treadle.errors import StepNotFoundError, StepOutputNotFoundError
from treadle.spec.nodes import FromOutput
from treadle.spec.op_selection import select_ops
from treadle.spec.selection_text import parse_clause
from treadle.state.event_types import EventType
from treadle.state.events import Event, StepOutput

OF_OUTCOMES = frozenset({EventType.STEP_OUTPUT, EventType.STEP_SUCCESS, EventType.STEP_RESTARTED})
"""The events that `outcomes` looks at."""


@dataclass(frozen=True, slots=True)
class Made:
    """A step that succeeded.

    Attributes:
        run_id: the run in which it did.
        outputs: the outputs that it produced.
        keys: the mapping keys of those that are dynamic, as (output, key).
    """

    run_id: str
    outputs: frozenset[str]
    keys: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a run that continues others does.

    Attributes:
        steps: the steps it executes.
        sources: for each other step that succeeded before, the run that has its outputs.
        left_out: outputs, as (step, output), that no run of the chain has produced, of steps it does not execute.
    """

    steps: frozenset[str]
    sources: Mapping[str, str]
    left_out: frozenset[tuple[str, str]]


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
            keys = frozenset((one.output_name, one.mapping_key) for one in given if one.mapping_key is not None)
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
    chain = [_with_templates(plan, made) for made in chain]
    made = _merged(chain)
    again: set[str] = set()
    for key, step in plan.steps.items():  # what is above a step comes before it
        if (executed is None or key in executed) and key not in chain[0] and not _lacks(step, again, made):
            again.add(key)
    return _continuation(plan, again, made)


def from_selection(plan: Plan, chain: Sequence[Mapping[str, Made]], clauses: Sequence[str]) -> Continuation:
    """Execute again the steps that any of `clauses` selects, such as `*name+`; all if there are none.

    Raises:
        SelectionError: a clause cannot be read.
        StepNotFoundError: a clause names a step that there is not.
        StepOutputNotFoundError: a step needs a value that no run has made.
    """
    if not clauses:
        return Continuation(frozenset(plan.steps), {}, frozenset())
    for text in clauses:
        clause = parse_clause(text)
        if clause is not None and not any(
            key == clause.name or key.startswith(f"{clause.name}.") for key in plan.steps
        ):
            raise StepNotFoundError(
                f"{text!r} selects no step of the run.{did_you_mean(clause.name, plan.steps)} "
                f"Its steps: {', '.join(plan.steps)}.",
                step_keys=(clause.name,),
            )
    again = select_ops(clauses, {key: map(_node, step.upstream) for key, step in plan.steps.items()})
    made = _merged([_with_templates(plan, made) for made in chain])
    for key in again:
        for source in _single_outputs(plan.steps[key]):
            if _is_gone(source, again, made):
                raise StepOutputNotFoundError(
                    f"Step {key!r} is to be executed again and needs output {source[1]!r} of step {source[0]!r}, which "
                    f"no earlier run has made. Select that step too, for example with '*{key}'.",
                    step_key=source[0], output_name=source[1],
                )  # fmt: skip
    return _continuation(plan, again, made)


def _with_multiplied(plan: Plan, again: AbstractSet[str]) -> frozenset[str]:
    """`again`, with whole groups of steps that multiply.

    If one of them is executed again, or what gathers their values, so is what gave the dynamic output, which may give
    other keys this time, and all that is multiplied by it.
    """
    grown = set(again)
    size = -1
    while size != len(grown):
        size = len(grown)
        for key, step in plan.steps.items():
            above = {output.node for spec in step.node.inputs for output in spec.sources if type(output) is FromOutput}
            if key in grown:
                for one in above & plan.steps.keys():
                    made = plan.steps[one]
                    if made.over or any(output.is_dynamic for output in made.node.outputs):
                        grown.add(one)
            elif step.over and not grown.isdisjoint(node for node, _ in step.over):
                grown.add(key)
    return frozenset(grown)


def _node(step_key: str) -> str:
    return step_key.partition("[")[0]


def _with_templates(plan: Plan, made: Mapping[str, Made]) -> Mapping[str, Made]:
    """`made` in a run, with each step that multiplied there and whose every copy succeeded."""
    found = dict(made)
    for key, step in plan.steps.items():
        if step.over and (copies := _copies(key, step.over, made)) is not None and made.keys() >= set(copies):
            run_id = made[step.over[0][0]].run_id
            found[key] = Made(run_id, frozenset(output for one in copies for output in made[one].outputs))
    return found


def _copies(key: str, over: Sequence[tuple[str, str]], made: Mapping[str, Made]) -> list[str] | None:
    """The steps that one became; None if a dynamic output above it was not made."""
    places = [""]
    for node, output in over:
        grown: list[str] = []
        for place in places:
            source = made.get(f"{node}[{place}]" if place else node)
            if source is None:
                return None
            grown += [f"{place},{name}" if place else name for one, name in sorted(source.keys) if one == output]
        places = grown
    return [f"{key}[{place}]" for place in places]


def _merged(chain: Sequence[Mapping[str, Made]]) -> dict[str, Made]:
    """What counts of each step: its last success."""
    merged: dict[str, Made] = {}
    for made in reversed(chain):
        merged.update(made)
    return merged


def _continuation(plan: Plan, again: AbstractSet[str], made: Mapping[str, Made]) -> Continuation:
    again = _with_multiplied(plan, again)
    sources = {key: made[key].run_id for key in plan.steps if key not in again and key in made}
    left_out = frozenset(
        (key, output.name)
        for key, step in plan.steps.items()
        for output in step.node.outputs
        if _is_gone((key, output.name), again, made)
    )
    return Continuation(again, sources, left_out)


def _lacks(step: Step, again: AbstractSet[str], made: Mapping[str, Made]) -> bool:
    """Whether a step could only be skipped: something that it needs is not there, and nothing will make it."""
    return any(_is_gone(source, again, made) for source in step.sources) or any(
        all(_is_gone(source, again, made) for source in group) for group in step.any_of
    )


def _is_gone(source: tuple[str, str], again: AbstractSet[str], made: Mapping[str, Made]) -> bool:
    step, output = _node(source[0]), source[1]
    return step not in again and (step not in made or output not in made[step].outputs)


def _single_outputs(step: Step) -> list[tuple[str, str]]:
    """The outputs of other steps whose value the step cannot do without. Assets may have been made by any run."""
    found = [spec.sources[0] for spec in step.node.inputs if len(spec.sources) == 1 and not spec.is_nothing]
    return [(one.node, one.output) for one in found if type(one) is FromOutput]
