"""Who launches runs, and when, as settings name it: built-in ones, and those that a user has written beside them."""

from __future__ import annotations

import json
import os
import select
import selectors
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.daemon.test_service import CODE, MARK, Served

from treadle.daemon.launches import Launches
from treadle.daemon.runs import Queue, Starter
from treadle.errors import LoadError
from treadle.host.alone import Task, command
from treadle.host.front import Front
from treadle.host.instance import Instance
from treadle.host.launching import cancel_run, submit_run
from treadle.host.settings import SettingsError
from treadle.host.targets import Target
from treadle.state.events import EventType
from treadle.state.runs import RunStatus

MINE = (
    MARK
    + """
import os, subprocess
from treadle import DefaultRunLauncher, QueuedRunCoordinator, RunLauncher

class Mine(RunLauncher):
    def __init__(self, label):
        self.label = label
        self.started = {}

    @classmethod
    def config_type(cls):
        return {"label": str}

    def launch_run(self, context):
        if context.run.job_name == "fail_job":
            raise OSError("no room")
        mark(f"{self.label}={context.run.run_id}")
        command = ["false"] if context.run.job_name == "vanish_job" else context.command
        self.started[context.run.run_id] = subprocess.Popen(command, start_new_session=True)

    def terminate(self, run_id):
        mark(f"terminate={run_id}")
        return True

    def check_run_worker_health(self, run):
        code = self.started[run.run_id].poll()
        return f"It ended with {code}." if code is not None else None

class Wrapped(DefaultRunLauncher):
    def launch_run(self, context):
        mark("wrapped")
        super().launch_run(context)

class Tagging(QueuedRunCoordinator):
    def submit_run(self, context):
        context.instance.add_run_tags(context.run.run_id, {"by": str(self.settings.max_concurrent_runs)})
        return super().submit_run(context)
"""
)


def serve(folder: Path, settings: dict[str, Any]) -> Served:
    home = folder / "home"
    home.mkdir()
    (home / "mine.py").write_text(MINE)
    return Served(folder, "daemon run", CODE, json.dumps(settings))


def block(module: str, cls: str, **config: object) -> dict[str, object]:
    return {"module": module, "class": cls, "config": config}


def parents(pid: int) -> list[str]:
    """What the kernel calls the processes above one."""
    found: list[str] = []
    while pid > 1:
        rest = Path(f"/proc/{pid}/stat").read_text()
        found.append(rest[rest.index("(") + 1 : rest.rindex(")")])
        pid = int(rest.rpartition(")")[2].split()[1])
    return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Served]:
    made = serve(tmp_path_factory.mktemp("served"), request.param)
    yield made
    made.close()


def test_a_command_whose_store_refuses_the_cancel_for_now_asks_again(tmp_path: Path) -> None:
    script = """if True:
        import sys
        from treadle.errors import StoreError
        from treadle.host import alone

        cancel, refusals = alone.cancel_run, [StoreError("The store is busy.")]

        def refuse(*arguments):
            if refusals:
                raise refusals.pop()
            return cancel(*arguments)

        alone.cancel_run, alone._AGAIN_S = refuse, 0.01
        sys.exit(alone.main(sys.argv[-1]))
    """
    (tmp_path / "defs.py").write_text(CODE)
    witness = tmp_path / "witness"
    with Instance.get(tmp_path / "home") as instance:
        run = instance.create_run(job_name="slow_job", status=RunStatus.STARTING)
        place = dict.fromkeys(("attribute", "working_directory", "location_name", "origin"))
        place |= {"kind": "file", "value": str(tmp_path / "defs.py")}
        task = Task(str(instance.home), run.run_id, msgspec.msgpack.encode(place), str(tmp_path), 5.0)
        environment = {**os.environ, "WITNESS": str(witness)}
        with subprocess.Popen([sys.executable, "-c", script, command(task)[-1]], env=environment) as process:
            while not witness.exists():
                assert process.poll() is None
                select.select([], [], [], 0.01)
            process.terminate()
            assert process.wait(30) == 0
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        assert found.status is RunStatus.CANCELED


OURS = {"run_launcher": block("mine", "Mine", label="ours")}


@pytest.mark.parametrize("served", [OURS], indirect=True)
def test_a_launcher_beside_the_settings_launches_each_run_once_and_hears_of_its_end(served: Served) -> None:
    quick = served.ended(served.launch("quick"))
    assert quick.is_success
    assert len(served.marks(f"ours={quick.run_id}")) == 1
    slow, pid = served.under_way("slow")
    assert "treadle-zygote" not in parents(pid)
    cancel_run(served.instance, slow.run_id)
    assert served.ended(slow).status is RunStatus.CANCELED
    served.until(lambda: not Path(f"/proc/{pid}").exists())
    served.until(lambda: served.marks(f"terminate={slow.run_id}"))


@pytest.mark.parametrize("served", [OURS], indirect=True)
def test_what_a_launcher_raises_fails_the_run(served: Served) -> None:
    run = served.ended(served.launch("fail"))
    assert run.is_failure
    [failed] = served.instance.all_logs(run.run_id, of_type={EventType.RUN_FAILURE})
    assert "no room" in str(failed.error_info)


def test_a_launcher_is_asked_whether_what_it_started_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WITNESS", str(tmp_path / "witness"))
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "dagster.yaml").write_text(json.dumps(OURS))
    with Instance.get(tmp_path) as instance, selectors.DefaultSelector() as waiting:
        launches = Launches(instance, Front(tmp_path, [Target("file", "defs.py")], waiting, lambda *_: None), 1.0)
        run = instance.create_run(job_name="vanish_job")
        launches.launch(run)
        launches._launcher.started[run.run_id].wait()  # type: ignore[attr-defined]  # of the user's class
        with pytest.raises(LoadError, match=r"It ended with 1\."):
            launches.launch(run)


@pytest.mark.parametrize(
    ("served", "is_forked"),
    [
        ({"run_launcher": block("dagster", "DefaultRunLauncher")}, True),
        ({"run_launcher": block("mine", "Wrapped")}, True),
        ({"run_launcher": block("treadle", "SubprocessRunLauncher")}, False),
    ],
    indirect=["served"],
)
def test_built_in_launchers_fork_or_start_a_fresh_interpreter(served: Served, is_forked: bool) -> None:
    run, pid = served.under_way("slow")
    assert ("treadle-zygote" in parents(pid)) is is_forked
    os.kill(served.supervisor(run), 9)
    assert served.ended(run).is_failure
    served.until(lambda: not Path(f"/proc/{pid}").exists())


NONE = {"max_concurrent_runs": 0}


@pytest.mark.parametrize(
    "named",
    [block("dagster._core.run_coordinator", "QueuedRunCoordinator", **NONE), block("mine", "Tagging", **NONE)],
)
def test_a_coordinator_that_queues_has_the_limits_of_the_queue(tmp_path: Path, named: dict[str, Any]) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "dagster.yaml").write_text(json.dumps({"run_coordinator": named}))
    with Instance.get(tmp_path) as instance:
        run = submit_run(instance, instance.create_run(job_name="a").run_id)
        assert run.status is RunStatus.QUEUED
        assert run.tags.get("by") == ("0" if named["module"] == "mine" else None)
        assert "no more than 0 may be" in Queue(instance, Starter(instance, lambda _: None)).held[run.run_id]


@pytest.mark.parametrize(
    "served",
    [
        {
            "run_coordinator": block("dagster.core.run_coordinator", "DefaultRunCoordinator"),
            "concurrency": {"runs": NONE},
        }
    ],
    indirect=True,
)
def test_the_default_coordinator_has_runs_launched_past_the_queue(served: Served) -> None:
    assert served.ended(served.launch("quick")).is_success


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"run_launcher": block("dagster_docker", "DockerRunLauncher")}, "subclass of treadle.RunLauncher"),
        ({"run_launcher": block("dagster_aws.ecs", "EcsRunLauncher")}, "this version does not have"),
        ({"run_coordinator": block("dagster", "OddRunCoordinator")}, "QueuedRunCoordinator or"),
        ({"run_coordinator": block("dagster", "QueuedRunCoordinator", max_runs=1)}, "max_runs"),
        ({"compute_logs": block("dagster_aws.s3", "S3ComputeLogManager")}, "LocalComputeLogManager"),
    ],
)
def test_what_this_version_does_not_have_is_refused_by_every_command(
    tmp_path: Path, settings: dict[str, Any], why: str
) -> None:
    (tmp_path / "dagster.yaml").write_text(json.dumps(settings))
    with pytest.raises(SettingsError, match=why):
        Instance.get(tmp_path)


@pytest.mark.parametrize(
    ("named", "why"),
    [
        (block("nowhere", "A"), "cannot be imported"),
        (block("mine", "Mine"), "is no RunCoordinator"),
        (block("mine", "Tagging", most=1), "cannot be right"),
    ],
)
def test_a_class_that_cannot_be_made_is_an_error(tmp_path: Path, named: dict[str, Any], why: str) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "dagster.yaml").write_text(json.dumps({"run_coordinator": named}))
    with Instance.get(tmp_path) as instance, pytest.raises(SettingsError, match=why):
        submit_run(instance, instance.create_run(job_name="a").run_id)
