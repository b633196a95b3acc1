"""Code locations in the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from treadle.core import codec
from treadle.spec.manifest import Manifest
from treadle.state.error_info import ErrorInfo
from treadle.store.database import Database
from treadle.store.locations import LocationRecord, Locations

ONE, TWO = Manifest("all", sensors=("one",)), Manifest("all", sensors=("two",))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "treadle.db")


def test_the_last_good_manifest_stays(database: Database) -> None:
    locations = Locations(database)
    locations.put(LocationRecord("a", "ready", 1.0, "me:1:2", 1.0, 0.5), codec.encode(ONE))
    failed = LocationRecord("a", "failed", 2.0, error=ErrorInfo("no"))
    locations.put(failed)
    assert locations.all() == [failed]
    assert locations.manifests() == {"a": ONE}
    locations.put(LocationRecord("b", "loading", 3.0))
    assert locations.manifests() == {"a": ONE}
    locations.put(LocationRecord("a", "ready", 4.0), codec.encode(TWO))
    assert locations.manifests() == {"a": TWO}
    locations.forget({"a"})
    assert ([one.name for one in locations.all()], locations.manifests()) == (["b"], {})


def test_equal_manifests_are_kept_once_and_as_long_as_they_are_used(database: Database) -> None:
    locations = Locations(database)
    for name in ("a", "b"):
        locations.put(LocationRecord(name, "ready", 1.0), codec.encode(ONE))
    assert database.read("SELECT count(*) FROM manifests") == [(1,)]
    locations.put(LocationRecord("a", "ready", 1.0), codec.encode(TWO))
    assert database.read("SELECT count(*) FROM manifests") == [(2,)]
    locations.put(LocationRecord("b", "ready", 1.0), codec.encode(TWO))
    assert database.read("SELECT count(*) FROM manifests") == [(1,)]
