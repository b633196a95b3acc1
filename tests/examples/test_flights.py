"""The example project: the demo end to end as a user runs it, then its promises one by one on a few days."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import treadle as tr
from flights import assets, definitions, source, storage

DOCS = Path(__file__).parents[2] / "docs" / "flights.md"
WORST_DAY = "2013-03-08"
FLIGHTS_ON_WORST_DAY = 979


# --- the demo -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the demo printed for the whole year, and the folder it wrote to."""
    folder = tmp_path_factory.mktemp("flights")
    done = run_demo(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, folder / "data"


def run_demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "flights.demo", *arguments],
        env={**os.environ, "TREADLE_HOME": str(home), "FLIGHTS_DATA": str(folder / "data"), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )


def count(data: Path, table: str) -> int:
    with duckdb.connect(str(data / "flights.duckdb"), read_only=True) as database:
        return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("stg_flights", 336_776),
        ("stg_weather", 26_115),
        ("delays_by_day", 365),
        ("delays_by_carrier", 16),
        ("delays_by_destination", 105),
        ("delays_by_hour", 19_486),
    ],
)
def test_demo_fills_the_warehouse_with_the_year(demo: tuple[str, Path], table: str, rows: int) -> None:
    assert count(demo[1], table) == rows


def test_demo_writes_a_parquet_file_for_each_day(demo: tuple[str, Path]) -> None:
    files = sorted((demo[1] / "raw" / "raw_flights").iterdir())
    assert [files[0].name, files[-1].name, len(files)] == ["2013-01-01.parquet", "2013-12-31.parquet", 365]
    assert sum(pq.read_metadata(file).num_rows for file in files) == 336_776


def test_demo_draws_the_report(demo: tuple[str, Path]) -> None:
    assert (demo[1] / "report" / "delays.png").read_bytes().startswith(b"\x89PNG")


def test_demo_ends_with_what_was_made_and_where_to_look_next(demo: tuple[str, Path]) -> None:
    printed = demo[0]
    assert re.search(r"raw_flights\W+336,776\W+raw/raw_flights/ \(365 Parquet files\)", printed)
    assert re.search(r"run show [0-9a-f-]{36}", printed)
    assert printed.index("What was made") < printed.index("Where to look next")


def test_demo_fails_when_the_run_cannot_be_made(tmp_path: Path) -> None:
    done = run_demo(tmp_path, "--days", "1999-01-01...1999-01-02")
    assert done.returncode != 0
    assert "The run failed" in done.stdout
    assert "What was made" not in done.stdout


# --- in process -----------------------------------------------------------------------------------------------------


def materialize(
    data: Path, only: Sequence[str] | None = None, day: str | None = WORST_DAY, raise_on_error: bool = True
) -> tr.ExecuteInProcessResult:
    defs = definitions.build(data)
    return tr.materialize(
        [*defs.assets, *defs.asset_checks],
        partition_key=day,
        resources=defs.resources,
        selection=only,
        raise_on_error=raise_on_error,
    )


def test_one_day_goes_through_and_passes_every_check(tmp_path: Path) -> None:
    result = materialize(tmp_path)
    evaluations = {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}
    assert {name: evaluation.passed for name, evaluation in evaluations.items()} == {
        "all_flights_are_there": True,
        "delays_are_plausible": True,
        "flights_have_unique_keys": True,
        "flights_meet_their_weather": True,
        "no_flight_is_lost_or_counted_twice": True,
    }
    assert evaluations["all_flights_are_there"].description == "1 of 365 days are there so far."
    assert count(tmp_path, "stg_flights") == FLIGHTS_ON_WORST_DAY


def test_a_day_run_again_replaces_itself_and_no_other_day(tmp_path: Path) -> None:
    daily = ["raw_flights", "stg_flights", "delays_by_day"]
    for day in ("2013-03-07", WORST_DAY, "2013-03-09"):
        materialize(tmp_path, daily, day)
    before = count(tmp_path, "stg_flights")
    materialize(tmp_path, daily, WORST_DAY)
    assert count(tmp_path, "stg_flights") == before
    assert count(tmp_path, "delays_by_day") == 3


def test_marts_are_refreshed_from_the_days_there_are(tmp_path: Path) -> None:
    materialize(tmp_path)
    materialize(tmp_path, ["raw_flights", "stg_flights"], "2013-03-09")
    refreshed = definitions.build(tmp_path).get_job_def("refresh_marts").execute_in_process()
    assert refreshed.success
    with storage.Warehouse(path=str(tmp_path / "flights.duckdb")).connect() as database:
        (flights,) = database.execute("SELECT sum(flights) FROM delays_by_carrier").fetchone()
    assert flights == count(tmp_path, "stg_flights") > FLIGHTS_ON_WORST_DAY


def test_report_shows_its_plot_and_the_worst_days(tmp_path: Path) -> None:
    result = materialize(tmp_path)
    (materialization,) = result.asset_materializations_for_node("delay_report")
    assert materialization.metadata["plot"].value.startswith("![Delays](data:image/png;base64,iVBOR")
    (record,) = materialization.metadata["worst_days"].records
    assert record.data["flight_date"] == WORST_DAY
    assert record.data["flights"] == FLIGHTS_ON_WORST_DAY


def test_tables_tell_their_size_and_columns(tmp_path: Path) -> None:
    result = materialize(tmp_path, ["raw_weather", "stg_weather"], day=None)
    (materialization,) = result.asset_materializations_for_node("stg_weather")
    metadata = materialization.metadata
    assert metadata["dagster/row_count"].value == 26_115
    assert [column.name for column in metadata["dagster/column_schema"].schema.columns][:2] == ["origin", "hour_utc"]
    assert len(metadata["preview"].records) == storage.PREVIEW_ROWS


def test_repeated_flights_stop_the_marts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(table: str) -> pa.Table:
        rows = source.read_published(table)
        return pa.concat_tables([rows, rows]) if table == "flights" else rows

    monkeypatch.setattr(assets, "read_published", twice)
    result = materialize(tmp_path, raise_on_error=False)
    assert not result.success
    materialized = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert "stg_flights" in materialized
    assert not {name for name in materialized if name.startswith("delay")}


def test_missing_data_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "PACKAGE", "no_such_package")
    with pytest.raises(FileNotFoundError, match="pip install no_such_package"):
        source.read_published("flights")


def test_writers_in_other_processes_wait_their_turn(tmp_path: Path) -> None:
    path = str(tmp_path / "flights.duckdb")
    write = (
        "import sys; from flights.storage import Warehouse\n"
        "print('ready', flush=True)\n"
        "with Warehouse(path=sys.argv[1]).connect(write=True) as database:\n"
        "    database.execute(f'CREATE TABLE table_{sys.argv[2]} AS FROM range(100_000)')"
    )
    with ExitStack() as stack:
        with storage.Warehouse(path=path).connect(write=True) as database, open(f"{path}.lock", "rb") as lock:
            command = [sys.executable, "-c", write, path]
            writers = [
                stack.enter_context(subprocess.Popen([*command, str(n)], stdout=subprocess.PIPE, text=True))
                for n in range(3)
            ]
            assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 3
            database.execute("CREATE TABLE table_of_ours AS FROM range(10)")
            with pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    with storage.Warehouse(path=path).connect() as database:
        assert len(database.execute("FROM duckdb_tables()").fetchall()) == 4


# --- launched -------------------------------------------------------------------------------------------------------


def test_a_launched_run_makes_the_same_as_one_in_process(demo: tuple[str, Path], tmp_path: Path) -> None:
    treadle = [sys.executable, "-c", "from treadle.cli.main import main; main()"]
    launch = ["run", "launch", "--select", "*", "--partition-range", "2013-01-01...2013-12-31", "--wait"]
    environ = {**os.environ, "TREADLE_HOME": str(tmp_path / "home"), "FLIGHTS_DATA": str(tmp_path / "data")}
    command = [*treadle, "dev", "-p", "0", "-m", "flights.definitions"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as dev:
        assert dev.stdout is not None
        try:
            assert dev.stdout.readline().startswith("Ready")
            done = subprocess.run([*treadle, *launch], env=environ, capture_output=True, text=True, check=False)
        finally:
            dev.send_signal(signal.SIGINT)
            said = dev.stdout.read()
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search("(?i)warning|leak|traceback", said)
    assert re.search(r"succeeded in [\d.]+s\n$", said), said
    assert tables(tmp_path / "data") == tables(demo[1])


def tables(data: Path) -> dict[str, list[tuple[object, ...]]]:
    """What is in the warehouse and in the raw files, in one order; values that depend on the order of sums rounded."""
    found: dict[str, list[tuple[object, ...]]] = {}
    with duckdb.connect(str(data / "flights.duckdb"), read_only=True) as database:
        for (name,) in database.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            found[name] = database.execute(
                f"SELECT count(*), bit_xor(hash(COLUMNS(*)::VARCHAR)) FROM {name}"
            ).fetchall()
    for path in sorted((data / "raw").rglob("*.parquet")):
        table = pq.read_table(path)
        found[str(path.relative_to(data))] = [(table.num_rows, table.schema.names)]
    return found


# --- the docs -------------------------------------------------------------------------------------------------------


def test_code_in_the_docs_is_the_code_of_the_example() -> None:
    code = "\n".join(path.read_text() for path in Path(definitions.__file__).parent.glob("*.py"))
    shown = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert shown
    for snippet in shown:
        for part in snippet.split("\n# …\n"):
            assert part.strip() in code, part
