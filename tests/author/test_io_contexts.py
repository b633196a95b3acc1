import pytest

from treadle.author.io_contexts import (
    AssetPartitions,
    HandmadeStep,
    InputContext,
    OutputContext,
    build_input_context,
    build_output_context,
)
from treadle.core.keys import AssetKey
from treadle.core.metadata import IntMetadataValue
from treadle.core.subsets import PartitionKeyRange
from treadle.core.time_partitions import DailyPartitionsDefinition
from treadle.errors import InvariantError, MetadataError
from treadle.state.facts import AssetMaterialization, AssetObservation

DAYS = DailyPartitionsDefinition("2024-01-01")
FIRST, SECOND, THIRD = "2024-01-02", "2024-01-03", "2024-01-04"


def step(keys=None, **given):
    return HandmadeStep(given, AssetPartitions(keys, DAYS) if keys is not None else None)


class TestOutput:
    def test_identifiers(self):
        context = build_output_context("s", "n", run_id="r", mapping_key="m", asset_key=["a", "b"], partition_key="p")
        assert context.get_identifier() == ["r", "s", "n", "m"]
        assert context.get_run_scoped_output_identifier() == context.get_output_identifier() == ["r", "s", "n", "m"]
        assert context.get_asset_identifier() == context.get_asset_output_identifier() == ["a", "b", "p"]
        assert build_output_context("s", "n", run_id="r").get_identifier() == ["r", "s", "n"]

    def test_identifier_of_another_step(self):
        context = OutputContext(step(run_id="now", step_key="now"), "n", run_id="r", step_key="s")
        assert context.get_identifier() == ["r", "s", "n"]

    def test_defaults(self):
        context = build_output_context()
        assert (context.config, context.mapping_key, context.version) == (None, None, None)
        assert context.definition_metadata == context.metadata == context.output_metadata == {}
        assert context.resource_config == {}
        assert context.resources._asdict() == {}
        assert not context.has_asset_key
        assert not context.has_partition_key
        assert not context.has_asset_partitions
        assert context.log.name == "treadle"

    @pytest.mark.parametrize(
        "member",
        [
            "name",
            "step_key",
            "job_name",
            "op_def",
            "dagster_type",
            "asset_key",
            "asset_spec",
            "asset_partitions_def",
            "step_context",
            "partition_key",
            "instance",
            "asset_partition_key",
            "asset_partition_keys",
            "asset_partition_key_range",
            "asset_partitions_time_window",
        ],
    )
    def test_what_was_not_given(self, member):
        with pytest.raises(InvariantError):
            getattr(build_output_context(), member)

    def test_given_members(self):
        context = build_output_context(
            definition_metadata={"x": 1}, output_metadata={"y": 2}, config={"c": 1}, resources={"r": 5}, op_def="op"
        )
        assert context.metadata == {"x": 1}
        assert context.output_metadata == {"y": 2}
        assert context.config == {"c": 1}
        assert context.resources.r == 5
        assert context.op_def == "op"

    def test_metadata_is_collected_and_consumed_once(self):
        context = build_output_context(name="n")
        context.add_output_metadata({"a": 1})
        context.add_output_metadata({"b": 2})
        with pytest.raises(MetadataError, match="'a'"):
            context.add_output_metadata({"a": 3})
        assert context.get_logged_metadata() == {"a": IntMetadataValue(1), "b": IntMetadataValue(2)}
        assert context.consume_logged_metadata() == {"a": IntMetadataValue(1), "b": IntMetadataValue(2)}
        assert context.get_logged_metadata() == context.consume_logged_metadata() == {}

    def test_events(self):
        context = build_output_context()
        event = AssetMaterialization("a")
        context.log_event(event)
        context.log_event(AssetObservation("b"))
        assert context.get_logged_events()[0] is event
        assert len(context.get_logged_events()) == 2
        with pytest.raises(InvariantError, match="int"):
            context.log_event(5)  # pyright: ignore[reportArgumentType]


class TestPartitions:
    def test_one(self):
        context = OutputContext(step([FIRST]), "n", asset_key=AssetKey("a"))
        assert context.has_asset_partitions
        assert context.asset_partition_key == FIRST
        assert context.asset_partition_keys == [FIRST]
        assert context.asset_partition_key_range == PartitionKeyRange(FIRST, FIRST)
        assert context.get_asset_identifier() == ["a", FIRST]

    def test_several(self):
        context = OutputContext(step([FIRST, SECOND, THIRD]), "n", asset_key=AssetKey("a"))
        with pytest.raises(InvariantError, match="3 partitions"):
            _ = context.asset_partition_key
        assert context.asset_partition_key_range == PartitionKeyRange(FIRST, THIRD)
        window = context.asset_partitions_time_window
        assert (window.start.day, window.end.day) == (2, 5)

    def test_by_hand(self):
        context = build_input_context(
            asset_key="a", asset_partitions_def=DAYS, asset_partition_key_range=PartitionKeyRange(FIRST, THIRD)
        )
        assert list(context.asset_partition_keys) == [FIRST, SECOND, THIRD]
        assert context.asset_partitions_def is DAYS
        assert not context.has_partition_key
        single = build_output_context(asset_key="a", partition_key=FIRST, asset_partitions_def=DAYS)
        assert (single.has_partition_key, single.partition_key, single.asset_partition_key) == (True, FIRST, FIRST)

    def test_no_time_windows(self):
        context = build_output_context(asset_key="a", partition_key="x")
        with pytest.raises(InvariantError, match="no time windows"):
            _ = context.asset_partitions_time_window

    def test_none_without_an_asset(self):
        assert not OutputContext(step([FIRST]), "n").has_asset_partitions

    def test_range_by_hand_needs_a_definition(self):
        with pytest.raises(InvariantError, match="asset_partitions_def"):
            build_input_context(asset_key="a", asset_partition_key_range=object())


class TestInput:
    def test_identifier_is_that_of_the_upstream_output(self):
        upstream = build_output_context("s", "n", run_id="r")
        assert build_input_context(upstream_output=upstream).get_identifier() == ["r", "s", "n"]
        with pytest.raises(InvariantError, match="get_asset_identifier"):
            build_input_context(asset_key="a").get_identifier()

    def test_upstream_is_made_when_asked_for_and_once(self):
        calls = []

        def upstream():
            calls.append(1)
            return build_output_context("s", "n", run_id="r")

        context = InputContext(step(), "x", upstream=upstream)
        assert not calls
        assert context.upstream_output is context.upstream_output
        assert calls == [1]

    def test_name(self):
        assert build_input_context(name="x").has_input_name
        assert not build_input_context().has_input_name

    def test_added_metadata_makes_observations(self):
        context = InputContext(step(["1", "2"]), "x", asset_key=AssetKey("u"))
        assert context.get_observations() == []
        context.add_input_metadata({"z": 1})
        assert context.get_observations() == [
            AssetObservation("u", metadata={"z": 1}, partition="1"),
            AssetObservation("u", metadata={"z": 1}, partition="2"),
        ]
        unpartitioned = build_input_context(asset_key="u")
        unpartitioned.add_input_metadata({"z": 1})
        assert unpartitioned.get_observations() == [AssetObservation("u", metadata={"z": 1})]

    def test_inputs_of_ops_make_no_observations(self):
        context = build_input_context()
        context.add_input_metadata({"z": 1})
        assert context.get_observations() == []

    def test_config_of_the_manager_by_its_key(self):
        class Port(HandmadeStep):
            def resource_config(self, key):
                return {"key": key}

        assert InputContext(Port({}), "x", io_manager_key="other").resource_config == {"key": "other"}
