"""What the runtime needs from outside: a place for events, what is remembered, and files for captured output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from treadle.core.keys import AssetKey
from treadle.state.events import EventLogEntry
from treadle.state.records import AssetRecord, EventLogRecord


class Sink(Protocol):
    """Takes events."""

    def write(self, entry: EventLogEntry) -> None:
        """Take one. It may wait in memory for a moment."""
        ...

    def commit(self) -> None:
        """Make all that was written durable and visible to others."""
        ...


class Slots(Protocol):
    """Gives slots of pools to steps."""

    def claim(self, step: str, pool: str, priority: int) -> None:
        """Ask for a slot. Higher priorities go first."""
        ...

    def granted(self) -> set[str]:
        """The steps that have been given one since this was asked last."""
        ...

    def free(self, step: str) -> None:
        """Give it back."""
        ...

    def fileno(self) -> int:
        """Becomes readable when there may be one."""
        ...


class Memory(Protocol):
    """What is remembered from before; the instance is one."""

    def get_latest_materialization_events(self, asset_keys: Iterable[AssetKey]) -> Mapping[AssetKey, Any]:
        """The entry of the latest materialization of each asset, None where there is none."""
        ...

    def get_asset_records(self, asset_keys: Sequence[AssetKey]) -> Sequence[AssetRecord]:
        """What is known of each asset of which anything is."""
        ...

    def get_latest_data_version_record(
        self, key: AssetKey, is_source: bool | None = None, partition_key: str | None = None
    ) -> EventLogRecord | None:
        """The event that says the current data version of an asset, or of a partition of it."""
        ...

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        """The keys of a dynamic partitions definition."""
        ...


class LogFiles(msgspec.Struct, frozen=True):
    """Where a process writes what it captures.

    Attributes:
        key: what the log store calls it.
        stdout, stderr: the files.
    """

    key: tuple[str, ...]
    stdout: Path
    stderr: Path

    def sizes(self) -> tuple[int, int] | None:
        """How many bytes they have by now; None if they are not there."""
        try:
            return self.stdout.stat().st_size, self.stderr.stat().st_size
        except OSError:
            return None

    def named(self, name: str) -> LogFiles:
        """The files beside these that are called `name`."""
        return LogFiles(
            (*self.key[:-1], name), self.stdout.with_name(f"{name}.out"), self.stderr.with_name(f"{name}.err")
        )
