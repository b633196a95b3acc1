"""What is known of processes and their threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from treadle.runtime import kin

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux knows")
TICKER = "import threading; threading.Thread(target=threading.Event().wait, name='ticker', daemon=True).start()"
SHOW = "import os, sys; from treadle.runtime import kin; print(*kin.strange_threads(), flush=True); os._exit(0)"


def shown(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("library", ["numpy", "pandas"])
def test_pools_that_cope_with_a_fork_are_not_strange(library: str) -> None:
    assert shown(f"import {library}; {SHOW}") == ""
    assert shown(f"import {library}; {TICKER}; {SHOW}") == "ticker"


def test_other_threads_are_strange_and_have_names() -> None:
    assert shown(SHOW) == ""
    assert shown(f"{TICKER}; {SHOW}") == "ticker"
    assert shown(f"import ctypes; {TICKER.replace('ticker', 'one')}; {TICKER}; {SHOW}") == "one ticker"


def test_a_process_has_a_title_and_memory() -> None:
    code = "from treadle.runtime import kin; kin.set_title('treadle-test'); print(open('/proc/self/comm').read())"
    assert shown(code) == "treadle-test"
    memory = kin.memory(os.getpid())
    assert memory is not None
    assert 2**20 < memory < 2**40
    assert kin.memory(2**30) is None


def test_an_identity_is_of_a_process_and_not_of_its_number() -> None:
    mine = kin.identity()
    assert kin.lives(mine)
    assert kin.pid_of(mine) == os.getpid()
    assert kin.identity(os.getpid()) == mine
    assert kin.lives(mine + "0") is False
    assert kin.lives(f"elsewhere:{mine.split(':', 1)[1]}") is None
