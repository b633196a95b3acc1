"""How often assets that are made elsewhere are observed: a number of minutes becomes a condition."""

import pytest

import dagster as dg


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("minutes", "cron"), [(30, "*/30 * * * *"), (90, "0 */2 * * *"), (1440, "0 0 */1 * *"), (0.5, "*/1 * * * *")]
)
def test_how_often_an_asset_is_observed(minutes: float, cron: str) -> None:
    def look(context):
        return dg.DataVersion("7")

    one = dg.SourceAsset("one", observe_fn=look, auto_observe_interval_minutes=minutes)
    two = dg.observable_source_asset(name="two", auto_observe_interval_minutes=minutes)(look)
    wanted = dg.AutomationCondition.cron_tick_passed(cron)
    assert [spec.automation_condition for spec in dg.Definitions([one, two]).resolve_all_asset_specs()] == [wanted] * 2


def test_a_condition_of_ones_own_goes_first() -> None:
    own = dg.AutomationCondition.eager()
    one = dg.SourceAsset(
        "one", observe_fn=lambda context: None, auto_observe_interval_minutes=5, automation_condition=own
    )
    assert one.automation_condition == own
