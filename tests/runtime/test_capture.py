import os
import subprocess
import sys
from contextlib import suppress

import pytest
from tests.runtime.test_clock import interrupted_after

import treadle as dg
from treadle.runtime.capture import Capture
from treadle.state import events


@pytest.fixture
def files(tmp_path):
    return tmp_path / "deep" / "run.out", tmp_path / "deep" / "run.err"


@pytest.fixture
def program(capfd, monkeypatch):
    """Call it in a test: from then on `sys.stdout` and `sys.stderr` write to the descriptors, as in a program."""

    def start():
        for name, fd in (("stdout", 1), ("stderr", 2)):
            monkeypatch.setattr(sys, name, open(fd, "w", closefd=False))  # noqa: SIM115  # lives as long as the test
        return capfd

    return start


def test_prints_descriptors_and_children_are_captured(files, program):
    program()
    copied = {1: b"", 2: b""}

    def echo(fd, data):
        copied[fd] += data

    capture = Capture(*files, echo)
    capture.start()
    print("printed")  # noqa: T201
    print("warned", file=sys.stderr)  # noqa: T201
    sys.stdout.flush()
    os.write(1, b"written\n")
    subprocess.run([sys.executable, "-c", "print('child')"], check=True)
    capture.stop()
    assert files[0].read_bytes() == b"printed\nwritten\nchild\n"
    assert files[1].read_bytes() == b"warned\n"
    assert copied == {1: files[0].read_bytes(), 2: files[1].read_bytes()}


def test_positions_count_what_was_written(files, program):
    program()
    capture = Capture(*files, lambda fd, data: None)
    capture.start()
    at = [capture.position()]
    print("abc", end="")  # noqa: T201
    at.append(capture.position())
    print("de", end="", file=sys.stderr)  # noqa: T201
    at.append(capture.position())
    capture.stop()
    assert at == [(0, 0), (3, 0), (3, 2)]


def test_after_the_end_everything_goes_where_it_went_before(files, program):
    terminal = program()
    capture = Capture(*files)
    capture.start()
    print("inside")  # noqa: T201
    capture.stop()
    print("outside", flush=True)  # noqa: T201
    assert files[0].read_text() == "inside\n"
    assert terminal.readouterr().out == "inside\noutside\n"


def test_a_second_capture_appends(files, program):
    program()
    for text in ("one", "two"):
        capture = Capture(*files, lambda fd, data: None)
        capture.start()
        print(text)  # noqa: T201
        capture.stop()
    assert files[0].read_text() == "one\ntwo\n"


def test_descriptors_are_given_back(files, program):
    program()

    def one():
        capture = Capture(*files, lambda fd, data: None)
        capture.start()
        capture.stop()

    one()
    before = len(os.listdir("/dev/fd"))
    for _ in range(5):
        one()
    assert len(os.listdir("/dev/fd")) == before


def test_each_step_knows_its_share(program):
    program()

    @dg.op
    def first():
        print("abc")  # noqa: T201
        return 1

    @dg.op
    def second(x):
        print("de", file=sys.stderr)  # noqa: T201
        raise ValueError("no")

    @dg.job
    def talking():
        second(first())

    with dg.Instance.ephemeral() as instance:
        result = talking.execute_in_process(instance=instance, raise_on_error=False)
        (captured,) = [event for event in result.all_events if isinstance(event, events.LogsCaptured)]
        paths = instance.store.logs.paths(captured.log_key)
        out, err = paths.out.read_bytes(), paths.err.read_bytes()
    shares = {}
    for event in result.all_events:
        if isinstance(event, events.StepStarted):
            shares[event.step_key] = [event.captured]
        elif isinstance(event, events.StepSucceeded | events.StepFailed):
            shares[event.step_key].append(event.captured)
    cut = {step: (out[start[0] : end[0]], err[start[1] : end[1]]) for step, (start, end) in shares.items()}
    assert cut == {"first": (b"abc\n", b""), "second": (b"", b"de\n")}


def test_who_is_interrupted_while_it_copies_can_still_stop(tmp_path):
    capture = Capture(tmp_path / "out", tmp_path / "err")
    with interrupted_after("acquire"), suppress(KeyboardInterrupt):
        capture._copy()
    assert capture._copying.acquire(timeout=0)
