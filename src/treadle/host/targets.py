"""Targets: where definitions are written.

A target names a Python file, a folder, a module or a package, and perhaps an attribute in it. Targets come from the
command line, from `[tool.treadle]` (or `[tool.dagster]`, `[tool.dg.project]`) in pyproject.toml, or from a workspace
file. `host.definitions` loads them: who only names them needs nothing of definitions. What is wrong with such a file is
a `LoadError`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from treadle.core.keys import did_you_mean
from treadle.errors import LoadError

Kind = Literal["file", "module", "package", "autoload"]
KINDS: Mapping[str, Kind] = {
    "python_file": "file",
    "module_name": "module",
    "package_name": "package",
    "autoload_defs_module_name": "autoload",
}
"""What options and tables call each kind."""
WORKSPACE_FILES = ("workspace.yaml", "workspace.yml", "treadle.yaml")


class Target(msgspec.Struct, frozen=True):
    """Where the definitions of one code location are.

    Attributes:
        kind: "file" (or a folder, all of whose modules are taken together), "module", "package" (a module, too), or
            "autoload": a package all of whose modules are taken together.
        value: the path of the file as it was written, or the dotted name.
        attribute: the name of the `Definitions` (or of a function that returns them) in it; None to look for it.
        working_directory: the folder that is on `sys.path`; relative paths start there.
        location_name: the name of the location; None for the one that follows from the rest.
        origin: what named this target, for messages.
    """

    kind: Kind
    value: str
    attribute: str | None = None
    working_directory: Path | None = None
    location_name: str | None = None
    origin: str = "the command line"

    @property
    def name(self) -> str:
        """The name of the location."""
        if self.location_name:
            return self.location_name
        base = (Path(self.value).name or self.path.resolve().name) if self.kind == "file" else self.value
        return f"{base}:{self.attribute}" if self.attribute else base

    @property
    def folder(self) -> Path:
        """The working directory."""
        return (self.working_directory or Path.cwd()).expanduser().absolute()

    @property
    def path(self) -> Path:
        """The path of the file."""
        written = Path(self.value).expanduser()
        return written if written.is_absolute() else self._existing(written)

    def _existing(self, written: Path) -> Path:
        """A relative path starts at the caller's folder, as shells complete it, or else at the working directory."""
        here = written.absolute()
        return here if here.exists() or self.working_directory is None else self.folder / written

    def encoded(self, home: Path | None = None) -> bytes:
        """As bytes, with what its relative paths mean in this process; `home` for a zygote."""
        return msgspec.msgpack.encode({
            "kind": self.kind, "value": str(self.path) if self.kind == "file" else self.value,
            "attribute": self.attribute, "working_directory": os.fspath(self.folder),
            "location_name": self.location_name, "origin": self.origin, "home": str(home) if home else None,
        })  # fmt: skip

    def __str__(self) -> str:
        what = "file" if self.kind == "file" else "module"
        return f"{what} {self.value!r}" + (f", attribute {self.attribute!r}" if self.attribute else "")


def no_file(target: Target, path: Path) -> str:
    """What to say where the file of a target is missing."""
    looked = "" if target.value == str(path) else f"; it was looked for at {path}"
    near = did_you_mean(path.stem, [one.stem for one in path.parent.glob("*.py")]).replace("'?", ".py'?")
    return (
        f"There is no file {target.value!r} (named by {target.origin}{looked}).{near} Give the Python file that has "
        "your Definitions."
    )


# --- targets that files name ------------------------------------------------------------------------------------------


def discover(folder: Path) -> list[Target]:
    """The targets of a project: those of pyproject.toml in `folder`, else of its workspace file, else of pyproject.toml
    in the nearest folder above that names any. None if nothing does.

    Raises:
        LoadError: such a file cannot be read, or names a target in a form that is not known.
    """
    for here in (folder, *folder.parents):
        file = here / "pyproject.toml"
        if file.is_file() and (targets := from_pyproject(file)) is not None:
            return targets
        for name in WORKSPACE_FILES if here == folder else ():
            if (here / name).is_file() and (targets := from_workspace(here / name)):
                return targets
    return []


def from_pyproject(file: Path) -> list[Target] | None:
    """The targets that a pyproject.toml names; None if it says nothing about Treadle.

    Raises:
        LoadError: it is not valid TOML, or its table names no target.
    """
    import tomllib  # noqa: PLC0415  a target on the command line needs no file

    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError) as error:
        raise LoadError(f"{file} cannot be read: {error}. Mend it.") from None
    for key in ("treadle", "dagster"):
        if key in tool:
            return _of_table(tool[key], f"[tool.{key}] in {file}", file.parent)
    if "dg" in tool:
        return _of_dg(tool["dg"], f"[tool.dg.project] in {file}", file.parent)
    return None


def _of_table(table: Mapping[str, Any], where: str, folder: Path) -> list[Target]:
    """`module_name = "x"`, and other keys of `KINDS`, or `modules = [{type, name}]`."""
    name = table.get("code_location_name") or table.get("location_name")
    attribute = table.get("attribute")
    working = folder / table.get("working_directory", ".")
    named: list[tuple[Any, str, str | None]] = [
        (kind, table[key], attribute) for key, kind in KINDS.items() if key in table
    ]
    for entry in table.get("modules", ()):
        if not isinstance(entry, Mapping) or entry.get("type") not in KINDS.values() or "name" not in entry:
            raise LoadError(
                f'{where}: {entry!r} names no module. Write modules = [{{type = "module", name = "my.defs"}}].'
            )
        named.append((entry["type"], entry["name"], entry.get("attribute")))
    targets = [
        Target(kind, str(working / value) if kind == "file" else value, own, working, name, where)
        for kind, value, own in named
    ]
    if not targets:
        near = next((hint for key in table if (hint := did_you_mean(key, KINDS))), "")
        raise LoadError(f'{where} names no code.{near} Write, for example, module_name = "my_project.definitions".')
    if len(targets) > 1 and name:
        raise LoadError(f"{where} has one code_location_name and {len(targets)} locations. Leave the name out.")
    return targets


def _of_dg(table: Mapping[str, Any], where: str, folder: Path) -> list[Target] | None:
    project = table.get("project")
    if not isinstance(project, Mapping):
        return None
    root = project.get("root_module")
    if not root:
        raise LoadError(f'{where} has no root_module. Write root_module = "my_project".')
    name = project.get("code_location_name") or root
    if project.get("autoload_defs"):
        return [Target("autoload", project.get("defs_module") or f"{root}.defs", None, folder, name, where)]
    module = project.get("code_location_target_module") or f"{root}.definitions"
    return [Target("module", module, None, folder, name, where)]


def from_workspace(file: Path) -> list[Target]:
    """The targets that a workspace file names. Relative paths start at its folder. A treadle.yaml, which has settings
    of a home, may name some, too.

    Raises:
        LoadError: it is not valid YAML, or an entry has a form that is not known.
    """
    import yaml  # noqa: PLC0415  only workspace files need it

    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise LoadError(
            f"The workspace file {file} cannot be read: {error}. Mend it, or name another with -w."
        ) from None
    entries = data.get("load_from") if isinstance(data, Mapping) else None
    if entries is None and file.name == "treadle.yaml":
        return []
    if not isinstance(entries, list):
        raise LoadError(f"{file} has no list `load_from`. Write `load_from: [{{python_file: definitions.py}}]`.")
    return [_of_entry(entry, file) for entry in entries]


_ENTRIES: Mapping[str, tuple[Kind, tuple[str, ...]]] = {
    "python_file": ("file", ("relative_path", "python_file")),
    "python_module": ("module", ("module_name", "python_module")),
    "python_package": ("package", ("package_name", "python_package")),
    "autoload_defs_module": ("autoload", ("module_name", "autoload_defs_module")),
}


def _of_entry(entry: Any, file: Path) -> Target:
    if isinstance(entry, Mapping) and "grpc_server" in entry:
        raise LoadError(
            f"{file} names a gRPC server, which serves its code from another process and cannot be loaded here. Name "
            "the code itself with -f or -m."
        )
    if not isinstance(entry, Mapping) or len(entry) != 1 or next(iter(entry)) not in _ENTRIES:
        raise LoadError(f"{file}: {entry!r} is no location. Use one of {', '.join(_ENTRIES)}.")
    word, given = next(iter(entry.items()))
    kind, names = _ENTRIES[word]
    options: Mapping[str, Any] = given if isinstance(given, Mapping) else {names[0]: given}
    value = next((_text(options[name], file) for name in names if name in options), None)
    if not value:
        raise LoadError(f"{file}: {word} has no {names[0]}. Write `{word}: {{{names[0]}: ...}}`.")
    folder = file.absolute().parent
    working = folder / _text(options.get("working_directory", "."), file)
    if kind == "file":
        value = str(folder / value)
    return Target(kind, value, options.get("attribute"), working, options.get("location_name"), str(file))


def _text(value: Any, file: Path) -> str:
    """A value of a workspace file; `{env: NAME}` is taken from the environment."""
    if isinstance(value, Mapping) and set(value) == {"env"}:
        if value["env"] not in os.environ:
            raise LoadError(f"{file}: the environment variable {value['env']} is not set. Set it.")
        return os.environ[value["env"]]
    return str(value)
