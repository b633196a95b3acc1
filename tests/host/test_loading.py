"""Values read back outside a run: through which IO manager, told what, set up and taken down when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import treadle as tr
from treadle.errors import ConfigError, InvocationError, UnknownPartitionError

DAYS = tr.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-05")
happened: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_happened() -> None:
    happened.clear()


class Telling(tr.IOManager):
    """Says what it was asked for."""

    def handle_output(self, context: tr.OutputContext, obj: Any) -> None:
        raise AssertionError("nothing is stored here")

    def load_input(self, context: tr.InputContext) -> Any:
        upstream = context.upstream_output
        assert upstream is not None
        return {
            "key": context.asset_key.to_user_string(),
            "partitions": list(context.asset_partition_keys) if context.has_asset_partitions else None,
            "partition": context.partition_key if context.has_partition_key else None,
            "metadata": dict(context.definition_metadata),
            "of the asset": dict(upstream.definition_metadata),
            "type": context.dagster_type.name,
        }


class Connection(tr.ConfigurableResource):
    def setup_for_execution(self, context: tr.InitResourceContext) -> None:
        happened.append("up")

    def teardown_after_execution(self, context: tr.InitResourceContext) -> None:
        happened.append("down")


class TellingFactory(tr.ConfigurableIOManagerFactory):
    connection: Connection
    name: str = "?"

    def create_io_manager(self, context: Any) -> Telling:
        happened.append(f"made {self.name}")
        return Telling()


@tr.asset(metadata={"m": 1})
def plain() -> int:
    return 1


@tr.asset(partitions_def=DAYS)
def daily() -> None: ...


external = tr.AssetSpec("external", metadata={"dagster/io_manager_key": "other"})
manager = TellingFactory(connection=Connection())
defs = tr.Definitions(assets=[plain, daily, external], resources={"io_manager": manager, "other": manager})


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[tr.Instance]:
    with tr.Instance.ephemeral(str(tmp_path)) as made:
        yield made


def test_the_io_manager_is_told_what_to_load(instance: tr.Instance) -> None:
    told: Any = defs.load_asset_value("plain", python_type=int, instance=instance, metadata={"x": 2})
    assert told == {
        "key": "plain", "partitions": None, "partition": None, "metadata": {"x": 2}, "of the asset": {"m": 1},
        "type": "int",
    }  # fmt: skip
    told = defs.load_asset_value("daily", instance=instance, partition_key="2026-01-02")
    assert (told["partitions"], told["partition"], told["type"]) == (["2026-01-02"], "2026-01-02", "Any")
    assert happened == ["up", "made ?", "down"] * 2


def test_a_loader_sets_up_once_and_takes_down_at_the_end(instance: tr.Instance) -> None:
    with defs.get_asset_value_loader(instance) as loader:
        assert isinstance(loader, tr.AssetValueLoader)
        assert happened == []
        told: Any = loader.load_asset_value(plain.key, input_definition_metadata={"q": 1})
        assert told["metadata"] == {"q": 1}
        told = loader.load_asset_value("daily", partition_key_range=tr.PartitionKeyRange("2026-01-02", "2026-01-04"))
        assert told["partitions"] == ["2026-01-02", "2026-01-03", "2026-01-04"]
        assert happened == ["up", "made ?"]
        told = loader.load_asset_value("external")
        assert told["of the asset"] == {"dagster/io_manager_key": "other"}
        assert happened == ["up", "made ?"] * 2
    assert happened == ["up", "made ?", "up", "made ?", "down", "down"]


def test_config_holds_for_one_value(instance: tr.Instance) -> None:
    with defs.get_asset_value_loader(instance) as loader:
        loader.load_asset_value("plain", resource_config={"io_manager": {"config": {"name": "mine"}}})
        assert happened == ["up", "made mine", "down"]
        with pytest.raises(ConfigError):
            loader.load_asset_value("plain", resource_config={"io_manager": {"config": {"name": []}}})


def test_mistakes_are_named(instance: tr.Instance) -> None:
    with pytest.raises(InvocationError, match=r"no asset 'plan' here\. Did you mean 'plain'"):
        defs.load_asset_value("plan", instance=instance)
    with pytest.raises(UnknownPartitionError):
        defs.load_asset_value("daily", instance=instance, partition_key="2030-01-01")
    assert happened == []


def test_what_is_up_comes_down_when_loading_fails(instance: tr.Instance) -> None:
    class Broken(TellingFactory):
        def create_io_manager(self, context: Any) -> Any:
            raise ValueError("no such place")

    broken = tr.Definitions(assets=[plain], resources={"io_manager": Broken(connection=Connection())})
    with pytest.raises(tr.ResourceError, match="no such place"):
        broken.load_asset_value("plain", instance=instance)
    assert happened == ["up", "down"]


def test_the_io_manager_that_the_asset_brings_along_comes_first(instance: tr.Instance) -> None:
    own = TellingFactory(connection=Connection(), name="own")
    bound = tr.with_resources([plain], {"io_manager": own})
    with tr.Definitions(assets=[*bound, daily], resources={"io_manager": manager}).get_asset_value_loader(
        instance
    ) as loader:
        loader.load_asset_value("plain")
        loader.load_asset_value("daily", partition_key="2026-01-01")
        loader.load_asset_value("plain")
    assert happened == ["up", "made own", "up", "made ?", "down", "down"]


def test_what_a_run_stored_by_default_is_read_from_the_instance(instance: tr.Instance) -> None:
    @tr.asset(partitions_def=DAYS)
    def squares(context: tr.AssetExecutionContext) -> int:
        return int(context.partition_key[-1]) ** 2

    stored = tr.Definitions(assets=[squares])
    for day in ("2026-01-02", "2026-01-03"):
        assert tr.materialize([squares], instance=instance, partition_key=day).success
    assert stored.load_asset_value("squares", instance=instance, partition_key="2026-01-03") == 9
    with stored.get_asset_value_loader(instance) as loader:
        several = loader.load_asset_value(
            "squares", partition_key_range=tr.PartitionKeyRange("2026-01-02", "2026-01-03")
        )
    assert several == {"2026-01-02": 4, "2026-01-03": 9}
