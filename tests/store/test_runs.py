"""Runs: created once, found by what they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from treadle.core.keys import AssetCheckKey, AssetKey
from treadle.errors import InvocationError, RunNotFoundError
from treadle.state.events import EventLogEntry, RunFailed, RunStarted
from treadle.state.runs import Run, RunsFilter, RunStatus
from treadle.store.store import Store


@pytest.fixture
def runs(store: Store) -> Store:
    """Four runs: r (job), a, b (job; tagged) and c (other), created one second after the other."""
    for at, (run_id, job, tags) in enumerate(
        [("a", "job", {"team": "x"}), ("b", "job", {"team": "y", "more": "1"}), ("c", "other", {"team": "x"})]
    ):
        store.runs.add(Run(job_name=job, run_id=run_id, tags=tags), created=1_000.0 + at)
    return store


def ids(store: Store, filters: RunsFilter) -> list[str]:
    found = [record.run.run_id for record in store.runs.records(filters)]
    assert store.runs.count(filters) == len(found)
    assert store.runs.ids(filters) == found
    return found


def test_a_run_comes_back_whole(store: Store) -> None:
    run = Run(
        job_name="job",
        run_config={"ops": {"a": {"config": {"n": 2**70, "x": None}}}},
        tags={"k": "v"},
        asset_selection=frozenset({AssetKey(["a", "b"])}),
        asset_check_selection=frozenset({AssetCheckKey("a", "c")}),
        op_selection=("*a",),
        step_keys_to_execute=("a",),
        parent_run_id="p",
        root_run_id="q",
        location_name="here",
    )
    store.add_run(run)
    assert store.runs.get(run.run_id) == run


def test_ids_are_unique(store: Store) -> None:
    with pytest.raises(InvocationError, match="exists already"):
        store.add_run(Run(job_name="job", run_id="r"))


def test_one_run_for_a_launch_key(store: Store) -> None:
    assert store.add_run(Run(job_name="job", run_id="1"), launch_key="sensor:key")
    assert not store.add_run(Run(job_name="job", run_id="2"), launch_key="sensor:key")
    assert store.add_run(Run(job_name="job", run_id="3"), launch_key="sensor:other")
    assert store.runs.ids() == ["3", "1", "r"]


def test_filters(runs: Store) -> None:
    runs.events.append([EventLogEntry("b", 5.0, RunStarted())])
    assert ids(runs, RunsFilter()) == ["c", "b", "a", "r"]
    assert ids(runs, RunsFilter(run_ids=["a", "c", "nobody"])) == ["c", "a"]
    assert ids(runs, RunsFilter(job_name="job")) == ["b", "a", "r"]
    assert ids(runs, RunsFilter(statuses=[RunStatus.STARTED, RunStatus.FAILURE])) == ["b"]
    assert ids(runs, RunsFilter(tags={"team": "x"})) == ["c", "a"]
    assert ids(runs, RunsFilter(tags={"team": ["x", "y"], "more": "1"})) == ["b"]
    assert ids(runs, RunsFilter(tags={"team": "x"}, job_name="job")) == ["a"]
    moment = datetime.fromtimestamp(1_001, UTC)
    assert ids(runs, RunsFilter(created_before=moment)) == ["a"]
    half = timedelta(seconds=0.5)
    assert ids(runs, RunsFilter(created_after=moment - half, created_before=moment + half)) == ["b"]
    assert ids(runs, RunsFilter(updated_before=moment)) == ["a"]
    assert ids(runs, RunsFilter(updated_after=datetime.fromtimestamp(2_000, UTC))) == ["b", "r"]


def test_16260_any_number_of_ids(runs: Store) -> None:
    many = [str(number) for number in range(50_000)]
    assert ids(runs, RunsFilter(run_ids=["a", *many])) == ["a"]


def test_pages_and_orders(runs: Store) -> None:
    def page(**arguments: object) -> list[str]:
        return [record.run.run_id for record in runs.runs.records(**arguments)]  # type: ignore[arg-type]

    assert page(limit=2) == ["c", "b"]
    assert page(limit=2, cursor="b") == ["a", "r"]
    assert page(ascending=True, cursor="a") == ["b", "c"]
    assert page(cursor="nobody") == []
    assert page(order_by="run_id", ascending=True) == ["a", "b", "c", "r"]
    assert page(order_by="create_timestamp", ascending=True)[:3] == ["a", "b", "c"]
    with pytest.raises(InvocationError, match="Use one of id, run_id"):
        page(order_by="colour")


def test_tags(runs: Store) -> None:
    runs.runs.add_tags("a", {"team": "z", "new": "1"})
    run = runs.runs.get("a")
    assert run is not None
    assert run.tags == {"team": "z", "new": "1"}
    assert ids(runs, RunsFilter(tags={"team": "z"})) == ["a"]
    assert runs.runs.tag_keys() == ["more", "new", "team"]
    assert runs.runs.tags(["team", "nothing"]) == [("team", {"x", "y", "z"})]
    assert runs.runs.tags(["team"], value_prefix="y") == [("team", {"y"})]
    with pytest.raises(RunNotFoundError, match="nobody"):
        runs.runs.add_tags("nobody", {"a": "b"})


def test_adding_tags_keeps_the_status(runs: Store) -> None:
    runs.events.append([EventLogEntry("a", 5.0, RunStarted())])
    runs.runs.add_tags("a", {"k": "v"})
    run = runs.runs.get("a")
    assert run is not None
    assert run.status is RunStatus.STARTED


def test_a_run_that_failed_says_why_in_a_tag(store: Store) -> None:
    run = Run(job_name="j", tags={"mine": "1"})
    store.runs.add(run)
    store.events.append([EventLogEntry(run.run_id, 1.0, RunFailed("j", "STEP_FAILURE", ("s",)))])
    stored = store.runs.get(run.run_id)
    assert stored is not None
    assert stored.tags == {"mine": "1", "dagster/failure_reason": "STEP_FAILURE"}
    assert store.runs.count(RunsFilter(tags={"dagster/failure_reason": "STEP_FAILURE"})) == 1
