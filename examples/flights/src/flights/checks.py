"""What must be true of the tables. A check that blocks keeps everything downstream from running on bad data."""

import treadle as tr
from flights.storage import Warehouse

FLIGHTS_PUBLISHED = 336_776
DAYS_PUBLISHED = 365


@tr.asset_check(asset="stg_flights", blocking=True)
def flights_have_unique_keys(warehouse: Warehouse) -> tr.AssetCheckResult:
    """A flight is known by day, carrier, number and origin: each once, and none without."""
    with warehouse.connect() as database:
        repeated, without = database.execute(
            """
            SELECT count(*) - count(DISTINCT (flight_date, carrier, flight, origin)),
                   count(*) FILTER (flight_date IS NULL OR carrier IS NULL OR flight IS NULL OR origin IS NULL)
            FROM stg_flights
            """
        ).fetchone()
    return tr.AssetCheckResult(
        passed=repeated == without == 0, metadata={"repeated_keys": repeated, "rows_without_key": without}
    )


@tr.asset_check(asset="stg_flights", blocking=True)
def all_flights_are_there(warehouse: Warehouse) -> tr.AssetCheckResult:
    """The whole year has as many flights as were published. Until every day is there, no day may be empty."""
    with warehouse.connect() as database:
        flights, days = database.execute("SELECT count(*), count(DISTINCT flight_date) FROM stg_flights").fetchone()
    complete = days == DAYS_PUBLISHED
    return tr.AssetCheckResult(
        passed=flights == FLIGHTS_PUBLISHED if complete else flights > 0,
        metadata={"flights": flights, "days": days},
        description="The year is complete." if complete else f"{days} of {DAYS_PUBLISHED} days are there so far.",
    )


@tr.asset_check(asset="stg_flights")
def delays_are_plausible(warehouse: Warehouse) -> tr.AssetCheckResult:
    """Nobody leaves two hours early or a day late. Worth a look, no reason to stop."""
    with warehouse.connect() as database:
        outside, least, most = database.execute(
            """
            SELECT count(*) FILTER (least(dep_delay_min, arr_delay_min) < -120
                                 OR greatest(dep_delay_min, arr_delay_min) > 1440),
                   min(least(dep_delay_min, arr_delay_min)), max(greatest(dep_delay_min, arr_delay_min))
            FROM stg_flights
            """
        ).fetchone()
    return tr.AssetCheckResult(
        passed=outside == 0,
        severity=tr.AssetCheckSeverity.WARN,
        metadata={"outside": outside, "earliest_min": least, "latest_min": most},
    )


@tr.asset_check(asset="delays_by_hour")
def flights_meet_their_weather(warehouse: Warehouse) -> tr.AssetCheckResult:
    """The join finds the weather of at least 98 % of the flights."""
    with warehouse.connect() as database:
        (share,) = database.execute(
            "SELECT sum(flights) FILTER (rain_in IS NOT NULL) / sum(flights) FROM delays_by_hour"
        ).fetchone()
    return tr.AssetCheckResult(
        passed=share >= 0.98, severity=tr.AssetCheckSeverity.WARN, metadata={"share_with_weather": round(share, 4)}
    )


@tr.asset_check(asset="delays_by_carrier")
def no_flight_is_lost_or_counted_twice(warehouse: Warehouse) -> tr.AssetCheckResult:
    """The joins of the mart neither drop flights nor multiply them."""
    with warehouse.connect() as database:
        staged, counted = database.execute(
            "SELECT (SELECT count(*) FROM stg_flights), (SELECT sum(flights)::BIGINT FROM delays_by_carrier)"
        ).fetchone()
    return tr.AssetCheckResult(passed=staged == counted, metadata={"staged": staged, "counted": counted})
