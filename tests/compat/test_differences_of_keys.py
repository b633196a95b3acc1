"""Members and error types that code written for Dagster relies on, found by running programs with both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import dagster as dg


@pytest.mark.parametrize(
    ("text", "parts"),
    [('["a", "b.c"]', ["a", "b.c"]), ("a/b", ["a", "b"]), ("a-b.c", ["a", "b", "c"]), ('"x"', ["x"]), ("[1", ["1"])],
)
def test_a_stored_asset_key_is_read(text: str, parts: list[str]):
    assert dg.AssetKey.from_db_string(text) == dg.AssetKey(parts)


@pytest.mark.parametrize("text", [None, ""])
def test_no_text_is_no_asset_key(text: str | None):
    assert dg.AssetKey.from_db_string(text) is None


def test_check_keys_are_read():
    key = dg.AssetCheckKey(dg.AssetKey(["a", "b"]), "c")
    assert dg.AssetCheckKey.from_user_string("a/b:c") == key == dg.AssetCheckKey.from_user_string(key.to_user_string())
    assert dg.AssetCheckKey.from_db_string('{"asset_key": "a/b", "check_name": "c"}') == key
    assert [dg.AssetCheckKey.from_db_string(text) for text in ("[]", "zz", '{"a": 1}')] == [None] * 3
    for wrong in ("a", "a:b:c"):
        with pytest.raises(ValueError, match="unpack"):
            dg.AssetCheckKey.from_user_string(wrong)


def test_a_backfill_policy_says_its_type():
    policies = (dg.BackfillPolicy.single_run(), dg.BackfillPolicy.multi_run(3))
    assert [policy.policy_type.value for policy in policies] == ["SINGLE_RUN", "MULTI_RUN"]


@pytest.mark.parametrize(
    "told",
    [
        dg.Output(1, "o", metadata={"x": 1}),
        dg.AssetMaterialization(["a-b"], "d", metadata={"x": 1}, partition="p"),
        dg.AssetObservation("a", metadata={"x": 1}),
        dg.AssetCheckResult(passed=True, metadata={"x": 1}),
    ],
    ids=lambda told: type(told).__name__,
)
def test_metadata_is_put_in_place_of_what_was_there(told: Any):
    changed = told.with_metadata({"y": 2})
    assert type(changed) is type(told)
    assert changed.metadata == {"y": dg.MetadataValue.int(2)}
    assert told.metadata == {"x": dg.MetadataValue.int(1)}
    kept = next(name for name in ("value", "asset_key", "passed") if hasattr(told, name))
    assert getattr(changed, kept) == getattr(told, kept)
    assert told.with_metadata({}).metadata == {}


def test_metadata_of_a_check_spec_is_replaced():
    spec = dg.AssetCheckSpec("c", asset="a", metadata={"x": 1})
    assert spec.with_metadata({"y": 2}).metadata == {"y": 2}
    assert spec.metadata == {"x": 1}


def test_ops_graphs_and_jobs_name_what_is_in_them():
    @dg.op(ins={"a": dg.In(int)}, out={"x": dg.Out(int), "y": dg.Out()})
    def two(a):
        return 1, 2

    @dg.graph
    def around(a):
        two(a)

    assert (list(two.input_dict), list(two.output_dict)) == (["a"], ["x", "y"])
    assert (two.has_input("a"), two.has_input("x"), two.has_output("x"), two.has_output("a")) == (True, False) * 2
    assert ([node.name for node in around.nodes], list(around.node_dict), around.node_names()) == (["two"],) * 3
    assert (around.has_input("a"), around.has_output("a")) == (True, False)
    job = around.to_job(name="j", input_values={"a": 1})
    assert job.with_metadata({"k": "v"}).metadata == {"k": dg.MetadataValue.text("v")}


DAYS = dg.DailyPartitionsDefinition(start_date="2020-01-01")


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: dg.DailyPartitionsDefinition(start_date="nonsense"), ValueError),
        (lambda: dg.DailyPartitionsDefinition(start_date="2020-01-01", end_date="zz"), ValueError),
        (lambda: DAYS.time_window_for_partition_key("nonsense"), ValueError),
        (lambda: DAYS.get_partition_keys_in_range(dg.PartitionKeyRange("zz", "yy")), ValueError),
        (lambda: str(dg.EnvVar("X")), RuntimeError),
        (lambda: f"{dg.EnvVar('X')}", RuntimeError),
        (lambda: str(dg.EnvVar.int("X")), RuntimeError),
    ],
)
def test_errors_are_of_the_types_that_programs_catch(call: Callable[[], object], kind: type[Exception]):
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, dg.DagsterError)
