"""Running in process: what is called in the wrong way says so."""

from __future__ import annotations

from typing import Any

import pytest

from treadle import (
    AssetSpec,
    BackfillPolicy,
    DefinitionError,
    Instance,
    InvocationError,
    StaticPartitionsDefinition,
    asset,
    materialize,
    materialize_to_memory,
)


@asset
def alone() -> int:
    return 1


@asset(partitions_def=StaticPartitionsDefinition(["x", "y", "z"]), backfill_policy=BackfillPolicy.single_run())
def pieces() -> None: ...


@pytest.mark.parametrize("run", [materialize, materialize_to_memory])
@pytest.mark.parametrize("given", [alone, AssetSpec("bare")])
def test_one_asset_in_place_of_a_list(run: Any, given: Any) -> None:
    with pytest.raises(InvocationError, match=r"Write materialize\(\[\.\.\.\]\)"):
        run(given)


@pytest.mark.parametrize("deps", ["alone", alone, AssetSpec("bare")])
def test_one_dependency_in_place_of_a_list(deps: Any) -> None:
    with pytest.raises(DefinitionError, match=r"Write deps=\[\.\.\.\]"):
        AssetSpec("x", deps=deps)


def test_a_dependency_on_what_is_no_asset() -> None:
    with pytest.raises(DefinitionError, match="stands for no asset"):
        AssetSpec("x", deps=[len])  # type: ignore[list-item]


def test_a_range_backwards_is_refused_before_there_is_a_run() -> None:
    tags = {"dagster/asset_partition_range_start": "z", "dagster/asset_partition_range_end": "x"}
    with Instance.ephemeral() as instance:
        with pytest.raises(InvocationError, match="from 'z' to 'x': the latter comes first"):
            materialize([pieces], instance=instance, tags=tags)
        assert instance.get_runs_count() == 0
