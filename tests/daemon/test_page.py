"""What the status page shows, and that it stays small and harmless."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.test_locations import page_of

from treadle.core import tags
from treadle.daemon.news import News, why_failed
from treadle.daemon.page import StatusPage
from treadle.host.instance import Instance
from treadle.state.error_info import ErrorInfo
from treadle.state.events import (
    Event,
    RunCanceled,
    RunEnqueued,
    RunFailed,
    RunStarted,
    RunStarting,
    RunSucceeded,
    StepFailed,
)
from treadle.state.runs import Run, RunRecord, RunStatus
from treadle.store.locations import LocationRecord

MARKUP = "<script>alert('x')</script>"


class Home:
    """A home whose runs are written by hand, and its page."""

    def __init__(self, folder: Path) -> None:
        self.instance = Instance.get(folder)
        self.held: dict[str, str] = {}

    def run(self, *events: Event, job: str = "quick", **given: str) -> Run:
        made = self.instance.create_run(job_name=job, location_name="defs.py", tags=given)
        for event in events:
            self.instance.store.transition(made.run_id, set(RunStatus), [event])
        return made

    def failed(self, error: str, step: str = "load", job: str = "quick") -> Run:
        failed = (StepFailed(step, error=ErrorInfo(error)), RunFailed(job, failed_steps=(step,)))
        return self.run(RunStarting(), RunStarted(job), *failed, job=job)

    def page(self) -> str:
        page = StatusPage(self.instance, "127.0.0.1", 0, lambda: self.held)
        try:
            return page_of(page.url)
        finally:
            page.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    with made.instance:
        yield made


def rows(page: str, title: str) -> list[dict[str, str]]:
    """The rows of a table, by the heads of their columns."""
    table = page.partition(f"<h2>{title}")[2].partition("</table>")[0]
    return [dict(re.findall(r'<td data-of="([^"]*)">(.*?)</td>', row, re.DOTALL)) for row in table.split("</tr>")[1:-1]]


def test_an_empty_home_says_so(home: Home) -> None:
    page = home.page()
    for text in ("There are no code locations.", "Nothing waits.", "Nothing has run yet."):
        assert text in page
    assert "<table>" not in page


def test_active_runs_come_first_and_the_rest_is_counted(home: Home) -> None:
    under_way = home.run(RunStarting(), RunStarted("quick"))
    with home.instance.store.database.transaction():
        for _ in range(60):
            home.run(RunStarting(), RunStarted("quick"), RunSucceeded("quick"))
    page = home.page()
    assert "<h2>Runs: 50 of 61</h2>" in page
    shown = rows(page, "Runs")
    assert len(shown) == 50
    assert under_way.run_id in shown[0]["run"]
    assert shown[0]["status"] == '<span class="busy">STARTED</span>'
    assert shown[1]["status"] == '<span class="good">SUCCESS</span>'
    assert shown[1]["took"]


def test_a_long_queue_makes_no_long_page(home: Home) -> None:
    with home.instance.store.database.transaction():
        for _ in range(300):
            home.run(RunEnqueued())
        urgent = home.run(RunEnqueued(), **{tags.PRIORITY: "7"})
    home.held[urgent.run_id] = "The queue is paused."
    page = home.page()
    assert "<h2>Queue: 50 of 301</h2>" in page
    shown = rows(page, "Queue")
    first = shown[0]
    assert len(shown) == 50
    assert urgent.run_id in first["run"]
    assert [first[name] for name in ("location", "priority", "age", "why it waits")] == [
        "defs.py", "7", "under 1 min", "The queue is paused.",
    ]  # fmt: skip
    assert page.count(urgent.run_id) == 1, "what waits is no run yet"


def test_a_failed_run_says_why_in_a_line(home: Home) -> None:
    run = home.failed("ValueError: no such table 'x'\n  and " + "more " * 100)
    [shown] = rows(home.page(), "Runs")
    assert shown["why"].startswith("step load: ValueError: no such table &#x27;x&#x27; and more")
    assert len(shown["why"]) < 300
    assert (
        why_failed(home.instance, home.run(RunStarting(), RunFailed("quick", error=ErrorInfo("gone"))).run_id) == "gone"
    )
    assert why_failed(home.instance, run.run_id).endswith("…")


@pytest.mark.parametrize(
    ("owner", "text"), [("x", "The last good code still serves: new runs have it."), (None, "Its runs wait.")]
)
def test_a_location_that_failed_says_whether_old_code_serves(home: Home, owner: str | None, text: str) -> None:
    record = LocationRecord("defs.py", "failed", time.time(), owner, error=ErrorInfo("LoadError: no"))
    home.instance.store.locations.put(record)
    [shown] = rows(home.page(), "Code locations")
    assert shown["state"] == '<span class="bad">failed</span>'
    assert shown["why"] == f"{text}\nLoadError: no"


def test_names_are_text(home: Home) -> None:
    home.failed(f"ValueError: {MARKUP}", f"{MARKUP}", MARKUP)
    waits = home.run(RunEnqueued(), job=MARKUP, **{tags.PRIORITY: MARKUP, MARKUP: MARKUP})
    home.held[waits.run_id] = f"The tag {MARKUP} has its limit."
    home.instance.store.locations.put(LocationRecord(MARKUP, "failed", time.time(), error=ErrorInfo(MARKUP)))
    page = home.page()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 7


def test_news_tells_starts_and_ends_once(home: Home) -> None:
    home.failed("before")
    news = News(home.instance)
    assert news.read() == []
    failed = home.failed("ValueError: no")
    home.run(RunStarting(), RunStarted("quick"), RunCanceled("quick"))
    home.run(RunEnqueued())
    told = news.read()
    assert [one.word for one in told] == ["started", "failed", "started", "canceled"]
    assert isinstance(told[1].record, RunRecord)
    assert told[1].record.run.run_id == failed.run_id
    assert told[1].why == "step load: ValueError: no"
    assert told[1].took_s is not None
    assert news.read() == []
