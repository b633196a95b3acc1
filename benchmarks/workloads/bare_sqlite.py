"""The floor of P14: `bare_sqlite.py FILE SINGLE BATCHES` inserts rows of an event's size with sqlite3 alone."""

from __future__ import annotations

import sqlite3
import sys
import time

from workload import report

BATCH = 1000
INSERT = "INSERT INTO event (asset, payload) VALUES (?, ?)"

single, batches = int(sys.argv[2]), int(sys.argv[3])
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("PRAGMA synchronous=NORMAL")
connection.execute("CREATE TABLE event (id INTEGER PRIMARY KEY, asset TEXT, payload BLOB)")
row = ("asset", bytes(200))

began = time.perf_counter()
for _ in range(single):
    connection.execute(INSERT, row)
figures = {"single": single / (time.perf_counter() - began)}

began = time.perf_counter()
for _ in range(batches):
    connection.execute("BEGIN")
    connection.executemany(INSERT, [row] * BATCH)
    connection.execute("COMMIT")
figures["batched"] = batches * BATCH / (time.perf_counter() - began)
report(figures)
