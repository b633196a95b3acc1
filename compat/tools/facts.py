"""Writes `public_api.json`, the names of Dagster's public API: `python compat/tools/facts.py REFERENCE`.

REFERENCE is a description of the API made by introspection: for each name its tier, kind, signature and members. Kept
are facts only: each name's tier (A nearly every project, B advanced, C rare or legacy), kind, parameters and documented
members.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FACTS = Path(__file__).with_name("public_api.json")
NOT_BUILT_BY_USERS = re.compile(
    r"Context$|^JobDefinition$|^Dagster(?!Type$|RunMetadata|AssetMetadata|JobMetadata)|Result(?<!AssetCheckResult)(?<!MaterializeResult)"
    r"(?<!ObserveResult)(?<!SensorResult)$|^EventLog|Record$|^Repository|^AssetsDefinition$|^AssetChecksDefinition$|"
    r"^NodeInvocation$|^PendingNodeInvocation$|^PartitionedConfig$|^StepRunRef$|^AssetSelection$|^AutomationCondition$"
)
"""Classes whose objects users receive and do not build: their constructor's parameters are no promise."""
FUNCTION_OF_DECORATOR = frozenset(
    {"fn", "compute_fn", "compose_fn", "observe_fn", "hook_fn", "config_fn", "definitions_fn"}
)
VISIBLE = frozenset({"field", "enum_member", "enum_value"})


def parameters(signature: str) -> Iterator[str]:
    """The names of the parameters in the text of a signature, without `self`, `*args` and `**kwargs`."""
    depth, part = 0, ""
    inside = signature.strip().split(" -> ")[0] if signature.count("(") == 1 else signature.strip()
    for char in inside[1:]:
        if char in "[({":
            depth += 1
        elif char in "])}":
            if depth == 0:
                break
            depth -= 1
        if char == "," and depth == 0:
            yield from _name(part)
            part = ""
        else:
            part += char
    yield from _name(part)


def _name(part: str) -> Iterator[str]:
    found = re.match(r"\s*(\*{0,2}\w*)", part)
    name = found.group(1) if found else ""
    if name and not name.startswith(("*", "_")) and name not in ("self", "cls"):
        yield name


def fact(entry: dict[str, Any]) -> dict[str, Any]:
    """What is kept of one name."""
    name, kind = entry["name"], entry["kind"]
    known = list(parameters(entry["signature"])) if entry.get("signature") else []
    if kind == "decorator" and known and known[0] in FUNCTION_OF_DECORATOR:
        known = known[1:]
    if NOT_BUILT_BY_USERS.search(name) or kind == "alias":
        known = []
    known += [old for old in entry.get("deprecated_params", {}) if old not in known and known]
    members = {
        member["name"]
        for member in entry.get("public_members", ())
        if member.get("documented") or member["kind"] in VISIBLE or "'public'" in str(member.get("type", ""))
    }
    members.update(one if isinstance(one, str) else one["name"] for one in entry.get("members", ()))
    methods = {
        member["name"]: list(parameters(member["signature"]))
        for member in entry.get("public_members", ())
        if member["name"] in members and member.get("signature")
    }
    found = {"tier": entry["tier"], "kind": kind, "parameters": known, "members": sorted(members)}
    taking = {name: taken for name, taken in sorted(methods.items()) if taken}
    return {**found, "methods": taking} if taking else found


def facts(reference: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By name; names of submodules with their module: `components.DefsStateConfig`."""
    found = {}
    for entry in reference["names"]:
        module = entry["module"].removeprefix("dagster").lstrip(".")
        found[f"{module}.{entry['name']}" if module else entry["name"]] = fact(entry)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    known = facts(json.loads(Path(sys.argv[1]).read_text()))
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(one)}" for name, one in known.items())
    FACTS.write_text(f"{{\n{lines}\n}}\n")
