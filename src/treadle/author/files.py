"""Files beside user code: paths relative to a module, and run config in YAML files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from glob import glob
from importlib.resources import files
from typing import Any

import yaml

from treadle.errors import InvariantError


def file_relative_path(dunderfile: str, relative_path: str) -> str:
    """A path relative to the folder of a module.

    Example:
        file_relative_path(__file__, "queries/orders.sql")
    """
    return os.path.join(os.path.dirname(dunderfile), relative_path)


def config_from_files(config_files: Sequence[str]) -> dict[str, Any]:
    """The run config that YAML files hold together; later ones win.

    Args:
        config_files: paths, or patterns with `*`.

    Raises:
        InvariantError: a pattern matches nothing, or a file is not a YAML mapping.
    """
    paths: list[str] = []
    for pattern in config_files:
        found = sorted(glob(pattern))
        if not found:
            raise InvariantError(f"config_from_files: there is no file {pattern!r}. Check the path or pattern.")
        paths.extend(found)
    texts = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            texts.append((path, file.read()))
    return _merged(texts)


def config_from_yaml_strings(yaml_strings: Sequence[str]) -> dict[str, Any]:
    """The run config that YAML texts hold together; later ones win.

    Raises:
        InvariantError: a text is not a YAML mapping.
    """
    return _merged((f"text {number}", text) for number, text in enumerate(yaml_strings, 1))


def config_from_pkg_resources(pkg_resource_defs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The run config that YAML files inside packages hold together, each named as (package, file); later ones win.

    Raises:
        InvariantError: a file is not there, or is not a YAML mapping.
    """
    texts = []
    for package, name in pkg_resource_defs:
        try:
            texts.append((f"{name} of {package}", files(package).joinpath(name).read_text("utf-8")))
        except (ImportError, OSError) as error:
            raise InvariantError(
                f"config_from_pkg_resources: {name!r} of package {package!r} cannot be read: {error}"
            ) from error
    return _merged(texts)


def _merged(texts: Iterable[tuple[str, str]]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for where, text in texts:
        try:
            found = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InvariantError(f"The config in {where} is not YAML: {error}") from error
        if not isinstance(found, dict):
            raise InvariantError(f"The config in {where} must be a mapping, and it is {type(found).__name__}.")
        config = _over(config, found)
    return config


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both as one, mappings merged in depth; `above` wins."""
    both = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            both[key] = _over(below[key], above[key])
    return both
