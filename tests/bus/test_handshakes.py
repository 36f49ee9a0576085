"""Whose handshakes have failed: which connection ZeroMQ means, and what the scheduler's log says of it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest
import zmq

from tests.bus.key_ring import KeyRing
from tests.bus.server import serving
from warpcore.bus import connecting, sockets
from warpcore.bus.dealer import Dealer
from warpcore.bus.handshakes import BROKEN_OFF, FOREIGN, NO_KEYS, UNKNOWN, Attempts
from warpcore.bus.keys import ClientKey, Holder, KeyPair
from warpcore.bus.messages import GetHealth, Ok
from warpcore.bus.vocabulary import Role

Event = zmq.Event
FOREIGN_KEY, NO_CURVE = 0x11000001, 0x10000000
ADA = Holder("ada", Role.OPERATOR)


def test_a_failure_belongs_to_the_connection_that_ends_next() -> None:
    attempts = Attempts()
    said = [
        attempts.take(*told)
        for told in [
            (Event.ACCEPTED, 7, "10.0.0.7"),
            (Event.ACCEPTED, 8, "10.0.0.8"),
            (Event.HANDSHAKE_FAILED_PROTOCOL, FOREIGN_KEY),
            (Event.DISCONNECTED, 8),
            (Event.DISCONNECTED, 7),
            (Event.ACCEPTED, 8, "10.0.0.9"),
            (Event.HANDSHAKE_FAILED_NO_DETAIL, 32),
            (Event.DISCONNECTED, 8),
            (Event.HANDSHAKE_FAILED_PROTOCOL, NO_CURVE),
            (Event.DISCONNECTED, 9),
        ]
    ]
    told = [one for one in said if one]
    assert told == [f"10.0.0.8: {FOREIGN}", f"10.0.0.9: {BROKEN_OFF}", f"{UNKNOWN}: {NO_KEYS}"]


@pytest.fixture
def address(free_ports: Callable[[int], list[int]]) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connecting, "TRY_AGAIN_S", 0.1)
        patch.setattr(sockets, "_LOG_INTERVAL_S", 0.0)
        yield f"tcp://127.0.0.1:{free_ports(1)[0]}"


@pytest.mark.parametrize(("is_foreign", "why"), [(True, FOREIGN), (False, BROKEN_OFF)], ids=["foreign", "none"])
def test_the_log_says_from_where_a_wrong_key_or_none_comes(
    address: str, is_foreign: bool, why: str, caplog: pytest.LogCaptureFixture, wait_until: Callable[..., None]
) -> None:
    ring = KeyRing()
    key = ClientKey(ADA, ring.add(ADA).pair, KeyPair.new().public) if is_foreign else None

    def told() -> bool:
        dealer.send(GetHealth())
        list(dealer.receive())
        return f"control, from 127.0.0.1: {why}" in caplog.text

    with (
        ring.guard() as guard,
        serving(address, lambda *_: Ok(), guard=guard),
        Dealer(address, b"a stranger", "test", key=key) as dealer,
    ):
        wait_until(told, 30, "the line with the address")


def test_who_speaks_another_language_is_told_too(
    address: str, caplog: pytest.LogCaptureFixture, wait_until: Callable[..., None]
) -> None:
    ring, port = KeyRing(), int(address.rsplit(":", 1)[1])
    null_mechanism = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL".ljust(54, b"\0") + bytes(1)

    def told() -> bool:
        with closing(socket.create_connection(("127.0.0.1", port), 10)) as stranger, suppress(OSError):
            stranger.sendall(null_mechanism)
            while stranger.recv(1 << 12):
                pass
        return f"from 127.0.0.1: {NO_KEYS}" in caplog.text

    with ring.guard() as guard, serving(address, lambda *_: Ok(), guard=guard):
        wait_until(told, 30, "the line with the address")
