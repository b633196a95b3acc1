"""Definitions collected from modules and packages."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import dagster as dg

ONE = """
import dagster as dg

@dg.asset
def a():
    return 1

@dg.asset(deps=[a], group_name="own")
def b():
    return 2

spec = dg.AssetSpec("outside")

@dg.asset_check(asset=a)
def c():
    return dg.AssetCheckResult(passed=True)

@dg.op
def say():
    return 1

@dg.job
def talk():
    say()
"""
TWO = """
import dagster as dg

@dg.asset
def d():
    return 1

several = [d]
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package `code_of_ours` with modules `one` and `inner.two`."""
    inner = tmp_path / "code_of_ours" / "inner"
    inner.mkdir(parents=True)
    (inner / "__init__.py").write_text("")
    (inner / "two.py").write_text(TWO)
    (inner.parent / "__init__.py").write_text("")
    (inner.parent / "one.py").write_text(ONE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "code_of_ours"
    for name in [name for name in sys.modules if name.split(".")[0] == "code_of_ours"]:
        del sys.modules[name]


def module(name: str) -> ModuleType:
    __import__(name)
    return sys.modules[name]


def keys(assets: Any) -> set[str]:
    return {key.to_user_string() for key in dg.Definitions(assets=assets).resolve_all_asset_keys()}


def specs(assets: Any) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in dg.Definitions(assets=assets).resolve_all_asset_specs()}


LOADERS = pytest.mark.parametrize("how", ["modules", "package_module", "package_name"])


def load(how: str, package: str, **given: Any) -> Any:
    if how == "modules":
        modules = [module(f"{package}.one"), module(f"{package}.inner.two")]
        return dg.load_assets_from_modules(modules=modules, **given)
    if how == "package_module":
        return dg.load_assets_from_package_module(package_module=module(package), **given)
    return dg.load_assets_from_package_name(package_name=package, **given)


def load_checks(how: str, package: str, **given: Any) -> Any:
    if how == "modules":
        return dg.load_asset_checks_from_modules(modules=[module(f"{package}.one")], **given)
    if how == "package_module":
        return dg.load_asset_checks_from_package_module(package_module=module(package), **given)
    return dg.load_asset_checks_from_package_name(package_name=package, **given)


@LOADERS
@pytest.mark.api(
    "load_assets_from_modules.modules", "load_assets_from_package_module.package_module",
    "load_assets_from_package_name.package_name", "load_assets_from_modules.include_specs",
    "load_assets_from_package_module.include_specs", "load_assets_from_package_name.include_specs",
)  # fmt: skip
def test_assets_are_collected(package: str, how: str) -> None:
    assert keys(load(how, package)) == {"a", "b", "d"}
    assert keys(load(how, package, include_specs=True)) == {"a", "b", "d", "outside"}


@LOADERS
@pytest.mark.api(
    "load_assets_from_modules.key_prefix", "load_assets_from_package_module.key_prefix",
    "load_assets_from_package_name.key_prefix", "load_assets_from_modules.source_key_prefix",
    "load_assets_from_package_module.source_key_prefix", "load_assets_from_package_name.source_key_prefix",
)  # fmt: skip
def test_prefixes(package: str, how: str) -> None:
    found = load(how, package, key_prefix=["p", "q"])
    assert keys(found) == {"p/q/a", "p/q/b", "p/q/d"}
    [dep] = specs(found)["p/q/b"].deps
    assert dep.asset_key == dg.AssetKey(["p", "q", "a"])
    found = load(how, package, key_prefix="p", source_key_prefix="s", include_specs=True)
    assert "p/a" in keys(found)


@LOADERS
@pytest.mark.api(
    "load_assets_from_modules.group_name", "load_assets_from_package_module.group_name",
    "load_assets_from_package_name.group_name",
)  # fmt: skip
def test_one_group_for_all(package: str, how: str) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        load(how, package, group_name="g")  # b has one of its own
    found = dg.load_assets_from_modules(modules=[module(f"{package}.inner.two")], group_name="g")
    assert {spec.group_name for spec in specs(found).values()} == {"g"}


@LOADERS
@pytest.mark.api(
    "load_assets_from_modules.automation_condition", "load_assets_from_package_module.automation_condition",
    "load_assets_from_modules.backfill_policy",
    "load_assets_from_package_module.backfill_policy", "load_assets_from_package_name.backfill_policy",
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_what_is_said_for_all(package: str, how: str) -> None:
    condition, policy = dg.AutomationCondition.eager(), dg.BackfillPolicy.single_run()
    if how == "package_name":
        found = dg.load_assets_from_package_name(package, backfill_policy=policy)
    else:
        found = load(how, package, automation_condition=condition, backfill_policy=policy)
        assert {spec.automation_condition for spec in specs(found).values()} == {condition}
    assert {one.backfill_policy for one in found if isinstance(one, dg.AssetsDefinition)} == {policy}


@LOADERS
@pytest.mark.api(
    "load_asset_checks_from_modules.modules", "load_asset_checks_from_package_module.package_module",
    "load_asset_checks_from_package_name.package_name", "load_asset_checks_from_modules.asset_key_prefix",
    "load_asset_checks_from_package_module.asset_key_prefix", "load_asset_checks_from_package_name.asset_key_prefix",
)  # fmt: skip
def test_checks_are_collected(package: str, how: str) -> None:
    [check] = load_checks(how, package)
    assert {key.asset_key.to_user_string() for key in check.check_keys} == {"a"}
    [check] = load_checks(how, package, asset_key_prefix=["p"])
    assert {key.asset_key.to_user_string() for key in check.check_keys} == {"p/a"}


def current(tmp_path: Path, package: str, call: str, what: str = ONE) -> Any:
    """What a call in a module of the package found, with `what` before it."""
    (tmp_path / package / "current.py").write_text(f"{what}\n{call}")
    return module(f"{package}.current").found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.api(
    "load_assets_from_current_module.group_name", "load_assets_from_current_module.backfill_policy",
    "load_assets_from_current_module.source_key_prefix", "load_assets_from_current_module.automation_condition",
)  # fmt: skip
def test_what_the_current_module_says_for_all(tmp_path: Path, package: str) -> None:
    call = """
found = dg.load_assets_from_current_module(
    group_name="g", backfill_policy=dg.BackfillPolicy.single_run(), source_key_prefix="s",
    automation_condition=dg.AutomationCondition.eager(),
)
"""
    found = current(tmp_path, package, call, f"{TWO}\nsource = dg.SourceAsset('outside')")
    assert set(specs(found)) == {"d", "s/outside"}
    [made] = [one for one in found if not isinstance(one, dg.SourceAsset)]
    assert made.backfill_policy == dg.BackfillPolicy.single_run()
    assert (made.get_asset_spec().group_name, made.get_asset_spec().automation_condition) == (
        "g", dg.AutomationCondition.eager(),
    )  # fmt: skip


GIVEN = {
    "resources": {"r": 1},
    "loggers": {"l": dg.json_console_logger},
    "executor": dg.in_process_executor,
}
EVERYTHING = {
    "modules": lambda p: dg.load_definitions_from_modules(
        modules=[module(f"{p}.one"), module(f"{p}.inner.two")], **GIVEN
    ),
    "module": lambda p: dg.load_definitions_from_module(module=module(f"{p}.one"), **GIVEN),
    "package_module": lambda p: dg.load_definitions_from_package_module(package_module=module(p), **GIVEN),
    "package_name": lambda p: dg.load_definitions_from_package_name(package_name=p, **GIVEN),
}
ALL = {"a", "b", "d", "outside"}


@pytest.mark.parametrize(("how", "expected"), [*((how, ALL - {"d"} if how == "module" else ALL) for how in EVERYTHING)])
@pytest.mark.api(
    "load_definitions_from_modules.modules", "load_definitions_from_modules.resources",
    "load_definitions_from_modules.loggers", "load_definitions_from_modules.executor",
    "load_definitions_from_module.module", "load_definitions_from_module.resources",
    "load_definitions_from_module.loggers", "load_definitions_from_module.executor",
    "load_definitions_from_package_module.package_module", "load_definitions_from_package_module.resources",
    "load_definitions_from_package_module.loggers", "load_definitions_from_package_module.executor",
    "load_definitions_from_package_name.package_name", "load_definitions_from_package_name.resources",
    "load_definitions_from_package_name.loggers", "load_definitions_from_package_name.executor",
)  # fmt: skip
def test_everything_is_collected(package: str, how: str, expected: set[str]) -> None:
    check_everything(EVERYTHING[how](package), expected)


def check_everything(defs: dg.Definitions, expected: set[str]) -> None:
    assert {key.to_user_string() for key in defs.resolve_all_asset_keys()} == expected
    assert {name: getattr(defs, name) for name in GIVEN} == GIVEN
    job = defs.get_job_def("talk")
    assert (job.executor_def.name, list(job.loggers)) == ("in_process", ["l"])
    assert len(list(defs.asset_checks or ())) == 1 or any(
        isinstance(one, dg.AssetChecksDefinition) for one in defs.assets
    )


@pytest.mark.api(
    "load_definitions_from_current_module.resources", "load_definitions_from_current_module.loggers",
    "load_definitions_from_current_module.executor",
)  # fmt: skip
def test_everything_in_the_current_module(tmp_path: Path, package: str) -> None:
    call = """
found = dg.load_definitions_from_current_module(
    resources={"r": 1}, loggers={"l": dg.json_console_logger}, executor=dg.in_process_executor
)
"""
    check_everything(current(tmp_path, package, call), ALL - {"d"})


@pytest.mark.api(
    "load_assets_from_current_module.key_prefix", "load_assets_from_current_module.include_specs",
    "load_asset_checks_from_current_module.asset_key_prefix",
)  # fmt: skip
def test_the_current_module(tmp_path: Path, package: str) -> None:
    call = """
found = dg.load_assets_from_current_module(key_prefix="p", include_specs=True)
checks = dg.load_asset_checks_from_current_module(asset_key_prefix="p")
"""
    found = current(tmp_path, package, call)
    assert keys(found) == {"p/a", "p/b", "outside"}
    checks = module(f"{package}.current").checks
    assert [key.asset_key.to_user_string() for check in checks for key in check.check_keys] == ["p/a"]


def test_one_asset_in_two_modules_is_a_mistake(tmp_path: Path, package: str) -> None:
    (tmp_path / "code_of_ours" / "again.py").write_text(ONE)
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        keys(load("package_name", package))
