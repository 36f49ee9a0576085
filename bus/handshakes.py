"""Connections that end before they have shown a key: from where they came and why, in one line now and then."""

from __future__ import annotations

import itertools
import socket
import threading

import zmq
from zmq.utils.monitor import parse_monitor_message

from warpcore.bus.sockets import Dropped

FOREIGN = "it takes this scheduler for another one; its --key file must be of this session"
NO_KEYS = "it does not speak CurveZMQ; it needs a --key file, or another port is meant"
BROKEN_OFF = "it showed no key in time; it needs a --key file, or was broken off"
UNKNOWN = "an unknown address"

_CRYPTOGRAPHIC = 0x11000001
"""ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC of zmq.h: the first box of the peer opens under no key of ours."""
_SEEN = (
    zmq.Event.ACCEPTED
    | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
    | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
    | zmq.Event.DISCONNECTED
    | zmq.Event.MONITOR_STOPPED
)
_numbers = itertools.count()


class Attempts:
    """The open connections of one socket, by descriptor. No sockets.

    ZeroMQ does not say whose handshake has failed; the end of that connection is what it tells next.
    """

    def __init__(self) -> None:
        self._addresses: dict[int, str] = {}
        self._why = ""

    def take(self, event: int, value: int, address: str = UNKNOWN) -> str:
        """Note an event of the socket. Where it ends a failed handshake: from where that came and why, else ""."""
        match event:
            case zmq.Event.ACCEPTED:
                self._addresses[value] = address
            case zmq.Event.HANDSHAKE_FAILED_PROTOCOL:
                self._why = FOREIGN if value == _CRYPTOGRAPHIC else NO_KEYS
            case zmq.Event.HANDSHAKE_FAILED_NO_DETAIL:
                self._why = BROKEN_OFF
            case zmq.Event.DISCONNECTED:
                whence, why, self._why = self._addresses.pop(value, UNKNOWN), self._why, ""
                return f"{whence}: {why}" if why else ""
        return ""


class HandshakeWatch:
    """Logs failed handshakes of sockets of one context, from a thread of its own.

    The thread has to be quick: the address of a connection can be asked for only while it is open.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._context = context
        self._dropped = Dropped("handshakes", "connection(s) before a key was shown")
        self._orders = context.socket(zmq.PAIR)
        own = f"inproc://handshakes-{next(_numbers)}"
        self._orders.bind(own)
        self._thread = threading.Thread(target=self._run, args=(own,), name="handshakes", daemon=True)
        self._thread.start()

    def watch(self, sock: zmq.Socket[bytes], name: str) -> None:
        """Watch a socket until it is closed; call it before the socket is bound, in its own thread."""
        events = f"inproc://handshakes-{next(_numbers)}"
        sock.monitor(events, _SEEN)
        self._orders.send_multipart([events.encode(), name.encode()])

    def close(self) -> None:
        """End the thread; call it after the sockets are closed."""
        self._orders.send_multipart([b"", b""])
        self._thread.join()
        self._orders.close(linger=0)

    def _run(self, own: str) -> None:
        orders = self._context.socket(zmq.PAIR)
        orders.connect(own)
        poller = zmq.Poller()
        poller.register(orders, zmq.POLLIN)
        watched: dict[zmq.Socket[bytes], tuple[str, Attempts]] = {}
        ends = False
        while not ends or watched:
            for ready, _ in poller.poll():
                if ready is orders:
                    events, name = (part.decode() for part in orders.recv_multipart())
                    ends = not events
                    if events:
                        monitor = self._context.socket(zmq.PAIR)
                        monitor.setsockopt(zmq.RCVHWM, 0)  # a full queue would hold up ZeroMQ's own thread
                        monitor.connect(events)
                        poller.register(monitor, zmq.POLLIN)
                        watched[monitor] = name, Attempts()
                elif self._take(ready, *watched[ready]):
                    poller.unregister(ready)
                    del watched[ready]
                    ready.close(linger=0)
        orders.close(linger=0)

    def _take(self, monitor: zmq.Socket[bytes], name: str, attempts: Attempts) -> bool:
        """Take the next event of a socket. Whether it is closed."""
        told = parse_monitor_message(monitor.recv_multipart())
        event, value = told["event"], told["value"]
        failed = attempts.take(event, value, _address(value) if event == zmq.Event.ACCEPTED else UNKNOWN)
        if failed:
            self._dropped.note(f"{name}, from {failed}")
        return bool(event == zmq.Event.MONITOR_STOPPED)


def _address(descriptor: int) -> str:
    """Who is at the other end of a connection of ZeroMQ's. Opens no descriptor: a flood may have taken all."""
    try:
        connection = socket.socket(fileno=descriptor)
    except OSError:
        return UNKNOWN
    try:
        return str(connection.getpeername()[0])
    except OSError:
        return UNKNOWN
    finally:
        connection.detach()  # it stays ZeroMQ's
