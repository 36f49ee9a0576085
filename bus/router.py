"""The ROUTER end: it serves many peers, and none of them can block it, fill its memory or end it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import zmq
from msgspec.structs import replace

from warpcore.bus.envelope import Envelope, WireError, WireVersionError, decode, encode
from warpcore.bus.guard import Guard, received
from warpcore.bus.messages import Error
from warpcore.bus.rights import why_not_send
from warpcore.bus.sockets import MAX_DRAINED, QUEUED_OF_PEER, BindError, Dropped, bind, open_socket, send_pair
from warpcore.bus.vocabulary import ErrorCode, ServiceName

__all__ = ["BindError", "Router"]

log = logging.getLogger(__name__)

MOST_WAITING_OF_PEER_BYTES = 8 * 1024 * 1024
MOST_WAITING_BYTES = 64 * 1024 * 1024
MOST_REFUSALS = 100
"""Refusals that wait to be looked at; of more the last ones."""
MOST_PEERS = 10_000
"""Peers whose keys are remembered, those heard last: each command is a peer of its own."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that its sender's key does not allow: whose key ("" for a revoked one), by which program, and why."""

    user: str
    source: str
    type: str
    why: str


@dataclass(slots=True)
class _Outbox:
    """Frames for a peer whose queue in the socket is full."""

    frames: deque[bytes] = field(default_factory=deque)
    bytes: int = 0


class Router:
    """A bound ROUTER socket. A peer that reconnects under its identity takes over from its older connection.

    For a peer that does not read, a few frames wait in the socket (`QUEUED_OF_PEER`) and a few MB here; what is more is
    dropped, and a request is asked again by the peer. Raises BindError if the address cannot be bound.

    With a `guard` (`name` is the domain of its handshakes) only what the sender's key allows comes in, and nothing goes
    out to a peer whose key was revoked. A peer's identity belongs to the key that it first came under. `refusals` are
    those of late, oldest first; whoever looks at them takes them out.
    """

    def __init__(self, address: str, name: str, guard: Guard | None = None) -> None:
        self.address = address
        self._guard = guard
        self._keys: dict[bytes, str] = {}
        self.refusals: deque[Refusal] = deque(maxlen=MOST_REFUSALS)
        self._forbidden = Dropped(f"{name} {address}", "forbidden message(s)")
        self.name = name
        self._dropped = Dropped(f"{name} {address}")
        self._waiting: dict[bytes, _Outbox] = {}
        self._waiting_bytes = 0
        self.socket = open_socket(zmq.ROUTER, QUEUED_OF_PEER, context=guard.context if guard is not None else None)
        if guard is not None:
            guard.put_on(self.socket, name)
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
        """What has arrived as (peer's identity, envelope), each peer in its turn. `user` is whom a key proves, or "".

        At most `MAX_DRAINED` messages, and none after the time `until` (monotonic s).
        """
        for _ in range(MAX_DRAINED):
            if time.monotonic() >= until:
                return
            try:
                frames, public = received(self.socket, self._guard)
            except zmq.Again:
                return
            if len(frames) != 2:
                self._dropped.note(f"{len(frames) - 1} frames instead of 1")
                continue
            try:
                envelope = decode(frames[1])
            except WireError as error:
                self._dropped.note(error)
                if isinstance(error, WireVersionError) and (self._guard is None or self._guard.holder(public)):
                    self._answer(frames[0], error.id, Error(ErrorCode.BAD_MESSAGE, str(error)))
                continue
            user = "" if self._guard is None else self._user(self._guard, frames[0], public, envelope)
            if user is not None:
                yield frames[0], envelope if user == envelope.user else replace(envelope, user=user)

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
        if not self._may_hear(identity):
            return False
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
                while outbox.frames and self._may_hear(identity):
                    self._deliver(identity, outbox.frames[0])
                    self._take(outbox)
            except zmq.Again:
                continue
            except zmq.ZMQError as error:
                log.debug("%s: a peer is gone: %s", self.name, error)
            self._waiting_bytes -= outbox.bytes
            del self._waiting[identity]

    def close(self) -> None:
        """Unbind and drop what was not sent."""
        self.socket.close(linger=0)

    def __enter__(self) -> Router:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _user(self, guard: Guard, identity: bytes, public: str, envelope: Envelope) -> str | None:
        """In whose name a message comes, None for one that its sender may not send, which is told so.

        Also where it wants no answer: a worker that only beats would not notice that its key was revoked.
        """
        holder, owner = guard.holder(public), self._keys.pop(identity, public)
        self._keys[identity] = owner
        if len(self._keys) > MOST_PEERS:
            del self._keys[next(iter(self._keys))]
        if holder is None:
            refusal = "this key was revoked"
        elif owner != public:
            refusal = "this peer's identity belongs to another key"
        else:
            refusal = why_not_send(holder, envelope)
            if not refusal:
                return envelope.user if holder.service is ServiceName.API else holder.name
        self._forbidden.note(f"{envelope.type[:80]}: {refusal}")
        user = holder.name if holder is not None else ""
        self.refusals.append(Refusal(user, envelope.source, envelope.type, refusal))
        self._answer(identity, envelope.id, Error(ErrorCode.FORBIDDEN, refusal))
        return None

    def _may_hear(self, identity: bytes) -> bool:
        """Whether the key that a peer came under still counts."""
        return self._guard is None or self._guard.holder(self._keys.get(identity, "")) is not None

    def _answer(self, identity: bytes, message_id: str, error: Error) -> None:
        """Tell a peer why its message goes no further. One of another wire version sees ours in it, and no more."""
        answer = Envelope(error.TYPE, error.to_body(), "scheduler", reply_to=message_id)
        try:
            self._deliver(identity, encode(answer))
        except zmq.ZMQError as gone:
            log.debug("%s: a refusal was not sent: %s", self.name, gone)

    def _deliver(self, identity: bytes, frame: bytes) -> None:
        # libzmq 4.3.5 ends the process if it hears only between the two frames that the peer has gone, and something is
        # sent then (its issue 4731). To ask for events makes it hear of that before.
        self.socket.getsockopt(zmq.EVENTS)
        send_pair(self.socket, identity, frame)

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
