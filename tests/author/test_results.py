"""Results of an execution: values by node."""

from __future__ import annotations

import pytest

from treadle import InvariantError, StepOutputNotFoundError, graph, job, op


@op
def one() -> int:
    return 1


@op
def inc(number: int) -> int:
    return number + 1


@graph
def twice(number: int) -> int:
    return inc(inc(number))


@graph
def four_times(number: int) -> int:
    return twice(twice(number))


@job
def nested():
    four_times(one())


def test_output_of_a_graph_is_that_of_the_op_in_it():
    result = nested.execute_in_process()
    assert result.output_for_node("four_times") == 5
    assert result.output_for_node("four_times.twice") == 3
    assert result.output_for_node("four_times.twice.inc") == 2


def test_output_of_what_is_not_there():
    result = nested.execute_in_process()
    with pytest.raises(InvariantError, match=r"Did you mean 'four_times.twice'"):
        result.output_for_node("four_times.twce")
    with pytest.raises(StepOutputNotFoundError):
        result.output_for_node("four_times", "other")
