"""A run in words: from its events, what its steps did, what was made and checked, and what failed.

One `Account` serves the summary after an execution, `run show` and the JSON of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar

import msgspec

from treadle.cli import failure, output
from treadle.core.keys import IMPLICIT_JOB
from treadle.core.metadata import MetadataValue, TableMetadataValue
from treadle.core.table import TableSchema
from treadle.state import events
from treadle.state.error_info import ErrorInfo
from treadle.state.events import EventLogEntry
from treadle.state.facts import AssetCheckEvaluation, AssetMaterialization
from treadle.state.runs import Run, RunStatus

_ENDS = {events.StepSucceeded: "SUCCEEDED", events.StepFailed: "FAILED", events.StepSkipped: "SKIPPED"}
STARTS = (events.StepStarted, events.StepRestarted)


def _took(one: StepAccount | Account) -> float | None:
    """Seconds from its start to its end."""
    return one.end - one.start if one.start is not None and one.end is not None else None


class StepAccount(msgspec.Struct):
    """A step: its status word, when it started and ended (epoch seconds), its attempts and how it failed."""

    key: str
    status: str = "STARTED"
    start: float | None = None
    end: float | None = None
    attempts: int = 1
    error: ErrorInfo | None = None
    description: str | None = None
    metadata: Mapping[str, MetadataValue] = {}
    duration: ClassVar = property(_took)


class Account(msgspec.Struct):
    """What the events of a run tell.

    Attributes:
        steps: by key, in the order of their first event.
        made, checked: materializations and check evaluations, with their times.
        start, end: of the run, epoch seconds.
        error: what failed outside of a step.
    """

    steps: dict[str, StepAccount] = {}
    made: list[tuple[float, AssetMaterialization]] = []
    checked: list[tuple[float, AssetCheckEvaluation]] = []
    start: float | None = None
    end: float | None = None
    error: ErrorInfo | None = None
    duration: ClassVar = property(_took)

    @staticmethod
    def of(entries: Iterable[EventLogEntry]) -> Account:
        """The account of these events."""
        account = Account()
        for entry in entries:
            account.add(entry)
        return account

    def add(self, entry: EventLogEntry) -> None:
        """Take in one more event."""
        event = entry.event
        kind = type(event)
        if kind in STARTS:
            step = self.steps.setdefault(event.step_key or "", StepAccount(event.step_key or ""))
            step.start = step.start if step.start is not None else entry.timestamp
            step.status, step.attempts = "STARTED", getattr(event, "attempt", 1)
        elif kind in _ENDS:
            step = self.steps.setdefault(event.step_key or "", StepAccount(event.step_key or ""))
            step.status, step.end = _ENDS[kind], entry.timestamp
            if isinstance(event, events.StepFailed):
                step.error, step.description, step.metadata = event.error, event.description, event.metadata
        elif isinstance(event, events.AssetMaterialized):
            self.made.append((entry.timestamp, event.materialization))
        elif isinstance(event, events.AssetCheckEvaluated):
            self.checked.append((entry.timestamp, event.evaluation))
        elif isinstance(event, events.RunStarted):
            self.start = entry.timestamp
        elif isinstance(event, events.RunSucceeded | events.RunFailed | events.RunCanceled):
            self.end = entry.timestamp
            self.error = event.error if isinstance(event, events.RunFailed) else None

    @property
    def failed(self) -> list[StepAccount]:
        """The steps that failed."""
        return [step for step in self.steps.values() if step.status == "FAILED"]


# --- as JSON ----------------------------------------------------------------------------------------------------------


def document(run: Run, entries: Iterable[EventLogEntry]) -> dict[str, Any]:
    """A run as the JSON of `run show` and of executions: what it was asked for, and how it went."""
    account = Account.of(entries)
    return {
        "run_id": run.run_id,
        "job_name": run.job_name,
        "status": run.status.value,
        "success": run.status is RunStatus.SUCCESS,
        "tags": run.tags,
        "run_config": run.run_config,
        "assets": sorted(key.to_user_string() for key in run.asset_selection or ()),
        "start": output.iso(account.start),
        "end": output.iso(account.end),
        "duration_seconds": account.duration,
        "error": _error(account.error),
        "steps": [
            {
                "key": step.key,
                "status": step.status,
                "attempts": step.attempts,
                "start": output.iso(step.start),
                "end": output.iso(step.end),
                "duration_seconds": step.duration,
                "error": _error(step.error),
                "metadata": plain_metadata(step.metadata),
            }
            for step in account.steps.values()
        ],
        "materializations": [{**materialization(one), "time": output.iso(at)} for at, one in account.made],
        "checks": [{**check(one), "time": output.iso(at)} for at, one in account.checked],
    }


def materialization(made: AssetMaterialization) -> dict[str, Any]:
    """A materialization as JSON."""
    return {
        "asset_key": made.asset_key.to_user_string(),
        "partition": made.partition,
        "description": made.description,
        "metadata": plain_metadata(made.metadata),
        "tags": made.tags,
    }


def check(evaluation: AssetCheckEvaluation) -> dict[str, Any]:
    """A check evaluation as JSON."""
    return {
        "asset_key": evaluation.asset_key.to_user_string(),
        "name": evaluation.check_name,
        "passed": evaluation.passed,
        "severity": evaluation.severity.value,
        "partition": evaluation.partition,
        "description": evaluation.description,
        "metadata": plain_metadata(evaluation.metadata),
    }


def _error(error: ErrorInfo | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "message": failure.sentence(error),
        "class": failure.root(error).cls_name,
        "traceback": failure.traceback_text(error),
    }


def plain_metadata(metadata: Mapping[str, MetadataValue]) -> dict[str, Any]:
    """Metadata as JSON: numbers, texts and lists as they are, tables as lists of rows, the rest as text."""
    return {label: _plain(value) for label, value in metadata.items()}


def _plain(value: MetadataValue) -> Any:
    if isinstance(value, TableMetadataValue):
        return [dict(record.data) for record in value.records]
    inner = value.value
    if isinstance(inner, TableSchema):
        return [{name: getattr(column, name) for name in ("name", "type", "description")} for column in inner.columns]
    return str(value) if isinstance(inner, MetadataValue) else inner


# --- as text ----------------------------------------------------------------------------------------------------------


def metadata_text(metadata: Mapping[str, MetadataValue]) -> str:
    """Metadata, one line a label; tables, schemas, JSON and Markdown below their label."""
    rows: list[tuple[str, str]] = []
    blocks: list[str] = []
    for label, value in metadata.items():
        text = _value_text(value)
        if "\n" in text or isinstance(value, TableMetadataValue):
            blocks.append(f"{label}\n{output.indented(text)}")
        else:
            rows.append((label, text))
    return "\n".join([*([output.table(rows)] if rows else []), *blocks])


def _value_text(value: MetadataValue) -> str:
    if isinstance(value, TableMetadataValue):
        records = [dict(record.data) for record in value.records]
        columns = list(dict.fromkeys(name for record in records for name in record))
        return output.table([[str(record.get(name, "")) for name in columns] for record in records], columns)
    plain = _plain(value)
    if isinstance(getattr(value, "value", None), TableSchema):
        return output.table([(one["name"], one["type"], one["description"] or "") for one in plain])
    if isinstance(plain, float):
        return f"{plain:g}" if abs(plain) < 1e6 else f"{plain:,.0f}"
    if isinstance(plain, dict | list):
        return output.json_text(plain)
    return str(plain)


def brief_metadata(metadata: Mapping[str, MetadataValue], width: int = 100) -> str:
    """Metadata on one line of about `width` characters, or as much of it as fits."""
    parts: list[str] = []
    for label, value in metadata.items():
        text = _value_text(value)
        if "\n" in text or len(text) > 60:
            text = "…"
        if sum(map(len, parts)) + len(label) + len(text) > width:
            parts.append("…")
            break
        parts.append(f"{label}={text}")
    return " ".join(parts)


def check_text(evaluation: AssetCheckEvaluation) -> str:
    """How a check came out, on one line."""
    verdict = "passed" if evaluation.passed else f"did not pass ({evaluation.severity.value})"
    partition = f" [{evaluation.partition}]" if evaluation.partition else ""
    said = f": {evaluation.description}" if evaluation.description else ""
    return f"check {evaluation.check_name} on {evaluation.asset_key.to_user_string()}{partition} {verdict}{said}"


def key_text(made: AssetMaterialization) -> str:
    """An asset key, its partition in brackets behind it."""
    return made.asset_key.to_user_string() + (f" [{made.partition}]" if made.partition else "")


def partitions_text(made: Sequence[AssetMaterialization]) -> str:
    """Materializations of several partitions of one asset, in one line."""
    name = made[0].asset_key.to_user_string()
    return f"{len(made)} partitions of {name} [{made[0].partition} ... {made[-1].partition}]"


def by_asset(made: Iterable[tuple[float, AssetMaterialization]]) -> list[tuple[AssetMaterialization, str]]:
    """Materializations, the partitions of one asset taken together: the last of them, and a line for all."""
    groups = [list(group) for _, group in groupby((one for _, one in made), key=lambda one: one.asset_key)]
    found: list[tuple[AssetMaterialization, str]] = []
    for group in groups:
        if len(group) > 1 and all(one.partition is not None for one in group):
            found.append((group[-1], partitions_text(group)))
        else:
            found += [(one, "") for one in group]
    return found


def summary(run: Run, account: Account) -> str:
    """A run that has ended, on one line."""
    words = {RunStatus.SUCCESS: "succeeded", RunStatus.FAILURE: "failed", RunStatus.CANCELED: "canceled"}
    parts = [output.count(sum(one.status == "SUCCEEDED" for one in account.steps.values()), "step")]
    for status, word in (("FAILED", "failed"), ("SKIPPED", "skipped")):
        if number := sum(one.status == status for one in account.steps.values()):
            parts.append(f"{number} {word}")
    if account.made:
        parts.append(output.count(len(account.made), "materialization"))
    if account.checked:
        passed = sum(one.passed for _, one in account.checked)
        parts.append(f"{passed} of {output.count(len(account.checked), 'check')} passed")
    took = f" in {output.duration(account.duration)}" if account.duration is not None else ""
    return f"run {run.run_id} {words.get(run.status, run.status.value.lower())}{took}: {', '.join(parts)}"


def failure_text(run: Run, account: Account) -> str:
    """Why a run failed, on one line, and where to read more."""
    why = ""
    if account.failed:
        first = account.failed[0]
        why = f"step {first.key!r} failed" + (f": {failure.sentence(first.error)}" if first.error else "")
        if len(account.failed) > 1:
            why += f" ({len(account.failed)} steps failed)"
    elif account.error is not None:
        why = failure.sentence(account.error)
    else:
        bad = [f"{one.check_name} on {one.asset_key.to_user_string()}" for _, one in account.checked if not one.passed]
        why = f"checks did not pass: {', '.join(bad)}" if bad else "it says not why"
    job = f" of {run.job_name}" if run.job_name != IMPLICIT_JOB else ""
    return f"run {run.run_id[:8]}{job} failed: {why}\nMore: treadle run show {run.run_id[:8]}"
