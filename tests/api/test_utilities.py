"""Small things around definitions: files, loggers, instances for tests."""

import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest

import dagster as dg


@pytest.mark.api("file_relative_path.dunderfile", "file_relative_path.relative_path")
def test_paths_beside_a_module() -> None:
    found = dg.file_relative_path(dunderfile="/code/defs.py", relative_path="queries/a.sql")
    assert found == os.path.join("/code", "queries", "a.sql")


@pytest.mark.api("config_from_files.config_files")
def test_config_from_files(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("ops: {a: {config: {n: 1, m: 1}}}")
    (tmp_path / "two.yaml").write_text("ops: {a: {config: {n: 2}}}\nresources: {}")
    both = [str(tmp_path / "one.yaml"), str(tmp_path / "two.yaml")]
    config = dg.config_from_files(config_files=both)
    assert config == {"ops": {"a": {"config": {"n": 2, "m": 1}}}, "resources": {}}
    assert dg.config_from_files([str(tmp_path / "*.yaml")])["ops"]["a"]["config"].keys() == {"n", "m"}
    with pytest.raises(dg.DagsterInvariantViolationError, match="nothing_here"):
        dg.config_from_files([str(tmp_path / "nothing_here*.yaml")])


@pytest.mark.api("config_from_yaml_strings.yaml_strings")
def test_config_from_texts() -> None:
    assert dg.config_from_yaml_strings(yaml_strings=["a: {b: 1}", "a: {c: 2}"]) == {"a": {"b": 1, "c": 2}}
    assert dg.config_from_yaml_strings([]) == {}
    with pytest.raises(dg.DagsterInvariantViolationError):
        dg.config_from_yaml_strings(["a: ["])
    with pytest.raises(Exception, match=r"(?i)mapping|dictionary"):
        dg.config_from_yaml_strings(["- 1"])


@pytest.mark.api("config_from_pkg_resources.pkg_resource_defs")
def test_config_from_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "configs_of_ours"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "run.yaml").write_text("a: 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert dg.config_from_pkg_resources(pkg_resource_defs=[("configs_of_ours", "run.yaml")]) == {"a": 1}
    with pytest.raises(dg.DagsterInvariantViolationError):
        dg.config_from_pkg_resources([("configs_of_ours", "nothing_here.yaml")])


@pytest.mark.api("get_dagster_logger.name", "DagsterLogManager")
def test_loggers_without_a_context(run: Any, instance: Any) -> None:
    @dg.asset
    def talks(context: dg.AssetExecutionContext):
        dg.get_dagster_logger(name="library").warning("careful %d", 3)
        return isinstance(context.log, dg.DagsterLogManager)

    result = run([talks], instance=instance)
    lines = [entry for entry in instance.all_logs(result.run_id) if entry.user_message == "careful 3"]
    assert [(line.level, line.step_key) for line in lines] == [(30, "talks")]
    assert result.asset_value("talks") is True
    assert isinstance(dg.get_dagster_logger(), logging.Logger)
    assert dg.get_dagster_logger("library").name.endswith("library")


@pytest.mark.api(
    "instance_for_test.set_dagster_home", "instance_for_test.temp_dir", "instance_for_test.overrides",
    "DagsterInstance.get",
)  # fmt: skip
def test_instances_for_tests(tmp_path: Path) -> None:
    before = os.environ.get("DAGSTER_HOME")
    with dg.instance_for_test() as instance:
        assert os.environ["DAGSTER_HOME"] == instance.root_directory
        with dg.DagsterInstance.get() as same:
            assert same.root_directory == instance.root_directory
    assert os.environ.get("DAGSTER_HOME") == before
    assert not os.path.exists(instance.root_directory)
    with dg.instance_for_test(
        set_dagster_home=False, temp_dir=str(tmp_path), overrides={"telemetry": {"enabled": False}}
    ) as instance:
        assert instance.root_directory == str(tmp_path)
        assert os.environ.get("DAGSTER_HOME") == before
        assert instance.get_settings("telemetry") == {"enabled": False}
    assert tmp_path.exists()


def test_constants() -> None:
    assert dg.MAX_RUNTIME_SECONDS_TAG == "dagster/max_runtime"
    assert isinstance(dg.AssetKey("a"), dg.AssetOrCheckKey)
    assert isinstance(dg.AssetCheckKey(dg.AssetKey("a"), "c"), dg.AssetOrCheckKey)


@pytest.mark.api("serialize_value.val", "deserialize_value.val", "deserialize_value.as_type")
def test_values_as_text() -> None:
    for value in (
        None, 1.5, "x", [1, {"a": None}], {1, 2}, frozenset({"a"}), dg.AssetKey(["a", "b"]),
        dg.DagsterRunStatus.SUCCESS,
        dg.AssetMaterialization("a", metadata={"n": 1}), dg.PartitionKeyRange("a", "b"), dg.MetadataValue.int(3),
        [dg.AssetKey("a"), {"k": dg.AssetKey("b")}], dg.DagsterRun(job_name="j", run_id="r"),
    ):  # fmt: skip
        text = dg.serialize_value(val=value)
        assert isinstance(text, str)
        assert dg.deserialize_value(val=text) == value
    assert dg.serialize_value((1, {2: 3})) == '[1, {"2": 3}]'
    key = dg.serialize_value(dg.AssetKey("a"))
    assert dg.deserialize_value(key, as_type=dg.AssetKey) == dg.AssetKey("a")
    with pytest.raises(Exception, match="AssetMaterialization"):
        dg.deserialize_value(key, as_type=dg.AssetMaterialization)
    for wrong in (object(), [object()]):
        with pytest.raises(Exception, match="object"):
            dg.serialize_value(wrong)
    with pytest.raises(Exception, match="Nope"):
        dg.deserialize_value('{"__class__": "Nope", "value": 1}')


@pytest.mark.api("raise_execution_interrupts")
def test_signals_are_errors() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(dg.DagsterExecutionInterruptedError), dg.raise_execution_interrupts():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.api("SubmitRunContext.dagster_run", "SubmitRunContext.workspace")
def test_small_classes_of_older_code() -> None:
    dg.DagsterLibraryRegistry.register("a_library", "1.0")
    assert dg.DagsterLibraryRegistry.get()["a_library"] == "1.0"
    run = dg.DagsterRun(job_name="j")
    context = dg.SubmitRunContext(dagster_run=run, workspace=None)
    assert (context.dagster_run, context.workspace) == (run, None)
    failed = dg.DagsterSubprocessError("no", subprocess_error_infos=["info"])
    assert failed.subprocess_error_infos == ["info"]
    assert isinstance(failed, dg.DagsterError)
    assert dg.DagsterEventLogInvalidForRun("r").run_id == "r"
