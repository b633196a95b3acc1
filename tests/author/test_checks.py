"""Where the execution of a check stands, from definition to store."""

from __future__ import annotations

from typing import Any

import pytest

import treadle as t
from treadle.state.records import AssetCheckExecutionStatus as Status

KEY = t.AssetCheckKey(t.AssetKey("a"), "c")


@pytest.mark.parametrize(
    ("asset_fails", "outcome", "status"),
    [
        (False, True, Status.SUCCEEDED),
        (False, False, Status.FAILED),
        (False, None, Status.EXECUTION_FAILED),
        (True, True, Status.SKIPPED),
    ],
)
def test_the_status_of_a_check(asset_fails: bool, outcome: bool | None, status: Status) -> None:
    seen: list[Any] = []

    @t.asset
    def a() -> None:
        if asset_fails:
            raise ValueError("no data")

    @t.asset_check(asset=a)
    def c(context: t.AssetCheckExecutionContext) -> t.AssetCheckResult:
        seen.append(context.instance.get_latest_asset_check_evaluation_record(KEY).status)
        if outcome is None:
            raise ValueError("cannot look")
        return t.AssetCheckResult(passed=outcome)

    with t.Instance.ephemeral() as instance:
        run = t.materialize([a, c], instance=instance, raise_on_error=False)
        record = instance.get_latest_asset_check_evaluation_record(KEY)
        assert record is not None
        assert (record.status, record.planned_run_id) == (status, run.run_id)
        assert seen == ([] if asset_fails else [Status.IN_PROGRESS])
        if record.evaluation is not None:
            target = record.evaluation.target_materialization_data
            [made] = instance.fetch_materializations(t.AssetKey("a"), 1).records
            assert (target.storage_id, target.run_id, target.timestamp) == (made.storage_id, run.run_id, made.timestamp)
        else:
            assert outcome is None or asset_fails


def test_a_definition_of_several_checks_has_no_single_key() -> None:
    @t.multi_asset_check(specs=[t.AssetCheckSpec("c", asset="a"), t.AssetCheckSpec("d", asset="a")])
    def checks() -> None: ...

    with pytest.raises(t.DefinitionError, match="evaluates 2 checks"):
        _ = checks.check_key
