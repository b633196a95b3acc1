"""Which partitions are materialized is kept by their keys: editing a definition changes nothing of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import treadle as tr
from treadle.core.partitions import PartitionsDefinition, StaticPartitionsDefinition
from treadle.core.time_partitions import DailyPartitionsDefinition, HourlyPartitionsDefinition
from treadle.state.facts import AssetMaterialization
from treadle.state.records import AssetPartitionStatus

KEY = tr.AssetKey("a")


def kept(instance: tr.Instance, edited: PartitionsDefinition) -> tuple[set[str], frozenset[str]]:
    """The materialized partitions as the edited definition sees them, and what it no longer has."""
    subset, gone = edited.subset_of_known(instance.get_materialized_partitions(KEY))
    return set(subset), gone


@given(st.permutations("abcdef"), st.data())
def test_keys_are_moved_added_and_removed(order: list[str], data: st.DataObject) -> None:
    made = data.draw(st.sets(st.sampled_from("abcdef")))
    with tr.Instance.ephemeral() as instance:
        for key in made:
            instance.report_runless_asset_event(AssetMaterialization(KEY, partition=key))
        removed = set(data.draw(st.sets(st.sampled_from("abcdef"), max_size=2)))
        edited = ["first", *(key for key in order if key not in removed)]
        edited.insert(3, "between")
        assert kept(instance, StaticPartitionsDefinition(edited)) == (made - removed, frozenset(made & removed))
        statuses = instance.get_status_by_partition(KEY, edited) or {}
        assert {
            key for key, status in statuses.items() if status is AssetPartitionStatus.MATERIALIZED
        } == made - removed
        assert instance.get_materialized_partitions(KEY) == made


@pytest.mark.parametrize(
    ("edited", "gone"),
    [
        (DailyPartitionsDefinition("2023-06-01"), []),
        (DailyPartitionsDefinition("2024-01-10", end_date="2024-02-01"), []),
        (DailyPartitionsDefinition("2024-01-01", timezone="Asia/Tokyo", hour_offset=3), []),
        (DailyPartitionsDefinition("2024-01-01", exclusions=["0 0 3 * *"]), ["2024-01-03"]),
        (HourlyPartitionsDefinition("2024-01-01-00:00"), ["2024-01-03", "2024-01-15"]),
    ],
    ids=str,
)
def test_windows_begin_elsewhere_or_are_cut_otherwise(edited: PartitionsDefinition, gone: list[str]) -> None:
    made = {"2024-01-03", "2024-01-15"}
    with tr.Instance.ephemeral() as instance:
        for key in made:
            instance.report_runless_asset_event(AssetMaterialization(KEY, partition=key))
        assert kept(instance, edited) == (made - set(gone), frozenset(gone))
        assert instance.get_materialized_partitions(KEY) == made
