"""Projects whose definitions are whatever the modules of a folder declare."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dagster as dg


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "folder_project"\n'
    )
    defs = tmp_path / "src" / "folder_project" / "defs"
    (defs / "more").mkdir(parents=True)
    for folder in (defs.parent, defs, defs / "more"):
        (folder / "__init__.py").touch()
    (defs / "assets.py").write_text("import dagster as dg\n@dg.asset\ndef one(): return 1\n")
    (defs / "more" / "jobs.py").write_text(
        "import dagster as dg\n@dg.asset(deps=['one'])\ndef two(): ...\n"
        "defs = dg.Definitions(assets=[two], jobs=[dg.define_asset_job('both', selection='*')])\n"
    )
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before
    for name in [name for name in sys.modules if name.startswith("folder_project")]:
        del sys.modules[name]


@pytest.mark.api("load_from_defs_folder.path_within_project", "load_from_defs_folder.project_root")
@pytest.mark.parametrize("argument", ["path_within_project", "project_root"])
def test_everything_in_the_folder_is_loaded(project: Path, argument: str) -> None:
    where = {"path_within_project": project / "src" / "folder_project", "project_root": project}
    defs = dg.load_from_defs_folder(**{argument: where[argument]})
    assert {key.to_user_string() for key in defs.resolve_all_asset_keys()} == {"one", "two"}
    assert defs.get_job_def("both").execute_in_process().success


def test_components_in_the_folder_are_named(project: Path) -> None:
    (project / "src" / "folder_project" / "defs" / "more" / "defs.yaml").write_text("type: x\n")
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=r"more/defs\.yaml declares a component"):
        dg.load_from_defs_folder(project_root=project)


@pytest.mark.parametrize("given", [{}, {"project_root": Path("/")}])
def test_where_there_is_no_project(given: dict[str, Path]) -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=r"path_within_project|root_module"):
        dg.load_from_defs_folder(**given)
