"""`treadle asset`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.core.keys import AssetKey
from treadle.host.instance import Instance

DEFS = """
import treadle as t

days = t.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-11")

@t.asset(group_name="raw", kinds={"csv"}, tags={"tier": "1"}, owners=["team:shop"])
def orders(context):
    "Orders as they came."
    print("printed", flush=True)
    context.log.info("logged")
    context.log.debug("hidden")
    return t.MaterializeResult(metadata={"rows": 3, "table": t.MetadataValue.table([t.TableRecord({"a": 1})])})

@t.asset(deps=[orders])
def report(): ...

@t.asset_check(asset=orders)
def not_empty():
    return t.AssetCheckResult(passed=True, description="3 rows")

@t.asset(partitions_def=days, key_prefix="by")
def day(context) -> None: ...

@t.asset(partitions_def=days, backfill_policy=t.BackfillPolicy.single_run())
def several(context) -> None:
    context.log.info(f"{len(context.partition_keys)} keys")

source = t.AssetSpec("source")
defs = t.Definitions([orders, report, day, several, source], asset_checks=[not_empty])
"""


@pytest.fixture
def shop(write: Callable[..., Path]) -> None:
    write("defs.py", DEFS)
    write("pyproject.toml", '[tool.treadle]\npython_file = "defs.py"\n')


@pytest.mark.usefixtures("shop")
class TestList:
    def test_keys_one_a_line(self, treadle: Callable[..., Any]) -> None:
        assert treadle("asset", "list").out.split() == ["by/day", "orders", "report", "several", "source"]

    def test_selection(self, treadle: Callable[..., Any]) -> None:
        assert treadle("asset", "list", "--select", "orders+").out.split() == ["orders", "report"]
        assert treadle("asset", "list", "--select", "source,by/day").out.split() == ["by/day", "source"]

    def test_json(self, treadle: Callable[..., Any]) -> None:
        found = {one["asset_key"]: one for one in json.loads(treadle("asset", "list", "--json").out)}
        assert found["orders"]["kinds"] == ["csv"]
        assert found["orders"]["needed_by"] == ["report"]
        assert found["orders"]["checks"] == ["not_empty"]
        assert found["report"]["depends_on"] == ["orders"]
        assert found["source"]["is_external"] is True

    def test_from_the_environment_unless_the_command_line_says_otherwise(
        self, treadle: Callable[..., Any], write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write("env_defs.py", "import treadle\n@treadle.asset\ndef from_env(): ...\n")
        write("cli_defs.py", "import treadle\n@treadle.asset\ndef from_cli(): ...\n")
        monkeypatch.setenv("DAGSTER_MODULE_NAME", "env_defs")
        assert treadle("asset", "list").out.split() == ["from_env"]
        assert treadle("asset", "list", "-f", "cli_defs.py").out.split() == ["from_cli"]
        monkeypatch.delenv("DAGSTER_MODULE_NAME")
        monkeypatch.setenv("TREADLE_CLI_ASSET_LIST_SELECT", "report")
        assert treadle("asset", "list").out.split() == ["report"]

    def test_one_of_several_locations(self, treadle: Callable[..., Any], write: Callable[..., Path]) -> None:
        write("other.py", "import treadle\n@treadle.asset\ndef other_asset(): ...\n")
        write(
            "w.yaml", "load_from: [{python_file: defs.py}, {python_file: {relative_path: other.py, location_name: o}}]"
        )
        assert treadle("asset", "list", "-w", "w.yaml", "-l", "o").out.split() == ["other_asset"]
        called = treadle("asset", "list", "-w", "w.yaml")
        assert (called.code, "Choose with -l: defs.py, o" in called.err) == (2, True)
        called = treadle("asset", "list", "-w", "w.yaml", "-l", "p")
        assert (called.code, "no code location 'p'" in called.err) == (2, True)


@pytest.mark.usefixtures("shop")
class TestMaterialize:
    def test_progress_is_one_plain_line_an_event(self, treadle: Callable[..., Any]) -> None:
        called = treadle("asset", "materialize", "--select", "orders+")
        assert called.code == 0, called.err
        lines = [line.split("  ", 1)[1] for line in called.out.splitlines() if "  " in line]
        assert lines.index("orders  started") < lines.index("orders  info: logged") < lines.index("report  started")
        assert "orders  materialized orders  rows=3 table=…" in lines
        assert any(line.startswith("orders  done in ") for line in lines)
        assert any("check not_empty on orders passed: 3 rows" in line for line in lines)
        assert "hidden" not in called.out
        last = called.out.splitlines()[-1]
        assert last.startswith("run ")
        assert last.endswith("3 steps, 2 materializations, 1 of 1 check passed")
        assert called.err == ""

    def test_verbose_shows_every_event(self, treadle: Callable[..., Any]) -> None:
        out = treadle("asset", "materialize", "--select", "orders", "-v").out
        assert "debug: hidden" in out
        assert "Started capturing logs" in out

    def test_json_is_all_there_is_on_stdout(self, treadle: Callable[..., Any]) -> None:
        called = treadle("asset", "materialize", "--select", "orders", "--tags", "a=b", "--tags", '{"n": 1}', "--json")
        document = json.loads(called.out)
        assert document["success"] is True
        assert document["tags"] == {"a": "b", "n": "1"}
        assert document["materializations"][0]["metadata"] == {"rows": 3, "table": [{"a": 1}]}
        assert [one["passed"] for one in document["checks"]] == [True]
        assert "orders  started" in called.err

    def test_partition(self, treadle: Callable[..., Any]) -> None:
        called = treadle("asset", "materialize", "--select", "by/day", "--partition", "2024-01-03")
        assert called.code == 0
        assert "materialized by/day [2024-01-03]" in called.out

    def test_partition_range(self, treadle: Callable[..., Any]) -> None:
        called = treadle("asset", "materialize", "--select", "several", "--partition-range", "2024-01-02...2024-01-04")
        assert (called.code, "info: 3 keys" in called.out) == (0, True), called.err
        with Instance.get() as instance:
            made = instance.get_materialized_partitions(AssetKey("several"))
        assert made == {"2024-01-02", "2024-01-03", "2024-01-04"}

    @pytest.mark.parametrize(
        "options",
        [
            ["--partition", "a", "--partition-range", "a...b"],
            ["--partition-range", "a"],
            ["--config", "{}", "--config-json", "{}"],
            ["--config-json", "{"],
            ["--config-json", "[]"],
        ],
    )
    def test_options_that_cannot_be_right(self, options: list[str], treadle: Callable[..., Any]) -> None:
        called = treadle("asset", "materialize", "--select", "several", *options)
        assert called.code == 2
        assert called.err.startswith("error: --")


@pytest.mark.usefixtures("shop")
class TestShow:
    def test_what_is_declared_and_what_is_known(self, treadle: Callable[..., Any]) -> None:
        out = treadle("asset", "show", "orders").out
        assert "never materialized" in out
        assert "check not_empty: never evaluated" in out
        treadle("asset", "materialize", "--select", "orders")
        out = treadle("asset", "show", "orders").out
        assert "defs.py, line 6" in out
        assert "Orders as they came." in out
        assert "latest materialization: orders at " in out
        assert "rows  3" in out
        assert "check not_empty: passed at " in out

    def test_partitions(self, treadle: Callable[..., Any]) -> None:
        treadle("asset", "materialize", "--select", "by/day", "--partition", "2024-01-03")
        assert "10 (2024-01-01 … 2024-01-10): 1 materialized, 9 missing" in treadle("asset", "show", "by/day").out
        shown = json.loads(treadle("asset", "show", "by/day", "--json").out)
        assert (shown["partition_status"]["total"], shown["partition_status"]["materialized"]) == (10, 1)
        assert shown["latest_materialization"]["partition"] == "2024-01-03"

    def test_external(self, treadle: Callable[..., Any]) -> None:
        assert "nothing here: it is external" in treadle("asset", "show", "source").out


@pytest.mark.usefixtures("shop")
class TestWipe:
    def test_forgets_what_is_named(self, treadle: Callable[..., Any]) -> None:
        treadle("asset", "materialize", "--select", "orders,report")
        assert treadle("asset", "wipe", "orders", "--noprompt").out == "Wiped 1 asset.\n"
        assert "never materialized" in treadle("asset", "show", "orders").out
        assert "latest materialization" in treadle("asset", "show", "report").out
        assert treadle("asset", "wipe", "--all", "--noprompt").code == 0
        assert "never materialized" in treadle("asset", "show", "report").out

    def test_asks_and_takes_no_for_an_answer(
        self, treadle: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        treadle("asset", "materialize", "--select", "orders")
        for answer, code in ((False, 1), (True, 0)):
            monkeypatch.setattr("click.confirm", lambda *a, answer=answer, **k: answer)
            assert treadle("asset", "wipe", "orders").code == code
        assert "never materialized" in treadle("asset", "show", "orders").out

    @pytest.mark.parametrize("args", [[], ["orders", "--all"], ["no_such"]])
    def test_what_is_not_clear_is_refused(self, args: list[str], treadle: Callable[..., Any]) -> None:
        assert treadle("asset", "wipe", *args).code == 2
