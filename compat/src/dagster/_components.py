"""Names of components: they can be imported, so that a module which mentions them loads, and using one says what to
write instead. Treadle has no components: what they declare in YAML, Python functions that return `Definitions` do.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NoReturn

from treadle import AssetCheckSpec, AssetKey, AssetSpec
from treadle.errors import DefinitionError

_DEFINITIONS = "a function that takes what differs and returns Definitions"
_COMMAND = "an @asset that calls PipesSubprocessClient().run(context=context, command=...)"
_SQL = "an @asset that runs the statement with a resource"
_FOLDER = "load_definitions_from_package_module(...), for the Python modules of the folder"
_STATE = "an @asset, or a file, that keeps what is fetched"

CLASSES = {
    "AssetAttributesModel": "AssetSpec, or map_asset_specs(...)",
    "Component": _DEFINITIONS,
    "ComponentFormConfig": _DEFINITIONS,
    "ComponentLoadContext": _DEFINITIONS,
    "ComponentTree": _FOLDER,
    "ComponentTypeSpec": _DEFINITIONS,
    "DefinitionsComponent": "load_definitions_from_module(...)",
    "DefsFolderComponent": _FOLDER,
    "DefsStateConfig": _STATE,
    "DefsStateConfigArgs": _STATE,
    "FunctionComponent": "@multi_asset(specs=[...])",
    "PythonScriptComponent": _COMMAND,
    "Resolvable": "a pydantic model, and Model(**yaml.safe_load(text))",
    "ResolutionContext": "EnvVar, or values from Python",
    "Resolver": "a pydantic validator",
    "ScaffoldRequest": _DEFINITIONS,
    "Scaffolder": _DEFINITIONS,
    "SqlComponent": _SQL,
    "StateBackedComponent": _STATE,
    "TemplatedSqlComponent": _SQL,
    "UPathDefsStateStorage": _STATE,
    "UvRunComponent": _COMMAND,
}
"""Classes, and what to use instead of each. To make an object of one, or a subclass, is an error."""

FUNCTIONS = {
    "build_component_defs": _FOLDER,
    "build_defs_for_component": _DEFINITIONS,
    "component_defs": _DEFINITIONS,
    "component_instance": _DEFINITIONS,
    "get_all_components_defs_within_project": _FOLDER,
    "get_component_defs_within_project": _FOLDER,
    "load_defs": _FOLDER,
    "scaffold_component": _DEFINITIONS,
    "scaffold_with": _DEFINITIONS,
    "template_var": "EnvVar, or values from Python",
}
"""Functions and decorators, and what to use instead of each. To call one is an error."""

ResolvedAssetCheckSpec = AssetCheckSpec
ResolvedAssetKey = AssetKey
ResolvedAssetSpec = AssetSpec


class Injected:
    """`Injected[T]`: an annotation for `T`."""

    def __class_getitem__(cls, item: Any) -> Any:
        return item


def _refuse(name: str, instead: str) -> NoReturn:
    raise DefinitionError(f"{name}: components are not supported yet. Instead, use {instead}.")


class _Absent:
    """Base of the classes in `CLASSES`."""

    def __init_subclass__(cls, **given: Any) -> None:
        for base in cls.__mro__[1:]:
            if base.__name__ in CLASSES and base.__module__ == "dagster":
                _refuse(f"class {cls.__name__}({base.__name__})", CLASSES[base.__name__])

    def __new__(cls, *args: Any, **given: Any) -> NoReturn:  # type: ignore[misc]
        _refuse(cls.__name__, CLASSES[cls.__name__])


def __getattr__(name: str) -> Any:
    made: Any
    if name in CLASSES:
        made = type(name, (_Absent,), {"__module__": "dagster", "__doc__": f"Not supported: use {CLASSES[name]}."})
    elif name in FUNCTIONS:
        made = _function(name, FUNCTIONS[name])
    elif name == "ResolvedDefsStateConfig":
        made = __getattr__("DefsStateConfig")
    elif name == "components":
        made = import_module("dagster.components")
    elif name == "Model":
        made = _model()
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = made
    return made


def _function(name: str, instead: str) -> Any:
    def absent(*args: Any, **given: Any) -> NoReturn:
        _refuse(f"{name}()", instead)

    absent.__name__ = absent.__qualname__ = name
    absent.__doc__ = f"Not supported: use {instead}."
    return absent


def _model() -> type:
    pydantic = import_module("pydantic")  # costs more than all the rest of `import dagster`
    config = pydantic.ConfigDict(extra="forbid")
    space = {
        "__module__": "dagster",
        "__doc__": "A pydantic model that refuses unknown fields.",
        "model_config": config,
    }
    return type(pydantic.BaseModel)("Model", (pydantic.BaseModel,), space)
