"""Counts how much of Dagster's public API is there: `make api-coverage`; `ARGS=--missing` lists what is not.

A name counts when `dagster` has it. A parameter or member counts when a test sees its effect, and says so:
`@pytest.mark.api("asset.owners", "AssetsDefinition.with_resources")`. Only members of an enum count by being there. A
mark that names nothing, or whose word does not occur in its test, is an error. What a class inherits unchanged from
another public class is the same code, and counts when it is seen there. Components come later: their names count, and
their parameters and members are left out of the table. `--min` fails when a count is below the one in
`api_coverage.json`, which `--raise` lifts to what is reached: coverage may not fall.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster

ROOT = Path(__file__).parents[2]
FACTS = Path(__file__).with_name("public_api.json")
FLOOR = Path(__file__).with_name("api_coverage.json")
TIERS = "ABC"
COUNTS = ("names", "parameters", "members")

COMPONENTS = frozenset({
    "AssetAttributesModel", "Component", "ComponentFormConfig", "ComponentLoadContext", "ComponentTree",
    "ComponentTypeSpec", "DefinitionsComponent", "DefsFolderComponent", "FunctionComponent", "Injected", "Model",
    "PythonScriptComponent", "Resolvable", "ResolutionContext", "ResolvedAssetCheckSpec", "ResolvedAssetKey",
    "ResolvedAssetSpec", "Resolver", "ScaffoldRequest", "Scaffolder", "SqlComponent", "StateBackedComponent",
    "TemplatedSqlComponent", "UPathDefsStateStorage", "UvRunComponent", "build_component_defs",
    "build_defs_for_component", "component_defs", "component_instance", "components", "components.DefsStateConfig",
    "components.DefsStateConfigArgs", "components.ResolvedDefsStateConfig", "get_all_components_defs_within_project",
    "get_component_defs_within_project", "load_defs", "scaffold_component", "scaffold_with",
    "template_var",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mark:
    """One name in an `api` mark: what it claims, where, and the words of the test that it is on."""

    claim: str
    where: str
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is covered, each as `NAME` or `NAME.PART`, by kind of count; and what is wrong with the marks."""

    there: dict[str, set[str]]
    faults: list[str]


def marks_of(source: str, path: str, facts: dict[str, Any]) -> Iterator[Mark]:
    """Every `api` mark in the text of a test module."""
    tree = ast.parse(source)
    named = dict(_named(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        calls = [call for decorator in node.decorator_list for call in ast.walk(decorator) if _is_mark(call)]
        if not calls or _may_be_left_out(node):
            continue
        claims = [arg for call in calls for arg in call.args]  # type: ignore[attr-defined]
        words = frozenset(_words(node, claims, facts, named))
        for arg in claims:
            claim = arg.value if isinstance(arg, ast.Constant) and isinstance(arg.value, str) else ""
            yield Mark(claim, f"{path}:{arg.lineno} ({node.name})", words)


def _may_be_left_out(test: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """A test that is skipped, or expected to fail, sees no effect."""
    return any(ast.unparse(one).startswith(("pytest.mark.skip", "pytest.mark.xfail")) for one in test.decorator_list)


def _named(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """What the module defines beside its tests, by name: a test that uses it says what it says."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("test_"):
            yield node.name, node
        elif isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))


def _is_mark(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.api"


def _words(test: ast.AST, claims: Iterable[ast.AST], facts: dict[str, Any], named: dict[str, ast.AST]) -> Iterator[str]:
    """Every identifier and string in a test but the claims, also in code that it has as text."""
    skipped = {id(one) for one in claims}
    waiting, seen = [test], set[str]()
    while waiting:
        for node in ast.walk(waiting.pop()):
            if isinstance(node, ast.Attribute):
                yield node.attr
            elif isinstance(node, ast.Name):
                yield node.id
                if node.id in named and node.id not in seen:
                    seen.add(node.id)
                    waiting.append(named[node.id])
            elif isinstance(node, ast.keyword | ast.arg) and node.arg:
                yield node.arg
            elif isinstance(node, ast.FunctionDef):
                yield node.name
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
                yield node.value
                waiting += _code(node.value)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield from _positional(node.func.attr, len(node.args), facts)


def _code(text: str) -> list[ast.Module]:
    """The lines of code that a text is, if it is."""
    try:
        return [ast.parse(text)] if "\n" in text else []
    except SyntaxError:
        return []


def _positional(name: str, count: int, facts: dict[str, Any]) -> Iterator[str]:
    """The parameters that take the first `count` arguments of a call of this name, or of a method of this name."""
    if count and name in facts:
        yield from facts[name]["parameters"][:count]
    elif count:
        for fact in facts.values():
            yield from fact.get("methods", {}).get(name, ())[:count]


def fault_of(mark: Mark, facts: dict[str, Any], names: set[str]) -> str | None:
    """What is wrong with a mark, if anything.

    A whole name, a parameter of a method (`NAME.METHOD.PARAMETER`, which counts for its method) and a member that is
    not documented (which counts for nothing) may be marked too.
    """
    owner, *parts = split(mark.claim, facts)
    if owner is None:
        return f"{mark.where}: {mark.claim!r} names nothing of the public API. Write NAME.PARAMETER or NAME.MEMBER."
    if owner not in names:
        return f"{mark.where}: `dagster` has no {owner}."
    fact = facts[owner]
    known = {*fact["parameters"], *fact["members"]}
    if parts and parts[0] not in known and not hasattr(_found(owner), parts[0]):
        return f"{mark.where}: {owner} has no parameter or member {parts[0]!r}."
    if len(parts) > 1 and parts[1] not in fact.get("methods", {}).get(parts[0], ()):
        return f"{mark.where}: {owner}.{parts[0]} has no parameter {parts[1]!r}."
    unsaid = [part for part in parts if part not in mark.words]
    if unsaid:
        return f"{mark.where}: the test never says {unsaid[0]!r}, so it cannot see its effect."
    return None


def split(claim: str, facts: dict[str, Any]) -> list[str | None]:
    """The name, then the parts of a claim; no name if there is none. Names of submodules have a dot themselves."""
    words = claim.split(".")
    for size in (2, 1):
        if ".".join(words[:size]) in facts:
            return [".".join(words[:size]), *words[size:]]
    return [None]


def existing(facts: Iterable[str]) -> set[str]:
    """The names that `dagster` has."""
    return {name for name in facts if _found(name) is not None}


def _found(name: str) -> Any:
    owner: Any = dagster
    for word in name.split("."):
        owner = getattr(owner, word, None)
    return owner


def coverage(facts: dict[str, Any], marks: Iterable[Mark]) -> Coverage:
    """What is there and what the marks cover."""
    names = existing(facts)
    enums = [name for name in names if facts[name]["kind"] == "enum"]
    members = {f"{name}.{one}" for name in enums for one in facts[name]["members"] if hasattr(_found(name), one)}
    there: dict[str, set[str]] = {"names": names, "parameters": set(), "members": members}
    faults = []
    for mark in marks:
        fault = fault_of(mark, facts, names)
        if fault is not None:
            faults.append(fault)
            continue
        owner, *parts = split(mark.claim, facts)
        for count in ("parameters", "members"):
            if owner is not None and parts and parts[0] in facts[owner][count]:
                there[count].add(f"{owner}.{parts[0]}")
    there["members"] |= set(_inherited(facts, names, there["members"]))
    return Coverage(there, faults)


def _inherited(facts: dict[str, Any], names: set[str], members: set[str]) -> Iterator[str]:
    """Members that a class has unchanged from another public class, where a mark covers them."""
    covered = {}
    for member in members:
        owner, part = member.rsplit(".", 1)
        covered[id(inspect.getattr_static(_found(owner), part, None)), part] = member
    for name in names:
        base = _found(name)
        if not isinstance(base, type):
            continue
        for part in facts[name]["members"]:
            own = inspect.getattr_static(base, part, None)
            if own is not None and part not in vars(base) and (id(own), part) in covered:
                yield f"{name}.{part}"


def wanted(facts: dict[str, Any], tier: str) -> dict[str, list[str]]:
    """Everything of a tier, by kind of count."""
    chosen = {name: fact for name, fact in facts.items() if fact["tier"] == tier}
    now = {name: fact for name, fact in chosen.items() if name not in COMPONENTS}
    parts = {count: [f"{name}.{part}" for name, fact in now.items() for part in fact[count]] for count in COUNTS[1:]}
    return {"names": list(chosen), **parts}


def counts(facts: dict[str, Any], there: dict[str, set[str]]) -> dict[str, dict[str, tuple[int, int]]]:
    """By tier and kind of count: how many are there, of how many."""
    return {
        tier: {
            count: (sum(one in there[count] for one in all_), len(all_)) for count, all_ in wanted(facts, tier).items()
        }
        for tier in TIERS
    }


def table(found: dict[str, dict[str, tuple[int, int]]]) -> Iterator[str]:
    """The counts as lines of text."""
    yield f"{'tier':<6}" + "".join(f"{count:>26}" for count in COUNTS)
    total: Counter[tuple[str, int]] = Counter()
    for tier, row in found.items():
        yield f"{tier:<6}" + "".join(_cell(*row[count]) for count in COUNTS)
        for count, (some, all_) in row.items():
            total[count, 0] += some
            total[count, 1] += all_
    yield f"{'all':<6}" + "".join(_cell(total[count, 0], total[count, 1]) for count in COUNTS)


def _cell(some: int, all_: int) -> str:
    return f"{some:>12} of {all_:>4} ({some / all_ if all_ else 1:4.0%})"


def below(found: dict[str, dict[str, tuple[int, int]]], floor: dict[str, dict[str, int]]) -> Iterator[str]:
    """Counts that fell below the floor."""
    for tier, row in floor.items():
        for count, least in row.items():
            some = found[tier][count][0]
            if some < least:
                yield f"Tier {tier}: {some} {count} are covered, and {least} were. Mend what broke, so that none fall."


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="api_coverage", description="How much of Dagster's public API is there.")
    parser.add_argument("--missing", action="store_true", help="list what is not covered")
    parser.add_argument("--tier", choices=TIERS, help="list only this tier")
    parser.add_argument("--min", action="store_true", help="fail if a count is below the floor in api_coverage.json")
    parser.add_argument("--raise", action="store_true", dest="lift", help="raise that floor to what is reached")
    given = parser.parse_args()
    facts = json.loads(FACTS.read_text())
    paths = sorted((ROOT / "tests").rglob("*.py"))
    covered = coverage(
        facts, (mark for path in paths for mark in marks_of(path.read_text(), str(path.relative_to(ROOT)), facts))
    )
    found = counts(facts, covered.there)
    print("\n".join(table(found)))
    if given.missing or given.tier:
        for tier in given.tier or TIERS:
            for count, all_ in wanted(facts, tier).items():
                absent = [one for one in all_ if one not in covered.there[count]]
                print(f"\n{tier} {count}, {len(absent)} missing:", *absent, sep="\n  ")
    faults = list(covered.faults)
    floor = json.loads(FLOOR.read_text()) if FLOOR.exists() else {}
    if given.min:
        faults += below(found, floor)
    if given.lift:
        reached = {tier: {count: some for count, (some, _) in row.items()} for tier, row in found.items()}
        FLOOR.write_text(json.dumps(reached, indent=2) + "\n")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
