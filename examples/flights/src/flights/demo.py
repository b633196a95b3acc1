"""`python -m flights.demo`: the whole year through the pipeline by the command line, then a look at what came of it.

Everything it does can be done by hand; it prints the commands. Ends with the command line's own exit code.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

import treadle as tr
from flights.definitions import PROJECT, data_folder
from flights.storage import Warehouse

TREADLE = Path(sysconfig.get_path("scripts"), "treadle")
THE_YEAR = "2013-01-01...2013-12-31"


def main() -> int:
    """Materialize all assets and print what there is. The exit code is not 0 if the run failed."""
    parser = argparse.ArgumentParser(prog="python -m flights.demo", description="Run the example pipeline.")
    parser.add_argument("--days", default=THE_YEAR, help="first and last day, as START...END (default: %(default)s)")
    days = parser.parse_args().days

    os.environ.setdefault("TREADLE_HOME", str(PROJECT / ".treadle"))
    console = Console(highlight=False)
    command = ["asset", "materialize", "-m", "flights.definitions", "--select", "*", "--partition-range", days]
    console.print(f"[bold]$ treadle {shlex.join(command)}[/]", soft_wrap=True)
    try:
        exit_code = subprocess.run([TREADLE, *command], cwd=PROJECT, check=False).returncode
    except KeyboardInterrupt:
        return 130

    with tr.Instance.get() as instance:
        runs = instance.get_runs(limit=1)
    run_id = runs[0].run_id if runs else None
    if exit_code:
        console.print(f"\n[red]The run failed (exit code {exit_code}).[/]")
    else:
        _print_tables(console, data_folder())
    _print_next_steps(console, run_id)
    return exit_code


def _print_tables(console: Console, data: Path) -> None:
    table = Table(title=f"What was made, in {_short(data)}", title_justify="left", title_style="bold")
    table.add_column("asset")
    table.add_column("rows", justify="right")
    table.add_column("where")
    for path in sorted((data / "raw").iterdir()):
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        rows = sum(pq.read_metadata(file).num_rows for file in files)
        where = f"raw/{path.name}/ ({len(files)} Parquet files)" if path.is_dir() else f"raw/{path.name}"
        table.add_row(path.stem, f"{rows:,}", where)
    table.add_section()
    with Warehouse(path=str(data / "flights.duckdb")).connect() as database:
        for (name,) in database.execute("SELECT table_name FROM duckdb_tables() ORDER BY table_name").fetchall():
            (rows,) = database.execute(f"SELECT count(*) FROM {name}").fetchone()
            table.add_row(name, f"{rows:,}", "flights.duckdb")
    table.add_section()
    table.add_row("delay_report", "", "report/delays.png")
    console.print()
    console.print(table)


def _print_next_steps(console: Console, run_id: str | None) -> None:
    treadle = "treadle" if shutil.which("treadle") else os.path.relpath(TREADLE, PROJECT)
    steps = [
        f"{treadle} asset list  # every asset there is",
        f"{treadle} asset materialize --select delays_by_day --partition 2013-03-08  # one day again",
    ]
    if run_id:
        steps.insert(0, f"{treadle} run show {run_id}  # what the run did, step by step")
    if Path.cwd() != PROJECT:
        steps.insert(0, f"cd {_short(PROJECT)}")
    console.print("\n[bold]Where to look next[/]")
    for step in steps:
        console.print(f"  {step}", markup=False, soft_wrap=True)


def _short(path: Path) -> str:
    """The path as one would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    raise SystemExit(main())
