"""The options that say which definitions a command is about, and what they mean together.

On the command line first, then from the environment, then from the project's files (`host.targets.discover`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource
from msgspec import structs

from treadle.cli.given import with_options
from treadle.cli.main import spare_imports
from treadle.core.keys import did_you_mean
from treadle.host.targets import KINDS, Target, discover, from_workspace, no_file

if TYPE_CHECKING:  # `dev` itself needs nothing of definitions
    from treadle.host.definitions import Location

F = TypeVar("F", bound=Callable[..., Any])
_SOURCES = (*KINDS, "workspace", "empty_workspace")


def _option(*names: str, help: str, metavar: str = "NAME", envvar: str = "", multiple: bool = False) -> Any:
    word = names[-1].removeprefix("--").replace("-", "_").upper()
    variables = [f"TREADLE_{word}", f"DAGSTER_{envvar or word}"]
    return click.option(*names, multiple=multiple, metavar=metavar, envvar=variables, help=help)


_OPTIONS = (
    _option("-f", "--python-file", multiple=True, metavar="PATH", help="Python file with the definitions. Repeatable."),
    _option("-m", "--module-name", multiple=True, help="Module with the definitions. Repeatable."),
    _option("--package-name", multiple=True, help="Package with the definitions. Repeatable."),
    _option(
        "--autoload-defs-module-name", envvar="autoload_defs_module_name",
        help="Package from all of whose modules definitions are collected.",
    ),
    _option("-a", "--attribute", help="The Definitions in the file or module, or a function that returns them."),
    _option(
        "-d", "--working-directory", metavar="FOLDER",
        help="Folder that modules are imported from; by default the current one.",
    ),
    _option(
        "-w", "--workspace", multiple=True, metavar="PATH",
        help="Workspace file that names code locations. Repeatable.",
    ),
    click.option("--empty-workspace", is_flag=True, help="No code locations at all."),
)  # fmt: skip
_LOCATION = click.option("-l", "--location", metavar="NAME", help="Code location, where there are several.")


def targets_options(command: F) -> F:
    """The options of a command that takes several locations; it gets `targets`."""
    return with_options(_OPTIONS, command)


def target_options(command: F) -> F:
    """The options of a command that takes one location."""
    return targets_options(_LOCATION(command))


def targets_of(ctx: click.Context, options: dict[str, Any]) -> list[Target]:
    """Take the options of a target out of `options`: the targets they mean.

    Raises:
        click.UsageError: they contradict each other, or there is no target at all.
        LoadError: a file that names targets cannot be right.
    """
    spare_imports()
    given = {name: options.pop(name) for name in _SOURCES}
    attribute, folder = options.pop("attribute"), options.pop("working_directory")
    chosen = {name for name, value in given.items() if value}
    typed = {name for name in chosen if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    chosen = typed or chosen
    if len(chosen) > 1:
        names = " and ".join(sorted(f"--{name.replace('_', '-')}" for name in chosen))
        raise click.UsageError(f"{names} both say where the definitions are. Give one of them.", ctx)
    working = Path(folder) if folder else None
    if working is not None and not working.is_dir():
        raise click.UsageError(f"--working-directory: there is no folder {folder!r}. Name one that exists.", ctx)
    if not chosen:
        targets = discover((working or Path.cwd()).absolute())
        if not targets:
            raise click.UsageError(
                "Nothing says where the definitions are: no option, and no [tool.treadle] in a pyproject.toml or "
                f"workspace.yaml in {working or Path.cwd()}. Give a file with -f or a module with -m.",
                ctx,
            )
        return [structs.replace(one, attribute=attribute) for one in targets] if attribute else targets
    source = chosen.pop()
    if source == "empty_workspace":
        return []
    if source == "workspace":
        if gone := [path for path in given[source] if not Path(path).exists()]:
            raise click.UsageError(f"There is no workspace file {gone[0]!r}. Name the one that you have with -w.", ctx)
        return [target for path in given[source] for target in from_workspace(Path(path))]
    values = given[source] if isinstance(given[source], tuple) else (given[source],)
    if attribute and len(values) > 1:
        raise click.UsageError("--attribute names something in one file or module, and several are given.", ctx)
    found = [Target(KINDS[source], value, attribute, working) for value in values]
    for target in found:
        if target.kind == "file" and not target.path.exists():
            raise click.UsageError(no_file(target, target.path), ctx)
    return found


def location_of(ctx: click.Context, options: dict[str, Any]) -> Location:
    """Take the options of a target out of `options`: the one location they mean, loaded.

    Raises:
        click.UsageError: there is none, or more than one and none is chosen.
        LoadError: it cannot be loaded.
    """
    from treadle.host.definitions import load  # noqa: PLC0415  as above

    wanted = options.pop("location")
    targets = targets_of(ctx, options)
    names = [target.name for target in targets]
    if wanted is not None:
        targets = [target for target in targets if target.name == wanted]
        if not targets:
            raise click.UsageError(
                f"There is no code location {wanted!r}.{did_you_mean(wanted, names)} These are there: "
                f"{', '.join(names)}.",
                ctx,
            )
    if len(targets) != 1:
        raise click.UsageError(
            f"There are {len(targets)} code locations, and this command works on one. "
            + (f"Choose with -l: {', '.join(names)}." if names else "Give a file with -f or a module with -m."),
            ctx,
        )
    return load(targets[0])
