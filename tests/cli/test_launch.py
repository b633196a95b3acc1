"""`treadle run launch` by what the store knows of code locations: which assets a selection means, which partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import treadle as t
from treadle.author.manifest import manifest_of
from treadle.core import tags
from treadle.core.keys import AssetKey
from treadle.host.instance import Instance
from treadle.state.runs import Run
from treadle.store.locations import LocationRecord

DAYS = t.DailyPartitionsDefinition("2026-11-01", end_date="2026-11-10")


@t.asset
def orders() -> None: ...


@t.asset(deps=[orders, t.AssetKey("outside")])
def sales() -> None: ...


@t.asset(partitions_def=DAYS)
def daily() -> None: ...


@t.op
def say() -> None: ...


@t.job
def talk() -> None:
    say()


SHOP = t.Definitions(assets=[orders, sales, daily], jobs=[t.define_asset_job("nightly", "sales"), talk])


@t.asset
def stock() -> None: ...


class Home:
    """A home whose code locations are known, and the command line that launches there."""

    def __init__(self, instance: Instance, treadle: Callable[..., Any]) -> None:
        self.instance = instance
        self._treadle = treadle

    def knows(self, name: str, definitions: t.Definitions) -> None:
        self.instance.store.locations.put(LocationRecord(name, "ready", 0.0), manifest_of(definitions))

    def launch(self, *args: str) -> Run:
        called = self._treadle("run", "launch", *args)
        assert called.code == 0, called.err
        run = self.instance.get_run_by_id(called.out.strip())
        assert run is not None
        assert run.status.value == "QUEUED"
        return run

    def refused(self, *args: str) -> str:
        called = self._treadle("run", "launch", *args)
        assert called.code == 2
        assert not self.instance.get_runs_count()
        return called.err


@pytest.fixture
def home(treadle: Callable[..., Any], project: Path) -> Iterator[Home]:
    with Instance.get(project / ".treadle") as instance:
        made = Home(instance, treadle)
        made.knows("shop.py", SHOP)
        yield made


def names(run: Run) -> set[str]:
    return {key.to_user_string() for key in run.asset_selection or ()}


@pytest.mark.parametrize(
    ("args", "job", "expected"),
    [
        (("--select", "orders"), "__ASSET_JOB", {"orders"}),
        (("--select", "+sales"), "__ASSET_JOB", {"orders", "sales"}),
        (("--select", "orders", "--select", "sales"), "__ASSET_JOB", {"orders", "sales"}),
        (("--select", "*", "-j", "nightly"), "nightly", {"sales"}),
    ],
)
def test_a_selection_is_of_the_assets_of_the_job(
    home: Home, args: tuple[str, ...], job: str, expected: set[str]
) -> None:
    run = home.launch(*args)
    assert (run.job_name, run.location_name, names(run)) == (job, "shop.py", expected)


def test_a_selection_finds_its_code_location(home: Home) -> None:
    home.knows("stock.py", t.Definitions([stock]))
    assert home.launch("--select", "stock").location_name == "stock.py"
    assert home.launch("--select", "orders").location_name == "shop.py"
    assert names(home.launch("--select", "*", "-l", "stock.py")) == {"stock"}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("", "Name a job with --job, or assets with --select"),
        ("--select ordres", "'ordres' is selected but does not exist"),
        ("--select outside", "selects nothing that '__ASSET_JOB' makes"),
        ("--select orders -j talk", "selects nothing that 'talk' makes"),
        ("--select orders -j nope", "There is no job 'nope'"),
        ("--select orders -l elsewhere.py", "There is no code location 'elsewhere.py'"),
        ("--select daily", "it needs a partition: --partition KEY, for example '2026-11-09'"),
        ("--select orders --partition 2026-11-01", "has no partitions"),
        ("--select daily --partition 2026-10-01", "There is no partition '2026-10-01'"),
        ("--select daily --partition-range 2026-11-01...2026-12-01", "There is no partition '2026-12-01'"),
        ("--select daily --partition-range 2026-11-01", "Write the first and the last key"),
        ("--select daily --partition 2026-11-01 --partition-range a...b", "Give one of them"),
    ],
)
def test_what_cannot_be_right_is_refused_at_once(home: Home, args: str, said: str) -> None:
    assert said in home.refused(*args.split())


def test_several_locations_must_be_told_apart(home: Home) -> None:
    home.knows("stock.py", t.Definitions([stock]))
    assert "several code locations: shop.py, stock.py. Choose one with -l." in home.refused("--select", "*")


def test_what_was_never_loaded_cannot_be_selected_from(treadle: Callable[..., Any]) -> None:
    called = treadle("run", "launch", "--select", "orders")
    assert called.code == 2
    assert "nobody knows what --select means. Start `treadle dev`" in called.err


def test_partitions_of_what_is_selected(home: Home) -> None:
    assert home.launch("--select", "daily", "--partition", "2026-11-03").tags[tags.PARTITION] == "2026-11-03"
    run = home.launch("--select", "daily", "--partition-range", "2026-11-01...2026-11-03")
    assert run.asset_selection == {AssetKey("daily")}
    assert (run.tags[tags.PARTITION_RANGE_START], run.tags[tags.PARTITION_RANGE_END]) == ("2026-11-01", "2026-11-03")
