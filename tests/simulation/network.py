"""A simulated network: real frames between the ROUTERs of the scheduler, its event hub and their peers.

Without weather it keeps what TCP and ZeroMQ promise: frames of one connection arrive in order, and wait while the other
end is not there. In bad weather they are lost, repeated, late, and overtake each other; hosts can be cut off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.simulation.clock import Simulator
from tests.simulation.part import Part
from warpcore.bus.envelope import Envelope, decode, encode, new_id
from warpcore.bus.events import check_event
from warpcore.bus.router import Refusal
from warpcore.bus.schema import Message

Arrive = Callable[[bytes], None]

RECONNECT_S = 0.5
QUEUED = 1000
"""Frames that wait for a connection; the oldest of more are dropped."""


@dataclass(frozen=True, slots=True)
class Weather:
    """Shares of frames that are lost, repeated and out of order, and the longest delay in seconds."""

    lost: float = 0.0
    repeated: float = 0.0
    reordered: float = 0.0
    late_s: float = 0.0


FAIR = Weather()


class Network:
    """Carries frames between hosts."""

    def __init__(self, simulator: Simulator) -> None:
        self.weather = FAIR
        self.cut_off: set[str] = set()
        """Hosts that reach no other host."""
        self.frames = 0
        self._simulator = simulator
        self._chance = simulator.stream("network")
        self._arrivals: dict[object, float] = {}

    def carry(self, frame: bytes, way: tuple[str, str], connection: object, arrive: Arrive) -> None:
        """Bring a frame from host to host; those of a connection keep their order in fair weather."""
        self.frames += 1
        chance, weather = self._chance, self.weather
        copies = 1
        if way[0] != way[1] and weather is not FAIR:
            copies = 0 if chance.random() < weather.lost else 1 + (chance.random() < weather.repeated)
        for _ in range(copies):
            at = self._simulator.now + chance.uniform(0.0005, 0.003)
            if weather.late_s and chance.random() < 0.3:
                at += chance.uniform(0.0, weather.late_s)
            if not (weather.reordered and chance.random() < weather.reordered):
                at = self._arrivals[connection] = max(at, self._arrivals.get(connection, 0.0) + 1e-6)
            self._simulator.after(at - self._simulator.now, lambda: self._arrive(frame, way, arrive))

    def _arrive(self, frame: bytes, way: tuple[str, str], arrive: Arrive) -> None:
        if way[0] != way[1] and self.cut_off & set(way):
            if self._chance.random() < 0.5:  # TCP sends again, unless the connection has ended meanwhile
                self._simulator.after(self._chance.uniform(0.2, 2.0), lambda: self._arrive(frame, way, arrive))
            return
        arrive(frame)


class Port:
    """Where the scheduler can be reached on `host`; `end` is its ROUTER or hub while it runs."""

    def __init__(self, network: Network, host: str) -> None:
        self.network, self.host = network, host
        self.end: Router | Hub | None = None


class Ports:
    """All that peers connect to, and who subscribes to events."""

    def __init__(self, network: Network, host: str) -> None:
        self.workers, self.control, self.events = (Port(network, host) for _ in range(3))
        self.subscribers: list[Subscriber] = []

    def close(self) -> None:
        """The scheduler's process has ended."""
        self.workers.end = self.control.end = self.events.end = None


class Router:
    """The scheduler's end of a port, as `bus.router.Router`."""

    def __init__(self, part: Part, port: Port, name: str) -> None:
        self.name, self.malformed = name, 0
        self.refusals: deque[Refusal] = deque()
        self._part, self._port = part, port
        self._peers: dict[bytes, Dealer] = {}
        self._arrived: deque[tuple[bytes, bytes]] = deque()
        port.end = self

    def arrived(self, dealer: Dealer, frame: bytes) -> None:
        """A frame of a peer has come in. A peer that reconnects under its identity takes over."""
        self._peers[dealer.identity] = dealer
        self._arrived.append((dealer.identity, frame))
        self._part.wake()

    def receive(self, until: float) -> Iterator[tuple[bytes, Envelope]]:
        """What has arrived, as the peer's identity and the envelope."""
        while self._arrived:
            identity, frame = self._arrived.popleft()
            yield identity, decode(frame)

    def send(self, identity: bytes, envelope: Envelope) -> bool:
        """Send to one peer; False where it is known to be gone."""
        return self.send_frame(identity, encode(envelope))

    def send_frame(self, identity: bytes, frame: bytes) -> bool:
        """Send a packed envelope."""
        self._part.step()
        dealer = self._peers.get(identity)
        if dealer is None or dealer.closed:
            return False
        way = self._port.host, dealer.part.host.name
        self._port.network.carry(frame, way, (self, identity), dealer.arrived)
        return True

    def send_waiting(self) -> None:
        """Nothing waits here: what peers do not read waits with them."""

    def note_malformed(self, reason: object) -> None:
        """A frame could not be read."""
        self.malformed += 1


class Dealer:
    """A peer's end of a port, as `bus.dealer.Dealer`. Frames wait while the scheduler is not there."""

    def __init__(self, part: Part, port: Port, identity: bytes, source: str) -> None:
        self.part, self.identity = part, identity
        self.endpoint = "the scheduler"
        self.closed = False
        self._source, self._port = source, port
        self._arrived: deque[bytes] = deque()
        self._unsent: deque[bytes] = deque(maxlen=QUEUED)
        part.sockets.append(self)

    def send(self, message: Message, *, id: str | None = None) -> str:
        """Send, and return the message's id."""
        self.part.step()
        envelope = Envelope(message.TYPE, message.to_body(), self._source, id=id or new_id())
        self._carry(encode(envelope))
        return envelope.id

    def receive(self) -> Iterator[Envelope]:
        """What has arrived."""
        while self._arrived:
            yield decode(self._arrived.popleft())

    def arrived(self, frame: bytes) -> None:
        """A frame of the scheduler has come in."""
        if not self.closed:
            self._arrived.append(frame)
            self.part.wake()

    def close(self) -> None:
        """The process ends, and with it the connection."""
        self.closed = True

    def _carry(self, frame: bytes) -> None:
        if self._unsent:
            self._unsent.append(frame)
        else:
            way = self.part.host.name, self._port.host
            self._port.network.carry(frame, way, self, self._handed_over)

    def _handed_over(self, frame: bytes) -> None:
        """At the scheduler's host; where nobody listens it waits at ours, before all that is sent later."""
        if isinstance(self._port.end, Router):
            self._port.end.arrived(self, frame)
            return
        if not self._unsent:
            self.part.simulator.after(RECONNECT_S, self._reconnect)
        self._unsent.append(frame)

    def _reconnect(self) -> None:
        if self.closed:
            return
        if not isinstance(self._port.end, Router):
            self.part.simulator.after(RECONNECT_S, self._reconnect)
            return
        frames = list(self._unsent)
        self._unsent.clear()
        for frame in frames:
            self._carry(frame)


class Hub:
    """The scheduler's event hub, as `bus.events.EventHub`."""

    def __init__(self, part: Part, ports: Ports) -> None:
        self.malformed = 0
        self._part, self._port, self._ports = part, ports.events, ports
        self._published: deque[Envelope] = deque()
        ports.events.end = self

    def publish(self, envelope: Envelope) -> None:
        """Send an event to the subscribers of its topic; nobody waits for one that is not there."""
        self._part.step()
        frame = encode(envelope)
        for subscriber in [one for one in self._ports.subscribers if not one.closed]:
            way = self._port.host, subscriber.part.host.name
            self._port.network.carry(frame, way, (self, subscriber), subscriber.arrived)

    def arrived(self, frame: bytes) -> None:
        """An event of a service."""
        self._published.append(decode(frame))
        self._part.wake()

    def forward(self, until: float) -> None:
        """Pass on what services have published."""
        while self._published:
            self.publish(self._published.popleft())


class Publisher:
    """A service's way to the hub, as `bus.events.Publisher`. Without a hub its events are lost."""

    def __init__(self, part: Part, port: Port, source: str) -> None:
        self._part, self._port, self._source = part, port, source

    def publish(self, topic: str, body: Message) -> None:
        """Publish an event."""
        frame = encode(Envelope(topic, body.to_body(), self._source))
        self._port.network.carry(frame, (self._part.host.name, self._port.host), self, self._handed_over)

    def _handed_over(self, frame: bytes) -> None:
        if isinstance(self._port.end, Hub):
            self._port.end.arrived(frame)

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to do."""


class Subscriber:
    """A service's ear at the hub, as `bus.events.Subscriber`."""

    def __init__(self, part: Part, ports: Ports, topics: tuple[str, ...] = ("",)) -> None:
        self.part, self.closed = part, False
        self._topics = topics
        self._arrived: deque[Envelope] = deque()
        ports.subscribers = [*(one for one in ports.subscribers if not one.closed), self]
        part.sockets.append(self)

    def arrived(self, frame: bytes) -> None:
        """An event has come in."""
        envelope = decode(frame)
        if not self.closed and envelope.type.startswith(self._topics):
            check_event(envelope.type, envelope.body)
            self._arrived.append(envelope)
            self.part.wake()

    def drain(self) -> Iterator[Envelope]:
        """What has arrived."""
        while self._arrived:
            yield self._arrived.popleft()

    def close(self) -> None:
        """Hear no more."""
        self.closed = True

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
