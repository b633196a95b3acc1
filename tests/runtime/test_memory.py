from pathlib import Path

import pytest

from treadle.runtime.memory import Kills, how_ended, oom_kills

KILLED = "4,77,1234,-;Memory cgroup out of memory: Killed process {} (python) total-vm:1kB, anon-rss:1kB\n"


@pytest.mark.parametrize(
    ("membership", "file", "text"),
    [
        ("0::/a/b\n", "a/b/memory.events", "low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n"),
        ("5:cpu,memory:/a\n0::/\n", "memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
        ("0::/\n", "none", ""),
    ],
)
def test_kills_are_counted_by_both_versions_of_control_groups(
    tmp_path: Path, membership: str, file: str, text: str
) -> None:
    (tmp_path / "membership").write_text(membership)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    assert oom_kills(tmp_path / "membership", tmp_path) == (2 if text else 0)
    assert oom_kills(tmp_path / "nobody", tmp_path) == 0


def test_the_record_of_the_kernel_says_whom_it_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "kmsg"
    record.write_text(KILLED.format(1))
    counted = [0]
    monkeypatch.setattr("treadle.runtime.memory.oom_kills", lambda: counted[0])
    kills = Kills(record)
    with record.open("a") as out:
        out.write(KILLED.format(2) + "6,78,1235,-;Killed process 4 by hand\n")
    kills._is_whole = True
    counted[0] = 1
    assert [kills.include(pid) for pid in (1, 2, 3, 4)] == [False, True, False, False]
    kills.close()


def test_a_counted_kill_is_the_reason_of_one_end_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = [5]
    monkeypatch.setattr("treadle.runtime.memory.oom_kills", lambda: counted[0])
    kills = Kills(tmp_path / "none")
    assert not kills.include(1)
    counted[0] = 6
    assert kills.include(2)
    assert not kills.include(3)
    kills.close()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((7, False), "exit code 7"),
        ((-9, True), "memory ran out"),
        ((-9, False), "SIGKILL, which Treadle did not send"),
        ((-15, False, True), "as it was told to"),
        ((-15, False, False), "SIGTERM, which Treadle did not send"),
        ((-11, True, True), "SIGSEGV, which Treadle did not send"),
    ],
)
def test_an_end_is_told_from_evidence(given: tuple[int, bool], text: str) -> None:
    assert text in how_ended(*given)
