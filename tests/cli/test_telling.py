"""What progress shows of partitions, and what `treadle dev` says of runs."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

import pytest

from treadle.cli.dev import _tell_run
from treadle.cli.progress import Telling
from treadle.core.keys import AssetKey
from treadle.daemon.news import Change
from treadle.state.events import AssetMaterialized, EventLogEntry, HandledOutput, StepSucceeded
from treadle.state.facts import AssetMaterialization
from treadle.state.runs import Run, RunRecord


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


def test_no_run_waits_for_whoever_does_not_read_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    run = Run(job_name="nightly", run_id="0" * 36)
    record = RunRecord(storage_id=1, run=run, create_timestamp=now, update_timestamp=now)
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as lines, os.fdopen(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        for _ in range(2000):
            _tell_run(Change(0.0, "failed", record, 1.5, "step load: ValueError: no"))
        os.set_blocking(reader, False)
        said = lines.read().decode().splitlines()
    assert 100 < len(said) < 2000
    assert said[0].endswith("run 00000000  nightly  failed in 1.50s: step load: ValueError: no")
