import pytest

import dagster as dg


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


def test_the_queue_is_no_place_to_submit_runs():
    with pytest.raises(dg.DagsterInvariantViolationError, match="dagster job launch"):
        dg.QueuedRunCoordinator().submit_run(None)
    with pytest.raises(dg.DagsterInvariantViolationError, match="dagster job launch"):
        dg.DefaultRunLauncher().launch_run(None)


def test_runs_know_the_code_location_they_come_from():
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run(job_name="j", location_name="here")
    origin = run.remote_job_origin
    assert origin.repository_origin.code_location_origin.location_name == "here"
    assert (origin.job_name, run.job_snapshot_id, run.has_repository_load_data) == ("j", None, False)


def test_run_events_have_their_older_names():
    assert dg.DagsterEventType.PIPELINE_START is dg.DagsterEventType.RUN_START
    assert dg.DagsterEventType.PIPELINE_CANCELED is dg.DagsterEventType.RUN_CANCELED
