"""Where the code of assets is: the file and line of their functions, and its place in a repository on the web."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from treadle.author.assets_definition import AssetsDefinition
from treadle.author.definitions import map_asset_specs
from treadle.core.metadata import (
    CODE_REFERENCES,
    CodeReferencesMetadataValue,
    LocalFileCodeReference,
    UrlCodeReference,
)
from treadle.errors import InvocationError
from treadle.spec.assets import AssetSpec

T = TypeVar("T", bound=AssetsDefinition | AssetSpec)
Reference = LocalFileCodeReference | UrlCodeReference
_TREE = {"github": "tree", "gitlab": "-/tree"}
_WHERE = re.compile(r" \((?P<file>.*), line (?P<line>\d+)\)")  # what ops and graphs say of their function's place


class FilePathMapping(ABC):
    """Where a local file is in a repository."""

    @abstractmethod
    def convert_to_source_control_path(self, local_path: Path) -> str:
        """The path of a file from the root of the repository, with `/` between its parts."""


@dataclass(frozen=True, slots=True)
class AnchorBasedFilePathMapping(FilePathMapping):
    """Places files by one whose place is known: what lies beside it here lies beside it in the repository.

    Args:
        local_file_anchor: a local file or folder.
        file_anchor_path_in_repository: its path from the root of the repository.

    Example:
        AnchorBasedFilePathMapping(Path(__file__).parent, "python/shop")
    """

    local_file_anchor: Path
    file_anchor_path_in_repository: str

    def convert_to_source_control_path(self, local_path: Path) -> str:
        """The path in the repository."""
        aside = os.path.relpath(local_path, self.local_file_anchor)
        return Path(os.path.normpath(os.path.join(self.file_anchor_path_in_repository, aside))).as_posix()


def with_source_code_references(assets_defs: Sequence[T]) -> Sequence[T]:
    """Copies of assets whose metadata say in which file and line their function is. What nothing here makes stays."""
    return [_located(one) if isinstance(one, AssetsDefinition) and one.is_executable else one for one in assets_defs]  # pyright: ignore[reportReturnType]


def link_code_references_to_git(
    assets_defs: Sequence[T],
    git_url: str,
    git_branch: str,
    file_path_mapping: FilePathMapping,
    platform: Literal["github", "gitlab"] | None = None,
) -> Sequence[T]:
    """Copies of assets whose references to local files became links into a repository on the web.

    Args:
        assets_defs: assets, as `with_source_code_references` returns them.
        git_url: the page of the repository.
        git_branch: the branch, tag or commit that is linked to.
        file_path_mapping: where a local file is in the repository.
        platform: how links are built; found out from `git_url` by default.

    Raises:
        InvocationError: the URL tells no platform, and none is given.
    """
    host = urlsplit(git_url).hostname or ""
    kind = platform or next((known for known in _TREE if known in host), None)
    if kind not in _TREE:
        raise InvocationError(
            f"link_code_references_to_git: {git_url!r} does not tell how links into it are built. Give "
            f"platform={' or '.join(map(repr, _TREE))}."
        )
    base = f"{git_url.rstrip('/').removesuffix('.git')}/{_TREE[kind]}/{git_branch}"

    def link(one: Reference) -> Reference:
        if not isinstance(one, LocalFileCodeReference):
            return one
        path = file_path_mapping.convert_to_source_control_path(Path(one.file_path))
        line = f"#L{one.line_number}" if one.line_number else ""
        return UrlCodeReference(url=f"{base}/{path}{line}", label=one.label)

    def change(spec: AssetSpec) -> AssetSpec:
        references = _references(spec)
        return _with(spec, [link(one) for one in references]) if references else spec

    return map_asset_specs(change, assets_defs)  # pyright: ignore[reportReturnType]


def _located(definition: AssetsDefinition) -> AssetsDefinition:
    place = _WHERE.fullmatch(definition.node_def.where)
    if place is None:
        return definition
    here = LocalFileCodeReference(file_path=os.path.abspath(place["file"]), line_number=int(place["line"]))
    return definition.with_specs(lambda spec: _with(spec, [one for one in _references(spec) if one != here] + [here]))


def _references(spec: AssetSpec) -> list[Reference]:
    value = spec.metadata.get(CODE_REFERENCES)
    return value.code_references if isinstance(value, CodeReferencesMetadataValue) else []


def _with(spec: AssetSpec, references: list[Reference]) -> AssetSpec:
    return spec.merge_attributes(metadata={CODE_REFERENCES: CodeReferencesMetadataValue(references)})
