"""Metadata as lists of entries once held it."""

import pytest

import dagster as dg


@pytest.mark.api(
    "MetadataEntry.label", "MetadataEntry.description", "MetadataEntry.entry_data", "MetadataEntry.value"
)  # fmt: skip
def test_metadata_entries() -> None:
    entry = dg.MetadataEntry("rows", description="how many", value=3)
    assert (entry.label, entry.description, entry.entry_data) == ("rows", "how many", dg.MetadataValue.int(3))
    with pytest.warns(DeprecationWarning, match="value"):
        old = dg.MetadataEntry(label="rows", description="how many", entry_data=dg.MetadataValue.int(3))
    assert entry == old != dg.MetadataEntry("rows", value=4)
    assert entry.value == entry.entry_data
    assert dg.MetadataEntry("nothing").entry_data == dg.MetadataValue.null()
