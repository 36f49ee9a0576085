"""The parts of the soak that decide or stand in for something: what it does next, and its proxy."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from soak_plan import FAULTS, Act, Hits, acts
from soak_proxy import Proxy

ROUNDS = 20


def some(seed: int, without: tuple[str, ...] = ()) -> list[Act]:
    return list(itertools.islice(acts(seed, without), ROUNDS * len(FAULTS)))


def test_a_seed_says_it_all() -> None:
    assert some(3) == some(3)
    assert some(3) != some(4)


@pytest.mark.parametrize("seed", range(5))
def test_the_first_round_has_each_fault_alone_and_later_ones_pairs_too(seed: int) -> None:
    drawn = some(seed)
    assert sorted(act.faults for act in drawn[: len(FAULTS)]) == sorted((name,) for name in FAULTS)
    pairs = [act.faults for act in drawn if len(act.faults) == 2]
    assert pairs
    for pair in pairs:
        first, second = (FAULTS[name].hits for name in pair)
        assert first is not second
        assert Hits.ALL not in (first, second)
    counts = {name: sum(name in act.faults for act in drawn) for name in FAULTS}
    assert max(counts.values()) - min(counts.values()) <= 1


def test_what_cannot_be_done_here_is_left_out() -> None:
    assert not any("fill disk" in act.faults for act in some(0, ("fill disk",)))


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer(client: socket.socket) -> None:
        with client:
            try:
                while data := client.recv(100):
                    client.sendall(data)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    one = Proxy(echo)
    yield one
    one.close()


def answers(client: socket.socket, within_s: float = 60.0) -> bool:
    """Whether what is sent comes back; False as well where the connection has ended."""
    client.settimeout(within_s)
    try:
        client.sendall(b"x")
        return client.recv(1) == b"x"
    except OSError:
        return False


def test_a_stalled_connection_stays_open_and_loses_nothing(proxy: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        assert answers(client)
        proxy.stall()
        assert not answers(client, 0.5)
        proxy.heal()
        client.settimeout(60)
        assert client.recv(1) == b"x", "what was sent meanwhile"
        assert answers(client)


def test_a_cut_connection_ends_and_new_ones_do_too_until_it_is_healed(
    proxy: Proxy, wait_until: Callable[..., None]
) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        assert answers(client)
        proxy.cut()
        client.settimeout(60)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        assert not answers(client)
    proxy.heal()

    def works() -> bool:
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            return answers(client)

    wait_until(works, 10, "an answer")
