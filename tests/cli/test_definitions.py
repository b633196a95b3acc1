"""`treadle definitions validate`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

GOOD = "import treadle\n@treadle.asset\ndef {name}(): ...\n@treadle.asset_check(asset={name})\ndef c(): ...\n"


def test_says_what_was_found(treadle: Callable[..., Any], write: Callable[..., Path]) -> None:
    write("good.py", GOOD.format(name="a"))
    called = treadle("definitions", "validate", "-f", "good.py")
    assert called.code == 0
    assert called.out.startswith("valid   good.py: 1 asset, 1 check (")


def test_every_location_is_looked_at(treadle: Callable[..., Any], write: Callable[..., Path]) -> None:
    write("good.py", GOOD.format(name="a"))
    write("bad.py", "1 / 0\n")
    write("also_bad.py", "import treadle\n@treadle.asset\ndef a(b): ...\n")
    args = ("definitions", "validate", "-f", "bad.py", "-f", "also_bad.py", "-f", "good.py")
    called = treadle(*args)
    assert called.code == 1
    assert [line.split()[:2] for line in called.err.splitlines() if line.startswith("failed")] == [
        ["failed", "bad.py"],
        ["failed", "also_bad.py"],
    ]
    assert "valid   good.py" in called.out
    assert called.err.endswith("2 of 3 code locations cannot be used.\n")
    document = json.loads(treadle(*args, "--json").out)
    assert document["valid"] is False
    bad, also_bad, good = document["locations"]
    assert bad["traceback"].endswith("ZeroDivisionError: division by zero")
    assert (also_bad["valid"], also_bad["traceback"]) == (False, None)
    assert (good["valid"], good["assets"], good["checks"]) == (True, 1, 1)


def test_code_can_see_that_it_is_only_validated(treadle: Callable[..., Any], write: Callable[..., Path]) -> None:
    write(
        "defs.py",
        "import os, treadle\n@treadle.asset(name='v' + os.environ['DAGSTER_IS_DEFS_VALIDATION_CLI'])\ndef a(): ...\n",
    )
    assert treadle("definitions", "validate", "-f", "defs.py").code == 0
    assert os.environ["TREADLE_IS_DEFS_VALIDATION_CLI"] == "1"


def test_no_locations(treadle: Callable[..., Any]) -> None:
    assert treadle("definitions", "validate", "--empty-workspace").out == "There are no code locations.\n"


def test_code_that_fails_only_when_asked(treadle: Callable[..., Any], write: Callable[..., Path]) -> None:
    write(
        "defs.py",
        "import treadle\n\ndef assets():\n    yield from ()\n    raise OSError('disk')\n\n"
        "def make():\n    return treadle.Definitions(assets())\n",
    )
    called = treadle("definitions", "validate", "-f", "defs.py", "-a", "make")
    assert called.code == 1
    assert "OSError: disk" in called.err
    assert 'defs.py", line 5, in assets' in called.err
