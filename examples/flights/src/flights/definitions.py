"""Everything that the project defines, and where it keeps its data.

Data goes to `data/` beside this project's pyproject.toml, or to the folder that FLIGHTS_DATA names.
"""

from __future__ import annotations

import os
from pathlib import Path

import treadle as tr
from flights import assets, checks
from flights.storage import ParquetFiles, Warehouse, WarehouseTables

PROJECT = Path(__file__).parents[2]


def data_folder() -> Path:
    """The folder that raw files, the warehouse and the report are in."""
    return Path(os.environ.get("FLIGHTS_DATA") or PROJECT / "data").absolute()


def build(data: Path) -> tr.Definitions:
    """The project's definitions, keeping their data in `data`."""
    warehouse = Warehouse(path=str(data / "flights.duckdb"))
    daily = tr.AssetSelection.assets("delays_by_day").upstream()
    return tr.Definitions(
        assets=tr.load_assets_from_modules([assets]),
        asset_checks=tr.load_asset_checks_from_modules([checks]),
        jobs=[
            tr.define_asset_job("ingest_days", daily),
            tr.define_asset_job("refresh_marts", tr.AssetSelection.groups("marts", "report") - daily),
        ],
        resources={
            "parquet": ParquetFiles(folder=str(data / "raw")),
            "warehouse": warehouse,
            "warehouse_tables": WarehouseTables(warehouse=warehouse),
            "report_folder": assets.ReportFolder(path=str(data / "report")),
        },
    )


defs = build(data_folder())
