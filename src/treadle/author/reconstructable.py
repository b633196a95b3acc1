"""A job by name: the module and function that give it, so that another process can have it too."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import FunctionType
from typing import Any

from treadle.author.asset_jobs import UnresolvedAssetJobDefinition
from treadle.author.graphs import GraphDefinition
from treadle.author.jobs import JobDefinition
from treadle.core.keys import did_you_mean
from treadle.errors import InvariantError, LoadError


@dataclass(frozen=True, slots=True)
class ReconstructableJob:
    """Where a job comes from. Made by `reconstructable` and `build_reconstructable_job`.

    Attributes:
        module: the module.
        name: what in it is the job, or a function that returns it.
        args, kwargs: arguments for the function.
        working_directory: a folder to import from, beside those of `sys.path`.
    """

    module: str
    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    working_directory: str | None = None

    def get_definition(self) -> JobDefinition:
        """The job.

        Raises:
            LoadError: the module cannot be imported.
            InvariantError: the module has no such job or function, or what it gives is no job.
        """
        module = self._import()
        if not hasattr(module, self.name):
            names = [name for name in vars(module) if not name.startswith("_")]
            raise InvariantError(f"Module {self.module!r} has no {self.name!r}.{did_you_mean(self.name, names)}")
        found = getattr(module, self.name)
        if isinstance(found, FunctionType):
            found = found(*self.args, **self.kwargs)
        if isinstance(found, GraphDefinition):
            found = found.to_job()
        if isinstance(found, JobDefinition):
            return found
        hint = ". Give a function that returns `defs.resolve_job_def(name)`"
        raise InvariantError(
            f"{self.name!r} of module {self.module!r} gives {type(found).__name__}, and a job is needed"
            + (hint if isinstance(found, UnresolvedAssetJobDefinition) else ": a job, or a function that returns one")
            + "."
        )

    def _import(self) -> Any:
        before = list(sys.path)
        if self.working_directory is not None:
            sys.path.insert(0, self.working_directory)
        try:
            return import_module(self.module)
        except ImportError as error:
            raise LoadError(
                f"Module {self.module!r} cannot be imported: {error}. Check its name, install it, or name the folder "
                "it is in as working directory."
            ) from error
        finally:
            sys.path[:] = before


def reconstructable(target: JobDefinition | Callable[..., JobDefinition]) -> ReconstructableJob:
    """The place of a job that a module has: of the job itself, or of a function without arguments that returns it.

    Raises:
        InvariantError: `target` is neither, or is not what its module has under its name: a lambda, or something that
            was made inside a function.
    """
    if isinstance(target, FunctionType):
        module, name = target.__module__, target.__qualname__
        if getattr(sys.modules.get(module), name, None) is not target:
            raise InvariantError(
                f"The function {name!r} is not in its module under that name, so it cannot be found again. Define it "
                "at the top level of a module, not as a lambda or in a function, or use build_reconstructable_job."
            )
        return ReconstructableJob(module, name)
    if isinstance(target, JobDefinition | GraphDefinition):
        place = _place_of(target)
        if place is None:
            raise InvariantError(
                f"No module has the job {target.name!r}, so it cannot be found again. Define it at the top level of a "
                "module, not in a function, or use build_reconstructable_job."
            )
        return ReconstructableJob(*place)
    raise InvariantError(
        f"{target!r} is a {type(target).__name__}. reconstructable takes a job, or a function that returns one."
    )


def _place_of(target: JobDefinition | GraphDefinition) -> tuple[str, str] | None:
    """The module that has this very object, and its name there."""
    for module_name, module in list(sys.modules.items()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is target:
                return module_name, name
    return None


def build_reconstructable_job(
    reconstructor_module_name: str,
    reconstructor_function_name: str,
    reconstructable_args: tuple[object, ...] | None = None,
    reconstructable_kwargs: Mapping[str, object] | None = None,
    reconstructor_working_directory: str | None = None,
) -> ReconstructableJob:
    """The place of a job that is made by a function with arguments. Nothing is imported yet.

    Args:
        reconstructor_module_name, reconstructor_function_name: the function that returns the job.
        reconstructable_args, reconstructable_kwargs: its arguments.
        reconstructor_working_directory: a folder to import from, beside those of `sys.path`.
    """
    return ReconstructableJob(
        reconstructor_module_name, reconstructor_function_name, tuple(reconstructable_args or ()),
        dict(reconstructable_kwargs or {}), reconstructor_working_directory,
    )  # fmt: skip
