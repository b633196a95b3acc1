"""Which runs leave the queue."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core.keys import AssetKey
from treadle.decide.queue import Hold, Launch, Limits, Needs, PoolLimits, Queued, TagLimit, dequeue, needs
from treadle.spec.assets import AssetSpec
from treadle.spec.manifest import JobManifest, Manifest
from treadle.spec.nodes import FromOutput, InputSpec, NodeSpec
from treadle.state.runs import Run


def launched(waiting: list[Queued], active: list[dict[str, str]], limits: Limits) -> list[str]:
    return [one.run_id for one in dequeue(waiting, active, limits) if isinstance(one, Launch)]


def runs(*tags: dict[str, str]) -> list[Queued]:
    return [Queued(str(number), one) for number, one in enumerate(tags)]


def test_higher_priority_goes_first_then_the_oldest() -> None:
    waiting = runs({}, {"dagster/priority": "3"}, {"dagster/priority": "-1"}, {"dagster/priority": "3"}, {})
    assert launched(waiting, [], Limits()) == ["1", "3", "0", "4", "2"]


def test_what_is_no_number_is_no_priority() -> None:
    assert launched(runs({"dagster/priority": "high"}, {"dagster/priority": "1"}), [], Limits()) == ["1", "0"]


@pytest.mark.parametrize(("most", "active", "expected"), [(None, 5, 3), (4, 2, 2), (2, 2, 0), (0, 0, 0)])
def test_no_more_than_the_limit(most: int | None, active: int, expected: int) -> None:
    assert len(launched(runs({}, {}, {}), [{}] * active, Limits(most))) == expected


def test_a_run_that_is_held_says_why_and_holds_back_no_other() -> None:
    limit = TagLimit("team", 1, "red")
    waiting = runs({"team": "red"}, {"team": "red"}, {"team": "blue"}, {})
    decisions = dequeue(waiting, [], Limits(None, [limit]))
    [held] = [one for one in decisions if isinstance(one, Hold)]
    assert (held.run_id, "team: red" in held.reason) == ("1", True)
    assert launched(waiting, [], Limits(None, [limit])) == ["0", "2", "3"]


def test_a_limit_counts_all_values_together_or_each_apart() -> None:
    waiting = runs({"db": "a"}, {"db": "b"}, {"db": "a"})
    assert launched(waiting, [], Limits(None, [TagLimit("db", 1)])) == ["0"]
    assert launched(waiting, [], Limits(None, [TagLimit("db", 1, each=True)])) == ["0", "1"]
    assert launched(waiting, [{"db": "b"}], Limits(None, [TagLimit("db", 1, each=True)])) == ["0"]


tags = st.dictionaries(st.sampled_from(["a", "b", "dagster/priority"]), st.sampled_from(["1", "2", "x"]))
limits = st.lists(
    st.builds(TagLimit, st.sampled_from("ab"), st.integers(0, 3), st.sampled_from([None, "1"]), st.booleans())
)


@given(st.lists(tags), st.lists(tags, max_size=4), st.none() | st.integers(0, 5), limits)
def test_limits_are_never_passed_and_nobody_waits_without_a_reason(
    waiting: list[dict[str, str]], active: list[dict[str, str]], most: int | None, tag_limits: list[TagLimit]
) -> None:
    queue = runs(*waiting)
    decisions = dequeue(queue, active, Limits(most, tag_limits))
    assert Counter(one.run_id for one in decisions) == Counter(one.run_id for one in queue)
    chosen = {one.run_id for one in decisions if isinstance(one, Launch)}
    started = [one.tags for one in queue if one.run_id in chosen]
    assert most is None or not started or len(active) + len(started) <= most
    for limit in tag_limits:
        before, new = Counter(map(limit.counts, active)), Counter(map(limit.counts, started))
        assert all(before[kind] + count <= limit.limit for kind, count in new.items() if kind is not None)
    for one in queue:  # whoever is left could not have gone with those that went
        if one.run_id in chosen:
            continue
        everyone = [*active, *started]
        full = most is not None and len(everyone) >= most
        kinds = [(limit, limit.counts(one.tags)) for limit in tag_limits]
        held = [limit for limit, kind in kinds if kind and Counter(map(limit.counts, everyone))[kind] >= limit.limit]
        assert full or held


def node(handle: str, *above: str, pool: str | None = None) -> NodeSpec:
    sources = tuple(FromOutput(one, "result") for one in above)
    return NodeSpec(handle, handle, (InputSpec("in", sources),) if above else (), pool=pool)


CHAIN = JobManifest("chain", nodes=(node("a", pool="db"), node("b", "a", pool="api"), node("c", "b")))
FAN = JobManifest("fan", nodes=(node("a", pool="db"), node("b")))
ASSETS = tuple(AssetSpec(key, deps=deps) for key, deps in [("x", ["out"]), ("y", ["x"]), ("z", ["y"]), ("out", [])])
MANIFEST = Manifest(
    "__ASSET_JOB", (CHAIN, FAN), assets=ASSETS, pools={AssetKey("x"): "db", AssetKey("z"): "api"},
    external=frozenset({AssetKey("out")}),
)  # fmt: skip


@pytest.mark.parametrize(
    ("run", "pools", "first"),
    [
        (Run(job_name="chain"), {"db", "api"}, {"db"}),
        (Run(job_name="chain", op_selection=("b+",)), {"api"}, {"api"}),
        (Run(job_name="chain", op_selection=("nothing",)), set(), set()),
        (Run(job_name="fan"), {"db"}, set()),  # one of its first steps needs no slot
        (Run(job_name="chain", parent_run_id="before"), {"db", "api"}, set()),
        (Run(job_name="__ASSET_JOB"), {"db", "api"}, {"db"}),
        (Run(job_name="__ASSET_JOB", asset_selection=frozenset({AssetKey("y"), AssetKey("z")})), {"api"}, set()),
        (Run(job_name="unknown", asset_selection=frozenset({AssetKey("z")})), {"api"}, {"api"}),
    ],
)
def test_what_a_run_needs_of_pools_follows_from_its_location(run: Run, pools: set[str], first: set[str]) -> None:
    assert needs(MANIFEST, run) == Needs(frozenset(pools), frozenset(first))


def needing(*first: str, count: int = 1) -> list[Queued]:
    return [Queued(str(number), {}, Needs(frozenset(first), frozenset(first))) for number in range(count)]


@pytest.mark.parametrize(
    ("pools", "first", "expected"),
    [
        (PoolLimits({"db": 2}), ["db"], 2),
        (PoolLimits({"db": 2}, taken={"db": 1}), ["db"], 1),
        (PoolLimits({"db": 2}, taken={"db": 1}, spare=1), ["db"], 2),
        (PoolLimits({"db": 1}), ["db", "api"], 5),  # a step in the other pool can begin
        (PoolLimits({"db": 1}, of_runs=True), ["db", "api"], 1),  # of whole runs, each needs both
        (PoolLimits({"db": 1}, of_runs=True, spare=3), ["db"], 1),
        (PoolLimits({}, 1), ["db"], 1),
        (PoolLimits({"api": 0}), ["db"], 5),
    ],
)
def test_a_run_waits_while_it_could_only_wait_for_pools(pools: PoolLimits, first: list[str], expected: int) -> None:
    decisions = dequeue(needing(*first, count=5), [], Limits(pools=pools))
    assert sum(isinstance(one, Launch) for one in decisions) == expected
    assert all("pool 'db'" in one.reason for one in decisions if isinstance(one, Hold))


def test_nothing_leaves_a_queue_that_is_paused() -> None:
    [held] = dequeue(runs({}), [], Limits(is_paused=True))
    assert isinstance(held, Hold)
    assert "paused" in held.reason
