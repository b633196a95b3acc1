"""What the settings say about runs that take too long, through real processes."""

from __future__ import annotations

from tests.daemon.test_service import Served, is_alive, shared

from treadle.core import tags
from treadle.host.launching import cancel_run
from treadle.state.events import EventType
from treadle.state.runs import RunStatus

SETTINGS = "run_monitoring: {cancel_timeout_seconds: 1, max_runtime_seconds: 1}\n"
served = shared(command="daemon run", settings=SETTINGS)


def test_a_run_that_takes_longer_than_the_settings_let_it_fails(served: Served) -> None:
    run, step = served.under_way("slow")
    ended = served.ended(run)
    assert (ended.status, ended.tags[tags.FAILURE_REASON]) == (RunStatus.FAILURE, "STEP_FAILURE")
    [failed] = served.instance.all_logs(run.run_id, of_type={EventType.STEP_FAILURE})
    assert "took longer than its limit" in str(failed.error_info)
    served.until(lambda: not is_alive(step))


def test_a_run_that_does_not_stop_in_time_is_ended(served: Served) -> None:
    run = served.launch("stubborn", {"execution": {"config": {"in_process": {}}}}, **{tags.MAX_RUNTIME: "1000"})
    served.until(lambda: served.marks("stubborn"))
    [step] = served.marks("stubborn")
    assert cancel_run(served.instance, run.run_id)
    assert served.ended(run).status is RunStatus.CANCELED
    assert "has not ended within 1 s" in served.messages(run)  # long before its supervisor loses patience
    served.until(lambda: not is_alive(step))
