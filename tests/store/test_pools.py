"""Slots of pools: never one too many, whoever claims."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.errors import FencedError, InvocationError
from treadle.state.events import RunFailed
from treadle.state.runs import Run, RunStatus
from treadle.store.leases import Lease
from treadle.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "treadle.db", lambda: tmp_path)
    yield made
    made.close()


def owned(store: Store, name: str, term_s: float = 100.0) -> Lease:
    lease = store.leases.take(name, "somebody", term_s)
    assert lease is not None
    return lease


def test_a_slot_is_held_until_it_is_freed(store: Store) -> None:
    store.pools.set_limit("db", 1)
    one, two = owned(store, "one"), owned(store, "two")
    assert store.pools.claim(one, "db", "a")
    assert store.pools.claim(one, "db", "a")  # it has it
    assert not store.pools.claim(one, "db", "b")
    assert not store.pools.claim(two, "db", "a")
    assert store.pools.free("one", "a")
    assert not store.pools.free("one", "a")
    assert store.pools.free("one", "b")  # it waits no longer
    assert store.pools.claim(two, "db", "a")
    [pool] = store.pools.all()
    assert (pool.name, pool.limit, list(pool.holders)) == ("db", 1, [("two", "a")])


def test_the_slots_of_a_run_without_a_live_lease_are_free(store: Store) -> None:
    store.pools.set_limit("db", 2)
    dead, over, alive = owned(store, "dead"), owned(store, "over", -1.0), owned(store, "alive")
    assert store.pools.claim(dead, "db", "a")
    assert store.pools.claim(over, "db", "a")
    store.leases.release(dead)
    assert store.pools.all()[0].holders == []
    assert [store.pools.claim(alive, "db", step) for step in "abc"] == [True, True, False]


def test_the_slots_of_a_run_under_way_are_held_when_its_lease_is_late(store: Store) -> None:
    """prefect#19068: who cannot renew goes on until another takes over."""
    store.pools.set_limit("db", 1)
    run = Run(job_name="j", status=RunStatus.STARTED)
    store.add_run(run)
    late, other = owned(store, run.run_id, -1.0), owned(store, "other")
    assert store.pools.claim(late, "db", "a")
    assert not store.pools.claim(other, "db", "a")
    assert store.pools.all()[0].holders == [(run.run_id, "a")]
    assert store.leases.renew(late, -100.0)  # and nobody monitors leases
    assert not store.pools.all()[0].holders
    assert store.leases.renew(late, -1.0)
    store.transition(run.run_id, {RunStatus.STARTED}, [RunFailed("j", "UNEXPECTED_TERMINATION")])
    assert store.pools.claim(other, "db", "a")


def test_who_owns_the_run_no_longer_claims_nothing(store: Store) -> None:
    old = owned(store, "run", -1.0)
    owned(store, "run")
    with pytest.raises(FencedError):
        store.pools.claim(old, "db", "a")


def test_limits_and_defaults(store: Store) -> None:
    lease = owned(store, "run")
    assert [store.pools.claim(lease, "open", step) for step in "ab"] == [True, True]
    assert [store.pools.claim(lease, "other", step, 1) for step in "ab"] == [True, False]
    store.pools.set_limit("other", 2)
    assert store.pools.claim(lease, "other", "b", 1)
    assert store.pools.delete_limit("other")
    assert not store.pools.delete_limit("other")
    store.pools.set_limit("shut", 0)
    assert not store.pools.claim(lease, "shut", "a")
    assert store.pools.free("run")
    assert [pool.name for pool in store.pools.all()] == ["shut"]
    with pytest.raises(InvocationError, match="1,001"):
        store.pools.set_limit("shut", 1001)


def test_slots_go_by_priority_then_to_who_has_waited_longest(store: Store) -> None:
    store.pools.set_limit("db", 1)
    lease = owned(store, "run")
    assert store.pools.claim(lease, "db", "first")
    for step, priority in (("old", 0), ("new", 0), ("urgent", 5), ("idle", -1)):
        assert not store.pools.claim(lease, "db", step, priority=priority)
    [pool] = store.pools.all()
    assert [step for _, step in pool.waiting] == ["urgent", "old", "new", "idle"]
    order, steps = [], ["idle", "new", "old", "urgent"]  # those that are last ask first
    held = "first"
    while steps:
        assert store.pools.free("run", held)
        [held] = [one for one in steps if store.pools.claim(lease, "db", one)]
        steps.remove(held)
        order.append(held)
    assert order == ["urgent", "old", "new", "idle"]


def test_who_waits_no_longer_holds_nobody_up_and_keeps_what_it_holds(store: Store) -> None:
    store.pools.set_limit("db", 1)
    first, second = owned(store, "first"), owned(store, "second")
    assert store.pools.claim(first, "db", "a")
    assert not store.pools.claim(first, "db", "b", priority=9)
    assert not store.pools.claim(second, "db", "c")
    assert store.pools.free("first", waiting=True)
    assert store.pools.all()[0].holders == [("first", "a")]
    store.pools.free("first", "a")
    assert store.pools.claim(second, "db", "c")


def test_a_limit_that_is_lowered_takes_no_slot_away(store: Store) -> None:
    lease = owned(store, "run")
    store.pools.set_limit("db", 2)
    assert store.pools.claim(lease, "db", "a")
    assert store.pools.claim(lease, "db", "b")
    store.pools.set_limit("db", 1)
    assert store.pools.claim(lease, "db", "b")
    store.pools.free("run", "a")
    assert not store.pools.claim(lease, "db", "c")


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(-1, 1), st.booleans()), max_size=30),
    st.integers(0, 3),
)
def test_there_is_never_one_too_many_and_no_slot_is_left_while_somebody_waits(
    acts: list[tuple[str, str, int, bool]], limit: int
) -> None:
    store = Store(None, Path)
    store.pools.set_limit("db", limit)
    leases = {name: owned(store, name) for name in "abc"}
    waiting: dict[tuple[str, str], int] = {}
    held: set[tuple[str, str]] = set()
    for run, step, priority, frees in acts:
        if frees:
            assert store.pools.free(run, step) is ((run, step) in held or (run, step) in waiting)
            held.discard((run, step))
            waiting.pop((run, step), None)
        elif (run, step) not in held:
            waiting.setdefault((run, step), priority)
        for one in [*waiting, *waiting]:  # whoever is woken asks again
            if one in waiting and store.pools.claim(leases[one[0]], "db", one[1], priority=waiting[one]):
                held.add(one)
                del waiting[one]
        assert len(held) <= limit
        assert not waiting or len(held) == limit
        assert set(store.pools.all()[0].holders) == held
    store.close()
