"""What run config may say, place by place."""

from pathlib import Path
from typing import Any

import pytest

import dagster as dg


class Settings(dg.Config):
    text: str = "a"
    count: int = 3


@dg.op
def number(x: int, config: Settings, db: dg.ResourceParam[Any]):
    return x


@dg.job(resource_defs={"db": dg.ResourceDefinition(lambda context: context.resource_config, {"url": str})})
def one():
    number()


GOOD = {"ops": {"number": {"inputs": {"x": 1}}}, "resources": {"db": {"config": {"url": "here"}}}}


def with_part(path: str, value: Any) -> dict[str, Any]:
    """`GOOD`, with another value at a path."""

    def put(config: Any, parts: list[str]) -> Any:
        return {**config, parts[0]: put(config.get(parts[0], {}), parts[1:])} if parts else value

    return put(GOOD, path.split(":"))


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("solids", {}, "root"),
        ("inputs", {"x": 1}, "root"),
        ("ops:other", {}, "root:ops"),
        ("ops:number:setup", {}, "root:ops:number"),
        ("ops:number:config:other", 1, "root:ops:number:config"),
        ("ops:number:config:text", 5, "root:ops:number:config:text"),
        ("ops:number:config:count", "5", "root:ops:number:config:count"),
        ("ops:number:inputs:y", 1, "root:ops:number:inputs"),
        ("ops:number:inputs:x", {"value": "s"}, "root:ops:number:inputs:x:value"),
        ("resources:other", {}, "root:resources"),
        ("resources:db:url", "x", "root:resources:db"),
        ("execution:in_process", {}, "root:execution"),
        ("execution:config", {"in_process": {}, "multiprocess": {}}, "root:execution:config"),
        ("execution:config:multiprocess:max_concurrent", "2", "root:execution:config:multiprocess:max_concurrent"),
        ("loggers:other", {}, "root:loggers"),
        ("loggers:console:config:colour", "red", "root:loggers:console:config"),
    ],
)
def test_what_does_not_belong_is_refused_with_its_place(path: str, value: Any, where: str):
    with pytest.raises(dg.DagsterInvalidConfigError, match=where if where != "root" else path):
        dg.validate_run_config(one, with_part(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("execution:config:in_process:retries", {"disabled": {}}),
        ("execution:config:in_process:step_dependency_config", {"require_upstream_step_success": False}),
        ("execution:config:multiprocess:max_concurrent", None),
        ("execution:config:multiprocess:max_concurrent", 0),
        (
            "execution:config:multiprocess:tag_concurrency_limits",
            [{"key": "a", "limit": 1}, {"key": "a", "value": "b", "limit": 2}],
        ),
        ("execution:config:multiprocess:start_method", {"spawn": {}}),
        ("execution:config:multiprocess:start_method", {"forkserver": {"preload_modules": ["os"]}}),
        ("execution:config:multiprocess:retries", {"enabled": {}}),
        ("loggers:console:config", {"log_level": "DEBUG", "name": "mine"}),
        ("resources:io_manager:config:base_dir", "/tmp"),
        ("ops:number:config", {"text": {"env": "SET"}}),
        ("ops:number:inputs:x", {"value": 3}),
        ("ops:number:inputs:x", {"json": {"path": "a.json"}}),
    ],
)
def test_what_belongs_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str, value: Any):
    monkeypatch.setenv("SET", "t")
    monkeypatch.chdir(tmp_path)
    Path("a.json").write_text('{"value": 3}')
    assert dg.validate_run_config(one, with_part(path, value))


def test_the_default_is_a_process_a_step():
    [executor] = dg.validate_run_config(one, GOOD)["execution"].values()
    assert list(executor) == ["multiprocess"]


def test_an_executor_of_its_own_takes_its_config_at_once():
    @dg.job(executor_def=dg.in_process_executor)
    def own():
        pass

    assert dg.validate_run_config(own, {"execution": {"config": {"retries": {"disabled": {}}}}})
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(own, {"execution": {"config": {"in_process": {}}}})


def test_defaults_are_filled_in_and_sections_with_defaults_left_out():
    filled = dg.validate_run_config(one, GOOD)["ops"]["number"]
    assert filled["config"] == {"text": "a", "count": 3}
    with pytest.raises(dg.DagsterInvalidConfigError) as caught:
        dg.validate_run_config(one, {})
    assert len(caught.value.errors) in (1, 2)  # what is missing at the top is one fault, or one each


def test_null_for_a_default_passes_and_the_class_decides_in_the_step():
    config = with_part("ops:number:config", {"text": None})
    assert dg.validate_run_config(one, config)["ops"]["number"]["config"]["text"] is None
    result = one.execute_in_process(config, raise_on_error=False)
    assert [e.step_key for e in result.all_events if e.event_type_value == "STEP_FAILURE"] == ["number"]


def test_variables_are_read_when_the_run_is(monkeypatch: pytest.MonkeyPatch):
    seen = []

    @dg.op
    def look(config: Settings):
        seen.append((config.text, config.count))

    @dg.job
    def looking():
        look()

    monkeypatch.setenv("TEXT", "t")
    monkeypatch.setenv("COUNT", "12")
    config = {"ops": {"look": {"config": {"text": {"env": "TEXT"}, "count": {"env": "COUNT"}}}}}
    looking.execute_in_process(config)
    assert seen == [("t", 12)]
    for bad in (None, "many"):
        monkeypatch.delenv("COUNT") if bad is None else monkeypatch.setenv("COUNT", bad)
        with pytest.raises(dg.DagsterInvalidConfigError, match="COUNT"):
            looking.execute_in_process(config)


def test_names_of_assets_and_checks():
    @dg.asset(key_prefix="p")
    def q(config: Settings):
        return config.text

    @dg.asset
    def plain():
        return 1

    @dg.asset_check(asset=plain)
    def fine(config: Settings):
        return dg.AssetCheckResult(passed=config.count == 9)

    @dg.multi_asset(specs=[dg.AssetSpec("m1"), dg.AssetSpec("m2")])
    def both(config: Settings):
        return None

    config = {
        "ops": {
            "p__q": {"config": {"text": "z"}},
            "plain": {"config": {}},
            "plain_fine": {"config": {"count": 9}},
            "both": {"config": {"count": 1}},
        }
    }
    result = dg.materialize([q, plain, fine, both], run_config=config)
    assert result.asset_value(["p", "q"]) == "z"
    assert [one.passed for one in result.get_asset_check_evaluations()] == [True]


def test_inputs_of_the_job_are_a_section_of_their_own():
    @dg.op
    def same(x: int):
        return x

    @dg.graph
    def passing(x):
        return same(x)

    job = passing.to_job()
    assert job.execute_in_process({"inputs": {"x": 4}}).output_value() == 4
    with pytest.raises(dg.DagsterInvalidConfigError, match="inputs"):
        job.execute_in_process({"inputs": {"x": "four"}})
