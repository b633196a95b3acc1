"""What progress shows of partitions."""

from __future__ import annotations

from treadle.cli.progress import Telling
from treadle.core.keys import AssetKey
from treadle.state.events import AssetMaterialized, EventLogEntry, HandledOutput, StepSucceeded
from treadle.state.facts import AssetMaterialization


def told(*made: tuple[str, str | None], verbose: bool = False) -> list[str]:
    telling = Telling(verbose)
    events = [AssetMaterialized(AssetMaterialization(AssetKey(a), partition=p), a) for a, p in made]
    ended = [HandledOutput("a", "result", "io_manager"), StepSucceeded("a", 5.0)]
    entries = [EventLogEntry("run", float(at), event) for at, event in enumerate([*events, *ended])]
    return [line.text for entry in entries for _, line in telling.lines(entry)]


def test_partitions_of_an_asset_become_one_line() -> None:
    assert told(("a", "x"), ("a", "y"), ("a", "z"))[0] == "materialized 3 partitions of a [x ... z]"


def test_assets_are_told_apart() -> None:
    lines = told(("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("c", None))
    assert [line for line in lines if line.startswith("materialized")] == [
        "materialized 2 partitions of a [x ... y]",
        "materialized 2 partitions of b [x ... y]",
        "materialized c",
    ]


def test_verbose_shows_each() -> None:
    assert sum(line.startswith("materialized a") for line in told(("a", "x"), ("a", "y"), verbose=True)) == 2
