"""Metadata: every kind of value, what raw values become, tables, code references."""

import os
from pathlib import Path
from typing import Any

import pytest

import dagster as dg

SCHEMA = dg.TableSchema(columns=[dg.TableColumn("id", "int")])
LINEAGE = dg.TableColumnLineage({"id": [dg.TableColumnDep(asset_key=dg.AssetKey("u"), column_name="id")]})


@pytest.mark.api(
    "MetadataValue.text", "MetadataValue.url", "MetadataValue.path", "MetadataValue.notebook", "MetadataValue.json",
    "MetadataValue.md", "MetadataValue.float", "MetadataValue.int", "MetadataValue.bool", "MetadataValue.timestamp",
    "MetadataValue.null", "MetadataValue.asset", "MetadataValue.dagster_run", "MetadataValue.table_schema",
    "MetadataValue.column_lineage", "MetadataValue.pool", "MetadataValue.value",
    "TextMetadataValue.text", "UrlMetadataValue.url", "PathMetadataValue.path", "NotebookMetadataValue.path",
    "JsonMetadataValue.data", "MarkdownMetadataValue.md_str", "FloatMetadataValue.value", "IntMetadataValue.value",
    "BoolMetadataValue.value", "DagsterRunMetadataValue.run_id", "DagsterAssetMetadataValue.asset_key",
    "TableSchemaMetadataValue.schema", "TableColumnLineageMetadataValue.column_lineage",
)  # fmt: skip
@pytest.mark.parametrize(
    ("value", "kind", "attribute", "expected"),
    [
        (dg.MetadataValue.text("t"), dg.TextMetadataValue, "text", "t"),
        (dg.MetadataValue.url("http://x"), dg.UrlMetadataValue, "url", "http://x"),
        (dg.MetadataValue.path("/p"), dg.PathMetadataValue, "path", "/p"),
        (dg.MetadataValue.path(Path("/p")), dg.PathMetadataValue, "value", "/p"),
        (dg.MetadataValue.notebook("n.ipynb"), dg.NotebookMetadataValue, "path", "n.ipynb"),
        (dg.MetadataValue.json({"a": [1]}), dg.JsonMetadataValue, "data", {"a": [1]}),
        (dg.MetadataValue.md("# t"), dg.MarkdownMetadataValue, "md_str", "# t"),
        (dg.MetadataValue.float(1.5), dg.FloatMetadataValue, "value", 1.5),
        (dg.MetadataValue.int(3), dg.IntMetadataValue, "value", 3),
        (dg.MetadataValue.bool(True), dg.BoolMetadataValue, "value", True),
        (dg.MetadataValue.timestamp(12.0), dg.TimestampMetadataValue, "value", 12.0),
        (dg.MetadataValue.null(), dg.NullMetadataValue, "value", None),
        (dg.MetadataValue.asset(dg.AssetKey("a")), dg.DagsterAssetMetadataValue, "asset_key", dg.AssetKey("a")),
        (dg.MetadataValue.dagster_run("r"), dg.DagsterRunMetadataValue, "run_id", "r"),
        (dg.MetadataValue.table_schema(SCHEMA), dg.TableSchemaMetadataValue, "schema", SCHEMA),
        (dg.MetadataValue.column_lineage(LINEAGE), dg.TableColumnLineageMetadataValue, "column_lineage", LINEAGE),
        (dg.MetadataValue.pool("db"), dg.PoolMetadataValue, "value", "db"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_every_kind_of_value_survives_the_event_log(
    instance: Any, value: Any, kind: type, attribute: str, expected: Any
) -> None:
    assert isinstance(value, kind)
    assert getattr(value, attribute) == expected
    instance.report_runless_asset_event(dg.AssetMaterialization("a", metadata={"m": value}))
    stored = instance.get_latest_materialization_event(dg.AssetKey("a")).asset_materialization.metadata["m"]
    assert stored == value
    assert type(stored) is kind
    assert stored.value == value.value


@pytest.mark.api(
    "MetadataValue.job", "DagsterJobMetadataValue.job_name", "DagsterJobMetadataValue.location_name",
    "DagsterJobMetadataValue.repository_name", "MetadataValue.python_artifact", "PythonArtifactMetadataValue.module",
    "PythonArtifactMetadataValue.name",
)  # fmt: skip
def test_jobs_and_artifacts() -> None:
    job = dg.MetadataValue.job("j", "loc", repository_name="r")
    assert (job.job_name, job.location_name, job.repository_name) == ("j", "loc", "r")
    artifact = dg.MetadataValue.python_artifact(dg.AssetKey)
    assert artifact.name == "AssetKey"
    assert artifact.module == dg.AssetKey.__module__


def a_function() -> None:
    """Something to point at."""


_TABLE = dg.TableMetadataValue([dg.TableRecord({"id": 1})], schema=SCHEMA)
_JOB = dg.MetadataValue.job("j", "loc")
_ARTIFACT = dg.MetadataValue.python_artifact(a_function)


@pytest.mark.api(
    "TextMetadataValue.value", "UrlMetadataValue.value", "PathMetadataValue.value", "PathMetadataValue.fspath",
    "NotebookMetadataValue.value", "NotebookMetadataValue.fspath", "JsonMetadataValue.value",
    "MarkdownMetadataValue.value", "PythonArtifactMetadataValue.value", "FloatMetadataValue.value",
    "IntMetadataValue.value", "BoolMetadataValue.value", "TimestampMetadataValue.value",
    "DagsterRunMetadataValue.value", "DagsterAssetMetadataValue.value", "DagsterJobMetadataValue.value",
    "TableMetadataValue.value", "TableSchemaMetadataValue.value", "TableColumnLineageMetadataValue.value",
    "TableColumnLineageMetadataValue.lineage", "NullMetadataValue.value", "PoolMetadataValue.value",
    "PoolMetadataValue.name", "PoolMetadataValue.pool", "CodeReferencesMetadataValue.value",
)  # fmt: skip
@pytest.mark.parametrize(
    ("made", "attribute", "expected"),
    [
        (dg.TextMetadataValue("t"), "value", "t"),
        (dg.UrlMetadataValue("http://x"), "value", "http://x"),
        (dg.PathMetadataValue("/p"), "value", "/p"),
        (dg.PathMetadataValue(Path("/p")), "fspath", "/p"),
        (dg.NotebookMetadataValue("n.ipynb"), "value", "n.ipynb"),
        (dg.NotebookMetadataValue(Path("n.ipynb")), "fspath", "n.ipynb"),
        (dg.JsonMetadataValue({"a": [1]}), "value", {"a": [1]}),
        (dg.MarkdownMetadataValue("# t"), "value", "# t"),
        (_ARTIFACT, "value", _ARTIFACT),
        (dg.FloatMetadataValue(1.5), "value", 1.5),
        (dg.IntMetadataValue(3), "value", 3),
        (dg.BoolMetadataValue(False), "value", False),
        (dg.TimestampMetadataValue(1.5), "value", 1.5),
        (dg.TimestampMetadataValue(value=2.0), "value", 2.0),
        (dg.DagsterRunMetadataValue("r"), "value", "r"),
        (dg.DagsterAssetMetadataValue(dg.AssetKey("a")), "value", dg.AssetKey("a")),
        (_JOB, "value", _JOB),
        (_TABLE, "value", _TABLE),
        (dg.TableSchemaMetadataValue(SCHEMA), "value", SCHEMA),
        (dg.TableColumnLineageMetadataValue(LINEAGE), "value", LINEAGE),
        (dg.TableColumnLineageMetadataValue(LINEAGE), "lineage", LINEAGE),
        (dg.NullMetadataValue(), "value", None),
        (dg.PoolMetadataValue("db"), "value", "db"),
        (dg.PoolMetadataValue("db"), "name", "db"),
        (dg.PoolMetadataValue(pool="db"), "pool", "db"),
        (dg.CodeReferencesMetadataValue([]), "value", dg.CodeReferencesMetadataValue([])),
    ],
    ids=repr,
)
def test_the_plain_value_of_every_kind(made: Any, attribute: str, expected: Any) -> None:
    assert getattr(made, attribute) == expected
    assert type(getattr(made, attribute)) is type(expected)


@pytest.mark.api("AssetMaterialization.file")
def test_the_fact_that_a_file_was_written() -> None:
    made = dg.AssetMaterialization.file("/data/x.csv", description="d", asset_key="a")
    assert (made.asset_key, made.description) == (dg.AssetKey("a"), "d")
    assert made.metadata == {"path": dg.MetadataValue.path("/data/x.csv")}
    assert "data" in dg.AssetMaterialization.file("/data/x").asset_key.to_user_string()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("t", dg.MetadataValue.text("t")),
        (1, dg.MetadataValue.int(1)),
        (1.5, dg.MetadataValue.float(1.5)),
        (True, dg.MetadataValue.bool(True)),
        (None, dg.MetadataValue.null()),
        ({"a": 1}, dg.MetadataValue.json({"a": 1})),
        ([1], dg.MetadataValue.json([1])),
        (dg.AssetKey("a"), dg.MetadataValue.asset(dg.AssetKey("a"))),
        (SCHEMA, dg.MetadataValue.table_schema(SCHEMA)),
        (LINEAGE, dg.MetadataValue.column_lineage(LINEAGE)),
        (Path("/p"), dg.MetadataValue.path("/p")),
    ],
    ids=repr,
)
def test_raw_values_become_metadata(raw: Any, expected: Any) -> None:
    assert dg.AssetMaterialization("a", metadata={"m": raw}).metadata == {"m": expected}


@pytest.mark.parametrize("raw", [(1, 2), {1}, object()], ids=["tuple", "set", "object"])
def test_what_is_no_metadata_is_refused(raw: Any) -> None:
    with pytest.raises(Exception, match=r"(?i)metadata"):
        dg.AssetMaterialization("a", metadata={"m": raw})


# --- tables ---------------------------------------------------------------------------------------------------------


@pytest.mark.api(
    "TableColumn.name", "TableColumn.type", "TableColumn.description", "TableColumn.constraints", "TableColumn.tags",
    "TableColumnConstraints.nullable", "TableColumnConstraints.unique", "TableColumnConstraints.other",
    "TableSchema.columns", "TableSchema.constraints", "TableConstraints.other",
)  # fmt: skip
def test_table_schemas() -> None:
    constraints = dg.TableColumnConstraints(nullable=False, unique=True, other=["> 0"])
    column = dg.TableColumn(name="id", type="int", description="d", constraints=constraints, tags={"pii": "no"})
    schema = dg.TableSchema(columns=[column], constraints=dg.TableConstraints(other=["sorted"]))
    assert (column.name, column.type, column.description, column.tags["pii"]) == ("id", "int", "d", "no")
    assert not column.constraints.nullable
    assert column.constraints.unique
    assert list(column.constraints.other) == ["> 0"]
    assert list(schema.columns) == [column]
    assert list(schema.constraints.other) == ["sorted"]
    assert dg.TableColumn("x").type == "string"


@pytest.mark.api("TableSchema.from_name_type_dict")
def test_table_schemas_from_dicts() -> None:
    schema = dg.TableSchema.from_name_type_dict({"id": "int", "name": "text"})
    assert [(column.name, column.type) for column in schema.columns] == [("id", "int"), ("name", "text")]


@pytest.mark.api("MetadataValue.table", "TableRecord.data", "TableMetadataValue.records", "TableMetadataValue.schema")
def test_tables() -> None:
    records = [dg.TableRecord({"id": 1, "name": "x"}), dg.TableRecord({"id": 2, "name": "y"})]
    table = dg.MetadataValue.table(records)
    assert [record.data["id"] for record in table.records] == [1, 2]
    assert [(column.name, column.type) for column in table.schema.columns] == [("id", "int"), ("name", "string")]
    with_schema = dg.MetadataValue.table(records, schema=dg.TableSchema([dg.TableColumn("id", "bigint")]))
    assert with_schema.schema.columns[0].type == "bigint"


@pytest.mark.api("TableMetadataValue.infer_column_type")
@pytest.mark.parametrize(
    ("value", "expected"), [(True, "bool"), (1, "int"), (1.5, "float"), ("x", "string"), (None, "string")]
)
def test_the_type_of_a_column(value: Any, expected: str) -> None:
    assert dg.TableMetadataValue.infer_column_type(value) == expected


@pytest.mark.api("TableColumnLineage.deps_by_column", "TableColumnDep.asset_key", "TableColumnDep.column_name")
def test_column_lineage() -> None:
    lineage = dg.TableColumnLineage(deps_by_column={"total": [dg.TableColumnDep(asset_key="u", column_name="amount")]})
    [dep] = lineage.deps_by_column["total"]
    assert (dep.asset_key, dep.column_name) == (dg.AssetKey("u"), "amount")


@pytest.mark.api(
    "LocalFileCodeReference.file_path", "LocalFileCodeReference.line_number", "LocalFileCodeReference.label",
    "UrlCodeReference.url", "UrlCodeReference.label", "CodeReferencesMetadataValue.code_references",
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_code_references(instance: Any) -> None:
    local = dg.LocalFileCodeReference(file_path="/x.py", line_number=3, label="here")
    url = dg.UrlCodeReference(url="https://x", label="there")
    value = dg.CodeReferencesMetadataValue(code_references=[local, url])
    assert (local.file_path, local.line_number, local.label) == ("/x.py", 3, "here")
    assert (url.url, url.label) == ("https://x", "there")
    instance.report_runless_asset_event(dg.AssetMaterialization("a", metadata={"dagster/code_references": value}))
    stored = instance.get_latest_materialization_event(dg.AssetKey("a")).asset_materialization.metadata
    assert list(stored["dagster/code_references"].code_references) == [local, url]


# --- where metadata is added -----------------------------------------------------------------------------------------


@pytest.mark.api("AssetExecutionContext.add_output_metadata", "AssetExecutionContext.add_asset_metadata")
def test_metadata_added_while_running(run: Any) -> None:
    @dg.asset
    def a(context: dg.AssetExecutionContext):
        context.add_output_metadata({"n": 1})
        context.add_asset_metadata({"m": "x"})
        return 1

    made = run([a]).asset_materializations_for_node("a")[0]
    assert made.metadata["n"] == dg.MetadataValue.int(1)
    assert made.metadata["m"] == dg.MetadataValue.text("x")


@pytest.mark.api("AssetExecutionContext.add_output_metadata", "AssetExecutionContext.add_asset_metadata")
def test_metadata_of_one_of_several(run: Any) -> None:
    @dg.multi_asset(outs={"a": dg.AssetOut(), "b": dg.AssetOut()})
    def make(context: dg.AssetExecutionContext):
        context.add_output_metadata({"n": 1}, output_name="a")
        context.add_asset_metadata({"n": 2}, asset_key="b")
        return 1, 2

    made = {one.asset_key.to_user_string(): one for one in run([make]).asset_materializations_for_node("make")}
    assert made["a"].metadata["n"].value == 1
    assert made["b"].metadata["n"].value == 2


def test_paths_of_the_file_system_io_manager(tmp_path: Path) -> None:
    @dg.asset(key_prefix="p")
    def a():
        return 1

    manager = dg.FilesystemIOManager(base_dir=str(tmp_path))
    result = dg.materialize([a], resources={"io_manager": manager})
    path = result.asset_materializations_for_node("p__a")[0].metadata["path"]
    assert isinstance(path, dg.PathMetadataValue)
    assert path.value == os.path.join(tmp_path, "p", "a")
