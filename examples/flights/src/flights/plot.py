"""The picture of the report: the year by day, the airlines, and what rain does."""

from __future__ import annotations

import io

import pyarrow as pa
from matplotlib.figure import Figure  # without pyplot: no display, no global state

from flights.storage import query

RAIN = """
    SELECT
        CASE WHEN rain_in = 0 THEN 'dry' WHEN rain_in < 0.1 THEN 'rain' ELSE 'heavy rain\n(≥ 0.1 in/h)' END AS weather,
        sum(departed * mean_dep_delay_min) / sum(departed) AS delay_min
    FROM hours WHERE rain_in IS NOT NULL AND departed > 0
    GROUP BY weather ORDER BY min(rain_in)
"""


def draw(days: pa.Table, carriers: pa.Table, hours: pa.Table, worst_days: pa.Table) -> bytes:
    """The report as PNG. The tables are those of the marts; `worst_days`, rows of `days`, are marked."""
    figure = Figure(figsize=(10, 6.5), dpi=100, layout="constrained")
    panes = figure.subplot_mosaic([["days", "days"], ["carriers", "rain"]])
    figure.suptitle("Delays of flights from New York", fontweight="bold")

    pane = panes["days"]
    pane.plot(*_columns(days, "flight_date", "mean_dep_delay_min"), linewidth=1)
    pane.plot(*_columns(worst_days, "flight_date", "mean_dep_delay_min"), "o", color="tab:red")
    for day, delay_min in zip(*_columns(worst_days, "flight_date", "mean_dep_delay_min"), strict=True):
        pane.annotate(f" {day:%d %b}", (day, delay_min), fontsize=8)
    pane.set_title("Mean delay at departure, by day (minutes)", loc="left", fontsize=10)

    pane = panes["carriers"]
    pane.barh(*_columns(carriers, "airline", "late_pct"))
    pane.invert_yaxis()
    pane.tick_params(axis="y", labelsize=7)
    pane.set_title("Arrived more than 15 minutes late (%)", loc="left", fontsize=10)

    pane = panes["rain"]
    pane.bar(*_columns(query(RAIN, hours=hours), "weather", "delay_min"))
    pane.set_title("Mean delay at departure, by weather (minutes)", loc="left", fontsize=10)

    for pane in panes.values():
        pane.spines[["top", "right"]].set_visible(False)
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()


def _columns(table: pa.Table, *names: str) -> list[list]:
    return [table.column(name).to_pylist() for name in names]
