"""A year of flights from New York: the example project of Treadle.

`source` finds the published data, `storage` keeps tables in Parquet and DuckDB, `assets` says what each table is made
of, `checks` what must be true of it, and `definitions` puts them together. `python -m flights.demo` runs it all.
"""
