"""Events: publishers → hub (XSUB/XPUB, in the scheduler) → subscribers. An event has two frames: topic, envelope."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

import zmq
from msgspec.structs import replace

from warpcore.bus.connecting import Connection
from warpcore.bus.envelope import Envelope, WireError, decode, encode
from warpcore.bus.guard import Guard, received
from warpcore.bus.keys import ClientKey
from warpcore.bus.messages import EVENT_BODIES, FORWARDED_TOPICS, ServiceEvent
from warpcore.bus.rights import Domain, why_not_publish
from warpcore.bus.schema import Message
from warpcore.bus.sockets import MAX_DRAINED, QUEUED_OF_PEER, BindError, Dropped, bind, open_socket, send_pair
from warpcore.bus.subscriptions import MOST_BYTES, Subscriptions

log = logging.getLogger(__name__)

LARGEST_EVENT_BYTES = 128 * 1024
"""A larger event is not sent: of a durable one subscribers miss the number, and ask for it."""
_QUEUED_EVENTS = 500
"""For a subscriber that does not read so many wait. What it misses then, it asks for."""
_LONGEST_TOLD = 256
_LARGEST_SUBSCRIPTION_BYTES = 1024
"""ZeroMQ ends the connection of who sends more. CURVE's own messages have up to 300 bytes."""
_EVERYTHING = b"\x01"
_LAST_EVENT_MS = 200
_OPEN_AGAIN_S = 2.0


class EventHub:
    """Takes what services publish at `in_address`, adds the scheduler's own, sends both out at `out_address`.

    Raises BindError if an address cannot be bound. With a `guard` a publisher publishes only what its key allows. Where
    a subscriber's key is revoked, or subscribers ask for too many topics, the outgoing socket is opened anew: ZeroMQ
    ends no single connection, and those who may listen come back by themselves and ask for what they missed. Who asked
    for most of too many topics is kept out for a minute.
    """

    def __init__(self, in_address: str, out_address: str, guard: Guard | None = None) -> None:
        self._guard = guard
        self._lost_subscribers = 0
        self._subscriptions = Subscriptions(EVENT_BODIES)
        self._out_is_stale = False
        self._open_again_at = 0.0
        self._poller: zmq.Poller | None = None
        self._dropped = Dropped(f"events in {in_address}")
        self._in = self._open(zmq.XSUB, Domain.EVENTS_IN)
        bind(self._in, in_address, Domain.EVENTS_IN)
        self._in.send(_EVERYTHING)  # publishers have few events, and would keep each topic that is asked for
        self._out_address = out_address
        try:
            self._out = self._bound_out()
        except OSError:
            self._in.close(linger=0)
            raise

    @property
    def sockets(self) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
        """Both sockets, to be polled for input; call `forward` when one of them has some."""
        return self._in, self._out

    def register(self, poller: zmq.Poller) -> None:
        """Have a poller wake for both sockets, also for those that are opened anew."""
        self._poller = poller
        for one in self.sockets:
            poller.register(one, zmq.POLLIN)

    @property
    def malformed(self) -> int:
        """Messages dropped: unreadable, or with a topic that only the scheduler may publish."""
        return self._dropped.count

    def forward(self, until: float = float("inf")) -> None:
        """Pass on what publishers sent, and note what subscribers asked for, at most up to `until` (monotonic s).

        Never blocks, never raises.
        """
        if self._guard is not None:
            self._notice_revoked(self._guard)
        if self._out_is_stale and time.monotonic() >= self._open_again_at:
            self._open_out_anew()
        for frames, public in _drained(self._out, until=until, guard=self._guard):
            self._note_subscription(frames, public)
        for frames, public in _drained(self._in, until=until, guard=self._guard):
            try:
                self._send(self._forwardable(read_event(frames), public))
            except WireError as error:
                self._dropped.note(error)

    def publish(self, envelope: Envelope) -> None:
        """Send an event to the subscribers of its topic, which is its type. Nobody waits for a slow one."""
        if envelope.type not in self._subscriptions.wanted:
            return  # packing it is most of the work
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

    def _open(self, kind: int, domain: Domain, queued: int = QUEUED_OF_PEER) -> zmq.Socket[bytes]:
        socket = open_socket(kind, queued, context=self._guard.context if self._guard is not None else None)
        if self._guard is not None:
            self._guard.put_on(socket, domain)
        return socket

    def _bound_out(self) -> zmq.Socket[bytes]:
        """Raises BindError."""
        socket = self._open(zmq.XPUB, Domain.EVENTS_OUT, _QUEUED_EVENTS)
        socket.setsockopt(zmq.MAXMSGSIZE, _LARGEST_SUBSCRIPTION_BYTES)
        bind(socket, self._out_address, Domain.EVENTS_OUT)
        return socket

    def _notice_revoked(self, guard: Guard) -> None:
        guard.look()
        if guard.lost_subscribers != self._lost_subscribers:
            self._lost_subscribers = guard.lost_subscribers
            self._out_is_stale = True

    def _open_out_anew(self) -> None:
        """End all connections of subscribers; those who may come back do."""
        if self._poller is not None and not self._out.closed:
            self._poller.unregister(self._out)
        self._out.close(linger=0)
        self._subscriptions = Subscriptions(EVENT_BODIES)
        try:
            self._out = self._bound_out()
        except BindError as error:
            log.error("%s; no events go out until it can be bound again", error)
            self._open_again_at = time.monotonic() + _OPEN_AGAIN_S
            return
        self._out_is_stale = False
        if self._poller is not None:
            self._poller.register(self._out, zmq.POLLIN)

    def _forwardable(self, envelope: Envelope, public: str) -> Envelope:
        """A service's event as it is passed on: without a change number or a user. Raises WireError for any other."""
        if self._guard is not None:
            holder = self._guard.holder(public)
            refusal = why_not_publish(holder, envelope) if holder is not None else "this key was revoked"
            if refusal:
                raise WireError(refusal)
        return _forwardable(envelope)

    def _send(self, envelope: Envelope) -> None:
        """Raises WireError for an event that is too large."""
        topic, frame = _frames(envelope)
        if self._out.closed:
            return
        try:
            send_pair(self._out, topic, frame)
        except zmq.ZMQError as error:
            log.error("event %s not published: %s", envelope.type, error)

    def _note_subscription(self, frames: list[bytes], public: str) -> None:
        if self._out_is_stale:
            return
        if len(frames) != 1 or not self._subscriptions.take(frames[0], public):
            self._dropped.note("a subscriber sent something else than a subscription")
        greedy = self._subscriptions.greedy
        if greedy is None:
            return
        self._out_is_stale = True
        holder = self._guard.keep_out(greedy) if self._guard is not None else None
        who = f"the key {holder.name} asks" if holder is not None else "subscribers ask"
        log.warning("%s for more than %d bytes of topics; all subscribers have to connect again", who, MOST_BYTES)


class Publisher:
    """Publishes a service's own events. Nothing is queued: events are lost until the hub is connected."""

    def __init__(self, endpoint: str, source: str, key: ClientKey | None = None) -> None:
        self.endpoint = endpoint
        self.source = source
        self._socket = open_socket(zmq.PUB, _QUEUED_EVENTS)
        self._connection = Connection(self._socket, endpoint, key)

    def publish(self, topic: str, body: Message) -> None:
        """Send an event without blocking. One that is over the size limit is logged and dropped."""
        self._connection.look()
        try:
            send_pair(self._socket, *_frames(Envelope(topic, body.to_body(), self.source)))
        except (WireError, zmq.ZMQError) as error:
            log.error("event %s not published: %s", topic, error)

    def close(self) -> None:
        """Disconnect; the last events get a moment to leave."""
        self._connection.close(_LAST_EVENT_MS)

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Subscriber:
    """Receives events whose topic begins with one of `topics` (`""`: all). Some events may be lost."""

    def __init__(self, endpoint: str, topics: Sequence[str] = ("",), key: ClientKey | None = None) -> None:
        self.endpoint = endpoint
        self._dropped = Dropped(f"events of {endpoint}")
        self.socket = open_socket(zmq.SUB, received=_QUEUED_EVENTS)
        for topic in topics:
            self.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        self._connection = Connection(self.socket, endpoint, key)

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
        self._connection.close()

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _readable(self, most: int) -> Iterator[Envelope]:
        self._connection.look()
        for frames, _ in _drained(self.socket, most):
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
        raise WireError(f"topic differs from the envelope's type {envelope.type[:_LONGEST_TOLD]!r}")
    check_event(envelope.type, envelope.body)
    return envelope


def check_event(topic: str, body: dict[str, object]) -> None:
    """Raises WireError for a topic that does not exist or a body that does not fit it."""
    kind = EVENT_BODIES.get(topic)
    if kind is None:
        raise WireError(f"unknown topic {topic[:_LONGEST_TOLD]!r}")
    kind.from_body(body)


def _forwardable(envelope: Envelope) -> Envelope:
    """A service's event as the hub passes it on: without a change number, which only the scheduler gives."""
    if not envelope.type.startswith(FORWARDED_TOPICS):
        raise WireError(f"topic {envelope.type!r} is the scheduler's own")
    if envelope.type.startswith("service.") and ServiceEvent.from_body(envelope.body).service == "scheduler":
        raise WireError("a service called itself the scheduler")
    return replace(envelope, seq=0, user="")


def _frames(envelope: Envelope) -> tuple[bytes, bytes]:
    """The two frames of an event. Raises WireError where it is too large."""
    frame = encode(envelope)
    if len(frame) > LARGEST_EVENT_BYTES:
        raise WireError(f"it has {len(frame)} bytes, more than {LARGEST_EVENT_BYTES}")
    return envelope.type.encode(), frame


def _drained(
    socket: zmq.Socket[bytes], most: int = MAX_DRAINED, until: float = float("inf"), guard: Guard | None = None
) -> Iterator[tuple[list[bytes], str]]:
    """Frames of messages, and the public key of each."""
    for _ in range(most):
        if time.monotonic() >= until:
            return
        try:
            yield received(socket, guard)
        except zmq.ZMQError:  # nothing more has come, or the socket could not be opened anew
            return
