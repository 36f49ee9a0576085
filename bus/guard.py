"""The scheduler's side of CURVE: who may connect, and whose message it is that has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import zmq
from zmq.auth.thread import ThreadAuthenticator

from warpcore.bus.handshakes import HandshakeWatch
from warpcore.bus.keys import Holder, KeyPair
from warpcore.bus.rights import MAY_SUBSCRIBE, Domain, connecting
from warpcore.bus.sockets import Dropped

HANDSHAKE_MS = 5000
"""A connection that has not shown a key by then is closed, so that those of a flood free their descriptors."""

KEPT_OUT_S = 60.0
"""So long a key cannot subscribe that asked for too much."""

Known = Callable[[], Mapping[str, Holder]]
"""Gives the present holders by public key. It is asked for each message: what is revoked counts no more."""


class Guard:
    """Lets in who holds a known key with a right at the socket, and tells whose message has come there.

    Its sockets have a ZeroMQ context of their own, in which a thread answers for the keys (ZAP, RFC 27). So sessions of
    one process keep apart. Without that thread nobody is let in. Another one logs from where handshakes come that fail
    before a key is shown. All else is for the thread of the sockets.
    """

    def __init__(self, server: KeyPair, known: Known) -> None:
        self._server = server
        self._known = known
        self._seen = known()
        self.lost_subscribers = 0
        """Grows whenever a key has lost its right to subscribe."""
        self._kept_out: dict[str, float] = {}
        self._refused = Dropped("handshakes", "connection(s) without a key for the port")
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._authenticator = ThreadAuthenticator(self.context)
        for domain in Domain:
            self._authenticator.configure_curve_callback(domain, _Provider(self._lets_in))
        self._authenticator.start()
        self._watch = HandshakeWatch(self.context)

    def put_on(self, socket: zmq.Socket[bytes], domain: str) -> None:
        """Have a socket that will be bound ask for keys."""
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt_string(zmq.CURVE_PUBLICKEY, self._server.public)
        socket.setsockopt_string(zmq.CURVE_SECRETKEY, self._server.secret)
        socket.setsockopt_string(zmq.ZAP_DOMAIN, domain)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        self._watch.watch(socket, domain)

    def holder(self, public: str) -> Holder | None:
        """Whose key this is now, None for one that was revoked."""
        return self._known().get(public)

    def look(self) -> None:
        """Notice keys that have lost their right to subscribe."""
        before, self._seen = self._seen, self._known()
        if before is not self._seen and _subscribers(before) - _subscribers(self._seen):
            self.lost_subscribers += 1

    def keep_out(self, public: str) -> Holder | None:
        """Let a key subscribe no more for a minute; whose it is."""
        self._kept_out[public] = time.monotonic() + KEPT_OUT_S
        return self.holder(public)

    def close(self) -> None:
        """End the threads; call it after the sockets are closed."""
        self._watch.close()
        self._authenticator.stop()
        self.context.term()

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lets_in(self, domain: str, public: str) -> bool:
        """Asked by the authenticator's thread at each handshake."""
        holder = self._known().get(public)
        greedy = domain == Domain.EVENTS_OUT and self._kept_out.get(public, 0.0) > time.monotonic()
        if holder is not None and holder.sender in connecting(domain) and not greedy:
            return True
        self._refused.note(f"{domain}, {holder.name if holder is not None else public}")
        return False


class _Provider:
    """What pyzmq's authenticator asks."""

    def __init__(self, lets_in: Callable[[str, str], bool]) -> None:
        self._lets_in = lets_in

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether this key (Z85) may connect."""
        return self._lets_in(domain, key.decode())


def received(socket: zmq.Socket[bytes], guard: Guard | None) -> tuple[list[bytes], str]:
    """The frames of the next message, and the public key that it came under ("" without one).

    Raises zmq.Again where there is none.
    """
    if guard is None:
        return socket.recv_multipart(zmq.NOBLOCK), ""
    frames = socket.recv_multipart(zmq.NOBLOCK, copy=False)
    try:
        public = str(frames[-1].get("User-Id"))
    except zmq.ZMQError:
        public = ""
    return [frame.bytes for frame in frames], public


def _subscribers(known: Mapping[str, Holder]) -> frozenset[str]:
    return frozenset(public for public, holder in known.items() if holder.sender in MAY_SUBSCRIBE)
