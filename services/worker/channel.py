"""The line between a nanny and its compute process: length-prefixed msgpack maps over a socket pair."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import msgpack

_LENGTH = struct.Struct("<I")
_CHUNK = 1 << 16


class ChannelClosedError(ConnectionError):
    """The other end is gone."""


class Channel:
    """One end of the line. `send` may be called from any thread; receiving belongs to one thread."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._send_lock = threading.Lock()
        self._buffer = bytearray()

    @property
    def fileno(self) -> int:
        """For a poller."""
        return self._socket.fileno()

    def send(self, item: dict[str, Any]) -> None:
        """Send one map, waiting while the other end is slow. Raises ChannelClosedError."""
        frame = msgpack.packb(item)
        try:
            with self._send_lock:
                self._socket.sendall(_LENGTH.pack(len(frame)) + frame)
        except OSError as error:
            raise ChannelClosedError(f"the line is closed: {error}") from None

    def receive(self) -> dict[str, Any]:
        """Wait for one map. Raises ChannelClosedError at the end of the line."""
        while True:
            item = self._take()
            if item is not None:
                return item
            self._read(0)

    def drain(self) -> Iterator[dict[str, Any]]:
        """All maps that have arrived, without waiting. Raises ChannelClosedError once the line has ended and is empty."""
        closed: ChannelClosedError | None = None
        try:
            while self._read(socket.MSG_DONTWAIT):
                continue
        except ChannelClosedError as error:
            closed = error
        while (item := self._take()) is not None:
            yield item
        if closed:
            raise closed

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _read(self, flags: int) -> bool:
        try:
            data = self._socket.recv(_CHUNK, flags)
        except BlockingIOError:
            return False
        except OSError as error:
            raise ChannelClosedError(f"the line is closed: {error}") from None
        if not data:
            raise ChannelClosedError("the other end closed the line")
        self._buffer += data
        return True

    def _take(self) -> dict[str, Any] | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        item: dict[str, Any] = msgpack.unpackb(bytes(self._buffer[_LENGTH.size : end]))
        del self._buffer[:end]
        return item
