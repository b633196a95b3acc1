"""The count of the API: what an `api` mark may claim."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TOOLS = Path(__file__).parents[2] / "compat" / "tools"
FACTS: dict[str, Any] = {
    "asset": {"tier": "A", "kind": "decorator", "parameters": ["owners", "kinds"], "members": []},
    "AssetKey": {"tier": "A", "kind": "class", "parameters": ["path"], "members": ["parts"]},
    "JobDefinition": {
        "tier": "A", "kind": "class", "parameters": [], "members": ["execute_in_process"],
        "methods": {"execute_in_process": ["tags"]},
    },
    "Backoff": {"tier": "B", "kind": "enum", "parameters": [], "members": ["LINEAR", "OTHER"]},
    "Gone": {"tier": "C", "kind": "class", "parameters": ["x"], "members": []},
}  # fmt: skip


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


tool = load("api_coverage")
facts = load("facts")


def covered(source: str) -> Any:
    return tool.coverage(FACTS, tool.marks_of("import pytest\n" + source, "test_x.py", FACTS))


@pytest.mark.parametrize(
    ("claims", "body", "parameters", "members"),
    [
        ('"asset.owners"', "dg.asset(owners=[])", {"asset.owners"}, set()),
        ('"AssetKey.path"', "dg.AssetKey('a')", {"AssetKey.path"}, set()),
        ('"AssetKey.parts"', "x.parts", set(), {"AssetKey.parts"}),
        ('"JobDefinition.execute_in_process.tags"', "j.execute_in_process(tags={})", set(),
         {"JobDefinition.execute_in_process"}),
        ('"AssetKey"', "AssetKey", set(), set()),
        ('"asset.kinds"', "SAID", {"asset.kinds"}, set()),
        ('"asset.kinds"', "run('import x\\n@asset(kinds=1)\\ndef f(): pass')", {"asset.kinds"}, set()),
        ('"JobDefinition.execute_in_process.tags"', "j.execute_in_process({})", set(),
         {"JobDefinition.execute_in_process"}),
    ],
)  # fmt: skip
def test_claims_that_hold(claims: str, body: str, parameters: set[str], members: set[str]) -> None:
    found = covered(f"SAID = dict(kinds=1)\n@pytest.mark.api({claims})\ndef test_x():\n    {body}\n")
    assert found.faults == []
    assert found.there["parameters"] == parameters
    assert found.there["members"] - {"Backoff.LINEAR"} == members


@pytest.mark.parametrize(
    ("claims", "body", "fault"),
    [
        ('"nothing.here"', "pass", "names nothing"),
        ("NAME", "pass", "names nothing"),
        ('"asset.colour"', "dg.asset(colour=1)", "no parameter or member 'colour'"),
        ('"asset.owners"', "dg.asset(kinds=1)", "never says 'owners'"),
        ('"Gone.x"', "dg.Gone(x=1)", "`dagster` has no Gone"),
        ('"JobDefinition.execute_in_process.other"', "j.execute_in_process(other=1)", "no parameter 'other'"),
    ],
)
def test_claims_that_do_not(claims: str, body: str, fault: str) -> None:
    found = covered(f"@pytest.mark.api({claims})\ndef test_x():\n    {body}\n")
    assert len(found.faults) == 1
    assert fault in found.faults[0]
    assert "test_x.py:" in found.faults[0]
    assert found.there["parameters"] == set()


@pytest.mark.parametrize("mark", ["skip", "skipif(True, reason='x')", "xfail"])
def test_what_may_be_left_out_counts_for_nothing(mark: str) -> None:
    found = covered(f"@pytest.mark.{mark}\n@pytest.mark.api('asset.owners')\ndef test_x():\n    f(owners=1)\n")
    assert (found.faults, found.there["parameters"]) == ([], set())


def test_members_of_enums_count_by_being_there() -> None:
    assert covered("").there["members"] == {"Backoff.LINEAR"}
    assert covered("").there["names"] == set(FACTS) - {"Gone"}


def test_an_inherited_member_counts_where_it_is_seen() -> None:
    facts = {
        name: {"tier": "A", "kind": "class", "parameters": [], "members": ["int", "value"]}
        for name in ("MetadataValue", "TextMetadataValue")
    }
    source = (
        "@pytest.mark.api('MetadataValue.int', 'MetadataValue.value')\ndef test_x():\n    MetadataValue.int(1).value\n"
    )
    found = tool.coverage(facts, tool.marks_of("import pytest\n" + source, "test_x.py", facts))
    assert found.there["members"] == {"MetadataValue.int", "MetadataValue.value", "TextMetadataValue.int"}


def test_counts_may_not_fall() -> None:
    found = tool.counts(FACTS, covered("").there)
    assert found["A"]["names"] == (3, 3)
    assert found["C"]["names"] == (0, 1)
    assert list(tool.below(found, {"A": {"names": 3}})) == []
    [fault] = tool.below(found, {"A": {"names": 4}})
    assert "3 names" in fault
    assert any("3 of    3 (100%)" in line for line in tool.table(found))


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("(self, a: int, *, b: dict[str, int] = {'x': (1, 2)}, **kwargs) -> None", ["a", "b"]),
        ("()", []),
        ("(*args, **kwargs)", []),
        ("(fn: Callable[[int, str], None] | None = None, _hidden: int = 0)", ["fn"]),
    ],
)
def test_parameters_of_a_signature(signature: str, expected: list[str]) -> None:
    assert list(facts.parameters(signature)) == expected
