"""`load_from_defs_folder`: everything that the Python modules of a project's `defs` folder declare."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from pathlib import Path
from typing import Any

import treadle
from treadle.host.definitions import load
from treadle.host.targets import Target


def load_from_defs_folder(
    *, path_within_project: Path | None = None, project_root: Path | None = None
) -> treadle.Definitions:
    """Everything in the modules of the package `<root_module>.defs`, as one `Definitions`.

    Args:
        path_within_project: any file or folder of the project: the nearest folder upwards with a pyproject.toml that
            has `[tool.dg.project]` (or with a dg.toml) is the project.
        project_root: that folder itself.

    Raises:
        DefinitionError: neither is given, there is no such project, or its folder holds components (`defs.yaml`).
        LoadError: a module cannot be imported.
    """
    start = project_root or path_within_project
    if start is None:
        raise treadle.DefinitionError("load_from_defs_folder needs path_within_project: Path(__file__).parent will do.")
    found = next(
        ((folder, table) for folder in (start.absolute(), *start.absolute().parents) if (table := _project(folder))),
        None,
    )
    if found is None or "root_module" not in found[1]:
        raise treadle.DefinitionError(
            f"There is no project around {start}: no folder upwards from it has a pyproject.toml with a root_module in "
            '[tool.dg.project]. Add it: root_module = "my_project".'
        )
    folder, table = found
    name = table.get("defs_module") or f"{table['root_module']}.defs"
    for path in (folder / "src", folder):
        if path.is_dir() and str(path) not in sys.path and importlib.util.find_spec(table["root_module"]) is None:
            sys.path.insert(0, str(path))
    definitions = load(Target("autoload", name, None, folder, None, "load_from_defs_folder")).definitions
    for place in sys.modules[name].__path__:
        for file in Path(place).rglob("defs.yaml"):
            raise treadle.DefinitionError(
                f"{file} declares a component, and components are not supported yet. Write a Python module there that "
                "has the same definitions."
            )
    return definitions


def _project(folder: Path) -> dict[str, Any]:
    """What a folder says about the project that it is; empty if it is none."""
    for name, keys in (("dg.toml", ("project",)), ("pyproject.toml", ("tool", "dg", "project"))):
        if (folder / name).is_file():
            table: Any = tomllib.loads((folder / name).read_text(encoding="utf-8"))
            for key in keys:
                table = table.get(key, {})
            return table
    return {}
