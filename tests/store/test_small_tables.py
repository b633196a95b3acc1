"""Dynamic partitions, cursors, and captured logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from treadle.errors import InvocationError
from treadle.store.logs import LogStore
from treadle.store.store import Store


def test_dynamic_partitions_keep_their_order(store: Store) -> None:
    store.dynamic.add("colours", ["red", "blue", "red"])
    store.dynamic.add("colours", ["blue", "green"])
    store.dynamic.add("sizes", ["red"])
    assert store.dynamic.keys("colours") == ["red", "blue", "green"]
    store.dynamic.delete("colours", "red")
    store.dynamic.delete("colours", "never there")
    assert store.dynamic.keys("colours") == ["blue", "green"]
    assert store.dynamic.has("sizes", "red")
    assert not store.dynamic.has("colours", "red")
    assert store.dynamic.keys("nothing") == []


def test_dynamic_partitions_in_pages(store: Store) -> None:
    store.dynamic.add("n", list("abcde"))
    up = store.dynamic.page("n", 3)
    assert [key for _, key in up + store.dynamic.page("n", 3, after=up[-1][0])] == list("abcde")
    down = store.dynamic.page("n", 2, ascending=False)
    assert [key for _, key in down + store.dynamic.page("n", 9, ascending=False, after=down[-1][0])] == list("edcba")


@pytest.mark.parametrize("keys", ["abc", [1], [None]])
def test_dynamic_partitions_are_lists_of_strings(store: Store, keys: object) -> None:
    with pytest.raises(InvocationError, match="list of strings"):
        store.dynamic.add("n", keys)  # type: ignore[arg-type]
    assert store.dynamic.keys("n") == []


def test_cursors(store: Store) -> None:
    store.cursors.set({"a": "1", "b": "2"})
    store.cursors.set({"a": "3"})
    assert store.cursors.get("a") == "3"
    assert store.cursors.get_many(["a", "b", "c"]) == {"a": "3", "b": "2"}
    assert store.cursors.compare_and_set("a", "3", "4")
    assert not store.cursors.compare_and_set("a", "3", "5")
    assert store.cursors.compare_and_set("new", None, "1")
    assert not store.cursors.compare_and_set("new", None, "2")
    store.cursors.delete("b")
    assert store.cursors.get_many(["a", "b", "new"]) == {"a": "4", "new": "1"}


KEY = ("run", "compute_logs", "step")


def test_a_growing_log_is_followed_by_cursor(tmp_path: Path) -> None:
    logs = LogStore(lambda: tmp_path)
    assert logs.read(KEY).stdout is None
    paths = logs.start(KEY)
    assert paths.out == tmp_path / "run" / "compute_logs" / "step.out"
    paths.out.write_bytes(b"one\n")
    first = logs.read(KEY)
    assert (first.stdout, first.stderr, logs.is_complete(KEY)) == (b"one\n", b"", False)
    with paths.out.open("ab") as file:
        file.write(b"two\n")
    paths.err.write_bytes(b"oh\n")
    logs.complete(KEY)
    second = logs.read(KEY, first.cursor)
    assert (second.stdout, second.stderr, logs.is_complete(KEY)) == (b"two\n", b"oh\n", True)
    assert logs.read(KEY, second.cursor).stdout == b""


def test_a_long_log_comes_in_pieces(tmp_path: Path) -> None:
    logs = LogStore(lambda: tmp_path)
    logs.start(KEY).out.write_bytes(b"0123456789")
    pieces, cursor = [], None
    while not pieces or pieces[-1]:
        data = logs.read(KEY, cursor, max_bytes=4)
        pieces.append(data.stdout)
        cursor = data.cursor
    assert pieces == [b"0123", b"4567", b"89", b""]


def test_keys_and_deletion(tmp_path: Path) -> None:
    logs = LogStore(lambda: tmp_path)
    for name in ("b", "a"):
        logs.start((*KEY[:2], name))
    logs.start(("other", "compute_logs", "c"))
    assert logs.keys(KEY[:2]) == [(*KEY[:2], "a"), (*KEY[:2], "b")]
    logs.delete(("run",))
    assert logs.keys(KEY[:2]) == []
    assert len(logs.keys(("other", "compute_logs"))) == 1


@pytest.mark.parametrize("key", [(), ("..", "x"), ("a/b",), ("a", "")])
def test_keys_do_not_lead_out(tmp_path: Path, key: tuple[str, ...]) -> None:
    with pytest.raises(InvocationError, match="no log key"):
        LogStore(lambda: tmp_path).paths(key)


def test_a_cursor_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(InvocationError, match="no cursor of a log"):
        LogStore(lambda: tmp_path).read(KEY, "seven")
