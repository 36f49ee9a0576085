"""A connecting socket's way to its endpoint: under a key, with the reason where it is refused, and tried again."""

from __future__ import annotations

import logging
import time

import zmq
from zmq.utils.monitor import recv_monitor_message

from warpcore.bus.keys import ClientKey

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.2
TRY_AGAIN_S = 1.0
"""After so long a connection that was refused is tried again: a key is taken up half a second after it was added."""
_SEEN = (
    zmq.Event.HANDSHAKE_SUCCEEDED
    | zmq.Event.HANDSHAKE_FAILED_AUTH
    | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
    | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
)


class Connection:
    """Connects a socket, and connects it again where it was refused: ZeroMQ gives up then, but keys can change.

    `tell`: log why it is refused, once for each reason.
    """

    def __init__(
        self, socket: zmq.Socket[bytes], endpoint: str, key: ClientKey | None = None, *, tell: bool = True
    ) -> None:
        self.problem = ""
        """Why there is no connection, as far as the handshake tells."""
        self.has_connected = False
        """Whether it was connected once."""
        self.refusals = 0
        """How often it was refused in a row."""
        self._socket = socket
        self._endpoint = endpoint
        self._key = key
        self._tell = tell
        self._look_at = self._again_at = 0.0
        self._refused = False
        if key is not None:
            key.put_on(socket)
        self._monitor: zmq.Socket[bytes] = socket.get_monitor_socket(_SEEN)
        socket.connect(endpoint)

    def look(self) -> bool:
        """Take note of what became of the handshake; call it now and then. True: it has been connected anew."""
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_EVERY_S
        while self._monitor.poll(0):
            self._take(recv_monitor_message(self._monitor)["event"], now)
        if not self._refused or now < self._again_at:
            return False
        self._refused = False
        try:
            self._socket.disconnect(self._endpoint)
        except zmq.ZMQError:
            log.debug("%s was given up already", self._endpoint)
        self._socket.connect(self._endpoint)
        return True

    def close(self, linger_ms: int = 0) -> None:
        """Disconnect; messages that wait get `linger_ms` to leave."""
        if not self._socket.closed:  # an event loop closes its own
            self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=linger_ms)

    def _take(self, event: int, now: float) -> None:
        before, self.problem = self.problem, _problem(event, self._key)
        if event == zmq.Event.HANDSHAKE_SUCCEEDED:
            self.has_connected = True
            self.refusals = 0
        elif event != zmq.Event.HANDSHAKE_FAILED_NO_DETAIL and not self._refused:
            self._refused, self._again_at = True, now + TRY_AGAIN_S
            self.refusals += 1
        if self._tell and self.problem and self.problem != before:
            log.warning("%s: %s; trying again", self._endpoint, self.problem)


def _problem(event: int, key: ClientKey | None) -> str:
    """What a handshake's end says, "" where it went well or says nothing."""
    match event, key:
        case zmq.Event.HANDSHAKE_FAILED_AUTH, ClientKey(holder=holder):
            return f"the scheduler refuses the key of {holder.name}: it is unknown there, revoked, or not for this port"
        case ((zmq.Event.HANDSHAKE_FAILED_PROTOCOL | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL), None):
            return "what listens there wants a key; give --key FILE (`warpcore keys add` makes one)"
        case zmq.Event.HANDSHAKE_FAILED_PROTOCOL, _:
            return "what listens there knows no keys; is it the right port, or a scheduler without keys?"
        case zmq.Event.HANDSHAKE_FAILED_NO_DETAIL, ClientKey():
            return "the handshake was broken off; is the key file of another scheduler?"
        case _:
            return ""
