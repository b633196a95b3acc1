"""IO managers: where values go between steps, and how they come back.

The default one keeps a pickle file for each value. It is a plain class: it is on the way of every `materialize()`, and
config classes (pydantic) are not.
"""

from __future__ import annotations

import copy
import os
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from pathlib import Path
from threading import get_ident
from typing import Any

from treadle.author.config_types import Field, Noneable, StringSource
from treadle.author.env import EnvVar
from treadle.author.io_contexts import InputContext, OutputContext
from treadle.author.ops import OpDefinition
from treadle.author.resources import InitResourceContext, ResourceDefinition, doc_of
from treadle.author.run_config import plain
from treadle.author.signature import decorator
from treadle.core.metadata import PathMetadataValue
from treadle.errors import DefinitionError, InvariantError, StepOutputNotFoundError, StoredValueNotFoundError


class InputManager(ABC):
    """Loads the value of an input."""

    @abstractmethod
    def load_input(self, context: InputContext) -> Any:
        """The value for the input that `context` describes."""


class IOManager(InputManager):
    """Stores what steps produce and loads it for the steps that need it. Subclass it and give an instance as resource.

    A subclass also says where things are; the same place must come out of an `OutputContext` and of the `InputContext`
    that loads it.
    """

    @abstractmethod
    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Store `obj`, which the step produced as the output that `context` describes."""

    def get_resource_definition(self) -> ResourceDefinition:
        """The definition that this object means when it is given as a resource."""
        return IOManagerDefinition.hardcoded_io_manager(self)


class InputManagerDefinition(ResourceDefinition):
    """A resource that loads inputs.

    Args:
        input_config_schema: what config an input that it loads may be given; None for none.
    """

    def __init__(
        self,
        resource_fn: Callable[..., Any],
        config_schema: Any = None,
        description: str | None = None,
        input_config_schema: Any = None,
        required_resource_keys: Set[str] | None = None,
        version: str | None = None,
    ) -> None:
        super().__init__(resource_fn, config_schema, description, required_resource_keys, version)
        self.input_config_schema = input_config_schema


class IOManagerDefinition(InputManagerDefinition):
    """A resource that stores outputs and loads inputs.

    Args:
        resource_fn: gives an `IOManager`.
        input_config_schema: what config an input that it loads may be given; None for none.
        output_config_schema: what config an output that it stores may be given; None for none.
    """

    def __init__(
        self,
        resource_fn: Callable[..., Any],
        config_schema: Any = None,
        description: str | None = None,
        required_resource_keys: Set[str] | None = None,
        version: str | None = None,
        input_config_schema: Any = None,
        output_config_schema: Any = None,
    ) -> None:
        super().__init__(resource_fn, config_schema, description, input_config_schema, required_resource_keys, version)
        self.output_config_schema = output_config_schema

    @staticmethod
    def hardcoded_io_manager(value: IOManager, description: str | None = None) -> IOManagerDefinition:
        """An IO manager that is ready."""
        definition = IOManagerDefinition(lambda: value, description=description)
        definition._constant = value
        return definition

    def start(self, context: InitResourceContext) -> tuple[Any, Callable[[], None] | None]:
        value, close = super().start(context)
        if not isinstance(value, InputManager) and not callable(getattr(value, "handle_output", None)):
            raise DefinitionError(
                f"{self!r} gave {value!r}, which is no IO manager. Return an object whose class derives from IOManager."
            )
        return value, close


def no_io_manager(key: str, given: object, op_name: str) -> DefinitionError:
    """The error for a resource that cannot store what it is to store."""
    return DefinitionError(
        f"The resource {key!r} is to store what {op_name!r} returns, and {given!r} is no IO manager. "
        "Give an object whose class derives from IOManager."
    )


def check_io_managers(ops: Iterable[OpDefinition], definitions: Mapping[str, ResourceDefinition]) -> None:
    """Fail on an object that is ready and cannot store outputs. What the others give is seen when they are set up.

    Raises:
        DefinitionError: there is one.
    """
    fine: set[str] = set()
    for op in ops:
        for out in op.outs.values():
            key = out.io_manager_key
            if key in fine or out.is_nothing:
                continue
            given = definitions[key]
            if given.is_constant and not hasattr(given._constant, "handle_output"):
                raise no_io_manager(key, given._constant, op.name)
            fine.add(key)


@decorator("config_schema")
def io_manager(
    config_schema: Any = None,
    description: str | None = None,
    output_config_schema: Any = None,
    input_config_schema: Any = None,
    required_resource_keys: Set[str] | None = None,
    version: str | None = None,
) -> Callable[[Callable[..., IOManager]], IOManagerDefinition]:
    """Make an IO manager resource of a function that returns an `IOManager`."""
    return lambda fn: IOManagerDefinition(
        fn, config_schema, description or doc_of(fn), required_resource_keys, version,
        input_config_schema, output_config_schema,
    )  # fmt: skip


class _FunctionInputManager(InputManager):
    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = ResourceDefinition(fn)

    def load_input(self, context: Any) -> Any:
        return self._fn.call(context)


@decorator("config_schema")
def input_manager(
    config_schema: Any = None,
    description: str | None = None,
    input_config_schema: Any = None,
    required_resource_keys: Set[str] | None = None,
    version: str | None = None,
) -> Callable[[Callable[..., Any]], InputManagerDefinition]:
    """Make a resource that loads inputs of a function that takes an `InputContext` and returns the value."""
    return lambda fn: InputManagerDefinition(
        lambda: _FunctionInputManager(fn), config_schema, description or doc_of(fn), input_config_schema,
        required_resource_keys, version,
    )  # fmt: skip


# --- values in files ------------------------------------------------------------------------------------------------


class UPathIOManager(IOManager):
    """Base for IO managers that keep each value in a file (or folder) of its own. Subclasses write and read one path.

    Paths: for an asset the parts of its key, then the partition, one folder for each dimension of a multi-partition in
    the order of their names; for an op's output run, step and output name. `extension` is appended.

    Args:
        base_path: where everything is. A `pathlib.Path`, or anything that behaves like one (`upath.UPath`).

    Example:
        class CsvIOManager(UPathIOManager):
            extension = ".csv"

            def dump_to_path(self, context, obj, path):
                path.write_text("\\n".join(obj))

            def load_from_path(self, context, path):
                return path.read_text().split("\\n")
    """

    extension: str | None = ""

    def __init__(self, base_path: Any = None) -> None:
        self._base_path = Path(base_path or ".") if base_path is None or isinstance(base_path, str) else base_path

    # --- for subclasses ----------------------------------------------------------------------------------------------

    @abstractmethod
    def dump_to_path(self, context: OutputContext, obj: Any, path: Any) -> None:
        """Write `obj` to `path`, whose folder exists."""

    @abstractmethod
    def load_from_path(self, context: InputContext, path: Any) -> Any:
        """The value that `dump_to_path` wrote."""

    def get_metadata(self, context: OutputContext, obj: Any) -> Mapping[str, Any]:
        """Facts about the value to put on its event, beside its path."""
        return {}

    def get_path_for_partition(self, context: InputContext | OutputContext, path: Any, partition: str) -> Any:
        """The path of one partition below `path`, the path of the asset."""
        return path / partition

    def get_asset_relative_path(self, context: InputContext | OutputContext) -> Any:
        """Where an asset is below the base path, without partition and extension."""
        return Path(*map(safe_part, context.asset_key.parts))

    def get_op_output_relative_path(self, context: InputContext | OutputContext) -> Any:
        """Where an op's output is below the base path, without extension."""
        return Path(*map(safe_part, context.get_identifier()))

    def make_directory(self, path: Any) -> None:
        """Make a folder, with those above it."""
        path.mkdir(parents=True, exist_ok=True)

    def path_exists(self, path: Any) -> bool:
        """Whether there is something at `path`."""
        return path.exists()

    def unlink(self, path: Any) -> None:
        """Remove the file at `path`."""
        path.unlink()

    # --- paths --------------------------------------------------------------------------------------------------------

    def _path(self, context: InputContext | OutputContext, key: str | None) -> Any:
        if not context.has_asset_key:
            path = self._base_path / self.get_op_output_relative_path(context)
        else:
            path = self._base_path / self.get_asset_relative_path(context)
            if key is not None:
                path = self.get_path_for_partition(context, path, partition_path(key))
        return path.with_name(path.name + self.extension) if self.extension else path

    # --- as an IO manager ---------------------------------------------------------------------------------------------

    def has_output(self, context: OutputContext) -> bool:
        """Whether the value of this output is stored."""
        return self.path_exists(self._path(context, one_partition(context)))

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        path = self._path(context, one_partition(context))
        self.make_directory(path.parent)
        self.dump_to_path(context=context, obj=obj, path=path)
        if obj is not None:
            context.add_output_metadata({"path": PathMetadataValue(str(path)), **self.get_metadata(context, obj)})

    def load_input(self, context: InputContext) -> Any:
        return load_partitions(context, lambda key: self._load(context, key))

    def _load(self, context: InputContext, key: str | None) -> Any:
        path = self._path(context, key)
        try:
            return self.load_from_path(context=context, path=path)
        except FileNotFoundError as error:
            raise not_stored(context, path, key) from error


_DOTS = {"": "%20", ".": "%2E", "..": "%2E%2E"}


def safe_part(part: str) -> str:
    """A part of a path that stays below what is before it: `..` is written as `%2E%2E`. Slashes make folders."""
    if "/" not in part:
        return _DOTS.get(part, part)
    return "/".join(_DOTS.get(piece, piece) for piece in part.strip("/").split("/"))


def partition_path(key: str) -> str:
    """The path of a partition below its asset.

    A multi-partition key has one folder for each dimension, in the order of the dimensions' names.
    """
    by_dimension = getattr(key, "keys_by_dimension", None)
    if by_dimension is None:
        return safe_part(key)
    return "/".join(safe_part(by_dimension[name]) for name in sorted(by_dimension))


def one_partition(context: OutputContext) -> str | None:
    """The partition that an output is about; None if it has none.

    Raises:
        InvariantError: it is about several, and one value cannot be stored as several.
    """
    if not context.has_asset_partitions:
        return None
    keys = context.asset_partition_keys
    if len(keys) != 1:
        raise InvariantError(
            f"The output for {context.asset_key.to_user_string()} covers {len(keys)} partitions, and this IO manager "
            "stores one value a partition. Annotate the function with `-> None` and let it store them itself, "
            "or use a backfill policy with one partition a run."
        )
    return keys[0]


def load_partitions(context: InputContext, load: Callable[[str | None], Any]) -> Any:
    """The value of the one partition that an input is about, or of several as a dict by key; None if it is about none.
    `load(None)` gives that of an input without partitions.

    With `allow_missing_partitions` in the metadata of the input, partitions that are not stored are left out.
    """
    if not context.has_asset_partitions:
        return load(None)
    keys = context.asset_partition_keys
    if not keys:
        return None  # as on the first day of an asset that reads the day before
    optional = bool(context.definition_metadata.get("allow_missing_partitions"))
    if len(keys) == 1 and not optional:
        return load(keys[0])
    values: dict[str, Any] = {}
    for key in keys:
        try:
            values[key] = load(key)
        except StepOutputNotFoundError:
            if not optional:
                raise
    return values.get(keys[0]) if len(keys) == 1 else values


def not_stored(context: InputContext, path: Any, key: str | None) -> StepOutputNotFoundError:
    """The error for a value that should be loaded and is not there."""
    if context.has_asset_key:
        what, fix = f"asset {context.asset_key.to_user_string()!r}", "Materialize it first."
        if key is not None:
            what += f", partition {key!r}"
            fix += " To go on without missing partitions, give the input the metadata "
            fix += "{'allow_missing_partitions': True}."
        step_key = name = ""
    else:
        upstream = context.upstream_output
        step_key, name = (upstream.step_key, upstream.name) if upstream else ("", "")
        what = f"output {name!r} of step {step_key!r}"
        fix = "Run that step first, in a run that this one continues."
    where = f"{path} does not exist. {fix}"
    if path is None:
        where = (
            "it is not in the memory of this process. A value in memory is found only by the run, and in the process, "
            "that made it; the steps of a launched run have processes of their own, unless its executor is "
            "in_process_executor. Use that, or an IO manager that stores values (fs_io_manager)."
        )
    text = f"There is no stored value for {what}: {where}"
    return StoredValueNotFoundError(text, step_key=step_key, output_name=name)


class FilesystemIOManager(IOManager):
    """Keeps each value as a pickle file, the default IO manager.

    Args:
        base_dir: the folder for the files; by default `storage` in the home of the instance.

    Files: `<asset key parts>[/<partition>]` for assets, `<run id>/<step key>/<output>` for ops, written beside and then
    moved into place, so that a reader sees the old or the new value whole.
    """

    def __init__(self, base_dir: str | os.PathLike[str] | EnvVar | None = None) -> None:
        self.base_dir = base_dir
        self._root: str | None = None

    @classmethod
    def configure_at_launch(cls, **kwargs: Any) -> ResourceDefinition:
        """A file system IO manager whose `base_dir` comes from run config."""
        return _file_definition(cls(**kwargs))

    def get_resource_definition(self) -> ResourceDefinition:
        return _file_definition(self)

    def create_io_manager(self, context: InitResourceContext) -> FilesystemIOManager:
        """The IO manager of a run: config of the run before arguments, the instance's home if there is neither."""
        base_dir = (context.resource_config or {}).get("base_dir")
        if base_dir is None:
            base_dir = self._given_dir()
        if base_dir is None:
            if context.instance is None:
                raise InvariantError("A FilesystemIOManager without base_dir needs an instance. Give it a base_dir.")
            base_dir = context.instance.storage_directory()
        made = copy.copy(self)
        made.base_dir, made._root = base_dir, None
        return made

    def _given_dir(self) -> Any:
        return self.base_dir.get_value() if isinstance(self.base_dir, EnvVar) else self.base_dir

    def _path(self, context: InputContext | OutputContext, key: str | None) -> str:
        path = self._root
        if path is None:
            base_dir = self._given_dir()
            if base_dir is None:
                raise InvariantError(
                    "This FilesystemIOManager has no base_dir yet. Give it one, or use it as a resource."
                )
            path = self._root = os.fspath(base_dir)
        for part in context.asset_key.parts if context.has_asset_key else context.get_identifier():
            path += "/" + safe_part(part)
        return path if key is None else f"{path}/{partition_path(key)}"

    # --- as an IO manager ---------------------------------------------------------------------------------------------

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        path = self._path(context, one_partition(context))
        write_pickle(obj, path)
        if obj is not None:
            context.add_output_metadata({"path": PathMetadataValue(path)})

    def load_input(self, context: InputContext) -> Any:
        return load_partitions(context, lambda key: self._load(context, key))

    def _load(self, context: InputContext, key: str | None) -> Any:
        path = self._path(context, key)
        try:
            with open(path, "rb") as file:
                return pickle.load(file)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise not_stored(context, path, key) from error
        except IsADirectoryError as error:
            raise InvariantError(
                f"{path} is a folder, and a file with one value was expected there: {_CHANGED_SHAPE}"
            ) from error
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError) as error:
            raise InvariantError(
                f"The value in {path} cannot be read ({type(error).__name__}: {error}): the file is damaged, or the "
                "code that its classes come from has changed. Materialize it again."
            ) from error

    def has_output(self, context: OutputContext) -> bool:
        """Whether the value of this output is stored."""
        return os.path.isfile(self._path(context, one_partition(context)))

    def __repr__(self) -> str:
        return f"FilesystemIOManager(base_dir={self.base_dir!r})"


_CHANGED_SHAPE = (
    "the asset was stored with partitions and has none now, or the other way round, or another asset's key starts "
    "with its key. Remove what is there, or give one of them another key."
)


def write_pickle(obj: Any, path: str) -> None:
    """Write `obj` to `path` whole or not at all: into a file beside it, which then takes its place.

    Raises:
        InvariantError: `obj` cannot be pickled, or the path is taken by a folder or runs through a file.
    """
    beside = f"{path}.{os.getpid()}-{get_ident()}.part"
    try:
        try:
            file = open(beside, "wb")  # noqa: SIM115  # closed by the `with` below, in both cases
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            file = open(beside, "wb")  # noqa: SIM115
        with file:
            pickle.dump(obj, file, pickle.HIGHEST_PROTOCOL)
        os.replace(beside, path)
    except BaseException as error:
        if os.path.exists(beside):
            os.unlink(beside)
        if isinstance(error, IsADirectoryError | NotADirectoryError | FileExistsError):
            raise InvariantError(f"{path} cannot be written ({error.strerror}): {_CHANGED_SHAPE}") from error
        if isinstance(error, pickle.PicklingError | AttributeError | TypeError | RecursionError):
            raise InvariantError(
                f"A value of type {type(obj).__name__} cannot be pickled, which storing it in a file needs ({error}). "
                "Return something else, use an IO manager that knows this type, or keep values in memory "
                "(mem_io_manager, in one process)."
            ) from error
        raise


def _file_definition(manager: FilesystemIOManager) -> IOManagerDefinition:
    base_dir = manager.base_dir if isinstance(manager.base_dir, EnvVar | None) else os.fspath(manager.base_dir)
    schema = {"base_dir": Field(Noneable(StringSource), plain(base_dir), description="The folder for the files.")}
    definition = IOManagerDefinition(manager.create_io_manager, schema, "Keeps each value as a pickle file.")
    definition.origin = manager
    return definition


# --- values in memory -----------------------------------------------------------------------------------------------


class InMemoryIOManager(IOManager):
    """Keeps values in memory, for tests and for runs in one process.

    Attributes:
        values: what it keeps, by identifier of the output.
    """

    def __init__(self) -> None:
        self.values: dict[tuple[str, ...], Any] = {}
        self._assets: dict[tuple[tuple[str, ...], str | None], Any] = {}
        self._ranges: dict[tuple[tuple[str, ...], tuple[str, ...]], Any] = {}

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        self.values[tuple(context.get_identifier())] = obj
        if context.has_asset_key:
            parts = context.asset_key.parts
            keys: Sequence[str | None] = context.asset_partition_keys if context.has_asset_partitions else (None,)
            for key in keys:
                self._assets[parts, key] = obj
            if len(keys) > 1:  # one value for a range: who loads the same range gets it as it was
                self._ranges[parts, tuple(context.asset_partition_keys)] = obj

    def load_input(self, context: InputContext) -> Any:
        if context.has_asset_partitions:
            together = (context.asset_key.parts, tuple(context.asset_partition_keys))
            if together in self._ranges:
                return self._ranges[together]
        return load_partitions(context, lambda key: self._load(context, key))

    def _load(self, context: InputContext, key: str | None) -> Any:
        try:
            if context.has_asset_key:
                return self._assets[context.asset_key.parts, key]
            return self.values[tuple(context.get_identifier())]
        except KeyError as error:
            raise not_stored(context, None, key) from error


mem_io_manager = IOManagerDefinition(InMemoryIOManager, description="Keeps values in memory.")
"""Keeps values in memory, anew for each run."""

fs_io_manager = _file_definition(FilesystemIOManager())
"""Keeps each value as a pickle file; config: `base_dir`."""
