"""Code locations: how each one is, and the last good manifest of each, kept by the hash of its content."""

from __future__ import annotations

from collections.abc import Container
from typing import Literal, TypeAlias

import msgspec

from treadle.core import codec
from treadle.spec.manifest import Jobs, Manifest, read_jobs, read_manifest
from treadle.state.error_info import ErrorInfo
from treadle.store.database import Database

LocationState: TypeAlias = Literal["loading", "ready", "failed", "gone"]


class LocationRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A code location.

    Attributes:
        name: its name.
        state: what became of the attempt to load it last; "gone": its process has ended, and will be started again.
        since: since when, in seconds since the epoch.
        owner: the identity of the process that has its code; None if there is none.
        loaded: when that code was loaded, in seconds since the epoch.
        load_s: how long that took, in seconds.
        error: why it could not be loaded last.
        warning: what about it makes its runs start slowly, if anything does.
        daemon: the identity of the process that serves it.
    """

    name: str
    state: LocationState
    since: float
    owner: str | None = None
    loaded: float | None = None
    load_s: float | None = None
    error: ErrorInfo | None = None
    warning: str | None = None
    daemon: str | None = None

    @property
    def hindrance(self) -> str:
        """What keeps its runs from starting while no process has its code: the end of a sentence about it."""
        return {"loading": "is being loaded", "failed": "could not be loaded"}.get(self.state, "has ended")


class Locations:
    """The tables of code locations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._manifests: dict[str, Manifest] = {}  # those that were asked for last, by hash

    def put(self, record: LocationRecord, manifest: bytes | None = None) -> None:
        """Store how a location is. Without a manifest it keeps the one it has."""
        import hashlib  # noqa: PLC0415  OpenSSL takes its time, and all others only read

        name = hashlib.sha256(manifest).hexdigest() if manifest is not None else None
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO locations (name, body, manifest) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
                " SET body = excluded.body, manifest = coalesce(excluded.manifest, manifest)",
                (record.name, codec.encode(record), name),
            )
            if manifest is not None:
                connection.execute("INSERT OR IGNORE INTO manifests (hash, body) VALUES (?, ?)", (name, manifest))
                connection.execute(
                    "DELETE FROM manifests WHERE NOT EXISTS (SELECT 1 FROM locations WHERE manifest = hash)"
                )

    def all(self) -> list[LocationRecord]:
        """Every location, by name."""
        decoder = codec.decoder(LocationRecord)
        return [decoder.decode(body) for (body,) in self._database.read("SELECT body FROM locations ORDER BY name")]

    def manifests(self) -> dict[str, Manifest]:
        """The last good manifest of each location that has had one, by name."""
        found = dict(self._database.read("SELECT name, manifest FROM locations WHERE manifest IS NOT NULL"))
        known, self._manifests = self._manifests, {}
        for key in set(found.values()):
            rows = [] if key in known else self._database.read("SELECT body FROM manifests WHERE hash = ?", (key,))
            if key in known or rows:
                self._manifests[key] = known[key] if key in known else read_manifest(rows[0][0])
        return {name: self._manifests[key] for name, key in found.items() if key in self._manifests}

    def jobs(self) -> dict[str, Jobs]:
        """What can be launched by the last good manifest of each location that has had one, by name."""
        sql = "SELECT name, manifests.body FROM locations JOIN manifests ON hash = manifest"
        return {name: read_jobs(body) for name, body in self._database.read(sql)}

    def forget(self, gone: Container[str]) -> None:
        """Forget these locations."""
        with self._database.transaction() as connection:
            for (name,) in connection.execute("SELECT name FROM locations").fetchall():
                if name in gone:
                    connection.execute("DELETE FROM locations WHERE name = ?", (name,))
