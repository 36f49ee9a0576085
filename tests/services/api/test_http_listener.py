"""Slow, silent and many connections, with real sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from tests.services.api.http_server import LARGE, serving
from warpcore.services.api.http.connections import Limits
from warpcore.services.api.http.guarded import MAX_HEAD_BYTES

QUICK = Limits(most=40, most_of_one=20, head_s=1, body_s=0.6, stalled_s=0.6)
PATIENT_S = 20.0
"""Far longer than any limit of QUICK: a test that waits so long has failed."""

HEAD = b"GET /echo HTTP/1.1\r\nHost: localhost\r\n"


def connected(address: tuple[str, int], sent: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
    one = socket.create_connection(address, timeout=PATIENT_S, source_address=(source, 0))
    one.sendall(sent)
    return one


def rest_of(one: socket.socket) -> bytes:
    """All that comes until the server closes. Fails where it does not."""
    found = b""
    try:
        while piece := one.recv(1 << 16):
            found += piece
    except ConnectionResetError:
        pass
    return found


UNFINISHED = {
    "silent": (b"", b""),
    "head": (HEAD, b"HTTP/1.1 408 "),
    "body": (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nbegun", b"HTTP/1.1 408 "),
    "body not begun": (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n", b"HTTP/1.1 408 "),
    "chunks": (b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n", b"HTTP/1.1 408 "),
    "body of a stream": (b"GET /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n", b"HTTP/1.1 200 "),
    "second head": (b"GET /other HTTP/1.1\r\nHost: a\r\n\r\nGET /other HTT", b"HTTP/1.1 200 "),
}
"""What is sent, and how what then comes begins."""


def test_requests_that_do_not_come_to_their_end_are_closed() -> None:
    with serving(QUICK) as server, ExitStack() as opened:
        clients = {
            name: opened.enter_context(connected(server.address, sent)) for name, (sent, _) in UNFINISHED.items()
        }
        for name, one in clients.items():
            assert rest_of(one).startswith(UNFINISHED[name][1]), name


def test_a_head_that_trickles_is_closed_in_the_same_time() -> None:
    with serving(QUICK) as server, connected(server.address, HEAD) as one:
        one.settimeout(0.1)
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENT_S:
            try:
                one.sendall(b"X: y\r\n")
                if not one.recv(1 << 16):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() - begun < PATIENT_S, "a line each 0.1 s keeps a connection open"


def test_a_head_too_long_is_refused_at_once() -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 4000) for number in range(12))
    assert len(lines) > MAX_HEAD_BYTES
    with serving(Limits()) as server, connected(server.address, HEAD + lines) as one:
        assert b" 431 " in rest_of(one).partition(b"\r\n")[0]


MALFORMED = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /echo HTTP/1.1\nHost: a\n\n",
    b"GET /echo HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
    b"GET /echo HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET /echo HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
    b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1e3\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x",
    b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 100 + b"\r\n",
    b"\r\n" * 100_000,
]


def test_what_is_no_request_is_refused_and_nothing_behind_it_is_served() -> None:
    with serving(QUICK) as server:
        for sent in MALFORMED:
            with connected(server.address) as one:
                with suppress(OSError):
                    one.sendall(sent)
                told = rest_of(one)
                assert not told or told.split(b" ", 2)[1] in (b"400", b"408", b"414", b"431", b"501"), sent[:80]
                assert told.count(b"HTTP/1.1 ") <= 1, sent[:80]
        with connected(server.address, HEAD + b"\r\n") as one:
            assert b" 200 " in one.recv(1 << 16)


def test_a_client_that_takes_nothing_of_a_download_is_closed(wait_until: Callable[..., None]) -> None:
    with serving(QUICK) as server, connected(server.address, b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n"):
        wait_until(lambda: server.worker.nr == 0 and server.worker.nr_conns == 1, PATIENT_S, "the connection")
        wait_until(lambda: server.worker.nr_conns == 0, PATIENT_S, "the end of a client that takes nothing")


def test_a_slow_client_gets_all_of_a_large_answer_in_one_piece() -> None:
    asked = b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    limits = Limits(stalled_s=2)  # a busy machine lets the client wait too
    with serving(limits) as server, connected(server.address, asked) as one:
        begun, got = time.monotonic(), 0
        while piece := one.recv(1 << 20):
            got += len(piece)
            while time.monotonic() - begun < 1.5 * limits.stalled_s * got / LARGE:
                time.sleep(0.01)  # as a slow link
        assert got > LARGE


def test_streams_and_idle_connections_stay_for_longer_than_any_limit() -> None:
    with serving(QUICK) as server, connected(server.address, HEAD + b"\r\n") as idle:
        assert b" 200 " in idle.recv(1 << 16)
        with connected(server.address, b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n") as stream:
            begun = time.monotonic()
            while time.monotonic() - begun < 2.5 * QUICK.head_s:
                assert stream.recv(1 << 16), "the stream has ended"
        idle.sendall(HEAD + b"\r\n")
        assert b" 200 " in idle.recv(1 << 16), "the idle connection was closed"


def test_many_slow_heads_leave_room_for_others(wait_until: Callable[..., None]) -> None:
    with serving(Limits(most=40, most_of_one=20, head_s=PATIENT_S * 3)) as server:
        slow = [connected(server.address, HEAD, f"127.0.0.{1 + number % 4}") for number in range(200)]
        try:
            for source in ("127.0.0.1", "127.0.0.9"):
                with connected(server.address, HEAD + b"\r\n", source) as one:
                    assert b" 200 " in one.recv(1 << 16), source
            wait_until(lambda: sum(_is_closed(one) for one in slow) >= 200 - 40, what="room")
        finally:
            for one in slow:
                one.close()


def _is_closed(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        return one.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_requests_in_work_are_not_pushed_out() -> None:
    with serving(Limits(most=10, most_of_one=5)) as server:
        streams = [connected(server.address, b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(5)]
        for one in streams:
            assert one.recv(1)
        with connected(server.address) as sixth:
            assert b" 503 " in rest_of(sixth).partition(b"\r\n")[0]
        with connected(server.address, HEAD + b"\r\n", "127.0.0.9") as other:
            assert b" 200 " in other.recv(1 << 16)
        for one in streams:
            assert one.recv(1), "a stream was ended for another connection"
            one.close()
