"""The line between a nanny and its compute process: length-prefixed msgpack over a socket pair, typed at both ends."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

_LENGTH = struct.Struct("<I")
_CHUNK = 1 << 16

Sent = TypeVar("Sent", bound=msgspec.Struct)
Received = TypeVar("Received", bound=msgspec.Struct)


class ChannelClosedError(ConnectionError):
    """The other end is gone."""


class ChannelBrokenError(ChannelClosedError):
    """The other end sent what cannot be read; nothing after it can be trusted."""


class Channel(Generic[Sent, Received]):
    """One end of the line; `arriving` is the type of what comes. `send` may be called from any thread.

    Receiving belongs to one thread.
    """

    def __init__(self, end: socket.socket, arriving: Any) -> None:
        self._socket = end
        self._send_lock = threading.Lock()
        self._buffer = bytearray()
        self._encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
        self._decoder = msgspec.msgpack.Decoder(arriving)

    @property
    def fileno(self) -> int:
        """For a poller."""
        return self._socket.fileno()

    def send(self, item: Sent) -> None:
        """Send one item, waiting while the other end is slow. Raises ChannelClosedError."""
        frame = self._encoder.encode(item)
        try:
            with self._send_lock:
                self._socket.sendall(_LENGTH.pack(len(frame)) + frame)
        except OSError as error:
            raise ChannelClosedError(f"the line is closed: {error}") from None

    def receive(self) -> Received:
        """Wait for one item. Raises ChannelClosedError at the end of the line, ChannelBrokenError if unreadable."""
        while True:
            item = self._take()
            if item is not None:
                return item
            self._read(0)

    def drain(self) -> Iterator[Received]:
        """All items that have arrived, without waiting. Raises as `receive` does, at the end after the last item."""
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

    def _take(self) -> Received | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        frame = bytes(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        try:
            item: Received = self._decoder.decode(frame)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise ChannelBrokenError(f"the other end of the line sent what cannot be read: {error}") from None
        return item


def _plain(value: Any) -> Any:
    """A number or text of a derived class (NumPy's float64) as a plain one. Raises TypeError for all else."""
    for plain in (float, int, str):
        if isinstance(value, plain):
            return plain(value)
    raise TypeError(f"{type(value).__name__} cannot be sent over the line")
