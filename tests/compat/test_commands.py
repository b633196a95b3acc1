"""The `dagster` command."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dagster import _absent_commands as absent
from dagster.__main__ import main
from treadle.host.instance import Instance
from treadle.state.runs import RunStatus

DEFINITIONS = """
import dagster as dg

@dg.asset
def a():
    return 1

@dg.asset
def b(a):
    return a + 1

@dg.op
def say():
    return "hello"

@dg.job
def talk():
    say()

defs = dg.Definitions(assets=[a, b], jobs=[talk])
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "defs.py").write_text(DEFINITIONS)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(args)
    return ended.value.code  # pyright: ignore[reportReturnType]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--version") == 0
    assert capsys.readouterr().out == "dagster, version 1.13.27\n"


def test_assets(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("asset", "list", "-f", "defs.py") == 0
    assert capsys.readouterr().out.split() == ["a", "b"]
    assert call("asset", "materialize", "-f", "defs.py", "--select", "a") == 0
    capsys.readouterr()
    assert call("run", "list") == 0
    assert "SUCCESS" in capsys.readouterr().out


def test_jobs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("job", "execute", "-f", "defs.py", "-j", "talk") == 0
    capsys.readouterr()
    assert call("job", "list", "-f", "defs.py") == 0
    assert "talk" in capsys.readouterr().out


def test_a_job_is_printed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("job", "print", "-f", "defs.py", "-j", "talk") == 0
    assert capsys.readouterr().out == "Job: talk\nOps\n  Op: say\n"
    assert call("job", "print", "-f", "defs.py", "--verbose") == 0
    assert "    Outputs:\n    result\n" in capsys.readouterr().out
    assert call("job", "print", "-f", "defs.py", "-j", "nothing_here") != 0


CONFIGURED = """
import dagster as dg

class Warehouse(dg.ConfigurableResource):
    url: str
    size: int = 3

class Config(dg.Config):
    path: str
    n: int = 5
    shops: list[str] = []

@dg.op
def read(config: Config, warehouse: Warehouse):
    return 1

@dg.op(config_schema={
    "way": dg.Selector({"x": int, "y": str}), "each": dg.Map(str, int), "perhaps": dg.Noneable(int),
    "kind": dg.Enum("Kind", [dg.EnumValue("A"), dg.EnumValue("B")]), "free": dg.Field(dict, default_value={"k": 1}),
}, ins={"z": dg.In(int)})
def make(x, z):
    pass

@dg.job
def talk():
    make(read())

defs = dg.Definitions(jobs=[talk], resources={"warehouse": Warehouse.configure_at_launch()})
"""


def test_the_skeleton_of_run_config_fits_the_job(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "defs.py").write_text(CONFIGURED)
    for option in ((), ("--print-only-required",)):
        assert call("job", "scaffold_config", "-f", "defs.py", "-j", "talk", *option) == 0
        text = capsys.readouterr().out
        (project / "config.yaml").write_text(text)
        assert call("job", "execute", "-f", "defs.py", "-c", "config.yaml") == 0
        capsys.readouterr()
    assert yaml.safe_load(text) == {
        "ops": {
            "read": {"config": {"path": "..."}},
            "make": {"config": {"way": {"x": 0}, "each": {}, "kind": "A"}, "inputs": {"z": 0}},
        },
        "resources": {"warehouse": {"config": {"url": "..."}}},
    }
    assert call("job", "scaffold_config", "-f", "defs.py") == 0
    shown = yaml.safe_load(capsys.readouterr().out)["ops"]
    assert shown["read"]["config"] == {"path": "...", "n": 5, "shops": []}
    assert shown["make"]["config"]["free"] == {"k": 1}


def test_definitions(project: Path) -> None:
    assert call("definitions", "validate", "-f", "defs.py") == 0
    (project / "broken.py").write_text("import nothing_here\n")
    assert call("definitions", "validate", "-f", "broken.py") == 1


def test_options_without_a_counterpart_are_taken(project: Path) -> None:
    options = ("--log-level", "info", "--log-format=json", "-v", "--load-with-grpc")
    assert call("definitions", "validate", *options, "-f", "defs.py") == 0
    assert call("definitions", "validate", "-f", "broken.py", *options) != 0
    assert call("instance", "migrate", "--bigint-migration") == 0
    assert call("asset", "list", "-f", "defs.py", "--log-level", "info") == 2


def test_dev_takes_the_old_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path))
    options = ("-v", "--use-legacy-code-server-behavior", "--db-pool-recycle", "1", "--log-level=info")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert call("dev", "--empty-workspace", "--dagit-host", "127.0.0.1", "--dagit-port", port, *options) == 2
    assert f"127.0.0.1:{port}" in capsys.readouterr().err


def test_a_repository_is_something_in_the_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "two.py").write_text(DEFINITIONS + "other = dg.Definitions(assets=[a])\n")
    assert call("asset", "list", "-f", "two.py", "-r", "other") == 0
    assert capsys.readouterr().out.split() == ["a"]
    assert call("job", "execute", "-f", "defs.py", "--repository", "__repository__", "-j", "talk") == 0
    assert call("job", "list", "-f", "two.py", "-r", "nothing_here") == 1
    assert "nothing_here" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--grpc-port=1", "--grpc-socket=s", "--grpc-host=h", "--use-ssl"])
def test_code_servers_are_not_asked(option: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("job", "list", option) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {option.split('=')[0]}: definitions cannot be read from a code server yet.")


def test_what_needs_nothing_to_be_done_says_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("asset", "wipe-partitions-status-cache", "--all", "--noprompt") == 0
    assert "nothing to wipe" in capsys.readouterr().out
    assert call("instance", "reindex") == 0
    assert "nothing to build" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(absent.COMMANDS))
def test_what_is_not_there_yet_says_what_to_do(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, parameters, instead = absent.COMMANDS[path]
    words = parameters.split()
    given = [f"{word.split(',')[0].split('=')[0]}={word}" for word in words if word.endswith(("=", "=*"))]
    given = [one.replace("=", " ", 1).split(" ") if one[1] != "-" else [one] for one in given]
    given += [[word.split(",")[-1]] for word in words if word.startswith("-") and "=" not in word]
    given += [["x"] for word in words if not word.startswith("-")]
    assert call(*path.split(), *[part for one in given for part in one]) == 2
    said = capsys.readouterr().err
    assert said == f"error: `dagster {path}` is not there yet. {instead}\n"
    assert call(*path.split(), "--nothing-here") == 2
    assert "--nothing-here" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["", *absent.GROUPS, "asset", "definitions", "instance", "job", "run"])
def test_help_lists_everything(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*path.split(), "--help") == 0
    shown = capsys.readouterr().out
    below = [one.rpartition(" ") for one in (*absent.COMMANDS, *absent.GROUPS) if one not in absent.HIDDEN]
    for group, _, name in below:
        assert group != path or f"\n  {name} " in shown
    assert call(*path.split(), "nothing-here") == 2
    assert "nothing-here" in capsys.readouterr().err


TRIGGERS = """
import dagster as dg

@dg.job
def j(): ...

@dg.sensor(job=j)
def watch(): ...

on = dg.ScheduleDefinition(name="on", job=j, cron_schedule="@daily", default_status=dg.DefaultScheduleStatus.RUNNING)
off = dg.ScheduleDefinition(name="off", job=j, cron_schedule="@daily")
defs = dg.Definitions(jobs=[j], schedules=[on, off], sensors=[watch])
"""


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("schedule list", "Schedule: off [STOPPED]\nSchedule: on [RUNNING]\n"),
        ("schedule list --running --name", "on\n"),
        ("schedule list --stopped --name -r __repository__", "off\n"),
        ("sensor list", "Sensor: watch [STOPPED]\n"),
    ],
)
def test_schedules_and_sensors_are_listed(
    words: str, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "triggers.py").write_text(TRIGGERS)
    assert call(*words.split(), "-f", str(tmp_path / "triggers.py")) == 0
    assert capsys.readouterr().out == shown


def test_every_option_of_a_command_to_come_is_in_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("schedule", "restart", "--help") == 0
    shown = capsys.readouterr().out
    for option in ("[SCHEDULE_NAME]", "-w, --workspace TEXT", "-r, --repository TEXT", "--restart-all-running\n"):
        assert option in shown


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["code-server", "--help"], ["project", "--help"]])
def test_help_loads_nothing_but_click(command: list[str]) -> None:
    code = (
        "import sys, contextlib\nfrom dagster.__main__ import main\n"
        f"with contextlib.suppress(SystemExit): main({command!r})\n"
        "heavy = ('treadle.host', 'treadle.store', 'treadle.cli.job', 'pydantic', 'sqlalchemy', 'sqlite3', 'rich')\n"
        "sys.exit(str([one for one in heavy if one in sys.modules] or ''))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stderr.strip() == ""
    assert ended.stdout


def test_what_nobody_has_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("nothing_here") == 2
    assert "nothing_here" in capsys.readouterr().err


def test_limits_of_pools(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("instance", "concurrency", "set", "db", "2") == 0
    capsys.readouterr()
    assert call("instance", "concurrency", "get", "db") == 0
    assert call("instance", "concurrency", "get", "--all") == 0
    assert capsys.readouterr().out == '"db": 0 / 2 slots occupied\n' * 2
    assert call("instance", "concurrency", "set", "db", "2000") != 0
    assert call("instance", "concurrency", "delete", "db") == 0
    assert call("instance", "concurrency", "get") == 2


def test_a_job_is_launched_through_the_queue(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = "3f2a0000-0000-4000-8000-000000000000"
    options = ["--run-id", run_id, "-o", "say", "--tags", '{"team": "x"}', "--config-json", "{}"]
    assert call("job", "launch", "-f", "defs.py", "-j", "talk", *options) == 0
    assert capsys.readouterr().out == run_id + "\n"
    with Instance.get(project / "home") as instance:
        run = instance.get_run_by_id(run_id)
    assert run is not None
    assert (run.status, run.op_selection, run.location_name) == (RunStatus.QUEUED, ("say",), "defs.py")
    assert run.tags["team"] == "x"
    assert call("job", "launch", "-f", "defs.py") == 2


def test_there_is_no_history_to_move(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "migrate-repository", "--from", "a@b", "-j", "talk") == 0
    assert "nothing to move" in capsys.readouterr().out
