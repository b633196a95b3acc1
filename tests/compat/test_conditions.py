"""What automation conditions tell code written for Dagster beside what Dagster documents."""

import pytest

from dagster import AutomationCondition as Condition


def test_what_must_be_remembered() -> None:
    remembering = [Condition.missing().since(Condition.in_progress()), Condition.missing().newly_true()]
    remembering += [Condition.initial_evaluation(), Condition.code_version_changed()]
    assert all(condition.requires_cursor for condition in remembering)
    assert not any(condition.requires_cursor for condition in (Condition.eager(), Condition.data_version_changed()))


@pytest.mark.parametrize(
    ("condition", "operator"),
    [
        (Condition.eager(), "and"),
        (Condition.in_progress(), "or"),
        (~Condition.missing(), "not"),
        (Condition.missing(), "identity"),
        (Condition.missing().newly_true(), "identity"),
        (Condition.any_deps_match(Condition.missing()), "or"),
        (Condition.all_checks_match(Condition.check_passed()), "and"),
    ],
)
def test_how_they_combine(condition: Condition, operator: str) -> None:
    assert condition.operator_type == operator


def test_labels() -> None:
    assert Condition.eager().get_label() == "eager"
    assert Condition.missing().get_label() is None
