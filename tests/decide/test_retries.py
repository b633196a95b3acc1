"""Which failed runs are run again, and as what."""

from __future__ import annotations

import pytest

from treadle.core import tags
from treadle.core.keys import AssetKey
from treadle.decide.retries import FROM_ASSET_FAILURE, FROM_FAILURE, Rules, id_of_retry, is_retried, retry_of, strategy
from treadle.state.runs import Run, RunStatus


def failed(**given: str) -> Run:
    return Run(
        job_name="job", status=RunStatus.FAILURE, tags={key.replace("__", "/"): value for key, value in given.items()}
    )


@pytest.mark.parametrize(
    ("given", "runs", "rules", "expected"),
    [
        ({}, 1, Rules(), False),
        ({}, 2, Rules(2), True),
        ({}, 3, Rules(2), False),
        ({"dagster__max_retries": "1"}, 1, Rules(), True),
        ({"dagster__max_retries": "0"}, 1, Rules(5), False),
        ({"dagster__max_retries": "many"}, 1, Rules(5), False),
        ({"dagster__failure_reason": "STEP_FAILURE"}, 1, Rules(1), True),
        ({"dagster__failure_reason": "STEP_FAILURE"}, 1, Rules(1, False), False),
        ({"dagster__failure_reason": "RUN_EXCEPTION"}, 1, Rules(1, False), True),
        (
            {"dagster__failure_reason": "STEP_FAILURE", "dagster__retry_on_asset_or_op_failure": "false"},
            1,
            Rules(1),
            False,
        ),
    ],
)
def test_a_run_is_retried_as_its_tags_and_the_settings_say(
    given: dict[str, str], runs: int, rules: Rules, expected: bool
) -> None:
    assert is_retried(failed(**given), runs, rules) is expected


def test_the_new_run_is_the_old_one_without_what_became_of_it() -> None:
    run = failed(team="x", dagster__failure_reason="STEP_FAILURE", dagster__will_retry="true")
    again = retry_of(run, FROM_FAILURE, 1)
    assert again.run_id == id_of_retry(run) != run.run_id
    assert (again.parent_run_id, again.root_run_id) == (run.run_id, run.run_id)
    assert again.status is RunStatus.NOT_STARTED
    assert again.tags == {
        "team": "x", tags.RETRY_NUMBER: "1", tags.PARENT_RUN_ID: run.run_id, tags.ROOT_RUN_ID: run.run_id,
        tags.IS_RESUME_RETRY: "true",
    }  # fmt: skip
    third = retry_of(again, "ALL_STEPS", 2)
    assert third.root_run_id == run.run_id
    assert tags.IS_RESUME_RETRY not in third.tags


def test_of_assets_what_was_not_made() -> None:
    again = retry_of(failed(), FROM_ASSET_FAILURE, 1, assets_left=[AssetKey("a")])
    assert again.asset_selection == {AssetKey("a")}
    assert again.asset_check_selection == frozenset()
    assert again.tags[tags.IS_ASSET_RESUME_RETRY] == "true"


def test_what_somebody_asks_for_is_a_run_of_its_own_each_time() -> None:
    run = failed(dagster__retry_number="2")
    first, second = (retry_of(run, FROM_FAILURE, steps=["load+"]) for _ in range(2))
    assert len({first.run_id, second.run_id, id_of_retry(run)}) == 3
    assert first.tags == {
        tags.PARENT_RUN_ID: run.run_id, tags.ROOT_RUN_ID: run.run_id, tags.STEP_SELECTION: "load+",
    }  # fmt: skip


@pytest.mark.parametrize(("under_way", "expected"), [((), False), (("b",), True), (("c",), False)])
def test_runs_of_backfills_that_are_over_are_not_run_again(under_way: tuple[str, ...], expected: bool) -> None:
    assert is_retried(failed(dagster__backfill="b"), 1, Rules(1), under_way) is expected


def test_a_strategy_that_nobody_knows_is_the_default_and_is_told() -> None:
    assert strategy(failed()) == (FROM_FAILURE, None)
    assert strategy(failed(dagster__retry_strategy="ALL_STEPS")) == ("ALL_STEPS", None)
    how, fault = strategy(failed(dagster__retry_strategy="again"))
    assert how == FROM_FAILURE
    assert fault is not None
    assert "'again'" in fault
