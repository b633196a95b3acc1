"""The Python of the project's seed documents runs as it stands, under the name `dagster`.

Each block that uses the orchestrator is compiled with the name and line of its document and executed; what a document
leaves out (a function of the author's project, a library) stands around the block, never inside. What the block defined
is then used. `CANNOT_RUN` names the blocks that cannot run, and `WITHOUT_IT` those that have nothing to do with it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import dagster as dg

FOLDER = Path(__file__).parent
Space = dict[str, Any]


def blocks() -> Iterator[tuple[str, Any]]:
    """Each Python block as `file:line` of its fence, and its code."""
    for page in sorted(FOLDER.glob("*.md")):
        text = page.read_text()
        for found in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, found.start()) + 1
            yield f"{page.name}:{line}", compile("\n" * line + found[1], str(page), "exec", dont_inherit=True)


CODE = dict(blocks())
GREET, JOB, DEFINITIONS, EXECUTE = (f"002-fork-and-compare.md:{line}" for line in (46, 58, 70, 89))
PART_7 = "004-lakehouse-orchestration.md"

CANNOT_RUN = {
    "003-architecture.md:71": (dg.DagsterInvalidDefinitionError, "`[...]` stands for lists that the reader fills in"),
}
WITHOUT_IT = {
    f"{PART_7}:627": "settings of the author's project, with pydantic_settings alone",
}


def run(name: str, **around: Any) -> Space:
    """What a block defines, with these names around it."""
    space: Space = {"__name__": "seed", "dg": dg, "MaterializeResult": dg.MaterializeResult, **around}
    exec(CODE[name], space)
    return space


def module(monkeypatch: pytest.MonkeyPatch, name: str, **names: Any) -> None:
    """A module that a block imports from, and the packages around it."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        monkeypatch.setitem(sys.modules, ".".join(parts[:count]), ModuleType(".".join(parts[:count])))
    vars(sys.modules[name]).update(names)


class Recorder:
    """Takes every call, and remembers it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: self.calls.append((name, *args, *kwargs.values()))


DAYS = dg.DailyPartitionsDefinition("2024-10-01")
CALLS: list[tuple[Any, ...]] = []


class DbtCliResource(dg.ConfigurableResource):
    def cli(self, args: list[str]) -> None:
        CALLS.append(("dbt", *args))


class IcebergResource(dg.ConfigurableResource):
    def ensure_table(self, table: Any) -> None:
        CALLS.append(("ensure_table", table))

    def merge_parquet(self, table: Any) -> None:
        CALLS.append(("merge_parquet", table))


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


USES: dict[str, Callable[..., None]] = {}


def use(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a function the test of a block."""

    def add(fn: Callable[..., None]) -> Callable[..., None]:
        USES[name] = fn
        return fn

    return add


@pytest.mark.parametrize("name", [name for name in CODE if name not in CANNOT_RUN | WITHOUT_IT])
def test_a_block_runs_as_it_stands(
    name: str, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance, capsys: pytest.CaptureFixture[str]
) -> None:
    fixtures = {"monkeypatch": monkeypatch, "instance": instance, "capsys": capsys}
    wanted = USES[name].__code__.co_varnames[: USES[name].__code__.co_argcount]
    USES[name](*(fixtures[one] for one in wanted))


@pytest.mark.parametrize("name", CANNOT_RUN)
def test_a_block_that_cannot_run_says_why(name: str) -> None:
    error, _ = CANNOT_RUN[name]
    with pytest.raises(error):
        run(name, Definitions=dg.Definitions)


@pytest.mark.parametrize("name", WITHOUT_IT)
def test_a_block_without_the_orchestrator(name: str) -> None:
    words = {word for const in (CODE[name], *CODE[name].co_consts) for word in getattr(const, "co_names", ())}
    assert not words & {"dg", "dagster"}


def test_every_block_has_its_place() -> None:
    assert CODE.keys() == USES.keys() | CANNOT_RUN.keys() | WITHOUT_IT.keys()
    assert len(CODE) == len(USES) + len(CANNOT_RUN) + len(WITHOUT_IT) == 21


# --- 002: a first job ------------------------------------------------------------------------------------------------


def greeting_job() -> Any:
    @dg.op
    def log_greeting(context: dg.OpExecutionContext, greeting: str) -> str:
        context.log.info(greeting)
        return greeting

    return run(JOB, greet=run(GREET)["greet"], log_greeting=log_greeting)["greeting_job"]


@use(GREET)
def an_op() -> None:
    greet = run(GREET)["greet"]
    assert greet("World") == "Hello, World!"
    assert greet.description == "A simple greeting operation"


@use(JOB)
def a_job() -> None:
    job = greeting_job()
    assert (job.name, job.description) == ("greeting_job", "Simple greeting job")
    result = job.execute_in_process(run_config={"ops": {"greet": {"inputs": {"name": "CLI"}}}})
    assert result.output_for_node("log_greeting") == "Hello, CLI!"


@use(DEFINITIONS)
def definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    job = greeting_job()
    module(monkeypatch, "orchestrators.dagster.jobs", greeting_job=job)
    defs = run(DEFINITIONS)["defs"]
    dg.Definitions.validate_loadable(defs)
    assert defs.get_job_def("greeting_job").name == job.name


@use(EXECUTE)
def a_run_with_inputs_from_config(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module(monkeypatch, "orchestrators.dagster.jobs", greeting_job=greeting_job())
    assert run(EXECUTE)["result"].success
    assert capsys.readouterr().out == "Success: True\nOutput: Hello, World!\n"


# --- 004: assets -----------------------------------------------------------------------------------------------------


def fails_for_its_placeholder(result: Any, asset: str) -> None:
    """The document leaves out the metadata: `metadata={...}` is a set, which the run says."""
    assert result.get_failed_step_keys() == {asset}
    assert "Metadata of the MaterializeResult of 'dlt_glucose_entries' is {Ellipsis}" in str(
        result.failure_data_for_node(asset).error
    )


@use(f"{PART_7}:46")
def assets() -> None:
    space = run(f"{PART_7}:46", DbtCliResource=DbtCliResource, dbt=DbtCliResource())
    chain = [space["dbt_bronze"], space["dbt_silver"]]
    assert space["dbt_silver"].dependency_keys == {dg.AssetKey("dbt_bronze")}
    assert dg.materialize(chain, resources={"dbt": DbtCliResource()}).success
    assert [("dbt", "build", "--select", f"tag:{layer}") for layer in ("bronze", "silver")] == CALLS
    fails_for_its_placeholder(
        dg.materialize([space["dlt_glucose_entries"]], raise_on_error=False), "dlt_glucose_entries"
    )


@use(f"{PART_7}:91")
def a_partitioned_asset(monkeypatch: pytest.MonkeyPatch) -> None:
    module(monkeypatch, "phlo.defs.partitions", daily_partition=DAYS)
    asked: list[tuple[str, str]] = []
    space = run(f"{PART_7}:91", fetch_from_nightscout=lambda start, end: asked.append((start, end)))
    asset = space["dlt_glucose_entries"]
    assert (asset.partitions_def, asset.get_asset_spec().description) == (DAYS, "Daily ingestion of glucose entries")
    result = dg.materialize([asset], partition_key="2024-10-15", raise_on_error=False)
    assert asked == [("2024-10-15T00:00:00.000Z", "2024-10-15T23:59:59.999Z")]
    fails_for_its_placeholder(result, "dlt_glucose_entries")


@use(f"{PART_7}:156")
def an_asset_made_every_hour() -> None:
    asset = run(f"{PART_7}:156", daily_partition=DAYS)["entries"]
    condition = dg.AutomationCondition.on_cron("0 */1 * * *")
    assert asset.get_asset_spec().automation_condition == condition
    assert dg.materialize([asset], partition_key="2024-10-15").asset_value("entries") is None


@use(f"{PART_7}:286")
def assets_of_dbt() -> None:
    space = run(
        f"{PART_7}:286", DbtCliResource=DbtCliResource, dbt_assets=lambda _: dg.asset(deps=["dlt_glucose_entries"])
    )
    result = dg.materialize([space["all_dbt_assets"], space["entries"]], resources={"dbt": DbtCliResource()})
    assert [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()] == [
        "dlt_glucose_entries", "all_dbt_assets",
    ]  # fmt: skip
    assert CALLS == [("dbt", "build")]


@use(f"{PART_7}:370")
def materialize() -> None:
    @dg.asset(partitions_def=DAYS)
    def dlt_glucose_entries(context: dg.AssetExecutionContext) -> None:
        CALLS.append((context.partition_key,))

    run(f"{PART_7}:370", dlt_glucose_entries=dlt_glucose_entries)
    assert CALLS == [("2024-10-15",)]


@use(f"{PART_7}:567")
def logs_and_metadata(instance: dg.DagsterInstance) -> None:
    result = dg.materialize([run(f"{PART_7}:567")["dlt_glucose_entries"]], instance=instance)
    [event] = result.asset_materializations_for_node("dlt_glucose_entries")
    assert event.metadata["rows_loaded"] == dg.MetadataValue.int(288)
    assert event.metadata["duration_seconds"] == dg.MetadataValue.float(2.45)
    assert event.metadata["partition"] == dg.MetadataValue.text("2024-10-15")
    told = [
        (entry.level, entry.user_message) for entry in instance.all_logs(result.run_id) if not entry.is_dagster_event
    ]
    assert told == [(20, "Starting ingestion..."), (30, "Got 288 entries"), (40, "Failed to connect to MinIO")]


@use(f"{PART_7}:609")
def a_freshness_policy_of_minutes() -> None:
    with pytest.warns(DeprecationWarning, match="FreshnessPolicy.time_window"):
        asset = run(f"{PART_7}:609", FreshnessPolicy=dg.FreshnessPolicy, daily_partition=DAYS)["dlt_glucose_entries"]
    assert asset.get_asset_spec().freshness_policy == dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=1))
    assert dg.materialize([asset], partition_key="2024-10-15").success


@use(f"{PART_7}:652")
def an_asset_with_settings(instance: dg.DagsterInstance) -> None:
    settings = SimpleNamespace(iceberg_warehouse_path="s3://lake/warehouse", nessie_branch="dev")
    space = run(f"{PART_7}:652", IcebergResource=IcebergResource, config=settings)
    result = dg.materialize([space["dlt_glucose_entries"]], resources={"iceberg": IcebergResource()}, instance=instance)
    told = [entry.user_message for entry in instance.all_logs(result.run_id) if not entry.is_dagster_event]
    assert told == ["Using warehouse: s3://lake/warehouse", "Using branch: dev"]


@use(f"{PART_7}:724")
def an_asset_made_eagerly() -> None:
    with pytest.warns(DeprecationWarning, match="tags.*string"):
        asset = run(f"{PART_7}:724", daily_partition=DAYS)["dlt_glucose_entries"]
    spec = asset.get_asset_spec()
    assert spec.automation_condition == dg.AutomationCondition.eager()
    assert spec.tags["dagster/max_concurrency"] == "4"


# --- 004: schedules, sensors -----------------------------------------------------------------------------------------


@use(f"{PART_7}:133")
def a_schedule() -> None:
    with pytest.warns(DeprecationWarning, match="daily_schedule"):
        schedule = run(f"{PART_7}:133", get_today_date=lambda: "2024-10-15")["daily_ingestion"]
    entries = run(f"{PART_7}:156", daily_partition=DAYS)["entries"]
    defs = dg.Definitions(assets=[entries], schedules=[schedule])
    dg.Definitions.validate_loadable(defs)
    assert (schedule.cron_schedule, schedule.description) == ("0 0 * * *", "Ingest new data every morning at 6 AM.")
    due = datetime(2024, 10, 16, tzinfo=UTC)
    [request] = schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=due)).run_requests
    job = defs.get_job_def(schedule.job_name)
    result = job.execute_in_process(partition_key=request.partition_key, tags=request.tags)
    [event] = result.get_asset_materialization_events()
    assert (event.asset_key, event.partition) == (dg.AssetKey("entries"), "2024-10-15")


@use(f"{PART_7}:143")
def a_sensor() -> None:
    news = [True]
    space = run(f"{PART_7}:143", has_new_data=news.pop, get_latest_timestamp=lambda: "2024-10-15T10:30")
    sensor = space["nightscout_api_sensor"]
    dg.Definitions.validate_loadable(dg.Definitions(sensors=[sensor]))
    [result] = sensor()
    assert result.cursor == "2024-10-15T10:30"
    assert [request.tags for request in result.run_requests] == [{"source": "nightscout"}]
    news.append(True)
    with pytest.raises(dg.DagsterInvariantViolationError, match="starts nothing"):  # the document gives it no target
        sensor.evaluate_tick(dg.build_sensor_context())
    news.append(False)
    assert sensor.evaluate_tick(dg.build_sensor_context()).skip_message


@use(f"{PART_7}:589")
def a_sensor_of_failures(instance: dg.DagsterInstance) -> None:
    alerts: list[str] = []
    sensor = run(f"{PART_7}:589", DagsterRunStatus=dg.DagsterRunStatus, send_slack_alert=alerts.append)[
        "failure_alert_sensor"
    ]

    @dg.asset
    def broken() -> None:
        raise ValueError("no data")

    @dg.asset
    def sound() -> None: ...

    for asset in (sound, broken):
        dg.materialize([asset], instance=instance, raise_on_error=False)
    with pytest.warns(DeprecationWarning, match="RunsFilter"):
        tick = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
    assert (len(alerts), tick.run_requests) == (1, [])
    assert alerts[0].startswith("Pipeline failed: ")


# --- 004: resources, checks, ops -------------------------------------------------------------------------------------


@use(f"{PART_7}:174")
def resources() -> None:
    connected = Recorder()
    trino = SimpleNamespace(dbapi=SimpleNamespace(Connection=object, connect=connected.connect))
    space = run(
        f"{PART_7}:174", trino=trino, IcebergCatalog=object, IcebergResource=IcebergResource,
        get_catalog=lambda ref: f"catalog {ref}",
    )  # fmt: skip
    with dg.build_resources({"iceberg": space["iceberg_resource"]}) as built:
        assert built.iceberg == "catalog dev"
    assert dg.materialize([space["dlt_glucose_entries"]], resources={"iceberg": IcebergResource()}).success
    assert CALLS == [("ensure_table", ...), ("merge_parquet", ...)]
    assert isinstance(space["trino_resource"], dg.ResourceDefinition)
    settings = SimpleNamespace(trino_host="trino", trino_port=8080)  # the author's, which no context has
    space["trino_resource"].resource_fn(settings)
    assert connected.calls == [("connect", "trino", 8080, "phlo")]


class Table:
    """A table with so many rows, and so many that each filter finds."""

    def __init__(self, rows: int, found: int) -> None:
        self.rows, self.found = rows, found

    def scan(self) -> Table:
        return self

    def filter(self, condition: str) -> Table:
        return Table(self.found, self.found)

    def count(self) -> int:
        return self.rows

    count_rows = count


@use(f"{PART_7}:207")
def checks() -> None:
    @dg.asset
    def dlt_glucose_entries() -> None: ...

    @dg.asset(deps=[dlt_glucose_entries])
    def fct_glucose_readings() -> None: ...

    tables = {"raw.glucose_entries": Table(288, 0), "silver.fct_glucose_readings": Table(288, 3)}
    made = {"dlt_glucose_entries": dlt_glucose_entries, "fct_glucose_readings": fct_glucose_readings}
    space = run(f"{PART_7}:207", get_table=tables.__getitem__, **made)
    result = dg.materialize([*made.values(), space["glucose_not_null"], space["range_check"]])
    found = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert {name: one.passed for name, one in found.items()} == {"glucose_not_null": True, "range_check": False}
    assert found["glucose_not_null"].metadata["total_rows"] == dg.MetadataValue.int(288)
    assert found["range_check"].metadata["out_of_range_count"] == dg.MetadataValue.int(3)
    assert result.success  # they do not block


@use(f"{PART_7}:664")
def ops() -> None:
    iceberg = Recorder()
    answer = SimpleNamespace(json=lambda: [{"sgv": 110}])
    space = run(
        f"{PART_7}:664", requests=SimpleNamespace(get=lambda url: answer),
        pandera_schema=SimpleNamespace(validate=lambda rows: [*rows, "validated"]), iceberg=iceberg,
    )  # fmt: skip
    result = space["ingestion_pipeline"].execute_in_process()
    assert result.output_for_node("validate_data") == [{"sgv": 110}, "validated"]
    assert iceberg.calls == [("merge_parquet", ...)]
    assert space["ingestion_pipeline"].description == "Explicit workflow if you need more control."
