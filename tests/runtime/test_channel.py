"""Messages and open files between two ends."""

from __future__ import annotations

import os
import socket
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.runtime.channel import Channel, pair


class Text(msgspec.Struct, frozen=True, tag=True):
    body: bytes


class Number(msgspec.Struct, frozen=True, tag=True):
    value: int


def ends() -> tuple[Channel, Channel]:
    ours, theirs = pair()
    return Channel(ours, Text | Number), Channel(theirs, Text | Number)


@given(st.lists(st.builds(Text, st.binary(max_size=300_000)) | st.builds(Number, st.integers(-5, 5)), max_size=5))
def test_what_is_sent_arrives_in_order_however_large(messages: list[Text | Number]) -> None:
    ours, theirs = ends()
    sender = threading.Thread(target=lambda: [ours.send(one) for one in messages])
    sender.start()
    assert [theirs.receive() for _ in messages] == messages
    sender.join()
    ours.close()
    assert theirs.receive() is None
    theirs.close()


def test_files_come_with_their_message() -> None:
    ours, theirs = ends()
    read, write = os.pipe()
    ours.send(Number(1))
    ours.send(Number(2), (write,))
    os.close(write)
    assert (theirs.receive(), theirs.files) == (Number(1), [])
    assert theirs.receive() == Number(2)
    [passed] = theirs.files
    os.write(passed, b"hi")
    os.close(passed)
    assert os.read(read, 10) == b"hi"
    assert os.read(read, 10) == b""  # nothing else holds it open
    os.close(read)
    ours.close()
    theirs.close()


def test_what_was_sent_before_the_end_is_received() -> None:
    ours, theirs = ends()
    ours.send(Number(1))
    ours.send(Number(2))
    ours.close()
    assert list(theirs.arrived()) == [Number(1), Number(2)]
    assert theirs.ended
    assert not theirs.send(Number(3))
    theirs.close()


def test_looking_waits_for_nothing() -> None:
    ours, theirs = ends()
    assert list(theirs.arrived()) == []
    assert not theirs.ended
    ours.close()
    theirs.close()


@pytest.mark.parametrize("cut", [1, 4, 6])
def test_a_message_that_was_cut_short_is_none(cut: int) -> None:
    a, b = pair()
    ours, theirs = Channel(a, Text), Channel(b, Text)
    ours.send(Text(b"hello"))
    data = b.recv(1000, socket.MSG_PEEK)
    b.recv(1000)
    a.send(data[:cut])
    ours.close()
    assert theirs.receive() is None
    theirs.close()
