"""Partitions as runs see them: which partitions a run is for, and which of what is upstream it reads."""

from datetime import UTC, datetime

import pytest

import dagster as dg

DAILY = dg.DailyPartitionsDefinition("2024-01-01")
HOURLY = dg.HourlyPartitionsDefinition("2024-01-01-00:00")
LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])
BOTH = dg.MultiPartitionsDefinition({"day": DAILY, "letter": LETTERS})


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def made(result):
    """Asset and partition of what a run materialized, in order."""
    return [(event.asset_key.to_user_string(), event.partition) for event in result.get_asset_materialization_events()]


@pytest.mark.api("materialize.partition_key", "asset.partitions_def", "StaticPartitionsDefinition.partition_keys")
def test_a_run_for_one_partition(instance):
    @dg.asset(partitions_def=LETTERS)
    def up(context):
        return f"up {context.partition_key}"

    @dg.asset(partitions_def=LETTERS)
    def down(up):
        return f"down of {up}"

    result = dg.materialize([up, down], partition_key="b", instance=instance)
    assert made(result) == [("up", "b"), ("down", "b")]
    assert result.asset_value("down") == "down of up b"
    assert result.dagster_run.tags["dagster/partition"] == "b"
    assert instance.get_latest_materialization_event(up.key).asset_materialization.partition == "b"


def test_partitions_that_do_not_exist_and_partitions_that_are_missing():
    @dg.asset(partitions_def=LETTERS)
    def lettered():
        return 1

    @dg.asset
    def plain():
        return 1

    with pytest.raises(dg.DagsterUnknownPartitionError):
        dg.materialize_to_memory([lettered], partition_key="z")
    with pytest.raises(Exception, match="artition"):
        dg.materialize_to_memory([plain], partition_key="a")


@pytest.mark.parametrize(
    ("definition", "key", "start", "end"),
    [
        (DAILY, "2024-02-29", (2024, 2, 29), (2024, 3, 1)),
        (HOURLY, "2024-01-01-23:00", (2024, 1, 1, 23), (2024, 1, 2)),
        (dg.WeeklyPartitionsDefinition("2024-01-01"), "2024-01-07", (2024, 1, 7), (2024, 1, 14)),
        (dg.MonthlyPartitionsDefinition("2024-01-01"), "2024-02-01", (2024, 2, 1), (2024, 3, 1)),
    ],
)
def test_windows_of_time(definition, key, start, end):
    seen = []

    @dg.asset(partitions_def=definition)
    def a(context: dg.AssetExecutionContext):
        seen.append(context.partition_time_window)

    dg.materialize_to_memory([a], partition_key=key)
    assert seen == [dg.TimeWindow(datetime(*start, tzinfo=UTC), datetime(*end, tzinfo=UTC))]


@pytest.mark.api("DailyPartitionsDefinition.timezone")
def test_a_window_on_a_day_of_23_hours():
    seen = []

    @dg.asset(partitions_def=dg.DailyPartitionsDefinition("2024-01-01", timezone="Europe/Berlin"))
    def a(context: dg.AssetExecutionContext):
        seen.append(context.partition_time_window)

    dg.materialize_to_memory([a], partition_key="2024-03-31")
    (window,) = seen
    assert (window.end.timestamp() - window.start.timestamp()) / 3600 == 23


@pytest.mark.api("BackfillPolicy.single_run", "asset.backfill_policy")
def test_a_range_in_one_run(instance):
    seen = {}

    @dg.asset(partitions_def=DAILY, backfill_policy=dg.BackfillPolicy.single_run())
    def up(context: dg.AssetExecutionContext):
        return {key: key[-2:] for key in context.partition_keys}

    @dg.asset(partitions_def=DAILY, backfill_policy=dg.BackfillPolicy.single_run())
    def down(context: dg.AssetExecutionContext, up):
        seen["keys"] = list(context.partition_keys)
        seen["range"] = context.partition_key_range
        seen["window"] = context.partition_time_window
        seen["one"] = context.has_partition_key
        seen["several"] = context.has_partition_key_range
        seen["inputs"] = list(context.asset_partition_keys_for_input("up"))
        try:
            seen["key"] = context.partition_key
        except Exception as error:
            seen["refused"] = type(error)

    class Days(dg.IOManager):
        def __init__(self):
            self.stored = {}

        def handle_output(self, context, obj):
            if obj is not None:
                self.stored.update(obj)

        def load_input(self, context):
            return {key: self.stored[key] for key in context.asset_partition_keys}

    result = dg.materialize(
        [up, down],
        resources={"io_manager": Days()},
        instance=instance,
        tags={
            "dagster/asset_partition_range_start": "2024-01-02",
            "dagster/asset_partition_range_end": "2024-01-04",
        },
    )
    days = ["2024-01-02", "2024-01-03", "2024-01-04"]
    assert made(result) == [*(("up", day) for day in days), *(("down", day) for day in days)]
    assert seen["keys"] == seen["inputs"] == days
    assert seen["range"] == dg.PartitionKeyRange("2024-01-02", "2024-01-04")
    assert (seen["window"].start.day, seen["window"].end.day) == (2, 5)
    assert (seen["one"], seen["several"]) == (False, True)
    assert "refused" in seen
    assert instance.get_materialized_partitions(down.key) == set(days)


def filled(instance, *definitions):
    """Assets `up` with these partitions definitions, all of these keys materialized with the key as value."""

    @dg.asset(partitions_def=definitions[0])
    def up(context: dg.AssetExecutionContext):
        return context.partition_key

    for key in definitions[1]:
        dg.materialize([up], partition_key=key, instance=instance)
    return up


def loaded(instance, up, mapping, definition, key):
    """What a downstream asset gets of `up`."""

    @dg.asset(partitions_def=definition, ins={"up": dg.AssetIn(partition_mapping=mapping)})
    def down(up):
        return up

    result = dg.materialize([up, down], selection=[down], partition_key=key, instance=instance)
    return result.asset_value("down")


@pytest.mark.api(
    "IdentityPartitionMapping", "AllPartitionMapping", "LastPartitionMapping", "StaticPartitionMapping",
    "SpecificPartitionsPartitionMapping.partition_keys", "AssetIn.partition_mapping",
    "StaticPartitionMapping.downstream_partition_keys_by_upstream_partition_key",
)  # fmt: skip
@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        (None, "b"),
        (dg.IdentityPartitionMapping(), "b"),
        (dg.AllPartitionMapping(), {"a": "a", "b": "b", "c": "c"}),
        (dg.LastPartitionMapping(), "c"),
        (dg.SpecificPartitionsPartitionMapping(["a", "c"]), {"a": "a", "c": "c"}),
        (dg.StaticPartitionMapping({"a": "b", "b": "c", "c": "b"}), {"a": "a", "c": "c"}),
    ],
)
def test_mappings_between_letters(instance, mapping, expected):
    up = filled(instance, LETTERS, "abc")
    assert loaded(instance, up, mapping, LETTERS, "b") == expected


def test_an_asset_without_partitions_reads_all(instance):
    up = filled(instance, LETTERS, "abc")

    @dg.asset
    def whole(up):
        return up

    result = dg.materialize([up, whole], selection=[whole], instance=instance)
    assert result.asset_value("whole") == {"a": "a", "b": "b", "c": "c"}


def test_a_partition_reads_an_asset_without_partitions_as_a_whole(instance):
    @dg.asset
    def whole():
        return "all"

    @dg.asset(partitions_def=LETTERS)
    def part(whole):
        return whole

    result = dg.materialize([whole, part], partition_key="a", instance=instance)
    assert result.asset_value("part") == "all"
    assert made(result) == [("whole", None), ("part", "a")]


@pytest.mark.api("TimeWindowPartitionMapping.start_offset", "TimeWindowPartitionMapping.end_offset")
def test_a_day_reads_its_hours_and_another_day(instance):
    hours = [f"2024-01-02-{hour:02}:00" for hour in range(24)]
    up = filled(instance, HOURLY, hours)
    assert loaded(instance, up, None, DAILY, "2024-01-02") == {key: key for key in hours}

    days = filled(instance, DAILY, ["2024-01-02", "2024-01-03"])
    before = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
    assert loaded(instance, days, before, DAILY, "2024-01-04") == "2024-01-03"
    both = dg.TimeWindowPartitionMapping(start_offset=-1)
    assert loaded(instance, days, both, DAILY, "2024-01-03") == {"2024-01-02": "2024-01-02", "2024-01-03": "2024-01-03"}


@pytest.mark.api("TimeWindowPartitionMapping.allow_nonexistent_upstream_partitions")
@pytest.mark.parametrize("allowed", [False, True])
def test_partitions_before_the_first_are_left_out(instance, allowed):
    days = filled(instance, DAILY, ["2024-01-01"])

    def mapping(start, end):
        return dg.TimeWindowPartitionMapping(
            start_offset=start, end_offset=end, allow_nonexistent_upstream_partitions=allowed
        )

    assert loaded(instance, days, mapping(-1, 0), DAILY, "2024-01-01") == "2024-01-01"
    assert loaded(instance, days, mapping(-1, -1), DAILY, "2024-01-01") is None


def test_an_asset_that_reads_its_own_day_before(instance):
    @dg.asset(
        partitions_def=DAILY,
        ins={
            "running": dg.AssetIn(
                partition_mapping=dg.TimeWindowPartitionMapping(
                    start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True
                )
            )
        },
    )
    def running(context: dg.AssetExecutionContext, running):
        before = running or 0
        return before + 1

    values = [
        dg.materialize([running], partition_key=day, instance=instance).asset_value("running")
        for day in ("2024-01-01", "2024-01-02", "2024-01-03")
    ]
    assert values == [1, 2, 3]


@pytest.mark.parametrize(
    ("theirs", "ours", "mapping", "key", "runs"),
    [
        (dg.DailyPartitionsDefinition("2024-01-05"), DAILY, None, "2024-01-02", False),
        (dg.DailyPartitionsDefinition("2024-01-05"), DAILY, dg.TimeWindowPartitionMapping(
            allow_nonexistent_upstream_partitions=True), "2024-01-02", True),
        (DAILY, DAILY, dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1), "2024-01-01", True),
        (dg.StaticPartitionsDefinition(["a"]), LETTERS, None, "b", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("loads", [True, False])
def test_partitions_that_are_needed_and_do_not_exist(instance, theirs, ours, mapping, key, runs, loads):
    @dg.asset(partitions_def=theirs)
    def up():
        return 1

    @dg.asset(partitions_def=ours, ins={"up": dg.AssetIn(partition_mapping=mapping)})
    def loading(up):
        return up

    @dg.asset(partitions_def=ours, deps=[dg.AssetDep(up, partition_mapping=mapping)])
    def after():
        return 1

    chosen = loading if loads else after
    result = dg.materialize(
        [up, chosen], selection=[chosen], partition_key=key, instance=instance, raise_on_error=False
    )
    assert result.success == (runs or not loads)  # what is not loaded need not be there


@pytest.mark.parametrize(
    ("definition", "mapping", "works"),
    [
        (DAILY, dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1), True),
        (DAILY, dg.TimeWindowPartitionMapping(start_offset=-3, end_offset=-2), True),
        (DAILY, dg.TimeWindowPartitionMapping(start_offset=-1), False),
        (DAILY, dg.TimeWindowPartitionMapping(start_offset=1, end_offset=1), False),
        (DAILY, dg.TimeWindowPartitionMapping(), False),
        (DAILY, None, False),
        (LETTERS, dg.AllPartitionMapping(), False),
        (BOTH, dg.MultiPartitionMapping({
            "day": dg.DimensionPartitionMapping("day", dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)),
            "letter": dg.DimensionPartitionMapping("letter", dg.IdentityPartitionMapping()),
        }), True),
        (BOTH, dg.MultiPartitionMapping({
            "day": dg.DimensionPartitionMapping("day", dg.IdentityPartitionMapping()),
        }), False),
        (None, None, False),
    ],
)  # fmt: skip
def test_an_asset_depends_on_itself_from_earlier_partitions_only(definition, mapping, works):
    def define():
        @dg.asset(partitions_def=definition, ins={"me": dg.AssetIn(partition_mapping=mapping)})
        def me(me):
            return 1

        dg.Definitions.validate_loadable(dg.Definitions([me]))

    if works:
        define()
    else:
        with pytest.raises(dg.DagsterInvalidDefinitionError, match="itself"):
            define()


def test_a_job_has_one_partitions_definition():
    @dg.asset(partitions_def=LETTERS)
    def lettered(): ...

    @dg.asset(partitions_def=DAILY)
    def daily(): ...

    defs = dg.Definitions(assets=[lettered, daily], jobs=[dg.define_asset_job("both", [lettered, daily])])
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        defs.get_job_def("both")


def test_files_of_partitions_lie_in_a_folder_for_each_dimension(instance, tmp_path):
    @dg.asset(partitions_def=dg.MultiPartitionsDefinition({"z": LETTERS, "a": DAILY}), key_prefix="p")
    def both():
        return 1

    @dg.asset(partitions_def=LETTERS)
    def one():
        return 1

    resources = {"io_manager": dg.FilesystemIOManager(base_dir=str(tmp_path))}
    key = dg.MultiPartitionKey({"z": "b", "a": "2024-01-02"})
    dg.materialize([both], partition_key=key, resources=resources, instance=instance)
    dg.materialize([one], partition_key="c", resources=resources, instance=instance)
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert found == ["one/c", "p/both/2024-01-02/b"]


def test_missing_files_may_be_allowed(instance):
    up = filled(instance, LETTERS, "ac")

    @dg.asset(ins={"up": dg.AssetIn(metadata={"allow_missing_partitions": True})})
    def lenient(up):
        return up

    @dg.asset
    def strict(up):
        return up

    result = dg.materialize([up, lenient], selection=[lenient], instance=instance)
    assert result.asset_value("lenient") == {"a": "a", "c": "c"}
    assert not dg.materialize([up, strict], selection=[strict], instance=instance, raise_on_error=False).success


@pytest.mark.api("MultiPartitionsDefinition.partitions_defs", "MultiPartitionKey.keys_by_dimension")
def test_two_dimensions(instance):
    both = dg.MultiPartitionsDefinition({"day": DAILY, "letter": LETTERS})
    seen = []

    @dg.asset(partitions_def=both)
    def up(context: dg.AssetExecutionContext):
        seen.append((context.partition_key, context.partition_time_window.start.day))
        return context.multi_partition_key.keys_by_dimension["letter"]

    @dg.asset(partitions_def=both)
    def down(up):
        return up

    key = dg.MultiPartitionKey({"letter": "b", "day": "2024-01-03"})
    result = dg.materialize([up, down], partition_key=key, instance=instance)
    assert seen == [("2024-01-03|b", 3)]
    assert result.asset_value("down") == "b"
    assert result.dagster_run.tags["dagster/partition/day"] == "2024-01-03"
    assert result.dagster_run.tags["dagster/partition/letter"] == "b"
    plain = dg.materialize([up], partition_key="2024-01-04|c", instance=instance)
    assert plain.asset_value("up") == "c"


@pytest.mark.api("MultiToSingleDimensionPartitionMapping.partition_dimension_name")
def test_one_dimension_of_two(instance):
    both = dg.MultiPartitionsDefinition({"day": DAILY, "letter": LETTERS})
    keys = [dg.MultiPartitionKey({"day": "2024-01-03", "letter": letter}) for letter in "abc"]
    up = filled(instance, both, keys)
    mapping = dg.MultiToSingleDimensionPartitionMapping(partition_dimension_name="letter")

    @dg.asset(partitions_def=both)
    def part(context, lettered):
        return lettered

    @dg.asset(partitions_def=LETTERS)
    def lettered(context):
        return context.partition_key

    dg.materialize([lettered], partition_key="b", instance=instance)
    result = dg.materialize([lettered, part], selection=[part], partition_key=keys[1], instance=instance)
    assert result.asset_value("part") == "b"

    few = dg.MultiPartitionsDefinition({"day": dg.StaticPartitionsDefinition(["2024-01-03"]), "letter": LETTERS})
    up = filled(instance, few, keys)
    assert loaded(instance, up, mapping, LETTERS, "c") == "2024-01-03|c"


@pytest.mark.api("DynamicPartitionsDefinition.name", "DagsterInstance.add_dynamic_partitions")
def test_partitions_that_are_added_while_one_goes(instance):
    people = dg.DynamicPartitionsDefinition(name="people")

    @dg.asset(partitions_def=people)
    def person(context):
        return context.partition_key

    with pytest.raises(dg.DagsterUnknownPartitionError):
        dg.materialize([person], partition_key="ann", instance=instance)
    instance.add_dynamic_partitions("people", ["ann", "bob"])
    assert dg.materialize([person], partition_key="ann", instance=instance).asset_value("person") == "ann"
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        assert list(people.get_partition_keys()) == ["ann", "bob"]


def test_checks_look_at_the_partition_of_the_run(instance):
    seen = []

    @dg.asset(partitions_def=LETTERS)
    def up(context):
        return context.partition_key

    @dg.asset_check(asset=up, partitions_def=LETTERS)
    def right(context, up):
        seen.append((context.partition_key, up))
        return dg.AssetCheckResult(passed=up == "b")

    result = dg.materialize([up, right], partition_key="b", instance=instance)
    assert result.success
    assert seen == [("b", "b")]


def test_what_has_no_partitions_reads_all_of_what_has(instance):
    seen = {}

    @dg.asset(partitions_def=LETTERS)
    def up(context):
        return context.partition_key

    @dg.asset_check(asset=up)
    def fine(context, up):
        seen["check"] = up
        return dg.AssetCheckResult(passed=True)

    @dg.asset
    def down(up):
        seen["asset"] = up

    @dg.asset(deps=[up])
    def beside(context):
        seen["beside"] = context.asset_partition_keys_for_input("up")

    for key in LETTERS.get_partition_keys():
        dg.materialize([up], partition_key=key, instance=instance)
    result = dg.materialize([up, fine, down, beside], partition_key="b", instance=instance)
    letters = {key: key for key in LETTERS.get_partition_keys()}
    assert seen == {"check": letters, "asset": letters, "beside": list(letters)}
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.partition is None


@pytest.mark.api("define_asset_job.partitions_def", "JobDefinition.partitions_def")
def test_an_asset_job_takes_the_partitions_of_its_assets(instance):
    @dg.asset(partitions_def=LETTERS)
    def up(context):
        return context.partition_key

    @dg.asset
    def plain():
        return 1

    defs = dg.Definitions(
        assets=[up, plain],
        jobs=[dg.define_asset_job("all_of_it"), dg.define_asset_job("told", [up], partitions_def=LETTERS)],
    )
    for name in ("all_of_it", "told"):
        job = defs.get_job_def(name)
        assert job.partitions_def == LETTERS
        assert job.execute_in_process(partition_key="c").asset_value("up") == "c"
