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


@pytest.mark.api("ExecutorDefinition.requirements", "executor.requirements",
                 "DagsterUnmetExecutorRequirementsError")  # fmt: skip
@pytest.mark.api("ExecutorRequirement", "multiple_process_executor_requirements")
def test_what_an_executor_needs(tmp_path):
    needs = dg.ExecutorRequirement
    assert set(dg.multiple_process_executor_requirements()) == set(needs)

    @dg.executor(name="lanes", config_schema={"wide": bool}, requirements=lambda config: [ALL[config["wide"]]])
    def lanes(init):
        return dg.multiprocess_executor

    def tried(definition, instance, config=None, **resources):
        job = dg.GraphDefinition("g", node_defs=[talk]).to_job(executor_def=definition, resource_defs=resources)
        return dg.execute_job(job, instance, run_config=config).success

    ALL = {True: needs.PERSISTENT_OUTPUTS, False: needs.NON_EPHEMERAL_INSTANCE}
    wide, narrow = ({"execution": {"config": {"wide": wide}}} for wide in (True, False))
    memory = {"io_manager": dg.mem_io_manager}
    with dg.DagsterInstance.ephemeral() as instance:
        for config, resources in ((narrow, {}), (wide, memory)):
            with pytest.raises(dg.DagsterUnmetExecutorRequirementsError, match="lanes"):
                tried(lanes, instance, config, **resources)
        assert tried(lanes, instance, wide)
        by_hand = dg.ExecutorDefinition("by_hand", requirements=[needs.RECONSTRUCTABLE_PIPELINE])
        with pytest.raises(dg.DagsterUnmetExecutorRequirementsError, match="by_hand"):
            tried(by_hand, instance)
        with pytest.raises(dg.DagsterUnmetExecutorRequirementsError):
            tried(dg.multiprocess_executor, instance)
        assert tried(dg.in_process_executor, instance, **memory)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert tried(lanes, instance, narrow)


@pytest.mark.api("RunConfig.loggers")
def test_loggers_of_a_run_config(capfd):
    config = dg.RunConfig(loggers={"console": {"config": {"log_level": "ERROR", "name": "loud"}}})
    assert config.loggers["console"]["config"]["name"] == "loud"
    job = dg.GraphDefinition("g", node_defs=[talk]).to_job()
    assert job.execute_in_process(run_config=config).dagster_run.run_config["loggers"] == config.loggers
    with pytest.raises(dg.DagsterInvalidConfigError):
        job.execute_in_process(run_config=dg.RunConfig(loggers={"nowhere": {}}))


@pytest.mark.api(
    "JsonLogFormatter.fmt", "JsonLogFormatter.datefmt", "JsonLogFormatter.style", "JsonLogFormatter.validate",
    "JsonLogFormatter.defaults", "default_system_loggers.instance",
)  # fmt: skip
def test_formats_and_default_loggers():
    record = logging.LogRecord("n", 20, "/x/p.py", 3, "hello %s", ("you",), None)
    odd = dg.JsonLogFormatter(fmt="no format", style="{", validate=False, defaults={"more": 1})
    with pytest.raises(ValueError, match="format"):
        dg.JsonLogFormatter(fmt="no format", style="{", validate=True)
    for formatter in (dg.JsonLogFormatter(), dg.JsonLogFormatter(fmt="%(levelname)s", datefmt="%Y"), odd):
        line = json.loads(formatter.format(record))
        assert (line["levelname"], line["lineno"], line["filename"]) == ("INFO", 3, "p.py")
    [(definition, config)] = dg.default_system_loggers(instance=None)
    assert isinstance(definition, dg.LoggerDefinition)
    assert config == {"name": "dagster", "log_level": "DEBUG"}
    with dg.instance_for_test(overrides={"python_logs": {"python_log_level": "WARNING"}}) as instance:
        [(_, config)] = dg.default_system_loggers(instance)
        assert config["log_level"] == "WARNING"


@pytest.mark.api("InitExecutorContext.job", "InitExecutorContext.executor_def", "InitExecutorContext.executor_config",
                 "InitExecutorContext.instance", "Executor.execute", "Executor.retries")  # fmt: skip
def test_an_executor_written_as_a_class():
    class Mine(dg.Executor):
        def __init__(self, lanes):
            self.lanes = lanes

        @property
        def retries(self):
            return "disabled"

        def execute(self, plan_context, execution_plan):
            yield from ()

    @dg.executor(config_schema={"lanes": int})
    def mine(init):
        return Mine(init.executor_config["lanes"])

    with dg.DagsterInstance.ephemeral() as instance:
        init = dg.InitExecutorContext(job="job", executor_def=mine, executor_config={"lanes": 3}, instance=instance)
        assert (init.job, init.executor_def, init.instance) == ("job", mine, instance)
        made = mine.executor_creation_fn(init)
    assert (made.lanes, made.retries, list(made.execute(None, None))) == (3, "disabled", [])
    with pytest.raises(TypeError):
        dg.Executor()


@pytest.mark.api("QueuedRunCoordinator.max_concurrent_runs", "QueuedRunCoordinator.dequeue_interval_seconds",
                 "QueuedRunCoordinator.dequeue_use_threads", "QueuedRunCoordinator.dequeue_num_workers",
                 "QueuedRunCoordinator.inst_data", "DefaultRunLauncher.inst_data",
                 "QueuedRunCoordinator.block_op_concurrency_limited_runs")  # fmt: skip
def test_settings_of_the_queue_and_the_launcher():
    queue = dg.QueuedRunCoordinator(
        max_concurrent_runs=3, tag_concurrency_limits=[{"key": "a", "limit": 1}], dequeue_interval_seconds=4,
        dequeue_use_threads=True, dequeue_num_workers=2, max_user_code_failure_retries=2,
        user_code_failure_retry_delay=9, block_op_concurrency_limited_runs={"enabled": False}, inst_data=None,
    )  # fmt: skip
    assert (queue.dequeue_interval_seconds, queue.dequeue_use_threads, queue.dequeue_num_workers) == (4, True, 2)
    assert (queue.should_block_op_concurrency_limited_runs, queue.inst_data) == (False, None)
    assert dg.QueuedRunCoordinator().should_block_op_concurrency_limited_runs
    with pytest.raises(Exception, match="max_concurrent_runs"):
        dg.QueuedRunCoordinator(max_concurrent_runs=-4)
    assert dg.DefaultRunLauncher(inst_data=None).inst_data is None


@pytest.mark.api(
    "StepRunRef.run_id", "StepRunRef.step_key", "StepRunRef.run_config", "StepRunRef.retry_mode",
    "StepRunRef.dagster_run", "StepRunRef.recon_job", "StepRunRef.known_state",
)  # fmt: skip
def test_steps_that_ran_elsewhere():
    run = dg.DagsterRun(job_name="j", run_id="r")
    job = dg.build_reconstructable_job("a_module", "a_function")
    ref = dg.StepRunRef({"ops": {}}, run, "r", "enabled", "s", job, "state")
    assert (ref.run_id, ref.step_key, ref.run_config, ref.retry_mode) == ("r", "s", {"ops": {}}, "enabled")
    assert (ref.dagster_run, ref.recon_job, ref.known_state) == (run, job, "state")


LIBRARY = logging.getLogger("a_library")


@dg.op
def chatty(context):
    for logger in (context.log, LIBRARY, dg.get_dagster_logger(), logging.getLogger("a_library.part")):
        logger.info("info")
        logger.warning("warning")


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        ({}, ["info", "warning"] * 2),
        ({"python_log_level": "WARNING"}, ["warning"] * 2),
        ({"python_log_level": "CRITICAL"}, []),
        ({"managed_python_loggers": ["a_library"]}, ["info", "warning", "warning", "info", "warning", "warning"]),
        ({"managed_python_loggers": ["a_library"], "python_log_level": "INFO"}, ["info", "warning"] * 4),
        ({"managed_python_loggers": ["root"], "python_log_level": "WARNING"}, ["warning"] * 4),
    ],
)
def test_lines_are_kept_as_the_settings_say(logs, expected):
    root = logging.getLogger()
    before = root.level, LIBRARY.level, list(root.handlers)
    job = dg.GraphDefinition("g", node_defs=[chatty]).to_job()
    with dg.instance_for_test(overrides={"python_logs": logs}) as instance:
        run_id = job.execute_in_process(instance=instance).run_id
        lines = [entry for entry in instance.all_logs(run_id) if not entry.is_dagster_event]
    root.setLevel(before[0])
    LIBRARY.setLevel(before[1])
    assert [line.user_message for line in lines] == expected
    assert {line.step_key for line in lines} <= {"chatty"}
    assert [handler for handler in root.handlers if handler not in before[2]] == []


def test_more_handlers_by_the_settings(tmp_path):
    told = tmp_path / "told.log"
    handler = {"class": "logging.FileHandler", "filename": str(told), "level": "INFO", "formatter": "short"}
    config = {"handlers": {"file": handler}, "formatters": {"short": {"format": "told: %(message)s"}}}
    job = dg.GraphDefinition("g", node_defs=[chatty]).to_job()
    with dg.instance_for_test(overrides={"python_logs": {"dagster_handler_config": config}}) as instance:
        assert job.execute_in_process(instance=instance).success
    lines = told.read_text().splitlines()
    assert all(line.startswith("told: ") for line in lines)
    assert sum("warning" in line for line in lines) == 2


def test_a_logger_that_raises_fails_no_run_and_gets_no_more_lines():
    calls = []

    class Raises(logging.Handler):
        def emit(self, record):
            calls.append(record)
            raise OSError("disk full")

    @dg.logger
    def bad():
        made = logging.Logger("bad")
        made.addHandler(Raises())
        return made

    @dg.job(logger_defs={"bad": bad}, config={"loggers": {"bad": {}}})
    def talking():
        talk()

    instance = dg.DagsterInstance.ephemeral()
    result = talking.execute_in_process(instance=instance)
    assert result.success
    assert len(calls) == 1
    said = [entry.event.message for entry in instance.all_logs(result.run_id)]
    assert [text for text in said if "disk full" in text] == [
        "The logger 'bad' of this run gets no more lines: it raised OSError: disk full"
    ]


def test_a_logger_function_that_raises_is_named():
    @dg.logger
    def bad():
        raise ValueError("no server")

    @dg.job(logger_defs={"bad": bad}, config={"loggers": {"bad": {}}})
    def talking():
        talk()

    with pytest.raises(dg.DagsterUserCodeExecutionError, match="logger 'bad' of job 'talking' raised ValueError"):
        talking.execute_in_process()
