"""Who listens is woken, and who is dead is known to be."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from pathlib import Path

from treadle.host.nudge import Listener, ear, nudge
from treadle.runtime import kin


def heard(listener: Listener) -> bool:
    return bool(select.select([listener], [], [], 0)[0])


def test_all_who_listen_under_a_name_are_woken_until_they_close(tmp_path: Path) -> None:
    one, two, other = Listener(tmp_path, "runs"), Listener(tmp_path, "runs"), Listener(tmp_path, "pools")
    assert nudge(tmp_path, "runs") == 2
    assert [heard(one), heard(two), heard(other)] == [True, True, False]
    one.clear()
    assert not heard(one)
    one.close()
    assert nudge(tmp_path, "runs") == 1
    two.close()
    assert nudge(tmp_path, "*") == 1
    other.close()
    assert nudge(tmp_path, "runs") == 0


def test_somebody_listens_until_the_last_that_has_the_file_is_dead(tmp_path: Path) -> None:
    path, descriptor = ear(tmp_path, "kept")
    child = subprocess.Popen(["sleep", "1000"], pass_fds=[descriptor])
    os.close(descriptor)
    assert nudge(tmp_path, "kept") == 1
    child.kill()
    child.wait()
    assert nudge(tmp_path, "kept") == 0
    assert not path.exists()


def test_a_signal_that_has_come_can_be_waited_for() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    wakeup = kin.Wakeup(signal.SIGUSR1)
    try:
        assert not wakeup.clear()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert select.select([wakeup], [], [], 10)[0]
        assert wakeup.clear()
        assert not wakeup.clear()
    finally:
        wakeup.close()
    assert signal.getsignal(signal.SIGUSR1) is before
