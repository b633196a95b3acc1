import pytest

import dagster as dg
from treadle.host.launching import submit_run


@pytest.mark.parametrize(
    "act",
    [
        lambda: dg.run_step_from_ref(None, None),
        lambda: dg.step_context_to_step_run_ref(None),
        lambda: dg.step_run_ref_to_step_context(None, None),
        lambda: dg.external_instance_from_step_run_ref(None),
        lambda: dg.StepLauncher(),
    ],
)
def test_steps_are_started_by_treadle(act):
    with pytest.raises(dg.DagsterInvariantViolationError, match="multiprocess_executor"):
        act()


def test_the_inside_of_a_step_is_not_built_by_hand():
    with pytest.raises(dg.DagsterInvariantViolationError, match="build_op_context"):
        dg.StepExecutionContext()


def test_a_coordinator_of_ones_own_is_asked_about_each_run_that_is_submitted(tmp_path):
    (tmp_path / "coordinators.py").write_text(
        "from dagster import QueuedRunCoordinator\n"
        "class Marking(QueuedRunCoordinator):\n"
        "    def submit_run(self, context):\n"
        "        header = context.get_request_header('user')\n"
        "        self._instance.add_run_tags(context.dagster_run.run_id, {'by': str(header)})\n"
        "        return super().submit_run(context)\n"
    )
    (tmp_path / "dagster.yaml").write_text(
        "run_coordinator: {module: coordinators, class: Marking, config: {max_concurrent_runs: 3}}"
    )
    with dg.DagsterInstance.get(tmp_path) as instance:
        run = submit_run(instance, instance.create_run(job_name="j").run_id)
    assert (run.status, run.tags["by"]) == (dg.DagsterRunStatus.QUEUED, "None")


@pytest.mark.api("DagsterRun.remote_job_origin")
def test_runs_know_the_code_location_they_come_from():
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run(job_name="j", location_name="here")
    origin = run.remote_job_origin
    assert origin.repository_origin.code_location_origin.location_name == "here"
    assert (origin.job_name, run.job_snapshot_id, run.has_repository_load_data) == ("j", None, False)


def test_run_events_have_their_older_names():
    assert dg.DagsterEventType.PIPELINE_START is dg.DagsterEventType.RUN_START
    assert dg.DagsterEventType.PIPELINE_CANCELED is dg.DagsterEventType.RUN_CANCELED


@pytest.mark.api(
    "QueuedRunCoordinator.tag_concurrency_limits", "QueuedRunCoordinator.max_user_code_failure_retries",
    "QueuedRunCoordinator.user_code_failure_retry_delay",
)  # fmt: skip
def test_settings_of_the_queue_can_be_read():
    limits = [{"key": "a", "limit": 1}]
    queue = dg.QueuedRunCoordinator(
        tag_concurrency_limits=limits, max_user_code_failure_retries=2, user_code_failure_retry_delay=9
    )
    assert queue.tag_concurrency_limits == limits
    assert (queue.max_user_code_failure_retries, queue.user_code_failure_retry_delay) == (2, 9)


@pytest.mark.api(
    "OpExecutionContext.pdb",
    "OpExecutionContext.location_name",
    "DagsterRun.remote_job_origin",
    "DagsterEvent.job_name",
)
def test_more_of_contexts_and_events():
    seen = []

    @dg.op
    def look(context):
        seen.append((callable(context.pdb.set_trace), context.location_name, context.run.remote_job_origin))

    @dg.job
    def looking():
        look()

    result = looking.execute_in_process()
    assert seen == [(True, None, None)]
    assert [event.job_name for event in result.all_events if event.event_type_value == "PIPELINE_START"] == ["looking"]


def test_kinds_of_events_that_only_filters_name():
    with dg.DagsterInstance.ephemeral() as instance:
        for kind in dg.DagsterEventType:
            assert instance.get_event_records(dg.EventRecordsFilter(kind)) == []
