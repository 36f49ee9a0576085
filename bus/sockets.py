"""The options that all our sockets share, and the count of dropped messages."""

from __future__ import annotations

import errno
import logging
import time

import zmq

log = logging.getLogger(__name__)

MAX_DRAINED = 1000
"""Messages taken from one socket in one round, so that no peer can starve the others."""

QUEUED_OF_PEER = 32
"""Messages of one peer that wait in a socket. The peer's TCP connection holds the rest back, in bounded buffers."""

_FIRST = zmq.NOBLOCK | zmq.SNDMORE
_LARGEST_TRANSPORT_BYTES = 4 * 1024 * 1024
_LOG_INTERVAL_S = 10.0
_BIND_PATIENCE_S = 0.5


class BindError(OSError):
    """An address could not be bound; the text names it and says what to do."""


def open_socket(
    kind: int,
    queued: int = QUEUED_OF_PEER,
    received: int = QUEUED_OF_PEER,
    context: zmq.Context[zmq.Socket[bytes]] | None = None,
) -> zmq.Socket[bytes]:
    """A socket that never lingers, notices dead peers within 15 s and reconnects within 2 s.

    For each peer it keeps up to `queued` messages to be sent, and `received` that have come. Frames over our own size
    limit still arrive and are counted. Far larger ones make ZeroMQ end the connection. `context`: the process's own.
    """
    socket: zmq.Socket[bytes] = (context or zmq.Context.instance()).socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, queued)
    socket.setsockopt(zmq.RCVHWM, received)
    socket.setsockopt(zmq.MAXMSGSIZE, _LARGEST_TRANSPORT_BYTES)
    socket.setsockopt(zmq.RECONNECT_IVL, 100)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2000)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 5000)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 15000)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 60)
    return socket


def send_pair(socket: zmq.Socket[bytes], first: bytes, second: bytes) -> None:
    """Send two frames of one message without blocking: `send_multipart` makes its flags anew for each. Raises ZMQError.

    A message is taken whole or refused at its first frame.
    """
    socket.send(first, _FIRST)
    socket.send(second, zmq.NOBLOCK)


def bind(socket: zmq.Socket[bytes], address: str, name: str) -> None:
    """Bind, or close the socket and raise BindError saying what to do.

    Tries for half a second, because a socket that was just closed frees its port in the background.
    """
    deadline = time.monotonic() + _BIND_PATIENCE_S
    while True:
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            if error.errno == zmq.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            socket.close()
            raise BindError(f"{name}: cannot bind {address}: {_advice(error)}") from None
        return


def _advice(error: zmq.ZMQError) -> str:
    if error.errno == zmq.EADDRINUSE:
        return "the port is in use; end the program that holds it (another scheduler?) or choose another port"
    if error.errno in (zmq.EADDRNOTAVAIL, errno.ENODEV):
        return "this host has no such address; give --bind an address of this host"
    return f"{error.strerror}; choose another address or port"


class Dropped:
    """Counts what is dropped at one place, by default malformed messages; logs at most one line every 10 s."""

    def __init__(self, where: str, what: str = "malformed message(s)") -> None:
        self.where = where
        self._what = what
        self.count = 0
        self._logged_at: float | None = None
        self._logged_count = 0

    def note(self, reason: object) -> None:
        """Count one more and why."""
        self.count += 1
        now = time.monotonic()
        if self._logged_at is None or now - self._logged_at >= _LOG_INTERVAL_S:
            dropped = self.count - self._logged_count
            log.warning("%s: dropped %d %s, the last: %s", self.where, dropped, self._what, str(reason)[:300])
            self._logged_at, self._logged_count = now, self.count
