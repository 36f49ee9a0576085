"""CURVE on real sockets: who is let in, whose message it is, and what a revoked key can still do, which is nothing."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from tests.bus.key_ring import KeyRing
from tests.bus.running_hub import RunningHub
from tests.bus.server import Server, serving
from warpcore.bus import connecting
from warpcore.bus import guard as guarding
from warpcore.bus.client import NoAnswerError, RefusedError, RequestClient
from warpcore.bus.dealer import Dealer
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope, encode
from warpcore.bus.events import Publisher, Subscriber
from warpcore.bus.keys import ClientKey, Holder, KeyPair
from warpcore.bus.messages import FileEvent, GetHealth, Goodbye, Ok, PauseProcessing, ProcessingEvent, ServiceEvent
from warpcore.bus.rights import Domain
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import Role, ServiceName

WaitUntil = Callable[..., None]
ADA, EVE = Holder("ada", Role.OPERATOR), Holder("eve", Role.OBSERVER)
API = Holder("api", Role.SERVICE, ServiceName.API)
FINDER = Holder("discoverer", Role.SERVICE, ServiceName.DISCOVERER)
TRACKER = Holder("tracker", Role.SERVICE, ServiceName.TRACKER)
GPU1, GPU2 = Holder("gpu1", Role.WORKER), Holder("gpu2", Role.WORKER)


@pytest.fixture
def address(free_ports: Callable[[int], list[int]]) -> str:
    return f"tcp://127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing()


@pytest.fixture(autouse=True)
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that were refused are tried again soon."""
    monkeypatch.setattr(connecting, "TRY_AGAIN_S", 0.1)


@contextmanager
def guarded(address: str, ring: KeyRing, domain: Domain = Domain.CONTROL) -> Iterator[Server]:
    """A peer that says ok to all that comes in."""
    with ring.guard() as guard, serving(address, lambda *_: Ok(), guard=guard, domain=domain) as server:
        yield server


def asked(address: str, key: ClientKey | None, message: Message, timeout_s: float = 5.0) -> Message:
    with RequestClient(address, "test", timeout_s=timeout_s, attempts=1, key=key) as client:
        return client.request(message)


def test_a_request_comes_in_the_name_of_the_keys_holder(address: str, ring: KeyRing) -> None:
    with guarded(address, ring) as server:
        assert asked(address, ring.add(ADA), GetHealth()) == Ok()
        assert [one.user for one in server.received] == ["ada"]


def test_the_api_alone_names_whom_it_asks_for(address: str, ring: KeyRing, wait_until: WaitUntil) -> None:
    def send_for_bob(holder: Holder) -> None:
        with Dealer(address, holder.name.encode(), "test", key=ring.add(holder)) as dealer:
            frame = encode(Envelope("health.get", {}, "test", user="bob"))
            dealer.socket.send(frame)
            wait_until(lambda: list(dealer.receive()), what="answer")

    with guarded(address, ring) as server:
        for holder in (API, ADA, EVE):
            send_for_bob(holder)
        assert [one.user for one in server.received] == ["bob", "ada", "eve"]


def test_without_keys_a_name_proves_nothing(address: str, wait_until: WaitUntil) -> None:
    with serving(address, lambda *_: Ok()) as server, Dealer(address, b"x", "api") as dealer:
        dealer.socket.send(encode(Envelope("health.get", {}, "api", user="bob")))
        wait_until(lambda: server.received, what="request")
        assert server.received[0].user == ""


def test_what_a_key_does_not_allow_is_refused_before_anything_is_done(address: str, ring: KeyRing) -> None:
    with guarded(address, ring) as server:
        for holder in (EVE, FINDER, TRACKER):
            with pytest.raises(
                RefusedError, match=rf"key of {holder.name} .*does not allow processing\.pause"
            ) as refused:
                asked(address, ring.add(holder), PauseProcessing())
            assert refused.value.error.code == "forbidden"
        assert not server.received
        assert server.router.malformed == 0


def test_a_revoked_key_has_no_rights_on_an_open_connection(address: str, ring: KeyRing) -> None:
    key = ring.add(ADA)
    with guarded(address, ring) as server, RequestClient(address, "test", timeout_s=0.5, attempts=1, key=key) as client:
        assert client.request(GetHealth()) == Ok()
        ring.revoke(key)
        with pytest.raises(RefusedError, match="revoked"):
            client.request(GetHealth())
        assert len(server.received) == 1


def test_nothing_is_sent_to_a_peer_whose_key_was_revoked(address: str, ring: KeyRing, wait_until: WaitUntil) -> None:
    key = ring.add(GPU1)
    with (
        guarded(address, ring, Domain.WORKERS) as server,
        Dealer(address, b"instance", "gpu1", key=key) as worker,
    ):
        worker.send(Goodbye("gpu1"))
        wait_until(lambda: list(worker.receive()), what="answer")
        assert server.send(b"instance", Envelope("ok", {}, "scheduler"))
        ring.revoke(key)
        assert not server.send(b"instance", Envelope("ok", {}, "scheduler"))


def test_a_worker_neither_speaks_for_another_nor_takes_its_connection(
    address: str, ring: KeyRing, wait_until: WaitUntil
) -> None:
    with (
        guarded(address, ring, Domain.WORKERS) as server,
        Dealer(address, b"instance", "gpu1", key=ring.add(GPU1)) as honest,
    ):
        honest.send(Goodbye("gpu1"))
        wait_until(lambda: list(honest.receive()), what="answer")
        other = ring.add(GPU2)
        with pytest.raises(RefusedError, match="for workers called gpu2 or gpu2/…, not 'gpu1'"):
            asked(address, other, Goodbye("gpu1"))
        with Dealer(address, b"instance", "gpu2", key=other) as thief:
            thief.send(Goodbye("gpu2"))
            answers: list[Envelope] = []
            wait_until(lambda: answers.extend(thief.receive()) or answers, what="refusal")
            assert "identity belongs to another key" in answers[0].body["detail"]
        assert [one.body["worker"] for one in server.received] == ["gpu1"]


@pytest.mark.parametrize(
    ("whose", "said"),
    [
        ("unknown", "refuses the key of ada"),
        ("worker", "refuses the key of gpu1"),
        ("nobody", "wants a key; give --key FILE"),
        ("other session", "key file of another scheduler"),
    ],
)
def test_who_has_no_key_for_the_port_is_not_let_in_and_hears_why(
    address: str, ring: KeyRing, whose: str, said: str
) -> None:
    key = {
        "unknown": ring.unknown(ADA),
        "worker": ring.add(GPU1),
        "nobody": None,
        "other session": ClientKey(ADA, ring.add(ADA).pair, KeyPair.new().public),
    }[whose]
    with guarded(address, ring) as server:
        with pytest.raises(NoAnswerError, match=said):
            asked(address, key, GetHealth(), timeout_s=2.0)
        assert not server.received


def test_a_key_where_there_are_none_says_so(address: str, ring: KeyRing) -> None:
    with serving(address, lambda *_: Ok()), pytest.raises(NoAnswerError, match="knows no keys"):
        asked(address, ring.add(ADA), GetHealth(), timeout_s=2.0)


def test_without_the_thread_that_knows_the_keys_nobody_is_let_in(address: str, ring: KeyRing) -> None:
    key = ring.add(ADA)
    with ring.guard() as guard, serving(address, lambda *_: Ok(), guard=guard) as server:
        guard._authenticator.stop()
        with pytest.raises(NoAnswerError):
            asked(address, key, GetHealth(), timeout_s=1.0)
        assert not server.received


def test_a_peer_is_let_in_once_its_key_is_known(address: str, ring: KeyRing, wait_until: WaitUntil) -> None:
    key = ring.unknown(GPU1)
    with guarded(address, ring, Domain.WORKERS) as server, Dealer(address, b"i", "gpu1", key=key) as worker:

        def say(heard: Callable[[], object]) -> object:
            worker.send(Goodbye("gpu1"))
            list(worker.receive())
            return heard()

        wait_until(lambda: say(lambda: worker._connection.problem), what="refusal")
        ring.know(key)
        wait_until(lambda: say(lambda: server.received), what="message of a key that is known now")


# --- events ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def endpoints(free_ports: Callable[[int], list[int]]) -> Endpoints:
    events_in, events_out = free_ports(2)
    return Endpoints(events_in_port=events_in, events_out_port=events_out)


@pytest.fixture
def hub(endpoints: Endpoints, ring: KeyRing) -> Iterator[RunningHub]:
    with ring.guard() as guard:
        running = RunningHub(endpoints, guard)
        yield running
        running.close()


def paused(seq: int) -> Envelope:
    return Envelope("processing.paused", ProcessingEvent(True).to_body(), "scheduler", seq=seq)


def test_a_service_publishes_as_itself_alone(endpoints: Endpoints, ring: KeyRing, hub: RunningHub) -> None:
    forged = ServiceEvent("discoverer", "host", 1)
    own = ServiceEvent("tracker", "host", 1)
    with (
        Publisher(endpoints.events_in, "discoverer", ring.add(TRACKER)) as tracker,
        Subscriber(endpoints.events_out, key=ring.add(EVE)) as observer,
    ):
        heard: list[Envelope] = []
        for _ in range(200):  # connections take a moment
            tracker.publish("service.heartbeat", forged)
            tracker.publish("file.ready", FileEvent("stolen.tif"))
            tracker.publish("service.heartbeat", own)
            envelope = observer.receive(0.05)
            heard += [envelope] if envelope is not None else []
            if len(heard) >= 3:
                break
        assert heard
        assert {(one.type, one.body.get("service")) for one in heard} == {("service.heartbeat", "tracker")}
        assert hub.hub.malformed >= 2


@pytest.mark.parametrize("holder", [GPU1, None], ids=["worker", "nobody"])
def test_who_may_not_listen_hears_nothing(
    endpoints: Endpoints, ring: KeyRing, hub: RunningHub, wait_until: WaitUntil, holder: Holder | None
) -> None:
    key = ring.add(holder) if holder is not None else None
    with (
        Subscriber(endpoints.events_out, key=key) as stranger,
        Subscriber(endpoints.events_out, key=ring.add(EVE)) as eve,
    ):

        def heard() -> bool:
            hub.publish(paused(1))
            return eve.receive(0.05) is not None

        wait_until(heard, what="an event for the observer")
        hub.publish(paused(2))
        wait_until(lambda: (one := eve.receive(0.05)) is not None and one.seq == 2, what="the second event")
        assert stranger.receive(0.2) is None


def test_a_revoked_subscriber_hears_nothing_more_and_the_others_come_back(
    endpoints: Endpoints, ring: KeyRing, hub: RunningHub, wait_until: WaitUntil
) -> None:
    key = ring.add(EVE)
    with Subscriber(endpoints.events_out, key=key) as eve, Subscriber(endpoints.events_out, key=ring.add(ADA)) as ada:
        seq = 0
        heard: dict[str, int] = {}

        def publish() -> dict[str, int]:
            nonlocal seq
            seq += 1
            hub.publish(paused(seq))
            for name, subscriber in (("eve", eve), ("ada", ada)):
                while (envelope := subscriber.receive(0.02)) is not None:
                    heard[name] = envelope.seq
            return heard

        wait_until(lambda: len(publish()) == 2, what="events for both")
        sockets = hub.hub.sockets
        ring.revoke(key)
        wait_until(lambda: hub.hub.sockets != sockets, what="a new socket for events")
        last = seq
        wait_until(lambda: publish()["ada"] > last, what="an event for the one that was not revoked")
        for _ in range(5):
            publish()
        assert heard["eve"] <= last


# --- floods and replay ----------------------------------------------------------------------------------------------


def test_a_flood_of_handshakes_costs_the_others_nothing_and_its_descriptors_are_freed(
    address: str, ring: KeyRing, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarding, "HANDSHAKE_MS", 1000)
    port, count = int(address.rsplit(":", 1)[1]), 400

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    key = ring.add(ADA)
    with guarded(address, ring) as server, ExitStack() as flood:
        assert asked(address, key, GetHealth()) == Ok()
        before = descriptors()
        for number in range(count):
            stranger = flood.enter_context(socket.create_connection(("127.0.0.1", port)))
            if number % 2:
                stranger.sendall(b"\xff\0\0\0\0\0\0\0\1\x7f\3\1CURVE")  # a greeting that is never ended
        assert asked(address, key, GetHealth(), timeout_s=30) == Ok()
        own = count + 20  # this test's ends of the connections, and a few of its client
        wait_until(lambda: descriptors() <= before + own, 30, "all of the flood's descriptors freed")
        assert asked(address, key, GetHealth(), timeout_s=30) == Ok()
        assert len(server.received) == 3


class Tap:
    """Passes one connection on to `port`, and keeps what its client has sent."""

    def __init__(self, port: int) -> None:
        self.said = b""
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        """Wait for the end of the connection."""
        self._thread.join(10)
        self._listener.close()

    def _run(self) -> None:
        client, _ = self._listener.accept()
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            back = threading.Thread(target=_pass_on, args=(server, client, bytearray()))
            back.start()
            kept = bytearray()
            _pass_on(client, server, kept)
            self.said = bytes(kept)
            back.join(10)


def _pass_on(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            kept += data
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def test_a_recorded_connection_played_again_does_nothing(address: str, ring: KeyRing) -> None:
    port, key = int(address.rsplit(":", 1)[1]), ring.add(ADA)
    with guarded(address, ring) as server:
        tap = Tap(port)
        assert asked(f"tcp://127.0.0.1:{tap.port}", key, PauseProcessing()) == Ok()
        tap.close()
        assert b"processing.pause" not in tap.said
        with socket.create_connection(("127.0.0.1", port)) as again:
            again.settimeout(10)
            again.sendall(tap.said)
            while again.recv(65536):  # until the server ends it
                pass
        assert asked(address, key, GetHealth()) == Ok()
        assert [one.type for one in server.received] == ["processing.pause", "health.get"]
