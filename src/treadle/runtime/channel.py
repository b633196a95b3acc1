"""Messages between two processes, over a stream socket, with open files beside them.

A frame is the length of its body and the number of files that come with it, then the body: msgpack of a tagged struct.
Each side says what it may receive with a union of structs. The end of the other process is an outcome, not an error:
`receive` gives None, and `send` says False.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from treadle.core import codec

_HEAD = struct.Struct("!IB")
_MOST_FILES = 16
_CHUNK = 1 << 16
_ANCILLARY = socket.CMSG_SPACE(_MOST_FILES * array.array("i").itemsize)


class Channel:
    """One end.

    Args:
        sock: a connected stream socket; the channel owns it from now on.
        receives: the type, or union of types, of what the other side sends.

    Attributes:
        files: the files that came with the message received last. Whoever receives them closes them.
    """

    def __init__(self, sock: socket.socket, receives: Any) -> None:
        self._socket = sock
        self._decoder = codec.decoder(receives)
        self._buffer = bytearray()
        self._files: deque[int] = deque()
        self._ended = False
        self.files: list[int] = []

    @staticmethod
    def over(descriptor: int, receives: Any) -> Channel:
        """A channel over the descriptor of a socket that another process has passed."""
        return Channel(socket.socket(fileno=descriptor), receives)

    def fileno(self) -> int:
        """The descriptor, to wait on."""
        return self._socket.fileno()

    def send(self, message: Any, files: Sequence[int] = ()) -> bool:
        """Send a message, and duplicates of open files with it. False if the other side is gone."""
        body = codec.encode(message)
        data = memoryview(_HEAD.pack(len(body), len(files)) + body)
        beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
        try:
            while data:
                data = data[self._socket.sendmsg([data], beside) :]
                beside = []
        except OSError:
            return False
        return True

    def receive(self) -> Any:
        """The next message; waits for it. None once the other side is gone."""
        while (message := self._next()) is None and not self._ended:
            self._read(0)
        return message

    def arrived(self) -> Iterator[Any]:
        """The messages that are there, without waiting. `ended` tells whether there can be more."""
        while not self._ended and self._read(socket.MSG_DONTWAIT):
            pass
        while (message := self._next()) is not None:
            yield message

    @property
    def ended(self) -> bool:
        """Whether the other side is gone. What it sent before can still be received."""
        return self._ended

    def close(self) -> None:
        """Close this end, and files that came and nobody took."""
        self._socket.close()
        while self._files:
            os.close(self._files.popleft())

    def _read(self, flags: int) -> bool:
        """Take in what there is; whether there may be more."""
        try:
            data, beside, _, _ = self._socket.recvmsg(_CHUNK, _ANCILLARY, flags)
        except BlockingIOError:
            return False
        except OSError:
            data, beside = b"", []
        for _level, _kind, raw in beside:
            files = array.array("i")
            files.frombytes(raw[: len(raw) - len(raw) % files.itemsize])
            for descriptor in files:
                os.set_inheritable(descriptor, False)
                self._files.append(descriptor)
        self._buffer += data
        self._ended = not data
        return bool(data)

    def _next(self) -> Any:
        if len(self._buffer) < _HEAD.size:
            return None
        length, files = _HEAD.unpack_from(self._buffer)
        end = _HEAD.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(memoryview(self._buffer)[_HEAD.size : end])
        del self._buffer[:end]
        self.files = [self._files.popleft() for _ in range(files)]
        return self._decoder.decode(body)


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected stream sockets."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
