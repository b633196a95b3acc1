"""The tables: raw as published, staged with types, and marts that answer questions.

Functions take the tables they are made of, by name, and return their own. How tables are kept is the IO managers'
business (`storage`), and which days a run is about is Treadle's.
"""

import base64
from functools import partial
from pathlib import Path

import pyarrow as pa

import treadle as tr
from flights.source import read_published
from flights.storage import query, table_metadata

DAYS = tr.DailyPartitionsDefinition(start_date="2013-01-01", end_date="2014-01-01")

# What the tables of a layer have in common. A range of days, even the year, is one run (`backfill_policy`).
raw = partial(
    tr.asset,
    group_name="raw",
    kinds={"parquet"},
    io_manager_key="parquet",
    retry_policy=tr.RetryPolicy(max_retries=2, delay=1),
    backfill_policy=tr.BackfillPolicy.single_run(),
)
warehouse = partial(
    tr.asset,
    kinds={"duckdb"},
    io_manager_key="warehouse_tables",
    backfill_policy=tr.BackfillPolicy.single_run(),
)
staging = partial(warehouse, group_name="staging")
mart = partial(warehouse, group_name="marts")


# --- raw: as published ----------------------------------------------------------------------------------------------


@raw(partitions_def=DAYS)
def raw_flights(context: tr.AssetExecutionContext) -> pa.Table:
    """Every flight that was to leave New York (EWR, JFK, LGA), by the day it was to leave on."""
    days = context.partition_key_range
    flights = query(
        """
        SELECT make_date(year::INT, month::INT, day::INT) AS flight_date, *
        FROM flights WHERE flight_date BETWEEN $start::DATE AND $end::DATE
        """,
        {"start": days.start, "end": days.end},
        flights=read_published("flights"),
    )
    context.log.info("%d flights from %s to %s", flights.num_rows, days.start, days.end)
    return flights


def raw_table(published: str, description: str) -> tr.AssetsDefinition:
    """An asset `raw_<published>` that holds a published table unchanged."""

    @raw(name=f"raw_{published}", description=description)
    def table() -> pa.Table:
        return read_published(published)

    return table


raw_tables = [
    raw_table("weather", "The weather of each hour at each of the three airports."),
    raw_table("planes", "Aircraft, by tail number."),
    raw_table("airports", "Airports of the United States."),
    raw_table("airlines", "Airlines, by two-letter carrier code."),
]


# --- staging: typed, one row a thing --------------------------------------------------------------------------------


@staging(partitions_def=DAYS)
def stg_flights(raw_flights: pa.Table) -> pa.Table:
    """Flights with types: delays in minutes (early is negative), the hour of departure in UTC, cancelled or not."""
    return query(
        """
        SELECT
            flight_date,
            carrier,
            flight::SMALLINT AS flight,
            nullif(tailnum, 'NA') AS tailnum,
            origin,
            dest,
            time_hour::TIMESTAMP AS hour_utc,
            dep_time = 'NA' AS cancelled,
            nullif(dep_delay, 'NA')::SMALLINT AS dep_delay_min,
            nullif(arr_delay, 'NA')::SMALLINT AS arr_delay_min,
            nullif(air_time, 'NA')::SMALLINT AS air_time_min,
            distance::SMALLINT AS distance_mi
        FROM raw_flights ORDER BY hour_utc, carrier, flight
        """,
        raw_flights=raw_flights,
    )


@staging()
def stg_weather(raw_weather: pa.Table) -> pa.Table:
    """Weather with types, one row for each airport and hour (UTC)."""
    return query(
        """
        SELECT
            origin,
            time_hour::TIMESTAMP AS hour_utc,
            nullif(temp, 'NA')::FLOAT AS temperature_f,
            nullif(wind_speed, 'NA')::FLOAT AS wind_mph,
            precip::FLOAT AS rain_in,
            visib::FLOAT AS visibility_mi
        FROM raw_weather ORDER BY ALL
        """,
        raw_weather=raw_weather,
    )


# --- marts: answers -------------------------------------------------------------------------------------------------


@mart(partitions_def=DAYS)
def delays_by_day(stg_flights: pa.Table) -> pa.Table:
    """Which days went badly?"""
    return query(
        """
        SELECT
            flight_date,
            count(*) AS flights,
            count(*) FILTER (cancelled) AS cancelled,
            round(avg(dep_delay_min), 1) AS mean_dep_delay_min
        FROM stg_flights GROUP BY flight_date ORDER BY flight_date
        """,
        stg_flights=stg_flights,
    )


@mart()
def delays_by_carrier(stg_flights: pa.Table, raw_airlines: pa.Table, raw_planes: pa.Table) -> pa.Table:
    """Which airlines are late, and how old are the aircraft they fly?"""
    return query(
        """
        SELECT
            airlines.name AS airline,
            count(*) AS flights,
            count(*) FILTER (cancelled) AS cancelled,
            round(avg(dep_delay_min), 1) AS mean_dep_delay_min,
            round(100 * avg((arr_delay_min > 15)::INT), 1) AS late_pct,
            round(avg(2013 - try_cast(planes.year AS INT)), 1) AS mean_aircraft_age_years
        FROM stg_flights AS f
        JOIN airlines USING (carrier)
        LEFT JOIN planes USING (tailnum)
        GROUP BY airline ORDER BY late_pct DESC
        """,
        stg_flights=stg_flights,
        airlines=raw_airlines,
        planes=raw_planes,
    )


@mart()
def delays_by_destination(stg_flights: pa.Table, raw_airports: pa.Table) -> pa.Table:
    """Where to does it take longer than planned?"""
    return query(
        """
        SELECT
            dest,
            any_value(airports.name) AS airport,
            count(*) AS flights,
            round(avg(arr_delay_min), 1) AS mean_arr_delay_min
        FROM stg_flights LEFT JOIN airports ON airports.faa = dest
        GROUP BY dest ORDER BY flights DESC
        """,
        stg_flights=stg_flights,
        airports=raw_airports,
    )


@mart()
def delays_by_hour(stg_flights: pa.Table, stg_weather: pa.Table) -> pa.Table:
    """What was the weather when flights left late? One row for each airport and hour in which flights were to leave."""
    return query(
        """
        SELECT
            origin,
            hour_utc,
            count(*) AS flights,
            count(dep_delay_min) AS departed,
            avg(dep_delay_min) AS mean_dep_delay_min,
            any_value(temperature_f) AS temperature_f,
            any_value(wind_mph) AS wind_mph,
            any_value(rain_in) AS rain_in,
            any_value(visibility_mi) AS visibility_mi
        FROM stg_flights LEFT JOIN stg_weather USING (origin, hour_utc)
        GROUP BY origin, hour_utc ORDER BY hour_utc, origin
        """,
        stg_flights=stg_flights,
        stg_weather=stg_weather,
    )


# --- the report -----------------------------------------------------------------------------------------------------


class ReportFolder(tr.ConfigurableResource):
    """The folder that reports are written to."""

    path: str


class ReportConfig(tr.Config):
    """What a run may ask of the report."""

    worst_days: int = 5


@tr.asset(group_name="report", kinds={"png"}, backfill_policy=tr.BackfillPolicy.single_run())
def delay_report(
    config: ReportConfig,
    report_folder: ReportFolder,
    delays_by_day: pa.Table,
    delays_by_carrier: pa.Table,
    delays_by_hour: pa.Table,
) -> tr.MaterializeResult:
    """The year in one picture, written to a PNG file and shown with the asset."""
    # Here, not above: matplotlib takes longer to import than everything else together, and only this needs it.
    from flights.plot import draw  # noqa: PLC0415

    worst_days = query(
        "FROM delays_by_day ORDER BY mean_dep_delay_min DESC LIMIT $n",
        {"n": config.worst_days},
        delays_by_day=delays_by_day,
    )
    png = draw(delays_by_day, delays_by_carrier, delays_by_hour, worst_days)
    path = Path(report_folder.path, "delays.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png)
    return tr.MaterializeResult(
        metadata={
            "plot": tr.MetadataValue.md(f"![Delays](data:image/png;base64,{base64.b64encode(png).decode()})"),
            "path": tr.MetadataValue.path(path),
            "worst_days": table_metadata(worst_days),
        }
    )
