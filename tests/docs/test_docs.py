"""The documentation is true: what it shows runs, what exists is in it, and its links lead somewhere.

How blocks are marked, in the info string of their fence:

- ```` ```python ```` runs. The blocks of a page share one namespace, in order. Where a block has comments that begin
  with `#>`, they are what it prints. `raises=NAME`: it must raise an error of that name.
- ```` ```python title=shop.py ````, or `yaml`, `toml`, … with a title: is written to that file first. Python files must
  run; functions called `test_…` in files called `test_….py` are called.
- ```` ```console ````: a line that begins with `$ treadle` is called and must exit 0, or as `exit=1` says. The lines
  below it must be in what it prints, in this order. Ids, times and durations may differ, and `…` stands for anything.
- `python no-run`, and every other language: for the eye only.
"""

from __future__ import annotations

import builtins
import inspect
import os
import re
import runpy
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import msgspec
import pytest

import dagster
import treadle
from treadle import errors
from treadle.cli.main import run
from treadle.host import settings
from treadle.host.definitions import separate_modules

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
NAMES = ROOT / "docs" / "names.md"
HELD_ELSEWHERE = ("flights.md",)
"""Its code is taken from the example: tests/examples holds both equal."""
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[a-z]+[^\n`]*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_VARIES = (
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "ID"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b", "TIME"),
    (r"\b\d\d:\d\d:\d\d\b", "TIME"),
    (r"\b(run|show|logs|delete) [0-9a-f]{8}\b", r"\1 ID"),
    (r"\b[\d.]+ ?(ms|s)\b", "DURATION"),
    (r"\b\d[\d,]* bytes\b", "SIZE"),
    (r"\s+", " "),
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: where it is, what it is, what is in it."""

    page: Path
    line: int
    language: str
    marks: tuple[str, ...]
    body: str

    def mark(self, name: str) -> str | None:
        """The value of a mark such as `title=shop.py`."""
        return next((mark.partition("=")[2] for mark in self.marks if mark.partition("=")[0] == name), None)

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        language, *marks = match["info"].split()
        line = text.count("\n", 0, match.start()) + 1
        indent = len(match["indent"])
        body = "".join(each[indent:] for each in match["body"].splitlines(keepends=True))
        found.append(Block(page, line, language, tuple(marks), body))
    return found


def normal(line: str) -> str:
    """A line of output without what differs between two runs."""
    for pattern, stands_for in _VARIES:
        line = re.sub(pattern, stands_for, line)
    return line.strip()


def missing(expected: Sequence[str], printed: str) -> str | None:
    """The first of the expected lines that is not printed, in this order; None if all are."""
    lines = iter([normal(line) for line in printed.splitlines()])
    for want in expected:
        pattern = ".*".join(re.escape(part) for part in normal(want).split("…"))
        if normal(want) and not any(re.fullmatch(pattern, line) for line in lines):
            return want
    return None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty project, current, with its home in it."""
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("TREADLE_HOME", str(project / ".treadle"))
    before = dict(os.environ)
    with separate_modules():
        sys.path.insert(0, str(project))
        yield project
    os.environ.clear()
    os.environ.update(before)


def run_python(block: Block, namespace: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    """Run a block in the namespace of its page, and hold it against what it says about itself."""
    code = compile("\n" * block.line + block.body, str(block.page), "exec", dont_inherit=True)
    capfd.readouterr()
    if (error := block.mark("raises")) is None:
        exec(code, namespace.__dict__)
    else:
        with pytest.raises(getattr(errors, error, None) or getattr(builtins, error)):  # type: ignore[call-overload]
            exec(code, namespace.__dict__)
    printed = capfd.readouterr().out
    expected = [line.split("#>", 1)[1] for line in block.body.splitlines() if line.lstrip().startswith("#>")]
    if expected:
        assert (absent := missing(expected, printed)) is None, f"{block} does not print {absent!r}, but:\n{printed}"


def run_file(block: Block, name: str) -> None:
    """Write a file of the page; run it if it is Python, and the tests in it."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.body)
    if block.language != "python":
        return
    defined = runpy.run_path(str(path))
    if path.name.startswith("test_"):
        for key, value in defined.items():
            if key.startswith("test_"):
                value()


def run_console(block: Block, capfd: pytest.CaptureFixture[str]) -> None:
    """Call the commands of a block."""
    calls: list[tuple[str, list[str]]] = []
    for line in block.body.splitlines():
        if line.startswith("$ "):
            calls.append((line[2:], []))
        elif calls:
            calls[-1][1].append(line)
    for command, expected in calls:
        program, *args = shlex.split(command, comments=True)
        if program != "treadle":
            continue
        capfd.readouterr()
        with separate_modules():
            code = run(args)
        captured = capfd.readouterr()
        printed = captured.out + captured.err
        assert code == int(block.mark("exit") or 0), f"{block}: `{command}` exits with {code}:\n{printed}"
        absent = missing(expected, printed)
        assert absent is None, f"{block}: `{command}` does not print {absent!r}, but:\n{printed}"


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in HELD_ELSEWHERE], ids=lambda page: page.name
)
def test_what_a_page_shows_runs(page: Path, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    namespace = ModuleType("page_" + page.stem.replace("-", "_"))
    namespace.__file__ = str(folder / "page.py")
    sys.modules[namespace.__name__] = namespace
    for block in blocks(page):
        title = block.mark("title")
        if title is not None:
            run_file(block, title)
        elif block.language == "console":
            run_console(block, capfd)
        elif block.language == "python" and "no-run" not in block.marks:
            run_python(block, namespace, capfd)


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """What can follow `#` in a link to the page: its headings, as GitHub names them."""
    found = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(linked), f"{page.name} links to {target}, which has no such heading"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name


def setting_keys(kind: Any) -> Iterator[str]:
    """The keys of a settings block, dotted, with those of the blocks in it."""
    for each in msgspec.structs.fields(kind):
        inner = [one for one in (each.type, *get_args(each.type)) if isinstance(one, type)]
        blocks_in = [one for one in inner if issubclass(one, settings._Block) and one is not settings.ClassBlock]
        if not blocks_in:
            yield each.encode_name
        for one in blocks_in:
            yield from (f"{each.encode_name}.{key}" for key in setting_keys(one))


def test_every_setting_is_documented() -> None:
    _, _, text = (ROOT / "docs" / "instance.md").read_text().partition("\n## Settings\n")
    described = set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE))
    assert described == set(setting_keys(settings.Settings))


def test_every_public_name_is_listed() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", NAMES.read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(set(treadle.__all__) - {"__version__"}), (
        "write docs/names.md anew: .venv/bin/python tests/docs/test_docs.py"
    )


GROUPS = {
    "Assets and checks": (
        "author.assets author.asset_jobs author.checks spec.assets spec.selection spec.policies spec.automation"
    ),
    "Ops, graphs and jobs": "author.ops author.graphs author.jobs author.types author.dependencies spec.retry",
    "Definitions and running": "author.definitions author.loading author.results host.execution",
    "What functions get and give": "author.contexts author.outcomes state.facts",
    "Resources and IO managers": (
        "author.resources author.configurable author.io_managers author.io_contexts author.env"
    ),
    "Config": "author.config author.config_types author.run_config author.job_config author.configured",
    "Partitions": (
        "core.partitions core.time_partitions core.multi_partitions core.mappings core.multi_mappings core.subsets "
        "core.time"
    ),
    "What runs by itself": (
        "author.schedules author.sensors author.asset_sensors author.run_sensors author.requests author.tick_contexts "
        "author.partitioned_config"
    ),
    "Metadata and keys": "core.metadata core.table core.keys",
    "The record": "host.instance state.events state.runs state.records",
    "External processes": "runtime.pipes runtime.pipe_channels runtime.pipe_messages",
    "Testing": "runtime.direct runtime.resources",
    "Errors": "errors",
}
"""In which part of docs/names.md the names of a module are; those of others are under "More"."""


def names_page() -> str:
    """docs/names.md, from the door."""
    group_of = {f"treadle.{module}": group for group, modules in GROUPS.items() for module in modules.split()}
    rows: dict[str, list[str]] = {group: [] for group in [*GROUPS, "More"]}
    for name in sorted(set(treadle.__all__) - {"__version__"}, key=str.lower):
        meaning = (inspect.getdoc(getattr(treadle, name)) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        rows[group_of.get(treadle._MODULE_OF[name], "More")].append(f"| `{name}` | {meaning} |")
    parts = ["# Names\n\nEvery public name of `treadle`. `help(treadle.NAME)` tells the rest.\n"]
    for group, lines in rows.items():
        if lines:
            parts.append(f"\n## {group}\n\n| name | meaning |\n| --- | --- |\n" + "\n".join(lines) + "\n")
    return "".join(parts)


def test_what_is_said_not_to_be_there_is_not_there() -> None:
    _, _, section = (ROOT / "docs" / "from-dagster.md").read_text().partition("\n## What is not there yet\n")
    rows = [line for line in section.split("\n## ")[0].splitlines() if line.startswith("|") and "declared" not in line]
    named = {name for line in rows for name in re.findall(r"`(\w+)`", line)}
    assert rows
    there = {name for name in named if name in dir(dagster)}
    assert there == set(), "these exist now: take them out of docs/from-dagster.md"


def error_table() -> str:
    """The table of docs/errors.md, from the tree itself. `python tests/docs/test_docs.py` writes it there."""
    old = {theirs: name for name, theirs in _renamed().items()}
    lines = ["| error | in `dagster` | meaning |", "| --- | --- | --- |"]

    def add(kind: type[BaseException], depth: int) -> None:
        meaning = (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
        meaning = re.sub(r"\s+", " ", meaning)
        name = "&nbsp;&nbsp;" * depth + f"`{kind.__name__}`"
        lines.append(f"| {name} | {_code(old.get(kind.__name__))} | {meaning} |")
        for child in kind.__subclasses__():
            if child.__module__ == errors.__name__:
                add(child, depth + 1)

    add(errors.TreadleError, 0)
    add(errors.ExecutionInterruptedError, 0)
    return "\n".join(lines) + "\n"


def _code(name: str | None) -> str:
    return f"`{name}`" if name else ""


def _renamed() -> dict[str, str]:
    """Which of Dagster's names stand for which of Treadle's."""
    found = runpy.run_path(str(ROOT / "compat" / "src" / "dagster" / "_names.py"))
    return {name: theirs for name, theirs in found["RENAMED"].items() if name not in _SECOND_NAMES}


_SECOND_NAMES = frozenset({"DagsterTypeCheckError"})


def test_every_error_is_documented() -> None:
    assert error_table() in (ROOT / "docs" / "errors.md").read_text(), (
        "write docs/errors.md anew: .venv/bin/python tests/docs/test_docs.py"
    )


def test_every_module_has_its_place_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text[text.index("## Modules") :].split("\n## ")[0]
    described = {
        (room, module)
        for room, modules in re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE)
        for module in re.findall(r"`(\w+)`", modules)
    }
    package = ROOT / "src" / "treadle"
    there = {(path.parent.name, path.stem) for path in package.glob("*/*.py") if path.stem != "__init__"}
    assert there - described == set(), "name these in the table of modules in docs/architecture.md"
    assert described - there == set(), "docs/architecture.md names modules that are not there"


if __name__ == "__main__":
    page = ROOT / "docs" / "errors.md"
    page.write_text(
        re.sub(r"^\| error \|.*?\n(?!\|)", lambda _: error_table(), page.read_text(), flags=re.MULTILINE | re.DOTALL)
    )
    NAMES.write_text(names_page())
