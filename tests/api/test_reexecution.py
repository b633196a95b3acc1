from typing import Any

import pytest

import dagster as dg

IN_PROCESS: Any = {"execution": {"config": {"in_process": {}}}}
broken: set[str] = set()
calls: list[str] = []


@pytest.fixture(autouse=True)
def _fresh():
    broken.clear()
    calls.clear()


def happened(name: str, value: Any) -> Any:
    calls.append(name)
    if name in broken:
        raise ValueError(name)
    return value


@dg.op
def start():
    return happened("start", 1)


@dg.op
def middle(x):
    return happened("middle", x + 10)


@dg.op
def end(x):
    return happened("end", x + 100)


@dg.op
def aside():
    return happened("aside", 7)


@dg.job(config=IN_PROCESS)
def line():
    aside()
    end(middle(start()))


def output(result: Any, node: str) -> Any:
    with result:
        return result.output_for_node(node)


@pytest.fixture
def line_job():
    return dg.reconstructable(line)


@pytest.mark.api(
    "execute_job.job", "execute_job.instance", "execute_job.tags", "reconstructable.target",
    "JobExecutionResult.run_id", "JobExecutionResult.dagster_run", "JobExecutionResult.job_def",
    "JobExecutionResult.all_events", "JobExecutionResult.output_for_node",
)  # fmt: skip
def test_execute_job(instance):
    job = dg.reconstructable(target=line)
    result = dg.execute_job(job=job, instance=instance, tags={"who": "me"})
    assert isinstance(result, dg.JobExecutionResult)
    assert result.success
    assert result.job_def.name == "line"
    assert result.dagster_run.tags["who"] == "me"
    assert instance.get_run_by_id(result.run_id).is_success
    assert [e.step_key for e in result.all_events if e.event_type_value == "STEP_SUCCESS"][-1] == "end"
    with result:
        assert result.output_for_node("end") == 111


@pytest.mark.api("execute_job.raise_on_error")
def test_errors_are_told_or_raised(instance, line_job):
    broken.add("middle")
    assert not dg.execute_job(line_job, instance).success
    with pytest.raises(ValueError, match="middle"):
        dg.execute_job(line_job, instance, raise_on_error=True)


@pytest.mark.api("execute_job.op_selection")
def test_selected_ops(instance, line_job):
    result = dg.execute_job(line_job, instance, run_config=IN_PROCESS, op_selection=["*middle"])
    assert sorted(calls) == ["middle", "start"]
    assert list(result.dagster_run.op_selection) == ["*middle"]


@pytest.mark.api("ReexecutionOptions.from_failure", "execute_job.reexecution_options")
def test_from_failure_until_it_works(instance, line_job):
    broken.add("middle")
    first = dg.execute_job(line_job, instance)
    assert sorted(calls) == ["aside", "middle", "start"]
    calls.clear()
    second = dg.execute_job(
        line_job, instance, reexecution_options=dg.ReexecutionOptions.from_failure(first.run_id, instance)
    )
    assert (second.success, calls) == (False, ["middle"])
    broken.clear()
    calls.clear()
    third = dg.execute_job(
        line_job, instance, reexecution_options=dg.ReexecutionOptions.from_failure(second.run_id, instance)
    )
    assert (third.success, calls) == (True, ["middle", "end"])
    assert output(third, "end") == 111
    assert third.dagster_run.parent_run_id == second.run_id
    assert third.dagster_run.root_run_id == first.run_id
    assert sorted(third.dagster_run.step_keys_to_execute) == ["end", "middle"]


@pytest.mark.api("ReexecutionOptions.parent_run_id", "ReexecutionOptions.step_selection")
@pytest.mark.parametrize(
    ("step_selection", "expected"),
    [
        (["middle"], ["middle"]), (["middle+"], ["end", "middle"]), (["*middle"], ["middle", "start"]),
        (["start*"], ["end", "middle", "start"]), (["+end"], ["end", "middle"]), (["*start+"], ["middle", "start"]),
        (["aside", "end"], ["aside", "end"]), ([], ["aside", "end", "middle", "start"]),
    ],
)  # fmt: skip
def test_from_a_step(instance, line_job, step_selection, expected):
    first = dg.execute_job(line_job, instance)
    calls.clear()
    options = dg.ReexecutionOptions(parent_run_id=first.run_id, step_selection=step_selection)
    assert (options.parent_run_id, list(options.step_selection)) == (first.run_id, step_selection)
    again = dg.execute_job(line_job, instance, reexecution_options=options)
    assert again.success
    assert sorted(calls) == expected


@dg.op(out=dg.DynamicOut())
def letters():
    calls.append("letters")
    for number, letter in enumerate("abc"):
        yield dg.DynamicOutput(number, letter)


@dg.op
def inc(context, x):
    calls.append(context.get_mapping_key())
    if context.get_mapping_key() in broken:
        raise ValueError("broken")
    return x + 1


@dg.op
def twice(context, x):
    calls.append(2 * context.get_mapping_key())
    return 2 * x


@dg.op
def total(xs):
    calls.append("total")
    return sum(xs)


@dg.job(config=IN_PROCESS)
def mapped():
    total(letters().map(lambda x: twice(inc(x))).collect())


@pytest.mark.api("ReexecutionOptions.step_selection")
@pytest.mark.parametrize(
    ("step_selection", "expected"),
    [
        (["inc[a]"], ["a"]), (["inc[a]+"], ["a", "aa"]), (["inc[a]*"], ["a", "aa", "total"]),
        (["inc[?]"], ["a", "b", "c"]), (["letters"], ["letters"]), (["total"], ["total"]),
        (["inc[a]", "total"], ["a", "total"]), (["twice[c]"], ["cc"]),
    ],
)  # fmt: skip
def test_from_a_copy_of_a_step(instance, step_selection, expected):
    job = dg.reconstructable(mapped)
    first = dg.execute_job(job, instance)
    calls.clear()
    options = dg.ReexecutionOptions(first.run_id, step_selection=step_selection)
    again = dg.execute_job(job, instance, reexecution_options=options)
    assert again.success
    assert sorted(calls) == sorted(expected)
    for unknown in (["inc[z]"], ["nothing[a]"]):
        with pytest.raises(dg.DagsterExecutionStepNotFoundError):
            dg.execute_job(job, instance, reexecution_options=dg.ReexecutionOptions(first.run_id, unknown))


@pytest.mark.api("ReexecutionOptions.from_failure")
def test_copies_from_failure(instance):
    job = dg.reconstructable(mapped)
    broken.add("b")
    first = dg.execute_job(job, instance)
    assert not first.success
    broken.clear()
    calls.clear()
    options = dg.ReexecutionOptions.from_failure(first.run_id, instance)
    again = dg.execute_job(job, instance, reexecution_options=options)
    assert (again.success, calls) == (True, ["b", "bb", "total"])
    assert output(again, "total") == 12
    assert list(instance.get_run_by_id(again.run_id).step_keys_to_execute) == ["inc[b]", "twice[b]", "total"]


def test_what_cannot_be_executed_again(instance, line_job):
    fine = dg.execute_job(line_job, instance)
    options = dg.ReexecutionOptions.from_failure(fine.run_id, instance)
    with pytest.raises(dg.DagsterInvariantViolationError):
        dg.execute_job(line_job, instance, reexecution_options=options)
    with pytest.raises(dg.DagsterExecutionStepNotFoundError):
        dg.execute_job(line_job, instance, reexecution_options=dg.ReexecutionOptions(fine.run_id, ["nope"]))
    with pytest.raises(dg.DagsterInvariantViolationError):
        dg.execute_job(
            line_job, instance, op_selection=["start"], reexecution_options=dg.ReexecutionOptions(fine.run_id)
        )


def test_a_subset_executed_again_is_the_same_subset(instance, line_job):
    first = dg.execute_job(line_job, instance, run_config=IN_PROCESS, op_selection=["*middle"])
    calls.clear()
    dg.execute_job(line_job, instance, reexecution_options=dg.ReexecutionOptions(first.run_id))
    assert calls == ["start", "middle"]


@dg.op(out=dg.Out(is_required=False))
def maybe():
    if "maybe" in broken:
        yield dg.Output(1)


@dg.op
def below(x):
    happened("below", x)


@dg.op
def gather(xs):
    return happened("gather", xs)


@dg.job(config=IN_PROCESS)
def gaps():
    value = maybe()
    below(value)
    gather([value, middle(start()), aside()])


def test_what_was_skipped_and_would_be_again_stays_so(instance):
    broken.add("aside")
    job = dg.reconstructable(gaps)
    first = dg.execute_job(job, instance)
    assert {event.step_key for event in first.get_step_skipped_events()} == {"below"}
    broken.clear()
    calls.clear()
    options = dg.ReexecutionOptions.from_failure(first.run_id, instance)
    again = dg.execute_job(job, instance, reexecution_options=options)
    assert (again.success, calls) == (True, ["aside", "gather"])
    assert output(again, "gather") == [11, 7]


@dg.op(config_schema={"n": int})
def number(context):
    return context.op_config["n"]


@dg.graph
def numbers():
    return number()


numbers_job = numbers.to_job(name="numbers_job")


def make_numbers():
    return numbers_job


def make_constant(value, offset=0):
    @dg.op
    def constant():
        return value + offset

    @dg.job(config=IN_PROCESS)
    def constants():
        constant()

    return constants


@pytest.mark.api("execute_job.run_config", "JobExecutionResult.output_value")
def test_the_config_of_the_run_before_holds_again(instance):
    job = dg.reconstructable(make_numbers)
    run_config = {**IN_PROCESS, "ops": {"number": {"config": {"n": 5}}}}
    first = dg.execute_job(job, instance, run_config=run_config)
    with first:
        assert first.output_value() == 5
    again = dg.execute_job(job, instance, reexecution_options=dg.ReexecutionOptions(first.run_id))
    assert again.dagster_run.run_config == run_config
    assert output(again, "number") == 5


@pytest.mark.api(
    "build_reconstructable_job.reconstructor_module_name", "build_reconstructable_job.reconstructor_function_name",
    "build_reconstructable_job.reconstructable_args", "build_reconstructable_job.reconstructable_kwargs",
)  # fmt: skip
def test_a_job_that_a_function_with_arguments_makes(instance):
    job = dg.build_reconstructable_job(
        reconstructor_module_name=__name__, reconstructor_function_name="make_constant", reconstructable_args=(30,),
        reconstructable_kwargs={"offset": 3},
    )  # fmt: skip
    assert output(dg.execute_job(job, instance), "constant") == 33


@pytest.mark.api("build_reconstructable_job.reconstructor_working_directory")
def test_a_job_in_another_folder(instance, tmp_path):
    (tmp_path / "elsewhere_jobs.py").write_text(
        "import dagster as dg\n@dg.op\ndef one(): return 1\n"
        "@dg.job(config={'execution': {'config': {'in_process': {}}}})\ndef there(): one()\n"
        "def get(): return there\n"
    )
    job = dg.build_reconstructable_job("elsewhere_jobs", "get", reconstructor_working_directory=str(tmp_path))
    assert output(dg.execute_job(job, instance), "one") == 1


def test_what_cannot_be_found_again():
    @dg.job
    def local():
        start()

    for target in (local, lambda: line, 5):
        with pytest.raises(dg.DagsterInvariantViolationError):
            dg.reconstructable(target)


# --- assets -----------------------------------------------------------------------------------------------------------


@dg.asset
def raw():
    return happened("raw", 1)


@dg.asset
def clean(raw):
    return happened("clean", raw + 1)


@dg.asset
def report(clean):
    return happened("report", clean + 1)


defs = dg.Definitions(assets=[raw, clean, report], jobs=[dg.define_asset_job("everything", "*", config=IN_PROCESS)])


def everything():
    return (defs.resolve_job_def if hasattr(defs, "resolve_job_def") else defs.get_job_def)("everything")


def test_assets_from_failure(instance):
    job = dg.reconstructable(everything)
    broken.add("clean")
    first = dg.execute_job(job, instance)
    assert calls == ["raw", "clean"]
    broken.clear()
    calls.clear()
    options = dg.ReexecutionOptions.from_failure(first.run_id, instance)
    assert dg.execute_job(job, instance, reexecution_options=options).success
    assert calls == ["clean", "report"]
    made = instance.get_latest_materialization_event(dg.AssetKey("clean")).asset_materialization
    source = instance.fetch_materializations(dg.AssetKey("raw"), limit=1).records[0]
    assert made.tags["dagster/input_event_pointer/raw"] == str(source.storage_id)
    assert made.tags["dagster/input_data_version/raw"] == source.asset_materialization.tags["dagster/data_version"]


@pytest.mark.api("execute_job.asset_selection")
def test_selected_assets(instance):
    job = dg.reconstructable(everything)
    first = dg.execute_job(job, instance, asset_selection=[dg.AssetKey("raw"), dg.AssetKey("clean")])
    assert calls == ["raw", "clean"]
    calls.clear()
    dg.execute_job(job, instance, reexecution_options=dg.ReexecutionOptions(first.run_id, ["clean"]))
    assert calls == ["clean"]


def test_assets_that_other_runs_made(instance):
    job = dg.reconstructable(everything)
    dg.execute_job(job, instance, asset_selection=[raw.key])
    broken.add("raw")
    failed = dg.execute_job(job, instance)
    calls.clear()
    options = dg.ReexecutionOptions(failed.run_id, step_selection=["clean"])
    again = dg.execute_job(job, instance, reexecution_options=options)
    assert (again.success, calls) == (True, ["clean"])
    broken.clear()
    broken.add("clean")
    calls.clear()
    lost = dg.execute_job(job, instance, reexecution_options=options)
    broken.clear()
    options = dg.ReexecutionOptions.from_failure(lost.run_id, instance)
    assert dg.execute_job(job, instance, reexecution_options=options).success
    assert calls == ["clean", "clean"]


def test_the_tags_of_a_partition(instance):
    @dg.job(partitions_def=dg.StaticPartitionsDefinition(["x", "y"]))
    def parted():
        start()

    run = parted.execute_in_process(partition_key="y", instance=instance).dagster_run
    assert run.tags == {"dagster/partition": "y", "dagster/partition_set": "parted_partition_set"}
