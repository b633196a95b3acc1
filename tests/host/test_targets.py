"""Targets: what names them, what is found in them."""

from __future__ import annotations

import importlib.machinery
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from treadle.errors import LoadError
from treadle.host.definitions import load, separate_modules
from treadle.host.settings import load_settings
from treadle.host.targets import Target, discover, from_pyproject, from_workspace

DEFS = "from treadle import Definitions, asset\n\n@asset\ndef {name}(): ...\n\ndefs = Definitions([{name}])\n"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    monkeypatch.chdir(tmp_path)

    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    with separate_modules():
        yield make


def keys(target: Target) -> list[str]:
    return sorted(key.to_user_string() for key in load(target).definitions.resolve_all_asset_keys())


# --- loading ---------------------------------------------------------------------------------------------------------


def test_file_imports_what_lies_beside_it(write: Write) -> None:
    write("sub/names.py", "NAME = 'beside'\n")
    write("sub/defs.py", "import treadle\nfrom names import NAME\n\n@treadle.asset(name=NAME)\ndef f(): ...\n")
    location = load(Target("file", "sub/defs.py"))
    assert location.name == "defs.py"
    assert keys(Target("file", "sub/defs.py")) == ["beside"]
    assert sys.modules["defs"] is location.module  # so that what it defines can be pickled


def test_file_in_a_package_is_imported_as_part_of_it(write: Write) -> None:
    write("shop/__init__.py", "")
    write("shop/names.py", "NAME = 'relative'\n")
    write("shop/defs.py", "import treadle\nfrom .names import NAME\n\n@treadle.asset(name=NAME)\ndef f(): ...\n")
    assert keys(Target("file", "shop/defs.py")) == ["relative"]
    assert load(Target("file", "shop/defs.py")).module.__name__ == "shop.defs"


def test_folder_is_all_that_is_in_it(write: Write) -> None:
    for name in ("shop/json.py", "shop/my_defs.py", "shop/pack/__init__.py", "shop/pack/deep/__init__.py"):
        write(name, DEFS.format(name=name.split("/")[-2] if "__" in name else Path(name).stem))
    write("shop/names.py", "NAME = 'beside'\n")
    write("shop/loose.py", "import treadle\nfrom names import NAME\n\n@treadle.asset(name=NAME)\ndef f(): ...\n")
    assert keys(Target("file", "shop")) == ["beside", "deep", "json", "my_defs", "pack"]
    assert keys(Target("file", "shop/pack")) == ["deep", "pack"]
    assert load(Target("file", "shop")).name == "shop"
    assert Target("file", ".").name == Path.cwd().name


@pytest.mark.parametrize(("attribute", "said"), [(None, "no Python file in the folder"), ("defs", "is a folder")])
def test_folder_without_anything_to_load(attribute: str | None, said: str, write: Write) -> None:
    write("shop/notes.txt", "")
    with pytest.raises(LoadError, match=said):
        load(Target("file", "shop", attribute))


@pytest.mark.parametrize("name", ["json.py", "my-defs.py"])
def test_file_whose_name_is_taken_or_no_identifier(name: str, write: Write) -> None:
    write(name, DEFS.format(name="a"))
    assert keys(Target("file", name)) == ["a"]
    assert sys.modules["json"] is json


def test_file_that_hides_the_package_it_imports(write: Write) -> None:
    write("treadle.py", DEFS.format(name="a"))
    with pytest.raises(LoadError, match="Rename the file"):
        load(Target("file", "treadle.py"))


def test_module_is_looked_for_in_the_working_directory_and_its_src(write: Write, tmp_path: Path) -> None:
    write("code/one_module.py", DEFS.format(name="a"))
    write("code/src/other_module.py", DEFS.format(name="b"))
    assert keys(Target("module", "one_module", working_directory=tmp_path / "code")) == ["a"]
    assert keys(Target("module", "other_module", working_directory=tmp_path / "code")) == ["b"]


def test_missing_module_inside_an_existing_one_is_their_error(write: Write) -> None:
    write("outer.py", "import no_such_inner\n")
    with pytest.raises(LoadError, match="Install what 'no_such_inner' is in") as caught:
        load(Target("module", "outer"))
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    write("plain.py", "")
    with pytest.raises(LoadError, match=r"no module 'plain\.inner'") as caught:
        load(Target("module", "plain.inner"))
    assert caught.value.__cause__ is None


def test_module_that_failed_is_tried_again(write: Write) -> None:
    write("defs.py", "1 / 0\n")
    with pytest.raises(LoadError, match="ZeroDivisionError"):
        load(Target("file", "defs.py"))
    write("defs.py", DEFS.format(name="now_it_is_there"))
    assert keys(Target("file", "defs.py")) == ["now_it_is_there"]


@pytest.mark.parametrize(
    ("attribute", "expected"), [("one", ["a"]), ("make", ["b"]), ("b", ["b"]), ("spec", ["s"]), ("over_all", [])]
)
def test_attribute(attribute: str, expected: list[str], write: Write) -> None:
    write(
        "defs.py",
        "import treadle as t\n@t.asset\ndef a(): ...\n@t.asset\ndef b(): ...\nspec = t.AssetSpec('s')\n"
        "one = t.Definitions([a])\ntwo = t.Definitions([b])\ndef make(): return two\n"
        "@t.job\ndef over_all(): ...\n",
    )
    assert keys(Target("file", "defs.py", attribute)) == expected
    assert Target("file", "defs.py", attribute).name == f"defs.py:{attribute}"


def test_function_that_raises_is_their_error(write: Write) -> None:
    write("defs.py", "def make():\n    raise ValueError('no')\n")
    with pytest.raises(LoadError, match=r"'make' in 'defs\.py' raised ValueError: no") as caught:
        load(Target("file", "defs.py", "make"))
    assert isinstance(caught.value.__cause__, ValueError)


LAZY = "import treadle as t\nfrom treadle import asset\n@asset\ndef late(): ...\n@t.definitions\ndef defs({0}): {1}\n"


@pytest.mark.parametrize("attribute", [None, "defs"])
def test_definitions_that_a_function_makes(attribute: str | None, write: Write) -> None:
    write("defs.py", LAZY.format("", "return t.Definitions([late])"))
    assert keys(Target("file", "defs.py", attribute)) == ["late"]
    write("pack/__init__.py", "")
    write("pack/one.py", LAZY.format("", "return t.Definitions([late])"))
    write("pack/two.py", DEFS.format(name="plain"))
    assert keys(Target("autoload", "pack")) == ["late", "plain"]


@pytest.mark.parametrize(
    ("takes", "does", "match"),
    [
        ("context: 'ComponentLoadContext'", "return 1", "folder of components"),
        ("", "return 1", "returned 1"),
        ("", "return 1 / 0", "'defs' in 'defs.py' raised ZeroDivisionError"),
    ],
)
def test_a_function_that_makes_none(takes: str, does: str, match: str, write: Write) -> None:
    write("defs.py", LAZY.format(takes, does))
    with pytest.raises(LoadError, match=match):
        load(Target("file", "defs.py"))


def test_the_same_definitions_under_two_names_are_one(write: Write) -> None:
    write("defs.py", DEFS.format(name="a") + "again = defs\n")
    assert keys(Target("file", "defs.py")) == ["a"]


def test_without_definitions_everything_at_the_top_level_is_taken(write: Write) -> None:
    write(
        "defs.py",
        "import treadle as t\n@t.asset\ndef a(): ...\nspecs = [t.AssetSpec('s')]\n"
        "@t.asset_check(asset=a)\ndef c(): ...\nnightly = t.define_asset_job('nightly', [a])\n",
    )
    definitions = load(Target("file", "defs.py")).definitions
    assert sorted(key.to_user_string() for key in definitions.resolve_all_asset_keys()) == ["a", "s"]
    assert [key.name for key in definitions.layer.checks] == ["c"]
    assert list(definitions.jobs_by_name) == ["nightly"]


def test_autoload_collects_from_all_modules_of_a_package(write: Write) -> None:
    write("shop/__init__.py", "")
    write("shop/sales/__init__.py", "import treadle\n\n@treadle.asset\ndef loose(): ...\n")
    write("shop/sales/deep.py", DEFS.format(name="whole"))
    assert keys(Target("autoload", "shop")) == ["loose", "whole"]
    with pytest.raises(LoadError, match="nothing to load"):
        load(Target("package", "shop"))


def test_two_locations_with_modules_of_one_name(write: Write, tmp_path: Path) -> None:
    found = []
    for name in ("first", "second"):
        write(f"{name}/shared_name.py", f"KEY = {name!r}\n")
        text = "import treadle\nfrom shared_name import KEY\n\n@treadle.asset(name=KEY)\ndef f(): ...\n"
        write(f"{name}/defs.py", text)
        with separate_modules():
            found += keys(Target("file", "defs.py", working_directory=tmp_path / name))
    assert found == ["first", "second"]
    assert "shared_name" not in sys.modules


# --- what files name --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('[tool.treadle]\nmodule_name = "a.b"\n', [("module", "a.b", "a.b")]),
        ('[tool.dagster]\nmodule_name = "a.b"\ncode_location_name = "shop"\n', [("module", "a.b", "shop")]),
        ('[tool.treadle]\nmodule_name = "a"\n[tool.dagster]\nmodule_name = "b"\n', [("module", "a", "a")]),
        ('[tool.treadle]\npackage_name = "p"\nattribute = "d"\n', [("package", "p", "p:d")]),
        ('[tool.treadle]\nautoload_defs_module_name = "p.defs"\n', [("autoload", "p.defs", "p.defs")]),
        (
            '[tool.dagster]\nmodules = [{type = "module", name = "a"}, {type = "package", name = "b"}]\n',
            [("module", "a", "a"), ("package", "b", "b")],
        ),
        ('[tool.dg.project]\nroot_module = "shop"\n', [("module", "shop.definitions", "shop")]),
        ('[tool.dg.project]\nroot_module = "s"\nautoload_defs = true\n', [("autoload", "s.defs", "s")]),
    ],
)
def test_pyproject(table: str, expected: list[tuple[str, str, str]], write: Write, tmp_path: Path) -> None:
    targets = from_pyproject(write("pyproject.toml", table))
    assert targets is not None
    assert [(one.kind, one.value, one.name) for one in targets] == expected
    assert {one.folder for one in targets} == {tmp_path}


def test_pyproject_python_file_starts_at_its_folder(write: Write, tmp_path: Path) -> None:
    write("code/defs.py", DEFS.format(name="a"))
    targets = from_pyproject(write("pyproject.toml", '[tool.treadle]\npython_file = "code/defs.py"\n'))
    assert targets is not None
    assert [one.path for one in targets] == [tmp_path / "code" / "defs.py"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[tool.treadle]\n", "names no code. Write, for example, module_name"),
        ("[tool.treadle]\nmodul_name = 'x'\n", "names no code. Did you mean 'module_name'?"),
        ("[tool.treadle\n", "cannot be read"),
        ("[tool.treadle]\nmodules = ['a']\n", "names no module"),
        ("[tool.dg.project]\nx = 1\n", "no root_module"),
    ],
)
def test_pyproject_that_cannot_be_right(table: str, message: str, write: Write) -> None:
    with pytest.raises(LoadError, match=message):
        from_pyproject(write("pyproject.toml", table))


def test_pyproject_that_says_nothing(write: Write) -> None:
    assert from_pyproject(write("pyproject.toml", "[tool.dg]\ndirectory_type = 'workspace'\n")) is None
    assert from_pyproject(write("pyproject.toml", "[project]\nname = 'x'\n")) is None


def test_workspace_file(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "x.py")
    file = write(
        "deep/workspace.yaml",
        "load_from:\n- python_file: a.py\n"
        "- python_file: {relative_path: b/c.py, attribute: d, location_name: n, working_directory: b}\n"
        "- python_file: {relative_path: {env: WHERE}}\n"
        "- python_module: m.n\n- python_module: {module_name: o}\n- python_package: p\n",
    )
    targets = from_workspace(file)
    assert [one.name for one in targets] == ["a.py", "n", "x.py", "m.n", "o", "p"]
    assert [one.kind for one in targets] == ["file", "file", "file", "module", "module", "package"]
    assert targets[0].path == tmp_path / "deep" / "a.py"
    assert targets[1].folder == tmp_path / "deep" / "b"
    assert (targets[1].path, targets[1].attribute) == (tmp_path / "deep" / "b" / "c.py", "d")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("load_from: {", "cannot be read"),
        ("x: 1\n", "no list `load_from`"),
        ("load_from: [{python_fil: a.py}]\n", "is no location"),
        ("load_from: [{python_module: {attribute: d}}]\n", "has no module_name"),
        ("load_from: [{python_file: {relative_path: {env: NOT_SET_ANYWHERE}}}]\n", "NOT_SET_ANYWHERE is not set"),
        ("load_from: [{grpc_server: {port: 4000}}]\n", "gRPC server"),
    ],
)
def test_workspace_file_that_cannot_be_right(text: str, message: str, write: Write) -> None:
    with pytest.raises(LoadError, match=message):
        from_workspace(write("workspace.yaml", text))


def test_discover_prefers_pyproject_then_the_workspace_file_then_looks_upwards(write: Write, tmp_path: Path) -> None:
    write("workspace.yml", "load_from: [{python_module: from_workspace}]\n")
    assert [one.value for one in discover(tmp_path)] == ["from_workspace"]
    write("pyproject.toml", '[tool.treadle]\nmodule_name = "from_pyproject"\n')
    assert [one.value for one in discover(tmp_path)] == ["from_pyproject"]
    (tmp_path / "sub").mkdir()
    assert [one.value for one in discover(tmp_path / "sub")] == ["from_pyproject"]


def test_treadle_yaml_may_name_locations_beside_settings(write: Write, tmp_path: Path) -> None:
    file = write("treadle.yaml", "telemetry: {enabled: false}\n")
    assert discover(tmp_path) == []
    file.write_text("telemetry: {enabled: false}\nload_from: [python_file: defs.py, python_file: other]\n")
    assert [target.name for target in discover(tmp_path)] == ["defs.py", "other"]
    assert load_settings(tmp_path).telemetry.enabled is False


def test_a_file_that_is_not_there_is_named_with_who_named_it_and_its_place(write: Write, tmp_path: Path) -> None:
    write("shop.py", "")
    write("ok.py", "")
    there = f" (named by the command line; it was looked for at {tmp_path / 'shp.py'}). Did you mean 'shop.py'?"
    with pytest.raises(LoadError, match=re.escape(f"There is no file 'shp.py'{there}")):
        load(Target("file", "shp.py"))
    file = write("pyproject.toml", "[tool.treadle]\npython_file = 'gone.py'\n")
    named = f"There is no file '{tmp_path / 'gone.py'}' (named by [tool.treadle] in {file}). Give the Python file"
    with pytest.raises(LoadError, match=re.escape(named)):
        load(discover(tmp_path)[0])


def test_a_file_that_may_not_be_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("shop.py", "")
    refusal = PermissionError(13, "Permission denied", str(path))
    monkeypatch.setattr(importlib.machinery.SourceFileLoader, "exec_module", Mock(side_effect=refusal))
    with pytest.raises(LoadError, match=r"Permission denied.* Let this user read it"):
        load(Target("file", "shop.py"))
