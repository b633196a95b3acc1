"""What code written for Dagster relies on, found by running the same programs with both."""

from typing import Any, Optional

import pydantic
import pytest

import dagster as dg


class Refusing(dg.IOManager):
    def handle_output(self, context: Any, obj: Any) -> None:
        raise AssertionError("nothing is stored here")

    def load_input(self, context: Any) -> Any:
        raise AssertionError("nothing is loaded from here")


@dg.asset(io_manager_key="warehouse")
def stored() -> int:
    return 1


def test_materialize_to_memory_keeps_what_other_io_managers_would_store():
    @dg.op(out=dg.Out(io_manager_key="lake"))
    def first():
        return 1

    @dg.op
    def more(x):
        return x + 1

    @dg.graph_asset
    def graph_made():
        return more(first())

    result = dg.materialize_to_memory([stored, graph_made])
    assert (result.asset_value("stored"), result.asset_value("graph_made")) == (1, 2)
    with pytest.raises(dg.DagsterInvariantViolationError, match="warehouse"):
        dg.materialize_to_memory([stored], resources={"warehouse": Refusing()})


@pytest.mark.parametrize("config", [{}, {"retries": {"disabled": {}}}, {"in_process": {}}, {"marker_to_close": "x"}])
def test_a_run_in_process_takes_the_config_of_its_executor(config: dict[str, Any]):
    tried = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def failing():
        tried.append(1)
        raise ValueError

    dg.materialize([failing], run_config={"execution": {"config": config}}, raise_on_error=False)
    assert len(tried) == (1 if "retries" in config else 2)
    with pytest.raises(dg.DagsterInvalidConfigError, match="retrys"):
        dg.materialize([failing], run_config={"execution": {"config": {"retrys": {}}}})


def test_tags_of_runs_are_text():
    @dg.asset
    def tagged(): ...

    tags: Any = {"n": 1, "d": {"a": [1]}}
    assert dg.materialize([tagged], tags=tags).run.tags == {"n": "1", "d": '{"a": [1]}'}


def test_errors_of_values_that_are_not_there(tmp_path):
    @dg.asset
    def failing():
        raise ValueError

    result = dg.materialize([failing], raise_on_error=False)
    for node, output in [("failing", "result"), ("failing", "other"), ("nothing", "result")]:
        with pytest.raises(dg.DagsterInvariantViolationError):
            result.output_for_node(node, output)
    with pytest.raises(dg.DagsterInvariantViolationError):
        result.asset_value("failing")

    @dg.asset
    def reader(failing): ...

    files = dg.FilesystemIOManager(base_dir=str(tmp_path))
    with pytest.raises(FileNotFoundError, match="failing"):
        dg.materialize([failing, reader], selection="reader", resources={"io_manager": files})


class Validated(dg.Config):
    name: str = "ab"
    over: int = pydantic.Field(default=5, gt=10)
    maybe: Optional[str] = "set"  # noqa: UP045  as users write it

    @pydantic.field_validator("name")
    @classmethod
    def upper(cls, name: str) -> str:
        return name.upper()


@dg.asset
def configured(context: dg.AssetExecutionContext, config: Validated):
    return context.op_execution_context.op_config, config.model_dump()


def run(config: dict[str, Any]) -> Any:
    result = dg.materialize([configured], run_config={"ops": {"configured": {"config": config}}})
    return result.output_for_node("configured")


def test_defaults_of_config_are_not_validated_and_what_is_given_is():
    assert run({}) == (
        {"name": "ab", "over": 5, "maybe": "set"},
        {"name": "ab", "over": 5, "maybe": "set"},
    )
    assert run({"name": "x", "over": 11})[1] == {"name": "X", "over": 11, "maybe": "set"}
    with pytest.raises(pydantic.ValidationError, match="greater than 10"):
        run({"over": 7})


def test_none_that_is_given_is_not_the_default():
    given = dg.RunConfig(ops={"configured": Validated(over=12, maybe=None)})
    assert given.to_config_dict()["ops"]["configured"]["config"]["maybe"] is None
    assert dg.materialize([configured], run_config=given).output_for_node("configured")[1]["maybe"] is None


def test_what_an_asset_that_may_be_left_out_returns_counts():
    @dg.asset(output_required=False)
    def returns():
        return None

    @dg.asset(output_required=False)
    def yields():
        yield from ()

    made = dg.materialize([returns, yields]).get_asset_materialization_events()
    assert [event.asset_key for event in made] == [dg.AssetKey("returns")]


def test_a_returned_generator_yields_results():
    def results():
        yield dg.Output(1, "x")
        yield dg.Output(2, "y")

    @dg.multi_asset(outs={"x": dg.AssetOut(), "y": dg.AssetOut()})
    def both():
        return results()

    assert dg.materialize_to_memory([both]).output_for_node("both", "y") == 2


def test_what_is_said_of_several_assets():
    @dg.multi_asset(specs=[dg.AssetSpec("x"), dg.AssetSpec("y", description="own")])
    def both():
        """All of them."""

    assert {key.to_user_string(): text for key, text in both.descriptions_by_key.items()} == {
        "x": "All of them.", "y": "own"
    }  # fmt: skip
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="deps"):
        dg.multi_asset(specs=[dg.AssetSpec("x")], deps=["up"], name="m")(lambda: None)
    days, names = dg.DailyPartitionsDefinition("2026-01-01"), dg.StaticPartitionsDefinition(["a"])
    specs = [dg.AssetSpec("x", partitions_def=days), dg.AssetSpec("y", partitions_def=names)]
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="can_subset"):
        dg.multi_asset(specs=specs, name="m")(lambda: None)


def test_definitions_that_contradict_each_other():
    defs = [dg.Definitions(resources={"x": 1}), dg.Definitions(resources={"x": 2})]
    with pytest.raises(dg.DagsterInvariantViolationError, match="'x'"):
        dg.Definitions.merge(*defs)
    assert repr(dg.AssetCheckKey(dg.AssetKey("a"), "c")) == "AssetCheckKey(asset_key=AssetKey(['a']), name='c')"


def test_definitions_are_asked_for_what_they_hold():
    @dg.op
    def one():
        return 1

    job = dg.GraphDefinition("counted", node_defs=[one]).to_job()
    defs: Any = dg.Definitions(
        assets=[stored, dg.AssetSpec("outside")],
        jobs=[job, dg.define_asset_job("all_assets")],
        schedules=[dg.ScheduleDefinition(name="daily", cron_schedule="@daily", job=job)],
        resources={"warehouse": dg.mem_io_manager},
    )
    assert defs.resolve_job_def("all_assets").execute_in_process().success
    assert defs.resolve_implicit_global_asset_job_def().name == defs.get_implicit_global_asset_job_def().name
    assert defs.resolve_schedule_def("daily").cron_schedule == "@daily"
    assert defs.resolve_assets_def("stored").key == dg.AssetKey("stored")
    names = {"__ASSET_JOB", "counted", "all_assets"}
    assert {job.name for job in defs.resolve_all_job_defs()} == set(defs.get_repository_def().job_names) == names
    graph = defs.resolve_asset_graph()
    assert graph.get_all_asset_keys() == {dg.AssetKey("stored"), dg.AssetKey("outside")}
    assert graph.materializable_asset_keys == {dg.AssetKey("stored")}
    with pytest.raises(dg.DagsterInvariantViolationError, match="no_sensor"):
        defs.resolve_sensor_def("no_sensor")


def test_assets_are_asked_for_what_they_say():
    outside: Any = dg.SourceAsset("outside")
    made: Any = dg.asset(name="made", owners=["team:a"], automation_condition=dg.AutomationCondition.eager())(lambda: 1)
    key = dg.AssetKey("made")
    assert (made.is_external, made.is_materializable, outside.is_external) == (False, True, True)
    assert list(made.owners_by_key[key]) == ["team:a"]
    assert made.automation_conditions_by_key == {key: made.specs_by_key[key].automation_condition}
    assert made.map_asset_specs(lambda spec: spec.replace_attributes(tags={"a": "b"})).tags_by_key == {key: {"a": "b"}}
    assert made.get_asset_spec().group_name == "default"
    assert [spec.group_name for spec in dg.Definitions(assets=[made]).resolve_all_asset_specs()] == ["default"]


def test_values_and_resources_by_the_context():
    @dg.asset(deps=[stored], resource_defs={"number": dg.ResourceDefinition.hardcoded_resource(4)})
    def reader(context):
        return context.load_asset_value(dg.AssetKey("stored")) + context.resources.number

    assert dg.materialize([stored, reader], resources={"warehouse": dg.fs_io_manager}).asset_value("reader") == 5


def test_the_status_of_steps_is_an_enum():
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([stored], instance=instance, resources={"warehouse": dg.mem_io_manager})
        [step] = instance.get_run_step_stats(result.run_id)
    assert step.status is not None
    assert (step.status.value, step.status == "SUCCESS") == ("SUCCESS", True)


def test_a_context_by_hand_has_an_instance():
    @dg.op
    def adds(context):
        assert context.op_execution_context is context
        context.instance.add_dynamic_partitions("names", ["a"])
        return context.instance.get_dynamic_partitions("names")

    assert adds(dg.build_op_context()) == ["a"]


def test_no_partitions_have_no_ends():
    days = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-05")
    before = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True)
    refused = []

    @dg.asset(partitions_def=days)
    def up(): ...

    @dg.asset(partitions_def=days, ins={"up": dg.AssetIn(partition_mapping=before)})
    def down(context: dg.AssetExecutionContext, up):
        for ask in (context.asset_partition_key_range_for_input, context.asset_partitions_time_window_for_input):
            with pytest.raises(dg.DagsterInvariantViolationError, match="none here"):
                ask("up")
            refused.append(ask)

    assert dg.materialize([up, down], selection="down", partition_key="2026-01-01").success
    assert len(refused) == 2


def test_records_of_events_say_their_kind():
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize_to_memory([stored], instance=instance)
        [record] = instance.fetch_materializations(dg.AssetKey("stored"), limit=1).records
    assert record.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION  # pyright: ignore[reportAttributeAccessIssue]


def test_what_is_no_event_of_an_asset_and_no_definitions_break_an_invariant():
    @dg.definitions
    def number() -> Any:
        return 5

    with pytest.raises(dg.DagsterInvariantViolationError, match="what happens to an asset"):
        dg.DagsterInstance.ephemeral().report_runless_asset_event("x")  # pyright: ignore[reportArgumentType]
    with pytest.raises(dg.DagsterInvariantViolationError, match="Return a Definitions"):
        number()


def test_a_schedule_of_a_job_over_assets_goes_with_an_equal_job():
    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a"]))
    def one(): ...

    def defs(**options: Any) -> dg.Definitions:
        schedule = dg.build_schedule_from_partitioned_job(dg.define_asset_job("work", [one]), cron_schedule="@daily")
        return dg.Definitions([one], [schedule], jobs=[dg.define_asset_job("work", [one], **options)])

    assert defs().get_schedule_def("work_schedule").job_name == "work"
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="<schedule 'work_schedule'> starts a job"):
        defs(tags={"team": "x"}).get_job_def("work")


@pytest.mark.parametrize("given", [{"executor": 5}, {"loggers": {"a": 5}}])
def test_what_is_no_executor_and_no_logger_is_refused(given):
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="not 5"):
        dg.Definitions(**given)


def test_a_resource_that_stores_nothing_is_no_io_manager():
    @dg.asset
    def one() -> int:
        return 1

    @dg.resource
    def made_later() -> object:
        return 5

    class Plain(dg.ConfigurableResource): ...

    with pytest.raises(dg.DagsterInvalidDefinitionError, match="'one' returns, and 5 is no IO manager"):
        dg.materialize([one], resources={"io_manager": 5}, raise_on_error=False)
    for late in (made_later, Plain()):
        with pytest.raises(dg.DagsterInvalidDefinitionError, match="is no IO manager"):
            dg.materialize([one], resources={"io_manager": late})
