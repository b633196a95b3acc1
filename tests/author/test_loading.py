"""Collecting definitions from modules: what is found, renamed, given to it, and what is a mistake."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import treadle as tr
from treadle.author.asset_layer import AssetLayer
from treadle.core.mappings import LastPartitionMapping
from treadle.errors import DefinitionError


@tr.asset
def a() -> int:
    return 1


@tr.asset(key_prefix="p")
def b(a: int) -> int:
    return a + 1


@tr.asset(deps=["outside", "told"], group_name="g", check_specs=[tr.AssetCheckSpec("inner", asset="c")])
def c() -> Any:
    yield tr.Output(1)
    yield tr.AssetCheckResult(passed=True)


told = tr.AssetSpec("told", deps=["a"])


@tr.asset_check(asset="a", additional_deps=["c"])
def is_right() -> tr.AssetCheckResult:
    return tr.AssetCheckResult(passed=True)


nightly = tr.define_asset_job("nightly")


def module(name: str = "m", **values: Any) -> ModuleType:
    made = ModuleType(name)
    made.__dict__.update(values)
    return made


EVERYTHING = {"a": a, "b": b, "c": c, "told": told, "is_right": is_right, "nightly": nightly}


def shown(loaded: Any) -> dict[str, list[str]]:
    """Key -> dependencies, of all that was loaded."""
    specs = [spec for one in loaded for spec in ([one] if isinstance(one, tr.AssetSpec) else one.specs)]
    return {spec.key.to_user_string(): [dep.asset_key.to_user_string() for dep in spec.deps] for spec in specs}


def test_assets_are_found_and_specs_only_when_asked() -> None:
    found = tr.load_assets_from_modules([module(**EVERYTHING)])
    assert found == [a, b, c]
    assert tr.load_assets_from_modules([module(**EVERYTHING)], include_specs=True) == [a, b, c, told]


def test_an_object_in_several_modules_and_lists_is_found_once() -> None:
    one, two = module(a=a, many=[b, c], also=[a]), module("n", a=a, told=[told, tr.AssetSpec("other")])
    assert tr.load_assets_from_modules([one, two]) == [a, b, c]
    assert list(shown(tr.load_assets_from_modules([one, two], include_specs=True))) == [
        "a",
        "p/b",
        "c",
        "told",
        "other",
    ]


# What the peer does, observed.
@pytest.mark.parametrize("held", [(a, b), {a}, [a, 1], {"k": a}, [[a]], []])
def test_only_lists_of_nothing_but_definitions_are_looked_into(held: Any) -> None:
    assert tr.load_assets_from_modules([module(held=held)]) == []


def test_a_prefix_renames_what_was_found_and_dependencies_on_it() -> None:
    loaded = tr.load_assets_from_modules([module(**EVERYTHING)], key_prefix=["x", "y"])
    assert shown(loaded) == {"x/y/a": [], "x/y/p/b": ["x/y/a"], "x/y/c": ["outside", "told"]}
    (check,) = loaded[2].check_keys  # pyright: ignore
    assert check == tr.AssetCheckKey(["x", "y", "c"], "inner")
    assert shown([a, b, c]) == {"a": [], "p/b": ["a"], "c": ["outside", "told"]}  # the originals are as they were


def test_a_source_prefix_renames_what_nothing_here_makes() -> None:
    loaded = tr.load_assets_from_modules(
        [module(**EVERYTHING)], key_prefix="z", source_key_prefix="s", include_specs=True
    )
    assert shown(loaded) == {"z/a": [], "z/p/b": ["z/a"], "z/c": ["outside", "s/told"], "s/told": ["z/a"]}


def test_prefixed_assets_run_and_load_each_other() -> None:
    result = tr.materialize_to_memory(
        [*tr.load_assets_from_modules([module(**EVERYTHING)], key_prefix="z"), tr.AssetSpec("told")]  # pyright: ignore
    )
    assert result.asset_value(["z", "p", "b"]) == 2
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.asset_key == tr.AssetKey(["z", "c"])


def test_partition_mappings_follow_a_prefix() -> None:
    days = tr.DailyPartitionsDefinition("2024-01-01")

    @tr.asset(partitions_def=days)
    def up() -> None: ...

    mapping = LastPartitionMapping()

    @tr.asset(partitions_def=days, deps=[tr.AssetDep(up, partition_mapping=mapping)])
    def down() -> None: ...

    _, loaded = tr.load_assets_from_modules([module(up=up, down=down)], key_prefix="z")
    assert isinstance(loaded, tr.AssetsDefinition)
    assert loaded.get_partition_mapping(tr.AssetKey(["z", "up"])) is mapping
    assert loaded.specs[0].deps[0].partition_mapping is mapping


def test_attributes_are_given_to_what_is_made_and_the_group_to_all() -> None:
    policy = tr.BackfillPolicy.single_run()
    fresh = tr.FreshnessPolicy.time_window(fail_window=timedelta(hours=1))
    loaded = tr.load_assets_from_modules(
        [module(a=a, told=told)], "things", freshness_policy=fresh, backfill_policy=policy, include_specs=True
    )
    made, bare = loaded
    assert isinstance(made, tr.AssetsDefinition)
    assert isinstance(bare, tr.AssetSpec)
    assert (made.backfill_policy, made.specs[0].freshness_policy, made.specs[0].group_name) == (policy, fresh, "things")
    assert (bare.freshness_policy, bare.group_name) == (None, "things")
    assert (a.backfill_policy, a.specs[0].group_name) == (None, None)


def test_another_group_is_a_mistake_the_same_is_not() -> None:
    with pytest.raises(DefinitionError, match=r"'c' is in group 'g'.*group_name='h'"):
        tr.load_assets_from_modules([module(c=c)], group_name="h")
    (same,) = tr.load_assets_from_modules([module(c=c)], group_name="g")
    assert shown([same]) == shown([c])


def test_two_definitions_of_one_asset_or_check_are_a_mistake() -> None:
    twin = tr.asset(name="a")(lambda: 1)
    with pytest.raises(DefinitionError, match=r"'a' is declared twice: in m .*test_loading.* and n .*test_loading"):
        tr.load_assets_from_modules([module(a=a), module("n", twin=twin)])
    with pytest.raises(DefinitionError, match="'told' is declared twice"):
        tr.load_assets_from_modules([module(x=told, y=tr.AssetSpec("told"))], include_specs=True)
    with pytest.raises(DefinitionError, match="'a' is declared twice"):
        tr.load_assets_from_modules([module(a=a, spec=tr.AssetSpec("a"))], include_specs=True)
    check = tr.asset_check(asset="a", name="is_right")(lambda: tr.AssetCheckResult(passed=True))
    with pytest.raises(DefinitionError, match="'a:is_right' is declared twice"):
        tr.load_asset_checks_from_modules([module(is_right=is_right, check=check)])


def test_equal_specs_are_one() -> None:
    assert tr.load_assets_from_modules([module(x=told, y=tr.AssetSpec("told", deps=["a"]))], include_specs=True) == [
        told
    ]


def test_what_is_no_module_is_named() -> None:
    with pytest.raises(DefinitionError, match="'flights' is not a module"):
        tr.load_assets_from_modules(["flights"])  # pyright: ignore


def test_checks_are_found_and_only_the_asset_they_check_gets_the_prefix() -> None:
    assert tr.load_asset_checks_from_modules([module(**EVERYTHING)]) == [is_right]
    (check,) = tr.load_asset_checks_from_modules([module(**EVERYTHING)], asset_key_prefix="z")
    assert check.check_key == tr.AssetCheckKey(["z", "a"], "is_right")
    assert [dep.asset_key for dep in check.check_specs[0].additional_deps] == [tr.AssetKey("c")]
    AssetLayer(tr.load_assets_from_modules([module(a=a)], key_prefix="z"), [check])


def test_definitions_are_everything() -> None:
    defs = tr.load_definitions_from_module(module(**EVERYTHING, stray=tr.Definitions()), resources={"r": 1})
    assert (defs.assets, defs.asset_checks, defs.jobs, defs.resources) == (
        [a, b, c, told], [is_right], [nightly], {"r": 1}
    )  # fmt: skip
    assert tr.load_definitions_from_modules([module(a=a), module(nightly=nightly)]).jobs == [nightly]


def test_the_current_module_is_the_callers() -> None:
    source = "import treadle as tr\n@tr.asset\ndef first(): ...\n{}\n@tr.asset\ndef later(): ..."
    values: dict[str, Any] = {"__name__": "nowhere"}
    exec(source.format("found = tr.load_assets_from_current_module(key_prefix='k')"), values)
    assert shown(values["found"]) == {"k/first": []}
    values = {"__name__": "nowhere", "check": is_right}
    exec(source.format("defs = tr.load_definitions_from_current_module()"), values)
    assert (values["defs"].assets, values["defs"].asset_checks) == ([values["first"]], [is_right])
    assert tr.load_asset_checks_from_current_module() == [is_right]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a package with modules at two depths, and a `__main__` that must not run."""
    files = {
        "__init__.py": "from treadle import asset\n@asset\ndef top(): ...",
        "__main__.py": "raise SystemExit('started')",
        "one.py": "from treadle import asset, asset_check\nfrom loadable import top\n@asset\ndef one(): ...\n"
        "@asset_check(asset=one)\ndef fine(): ...",
        "deep/__init__.py": "",
        "deep/two.py": "from treadle import asset\n@asset\ndef two(): ...",
    }
    for name, text in files.items():
        path = tmp_path / "loadable" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "loadable"
    for name in [name for name in sys.modules if name.split(".")[0] == "loadable"]:
        del sys.modules[name]


def test_packages_are_walked(package: str) -> None:
    loaded = tr.load_assets_from_package_name(package, key_prefix="k")
    assert shown(loaded) == {"k/top": [], "k/two": [], "k/one": []}
    top = sys.modules[package]
    assert list(shown(tr.load_assets_from_package_module(top))) == ["top", "two", "one"]
    assert [one.name for one in tr.load_asset_checks_from_package_name(package)] == ["fine"]
    assert [one.name for one in tr.load_asset_checks_from_package_module(top)] == ["fine"]
    assert len(tr.load_definitions_from_package_name(package).assets) == 3
    assert len(tr.load_definitions_from_package_module(top).assets) == 3


def test_a_module_of_a_package_that_cannot_be_imported_is_no_secret(package: str, tmp_path: Path) -> None:
    (tmp_path / "loadable" / "deep" / "broken.py").write_text("import no_such_module_anywhere")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        tr.load_assets_from_package_name(package)


@given(edges=st.dictionaries(st.integers(0, 7), st.sets(st.integers(0, 9)), max_size=8), prefix=st.sampled_from("zq"))
def test_a_prefix_keeps_the_shape_of_the_graph(edges: dict[int, set[int]], prefix: str) -> None:
    made: dict[str, Any] = {
        f"n{n}": tr.asset(name=f"n{n}", deps=[f"n{d}" for d in deps if d < n])(lambda: 1) for n, deps in edges.items()
    }
    loaded = tr.load_assets_from_modules([module(**made)], key_prefix=prefix)

    def renamed(name: str) -> str:
        return f"{prefix}/{name}" if name in made else name

    assert shown(loaded) == {
        renamed(name): [renamed(dep) for dep in deps] for name, deps in shown(list(made.values())).items()
    }
