"""Mappings: each against a naive model over keys, and in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core import codec
from treadle.core.mappings import (
    AllPartitionMapping,
    IdentityPartitionMapping,
    LastPartitionMapping,
    PartitionMapping,
    SpecificPartitionsPartitionMapping,
    StaticPartitionMapping,
    TimeWindowPartitionMapping,
    UpstreamPartitionsResult,
)
from treadle.core.multi_mappings import (
    DimensionPartitionMapping,
    MultiPartitionMapping,
    MultiToSingleDimensionPartitionMapping,
    OpaquePartitionMapping,
    default_mapping,
)
from treadle.core.multi_partitions import MultiPartitionsDefinition
from treadle.core.partitions import DynamicPartitionsDefinition, PartitionsDefinition, StaticPartitionsDefinition
from treadle.core.subsets import PartitionSubset
from treadle.core.time_partitions import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from treadle.errors import DefinitionError, InvariantError, InvocationError

NOW = datetime(2024, 2, 10, 5, tzinfo=UTC)
ABC, BCD = StaticPartitionsDefinition(["a", "b", "c"]), StaticPartitionsDefinition(["b", "c", "d"])
DAILY = DailyPartitionsDefinition("2024-01-01")
DAILY5 = DailyPartitionsDefinition("2024-01-05")
WEEKLY = WeeklyPartitionsDefinition("2024-01-01")
HOURLY = HourlyPartitionsDefinition("2024-01-01-00:00")
MONTHLY = MonthlyPartitionsDefinition("2024-01-01")
NO_WEEKENDS = DailyPartitionsDefinition("2024-01-01", exclusions=["0 0 * * 6,0"])
IDENTITY = IdentityPartitionMapping()


def up(
    mapping: PartitionMapping, downstream: PartitionsDefinition, upstream: PartitionsDefinition, keys: Iterable[str]
) -> tuple[list[str], list[str]]:
    result = mapping.upstream(downstream.subset_with_partition_keys(keys), downstream, upstream, NOW)
    return sorted(result.partitions_subset), sorted(result.required_but_nonexistent_partition_keys)


def down(
    mapping: PartitionMapping, upstream: PartitionsDefinition, downstream: PartitionsDefinition, keys: Iterable[str]
) -> list[str]:
    return sorted(mapping.downstream(upstream.subset_with_partition_keys(keys), upstream, downstream, NOW))


def days(*numbers: int) -> list[str]:
    return [f"2024-01-{day:02}" for day in numbers]


# --- the simple ones ------------------------------------------------------------------------------------------------


def test_identity() -> None:
    assert up(IDENTITY, ABC, BCD, ["a", "b"]) == (["b"], ["a"])
    assert down(IDENTITY, ABC, BCD, ["a", "b"]) == ["b"]
    assert up(IDENTITY, DAILY, DAILY5, days(2, 6)) == (days(6), days(2))
    assert down(IDENTITY, DAILY, DAILY5, days(2, 6)) == days(6)
    assert up(IDENTITY, DAILY, HOURLY, days(2)) == ([], days(2))
    assert up(IDENTITY, DAILY, DAILY, ["2024-02-10"]) == ([], ["2024-02-10"])
    with pytest.raises(DefinitionError):
        IDENTITY.upstream(None, None, ABC)


def test_identity_with_dynamic_keys() -> None:
    class Store:
        def get_dynamic_partitions(self, partitions_def_name: str) -> list[str]:
            return ["a", "x"]

    dynamic = DynamicPartitionsDefinition(name="n")
    result = IDENTITY.upstream(ABC.subset_with_all_partitions(), ABC, dynamic, NOW, Store())
    assert (list(result.partitions_subset), result.required_but_nonexistent_partition_keys) == (["a"], ["b", "c"])
    found = IDENTITY.downstream(ABC.subset_with_all_partitions(), ABC, dynamic, NOW, Store())
    assert list(found) == ["a"]


def test_all() -> None:
    mapping = AllPartitionMapping()
    assert up(mapping, ABC, BCD, ["a"]) == (["b", "c", "d"], [])
    assert up(mapping, ABC, BCD, []) == ([], [])
    assert list(mapping.upstream(None, None, BCD).partitions_subset) == ["b", "c", "d"]
    assert down(mapping, ABC, BCD, ["a"]) == ["b", "c", "d"]
    assert down(mapping, ABC, BCD, []) == []


def test_last() -> None:
    mapping = LastPartitionMapping()
    assert up(mapping, ABC, BCD, ["a"]) == (["d"], [])
    assert list(mapping.upstream(None, None, DAILY, NOW).partitions_subset) == ["2024-02-09"]
    assert down(mapping, ABC, BCD, ["c"]) == ["b", "c", "d"]
    assert down(mapping, ABC, BCD, ["a", "b"]) == []
    assert up(mapping, ABC, StaticPartitionsDefinition([]), ["a"]) == ([], [])


def test_specific() -> None:
    mapping = SpecificPartitionsPartitionMapping(["b"])
    assert up(mapping, ABC, BCD, ["a"]) == (["b"], [])
    assert down(mapping, BCD, ABC, ["b", "c"]) == ["a", "b", "c"]
    assert down(mapping, BCD, ABC, ["c"]) == []
    assert up(SpecificPartitionsPartitionMapping(["b", "z"]), ABC, BCD, ["a"]) == (["b"], ["z"])
    with pytest.raises(DefinitionError, match="'z'"):
        SpecificPartitionsPartitionMapping(["z"]).validate_partition_mapping(BCD, ABC)
    with pytest.raises(DefinitionError):
        SpecificPartitionsPartitionMapping("b")


def test_static() -> None:
    mapping = StaticPartitionMapping({"b": ["a", "b"], "c": "c", "d": {"a"}})
    assert up(mapping, ABC, BCD, ["a"]) == (["b", "d"], [])
    assert up(mapping, ABC, BCD, ["b", "c"]) == (["b", "c"], [])
    assert down(mapping, BCD, ABC, ["b", "c"]) == ["a", "b", "c"]
    assert down(mapping, BCD, ABC, ["d"]) == ["a"]
    mapping.validate_partition_mapping(BCD, ABC)
    for wrong in ({"zz": "a"}, {"b": "zz"}):
        with pytest.raises(DefinitionError, match="'zz'"):
            StaticPartitionMapping(wrong).validate_partition_mapping(BCD, ABC)


# --- time -----------------------------------------------------------------------------------------------------------


def test_overlapping_windows() -> None:
    mapping = TimeWindowPartitionMapping()
    assert up(mapping, DAILY, HOURLY, days(2)) == ([f"2024-01-02-{hour:02}:00" for hour in range(24)], [])
    assert up(mapping, WEEKLY, DAILY, days(7)) == (days(*range(7, 14)), [])
    assert up(mapping, HOURLY, DAILY, ["2024-01-07-05:00"]) == (days(7), [])
    assert up(mapping, MONTHLY, WEEKLY, days(1)) == (days(7, 14, 21, 28), ["2023-12-31"])
    assert down(mapping, DAILY, WEEKLY, ["2024-01-08", "2024-02-05"]) == days(7)
    assert down(mapping, DAILY, WEEKLY, days(3)) == []
    assert down(mapping, WEEKLY, DAILY, days(7)) == days(*range(7, 14))


def test_offsets() -> None:
    yesterday = TimeWindowPartitionMapping(-1, -1)
    assert up(yesterday, DAILY, DAILY, days(3)) == (days(2), [])
    assert down(yesterday, DAILY, DAILY, ["2024-01-08", "2024-02-09"]) == days(9)
    assert down(TimeWindowPartitionMapping(-2, 0), DAILY, DAILY, days(8)) == days(8, 9, 10)
    assert up(TimeWindowPartitionMapping(-1, 0), WEEKLY, DAILY, days(14)) == (days(*range(13, 21)), [])
    assert up(yesterday, HOURLY, DAILY, ["2024-01-02-03:00"]) == (days(1), [])
    assert up(yesterday, NO_WEEKENDS, NO_WEEKENDS, days(8)) == (days(5), [])


def test_windows_that_do_not_exist_are_missing_unless_allowed() -> None:
    ahead = DailyPartitionsDefinition("2024-01-01", end_offset=3)
    tomorrow = ["2024-02-12"]
    assert up(TimeWindowPartitionMapping(), ahead, DAILY, tomorrow) == ([], tomorrow)
    allowed = TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
    assert up(allowed, ahead, DAILY, tomorrow) == ([], [])
    assert up(TimeWindowPartitionMapping(), DAILY, DAILY5, days(1, 8)) == (days(8), days(1))
    assert up(TimeWindowPartitionMapping(), HOURLY, DAILY, ["2024-02-10-03:00"]) == ([], ["2024-02-10"])
    ended = DailyPartitionsDefinition("2024-01-01", end_date="2024-01-20")
    assert up(TimeWindowPartitionMapping(-1, -1), DAILY, ended, days(20, 21, 22)) == (days(19), days(20, 21))


def test_looking_back_past_the_first_window_is_no_error() -> None:
    assert up(TimeWindowPartitionMapping(-1, -1), DAILY, DAILY, days(1, 3)) == (days(2), [])
    assert up(TimeWindowPartitionMapping(-3, 0), DAILY5, DAILY5, days(5)) == (days(5), [])
    assert up(TimeWindowPartitionMapping(2, 2), DAILY, DAILY5, days(1)) == ([], days(3))
    assert up(TimeWindowPartitionMapping(0, 1), DAILY, DAILY, ["2024-02-09"]) == (["2024-02-09"], [])
    ahead = DailyPartitionsDefinition("2024-01-01", end_offset=3)
    back = up(TimeWindowPartitionMapping(-3, 0), ahead, DAILY, ["2024-02-12"])
    assert back == (["2024-02-09"], ["2024-02-10", "2024-02-11", "2024-02-12"])


def test_time_mapping_needs_time() -> None:
    with pytest.raises(DefinitionError, match="not by time"):
        TimeWindowPartitionMapping().validate_partition_mapping(DAILY, ABC)
    with pytest.raises(DefinitionError):
        up(TimeWindowPartitionMapping(), ABC, DAILY, ["a"])


TIMES: list[TimeWindowPartitionsDefinition] = [
    DAILY,
    DAILY5,
    WEEKLY,
    HOURLY,
    MONTHLY,
    NO_WEEKENDS,
    DailyPartitionsDefinition("2024-01-03", timezone="America/New_York", end_offset=1),
    DailyPartitionsDefinition("2024-01-01", end_date="2024-01-25", hour_offset=5, timezone="Asia/Kolkata"),
    TimeWindowPartitionsDefinition("2024-01-01-00:00", "%Y-%m-%d-%H:%M", cron_schedule="0 0,9,17 * * 1-5"),
]


def test_a_window_in_a_hole_of_the_moved_windows_needs_nothing() -> None:
    two_before = TimeWindowPartitionMapping(-2, -2)
    assert up(two_before, DAILY, NO_WEEKENDS, ["2024-02-03"]) == ([], [])
    found = down(two_before, NO_WEEKENDS, DAILY, ["2024-01-31", "2024-02-01"])
    assert found == ["2024-02-02", "2024-02-05"]


def needed_naively(
    mapping: TimeWindowPartitionMapping, window: tuple[int, int], starts: list[int], ends: list[int]
) -> set[int]:
    """The starts of upstream windows (all that there are, existing or not) that one downstream window needs."""
    first = next(i for i, end in enumerate(ends) if end > window[0]) + mapping.start_offset
    last = max(i for i, start in enumerate(starts) if start < window[1]) + mapping.end_offset
    return set(starts[first : last + 1])


@given(
    st.sampled_from(TIMES),
    st.sampled_from(TIMES),
    st.integers(-3, 3),
    st.integers(-3, 3),
    st.data(),
)
def test_time_mappings_agree_with_a_naive_model(
    upstream: TimeWindowPartitionsDefinition,
    downstream: TimeWindowPartitionsDefinition,
    start_offset: int,
    end_offset: int,
    data: st.DataObject,
) -> None:
    mapping = TimeWindowPartitionMapping(start_offset, end_offset)
    ticks = upstream.windows.ticks(1682899200, 1727740800)  # May 2023 to September 2024
    ends = [upstream.windows.cadence.next(tick) for tick in ticks]
    first, stop = upstream.bounds(NOW)

    keys = data.draw(st.lists(st.sampled_from(downstream.get_partition_keys(NOW)), max_size=12))
    wanted: set[int] = set()
    for key in keys:
        window = downstream.time_window_for_partition_key(key)
        wanted |= needed_naively(mapping, (int(window[0].timestamp()), int(window[1].timestamp())), ticks, ends)
    key_of = upstream.windows.format.key
    found, missing = up(mapping, downstream, upstream, keys)
    assert found == sorted(key_of(tick) for tick in wanted if first <= tick < stop)
    assert missing == sorted(
        key_of(tick) for tick in wanted if (tick < first and start_offset >= 0) or (tick >= stop and end_offset <= 0)
    )

    given_keys = set(data.draw(st.lists(st.sampled_from(upstream.get_partition_keys(NOW)), max_size=12)))
    expected = []
    for key in downstream.get_partition_keys(NOW)[-200:]:
        window = downstream.time_window_for_partition_key(key)
        needs = needed_naively(mapping, (int(window[0].timestamp()), int(window[1].timestamp())), ticks, ends)
        if any(key_of(tick) in given_keys for tick in needs):
            expected.append(key)
    looked_at = set(downstream.get_partition_keys(NOW)[-200:])
    assert [key for key in down(mapping, upstream, downstream, given_keys) if key in looked_at] == sorted(expected)


# --- several dimensions ---------------------------------------------------------------------------------------------

SMALL = DailyPartitionsDefinition("2024-02-01")
DATE_BY_ABC = MultiPartitionsDefinition({"date": SMALL, "s": ABC})
DAY_BY_BCD = MultiPartitionsDefinition({"day": SMALL, "t": BCD})
ABC_BY_UV = MultiPartitionsDefinition({"s": ABC, "u": StaticPartitionsDefinition(["1", "2"])})
CUBE = MultiPartitionsDefinition({"x": ABC, "y": BCD, "z": StaticPartitionsDefinition(["1", "2"])})


def test_multi_to_single() -> None:
    mapping = MultiToSingleDimensionPartitionMapping()
    assert up(mapping, DATE_BY_ABC, ABC, ["2024-02-01|a", "2024-02-03|a"]) == (["a"], [])
    assert up(mapping, ABC, ABC_BY_UV, ["a"]) == (["a|1", "a|2"], [])
    assert down(mapping, ABC, ABC_BY_UV, ["a"]) == ["a|1", "a|2"]
    assert down(mapping, DATE_BY_ABC, ABC, ["2024-02-01|a"]) == ["a"]
    assert up(mapping, DATE_BY_ABC, HOURLY, ["2024-02-01|a"])[0][:2] == ["2024-02-01-00:00", "2024-02-01-01:00"]
    week = up(mapping, WEEKLY, DATE_BY_ABC, ["2024-01-28"])
    assert week[0][:4] == ["2024-02-01|a", "2024-02-01|b", "2024-02-01|c", "2024-02-02|a"]
    assert week[1][:2] == ["2024-01-28|a", "2024-01-28|b"]


def test_multi_to_single_must_know_the_dimension() -> None:
    twice = MultiPartitionsDefinition({"s": ABC, "u": ABC})
    with pytest.raises(DefinitionError, match="several"):
        up(MultiToSingleDimensionPartitionMapping(), ABC, twice, ["a"])
    assert up(MultiToSingleDimensionPartitionMapping("u"), ABC, twice, ["a"]) == (["a|a", "b|a", "c|a"], [])
    for mapping, upstream in (
        (MultiToSingleDimensionPartitionMapping(), MultiPartitionsDefinition({"s": BCD, "u": BCD})),
        (MultiToSingleDimensionPartitionMapping("w"), twice),
        (MultiToSingleDimensionPartitionMapping(), ABC),
    ):
        with pytest.raises(DefinitionError):
            mapping.validate_partition_mapping(upstream, ABC)


def test_dimension_by_dimension() -> None:
    mapping = MultiPartitionMapping(
        {
            "date": DimensionPartitionMapping("day", TimeWindowPartitionMapping(-1, -1)),
            "s": DimensionPartitionMapping("t", IDENTITY),
        }
    )
    found, missing = up(mapping, DAY_BY_BCD, DATE_BY_ABC, ["2024-02-03|b", "2024-02-01|c", "2024-02-04|d"])
    assert (found, missing) == (["2024-02-02|b"], ["2024-02-03|d"])
    assert down(mapping, DATE_BY_ABC, DAY_BY_BCD, ["2024-02-03|b", "2024-02-05|a"]) == ["2024-02-04|b"]
    only_date = MultiPartitionMapping({"date": DimensionPartitionMapping("day", IDENTITY)})
    assert up(only_date, DAY_BY_BCD, DATE_BY_ABC, ["2024-02-03|b"])[0] == [f"2024-02-03|{key}" for key in "abc"]
    assert down(only_date, DATE_BY_ABC, DAY_BY_BCD, ["2024-02-03|b"]) == [f"2024-02-03|{key}" for key in "bcd"]
    for wrong in (
        {"x": DimensionPartitionMapping("day", IDENTITY)},
        {"date": DimensionPartitionMapping("x", IDENTITY)},
    ):
        with pytest.raises(DefinitionError, match="'x'"):
            MultiPartitionMapping(wrong).validate_partition_mapping(DATE_BY_ABC, DAY_BY_BCD)
    with pytest.raises(DefinitionError):
        only_date.validate_partition_mapping(ABC, DAY_BY_BCD)
    with pytest.raises(DefinitionError):
        MultiPartitionMapping({"date": IDENTITY})  # type: ignore[dict-item]


LINKS = st.dictionaries(
    st.sampled_from(["x", "y", "z"]),
    st.tuples(
        st.sampled_from(["x", "y", "z"]),
        st.sampled_from(
            [
                IDENTITY,
                AllPartitionMapping(),
                LastPartitionMapping(),
                SpecificPartitionsPartitionMapping(["b", "1"]),
                StaticPartitionMapping({"a": ["b", "1"], "b": ["c", "d"], "1": ["a", "2"], "2": ["c"]}),
            ]
        ),
    ),
    max_size=3,
)


@given(LINKS, st.sets(st.sampled_from(CUBE.get_partition_keys()), max_size=8))
def test_multi_mappings_agree_with_a_naive_model(
    links: dict[str, tuple[str, PartitionMapping]], keys: set[str]
) -> None:
    mapping = MultiPartitionMapping({name: DimensionPartitionMapping(*link) for name, link in links.items()})
    every = CUBE.get_partition_keys()
    names = CUBE.partition_dimension_names

    def needs(downstream_key: str) -> tuple[set[str], set[str]]:
        parts = dict(zip(names, downstream_key.split("|"), strict=True))
        found, lacking = [set[str]()], [set[str]()]
        exists: list[set[str]] = []
        wanted: list[set[str]] = []
        for name in names:
            definition = CUBE.get_partitions_def_for_dimension(name)
            if name not in links:
                exists.append(set(definition.get_partition_keys()))
                wanted.append(exists[-1])
                continue
            other, one = links[name]
            result = up(one, CUBE.get_partitions_def_for_dimension(other), definition, [parts[other]])
            exists.append(set(result[0]))
            wanted.append({*result[0], *result[1]})
        product = lambda rows: {f"{x}|{y}|{z}" for x in rows[0] for y in rows[1] for z in rows[2]}  # noqa: E731
        found, lacking = product(exists), product(wanted) - product(exists)
        return found, lacking

    found: set[str] = set()
    missing: set[str] = set()
    for key in keys:
        one = needs(key)
        found |= one[0]
        missing |= one[1]
    assert up(mapping, CUBE, CUBE, keys) == (sorted(found), sorted(missing))
    assert down(mapping, CUBE, CUBE, keys) == sorted(key for key in every if needs(key)[0] & keys)


# --- both ways ------------------------------------------------------------------------------------------------------


class Files:
    """A store of dynamic keys."""

    def get_dynamic_partitions(self, partitions_def_name: str) -> list[str]:
        return {"n": ["b", "a", "x"], "m": ["a", "c"]}[partitions_def_name]


DYNAMIC, OTHERS = DynamicPartitionsDefinition(name="n"), DynamicPartitionsDefinition(name="m")
BY_FILE = MultiPartitionsDefinition({"f": DYNAMIC, "s": ABC, "date": DailyPartitionsDefinition("2024-02-05")})
STATIC_TABLE = StaticPartitionMapping({"a": ["b", "c"], "b": "b", "c": "d"})
RELATIONS: list[tuple[PartitionMapping, PartitionsDefinition, PartitionsDefinition]] = [
    *((IDENTITY, *pair) for pair in ((ABC, BCD), (DYNAMIC, ABC), (ABC, OTHERS), (DAILY, DAILY5), (BY_FILE, BY_FILE))),
    *((AllPartitionMapping(), *pair) for pair in ((ABC, BCD), (OTHERS, BY_FILE), (DATE_BY_ABC, DAILY5))),
    *((LastPartitionMapping(), *pair) for pair in ((ABC, BCD), (DYNAMIC, SMALL), (SMALL, DYNAMIC), (CUBE, ABC))),
    (SpecificPartitionsPartitionMapping(["a", "x"]), DYNAMIC, BCD),
    (SpecificPartitionsPartitionMapping(["2024-02-03|a"]), DATE_BY_ABC, CUBE),
    (STATIC_TABLE, ABC, BCD),
    (STATIC_TABLE, DYNAMIC, BCD),
    (MultiToSingleDimensionPartitionMapping("f"), DYNAMIC, BY_FILE),
    (MultiToSingleDimensionPartitionMapping("s"), BY_FILE, ABC),
    (MultiToSingleDimensionPartitionMapping(), BY_FILE, WEEKLY),
    (MultiToSingleDimensionPartitionMapping(), DAILY5, BY_FILE),
    (MultiToSingleDimensionPartitionMapping("y"), CUBE, BCD),
    (
        MultiPartitionMapping(
            {
                "date": DimensionPartitionMapping("day", TimeWindowPartitionMapping(-2, -1)),
                "s": DimensionPartitionMapping("t", STATIC_TABLE),
                "f": DimensionPartitionMapping("t", IDENTITY),
            }
        ),
        BY_FILE,
        DAY_BY_BCD,
    ),
    (
        MultiPartitionMapping({"date": DimensionPartitionMapping("date", TimeWindowPartitionMapping(-1, -1))}),
        DATE_BY_ABC,
        BY_FILE,
    ),
]


@given(st.sampled_from(RELATIONS), st.data())
def test_every_mapping_is_one_relation_seen_from_both_sides(
    relation: tuple[PartitionMapping, PartitionsDefinition, PartitionsDefinition], data: st.DataObject
) -> None:
    mapping, upstream, downstream = relation
    store = Files()
    up_keys, down_keys = (list(one.get_partition_keys(NOW, store))[-30:] for one in (upstream, downstream))

    def needs(keys: Iterable[str]) -> set[str]:
        wanted = downstream.subset_with_partition_keys(keys)
        return set(mapping.upstream(wanted, downstream, upstream, NOW, store).partitions_subset)

    def needing(keys: Iterable[str]) -> set[str]:
        return set(mapping.downstream(upstream.subset_with_partition_keys(keys), upstream, downstream, NOW, store))

    each = {key: needs([key]) for key in down_keys}
    some = data.draw(st.sets(st.sampled_from(down_keys)))
    assert needs(some) == set().union(*(each[key] for key in some))
    changed = data.draw(st.sets(st.sampled_from(up_keys)))
    assert needing(changed) & set(down_keys) == {key for key in down_keys if each[key] & changed}
    if mapping.is_same_key(upstream, downstream):
        assert all(each[key] <= {key} for key in down_keys)


# --- which by default -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("upstream", "downstream", "expected"),
    [
        (DAILY, None, AllPartitionMapping()),
        (None, DAILY, AllPartitionMapping()),
        (HOURLY, WEEKLY, TimeWindowPartitionMapping()),
        (ABC, BCD, IDENTITY),
        (ABC, DAILY, IDENTITY),
        (DATE_BY_ABC, ABC, MultiToSingleDimensionPartitionMapping()),
        (ABC, DATE_BY_ABC, MultiToSingleDimensionPartitionMapping()),
        (HOURLY, DATE_BY_ABC, MultiToSingleDimensionPartitionMapping()),
        (BCD, DATE_BY_ABC, IDENTITY),
        (DATE_BY_ABC, DAY_BY_BCD, IDENTITY),
        (DynamicPartitionsDefinition(name="n"), DynamicPartitionsDefinition(name="n"), IDENTITY),
    ],
)
def test_the_default_mapping(
    upstream: PartitionsDefinition | None, downstream: PartitionsDefinition | None, expected: PartitionMapping
) -> None:
    assert default_mapping(upstream, downstream) == expected


# --- mappings of the user's own, and travel -------------------------------------------------------------------------


class Reverse(PartitionMapping):
    """Written as users of the long names do."""

    def get_upstream_mapped_partitions_result_for_partitions(
        self, downstream_partitions_subset: Any, downstream_partitions_def: Any, upstream_partitions_def: Any, *_: Any
    ) -> UpstreamPartitionsResult:
        every = upstream_partitions_def.get_partition_keys()
        keys = [
            every[-1 - downstream_partitions_def.get_partition_keys().index(key)]
            for key in downstream_partitions_subset
        ]
        subset = upstream_partitions_def.subset_with_partition_keys(keys)
        return UpstreamPartitionsResult(subset, upstream_partitions_def.empty_subset())

    def get_downstream_partitions_for_partitions(
        self, upstream_partitions_subset: Any, upstream_partitions_def: Any, downstream_partitions_def: Any, *_: Any
    ) -> PartitionSubset:
        return self.upstream(
            upstream_partitions_subset, upstream_partitions_def, downstream_partitions_def
        ).partitions_subset


def test_a_mapping_of_ones_own() -> None:
    assert up(Reverse(), ABC, BCD, ["a"]) == (["d"], [])
    assert down(Reverse(), BCD, ABC, ["b"]) == ["c"]
    with pytest.raises(InvariantError, match="defines neither"):
        up(PartitionMapping(), ABC, BCD, ["a"])


def test_the_long_names_of_our_own_mappings() -> None:
    result = IDENTITY.get_upstream_mapped_partitions_result_for_partitions(
        ABC.subset_with_partition_keys(["b"]), ABC, BCD, current_time=NOW
    )
    assert list(result.partitions_subset) == ["b"]
    found = IDENTITY.get_downstream_partitions_for_partitions(ABC.subset_with_partition_keys(["b"]), ABC, BCD)
    assert list(found) == ["b"]


MAPPINGS: list[Callable[[], PartitionMapping]] = [
    IdentityPartitionMapping,
    AllPartitionMapping,
    LastPartitionMapping,
    lambda: SpecificPartitionsPartitionMapping(["a"]),
    lambda: StaticPartitionMapping({"a": ["b", "c"], "b": "a"}),
    TimeWindowPartitionMapping,
    lambda: TimeWindowPartitionMapping(-1, 2, True),
    MultiToSingleDimensionPartitionMapping,
    lambda: MultiToSingleDimensionPartitionMapping("x"),
    lambda: MultiPartitionMapping({"x": DimensionPartitionMapping("y", TimeWindowPartitionMapping(-1, -1))}),
]


def test_mappings_are_values_and_travel() -> None:
    decoder = codec.decoder(PartitionMapping)
    for i, make in enumerate(MAPPINGS):
        mapping = make()
        again = decoder.decode(codec.encode(mapping))
        assert type(again) is type(mapping)
        assert again == mapping
        assert hash(again) == hash(mapping)
        assert [j for j, other in enumerate(MAPPINGS) if other() == mapping] == [i]
        assert mapping.description
    with pytest.raises(InvocationError, match="telepathy"):
        decoder.decode(codec.encode({"kind": "telepathy"}))


def test_user_code_travels_as_its_name() -> None:
    class Mine(TimeWindowPartitionMapping):
        pass

    for mapping, name in ((Reverse(), "Reverse"), (Mine(), "Mine")):
        again = codec.decoder(PartitionMapping).decode(codec.encode(mapping))
        assert isinstance(again, OpaquePartitionMapping)
        assert again.name.endswith(name)
        with pytest.raises(InvariantError, match=name):
            up(again, ABC, BCD, ["a"])
