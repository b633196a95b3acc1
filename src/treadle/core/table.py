"""Descriptions of tables: columns, constraints, records, and which columns a column was made from.

These travel inside metadata values. They are plain data; nothing here looks at a real table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from treadle.core.keys import AssetKey, CoercibleToAssetKey
from treadle.errors import MetadataError

Scalar: TypeAlias = "str | int | float | bool | None"


class TableRecord(msgspec.Struct, frozen=True):
    """One row of a table.

    Attributes:
        data: the value of each column. Values are strings, numbers, booleans or None.
    """

    data: dict[str, Scalar]

    def __post_init__(self) -> None:
        if not isinstance(self.data, Mapping):
            raise MetadataError(f"TableRecord takes a dict of column values, not {type(self.data).__name__}.")
        for column, value in self.data.items():
            if not isinstance(column, str) or not (value is None or isinstance(value, str | int | float)):
                raise MetadataError(
                    f"Column {column!r} of a TableRecord holds {type(value).__name__}. Column names are strings and "
                    "values are str, int, float, bool or None: convert the value first."
                )


@dataclass(init=False, frozen=True, slots=True)
class TableConstraints:
    """Constraints of a table as a whole.

    Attributes:
        other: free descriptions of constraints.
    """

    other: list[str]

    def __init__(self, other: Sequence[str]) -> None:
        object.__setattr__(self, "other", list(other))


@dataclass(init=False, frozen=True, slots=True)
class TableColumnConstraints:
    """Constraints of one column.

    Attributes:
        nullable: whether the column may hold nulls.
        unique: whether its values are unique.
        other: free descriptions of further constraints.
    """

    nullable: bool
    unique: bool
    other: list[str]

    def __init__(self, nullable: bool = True, unique: bool = False, other: Sequence[str] | None = None) -> None:
        object.__setattr__(self, "nullable", nullable)
        object.__setattr__(self, "unique", unique)
        object.__setattr__(self, "other", list(other or ()))


@dataclass(init=False, frozen=True, slots=True)
class TableColumn:
    """A column: its name, the name of its type in its own system, and what else is known of it."""

    name: str
    type: str
    description: str | None
    constraints: TableColumnConstraints
    tags: dict[str, str]

    def __init__(
        self,
        name: str,
        type: str = "string",
        description: str | None = None,
        constraints: TableColumnConstraints | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "type", type)
        object.__setattr__(self, "description", description)
        object.__setattr__(self, "constraints", constraints or TableColumnConstraints())
        object.__setattr__(self, "tags", dict(tags or {}))


@dataclass(init=False, frozen=True, slots=True)
class TableSchema:
    """The columns of a table, in order, and constraints of the whole.

    Raises:
        MetadataError: a column is not a `TableColumn`.
    """

    columns: list[TableColumn]
    constraints: TableConstraints

    def __init__(self, columns: Sequence[TableColumn], constraints: TableConstraints | None = None) -> None:
        for column in columns:
            if not isinstance(column, TableColumn):
                raise MetadataError(
                    f"TableSchema takes TableColumn objects, not {column!r}. "
                    "For names and types alone use TableSchema.from_name_type_dict({name: type})."
                )
        object.__setattr__(self, "columns", list(columns))
        object.__setattr__(self, "constraints", constraints or TableConstraints(other=()))

    @staticmethod
    def from_name_type_dict(name_type_dict: Mapping[str, str]) -> TableSchema:
        """The schema with one column for each name, of the type given."""
        return TableSchema([TableColumn(name, type_name) for name, type_name in name_type_dict.items()])


@dataclass(init=False, frozen=True, slots=True)
class TableColumnDep:
    """A column of an upstream asset that a column was made from."""

    asset_key: AssetKey
    column_name: str

    def __init__(self, asset_key: CoercibleToAssetKey, column_name: str) -> None:
        object.__setattr__(self, "asset_key", AssetKey.of(asset_key))
        object.__setattr__(self, "column_name", column_name)


@dataclass(init=False, frozen=True, slots=True)
class TableColumnLineage:
    """For each column of an asset, the upstream columns it was made from."""

    deps_by_column: dict[str, list[TableColumnDep]]

    def __init__(self, deps_by_column: Mapping[str, Sequence[TableColumnDep]]) -> None:
        object.__setattr__(self, "deps_by_column", {column: list(deps) for column, deps in deps_by_column.items()})
