"""What else automation conditions tell code written for Dagster: members that it has and does not document."""

from __future__ import annotations

from treadle.spec.automation import AllOf, AnyOf, AutomationCondition, NewlyTrue, Not, Operand, Since

_OPERATORS: dict[type, str] = {AllOf: "and", AnyOf: "or", Not: "not"}


def get_label(self: AutomationCondition) -> str | None:
    """Its label, if it has one."""
    return self.label


def operator_type(self: AutomationCondition) -> str:
    """How it combines its children; "identity" if it does so in a way of its own, or has none."""
    every = getattr(self, "every", None)
    return _OPERATORS.get(type(self)) or ("identity" if every is None else "and" if every else "or")


def requires_cursor(self: AutomationCondition) -> bool:
    """Whether it has to remember something from one evaluation to the next; its children are not looked at."""
    remembering = isinstance(self, Operand) and self.kind in ("initial_evaluation", "code_version_changed")
    return remembering or isinstance(self, Since | NewlyTrue)


for _name, _member in (
    ("get_label", get_label),
    ("operator_type", property(operator_type)),
    ("requires_cursor", property(requires_cursor)),
):
    setattr(AutomationCondition, _name, _member)
