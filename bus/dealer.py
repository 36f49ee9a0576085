"""The DEALER end of a peer that never waits (a nanny, a follower, the discoverer): for use with a poller."""

from __future__ import annotations

from collections.abc import Iterator

import zmq

from warpcore.bus.connecting import Connection
from warpcore.bus.envelope import Envelope, WireError, decode, encode, new_id
from warpcore.bus.keys import ClientKey
from warpcore.bus.schema import Message
from warpcore.bus.sockets import MAX_DRAINED, Dropped, open_socket


class Dealer:
    """Connects to a ROUTER under a fixed identity and reconnects by itself.

    While the other side is away, up to `queued` messages wait; more are dropped and counted in `dropped`. So whatever
    must arrive is a request, which is repeated under its id until it is answered.
    """

    def __init__(
        self, endpoint: str, identity: bytes, source: str, queued: int = 100, key: ClientKey | None = None
    ) -> None:
        self.endpoint = endpoint
        self.source = source
        self.dropped = 0
        self._unreadable = Dropped(f"answers of {endpoint}")
        self.socket = open_socket(zmq.DEALER, queued)
        self.socket.setsockopt(zmq.IDENTITY, identity)
        self._connection = Connection(self.socket, endpoint, key)

    @property
    def malformed(self) -> int:
        """Messages dropped because they could not be read."""
        return self._unreadable.count

    def send(self, message: Message, reply_to: str | None = None, *, id: str | None = None) -> str:
        """Send without blocking and return the message's id; `id` repeats a request. WireError: over the limit."""
        envelope = Envelope(message.TYPE, message.to_body(), self.source, id=id or new_id(), reply_to=reply_to)
        frame = encode(envelope)
        try:
            self.socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            self.dropped += 1
        return envelope.id

    def receive(self) -> Iterator[Envelope]:
        """What has arrived, at most `MAX_DRAINED` messages at a time."""
        self._connection.look()
        for _ in range(MAX_DRAINED):
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                yield read_single(frames)
            except WireError as error:
                self._unreadable.note(error)

    def close(self) -> None:
        """Disconnect and drop what was not sent."""
        self._connection.close()

    def __enter__(self) -> Dealer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_single(frames: list[bytes]) -> Envelope:
    """The envelope of a one-frame message. Raises WireError."""
    if len(frames) != 1:
        raise WireError(f"{len(frames)} frames instead of 1")
    return decode(frames[0])
