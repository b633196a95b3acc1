import pytest

from treadle.state.runs import ACTIVE, IN_PROGRESS, Run, RunStatus

NAMES = {
    "finished": {"SUCCESS", "FAILURE", "CANCELED"},
    "cancelable": {"STARTED", "QUEUED"},
    "success": {"SUCCESS"},
    "failure": {"FAILURE"},
    "failure_or_canceled": {"FAILURE", "CANCELED"},
}


@pytest.mark.parametrize(("word", "statuses"), NAMES.items())
def test_what_a_status_means(word: str, statuses: set[str]) -> None:
    found = {status.value for status in RunStatus if getattr(Run(job_name="j", status=status), f"is_{word}")}
    assert found == statuses


def test_sets_of_statuses() -> None:
    assert {status.value for status in ACTIVE} == {"STARTING", "STARTED", "CANCELING"}
    assert {RunStatus.SUSPENDED} == IN_PROGRESS - ACTIVE


@pytest.mark.parametrize(("tags", "is_one"), [({}, False), ({"dagster/is_resume_retry": "true"}, True)])
def test_a_run_from_a_failure(tags: dict[str, str], is_one: bool) -> None:
    assert Run(job_name="j", tags=tags).is_resume_retry is is_one
