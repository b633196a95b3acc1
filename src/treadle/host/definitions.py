"""Loading definitions from where a target says they are.

`load` imports the target as Python would import it, with its working directory on `sys.path`, and finds the one
`Definitions` in it. Whatever goes wrong is a `LoadError`; if user code raised, that is its `__cause__`.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from treadle.author.asset_jobs import UnresolvedAssetJobDefinition
from treadle.author.assets_definition import AssetsDefinition
from treadle.author.checks import AssetChecksDefinition
from treadle.author.definitions import Definitions, LazyDefinitions
from treadle.author.graphs import GraphDefinition
from treadle.author.jobs import JobDefinition
from treadle.author.loading import load_definitions_from_modules
from treadle.core.keys import did_you_mean
from treadle.errors import LoadError, TreadleError
from treadle.host.targets import Target, no_file
from treadle.spec.assets import AssetSpec

_LOADABLE = (Definitions, AssetsDefinition, AssetSpec, JobDefinition, UnresolvedAssetJobDefinition)


class Location(msgspec.Struct, frozen=True):
    """A code location that has been loaded: its name, its definitions, and the module they were found in."""

    name: str
    definitions: Definitions
    module: ModuleType
    target: Target


def load(target: Target) -> Location:
    """Import the target and find its definitions.

    Raises:
        LoadError: there is no such file, module or attribute, importing it raised, or there is not exactly one
            `Definitions`.
    """
    if target.kind == "file" and target.path.is_dir():
        return _load_folder(target)
    module = _import(target)
    if target.attribute:
        definitions = _named(target, module, target.attribute)
    elif target.kind == "autoload":
        definitions = _together(target, [module, *_below(target, module)])
    else:
        definitions = _found(target, module)
    return Location(target.name, definitions, module, target)


def _load_folder(target: Target) -> Location:
    """Everything in the Python files of a folder and of the packages in it."""
    folder = target.path
    if target.attribute:
        raise LoadError(f"{target.value!r} is a folder, which has no {target.attribute!r}. Give the file that has it.")
    if (folder / "__init__.py").is_file():
        package = _import(msgspec.structs.replace(target, value=str(folder / "__init__.py")))
        modules = [package, *_below(target, package)]
    else:
        _prepend_path(folder, target.folder)
        modules = []
        for info in pkgutil.iter_modules([str(folder)]):
            path = folder / info.name / "__init__.py" if info.ispkg else folder / f"{info.name}.py"
            modules.append(module := _import(msgspec.structs.replace(target, value=str(path))))
            modules += _below(target, module)
    if not modules:
        raise LoadError(f"There is no Python file in the folder {target.value!r} ({folder}). Name another one.")
    return Location(target.name, _together(target, modules), modules[0], target)


@contextmanager
def separate_modules() -> Iterator[None]:
    """Let go of what is imported inside from outside of Python's own folders, and of what was put on `sys.path`.

    Two locations may have modules of one name. Loaded inside such a block each, they do not get to see the other's.
    """
    path, before = list(sys.path), set(sys.modules)
    try:
        yield
    finally:
        kept = tuple(folder for folder in path if folder)
        sys.path[:] = path
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and not file.startswith(kept):
                del sys.modules[name]
        importlib.invalidate_caches()


def _import(target: Target) -> ModuleType:
    if target.kind != "file":
        _prepend_path(target.folder, target.folder / "src")
        return _import_module(target, target.value)
    path = target.path
    if not path.is_file():
        raise LoadError(no_file(target, path))
    if path.stem in ("treadle", "dagster"):
        raise LoadError(
            f"The file {target.value!r} has the name of a package it imports: inside it, `import {path.stem}` would "
            "import the file itself. Rename the file."
        )
    _prepend_path(path.parent, target.folder)
    package = _package_of(path)
    if package is not None:  # relative imports in it work only if it is imported as part of its package
        root, dotted = package
        _prepend_path(root)
        return _import_module(target, dotted)
    return _import_file(target, path)


def _prepend_path(*folders: Path) -> None:
    for folder in reversed(folders):
        text = str(folder)
        if text not in sys.path and folder.is_dir():
            sys.path.insert(0, text)


def _package_of(path: Path) -> tuple[Path, str] | None:
    """The folder above the package that `path` is in, and its dotted name; None if it is in no package."""
    parts, folder = ([] if path.name == "__init__.py" else [path.stem]), path.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        parts.insert(0, folder.name)
        folder = folder.parent
    dotted = ".".join(parts)
    return (folder, dotted) if len(parts) > 1 or path.name == "__init__.py" else None


def _import_file(target: Target, path: Path) -> ModuleType:
    name = path.stem
    loaded = sys.modules.get(name)
    if loaded is not None and (file := getattr(loaded, "__file__", None)) and Path(file).absolute() == path:
        return loaded
    if loaded is not None or name in sys.stdlib_module_names or not name.isidentifier():
        name = f"treadle_file_{abs(hash(str(path))):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise LoadError(f"{target.value!r} is not a Python file: its name does not end in .py. Give the file with -f.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _import_failed(target, error) from error
    return module


def _import_module(target: Target, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise LoadError(_no_module(target, name)) from None
        raise _import_failed(target, error) from error
    except (Exception, SystemExit) as error:
        raise _import_failed(target, error) from error


def _import_failed(target: Target, error: BaseException) -> LoadError:
    """What to say when user code raised while it was imported."""
    if isinstance(error, TreadleError):
        return LoadError(f"The {target} could not be loaded. {error}")
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    advice = "Mend what the traceback shows."
    if isinstance(error, ModuleNotFoundError):
        advice = (
            f"Install what {error.name!r} is in, or, if it is your own, name the folder it is in with -d. Modules are "
            f"looked for in {target.folder}, and among what is installed for {sys.executable}."
        )
    elif isinstance(error, PermissionError) and error.filename == str(target.path):
        advice = "Let this user read it."
    elif isinstance(error, SystemExit):
        said = f"it ended the program (SystemExit: {error})"
        advice = "Put what runs things under `if __name__ == '__main__':`."
    return LoadError(f"The {target} could not be imported: {said}. {advice}")


def _no_module(target: Target, name: str) -> str:
    hint = f" {name!r} looks like a file: use -f instead of -m." if name.endswith(".py") else ""
    return (
        f"There is no module {name!r} (named by {target.origin}).{hint} Modules are looked for in {target.folder}, "
        "and among what is installed. Check the name, or name another folder with -d."
    )


# --- finding definitions ----------------------------------------------------------------------------------------------


def _named(target: Target, module: ModuleType, attribute: str) -> Definitions:
    """The definitions that an attribute of the module is, or returns."""
    if not hasattr(module, attribute):
        known = [name for name, one in vars(module).items() if isinstance(one, (*_LOADABLE, LazyDefinitions))]
        there = f" Definitions in it: {', '.join(known)}." if known else ""
        raise LoadError(f"There is no {attribute!r} in {target.value!r}.{did_you_mean(attribute, vars(module))}{there}")
    value: Any = getattr(module, attribute)
    if isinstance(value, GraphDefinition):
        value = value.to_job()
    if callable(value) and not isinstance(value, _LOADABLE) and not isinstance(value, type):
        value = _called(target, attribute, value)
    if isinstance(value, Definitions):
        return value
    if isinstance(value, AssetChecksDefinition):
        return Definitions(asset_checks=[value])
    if isinstance(value, AssetsDefinition | AssetSpec):
        return Definitions(assets=[value])
    if isinstance(value, JobDefinition | UnresolvedAssetJobDefinition):
        return Definitions(jobs=[value])
    kind = "None" if value is None else f"of type {type(value).__name__}"
    raise LoadError(
        f"{attribute!r} in {target.value!r} is {kind}. With -a, name a Definitions, a job, an asset, or a function "
        "without parameters that returns Definitions."
    )


def _called(target: Target, name: str, function: Any) -> Any:
    """What a function that stands for definitions returns."""
    try:
        return function()
    except TreadleError as error:
        raise _import_failed(target, error) from error
    except Exception as error:
        raise LoadError(
            f"The function {name!r} in {target.value!r} raised {type(error).__name__}: {error}. It is called without "
            "arguments, and returns Definitions."
        ) from error


def _whole(module: ModuleType) -> dict[str, Definitions | LazyDefinitions]:
    """The Definitions at the top level of a module, each under the first of its names."""
    found = {
        id(value): (name, value)
        for name, value in reversed(vars(module).items())
        if isinstance(value, Definitions | LazyDefinitions)
    }
    return dict(found.values())


def _read(target: Target, name: str, value: Definitions | LazyDefinitions) -> Definitions:
    return value if isinstance(value, Definitions) else _called(target, name, value)


def _found(target: Target, module: ModuleType) -> Definitions:
    """The only Definitions of the module; without any, all assets, checks and jobs at its top level together."""
    found = _whole(module)
    if len(found) > 1:
        *names, last = sorted(found)
        raise LoadError(
            f"There are {len(found)} Definitions in {target.value!r}: {', '.join(names)} and {last}. Choose one with "
            f"-a {names[0]}, or put them together: Definitions.merge({', '.join(sorted(found))})."
        )
    for name, value in found.items():
        return _read(target, name, value)
    return _loose(target, [module])


def _loose(target: Target, modules: Iterable[ModuleType]) -> Definitions:
    found = load_definitions_from_modules(modules)
    if not any((found.assets, found.asset_checks, found.jobs, found.schedules, found.sensors)):
        raise LoadError(
            f"There is nothing to load in {target.value!r}: no Definitions, asset or job at its top level. Add one, "
            "for example `defs = Definitions(assets=[...])`."
        )
    return found


def _below(target: Target, package: ModuleType) -> list[ModuleType]:
    """The modules of a package, at any depth."""
    found = pkgutil.walk_packages(getattr(package, "__path__", ()), f"{package.__name__}.")
    return [_import_module(target, info.name) for info in found]


def _together(target: Target, modules: Sequence[ModuleType]) -> Definitions:
    """Everything in some modules, as one: whole Definitions, and what none of them has."""
    named = {id(one): (name, one) for module in modules for name, one in _whole(module).items()}
    if not named:
        return _loose(target, modules)
    whole = [_read(target, name, one) for name, one in named.values()]
    loose = load_definitions_from_modules(modules)
    inside = {id(one) for defs in whole for one in (*defs.assets, *defs.asset_checks, *defs.jobs)}
    rest = Definitions(
        assets=[one for one in loose.assets if id(one) not in inside],
        asset_checks=[one for one in loose.asset_checks if id(one) not in inside],
        jobs=[one for one in loose.jobs if id(one) not in inside],
    )
    return Definitions.merge(*whole, rest)
