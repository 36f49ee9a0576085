"""Accepts connections for gunicorn's worker, as many as `connections` takes, and closes those that it names."""

from __future__ import annotations

import asyncio
import itertools
import logging
import resource
import socket
import ssl
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from warpcore.services.api.http.connections import Connections, Limits, Phase, client_of
from warpcore.services.api.http.guarded import Gate, GuardedProtocol

SWEEP_S = 0.5
"""Time between looks for connections that have taken too long."""
AT_ONCE = 64
"""Connections accepted before the loop does something else."""
TELL_EVERY_S = 10.0
PAUSE_S = 1.0
"""No connection is accepted for so long where the host is out of descriptors or memory."""

_FILES = 8192
"""Open files of a process: connections, and the files that they download."""
_OWN_FILES = 128
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 22\r\nRetry-After: 5\r\n"
    b"Connection: close\r\n\r\ntoo many connections.\r\n"
)

log = logging.getLogger(__name__)


class Listener:
    """Serves the connections of one listening socket, with TLS where there is a `context`.

    `proxies` are addresses that speak for many clients.
    """

    def __init__(
        self, worker: Any, sock: socket.socket, context: ssl.SSLContext | None, proxies: Collection[str], limits: Limits
    ) -> None:
        self._worker, self._sock, self._context = worker, sock, context
        self._proxies = frozenset(map(client_of, proxies))
        self._connections = Connections(limits)
        self._gates: dict[int, Gate] = {}
        self._numbers = itertools.count()
        self._loop: asyncio.AbstractEventLoop = worker.loop
        self._refused, self._told_at = 0, float("-inf")
        self._sweeping: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to accept."""
        self._sock.setblocking(False)
        self._loop.add_reader(self._sock.fileno(), self._accept)
        self._sweep()

    def renew(self, context: ssl.SSLContext) -> None:
        """Greet new connections by another certificate; those that are open keep theirs."""
        self._context = context

    def close(self) -> None:
        """Accept no more, and end those connections that have no request in work."""
        self._loop.remove_reader(self._sock.fileno())
        if self._sweeping is not None:
            self._sweeping.cancel()
        for number in self._connections.waiting():
            self._gates[number].abort()

    async def wait_closed(self) -> None:
        """Nothing to wait for: gunicorn counts connections by itself."""

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                accepted, address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("REST: no connection can be accepted for %g s: %s", PAUSE_S, error)
                self._loop.remove_reader(self._sock.fileno())
                self._loop.call_later(PAUSE_S, self._accept_again)
                return
            self._take(accepted, client_of(str(address[0])))

    def _accept_again(self) -> None:
        if self._worker.alive:
            self._loop.add_reader(self._sock.fileno(), self._accept)

    def _take(self, accepted: socket.socket, client: str) -> None:
        accepted.setblocking(False)
        number = next(self._numbers)
        admission = self._connections.admit(number, client, self._loop.time(), is_proxy=client in self._proxies)
        if not admission.taken:
            self._refuse(accepted, client)
            return
        if admission.instead_of is not None:
            self._gates.pop(admission.instead_of).abort()
        protocol = self._protocol(number)
        task = self._loop.create_task(self._connect(protocol, accepted))
        task.add_done_callback(lambda _: self._connected(number, protocol, accepted))
        self._gates[number] = Gate(protocol, task)

    def _protocol(self, number: int) -> GuardedProtocol:
        def turns(phase: Phase) -> None:
            self._connections.turns(number, phase, self._loop.time())

        def takes() -> None:
            self._connections.takes(number, self._loop.time())

        return GuardedProtocol(self._worker, turns, takes, lambda: self._goes(number))

    async def _connect(self, protocol: GuardedProtocol, accepted: socket.socket) -> None:
        waits = {} if self._context is None else {"ssl_handshake_timeout": self._connections.limits.head_s}
        # OSError: the client has gone; ssl.SSLError, one of these, that it speaks no TLS or does not trust us.
        with suppress(OSError):
            await self._loop.connect_accepted_socket(lambda: protocol, accepted, ssl=self._context, **waits)

    def _connected(self, number: int, protocol: GuardedProtocol, accepted: socket.socket) -> None:
        """The protocol has its connection, or there is none."""
        if protocol.transport is None:
            accepted.close()
            self._goes(number)

    def _goes(self, number: int) -> None:
        self._connections.goes(number)
        self._gates.pop(number, None)

    def _refuse(self, accepted: socket.socket, client: str) -> None:
        with accepted, suppress(OSError):
            if self._context is None:
                accepted.send(_BUSY)
        self._refused += 1
        now = self._loop.time()
        if now - self._told_at > TELL_EVERY_S:
            text = "REST: %d connections were refused, the last one of %s: there are %d, each with a request in work"
            log.warning(text, self._refused, client, len(self._connections))
            self._refused, self._told_at = 0, now

    def _sweep(self) -> None:
        now = self._loop.time()
        for number, gate in self._gates.items():
            self._connections.waits(number, gate.protocol.left(), now)
        for number in self._connections.overdue(now):
            self._gates[number].time_out()
        self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)


def limits_of_process() -> Limits:
    """The limits of connections that this process can hold; it is allowed more open files where it may have them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    limits = Limits()
    if soft == resource.RLIM_INFINITY:
        return limits
    most = max(min(limits.most, (soft - _OWN_FILES) // 2), 8)
    return Limits(most=most, most_of_one=min(limits.most_of_one, most))
