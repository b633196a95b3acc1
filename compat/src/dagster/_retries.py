"""`RetryPolicy.calculate_delay`, with its chance drawn here."""

from __future__ import annotations

import random

from treadle.spec.retry import RetryPolicy


def _calculate_delay(policy: RetryPolicy, attempt_num: int) -> float:
    """Seconds to wait before retry number `attempt_num`, from 1."""
    return policy.wait_s(attempt_num, random.random)


RetryPolicy.calculate_delay = _calculate_delay  # pyright: ignore[reportAttributeAccessIssue]
