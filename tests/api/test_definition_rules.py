"""Rules of definitions, metadata and tags that are warned of as mistakes."""

import datetime
import pathlib
import warnings
from typing import Any

import pytest

import dagster as dg


def asset(**arguments: Any) -> dg.AssetsDefinition:
    @dg.asset(name="made", **arguments)
    def made():
        return 1

    return made


@pytest.mark.parametrize(
    "arguments",
    [
        {"owners": ["nobody"]},
        {"owners": ["team:"]},
        {"kinds": {str(number) for number in range(11)}},
        {"group_name": "a b"},
        {"tags": {"a b": "c"}},
        {"tags": {"k": "x" * 64}},
        {"tags": {"x" * 64: "v"}},
        {"tags": {"a/b/c": "v"}},
    ],
    ids=str,
)
def test_what_an_asset_may_not_say(arguments: dict[str, Any]) -> None:
    with pytest.raises(dg.DagsterError):
        dg.Definitions([asset(**arguments)]).resolve_all_asset_specs()


@pytest.mark.parametrize(
    "arguments",
    [
        {"owners": ["a@b.co", "team:x"]},
        {"kinds": {str(number) for number in range(10)}},
        {"group_name": "a/b"},
        {"tags": {"x" * 63 + "/" + "y" * 63: "z" * 63}},
    ],
    ids=str,
)
def test_what_an_asset_may_just_say(arguments: dict[str, Any]) -> None:
    [spec] = dg.Definitions([asset(**arguments)]).resolve_all_asset_specs()
    [(name, value)] = arguments.items()
    assert set(getattr(spec, name)) >= set(value)


def test_the_group_that_nobody_named() -> None:
    [spec] = dg.Definitions([asset()]).resolve_all_asset_specs()
    assert spec.group_name == "default"


def test_keys_are_parts() -> None:
    assert dg.AssetKey("a/b").path == ["a/b"]
    assert dg.AssetKey("a/b") != dg.AssetKey(["a", "b"])
    assert dg.AssetKey("a/b").to_user_string() == dg.AssetKey(["a", "b"]).to_user_string() == "a/b"
    assert dg.AssetKey(["a b", "c"]).to_string() == '["a b", "c"]'


@pytest.mark.parametrize("kind", ["resources", "loggers", "executor"])
def test_definitions_that_contradict_each_other_do_not_merge(kind: str) -> None:
    @dg.logger
    def other(_init):
        raise AssertionError

    @dg.logger
    def another(_init):
        raise AssertionError

    ones, others = {
        "resources": ({"r": 1}, {"r": 2}),
        "loggers": ({"l": other}, {"l": another}),
        "executor": (dg.in_process_executor, dg.multiprocess_executor),
    }[kind]
    one, two = dg.Definitions(**{kind: ones}), dg.Definitions(**{kind: others})
    with pytest.raises(dg.DagsterError):
        dg.Definitions.merge(one, two)
    assert getattr(dg.Definitions.merge(one, dg.Definitions(**{kind: ones})), kind) == ones


@pytest.mark.parametrize(
    "warning", [dg.BetaWarning, dg.PreviewWarning, dg.SupersessionWarning], ids=lambda one: one.__name__
)
def test_classes_of_warnings(warning: type[Warning]) -> None:
    assert issubclass(warning, Warning)
    with pytest.warns(warning):
        warnings.warn("m", warning, stacklevel=1)


SCHEMA = dg.TableSchema([dg.TableColumn("id")])


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("x", "Text"),
        (1, "Int"),
        (1.5, "Float"),
        (True, "Bool"),
        (None, "Null"),
        ({}, "Json"),
        ([1], "Json"),
        (dg.AssetKey("a"), "DagsterAsset"),
        (SCHEMA, "TableSchema"),
        (dg.TableColumnLineage({}), "TableColumnLineage"),
        (pathlib.PurePosixPath("/x"), "Path"),
    ],
)
def test_what_raw_metadata_becomes(raw: Any, kind: str) -> None:
    event = dg.AssetMaterialization("a", metadata={"m": raw})
    assert type(event.metadata["m"]) is getattr(dg, f"{kind}MetadataValue")


@pytest.mark.parametrize("raw", [(1, 2), {1}, datetime.datetime(2020, 1, 1), object(), [object()]], ids=str)
def test_what_is_no_metadata_of_an_event(raw: Any) -> None:
    with pytest.raises(dg.DagsterError, match="m"):
        dg.AssetMaterialization("a", metadata={"m": raw})
    assert dg.AssetSpec("a", metadata={"m": raw}).metadata == {"m": raw}  # what is in memory only may be anything


def test_an_op_has_one_pool() -> None:
    assert dg.op(name="one", pool="db")(lambda: 1).pool == "db"
    assert asset(pool="db").op.pool == "db"
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.op(name="one", pool="db", tags={"dagster/concurrency_key": "other"})(lambda: 1)


def test_equal_specs_are_one_asset_and_others_of_its_key_are_refused() -> None:
    def merged(other: Any) -> dg.Definitions:
        return dg.Definitions.merge(dg.Definitions([dg.AssetSpec("made")]), dg.Definitions([other]))

    assert len(merged(dg.AssetSpec("made")).resolve_all_asset_specs()) == 1
    for other in (dg.AssetSpec("made", group_name="g"), asset()):
        with pytest.raises(dg.DagsterInvalidDefinitionError):
            dg.Definitions.validate_loadable(merged(other))
