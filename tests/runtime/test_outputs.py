"""What a function gives that is not what it seems."""

from __future__ import annotations

import pytest

import treadle as t


@pytest.mark.parametrize("value", [False, True, None, "fine"])
def test_a_check_without_a_result_is_warned_of(value: object) -> None:
    @t.asset
    def orders() -> int:
        return 1

    @t.asset_check(asset=orders, blocking=True)
    def looks_right():
        return value

    result = t.materialize_to_memory([orders, looks_right])
    assert result.success
    assert not result.get_asset_check_evaluations()
    [warning] = [entry.message for entry in result.entries if entry.level == 30]
    assert "orders:looks_right gave no AssetCheckResult" in warning
    assert "test_outputs.py" in warning
