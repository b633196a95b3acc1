"""Loggers and executors as definitions: declared by jobs, chosen and configured by run config."""

import json
import logging

import pytest

import dagster as dg


class Kept(logging.Handler):
    def __init__(self, lines):
        super().__init__()
        self.lines = lines

    def emit(self, record):
        self.lines.append((record.levelname, record.getMessage()))


@dg.op
def talk(context):
    context.log.warning("mind the gap")
    context.log.debug("a detail")


@pytest.mark.api("logger.config_schema", "logger.description", "job.logger_defs", "InitLoggerContext.logger_config",
                 "InitLoggerContext.run_id", "InitLoggerContext.logger_def",
                 "LoggerDefinition.description")  # fmt: skip
def test_a_logger_named_in_run_config_gets_lines_and_events():
    lines, seen = [], []

    @dg.logger(config_schema={"level": str}, description="keeps lines")
    def keeper(context: dg.InitLoggerContext):
        seen.append((context.logger_config, context.run_id, context.logger_def is keeper))
        made = logging.Logger("keeper", context.logger_config["level"])
        made.addHandler(Kept(lines))
        return made

    @dg.job(logger_defs={"keeper": keeper})
    def talking():
        talk()

    assert keeper.description == "keeps lines"
    talking.execute_in_process()
    assert lines == []
    result = talking.execute_in_process(run_config={"loggers": {"keeper": {"config": {"level": "WARNING"}}}})
    assert seen == [({"level": "WARNING"}, result.run_id, True)]
    assert [level for level, _ in lines] == ["WARNING"]
    assert "mind the gap" in lines[0][1]
    lines.clear()
    talking.execute_in_process(run_config={"loggers": {"keeper": {"config": {"level": "DEBUG"}}}})
    texts = [text for _, text in lines]
    assert any("a detail" in text and "talk" in text for text in texts)
    assert any("STEP_SUCCESS" in text for text in texts)
    with pytest.raises(dg.DagsterInvalidConfigError):
        talking.execute_in_process(run_config={"loggers": {"keeper": {"config": {"level": 1}}}})
    with pytest.raises(dg.DagsterInvalidConfigError):
        talking.execute_in_process(run_config={"loggers": {"other": {}}})


@pytest.mark.api("Definitions.loggers")
def test_loggers_of_definitions_are_those_of_asset_jobs():
    lines = []

    @dg.logger
    def keeper(context):
        made = logging.Logger("keeper", "INFO")
        made.addHandler(Kept(lines))
        return made

    @dg.asset
    def speaking(context):
        context.log.info("said")

    defs = dg.Definitions([speaking], jobs=[dg.define_asset_job("speak")], loggers={"keeper": keeper})
    defs.get_job_def("speak").execute_in_process(run_config={"loggers": {"keeper": {}}})
    assert any("said" in text for _, text in lines)


@pytest.mark.api("build_init_logger_context.logger_config", "LoggerDefinition.logger_fn",
                 "LoggerDefinition.config_schema", "build_init_logger_context.job_def")  # fmt: skip
def test_calling_a_logger_definition_directly():
    def make(context):
        return logging.Logger(f"{context.logger_config['name']}-{context.job_def.name}")

    @dg.job
    def some_job():
        talk()

    made = dg.LoggerDefinition(logger_fn=make, config_schema={"name": str})
    assert made.logger_fn is make
    assert made.config_schema == {"name": str} or made.config_schema is not None
    assert made(dg.build_init_logger_context({"name": "n"}, job_def=some_job)).name == "n-some_job"
    with pytest.raises(dg.DagsterInvalidConfigError):
        made(dg.build_init_logger_context({"other": "n"}))


def test_console_loggers_write_to_stderr(capfd):
    @dg.job
    def plain():
        talk()

    plain.execute_in_process(run_config={"loggers": {"console": {"config": {"log_level": "WARNING", "name": "me"}}}})
    [line] = [line for line in capfd.readouterr().err.splitlines() if "mind the gap" in line]
    assert " - me - " in line
    assert "WARNING" in line

    @dg.job(logger_defs={"json": dg.json_console_logger})
    def as_json():
        talk()

    as_json.execute_in_process(run_config={"loggers": {"json": {"config": {"log_level": "warning"}}}})
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    assert [line["levelname"] for line in lines] == ["WARNING"]


def test_default_loggers():
    assert "console" in dg.default_loggers()
    assert dg.default_loggers()["console"] is dg.colored_console_logger


# --- executors -------------------------------------------------------------------------------------------------------

NO_RETRIES = {"retries": {"disabled": {}}}


def attempts(job, run_config=None):
    result = job.execute_in_process(run_config=run_config, raise_on_error=False)
    return 1 + result.retry_attempts_for_node("flaky")


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2))
def flaky():
    raise ValueError


@pytest.mark.api("job.executor_def", "ExecutorDefinition.configured", "JobDefinition.executor_def",
                 "JobDefinition.has_specified_executor")  # fmt: skip
def test_retries_as_the_executor_says():
    @dg.job(executor_def=dg.in_process_executor)
    def plain():
        flaky()

    @dg.job(executor_def=dg.multiprocess_executor.configured(NO_RETRIES, name="no_second_chance"))
    def once():
        flaky()

    @dg.job(executor_def=dg.multi_or_in_process_executor)
    def either():
        flaky()

    assert plain.executor_def is dg.in_process_executor
    assert plain.has_specified_executor
    assert once.executor_def.name == "no_second_chance"
    assert (attempts(plain), attempts(once), attempts(either)) == (3, 1, 3)
    assert attempts(plain, {"execution": {"config": NO_RETRIES}}) == 1
    assert attempts(either, {"execution": {"config": {"in_process": NO_RETRIES}}}) == 1
    with pytest.raises(dg.DagsterInvalidConfigError):
        plain.execute_in_process(run_config={"execution": {"config": {"max_concurrent": 2}}})


@pytest.mark.api("executor.name", "executor.config_schema", "executor.requirements", "ExecutorDefinition.name",
                 "ExecutorDefinition.executor_creation_fn", "ExecutorDefinition.description",
                 "ExecutorDefinition.config_schema")  # fmt: skip
def test_executors_of_ones_own_are_declared_with_their_config():
    @dg.executor(name="mine", config_schema={"lanes": int}, requirements=[])
    def my_executor(init: dg.InitExecutorContext):
        return init.executor_config

    assert (my_executor.name, callable(my_executor.executor_creation_fn)) == ("mine", True)
    by_hand = dg.ExecutorDefinition(name="by_hand", config_schema={"lanes": int}, description="many lanes")
    assert (by_hand.name, by_hand.description) == ("by_hand", "many lanes")

    for definition in (my_executor, by_hand):
        job = dg.GraphDefinition("g", node_defs=[talk]).to_job(executor_def=definition)
        assert job.execute_in_process(run_config={"execution": {"config": {"lanes": 2}}}).success
        found = dg.validate_run_config(job, {"execution": {"config": {"lanes": 2}}})
        assert found["execution"] == {definition.name: {"lanes": 2}}
        with pytest.raises(dg.DagsterInvalidConfigError, match="lanes"):
            job.execute_in_process(run_config={"execution": {"config": {"lanes": "two"}}})
