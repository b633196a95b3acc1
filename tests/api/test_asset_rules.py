"""Rules of assets and of what is stored, one test each: what no argument says."""

from pathlib import Path
from typing import Any

import pytest

import dagster as dg


def gives_nothing():
    return None


def says_nothing() -> None:
    return None


def only_reports():
    return dg.MaterializeResult()


def says_it_reports() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"n": 1})


def reports_a_value():
    return dg.MaterializeResult(value=5)


def yields_a_value():
    yield dg.Output(5)


@pytest.mark.parametrize(
    ("function", "stored"),
    [(gives_nothing, [None]), (says_nothing, []), (only_reports, []), (says_it_reports, []), (reports_a_value, [5]),
     (yields_a_value, [5])],
)  # fmt: skip
def test_what_is_stored(function: Any, stored: list[Any], shelf: Any) -> None:
    made = dg.asset(name="made")(function)
    result = dg.materialize([made], resources={"io_manager": shelf})
    assert list(shelf.values.values()) == stored
    assert [event.asset_key for event in result.get_asset_materialization_events()] == [made.key]


@pytest.mark.parametrize("value", [None, 3])
def test_the_path_of_a_file_is_told_where_there_is_a_value(value: Any, instance: Any) -> None:
    @dg.asset(metadata={"declared": 1})
    def made():
        return value

    [event] = dg.materialize([made], instance=instance).asset_materializations_for_node("made")
    assert ("path" in event.metadata) == (value is not None)
    assert "declared" not in event.metadata  # facts about the definition are no facts about the data


def test_files_are_where_keys_and_partitions_say(tmp_path: Path) -> None:
    both = dg.MultiPartitionsDefinition(
        {"z": dg.StaticPartitionsDefinition(["1"]), "a": dg.StaticPartitionsDefinition(["2"])}
    )

    @dg.asset(key=["p", "whole"])
    def whole():
        return 1

    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["x"]))
    def parts():
        return 2

    @dg.asset(partitions_def=both)
    def grid():
        return 3

    @dg.op
    def tell():
        return 4

    @dg.job(resource_defs={"io_manager": dg.FilesystemIOManager(base_dir=str(tmp_path))})
    def telling():
        tell()

    resources = {"io_manager": dg.FilesystemIOManager(base_dir=str(tmp_path))}
    dg.materialize([whole], resources=resources)
    dg.materialize([parts], partition_key="x", resources=resources)
    dg.materialize([grid], partition_key=dg.MultiPartitionKey({"z": "1", "a": "2"}), resources=resources)
    run_id = telling.execute_in_process().run_id
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"p/whole", "parts/x", "grid/2/1", f"{run_id}/tell/result"}


@pytest.mark.parametrize(
    ("reported", "expected"),
    [([], ["one", "two"]), (["one"], ["one", "two"]), (["three", "two"], ["one", "three", "two"])],
)
def test_assets_that_are_not_reported_are_made_unless_they_may_be_left_out(
    reported: list[str], expected: list[str]
) -> None:
    @dg.multi_asset(specs=[dg.AssetSpec("one"), dg.AssetSpec("two"), dg.AssetSpec("three", skippable=True)])
    def several():
        for name in reported:
            yield dg.MaterializeResult(asset_key=name)

    events = dg.materialize([several]).get_asset_materialization_events()
    assert sorted(event.asset_key.to_user_string() for event in events) == expected


def test_what_is_downstream_of_an_asset_that_was_left_out_is_skipped() -> None:
    @dg.multi_asset(specs=[dg.AssetSpec("one"), dg.AssetSpec("two", skippable=True)])
    def several():
        yield dg.MaterializeResult(asset_key="one")

    @dg.asset(deps=["two"])
    def after_two():
        return 1

    @dg.asset(deps=["one"])
    def after_one():
        return 1

    result = dg.materialize([several, after_one, after_two])
    assert result.success
    assert [event.step_key for event in result.all_events if event.event_type_value == "STEP_SKIPPED"] == ["after_two"]


def test_an_asset_outside_is_loaded_by_the_io_manager_that_it_names(shelf: Any, new_shelf: Any) -> None:
    shelf.values["outside"] = 7
    outside = dg.AssetSpec("outside", metadata={"dagster/io_manager_key": "there"})

    @dg.asset
    def inside(outside):
        return outside

    result = dg.materialize([outside, inside], resources={"there": shelf, "io_manager": new_shelf()})
    assert result.output_for_node("inside") == 7


def test_values_of_a_job_that_runs_in_process_stay_in_memory(instance: Any) -> None:
    @dg.asset
    def made():
        return lambda: 1

    @dg.asset
    def after(made):
        return made()  # a function that could not be pickled

    job = dg.define_asset_job("both")
    defs = dg.Definitions(assets=[made, after], jobs=[job])
    assert defs.get_job_def("both").execute_in_process(instance=instance).success


def test_names_of_jobs_that_nobody_named() -> None:
    @dg.asset
    def made():
        return 1

    assert dg.materialize([made]).dagster_run.job_name == "__ephemeral_asset_job__"
    assert dg.Definitions([made]).get_job_def("__ASSET_JOB").name == "__ASSET_JOB"


def test_definitions_are_put_together_when_they_are_loaded() -> None:
    @dg.asset(required_resource_keys={"nobody_has_it"})
    def made():
        return 1

    defs = dg.Definitions(assets=[made])
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.Definitions.validate_loadable(defs)


@pytest.mark.parametrize("name", ["with space", "a-b", "a.b", "def", "context", "conf"])
def test_what_no_op_may_be_called(name: str) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.op(name=name)(lambda: 1)


@pytest.mark.parametrize("reports", ["passed", "bool", "nothing"])
def test_a_check_that_returns_something_else_is_no_evaluation(reports: str) -> None:
    @dg.asset
    def made():
        return 1

    @dg.asset_check(asset=made)
    def fine():
        return {"passed": dg.AssetCheckResult(passed=True), "bool": True, "nothing": None}[reports]

    result = dg.materialize([made, fine])
    assert result.success
    assert len(result.get_asset_check_evaluations()) == (reports == "passed")


@pytest.mark.parametrize(
    ("blocking", "severity", "goes_on"),
    [(True, "ERROR", False), (True, "WARN", True), (False, "ERROR", True)],
)
@pytest.mark.parametrize("inside", [True, False])
def test_what_a_failed_check_stops(blocking: bool, severity: str, goes_on: bool, inside: bool) -> None:
    outcome = {"passed": False, "severity": dg.AssetCheckSeverity[severity]}

    @dg.asset(check_specs=[dg.AssetCheckSpec("fine", asset="made", blocking=blocking)] if inside else [])
    def made():
        return dg.MaterializeResult(value=1, check_results=[dg.AssetCheckResult(**outcome)] if inside else [])

    @dg.asset_check(asset="made", blocking=blocking)
    def fine():
        return dg.AssetCheckResult(**outcome)

    @dg.asset
    def after(made):
        return made

    result = dg.materialize([made, after, *([] if inside else [fine])], raise_on_error=False)
    assert result.success == goes_on
    made_keys = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert made_keys == ({"made", "after"} if goes_on else {"made"})


def test_values_without_a_declared_type_may_be_anything() -> None:
    seen: list[str] = []

    class Tells(dg.IOManager):
        def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
            seen.append(context.dagster_type.display_name)

        def load_input(self, context: dg.InputContext) -> Any:
            assert context.upstream_output is not None
            seen.append(context.dagster_type.display_name)
            return 1

    @dg.asset
    def one():
        return 1

    @dg.asset
    def two(one, outside):
        return one + outside

    assets = [one, two, dg.AssetSpec("outside")]
    assert dg.materialize(assets, resources={"io_manager": Tells()}).success
    assert seen == ["Any"] * 4
