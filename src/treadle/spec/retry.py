"""When a failed step is tried again, and after what wait."""

from __future__ import annotations

import enum
from collections.abc import Callable

import msgspec

from treadle.errors import DefinitionError


class Backoff(enum.Enum):
    """How the wait grows from one retry to the next."""

    LINEAR = "LINEAR"
    EXPONENTIAL = "EXPONENTIAL"


class Jitter(enum.Enum):
    """How the wait is scattered, so that many steps do not retry at the same moment."""

    FULL = "FULL"
    PLUS_MINUS = "PLUS_MINUS"


class RetryPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """How often, and after what wait, a failed step is tried again.

    Attributes:
        max_retries: retries after the first attempt.
        delay: seconds before a retry.
        backoff: how the delay grows: LINEAR is delay * n, EXPONENTIAL delay * (2**n - 1), n counting from 1.
        jitter: FULL takes a random share of the delay, PLUS_MINUS adds or takes off up to the delay.

    Raises:
        DefinitionError: backoff or jitter is given without a delay, or a number is negative.
    """

    max_retries: int = 1
    delay: float | None = None
    backoff: Backoff | None = None
    jitter: Jitter | None = None

    def __post_init__(self) -> None:
        if self.max_retries < 0 or (self.delay or 0) < 0:
            raise DefinitionError("RetryPolicy: max_retries and delay cannot be negative.")
        if self.delay is None and (self.backoff is not None or self.jitter is not None):
            raise DefinitionError("RetryPolicy: backoff and jitter need a delay. Give `delay=` in seconds.")

    def wait_s(self, retry: int, random: Callable[[], float]) -> float:
        """Seconds to wait before retry number `retry` (from 1); `random` returns numbers in [0, 1)."""
        if not self.delay:
            return 0.0
        wait = self.delay
        if self.backoff is Backoff.LINEAR:
            wait *= retry
        elif self.backoff is Backoff.EXPONENTIAL:
            wait *= 2**retry - 1
        if self.jitter is Jitter.FULL:
            return random() * wait
        if self.jitter is Jitter.PLUS_MINUS:
            return wait + (2 * random() - 1) * wait
        return wait
