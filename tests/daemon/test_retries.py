"""Failed runs are run again, once each, and take up what is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.daemon.test_service import MARK, Served, shared

from treadle.core import tags
from treadle.daemon.runs import Retries, run_again
from treadle.errors import InvocationError
from treadle.host.instance import Instance
from treadle.host.settings import RunRetrySettings, Settings
from treadle.state.events import RunFailed
from treadle.state.runs import Run, RunsFilter, RunStatus

CODE = (
    MARK
    + """
import os
from treadle import Definitions, asset, define_asset_job, job, op

def fails_until(number, name):
    mark(name)
    if open(os.environ["WITNESS"]).read().count(name + " ") < number:
        raise ValueError("not yet")

@op
def first():
    mark("first")
    return 1

@op
def second(first):
    fails_until(3, "second")
    return first + 1

@op
def third(second):
    assert second == 2
    mark("third")

@job
def chain_job(): third(second(first()))

@asset
def one(): mark("one")

@asset(deps=[one])
def two(): fails_until(2, "two")

assets_job = define_asset_job("assets_job", [one, two])

defs = Definitions([one, two], jobs=[chain_job, assets_job])
"""
)


served = shared(CODE, settings="run_retries: {enabled: true}\n")


def chain(served: Served, run: Run) -> list[Run]:
    """The run and those that ran it again, once the last of them is not run again."""
    found = [served.ended(run)]
    while found[-1].status is RunStatus.FAILURE:
        served.until(lambda: tags.WILL_RETRY in served.run(found[-1]).tags)
        found[-1] = served.run(found[-1])
        if found[-1].tags[tags.WILL_RETRY] == "false":
            break
        again = served.instance.get_run_by_id(found[-1].tags[tags.AUTO_RETRY_RUN_ID])
        assert again is not None
        found.append(served.ended(again))
    others = served.instance.get_runs(RunsFilter(tags={tags.ROOT_RUN_ID: run.run_id}))
    assert len(others) == len(found) - 1
    return found


def counts(served: Served, *names: str) -> list[int]:
    return [len(served.marks(f"{name} ")) for name in names]


@pytest.mark.parametrize(
    ("most", "strategy", "statuses", "marks"),
    [
        (3, "FROM_FAILURE", "FFS", [1, 3, 1]),
        (3, "ALL_STEPS", "FFS", [3, 3, 1]),
        (1, "FROM_FAILURE", "FF", [1, 2, 0]),
    ],
)
def test_a_run_is_run_again_as_often_as_it_may(
    served: Served, most: int, strategy: str, statuses: str, marks: list[int]
) -> None:
    served.witness.write_text("")
    given: Any = {tags.MAX_RETRIES: str(most), tags.RETRY_STRATEGY: strategy}
    runs = chain(served, served.launch("chain", **given))
    assert "".join(run.status.value[0] for run in runs) == statuses
    assert counts(served, "first", "second", "third") == marks
    assert [run.tags.get(tags.RETRY_NUMBER) for run in runs] == [None, "1", "2"][: len(runs)]


def test_of_assets_only_those_that_were_not_made(served: Served) -> None:
    served.witness.write_text("")
    given: Any = {tags.MAX_RETRIES: "1", tags.RETRY_STRATEGY: "FROM_ASSET_FAILURE"}
    runs = chain(served, served.launch("assets", **given))
    assert [run.status.value[0] for run in runs] == ["F", "S"]
    assert counts(served, "one", "two") == [1, 2]


def test_a_run_that_may_not_be_run_again_says_so(served: Served) -> None:
    [run] = chain(served, served.launch("chain"))
    assert run.tags[tags.WILL_RETRY] == "false"


def failed(instance: Instance, launch_key: str | None = None) -> Run:
    run = Run(job_name="any", location_name="here", tags={tags.MAX_RETRIES: "1"})
    instance.add_run(run, launch_key=launch_key)
    instance.store.transition(run.run_id, {RunStatus.NOT_STARTED}, [RunFailed("any", "RUN_EXCEPTION")])
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    with Instance(tmp_path, Settings(run_retries=RunRetrySettings(enabled=True))) as made:
        Retries(made).look()  # failures count from now on
        yield made


def waiting(instance: Instance) -> list[Run]:
    return list(instance.get_runs(RunsFilter(statuses=[RunStatus.QUEUED])))


def test_a_retry_that_was_deleted_stays_deleted(instance: Instance) -> None:
    run = failed(instance)
    Retries(instance).look()
    [again] = waiting(instance)
    instance.delete_run(again.run_id)
    Retries(instance).look()
    assert waiting(instance) == []
    assert run_again(instance, run).parent_run_id == run.run_id


def test_a_retry_by_hand_leaves_the_key_of_the_run_and_what_comes_next_goes_on(instance: Instance) -> None:
    """dagster#3594: two runs under a key made the next tick fail."""
    run = failed(instance, "schedule:1")
    Retries(instance).look()
    by_hand = run_again(instance, run)
    assert {one.parent_run_id for one in waiting(instance)} == {run.run_id}
    assert len(waiting(instance)) == 2
    assert not instance.store.add_run(Run(job_name="any"), launch_key="schedule:1")
    assert instance.store.add_run(Run(job_name="any"), launch_key="schedule:2")
    assert by_hand.root_run_id == run.run_id


def test_what_has_not_ended_is_not_run_again(instance: Instance) -> None:
    run = Run(job_name="any", status=RunStatus.STARTED)
    instance.add_run(run)
    with pytest.raises(InvocationError, match="cancel it first"):
        run_again(instance, run)
