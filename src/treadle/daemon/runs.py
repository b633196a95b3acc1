"""The loops over runs: what leaves the queue, and what has lost its owner or takes too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Container

from treadle.core import tags as tag_names
from treadle.decide import monitor, queue
from treadle.errors import LoadError
from treadle.host import kin
from treadle.host.instance import Instance
from treadle.host.nudge import nudge
from treadle.host.settings import Settings
from treadle.state.error_info import ErrorInfo
from treadle.state.events import EngineEvent, RunCanceled, RunCanceling, RunDequeued, RunFailed, RunStarting
from treadle.state.runs import ACTIVE, Run, RunRecord, RunsFilter, RunStatus

AGAIN_AFTER_S = 5.0
_QUEUED = frozenset({RunStatus.QUEUED})
_STARTING = frozenset({RunStatus.STARTING})


class Starter:
    """Starts the processes of runs, and remembers when it did.

    Args:
        instance: where the runs are stored.
        launch: starts the processes of a run.
    """

    def __init__(self, instance: Instance, launch: Callable[[Run], None]) -> None:
        self._instance = instance
        self._launch = launch
        self.launched: dict[str, float] = {}

    def limits_of(settings: Settings) -> queue.Limits:
    """The limits of the queue that settings ask for."""
    given = settings.run_queue or settings.concurrency.runs
    tags = [
        queue.TagLimit(
            limit.key, limit.limit, limit.value if isinstance(limit.value, str) else None,
            isinstance(limit.value, dict) and bool(limit.value.get("applyLimitPerUniqueValue")),
        )
        for limit in given.tag_concurrency_limits or ()
    ]  # fmt: skip
    most = given.max_concurrent_runs
    return queue.Limits(None if most < 0 else most, tags)
