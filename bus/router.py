"""The ROUTER end: it serves many peers, and none of them can block it, fill its memory or end it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import zmq

from warpcore.bus.envelope import Envelope, WireError, decode, encode
from warpcore.bus.sockets import MAX_DRAINED, QUEUED_OF_PEER, BindError, Malformed, bind, open_socket

__all__ = ["BindError", "Router"]

log = logging.getLogger(__name__)

MOST_WAITING_OF_PEER_BYTES = 8 * 1024 * 1024
MOST_WAITING_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class _Outbox:
    """Frames for a peer whose queue in the socket is full."""

    frames: deque[bytes] = field(default_factory=deque)
    bytes: int = 0


class Router:
    """A bound ROUTER socket. A peer that reconnects under its identity takes over from its older connection.

    For a peer that does not read, a few frames wait in the socket (`QUEUED_OF_PEER`) and a few MB here; what is more is
    dropped, and a request is asked again by the peer. Raises BindError if the address cannot be bound.
    """

    def __init__(self, address: str, name: str) -> None:
        self.address = address
        self.name = name
        self._dropped = Malformed(f"{name} {address}")
        self._waiting: dict[bytes, _Outbox] = {}
        self._waiting_bytes = 0
        self.socket = open_socket(zmq.ROUTER, QUEUED_OF_PEER)
        self.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        bind(self.socket, address, name)

    @property
    def malformed(self) -> int:
        """Messages dropped because they could not be read."""
        return self._dropped.count

    @property
    def has_waiting(self) -> bool:
        """Whether frames wait for peers to read; `send_waiting` tries again."""
        return bool(self._waiting)

    def receive(self, until: float = float("inf")) -> Iterator[tuple[bytes, Envelope]]:
        """What has arrived as (peer's identity, envelope), each peer in its turn.

        At most `MAX_DRAINED` messages, and none after the time `until` (monotonic s).
        """
        for _ in range(MAX_DRAINED):
            if time.monotonic() >= until:
                return
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
        """Send to one peer without blocking; False if it is gone, reads nothing or the envelope cannot be sent."""
        try:
            return self.send_frame(identity, encode(envelope))
        except WireError as error:
            log.error("%s: not sent: %s", self.name, error)
            return False

    def send_frame(self, identity: bytes, frame: bytes) -> bool:
        """Send a packed envelope without blocking; False if the peer is gone, or too much waits for it already."""
        if identity not in self._waiting:
            try:
                self._deliver(identity, frame)
                return True
            except zmq.Again:
                pass
            except zmq.ZMQError as error:
                log.debug("%s: a frame was not sent: %s", self.name, error)
                return False
        return self._wait(identity, frame)

    def send_waiting(self) -> None:
        """Send what waits, as far as its peers have read."""
        for identity, outbox in list(self._waiting.items()):
            try:
                while outbox.frames:
                    self._deliver(identity, outbox.frames[0])
                    self._take(outbox)
            except zmq.Again:
                continue
            except zmq.ZMQError:  # the peer is gone
                self._waiting_bytes -= outbox.bytes
            del self._waiting[identity]

    def close(self) -> None:
        """Unbind and drop what was not sent."""
        self.socket.close(linger=0)

    def __enter__(self) -> Router:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _deliver(self, identity: bytes, frame: bytes) -> None:
        # libzmq 4.3.5 ends the process if it hears only between the two frames that the peer has gone, and something is
        # sent then (its issue 4731). To ask for events makes it hear of that before.
        self.socket.getsockopt(zmq.EVENTS)
        self.socket.send_multipart([identity, frame], zmq.NOBLOCK)

    def _wait(self, identity: bytes, frame: bytes) -> bool:
        own = self._waiting[identity].bytes if identity in self._waiting else 0
        if own + len(frame) > MOST_WAITING_OF_PEER_BYTES or self._waiting_bytes + len(frame) > MOST_WAITING_BYTES:
            return False
        outbox = self._waiting.setdefault(identity, _Outbox())
        outbox.frames.append(frame)
        outbox.bytes += len(frame)
        self._waiting_bytes += len(frame)
        return True

    def _take(self, outbox: _Outbox) -> None:
        size = len(outbox.frames.popleft())
        outbox.bytes -= size
        self._waiting_bytes -= size
