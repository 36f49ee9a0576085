"""The ROUTER end: it serves many peers, and none of them can block it or end it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import zmq

from warpcore.bus.envelope import Envelope, WireError, decode, encode
from warpcore.bus.sockets import MAX_DRAINED, BindError, Malformed, bind, open_socket

__all__ = ["BindError", "Router"]

log = logging.getLogger(__name__)


class Router:
    """A bound ROUTER socket. A peer that reconnects under its identity takes over from its older connection.

    Raises BindError if the address cannot be bound.
    """

    def __init__(self, address: str, name: str) -> None:
        self.address = address
        self.name = name
        self._dropped = Malformed(f"{name} {address}")
        self.socket = open_socket(zmq.ROUTER, high_water_mark=5000)
        self.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        bind(self.socket, address, name)

    @property
    def malformed(self) -> int:
        """Messages dropped because they could not be read."""
        return self._dropped.count

    def receive(self) -> Iterator[tuple[bytes, Envelope]]:
        """What has arrived as (peer's identity, envelope), at most `MAX_DRAINED` messages at a time."""
        for _ in range(MAX_DRAINED):
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if len(frames) != 2:
                self._dropped.note(f"{len(frames) - 1} frames instead of 1")
                continue
            try:
                envelope = decode(frames[1])
            except WireError as error:
                self._dropped.note(error)
                continue
            yield frames[0], envelope

    def note_malformed(self, reason: object) -> None:
        """Count an envelope whose body could not be read."""
        self._dropped.note(reason)

    def send(self, identity: bytes, envelope: Envelope) -> bool:
        """Send to one peer without blocking; False if it is gone, its queue is full or the envelope cannot be sent."""
        try:
            self.socket.send_multipart([identity, encode(envelope)], zmq.NOBLOCK)
        except WireError as error:
            log.error("%s: not sent: %s", self.name, error)
            return False
        except zmq.ZMQError as error:
            log.debug("%s: %s not sent: %s", self.name, envelope.type, error)
            return False
        return True

    def close(self) -> None:
        """Unbind and drop what was not sent."""
        self.socket.close(linger=0)

    def __enter__(self) -> Router:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
