"""Wrong input of every kind a newcomer gives: one error that says what, where and what to do, without our frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import treadle as package

OWN = str(Path(package.__file__).parent)
HEAD = "import treadle\nfrom treadle import AssetCheckResult, Config, Definitions, asset, asset_check\n\n"

# name: (file, arguments, exit code, what, where, what to do)
CASES: dict[str, tuple[str, list[str], int, str, str, str]] = {
    "missing file": (
        "",
        ["asset", "list", "-f", "def.py"],
        2,
        "no file 'def.py'",
        "def.py)",
        "Did you mean 'defs.py'?",
    ),
    "a name in a folder": ("", ["asset", "list", "-f", ".", "-a", "x"], 1, "'.' is a folder", ".", "Give the file"),
    "missing module": (
        "",
        ["asset", "list", "-m", "no_such_module"],
        1,
        "no module 'no_such_module'",
        "command line",
        "-d",
    ),
    "a file as a module": (
        "",
        ["asset", "list", "-m", "defs.py"],
        1,
        "no module 'defs.py'",
        "defs.py",
        "use -f instead",
    ),
    "nothing that says where": (
        "",
        ["asset", "list"],
        2,
        "Nothing says where the definitions are",
        "pyproject.toml",
        "-f",
    ),
    "no Definitions": ("x = 1\n", ["asset", "list", "-f", "defs.py"], 1, "nothing to load", "'defs.py'", "`defs = Def"),
    "two Definitions": (
        "one = Definitions()\ntwo = Definitions()\n",
        ["asset", "list", "-f", "defs.py"],
        1,
        "2 Definitions",
        "'defs.py'",
        "Choose one with -a one",
    ),
    "unknown attribute": (
        "defs = Definitions()\n",
        ["asset", "list", "-f", "defs.py", "-a", "def"],
        1,
        "no 'def'",
        "'defs.py'",
        "'defs'",
    ),
    "an attribute that is something else": (
        "defs = 3\n",
        ["asset", "list", "-f", "defs.py", "-a", "defs"],
        1,
        "is of type int",
        "'defs.py'",
        "name a Definitions",
    ),
    "a cycle": (
        "@asset\ndef a(b): ...\n@asset\ndef b(a): ...\ndefs = Definitions([a, b])\n",
        ["definitions", "validate", "-f", "defs.py"],
        1,
        "in a circle: a needs b needs a",
        "defs.py",
        "Remove one",
    ),
    "an unknown dependency": (
        "@asset\ndef orders(): ...\n@asset\ndef report(order): ...\ndefs = Definitions([orders, report])\n",
        ["definitions", "validate", "-f", "defs.py"],
        1,
        "a parameter 'order'",
        "defs.py, line 6",
        "Did you mean 'orders'?",
    ),
    "duplicate keys": (
        "@asset\ndef a(): ...\n@asset(name='a')\ndef b(): ...\ndefs = Definitions([a, b])\n",
        ["definitions", "validate", "-f", "defs.py"],
        1,
        "'a' is declared twice",
        "defs.py, line 4",
        "Rename one",
    ),
    "a missing resource": (
        "@asset(required_resource_keys={'db'})\ndef a(): ...\ndefs = Definitions([a])\n",
        ["definitions", "validate", "-f", "defs.py"],
        1,
        "needs a resource 'db'",
        "defs.py, line 4",
        "Definitions(resources=",
    ),
    "a plain function": (
        "def a(): ...\ndefs = Definitions([a])\n",
        ["definitions", "validate", "-f", "defs.py"],
        1,
        "'a' is a plain function",
        "defs.py",
        "Decorate it with @asset",
    ),
    "a wrong partition": (
        "@asset(partitions_def=treadle.StaticPartitionsDefinition(['x', 'y']))\ndef a(): ...\n",
        ["asset", "materialize", "-f", "defs.py", "--partition", "z"],
        2,
        "no partition 'z'",
        "x",
        "Use a key",
    ),
    "a range backwards": (
        "@asset(partitions_def=treadle.StaticPartitionsDefinition(['x', 'y']),\n"
        "       backfill_policy=treadle.BackfillPolicy.single_run())\ndef a(): ...\n",
        ["asset", "materialize", "-f", "defs.py", "--partition-range", "y...x"],
        2,
        "no partitions from 'y' to 'x'",
        "'x'",
        "Swap them",
    ),
    "different partitions at once": (
        "@asset(partitions_def=treadle.StaticPartitionsDefinition(['x', 'y']))\ndef a(): ...\n"
        "@asset(partitions_def=treadle.StaticPartitionsDefinition(['x', 'z']))\ndef b(): ...\n",
        ["asset", "materialize", "-f", "defs.py", "--select", "*", "--partition", "x"],
        2,
        "different partitions",
        "b has StaticPartitionsDefinition(['x', 'z'])",
        "one kind at a time",
    ),
    "an unknown op": (
        "@treadle.op\ndef clean(): ...\n@treadle.job\ndef j():\n    clean()\n",
        ["job", "execute", "-f", "defs.py", "-o", "cleen"],
        2,
        "no such op",
        "--op-selection",
        "Did you mean 'clean'?",
    ),
    "no partition": (
        "@asset(partitions_def=treadle.StaticPartitionsDefinition(['x', 'y']))\ndef a(): ...\n",
        ["asset", "materialize", "-f", "defs.py"],
        2,
        "has partitions",
        "(a)",
        "--partition y",
    ),
    "a partition too many": (
        "@asset\ndef a(): ...\n",
        ["asset", "materialize", "-f", "defs.py", "--partition", "z"],
        2,
        "Nothing that is selected has partitions",
        "--partition",
        "Leave --partition out",
    ),
    "a range without a policy": (
        "@asset(partitions_def=treadle.StaticPartitionsDefinition(['x', 'y']))\ndef a(): ...\n",
        ["asset", "materialize", "-f", "defs.py", "--partition-range", "x...y"],
        2,
        "makes one partition a run",
        "defs.py, line 4",
        "BackfillPolicy.single_run()",
    ),
    "bad config": (
        "class C(Config):\n    n: int\n@asset\ndef a(config: C): ...\n",
        ["asset", "materialize", "-f", "defs.py", "-c", '{"ops": {"a": {"config": {"n": "x"}}}}'],
        2,
        "fault",
        "ops:a:config:n",
        "--config",
    ),
    "missing config": (
        "class C(Config):\n    n: int\n@asset\ndef a(config: C): ...\n",
        ["asset", "materialize", "-f", "defs.py"],
        2,
        "'ops' is missing",
        "at root",
        "{'n': 0}",
    ),
    "a config file that is not there": (
        "@asset\ndef a(): ...\n",
        ["asset", "materialize", "-f", "defs.py", "-c", "run.yaml"],
        2,
        "no file 'run.yaml'",
        "--config",
        "Give a YAML",
    ),
    "a wrong type": (
        "@asset\ndef a() -> int:\n    return 'text'\n",
        ["asset", "materialize", "-f", "defs.py"],
        1,
        "must be int",
        "defs.py, line 4",
        "Change the annotation",
    ),
    "a failing function": (
        "@asset\ndef a():\n    raise ValueError('no such thing')\n",
        ["asset", "materialize", "-f", "defs.py"],
        1,
        "ValueError: no such thing",
        "defs.py, line 6",
        "treadle run show",
    ),
    "a failing import": (
        "import no_such_package\n",
        ["asset", "list", "-f", "defs.py"],
        1,
        "No module named 'no_such_package'",
        'defs.py", line 4',
        "Install what",
    ),
    "code that fails": (
        "def f():\n    return 1 / 0\nx = f()\n",
        ["asset", "list", "-f", "defs.py"],
        1,
        "ZeroDivisionError: division by zero",
        'defs.py", line 5',
        "Mend what",
    ),
    "a syntax error": (
        "def f(:\n",
        ["asset", "list", "-f", "defs.py"],
        1,
        "SyntaxError",
        'defs.py", line 4',
        "Mend what",
    ),
    "code that ends the program": (
        "import sys\nsys.exit(3)\n",
        ["asset", "list", "-f", "defs.py"],
        1,
        "SystemExit: 3",
        "defs.py",
        "__main__",
    ),
    "a bad name": (
        "@asset(name='a b')\ndef f(): ...\n",
        ["asset", "list", "-f", "defs.py"],
        1,
        "'a b' is not a valid name",
        'defs.py", line 4',
        "Use letters",
    ),
    "an unknown asset": (
        "@asset\ndef orders(): ...\n",
        ["asset", "materialize", "-f", "defs.py", "--select", "order"],
        2,
        "'order' is selected but does not exist",
        "--select",
        "Did you mean 'orders'?",
    ),
    "a selection that cannot be read": (
        "@asset\ndef a(): ...\n",
        ["asset", "materialize", "-f", "defs.py", "--select", "a("],
        2,
        "Cannot read",
        "a(",
        "key:",
    ),
    "no selection": (
        "@asset\ndef a(): ...\n@asset\ndef b(): ...\n",
        ["asset", "materialize", "-f", "defs.py"],
        2,
        "2 assets",
        "treadle asset materialize",
        '--select "*"',
    ),
    "an unquoted star": (
        "@asset\ndef a(): ...\n",
        ["asset", "materialize", "-f", "defs.py", "--select", "a.py", "b.py"],
        2,
        "b.py",
        "treadle asset materialize",
        '--select "*"',
    ),
    "an unknown job": (
        "@treadle.job\ndef nightly(): ...\n",
        ["job", "execute", "-f", "defs.py", "-j", "nightli"],
        2,
        "no job 'nightli'",
        "There is",
        "Did you mean 'nightly'?",
    ),
    "an unknown run": ("", ["run", "show", "abc"], 2, "no run 'abc'", ".treadle", "treadle run list"),
    "an unknown option": ("", ["asset", "list", "--selct", "a"], 2, "--selct", "treadle asset list", "--help"),
    "an unknown command": ("", ["asset", "lst"], 2, "'lst'", "treadle asset", "'list'"),
    "tags that are none": (
        "@asset\ndef a(): ...\n",
        ["asset", "materialize", "-f", "defs.py", "--tags", "x"],
        2,
        "'x'",
        "--tags",
        "key=value",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_clear_error(name: str, treadle: Callable[..., Any], write: Callable[..., Path]) -> None:
    text, args, code, what, where, advice = CASES[name]
    write("defs.py", HEAD + text)
    called = treadle(*args)
    assert called.code == code, called.err
    message = called.err[called.err.index("error: ") :]
    assert message.count("error: ") == 1
    assert what in message
    assert advice in message
    assert where in called.err
    assert f'File "{OWN}' not in called.err + called.out
    assert "importlib" not in called.err


def test_traceback_of_a_cause_keeps_all_their_lines_and_none_of_ours(
    treadle: Callable[..., Any], write: Callable[..., Path]
) -> None:
    write(
        "defs.py",
        HEAD + "def low():\n    raise KeyError('k')\n\n@asset\ndef a():\n    try:\n        low()\n"
        "    except KeyError as error:\n        raise RuntimeError('high') from error\n",
    )
    called = treadle("asset", "materialize", "-f", "defs.py")
    assert called.code == 1
    low, high = called.out.index("KeyError: 'k'"), called.out.index("RuntimeError: high")
    assert low < called.out.index("The above was the cause of:") < high
    assert "in low" in called.out
    assert f'File "{OWN}' not in called.out
    assert "RuntimeError: high" in called.err


def test_code_of_theirs_that_fails_outside_of_a_step(treadle: Callable[..., Any], write: Callable[..., Path]) -> None:
    write(
        "defs.py",
        HEAD + "class Mine(treadle.PartitionsDefinition):\n    def get_partition_keys(self, *a, **k):\n"
        "        raise OSError('disk')\n\n@asset(partitions_def=Mine())\ndef a(): ...\n",
    )
    called = treadle("asset", "materialize", "-f", "defs.py", "--partition", "x")
    assert called.code == 1
    assert "error: OSError: disk" in called.err
    assert 'defs.py", line 6' in called.err
    assert f'File "{OWN}' not in called.err
