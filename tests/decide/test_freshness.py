"""Whether an asset is fresh, by both kinds of policies, at the edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import treadle as tr
from treadle.decide.conditions import freshness

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
WINDOW = tr.FreshnessPolicy.time_window(fail_window=timedelta(hours=2), warn_window=timedelta(hours=1))
PLAIN = tr.FreshnessPolicy.time_window(fail_window=timedelta(hours=2))
DEADLINE = tr.FreshnessPolicy.cron(deadline_cron="0 12 * * *", lower_bound_delta=timedelta(hours=1))
TOKYO = tr.FreshnessPolicy.cron(
    deadline_cron="0 21 * * *", lower_bound_delta=timedelta(hours=1), timezone="Asia/Tokyo"
)  # noon in UTC


@pytest.mark.parametrize(
    ("policy", "age_s", "state", "until_s"),
    [
        (WINDOW, 0, "passed", 3600),
        (WINDOW, 3599, "passed", 1),
        (WINDOW, 3600, "warned", 3600),
        (WINDOW, 7199, "warned", 1),
        (WINDOW, 7200, "failed", None),
        (PLAIN, 7199, "passed", 1),
        (PLAIN, 7200, "failed", None),
        (DEADLINE, 3600, "passed", 86400),
        (DEADLINE, 3601, "failed", 86400),
        (TOKYO, 3600, "passed", 86400),
        (TOKYO, 3601, "failed", 86400),
    ],
)
def test_freshness_by_the_age_of_the_last_materialization(
    policy: tr.FreshnessPolicy, age_s: int, state: str, until_s: int | None
) -> None:
    now = NOON.timestamp()
    expected = None if until_s is None else now + until_s
    assert freshness(policy, now - age_s, NOON) == (state, expected)


def test_a_deadline_counts_until_the_next_one() -> None:
    """The last deadline that has passed is asked about; it is never warned of one."""
    made = (NOON - timedelta(hours=1)).timestamp()
    for later, state in ((-1, "passed"), (0, "passed"), (86399, "passed"), (86400, "failed")):
        assert freshness(DEADLINE, made, NOON + timedelta(seconds=later))[0] == state
