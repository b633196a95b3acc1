"""`configured`: definitions as others, with their config given now or computed."""

import logging
from typing import Any

import pytest

import dagster as dg


@dg.op(config_schema={"n": int, "m": dg.Field(int, default_value=5)})
def number(context):
    return context.op_config


class Doubled(dg.Config):
    k: int


def ran(node: Any, config: Any = None, **options: Any) -> Any:
    """What the one node of a job gives."""

    @dg.job(**options)
    def job():
        node()

    run_config = {} if config is None else {"ops": {node.name: {"config": config}}}
    return job.execute_in_process(run_config).output_for_node(node.name)


@pytest.mark.api("configured.configurable", "configured.config_schema")
def test_an_op_with_its_config_given():
    ready = dg.configured(configurable=number, name="ready")({"n": 3})
    assert (ready.name, ran(ready)) == ("ready", {"n": 3, "m": 5})
    assert ran(number.configured({"n": 4}, name="other")) == {"n": 4, "m": 5}
    assert ran(number, {"n": 1}) == {"n": 1, "m": 5}

    @dg.configured(number, config_schema={"k": int})
    def twice(config):
        return {"n": config["k"] * 2}

    assert (twice.name, ran(twice, {"k": 4})) == ("twice", {"n": 8, "m": 5})
    with pytest.raises(dg.DagsterInvalidConfigError, match="k"):
        ran(twice, {"n": 4})
    again = dg.configured(twice, config_schema=int, name="again")(lambda k: {"k": k})
    assert ran(again, 5) == {"n": 10, "m": 5}


def test_a_function_may_take_a_config_class():
    @dg.configured(number)
    def doubled(config: Doubled):
        return {"n": config.k * 2}

    assert ran(doubled, {"k": 2}) == {"n": 4, "m": 5}

    @dg.op
    def typed(config: Doubled):
        return config.k

    assert ran(typed.configured({"k": 9}, name="nine")) == 9


@pytest.mark.parametrize(
    ("given", "config", "error"),
    [
        ({"n": "x"}, None, dg.DagsterInvalidConfigError),
        (lambda c: {"n": "x"}, 1, dg.DagsterInvalidConfigError),
        (lambda c: 1 / 0, 1, dg.DagsterConfigMappingFunctionError),
    ],
)
def test_config_that_does_not_fit_is_told(given: Any, config: Any, error: type[Exception]):
    with pytest.raises(error):
        ran(number.configured(given, name="z", config_schema=None if config is None else int), config)


def test_a_graph_with_a_config_mapping():
    mapping = dg.ConfigMapping(lambda c: {"number": {"config": {"n": c["x"]}}}, config_schema={"x": int})

    @dg.graph(config=mapping)
    def mapped():
        return number()

    assert ran(mapped.configured({"x": 2}, name="two")) == {"n": 2, "m": 5}
    assert ran(dg.configured(mapped, config_schema={"y": int}, name="y")(lambda c: {"x": c["y"]}), {"y": 3})["n"] == 3

    @dg.graph
    def plain():
        return number()

    with pytest.raises(dg.DagsterInvalidDefinitionError):
        plain.configured({}, name="p")


def test_resources_io_managers_loggers_and_executors(tmp_path):
    @dg.resource(config_schema={"a": str})
    def text(context):
        return context.resource_config["a"]

    @dg.configured(text, config_schema={"b": str})
    def louder(config):
        return {"a": config["b"] + "!"}

    @dg.op(required_resource_keys={"text"}, out=dg.Out(io_manager_key="io"))
    def read(context):
        return context.resources.text

    levels = []

    @dg.logger(config_schema={"level": str})
    def heard(context):
        levels.append(context.logger_config["level"])
        return logging.getLogger("heard")

    files = dg.configured(dg.fs_io_manager)({"base_dir": str(tmp_path)})
    quiet = dg.configured(heard)({"level": "ERROR"})

    @dg.job(resource_defs={"text": louder, "io": files}, logger_defs={"quiet": quiet})
    def job():
        read()

    config = {"resources": {"text": {"config": {"b": "hey"}}}, "loggers": {"quiet": {}}}
    assert job.execute_in_process(config).output_for_node("read") == "hey!"
    assert set(levels) == {"ERROR"}
    assert list(tmp_path.rglob("result"))
    assert dg.configured(dg.in_process_executor, name="mine")({"retries": {"disabled": {}}}).name == "mine"


def test_what_cannot_be_configured():
    with pytest.raises(Exception, match="configured"):
        dg.configured(3)({})  # type: ignore
