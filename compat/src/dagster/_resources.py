"""Resources and IO of the older kinds: file managers, IO managers of a path in metadata, and words of scaffolding."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import treadle
from treadle.author.io_managers import write_pickle

_BASE_DIR = {"base_dir": treadle.Field(treadle.StringSource, is_required=False, description="The folder.")}


class FileHandle(ABC):
    """A file somewhere."""

    @property
    @abstractmethod
    def path_desc(self) -> str:
        """Where it is, for people."""


class LocalFileHandle(FileHandle):
    """A file on this machine."""

    def __init__(self, path: str) -> None:
        self._path = path

    @property
    def path(self) -> str:
        """Its path."""
        return self._path

    @property
    def path_desc(self) -> str:
        return self._path


class LocalFileManager:
    """Keeps files in a folder, each under a new name."""

    def __init__(self, base_dir: str) -> None:
        self.base_dir = base_dir
        self._temporary: list[str] = []

    def ensure_base_dir_exists(self) -> None:
        """Make the folder."""
        os.makedirs(self.base_dir, exist_ok=True)

    @contextmanager
    def read(self, file_handle: LocalFileHandle, mode: str = "rb") -> Iterator[IO[Any]]:
        """The file, open."""
        with open(file_handle.path, mode) as file:
            yield file

    def read_data(self, file_handle: LocalFileHandle) -> bytes:
        """What is in the file."""
        with self.read(file_handle) as file:
            return file.read()

    def write(self, file_obj: IO[Any], mode: str = "wb", ext: str | None = None) -> LocalFileHandle:
        """Keep what can be read from `file_obj`, under a name that ends with `ext`."""
        self.ensure_base_dir_exists()
        path = os.path.join(self.base_dir, str(uuid.uuid4()) + (f".{ext}" if ext else ""))
        with open(path, mode) as file:
            shutil.copyfileobj(file_obj, file)
        return LocalFileHandle(path)

    def write_data(self, data: bytes, ext: str | None = None) -> LocalFileHandle:
        """Keep `data`."""
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            return self.write(file, ext=ext)

    def copy_handle_to_local_temp(self, file_handle: LocalFileHandle) -> str:
        """The path of a copy that lasts until `delete_local_temp`."""
        descriptor, path = tempfile.mkstemp(prefix="treadle-")
        os.close(descriptor)
        self._temporary.append(shutil.copyfile(file_handle.path, path))
        return path

    def delete_local_temp(self) -> None:
        """Remove those copies."""
        while self._temporary:
            os.unlink(self._temporary.pop())


def _folder(context: treadle.InitResourceContext, name: str) -> str:
    given = (context.resource_config or {}).get("base_dir")
    if given is not None:
        return given
    return os.path.join(context.instance.storage_directory() if context.instance else os.getcwd(), name)


@treadle.resource(config_schema=_BASE_DIR)
def local_file_manager(context: treadle.InitResourceContext) -> LocalFileManager:
    """Keeps files in a folder of this machine."""
    return LocalFileManager(_folder(context, "file_manager"))


class _PathInMetadata(treadle.IOManager):
    """Keeps each value as a pickle file at the `path` in the metadata of its output, below `base_dir`."""

    def __init__(self, base_dir: str) -> None:
        self.base_dir = base_dir

    def _path(self, context: Any) -> str:
        path = context.definition_metadata.get("path")
        if path is None:
            raise treadle.InvariantError(
                f"The output {context.name!r} of {context.step_key!r} has no path for custom_path_fs_io_manager. Say "
                "where its value is kept: Out(metadata={'path': ...})."
            )
        return os.path.join(self.base_dir, path)

    def handle_output(self, context: treadle.OutputContext, obj: Any) -> None:
        write_pickle(obj, self._path(context))
        context.add_output_metadata({"path": treadle.MetadataValue.path(self._path(context))})

    def load_input(self, context: treadle.InputContext) -> Any:
        with open(self._path(context.upstream_output), "rb") as file:
            return pickle.load(file)


@treadle.io_manager(config_schema=_BASE_DIR)
def custom_path_fs_io_manager(context: treadle.InitResourceContext) -> treadle.IOManager:
    """Keeps each value as a pickle file at the `path` in the metadata of its output."""
    return _PathInMetadata(_folder(context, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateIOStorageResult:
    """What `migrate_io_storage` did to which assets."""

    migrated: tuple[Any, ...]
    skipped: tuple[Any, ...]
    failed: tuple[Any, ...]


def migrate_io_storage(**_given: Any) -> MigrateIOStorageResult:
    """Treadle does not move values by itself.

    Raises:
        InvocationError: always; it says what to do instead.
    """
    raise treadle.InvocationError(
        "migrate_io_storage does not exist here. Load each value with Definitions.load_asset_value(key, "
        "partition_key=...) and store it with the new IO manager: handle_output(build_output_context(asset_key=key, "
        "partition_key=...), value)."
    )


def resources() -> None:
    """A word of scaffolding commands: a module with resources."""
