"""Descriptions of tables: columns, constraints, records, and which columns a column was made from.

These travel inside metadata values. They are plain data; nothing here looks at a real table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from treadle.core import codec
from treadle.core.keys import AssetKey, CoercibleToAssetKey
from treadle.errors import MetadataError

Scalar: TypeAlias = "str | int | float | bool | None"


def _fill(self: msgspec.Struct, field: str, value: Any) -> None:
    """Put `value` in the place of a None that was passed for "nothing to say"."""
    if getattr(self, field) is None:
        msgspec.structs.force_setattr(self, field, value)


class TableRecord(msgspec.Struct, frozen=True):
    """One row of a table.

    Attributes:
        data: the value of each column. Values are strings, numbers, booleans or None.

    Raises:
        MetadataError: a value is something else.
    """

    data: Mapping[str, Scalar]

    def __post_init__(self) -> None:
        if not isinstance(self.data, Mapping):
            raise MetadataError(f"TableRecord takes a dict of column values, not {type(self.data).__name__}.")
        for column, value in self.data.items():
            if not isinstance(column, str) or not (value is None or isinstance(value, str | int | float)):
                raise MetadataError(
                    f"Column {column!r} of a TableRecord holds {type(value).__name__}. Column names are strings and "
                    "values are str, int, float, bool or None: convert the value first."
                )


class TableConstraints(msgspec.Struct, frozen=True):
    """Constraints of a table as a whole.

    Attributes:
        other: free descriptions of constraints.
    """

    other: Sequence[str]

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "other", list(self.other))


class TableColumnConstraints(msgspec.Struct, frozen=True):
    """Constraints of one column.

    Attributes:
        nullable: whether the column may hold nulls.
        unique: whether its values are unique.
        other: free descriptions of further constraints.
    """

    nullable: bool = True
    unique: bool = False
    other: Sequence[str] = ()

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "other", list(self.other or ()))


class TableColumn(msgspec.Struct, frozen=True):
    """A column: its name, the name of its type in its own system, and what else is known of it."""

    name: str
    type: str = "string"
    description: str | None = None
    constraints: TableColumnConstraints = msgspec.field(default_factory=TableColumnConstraints)
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        _fill(self, "constraints", TableColumnConstraints())
        _fill(self, "tags", {})


class TableSchema(msgspec.Struct, frozen=True):
    """The columns of a table, in order, and constraints of the whole.

    Raises:
        MetadataError: a column is not a `TableColumn`.
    """

    columns: Sequence[TableColumn]
    constraints: TableConstraints = msgspec.field(default_factory=lambda: TableConstraints(()))

    def __post_init__(self) -> None:
        for column in self.columns:
            if not isinstance(column, TableColumn):
                raise MetadataError(
                    f"TableSchema takes TableColumn objects, not {column!r}. "
                    "For names and types alone use TableSchema.from_name_type_dict({name: type})."
                )
        msgspec.structs.force_setattr(self, "columns", list(self.columns))
        _fill(self, "constraints", TableConstraints(()))

    @staticmethod
    def from_name_type_dict(name_type_dict: Mapping[str, str]) -> TableSchema:
        """The schema with one column for each name, of the type given."""
        return TableSchema([TableColumn(name, type_name) for name, type_name in name_type_dict.items()])


class TableColumnDep:
    """A column of an upstream asset that a column was made from."""

    __slots__ = ("asset_key", "column_name")
    asset_key: AssetKey
    column_name: str

    def __init__(self, asset_key: CoercibleToAssetKey, column_name: str) -> None:
        self.asset_key = AssetKey.of(asset_key)
        self.column_name = column_name

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TableColumnDep)
            and self.column_name == other.column_name
            and self.asset_key == other.asset_key
        )

    def __hash__(self) -> int:
        return hash((self.asset_key, self.column_name))

    def __repr__(self) -> str:
        return f"TableColumnDep({self.asset_key!r}, {self.column_name!r})"


codec.register(TableColumnDep, lambda dep: (dep.asset_key.parts, dep.column_name), lambda raw: TableColumnDep(*raw))


class TableColumnLineage(msgspec.Struct, frozen=True):
    """For each column of an asset, the upstream columns it was made from."""

    deps_by_column: Mapping[str, Sequence[TableColumnDep]]

    def __post_init__(self) -> None:
        copied = {column: list(deps) for column, deps in self.deps_by_column.items()}
        msgspec.structs.force_setattr(self, "deps_by_column", copied)
