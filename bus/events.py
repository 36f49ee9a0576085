"""Events: publishers → hub (XSUB/XPUB, in the scheduler) → subscribers. An event has two frames: topic, envelope."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import zmq

from warpcore.bus.envelope import Envelope, WireError, decode, encode
from warpcore.bus.messages import EVENT_BODIES, FORWARDED_TOPICS, ServiceEvent
from warpcore.bus.schema import Message
from warpcore.bus.sockets import MAX_DRAINED, Malformed, bind, open_socket

log = logging.getLogger(__name__)

LARGEST_EVENT_BYTES = 128 * 1024
"""A larger event is not sent: of a durable one subscribers miss the number, and ask for it."""
_QUEUED_EVENTS = 500
"""For a subscriber that does not read so many wait. What it misses then, it asks for."""
_LONGEST_TOPIC = 256
_LARGEST_SUBSCRIPTION_BYTES = 16 * 1024
_LAST_EVENT_MS = 200


class EventHub:
    """Takes what services publish at `in_address`, adds the scheduler's own, sends both out at `out_address`.

    Raises BindError if an address cannot be bound.
    """

    def __init__(self, in_address: str, out_address: str) -> None:
        self._dropped = Malformed(f"events in {in_address}")
        self._in = open_socket(zmq.XSUB)
        bind(self._in, in_address, "events in")
        self._out = open_socket(zmq.XPUB, _QUEUED_EVENTS)
        self._out.setsockopt(zmq.MAXMSGSIZE, _LARGEST_SUBSCRIPTION_BYTES)
        try:
            bind(self._out, out_address, "events out")
        except OSError:
            self._in.close(linger=0)
            raise

    @property
    def sockets(self) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
        """Both sockets, to be polled for input; call `forward` when one of them has some."""
        return self._in, self._out

    @property
    def malformed(self) -> int:
        """Messages dropped: unreadable, or with a topic that only the scheduler may publish."""
        return self._dropped.count

    def forward(self, until: float = float("inf")) -> None:
        """Pass on what publishers sent and what subscribers asked for, at most up to the time `until` (monotonic s).

        Never blocks, never raises.
        """
        for frames in _drained(self._out, until=until):
            self._pass_subscription(frames)
        for frames in _drained(self._in, until=until):
            try:
                self._send(_forwardable(read_event(frames)))
            except WireError as error:
                self._dropped.note(error)

    def publish(self, envelope: Envelope) -> None:
        """Send an event to the subscribers of its topic, which is its type. Nobody waits for a slow one."""
        try:
            self._send(envelope)
        except WireError as error:
            log.warning("event %s not published; subscribers ask for a durable one: %s", envelope.type, error)

    def close(self) -> None:
        """Unbind both."""
        self._in.close(linger=0)
        self._out.close(linger=0)

    def __enter__(self) -> EventHub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, envelope: Envelope) -> None:
        """Raises WireError for an event that is too large."""
        frames = _frames(envelope)
        try:
            self._out.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            log.error("event %s not published: %s", envelope.type, error)

    def _pass_subscription(self, frames: list[bytes]) -> None:
        request = frames[0]
        if len(frames) == 1 and request[:1] in (b"\x00", b"\x01") and len(request) <= _LONGEST_TOPIC:
            self._in.send(request, zmq.NOBLOCK)
        else:
            self._dropped.note("a subscriber sent something else than a subscription")


class Publisher:
    """Publishes a service's own events. Nothing is queued: events are lost until the hub is connected."""

    def __init__(self, endpoint: str, source: str) -> None:
        self.endpoint = endpoint
        self.source = source
        self._socket = open_socket(zmq.PUB, _QUEUED_EVENTS)
        self._socket.connect(endpoint)

    def publish(self, topic: str, body: Message) -> None:
        """Send an event without blocking. One that is over the size limit is logged and dropped."""
        try:
            self._socket.send_multipart(_frames(Envelope(topic, body.to_body(), self.source)), zmq.NOBLOCK)
        except (WireError, zmq.ZMQError) as error:
            log.error("event %s not published: %s", topic, error)

    def close(self) -> None:
        """Disconnect; the last events get a moment to leave."""
        self._socket.close(linger=_LAST_EVENT_MS)

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Subscriber:
    """Receives events whose topic begins with one of `topics` (`""`: all). Some events may be lost."""

    def __init__(self, endpoint: str, topics: Sequence[str] = ("",)) -> None:
        self.endpoint = endpoint
        self._dropped = Malformed(f"events of {endpoint}")
        self.socket = open_socket(zmq.SUB, received=_QUEUED_EVENTS)
        for topic in topics:
            self.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        self.socket.connect(endpoint)

    @property
    def malformed(self) -> int:
        """Events dropped because they could not be read."""
        return self._dropped.count

    def receive(self, timeout_s: float) -> Envelope | None:
        """The next event, or None after `timeout_s` without one."""
        deadline = time.monotonic() + timeout_s
        while True:
            for envelope in self._readable(1):
                return envelope
            left_s = deadline - time.monotonic()
            if not self.socket.poll(max(0, round(left_s * 1000))) or left_s < 0:
                return None

    def drain(self) -> Iterator[Envelope]:
        """What has arrived, at most `MAX_DRAINED` events at a time."""
        return self._readable(MAX_DRAINED)

    def close(self) -> None:
        """Disconnect."""
        self.socket.close(linger=0)

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _readable(self, most: int) -> Iterator[Envelope]:
        for frames in _drained(self.socket, most):
            try:
                yield read_event(frames)
            except WireError as error:
                self._dropped.note(error)


def read_event(frames: list[bytes]) -> Envelope:
    """The envelope of an event's two frames, its body checked against its topic. Raises WireError."""
    if len(frames) != 2:
        raise WireError(f"{len(frames)} frames instead of topic and envelope")
    envelope = decode(frames[1])
    if envelope.type.encode(errors="replace") != frames[0]:
        raise WireError(f"topic differs from the envelope's type {envelope.type[:_LONGEST_TOPIC]!r}")
    check_event(envelope.type, envelope.body)
    return envelope


def check_event(topic: str, body: dict[str, object]) -> None:
    """Raises WireError for a topic that does not exist or a body that does not fit it."""
    kind = EVENT_BODIES.get(topic)
    if kind is None:
        raise WireError(f"unknown topic {topic[:_LONGEST_TOPIC]!r}")
    kind.from_body(body)


def _forwardable(envelope: Envelope) -> Envelope:
    """A service's event as the hub passes it on: without a change number, which only the scheduler gives."""
    if not envelope.type.startswith(FORWARDED_TOPICS):
        raise WireError(f"topic {envelope.type!r} is the scheduler's own")
    if envelope.type.startswith("service.") and ServiceEvent.from_body(envelope.body).service == "scheduler":
        raise WireError("a service called itself the scheduler")
    return replace(envelope, seq=0)


def _frames(envelope: Envelope) -> list[bytes]:
    """The frames of an event. Raises WireError where it is too large."""
    frame = encode(envelope)
    if len(frame) > LARGEST_EVENT_BYTES:
        raise WireError(f"it has {len(frame)} bytes, more than {LARGEST_EVENT_BYTES}")
    return [envelope.type.encode(), frame]


def _drained(socket: zmq.Socket[bytes], most: int = MAX_DRAINED, until: float = float("inf")) -> Iterator[list[bytes]]:
    for _ in range(most):
        if time.monotonic() >= until:
            return
        try:
            yield socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
