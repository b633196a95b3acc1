"""What commands read and print: `.env` files, run config, tags, tables, metadata."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from treadle.cli import env_file, output, report
from treadle.cli.given import read_config, read_tags
from treadle.core.metadata import MetadataValue, normalize
from treadle.core.table import TableColumn, TableSchema


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nB = 2 \n", {"A": "1", "B": "2"}),
        ("export A=1\n# B=2\n\nC=3 # why\n", {"A": "1", "C": "3"}),
        ("A='x # ${H} \\n'\n", {"A": "x # ${H} \\n"}),
        ('A="x # y\\nz"\nB="a\nb"\n', {"A": "x # y\nz", "B": "a\nb"}),
        ("A=a#b\n", {"A": "a#b"}),
        ("A=\nB=''\n", {"A": "", "B": ""}),
        ("A=${H}/a\nB=${A}/b\nC=${NO:-default}\nD=${NO}\n", {"A": "/h/a", "B": "/h/a/b", "C": "default", "D": ""}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("not a line\n1A=2\nA=3\n", {"A": "3"}),
    ],
)
def test_env_file(text: str, expected: dict[str, str]) -> None:
    assert env_file.parse(text, {"H": "/h"}) == expected


def test_config_from_files_globs_and_text(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text("ops: {a: {config: {x: 1}}}\n")
    (tmp_path / "2.yaml").write_text("ops: {a: {config: {x: 2, y: 2}}, b: {}}\n")
    (tmp_path / "3.json").write_text('{"resources": {"r": 3}}')
    expected = {"ops": {"a": {"config": {"x": 1, "y": 2}}, "b": {}}}
    assert read_config([str(tmp_path / "*.yaml")]) == expected
    assert read_config([str(tmp_path / "1.yaml"), str(tmp_path / "2.yaml")]) == expected
    assert read_config([str(tmp_path / "3.json"), "resources: {r: 4, s: 5}"]) == {"resources": {"r": 3, "s": 5}}
    assert read_config(['{"ops": {}}']) == {"ops": {}}
    assert read_config(["{ops: {a: 1}}"]) == {"ops": {"a": 1}}


@pytest.mark.parametrize("text", ["no_such_file.yaml", "a: {", "{a: [}", "- a: 1"])
def test_config_that_cannot_be_read(text: str) -> None:
    with pytest.raises(click.UsageError, match="--config"):
        read_config([text])


def test_tags() -> None:
    assert read_tags(["a=b=c", '{"d": "e", "n": [1]}']) == {"a": "b=c", "d": "e", "n": "[1]"}
    for text in ("a", "=b", '{"a"'):
        with pytest.raises(click.UsageError, match="--tags"):
            read_tags([text])


def test_table_aligns_columns_and_leaves_out_empty_ones() -> None:
    assert output.table([("a", "", "x y"), ("long", "", "z")], ("n", "e", "v")) == "n     v\na     x y\nlong  z"
    assert output.table([]) == ""


def test_metadata_as_text() -> None:
    schema = TableSchema(columns=[TableColumn("id", "int", description="the key")])
    metadata = normalize(
        {"rows": 3, "share": 0.25, "json": {"a": [1]}, "schema": MetadataValue.table_schema(schema), "url": "http://x"},
        "a test",
    )
    text = report.metadata_text(metadata)
    assert "rows    3" in text
    assert "share   0.25" in text
    assert "json\n  {" in text
    assert "id  int  the key" in text
    assert report.brief_metadata(metadata).startswith("rows=3 share=0.25 json=…")
    assert report.plain_metadata(metadata)["json"] == {"a": [1]}
