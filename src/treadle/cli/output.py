"""How commands print: tables of aligned columns, times, JSON. Plain text; click adds colour on a terminal."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Any, TypeVar

import click
import msgspec

from treadle.core import tags as tag_names
from treadle.core.keys import IMPLICIT_JOB
from treadle.state.events import format_duration
from treadle.state.runs import Run

F = TypeVar("F", bound=Callable[..., Any])
COLOURS = {
    "SUCCESS": "green", "FAILURE": "red", "CANCELED": "yellow", "CANCELING": "yellow", "STARTED": "blue",
    "STARTING": "blue", "SUCCEEDED": "green", "FAILED": "red", "SKIPPED": "yellow", "MATERIALIZED": "green",
}  # fmt: skip
_RUN_ID = re.compile(r"\A([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_MARGIN = 2
_LEAST = 12


def json_option(command: F) -> F:
    """`--json`: the command prints one JSON document on stdout, and nothing else there."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for scripts.")(command)


def on_terminal() -> bool:
    """Whether people read stdout."""
    return sys.stdout.isatty()


def print_json(document: Any) -> None:
    """Print `document` as indented JSON. What JSON cannot say is printed as text."""
    click.echo(json_text(document))


def json_text(document: Any) -> str:
    """`document` as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(document, enc_hook=str), indent=2).decode()


def count(number: int, word: str) -> str:
    """`1 asset`, `2 assets`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> str:
    """Rows with their columns aligned; empty columns are left out.

    Where there is a header and a terminal that is too narrow, ids of runs lose their end and the widest columns are
    wrapped.
    """
    if not rows:
        return ""
    kept = [i for i in range(len(rows[0])) if any(row[i] for row in rows)]
    lines = [[row[i] for i in kept] for row in rows]
    if header:
        lines.insert(0, [header[i] for i in kept])
    widths = [max(len(line[i]) for line in lines) for i in range(len(kept))]
    room = None
    if header and on_terminal():
        import shutil  # noqa: PLC0415  it loads every kind of compression, and only people need it

        room = shutil.get_terminal_size().columns - _MARGIN
    if room is not None and sum(widths) + 2 * len(widths) > room:
        lines = _narrowed(lines, room)
        widths = [max(len(line[i]) for line in lines) for i in range(len(kept))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _narrowed(lines: Sequence[list[str]], room: int) -> list[list[str]]:
    """The lines of a table, in more lines that fit into `room` characters, as far as columns stay readable."""
    lines = [[_RUN_ID.sub(r"\1", cell) for cell in line] for line in lines]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    least = [min(width, max(_LEAST, len(head))) for width, head in zip(widths, lines[0], strict=True)]
    while sum(widths) + 2 * len(widths) > room and (wide := [i for i, each in enumerate(widths) if each > least[i]]):
        widths[max(wide, key=lambda i: widths[i])] -= 1
    parts = [
        [
            [cell] if "\x1b" in cell else textwrap.wrap(cell, width) or [""]
            for cell, width in zip(line, widths, strict=True)
        ]
        for line in lines
    ]
    return [list(each) for line in parts for each in zip_longest(*line, fillvalue="")]


def when(timestamp: float | datetime | None) -> str:
    """A moment in the local time zone, to the second."""
    if timestamp is None:
        return ""
    moment = timestamp if isinstance(timestamp, datetime) else datetime.fromtimestamp(timestamp).astimezone()
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def iso(timestamp: float | datetime | None) -> str | None:
    """A moment in ISO 8601 with its offset, for JSON."""
    if timestamp is None:
        return None
    moment = timestamp if isinstance(timestamp, datetime) else datetime.fromtimestamp(timestamp)
    return moment.astimezone().isoformat()


def duration(seconds: float | None) -> str:
    """Seconds as people say them."""
    return "" if seconds is None else format_duration(seconds * 1000)


def status(word: str) -> str:
    """A status word in its colour."""
    return click.style(word, fg=COLOURS.get(word))


def indented(text: str, by: str = "  ") -> str:
    """`text` with every line moved to the right."""
    return "\n".join(by + line if line else line for line in text.splitlines())


def confirmed(question: str) -> bool:
    """Ask on the terminal. Without anyone to answer: no, and a hint how to go on without being asked."""
    try:
        if click.confirm(question, err=True):
            return True
    except click.Abort:
        click.echo("\nNobody answered. Options such as --noprompt or --force go on without asking.", err=True)
    click.echo("Nothing was changed.", err=True)
    return False


def yaml_text(data: Any) -> str:
    """Plain data as YAML."""
    import yaml  # noqa: PLC0415  few commands print it

    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True).rstrip()


def about(run: Run) -> str:
    """What a run is about: its assets, and its partition."""
    keys = sorted(key.to_user_string() for key in run.asset_selection or ())
    text = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
    if run.job_name == IMPLICIT_JOB and run.asset_selection is None:
        text = "all assets"
    partition = run.tags.get(tag_names.PARTITION)
    if partition is None and tag_names.PARTITION_RANGE_START in run.tags:
        partition = f"{run.tags[tag_names.PARTITION_RANGE_START]}...{run.tags.get(tag_names.PARTITION_RANGE_END)}"
    return f"{text} [{partition}]".strip() if partition else text
