"""Where tables are kept: Parquet files for raw data, one DuckDB file for what is made of it.

Assets pass Arrow tables; an IO manager writes what an asset returns and reads what the next one takes. A daily asset's
table has a column `flight_date`, and a run replaces the days it was asked for and no others, so running again is safe.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import treadle as tr

DAY = "flight_date"
PREVIEW_ROWS = 5


def query(statement: str, params: Mapping[str, Any] | None = None, **tables: pa.Table) -> pa.Table:
    """The result of one SELECT over Arrow tables, each named by its keyword, in a DuckDB held in memory."""
    with duckdb.connect() as database:
        for name, table in tables.items():
            database.register(name, table)
        return database.sql(statement, params=params).to_arrow_table()


class ParquetFiles(tr.ConfigurableIOManager):
    """Keeps a table as `<folder>/<asset>.parquet`, a daily one as `<folder>/<asset>/<day>.parquet`."""

    folder: str

    def handle_output(self, context: tr.OutputContext, obj: pa.Table) -> None:
        if context.has_asset_partitions:
            for day in context.asset_partition_keys:
                rows = obj.filter(pc.field(DAY) == pa.scalar(day).cast(pa.date32()))
                _write_parquet(rows, self._path(context, day))
        else:
            _write_parquet(obj, self._path(context))
        context.add_output_metadata({"path": tr.MetadataValue.path(self._path(context)), **_describe(context, obj)})

    def load_input(self, context: tr.InputContext) -> pa.Table:
        if not context.has_asset_partitions:
            return pq.read_table(self._path(context))
        return pa.concat_tables(pq.read_table(self._path(context, day)) for day in context.asset_partition_keys)

    def _path(self, context: tr.OutputContext | tr.InputContext, day: str | None = None) -> Path:
        asset = Path(self.folder, *context.asset_key.path)
        return asset / f"{day}.parquet" if day else asset.with_suffix(".parquet")


def _write_parquet(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    pq.write_table(table, unfinished)
    unfinished.replace(path)  # at once: nobody ever reads half a file


class Warehouse(tr.ConfigurableResource):
    """A DuckDB file. DuckDB admits one writing process, so a lock file beside it makes the others wait their turn."""

    path: str

    @contextmanager
    def connect(self, *, write: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for as long as the block runs: alone with the file to write, with other readers to read."""
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        with open(f"{self.path}.lock", "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX if write else fcntl.LOCK_SH)
            with duckdb.connect(self.path, read_only=not write) as database:
                yield database


class WarehouseTables(tr.ConfigurableIOManager):
    """Keeps each asset as a table of its name in the warehouse."""

    warehouse: Warehouse

    def handle_output(self, context: tr.OutputContext, obj: pa.Table) -> None:
        table = context.asset_key.path[-1]
        with self.warehouse.connect(write=True) as database:
            database.register("incoming", obj)
            if context.has_asset_partitions:
                days = context.asset_partition_key_range
                database.begin()
                database.execute(f"CREATE TABLE IF NOT EXISTS {table} AS FROM incoming LIMIT 0")
                database.execute(f"DELETE FROM {table} WHERE {DAY} BETWEEN ? AND ?", [days.start, days.end])
                database.execute(f"INSERT INTO {table} BY NAME FROM incoming")
                database.commit()
            else:
                database.execute(f"CREATE OR REPLACE TABLE {table} AS FROM incoming")
        context.add_output_metadata({"dagster/table_name": table, **_describe(context, obj)})

    def load_input(self, context: tr.InputContext) -> pa.Table:
        statement, params = f"FROM {context.asset_key.path[-1]}", []
        if context.has_asset_partitions:
            days = context.asset_partition_key_range
            statement, params = f"{statement} WHERE {DAY} BETWEEN ? AND ?", [days.start, days.end]
        with self.warehouse.connect() as database:
            return database.sql(statement, params=params).to_arrow_table()


def _describe(context: tr.OutputContext, table: pa.Table) -> dict[str, Any]:
    """What a reader of the asset's page wants to know: its columns, its size and, of a whole table, its first rows."""
    columns = tr.TableSchema([tr.TableColumn(field.name, str(field.type)) for field in table.schema])
    if context.has_asset_partitions:
        return {"dagster/column_schema": columns, "rows_written": table.num_rows}
    return {
        "dagster/column_schema": columns,
        "dagster/row_count": table.num_rows,
        "preview": table_metadata(table.slice(0, PREVIEW_ROWS)),
    }


def table_metadata(table: pa.Table) -> tr.MetadataValue:
    """A (small) table as metadata: numbers stay numbers, everything else is shown as text."""
    plain = (bool, int, float, str, type(None))
    return tr.MetadataValue.table(
        records=[
            tr.TableRecord({name: value if isinstance(value, plain) else str(value) for name, value in row.items()})
            for row in table.to_pylist()
        ],
        schema=tr.TableSchema([tr.TableColumn(field.name, str(field.type)) for field in table.schema]),
    )
