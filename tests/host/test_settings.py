"""Where the home is and what its settings say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from treadle.host.settings import (
    WITHOUT_EFFECT,
    Settings,
    SettingsError,
    find_home,
    load_settings,
    parse_settings,
    project_folder,
)


def test_the_home_is_in_the_nearest_project(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "src" / "deep"
    inner.mkdir(parents=True)
    assert find_home({}, inner) == inner / ".treadle"
    (tmp_path / "project" / "pyproject.toml").touch()
    assert project_folder(inner) == tmp_path / "project"
    assert find_home({}, inner) == tmp_path / "project" / ".treadle"
    (inner / "pyproject.toml").touch()
    assert find_home({}, inner) == inner / ".treadle"


def test_variables_name_the_home(tmp_path: Path) -> None:
    assert find_home({"DAGSTER_HOME": "/old"}, tmp_path) == Path("/old")
    assert find_home({"DAGSTER_HOME": "/old", "TREADLE_HOME": "/new"}, tmp_path) == Path("/new")
    assert find_home({"TREADLE_HOME": "", "DAGSTER_HOME": "~/home"}, tmp_path) == Path.home() / "home"
    with pytest.raises(SettingsError, match="TREADLE_HOME is 'here'"):
        find_home({"TREADLE_HOME": "here"}, tmp_path)


def test_without_a_file_all_defaults(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert settings == Settings()
    assert settings.run_monitoring.poll_interval_seconds == 120
    assert settings.concurrency.runs.max_concurrent_runs == 10
    assert settings.retention.sensor.purge_after_days == {"skipped": 7}


def test_the_file_is_read_and_the_new_name_wins(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("run_retries: {enabled: true, max_retries: 3}\n")
    assert load_settings(tmp_path).run_retries.max_retries == 3
    (tmp_path / "treadle.yaml").write_text("run_retries: {enabled: true, max_retries: 4}\n")
    assert load_settings(tmp_path).run_retries.max_retries == 4
    (tmp_path / "treadle.yaml").write_text("")
    assert load_settings(tmp_path) == Settings()


def test_values_from_variables() -> None:
    data = {"run_queue": {"max_concurrent_runs": {"env": "N"}}, "telemetry": {"enabled": {"env": "T"}}}
    settings = parse_settings(data, "file", {"N": "7", "T": "false"})
    assert settings.run_queue is not None
    assert settings.run_queue.max_concurrent_runs == 7
    assert settings.telemetry.enabled is False
    with pytest.raises(SettingsError, match="environment variable N is not set"):
        parse_settings(data, "file", {"T": "false"})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"run_retry": {}}, "run_retry"),
        ({"run_retries": {"max": 1}}, r"max.*run_retries"),
        ({"run_queue": {"max_concurrent_runs": -2}}, "max_concurrent_runs"),
        ({"concurrency": {"pools": {"default_limit": 1001}}}, "default_limit"),
        ({"storage": {"sqlite": {"durability": "best"}}}, "durability"),
        ({"storage": {"sqlite": {}, "postgres": {}}}, "names sqlite and postgres"),
        ({"storage": {"sqlite": {}}, "run_storage": {"module": "m", "class": "C"}}, "replaces run_storage"),
        ({"run_queue": {}, "run_coordinator": {"module": "m", "class": "C"}}, "both describe the queue"),
        ([], "array"),
    ],
)
def test_what_cannot_be_right_is_an_error(data: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_settings(data, "treadle.yaml", {})


def test_broken_yaml_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "treadle.yaml").write_text("a: [")
    with pytest.raises(SettingsError, match=r"treadle\.yaml is not valid YAML"):
        load_settings(tmp_path)


def test_an_instance_loads_nothing_heavy() -> None:
    code = (
        "import sys; from treadle.host.instance import Instance; Instance.ephemeral().get_runs()\n"
        "heavy = {'yaml', 'sqlalchemy', 'alembic', 'pydantic', 'asyncio', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_key_that_is_nearly_right_is_proposed() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'durability'"):
        parse_settings({"storage": {"sqlite": {"durabilty": "full"}}}, "here", {})
    with pytest.raises(SettingsError, match="Did you mean 'storage'"):
        parse_settings({"storag": {}}, "here", {})


SEEDS = Path(__file__).parents[1] / "seeds"


def yaml_blocks(text: str) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_settings_of_the_seeds_are_read_as_they_are() -> None:
    keys = {field.encode_name for field in msgspec.structs.fields(Settings)}
    read = 0
    for page in sorted(SEEDS.glob("*.md")):
        for block in yaml_blocks(page.read_text()):
            data = yaml.safe_load(block)
            if isinstance(data, dict) and set(data) <= keys:
                settings = parse_settings(data, page.name, {})
                assert settings.other_store is None
                assert not settings.without_effect
                read += 1
    assert read == 2


@pytest.mark.parametrize(
    ("data", "named"),
    [
        # what the NixOS module and the Flox environment of the seeds generate
        (
            {
                "run_coordinator": {
                    "module": "dagster.core.run_coordinator", "class": "QueuedRunCoordinator",
                    "config": {"max_concurrent_runs": {"env": "MOST"}},
                },
                "run_launcher": {"module": "dagster.core.launcher", "class": "DefaultRunLauncher"},
                "run_retries": {"enabled": True, "max_retries": 2},
                "run_monitoring": {"enabled": True, "poll_interval_seconds": 60},
                "retention": {"schedule": {"purge_after_days": 14}},
            },
            ["run_monitoring.poll_interval_seconds", "retention"],
        ),
        (
            {"run_queue": {"dequeue_interval_seconds": 1, "max_concurrent_runs": 5}},
            ["run_queue.dequeue_interval_seconds"],
        ),
        ({"schedules": {"use_threads": True}, "telemetry": {"enabled": False}}, ["schedules"]),
    ],
)  # fmt: skip
def test_what_has_no_effect_yet_is_named(data: dict[str, Any], named: list[str]) -> None:
    settings = parse_settings(data, "dagster.yaml", {"MOST": "5"})
    assert settings.without_effect == named
    assert settings.run_queue is None or settings.run_queue.max_concurrent_runs == 5


def test_the_documentation_knows_what_has_no_effect() -> None:
    _, _, text = (SEEDS.parents[1] / "docs" / "instance.md").read_text().partition("### That have no effect yet")
    described = re.findall(r"^\| `([a-z_.]+)` \|", text.partition("These two are about")[0], re.MULTILINE)
    covered = {name for name in described if any(name == one or name.startswith(f"{one}.") for one in WITHOUT_EFFECT)}
    assert covered == set(described)
    assert all(any(name.startswith(one) for name in described) for one in WITHOUT_EFFECT if one != "scheduler")


def test_monitoring_that_is_off_ends_no_run_for_its_time() -> None:
    on, off = (
        parse_settings({"run_monitoring": {"enabled": enabled, "max_runtime_seconds": 5}}, "f", {}).monitoring
        for enabled in (True, False)
    )
    assert (on.max_runtime_seconds, off.max_runtime_seconds, off.cancel_timeout_seconds) == (5, 0, 0)
    assert off.start_timeout_seconds > 10**6
