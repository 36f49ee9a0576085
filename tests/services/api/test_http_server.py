"""What a stranger can do to the real server by rebound names, slow heads, floods; what answers tell browsers."""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.services.api.lone_api import lone_api
from tests.services.api.rest_session import problem
from warpcore.services.api.http.connections import Limits

EVIL = {"Host": "evil.example", "Origin": "http://evil.example"}


@pytest.fixture(scope="module")
def http(free_ports: Callable[[int], list[int]], wait_until: Callable[..., None]) -> Iterator[httpx.Client]:
    """A client of an API without a scheduler."""
    with lone_api(free_ports(3), wait_until, "--allow-host", "warpcore.lab.example") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/processing/pause"),
        ("PATCH", "/api/settings"),
        ("GET", "/api/columns"),
        ("GET", "/api/events"),
        ("GET", "/"),
        ("GET", "/page/page.js"),
        ("OPTIONS", "/api/settings"),
        ("GET", "/api/nothing"),
    ],
)
def test_a_name_that_was_rebound_to_this_host_gets_nothing(http: httpx.Client, method: str, path: str) -> None:
    document = problem(http.request(method, path, headers=EVIL), 421)
    assert "evil.example" in document["detail"]
    assert "--allow-host" in document["detail"]


@pytest.mark.parametrize(
    ("host", "length", "status"), [("localhost", 10_000_000, 413), ("evil.example", 10, 421), ("localhost", 10, None)]
)
def test_a_body_that_does_not_begin_keeps_no_refusal_waiting(
    http: httpx.Client, host: str, length: int, status: int | None
) -> None:
    head = f"PUT /api/settings HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", http.base_url.port or 0), Limits().body_s / 2) as one:
        one.sendall(head.encode())
        assert one.recv(1 << 16).startswith(f"HTTP/1.1 {status or 100} ".encode())


def test_a_body_that_comes_after_its_refusal_ends_no_connection(http: httpx.Client) -> None:
    """Heads and bodies come in pieces of their own; to close before the body would reset what the client reads."""
    body = b"." * 100_000
    head = f"POST /api/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", http.base_url.port or 0), Limits().body_s / 2) as one:
        for _ in range(2):
            one.sendall(head.encode())
            assert one.recv(1 << 16).startswith(b"HTTP/1.1 404 ")
            one.sendall(body)


def test_a_web_socket_is_an_ordinary_request(http: httpx.Client) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    upgrade["Sec-WebSocket-Key"] = "MDEyMzQ1Njc4OWFiY2RlZg=="
    assert http.get("/api/columns", headers=upgrade).status_code == 200
    problem(http.get("/api/columns", headers=upgrade | EVIL), 421)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST:5000", "127.0.0.1", "127.0.0.1:80", "[::1]:5000", "10.1.2.3:5000"),
        *(socket.gethostname(), f"{socket.gethostname()}:5000", "warpcore.lab.example", "warpcore.lab.example."),
    ],
)
def test_this_hosts_own_names_and_addresses_are_right(http: httpx.Client, host: str) -> None:
    assert http.get("/api/columns", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "localhost.evil.example", "evil.example:5000", "127.0.0.1.evil.example", "lab.example", ""),
        *("localhost@evil.example", "evil.example/localhost", "[::1", "evil.example#localhost", "x" * 5000),
        *("x.warpcore.lab.example", "2130706433.example"),
    ],
)
def test_all_other_names_are_wrong(http: httpx.Client, host: str) -> None:
    document = problem(http.get("/api/columns", headers={"Host": host}), 421)
    assert len(document["detail"]) < 300


def test_every_answer_tells_browsers_to_do_nothing_with_it(http: httpx.Client) -> None:
    for path in ("/", "/page/page.js", "/page/none", "/api/docs", "/api/docs/style.css", "/api/columns"):
        headers = http.get(path).headers
        policy = headers["content-security-policy"]
        for one in ("default-src", "frame-ancestors", "base-uri", "form-action"):
            assert f"{one} 'none'" in policy, path
        assert "unsafe" not in policy, path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "camera=()" in headers["permissions-policy"]
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "strict-transport-security" not in headers, "without TLS it would lock everybody out"
        kept = headers["cache-control"]
        assert "no-store" in kept or "private" in kept or path.startswith("/page/"), (path, kept)


def test_rest_answers_under_3000_slow_heads(http: httpx.Client, wait_until: Callable[..., None]) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if hard != resource.RLIM_INFINITY and hard < 4000:
        pytest.skip(f"this user may have {hard} open files, fewer than the connections of this test")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4000), hard))
    slow: list[socket.socket] = []
    try:
        port = http.base_url.port
        for number in range(3000):
            one = socket.create_connection(("127.0.0.1", port), 30, source_address=(f"127.0.1.{number % 20}", 0))
            one.sendall(b"GET /api/columns HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            slow.append(one)
        with httpx.Client(base_url=http.base_url, timeout=30) as another:
            assert another.get("/api/columns").status_code == 200
        wait_until(lambda: sum(not _is_closed(one) for one in slow) <= Limits().most, what="room")
    finally:
        for one in slow:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _is_closed(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        while one.recv(1 << 12):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
